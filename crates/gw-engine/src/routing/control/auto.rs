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
/// OpenRouter's two ways to say a trade-off.
const NUMBER: &str = "cost_quality_tradeoff";
const TIER: &str = "cost_tier";
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
    /// What every model has to keep to, and where that is said.
    bounds: Vec<(String, Bound)>,
    /// The trade-off, and where that is said.
    tradeoff: Option<(String, Tradeoff)>,
    tier_min: Option<Tier>,
    /// What was said and does nothing.
    idle: Vec<String>,
}

/// What leaves models out.
enum Bound {
    /// One of these has to match.
    Allowed(Vec<Glob>),
    /// None of these may.
    Excluded(Vec<Glob>),
    /// A million tokens of the prompt may cost no more.
    Price(Rate),
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
            asked.bounds.push(((*name).to_owned(), Bound::Allowed(patterns(name, parts.map(pattern))?)));
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
        let allowed = texts(&mut members, "allowed_models")?.map(Bound::Allowed);
        self.bounds.extend(allowed.map(|bound| (members.at("allowed_models"), bound)));
        let excluded = texts(&mut members, "excluded_models")?.map(Bound::Excluded);
        self.bounds.extend(excluded.map(|bound| (members.at("excluded_models"), bound)));
        if is_pareto {
            self.pareto(&mut members)?;
        } else {
            self.auto(&mut members)?;
            if members.flag("pin_model")? == Some(true) {
                self.idle.push(members.at("pin_model"));
            }
        }
        let mut rest = Wish::default();
        members.rest(&mut rest);
        self.idle.extend(rest.take_idle());
        Ok(())
    }

    /// How price and quality are weighed. `cost_tier` counts before `cost_quality_tradeoff`, as it does with OpenRouter.
    fn auto(&mut self, members: &mut Members) -> Result<(), Error> {
        let (number, tier) = (number(members)?, tier(members)?);
        self.weigh(members.at(NUMBER), number);
        self.weigh(members.at(TIER), tier);
        Ok(())
    }

    /// The newest word on this counts; the one before it did nothing.
    fn weigh(&mut self, place: String, tradeoff: Option<Tradeoff>) {
        if let Some(tradeoff) = tradeoff {
            self.idle.extend(self.tradeoff.replace((place, tradeoff)).map(|(before, _)| before));
        }
    }

    /// The cheapest model of a tier; or, with a price, the best below it.
    fn pareto(&mut self, members: &mut Members) -> Result<(), Error> {
        let score = members.number("min_coding_score")?;
        if score.is_some_and(|score| score > 1.0) {
            return Err(members.wrong("min_coding_score", "must be a number from 0 to 1"));
        }
        if let Some(price) = members.number("max_price")? {
            let rate = Rate::per_million(&price.to_string());
            let rate = rate.map_err(|_| members.wrong("max_price", "must be a number of dollars"))?;
            self.bounds.push((members.at("max_price"), Bound::Price(rate)));
            self.weigh(members.at("id"), Some(Tradeoff::MIN));
            self.idle.extend(score.map(|_| members.at("min_coding_score")));
            return Ok(());
        }
        self.weigh(members.at("id"), Some(Tradeoff::MAX));
        let score = score.unwrap_or(1.0);
        let tier = SCORES.into_iter().find(|(least, _)| score >= *least).map(|(_, tier)| tier);
        self.tier_min = self.tier_min.max(tier);
        Ok(())
    }
}

fn number(members: &mut Members) -> Result<Option<Tradeoff>, Error> {
    let Some(number) = members.number(NUMBER)? else { return Ok(None) };
    let whole = (0..=Tradeoff::MAX.number()).find(|whole| f64::from(*whole) == number);
    let found = whole.and_then(Tradeoff::new);
    found.map(Some).ok_or_else(|| members.wrong(NUMBER, "must be a whole number from 0 to 10"))
}

