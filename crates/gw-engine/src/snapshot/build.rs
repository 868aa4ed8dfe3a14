//! From the configuration as meant, and the catalogue, to the snapshot as running.

use std::collections::HashSet;
use std::sync::Arc;

use gw_config::config::{self, Config, RouteNode, RouteStrategy, Spanned};
use gw_config::diagnostic::{Diagnostic, Diagnostics};
use gw_http::{AddressGuard, Origins};
use gw_policy::measure::Tracking;
use gw_providers::attempt::AttemptTimeouts;
use gw_providers::auth::Authenticators;
use gw_providers::catalog::Catalog;
use gw_providers::catalog::models::Update;
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderName, HeaderValue};

use super::house::houses;
use super::{AllSettings, Provider, Snapshot, credential, doubts, place, references, routes, watched, watsonx};
use crate::environments::Environments;
use crate::identity::{Identity, KeyTable};
use crate::media::MediaFetch;
use crate::models::{Choosing, Models, Rule};
use crate::pricing::{Described, Pricing};
use crate::routing::control::{FromRequests, Places, Presets};
use crate::routing::rules::Rules;
use crate::routing::standing::{self, Standings};
use crate::routing::times;
use crate::shadow::Shadows;
use crate::trials::Trials;

/// The catalogue entry that is built in.
pub(super) const SANDBOX: &str = "sandbox";

/// What a snapshot is built with.
pub struct Resources<'a> {
    /// The known kinds of providers.
    pub catalog: &'static Catalog,
    /// The places that requests go to; those that a snapshot shares with the last keep their connections.
    pub origins: &'a Origins,
    /// Who we are to providers; those that a snapshot shares with the last keep their tokens.
    pub authenticators: &'a Authenticators,
    /// Models and prices that are newer than the catalogue's.
    pub update: Option<Arc<Update>>,
    /// Which addresses a configured endpoint may lead to; any if `None`.
    pub guard: Option<&'a AddressGuard>,
    /// How providers stand; they are the same ones in every snapshot.
    pub standings: &'a Standings,
    /// How canaries go; those that a snapshot shares with the last go on.
    pub trials: &'a Trials,
    /// The process's environment.
    pub variable: &'a dyn Fn(&str) -> Option<String>,
}

/// Builds snapshot number `generation`, and in it those of the environments that serve requests beside the one in force.
///
/// # Errors
/// Everything that is wrong, with its place in the file.
pub fn build(config: &Config, resources: &Resources<'_>, generation: u64) -> Result<Snapshot, Diagnostics> {
    let snapshot = build_one(config, resources, generation, 0);
    let mut wrong: Vec<Diagnostic> = snapshot.as_ref().err().into_iter().flat_map(Diagnostics::iter).cloned().collect();
    let (mut beside, mut warnings) = (Vec::new(), Vec::new());
    for (index, other) in config.environments.beside.iter().enumerate() {
        let name: Arc<str> = Arc::from(other.environment.as_deref().unwrap_or_default());
        let mut keys = config.auth.keys.iter().flat_map(|key| &key.environments);
        let is_named = keys.any(|wanted| *wanted.value == *name);
        match build_one(other, resources, generation, index + 1) {
            Ok(built) if is_named => {
                warnings.extend(built.warnings.clone());
                beside.push((name, Arc::new(built)));
            }
            // One that no key names is there if it can be, and nobody is asked or told anything for it.
            Ok(built) => beside.push((name, Arc::new(Snapshot { checks: None, ..built }))),
            Err(_) if !is_named => {}
            Err(others) => wrong.extend(others.iter().filter(|one| !wrong.contains(one)).cloned().collect::<Vec<_>>()),
        }
    }
    let mut snapshot = snapshot.ok().filter(|_| wrong.is_empty()).ok_or(Diagnostics::from(wrong))?;
    snapshot.warnings.extend(warnings);
    let mut seen = HashSet::new();
    snapshot.warnings.retain(|warning| seen.insert(warning.clone()));
    snapshot.environments = Environments::new(config, beside);
    Ok(snapshot)
}

