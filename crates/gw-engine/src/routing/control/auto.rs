//! What a request asks of a route that chooses models: OpenRouter's plugins `auto-router` and `pareto-router`, Cloudflare's
//! `cf-aig-allowed-models` and `cf-aig-allowed-providers`.
//!
//! It narrows what the operator allows, and may ask for more thrift. It is read only where such a route is asked: anywhere
//! else the plugins are OpenRouter's own.

use gw_core::{Dimension, Error, Rate};
use gw_policy::auto::{Auto, Tier, Tradeoff};
use gw_policy::glob::Glob;
use gw_policy::plan::{Group, Member, Node, Strategy};
use serde_json::Value;

use super::narrow;
use super::resolve::Resolving;
use super::value::{Members, wrong};
use super::wish::Wish;
use crate::models::Target;
use crate::snapshot::matches_model;

/// Cloudflare's list of models.
pub(super) const MODELS: &str = "cf-aig-allowed-models";
/// Cloudflare's list of providers.
pub(super) const PROVIDERS: &str = "cf-aig-allowed-providers";

/// The plugins.
const AUTO_ROUTERS: [&str; 2] = ["auto-router", "auto-beta-router"];
const PARETO_ROUTER: &str = "pareto-router";
/// OpenRouter's bound of a list of patterns, and of their letters together.
const PATTERNS_MAX: usize = 1_024;
const PATTERN_BYTES_MAX: usize = 64 << 10;
/// The scores of OpenRouter's pareto router from which a tier is meant.
const SCORES: [(f64, Tier); 3] = [(0.66, Tier::Flagship), (0.33, Tier::Standard), (0.0, Tier::Small)];
/// OpenRouter's bands of costs as trade-offs: roughly the middles of the bands, from the cheapest.
const COST_TIERS: [(&str, u8); 5] = [("low", 10), ("medium", 7), ("high", 5), ("xhigh", 3), ("max", 0)];

/// What was said, as it was said.
#[derive(Default)]
pub(crate) struct AutoWish {
    /// Plugins and where they stand.
    plugins: Vec<(String, Value)>,
    /// What headers allow: models, or providers.
    headers: Vec<(&'static str, Box<str>)>,
}

/// The same, understood.
#[derive(Default)]
struct Asked {
    /// Of each of these lists one pattern has to match.
    allowed: Vec<Vec<Glob>>,
    /// None of these may.
    excluded: Vec<Glob>,
    tradeoff: Option<Tradeoff>,
    tier_min: Option<Tier>,
    /// What a million tokens of the prompt may cost.
    price_max: Option<Rate>,
    /// What was said and does nothing.
    idle: Vec<String>,
}

impl AutoWish {
    /// Takes a plugin, if it chooses models; whether it does.
    pub(super) fn take_plugin(&mut self, id: &str, place: &str, plugin: &Value) -> bool {
        let chooses = AUTO_ROUTERS.contains(&id) || id == PARETO_ROUTER;
        if chooses {
            self.plugins.push((place.to_owned(), plugin.clone()));
        }
        chooses
    }

    /// A header that allows models or providers.
    pub(super) fn allow(&mut self, name: &'static str, value: &str) {
        self.headers.push((name, value.into()));
    }

    /// Whether a plugin was named.
    pub(super) fn has_plugins(&self) -> bool {
        !self.plugins.is_empty()
    }

    /// The headers that were said.
    pub(super) fn headers(&self) -> impl Iterator<Item = &'static str> {
        self.headers.iter().map(|(name, _)| *name)
    }

    fn is_empty(&self) -> bool {
        self.plugins.is_empty() && self.headers.is_empty()
    }

    fn read(&self) -> Result<Asked, Error> {
        let mut asked = Asked::default();
        for (name, value) in &self.headers {
            let parts = value.split(',').map(str::trim).filter(|part| !part.is_empty());
            let pattern = |part: &str| if *name == PROVIDERS { format!("{part}/*") } else { part.to_owned() };
            asked.allowed.push(patterns(name, parts.map(pattern))?);
        }
        for (place, plugin) in &self.plugins {
            asked.plugin(Members::of(plugin.clone(), place.as_str())?)?;
        }
        Ok(asked)
    }
}

impl Asked {
    fn plugin(&mut self, mut members: Members) -> Result<(), Error> {
        let is_pareto = members.text("id")?.as_deref() == Some(PARETO_ROUTER);
        if members.flag("enabled")? == Some(false) {
            return Ok(());
        }
        if let Some(list) = texts(&mut members, "allowed_models")? {
            self.allowed.push(list);
        }
        self.excluded.extend(texts(&mut members, "excluded_models")?.unwrap_or_default());
        if is_pareto {
            self.pareto(&mut members)?;
        } else {
            self.tradeoff = tradeoff(&mut members)?.or(self.tradeoff);
            if members.flag("pin_model")? == Some(true) {
                self.idle.push(members.at("pin_model"));
            }
        }
        let mut rest = Wish::default();
        members.rest(&mut rest);
        self.idle.extend(rest.take_idle());
        Ok(())
    }

