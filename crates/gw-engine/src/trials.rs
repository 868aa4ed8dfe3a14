//! Canaries: a new provider or model that gets a share of the requests, what its calls show, and what becomes of it.
//!
//! Workers ask whether a request is the canary's. What came of the calls is learnt from the finished requests of all
//! workers, on the control plane. A trial outlives every snapshot that says the same of it.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Weak};
use std::time::Duration;

use gw_core::error::Blame;
use gw_core::shadow::Comparison;
use gw_core::{Cost, ErrorCode, Nanodollars, Operation, Outcome, RequestRecord};
use gw_policy::canary::{Rollout, Seen, Stage};
use gw_policy::measure::{Samples, Tracking};
use gw_telemetry::Missed;
use parking_lot::Mutex;
use tokio::sync::watch;

use crate::shadow::{Room, Summary};
use crate::snapshot::Provider;

/// Calls that are judged: the newest, so that one that was well for days is seen to fail within minutes.
const JUDGED: usize = 1_000;
/// Never more than this are kept, however many the configuration wants to see.
const JUDGED_MAX: usize = 100_000;

/// A canary of a snapshot.
pub struct Canary {
    /// The new provider.
    pub provider: Arc<Provider>,
    /// How it goes.
    pub trial: Arc<Trial>,
}

/// What a trial is of: one that says anything else is another trial.
#[derive(Debug, Clone, PartialEq)]
pub struct Subject {
    /// Its name.
    pub name: Arc<str>,
    /// The environment whose requests it gets.
    pub environment: Option<Arc<str>>,
    /// The new provider's name.
    pub provider: Arc<str>,
    /// The model there; the one that was asked for if `None`.
    pub model: Option<Arc<str>>,
    /// How much, how long, and how it is judged.
    pub rollout: Rollout,
    /// Whether it gets copies of the requests, and nobody its answers.
    pub shadow: bool,
}

/// How a canary goes.
pub struct Trial {
    /// What is tried.
    pub subject: Subject,
    state: Mutex<State>,
    /// Whether it has been rolled back: what is on its way as a shadow is given up.
    rolled_back: watch::Sender<bool>,
}

struct State {
    stage: Stage,
    /// When its first call ended.
    began: Option<Duration>,
    /// Calls so far.
    calls: u32,
    /// Whether each of the newest failed.
    newest: VecDeque<bool>,
    latency_s: Samples,
    cost: Costs,
    cost_of_others: Costs,
    /// What came of comparing, if it is a shadow.
    compared: Summary,
}

/// How a canary stands, for people.
#[derive(Debug, Clone)]
pub struct Shown {
    /// Where it stands.
    pub stage: Stage,
    /// How long ago its first call ended; `None` before that.
    pub age: Option<Duration>,
    /// What is judged.
    pub seen: Seen,
    /// What came of comparing, if it is a shadow.
    pub compared: Summary,
}

/// What calls cost whose cost is known, in nanodollars.
#[derive(Debug, Clone, Copy, Default)]
struct Costs {
    calls: u32,
    sum: i64,
}

impl Costs {
    fn add(&mut self, total: Option<Nanodollars>) {
        if let Some(total) = total {
            *self = Self { calls: self.calls.saturating_add(1), sum: self.sum.saturating_add(total.0) };
        }
    }

    fn mean(self) -> Option<f64> {
        (self.calls > 0).then(|| self.sum as f64 / f64::from(self.calls))
    }
}

impl Trial {
    fn new(subject: Subject) -> Self {
        let state = State {
            stage: Stage::Watched,
            began: None,
            calls: 0,
            newest: VecDeque::new(),
            latency_s: Samples::default(),
            cost: Costs::default(),
            cost_of_others: Costs::default(),
            compared: Summary::default(),
        };
        Self { subject, state: Mutex::new(state), rolled_back: watch::Sender::new(false) }
    }

    /// Where it stands.
    pub fn stage(&self) -> Stage {
        self.state.lock().stage
    }

    /// Whether the requests of a caller are its.
    pub fn takes(&self, caller: &str) -> bool {
        self.subject.rollout.takes(self.stage(), &self.subject.name, caller)
    }

    /// Whether a shadow gets copies of a caller's requests: only as long as it is watched.
    pub(crate) fn shadows(&self, caller: &str, now: Duration) -> bool {
        let (stage, began) = {
            let state = self.state.lock();
            (state.stage, state.began)
        };
        let rollout = &self.subject.rollout;
        let is_over = began.is_some_and(|began| now.saturating_sub(began) >= rollout.duration);
        stage == Stage::Watched && !is_over && rollout.takes(stage, &self.subject.name, caller)
    }

