//! What all workers have counted, added up.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use gw_core::{Dimension, ErrorCode, Operation, Outcome};

use crate::bank::{BankCells, RuleKey};
use crate::counter::HistogramTotal;
use crate::series::{SeriesCells, SeriesKey, TOKEN_TYPES};
use crate::walks::Fact;

/// The sums over all workers.
#[derive(Debug, Default)]
pub(crate) struct Totals {
    pub(crate) connections: u64,
    pub(crate) connections_refused: u64,
    pub(crate) requests_in_flight: u64,
    pub(crate) open_streams: u64,
    pub(crate) panics: u64,
    pub(crate) records_dropped: u64,
    pub(crate) series_overflow: u64,
    pub(crate) overhead: [HistogramTotal; Operation::ALL.len()],
    pub(crate) upstreams: BTreeMap<Arc<str>, UpstreamTotal>,
    pub(crate) walks: BTreeMap<Fact, u64>,
    pub(crate) rules: BTreeMap<RuleKey, u64>,
    /// Sorted by the names of the labels.
    pub(crate) series: Vec<(SeriesKey, SeriesTotal)>,
}

#[derive(Debug, Default)]
pub(crate) struct UpstreamTotal {
    pub(crate) opened: u64,
    pub(crate) open: u64,
    pub(crate) busy: u64,
}

/// Counts by the place in [`ErrorCode::ALL`].
#[derive(Debug, Clone, Copy)]
pub(crate) struct ByCode(pub(crate) [u64; ErrorCode::ALL.len()]);

impl Default for ByCode {
    fn default() -> Self {
        Self([0; ErrorCode::ALL.len()])
    }
}

#[derive(Debug, Default)]
pub(crate) struct SeriesTotal {
    pub(crate) statuses: BTreeMap<(u16, &'static str), u64>,
    pub(crate) errors: ByCode,
    /// By the place in [`TOKEN_TYPES`].
    pub(crate) tokens: [u64; TOKEN_TYPES.len()],
    /// In nanodollars, by the place in [`Dimension::ALL`].
    pub(crate) cost: [u64; Dimension::ALL.len()],
    pub(crate) undivided: u64,
    pub(crate) unpriced: u64,
    pub(crate) contradicted: u64,
    pub(crate) duration: HistogramTotal,
    pub(crate) first_token: HistogramTotal,
}

impl Totals {
    pub(crate) fn of(banks: &[Arc<BankCells>]) -> Self {
        let (mut totals, mut by_key) = (Self::default(), HashMap::<SeriesKey, SeriesTotal>::new());
        for bank in banks {
            totals.add(bank);
            // The worker waits for this lock only if it sees something for the first time.
            let series: Vec<_> =
                bank.series.lock().iter().map(|(key, cells)| (key.clone(), Arc::clone(cells))).collect();
            for (key, cells) in series {
                by_key.entry(key).or_default().add(&cells);
            }
        }
        totals.series = by_key.into_iter().collect();
        totals.series.sort_by(|(one, _), (other, _)| labels(one).cmp(&labels(other)));
        totals
    }

    fn add(&mut self, bank: &BankCells) {
        self.connections += bank.connections.get();
        self.connections_refused += bank.connections_refused.get();
        self.requests_in_flight += bank.requests.get();
        self.open_streams += bank.streams.get();
        self.panics += bank.panics.get();
        self.records_dropped += bank.records_dropped.get();
        self.series_overflow += bank.series_overflow.get();
        for (total, overhead) in self.overhead.iter_mut().zip(&bank.overhead) {
            total.add(overhead);
        }
        bank.walks.add_to(&mut self.walks);
        for (key, count) in bank.rules.lock().iter() {
            *self.rules.entry(key.clone()).or_default() += count;
        }
        for (provider, upstream) in bank.upstreams.lock().iter() {
            let total = self.upstreams.entry(Arc::clone(provider)).or_default();
            total.opened += upstream.open.raised();
            total.open += upstream.open.get();
            total.busy += upstream.busy.get();
        }
    }
}

impl SeriesTotal {
    fn add(&mut self, cells: &SeriesCells) {
        for cell in cells.statuses.lock().iter() {
            *self.statuses.entry((cell.status, Outcome::name(cell.outcome))).or_default() += cell.count.get();
        }
        for (total, count) in self.errors.0.iter_mut().zip(&cells.errors) {
            *total += count.get();
        }
        for (total, count) in self.tokens.iter_mut().zip(&cells.tokens) {
            *total += count.get();
        }
        for (total, count) in self.cost.iter_mut().zip(&cells.cost) {
            *total += count.get();
        }
        self.undivided += cells.undivided.get();
        self.unpriced += cells.unpriced.get();
        self.contradicted += cells.contradicted.get();
        self.duration.add(&cells.duration);
        self.first_token.add(&cells.first_token);
    }
}

fn labels(key: &SeriesKey) -> (&str, &str, &str) {
    (key.operation.name(), &key.provider, &key.model)
}
