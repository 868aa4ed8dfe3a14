//! Answers as clients of Google's dialect read them, whole.

use std::borrow::Cow;

use bytes::Bytes;
use gw_core::chat::{Candidate, ChatAnswer, Citation, Extra, FinishReason, Part as Said, ToolCall};
use serde_json::{Map, Value, json};

use super::carried::Waiting;
use super::part::{Fields, FunctionCall, Part, medium, raw};
use super::{FAMILY, finish, grounding, signature, usage};
use crate::chat::Asked;

/// Writes a whole answer.
pub(super) fn encode(answer: &ChatAnswer, asked: &Asked) -> Bytes {
    let extra = OwnExtra::of(&answer.extra);
    let is_blocked = extra.answer.contains_key("promptFeedback") && answer.candidates.iter().all(is_withheld);
    let mut out = String::from("{");
    if !is_blocked {
        let candidates = answer.candidates.iter().enumerate();
        let candidates: Vec<_> =
            candidates.map(|(index, candidate)| whole(index, candidate, extra.candidate(index))).collect();
        out.push_str(&format!("\"candidates\":[{}],", candidates.join(",")));
    }
    if let Some(counted) = &answer.usage {
        out.push_str(&format!("\"usageMetadata\":{},", usage::encode(counted)));
    }
    let about = about(&answer.model, &answer.id, asked);
    for (name, value) in about.iter().chain(&extra.answer) {
        out.push_str(&format!("{}:{value},", Value::from(name.as_str())));
    }
    // The members of `about` are always there: there is a comma too many.
    out.pop();
    out.push('}');
    Bytes::from(out)
}

/// What every answer, and every piece of one, says of itself.
pub(super) fn about(model: &str, id: &str, asked: &Asked) -> Map<String, Value> {
    let model = if model.is_empty() { &asked.request.model } else { model };
    let id = if id.is_empty() { asked.request_id.as_str() } else { id };
    Map::from_iter([("modelVersion".to_owned(), Value::from(model)), ("responseId".to_owned(), Value::from(id))])
}

/// Members that only Google's dialect has: of the answer, and by the names that [`super::stream`] gave them, of its
/// candidates.
#[derive(Debug, Default)]
pub(super) struct OwnExtra {
    pub(super) answer: Map<String, Value>,
    candidates: Map<String, Value>,
}

impl OwnExtra {
    /// Sorts the members of an answer. Those of other families are not Google's to tell.
    pub(super) fn of(answer: &Extra) -> Self {
        let mut own = Self::default();
        own.add(answer);
        own
    }

    /// Sorts more of them.
    pub(super) fn add(&mut self, more: &Extra) {
        for (name, value) in more.of(FAMILY).into_iter().flatten() {
            if name.starts_with("candidates[") {
                self.candidates.insert(name.clone(), value.clone());
            } else if matches!(name.as_str(), "promptFeedback" | "modelStatus" | "createTime") {
                self.answer.insert(name.clone(), value.clone());
            }
        }
    }

    /// The members of a candidate.
    pub(super) fn candidate(&self, index: usize) -> Map<String, Value> {
        let prefix = format!("candidates[{index}].");
        let own = self.candidates.iter().filter_map(|(name, value)| {
            let name = name.strip_prefix(prefix.as_str())?;
            Some((name.to_owned(), value.clone()))
        });
        own.collect()
    }
}

fn is_withheld(candidate: &Candidate) -> bool {
    candidate.parts.is_empty() && candidate.finish.reason == FinishReason::ContentFilter
}

fn whole(index: usize, candidate: &Candidate, mut more: Map<String, Value>) -> String {
    let (mut parts, mut citations) = (Vec::new(), Vec::new());
    let mut waiting = Waiting::default();
    for said in &candidate.parts {
        let Some(part) = part(said, &mut waiting) else { continue };
        if let Said::Text(text) = said {
            citations.extend(text.citations.iter().map(|citation| (parts.len(), text.text.as_str(), citation)));
        }
        parts.push(part);
    }
    cite(&citations, &mut more);
    if let Some(logprobs) = candidate.logprobs.as_ref().and_then(grounding::encode_logprobs) {
        more.insert("logprobsResult".to_owned(), logprobs);
    }
    more.insert("finishReason".to_owned(), Value::from(finish::encode(&candidate.finish)));
    content(index, &parts, &more)
}

/// Says where the text was taken from, unless Google's own words for it are there.
pub(super) fn cite(citations: &[(usize, &str, &Citation)], more: &mut Map<String, Value>) {
    if !more.contains_key("groundingMetadata")
        && !more.contains_key("citationMetadata")
        && let Some(metadata) = grounding::encode(citations)
    {
        more.insert("groundingMetadata".to_owned(), metadata);
    }
}

/// A candidate with its parts and its other members.
pub(super) fn content(index: usize, parts: &[Part<'_>], more: &Map<String, Value>) -> String {
    // Parts are made of text and of JSON that was read: they can be written.
    let parts = serde_json::to_string(parts).unwrap_or_else(|_| "[]".to_owned());
    let mut out = format!("{{\"content\":{{\"parts\":{parts},\"role\":\"model\"}}");
    for (name, value) in more {
        out.push_str(&format!(",{}:{value}", json!(name)));
    }
    out.push_str(&format!(",\"index\":{index}}}"));
    out
}

/// A part of an answer; `None` for what Google's dialect has no word for.
fn part<'a>(said: &'a Said, waiting: &mut Waiting) -> Option<Part<'a>> {
    match said {
        Said::Text(text) => {
            let thought_signature = text.opaque.as_ref().map(signature);
            Some(Fields { text: Some(Cow::Borrowed(&text.text)), thought_signature, ..Fields::default() }.into())
        }
        Said::Refusal(text) => Some(Part::text(text)),
        Said::Media(media) => medium(media).map(|fields| {
            let thought_signature = media.opaque.as_ref().map(signature);
            Fields { thought_signature, ..fields }.into()
        }),
        Said::ToolCall(call) => Some(call_part(call, waiting.take())),
        Said::Reasoning(reasoning) => {
            if let Some(opaque) = &reasoning.opaque {
                waiting.add(&reasoning.text, opaque);
            }
            let thought_signature = reasoning.opaque.as_ref().map(signature);
            // A signature without thoughts is the model's own word, not a thought.
            let thought = !reasoning.text.is_empty();
            let text = Some(Cow::Borrowed(reasoning.text.as_str()));
            (thought || thought_signature.is_some())
                .then(|| Fields { text, thought, thought_signature, ..Fields::default() }.into())
        }
        Said::Native(native) if native.family == FAMILY => Some(Part::Whole(&native.value)),
        Said::Native(_) | Said::ToolResult(_) => None,
    }
}

/// A call, with its own signature or else with the thoughts that it carries. Its id goes with it, so that the result can say
/// which call it belongs to.
pub(super) fn call_part(call: &ToolCall, carried: Option<String>) -> Part<'_> {
    let thought_signature = call.opaque.as_ref().map(signature).or(carried);
    let (name, args) = (Cow::Borrowed(call.name.as_str()), raw(call.input.object()));
    let function_call = Some(FunctionCall { id: &call.id, name, args, more: Map::new() });
    Fields { function_call, thought_signature, ..Fields::default() }.into()
}
