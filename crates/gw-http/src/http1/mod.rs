//! An HTTP/1.1 connection to an origin: one request at a time, driven by whoever waits for the answer.
//!
//! There is no task for a connection, and it holds no buffer. The request that uses it polls it, and so does the answer's
//! body: what arrives is read into the worker's own buffer and handed over without waking anybody. An idle one is looked
//! at when it is taken and once a second.

pub(crate) mod framing;
pub(crate) mod head;
mod outgoing;

use std::cell::RefCell;
use std::future::poll_fn;
use std::pin::Pin;
use std::rc::{Rc, Weak};
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use tokio::io::{AsyncRead, ReadBuf};

use crate::body::RequestBody;
use crate::client::{BodyError, SendError, UpstreamBody};
use crate::connect::{Connected, ForwardProxy};
use crate::http1::framing::{Framing, Malformed, Wire};
use crate::http1::head::AnswerHead;
use crate::http1::outgoing::{Outgoing, WriteError};
use crate::observer::Observer;
use crate::origin::Origin;
use crate::pool::{Counted, HEAD_BYTES_MAX, Pool};
use crate::stream::Stream;
use crate::upgrade::{Switched, Upgraded};

/// What is read from a socket at once, at most.
const READ_BYTES: usize = 64 << 10;

/// A request that was not answered.
pub(crate) enum Unsent {
    /// No byte of it was written; it may go elsewhere.
    Whole(Box<Request<RequestBody>>),
    /// Some of it was, or may have been.
    Gone(SendError),
}

/// A worker's buffer to read into. What was read is copied out at once, so that what is kept is as small as it can be.
#[derive(Clone)]
pub(crate) struct ReadBuffer(Rc<RefCell<Box<[u8]>>>);

impl Default for ReadBuffer {
    fn default() -> Self {
        Self(Rc::new(RefCell::new(vec![0; READ_BYTES].into_boxed_slice())))
    }
}

/// An HTTP/1.1 connection: one request at a time, driven by whoever waits for the answer.
pub(crate) struct Exclusive {
    stream: Stream,
    buffer: ReadBuffer,
    forward: Option<ForwardProxy>,
    idle_max: Duration,
    counted: Counted,
}

impl Exclusive {
    pub(crate) fn new(
        connected: Connected,
        buffer: ReadBuffer,
        observer: &Rc<dyn Observer>,
        origin: &Origin,
    ) -> Box<Self> {
        let counted = Counted::new(observer, origin);
        let Connected { stream, forward, .. } = connected;
        Box::new(Self { stream, buffer, forward, idle_max: Duration::ZERO, counted })
    }

    /// Sends a request and waits for the head of its answer.
    pub(crate) async fn send(
        mut self: Box<Self>,
        pool: &Rc<Pool>,
        mut request: Box<Request<RequestBody>>,
        origin: &Origin,
    ) -> Result<Response<UpstreamBody>, Unsent> {
        let head = head::write_request(&request, request.body().length(), origin, self.forward.as_ref());
        let mut outgoing = Outgoing::new(head, std::mem::take(request.body_mut()), origin.settings.write_timeout);
        let mut incoming = Incoming::default();
        let read = poll_fn(|context| self.poll_exchange(context, &mut outgoing, &mut incoming, request.method())).await;
        let (head, begun) = match read {
            Ok(read) => read,
            Err(error) => {
                return Err(match outgoing.into_untouched() {
                    Some(body) => {
                        *request.body_mut() = body;
                        Unsent::Whole(request)
                    }
                    None => Unsent::Gone(error),
                });
            }
        };
        // An answer that overtakes its request ends the connection: the rest of the request is not sent.
        let reusable_for = head.reusable_for.filter(|_| outgoing.is_done());
        self.idle_max = reusable_for.unwrap_or_default();
        let lease = Lease { connection: self, pool: reusable_for.map(|_| Rc::downgrade(pool)).unwrap_or_default() };
        let mut response = Response::new(UpstreamBody::leased(AnswerBody::new(lease, head.framing, begun)?));
        *response.status_mut() = head.status;
        *response.headers_mut() = head.headers;
        Ok(response)
    }

