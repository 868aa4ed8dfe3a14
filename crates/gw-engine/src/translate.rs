//! An attempt at a provider that does not speak the client's dialect: the request is said in its words, and what comes
//! back in the client's.

use std::borrow::Cow;
use std::rc::Rc;

use bytes::{Bytes, BytesMut};
use gw_config::config::Unsupported;
use gw_core::chat::{BuiltIn, BuiltInTool, ChatAnswer, ChatRequest, Loss, Tool};
use gw_core::{Error, ErrorCode};
use gw_dialects::chat::{self, Asked, DecodeEvents, Egress, Encoded, Ingress, Origin, RequestLine, Target};
use gw_dialects::envelope::Envelope;
use gw_dialects::gemini::ArrayFraming;
use gw_dialects::head::Head;
use gw_dialects::openai_chat::OptionalMember;
use gw_dialects::shared::custom::{self, RestoreCustom};
use gw_dialects::shared::emulation;
use gw_dialects::{DialectId, edit, request};
use gw_providers::attempt::Answer;
use gw_providers::catalog::{DialectEntry, Streaming};
use http::Response;
use tokio::time::timeout_at;

use crate::begun::Begun;
use crate::conversations::{Keeper, ToKeep};
use crate::dispatch::{Attempt, is_framed};
use crate::engine::Call;
use crate::gathering::Gathered;
use crate::judging;
use crate::media;
use crate::media_type::{is_event_stream, is_json};
use crate::meter::Meter;
use crate::prefill;
use crate::refusal::not_spoken;
use crate::reply::{Content, Reply, Translation};
use crate::search;
use crate::snapshot::Provider;

/// How a request is said.
struct Spoken<'a> {
    ingress: &'static dyn Ingress,
    egress: &'a dyn Egress,
    dialect: DialectId,
    entry: &'a DialectEntry,
    /// Whether tools are told in words.
    emulates: bool,
}

impl Spoken<'_> {
    /// Whether the provider fetches media by itself.
    fn takes_urls(&self) -> bool {
        self.egress.takes_urls() && self.entry.envelope.is_none_or(Envelope::takes_urls)
    }

    /// Reads a stream of the provider.
    fn decoder(&self, origin: Origin, asked: &Asked) -> Box<dyn DecodeEvents> {
        let decoder = self.egress.decoder(origin);
        if !self.emulates {
            return decoder;
        }
        emulation::decoder(decoder, &asked.request, asked.request_id.as_str())
    }

    /// Leaves out what the provider would not know, and tells what is lost.
    fn leave_out(&self, unsupported: Unsupported, request: &mut ChatRequest) -> Vec<Loss> {
        if self.dialect != DialectId::OpenAiChat || unsupported == Unsupported::Pass {
            return Vec::new();
        }
        let unknown = OptionalMember::ALL.into_iter().filter(|member| !self.entry.knows.contains(member));
        unknown.filter_map(|member| member.leave_out(request)).collect()
    }
}

