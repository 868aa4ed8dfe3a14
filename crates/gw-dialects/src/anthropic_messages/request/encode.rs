//! Writes a request.

use gw_core::chat::{ChatRequest, Loss, Text};
use gw_core::{Error, ErrorCode};
use http::{HeaderName, HeaderValue};
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::{Map, Value, json};

use super::super::models::Model;
use super::super::wire::{Block, merge, wrong};
use super::super::{COUNT_TOKENS_PATH, FAMILY, ID_LENGTH_MAX, PATH, VERSION, VERSION_HEADER};
use super::choice::{self, Calls, Choice};
use super::content::{self, Message};
use super::thinking::{self, Circumstances, Plan};
use super::tools::OF_TOOLS;
use crate::chat::{Encoded, Target};
use crate::shared::ids::Rule;
use crate::shared::losses::{self, Losses, Param};
use crate::shared::turns::{Rules, arrange};

/// Members that the endpoint that counts tokens does not take.
const NOT_COUNTED: [&str; 8] =
    ["max_tokens", "stream", "temperature", "top_p", "top_k", "stop_sequences", "metadata", "service_tier"];

/// The least of `top_p` that goes together with thinking.
const TOP_P_MIN_THINKING: f64 = 0.95;

/// The request as a provider gets it.
pub(in super::super) fn encode(request: &ChatRequest, target: &Target<'_>) -> Result<Encoded, Error> {
    written(request, target, PATH, &[])
}

/// The same, for the endpoint that counts tokens.
pub(in super::super) fn encode_count(request: &ChatRequest, target: &Target<'_>) -> Result<Encoded, Error> {
    written(request, target, COUNT_TOKENS_PATH, &NOT_COUNTED)
}

struct Body {
    members: Map<String, Value>,
    messages: Vec<Message>,
}

impl Serialize for Body {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut body = serializer.serialize_map(Some(self.members.len() + 1))?;
        for (name, value) in &self.members {
            body.serialize_entry(name, value)?;
        }
        body.serialize_entry("messages", &self.messages)?;
        body.end()
    }
}

fn written(request: &ChatRequest, target: &Target<'_>, path: &str, without: &[&str]) -> Result<Encoded, Error> {
    let model = Model::of(target.model);
    let rules = Rules { family: FAMILY, keeps_instructions: model.takes_instructions() };
    let arranged = arrange(&request.messages, rules);
    let mut losses = Losses::from(arranged.losses);
    let mut calls = choice::plan(request, model, &mut losses);
    let mut messages = content::write(&arranged.turns, target.provider, &mut losses);
    let mut around =
        Circumstances { model, choice: &mut calls.choice, calls_without_thoughts: calls_without_thoughts(&messages) };
    let plan = thinking::plan(request, &mut around, &mut losses);
    last_turn(&mut messages, model, &plan, &mut losses)?;

    let mut members = Map::new();
    members.insert("model".to_owned(), Value::from(target.model));
    members.insert("max_tokens".to_owned(), Value::from(plan.max_tokens));
    if target.stream {
        members.insert("stream".to_owned(), Value::Bool(true));
    }
    system(&arranged.system, calls.instruction.as_deref(), &mut members, &mut losses);
    if !calls.tools.is_empty() {
        // One answer is enough.
        let answers = calls.answer_tool.is_some() && matches!(calls.choice, Choice::Tool(_));
        let parallel = if answers { Some(false) } else { request.parallel_tool_calls };
        members.extend(calls.choice.write(parallel).map(|it| ("tool_choice".to_owned(), it)));
        members.insert("tools".to_owned(), Value::Array(std::mem::take(&mut calls.tools)));
    }
    sampling(request, model, plan.is_on, &mut members, &mut losses);
    thinking_and_shape(plan, calls.format.take(), &mut members);
    about_the_request(request, &mut members, &mut losses);
    unsayable(request, &mut losses);
    extra(request, &mut members, &mut losses);
    members.retain(|name, _| !without.contains(&name.as_str()));

    let body = serde_json::to_vec(&Body { members, messages })
        .map_err(|_| Error::new(ErrorCode::InternalError, "the request could not be written"))?;
    let headers = vec![(HeaderName::from_static(VERSION_HEADER), HeaderValue::from_static(VERSION))];
    Ok(Encoded { path: path.to_owned(), headers, body, losses: losses.into_vec(), names: names(request, &calls) })
}

/// Names that were changed, and the tool whose call is the answer, with an empty one.
fn names(request: &ChatRequest, calls: &Calls) -> crate::chat::ToolNames {
    let mut names = Rule::word(ID_LENGTH_MAX).names(request);
    names.0.extend(calls.answer_tool.clone().map(|sent| (sent, String::new())));
    names
}

/// Whether the calls whose results come last stand in a turn that does not begin with thoughts: with a budget for
/// thinking, Anthropic refuses that.
fn calls_without_thoughts(messages: &[Message]) -> bool {
    let ([.., model, user, Message { role: "system", .. }] | [.., model, user]) = messages else { return false };
    let is_thought = |block: &Block| matches!(block.kind(), "thinking" | "redacted_thinking");
    user.content.first().is_some_and(|block| block.kind() == "tool_result")
        && !model.content.first().is_some_and(is_thought)
}

