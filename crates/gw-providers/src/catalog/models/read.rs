//! The shape of a file of models. Built-in files and files that bring them up to date have the same.
//!
//! ```toml
//! source = "https://…"     # of entries that name none
//! date = "2026-11-21"
//!
//! [[model]]
//! provider = "openai"      # the type; only where the file is not of one type
//! name = "gpt-4o"
//! operations = ["chat"]
//! context = 128000
//! input = ["text", "image"]
//! can = ["tools"]
//! price = { input = "2.5", cached_input = "50%", output = "10" }
//! variants = [{ tier = "batch", input = "1.25", output = "5" }]
//! ```
//!
//! Prices are texts, so that they are read exactly: dollars for a million tokens or characters, else for one picture,
//! second, request or search; `50%` is half of the input's price.

use std::fmt;
use std::sync::Arc;

use gw_core::ServiceTier;
use gw_core::price::{Price, Rates, Variant, Window};
use serde::Deserialize;
use serde::de::{self, Deserializer, IgnoredAny, MapAccess, Visitor};

use super::model::{Capability, Modality, Model, Task, Tier};

/// Models in a file; more are refused.
const MODELS_MAX: usize = 20_000;

/// Reads a file: each model with the provider's type that the entry names, which is empty if it names none.
///
/// # Errors
/// What is wrong with it and where.
pub(super) fn read(text: &str) -> Result<Vec<(Box<str>, Model)>, toml::de::Error> {
    let file: WrittenFile = toml::from_str(text)?;
    let wrong = |what: String| <toml::de::Error as de::Error>::custom(what);
    if file.model.len() > MODELS_MAX {
        return Err(wrong(format!("more than {MODELS_MAX} models")));
    }
    let (source, date): (Arc<str>, Arc<str>) = (file.source.into(), file.date.into());
    let one = |written: WrittenModel| {
        let place = written.name.clone();
        let type_id = written.provider.clone().unwrap_or_default();
        let model = written.meant(&source, &date).map_err(|what| wrong(format!("model \"{place}\": {what}")))?;
        Ok((type_id, model))
    };
    file.model.into_iter().map(one).collect()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenFile {
    #[serde(default)]
    source: String,
    #[serde(default)]
    date: String,
    #[serde(default)]
    model: Vec<WrittenModel>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenModel {
    name: Box<str>,
    provider: Option<Box<str>>,
    #[serde(default)]
    aliases: Vec<Box<str>>,
    operations: Vec<Box<str>>,
    tier: Option<Box<str>>,
    context: Option<u64>,
    output_max: Option<u64>,
    dimensions: Option<u64>,
    cache_min_tokens: Option<u64>,
    #[serde(default = "text_alone")]
    input: Vec<Box<str>>,
    #[serde(default = "text_alone")]
    output: Vec<Box<str>>,
    #[serde(default)]
    can: Vec<Box<str>>,
    price: Option<WrittenRates>,
    #[serde(default)]
    variants: Vec<WrittenVariant>,
    regional_percent: Option<u16>,
    deprecated: Option<Box<str>>,
    source: Option<Box<str>>,
    date: Option<Box<str>>,
    note: Option<Box<str>>,
    #[serde(default, rename = "by_hand")]
    _by_hand: IgnoredAny,
}

fn text_alone() -> Vec<Box<str>> {
    vec!["text".into()]
}

impl WrittenModel {
    fn meant(self, source: &Arc<str>, date: &Arc<str>) -> Result<Model, String> {
        let price = self.price.map(|rates| price(&rates, &self.variants)).transpose()?;
        Ok(Model {
            tasks: words(&self.operations, Task::from_name, "operation")?,
            tier: self.tier.as_deref().map(|tier| word(tier, Tier::from_name, "tier")).transpose()?,
            context_tokens: self.context,
            output_tokens_max: self.output_max,
            dimensions: self.dimensions,
            cache_tokens_min: self.cache_min_tokens,
            input: words(&self.input, Modality::from_name, "modality")?,
            output: words(&self.output, Modality::from_name, "modality")?,
            can: words(&self.can, Capability::from_name, "capability")?,
            deprecated: self.deprecated,
            price: price.map(Arc::new),
            regional_percent: self.regional_percent,
            source: self.source.map_or_else(|| Arc::clone(source), Arc::from),
            date: self.date.map_or_else(|| Arc::clone(date), Arc::from),
            note: self.note,
            name: self.name,
            aliases: self.aliases,
        })
    }
}

fn words<T, S: FromIterator<T>>(all: &[Box<str>], of: fn(&str) -> Option<T>, what: &str) -> Result<S, String> {
    all.iter().map(|one| word(one, of, what)).collect()
}

fn word<T>(word: &str, of: fn(&str) -> Option<T>, what: &str) -> Result<T, String> {
    of(word).ok_or_else(|| format!("there is no {what} \"{}\"", word.escape_default()))
}

/// Rates as texts, by dimension.
#[derive(Default)]
struct WrittenRates(Vec<(Box<str>, Box<str>)>);

/// A variant: its rates stand beside what it is for.
#[derive(Default)]
struct WrittenVariant {
    above_tokens: u64,
    above_pixels: u32,
    tier: Option<Box<str>>,
    hours: Vec<Box<str>>,
    rates: WrittenRates,
}

impl<'de> Deserialize<'de> for WrittenRates {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let variant = WrittenVariant::deserialize(deserializer)?;
        if variant.above_tokens > 0 || variant.above_pixels > 0 || variant.tier.is_some() || !variant.hours.is_empty() {
            return Err(de::Error::custom("`above_tokens`, `above_pixels`, `tier` and `hours` are for `variants`"));
        }
        Ok(variant.rates)
    }
}

impl<'de> Deserialize<'de> for WrittenVariant {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Members)
    }
}

