//! What has been measured of a target lately.

use std::collections::VecDeque;
use std::time::Duration;

/// How much older a measurement counts than the next newer one: a target that changes is noticed after a few calls.
const FADING: f64 = 0.8;

/// What was measured is from long ago after half of the window, and after half of this at the latest.
const STALE_WINDOW_MAX: Duration = Duration::from_secs(60);

/// What balancing knows of a target.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Measured {
    /// How long it takes until its answer begins.
    pub latency: Option<Duration>,
    /// When something was last heard of it: a measurement, or a failure. `None` if nothing ever was.
    pub heard_at: Option<Duration>,
    /// After how long what was heard is from long ago.
    pub stale_after: Duration,
    /// Tokens it writes in a second.
    pub tokens_per_second: Option<f64>,
    /// The share of its calls that went wrong, from 0 to 1: no answer, or a call of a tool that nobody can follow.
    pub faults: Option<f64>,
    /// Calls that it is serving for us.
    pub in_flight: u32,
    /// What a million tokens of a usual mix cost, in nanodollars; `None` if that is not known.
    pub price: Option<i64>,
}

/// How quick a request would like its target to be. All that is said must be met.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Preference {
    /// Of this share of the answers, from 0 to 1, how long they take to begin at most.
    pub latency_max: Vec<(f64, Duration)>,
    /// In this share of the answers, how many tokens are written in a second at least.
    pub tokens_per_second_min: Vec<(f64, f64)>,
}

impl Preference {
    /// Whether a target meets it, as far as anything is known of it. `latency_s` and `tokens_per_second` give the value
    /// that a share of what was measured does not exceed.
    pub fn is_met(
        &self,
        latency_s: impl Fn(f64) -> Option<f64>,
        tokens_per_second: impl Fn(f64) -> Option<f64>,
    ) -> bool {
        let begins = |(share, most): &(f64, Duration)| latency_s(*share).is_none_or(|took| took <= most.as_secs_f64());
        // Most answers are quicker than what few of them do not exceed.
        let writes = |(share, least): &(f64, f64)| tokens_per_second(1.0 - share).is_none_or(|speed| speed >= *least);
        self.latency_max.iter().all(begins) && self.tokens_per_second_min.iter().all(writes)
    }

    /// Whether nothing is said.
    pub fn is_empty(&self) -> bool {
        self.latency_max.is_empty() && self.tokens_per_second_min.is_empty()
    }
}

/// How far back, and over how many measurements.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tracking {
    /// Older ones do not count.
    pub window: Duration,
    /// Of more, the newest count.
    pub samples_max: usize,
}

impl Default for Tracking {
    fn default() -> Self {
        Self { window: Duration::from_secs(300), samples_max: 100 }
    }
}

impl Tracking {
    /// After how long a measurement is from long ago, so that it is time for another: before it has left the window.
    pub fn stale_after(self) -> Duration {
        self.window.min(STALE_WINDOW_MAX) / 2
    }
}

/// The latest measurements of one quantity.
#[derive(Debug, Clone, Default)]
pub struct Samples {
    newest_last: VecDeque<(Duration, f64)>,
}

impl Samples {
    /// Adds one.
    pub fn push(&mut self, at: Duration, value: f64, tracking: Tracking) {
        self.forget(at, tracking);
        while self.newest_last.len() >= tracking.samples_max.max(1) {
            self.newest_last.pop_front();
        }
        self.newest_last.push_back((at, value));
    }

    /// What is to be expected: the mean, in which newer ones count for more. `None` if nothing was measured in the
    /// window.
    pub fn expected(&self, now: Duration, tracking: Tracking) -> Option<f64> {
        let mut weight = 1.0;
        let (mut sum, mut weights) = (0.0, 0.0);
        for (_, value) in self.recent(now, tracking).rev() {
            sum += value * weight;
            weights += weight;
            weight *= FADING;
        }
        (weights > 0.0).then(|| sum / weights)
    }

