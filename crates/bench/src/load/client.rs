//! One client: connects as the plan says and exchanges one request after the other.

use std::cell::Cell;
use std::process;
use std::rc::Rc;
use std::sync::Arc;

use anyhow::{Context, Result, bail, ensure};
use bytes::Bytes;
use rustls::crypto::ring::default_provider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::Mutex;
use tokio::time::Instant;
use tokio_rustls::TlsConnector;

use super::check::Checker;
use super::http1::Connection;
use super::http2::Channel;
use super::plan::{Check, Door, Protocol};
use crate::exchange::Exchange;
use crate::template::Template;

/// Streams that share one HTTP/2 connection.
const STREAMS_PER_CONNECTION: usize = 8;

/// Nonces of one run are not those of another.
const NONCES_PER_PROCESS: u64 = 1_000_000_000;

/// A connection, in clear text or not.
pub(super) trait Io: AsyncRead + AsyncWrite + Unpin {}

impl<T: AsyncRead + AsyncWrite + Unpin> Io for T {}

/// What all clients of a run have in common.
pub(super) struct Clients {
    door: Door,
    path: String,
    request: Template,
    checker: Box<dyn Fn() -> Checker>,
    tls: Option<TlsConnector>,
    next_nonce: Cell<u64>,
    /// The HTTP/2 connection that was opened last, and how many clients may still share it.
    shared: Mutex<Option<(Channel, usize)>>,
}

/// One client.
pub(super) struct Client {
    clients: Rc<Clients>,
    request: Template,
    checker: Checker,
    wire: Option<Wire>,
}

enum Wire {
    Http1(Connection),
    Http2(Channel),
}

/// When what came of an answer.
pub(super) struct Answered {
    /// The first byte of the body.
    pub(super) first_byte: Instant,
    /// The last byte.
    pub(super) end: Instant,
    /// How many bytes the body has.
    pub(super) bytes: u64,
}

impl Clients {
    /// Prepares them; the bytes of all answers are added to the counter.
    pub(super) fn new(door: &Door, exchange: Exchange, check: Check, counter: &Rc<Cell<u64>>) -> Result<Rc<Self>> {
        let door = door.clone();
        ensure!(door.address.ip().is_loopback(), "{} is not a loopback address", door.address);
        let path = format!("{}{}", door.base_path, exchange.path());
        let body = exchange.request();
        let request = match door.protocol {
            Protocol::Http2 => body,
            Protocol::Http1 => format!(
                "POST {path} HTTP/1.1\r\nhost: {}\r\naccept: application/json\r\nuser-agent: gateway-bench\r\n\
                 authorization: Bearer {}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
                door.address,
                door.key,
                body.len(),
            ),
        };
        let counter = Rc::clone(counter);
        Ok(Rc::new(Self {
            tls: tls(&door)?,
            door,
            path,
            request: Template::new(request),
            checker: Box::new(move || Checker::new(exchange, check, Rc::clone(&counter))),
            next_nonce: Cell::new(u64::from(process::id()) * NONCES_PER_PROCESS),
            shared: Mutex::new(None),
        }))
    }

    /// A client that is not connected yet.
    pub(super) fn client(self: &Rc<Self>) -> Client {
        Client { clients: Rc::clone(self), request: self.request.clone(), checker: (self.checker)(), wire: None }
    }

    async fn connect(&self) -> Result<Wire> {
        match self.door.protocol {
            Protocol::Http1 => Ok(Wire::Http1(Connection::new(self.reach().await?))),
            Protocol::Http2 => {
                let mut shared = self.shared.lock().await;
                let (channel, left) = match shared.take() {
                    Some((channel, left)) if left > 0 => (channel, left),
                    _ => (self.open_channel().await?, STREAMS_PER_CONNECTION),
                };
                *shared = Some((channel.clone(), left - 1));
                Ok(Wire::Http2(channel))
            }
        }
    }

    async fn open_channel(&self) -> Result<Channel> {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        let uri = format!("{scheme}://{}{}", self.door.address, self.path);
        Channel::open(self.reach().await?, uri, format!("Bearer {}", self.door.key)).await
    }

    async fn reach(&self) -> Result<Box<dyn Io>> {
        let address = self.door.address;
        let stream = TcpStream::connect(address).await.with_context(|| format!("cannot connect to {address}"))?;
        stream.set_nodelay(true)?;
        let Some(tls) = &self.tls else { return Ok(Box::new(stream)) };
        let name = ServerName::IpAddress(address.ip().into());
        Ok(Box::new(tls.connect(name, stream).await.context("no TLS connection")?))
    }
}

impl Client {
    /// Sends one request and reads and checks the whole answer.
    pub(super) async fn exchange(&mut self) -> Result<Answered> {
        self.prepare();
        let exchanged = match self.wire().await? {
            (Wire::Http1(connection), request, checker) => connection.exchange(request.bytes(), checker).await?,
            (Wire::Http2(channel), request, checker) => {
                channel.exchange(Bytes::copy_from_slice(request.bytes()), checker).await?
            }
        };
        if !exchanged.reusable {
            self.disconnect();
        }
        let bytes = self.checker.taken() as u64;
        Ok(Answered { first_byte: exchanged.first_byte, end: Instant::now(), bytes })
    }

    /// Opens a stream and reads its first bytes; it stays open with the client.
    pub(super) async fn open_stream(&mut self, bytes: usize) -> Result<()> {
        self.prepare();
        match self.wire().await? {
            (Wire::Http1(connection), request, checker) => connection.open(request.bytes(), checker, bytes).await,
            (Wire::Http2(_), ..) => bail!("streams are held open over HTTP/1.1 only"),
        }
    }

    /// Forgets a connection on which something went wrong.
    pub(super) fn disconnect(&mut self) {
        self.wire = None;
    }

    /// Makes a request that nobody has sent before.
    fn prepare(&mut self) {
        let nonce = self.clients.next_nonce.get();
        self.clients.next_nonce.set(nonce + 1);
        self.request.set_nonce(nonce);
        self.checker.expect(nonce);
    }

    /// Makes sure of a connection.
    async fn wire(&mut self) -> Result<(&mut Wire, &Template, &mut Checker)> {
        let wire = match self.wire.take() {
            Some(wire) => wire,
            None => self.clients.connect().await?,
        };
        Ok((self.wire.insert(wire), &self.request, &mut self.checker))
    }
}

fn tls(door: &Door) -> Result<Option<TlsConnector>> {
    let Some(file) = &door.authority else { return Ok(None) };
    let mut roots = RootCertStore::empty();
    let authority = CertificateDer::from_pem_file(file).with_context(|| format!("cannot read {}", file.display()))?;
    roots.add(authority)?;
    let mut config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = match door.protocol {
        Protocol::Http1 => vec![b"http/1.1".to_vec()],
        Protocol::Http2 => vec![b"h2".to_vec()],
    };
    Ok(Some(TlsConnector::from(Arc::new(config))))
}