/// Builds the snapshot of one environment; that of the one in force is in slot 0.
fn build_one(
    config: &Config,
    resources: &Resources<'_>,
    generation: u64,
    slot: usize,
) -> Result<Snapshot, Diagnostics> {
    // What environments beside the one in force have is called after them.
    let prefix = config.environment.as_ref().filter(|_| slot > 0).map_or_else(String::new, |name| format!("{name}/"));
    let mut wrong = Vec::new();
    let (providers, unready) = providers(config, &prefix, resources, &mut wrong);
    let pricing = Pricing::new(resources.catalog, resources.update.clone(), config.price_overrides.clone());
    let mut warnings = pricing.doubtful(&providers);
    let models =
        Models::new(providers, resources.catalog, choosing(config)).with_unready(&unready).with_prefix(&prefix);
    let targets = references::targets(config, &models, &mut wrong);
    let models = models.with_targets(targets);
    let rules = rules(config, &models, &mut wrong);
    let around = routes::Around { limits: resources.standings.limits(), pricing: &pricing };
    let (routes, limits) = routes::routes(config, &models, around, (&mut wrong, &mut warnings));
    let models = models.with_routes(routes);
    references::rewritten(config, &models, &mut wrong);
    let checks = watched::checks(config.health_checks.as_ref(), &models, &mut wrong).map(Arc::new);
    let rollouts = watched::canaries(config, &models, resources.trials, &mut wrong);
    let (shadowing, canaries) = rollouts.into_iter().partition(|canary| canary.trial.subject.shadow);
    let from_requests = from_requests(config, resources);
    let presets = Presets::new(&config.presets, &models, &from_requests.routing, resources, &mut wrong);
    if !wrong.is_empty() {
        return Err(wrong.into());
    }
    warnings.extend(doubts::doubts(config, &models));
    Ok(Snapshot {
        generation,
        environment: config.environment.as_deref().map(Arc::from),
        slot,
        environments: None,
        identity: Identity {
            mode: config.auth.mode,
            keys: KeyTable::new(&config.auth.keys),
            own_keys: from_requests.own_keys,
        },
        limits,
        models: models.with_rules(rules),
        pricing,
        model_lists: Default::default(),
        custom_costs: config.custom_costs.clone(),
        zero_completion_insurance: config.zero_completion_insurance,
        warnings,
        body_bytes_max: config.server.limits.body_bytes,
        body_timeout: config.server.timeouts.body,
        request_timeout: config.server.timeouts.request,
        queue_max_wait: config.routing.queue_max_wait,
        notice: config.routing.notice.clone(),
        slow: config.routing.slow,
        resume: config.routing.resume,
        shares_time: config.routing.shares_time,
        unsupported: config.translation.unsupported,
        relay: config.relay,
        checks,
        canaries,
        shadows: Shadows { list: shadowing, limits: config.shadow_limits, room: Arc::clone(resources.trials.room()) },
        media: MediaFetch::new(&config.translation.media),
        from_requests,
        presets,
        rules: Rules::new(&config.routing.rules),
        cors_origins: config.server.cors_origins.clone(),
    })
}

/// How several providers that serve a model are tried. Its rules are found when the models are.
fn choosing(config: &Config) -> Choosing {
    Choosing {
        strategy: config.routing.strategy,
        fallback: config.routing.fallback.clone(),
        rules: Vec::new(),
        stand_ins: config.routing.stand_ins,
        is_written: !config.providers.is_empty(),
    }
}

/// The providers of an environment, and those that could not be made.
fn providers(
    config: &Config,
    prefix: &str,
    resources: &Resources<'_>,
    wrong: &mut Vec<Diagnostic>,
) -> (Vec<Arc<Provider>>, Vec<config::Provider>) {
    let mut settings = config.providers.clone();
    if config.providers.is_empty() {
        settings.extend(from_environment(resources));
    }
    let has_sandbox = settings.iter().any(|provider| provider.name.value == SANDBOX);
    if config.profile == config::Profile::Local && !has_sandbox {
        settings.push(config::Provider::of_type(SANDBOX));
    }
    let tracking = measures(config).then_some(config.routing.tracking);
    let mut providers = Vec::with_capacity(settings.len());
    let mut unready = Vec::new();
    for one in settings {
        let known_as = Arc::from(one.name.value.as_str());
        let called = Spanned { value: format!("{prefix}{known_as}"), place: one.name.place.clone() };
        let named = config::Provider { name: called, ..one.clone() };
        match provider(&named, &config.routing, tracking, resources) {
            Ok(provider) => providers.push(Arc::new(Provider { known_as, ..provider })),
            Err(diagnostic) => {
                unready.push(one);
                wrong.push(*diagnostic);
            }
        }
    }
    (providers, unready)
}

