//! A worker's connections to origins. HTTP/1.1: a stack of idle ones, each driven by the request that uses it. HTTP/2:
//! several connections per origin, each with a task of its own.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::{Arc, Weak};

use http::uri::Scheme;
use http::{Request, Response, Uri};

use crate::body::RequestBody;
use crate::client::{SendError, UpstreamBody};
use crate::connect;
use crate::http1::{Exclusive, Idle, ReadBuffer, Unsent};
use crate::http2::Shared;
use crate::observer::Observer;
use crate::origin::Origin;
use crate::upgrade::Switched;

/// Idle HTTP/1.1 connections kept per origin and worker.
const IDLE_COUNT_MAX: usize = 1_024;
/// How many of them, the last used ones, may wait for as long as the other side allows. More are what a burst left.
const IDLE_KEPT: usize = 32;
/// How long those may wait, in sweeps.
const SURPLUS_SWEEPS: u64 = 3;
/// The most that the head of an answer may be, in bytes.
pub(crate) const HEAD_BYTES_MAX: usize = 64 << 10;
/// All pools of a worker.
pub struct Pools {
    by_origin: RefCell<Vec<Option<Rc<Pool>>>>,
    observer: Rc<dyn Observer>,
    buffer: ReadBuffer,
}

impl Pools {
    /// No connections yet.
    pub fn new(observer: Rc<dyn Observer>) -> Self {
        Self { by_origin: RefCell::default(), observer, buffer: ReadBuffer::default() }
    }

    /// Sends a request to an origin and waits for the head of the answer. The request's URI is a path; its `host` is
    /// set here. There is no time limit but for connecting and for a stalled write: whoever waits sets one and drops
    /// this future, which cancels the request.
    ///
    /// # Errors
    /// Why there is no answer.
    pub async fn send(
        &self,
        origin: &Arc<Origin>,
        mut request: Box<Request<RequestBody>>,
    ) -> Result<Response<UpstreamBody>, SendError> {
        let pool = self.pool(origin);
        if let Some(mut shared) = pool.take_shared() {
            return shared.send(request, origin).await;
        }
        while let Some(exclusive) = pool.take_idle() {
            match exclusive.send(&pool, request, origin).await {
                // A connection that the other side had closed while idle: nothing was written, so nothing is repeated.
                Err(Unsent::Whole(unsent)) => request = unsent,
                Err(Unsent::Gone(error)) => return Err(error),
                Ok(response) => return Ok(response),
            }
        }
        // Rarer, and larger: it does not weigh on the future of a request that finds a connection.
        let connected = Box::pin(connect::connect(origin)).await?;
        self.observer.upstream_opened(&origin.settings.label);
        if connected.http2 {
            let mut shared = Box::pin(Shared::handshake(connected, &self.observer, origin)).await?;
            pool.shared.borrow_mut().push(shared.clone());
            return shared.send(request, origin).await;
        }
        let exclusive = Exclusive::new(connected, self.buffer.clone(), &self.observer, origin);
        match exclusive.send(&pool, request, origin).await {
            Ok(response) => Ok(response),
            Err(Unsent::Gone(error)) => Err(error),
            Err(Unsent::Whole(_)) => Err(SendError::Disconnected),
        }
    }

    /// Asks an origin, which must be one of HTTP/1.1, to speak another protocol, on a connection of its own. There is no
    /// time limit but for connecting and for a stalled write.
    ///
    /// # Errors
    /// Why there is no answer.
    pub async fn switch(
        &self,
        origin: &Arc<Origin>,
        request: Box<Request<RequestBody>>,
    ) -> Result<Switched, SendError> {
        let connected = connect::connect(origin).await?;
        self.observer.upstream_opened(&origin.settings.label);
        let exclusive = Exclusive::new(connected, self.buffer.clone(), &self.observer, origin);
        exclusive.switch(request, origin).await
    }

