//! A request in Mistral's words, made from one in OpenAI's: the top of the body, and what may be called.

use std::borrow::Cow;

use gw_core::chat::{ChatRequest, Family, MediaKind, MediaSource, Native, Part};
use gw_core::{Error, ErrorCode};
use serde_json::{Map, Value, json};

use super::messages;
use crate::chat::{Egress, Encoded, Target};
use crate::shared::custom;
use crate::shared::losses::Losses;

/// An object of the body.
pub(super) type Object = Map<String, Value>;

/// What Mistral calls otherwise.
const RENAMED: [(&str, &str); 2] = [("max_completion_tokens", "max_tokens"), ("seed", "random_seed")];

/// What stands at the top of a body.
const MEMBERS: [&str; 23] = [
    "model",
    "temperature",
    "top_p",
    "max_tokens",
    "stream",
    "stop",
    "random_seed",
    "metadata",
    "messages",
    "response_format",
    "tools",
    "tool_choice",
    "presence_penalty",
    "frequency_penalty",
    "n",
    "prediction",
    "parallel_tool_calls",
    "reasoning_effort",
    "prompt_mode",
    "guardrails",
    "prompt_cache_key",
    "service_tier",
    "safe_prompt",
];

/// Mistral's own tools.
const TOOLS: [&str; 6] =
    ["web_search", "web_search_premium", "code_interpreter", "image_generation", "document_library", "connector"];

const TEMPERATURE_MAX: f64 = 1.5;

/// Writes a request.
pub(super) fn encode(inner: &dyn Egress, request: &ChatRequest, target: &Target<'_>) -> Result<Encoded, Error> {
    let functions = custom::as_functions(request);
    let (request, lost) = functions.as_ref().map_or((request, &[][..]), |(request, lost)| (request, lost.as_slice()));
    let request = with_documents(request);
    let mut encoded = inner.encode_request(&request, target)?;
    encoded.losses.extend_from_slice(lost);
    let failed = |_| Error::new(ErrorCode::InternalError, "the request could not be written in Mistral's format");
    let mut body: Object = serde_json::from_slice(&encoded.body).map_err(failed)?;
    let mut losses = Losses::from(std::mem::take(&mut encoded.losses));
    if let Some(Value::Array(list)) = body.get_mut("messages") {
        messages::rewrite(list, &mut losses);
    }
    search(&mut body, &mut losses);
    top(&mut body, &mut losses);
    tools(&mut body, &mut losses);
    encoded.losses = losses.into_vec();
    encoded.body = serde_json::to_vec(&body).map_err(failed)?;
    Ok(encoded)
}

/// The request with documents at an address as parts of Mistral's own, since OpenAI's format has no words for them.
fn with_documents(request: &ChatRequest) -> Cow<'_, ChatRequest> {
    let is_far = |part: &Part| match part {
        Part::Media(media) => media.kind == MediaKind::Document && matches!(media.source, MediaSource::Url { .. }),
        _ => false,
    };
    if !request.messages.iter().flat_map(|message| &message.parts).any(is_far) {
        return Cow::Borrowed(request);
    }
    let mut request = request.clone();
    for part in request.messages.iter_mut().flat_map(|message| &mut message.parts) {
        if let Part::Media(media) = part
            && media.kind == MediaKind::Document
            && let MediaSource::Url { url, .. } = &media.source
        {
            let value = messages::document(url, media.name.as_deref());
            *part = Part::Native(Native { family: Family::OpenAiChat, kind: "document_url".to_owned(), value });
        }
    }
    Cow::Owned(request)
}

/// Mistral's search of the web stands among the tools, and takes no options.
fn search(body: &mut Object, losses: &mut Losses) {
    let Some(options) = body.shift_remove("web_search_options") else { return };
    for name in options.as_object().into_iter().flat_map(Map::keys) {
        losses.drop(format!("web_search_options.{name}"), "Mistral's search of the web takes no options");
    }
    let tools = body.entry("tools").or_insert_with(|| json!([]));
    if let Some(tools) = tools.as_array_mut() {
        tools.push(json!({"type": "web_search"}));
    }
}

