//! What the client sees: the answer's head, and errors in its own format.

use std::time::Duration;

use bytes::Bytes;
use gw_core::{Error, ErrorCode, Nanodollars, RequestId};
use gw_dialects::{DialectId, chat, unary};
use gw_engine::reply::Content;
use gw_engine::{Meter, Reply, ReplyBody};
use gw_http::panics::Panicked;
use gw_http::serve::Refusal;
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header};

use crate::attempts;
use crate::control::ControlAnswer;
use crate::{openrouter, waiting};

const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const X_GATEWAY_REQUEST_ID: HeaderName = HeaderName::from_static("x-gateway-request-id");
const X_CLIENT_REQUEST_ID: HeaderName = HeaderName::from_static("x-client-request-id");
const X_PROVIDER_REQUEST_ID: HeaderName = HeaderName::from_static("x-provider-request-id");
const X_PROVIDER_USED: HeaderName = HeaderName::from_static("x-provider-used");
const X_PROVIDER_TYPE: HeaderName = HeaderName::from_static("x-provider-type");
const X_MODEL_USED: HeaderName = HeaderName::from_static("x-model-used");
const X_GATEWAY_ROUTE: HeaderName = HeaderName::from_static("x-gateway-route");
const X_FALLBACK_USED: HeaderName = HeaderName::from_static("x-fallback-used");
const X_GATEWAY_DROPPED_PARAMS: HeaderName = HeaderName::from_static("x-gateway-dropped-params");
const X_GATEWAY_COST: HeaderName = HeaderName::from_static("x-gateway-cost");
const X_GATEWAY_CLASS: HeaderName = HeaderName::from_static("x-gateway-class");
const X_GATEWAY_ATTEMPTS: HeaderName = HeaderName::from_static("x-gateway-attempts");
const X_MODEL_DOWNGRADED: HeaderName = HeaderName::from_static("x-model-downgraded");
const X_GATEWAY_WARNINGS: HeaderName = HeaderName::from_static("x-gateway-warnings");
/// Where OpenRouter's clients look for the id.
const X_GENERATION_ID: HeaderName = HeaderName::from_static("x-generation-id");
/// Where Anthropic's SDKs look for the id.
const REQUEST_ID: HeaderName = HeaderName::from_static("request-id");
const X_ATTEMPT_COUNT: HeaderName = HeaderName::from_static("x-attempt-count");
/// What OpenAI's and Anthropic's SDKs obey before they look at the status.
const X_SHOULD_RETRY: HeaderName = HeaderName::from_static("x-should-retry");

/// How many headers the gateway adds at most.
const OWN_HEADERS: usize = 16;
/// Headers of a provider that are about its connection to us, or that would speak for us (RFC 9110 §7.6.1).
const NOT_FORWARDED: [HeaderName; 14] = [
    header::CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    header::PROXY_AUTHENTICATE,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    header::CONTENT_LENGTH,
    header::SET_COOKIE,
    header::SERVER,
    header::DATE,
    HeaderName::from_static("alt-svc"),
    header::STRICT_TRANSPORT_SECURITY,
];

/// What became of a request on the request path.
pub fn outcome(
    ended: Result<Result<Reply, Error>, Panicked>,
    dialect: DialectId,
    voice: Voice,
    mut meter: Box<Meter>,
) -> Response<ReplyBody> {
    match ended {
        Ok(Ok(answer)) => reply(answer, dialect, meter),
        Ok(Err(error)) => failure(&error, voice, meter),
        Err(Panicked) => {
            meter.panicked();
            failure(&broken(), voice, meter)
        }
    }
}

/// In whose words the client is told of errors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Voice {
    /// In those of a dialect.
    Dialect(DialectId),
    /// In OpenRouter's, which it has for all dialects but Anthropic's.
    OpenRouter,
}

impl Voice {
    /// The words for a request in a dialect.
    pub fn of(parts: &Parts, dialect: DialectId) -> Self {
        match dialect.chat() {
            DialectId::AnthropicMessages => Self::Dialect(dialect),
            _ if openrouter::is_here(parts.uri.path()) => Self::OpenRouter,
            _ => Self::Dialect(dialect),
        }
    }

    fn dialect(self) -> DialectId {
        match self {
            Self::Dialect(dialect) => dialect,
            Self::OpenRouter => DialectId::OpenAiChat,
        }
    }
}

impl From<DialectId> for Voice {
    fn from(dialect: DialectId) -> Self {
        Self::Dialect(dialect)
    }
}

/// An answer of a provider.
fn reply(reply: Reply, dialect: DialectId, mut meter: Box<Meter>) -> Response<ReplyBody> {
    let Reply { status, headers, content } = reply;
    let mut headers = forwardable(headers);
    if !status.is_success() {
        waiting::keep_valid(&mut headers);
    }
    told_by_meter(&mut headers, &meter);
    told_in_dialect(&mut headers, dialect, &meter);
    told_attempts(&mut headers, Ok(status), &meter);
    if matches!(content, Content::Whole(..)) {
        told_cost(&mut headers, &mut meter);
    }
    meter.status(status.as_u16());
    build(status, headers, ReplyBody::new(content, meter))
}

