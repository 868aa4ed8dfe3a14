//! A provider played by a script: what it does with each connection is written out in the test.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use parking_lot::Mutex;
use rustls::ServerConfig;
use serde_json::Value;
use socket2::SockRef;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

use super::wire::Framing;
use super::{Cut, Head, Wire, beside, within};

/// A listening script.
pub(crate) struct Upstream {
    pub(crate) address: SocketAddr,
    journal: Arc<Journal>,
    accepting: JoinHandle<()>,
}

#[derive(Default)]
struct Journal {
    entries: Mutex<Entries>,
    changed: Notify,
}

#[derive(Default)]
struct Entries {
    connections: usize,
    /// How many times a script saw the gateway go.
    departures: usize,
    requests: Vec<Recorded>,
}

/// A request as it came.
#[derive(Debug, Clone)]
pub(crate) struct Recorded {
    pub(crate) head: Head,
    pub(crate) body: Vec<u8>,
}

/// The script's end of one connection.
pub(crate) struct Peer {
    /// Number of the connection, from 0.
    pub(crate) index: usize,
    wire: Wire,
    journal: Arc<Journal>,
}

impl Upstream {
    /// Runs `script` for each connection.
    pub(crate) async fn start<S, F>(script: S) -> Self
    where
        S: Fn(Peer) -> F + Send + Sync + 'static,
        F: Future<Output = ()> + Send + 'static,
    {
        Self::listen(TcpListener::bind("127.0.0.1:0").await.unwrap(), None, script)
    }

    /// The same over TLS.
    pub(crate) async fn start_tls<S, F>(tls: Arc<ServerConfig>, script: S) -> Self
    where
        S: Fn(Peer) -> F + Send + Sync + 'static,
        F: Future<Output = ()> + Send + 'static,
    {
        Self::listen(TcpListener::bind("127.0.0.1:0").await.unwrap(), Some(tls), script)
    }

    /// Answers every request with the same bytes.
    pub(crate) async fn always(answer: Vec<u8>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        Self::always_on(listener, answer)
    }

    /// Answers every request that comes to a listener with the same bytes.
    pub(crate) fn always_on(listener: TcpListener, answer: Vec<u8>) -> Self {
        let answer = Arc::new(answer);
        Self::listen(listener, None, move |mut peer| {
            let answer = Arc::clone(&answer);
            async move {
                while peer.request().await.is_some() {
                    peer.send(&*answer).await;
                }
            }
        })
    }

    /// Gives each request the next of these answers, and from then on the last one.
    pub(crate) async fn in_turn(answers: Vec<Vec<u8>>) -> Self {
        let count = Arc::new(AtomicUsize::new(0));
        Self::start(move |mut peer| {
            let (answers, count) = (answers.clone(), Arc::clone(&count));
            async move {
                while peer.request().await.is_some() {
                    let at = count.fetch_add(1, Relaxed);
                    peer.send(&answers[at.min(answers.len() - 1)]).await;
                }
            }
        })
        .await
    }

    /// Takes every request and says nothing.
    pub(crate) async fn silent() -> Self {
        Self::start(|mut peer: Peer| async move {
            peer.request().await;
            peer.gone().await;
        })
        .await
    }

    fn listen<S, F>(listener: TcpListener, tls: Option<Arc<ServerConfig>>, script: S) -> Self
    where
        S: Fn(Peer) -> F + Send + Sync + 'static,
        F: Future<Output = ()> + Send + 'static,
    {
        let address = listener.local_addr().unwrap();
        let journal = Arc::new(Journal::default());
        let script = Arc::new(script);
        let accepted = Arc::clone(&journal);
        let accepting = beside(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let (script, tls, journal) = (Arc::clone(&script), tls.clone(), Arc::clone(&accepted));
                let index = journal.count(|entries| {
                    entries.connections += 1;
                    entries.connections - 1
                });
                beside(async move {
                    if let Some(wire) = open(stream, tls).await {
                        script(Peer { index, wire, journal }).await;
                    }
                });
            }
        });
        Self { address, journal, accepting }
    }

    /// Every request so far.
    pub(crate) fn requests(&self) -> Vec<Recorded> {
        self.journal.entries.lock().requests.clone()
    }

    /// The only request so far.
    #[track_caller]
    pub(crate) fn only_request(&self) -> Recorded {
        let mut requests = self.requests();
        assert_eq!(requests.len(), 1, "{requests:?}");
        requests.remove(0)
    }

    /// How many connections were made.
    pub(crate) fn connections(&self) -> usize {
        self.journal.entries.lock().connections
    }

    /// Waits until so many requests have come.
    pub(crate) async fn requested(&self, count: usize) {
        within("a request upstream", self.journal.until(|entries| entries.requests.len() >= count)).await;
    }

    /// Waits until scripts have seen the gateway go so many times.
    pub(crate) async fn departed(&self, count: usize) {
        within("the gateway's departure", self.journal.until(|entries| entries.departures >= count)).await;
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn open(stream: TcpStream, tls: Option<Arc<ServerConfig>>) -> Option<Wire> {
    stream.set_nodelay(true).unwrap();
    let Some(tls) = tls else { return Some(Wire::clear(stream)) };
    let socket = SockRef::from(&stream).try_clone().unwrap();
    let stream = TlsAcceptor::from(tls).accept(stream).await.ok()?;
    Some(Wire::tls(stream, socket))
}

impl Journal {
    fn count<T>(&self, change: impl FnOnce(&mut Entries) -> T) -> T {
        let result = change(&mut self.entries.lock());
        self.changed.notify_waiters();
        result
    }

    async fn until(&self, holds: impl Fn(&Entries) -> bool) {
        loop {
            let changed = self.changed.notified();
            if holds(&self.entries.lock()) {
                return;
            }
            changed.await;
        }
    }
}

impl Peer {
    /// Reads a request whole and notes it; `None` if the gateway went instead.
    pub(crate) async fn request(&mut self) -> Option<Recorded> {
        let head = self.wire.head().await.ok().flatten()?;
        let mut framing = head.framing(Framing::Ended);
        let (body, end) = self.wire.rest(&mut framing).await;
        end.ok()?;
        let request = Recorded { head, body };
        self.journal.count(|entries| entries.requests.push(request.clone()));
        Some(request)
    }

    /// Reads the head of a request only; `None` if the gateway went instead.
    pub(crate) async fn head(&mut self) -> Option<(Head, Framing)> {
        let head = self.wire.head().await.ok().flatten()?;
        let framing = head.framing(Framing::Ended);
        Some((head, framing))
    }

    /// The next piece of a request's body; `None` at its end.
    pub(crate) async fn piece(&mut self, framing: &mut Framing) -> Result<Option<Vec<u8>>, Cut> {
        self.wire.piece(framing).await
    }

    /// Sends bytes; tells whether the gateway still takes them.
    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        self.wire.send(bytes.as_ref()).await.is_ok()
    }

    /// Waits until the gateway goes, and notes it.
    pub(crate) async fn gone(&mut self) {
        self.wire.gone().await;
        self.journal.count(|entries| entries.departures += 1);
    }

    /// Ends the connection as a process that dies does.
    pub(crate) fn reset(self) {
        self.wire.reset();
    }
}

impl Recorded {
    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}
