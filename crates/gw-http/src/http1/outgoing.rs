//! A request on its way out.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, Bytes};
use smallvec::SmallVec;
use tokio::io::AsyncWrite;
use tokio::time::{Sleep, sleep};

use crate::body::{Interrupted, RequestBody};

/// Pieces written with one call.
const PIECES_AT_ONCE: usize = 8;

/// Why a request could not be written.
pub(super) enum WriteError {
    /// The connection broke.
    Broken,
    /// The other side takes nothing.
    Timeout,
    /// The body broke off before it was whole.
    Interrupted(Interrupted),
}

/// A request of which a part may have been written.
pub(super) struct Outgoing {
    head: Bytes,
    body: RequestBody,
    begun: bool,
    done: bool,
    /// While the other side takes nothing: when that has been for too long.
    stalled: Option<Pin<Box<Sleep>>>,
    timeout: Duration,
}

impl Outgoing {
    pub(super) fn new(head: Bytes, body: RequestBody, timeout: Duration) -> Self {
        Self { head, body, begun: false, done: false, stalled: None, timeout }
    }

    /// Whether all of it was written.
    pub(super) fn is_done(&self) -> bool {
        self.done && !self.body.is_flowing()
    }

    /// The body, if no byte of the request was written.
    pub(super) fn into_untouched(self) -> Option<RequestBody> {
        (!self.begun).then_some(self.body)
    }

    /// Writes what the other side takes; ready when all is written.
    pub(super) fn poll_write(
        &mut self,
        stream: &mut (impl AsyncWrite + Unpin),
        context: &mut Context<'_>,
    ) -> Poll<Result<(), WriteError>> {
        loop {
            match self.poll_pieces(stream, context) {
                Poll::Ready(Ok(())) => self.stalled = None,
                Poll::Ready(Err(_)) => return Poll::Ready(Err(WriteError::Broken)),
                Poll::Pending => {
                    let timer = self.stalled.get_or_insert_with(|| Box::pin(sleep(self.timeout)));
                    ready!(timer.as_mut().poll(context));
                    return Poll::Ready(Err(WriteError::Timeout));
                }
            }
            if !self.body.is_flowing() {
                return Poll::Ready(Ok(()));
            }
            // While the body's source brings nothing there is no time limit here: the source has its own.
            ready!(self.body.poll_refill(context)).map_err(WriteError::Interrupted)?;
            self.done = false;
        }
    }

    /// Writes what is here.
    fn poll_pieces(
        &mut self,
        stream: &mut (impl AsyncWrite + Unpin),
        context: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        while self.head.has_remaining() || self.body.has_pieces() {
            let count = {
                let head = std::iter::once(&self.head).filter(|head| head.has_remaining());
                let pieces = head.chain(self.body.pieces()).take(PIECES_AT_ONCE);
                let pieces: SmallVec<[_; PIECES_AT_ONCE]> = pieces.map(|piece| IoSlice::new(piece)).collect();
                ready!(Pin::new(&mut *stream).poll_write_vectored(context, &pieces))?
            };
            if count == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            (self.begun, self.stalled) = (true, None);
            let of_head = count.min(self.head.len());
            self.head.advance(of_head);
            self.body.advance(count - of_head);
        }
        if !self.done {
            ready!(Pin::new(stream).poll_flush(context))?;
            self.done = true;
        }
        Poll::Ready(Ok(()))
    }
}
