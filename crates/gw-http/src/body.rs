//! The body of a request to a provider.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Buf, Bytes};
use http_body::{Body, Frame, SizeHint};
use smallvec::SmallVec;

/// What is sent to a provider: pieces of memory, in order, so that it can be sent again. Cloning them is cheap.
#[derive(Debug, Clone, Default)]
pub struct RequestBody {
    /// What has not been sent yet, last piece first.
    rest: SmallVec<[Bytes; 4]>,
    /// Bytes left in `rest`.
    length: u64,
}

impl RequestBody {
    /// No body.
    pub fn empty() -> Self {
        Self::default()
    }

    /// The pieces, in order.
    pub fn held(pieces: impl IntoIterator<Item = Bytes>) -> Self {
        let mut rest: SmallVec<[Bytes; 4]> = pieces.into_iter().filter(|piece| !piece.is_empty()).collect();
        rest.reverse();
        let length = rest.iter().map(|piece| piece.len() as u64).sum();
        Self { rest, length }
    }

    /// How many bytes are left.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// What is left, in order.
    pub fn pieces(&self) -> impl Iterator<Item = &Bytes> {
        self.rest.iter().rev()
    }

    /// So many bytes were sent.
    pub(crate) fn advance(&mut self, mut count: usize) {
        while let Some(piece) = self.rest.last_mut() {
            let of_piece = count.min(piece.len());
            piece.advance(of_piece);
            self.length -= of_piece as u64;
            count -= of_piece;
            if piece.has_remaining() {
                return;
            }
            self.rest.pop();
        }
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let this = self.get_mut();
        Poll::Ready(this.rest.pop().map(|piece| {
            this.length -= piece.len() as u64;
            Ok(Frame::data(piece))
        }))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.length)
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;

    use super::*;

    fn body() -> RequestBody {
        RequestBody::held([Bytes::from_static(b"ab"), Bytes::new(), Bytes::from_static(b"c")])
    }

    #[tokio::test]
    async fn the_pieces_arrive_in_order_and_their_length_is_known_beforehand() {
        assert_eq!(body().size_hint().exact(), Some(3));
        assert_eq!(body().collect().await.unwrap().to_bytes(), "abc");
    }

    #[test]
    fn what_was_sent_is_no_longer_left_wherever_the_write_ended() {
        for count in 0..=3 {
            let mut body = body();
            body.advance(count);
            let left: Vec<u8> = body.pieces().flatten().copied().collect();
            assert_eq!(left, b"abc"[count..]);
            assert_eq!(body.length(), 3 - count as u64);
        }
    }
}
