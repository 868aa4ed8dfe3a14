//! Finds, reads and checks the configuration, up to the snapshot as running.

use std::path::Path;
use std::sync::Arc;

use gw_config::Environment;
use gw_config::config::Config;
use gw_config::diagnostic::{Diagnostic, Diagnostics};
use gw_config::{Found, FoundBecause};
use gw_config::{LoadOptions, Loaded};
use gw_engine::Snapshot;
use gw_engine::routing::standing::Standings;
use gw_engine::snapshot::{self, Resources};
use gw_engine::trials::Trials;
use gw_http::Origins;
use gw_providers::auth::Authenticators;
use gw_providers::catalog::models::{self, Tier};
use gw_providers::catalog::{Catalog, ProviderType};

use crate::catalog::Newest;
use crate::cli::Options;

/// A configuration that can be used.
pub(crate) struct Settings {
    /// As meant.
    pub(crate) config: Config,
    /// What somebody should look at.
    pub(crate) warnings: Vec<Diagnostic>,
    /// Where it came from; `None` if there is none.
    pub(crate) found: Option<Found>,
}

/// What outlives every snapshot, and what snapshots share.
#[derive(Default)]
pub(crate) struct Lasting {
    /// Places that requests go to, with their connections.
    pub(crate) origins: Arc<Origins>,
    /// Who we are to providers, with their tokens.
    pub(crate) authenticators: Arc<Authenticators>,
    /// The newest models and prices.
    pub(crate) newest: Arc<Newest>,
    /// How providers stand.
    pub(crate) standings: Standings,
    /// How canaries go.
    pub(crate) trials: Trials,
}

/// Reads the configuration that is to be used, or the one of a gateway that was given none.
pub(crate) fn read(options: &Options, environment: &Environment) -> Result<Settings, Diagnostics> {
    let Some(found) = gw_config::find(options.config.as_deref(), environment) else {
        return Ok(Settings { config: Config::local(), warnings: Vec::new(), found: None });
    };
    let catalog = Catalog::builtin();
    let types = catalog.names();
    let load = LoadOptions {
        provider_types: &types,
        unsupported_provider_types: &[],
        allow_unauthenticated: options.allow_unauthenticated,
        environment: options.environment.as_deref(),
    };
    let Loaded { config, mut warnings } = gw_config::load(&found.path, environment, &load)?;
    for one in std::iter::once(&config).chain(&config.environments.beside) {
        let lesser = gw_config::downgrades(one, |model| tier(catalog, model));
        let new: Vec<_> = lesser.into_iter().filter(|found| !warnings.contains(found)).collect();
        warnings.extend(new);
    }
    Ok(Settings { config, warnings, found: Some(found) })
}

/// How able a model is, by its name alone: as its likeliest maker says.
fn tier(catalog: &'static Catalog, model: &str) -> Option<Tier> {
    let own = |owner: &&ProviderType| models::facts(catalog, None, &owner.id, model);
    let facts = catalog.known_model(model).iter().find_map(own).or_else(|| models::facts(catalog, None, "", model))?;
    facts.model.tier
}

/// Builds the snapshot as running.
pub(crate) fn build(config: &Config, lasting: &Lasting, generation: u64) -> Result<Snapshot, Diagnostics> {
    let resources = Resources {
        catalog: Catalog::builtin(),
        origins: &lasting.origins,
        authenticators: &lasting.authenticators,
        update: lasting.newest.of(&config.catalog)?,
        guard: None,
        standings: &lasting.standings,
        trials: &lasting.trials,
        variable: &|name| std::env::var(name).ok().filter(|value| !value.is_empty()),
    };
    snapshot::build(config, &resources, generation)
}

/// Does everything but start; says what it found.
pub(crate) fn check(options: &Options, environment: &Environment) -> Result<String, Diagnostics> {
    let settings = read(options, environment)?;
    let snapshot = build(&settings.config, &Lasting::default(), 1)?;
    let mut report = String::new();
    for warning in &settings.warnings {
        report.push_str(&format!("{warning}\n"));
    }
    for warning in &snapshot.warnings {
        report.push_str(&format!("{warning}\n"));
    }
    let source = describe(&settings);
    report.push_str(&format!("{source}: fine, {} providers", snapshot.providers().len()));
    for beside in snapshot.beside() {
        let name = beside.environment.as_deref().unwrap_or_default();
        report.push_str(&format!("; beside it environment {name}, {} providers", beside.providers().len()));
    }
    Ok(report)
}

/// Where the configuration came from, and the environment that is in force, for a person.
pub(crate) fn describe(settings: &Settings) -> String {
    let Some(Found { path, because }) = &settings.found else {
        return "no configuration file; running with the defaults of a laptop".to_owned();
    };
    let why = match because {
        FoundBecause::Argument => "named by --config",
        FoundBecause::Variable => "named by AI_GATEWAY_CONFIG",
        FoundBecause::UsualName => "found in the working directory",
    };
    match &settings.config.environment {
        Some(environment) => format!("{} ({why}), environment {environment}", display(path)),
        None => format!("{} ({why})", display(path)),
    }
}

fn display(path: &Path) -> String {
    path.display().to_string()
}
