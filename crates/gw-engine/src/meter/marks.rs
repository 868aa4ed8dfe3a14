//! When things happened to a request, and how long they took.

use std::time::Duration;

use gw_core::Timings;
use tokio::time::Instant;

/// When things happened.
#[derive(Clone)]
pub(super) struct Marks {
    started: Instant,
    body_read: Option<Instant>,
    /// The first attempt.
    first_sent: Option<Instant>,
    /// The present attempt.
    sent: Option<Instant>,
    first_byte: Option<Instant>,
    /// How long that took, in microseconds.
    first_byte_us: Option<u64>,
    /// The first content of a stream that was held until then.
    content: Option<Instant>,
    forwarded: Option<Instant>,
}

impl Marks {
    pub(super) fn begin() -> Self {
        let started = Instant::now();
        Self {
            started,
            body_read: None,
            first_sent: None,
            sent: None,
            first_byte: None,
            first_byte_us: None,
            content: None,
            forwarded: None,
        }
    }

    pub(super) fn started(&self) -> Instant {
        self.started
    }

    /// When the first attempt was sent; when the request came, if none was.
    pub(super) fn first_sent(&self) -> Instant {
        self.first_sent.unwrap_or(self.started)
    }

    pub(super) fn body_read(&mut self) {
        self.body_read = Some(Instant::now());
    }

    pub(super) fn sent(&mut self) {
        let now = Instant::now();
        self.first_sent.get_or_insert(now);
        self.sent = Some(now);
    }

    pub(super) fn received(&mut self) {
        if self.first_byte.is_none() {
            let now = Instant::now();
            self.first_byte = Some(now);
            self.first_byte_us = self.sent.map(|sent| micros(now.saturating_duration_since(sent)));
        }
    }

    pub(super) fn begun(&mut self) {
        self.content = Some(Instant::now());
    }

    pub(super) fn forwarded(&mut self) {
        if self.forwarded.is_none() {
            self.forwarded = Some(Instant::now());
        }
    }

    /// The present attempt has come to nothing; the first byte of an answer that another goes on with stays what it was.
    pub(super) fn forget_attempt(&mut self) {
        self.sent = None;
        if self.forwarded.is_none() {
            (self.first_byte, self.first_byte_us) = (None, None);
        }
    }

    /// Whether the present attempt was sent.
    pub(super) fn is_sent(&self) -> bool {
        self.sent.is_some()
    }

    /// How long the present attempt has taken so far; `None` if nothing was sent.
    pub(super) fn attempt_took(&self) -> Option<Duration> {
        self.sent.map(|sent| sent.elapsed())
    }

    /// The same in microseconds.
    pub(super) fn attempt_us(&self) -> u64 {
        self.attempt_took().map_or(0, micros)
    }

    /// When the present attempt was sent; when the request came, if it was not.
    pub(super) fn attempt_began(&self) -> Instant {
        self.sent.unwrap_or(self.started)
    }

    /// The first attempt was one of these, if there was one.
    pub(super) fn began_with(&mut self, earlier: &Self) {
        self.first_sent = earlier.first_sent.or(self.first_sent);
    }

    /// How long things took until now.
    pub(super) fn timings(&self, stream: bool) -> Timings {
        let end = Instant::now();
        let between = |from: Option<Instant>, to: Option<Instant>| match (from, to) {
            (Some(from), Some(to)) => micros(to.saturating_duration_since(from)),
            _ => 0,
        };
        let before = between(self.body_read, self.first_sent.or(self.forwarded).or(Some(end)));
        // A whole answer is held until its last byte has come: waiting for that is the provider's time, not ours.
        let after = if stream { between(self.content.or(self.first_byte), self.forwarded) } else { 0 };
        Timings {
            total_us: micros(end.saturating_duration_since(self.started)),
            first_byte_us: self.first_byte_us,
            upstream_us: between(self.first_sent, self.forwarded.or(Some(end))),
            overhead_us: before + after,
        }
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
