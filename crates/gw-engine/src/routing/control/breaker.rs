//! Portkey's `strategy.cb_config`: when the targets of a group are left out, where the operator says so.

use std::time::Duration;

use gw_core::Error;
use gw_policy::breaker;
use gw_policy::failure::Failures;
use serde_json::Value;

use super::value::Members;
use super::wish::{BreakerWish, Wish};

/// A breaker stays open for no less (Portkey's bound).
const COOLDOWN_MIN: Duration = Duration::from_secs(30);
/// Calls before a share of failures says something, where nothing is said (Portkey's).
const CALLS_MIN: u32 = 5;

/// When the targets of a group are left out, where the operator says so. A request's `cb_config` is told as not followed:
/// what it shows of a provider would be one request's alone.
pub(super) fn read(members: &mut Members, wish: &mut Wish) -> Result<Option<BreakerWish>, Error> {
    let place = members.at("strategy.cb_config");
    let written = match members.get_mut("strategy").and_then(Value::as_object_mut) {
        Some(strategy) if wish.is_operators => strategy.remove("cb_config").or_else(|| strategy.remove("cbConfig")),
        Some(_) | None => None,
    };
    let Some(written) = written else { return Ok(None) };
    let mut members = Members::of(written, place)?;
    let threshold = members.number("failure_threshold")?.filter(|threshold| *threshold >= 1.0);
    let percentage = members.number("failure_threshold_percentage")?.filter(|percentage| *percentage > 0.0);
    let calls = members.number("minimum_requests")?;
    let cooldown = members.milliseconds("cooldown_interval")?.unwrap_or(COOLDOWN_MIN).max(COOLDOWN_MIN);
    let statuses = members.statuses("failure_status_codes")?.unwrap_or_else(|| (500..=599).collect());
    if threshold.is_none() && percentage.is_none() {
        let must = "must be at least 1, or failure_threshold_percentage more than 0";
        return Err(members.wrong("failure_threshold", must));
    }
    if percentage.is_some_and(|percentage| percentage > 100.0) {
        return Err(members.wrong("failure_threshold_percentage", "must be at most 100"));
    }
    members.rest(wish);
    let whole = |number: f64| number.clamp(1.0, 1e6) as u32;
    let settings = breaker::Settings {
        failure_threshold: threshold.map_or(u32::MAX, whole),
        failure_rate: percentage.map(|percentage| (percentage / 100.0, calls.map_or(CALLS_MIN, whole))),
        window: cooldown,
        open_for: cooldown,
        ..breaker::Settings::default()
    };
    Ok(Some(BreakerWish { settings, failures: Failures::of_statuses(statuses) }))
}
