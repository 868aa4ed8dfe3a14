//! Reads the items of a conversation as messages: what the model said and called in a row is one turn.

use gw_core::Error;
use gw_core::chat::{
    Family, Media, MediaKind, MediaSource, Message, Native, Opaque, OpaqueKind, Part, Reasoning, Role, Text, ToolCall,
    ToolInput, ToolResult, Unknown,
};
use serde_json::Value;

use super::super::read::Node;
use super::super::tools::flat;
use super::super::{FAMILY, PARAGRAPH, UNTYPED};
use super::content;
use super::spoken::is_spoken;
use crate::shared::media;

/// Items that clients write, besides the results of functions.
const CLIENTS: [&str; 1] = ["mcp_approval_response"];

/// The item that is a picture of the model's.
pub(super) const PICTURE: &str = "image_generation_call";

/// The messages of `input`, which is a list.
pub(super) fn messages(top: &Node<'_>) -> Result<Vec<Message>, Error> {
    let mut conversation = Conversation::default();
    for item in top.objects("input")? {
        conversation.take(&item)?;
    }
    Ok(conversation.messages)
}

#[derive(Default)]
struct Conversation {
    messages: Vec<Message>,
}

impl Conversation {
    fn take(&mut self, item: &Node<'_>) -> Result<(), Error> {
        let kind = match item.string("type")? {
            Some(kind) => kind,
            None if item.get("role").is_some() => "message",
            None => "item_reference",
        };
        match kind {
            "message" => self.message(item)?,
            "function_call" => self.said(Part::ToolCall(call(item, ToolInput::Json(arguments(item)?))?)),
            "custom_tool_call" => {
                let input = ToolInput::Text(item.required("input")?.to_owned());
                self.said(Part::ToolCall(call(item, input)?));
            }
            "function_call_output" | "custom_tool_call_output" => {
                self.given(Part::ToolResult(result(item, kind == "custom_tool_call_output")?));
            }
            "reasoning" => self.thought(item)?,
            PICTURE if item.get("result").is_some() => self.said(picture(item)?),
            _ => {
                let value = Value::Object(item.object.clone());
                let native = Part::Native(Native { family: FAMILY, kind: kind.to_owned(), value });
                let is_clients = kind.ends_with("_output") || CLIENTS.contains(&kind);
                if is_clients { self.given(native) } else { self.said(native) }
            }
        }
        Ok(())
    }

    fn message(&mut self, item: &Node<'_>) -> Result<(), Error> {
        let role = match item.required("role")? {
            "user" => Role::User,
            "assistant" => Role::Assistant,
            "system" => Role::System,
            "developer" => Role::Developer,
            _ => return Err(item.wrong("role", "user, assistant, system or developer")),
        };
        let mut parts = content::parts(item, "content")?;
        let unknown = unknown(item, &["content", "role", "phase"]);
        if role != Role::Assistant {
            self.messages.push(Message { unknown, ..Message::new(role, parts) });
            return Ok(());
        }
        if let Some(phase) = item.string("phase")? {
            let texts = parts.iter_mut().filter_map(|part| match part {
                Part::Text(text) => Some(text),
                _ => None,
            });
            texts.for_each(|text| text.opaque = Some(self::phase(phase, "")));
        }
        let has_spoken = |message: &Message| message.parts.last().is_some_and(is_spoken);
        if self.messages.last().is_some_and(has_spoken) {
            self.messages.push(Message::new(Role::Assistant, Vec::new()));
        }
        self.turn(Role::Assistant).extend(parts);
        if let Some(message) = self.messages.last_mut() {
            message.unknown.absorb(&unknown);
        }
        Ok(())
    }

    /// Thoughts. What Gemini signs is not a thought but the call, the text or the picture before it: its signature stands
    /// alone in an item behind.
    fn thought(&mut self, item: &Node<'_>) -> Result<(), Error> {
        let mut parts = reasoning(item)?;
        if let [Part::Reasoning(Reasoning { text, opaque, .. })] = parts.as_mut_slice()
            && text.is_empty()
            && opaque.as_ref().is_some_and(|opaque| opaque.family == Family::Gemini)
            && let Some(state) = self.messages.last_mut().and_then(signed)
            && state.is_none()
        {
            *state = opaque.take();
            return Ok(());
        }
        self.turn(Role::Assistant).extend(parts);
        Ok(())
    }

    fn said(&mut self, part: Part) {
        self.turn(Role::Assistant).push(part);
    }

    /// Results of a row of calls are one message, apart from what the user says.
    fn given(&mut self, part: Part) {
        let is_result = |message: &Message| match message.parts.last() {
            Some(part @ Part::Native(_)) => !is_spoken(part),
            last => matches!(last, Some(Part::ToolResult(_))),
        };
        match self.messages.last_mut() {
            Some(message) if message.role == Role::User && is_result(message) => message.parts.push(part),
            _ => self.messages.push(Message::new(Role::User, vec![part])),
        }
    }

    /// The parts of the last turn if it is that role's, else of a new one.
    fn turn(&mut self, role: Role) -> &mut Vec<Part> {
        if self.messages.last().is_none_or(|message| message.role != role) {
            self.messages.push(Message::new(role, Vec::new()));
        }
        let last = self.messages.len() - 1;
        &mut self.messages[last].parts
    }
}

