//! What others call by its name: `presets`, and `targets` with ids. As meant.

use std::collections::HashSet;

use serde_json::Value;

use super::Meaning;
use crate::config::{NamedTarget, Preset, Profile, Provider, Routing, Spanned, Target};
use crate::file::{File, JsonTarget};
use crate::secret::Secret;
use crate::text::quote;

/// The longest name of a preset, in bytes.
const NAME_BYTES_MAX: usize = 64;

impl Meaning<'_> {
    /// The presets, in the order of the file. What is in them is read where requests are.
    pub(super) fn presets(&mut self, file: &File) -> Vec<Preset> {
        let mut presets = Vec::new();
        for (name, form) in file.presets.value().map(|presets| presets.0.as_slice()).unwrap_or_default() {
            if !is_name(&name.value) {
                let message = format!("{} is not the name of a preset", quote(&name.value));
                let help =
                    "write at most 64 letters, digits, \".\", \"_\" and \"-\", beginning with a letter or a digit";
                self.mistake(&name.place, message, help);
            }
            if self.profile == Profile::Server {
                for place in &form.value.literal_secrets {
                    let message = format!("a secret of preset {} stands in the file", quote(&name.value));
                    self.warning(place, message, "give it by reference: ${NAME} or ${file:/path}");
                }
            }
            let json = Secret::new(Value::Object(form.value.members.clone()).to_string());
            presets.push(Preset { name: name.clone(), json, places: form.value.places.clone() });
        }
        presets
    }

    /// The targets with ids; none if those of the file are the JSON form.
    pub(super) fn named_targets(&mut self, file: &File, providers: &[Provider], routing: &Routing) -> Vec<NamedTarget> {
        let Some(written) = named(file) else { return Vec::new() };
        let names: HashSet<&str> = providers.iter().map(|provider| provider.name.value.as_str()).collect();
        let targets: Vec<_> = written.iter().filter_map(|target| self.named_target(target, &names, routing)).collect();
        self.refuse_twins("target", targets.iter().map(|target| &target.id));
        for (given, key) in [
            (file.strategy.given().map(|given| &given.place), "strategy"),
            (file.override_params.given().map(|given| &given.place), "override_params"),
            (file.request_timeout.given().map(|given| &given.place), "request_timeout"),
        ] {
            if let Some(place) = given {
                let message = format!("\"{key}\" is for targets without ids");
                self.mistake(place, message, "write it in a route, or at each target");
            }
        }
        targets
    }

    fn named_target(
        &mut self,
        target: &Spanned<JsonTarget>,
        providers: &HashSet<&str>,
        routing: &Routing,
    ) -> Option<NamedTarget> {
        let Spanned { value: written, place } = target;
        let Some(id) = written.id.given() else {
            if written.id.is_absent() {
                let message = "a target without an \"id\" stands among targets with ids".to_owned();
                self.mistake(place, message, "add one");
            }
            return None;
        };
        let id = Spanned { value: id.value.0.clone(), place: id.place.clone() };
        let subject = format!("target {}", self.show(&id.value, &id.place));
        if providers.contains(id.value.as_str()) {
            let message = format!("{subject} is called like a provider, which comes first");
            self.mistake(&id.place, message, "give it another id");
        }
        for (given, key) in [
            (written.api_key.given().map(|given| &given.place), "api_key"),
            (written.custom_host.given().map(|given| &given.place), "custom_host"),
            (written.name.given().map(|given| &given.place), "name"),
            (written.weight.given().map(|given| &given.place), "weight"),
            (written.strategy.given().map(|given| &given.place), "strategy"),
            (written.targets.given().map(|given| &given.place), "targets"),
        ] {
            if let Some(place) = given {
                let message = format!("{subject} has an \"id\", and \"{key}\", which is for targets without one");
                self.mistake(place, message, "configure it at its provider, or where the target is referred to");
            }
        }
        if written.provider.is_absent() {
            self.mistake(place, format!("{subject} has no \"provider\""), "add the name or the type of one");
        }
        self.refuse_two_models(&written.model, &written.override_params);
        let params = written.override_params.value().map(|members| members.0.clone()).unwrap_or_default();
        let (override_params, params_model) = self.without_model(params, place);
        let params_model = params_model.map(|model| Spanned { value: model, place: place.clone() });
        let target = Target {
            provider: Some(written.provider.given()?.clone()),
            model: written.model.given().map(super::routes::spanned).or(params_model),
            override_params,
            retry: written.retry.given().map(|retry| self.retry(Some(retry), &routing.retry)),
            first_byte_timeout: written.request_timeout.value().map(|timeout| timeout.0),
            tier: None,
        };
        Some(NamedTarget { id, target })
    }
}

/// The targets of a file, if they are not the JSON form.
pub(super) fn named(file: &File) -> Option<&[Spanned<JsonTarget>]> {
    let targets = file.targets.value()?;
    targets.iter().any(|target| !target.value.id.is_absent()).then_some(targets.as_slice())
}

fn is_name(name: &str) -> bool {
    let fits = |letter: u8| letter.is_ascii_alphanumeric() || matches!(letter, b'.' | b'_' | b'-');
    name.len() <= NAME_BYTES_MAX
        && name.bytes().all(fits)
        && name.bytes().next().is_some_and(|first| first.is_ascii_alphanumeric())
}
