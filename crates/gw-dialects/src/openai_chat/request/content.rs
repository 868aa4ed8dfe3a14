//! The parts that messages are made of, read and written.

use gw_core::chat::{CacheMarker, Loss, Media, MediaKind, MediaSource, Native, Part, Reasoning, Text, Unknown};
use serde_json::{Value, json};

use super::messages::AUDIO_REFERENCE;
use super::read::{self, Members, Wrong};
use super::write::Writer;
use crate::openai_chat::{FAMILY, reasoning};
use crate::shared::media;

/// A file whose bytes do not say what it is.
const UNKNOWN_FILE: &str = "application/octet-stream";

/// The content of a message: nothing, a text, or a list of parts.
pub(super) fn decode(content: Option<Value>) -> Result<Vec<Part>, Wrong> {
    match content {
        None => Ok(Vec::new()),
        Some(Value::String(text)) if text.is_empty() => Ok(Vec::new()),
        Some(Value::String(text)) => Ok(vec![text.into()]),
        Some(Value::Array(parts)) => {
            let part = |(index, part)| decode_part(part).map_err(|wrong| wrong.element("content", index));
            parts.into_iter().enumerate().map(part).collect()
        }
        Some(_) => Err(Wrong::new("content", "must be a string or a list of parts")),
    }
}

fn decode_part(part: Value) -> Result<Part, Wrong> {
    let mut part = match part {
        Value::String(text) => return Ok(text.into()),
        other => read::as_object(other)?,
    };
    let kind = match part.get("type") {
        Some(Value::String(kind)) => kind.clone(),
        _ => return Err(Wrong::new("type", "must be a string")),
    };
    match kind.as_str() {
        // `input_text` and `output_text` are of the Responses; clients mix them up.
        "text" | "input_text" | "output_text" => {
            let cache = cache_marker(&mut part);
            let text = read::required(&mut part, "text")?;
            part.shift_remove("type");
            // What clients copy from the parts of answers is empty.
            part.retain(|_, value| value.as_array().is_none_or(|list| !list.is_empty()));
            Ok(Part::Text(Text { text, cache, unknown: Unknown::new(FAMILY, part), ..Text::default() }))
        }
        // One that says more goes on as it is.
        "refusal" if part.len() == 2 => Ok(Part::Refusal(read::required(&mut part, "refusal")?)),
        "image_url" => addressed(part, "image_url", MediaKind::Image).map(Part::Media),
        "video_url" => addressed(part, "video_url", MediaKind::Video).map(Part::Media),
        "audio_url" => addressed(part, "audio_url", MediaKind::Audio).map(Part::Media),
        "document_url" => addressed(part, "document_url", MediaKind::Document).map(Part::Media),
        "input_audio" => audio(part).map(Part::Media),
        "file" => file(part).map(Part::Media),
        "thinking" | "redacted_thinking" => {
            let value = Value::Object(part);
            Ok(reasoning::of_block(&value).map_or_else(|| native(kind, value), Part::Reasoning))
        }
        _ => Ok(native(kind, Value::Object(part))),
    }
}

/// A part that only this family's dialects understand.
fn native(kind: String, value: Value) -> Part {
    // A client may give it any type, that of what the gateway holds of a message as well.
    let kind = if kind == AUDIO_REFERENCE { format!("content[].{kind}") } else { kind };
    Part::Native(Native { family: FAMILY, kind, value })
}

/// What is left of a medium's part, and of the object inside that names it.
fn rest(mut part: Members, kind: &str, inner: Members) -> Option<Native> {
    part.shift_remove("type");
    part.retain(|_, value| !value.is_null());
    let rest = read::with_rest(part, kind, inner);
    (!rest.is_empty()).then(|| Native { family: FAMILY, kind: kind.to_owned(), value: Value::Object(rest) })
}

/// A medium that stands at an address or in one: OpenAI's object with `url`, or a text (Mistral's).
fn addressed(mut part: Members, kind: &str, medium: MediaKind) -> Result<Media, Wrong> {
    let must = || Wrong::new(kind, "must be an object with a `url`");
    let cache = cache_marker(&mut part);
    let mut inner = match read::take(&mut part, kind) {
        Some(Value::String(url)) => Members::from_iter([("url".to_owned(), Value::from(url))]),
        Some(Value::Object(inner)) => inner,
        _ => return Err(must()),
    };
    let within = |wrong: Wrong| wrong.within(kind);
    let url = read::string(&mut inner, "url").map_err(within)?.ok_or_else(must)?;
    let source = source(url).ok_or_else(|| within(Wrong::new("url", "is not a `data:` address that can be read")))?;
    let detail = read::string(&mut inner, "detail").map_err(within)?;
    let name = read::string(&mut part, "document_name")?;
    let extra = rest(part, kind, inner);
    Ok(Media { name, detail, cache, extra, ..Media::new(medium, source) })
}

