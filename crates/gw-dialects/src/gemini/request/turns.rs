//! A conversation as Google takes it: turns of `user` and `model`, each call with its result.

use std::borrow::Cow;

use gw_core::chat::{ChatRequest, Loss, Media, MediaKind, Opaque, Part as Said, Text, Tool, ToolCall, ToolResult};
use serde::Serialize;
use serde_json::{Map, Value};

use super::thinking::Model;
use super::tools::cache_marker;
use crate::chat::{Target, ToolNames};
use crate::gemini::part::{Fields, FunctionCall, FunctionResponse, Part, medium, raw};
use crate::gemini::{FAMILY, NO_SIGNATURE};
use crate::shared::ids::Rule;
use crate::shared::losses::Losses;
use crate::shared::turns::{Arranged, Side, Turn};

/// What names of functions may consist of ("FunctionDeclaration" in the API's reference).
const NAME: Rule = Rule { allows: |c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | ':' | '-'), length_max: 64 };

/// Names as Google takes them.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Names;

impl Names {
    /// How a function is called there: besides the characters, the first one counts.
    pub(super) fn sent(self, name: &str) -> Cow<'_, str> {
        if name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') {
            return NAME.fit(name);
        }
        Cow::Owned(NAME.fit(&format!("_{name}")).into_owned())
    }

    /// The names of a request that had to be changed.
    pub(super) fn changed(self, request: &ChatRequest) -> ToolNames {
        let names = request.tools.iter().filter_map(Tool::name);
        let changed = names.filter_map(|name| match self.sent(name) {
            Cow::Borrowed(_) => None,
            Cow::Owned(sent) => Some((sent, name.to_owned())),
        });
        ToolNames(changed.collect())
    }
}

/// A turn.
#[derive(Debug, Serialize)]
pub(super) struct Content<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<&'static str>,
    parts: Vec<Part<'a>>,
    #[serde(flatten)]
    more: Map<String, Value>,
}

/// The instructions; `None` if there are none.
pub(super) fn system(system: &[Text]) -> Option<Content<'_>> {
    let part = |text: &'_ Text| {
        let mut fields = Fields { text: Some(Cow::Owned(text.text.clone())), ..Fields::default() };
        fields.extend(text.unknown.of(FAMILY));
        Part::from(fields)
    };
    let parts: Vec<_> = system.iter().map(part).collect();
    (!parts.is_empty()).then_some(Content { role: None, parts, more: Map::new() })
}

/// The turns.
pub(super) fn contents<'a>(arranged: &'a Arranged, target: &Target<'a>, losses: &mut Losses) -> Vec<Content<'a>> {
    let mut writer = Writer { target, model: Model::of(target.model), losses };
    let turns = arranged.turns.iter().map(|turn| writer.turn(turn));
    // A turn may be left empty by what was lost.
    turns.filter(|content| !content.parts.is_empty()).collect()
}

struct Writer<'w, 'a> {
    target: &'w Target<'a>,
    model: Model,
    losses: &'w mut Losses,
}

