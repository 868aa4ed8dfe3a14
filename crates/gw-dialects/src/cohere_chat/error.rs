//! Cohere's errors: `{"id", "message"}` with a status that says most.

use gw_core::{Error, ErrorCode};
use serde_json::Value;

use crate::error::Refusal;
use crate::shared::refusal::{self, code_of, code_of_message};

/// What a refusal means.
pub(super) fn decode(refusal: &Refusal<'_>) -> Error {
    let body: Value = serde_json::from_slice(&refusal.body).unwrap_or_default();
    let said = body["message"].as_str().or_else(|| body["error"].as_str());
    refusal::error(refusal, code(refusal, said.unwrap_or_default()), said)
}

fn code(refusal: &Refusal<'_>, said: &str) -> ErrorCode {
    let said_lower = said.to_ascii_lowercase();
    let says = |words: &str| said_lower.contains(words);
    match refusal.status.as_u16() {
        // A key for trials has calls for a month; no waiting that a client would do brings new ones.
        429 if says("/ month") || says("per month") => ErrorCode::ProviderCreditExhausted,
        // Named "invalid token" in Cohere's document: the credential, not a token of text.
        498 => ErrorCode::ProviderAuthentication,
        // "Client closed": a request that Cohere gave up on, not one that is wrong.
        499 => ErrorCode::ProviderFailed,
        400 | 422 if says("blocked") => ErrorCode::ContentFiltered,
        400 | 422 if says("model") && says("not found") => ErrorCode::ProviderModelNotFound,
        400 | 413 | 422 => code_of_message(said).unwrap_or_else(|| code_of(refusal.status)),
        _ => code_of(refusal.status),
    }
}