    /// Asks for another protocol, and waits for the head of the answer.
    pub(crate) async fn switch(
        mut self: Box<Self>,
        mut request: Box<Request<RequestBody>>,
        origin: &Origin,
    ) -> Result<Switched, SendError> {
        let head = head::write_request(&request, request.body().length(), origin, self.forward.as_ref());
        let mut outgoing = Outgoing::new(head, std::mem::take(request.body_mut()), origin.settings.write_timeout);
        let mut incoming = Incoming { switches: true, ..Incoming::default() };
        let read = poll_fn(|context| self.poll_exchange(context, &mut outgoing, &mut incoming, request.method()));
        let (head, begun) = read.await?;
        if head.status == StatusCode::SWITCHING_PROTOCOLS {
            let Self { stream, counted, .. } = *self;
            return Ok(Switched::Done(Upgraded::new(stream, begun, Some(counted)), head.headers));
        }
        let lease = Lease { connection: self, pool: Weak::new() };
        let body = AnswerBody::new(lease, head.framing, begun).map_err(|unsent| match unsent {
            Unsent::Gone(error) => error,
            Unsent::Whole(_) => SendError::Disconnected,
        })?;
        let mut response = Response::new(UpstreamBody::leased(body));
        *response.status_mut() = head.status;
        *response.headers_mut() = head.headers;
        Ok(Switched::Refused(response))
    }

    /// Writes what is left of the request, and reads the head of the answer, which may come before all is written.
    fn poll_exchange(
        &mut self,
        context: &mut Context<'_>,
        outgoing: &mut Outgoing,
        incoming: &mut Incoming,
        method: &Method,
    ) -> Poll<Result<(AnswerHead, Bytes), SendError>> {
        let written = outgoing.poll_write(&mut self.stream, context);
        match written {
            Poll::Ready(Err(WriteError::Timeout)) => return Poll::Ready(Err(SendError::WriteTimeout)),
            Poll::Ready(Err(WriteError::Interrupted(why))) => return Poll::Ready(Err(why.into())),
            Poll::Ready(Ok(()) | Err(WriteError::Broken)) | Poll::Pending => {}
        }
        // A server that refuses a long request answers, closes, and leaves the rest unread: its answer counts.
        let polled = self.poll_answer(context, incoming, method);
        match (polled, written) {
            (Poll::Pending, Poll::Ready(Err(_))) => Poll::Ready(Err(SendError::Disconnected)),
            (polled, _) => polled,
        }
    }

    fn poll_answer(
        &mut self,
        context: &mut Context<'_>,
        incoming: &mut Incoming,
        method: &Method,
    ) -> Poll<Result<(AnswerHead, Bytes), SendError>> {
        let Self { stream, buffer, .. } = self;
        let mut buffer = buffer.0.borrow_mut();
        loop {
            let read = match ready!(poll_read(stream, context, &mut buffer)) {
                Ok([]) | Err(_) => return Poll::Ready(Err(SendError::Disconnected)),
                Ok(read) => read,
            };
            match incoming.take(read, method) {
                Ok(Some(whole)) => return Poll::Ready(Ok(whole)),
                Ok(None) => {}
                Err(Malformed(why)) => return Poll::Ready(Err(SendError::Invalid(why.to_owned()))),
            }
        }
    }
}

/// Reads what there is; nothing at the end of the stream.
fn poll_read<'a>(
    stream: &mut Stream,
    context: &mut Context<'_>,
    buffer: &'a mut [u8],
) -> Poll<std::io::Result<&'a [u8]>> {
    let mut into = ReadBuf::new(buffer);
    ready!(Pin::new(stream).poll_read(context, &mut into))?;
    let count = into.filled().len();
    Poll::Ready(Ok(&buffer[..count]))
}

/// The head of an answer, as far as it has come.
#[derive(Default)]
struct Incoming {
    begun: Vec<u8>,
    /// Whether another protocol was asked for: 101 is then the last head.
    switches: bool,
}

impl Incoming {
    /// The head, once it is whole, and what came behind it.
    fn take(&mut self, read: &[u8], method: &Method) -> Result<Option<(AnswerHead, Bytes)>, Malformed> {
        let seen = self.begun.len();
        let mut bytes = if seen == 0 {
            Bytes::copy_from_slice(read)
        } else {
            self.begun.extend_from_slice(read);
            if !head::is_complete(&self.begun, seen) {
                return self.wait();
            }
            Bytes::from(std::mem::take(&mut self.begun))
        };
        loop {
            match head::read_answer(&bytes, method)? {
                // 100 Continue, 103 Early Hints: another head follows.
                Some((head, length)) if head.status.is_informational() && !self.is_switch(head.status) => {
                    drop(bytes.split_to(length));
                }
                Some((_, length)) if length > HEAD_BYTES_MAX => return Err(TOO_LONG),
                Some((head, length)) => return Ok(Some((head, bytes.slice(length..)))),
                None => {
                    self.begun = bytes.into();
                    return self.wait();
                }
            }
        }
    }

    fn is_switch(&self, status: StatusCode) -> bool {
        self.switches && status == StatusCode::SWITCHING_PROTOCOLS
    }

    fn wait<T>(&self) -> Result<Option<T>, Malformed> {
        if self.begun.len() > HEAD_BYTES_MAX { Err(TOO_LONG) } else { Ok(None) }
    }
}