/// What requests may bring along. On a laptop they may name addresses of the laptop, too.
fn from_requests(config: &Config, resources: &Resources<'_>) -> FromRequests {
    let rules = config.routing.from_requests;
    let is_local = config.profile == config::Profile::Local;
    let guard = || {
        let loopback = ["127.0.0.0/8", "::1/128"].into_iter().filter(|_| is_local).filter_map(|text| text.parse().ok());
        loopback.fold(AddressGuard::public(), AddressGuard::allowing)
    };
    FromRequests {
        own_keys: rules.own_keys.unwrap_or(config.auth.mode != config::AuthMode::Required),
        hosts: rules.custom_hosts.unwrap_or(is_local).then(guard),
        // What was only found in the environment is nobody's decision.
        houses: houses(&config.providers, resources),
        houses_at: resources.guard.cloned(),
        routing: config::Routing { rules: Vec::new(), ..config.routing.clone() },
    }
}

/// A provider that a caller brings a key for. Nothing of the process's environment is used for it.
pub(crate) fn guest(
    settings: &config::Provider,
    routing: &config::Routing,
    places: &Places,
    guard: Option<&AddressGuard>,
) -> Result<Provider, String> {
    let resources = Resources {
        catalog: Catalog::builtin(),
        origins: &places.origins,
        authenticators: &places.authenticators,
        update: None,
        guard,
        standings: &Standings::default(),
        trials: &Trials::default(),
        variable: &|_| None,
    };
    let made = provider(settings, routing, None, &resources).map_err(|diagnostic| diagnostic.message)?;
    let constant = made.credential_header.as_ref().filter(|_| made.authenticator.is_none());
    let mut headers = made.headers;
    let callers_credential = constant.and_then(|(name, _)| Some((name.clone(), headers.remove(name)?)));
    Ok(Provider { headers, callers_credential, callers: true, upgrades_at: None, ..made })
}

/// A provider that a preset brings a key for: no model's name finds it. Nothing of the process's environment is used for it.
/// `called` tells it from others whose standing is remembered.
pub(crate) fn kept(
    settings: &config::Provider,
    routing: &config::Routing,
    resources: &Resources<'_>,
    called: &str,
) -> Result<Provider, String> {
    let resources = Resources { update: None, guard: None, variable: &|_| None, ..*resources };
    let made = provider(settings, routing, None, &resources).map_err(|diagnostic| diagnostic.message)?;
    Ok(Provider { standing: resources.standings.of(called), upgrades_at: None, ..made })
}

/// Without configured providers, every kind whose place is known can be named; those whose key is in the environment
/// are found by a model's name alone, too.
fn from_environment(resources: &Resources<'_>) -> Vec<config::Provider> {
    let mut found: Vec<_> = resources
        .catalog
        .iter()
        .filter(|entry| entry.id != SANDBOX)
        .map(|entry| config::Provider::of_type(&entry.id))
        .filter(|settings| {
            let entry = resources.catalog.get(&settings.kind.value);
            // What is ambient may be meant for another program: where it is of no use here, nothing is wrong.
            entry.is_some_and(|entry| match credential::read(entry, settings, resources) {
                Ok(credential) => {
                    let credential = credential.as_ref();
                    let url = place::usual_url(entry, settings, resources, credential);
                    matches!(url, Ok(Some(_))) && watsonx::egress(entry, settings, credential, resources).is_ok()
                }
                Err(_) => false,
            })
        })
        .collect();
    found.sort_by(|one, other| one.name.value.cmp(&other.name.value));
    found
}

