//! `health_checks` and `canary` as meant.

use std::collections::HashSet;
use std::time::Duration;

use gw_policy::canary::{self, Criterion, Quantity};

use super::Meaning;
use crate::config::{Canary, HealthCheck, HealthChecks, ShadowLimits, Spanned};
use crate::decode::Written;
use crate::file::{self, File};
use crate::names::{ModelName, ProviderName};

const INTERVAL: Duration = Duration::from_secs(30);
const TIMEOUT: Duration = Duration::from_secs(10);
/// Calls of a canary before it is judged.
const CALLS_MIN: u32 = 20;

impl Meaning<'_> {
    /// Who is asked for their health.
    pub(super) fn health_checks(&mut self, file: &File) -> Option<HealthChecks> {
        let written = file.health_checks.given()?;
        if written.value.enabled.value() == Some(&false) {
            return None;
        }
        let interval = written.value.interval.value().copied().unwrap_or(INTERVAL);
        let timeout = written.value.timeout.value().copied();
        if let Some(given) = written.value.timeout.given().filter(|given| given.value > interval) {
            let message = "health_checks.timeout is longer than health_checks.interval".to_owned();
            self.mistake(&given.place, message, "lower it, or raise the interval");
        }
        let written = written.value.providers.value().into_iter().flatten();
        let checks: Vec<HealthCheck> = written.filter_map(|check| self.health_check(&check.value)).collect();
        self.refuse_twins("health check of", checks.iter().map(|check| &check.provider));
        Some(HealthChecks { interval, timeout: timeout.unwrap_or(TIMEOUT.min(interval)), checks })
    }

    fn health_check(&mut self, written: &file::HealthCheck) -> Option<HealthCheck> {
        let statuses = written.expected_status.given();
        if let Some(none) = statuses.filter(|statuses| statuses.value.0.is_empty()) {
            let message = "expected_status is empty, so nobody would ever be healthy".to_owned();
            self.mistake(&none.place, message, "write 200, or remove it");
        }
        Some(HealthCheck {
            provider: provider(written.name.given()?),
            url: written.endpoint.given().map(|url| Spanned { value: url.value.0.clone(), place: url.place.clone() }),
            expected_status: match (statuses, written.endpoint.given()) {
                (Some(statuses), _) => statuses.value.0.clone(),
                (None, Some(_)) => vec![200],
                (None, None) => Vec::new(),
            },
        })
    }

    /// New providers that get a share of the requests.
    pub(super) fn canaries(&mut self, file: &File) -> Vec<Canary> {
        let Some(written) = file.canary.given() else {
            return Vec::new();
        };
        if written.value.enabled.value() == Some(&false) {
            return Vec::new();
        }
        if written.value.rollouts.is_absent() || written.value.rollouts.value().is_some_and(Vec::is_empty) {
            let message = "the canary has no rollout".to_owned();
            self.mistake(&written.place, message, "add canary.rollouts, or set \"enabled: false\"");
        }
        let written = written.value.rollouts.value().into_iter().flatten();
        let canaries: Vec<Canary> = written.filter_map(|rollout| self.canary(&rollout.value)).collect();
        self.refuse_twins("rollout", canaries.iter().map(|canary| &canary.name));
        let mut seen = HashSet::new();
        let promised: f64 = canaries
            .iter()
            .filter(|canary| !canary.shadow && seen.insert(&canary.name.value))
            .map(|canary| canary.rollout.share)
            .sum();
        if let Some(last) = canaries.iter().rfind(|canary| !canary.shadow).filter(|_| promised > 1.0 + f64::EPSILON) {
            let message = "the rollouts get more than 100 % of the requests together".to_owned();
            self.mistake(&last.name.place, message, "lower traffic_percentage");
        }
        canaries
    }

    fn canary(&mut self, written: &file::Rollout) -> Option<Canary> {
        let is_shadow = written.shadow.value() == Some(&true);
        if let Some(promoted) = written.auto_promote.given().filter(|given| given.value && is_shadow) {
            let message =
                "auto_promote stands beside \"shadow: true\", and nobody gets the answers of a shadow".to_owned();
            self.mistake(&promoted.place, message, "remove one of them");
        }
        let success = self.criteria(&written.success_criteria);
        let rollback = self.criteria(&written.rollback_on);
        Some(Canary {
            name: written.name.given()?.clone(),
            provider: provider(written.provider.given()?),
            model: written.model.given().map(model),
            rollout: canary::Rollout {
                share: written.traffic_percentage.value()?.0 / 100.0,
                duration: *written.duration.value()?,
                calls_min: written
                    .minimum_requests
                    .value()
                    .map_or(CALLS_MIN, |count| u32::try_from(count.0).unwrap_or(u32::MAX)),
                success,
                rollback,
                promote: written.auto_promote.value().copied().unwrap_or(false),
            },
            shadow: is_shadow,
        })
    }

    fn criteria(&mut self, written: &Written<file::Criteria>) -> Vec<Criterion> {
        let Some(written) = written.value() else {
            return Vec::new();
        };
        let all = [
            (Quantity::ErrorRate, &written.error_rate, "\"<1%\" or \">5%\""),
            (Quantity::LatencyP95, &written.latency_p95, "\"<3s\" or \">800ms\""),
            (Quantity::CostIncrease, &written.cost_increase, "\"<10%\""),
        ];
        let given = all.into_iter().filter_map(|(what, text, example)| Some((what, text.given()?, example)));
        let mut criteria = Vec::new();
        for (what, text, example) in given {
            match Criterion::read(what, &text.value) {
                Some(criterion) => criteria.push(criterion),
                None => {
                    let message = format!("{what} is no comparison: {}", self.show(&text.value, &text.place));
                    self.mistake(&text.place, message, &format!("write something like {example}"));
                }
            }
        }
        criteria
    }
}

/// What copies of requests may take.
pub(super) fn shadow_limits(file: &File) -> ShadowLimits {
    let default = ShadowLimits::default();
    let Some(written) = file.canary.value().and_then(|canary| canary.shadow_limits.value()) else {
        return default;
    };
    ShadowLimits {
        requests_in_flight: written.requests_in_flight.value().map_or(default.requests_in_flight, |count| count.0),
        held_bytes: written.held_bytes.value().map_or(default.held_bytes, |size| size.0),
        timeout: written.timeout.value().copied(),
    }
}

fn provider(name: &Spanned<ProviderName>) -> Spanned<String> {
    Spanned { value: name.value.0.clone(), place: name.place.clone() }
}

fn model(name: &Spanned<ModelName>) -> Spanned<String> {
    Spanned { value: name.value.0.clone(), place: name.place.clone() }
}
