//! What the load generator is told, and what it tells.

use std::net::SocketAddr;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::exchange::Exchange;

/// One run of the load generator.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Plan {
    /// Where the requests go.
    pub(crate) door: Door,
    /// What each request asks for.
    pub(crate) exchange: Exchange,
    /// How the answers are checked.
    pub(crate) check: Check,
    /// When requests are sent.
    pub(crate) drive: Drive,
    /// Seconds before the measured window.
    pub(crate) warmup_s: f64,
    /// Seconds of the measured window.
    pub(crate) window_s: f64,
    /// The most that one answer may take.
    pub(crate) timeout_s: f64,
    /// Processes of the measured program.
    pub(crate) target_processes: Vec<u32>,
    /// Processes of the mock.
    pub(crate) mock_processes: Vec<u32>,
}

/// Where requests go, and how.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Door {
    /// The loopback address.
    pub(crate) address: SocketAddr,
    /// What stands before the operation's path.
    pub(crate) base_path: String,
    /// The key of the client.
    pub(crate) key: String,
    /// The version of HTTP.
    pub(crate) protocol: Protocol,
    /// PEM file with the authority to trust; clear text without it.
    pub(crate) authority: Option<PathBuf>,
}

/// The version of HTTP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Protocol {
    /// HTTP/1.1 with keep-alive.
    Http1,
    /// HTTP/2; in clear text with prior knowledge.
    Http2,
}

/// How answers are checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Check {
    /// Byte for byte against what the mock sent.
    Exact,
    /// By what they say: for programs that write answers anew.
    Meaning,
}

/// When requests are sent.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) enum Drive {
    /// So many at a time, each after the answer to the one before.
    Closed {
        /// Requests at a time.
        at_once: usize,
    },
    /// So many a second, whatever the answers do.
    Open {
        /// Requests a second.
        per_second: f64,
    },
    /// So many streams are opened, and stay open while memory is read.
    Hold {
        /// Open streams.
        streams: usize,
    },
}

/// What a run has shown.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Report {
    /// Requests sent in the whole run.
    pub(crate) sent: u64,
    /// Answers that were missing, late or wrong.
    pub(crate) errors: u64,
    /// The first of them.
    pub(crate) first_error: Option<String>,
    /// Whole answers within the window.
    pub(crate) answers: u64,
    /// Bytes of answers within the window.
    pub(crate) answer_bytes: u64,
    /// Bytes of a whole answer: of the last one.
    pub(crate) whole_answer_bytes: u64,
    /// Length of the window.
    pub(crate) window_s: f64,
    /// CPU seconds within the window.
    pub(crate) cpu: CpuSeconds,
    /// From the request to the end of the answer.
    pub(crate) latency: Quantiles,
    /// From the request to the first byte of the answer's body.
    pub(crate) first_byte: Quantiles,
    /// Memory of the measured program at the end of the window, in KiB.
    pub(crate) resident_kib: u64,
}

/// CPU seconds, by whom they were used.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub(crate) struct CpuSeconds {
    /// The measured program.
    pub(crate) target: f64,
    /// The mock upstream.
    pub(crate) mock: f64,
    /// The load generator.
    pub(crate) load: f64,
    /// The whole machine.
    pub(crate) machine: f64,
}

/// A distribution of times, in microseconds.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub(crate) struct Quantiles {
    /// Times recorded.
    pub(crate) count: u64,
    /// Half of them are at most this.
    pub(crate) p50_us: f64,
    /// 99 of 100 are at most this.
    pub(crate) p99_us: f64,
}
