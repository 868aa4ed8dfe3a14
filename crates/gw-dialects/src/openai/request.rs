//! What is read of a request in OpenAI's format, and the changes that every request may need.

use std::ops::Range;

use bytes::Bytes;
use gw_core::{Error, ErrorCode};

use crate::DialectId;
use crate::edit::{self, Edit};
pub use crate::head::Head;
use crate::scan::{self, Field, Fields};
use crate::shared::percent;

/// The members that are read. They must not stand twice: who reads the first one and who reads the last one would see
/// two different requests.
const READ: [&str; 6] = [MODEL, STREAM, STREAM_OPTIONS, PREFER_PROVIDER, "max_completion_tokens", "max_tokens"];
const MODEL: &str = "model";
const STREAM: &str = "stream";
const STREAM_OPTIONS: &str = "stream_options";
const INCLUDE_USAGE: &str = "include_usage";
const PREFER_PROVIDER: &str = "prefer_provider";
const USAGE: &str = "usage";

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
    let operation = dialect.operation();
    if stream && !operation.streams() && !operation.is_carried() {
        return Err(refused(STREAM, "`stream` must not be true here: only chat and completions stream"));
    }
    let include_usage = asks_for_usage(value(stream_options))?;
    let prefer_provider = match value(prefer_provider) {
        None | Some(b"null") => None,
        Some(raw) => Some(name(raw, PREFER_PROVIDER)?),
    };
    let max_output_tokens = value(max_completion_tokens).and_then(count).or_else(|| value(max_tokens).and_then(count));
    Ok(Head { model, stream, include_usage, prefer_provider, max_output_tokens, fields })
}

/// The name of a model that the path gives, where slashes are often escaped.
///
/// # Errors
/// It is not a line of text.
pub fn model_in_path(written: &str) -> Result<Box<str>, Error> {
    let decoded = percent::decoded(written);
    let name = std::str::from_utf8(&decoded).ok().filter(|name| name.len() <= NAME_BYTES_MAX);
    match name {
        Some(name) if !name.is_empty() && !name.chars().any(char::is_control) => Ok(Box::from(name)),
        _ => Err(refused(MODEL, "the model in the path must be a name")),
    }
}

/// Takes out what only the gateway understands.
pub fn remove_extensions(head: &Head, body: &[u8]) -> impl Iterator<Item = Edit> {
    let asked = cost_option(head, body).is_some();
    edit::remove(head, body, PREFER_PROVIDER)
        .chain(asked.then(|| edit::remove(head, body, USAGE)).into_iter().flatten())
}

/// Whether the client asks to be told the cost in the answer: `"usage": {"include": true}`, which is OpenRouter's way.
pub fn asks_for_cost(head: &Head, body: &[u8]) -> bool {
    cost_option(head, body) == Some(b"true")
}

