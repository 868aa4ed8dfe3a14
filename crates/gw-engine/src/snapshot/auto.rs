//! Routes that choose models: from patterns of names to the models that configured providers serve.

use std::collections::HashMap;
use std::sync::Arc;

use gw_config::config::{AutoRoute, Route, Spanned};
use gw_config::diagnostic::Diagnostic;
use gw_policy::glob::Glob;
use gw_policy::plan::{Group, Member, Node};
use gw_providers::catalog::Kind;
use gw_providers::catalog::models::{Capability, Facts, Modality, Model, Task};

use crate::models::{Models, RouteTarget, TargetSettings};
use crate::pricing::{Pricing, usual_price};
use crate::snapshot::Provider;

/// More models are not chosen from: each request looks at all of them.
const MODELS_MAX: usize = 256;

/// What is known, and who is told of mistakes.
pub(super) struct Told<'a> {
    pub(super) models: &'a Models,
    pub(super) pricing: &'a Pricing,
    pub(super) wrong: &'a mut Vec<Diagnostic>,
    pub(super) warnings: &'a mut Vec<String>,
}

/// A model that a pattern matches: the first such pattern, what it costs, and who serves it.
struct Matched {
    pattern: usize,
    price: Option<i64>,
    providers: Vec<usize>,
}

/// The tree of a route with the models that its patterns match behind those that are written out.
pub(super) fn completed(
    route: &Route,
    auto: &AutoRoute,
    node: Node<RouteTarget>,
    mut told: Told<'_>,
) -> Node<RouteTarget> {
    let Node::Group(Group { id, strategy, mut members, fallback }) = node else { return node };
    for (target, made) in route.node.targets().into_iter().zip(members.iter().flat_map(|one| one.node.targets())) {
        if made.model.is_none()
            && let Some(provider) = &target.provider
        {
            let message = format!("a target of route \"{}\" names no model, so none can be chosen", route.name.value);
            told.wrong.push(Diagnostic::error(&provider.place, message).with_help("add its \"model\""));
        }
        if let Some(model) = &made.model
            && let Some(said) = target.model.as_ref().or(target.provider.as_ref())
            && is_for_something_else(made, model, &told)
        {
            let message =
                format!("a target of route \"{}\" names \"{model}\", which holds no conversations", route.name.value);
            told.wrong
                .push(Diagnostic::error(&said.place, message).with_help("name a model that chats, or completes texts"));
        }
    }
    let (mut matched, used) = matching(auto, told.models, told.pricing);
    told_of_patterns(route, auto, (matched.len(), &used), &mut told);
    matched.truncate(MODELS_MAX.saturating_sub(members.len()));
    let target = |(name, found): (Arc<str>, Matched)| RouteTarget {
        providers: found.providers,
        model: Some(name),
        settings: Arc::<TargetSettings>::default(),
    };
    members.extend(matched.into_iter().map(|one| Member { node: Node::Target(target(one)), weight: 1.0 }));
    Node::Group(Group { id, strategy, members, fallback })
}

/// Whether a target's model is known to be for something else, wherever it may be asked.
fn is_for_something_else(target: &RouteTarget, model: &str, told: &Told<'_>) -> bool {
    let is = |provider: &Provider, model: &str| {
        told.pricing.facts(provider, model).is_some_and(|facts| !speaks(&facts.model))
    };
    match target.providers.as_slice() {
        [] => told
            .models
            .unruled(model, Some(model), None)
            .is_ok_and(|node| node.targets().iter().all(|target| is(&target.choice.provider, &target.choice.model))),
        some => some.iter().filter_map(|index| told.models.providers().get(*index)).all(|one| is(one, model)),
    }
}

/// Whether a model holds conversations or completes texts.
fn speaks(model: &Model) -> bool {
    model.tasks.has(Task::Chat) || model.tasks.has(Task::Completion)
}

