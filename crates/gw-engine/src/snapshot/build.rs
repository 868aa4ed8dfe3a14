//! From the configuration as meant, and the catalogue, to the snapshot as running.

use std::path::PathBuf;
use std::sync::Arc;

use gw_config::config::{self, Config, HttpVersion, RouteNode, RouteStrategy};
use gw_config::diagnostic::{Diagnostic, Diagnostics};
use gw_dialects::DialectId;
use gw_http::origin::{Identity as ClientIdentity, OriginError, OriginSettings, Version};
use gw_http::proxy::ProxyChoice;
use gw_http::{AddressGuard, Origin, Origins};
use gw_policy::measure::Tracking;
use gw_policy::plan::{Group, Member, Node, Strategy};
use gw_providers::attempt::{AttemptTimeouts, Destination};
use gw_providers::auth::{self, Authenticators};
use gw_providers::catalog::models::Update;
use gw_providers::catalog::{Catalog, Kind, ProviderType, Variable};
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderName, HeaderValue, Uri};

use super::house::houses;
use super::{AllSettings, Provider, Snapshot, credential, references, watched, watsonx};
use crate::identity::{Identity, KeyTable};
use crate::media::MediaFetch;
use crate::models::{Choosing, Models, RouteTarget, Routes, Rule};
use crate::pricing::{Described, Pricing};
use crate::routing::control::{FromRequests, Places, Presets};
use crate::routing::rules::Rules;
use crate::routing::standing::{self, Standings};
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

