//! The parts of messages and of the results of tools, in both directions.

use gw_core::Error;
use gw_core::chat::{CacheMarker, Citation, Loss, Media, MediaKind, MediaSource, Native, Part, Text, Unknown};
use serde_json::{Value, json};

use super::super::FAMILY;
use super::super::read::{Node, Object, list, text};
use super::items::PICTURE;
use crate::shared::losses::Losses;
use crate::shared::media;

/// The parts of a member that is a string or a list of parts.
pub(super) fn parts(item: &Node<'_>, name: &'static str) -> Result<Vec<Part>, Error> {
    match item.get(name) {
        None => Ok(Vec::new()),
        Some(Value::String(text)) => Ok(vec![text.as_str().into()]),
        Some(Value::Array(_)) => item.objects(name)?.iter().map(part).collect(),
        Some(_) => Err(item.wrong(name, "a string or a list of parts")),
    }
}

fn part(node: &Node<'_>) -> Result<Part, Error> {
    let cache = node.get("prompt_cache_breakpoint").map(|_| CacheMarker::default());
    match node.required("type")? {
        "input_text" | "output_text" | "text" => {
            let citations = node.array("annotations")?.iter().map(citation).collect();
            let text = node.required("text")?.to_owned();
            let unknown = Unknown::new(FAMILY, rest(node, &["text", "annotations", "logprobs"]));
            Ok(Part::Text(Text { text, citations, cache, opaque: None, unknown }))
        }
        "refusal" => Ok(Part::Refusal(node.required("refusal")?.to_owned())),
        "input_image" => {
            let source = source(node, "image_url", None)?;
            let detail = node.string("detail")?.map(str::to_owned);
            let extra = own("input_image", rest(node, &["image_url", "file_id", "detail"]));
            Ok(Part::Media(Media { detail, cache, extra, ..Media::new(MediaKind::Image, source) }))
        }
        "input_file" => {
            let name = node.string("filename")?;
            let source = match file_data(node, name)? {
                Some(source) => source,
                None => source(node, "file_url", name)?,
            };
            let extra = own("input_file", rest(node, &["file_data", "file_url", "file_id", "filename"]));
            let name = name.map(str::to_owned);
            Ok(Part::Media(Media { name, cache, extra, ..Media::new(MediaKind::Document, source) }))
        }
        kind => Ok(native(kind, Value::Object(node.object.clone()))),
    }
}

/// What the kind of a content part begins with which no word of ours stands for. That of an item is its type alone.
const CONTENT: &str = "content[].";

fn native(wire_type: &str, value: Value) -> Part {
    Part::Native(Native { family: FAMILY, kind: format!("{CONTENT}{wire_type}"), value })
}

/// Whether something of our own family is a part of a message, and not an item. An item may be of any type, of one that
/// begins like the kind of a content part as well.
pub(super) fn is_content(native: &Native) -> bool {
    native.family == FAMILY && native.kind.strip_prefix(CONTENT).is_some_and(|kind| kind == text(&native.value, "type"))
}

/// What is left of a part whose members of these names are read.
fn rest(node: &Node<'_>, read: &[&str]) -> Object {
    let read = |name: &str| matches!(name, "type" | "prompt_cache_breakpoint") || read.contains(&name);
    let rest = node.object.iter().filter(|(name, value)| !read(name) && !value.is_null());
    rest.map(|(name, value)| (name.clone(), value.clone())).collect()
}

/// What is left of a medium's part, if anything is.
fn own(kind: &str, rest: Object) -> Option<Native> {
    (!rest.is_empty()).then(|| Native { family: FAMILY, kind: kind.to_owned(), value: Value::Object(rest) })
}