/// What a conversation may end with. A turn of the model's is to be continued: older models do, without thinking.
fn last_turn(messages: &mut Vec<Message>, model: Model, plan: &Plan, losses: &mut Losses) -> Result<(), Error> {
    let Some(last) = messages.last_mut() else {
        return Err(wrong("messages has nothing that can be sent to the provider; send at least one text", "messages"));
    };
    if last.role != "assistant" {
        return Ok(());
    }
    if model.continues() && !plan.is_on {
        if let Some(Block::Plain(Value::Object(block))) = last.content.last_mut()
            && let Some(Value::String(text)) = block.get_mut("text")
        {
            text.truncate(text.trim_end().len());
        }
        return Ok(());
    }
    losses.push(Loss::replaced("messages", "the model continues no text that was begun; it was asked to go on"));
    let content = vec![Block::text("Continue exactly where you stopped.")];
    messages.push(Message { role: "user", content, unknown: Map::new() });
    Ok(())
}

fn system(texts: &[Text], instruction: Option<&str>, members: &mut Map<String, Value>, losses: &mut Losses) {
    let mut blocks: Vec<Value> = texts.iter().map(|text| content::text(text, losses)).collect();
    blocks.extend(instruction.map(|text| json!({"type": "text", "text": text})));
    if !blocks.is_empty() {
        members.insert("system".to_owned(), Value::Array(blocks));
    }
}

fn sampling(request: &ChatRequest, model: Model, thinks: bool, members: &mut Map<String, Value>, losses: &mut Losses) {
    let asked = &request.sampling;
    let (mut temperature, mut top_p, mut top_k) = (asked.temperature, asked.top_p, asked.top_k);
    let why = if model.takes_sampling() { "the model chooses its tokens itself while it thinks" } else { NO_SAMPLING };
    if thinks || !model.takes_sampling() {
        if temperature.take().is_some_and(|asked| asked != 1.0) {
            losses.push(Loss::dropped("temperature", why));
        }
        if let Some(asked) = top_p.take_if(|asked| !model.takes_sampling() || *asked < TOP_P_MIN_THINKING)
            && asked != 1.0
        {
            losses.push(Loss::dropped("top_p", why));
        }
        if let Some(count) = top_k.take() {
            losses.push(losses::top_k(count, why));
        }
    }
    if temperature.is_some() && !model.takes_two_samplings() {
        // Of the two, the one that asks for something.
        if temperature == Some(1.0) && top_p.is_some_and(|asked| asked != 1.0) {
            temperature = None;
        } else if top_p.take().is_some_and(|asked| asked != 1.0) {
            losses.push(Loss::dropped("top_p", "the model does not take it together with temperature"));
        }
    }
    if let Some(asked) = temperature {
        let nearest = asked.clamp(0.0, 1.0);
        if nearest != asked {
            losses.push(Loss::replaced("temperature", "the provider's range is 0 to 1"));
        }
        members.insert("temperature".to_owned(), Value::from(nearest));
    }
    members.extend(top_p.map(|asked| ("top_p".to_owned(), Value::from(asked))));
    members.extend(top_k.map(|asked| ("top_k".to_owned(), Value::from(asked))));
    stop(&asked.stop, members, losses);
}

const NO_SAMPLING: &str = "the model takes no parameters of sampling";

fn stop(texts: &[String], members: &mut Map<String, Value>, losses: &mut Losses) {
    let (sent, blank): (Vec<&String>, Vec<_>) = texts.iter().partition(|text| !text.trim().is_empty());
    if !blank.is_empty() {
        losses.push(Loss::dropped("stop", "the provider refuses texts of nothing but white space"));
    }
    if !sent.is_empty() {
        members.insert("stop_sequences".to_owned(), json!(sent));
    }
}

fn thinking_and_shape(plan: Plan, format: Option<Value>, members: &mut Map<String, Value>) {
    members.extend(plan.thinking.map(|thinking| ("thinking".to_owned(), thinking)));
    let mut config = Map::new();
    config.extend(plan.effort.map(|effort| ("effort".to_owned(), Value::from(effort.name()))));
    config.extend(format.map(|format| ("format".to_owned(), format)));
    if !config.is_empty() {
        members.insert("output_config".to_owned(), Value::Object(config));
    }
}

fn about_the_request(request: &ChatRequest, members: &mut Map<String, Value>, losses: &mut Losses) {
    if let Some(user) = &request.user {
        members.insert("metadata".to_owned(), json!({"user_id": user}));
    }
    let tier = match request.service_tier.as_deref() {
        None => None,
        Some("auto") => Some("auto"),
        Some("default" | "standard" | "standard_only") => Some("standard_only"),
        Some("priority") => {
            losses
                .push(Loss::replaced("service_tier", "\"auto\", which is served with priority if the account has it"));
            Some("auto")
        }
        Some(_) => {
            losses.push(Loss::dropped("service_tier", "the provider has no such service"));
            None
        }
    };
    members.extend(tier.map(|tier| ("service_tier".to_owned(), Value::from(tier))));
}

/// What Messages has no words for.
fn unsayable(request: &ChatRequest, losses: &mut Losses) {
    losses.lacking(
        request,
        &[
            Param::Candidates,
            Param::Seed,
            Param::PresencePenalty,
            Param::FrequencyPenalty,
            Param::Logprobs,
            Param::LogitBias,
            Param::Verbosity,
            Param::Modalities,
            Param::Audio,
            Param::Prediction,
            Param::Metadata,
            Param::CacheKey,
        ],
    );
}

fn extra(request: &ChatRequest, members: &mut Map<String, Value>, losses: &mut Losses) {
    if let Some(own) = losses.own_extra(request, FAMILY) {
        let mut own = own.clone();
        own.retain(|name, _| !name.starts_with(OF_TOOLS));
        merge(members, &own);
    }
}
