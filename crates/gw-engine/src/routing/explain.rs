//! The attempt plan of a request that is not sent, for people who ask why.

use std::rc::Rc;
use std::time::Duration;

use gw_core::{Error, RequestId};
use gw_policy::plan::{LeftOut, Plan, Step};
use gw_policy::retry::{Jitter, Retry};
use serde_json::{Value, json};

use crate::dispatch;
use crate::engine::{self, Call, Engine, Resolved};
use crate::routing::{Read, RequestFacts, Said, Way, control};
use crate::snapshot::{Credential, Provider, Snapshot};

/// Providers without a credential that are told of, at most.
const WITHOUT_CREDENTIAL_MAX: usize = 16;

impl Engine {
    /// What would be done with this request if it came now: whom it would go to, in which order and why, what would follow
    /// a failure, and who is left out. Nothing is sent, and nobody loses a turn by it.
    ///
    /// # Errors
    /// What the request itself would be answered with before anything is sent.
    pub fn explain(&self, snapshot: &Snapshot, call: &Call<'_>, request_id: RequestId) -> Result<Value, Error> {
        let head = engine::head(call)?;
        let said = Said::default();
        let facts = RequestFacts { call, head: &head, path: call.path, said: &said, read: Read::default() };
        let rules = snapshot.rules.told(&facts)?;
        let (controlled, resolved);
        let way = if control::is_spoken(call, &head, &snapshot.presets) {
            controlled = self.controlled(snapshot, call, &head)?;
            &controlled.way
        } else {
            resolved = self.resolve(snapshot, call, head.model.as_deref(), head.prefer_provider.as_deref())?;
            &*resolved
        };
        let plan = self.plan(snapshot, way, (call, &head), request_id, 1)?;
        let attempts: Vec<_> =
            plan.steps.iter().enumerate().map(|(index, step)| attempt(call, &plan, index, step)).collect();
        let model = head.model.as_deref();
        Ok(json!({
            "object": "gateway.plan",
            "operation": call.dialect.operation().name(),
            "dialect": call.dialect.name(),
            "model": model,
            "stream": head.stream,
            "deadline_ms": millis(snapshot.request_timeout),
            "wait_ms": millis(plan.wait),
            "rules": rules,
            "attempts": attempts,
            "left_out": left_out(snapshot, way, &plan, model),
        }))
    }
}

fn attempt(call: &Call<'_>, plan: &Plan<Rc<Resolved>>, index: usize, step: &Step<Rc<Resolved>>) -> Value {
    let target = &step.target;
    let provider = &target.choice.provider;
    let fallback: Vec<_> = plan.exits(index).map(|(on, to)| json!({ "on": on.names(), "attempt": to + 1 })).collect();
    let credential = match (provider.credential, dispatch::credential(&target.choice, call.foreign_key)) {
        _ if provider.is_callers() => "the caller's",
        (Credential::NotNeeded, _) => "none",
        (Credential::Configured, _) => "configured",
        (Credential::Missing, Ok(_)) => "the caller's",
        (Credential::Missing, Err(_)) => "missing",
    };
    let first_byte = target.target_settings.first_byte_timeout.unwrap_or(provider.timeouts.first_byte);
    json!({
        "attempt": index + 1,
        "provider": &*provider.name,
        "provider_type": &*provider.type_id,
        "model": &*target.choice.model,
        "position": step.path.as_slice(),
        "why": step.why.to_string(),
        "credential": credential,
        "last_resort": plan.is_last_resort(index),
        "retry": if plan.is_last_resort(index) { json!({ "attempts": 0 }) } else { retry(target.retry()) },
        "fallback": fallback,
        "timeout": { "first_byte_ms": millis(first_byte), "total_ms": millis(provider.total_timeout) },
    })
}

fn retry(retry: &Retry) -> Value {
    if retry.retries == 0 {
        return json!({ "attempts": 0 });
    }
    let jitter = match retry.jitter {
        Jitter::Full => json!("full"),
        Jitter::Part(part) => json!(part),
    };
    json!({
        "attempts": retry.retries,
        "on": retry.on.names(),
        "initial_delay_ms": millis(retry.initial_delay),
        "max_delay_ms": millis(retry.max_delay),
        "multiplier": retry.multiplier,
        "jitter": jitter,
        "retry_after_max_ms": retry.retry_after_max.map(millis),
    })
}

/// Everybody who would not be asked: who does not take calls, who another condition would be needed for, and who serves
/// the model but has no credential.
fn left_out(snapshot: &Snapshot, way: &Way, plan: &Plan<Rc<Resolved>>, model: Option<&str>) -> Vec<Value> {
    let stands = |left: &LeftOut<Rc<Resolved>>| told(&left.target, &left.standing.to_string());
    let mut all: Vec<_> = plan.left_out.iter().map(stands).collect();
    let known = |target: &Rc<Resolved>| {
        plan.steps.iter().any(|step| Rc::ptr_eq(&step.target, target))
            || plan.left_out.iter().any(|left| Rc::ptr_eq(&left.target, target))
    };
    let others = way.node().targets().into_iter().filter(|target| !known(target));
    all.extend(others.map(|target| told(target, "it is for requests of another condition")));

    let Some(model) = model else { return all };
    let in_tree =
        |provider: &Provider| way.node().targets().iter().any(|target| target.choice.provider.name == provider.name);
    let serves = |provider: &Provider| match provider.models.is_empty() {
        true => provider.known_models().contains(&model),
        false => provider.models.iter().any(|known| **known == *model),
    };
    let without = snapshot.providers().iter().filter(|one| !one.is_usable() && !in_tree(one) && serves(one));
    all.extend(
        without
            .take(WITHOUT_CREDENTIAL_MAX)
            .map(|provider| json!({ "provider": &*provider.name, "model": model, "why": "it has no credential" })),
    );
    all
}

fn told(target: &Resolved, why: &str) -> Value {
    json!({ "provider": &*target.choice.provider.name, "model": &*target.choice.model, "why": why })
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
