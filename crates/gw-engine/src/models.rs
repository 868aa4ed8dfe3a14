//! What the name of a model stands for.
//!
//! A name is, in this order: a route (or a version of one) or an alias of the configuration; a model that a provider's `models` lists (so that
//! `deepseek/deepseek-chat` listed at an aggregator is found as it stands); `provider/model`, where the provider is
//! found by name and then by type; a model that the catalogue knows; and if it has a slash, one that OpenRouter may know,
//! where that is configured.
//!
//! It stands for a tree of targets. Most trees are one target; where several providers serve a model, they are a group
//! that is tried as `routing` says.

mod endings;
mod references;
mod serving;
pub(crate) mod spellings;
mod versions;

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use gw_config::config::StandIns;
use gw_core::{Error, ErrorCode};
use gw_policy::balance::Balance;
use gw_policy::condition::Query;
use gw_policy::failure::Failures;
use gw_policy::plan::{Group, Member, Node, Strategy};
use gw_providers::catalog::Catalog;
use gw_providers::catalog::models::ProviderModels;

pub use self::versions::{Draft, Versions};
use crate::openrouter;
use crate::routing::target;
pub use crate::routing::target::{Choice, Target, TargetSettings};
use crate::snapshot::Provider;

/// How many near matches an unknown name is answered with.
const SUGGESTIONS: usize = 3;
/// How like a name must be to be suggested, from 0 to 1.
const LIKENESS_MIN: f64 = 0.72;

/// Numbers a provider of the snapshot.
pub type ProviderIndex = usize;

/// A target of the configuration, its provider found.
#[derive(Debug, Clone)]
pub struct RouteTarget {
    /// The providers it may go to, first choice first; found by the model's name if empty.
    pub providers: Vec<ProviderIndex>,
    /// The model's name there; the client's own if `None`.
    pub model: Option<Arc<str>>,
    /// What is particular to it.
    pub settings: Arc<TargetSettings>,
}

/// A rule of the configuration, its providers found.
#[derive(Debug, Clone)]
pub struct Rule {
    /// The requests.
    pub condition: Query,
    /// Where they go, the first choice first; whoever serves `model` if empty.
    pub targets: Vec<RouteTarget>,
    /// The model in place of the request's.
    pub model: Option<Arc<str>>,
}

/// How several providers that serve a model are tried.
#[derive(Debug, Clone)]
pub struct Choosing {
    /// In which order.
    pub strategy: Balance,
    /// After which failures the next is tried.
    pub fallback: Failures,
    /// Which requests go to which providers, whatever their model.
    pub rules: Vec<Rule>,
    /// Whether a provider that does not serve the model may be the last fallback.
    pub stand_ins: StandIns,
    /// Whether the providers are those of the configuration, and not those that the environment has keys for.
    pub is_written: bool,
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
    routes: HashMap<Box<str>, Node<RouteTarget>>,
    versions: Versions,
    /// By their ids.
    targets: HashMap<Box<str>, RouteTarget>,
    /// Names and types of providers that could not be made: that they are missing has its reason elsewhere.
    unready: HashSet<Box<str>>,
    /// What stands before the names that this environment has in the process.
    prefix: Box<str>,
    choosing: Choosing,
    plain: Arc<TargetSettings>,
    /// What the lists of providers have.
    listed: HashSet<Arc<str>>,
    default_route: Option<Box<str>>,
    default_overrides: bool,
    catalog: &'static Catalog,
}

/// The routes of a configuration.
#[derive(Default)]
pub struct Routes {
    /// By name.
    pub by_name: HashMap<Box<str>, Node<RouteTarget>>,
    /// Those that are asked for by their number.
    pub versions: Versions,
    /// The route of requests that name no model.
    pub default: Option<Box<str>>,
    /// Whether the default route takes those that do, too.
    pub default_overrides: bool,
}

impl Models {
    /// The models of these providers, without routes and rules. Providers are ordered by priority, then as configured.
    pub fn new(providers: Vec<Arc<Provider>>, catalog: &'static Catalog, choosing: Choosing) -> Self {
        let names =
            |(index, one): (usize, &Arc<Provider>)| [&one.known_as, &one.name].map(|name| (Arc::clone(name), index));
        let by_name = providers.iter().enumerate().flat_map(names).collect();
        let listed = providers.iter().flat_map(|provider| &provider.models).map(Arc::clone).collect();
        Self {
            by_name,
            listed,
            routes: HashMap::new(),
            versions: Versions::default(),
            targets: HashMap::new(),
            unready: HashSet::new(),
            prefix: Box::default(),
            choosing,
            plain: Arc::default(),
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
            versions: routes.versions,
            default_route: routes.default,
            default_overrides: routes.default_overrides,
            ..self
        }
    }

