//! The circuit breaker of a target: leaves it out while it fails, and tries now and then whether it is well again.

use std::time::Duration;

/// The longest that a target is left alone because it asks for that. A `Retry-After` beyond it is a mistake, or a quota that
/// others may raise meanwhile: it is asked again now and then.
pub const REST_MAX: Duration = Duration::from_secs(300);

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
    Open { since: Duration, until: Duration, successes: u32 },
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
    /// It was answered that the request cannot be served, after this long: the target is alive, and nothing else is known.
    Refused(Duration),
    /// The target failed; it asked to be left alone for so long, if it did. No more than [`REST_MAX`] of it counts.
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
            State::Open { until, .. } if now < until => Phase::Open,
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
            State::Open { until, .. } if now < until => Admission::NotBefore(until),
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
            State::Open { until, successes, .. } if now >= until => State::HalfOpen { calls: 1, successes, since: now },
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
        match outcome {
            Outcome::Answered(took) if settings.slow.is_some_and(|slow| took >= slow) => self.failed(now, settings),
            Outcome::Answered(took) => {
                let tally = self.tally.count(false, now, settings.window);
                let state = match self.state {
                    State::Closed { .. } => State::Closed { failures_in_a_row: 0 },
                    state @ (State::Open { .. } | State::HalfOpen { .. }) => state,
                };
                Self { state, tally, ..self }.alive(now.saturating_sub(took), settings)
            }
            Outcome::Refused(took) => self.alive(now.saturating_sub(took), settings),
            Outcome::Failed(asked) => {
                let rests_until = asked.map_or(Duration::ZERO, |asked| now + asked.min(REST_MAX));
                Self { cooling_until: self.cooling_until.max(rests_until), ..self }.failed(now, settings)
            }
            Outcome::Neither => Self { state: self.state.released(), ..self },
        }
    }

    /// A call that began then has shown that the target is alive. Enough of them close the breaker, even if they were
    /// made while it was open because there was nobody else.
    fn alive(self, began: Duration, settings: &Settings) -> Self {
        let (state, successes) = match self.state {
            State::Closed { .. } => return self,
            // It began before the breaker opened, and its end says nothing of what came after.
            State::Open { since, .. } if began < since => return self,
            State::Open { since, until, successes } => {
                (State::Open { since, until, successes: successes + 1 }, successes + 1)
            }
            State::HalfOpen { calls, successes, since } => {
                let calls = calls.saturating_sub(1);
                (State::HalfOpen { calls, successes: successes + 1, since }, successes + 1)
            }
        };
        if successes >= settings.success_threshold {
            return Self { cooling_until: self.cooling_until, ..Self::default() };
        }
        Self { state, ..self }
    }

    fn failed(self, now: Duration, settings: &Settings) -> Self {
        let tally = self.tally.count(true, now, settings.window);
        let open = State::Open { since: now, until: now + settings.open_for, successes: 0 };
        let state = match self.state {
            State::Closed { failures_in_a_row } => {
                let failures_in_a_row = failures_in_a_row + 1;
                let too_many = failures_in_a_row >= settings.failure_threshold.max(1);
                let too_often = settings.failure_rate.is_some_and(|(rate, calls)| tally.exceeds(rate, calls));
                if too_many || too_often { open } else { State::Closed { failures_in_a_row } }
            }
            State::HalfOpen { .. } => open,
            State::Open { since, until, .. } => State::Open { since, until, successes: 0 },
        };
        Self { state, tally, ..self }
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
mod tests;
