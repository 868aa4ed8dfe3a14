//! A canary: a new target gets a share of the requests until it has shown that it holds, or that it does not.

use std::fmt;
use std::time::Duration;

use crate::condition::Comparison;
use crate::dice::Dice;

/// What is tried, for how long, and by what it is judged.
#[derive(Debug, Clone, PartialEq)]
pub struct Rollout {
    /// Its share of the requests, from 0 to 1.
    pub share: f64,
    /// How long it is watched before it is judged a success.
    pub duration: Duration,
    /// Calls before it is judged at all.
    pub calls_min: u32,
    /// What must hold at the end.
    pub success: Vec<Criterion>,
    /// What ends it at once.
    pub rollback: Vec<Criterion>,
    /// Whether it takes all requests when it has succeeded; else it keeps its share until somebody decides.
    pub promote: bool,
}

/// A comparison of something measured.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Criterion {
    /// What is measured.
    pub what: Quantity,
    /// How it is compared.
    pub comparison: Comparison,
    /// With what: a share, seconds, or a share of the others' cost.
    pub bound: f64,
}

/// What is measured of a canary.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quantity {
    /// The share of its calls that fail.
    ErrorRate,
    /// The seconds within which 95 of 100 of its answers come.
    LatencyP95,
    /// By how much a call costs more than the others' calls, as a share of theirs.
    CostIncrease,
}

/// What has been measured so far.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Seen {
    /// Calls that ended, well or not.
    pub calls: u32,
    /// Those that failed.
    pub failures: u32,
    /// Seconds within which 95 of 100 answers came.
    pub latency_p95_s: Option<f64>,
    /// By how much a call cost more than the others' calls, as a share of theirs.
    pub cost_increase: Option<f64>,
}

/// Where a canary stands.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Stage {
    /// It gets its share.
    Watched,
    /// It failed, and gets nothing any more; by this criterion, at this value.
    RolledBack(Criterion, f64),
    /// It has succeeded and takes everything.
    Promoted,
    /// It has succeeded, and keeps its share until somebody decides.
    Ready,
    /// Its time is over and a criterion does not hold, or cannot be judged; it keeps its share until somebody decides.
    Undecided,
}

impl Rollout {
    /// Whether a request goes to the canary. Requests of the same caller go the same way, and a larger share keeps those
    /// that a smaller one had.
    pub fn takes(&self, stage: Stage, name: &str, caller: &str) -> bool {
        let share = match stage {
            Stage::Watched | Stage::Ready | Stage::Undecided => self.share,
            Stage::Promoted => 1.0,
            Stage::RolledBack(..) => 0.0,
        };
        Dice::of(format!("{name}\u{1f}{caller}").as_bytes()).share() < share
    }

    /// What becomes of it, `age` after it began.
    pub fn judge(&self, stage: Stage, seen: &Seen, age: Duration) -> Stage {
        let decided = match stage {
            Stage::RolledBack(..) | Stage::Promoted => true,
            Stage::Watched | Stage::Ready | Stage::Undecided => false,
        };
        if decided || seen.calls < self.calls_min {
            return stage;
        }
        let met = |criterion: &Criterion| {
            seen.value(criterion.what).filter(|value| criterion.comparison.holds(*value, criterion.bound))
        };
        if let Some((criterion, value)) = self.rollback.iter().find_map(|one| Some((*one, met(one)?))) {
            return Stage::RolledBack(criterion, value);
        }
        if age < self.duration {
            return stage;
        }
        match (self.success.iter().all(|criterion| met(criterion).is_some()), self.promote) {
            (true, true) => Stage::Promoted,
            (true, false) => Stage::Ready,
            (false, _) => Stage::Undecided,
        }
    }
}

impl Criterion {
    /// Reads `<1%`, `>5s`, `<300ms`, `<=0.01`.
    pub fn read(what: Quantity, text: &str) -> Option<Self> {
        let (comparison, bound) = Comparison::read(text)?;
        let (digits, factor) = match what {
            Quantity::ErrorRate | Quantity::CostIncrease => match bound.strip_suffix('%') {
                Some(digits) => (digits, 0.01),
                None => (bound, 1.0),
            },
            Quantity::LatencyP95 => match (bound.strip_suffix("ms"), bound.strip_suffix('s')) {
                (Some(digits), _) => (digits, 0.001),
                (None, Some(digits)) => (digits, 1.0),
                (None, None) => return None,
            },
        };
        let bound: f64 = digits.trim().parse().ok()?;
        (bound.is_finite() && bound >= 0.0).then_some(Self { what, comparison, bound: bound * factor })
    }
}

impl Seen {
    fn value(&self, what: Quantity) -> Option<f64> {
        match what {
            Quantity::ErrorRate => (self.calls > 0).then(|| f64::from(self.failures) / f64::from(self.calls)),
            Quantity::LatencyP95 => self.latency_p95_s,
            Quantity::CostIncrease => self.cost_increase,
        }
    }
}

impl Stage {
    /// The criterion by which it was rolled back, at which value; `None` if it was not.
    pub const fn rolled_back_for(self) -> Option<(Criterion, f64)> {
        match self {
            Self::RolledBack(criterion, value) => Some((criterion, value)),
            Self::Watched | Self::Promoted | Self::Ready | Self::Undecided => None,
        }
    }

