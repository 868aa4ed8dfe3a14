//! Models as OpenRouter lists them: `GET /api/v1/models`, `/models/count`, `/model/{author}/{slug}`.

use gw_core::{Dimension, Error, ErrorCode, Price, Rate};
use gw_engine::Snapshot;
use gw_providers::catalog::models::{Facts, Modality};
use serde_json::{Map, Value, json};

use super::{data, in_query};
use crate::handle::decoded;
use crate::models::facts;

/// Models in one answer, at most, where the query asks for a part of them.
const LIMIT_MAX: usize = 1_000;
const LIMIT: usize = 500;

/// OpenRouter's sign for a price that is not fixed. Ours that are not known have it: its clients want a text there.
const UNKNOWN_PRICE: &str = "-1";

/// Filters and orders of OpenRouter's that nothing here is known for. Nobody is given a list that only looks filtered.
const UNKNOWN_FILTERS: [&str; 17] = [
    "category",
    "use_rss",
    "use_rss_chat_links",
    "arch",
    "distillable",
    "zdr",
    "region",
    "min_age_days",
    "max_age_days",
    "min_intelligence_index",
    "max_intelligence_index",
    "min_coding_index",
    "max_coding_index",
    "min_agentic_index",
    "max_agentic_index",
    "min_tool_success_rate",
    "max_tool_success_rate",
];

/// A name that clients may use, and what is known of its model.
struct Listed {
    id: String,
    provider: Option<String>,
    facts: Option<Facts>,
}

/// The models that the query asks for. `default` is what they make where it does not say.
///
/// # Errors
/// `invalid_request` for what nothing is known of.
pub(super) fn list(snapshot: &Snapshot, query: &str, default: &str) -> Result<Value, Error> {
    let found = found(snapshot, query, default)?;
    let total = found.len();
    let number = |name| number(query, name).map(|number| number.map(|number| number as usize));
    let (offset, limit) = (number("offset")?, number("limit")?);
    let is_part = offset.is_some() || limit.is_some();
    let offset = offset.unwrap_or(0);
    let limit = if is_part { limit.unwrap_or(LIMIT).clamp(1, LIMIT_MAX) } else { usize::MAX };
    let page: Vec<Value> =
        found.iter().skip(offset).take(limit).map(|one| model(&one.id, one.facts.as_ref())).collect();
    let end = offset.saturating_add(limit);
    let next = (end < total).then(|| format!("/api/v1/models?offset={end}&limit={limit}"));
    Ok(json!({ "data": page, "total_count": total, "links": { "next": next } }))
}

/// How many models there are.
///
/// # Errors
/// As of [`list`].
pub(super) fn count(snapshot: &Snapshot, query: &str) -> Result<Value, Error> {
    Ok(data(json!({ "count": found(snapshot, query, "text")?.len() })))
}

/// One model; any name that a request could use is found.
///
/// # Errors
/// `model_not_found`, naming near matches.
pub(super) fn one(snapshot: &Snapshot, id: &str) -> Result<Value, Error> {
    let id = decoded(id);
    let tree = snapshot.models.resolve(Some(&id), None)?;
    let targets = tree.targets();
    let facts =
        targets.first().and_then(|target| snapshot.pricing.facts(&target.choice.provider, &target.choice.model));
    Ok(data(model(&id, facts.as_ref())))
}

/// What goes into a model and comes out of it. What is not known is not listed.
pub(super) fn architecture(facts: Option<&Facts>) -> Value {
    let words = |all: gw_providers::catalog::models::Modalities| all.iter().map(word).collect::<Vec<_>>();
    let (input, output) = facts.map(|facts| (words(facts.model.input), words(facts.model.output))).unwrap_or_default();
    let modality = facts.map(|_| format!("{}->{}", input.join("+"), output.join("+")));
    json!({
        "modality": modality,
        "input_modalities": input,
        "output_modalities": output,
        "tokenizer": "Other",
        "instruct_type": null,
    })
}

