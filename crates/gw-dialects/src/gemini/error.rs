//! Errors as Google tells them (google.rpc.Status): written for clients, and read from providers.

use std::time::Duration;

use bytes::Bytes;
use gw_core::{Error, ErrorCode, RequestId};
use http::StatusCode;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::wire::Object;
use crate::error::Refusal;
use crate::shared::refusal::{self, code_of, code_of_message};

/// Words that are only said about a key. Google answers a bad one with 400.
const ABOUT_KEY: [&str; 4] = ["api key not valid", "api key expired", "api_key_invalid", "api key not found"];

/// Words that are only said about money; the message of every limit of rates speaks of plan and billing too.
const ABOUT_MONEY: [&str; 4] = ["credits are depleted", "billing account", "enable billing", "billing to be enabled"];

/// An error for a client: its status and its body.
pub(super) fn encode(error: &Error, request_id: RequestId) -> (StatusCode, Bytes) {
    let (status, name) = status(error);
    let mut message = error.message.to_string();
    if status.is_server_error() {
        message = format!("{message} (request id {request_id})");
    }
    let kind = |name: &str| format!("type.googleapis.com/google.rpc.{name}");
    let mut details = vec![
        json!({"@type": kind("ErrorInfo"), "reason": error.code.name().to_ascii_uppercase(), "domain": "ai-gateway"}),
        json!({"@type": kind("RequestInfo"), "requestId": request_id.as_str()}),
    ];
    if let Some(wait) = error.retry_after {
        // Whole seconds, rounded up: clients that come early are refused again.
        let seconds = wait.as_secs().saturating_add(u64::from(wait.subsec_nanos() > 0));
        details.push(json!({"@type": kind("RetryInfo"), "retryDelay": format!("{seconds}s")}));
    }
    let body = json!({"error": {"code": status.as_u16(), "message": message, "status": name, "details": details}});
    (status, Bytes::from(body.to_string()))
}

/// The HTTP status and the name of google.rpc that stand for an error.
fn status(error: &Error) -> (StatusCode, &'static str) {
    let status = error.status();
    if error.code == ErrorCode::ProviderCreditExhausted {
        // Google's clients try 429 again, which is of no use.
        return (StatusCode::BAD_REQUEST, "FAILED_PRECONDITION");
    }
    let name = match status.as_u16() {
        401 => "UNAUTHENTICATED",
        403 => "PERMISSION_DENIED",
        404 => "NOT_FOUND",
        408 | 504 => "DEADLINE_EXCEEDED",
        409 => "ABORTED",
        429 => "RESOURCE_EXHAUSTED",
        499 => "CANCELLED",
        501 => "UNIMPLEMENTED",
        503 | 529 => "UNAVAILABLE",
        500.. => "INTERNAL",
        _ => "INVALID_ARGUMENT",
    };
    (status, name)
}

/// What a refusal means.
pub(super) fn decode(refusal: &Refusal<'_>) -> Error {
    let text = std::str::from_utf8(&refusal.body).map(str::trim).unwrap_or_default();
    let said = Object::parse(listed(text)).and_then(|mut body| Said::take(&mut body));
    let Some(said) = said else {
        return refusal::error(refusal, code_of(refusal.status), None);
    };
    let mut error = refusal::error(refusal, said.code(Some(refusal.status)), Some(&said.message));
    // What a header says was meant for programs: it goes first.
    error.retry_after = error.retry_after.or(said.retry_after);
    error
}

/// The first object of a list, as an error of a stream may stand in one; else the text itself.
pub(super) fn listed(text: &str) -> &str {
    if !text.trim_start().starts_with('[') {
        return text;
    }
    let list: Option<Vec<&RawValue>> = serde_json::from_str(text).ok();
    list.and_then(|list| list.first().map(|first| first.get())).unwrap_or(text)
}

/// What an error says.
#[derive(Debug, Default)]
pub(super) struct Said {
    pub(super) message: String,
    http: u16,
    status: String,
    /// `ErrorInfo.reason`.
    reason: String,
    /// The limits that were reached (`QuotaFailure`).
    quotas: Vec<String>,
    retry_after: Option<Duration>,
}

