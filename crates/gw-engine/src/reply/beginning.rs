//! The beginning of a stream. While another try is possible, what a stream says is held until it says something: a stream
//! that breaks off before is a failure of the attempt like any other, and nobody has been told a word of it.

use std::future::poll_fn;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use gw_core::{Error, ErrorCode};
use gw_dialects::begun::{Beginning, beginning};
use gw_dialects::stream::FaultKind;
use gw_providers::attempt::{Answer, AttemptError};
use tokio::time::Instant;

use super::{Content, END_GRACE, Events, Reply, Translated};
use crate::dispatch::Attempt;
use crate::meter::Meter;

/// What is held of a stream at most; one that says nothing for longer goes on as it comes.
const HELD_BYTES_MAX: usize = 64 << 10;
/// How long a stream is held at most that has begun and says nothing: clients take a silent connection for a dead one.
const HELD_MAX: Duration = Duration::from_secs(5);

/// How long the first content of a stream is waited for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Patience {
    /// When a stream that has said nothing has failed, and after how long that is; never if `None`.
    pub(crate) late: Option<(Instant, Duration)>,
    /// Until when somebody is there to hear it begin: then what has come goes on, whatever it says.
    pub(crate) heard_until: Instant,
    /// When the whole answer has to be there.
    pub(crate) deadline: Instant,
}

/// How the wait for the first content has ended.
enum Ended {
    /// It has come, or is waited for no longer: the stream goes on.
    Begun,
    /// It did not come in time.
    Late(Duration),
    /// The connection failed.
    Failed(AttemptError),
    /// What came is no answer.
    Wrong(Error),
}

impl Attempt<'_> {
    /// Holds a stream until its first content. What is whole has begun.
    ///
    /// # Errors
    /// It broke off before, said that it failed, or said nothing in time.
    pub(crate) async fn begin(&self, reply: &mut Reply, patience: Patience, meter: &mut Meter) -> Result<(), Error> {
        let Some(answer) = reply.content.unfinished() else {
            if let Content::Flowing(_, answer) = &mut reply.content {
                answer.set_deadline(patience.deadline);
            }
            return Ok(());
        };
        let held_until = patience.deadline.min(patience.heard_until).min(Instant::now() + HELD_MAX);
        answer.set_deadline(patience.late.map_or(held_until, |(late, _)| late.min(held_until)));
        let ended = poll_fn(|context| match &mut reply.content {
            Content::Events(events) => events.poll_begin(meter, context),
            Content::Translated(stream) => stream.poll_begin(meter, context),
            Content::Whole(..) | Content::Flowing(..) | Content::Resumable(..) | Content::Carried(..) => {
                Poll::Ready(Ended::Begun)
            }
        });
        match ended.await {
            Ended::Failed(AttemptError::Deadline) => match patience.ended() {
                Ended::Begun => {}
                ended => return Err(self.unbegun(ended)),
            },
            Ended::Begun => {}
            ended => return Err(self.unbegun(ended)),
        }
        if let Some(answer) = reply.content.unfinished() {
            answer.set_deadline(patience.deadline);
        }
        meter.begun();
        Ok(())
    }

    fn unbegun(&self, ended: Ended) -> Error {
        match ended {
            Ended::Late(after) => self.failed(&AttemptError::Timeout(after)),
            Ended::Failed(error) => self.failed(&error),
            // As long as nothing was told, a stream that was interrupted is an answer that did not come.
            Ended::Wrong(error) if error.code == ErrorCode::ProviderStreamInterrupted => {
                self.failed(&AttemptError::Disconnected(error.message.into_owned()))
            }
            Ended::Wrong(error) => self.shown(None).masked_in(error),
            Ended::Begun => Error::new(ErrorCode::InternalError, "the stream has begun"),
        }
    }
}

impl Patience {
    /// What a wait that was ended by the clock means.
    fn ended(&self) -> Ended {
        let now = Instant::now();
        match self.late {
            _ if now >= self.deadline => Ended::Failed(AttemptError::Deadline),
            Some((late, after)) if now >= late => Ended::Late(after),
            _ => Ended::Begun,
        }
    }
}

impl Content {
    /// The answer, if it is a stream of events that has not told its end.
    fn unfinished(&mut self) -> Option<&mut Answer> {
        match self {
            Self::Events(events) => (!events.scan.is_done()).then_some(&mut events.answer),
            Self::Translated(stream) => (!stream.translation.is_complete()).then_some(&mut stream.answer),
            Self::Whole(..) | Self::Flowing(..) | Self::Resumable(..) | Self::Carried(..) => None,
        }
    }
}