    /// Their mean, in which all count alike: for what is true or not of each. `None` if nothing was measured in the window.
    pub fn mean(&self, now: Duration, tracking: Tracking) -> Option<f64> {
        let (sum, count) =
            self.recent(now, tracking).fold((0.0, 0.0), |(sum, count), (_, value)| (sum + value, count + 1.0));
        (count > 0.0).then(|| sum / count)
    }

    /// The value that this share of them, from 0 to 1, does not exceed.
    pub fn quantile(&self, share: f64, now: Duration, tracking: Tracking) -> Option<f64> {
        let mut values: Vec<f64> = self.recent(now, tracking).map(|(_, value)| *value).collect();
        values.sort_by(f64::total_cmp);
        let rank = (share.clamp(0.0, 1.0) * values.len() as f64).ceil() as usize;
        values.get(rank.saturating_sub(1)).copied()
    }

    /// How many there are in the window.
    pub fn count(&self, now: Duration, tracking: Tracking) -> usize {
        self.recent(now, tracking).count()
    }

    /// When the newest was added.
    pub fn newest_at(&self) -> Option<Duration> {
        self.newest_last.back().map(|(at, _)| *at)
    }

    fn recent(&self, now: Duration, tracking: Tracking) -> impl DoubleEndedIterator<Item = &(Duration, f64)> {
        let since = now.saturating_sub(tracking.window);
        self.newest_last.iter().filter(move |(at, _)| *at >= since)
    }

    fn forget(&mut self, now: Duration, tracking: Tracking) {
        let since = now.saturating_sub(tracking.window);
        while self.newest_last.front().is_some_and(|(at, _)| *at < since) {
            self.newest_last.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn a_change_shows_after_a_few_measurements() {
        let mut samples = Samples::default();
        for at in 0..90 {
            samples.push(s(at), 2.0, Tracking::default());
        }
        for at in 90..98 {
            samples.push(s(at), 5.0, Tracking::default());
        }
        let expected = samples.expected(s(98), Tracking::default()).unwrap();
        assert!(expected > 4.4, "{expected}");
    }

    #[test]
    fn a_preference_is_met_by_most_answers_and_by_whom_nothing_is_known_of() {
        let mut speeds = Samples::default();
        for speed in [100.0, 90.0, 80.0, 70.0, 60.0, 50.0, 40.0, 30.0, 20.0, 10.0] {
            speeds.push(s(1), speed, Tracking::default());
        }
        let speed_at = |share| speeds.quantile(share, s(1), Tracking::default());
        let at_least =
            |share, least| Preference { tokens_per_second_min: vec![(share, least)], ..Preference::default() };
        assert!(at_least(0.5, 50.0).is_met(|_| None, speed_at));
        assert!(!at_least(0.5, 60.0).is_met(|_| None, speed_at));
        assert!(at_least(0.9, 10.0).is_met(|_| None, speed_at), "nine of ten write at least 10");
        assert!(!at_least(0.9, 50.0).is_met(|_| None, speed_at), "and not nine of ten write 50");
        assert!(at_least(0.9, 50.0).is_met(|_| None, |_| None), "nothing is known");
        let at_most = Preference { latency_max: vec![(0.9, s(2))], ..Preference::default() };
        assert!(at_most.is_met(|_| Some(2.0), |_| None) && !at_most.is_met(|_| Some(2.1), |_| None));
    }

    #[test]
    fn what_is_older_than_the_window_does_not_count() {
        let mut samples = Samples::default();
        samples.push(s(0), 9.0, Tracking::default());
        assert_eq!(samples.expected(s(300), Tracking::default()), Some(9.0));
        assert_eq!(samples.expected(s(301), Tracking::default()), None);
    }

    #[test]
    fn no_more_than_the_newest_are_kept() {
        let tracking = Tracking { samples_max: 3, ..Tracking::default() };
        let mut samples = Samples::default();
        for value in [100.0, 1.0, 2.0, 3.0] {
            samples.push(s(1), value, tracking);
        }
        assert_eq!(samples.quantile(1.0, s(1), tracking), Some(3.0));
        assert_eq!(samples.quantile(0.5, s(1), tracking), Some(2.0));
        assert_eq!(samples.quantile(0.0, s(1), tracking), Some(1.0));
    }
}
