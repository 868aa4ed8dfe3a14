//! Errors, in all the ways in which providers tell them.

use std::time::{Duration, SystemTime};

use bytes::Bytes;
use gw_core::{Error, ErrorCode, RequestId};
use http::{HeaderMap, StatusCode};
use serde_json::{Value, json};

use super::{OpenAiChat, origin};
use crate::chat::{Egress, Ingress};
use crate::error::Refusal;

fn refuse(status: u16, body: &str) -> Error {
    OpenAiChat.decode_error(Refusal {
        status: StatusCode::from_u16(status).unwrap(),
        headers: HeaderMap::new(),
        body: Bytes::copy_from_slice(body.as_bytes()),
        provider: "prov",
        credential_is_callers: false,
        now: SystemTime::UNIX_EPOCH,
    })
}

#[test]
fn a_refusal_means_what_the_provider_meant() {
    use ErrorCode as Code;
    for (status, body, code) in [
        (
            401,
            r#"{"error":{"message":"Incorrect API key sk-x","type":"invalid_request_error","code":"invalid_api_key"}}"#,
            Code::ProviderAuthentication,
        ),
        (
            400,
            r#"{"code":"Client specified an invalid argument","error":"Incorrect API key provided: xai"}"#,
            Code::ProviderAuthentication,
        ),
        (
            429,
            r#"{"error":{"message":"You exceeded your current quota","type":"insufficient_quota","code":"insufficient_quota"}}"#,
            Code::ProviderCreditExhausted,
        ),
        (402, r#"{"error":{"message":"Insufficient Balance"}}"#, Code::ProviderCreditExhausted),
        (
            429,
            r#"{"error":{"message":"Rate limit reached","type":"tokens","code":"rate_limit_exceeded"}}"#,
            Code::ProviderRateLimited,
        ),
        (429, r#"{"error":{"message":"busy","type":"engine_overloaded_error"}}"#, Code::ProviderOverloaded),
        (503, "", Code::ProviderOverloaded),
        (404, r#"{"error":{"message":"no","code":"model_not_found"}}"#, Code::ProviderModelNotFound),
        (
            400,
            r#"{"error":{"message":"This model's maximum context length is 8192 tokens.","code":"context_length_exceeded"}}"#,
            Code::ContextLengthExceeded,
        ),
        (
            400,
            r#"{"object":"error","message":"This model's maximum context length is 8192 tokens","type":"BadRequestError","code":400}"#,
            Code::ContextLengthExceeded,
        ),
        (
            400,
            r#"{"error":{"message":"filtered","code":"content_filter","innererror":{"code":"ResponsibleAIPolicyViolation"}}}"#,
            Code::ContentFiltered,
        ),
        (403, r#"{"error":{"code":403,"message":"Your input was flagged"}}"#, Code::ContentFiltered),
        (400, r#"{"error":{"message":"bad","type":"invalid_request_error"}}"#, Code::ProviderRejected),
        (422, r#"{"detail":[{"loc":["body"],"msg":"extra inputs","type":"extra_forbidden"}]}"#, Code::ProviderRejected),
        (500, "<html>", Code::ProviderFailed),
        (504, "{}", Code::ProviderTimeout),
        (302, "", Code::ProviderInvalidResponse),
    ] {
        let error = refuse(status, body);
        assert_eq!(error.code, code, "{status} {body}");
        assert!(!error.message.contains("sk-x") && !error.message.contains('<'), "{}", error.message);
    }
    assert!(refuse(422, r#"{"detail":[{"msg":"extra inputs"}]}"#).message.ends_with("extra inputs"));
}

#[test]
fn the_body_may_say_how_long_to_wait() {
    let wait = |body: Value| refuse(429, &body.to_string()).retry_after;
    let said = |message: &str| wait(json!({"error": {"message": message}}));
    assert_eq!(said("Please try again in 6.5s. Visit"), Some(Duration::from_millis(6_500)));
    assert_eq!(said("Please try again in 20ms."), Some(Duration::from_millis(20)));
    assert_eq!(said("Please try again in 1m30s"), Some(Duration::from_secs(90)));
    assert_eq!(said("Please try again in a while"), None);
    let google = json!([{"error": {"code": 429, "message": "x", "details": [{"retryDelay": "13s"}]}}]);
    assert_eq!(wait(google), Some(Duration::from_secs(13)));
}

#[test]
fn errors_under_a_status_of_success_are_errors() {
    use ErrorCode as Code;
    for (body, code) in [
        (json!({"error": {"message": "x", "code": 402}}), Code::ProviderCreditExhausted),
        (json!({"error": {"message": "x", "code": 429}, "choices": []}), Code::ProviderRateLimited),
        (json!({"error": "it broke"}), Code::ProviderFailed),
        (json!({"object": "error", "message": "x"}), Code::ProviderFailed),
        (
            json!({"success": false, "errors": [{"code": 5007, "message": "no such model"}]}),
            Code::ProviderModelNotFound,
        ),
        (json!({"base_resp": {"status_code": 1008, "status_msg": "x"}}), Code::ProviderCreditExhausted),
        (json!({"choices": [{"message": {}, "error": {"code": 502, "message": "x"}}]}), Code::ProviderFailed),
        (json!({"choices": []}), Code::ProviderInvalidResponse),
        (json!([]), Code::ProviderInvalidResponse),
    ] {
        let error = OpenAiChat.decode_answer(body.to_string().as_bytes(), &origin()).unwrap_err();
        assert_eq!(error.code, code, "{body}");
    }
    let none = json!({"error": null, "base_resp": {"status_code": 0}, "choices": [{"message": {"content": "x"}}]});
    assert!(OpenAiChat.decode_answer(none.to_string().as_bytes(), &origin()).is_ok());
}

#[test]
fn clients_are_told_in_openais_format() {
    let error = Error::new(ErrorCode::ModelNotFound, "no such model").with_param("model");
    let (status, body) = OpenAiChat.encode_error(&error, RequestId::from_u128(1));
    let body: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(status, 404);
    assert_eq!(
        body,
        json!({"error": {"message": "no such model", "type": "invalid_request_error", "param": "model", "code": "model_not_found"}})
    );
}
