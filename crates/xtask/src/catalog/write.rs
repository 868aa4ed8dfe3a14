//! The text of a file of models.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use toml::Value;

use super::facts::Entry;
use super::price::{Rates, Variant};

/// The members of an entry, in the order in which they stand.
const MEMBERS: [&str; 18] = [
    "aliases",
    "operations",
    "tier",
    "context",
    "output_max",
    "dimensions",
    "cache_min_tokens",
    "input",
    "output",
    "can",
    "price",
    "variants",
    "regional_percent",
    "deprecated",
    "source",
    "date",
    "by_hand",
    "note",
];

/// The file of a provider. Writing to a string cannot fail.
pub(crate) fn file(provider: &str, source: &str, date: &str, entries: &BTreeMap<String, Entry>) -> String {
    let mut text = format!(
        "# Models of `{provider}`. Written by `cargo xtask catalog`, which keeps `note`, and what an entry lists in `by_hand`.\n\
         # Prices are in US dollars: for a million tokens or characters, else for one picture, second, request or search.\n\
         source = {}\ndate = {}\n",
        quoted(source),
        quoted(date),
    );
    for (name, entry) in entries {
        let _ = write!(text, "\n[[model]]\nname = {}\n", quoted(name));
        let members = members(entry);
        for key in MEMBERS {
            match (entry.by_hand.members.get(key), members.get(key)) {
                (Some(None), _) | (None, None) => {}
                (Some(Some(written)), _) => {
                    let _ = writeln!(text, "{key} = {written}");
                }
                (None, Some(made)) => {
                    let _ = writeln!(text, "{key} = {made}");
                }
            }
        }
    }
    text
}

fn members(entry: &Entry) -> BTreeMap<&'static str, String> {
    let mut members = BTreeMap::new();
    let mut say = |key, value: Option<String>| {
        if let Some(value) = value {
            members.insert(key, value);
        }
    };
    let words = |words: &[&str]| (!words.is_empty()).then(|| list(words.iter().copied()));
    let aliases: Vec<&str> = entry.aliases.iter().map(String::as_str).collect();
    say("aliases", words(&aliases));
    say("operations", words(&entry.operations));
    say("tier", entry.tier.map(quoted));
    say("context", entry.context.map(|number| number.to_string()));
    say("output_max", entry.output_max.map(|number| number.to_string()));
    say("dimensions", entry.dimensions.map(|number| number.to_string()));
    say("cache_min_tokens", entry.cache_min_tokens.map(|number| number.to_string()));
    // Most read and write text alone.
    say("input", words(&entry.input).filter(|_| entry.input != ["text"]));
    say("output", words(&entry.output).filter(|_| entry.output != ["text"]));
    say("can", words(&entry.can));
    say("price", rates(&entry.price.rates));
    say("variants", variants(&entry.price.variants));
    say("regional_percent", entry.regional_percent.map(|percent| percent.to_string()));
    say("deprecated", entry.deprecated.as_deref().map(quoted));
    say("source", entry.source.as_deref().map(quoted));
    members
}

fn rates(rates: &Rates) -> Option<String> {
    if rates.is_empty() {
        return None;
    }
    let members: Vec<_> = rates.iter().map(|(dimension, rate)| format!("{dimension} = {}", quoted(rate))).collect();
    Some(format!("{{ {} }}", members.join(", ")))
}

fn variants(variants: &[Variant]) -> Option<String> {
    if variants.is_empty() {
        return None;
    }
    let one = |variant: &Variant| {
        let mut members = Vec::new();
        if variant.above_tokens > 0 {
            members.push(format!("above_tokens = {}", variant.above_tokens));
        }
        if let Some(tier) = variant.tier {
            members.push(format!("tier = {}", quoted(tier)));
        }
        if !variant.hours.is_empty() {
            members.push(format!("hours = {}", list(variant.hours.iter().map(String::as_str))));
        }
        members.extend(variant.rates.iter().map(|(dimension, rate)| format!("{dimension} = {}", quoted(rate))));
        format!("    {{ {} }},\n", members.join(", "))
    };
    Some(format!("[\n{}]", variants.iter().map(one).collect::<String>()))
}

fn list<'a>(words: impl Iterator<Item = &'a str>) -> String {
    let words: Vec<_> = words.map(quoted).collect();
    format!("[{}]", words.join(", "))
}

fn quoted(text: &str) -> String {
    Value::String(text.to_owned()).to_string()
}
