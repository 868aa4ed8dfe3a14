//! What the clients of a run have counted so far.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use anyhow::{Context, Error, Result};
use hdrhistogram::Histogram;
use tokio::time::Instant;

use super::client::Answered;
use super::plan::Quantiles;

/// The longest time that is told apart.
const LONGEST_NS: u64 = 600_000_000_000;

/// Counters of a run.
pub(super) struct Tally {
    /// Bytes of answers, whole or not.
    pub(super) answer_bytes: Rc<Cell<u64>>,
    /// Requests sent.
    pub(super) sent: Cell<u64>,
    /// Whole and correct answers.
    pub(super) answers: Cell<u64>,
    /// Answers that were missing, late or wrong.
    pub(super) errors: Cell<u64>,
    /// Bytes of the last whole answer.
    pub(super) whole_answer_bytes: Cell<u64>,
    /// Whether the window is open: times are kept.
    pub(super) measuring: Cell<bool>,
    first_error: RefCell<Option<String>>,
    latency: RefCell<Histogram<u64>>,
    first_byte: RefCell<Histogram<u64>>,
}

impl Tally {
    /// Counts from zero.
    pub(super) fn new() -> Result<Rc<Self>> {
        let histogram = Histogram::new_with_bounds(1, LONGEST_NS, 3).context("cannot make a histogram")?;
        Ok(Rc::new(Self {
            answer_bytes: Rc::new(Cell::new(0)),
            sent: Cell::new(0),
            answers: Cell::new(0),
            errors: Cell::new(0),
            whole_answer_bytes: Cell::new(0),
            measuring: Cell::new(false),
            first_error: RefCell::new(None),
            latency: RefCell::new(histogram.clone()),
            first_byte: RefCell::new(histogram),
        }))
    }

    /// Counts an answer to a request that was sent at this time.
    pub(super) fn count(&self, sent: Instant, answered: &Answered) {
        self.answers.set(self.answers.get() + 1);
        self.whole_answer_bytes.set(answered.bytes);
        if self.measuring.get() {
            self.latency.borrow_mut().saturating_record(nanoseconds(answered.end - sent));
            self.first_byte.borrow_mut().saturating_record(nanoseconds(answered.first_byte - sent));
        }
    }

    /// Counts an answer that was missing, late or wrong.
    pub(super) fn fail(&self, error: &Error) {
        self.errors.set(self.errors.get() + 1);
        self.first_error.borrow_mut().get_or_insert_with(|| format!("{error:#}"));
    }

    /// The first error.
    pub(super) fn first_error(&self) -> Option<String> {
        self.first_error.borrow().clone()
    }

    /// From the request to the end of the answer.
    pub(super) fn latency(&self) -> Quantiles {
        quantiles(&self.latency.borrow())
    }

    /// From the request to the first byte of the answer's body.
    pub(super) fn first_byte(&self) -> Quantiles {
        quantiles(&self.first_byte.borrow())
    }
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(LONGEST_NS)
}

fn quantiles(histogram: &Histogram<u64>) -> Quantiles {
    let microseconds = |quantile| histogram.value_at_quantile(quantile) as f64 / 1000.0;
    Quantiles { count: histogram.len(), p50_us: microseconds(0.5), p99_us: microseconds(0.99) }
}
