//! Writes a request for a provider.

use gw_core::chat::{ChatRequest, Loss, OutputFormat, Part, Role, Text, Thinking, ThinkingDisplay, ThinkingMode};
use serde_json::{Value, json};

use super::super::read::{Object, number};
use super::super::tools::{EXTRA as TOOL_EXTRA, Names};
use super::super::{FAMILY, ID_RULE, INCLUDE_ENCRYPTED, INCLUDE_LOGPROBS, NAME_RULE, PATH};
use super::input;
use crate::chat::{Encoded, Target};
use crate::shared::losses::{Losses, Param};
use crate::shared::thinking;

/// OpenAI refuses a smaller limit.
const OUTPUT_TOKENS_MIN: u64 = 16;

/// The services that OpenAI knows (`ServiceTierResponses`); another family's word becomes the nearest.
const STANDARD_ONLY: &str = "standard_only";

/// Models that cannot think, and refuse to be asked for their thoughts.
const THOUGHTLESS: [&str; 3] = ["gpt-3", "gpt-4", "chatgpt-"];

/// The request in this dialect.
pub(in super::super) fn encode(request: &ChatRequest, target: &Target<'_>) -> Encoded {
    let mut losses = Losses::default();
    let names = Names::of(request);
    let mut body = Object::new();
    let mut set = |name: &str, value: Option<Value>| {
        if let Some(value) = value {
            body.insert(name.to_owned(), value);
        }
    };
    set("model", Some(Value::from(target.model)));
    set("instructions", instructions(request).map(|text| Value::from(text.text.as_str())));
    set("input", Some(Value::Array(input::items(request, target, &names, &mut losses))));
    let tools = names.tools(request, &mut losses);
    set("tools", (!tools.is_empty()).then_some(Value::Array(tools)));
    set("tool_choice", request.tool_choice.as_ref().map(|choice| names.choice(choice, request)));
    set("parallel_tool_calls", request.parallel_tool_calls.map(Value::from));
    set("text", text(request, &mut losses));
    set("reasoning", request.thinking.as_ref().and_then(|thinking| reasoning(thinking, &mut losses)));
    set("max_output_tokens", output_tokens(request, &mut losses));
    set("temperature", request.sampling.temperature.map(number));
    set("top_p", request.sampling.top_p.map(number));
    let logprobs = request.sampling.logprobs;
    set("top_logprobs", logprobs.and_then(|logprobs| logprobs.top).map(Value::from));
    set("service_tier", service_tier(request, &mut losses));
    set("safety_identifier", request.user.as_deref().map(|user| user_id(user, &mut losses)));
    set("metadata", (!request.metadata.is_empty()).then(|| Value::Object(request.metadata.clone())));
    set("prompt_cache_key", request.cache_key.as_deref().map(Value::from));
    set("stream", target.stream.then_some(Value::Bool(true)));
    unsaid(request, &mut losses);
    extra(&mut body, request, &mut losses);
    remember(&mut body, request, target);
    Encoded {
        path: PATH.to_owned(),
        headers: Vec::new(),
        // A map with string keys cannot fail to be written.
        body: serde_json::to_vec(&body).unwrap_or_default(),
        losses: losses.into_vec(),
        names: NAME_RULE.names(request),
    }
}

/// The rule for `instructions`: the first message, if it is one plain text in the role `system`. All other instructions
/// stay where they stand in the conversation.
pub(in super::super) fn instructions(request: &ChatRequest) -> Option<&Text> {
    let first = request.messages.first().filter(|message| message.role == Role::System && message.name.is_none())?;
    match first.parts.as_slice() {
        [Part::Text(text)] if text.cache.is_none() => Some(text),
        _ => None,
    }
}

/// The shape and length of the text.
pub(in super::super) fn text(request: &ChatRequest, losses: &mut Losses) -> Option<Value> {
    let mut written = Object::new();
    match &request.output {
        OutputFormat::Text => {}
        OutputFormat::Json => {
            written.insert("format".to_owned(), json!({"type": "json_object"}));
        }
        OutputFormat::Schema(schema) => {
            let name = schema.name.as_deref().unwrap_or("answer");
            let mut format = json!({"type": "json_schema", "name": NAME_RULE.fit(name), "schema": schema.schema});
            if let Some(description) = &schema.description {
                format["description"] = Value::from(description.as_str());
            }
            if let Some(strict) = schema.strict {
                format["strict"] = Value::from(strict);
            }
            written.insert("format".to_owned(), format);
        }
    }
    match request.verbosity.as_deref() {
        None => {}
        Some(word @ ("low" | "medium" | "high")) => {
            written.insert("verbosity".to_owned(), Value::from(word));
        }
        Some(_) if request.extra.family == FAMILY => {
            written.insert("verbosity".to_owned(), Value::from(request.verbosity.clone()));
        }
        Some(_) => losses.push(Loss::dropped("verbosity", "the provider knows low, medium and high")),
    }
    (!written.is_empty()).then_some(Value::Object(written))
}

