//! The workers: one thread each, with a single-threaded runtime, a listener and upstream connections of its own.
//!
//! A connection, its requests and their upstream connections never leave the worker that accepted it, so nothing on the
//! path is locked or sent between threads.

use std::cell::Cell;
use std::io;
use std::net::{SocketAddr, TcpListener as StdListener, TcpStream as StdStream};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::LocalSet;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, timeout};

use crate::listen::{Sharing, bind};
use crate::observer::Observer;
use crate::pool::Pools;
use crate::serve::{Door, Limits, Service};
use crate::tls::ServerCertificate;
use crate::watch::{SWEEP_INTERVAL, Watches};

/// Accepted sockets that may wait for one worker, where one acceptor hands them out.
const HANDOFF_QUEUE: usize = 1_024;
/// When draining, a listener is closed once no connection has come for this long: its queue is then empty.
const QUIET: Duration = Duration::from_millis(20);
/// How long accepting pauses when the system has no more file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// What runs on the workers.
pub trait Application: Send + Sync + 'static {
    /// What answers requests.
    type Service: Service;

    /// Hears what happens at worker number `index`'s door. Called on the worker's thread.
    fn observer(&self, index: usize) -> Rc<dyn Observer>;

    /// Makes a worker's service. Called on the worker's thread, again if the worker had to be restarted.
    fn service(&self, worker: Worker) -> Rc<Self::Service>;

    /// A worker broke and is started again. Its connections are lost; the other workers go on.
    fn restarted(&self, index: usize) {
        let _ = index;
    }
}

/// What a worker's service is made with.
pub struct Worker {
    /// Its number, from 0.
    pub index: usize,
    /// Its upstream connections.
    pub pools: Rc<Pools>,
}

/// How connections reach the workers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Accepting {
    /// Each worker listens on the shared port; handed off where the system cannot share one.
    Shared,
    /// One acceptor hands sockets to the workers in turn.
    HandedOff,
}

/// How many workers there are, and where they listen.
pub struct Settings {
    /// Number of workers, at least 1.
    pub workers: usize,
    /// How connections reach them.
    pub accepting: Accepting,
    /// Where they listen. Port 0 takes a free one.
    pub addresses: Vec<SocketAddr>,
    /// What clients are allowed.
    pub limits: Arc<Limits>,
    /// TLS, or clear text.
    pub certificate: Option<Arc<ServerCertificate>>,
}

/// Why workers could not be started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// An address cannot be listened on.
    #[error("cannot listen on {address}: {error}")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// What the system says.
        error: io::Error,
    },
    /// A thread cannot be started.
    #[error("cannot start a worker: {0}")]
    Thread(io::Error),
}

#[derive(Debug, Clone, Copy)]
enum Stage {
    Running,
    Draining { until: Instant },
}

/// The running workers.
pub struct Workers {
    addresses: Vec<SocketAddr>,
    stage: watch::Sender<Stage>,
    finished: Vec<oneshot::Receiver<()>>,
}

impl Workers {
    /// Binds the addresses and starts the workers.
    ///
    /// # Errors
    /// If an address cannot be listened on or a thread cannot be started.
    pub fn start<A: Application>(settings: &Settings, application: &Arc<A>) -> Result<Self, StartError> {
        let count = settings.workers.max(1);
        let Sources { workers, acceptors, addresses } = sources(settings, count)?;
        let (stage, _) = watch::channel(Stage::Running);
        let mut finished = Vec::with_capacity(count);
        for (index, source) in workers.into_iter().enumerate() {
            let (done, waiting) = oneshot::channel();
            finished.push(waiting);
            let seat = Seat {
                index,
                application: Arc::clone(application),
                limits: Arc::clone(&settings.limits),
                certificate: settings.certificate.clone(),
                stage: stage.subscribe(),
            };
            spawn_thread(format!("worker-{index}"), move || {
                seat.occupy(source);
                let _ = done.send(());
            })?;
        }
        for (listener, senders) in acceptors {
            let stage = stage.subscribe();
            spawn_thread("acceptor".to_owned(), move || hand_off(listener, &senders, stage))?;
        }
        Ok(Self { addresses, stage, finished })
    }

    /// The addresses that are listened on, with the ports that were taken for 0.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Stops accepting once the queues of the listeners are empty, lets the requests in flight end, and returns when
    /// they have, or after `limit`.
    pub async fn drain(self, limit: Duration) {
        self.stage.send_replace(Stage::Draining { until: Instant::now() + limit });
        for worker in self.finished {
            // A worker whose thread is gone has nothing to wait for.
            let _ = worker.await;
        }
    }
}

