//! A client's connection: protocol, limits, panics, drain.

use std::convert::Infallible;
use std::error::Error as StdError;
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use http::{HeaderValue, Request, Response, StatusCode, Version, header};
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

use crate::exec::WorkerExecutor;
use crate::io::{ClientIo, Refuse};
use crate::observer::Observer;
use crate::panics::{CatchPanic, guard};
use crate::stream::Stream;
use crate::tls::ServerCertificate;
use crate::upgrade::{Takeover, Upgraded};
use crate::watch::{Expired, Watch, Watches};

/// How long what a client still sends after its answer is read and thrown away.
const LINGER: Duration = Duration::from_secs(5);

/// What answers requests. One for each worker; it need not be `Send`.
pub trait Service: 'static {
    /// The body of its answers.
    type Body: Body<Data = Bytes, Error: Into<Box<dyn StdError + Send + Sync>>> + 'static;

    /// Answers one request. Dropped when the client leaves.
    fn call(
        self: Rc<Self>,
        request: Request<Incoming>,
        connection: Rc<Connection>,
    ) -> impl Future<Output = Response<Self::Body>> + 'static;

    /// Renders an answer of the door itself.
    fn refuse(&self, refusal: Refusal) -> Response<Bytes>;

    /// Called about once a second, for housekeeping.
    fn tick(&self) {}
}

/// Why the door answers in place of the service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// What was sent is not HTTP.
    Malformed,
    /// The head of the request is larger than the limit.
    HeadTooLarge,
    /// The head of the request did not arrive in time.
    HeadTimeout,
    /// There are as many connections as there may be.
    TooManyConnections,
    /// The service broke.
    Panicked,
}

/// What is known of the connection a request came on.
pub struct Connection {
    /// The other end.
    pub peer: SocketAddr,
    /// Whether TLS is spoken on it.
    pub secure: bool,
    /// What becomes of it when HTTP is done with it.
    pub takeover: Takeover,
}

impl Connection {
    fn new(peer: SocketAddr, secure: bool) -> Rc<Self> {
        Rc::new(Self { peer, secure, takeover: Takeover::default() })
    }
}

/// What clients are allowed, shared by all workers.
pub struct Limits {
    /// Bytes of a request's head.
    pub head_bytes: usize,
    /// Open connections of the process.
    pub connections: usize,
    /// How long a client may take.
    pub timeouts: Timeouts,
    open: AtomicUsize,
}

/// How long a client may take.
#[derive(Debug, Clone, Copy)]
pub struct Timeouts {
    /// From the first byte of a request's head to its last; also for the TLS handshake.
    pub head: Duration,
    /// Between two requests.
    pub idle: Duration,
    /// While the client reads nothing.
    pub write: Duration,
}

impl Limits {
    /// Limits of a process with no connection yet.
    pub fn new(head_bytes: usize, connections: usize, timeouts: Timeouts) -> Self {
        Self { head_bytes, connections, timeouts, open: AtomicUsize::new(0) }
    }

    fn enter(self: &Arc<Self>) -> Option<Place> {
        if self.open.fetch_add(1, Ordering::Relaxed) >= self.connections {
            self.open.fetch_sub(1, Ordering::Relaxed);
            return None;
        }
        Some(Place(Arc::clone(self)))
    }
}

