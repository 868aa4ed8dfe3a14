//! How tokens are chosen and how many, service, metadata, members of one family, and what Converse has no words for.

use gw_core::chat::{ChatRequest, Sampling};
use serde_json::{Map, Value, json};

use super::Writer;
use super::thinking::Thinks;
use crate::bedrock_converse::FAMILY;
use crate::bedrock_converse::model::Model;
use crate::shared::losses::{self, NO_SUCH_PARAMETER, Param};
use crate::shared::unknown;

/// The highest temperature that Converse takes.
const TEMPERATURE_MAX: f64 = 1.0;
/// A Claude that thinks takes no lower `top_p` (Anthropic, "Extended thinking").
const THINKING_TOP_P_MIN: f64 = 0.95;
/// Texts that end the answer, at most.
const STOP_MAX: usize = 2_500;
/// Characters of a name or value of the metadata, at most.
const METADATA_CHARS_MAX: usize = 256;
/// Pairs of the metadata, at most (API reference of Converse).
const METADATA_PAIRS_MAX: usize = 16;

/// Converse's own members, which clients of any dialect may write beside their dialect's: no other has such names.
const OWN_MEMBERS: [&str; 7] = [
    "guardrailConfig",
    "performanceConfig",
    "requestMetadata",
    "serviceTier",
    "additionalModelRequestFields",
    "additionalModelResponseFieldPaths",
    "promptVariables",
];
/// Members that are written from the canonical request, and by nobody else.
const WRITTEN: [&str; 3] = ["messages", "system", "toolConfig"];

/// Writes what stands beside the conversation.
pub(super) fn encode(request: &ChatRequest, thinks: Thinks, writer: &mut Writer<'_>) {
    let sampling = &request.sampling;
    limits(sampling, thinks, writer);
    randomness(sampling, thinks, writer);
    stop(sampling, writer);
    unsaid(request, writer);
    service(request, writer);
    metadata(request, writer);
}

/// Members that are the client's own words. They stand above what was written.
pub(super) fn extra(request: &ChatRequest, writer: &mut Writer<'_>) {
    unknown::lose(request, FAMILY, &mut writer.losses);
    for (name, value) in &request.extra.members {
        let is_ours = request.extra.family == FAMILY && !WRITTEN.contains(&name.as_str());
        if !is_ours && !OWN_MEMBERS.contains(&name.as_str()) {
            writer.losses.drop(name.clone(), NO_SUCH_PARAMETER);
            continue;
        }
        let settings = &mut writer.settings;
        let group = match name.as_str() {
            "inferenceConfig" => Some(&mut settings.inference),
            "outputConfig" => Some(&mut settings.output),
            "additionalModelRequestFields" => Some(&mut settings.additional),
            _ => None,
        };
        match (group, value) {
            (Some(group), Value::Object(members)) => group.extend(members.clone()),
            _ => drop(settings.other.insert(name.clone(), value.clone())),
        }
    }
}

fn limits(sampling: &Sampling, thinks: Thinks, writer: &mut Writer<'_>) {
    if thinks.without_limits && sampling.max_output_tokens.is_some() {
        writer.losses.drop("max_completion_tokens", "the model takes no limit while it thinks hard");
    } else if let Some(max) = thinks.limit(sampling.max_output_tokens) {
        writer.settings.inference.insert("maxTokens".to_owned(), Value::from(max));
    }
}

