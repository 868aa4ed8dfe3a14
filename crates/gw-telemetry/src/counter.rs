//! Numbers that one thread writes and any thread reads.

use std::sync::atomic::{AtomicU64, Ordering};

/// A number that grows. Only one thread may add, which is why a plain load and store are enough: nothing is locked, and
/// no cache line changes its owner.
#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub(crate) fn add(&self, amount: u64) {
        self.0.store(self.0.load(Ordering::Relaxed).wrapping_add(amount), Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// What goes up and down: how often it went each way.
#[derive(Debug, Default)]
pub(crate) struct Level {
    up: Counter,
    down: Counter,
}

impl Level {
    pub(crate) fn raise(&self) {
        self.up.add(1);
    }

    pub(crate) fn lower(&self) {
        self.down.add(1);
    }

    /// How often it went up.
    pub(crate) fn raised(&self) -> u64 {
        self.up.get()
    }

    /// How high it stands.
    pub(crate) fn get(&self) -> u64 {
        // Read in this order: what went down by now went up before.
        let down = self.down.get();
        self.up.get().saturating_sub(down)
    }
}

/// How often something took how long.
#[derive(Debug)]
pub(crate) struct Histogram {
    bounds_us: &'static [u64],
    /// One more than there are bounds: the last is for what is longer than all of them.
    counts: Box<[Counter]>,
    sum_us: Counter,
}

impl Histogram {
    pub(crate) fn new(bounds_us: &'static [u64]) -> Self {
        let counts = (0..=bounds_us.len()).map(|_| Counter::default()).collect();
        Self { bounds_us, counts, sum_us: Counter::default() }
    }

    pub(crate) fn observe(&self, micros: u64) {
        let place = self.bounds_us.partition_point(|bound_us| *bound_us < micros);
        if let Some(count) = self.counts.get(place) {
            count.add(1);
        }
        self.sum_us.add(micros);
    }
}

/// Histograms of several workers, added up.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct HistogramTotal {
    /// Not cumulative.
    pub(crate) counts: Vec<u64>,
    pub(crate) sum_us: u64,
}

impl HistogramTotal {
    pub(crate) fn add(&mut self, histogram: &Histogram) {
        self.counts.resize(histogram.counts.len(), 0);
        for (total, count) in self.counts.iter_mut().zip(&histogram.counts) {
            *total += count.get();
        }
        self.sum_us += histogram.sum_us.get();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_belongs_to_its_bucket_and_what_is_longer_than_all_is_counted_too() {
        let histogram = Histogram::new(&[10, 20]);
        for micros in [0, 10, 11, 20, 21, 1_000] {
            histogram.observe(micros);
        }
        let mut total = HistogramTotal::default();
        total.add(&histogram);
        total.add(&histogram);
        assert_eq!(total, HistogramTotal { counts: vec![4, 4, 4], sum_us: 2 * 1_062 });
    }

    #[test]
    fn a_level_is_what_went_up_and_has_not_come_down() {
        let level = Level::default();
        (0..3).for_each(|_| level.raise());
        level.lower();
        assert_eq!((level.get(), level.raised()), (2, 3));
    }
}
