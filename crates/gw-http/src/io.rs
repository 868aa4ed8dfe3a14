//! The bytes of a client's connection, and what the door notes and corrects on their way.

use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::stream::Stream;
use crate::watch::Watch;

/// Renders the door's answer to a request that hyper refused with this status before the service saw it.
pub(crate) type Refuse = Rc<dyn Fn(u16) -> Bytes>;

/// A client's connection as hyper sees it.
pub(crate) struct ClientIo {
    stream: Stream,
    watch: Rc<Watch>,
    refuse: Refuse,
    /// The rest of an answer written in place of hyper's own, and what hyper is then told was written.
    replacement: Option<(Bytes, usize)>,
}

impl ClientIo {
    pub(crate) fn new(stream: Stream, watch: Rc<Watch>, refuse: Refuse) -> Self {
        Self { stream, watch, refuse, replacement: None }
    }

    /// The connection itself, for a last word on it.
    pub(crate) fn into_stream(self) -> Stream {
        self.stream
    }

    /// hyper answers heads that it cannot read by itself, with an empty body. Such an answer is replaced by one that
    /// says what was wrong, in the shape of every other error.
    fn poll_replace(&mut self, context: &mut Context<'_>, own: &[u8], total: usize) -> Poll<io::Result<usize>> {
        let (mut rest, total) = match self.replacement.take() {
            Some(begun) => begun,
            None => ((self.refuse)(status_of(own)), total),
        };
        while rest.has_remaining() {
            match Pin::new(&mut self.stream).poll_write(context, &rest) {
                Poll::Ready(Ok(0)) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Poll::Ready(Ok(count)) => rest.advance(count),
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => {
                    self.replacement = Some((rest, total));
                    return self.note(Poll::Pending);
                }
            }
        }
        self.note(Poll::Ready(Ok(total)))
    }

    fn note<T>(&self, poll: Poll<T>) -> Poll<T> {
        match &poll {
            Poll::Ready(_) => self.watch.wrote_some(),
            Poll::Pending => self.watch.write_blocked(),
        }
        poll
    }
}

/// The status in the first line of an answer; 400 if there is none.
fn status_of(answer: &[u8]) -> u16 {
    let digits = answer.get(9..12).and_then(|digits| std::str::from_utf8(digits).ok());
    digits.and_then(|digits| digits.parse().ok()).unwrap_or(400)
}

impl AsyncRead for ClientIo {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let poll = Pin::new(&mut self.stream).poll_read(context, buffer);
        if buffer.filled().len() > before {
            self.watch.read_some();
        }
        poll
    }
}

impl AsyncWrite for ClientIo {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if !self.watch.is_answering() {
            return self.poll_replace(context, bytes, bytes.len());
        }
        let poll = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.note(poll)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if !self.watch.is_answering() {
            let total = pieces.iter().map(|piece| piece.len()).sum();
            let first = pieces.first().map(|piece| &**piece).unwrap_or_default();
            return self.poll_replace(context, first, total);
        }
        let poll = Pin::new(&mut self.stream).poll_write_vectored(context, pieces);
        self.note(poll)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.stream).poll_flush(context))?;
        self.watch.flushed();
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