    /// The cheapest model of a tier; or, with a price, the best below it.
    fn pareto(&mut self, members: &mut Members) -> Result<(), Error> {
        let score = members.number("min_coding_score")?;
        if score.is_some_and(|score| score > 1.0) {
            return Err(members.wrong("min_coding_score", "must be a number from 0 to 1"));
        }
        if let Some(price) = members.number("max_price")? {
            let rate = Rate::per_million(&price.to_string());
            self.price_max = Some(rate.map_err(|_| members.wrong("max_price", "must be a number of dollars"))?);
            self.tradeoff = Some(Tradeoff::MIN);
            return Ok(());
        }
        let score = score.unwrap_or(1.0);
        self.tier_min = SCORES.into_iter().find(|(least, _)| score >= *least).map(|(_, tier)| tier);
        self.tradeoff = Some(Tradeoff::MAX);
        Ok(())
    }
}

/// `cost_tier`, which counts before `cost_quality_tradeoff`.
fn tradeoff(members: &mut Members) -> Result<Option<Tradeoff>, Error> {
    let number = members.number("cost_quality_tradeoff")?;
    let tier = members.text("cost_tier")?;
    let number = match (tier, number) {
        (Some(tier), _) => {
            let found = COST_TIERS.into_iter().find(|(name, _)| **name == *tier).map(|(_, number)| number);
            Some(found.ok_or_else(|| members.wrong("cost_tier", "must be low, medium, high, xhigh or max"))?)
        }
        (None, Some(number)) => {
            let must = "must be a whole number from 0 to 10";
            let whole = (0..=Tradeoff::MAX.number()).find(|whole| f64::from(*whole) == number);
            Some(whole.ok_or_else(|| members.wrong("cost_quality_tradeoff", must))?)
        }
        (None, None) => None,
    };
    Ok(number.and_then(Tradeoff::new))
}

fn texts(members: &mut Members, name: &str) -> Result<Option<Vec<Glob>>, Error> {
    let place = members.at(name);
    match members.take(name) {
        None => Ok(None),
        Some(Value::Array(list)) => {
            let texts: Option<Vec<_>> = list.iter().map(|one| one.as_str().map(str::to_owned)).collect();
            let texts = texts.ok_or_else(|| wrong(&place, "must be a list of patterns of model names"))?;
            patterns(&place, texts.into_iter()).map(Some)
        }
        Some(_) => Err(wrong(&place, "must be a list of patterns of model names")),
    }
}

fn patterns(place: &str, texts: impl Iterator<Item = String>) -> Result<Vec<Glob>, Error> {
    let mut found = Vec::new();
    let mut bytes = 0;
    for text in texts {
        bytes += text.len();
        let pattern = Glob::new(&text).filter(|_| found.len() < PATTERNS_MAX && bytes <= PATTERN_BYTES_MAX);
        let must = "must be at most 1024 patterns of at most 1024 bytes, and 64 KiB in all";
        found.push(pattern.ok_or_else(|| wrong(place, must))?);
    }
    Ok(found)
}

