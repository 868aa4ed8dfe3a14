//! `GET /gateway/providers`: how each configured provider stands.

use std::time::Duration;

use bytes::Bytes;
use gw_engine::Snapshot;
use serde_json::{Value, json};

/// The providers of a snapshot with how they stand. `now` is the time as standings count it.
pub fn list(snapshot: &Snapshot, now: Duration) -> Bytes {
    let providers: Vec<Value> = snapshot
        .providers()
        .iter()
        .map(|provider| {
            let shown = provider.standing.shown(&provider.standing_rules, now);
            let breaker = provider.standing_rules.breaker.as_ref().map(
                |_| json!({ "state": shown.phase.name(), "left_alone_for_ms": shown.open_for.map(|rest| rest.as_millis() as u64) }),
            );
            let cap = shown.cap.map(|(cap, used)| {
                json!({ "requests": cap.calls, "per_ms": cap.per.as_millis() as u64, "used": used })
            });
            let counts = provider.standing_rules.tracking.is_some();
            json!({
                "name": &*provider.name,
                "type": &*provider.type_id,
                "priority": provider.priority,
                "has_credential": provider.is_usable(),
                "breaker": breaker,
                "in_flight": counts.then_some(shown.measured.in_flight),
                "latency_ms": shown.measured.latency.map(|latency| latency.as_millis() as u64),
                "tokens_per_second": shown.measured.tokens_per_second,
                "cap": cap,
            })
        })
        .collect();
    Bytes::from(json!({ "object": "list", "data": providers }).to_string())
}
