//! What must hold for every text that is taken for a configuration. Shared with the fuzz target `config`.

use std::path::Path;

use gw_config::{Environment, LoadOptions, load_str};

const SECRET: &str = "sk-0123456789-never-to-be-seen";

/// Any text is a configuration or has mistakes, and no secret is told.
pub(crate) fn check(text: &str) {
    let environment =
        Environment::empty().with_variable("SECRET", SECRET).with_file(Path::new("secret.txt"), SECRET.as_bytes());
    let options =
        LoadOptions { provider_types: &["openai"], unsupported_provider_types: &["watsonx"], ..LoadOptions::default() };
    let told = match load_str(text, Path::new("config.yaml"), &environment, &options) {
        Ok(loaded) => loaded.warnings.iter().map(ToString::to_string).collect(),
        Err(diagnostics) => {
            let told = diagnostics.to_string();
            assert!(!told.is_empty(), "a configuration that is refused has a mistake");
            told
        }
    };
    assert!(!told.contains(SECRET) || text.contains(SECRET), "a secret is told: {told}");
}
