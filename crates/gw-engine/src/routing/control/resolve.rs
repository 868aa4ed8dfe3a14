//! From what a request asks of its routing to a tree of targets.

use std::sync::Arc;
use std::time::Duration;

use gw_config::secret::Secret;
use gw_core::{Dimension, Error, ErrorCode, Rate};
use gw_policy::balance::Balance;
use gw_policy::failure::{Class, Failures};
use gw_policy::plan::{Group, Member, Node};

use super::guests::{Guests, Places};
use super::wish::{Changes, Need, Own, Wanted, Wish};
use super::{SUFFIXES, narrow};
use crate::models::{Choice, Target, TargetSettings};
use crate::snapshot::{Credential, Provider, Snapshot};

/// The type that understands its own members itself.
const OPENROUTER: &str = "openrouter";
/// What is tried elsewhere where a request lists models: whatever one of them may do better (OpenRouter).
const OTHER_MODEL: Failures = Failures::ELSEWHERE.with(Class::ContextLength).with(Class::ContentFilter);

/// What a wish is resolved with.
pub(super) struct Resolving<'a> {
    pub(super) snapshot: &'a Snapshot,
    pub(super) guests: &'a Guests,
    pub(super) places: &'a Places,
    pub(super) requested: Option<&'a str>,
    pub(super) prefer: Option<&'a str>,
    /// The key that the client presented, if it is not one of ours.
    pub(super) foreign_key: Option<&'a str>,
    pub(super) wish: &'a Wish,
}

/// The targets of a request.
pub(super) struct Found {
    pub(super) node: Node<Target>,
    /// Whether OpenRouter is asked, which understands its own members: they go to it as they came.
    pub(super) is_openrouters: bool,
}

/// What a model's name says besides.
#[derive(Default)]
struct Said {
    sort: Option<Balance>,
    price_max: Vec<(Dimension, Rate)>,
}

