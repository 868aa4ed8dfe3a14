//! When a slow attempt gets another one beside it, and how many may: hedges must not add load to providers in trouble.

use std::time::Duration;

use crate::measure::{Samples, Tracking};

/// Fewer measurements say nothing of what is slow.
pub const SAMPLES_MIN: usize = 20;
/// So many attempts may get one beside them at once, before the share counts.
pub const BURST: u32 = 10;
/// What an attempt beside another takes from the budget. What a request brings is a part of it.
const ONE: u32 = 1_000_000;

/// From when on an attempt is slow.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Threshold {
    /// After this time.
    After(Duration),
    /// After the time in which this share of the provider's answers, from 0 to 1, begins lately. While there are fewer than
    /// [`SAMPLES_MIN`] of them, no attempt is slow.
    Quantile(f64),
}

impl Threshold {
    /// Whether it goes by what is measured.
    pub fn measures(self) -> bool {
        matches!(self, Self::Quantile(_))
    }

    /// After which time an attempt is slow now, by how long answers took to begin lately, in seconds; `None` if it never
    /// is.
    pub fn after(self, latency_s: impl FnOnce(f64) -> Option<f64>) -> Option<Duration> {
        match self {
            Self::After(after) => Some(after),
            Self::Quantile(share) => latency_s(share).and_then(|s| Duration::try_from_secs_f64(s).ok()),
        }
    }
}

impl Samples {
    /// The value that this share of them does not exceed, where there are enough of them to say.
    pub fn quantile_of_enough(&self, share: f64, now: Duration, tracking: Tracking) -> Option<f64> {
        self.quantile(share, now, tracking).filter(|_| self.count(now, tracking) >= SAMPLES_MIN)
    }
}

/// How many of a provider's requests may get an attempt beside the one at it: this share of them, and [`BURST`] more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    share_millionths: u32,
}

/// What of a budget is taken: a value that each request turns into the next. Nothing is, at first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Taken(pub u32);

impl Budget {
    /// A share of the requests, from 0 to 1. With none, no attempt is made beside another.
    pub fn of_share(share: f64) -> Self {
        // A number that is none is no share; what is too large is all.
        Self { share_millionths: (share.clamp(0.0, 1.0) * f64::from(ONE)).round() as u32 }
    }

    /// The share, from 0 to 1.
    pub fn share(self) -> f64 {
        f64::from(self.share_millionths) / f64::from(ONE)
    }

    /// A request comes: it brings its share.
    #[must_use]
    pub fn request(self, taken: Taken) -> Taken {
        Taken(taken.0.saturating_sub(self.share_millionths))
    }

    /// An attempt is to be made beside another; `None` if the budget is used up.
    #[must_use]
    pub fn hedge(self, taken: Taken) -> Option<Taken> {
        let next = taken.0.checked_add(ONE)?;
        (self.share_millionths > 0 && next <= BURST * ONE).then_some(Taken(next))
    }
}

impl Default for Budget {
    fn default() -> Self {
        Self { share_millionths: ONE / 10 }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// How many of so many requests get an attempt beside theirs if all of them are slow.
    fn hedges(budget: Budget, requests: u32) -> u32 {
        let mut taken = Taken::default();
        let slow = (0..requests).filter(|_| {
            taken = budget.request(taken);
            budget.hedge(taken).inspect(|next| taken = *next).is_some()
        });
        slow.count() as u32
    }

    #[test]
    fn a_pool_in_trouble_gets_a_share_more_and_no_second_load() {
        assert_eq!(hedges(Budget::default(), 1_000), 109);
        assert_eq!(hedges(Budget::of_share(0.5), 1_000), 509);
        assert_eq!(hedges(Budget::of_share(1.0), 1_000), 1_000);
        assert_eq!(hedges(Budget::of_share(0.0), 1_000), 0, "not even the first");
        assert_eq!(hedges(Budget::of_share(f64::NAN), 1_000), 0);
    }

    #[test]
    fn what_was_used_up_comes_back_with_the_requests_and_is_never_more_than_a_burst() {
        let budget = Budget::of_share(0.1);
        let empty = (0..BURST).try_fold(Taken::default(), |taken, _| budget.hedge(taken)).unwrap();
        assert_eq!(budget.hedge(empty), None);
        let nine = (0..9).fold(empty, |taken, _| budget.request(taken));
        assert_eq!(budget.hedge(nine), None);
        assert!(budget.hedge(budget.request(nine)).is_some(), "ten requests bring one");
        let rested = (0..10_000).fold(empty, |taken, _| budget.request(taken));
        assert_eq!(rested, Taken::default());
    }

    #[test]
    fn few_measurements_make_nobody_slow() {
        let (tracking, now) = (Tracking::default(), Duration::from_secs(9));
        let mut samples = Samples::default();
        let p95 = |samples: &Samples| {
            Threshold::Quantile(0.95).after(|share| samples.quantile_of_enough(share, now, tracking))
        };
        for took in 1..SAMPLES_MIN {
            samples.push(now, took as f64, tracking);
        }
        assert_eq!(p95(&samples), None);
        samples.push(now, 100.0, tracking);
        assert_eq!(p95(&samples), Some(Duration::from_secs(19)), "19 of 20 have begun by then");
        let old = now + tracking.window * 2;
        assert_eq!(samples.quantile_of_enough(0.95, old, tracking), None, "what is old says nothing");
        let fixed = Threshold::After(Duration::from_secs(3));
        assert_eq!(fixed.after(|_| None), Some(Duration::from_secs(3)));
    }

    proptest! {
        #[test]
        fn over_any_run_no_more_than_the_share_and_a_burst_is_given(
            slow in prop::collection::vec(any::<bool>(), 1..2_000),
            share in 0.0_f64..=1.0,
            begin in 0_usize..2_000,
        ) {
            let budget = Budget::of_share(share);
            let mut taken = Taken::default();
            let mut given = Vec::new();
            for is_slow in &slow {
                taken = budget.request(taken);
                let next = budget.hedge(taken).filter(|_| *is_slow);
                given.push(next.is_some());
                taken = next.unwrap_or(taken);
            }
            let run = given.get(begin..).unwrap_or_default();
            let hedges = run.iter().filter(|given| **given).count() as f64;
            let allowed = budget.share() * run.len() as f64 + f64::from(BURST);
            prop_assert!(hedges <= allowed + 1e-6, "{hedges} of {} requests", run.len());
        }
    }
}
