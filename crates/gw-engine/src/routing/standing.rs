//! How a provider stands: what all workers have seen of it. It outlives every snapshot, so that a reload does not forget
//! who is failing.
//!
//! A provider in which nobody takes a special interest (no cap, no measuring, no recent failure) costs a request one
//! load of an atomic and no lock.

mod hedges;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};
use std::time::Duration;

use gw_policy::breaker::{Admission, Breaker, Outcome, Phase, Settings};
use gw_policy::failure::{Failure, Sign};
use gw_policy::measure::{Measured, Preference, Samples, Tracking};
use gw_policy::plan;
use gw_policy::rate::{Cap, Used};
use parking_lot::Mutex;

use crate::checks::{Checked, State};
use crate::limits::Limits;

/// How fast shorter answers are written says more of how soon they begin.
const TOKENS_MIN: u64 = 8;

/// What a provider's configuration says of its standing.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Rules {
    /// When it is left out; never if `None`.
    pub breaker: Option<Settings>,
    /// How many requests it gets.
    pub cap: Option<Cap>,
    /// How far back measurements count; nothing is measured if `None`.
    pub tracking: Option<Tracking>,
}

/// How a provider stands, for people.
#[derive(Debug, Clone, Copy)]
pub struct Shown {
    /// Of its breaker.
    pub phase: Phase,
    /// How long it is left alone from now on, if it is.
    pub open_for: Option<Duration>,
    /// What has been measured of it.
    pub measured: Measured,
    /// Its cap, and how much of it is used.
    pub cap: Option<(Cap, u32)>,
}

/// What all workers have seen of a provider.
#[derive(Debug, Default)]
pub struct Standing {
    /// Whether something has gone wrong lately: only then is the breaker asked.
    troubled: AtomicBool,
    in_flight: AtomicU32,
    /// What of the budget of attempts beside those at it is taken.
    hedges_taken: AtomicU32,
    seen: Mutex<Seen>,
    /// What the last health check found.
    last_check: Mutex<Option<Checked>>,
}

#[derive(Debug, Default)]
struct Seen {
    breaker: Breaker,
    used: Used,
    latency: Samples,
    tokens_per_second: Samples,
    /// Of each call, 1 if it went wrong and 0 if not.
    faults: Samples,
    /// When it last answered or failed.
    heard_at: Option<Duration>,
}

/// A call at a provider, until its answer begins. If its end is not told, it says nothing about the provider: the client
/// left.
pub struct Attending<'a> {
    standing: &'a Arc<Standing>,
    rules: &'a Rules,
    began: Duration,
    place: Option<Place>,
    told: bool,
}

/// A place among the calls that a provider serves, until its answer has ended.
pub struct Place {
    standing: Arc<Standing>,
    tracking: Tracking,
}

impl Standing {
    /// Whether it takes calls.
    pub fn admits(&self, rules: &Rules, now: Duration) -> plan::Standing {
        if rules.cap.is_none() && !self.troubled.load(Relaxed) {
            return plan::Standing::In;
        }
        let seen = self.seen.lock();
        if let Some(settings) = &rules.breaker
            && let Admission::NotBefore(then) = seen.breaker.admits(now, settings)
        {
            return plan::Standing::Resting(then.saturating_sub(now));
        }
        match rules.cap.map(|cap| cap.wait(&seen.used, now)) {
            Some(wait) if !wait.is_zero() => plan::Standing::Full(wait),
            Some(_) | None => plan::Standing::In,
        }
    }

    /// What has been measured of it; its price is not known here.
    pub fn measured(&self, rules: &Rules, now: Duration) -> Measured {
        let in_flight = self.in_flight.load(Relaxed);
        let Some(tracking) = rules.tracking else { return Measured { in_flight, ..Measured::default() } };
        let seen = self.seen.lock();
        Measured {
            latency: seen.latency.expected(now, tracking).map(Duration::from_secs_f64),
            heard_at: seen.heard_at,
            stale_after: tracking.stale_after(),
            tokens_per_second: seen.tokens_per_second.expected(now, tracking),
            faults: seen.faults.mean(now, tracking),
            in_flight,
            price: None,
        }
    }

