//! The way back: an answer's head, and its body with the meter inside.

mod beginning;
mod events;
mod flowing;
mod resumed;

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use gw_core::{Error, ErrorCode};
use gw_dialects::carried_usage::Learner;
use gw_dialects::error as dialect_error;
use gw_dialects::response::TailScan;
use gw_http::panics::{Panicked, guard};
use gw_providers::attempt::{Answer, AttemptError};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use http_body::{Body, Frame, SizeHint};

use crate::budget::Taken;
use crate::cost;
use crate::meter::Meter;
use crate::routing::notice;
use crate::translation::Said;
pub use crate::translation::Translation;
pub(crate) use beginning::Patience;
pub use events::{Events, Translated};
use flowing::{Carried, Flowing};
pub use resumed::Resumable;

/// How long the end of a connection is waited for once the answer is whole. One that ends in time can be used again.
pub(crate) const END_GRACE: Duration = Duration::from_millis(100);

/// An answer on its way to the client.
pub struct Reply {
    /// Its status.
    pub status: StatusCode,
    /// Its headers, as the provider sent them.
    pub headers: HeaderMap,
    /// Its body.
    pub content: Content,
}

impl Reply {
    /// A reply of our own making.
    pub(crate) fn of(media_type: &'static str, content: Content) -> Self {
        let headers = HeaderMap::from_iter([(header::CONTENT_TYPE, HeaderValue::from_static(media_type))]);
        Self { status: StatusCode::OK, headers, content }
    }
}

/// The body of an answer, before the meter joins it.
pub enum Content {
    /// All of it.
    Whole(Bytes, Option<Taken>),
    /// What came of it so far; the rest follows as it comes.
    Flowing(VecDeque<Bytes>, Answer),
    /// A stream of events.
    Events(Box<Events>),
    /// A stream that is said in other words, or read along with.
    Translated(Box<Translated>),
    /// The same, that others may go on with.
    Resumable(Box<Resumable>),
    /// What is carried without being understood.
    Carried(Answer, Box<Learner>),
}

/// The body of an answer. The meter settles when it is dropped.
pub struct ReplyBody {
    /// `None` for answers of the gateway itself, which nobody meters.
    meter: Option<Box<Meter>>,
    state: State,
}

enum State {
    Whole { bytes: Option<Bytes>, _held: Option<Taken> },
    Flowing(Box<Flowing>),
    Events(Box<Events>),
    Translated(Box<Translated>),
    Resumable(Box<Resumable>),
    Carried(Box<Carried>),
    Ended,
}

/// An answer that is not a stream broke off; the connection is cut, so that the client does not take it for whole.
#[derive(Debug, thiserror::Error)]
#[error("the provider's answer broke off")]
pub struct Broken;

impl ReplyBody {
    /// A body of bytes that are here, which nobody meters.
    pub fn unmetered(bytes: Bytes) -> Self {
        Self { meter: None, state: State::Whole { bytes: Some(bytes), _held: None } }
    }

    /// The same body, which counts as held until it is sent.
    #[must_use]
    pub fn holding(mut self, taken: Option<Taken>) -> Self {
        if let State::Whole { _held, .. } = &mut self.state {
            *_held = taken;
        }
        self
    }

    /// A body of bytes that are here.
    pub fn whole(bytes: Bytes, mut meter: Box<Meter>) -> Self {
        if bytes.is_empty() {
            // Nobody asks for the bytes of an empty body.
            meter.completed();
        }
        Self { meter: Some(meter), state: State::Whole { bytes: Some(bytes), _held: None } }
    }

    /// The body of an answer.
    pub fn new(content: Content, mut meter: Box<Meter>) -> Self {
        let state = match content {
            Content::Whole(bytes, held) => State::Whole { bytes: Some(bytes), _held: held },
            Content::Flowing(begun, answer) => {
                State::Flowing(Box::new(Flowing { begun, answer, tail: TailScan::default() }))
            }
            Content::Events(events) => {
                meter.stream_opened();
                State::Events(events)
            }
            Content::Translated(stream) => {
                meter.stream_opened();
                State::Translated(stream)
            }
            Content::Resumable(stream) => {
                meter.stream_opened();
                State::Resumable(stream)
            }
            Content::Carried(answer, learner) => {
                if learner.is_stream() {
                    meter.stream_opened();
                }
                if answer.is_end() {
                    // Nobody asks for the bytes of an empty body.
                    meter.completed();
                }
                State::Carried(Box::new(Carried { answer, learner }))
            }
        };
        Self { meter: Some(meter), state }
    }
}

impl State {
    /// Whether what goes out are events, each whole.
    fn is_events(&self) -> bool {
        matches!(self, Self::Events(_) | Self::Translated(_) | Self::Resumable(_))
    }

