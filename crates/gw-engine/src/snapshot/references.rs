//! What the configuration refers to: providers by name or type, and targets by their ids.

use std::collections::HashMap;
use std::sync::Arc;

use gw_config::config::{self, Config, Spanned};
use gw_config::diagnostic::Diagnostic;
use gw_core::ErrorCode;

use crate::models::{Models, RouteTarget, TargetSettings};

/// How like a name must be to be suggested, from 0 to 1.
const LIKENESS_MIN: f64 = 0.8;

/// The targets with ids, their providers found.
pub(super) fn targets(config: &Config, models: &Models, wrong: &mut Vec<Diagnostic>) -> HashMap<Box<str>, RouteTarget> {
    let target = |named: &config::NamedTarget| {
        let providers = named.target.provider.as_ref().map(|reference| find(models, reference, wrong));
        let found = RouteTarget { providers: providers.unwrap_or_default(), ..own(&named.target) };
        (Box::from(named.id.value.as_str()), found)
    };
    config.targets.iter().map(target).collect()
}

/// A member of a route. What it says itself comes before what the target that it refers to says.
pub(super) fn member(target: &config::Target, models: &Models, wrong: &mut Vec<Diagnostic>) -> RouteTarget {
    let own = own(target);
    let Some(reference) = &target.provider else { return own };
    let meant = meant(models, reference, wrong);
    let mut override_params = meant.settings.override_params.clone();
    override_params.extend(own.settings.override_params.clone());
    RouteTarget {
        providers: meant.providers,
        model: own.model.or(meant.model),
        settings: Arc::new(TargetSettings {
            override_params,
            retry: own.settings.retry.clone().or_else(|| meant.settings.retry.clone()),
            first_byte_timeout: own.settings.first_byte_timeout.or(meant.settings.first_byte_timeout),
            tier: own.settings.tier,
            ..TargetSettings::default()
        }),
    }
}

/// What a name, an id or a type stands for; a mistake if that is nothing.
pub(crate) fn meant(models: &Models, reference: &Spanned<String>, wrong: &mut Vec<Diagnostic>) -> RouteTarget {
    let found = models.meant(&reference.value);
    // A target whose own provider is not there has been told of, and so has a provider that could not be made.
    let is_told = models.target(&reference.value).is_some() || models.is_unready(&reference.value);
    if found.providers.is_empty() && !is_told {
        let message = format!("no provider or target has the name or type \"{}\"", reference.value);
        wrong.push(Diagnostic::error(&reference.place, message).with_help(hint(models, &reference.value, true)));
    }
    found
}

/// Reports models that rules lead to and that nobody serves.
pub(super) fn rewritten(config: &Config, models: &Models, wrong: &mut Vec<Diagnostic>) {
    for rule in config.routing.rules.iter().filter(|rule| rule.providers.is_empty()) {
        if let Some(model) = &rule.model
            && let Err(error) = models.unruled(&model.value, Some(&model.value), None)
            && error.code == ErrorCode::ModelNotFound
        {
            wrong.push(Diagnostic::error(&model.place, error.message));
        }
    }
}

/// The providers that a name or type stands for; a mistake if there are none.
pub(super) fn find(models: &Models, reference: &Spanned<String>, wrong: &mut Vec<Diagnostic>) -> Vec<usize> {
    let found = models.named(&reference.value);
    if found.is_empty() && !models.is_unready(&reference.value) {
        let message = format!("no provider has the name or type \"{}\"", reference.value);
        wrong.push(Diagnostic::error(&reference.place, message).with_help(hint(models, &reference.value, false)));
    }
    found
}

/// What could have been meant.
pub(super) fn hint(models: &Models, reference: &str, with_targets: bool) -> String {
    let providers: Vec<_> = models.providers().iter().map(|provider| &*provider.known_as).collect();
    let targets = if with_targets { models.target_ids() } else { Vec::new() };
    let likeness = |name: &str| strsim::jaro_winkler(reference, name);
    let names = providers.iter().chain(&targets).map(|name| (likeness(name), *name));
    if let Some((_, near)) = names.filter(|(likeness, _)| *likeness >= LIKENESS_MIN).max_by(|a, b| a.0.total_cmp(&b.0))
    {
        return format!("did you mean \"{near}\"?");
    }
    let also = if targets.is_empty() { String::new() } else { format!("; targets: {}", targets.join(", ")) };
    format!("configured are: {}{also}", providers.join(", "))
}

fn own(target: &config::Target) -> RouteTarget {
    RouteTarget {
        providers: Vec::new(),
        model: target.model.as_ref().map(|model| Arc::from(model.value.as_str())),
        settings: Arc::new(TargetSettings {
            override_params: target.override_params.clone(),
            retry: target.retry.clone(),
            first_byte_timeout: target.first_byte_timeout,
            tier: target.tier,
            ..TargetSettings::default()
        }),
    }
}