fn top(body: &mut Object, losses: &mut Losses) {
    for (from, to) in RENAMED {
        // What the client said in Mistral's own word stands.
        if let Some(value) = body.shift_remove(from) {
            body.entry(to).or_insert(value);
        }
    }
    // Usage comes unasked.
    body.shift_remove("stream_options");
    if body.get("random_seed").is_some_and(|seed| seed.as_u64().is_none()) {
        losses.drop("seed", "Mistral takes no negative seed");
        body.shift_remove("random_seed");
    }
    if body.get("temperature").and_then(Value::as_f64).is_some_and(|asked| asked > TEMPERATURE_MAX) {
        losses.replace("temperature", "Mistral's range is 0 to 1.5");
        body.insert("temperature".to_owned(), TEMPERATURE_MAX.into());
    }
    if body.get("reasoning_effort").is_some_and(|effort| effort == "max") {
        losses.replace("reasoning_effort", "Mistral's greatest effort is `xhigh`");
        body.insert("reasoning_effort".to_owned(), "xhigh".into());
    }
    tier(body, losses);
    body.retain(|name, value| {
        let is_known = MEMBERS.contains(&name.as_str());
        // What is asked for is what happens anyway.
        let is_usual = name == "modalities" && *value == json!(["text"]);
        if !is_known && !is_usual && !value.is_null() {
            losses.drop(name.clone(), "Mistral has no such parameter");
        }
        is_known && !value.is_null()
    });
}

fn tier(body: &mut Object, losses: &mut Losses) {
    match body.get("service_tier").and_then(Value::as_str) {
        None | Some("auto" | "standard_only") => {}
        Some("default" | "standard") => drop(body.insert("service_tier".to_owned(), "standard_only".into())),
        Some(_) => {
            losses.drop("service_tier", "Mistral has no such service");
            body.shift_remove("service_tier");
        }
    }
}

fn tools(body: &mut Object, losses: &mut Losses) {
    if let Some(choice) = body.get_mut("tool_choice").filter(|choice| choice["type"] == "allowed_tools") {
        let allowed = choice["allowed_tools"].take();
        *choice = allowed["mode"].clone();
        let names: Vec<&str> = allowed["tools"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|tool| tool["function"]["name"].as_str())
            .collect();
        if let Some(Value::Array(tools)) = body.get_mut("tools") {
            tools.retain(|tool| tool["function"]["name"].as_str().is_some_and(|name| names.contains(&name)));
        }
    }
    if let Some(Value::Array(tools)) = body.get_mut("tools") {
        tools.retain_mut(|tool| is_tool(tool, losses));
        if tools.is_empty() {
            body.retain(|name, _| !matches!(name.as_str(), "tools" | "tool_choice" | "parallel_tool_calls"));
        }
    }
}

fn is_tool(tool: &mut Value, losses: &mut Losses) -> bool {
    if tool["type"] != "function" {
        let is_own = tool["type"].as_str().is_some_and(|kind| TOOLS.contains(&kind));
        if !is_own {
            losses.drop("tools[].type", "Mistral has no such tool");
        }
        return is_own;
    }
    let Some(function) = tool.get_mut("function").and_then(Value::as_object_mut) else { return true };
    if !function.get("parameters").is_some_and(Value::is_object) {
        function.insert("parameters".to_owned(), json!({"type": "object", "properties": {}}));
    }
    function.retain(|name, value| {
        let is_known = ["name", "description", "strict", "parameters"].contains(&name.as_str());
        if !is_known && !value.is_null() {
            losses.drop(format!("tools[].function.{name}"), "Mistral's functions have no such member");
        }
        is_known && !value.is_null()
    });
    messages::keep(tool, &["type", "function"], "tools[]", losses);
    true
}
