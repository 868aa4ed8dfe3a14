//! What an answer in OpenAI's format says about what was used, and where providers say it.

use gw_core::Usage;

use crate::scan::Object;

/// What an answer, or a chunk of one, reports as used, wherever it says so.
pub fn of_answer(answer: &Object<'_>) -> Option<Usage> {
    let report = answer
        .object("usage")
        // Groq: at the end of a stream.
        .or_else(|| answer.object("x_groq")?.object("usage"))
        // Moonshot: beside the choice that ends.
        .or_else(|| choices(answer)?.into_iter().next()?.object("usage"))?;
    of_report(&report)
}

/// The elements of an answer's `choices`; `None` if there is no list of objects.
pub fn choices<'a>(answer: &Object<'a>) -> Option<Vec<Object<'a>>> {
    let raw: Vec<&serde_json::value::RawValue> = serde_json::from_str(answer.get("choices")?).ok()?;
    raw.into_iter().map(|choice| Object::parse(choice.get()).ok()).collect()
}

/// What a `usage` object says. `None` if it holds no count.
pub fn of_report(report: &Object<'_>) -> Option<Usage> {
    let count = |name: &str| report.get(name).and_then(number);
    let prompt = count("prompt_tokens");
    let completion = count("completion_tokens");
    let total = count("total_tokens");
    if prompt.is_none() && completion.is_none() && total.is_none() {
        return None;
    }
    let prompt_details = report.object("prompt_tokens_details");
    let completion_details = report.object("completion_tokens_details");
    let of_prompt = |name: &str| prompt_details.as_ref().and_then(|details| details.get(name)).and_then(number);
    let of_completion = |name: &str| completion_details.as_ref().and_then(|details| details.get(name)).and_then(number);

    let completion = completion.unwrap_or(0);
    // Embeddings: some providers report only the total.
    let input_tokens = prompt.unwrap_or_else(|| total.unwrap_or(0).saturating_sub(completion));
    let reasoning_tokens = of_completion("reasoning_tokens").or_else(|| count("reasoning_tokens")).unwrap_or(0);
    // xAI reports reasoning beside the completion and not within it; then only the three make up the total.
    let beside =
        total.is_some_and(|total| total == input_tokens.saturating_add(completion).saturating_add(reasoning_tokens));
    Some(Usage {
        input_tokens,
        output_tokens: if beside { completion.saturating_add(reasoning_tokens) } else { completion },
        cached_input_tokens: of_prompt("cached_tokens")
            // DeepSeek.
            .or_else(|| count("prompt_cache_hit_tokens"))
            // Moonshot.
            .or_else(|| count("cached_tokens"))
            .unwrap_or(0),
        cache_write_tokens: of_prompt("cache_write_tokens")
            // Alibaba.
            .or_else(|| of_prompt("cache_creation_input_tokens"))
            .unwrap_or(0),
        reasoning_tokens,
        audio_input_tokens: of_prompt("audio_tokens").unwrap_or(0),
        audio_output_tokens: of_completion("audio_tokens").unwrap_or(0),
    })
}

/// A count as JSON. Some providers write whole numbers with a fraction.
fn number(raw: &str) -> Option<u64> {
    if let Ok(count) = raw.parse() {
        return Some(count);
    }
    let count: f64 = raw.parse().ok().filter(|count| (0.0..9e15).contains(count))?;
    Some(count as u64)
}