/// Where a medium is: at an address, in one, or with the provider.
fn source(node: &Node<'_>, url_member: &'static str, name: Option<&str>) -> Result<MediaSource, Error> {
    if let Some(id) = node.string("file_id")? {
        return Ok(MediaSource::File { id: id.to_owned(), media_type: None });
    }
    let Some(url) = node.string(url_member)? else {
        return Err(node.wrong(url_member, "an address, or file_id must be given"));
    };
    if !url.get(..5).is_some_and(|scheme| scheme.eq_ignore_ascii_case("data:")) {
        let media_type = name.and_then(media_type_of_name).map(str::to_owned);
        return Ok(MediaSource::Url { url: url.to_owned(), media_type });
    }
    match media::data_url(url) {
        Some(inline) => Ok(MediaSource::Inline { media_type: inline.media_type, data: inline.data }),
        None => Err(node.wrong(url_member, "a data: address that can be read")),
    }
}

/// The bytes of a file: a `data:` address, or bare base64.
fn file_data(node: &Node<'_>, name: Option<&str>) -> Result<Option<MediaSource>, Error> {
    let Some(file) = node.string("file_data")? else { return Ok(None) };
    if let Some(inline) = media::data_url(file) {
        return Ok(Some(MediaSource::Inline { media_type: inline.media_type, data: inline.data }));
    }
    let Some(data) = media::base64(file) else {
        return Err(node.wrong("file_data", "base64 or a data: address"));
    };
    let known = media::sniff(&data).or_else(|| name.and_then(media_type_of_name));
    Ok(Some(MediaSource::Inline { media_type: known.unwrap_or("application/pdf").to_owned(), data }))
}

fn media_type_of_name(name: &str) -> Option<&'static str> {
    let (_, ending) = name.rsplit_once('.')?;
    Some(match ending.to_ascii_lowercase().as_str() {
        "pdf" => "application/pdf",
        "txt" => "text/plain",
        "md" => "text/markdown",
        "csv" => "text/csv",
        "html" => "text/html",
        "json" => "application/json",
        "docx" => "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        _ => return None,
    })
}

/// An annotation of a text.
pub(in super::super) fn citation(annotation: &Value) -> Citation {
    let owned = |name| Some(text(annotation, name)).filter(|text| !text.is_empty()).map(str::to_owned);
    let place = |name| annotation.get(name).and_then(Value::as_u64);
    let is_url = text(annotation, "type") == "url_citation";
    let kind = text(annotation, "type").to_owned();
    Citation {
        url: owned("url"),
        title: owned("title").or_else(|| owned("filename")),
        cited_text: None,
        range: place("start_index").zip(place("end_index")),
        native: (!is_url).then(|| Native { family: FAMILY, kind, value: annotation.clone() }),
    }
}

/// How a text's annotations are written; `None` for a source that has no address, for which OpenAI has no words.
pub(in super::super) fn annotation(citation: &Citation, text_chars: u64) -> Option<Value> {
    if let Some(native) = citation.native.as_ref().filter(|native| native.family == FAMILY) {
        return Some(native.value.clone());
    }
    let url = citation.url.as_deref()?;
    let (start, end) = citation.range.unwrap_or((0, text_chars));
    let title = citation.title.as_deref().unwrap_or(url);
    Some(json!({"type": "url_citation", "url": url, "title": title, "start_index": start, "end_index": end}))
}

/// A text of the model's.
pub(super) fn output_text(text: &Text, losses: &mut Losses) -> Value {
    let chars = text.text.chars().count() as u64;
    let annotations: Vec<Value> = text.citations.iter().filter_map(|citation| annotation(citation, chars)).collect();
    if annotations.len() < text.citations.len() {
        losses.push(Loss::dropped("messages[].annotations", "sources without an address cannot be named"));
    }
    let mut written = json!({"type": "output_text", "text": text.text, "annotations": annotations, "logprobs": []});
    put_back(text.unknown.of(FAMILY), &mut written);
    written
}

