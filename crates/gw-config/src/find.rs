//! Where the configuration is looked for.

use std::path::{Path, PathBuf};

use crate::environment::Environment;

/// The variable that names the configuration file.
const VARIABLE: &str = "AI_GATEWAY_CONFIG";

/// The files that are taken if none is named, in this order.
const USUAL: [&str; 2] = ["ai-gateway-config.yaml", "gateway-config.json"];

/// A configuration file, and why it is this one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The file.
    pub path: PathBuf,
    /// Why it is this one.
    pub because: FoundBecause,
}

/// Why a configuration file is the one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FoundBecause {
    /// `--config` names it.
    Argument,
    /// `AI_GATEWAY_CONFIG` names it.
    Variable,
    /// It has a usual name and stands in the working directory.
    UsualName,
}

/// The configuration file: the one named by `--config`, else by `AI_GATEWAY_CONFIG`, else `ai-gateway-config.yaml` or
/// `gateway-config.json` in the working directory. A named file is returned even if it does not exist, so that loading
/// it says so and no other file is taken in its place.
pub fn find(explicit: Option<&Path>, environment: &Environment) -> Option<Found> {
    if let Some(path) = explicit {
        return Some(Found { path: path.to_owned(), because: FoundBecause::Argument });
    }
    if let Some(path) = environment.variable(VARIABLE).filter(|path| !path.is_empty()) {
        return Some(Found { path: path.into(), because: FoundBecause::Variable });
    }
    let path = USUAL.iter().map(Path::new).find(|path| environment.has_file(path))?;
    Some(Found { path: path.to_owned(), because: FoundBecause::UsualName })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn usual_files() -> Environment {
        Environment::empty().with_file(Path::new(USUAL[0]), b"").with_file(Path::new(USUAL[1]), b"")
    }

    #[test]
    fn the_argument_comes_before_the_variable_and_the_variable_before_the_usual_files() {
        let environment = usual_files().with_variable(VARIABLE, "/etc/gateway.yaml");
        let found = find(Some(Path::new("mine.yaml")), &environment);
        assert_eq!(found, Some(Found { path: "mine.yaml".into(), because: FoundBecause::Argument }));
        let found = find(None, &environment);
        assert_eq!(found, Some(Found { path: "/etc/gateway.yaml".into(), because: FoundBecause::Variable }));
    }

    #[test]
    fn the_yaml_file_comes_before_the_json_file() {
        let found = find(None, &usual_files().with_variable(VARIABLE, ""));
        assert_eq!(found, Some(Found { path: USUAL[0].into(), because: FoundBecause::UsualName }));
        let only_json = Environment::empty().with_file(Path::new(USUAL[1]), b"");
        assert_eq!(find(None, &only_json).map(|found| found.path), Some(USUAL[1].into()));
        assert_eq!(find(None, &Environment::empty()), None);
    }
}
