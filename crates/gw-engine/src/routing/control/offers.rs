//! What can be offered to a request that brings keys of its own: wherever its model leads, who is asked with which of
//! them, and whether the house's credential may follow.

use std::sync::Arc;

use gw_core::Error;
use gw_policy::credentials::Offer;
use gw_policy::plan::Node;

use super::guests::Account;
use super::narrow;
use super::resolve::{Resolving, unknown_provider};
use super::wish::{Byok, Changes};
use crate::models::{self, Choice, Target, TargetSettings};
use crate::snapshot::{Credential, Provider};

impl Resolving<'_> {
    /// The offers of what a model's name stands for at the house, and of providers that serve it for the caller alone.
    ///
    /// # Errors
    /// What is wrong with a key; why the house does not serve the model, if nobody else does.
    pub(super) fn offers(
        &self,
        found: Result<Node<Target>, Error>,
        name: Option<&str>,
    ) -> Result<Node<Offer<Target>>, Error> {
        let mut wrong = None;
        let house = found.as_ref().ok().map(|node| {
            node.map(&mut |target| {
                self.offer(target).unwrap_or_else(|error| {
                    wrong.get_or_insert(error);
                    Offer::shared(target.clone())
                })
            })
        });
        if let Some(error) = wrong {
            return Err(error);
        }
        let elsewhere = match (name, &found) {
            (Some(name), found) if !self.is_fixed(name, found.as_ref().ok()) => self.elsewhere(name, house.as_ref())?,
            _ => Vec::new(),
        };
        let all = house.into_iter().chain(elsewhere.into_iter().map(Node::Target)).collect();
        let offers = Node::in_order(all, self.snapshot.models.fallback());
        let offers = offers.filter(|offers| offers.targets().iter().any(|offer| offer.targets().next().is_some()));
        offers.ok_or_else(|| match found {
            Ok(node) => nobody_pays(&node),
            Err(error) => error,
        })
    }

    /// Whether the operator has decided where this goes, so that no other provider is added.
    fn is_fixed(&self, name: &str, found: Option<&Node<Target>>) -> bool {
        self.snapshot.models.is_route(name) || found.is_some_and(narrow::is_bound)
    }

    /// A target of the house, with each of the caller's keys for it.
    fn offer(&self, target: &Target) -> Result<Offer<Target>, Error> {
        let provider = &target.choice.provider;
        if provider.is_callers() {
            return Ok(Offer::shared(target.clone()));
        }
        let keys = self.wish.byok.iter().filter(|key| self.is_for(key, provider));
        let house = self.snapshot.from_requests.houses.get(&*provider.known_as);
        let own = keys.map(|key| {
            let account = Account { entry: provider.entry, house, own: &key.own };
            self.keyed(key, account, target.choice.model.clone(), &target.settings)
        });
        let own = own.collect::<Result<Vec<_>, Error>>()?;
        // The key that a client presents to us is not meant for providers where it brings others for them.
        let has_none = provider.credential == Credential::Missing && !self.wish.byok.is_empty();
        Ok(Offer { own, shared: Some(target.clone()).filter(|_| !has_none) })
    }

    /// Providers that serve a model for the caller's keys, and not for the house.
    fn elsewhere(&self, name: &str, house: Option<&Node<Offer<Target>>>) -> Result<Vec<Offer<Target>>, Error> {
        let mut found: Vec<(&str, Offer<Target>)> = Vec::new();
        let is_there = |key: &Byok| {
            let targets = house.map(Node::targets).unwrap_or_default();
            targets.iter().any(|offer| offer.targets().any(|target| self.is_for(key, &target.choice.provider)))
        };
        for key in self.wish.byok.iter().filter(|key| !is_there(key) && self.is_wanted(key)) {
            let Some(entry) = self.entry(&key.provider) else { continue };
            let Some(model) = self.known_there(key, entry.id.as_str(), name) else { continue };
            let account = Account { entry, house: self.house_for(&key.provider, &model), own: &key.own };
            let target = self.keyed(key, account, model, &Arc::default())?;
            let target = self.with(&target, &Changes::default(), None);
            match found.iter_mut().find(|(provider, _)| *provider == &*key.provider) {
                Some((_, offer)) => offer.own.push(target),
                None => found.push((&key.provider, Offer { own: vec![target], shared: None })),
            }
        }
        Ok(found.into_iter().map(|(_, offer)| offer).collect())
    }

    /// Whether a key is for a provider: for the one of its name, else for all of its type.
    fn is_for(&self, key: &Byok, provider: &Provider) -> bool {
        let models = &self.snapshot.models;
        let mut named = models.named(&key.provider).into_iter().filter_map(|index| models.providers().get(index));
        named.any(|one| one.name == provider.name)
    }

    /// Whether a key is for the provider that the request insists on, if it does.
    fn is_wanted(&self, key: &Byok) -> bool {
        let wanted = self.wish.provider.as_ref().and_then(|wanted| wanted.provider.as_deref());
        wanted.is_none_or(|wanted| {
            let id = |name: &str| self.entry(name).map(|entry| entry.id.as_str());
            wanted == &*key.provider || id(wanted) == id(&key.provider)
        })
    }

    /// What a model is called at a provider of this type, if it is known there.
    fn known_there(&self, key: &Byok, type_id: &str, name: &str) -> Option<Arc<str>> {
        let catalog = self.snapshot.models.catalog();
        if let Some(model) = key.model(name) {
            return Some(Arc::from(model));
        }
        let is_known = |model: &str| catalog.known_model(model).iter().any(|owner| owner.id == type_id);
        let (maker, model) = match name.split_once('/') {
            Some((maker, model)) if catalog.get(maker).is_some() || maker == &*key.provider => (Some(maker), model),
            _ => (None, name),
        };
        let is_its_own =
            maker.is_some_and(|maker| maker == &*key.provider || catalog.get(maker).is_some_and(|it| it.id == type_id));
        let spelled = models::spelled_at(type_id, model);
        (is_its_own || is_known(&spelled)).then(|| Arc::from(&*spelled))
    }

    /// A provider asked with a key of the caller's.
    fn keyed(
        &self,
        key: &Byok,
        account: Account<'_>,
        model: Arc<str>,
        settings: &Arc<TargetSettings>,
    ) -> Result<Target, Error> {
        let provider = self.guests.provider(self.snapshot, self.places, account)?;
        let mapped = self.requested.and_then(|asked| key.model(asked)).or_else(|| key.model(&model));
        let model = mapped.map_or(model, Arc::from);
        let choice = Choice { provider, model, provider_named: true };
        let timeouts = self
            .wish
            .byok_timeouts
            .iter()
            .filter(|(name, _)| self.entry(name).map(|it| &it.id) == Some(&account.entry.id));
        let usual = settings.first_byte_timeout.or(choice.provider.first_byte);
        let settings = TargetSettings {
            first_byte_timeout: timeouts.map(|(_, timeout)| *timeout).chain(usual).min(),
            option: Some(Arc::from(key.place.as_str())),
            ..TargetSettings::clone(settings)
        };
        Ok(Target { choice, settings: Arc::new(settings) })
    }
}

impl Byok {
    /// What a model is called in this account, where that is said.
    fn model(&self, name: &str) -> Option<&str> {
        self.models.iter().find(|(asked, _)| **asked == *name).map(|(_, model)| &**model)
    }
}

/// The house serves the model, and has no credential for it.
fn nobody_pays(node: &Node<Target>) -> Error {
    node.targets().first().map_or_else(unknown_provider, |target| models::missing_credential(&target.choice.provider))
}
