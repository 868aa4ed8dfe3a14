//! One exchange with an origin: its errors, and the body of its answer.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;

use crate::body::Interrupted;
use crate::connect::ConnectError;
use crate::http1::AnswerBody;
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
    /// The request's body, which flowed in from elsewhere, broke off.
    #[error("{0}")]
    Interrupted(#[from] Interrupted),
}

impl SendError {
    /// Sorts an error of hyper's.
    pub(crate) fn from_hyper(error: &hyper::Error) -> Self {
        if error.is_parse() || error.is_parse_too_large() {
            return Self::Invalid(error.to_string());
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
pub struct UpstreamBody(Source);

/// Which kind of connection a body comes from.
enum Source {
    /// One of its own, which is driven from here: no other task runs for it.
    Leased(AnswerBody),
    /// One that others use too.
    Shared {
        incoming: Incoming,
        /// Its place there, free again when the body is dropped.
        _stream: CountedStream,
    },
}

impl UpstreamBody {
    /// A body on a connection of its own.
    pub(crate) fn leased(body: AnswerBody) -> Self {
        Self(Source::Leased(body))
    }

    /// A body on a connection that others use too.
    pub(crate) fn counted(incoming: Incoming, stream: CountedStream) -> Self {
        Self(Source::Shared { incoming, _stream: stream })
    }
}

impl Body for UpstreamBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match &mut self.get_mut().0 {
            Source::Leased(body) => body.poll_data(context).map_ok(Frame::data),
            Source::Shared { incoming, .. } => {
                Pin::new(incoming).poll_frame(context).map_err(|error| BodyError::from_hyper(&error))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Source::Leased(body) => body.is_end(),
            Source::Shared { incoming, .. } => incoming.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Source::Leased(body) => body.length().map(SizeHint::with_exact).unwrap_or_default(),
            Source::Shared { incoming, .. } => incoming.size_hint(),
        }
    }
}
