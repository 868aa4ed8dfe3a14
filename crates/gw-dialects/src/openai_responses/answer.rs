//! Reads a provider's whole answer. What its items become and why it ended is used by the stream too.

use gw_core::chat::{
    Candidate, ChatAnswer, Extra, Finish, FinishReason, Media, MediaKind, MediaSource, Opaque, OpaqueKind, Part, Text,
    ToolCall, ToolInput,
};
use gw_core::{Error, Usage};
use serde_json::{Map, Value, json};

use super::read::{list, text};
use super::tools::flat;
use super::{FAMILY, error, request};
use crate::chat::Origin;
use crate::shared::{media, refusal};
use crate::told_cost;

/// Members of an answer that are read, or that repeat the request. All others are extra.
const KNOWN: [&str; 34] = [
    "id",
    "object",
    "created_at",
    "completed_at",
    "status",
    "error",
    "incomplete_details",
    "instructions",
    "model",
    "output",
    "output_text",
    "usage",
    "tools",
    "tool_choice",
    "parallel_tool_calls",
    "previous_response_id",
    "conversation",
    "prompt",
    "prompt_cache_key",
    "prompt_cache_retention",
    "prompt_cache_options",
    "max_output_tokens",
    "max_tool_calls",
    "metadata",
    "reasoning",
    "safety_identifier",
    "service_tier",
    "store",
    "temperature",
    "text",
    "top_p",
    "top_logprobs",
    "truncation",
    "user",
];

/// A whole answer.
pub(super) fn decode(body: &[u8], origin: &Origin) -> Result<ChatAnswer, Error> {
    let invalid = |what| refusal::invalid(&origin.provider, what);
    let response: Value = serde_json::from_slice(body).map_err(|_| invalid("an answer that is not valid JSON"))?;
    failure(&response, &origin.provider)?;
    let Some(output) = response.get("output").and_then(Value::as_array) else {
        return Err(invalid("an answer without output"));
    };
    if matches!(text(&response, "status"), "in_progress" | "queued") {
        return Err(invalid("an answer that is not finished"));
    }
    let mut logprobs = Vec::new();
    let parts: Vec<Part> = output.iter().flat_map(|item| parts(item, origin, &mut logprobs)).collect();
    let is = |wanted: fn(&Part) -> bool| parts.iter().any(wanted);
    let calls = is(|part| matches!(part, Part::ToolCall(_)));
    let refuses = is(|part| matches!(part, Part::Refusal(_)));
    let model = Some(text(&response, "model")).filter(|model| !model.is_empty()).unwrap_or(&origin.model);
    Ok(ChatAnswer {
        id: text(&response, "id").to_owned(),
        model: model.to_owned(),
        created_s: created(&response),
        candidates: vec![Candidate {
            finish: finish(&response, calls, refuses),
            parts,
            logprobs: (!logprobs.is_empty()).then_some(Value::Array(logprobs)),
        }],
        usage: usage(&response),
        service_tier: response.get("service_tier").and_then(Value::as_str).map(str::to_owned),
        extra: Extra::of_answer(FAMILY, extra(&response)),
    })
}

/// The error of an answer that failed, which comes under a status of success.
pub(super) fn failure(response: &Value, provider: &str) -> Result<(), Error> {
    let said = response.get("error").filter(|said| !said.is_null());
    match (said, text(response, "status")) {
        (Some(said), "failed" | "") => Err(error::inside(provider, said)),
        (None, "failed") => Err(error::inside(provider, &json!({}))),
        (_, "cancelled") => Err(error::inside(provider, &json!({"message": "the answer was cancelled"}))),
        _ => Ok(()),
    }
}

pub(super) fn created(response: &Value) -> Option<u64> {
    // OpenAI's schema says a number, not a whole one.
    let created = response.get("created_at")?;
    created.as_u64().or_else(|| created.as_f64().map(|seconds| seconds as u64))
}