fn tier(members: &mut Members) -> Result<Option<Tradeoff>, Error> {
    let Some(tier) = members.text(TIER)? else { return Ok(None) };
    let found = COST_TIERS.into_iter().find(|(name, _)| **name == *tier);
    let found = found.and_then(|(_, number)| Tradeoff::new(number));
    found.map(Some).ok_or_else(|| members.wrong(TIER, "must be low, medium, high, xhigh or max"))
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
        let whole = node.clone();
        self.narrow_auto(&mut node, &asked);
        match node.targets().is_empty() {
            false => Ok(node),
            true => Err(self.left_none(&whole.targets(), &asked)),
        }
    }

    /// Which bound leaves no model: one that does so by itself, else the first that does behind those before it.
    fn left_none(&self, targets: &[&Target], asked: &Asked) -> Error {
        let keeps = |bounds: &[(String, Bound)]| {
            targets.iter().any(|target| bounds.iter().all(|(_, bound)| self.is_within(bound, target)))
        };
        if let Some((place, _)) = asked.bounds.iter().find(|bound| !keeps(std::slice::from_ref(bound))) {
            return wrong(place, "leaves none of the models that the route may choose from");
        }
        let mut bounds = asked.bounds.iter().enumerate();
        let last = bounds.find(|(index, _)| !keeps(asked.bounds.get(..=*index).unwrap_or_default()));
        let place = last.map_or(MODELS, |(_, (place, _))| place);
        wrong(place, "leaves none of the models that the route, and what the request says before it, allow")
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
        *auto = Auto::asked(*auto, asked.tradeoff.as_ref().map(|(_, tradeoff)| *tradeoff), asked.tier_min);
        let mut is_allowed = |target: &Target| asked.bounds.iter().all(|(_, bound)| self.is_within(bound, target));
        let kept = members.iter().filter_map(|member| {
            Some(Member { node: narrow::keep(&member.node, &mut is_allowed)?, weight: member.weight })
        });
        *members = kept.collect();
    }

    fn is_within(&self, bound: &Bound, target: &Target) -> bool {
        let is = |pattern: &Glob| matches_model(pattern, &target.choice.provider, &target.choice.model);
        match bound {
            Bound::Allowed(patterns) => patterns.iter().any(is),
            Bound::Excluded(patterns) => !patterns.iter().any(is),
            Bound::Price(limit) => self.costs_at_most(target, [(Dimension::Input, *limit)].iter()),
        }
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

    fn tradeoff(asked: &Asked) -> Option<Tradeoff> {
        asked.tradeoff.as_ref().map(|(_, tradeoff)| *tradeoff)
    }

    /// The bounds of names, in words.
    fn told(asked: &Asked) -> Vec<String> {
        let joined = |patterns: &[Glob]| patterns.iter().map(Glob::as_str).collect::<Vec<_>>().join(",");
        let told = |(place, bound): &(String, Bound)| match bound {
            Bound::Allowed(patterns) => format!("{place} {}", joined(patterns)),
            Bound::Excluded(patterns) => format!("{place} not {}", joined(patterns)),
            Bound::Price(_) => place.clone(),
        };
        asked.bounds.iter().map(told).collect()
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
        assert_eq!((tradeoff(&asked), asked.tier_min), (Tradeoff::new(3), None));
        let bounds = ["plugins[0].allowed_models anthropic/*", "plugins[0].excluded_models not *-mini"];
        assert_eq!(told(&asked), bounds);
        assert_eq!(asked.idle, ["plugins[0].pin_model", "plugins[0].new"]);
        let off = read(r#"[{"id":"auto-router","enabled":false,"allowed_models":["a"]}]"#).unwrap();
        assert!(off.bounds.is_empty());
    }

    #[test]
    fn of_two_trade_offs_the_one_that_does_not_count_is_told() {
        let tier = read(r#"[{"id":"auto-router","cost_quality_tradeoff":9,"cost_tier":"max"}]"#).unwrap();
        assert_eq!(tradeoff(&tier), Some(Tradeoff::MIN), "the tier counts before the number");
        assert_eq!(tier.idle, ["plugins[0].cost_quality_tradeoff"]);
        let two = r#"[{"id":"auto-router","cost_quality_tradeoff":9},{"id":"auto-router"},{"id":"pareto-router"}]"#;
        let two = read(two).unwrap();
        assert_eq!((tradeoff(&two), two.tier_min), (Some(Tradeoff::MAX), Some(Tier::Flagship)));
        assert_eq!(two.idle, ["plugins[0].cost_quality_tradeoff"]);
    }

    #[test]
    fn the_pareto_router_is_the_cheapest_of_a_tier_or_the_best_below_a_price() {
        let asked = |more: &str| read(&format!(r#"[{{"id":"pareto-router"{more}}}]"#)).unwrap();
        assert_eq!((tradeoff(&asked("")), asked("").tier_min), (Some(Tradeoff::MAX), Some(Tier::Flagship)));
        assert_eq!(asked(r#","min_coding_score":0.5"#).tier_min, Some(Tier::Standard));
        assert_eq!(asked(r#","min_coding_score":0.1"#).tier_min, Some(Tier::Small));
        let capped = asked(r#","max_price":5,"min_coding_score":0.9"#);
        assert!(matches!(capped.bounds[..], [(_, Bound::Price(limit))] if Rate::per_million("5") == Ok(limit)));
        assert_eq!((tradeoff(&capped), capped.tier_min), (Some(Tradeoff::MIN), None));
        assert_eq!(capped.idle, ["plugins[0].min_coding_score"], "the price says which are good enough");
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
        assert_eq!(told(&asked), ["cf-aig-allowed-models gpt-*,claude-*", "cf-aig-allowed-providers openai/*"]);
    }
}