/// Where the state of what the model said last stands, if it has a place for it.
fn signed(message: &mut Message) -> Option<&mut Option<Opaque>> {
    if message.role != Role::Assistant {
        return None;
    }
    match message.parts.last_mut()? {
        Part::ToolCall(ToolCall { opaque, .. })
        | Part::Text(Text { opaque, .. })
        | Part::Media(Media { opaque, .. }) => Some(opaque),
        _ => None,
    }
}

/// The phase of a message (`commentary`, `final_answer`), which OpenAI wants to see again with it.
pub(in super::super) fn phase(phase: &str, provider: &str) -> Opaque {
    Opaque { family: FAMILY, provider: provider.to_owned(), kind: OpaqueKind::Signature, data: phase.to_owned() }
}

fn call(item: &Node<'_>, input: ToolInput) -> Result<ToolCall, Error> {
    let id = item.required("call_id")?.to_owned();
    let name = flat(item.string("namespace")?, item.required("name")?).into_owned();
    let unknown = unknown(item, &["call_id", "name", "namespace", "arguments", "input"]);
    Ok(ToolCall { id, name, input, unknown, ..ToolCall::default() })
}

fn arguments(item: &Node<'_>) -> Result<String, Error> {
    let arguments = item.string("arguments")?.unwrap_or_default();
    Ok(if arguments.trim().is_empty() { "{}".to_owned() } else { arguments.to_owned() })
}

fn result(item: &Node<'_>, is_custom: bool) -> Result<ToolResult, Error> {
    let name = item.string("name")?;
    let namespace = item.string("namespace")?;
    Ok(ToolResult {
        call_id: item.required("call_id")?.to_owned(),
        name: name.map(|name| flat(namespace, name).into_owned()),
        content: content::parts(item, "output")?,
        is_custom,
        unknown: unknown(item, &["call_id", "name", "namespace", "output"]),
        ..ToolResult::default()
    })
}

/// What is left of an item whose members of these names are read. Its id and how far it came are written anew.
fn unknown(item: &Node<'_>, read: &[&str]) -> Unknown {
    let rest = item.object.iter().filter(|(name, _)| !["type", "id", "status"].contains(&name.as_str()));
    let rest = rest.filter(|(name, _)| !read.contains(&name.as_str()));
    Unknown::new(FAMILY, rest.map(|(name, value)| (name.clone(), value.clone())).collect())
}

/// An item of thoughts: its summary and its words are parts of their own; the state belongs to the last.
fn reasoning(item: &Node<'_>) -> Result<Vec<Part>, Error> {
    let id = item.string("id")?.map(str::to_owned);
    let joined = |name| {
        let texts: Vec<&str> =
            item.objects(name)?.iter().map(|part| part.required("text")).collect::<Result<_, _>>()?;
        Ok::<_, Error>(texts.join(PARAGRAPH))
    };
    let opaque = item.string("encrypted_content")?.map(|carried| Opaque::open(carried, FAMILY));
    Ok(thoughts(id, joined("summary")?, joined("content")?, opaque))
}

/// The parts that an item of thoughts becomes.
pub(in super::super) fn thoughts(
    id: Option<String>,
    summary: String,
    content: String,
    opaque: Option<Opaque>,
) -> Vec<Part> {
    let mut parts = Vec::new();
    if !summary.is_empty() || content.is_empty() {
        parts.push(Reasoning { id: id.clone(), text: summary, is_summary: true, opaque: None });
    }
    if !content.is_empty() {
        parts.push(Reasoning { id, text: content, is_summary: false, opaque: None });
    }
    if let Some(last) = parts.last_mut() {
        last.opaque = opaque;
    }
    parts.into_iter().map(Part::Reasoning).collect()
}

/// A picture that the model made, with the rest of its item for whoever wants it again.
fn picture(item: &Node<'_>) -> Result<Part, Error> {
    let Some(data) = media::base64(item.required("result")?) else {
        return Err(item.wrong("result", "a picture in base64"));
    };
    let mut rest = item.object.clone();
    rest.shift_remove("result");
    let media_type = media::sniff(&data).unwrap_or("image/png").to_owned();
    let source = MediaSource::Inline { media_type, data };
    Ok(Part::Media(Media {
        extra: Some(Native { family: FAMILY, kind: PICTURE.to_owned(), value: Value::Object(rest) }),
        ..Media::new(MediaKind::Image, source)
    }))
}

/// An item that no word of ours stands for.
pub(in super::super) fn native(value: &Value) -> Part {
    let kind = value.get("type").and_then(Value::as_str).unwrap_or(UNTYPED).to_owned();
    Part::Native(Native { family: FAMILY, kind, value: value.clone() })
}

/// A text without anything.
pub(super) fn plain(parts: &[Part]) -> Option<&str> {
    match parts {
        [Part::Text(Text { text, citations, cache: None, opaque: None, unknown })]
            if citations.is_empty() && unknown.is_empty() =>
        {
            Some(text)
        }
        _ => None,
    }
}
