//! A request in Qwen's words, made from one in OpenAI's.

use gw_core::chat::{ChatRequest, Effort, Thinking, ThinkingMode, ToolChoice};
use gw_core::{Error, ErrorCode};
use serde_json::{Map, Value, json};

use crate::chat::{Egress, Encoded, Target};
use crate::shared::losses::Losses;
use crate::shared::thinking as table;

/// Writes a request.
pub(super) fn encode(inner: &dyn Egress, request: &ChatRequest, target: &Target<'_>) -> Result<Encoded, Error> {
    let mut request = request.clone();
    let (thinking, top_k) = (request.thinking.take(), request.sampling.top_k.take());
    let choice_is_weaker = request.tool_choice == Some(ToolChoice::Required);
    if choice_is_weaker {
        request.tool_choice = Some(ToolChoice::Auto);
    }
    let mut encoded = inner.encode_request(&request, target)?;
    let failed = |_| Error::new(ErrorCode::InternalError, "the request could not be written in Qwen's format");
    let mut body: Map<String, Value> = serde_json::from_slice(&encoded.body).map_err(failed)?;
    let mut losses = Losses::from(std::mem::take(&mut encoded.losses));
    if choice_is_weaker {
        // Seen by others; the page lists `auto`, `none` and a function.
        losses.replace("tool_choice", "Qwen cannot be made to call a tool; it was left to choose");
    }
    if let Some(limit) = body.shift_remove("max_completion_tokens") {
        body.entry("max_tokens").or_insert(limit);
    }
    if let Some(top_k) = top_k {
        body.insert("top_k".to_owned(), top_k.into());
    }
    if let Some(thinking) = thinking {
        think(&thinking, target.stream, &mut body, &mut losses);
    }
    for message in body.get_mut("messages").and_then(Value::as_array_mut).into_iter().flatten() {
        for part in message.get_mut("content").and_then(Value::as_array_mut).into_iter().flatten() {
            mark(part);
        }
    }
    encoded.losses = losses.into_vec();
    encoded.body = serde_json::to_vec(&body).map_err(failed)?;
    Ok(encoded)
}

/// How the model is to think: whether, and for how many tokens. What the client's own members say of it stands.
fn think(thinking: &Thinking, stream: bool, body: &mut Map<String, Value>, losses: &mut Losses) {
    let effort = thinking.effort.filter(|effort| *effort != Effort::None);
    let is_off = thinking.mode == Some(ThinkingMode::Disabled) || thinking.effort == Some(Effort::None);
    let is_on = !is_off && (thinking.mode.is_some() || effort.is_some() || thinking.budget_tokens.is_some());
    if !is_on && !is_off {
        return;
    }
    if is_on && !stream {
        losses.drop("thinking", "Qwen's models think in streams only");
        return;
    }
    body.entry("enable_thinking").or_insert(Value::Bool(is_on));
    if !is_on {
        return;
    }
    if effort.is_some() && thinking.budget_tokens.is_none() {
        losses.replace("reasoning_effort", "Qwen has a budget of tokens for thinking");
    }
    if let Some(budget) = thinking.budget_tokens.or_else(|| effort.map(table::budget)) {
        body.entry("thinking_budget").or_insert(budget.into());
    }
}

/// A mark for the cache, in Alibaba's words.
fn mark(part: &mut Value) {
    if let Some(part) = part.as_object_mut()
        && part.shift_remove("prompt_cache_breakpoint").is_some()
    {
        part.insert("cache_control".to_owned(), json!({"type": "ephemeral"}));
    }
}