impl Said {
    /// Takes the error out of an answer; `None` if there is none.
    pub(super) fn take(body: &mut Object<'_>) -> Option<Self> {
        let mut error = match body.object("error") {
            Ok(error) => error?,
            // Some proxies tell no more than a text.
            Err(_) => return Some(Self::default()),
        };
        let mut said = Self {
            message: error.get("message").unwrap_or_default(),
            http: error.number("code").and_then(|code| u16::try_from(code).ok()).unwrap_or_default(),
            status: error.get("status").unwrap_or_default(),
            ..Self::default()
        };
        let details: Vec<Value> = error.get("details").unwrap_or_default();
        details.iter().for_each(|detail| said.detail(detail));
        Some(said)
    }

    fn detail(&mut self, detail: &Value) {
        let word = |name: &str| detail.get(name).and_then(Value::as_str);
        match word("@type").and_then(|kind| kind.rsplit('.').next()) {
            Some("ErrorInfo") => self.reason = word("reason").unwrap_or_default().to_owned(),
            Some("RetryInfo") => self.retry_after = detail.get("retryDelay").and_then(delay),
            Some("QuotaFailure") => {
                let violations = detail.get("violations").and_then(Value::as_array);
                let ids = violations.into_iter().flatten().filter_map(|violation| violation.get("quotaId")?.as_str());
                self.quotas.extend(ids.map(str::to_owned));
            }
            _ => {}
        }
    }

    /// What it means.
    pub(super) fn code(&self, status: Option<StatusCode>) -> ErrorCode {
        let message = self.message.to_ascii_lowercase();
        let says = |words: &[&str]| words.iter().any(|words| message.contains(words));
        if self.reason.starts_with("API_KEY_") || says(&ABOUT_KEY) {
            return ErrorCode::ProviderAuthentication;
        }
        match self.status.as_str() {
            "RESOURCE_EXHAUSTED" => self.exhausted(says(&ABOUT_MONEY)),
            "FAILED_PRECONDITION" | "PERMISSION_DENIED" if says(&ABOUT_MONEY) => ErrorCode::ProviderCreditExhausted,
            "UNAUTHENTICATED" | "PERMISSION_DENIED" => ErrorCode::ProviderAuthentication,
            "NOT_FOUND" => ErrorCode::ProviderModelNotFound,
            "UNAVAILABLE" => ErrorCode::ProviderOverloaded,
            "DEADLINE_EXCEEDED" => ErrorCode::ProviderTimeout,
            "INTERNAL" | "UNKNOWN" | "ABORTED" | "CANCELLED" | "DATA_LOSS" => ErrorCode::ProviderFailed,
            "INVALID_ARGUMENT" | "OUT_OF_RANGE" | "FAILED_PRECONDITION" => {
                code_of_message(&self.message).unwrap_or(ErrorCode::ProviderRejected)
            }
            _ => {
                let status = status.or_else(|| StatusCode::from_u16(self.http).ok());
                match status {
                    Some(StatusCode::TOO_MANY_REQUESTS) => self.exhausted(says(&ABOUT_MONEY)),
                    Some(status) if status.is_client_error() => {
                        code_of_message(&self.message).unwrap_or_else(|| code_of(status))
                    }
                    Some(status) => code_of(status),
                    None => ErrorCode::ProviderFailed,
                }
            }
        }
    }

    /// An allowance of the day is gone until tomorrow: it is no use to wait for it.
    fn exhausted(&self, is_about_money: bool) -> ErrorCode {
        if is_about_money || self.quotas.iter().any(|quota| quota.contains("PerDay")) {
            return ErrorCode::ProviderCreditExhausted;
        }
        ErrorCode::ProviderRateLimited
    }
}

