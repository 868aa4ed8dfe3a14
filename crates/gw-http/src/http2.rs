//! An HTTP/2 connection to an origin: many requests at once, driven by a task of its own.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use http::{Request, Response};
use hyper::client::conn::http2;
use hyper_util::rt::{TokioIo, TokioTimer};

use crate::body::RequestBody;
use crate::client::{SendError, UpstreamBody};
use crate::connect::Connected;
use crate::exec::WorkerExecutor;
use crate::observer::Observer;
use crate::origin::Origin;
use crate::pool::{Counted, HEAD_BYTES_MAX, make_absolute};

/// Streams on one connection before another is made; servers commonly allow 100.
const STREAMS_MAX: usize = 90;
/// How long a connection may carry nothing.
const IDLE_SECONDS_MAX: u64 = 55;
/// A connection on which nothing comes back within this after a ping is dead.
const PING_INTERVAL: Duration = Duration::from_secs(20);

/// An HTTP/2 connection, used by several requests at once. A clone is another handle to it.
#[derive(Clone)]
pub(crate) struct Shared {
    sender: http2::SendRequest<RequestBody>,
    streams: Rc<Cell<usize>>,
    /// For how many sweeps it has carried nothing.
    idle_sweeps: Rc<Cell<u64>>,
}

impl Shared {
    pub(crate) async fn handshake(
        connected: Connected,
        observer: &Rc<dyn Observer>,
        origin: &Origin,
    ) -> Result<Self, SendError> {
        let (sender, driver) = http2::Builder::new(WorkerExecutor)
            .timer(TokioTimer::new())
            .keep_alive_interval(PING_INTERVAL)
            .max_header_list_size(HEAD_BYTES_MAX as u32)
            .handshake(TokioIo::new(connected.stream))
            .await
            .map_err(|error| SendError::from_hyper(&error))?;
        let counted = Counted::new(observer, origin);
        gw_runtime::tasks::spawn_local("upstream-http2", async move {
            // Its end is seen by whoever sends next; why it ended is told to the requests on it.
            let _ = driver.await;
            drop(counted);
        });
        Ok(Self { sender, streams: Rc::default(), idle_sweeps: Rc::default() })
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.sender.is_closed()
    }

    pub(crate) fn is_idle(&self) -> bool {
        self.streams.get() == 0
    }

    /// Whether it may wait for another second. What carries nothing for too long is let go of.
    pub(crate) fn may_wait(&self) -> bool {
        self.idle_sweeps.set(if self.is_idle() { self.idle_sweeps.get() + 1 } else { 0 });
        !self.is_closed() && self.idle_sweeps.get() <= IDLE_SECONDS_MAX
    }

    pub(crate) fn has_room(&self) -> bool {
        self.streams.get() < STREAMS_MAX
    }

    pub(crate) async fn send(
        &mut self,
        mut request: Box<Request<RequestBody>>,
        origin: &Origin,
    ) -> Result<Response<UpstreamBody>, SendError> {
        make_absolute(&mut request, origin);
        let stream = CountedStream::new(&self.streams);
        let response = self.sender.send_request(*request).await.map_err(|error| SendError::from_hyper(&error))?;
        Ok(response.map(|incoming| UpstreamBody::counted(incoming, stream)))
    }
}

/// Counts the streams of a shared connection.
pub(crate) struct CountedStream(Rc<Cell<usize>>);

impl CountedStream {
    fn new(streams: &Rc<Cell<usize>>) -> Self {
        streams.set(streams.get() + 1);
        Self(Rc::clone(streams))
    }
}

impl Drop for CountedStream {
    fn drop(&mut self) {
        self.0.set(self.0.get().saturating_sub(1));
    }
}
