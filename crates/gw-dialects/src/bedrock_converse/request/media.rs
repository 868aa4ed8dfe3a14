//! Pictures, sounds, films and documents.

use std::collections::HashSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use gw_core::chat::{Family, Media, MediaKind, MediaSource, Native};
use serde_json::{Map, Value, json};

use super::Writer;
use crate::shared::media::sniff;

/// The longest name of a document.
const NAME_CHARS_MAX: usize = 200;
/// Room for what tells equal names apart.
const NAME_CHARS_KEPT: usize = NAME_CHARS_MAX - 8;

/// Media types and what Converse calls them.
const IMAGES: [(&str, &str); 5] =
    [("image/png", "png"), ("image/jpeg", "jpeg"), ("image/jpg", "jpeg"), ("image/gif", "gif"), ("image/webp", "webp")];
const DOCUMENTS: [(&str, &str); 12] = [
    ("application/pdf", "pdf"),
    ("text/csv", "csv"),
    ("application/csv", "csv"),
    ("application/msword", "doc"),
    ("application/vnd.openxmlformats-officedocument.wordprocessingml.document", "docx"),
    ("application/vnd.ms-excel", "xls"),
    ("application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", "xlsx"),
    ("text/html", "html"),
    ("text/plain", "txt"),
    ("application/json", "txt"),
    ("text/markdown", "md"),
    ("text/x-markdown", "md"),
];
const VIDEOS: [(&str, &str); 10] = [
    ("video/x-matroska", "mkv"),
    ("video/quicktime", "mov"),
    ("video/mp4", "mp4"),
    ("video/webm", "webm"),
    ("video/x-flv", "flv"),
    ("video/mpeg", "mpeg"),
    ("video/mpg", "mpg"),
    ("video/x-ms-wmv", "wmv"),
    ("video/wmv", "wmv"),
    ("video/3gpp", "three_gp"),
];
const SOUNDS: [(&str, &str); 14] = [
    ("audio/mpeg", "mp3"),
    ("audio/mp3", "mp3"),
    ("audio/opus", "opus"),
    ("audio/wav", "wav"),
    ("audio/x-wav", "wav"),
    ("audio/wave", "wav"),
    ("audio/aac", "aac"),
    ("audio/flac", "flac"),
    ("audio/x-flac", "flac"),
    ("audio/mp4", "mp4"),
    ("audio/m4a", "m4a"),
    ("audio/ogg", "ogg"),
    ("audio/pcm", "pcm"),
    ("audio/webm", "webm"),
];

/// Where a medium stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    User,
    Assistant,
    ToolResult,
}

/// Names of documents that are taken: within a request each has its own.
#[derive(Debug, Default)]
pub(super) struct Documents(HashSet<String>);

impl Documents {
    /// A name of the characters that are allowed: letters, digits, single blanks, `-()[]`.
    fn name(&mut self, wish: Option<&str>) -> String {
        let allowed = |c: char| if c.is_ascii_alphanumeric() || "-()[]".contains(c) { c } else { ' ' };
        let words: String = wish.unwrap_or_default().chars().map(allowed).collect();
        let words = words.split_whitespace().collect::<Vec<_>>().join(" ");
        // ASCII, so that a byte is a character.
        let name = words.get(..NAME_CHARS_KEPT).unwrap_or(&words).trim_end();
        let name = if name.is_empty() { "document" } else { name };
        let counted = (2_usize..).map(|count| format!("{name} ({count})"));
        let free = std::iter::once(name.to_owned()).chain(counted).find(|name| !self.0.contains(name));
        let name = free.unwrap_or_default();
        self.0.insert(name.clone());
        name
    }
}

