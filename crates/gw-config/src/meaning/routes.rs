//! Routes as meant: aliases, routes, the default model, and the JSON form's target.

use std::collections::HashSet;

use super::Meaning;
use crate::config::{Provider, ProviderTimeouts, Route, Spanned, Target};
use crate::diagnostic::Place;
use crate::file::{self, File, JsonTarget, StrategyMode};
use crate::names::ModelName;
use crate::scalar::Scalar;
use crate::secret::Secret;
use crate::text::quote;

/// The name of the route that the JSON form makes.
const JSON_ROUTE: &str = "default";

/// What the JSON form's target becomes.
pub(super) struct JsonForm {
    pub(super) provider: Provider,
    pub(super) route: Route,
    /// Whether its model takes the place of the one that a request names.
    pub(super) overrides: bool,
}

impl Meaning<'_> {
    /// The names that applications may use: aliases, then routes.
    pub(super) fn routes(&mut self, file: &File, providers: &HashSet<&str>) -> Vec<Route> {
        let mut routes = Vec::new();
        for (name, stands_for) in file.aliases.value().map(|aliases| aliases.0.as_slice()).unwrap_or_default() {
            if let Err(fault) = ModelName::parse(&name.value) {
                self.mistake(&name.place, format!("the name of an alias {}", fault.predicate), &fault.help);
            }
            routes.push(Route { name: name.clone(), targets: vec![self.target(stands_for, providers)] });
        }
        for route in file.routes.value().into_iter().flatten() {
            routes.extend(self.route(&route.value));
        }
        self.refuse_chains(&routes);
        routes
    }

    fn route(&mut self, written: &file::Route) -> Option<Route> {
        let name = spanned(written.name.given()?);
        let targets = written.targets.given()?;
        let shown = self.show(&name.value, &name.place);
        match targets.value.as_slice() {
            [] => self.mistake(&targets.place, format!("route {shown} has no target"), "add one"),
            [_] => {}
            [_, second, ..] => {
                let message = format!("this version cannot execute more than one target in route {shown} yet");
                self.mistake(&second.place, message, "keep one");
            }
        }
        for target in &targets.value {
            if target.value.provider.is_absent() && target.value.model.is_absent() {
                let message = format!("a target of route {shown} has neither \"provider\" nor \"model\"");
                self.mistake(&target.place, message, "add one of them");
            }
        }
        let targets = targets.value.iter().map(|target| Target {
            provider: target
                .value
                .provider
                .given()
                .map(|name| Spanned { value: name.value.0.clone(), place: name.place.clone() }),
            model: target.value.model.given().map(spanned),
        });
        Some(Route { name, targets: targets.collect() })
    }

    /// `provider/model` if what stands before the slash is the name or the type of a provider, else a model.
    fn target(&self, written: &Spanned<ModelName>, providers: &HashSet<&str>) -> Target {
        let text = written.value.0.as_str();
        let place = &written.place;
        let whole = || Target { provider: None, model: Some(spanned(written)) };
        let Some((provider, model)) = text.split_once('/').filter(|(_, model)| !model.is_empty()) else {
            return whole();
        };
        if !providers.contains(provider) && !self.options.provider_types.contains(&provider) {
            return whole();
        }
        let part = |value: &str| Some(Spanned { value: value.to_owned(), place: place.clone() });
        Target { provider: part(provider), model: part(model) }
    }

    /// Reports names that stand for another name of ours: one reader would follow it and another would not.
    fn refuse_chains(&mut self, routes: &[Route]) {
        let names: HashSet<&str> = routes.iter().map(|route| route.name.value.as_str()).collect();
        for target in routes.iter().flat_map(|route| &route.targets) {
            let Target { provider: None, model: Some(model) } = target else { continue };
            if names.contains(model.value.as_str()) {
                let message = format!("{} is itself a route or an alias", self.show(&model.value, &model.place));
                self.mistake(&model.place, message, "write the provider/model that it stands for");
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
        if let Some(targets) = file.targets.given().filter(|targets| !targets.value.is_empty()) {
            let message = "\"targets\" and \"default_model\" both say where requests go".to_owned();
            self.mistake(&targets.place, message, "keep one of them");
        }
        let known = routes.iter().position(|route| route.name.value == model.value.0);
        Some(known.unwrap_or_else(|| {
            routes.push(Route { name: spanned(model), targets: vec![self.target(model, providers)] });
            routes.len() - 1
        }))
    }

    /// The JSON form: its target as a provider and the default route.
    pub(super) fn json_target(&mut self, file: &File) -> Option<JsonForm> {
        let mode = file.strategy.value().and_then(|strategy| strategy.mode.given());
        let Some(targets) = file.targets.given().filter(|targets| !targets.value.is_empty()) else {
            self.refuse_idle_json_keys(file);
            return None;
        };
        if file.providers.value().is_some_and(|providers| !providers.is_empty()) {
            let message = "\"targets\" and \"providers\" both name providers".to_owned();
            self.mistake(&targets.place, message, "keep one of them");
        }
        let is_single = mode.is_some_and(|mode| mode.value == StrategyMode::Single);
        match targets.value.as_slice() {
            [_, unused @ ..] if is_single => {
                for target in unused {
                    let message = "this target is never used, since strategy.mode is single".to_owned();
                    self.warning(&target.place, message, "remove it");
                }
            }
            [_, second, ..] => {
                let message = "this version cannot execute more than one target yet".to_owned();
                self.mistake(&second.place, message, "keep one, or set strategy.mode to single to use the first");
            }
            [] | [_] => {}
        }
        let used = if is_single { 1 } else { targets.value.len() };
        let mut made = Vec::new();
        for (index, target) in targets.value.iter().take(used).enumerate() {
            let subject = format!("targets[{index}]");
            let api_key = self.credential(&target.value.api_key, &subject);
            made.push(self.made_of_target(file, &target.value, &targets.place, api_key));
        }
        made.into_iter().next().flatten()
    }

    fn refuse_idle_json_keys(&mut self, file: &File) {
        let strategy = file.strategy.given().map(|spanned| (&spanned.place, "strategy"));
        let timeout = file.request_timeout.given().map(|spanned| (&spanned.place, "request_timeout"));
        for (place, key) in [strategy, timeout].into_iter().flatten() {
            let message = format!("{} says something about \"targets\", and there are none", quote(key));
            self.mistake(place, message, "remove it or add targets");
        }
    }

    fn made_of_target(
        &mut self,
        file: &File,
        written: &JsonTarget,
        place: &Place,
        api_key: Option<Secret>,
    ) -> Option<JsonForm> {
        let params = written.override_params.value().and_then(|params| params.model.given());
        if let (Some(model), Some(params)) = (written.model.given(), params)
            && model.value.0 != params.value.0
        {
            let message = "\"model\" and \"override_params.model\" name different models".to_owned();
            self.mistake(&model.place, message, "keep one of them");
        }
        let (by_type, kind) = self.named_by_type(written.provider.given()?)?;
        let name = written.name.given().map(|name| Spanned { value: name.value.0.clone(), place: name.place.clone() });
        let name = name.unwrap_or(by_type);
        let model = params.or(written.model.given()).map(spanned);
        let until_answer = written.request_timeout.value().or(file.request_timeout.value()).map(|written| written.0);
        let default = ProviderTimeouts::default();
        let timeouts = until_answer.map_or(default, |first_byte| ProviderTimeouts {
            connect: default.connect.min(first_byte),
            first_byte,
            ..default
        });
        let overrides = model.is_some();
        let target = Target { provider: Some(name.clone()), model };
        let route_name = Spanned { value: JSON_ROUTE.to_owned(), place: place.clone() };
        let plain = Provider::of_type(&kind.value);
        let endpoint =
            written.custom_host.given().map(|url| Spanned { value: url.value.0.clone(), place: url.place.clone() });
        let provider = Provider { name, kind, endpoint, api_key, timeouts, ..plain };
        Some(JsonForm { provider, route: Route { name: route_name, targets: vec![target] }, overrides })
    }
}

fn spanned(model: &Spanned<ModelName>) -> Spanned<String> {
    Spanned { value: model.value.0.clone(), place: model.place.clone() }
}
