//! The circuit breaker of a target: leaves it out while it fails, and tries now and then whether it is well again.

use std::time::Duration;

/// When a breaker opens and closes.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// Failures in a row that open it.
    pub failure_threshold: u32,
    /// The part of the calls in the window that open it when they fail, and how many calls there must be to judge.
    pub failure_rate: Option<(f64, u32)>,
    /// How far back failures count for the rate.
    pub window: Duration,
    /// Successes in a row, while trying, that close it.
    pub success_threshold: u32,
    /// How long it stays open before it tries.
    pub open_for: Duration,
    /// Calls at once while trying.
    pub half_open_calls: u32,
    /// From when on a call counts as a failure although it was answered.
    pub slow: Option<Duration>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            failure_threshold: 5,
            failure_rate: None,
            window: Duration::from_secs(60),
            success_threshold: 2,
            open_for: Duration::from_secs(30),
            half_open_calls: 3,
            slow: None,
        }
    }
}

/// A breaker: a value that each call and its outcome turn into the next.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Breaker {
    state: State,
    /// Not before this is it asked again, because the provider said so.
    cooling_until: Duration,
    tally: Tally,
}

/// Whether calls go through.
#[derive(Debug, Clone, Copy, PartialEq)]
enum State {
    Closed { failures_in_a_row: u32 },
    Open { until: Duration },
    HalfOpen { calls: u32, successes: u32, since: Duration },
}

/// Calls and failures of this window and the one before.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Tally {
    window: u64,
    now: (u32, u32),
    before: (u32, u32),
}

/// What metrics and people are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Phase {
    /// Calls go through.
    Closed,
    /// None goes through.
    Open,
    /// A few go through, to see.
    HalfOpen,
}

impl Phase {
    /// The name in metrics and answers.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open => "open",
            Self::HalfOpen => "half_open",
        }
    }
}

/// Whether a call may be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    /// Yes.
    Yes,
    /// Not before this.
    NotBefore(Duration),
}

/// How a call ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It was answered, after this long.
    Answered(Duration),
    /// The target failed; it asked to be left alone for so long, if it did.
    Failed(Option<Duration>),
    /// It says nothing about the target: the client left, or was at fault.
    Neither,
}

impl Default for Breaker {
    fn default() -> Self {
        Self { state: State::Closed { failures_in_a_row: 0 }, cooling_until: Duration::ZERO, tally: Tally::default() }
    }
}

impl Breaker {
    /// What is shown of it.
    pub fn phase(&self, now: Duration) -> Phase {
        match self.state {
            State::Closed { .. } => Phase::Closed,
            State::Open { until } if now < until => Phase::Open,
            State::Open { .. } | State::HalfOpen { .. } => Phase::HalfOpen,
        }
    }

    /// Whether nothing has gone wrong lately: it is closed, the last call went well, and nobody asked to be left alone.
    pub fn is_quiet(&self, now: Duration) -> bool {
        self.state == State::Closed { failures_in_a_row: 0 } && now >= self.cooling_until
    }

    /// Whether a call may be made.
    pub fn admits(&self, now: Duration, settings: &Settings) -> Admission {
        if now < self.cooling_until {
            return Admission::NotBefore(self.cooling_until);
        }
        match self.state {
            State::Open { until } if now < until => Admission::NotBefore(until),
            // Calls whose end is never told (their worker died) must not hold the places for ever.
            State::HalfOpen { calls, since, .. }
                if calls >= settings.half_open_calls && now < since + settings.open_for =>
            {
                Admission::NotBefore(since + settings.open_for)
            }
            State::Closed { .. } | State::Open { .. } | State::HalfOpen { .. } => Admission::Yes,
        }
    }

    /// A call begins.
    #[must_use]
    pub fn begin(self, now: Duration, settings: &Settings) -> Self {
        let state = match self.state {
            State::Open { until } if now >= until => State::HalfOpen { calls: 1, successes: 0, since: now },
            State::HalfOpen { calls, successes, since } => {
                let stale = now >= since + settings.open_for && calls >= settings.half_open_calls;
                let (calls, since) = if stale { (0, now) } else { (calls, since) };
                State::HalfOpen { calls: calls + 1, successes, since }
            }
            state @ (State::Closed { .. } | State::Open { .. }) => state,
        };
        Self { state, ..self }
    }

