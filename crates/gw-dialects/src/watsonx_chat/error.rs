//! watsonx.ai's errors: `{"errors": [{"code", "message"}], "trace", "status_code"}`.

use gw_core::{Error, ErrorCode};
use serde_json::Value;

use crate::error::Refusal;
use crate::shared::refusal::{self, code_of, code_of_message};

/// What a refusal means.
pub(super) fn decode(refusal: &Refusal<'_>) -> Error {
    let body: Value = serde_json::from_slice(&refusal.body).unwrap_or_default();
    let first = &body["errors"][0];
    let said = first["message"].as_str().or_else(|| body["message"].as_str());
    let code = code_of_error(first).unwrap_or_else(|| code_of(refusal.status));
    refusal::error(refusal, code, said)
}

/// An error where an answer was to be.
pub(super) fn told(provider: &str, error: &Value) -> Error {
    let code = code_of_error(error).unwrap_or(ErrorCode::ProviderFailed);
    refusal::told(provider, code, error["message"].as_str().unwrap_or("no reason given"))
}

/// What IBM's own code says beyond the status.
fn code_of_error(error: &Value) -> Option<ErrorCode> {
    match error["code"].as_str().unwrap_or_default() {
        // Under 403: the plan's tokens are used up.
        "token_quota_reached" => Some(ErrorCode::ProviderCreditExhausted),
        "model_not_supported" => Some(ErrorCode::ProviderModelNotFound),
        "rate_limit_reached_requests" => Some(ErrorCode::ProviderRateLimited),
        "authentication_token_expired" | "authentication_token_not_valid" => Some(ErrorCode::ProviderAuthentication),
        _ => error["message"].as_str().and_then(code_of_message),
    }
}
