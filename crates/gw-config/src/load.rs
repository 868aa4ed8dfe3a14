//! Loading: from a file to the configuration as meant, or to everything that is wrong with it.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use crate::config::{AuthMode, Config, Profile};
use crate::decode::{Decode, Decoder};
use crate::diagnostic::{Diagnostic, Diagnostics, Place, Report};
use crate::environment::Environment;
use crate::file::File;
use crate::interpolate::References;
use crate::manifest::{self, Content};
use crate::meaning::{self, Meaning};
use crate::node::{Node, Origin};
use crate::overlay;
use crate::repair::parse;
use crate::text::reason;

/// The most bytes of a configuration file.
const FILE_BYTES_MAX: usize = 4 << 20;

/// What loading needs to know of the program around it.
#[derive(Debug, Clone, Copy, Default)]
pub struct LoadOptions<'a> {
    /// The provider types that can be spoken to: ids and their aliases.
    pub provider_types: &'a [&'a str],
    /// Provider types that are known and cannot be spoken to yet.
    pub unsupported_provider_types: &'a [&'a str],
    /// Whether the command line allows to serve other machines without keys.
    pub allow_unauthenticated: bool,
    /// The environment that the command line names; `GATEWAY_ENV`, `NODE_ENV` or the file says it if `None`.
    pub environment: Option<&'a str>,
}

/// A configuration that can be used.
#[derive(Debug)]
pub struct Loaded {
    /// The configuration.
    pub config: Config,
    /// What somebody should look at.
    pub warnings: Vec<Diagnostic>,
}

/// Loads a configuration file, YAML or JSON, raw or in a Kubernetes ConfigMap.
///
/// # Errors
///
/// Everything that is wrong with it, at once.
pub fn load(path: &Path, environment: &Environment, options: &LoadOptions<'_>) -> Result<Loaded, Diagnostics> {
    let place = Place::whole(path);
    let failure =
        |message: String, help: &str| Diagnostics::from(vec![Diagnostic::error(&place, message).with_help(help)]);
    let content = environment.read(path, FILE_BYTES_MAX).map_err(|error| {
        failure(
            format!("cannot be read ({})", reason(&error)),
            "name a file that the gateway may read, of at most 4 MiB",
        )
    })?;
    match String::from_utf8(content) {
        Ok(text) => load_str(&text, path, environment, options),
        Err(error) => {
            let valid = &error.as_bytes()[..error.utf8_error().valid_up_to()];
            let line = valid.iter().filter(|byte| **byte == b'\n').count() + 1;
            Err(failure(format!("is not valid UTF-8 in line {line}"), "save it as UTF-8"))
        }
    }
}

/// Loads a configuration from its text. `path` is where it would stand: it is named in diagnostics, and relative paths
/// begin in its directory.
///
/// # Errors
///
/// Everything that is wrong with it, at once.
pub fn load_str(
    text: &str,
    path: &Path,
    environment: &Environment,
    options: &LoadOptions<'_>,
) -> Result<Loaded, Diagnostics> {
    let mut report = Report::default();
    let config = if text.len() > FILE_BYTES_MAX {
        report
            .add(Diagnostic::error(&Place::whole(path), "the file is larger than 4 MiB").with_help("make it smaller"));
        Config::local()
    } else {
        let mut config = read(text, path, environment, options, None, &mut report);
        if !report.has_failed() {
            read_beside(&mut config, &mut report, |name, report| {
                read(text, path, environment, options, Some(name), report)
            });
        }
        config
    };
    report.finish().map(|warnings| Loaded { config, warnings })
}

/// Reads the environments that serve requests beside the one in force: those that keys name, and on a laptop that asks for
/// no keys all that can be read.
fn read_beside(config: &mut Config, report: &mut Report, read: impl Fn(&str, &mut Report) -> Config) {
    let named: Vec<&str> = config.auth.keys.iter().flat_map(|key| &key.environments).map(|name| &*name.value).collect();
    let is_free = config.profile == Profile::Local && config.auth.mode != AuthMode::Required;
    let mut beside = Vec::new();
    for name in config.environments.names.iter().filter(|name| Some(*name) != config.environment.as_ref()) {
        let is_named = named.contains(&name.as_str());
        if !is_named && !is_free {
            continue;
        }
        let mut own = Report::default();
        let read = read(name, &mut own);
        if own.has_failed() && !is_named {
            continue;
        }
        beside.push(read);
        if is_named {
            report.append_new(own);
        }
    }
    for file in beside.iter().flat_map(|other| &other.files) {
        if !config.files.contains(file) {
            config.files.push(file.clone());
        }
    }
    config.environments.beside = beside;
}

/// Reads a configuration, that of the environment in force or of one beside it. It is only to be used if the report holds no mistake afterwards.
fn read(
    text: &str,
    path: &Path,
    environment: &Environment,
    options: &LoadOptions<'_>,
    beside: Option<&str>,
    report: &mut Report,
) -> Config {
    let origin = Origin::Text { file: Some(Arc::new(path.to_owned())), lines_above: 0, columns_left: 0 };
    let directory = path.parent().unwrap_or(Path::new(""));
    let references = References { environment, directory, files: BTreeSet::new() };
    let mut decoder = Decoder::new(references, report);
    let (file, root, active) = match document(text, &origin, decoder.report) {
        // An empty file is a configuration in which nothing is set.
        None => (File::default(), Place::whole(path), None),
        Some(mut node) => {
            let active = overlay::lay(&mut node, options.environment, beside, &mut decoder);
            (File::decode(&node, &mut decoder).unwrap_or_default(), node.place, active)
        }
    };
    let Decoder { references, report, shown, .. } = decoder;
    let profile = file.profile.value().copied().unwrap_or(Profile::Local);
    let mut meaning = Meaning { options, report, root: &root, profile, shown: &shown, active };
    let files = std::iter::once(path.to_owned()).chain(references.files).collect();
    meaning::mean(&file, files, &mut meaning)
}

/// The configuration's tree; `None` if the file is empty, or if something is wrong that was reported.
fn document(text: &str, origin: &Origin, report: &mut Report) -> Option<Node> {
    let node = parse(text, origin, report).filter(|node| !node.is_null())?;
    match manifest::unwrap(node, report) {
        Content::Plain(node) => Some(node),
        Content::Wrapped(inner) => inner.filter(|node| !node.is_null()),
    }
}
