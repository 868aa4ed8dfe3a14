//! From what a request asks of its routing to a tree of targets.

use std::sync::Arc;
use std::time::Duration;

use gw_config::config;
use gw_config::secret::Secret;
use gw_core::{Error, ErrorCode};
use gw_dialects::DialectId;
use gw_policy::credentials::Offer;
use gw_policy::plan::{Group, Member, Node};
use gw_providers::catalog::ProviderType;

use super::arrange::{Offered, Said};
use super::guests::{Account, Guests, Places};
use super::online::Unable;
use super::wish::{Changes, Own, Wanted, Wish};
use super::{narrow, online};
use crate::models::{Choice, RouteTarget, Target, TargetSettings};
use crate::openrouter;
use crate::snapshot::{Credential, Provider, Snapshot};

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
    /// The format that the client speaks.
    pub(super) dialect: DialectId,
}

/// The targets of a request.
pub(super) struct Found {
    pub(super) node: Node<Target>,
    /// Whether OpenRouter is asked, which understands its own members: they go to it as they came.
    pub(super) is_openrouters: bool,
    /// What was said and does nothing at these targets.
    pub(super) idle: Vec<String>,
    /// Who is left out because it cannot search the web.
    pub(super) unable: Vec<Unable>,
}

impl Resolving<'_> {
    /// The tree of targets.
    ///
    /// # Errors
    /// What is wrong with what was asked; `model_not_found` if nobody is left.
    pub(super) fn resolve(&self) -> Result<Found, Error> {
        let wish = self.wish;
        let offered = match (&wish.tree, &wish.provider) {
            (Some(_), _) if !wish.byok.is_empty() => {
                let message = "`byok` goes with what a model's name stands for; give the targets an api_key instead";
                return Err(Error::new(ErrorCode::InvalidRequest, message));
            }
            (Some(tree), _) => {
                let offers = self.each(tree)?.map(&mut |target| Offer::shared(target.clone()));
                vec![Offered { offers, said: Said::default() }]
            }
            (None, Some(wanted)) => {
                let offers = self.offers(self.target(wanted), self.model_of(wanted))?;
                vec![Offered { offers, said: Said::default() }]
            }
            (None, None) => self.models()?,
        };
        let of_openrouter = |offer: &Offer<Target>| offer.targets().all(|it| openrouter::is(&it.choice.provider));
        let is_openrouters = wish.tree.is_none()
            && wish.provider.is_none()
            && offered.iter().all(|one| one.offers.targets().into_iter().all(of_openrouter));
        let unable = self.unable_to_search(&offered)?;
        let sorts: Vec<_> = offered.iter().filter_map(|one| one.said.sort).collect();
        let node = self.arranged(offered, is_openrouters)?;
        let mut idle = self.idle(&node, &sorts, is_openrouters);
        idle.extend(self.idle_of_auto(&node));
        Ok(Found { node, is_openrouters, idle, unable })
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
        let id = self.id_of(wanted);
        let model = self.model_of(wanted);
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

    /// The model that a target of the request's own is asked for.
    pub(super) fn model_of<'w>(&'w self, wanted: &'w Wanted) -> Option<&'w str> {
        let overridden = wanted.changes.override_params.get("model").and_then(|model| model.as_str());
        let of_id = self.id_of(wanted).and_then(|target| target.model.as_deref());
        wanted.model.as_deref().or(overridden).or(of_id).or(self.requested)
    }

    /// What the id of a target stands for, if one is named: its provider and its model.
    fn id_of(&self, wanted: &Wanted) -> Option<&RouteTarget> {
        wanted.provider.as_deref().filter(|_| wanted.own.is_none()).and_then(|id| self.snapshot.models.target(id))
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
        let entry = self.entry(provider).ok_or_else(unknown_provider)?;
        let model = model.ok_or_else(model_required)?;
        // `openai/gpt-4o` at OpenAI is `gpt-4o`.
        let of_type = |prefix: &str| models.catalog().get(prefix).is_some_and(|known| known.id == entry.id);
        let is_there = |(prefix, _): &(&str, &str)| *prefix == provider || of_type(prefix);
        let model = model.split_once('/').filter(is_there).map_or(model, |(_, model)| model);
        let account = Account { entry, house: self.house_for(provider, model), own };
        let provider = self.guests.provider(self.snapshot, self.places, account)?;
        let choice = Choice { provider, model: Arc::from(model), provider_named: true };
        Ok(Node::Target(Target { choice, settings: Arc::default() }))
    }

    /// The type of a provider, by the name of one or of the type.
    pub(super) fn entry(&self, provider: &str) -> Option<&'static ProviderType> {
        let models = &self.snapshot.models;
        let named = models.named(provider).into_iter().next().and_then(|index| models.providers().get(index));
        named.map(|provider| provider.entry).or_else(|| models.catalog().get(provider))
    }

    /// The operator's provider of this name or type that serves the model, else the first: a key for it goes where the
    /// operator has it.
    pub(super) fn house_for(&self, provider: &str, model: &str) -> Option<&config::Provider> {
        let models = &self.snapshot.models;
        let named = models.named(provider).into_iter().filter_map(|index| models.providers().get(index));
        let houses = &self.snapshot.from_requests.houses;
        let mut found: Vec<_> = named.filter_map(|one| Some((one, houses.get(&*one.known_as)?))).collect();
        found.sort_by_key(|(provider, _)| !provider.serves(model));
        found.first().map(|(_, house)| *house)
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
    fn models(&self) -> Result<Vec<Offered>, Error> {
        let overridden = self.wish.everywhere.override_params.get("model").and_then(|model| model.as_str());
        let mut names: Vec<&str> = Vec::new();
        for name in overridden.or(self.requested).into_iter().chain(self.wish.models.iter().map(|name| &**name)) {
            if !names.contains(&name) {
                names.push(name);
            }
        }
        if names.is_empty() {
            let node = self.snapshot.models.resolve(None, self.prefer).map(|node| self.changed(&node));
            let node = node.and_then(|node| self.narrowed_by_plugins(node));
            return Ok(vec![Offered { offers: self.offers(node, None)?, said: Said::default() }]);
        }
        let mut offered = Vec::with_capacity(names.len());
        let mut mistake = None;
        for name in names {
            let mut said = Said::default();
            let (node, name) = self.model(name, &mut said);
            let node = node.map(|node| self.changed(&node)).and_then(|node| self.narrowed_by_plugins(node));
            // Nobody serves it: the next may be served.
            match self.offers(node, Some(name)) {
                Ok(offers) => offered.push(Offered { offers: self.suffixed(offers, &said), said }),
                Err(error) => {
                    mistake.get_or_insert(error);
                }
            }
        }
        if offered.is_empty() { Err(mistake.unwrap_or_else(unknown_provider)) } else { Ok(offered) }
    }

    fn changed(&self, node: &Node<Target>) -> Node<Target> {
        node.map(&mut |target| self.with(target, &Changes::default(), None))
    }

    /// A target with what the request changes at it. What the operator says counts before it.
    pub(super) fn with(&self, target: &Target, changes: &Changes, wanted: Option<&Wanted>) -> Target {
        let everywhere = &self.wish.everywhere;
        let changes = changes.clone().within(everywhere);
        let (provider, fixed) = (&target.choice.provider, &target.settings);
        let mut override_params = changes.override_params;
        // It was taken for the choice.
        override_params.shift_remove("model");
        override_params.extend(fixed.override_params.clone());
        let mut search = fixed.search.clone();
        if let Some(wanted) = &self.wish.search {
            if openrouter::is(provider) {
                override_params.insert(online::PLUGINS.to_owned(), wanted.plugins.clone());
            } else {
                search = Some(Arc::clone(&wanted.tool));
            }
        }
        let usual = fixed.retry.as_ref().unwrap_or(&provider.retry);
        let retry = changes.retry.map(|retry| retry.over(usual)).or_else(|| fixed.retry.clone());
        let asked = shorter(changes.first_byte_timeout, everywhere.first_byte_timeout);
        let asked = asked.map(|asked| asked.min(provider.first_byte.unwrap_or(provider.total_timeout)));
        let settings = TargetSettings {
            route: fixed.route.clone(),
            stands_in: target.settings.stands_in,
            override_params,
            retry,
            first_byte_timeout: shorter(asked, fixed.first_byte_timeout),
            option: wanted.map(|wanted| Arc::from(&*wanted.option)).or_else(|| fixed.option.clone()),
            default_params: changes.default_params,
            tier: fixed.tier,
            breaker: wanted.and_then(|wanted| wanted.breaker.clone()),
            search,
            judged: fixed.judged,
        };
        Target { choice: target.choice.clone(), settings: Arc::new(settings) }
    }

    /// Whether a target's provider has this name or type. What stands behind a slash says which of its endpoints is
    /// meant, which is not known here.
    pub(super) fn is(&self, reference: &str, target: &Target) -> bool {
        let provider: &Provider = &target.choice.provider;
        let bare = reference.split_once('/').map_or(reference, |(bare, _)| bare);
        let is_type =
            |name: &str| self.snapshot.models.catalog().get(name).is_some_and(|known| known.id == provider.entry.id);
        [&provider.known_as, &provider.name].iter().any(|name| ***name == *reference)
            || is_type(bare)
            || is_type(&bare.to_ascii_lowercase())
    }
}

fn shorter(one: Option<Duration>, other: Option<Duration>) -> Option<Duration> {
    one.into_iter().chain(other).min()
}

fn model_required() -> Error {
    Error::new(ErrorCode::ModelRequired, "neither the request nor its target names a model").with_param("model")
}

pub(super) fn unknown_provider() -> Error {
    let message = "the provider that the request names is not configured here; bring a key for it, or name another";
    Error::new(ErrorCode::ModelNotFound, message)
}
