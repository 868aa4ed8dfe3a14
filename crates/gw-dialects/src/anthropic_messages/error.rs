//! Errors in Anthropic's format: written for the client, and read from a provider.

use bytes::Bytes;
use gw_core::{Error, ErrorCode};
use http::StatusCode;
use serde_json::{Value, json};

use crate::error::Refusal;
use crate::scan::Object;
use crate::shared::refusal::{self, code_of, code_of_message, told};

/// Anthropic's status for a provider that has too much to do; it has no name in HTTP.
const OVERLOADED: u16 = 529;

/// The body of an error and its status. A provider's own body is passed on as it came, if it is in this format.
pub(super) fn encode(error: &Error, request_id: &str) -> (StatusCode, Bytes) {
    if let Some(upstream) = error.upstream.as_ref().filter(|upstream| is_own_format(&upstream.body)) {
        return (upstream.status, upstream.body.clone());
    }
    let status = status(error);
    (status, Bytes::from(object(error, status, request_id).to_string()))
}

/// The same as the data of an event.
pub(super) fn event(error: &Error, request_id: &str) -> Value {
    object(error, status(error), request_id)
}

fn object(error: &Error, status: StatusCode, request_id: &str) -> Value {
    let message = if status.is_server_error() {
        format!("{} (request id {request_id})", error.message)
    } else {
        error.message.to_string()
    };
    let mut told = json!({"type": kind(status), "message": message});
    if error.code == ErrorCode::ThreadNotFound {
        // Anthropic's SDKs begin the thread anew where they are told so.
        told["details"] = json!({"error_code": error.code.name()});
    }
    json!({"type": "error", "error": told, "request_id": request_id})
}

fn is_own_format(body: &[u8]) -> bool {
    let text = std::str::from_utf8(body).ok().map(str::trim);
    text.and_then(|text| Object::parse(text).ok())
        .is_some_and(|body| body.string("type").as_deref() == Some("error") && body.object("error").is_some())
}

fn status(error: &Error) -> StatusCode {
    let own = match error.code {
        ErrorCode::ProviderCreditExhausted => 402,
        ErrorCode::ProviderOverloaded | ErrorCode::Overloaded => OVERLOADED,
        _ => return error.status(),
    };
    StatusCode::from_u16(own).unwrap_or(StatusCode::SERVICE_UNAVAILABLE)
}

/// Anthropic's word for a status (its page on errors).
fn kind(status: StatusCode) -> &'static str {
    match status.as_u16() {
        401 => "authentication_error",
        402 => "billing_error",
        403 => "permission_error",
        404 => "not_found_error",
        409 => "conflict_error",
        413 => "request_too_large",
        429 => "rate_limit_error",
        408 | 504 => "timeout_error",
        503 | OVERLOADED => "overloaded_error",
        500.. => "api_error",
        _ => "invalid_request_error",
    }
}

/// What a refusal means. Anthropic's own words are in `error`; what stands before it (Google, Amazon) has others.
pub(super) fn decode(refusal: &Refusal<'_>) -> Error {
    let text = std::str::from_utf8(&refusal.body).unwrap_or_default().trim();
    let body = Object::parse(text).ok();
    let error = body.as_ref().and_then(|body| body.object("error"));
    let kind = error.as_ref().and_then(|error| error.string("type"));
    let said = error.as_ref().and_then(|error| error.string("message")).or_else(|| {
        let body = body.as_ref()?;
        ["message", "Message", "detail", "error"].into_iter().find_map(|name| body.string(name))
    });
    let by_status = code_of(refusal.status);
    let code = match kind.as_deref() {
        Some(kind) => code(kind, said.as_deref().unwrap_or_default()).unwrap_or(by_status),
        None => {
            said.as_deref().filter(|_| by_status == ErrorCode::ProviderRejected).and_then(meant).unwrap_or(by_status)
        }
    };
    refusal::error(refusal, code, said.as_deref())
}

/// The error that an object tells of, under a status of success or in a stream.
pub(super) fn told_in(object: &Object<'_>, provider: &str) -> Option<Error> {
    let is_error = object.string("type").as_deref() == Some("error");
    let error = object.object("error");
    if !is_error && (error.is_none() || object.get("type").is_some()) {
        return None;
    }
    let said = error.as_ref().and_then(|error| error.string("message")).unwrap_or_else(|| "no reason given".to_owned());
    let kind = error.as_ref().and_then(|error| error.string("type")).unwrap_or_default();
    let code = code(&kind, &said).unwrap_or(ErrorCode::ProviderFailed);
    Some(told(provider, code, &said))
}

fn code(kind: &str, said: &str) -> Option<ErrorCode> {
    Some(match kind {
        "authentication_error" | "permission_error" => ErrorCode::ProviderAuthentication,
        "billing_error" => ErrorCode::ProviderCreditExhausted,
        "not_found_error" => ErrorCode::ProviderModelNotFound,
        "rate_limit_error" => meant(said).unwrap_or(ErrorCode::ProviderRateLimited),
        "overloaded_error" => ErrorCode::ProviderOverloaded,
        "timeout_error" => ErrorCode::ProviderTimeout,
        "request_too_large" | "conflict_error" => ErrorCode::ProviderRejected,
        "invalid_request_error" => meant(said).unwrap_or(ErrorCode::ProviderRejected),
        "api_error" => ErrorCode::ProviderFailed,
        _ => return None,
    })
}

/// What Anthropic says under `invalid_request_error` that is more than a wrong request.
fn meant(said: &str) -> Option<ErrorCode> {
    let lower = said.to_ascii_lowercase();
    if lower.contains("content filtering policy") {
        return Some(ErrorCode::ContentFiltered);
    }
    if lower.contains("usage limits") || lower.contains("spend limit") {
        return Some(ErrorCode::ProviderCreditExhausted);
    }
    if lower.contains("exceed context limit") {
        return Some(ErrorCode::ContextLengthExceeded);
    }
    code_of_message(said)
}
