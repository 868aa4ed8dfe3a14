//! Errors as OpenRouter tells them: `{"error": {"code": 404, "message": …, "metadata": {"error_type": …}}}`.

use bytes::Bytes;
use gw_core::{Error, ErrorCode, RequestId};
use http::StatusCode;
use serde_json::{Value, json};

/// The status and the body of an error.
pub(crate) fn encode(error: &Error, request_id: RequestId) -> (StatusCode, Bytes) {
    let status = error.status();
    if let Some(upstream) = &error.upstream
        && is_openrouters(&upstream.body)
    {
        return (status, upstream.body.clone());
    }
    let mut metadata = json!({ "error_type": kind(error), "gateway_code": error.code.name() });
    if let (Some(metadata), Some(param)) = (metadata.as_object_mut(), error.param) {
        metadata.insert("param".to_owned(), param.into());
    }
    let told = json!({ "code": status.as_u16(), "message": error.message, "metadata": metadata });
    (status, Bytes::from(json!({ "error": told, "request_id": request_id.as_str() }).to_string()))
}

/// Whether a provider's own words are OpenRouter's, whose codes are numbers.
fn is_openrouters(body: &[u8]) -> bool {
    serde_json::from_slice::<Value>(body).is_ok_and(|body| body["error"]["code"].is_number())
}

/// What OpenRouter calls it.
fn kind(error: &Error) -> &'static str {
    match error.code {
        ErrorCode::ContextLengthExceeded => "context_length_exceeded",
        ErrorCode::ContentFiltered => "content_policy_violation",
        ErrorCode::InternalError => "server",
        _ => match error.status().as_u16() {
            401 => "authentication",
            402 => "payment_required",
            403 => "permission_denied",
            404 => "not_found",
            408 | 504 => "timeout",
            412 => "precondition_failed",
            413 => "payload_too_large",
            422 => "unprocessable",
            429 => "rate_limit_exceeded",
            503 | 529 => "provider_overloaded",
            500..600 => "provider_unavailable",
            _ => "invalid_request",
        },
    }
}
