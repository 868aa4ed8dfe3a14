//! A request in Ollama's words.

use gw_core::chat::{ChatRequest, Effort, Function, OutputFormat, Sampling, Thinking, ThinkingMode, Tool, ToolChoice};
use gw_core::{Error, ErrorCode};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::chat::{Encoded, Target, ToolNames};
use crate::ollama_chat::{FAMILY, PATH, messages};
use crate::plain::losses::of_request;
use crate::plain::tools;
use crate::shared::losses::Losses;
use crate::shared::thinking;

/// The members of the client's own that belong among the options.
const OPTION: &str = "options.";

#[derive(Serialize)]
struct Body<'a> {
    model: &'a str,
    messages: Vec<messages::Message>,
    /// Ollama streams unless it is told not to.
    stream: bool,
    #[serde(flatten)]
    rest: Map<String, Value>,
}

/// Writes a request.
pub(super) fn encode(request: &ChatRequest, target: &Target<'_>) -> Result<Encoded, Error> {
    let mut losses = Losses::default();
    of_request(request, &mut losses);
    let messages = messages::encode(&request.messages, &mut losses)?;
    let mut rest = Map::new();
    let mut say = |name: &str, value: Option<Value>| rest.extend(value.map(|value| (name.to_owned(), value)));
    say("tools", tool_use(request, &mut losses));
    say("format", format(&request.output, &mut losses));
    say("think", request.thinking.as_ref().and_then(|thinking| think(thinking, &mut losses)));
    if let Some(logprobs) = request.sampling.logprobs {
        say("logprobs", Some(true.into()));
        say("top_logprobs", logprobs.top.map(Value::from));
    }
    let mut options = options(&request.sampling);
    if let Some(members) = losses.own_extra(request, FAMILY) {
        for (name, value) in members {
            match (name.strip_prefix(OPTION), value) {
                (Some(option), value) => drop(options.insert(option.to_owned(), value.clone())),
                (None, Value::Object(more)) if name == "options" => options.extend(more.clone()),
                (None, value) => drop(rest.insert(name.clone(), value.clone())),
            }
        }
    }
    if !options.is_empty() {
        rest.insert("options".to_owned(), options.into());
    }
    let body = serde_json::to_vec(&Body { model: target.model, messages, stream: target.stream, rest })
        .map_err(|_| Error::new(ErrorCode::InternalError, "the request could not be written in Ollama's format"))?;
    let names = ToolNames::default();
    Ok(Encoded { path: PATH.to_owned(), headers: Vec::new(), body, losses: losses.into_vec(), names })
}

/// The tools. Ollama has no word for which must be called, so that those are left out that must not.
fn tool_use(request: &ChatRequest, losses: &mut Losses) -> Option<Value> {
    match &request.tool_choice {
        // A model that is told of no tools calls none.
        Some(ToolChoice::None) => return None,
        Some(ToolChoice::Required) => losses.drop("tool_choice", "Ollama's models call tools as they see fit"),
        Some(ToolChoice::Function(_) | ToolChoice::Custom(_) | ToolChoice::Allowed { required: true, .. }) => {
            losses.replace("tool_choice", "Ollama's models call tools as they see fit; only the chosen ones are sent");
        }
        None | Some(ToolChoice::Auto | ToolChoice::Allowed { required: false, .. }) => {}
    }
    if request.tools.iter().any(|tool| matches!(tool, Tool::Function(Function { strict: Some(true), .. }))) {
        losses.drop("tools[].strict", "Ollama does not enforce the schemas of tools");
    }
    let tools: Vec<Value> =
        tools::allowed(request).filter_map(|tool| tools::encode(tool, FAMILY, None, losses)).collect();
    (!tools.is_empty()).then_some(tools.into())
}

fn format(output: &OutputFormat, losses: &mut Losses) -> Option<Value> {
    match output {
        OutputFormat::Text => None,
        OutputFormat::Json => Some("json".into()),
        OutputFormat::Schema(output) => {
            if output.description.is_some() {
                losses.drop("response_format.json_schema.description", "Ollama takes the schema alone");
            }
            Some(output.schema.clone())
        }
    }
}

fn think(thinking: &Thinking, losses: &mut Losses) -> Option<Value> {
    if thinking.mode == Some(ThinkingMode::Disabled) || thinking.budget_tokens == Some(0) {
        return Some(false.into());
    }
    let effort = match (thinking.effort, thinking.budget_tokens) {
        (Some(effort), budget) => {
            if budget.is_some() {
                losses.drop("thinking.budget_tokens", "Ollama takes a word, which was given too");
            }
            effort
        }
        (None, Some(budget)) => {
            losses.replace("thinking.budget_tokens", "Ollama takes a word; one near to the number is sent");
            thinking::effort(budget)
        }
        (None, None) => return thinking.mode.map(|_| true.into()),
    };
    let near = match effort {
        Effort::None => return Some(false.into()),
        Effort::Minimal => Effort::Low,
        Effort::XHigh => Effort::Max,
        known => known,
    };
    if near != effort {
        losses.replace("reasoning_effort", "Ollama knows `low`, `medium`, `high`, `max`; the nearest is sent");
    }
    Some(near.name().into())
}

fn options(sampling: &Sampling) -> Map<String, Value> {
    let stop = Some(&sampling.stop).filter(|stop| !stop.is_empty());
    let options = [
        ("num_predict", sampling.max_output_tokens.map(Value::from)),
        ("temperature", sampling.temperature.map(Value::from)),
        ("top_p", sampling.top_p.map(Value::from)),
        ("top_k", sampling.top_k.map(Value::from)),
        ("seed", sampling.seed.map(Value::from)),
        ("stop", stop.map(|stop| stop.as_slice().into())),
        ("presence_penalty", sampling.presence_penalty.map(Value::from)),
        ("frequency_penalty", sampling.frequency_penalty.map(Value::from)),
    ];
    options.into_iter().filter_map(|(name, value)| value.map(|value| (name.to_owned(), value))).collect()
}
