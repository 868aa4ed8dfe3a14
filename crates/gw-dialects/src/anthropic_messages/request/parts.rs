//! Reads the blocks of messages.

use gw_core::Error;
use gw_core::chat::{Family, Media, MediaKind, MediaSource, Native, Opaque, OpaqueKind, Part, Reasoning, Text};
use gw_core::chat::{ToolCall, ToolInput, ToolResult, Unknown};
use serde_json::Value;

use super::super::wire::Reader;
use super::super::{FAMILY, citation};
use crate::shared::json::unescaped;
use crate::shared::media;

/// Blocks within blocks: a document made of texts, in the result of a tool. What is deeper is kept as it is.
const DEPTH_MAX: usize = 2;

/// What stands under that name: a string, or a list of blocks.
pub(super) fn read(message: &Reader<'_>, name: &str) -> Result<Vec<Part>, Error> {
    read_within(message, name, 0)
}

fn read_within(message: &Reader<'_>, name: &str, depth: usize) -> Result<Vec<Part>, Error> {
    match message.raw(name) {
        None => return Ok(Vec::new()),
        Some(raw) if raw.starts_with('"') => return Ok(vec![message.need::<String>(name, "a string")?.into()]),
        Some(raw) if !raw.starts_with('[') => return Err(message.wrong(name, "a string or a list of blocks")),
        Some(_) => {}
    }
    let mut parts: Vec<Part> = Vec::new();
    for block in message.list(name)?.unwrap_or_default() {
        let part = part(&block, depth)?;
        // State of another vendor's that is no thought stands in a redacted block behind its part: so our answers are.
        if let Part::Reasoning(Reasoning { opaque: Some(state), .. }) = &part
            && block.raw("type") == Some("\"redacted_thinking\"")
            && state.family != FAMILY
            && let Some(place) = parts.last_mut().and_then(place_of_state)
        {
            *place = Some(state.clone());
            continue;
        }
        parts.push(part);
    }
    Ok(parts)
}

/// Where a part keeps state, if it can and has none.
fn place_of_state(part: &mut Part) -> Option<&mut Option<Opaque>> {
    match part {
        Part::ToolCall(ToolCall { opaque, .. }) | Part::Text(Text { opaque, .. }) if opaque.is_none() => Some(opaque),
        _ => None,
    }
}

fn part(block: &Reader<'_>, depth: usize) -> Result<Part, Error> {
    if depth > DEPTH_MAX {
        return native(block);
    }
    let kind: String = block.need("type", "a string")?;
    Ok(match kind.as_str() {
        "text" => Part::Text(text(block)?),
        "image" => medium(block, MediaKind::Image, depth)?,
        "document" => medium(block, MediaKind::Document, depth)?,
        "tool_use" => {
            // Every object that is read has been seen to be JSON.
            let input = block.raw("input").unwrap_or("{}");
            Part::ToolCall(ToolCall {
                id: block.need("id", "a string")?,
                name: block.need("name", "a string")?,
                input: ToolInput::Json(unescaped(input).into_owned()),
                opaque: None,
                cache: block.cache()?,
                unknown: unknown(block, &["type", "id", "name", "input", "cache_control"])?,
            })
        }
        "tool_result" => Part::ToolResult(ToolResult {
            call_id: block.need("tool_use_id", "a string")?,
            name: None,
            content: read_within(block, "content", depth + 1)?,
            is_error: block.read("is_error", "true or false")?.unwrap_or(false),
            is_custom: false,
            cache: block.cache()?,
            unknown: unknown(block, &["type", "tool_use_id", "content", "is_error", "cache_control"])?,
        }),
        "thinking" => {
            let signature = block.string("signature")?.filter(|signature| !signature.is_empty());
            let opaque = signature.map(|signature| Opaque::open(&signature, FAMILY));
            let text: String = block.string("thinking")?.unwrap_or_default();
            // A summary is what another vendor shows beside its encrypted thoughts.
            let is_summary = opaque.as_ref().is_some_and(|opaque| opaque.family == Family::OpenAiResponses);
            Part::Reasoning(Reasoning { id: None, text, is_summary, opaque })
        }
        "redacted_thinking" => {
            let mut opaque = Opaque::open(&block.need::<String>("data", "a string")?, FAMILY);
            if opaque.family == FAMILY {
                opaque.kind = OpaqueKind::Encrypted;
            }
            Part::Reasoning(Reasoning { opaque: Some(opaque), ..Reasoning::default() })
        }
        _ => native(block)?,
    })
}

