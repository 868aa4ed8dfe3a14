//! One exchange with an origin: its errors, and the body of its answer.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;

use crate::connect::ConnectError;
use crate::http1::Lease;
use crate::http2::CountedStream;

/// Why a request got no answer.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// No connection could be made; nothing was sent.
    #[error("{0}")]
    Unreachable(#[from] ConnectError),
    /// The connection ended before the answer's head was complete.
    #[error("the connection ended before the answer")]
    Disconnected,
    /// What came is not HTTP, or its head is too long.
    #[error("the answer is not valid HTTP: {0}")]
    Invalid(String),
    /// The other side does not take the request.
    #[error("the request could not be sent in time")]
    WriteTimeout,
    /// The client's body broke off while it was forwarded.
    #[error("the request's body broke off")]
    RequestBody,
}

impl SendError {
    /// Sorts an error of hyper's.
    pub(crate) fn from_hyper(error: &hyper::Error) -> Self {
        if error.is_parse() || error.is_parse_too_large() {
            return Self::Invalid(error.to_string());
        }
        if error.is_user() {
            return Self::RequestBody;
        }
        Self::Disconnected
    }
}

/// Why an answer's body broke off.
#[derive(Debug, thiserror::Error)]
pub enum BodyError {
    /// The connection ended before the body was complete.
    #[error("the connection ended before the answer was complete")]
    Disconnected,
    /// What came is not HTTP.
    #[error("the answer is not valid HTTP: {0}")]
    Invalid(String),
}

impl BodyError {
    fn from_hyper(error: &hyper::Error) -> Self {
        if error.is_parse() { Self::Invalid(error.to_string()) } else { Self::Disconnected }
    }
}

/// The body of an answer. Dropping it before its end closes the connection (or resets the HTTP/2 stream), so that the
/// provider stops at once; at its end the connection goes back to its pool.
pub struct UpstreamBody {
    incoming: Incoming,
    /// The HTTP/1.1 connection that the body comes from. It is driven from here: no other task runs for it.
    lease: Option<Lease>,
    /// Its place on an HTTP/2 connection, free again when the body is dropped.
    _stream: Option<CountedStream>,
}

impl UpstreamBody {
    /// A body on a connection of its own.
    pub(crate) fn leased(incoming: Incoming, lease: Lease) -> Self {
        let mut body = Self { incoming, lease: Some(lease), _stream: None };
        body.give_back_at_end();
        body
    }

    /// A body on a connection that others use too.
    pub(crate) fn counted(incoming: Incoming, stream: CountedStream) -> Self {
        Self { incoming, lease: None, _stream: Some(stream) }
    }

    fn give_back_at_end(&mut self) {
        if self.incoming.is_end_stream()
            && let Some(lease) = self.lease.take()
        {
            lease.give_back();
        }
    }
}

impl Body for UpstreamBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = self.get_mut();
        let mut polled = Pin::new(&mut this.incoming).poll_frame(context);
        if polled.is_pending()
            && let Some(lease) = &mut this.lease
        {
            // Asking for a frame made room for one; now the connection reads it from the socket.
            lease.drive(context);
            polled = Pin::new(&mut this.incoming).poll_frame(context);
        }
        match polled {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Some(Ok(frame))) => {
                this.give_back_at_end();
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(Some(Err(error))) => {
                this.lease = None;
                Poll::Ready(Some(Err(BodyError::from_hyper(&error))))
            }
            Poll::Ready(None) => {
                if let Some(lease) = this.lease.take() {
                    lease.give_back();
                }
                Poll::Ready(None)
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}