    /// Whether it is as quick as is preferred, as far as that is measured.
    pub fn meets(&self, rules: &Rules, preference: &Preference, now: Duration) -> bool {
        let Some(tracking) = rules.tracking else { return true };
        let seen = self.seen.lock();
        preference.is_met(
            |share| seen.latency.quantile(share, now, tracking),
            |share| seen.tokens_per_second.quantile(share, now, tracking),
        )
    }

    /// A call begins, if the cap has a place for it.
    ///
    /// # Errors
    /// How long it is until it has.
    pub fn attend<'a>(self: &'a Arc<Self>, rules: &'a Rules, now: Duration) -> Result<Attending<'a>, Duration> {
        if rules.cap.is_some() || self.troubled.load(Relaxed) {
            let mut seen = self.seen.lock();
            if let Some(cap) = rules.cap {
                match cap.wait(&seen.used, now) {
                    Duration::ZERO => seen.used = cap.take(&seen.used, now),
                    wait => return Err(wait),
                }
            }
            if let Some(settings) = &rules.breaker {
                seen.breaker = seen.breaker.begin(now, settings);
            }
        }
        let place = rules.tracking.map(|tracking| {
            self.in_flight.fetch_add(1, Relaxed);
            Place { standing: Arc::clone(self), tracking }
        });
        Ok(Attending { standing: self, rules, began: now, place, told: false })
    }

    /// Takes a call that no client waits for, if there is one to spare: the provider has had no trouble lately, and half
    /// of its cap is free. What becomes of the call is not remembered here: clients must not be worse off for it.
    pub fn spare(&self, rules: &Rules, now: Duration) -> bool {
        if self.troubled.load(Relaxed) {
            return false;
        }
        let Some(cap) = rules.cap else { return true };
        let mut seen = self.seen.lock();
        let is_spare = cap.taken(&seen.used, now) < cap.calls / 2;
        if is_spare {
            seen.used = cap.take(&seen.used, now);
        }
        is_spare
    }

    /// Everything that people are shown.
    pub fn shown(&self, rules: &Rules, now: Duration) -> Shown {
        let measured = self.measured(rules, now);
        let seen = self.seen.lock();
        let open_for = match rules.breaker.as_ref().map(|settings| seen.breaker.admits(now, settings)) {
            Some(Admission::NotBefore(then)) => Some(then.saturating_sub(now)),
            Some(Admission::Yes) | None => None,
        };
        let cap = rules.cap.map(|cap| (cap, cap.taken(&seen.used, now)));
        Shown { phase: seen.breaker.phase(now), open_for, measured, cap }
    }

    /// What metrics and people are shown.
    pub fn phase(&self, now: Duration) -> Phase {
        if self.troubled.load(Relaxed) { self.seen.lock().breaker.phase(now) } else { Phase::Closed }
    }

    /// Calls that it is serving.
    pub fn in_flight(&self) -> u32 {
        self.in_flight.load(Relaxed)
    }

    /// A health check has found it well, or not. One that is left out comes back by that; what requests have seen of
    /// one that is not is not forgotten because it answers a check.
    pub fn checked(&self, rules: &Rules, checked: Checked, now: Duration) {
        *self.last_check.lock() = Some(checked);
        let Some(settings) = &rules.breaker else { return };
        let mut seen = self.seen.lock();
        if checked.state == State::Up && seen.breaker.phase(now) == Phase::Closed {
            return;
        }
        if seen.breaker.admits(now, settings) == Admission::Yes {
            seen.breaker = seen.breaker.begin(now, settings).observe(checked.outcome(), now, settings);
        }
        self.troubled.store(!seen.breaker.is_quiet(now), Relaxed);
    }

    /// What the last health check found; `None` if there was none.
    pub fn last_check(&self) -> Option<Checked> {
        *self.last_check.lock()
    }

