//! A stream that somebody else goes on with if it breaks off. The client reads one stream; between its parts stands a
//! comment that says who went on.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use gw_core::Error;
use gw_dialects::DialectId;
use serde_json::json;

use super::Translated;
use crate::meter::Meter;
use crate::routing::resume::{Rest, Standby};

/// A stream, and who may go on with it.
pub struct Resumable {
    stream: Box<Translated>,
    stage: Stage,
}

enum Stage {
    /// The stream flows.
    Flows(Box<Standby>),
    /// It has broken off for this reason, and somebody is asked to go on.
    Asks(Box<Error>, Pin<Box<dyn Future<Output = Rest>>>),
    /// Nobody goes on any more.
    Alone,
}

impl Resumable {
    /// A stream that these may go on with.
    pub(crate) fn new(stream: Box<Translated>, standby: Box<Standby>) -> Self {
        Self { stream, stage: Stage::Flows(standby) }
    }

    /// The next bytes. While somebody is asked, the meter is with whoever asks.
    pub(super) fn poll(&mut self, meter: &mut Option<Box<Meter>>, context: &mut Context<'_>) -> Poll<Option<Bytes>> {
        loop {
            if let Stage::Asks(_, asking) = &mut self.stage {
                let rest = ready!(asking.as_mut().poll(context));
                if let Some(bytes) = self.joined(rest, meter) {
                    return Poll::Ready(Some(bytes));
                }
            }
            let Some(present) = meter.as_deref_mut() else { return Poll::Ready(None) };
            if let Some(bytes) = ready!(self.stream.poll(present, context)) {
                return Poll::Ready(Some(bytes));
            }
            let Some(error) = self.stream.take_broken() else { return Poll::Ready(None) };
            match self.asking(&error, meter) {
                Some(asking) => self.stage = Stage::Asks(error, asking),
                None => return Poll::Ready(Some(self.give_up(&error, meter))),
            }
        }
    }

    fn asking(&mut self, error: &Error, meter: &mut Option<Box<Meter>>) -> Option<Pin<Box<dyn Future<Output = Rest>>>> {
        let Stage::Flows(mut standby) = std::mem::replace(&mut self.stage, Stage::Alone) else { return None };
        let begun = self.stream.begun()?;
        let next = standby.next(error)?;
        let mut meter = meter.take()?;
        standby.broke_off(error, begun.prefix(), &mut meter);
        Some(Box::pin(standby.go_on(next, meter)))
    }

    /// Somebody goes on, or nobody does: what the client is told of it.
    fn joined(&mut self, rest: Rest, meter: &mut Option<Box<Meter>>) -> Option<Bytes> {
        let Rest { standby, meter: back, stream } = rest;
        let back = meter.insert(back);
        let Stage::Asks(error, _) = std::mem::replace(&mut self.stage, Stage::Alone) else { return None };
        let Some((rest, repeats)) = stream else { return Some(self.give_up(&error, meter)) };
        self.stream.go_on(*rest, repeats);
        let mark = mark(standby.dialect(), back);
        self.stage = Stage::Flows(standby);
        mark
    }

    fn give_up(&mut self, error: &Error, meter: &mut Option<Box<Meter>>) -> Bytes {
        self.stage = Stage::Alone;
        if let Some(meter) = meter {
            meter.interrupted(error.code);
        }
        self.stream.give_up(error)
    }
}

/// Says who goes on: in a comment, which every reader of events skips but Google's, and in the next chunk where clients know
/// our own members.
fn mark(dialect: DialectId, meter: &mut Meter) -> Option<Bytes> {
    let choice = &meter.target()?.choice;
    let told = json!({ "resumed": { "provider": &*choice.provider.name, "model": &*choice.model } }).to_string();
    if dialect == DialectId::OpenAiChat {
        meter.notices_mut().tell_in_next_chunk("gateway", Bytes::from(told.clone()));
    }
    (dialect != DialectId::Gemini).then(|| Bytes::from(format!(": gateway {told}\n\n")))
}
