//! Passing the limits of a route on the walk along its plan.

use std::rc::Rc;
use std::time::Duration;

use gw_core::{Error, ErrorCode, Nanodollars, Operation};
use gw_policy::limit::{Counts, Named};
use gw_policy::plan::{Passed, Plan, Step};
use serde_json::{Value, json};

use crate::engine::{Engine, Resolved};
use crate::meter::Meter;
use crate::routing::Walk;
use crate::snapshot::Snapshot;

impl Walk<'_> {
    /// Comes to a step, or to one beyond the limits before it if they have no room; says to which. Others may have taken
    /// the room since the plan was made.
    ///
    /// # Errors
    /// `route_limit_reached` if nobody takes what is beyond the limits.
    pub(super) fn come_to(&self, plan: &Plan<Rc<Resolved>>, step: usize, meter: &mut Meter) -> Result<usize, Error> {
        // Nothing is asked of a model by counting.
        if self.call.dialect.operation() == Operation::CountTokens {
            return Ok(step);
        }
        let mut at = step;
        while let Some(step) = plan.steps.get(at) {
            match meter.pass(&step.limits, &self.snapshot.limits) {
                Ok(()) => break,
                Err((limit, wait)) => at = plan.beyond(at, limit).ok_or_else(|| reached(wait))?,
            }
        }
        Ok(at)
    }
}

impl Engine {
    /// The limits before a step, and how far they are used by requests with the key of this one.
    pub(super) fn limits_of(&self, snapshot: &Snapshot, step: &Step<Rc<Resolved>>) -> Vec<Value> {
        let now = self.ports().clock.now();
        let told = |passed: &Passed| {
            let Named { name, limit } = &*passed.limit;
            let counter = snapshot.limits.of(&passed.limit)?;
            let used = counter.used(limit, &passed.key, now);
            let (what, used, max) = match limit.counts {
                Counts::Requests => ("requests", json!(used), json!(limit.max)),
                Counts::Cost => ("dollars", dollars(used), dollars(limit.max)),
            };
            let per_ms = u64::try_from(limit.per.as_millis()).unwrap_or(u64::MAX);
            Some(json!({
                "limit": &**name,
                "counts": what,
                "used": used,
                "max": max,
                "interval_ms": per_ms,
                "of_unknown_cost": counter.unknown(),
            }))
        };
        step.limits.iter().filter_map(told).collect()
    }
}

fn dollars(nanodollars: u64) -> Value {
    let amount = i64::try_from(nanodollars).unwrap_or(i64::MAX);
    json!(Nanodollars(amount).to_string())
}

/// The limits of the route have no room, and nobody takes what is beyond them.
pub(super) fn reached(wait: Duration) -> Error {
    let message = "the limit of the route is reached, and it has no target for what is beyond it";
    Error::new(ErrorCode::RouteLimitReached, message).with_retry_after(wait)
}