impl Resolving<'_> {
    /// What a model's name stands for, with the models that the request allows where the route chooses them.
    ///
    /// # Errors
    /// A mistake in what was asked; that no model is left.
    pub(super) fn narrowed_by_plugins(&self, mut node: Node<Target>) -> Result<Node<Target>, Error> {
        if self.wish.auto.is_empty() || !node.is_auto() {
            return Ok(node);
        }
        let asked = self.wish.auto.read()?;
        self.narrow_auto(&mut node, &asked);
        match node.targets().is_empty() {
            false => Ok(node),
            true => {
                let place = self.wish.auto.plugins.first().map_or(MODELS, |(place, _)| place);
                Err(wrong(place, "leaves none of the models that the route may choose from"))
            }
        }
    }

    /// What was said of the choice of models and does nothing: nothing of it is read where none is chosen.
    pub(super) fn idle_of_auto(&self, node: &Node<Target>) -> Vec<String> {
        if node.is_auto() {
            return self.wish.auto.read().map(|asked| asked.idle).unwrap_or_default();
        }
        self.wish.auto.headers().map(str::to_owned).collect()
    }

    fn narrow_auto(&self, node: &mut Node<Target>, asked: &Asked) {
        let Node::Group(group) = node else { return };
        let Group { strategy: Strategy::Auto(auto), members, .. } = group else {
            group.members.iter_mut().for_each(|member| self.narrow_auto(&mut member.node, asked));
            return;
        };
        *auto = Auto::asked(*auto, asked.tradeoff, asked.tier_min);
        let mut is_allowed = |target: &Target| self.is_allowed(target, asked);
        let kept = members.iter().filter_map(|member| {
            Some(Member { node: narrow::keep(&member.node, &mut is_allowed)?, weight: member.weight })
        });
        *members = kept.collect();
    }

    fn is_allowed(&self, target: &Target, asked: &Asked) -> bool {
        let is = |pattern: &Glob| matches_model(pattern, &target.choice.provider, &target.choice.model);
        let limit = asked.price_max.map(|limit| (Dimension::Input, limit));
        asked.allowed.iter().all(|list| list.iter().any(is))
            && !asked.excluded.iter().any(is)
            && self.costs_at_most(target, limit.iter())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(plugins: &str) -> Result<Asked, Error> {
        let mut wish = AutoWish::default();
        let plugins: Vec<Value> = serde_json::from_str(plugins).unwrap();
        for (index, plugin) in plugins.iter().enumerate() {
            let id = plugin["id"].as_str().unwrap();
            assert!(wish.take_plugin(id, &format!("plugins[{index}]"), plugin), "no other plugin");
        }
        wish.read()
    }

    fn mistake(plugins: &str) -> String {
        read(plugins).err().unwrap().message.into_owned()
    }

    #[test]
    fn the_plugin_is_read_in_openrouters_words() {
        let asked = read(
            r#"[{"id":"auto-router","enabled":true,"allowed_models":["anthropic/*"],"excluded_models":["*-mini"],
                 "cost_quality_tradeoff":3,"pin_model":true,"new":1}]"#,
        )
        .unwrap();
        assert_eq!((asked.tradeoff, asked.tier_min), (Tradeoff::new(3), None));
        assert!(asked.allowed[0][0].matches("anthropic/claude") && asked.excluded[0].matches("gpt-5-mini"));
        assert_eq!(asked.idle, ["plugins[0].pin_model", "plugins[0].new"]);
        let tier = read(r#"[{"id":"auto-router","cost_quality_tradeoff":9,"cost_tier":"max"}]"#).unwrap();
        assert_eq!(tier.tradeoff, Some(Tradeoff::MIN), "the tier counts before the number");
        assert!(read(r#"[{"id":"auto-router","enabled":false,"allowed_models":["a"]}]"#).unwrap().allowed.is_empty());
    }

    #[test]
    fn the_pareto_router_is_the_cheapest_of_a_tier_or_the_best_below_a_price() {
        let asked = |more: &str| read(&format!(r#"[{{"id":"pareto-router"{more}}}]"#)).unwrap();
        assert_eq!((asked("").tradeoff, asked("").tier_min), (Some(Tradeoff::MAX), Some(Tier::Flagship)));
        assert_eq!(asked(r#","min_coding_score":0.5"#).tier_min, Some(Tier::Standard));
        assert_eq!(asked(r#","min_coding_score":0.1"#).tier_min, Some(Tier::Small));
        let capped = asked(r#","max_price":5,"min_coding_score":0.9"#);
        assert_eq!((capped.price_max, capped.tier_min), (Rate::per_million("5").ok(), None));
        assert_eq!(capped.tradeoff, Some(Tradeoff::MIN));
    }

    #[test]
    fn a_mistake_is_told_with_its_place() {
        for (plugins, place) in [
            (r#"[{"id":"auto-router","allowed_models":"a"}]"#, "plugins[0].allowed_models"),
            (r#"[{"id":"auto-router","allowed_models":[1]}]"#, "plugins[0].allowed_models"),
            (r#"[{"id":"auto-router","excluded_models":[""]}]"#, "plugins[0].excluded_models"),
            (r#"[{"id":"auto-router","cost_quality_tradeoff":11}]"#, "plugins[0].cost_quality_tradeoff"),
            (r#"[{"id":"auto-router","cost_quality_tradeoff":2.5}]"#, "plugins[0].cost_quality_tradeoff"),
            (r#"[{"id":"auto-router","cost_tier":"free"}]"#, "plugins[0].cost_tier"),
            (r#"[{"id":"pareto-router","min_coding_score":2}]"#, "plugins[0].min_coding_score"),
        ] {
            assert!(mistake(plugins).contains(place), "{plugins}: {}", mistake(plugins));
        }
        let many = format!(r#"[{{"id":"auto-router","allowed_models":[{}"b"]}}]"#, "\"a\",".repeat(PATTERNS_MAX));
        assert!(mistake(&many).contains("at most 1024"));
    }

    #[test]
    fn headers_allow_models_and_providers() {
        let mut wish = AutoWish::default();
        wish.allow(MODELS, "gpt-*, claude-*");
        wish.allow(PROVIDERS, "openai");
        let asked = wish.read().unwrap();
        let all: Vec<Vec<_>> = asked.allowed.iter().map(|list| list.iter().map(Glob::as_str).collect()).collect();
        assert_eq!(all, [vec!["gpt-*", "claude-*"], vec!["openai/*"]]);
    }
}
