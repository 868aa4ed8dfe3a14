//! Limits of routes as running: what has been counted for each, by all workers. It outlives every snapshot, so that a
//! reload gives nobody room.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Weak};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use gw_policy::limit::{Counters, Counts, Limit, Named};
use parking_lot::Mutex;

/// What has been counted for every limit that a snapshot holds, by the limits' names.
#[derive(Debug, Default)]
pub struct Limits(Mutex<HashMap<Arc<str>, Weak<Counter>>>);

/// What has been counted for one limit.
#[derive(Debug)]
pub struct Counter {
    /// The limit that it was begun for; its maximum may be another by now.
    limit: Limit,
    counters: Mutex<Counters>,
    unknown: AtomicU64,
}

/// The limits of a snapshot.
#[derive(Debug, Default)]
pub struct Running(HashMap<Arc<str>, Arc<Counter>>);

impl Limits {
    /// What has been counted for a limit: from nothing, if it counts something else than the last one of its name.
    pub fn of(&self, named: &Named) -> Arc<Counter> {
        let mut known = self.0.lock();
        known.retain(|_, counter| counter.strong_count() > 0);
        if let Some(counter) = known.get(&named.name).and_then(Weak::upgrade)
            && counter.limit.counts_like(&named.limit)
        {
            return counter;
        }
        let counter =
            Arc::new(Counter { limit: named.limit.clone(), counters: Mutex::default(), unknown: AtomicU64::new(0) });
        known.insert(Arc::clone(&named.name), Arc::downgrade(&counter));
        counter
    }
}

impl Running {
    /// Adds a limit, unless one of its name is there.
    pub(crate) fn add(&mut self, named: &Named, limits: &Limits) {
        self.0.entry(Arc::clone(&named.name)).or_insert_with(|| limits.of(named));
    }

    /// What has been counted for a limit.
    pub(crate) fn of(&self, named: &Named) -> Option<&Arc<Counter>> {
        self.0.get(&named.name)
    }

    /// How long it is until a limit has room for requests of a key.
    pub(crate) fn wait(&self, named: &Named, key: &str, now: SystemTime) -> Duration {
        self.of(named).map_or(Duration::ZERO, |counter| counter.wait(&named.limit, key, now))
    }
}

impl Counter {
    /// How long it is until there is room for requests of a key; nothing if there is now.
    pub fn wait(&self, limit: &Limit, key: &str, now: SystemTime) -> Duration {
        limit.wait(self.counters.lock().of(key), since_1970(now))
    }

    /// A request is sent: it counts, if requests are counted. What it costs is counted when that is known.
    ///
    /// # Errors
    /// How long it is until there is room, if there is none.
    pub fn take(&self, limit: &Limit, key: &str, now: SystemTime) -> Result<(), Duration> {
        let (mut counters, now) = (self.counters.lock(), since_1970(now));
        let wait = limit.wait(counters.of(key), now);
        if !wait.is_zero() {
            return Err(wait);
        }
        if limit.counts == Counts::Requests {
            counters.add(limit, key, 1, now);
        }
        Ok(())
    }

    /// A request has cost so many nanodollars, if that is known: what is not counts nothing, and is told.
    pub fn spend(&self, limit: &Limit, key: &str, cost: Option<u64>, now: SystemTime) {
        match cost {
            _ if limit.counts == Counts::Requests => {}
            Some(0) => {}
            Some(cost) => self.counters.lock().add(limit, key, cost, since_1970(now)),
            None => drop(self.unknown.fetch_add(1, Relaxed)),
        }
    }

    /// How much is used by requests of a key.
    pub fn used(&self, limit: &Limit, key: &str, now: SystemTime) -> u64 {
        limit.used(self.counters.lock().of(key), since_1970(now))
    }

    /// How many requests counted nothing because it is not known what they cost.
    pub fn unknown(&self) -> u64 {
        self.unknown.load(Relaxed)
    }
}

fn since_1970(now: SystemTime) -> Duration {
    now.duration_since(UNIX_EPOCH).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use gw_policy::limit::Technique;

    use super::*;

    fn named(name: &str, max: u64, per_s: u64) -> Named {
        let (counts, technique, per) = (Counts::Requests, Technique::Sliding, Duration::from_secs(per_s));
        Named { name: Arc::from(name), limit: Limit { counts, max, per, technique, key: Box::default() } }
    }

    #[test]
    fn a_reload_keeps_what_was_counted_unless_something_else_is_counted() {
        let (limits, now) = (Limits::default(), UNIX_EPOCH + Duration::from_secs(1_700_000_000));
        let first = named("chat@1#0", 2, 60);
        let held = limits.of(&first);
        held.take(&first.limit, "", now).unwrap();
        let larger = named("chat@1#0", 5, 60);
        assert_eq!(limits.of(&larger).used(&larger.limit, "", now), 1);
        for other in [named("chat@2#0", 2, 60), named("chat@1#0", 2, 3_600)] {
            assert_eq!(limits.of(&other).used(&other.limit, "", now), 0, "{}", other.name);
        }
    }

    #[test]
    fn many_workers_together_get_no_more_than_the_limit() {
        let (limits, now) = (Limits::default(), UNIX_EPOCH + Duration::from_secs(1_700_000_000));
        let named = named("chat#0", 100, 60);
        let counter = limits.of(&named);
        let taken = AtomicU64::new(0);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..50 {
                        if counter.take(&named.limit, "", now).is_ok() {
                            taken.fetch_add(1, Relaxed);
                        }
                    }
                });
            }
        });
        assert_eq!(taken.load(Relaxed), 100);
    }

    #[test]
    fn what_is_not_known_to_cost_anything_counts_nothing_and_is_told() {
        let (limits, now) = (Limits::default(), UNIX_EPOCH + Duration::from_secs(1_700_000_000));
        let mut named = named("chat#0", 100, 60);
        named.limit.counts = Counts::Cost;
        let counter = limits.of(&named);
        counter.take(&named.limit, "ann", now).unwrap();
        counter.spend(&named.limit, "ann", None, now);
        assert_eq!((counter.used(&named.limit, "ann", now), counter.unknown()), (0, 1));
        counter.spend(&named.limit, "ann", Some(250), now);
        assert_eq!(counter.used(&named.limit, "ann", now), 250);
        assert!(counter.take(&named.limit, "ann", now).is_err());
        counter.take(&named.limit, "bob", now).unwrap();
    }
}