    /// A call that had begun has ended.
    #[must_use]
    pub fn observe(self, outcome: Outcome, now: Duration, settings: &Settings) -> Self {
        let failed = match outcome {
            Outcome::Answered(took) => settings.slow.is_some_and(|slow| took >= slow),
            Outcome::Failed(_) => true,
            Outcome::Neither => return Self { state: self.state.released(), ..self },
        };
        let tally = self.tally.count(failed, now, settings.window);
        let cooling_until = match outcome {
            Outcome::Failed(Some(asked)) => self.cooling_until.max(now.saturating_add(asked)),
            Outcome::Failed(None) | Outcome::Answered(_) | Outcome::Neither => self.cooling_until,
        };
        let open = State::Open { until: now + settings.open_for };
        let state = match (self.state, failed) {
            (State::Closed { failures_in_a_row }, true) => {
                let failures_in_a_row = failures_in_a_row + 1;
                let too_many = failures_in_a_row >= settings.failure_threshold.max(1);
                let too_often = settings.failure_rate.is_some_and(|(rate, calls)| tally.exceeds(rate, calls));
                if too_many || too_often { open } else { State::Closed { failures_in_a_row } }
            }
            (State::Closed { .. }, false) => State::Closed { failures_in_a_row: 0 },
            (State::HalfOpen { .. }, true) => open,
            (State::HalfOpen { successes, .. }, false) if successes + 1 >= settings.success_threshold => {
                return Self { cooling_until, ..Self::default() };
            }
            (State::HalfOpen { calls, successes, since }, false) => {
                State::HalfOpen { calls: calls.saturating_sub(1), successes: successes + 1, since }
            }
            // A call from before it opened.
            (state @ State::Open { .. }, _) => state,
        };
        Self { state, cooling_until, tally }
    }
}

impl State {
    fn released(self) -> Self {
        match self {
            Self::HalfOpen { calls, successes, since } => {
                Self::HalfOpen { calls: calls.saturating_sub(1), successes, since }
            }
            other @ (Self::Closed { .. } | Self::Open { .. }) => other,
        }
    }
}

impl Tally {
    fn count(self, failed: bool, now: Duration, window: Duration) -> Self {
        let number = (now.as_millis() / window.as_millis().max(1)) as u64;
        let (now_counts, before) = match number.saturating_sub(self.window) {
            0 => (self.now, self.before),
            1 => ((0, 0), self.now),
            _ => ((0, 0), (0, 0)),
        };
        let now_counts = (now_counts.0 + 1, now_counts.1 + u32::from(failed));
        Self { window: number.max(self.window), now: now_counts, before }
    }

