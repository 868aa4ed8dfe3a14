//! How many of a provider's requests may get an attempt beside the one at it, and from when on that is slow.

use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use gw_policy::hedge::{Budget, Taken, Threshold};

use super::{Rules, Standing};

impl Standing {
    /// After which time an attempt at it is slow; `None` if that is not known.
    pub fn slow_after(&self, rules: &Rules, threshold: Threshold, now: Duration) -> Option<Duration> {
        threshold.after(|share| {
            let tracking = rules.tracking?;
            self.seen.lock().latency.quantile_of_enough(share, now, tracking)
        })
    }

    /// A request has come to it that may get an attempt beside this one, if it is slow.
    pub fn may_be_slow(&self, budget: Budget) {
        // Nothing is taken as long as nobody is slow: then this is a load.
        let bring = |taken| Some(budget.request(Taken(taken)).0).filter(|next| *next != taken);
        let _ = self.hedges_taken.fetch_update(Relaxed, Relaxed, bring);
    }

    /// Takes an attempt beside one at it from the budget, if there is one left.
    pub fn hedge(&self, budget: Budget) -> bool {
        let take = |taken| budget.hedge(Taken(taken)).map(|next| next.0);
        self.hedges_taken.fetch_update(Relaxed, Relaxed, take).is_ok()
    }

    /// An attempt at it was given up after this time, because another was faster: its answer would have taken longer. If that
    /// was not remembered, only quick answers were measured.
    pub fn outlasted(&self, rules: &Rules, took: Duration, now: Duration) {
        self.measure(rules, took, now);
    }
}

#[cfg(test)]
mod tests {
    use gw_policy::measure::Tracking;

    use super::*;

    fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn many_workers_together_take_no_more_than_the_budget() {
        let (standing, budget) = (Standing::default(), Budget::of_share(0.1));
        let hedges = std::thread::scope(|scope| {
            let worker = || {
                let hedges = (0..1_000).filter(|_| {
                    standing.may_be_slow(budget);
                    standing.hedge(budget)
                });
                hedges.count()
            };
            let workers: Vec<_> = (0..4).map(|_| scope.spawn(worker)).collect();
            workers.into_iter().map(|worker| worker.join().unwrap()).sum::<usize>()
        });
        assert!((400..=410).contains(&hedges), "{hedges} of 4000");
    }

    #[test]
    fn what_is_slow_is_learnt_from_what_was_measured_and_from_who_was_given_up() {
        let rules = Rules { tracking: Some(Tracking::default()), ..Rules::default() };
        let (standing, p90) = (Standing::default(), Threshold::Quantile(0.9));
        for _ in 0..18 {
            standing.measure(&rules, s(1), s(9));
        }
        standing.outlasted(&rules, s(4), s(9));
        assert_eq!(standing.slow_after(&rules, p90, s(9)), None, "too few");
        (0..3).for_each(|_| standing.outlasted(&rules, s(4), s(9)));
        assert_eq!(standing.slow_after(&rules, p90, s(9)), Some(s(4)));
        let unmeasured = Rules::default();
        assert_eq!(standing.slow_after(&unmeasured, p90, s(9)), None);
        assert_eq!(standing.slow_after(&unmeasured, Threshold::After(s(3)), s(9)), Some(s(3)));
    }
}
