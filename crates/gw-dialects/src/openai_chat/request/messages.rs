//! The conversation as an application writes it.

use std::collections::{HashSet, VecDeque};

use gw_core::chat::{
    CacheMarker, Citation, Family, Message, Native, Opaque, Part, Reasoning, Role, Text, ToolCall, ToolInput,
    ToolResult, Unknown,
};
use serde_json::Value;

use super::content;
use super::read::{self, Members, Wrong};
use crate::openai_chat::{FAMILY, reasoning, wire};

/// The kind of a [`Native`] part that refers to a spoken answer with the provider.
pub(super) const AUDIO_REFERENCE: &str = "audio";

/// Takes the conversation.
pub(super) fn decode(body: &mut Members) -> Result<Vec<Message>, Wrong> {
    let mut calls = Calls::default();
    let messages = read::list(body, "messages")?.into_iter().enumerate();
    let message = |(index, message)| {
        let decoded = read::as_object(message).and_then(|message| decode_message(message, index, &mut calls));
        decoded.map_err(|wrong| wrong.element("messages", index))
    };
    messages.map(message).collect()
}

/// What earlier messages called.
#[derive(Debug, Default)]
struct Calls {
    /// Ids of calls of custom tools, whose results are custom too.
    custom: HashSet<String>,
    /// Calls in the older way, which had no ids: the ids that they were given and their names.
    older: VecDeque<(String, String)>,
    /// How many ids were made up.
    made_up: usize,
}

impl Calls {
    /// An id for a call or a result that has none.
    fn make_up(&mut self) -> String {
        self.made_up += 1;
        format!("call_unnamed_{}", self.made_up)
    }

    /// The id of the oldest call of that function that has no result yet.
    fn take_older(&mut self, name: Option<&str>) -> String {
        let place = self.older.iter().position(|(_, called)| name.is_none_or(|name| name == called));
        match place.and_then(|place| self.older.remove(place)) {
            Some((id, _)) => id,
            None => self.make_up(),
        }
    }
}

fn decode_message(mut message: Members, index: usize, calls: &mut Calls) -> Result<Message, Wrong> {
    let role = read::required(&mut message, "role")?;
    let name = read::string(&mut message, "name")?;
    let cache = content::cache_marker(&mut message);
    let mut parts = content::decode(read::take(&mut message, "content"))?;
    let (role, name) = match role.as_str() {
        "system" => (Role::System, name),
        "developer" => (Role::Developer, name),
        "user" => (Role::User, name),
        "assistant" => {
            parts = assistant(&mut message, parts, index, calls)?;
            (Role::Assistant, name)
        }
        "tool" => {
            let call_id = read::string(&mut message, "tool_call_id")?.filter(|id| !id.is_empty());
            let call_id = call_id.unwrap_or_else(|| calls.take_older(name.as_deref()));
            let is_custom = calls.custom.contains(&call_id);
            parts = vec![result(ToolResult { call_id, name, content: parts, is_custom, ..ToolResult::default() })];
            (Role::User, None)
        }
        "function" => {
            let call_id = calls.take_older(name.as_deref());
            parts = vec![result(ToolResult { call_id, name, content: parts, ..ToolResult::default() })];
            (Role::User, None)
        }
        _ => {
            let must = "must be `system`, `developer`, `user`, `assistant`, `tool` or `function`";
            return Err(Wrong::new("role", must));
        }
    };
    if let (Some(cache), Some(last)) = (cache, parts.last_mut()) {
        mark(last, cache);
    }
    message.retain(|_, value| !value.is_null() && value.as_array().is_none_or(|list| !list.is_empty()));
    let mut unknown = Unknown::new(FAMILY, message);
    // A message that is a tool's result becomes a part of the user's turn, and so do its members.
    if let [Part::ToolResult(result)] = parts.as_mut_slice() {
        result.unknown = std::mem::take(&mut unknown);
    }
    Ok(Message { role, parts, name, unknown })
}

fn result(result: ToolResult) -> Part {
    Part::ToolResult(result)
}

/// A marker that a whole message has is that of its last part.
fn mark(part: &mut Part, marker: CacheMarker) {
    let cache = match part {
        Part::Text(text) => &mut text.cache,
        Part::Media(media) => &mut media.cache,
        Part::ToolCall(call) => &mut call.cache,
        Part::ToolResult(result) => &mut result.cache,
        Part::Refusal(_) | Part::Reasoning(_) | Part::Native(_) => return,
    };
    cache.get_or_insert(marker);
}