    /// The name in answers, logs and metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Watched => "watched",
            Self::RolledBack(..) => "rolled_back",
            Self::Promoted => "promoted",
            Self::Ready => "ready",
            Self::Undecided => "undecided",
        }
    }
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ErrorRate => "error_rate",
            Self::LatencyP95 => "latency_p95",
            Self::CostIncrease => "cost_increase",
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const WEEK: Duration = Duration::from_secs(7 * 24 * 3600);

    /// The example of the fourth source, read as it is written there.
    fn rollout() -> Rollout {
        let read = |what, text| Criterion::read(what, text).unwrap();
        Rollout {
            share: 0.05,
            duration: WEEK,
            calls_min: 100,
            success: vec![
                read(Quantity::ErrorRate, "<1%"),
                read(Quantity::LatencyP95, "<3s"),
                read(Quantity::CostIncrease, "<10%"),
            ],
            rollback: vec![read(Quantity::ErrorRate, ">5%"), read(Quantity::LatencyP95, ">5s")],
            promote: true,
        }
    }

    fn seen(calls: u32, failures: u32, latency_p95_s: f64) -> Seen {
        Seen { calls, failures, latency_p95_s: Some(latency_p95_s), cost_increase: Some(0.02) }
    }

    #[test]
    fn one_that_fails_is_rolled_back_as_soon_as_there_are_enough_calls() {
        let judge = |seen: &Seen| rollout().judge(Stage::Watched, seen, Duration::from_secs(60));
        assert_eq!(judge(&seen(99, 99, 1.0)), Stage::Watched);
        assert!(matches!(judge(&seen(100, 6, 1.0)), Stage::RolledBack(Criterion { what: Quantity::ErrorRate, .. }, _)));
        assert_eq!(judge(&seen(100, 5, 1.0)), Stage::Watched, "more than 5 %, not 5 %");
        assert!(matches!(
            judge(&seen(100, 0, 5.1)),
            Stage::RolledBack(Criterion { what: Quantity::LatencyP95, .. }, _)
        ));
    }

    #[test]
    fn one_that_holds_is_promoted_at_the_end_and_not_before() {
        let judge = |seen: &Seen, age| rollout().judge(Stage::Watched, seen, age);
        assert_eq!(judge(&seen(10_000, 50, 2.0), WEEK - Duration::from_secs(1)), Stage::Watched);
        assert_eq!(judge(&seen(10_000, 50, 2.0), WEEK), Stage::Promoted);
        assert_eq!(judge(&seen(10_000, 200, 2.0), WEEK), Stage::Undecided);
        assert_eq!(judge(&Seen { cost_increase: None, ..seen(10_000, 50, 2.0) }, WEEK), Stage::Undecided);
        let cautious = Rollout { promote: false, ..rollout() };
        assert_eq!(cautious.judge(Stage::Watched, &seen(10_000, 50, 2.0), WEEK), Stage::Ready);
    }

    #[test]
    fn what_is_decided_stays_decided() {
        let promoted = rollout().judge(Stage::Promoted, &seen(1_000, 999, 9.0), WEEK);
        assert_eq!(promoted, Stage::Promoted);
    }

    #[test]
    fn a_caller_goes_one_way_and_the_share_is_kept() {
        let share = |rollout: &Rollout, stage| {
            (0..10_000).filter(|n| rollout.takes(stage, "new", &format!("user-{n}"))).count()
        };
        assert!((400..600).contains(&share(&rollout(), Stage::Watched)));
        assert_eq!(share(&rollout(), Stage::Promoted), 10_000);
        let (small, large) = (rollout(), Rollout { share: 0.2, ..rollout() });
        for n in 0..2_000 {
            let caller = format!("user-{n}");
            assert!(!small.takes(Stage::Watched, "new", &caller) || large.takes(Stage::Watched, "new", &caller));
        }
    }

    #[test]
    fn criteria_are_read_with_their_units() {
        let bound = |what, text| Criterion::read(what, text).map(|criterion| criterion.bound);
        assert_eq!(bound(Quantity::ErrorRate, "<1%"), Some(0.01));
        assert_eq!(bound(Quantity::ErrorRate, "<= 0.5"), Some(0.5));
        assert_eq!(bound(Quantity::LatencyP95, ">5s"), Some(5.0));
        assert_eq!(bound(Quantity::LatencyP95, "<300ms"), Some(0.3));
        for (what, text) in [(Quantity::ErrorRate, "1%"), (Quantity::LatencyP95, "<3"), (Quantity::CostIncrease, "<x%")]
        {
            assert_eq!(Criterion::read(what, text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn nothing_is_taken_after_a_rollback(caller in ".{0,20}", share in 0.0_f64..=1.0) {
            let rollout = Rollout { share, ..rollout() };
            let Some(criterion) = rollout.rollback.first().copied() else { return Ok(()) };
            prop_assert!(!rollout.takes(Stage::RolledBack(criterion, 1.0), "new", &caller));
        }
    }
}