/// What a model costs, in dollars for one of each, as texts.
pub(super) fn pricing(price: Option<&Price>) -> Value {
    let mut told = price.map(|price| rates(&price.rates)).unwrap_or_default();
    for name in ["prompt", "completion"] {
        if !told.contains_key(name) {
            told.insert(name.to_owned(), UNKNOWN_PRICE.into());
        }
    }
    let variants = price.map(|price| &*price.variants).unwrap_or_default();
    let long = variants.iter().filter(|one| one.above_tokens > 0 && one.tier.is_none() && one.windows.is_empty());
    let overrides: Vec<Value> = long
        .map(|variant| {
            let mut told = rates(&variant.rates);
            told.insert("min_prompt_tokens".to_owned(), variant.above_tokens.into());
            Value::Object(told)
        })
        .collect();
    if !overrides.is_empty() {
        told.insert("overrides".to_owned(), overrides.into());
    }
    Value::Object(told)
}

fn rates(rates: &gw_core::price::Rates) -> Map<String, Value> {
    let priced = |(dimension, name): &(Dimension, &str)| {
        rates.get(*dimension).map(|rate| ((*name).to_owned(), Value::from(rate.dollars_per_unit())))
    };
    facts::PRICES.iter().filter_map(priced).collect()
}

fn model(id: &str, facts: Option<&Facts>) -> Value {
    let (context, output) =
        facts.map_or((None, None), |facts| (facts.model.context_tokens, facts.model.output_tokens_max));
    json!({
        "id": id,
        "canonical_slug": id,
        "name": id,
        "created": crate::models::CREATED,
        "description": "",
        "context_length": context,
        "architecture": architecture(facts),
        "pricing": pricing(facts.and_then(|facts| facts.price.as_deref())),
        "top_provider": { "context_length": context, "max_completion_tokens": output, "is_moderated": false },
        "per_request_limits": null,
        "supported_parameters": facts.map(|facts| facts::parameters(&facts.model)).unwrap_or_default(),
        "default_parameters": null,
        "supported_voices": null,
        "expiration_date": facts.and_then(|facts| facts.model.deprecated.as_deref()),
        "links": { "details": format!("/api/v1/models/{id}/endpoints") },
    })
}

/// The models that pass the query's filters, in its order.
fn found(snapshot: &Snapshot, query: &str, default: &str) -> Result<Vec<Listed>, Error> {
    if let Some(name) = UNKNOWN_FILTERS.into_iter().find(|name| in_query(query, name).is_some()) {
        return Err(refused(format!("nothing is known here to filter models by `{name}`; leave it out")));
    }
    let parameters = words(query, "supported_parameters");
    if parameters.iter().any(|name| !facts::is_parameter(name)) {
        return Err(refused("`supported_parameters` names one that no model is known for; leave it out".to_owned()));
    }
    let outputs = Some(words(query, "output_modalities")).filter(|words| !words.is_empty());
    let outputs = outputs.unwrap_or_else(|| vec![default.to_owned()]);
    let inputs = words(query, "input_modalities");
    let providers = words(query, "providers");
    let search = in_query(query, "q").unwrap_or_default().to_lowercase();
    let context = number(query, "context")?;
    let prices = Prices::of(query)?;

    let wanted = |one: &Listed| {
        let facts = one.facts.as_ref();
        let makes =
            |word: &String| word == "all" || facts.map_or(word == "text", |facts| has(facts.model.output, word));
        let knows = |check: &dyn Fn(&Facts) -> bool| facts.is_some_and(check);
        outputs.iter().any(makes)
            && (inputs.is_empty() || knows(&|facts| inputs.iter().any(|word| has(facts.model.input, word))))
            && (parameters.is_empty() || knows(&|facts| takes(facts, &parameters)))
            && (providers.is_empty() || one.provider.as_ref().is_some_and(|name| providers.contains(name)))
            && one.id.to_lowercase().contains(&search)
            && context.is_none_or(|least| knows(&|facts| facts.model.context_tokens.is_some_and(|most| most >= least)))
            && prices.allow(facts)
    };
    let listed = snapshot.models.list().into_iter().map(|listed| {
        let facts = listed.target.as_ref().and_then(|(provider, name)| snapshot.pricing.facts(provider, name));
        Listed { id: listed.name, provider: listed.target.map(|(provider, _)| provider.name.to_string()), facts }
    });
    let mut found: Vec<Listed> = listed.filter(wanted).collect();
    sort(&mut found, in_query(query, "sort").as_deref())?;
    Ok(found)
}

