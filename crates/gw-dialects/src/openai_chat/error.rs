//! What a provider says is wrong: in a refusal, under a status of success, and inside a stream.

use std::time::Duration;

use gw_core::{Error, ErrorCode};
use http::StatusCode;
use serde_json::Value;

use crate::error::Refusal;
use crate::scan::Object;
use crate::shared::refusal;

/// Values of `error` that say there is none.
const NO_ERROR: [&str; 5] = ["{}", "\"\"", "false", "0", "[]"];

/// What a provider said.
#[derive(Debug, Default)]
struct Said {
    message: Option<String>,
    /// Its words for the kind of error: `type`, `code`, `status`.
    words: Vec<String>,
    /// How long to wait, if the body says it.
    wait: Option<Duration>,
}

/// What a refusal means.
pub(super) fn decode(refused: &Refusal<'_>) -> Error {
    let status = refused.status;
    if !status.is_client_error() && !status.is_server_error() {
        let what = format!("status {}, which is no answer; check its endpoint", status.as_u16());
        return refusal::invalid(refused.provider, &what);
    }
    let said = read(&refused.body);
    let code = said.code(Some(status)).unwrap_or_else(|| refusal::code_of(status));
    let mut error = refusal::error(refused, code, said.message.as_deref());
    error.retry_after = error.retry_after.or(said.wait);
    error
}

/// What an answer under a status of success, or an event of a stream, says went wrong; `None` if nothing did.
pub(super) fn within(answer: &Object<'_>, provider: &str) -> Option<Error> {
    let is_error = |raw: &&str| !NO_ERROR.contains(raw);
    // Groq tells what happens in mid-stream in a member of its own.
    let told = answer.get("error").map(str::to_owned).or_else(|| {
        let own = answer.object("x_groq")?;
        own.get("error").map(str::to_owned)
    });
    if let Some(told) = told.filter(|told| is_error(&told.as_str())) {
        return Some(of_value(&serde_json::from_str(&told).unwrap_or_default(), provider));
    }
    if answer.string("object").as_deref() == Some("error") || answer.string("type").as_deref() == Some("error") {
        let about = ["message", "code"].map(|name| (name, answer.string(name).map_or(Value::Null, Value::from)));
        return Some(of_value(&Value::from_iter(about), provider));
    }
    // Cloudflare's envelope.
    if answer.get("success") == Some("false") {
        let errors: Value = answer.get("errors").and_then(|raw| serde_json::from_str(raw).ok()).unwrap_or_default();
        return Some(of_value(errors.get(0).unwrap_or(&Value::Null), provider));
    }
    minimax(answer, provider)
}

/// An error object, or only its text.
pub(super) fn of_value(error: &Value, provider: &str) -> Error {
    let mut said = Said::default();
    said.take(error);
    let code = said.code(None).unwrap_or(ErrorCode::ProviderFailed);
    // The provider's words about a credential may repeat a part of it.
    let message = match (code, said.message.as_deref()) {
        (ErrorCode::ProviderAuthentication, _) => "it refused the credential",
        (_, Some(message)) => message,
        (_, None) => "it gave no reason",
    };
    let mut error = refusal::told(provider, code, message);
    error.retry_after = said.wait;
    error
}

/// MiniMax tells errors beside an empty answer.
fn minimax(answer: &Object<'_>, provider: &str) -> Option<Error> {
    let about = answer.object("base_resp")?;
    let code = match about.get("status_code")? {
        "0" => return None,
        "1002" => ErrorCode::ProviderRateLimited,
        "1004" => ErrorCode::ProviderAuthentication,
        "1008" => ErrorCode::ProviderCreditExhausted,
        "1026" | "1027" => ErrorCode::ContentFiltered,
        "1039" => ErrorCode::ContextLengthExceeded,
        "2013" => ErrorCode::ProviderRejected,
        _ => ErrorCode::ProviderFailed,
    };
    let message = about.string("status_msg").filter(|_| code != ErrorCode::ProviderAuthentication);
    Some(refusal::told(provider, code, message.as_deref().unwrap_or("it gave no reason")))
}

/// The body of a refusal, in any of the ways in which providers write it.
fn read(body: &[u8]) -> Said {
    let mut said = Said::default();
    let text = String::from_utf8_lossy(body);
    let text = text.trim();
    match serde_json::from_str::<Value>(text) {
        Ok(value) => said.take(&value),
        // A web page says nothing that could be passed on.
        Err(_) if text.is_empty() || text.starts_with('<') => {}
        Err(_) => said.message = Some(text.to_owned()),
    }
    said
}

