//! What can be run and will hardly do what it looks like: providers that nobody can be asked at, fallbacks that never
//! come, canaries that get nothing. `ai-gateway check` and the start tell it.

use std::collections::HashSet;
use std::sync::Arc;

use gw_config::config::{self, AuthMode, Config, StandIns};
use gw_config::diagnostic::Diagnostic;
use gw_policy::balance::Balance;

use super::{Credential, Provider};
use crate::models::Models;

/// What somebody should look at, each with its place in the file.
pub(super) fn doubts(config: &Config, models: &Models) -> Vec<String> {
    let written: Vec<_> = config.providers.iter().filter_map(|one| Some((one, running(models, one)?))).collect();
    let mut found = Vec::new();
    for (settings, provider) in &written {
        found.extend(without_credential(config, settings, provider));
    }
    let is_ordered = config.routing.strategy == Balance::Priority && !config.routing.fallback.is_empty();
    if is_ordered && config.presets.is_empty() {
        let named = named(config, models);
        let ranked = written.iter().filter(|(_, provider)| provider.has_priority && provider.is_usable());
        found.extend(ranked.filter_map(|(settings, provider)| rank(config, models, settings, provider, &named)));
    }
    found.extend(config.canaries.iter().filter_map(|canary| canary_of_nothing(canary, config, models)));
    found.iter().map(ToString::to_string).collect()
}

fn running<'m>(models: &'m Models, settings: &config::Provider) -> Option<&'m Arc<Provider>> {
    models.providers().iter().find(|provider| *provider.known_as == *settings.name.value)
}

/// A provider that needs a credential and has none. Where callers bring keys, that is how it is meant.
fn without_credential(config: &Config, settings: &config::Provider, provider: &Provider) -> Option<Diagnostic> {
    if provider.credential != Credential::Missing || config.auth.mode == AuthMode::Passthrough {
        return None;
    }
    let message = format!("provider \"{}\" has no credential, so it is left out", provider.name);
    let help = match (provider.entry.credential_variables().first(), &settings.endpoint) {
        (Some(variable), Some(_)) => format!(
            "write its key: \"api_key: ${{{variable}}}\"; what the environment has is not sent to an \"endpoint\" unless \
             the file says so"
        ),
        (Some(variable), None) => format!("set {variable}, or write its \"api_key\""),
        (None, _) => "write its \"api_key\"".to_owned(),
    };
    Some(Diagnostic::warning(&settings.name.place, message).with_help(help))
}

/// Providers that routes, targets and rules name.
fn named(config: &Config, models: &Models) -> HashSet<usize> {
    let of_routes = config.routes.iter().flat_map(|route| route.node.targets());
    let targets = of_routes.chain(config.targets.iter().map(|named| &named.target));
    let references = targets.filter_map(|target| target.provider.as_ref());
    let references = references.chain(config.routing.rules.iter().flat_map(|rule| &rule.providers));
    references.flat_map(|reference| models.meant(&reference.value).providers).collect()
}

/// A provider with a priority: whether anybody's requests can ever fall back to it, and to another model.
fn rank(
    config: &Config,
    models: &Models,
    settings: &config::Provider,
    provider: &Arc<Provider>,
    named: &HashSet<usize>,
) -> Option<Diagnostic> {
    let others = models.providers().iter().filter(|other| other.name != provider.name && other.is_usable());
    let before: Vec<&Provider> =
        others.filter(|other| other.priority < provider.priority).map(|other| &**other).collect();
    let is_named =
        named.iter().any(|index| models.providers().get(*index).is_some_and(|one| Arc::ptr_eq(one, provider)));
    // Who comes first in the order is nobody's fallback, and who is named has its place.
    if is_named || !before.iter().any(|other| other.has_priority) {
        return None;
    }
    let name = &provider.name;
    let place = &settings.name.place;
    if let (Some(model), StandIns::Warned, false) =
        (provider.models.first(), config.routing.stand_ins, config.routing.allow_downgrade)
        && let Some(other) = before.iter().flat_map(|one| models.names_at(one)).find(|other| !provider.serves(other))
    {
        let message = format!(
            "where everybody else fails, requests for \"{other}\" and others are answered by another model, \"{model}\" \
             at provider \"{name}\""
        );
        let help = "write \"routing.fallback_to_other_models: true\" if it is meant, or false";
        return Some(Diagnostic::warning(place, message).with_help(help));
    }
    let stands_in = config.routing.stand_ins != StandIns::Never && !provider.models.is_empty();
    if stands_in || before.iter().any(|other| models.share_a_model(provider, other)) {
        return None;
    }
    let message = format!(
        "provider \"{name}\" has a priority and is never a fallback: it serves no model that is served before it"
    );
    let help = match provider.models.is_empty() {
        true => "write in \"models\" which it serves",
        false => {
            "add models that others serve to its \"models\", or write \"routing.fallback_to_other_models: true\" to have \
             the first of them answer in their place"
        }
    };
    Some(Diagnostic::warning(place, message).with_help(help))
}

/// A canary whose provider does not serve what it would be asked for.
fn canary_of_nothing(canary: &config::Canary, config: &Config, models: &Models) -> Option<Diagnostic> {
    let index = models.named(&canary.provider.value).into_iter().next()?;
    let provider = models.providers().get(index).filter(|provider| !provider.models.is_empty())?;
    let of_routes = config.routes.iter().flat_map(|route| route.node.targets());
    let mut of_routes = of_routes.filter_map(|target| target.model.as_ref());
    let name = &canary.name.value;
    let message = match &canary.model {
        Some(model) if provider.serves(&model.value) => return None,
        Some(model) => {
            format!(
                "the rollout \"{name}\" gets no request: provider \"{}\" does not list \"{}\"",
                provider.name, model.value
            )
        }
        None => {
            let is_asked = of_routes.any(|model| provider.serves(&model.value))
                || provider.models.iter().any(|model| models.is_served_besides(provider, model));
            if is_asked {
                return None;
            }
            format!(
                "the rollout \"{name}\" gets no request: nobody else serves a model that provider \"{}\" lists",
                provider.name
            )
        }
    };
    let help = "write the rollout's \"model\", one that the provider lists, or add to the provider's \"models\" what is asked for";
    Some(Diagnostic::warning(&canary.provider.place, message).with_help(help))
}
