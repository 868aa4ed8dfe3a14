//! What two answers say: read from what went to a client, in the client's format, and compared. On another thread: it may
//! take milliseconds, and no request waits for that.

use gw_core::chat::{ChatAnswer, Collector, OutputFormat};
use gw_core::shadow::{Comparison, Side};
use gw_core::{Outcome, RequestId};
use gw_dialects::DialectId;
use gw_dialects::chat::{self, Egress, Origin};
use serde_json::value::RawValue;
use tokio::time::Instant;

use super::copy::Copied;
use super::recorder::{Ended, Tape};
use crate::translation::says_something;

/// Compares what both said to a request.
pub(super) fn compare(request_id: RequestId, asked: &Copied, usual: &Ended, shadow: &Ended) -> Comparison {
    let (usual_side, usual_answer) = read(asked.dialect, usual);
    let (shadow_side, shadow_answer) = read(asked.dialect, shadow);
    let usual = (usual_side, usual_answer.as_ref());
    Comparison::of(request_id, usual, (shadow_side, shadow_answer.as_ref()), wants_json(asked))
}

/// Whether the text of the answer is to be JSON.
fn wants_json(asked: &Copied) -> bool {
    let request = chat::ingress(asked.dialect).map(|ingress| ingress.decode_request(&asked.line(), &asked.body));
    matches!(request, Some(Ok(request)) if request.output != OutputFormat::Text)
}

/// What is known of an answer, and the answer itself, if it is whole and was understood.
fn read(dialect: DialectId, ended: &Ended) -> (Side, Option<ChatAnswer>) {
    let mut side = ended.side.clone();
    let whole = ended.tape.as_ref().filter(|_| side.outcome == Outcome::Completed && side.error.is_none());
    let read =
        whole.zip(chat::egress(dialect)).and_then(|(tape, egress)| match tape.bytes.trim_ascii_start().first() {
            Some(b'{') => whole_answer(egress, tape),
            Some(b'[') => array(egress, tape),
            _ => stream(egress, tape),
        });
    let Some((answer, first_content)) = read else { return (side, None) };
    side.first_content_us = first_content.map(|at| {
        let micros = at.saturating_duration_since(ended.began).as_micros();
        u64::try_from(micros).unwrap_or(u64::MAX)
    });
    (side, Some(answer))
}

/// An answer, and when its first content went to the client.
type Read = (ChatAnswer, Option<Instant>);

fn whole_answer(egress: &dyn Egress, tape: &Tape) -> Option<Read> {
    let answer = egress.decode_answer(&tape.bytes, &Origin::default()).ok()?;
    Some((answer, tape.marks.first().map(|(_, at)| *at)))
}

/// Piece by piece, as it came.
fn stream(egress: &dyn Egress, tape: &Tape) -> Option<Read> {
    let rest = tape.marks.last().map_or(0, |(end, _)| *end);
    let pieces = tape.marks.iter().map(|(end, at)| (*end, Some(*at)));
    let pieces = pieces.chain((rest < tape.bytes.len()).then_some((tape.bytes.len(), None)));
    let mut begin = 0;
    let pieces = pieces.map(|(end, at)| {
        let piece = tape.bytes.get(begin..end).unwrap_or_default();
        begin = end;
        (piece, at)
    });
    decoded(egress, pieces)
}

/// Gemini's list of chunks, in place of events.
fn array(egress: &dyn Egress, tape: &Tape) -> Option<Read> {
    let chunks: Vec<&RawValue> = serde_json::from_slice(&tape.bytes).ok()?;
    let events: Vec<String> = chunks.iter().map(|chunk| format!("data: {}\n\n", one_line(chunk.get()))).collect();
    let first = tape.marks.first().map(|(_, at)| *at);
    decoded(egress, events.iter().map(|event| (event.as_bytes(), first)))
}

/// Line breaks in JSON stand between its words only.
fn one_line(json: &str) -> String {
    json.replace(['\n', '\r'], " ")
}

fn decoded<'a>(egress: &dyn Egress, pieces: impl Iterator<Item = (&'a [u8], Option<Instant>)>) -> Option<Read> {
    let mut decoder = egress.decoder(Origin::default());
    let (mut collector, mut events, mut first) = (Collector::default(), Vec::new(), None);
    for (piece, at) in pieces {
        decoder.decode(piece, &mut events).ok()?;
        if first.is_none() && events.iter().any(says_something) {
            first = at;
        }
        events.drain(..).for_each(|event| collector.push(event));
    }
    decoder.end(&mut events).ok()?;
    events.drain(..).for_each(|event| collector.push(event));
    Some((collector.into_answer(), first))
}
