//! Routes as meant: aliases, routes, the default model.

use std::collections::HashSet;
use std::time::Duration;

use gw_policy::failure::Failures;
use gw_policy::retry::Retry;
use serde_json::{Map, Value};

use super::Meaning;
use super::groups::Member;
use super::named::named;
use super::routing::failures;
use crate::config::{Route, RouteNode, Routing, Spanned, Target};
use crate::decode::Written;
use crate::diagnostic::Place;
use crate::file::{self, File, StrategyForm};
use crate::free::{FailureName, FreeMembers};
use crate::names::ModelName;
use crate::scalar::Scalar;
use crate::text::quote;

/// What targets have from the group around them, where they do not say it themselves.
#[derive(Clone, Default)]
pub(super) struct Inherited {
    pub(super) override_params: Map<String, Value>,
    pub(super) retry: Option<Retry>,
    pub(super) first_byte_timeout: Option<Duration>,
    /// Whether they are models of which one is to suit the conversation.
    pub(super) is_auto: bool,
}

/// Several targets as written, in a route or in a target.
pub(super) struct Branch<'a> {
    pub(super) strategy: &'a Written<StrategyForm>,
    pub(super) targets: &'a [Spanned<file::Target>],
    pub(super) fallback: &'a Written<Vec<Spanned<FailureName>>>,
}

