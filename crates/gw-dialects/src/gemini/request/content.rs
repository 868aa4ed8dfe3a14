//! Contents of requests, as clients write them.

use std::collections::VecDeque;

use gw_core::Error;
use gw_core::chat::{
    Media, MediaKind, MediaSource, Message, Native, Opaque, Part, Reasoning, Role, Text, ToolCall, ToolInput,
    ToolResult, Unknown,
};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::calls::Calls;
use crate::gemini::carried;
use crate::gemini::part::kind_of;
use crate::gemini::wire::{Object, compact, invalid};
use crate::gemini::{FAMILY, is_googles_own, state};
use crate::shared::media;

/// Members that stand beside what a part is.
const BESIDE: [&str; 4] = ["thought", "thoughtSignature", "partMetadata", "videoMetadata"];

/// Reads `systemInstruction` and `contents`, and notes what of them has no word of ours.
pub(super) fn read(top: &mut Object<'_>, unsaid: &mut Map<String, Value>) -> Result<Vec<Message>, Error> {
    let mut reader = Reader { unsaid, messages: Vec::new(), calls: Calls::default(), carried: VecDeque::new() };
    if let Some(raw) = top.take("systemInstruction") {
        let said = reader.content(raw, top.place_of("systemInstruction"))?;
        reader.messages.push(Message { role: Role::System, ..said });
    }
    let Some(raw) = top.take("contents") else { return Ok(reader.messages) };
    let place = top.place_of("contents");
    if raw.get().starts_with('[') {
        let list: Vec<&RawValue> = serde_json::from_str(raw.get()).map_err(|_| invalid(&place, "must be a list"))?;
        for (index, raw) in list.into_iter().enumerate() {
            reader.turn(raw, format!("{place}[{index}]"))?;
        }
    } else {
        reader.turn(raw, place)?;
    }
    Ok(reader.messages)
}

struct Reader<'u> {
    unsaid: &'u mut Map<String, Value>,
    messages: Vec<Message>,
    calls: Calls,
    /// The thoughts that calls of the turn carry, with the id of the call, in order.
    carried: VecDeque<(String, Vec<Reasoning>)>,
}

