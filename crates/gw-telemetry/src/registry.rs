//! All counters of the process, and the page that shows them.

use std::collections::{BTreeMap, HashSet};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use gw_core::{Blame, Dimension, ErrorCode, Operation, Outcome};
use parking_lot::Mutex;

use crate::bank::{Bank, BankCells};
use crate::exposition::Page;
use crate::hedges;
use crate::names;
use crate::series::{OTHER_STATUS, SeriesKey, TOKEN_TYPES};
use crate::shadows;
use crate::totals::{ByCode, Totals};
use crate::walks::Fact;

/// The most series that are told apart; beyond, provider and model are [`OTHER`].
pub const SERIES_MAX: usize = 2_000;

/// A longer model name is not told apart.
pub const LABEL_BYTES_MAX: usize = 200;

/// The content type of the page.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The provider and model of requests that are too many to tell apart.
pub const OTHER: &str = "other";

/// The provider and model of requests that reached no provider.
pub const NONE: &str = "none";

/// What a breaker can be in.
pub const BREAKER_STATES: [&str; 3] = ["closed", "half_open", "open"];

/// All counters of the process.
#[derive(Debug)]
pub struct Registry {
    version: &'static str,
    banks: Mutex<BTreeMap<usize, Arc<BankCells>>>,
    /// What may be told apart, by any worker.
    admitted: Mutex<HashSet<SeriesKey>>,
    panics: AtomicU64,
    worker_restarts: AtomicU64,
    reloads_succeeded: AtomicU64,
    reloads_failed: AtomicU64,
    last_reload_succeeded: AtomicU64,
    generation: AtomicU64,
    catalog_refreshed: AtomicU64,
    catalog_failed: AtomicU64,
    providers: Mutex<Vec<(Arc<str>, &'static str)>>,
    canaries: Mutex<Vec<(Arc<str>, &'static str)>>,
}

/// What others count, as it stands when the page is made.
#[derive(Debug, Clone, Default)]
pub struct Sampled {
    /// The state of each provider's breaker, one of [`BREAKER_STATES`].
    pub breakers: Vec<(Arc<str>, &'static str)>,
    /// Bytes of bodies held.
    pub held_bytes: u64,
    /// Log lines that were lost.
    pub log_lines_dropped: u64,
}

/// How reading the configuration again went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reload {
    /// The new configuration runs.
    Succeeded {
        /// Its number.
        generation: u64,
    },
    /// The old configuration stays.
    Failed,
}

impl Registry {
    /// A registry of a program of this version, with nothing counted.
    pub fn new(version: &'static str) -> Arc<Self> {
        Arc::new(Self {
            version,
            banks: Mutex::default(),
            admitted: Mutex::default(),
            panics: AtomicU64::new(0),
            worker_restarts: AtomicU64::new(0),
            reloads_succeeded: AtomicU64::new(0),
            reloads_failed: AtomicU64::new(0),
            last_reload_succeeded: AtomicU64::new(1),
            generation: AtomicU64::new(1),
            catalog_refreshed: AtomicU64::new(0),
            catalog_failed: AtomicU64::new(0),
            providers: Mutex::default(),
            canaries: Mutex::default(),
        })
    }

    /// The bank of a worker, to be asked for on the worker's thread. A worker that is started again, under the same
    /// number, goes on counting where it had stopped; no two threads may use the same number at the same time.
    pub fn bank(self: &Arc<Self>, worker: usize) -> Rc<Bank> {
        let mut banks = self.banks.lock();
        let cells = banks.entry(worker).or_insert_with(|| Arc::new(BankCells::new()));
        Rc::new(Bank::new(Arc::clone(self), Arc::clone(cells)))
    }

    /// A panic was caught outside of the workers.
    pub fn panic_caught(&self) {
        self.panics.fetch_add(1, Ordering::Relaxed);
    }

    /// A worker died and was started again.
    pub fn worker_restarted(&self) {
        self.worker_restarts.fetch_add(1, Ordering::Relaxed);
    }

    /// The configuration was read again.
    pub fn config_reloaded(&self, reload: Reload) {
        match reload {
            Reload::Succeeded { generation } => {
                self.reloads_succeeded.fetch_add(1, Ordering::Relaxed);
                self.last_reload_succeeded.store(1, Ordering::Relaxed);
                self.generation.store(generation, Ordering::Relaxed);
            }
            Reload::Failed => {
                self.reloads_failed.fetch_add(1, Ordering::Relaxed);
                self.last_reload_succeeded.store(0, Ordering::Relaxed);
            }
        }
    }

    /// An address was asked for newer models and prices.
    pub fn catalog_refreshed(&self, succeeded: bool) {
        let count = if succeeded { &self.catalog_refreshed } else { &self.catalog_failed };
        count.fetch_add(1, Ordering::Relaxed);
    }

    /// How the providers stand that are asked for their health: the names of each and of its state.
    pub fn providers_checked(&self, providers: Vec<(Arc<str>, &'static str)>) {
        *self.providers.lock() = providers;
    }

    /// How the canaries stand: the names of each and of its stage.
    pub fn canaries(&self, canaries: Vec<(Arc<str>, &'static str)>) {
        *self.canaries.lock() = canaries;
    }

    /// The page for Prometheus, of the type [`CONTENT_TYPE`]. Workers go on counting while it is made.
    pub fn render(&self, sampled: &Sampled) -> String {
        let banks: Vec<_> = self.banks.lock().values().cloned().collect();
        let totals = Totals::of(&banks);
        let mut page = Page::default();
        show_requests(&mut page, &totals);
        show_errors(&mut page, &totals);
        show_tokens(&mut page, &totals);
        show_cost(&mut page, &totals);
        show_walks(&mut page, &totals);
        hedges::show(&mut page, banks.iter().map(|bank| &bank.hedges));
        show_rules(&mut page, &totals);
        show_breakers(&mut page, sampled);
        show_times(&mut page, &totals);
        show_connections(&mut page, &totals);
        self.show_process(&mut page, &totals, sampled, &banks);
        page.into_text()
    }

    /// What a request is counted under: the key itself, or "other" if there is no room for one more.
    pub(crate) fn admit(&self, key: SeriesKey) -> SeriesKey {
        if (&*key.provider, &*key.model) == (NONE, NONE) {
            return key;
        }
        let mut admitted = self.admitted.lock();
        if admitted.contains(&key) {
            return key;
        }
        if admitted.len() >= SERIES_MAX || key.model.len() > LABEL_BYTES_MAX {
            return SeriesKey { operation: key.operation, provider: Arc::from(OTHER), model: Arc::from(OTHER) };
        }
        admitted.insert(key.clone());
        key
    }

    fn show_process(&self, page: &mut Page, totals: &Totals, sampled: &Sampled, banks: &[Arc<BankCells>]) {
        let read = |number: &AtomicU64| number.load(Ordering::Relaxed);
        page.family(names::HELD_BYTES).sample(&[], sampled.held_bytes);
        page.family(names::PANICS).sample(&[], totals.panics + read(&self.panics));
        page.family(names::WORKER_RESTARTS).sample(&[], read(&self.worker_restarts));
        let mut reloads = page.family(names::CONFIG_RELOADS);
        reloads.sample(&["success"], read(&self.reloads_succeeded));
        reloads.sample(&["failure"], read(&self.reloads_failed));
        page.family(names::CONFIG_LAST_RELOAD_SUCCESS).sample(&[], read(&self.last_reload_succeeded));
        page.family(names::CONFIG_GENERATION).sample(&[], read(&self.generation));
        let mut refreshes = page.family(names::CATALOG_REFRESHES);
        refreshes.sample(&["success"], read(&self.catalog_refreshed));
        refreshes.sample(&["failure"], read(&self.catalog_failed));
        page.family(names::RECORDS_DROPPED).sample(&[], totals.records_dropped);
        page.family(names::LOG_LINES_DROPPED).sample(&[], sampled.log_lines_dropped);
        page.family(names::SERIES_OVERFLOW).sample(&[], totals.series_overflow);
        let mut health = page.family(names::PROVIDER_HEALTH);
        for (provider, state) in &*self.providers.lock() {
            health.sample(&[provider, state], 1);
        }
        let mut stages = page.family(names::CANARY);
        for (name, stage) in &*self.canaries.lock() {
            stages.sample(&[name, stage], 1);
        }
        shadows::show(page, banks.iter().map(|bank| &bank.shadows));
        page.family(names::BUILD_INFO).sample(&[self.version], 1);
    }
}

fn show_rules(page: &mut Page, totals: &Totals) {
    let mut family = page.family(names::RULES);
    for ((rule, action, effect), count) in &totals.rules {
        family.sample(&[rule, action, effect], *count);
    }
}

fn show_requests(page: &mut Page, totals: &Totals) {
    let mut family = page.family(names::REQUESTS);
    for (key, total) in &totals.series {
        for ((status, outcome), count) in &total.statuses {
            let status = if *status == OTHER_STATUS { OTHER.to_owned() } else { status.to_string() };
            family.sample(&[key.operation.name(), &key.provider, &key.model, &status, outcome], *count);
        }
    }
}

fn show_errors(page: &mut Page, totals: &Totals) {
    let mut by_provider = BTreeMap::<&str, ByCode>::new();
    for (key, total) in &totals.series {
        let sums = by_provider.entry(&key.provider).or_default();
        sums.0.iter_mut().zip(total.errors.0).for_each(|(sum, count)| *sum += count);
    }
    let mut family = page.family(names::ERRORS);
    for (provider, counts) in by_provider {
        for (code, count) in ErrorCode::ALL.iter().zip(counts.0).filter(|(_, count)| *count > 0) {
            family.sample(&[code.name(), blame_name(code.blame()), provider], count);
        }
    }
}

fn show_tokens(page: &mut Page, totals: &Totals) {
    let mut by_model = BTreeMap::<(&str, &str), [u64; TOKEN_TYPES.len()]>::new();
    for (key, total) in &totals.series {
        let sums = by_model.entry((&key.provider, &key.model)).or_default();
        sums.iter_mut().zip(total.tokens).for_each(|(sum, count)| *sum += count);
    }
    let mut family = page.family(names::TOKENS);
    for ((provider, model), counts) in by_model {
        for (kind, count) in TOKEN_TYPES.iter().zip(counts).filter(|(_, count)| *count > 0) {
            family.sample(&[provider, model, kind], count);
        }
    }
}

fn show_cost(page: &mut Page, totals: &Totals) {
    #[derive(Default)]
    struct Sums {
        cost: [u64; Dimension::ALL.len()],
        undivided: u64,
        unpriced: u64,
        contradicted: u64,
    }
    let mut by_model = BTreeMap::<(&str, &str), Sums>::new();
    for (key, total) in &totals.series {
        let sums = by_model.entry((&key.provider, &key.model)).or_default();
        sums.cost.iter_mut().zip(total.cost).for_each(|(sum, amount)| *sum += amount);
        sums.undivided += total.undivided;
        sums.unpriced += total.unpriced;
        sums.contradicted += total.contradicted;
    }
    let mut family = page.family(names::COST);
    for ((provider, model), sums) in &by_model {
        let divided = Dimension::ALL.iter().map(|dimension| dimension.name()).zip(sums.cost);
        for (kind, amount) in divided.chain([("undivided", sums.undivided)]).filter(|(_, amount)| *amount > 0) {
            family.sample(&[provider, model, kind], amount);
        }
    }
    let mut family = page.family(names::UNPRICED);
    for ((provider, model), sums) in by_model.iter().filter(|(_, sums)| sums.unpriced > 0) {
        family.sample(&[provider, model], sums.unpriced);
    }
    let mut family = page.family(names::CONTRADICTED);
    for ((provider, model), sums) in by_model.iter().filter(|(_, sums)| sums.contradicted > 0) {
        family.sample(&[provider, model], sums.contradicted);
    }
}

fn show_walks(page: &mut Page, totals: &Totals) {
    let mut ended = BTreeMap::<(&str, &str), u64>::new();
    for (key, total) in totals.series.iter().filter(|(key, _)| &*key.provider != NONE) {
        // What failed is among the walks, with every attempt.
        for ((_, outcome), count) in &total.statuses {
            if [Outcome::Completed, Outcome::Cancelled].iter().any(|shown| shown.name() == *outcome) {
                *ended.entry((&key.provider, outcome)).or_default() += count;
            }
        }
    }
    for (fact, count) in &totals.walks {
        if let Fact::Ended(provider, outcome) = fact {
            *ended.entry((provider, outcome)).or_default() += count;
        }
    }
    let mut attempts = page.family(names::ATTEMPTS);
    ended.into_iter().for_each(|((provider, outcome), count)| attempts.sample(&[provider, outcome], count));
    let mut retries = page.family(names::RETRIES);
    for (fact, count) in &totals.walks {
        if let Fact::Retried(provider, reason) = fact {
            retries.sample(&[provider, reason], *count);
        }
    }
    let mut failovers = page.family(names::FAILOVERS);
    for (fact, count) in &totals.walks {
        if let Fact::Failover(provider, fallback, reason) = fact {
            failovers.sample(&[provider, fallback, reason], *count);
        }
    }
    let mut resumed = page.family(names::RESUMED);
    for (fact, count) in &totals.walks {
        if let Fact::Resumed(provider) = fact {
            resumed.sample(&[provider], *count);
        }
    }
}

fn show_breakers(page: &mut Page, sampled: &Sampled) {
    let mut family = page.family(names::BREAKER_STATE);
    for (provider, in_force) in &sampled.breakers {
        BREAKER_STATES.iter().for_each(|state| family.sample(&[provider, state], u64::from(state == in_force)));
    }
}

fn show_times(page: &mut Page, totals: &Totals) {
    let mut duration = page.family(names::DURATION);
    for (key, total) in &totals.series {
        duration.histogram(&[key.operation.name(), &key.provider, &key.model], &total.duration);
    }
    let mut first_token = page.family(names::FIRST_TOKEN);
    for (key, total) in &totals.series {
        if key.operation.streams() && &*key.provider != NONE {
            first_token.histogram(&[key.operation.name(), &key.provider, &key.model], &total.first_token);
        }
    }
    let mut overhead = page.family(names::OVERHEAD);
    for (operation, total) in Operation::ALL.iter().zip(&totals.overhead) {
        overhead.histogram(&[operation.name()], total);
    }
}

fn show_connections(page: &mut Page, totals: &Totals) {
    page.family(names::IN_FLIGHT).sample(&[], totals.requests_in_flight);
    page.family(names::OPEN_STREAMS).sample(&[], totals.open_streams);
    page.family(names::CLIENT_CONNECTIONS).sample(&[], totals.connections);
    page.family(names::CLIENT_CONNECTIONS_REFUSED).sample(&[], totals.connections_refused);
    let mut connections = page.family(names::UPSTREAM_CONNECTIONS);
    for (provider, total) in &totals.upstreams {
        connections.sample(&[provider, "active"], total.busy);
        connections.sample(&[provider, "idle"], total.open.saturating_sub(total.busy));
    }
    let mut opened = page.family(names::UPSTREAM_CONNECTIONS_OPENED);
    for (provider, total) in &totals.upstreams {
        opened.sample(&[provider], total.opened);
    }
}

pub(crate) const fn blame_name(blame: Blame) -> &'static str {
    match blame {
        Blame::Client => "client",
        Blame::Gateway => "gateway",
        Blame::Provider => "provider",
    }
}

#[cfg(test)]
mod tests;
