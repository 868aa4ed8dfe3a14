//! The attempt: what is sent upstream, and what is made of what comes back.

use std::collections::VecDeque;
use std::rc::Rc;

use bytes::{Bytes, BytesMut};
use gw_core::chat::Loss;
use gw_core::chat::opaque::SEAL;
use gw_core::{Error, ErrorCode, Operation, UpstreamError, Usage};
use gw_dialects::chat::{self, Asked, Egress, Origin, RequestLine};
use gw_dialects::envelope::{Envelope, Letter};
use gw_dialects::request::Head;
use gw_dialects::shared::tokens;
use gw_dialects::stream::{StreamScan, StreamScanOptions};
use gw_dialects::{
    DialectId, anthropic_messages, edit, error as dialect_error, gemini, openai_responses, request, response, scan,
    unary,
};
use gw_http::RequestBody;
use gw_providers::attempt::{Answer, AttemptError};
use gw_providers::catalog::{DialectEntry, StreamUsage, Streaming};
use gw_providers::quirks;
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, header};
use tokio::time::Instant;

use crate::engine::{Call, Ports, Resolved};
use crate::meter::Meter;
use crate::models::{self, Choice};
use crate::reply::{Content, Reply, Translation};
use crate::snapshot::{Credential, Provider, Snapshot};
use crate::translate;

/// An answer up to this size is held until it is whole, so that one that breaks off is an error and not half an answer.
const HELD_ANSWER_BYTES_MAX: usize = 1 << 20;
/// The most that is read of a provider's error.
const ERROR_BYTES_MAX: usize = 64 << 10;

/// What of a client's headers a provider is told. Everything else stays here: cookies, the gateway's key, addresses.
pub(crate) const FORWARDED: [HeaderName; 6] = [
    header::ACCEPT,
    header::USER_AGENT,
    HeaderName::from_static("idempotency-key"),
    HeaderName::from_static("openai-beta"),
    HeaderName::from_static("traceparent"),
    HeaderName::from_static("tracestate"),
];
/// What is told besides where the client's own key is used: these belong to the account of the key.
pub(crate) const FORWARDED_WITH_KEY: [HeaderName; 2] =
    [HeaderName::from_static("openai-organization"), HeaderName::from_static("openai-project")];

/// What is told besides where Anthropic's format goes through: which of its versions the client speaks.
const FORWARDED_ANTHROPIC: [HeaderName; 2] = [ANTHROPIC_VERSION, HeaderName::from_static("anthropic-beta")];
const ANTHROPIC_VERSION: HeaderName = HeaderName::from_static(anthropic_messages::VERSION_HEADER);

const EVENT_STREAM: HeaderValue = HeaderValue::from_static("text/event-stream");

/// Where providers say their own id of the exchange: OpenAI's and most, Anthropic's, Amazon's.
const PROVIDER_REQUEST_IDS: [HeaderName; 3] = [
    HeaderName::from_static("x-request-id"),
    HeaderName::from_static("request-id"),
    HeaderName::from_static("x-amzn-requestid"),
];

/// The credential of an attempt.
pub(crate) enum AttemptCredential {
    /// The provider's own, among its headers, or none.
    Configured,
    /// The key that the client presented.
    Client(HeaderName, HeaderValue),
}

impl AttemptCredential {
    /// Whether it is the caller's own.
    pub(crate) fn is_callers(&self) -> bool {
        matches!(self, Self::Client(..))
    }
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
    pub(crate) snapshot: &'a Snapshot,
    pub(crate) resolved: &'a Resolved,
    pub(crate) credential: AttemptCredential,
    pub(crate) deadline: Instant,
}

