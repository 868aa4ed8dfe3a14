//! The body of a request to a provider.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use smallvec::SmallVec;

/// What is sent to a provider: held in memory (so that it can be sent again), or flowing through from the client.
#[derive(Debug)]
pub enum RequestBody {
    /// Pieces of memory, sent in order. Cloning the pieces is cheap.
    Held {
        /// What has not been sent yet, last piece first.
        rest: SmallVec<[Bytes; 4]>,
        /// Bytes left in `rest`.
        length: u64,
    },
    /// A client's body, forwarded as it arrives. It can be sent once.
    Flowing(Incoming),
}

impl RequestBody {
    /// No body.
    pub fn empty() -> Self {
        Self::held([])
    }

    /// The pieces, in order.
    pub fn held(pieces: impl IntoIterator<Item = Bytes>) -> Self {
        let mut rest: SmallVec<[Bytes; 4]> = pieces.into_iter().filter(|piece| !piece.is_empty()).collect();
        rest.reverse();
        let length = rest.iter().map(|piece| piece.len() as u64).sum();
        Self::Held { rest, length }
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        match self.get_mut() {
            Self::Held { rest, length } => Poll::Ready(rest.pop().map(|piece| {
                *length -= piece.len() as u64;
                Ok(Frame::data(piece))
            })),
            Self::Flowing(incoming) => Pin::new(incoming).poll_frame(context),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Held { rest, .. } => rest.is_empty(),
            Self::Flowing(incoming) => incoming.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Held { length, .. } => SizeHint::with_exact(*length),
            Self::Flowing(incoming) => incoming.size_hint(),
        }
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;

    use super::*;

    #[tokio::test]
    async fn the_pieces_arrive_in_order_and_their_length_is_known_beforehand() {
        let body = RequestBody::held([Bytes::from_static(b"ab"), Bytes::new(), Bytes::from_static(b"c")]);
        assert_eq!(body.size_hint().exact(), Some(3));
        assert_eq!(body.collect().await.unwrap().to_bytes(), "abc");
    }
}
