//! One try at one provider: sends a request there and hands back the answer as it arrives.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use gw_http::client::BodyError;
use gw_http::{Origin, Pools, RequestBody, SendError, Switched, Upgraded, UpstreamBody};
use http::{HeaderMap, Request, Response};
use http_body::Body;
use tokio::time::{Instant, Sleep, sleep_until, timeout_at};

use crate::sandbox::{self, SandboxBody, SandboxFault};

/// What the sandbox keeps of a body that flows.
const SANDBOX_BYTES_MAX: usize = 1 << 20;

/// Where a provider is reached.
#[derive(Clone)]
pub enum Destination {
    /// Over the network.
    Origin(Arc<Origin>),
    /// Built in.
    Sandbox,
}

/// How long an attempt may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AttemptTimeouts {
    /// From the request to the first byte of the answer's head.
    pub first_byte: Duration,
    /// Between two pieces of the answer.
    pub idle: Duration,
}

/// Why an attempt gave no answer, or only a part of one.
#[derive(Debug, thiserror::Error)]
pub enum AttemptError {
    /// No connection could be made; nothing was sent.
    #[error("{0}")]
    Unreachable(String),
    /// The connection ended too early.
    #[error("{0}")]
    Disconnected(String),
    /// What came is not an answer.
    #[error("{0}")]
    Invalid(String),
    /// The provider was silent for too long.
    #[error("no answer within {} ms", .0.as_millis())]
    Timeout(Duration),
    /// The request's total time is over.
    #[error("the request's total time is over")]
    Deadline,
    /// The request's body, which flowed in while it was sent, broke off.
    #[error("the request's body broke off")]
    Interrupted,
}

/// Sends `request`, whose URI is a path, and waits for the head of the answer.
///
/// # Errors
/// Why there is none. Dropping the future cancels the attempt.
pub async fn send(
    destination: &Destination,
    pools: &Rc<Pools>,
    request: Box<Request<RequestBody>>,
    timeouts: AttemptTimeouts,
    deadline: Instant,
) -> Result<Response<Answer>, AttemptError> {
    let first_byte = Instant::now() + timeouts.first_byte;
    let (until, late) = if first_byte < deadline {
        (first_byte, AttemptError::Timeout(timeouts.first_byte))
    } else {
        (deadline, AttemptError::Deadline)
    };
    let response = timeout_at(until, exchange(destination, pools, request)).await.unwrap_or(Err(late))?;
    Ok(response.map(|body| Answer { body, idle: timeouts.idle, deadline, patience: None }))
}

/// Sends `request` like [`send`], with a body that flows in while it is sent. The provider's time for the first byte of
/// its answer begins when the body has come to its end: `body_ended` tells when that was.
///
/// # Errors
/// Why there is no answer; `Interrupted` if the body broke off. Dropping the future cancels the attempt.
pub async fn send_flowing(
    destination: &Destination,
    pools: &Rc<Pools>,
    request: Box<Request<RequestBody>>,
    body_ended: impl Fn() -> Option<Instant>,
    timeouts: AttemptTimeouts,
    deadline: Instant,
) -> Result<Response<Answer>, AttemptError> {
    let mut exchange = pin!(exchange(destination, pools, request));
    let mut timer = pin!(sleep_until(deadline.min(Instant::now() + timeouts.first_byte)));
    let response = poll_fn(|context| {
        if let Poll::Ready(done) = exchange.as_mut().poll(context) {
            return Poll::Ready(done);
        }
        while timer.as_mut().poll(context).is_ready() {
            let now = Instant::now();
            if now >= deadline {
                return Poll::Ready(Err(AttemptError::Deadline));
            }
            let late = body_ended().unwrap_or(now) + timeouts.first_byte;
            if now >= late {
                return Poll::Ready(Err(AttemptError::Timeout(timeouts.first_byte)));
            }
            timer.as_mut().reset(late.min(deadline));
        }
        Poll::Pending
    });
    let response = response.await?;
    Ok(response.map(|body| Answer { body, idle: timeouts.idle, deadline, patience: None }))
}

/// What became of a request to speak another protocol.
pub enum Conversation {
    /// It is spoken; the headers with which it was agreed to.
    Open(Upgraded, HeaderMap),
    /// It is not.
    Refused(Response<Answer>),
}

/// Asks an origin of HTTP/1.1 to speak another protocol.
///
/// # Errors
/// Why there is no answer. Dropping the future cancels the attempt.
pub async fn converse(
    origin: &Arc<Origin>,
    pools: &Rc<Pools>,
    request: Box<Request<RequestBody>>,
    timeouts: AttemptTimeouts,
    deadline: Instant,
) -> Result<Conversation, AttemptError> {
    let late = AttemptError::Timeout(timeouts.first_byte);
    let answered = timeout_at(deadline.min(Instant::now() + timeouts.first_byte), pools.switch(origin, request));
    Ok(match answered.await.map_err(|_| late)?? {
        Switched::Done(upgraded, headers) => Conversation::Open(upgraded, headers),
        Switched::Refused(response) => Conversation::Refused(response.map(|body| {
            let body = AnswerBody::Upstream(body);
            Answer { body, idle: timeouts.idle, deadline, patience: None }
        })),
    })
}

async fn exchange(
    destination: &Destination,
    pools: &Rc<Pools>,
    request: Box<Request<RequestBody>>,
) -> Result<Response<AnswerBody>, AttemptError> {
    match destination {
        Destination::Origin(origin) => {
            let response = pools.send(origin, request).await.map_err(AttemptError::from)?;
            Ok(response.map(AnswerBody::Upstream))
        }
        Destination::Sandbox => {
            // In a box, as it is not for production: it does not weigh on the futures of others.
            let response =
                Box::pin(async { sandbox::respond(collect(*request).await?).await.map_err(AttemptError::from) });
            Ok(response.await?.map(|body| AnswerBody::Sandbox(Box::pin(body))))
        }
    }
}

