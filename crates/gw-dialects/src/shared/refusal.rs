//! What a provider's refusal means, whatever its dialect: the one way from a vendor's words to our table of errors.

use bytes::Bytes;
use gw_core::{Error, ErrorCode, UpstreamError};
use http::{HeaderMap, StatusCode};

use crate::error::{Refusal, line, retry_after};

/// What a status alone means.
pub fn code_of(status: StatusCode) -> ErrorCode {
    match status.as_u16() {
        401 | 403 => ErrorCode::ProviderAuthentication,
        402 => ErrorCode::ProviderCreditExhausted,
        404 => ErrorCode::ProviderModelNotFound,
        429 => ErrorCode::ProviderRateLimited,
        503 | 529 => ErrorCode::ProviderOverloaded,
        408 | 504 => ErrorCode::ProviderTimeout,
        500.. => ErrorCode::ProviderFailed,
        _ => ErrorCode::ProviderRejected,
    }
}

/// The code that a vendor's message betrays where its type and status do not: a context that is too long, an account
/// without money.
pub fn code_of_message(message: &str) -> Option<ErrorCode> {
    let message = message.to_ascii_lowercase();
    let says = |words: &[&str]| words.iter().any(|words| message.contains(words));
    if says(&[
        "context length",
        "context window",
        "context_length",
        "prompt is too long",
        "input is too long",
        "too many tokens",
        "input token count",
        "maximum number of tokens",
        "exceeds the maximum number of tokens",
    ]) {
        return Some(ErrorCode::ContextLengthExceeded);
    }
    if says(&[
        "credit balance",
        "insufficient_quota",
        "insufficient quota",
        "exceeded your current quota",
        "insufficient balance",
    ]) {
        return Some(ErrorCode::ProviderCreditExhausted);
    }
    None
}

/// The error that the client is told: the vendor's words, unless they may be about the gateway's own credential. The body
/// is left behind, since it is in the vendor's format.
pub fn error(refusal: &Refusal<'_>, code: ErrorCode, said: Option<&str>) -> Error {
    let (provider, status) = (refusal.provider, refusal.status);
    if !refusal.credential_is_callers
        && let Some(error) = about_our_account(provider, status, code)
    {
        return error;
    }
    let told = said.map(str::trim).filter(|said| !said.is_empty()).map_or("no reason given".to_owned(), line);
    let message = format!("provider \"{provider}\" answered with status {}: {told}", status.as_u16());
    let mut error = Error::new(code, message);
    error.retry_after = retry_after(&refusal.headers, refusal.now);
    let told_as = match code {
        ErrorCode::ProviderRejected if status.is_client_error() => Some(status),
        // The caller's own key: the caller can do something about it.
        ErrorCode::ProviderAuthentication if status == StatusCode::FORBIDDEN => Some(status),
        ErrorCode::ProviderAuthentication => Some(StatusCode::UNAUTHORIZED),
        _ => None,
    };
    error.upstream =
        told_as.map(|status| Box::new(UpstreamError { status, headers: HeaderMap::new(), body: Bytes::new() }));
    error
}

/// What the client is told where a provider refuses the gateway's own key, or the account behind it: nothing that the
/// client could mistake for a fault of its own key, and none of the provider's words, which may repeat a part of ours.
/// `None` if the code is about something else.
pub(crate) fn about_our_account(provider: &str, status: StatusCode, code: ErrorCode) -> Option<Error> {
    let number = status.as_u16();
    let message = match code {
        ErrorCode::ProviderAuthentication => format!(
            "provider \"{provider}\" refused the gateway's credential with status {number}; whoever runs the gateway must \
             check the key of this provider"
        ),
        ErrorCode::ProviderCreditExhausted => format!(
            "provider \"{provider}\" said with status {number} that the gateway's account there has no credit left; \
             whoever runs the gateway must add some, or raise its limit"
        ),
        _ => return None,
    };
    Some(Error::new(code, message))
}

/// An error that a provider tells under a status of success, or inside a stream.
pub fn told(provider: &str, code: ErrorCode, said: &str) -> Error {
    Error::new(code, format!("provider \"{provider}\" reported an error: {}", line(said)))
}

/// An answer that cannot be read.
pub fn invalid(provider: &str, what: &str) -> Error {
    Error::new(ErrorCode::ProviderInvalidResponse, format!("provider \"{provider}\" sent {what}"))
}