struct Members;

impl<'de> Visitor<'de> for Members {
    type Value = WrittenVariant;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("rates by dimension, as texts")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<WrittenVariant, A::Error> {
        let mut variant = WrittenVariant::default();
        while let Some(key) = map.next_key::<Box<str>>()? {
            match &*key {
                "above_tokens" => variant.above_tokens = map.next_value()?,
                "above_pixels" => variant.above_pixels = map.next_value()?,
                "tier" => variant.tier = Some(map.next_value()?),
                "hours" => variant.hours = map.next_value()?,
                _ => {
                    let rate = map.next_value()?;
                    variant.rates.0.push((key, rate));
                }
            }
        }
        Ok(variant)
    }
}

fn price(written: &WrittenRates, variants: &[WrittenVariant]) -> Result<Price, String> {
    let rates = rates(written, &Rates::default())?;
    let variants = variants.iter().map(|written| variant(written, &rates)).collect::<Result<_, _>>()?;
    Ok(Price { rates, variants })
}

fn variant(written: &WrittenVariant, usual: &Rates) -> Result<Variant, String> {
    let tier = written.tier.as_deref().map(|tier| match ServiceTier::of(tier) {
        Some(ServiceTier::Other) | None => Err(format!("there is no service tier \"{}\"", tier.escape_default())),
        Some(known) => Ok(known),
    });
    let windows: Option<Box<[Window]>> = written.hours.iter().map(|hours| window(hours)).collect();
    Ok(Variant {
        above_tokens: written.above_tokens,
        above_pixels: written.above_pixels,
        tier: tier.transpose()?,
        windows: windows.ok_or("`hours` are as in \"Mon-Fri 10:00-24:00\", in UTC")?,
        rates: rates(&written.rates, usual)?,
    })
}

fn rates(written: &WrittenRates, usual: &Rates) -> Result<Rates, String> {
    let texts: Vec<(&str, &str)> = written.0.iter().map(|(name, text)| (&**name, &**text)).collect();
    Rates::read(&texts, usual)
}

/// A window as it is written: `Mon-Fri 10:00-24:00`.
fn window(text: &str) -> Option<Window> {
    const DAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
    let (days, times) = text.split_once(' ')?;
    let (first, last) = days.split_once('-').unwrap_or((days, days));
    let day = |name: &str| DAYS.iter().position(|day| *day == name);
    let (first, last) = (day(first)?, day(last)?);
    let (from, to) = times.split_once('-')?;
    let (from_minute, to_minute) = (minute(from)?, minute(to)?);
    let is_sound = first <= last && from_minute < to_minute;
    is_sound.then(|| Window { days: (first..=last).fold(0, |bits, day| bits | 1 << day), from_minute, to_minute })
}

fn minute(text: &str) -> Option<u16> {
    let (hour, minute) = text.split_once(':')?;
    let (hour, minute): (u16, u16) = (hour.parse().ok()?, minute.parse().ok()?);
    (minute < 60 && hour * 60 + minute <= 24 * 60).then_some(hour * 60 + minute)
}

#[cfg(test)]
mod tests {
    use gw_core::{Dimension, Rate};

    use super::*;

    fn model(rest: &str) -> Result<Model, String> {
        let text = format!("source = \"s\"\ndate = \"d\"\n[[model]]\nname = \"m\"\noperations = [\"chat\"]\n{rest}");
        match read(&text) {
            Ok(mut models) => Ok(models.remove(0).1),
            Err(error) => Err(error.to_string()),
        }
    }

    #[test]
    fn a_cached_price_may_be_a_share_of_the_list_price() {
        let price = model(
            "price = { input = \"1.6\", cached_input = \"40%\", output = \"6.4\" }\n\
             variants = [{ above_tokens = 128000, input = \"2.4\", cached_input = \"40%\" }]",
        )
        .unwrap()
        .price
        .unwrap();
        assert_eq!(price.rates.get(Dimension::CachedInput), Rate::per_million("0.64").ok());
        assert_eq!(price.variants[0].rates.get(Dimension::CachedInput), Rate::per_million("0.96").ok());
    }

    #[test]
    fn what_is_not_said_is_not_known() {
        let model = model("").unwrap();
        assert!(model.price.is_none() && model.context_tokens.is_none() && model.tier.is_none());
        assert_eq!((&*model.source, &*model.date), ("s", "d"));
    }

    #[test]
    fn a_mistake_is_named_with_the_model_it_is_in() {
        for (rest, wanted) in [
            ("price = { input = \"-1\" }", "not a decimal"),
            ("price = { input = \"1e-99\" }", "more digits"),
            ("price = { inputs = \"1\" }", "nothing is billed by `inputs`"),
            ("price = { input = 1.5 }", "expected"),
            ("price = { cached_input = \"40%\" }", "there is no `input`"),
            ("price = { input = \"1\", tier = \"flex\" }", "are for `variants`"),
            (
                "price = { input = \"1\" }\nvariants = [{ tier = \"swift\", input = \"1\" }]",
                "no service tier \"swift\"",
            ),
            ("price = { input = \"1\" }\nvariants = [{ hours = [\"Mon 25:00-26:00\"], input = \"1\" }]", "in UTC"),
            ("can = [\"fly\"]", "no capability \"fly\""),
            ("tier = \"best\"", "no tier \"best\""),
            ("colour = 1", "colour"),
        ] {
            let error = model(rest).unwrap_err();
            assert!(error.contains(wanted), "{rest}: {error}");
        }
    }
}