impl Events {
    fn poll_begin(&mut self, meter: &mut Meter, context: &mut Context<'_>) -> Poll<Ended> {
        loop {
            let piece = match ready!(self.answer.poll_data(context)) {
                Some(Ok(piece)) => piece,
                Some(Err(error)) => return Poll::Ready(Ended::Failed(error)),
                None => return Poll::Ready(self.ended_early(meter)),
            };
            meter.received();
            if let Some(judge) = &mut self.judge {
                meter.judged(judge.read(&piece));
            }
            let fed = self.scan.feed(piece);
            // Also of a stream that fails now: what it used is paid for.
            meter.used(self.scan.usage());
            let pieces = match fed {
                Ok(pieces) => pieces,
                Err(fault) => return Poll::Ready(Ended::Wrong(fault.into_error())),
            };
            let mut pieces_begin = pieces.iter().map(|piece| beginning(piece)).filter(|begins| *begins != Ok(None));
            let begins = match pieces_begin.next().unwrap_or(Ok(None)) {
                Ok(begins) => begins,
                Err(fault) => return Poll::Ready(Ended::Wrong(FaultKind::into_error(fault))),
            };
            let has_begun = begins == Some(Beginning::Answer);
            self.ready.extend(pieces);
            // Whatever has come with it: an end mark behind an error is no answer.
            if !has_begun && self.scan.error().is_some() {
                return Poll::Ready(self.refused());
            }
            if self.scan.is_done() {
                self.answer.hurry(END_GRACE);
            }
            if has_begun || self.ready.iter().map(|piece| piece.len()).sum::<usize>() > HELD_BYTES_MAX {
                return Poll::Ready(Ended::Begun);
            }
        }
    }

    /// The connection has ended. The last event may lack the empty line that ends it, and be the whole answer.
    fn ended_early(&mut self, meter: &mut Meter) -> Ended {
        let end = self.scan.finish();
        if self.scan.error().is_some() {
            return self.refused();
        }
        if !end.clean {
            let message = "its stream ended before it said anything";
            return Ended::Wrong(Error::new(ErrorCode::ProviderStreamInterrupted, message));
        }
        meter.used(self.scan.usage());
        meter.told_end(self.scan.told_end());
        meter.completed();
        self.ready.push_back(end.rest);
        self.over = true;
        Ended::Begun
    }

    fn refused(&self) -> Ended {
        let message = self.scan.error().unwrap_or_default();
        let message = format!("the provider's stream failed before it said anything: {message}");
        Ended::Wrong(Error::new(ErrorCode::ProviderFailed, message))
    }
}

impl Translated {
    fn poll_begin(&mut self, meter: &mut Meter, context: &mut Context<'_>) -> Poll<Ended> {
        loop {
            let (said, is_end) = match ready!(self.answer.poll_data(context)) {
                Some(Ok(piece)) => {
                    meter.received();
                    (self.translate(piece), false)
                }
                Some(Err(error)) => return Poll::Ready(Ended::Failed(error)),
                None => (self.translation.end(), true),
            };
            meter.used(self.translation.usage());
            meter.told_end(self.translation.told_end());
            meter.judged(self.translation.verdict());
            let has_begun = self.translation.has_begun();
            match said.end {
                Some(Err(error)) if !has_begun => return Poll::Ready(Ended::Wrong(error)),
                Some(Err(error)) => self.break_off(error, meter),
                Some(Ok(())) => {
                    (self.told, self.over) = (true, is_end);
                    meter.completed();
                }
                None => {}
            }
            if !said.bytes.is_empty() {
                self.begun.push_back(said.bytes);
            }
            let held: usize = self.begun.iter().map(|piece| piece.len()).sum();
            if has_begun || self.told || self.over || held > HELD_BYTES_MAX {
                return Poll::Ready(Ended::Begun);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_stream_that_is_held_too_long_goes_on_and_fails_only_when_its_own_time_is_over() {
        let s = Duration::from_secs;
        let now = Instant::now();
        let patience = Patience { late: Some((now + s(8), s(8))), heard_until: now + s(60), deadline: now + s(60) };
        advance(HELD_MAX).await;
        assert!(matches!(patience.ended(), Ended::Begun));
        assert!(matches!(Patience { late: None, ..patience }.ended(), Ended::Begun));
        advance(s(3)).await;
        assert!(matches!(patience.ended(), Ended::Late(after) if after == s(8)));
        advance(s(52)).await;
        assert!(matches!(patience.ended(), Ended::Failed(AttemptError::Deadline)));
    }
}