fn spawn_thread(name: String, run: impl FnOnce() + Send + 'static) -> Result<(), StartError> {
    thread::Builder::new().name(name).spawn(run).map(drop).map_err(StartError::Thread)
}

/// Where a worker's connections come from.
enum Source {
    Listeners(Vec<StdListener>),
    Handoff(mpsc::Receiver<(StdStream, SocketAddr)>),
}

type Handoff = (StdListener, Vec<mpsc::Sender<(StdStream, SocketAddr)>>);

/// Where the workers' connections come from, the acceptors that this takes, and the addresses that are listened on.
struct Sources {
    workers: Vec<Source>,
    acceptors: Vec<Handoff>,
    addresses: Vec<SocketAddr>,
}

fn sources(settings: &Settings, count: usize) -> Result<Sources, StartError> {
    let fail = |address, error| StartError::Bind { address, error };
    if settings.accepting == Accepting::Shared
        && let Some((listeners, addresses)) = shared_listeners(settings, count)?
    {
        let workers = listeners.into_iter().map(Source::Listeners).collect();
        return Ok(Sources { workers, acceptors: Vec::new(), addresses });
    }
    let (senders, receivers): (Vec<_>, Vec<_>) = (0..count).map(|_| mpsc::channel(HANDOFF_QUEUE)).unzip();
    let mut acceptors = Vec::new();
    let mut addresses = Vec::new();
    for address in &settings.addresses {
        let listener = bind(*address, Sharing::Exclusive).map_err(|error| fail(*address, error))?;
        addresses.push(listener.local_addr().map_err(|error| fail(*address, error))?);
        acceptors.push((listener, senders.clone()));
    }
    Ok(Sources { workers: receivers.into_iter().map(Source::Handoff).collect(), acceptors, addresses })
}

type SharedListeners = (Vec<Vec<StdListener>>, Vec<SocketAddr>);

/// A listener on each address for each worker; `None` where the system cannot share a port.
fn shared_listeners(settings: &Settings, count: usize) -> Result<Option<SharedListeners>, StartError> {
    let mut listeners: Vec<Vec<StdListener>> = (0..count).map(|_| Vec::new()).collect();
    let mut addresses = Vec::new();
    for address in &settings.addresses {
        // Another program must not be joined on its port by accident: sharing is for our own workers only.
        let free = bind(*address, Sharing::Exclusive).and_then(|listener| listener.local_addr());
        let mut place = free.map_err(|error| StartError::Bind { address: *address, error })?;
        for worker in &mut listeners {
            match bind(place, Sharing::Shared) {
                Ok(listener) => {
                    place = listener.local_addr().unwrap_or(place);
                    worker.push(listener);
                }
                Err(error) if error.kind() == io::ErrorKind::Unsupported => return Ok(None),
                Err(error) => return Err(StartError::Bind { address: *address, error }),
            }
        }
        addresses.push(place);
    }
    Ok(Some((listeners, addresses)))
}

/// Accepts on one listener and hands the sockets to the workers in turn.
fn hand_off(
    listener: StdListener,
    workers: &[mpsc::Sender<(StdStream, SocketAddr)>],
    mut stage: watch::Receiver<Stage>,
) {
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else {
        return;
    };
    runtime.block_on(async move {
        let Ok(listener) = TcpListener::from_std(listener) else {
            return;
        };
        let mut turn = 0;
        loop {
            let (stream, peer) = match next_connection(&listener, &mut stage).await {
                Accepted::Connection(stream, peer) => (stream, peer),
                Accepted::Nothing => continue,
                Accepted::Closed => return,
            };
            turn = (turn + 1) % workers.len();
            // A worker that is full or gone is passed over once; then the socket waits for the next.
            if let Ok(stream) = stream.into_std()
                && let Err(mpsc::error::TrySendError::Full(stream) | mpsc::error::TrySendError::Closed(stream)) =
                    workers[turn].try_send((stream, peer))
            {
                let _ = workers[(turn + 1) % workers.len()].send(stream).await;
            }
        }
    });
}

enum Accepted {
    Connection(TcpStream, SocketAddr),
    /// The system had none after all; try again.
    Nothing,
    /// Draining, and the listener's queue is empty.
    Closed,
}