/// What an address means; `None` if it is a `data:` address that cannot be read.
fn source(url: String) -> Option<MediaSource> {
    if url.get(..5).is_some_and(|scheme| scheme.eq_ignore_ascii_case("data:")) {
        let inline = media::data_url(&url)?;
        return Some(MediaSource::Inline { media_type: inline.media_type, data: inline.data });
    }
    Some(MediaSource::Url { url, media_type: None })
}

fn audio(mut part: Members) -> Result<Media, Wrong> {
    let cache = cache_marker(&mut part);
    let within = |wrong: Wrong| wrong.within("input_audio");
    let mut inner = match read::take(&mut part, "input_audio") {
        // Mistral's: an address, or base64.
        Some(Value::String(data)) => Members::from_iter([("data".to_owned(), Value::from(data))]),
        Some(Value::Object(inner)) => inner,
        _ => return Err(Wrong::new("input_audio", "must be an object with `data` and `format`")),
    };
    let data = read::required(&mut inner, "data").map_err(within)?;
    let format = read::string(&mut inner, "format").map_err(within)?;
    let source = if is_address(&data) {
        source(data)
    } else {
        media::base64(&data).map(|data| {
            let media_type = match format.as_deref() {
                Some("mp3") => "audio/mpeg".to_owned(),
                Some(format) => format!("audio/{format}"),
                None => media::sniff(&data).unwrap_or("audio/wav").to_owned(),
            };
            MediaSource::Inline { media_type, data }
        })
    };
    let source = source.ok_or_else(|| within(Wrong::new("data", "must be base64")))?;
    let extra = rest(part, "input_audio", inner);
    Ok(Media { cache, extra, ..Media::new(MediaKind::Audio, source) })
}

fn file(mut part: Members) -> Result<Media, Wrong> {
    let cache = cache_marker(&mut part);
    let within = |wrong: Wrong| wrong.within("file");
    let missing = || Wrong::new("file", "must be an object with `file_data` or `file_id`");
    let mut inner = read::object(&mut part, "file")?.ok_or_else(missing)?;
    let mut text = |name| read::string(&mut inner, name).map_err(within);
    let (data, id, url) = (text("file_data")?, text("file_id")?, text("file_url")?);
    // LiteLLM's clients say the media type beside it.
    let (name, said) = (text("filename")?, text("format")?);
    let source = match (data, id, url) {
        (Some(data), ..) if is_address(&data) => source(data),
        (Some(data), ..) => media::base64(data).map(|data| {
            let media_type = media::sniff(&data).unwrap_or(UNKNOWN_FILE).to_owned();
            MediaSource::Inline { media_type, data }
        }),
        // An address in the place of an id is what clients of other gateways write.
        (_, Some(id), _) if is_address(&id) => source(id),
        (_, Some(id), _) => Some(MediaSource::File { id, media_type: said.clone() }),
        (.., Some(url)) => source(url),
        (None, None, None) => return Err(missing()),
    };
    let mut source = source.ok_or_else(|| within(Wrong::new("file_data", "must be base64, in a `data:` address")))?;
    if let (MediaSource::Url { media_type, .. }, Some(said)) = (&mut source, &said) {
        *media_type = Some(said.clone());
    }
    let extra = rest(part, "file", inner);
    Ok(Media { name, cache, extra, ..Media::new(kind_of(&source), source) })
}

/// A file that is a picture is treated as one.
fn kind_of(source: &MediaSource) -> MediaKind {
    match source {
        MediaSource::Inline { media_type, .. } if media_type.starts_with("image/") => MediaKind::Image,
        MediaSource::Inline { media_type, .. } if media_type.starts_with("audio/") => MediaKind::Audio,
        MediaSource::Inline { media_type, .. } if media_type.starts_with("video/") => MediaKind::Video,
        _ => MediaKind::Document,
    }
}

fn is_address(text: &str) -> bool {
    ["data:", "http:", "https:", "gs:"]
        .iter()
        .any(|scheme| text.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme)))
}

/// The marker of the cache, in Anthropic's words, which many clients use, or in OpenAI's.
pub(super) fn cache_marker(part: &mut Members) -> Option<CacheMarker> {
    let breakpoint = read::take(part, "prompt_cache_breakpoint");
    let control = read::take(part, "cache_control");
    let ttl = control.as_ref().and_then(|control| control.get("ttl")).and_then(Value::as_str).map(str::to_owned);
    (breakpoint.is_some() || control.is_some()).then_some(CacheMarker { ttl })
}