/// The agreement to speak another protocol. What was asked for is settled when that is over.
pub fn switching(mut headers: HeaderMap, meter: &mut Meter) -> Response<ReplyBody> {
    told_by_meter(&mut headers, meter);
    meter.status(StatusCode::SWITCHING_PROTOCOLS.as_u16());
    build(StatusCode::SWITCHING_PROTOCOLS, headers, ReplyBody::unmetered(Bytes::new()))
}

/// An error on the request path, in the client's format.
pub fn failure(error: &Error, voice: impl Into<Voice>, mut meter: Box<Meter>) -> Response<ReplyBody> {
    let voice = voice.into();
    let (status, mut headers, body) = render(error, voice, meter.request_id());
    meter.failed(error);
    meter.status(status.as_u16());
    told_by_meter(&mut headers, &meter);
    told_in_dialect(&mut headers, voice.dialect(), &meter);
    told_attempts(&mut headers, Err(error), &meter);
    let body = attempts::in_error(body, &meter);
    build(status, headers, ReplyBody::whole(body, meter))
}

/// An answer of the gateway itself, which nobody meters.
pub fn own(
    answered: Result<Response<Bytes>, Error>,
    voice: impl Into<Voice>,
    request_id: RequestId,
) -> Response<ReplyBody> {
    let (status, mut headers, body) = match answered {
        Ok(response) => {
            let (parts, body) = response.into_parts();
            (parts.status, parts.headers, body)
        }
        Err(error) => render(&error, voice.into(), request_id),
    };
    identify(&mut headers, request_id);
    build(status, headers, ReplyBody::unmetered(body))
}

/// An answer of the door, before there is a request.
pub fn refusal(refusal: Refusal, request_id: RequestId) -> Response<Bytes> {
    let (status, mut headers, body) = render(&refusal_error(refusal), DialectId::OpenAiChat.into(), request_id);
    identify(&mut headers, request_id);
    build(status, headers, body)
}

/// What only clients of one dialect look for.
fn told_in_dialect(headers: &mut HeaderMap, dialect: DialectId, meter: &Meter) {
    if dialect.chat() == DialectId::AnthropicMessages
        && let Ok(id) = HeaderValue::try_from(meter.request_id().as_str())
    {
        headers.insert(REQUEST_ID, id);
    }
    if !headers.contains_key(X_PROVIDER_REQUEST_ID)
        && let Some(id) = meter.provider_request_id().and_then(|id| HeaderValue::try_from(id).ok())
    {
        headers.insert(X_PROVIDER_REQUEST_ID, id);
    }
    if let Some(warnings) = meter.warnings().and_then(|warnings| HeaderValue::try_from(warnings).ok()) {
        headers.insert(X_GATEWAY_WARNINGS, warnings);
    }
}

/// Each attempt, for clients that ask.
fn told_attempts(headers: &mut HeaderMap, end: Result<StatusCode, &Error>, meter: &Meter) {
    if meter.tells_attempts()
        && let Some(attempts) = attempts::header(meter, end)
    {
        headers.insert(X_GATEWAY_ATTEMPTS, attempts);
    }
    if meter.tells_attempts()
        && let Some(class) = meter.class()
    {
        headers.insert(X_GATEWAY_CLASS, HeaderValue::from_static(class.name()));
    }
}

/// What the request cost, in dollars, where that is known before the head is sent.
fn told_cost(headers: &mut HeaderMap, meter: &mut Meter) {
    let charged = meter.is_charged();
    let total = meter.settled_cost().and_then(|cost| if charged { cost.total() } else { Some(Nanodollars::ZERO) });
    if let Some(total) = total.and_then(|total| HeaderValue::try_from(total.to_string()).ok()) {
        headers.insert(X_GATEWAY_COST, total);
    }
}

/// A JSON answer.
pub fn json((status, body): (StatusCode, Bytes)) -> Response<Bytes> {
    let headers = HeaderMap::from_iter([(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))]);
    build(status, headers, body)
}

/// What the control plane answered.
pub fn control(answer: ControlAnswer) -> Response<Bytes> {
    build(answer.status, HeaderMap::from_iter([(header::CONTENT_TYPE, answer.content_type)]), answer.body)
}

/// An answer without a body.
pub fn empty(status: StatusCode) -> Response<Bytes> {
    build(status, HeaderMap::new(), Bytes::new())
}

fn build<B>(status: StatusCode, headers: HeaderMap, body: B) -> Response<B> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}

