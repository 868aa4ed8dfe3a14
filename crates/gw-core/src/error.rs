//! The one table of what can go wrong on the request path.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, StatusCode};

/// Whose fault an error is. Decides the log level and what counts against the gateway's own objectives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blame {
    /// The application sent something that cannot be served, or left.
    Client,
    /// The gateway is at fault or protects itself.
    Gateway,
    /// The provider failed.
    Provider,
}

/// One row per code: meaning, blame, HTTP status, name. Documentation and the dialects' error bodies derive from it.
macro_rules! error_codes {
    ($($(#[doc = $about:literal])+ $variant:ident, $blame:ident, $status:literal, $name:literal;)+) => {
        /// What went wrong.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum ErrorCode { $($(#[doc = $about])+ $variant,)+ }

        impl ErrorCode {
            /// Every code, in the order of the table.
            pub const ALL: &'static [ErrorCode] = &[$(ErrorCode::$variant,)+];

            /// The name in error bodies, logs and metrics.
            pub const fn name(self) -> &'static str { match self { $(ErrorCode::$variant => $name,)+ } }

            /// Whose fault it is.
            pub const fn blame(self) -> Blame { match self { $(ErrorCode::$variant => Blame::$blame,)+ } }

            /// The HTTP status told to the client, unless the provider's own is passed on.
            pub const fn status(self) -> u16 { match self { $(ErrorCode::$variant => $status,)+ } }

            /// What the code means, for the generated reference.
            pub const fn about(self) -> &'static str { match self { $(ErrorCode::$variant => concat!($($about,)+),)+ } }
        }
    };
}

error_codes! {
    /// The request is not valid for this operation.
    InvalidRequest, Client, 400, "invalid_request";
    /// The body is not valid JSON, or not valid UTF-8.
    InvalidJson, Client, 400, "invalid_json";
    /// A field that the gateway reads stands twice in the body.
    DuplicateField, Client, 400, "duplicate_field";
    /// The request names no model and the configuration supplies none.
    ModelRequired, Client, 400, "model_required";
    /// The chosen provider's format cannot say what the request asks for, and the configuration does not want it left out.
    UnsupportedParameter, Client, 400, "unsupported_parameter";
    /// The conversation is longer than the model's context.
    ContextLengthExceeded, Client, 400, "context_length_exceeded";
    /// The provider does not answer requests of this content.
    ContentFiltered, Client, 400, "content_filter";
    /// The request continues an answer that is not kept, or not for this key.
    PreviousResponseNotFound, Client, 400, "previous_response_not_found";
    /// A key is required and none, or one that is not known, was presented.
    InvalidApiKey, Client, 401, "invalid_api_key";
    /// The request comes from a web page of another origin, or under a host name that is not this machine's.
    ForeignOrigin, Client, 403, "foreign_origin";
    /// A rule of the operator's denies requests like this one.
    DeniedByRule, Client, 403, "denied_by_rule";
    /// The operator has not switched this operation on.
    OperationDisabled, Client, 403, "operation_disabled";
    /// No configured provider serves the model.
    ModelNotFound, Client, 404, "model_not_found";
    /// No answer is kept under this id, or not for this key.
    ResponseNotFound, Client, 404, "response_not_found";
    /// No conversation is kept under this id, or not for this key; or it has no such item.
    ConversationNotFound, Client, 404, "conversation_not_found";
    /// The file, batch or job is not known here as one that this caller made.
    ObjectNotFound, Client, 404, "object_not_found";
    /// The request continues a thread that is not kept, or not for this key.
    ThreadNotFound, Client, 404, "thread_not_found";
    /// There is nothing at this path.
    RouteNotFound, Client, 404, "route_not_found";
    /// The path exists, but not for this method.
    MethodNotAllowed, Client, 405, "method_not_allowed";
    /// The client did not send its request in time.
    RequestTimeout, Client, 408, "request_timeout";
    /// The body is larger than the configured limit.
    RequestTooLarge, Client, 413, "request_too_large";
    /// The body's content type or encoding cannot be read.
    UnsupportedMediaType, Client, 415, "unsupported_media_type";
    /// The endpoint speaks HTTP only where an upgrade was asked for, or the other way round.
    UpgradeRequired, Client, 426, "upgrade_required";
    /// The head of the request is larger than the configured limit.
    HeadersTooLarge, Client, 431, "headers_too_large";
    /// The limit of the route is reached, and nothing takes what is beyond it; `Retry-After` says when there is room again.
    RouteLimitReached, Client, 429, "route_limit_reached";
    /// The client left before it was answered.
    ClientClosed, Client, 499, "client_closed";
    /// The gateway broke while it served the request.
    InternalError, Gateway, 500, "internal_error";
    /// The gateway holds as many requests or bytes as it may.
    Overloaded, Gateway, 503, "overloaded";
    /// The gateway could not answer within the request's total time.
    DeadlineExceeded, Gateway, 504, "deadline_exceeded";
    /// The provider refused the request; its own status and message are passed on.
    ProviderRejected, Provider, 502, "provider_rejected";
    /// The provider refused the gateway's own credential; its 401 or 403 is told only where the credential is the caller's.
    ProviderAuthentication, Provider, 502, "provider_authentication";
    /// The provider limits the rate of requests; its `Retry-After` is passed on.
    ProviderRateLimited, Provider, 429, "provider_rate_limited";
    /// The provider's account has no money or no allowance left.
    ProviderCreditExhausted, Provider, 429, "insufficient_quota";
    /// The provider does not know the model, or does not give it to this account.
    ProviderModelNotFound, Provider, 404, "provider_model_not_found";
    /// The provider has more requests than it can serve.
    ProviderOverloaded, Provider, 503, "provider_overloaded";
    /// The provider failed; its own status is passed on.
    ProviderFailed, Provider, 502, "provider_failed";
    /// No connection to the provider could be made.
    ProviderUnreachable, Provider, 502, "provider_unreachable";
    /// The provider closed the connection before it had answered.
    ProviderDisconnected, Provider, 502, "provider_disconnected";
    /// The provider answered with something that is not an answer.
    ProviderInvalidResponse, Provider, 502, "provider_invalid_response";
    /// The provider's answer broke off after a part of it had been forwarded.
    ProviderStreamInterrupted, Provider, 502, "provider_stream_interrupted";
    /// The provider did not answer in time.
    ProviderTimeout, Provider, 504, "provider_timeout";
    /// The provider needs a credential and none is configured.
    ProviderCredentialMissing, Gateway, 401, "provider_credential_missing";
    /// Whoever gives out the provider's tokens refused the configured credential.
    ProviderCredentialRefused, Gateway, 502, "provider_credential_refused";
    /// Whoever gives out the provider's tokens could not be asked, or gave none.
    ProviderCredentialUnavailable, Provider, 502, "provider_credential_unavailable";
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A provider's own error, as it came, so that a client of the same dialect gets the very bytes.
#[derive(Debug, Clone)]
pub struct UpstreamError {
    /// The provider's status.
    pub status: StatusCode,
    /// The provider's headers.
    pub headers: HeaderMap,
    /// The provider's body.
    pub body: Bytes,
}

/// The one error type of the request path. The message is for the client: it names what was wrong and what to do, and
/// never a secret.
#[derive(Debug)]
pub struct Error {
    /// What went wrong.
    pub code: ErrorCode,
    /// What was wrong, where, and what to do.
    pub message: Cow<'static, str>,
    /// The request field that is at fault.
    pub param: Option<&'static str>,
    /// How long to wait before trying again.
    pub retry_after: Option<Duration>,
    /// The provider's own error, where it is passed on as it came.
    pub upstream: Option<Box<UpstreamError>>,
    /// The status of the provider's refusal, whatever the client is told of it.
    pub provider_status: Option<u16>,
}

impl Error {
    /// An error with a message and nothing else.
    pub fn new(code: ErrorCode, message: impl Into<Cow<'static, str>>) -> Self {
        Self { code, message: message.into(), param: None, retry_after: None, upstream: None, provider_status: None }
    }

    /// Names the request field that is at fault.
    #[must_use]
    pub fn with_param(mut self, param: &'static str) -> Self {
        self.param = Some(param);
        self
    }

    /// Says how long to wait before trying again.
    #[must_use]
    pub fn with_retry_after(mut self, after: Duration) -> Self {
        self.retry_after = Some(after);
        self
    }

    /// The HTTP status that the client is told: the provider's own where its error is passed on.
    pub fn status(&self) -> StatusCode {
        match &self.upstream {
            Some(upstream) => upstream.status,
            None => StatusCode::from_u16(self.code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.message)
    }
}

impl std::error::Error for Error {}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_code_has_its_own_name_and_a_valid_error_status() {
        let names: HashSet<_> = ErrorCode::ALL.iter().map(|code| code.name()).collect();
        assert_eq!(names.len(), ErrorCode::ALL.len());
        for code in ErrorCode::ALL {
            let status = StatusCode::from_u16(code.status()).unwrap();
            assert!(status.is_client_error() || status.is_server_error(), "{code}");
            assert!(!code.about().trim().is_empty(), "{code}");
        }
    }
}
