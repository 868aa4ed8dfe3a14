//! `GET /api/v1/generation?id=`: the facts of a finished request of the caller.

use std::time::Duration;

use gw_core::{Error, ErrorCode, Operation, Outcome, RequestRecord, ServiceTier, Usage};
use gw_engine::recent::{Owner, Recent};
use gw_telemetry::rfc3339;
use serde_json::{Map, Value, json};

use super::account::dollars;
use super::{data, in_query};

/// A request is remembered a moment after its last byte was sent: whoever asks at once waits for it.
const PATIENCE: Duration = Duration::from_millis(250);
/// How often it is looked for meanwhile.
const LOOKS: u32 = 5;

/// The facts of a request, by the id in its answer or by the gateway's (`x-request-id`, `x-generation-id`).
///
/// # Errors
/// `invalid_request` without an id; `object_not_found` if there is no such request of this caller, or not any more.
pub(super) async fn generation(recent: &dyn Recent, owner: &Owner, query: &str) -> Result<Value, Error> {
    let Some(id) = in_query(query, "id") else {
        return Err(Error::new(ErrorCode::InvalidRequest, "say whose facts are wanted: ?id=").with_param("id"));
    };
    for look in 0..=LOOKS {
        if let Some(record) = recent.find(owner, &id).await {
            return Ok(data(facts(&record, &id)));
        }
        if look < LOOKS {
            tokio::time::sleep(PATIENCE / LOOKS).await;
        }
    }
    let message = "no finished request of this key has this id, or it is too long ago: the last ones are remembered, \
                   until the process ends";
    Err(Error::new(ErrorCode::ObjectNotFound, message).with_param("id"))
}

/// What is not known here of any request, and OpenRouter has a member for.
const UNKNOWN: [&str; 19] = [
    "app_id",
    "cache_discount",
    "external_user",
    "finish_reason",
    "http_referer",
    "moderation_latency",
    "native_finish_reason",
    "num_fetches",
    "num_input_audio_prompt",
    "num_media_completion",
    "num_media_prompt",
    "num_search_results",
    "preset_id",
    "response_cache_source_id",
    "router",
    "session_id",
    "user_agent",
    "web_search_engine",
    "workspace_id",
];

/// What is not known is `null`: an unknown cost, too.
fn facts(record: &RequestRecord, id: &str) -> Value {
    let mut facts: Map<String, Value> = UNKNOWN.iter().map(|name| ((*name).to_owned(), Value::Null)).collect();
    for part in [course(record, id), used(record)] {
        if let Value::Object(part) = part {
            facts.extend(part);
        }
    }
    Value::Object(facts)
}

/// How the request went.
fn course(record: &RequestRecord, id: &str) -> Value {
    let timings = &record.timings;
    json!({
        "id": id,
        "request_id": record.request_id.as_str(),
        "upstream_id": record.provider_request_id,
        "created_at": rfc3339::text(record.started_at),
        "model": record.model_used.as_deref().or(record.model_requested.as_deref()).unwrap_or_default(),
        "provider_name": record.provider.as_deref(),
        "provider_responses": responses(record),
        "api_type": api_type(record.operation),
        "streamed": record.stream,
        "cancelled": record.outcome == Outcome::Cancelled,
        "status": record.status,
        "error": record.error.map(ErrorCode::name),
        "attempts": record.attempts,
        "latency": timings.first_byte_us.map(millis),
        "generation_time": millis(timings.total_us),
        "is_byok": record.callers_key,
        "origin": "",
        "data_region": "global",
    })
}

/// What was used, and what that cost.
fn used(record: &RequestRecord) -> Value {
    let usage = record.usage.as_ref();
    let tokens = |count: fn(&Usage) -> u64| usage.map(count);
    let total = match &record.cost {
        Some(cost) => cost.total().map_or(Value::Null, dollars),
        None if nobody_was_asked(record) => json!(0),
        None => Value::Null,
    };
    json!({
        "tokens_prompt": tokens(|usage| usage.input_tokens),
        "tokens_completion": tokens(|usage| usage.output_tokens),
        "native_tokens_prompt": tokens(|usage| usage.input_tokens),
        "native_tokens_completion": tokens(|usage| usage.output_tokens),
        "native_tokens_reasoning": tokens(|usage| usage.reasoning_tokens),
        "native_tokens_cached": tokens(|usage| usage.cached_input_tokens),
        "native_tokens_completion_images": tokens(|usage| usage.image_output_tokens),
        "service_tier": usage.and_then(|usage| usage.service_tier).map(ServiceTier::name),
        "total_cost": if record.uncharged.is_some() { json!(0) } else { total.clone() },
        "usage": if record.callers_key || record.uncharged.is_some() { json!(0) } else { total.clone() },
        "upstream_inference_cost": total,
    })
}

fn millis(micros: u64) -> u64 {
    micros / 1_000
}

fn nobody_was_asked(record: &RequestRecord) -> bool {
    record.outcome == Outcome::Failed && record.attempts == 0
}

/// What the provider said, if one was asked.
fn responses(record: &RequestRecord) -> Value {
    match &record.provider {
        Some(_) if record.attempts > 0 => json!([{
            "id": record.provider_request_id.as_deref().unwrap_or_default(),
            "is_byok": record.callers_key,
            "status": record.error.is_none().then_some(record.status),
            "latency": millis(record.timings.upstream_us),
        }]),
        _ => Value::Null,
    }
}

fn api_type(operation: Operation) -> Option<&'static str> {
    Some(match operation {
        Operation::Chat | Operation::Completion => "completions",
        Operation::Embeddings => "embeddings",
        Operation::Rerank => "rerank",
        Operation::Speech => "tts",
        Operation::Transcription => "stt",
        Operation::Images => "image",
        Operation::Videos => "video",
        _ => return None,
    })
}