fn render(error: &Error, voice: Voice, request_id: RequestId) -> (StatusCode, HeaderMap, Bytes) {
    let (status, body) = match voice {
        Voice::OpenRouter => openrouter::encode_error(error, request_id),
        Voice::Dialect(dialect) => encode_error(error, dialect, request_id),
    };
    let mut headers = match &error.upstream {
        Some(upstream) => forwardable(upstream.headers.clone()),
        None => HeaderMap::new(),
    };
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    waiting::keep_valid(&mut headers);
    if let Some(after) = error.retry_after {
        let seconds = after.as_secs() + u64::from(after.subsec_nanos() > 0);
        headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    if matches!(error.code, ErrorCode::ProviderAuthentication | ErrorCode::ProviderCreditExhausted) {
        // Nothing gets better until somebody does something about the key or the account.
        headers.insert(X_SHOULD_RETRY, HeaderValue::from_static("false"));
    }
    if error.code == ErrorCode::UpgradeRequired {
        headers.insert(header::UPGRADE, HeaderValue::from_static("HTTP/1.1"));
    }
    if closes_connection(error.code) {
        headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    (status, headers, body)
}

fn encode_error(error: &Error, dialect: DialectId, request_id: RequestId) -> (StatusCode, Bytes) {
    // A provider's own body is there only if it is in the client's dialect.
    let as_it_came = error.upstream.as_ref().is_some_and(|upstream| !upstream.body.is_empty());
    match chat::ingress(dialect.chat()).filter(|_| !as_it_came) {
        Some(ingress) => ingress.encode_error(error, request_id),
        None => unary::encode_error(dialect, error, request_id),
    }
}

fn refusal_error(refusal: Refusal) -> Error {
    match refusal {
        Refusal::Malformed => Error::new(ErrorCode::InvalidRequest, "what was sent is not a valid HTTP request"),
        Refusal::HeadTooLarge => Error::new(
            ErrorCode::HeadersTooLarge,
            "the request's path and headers are larger than the limit (server.limits.header_bytes), or too many",
        ),
        Refusal::HeadTimeout => Error::new(ErrorCode::RequestTimeout, "the request's headers did not come in time"),
        Refusal::TooManyConnections => {
            Error::new(ErrorCode::Overloaded, "the gateway has as many connections as it may; try again later")
                .with_retry_after(Duration::from_secs(1))
        }
        Refusal::Panicked => broken(),
    }
}

/// What is told of a panic.
pub fn broken() -> Error {
    Error::new(ErrorCode::InternalError, "the gateway broke while it served this request")
}

/// What a client is told of a provider's headers; the provider's request id gets a name of its own. Built anew: most
/// answers have few headers, and looking for each that must go costs more.
fn forwardable(headers: HeaderMap) -> HeaderMap {
    let mut kept = HeaderMap::with_capacity(headers.len() + OWN_HEADERS);
    let mut current = None;
    for (name, value) in headers {
        // A name that is not repeated stands for the one before (as `HeaderMap` hands them out).
        let Some(name) = name.or_else(|| current.clone()) else { continue };
        if name == X_REQUEST_ID {
            kept.insert(X_PROVIDER_REQUEST_ID, value);
        } else if !NOT_FORWARDED.contains(&name) {
            kept.append(name.clone(), value);
        }
        current = Some(name);
    }
    kept
}

fn identify(headers: &mut HeaderMap, request_id: RequestId) {
    if let Ok(id) = HeaderValue::try_from(request_id.as_str()) {
        headers.insert(X_GATEWAY_REQUEST_ID, id.clone());
        headers.insert(X_REQUEST_ID, id);
    }
}

/// What the meter knows and the client is told: ids, and which provider and model were used.
fn told_by_meter(headers: &mut HeaderMap, meter: &Meter) {
    identify(headers, meter.request_id());
    if meter.speaks_openrouter()
        && let Ok(id) = HeaderValue::try_from(meter.request_id().as_str())
    {
        headers.insert(X_GENERATION_ID, id);
    }
    if let Some(id) = meter.client_request_id().and_then(|id| HeaderValue::try_from(id).ok()) {
        headers.insert(X_CLIENT_REQUEST_ID, id);
    }
    headers.insert(X_ATTEMPT_COUNT, HeaderValue::from(meter.attempts()));
    let fell_back = if meter.has_fallen_back() { "true" } else { "false" };
    headers.insert(X_FALLBACK_USED, HeaderValue::from_static(fell_back));
    if meter.is_downgraded() {
        headers.insert(X_MODEL_DOWNGRADED, HeaderValue::from_static("true"));
    }
    if let Some(names) = meter.dropped_members().and_then(|names| HeaderValue::try_from(names).ok()) {
        headers.insert(X_GATEWAY_DROPPED_PARAMS, names);
    }
    if let Some(resolved) = meter.resolved() {
        let provider = &resolved.choice.provider;
        headers.insert(X_PROVIDER_USED, provider.name_header.clone());
        headers.insert(X_PROVIDER_TYPE, provider.type_header.clone());
        if !resolved.model_header.is_empty() {
            headers.insert(X_MODEL_USED, resolved.model_header.clone());
        }
        let route = resolved.target_settings.route.as_deref();
        if let Some(route) = route.and_then(|route| HeaderValue::try_from(route).ok()) {
            headers.insert(X_GATEWAY_ROUTE, route);
        }
    }
    meter.write_told(headers);
}

/// Whether what follows on the connection may be the rest of a request that was not read to its end.
fn closes_connection(code: ErrorCode) -> bool {
    matches!(code, ErrorCode::RequestTooLarge | ErrorCode::RequestTimeout)
}
