//! Errors in OpenAI's format: written for the client, and read from a provider.

use std::time::{Duration, SystemTime};

use bytes::Bytes;
use gw_core::{Error, ErrorCode, UpstreamError};
use http::{HeaderMap, HeaderName, StatusCode, header};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::scan::Object;
use crate::shared::refusal::about_our_account;

const RETRY_AFTER_MS: HeaderName = HeaderName::from_static("retry-after-ms");
const DESCRIBES_BODY: [HeaderName; 5] =
    [header::CONTENT_TYPE, header::CONTENT_ENCODING, header::CONTENT_LANGUAGE, header::ETAG, header::LAST_MODIFIED];

/// Values of `error` that say there is none, to the official libraries too.
const NO_ERROR: [&str; 4] = ["{}", "\"\"", "false", "0"];

/// The body of an error and its status. A provider's own body is passed on as it came.
pub fn encode_error(error: &Error, request_id: &str) -> (StatusCode, Bytes) {
    let status = error.status();
    if let Some(upstream) = error.upstream.as_ref().filter(|upstream| !upstream.body.is_empty()) {
        return (status, upstream.body.clone());
    }
    (status, Bytes::from(object(error, request_id)))
}

/// An error as the last event of a stream. Both official libraries raise it.
pub fn stream_error(error: &Error, request_id: &str) -> Bytes {
    Bytes::from(format!("data: {}\n\n", object(error, request_id)))
}

/// A provider's answer that is not a success.
#[derive(Debug)]
pub struct Refusal<'a> {
    /// Its status.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body, or the beginning of it.
    pub body: Bytes,
    /// The provider's configured name.
    pub provider: &'a str,
    /// Whether the credential was the client's own: what is said about it is then for the client.
    pub credential_is_callers: bool,
    /// The time, for a `Retry-After` that is a date.
    pub now: SystemTime,
}

/// What the client is told of a provider's refusal: the provider's own words, unless they may be about the gateway's
/// own credential or account.
pub fn decode_error(refusal: Refusal<'_>) -> Error {
    let Refusal { status, headers, body, provider, credential_is_callers, now } = refusal;
    let code = match status.as_u16() {
        401 | 403 => ErrorCode::ProviderAuthentication,
        402 => ErrorCode::ProviderCreditExhausted,
        429 if is_about_credit(&body) => ErrorCode::ProviderCreditExhausted,
        429 => ErrorCode::ProviderRateLimited,
        503 | 529 => ErrorCode::ProviderOverloaded,
        408 | 500.. => ErrorCode::ProviderFailed,
        404 => ErrorCode::ProviderModelNotFound,
        400..=499 => code_of_words(&body).unwrap_or(ErrorCode::ProviderRejected),
        _ => return unexpected(provider, status),
    };
    let retry_after = retry_after(&headers, now);
    let ours = if credential_is_callers { None } else { about_our_account(provider, status, code) };
    if let Some(error) = ours {
        return error;
    }
    let mut error = passed_on(code, provider, status, headers, body);
    error.retry_after = retry_after;
    error
}

/// Whether a `Retry-After` says how long.
pub fn is_retry_after(text: &str) -> bool {
    seconds(text, 1.0).is_some() || httpdate::parse_http_date(text).is_ok()
}

/// Whether a `retry-after-ms` does.
pub fn is_retry_after_ms(text: &str) -> bool {
    seconds(text, 1000.0).is_some()
}

/// Whether a limit of the rate is in truth an account without money, which waiting does not help.
fn is_about_credit(body: &[u8]) -> bool {
    let body = std::str::from_utf8(body).ok().and_then(|text| Object::parse(text.trim()).ok());
    let error = body.as_ref().and_then(|body| body.object("error"));
    error.is_some_and(|error| {
        ["code", "type"].iter().any(|name| error.string(name).as_deref() == Some("insufficient_quota"))
    })
}

/// What is wrong with a request that only another model may be given, or none.
fn code_of_words(body: &[u8]) -> Option<ErrorCode> {
    let body = Object::parse(std::str::from_utf8(body).ok()?.trim()).ok()?;
    let error = body.object("error")?;
    match error.string("code").as_deref() {
        Some("context_length_exceeded") => Some(ErrorCode::ContextLengthExceeded),
        Some("content_filter" | "content_policy_violation") => Some(ErrorCode::ContentFiltered),
        Some("model_not_found") => Some(ErrorCode::ProviderModelNotFound),
        _ => None,
    }
}

/// What an object says went wrong, in the ways that providers say it.
pub(crate) fn said(answer: &Object<'_>) -> Option<String> {
    let told = match answer.get("error").filter(|error| !NO_ERROR.contains(error)) {
        Some(_) => answer.object("error").and_then(|error| error.string("message")).or_else(|| answer.string("error")),
        None if answer.get("object") == Some("\"error\"") => answer.string("message"),
        None => return None,
    };
    Some(line(&told.unwrap_or_else(|| "the provider gave no reason".to_owned())))
}