fn text(block: &Reader<'_>) -> Result<Text, Error> {
    let citations: Option<Vec<Value>> = block.read("citations", "a list")?;
    Ok(Text {
        text: block.need("text", "a string")?,
        citations: citations.unwrap_or_default().into_iter().map(citation::decode).collect(),
        cache: block.cache()?,
        opaque: None,
        unknown: unknown(block, &["type", "text", "citations", "cache_control"])?,
    })
}

/// What is left of an object whose members of these names are read.
pub(super) fn unknown(object: &Reader<'_>, read: &[&str]) -> Result<Unknown, Error> {
    // Most have nothing more: they are not read a second time.
    if object.has_only(read) {
        return Ok(Unknown::default());
    }
    object.rest(read).map(|rest| Unknown::new(FAMILY, rest))
}

fn medium(block: &Reader<'_>, kind: MediaKind, depth: usize) -> Result<Part, Error> {
    let source = block.object("source")?.ok_or_else(|| block.wrong("source", "an object"))?;
    let mut extra = block.rest(&["type", "source", "title", "cache_control"])?;
    const READ: [&str; 6] = ["type", "media_type", "data", "url", "file_id", "content"];
    if !source.has_only(&READ) {
        extra.insert("source".to_owned(), Value::Object(source.rest(&READ)?));
    }
    let media_type = source.string("media_type")?;
    let found = match source.need::<String>("type", "a string")?.as_str() {
        "base64" => {
            let data: String = source.need("data", "a string")?;
            let data = media::base64(&data).ok_or_else(|| source.wrong("data", "base64"))?;
            let media_type = media_type.ok_or_else(|| source.wrong("media_type", "a string"))?;
            MediaSource::Inline { media_type, data }
        }
        "text" => MediaSource::Text {
            media_type: media_type.unwrap_or_else(|| "text/plain".to_owned()),
            text: source.need("data", "a string")?,
        },
        "url" => MediaSource::Url { url: source.need("url", "a string")?, media_type: None },
        "file" => MediaSource::File { id: source.need("file_id", "a string")?, media_type: None },
        "content" => match joined(&source, depth + 1)? {
            Some(text) => {
                // The blocks themselves, since citations count them.
                extra.insert("source".to_owned(), source.whole()?);
                MediaSource::Text { media_type: "text/plain".to_owned(), text }
            }
            None => return native(block),
        },
        _ => return native(block),
    };
    let kind_name = if kind == MediaKind::Image { "image" } else { "document" };
    Ok(Part::Media(Media {
        kind,
        source: found,
        name: block.string("title")?,
        detail: None,
        cache: block.cache()?,
        extra: (!extra.is_empty()).then(|| Native {
            family: FAMILY,
            kind: kind_name.to_owned(),
            value: Value::Object(extra),
        }),
        opaque: None,
    }))
}

fn native(block: &Reader<'_>) -> Result<Part, Error> {
    let kind = block.need("type", "a string")?;
    Ok(Part::Native(Native { family: FAMILY, kind, value: block.whole()? }))
}

/// The text of a document that is made of blocks, if they are all text.
fn joined(source: &Reader<'_>, depth: usize) -> Result<Option<String>, Error> {
    let texts = read_within(source, "content", depth)?.into_iter().map(|part| match part {
        Part::Text(text) => Some(text.text),
        _ => None,
    });
    Ok(texts.collect::<Option<Vec<_>>>().map(|texts| texts.join("\n\n")))
}
