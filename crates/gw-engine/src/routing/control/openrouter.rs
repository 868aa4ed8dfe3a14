//! OpenRouter's and Infron's members of the body: `provider`, `models`, `route`, and what stands behind a model's name.
//!
//! What cannot be known of a provider (what it keeps, how its weights are rounded) leaves it out, unless the operator
//! has said it in the provider's `assurances`.

use std::time::Duration;

use gw_core::{Dimension, Error, Rate};
use gw_policy::balance::Balance;
use serde_json::Value;

use super::value::{Members, wrong};
use super::wish::{Need, Wish};
use super::{ANY, Asked, Reader, member, online};

/// More models are refused.
const MODELS_MAX: usize = 16;

pub(super) const READER: Reader = Reader {
    headers: &[],
    beside: &[],
    members: &[("provider", ANY), ("models", b"["), ("route", b"\""), (TRANSFORMS, b"["), (online::PLUGINS, ANY)],
    read,
};
/// What OpenRouter does with a conversation, and nobody else.
const TRANSFORMS: &str = "transforms";

fn read(asked: &Asked<'_>, wish: &mut Wish) -> Result<(), Error> {
    if let Some(json) = member(asked, "provider")? {
        provider(Members::read(json, "provider")?, wish)?;
    }
    if let Some(json) = member(asked, "models")? {
        wish.models = models(json)?;
    }
    // It says what happens anyway.
    member(asked, "route")?;
    if member(asked, TRANSFORMS)?.is_some_and(|list| !list[1..].trim_ascii_start().starts_with(b"]")) {
        wish.openrouters_own.push(TRANSFORMS);
    }
    match member(asked, online::PLUGINS)? {
        Some(plugins) => online::read(plugins, wish),
        None => Ok(()),
    }
}

/// Names of models in a list.
pub(super) fn models(json: &[u8]) -> Result<Vec<Box<str>>, Error> {
    let models: Option<Vec<Box<str>>> = serde_json::from_slice::<Vec<String>>(json)
        .ok()
        .filter(|models| models.len() <= MODELS_MAX)
        .map(|models| models.into_iter().map(Box::from).collect());
    models.ok_or_else(|| wrong("models", "must be a list of at most 16 names of models"))
}

/// Preferences of providers.
pub(super) fn provider(mut members: Members, wish: &mut Wish) -> Result<(), Error> {
    wish.order = members.list("order")?.unwrap_or_default();
    wish.only = members.list("only")?;
    wish.ignore = members.list("ignore")?.unwrap_or_default();
    wish.no_fallbacks = members.flag("allow_fallbacks")? == Some(false);
    wish.needs_parameters = members.flag("require_parameters")? == Some(true);
    (wish.sort, wish.sorts_across_models) = sort(&mut members)?;
    wish.price_max = price_max(&mut members)?;
    let latency = thresholds(&mut members, "preferred_max_latency")?;
    let duration = |(share, seconds)| Some((share, Duration::try_from_secs_f64(seconds).ok()?));
    wish.preference.latency_max = latency.into_iter().filter_map(duration).collect();
    wish.preference.tokens_per_second_min = thresholds(&mut members, "preferred_min_throughput")?;
    match members.text("data_collection")?.as_deref() {
        None | Some("allow") => {}
        Some("deny") => wish.needs.push(Need::Any(vec!["no-data-collection".into()])),
        Some(_) => return Err(members.wrong("data_collection", "must be \"allow\" or \"deny\"")),
    }
    if members.flag("zdr")? == Some(true) {
        wish.needs.push(Need::Any(vec!["zdr".into()]));
    }
    if members.flag("enforce_distillable_text")? == Some(true) {
        wish.needs.push(Need::Any(vec!["distillable-text".into()]));
    }
    if let Some(names) = members.list("quantizations")? {
        let named = |name: Box<str>| format!("quantization:{name}").into_boxed_str();
        wish.needs.push(Need::Any(names.into_iter().map(named).collect()));
    }
    members.rest(wish);
    Ok(())
}

/// What most answers should keep to: a number for half of them, or one for each of these shares.
fn thresholds(members: &mut Members, name: &str) -> Result<Vec<(f64, f64)>, Error> {
    const PERCENTILES: [(&str, f64); 4] = [("p50", 0.5), ("p75", 0.75), ("p90", 0.9), ("p99", 0.99)];
    let place = members.at(name);
    let value = match members.take(name) {
        None => return Ok(Vec::new()),
        Some(value @ Value::Number(_)) => serde_json::json!({ "p50": value }),
        Some(value) => value,
    };
    let mut inner = Members::of(value, &*place)?;
    let mut found = Vec::new();
    for (percentile, share) in PERCENTILES {
        found.extend(inner.number(percentile)?.map(|number| (share, number)));
    }
    match inner.is_empty() {
        true => Ok(found),
        false => Err(wrong(&place, "must be a number, or numbers for p50, p75, p90 and p99")),
    }
}

/// `sort`, which is a name or an object with `by`, and whether it is across models (`partition: none`).
fn sort(members: &mut Members) -> Result<(Option<Balance>, bool), Error> {
    let place = members.at("sort");
    let (name, partition) = match members.take("sort") {
        None => return Ok((None, false)),
        Some(Value::Object(mut inner)) => (inner.remove("by"), inner.remove("partition")),
        Some(name) => (Some(name), None),
    };
    let found = name.as_ref().and_then(Value::as_str).and_then(balance);
    let is_across = partition.is_some_and(|partition| partition == "none");
    found
        .map(|balance| (Some(balance), is_across))
        .ok_or_else(|| wrong(&place, "must be \"price\", \"throughput\", \"latency\" or \"exacto\""))
}

/// What these names of OpenRouter's and Vercel's order by.
pub(super) fn balance(name: &str) -> Option<Balance> {
    match name {
        "price" | "cost" => Some(Balance::LeastCost),
        "throughput" | "tps" => Some(Balance::Throughput),
        "latency" | "ttft" => Some(Balance::LeastLatency),
        "exacto" => Some(Balance::Reliable),
        _ => None,
    }
}

/// Dollars for a million tokens, for one request and for one picture.
fn price_max(members: &mut Members) -> Result<Vec<(Dimension, Rate)>, Error> {
    let Some(value) = members.take("max_price") else { return Ok(Vec::new()) };
    let mut inner = Members::of(value, members.at("max_price"))?;
    let mut found = Vec::new();
    for (name, dimension) in [
        ("prompt", Dimension::Input),
        ("completion", Dimension::Output),
        ("request", Dimension::Request),
        ("image", Dimension::Image),
        ("audio", Dimension::AudioInput),
    ] {
        let text = match inner.take(name) {
            None => continue,
            Some(Value::String(text)) => text,
            Some(Value::Number(number)) => number.to_string(),
            Some(_) => return Err(inner.wrong(name, "must be a number of dollars")),
        };
        let rate = if dimension.is_per_million() { Rate::per_million(&text) } else { Rate::per_unit(&text) };
        found.push((dimension, rate.map_err(|_| inner.wrong(name, "must be a number of dollars"))?));
    }
    if !inner.is_empty() {
        return Err(wrong(inner.path(), "may name prompt, completion, request, image and audio"));
    }
    Ok(found)
}