impl Said {
    /// Takes what an object, or what stands in it, says.
    fn take(&mut self, value: &Value) {
        match value {
            Value::String(text) => drop(self.message.get_or_insert_with(|| text.clone())),
            // Google puts the object into a list, and validators list what they found.
            Value::Array(list) => list.iter().take(1).for_each(|entry| self.take(entry)),
            Value::Object(members) => {
                for name in ["type", "code", "status", "error_code"] {
                    match members.get(name) {
                        Some(Value::String(word)) => self.words.push(word.to_ascii_lowercase()),
                        Some(Value::Number(number)) => self.words.push(number.to_string()),
                        _ => {}
                    }
                }
                for name in ["message", "error", "msg", "detail", "errors", "innererror", "title"] {
                    if let Some(value) = members.get(name) {
                        self.take(value);
                    }
                }
                self.wait = self.wait.or_else(|| wait(value));
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    fn code(&self, status: Option<StatusCode>) -> Option<ErrorCode> {
        let message = self.message.as_deref().unwrap_or_default();
        let by_word = self.words.iter().find_map(|word| code_of_word(word));
        let by_message = || refusal::code_of_message(message).or_else(|| betrayed(message, status));
        // A status inside the body counts where there is none outside.
        let by_number = || {
            let number = self.words.iter().find_map(|word| word.parse::<u16>().ok());
            let inner = number.filter(|number| (400..600).contains(number) && status.is_none());
            inner.and_then(|number| StatusCode::from_u16(number).ok()).map(refusal::code_of)
        };
        let vague = || self.words.iter().find_map(|word| vague(word)).filter(|_| status.is_none());
        by_word.or_else(by_message).or_else(by_number).or_else(vague)
    }
}

/// What a vendor's word says for certain, whatever the status.
fn code_of_word(word: &str) -> Option<ErrorCode> {
    Some(match word {
        "insufficient_quota"
        | "credit_balance_exhausted"
        | "billing_hard_limit_reached"
        | "billing_not_active"
        | "exceeded_current_quota_error"
        | "insufficient_balance"
        | "1113" => ErrorCode::ProviderCreditExhausted,
        "rate_limit_exceeded"
        | "rate_limit_error"
        | "rate_limit_reached_error"
        | "ratelimitreached"
        | "slow_down"
        | "request_limit_exceeded"
        | "resource_exhausted"
        | "1302"
        | "1303"
        | "1305" => ErrorCode::ProviderRateLimited,
        "engine_overloaded_error" | "overloaded_error" | "overloaded" | "queue_exceeded" => {
            ErrorCode::ProviderOverloaded
        }
        "context_length_exceeded" | "model_context_window_exceeded" | "tokens_limit_reached" | "1261" => {
            ErrorCode::ContextLengthExceeded
        }
        "content_filter"
        | "content_policy_violation"
        | "responsibleaipolicyviolation"
        | "data_inspection_failed"
        | "1301" => ErrorCode::ContentFiltered,
        "model_not_found" | "unknown_model" | "deploymentnotfound" | "model_not_exist" | "5007" => {
            ErrorCode::ProviderModelNotFound
        }
        "invalid_api_key" | "authentication_error" | "invalid_authentication_error" => {
            ErrorCode::ProviderAuthentication
        }
        _ => return None,
    })
}

/// What a word says where nothing else does.
fn vague(word: &str) -> Option<ErrorCode> {
    Some(match word {
        "invalid_request_error" | "invalid_argument" => ErrorCode::ProviderRejected,
        "timeout" | "timeout_error" | "deadline_exceeded" => ErrorCode::ProviderTimeout,
        _ => return None,
    })
}

/// What a message says of an error whose status says something else.
fn betrayed(message: &str, status: Option<StatusCode>) -> Option<ErrorCode> {
    let message = message.to_ascii_lowercase();
    let says = |words: &str| message.contains(words);
    // xAI and Google refuse a wrong key with status 400.
    if says("api key") && (says("incorrect") || says("invalid") || says("not valid")) {
        return Some(ErrorCode::ProviderAuthentication);
    }
    // OpenRouter refuses content with the status of a wrong key.
    if status == Some(StatusCode::FORBIDDEN) && (says("moderation") || says("flagged")) {
        return Some(ErrorCode::ContentFiltered);
    }
    None
}

/// How long a body asks to wait: a member for it, Google's `RetryInfo`, or OpenAI's sentence.
fn wait(error: &Value) -> Option<Duration> {
    let seconds = |seconds: f64| Duration::try_from_secs_f64(seconds).ok();
    if let Some(after) = error.get("retry_after").and_then(Value::as_f64) {
        return seconds(after);
    }
    let details = error.get("details").and_then(Value::as_array);
    let delay = details.and_then(|details| details.iter().find_map(|detail| detail.get("retryDelay")?.as_str()));
    if let Some(delay) = delay {
        return delay.strip_suffix('s').and_then(|number| number.parse().ok()).and_then(seconds);
    }
    let message = error.get("message").and_then(Value::as_str)?;
    let (_, behind) = message.split_once("try again in ")?;
    duration(behind.split_whitespace().next()?.trim_end_matches(['.', ',']))
}

/// A duration as OpenAI writes it: `20ms`, `6.5s`, `1m30s`.
fn duration(text: &str) -> Option<Duration> {
    let mut total = 0.0;
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, behind) = rest.split_at_checked(digits)?;
        let letters = behind.find(|c: char| c.is_ascii_digit()).unwrap_or(behind.len());
        let (unit, behind) = behind.split_at_checked(letters)?;
        let seconds = match unit {
            "ms" => 0.001,
            "s" => 1.0,
            "m" => 60.0,
            "h" => 3600.0,
            _ => return None,
        };
        total += number.parse::<f64>().ok()? * seconds;
        rest = behind;
    }
    Duration::try_from_secs_f64(total).ok()
}
