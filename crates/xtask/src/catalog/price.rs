//! Prices, from the price file's keys to ours.

use std::collections::BTreeMap;

use serde_json::Value;

use super::Published;
use super::decimal::shifted;

/// Rates by dimension, in dollars, as text.
pub(crate) type Rates = BTreeMap<&'static str, String>;

/// Rates for some requests: above so many prompt tokens, of a service, at some hours.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Variant {
    pub(crate) above_tokens: u64,
    pub(crate) tier: Option<&'static str>,
    pub(crate) hours: Vec<String>,
    pub(crate) rates: Rates,
}

/// The usual rates and the others.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Price {
    pub(crate) rates: Rates,
    pub(crate) variants: Vec<Variant>,
}

/// Their key, our dimension, and the power of ten between one and what we price.
const KEYS: &[(&str, &str, i32)] = &[
    ("input_cost_per_token", "input", 6),
    ("input_cost_per_token_cache_hit", "cached_input", 6),
    ("cache_read_input_token_cost", "cached_input", 6),
    ("cache_creation_input_token_cost", "cache_write", 6),
    ("cache_creation_input_token_cost_above_1hr", "cache_write_1h", 6),
    ("input_cost_per_audio_token", "audio_input", 6),
    ("input_cost_per_image_token", "image_input", 6),
    ("output_cost_per_token", "output", 6),
    ("output_cost_per_reasoning_token", "reasoning", 6),
    ("output_cost_per_audio_token", "audio_output", 6),
    ("output_cost_per_image_token", "image_output", 6),
    ("output_cost_per_image", "image", 0),
    ("input_cost_per_character", "character", 6),
    ("input_cost_per_request", "request", 0),
    ("input_cost_per_query", "search", 0),
];
const TIERS: [(&str, &str); 3] = [("_priority", "priority"), ("_flex", "flex"), ("_batches", "batch")];
const BY_THE_PIECE: [&str; 3] = ["image", "second", "character"];

/// What Google asks where it bills a request with searches, and not each search: before its third generation.
const GOOGLE_BY_REQUEST: &str = "0.035";

fn is_google(provider: &Value) -> bool {
    provider.as_str().is_some_and(|provider| provider == "gemini" || provider.starts_with("vertex_ai"))
}