    /// Lets go of connections that were closed by the other side or have been idle for too long, and of the pools of
    /// origins that nobody uses any more. To be called about once a second.
    pub fn sweep(&self) {
        for slot in self.by_origin.borrow_mut().iter_mut() {
            let Some(pool) = slot else { continue };
            if pool.origin.strong_count() == 0 {
                *slot = None;
                continue;
            }
            let waiting = pool.idle.take();
            let surplus = waiting.len().saturating_sub(IDLE_KEPT);
            for (place, mut idle) in waiting.into_iter().enumerate() {
                // The last used ones are the last.
                let sweeps_max = if place < surplus { SURPLUS_SWEEPS } else { u64::MAX };
                if idle.may_wait(sweeps_max) {
                    pool.idle.borrow_mut().push(idle);
                } else {
                    drop(idle.into_connection());
                }
            }
            // A burst makes more connections than are needed after it: one that carries nothing is kept.
            let mut idle_kept = 0;
            pool.shared.borrow_mut().retain(|shared| {
                idle_kept += usize::from(shared.is_idle());
                shared.may_wait() && (!shared.is_idle() || idle_kept == 1)
            });
        }
    }

    /// How many connections are idle, for metrics.
    pub fn idle_count(&self) -> usize {
        self.by_origin.borrow().iter().flatten().map(|pool| pool.idle.borrow().len()).sum()
    }

    fn pool(&self, origin: &Arc<Origin>) -> Rc<Pool> {
        let place = origin.id().0;
        let mut pools = self.by_origin.borrow_mut();
        if pools.len() <= place {
            pools.resize_with(place + 1, || None);
        }
        Rc::clone(pools[place].get_or_insert_with(|| {
            Rc::new(Pool { origin: Arc::downgrade(origin), idle: RefCell::default(), shared: RefCell::default() })
        }))
    }
}

/// A worker's connections to one origin.
pub(crate) struct Pool {
    origin: Weak<Origin>,
    idle: RefCell<Vec<Idle>>,
    shared: RefCell<Vec<Shared>>,
}

impl Pool {
    /// The most recently used connection that still stands.
    fn take_idle(&self) -> Option<Box<Exclusive>> {
        let mut idle = self.idle.borrow_mut();
        while let Some(mut candidate) = idle.pop() {
            let usable = candidate.is_usable();
            let connection = candidate.into_connection();
            if usable {
                return Some(connection);
            }
        }
        None
    }

    pub(crate) fn give_back(&self, connection: Box<Exclusive>) {
        let mut idle = self.idle.borrow_mut();
        if idle.len() < IDLE_COUNT_MAX {
            idle.push(Idle::new(connection));
        }
    }

    fn take_shared(&self) -> Option<Shared> {
        let mut shared = self.shared.borrow_mut();
        shared.retain(|connection| !connection.is_closed());
        shared.iter().find(|connection| connection.has_room()).cloned()
    }
}

/// Writes scheme and authority into the request's URI, which is a path until then.
pub(crate) fn make_absolute(request: &mut Request<RequestBody>, origin: &Origin) {
    let mut parts = request.uri().clone().into_parts();
    parts.scheme = Some(if origin.settings.secure { Scheme::HTTPS } else { Scheme::HTTP });
    parts.authority = origin.host_header.to_str().ok().and_then(|text| text.parse().ok());
    if let Ok(uri) = Uri::from_parts(parts) {
        *request.uri_mut() = uri;
    }
}

/// Tells the observer when a connection ends.
pub(crate) struct Counted {
    pub(crate) observer: Rc<dyn Observer>,
    pub(crate) label: Arc<str>,
}

impl Counted {
    pub(crate) fn new(observer: &Rc<dyn Observer>, origin: &Origin) -> Self {
        Self { observer: Rc::clone(observer), label: Arc::clone(&origin.settings.label) }
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.observer.upstream_closed(&self.label);
    }
}