/// A duration of protobuf: `34.5s`, or an object with seconds and nanoseconds.
fn delay(value: &Value) -> Option<Duration> {
    if let Some(text) = value.as_str() {
        let seconds: f64 = text.strip_suffix('s')?.parse().ok()?;
        return Duration::try_from_secs_f64(seconds).ok();
    }
    let seconds = value.get("seconds")?;
    let seconds = seconds.as_u64().or_else(|| seconds.as_str()?.parse().ok())?;
    let nanos = value.get("nanos").and_then(Value::as_u64).unwrap_or(0);
    Duration::from_secs(seconds).checked_add(Duration::from_nanos(nanos))
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use http::HeaderMap;

    use super::*;

    fn refused(status: u16, body: &Value) -> Error {
        let refusal = Refusal {
            status: StatusCode::from_u16(status).unwrap(),
            headers: HeaderMap::new(),
            body: Bytes::from(body.to_string()),
            provider: "google",
            credential_is_callers: false,
            now: SystemTime::UNIX_EPOCH,
        };
        decode(&refusal)
    }

    fn told(code: u16, status: &str, message: &str) -> Value {
        json!({"error": {"code": code, "message": message, "status": status}})
    }

    #[test]
    fn googles_words_tell_what_went_wrong() {
        for (status, name, message, code) in [
            (
                400,
                "INVALID_ARGUMENT",
                "API key not valid. Please pass a valid API key.",
                ErrorCode::ProviderAuthentication,
            ),
            (400, "INVALID_ARGUMENT", "Unknown name \"x\"", ErrorCode::ProviderRejected),
            (
                400,
                "INVALID_ARGUMENT",
                "The input token count (9) exceeds the maximum number of tokens allowed (8).",
                ErrorCode::ContextLengthExceeded,
            ),
            (403, "PERMISSION_DENIED", "no", ErrorCode::ProviderAuthentication),
            (
                403,
                "PERMISSION_DENIED",
                "This API method requires billing to be enabled.",
                ErrorCode::ProviderCreditExhausted,
            ),
            (404, "NOT_FOUND", "models/x is not found", ErrorCode::ProviderModelNotFound),
            // Said of every limit, not of money alone.
            (
                429,
                "RESOURCE_EXHAUSTED",
                "You exceeded your current quota, please check your plan",
                ErrorCode::ProviderRateLimited,
            ),
            (499, "CANCELLED", "gone", ErrorCode::ProviderFailed),
            (500, "INTERNAL", "oops", ErrorCode::ProviderFailed),
            (503, "UNAVAILABLE", "The model is overloaded.", ErrorCode::ProviderOverloaded),
            (504, "DEADLINE_EXCEEDED", "late", ErrorCode::ProviderTimeout),
            (503, "", "", ErrorCode::ProviderOverloaded),
        ] {
            let body = told(status, name, message);
            assert_eq!(refused(status, &body).code, code, "{name} {message}");
            assert_eq!(refused(status, &json!([body])).code, code, "{name} {message}, in a list");
        }
        assert_eq!(refused(502, &json!("a page")).code, ErrorCode::ProviderFailed);
    }

    #[test]
    fn limits_say_how_long_to_wait() {
        let limited = |quota: &str| {
            json!({"error": {"code": 429, "message": "quota", "status": "RESOURCE_EXHAUSTED", "details": [
                {"@type": "type.googleapis.com/google.rpc.QuotaFailure", "violations": [{"quotaId": quota}]},
                {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "34.5s"}
            ]}})
        };
        let error = refused(429, &limited("GenerateRequestsPerMinutePerProjectPerModel"));
        assert_eq!(
            (error.code, error.retry_after),
            (ErrorCode::ProviderRateLimited, Some(Duration::from_millis(34_500)))
        );
        let error = refused(429, &limited("GenerateRequestsPerDayPerProjectPerModel-FreeTier"));
        assert_eq!(error.code, ErrorCode::ProviderCreditExhausted);
    }

    #[test]
    fn clients_get_googles_status_and_details() {
        let error =
            Error::new(ErrorCode::ProviderRateLimited, "slow down").with_retry_after(Duration::from_millis(1_200));
        let (status, body) = encode(&error, RequestId::from_u128(1));
        let body: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!((status.as_u16(), &body["error"]["status"]), (429, &json!("RESOURCE_EXHAUSTED")));
        assert_eq!(body["error"]["details"][2]["retryDelay"], "2s");
        for (code, status, name) in [
            (ErrorCode::InvalidRequest, 400, "INVALID_ARGUMENT"),
            (ErrorCode::InvalidApiKey, 401, "UNAUTHENTICATED"),
            (ErrorCode::ModelNotFound, 404, "NOT_FOUND"),
            (ErrorCode::RequestTooLarge, 413, "INVALID_ARGUMENT"),
            (ErrorCode::ProviderCreditExhausted, 400, "FAILED_PRECONDITION"),
            (ErrorCode::ProviderFailed, 502, "INTERNAL"),
            (ErrorCode::Overloaded, 503, "UNAVAILABLE"),
            (ErrorCode::DeadlineExceeded, 504, "DEADLINE_EXCEEDED"),
        ] {
            let (told, body) = encode(&Error::new(code, "m"), RequestId::from_u128(1));
            let body: Value = serde_json::from_slice(&body).unwrap();
            assert_eq!(
                (told.as_u16(), &body["error"]["code"], &body["error"]["status"]),
                (status, &json!(status), &json!(name))
            );
        }
    }
}
