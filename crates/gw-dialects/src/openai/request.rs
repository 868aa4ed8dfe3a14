//! What is read of a request in OpenAI's format, and the changes that every request may need.

use std::ops::Range;

use bytes::Bytes;
use gw_core::{Error, ErrorCode};

use crate::DialectId;
use crate::edit::{self, Edit};
pub use crate::head::Head;
use crate::scan::{self, Field, Fields};

/// The members that are read. They must not stand twice: who reads the first one and who reads the last one would see
/// two different requests.
const READ: [&str; 6] = [MODEL, STREAM, STREAM_OPTIONS, PREFER_PROVIDER, "max_completion_tokens", "max_tokens"];
const MODEL: &str = "model";
const STREAM: &str = "stream";
const STREAM_OPTIONS: &str = "stream_options";
const INCLUDE_USAGE: &str = "include_usage";
const PREFER_PROVIDER: &str = "prefer_provider";

/// Longer names of models and providers are nobody's.
const NAME_BYTES_MAX: usize = 1 << 10;

/// Reads the head of a request.
///
/// # Errors
/// The body is not a JSON object, or one of the members that are read is of the wrong type or stands twice.
pub fn scan(dialect: DialectId, body: &Bytes) -> Result<Head, Error> {
    let fields = scan::top_level(body).map_err(scan::ScanError::into_error)?;
    let [model, stream, stream_options, prefer_provider, max_completion_tokens, max_tokens] = read(body, &fields)?;
    let value = |field: Option<Range<usize>>| field.map(|range| &body[range]);

    let model = value(model).map(|raw| name(raw, MODEL)).transpose()?;
    let stream = flag(value(stream), STREAM)?;
    if stream && !dialect.operation().streams() {
        return Err(refused(STREAM, "`stream` must not be true here: embeddings do not stream"));
    }
    let include_usage = asks_for_usage(value(stream_options))?;
    let prefer_provider = match value(prefer_provider) {
        None | Some(b"null") => None,
        Some(raw) => Some(name(raw, PREFER_PROVIDER)?),
    };
    let max_output_tokens = value(max_completion_tokens).and_then(count).or_else(|| value(max_tokens).and_then(count));
    Ok(Head { model, stream, include_usage, prefer_provider, max_output_tokens, fields })
}

/// Takes out what only the gateway understands.
pub fn remove_extensions(head: &Head, body: &[u8]) -> impl Iterator<Item = Edit> {
    edit::remove(head, body, PREFER_PROVIDER)
}

/// Asks for the usage at the end of the stream, where the client did not ask; what else it said in `stream_options`
/// stays.
pub fn usage_option(head: &Head, body: &[u8]) -> Option<Edit> {
    if !head.stream || head.include_usage {
        return None;
    }
    const OPTION: &[u8] = br#"{"include_usage":true}"#;
    let Some(field) = head.fields.get(body, STREAM_OPTIONS) else {
        let key = Bytes::from_static(br#""stream_options""#);
        return Some(Edit::Insert { key, value: Bytes::from_static(OPTION) });
    };
    let raw = &body[field.value()];
    let Ok(options) = scan::top_level(raw) else {
        // It was seen to be an object or null.
        return Some(Edit::replace_value(field, Bytes::from_static(OPTION)));
    };
    let start = field.value().start;
    // Where it stands twice the last one is what most readers see.
    let edit = match (options.all(raw, INCLUDE_USAGE).last(), options.iter().next()) {
        (Some(asked), _) => {
            let value = asked.value();
            Edit::Replace { range: start + value.start..start + value.end, with: Bytes::from_static(b"true") }
        }
        (None, Some(_)) => {
            Edit::Replace { range: start + 1..start + 1, with: Bytes::from_static(br#""include_usage":true,"#) }
        }
        (None, None) => Edit::replace_value(field, Bytes::from_static(OPTION)),
    };
    Some(edit)
}

/// Where the values of the members in [`READ`] stand.
fn read(body: &[u8], fields: &Fields) -> Result<[Option<Range<usize>>; READ.len()], Error> {
    let mut found = [const { None }; READ.len()];
    for field in fields.iter() {
        let name = field.name(body);
        let Some(place) = READ.iter().position(|read| read.as_bytes() == &*name) else { continue };
        if found[place].replace(Field::value(field)).is_some() {
            let name = READ[place];
            let message = format!("`{name}` stands twice in the body; send it once");
            return Err(Error::new(ErrorCode::DuplicateField, message).with_param(name));
        }
    }
    Ok(found)
}

/// The name of a model or of a provider. It goes into headers and logs, so that it must be a line of text.
fn name(raw: &[u8], param: &'static str) -> Result<Box<str>, Error> {
    let wrong = |what: &str| Err(refused(param, format!("`{param}` must be {what}")));
    if raw.len() > NAME_BYTES_MAX {
        return wrong(&format!("a string of at most {NAME_BYTES_MAX} bytes"));
    }
    let Ok(name) = serde_json::from_slice::<Box<str>>(raw) else {
        return wrong("a string");
    };
    if name.is_empty() {
        return wrong("a string that is not empty");
    }
    if name.chars().any(char::is_control) {
        return wrong("a string without control characters");
    }
    Ok(name)
}

fn flag(raw: Option<&[u8]>, param: &'static str) -> Result<bool, Error> {
    match raw {
        None | Some(b"null" | b"false") => Ok(false),
        Some(b"true") => Ok(true),
        Some(_) => Err(refused(param, format!("`{param}` must be true, false or null"))),
    }
}

fn asks_for_usage(raw: Option<&[u8]>) -> Result<bool, Error> {
    let Some(raw) = raw.filter(|raw| *raw != b"null") else {
        return Ok(false);
    };
    let Ok(options) = scan::top_level(raw) else {
        return Err(refused(STREAM_OPTIONS, "`stream_options` must be an object or null"));
    };
    let asked = options.all(raw, INCLUDE_USAGE).last().map(|field| &raw[field.value()]);
    flag(asked, "stream_options.include_usage")
}

fn count(raw: &[u8]) -> Option<u64> {
    std::str::from_utf8(raw).ok()?.parse().ok()
}

fn refused(param: &'static str, message: impl Into<std::borrow::Cow<'static, str>>) -> Error {
    Error::new(ErrorCode::InvalidRequest, message).with_param(param)
}
