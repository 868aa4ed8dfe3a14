//! A request in Cohere's words.

use gw_core::chat::{ChatRequest, Effort, Function, OutputFormat, Sampling, Thinking, ThinkingMode, Tool, ToolChoice};
use gw_core::{Error, ErrorCode};
use serde_json::{Map, Value, json};

use crate::chat::{Encoded, Target};
use crate::cohere_chat::{FAMILY, PATH, TOOL_NAME, messages};
use crate::plain::losses::of_request;
use crate::plain::tools;
use crate::shared::losses::Losses;
use crate::shared::thinking;

/// So many texts may end an answer.
const STOPS_MAX: usize = 5;
const TOP_K_MAX: u64 = 500;

/// Writes a request.
pub(super) fn encode(request: &ChatRequest, target: &Target<'_>) -> Result<Encoded, Error> {
    let mut losses = Losses::default();
    of_request(request, &mut losses);
    let mut body = Map::new();
    body.insert("model".to_owned(), target.model.into());
    body.insert("messages".to_owned(), messages::encode(&request.messages, &mut losses).into());
    body.insert("stream".to_owned(), target.stream.into());
    let has_tools = tool_use(request, &mut body, &mut losses);
    output(&request.output, has_tools, &mut body, &mut losses);
    sampling(&request.sampling, &mut body, &mut losses);
    if let Some(thinking) = &request.thinking {
        let cap = request.sampling.max_output_tokens;
        body.extend(thinks(thinking, cap, &mut losses).map(|value| ("thinking".to_owned(), value)));
    }
    if let Some(members) = losses.own_extra(request, FAMILY) {
        body.extend(members.clone());
    }
    let body = serde_json::to_vec(&body)
        .map_err(|_| Error::new(ErrorCode::InternalError, "the request could not be written in Cohere's format"))?;
    let names = TOOL_NAME.names(request);
    Ok(Encoded { path: PATH.to_owned(), headers: Vec::new(), body, losses: losses.into_vec(), names })
}

/// The tools and which of them must be called; says whether there are any.
fn tool_use(request: &ChatRequest, body: &mut Map<String, Value>, losses: &mut Losses) -> bool {
    let choice = request.tool_choice.as_ref();
    let allowed: Vec<&Tool> = tools::allowed(request).collect();
    let sent = allowed.iter().filter_map(|tool| tools::encode(tool, FAMILY, Some(TOOL_NAME), losses));
    let tools: Vec<Value> = sent.collect();
    let must = match choice {
        None | Some(ToolChoice::Auto | ToolChoice::Allowed { required: false, .. }) => None,
        Some(ToolChoice::None) => Some("NONE"),
        Some(ToolChoice::Required | ToolChoice::Allowed { required: true, .. }) => Some("REQUIRED"),
        Some(ToolChoice::Function(_) | ToolChoice::Custom(_)) => {
            losses.replace("tool_choice", "Cohere cannot be told which tool to call; only that one is sent");
            Some("REQUIRED")
        }
    };
    if tools.is_empty() {
        if must == Some("REQUIRED") {
            losses.drop("tool_choice", "there is no tool that could be called");
        }
        return false;
    }
    body.insert("tools".to_owned(), tools.into());
    if let Some(must) = must {
        body.insert("tool_choice".to_owned(), must.into());
    }
    strictness(&allowed, body, losses);
    true
}

/// Cohere enforces the schemas of all tools or of none.
fn strictness(tools: &[&Tool], body: &mut Map<String, Value>, losses: &mut Losses) {
    let strict = |tool: &&Tool| matches!(tool, Tool::Function(Function { strict: Some(true), .. }));
    if tools.iter().any(strict) {
        body.insert("strict_tools".to_owned(), true.into());
        if !tools.iter().all(strict) {
            losses.replace("tools[].strict", "Cohere enforces the schemas of all tools or of none; here of all");
        }
    }
}

fn output(output: &OutputFormat, has_tools: bool, body: &mut Map<String, Value>, losses: &mut Losses) {
    let format = match output {
        OutputFormat::Text => return,
        OutputFormat::Json => json!({"type": "json_object"}),
        OutputFormat::Schema(output) => {
            if output.description.is_some() {
                losses.drop("response_format.json_schema.description", "Cohere takes the schema alone");
            }
            json!({"type": "json_object", "json_schema": output.schema})
        }
    };
    if has_tools {
        losses.drop("response_format", "Cohere does not take it together with tools");
    } else {
        body.insert("response_format".to_owned(), format);
    }
}

fn sampling(sampling: &Sampling, body: &mut Map<String, Value>, losses: &mut Losses) {
    let mut say = |name: &str, value: Value| drop(body.insert(name.to_owned(), value));
    if let Some(most) = sampling.max_output_tokens {
        say("max_tokens", most.into());
    }
    for (value, name, param, least, most) in [
        (sampling.temperature, "temperature", "temperature", 0.0, 1.0),
        (sampling.top_p, "p", "top_p", 0.01, 0.99),
        (sampling.frequency_penalty, "frequency_penalty", "frequency_penalty", 0.0, 1.0),
        (sampling.presence_penalty, "presence_penalty", "presence_penalty", 0.0, 1.0),
    ] {
        let Some(value) = value else { continue };
        let near = value.clamp(least, most);
        if near != value {
            losses.replace(param, "beyond what Cohere takes; the nearest value is sent");
        }
        say(name, near.into());
    }
    if let Some(k) = sampling.top_k {
        if k > TOP_K_MAX {
            losses.replace("top_k", "beyond what Cohere takes; the nearest value is sent");
        }
        say("k", k.min(TOP_K_MAX).into());
    }
    if !sampling.stop.is_empty() {
        if sampling.stop.len() > STOPS_MAX {
            losses.replace("stop", "Cohere takes five texts; the first five are sent");
        }
        say("stop_sequences", sampling.stop.iter().take(STOPS_MAX).map(String::as_str).collect());
    }
    match sampling.seed {
        Some(seed) if seed < 0 => losses.drop("seed", "Cohere takes no negative one"),
        Some(seed) => say("seed", seed.into()),
        None => {}
    }
    if let Some(logprobs) = sampling.logprobs {
        say("logprobs", true.into());
        if logprobs.top.is_some_and(|top| top > 0) {
            losses.drop("top_logprobs", "Cohere tells the probabilities of the tokens that it chose");
        }
    }
}

fn thinks(thinking: &Thinking, cap: Option<u64>, losses: &mut Losses) -> Option<Value> {
    if thinking.mode == Some(ThinkingMode::Disabled) || thinking.effort == Some(Effort::None) {
        return Some(json!({"type": "disabled"}));
    }
    let budget = match (thinking.budget_tokens, thinking.effort) {
        (Some(0), _) => return Some(json!({"type": "disabled"})),
        (Some(budget), _) => Some(budget),
        (None, Some(effort)) => {
            losses.replace("reasoning_effort", "Cohere takes a number of tokens; one near to the word is sent");
            // Half of what the answer may have is left for the answer itself.
            Some(cap.map_or(u64::MAX, |cap| (cap / 2).max(1)).min(thinking::budget(effort)))
        }
        (None, None) => None,
    };
    match budget {
        Some(budget) => Some(json!({"type": "enabled", "token_budget": budget})),
        None if thinking.mode.is_some() => Some(json!({"type": "enabled"})),
        None => None,
    }
}
