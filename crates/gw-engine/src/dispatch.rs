//! The attempt: what is sent upstream, and what is made of what comes back.

use std::collections::VecDeque;
use std::rc::Rc;

use bytes::{Bytes, BytesMut};
use gw_core::{Error, ErrorCode};
use gw_dialects::request::Head;
use gw_dialects::stream::{StreamScan, StreamScanOptions};
use gw_dialects::{edit, error as dialect_error, request, response};
use gw_http::RequestBody;
use gw_providers::attempt::{self, Answer, AttemptError};
use gw_providers::catalog::{DialectEntry, StreamUsage};
use gw_providers::quirks;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, header};
use tokio::time::Instant;

use crate::engine::{Call, Ports, Resolved};
use crate::meter::Meter;
use crate::models::{self, Choice};
use crate::reply::{Content, Reply};
use crate::snapshot::{Credential, Provider};

/// An answer up to this size is held until it is whole, so that one that breaks off is an error and not half an answer.
const HELD_ANSWER_BYTES_MAX: usize = 1 << 20;
/// The most that is read of a provider's error.
const ERROR_BYTES_MAX: usize = 64 << 10;

/// What of a client's headers a provider is told. Everything else stays here: cookies, the gateway's key, addresses.
const FORWARDED: [HeaderName; 6] = [
    header::ACCEPT,
    header::USER_AGENT,
    HeaderName::from_static("idempotency-key"),
    HeaderName::from_static("openai-beta"),
    HeaderName::from_static("traceparent"),
    HeaderName::from_static("tracestate"),
];
/// What is told besides where the client's own key is used: these belong to the account of the key.
const FORWARDED_WITH_KEY: [HeaderName; 2] =
    [HeaderName::from_static("openai-organization"), HeaderName::from_static("openai-project")];

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The credential of an attempt.
pub(crate) enum AttemptCredential {
    /// The provider's own, among its headers, or none.
    Configured,
    /// The key that the client presented.
    Client(HeaderName, HeaderValue),
}

/// Decides with whose credential a provider is asked. A client's key goes to a provider only if that provider was named
/// and has no key of its own.
pub(crate) fn credential(choice: &Choice, foreign_key: Option<&str>) -> Result<AttemptCredential, Error> {
    let provider = &choice.provider;
    if provider.credential != Credential::Missing {
        return Ok(AttemptCredential::Configured);
    }
    let (name, value) = foreign_key
        .filter(|_| choice.provider_named)
        .and_then(|key| provider.credential_value(key))
        .ok_or_else(|| models::missing_credential(provider))?;
    Ok(AttemptCredential::Client(name, value))
}

/// One try at one provider.
pub(crate) struct Attempt<'a> {
    pub(crate) ports: &'a Rc<Ports>,
    pub(crate) resolved: &'a Resolved,
    pub(crate) credential: AttemptCredential,
    pub(crate) deadline: Instant,
}

