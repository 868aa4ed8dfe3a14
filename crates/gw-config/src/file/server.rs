//! `server`: the door as written.

use std::path::PathBuf;
use std::time::Duration;

use crate::config::{Accept, Spanned};
use crate::scalar::{Count, Size};
use crate::section::{choices, section};
use crate::url::WebOrigin;

section! {
    /// The door: workers, TLS, limits, timeouts.
    Server {
        /// Number of workers; one for each core if left out.
        workers: Count;
        /// How connections reach the workers.
        accept: Accept, default "shared";
        /// Certificate and key for TLS; clear text if left out.
        tls: Tls;
        /// What is refused beyond.
        limits: Limits;
        /// How long a client may take.
        timeouts: ServerTimeouts;
        /// Web origins (`https://app.example.com`, or `*`) whose pages may call; none if left out.
        cors_origins: Vec<Spanned<WebOrigin>>;
        /// Serve other machines although `auth.mode` is not `required`.
        allow_unauthenticated: bool, default "false";
    }
}

section! {
    /// Certificate and key of the listeners.
    Tls {
        /// PEM file with the certificate chain.
        certificate: PathBuf, required;
        /// PEM file with the private key.
        key: PathBuf, required;
        /// PEM file with the authorities whose client certificates are required; none are asked for if left out.
        client_ca: PathBuf;
    }
}

section! {
    /// What is refused beyond.
    Limits {
        /// Bytes of a request's head.
        header_bytes: Size, default "64KiB";
        /// Bytes of a request's body, after decompression.
        body_bytes: Size, default "32MiB";
        /// Open connections.
        connections: Count, default "16384";
        /// Requests being served at once.
        requests_in_flight: Count, default "8192";
        /// Bytes of request and answer bodies held in memory at once.
        held_bytes: Size, default "512MiB";
    }
}

section! {
    /// How long a client may take.
    ServerTimeouts {
        /// From the first byte of a request's head to its last.
        header: Duration, default "10s";
        /// Between two reads of a request's body.
        body: Duration, default "30s";
        /// Between two requests on a connection.
        idle: Duration, default "75s";
        /// While the client reads nothing of the answer.
        write: Duration, default "60s";
        /// For the whole request.
        request: Duration, default "600s";
        /// For the requests in flight when the gateway is told to stop.
        drain: Duration, default "30s";
    }
}

choices! {
    Accept {
        "shared" => Accept::Shared, "Each worker has its own listener on the shared port.";
        "handoff" => Accept::Handoff, "One acceptor hands connections to the workers.";
    }
}
