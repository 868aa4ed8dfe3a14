//! What is counted for one operation, provider and model.

use std::cell::RefCell;
use std::sync::Arc;

use gw_core::{Cost, Dimension, ErrorCode, Operation, Outcome, RequestRecord, Usage};
use parking_lot::Mutex;

use crate::counter::{Counter, Histogram};
use crate::names::{DURATION, FIRST_TOKEN, Kind};

/// Pairs of status and outcome that a series tells apart; the status of any more is [`OTHER_STATUS`].
const STATUSES_MAX: usize = 32;

/// Stands for the statuses that are too many to tell apart.
pub(crate) const OTHER_STATUS: u16 = 0;

/// The kinds of tokens, in the order in which they are counted.
pub(crate) const TOKEN_TYPES: [&str; 7] =
    ["input", "output", "cached_input", "cache_write", "reasoning", "audio_input", "audio_output"];

/// What a request is counted under.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SeriesKey {
    /// What was asked for.
    pub operation: Operation,
    /// The configured provider's name.
    pub provider: Arc<str>,
    /// The model as the provider was asked for it.
    pub model: Arc<str>,
}

/// A worker's hold on a series. It stays on its worker, which is the only one to write.
#[derive(Debug)]
pub struct Series {
    cells: Arc<SeriesCells>,
    /// The same as in the cells, without the lock.
    statuses: RefCell<Vec<Arc<StatusCell>>>,
}

/// The numbers of a series, of one worker.
#[derive(Debug)]
pub(crate) struct SeriesCells {
    /// Locked when a status is seen for the first time, and when somebody looks.
    pub(crate) statuses: Mutex<Vec<Arc<StatusCell>>>,
    /// By the place in [`ErrorCode::ALL`].
    pub(crate) errors: [Counter; ErrorCode::ALL.len()],
    /// By the place in [`TOKEN_TYPES`].
    pub(crate) tokens: [Counter; TOKEN_TYPES.len()],
    /// In nanodollars, by the place in [`Dimension::ALL`].
    pub(crate) cost: [Counter; Dimension::ALL.len()],
    /// Of costs that are told as a whole.
    pub(crate) undivided: Counter,
    pub(crate) unpriced: Counter,
    /// Requests of which the provider says that they cost something else.
    pub(crate) contradicted: Counter,
    pub(crate) duration: Histogram,
    pub(crate) first_token: Histogram,
}

#[derive(Debug)]
pub(crate) struct StatusCell {
    pub(crate) status: u16,
    pub(crate) outcome: Outcome,
    pub(crate) count: Counter,
}

impl Series {
    pub(crate) fn new(cells: Arc<SeriesCells>) -> Self {
        let statuses = RefCell::new(cells.statuses.lock().clone());
        Self { cells, statuses }
    }

    pub(crate) fn finished(&self, record: &RequestRecord) {
        self.count_status(record.status, record.outcome);
        if let Some(code) = record.error
            && let Some(count) = self.cells.errors.get(code as usize)
        {
            count.add(1);
        }
        self.spent(record.usage.as_ref(), record.cost.as_ref());
        self.cells.duration.observe(record.timings.total_us);
        if let (true, Some(first_byte_us)) = (record.stream, record.timings.first_byte_us) {
            self.cells.first_token.observe(first_byte_us);
        }
    }

    /// Something was used, whether a client was answered with it or not.
    pub(crate) fn spent(&self, usage: Option<&Usage>, cost: Option<&Cost>) {
        if let Some(usage) = usage {
            for (count, tokens) in self.cells.tokens.iter().zip(token_counts(usage)) {
                count.add(tokens);
            }
        }
        match cost {
            Some(cost) if cost.unpriced().is_empty() => {
                for (dimension, amount) in cost.components() {
                    self.cells.cost[dimension as usize].add(u64::try_from(amount.0).unwrap_or(0));
                }
                self.cells.undivided.add(u64::try_from(cost.undivided().0).unwrap_or(0));
                self.cells.contradicted.add(u64::from(cost.is_contradicted()));
            }
            Some(_) => self.cells.unpriced.add(1),
            None => {}
        }
    }

    fn count_status(&self, status: u16, outcome: Outcome) {
        let mut known = self.statuses.borrow_mut();
        if let Some(cell) = find(&known, status, outcome) {
            cell.count.add(1);
            return;
        }
        let status = if known.len() < STATUSES_MAX { status } else { OTHER_STATUS };
        if let Some(cell) = find(&known, status, outcome) {
            cell.count.add(1);
            return;
        }
        let cell = Arc::new(StatusCell { status, outcome, count: Counter::default() });
        cell.count.add(1);
        self.cells.statuses.lock().push(Arc::clone(&cell));
        known.push(cell);
    }
}

impl SeriesCells {
    pub(crate) fn new() -> Self {
        Self {
            statuses: Mutex::default(),
            errors: std::array::from_fn(|_| Counter::default()),
            tokens: std::array::from_fn(|_| Counter::default()),
            cost: std::array::from_fn(|_| Counter::default()),
            undivided: Counter::default(),
            unpriced: Counter::default(),
            contradicted: Counter::default(),
            duration: Histogram::new(bounds_us(DURATION.kind)),
            first_token: Histogram::new(bounds_us(FIRST_TOKEN.kind)),
        }
    }
}

/// The bounds of a histogram; any other metric has none.
pub(crate) const fn bounds_us(kind: Kind) -> &'static [u64] {
    match kind {
        Kind::Histogram(bounds_us) => bounds_us,
        Kind::Counter | Kind::Gauge => &[],
    }
}

fn find(statuses: &[Arc<StatusCell>], status: u16, outcome: Outcome) -> Option<&StatusCell> {
    statuses.iter().map(AsRef::as_ref).find(|cell| cell.status == status && cell.outcome == outcome)
}

/// In the order of [`TOKEN_TYPES`].
fn token_counts(usage: &Usage) -> [u64; TOKEN_TYPES.len()] {
    let Usage {
        input_tokens,
        output_tokens,
        cached_input_tokens,
        cache_write_tokens,
        reasoning_tokens,
        audio_input_tokens,
        audio_output_tokens,
        ..
    } = *usage;
    [
        input_tokens,
        output_tokens,
        cached_input_tokens,
        cache_write_tokens,
        reasoning_tokens,
        audio_input_tokens,
        audio_output_tokens,
    ]
}