    fn observe(&self, rules: &Rules, outcome: Outcome, now: Duration) {
        let Some(settings) = &rules.breaker else { return };
        // What shows that a provider is well is of interest only after trouble; of answers, a rate of failures counts all.
        let counts = match outcome {
            Outcome::Failed(_) => true,
            Outcome::Answered(took) => {
                settings.failure_rate.is_some() || settings.slow.is_some_and(|slow| took >= slow)
            }
            Outcome::Refused(_) | Outcome::Neither => false,
        };
        if !counts && !self.troubled.load(Relaxed) {
            return;
        }
        let mut seen = self.seen.lock();
        seen.breaker = seen.breaker.observe(outcome, now, settings);
        self.troubled.store(!seen.breaker.is_quiet(now), Relaxed);
    }

    fn measure(&self, rules: &Rules, latency: Duration, now: Duration) {
        let Some(tracking) = rules.tracking else { return };
        let mut seen = self.seen.lock();
        seen.heard_at = Some(now);
        seen.latency.push(now, latency.as_secs_f64(), tracking);
        seen.faults.push(now, 0.0, tracking);
    }
}

impl Attending<'_> {
    /// The provider's answer has begun. Its place is kept until the answer has ended.
    pub fn answered(mut self, now: Duration) -> Option<Place> {
        let took = now.saturating_sub(self.began);
        self.told = true;
        self.standing.measure(self.rules, took, now);
        self.standing.observe(self.rules, Outcome::Answered(took), now);
        self.place.take()
    }

    /// It came to this instead of an answer: what that shows of the provider is remembered.
    pub fn ended(self, failure: &Failure, now: Duration) {
        match failure.sign() {
            Sign::Failing => self.failed(failure.retry_after, now),
            Sign::Alive => self.refused(now),
            Sign::Nothing => {}
        }
    }

    /// The provider failed.
    pub fn failed(self, retry_after: Option<Duration>, now: Duration) {
        self.heard(Outcome::Failed(retry_after), now);
    }

    /// The provider has answered that it does not serve the request.
    pub fn refused(self, now: Duration) {
        let took = now.saturating_sub(self.began);
        self.heard(Outcome::Refused(took), now);
    }

    fn heard(mut self, outcome: Outcome, now: Duration) {
        self.told = true;
        if let Some(tracking) = self.rules.tracking {
            let mut seen = self.standing.seen.lock();
            seen.heard_at = Some(now);
            if let Outcome::Failed(_) = outcome {
                seen.faults.push(now, 1.0, tracking);
            }
        }
        self.standing.observe(self.rules, outcome, now);
    }
}

impl Drop for Attending<'_> {
    fn drop(&mut self) {
        if !self.told && self.standing.troubled.load(Relaxed) {
            let mut seen = self.standing.seen.lock();
            if let Some(settings) = &self.rules.breaker {
                seen.breaker = seen.breaker.observe(Outcome::Neither, self.began, settings);
            }
        }
    }
}

impl Place {
    /// The calls of tools in the answer can be followed, or not: what shows besides that it has begun.
    pub fn judged(&self, verdict: bool, now: Duration) {
        self.standing.seen.lock().faults.push(now, if verdict { 0.0 } else { 1.0 }, self.tracking);
    }

    /// The answer has ended well: so many tokens were written from when it was asked for.
    pub fn wrote(&self, tokens: u64, took: Duration, now: Duration) {
        if tokens >= TOKENS_MIN && !took.is_zero() {
            let speed = tokens as f64 / took.as_secs_f64();
            self.standing.seen.lock().tokens_per_second.push(now, speed, self.tracking);
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.standing.in_flight.fetch_sub(1, Relaxed);
    }
}

/// How every provider stands, by what it is: its name and where it is reached; and what has been counted for the limits of
/// routes. Snapshots share them.
#[derive(Debug, Default)]
pub struct Standings {
    providers: Mutex<HashMap<Arc<str>, Arc<Standing>>>,
    limits: Limits,
}

/// Providers that are remembered; beyond, those that no snapshot holds are forgotten.
const REMEMBERED_MAX: usize = 4_096;

impl Standings {
    /// How this provider stands.
    pub fn of(&self, provider: &str) -> Arc<Standing> {
        let mut known = self.providers.lock();
        if let Some(standing) = known.get(provider) {
            return Arc::clone(standing);
        }
        if known.len() >= REMEMBERED_MAX {
            known.retain(|_, standing| Arc::strong_count(standing) > 1);
        }
        let standing = Arc::new(Standing::default());
        known.insert(Arc::from(provider), Arc::clone(&standing));
        standing
    }

