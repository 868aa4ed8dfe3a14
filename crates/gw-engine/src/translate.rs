//! An attempt at a provider that does not speak the client's dialect: the request is said in its words, and what comes
//! back in the client's.

use std::rc::Rc;
use std::sync::Arc;
use std::time::UNIX_EPOCH;

use bytes::{Bytes, BytesMut};
use gw_config::config::Unsupported;
use gw_core::chat::{ChatAnswer, ChatRequest, Collector, Loss, Tool};
use gw_core::{Error, ErrorCode};
use gw_dialects::chat::{self, Asked, Egress, Encoded, Ingress, Origin, RequestLine, Target};
use gw_dialects::head::Head;
use gw_dialects::openai_responses;
use gw_dialects::shared::custom::{self, RestoreCustom};
use gw_dialects::{DialectId, edit, request};
use gw_http::RequestBody;
use gw_providers::attempt::{self, Answer};
use gw_providers::catalog::DialectEntry;
use gw_providers::quirks;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header};
use serde_json::{Map, Value};
use tokio::time::timeout_at;

use crate::budget::Taken;
use crate::conversations::Keeper;
use crate::dispatch::{Attempt, is_event_stream};
use crate::engine::Call;
use crate::media;
use crate::meter::Meter;
use crate::reply::{Content, Reply, Translation};
use crate::snapshot::Provider;

/// The most that a whole answer may be that has to be said in other words: pictures come in base64.
pub(crate) const ANSWER_BYTES_MAX: usize = 64 << 20;

/// Members of a Responses request that are about the gateway's side of it, and that no other dialect has to be told.
const OWN_STATE: [&str; 6] =
    ["store", "previous_response_id", "conversation", "client_metadata", "include", "prompt_cache_retention"];

type Members = Map<String, Value>;

/// How a request is said.
struct Spoken<'a> {
    ingress: &'static dyn Ingress,
    egress: &'static dyn Egress,
    dialect: DialectId,
    entry: &'a DialectEntry,
}