/// What an entry says of its price. What it does not say, and what it says is zero beside a price that is not, is unknown.
pub(crate) fn price(one: &Published, mode: &str) -> Price {
    let mut price = Price { rates: Rates::new(), variants: Vec::new() };
    let mut variants: BTreeMap<(u64, Option<&'static str>), Rates> = BTreeMap::new();
    for (key, value) in one {
        let Some((base, above_tokens, tier)) = taken_apart(key) else { continue };
        let Some((_, dimension, shift)) = KEYS.iter().find(|(known, ..)| *known == base) else { continue };
        let Some(rate) = value.as_number().and_then(|number| shifted(&number.to_string(), *shift)) else { continue };
        let rates = match (above_tokens, tier) {
            (0, None) => &mut price.rates,
            other => variants.entry(other).or_default(),
        };
        rates.insert(dimension, rate);
    }
    if let Some(second) = second(one, mode) {
        price.rates.insert("second", second);
    }
    if let Some(search) = search(one) {
        let is_by_request = search == GOOGLE_BY_REQUEST && one.get("litellm_provider").is_some_and(is_google);
        price.rates.insert(if is_by_request { "searched_request" } else { "search" }, search);
    }
    tiered(one, &mut price.rates, &mut variants);
    let all = variants.into_iter().map(|((above_tokens, tier), rates)| Variant {
        above_tokens,
        tier,
        hours: Vec::new(),
        rates,
    });
    price.variants = all.chain(off_peak(one)).collect();
    tidied(price)
}

/// A key without what it says of the length of the prompt and of the service.
fn taken_apart(key: &str) -> Option<(&str, u64, Option<&'static str>)> {
    let service = TIERS.iter().find_map(|(end, tier)| Some((key.strip_suffix(end)?, Some(*tier))));
    let (key, tier) = service.unwrap_or((key, None));
    let Some((base, above)) = key.strip_suffix("k_tokens").and_then(|key| key.rsplit_once("_above_")) else {
        return Some((key, 0, tier));
    };
    Some((base, above.parse::<u64>().ok()? * 1_000, tier))
}

/// The rate of a second of what is heard, or else of what is made.
fn second(one: &Published, mode: &str) -> Option<String> {
    let keys: &[&str] = match mode {
        "audio_transcription" => &["input_cost_per_second", "output_cost_per_second"],
        "audio_speech" | "video_generation" => &["output_cost_per_second", "output_cost_per_video_per_second"],
        _ => return None,
    };
    let value = keys.iter().find_map(|key| one.get(*key).and_then(Value::as_number))?;
    shifted(&value.to_string(), 0)
}

/// The rate of a search, where it does not depend on what the request said.
fn search(one: &Published) -> Option<String> {
    let sizes = one.get("search_context_cost_per_query")?.as_object()?;
    let mut rates = sizes.values().filter_map(Value::as_number).map(ToString::to_string);
    let first = rates.next()?;
    rates.all(|rate| rate == first).then(|| shifted(&first, 0)).flatten()
}

/// Prices by ranges of the prompt's length: the first is the usual one.
fn tiered(one: &Published, usual: &mut Rates, variants: &mut BTreeMap<(u64, Option<&'static str>), Rates>) {
    let ranges = one.get("tiered_pricing").and_then(Value::as_array).into_iter().flatten();
    for range in ranges.filter_map(Value::as_object) {
        let start = range.get("range").and_then(|range| range.get(0)).and_then(Value::as_f64).unwrap_or(0.0);
        let rates = if start > 0.0 { variants.entry((start as u64, None)).or_default() } else { &mut *usual };
        for (key, value) in range {
            let known = KEYS.iter().find(|(known, ..)| known == key);
            let rate = known
                .zip(value.as_number())
                .and_then(|((_, dimension, shift), number)| Some((*dimension, shifted(&number.to_string(), *shift)?)));
            rates.extend(rate);
        }
    }
}

/// Cheaper hours, in UTC. Days of another time zone are days of ours only where the hours say so; such entries are left out.
fn off_peak(one: &Published) -> Option<Variant> {
    let off_peak = one.get("off_peak_pricing")?.as_object()?;
    if off_peak.contains_key("weekday_timezone") {
        return None;
    }
    let mut hours = Vec::new();
    for window in off_peak.get("windows")?.as_array()? {
        let days: Vec<_> = window.get("weekdays")?.as_array()?.iter().filter_map(Value::as_u64).collect();
        let (first, last) = (days.first()?, days.last()?);
        let day = |number: &u64| ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"].get(*number as usize - 1).copied();
        let times = match window.get("hours_utc")? {
            Value::Array(times) => times.iter().filter_map(Value::as_str).collect(),
            times => vec![times.as_str()?],
        };
        for time in times {
            let time = if time.ends_with("-00:00") { time.replace("-00:00", "-24:00") } else { time.to_owned() };
            hours.push(format!("{}-{} {time}", day(first)?, day(last)?));
        }
    }
    let rate = |(known, dimension, shift): &(&str, &'static str, i32)| {
        Some((*dimension, shifted(&off_peak.get(*known)?.as_number()?.to_string(), *shift)?))
    };
    Some(Variant { above_tokens: 0, tier: None, hours, rates: KEYS.iter().filter_map(rate).collect() })
}

fn tidied(mut price: Price) -> Price {
    let is_zero = |rate: &String| rate == "0";
    let all_zero = price.rates.values().all(is_zero);
    // Nobody gives away one half of a conversation: there a zero stands for what is not known.
    for rates in price.variants.iter_mut().map(|variant| &mut variant.rates).chain([&mut price.rates]) {
        rates.retain(|_, rate| !is_zero(rate) && !all_zero);
    }
    let bills_tokens = price.rates.keys().any(|key| ["input", "output", "image_output"].contains(key));
    if bills_tokens {
        // Vendors say beside the price of tokens what a usual picture or second comes to.
        price.rates.retain(|key, _| !BY_THE_PIECE.contains(key));
    }
    let usual = &price.rates;
    for variant in &mut price.variants {
        variant
            .rates
            .retain(|key, rate| usual.contains_key(key) && (variant.above_tokens > 0 || usual.get(key) != Some(rate)));
    }
    price.variants.retain(|variant| !variant.rates.is_empty());
    price
}