const TOO_LONG: Malformed = Malformed("its head is too long");

/// A connection in use by an answer's body.
struct Lease {
    connection: Box<Exclusive>,
    /// Where it goes back to; nowhere, if it can take no other request.
    pool: Weak<Pool>,
}

impl Lease {
    /// The answer is complete: the connection may take another request.
    fn give_back(self) {
        if let Some(pool) = self.pool.upgrade() {
            pool.give_back(self.connection);
        }
    }
}

/// The body of an answer, read from its connection. Dropped before its end it closes the connection, at its end it gives
/// it back.
pub(crate) struct AnswerBody {
    /// Until the end of the body.
    lease: Option<Lease>,
    framing: Framing,
    /// What came with the head.
    begun: Bytes,
}

impl AnswerBody {
    fn new(lease: Lease, framing: Framing, begun: Bytes) -> Result<Self, Unsent> {
        let mut body = Self { lease: Some(lease), framing, begun: Bytes::new() };
        let decoded = body.decode(&Wire::Owned(begun));
        body.begun = decoded.map_err(|Malformed(why)| Unsent::Gone(SendError::Invalid(why.to_owned())))?;
        Ok(body)
    }

    /// What bytes from the wire say of the body. At its end the connection is given back, unless more came than belongs
    /// to the body.
    fn decode(&mut self, wire: &Wire<'_>) -> Result<Bytes, Malformed> {
        let decoded = self.framing.decode(wire)?;
        if self.framing.is_ended()
            && let Some(lease) = self.lease.take()
            && decoded.taken == wire.bytes().len()
        {
            lease.give_back();
        }
        Ok(decoded.data)
    }

    /// The next piece; `None` at the end.
    pub(crate) fn poll_data(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, BodyError>>> {
        if !self.begun.is_empty() {
            return Poll::Ready(Some(Ok(std::mem::take(&mut self.begun))));
        }
        loop {
            let Some(Lease { connection, .. }) = &mut self.lease else {
                return Poll::Ready(None);
            };
            let buffer = connection.buffer.clone();
            let mut buffer = buffer.0.borrow_mut();
            let read = match ready!(poll_read(&mut connection.stream, context, &mut buffer)) {
                Ok(read) => read,
                Err(_) => return self.broken(BodyError::Disconnected),
            };
            if read.is_empty() {
                let is_end = self.framing == Framing::UntilClose;
                self.lease = None;
                return Poll::Ready(if is_end { None } else { Some(Err(BodyError::Disconnected)) });
            }
            match self.decode(&Wire::Borrowed(read)) {
                Ok(data) if data.is_empty() => {}
                Ok(data) => return Poll::Ready(Some(Ok(data))),
                Err(Malformed(why)) => return self.broken(BodyError::Invalid(why.to_owned())),
            }
        }
    }

    fn broken(&mut self, error: BodyError) -> Poll<Option<Result<Bytes, BodyError>>> {
        self.lease = None;
        Poll::Ready(Some(Err(error)))
    }

    /// Whether nothing more comes.
    pub(crate) fn is_end(&self) -> bool {
        self.lease.is_none() && self.begun.is_empty()
    }

    /// How many bytes are to come, if that is known.
    pub(crate) fn length(&self) -> Option<u64> {
        match self.framing {
            Framing::Length(left) => Some(left + self.begun.len() as u64),
            _ if self.is_end() => Some(0),
            _ => None,
        }
    }
}

/// A connection that waits for its next request.
pub(crate) struct Idle {
    connection: Box<Exclusive>,
    /// How many sweeps it has waited.
    sweeps: u64,
}

impl Idle {
    pub(crate) fn new(connection: Box<Exclusive>) -> Self {
        connection.counted.observer.upstream_idle(&connection.counted.label);
        Self { connection, sweeps: 0 }
    }

    /// Whether a request may be sent on it: the other side has neither closed it nor said anything unasked.
    pub(crate) fn is_usable(&mut self) -> bool {
        let mut context = Context::from_waker(Waker::noop());
        let Exclusive { stream, buffer, .. } = &mut *self.connection;
        poll_read(stream, &mut context, &mut buffer.0.borrow_mut()).is_pending()
    }

    /// Whether it may wait for another sweep: for no more than so many, nor for longer than the other side allows.
    pub(crate) fn may_wait(&mut self, sweeps_max: u64) -> bool {
        self.sweeps += 1;
        self.sweeps <= sweeps_max.min(self.connection.idle_max.as_secs()) && self.is_usable()
    }

    /// For a request, or to be dropped.
    pub(crate) fn into_connection(self) -> Box<Exclusive> {
        self.connection.counted.observer.upstream_busy(&self.connection.counted.label);
        self.connection
    }
}