    /// What has been counted for the limits of routes.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }
}

#[cfg(test)]
mod tests {
    use gw_core::{Error, ErrorCode};

    use super::*;

    fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn rules() -> Rules {
        Rules { breaker: Some(Settings::default()), cap: None, tracking: Some(Tracking::default()) }
    }

    #[test]
    fn five_failures_rest_a_provider_and_two_successes_bring_it_back() {
        let (standing, rules) = (Arc::new(Standing::default()), rules());
        for _ in 0..5 {
            assert_eq!(standing.admits(&rules, s(1)), plan::Standing::In);
            standing.attend(&rules, s(1)).unwrap().failed(None, s(1));
        }
        assert_eq!(standing.admits(&rules, s(2)), plan::Standing::Resting(s(29)));
        assert_eq!(standing.phase(s(2)), Phase::Open);
        for _ in 0..2 {
            assert_eq!(standing.admits(&rules, s(31)), plan::Standing::In);
            standing.attend(&rules, s(31)).unwrap().answered(s(31));
        }
        assert_eq!(standing.phase(s(31)), Phase::Closed);
        assert!(!standing.troubled.load(Relaxed), "nobody asks the breaker any more");
    }

    #[test]
    fn a_call_is_spared_while_there_is_no_trouble_and_half_of_the_cap_is_free() {
        let rules = Rules { cap: Some(Cap { calls: 4, per: s(60) }), ..rules() };
        let standing = Arc::new(Standing::default());
        let spared: Vec<_> = (0..4).map(|_| standing.spare(&rules, s(1))).collect();
        assert_eq!(spared, [true, true, false, false]);
        assert_eq!(standing.admits(&rules, s(1)), plan::Standing::In, "clients find the other half");
        let troubled = Arc::new(Standing::default());
        troubled.attend(&rules, s(1)).unwrap().failed(None, s(1));
        assert!(!troubled.spare(&rules, s(120)));
    }

    #[test]
    fn health_checks_rest_a_provider_and_bring_it_back_without_a_request() {
        let (standing, rules) = (Arc::new(Standing::default()), rules());
        let check = |state, at| {
            let took = Duration::from_millis(5);
            standing.checked(&rules, Checked { state, status: None, took }, s(at));
        };
        (0..50).for_each(|_| check(State::AuthFailed, 1));
        assert_eq!(standing.phase(s(1)), Phase::Closed, "a refused credential is no outage");
        (0..5).for_each(|_| check(State::Down, 1));
        assert_eq!(standing.admits(&rules, s(2)), plan::Standing::Resting(s(29)));
        (0..2).for_each(|_| check(State::Up, 2));
        assert_eq!(standing.phase(s(2)), Phase::Open, "it rests for as long as it was told to");
        (0..2).for_each(|_| check(State::Up, 31));
        assert_eq!(standing.phase(s(31)), Phase::Closed);
        assert_eq!(standing.last_check().map(|last| last.state), Some(State::Up));
    }

    #[test]
    fn a_check_that_goes_well_does_not_hide_requests_that_fail() {
        let (standing, rules) = (Arc::new(Standing::default()), rules());
        for _ in 0..5 {
            standing.attend(&rules, s(1)).unwrap().failed(None, s(1));
            let took = Duration::from_millis(5);
            standing.checked(&rules, Checked { state: State::Up, status: Some(200), took }, s(1));
        }
        assert_eq!(standing.phase(s(1)), Phase::Open);
    }