fn takes(facts: &Facts, parameters: &[String]) -> bool {
    let known = facts::parameters(&facts.model);
    parameters.iter().all(|name| known.contains(&name.as_str()))
}

fn has(modalities: gw_providers::catalog::models::Modalities, wanted: &str) -> bool {
    modalities.iter().any(|one| word(one) == wanted)
}

/// OpenRouter's word for it.
fn word(modality: Modality) -> &'static str {
    match modality {
        Modality::Pdf => "file",
        Modality::Embedding => "embeddings",
        other => other.name(),
    }
}

/// Puts them in the order that is asked for; what is not known comes last.
fn sort(found: &mut [Listed], order: Option<&str>) -> Result<(), Error> {
    let price = |one: &Listed| {
        let rate = |dimension| one.facts.as_ref()?.price.as_ref()?.rates.get(dimension).map(|rate: Rate| rate.0);
        Some(rate(Dimension::Input)?.saturating_add(rate(Dimension::Output)?))
    };
    let context = |one: &Listed| one.facts.as_ref().and_then(|facts| facts.model.context_tokens);
    match order {
        None => {}
        Some("pricing-low-to-high") => found.sort_by_key(|one| (price(one).is_none(), price(one))),
        Some("pricing-high-to-low") => found.sort_by_key(|one| std::cmp::Reverse(price(one))),
        Some("context-high-to-low") => found.sort_by_key(|one| std::cmp::Reverse(context(one))),
        Some(_) => {
            let message = "`sort` can be pricing-low-to-high, pricing-high-to-low or context-high-to-low here";
            return Err(refused(message.to_owned()));
        }
    }
    Ok(())
}

/// Bounds of prices, in dollars for a million tokens.
struct Prices([(Dimension, Option<Rate>, Option<Rate>); 2]);

impl Prices {
    fn of(query: &str) -> Result<Self, Error> {
        let rate = |name: &str| match in_query(query, name) {
            Some(text) => Rate::per_million(&text).map(Some).map_err(|_| refused(format!("`{name}` must be a number"))),
            None => Ok(None),
        };
        Ok(Self([
            (Dimension::Input, rate("min_price")?, rate("max_price")?),
            (Dimension::Output, rate("min_output_price")?, rate("max_output_price")?),
        ]))
    }

    /// A price that is not known is in no bounds.
    fn allow(&self, facts: Option<&Facts>) -> bool {
        self.0.iter().filter(|(_, least, most)| least.is_some() || most.is_some()).all(|(dimension, least, most)| {
            let price = facts.and_then(|facts| facts.price.as_ref()?.rates.get(*dimension));
            price.is_some_and(|rate| least.is_none_or(|least| rate >= least) && most.is_none_or(|most| rate <= most))
        })
    }
}

fn words(query: &str, name: &str) -> Vec<String> {
    let value = in_query(query, name).unwrap_or_default();
    value.split(',').map(|word| word.trim().to_lowercase()).filter(|word| !word.is_empty()).collect()
}

fn number(query: &str, name: &str) -> Result<Option<u64>, Error> {
    let wrong = || refused(format!("`{name}` must be a whole number"));
    in_query(query, name).map(|text| text.parse().map_err(|_| wrong())).transpose()
}

fn refused(message: String) -> Error {
    Error::new(ErrorCode::InvalidRequest, message)
}