    /// Waits until it is rolled back.
    pub(crate) async fn is_rolled_back(&self) {
        // The sender is in `self`, so that it cannot be gone.
        let _ = self.rolled_back.subscribe().wait_for(|rolled_back| *rolled_back).await;
    }

    /// A shadow's answer was compared with the usual one.
    pub(crate) fn compared(&self, comparison: &Comparison) {
        let mut state = self.state.lock();
        state.compared.add(comparison);
        // What the same requests cost there and here.
        if let (Some(usual), Some(own)) = (comparison.usual.cost, comparison.shadow.cost) {
            state.cost_of_others.add(Some(usual));
            state.cost.add(Some(own));
        }
    }

    /// A shadow was not sent, or given up.
    pub(crate) fn missed(&self, missed: Missed) {
        self.state.lock().compared.miss(missed);
    }

    /// How it stands, for people.
    pub fn shown(&self, now: Duration) -> Shown {
        let state = self.state.lock();
        Shown {
            stage: state.stage,
            age: state.began.map(|began| now.saturating_sub(began)),
            seen: self.seen(&state, now),
            compared: state.compared.clone(),
        }
    }

    /// Learns from finished requests; the stage that it has come to, if that is another one.
    fn learn(&self, records: &[RequestRecord], now: Duration) -> Option<Stage> {
        let mut state = self.state.lock();
        let is_here = |record: &&RequestRecord| {
            record.operation == Operation::Chat && record.environment == self.subject.environment
        };
        for record in records.iter().filter(is_here) {
            match (&record.shadow, self.subject.shadow) {
                (None, false) => self.note(&mut state, record, now),
                (Some(rollout), true) if *rollout == self.subject.name => self.note_ended(&mut state, record, now),
                (Some(_), _) | (None, true) => {}
            }
        }
        let age = now.saturating_sub(state.began?);
        let seen = self.seen(&state, now);
        let mut next = self.subject.rollout.judge(state.stage, &seen, age);
        if self.subject.shadow && next == Stage::Watched && age >= self.subject.rollout.duration {
            // No more calls will come that it could be judged by.
            next = Stage::Undecided;
        }
        let is_another = next.name() != state.stage.name();
        state.stage = next;
        if matches!(next, Stage::RolledBack(..)) {
            self.rolled_back.send_replace(true);
        }
        is_another.then_some(next)
    }

    fn note(&self, state: &mut State, record: &RequestRecord, now: Duration) {
        let failed = |one: &&gw_core::Try| self.is_of(&one.provider, &one.model) && one.error.is_some_and(is_failure);
        let tries = record.tries.iter().filter(failed);
        for _ in tries {
            self.count(state, true, now);
        }
        let (Some(provider), Some(model)) = (&record.provider, &record.model_used) else { return };
        if !self.is_of(provider, model) {
            if record.outcome == Outcome::Completed {
                state.cost_of_others.add(cost(record));
            }
            return;
        }
        self.note_ended(state, record, now);
        if record.outcome == Outcome::Completed {
            state.cost.add(cost(record));
        }
    }

    /// A call has ended.
    fn note_ended(&self, state: &mut State, record: &RequestRecord, now: Duration) {
        match record.outcome {
            Outcome::Completed => {
                self.count(state, false, now);
                let took_us = record.timings.first_byte_us.unwrap_or(record.timings.total_us);
                state.latency_s.push(now, took_us as f64 / 1e6, self.tracking());
            }
            // Without a try that says so, its answer had begun when it failed.
            Outcome::Failed if record.tries.is_empty() && record.error.is_some_and(is_failure) => {
                self.count(state, true, now);
            }
            _ => {}
        }
    }

    fn count(&self, state: &mut State, failed: bool, now: Duration) {
        state.began.get_or_insert(now);
        state.calls = state.calls.saturating_add(1);
        if state.newest.len() >= self.kept() {
            state.newest.pop_front();
        }
        state.newest.push_back(failed);
    }

