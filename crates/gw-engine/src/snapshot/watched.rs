//! Health checks and canaries as running: whom to ask for what, and who gets a share of the requests.

use std::sync::Arc;

use gw_config::config::{Config, HealthCheck, HealthChecks, Spanned};
use gw_config::diagnostic::Diagnostic;
use gw_dialects::DialectId;
use gw_providers::attempt::Destination;
use http::Uri;
use http::uri::PathAndQuery;

use super::Provider;
use super::references::find;
use crate::checks::{Check, Checks, Healthy};
use crate::models::Models;
use crate::trials::{Canary, Subject, Trials};

/// Where a vendor lists its models, next to a path that it is spoken with.
const LISTS: [(DialectId, &str, &str); 3] = [
    (DialectId::OpenAiChat, "/chat/completions", "/models"),
    (DialectId::AnthropicMessages, "/messages", "/models"),
    (DialectId::Gemini, "/", "/models"),
];

/// The health checks of a configuration.
pub(super) fn checks(settings: Option<&HealthChecks>, models: &Models, wrong: &mut Vec<Diagnostic>) -> Option<Checks> {
    let settings = settings?;
    let mut list: Vec<Arc<Check>> = Vec::new();
    if settings.checks.is_empty() {
        let usable = models.providers().iter().filter(|provider| provider.is_usable());
        let known = usable.filter_map(|provider| Some((provider, list_of_models(provider)?)));
        list.extend(known.map(|(provider, path)| check(provider, path, Healthy::Anything)));
    }
    for one in &settings.checks {
        for check in named(one, models, wrong) {
            // A provider that is named itself, and by its type: what was said first.
            if !list.iter().any(|known| Arc::ptr_eq(&known.provider, &check.provider)) {
                list.push(check);
            }
        }
    }
    Some(Checks { interval: settings.interval, timeout: settings.timeout, list })
}

/// The canaries of a configuration, each with its trial.
pub(super) fn canaries(config: &Config, models: &Models, trials: &Trials, wrong: &mut Vec<Diagnostic>) -> Vec<Canary> {
    let canaries = config.canaries.iter().filter_map(|one| {
        let name = &one.name.value;
        let index = find(models, &one.provider, wrong).into_iter().next()?;
        let provider = models.providers().get(index)?;
        if !provider.is_usable() {
            let message = format!("provider \"{}\" has no credential, so the rollout could only fail", provider.name);
            wrong.push(Diagnostic::error(&one.provider.place, message).with_help("configure its api_key"));
            return None;
        }
        let subject = Subject {
            name: Arc::from(format!("{}{name}", models.prefix())),
            environment: config.environment.as_deref().map(Arc::from),
            provider: Arc::clone(&provider.name),
            model: one.model.as_ref().map(|model| Arc::from(model.value.as_str())),
            rollout: one.rollout.clone(),
            shadow: one.shadow,
        };
        Some((provider, subject))
    });
    let subjects: Vec<_> = canaries.collect();
    let canary = |(provider, subject)| Canary { provider: Arc::clone(provider), trial: trials.of(subject) };
    subjects.into_iter().map(canary).collect()
}

/// The checks that one entry stands for: of a provider, or of all of a type.
fn named(settings: &HealthCheck, models: &Models, wrong: &mut Vec<Diagnostic>) -> Vec<Arc<Check>> {
    let found = find(models, &settings.provider, wrong);
    let providers: Vec<_> = found.into_iter().filter_map(|index| models.providers().get(index)).collect();
    let (Some(first), name) = (providers.first(), &settings.provider) else { return Vec::new() };
    let healthy = || match settings.expected_status.as_slice() {
        [] => Healthy::Anything,
        statuses => Healthy::Statuses(statuses.to_vec()),
    };
    let Some(url) = &settings.url else {
        let known: Vec<_> = providers
            .iter()
            .filter_map(|provider| Some(check(provider, list_of_models(provider)?, healthy())))
            .collect();
        if known.is_empty() {
            let message = format!("it is not known where \"{}\" lists its models", name.value);
            wrong.push(Diagnostic::error(&name.place, message).with_help("write the \"endpoint\" to ask"));
        }
        return known;
    };
    let there = providers.iter().filter_map(|provider| Some(check(provider, path_at(provider, url)?, healthy())));
    let checks: Vec<_> = there.collect();
    if checks.is_empty() {
        let message = format!("the endpoint is not where provider \"{}\" is reached", first.name);
        let help = "write an address on the same host: the provider's credential is sent along";
        wrong.push(Diagnostic::error(&url.place, message).with_help(help));
    }
    checks
}

fn check(provider: &Arc<Provider>, path: PathAndQuery, healthy: Healthy) -> Arc<Check> {
    Arc::new(Check { provider: Arc::clone(provider), path, healthy })
}

/// The path of a URL that is at the provider's own place; `None` if it is anywhere else.
fn path_at(provider: &Provider, url: &Spanned<String>) -> Option<PathAndQuery> {
    let Destination::Origin(origin) = &provider.destination else { return None };
    let uri: Uri = url.value.parse().ok()?;
    let secure = uri.scheme_str() == Some("https");
    let port = uri.port_u16().unwrap_or(if secure { 443 } else { 80 });
    let host = uri.host()?.trim_matches(['[', ']']);
    let place = &origin.settings;
    let is_there = place.secure == secure && place.port == port && place.host.eq_ignore_ascii_case(host);
    is_there.then(|| uri.path_and_query().cloned().unwrap_or_else(|| PathAndQuery::from_static("/")))
}

/// Where a provider lists its models, as far as that is known.
fn list_of_models(provider: &Provider) -> Option<PathAndQuery> {
    if !matches!(provider.destination, Destination::Origin(_)) {
        return None;
    }
    LISTS.iter().find_map(|(dialect, spoken, list)| {
        let base = provider.endpoint(*dialect)?.path().strip_suffix(spoken)?;
        PathAndQuery::try_from(format!("{base}{list}")).ok()
    })
}
