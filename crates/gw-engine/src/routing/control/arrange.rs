//! From the offers of each model to one tree of targets: who may be asked, who comes first, and whose credential.

use std::sync::Arc;

use gw_core::{Dimension, Error, ErrorCode, Rate};
use gw_policy::balance::Balance;
use gw_policy::credentials::Offer;
use gw_policy::failure::{Class, Failures};
use gw_policy::plan::Node;

use super::narrow;
use super::resolve::Resolving;
use super::wish::Byok;
use crate::models::{Choice, Target, TargetSettings};
use crate::openrouter;

/// What is tried elsewhere where a request lists models: whatever one of them may do better (OpenRouter).
const OTHER_MODEL: Failures = Failures::ELSEWHERE.with(Class::ContextLength).with(Class::ContentFilter);

/// Who can be asked for a model.
pub(super) struct Offered {
    pub(super) offers: Node<Offer<Target>>,
    pub(super) said: Said,
}

/// What a model's name says besides.
#[derive(Default)]
pub(super) struct Said {
    pub(super) sort: Option<Balance>,
    pub(super) price_max: Vec<(Dimension, Rate)>,
    /// Whether it asks for a search of the web.
    pub(super) searches: bool,
    /// All of it, as it was written (`:free:online`), where the name does not mean a model as it stands.
    pub(super) suffixes: Box<str>,
}

impl Resolving<'_> {
    /// One tree of the offers of all models. Where OpenRouter is asked, it narrows and orders itself.
    ///
    /// # Errors
    /// `model_not_found` if nobody is left.
    pub(super) fn arranged(&self, offered: Vec<Offered>, is_openrouters: bool) -> Result<Node<Target>, Error> {
        let wish = self.wish;
        let mut ordered: Vec<_> = match is_openrouters {
            true => offered.into_iter().map(|one| one.offers).collect(),
            false => self.narrowed(offered).into_iter().filter_map(|one| self.ordered(one)).collect(),
        };
        if wish.no_fallbacks {
            without_shared(&mut ordered);
        }
        let order = wish.credential_order.unwrap_or(self.snapshot.from_requests.routing.credential_order);
        let fallback = self.snapshot.models.fallback();
        let nodes: Vec<_> = ordered.iter().filter_map(|offers| order.arrange(offers, fallback)).collect();
        let several = nodes.len() > 1;
        let is_first_only = wish.no_fallbacks && wish.order.is_empty() && !is_openrouters;
        let between_models = if is_first_only { &Failures::NONE } else { &OTHER_MODEL };
        let mut node = Node::in_order(nodes, between_models).ok_or_else(nobody_left)?;
        if let Node::Group(group) = &mut node
            && several
        {
            // A model that is quick enough may come before one that was asked for first.
            narrow::prefer_in(group, &wish.preference);
        }
        if wish.needs_parameters {
            also_on(&mut node, Class::Unsupported);
        }
        Ok(node)
    }

    /// What may be offered to this request: of each model, or of all together where they are ordered together.
    fn narrowed(&self, offered: Vec<Offered>) -> Vec<Offered> {
        let narrowed = offered.into_iter().filter_map(|Offered { offers, said }| {
            let offers = offers.filter_map(&mut |offer| self.allowed(offer, &said).map(Node::Target))?;
            Some(Offered { offers, said })
        });
        let mut narrowed: Vec<_> = narrowed.collect();
        if !self.wish.sorts_across_models || narrowed.len() < 2 {
            return narrowed;
        }
        let said = narrowed.first_mut().map(|first| std::mem::take(&mut first.said)).unwrap_or_default();
        let all = Node::in_order(narrowed.into_iter().map(|one| one.offers).collect(), &OTHER_MODEL);
        all.map(|all| Offered { offers: narrow::flat(all, &OTHER_MODEL), said }).into_iter().collect()
    }

    /// What is left of an offer.
    fn allowed(&self, offer: &Offer<Target>, said: &Said) -> Option<Offer<Target>> {
        let is_assured = |target: &Target| self.wish.needs.is_empty() || self.is_assured(target);
        let may = |target: &Target| self.may_be_asked(target, said);
        // What stands there as a target with a key of its own the caller knows itself; of a key that is tried wherever it
        // fits, it has to be said.
        let with_own = |key: &&Target| may(key) && is_assured(key);
        let with_shared = |target: &Target| may(target) && (target.choice.provider.is_callers() || is_assured(target));
        let own: Vec<_> = offer.own.iter().filter(with_own).cloned().collect();
        let shared = offer.shared.clone().filter(with_shared);
        (shared.is_some() || !own.is_empty()).then_some(Offer { own, shared })
    }

    fn is_assured(&self, target: &Target) -> bool {
        let Choice { provider, model, .. } = &target.choice;
        let facts = self.snapshot.pricing.facts(provider, model);
        let model = facts.as_ref().map(|facts| &*facts.model);
        self.wish.needs.iter().all(|need| need.is_met(&provider.assurances, model))
    }

    fn may_be_asked(&self, target: &Target, said: &Said) -> bool {
        let wish = self.wish;
        let named = |list: &[Box<str>]| list.iter().any(|reference| self.is(reference, target));
        wish.only.as_deref().is_none_or(named)
            && !named(&wish.ignore)
            && self.why_no_search(target).is_none()
            && self.costs_at_most(target, wish.price_max.iter().chain(&said.price_max))
    }

    /// The offers of one model in the order in which their providers are asked; `None` if nobody is left.
    fn ordered(&self, Offered { mut offers, said }: Offered) -> Option<Node<Offer<Target>>> {
        let wish = self.wish;
        if let Some(balance) = wish.sort.or(said.sort) {
            let price = |offer: &Offer<Target>| offer.targets().next().and_then(|target| self.price(target));
            narrow::sort(&mut offers, balance, &price);
            if balance == Balance::Reliable {
                offers = offers.map(&mut judged);
            }
        }
        narrow::prefer(&mut offers, &wish.preference);
        if wish.order.is_empty() {
            if wish.no_fallbacks {
                narrow::first_only(&mut offers);
            }
            return Some(offers);
        }
        let wanted: Vec<&str> = wish.order.iter().map(|name| &**name).collect();
        let is_meant = |name: &&str, offer: &Offer<Target>| offer.targets().any(|target| self.is(name, target));
        narrow::order(&offers, &wanted, is_meant, !wish.no_fallbacks, self.snapshot.models.fallback())
    }

    pub(super) fn costs_at_most<'r>(
        &self,
        target: &Target,
        mut limits: impl Iterator<Item = &'r (Dimension, Rate)>,
    ) -> bool {
        let price = self.snapshot.pricing.price(&target.choice.provider, &target.choice.model);
        // OpenRouter's models of that name cost nothing; the catalogue does not list them.
        if openrouter::is(&target.choice.provider) && target.choice.model.contains(":free") {
            return true;
        }
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

    /// What was said and does nothing: keys that nobody here is asked with, and wishes where nothing is measured.
    pub(super) fn idle(&self, found: &Node<Target>, suffixes: &[Balance], is_openrouters: bool) -> Vec<String> {
        let wish = self.wish;
        let targets = found.targets();
        let is_asked_with =
            |key: &&Byok| targets.iter().any(|target| target.settings.option.as_deref() == Some(&*key.place));
        let (used, unused): (Vec<&Byok>, Vec<&Byok>) = wish.byok.iter().partition(is_asked_with);
        let has_key = |provider: &str| {
            let id = |name: &str| self.entry(name).map(|entry| &entry.id);
            used.iter().any(|key| *key.provider == *provider || id(&key.provider) == id(provider))
        };
        let timeouts = wish.byok_timeouts.iter().filter(|(provider, _)| !has_key(provider));
        let timeouts = timeouts.map(|(provider, _)| format!("providerTimeouts.byok.{provider}"));
        let is_measured =
            is_openrouters || targets.iter().any(|target| target.choice.provider.standing_rules.tracking.is_some());
        let unmeasured = [
            ("sort", wish.sort.is_some_and(Balance::measures)),
            (":nitro", wish.sort.is_none() && suffixes.contains(&Balance::Throughput)),
            (":exacto", wish.sort.is_none() && suffixes.contains(&Balance::Reliable)),
            ("preferred_max_latency", !wish.preference.latency_max.is_empty()),
            ("preferred_min_throughput", !wish.preference.tokens_per_second_min.is_empty()),
        ];
        let unmeasured = unmeasured.into_iter().filter(|(_, is_said)| *is_said && !is_measured);
        let keys = unused.into_iter().map(|key| key.place.clone());
        keys.chain(timeouts).chain(unmeasured.map(|(name, _)| name.to_owned())).collect()
    }
}

