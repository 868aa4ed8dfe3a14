//! What a provider's refusal means: from its status, from the words of `error.code` and `error.type`, from its message.

use std::time::Duration;

use gw_core::{Error, ErrorCode};
use serde_json::Value;

use super::read::text;
use crate::error::Refusal;
use crate::shared::refusal::{code_of, code_of_message, error, told};

/// The longest wait that is believed.
const WAIT_MAX: Duration = Duration::from_secs(24 * 60 * 60);

/// What a refusal means.
pub(super) fn decode(refusal: &Refusal<'_>) -> Error {
    let body: Value = serde_json::from_slice(&refusal.body).unwrap_or_default();
    // Some providers leave the envelope out, or say `"error": "text"`.
    let said = body.get("error").filter(|error| !error.is_null()).unwrap_or(&body);
    let message = match said.as_str() {
        Some(message) => message,
        None => ["message", "detail"]
            .into_iter()
            .map(|name| text(said, name))
            .find(|text| !text.is_empty())
            .unwrap_or_default(),
    };
    let code = code_of_words(said).or_else(|| code_of_message(message)).unwrap_or_else(|| code_of(refusal.status));
    let raw = if body.is_null() {
        std::str::from_utf8(&refusal.body).ok().filter(|text| !text.trim().starts_with('<'))
    } else {
        None
    };
    let mut error = error(refusal, code, raw.or(Some(message)));
    error.retry_after = error.retry_after.or_else(|| wait(message));
    error
}

/// An error that is told inside a stream or an answer: an object with a `code` and a `message`.
pub(super) fn inside(provider: &str, said: &Value) -> Error {
    let message = text(said, "message");
    let code = code_of_words(said).or_else(|| code_of_message(message)).unwrap_or(ErrorCode::ProviderFailed);
    let shown = if message.is_empty() { "no reason given" } else { message };
    let mut error = told(provider, code, shown);
    error.retry_after = wait(message);
    error
}

/// OpenAI's words for what went wrong.
fn code_of_words(said: &Value) -> Option<ErrorCode> {
    ["code", "type"].into_iter().find_map(|name| {
        Some(match text(said, name) {
            "invalid_api_key" | "authentication_error" | "permission_error" | "invalid_authentication" => {
                ErrorCode::ProviderAuthentication
            }
            "insufficient_quota" | "billing_hard_limit_reached" | "billing_not_active" => {
                ErrorCode::ProviderCreditExhausted
            }
            "rate_limit_exceeded" | "rate_limit_error" | "tokens" | "requests" => ErrorCode::ProviderRateLimited,
            "context_length_exceeded" => ErrorCode::ContextLengthExceeded,
            "model_not_found" => ErrorCode::ProviderModelNotFound,
            "content_filter"
            | "content_policy_violation"
            | "invalid_prompt"
            | "bio_policy"
            | "image_content_policy_violation" => ErrorCode::ContentFiltered,
            "server_is_overloaded" | "overloaded_error" | "slow_down" => ErrorCode::ProviderOverloaded,
            // `server_error` says no more than the status.
            _ => return None,
        })
    })
}

/// The code that an answer which failed tells the client (`ResponseErrorCode`; the first two OpenAI sends too).
pub(super) fn code_name(code: ErrorCode) -> &'static str {
    match code {
        ErrorCode::ContextLengthExceeded => "context_length_exceeded",
        ErrorCode::ProviderCreditExhausted => "insufficient_quota",
        ErrorCode::ProviderRateLimited => "rate_limit_exceeded",
        ErrorCode::ContentFiltered => "invalid_prompt",
        _ => "server_error",
    }
}