impl Reader<'_> {
    /// Adds a turn. Clients that read streams keep each piece of an answer as a turn of its own: the model's are joined.
    fn turn(&mut self, raw: &RawValue, place: String) -> Result<(), Error> {
        self.carried.clear();
        let said = self.content(raw, place)?;
        let is_next_piece =
            self.messages.last().is_some_and(|last| said.role == Role::Assistant && last.role == said.role);
        let mut message =
            self.messages.pop_if(|_| is_next_piece).unwrap_or_else(|| Message::new(said.role, Vec::new()));
        message.unknown.absorb(&said.unknown);
        for part in said.parts {
            if let Part::ToolCall(call) = &part
                && let Some((_, thoughts)) = self.carried.pop_front_if(|(of, _)| *of == call.id)
            {
                carried::restore(&mut message.parts, thoughts);
            }
            join(&mut message.parts, part);
        }
        self.messages.push(message);
        Ok(())
    }

    /// A content, or a text or a list of parts in its place.
    fn content(&mut self, raw: &RawValue, place: String) -> Result<Message, Error> {
        match raw.get().as_bytes().first() {
            Some(b'"') => Ok(Message::new(Role::User, vec![text(raw, &place)?.into()])),
            _ => {
                let mut content = Object::at(raw, place)?;
                let role = match content.string("role")?.as_deref() {
                    None | Some("" | "user" | "function" | "tool") => Role::User,
                    Some("model" | "assistant") => Role::Assistant,
                    Some("system") => Role::System,
                    Some(_) => return Err(content.wrong("role", "must be \"user\" or \"model\"")),
                };
                let parts = match content.take("parts") {
                    Some(raw) => self.parts(raw, &content.place_of("parts"))?,
                    None => Vec::new(),
                };
                Ok(Message { unknown: Unknown::new(FAMILY, content.rest()?), ..Message::new(role, parts) })
            }
        }
    }

    fn parts(&mut self, raw: &RawValue, place: &str) -> Result<Vec<Part>, Error> {
        let list: Vec<&RawValue> = if raw.get().starts_with('[') {
            serde_json::from_str(raw.get()).map_err(|_| invalid(place, "must be a list of parts"))?
        } else {
            vec![raw]
        };
        let mut parts = Vec::with_capacity(list.len());
        for (index, raw) in list.into_iter().enumerate() {
            let place = format!("{place}[{index}]");
            if raw.get().starts_with('"') {
                parts.push(text(raw, &place)?.into());
            } else {
                join(&mut parts, self.part(raw, place)?);
            }
        }
        Ok(parts)
    }

    fn part(&mut self, raw: &RawValue, place: String) -> Result<Part, Error> {
        let mut part = Object::at(raw, place)?;
        if let Some(call) = part.object("functionCall")? {
            let signature = part.string("thoughtSignature")?;
            let thoughts = signature.as_deref().and_then(carried::read);
            let opaque = signature.filter(|_| thoughts.is_none()).map(state);
            let call = self.call(part, call, opaque)?;
            if let Some(thoughts) = thoughts {
                self.carried.push_back((call.id.clone(), thoughts));
            }
            return Ok(Part::ToolCall(call));
        }
        if let Some(response) = part.object("functionResponse")? {
            return self.response(part, response).map(Part::ToolResult);
        }
        if part.has("inlineData") || part.has("fileData") {
            return medium(part).map(Part::Media);
        }
        if part.has("text") {
            let mut said = said(&mut part)?;
            match &mut said {
                Part::Text(text) => text.unknown = rest(part, "text", Map::new())?,
                _ => self.note("contents[].parts[].", &part),
            }
            return Ok(said);
        }
        let value: Value = serde_json::from_str(raw.get()).map_err(|_| invalid(part.place(), "must be an object"))?;
        let kind = part.names().find(|name| !BESIDE.contains(name)).unwrap_or_default().to_owned();
        Ok(Part::Native(Native { family: FAMILY, kind, value }))
    }

    fn call(&mut self, part: Object<'_>, mut call: Object<'_>, opaque: Option<Opaque>) -> Result<ToolCall, Error> {
        let name = call.string("name")?.ok_or_else(|| call.wrong("name", "is required"))?;
        let id = call.string("id")?.filter(|id| !id.is_empty());
        let args = call.take("args");
        if args.is_some_and(|args| !args.get().starts_with('{')) {
            return Err(call.wrong("args", "must be an object"));
        }
        let input = args.map_or_else(ToolInput::default, |args| ToolInput::Json(compact(args.get())));
        let unknown = rest(part, "functionCall", call.rest()?)?;
        let id = self.calls.call(id, &name);
        Ok(ToolCall { id, name, input, opaque, unknown, ..ToolCall::default() })
    }

    fn response(&mut self, part: Object<'_>, mut response: Object<'_>) -> Result<ToolResult, Error> {
        let name = response.string("name")?;
        let id = response.string("id")?.filter(|id| !id.is_empty());
        let call_id = self.calls.result(id, name.as_deref());
        let mut result = ToolResult { call_id, name, ..ToolResult::default() };
        if let Some(raw) = response.take("response") {
            if !raw.get().starts_with('{') {
                return Err(response.wrong("response", "must be an object"));
            }
            let (text, is_error) = unwrapped(raw);
            result.content.push(text.into());
            result.is_error = is_error;
        }
        for part in response.objects("parts")? {
            result.content.push(Part::Media(medium(part)?));
        }
        result.unknown = rest(part, "functionResponse", response.rest()?)?;
        Ok(result)
    }

    /// Notes the members that were not read, so that they are not lost without a word.
    fn note(&mut self, within: &str, object: &Object<'_>) {
        let names = object.names().filter(|name| *name != "thought" && *name != "thoughtSignature");
        self.unsaid.extend(names.map(|name| (format!("{within}{name}"), Value::Null)));
    }
}

/// What is left of a part, and of the object inside that it is.
fn rest(part: Object<'_>, name: &str, inner: Map<String, Value>) -> Result<Unknown, Error> {
    let mut rest = part.rest()?;
    rest.retain(|name, _| name != "thought" && name != "thoughtSignature");
    if !inner.is_empty() {
        rest.insert(name.to_owned(), Value::Object(inner));
    }
    Ok(Unknown::new(FAMILY, rest))
}

fn text(raw: &RawValue, place: &str) -> Result<String, Error> {
    serde_json::from_str(raw.get()).map_err(|_| invalid(place, "must be a string or an object"))
}

