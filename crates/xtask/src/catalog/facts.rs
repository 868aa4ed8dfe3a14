//! What an entry of the price file says of a model, in our words.

use std::collections::BTreeMap;

use serde_json::Value;

use super::Published;
use super::old::ByHand;
use super::price::{self, Price};

/// A model of a provider.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) aliases: Vec<String>,
    pub(crate) operations: Vec<&'static str>,
    pub(crate) tier: Option<&'static str>,
    pub(crate) context: Option<u64>,
    pub(crate) output_max: Option<u64>,
    pub(crate) dimensions: Option<u64>,
    pub(crate) cache_min_tokens: Option<u64>,
    pub(crate) input: Vec<&'static str>,
    pub(crate) output: Vec<&'static str>,
    pub(crate) can: Vec<&'static str>,
    pub(crate) deprecated: Option<String>,
    pub(crate) source: Option<String>,
    pub(crate) price: Price,
    pub(crate) regional_percent: Option<u64>,
    pub(crate) by_hand: ByHand,
}

/// Their modes and our operations.
const OPERATIONS: &[(&str, &str)] = &[
    ("chat", "chat"),
    ("responses", "chat"),
    ("completion", "completion"),
    ("embedding", "embedding"),
    ("rerank", "rerank"),
    ("image_generation", "image"),
    ("image_edit", "image"),
    ("audio_speech", "speech"),
    ("audio_transcription", "transcription"),
    ("moderation", "moderation"),
    ("realtime", "realtime"),
    ("video_generation", "video"),
];

/// Their flags and our words for what a model can do, sorted by our words.
const CAPABILITIES: &[(&str, &str)] = &[
    ("supports_adaptive_thinking", "adaptive_thinking"),
    ("thinking_always_on", "always_thinks"),
    ("supports_computer_use", "computer_use"),
    ("supports_max_reasoning_effort", "effort_max"),
    ("supports_minimal_reasoning_effort", "effort_minimal"),
    ("supports_none_reasoning_effort", "effort_none"),
    ("supports_xhigh_reasoning_effort", "effort_xhigh"),
    ("supports_mid_conversation_system", "mid_conversation_system"),
    ("supports_native_structured_output", "native_structured_output"),
    ("supports_parallel_function_calling", "parallel_tools"),
    ("supports_assistant_prefill", "prefill"),
    ("supports_prompt_caching", "prompt_caching"),
    ("supports_reasoning", "reasoning"),
    ("supports_response_schema", "structured_output"),
    ("supports_tool_choice", "tool_choice"),
    ("supports_function_calling", "tools"),
    (SEARCHES, WEB_SEARCH),
];
/// Their flag, and our word, for searching the web.
const SEARCHES: &str = "supports_web_search";
const WEB_SEARCH: &str = "web_search";

/// Words in the name of a model that its maker calls smaller than another.
const SMALLER: [&str; 10] = ["mini", "nano", "micro", "lite", "light", "small", "tiny", "flash", "haiku", "instant"];

/// The entry; `None` for what is not a model of an operation that is known.
pub(crate) fn entry(provider: &str, name: &str, one: &Published) -> Option<Entry> {
    let text = |key: &str| one.get(key).and_then(Value::as_str);
    let number =
        |key: &str| one.get(key).and_then(Value::as_f64).filter(|number| *number > 0.0).map(|number| number as u64);
    let mode = text("mode").unwrap_or("chat");
    let (_, operation) = OPERATIONS.iter().find(|(known, _)| *known == mode)?;
    let price = price::price(one, mode);
    let (input, output) = modalities(one, operation);
    let is_chat = *operation == "chat";
    Some(Entry {
        aliases: Vec::new(),
        operations: vec![operation],
        tier: if is_chat { tier(name, &price) } else { None },
        context: number("max_input_tokens").or_else(|| number("max_tokens").filter(|_| is_chat)),
        output_max: number("max_output_tokens").filter(|_| is_chat || *operation == "completion"),
        dimensions: number("output_vector_size"),
        cache_min_tokens: number("prompt_cache_min_tokens"),
        input,
        output,
        can: capabilities(provider, name, one, &price),
        deprecated: text("deprecation_date").map(str::to_owned),
        source: text("source").filter(|source| source.starts_with("https://")).map(str::to_owned),
        price,
        regional_percent: regional_percent(one),
        by_hand: ByHand::default(),
    })
}

/// What a region costs, in hundredths of the price, where it is told and every region costs the same.
fn regional_percent(one: &Published) -> Option<u64> {
    const KEYS: [&str; 3] = [
        "regional_endpoint_uplift_multiplier",
        "regional_processing_uplift_multiplier_eu",
        "regional_processing_uplift_multiplier_us",
    ];
    let mut told = KEYS.iter().filter_map(|key| one.get(*key)?.as_f64()).map(|times| (times * 100.0).round() as u64);
    let first = told.next()?;
    told.all(|other| other == first).then_some(first)
}

/// The class of a chat model, so that nothing is replaced by less without being asked: by what a million tokens of its
/// answers cost, and never the highest for what its maker calls small.
fn tier(name: &str, price: &Price) -> Option<&'static str> {
    let dollars: f64 = price.rates.get("output").or_else(|| price.rates.get("input"))?.parse().ok()?;
    let is_smaller = name.split(|letter: char| !letter.is_ascii_alphanumeric()).any(|word| SMALLER.contains(&word));
    Some(match (dollars, is_smaller) {
        (8.0.., false) => "flagship",
        (1.5.., _) => "standard",
        _ => "small",
    })
}

