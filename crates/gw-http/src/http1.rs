//! An HTTP/1.1 connection to an origin: one request at a time, driven by whoever waits for the answer.
//!
//! There is no task for a connection. The request that uses it polls it, and so does the answer's body: what arrives is
//! handed over without waking anybody. An idle one is looked at when it is taken and once a second.

use std::cell::Cell;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::rc::{Rc, Weak};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use http::{HeaderName, HeaderValue, Request, Response, header};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::time::{Instant, Sleep, sleep_until};

use crate::body::RequestBody;
use crate::client::{SendError, UpstreamBody};
use crate::connect::{Connected, ForwardProxy, UpstreamIo};
use crate::observer::Observer;
use crate::origin::Origin;
use crate::pool::{Counted, HEAD_BYTES_MAX, Pool, make_absolute};

/// How long a connection may wait for its next request. Below the 60 s that load balancers commonly allow.
const IDLE_MAX: Duration = Duration::from_secs(55);
const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");

type Driver = http1::Connection<TokioIo<UpstreamIo>, RequestBody>;

/// A request that was not answered.
pub(crate) enum Unsent {
    /// No byte of it was written; it may go elsewhere.
    Whole(Box<Request<RequestBody>>),
    /// Some of it was, or may have been.
    Gone(SendError),
}

/// An HTTP/1.1 connection: one request at a time, driven by whoever waits for the answer.
pub(crate) struct Exclusive {
    sender: http1::SendRequest<RequestBody>,
    driver: Box<Driver>,
    ended: bool,
    stalled: Rc<Cell<Option<Instant>>>,
    forward: Option<ForwardProxy>,
    idle_max: Duration,
    counted: Counted,
}

impl Exclusive {
    pub(crate) async fn handshake(
        connected: Connected,
        observer: &Rc<dyn Observer>,
        origin: &Origin,
    ) -> Result<Self, SendError> {
        let (sender, driver) = http1::Builder::new()
            .max_buf_size(HEAD_BYTES_MAX)
            .handshake(TokioIo::new(connected.io))
            .await
            .map_err(|error| SendError::from_hyper(&error))?;
        Ok(Self {
            sender,
            driver: Box::new(driver),
            ended: false,
            stalled: connected.stalled,
            forward: connected.forward,
            idle_max: IDLE_MAX,
            counted: Counted::new(observer, origin),
        })
    }

    fn drive(&mut self, context: &mut Context<'_>) {
        if !self.ended && Pin::new(&mut *self.driver).poll(context).is_ready() {
            self.ended = true;
        }
    }

    pub(crate) async fn send(
        mut self,
        pool: &Rc<Pool>,
        mut request: Request<RequestBody>,
        origin: &Origin,
    ) -> Result<Response<UpstreamBody>, Unsent> {
        if let Some(forward) = &self.forward {
            to_proxy(&mut request, forward, origin);
        }
        let mut answer = pin!(self.sender.try_send_request(request));
        let mut stall: Option<Pin<Box<Sleep>>> = None;
        let polled = poll_fn(|context| {
            if !self.ended && Pin::new(&mut *self.driver).poll(context).is_ready() {
                self.ended = true;
            }
            if let Poll::Ready(result) = answer.as_mut().poll(context) {
                return Poll::Ready(Some(result));
            }
            match self.stalled.get() {
                None => stall = None,
                Some(since) => {
                    let deadline = since + origin.settings.write_timeout;
                    let timer = stall.get_or_insert_with(|| Box::pin(sleep_until(deadline)));
                    if timer.as_mut().poll(context).is_ready() {
                        return Poll::Ready(None);
                    }
                }
            }
            Poll::Pending
        })
        .await;
        match polled {
            None => Err(Unsent::Gone(SendError::WriteTimeout)),
            Some(Err(mut failed)) => Err(match failed.take_message() {
                Some(request) => Unsent::Whole(Box::new(request)),
                None => Unsent::Gone(SendError::from_hyper(failed.error())),
            }),
            Some(Ok(response)) => {
                self.idle_max = idle_max(&response);
                let lease = Lease { connection: self, pool: Rc::downgrade(pool) };
                Ok(response.map(|incoming| UpstreamBody::leased(incoming, lease)))
            }
        }
    }
}

/// Writes the request as a forwarding proxy wants it: the whole URL, and the proxy's own credential.
fn to_proxy(request: &mut Request<RequestBody>, forward: &ForwardProxy, origin: &Origin) {
    if let Some(value) = &forward.authorization {
        request.headers_mut().insert(header::PROXY_AUTHORIZATION, value.clone());
    }
    make_absolute(request, origin);
}

/// How long the other side says it keeps an idle connection (`keep-alive: timeout=5`), less a second for the way.
fn idle_max<B>(response: &Response<B>) -> Duration {
    let Some(value) = response.headers().get(KEEP_ALIVE) else {
        return IDLE_MAX;
    };
    timeout_of(value).map_or(IDLE_MAX, |seconds| IDLE_MAX.min(Duration::from_secs(seconds.saturating_sub(1))))
}

fn timeout_of(value: &HeaderValue) -> Option<u64> {
    let parameters = value.to_str().ok()?.split(',');
    parameters.filter_map(|parameter| parameter.trim().strip_prefix("timeout=")).find_map(|text| text.parse().ok())
}

/// A connection in use by an answer's body.
pub(crate) struct Lease {
    connection: Exclusive,
    pool: Weak<Pool>,
}

impl Lease {
    pub(crate) fn drive(&mut self, context: &mut Context<'_>) {
        self.connection.drive(context);
    }

    /// The answer is complete: the connection may take another request, unless the other side closes it.
    pub(crate) fn give_back(self) {
        if !self.connection.ended
            && let Some(pool) = self.pool.upgrade()
        {
            pool.give_back(self.connection);
        }
    }
}

/// A connection that waits for its next request.
pub(crate) struct Idle {
    connection: Exclusive,
    /// How many more sweeps it may wait.
    sweeps_left: u64,
}

impl Idle {
    pub(crate) fn new(connection: Exclusive) -> Self {
        connection.counted.observer.upstream_idle(&connection.counted.label);
        let sweeps_left = connection.idle_max.as_secs();
        Self { connection, sweeps_left }
    }

    /// Whether a request may be sent on it: the other side has not closed it.
    pub(crate) fn is_usable(&mut self) -> bool {
        let mut context = Context::from_waker(Waker::noop());
        self.connection.drive(&mut context);
        !self.connection.ended && self.connection.sender.is_ready()
    }

    /// Whether it may wait for another second.
    pub(crate) fn may_wait(&mut self) -> bool {
        if self.sweeps_left == 0 {
            return false;
        }
        self.sweeps_left -= 1;
        self.is_usable()
    }

    /// For a request, or to be dropped.
    pub(crate) fn into_connection(self) -> Exclusive {
        self.connection.counted.observer.upstream_busy(&self.connection.counted.label);
        self.connection
    }
}
