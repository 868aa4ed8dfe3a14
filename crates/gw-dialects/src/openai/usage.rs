//! What an answer in OpenAI's format says about what was used, and where providers say it.

use gw_core::{ServiceTier, Usage};

use crate::scan::Object;
use crate::told_cost;

/// What an answer, or a chunk of one, reports as used, wherever it says so.
pub fn of_answer(answer: &Object<'_>) -> Option<Usage> {
    let report = answer
        .object("usage")
        // Groq: at the end of a stream.
        .or_else(|| answer.object("x_groq")?.object("usage"));
    let usage = match report {
        Some(report) => of_report(&report),
        None => of_choices(answer),
    };
    let service_tier = answer.get("service_tier").and_then(tier);
    usage.map(|usage| Usage { service_tier, ..usage })
}

/// The service that was given, as a JSON string, where it was not the usual one.
fn tier(raw: &str) -> Option<ServiceTier> {
    ServiceTier::of(raw.strip_prefix('"')?.strip_suffix('"')?)
}

/// What a `usage` object says. `None` if it holds no count.
pub fn of_report(report: &Object<'_>) -> Option<Usage> {
    let said = Said::of(report);
    if said.prompt.is_none() && said.completion.is_none() && said.total.is_none() {
        return None;
    }
    let completion = said.completion.unwrap_or(0);
    // Embeddings: some providers report only the total.
    let input_tokens = said.prompt.unwrap_or_else(|| said.total.unwrap_or(0).saturating_sub(completion));
    let reasoning_tokens = said.of_completion.reasoning.or(said.reasoning).unwrap_or(0);
    // xAI reports reasoning beside the completion and not within it; then only the three make up the total.
    let all = input_tokens.saturating_add(completion).saturating_add(reasoning_tokens);
    let beside = said.total.is_some_and(|total| total == all);
    Some(Usage {
        input_tokens,
        output_tokens: if beside { completion.saturating_add(reasoning_tokens) } else { completion },
        cached_input_tokens: said.of_prompt.cached.or(said.cached).unwrap_or(0),
        cache_write_tokens: said.of_prompt.cache_write.unwrap_or(0),
        reasoning_tokens,
        audio_input_tokens: said.of_prompt.audio.unwrap_or(0),
        audio_output_tokens: said.of_completion.audio.unwrap_or(0),
        image_input_tokens: said.of_prompt.image.unwrap_or(0),
        image_output_tokens: said.of_completion.image.unwrap_or(0),
        searches: said.searches.unwrap_or(0),
        told_cost: if said.cost { told_cost::in_report(report) } else { None },
        ..Usage::default()
    })
}

/// The counts of a report, gathered in one pass: there is one in every answer.
#[derive(Default)]
struct Said {
    prompt: Option<u64>,
    completion: Option<u64>,
    total: Option<u64>,
    reasoning: Option<u64>,
    cached: Option<u64>,
    searches: Option<u64>,
    cost: bool,
    of_prompt: Details,
    of_completion: Details,
}

/// What a total is made of.
#[derive(Default)]
struct Details {
    cached: Option<u64>,
    cache_write: Option<u64>,
    reasoning: Option<u64>,
    audio: Option<u64>,
    image: Option<u64>,
}

impl Said {
    fn of(report: &Object<'_>) -> Self {
        let mut said = Self::default();
        for (name, value) in report.members() {
            match &*name {
                b"prompt_tokens" => said.prompt = number(value),
                b"completion_tokens" => said.completion = number(value),
                b"total_tokens" => said.total = number(value),
                b"prompt_tokens_details" => said.of_prompt = Details::of(value),
                b"completion_tokens_details" => said.of_completion = Details::of(value),
                b"reasoning_tokens" => said.reasoning = number(value),
                // DeepSeek; Moonshot.
                b"prompt_cache_hit_tokens" | b"cached_tokens" => said.cached = said.cached.or(number(value)),
                // Perplexity.
                b"num_search_queries" => said.searches = number(value),
                b"cost" => said.cost = true,
                _ => {}
            }
        }
        said
    }
}

impl Details {
    fn of(details: &str) -> Self {
        let mut said = Self::default();
        let Ok(details) = Object::parse(details) else { return said };
        for (name, value) in details.members() {
            match &*name {
                b"cached_tokens" => said.cached = number(value),
                // The second is Alibaba's.
                b"cache_write_tokens" | b"cache_creation_input_tokens" => {
                    said.cache_write = said.cache_write.or(number(value));
                }
                b"reasoning_tokens" => said.reasoning = number(value),
                b"audio_tokens" => said.audio = number(value),
                b"image_tokens" => said.image = number(value),
                _ => {}
            }
        }
        said
    }
}

/// Moonshot tells it beside the choice that ends.
fn of_choices(answer: &Object<'_>) -> Option<Usage> {
    let mut usage = None;
    answer.elements("choices", |choice| {
        if usage.is_none() {
            usage = Object::parse(choice).ok().and_then(|choice| of_report(&choice.object("usage")?));
        }
    });
    usage
}

