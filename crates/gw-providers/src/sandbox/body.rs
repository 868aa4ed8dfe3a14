//! The body of an answer: pieces made while it is read, at a pace, and broken where the model's name asks for it.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tokio::time::{Sleep, sleep};

use super::SandboxFault;

/// Before an answer breaks, so that what came before it is on its way.
const PAUSE_BEFORE_BREAK: Duration = Duration::from_millis(10);

/// The body of an answer. Dropping it is what closing the connection would be.
pub struct SandboxBody {
    pieces: Box<dyn Iterator<Item = Bytes> + Send>,
    /// Bytes still to come, where an upstream would have said so beforehand.
    length: Option<u64>,
    pace: Option<Duration>,
    /// Runs between two pieces.
    wait: Option<Pin<Box<Sleep>>>,
    ending: Ending,
}

/// What comes after the last piece.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    Complete,
    /// The connection ends.
    Disconnect,
    /// Nothing, for ever.
    Hang,
    /// A panic.
    Panic,
}

impl SandboxBody {
    /// A body whose length is told beforehand.
    pub(super) fn whole(bytes: Bytes) -> Self {
        let length = Some(bytes.len() as u64);
        let pieces = Box::new(std::iter::once(bytes).filter(|bytes| !bytes.is_empty()));
        Self { pieces, length, pace: None, wait: None, ending: Ending::Complete }
    }

    /// A body that is made while it is read.
    pub(super) fn flowing(pieces: impl Iterator<Item = Bytes> + Send + 'static) -> Self {
        Self { pieces: Box::new(pieces), length: None, pace: None, wait: None, ending: Ending::Complete }
    }

    /// With this much time between two pieces.
    pub(super) fn paced(mut self, pace: Option<Duration>) -> Self {
        self.pace = pace;
        self
    }

    /// Ends in the middle of the piece after `complete_pieces`.
    pub(super) fn broken_off(mut self, complete_pieces: usize, ending: Ending) -> Self {
        self.pieces =
            Box::new(self.pieces.take(complete_pieces + 1).enumerate().map(move |(index, piece)| {
                if index < complete_pieces { piece } else { piece.slice(..piece.len() / 2) }
            }));
        self.ending = ending;
        self
    }

    /// The bytes still to come, where that is known.
    pub(super) fn length(&self) -> Option<u64> {
        self.length
    }
}

impl Body for SandboxBody {
    type Data = Bytes;
    type Error = SandboxFault;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, SandboxFault>>> {
        let this = self.get_mut();
        if let Some(wait) = &mut this.wait {
            ready!(wait.as_mut().poll(context));
            this.wait = None;
        }
        if let Some(piece) = this.pieces.next() {
            let pause = if this.ending == Ending::Complete { None } else { Some(PAUSE_BEFORE_BREAK) };
            this.wait = this.pace.or(pause).map(|pace| Box::pin(sleep(pace)));
            this.length = this.length.map(|length| length.saturating_sub(piece.len() as u64));
            return Poll::Ready(Some(Ok(Frame::data(piece))));
        }
        match this.ending {
            Ending::Complete => Poll::Ready(None),
            Ending::Disconnect => {
                this.ending = Ending::Complete;
                Poll::Ready(Some(Err(SandboxFault::Disconnected)))
            }
            // Nobody wakes the reader: only dropping the body ends it.
            Ending::Hang => Poll::Pending,
            Ending::Panic => super::panic_on_demand(),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.length == Some(0) && self.ending == Ending::Complete
    }

    fn size_hint(&self) -> SizeHint {
        self.length.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}