async fn next_connection(listener: &TcpListener, stage: &mut watch::Receiver<Stage>) -> Accepted {
    let accepted = if matches!(*stage.borrow_and_update(), Stage::Draining { .. }) {
        match timeout(QUIET, listener.accept()).await {
            Ok(result) => result,
            Err(_) => return Accepted::Closed,
        }
    } else {
        tokio::select! {
            result = listener.accept() => result,
            _ = stage.changed() => return Accepted::Nothing,
        }
    };
    match accepted {
        Ok((stream, peer)) => Accepted::Connection(stream, peer),
        Err(error) if is_about_one_connection(&error) => Accepted::Nothing,
        Err(_) => {
            sleep(ACCEPT_PAUSE).await;
            Accepted::Nothing
        }
    }
}

fn is_about_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset | io::ErrorKind::Interrupted
    )
}

/// What a worker's thread runs with.
struct Seat<A> {
    index: usize,
    application: Arc<A>,
    limits: Arc<Limits>,
    certificate: Option<Arc<ServerCertificate>>,
    stage: watch::Receiver<Stage>,
}

impl<A: Application> Seat<A> {
    /// Works until drained; starts again after a panic that no request's border caught.
    fn occupy(self, mut source: Source) {
        loop {
            let work = catch_unwind(AssertUnwindSafe(|| {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
                if let Ok(runtime) = runtime {
                    LocalSet::new().block_on(&runtime, self.work(&mut source));
                }
            }));
            if work.is_ok() {
                return;
            }
            self.application.restarted(self.index);
        }
    }

    async fn work(&self, source: &mut Source) {
        let observer = self.application.observer(self.index);
        let pools = Rc::new(Pools::new(Rc::clone(&observer)));
        let service = self.application.service(Worker { index: self.index, pools: Rc::clone(&pools) });
        let door = Rc::new(Door {
            service: Rc::clone(&service),
            limits: Arc::clone(&self.limits),
            certificate: self.certificate.clone(),
            watches: Rc::new(Watches::default()),
            observer,
        });
        keep_house(Rc::clone(&door), pools);
        self.accept(&door, source).await;
        let Stage::Draining { until } = *self.stage.borrow() else {
            return;
        };
        door.watches.drain();
        let empty = async {
            while door.watches.count() > 0 {
                sleep(Duration::from_millis(10)).await;
            }
        };
        let _ = timeout(until.saturating_duration_since(Instant::now()), empty).await;
    }

    async fn accept(&self, door: &Rc<Door<A::Service>>, source: &mut Source) {
        let open: Rc<Cell<usize>> = Rc::default();
        match source {
            Source::Listeners(listeners) => {
                for listener in listeners.iter() {
                    // The thread keeps the socket, so that it is still there if the worker has to be started again.
                    let Ok(listener) = listener.try_clone().and_then(TcpListener::from_std) else {
                        continue;
                    };
                    open.set(open.get() + 1);
                    let (door, open, mut stage) = (Rc::clone(door), Rc::clone(&open), self.stage.clone());
                    gw_runtime::tasks::spawn_local("accept", async move {
                        loop {
                            match next_connection(&listener, &mut stage).await {
                                Accepted::Connection(stream, peer) => serve(&door, stream, peer),
                                Accepted::Nothing => {}
                                Accepted::Closed => break,
                            }
                        }
                        open.set(open.get() - 1);
                    });
                }
                let mut stage = self.stage.clone();
                let _ = stage.wait_for(|stage| matches!(stage, Stage::Draining { .. })).await;
                while open.get() > 0 {
                    sleep(Duration::from_millis(1)).await;
                }
                listeners.clear();
            }
            Source::Handoff(receiver) => {
                // Ends when the acceptors have ended and every socket they accepted has been taken.
                while let Some((stream, peer)) = receiver.recv().await {
                    if let Ok(stream) = TcpStream::from_std(stream) {
                        serve(door, stream, peer);
                    }
                }
            }
        }
    }
}

fn serve<S: Service>(door: &Rc<Door<S>>, stream: TcpStream, peer: SocketAddr) {
    // Watched from here on, so that a drain that begins before the task first runs waits for it.
    let watch = door.watches.add();
    gw_runtime::tasks::spawn_local("connection", Rc::clone(door).serve(stream, peer, watch));
}

/// Looks at slow clients and idle connections, for as long as the worker lives.
fn keep_house<S: Service>(door: Rc<Door<S>>, pools: Rc<Pools>) {
    gw_runtime::tasks::spawn_local("housekeeping", async move {
        let mut timer = interval(SWEEP_INTERVAL);
        timer.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut turn = 0u32;
        loop {
            timer.tick().await;
            door.watches.sweep(&door.limits.timeouts);
            turn = (turn + 1) % 4;
            if turn == 0 {
                pools.sweep();
                door.service.tick();
            }
        }
    });
}
