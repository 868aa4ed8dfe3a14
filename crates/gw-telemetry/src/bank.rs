//! What a worker counts: one function for each fact.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;
use std::sync::Arc;

use gw_core::shadow::Comparison;
use gw_core::{Operation, RequestRecord};
use parking_lot::Mutex;

use crate::counter::{Counter, Histogram, Level};
use crate::hedges::{Hedged, Hedges};
use crate::names::OVERHEAD;
use crate::registry::{NONE, OTHER, Registry};
pub use crate::series::{Series, SeriesKey};
use crate::series::{SeriesCells, bounds_us};
use crate::shadows::{Missed, Shadows};
use crate::walks::Walks;

/// Providers whose connections a worker tells apart; any more are counted under "other".
const UPSTREAMS_MAX: usize = 500;
/// Rules that a worker tells apart; any more are counted under "other".
const RULES_MAX: usize = 500;

/// A worker's counters, got from [`Registry::bank`] on the worker's own thread, where it stays. A fact costs a few
/// additions to memory that no other thread writes.
#[derive(Debug)]
pub struct Bank {
    registry: Arc<Registry>,
    cells: Arc<BankCells>,
    /// Bounded by the registry, which has to admit what is in it.
    series: RefCell<HashMap<SeriesKey, Rc<Series>>>,
    upstreams: RefCell<HashMap<Arc<str>, Arc<Upstream>>>,
    none: Arc<str>,
}

/// The numbers of a worker. The locks are taken when something is seen for the first time, and when somebody looks.
#[derive(Debug)]
pub(crate) struct BankCells {
    pub(crate) connections: Level,
    pub(crate) connections_refused: Counter,
    pub(crate) requests: Level,
    pub(crate) streams: Level,
    pub(crate) panics: Counter,
    pub(crate) records_dropped: Counter,
    pub(crate) series_overflow: Counter,
    /// By the place in [`Operation::ALL`].
    pub(crate) overhead: [Histogram; Operation::ALL.len()],
    pub(crate) series: Mutex<HashMap<SeriesKey, Arc<SeriesCells>>>,
    pub(crate) upstreams: Mutex<BTreeMap<Arc<str>, Arc<Upstream>>>,
    pub(crate) walks: Walks,
    pub(crate) rules: Mutex<BTreeMap<RuleKey, u64>>,
    pub(crate) shadows: Shadows,
    pub(crate) hedges: Hedges,
}

/// A rule, what it does, and whether that was done.
pub(crate) type RuleKey = (Arc<str>, &'static str, &'static str);

/// Connections to a provider.
#[derive(Debug, Default)]
pub(crate) struct Upstream {
    pub(crate) open: Level,
    pub(crate) busy: Level,
}

impl Bank {
    /// The counters of an operation, provider and model. Keep them if the same will be asked for again. Beyond the
    /// bound of the registry they are shared, under the name "other".
    pub fn series(&self, key: SeriesKey) -> Rc<Series> {
        if let Some(series) = self.series.borrow().get(&key) {
            return Rc::clone(series);
        }
        let asked = key.clone();
        let key = self.registry.admit(key);
        if asked != key {
            self.cells.series_overflow.add(1);
        }
        Rc::clone(self.series.borrow_mut().entry(key).or_insert_with_key(|key| self.cells.add_series(key)))
    }

    /// A request's head has been read. For each there must be a [`Bank::request_finished`].
    pub fn request_started(&self) {
        self.cells.requests.raise();
    }

    /// A request is over. Without a series it is counted as one that reached no provider.
    pub fn request_finished(&self, record: &RequestRecord, series: Option<&Series>) {
        self.cells.requests.lower();
        self.cells.walks.count(record);
        match series {
            Some(series) => series.finished(record),
            None => self.series(self.no_provider(record.operation)).finished(record),
        }
        for unused in &record.unused {
            let (provider, model) = (Arc::clone(&unused.provider), Arc::clone(&unused.model));
            let series = self.series(SeriesKey { operation: record.operation, provider, model });
            series.spent(unused.usage.as_ref(), unused.cost.as_ref());
        }
        if let (1.., Some(overhead)) = (record.attempts, self.cells.overhead.get(record.operation as usize)) {
            overhead.observe(record.timings.overhead_us);
        }
    }

    /// A shadow of a request is over: what it used is paid for, and it was nobody's request.
    pub fn shadow_finished(&self, record: &RequestRecord, series: Option<&Series>) {
        if let Some(series) = series {
            series.spent(record.usage.as_ref(), record.cost.as_ref());
        }
    }