impl Attempt<'_> {
    /// Sends the request and makes a reply of what comes back.
    pub(crate) async fn run(&self, call: &Call<'_>, head: &Head, meter: &mut Meter) -> Result<Reply, Error> {
        let provider = &self.resolved.choice.provider;
        let entry = match provider.entry.dialect(call.dialect, &self.resolved.choice.model) {
            Some(entry)
                if !carries_foreign_state(call)
                    && fits(entry, call)
                    && !self.emulates(call)
                    && !self.renames_inside(call)
                    && !self.is_ours(entry, call, head, meter).await =>
            {
                entry
            }
            _ => match call.dialect.operation() {
                Operation::CountTokens => return estimated(call, meter),
                Operation::Chat => return self.run_translated(call, head, meter).await,
                _ => return self.run_operation(call, head, meter).await,
            },
        };
        let streaming;
        let asked = if self.must_stream(call, head, entry.stream == Streaming::Only) {
            streaming = Head { stream: true, ..head.clone() };
            &streaming
        } else {
            head
        };
        let (request, asked_for_usage) = self.request(provider, entry, call, head, asked, meter)?;

        meter.dropped(quirks::dropped(&entry.quirks, head, &call.body));
        let response = self.send(request, meter).await?;
        if !response.status().is_success() {
            let refusal = self.refusal(response).await;
            if let Some(stranger) = entry.envelope.and_then(Envelope::refuses_in) {
                return Err(self.explained(stranger.decode_error(refusal)));
            }
            return Err(self.explained(
                match chat::egress(call.dialect.chat()).filter(|_| !call.dialect.is_plain_openai()) {
                    Some(egress) => refused_in_own_words(call.dialect, egress, refusal),
                    None => dialect_error::decode_error(refusal),
                },
            ));
        }
        let is_framed = is_framed(entry, response.headers());
        if is_framed || is_event_stream(response.headers()) {
            let (mut parts, answer) = response.into_parts();
            if !head.stream
                && !is_framed
                && let Some(ends) = Self::gatherable(call)
            {
                // Rare, and large: it does not weigh on every request's future.
                return Box::pin(self.gathered(ends, call, head, answer, meter)).await;
            }
            if is_framed {
                parts.headers.insert(header::CONTENT_TYPE, EVENT_STREAM);
            }
            let envelope = entry.envelope.filter(|_| is_framed);
            if let Some(watch) = self.watch(call, envelope, meter) {
                if call.json_array {
                    parts.headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
                }
                let content = Content::Translated(answer, Box::new(watch));
                return Ok(Reply { status: parts.status, headers: parts.headers, content });
            }
            let withhold_usage_chunk = asked_for_usage && !meter.tells_cost();
            let options = StreamScanOptions { dialect: call.dialect, withhold_usage_chunk };
            let content = Content::Events(answer, StreamScan::new(options));
            return Ok(Reply { status: parts.status, headers: parts.headers, content });
        }
        self.whole(call, response, meter).await
    }

    /// Whether a request continues what the gateway keeps.
    async fn is_ours(&self, entry: &DialectEntry, call: &Call<'_>, head: &Head, meter: &Meter) -> bool {
        // Of these dialects alone: it does not weigh on every request's future.
        match call.dialect {
            DialectId::OpenAiResponses => Box::pin(self.continues_ours(call, head, meter)).await,
            DialectId::AnthropicMessages if head.fields.get(&call.body, "thread").is_some() => {
                Box::pin(self.holds_thread(entry, call, head, meter)).await
            }
            _ => false,
        }
    }

    /// The request as the provider gets it, and whether it was asked for usage that the client did not ask for. What the
    /// provider is asked for may be a stream where the client wants none.
    fn request(
        &self,
        provider: &Provider,
        entry: &DialectEntry,
        call: &Call<'_>,
        wanted: &Head,
        head: &Head,
        meter: &mut Meter,
    ) -> Result<(Request<RequestBody>, bool), Error> {
        let path = self.path(provider, entry, call, head)?;
        let mut edits = edit::Edits::new();
        match &self.resolved.model_json {
            _ if call.dialect.names_model_in_path() => {}
            _ if entry.envelope.is_some_and(|envelope| !envelope.keeps_model()) => {}
            Some(model) => edits.push(edit::set(head, &call.body, "model", model.clone())),
            // Azure's clients name it in the path only.
            None if call.model.is_some() => {
                edits.push(edit::set(head, &call.body, "model", edit::json_string(&self.resolved.choice.model)));
            }
            None => {}
        }
        edits.extend(request::remove_extensions(head, &call.body));
        if head.stream != wanted.stream && !call.dialect.names_model_in_path() {
            edits.push(edit::set(head, &call.body, "stream", Bytes::from_static(b"true")));
        }
        let mut asked_for_usage = false;
        if head.stream && entry.stream_usage == StreamUsage::Option && !head.include_usage {
            edits.extend(request::usage_option(head, &call.body));
            asked_for_usage = true;
        }
        edits.extend(quirks::edits(&entry.quirks, head, &call.body));
        let mut headers = self.headers(provider, call, call.dialect);
        if let Some(envelope) = entry.envelope {
            let model = &self.resolved.choice.model;
            let (stream, body) = (head.stream, &call.body);
            let mut letter = Letter { model, stream, head, body, edits, headers: &mut headers };
            envelope.wrap(&mut letter);
            edits = letter.edits;
        }

        let body = self.configured(call, edit::apply(&call.body, edits), Some(meter))?;
        let mut request = Request::new(RequestBody::held(body));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = path.into();
        *request.headers_mut() = headers;
        Ok((request, asked_for_usage))
    }

    /// Where the provider is asked in the client's own dialect.
    fn path(
        &self,
        provider: &Provider,
        entry: &DialectEntry,
        call: &Call<'_>,
        head: &Head,
    ) -> Result<PathAndQuery, Error> {
        let endpoint = provider.endpoint(call.dialect).ok_or_else(|| not_spoken(provider, call))?;
        let model = &self.resolved.choice.model;
        let path = match (entry.envelope, call.dialect) {
            (Some(envelope), _) => envelope.path(model, head.stream),
            (None, DialectId::GeminiCountTokens) => gemini::count_path(model),
            (None, DialectId::GeminiEmbed) => gemini::embed_path(model, "embedContent"),
            (None, DialectId::GeminiBatchEmbed) => gemini::embed_path(model, "batchEmbedContents"),
            (None, dialect) if dialect.names_model_in_path() => gemini::path(model, head.stream),
            (None, _) => return Ok(endpoint.clone()),
        };
        path_behind(endpoint, &path)
    }

    /// Watches a stream that goes through as it comes, in a dialect that is not searched for its usage in passing.
    fn watch(&self, call: &Call<'_>, envelope: Option<&dyn Envelope>, meter: &Meter) -> Option<Translation> {
        let (ingress, egress) = (chat::ingress(call.dialect)?, chat::egress(call.dialect)?);
        if call.dialect.is_plain_openai() {
            return None;
        }
        let origin = Origin { provider: Rc::from(&*self.resolved.choice.provider.name), ..Origin::default() };
        let asked = Asked { request: Rc::default(), request_id: meter.request_id(), now_s: 0 };
        let frames = envelope.and_then(|envelope| envelope.unframe(&origin.provider));
        let watching = Translation::watching(egress.decoder(origin), ingress.encoder(asked)).unframing(frames);
        Some(watching.with_array(call.json_array).with_remember(self.remember(call, meter)))
    }

    /// Whether the body of a request repeats the model's name, which is another one at the provider, in places that are
    /// not edited in passing.
    fn renames_inside(&self, call: &Call<'_>) -> bool {
        matches!(call.dialect, DialectId::GeminiEmbed | DialectId::GeminiBatchEmbed)
            && self.resolved.model_json.is_some()
    }

    /// The headers of a request in that dialect.
    pub(crate) fn headers(&self, provider: &Provider, call: &Call<'_>, dialect: DialectId) -> HeaderMap {
        let client = call.headers;
        let mut headers = HeaderMap::with_capacity(16);
        let with_key: &[HeaderName] = match &self.credential {
            AttemptCredential::Configured => &[],
            AttemptCredential::Client(..) => &FORWARDED_WITH_KEY,
        };
        // What Anthropic's clients say of the version is for those who speak it.
        let of_dialect: &[HeaderName] = match dialect {
            DialectId::AnthropicMessages | DialectId::AnthropicCountTokens if call.dialect == dialect => {
                &FORWARDED_ANTHROPIC
            }
            _ => &[],
        };
        if dialect.chat() == DialectId::AnthropicMessages {
            headers.insert(ANTHROPIC_VERSION, HeaderValue::from_static(anthropic_messages::VERSION));
        }
        for name in FORWARDED.iter().chain(with_key).chain(of_dialect) {
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
        // Only OpenAI's older formats can be searched for their usage in passing.
        let held_max = if call.dialect.is_plain_openai() { HELD_ANSWER_BYTES_MAX } else { translate::ANSWER_BYTES_MAX };
        while size <= held_max {
            let Some(piece) = answer.data().await else {
                let body = join(pieces);
                meter.received();
                let (usage, tier) = self.usage(call, &parts.headers, &body)?;
                meter.used(usage);
                meter.served(tier.as_deref());
                self.remember_whole(call, &body, meter);
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

    /// A provider may keep what it answered.
    fn remember_whole(&self, call: &Call<'_>, body: &Bytes, meter: &Meter) {
        if let Some(remember) = self.remember(call, meter)
            && let Some(id) = openai_responses::id_of(body)
        {
            remember.under(&id);
        }
    }

    /// What a whole answer says was used, and which service was given where that stands elsewhere.
    fn usage(
        &self,
        call: &Call<'_>,
        headers: &HeaderMap,
        body: &Bytes,
    ) -> Result<(Option<Usage>, Option<String>), Error> {
        if call.dialect.operation() == Operation::CountTokens {
            return Ok((None, None));
        }
        if call.dialect.operation() != Operation::Chat && !call.dialect.is_plain_openai() {
            scan::top_level(body).map_err(|_| self.invalid(body))?;
            let (provider, model) = (&self.resolved.choice.provider.name, &self.resolved.choice.model);
            return Ok((unary::usage(call.dialect, &unary::Reply { headers, body, provider, model }), None));
        }
        let egress = chat::egress(call.dialect).filter(|_| !call.dialect.is_plain_openai());
        let Some(egress) = egress else {
            let scan = response::scan_response(call.dialect, body).map_err(|_| self.invalid(body))?;
            return Ok((scan.usage, None));
        };
        scan::top_level(body).map_err(|_| self.invalid(body))?;
        // An answer that says of itself that it is an error goes to the client as it is.
        let answer = egress.decode_answer(body, &Origin::default()).ok();
        Ok(answer.map_or((None, None), |answer| (answer.usage, answer.service_tier)))
    }

    /// The provider refused: what it says.
    pub(crate) async fn refusal(&self, response: Response<Answer>) -> dialect_error::Refusal<'_> {
        let (parts, mut answer) = response.into_parts();
        let mut body = BytesMut::new();
        while body.len() < ERROR_BYTES_MAX {
            match answer.data().await {
                Some(Ok(piece)) => body.extend_from_slice(&piece[..piece.len().min(ERROR_BYTES_MAX - body.len())]),
                // An error that breaks off is still the provider's refusal.
                Some(Err(_)) | None => break,
            }
        }
        dialect_error::Refusal {
            status: parts.status,
            headers: parts.headers,
            body: body.freeze(),
            provider: &self.resolved.choice.provider.name,
            credential_is_callers: matches!(self.credential, AttemptCredential::Client(..)),
            now: self.ports.clock.now(),
        }
    }

    pub(crate) fn failed(&self, error: &AttemptError) -> Error {
        let provider = &self.resolved.choice.provider.name;
        let (code, what) = match error {
            AttemptError::Unreachable(_) => (ErrorCode::ProviderUnreachable, "could not be reached"),
            AttemptError::Disconnected(_) => (ErrorCode::ProviderDisconnected, "closed the connection"),
            AttemptError::Invalid(_) => (ErrorCode::ProviderInvalidResponse, "sent what is not an answer"),
            AttemptError::Timeout(_) => (ErrorCode::ProviderTimeout, "did not answer in time"),
            AttemptError::Deadline => (ErrorCode::DeadlineExceeded, "did not answer in time"),
            AttemptError::Interrupted => (ErrorCode::ClientClosed, "was not sent the whole request"),
        };
        Error::new(code, format!("provider \"{provider}\" {what}: {error}"))
    }

    fn invalid(&self, body: &Bytes) -> Error {
        let provider = &self.resolved.choice.provider.name;
        let what = if body.is_empty() { "an empty answer" } else { "an answer that is not valid JSON" };
        Error::new(ErrorCode::ProviderInvalidResponse, format!("provider \"{provider}\" sent {what}"))
    }
}

/// Counts the tokens of a conversation that the provider cannot be asked to count. The client is told that it is a guess.
fn estimated(call: &Call<'_>, meter: &mut Meter) -> Result<Reply, Error> {
    let line = RequestLine { model: call.model, stream: Some(false), headers: Some(call.headers) };
    let request = match call.dialect {
        DialectId::GeminiCountTokens => gemini::decode_count_request(&line, &call.body)?,
        DialectId::OpenAiInputTokens => openai_responses::decode_count_request(&line, &call.body)?,
        _ => anthropic_messages::decode_count_request(&line, &call.body)?,
    };
    let tokens = tokens::estimate(&request);
    meter.lost(&[Loss::replaced("tokens", "estimated from the length of the texts")]);
    let body = match call.dialect {
        DialectId::GeminiCountTokens => gemini::encode_count_tokens(tokens),
        DialectId::OpenAiInputTokens => openai_responses::resource::input_tokens(tokens),
        _ => anthropic_messages::count_tokens_answer(tokens),
    };
    let headers = HeaderMap::from_iter([(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))]);
    Ok(Reply { status: StatusCode::OK, headers, content: Content::Whole(body, None) })
}

/// A path that names a model, behind the provider's own. A name must not lead to another place there.
pub(crate) fn path_behind(endpoint: &PathAndQuery, path: &str) -> Result<PathAndQuery, Error> {
    let wrong = || Error::new(ErrorCode::InvalidRequest, "the model's name cannot stand in a path").with_param("model");
    let names = path.split_once('?').map_or(path, |(path, _)| path);
    if names.split('/').any(|name| matches!(name.split(':').next(), Some("." | ".."))) {
        return Err(wrong());
    }
    PathAndQuery::try_from(format!("{}{path}", endpoint.path().trim_end_matches('/'))).map_err(|_| wrong())
}

/// What a provider's refusal in the client's own dialect means; its words go to the client as they came, unless they may be
/// about the gateway's own credential or account.
fn refused_in_own_words(dialect: DialectId, egress: &dyn Egress, refusal: dialect_error::Refusal<'_>) -> Error {
    let (status, headers, body) = (refusal.status, refusal.headers.clone(), refusal.body.clone());
    let is_told = refusal.credential_is_callers;
    let mut error = egress.decode_error(refusal);
    // Whoever serves Claude besides Anthropic may refuse in words of its own.
    let members: &[&str] = if dialect == DialectId::AnthropicMessages { &["error", "type"] } else { &["error"] };
    let has = |fields: scan::Fields| members.iter().all(|name| fields.get(&body, name).is_some());
    let is_own_format = scan::top_level(&body).is_ok_and(has);
    let is_ours =
        matches!(error.code, ErrorCode::ProviderAuthentication | ErrorCode::ProviderCreditExhausted) && !is_told;
    if is_own_format && !is_ours {
        error.upstream = Some(Box::new(UpstreamError { status, headers, body }));
    }
    error
}

/// The provider's own id of the exchange.
pub(crate) fn provider_request_id(headers: &HeaderMap) -> Option<&str> {
    let found = PROVIDER_REQUEST_IDS.iter().find_map(|name| headers.get(name));
    found.and_then(|value| value.to_str().ok())
}

/// Whether the client brings back state that another provider gave it through us: its owner's name must come off before it
/// goes anywhere, and who is not the owner must not get it.
fn carries_foreign_state(call: &Call<'_>) -> bool {
    let mark = match call.dialect {
        DialectId::Gemini | DialectId::GeminiCountTokens => gemini::SEALED_STATE,
        _ => SEAL,
    };
    !call.dialect.is_plain_openai() && memchr::memmem::find(&call.body, mark.as_bytes()).is_some()
}

/// Whether the provider can be given the request as the client wrote it.
fn fits(entry: &DialectEntry, call: &Call<'_>) -> bool {
    entry.envelope.is_none_or(|envelope| envelope.holds(&call.body))
}

/// Whether an answer is a stream in frames that have to come off.
pub(crate) fn is_framed(entry: &DialectEntry, headers: &HeaderMap) -> bool {
    const FRAMES: &[u8] = b"application/vnd.amazon.eventstream";
    entry.envelope.is_some() && media_type_is(headers, FRAMES)
}

pub(crate) fn not_spoken(provider: &Provider, call: &Call<'_>) -> Error {
    let message = format!(
        "provider \"{}\" does not offer {}; choose a model of another provider",
        provider.name,
        call.dialect.operation().name()
    );
    Error::new(ErrorCode::InvalidRequest, message).with_param("model")
}

pub(crate) fn is_event_stream(headers: &HeaderMap) -> bool {
    media_type_is(headers, b"text/event-stream")
}

fn media_type_is(headers: &HeaderMap, expected: &[u8]) -> bool {
    let media_type = headers.get(header::CONTENT_TYPE).map(HeaderValue::as_bytes).unwrap_or_default();
    media_type.get(..expected.len()).is_some_and(|start| start.eq_ignore_ascii_case(expected))
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
