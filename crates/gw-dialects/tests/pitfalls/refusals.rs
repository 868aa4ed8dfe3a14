//! What a provider refuses.

use std::time::SystemTime;

use bytes::Bytes;
use gw_core::ErrorCode;
use gw_dialects::DialectId::{self, AnthropicMessages, BedrockConverse, Gemini, OpenAiChat};
use gw_dialects::chat;
use gw_dialects::error::Refusal;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use serde_json::{Value, json};

fn refused(dialect: DialectId, status: u16, headers: &[(&'static str, &'static str)], body: &Value) -> gw_core::Error {
    let headers = headers.iter().map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
    let refusal = Refusal {
        status: StatusCode::from_u16(status).unwrap(),
        headers: HeaderMap::from_iter(headers),
        body: Bytes::from(body.to_string()),
        provider: "p",
        credential_is_callers: false,
        now: SystemTime::UNIX_EPOCH,
    };
    chat::egress(dialect).unwrap().decode_error(refusal)
}

#[test]
fn a_refusal_is_of_the_class_that_the_provider_meant() {
    // pitfalls, error classes.
    let claude = |kind: &str, message: &str| json!({"type": "error", "error": {"type": kind, "message": message}});
    let google =
        |code: u16, status: &str, message: &str| json!({"error": {"code": code, "status": status, "message": message}});
    let openai = |code: &str| json!({"error": {"message": "m", "type": code, "code": code}});
    for (dialect, status, headers, body, code) in [
        (AnthropicMessages, 529, vec![], claude("overloaded_error", "Overloaded"), ErrorCode::ProviderOverloaded),
        (AnthropicMessages, 413, vec![], claude("request_too_large", "too large"), ErrorCode::ProviderRejected),
        (
            AnthropicMessages,
            400,
            vec![],
            claude("invalid_request_error", "Your credit balance is too low to access the Anthropic API."),
            ErrorCode::ProviderCreditExhausted,
        ),
        (
            BedrockConverse,
            500,
            vec![("x-amzn-errortype", "InternalServerException")],
            json!({"message": "m"}),
            ErrorCode::ProviderFailed,
        ),
        (
            BedrockConverse,
            424,
            vec![("x-amzn-errortype", "ModelErrorException")],
            json!({"message": "m"}),
            ErrorCode::ProviderFailed,
        ),
        (Gemini, 403, vec![], google(403, "PERMISSION_DENIED", "m"), ErrorCode::ProviderAuthentication),
        (OpenAiChat, 403, vec![], openai("forbidden"), ErrorCode::ProviderAuthentication),
        (OpenAiChat, 429, vec![], openai("insufficient_quota"), ErrorCode::ProviderCreditExhausted),
    ] {
        let found = refused(dialect, status, &headers, &body);
        assert_eq!(found.code, code, "{dialect:?} {status}: {}", found.message);
    }
    let delay = json!({"error": {"code": 429, "status": "RESOURCE_EXHAUSTED", "message": "m", "details": [
        {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "7s"}]}});
    let found = refused(Gemini, 429, &[], &delay);
    assert_eq!(found.retry_after.map(|after| after.as_secs()), Some(7));
}