/// The offer, whose answers are to show whether calls of tools in them can be followed.
fn judged(offer: &Offer<Target>) -> Offer<Target> {
    let judged = |target: &Target| {
        let settings = TargetSettings { judged: true, ..TargetSettings::clone(&target.settings) };
        Target { choice: target.choice.clone(), settings: Arc::new(settings) }
    };
    Offer { own: offer.own.iter().map(judged).collect(), shared: offer.shared.as_ref().map(judged) }
}

/// The offers without the house's credentials, where the caller brings any: it does not want to be answered otherwise.
fn without_shared(offered: &mut Vec<Node<Offer<Target>>>) {
    let has_own = |offers: &Node<Offer<Target>>| offers.targets().iter().any(|offer| !offer.own.is_empty());
    if !offered.iter().any(has_own) {
        return;
    }
    let mut own = |offer: &Offer<Target>| {
        let own = Offer { own: offer.own.clone(), shared: None };
        (!own.own.is_empty()).then_some(Node::Target(own))
    };
    *offered = offered.iter().filter_map(|offers| offers.filter_map(&mut own)).collect();
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

fn nobody_left() -> Error {
    let message = "no provider that serves this model is left by what the request says of its routing: only, ignore, \
                   order, prices, and what a provider's operator has to assure (docs/routing-requests.md)";
    Error::new(ErrorCode::ModelNotFound, message)
}