/// Text or thoughts. A signature with nothing belongs to what the model thought.
fn said(part: &mut Object<'_>) -> Result<Part, Error> {
    let text = part.string("text")?.unwrap_or_default();
    let opaque = part.string("thoughtSignature")?.map(state);
    if part.read("thought", "must be a boolean")?.unwrap_or(false) {
        return Ok(Part::Reasoning(Reasoning { text, is_summary: true, opaque, id: None }));
    }
    if text.is_empty() && opaque.is_some() {
        return Ok(Part::Reasoning(Reasoning { opaque, ..Reasoning::default() }));
    }
    Ok(Part::Text(Text { text, opaque, ..Text::default() }))
}

/// Adds a part. Thoughts that came in pieces are joined up to their signature, which may have come alone.
fn join(parts: &mut Vec<Part>, part: Part) {
    let Part::Reasoning(next) = part else { return parts.push(part) };
    match parts.last_mut() {
        Some(Part::Reasoning(last)) if last.opaque.is_none() && last.is_summary == next.is_summary => {
            last.text.push_str(&next.text);
            last.opaque = next.opaque;
        }
        // Google's own, which came behind its text.
        Some(Part::Text(last))
            if last.opaque.is_none()
                && next.text.is_empty()
                && next.opaque.as_ref().is_some_and(|opaque| opaque.family == FAMILY) =>
        {
            last.opaque = next.opaque;
        }
        _ => parts.push(Part::Reasoning(next)),
    }
}

/// A result's text, and whether it tells an error: what [`super::turns`] wraps is unwrapped.
fn unwrapped(raw: &RawValue) -> (String, bool) {
    let Some(mut object) = Object::parse(raw.get()) else { return (raw.get().to_owned(), false) };
    let is_error = object.has("error");
    let name = if is_error { "error" } else { "result" };
    let text: Option<String> = object.get(name);
    let alone = object.names().next().is_none();
    match text {
        Some(text) if alone && !text.trim_start().starts_with('{') => (text, is_error),
        _ => (compact(raw.get()), is_error && alone),
    }
}

fn medium(mut part: Object<'_>) -> Result<Media, Error> {
    let opaque = part.string("thoughtSignature")?.map(state);
    let (source, name, inner) = if let Some(mut blob) = part.object("inlineData")? {
        let data = blob.string("data")?.unwrap_or_default();
        let data = media::base64(&data).ok_or_else(|| blob.wrong("data", "must be base64"))?;
        let media_type = blob.string("mimeType")?.filter(|media_type| !media_type.is_empty());
        let media_type = media_type
            .or_else(|| media::sniff(&data).map(str::to_owned))
            .ok_or_else(|| blob.wrong("mimeType", "is required"))?;
        let name = blob.string("displayName")?;
        (MediaSource::Inline { media_type, data }, name, ("inlineData", blob.rest()?))
    } else if let Some(mut file) = part.object("fileData")? {
        let id = file.string("fileUri")?.ok_or_else(|| file.wrong("fileUri", "is required"))?;
        let media_type = file.string("mimeType")?;
        // What anybody may fetch, another provider can be given too.
        let is_address = id.starts_with("https://") || id.starts_with("http://");
        let source = if is_address && !is_googles_own(&id) {
            MediaSource::Url { url: id, media_type }
        } else {
            MediaSource::File { id, media_type }
        };
        let name = file.string("displayName")?;
        (source, name, ("fileData", file.rest()?))
    } else {
        return Err(invalid(part.place(), "must have inlineData or fileData"));
    };
    let kind = match &source {
        MediaSource::Inline { media_type, .. } => kind_of(media_type),
        MediaSource::Url { media_type: Some(media_type), .. }
        | MediaSource::File { media_type: Some(media_type), .. } => kind_of(media_type),
        MediaSource::File { id, .. } if id.contains("youtu") => MediaKind::Video,
        MediaSource::Url { .. } | MediaSource::File { .. } => MediaKind::Document,
        MediaSource::Text { .. } => MediaKind::Document,
    };
    let mut more = part.rest()?;
    more.shift_remove("thought");
    if !inner.1.is_empty() {
        more.insert(inner.0.to_owned(), Value::Object(inner.1));
    }
    let extra =
        (!more.is_empty()).then(|| Native { family: FAMILY, kind: "part".to_owned(), value: Value::Object(more) });
    Ok(Media { name, extra, opaque, ..Media::new(kind, source) })
}