fn modalities(one: &Published, operation: &str) -> (Vec<&'static str>, Vec<&'static str>) {
    let said = |key: &str, word: &str| {
        one.get(key).and_then(Value::as_array).is_some_and(|words| words.iter().any(|said| said == word))
    };
    let flag = |key: &str| one.get(key).and_then(Value::as_bool).unwrap_or(false);
    let hears = operation == "transcription";
    let input = [
        ("text", !hears),
        (
            "image",
            said("supported_modalities", "image")
                || flag("supports_vision")
                || flag("supports_image_input")
                || flag("supports_embedding_image_input"),
        ),
        ("pdf", flag("supports_pdf_input")),
        ("audio", hears || said("supported_modalities", "audio") || flag("supports_audio_input")),
        ("video", said("supported_modalities", "video") || flag("supports_video_input")),
    ];
    let output = [
        (
            "text",
            !["speech", "image", "video", "embedding"].contains(&operation)
                || said("supported_output_modalities", "text"),
        ),
        ("image", operation == "image" || said("supported_output_modalities", "image")),
        (
            "audio",
            operation == "speech" || said("supported_output_modalities", "audio") || flag("supports_audio_output"),
        ),
        ("video", operation == "video" || said("supported_output_modalities", "video")),
        ("embedding", operation == "embedding"),
    ];
    let told = |list: &[(&'static str, bool)]| list.iter().filter(|(_, is)| *is).map(|(word, _)| *word).collect();
    (told(&input), told(&output))
}

fn capabilities(provider: &str, name: &str, one: &Published, price: &Price) -> Vec<&'static str> {
    let flag = |key: &str| one.get(key).and_then(Value::as_bool);
    let mut can: Vec<_> =
        CAPABILITIES.iter().filter(|(key, _)| flag(key) == Some(true)).map(|(_, word)| *word).collect();
    if flag("supports_sampling_params") == Some(false) {
        can.push("no_sampling");
    }
    if flag(SEARCHES).is_none() && has_priced_search(provider, one, price) {
        can.push(WEB_SEARCH);
    }
    let endpoints = one.get("supported_endpoints").and_then(Value::as_array);
    let speaks = |path: &str| endpoints.is_some_and(|paths| paths.iter().any(|said| said == path));
    if speaks("/v1/responses") && !speaks("/v1/chat/completions") {
        can.push("responses_only");
    }
    // Alibaba's model list: QwQ, QVQ and the Omni models answer in streams only.
    if provider == "dashscope" && (name.starts_with("qwq") || name.starts_with("qvq") || name.contains("-omni")) {
        can.push("stream_only");
    }
    can.sort_unstable();
    can
}

/// Whether a conversation's searches have a price, which says that there are searches. Not at Bedrock, whose entries repeat
/// the prices of Anthropic's own API: the tool is not served there.
fn has_priced_search(provider: &str, one: &Published, price: &Price) -> bool {
    let is_priced = ["search", "searched_request"].iter().any(|dimension| price.rates.contains_key(dimension));
    is_priced && provider != "bedrock" && one.contains_key("search_context_cost_per_query")
}

/// A name without a date searches the web if all do that have one: the price file does not say it of both.
pub(crate) fn share_search(entries: &mut BTreeMap<String, Entry>) {
    let mut by_plain: BTreeMap<String, bool> = BTreeMap::new();
    for (name, entry) in entries.iter() {
        for plain in undated(name) {
            *by_plain.entry(plain).or_insert(true) &= entry.can.contains(&WEB_SEARCH);
        }
    }
    for (plain, _) in by_plain.into_iter().filter(|(_, searches)| *searches) {
        let Some(entry) = entries.get_mut(&plain).filter(|entry| !entry.can.contains(&WEB_SEARCH)) else { continue };
        entry.can.push(WEB_SEARCH);
        entry.can.sort_unstable();
    }
}

/// Joins models that differ in nothing but the date or place in their names: the plainer name stays, the others become
/// aliases.
pub(crate) fn join_twins(entries: &mut BTreeMap<String, Entry>) {
    let names: Vec<String> = entries.keys().cloned().collect();
    for name in names {
        let Some(plain) = plainer(&name).find(|plain| entries.get(plain) == entries.get(&name)) else { continue };
        entries.remove(&name);
        // Compared without aliases, which none has yet: they are added when all are joined.
        if let Some(entry) = entries.get_mut(&plain) {
            entry.by_hand.twins.push(name);
        }
    }
    for entry in entries.values_mut() {
        entry.aliases = std::mem::take(&mut entry.by_hand.twins);
        entry.aliases.sort();
    }
}

/// A name without the date at its end.
fn undated(name: &str) -> impl Iterator<Item = String> {
    let is_date = |end: &str| {
        let digits = end.bytes().filter(u8::is_ascii_digit).count();
        digits == 8 && end.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-')
    };
    [11, 9].into_iter().filter_map(move |length| {
        let (rest, end) = name.split_at_checked(name.len().checked_sub(length)?)?;
        (matches!(end.as_bytes().first(), Some(b'-' | b'@')) && is_date(end.get(1..)?)).then(|| rest.to_owned())
    })
}

/// Names that mean the same model, said more plainly: without its date, its region, the folder it is in.
fn plainer(name: &str) -> impl Iterator<Item = String> {
    const PLACES: [&str; 8] = ["us.", "eu.", "apac.", "global.", "au.", "jp.", "ca.", "us-gov."];
    let here = PLACES.iter().filter_map(|place| name.strip_prefix(place)).map(str::to_owned);
    let folder = name.rsplit_once('/').map(|(_, last)| last.to_owned());
    let latest = name.strip_suffix("-latest").map(str::to_owned);
    undated(name).chain(here).chain(folder).chain(latest).collect::<Vec<_>>().into_iter()
}
