//! The JSON form as meant: its targets become providers of the configuration, and the tree of them the default route.

use std::collections::HashSet;
use std::time::Duration;

use super::Meaning;
use super::groups::Member;
use super::named::named;
use super::routes::{Inherited, merged, spanned};
use crate::config::{Provider, ProviderTimeouts, Route, RouteNode, Routing, Spanned, Target};
use crate::decode::Written;
use crate::diagnostic::Place;
use crate::file::{File, JsonTarget, StrategyForm};
use crate::names::{ModelName, ProviderName};
use crate::scalar::Scalar;
use crate::text::quote;

/// The name of the route that the JSON form makes.
const JSON_ROUTE: &str = "default";

/// What the JSON form's targets become.
#[derive(Default)]
pub(super) struct JsonForm {
    pub(super) providers: Vec<Provider>,
    pub(super) route: Option<Route>,
    /// Whether the route also takes requests that name a model.
    pub(super) overrides: bool,
    /// Names that are written, so that none is made up that is one of them.
    named: HashSet<String>,
}

/// Where in the form a target stands, and what it has from around it.
struct Around<'a> {
    /// `targets[0].targets`.
    path: &'a str,
    inherited: Inherited,
    custom_host: Option<Spanned<String>>,
    routing: &'a Routing,
}

impl Meaning<'_> {
    /// The JSON form: its targets as providers, and the default route to them.
    pub(super) fn json_form(&mut self, file: &File, routing: &Routing) -> JsonForm {
        let mut form = JsonForm::default();
        if named(file).is_some() {
            return form;
        }
        let Some(targets) = file.targets.given().filter(|targets| !targets.value.is_empty()) else {
            self.refuse_idle_json_keys(file);
            return form;
        };
        if file.providers.value().is_some_and(|providers| !providers.is_empty()) {
            let message = "\"targets\" and \"providers\" both name providers".to_owned();
            self.mistake(&targets.place, message, "keep one of them");
        }
        let around = Around {
            path: "targets",
            inherited: Inherited {
                override_params: file.override_params.value().map(|members| members.0.clone()).unwrap_or_default(),
                retry: None,
                first_byte_timeout: file.request_timeout.value().map(|timeout| timeout.0),
                is_auto: false,
            },
            custom_host: None,
            routing,
        };
        collect_names(&targets.value, &mut form.named);
        let Some(node) = self.json_group(&file.strategy, &targets.value, &around, &mut form) else {
            return form;
        };
        let plain = |target: &Target| target.model.is_none() && target.override_params.is_empty();
        form.overrides = !matches!(&node, RouteNode::Target(target) if plain(target));
        let name = Spanned { value: JSON_ROUTE.to_owned(), place: targets.place.clone() };
        form.route = Some(Route { name, node, version: None });
        form
    }

    fn refuse_idle_json_keys(&mut self, file: &File) {
        let strategy = file.strategy.given().map(|spanned| (&spanned.place, "strategy"));
        let timeout = file.request_timeout.given().map(|spanned| (&spanned.place, "request_timeout"));
        let params = file.override_params.given().map(|spanned| (&spanned.place, "override_params"));
        for (place, key) in [strategy, timeout, params].into_iter().flatten() {
            let message = format!("{} says something about \"targets\", and there are none", quote(key));
            self.mistake(place, message, "remove it or add targets");
        }
    }

    fn json_group(
        &mut self,
        strategy: &Written<StrategyForm>,
        targets: &[Spanned<JsonTarget>],
        around: &Around<'_>,
        form: &mut JsonForm,
    ) -> Option<RouteNode> {
        let used = self.used(strategy, targets);
        // Names that are providers' names too are looked at with those.
        let is_label = |name: &&Spanned<ModelName>| ProviderName::parse(&name.value.0).is_err();
        self.refuse_same_names(used.iter().filter_map(|target| target.value.name.given()).filter(is_label));
        let mut members = Vec::new();
        for (index, target) in used.iter().enumerate() {
            let path = format!("{}[{index}]", around.path);
            members.push(Member {
                name: target.value.name.given(),
                weight: &target.value.weight,
                place: &target.place,
                node: self.json_node(target, &path, around, form),
            });
        }
        self.group(strategy, members, around.routing.fallback.clone())
    }

    fn json_node(
        &mut self,
        target: &Spanned<JsonTarget>,
        path: &str,
        around: &Around<'_>,
        form: &mut JsonForm,
    ) -> Option<RouteNode> {
        let Spanned { value: written, place } = target;
        if let Some(id) = written.id.given() {
            let message = format!("{path} has an \"id\", which is for targets that stand outside of others");
            self.mistake(&id.place, message, "move it out, or call it \"name\"");
        }
        let host =
            written.custom_host.given().map(|url| Spanned { value: url.value.0.clone(), place: url.place.clone() });
        // As Portkey has it, a retry of its own takes the place of the one around it as a whole.
        let retry = written.retry.given().map(|retry| self.retry(Some(retry), &Routing::default().retry));
        let inherited = Inherited {
            override_params: merged(
                &around.inherited.override_params,
                written.override_params.value().map(|members| &members.0),
            ),
            retry: retry.or_else(|| around.inherited.retry.clone()),
            first_byte_timeout: written
                .request_timeout
                .value()
                .map(|timeout| timeout.0)
                .or(around.inherited.first_byte_timeout),
            is_auto: false,
        };
        let custom_host = host.or_else(|| around.custom_host.clone());
        if let Some(inner) = written.targets.given() {
            if !written.provider.is_absent() || !written.api_key.is_absent() || !written.model.is_absent() {
                let message = format!("{path} has targets of its own, and a provider, a key or a model besides");
                self.mistake(place, message, "keep one of them");
            }
            if inner.value.0.is_empty() {
                self.mistake(&inner.place, format!("{path} has an empty list of targets"), "add one");
            }
            let path = format!("{path}.targets");
            let around = Around { path: &path, inherited, custom_host, routing: around.routing };
            return self.json_group(&written.strategy, &inner.value.0, &around, form);
        }
        self.refuse_idle_group_keys(&written.strategy, &Written::Absent);
        self.json_leaf(written, path, place, Around { path, inherited, custom_host, routing: around.routing }, form)
    }

    fn json_leaf(
        &mut self,
        written: &JsonTarget,
        path: &str,
        place: &Place,
        around: Around<'_>,
        form: &mut JsonForm,
    ) -> Option<RouteNode> {
        let api_key = self.credential(&written.api_key, path);
        let Inherited { override_params, retry, first_byte_timeout, .. } = around.inherited;
        let (override_params, params_model) = self.without_model(override_params, place);
        self.refuse_two_models(&written.model, &written.override_params);
        if written.provider.is_absent() && written.targets.is_absent() {
            self.mistake(place, format!("{path} has no \"provider\""), "add it");
        }
        let (_, kind) = self.named_by_type(written.provider.given()?)?;
        let plain = Provider::of_type(&kind.value);
        let provider =
            Provider { kind, endpoint: around.custom_host, api_key, timeouts: timeouts(first_byte_timeout), ..plain };
        let name = form.provider(provider, written.name.given());
        // What stands at the target itself counts before what it inherits.
        let params_model = params_model.map(|model| Spanned { value: model, place: place.clone() });
        let model = written.model.given().map(spanned).or(params_model);
        Some(RouteNode::Target(Target {
            provider: Some(name),
            model,
            override_params,
            retry,
            first_byte_timeout: None,
            tier: None,
        }))
    }
}