/// One of the open connections.
struct Place(Arc<Limits>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Serves the connections of one worker.
pub(crate) struct Door<S> {
    pub(crate) service: Rc<S>,
    pub(crate) limits: Arc<Limits>,
    pub(crate) certificate: Option<Arc<ServerCertificate>>,
    pub(crate) watches: Rc<Watches>,
    pub(crate) observer: Rc<dyn Observer>,
}

impl<S: Service> Door<S> {
    /// Serves one accepted socket to its end.
    pub(crate) async fn serve(self: Rc<Self>, stream: TcpStream, peer: SocketAddr, watch: Rc<Watch>) {
        // Without it, every small write waits for the acknowledgement of the last: 40 ms on a stream.
        let _ = stream.set_nodelay(true);
        let Some(_place) = self.limits.enter() else {
            self.observer.connection_refused();
            Box::pin(self.turn_away(stream)).await;
            return;
        };
        self.observer.connection_opened();
        self.speak(stream, peer, watch).await;
        self.observer.connection_closed();
    }

    async fn speak(self: &Rc<Self>, stream: TcpStream, peer: SocketAddr, watch: Rc<Watch>) {
        let Some(certificate) = &self.certificate else {
            let http2 = match timeout(self.limits.timeouts.idle, begins_with_http2_preface(&stream)).await {
                Ok(Ok(found)) => found,
                Ok(Err(_)) | Err(_) => return,
            };
            let io = self.io(Stream::Clear(stream), &watch);
            return self.speak_http(io, http2, Connection::new(peer, false), watch).await;
        };
        // In a box, like the HTTP/2 connection below: most connections are the third kind and need not carry their size.
        let handshake = Box::pin(TlsAcceptor::from(certificate.current()).accept(stream));
        let Ok(Ok(stream)) = timeout(self.limits.timeouts.head, handshake).await else {
            return;
        };
        let http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
        let io = self.io(Stream::Tls(Box::new(stream.into())), &watch);
        self.speak_http(io, http2, Connection::new(peer, true), watch).await;
    }

    async fn speak_http(self: &Rc<Self>, io: ClientIo, http2: bool, connection: Rc<Connection>, watch: Rc<Watch>) {
        if http2 {
            Box::pin(self.speak_http2(io, connection, watch)).await;
        } else {
            self.speak_http1(io, connection, watch).await;
        }
    }

    async fn speak_http1(self: &Rc<Self>, io: ClientIo, connection: Rc<Connection>, watch: Rc<Watch>) {
        let service = service_fn(|request| Rc::clone(self).answer(request, Rc::clone(&connection), Rc::clone(&watch)));
        let mut serving = http1::Builder::new()
            .header_read_timeout(None)
            .max_buf_size(self.limits.head_bytes.max(8 << 10))
            .serve_connection(TokioIo::new(io), service);
        let mut drained = false;
        let expired = poll_fn(|context| {
            if let Some(expired) = watch.poll_expired(context) {
                return Poll::Ready(Some(expired));
            }
            // A connection that has not brought its first request yet may: hyper would close it.
            if watch.is_draining() && watch.has_served() && !drained {
                drained = true;
                Pin::new(&mut serving).graceful_shutdown();
            }
            // How a connection ends is between the client and its network: there is nobody left to tell.
            Pin::new(&mut serving).poll(context).map(|_| None)
        })
        .await;
        if expired == Some(Expired::Head) {
            let answer = raw(&self.service.refuse(Refusal::HeadTimeout));
            let mut stream = serving.into_parts().io.into_inner().into_stream();
            let _ = timeout(Duration::from_secs(1), async {
                stream.write_all(&answer).await?;
                stream.shutdown().await
            })
            .await;
        } else if let Some(next) = connection.takeover.take().filter(|_| expired.is_none()) {
            let parts = serving.into_parts();
            next(Upgraded::new(parts.io.into_inner().into_stream(), parts.read_buf, None)).await;
        } else if expired.is_none() && watch.lingers() {
            let stream = serving.into_parts().io.into_inner().into_stream();
            Box::pin(drain(stream)).await;
        }
    }

    async fn speak_http2(self: &Rc<Self>, io: ClientIo, connection: Rc<Connection>, watch: Rc<Watch>) {
        // Frames answer requests without end; none of them is an error page of hyper's.
        watch.request_begins();
        let service = service_fn(|request| Rc::clone(self).answer(request, Rc::clone(&connection), Rc::clone(&watch)));
        let mut serving = pin!(
            http2::Builder::new(WorkerExecutor)
                .timer(TokioTimer::new())
                .keep_alive_interval(self.limits.timeouts.idle / 2)
                .max_concurrent_streams(256)
                .max_pending_accept_reset_streams(32)
                .max_header_list_size(u32::try_from(self.limits.head_bytes).unwrap_or(u32::MAX))
                .serve_connection(TokioIo::new(io), service)
        );
        let mut drained = false;
        poll_fn(|context| {
            if watch.poll_expired(context).is_some() {
                return Poll::Ready(());
            }
            if watch.is_draining() && !drained {
                drained = true;
                serving.as_mut().graceful_shutdown();
            }
            serving.as_mut().poll(context).map(|_| ())
        })
        .await;
    }

    async fn answer(
        self: Rc<Self>,
        request: Request<Incoming>,
        connection: Rc<Connection>,
        watch: Rc<Watch>,
    ) -> Result<Response<Guarded<S::Body>>, Infallible> {
        watch.request_begins();
        let serving = Serving(watch);
        let version = request.version();
        // In a box: hyper keeps room for this future as long as the connection lives, and streams live long.
        // The room first, so that it begins where it stays: it is large.
        let room = Box::new_uninit();
        let call = guard(|| Box::into_pin(Box::write(room, Rc::clone(&self.service).call(request, connection))));
        let answered = match call {
            Ok(future) => CatchPanic::new(future).await,
            Err(panicked) => Err(panicked),
        };
        let closes = serving.0.is_draining();
        let mut response = match answered {
            Ok(response) => {
                if response.headers().contains_key(header::CONNECTION)
                    && response.status() != StatusCode::SWITCHING_PROTOCOLS
                {
                    serving.0.linger();
                }
                response.map(|inner| GuardedBody::Service { inner })
            }
            Err(_) => {
                self.observer.panic_caught();
                self.service.refuse(Refusal::Panicked).map(|bytes| GuardedBody::Door { bytes })
            }
        };
        if closes && version <= Version::HTTP_11 && response.status() != StatusCode::SWITCHING_PROTOCOLS {
            response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        let observer = Rc::clone(&self.observer);
        Ok(response.map(|inner| Guarded { inner, observer, _serving: serving }))
    }

    fn io(self: &Rc<Self>, stream: Stream, watch: &Rc<Watch>) -> ClientIo {
        let service = Rc::clone(&self.service);
        let refuse: Refuse = Rc::new(move |status| {
            let refusal = if status == 431 || status == 414 { Refusal::HeadTooLarge } else { Refusal::Malformed };
            raw(&service.refuse(refusal))
        });
        ClientIo::new(stream, Rc::clone(watch), refuse)
    }

    /// Tells a client that there is no room, where that can be told in clear text.
    async fn turn_away(&self, mut stream: TcpStream) {
        if self.certificate.is_some() {
            return;
        }
        let answer = raw(&self.service.refuse(Refusal::TooManyConnections));
        let _ = timeout(Duration::from_secs(1), async {
            let mut request = [0u8; 4096];
            let _ = stream.read(&mut request).await?;
            stream.write_all(&answer).await?;
            stream.shutdown().await?;
            // Closing with something unread would reset the connection, and the answer with it.
            while stream.read(&mut request).await? > 0 {}
            io::Result::Ok(())
        })
        .await;
    }
}

/// Reads what a client still sends after its answer. Closing with something unread would reset the connection, and the
/// answer with it.
async fn drain(mut stream: Stream) {
    let mut unwanted = [0u8; 16 << 10];
    let _ = timeout(LINGER, async { while stream.read(&mut unwanted).await.is_ok_and(|count| count > 0) {} }).await;
}

/// Whether the client begins with HTTP/2's preface (RFC 9113 §3.4). Waits for as many bytes as it takes to know.
async fn begins_with_http2_preface(stream: &TcpStream) -> io::Result<bool> {
    const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    let mut seen = [0u8; PREFACE.len()];
    loop {
        let count = stream.peek(&mut seen).await?;
        if count == 0 || !PREFACE.starts_with(&seen[..count]) {
            return Ok(false);
        }
        if count == PREFACE.len() {
            return Ok(true);
        }
        // A part of the preface: the socket stays readable, so only time tells whether more comes.
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// An answer as HTTP/1.1 bytes, after which the connection is closed.
fn raw(response: &Response<Bytes>) -> Bytes {
    let status = response.status();
    let mut out = BytesMut::with_capacity(256 + response.body().len());
    out.put_slice(format!("HTTP/1.1 {} {}\r\n", status.as_str(), reason(status)).as_bytes());
    for (name, value) in response.headers() {
        out.put_slice(name.as_str().as_bytes());
        out.put_slice(b": ");
        out.put_slice(value.as_bytes());
        out.put_slice(b"\r\n");
    }
    out.put_slice(format!("content-length: {}\r\nconnection: close\r\n\r\n", response.body().len()).as_bytes());
    out.put_slice(response.body());
    out.freeze()
}

fn reason(status: StatusCode) -> &'static str {
    status.canonical_reason().unwrap_or("Error")
}

/// A request being served on a connection.
struct Serving(Rc<Watch>);

impl Drop for Serving {
    fn drop(&mut self) {
        self.0.request_ends();
    }
}

pin_project_lite::pin_project! {
    /// The body of an answer, whose panic ends it alone.
    struct Guarded<B> {
        #[pin]
        inner: GuardedBody<B>,
        observer: Rc<dyn Observer>,
        _serving: Serving,
    }
}

pin_project_lite::pin_project! {
    #[project = GuardedProjection]
    enum GuardedBody<B> {
        Service { #[pin] inner: B },
        Door { bytes: Bytes },
    }
}

impl<B> Body for Guarded<B>
where
    B: Body<Data = Bytes, Error: Into<Box<dyn StdError + Send + Sync>>>,
{
    type Data = Bytes;
    type Error = Box<dyn StdError + Send + Sync>;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let this = self.project();
        match this.inner.project() {
            GuardedProjection::Door { bytes } if bytes.is_empty() => Poll::Ready(None),
            GuardedProjection::Door { bytes } => Poll::Ready(Some(Ok(Frame::data(std::mem::take(bytes))))),
            GuardedProjection::Service { inner } => match guard(|| inner.poll_frame(context)) {
                Ok(poll) => poll.map_err(Into::into),
                Err(_) => {
                    this.observer.panic_caught();
                    Poll::Ready(Some(Err("the gateway broke while it sent this answer".into())))
                }
            },
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.inner {
            GuardedBody::Service { inner } => inner.is_end_stream(),
            GuardedBody::Door { bytes } => bytes.is_empty(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.inner {
            GuardedBody::Service { inner } => inner.size_hint(),
            GuardedBody::Door { bytes } => SizeHint::with_exact(bytes.len() as u64),
        }
    }
}
