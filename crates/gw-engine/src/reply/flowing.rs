//! Bodies that are bytes on their way: a large answer, and what is carried. What breaks off is cut, since nothing can be said
//! in the middle of it.

use std::collections::VecDeque;
use std::task::{Context, Poll};

use bytes::Bytes;
use gw_dialects::carried_usage::Learner;
use gw_dialects::response::TailScan;
use gw_providers::attempt::Answer;

use super::{Broken, interrupted};
use crate::meter::Meter;

/// An answer of which the beginning has come.
pub(super) struct Flowing {
    pub(super) begun: VecDeque<Bytes>,
    pub(super) answer: Answer,
    pub(super) tail: TailScan,
}

/// An answer that is not understood.
pub(super) struct Carried {
    pub(super) answer: Answer,
    pub(super) learner: Box<Learner>,
}

impl Flowing {
    pub(super) fn poll(&mut self, meter: &mut Meter, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, Broken>>> {
        let next = match self.begun.pop_front() {
            Some(bytes) => Some(Ok(bytes)),
            None => match self.answer.poll_data(context) {
                Poll::Ready(next) => next,
                Poll::Pending => return Poll::Pending,
            },
        };
        let piece = match next {
            Some(Err(error)) => {
                meter.interrupted(interrupted(&error).code);
                return Poll::Ready(Some(Err(Broken)));
            }
            Some(Ok(bytes)) => Some(bytes),
            None => None,
        };
        if let Some(bytes) = &piece {
            self.tail.feed(bytes);
        }
        // Nobody asks for more than the length that was told.
        if piece.is_none() || self.begun.is_empty() && self.answer.is_end() {
            meter.used(self.tail.usage());
            // Nothing as large as this is an empty answer.
            meter.told_end(true);
            meter.completed();
        }
        Poll::Ready(piece.map(Ok))
    }
}

impl Carried {
    /// What breaks off is cut: where an error could be said in it is not known.
    pub(super) fn poll(&mut self, meter: &mut Meter, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, Broken>>> {
        let piece = match self.answer.poll_data(context) {
            Poll::Pending => return Poll::Pending,
            Poll::Ready(Some(Err(error))) => {
                meter.used(self.learner.usage());
                meter.interrupted(interrupted(&error).code);
                return Poll::Ready(Some(Err(Broken)));
            }
            Poll::Ready(Some(Ok(piece))) => Some(piece),
            Poll::Ready(None) => None,
        };
        if let Some(piece) = &piece {
            meter.received();
            self.learner.feed(piece);
        }
        // Nobody asks for more than the length that was told.
        if piece.is_none() || self.answer.is_end() {
            meter.used(self.learner.usage());
            meter.completed();
        }
        Poll::Ready(piece.map(Ok))
    }
}
