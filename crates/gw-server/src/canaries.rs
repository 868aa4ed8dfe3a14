//! `GET /gateway/canaries`: how each rollout stands, and what comparing a shadow's answers has come to.

use std::time::Duration;

use bytes::Bytes;
use gw_core::shadow::Verdict;
use gw_engine::Snapshot;
use gw_engine::shadow::{Agreement, Sides, Summary};
use gw_engine::trials::Canary;
use serde_json::{Map, Value, json};

/// The rollouts of a snapshot with how they stand. `now` is the time as their age is counted.
pub fn list(snapshot: &Snapshot, now: Duration) -> Bytes {
    let canaries = snapshot.canaries.iter().chain(&snapshot.shadows.list);
    let canaries: Vec<Value> = canaries.map(|canary| one(canary, now)).collect();
    Bytes::from(json!({ "object": "list", "data": canaries }).to_string())
}

fn one(canary: &Canary, now: Duration) -> Value {
    let subject = &canary.trial.subject;
    let shown = canary.trial.shown(now);
    let rolled_back_for = shown.stage.rolled_back_for().map(|(criterion, value)| {
        json!({ "criterion": criterion.what.to_string(), "value": value, "bound": criterion.bound })
    });
    json!({
        "name": &*subject.name,
        "provider": &*subject.provider,
        "model": subject.model.as_deref(),
        "shadow": subject.shadow,
        "traffic_percentage": subject.rollout.share * 100.0,
        "stage": shown.stage.name(),
        "rolled_back_for": rolled_back_for,
        "age_ms": shown.age.map(|age| age.as_millis() as u64),
        "duration_ms": subject.rollout.duration.as_millis() as u64,
        "calls": shown.seen.calls,
        "failures": shown.seen.failures,
        "latency_p95_ms": shown.seen.latency_p95_s.map(|seconds| seconds * 1e3),
        "cost_increase_percent": shown.seen.cost_increase.map(|share| share * 100.0),
        "comparison": subject.shadow.then(|| comparison(&shown.compared)),
    })
}

fn comparison(summary: &Summary) -> Value {
    let verdicts = Verdict::ALL.iter().zip(summary.verdicts);
    let verdicts: Map<String, Value> =
        verdicts.map(|(verdict, count)| (verdict.name().to_owned(), count.into())).collect();
    json!({
        "compared": summary.compared(),
        "skipped": summary.skipped,
        "stopped": summary.stopped,
        "results": verdicts,
        "same_finish_reason": agreement(summary.same_finish),
        "same_tool_calls": agreement(summary.same_calls),
        "both_json": agreement(summary.both_json),
        "words_in_common_percent": summary.similarity_percent.mean(),
        "usual": means(&summary.usual),
        "shadow": means(&summary.shadow),
    })
}

fn agreement(agreement: Agreement) -> Value {
    json!({ "of": agreement.of, "held": agreement.held })
}

/// Means, of pairs of which both have answered.
fn means(side: &Sides) -> Value {
    json!({
        "first_content_ms": side.first_content_ms.mean(),
        "total_ms": side.total_ms.mean(),
        "input_tokens": side.input_tokens.mean(),
        "output_tokens": side.output_tokens.mean(),
        "cost_nanodollars": side.cost_nanodollars.mean(),
    })
}