impl Attempt<'_> {
    /// Sends the request in another dialect and makes a reply of what comes back.
    pub(crate) async fn run_translated(&self, call: &Call<'_>, head: &Head, meter: &mut Meter) -> Result<Reply, Error> {
        let provider = &self.resolved.choice.provider;
        let spoken = self.spoken(call)?;
        let mut request = decode(&spoken, call, head)?;
        let (keeper, own) = self.continued(&spoken, call, head, &mut request, meter)?;
        let mut held = self.ports.held_bytes.nothing();
        if !spoken.egress.takes_urls() {
            // Rare, and large: it does not weigh on every request's future.
            let fetching = Box::pin(media::fetch_all(&mut request, &self.snapshot.media, &mut held));
            let late = |_| Error::new(ErrorCode::DeadlineExceeded, "the media of the request did not come in time");
            timeout_at(self.deadline, fetching).await.map_err(late)??;
        }
        let target = Target { model: &self.resolved.choice.model, provider: &provider.name, stream: request.stream };
        if self.snapshot.unsupported == Unsupported::Pass {
            // As if the client had spoken the provider's dialect: what has no meaning here goes through.
            request.extra.family = spoken.dialect.family();
        }
        let mut encoded = spoken.egress.encode_request(&request, &target)?;
        if self.snapshot.unsupported == Unsupported::Reject {
            refuse(&encoded.losses, provider)?;
        }
        // The client is told them again, the provider never was.
        request.extra.members.extend(own);
        meter.lost(&encoded.losses);
        let names = std::mem::take(&mut encoded.names);
        let sent = self.outgoing(&spoken, encoded, call, meter)?;

        meter.attempt();
        let sending = attempt::send(&provider.destination, &self.ports.pools, sent, provider.timeouts, self.deadline);
        let response = sending.await.map_err(|error| self.failed(&error))?;
        meter.answered(crate::dispatch::provider_request_id(response.headers()));
        if !response.status().is_success() {
            return Err(spoken.egress.decode_error(self.refusal(response).await));
        }
        let origin = Origin {
            provider: Rc::from(&*provider.name),
            model: Rc::from(&*self.resolved.choice.model),
            names: Rc::new(names),
        };
        let now_s = self.ports.clock.now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        let asked = Asked { request: Rc::new(request), request_id: meter.request_id(), now_s };
        self.answer(&spoken, response, origin, asked, keeper, meter).await
    }

    /// Puts what the request continues before it, and prepares to keep it. What of the request is about that is taken out.
    fn continued(
        &self,
        spoken: &Spoken<'_>,
        call: &Call<'_>,
        head: &Head,
        request: &mut ChatRequest,
        meter: &Meter,
    ) -> Result<(Option<Keeper>, Members), Error> {
        if call.dialect != DialectId::OpenAiResponses || spoken.dialect == call.dialect {
            return Ok((None, Members::new()));
        }
        let members = &mut request.extra.members;
        let own = OWN_STATE.iter().filter_map(|name| members.shift_remove_entry(*name)).collect();
        let state = openai_responses::state(&call.body);
        if state.conversation.is_some() {
            let message = "conversations are not kept here; continue one with `previous_response_id`";
            return Err(Error::new(ErrorCode::UnsupportedParameter, message).with_param("conversation"));
        }
        let find = |id: &str| self.ports.conversations.find(id, meter.key_name());
        let previous = state.previous_response_id.map(|id| find(&id).ok_or_else(not_found)).transpose()?;
        // The instructions of the earlier request are not carried over: this one's come first.
        let instructions = head.fields.get(&call.body, "instructions").map(|field| &call.body[field.value()]);
        let start = usize::from(instructions.is_some_and(|value| value != b"null")).min(request.messages.len());
        let asked = state.store.then(|| request.messages[start..].to_vec());
        if let Some(earlier) = &previous {
            request.messages.splice(start..start, earlier.messages());
        }
        let keeper = asked.map(|messages| Keeper {
            conversations: Arc::clone(&self.ports.conversations),
            id: openai_responses::response_id(meter.request_id()),
            previous,
            messages,
            key_name: meter.key_name().cloned(),
            bytes: call.body.len(),
            collector: Collector::default(),
        });
        Ok((keeper, own))
    }

    /// How the provider is asked: in the client's own dialect if it speaks it, else in the first that it has for chat.
    fn spoken(&self, call: &Call<'_>) -> Result<Spoken<'_>, Error> {
        let provider = &self.resolved.choice.provider;
        let own = provider.entry.dialect(call.dialect).map(|entry| (call.dialect, entry));
        let found = chat::ingress(call.dialect).and_then(|ingress| {
            own.into_iter()
                .chain(provider.entry.dialects())
                .find_map(|(dialect, entry)| Some(Spoken { ingress, egress: chat::egress(dialect)?, dialect, entry }))
        });
        found.ok_or_else(|| crate::dispatch::not_spoken(provider, call))
    }

    /// The request as the provider gets it.
    fn outgoing(
        &self,
        spoken: &Spoken<'_>,
        encoded: Encoded,
        call: &Call<'_>,
        meter: &mut Meter,
    ) -> Result<Request<RequestBody>, Error> {
        let provider = &self.resolved.choice.provider;
        let endpoint = provider.endpoint(spoken.dialect).ok_or_else(|| crate::dispatch::not_spoken(provider, call))?;
        let path = if spoken.dialect.names_model_in_path() {
            crate::dispatch::path_behind(endpoint, &encoded.path)?
        } else {
            endpoint.clone()
        };
        let body = Bytes::from(encoded.body);
        let body = if spoken.dialect.is_plain_openai() {
            // Providers that imitate OpenAI differ from it in the same ways, whoever wrote the request.
            let head = request::scan(spoken.dialect, &body)?;
            meter.dropped(quirks::dropped(&spoken.entry.quirks, &head, &body));
            let edits = quirks::edits(&spoken.entry.quirks, &head, &body).collect();
            RequestBody::held(edit::apply(&body, edits))
        } else {
            RequestBody::held([body])
        };
        let mut request = Request::new(body);
        *request.method_mut() = Method::POST;
        *request.uri_mut() = path.into();
        *request.headers_mut() = self.headers(provider, call, spoken.dialect);
        for (name, value) in encoded.headers {
            request.headers_mut().insert(name, value);
        }
        Ok(request)
    }

    /// What came back, in the client's words.
    async fn answer(
        &self,
        spoken: &Spoken<'_>,
        response: Response<Answer>,
        origin: Origin,
        asked: Asked,
        keeper: Option<Keeper>,
        meter: &mut Meter,
    ) -> Result<Reply, Error> {
        let (parts, answer) = response.into_parts();
        let streams = is_event_stream(&parts.headers) || !is_json(&parts.headers);
        if asked.request.stream && streams {
            let media_type = spoken.ingress.stream_media_type();
            let has_custom = asked.request.tools.iter().any(|tool| matches!(tool, Tool::Custom(_)));
            let custom = has_custom.then(|| RestoreCustom::new(&asked.request));
            let (decoder, encoder) = (spoken.egress.decoder(origin), spoken.ingress.encoder(asked));
            let translation = Translation::new(decoder, encoder, custom, keeper);
            return Ok(reply(media_type, Content::Translated(answer, Box::new(translation))));
        }
        let (body, held) = self.collect(answer, meter).await?;
        let mut answer = spoken.egress.decode_answer(&body, &origin)?;
        custom::restore_answer(&mut answer, &asked.request);
        meter.used(answer.usage);
        if let Some(keeper) = keeper {
            keeper.keep(&answer, body.len());
        }
        let (media_type, body) = if asked.request.stream {
            (spoken.ingress.stream_media_type(), as_stream(spoken.ingress, answer, asked))
        } else {
            ("application/json", spoken.ingress.encode_answer(&answer, &asked))
        };
        Ok(reply(media_type, Content::Whole(body, Some(held))))
    }

    async fn collect(&self, mut answer: Answer, meter: &mut Meter) -> Result<(Bytes, Taken), Error> {
        let mut held = self.ports.held_bytes.nothing();
        let mut body = BytesMut::new();
        while let Some(piece) = answer.data().await {
            let piece = piece.map_err(|error| self.failed(&error))?;
            meter.received();
            if body.len() + piece.len() > ANSWER_BYTES_MAX {
                let what = format!("an answer of more than {ANSWER_BYTES_MAX} bytes");
                return Err(gw_dialects::shared::refusal::invalid(&self.resolved.choice.provider.name, &what));
            }
            held.hold(body.len(), piece.len())?;
            body.extend_from_slice(&piece);
        }
        Ok((body.freeze(), held))
    }
}