impl Resolving<'_> {
    /// The tree of targets.
    ///
    /// # Errors
    /// What is wrong with what was asked; `model_not_found` if nobody is left.
    pub(super) fn resolve(&self) -> Result<Found, Error> {
        let mut said = Said::default();
        let node = match (&self.wish.tree, &self.wish.provider) {
            (Some(tree), _) => self.each(tree)?,
            (None, Some(wanted)) => self.target(wanted)?,
            (None, None) => {
                let node = self.models(&mut said)?;
                if node.targets().iter().all(|target| target.choice.provider.entry.id == OPENROUTER) {
                    return Ok(Found { node: self.changed(&node), is_openrouters: true });
                }
                self.changed(&node)
            }
        };
        self.narrowed(&node, &said).map(|node| Found { node, is_openrouters: false })
    }

    fn each(&self, node: &Node<Wanted>) -> Result<Node<Target>, Error> {
        let group = match node {
            Node::Target(wanted) => return self.target(wanted),
            Node::Group(group) => group,
        };
        let member = |member: &Member<Wanted>| Ok(Member { node: self.each(&member.node)?, weight: member.weight });
        let members = group.members.iter().map(member).collect::<Result<_, Error>>()?;
        Ok(Node::Group(Group {
            id: group.id,
            strategy: group.strategy.clone(),
            members,
            fallback: group.fallback.clone(),
        }))
    }

    /// What a target of the request's own stands for.
    fn target(&self, wanted: &Wanted) -> Result<Node<Target>, Error> {
        let models = &self.snapshot.models;
        let overridden = wanted.changes.override_params.get("model").and_then(|model| model.as_str());
        // An id of a target stands for its provider and its model.
        let id = wanted.provider.as_deref().filter(|_| wanted.own.is_none()).and_then(|id| models.target(id));
        let of_id = id.and_then(|target| target.model.as_deref());
        let model = wanted.model.as_deref().or(overridden).or(of_id).or(self.requested);
        let with = |target: &Target| self.with(target, &wanted.changes, Some(wanted));
        if let Some(target) = id {
            let model = model.ok_or_else(model_required)?;
            return Ok(models.at(target, model, self.prefer)?.map(&mut { with }));
        }
        if let Some(provider) = &wanted.kept {
            let model = Arc::from(self.model_at(provider, model.ok_or_else(model_required)?));
            let choice = Choice { provider: Arc::clone(provider), model, provider_named: true };
            return Ok(Node::Target(with(&Target { choice, settings: Arc::default() })));
        }
        let node = match (&wanted.provider, &wanted.own) {
            (Some(provider), Some(own)) if !self.is_for_house(provider, own) => self.own(provider, own, model)?,
            (None, Some(_)) => {
                return Err(Error::new(ErrorCode::InvalidRequest, "a target with an api_key needs a provider"));
            }
            (Some(provider), _) => self.house(provider, model)?,
            (None, None) => models.resolve(model, self.prefer)?,
        };
        Ok(node.map(&mut { with }))
    }

    /// A model's name without its provider's: `openai/gpt-4o` at OpenAI is `gpt-4o`.
    fn model_at<'m>(&self, provider: &Provider, model: &'m str) -> &'m str {
        let catalog = self.snapshot.models.catalog();
        let is_type = |prefix: &str| catalog.get(prefix).is_some_and(|known| known.id == provider.entry.id);
        model.split_once('/').filter(|(prefix, _)| is_type(prefix)).map_or(model, |(_, model)| model)
    }

    /// Whether a key is the presented one, for a provider that the operator has without a key or that needs none: it is
    /// asked as it would be without any routing.
    fn is_for_house(&self, provider: &str, own: &Own) -> bool {
        let is_presented = own.api_key.as_ref().is_some_and(|key| Some(key.expose()) == self.foreign_key);
        let models = &self.snapshot.models;
        let named = models.named(provider);
        let mut named = named.iter().filter_map(|index| models.providers().get(*index)).peekable();
        is_presented
            && own.host.is_none()
            && named.peek().is_some()
            && named.all(|provider| provider.credential != Credential::Configured)
    }

    /// The caller's own account at a provider.
    fn own(&self, provider: &str, own: &Own, model: Option<&str>) -> Result<Node<Target>, Error> {
        let models = &self.snapshot.models;
        let entry = models.catalog().get(provider).or_else(|| {
            let index = models.named(provider).into_iter().next()?;
            models.providers().get(index).map(|provider| provider.entry)
        });
        let entry = entry.ok_or_else(unknown_provider)?;
        let model = model.ok_or_else(|| {
            Error::new(ErrorCode::ModelRequired, "neither the request nor its target names a model").with_param("model")
        })?;
        // `openai/gpt-4o` at OpenAI is `gpt-4o`.
        let of_type = |prefix: &str| models.catalog().get(prefix).is_some_and(|known| known.id == entry.id);
        let model = model.split_once('/').filter(|(prefix, _)| of_type(prefix)).map_or(model, |(_, model)| model);
        let provider = self.guests.provider(self.snapshot, self.places, entry, own)?;
        let choice = Choice { provider, model: Arc::from(model), provider_named: true };
        Ok(Node::Target(Target { choice, settings: Arc::default() }))
    }

    /// The operator's provider of that name or type: of those that the model's name stands for, else as if the model's
    /// name began with it.
    fn house(&self, provider: &str, model: Option<&str>) -> Result<Node<Target>, Error> {
        let models = &self.snapshot.models;
        if models.named(provider).is_empty() {
            let key = self.foreign_key.ok_or_else(unknown_provider)?;
            let own = Own { api_key: Some(Secret::new(key.to_owned())), ..Own::default() };
            return self.own(provider, &own, model);
        }
        let found = models.resolve(model, self.prefer);
        let kept = found.as_ref().ok().and_then(|node| narrow::keep(node, &mut |target| self.is(provider, target)));
        match (kept, model) {
            (Some(kept), _) => Ok(kept),
            (None, Some(model)) => models.resolve(Some(&format!("{provider}/{model}")), None).and_then(|node| {
                // Where the operator fixes what every name stands for, it may be another provider all the same.
                narrow::keep(&node, &mut |target| self.is(provider, target)).ok_or_else(unknown_provider)
            }),
            (None, None) => Err(found.err().unwrap_or_else(unknown_provider)),
        }
    }

    /// What the model's name stands for, and the models after it.
    fn models(&self, said: &mut Said) -> Result<Node<Target>, Error> {
        let overridden = self.wish.everywhere.override_params.get("model").and_then(|model| model.as_str());
        let mut names = overridden.or(self.requested).into_iter().chain(self.wish.models.iter().map(|name| &**name));
        let Some(first) = names.next() else { return self.snapshot.models.resolve(None, self.prefer) };
        let mut seen = vec![first];
        let mut nodes = Vec::new();
        let mut mistake = None;
        match self.model(first, said) {
            Ok(node) => nodes.push(node),
            Err(error) => mistake = Some(error),
        }
        // The others are asked for in their order, not by what they cost.
        let sorted = |mut node: Node<Target>, said: &Said| {
            if !self.sorts_all() {
                self.sort(&mut node, said);
            }
            node
        };
        nodes = nodes.into_iter().map(|node| sorted(node, said)).collect();
        for name in names {
            if seen.contains(&name) {
                continue;
            }
            seen.push(name);
            // Nobody serves it: the next may be served.
            let mut said = Said::default();
            nodes.extend(self.model(name, &mut said).ok().map(|node| sorted(node, &said)));
        }
        narrow::in_order(nodes, &OTHER_MODEL).ok_or_else(|| mistake.unwrap_or_else(unknown_provider))
    }

    /// Whether all targets are ordered together, not those of each model.
    fn sorts_all(&self) -> bool {
        self.wish.models.is_empty() || self.wish.sorts_across_models
    }

    fn sort(&self, node: &mut Node<Target>, said: &Said) {
        if let Some(balance) = self.wish.sort.or(said.sort) {
            narrow::sort(node, balance, &|target: &Target| self.price(target));
        }
    }

    fn model(&self, name: &str, said: &mut Said) -> Result<Node<Target>, Error> {
        let models = &self.snapshot.models;
        let suffix = SUFFIXES.iter().find_map(|suffix| Some((*suffix, name.strip_suffix(suffix)?)));
        let Some((suffix, bare)) = suffix.filter(|_| !models.is_written(name)) else {
            return models.resolve(Some(name), self.prefer);
        };
        // A name that means something as it stands means that.
        let whole = models.resolve(Some(name), self.prefer);
        if let Ok(node) = &whole
            && (suffix == ":free" || node.targets().iter().all(|target| has_own_suffixes(&target.choice.provider)))
        {
            return whole;
        }
        match suffix {
            ":nitro" => said.sort = Some(Balance::Throughput),
            ":floor" => said.sort = Some(Balance::LeastCost),
            _ => said.price_max = vec![(Dimension::Input, Rate(0)), (Dimension::Output, Rate(0))],
        }
        models.resolve(Some(bare), self.prefer)
    }

    fn changed(&self, node: &Node<Target>) -> Node<Target> {
        node.map(&mut |target| self.with(target, &Changes::default(), None))
    }

    /// A target with what the request changes at it. What the operator says counts before it.
    fn with(&self, target: &Target, changes: &Changes, wanted: Option<&Wanted>) -> Target {
        let everywhere = &self.wish.everywhere;
        let changes = changes.clone().within(everywhere);
        let (provider, fixed) = (&target.choice.provider, &target.settings);
        let mut override_params = changes.override_params;
        // It was taken for the choice.
        override_params.shift_remove("model");
        override_params.extend(fixed.override_params.clone());
        let usual = fixed.retry.as_ref().unwrap_or(&provider.retry);
        let retry = changes.retry.map(|retry| retry.over(usual)).or_else(|| fixed.retry.clone());
        let asked = shorter(changes.first_byte_timeout, everywhere.first_byte_timeout);
        let asked = asked.map(|asked| asked.min(provider.timeouts.first_byte));
        let settings = TargetSettings {
            override_params,
            retry,
            first_byte_timeout: shorter(asked, fixed.first_byte_timeout),
            option: wanted.map(|wanted| Arc::from(&*wanted.option)),
            default_params: changes.default_params,
            breaker: wanted.and_then(|wanted| wanted.breaker.clone()),
        };
        Target { choice: target.choice.clone(), settings: Arc::new(settings) }
    }

    fn narrowed(&self, node: &Node<Target>, said: &Said) -> Result<Node<Target>, Error> {
        let wish = self.wish;
        let mut node = narrow::keep(node, &mut |target| self.may_be_asked(target, said)).ok_or_else(nobody_left)?;
        if self.sorts_all() {
            self.sort(&mut node, said);
        }
        if wish.order.is_empty() {
            if wish.no_fallbacks {
                narrow::first_only(&mut node);
            }
        } else {
            let wanted: Vec<&str> = wish.order.iter().map(|name| &**name).collect();
            let is_meant = |reference: &&str, target: &Target| self.is(reference, target);
            let fallback = self.snapshot.models.fallback();
            let ordered = narrow::order(&node, &wanted, is_meant, !wish.no_fallbacks, fallback);
            node = ordered.ok_or_else(nobody_left)?;
        }
        if wish.needs_parameters {
            also_on(&mut node, Class::Unsupported);
        }
        Ok(node)
    }

    fn may_be_asked(&self, target: &Target, said: &Said) -> bool {
        let wish = self.wish;
        let named = |list: &[Box<str>]| list.iter().any(|reference| self.is(reference, target));
        let provider = &target.choice.provider;
        // Of an account of its own the caller knows itself what it needs to know.
        let is_assured = |need: &Need| provider.is_callers() || need.is_met(&provider.assurances);
        wish.only.as_deref().is_none_or(named)
            && !named(&wish.ignore)
            && wish.needs.iter().all(is_assured)
            && self.costs_at_most(target, wish.price_max.iter().chain(&said.price_max))
    }

    fn costs_at_most<'r>(&self, target: &Target, mut limits: impl Iterator<Item = &'r (Dimension, Rate)>) -> bool {
        let price = self.snapshot.pricing.price(&target.choice.provider, &target.choice.model);
        // A price for each request, picture or second that is not listed is not charged; one for tokens is unknown.
        limits.all(|(dimension, limit)| match price.rates.get(*dimension) {
            Some(rate) => rate <= *limit,
            None => !matches!(dimension, Dimension::Input | Dimension::Output),
        })
    }

    /// What a million tokens of prompt and answer cost together.
    fn price(&self, target: &Target) -> Option<i64> {
        let price = self.snapshot.pricing.price(&target.choice.provider, &target.choice.model);
        let (input, output) = (price.rates.get(Dimension::Input)?, price.rates.get(Dimension::Output)?);
        input.0.checked_add(output.0)
    }

    /// Whether a target's provider has this name or type. What stands behind a slash says which of its endpoints is
    /// meant, which is not known here.
    fn is(&self, reference: &str, target: &Target) -> bool {
        let provider: &Provider = &target.choice.provider;
        let bare = reference.split_once('/').map_or(reference, |(bare, _)| bare);
        let is_type =
            |name: &str| self.snapshot.models.catalog().get(name).is_some_and(|known| known.id == provider.entry.id);
        *provider.name == *reference || is_type(bare) || is_type(&bare.to_ascii_lowercase())
    }
}