impl Attempt<'_> {
    /// Sends the request and makes a reply of what comes back.
    pub(crate) async fn run(&self, call: &Call<'_>, head: &Head, meter: &mut Meter) -> Result<Reply, Error> {
        let provider = &self.resolved.choice.provider;
        let entry = provider.entry.dialect(call.dialect).ok_or_else(|| not_spoken(provider, call))?;
        let (request, withhold_usage) = self.request(provider, entry, call, head)?;

        meter.dropped(quirks::dropped(&entry.quirks, head, &call.body));
        meter.attempt();
        let sending =
            attempt::send(&provider.destination, &self.ports.pools, request, provider.timeouts, self.deadline);
        let response = sending.await.map_err(|error| self.failed(&error))?;
        meter.answered(response.headers().get(REQUEST_ID).and_then(|value| value.to_str().ok()));

        if !response.status().is_success() {
            return Err(self.refused(response).await);
        }
        if is_event_stream(response.headers()) {
            let (parts, answer) = response.into_parts();
            let options = StreamScanOptions { dialect: call.dialect, withhold_usage_chunk: withhold_usage };
            let content = Content::Events(answer, StreamScan::new(options));
            return Ok(Reply { status: parts.status, headers: parts.headers, content });
        }
        self.whole(call, response, meter).await
    }

    /// The request as the provider gets it, and whether it was asked for usage that the client did not ask for.
    fn request(
        &self,
        provider: &Provider,
        entry: &DialectEntry,
        call: &Call<'_>,
        head: &Head,
    ) -> Result<(Request<RequestBody>, bool), Error> {
        let path = provider.endpoint(call.dialect).ok_or_else(|| not_spoken(provider, call))?;
        let mut edits = edit::Edits::new();
        if let Some(model) = &self.resolved.model_json {
            edits.push(edit::set(head, &call.body, "model", model.clone()));
        }
        edits.extend(request::remove_extensions(head, &call.body));
        let mut withhold_usage = false;
        if head.stream && entry.stream_usage == StreamUsage::Option && !head.include_usage {
            edits.extend(request::usage_option(head, &call.body));
            withhold_usage = true;
        }
        edits.extend(quirks::edits(&entry.quirks, head, &call.body));

        let mut request = Request::new(RequestBody::held(edit::apply(&call.body, edits)));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = path.clone().into();
        *request.headers_mut() = self.headers(provider, call.headers);
        Ok((request, withhold_usage))
    }

    fn headers(&self, provider: &Provider, client: &HeaderMap) -> HeaderMap {
        let mut headers = HeaderMap::with_capacity(16);
        let with_key: &[HeaderName] = match &self.credential {
            AttemptCredential::Configured => &[],
            AttemptCredential::Client(..) => &FORWARDED_WITH_KEY,
        };
        for name in FORWARDED.iter().chain(with_key) {
            if let Some(value) = client.get(name) {
                headers.insert(name.clone(), value.clone());
            }
        }
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        // A compressed answer could not be searched for usage.
        headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        for (name, value) in &provider.headers {
            headers.insert(name.clone(), value.clone());
        }
        if let AttemptCredential::Client(name, value) = &self.credential {
            headers.insert(name.clone(), value.clone());
        }
        headers
    }

    /// An answer that is not a stream: held until it is whole, unless it is large.
    async fn whole(&self, call: &Call<'_>, response: Response<Answer>, meter: &mut Meter) -> Result<Reply, Error> {
        let (parts, mut answer) = response.into_parts();
        let mut held = self.ports.held_bytes.nothing();
        let mut pieces: VecDeque<Bytes> = VecDeque::new();
        let mut size = 0;
        while size <= HELD_ANSWER_BYTES_MAX {
            let Some(piece) = answer.data().await else {
                let body = join(pieces);
                meter.received();
                let scan = response::scan_response(call.dialect, &body).map_err(|_| self.invalid(&body))?;
                meter.used(scan.usage);
                return Ok(Reply {
                    status: parts.status,
                    headers: parts.headers,
                    content: Content::Whole(body, Some(held)),
                });
            };
            let piece = piece.map_err(|error| self.failed(&error))?;
            meter.received();
            held.hold(size, piece.len())?;
            size += piece.len();
            pieces.push_back(piece);
        }
        Ok(Reply { status: parts.status, headers: parts.headers, content: Content::Flowing(pieces, answer) })
    }

    /// The provider refused: its own error, as far as the client may see it.
    async fn refused(&self, response: Response<Answer>) -> Error {
        let (parts, mut answer) = response.into_parts();
        let mut body = BytesMut::new();
        while body.len() < ERROR_BYTES_MAX {
            match answer.data().await {
                Some(Ok(piece)) => body.extend_from_slice(&piece[..piece.len().min(ERROR_BYTES_MAX - body.len())]),
                // An error that breaks off is still the provider's refusal.
                Some(Err(_)) | None => break,
            }
        }
        let about = dialect_error::Refusal {
            status: parts.status,
            headers: parts.headers,
            body: body.freeze(),
            provider: &self.resolved.choice.provider.name,
            credential_is_callers: matches!(self.credential, AttemptCredential::Client(..)),
            now: self.ports.clock.now(),
        };
        dialect_error::decode_error(about)
    }

    fn failed(&self, error: &AttemptError) -> Error {
        let provider = &self.resolved.choice.provider.name;
        let (code, what) = match error {
            AttemptError::Unreachable(_) => (ErrorCode::ProviderUnreachable, "could not be reached"),
            AttemptError::Disconnected(_) => (ErrorCode::ProviderDisconnected, "closed the connection"),
            AttemptError::Invalid(_) => (ErrorCode::ProviderInvalidResponse, "sent what is not an answer"),
            AttemptError::Timeout(_) => (ErrorCode::ProviderTimeout, "did not answer in time"),
            AttemptError::Deadline => (ErrorCode::DeadlineExceeded, "did not answer in time"),
        };
        Error::new(code, format!("provider \"{provider}\" {what}: {error}"))
    }

    fn invalid(&self, body: &Bytes) -> Error {
        let provider = &self.resolved.choice.provider.name;
        let what = if body.is_empty() { "an empty answer" } else { "an answer that is not valid JSON" };
        Error::new(ErrorCode::ProviderInvalidResponse, format!("provider \"{provider}\" sent {what}"))
    }
}

fn not_spoken(provider: &Provider, call: &Call<'_>) -> Error {
    let message = format!(
        "provider \"{}\" does not offer {}; choose a model of another provider",
        provider.name,
        call.dialect.operation().name()
    );
    Error::new(ErrorCode::InvalidRequest, message).with_param("model")
}

fn is_event_stream(headers: &HeaderMap) -> bool {
    let media_type = headers.get(header::CONTENT_TYPE).map(HeaderValue::as_bytes).unwrap_or_default();
    media_type.get(..17).is_some_and(|start| start.eq_ignore_ascii_case(b"text/event-stream"))
}

fn join(mut pieces: VecDeque<Bytes>) -> Bytes {
    if pieces.len() <= 1 {
        return pieces.pop_front().unwrap_or_default();
    }
    let mut whole = BytesMut::with_capacity(pieces.iter().map(Bytes::len).sum());
    pieces.iter().for_each(|piece| whole.extend_from_slice(piece));
    whole.freeze()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_stream_is_known_by_its_media_type_whatever_follows_it() {
        let of = |value: &'static str| {
            is_event_stream(&HeaderMap::from_iter([(header::CONTENT_TYPE, HeaderValue::from_static(value))]))
        };
        assert!(of("text/event-stream"));
        assert!(of("Text/Event-Stream; charset=utf-8"));
        assert!(!of("application/json"));
        assert!(!of("text/plain"));
        assert!(!is_event_stream(&HeaderMap::new()));
    }

    #[test]
    fn pieces_are_joined_in_order_and_a_single_one_is_not_copied() {
        let single = Bytes::from_static(b"single");
        assert_eq!(join(VecDeque::from([single.clone()])).as_ptr(), single.as_ptr());
        assert_eq!(join(VecDeque::from([Bytes::from_static(b"ab"), Bytes::from_static(b"c")])), "abc");
        assert_eq!(join(VecDeque::new()), "");
    }
}