/// Members that no word of ours stands for.
pub(super) fn extra(response: &Value) -> Map<String, Value> {
    let members = response.as_object().into_iter().flatten();
    let left = members.filter(|(name, value)| !KNOWN.contains(&name.as_str()) && !value.is_null());
    left.filter(|(name, _)| *name != "background" && *name != "billing")
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

/// Why an answer ended.
pub(super) fn finish(response: &Value, calls_tools: bool, refuses: bool) -> Finish {
    let status = text(response, "status");
    if status == "incomplete" {
        let details = response.get("incomplete_details").unwrap_or(&Value::Null);
        return match text(details, "reason") {
            "" => Finish::new(FinishReason::Length, status),
            "content_filter" => Finish::new(FinishReason::ContentFilter, "content_filter"),
            other => Finish::new(FinishReason::Length, other),
        };
    }
    let reason = match (calls_tools, refuses) {
        (true, _) => FinishReason::ToolCalls,
        (false, true) => FinishReason::Refusal,
        (false, false) => FinishReason::Stop,
    };
    let raw = Some(status).filter(|status| !status.is_empty()).map(str::to_owned);
    Finish { reason, raw, stop_sequence: None }
}

/// What was used. OpenAI's totals include their details.
pub(super) fn usage(response: &Value) -> Option<Usage> {
    let usage = response.get("usage").filter(|usage| usage.is_object())?;
    let count = |value: &Value, name: &str| value.get(name).and_then(Value::as_u64).unwrap_or_default();
    let detail = |details: &str, name: &str| usage.get(details).map(|details| count(details, name)).unwrap_or_default();
    Some(Usage {
        input_tokens: count(usage, "input_tokens"),
        output_tokens: count(usage, "output_tokens"),
        cached_input_tokens: detail("input_tokens_details", "cached_tokens"),
        cache_write_tokens: detail("input_tokens_details", "cache_write_tokens"),
        reasoning_tokens: detail("output_tokens_details", "reasoning_tokens"),
        audio_input_tokens: detail("input_tokens_details", "audio_tokens"),
        audio_output_tokens: detail("output_tokens_details", "audio_tokens"),
        image_input_tokens: detail("input_tokens_details", "image_tokens"),
        image_output_tokens: detail("output_tokens_details", "image_tokens"),
        searches: searches(response),
        told_cost: told_cost::in_value(usage),
        ..Usage::default()
    })
}

/// The searches of the web among the items: opening a page that was found is none.
fn searches(response: &Value) -> u64 {
    let items = response.get("output").and_then(Value::as_array).into_iter().flatten();
    let calls = items.filter(|item| text(item, "type") == "web_search_call");
    let opens = |item: &&Value| matches!(item["action"]["type"].as_str(), Some("open_page" | "find_in_page" | "find"));
    calls.filter(|item| !opens(item)).count() as u64
}

/// The parts that an item of the output becomes. Texts without words are none.
pub(super) fn parts(item: &Value, origin: &Origin, logprobs: &mut Vec<Value>) -> Vec<Part> {
    match text(item, "type") {
        "message" => message(item, origin, logprobs),
        "reasoning" => {
            let id = Some(text(item, "id")).filter(|id| !id.is_empty()).map(str::to_owned);
            request::thoughts(
                id,
                request::joined(item, "summary"),
                request::joined(item, "content"),
                encrypted(item, origin),
            )
        }
        "function_call" => vec![Part::ToolCall(ToolCall {
            id: call_id(item),
            name: call_name(item, origin),
            input: ToolInput::Json(
                Some(text(item, "arguments")).filter(|json| !json.trim().is_empty()).unwrap_or("{}").to_owned(),
            ),
            ..ToolCall::default()
        })],
        "custom_tool_call" => vec![Part::ToolCall(ToolCall {
            id: call_id(item),
            name: call_name(item, origin),
            input: ToolInput::Text(text(item, "input").to_owned()),
            ..ToolCall::default()
        })],
        "image_generation_call" => vec![picture(item).map_or_else(|| request::native(item), Part::Media)],
        _ => vec![request::native(item)],
    }
}

fn message(item: &Value, origin: &Origin, logprobs: &mut Vec<Value>) -> Vec<Part> {
    let phase = phase(item, origin);
    let parts = list(item, "content").iter().filter_map(|part| match text(part, "type") {
        "refusal" => {
            Some(text(part, "refusal")).filter(|text| !text.is_empty()).map(|text| Part::Refusal(text.to_owned()))
        }
        _ => {
            logprobs.extend(list(part, "logprobs").iter().cloned());
            let citations: Vec<_> = list(part, "annotations").iter().map(request::citation).collect();
            let words = text(part, "text");
            (!words.is_empty() || !citations.is_empty())
                .then(|| Part::Text(Text { citations, opaque: phase.clone(), ..Text::from(words) }))
        }
    });
    parts.collect()
}

/// The phase of a message.
pub(super) fn phase(item: &Value, origin: &Origin) -> Option<Opaque> {
    item.get("phase").and_then(Value::as_str).map(|phase| request::phase(phase, &origin.provider))
}

/// The encrypted thoughts of an item.
pub(super) fn encrypted(item: &Value, origin: &Origin) -> Option<Opaque> {
    let data = item.get("encrypted_content")?.as_str()?.to_owned();
    Some(Opaque { family: FAMILY, provider: origin.provider.to_string(), kind: OpaqueKind::Encrypted, data })
}

/// By which the result of a call is known. Some providers have the id of the item alone.
pub(super) fn call_id(item: &Value) -> String {
    let id = text(item, "call_id");
    if id.is_empty() { text(item, "id").to_owned() } else { id.to_owned() }
}

/// The client's name of a tool that is called.
pub(super) fn call_name(item: &Value, origin: &Origin) -> String {
    let namespace = item.get("namespace").and_then(Value::as_str);
    origin.names.original(&flat(namespace, text(item, "name"))).to_owned()
}

/// A picture that was made; `None` if there is none in the item.
pub(super) fn picture(item: &Value) -> Option<Media> {
    let data = text(item, "result");
    if data.is_empty() {
        return None;
    }
    let named = text(item, "output_format");
    let media_type = match media::sniff(data) {
        Some(media_type) => media_type.to_owned(),
        None if named.is_empty() => "image/png".to_owned(),
        None => format!("image/{named}"),
    };
    Some(Media::new(MediaKind::Image, MediaSource::Inline { media_type, data: data.to_owned() }))
}
