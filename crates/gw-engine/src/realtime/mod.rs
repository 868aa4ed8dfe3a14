//! Conversations in both directions at once, over WebSocket: the provider is asked first, and where it agrees, bytes are
//! carried both ways as they come. What was used is learnt from `response.done`.

mod pump;

use gw_core::{Error, ErrorCode};
use gw_dialects::error as dialect_error;
use gw_dialects::request;
use gw_dialects::shared::percent;
use gw_http::{RequestBody, Upgraded};
use gw_providers::attempt::{self, AttemptTimeouts, Conversation};
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, header};
use std::time::Duration;
use tokio::time::Instant;

use crate::dispatch::{self, Attempt};
use crate::engine::Engine;
use crate::meter::Meter;
use crate::outgoing;
use crate::relay::{Asked, RelayCall, sent};
use crate::routing::control::{self, Behind};
use crate::sending::provider_request_id;
use crate::snapshot::Snapshot;

const KEY: HeaderName = header::SEC_WEBSOCKET_KEY;
/// Browsers cannot set headers: the key stands among the protocols. What begins so is for the gateway alone.
pub const KEY_PROTOCOL: &str = "openai-insecure-api-key.";

/// A conversation to which the provider has agreed.
pub struct Opened {
    /// The headers with which the client is told so.
    pub headers: HeaderMap,
    provider: Upgraded,
    limits: Limits,
}

/// How long a conversation may be.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// Without a word from either side.
    pub(crate) idle: Duration,
    /// When it is over in any case.
    pub(crate) deadline: Instant,
}

impl Engine {
    /// Opens a conversation of a caller that is known.
    ///
    /// # Errors
    /// What the client is told instead, over HTTP.
    pub async fn converse(
        &self,
        snapshot: &Snapshot,
        call: &RelayCall<'_>,
        meter: &mut Meter,
    ) -> Result<Opened, Error> {
        check_handshake(call)?;
        control::refuse_configuration(call.headers)?;
        meter.request_body(0);
        meter.asked(call.model.as_deref(), true);
        let dialect = call.asked.dialect();
        let mut model = call.model.clone();
        let behind = Behind::take(snapshot, &mut model);
        let mut resolved = self.prepare_first(snapshot, dialect.operation(), model.as_deref(), call.provider)?;
        behind.follow(self, snapshot, dialect.operation(), &mut resolved, meter)?;
        meter.resolve(&resolved);
        let credential = dispatch::credential(&resolved.choice, call.foreign_key)?;
        let deadline = meter.started() + snapshot.relay.timeout;
        let timeouts = resolved.choice.provider.timeouts;
        let attempt = Attempt { ports: self.ports(), snapshot, resolved: &resolved, credential, timeouts, deadline };
        let mut request = handshake(&attempt, call)?;
        let used = attempt.authenticated(&mut request).await?;

        meter.attempt();
        let provider = &resolved.choice.provider;
        let Some(origin) = &provider.upgrades_at else { return Err(not_offered(&provider.name)) };
        let first_byte = provider.timeouts.first_byte;
        let timeouts = AttemptTimeouts { first_byte, ..provider.timeouts };
        let asked = attempt::converse(origin, &self.ports().pools, request, timeouts, deadline).await;
        match asked.map_err(|error| attempt.failed(&error))? {
            Conversation::Refused(mut response)
                if response.status().is_client_error() || response.status().is_server_error() =>
            {
                attempt.mask(&mut response, used.as_ref());
                attempt.accepted(used, response.status(), response.headers());
                Err(attempt.refusal(response, dialect_error::decode_error).await)
            }
            Conversation::Refused(_) => {
                let message = format!("provider \"{}\" does not speak WebSocket there", provider.name);
                Err(Error::new(ErrorCode::ProviderInvalidResponse, message))
            }
            Conversation::Open(upgraded, headers) => {
                meter.answered(provider_request_id(&headers));
                let limits = Limits { idle: snapshot.relay.realtime_idle, deadline };
                Ok(Opened { headers: agreed(&headers), provider: upgraded, limits })
            }
        }
    }
}

impl Opened {
    /// Carries the conversation to its end, and settles it.
    pub async fn run(self, client: Upgraded, meter: Box<Meter>) {
        pump::run(client, self.provider, self.limits, meter).await;
    }
}