impl Meaning<'_> {
    /// The names that applications may use: aliases, then routes.
    pub(super) fn routes(&mut self, file: &File, providers: &HashSet<&str>, routing: &Routing) -> Vec<Route> {
        let mut routes = Vec::new();
        for (name, stands_for) in file.aliases.value().map(|aliases| aliases.0.as_slice()).unwrap_or_default() {
            if let Err(fault) = ModelName::parse(&name.value) {
                self.mistake(&name.place, format!("the name of an alias {}", fault.predicate), &fault.help);
            }
            let node = RouteNode::Target(self.target(stands_for, providers));
            routes.push(Route { name: name.clone(), node, version: None });
        }
        for route in file.routes.value().into_iter().flatten() {
            routes.extend(self.route(route, routing));
        }
        self.refuse_chains(&routes);
        self.refuse_dynamic_twins(&routes);
        routes
    }

    pub(super) fn branch(
        &mut self,
        branch: &Branch<'_>,
        inherited: &Inherited,
        subject: &str,
        routing: &Routing,
    ) -> Option<RouteNode> {
        let members = self.members(branch, inherited, subject, routing);
        let fallback = self.fallback(branch.strategy, branch.fallback, &routing.fallback);
        self.group(branch.strategy, members, fallback)
    }

    /// The members of several targets.
    pub(super) fn members<'b>(
        &mut self,
        branch: &Branch<'b>,
        inherited: &Inherited,
        subject: &str,
        routing: &Routing,
    ) -> Vec<Member<'b>> {
        let used = self.used(branch.strategy, branch.targets);
        self.refuse_same_names(used.iter().filter_map(|target| target.value.name.given()));
        let mut members = Vec::new();
        for target in used {
            members.push(Member {
                name: target.value.name.given(),
                weight: &target.value.weight,
                place: &target.place,
                node: self.route_node(target, inherited, subject, routing),
            });
        }
        members
    }

    fn route_node(
        &mut self,
        target: &Spanned<file::Target>,
        inherited: &Inherited,
        subject: &str,
        routing: &Routing,
    ) -> Option<RouteNode> {
        let Spanned { value: written, place } = target;
        let own = Inherited {
            override_params: merged(&inherited.override_params, written.override_params.value().map(|own| &own.0)),
            retry: match written.retry.given() {
                Some(retry) => {
                    let around = inherited.retry.as_ref().unwrap_or(&routing.retry);
                    Some(self.retry(Some(retry), around))
                }
                None => inherited.retry.clone(),
            },
            first_byte_timeout: written.first_byte_timeout.value().copied().or(inherited.first_byte_timeout),
            is_auto: inherited.is_auto,
        };
        if let Some(tier) = written.tier.given().filter(|_| !inherited.is_auto) {
            let message = "a target's \"tier\" is for routes with the strategy auto".to_owned();
            self.mistake(&tier.place, message, "remove it");
        }
        let names_one = !written.provider.is_absent() || !written.model.is_absent();
        if let Some(inner) = written.targets.given() {
            if names_one {
                let message =
                    format!("a target of {subject} has targets of its own, and a provider or a model besides");
                self.mistake(place, message, "keep one of them");
            }
            if inner.value.0.is_empty() {
                self.mistake(&inner.place, format!("a target of {subject} has an empty list of targets"), "add one");
            }
            let branch =
                Branch { strategy: &written.strategy, targets: &inner.value.0, fallback: &written.fallback_on_errors };
            return self.branch(&branch, &own, subject, routing);
        }
        if written.targets.is_absent() {
            self.refuse_idle_group_keys(&written.strategy, &written.fallback_on_errors);
        }
        if !names_one && written.targets.is_absent() {
            let message = format!("a target of {subject} has neither \"provider\" nor \"model\"");
            self.mistake(place, message, "add one of them");
        }
        let provider = written.provider.given();
        let (override_params, params_model) = self.without_model(own.override_params, place);
        self.refuse_two_models(&written.model, &written.override_params);
        let model = written.model.given().map(spanned);
        let params_model = params_model.map(|model| Spanned { value: model, place: place.clone() });
        Some(RouteNode::Target(Target {
            provider: provider.map(|name| Spanned { value: name.value.0.clone(), place: name.place.clone() }),
            model: model.or(params_model),
            override_params,
            retry: own.retry,
            first_byte_timeout: own.first_byte_timeout,
            tier: written.tier.value().copied(),
        }))
    }

    /// The failures after which the next member of a group is tried.
    pub(super) fn fallback(
        &mut self,
        strategy: &Written<StrategyForm>,
        own: &Written<Vec<Spanned<FailureName>>>,
        around: &Failures,
    ) -> Failures {
        let codes = strategy.value().and_then(|form| form.0.on_status_codes.given());
        if let (Some(_), Some(second)) = (own.given(), codes) {
            let message = "\"fallback_on_errors\" and \"strategy.on_status_codes\" say the same".to_owned();
            self.mistake(&second.place, message, "keep one of them");
        }
        own.value().map_or_else(|| around.clone(), |names| failures(names))
    }

    /// Reports what says something about targets where there are none.
    pub(super) fn refuse_idle_group_keys(
        &mut self,
        strategy: &Written<StrategyForm>,
        fallback: &Written<Vec<Spanned<FailureName>>>,
    ) {
        let strategy = strategy.given().map(|given| (&given.place, "strategy"));
        let fallback = fallback.given().map(|given| (&given.place, "fallback_on_errors"));
        for (place, key) in [strategy, fallback].into_iter().flatten() {
            let message = format!("\"{key}\" says something about \"targets\", and this target has none");
            self.mistake(place, message, "remove it or add targets");
        }
    }

    /// The members without the model, and the model.
    pub(super) fn without_model(
        &mut self,
        mut members: Map<String, Value>,
        place: &Place,
    ) -> (Map<String, Value>, Option<String>) {
        let model = match members.remove("model") {
            None => None,
            Some(Value::String(model)) if ModelName::parse(&model).is_ok() => Some(model),
            Some(_) => {
                self.mistake(place, "override_params.model is not a model name".to_owned(), "write it as text");
                None
            }
        };
        (members, model)
    }

    /// Reports a target that names two models.
    pub(super) fn refuse_two_models(&mut self, model: &Written<ModelName>, params: &Written<FreeMembers>) {
        let in_params = params.value().and_then(|members| members.0.get("model"));
        if let (Some(model), Some(other)) = (model.given(), in_params)
            && other.as_str() != Some(&model.value.0)
        {
            let message = "\"model\" and \"override_params.model\" name different models".to_owned();
            self.mistake(&model.place, message, "keep one of them");
        }
    }

    /// Reports targets of one group that have the same name.
    pub(super) fn refuse_same_names<'n>(&mut self, names: impl Iterator<Item = &'n Spanned<ModelName>>) {
        let names: Vec<Spanned<String>> = names.map(spanned).collect();
        self.refuse_twins("target", &names);
    }

    /// `provider/model` if what stands before the slash is the name or the type of a provider, else a model.
    fn target(&self, written: &Spanned<ModelName>, providers: &HashSet<&str>) -> Target {
        let text = written.value.0.as_str();
        let place = &written.place;
        let whole = || Target { model: Some(spanned(written)), ..Target::default() };
        let Some((provider, model)) = text.split_once('/').filter(|(_, model)| !model.is_empty()) else {
            return whole();
        };
        if !providers.contains(provider) && !self.options.provider_types.contains(&provider) {
            return whole();
        }
        let part = |value: &str| Some(Spanned { value: value.to_owned(), place: place.clone() });
        Target { provider: part(provider), model: part(model), ..Target::default() }
    }

    /// Reports names that stand for another name of ours: one reader would follow it and another would not.
    fn refuse_chains(&mut self, routes: &[Route]) {
        let names: HashSet<&str> = routes.iter().map(|route| route.name.value.as_str()).collect();
        for target in routes.iter().flat_map(|route| route.node.targets()) {
            let Target { provider: None, model: Some(model), .. } = target else { continue };
            if names.contains(model.value.as_str()) {
                let message = format!("{} is itself a route or an alias", self.show(&model.value, &model.place));
                self.mistake(&model.place, message, "write the provider/model that it stands for");
            }
        }
    }

    /// Reports names that another route has as well: each answers to `dynamic/NAME`.
    fn refuse_dynamic_twins(&mut self, routes: &[Route]) {
        let names: HashSet<&str> = routes.iter().map(|route| route.name.value.as_str()).collect();
        for Route { name, .. } in routes {
            if name.value.strip_prefix("dynamic/").is_some_and(|rest| names.contains(rest)) {
                let message = format!("{} is what the route behind the slash is called, too", quote(&name.value));
                self.mistake(&name.place, message, "give one of them another name");
            }
        }
    }

    /// The route of requests that name no model; it is added if it is none yet.
    pub(super) fn default_route(
        &mut self,
        file: &File,
        providers: &HashSet<&str>,
        routes: &mut Vec<Route>,
    ) -> Option<usize> {
        let model = file.default_model.given()?;
        let json_form = file.targets.given().filter(|targets| !targets.value.is_empty() && named(file).is_none());
        if let Some(targets) = json_form {
            let message = "\"targets\" and \"default_model\" both say where requests go".to_owned();
            self.mistake(&targets.place, message, "keep one of them");
        }
        let known = routes.iter().position(|route| route.name.value == model.value.0);
        Some(known.unwrap_or_else(|| {
            let node = RouteNode::Target(self.target(model, providers));
            routes.push(Route { name: spanned(model), node, version: None });
            routes.len() - 1
        }))
    }
}

/// The members of both; what is nearer to the target counts.
pub(super) fn merged(around: &Map<String, Value>, own: Option<&Map<String, Value>>) -> Map<String, Value> {
    let mut members = around.clone();
    members.extend(own.into_iter().flatten().map(|(key, value)| (key.clone(), value.clone())));
    members
}

pub(super) fn spanned(name: &Spanned<ModelName>) -> Spanned<String> {
    Spanned { value: name.value.0.clone(), place: name.place.clone() }
}
