//! What the name of a model stands for.
//!
//! A name is, in this order: a route or alias of the configuration; a model that a provider's `models` lists (so that
//! `deepseek/deepseek-chat` listed at an aggregator is found as it stands); `provider/model`, where the provider is
//! found by name and then by type; a model that the catalogue knows.

use std::collections::HashMap;
use std::sync::Arc;

use gw_core::{Error, ErrorCode};
use gw_providers::catalog::Catalog;

use crate::snapshot::{Credential, Provider};

/// How many near matches an unknown name is answered with.
const SUGGESTIONS: usize = 3;
/// How like a name must be to be suggested, from 0 to 1.
const LIKENESS_MIN: f64 = 0.72;

/// Numbers a provider of the snapshot.
type ProviderIndex = usize;

/// A route of the configuration, its provider found.
#[derive(Debug, Clone)]
pub struct Route {
    /// The providers it may go to, first choice first; found by the model's name if empty.
    pub providers: Vec<ProviderIndex>,
    /// The model's name there; the client's own if `None`.
    pub model: Option<Arc<str>>,
}

/// Which provider a request goes to, and under which model name.
#[derive(Clone)]
pub struct Choice {
    /// The provider.
    pub provider: Arc<Provider>,
    /// The model's name there.
    pub model: Arc<str>,
    /// Whether the request or the configuration named the provider, rather than the model's name alone finding it.
    pub provider_named: bool,
}

/// A name that a client may use.
pub struct Listed {
    /// The name.
    pub name: String,
    /// The type of the provider that serves it.
    pub owner: Arc<str>,
    /// The provider, and the model's name there, where one is known beforehand.
    pub target: Option<(Arc<Provider>, String)>,
}

/// What the names of models stand for.
pub struct Models {
    providers: Vec<Arc<Provider>>,
    by_name: HashMap<Arc<str>, ProviderIndex>,
    routes: HashMap<Box<str>, Route>,
    listed: HashMap<Arc<str>, Vec<ProviderIndex>>,
    default_route: Option<Box<str>>,
    default_overrides: bool,
    catalog: &'static Catalog,
}

/// The routes of a configuration.
#[derive(Default)]
pub struct Routes {
    /// By name.
    pub by_name: HashMap<Box<str>, Route>,
    /// The route of requests that name no model.
    pub default: Option<Box<str>>,
    /// Whether the default route takes those that do, too.
    pub default_overrides: bool,
}

impl Models {
    /// The models of these providers, without routes. Providers are ordered by priority, then as configured.
    pub fn new(providers: Vec<Arc<Provider>>, catalog: &'static Catalog) -> Self {
        let by_name = providers.iter().enumerate().map(|(index, one)| (Arc::clone(&one.name), index)).collect();
        let mut listed: HashMap<Arc<str>, Vec<ProviderIndex>> = HashMap::new();
        for index in by_priority(&providers, 0..providers.len()) {
            for model in &providers[index].models {
                listed.entry(Arc::clone(model)).or_default().push(index);
            }
        }
        Self {
            by_name,
            listed,
            routes: HashMap::new(),
            default_route: None,
            default_overrides: false,
            providers,
            catalog,
        }
    }

    /// The same models, with routes.
    #[must_use]
    pub fn with_routes(self, routes: Routes) -> Self {
        Self {
            routes: routes.by_name,
            default_route: routes.default,
            default_overrides: routes.default_overrides,
            ..self
        }
    }

    /// The providers, as configured.
    pub fn providers(&self) -> &[Arc<Provider>] {
        &self.providers
    }

    /// The provider and model that a request goes to. `prefer` is a provider's name or type: it is taken if it serves
    /// the model, and otherwise not insisted on.
    ///
    /// # Errors
    /// `model_required` if the request names none and the configuration supplies none; `model_not_found` if nobody
    /// serves it, naming near matches; `provider_credential_missing` if who serves it has no credential.
    pub fn resolve(&self, requested: Option<&str>, prefer: Option<&str>) -> Result<Choice, Error> {
        let name = match (requested, self.default_route.as_deref()) {
            (_, Some(default)) if self.default_overrides => default,
            (Some(name), _) => name,
            (None, Some(default)) => default,
            (None, None) => {
                let message = "the request names no model; set \"model\", or configure a default_model";
                return Err(Error::new(ErrorCode::ModelRequired, message).with_param("model"));
            }
        };
        if let Some(route) = self.routes.get(name) {
            let model = route.model.as_deref().or(requested).unwrap_or(name);
            if route.providers.is_empty() {
                return self.find(model, prefer);
            }
            return self.pick(&route.providers, model, prefer, true);
        }
        self.find(name, prefer)
    }

    /// Every name that a client may use, as `GET /v1/models` lists them. Sorted.
    pub fn list(&self) -> Vec<Listed> {
        let mut names = Vec::new();
        for (name, route) in &self.routes {
            let first = route.providers.first().and_then(|index| self.providers.get(*index));
            let target =
                first.map(|provider| (Arc::clone(provider), route.model.as_deref().unwrap_or(name).to_owned()));
            let owner = first.map_or_else(|| Arc::from("gateway"), |provider| Arc::clone(&provider.type_id));
            names.push(Listed { name: name.to_string(), owner, target });
        }
        for provider in self.providers.iter().filter(|provider| provider.is_usable()) {
            let listed = |name: String, model: &str| Listed {
                name,
                owner: Arc::clone(&provider.type_id),
                target: Some((Arc::clone(provider), model.to_owned())),
            };
            names.extend(provider.models.iter().map(|model| listed(model.to_string(), model)));
            if provider.models.is_empty() {
                let known = provider.known_models().into_iter();
                names.extend(known.map(|model| listed(format!("{}/{model}", provider.name), model)));
            }
        }
        names.sort_by(|one, other| (&one.name, &one.owner).cmp(&(&other.name, &other.owner)));
        names.dedup_by(|second, first| second.name == first.name);
        names
    }

