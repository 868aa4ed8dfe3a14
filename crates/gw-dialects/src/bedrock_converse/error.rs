//! What Bedrock says went wrong: under a status of its own, or inside a stream.

use gw_core::{Error, ErrorCode};
use http::HeaderName;
use serde_json::Value;

use crate::error::Refusal;
use crate::event_stream::Message;
use crate::shared::refusal;

/// Names the exception, with an address behind a colon at times.
const ERROR_TYPE: HeaderName = HeaderName::from_static("x-amzn-errortype");

/// What a refusal means.
pub(super) fn decode(refused: &Refusal<'_>) -> Error {
    let body: Value = serde_json::from_slice(&refused.body).unwrap_or_default();
    let header = refused.headers.get(ERROR_TYPE).and_then(|value| value.to_str().ok());
    let exception = header.or_else(|| body.get("__type").or_else(|| body.get("code"))?.as_str()).map(plain);
    let said = said(&body);
    let code = exception.and_then(|exception| code(exception, said.unwrap_or_default()));
    let code = code.or_else(|| refusal::code_of_message(said?)).unwrap_or_else(|| refusal::code_of(refused.status));
    refusal::error(refused, code, said)
}

/// What a message of a stream that is no event says: an exception with a body, or an error in its headers.
pub(super) fn of_message(message: &Message, provider: &str) -> Error {
    let body: Value = serde_json::from_slice(&message.payload).unwrap_or_default();
    let exception = message.header(":exception-type").or_else(|| message.header(":error-code")).map(plain);
    let said = said(&body).or_else(|| message.header(":error-message")).or(exception).unwrap_or("no reason given");
    let code = exception.and_then(|exception| code(exception, said)).unwrap_or(ErrorCode::ProviderFailed);
    refusal::told(provider, code, said)
}

fn said(body: &Value) -> Option<&str> {
    ["message", "Message", "originalMessage"].into_iter().find_map(|name| body.get(name)?.as_str())
}

/// The name of an exception: `com.amazon.coral.service#ThrottlingException`, `ThrottlingException:http://…`.
fn plain(exception: &str) -> &str {
    let name = exception.split(':').next().unwrap_or_default();
    name.rsplit('#').next().unwrap_or_default().trim()
}

/// What an exception means; streams begin their names with a small letter. The words count only where the name leaves it
/// open: "too many tokens" is a rate in one and a length in the other.
fn code(exception: &str, said: &str) -> Option<ErrorCode> {
    let exception = exception.to_ascii_lowercase();
    Some(match exception.trim_end_matches("exception") {
        "throttling" | "throttled" | "toomanyrequests" | "requestlimitexceeded" => ErrorCode::ProviderRateLimited,
        "servicequotaexceeded" => ErrorCode::ProviderCreditExhausted,
        "modelnotready" | "serviceunavailable" => ErrorCode::ProviderOverloaded,
        "modeltimeout" => ErrorCode::ProviderTimeout,
        "modelerror" | "modelstreamerror" | "internalserver" | "internalfailure" | "internalservererror" => {
            ErrorCode::ProviderFailed
        }
        "resourcenotfound" => ErrorCode::ProviderModelNotFound,
        "accessdenied" if about_model(said) => ErrorCode::ProviderModelNotFound,
        "accessdenied"
        | "unrecognizedclient"
        | "invalidsignature"
        | "incompletesignature"
        | "signaturedoesnotmatch"
        | "missingauthenticationtoken"
        | "invalidclienttokenid"
        | "expiredtoken"
        | "optinrequired"
        | "notauthorized" => ErrorCode::ProviderAuthentication,
        "validation" => invalid(said),
        _ => return None,
    })
}

/// What an invalid request means: most that goes wrong has this name.
fn invalid(said: &str) -> ErrorCode {
    let lower = said.to_ascii_lowercase();
    let says = |words: &[&str]| words.iter().any(|words| lower.contains(words));
    if says(&["model identifier is invalid", "on-demand throughput", "retrieve the model", "end of its life"]) {
        ErrorCode::ProviderModelNotFound
    } else if says(&["content filter", "content policy", "blocked by guardrail"]) {
        ErrorCode::ContentFiltered
    } else if says(&[
        "input is too long",
        "prompt is too long",
        "input length and",
        "too many input tokens",
        "exceed context limit",
    ]) {
        ErrorCode::ContextLengthExceeded
    } else {
        refusal::code_of_message(said).unwrap_or(ErrorCode::ProviderRejected)
    }
}