impl Attempt<'_> {
    /// Sends the request in another dialect and makes a reply of what comes back.
    pub(crate) async fn run_translated(&self, call: &Call<'_>, head: &Head, meter: &mut Meter) -> Result<Reply, Error> {
        let provider = &self.resolved.choice.provider;
        let mut spoken = self.spoken(call, meter.goes_on())?;
        let mut held = self.ports.held_bytes.nothing();
        let (edits, thread) = Box::pin(self.threaded(call, head, meter, &mut held)).await?;
        let mut request = decode(spoken.ingress, call, head, edits)?;
        request.include_usage |= meter.tells_cost();
        self.ask_for_search(&mut request);
        let (to_keep, own) = self.continued(spoken.dialect, call, head, &mut request, meter, &mut held).await?;
        let to_keep = to_keep.or(thread);
        if !spoken.takes_urls() {
            // Rare, and large: it does not weigh on every request's future.
            let fetching = Box::pin(media::fetch_all(&mut request, &self.snapshot.media, &mut held));
            let late = |_| Error::new(ErrorCode::DeadlineExceeded, "the media of the request did not come in time");
            timeout_at(self.deadline, fetching).await.map_err(late)??;
        }
        if let (Some(text), Some(prefill)) = (meter.prefix(), &spoken.entry.prefill) {
            prefill::with_answer(&mut request, &text, prefill);
        }
        let only_streams = self.resolved.only_streams || spoken.entry.stream == Streaming::Only;
        let stream = request.stream || only_streams;
        let target = Target { model: &self.resolved.choice.model, provider: &provider.name, stream };
        if self.unsupported(call) == Unsupported::Pass {
            // As if the client had spoken the provider's dialect: what has no meaning here goes through.
            request.extra.family = spoken.dialect.family();
        }
        let unsupported = self.unsupported(call);
        let mut left_out = spoken.leave_out(unsupported, &mut request);
        let mut encoded = self.encode(&mut spoken, &request, &target)?;
        encoded.losses.append(&mut left_out);
        if unsupported == Unsupported::Reject {
            refuse(&encoded.losses, provider)?;
        }
        // The client is told them again, the provider never was.
        request.extra.members.extend(own);
        meter.lost(&encoded.losses);
        let names = std::mem::take(&mut encoded.names);
        if let Some(prefill) = spoken.entry.prefill.as_ref().filter(|_| meter.goes_on()) {
            encoded.body = prefill::marked(spoken.dialect, encoded.body, prefill)?;
        }
        let sent = self.outgoing(spoken.dialect, spoken.entry, encoded, request.stream, call, Some(meter))?;

        let response = self.send(sent, meter).await?;
        if !response.status().is_success() {
            let stranger = spoken.entry.envelope.and_then(Envelope::refuses_in);
            let egress = stranger.unwrap_or(spoken.egress);
            return Err(self.refusal(response, |refusal| egress.decode_error(refusal)).await);
        }
        let origin = Origin {
            provider: Rc::from(&*provider.name),
            model: Rc::from(&*self.resolved.choice.model),
            names: Rc::new(names),
            request_id: Some(meter.request_id()),
        };
        let asked =
            Asked { request: Rc::new(request), request_id: meter.request_id(), now_s: self.ports.clock.unix_s() };
        self.answer(&spoken, call, response, Awaited { origin, asked, stream, to_keep }, meter).await
    }

    /// Asks for the search of the web that the routing wants, unless the client asks for one itself.
    fn ask_for_search(&self, request: &mut ChatRequest) {
        let Some(search) = &self.resolved.target_settings.search else { return };
        let is_search = |tool: &Tool| matches!(tool, Tool::BuiltIn(tool) if tool.kind == BuiltIn::WebSearch);
        if !request.tools.iter().any(is_search) {
            request.tools.push(Tool::BuiltIn(BuiltInTool::clone(search)));
        }
    }

    /// What becomes of a parameter that cannot be said: as the operator has it, unless the request wants every one heard.
    fn unsupported(&self, call: &Call<'_>) -> Unsupported {
        if call.needs_parameters { Unsupported::Reject } else { self.snapshot.unsupported }
    }

    /// The request in the provider's words, its tools in words of ours where the model knows none.
    fn encode(&self, spoken: &mut Spoken<'_>, request: &ChatRequest, target: &Target<'_>) -> Result<Encoded, Error> {
        let Some((said, lost)) = self.told_in_words(request) else {
            return spoken.egress.encode_request(request, target);
        };
        spoken.emulates = true;
        let mut encoded = spoken.egress.encode_request(&said, target)?;
        encoded.losses.extend(lost);
        Ok(encoded)
    }

    /// How the provider is asked: in the client's own dialect if it speaks it, else in the first that it has for chat.
    fn spoken(&self, call: &Call<'_>, goes_on: bool) -> Result<Spoken<'_>, Error> {
        let provider = &self.resolved.choice.provider;
        let model = &self.resolved.choice.model;
        if goes_on {
            // Without the text so far the provider would begin anew, and the client read it twice.
            let spoken = prefill::spoken(self.snapshot, self.resolved, call.dialect);
            let ends =
                |(dialect, entry)| Some((chat::ingress(call.dialect)?, provider.egress(dialect)?, dialect, entry));
            let (ingress, egress, dialect, entry) = spoken.and_then(ends).ok_or_else(|| not_spoken(provider, call))?;
            return Ok(Spoken { ingress, egress, dialect, entry, emulates: false });
        }
        let searching = self.resolved.target_settings.search.as_ref();
        let searching = searching.and_then(|_| search::spoken(provider, model, call.dialect));
        let own = searching.or_else(|| Some((call.dialect, provider.entry.dialect(call.dialect, model)?)));
        let found = chat::ingress(call.dialect).and_then(|ingress| {
            own.into_iter().chain(provider.entry.dialects_of(model)).find_map(|(dialect, entry)| {
                Some(Spoken { ingress, egress: provider.egress(dialect)?, dialect, entry, emulates: false })
            })
        });
        found.ok_or_else(|| not_spoken(provider, call))
    }

    /// What came back, in the client's words.
    async fn answer(
        &self,
        spoken: &Spoken<'_>,
        call: &Call<'_>,
        response: Response<Answer>,
        awaited: Awaited,
        meter: &mut Meter,
    ) -> Result<Reply, Error> {
        let Awaited { origin, asked, stream, to_keep } = awaited;
        let (parts, answer) = response.into_parts();
        let streams = is_event_stream(&parts.headers) || !is_json(&parts.headers);
        if asked.request.stream && streams {
            let media_type = stream_media_type(spoken.ingress, call);
            let has_custom = asked.request.tools.iter().any(|tool| matches!(tool, Tool::Custom(_)));
            let custom = has_custom.then(|| RestoreCustom::new(&asked.request));
            let keeper = to_keep.map(|to_keep| Keeper::new(to_keep, spoken.ingress, asked.clone()));
            let frames = spoken.entry.envelope.filter(|_| is_framed(spoken.entry, &parts.headers));
            let frames = frames.and_then(|envelope| envelope.unframe(&origin.provider));
            let decoder = spoken.decoder(origin, &asked);
            let may_resume = meter.may_resume();
            let begun = may_resume.then(|| Begun::of(&asked.request, self.ports.held_bytes.nothing())).flatten();
            let encoder = spoken.ingress.encoder(asked);
            let translation = Translation::new(decoder, encoder, custom, keeper);
            let translation = translation
                .with_array(call.json_array)
                .unframing(frames)
                .resumable(begun)
                .judging(self.resolved.target_settings.judged);
            return Ok(Reply::of(media_type, Content::translated(answer, translation)));
        }
        let Gathered { mut answer, held } = if streams && stream || is_event_stream(&parts.headers) {
            self.gather(spoken.decoder(origin, &asked), answer, meter).await?
        } else {
            let (body, held) = self.collect(answer, || meter.received()).await?;
            let mut answer = spoken.egress.decode_answer(&body, &origin)?;
            if spoken.emulates {
                answer = emulation::restore_answer(answer, &asked.request, asked.request_id.as_str());
            }
            Gathered { answer, held }
        };
        custom::restore_answer(&mut answer, &asked.request);
        meter.used(answer.usage);
        meter.served(answer.service_tier.as_deref());
        meter.came_whole(answer.told_end());
        if self.resolved.target_settings.judged {
            meter.judged(judging::of_answer(&answer));
        }
        if let Some(to_keep) = to_keep {
            to_keep.keep(&spoken.ingress.encode_answer(&answer, &asked));
        }
        let (media_type, body) = if asked.request.stream {
            (stream_media_type(spoken.ingress, call), as_stream(spoken.ingress, answer, asked, call.json_array))
        } else {
            ("application/json", spoken.ingress.encode_answer(&answer, &asked))
        };
        Ok(Reply::of(media_type, Content::Whole(body, Some(held))))
    }
}

