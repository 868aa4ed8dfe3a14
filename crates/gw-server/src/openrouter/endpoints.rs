//! Who serves models: `GET /api/v1/providers` and `/models/{author}/{slug}/endpoints`.

use gw_core::Error;
use gw_engine::Snapshot;
use gw_engine::models::Choice;
use gw_providers::catalog::models::{Capability, Facts};
use serde_json::{Value, json};

use super::data;
use super::listing::{architecture, pricing};
use crate::handle::decoded;
use crate::models::{self, facts};

/// The providers that requests may go to. Where their policies stand is not known here.
pub(super) fn providers(snapshot: &Snapshot) -> Value {
    let usable = snapshot.providers().iter().filter(|provider| provider.is_usable());
    let told = usable.map(|provider| {
        json!({
            "name": provider.entry.name,
            "slug": &*provider.name,
            "privacy_policy_url": null,
            "terms_of_service_url": null,
            "status_page_url": null,
            "headquarters": null,
            "datacenters": null,
        })
    });
    data(told.collect())
}

/// Where a request for a model may go: an endpoint for each target, the first choice first. How fast and how often it answers is in the metrics, not here.
///
/// # Errors
/// `model_not_found`, naming near matches.
pub(super) fn endpoints(snapshot: &Snapshot, id: &str) -> Result<Value, Error> {
    let id = decoded(id);
    let tree = snapshot.models.resolve(Some(&id), None)?;
    let targets = tree.targets();
    let first =
        targets.first().and_then(|target| snapshot.pricing.facts(&target.choice.provider, &target.choice.model));
    let endpoints: Vec<Value> = targets.iter().map(|target| endpoint(snapshot, &id, &target.choice)).collect();
    Ok(data(json!({
        "id": id,
        "name": id,
        "created": models::CREATED,
        "description": "",
        "architecture": architecture(first.as_ref()),
        "endpoints": endpoints,
    })))
}

fn endpoint(snapshot: &Snapshot, id: &str, choice: &Choice) -> Value {
    let provider = &choice.provider;
    let facts = snapshot.pricing.facts(provider, &choice.model);
    let facts = facts.as_ref();
    json!({
        "name": format!("{} | {id}", provider.entry.name),
        "model_id": id,
        "model_name": id,
        "provider_name": provider.entry.name,
        "tag": &*provider.name,
        "context_length": facts.and_then(|facts| facts.model.context_tokens),
        "max_completion_tokens": facts.and_then(|facts| facts.model.output_tokens_max),
        "max_prompt_tokens": null,
        "pricing": pricing(facts.and_then(|facts| facts.price.as_deref())),
        "quantization": "unknown",
        "supported_parameters": facts.map(|facts| facts::parameters(&facts.model)).unwrap_or_default(),
        "supports_implicit_caching": can(facts, Capability::PromptCaching),
        "supports_tool_choice": tool_choice(facts),
        "supports_diarization": false,
        "native_tools": {},
        "service_tier": null,
        "status": 0,
        "uptime_last_5m": null,
        "uptime_last_30m": null,
        "uptime_last_1d": null,
        "latency_last_30m": null,
        "throughput_last_30m": null,
    })
}

/// What a request may say of the tools that are called.
fn tool_choice(facts: Option<&Facts>) -> Value {
    let (tools, choice) = (can(facts, Capability::Tools), can(facts, Capability::ToolChoice));
    json!({ "auto": tools, "none": choice, "required": choice, "function": choice })
}

fn can(facts: Option<&Facts>, capability: Capability) -> bool {
    facts.is_some_and(|facts| facts.model.can.has(capability))
}
