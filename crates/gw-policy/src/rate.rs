//! A cap on how many requests a target gets: beyond it, requests overflow to the next.

use std::time::Duration;

/// Into so many slots the span of a cap is divided: calls are counted for each of them.
const SLOTS: usize = 60;
/// As many and one more: the oldest one is in a span only in part, and counts as a whole.
const COUNTED: usize = SLOTS + 1;

/// So many calls in any span of this length, wherever it begins. What a call takes is given back when a span has passed
/// since the end of the slot in which it came: a sixtieth of the span late at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cap {
    /// Calls.
    pub calls: u32,
    /// In how long.
    pub per: Duration,
}

/// How far a cap is used: a value that each call turns into the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Used {
    /// The number of the newest slot, counted from the beginning of time.
    newest: u64,
    /// The calls of each slot, by its number modulo their count.
    calls: [u32; COUNTED],
}

impl Default for Used {
    fn default() -> Self {
        Self { newest: 0, calls: [0; COUNTED] }
    }
}

impl Cap {
    /// How long it is until the next call has a place; nothing if it has one now.
    pub fn wait(self, used: &Used, now: Duration) -> Duration {
        if self.calls == 0 {
            return Duration::MAX;
        }
        let used = used.at(self.slot(now));
        let oldest = used.newest.saturating_sub(SLOTS as u64);
        let mut left = used.total();
        for slot in oldest..=used.newest {
            if left < u64::from(self.calls) {
                // Places have come with the end of the slot before this one.
                return if slot == oldest { Duration::ZERO } else { self.given_back(slot - 1).saturating_sub(now) };
            }
            left -= u64::from(used.calls_in(slot));
        }
        self.given_back(used.newest).saturating_sub(now)
    }

    /// How many of the places are taken.
    pub fn taken(self, used: &Used, now: Duration) -> u32 {
        u32::try_from(used.at(self.slot(now)).total()).unwrap_or(u32::MAX).min(self.calls)
    }

    /// A call takes a place.
    #[must_use]
    pub fn take(self, used: &Used, now: Duration) -> Used {
        let mut used = used.at(self.slot(now));
        let newest = used.newest;
        if let Some(calls) = used.calls.get_mut(place(newest)) {
            *calls = calls.saturating_add(1);
        }
        used
    }

    fn slot(self, now: Duration) -> u64 {
        u64::try_from(now.as_nanos() / self.slot_ns()).unwrap_or(u64::MAX)
    }

    /// When the places of a slot are given back.
    fn given_back(self, slot: u64) -> Duration {
        let ns = self.slot_ns().saturating_mul(u128::from(slot.saturating_add(COUNTED as u64)));
        Duration::from_nanos(u64::try_from(ns).unwrap_or(u64::MAX))
    }

    fn slot_ns(self) -> u128 {
        self.per.as_nanos().div_ceil(SLOTS as u128).max(1)
    }
}

impl Used {
    /// The same when this slot has begun: those that are too old are forgotten.
    fn at(&self, slot: u64) -> Self {
        let mut used = *self;
        let passed = slot.saturating_sub(self.newest);
        for old in self.newest + 1..=self.newest.saturating_add(passed.min(COUNTED as u64)) {
            if let Some(calls) = used.calls.get_mut(place(old)) {
                *calls = 0;
            }
        }
        used.newest = self.newest.max(slot);
        used
    }

    fn calls_in(&self, slot: u64) -> u32 {
        self.calls.get(place(slot)).copied().unwrap_or(0)
    }

    fn total(&self) -> u64 {
        self.calls.iter().copied().map(u64::from).sum()
    }
}

fn place(slot: u64) -> usize {
    (slot % COUNTED as u64) as usize
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const CAP: Cap = Cap { calls: 100, per: Duration::from_secs(60) };

    fn ms(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    /// The times at which calls came that had a place.
    fn let_through(cap: Cap, times: impl Iterator<Item = Duration>) -> (Vec<Duration>, Used) {
        times.fold((Vec::new(), Used::default()), |(mut taken, used), now| {
            if !cap.wait(&used, now).is_zero() {
                return (taken, used);
            }
            taken.push(now);
            (taken, cap.take(&used, now))
        })
    }

    #[test]
    fn places_are_taken_by_calls_and_given_back_a_minute_later() {
        let (_, used) = let_through(CAP, (5..15).map(|second| ms(second * 1_000)));
        assert_eq!(CAP.taken(&used, ms(15_000)), 10);
        assert_eq!(CAP.taken(&used, ms(65_999)), 10);
        assert_eq!(CAP.taken(&used, ms(66_000)), 9);
        assert_eq!(CAP.taken(&used, ms(99_000)), 0);
        assert_eq!(CAP.taken(&used, Duration::from_secs(10_000_000)), 0);
    }

    #[test]
    fn a_burst_has_the_whole_minute_and_then_nobody_has_a_place_until_it_is_a_minute_old() {
        let (taken, used) = let_through(CAP, (0..500).map(|_| ms(5_000)));
        assert_eq!(taken.len(), 100);
        assert_eq!(CAP.wait(&used, ms(5_000)), ms(61_000));
        assert_eq!(CAP.wait(&used, ms(65_999)), ms(1));
        assert_eq!(CAP.wait(&used, ms(66_000)), Duration::ZERO);
    }

    #[test]
    fn who_calls_evenly_has_nearly_the_whole_cap() {
        let cap = Cap { calls: 10, ..CAP };
        let (taken, _) = let_through(cap, (0..36_000).map(|tenth| ms(tenth * 100)));
        assert!((590..=600).contains(&taken.len()), "{} in an hour", taken.len());
    }

    #[test]
    fn a_cap_of_none_has_no_place_ever() {
        let none = Cap { calls: 0, ..CAP };
        assert_eq!(none.wait(&Used::default(), ms(9_000)), Duration::MAX);
    }

    #[test]
    fn a_clock_that_is_a_little_behind_takes_nothing_back() {
        let (_, used) = let_through(CAP, (0..100).map(|_| ms(5_000)));
        assert!(!CAP.wait(&used, ms(3_999)).is_zero());
        assert_eq!(CAP.taken(&CAP.take(&Used::default(), ms(3_999)), ms(3_000)), 1);
    }

    proptest! {
        #[test]
        fn no_minute_has_more_than_the_cap_and_the_wait_is_told_truly(
            gaps in prop::collection::vec(prop_oneof![Just(0_u64), 0_u64..1_500, 20_000_u64..90_000], 1..500),
            calls in 1_u32..40,
            waits: bool,
        ) {
            let cap = Cap { calls, ..CAP };
            let (mut now, mut used, mut taken) = (Duration::ZERO, Used::default(), Vec::new());
            for gap in gaps {
                now += ms(gap);
                let wait = cap.wait(&used, now);
                prop_assert!(wait <= ms(61_000));
                if !wait.is_zero() {
                    prop_assert!(!cap.wait(&used, now + wait - Duration::from_nanos(1)).is_zero(), "not sooner");
                    prop_assert!(cap.wait(&used, now + wait).is_zero(), "and not later");
                    if !waits {
                        continue;
                    }
                    now += wait;
                }
                used = cap.take(&used, now);
                taken.push(now);
            }
            for (index, begin) in taken.iter().enumerate() {
                let within = taken[index..].iter().take_while(|at| **at <= *begin + cap.per).count();
                prop_assert!(within <= calls as usize, "{within} calls in a minute, of {calls}");
            }
        }
    }
}
