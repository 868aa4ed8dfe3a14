//! Bodies that are events, each whole: a stream as it came, and one that is said in other words. What breaks off ends in an
//! error event.

use std::collections::VecDeque;
use std::task::{Context, Poll};

use bytes::Bytes;
use gw_core::{Error, ErrorCode};
use gw_dialects::error as dialect_error;
use gw_dialects::stream::StreamScan;
use gw_providers::attempt::{Answer, AttemptError};

use super::{Content, END_GRACE, Said, Translation, interrupted};
use crate::begun::Begun;
use crate::judging::ReadingJudge;
use crate::meter::Meter;

/// A stream that is forwarded as it comes.
pub struct Events {
    pub(super) answer: Answer,
    pub(super) scan: StreamScan,
    pub(super) ready: VecDeque<Bytes>,
    pub(super) over: bool,
    /// Where it is of interest whether calls of tools can be followed.
    pub(super) judge: Option<ReadingJudge>,
}

/// A stream that is said in other words, or read along with.
pub struct Translated {
    pub(super) answer: Answer,
    pub(super) translation: Translation,
    /// What was said before the first content, if it was held until then.
    pub(super) begun: VecDeque<Bytes>,
    /// The client has been told everything; the connection may still end.
    pub(super) told: bool,
    pub(super) over: bool,
    /// Why it has broken off, where somebody else may go on with it and the client has not been told.
    broken: Option<Box<Error>>,
}

impl Content {
    /// A stream of events from its beginning.
    pub(crate) fn events(answer: Answer, scan: StreamScan, judge: Option<ReadingJudge>) -> Self {
        Self::Events(Box::new(Events { answer, scan, ready: VecDeque::new(), over: false, judge }))
    }

    /// A stream that is said in other words, or read along with, from its beginning.
    pub(crate) fn translated(answer: Answer, translation: Translation) -> Self {
        let begun = VecDeque::new();
        Self::Translated(Box::new(Translated { answer, translation, begun, told: false, over: false, broken: None }))
    }
}

impl Events {
    pub(super) fn poll(&mut self, meter: &mut Meter, context: &mut Context<'_>) -> Poll<Option<Bytes>> {
        loop {
            if let Some(bytes) = self.ready.pop_front() {
                return Poll::Ready(Some(bytes));
            }
            if self.over {
                return Poll::Ready(None);
            }
            match self.answer.poll_data(context) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Some(Ok(bytes))) => {
                    meter.received();
                    if let Some(judge) = &mut self.judge {
                        meter.judged(judge.read(&bytes));
                    }
                    match self.scan.feed(bytes) {
                        Ok(pieces) => {
                            self.ready.extend(pieces);
                            if self.scan.is_done() {
                                self.answer.hurry(END_GRACE);
                            }
                            if meter.tells_cost() {
                                meter.used(self.scan.usage());
                            }
                        }
                        Err(mut fault) => {
                            self.ready.extend(std::mem::take(&mut fault.before));
                            self.break_off(meter, &fault.into_error());
                        }
                    }
                }
                Poll::Ready(Some(Err(error))) => self.end(meter, Some(&error)),
                Poll::Ready(None) => self.end(meter, None),
            }
        }
    }

    /// The provider's stream is over. Only one that said so itself ends well.
    fn end(&mut self, meter: &mut Meter, error: Option<&AttemptError>) {
        let end = self.scan.finish();
        meter.used(self.scan.usage());
        meter.told_end(self.scan.told_end());
        if !end.rest.is_empty() {
            self.ready.push_back(end.rest);
        }
        if end.clean {
            self.over = true;
            match self.scan.error() {
                Some(_) => meter.interrupted(ErrorCode::ProviderFailed),
                None => meter.completed(),
            }
            return;
        }
        let error = error.map_or_else(
            || Error::new(ErrorCode::ProviderStreamInterrupted, "the provider's stream ended before it was complete"),
            interrupted,
        );
        self.break_off(meter, &error);
    }

    /// Ends the stream with an error event: a clean end would be taken for a whole answer.
    fn break_off(&mut self, meter: &mut Meter, error: &Error) {
        self.over = true;
        meter.used(self.scan.usage());
        meter.interrupted(error.code);
        self.ready.push_back(dialect_error::stream_error(error, meter.request_id().as_str()));
    }
}

impl Translated {
    /// What has been said, where somebody else may go on with it.
    pub(crate) fn begun(&self) -> Option<&Begun> {
        self.translation.begun()
    }

    /// Nobody goes on with it; if it has broken off already, the client is told now.
    pub(crate) fn not_resumable(&mut self, meter: &mut Meter) {
        self.translation.not_resumable();
        if let Some(error) = self.broken.take() {
            meter.interrupted(error.code);
            let told = self.translation.give_up(&error);
            self.begun.push_back(told);
        }
    }

    /// Why it has broken off, if the client has not been told.
    pub(super) fn take_broken(&mut self) -> Option<Box<Error>> {
        self.broken.take()
    }

    /// Goes on with another attempt's stream, which was given the text so far. Some begin with it.
    pub(super) fn go_on(&mut self, rest: Self, repeats: bool) {
        let Self { answer, translation, .. } = rest;
        self.translation.go_on(translation, repeats);
        (self.answer, self.told, self.over) = (answer, false, false);
    }

    /// Nobody goes on with it: the client is told.
    pub(super) fn give_up(&mut self, error: &Error) -> Bytes {
        self.translation.give_up(error)
    }

    pub(super) fn break_off(&mut self, error: Error, meter: &mut Meter) {
        self.over = true;
        match self.begun() {
            Some(begun) if begun.waits() => self.broken = Some(Box::new(error)),
            _ => meter.interrupted(error.code),
        }
    }

    pub(super) fn poll(&mut self, meter: &mut Meter, context: &mut Context<'_>) -> Poll<Option<Bytes>> {
        if let Some(bytes) = self.begun.pop_front() {
            return Poll::Ready(Some(bytes));
        }
        while !self.over {
            let polled = self.answer.poll_data(context);
            if self.told {
                match polled {
                    Poll::Pending => return Poll::Pending,
                    Poll::Ready(Some(Ok(_))) => continue,
                    Poll::Ready(None | Some(Err(_))) => break,
                }
            }
            let is_end = matches!(polled, Poll::Ready(None | Some(Err(_))));
            let said = match polled {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Some(Ok(bytes))) => {
                    meter.received();
                    self.translate(bytes)
                }
                Poll::Ready(Some(Err(error))) => self.translation.break_off(interrupted(&error)),
                Poll::Ready(None) => self.translation.end(),
            };
            meter.used(self.translation.usage());
            meter.told_end(self.translation.told_end());
            meter.judged(self.translation.verdict());
            match said.end {
                None => {}
                Some(Ok(())) => {
                    (self.told, self.over) = (true, is_end);
                    meter.completed();
                }
                Some(Err(error)) => self.break_off(error, meter),
            }
            if !said.bytes.is_empty() {
                return Poll::Ready(Some(said.bytes));
            }
        }
        self.over = true;
        Poll::Ready(None)
    }

    /// Says a piece in other words; where that was the last, the end of the connection is not waited for long.
    pub(super) fn translate(&mut self, piece: Bytes) -> Said {
        let said = self.translation.feed(piece);
        if self.translation.is_complete() {
            self.answer.hurry(END_GRACE);
        }
        said
    }
}
