//! The limits of routes that a request has passed: each counts it once, however often it is tried.

use gw_core::Cost;
use gw_policy::plan::Passed;
use std::sync::Arc;
use std::time::Duration;

use super::Meter;
use crate::limits::{Counter, Running};

/// The limits that a request has passed so far.
#[derive(Default, Clone)]
pub(super) struct Passes {
    passed: Vec<(Passed, Arc<Counter>)>,
    /// Those that the present attempt counts for, by their positions.
    present: Vec<usize>,
    /// Those that the next attempt counts for, once it begins.
    next: Option<Vec<usize>>,
}

impl Meter {
    /// Passes the limits before the next attempt; those that were passed before do not count it again.
    ///
    /// # Errors
    /// The first that has no room, and how long it is until it has.
    pub(crate) fn pass<'p>(&mut self, limits: &'p [Passed], running: &Running) -> Result<(), (&'p Passed, Duration)> {
        if limits.is_empty() && self.passes.is_none() {
            return Ok(());
        }
        let now = self.ports.clock.now();
        let passes = self.passes.get_or_insert_default();
        // Nothing is counted for one where another has no room.
        for limit in limits.iter().filter(|limit| passes.position(limit).is_none()) {
            let wait = running.wait(&limit.limit, &limit.key, now);
            if !wait.is_zero() {
                return Err((limit, wait));
            }
        }
        for limit in limits {
            let Some(counter) = running.of(&limit.limit).filter(|_| passes.position(limit).is_none()) else { continue };
            counter.take(&limit.limit.limit, &limit.key, now).map_err(|wait| (limit, wait))?;
            passes.passed.push((limit.clone(), Arc::clone(counter)));
        }
        passes.next = Some(limits.iter().filter_map(|limit| passes.position(limit)).collect());
        Ok(())
    }

    /// The next attempt has begun.
    pub(super) fn begin_under_limits(&mut self) {
        if let Some(passes) = &mut self.passes
            && let Some(next) = passes.next.take()
        {
            passes.present = next;
        }
    }

    /// The present attempt has ended, and cost this; if something was used, that is, or an answer was given.
    pub(super) fn spend(&self, cost: Option<Cost>, something: bool) {
        let Some(passes) = self.passes.as_ref().filter(|_| something) else { return };
        let now = self.ports.clock.now();
        let nanos = cost.and_then(|cost| u64::try_from(cost.total()?.0).ok());
        for (passed, counter) in passes.present.iter().filter_map(|position| passes.passed.get(*position)) {
            counter.spend(&passed.limit.limit, &passed.key, nanos, now);
        }
    }
}

impl Passes {
    fn position(&self, limit: &Passed) -> Option<usize> {
        self.passed.iter().position(|(passed, _)| passed.limit.name == limit.limit.name)
    }
}