impl JsonForm {
    /// Adds a provider under a name of its own, or finds the one that is the same; its name.
    fn provider(&mut self, provider: Provider, name: Option<&Spanned<ModelName>>) -> Spanned<String> {
        let place = &provider.kind.place;
        let chosen = name.filter(|name| ProviderName::parse(&name.value.0).is_ok());
        if let Some(name) = chosen {
            let name = spanned(name);
            self.providers.push(Provider { name: name.clone(), ..provider });
            return name;
        }
        let mut made_up = self.providers.iter().filter(|known| !self.named.contains(&known.name.value));
        if let Some(same) = made_up.find(|known| is_same(known, &provider)) {
            return same.name.clone();
        }
        let kind = provider.kind.value.as_str();
        let is_taken =
            |name: &str| self.named.contains(name) || self.providers.iter().any(|provider| provider.name.value == name);
        let mut value = kind.to_owned();
        let mut number = 1;
        while is_taken(&value) {
            number += 1;
            value = format!("{kind}-{number}");
        }
        let name = Spanned { value, place: place.clone() };
        self.providers.push(Provider { name: name.clone(), ..provider });
        name
    }
}

/// Whether two targets mean one provider: the same account at the same place.
fn is_same(one: &Provider, other: &Provider) -> bool {
    let key = |provider: &Provider| provider.api_key.as_ref().map(|key| key.expose().to_owned());
    let host = |provider: &Provider| provider.endpoint.as_ref().map(|url| url.value.clone());
    one.kind.value == other.kind.value
        && host(one) == host(other)
        && one.timeouts == other.timeouts
        && key(one) == key(other)
}

/// The names that targets give to their providers.
fn collect_names(targets: &[Spanned<JsonTarget>], found: &mut HashSet<String>) {
    for target in targets {
        found.extend(target.value.name.value().map(|name| name.0.clone()));
        if let Some(inner) = target.value.targets.value() {
            collect_names(&inner.0, found);
        }
    }
}

fn timeouts(until_answer: Option<Duration>) -> ProviderTimeouts {
    let default = ProviderTimeouts::default();
    until_answer.map_or(default, |first_byte| ProviderTimeouts {
        connect: default.connect.min(first_byte),
        first_byte: Some(first_byte),
        ..default
    })
}