/// RFC 6455 §4.2.1.
fn check_handshake(call: &RelayCall<'_>) -> Result<(), Error> {
    let lists = |name: HeaderName, token: &str| {
        let mut values = call.headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
        values.any(|value| value.split(',').any(|one| one.trim().eq_ignore_ascii_case(token)))
    };
    let is_asked = lists(header::UPGRADE, "websocket")
        && lists(header::CONNECTION, "upgrade")
        && call.headers.contains_key(KEY)
        && call.headers.get(header::SEC_WEBSOCKET_VERSION).is_some_and(|version| version == "13");
    if is_asked {
        return Ok(());
    }
    let message = "this endpoint speaks WebSocket, version 13, over HTTP/1.1; send its handshake";
    Err(Error::new(ErrorCode::InvalidRequest, message))
}

/// The request as the provider gets it. The client's key goes on, so that the provider's answer to it is the client's.
fn handshake(attempt: &Attempt<'_>, call: &RelayCall<'_>) -> Result<Box<Request<RequestBody>>, Error> {
    let provider = &attempt.resolved.choice.provider;
    let Asked::Operation(carried) = call.asked else { return Err(not_offered(&provider.name)) };
    let mut headers = sent::headers(attempt, call);
    headers.remove(header::ACCEPT_ENCODING);
    headers.remove(header::CONTENT_TYPE);
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(header::SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
    if let Some(key) = call.headers.get(KEY) {
        headers.insert(KEY, key.clone());
    }
    if let Some(protocols) = protocols(call.headers) {
        headers.insert(header::SEC_WEBSOCKET_PROTOCOL, protocols);
    }
    let path = sent::path(provider, call, carried)?;
    let separator = if path.query().is_some() { '&' } else { '?' };
    let mut path = format!("{path}{separator}model=");
    percent::encode_into(&mut path, &attempt.resolved.choice.model, b"");
    let path = PathAndQuery::try_from(path)
        .map_err(|_| Error::new(ErrorCode::InvalidRequest, "the path cannot be sent to a provider"))?;
    Ok(outgoing::of(Method::GET, path, headers, RequestBody::empty()))
}

/// The protocols that the client offers, without its key.
fn protocols(headers: &HeaderMap) -> Option<HeaderValue> {
    let offered = offered(headers);
    let kept: Vec<&str> = offered.filter(|protocol| !protocol.starts_with(KEY_PROTOCOL)).collect();
    if kept.is_empty() { None } else { HeaderValue::try_from(kept.join(", ")).ok() }
}

/// The key that a browser put among the protocols.
pub fn key_in_protocols(headers: &HeaderMap) -> Option<&str> {
    offered(headers).find_map(|protocol| protocol.strip_prefix(KEY_PROTOCOL)).filter(|key| !key.is_empty())
}

fn offered(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    let values = headers.get_all(header::SEC_WEBSOCKET_PROTOCOL).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).map(str::trim)
}

/// What the client is told of the provider's agreement. Extensions were not offered, so that none is agreed on.
fn agreed(headers: &HeaderMap) -> HeaderMap {
    let mut told = HeaderMap::with_capacity(8);
    told.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    told.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    for name in [header::SEC_WEBSOCKET_ACCEPT, header::SEC_WEBSOCKET_PROTOCOL] {
        if let Some(value) = headers.get(&name) {
            told.insert(name, value.clone());
        }
    }
    told
}

/// The model that a query names: OpenAI's `model`, Azure's `deployment`.
///
/// # Errors
/// It is not a line of text.
pub fn model_in_query(query: &str) -> Result<Option<Box<str>>, Error> {
    let value = |wanted: &str| {
        let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        pairs.find(|(name, _)| *name == wanted).map(|(_, value)| value)
    };
    value("model").or_else(|| value("deployment")).map(request::model_in_path).transpose()
}

fn not_offered(provider: &str) -> Error {
    let message = format!("provider \"{provider}\" does not offer realtime; choose a model of another provider");
    Error::new(ErrorCode::InvalidRequest, message).with_param("model")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_among_the_protocols_is_ours_and_the_others_go_on() {
        let protocols_of = |text: &'static str| {
            let headers = HeaderMap::from_iter([(header::SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(text))]);
            let key = key_in_protocols(&headers).map(str::to_owned);
            (key, protocols(&headers).map(|value| value.to_str().unwrap().to_owned()))
        };
        let (key, kept) = protocols_of("realtime, openai-insecure-api-key.sk-1,openai-beta.realtime-v1");
        assert_eq!((key.as_deref(), kept.as_deref()), (Some("sk-1"), Some("realtime, openai-beta.realtime-v1")));
        assert_eq!(protocols_of("openai-insecure-api-key.sk-1"), (Some("sk-1".to_owned()), None));
        assert_eq!(protocols_of("openai-insecure-api-key."), (None, None));
    }
}
