//! Asks providers for their health, beside the requests, as often as the configuration in force says.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use gw_engine::Published;
use gw_engine::checks::{Check, Checked, Checks, State};
use gw_http::Pools;
use gw_http::observer::Deaf;
use gw_runtime::Clock;
use gw_runtime::tasks::{Stop, spawn_local};
use gw_server::Health;
use gw_telemetry::Registry;
use tokio::task::LocalSet;
use tokio::time::{Instant, MissedTickBehavior, interval};

/// How often it is looked who is due, and whether the configuration says something else.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// What checks work with and report to.
pub(crate) struct Checkup {
    pub(crate) published: Arc<Published>,
    pub(crate) health: Arc<Health>,
    pub(crate) registry: Arc<Registry>,
    /// From when on time is counted for how providers stand.
    pub(crate) epoch: Instant,
}

/// Asks until the process ends. Connections are made for one thread, so that this gets one.
pub(crate) async fn run(checkup: Checkup, mut stop: Stop) {
    let asking = move || {
        let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
            Ok(runtime) => runtime,
            Err(error) => {
                tracing::error!(%error, "health checks cannot be made");
                return;
            }
        };
        LocalSet::new().block_on(&runtime, async {
            tokio::select! {
                () = stop.wanted() => {}
                () = Rounds::new(checkup).go() => {}
            }
        });
    };
    if tokio::task::spawn_blocking(asking).await.is_err() {
        tracing::error!("health checks broke, and are no longer made");
    }
}

struct Rounds {
    checkup: Rc<Checkup>,
    pools: Rc<Pools>,
    /// When each provider is asked next, and how often it was; by name.
    due: Rc<RefCell<HashMap<Arc<str>, Due>>>,
}

#[derive(Clone, Copy)]
struct Due {
    at: Instant,
    rounds: u64,
    is_asked: bool,
}

impl Rounds {
    fn new(checkup: Checkup) -> Self {
        Self { checkup: Rc::new(checkup), pools: Rc::new(Pools::new(Rc::new(Deaf))), due: Rc::default() }
    }

    async fn go(self) {
        let mut timer = interval(LOOK_EVERY);
        timer.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            timer.tick().await;
            let snapshot = self.checkup.published.current();
            let checks: Vec<_> = snapshot.all().filter_map(|one| one.checks.as_ref()).collect();
            let list: Vec<_> = checks.iter().flat_map(|checks| &checks.list).map(Arc::clone).collect();
            let is_configured = |name: &Arc<str>| list.iter().any(|check| check.provider.name == *name);
            self.due.borrow_mut().retain(|name, _| is_configured(name));
            for checks in checks {
                checks.list.iter().for_each(|check| self.ask_if_due(check, checks));
            }
            self.checkup.report(&list);
            self.pools.sweep();
        }
    }

    /// Asks a provider in a task of its own, if it is its turn and it is not being asked.
    fn ask_if_due(&self, check: &Arc<Check>, checks: &Arc<Checks>) {
        let now = Instant::now();
        let mut due = self.due.borrow_mut();
        let name = Arc::clone(&check.provider.name);
        let entry = due.entry(Arc::clone(&name)).or_insert(Due { at: now, rounds: 0, is_asked: false });
        if entry.is_asked || entry.at > now {
            return;
        }
        *entry = Due { at: now + checks.pause(&name, entry.rounds), rounds: entry.rounds + 1, is_asked: true };
        let (check, timeout, pools) = (Arc::clone(check), checks.timeout, Rc::clone(&self.pools));
        let (checkup, due) = (Rc::clone(&self.checkup), Rc::clone(&self.due));
        spawn_local("health check", async move {
            let checked = check.ask(timeout, &pools, Clock::system()).await;
            checkup.learn(&check, checked);
            if let Some(entry) = due.borrow_mut().get_mut(&name) {
                entry.is_asked = false;
            }
        });
    }
}

impl Checkup {
    fn learn(&self, check: &Check, checked: Checked) {
        let provider = &check.provider;
        let before = provider.standing.last_check().map(|last| last.state);
        provider.standing.checked(&provider.standing_rules, checked, self.epoch.elapsed());
        if before == Some(checked.state) || (before.is_none() && checked.state == State::Up) {
            return;
        }
        let (name, state, status) = (&*provider.name, checked.state.name(), checked.status);
        match checked.state {
            State::Up => tracing::info!(provider = name, status, "the health check finds the provider well"),
            State::AuthFailed => {
                tracing::warn!(provider = name, status, "the provider refuses our credential at the health check");
            }
            State::RateLimited | State::Down => {
                tracing::warn!(provider = name, state, status, "the health check finds the provider unwell");
            }
        }
    }

    /// Shows how those stand that are checked now.
    fn report(&self, list: &[Arc<Check>]) {
        let states = list.iter().filter_map(|check| {
            let provider = &check.provider;
            Some((Arc::clone(&provider.name), provider.standing.last_check()?.state.name()))
        });
        let states: Vec<_> = states.collect();
        self.registry.providers_checked(states.clone());
        self.health.checked(states);
    }
}
