//! From the file as written to the configuration as meant: defaults applied, names resolved within the file, and the
//! rules that no single key can break.

mod auth;
mod auto;
mod cost;
mod credentials;
mod graph;
mod groups;
mod json_form;
mod limits;
mod named;
mod parameters;
mod providers;
mod relay;
mod routes;
mod routing;
mod rules;
mod server;
mod slow;
mod translation;
mod versions;
mod watching;

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;

use crate::config::{Config, Environments, LogFormat, Logging, NamedKey, Profile, Spanned};
use crate::decode::Shown;
use crate::diagnostic::{Diagnostic, Place, Report};
use crate::file::File;
use crate::load::LoadOptions;
use crate::text::{nearest, quote};

/// What every rule needs.
pub(crate) struct Meaning<'a> {
    pub(crate) options: &'a LoadOptions<'a>,
    pub(crate) report: &'a mut Report,
    /// The file as a whole, for what is wrong because it is missing.
    pub(crate) root: &'a Place,
    pub(crate) profile: Profile,
    /// The environment whose keys are in force.
    pub(crate) active: Option<String>,
    /// How values with references in them are shown.
    pub(crate) shown: &'a Shown,
}

/// Makes the configuration of a file. It is only to be used if the report holds no mistake afterwards.
pub(crate) fn mean(file: &File, files: Vec<PathBuf>, meaning: &mut Meaning<'_>) -> Config {
    let profile = meaning.profile;
    let listen = meaning.listen(file);
    let auth = meaning.auth(&file.auth);
    let routing = meaning.routing(file);
    let mut providers = meaning.providers(file, &routing);
    let names: HashSet<&str> = providers.iter().map(|provider| provider.name.value.as_str()).collect();
    let mut routes = meaning.routes(file, &names, &routing);
    let mut default_route = meaning.default_route(file, &names, &mut routes);
    let form = meaning.json_form(file, &routing);
    meaning.refuse_twins("provider", form.providers.iter().map(|provider| &provider.name));
    providers.extend(form.providers);
    let targets = meaning.named_targets(file, &providers, &routing);
    if let Some(route) = form.route {
        default_route = Some(routes.len());
        routes.push(route);
    }
    meaning.refuse_twins("route or alias", routes.iter().map(|route| &route.name));
    let catalog = meaning.catalog(file);
    let files = files.into_iter().chain(catalog.file.clone()).collect();
    let config = Config {
        files,
        profile,
        server: meaning.server(file.server.value()),
        health_checks: meaning.health_checks(file),
        canaries: meaning.canaries(file),
        shadow_limits: watching::shadow_limits(file),
        translation: translation::translation(file.translation.value()),
        price_overrides: Meaning::price_overrides(file),
        custom_costs: meaning.custom_costs(file, &auth.keys),
        zero_completion_insurance: Meaning::zero_completion_insurance(file),
        catalog,
        relay: relay::relay(file.relay.value()),
        metrics: meaning.metrics(file.metrics.value(), &listen),
        logging: logging(file, profile),
        listen,
        providers,
        routes,
        default_route,
        default_route_overrides: form.overrides,
        targets,
        presets: meaning.presets(file),
        routing,
        environment: meaning.environment(file),
        environments: meaning.environments(file, &auth.keys),
        auth,
    };
    meaning.refuse_strangers(file, &config);
    config
}

fn logging(file: &File, profile: Profile) -> Logging {
    let default = Config::local().logging;
    let format = match profile {
        Profile::Local => default.format,
        Profile::Server => LogFormat::Json,
    };
    let Some(written) = file.logging.value() else {
        return Logging { format, ..default };
    };
    Logging {
        format: written.format.value().copied().unwrap_or(format),
        level: written.level.value().map_or(default.level, |level| level.0.clone()),
        requests: written.requests.value().copied().unwrap_or(default.requests),
    }
}

impl Meaning<'_> {
    /// The environment whose keys are in force.
    fn environment(&mut self, file: &File) -> Option<String> {
        if let Some(name) = file.environment.given().filter(|_| file.environments.is_absent()) {
            let message = "\"environment\" names one of \"environments\", and there are none".to_owned();
            self.mistake(&name.place, message, "add them, or remove it");
        }
        self.active.clone()
    }

    /// The environments that there are. Those that keys name must be among them.
    fn environments(&mut self, file: &File, keys: &[NamedKey]) -> Environments {
        let written = file.environments.value().map(|pairs| pairs.0.as_slice()).unwrap_or_default();
        let names: Vec<String> = written.iter().map(|(name, _)| name.value.clone()).collect();
        for name in keys.iter().flat_map(|key| &key.environments).filter(|name| !names.contains(&name.value)) {
            let shown = self.show(&name.value, &name.place);
            let message = format!("the key's environment {shown} is not under \"environments\"");
            let help = match nearest(&name.value, names.iter().map(String::as_str)) {
                Some(near) if shown == quote(&name.value) => format!("did you mean {}?", quote(near)),
                _ => "add it, or name another".to_owned(),
            };
            self.mistake(&name.place, message, &help);
        }
        Environments { names, beside: Vec::new() }
    }

    /// A value as messages show it: as it is written, if references are in it.
    fn show(&self, value: &str, place: &Place) -> String {
        self.shown.get(&(place.line, place.column)).cloned().unwrap_or_else(|| quote(value))
    }

    fn mistake(&mut self, place: &Place, message: String, help: &str) {
        self.report.add(Diagnostic::error(place, message).with_help(help));
    }

    fn warning(&mut self, place: &Place, message: String, help: &str) {
        self.report.add(Diagnostic::warning(place, message).with_help(help));
    }

    /// Reports names that stand twice. `what` is what they name.
    fn refuse_twins<'n>(&mut self, what: &str, names: impl IntoIterator<Item = &'n Spanned<String>>) {
        let mut seen: HashMap<&str, u32> = HashMap::new();
        for name in names {
            if let Some(line) = seen.get(name.value.as_str()) {
                let message =
                    format!("there is already a {what} {} in line {line}", self.show(&name.value, &name.place));
                self.mistake(&name.place, message, "give one of them another name");
            } else {
                seen.insert(&name.value, name.place.line);
            }
        }
    }
}