/// A medium as a block; `None` if it cannot be said, which is among the losses then.
pub(super) fn encode(medium: Media, place: Place, documents: &mut Documents, writer: &mut Writer<'_>) -> Option<Value> {
    let Media { kind, source, name, detail, extra, .. } = medium;
    let (param, member) = match kind {
        MediaKind::Image => ("messages[].image_url", "image"),
        MediaKind::Audio => ("messages[].input_audio", "audio"),
        MediaKind::Video => ("messages[].video_url", "video"),
        MediaKind::Document => ("messages[].file", "document"),
    };
    if place == Place::Assistant || (place == Place::ToolResult && kind == MediaKind::Audio) {
        writer.losses.drop(param, "the provider's format has no such part at this place");
        return None;
    }
    if detail.is_some_and(|detail| detail != "auto") {
        writer.losses.drop("messages[].image_url.detail", "pictures are looked at as the model sees fit");
    }
    let Located { media_type, address, source } = match locate(source, kind) {
        Ok(located) => located,
        Err(why) => {
            writer.losses.drop(param, why);
            return None;
        }
    };
    let Some(format) = format(kind, media_type.as_deref(), name.as_deref().or(address.as_deref())) else {
        writer.losses.drop(param, "the provider does not take files of this type");
        return None;
    };
    let mut block = Map::from_iter([("format".to_owned(), Value::from(format)), ("source".to_owned(), source)]);
    if kind == MediaKind::Document {
        block.insert("name".to_owned(), Value::from(documents.name(name.as_deref())));
    }
    if let Some(extra) = extra {
        members(extra, kind, &mut block);
    }
    Some(json!({member: block}))
}

/// A medium that can be sent.
struct Located {
    media_type: Option<String>,
    /// Where it is, if it is not here.
    address: Option<String>,
    /// As Converse says it.
    source: Value,
}

fn locate(source: MediaSource, kind: MediaKind) -> Result<Located, &'static str> {
    match source {
        MediaSource::Inline { media_type, data } => {
            // What is declared is often wrong, and refused then.
            let found = sniff(&data).filter(|found| matches_kind(found, kind));
            let media_type = Some(found.map_or(media_type, str::to_owned));
            Ok(Located { media_type, address: None, source: json!({"bytes": data}) })
        }
        MediaSource::Text { media_type, text } => {
            let source = json!({"bytes": STANDARD.encode(text)});
            Ok(Located { media_type: Some(media_type), address: None, source })
        }
        MediaSource::Url { url, media_type } | MediaSource::File { id: url, media_type }
            if url.starts_with("s3://") =>
        {
            let source = json!({"s3Location": {"uri": url}});
            Ok(Located { media_type, address: Some(url), source })
        }
        MediaSource::Url { .. } => Err("the provider fetches from S3 only"),
        MediaSource::File { .. } => Err("the provider keeps no files"),
    }
}

fn matches_kind(media_type: &str, kind: MediaKind) -> bool {
    match kind {
        MediaKind::Image => media_type.starts_with("image/"),
        MediaKind::Audio => media_type.starts_with("audio/"),
        MediaKind::Video => media_type.starts_with("video/"),
        MediaKind::Document => media_type == "application/pdf",
    }
}

/// Converse's word for a file's format, by its media type, else by the end of its name.
fn format(kind: MediaKind, media_type: Option<&str>, name: Option<&str>) -> Option<&'static str> {
    let formats: &'static [(&'static str, &'static str)] = match kind {
        MediaKind::Image => &IMAGES,
        MediaKind::Audio => &SOUNDS,
        MediaKind::Video => &VIDEOS,
        MediaKind::Document => &DOCUMENTS,
    };
    let essence = |text: &str| text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let media_type = media_type.map(essence);
    let by_type = formats.iter().find(|(known, _)| media_type.as_deref() == Some(known));
    let end = name.and_then(|name| name.rsplit_once('.')).map(|(_, end)| end.to_ascii_lowercase());
    let end = end.as_deref().map(|end| if end == "jpg" { "jpeg" } else { end });
    let by_name = || formats.iter().find(|(_, format)| end == Some(format));
    let is_text = kind == MediaKind::Document && media_type.as_deref().is_some_and(|name| name.starts_with("text/"));
    by_type.or_else(by_name).map(|(_, format)| *format).or(is_text.then_some("txt"))
}

/// Members that documents of Anthropic's have too: whether to cite, and what the document is about.
/// All others are among the losses of the request.
fn members(extra: Native, kind: MediaKind, block: &mut Map<String, Value>) {
    let Value::Object(members) = extra.value else { return };
    if extra.family == Family::Anthropic && kind == MediaKind::Document {
        block.extend(members.into_iter().filter(|(name, _)| matches!(name.as_str(), "citations" | "context")));
    }
}
