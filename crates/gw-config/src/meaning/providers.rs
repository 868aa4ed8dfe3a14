//! Providers as meant.

use std::collections::HashSet;
use std::time::Duration;

use super::Meaning;
use crate::config::{
    HttpVersion, ModelDescription, Profile, Provider, ProviderTimeouts, ProviderTls, Routing, Spanned,
};
use crate::decode::{Pairs, Written};
use crate::diagnostic::{Diagnostic, Place};
use crate::file::{self, File, ListedModel, Timeout};
use crate::names::{ProviderName, check_header_name, check_header_value};
use crate::scalar::Scalar;
use crate::secret::Secret;
use crate::text::{nearest, quote};
use crate::url::{VariableValue, check_variable_name};
use crate::values::SecretText;

impl Meaning<'_> {
    /// The configured providers, in the order of the file.
    pub(super) fn providers(&mut self, file: &File, routing: &Routing) -> Vec<Provider> {
        let written = file.providers.value().into_iter().flatten();
        let providers: Vec<Provider> =
            written.filter_map(|written| self.provider(&written.value, &written.place, routing)).collect();
        self.refuse_twins("provider", providers.iter().map(|provider| &provider.name));
        providers
    }

    fn provider(&mut self, written: &file::Provider, place: &Place, around: &Routing) -> Option<Provider> {
        // The rest is looked at first, so that its mistakes are told even if nobody knows the type.
        let name = written.name.given().map(|name| self.show(&name.value.0, &name.place));
        let kind = || written.kind.given().map(|kind| self.show(&kind.value, &kind.place));
        let subject = name.or_else(kind).map_or_else(|| "a provider".to_owned(), |shown| format!("provider {shown}"));
        let api_key = self.credential(&written.api_key, &subject);
        let credentials = self.credentials(&written.credentials, &subject);
        let headers = self.headers(written.headers.value(), &subject);
        let mut variables = self.variables(written.variables.value(), &subject);
        for (name, id) in [("project_id", &written.project_id), ("space_id", &written.space_id)] {
            let Some(id) = id.given() else { continue };
            let place = id.place.clone();
            variables.push((
                Spanned { value: name.to_owned(), place: place.clone() },
                Spanned { value: id.value.0.clone(), place },
            ));
        }
        let tls = self.provider_tls(&written.tls, &subject);
        let (models, descriptions) = self.models(&written.models, &subject);
        let only = written.stream_only.value().into_iter().flatten();
        let stream_only =
            only.map(|model| Spanned { value: model.value.0.clone(), place: model.place.clone() }).collect();
        let parameters = self.parameters(&written.parameters, &subject);
        let model_settings = self.model_settings(&written.model_settings, &subject);
        let routing = self.provider_routing(written, around);
        let (name, kind) = self.name_and_type(written, place)?;
        Some(Provider {
            name,
            kind,
            endpoint: written
                .endpoint
                .given()
                .map(|url| Spanned { value: url.value.0.clone(), place: url.place.clone() }),
            api_key,
            credentials,
            models,
            stream_only,
            descriptions,
            priority: written.priority.value().copied().unwrap_or(0),
            has_priority: written.priority.given().is_some(),
            timeouts: written.timeout.value().map_or_else(ProviderTimeouts::default, timeouts),
            headers,
            variables,
            tls,
            proxy: written.proxy.value().cloned(),
            http_version: written.http_version.value().copied().unwrap_or(HttpVersion::Auto),
            parameters,
            model_settings,
            emulate_tools: written.emulate_tools.value().copied().unwrap_or(false),
            assurances: written
                .assurances
                .value()
                .map(|assurances| assurances.iter().map(|one| one.value.clone()).collect())
                .unwrap_or_default(),
            passthrough: written.passthrough.value().copied(),
            routing,
        })
    }

    /// The name and the type; each stands in for the other.
    fn name_and_type(&mut self, written: &file::Provider, place: &Place) -> Option<(Spanned<String>, Spanned<String>)> {
        let name = written.name.given().map(|name| Spanned { value: name.value.0.clone(), place: name.place.clone() });
        match (name, &written.kind) {
            (Some(name), Written::Given(kind)) => {
                self.check_type(kind);
                Some((name, kind.clone()))
            }
            (None, Written::Given(kind)) if written.name.is_absent() => self.named_by_type(kind),
            (Some(name), Written::Absent) => {
                if self.options.provider_types.contains(&name.value.as_str()) {
                    return Some((name.clone(), name));
                }
                let message = format!(
                    "provider {} has no \"type\", and its name is not one",
                    self.show(&name.value, &name.place)
                );
                self.mistake(&name.place, message, "add \"type: openai\", or whichever it is");
                None
            }
            (None, Written::Absent) if written.name.is_absent() => {
                self.mistake(place, "a provider has neither \"name\" nor \"type\"".to_owned(), "add \"type\"");
                None
            }
            (Some(_) | None, Written::Given(_) | Written::Broken | Written::Absent) => None,
        }
    }

    /// The name and the type of a provider that has no name of its own.
    pub(super) fn named_by_type(&mut self, kind: &Spanned<String>) -> Option<(Spanned<String>, Spanned<String>)> {
        // A type that could not be a name is none that anybody knows.
        let known = self.check_type(kind);
        (known && ProviderName::parse(&kind.value).is_ok()).then(|| (kind.clone(), kind.clone()))
    }

    /// Reports a type that nobody knows or that this version cannot speak to.
    pub(super) fn check_type(&mut self, kind: &Spanned<String>) -> bool {
        let Spanned { value, place } = kind;
        if self.options.provider_types.contains(&value.as_str()) {
            return true;
        }
        if self.options.unsupported_provider_types.contains(&value.as_str()) {
            let message = format!("this version cannot execute the provider type {} yet", self.show(value, place));
            self.mistake(place, message, "remove the provider");
            return false;
        }
        let known = self.options.provider_types.iter().chain(self.options.unsupported_provider_types);
        let shown = self.show(value, place);
        let help = match nearest(value, known.copied()) {
            // What came from elsewhere is not guessed at: the guess would tell it.
            Some(near) if shown == quote(value) => format!("did you mean {}?", quote(near)),
            Some(_) | None => {
                "for a server that speaks OpenAI's format write openai-compatible and its endpoint".to_owned()
            }
        };
        self.report.add(Diagnostic::error(place, format!("unknown provider type {shown}")).with_help(help));
        false
    }

    /// The credential of a provider.
    pub(super) fn credential(&mut self, written: &Written<SecretText>, subject: &str) -> Option<Secret> {
        let key = written.given()?;
        // JSON is no header: it is looked at by who knows what may stand in it.
        let text = key.value.secret.expose();
        let is_json = text.trim_start().starts_with('{');
        if let Err(fault) = check_header_value(text)
            && !is_json
        {
            let message = format!("the api_key of {subject} {}", fault.predicate);
            // Letters of other scripts are no danger, only no key: a placeholder such as 「あなたのKey」 stands there.
            if !text.is_ascii() && !text.contains(char::is_control) {
                self.warning(&key.place, message, "put the key in the place of these words");
            } else {
                self.mistake(&key.place, message, &fault.help);
            }
        }
        match self.profile {
            Profile::Server if key.value.literal => {
                let message = format!("the api_key of {subject} stands in the file");
                self.warning(&key.place, message, "give it by reference: ${NAME} or ${file:/path}");
            }
            Profile::Server | Profile::Local => {}
        }
        Some(key.value.secret.clone())
    }

    /// The names of the models, and what is said of some.
    fn models(
        &mut self,
        written: &Written<Vec<Spanned<ListedModel>>>,
        subject: &str,
    ) -> (Vec<Spanned<String>>, Vec<ModelDescription>) {
        let mut seen = HashSet::new();
        let (mut models, mut descriptions) = (Vec::new(), Vec::new());
        for model in written.value().into_iter().flatten() {
            let name = match &model.value {
                ListedModel::Named(name) => Spanned { value: name.0.clone(), place: model.place.clone() },
                ListedModel::Described(described) => {
                    let Some(description) = self.description(described, subject) else { continue };
                    let name = description.name.clone();
                    descriptions.push(description);
                    name
                }
            };
            if seen.insert(name.value.clone()) {
                models.push(name);
            } else {
                let message = format!("{subject} has the model {} twice", self.show(&name.value, &name.place));
                self.mistake(&name.place, message, "keep one of them");
            }
        }
        (models, descriptions)
    }

    fn headers(&mut self, written: Option<&Pairs<SecretText>>, subject: &str) -> Vec<(Spanned<String>, Secret)> {
        let mut seen = HashSet::new();
        let mut headers = Vec::new();
        for (name, value) in written.map(|pairs| pairs.0.as_slice()).unwrap_or_default() {
            let shown = format!("header {} of {subject}", quote(&name.value));
            let lower = match check_header_name(&name.value) {
                Ok(lower) => lower.as_str().to_owned(),
                Err(fault) => {
                    self.mistake(&name.place, format!("{shown} {}", fault.predicate), &fault.help);
                    continue;
                }
            };
            if !seen.insert(lower.clone()) {
                self.mistake(&name.place, format!("{shown} stands twice"), "keep one of them");
            }
            if let Err(fault) = check_header_value(value.value.secret.expose()) {
                self.mistake(&value.place, format!("{shown} {}", fault.predicate), &fault.help);
            }
            headers.push((Spanned { value: lower, place: name.place.clone() }, value.value.secret.clone()));
        }
        headers
    }

    fn variables(
        &mut self,
        written: Option<&Pairs<VariableValue>>,
        subject: &str,
    ) -> Vec<(Spanned<String>, Spanned<String>)> {
        let pairs = written.map(|pairs| pairs.0.as_slice()).unwrap_or_default();
        for (name, _) in pairs {
            if let Err(fault) = check_variable_name(&name.value) {
                let message = format!("variable {} of {subject} {}", quote(&name.value), fault.predicate);
                self.mistake(&name.place, message, &fault.help);
            }
        }
        let value =
            |value: &Spanned<VariableValue>| Spanned { value: value.value.0.clone(), place: value.place.clone() };
        pairs.iter().map(|(name, written)| (name.clone(), value(written))).collect()
    }

    fn provider_tls(&mut self, written: &Written<crate::file::ProviderTls>, subject: &str) -> ProviderTls {
        let Some(tls) = written.given() else {
            return ProviderTls::default();
        };
        if tls.value.certificate.is_absent() != tls.value.key.is_absent() {
            let message = format!("the tls of {subject} has only one of \"certificate\" and \"key\"");
            self.mistake(&tls.place, message, "give both or none");
        }
        ProviderTls {
            ca: tls.value.ca.value().cloned(),
            certificate: tls.value.certificate.value().cloned(),
            key: tls.value.key.value().cloned(),
        }
    }
}

/// One duration bounds every step; `read` bounds the wait for the first byte too, unless that is given.
pub(super) fn timeouts(written: &Timeout) -> ProviderTimeouts {
    let default = ProviderTimeouts::default();
    let bounded = |step: Duration, total: Duration| step.min(total);
    match written {
        Timeout::Total(total) => ProviderTimeouts {
            connect: bounded(default.connect, *total),
            first_byte: Some(*total),
            idle: *total,
            write: bounded(default.write, *total),
            total: *total,
        },
        Timeout::Steps(steps) => {
            let read = steps.read.value().copied();
            ProviderTimeouts {
                connect: steps.connect.value().copied().unwrap_or(default.connect),
                first_byte: steps.first_byte.value().copied().or(read),
                idle: read.unwrap_or(default.idle),
                write: steps.write.value().copied().unwrap_or(default.write),
                total: steps.total.value().copied().unwrap_or(default.total),
            }
        }
    }
}
