//! What has been measured of a target lately.

use std::collections::VecDeque;
use std::time::Duration;

/// How much older a measurement counts than the next newer one: a target that changes is noticed after a few calls.
const FADING: f64 = 0.8;

/// What balancing knows of a target.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Measured {
    /// How long it takes until its answer begins.
    pub latency: Option<Duration>,
    /// When that was last measured.
    pub measured_at: Option<Duration>,
    /// Tokens it writes in a second.
    pub tokens_per_second: Option<f64>,
    /// Calls that it is serving for us.
    pub in_flight: u32,
    /// What a million tokens of a usual mix cost, in nanodollars; `None` if that is not known.
    pub price: Option<i64>,
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

    /// The value that this share of them, from 0 to 1, does not exceed.
    pub fn quantile(&self, share: f64, now: Duration, tracking: Tracking) -> Option<f64> {
        let mut values: Vec<f64> = self.recent(now, tracking).map(|(_, value)| *value).collect();
        values.sort_by(f64::total_cmp);
        let rank = (share.clamp(0.0, 1.0) * values.len() as f64).ceil() as usize;
        values.get(rank.saturating_sub(1)).copied()
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
