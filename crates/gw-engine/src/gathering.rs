//! An answer that comes in pieces, for a client that wants it whole: models that only stream, and providers that stream
//! without being asked.

use std::rc::Rc;

use gw_core::Error;
use gw_core::chat::{ChatAnswer, Collector};
use gw_dialects::chat::{self, Asked, DecodeEvents, Egress, Ingress, Origin};
use gw_dialects::edit::Edits;
use gw_dialects::head::Head;
use gw_dialects::{DialectId, openai_responses};
use gw_providers::attempt::Answer;

use crate::budget::Taken;
use crate::dispatch::Attempt;
use crate::engine::Call;
use crate::meter::Meter;
use crate::reply::{Content, END_GRACE, Reply};
use crate::translate;

/// An answer that came in pieces, whole.
pub(crate) struct Gathered {
    /// The answer.
    pub(crate) answer: ChatAnswer,
    /// What the budget of held bytes was asked for.
    pub(crate) held: Taken,
}

/// The two ends of the dialect that a client and its provider both speak.
type Ends = (&'static dyn Ingress, &'static dyn Egress);

impl Attempt<'_> {
    /// The two ends of the client's dialect, if its answers can be gathered: it has streams that are read here.
    pub(crate) fn gatherable(call: &Call<'_>) -> Option<Ends> {
        Some((chat::ingress(call.dialect)?, chat::egress(call.dialect)?))
    }

    /// Whether the provider has to be asked for a stream that the client does not want, in the client's own dialect.
    pub(crate) fn must_stream(&self, call: &Call<'_>, head: &Head, dialect_only_streams: bool) -> bool {
        let only_streams = dialect_only_streams || self.resolved.only_streams;
        only_streams && !head.stream && Self::gatherable(call).is_some()
    }

    /// The answer of a provider that speaks the client's dialect, in pieces: given whole.
    pub(crate) async fn gathered(
        &self,
        (ingress, egress): Ends,
        call: &Call<'_>,
        head: &Head,
        stream: Answer,
        meter: &mut Meter,
    ) -> Result<Reply, Error> {
        let origin = Origin {
            provider: Rc::from(&*self.resolved.choice.provider.name),
            model: Rc::from(&*self.resolved.choice.model),
            request_id: Some(meter.request_id()),
            ..Origin::default()
        };
        let Gathered { answer, held } = self.gather(egress.decoder(origin), stream, meter).await?;
        meter.used(answer.usage);
        meter.came_whole(answer.told_end());
        if let Some(remember) = self.remember(call, meter) {
            remember.under(&answer.id);
        }
        let request = translate::decode(ingress, call, head, Edits::new())?;
        let asked =
            Asked { request: Rc::new(request), request_id: meter.request_id(), now_s: self.ports.clock.unix_s() };
        let body = ingress.encode_answer(&answer, &asked);
        let body = match call.dialect {
            // The provider keeps the answer under its own id.
            DialectId::OpenAiResponses if !answer.id.is_empty() => openai_responses::with_id(&body, &answer.id),
            _ => body,
        };
        Ok(Reply::of("application/json", Content::Whole(body, Some(held))))
    }

    /// Reads a stream to its end.
    ///
    /// # Errors
    /// What the provider says is wrong; that the stream broke off, or is longer than an answer may be.
    pub(crate) async fn gather(
        &self,
        mut decoder: Box<dyn DecodeEvents>,
        mut stream: Answer,
        meter: &mut Meter,
    ) -> Result<Gathered, Error> {
        let mut held = self.ports.held_bytes.nothing();
        let (mut collector, mut events, mut bytes) = (Collector::default(), Vec::new(), 0);
        while let Some(piece) = stream.data().await {
            if decoder.is_complete() {
                // What ends the connection, or the lack of it.
                if piece.is_err() {
                    break;
                }
                continue;
            }
            let piece = piece.map_err(|error| self.failed(&error))?;
            meter.received();
            self.check_size(bytes + piece.len())?;
            held.hold(bytes, piece.len())?;
            bytes += piece.len();
            decoder.decode(&piece, &mut events)?;
            events.drain(..).for_each(|event| collector.push(event));
            if decoder.is_complete() {
                stream.hurry(END_GRACE);
            }
        }
        decoder.end(&mut events)?;
        events.drain(..).for_each(|event| collector.push(event));
        Ok(Gathered { answer: collector.into_answer(), held })
    }
}