/// What is waited for.
struct Awaited {
    origin: Origin,
    asked: Asked,
    /// Whether the provider was asked for a stream.
    stream: bool,
    to_keep: Option<ToKeep>,
}

fn stream_media_type(ingress: &dyn Ingress, call: &Call<'_>) -> &'static str {
    if call.json_array { "application/json" } else { ingress.stream_media_type() }
}

/// What is asked, with these changes and without what only the gateway understands.
pub(crate) fn decode(
    ingress: &dyn Ingress,
    call: &Call<'_>,
    head: &Head,
    edits: edit::Edits,
) -> Result<ChatRequest, Error> {
    let line = RequestLine { model: call.model, stream: call.stream, headers: Some(call.headers) };
    ingress.decode_request(&line, &edited(call, head, edits))
}

/// The body with these changes and without what only the gateway understands.
pub(crate) fn edited<'a>(call: &'a Call<'_>, head: &Head, mut edits: edit::Edits) -> Cow<'a, [u8]> {
    edits.extend(request::remove_extensions(head, &call.body));
    if edits.is_empty() {
        return Cow::Borrowed(&call.body);
    }
    Cow::Owned(edit::apply(&call.body, edits).concat())
}

/// Refuses a request of which something would be left out.
pub(crate) fn refuse(losses: &[Loss], provider: &Provider) -> Result<(), Error> {
    let lost: Vec<_> =
        losses.iter().filter(|loss| loss.is_dropped()).map(|loss| format!("{}: {}", loss.param, loss.why)).collect();
    if lost.is_empty() {
        return Ok(());
    }
    let message =
        format!("provider \"{}\" cannot be told all of this request: {}; leave it out", provider.name, lost.join("; "));
    Err(Error::new(ErrorCode::UnsupportedParameter, message))
}

/// An answer that came whole, for a client that asked for a stream.
fn as_stream(ingress: &dyn Ingress, answer: ChatAnswer, asked: Asked, json_array: bool) -> Bytes {
    let mut encoder = ingress.encoder(asked);
    let mut out = BytesMut::new();
    for event in answer.into_events() {
        encoder.encode(&event, &mut out);
    }
    encoder.end(&mut out);
    if json_array { ArrayFraming::default().end(&out) } else { out.freeze() }
}