    /// The providers, as configured.
    pub fn providers(&self) -> &[Arc<Provider>] {
        &self.providers
    }

    /// The known kinds of providers.
    pub fn catalog(&self) -> &'static Catalog {
        self.catalog
    }

    /// After which failures of a provider the next is tried.
    pub fn fallback(&self) -> &Failures {
        &self.choosing.fallback
    }

    /// Whether the configuration writes out this name: a route, an alias, or a model that a provider lists.
    pub fn is_written(&self, name: &str) -> bool {
        self.route(name).is_some()
            || self.listed.contains(name)
            || name.split_once('/').is_some_and(|(_, model)| self.listed.contains(model))
    }

    /// Whether the operator has said what becomes of requests for this name, whoever serves a model of that name.
    pub(crate) fn is_route(&self, name: &str) -> bool {
        self.route(name).is_some() || (self.default_overrides && self.default_route.is_some())
    }

    /// Whether a name is that of a provider, or of a kind of providers.
    pub fn names_provider(&self, name: &str) -> bool {
        self.by_name.contains_key(name) || self.catalog.get(name).is_some()
    }

    /// The same models, with rules.
    #[must_use]
    pub fn with_rules(mut self, rules: Vec<Rule>) -> Self {
        self.choosing.rules = rules;
        self
    }

    /// The targets that a request may go to. `prefer` is a provider's name or type: it is tried first if it serves the
    /// model, and otherwise not insisted on.
    ///
    /// # Errors
    /// `model_required` if the request names none and the configuration supplies none; `model_not_found` if nobody
    /// serves it, naming near matches; `provider_credential_missing` if who serves it has no credential.
    pub fn resolve(&self, requested: Option<&str>, prefer: Option<&str>) -> Result<Node<Target>, Error> {
        self.resolve_spelled(requested, requested, prefer)
    }

    /// The same of a name that the request has written otherwise (`gpt-4o:floor`): rules look at both.
    ///
    /// # Errors
    /// The same.
    pub(crate) fn resolve_spelled(
        &self,
        requested: Option<&str>,
        written: Option<&str>,
        prefer: Option<&str>,
    ) -> Result<Node<Target>, Error> {
        let name = self.name_of(requested)?;
        self.ruled(name, written, prefer, self.unruled(name, requested, prefer))
    }

    /// The same, whatever rules say: for operations that they do not look at.
    ///
    /// # Errors
    /// The same.
    pub(crate) fn resolve_unruled(&self, requested: Option<&str>, prefer: Option<&str>) -> Result<Node<Target>, Error> {
        self.unruled(self.name_of(requested)?, requested, prefer)
    }

    /// The same, and behind whoever serves the model those who stand in for them with another one.
    ///
    /// # Errors
    /// The same.
    pub fn resolve_with_stand_ins(&self, requested: Option<&str>, prefer: Option<&str>) -> Result<Node<Target>, Error> {
        let name = self.name_of(requested)?;
        let found = self.unruled(name, requested, prefer).map(|node| self.with_stand_ins(name, node));
        self.ruled(name, requested, prefer, found)
    }

    /// The name that counts.
    fn name_of<'n>(&'n self, requested: Option<&'n str>) -> Result<&'n str, Error> {
        match (requested, self.default_route.as_deref()) {
            (_, Some(default)) if self.default_overrides => Ok(default),
            (Some(name), _) => Ok(name),
            (None, Some(default)) => Ok(default),
            (None, None) => {
                let message = "the request names no model; set \"model\", or configure a default_model";
                Err(Error::new(ErrorCode::ModelRequired, message).with_param("model"))
            }
        }
    }

    /// What a name stands for where no rule says otherwise.
    pub(crate) fn unruled(
        &self,
        name: &str,
        requested: Option<&str>,
        prefer: Option<&str>,
    ) -> Result<Node<Target>, Error> {
        match self.route(name) {
            None => self.refuse_draft(name).map_or_else(|| self.find(name, prefer, &self.plain), Err),
            Some(route) => self.expanded(route, name, requested, prefer),
        }
    }

    /// The targets of a route for a request.
    fn expanded(
        &self,
        route: &Node<RouteTarget>,
        name: &str,
        requested: Option<&str>,
        prefer: Option<&str>,
    ) -> Result<Node<Target>, Error> {
        target::expand(route, &mut |target| {
            let model = target.model.as_deref().or(requested).unwrap_or(name);
            match target.providers.as_slice() {
                [] => self.find(model, prefer, &target.settings),
                providers => self.pick(providers, model, prefer, true, &target.settings),
            }
        })
    }

    /// Puts the rules before what a name stands for otherwise. They are judged on the name as the request has `written` it.
    fn ruled(
        &self,
        name: &str,
        written: Option<&str>,
        prefer: Option<&str>,
        found: Result<Node<Target>, Error>,
    ) -> Result<Node<Target>, Error> {
        if self.choosing.rules.is_empty() {
            return found;
        }
        let spellings = Arc::new(spellings::of(written));
        let mut conditions = Vec::new();
        let mut members = Vec::new();
        for rule in &self.choosing.rules {
            let node = match rule.model.as_deref().filter(|_| rule.targets.is_empty()) {
                Some(model) => self.unruled(model, Some(model), prefer).ok(),
                None => self.of_rule(rule, name, prefer),
            };
            if let Some(node) = node {
                let condition = Query::Of(Arc::clone(&spellings), Box::new(rule.condition.clone()));
                conditions.push((condition, members.len()));
                members.push(node);
            }
        }
        let default = found.as_ref().is_ok().then_some(members.len());
        if members.is_empty() {
            return found;
        }
        members.extend(found.ok());
        let members = members.into_iter().map(|node| Member { node, weight: 1.0 }).collect();
        let strategy = Strategy::Conditional(conditions, default);
        Ok(Node::Group(Group { id: 0, strategy, members, fallback: Failures::NONE }))
    }

    /// Where a rule leads that names providers; `None` if none of them can be asked.
    fn of_rule(&self, rule: &Rule, name: &str, prefer: Option<&str>) -> Option<Node<Target>> {
        // A provider that does not serve the model is asked for the first that it serves: the rule wants it so.
        let targets = rule.targets.iter().flat_map(|target| {
            target.providers.iter().filter_map(move |index| {
                let provider = self.providers.get(*index)?;
                let served =
                    if provider.serves(name) { name } else { provider.models.first().map_or(name, |model| model) };
                let model = rule.model.as_deref().or(target.model.as_deref()).unwrap_or(served);
                self.pick(&[*index], model, prefer, true, &target.settings).ok()
            })
        });
        let targets: Vec<_> = targets.collect();
        (!targets.is_empty()).then(|| self.group(targets))
    }

    /// Every name that a client may use, as `GET /v1/models` lists them. Sorted.
    pub fn list(&self) -> Vec<Listed> {
        let mut names = Vec::new();
        for (name, route) in &self.routes {
            let first = route.targets().into_iter().find_map(|target| Some((*target.providers.first()?, target)));
            let first = first.and_then(|(index, target)| Some((self.providers.get(index)?, target)));
            let target = first
                .map(|(provider, target)| (Arc::clone(provider), target.model.as_deref().unwrap_or(name).to_owned()));
            // Whoever is asked depends on the request.
            let target = target.filter(|_| !route.is_auto());
            let first = first.map(|(provider, _)| provider).filter(|_| !route.is_auto());
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
                names.extend(known.map(|model| listed(format!("{}/{model}", provider.known_as), model)));
            }
        }
        names.sort_by(|one, other| (&one.name, &one.owner).cmp(&(&other.name, &other.owner)));
        names.dedup_by(|second, first| second.name == first.name);
        names
    }

    fn find(&self, name: &str, prefer: Option<&str>, settings: &Arc<TargetSettings>) -> Result<Node<Target>, Error> {
        if let Some((provider, model)) = name.split_once('/')
            && !model.is_empty()
            && !self.listed.contains(name)
        {
            let named = self.named(provider);
            if !named.is_empty() {
                let serving: Vec<_> = named.into_iter().filter(|index| self.serves(*index, model)).collect();
                return match serving.is_empty() {
                    false => {
                        self.pick(&serving, model, prefer, true, settings).map(|node| node.map(&mut spelled_as_there))
                    }
                    true => Err(self.not_found(name)),
                };
            }
        }
        let serving = self.serving(name);
        let candidates = if serving.is_empty() { self.perhaps_serving(name) } else { serving };
        if candidates.is_empty() {
            return Err(self.not_found(name));
        }
        self.pick(&candidates, name, prefer, false, settings)
    }

    /// Whether a provider that was named serves a model of this name.
    fn serves(&self, index: ProviderIndex, model: &str) -> bool {
        self.providers.get(index).is_some_and(|one| one.serves(model) && !endings::is_unknown(one, model))
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

    /// A target for each of the candidates that can be asked, those that are preferred first.
    fn pick(
        &self,
        candidates: &[ProviderIndex],
        model: &str,
        prefer: Option<&str>,
        provider_named: bool,
        settings: &Arc<TargetSettings>,
    ) -> Result<Node<Target>, Error> {
        let model: Arc<str> = Arc::from(model);
        let target = |provider: &Arc<Provider>| Target {
            choice: Choice { provider: Arc::clone(provider), model: Arc::clone(&model), provider_named },
            settings: Arc::clone(settings),
        };
        let all = candidates.iter().filter_map(|index| Some((*index, self.providers.get(*index)?)));
        let usable: Vec<_> = all.filter(|(_, provider)| provider.is_usable()).collect();
        if usable.is_empty() {
            // Somebody has to say what is missing; or the client brings the key.
            let Some(provider) = candidates.first().and_then(|index| self.providers.get(*index)) else {
                return Err(self.not_found(&model));
            };
            return if provider_named { Ok(Node::Target(target(provider))) } else { Err(missing_credential(provider)) };
        }
        let preferred = prefer.map(|reference| self.meant(reference).providers).unwrap_or_default();
        let (first, rest): (Vec<_>, Vec<_>) = usable.into_iter().partition(|(index, _)| preferred.contains(index));
        let nodes = |found: Vec<(ProviderIndex, &Arc<Provider>)>| {
            found.into_iter().map(|(_, provider)| Node::Target(target(provider))).collect::<Vec<_>>()
        };
        match (first.is_empty(), rest.is_empty()) {
            (true, _) => Ok(self.group(nodes(rest))),
            (false, true) => Ok(self.group(nodes(first))),
            (false, false) => {
                let both = vec![self.group(nodes(first)), self.group(nodes(rest))];
                Ok(grouped(both, Balance::Priority, &self.choosing.fallback))
            }
        }
    }

    /// Several nodes, tried as `routing` says; one stands for itself.
    fn group(&self, nodes: Vec<Node<Target>>) -> Node<Target> {
        grouped(nodes, self.choosing.strategy, &self.choosing.fallback)
    }

    fn not_found(&self, name: &str) -> Error {
        let near = Some(self.near_ending(name)).filter(|near| !near.is_empty()).unwrap_or_else(|| self.near(name));
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

fn grouped(mut nodes: Vec<Node<Target>>, strategy: Balance, fallback: &Failures) -> Node<Target> {
    match (nodes.len(), nodes.pop()) {
        (1, Some(only)) => only,
        (_, last) => {
            nodes.extend(last);
            let members = nodes.into_iter().map(|node| Member { node, weight: 1.0 }).collect();
            Node::Group(Group { id: 0, strategy: Strategy::Balance(strategy), members, fallback: fallback.clone() })
        }
    }
}

fn spelled_as_there(target: &Target) -> Target {
    let choice = &target.choice;
    match spelled_at(&choice.provider.entry.id, &choice.model) {
        Cow::Owned(model) => Target { choice: Choice { model: Arc::from(model), ..choice.clone() }, ..target.clone() },
        Cow::Borrowed(_) => target.clone(),
    }
}

/// A model's name as a type of provider writes it. OpenRouter and Vercel write the versions of models with a point
/// (`anthropic/claude-sonnet-4.5`) where some of their makers write a dash; the catalogue says which of the two there is.
pub(crate) fn spelled_at<'m>(type_id: &str, model: &'m str) -> Cow<'m, str> {
    let Some(known) = ProviderModels::builtin(type_id).filter(|_| model.contains('.')) else {
        return Cow::Borrowed(model);
    };
    let dashed = model.replace('.', "-");
    match known.get(model).is_none() && known.get(&dashed).is_some() {
        true => Cow::Owned(dashed),
        false => Cow::Borrowed(model),
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
