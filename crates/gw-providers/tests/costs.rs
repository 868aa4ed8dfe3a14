//! What models cost, against an independent calculator and against the published prices.

use std::time::UNIX_EPOCH;

use gw_core::{Cost, Rate, ServiceTier, Usage};
use gw_providers::catalog::Catalog;
use gw_providers::catalog::models::{self, ProviderModels};
use serde_json::Value;

/// What was frozen; `cost_vectors/make.py` made it.
const VECTORS: &str = include_str!("cost_vectors/vectors.json");
/// Vectors that the calculator answers otherwise, and why we do not.
const EXPLAINED: &str = include_str!("cost_vectors/explained.json");
/// Each component is rounded here; the calculator rounds nothing, and its binary fractions are off in the last digits.
const ROUNDING_NANODOLLARS: i64 = 4;

fn usage(written: &Value) -> Usage {
    let count = |name: &str| written.get(name).and_then(Value::as_u64).unwrap_or(0);
    Usage {
        input_tokens: count("input_tokens"),
        output_tokens: count("output_tokens"),
        cached_input_tokens: count("cached_input_tokens"),
        cache_write_tokens: count("cache_write_tokens"),
        cache_write_1h_tokens: count("cache_write_1h_tokens"),
        reasoning_tokens: count("reasoning_tokens"),
        service_tier: written.get("service_tier").and_then(Value::as_str).and_then(ServiceTier::of),
        ..Usage::default()
    }
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_default()
}

/// What we say of a vector, where it is not what the calculator says.
fn difference(vector: &Value) -> Option<String> {
    let (provider, model) = (text(vector, "provider"), text(vector, "model"));
    let facts = models::facts(Catalog::builtin(), None, provider, model);
    let price = facts.and_then(|facts| facts.price).unwrap_or_default();
    let cost = Cost::of(&usage(&vector["usage"]), &price, UNIX_EPOCH);
    let expected = vector["nanodollars"].as_i64().unwrap_or_default();
    let said = match cost.total() {
        Some(total) if (total.0 - expected).abs() <= ROUNDING_NANODOLLARS => return None,
        Some(total) => total.0.to_string(),
        None => format!("unknown ({})", cost.unpriced().names().collect::<Vec<_>>().join(" ")),
    };
    Some(format!("{provider}/{model} {}: {said} and not {expected}", vector["usage"]))
}

fn is_explained(vector: &Value, explained: &[Value]) -> bool {
    explained.iter().any(|one| {
        let models = one["models"].as_array().into_iter().flatten();
        let has = |name: &str| one[name].is_null() || vector["usage"].get(text(one, name)).is_some();
        text(one, "provider") == text(vector, "provider")
            && models.filter_map(Value::as_str).any(|model| model == text(vector, "model"))
            && has("usage_has")
            && !text(one, "why").is_empty()
    })
}

#[test]
fn costs_are_those_of_an_independent_calculator_or_the_difference_is_explained() {
    let vectors: Vec<Value> = serde_json::from_str(VECTORS).unwrap();
    let explained: Vec<Value> = serde_json::from_str(EXPLAINED).unwrap();
    assert!(vectors.len() >= 150, "{}", vectors.len());
    let unexplained: Vec<_> =
        vectors.iter().filter(|vector| !is_explained(vector, &explained)).filter_map(difference).collect();
    assert!(unexplained.is_empty(), "{} of {}:\n{}", unexplained.len(), vectors.len(), unexplained.join("\n"));
    for one in &explained {
        let still = vectors
            .iter()
            .any(|vector| is_explained(vector, std::slice::from_ref(one)) && difference(vector).is_some());
        assert!(still, "this difference is gone: {one}");
    }
}

/// Needs a published price file: `MODEL_PRICES=model_prices_and_context_window.json cargo test -p gw-providers`.
#[test]
fn prices_are_of_the_order_of_the_published_ones_or_a_note_says_why_not() {
    let Ok(path) = std::env::var("MODEL_PRICES") else {
        println!("NOT COMPARED: set MODEL_PRICES to a published price file");
        return;
    };
    let published: serde_json::Map<String, Value> = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let mut compared = 0;
    for (family, id, prefix) in [
        ("openai", "openai", ""),
        ("anthropic", "anthropic", ""),
        ("gemini", "gemini", "gemini/"),
        ("mistral", "mistral", "mistral/"),
        ("bedrock_converse", "bedrock", ""),
        ("deepseek", "deepseek", "deepseek/"),
        ("together_ai", "together", "together_ai/"),
    ] {
        let models = ProviderModels::builtin(id).unwrap_or_else(|| panic!("{id}"));
        for (key, entry) in published.iter().filter(|(_, entry)| text(entry, "litellm_provider") == family) {
            let Some(model) = models.get(key.strip_prefix(prefix).unwrap_or(key)) else { continue };
            for (name, dimension) in [
                ("input_cost_per_token", gw_core::Dimension::Input),
                ("output_cost_per_token", gw_core::Dimension::Output),
            ] {
                let theirs = entry[name].as_number().and_then(|number| Rate::per_unit(&number.to_string()).ok());
                let ours = model.price.as_ref().and_then(|price| price.rates.get(dimension));
                // Zero stands for "not known" there.
                let (Some(theirs), Some(ours)) = (theirs.filter(|rate| rate.0 > 0), ours) else { continue };
                compared += 1;
                let near = ours.0 <= theirs.0.saturating_mul(2) && theirs.0 <= ours.0.saturating_mul(2);
                assert!(near || model.note.is_some(), "{id}/{}: {} and {}", model.name, ours.0, theirs.0);
            }
        }
    }
    assert!(compared > 400, "{compared}");
}