fn object(error: &Error, request_id: &str) -> String {
    let status = error.status();
    let message = if status.is_server_error() {
        format!("{} (request id {request_id})", error.message)
    } else {
        error.message.to_string()
    };
    let kind = match status.as_u16() {
        429 => "rate_limit_error",
        500.. => "server_error",
        _ => "invalid_request_error",
    };
    // Value::to_string writes JSON and cannot fail.
    let (message, param) = (Value::from(message), Value::from(error.param));
    let code = error.code.name();
    format!(r#"{{"error":{{"message":{message},"type":"{kind}","param":{param},"code":"{code}"}}}}"#)
}

fn unexpected(provider: &str, status: StatusCode) -> Error {
    let message = format!("provider \"{provider}\" answered with status {}; check its endpoint", status.as_u16());
    Error::new(ErrorCode::ProviderInvalidResponse, message)
}

fn passed_on(code: ErrorCode, provider: &str, status: StatusCode, mut headers: HeaderMap, body: Bytes) -> Error {
    let reason = reason(&body);
    let body = match &reason {
        Reason::OwnFormat(_) => body,
        // Written anew in the client's format: nothing that describes the old body holds.
        Reason::Told(_) | Reason::Unreadable(_) => {
            DESCRIBES_BODY.iter().for_each(|name| drop(headers.remove(name)));
            Bytes::new()
        }
    };
    let status_number = status.as_u16();
    let message = match reason {
        Reason::OwnFormat(told) | Reason::Told(told) => {
            format!("provider \"{provider}\" answered with status {status_number}: {told}")
        }
        Reason::Unreadable(what) => format!("provider \"{provider}\" answered with status {status_number} and {what}"),
    };
    let mut error = Error::new(code, message);
    error.upstream = Some(Box::new(UpstreamError { status, headers, body }));
    error
}

/// What a refusal's body says.
enum Reason {
    /// It says so in OpenAI's format.
    OwnFormat(String),
    /// It says so in another way.
    Told(String),
    /// It says nothing that could be passed on.
    Unreadable(&'static str),
}

fn reason(body: &[u8]) -> Reason {
    let Ok(text) = std::str::from_utf8(body).map(str::trim) else {
        return Reason::Unreadable("a body that is not text");
    };
    if let Ok(answer) = Object::parse(text) {
        if let Some(message) = answer.object("error").and_then(|error| error.string("message")) {
            return Reason::OwnFormat(line(&message));
        }
        return match told(&answer) {
            Some(message) => Reason::Told(line(&message)),
            None => Reason::Unreadable("a body without a message"),
        };
    }
    // Google puts the object into a list.
    let listed: Option<Vec<&RawValue>> = serde_json::from_str(text).ok();
    if let Some(answer) = listed.and_then(|list| Object::parse(list.first()?.get()).ok()) {
        return said(&answer).map_or(Reason::Unreadable("a body without a message"), Reason::Told);
    }
    if text.is_empty() {
        return Reason::Unreadable("an empty body");
    }
    if text.starts_with('<') { Reason::Unreadable("a web page") } else { Reason::Told(line(text)) }
}

/// The message of an object that is not in OpenAI's format: a text, or a list of texts or of objects with one.
fn told(answer: &Object<'_>) -> Option<String> {
    ["error", "message", "detail", "errors"].into_iter().find_map(|name| {
        answer.string(name).or_else(|| {
            let list: Vec<&RawValue> = serde_json::from_str(answer.get(name)?).ok()?;
            let first = list.first()?.get();
            serde_json::from_str(first).ok().or_else(|| {
                let entry = Object::parse(first).ok()?;
                entry.string("message").or_else(|| entry.string("msg"))
            })
        })
    })
}

/// One line of bounded length: what others say goes into logs.
pub(crate) fn line(text: &str) -> String {
    const CHARS_MAX: usize = 500;
    let words = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    let mut line: String = words.clone().take(CHARS_MAX).collect();
    if words.count() > CHARS_MAX {
        line.push('…');
    }
    line
}

/// How long a provider asks to wait: milliseconds (OpenAI's), seconds, or until a date (RFC 9110 §10.2.3).
pub(crate) fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
    if let Some(wait) = text(RETRY_AFTER_MS).and_then(|number| seconds(number, 1000.0)) {
        return Some(wait);
    }
    let value = text(header::RETRY_AFTER)?;
    seconds(value, 1.0).or_else(|| {
        let date = httpdate::parse_http_date(value).ok()?;
        Some(date.duration_since(now).unwrap_or_default())
    })
}

fn seconds(number: &str, unit: f64) -> Option<Duration> {
    Duration::try_from_secs_f64(number.parse::<f64>().ok()? / unit).ok()
}