/// A part of a user's message, of instructions, or of a tool's result. `is_own` says that the client speaks this dialect.
pub(super) fn input(part: &Part, is_own: bool, losses: &mut Losses) -> Option<Value> {
    let (mut written, cache) = match part {
        Part::Text(text) => {
            let mut written = json!({"type": "input_text", "text": text.text});
            put_back(text.unknown.of(FAMILY), &mut written);
            (written, &text.cache)
        }
        Part::Refusal(text) => (json!({"type": "input_text", "text": text}), &None),
        Part::Media(media) => {
            let mut written = medium_written(media, losses)?;
            let own = media.extra.as_ref().filter(|own| own.family == FAMILY && own.kind != PICTURE);
            put_back(own.and_then(|own| own.value.as_object()).into_iter().flatten(), &mut written);
            (written, &media.cache)
        }
        Part::Native(native) if native.family == FAMILY => return Some(native.value.clone()),
        Part::Native(native) => {
            losses.push(foreign(native));
            return None;
        }
        Part::Reasoning(_) | Part::ToolCall(_) | Part::ToolResult(_) => {
            losses.push(Loss::dropped("messages[].content", "the part has no place in a message of this role"));
            return None;
        }
    };
    if cache.is_some() {
        if is_own {
            written["prompt_cache_breakpoint"] = json!({"mode": "explicit"});
        } else {
            losses.push(Loss::replaced("messages[].cache_control", "the provider remembers requests by itself"));
        }
    }
    Some(written)
}

/// Puts members back that the client wrote beside what a part says.
pub(super) fn put_back<'a>(members: impl Iterator<Item = (&'a String, &'a Value)>, written: &mut Value) {
    let Value::Object(written) = written else { return };
    for (name, value) in members {
        written.entry(name.clone()).or_insert_with(|| value.clone());
    }
}

/// What only another family can say.
pub(super) fn foreign(native: &Native) -> Loss {
    Loss::dropped(format!("messages[].{}", native.kind), "the provider's format has no such part")
}

fn medium_written(media: &Media, losses: &mut Losses) -> Option<Value> {
    match media.kind {
        MediaKind::Image => {
            let detail = media.detail.as_deref().unwrap_or("auto");
            let mut written = json!({"type": "input_image", "detail": detail});
            match &media.source {
                MediaSource::Inline { media_type, data } => {
                    // What the bytes say counts, not what the client called them.
                    let media_type = media::sniff(data).unwrap_or(media_type);
                    written["image_url"] = Value::from(format!("data:{media_type};base64,{data}"));
                }
                MediaSource::Url { url, .. } => written["image_url"] = Value::from(url.as_str()),
                MediaSource::File { id, .. } => written["file_id"] = Value::from(id.as_str()),
                MediaSource::Text { .. } => {
                    losses.push(Loss::dropped("messages[].image_url", "a picture cannot be text"));
                    return None;
                }
            }
            Some(written)
        }
        MediaKind::Document => Some(document(media, losses)),
        MediaKind::Audio => {
            losses.push(Loss::dropped("messages[].input_audio", "the provider's format takes no sound"));
            None
        }
        MediaKind::Video => {
            losses.push(Loss::dropped("messages[].video", "the provider's format takes no films"));
            None
        }
    }
}

fn document(media: &Media, losses: &mut Losses) -> Value {
    match &media.source {
        MediaSource::Inline { media_type, data } => {
            // Bytes without a name are refused.
            let ending = media_type.rsplit(['/', '+', '.']).next().unwrap_or("pdf");
            let ending = if ending == "plain" { "txt" } else { ending };
            let name = media.name.clone().unwrap_or_else(|| format!("document.{ending}"));
            let file_data = format!("data:{media_type};base64,{data}");
            json!({"type": "input_file", "filename": name, "file_data": file_data})
        }
        MediaSource::Url { url, .. } => json!({"type": "input_file", "file_url": url}),
        MediaSource::File { id, .. } => json!({"type": "input_file", "file_id": id}),
        MediaSource::Text { text, .. } => {
            losses.push(Loss::replaced("messages[].file", "a document of text is sent as text"));
            let text = match &media.name {
                Some(name) => format!("{name}:\n\n{text}"),
                None => text.clone(),
            };
            json!({"type": "input_text", "text": text})
        }
    }
}

/// The texts of a list of parts, joined.
pub(in super::super) fn joined(value: &Value, name: &str) -> String {
    let texts: Vec<&str> = list(value, name).iter().map(|part| text(part, "text")).collect();
    texts.join(super::super::PARAGRAPH)
}