impl<'a> Writer<'_, 'a> {
    fn turn(&mut self, turn: &'a Turn) -> Content<'a> {
        let mut parts = Vec::new();
        // Media of results, where they cannot stand in them: behind all results.
        let mut beside = Vec::new();
        let mut step = Step::default();
        for (at, said) in turn.parts.iter().enumerate() {
            match said {
                Said::ToolResult(result) => parts.push(self.result(result, &mut beside)),
                Said::ToolCall(call) => parts.push(self.call(call, &mut step)),
                Said::Reasoning(reasoning) => {
                    let signature = self.own(reasoning.opaque.as_ref());
                    // Dialects that have no place for it beside a call carry it in the thoughts before.
                    let is_of_call = matches!(turn.parts.get(at + 1), Some(Said::ToolCall(call)) if self.own(call.opaque.as_ref()).is_none());
                    let thought_signature = if is_of_call {
                        step.carried = signature;
                        None
                    } else {
                        signature
                    };
                    let thought = !reasoning.text.is_empty();
                    if thought || thought_signature.is_some() {
                        let text = Some(Cow::Borrowed(reasoning.text.as_str()));
                        parts.push(Fields { text, thought, thought_signature, ..Fields::default() }.into());
                    }
                }
                other => parts.extend(self.plain(other)),
            }
        }
        parts.append(&mut beside);
        let mut more = Map::new();
        turn.unknown.write(FAMILY, &mut more);
        Content { role: Some(if turn.side == Side::Model { "model" } else { "user" }), parts, more }
    }

    /// Parts that stand for themselves.
    fn plain(&mut self, said: &'a Said) -> Option<Part<'a>> {
        match said {
            Said::Text(text) => {
                if text.cache.is_some() {
                    self.losses.push(cache_marker());
                }
                if !text.citations.is_empty() {
                    self.losses.push(Loss::dropped("messages[].annotations", "a conversation has no citations here"));
                }
                let thought_signature = self.own(text.opaque.as_ref());
                let said = Some(Cow::Borrowed(text.text.as_str()));
                let mut fields = Fields { text: said, thought_signature, ..Fields::default() };
                fields.extend(text.unknown.of(FAMILY));
                Some(fields.into())
            }
            Said::Refusal(text) => Some(Part::text(text)),
            Said::Media(media) => self.medium(media),
            Said::Native(native) if native.family == FAMILY => Some(Part::Whole(&native.value)),
            Said::Native(_) => {
                let why = "a part that only another provider understands";
                self.losses.push(Loss::dropped("messages[].content", why));
                None
            }
            Said::ToolCall(_) | Said::ToolResult(_) | Said::Reasoning(_) => None,
        }
    }

    fn medium(&mut self, media: &'a Media) -> Option<Part<'a>> {
        if media.cache.is_some() {
            self.losses.push(cache_marker());
        }
        let Some(mut fields) = medium(media) else {
            let param = match media.kind {
                MediaKind::Audio => "messages[].input_audio",
                MediaKind::Image => "messages[].image_url",
                MediaKind::Video | MediaKind::Document => "messages[].file",
            };
            self.losses.push(Loss::dropped(param, "a file that only another provider has; send its content"));
            return None;
        };
        fields.thought_signature = self.own(media.opaque.as_ref());
        if let Some(Value::Object(members)) =
            media.extra.as_ref().filter(|own| own.family == FAMILY).map(|own| &own.value)
        {
            fields.extend(members);
        }
        if let Some(level) = media.detail.as_deref().and_then(resolution) {
            if self.model.is_third() {
                fields.more.insert("mediaResolution".to_owned(), serde_json::json!({"level": level}));
            } else {
                self.losses.push(Loss::dropped("messages[].image_url.detail", "the model looks at all alike"));
            }
        }
        Some(fields.into())
    }

    fn call(&mut self, call: &'a ToolCall, step: &mut Step) -> Part<'a> {
        if call.cache.is_some() {
            self.losses.push(cache_marker());
        }
        let carried = step.carried.take();
        let mut thought_signature = self.own(call.opaque.as_ref()).or(carried);
        // Gemini 3 refuses a step whose first call is not signed; others may be without.
        if thought_signature.is_none() && !step.has_calls && self.model.is_third() {
            thought_signature = Some(NO_SIGNATURE.to_owned());
        }
        step.has_calls = true;
        let (name, args) = (Names.sent(&call.name), raw(call.input.object()));
        let function_call = Some(FunctionCall { id: &call.id, name, args, more: Map::new() });
        let mut fields = Fields { function_call, thought_signature, ..Fields::default() };
        fields.extend(call.unknown.of(FAMILY));
        fields.into()
    }

    fn result(&mut self, result: &'a ToolResult, beside: &mut Vec<Part<'a>>) -> Part<'a> {
        if result.cache.is_some() {
            self.losses.push(cache_marker());
        }
        let mut parts = Vec::new();
        for said in &result.content {
            match said {
                Said::Text(text) if text.cache.is_some() => self.losses.push(cache_marker()),
                Said::Text(_) => {}
                said if self.model.is_third() => parts.extend(self.plain(said)),
                said => {
                    let why = "media that a tool gave back stand behind its result";
                    self.losses.push(Loss::replaced("messages[].content", why));
                    beside.extend(self.plain(said));
                }
            }
        }
        let name = Names.sent(result.name.as_deref().unwrap_or("tool"));
        let response = raw(response(result));
        let function_response = Some(FunctionResponse { id: &result.call_id, name, response, parts, more: Map::new() });
        let mut fields = Fields { function_response, ..Fields::default() };
        fields.extend(result.unknown.of(FAMILY));
        fields.into()
    }

    /// State that Google gave, as it was given.
    fn own(&self, opaque: Option<&Opaque>) -> Option<String> {
        opaque.filter(|opaque| opaque.belongs_to(FAMILY, self.target.provider)).map(|opaque| opaque.data.clone())
    }
}

/// What is known of the calls of a turn.
#[derive(Default)]
struct Step {
    has_calls: bool,
    /// A signature that stood in the thoughts before a call.
    carried: Option<String>,
}

fn resolution(detail: &str) -> Option<&'static str> {
    match detail {
        "low" => Some("MEDIA_RESOLUTION_LOW"),
        "medium" => Some("MEDIA_RESOLUTION_MEDIUM"),
        "high" => Some("MEDIA_RESOLUTION_HIGH"),
        "original" => Some("MEDIA_RESOLUTION_ULTRA_HIGH"),
        _ => None,
    }
}

/// What a tool gave back must be an object here: one stays what it is, text stands in one.
fn response(result: &ToolResult) -> String {
    let texts = result.content.iter().filter_map(|said| match said {
        Said::Text(text) => Some(text.text.as_str()),
        _ => None,
    });
    let text = texts.collect::<Vec<_>>().join("\n");
    let name = if result.is_error { "error" } else { "result" };
    let object: Option<serde_json::Map<String, Value>> =
        if text.trim_start().starts_with('{') { serde_json::from_str(&text).ok() } else { None };
    match object {
        Some(object) if !result.is_error || object.contains_key("error") => text,
        Some(_) => format!("{{\"{name}\":{text}}}"),
        None => Value::from_iter([(name, text)]).to_string(),
    }
}
