//! The facts of a model in each SDK's words.

use gw_core::{Dimension, Price};
use gw_providers::catalog::models::{Capability, Facts, Modalities, Modality, Model};
use serde_json::{Map, Value, json};

use super::set;

/// What a model may be asked to read.
pub(super) const READS: [&str; 4] = ["vision", "pdf", "audio", "video"];

/// Parameters of a request and what a model must do to take them.
const PARAMETERS: [(&str, Capability); 7] = [
    ("parallel_tool_calls", Capability::ParallelTools),
    ("reasoning", Capability::Reasoning),
    ("reasoning_effort", Capability::Reasoning),
    ("response_format", Capability::StructuredOutput),
    ("structured_outputs", Capability::StructuredOutput),
    ("tool_choice", Capability::ToolChoice),
    ("tools", Capability::Tools),
];
/// Parameters that every model takes.
const EVERYWHERE: [&str; 2] = ["max_tokens", "stop"];
/// Parameters that every model takes, but for those that refuse to be told how to sample.
const SAMPLING: [&str; 2] = ["temperature", "top_p"];

/// Our dimensions and OpenRouter's names for them.
pub(crate) const PRICES: [(Dimension, &str); 10] = [
    (Dimension::Input, "prompt"),
    (Dimension::Output, "completion"),
    (Dimension::CachedInput, "input_cache_read"),
    (Dimension::CacheWrite, "input_cache_write"),
    (Dimension::Reasoning, "internal_reasoning"),
    (Dimension::AudioInput, "audio"),
    (Dimension::ImageInput, "image"),
    (Dimension::Image, "image_output"),
    (Dimension::Request, "request"),
    (Dimension::Search, "web_search"),
];

/// The capability that a word means: its own name, or a parameter of a request.
pub(super) fn word(word: &str) -> String {
    let parameter = PARAMETERS.iter().find(|(name, _)| *name == word);
    parameter.map_or(word, |(_, capability)| capability.name()).to_owned()
}

/// Beside OpenAI's members, those of OpenRouter's list, which many tools read.
pub(super) fn openai(members: &mut Map<String, Value>, facts: &Facts) {
    let model = &facts.model;
    set(members, "context_length", model.context_tokens);
    set(members, "max_output_tokens", model.output_tokens_max);
    let architecture =
        json!({ "input_modalities": modalities(model.input), "output_modalities": modalities(model.output) });
    members.insert("architecture".to_owned(), architecture);
    members.insert("supported_parameters".to_owned(), parameters(model).into());
    let capabilities: Vec<_> = model.can.iter().map(Capability::name).collect();
    members.insert("capabilities".to_owned(), capabilities.into());
    set(members, "tier", model.tier.map(gw_providers::catalog::models::Tier::name));
    set(members, "deprecation_date", model.deprecated.as_deref());
    set(members, "pricing", facts.price.as_deref().map(pricing));
}

/// Anthropic's members.
pub(super) fn anthropic(members: &mut Map<String, Value>, model: &Model) {
    set(members, "max_input_tokens", model.context_tokens);
    set(members, "max_tokens", model.output_tokens_max);
}

/// Google's members.
pub(super) fn gemini(members: &mut Map<String, Value>, model: &Model) {
    set(members, "inputTokenLimit", model.context_tokens);
    set(members, "outputTokenLimit", model.output_tokens_max);
    set(members, "thinking", model.can.has(Capability::Reasoning).then_some(true));
}

fn modalities(all: Modalities) -> Vec<&'static str> {
    all.iter().map(|one| if one == Modality::Pdf { "file" } else { one.name() }).collect()
}

/// The parameters that a model is known to take.
pub(crate) fn parameters(model: &Model) -> Vec<&'static str> {
    let of_abilities = PARAMETERS.iter().filter(|(_, needed)| model.can.has(*needed)).map(|(name, _)| *name);
    let sampling = SAMPLING.into_iter().filter(|_| !model.can.has(Capability::NoSampling));
    let mut all: Vec<_> = EVERYWHERE.into_iter().chain(of_abilities).chain(sampling).collect();
    all.sort_unstable();
    all
}

/// Whether something is known of who takes a parameter.
pub(crate) fn is_parameter(name: &str) -> bool {
    EVERYWHERE.contains(&name) || SAMPLING.contains(&name) || PARAMETERS.iter().any(|(known, _)| *known == name)
}

/// Dollars for one of each, as texts: what has no price is left out.
fn pricing(price: &Price) -> Value {
    let priced = |(dimension, name): &(Dimension, &str)| {
        price.rates.get(*dimension).map(|rate| ((*name).to_owned(), Value::from(rate.dollars_per_unit())))
    };
    Value::Object(PRICES.iter().filter_map(priced).collect())
}