    /// A shadow's answer was compared with the usual one.
    pub fn shadow_compared(&self, canary: &Arc<str>, provider: &Arc<str>, comparison: &Comparison) {
        self.cells.shadows.compared(canary, provider, comparison);
    }

    /// A shadow was not sent, or came to no end.
    pub fn shadow_missed(&self, canary: &Arc<str>, provider: &Arc<str>, missed: Missed) {
        self.cells.shadows.missed(canary, provider, missed);
    }

    /// An attempt at `provider` was slow while another could be made beside it.
    pub fn hedged(&self, provider: &Arc<str>, hedged: Hedged) {
        self.cells.hedges.count(provider, hedged);
    }

    /// The first part of a streamed answer goes to the client. For each there must be a [`Bank::stream_closed`].
    pub fn stream_opened(&self) {
        self.cells.streams.raise();
    }

    /// A streamed answer is over, however it ended.
    pub fn stream_closed(&self) {
        self.cells.streams.lower();
    }

    /// A client's connection was accepted.
    pub fn connection_opened(&self) {
        self.cells.connections.raise();
    }

    /// A client's connection ended.
    pub fn connection_closed(&self) {
        self.cells.connections.lower();
    }

    /// A client was turned away because there are too many connections.
    pub fn connection_refused(&self) {
        self.cells.connections_refused.add(1);
    }

    /// A connection to `provider` was made.
    pub fn upstream_opened(&self, provider: &str) {
        self.with_upstream(provider, |upstream| upstream.open.raise());
    }

    /// A connection to `provider` ended; if it was busy, it has been told idle before.
    pub fn upstream_closed(&self, provider: &str) {
        self.with_upstream(provider, |upstream| upstream.open.lower());
    }

    /// A connection to `provider` carries a request, and did not before.
    pub fn upstream_busy(&self, provider: &str) {
        self.with_upstream(provider, |upstream| upstream.busy.raise());
    }

    /// A connection to `provider` carries no request any more.
    pub fn upstream_idle(&self, provider: &str) {
        self.with_upstream(provider, |upstream| upstream.busy.lower());
    }

    /// A rule has refused a request, or shown what it would do with it.
    pub fn rule_held(&self, rule: &str, action: &'static str, effect: &'static str) {
        let mut rules = self.cells.rules.lock();
        let is_known = rules.contains_key(&(Arc::from(rule), action, effect));
        let name = if is_known || rules.len() < RULES_MAX { rule } else { OTHER };
        *rules.entry((Arc::from(name), action, effect)).or_default() += 1;
    }

    /// A panic was caught.
    pub fn panic_caught(&self) {
        self.cells.panics.add(1);
    }

    /// A finished request will be missing from the request log.
    pub fn record_dropped(&self) {
        self.cells.records_dropped.add(1);
    }

    pub(crate) fn new(registry: Arc<Registry>, cells: Arc<BankCells>) -> Self {
        Self { registry, cells, series: RefCell::default(), upstreams: RefCell::default(), none: Arc::from(NONE) }
    }

    fn no_provider(&self, operation: Operation) -> SeriesKey {
        SeriesKey { operation, provider: Arc::clone(&self.none), model: Arc::clone(&self.none) }
    }

    fn with_upstream(&self, provider: &str, count: impl FnOnce(&Upstream)) {
        let mut known = self.upstreams.borrow_mut();
        if let Some(upstream) = known.get(provider) {
            return count(upstream);
        }
        let name: Arc<str> = Arc::from(if known.len() < UPSTREAMS_MAX { provider } else { OTHER });
        let upstream = Arc::clone(self.cells.upstreams.lock().entry(Arc::clone(&name)).or_default());
        count(&upstream);
        known.insert(name, upstream);
    }
}

impl BankCells {
    pub(crate) fn new() -> Self {
        Self {
            connections: Level::default(),
            connections_refused: Counter::default(),
            requests: Level::default(),
            streams: Level::default(),
            panics: Counter::default(),
            records_dropped: Counter::default(),
            series_overflow: Counter::default(),
            overhead: std::array::from_fn(|_| Histogram::new(bounds_us(OVERHEAD.kind))),
            series: Mutex::default(),
            upstreams: Mutex::default(),
            walks: Walks::default(),
            rules: Mutex::default(),
            shadows: Shadows::default(),
            hedges: Hedges::default(),
        }
    }

    /// A worker that was started again goes on with the numbers of the one before it.
    fn add_series(&self, key: &SeriesKey) -> Rc<Series> {
        let mut series = self.series.lock();
        let cells = series.entry(key.clone()).or_insert_with(|| Arc::new(SeriesCells::new()));
        Rc::new(Series::new(Arc::clone(cells)))
    }
}