/// Builds snapshot number `generation`.
///
/// # Errors
/// Everything that is wrong, with its place in the file.
pub fn build(config: &Config, resources: &Resources<'_>, generation: u64) -> Result<Snapshot, Diagnostics> {
    let mut wrong = Vec::new();
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
    for one in &settings {
        match provider(one, &config.routing, tracking, resources) {
            Ok(provider) => providers.push(Arc::new(provider)),
            Err(diagnostic) => wrong.push(*diagnostic),
        }
    }
    let pricing = Pricing::new(resources.catalog, resources.update.clone(), config.price_overrides.clone());
    let warnings = pricing.doubtful(&providers);
    let choosing =
        Choosing { strategy: config.routing.strategy, fallback: config.routing.fallback.clone(), rules: Vec::new() };
    let models = Models::new(providers, resources.catalog, choosing);
    let targets = references::targets(config, &models, &mut wrong);
    let models = models.with_targets(targets);
    let rules = rules(config, &models, &mut wrong);
    let routes = routes(config, &models, &mut wrong);
    let models = models.with_routes(routes);
    references::rewritten(config, &models, &mut wrong);
    let checks = watched::checks(config.health_checks.as_ref(), &models, &mut wrong).map(Arc::new);
    let rollouts = watched::canaries(&config.canaries, &models, resources.trials, &mut wrong);
    let (shadowing, canaries) = rollouts.into_iter().partition(|canary| canary.trial.subject.shadow);
    let from_requests = from_requests(config, resources);
    let presets = Presets::new(&config.presets, &models, &from_requests.routing, resources, &mut wrong);
    if !wrong.is_empty() {
        return Err(wrong.into());
    }
    Ok(Snapshot {
        generation,
        identity: Identity {
            mode: config.auth.mode,
            keys: KeyTable::new(&config.auth.keys),
            own_keys: from_requests.own_keys,
        },
        models: models.with_rules(rules),
        pricing,
        model_lists: Default::default(),
        custom_costs: config.custom_costs.clone(),
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
                    let url = base_url(entry, settings, resources, credential);
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
    let (destination, base_path) = destination(entry, settings, resources, credential.as_ref())?;
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
        type_id: Arc::from(entry.id.as_str()),
        priority: settings.priority,
        models: settings.models.iter().map(|model| Arc::from(model.value.as_str())).collect(),
        stream_only: settings.stream_only.iter().map(|model| Arc::from(model.value.as_str())).collect(),
        described: settings.descriptions.iter().map(described).collect::<Result<_, _>>()?,
        upgrades_at: upgrades_at(entry, &destination, resources).map_err(|error| fail(error.to_string()))?,
        destination,
        timeouts: AttemptTimeouts { first_byte: settings.timeouts.first_byte, idle: settings.timeouts.idle },
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

/// The same place over HTTP/1.1, if anything is spoken there over WebSocket.
fn upgrades_at(
    entry: &ProviderType,
    destination: &Destination,
    resources: &Resources<'_>,
) -> Result<Option<Arc<Origin>>, OriginError> {
    match destination {
        Destination::Origin(origin) if entry.dialects().any(|(dialect, _)| dialect == DialectId::OpenAiRealtime) => {
            let settings = OriginSettings { version: Version::Http1, ..origin.settings.clone() };
            resources.origins.intern(settings).map(Some)
        }
        Destination::Origin(_) | Destination::Sandbox => Ok(None),
    }
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

/// Where a provider is reached, and the path that all its paths begin with.
fn destination(
    entry: &'static ProviderType,
    settings: &config::Provider,
    resources: &Resources<'_>,
    credential: Option<&auth::Credential>,
) -> Result<(Destination, String), Box<Diagnostic>> {
    if entry.kind == Kind::Sandbox {
        return Ok((Destination::Sandbox, String::new()));
    }
    let at = settings.endpoint.as_ref().map_or(&settings.kind.place, |endpoint| &endpoint.place);
    let fail = |message: String| Box::new(Diagnostic::error(at, message));
    let url = match &settings.endpoint {
        Some(endpoint) => endpoint_url(entry, settings, resources, credential, &endpoint.value).map_err(fail)?,
        None => base_url(entry, settings, resources, credential).map_err(fail)?.ok_or_else(|| {
            fail(format!("provider type \"{}\" has no address of its own; set \"endpoint\"", entry.id))
        })?,
    };
    let uri: Uri = url.parse().map_err(|error| fail(format!("\"{url}\" is not a URL: {error}")))?;
    let secure = match uri.scheme_str() {
        Some("https") => true,
        Some("http") => false,
        Some(_) | None => return Err(fail(format!("\"{url}\" must begin with https:// or http://"))),
    };
    let host = uri.host().unwrap_or_default().trim_matches(['[', ']']).to_owned();
    let read = |path: &PathBuf| read_file(path).map_err(fail);
    let tls = &settings.tls;
    let identity = match (&tls.certificate, &tls.key) {
        (Some(certificate), Some(key)) => {
            Some(ClientIdentity { certificate_pem: read(certificate)?, key_pem: read(key)? })
        }
        (Some(_), None) | (None, Some(_)) => {
            return Err(fail("tls.certificate and tls.key go together".to_owned()));
        }
        (None, None) => None,
    };
    let origin = OriginSettings {
        label: Arc::from(settings.name.value.as_str()),
        secure,
        host,
        port: uri.port_u16().unwrap_or(if secure { 443 } else { 80 }),
        version: match settings.http_version {
            HttpVersion::Auto => Version::Auto,
            HttpVersion::Http1 => Version::Http1,
            HttpVersion::Http2 => Version::Http2,
        },
        ca_pem: tls.ca.as_ref().map(read).transpose()?,
        identity,
        proxy: settings.proxy.as_ref().map_or(ProxyChoice::Environment, proxy),
        connect_timeout: settings.timeouts.connect,
        write_timeout: settings.timeouts.write,
    };
    let origin = match resources.guard {
        Some(guard) => resources.origins.guarded(origin, guard.clone()),
        None => resources.origins.intern(origin),
    };
    let origin = origin.map_err(|error| fail(error.to_string()))?;
    Ok((Destination::Origin(origin), uri.path().trim_end_matches('/').to_owned()))
}

/// A file of certificates or keys.
pub(super) fn read_file(path: &PathBuf) -> Result<Arc<[u8]>, String> {
    std::fs::read(path).map(Arc::from).map_err(|error| format!("{}: {error}", path.display()))
}

/// The configured way out.
pub(super) fn proxy(proxy: &config::Proxy) -> ProxyChoice {
    match proxy {
        config::Proxy::Direct => ProxyChoice::Direct,
        config::Proxy::Via(url) => ProxyChoice::Via(url.expose().to_owned()),
    }
}

/// A configured endpoint may leave out the path that the provider's API stands under, as
/// `https://NAME.openai.azure.com` does.
fn endpoint_url(
    entry: &ProviderType,
    settings: &config::Provider,
    resources: &Resources<'_>,
    credential: Option<&auth::Credential>,
    endpoint: &str,
) -> Result<String, String> {
    if endpoint.parse::<Uri>().is_ok_and(|uri| uri.path() != "/" && !uri.path().is_empty()) {
        return Ok(endpoint.to_owned());
    }
    let value_of = |name: &str, variable: &Variable| value_of(settings, resources, credential, name, variable);
    let usual = entry.filled_base_path(value_of).map_err(|error| error.to_string())?;
    Ok(usual.map_or_else(|| endpoint.to_owned(), |path| format!("{}/{path}", endpoint.trim_end_matches('/'))))
}

/// The catalogue's base URL, its placeholders filled in from the settings, the credential or the environment.
fn base_url(
    entry: &ProviderType,
    settings: &config::Provider,
    resources: &Resources<'_>,
    credential: Option<&auth::Credential>,
) -> Result<Option<String>, String> {
    let value_of = |name: &str, variable: &Variable| value_of(settings, resources, credential, name, variable);
    entry.filled_base_url(value_of).map_err(|error| error.to_string())
}

fn value_of(
    settings: &config::Provider,
    resources: &Resources<'_>,
    credential: Option<&auth::Credential>,
    name: &str,
    variable: &Variable,
) -> Option<String> {
    let configured = settings.variables.iter().find(|(given, _)| given.value == name);
    configured
        .map(|(_, value)| value.value.clone())
        .or_else(|| credential?.variable(name).map(str::to_owned))
        .or_else(|| (resources.variable)(&variable.env))
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
    config.routing.always_tracks
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

fn routes(config: &Config, models: &Models, wrong: &mut Vec<Diagnostic>) -> Routes {
    let by_name =
        config.routes.iter().map(|route| (Box::from(route.name.value.as_str()), tree(&route.node, models, wrong)));
    let by_name = by_name.collect();
    let default = config.default_route.and_then(|index| config.routes.get(index));
    Routes {
        by_name,
        default: default.map(|route| Box::from(route.name.value.as_str())),
        default_overrides: config.default_route_overrides,
    }
}

fn tree(node: &RouteNode, models: &Models, wrong: &mut Vec<Diagnostic>) -> Node<RouteTarget> {
    let group = match node {
        RouteNode::Target(target) => return Node::Target(references::member(target, models, wrong)),
        RouteNode::Group(group) => group,
    };
    let strategy = match &group.strategy {
        RouteStrategy::Balance(balance) => Strategy::Balance(*balance),
        RouteStrategy::Sticky(fields) => {
            Strategy::Sticky(fields.iter().map(|field| Box::from(field.as_str())).collect())
        }
        RouteStrategy::Conditional(conditions, default) => Strategy::Conditional(conditions.clone(), *default),
        RouteStrategy::Single => Strategy::Single,
    };
    let member = |(node, weight): &(RouteNode, f64)| Member { node: tree(node, models, wrong), weight: *weight };
    let members = group.members.iter().map(member).collect();
    Node::Group(Group { id: 0, strategy, members, fallback: group.fallback.clone() })
}
