//! The direction of dependencies: a crate uses lower floors only, never its own floor, never a higher one.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use toml::{Table, Value};

/// The house. A new crate is entered here before it can be built upon.
const FLOORS: &[&[&str]] = &[
    &["gw-core", "gw-runtime"],
    &["gw-dialects", "gw-http", "gw-policy", "gw-telemetry"],
    &["gw-providers", "gw-config"],
    &["gw-engine"],
    &["gw-server"],
    &["gateway"],
    &["xtask", "gw-e2e", "bench"],
];

/// Reports every dependency that goes sideways or up, and every crate that has no floor.
pub(super) fn check(root: &Path) -> Result<Vec<String>> {
    let mut mistakes = Vec::new();
    let mut folders: Vec<_> =
        fs::read_dir(root.join("crates"))?.collect::<Result<Vec<_>, _>>()?.iter().map(fs::DirEntry::path).collect();
    folders.sort();
    for folder in folders {
        let file = folder.join("Cargo.toml");
        let Ok(text) = fs::read_to_string(&file) else { continue };
        let manifest = text.parse().with_context(|| format!("cannot read {}", file.display()))?;
        mistakes.extend(check_manifest(&manifest));
    }
    Ok(mistakes)
}

fn check_manifest(manifest: &Table) -> Vec<String> {
    let name = manifest.get("package").and_then(|package| package.get("name")).and_then(Value::as_str).unwrap_or("");
    let Some(floor) = floor_of(name) else {
        return vec![format!("crate {name:?} has no floor; enter it in crates/xtask/src/tidy/floors.rs")];
    };
    let mut mistakes = Vec::new();
    for (kind, dependency) in dependencies(manifest) {
        let Some(other) = floor_of(&dependency) else { continue };
        // The top floor is never depended upon by the house, so its crates may test each other.
        let tests_a_neighbour = kind == Kind::Development && floor == FLOORS.len() - 1;
        if other >= floor && !tests_a_neighbour {
            mistakes.push(format!(
                "{name} (floor {floor}) uses {dependency} (floor {other}); a crate uses lower floors only"
            ));
        }
    }
    mistakes
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Normal,
    Development,
}

/// The packages that a manifest names, in every kind of table.
fn dependencies(manifest: &Table) -> Vec<(Kind, String)> {
    let mut tables = vec![manifest];
    if let Some(targets) = manifest.get("target").and_then(Value::as_table) {
        tables.extend(targets.values().filter_map(Value::as_table));
    }
    let mut found = Vec::new();
    for table in tables {
        for (key, kind) in [
            ("dependencies", Kind::Normal),
            ("build-dependencies", Kind::Normal),
            ("dev-dependencies", Kind::Development),
        ] {
            let Some(dependencies) = table.get(key).and_then(Value::as_table) else { continue };
            found.extend(dependencies.iter().map(|(alias, how)| (kind, package_name(alias, how))));
        }
    }
    found
}

/// A dependency may go by another name here than its package's.
fn package_name(alias: &str, how: &Value) -> String {
    how.get("package").and_then(Value::as_str).unwrap_or(alias).to_owned()
}

fn floor_of(name: &str) -> Option<usize> {
    FLOORS.iter().position(|crates| crates.contains(&name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mistakes(manifest: &str) -> usize {
        check_manifest(&manifest.parse().unwrap()).len()
    }

    #[test]
    fn a_crate_may_use_the_floors_below_it() {
        let manifest = r#"
            package.name = "gw-engine"
            dependencies = { gw-core.workspace = true, gw-config.workspace = true, tokio = "1" }
            dev-dependencies = { gw-runtime.workspace = true }
        "#;
        assert_eq!(mistakes(manifest), 0);
    }

    #[test]
    fn a_dependency_sideways_or_up_is_found_in_every_kind_of_table() {
        for table in ["dependencies", "build-dependencies", "dev-dependencies", "target.'cfg(unix)'.dependencies"] {
            for used in ["gw-config", "gw-engine", "gateway"] {
                let manifest = format!("package.name = \"gw-providers\"\n[{table}]\n{used}.workspace = true\n");
                assert_eq!(mistakes(&manifest), 1, "{table}: {used}");
            }
        }
    }

    #[test]
    fn a_dependency_is_found_under_another_name() {
        let manifest = r#"
            package.name = "gw-core"
            dependencies.door = { package = "gw-http", path = "../gw-http" }
        "#;
        assert_eq!(mistakes(manifest), 1);
    }

    #[test]
    fn a_crate_without_a_floor_is_a_mistake() {
        assert_eq!(mistakes(r#"package.name = "gw-attic""#), 1);
    }
}