/// Text as a part.
pub(super) fn encode_text(text: &Text, writer: &mut Writer) -> Value {
    if !text.citations.is_empty() {
        writer.lose(Loss::dropped("messages[].annotations", "a message that is sent has no sources"));
    }
    let mut part = json!({"type": "text", "text": text.text});
    if let Value::Object(part) = &mut part {
        text.unknown.write(FAMILY, part);
    }
    writer.mark(&mut part, text.cache.as_ref());
    part
}

/// A medium as a part of a user's message; `None`, and a loss, if the format has no such part.
pub(super) fn encode_media(media: &Media, writer: &mut Writer) -> Option<Value> {
    let mut part = match media.kind {
        MediaKind::Image => image(media),
        MediaKind::Audio => sound(media),
        MediaKind::Video => match &media.source {
            MediaSource::Url { url, .. } => Some(json!({"type": "video_url", "video_url": {"url": url}})),
            MediaSource::Inline { media_type, data } => {
                Some(json!({"type": "video_url", "video_url": {"url": address(media_type, data)}}))
            }
            MediaSource::Text { .. } | MediaSource::File { .. } => None,
        },
        MediaKind::Document => document(media),
    };
    match (&mut part, &media.extra) {
        (Some(Value::Object(part)), Some(Native { family, value: Value::Object(more), .. })) if *family == FAMILY => {
            merge(part, more);
        }
        (Some(_), _) => {}
        (None, _) => writer.lose(lost(media.kind)),
    }
    let mut part = part?;
    writer.mark(&mut part, media.cache.as_ref());
    Some(part)
}

fn lost(kind: MediaKind) -> Loss {
    let (param, why) = match kind {
        MediaKind::Image => ("messages[].image_url", "pictures are sent inline or as an address"),
        MediaKind::Audio => ("messages[].input_audio", "sound is sent inline, as WAV or MP3"),
        MediaKind::Video => ("messages[].video_url", "films are sent inline or as an address"),
        MediaKind::Document => ("messages[].file", "documents are sent inline or by the provider's own id"),
    };
    Loss::dropped(param, why)
}

fn image(media: &Media) -> Option<Value> {
    let url = match &media.source {
        MediaSource::Inline { media_type, data } => address(media_type, data),
        MediaSource::Url { url, .. } => url.clone(),
        MediaSource::File { id, .. } => return Some(json!({"type": "file", "file": {"file_id": id}})),
        MediaSource::Text { .. } => return None,
    };
    let mut image = json!({"url": url});
    if let (Some(detail), Value::Object(image)) = (&media.detail, &mut image) {
        image.insert("detail".to_owned(), Value::from(detail.as_str()));
    }
    Some(json!({"type": "image_url", "image_url": image}))
}

fn sound(media: &Media) -> Option<Value> {
    let MediaSource::Inline { media_type, data } = &media.source else { return None };
    let format = match media_type.strip_prefix("audio/")? {
        "mpeg" | "mp3" => "mp3",
        "wav" | "x-wav" | "wave" | "vnd.wave" => "wav",
        other => other,
    };
    Some(json!({"type": "input_audio", "input_audio": {"data": data, "format": format}}))
}

fn document(media: &Media) -> Option<Value> {
    match &media.source {
        MediaSource::Inline { media_type, data } => {
            // OpenAI wants a name, and takes its ending seriously.
            let default = if media_type == "application/pdf" { "document.pdf" } else { "document" };
            let name = media.name.as_deref().unwrap_or(default);
            Some(json!({"type": "file", "file": {"filename": name, "file_data": address(media_type, data)}}))
        }
        MediaSource::File { id, .. } => Some(json!({"type": "file", "file": {"file_id": id}})),
        // A text is a text, under its title.
        MediaSource::Text { text, .. } => {
            let text = media.name.as_ref().map_or_else(|| text.clone(), |name| format!("{name}\n\n{text}"));
            Some(json!({"type": "text", "text": text}))
        }
        MediaSource::Url { .. } => None,
    }
}

fn address(media_type: &str, data: &str) -> String {
    format!("data:{media_type};base64,{data}")
}

fn merge(part: &mut Members, more: &Members) {
    for (name, value) in more {
        match (part.get_mut(name), value) {
            (Some(Value::Object(written)), Value::Object(more)) => merge(written, more),
            (Some(_), _) => {}
            (None, _) => drop(part.insert(name.clone(), value.clone())),
        }
    }
}

/// A part that another family alone understands, or this one.
pub(super) fn encode_native(native: &Native, writer: &mut Writer) -> Option<Value> {
    if native.family == FAMILY {
        return Some(native.value.clone());
    }
    writer.lose(Loss::dropped(format!("messages[].{}", native.kind), "the provider's format has no such part"));
    None
}

/// Thoughts of an earlier turn say nothing where they are no part of a model's message.
pub(super) fn is_said(reasoning: &Reasoning) -> bool {
    !reasoning.text.is_empty()
}