fn randomness(sampling: &Sampling, thinks: Thinks, writer: &mut Writer<'_>) {
    let Sampling { mut temperature, mut top_p, mut top_k, .. } = *sampling;
    let mut refuse = |param: &'static str, why: &'static str| writer.losses.drop(param, why);
    if !writer.model.takes_sampling() || thinks.without_limits {
        let why = "the model takes no such parameter, or not while it thinks hard";
        let given = [(temperature.take().is_some(), "temperature"), (top_p.take().is_some(), "top_p")];
        given.into_iter().filter(|(given, _)| *given).for_each(|(_, param)| refuse(param, why));
        if top_k.take().is_some() {
            refuse("top_k", why);
        }
    }
    if thinks.is_on {
        let why = "the model takes no such value while it thinks";
        if temperature.take_if(|temperature| (*temperature - TEMPERATURE_MAX).abs() > f64::EPSILON).is_some() {
            refuse("temperature", why);
        }
        if top_p.take_if(|top_p| *top_p < THINKING_TOP_P_MIN).is_some() {
            refuse("top_p", why);
        }
        if top_k.take().is_some() {
            refuse("top_k", why);
        }
    }
    // Claude refuses both together from 4.5 on.
    if temperature.is_some() && top_p.is_some() && writer.model.is_claude_from((4, 5)) {
        // One that asks for what happens anyway is no choice.
        if temperature == Some(TEMPERATURE_MAX) {
            temperature = None;
        } else if top_p.take() != Some(1.0) {
            refuse("top_p", "the model takes either temperature or top_p");
        }
    }
    if let Some(temperature) = temperature {
        if temperature > TEMPERATURE_MAX {
            writer.losses.replace("temperature", "the provider takes 1 at most, which was sent");
        }
        let temperature = temperature.min(TEMPERATURE_MAX);
        writer.settings.inference.insert("temperature".to_owned(), Value::from(temperature));
    }
    if let Some(top_p) = top_p {
        writer.settings.inference.insert("topP".to_owned(), Value::from(top_p));
    }
    if let Some(top_k) = top_k {
        likeliest(top_k, writer);
    }
}

/// Converse has no word for it, but the makers of models have.
fn likeliest(top_k: u64, writer: &mut Writer<'_>) {
    let (name, value) = match writer.model {
        Model::Claude { .. } | Model::Mistral { .. } => ("top_k", Value::from(top_k)),
        Model::Cohere => ("k", Value::from(top_k)),
        Model::Nova { .. } => ("inferenceConfig", json!({"topK": top_k})),
        Model::GptOss | Model::Open | Model::Plain | Model::Unknown => {
            writer.losses.push(losses::top_k(top_k, "the model is not known to take it"));
            return;
        }
    };
    writer.settings.additional.insert(name.to_owned(), value);
}

fn stop(sampling: &Sampling, writer: &mut Writer<'_>) {
    let is_claude = matches!(writer.model, Model::Claude { .. });
    let is_good = |stop: &&String| if is_claude { !stop.trim().is_empty() } else { !stop.is_empty() };
    let stops: Vec<&String> = sampling.stop.iter().filter(is_good).take(STOP_MAX).collect();
    if stops.len() < sampling.stop.len() {
        writer.losses.drop("stop", "texts that are blank, or too many, are not taken");
    }
    if stops.is_empty() {
        return;
    }
    writer.settings.inference.insert("stopSequences".to_owned(), json!(stops));
    if is_claude {
        // Which of them it was, Claude says among its own fields.
        let paths = json!(["/stop_sequence"]);
        writer.settings.other.insert("additionalModelResponseFieldPaths".to_owned(), paths);
    }
}

/// What has no words here.
fn unsaid(request: &ChatRequest, writer: &mut Writer<'_>) {
    writer.losses.lacking(
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
            Param::User,
            Param::CacheKey,
        ],
    );
}

fn service(request: &ChatRequest, writer: &mut Writer<'_>) {
    let tier = match request.service_tier.as_deref() {
        // What is served if nothing is said.
        None | Some("auto") => return,
        Some("standard_only" | "standard") => "default",
        Some(tier @ ("default" | "flex" | "priority" | "reserved")) => tier,
        Some(_) => {
            writer.losses.drop("service_tier", "the provider has no such service");
            return;
        }
    };
    writer.settings.other.insert("serviceTier".to_owned(), json!({"type": tier}));
}

fn metadata(request: &ChatRequest, writer: &mut Writer<'_>) {
    let is_said = |text: &str| {
        let allowed = |c: char| c.is_ascii_alphanumeric() || c.is_ascii_whitespace() || ":_@$#=/+,-.".contains(c);
        text.len() <= METADATA_CHARS_MAX && text.chars().all(allowed)
    };
    let pairs = request
        .metadata
        .iter()
        .filter(|(name, value)| !name.is_empty() && is_said(name) && value.as_str().is_some_and(is_said));
    let pairs: Map<String, Value> =
        pairs.take(METADATA_PAIRS_MAX).map(|(name, value)| (name.clone(), value.clone())).collect();
    if pairs.len() < request.metadata.len() {
        writer.losses.drop("metadata", "the provider takes 16 pairs of plain text, of 256 characters each");
    }
    if !pairs.is_empty() {
        writer.settings.other.insert("requestMetadata".to_owned(), Value::Object(pairs));
    }
}