    fn find(&self, name: &str, prefer: Option<&str>) -> Result<Choice, Error> {
        if let Some(indices) = self.listed.get(name) {
            return self.pick(indices, name, prefer, false);
        }
        if let Some((provider, model)) = name.split_once('/')
            && !model.is_empty()
        {
            let named = self.named(provider);
            if !named.is_empty() {
                let serving: Vec<_> = named.into_iter().filter(|index| self.providers[*index].serves(model)).collect();
                return match serving.is_empty() {
                    false => self.pick(&serving, model, prefer, true),
                    true => Err(self.not_found(name)),
                };
            }
        }
        let owners = self.catalog.known_model(name);
        let candidates = (0..self.providers.len()).filter(|index| {
            let provider = &self.providers[*index];
            provider.models.is_empty() && owners.iter().any(|owner| owner.id == provider.entry.id)
        });
        // Of two with the same priority, the one more likely to have made the model comes first.
        let likeliest = |index: usize| owners.iter().position(|owner| owner.id == self.providers[index].entry.id);
        let mut candidates = by_priority(&self.providers, candidates);
        candidates.sort_by_key(|index| (self.providers[*index].priority, likeliest(*index)));
        if candidates.is_empty() {
            return Err(self.not_found(name));
        }
        self.pick(&candidates, name, prefer, false)
    }

    /// The providers that a reference means: the one of that name, else all of that type, by priority.
    pub fn named(&self, reference: &str) -> Vec<ProviderIndex> {
        if let Some(index) = self.by_name.get(reference) {
            return vec![*index];
        }
        let Some(entry) = self.catalog.get(reference) else {
            return Vec::new();
        };
        by_priority(
            &self.providers,
            (0..self.providers.len()).filter(|index| self.providers[*index].entry.id == entry.id),
        )
    }

    fn pick(
        &self,
        candidates: &[ProviderIndex],
        model: &str,
        prefer: Option<&str>,
        provider_named: bool,
    ) -> Result<Choice, Error> {
        let preferred = prefer.map(|reference| self.named(reference)).unwrap_or_default();
        let usable = |index: &&ProviderIndex| self.providers[**index].is_usable();
        let chosen = candidates
            .iter()
            .filter(usable)
            .find(|index| preferred.contains(index))
            .or_else(|| candidates.iter().find(usable))
            .or_else(|| candidates.first());
        let Some(provider) = chosen.and_then(|index| self.providers.get(*index)) else {
            return Err(self.not_found(model));
        };
        if provider.credential == Credential::Missing && !provider_named {
            return Err(missing_credential(provider));
        }
        Ok(Choice { provider: Arc::clone(provider), model: Arc::from(model), provider_named })
    }

    fn not_found(&self, name: &str) -> Error {
        let near = self.near(name);
        let shown: String = name.chars().take(100).flat_map(char::escape_default).collect();
        let mut message = format!("the model \"{shown}\" is not served by any configured provider");
        match near.as_slice() {
            [] => message.push_str("; GET /v1/models lists what is"),
            [one] => message.push_str(&format!("; did you mean \"{one}\"?")),
            [all @ .., last] => message.push_str(&format!("; did you mean \"{}\" or \"{last}\"?", all.join("\", \""))),
        }
        Error::new(ErrorCode::ModelNotFound, message).with_param("model")
    }

    fn near(&self, name: &str) -> Vec<String> {
        let bare = name.rsplit('/').next().unwrap_or(name).to_ascii_lowercase();
        let whole = name.to_ascii_lowercase();
        let likeness = |candidate: &str| {
            let candidate = candidate.to_ascii_lowercase();
            let tail = candidate.rsplit('/').next().unwrap_or(&candidate);
            strsim::jaro_winkler(&whole, &candidate).max(strsim::jaro_winkler(&bare, tail))
        };
        let mut near: Vec<_> = self
            .list()
            .into_iter()
            .map(|listed| (likeness(&listed.name), listed.name))
            .filter(|(likeness, _)| *likeness >= LIKENESS_MIN)
            .collect();
        near.sort_by(|one, other| other.0.total_cmp(&one.0).then_with(|| one.1.cmp(&other.1)));
        near.truncate(SUGGESTIONS);
        near.into_iter().map(|(_, candidate)| candidate).collect()
    }
}

/// What a provider without a credential is answered with.
pub fn missing_credential(provider: &Provider) -> Error {
    let hint = match provider.entry.credential_variables().first() {
        Some(variable) => format!("set {variable}, or configure its api_key"),
        None => "configure its api_key".to_owned(),
    };
    let message = format!("no credential is configured for provider \"{}\"; {hint}", provider.name);
    Error::new(ErrorCode::ProviderCredentialMissing, message)
}

fn by_priority(providers: &[Arc<Provider>], indices: impl Iterator<Item = ProviderIndex>) -> Vec<ProviderIndex> {
    let mut indices: Vec<_> = indices.collect();
    indices.sort_by_key(|index| (providers[*index].priority, *index));
    indices
}
