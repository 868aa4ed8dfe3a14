//! The body of a request to a provider.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use http_body::{Body, Frame, SizeHint};
use smallvec::SmallVec;

/// What is sent to a provider: pieces of memory, in order, or what flows in from elsewhere while it is sent.
#[derive(Default)]
pub struct RequestBody {
    /// What has not been sent yet, last piece first.
    rest: SmallVec<[Bytes; 4]>,
    /// Bytes left in `rest`.
    length: u64,
    /// What comes after `rest`.
    flow: Option<Box<Flowing>>,
}

/// Where a body flows in from. It is asked for a piece only when the one before was taken by the provider's connection,
/// and dropped when nobody wants the rest.
pub trait Flow {
    /// The next piece; `None` at the end.
    fn poll_piece(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, Interrupted>>>;
}

/// A body that flows broke off: the request ends there, and nobody may take it for whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the request's body broke off")]
pub struct Interrupted;

struct Flowing {
    source: Box<dyn Flow>,
    /// Bytes that are still to come, where that was told; otherwise it is sent in chunks.
    left: Option<u64>,
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
        Self { rest, length, flow: None }
    }

    /// The same pieces once more, without copying them; `None` if some flow in, which they do only once.
    pub fn again(&self) -> Option<Self> {
        let again = || Self { rest: self.rest.clone(), length: self.length, flow: None };
        self.flow.is_none().then(again)
    }

    /// What `source` brings: so many bytes, or as many as there will be if nobody knows. It can be sent only once.
    pub fn flowing(source: Box<dyn Flow>, length: Option<u64>) -> Self {
        Self { flow: Some(Box::new(Flowing { source, left: length })), ..Self::default() }
    }

    /// How many bytes are left; `None` if nobody knows.
    pub fn length(&self) -> Option<u64> {
        match &self.flow {
            None => Some(self.length),
            Some(flow) => flow.left.map(|left| left + self.length),
        }
    }

    /// What is left of the pieces that are here, in order.
    pub fn pieces(&self) -> impl Iterator<Item = &Bytes> {
        self.rest.iter().rev()
    }

    /// Whether more may flow in after the pieces that are here.
    pub fn is_flowing(&self) -> bool {
        self.flow.is_some()
    }

    /// The next piece; `None` at the end.
    pub async fn data(&mut self) -> Option<Result<Bytes, Interrupted>> {
        std::future::poll_fn(|context| self.poll_data(context)).await
    }

    /// Whether there are pieces to be sent now.
    pub(crate) fn has_pieces(&self) -> bool {
        !self.rest.is_empty()
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

    /// Takes the next piece of what flows and makes of it what HTTP/1.1 puts on the wire (RFC 9112 §7.1). To be called
    /// when nothing else is left.
    pub(crate) fn poll_refill(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Interrupted>> {
        let Some(flow) = &mut self.flow else { return Poll::Ready(Ok(())) };
        let chunked = flow.left.is_none();
        let wire = match ready!(flow.poll_piece(context)) {
            Some(Err(interrupted)) => return Poll::Ready(Err(interrupted)),
            Some(Ok(piece)) if !chunked => Self::held([piece]),
            Some(Ok(piece)) => {
                Self::held([Bytes::from(format!("{:x}\r\n", piece.len())), piece, Bytes::from_static(b"\r\n")])
            }
            None => {
                self.flow = None;
                Self::held(chunked.then_some(Bytes::from_static(b"0\r\n\r\n")))
            }
        };
        (self.rest, self.length) = (wire.rest, wire.length);
        Poll::Ready(Ok(()))
    }

    fn poll_data(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, Interrupted>>> {
        if let Some(piece) = self.rest.pop() {
            self.length -= piece.len() as u64;
            return Poll::Ready(Some(Ok(piece)));
        }
        let Some(flow) = &mut self.flow else { return Poll::Ready(None) };
        let piece = ready!(flow.poll_piece(context));
        if piece.is_none() {
            self.flow = None;
        }
        Poll::Ready(piece)
    }
}

impl Flowing {
    /// The next piece, which is not empty. More or less than was told is a broken body: what follows it would be taken
    /// for another request.
    fn poll_piece(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, Interrupted>>> {
        loop {
            let piece = match ready!(self.source.poll_piece(context)) {
                Some(Ok(piece)) if piece.is_empty() => continue,
                Some(Ok(piece)) => piece,
                Some(Err(interrupted)) => return Poll::Ready(Some(Err(interrupted))),
                None if self.left.unwrap_or(0) > 0 => return Poll::Ready(Some(Err(Interrupted))),
                None => return Poll::Ready(None),
            };
            if let Some(left) = &mut self.left {
                match left.checked_sub(piece.len() as u64) {
                    Some(rest) => *left = rest,
                    None => return Poll::Ready(Some(Err(Interrupted))),
                }
            }
            return Poll::Ready(Some(Ok(piece)));
        }
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = Interrupted;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Interrupted>>> {
        self.get_mut().poll_data(context).map_ok(Frame::data)
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.flow.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        self.length().map_or_else(SizeHint::default, SizeHint::with_exact)
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
            assert_eq!(body.length(), Some(3 - count as u64));
        }
    }

    /// Brings these pieces.
    struct Given(std::collections::VecDeque<&'static str>);

    impl Flow for Given {
        fn poll_piece(&mut self, _context: &mut Context<'_>) -> Poll<Option<Result<Bytes, Interrupted>>> {
            Poll::Ready(self.0.pop_front().map(|piece| Ok(Bytes::from_static(piece.as_bytes()))))
        }
    }

    fn flowing(pieces: &[&'static str], length: Option<u64>) -> RequestBody {
        RequestBody::flowing(Box::new(Given(pieces.iter().copied().collect())), length)
    }

    /// What HTTP/1.1 puts on the wire.
    fn wire(mut body: RequestBody) -> Result<String, Interrupted> {
        let mut context = Context::from_waker(std::task::Waker::noop());
        let mut sent = Vec::new();
        while body.is_flowing() {
            match body.poll_refill(&mut context) {
                Poll::Ready(refilled) => refilled?,
                Poll::Pending => unreachable!("all pieces are there"),
            }
            for piece in body.pieces() {
                sent.extend_from_slice(piece);
            }
            body.advance(sent.len());
        }
        Ok(String::from_utf8(sent).unwrap())
    }

    #[test]
    fn what_flows_goes_out_as_it_is_where_its_length_is_known_and_in_chunks_where_not() {
        assert_eq!(wire(flowing(&["ab", "", "c"], Some(3))).unwrap(), "abc");
        assert_eq!(wire(flowing(&["ab", "", "c"], None)).unwrap(), "2\r\nab\r\n1\r\nc\r\n0\r\n\r\n");
        assert_eq!(wire(flowing(&[], None)).unwrap(), "0\r\n\r\n");
    }

    #[tokio::test]
    async fn a_body_that_is_not_as_long_as_was_told_is_broken() {
        for length in [2, 4] {
            assert_eq!(wire(flowing(&["ab", "c"], Some(length))), Err(Interrupted));
            assert!(flowing(&["ab", "c"], Some(length)).collect().await.is_err());
        }
        assert_eq!(flowing(&["ab", "c"], None).collect().await.unwrap().to_bytes(), "abc");
    }
}