fn about_model(said: &str) -> bool {
    let lower = said.to_ascii_lowercase();
    ["access to the model", "model access", "model is not available"].iter().any(|words| lower.contains(words))
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use bytes::Bytes;
    use http::{HeaderMap, HeaderValue, StatusCode};

    use super::*;

    fn refusal<'a>(status: u16, exception: &'static str, body: &'static str) -> Refusal<'a> {
        let mut headers = HeaderMap::new();
        if !exception.is_empty() {
            headers.insert(ERROR_TYPE, HeaderValue::from_static(exception));
        }
        let status = StatusCode::from_u16(status).unwrap();
        let body = Bytes::from_static(body.as_bytes());
        Refusal { status, headers, body, provider: "aws", credential_is_callers: false, now: SystemTime::UNIX_EPOCH }
    }

    #[test]
    fn each_exception_means_what_it_says() {
        for (status, exception, body, code) in [
            (
                429,
                "ThrottlingException:http://internal.amazon.com/coral/com.amazon.bedrock/",
                r#"{"message":"Too many tokens, please wait before trying again."}"#,
                ErrorCode::ProviderRateLimited,
            ),
            (
                400,
                "ValidationException",
                r#"{"message":"Input is too long for requested model."}"#,
                ErrorCode::ContextLengthExceeded,
            ),
            (
                400,
                "ValidationException",
                r#"{"message":"The provided model identifier is invalid."}"#,
                ErrorCode::ProviderModelNotFound,
            ),
            (
                400,
                "",
                r#"{"__type":"com.amazon.coral.validate#ValidationException","message":"messages: bad"}"#,
                ErrorCode::ProviderRejected,
            ),
            (400, "ServiceQuotaExceededException", r#"{"message":"quota"}"#, ErrorCode::ProviderCreditExhausted),
            (408, "ModelTimeoutException", r#"{"message":"slow"}"#, ErrorCode::ProviderTimeout),
            (424, "ModelErrorException", r#"{"message":"broke","originalStatusCode":500}"#, ErrorCode::ProviderFailed),
            (429, "ModelNotReadyException", r#"{"message":"wait"}"#, ErrorCode::ProviderOverloaded),
            (
                403,
                "AccessDeniedException",
                r#"{"Message":"User: arn is not authorized"}"#,
                ErrorCode::ProviderAuthentication,
            ),
            (
                403,
                "AccessDeniedException",
                r#"{"message":"You don't have access to the model with the specified model ID."}"#,
                ErrorCode::ProviderModelNotFound,
            ),
            (
                403,
                "UnrecognizedClientException",
                r#"{"message":"The security token is invalid"}"#,
                ErrorCode::ProviderAuthentication,
            ),
            (404, "ResourceNotFoundException", "{}", ErrorCode::ProviderModelNotFound),
            (500, "InternalServerException", "{}", ErrorCode::ProviderFailed),
            (503, "ServiceUnavailableException", "{}", ErrorCode::ProviderOverloaded),
            (502, "", "<html>", ErrorCode::ProviderFailed),
        ] {
            assert_eq!(decode(&refusal(status, exception, body)).code, code, "{exception} {body}");
        }
    }

    #[test]
    fn a_refusal_of_the_gateways_credential_says_nothing_of_it() {
        let body = r#"{"message":"The security token AKIA1 is invalid"}"#;
        let error = decode(&refusal(403, "UnrecognizedClientException", body));
        assert!(!error.message.contains("AKIA1"), "{error}");
    }

    #[test]
    fn a_stream_that_fails_says_why() {
        let exception = Message::new(
            &[(":message-type", "exception"), (":exception-type", "modelStreamErrorException")],
            r#"{"message":"broke","originalStatusCode":500}"#,
        );
        let error = of_message(&exception, "aws");
        assert_eq!(error.code, ErrorCode::ProviderFailed);
        assert!(error.message.contains("broke"), "{error}");
        let fault = Message::new(
            &[(":message-type", "error"), (":error-code", "ThrottlingException"), (":error-message", "slow down")],
            "",
        );
        let error = of_message(&fault, "aws");
        assert_eq!(error.code, ErrorCode::ProviderRateLimited);
        assert!(error.message.contains("slow down"), "{error}");
    }
}
