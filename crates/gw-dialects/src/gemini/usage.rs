//! `usageMetadata`. Google counts thoughts beside the answer and prompts of its own tools beside the prompt.

use gw_core::Usage;
use serde_json::{Map, Value, json};

use super::wire::Object;

/// Reads it.
pub(super) fn decode(mut usage: Object<'_>) -> Usage {
    let mut count = |name: &str| usage.number(name).unwrap_or(0);
    let (prompt, tools) = (count("promptTokenCount"), count("toolUsePromptTokenCount"));
    let (candidates, thoughts) = (count("candidatesTokenCount"), count("thoughtsTokenCount"));
    let cached = count("cachedContentTokenCount");
    Usage {
        // What is reported is not to be trusted with the arithmetic of the gateway.
        input_tokens: prompt.saturating_add(tools),
        output_tokens: candidates.saturating_add(thoughts),
        cached_input_tokens: cached,
        reasoning_tokens: thoughts,
        audio_input_tokens: of_modality(&mut usage, "promptTokensDetails", "AUDIO"),
        audio_output_tokens: of_modality(&mut usage, "candidatesTokensDetails", "AUDIO"),
        image_input_tokens: of_modality(&mut usage, "promptTokensDetails", "IMAGE"),
        image_output_tokens: of_modality(&mut usage, "candidatesTokensDetails", "IMAGE"),
        ..Usage::default()
    }
}

/// The service that was given, from the word for how it is billed (`trafficType`, Vertex).
pub(super) fn tier(usage: &mut Object<'_>) -> Option<&'static str> {
    let word: String = usage.get("trafficType")?;
    match word.as_str() {
        "ON_DEMAND" => Some("default"),
        "ON_DEMAND_PRIORITY" => Some("priority"),
        "ON_DEMAND_FLEX" => Some("flex"),
        _ => None,
    }
}

/// Writes it.
pub(super) fn encode(usage: &Usage) -> Value {
    let answer = usage.output_tokens.saturating_sub(usage.reasoning_tokens);
    let mut members = Map::new();
    let mut say = |name: &str, count: u64, always: bool| {
        if always || count > 0 {
            members.insert(name.to_owned(), Value::from(count));
        }
    };
    say("promptTokenCount", usage.input_tokens, true);
    say("candidatesTokenCount", answer, true);
    say("totalTokenCount", usage.input_tokens.saturating_add(usage.output_tokens), true);
    say("cachedContentTokenCount", usage.cached_input_tokens, false);
    say("thoughtsTokenCount", usage.reasoning_tokens, false);
    for (name, all, audio) in [
        ("promptTokensDetails", usage.input_tokens, usage.audio_input_tokens),
        ("candidatesTokensDetails", answer, usage.audio_output_tokens),
    ] {
        if audio > 0 {
            let details = json!([
                {"modality": "TEXT", "tokenCount": all.saturating_sub(audio)},
                {"modality": "AUDIO", "tokenCount": audio},
            ]);
            members.insert(name.to_owned(), details);
        }
    }
    Value::Object(members)
}

/// The tokens of a modality.
fn of_modality(usage: &mut Object<'_>, name: &str, wanted: &str) -> u64 {
    let details = usage.objects(name).unwrap_or_default();
    let counts = details.into_iter().filter_map(|mut detail| {
        let modality: String = detail.get("modality")?;
        (modality == wanted).then(|| detail.number("tokenCount")).flatten()
    });
    counts.fold(0, u64::saturating_add)
}
