//! The door: listeners, limits on what comes in, and how long a client may take.

use std::path::PathBuf;
use std::time::Duration;

/// The door.
#[derive(Debug, Clone, PartialEq)]
pub struct Server {
    /// Number of workers; one for each core if `None`.
    pub workers: Option<usize>,
    /// How connections reach the workers.
    pub accept: Accept,
    /// Certificate and key for TLS; clear text if `None`.
    pub tls: Option<ServerTls>,
    /// What is refused beyond.
    pub limits: ServerLimits,
    /// How long a client may take.
    pub timeouts: ServerTimeouts,
    /// Web origins (`https://app.example.com`, or `*`) whose pages may call; none by default.
    pub cors_origins: Vec<String>,
}

/// How connections reach the workers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Accept {
    /// Each worker has its own listener on the shared port; `Handoff` where the system cannot share one.
    Shared,
    /// One acceptor hands sockets to the workers.
    Handoff,
}

/// Certificate and key of the listeners.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerTls {
    /// PEM file with the certificate chain.
    pub certificate: PathBuf,
    /// PEM file with the private key.
    pub key: PathBuf,
    /// PEM file with the authorities whose client certificates are required; none are asked for if `None`.
    pub client_ca: Option<PathBuf>,
}

/// What is refused beyond.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ServerLimits {
    /// Bytes of a request's head.
    pub header_bytes: usize,
    /// Bytes of a request's body, after decompression.
    pub body_bytes: usize,
    /// Open connections.
    pub connections: usize,
    /// Requests being served at once.
    pub requests_in_flight: usize,
    /// Bytes of request and answer bodies held in memory at once.
    pub held_bytes: usize,
}

/// How long a client may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ServerTimeouts {
    /// From the first byte of a request's head to its last.
    pub header: Duration,
    /// Between two reads of a request's body.
    pub body: Duration,
    /// Between two requests on a connection.
    pub idle: Duration,
    /// While the client reads nothing of the answer.
    pub write: Duration,
    /// For the whole request.
    pub request: Duration,
    /// For the requests in flight when the gateway is told to stop.
    pub drain: Duration,
}

impl Default for Server {
    fn default() -> Self {
        Self {
            workers: None,
            accept: Accept::Shared,
            tls: None,
            limits: ServerLimits::default(),
            timeouts: ServerTimeouts::default(),
            cors_origins: Vec::new(),
        }
    }
}

impl Default for ServerLimits {
    fn default() -> Self {
        Self {
            header_bytes: 64 << 10,
            body_bytes: 32 << 20,
            connections: 16_384,
            requests_in_flight: 8_192,
            held_bytes: 512 << 20,
        }
    }
}

impl Default for ServerTimeouts {
    fn default() -> Self {
        Self {
            header: Duration::from_secs(10),
            body: Duration::from_secs(30),
            idle: Duration::from_secs(75),
            write: Duration::from_secs(60),
            request: Duration::from_secs(600),
            drain: Duration::from_secs(30),
        }
    }
}