/// The sandbox takes its request whole. Of a body that flows it keeps the beginning, which is all that it looks at.
async fn collect(request: Request<RequestBody>) -> Result<Request<Bytes>, AttemptError> {
    let (parts, mut body) = request.into_parts();
    let bytes = {
        let mut pieces = body.pieces();
        match (pieces.next(), pieces.next()) {
            _ if body.is_flowing() => None,
            (Some(only), None) => Some(only.clone()),
            _ => Some(body.pieces().flat_map(|piece| piece.iter().copied()).collect()),
        }
    };
    if let Some(bytes) = bytes {
        return Ok(Request::from_parts(parts, bytes));
    }
    let mut begun = BytesMut::new();
    while let Some(piece) = body.data().await {
        let piece = piece.map_err(SendError::from)?;
        let room = SANDBOX_BYTES_MAX - begun.len();
        begun.extend_from_slice(&piece[..piece.len().min(room)]);
    }
    Ok(Request::from_parts(parts, begun.freeze()))
}

enum AnswerBody {
    Upstream(UpstreamBody),
    Sandbox(Pin<Box<SandboxBody>>),
}

/// The body of an answer, under the attempt's time limits. Dropping it before its end cancels the attempt.
pub struct Answer {
    body: AnswerBody,
    idle: Duration,
    deadline: Instant,
    /// Made when first waited for.
    patience: Option<Patience>,
}

/// A timer that is not moved with each piece: when it rings, `last` tells whether it is time.
struct Patience {
    last: Instant,
    timer: Pin<Box<Sleep>>,
}

impl Answer {
    /// The next piece; `None` at the end.
    pub fn poll_data(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, AttemptError>>> {
        loop {
            let polled = match &mut self.body {
                AnswerBody::Upstream(body) => Pin::new(body).poll_frame(context).map_err(AttemptError::from),
                AnswerBody::Sandbox(body) => body.as_mut().poll_frame(context).map_err(AttemptError::from),
            };
            let frame = match polled {
                Poll::Pending => return self.poll_late(context).map(|late| Some(Err(late))),
                Poll::Ready(None) => return Poll::Ready(None),
                Poll::Ready(Some(Err(error))) => return Poll::Ready(Some(Err(error))),
                Poll::Ready(Some(Ok(frame))) => frame,
            };
            // Trailers carry nothing that a client of ours is told.
            if let Ok(data) = frame.into_data() {
                if let Some(patience) = &mut self.patience {
                    patience.last = Instant::now();
                }
                return Poll::Ready(Some(Ok(data)));
            }
        }
    }

    /// The next piece; `None` at the end.
    pub async fn data(&mut self) -> Option<Result<Bytes, AttemptError>> {
        poll_fn(|context| self.poll_data(context)).await
    }

    /// All that matters has come: the end is waited for no longer than this, so that the connection can be used again.
    pub fn hurry(&mut self, within: Duration) {
        self.deadline = self.deadline.min(Instant::now() + within);
        self.patience = None;
    }

    /// It may take until then; what has come so far is not lost when that is over.
    pub fn set_deadline(&mut self, deadline: Instant) {
        if deadline < self.deadline {
            self.patience = None;
        }
        self.deadline = deadline;
    }

    /// Whether nothing more comes.
    pub fn is_end(&self) -> bool {
        match &self.body {
            AnswerBody::Upstream(body) => body.is_end_stream(),
            AnswerBody::Sandbox(body) => body.is_end_stream(),
        }
    }

    /// How many bytes are to come, if that is known.
    pub fn length(&self) -> Option<u64> {
        match &self.body {
            AnswerBody::Upstream(body) => body.size_hint().exact(),
            AnswerBody::Sandbox(body) => body.size_hint().exact(),
        }
    }

    fn poll_late(&mut self, context: &mut Context<'_>) -> Poll<AttemptError> {
        let (idle, deadline) = (self.idle, self.deadline);
        let patience = self.patience.get_or_insert_with(|| {
            let last = Instant::now();
            Patience { last, timer: Box::pin(sleep_until(deadline.min(last + idle))) }
        });
        while patience.timer.as_mut().poll(context).is_ready() {
            let now = Instant::now();
            if now >= deadline {
                return Poll::Ready(AttemptError::Deadline);
            }
            let silent_until = patience.last + idle;
            if now >= silent_until {
                return Poll::Ready(AttemptError::Timeout(idle));
            }
            patience.timer.as_mut().reset(deadline.min(silent_until));
        }
        Poll::Pending
    }
}

impl From<SendError> for AttemptError {
    fn from(error: SendError) -> Self {
        match error {
            SendError::Unreachable(why) => Self::Unreachable(why.to_string()),
            SendError::Disconnected => Self::Disconnected(error.to_string()),
            SendError::Invalid(_) => Self::Invalid(error.to_string()),
            SendError::Interrupted(_) => Self::Interrupted,
            SendError::WriteTimeout => Self::Disconnected(error.to_string()),
        }
    }
}

impl From<BodyError> for AttemptError {
    fn from(error: BodyError) -> Self {
        match error {
            BodyError::Disconnected => Self::Disconnected(error.to_string()),
            BodyError::Invalid(_) => Self::Invalid(error.to_string()),
        }
    }
}

impl From<SandboxFault> for AttemptError {
    fn from(fault: SandboxFault) -> Self {
        match fault {
            SandboxFault::Refused => Self::Unreachable("connection refused".to_owned()),
            SandboxFault::Disconnected => {
                Self::Disconnected("the connection ended before the answer was complete".to_owned())
            }
        }
    }
}
