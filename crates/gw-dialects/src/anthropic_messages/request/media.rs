//! Pictures and documents, written.

use gw_core::chat::{Loss, Media, MediaKind, MediaSource};
use serde_json::{Map, Value, json};

use super::super::FAMILY;
use super::super::wire::{Block, mark};
use crate::shared::losses::Losses;
use crate::shared::media;

const IMAGES: [&str; 4] = ["image/jpeg", "image/png", "image/gif", "image/webp"];
const PDF: &str = "application/pdf";

/// A medium as a block; `None` with a loss if Anthropic's models do not take it.
pub(super) fn write(medium: &Media, losses: &mut Losses) -> Option<Value> {
    let found = match medium.kind {
        MediaKind::Image => image(&medium.source).map(|source| ("image", source)),
        MediaKind::Document => document(&medium.source),
        MediaKind::Audio | MediaKind::Video => None,
    };
    let Some((kind, source)) = found else {
        losses.push(unknown(medium.kind));
        return None;
    };
    let mut block: Map<String, Value> = Block::of(kind, [("source", source)]);
    match (&medium.name, kind) {
        (Some(name), "document") => drop(block.insert("title".to_owned(), Value::from(name.as_str()))),
        (Some(_), _) => losses.push(Loss::dropped("messages[].image_url.name", "a picture has no name here")),
        (None, _) => {}
    }
    if medium.detail.as_deref().is_some_and(|detail| detail != "auto") {
        losses
            .push(Loss::dropped("messages[].image_url.detail", "how closely a picture is looked at cannot be chosen"));
    }
    match &medium.extra {
        Some(extra) if extra.family == FAMILY => {
            if let Value::Object(members) = &extra.value {
                members.iter().for_each(|(name, value)| beside(&mut block, name, value));
            }
        }
        Some(_) | None => {}
    }
    mark(&mut block, medium.cache.as_ref());
    Some(Value::Object(block))
}

/// Adds a member that the client gave the block besides. Of a source that is not whole, what is left goes into ours.
fn beside(block: &mut Map<String, Value>, name: &str, value: &Value) {
    match (block.get_mut(name), value) {
        (Some(Value::Object(source)), Value::Object(rest)) if !rest.contains_key("type") => source.extend(rest.clone()),
        _ => drop(block.insert(name.to_owned(), value.clone())),
    }
}

fn unknown(kind: MediaKind) -> Loss {
    match kind {
        MediaKind::Image => Loss::dropped("messages[].image_url", "pictures must be JPEG, PNG, GIF or WebP"),
        MediaKind::Audio => Loss::dropped("messages[].input_audio", "the provider's models do not hear"),
        MediaKind::Video => Loss::dropped("messages[].video", "the provider's models do not watch films"),
        MediaKind::Document => Loss::dropped("messages[].file", "documents must be PDF or text"),
    }
}

fn image(source: &MediaSource) -> Option<Value> {
    match source {
        MediaSource::Inline { media_type, data } => {
            // What the bytes say counts: a type that does not match is refused.
            let media_type = media::sniff(data).unwrap_or(match media_type.as_str() {
                "image/jpg" => "image/jpeg",
                other => other,
            });
            IMAGES.contains(&media_type).then(|| base64(media_type, data))
        }
        MediaSource::Url { url, .. } => address(url),
        MediaSource::File { id, .. } => file(id),
        MediaSource::Text { .. } => None,
    }
}

fn document(source: &MediaSource) -> Option<(&'static str, Value)> {
    let of = |source| Some(("document", source));
    match source {
        MediaSource::Inline { media_type, data } => match media::sniff(data).unwrap_or(media_type) {
            PDF => of(base64(PDF, data)),
            picture if IMAGES.contains(&picture) => Some(("image", base64(picture, data))),
            other if is_text(other) => {
                let text = String::from_utf8(media::bytes(data)?).ok()?;
                of(plain(&text))
            }
            _ => None,
        },
        MediaSource::Text { text, .. } => of(plain(text)),
        MediaSource::Url { url, media_type } => match media_type.as_deref() {
            Some(picture) if picture.starts_with("image/") => Some(("image", address(url)?)),
            None | Some(PDF) => of(address(url)?),
            Some(_) => None,
        },
        MediaSource::File { id, media_type } => match media_type.as_deref() {
            Some(picture) if picture.starts_with("image/") => Some(("image", file(id)?)),
            _ => of(file(id)?),
        },
    }
}

fn is_text(media_type: &str) -> bool {
    media_type.starts_with("text/")
        || matches!(media_type, "application/json" | "application/xml" | "application/yaml" | "application/x-yaml")
}

fn base64(media_type: &str, data: &str) -> Value {
    json!({"type": "base64", "media_type": media_type, "data": data})
}

fn plain(text: &str) -> Value {
    json!({"type": "text", "media_type": "text/plain", "data": text})
}

fn address(url: &str) -> Option<Value> {
    is_address(url).then(|| json!({"type": "url", "url": url}))
}

/// A file of Anthropic's has an id; what has an address is fetched from there, if anybody can.
fn file(id: &str) -> Option<Value> {
    if id.contains("://") { address(id) } else { Some(json!({"type": "file", "file_id": id})) }
}

fn is_address(url: &str) -> bool {
    let starts = |scheme: &str| url.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme));
    starts("https://") || starts("http://")
}