    #[test]
    fn requests_that_are_refused_do_not_rest_a_provider_and_prove_it_alive_after_it_rested() {
        let (standing, rules) = (Arc::new(Standing::default()), rules());
        let ends = |code: ErrorCode, at| {
            standing.attend(&rules, s(at)).unwrap().ended(&Failure::from(&Error::new(code, "")), s(at));
        };
        for code in [
            ErrorCode::ProviderRejected,
            ErrorCode::ContextLengthExceeded,
            ErrorCode::ContentFiltered,
            ErrorCode::ProviderModelNotFound,
            ErrorCode::UnsupportedParameter,
            ErrorCode::InvalidRequest,
        ] {
            (0..20).for_each(|_| ends(code, 1));
            assert_eq!(standing.phase(s(1)), Phase::Closed, "{code}");
        }
        (0..5).for_each(|_| ends(ErrorCode::ProviderCreditExhausted, 1));
        assert_eq!(standing.phase(s(2)), Phase::Open, "an account without money is the provider's state");
        (0..2).for_each(|_| ends(ErrorCode::ProviderRejected, 31));
        assert_eq!(standing.phase(s(31)), Phase::Closed);
    }

    #[test]
    fn answers_to_calls_made_while_it_rests_bring_a_provider_back() {
        let (standing, rules) = (Arc::new(Standing::default()), rules());
        (0..5).for_each(|_| standing.attend(&rules, s(1)).unwrap().failed(None, s(1)));
        for _ in 0..2 {
            assert_eq!(standing.phase(s(3)), Phase::Open);
            standing.attend(&rules, s(2)).unwrap().answered(s(3));
        }
        assert_eq!(standing.admits(&rules, s(3)), plan::Standing::In);
    }

    #[test]
    fn a_client_that_leaves_says_nothing_about_the_provider() {
        let (standing, rules) = (Arc::new(Standing::default()), rules());
        (0..50).for_each(|_| drop(standing.attend(&rules, s(1)).unwrap()));
        assert_eq!(standing.admits(&rules, s(1)), plan::Standing::In);
        assert_eq!(standing.in_flight(), 0);
    }

    #[test]
    fn a_full_provider_says_when_there_is_a_place() {
        let cap = Cap { calls: 2, per: s(60) };
        let rules = Rules { cap: Some(cap), tracking: Some(Tracking::default()), ..Rules::default() };
        let standing = Arc::new(Standing::default());
        let places: Vec<_> = (0..2).map(|_| standing.attend(&rules, s(1)).unwrap().answered(s(1))).collect();
        assert_eq!(standing.admits(&rules, s(1)), plan::Standing::Full(s(61)));
        assert_eq!(standing.attend(&rules, s(2)).err(), Some(s(60)), "whoever comes all the same is not let through");
        assert_eq!(standing.in_flight(), 2);
        drop(places);
        assert_eq!(standing.in_flight(), 0);
    }

    #[test]
    fn what_was_measured_is_known_to_all() {
        let (standing, rules) = (Arc::new(Standing::default()), rules());
        standing.attend(&rules, s(1)).unwrap().answered(s(3));
        assert_eq!(standing.measured(&rules, s(4)).latency, Some(s(2)));
    }

    #[test]
    fn how_fast_it_writes_is_measured_when_an_answer_has_ended() {
        let (standing, rules) = (Arc::new(Standing::default()), rules());
        let place = standing.attend(&rules, s(1)).unwrap().answered(s(2)).unwrap();
        place.wrote(3, s(1), s(3));
        assert_eq!(standing.measured(&rules, s(4)).tokens_per_second, None, "too few to say anything");
        place.wrote(100, s(2), s(4));
        assert_eq!(standing.measured(&rules, s(4)).tokens_per_second, Some(50.0));
        let at_least = |speed| Preference { tokens_per_second_min: vec![(0.5, speed)], ..Preference::default() };
        assert!(standing.meets(&rules, &at_least(50.0), s(4)) && !standing.meets(&rules, &at_least(51.0), s(4)));
        let at_most = Preference { latency_max: vec![(0.5, Duration::from_millis(900))], ..Preference::default() };
        assert!(!standing.meets(&rules, &at_most, s(4)), "its answer took a second to begin");
        assert!(standing.meets(&Rules { tracking: None, ..rules }, &at_most, s(4)), "nothing is measured");
    }

    #[test]
    fn a_provider_is_remembered_by_its_name_across_reloads() {
        let standings = Standings::default();
        assert!(Arc::ptr_eq(&standings.of("openai"), &standings.of("openai")));
        assert!(!Arc::ptr_eq(&standings.of("openai"), &standings.of("azure")));
    }
}