/// The models that patterns match: in the order of the patterns, then the cheapest first, then by name; and which patterns
/// match any.
fn matching(auto: &AutoRoute, models: &Models, pricing: &Pricing) -> (Vec<(Arc<str>, Matched)>, Vec<bool>) {
    let mut used = vec![false; auto.allowed.len()];
    let mut found: HashMap<Arc<str>, Matched> = HashMap::new();
    let mut order: Vec<usize> = (0..models.providers().len()).collect();
    order.sort_by_key(|index| (models.providers().get(*index).map(|one| one.priority), *index));
    for (index, provider) in order.into_iter().filter_map(|index| Some((index, models.providers().get(index)?))) {
        if !provider.is_usable() {
            continue;
        }
        for name in models.names_at(provider) {
            let is_match = |pattern: &Spanned<Glob>| matches_model(&pattern.value, provider, name);
            let Some(pattern) = auto.allowed.iter().position(is_match) else { continue };
            let facts = pricing.facts(provider, name);
            if auto.excluded.iter().any(is_match) || !will_do(facts.as_ref(), provider) {
                continue;
            }
            let also = auto.allowed.iter().zip(&mut used).filter(|(pattern, _)| is_match(pattern));
            also.for_each(|(_, used)| *used = true);
            let price = usual_price(&pricing.price(provider, name));
            let one = found.entry(Arc::from(name)).or_insert_with(|| Matched {
                pattern,
                price,
                providers: Vec::with_capacity(1),
            });
            one.pattern = one.pattern.min(pattern);
            one.providers.push(index);
        }
    }
    let mut found: Vec<_> = found.into_iter().collect();
    let key = |one: &Matched| (one.pattern, one.price.is_none(), one.price);
    found.sort_by(|one, two| key(&one.1).cmp(&key(&two.1)).then_with(|| one.0.cmp(&two.0)));
    (found, used)
}

/// Whether a pattern means a model at a provider: by the model's name there, or behind the provider's name or type. What
/// answers for trying things out has to be meant by name.
pub(crate) fn matches_model(pattern: &Glob, provider: &Provider, model: &str) -> bool {
    let behind = |prefix: &str| pattern.matches(&format!("{prefix}/{model}"));
    if provider.entry.kind == Kind::Sandbox {
        let by_name = pattern.as_str().split_once('/').is_some_and(|(before, _)| *before == *provider.known_as);
        return by_name && behind(&provider.known_as);
    }
    pattern.matches(model) || behind(&provider.known_as) || behind(&provider.type_id)
}

/// Whether a model holds any conversation or completes texts, and will go on doing so: not those that must speak, that only
/// work on one API or whose end has been announced. Of those of which nothing is known, the ones that the operator lists do.
fn will_do(facts: Option<&Facts>, provider: &Provider) -> bool {
    let Some(facts) = facts else { return !provider.models.is_empty() || provider.entry.kind == Kind::Sandbox };
    let model = &facts.model;
    let writes = model.output.has(Modality::Text) && !model.output.has(Modality::Audio);
    speaks(model) && writes && model.deprecated.is_none() && !model.can.has(Capability::ResponsesOnly)
}

/// Tells of patterns that match nothing, or too much.
fn told_of_patterns(route: &Route, auto: &AutoRoute, (matched, used): (usize, &[bool]), told: &mut Told<'_>) {
    let Some(first) = auto.allowed.first() else { return };
    let name = &route.name.value;
    if matched > MODELS_MAX {
        let message = format!("\"allowed_models\" of route \"{name}\" matches {matched} models");
        let help = format!("{MODELS_MAX} are chosen from, those of the first patterns; narrow it");
        told.warnings.push(Diagnostic::warning(&first.place, message).with_help(help).to_string());
    }
    if matched == 0 && told.models.providers().iter().all(|provider| provider.is_usable()) && told.wrong.is_empty() {
        let message = format!("no model of a configured provider matches \"allowed_models\" of route \"{name}\"");
        let help = "list the models in a provider's \"models\", or write the route's \"targets\"";
        told.wrong.push(Diagnostic::error(&first.place, message).with_help(help));
        return;
    }
    for (pattern, _) in auto.allowed.iter().zip(used).filter(|(_, used)| !**used) {
        let message = format!("\"{}\" matches no model that could be asked", pattern.value.as_str());
        told.warnings.push(Diagnostic::warning(&pattern.place, message).to_string());
    }
}