    fn seen(&self, state: &State, now: Duration) -> Seen {
        let increase = state.cost.mean().zip(state.cost_of_others.mean()).filter(|(_, others)| *others > 0.0);
        Seen {
            calls: u32::try_from(state.newest.len()).unwrap_or(u32::MAX),
            failures: u32::try_from(state.newest.iter().filter(|failed| **failed).count()).unwrap_or(u32::MAX),
            latency_p95_s: state.latency_s.quantile(0.95, now, self.tracking()),
            cost_increase: increase.map(|(own, others)| own / others - 1.0),
        }
    }

    fn kept(&self) -> usize {
        usize::try_from(self.subject.rollout.calls_min).unwrap_or(usize::MAX).clamp(JUDGED, JUDGED_MAX)
    }

    fn tracking(&self) -> Tracking {
        Tracking { window: Duration::MAX, samples_max: JUDGED }
    }

    fn is_of(&self, provider: &str, model: &str) -> bool {
        *self.subject.provider == *provider && self.subject.model.as_deref().is_none_or(|own| own == model)
    }
}

fn is_failure(code: ErrorCode) -> bool {
    code.blame() != Blame::Client
}

fn cost(record: &RequestRecord) -> Option<Nanodollars> {
    record.cost.as_ref().and_then(Cost::total)
}

/// The trials that snapshots hold, by name.
#[derive(Default)]
pub struct Trials {
    known: Mutex<HashMap<Arc<str>, Weak<Trial>>>,
    room: Arc<Room>,
}

impl Trials {
    /// What all shadows of the process take.
    pub(crate) fn room(&self) -> &Arc<Room> {
        &self.room
    }

    /// The trial of a subject: the one that runs, if it is of the same.
    pub fn of(&self, subject: Subject) -> Arc<Trial> {
        let mut known = self.known.lock();
        known.retain(|_, trial| trial.strong_count() > 0);
        let running = known.get(&subject.name).and_then(Weak::upgrade);
        if let Some(running) = running.filter(|running| running.subject == subject) {
            return running;
        }
        let trial = Arc::new(Trial::new(subject));
        known.insert(Arc::clone(&trial.subject.name), Arc::downgrade(&trial));
        trial
    }

    /// Those that run.
    pub fn running(&self) -> Vec<Arc<Trial>> {
        self.known.lock().values().filter_map(Weak::upgrade).collect()
    }

    /// Learns from finished requests; those that have come to another stage, and to which.
    pub fn learn(&self, records: &[RequestRecord], now: Duration) -> Vec<(Arc<Trial>, Stage)> {
        let running = self.running().into_iter();
        running.filter_map(|trial| trial.learn(records, now).map(|stage| (trial, stage))).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use gw_core::record::{Timings, Try};
    use gw_core::{RequestId, RequestRecord};
    use gw_policy::canary::{Criterion, Quantity};

    use super::*;

    fn subject(model: Option<&str>) -> Subject {
        let criterion = |what, text| Criterion::read(what, text).unwrap();
        Subject {
            name: Arc::from("next"),
            environment: None,
            provider: Arc::from("new"),
            model: model.map(Arc::from),
            rollout: Rollout {
                share: 0.5,
                duration: Duration::from_secs(60),
                calls_min: 10,
                success: vec![criterion(Quantity::LatencyP95, "<3s")],
                rollback: vec![criterion(Quantity::ErrorRate, ">5%")],
                promote: false,
            },
            shadow: false,
        }
    }

    fn record(provider: &str, outcome: Outcome, error: Option<ErrorCode>, tries: Vec<Try>) -> RequestRecord {
        RequestRecord {
            model_used: Some(Arc::from("m")),
            provider: Some(Arc::from(provider)),
            status: 200,
            outcome,
            error,
            attempts: 1,
            tries,
            timings: Timings { first_byte_us: Some(1_000_000), ..Timings::default() },
            ..RequestRecord::begin(RequestId::from_u128(0), Operation::Chat, "openai_chat", SystemTime::UNIX_EPOCH)
        }
    }

    fn failed_at(provider: &str, error: ErrorCode) -> Try {
        Try {
            provider: Arc::from(provider),
            model: Arc::from("m"),
            callers_key: false,
            target: 1,
            error: Some(error),
            status: None,
            duration_us: 1,
        }
    }

    fn well(count: usize) -> Vec<RequestRecord> {
        (0..count).map(|_| record("new", Outcome::Completed, None, Vec::new())).collect()
    }

    fn name(stage: Option<Stage>) -> Option<&'static str> {
        stage.map(Stage::name)
    }