    fn poll(
        &mut self,
        meter: &mut Option<Box<Meter>>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Broken>>> {
        if let Self::Resumable(stream) = self {
            return stream.poll(meter, context).map(|bytes| bytes.map(Ok));
        }
        match (self, meter.as_deref_mut()) {
            (Self::Whole { bytes, .. }, meter) => {
                // The answer is complete when its bytes are taken: the connection does not ask again.
                if let Some(meter) = meter {
                    meter.completed();
                }
                Poll::Ready(bytes.take().filter(|bytes| !bytes.is_empty()).map(Ok))
            }
            (Self::Flowing(flowing), Some(meter)) => flowing.poll(meter, context),
            (Self::Events(events), Some(meter)) => events.poll(meter, context).map(|bytes| bytes.map(Ok)),
            (Self::Translated(stream), Some(meter)) => stream.poll(meter, context).map(|bytes| bytes.map(Ok)),
            (Self::Carried(carried), Some(meter)) => carried.poll(meter, context),
            (Self::Flowing(_) | Self::Events(_) | Self::Translated(_) | Self::Carried(_), None)
            | (Self::Resumable(_) | Self::Ended, _) => Poll::Ready(None),
        }
    }

    /// What the client gets after a panic: an error event where that can be said, else a cut connection.
    fn broken(&mut self, meter: Option<&mut Meter>) -> Option<Result<Bytes, Broken>> {
        // Without one it was with whoever asked for the rest of the answer, and has settled.
        let Some(meter) = meter else { return matches!(self, Self::Resumable(_)).then_some(Err(Broken)) };
        meter.panicked();
        let error = Error::new(ErrorCode::InternalError, "the gateway broke while it sent this answer");
        match std::mem::replace(self, Self::Ended) {
            Self::Events(_) => Some(Ok(dialect_error::stream_error(&error, meter.request_id().as_str()))),
            // Who was saying it may be what broke.
            Self::Whole { .. }
            | Self::Flowing(_)
            | Self::Translated(_)
            | Self::Resumable(_)
            | Self::Carried(_)
            | Self::Ended => Some(Err(Broken)),
        }
    }
}

impl Body for ReplyBody {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        let Self { meter, state } = self.get_mut();
        let polled = match guard(|| state.poll(meter, context)) {
            Ok(polled) => polled,
            Err(Panicked) => Poll::Ready(state.broken(meter.as_deref_mut())),
        };
        let polled = match (polled, meter.as_deref()) {
            (Poll::Ready(Some(Ok(bytes))), Some(meter)) if meter.tells_cost() && state.is_events() => {
                Poll::Ready(Some(Ok(cost::told_in_events(bytes, meter))))
            }
            (polled, _) => polled,
        };
        let polled = match (polled, meter.as_deref_mut()) {
            (Poll::Ready(Some(Ok(bytes))), Some(meter))
                if meter.notices().awaits_first_chunk() && state.is_events() =>
            {
                Poll::Ready(Some(Ok(notice::in_first_chunk(bytes, meter))))
            }
            (polled, _) => polled,
        };
        if let (Poll::Ready(Some(Ok(bytes))), Some(meter)) = (&polled, meter) {
            if meter.looks_for_id() {
                meter.told(bytes, state.is_events());
            }
            meter.heard(bytes);
            meter.forwarded(bytes.len());
        }
        if matches!(polled, Poll::Ready(None | Some(Err(_)))) {
            *state = State::Ended;
        }
        polled.map(|piece| piece.map(|bytes| bytes.map(Frame::data)))
    }

    fn is_end_stream(&self) -> bool {
        matches!(self.state, State::Ended | State::Whole { bytes: None, .. })
    }

    fn size_hint(&self) -> SizeHint {
        match &self.state {
            State::Whole { bytes, .. } => SizeHint::with_exact(bytes.as_ref().map_or(0, Bytes::len) as u64),
            State::Flowing(flowing) => {
                let begun: usize = flowing.begun.iter().map(Bytes::len).sum();
                flowing.answer.length().map_or_else(SizeHint::default, |rest| SizeHint::with_exact(rest + begun as u64))
            }
            State::Carried(carried) => carried.answer.length().map_or_else(SizeHint::default, SizeHint::with_exact),
            State::Events(_) | State::Translated(_) | State::Resumable(_) => SizeHint::default(),
            State::Ended => SizeHint::with_exact(0),
        }
    }
}

impl Drop for ReplyBody {
    /// A client may leave before the end: what the provider has told by then was used.
    fn drop(&mut self) {
        let Some(meter) = &mut self.meter else { return };
        match &mut self.state {
            State::Events(events) => meter.used(events.scan.usage()),
            State::Flowing(flowing) => meter.used(flowing.tail.usage()),
            State::Carried(carried) => meter.used(carried.learner.usage()),
            // Noted with every piece, or with the whole.
            State::Translated(_) | State::Resumable(_) | State::Whole { .. } | State::Ended => {}
        }
    }
}

/// What an attempt's error is called once a part of the answer has gone to the client.
fn interrupted(error: &AttemptError) -> Error {
    let code = match error {
        AttemptError::Timeout(_) => ErrorCode::ProviderTimeout,
        AttemptError::Deadline => ErrorCode::DeadlineExceeded,
        AttemptError::Interrupted => ErrorCode::ClientClosed,
        AttemptError::Unreachable(_) | AttemptError::Disconnected(_) | AttemptError::Invalid(_) => {
            ErrorCode::ProviderStreamInterrupted
        }
    };
    Error::new(code, format!("the provider's answer broke off: {error}"))
}