/// What `usage.include` says, if it is there.
fn cost_option<'a>(head: &Head, body: &'a [u8]) -> Option<&'a [u8]> {
    let usage = &body[head.fields.get(body, USAGE)?.value()];
    let include = scan::top_level(usage).ok()?.get(usage, "include")?.value();
    Some(&usage[include])
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::edit::Edits;

    const CHAT: DialectId = DialectId::OpenAiChat;

    fn scanned(body: &str) -> Result<Head, Error> {
        scan(CHAT, &Bytes::copy_from_slice(body.as_bytes()))
    }

    fn sent(body: &str) -> String {
        let body = Bytes::copy_from_slice(body.as_bytes());
        let head = scan(CHAT, &body).unwrap();
        let mut edits: Edits = remove_extensions(&head, &body).collect();
        edits.extend(usage_option(&head, &body));
        String::from_utf8(edit::apply(&body, edits).concat()).unwrap()
    }

    #[test]
    fn the_head_is_read() {
        let body = r#"{"model":"g\u0070t","stream":true,"stream_options":{"include_usage":true},"prefer_provider":"groq","max_tokens":7,"messages":[]}"#;
        let head = scanned(body).unwrap();
        assert_eq!(head.model.as_deref(), Some("gpt"));
        assert!(head.stream && head.include_usage);
        assert_eq!(head.prefer_provider.as_deref(), Some("groq"));
        assert_eq!(head.max_output_tokens, Some(7));
        assert_eq!(head.fields.iter().count(), 6);
        assert_eq!(scanned(r#"{"max_tokens":7,"max_completion_tokens":9}"#).unwrap().max_output_tokens, Some(9));
    }

    #[test]
    fn what_is_absent_or_null_is_not_asked_for() {
        for body in ["{}", r#"{"stream":null,"stream_options":null,"prefer_provider":null,"max_tokens":null}"#] {
            let head = scanned(body).unwrap();
            assert_eq!(Head { fields: Fields::default(), ..head }, Head::default(), "{body}");
        }
        assert!(!scanned(r#"{"stream":true,"stream_options":{"include_usage":null}}"#).unwrap().include_usage);
    }

    #[test]
    fn a_member_of_the_wrong_type_is_named() {
        let long = format!(r#"{{"model":"{}"}}"#, "x".repeat(2_000));
        let cases = [
            (r#"{"model":1}"#, "model"),
            (r#"{"model":null}"#, "model"),
            (r#"{"model":""}"#, "model"),
            (r#"{"model":"a\r\nx-evil: 1"}"#, "model"),
            (r#"{"model":"a\u0085"}"#, "model"),
            (r#"{"model":"\ud800"}"#, "model"),
            (r#"{"model":["a"]}"#, "model"),
            (&long, "model"),
            (r#"{"stream":"true"}"#, "stream"),
            (r#"{"stream":1}"#, "stream"),
            (r#"{"stream_options":true}"#, "stream_options"),
            (r#"{"stream_options":{"include_usage":"yes"}}"#, "stream_options.include_usage"),
            (r#"{"prefer_provider":{}}"#, "prefer_provider"),
        ];
        for (body, param) in cases {
            let error = scanned(body).unwrap_err();
            assert_eq!((error.code, error.param), (ErrorCode::InvalidRequest, Some(param)), "{body}");
            assert!(error.message.len() < 200 && !error.message.contains("evil"), "{error}");
        }
    }

    #[test]
    fn a_member_that_is_read_must_not_stand_twice_and_any_other_may() {
        for (body, param) in [
            (r#"{"model":"a","model":"b"}"#, "model"),
            (r#"{"stream":true,"str\u0065am":false}"#, "stream"),
            (r#"{"prefer_provider":"a","x":1,"prefer_provider":"b"}"#, "prefer_provider"),
        ] {
            let error = scanned(body).unwrap_err();
            assert_eq!((error.code, error.param), (ErrorCode::DuplicateField, Some(param)));
        }
        let body = r#"{"seed":1,"seed":2,"messages":[{"model":1,"model":2}]}"#;
        assert!(scanned(body).is_ok());
        assert_eq!(sent(body), body);
    }

    #[test]
    fn a_body_that_cannot_be_read_is_told_apart() {
        let code = |body: &[u8]| scan(CHAT, &Bytes::copy_from_slice(body)).unwrap_err().code;
        assert_eq!(code(b""), ErrorCode::InvalidJson);
        assert_eq!(code(b"{\"a\":"), ErrorCode::InvalidJson);
        assert_eq!(code(b"{\"a\":\"\xc3\"}"), ErrorCode::InvalidJson);
        assert_eq!(code(b"[]"), ErrorCode::InvalidRequest);
    }

    #[test]
    fn embeddings_do_not_stream() {
        let body = Bytes::from_static(br#"{"stream":true}"#);
        assert_eq!(scan(DialectId::OpenAiEmbeddings, &body).unwrap_err().param, Some("stream"));
        assert!(scan(DialectId::OpenAiEmbeddings, &Bytes::from_static(br#"{"stream":false}"#)).is_ok());
        assert!(scan(DialectId::OpenAiCompletions, &body).unwrap().stream);
    }

    #[test]
    fn usage_is_asked_for_and_everything_else_stays_as_it_was() {
        let cases = [
            (r#"{"stream":true}"#, r#"{"stream_options":{"include_usage":true},"stream":true}"#),
            (r#"{"stream":true,"stream_options":null}"#, r#"{"stream":true,"stream_options":{"include_usage":true}}"#),
            (
                r#"{"stream":true,"stream_options": { } }"#,
                r#"{"stream":true,"stream_options": {"include_usage":true} }"#,
            ),
            (
                r#"{"stream":true,"stream_options":{ "x" : 1e400 }}"#,
                r#"{"stream":true,"stream_options":{"include_usage":true, "x" : 1e400 }}"#,
            ),
            (
                r#"{"stream_options":{"include_usage":false,"x":1},"stream":true}"#,
                r#"{"stream_options":{"include_usage":true,"x":1},"stream":true}"#,
            ),
            (
                r#"{"stream_options":{"include_usag\u0065": null},"stream":true}"#,
                r#"{"stream_options":{"include_usag\u0065": true},"stream":true}"#,
            ),
            (r#"{"prefer_provider":"x","stream":true}"#, r#"{"stream_options":{"include_usage":true},"stream":true}"#),
            (r#"{"usage":{"include":true},"stream":false}"#, r#"{"stream":false}"#),
            (r#"{"usage":{"x":1},"stream":false}"#, r#"{"usage":{"x":1},"stream":false}"#),
            (r#"{"stream":false}"#, r#"{"stream":false}"#),
            (
                r#"{"stream":true,"stream_options":{"include_usage":true}}"#,
                r#"{"stream":true,"stream_options":{"include_usage":true}}"#,
            ),
        ];
        for (body, expected) in cases {
            assert_eq!(sent(body), expected);
        }
    }
}
