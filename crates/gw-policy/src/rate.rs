//! A cap on how many requests a target gets: beyond it, requests overflow to the next.

use std::time::Duration;

/// So many calls in a span of time, in any span of that length nearly evenly spread after a first burst. The generic
/// cell rate algorithm (ITU-T I.371), whose whole state is one time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cap {
    /// Calls.
    pub calls: u32,
    /// In how long.
    pub per: Duration,
}

/// How far a cap is used: a value that each call turns into the next.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Used {
    /// When the calls so far would have come, had they come evenly.
    until: Duration,
}

impl Cap {
    fn each(self) -> Duration {
        self.per / self.calls.max(1)
    }

    /// How long it is until the next call has a place; nothing if it has one now.
    pub fn wait(self, used: Used, now: Duration) -> Duration {
        if self.calls == 0 {
            return Duration::MAX;
        }
        let latest = used.until.max(now) + self.each();
        latest.saturating_sub(now + self.per)
    }

    /// How many of the places are taken.
    pub fn taken(self, used: Used, now: Duration) -> u32 {
        let each_ns = self.each().as_nanos().max(1);
        let taken = used.until.saturating_sub(now).as_nanos().div_ceil(each_ns);
        u32::try_from(taken).unwrap_or(u32::MAX).min(self.calls)
    }

    /// A call takes a place.
    #[must_use]
    pub fn take(self, used: Used, now: Duration) -> Used {
        Used { until: used.until.max(now) + self.each() }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const CAP: Cap = Cap { calls: 100, per: Duration::from_secs(60) };

    fn taken(cap: Cap, times: impl Iterator<Item = Duration>) -> (usize, Used) {
        times.fold((0, Used::default()), |(count, used), now| match cap.wait(used, now) {
            Duration::ZERO => (count + 1, cap.take(used, now)),
            _ => (count, used),
        })
    }

    #[test]
    fn places_are_taken_by_calls_and_given_back_by_time() {
        let used = (0..10).fold(Used::default(), |used, _| CAP.take(used, Duration::from_secs(5)));
        assert_eq!(CAP.taken(used, Duration::from_secs(5)), 10);
        assert_eq!(CAP.taken(used, Duration::from_secs(8)), 5);
        assert_eq!(CAP.taken(used, Duration::from_secs(60)), 0);
    }

    #[test]
    fn a_burst_has_the_whole_minute_and_then_places_come_one_by_one() {
        let (count, used) = taken(CAP, (0..500).map(|_| Duration::from_secs(5)));
        assert_eq!(count, 100);
        assert_eq!(CAP.wait(used, Duration::from_secs(5)), Duration::from_millis(600));
        assert_eq!(CAP.wait(used, Duration::from_millis(5_600)), Duration::ZERO);
    }

    #[test]
    fn a_cap_of_none_has_no_place_ever() {
        let none = Cap { calls: 0, per: Duration::from_secs(60) };
        assert_eq!(none.wait(Used::default(), Duration::from_secs(9)), Duration::MAX);
    }

    proptest! {
        #[test]
        fn no_minute_has_more_than_a_burst_and_the_places_that_come_meanwhile(gaps in proptest::collection::vec(0_u64..2_000, 1..600)) {
            let mut now = Duration::ZERO;
            let mut used = Used::default();
            let mut calls = Vec::new();
            for gap in gaps {
                now += Duration::from_millis(gap);
                if CAP.wait(used, now).is_zero() {
                    used = CAP.take(used, now);
                    calls.push(now);
                }
            }
            for (index, begin) in calls.iter().enumerate() {
                let within = calls[index..].iter().take_while(|at| **at < *begin + CAP.per).count();
                prop_assert!(within <= 200, "{within} calls in a minute");
            }
        }
    }
}