/// How much the model is to think, and what of it is shown.
pub(in super::super) fn reasoning(asked: &Thinking, losses: &mut Losses) -> Option<Value> {
    let mut written = Object::new();
    let effort = match (asked.effort, asked.mode, asked.budget_tokens) {
        (Some(effort), ..) => Some(effort.name()),
        (None, Some(ThinkingMode::Disabled), _) => Some("none"),
        (None, _, Some(budget)) => {
            losses.push(Loss::replaced("reasoning_effort", "a budget of tokens is sent as the effort that is nearest"));
            Some(thinking::effort(budget).name())
        }
        (None, _, None) => None,
    };
    if let Some(effort) = effort {
        written.insert("effort".to_owned(), Value::from(effort));
    }
    // Whoever switches thinking on elsewhere is shown it unless he says no.
    let is_on = matches!(asked.mode, Some(ThinkingMode::Enabled | ThinkingMode::Adaptive));
    let summary = match asked.display {
        Some(ThinkingDisplay::Auto) => Some("auto"),
        Some(ThinkingDisplay::Concise) => Some("concise"),
        Some(ThinkingDisplay::Detailed) => Some("detailed"),
        Some(ThinkingDisplay::Omitted) => None,
        None => is_on.then_some("auto"),
    };
    if let Some(summary) = summary {
        written.insert("summary".to_owned(), Value::from(summary));
    }
    (!written.is_empty()).then_some(Value::Object(written))
}

fn output_tokens(request: &ChatRequest, losses: &mut Losses) -> Option<Value> {
    let tokens = request.sampling.max_output_tokens?;
    if tokens < OUTPUT_TOKENS_MIN {
        losses.push(Loss::replaced("max_completion_tokens", "the provider takes no limit below 16"));
    }
    Some(Value::from(tokens.max(OUTPUT_TOKENS_MIN)))
}

fn service_tier(request: &ChatRequest, losses: &mut Losses) -> Option<Value> {
    let tier = request.service_tier.as_deref()?;
    if tier != STANDARD_ONLY {
        return Some(Value::from(tier));
    }
    losses.push(Loss::replaced("service_tier", "sent as \"default\", which is OpenAI's word for it"));
    Some(Value::from("default"))
}

fn user_id(user: &str, losses: &mut Losses) -> Value {
    let id = ID_RULE.fit(user);
    if id != user {
        losses
            .push(Loss::replaced("user", "an id that is too long was shortened; it stays the same for the same user"));
    }
    Value::from(id)
}

/// What this dialect has no words for.
fn unsaid(request: &ChatRequest, losses: &mut Losses) {
    losses.lacking(
        request,
        &[
            Param::Stop,
            Param::Seed,
            Param::TopK,
            Param::PresencePenalty,
            Param::FrequencyPenalty,
            Param::Candidates,
            Param::LogitBias,
            Param::Modalities,
            Param::Audio,
            Param::Prediction,
        ],
    );
}

/// Members of our own family pass as they are; of another, none does.
fn extra(body: &mut Object, request: &ChatRequest, losses: &mut Losses) {
    for (name, value) in losses.own_extra(request, FAMILY).into_iter().flatten() {
        if name.starts_with(TOOL_EXTRA) {
            continue;
        }
        let inside = ["text", "reasoning"].into_iter().find_map(|outer| {
            let member = name.strip_prefix(outer)?.strip_prefix('.')?;
            Some((outer, member))
        });
        match inside {
            Some((outer, member)) => {
                if let Value::Object(outer) = body.entry(outer).or_insert_with(|| json!({})) {
                    outer.insert(member.to_owned(), value.clone());
                }
            }
            None => {
                body.insert(name.clone(), value.clone());
            }
        }
    }
}

/// The provider is to keep nothing, unless the client says otherwise; so that thoughts must come back encrypted.
fn remember(body: &mut Object, request: &ChatRequest, target: &Target<'_>) {
    let store = body.entry("store").or_insert(Value::Bool(false));
    let model = target.model.rsplit('/').next().unwrap_or_default();
    let can_think = !THOUGHTLESS.iter().any(|prefix| model.starts_with(prefix));
    let wants_thoughts = *store == Value::Bool(false) && can_think;
    let wanted = [(wants_thoughts, INCLUDE_ENCRYPTED), (request.sampling.logprobs.is_some(), INCLUDE_LOGPROBS)];
    for (_, word) in wanted.into_iter().filter(|(is_wanted, _)| *is_wanted) {
        if let Value::Array(include) = body.entry("include").or_insert_with(|| json!([]))
            && !include.iter().any(|known| known == word)
        {
            include.push(Value::from(word));
        }
    }
}