    #[test]
    fn one_that_was_well_for_long_is_rolled_back_for_its_newest_calls() {
        let trial =
            Trial::new(Subject { rollout: Rollout { calls_min: 20, ..subject(None).rollout }, ..subject(None) });
        assert_eq!(name(trial.learn(&well(5_000), Duration::ZERO)), None);
        let tried = || vec![failed_at("new", ErrorCode::ProviderUnreachable)];
        let failed: Vec<_> = (0..51).map(|_| record("old", Outcome::Completed, None, tried())).collect();
        assert_eq!(name(trial.learn(&failed, Duration::from_secs(1))), Some("rolled_back"));
        assert!(!trial.takes("anybody"));
    }

    #[test]
    fn what_clients_do_wrong_and_what_others_do_counts_for_nothing() {
        let trial = Trial::new(subject(Some("m")));
        let cases: Vec<_> = (0..50)
            .flat_map(|_| {
                [
                    record("old", Outcome::Completed, None, vec![failed_at("new", ErrorCode::InvalidRequest)]),
                    record("old", Outcome::Failed, Some(ErrorCode::ProviderUnreachable), Vec::new()),
                    record("new", Outcome::Cancelled, None, Vec::new()),
                ]
            })
            .collect();
        assert_eq!(name(trial.learn(&cases, Duration::ZERO)), None);
        assert_eq!(trial.state.lock().calls, 0);
    }

    #[test]
    fn a_stream_that_breaks_off_is_a_failure_and_is_counted_once() {
        let trial = Trial::new(subject(None));
        let broken = record("new", Outcome::Failed, Some(ErrorCode::ProviderUnreachable), Vec::new());
        trial.learn(&[broken], Duration::ZERO);
        assert_eq!(trial.state.lock().newest, [true]);
    }

    #[test]
    fn one_that_holds_is_ready_at_the_end_of_its_time() {
        let trial = Trial::new(subject(None));
        assert_eq!(name(trial.learn(&well(20), Duration::ZERO)), None);
        assert_eq!(name(trial.learn(&well(1), Duration::from_secs(60))), Some("ready"));
    }

    fn of_shadow(rollout: &str, outcome: Outcome, error: Option<ErrorCode>) -> RequestRecord {
        RequestRecord { shadow: Some(Arc::from(rollout)), ..record("new", outcome, error, Vec::new()) }
    }

    #[test]
    fn a_shadow_is_judged_by_its_own_copies_and_a_canary_by_requests_alone() {
        let shadow = Trial::new(Subject { shadow: true, ..subject(None) });
        let canary = Trial::new(subject(None));
        let failed = || of_shadow("next", Outcome::Failed, Some(ErrorCode::ProviderTimeout));
        let others = || of_shadow("other", Outcome::Failed, Some(ErrorCode::ProviderTimeout));
        let records: Vec<_> = (0..20).flat_map(|_| [others()]).chain(well(20)).collect();
        assert_eq!(name(shadow.learn(&records, Duration::ZERO)), None);
        assert_eq!(shadow.state.lock().calls, 0);
        let records: Vec<_> = (0..20).map(|_| failed()).collect();
        assert_eq!(name(canary.learn(&records, Duration::ZERO)), None);
        assert_eq!(canary.state.lock().calls, 0);
        assert_eq!(name(shadow.learn(&records, Duration::ZERO)), Some("rolled_back"));
        assert!(!shadow.shadows("anybody", Duration::ZERO));
    }

    #[test]
    fn a_shadow_ends_with_its_time_however_few_copies_there_were() {
        let rollout = Rollout { share: 1.0, ..subject(None).rollout };
        let shadow = Trial::new(Subject { shadow: true, rollout, ..subject(None) });
        assert!(shadow.shadows("anybody", Duration::from_secs(9_999)), "its time begins with its first call");
        shadow.learn(&[of_shadow("next", Outcome::Completed, None)], Duration::ZERO);
        assert!(shadow.shadows("anybody", Duration::from_secs(59)));
        assert!(!shadow.shadows("anybody", Duration::from_secs(60)));
        assert_eq!(name(shadow.learn(&well(1), Duration::from_secs(60))), Some("undecided"));
    }

    #[test]
    fn a_trial_goes_on_as_long_as_the_same_is_tried() {
        let trials = Trials::default();
        let first = trials.of(subject(None));
        assert!(Arc::ptr_eq(&first, &trials.of(subject(None))));
        let second = trials.of(subject(Some("m")));
        assert!(!Arc::ptr_eq(&first, &second));
        assert_eq!(trials.running().len(), 1);
    }
}
