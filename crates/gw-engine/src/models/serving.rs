//! Who serves a model by its name alone, in which order; and who stands in where nobody of them can.

use std::sync::Arc;

use gw_config::config::StandIns;
use gw_policy::balance::Balance;
use gw_policy::plan::{Group, Member, Node, Strategy};
use gw_providers::catalog::{Kind, ProviderType};

use super::{Choice, Models, ProviderIndex, Target, TargetSettings, by_priority, endings, grouped, openrouter};
use crate::snapshot::Provider;

/// How sure it is that a provider serves a model; the surest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Claim {
    /// Its own list has it.
    Listed,
    /// It has no list, and the catalogue knows the model there: as the likeliest but so many.
    Known(usize),
    /// It has no list, its models are deployments, and the operator has put it in an order with their makers.
    Deployed,
}

impl Models {
    /// Who serves a model of this name: by priority, then those who list it, then those whom the catalogue knows for it.
    pub(super) fn serving(&self, name: &str) -> Vec<ProviderIndex> {
        let owners = self.catalog.known_model(name);
        let claims = self.providers.iter().enumerate();
        let mut claims: Vec<_> = claims
            .filter_map(|(index, provider)| Some((provider.priority, self.claim(provider, name, &owners)?, index)))
            .collect();
        claims.sort_unstable();
        claims.into_iter().map(|(_, _, index)| index).collect()
    }

    fn claim(&self, provider: &Provider, name: &str, owners: &[&ProviderType]) -> Option<Claim> {
        if !provider.models.is_empty() {
            return provider.models.iter().any(|listed| **listed == *name).then_some(Claim::Listed);
        }
        if endings::is_unknown(provider, name) {
            return None;
        }
        let known = |id: &str| owners.iter().position(|owner| owner.id == id);
        if let Some(at) = known(&provider.entry.id) {
            return Some(Claim::Known(at));
        }
        let deployed = provider.entry.models.deployed.as_deref();
        (self.is_ranked(provider) && deployed.is_some_and(|maker| known(maker).is_some())).then_some(Claim::Deployed)
    }

    /// Who may serve a model that nobody is known to serve: routers, for the names of others' models. A name that is
    /// written wrong goes to nobody.
    pub(super) fn perhaps_serving(&self, name: &str) -> Vec<ProviderIndex> {
        let is_router = |provider: &Provider| {
            name.contains('/') && openrouter::is(provider) && provider.is_usable() && provider.models.is_empty()
        };
        by_priority(&self.providers, (0..self.providers.len()).filter(|index| is_router(&self.providers[*index])))
    }

    /// Whether nothing but a model's name stands for it: it is no route, and no rule was asked.
    pub(crate) fn is_plain(&self, name: &str) -> bool {
        self.choosing.is_written && self.route(name).is_none()
    }

    /// Why a provider is not asked for a model by its name alone; `None` if it is, or is for trying things out.
    pub(crate) fn why_not(&self, provider: &Provider, name: &str) -> Option<&'static str> {
        let owners = self.catalog.known_model(name);
        if provider.entry.kind == Kind::Sandbox || self.claim(provider, name, &owners).is_some() {
            return None;
        }
        Some(match (provider.models.is_empty(), provider.entry.models.deployed.is_some()) {
            (false, _) => "its list of models does not have it",
            (true, true) => {
                "it is not known whether it is deployed there: list it in its models, or write its priority"
            }
            (true, false) => "it is not known to serve the model: list it in its models",
        })
    }

    /// The names of models that a provider is asked for, as far as they are known.
    pub(crate) fn names_at<'p>(&self, provider: &'p Provider) -> Vec<&'p str> {
        if !provider.models.is_empty() {
            return provider.models.iter().map(|model| &**model).collect();
        }
        provider.known_models()
    }

    /// Whether there is a model that both serve by its name.
    pub(crate) fn share_a_model(&self, one: &Provider, other: &Provider) -> bool {
        let both = |name: &&str| {
            let owners = self.catalog.known_model(name);
            [one, other].iter().all(|provider| self.claim(provider, name, &owners).is_some())
        };
        let names = self.names_at(one).into_iter().chain(self.names_at(other));
        let take_any = [one, other].iter().all(|provider| self.names_at(provider).is_empty());
        take_any || names.into_iter().any(|name| both(&name))
    }

    /// Whether somebody else serves a model by its name.
    pub(crate) fn is_served_besides(&self, provider: &Provider, name: &str) -> bool {
        let others = self.serving(name).into_iter().filter_map(|index| self.providers.get(index));
        others.into_iter().any(|other| other.name != provider.name)
    }

    /// Whether the operator has put a provider in an order of fallbacks.
    pub(super) fn is_ranked(&self, provider: &Provider) -> bool {
        provider.has_priority && self.choosing.strategy == Balance::Priority
    }

    /// Providers that do not serve a model and are asked for another one, where everybody else fails: those whose priority
    /// comes after the first of `serving`.
    pub(crate) fn stand_ins<'a>(&'a self, serving: &'a [&Provider]) -> impl Iterator<Item = &'a Arc<Provider>> {
        let first = serving.iter().map(|provider| provider.priority).min();
        let may = move |provider: &Provider| {
            self.choosing.stand_ins != StandIns::Never
                && self.is_ranked(provider)
                && provider.is_usable()
                && first.is_some_and(|first| first < provider.priority)
                && !provider.models.is_empty()
                && !serving.iter().any(|one| one.name == provider.name)
        };
        let ranked = by_priority(&self.providers, 0..self.providers.len());
        ranked.into_iter().filter_map(|index| self.providers.get(index)).filter(move |provider| may(provider))
    }

    /// Puts those who stand in behind what a model's name stands for. Nobody stands in where a route, or the request, says
    /// whom to ask.
    pub(super) fn with_stand_ins(&self, name: &str, node: Node<Target>) -> Node<Target> {
        if self.choosing.stand_ins == StandIns::Never || self.route(name).is_some() {
            return node;
        }
        let targets = node.targets();
        if targets.iter().any(|target| target.choice.provider_named) {
            return node;
        }
        let serving: Vec<&Provider> = targets.iter().map(|target| &*target.choice.provider).collect();
        let settings = Arc::new(TargetSettings { stands_in: true, ..TargetSettings::default() });
        let stand_in = |provider: &Arc<Provider>| {
            let choice = Choice {
                provider: Arc::clone(provider),
                model: Arc::clone(provider.models.first()?),
                provider_named: false,
            };
            Some(Node::Target(Target { choice, settings: Arc::clone(&settings) }))
        };
        let others: Vec<_> = self.stand_ins(&serving).filter_map(stand_in).collect();
        if others.is_empty() {
            return node;
        }
        match node {
            Node::Group(Group {
                id,
                strategy: strategy @ Strategy::Balance(Balance::Priority),
                mut members,
                fallback,
            }) => {
                members.extend(others.into_iter().map(|node| Member { node, weight: 1.0 }));
                Node::Group(Group { id, strategy, members, fallback })
            }
            node => grouped(std::iter::once(node).chain(others).collect(), Balance::Priority, &self.choosing.fallback),
        }
    }
}