/// What is asked, without what only the gateway understands.
fn decode(spoken: &Spoken<'_>, call: &Call<'_>, head: &Head) -> Result<ChatRequest, Error> {
    let extensions: edit::Edits = request::remove_extensions(head, &call.body).collect();
    let edited;
    let body: &[u8] = if extensions.is_empty() {
        &call.body
    } else {
        edited = edit::apply(&call.body, extensions).concat();
        &edited
    };
    let line = RequestLine { model: call.model, stream: call.stream, headers: Some(call.headers) };
    spoken.ingress.decode_request(&line, body)
}

/// Refuses a request of which something would be left out.
fn refuse(losses: &[Loss], provider: &Provider) -> Result<(), Error> {
    let lost: Vec<_> = losses.iter().filter(|loss| !loss.replaced).map(ToString::to_string).collect();
    if lost.is_empty() {
        return Ok(());
    }
    let message =
        format!("provider \"{}\" cannot be told all of this request: {}; leave it out", provider.name, lost.join("; "));
    Err(Error::new(ErrorCode::UnsupportedParameter, message))
}

fn not_found() -> Error {
    let message =
        "`previous_response_id` names an answer that is not kept here any more; send the earlier items in `input`";
    Error::new(ErrorCode::PreviousResponseNotFound, message).with_param("previous_response_id")
}

/// An answer that came whole, for a client that asked for a stream.
fn as_stream(ingress: &dyn Ingress, answer: ChatAnswer, asked: Asked) -> Bytes {
    let mut encoder = ingress.encoder(asked);
    let mut out = BytesMut::new();
    for event in answer.into_events() {
        encoder.encode(&event, &mut out);
    }
    encoder.end(&mut out);
    out.freeze()
}

fn reply(media_type: &'static str, content: Content) -> Reply {
    let headers = HeaderMap::from_iter([(header::CONTENT_TYPE, HeaderValue::from_static(media_type))]);
    Reply { status: StatusCode::OK, headers, content }
}

fn is_json(headers: &HeaderMap) -> bool {
    let media_type = headers.get(header::CONTENT_TYPE).map(HeaderValue::as_bytes).unwrap_or_default();
    media_type.get(..16).is_some_and(|start| start.eq_ignore_ascii_case(b"application/json"))
}
