//! The table of configurations: each file in `tests/cases` is an input, a line of dashes, and what is made of it.
//!
//! The input may begin with comments that set its surroundings: `#env NAME=value`, `#file /path=content` (`\n` is a
//! newline), `#allow-unauthenticated`, `#environment NAME`. Below the dashes stand the diagnostics, or how the
//! configuration differs from the one without a file, warnings first. `UPDATE_CASES=1 cargo test -p gw-config` rewrites what is below the dashes;
//! read the difference before keeping it.

mod support;

use std::fs;
use std::io;
use std::path::Path;

use gw_config::{Environment, LoadOptions, load_str};

const DASHES: &str = "----------------------------------------";

const TYPES: &[&str] = &[
    "openai",
    "azure-openai",
    "azure",
    "anthropic",
    "google",
    "groq",
    "ollama",
    "openai-compatible",
    "sandbox",
    "watsonx",
];
const UNSUPPORTED: &[&str] = &["sagemaker"];

#[test]
fn every_configuration_of_the_table_is_read_as_written_below_it() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases");
    let mut files: Vec<_> = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "conf"));
    files.sort();
    assert!(files.len() > 40, "only {} cases were found", files.len());
    let wrong: Vec<String> = files.iter().filter_map(|path| run(path).unwrap()).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What is wrong with a case, if anything.
fn run(path: &Path) -> io::Result<Option<String>> {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let case = fs::read_to_string(path)?;
    let (input, expected) = case.split_once(&format!("{DASHES}\n")).unwrap_or((&case, ""));
    let actual = outcome(input);
    if std::env::var_os("UPDATE_CASES").is_some() {
        fs::write(path, format!("{input}{DASHES}\n{actual}"))?;
        return Ok(None);
    }
    Ok((actual != expected).then(|| format!("{name}\n  expected:\n{expected}\n  actual:\n{actual}")))
}

fn outcome(input: &str) -> String {
    let mut environment = Environment::empty();
    let mut options = LoadOptions {
        provider_types: TYPES,
        unsupported_provider_types: UNSUPPORTED,
        allow_unauthenticated: false,
        environment: None,
    };
    for line in input.lines() {
        if let Some((name, value)) = line.strip_prefix("#env ").and_then(|rest| rest.split_once('=')) {
            environment = environment.with_variable(name, value);
        } else if let Some((path, content)) = line.strip_prefix("#file ").and_then(|rest| rest.split_once('=')) {
            environment = environment.with_file(Path::new(path), content.replace("\\n", "\n").as_bytes());
        } else if line == "#allow-unauthenticated" {
            options.allow_unauthenticated = true;
        } else if let Some(name) = line.strip_prefix("#environment ") {
            options.environment = Some(name);
        }
    }
    match load_str(input, Path::new("/etc/gateway/config.yaml"), &environment, &options) {
        Ok(loaded) => support::render(&loaded),
        Err(diagnostics) => diagnostics.to_string().replace("/etc/gateway/config.yaml", "file") + "\n",
    }
}
