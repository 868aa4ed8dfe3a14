//! The attempt plan of a request that is not sent, for people who ask why.

use std::rc::Rc;
use std::time::Duration;

use gw_core::{Error, RequestId};
use gw_dialects::head::Head;
use gw_policy::failure::Failures;
use gw_policy::plan::{LeftOut, Plan, Reason, Step};
use gw_policy::retry::{Jitter, Retry};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::dispatch;
use crate::engine::{self, Call, Engine, Resolved};
use crate::routing::control::{self, Heard};
use crate::routing::rules::Judged;
use crate::routing::times::{self, Times};
use crate::routing::{Asker, Way, need};
use crate::snapshot::{Credential, Provider, Snapshot};

/// Providers that are not among the targets and are told of, at most, for each reason.
const LEFT_OUT_MAX: usize = 16;

/// A request that is not sent.
struct Explained<'a> {
    call: &'a Call<'a>,
    head: &'a Head,
    times: &'a Times,
}

impl Engine {
    /// What would be done with this request if it came now: whom it would go to, in which order and why, what would follow
    /// a failure, and who is left out. Nothing is sent, and nobody loses a turn by it.
    ///
    /// # Errors
    /// What the request itself would be answered with before anything is sent.
    pub fn explain(
        &self,
        snapshot: &Snapshot,
        call: &Call<'_>,
        key_name: Option<&str>,
        request_id: RequestId,
    ) -> Result<Value, Error> {
        let head = engine::head(call)?;
        let asker = Asker { key_name, request_id };
        let (controlled, resolved);
        let heard = Heard::of(call.headers);
        let is_spoken = control::is_spoken(&heard, call, &head, &snapshot.presets);
        let told = |asked: &[Judged<'_>]| snapshot.rules.told(asked);
        let rules = self.ask_rules(snapshot, (call, &head), key_name, is_spoken, told)?;
        let mut asked = None;
        let mut unable = Vec::new();
        let (way, canary) = if is_spoken {
            controlled = self.controlled(snapshot, call, &head)?;
            asked = controlled.total_timeout;
            unable.extend(
                controlled
                    .unable
                    .iter()
                    .take(LEFT_OUT_MAX)
                    .map(|one| json!({ "provider": &*one.provider, "model": &*one.model, "why": one.why })),
            );
            (&controlled.way, None)
        } else {
            let (model, prefer) = (head.model.as_deref(), head.prefer_provider.as_deref());
            resolved = match model.and_then(|name| snapshot.models.draft(name, prefer)) {
                Some(draft) => self.way(snapshot, call.dialect.operation(), model, &draft?),
                None => self.resolve(snapshot, call, model, prefer)?,
            };
            (&*resolved, self.canary(snapshot, (call, &head), &resolved, &asker))
        };
        let times = Times::of(Instant::now(), snapshot.request_timeout, asked, heard.client);
        let request = Explained { call, head: &head, times: &times };
        let plan = self.plan(snapshot, way, (call, &head), &asker, 1)?;
        let first = canary.map(|(canary, target)| {
            let target = self.prepared(snapshot, &target, call.dialect.operation(), head.model.as_deref());
            of_canary(&request, &canary.trial.subject.name, &target)
        });
        let class = auto(&plan, way, (call, &head));
        let before = usize::from(first.is_some());
        let steps = plan.steps.iter().enumerate().map(|(index, step)| {
            let limits = self.limits_of(snapshot, step);
            attempt(&request, &plan, (before, index), step, limits)
        });
        let attempts: Vec<_> = first.into_iter().chain(steps).collect();
        let model = head.model.as_deref();
        Ok(json!({
            "object": "gateway.plan",
            "environment": snapshot.environment.as_deref(),
            "operation": call.dialect.operation().name(),
            "dialect": call.dialect.name(),
            "model": model,
            "stream": head.stream,
            "deadline_ms": millis(times.told.limit),
            "deadline_of": times.told.of,
            "wait_ms": millis(plan.wait),
            "limit_wait_ms": plan.limited.map(millis),
            "rules": rules,
            "auto": class,
            "attempts": attempts,
            "left_out": left_out(snapshot, way, &plan, model).into_iter().chain(unable).collect::<Vec<_>>(),
        }))
    }
}

/// What the conversation needs, where its model is chosen by that.
fn auto(plan: &Plan<Rc<Resolved>>, way: &Way, (call, head): (&Call<'_>, &Head)) -> Option<Value> {
    if !way.node().is_auto() {
        return None;
    }
    let need = need::of(call, head);
    let tier = plan.steps.iter().find_map(|step| match step.why {
        Reason::Suits(_, tier) => Some(tier),
        _ => None,
    });
    Some(json!({
        "class": need.class.name(),
        "tier": tier.unwrap_or(need.tier()).name(),
        "estimated_tokens": need.tokens,
        "needs": need.can.names(),
    }))
}

/// The attempt at a canary, which comes before the plan of all others.
fn of_canary(request: &Explained<'_>, name: &str, target: &Resolved) -> Value {
    let why = format!("it is the canary \"{name}\", and the caller is one of those that it takes");
    let fallback = vec![json!({ "on": Failures::ANY.names(), "attempt": 2 })];
    told_attempt(request, target, (1, &[], why), (true, false, json!({ "attempts": 0 }), fallback))
}

/// A step of the plan, behind so many attempts.
fn attempt(
    request: &Explained<'_>,
    plan: &Plan<Rc<Resolved>>,
    (before, index): (usize, usize),
    step: &Step<Rc<Resolved>>,
    limits: Vec<Value>,
) -> Value {
    let exits = plan.exits(index);
    let fallback = exits.map(|(on, to)| json!({ "on": on.names(), "attempt": before + to + 1 })).collect();
    let place = (before + index + 1, step.path.as_slice(), step.why.to_string());
    let is_last_resort = plan.is_last_resort(index);
    let retry = if is_last_resort { json!({ "attempts": 0 }) } else { retry(step.target.retry()) };
    let followed = (plan.has_other(index), is_last_resort, retry, fallback);
    let mut told = told_attempt(request, &step.target, place, followed);
    if !limits.is_empty() {
        told["limits"] = Value::from(limits);
    }
    told
}

/// Who would be asked, and why; what would follow a failure.
fn told_attempt(
    request: &Explained<'_>,
    target: &Resolved,
    (number, position, why): (usize, &[u16], String),
    (is_followed, is_last_resort, retry, fallback): (bool, bool, Value, Vec<Value>),
) -> Value {
    let provider = &target.choice.provider;
    let credential = match (provider.credential, dispatch::credential(&target.choice, request.call.foreign_key)) {
        _ if provider.is_callers() => "the caller's",
        (Credential::NotNeeded, _) => "none",
        (Credential::Configured, _) => "configured",
        (Credential::Missing, Ok(_)) => "the caller's",
        (Credential::Missing, Err(_)) => "missing",
    };
    let first_byte = times::first_byte(target, (request.call, request.head), request.times, is_followed);
    json!({
        "attempt": number,
        "provider": &*provider.name,
        "provider_type": &*provider.type_id,
        "model": &*target.choice.model,
        "route": target.target_settings.route.as_deref(),
        "position": position,
        "why": why,
        "credential": credential,
        "last_resort": is_last_resort,
        "retry": retry,
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

/// Everybody who would not be asked: who does not take calls, who another condition would be needed for, who serves the
/// model but has no credential, and who does not serve it.
fn left_out(snapshot: &Snapshot, way: &Way, plan: &Plan<Rc<Resolved>>, model: Option<&str>) -> Vec<Value> {
    let stands = |left: &LeftOut<Rc<Resolved>>| told(&left.target, &left.standing.to_string());
    let mut all: Vec<_> = plan.left_out.iter().map(stands).collect();
    let known = |target: &Rc<Resolved>| {
        plan.steps.iter().any(|step| Rc::ptr_eq(&step.target, target))
            || plan.left_out.iter().any(|left| Rc::ptr_eq(&left.target, target))
    };
    let others = way.node().targets().into_iter().filter(|target| !known(target));
    match plan.class() {
        Some(_) => {
            let why = "other models suit the conversation better";
            all.extend(others.take(LEFT_OUT_MAX).map(|target| told(target, why)));
        }
        None => all.extend(others.map(|target| told(target, "it is for requests of another condition"))),
    }

    all.extend(model.into_iter().flat_map(|model| not_asked(snapshot, way, model)));
    all
}

/// Who is not among the targets of a model's name: who serves it and has no credential, and who does not serve it.
fn not_asked(snapshot: &Snapshot, way: &Way, model: &str) -> Vec<Value> {
    let targets = way.node().targets();
    let others = || {
        let in_tree = |provider: &Provider| targets.iter().any(|target| target.choice.provider.name == provider.name);
        snapshot.providers().iter().filter(move |provider| !in_tree(provider))
    };
    let told = |provider: &Provider, why| json!({ "provider": &*provider.name, "model": model, "why": why });
    let serves = |provider: &Provider| match provider.models.is_empty() {
        true => provider.known_models().contains(&model),
        false => provider.models.iter().any(|known| **known == *model),
    };
    let without = others().filter(|one| !one.is_usable() && serves(one)).take(LEFT_OUT_MAX);
    let mut all: Vec<_> = without.map(|provider| told(provider, "it has no credential")).collect();
    // Whoever names a provider, or a route, has not asked the others.
    let by_name = snapshot.models.is_plain(model) && targets.iter().any(|target| !target.choice.provider_named);
    let strangers = others().filter(|provider| by_name && provider.is_usable());
    let strangers = strangers.filter_map(|one| Some((one, snapshot.models.why_not(one, model)?)));
    all.extend(strangers.take(LEFT_OUT_MAX).map(|(provider, why)| told(provider, why)));
    all
}

fn told(target: &Resolved, why: &str) -> Value {
    json!({ "provider": &*target.choice.provider.name, "model": &*target.choice.model, "why": why })
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