fn provider(
    settings: &config::Provider,
    routing: &config::Routing,
    tracking: Option<Tracking>,
    resources: &Resources<'_>,
) -> Result<Provider, Box<Diagnostic>> {
    let at = &settings.kind.place;
    let fail = |message: String| Box::new(Diagnostic::error(at, message));
    let entry = resources
        .catalog
        .get(&settings.kind.value)
        .ok_or_else(|| fail(format!("unknown provider type \"{}\"", settings.kind.value)))?;
    let mut headers = entry.headers.clone();
    headers.extend(extra_headers(settings)?);
    let credential = credential::read(entry, settings, resources)?;
    let (destination, base_path) = place::destination(entry, settings, resources, credential.as_ref())?;
    let prepared = credential::prepare(entry, settings, resources, credential.as_ref(), &destination, &mut headers)?;
    let egress = watsonx::egress(entry, settings, credential.as_ref(), resources)?;
    let endpoints = entry
        .dialects()
        .map(|(dialect, spoken)| {
            let path = format!("{base_path}{}", spoken.path);
            let path = PathAndQuery::try_from(path).map_err(|error| fail(format!("the endpoint's path: {error}")))?;
            Ok((dialect, path))
        })
        .collect::<Result<_, Box<Diagnostic>>>()?;
    let text =
        |value: &str| HeaderValue::try_from(value).map_err(|_| fail(format!("\"{value}\" cannot stand in a header")));
    Ok(Provider {
        name: Arc::from(settings.name.value.as_str()),
        known_as: Arc::from(settings.name.value.as_str()),
        type_id: Arc::from(entry.id.as_str()),
        priority: settings.priority,
        has_priority: settings.has_priority,
        models: settings.models.iter().map(|model| Arc::from(model.value.as_str())).collect(),
        stream_only: settings.stream_only.iter().map(|model| Arc::from(model.value.as_str())).collect(),
        described: settings.descriptions.iter().map(described).collect::<Result<_, _>>()?,
        upgrades_at: place::upgrades_at(entry, &destination, resources).map_err(|error| fail(error.to_string()))?,
        destination,
        timeouts: AttemptTimeouts {
            first_byte: settings.timeouts.first_byte.unwrap_or(times::ALONE),
            idle: settings.timeouts.idle,
        },
        first_byte: settings.timeouts.first_byte,
        total_timeout: settings.timeouts.total,
        credential: prepared.credential,
        authenticator: prepared.authenticator,
        hint: prepared.hint,
        passthrough: settings.passthrough,
        credential_header: entry.auth.header(),
        headers,
        endpoints,
        egress,
        settings: AllSettings::new(settings),
        retry: settings.routing.retry.clone().unwrap_or_else(|| routing.retry.clone()),
        standing: resources.standings.of(&settings.name.value),
        standing_rules: Arc::new(standing::Rules {
            breaker: settings.routing.breaker.clone().unwrap_or_else(|| routing.breaker.clone()),
            cap: settings.routing.cap,
            tracking,
        }),
        assurances: settings.assurances.iter().map(|one| Arc::from(one.as_str())).collect(),
        callers_credential: None,
        callers: false,
        name_header: text(&settings.name.value)?,
        type_header: text(&entry.id)?,
        entry,
    })
}

fn described(description: &config::ModelDescription) -> Result<Described, Box<Diagnostic>> {
    Described::new(description).map_err(|what| Box::new(Diagnostic::error(&description.name.place, what)))
}

fn extra_headers(settings: &config::Provider) -> Result<HeaderMap, Box<Diagnostic>> {
    let mut headers = HeaderMap::new();
    for (name, value) in &settings.headers {
        let fail =
            |what: &str| Box::new(Diagnostic::error(&name.place, format!("the header \"{}\" {what}", name.value)));
        let parsed = HeaderName::try_from(name.value.as_str()).map_err(|_| fail("has no valid name"))?;
        let mut value = HeaderValue::try_from(value.expose()).map_err(|_| fail("has no valid value"))?;
        value.set_sensitive(true);
        headers.insert(parsed, value);
    }
    Ok(headers)
}

/// Whether anybody wants to know how long providers take, or how much they have to do.
fn measures(config: &Config) -> bool {
    fn in_node(node: &RouteNode) -> bool {
        match node {
            RouteNode::Target(_) => false,
            RouteNode::Group(group) => {
                let here = matches!(group.strategy, RouteStrategy::Balance(balance) if balance.measures());
                here || group.members.iter().any(|(node, _)| in_node(node))
            }
        }
    }
    let goes_by_slow = matches!(config.routing.slow, Some(config::Slow::Hedge(hedge)) if hedge.threshold.measures());
    config.routing.always_tracks
        || goes_by_slow
        || config.routing.strategy.measures()
        || config.routes.iter().any(|route| in_node(&route.node))
}

fn rules(config: &Config, models: &Models, wrong: &mut Vec<Diagnostic>) -> Vec<Rule> {
    let mut rule = |rule: &config::Rule| Rule {
        condition: rule.condition.clone(),
        targets: rule.providers.iter().map(|reference| references::meant(models, reference, wrong)).collect(),
        model: rule.model.as_ref().map(|model| Arc::from(model.value.as_str())),
    };
    let found: Vec<_> = config.routing.rules.iter().map(|one| (one, rule(one))).collect();
    let leads = |one: &config::Rule| one.denial.is_none() && !one.log_only;
    found.into_iter().filter(|(one, _)| leads(one)).map(|(_, rule)| rule).collect()
}
