//! Ollama's errors: `{"error": "text"}`, with a status or, once a stream has begun, as a line of it.

use gw_core::{Error, ErrorCode};
use serde_json::Value;

use crate::error::Refusal;
use crate::shared::refusal::{self, code_of, code_of_message};

/// What a refusal means.
pub(super) fn decode(refusal: &Refusal<'_>) -> Error {
    let body: Value = serde_json::from_slice(&refusal.body).unwrap_or_default();
    let error = &body["error"];
    let said = error.as_str().or_else(|| error["message"].as_str()).or_else(|| body["message"].as_str());
    // Plain text is not Ollama's: it tells of a base URL that leads elsewhere.
    let text = std::str::from_utf8(&refusal.body).ok().filter(|text| body.is_null() && !text.starts_with('<'));
    let said = said.or(text);
    let code = match code_of(refusal.status) {
        code @ (ErrorCode::ProviderRejected | ErrorCode::ProviderFailed) => said.and_then(code_of_text).unwrap_or(code),
        code => code,
    };
    refusal::error(refusal, code, said)
}

/// What Ollama's own words mean; it has no codes.
pub(super) fn code_of_text(said: &str) -> Option<ErrorCode> {
    let lower = said.to_ascii_lowercase();
    let says = |words: &str| lower.contains(words);
    if says("model") && (says("not found") || says("try pulling")) {
        return Some(ErrorCode::ProviderModelNotFound);
    }
    if says("server busy") || says("maximum pending requests") {
        return Some(ErrorCode::ProviderOverloaded);
    }
    code_of_message(said)
}
