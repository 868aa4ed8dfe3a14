//! Connections on which another protocol is spoken after HTTP/1.1 has agreed to it (RFC 9110 §7.8), at either end.

use std::cell::RefCell;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Buf, Bytes};
use http::{HeaderMap, Response};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::client::UpstreamBody;
use crate::pool::Counted;
use crate::stream::Stream;

/// A connection that HTTP is done with.
pub struct Upgraded {
    stream: Stream,
    /// What came of the other protocol with HTTP's last bytes.
    read: Bytes,
    _counted: Option<Counted>,
}

/// What became of a request to speak another protocol.
pub enum Switched {
    /// It is spoken; the headers with which it was agreed to.
    Done(Upgraded, HeaderMap),
    /// It is not.
    Refused(Response<UpstreamBody>),
}

impl Upgraded {
    pub(crate) fn new(stream: Stream, read: Bytes, counted: Option<Counted>) -> Self {
        Self { stream, read, _counted: counted }
    }
}

impl AsyncRead for Upgraded {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.read.has_remaining() {
            let count = this.read.len().min(buffer.remaining());
            buffer.put_slice(&this.read.split_to(count));
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut this.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Upgraded {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write(context, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(context)
    }
}

/// What is to be done with a client's connection after an answer with status 101.
#[derive(Default)]
pub struct Takeover(RefCell<Option<Next>>);

type Next = Box<dyn FnOnce(Upgraded) -> Pin<Box<dyn Future<Output = ()>>>>;

impl Takeover {
    /// Does this with the connection. To be set before the answer with status 101 is returned.
    pub fn set<F: Future<Output = ()> + 'static>(&self, next: impl FnOnce(Upgraded) -> F + 'static) {
        *self.0.borrow_mut() = Some(Box::new(|upgraded| Box::pin(next(upgraded))));
    }

    pub(crate) fn take(&self) -> Option<Next> {
        self.0.borrow_mut().take()
    }
}