/// Whether a provider's own names of models may end as OpenRouter's do.
fn has_own_suffixes(provider: &Provider) -> bool {
    matches!(provider.entry.id.as_str(), OPENROUTER | "openai-compatible")
}

fn shorter(one: Option<Duration>, other: Option<Duration>) -> Option<Duration> {
    one.into_iter().chain(other).min()
}

/// Tries elsewhere after failures of a further kind.
fn also_on(node: &mut Node<Target>, class: Class) {
    if let Node::Group(group) = node {
        if group.fallback != Failures::NONE {
            group.fallback = std::mem::take(&mut group.fallback).with(class);
        }
        group.members.iter_mut().for_each(|member| also_on(&mut member.node, class));
    }
}

fn model_required() -> Error {
    Error::new(ErrorCode::ModelRequired, "neither the request nor its target names a model").with_param("model")
}

fn unknown_provider() -> Error {
    let message = "the provider that the request names is not configured here; bring a key for it, or name another";
    Error::new(ErrorCode::ModelNotFound, message)
}

fn nobody_left() -> Error {
    let message = "no provider that serves this model is left by what the request says of its routing: only, ignore, \
                   order, prices, and what a provider's operator has to assure (docs/routing-requests.md)";
    Error::new(ErrorCode::ModelNotFound, message)
}