/// A count as JSON. Some providers write whole numbers with a fraction.
fn number(raw: &str) -> Option<u64> {
    if let Ok(count) = raw.parse() {
        return Some(count);
    }
    let count: f64 = raw.parse().ok().filter(|count| (0.0..9e15).contains(count))?;
    Some(count as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(answer: &str) -> Option<Usage> {
        of_answer(&Object::parse(answer).unwrap())
    }

    #[test]
    fn every_providers_way_of_telling_the_usage_is_understood() {
        let counts = |input_tokens, output_tokens| Usage { input_tokens, output_tokens, ..Usage::default() };
        let openai = r#"{"usage":{"prompt_tokens":19,"completion_tokens":10,"total_tokens":29,
            "prompt_tokens_details":{"cached_tokens":4,"cache_write_tokens":5,"audio_tokens":3},
            "completion_tokens_details":{"reasoning_tokens":7,"audio_tokens":2}}}"#;
        let all = Usage {
            cached_input_tokens: 4,
            cache_write_tokens: 5,
            reasoning_tokens: 7,
            audio_input_tokens: 3,
            audio_output_tokens: 2,
            ..counts(19, 10)
        };
        let cases = [
            ("openai", openai, all),
            (
                "deepseek",
                r#"{"usage":{"prompt_tokens":19,"completion_tokens":1,"prompt_cache_hit_tokens":16,"prompt_cache_miss_tokens":3}}"#,
                Usage { cached_input_tokens: 16, ..counts(19, 1) },
            ),
            (
                "groq",
                r#"{"choices":[],"x_groq":{"id":"x","usage":{"prompt_tokens":2,"completion_tokens":3}}}"#,
                counts(2, 3),
            ),
            (
                "moonshot",
                r#"{"choices":[{"index":0,"finish_reason":"stop","usage":{"prompt_tokens":2,"completion_tokens":3,"cached_tokens":1}}]}"#,
                Usage { cached_input_tokens: 1, ..counts(2, 3) },
            ),
            (
                "xai, reasoning beside the completion",
                r#"{"usage":{"prompt_tokens":32,"completion_tokens":9,"total_tokens":241,"completion_tokens_details":{"reasoning_tokens":200}}}"#,
                Usage { reasoning_tokens: 200, ..counts(32, 209) },
            ),
            (
                "alibaba",
                r#"{"usage":{"prompt_tokens":9,"completion_tokens":1,"prompt_tokens_details":{"cache_creation_input_tokens":8}}}"#,
                Usage { cache_write_tokens: 8, ..counts(9, 1) },
            ),
            (
                "openai, another service",
                r#"{"service_tier":"priority","usage":{"prompt_tokens":5,"completion_tokens":1}}"#,
                Usage { service_tier: Some(ServiceTier::Priority), ..counts(5, 1) },
            ),
            (
                "the usual service",
                r#"{"usage":{"prompt_tokens":5,"completion_tokens":1},"service_tier":"default"}"#,
                counts(5, 1),
            ),
            (
                "pictures",
                r#"{"usage":{"prompt_tokens":5,"completion_tokens":1,"prompt_tokens_details":{"image_tokens":4},"completion_tokens_details":{"image_tokens":1}}}"#,
                Usage { image_input_tokens: 4, image_output_tokens: 1, ..counts(5, 1) },
            ),
            ("embeddings", r#"{"data":[],"usage":{"prompt_tokens":5,"total_tokens":5}}"#, counts(5, 0)),
            ("embeddings, total only", r#"{"data":[],"usage":{"total_tokens":5}}"#, counts(5, 0)),
            ("with a fraction", r#"{"usage":{"prompt_tokens":5.0,"completion_tokens":null}}"#, counts(5, 0)),
            (
                "details of another type",
                r#"{"usage":{"prompt_tokens":5,"completion_tokens":1,"prompt_tokens_details":[1],"completion_tokens_details":"x"}}"#,
                counts(5, 1),
            ),
        ];
        for (name, answer, expected) in cases {
            assert_eq!(of(answer), Some(expected), "{name}");
        }
    }

    #[test]
    fn what_the_provider_says_that_it_cost_is_read_with_the_usage() {
        let usage = of(r#"{"usage":{"prompt_tokens":5,"completion_tokens":1,"cost":0.00014,"is_byok":false}}"#);
        assert_eq!(usage.and_then(|usage| usage.told_cost), Some(gw_core::Nanodollars(140_000)));
    }

    #[test]
    fn what_is_no_report_is_none() {
        for answer in [
            "{}",
            r#"{"usage":null}"#,
            r#"{"usage":{}}"#,
            r#"{"usage":5}"#,
            r#"{"usage":{"prompt_tokens":-1}}"#,
            r#"{"usage":{"prompt_tokens":1e400}}"#,
            r#"{"usage":{"prompt_tokens":"5"}}"#,
            r#"{"choices":[],"x_groq":{"id":"x"}}"#,
        ] {
            assert_eq!(of(answer), None, "{answer}");
        }
    }
}