/// How long a message asks to wait: "Please try again in 1.898s", "in 6m0s", "in 250ms".
fn wait(message: &str) -> Option<Duration> {
    let (_, rest) = message.split_once("try again in ")?;
    let mut rest = rest;
    let mut seconds = 0.0;
    while let Some(length) = rest.find(|c: char| !c.is_ascii_digit() && c != '.').filter(|length| *length > 0) {
        let (number, unit) = rest.split_at(length);
        let Ok(number) = number.parse::<f64>() else { break };
        let (factor, width) = if unit.starts_with("ms") {
            (0.001, 2)
        } else if unit.starts_with('s') {
            (1.0, 1)
        } else if unit.starts_with('m') {
            (60.0, 1)
        } else if unit.starts_with('h') {
            (3600.0, 1)
        } else {
            break;
        };
        seconds += number * factor;
        rest = unit.get(width..).unwrap_or_default();
    }
    Duration::try_from_secs_f64(seconds).ok().filter(|wait| !wait.is_zero()).map(|wait| wait.min(WAIT_MAX))
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use bytes::Bytes;
    use http::{HeaderMap, StatusCode};

    use super::*;

    fn refused(status: u16, body: &'static str) -> Error {
        decode(&Refusal {
            status: StatusCode::from_u16(status).unwrap(),
            headers: HeaderMap::new(),
            body: Bytes::from_static(body.as_bytes()),
            provider: "p",
            credential_is_callers: false,
            now: SystemTime::UNIX_EPOCH,
        })
    }

    #[test]
    fn openais_refusals_mean_what_their_words_say() {
        for (status, body, code) in [
            (
                401,
                r#"{"error":{"message":"Incorrect API key","type":"invalid_request_error","param":null,"code":"invalid_api_key"}}"#,
                ErrorCode::ProviderAuthentication,
            ),
            (
                429,
                r#"{"error":{"message":"You exceeded your current quota","type":"insufficient_quota","param":null,"code":"insufficient_quota"}}"#,
                ErrorCode::ProviderCreditExhausted,
            ),
            (
                429,
                r#"{"error":{"message":"Rate limit reached. Please try again in 1.5s.","type":"tokens","param":null,"code":"rate_limit_exceeded"}}"#,
                ErrorCode::ProviderRateLimited,
            ),
            (
                400,
                r#"{"error":{"message":"Your input exceeds the context window","type":"invalid_request_error","param":"input","code":"context_length_exceeded"}}"#,
                ErrorCode::ContextLengthExceeded,
            ),
            (
                400,
                r#"{"error":{"message":"The requested model 'x' does not exist.","type":"invalid_request_error","param":"model","code":"model_not_found"}}"#,
                ErrorCode::ProviderModelNotFound,
            ),
            (
                400,
                r#"{"error":{"message":"Invalid prompt","type":"invalid_request_error","param":null,"code":"invalid_prompt"}}"#,
                ErrorCode::ContentFiltered,
            ),
            (
                400,
                r#"{"error":{"message":"Unknown parameter: 'x'.","type":"invalid_request_error","param":"x","code":"unknown_parameter"}}"#,
                ErrorCode::ProviderRejected,
            ),
            (
                503,
                r#"{"error":{"message":"Slow down","type":"server_error","param":null,"code":"slow_down"}}"#,
                ErrorCode::ProviderOverloaded,
            ),
            (500, "<html>", ErrorCode::ProviderFailed),
            (504, "", ErrorCode::ProviderTimeout),
        ] {
            assert_eq!(refused(status, body).code, code, "{body}");
        }
        assert!(!refused(401, r#"{"error":{"message":"key sk-12"}}"#).message.contains("sk-12"));
    }

    #[test]
    fn a_message_says_how_long_to_wait() {
        for (message, milliseconds) in [
            ("Please try again in 1.5s. Visit", Some(1_500)),
            ("Please try again in 250ms.", Some(250)),
            ("Please try again in 6m0s.", Some(360_000)),
            ("try again in a moment", None),
            ("no", None),
        ] {
            assert_eq!(wait(message), milliseconds.map(Duration::from_millis), "{message}");
        }
    }
}