    fn exceeds(self, rate: f64, calls_min: u32) -> bool {
        let calls = self.now.0 + self.before.0;
        let failures = self.now.1 + self.before.1;
        calls >= calls_min && f64::from(failures) >= rate * f64::from(calls)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const FAILED: Outcome = Outcome::Failed(None);
    const ANSWERED: Outcome = Outcome::Answered(Duration::from_millis(200));

    fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn settings() -> Settings {
        Settings::default()
    }

    fn after(outcomes: &[Outcome], at: u64) -> Breaker {
        outcomes.iter().fold(Breaker::default(), |breaker, outcome| {
            breaker.begin(s(at), &settings()).observe(*outcome, s(at), &settings())
        })
    }

    #[test]
    fn five_failures_in_a_row_open_it_and_a_success_between_them_does_not() {
        assert_eq!(after(&[FAILED; 4], 0).phase(s(0)), Phase::Closed);
        assert_eq!(after(&[FAILED; 5], 0).phase(s(0)), Phase::Open);
        let mended = [FAILED, FAILED, FAILED, FAILED, ANSWERED, FAILED, FAILED];
        assert_eq!(after(&mended, 0).phase(s(0)), Phase::Closed);
    }

    #[test]
    fn it_stays_open_for_its_time_and_then_lets_a_few_through() {
        let open = after(&[FAILED; 5], 10);
        assert_eq!(open.admits(s(39), &settings()), Admission::NotBefore(s(40)));
        let mut trying = open;
        for _ in 0..3 {
            assert_eq!(trying.admits(s(40), &settings()), Admission::Yes);
            trying = trying.begin(s(40), &settings());
        }
        assert_eq!(trying.phase(s(40)), Phase::HalfOpen);
        assert_eq!(trying.admits(s(40), &settings()), Admission::NotBefore(s(70)));
    }

    #[test]
    fn two_successes_close_it_and_one_failure_opens_it_again() {
        let trying = after(&[FAILED; 5], 0).begin(s(30), &settings()).begin(s(30), &settings());
        let once = trying.observe(ANSWERED, s(31), &settings());
        assert_eq!(once.phase(s(31)), Phase::HalfOpen);
        assert_eq!(once.observe(ANSWERED, s(32), &settings()).phase(s(32)), Phase::Closed);
        let again = once.observe(FAILED, s(32), &settings());
        assert_eq!(again.admits(s(33), &settings()), Admission::NotBefore(s(62)));
    }

    #[test]
    fn a_call_that_says_nothing_gives_its_place_back() {
        let settings = Settings { half_open_calls: 1, ..settings() };
        let trying = after(&[FAILED; 5], 0).begin(s(30), &settings);
        assert_ne!(trying.admits(s(30), &settings), Admission::Yes);
        assert_eq!(trying.observe(Outcome::Neither, s(31), &settings).admits(s(31), &settings), Admission::Yes);
    }

    #[test]
    fn a_call_whose_end_is_never_told_does_not_hold_its_place_for_ever() {
        let settings = Settings { half_open_calls: 1, ..settings() };
        let trying = after(&[FAILED; 5], 0).begin(s(30), &settings);
        assert_eq!(trying.admits(s(60), &settings), Admission::Yes);
        let second = trying.begin(s(60), &settings);
        assert_ne!(second.admits(s(61), &settings), Admission::Yes);
    }

    #[test]
    fn a_provider_that_asks_to_be_left_alone_is() {
        let limited = after(&[Outcome::Failed(Some(s(20)))], 0);
        assert_eq!(limited.phase(s(1)), Phase::Closed);
        assert_eq!(limited.admits(s(19), &settings()), Admission::NotBefore(s(20)));
        assert_eq!(limited.admits(s(20), &settings()), Admission::Yes);
    }

    #[test]
    fn half_of_the_calls_failing_opens_it_where_a_rate_is_set_and_there_are_enough() {
        let settings = Settings { failure_rate: Some((0.5, 10)), failure_threshold: 100, ..settings() };
        let run = |calls: usize| {
            (0..calls).fold(Breaker::default(), |breaker, n| {
                let outcome = if n % 2 == 0 { ANSWERED } else { FAILED };
                breaker.begin(s(1), &settings).observe(outcome, s(1), &settings)
            })
        };
        assert_eq!(run(8).phase(s(1)), Phase::Closed);
        assert_eq!(run(10).phase(s(1)), Phase::Open);
    }

    #[test]
    fn failures_of_long_ago_do_not_count_for_the_rate() {
        let settings = Settings { failure_rate: Some((0.5, 4)), failure_threshold: 100, ..settings() };
        let old = (0..3).fold(Breaker::default(), |breaker, _| breaker.observe(FAILED, s(0), &settings));
        assert_eq!(old.observe(FAILED, s(500), &settings).phase(s(500)), Phase::Closed);
    }

    #[test]
    fn an_answer_that_took_too_long_is_a_failure_where_that_is_set() {
        let settings = Settings { slow: Some(s(30)), failure_threshold: 1, ..settings() };
        let slow = Breaker::default().observe(Outcome::Answered(s(31)), s(31), &settings);
        assert_eq!(slow.phase(s(31)), Phase::Open);
    }

    proptest! {
        #[test]
        fn whatever_happens_it_lets_a_call_through_again_some_time(steps in proptest::collection::vec((0_u8..4, 0_u64..50), 0..60)) {
            let settings = settings();
            let mut breaker = Breaker::default();
            let mut now = 0;
            for (what, later) in steps {
                now += later;
                breaker = match what {
                    0 => breaker.begin(s(now), &settings),
                    1 => breaker.observe(ANSWERED, s(now), &settings),
                    2 => breaker.observe(Outcome::Failed(Some(s(later))), s(now), &settings),
                    _ => breaker.observe(Outcome::Neither, s(now), &settings),
                };
            }
            prop_assert_eq!(breaker.admits(s(now + 1_000), &settings), Admission::Yes);
        }
    }
}
