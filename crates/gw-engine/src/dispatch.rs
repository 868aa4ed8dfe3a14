//! The attempt: with whose credential, in which dialect, and what is made of what comes back. Here is the way of a request
//! that the provider is given as the client wrote it; the other ways begin in `translate` and `unary`.

use std::rc::Rc;

use bytes::Bytes;
use gw_core::chat::opaque::SEAL;
use gw_core::{Error, Operation};
use gw_dialects::chat::{self, Asked, Origin};
use gw_dialects::envelope::{Envelope, Letter};
use gw_dialects::request::Head;
use gw_dialects::stream::{StreamScan, StreamScanOptions};
use gw_dialects::{DialectId, edit, gemini, request};
use gw_http::RequestBody;
use gw_providers::attempt::{Answer, AttemptTimeouts};
use gw_providers::catalog::{DialectEntry, StreamUsage, Streaming};
use gw_providers::quirks;
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, header};
use tokio::time::Instant;

use crate::counting::estimated;
use crate::engine::{Call, Ports, Resolved};
use crate::judging::ReadingJudge;
use crate::media_type::{self, is_event_stream};
use crate::meter::Meter;
use crate::models::{self, Choice};
use crate::outgoing::{self, path_behind};
use crate::refusal::not_spoken;
use crate::reply::{Content, Reply, Translation};
use crate::snapshot::{Credential, Provider, Snapshot};

const EVENT_STREAM: HeaderValue = HeaderValue::from_static("text/event-stream");

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
    if let Some((name, value)) = &provider.callers_credential {
        return Ok(AttemptCredential::Client(name.clone(), value.clone()));
    }
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
    pub(crate) timeouts: AttemptTimeouts,
    pub(crate) deadline: Instant,
}

impl Attempt<'_> {
    /// Sends the request and makes a reply of what comes back.
    pub(crate) async fn run(&self, call: &Call<'_>, head: &Head, meter: &mut Meter) -> Result<Reply, Error> {
        let provider = &self.resolved.choice.provider;
        let entry = match provider.entry.dialect(call.dialect, &self.resolved.choice.model) {
            Some(entry)
                if !carries_foreign_state(call)
                    && !meter.goes_on()
                    && fits(entry, call)
                    && !self.emulates(call)
                    && !self.renames_inside(call)
                    && self.resolved.target_settings.search.is_none()
                    && !self.is_ours(entry, call, head, meter).await =>
            {
                entry
            }
            _ => match call.dialect.operation() {
                Operation::CountTokens => return estimated(call, meter),
                // In boxes: they are larger than the way of a request that needs no translation.
                Operation::Chat => return Box::pin(self.run_translated(call, head, meter)).await,
                _ => return Box::pin(self.run_unary(call, head, meter)).await,
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
            return Err(self.refused(entry, call, response).await);
        }
        let is_framed = is_framed(entry, response.headers());
        if !is_framed && !is_event_stream(response.headers()) {
            return self.whole(call, response, meter).await;
        }
        if !head.stream
            && !is_framed
            && let Some(ends) = Self::gatherable(call)
        {
            // Rare, and large: it does not weigh on every request's future.
            return Box::pin(self.gathered(ends, call, head, response.into_body(), meter)).await;
        }
        let withhold_usage_chunk = asked_for_usage && !meter.tells_cost();
        let envelope = entry.envelope.filter(|_| is_framed);
        Ok(self.streamed((call, head), envelope, response, withhold_usage_chunk, meter))
    }

    /// A stream of the provider, forwarded as it comes but for its frames.
    fn streamed(
        &self,
        (call, head): (&Call<'_>, &Head),
        envelope: Option<&dyn Envelope>,
        response: Response<Answer>,
        withhold_usage_chunk: bool,
        meter: &Meter,
    ) -> Reply {
        let (mut parts, answer) = response.into_parts();
        if envelope.is_some() {
            parts.headers.insert(header::CONTENT_TYPE, EVENT_STREAM);
        }
        let resumable = self.resumable(call, head, envelope, meter);
        let content = match resumable.or_else(|| self.watch(call, envelope, meter)) {
            Some(watch) => {
                if call.json_array {
                    parts.headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
                }
                Content::translated(answer, watch)
            }
            None => {
                let options = StreamScanOptions { dialect: call.dialect, withhold_usage_chunk };
                let judged = self.resolved.target_settings.judged;
                let judge = chat::egress(call.dialect).filter(|_| judged).map(ReadingJudge::new);
                Content::events(answer, StreamScan::new(options), judge)
            }
        };
        Reply { status: parts.status, headers: parts.headers, content }
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
    ) -> Result<(Box<Request<RequestBody>>, bool), Error> {
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
        Ok((outgoing::of(Method::POST, path, headers, RequestBody::held(body)), asked_for_usage))
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
        let judged = self.resolved.target_settings.judged;
        let origin = Origin { provider: Rc::from(&*self.resolved.choice.provider.name), ..Origin::default() };
        let asked = Asked { request: Rc::default(), request_id: meter.request_id(), now_s: 0 };
        let frames = envelope.and_then(|envelope| envelope.unframe(&origin.provider));
        let watching = Translation::watching(egress.decoder(origin), ingress.encoder(asked)).unframing(frames);
        Some(watching.with_array(call.json_array).with_remember(self.remember(call, meter)).judging(judged))
    }

    /// Whether the body of a request repeats the model's name, which is another one at the provider, in places that are
    /// not edited in passing.
    fn renames_inside(&self, call: &Call<'_>) -> bool {
        matches!(call.dialect, DialectId::GeminiEmbed | DialectId::GeminiBatchEmbed)
            && self.resolved.model_json.is_some()
    }
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
    entry.envelope.is_some() && media_type::is(headers, FRAMES)
}