/// What the model said: its thoughts, its words, its calls.
fn assistant(message: &mut Members, content: Vec<Part>, index: usize, calls: &mut Calls) -> Result<Vec<Part>, Wrong> {
    let mut parts: Vec<Part> = thoughts(message)?.into_iter().map(Part::Reasoning).collect();
    parts.extend(content);
    if let Some(refusal) = read::string(message, "refusal")?.filter(|refusal| !refusal.is_empty()) {
        parts.push(Part::Refusal(refusal));
    }
    decorate(message, &mut parts);
    for (place, call) in read::list(message, "tool_calls")?.into_iter().enumerate() {
        let call = read::as_object(call).and_then(|call| tool_call(call, calls));
        parts.push(call.map_err(|wrong| wrong.element("tool_calls", place))?);
    }
    if let Some(mut older) = read::object(message, "function_call")? {
        let name = read::required(&mut older, "name").map_err(|wrong| wrong.within("function_call"))?;
        let arguments = read::string(&mut older, "arguments").map_err(|wrong| wrong.within("function_call"))?;
        let id = format!("call_function_{index}");
        calls.older.push_back((id.clone(), name.clone()));
        let input = ToolInput::Json(arguments.unwrap_or_default());
        let unknown = Unknown::new(FAMILY, read::with_rest(Members::new(), "function", older));
        parts.push(Part::ToolCall(ToolCall { id, name, input, unknown, ..ToolCall::default() }));
    }
    if let Some(audio) = read::take(message, "audio") {
        parts.push(Part::Native(Native { family: FAMILY, kind: AUDIO_REFERENCE.to_owned(), value: audio }));
    }
    Ok(parts)
}

fn thoughts(message: &mut Members) -> Result<Vec<Reasoning>, Wrong> {
    let text = read::string(message, "reasoning_content")?;
    let text = match text.filter(|text| !text.is_empty()) {
        Some(text) => {
            read::take(message, "reasoning");
            Some(text)
        }
        None => read::string(message, "reasoning")?,
    };
    let details = read::take(message, "reasoning_details").unwrap_or_default();
    let blocks = read::take(message, "thinking_blocks").unwrap_or_default();
    Ok(reasoning::of_message(&details, &blocks, text))
}

/// What a client sends back of an answer besides its words: sources, pictures, Google's signature of the text.
fn decorate(message: &mut Members, parts: &mut Vec<Part>) {
    let citations: Vec<Citation> = match read::take(message, "annotations") {
        Some(Value::Array(list)) => list.iter().filter_map(wire::citation).collect(),
        _ => Vec::new(),
    };
    let signature = signature(message);
    let text = parts.iter_mut().find_map(|part| match part {
        Part::Text(text) => Some(text),
        _ => None,
    });
    match text {
        Some(text) => {
            text.citations = citations;
            text.opaque = signature;
        }
        None if signature.is_some() => parts.push(Part::Text(Text { opaque: signature, ..Text::default() })),
        None => {}
    }
    if let Some(Value::Array(images)) = read::take(message, "images") {
        parts.extend(images.iter().filter_map(wire::image).map(Part::Media));
    }
}

/// Google's own spelling of the state of a call or a text in this format; other families' state is sealed in it.
fn signature(members: &mut Members) -> Option<Opaque> {
    let signature = wire::thought_signature(members.get("extra_content")?)?;
    let opaque = Opaque::open(signature, Family::Gemini);
    members.shift_remove("extra_content");
    Some(opaque)
}

fn tool_call(mut call: Members, calls: &mut Calls) -> Result<Part, Wrong> {
    let id = read::string(&mut call, "id")?.filter(|id| !id.is_empty());
    let opaque = signature(&mut call);
    let cache = content::cache_marker(&mut call);
    let is_custom = call.get("type").and_then(Value::as_str) == Some("custom");
    let (member, argument) = if is_custom { ("custom", "input") } else { ("function", "arguments") };
    let missing = || Wrong::new(member, "is missing; it must be an object");
    let mut inner = read::object(&mut call, member)?.ok_or_else(missing)?;
    let name = read::required(&mut inner, "name").map_err(|wrong| wrong.within(member))?;
    let input = read::string(&mut inner, argument).map_err(|wrong| wrong.within(member))?.unwrap_or_default();
    let id = id.unwrap_or_else(|| {
        let id = calls.make_up();
        calls.older.push_back((id.clone(), name.clone()));
        id
    });
    let input = if is_custom {
        calls.custom.insert(id.clone());
        ToolInput::Text(input)
    } else {
        ToolInput::Json(input)
    };
    call.shift_remove("type");
    let unknown = Unknown::new(FAMILY, read::with_rest(call, member, inner));
    Ok(Part::ToolCall(ToolCall { id, name, input, opaque, cache, unknown }))
}
