//! No input panics, takes long or takes much.

use std::path::Path;

use gw_config::{Diagnostics, Environment, LoadOptions, Loaded, load_str};
use proptest::prelude::*;

fn load(text: &str) -> Result<Loaded, Diagnostics> {
    let environment = Environment::empty().with_variable("A", "9000");
    let options =
        LoadOptions { provider_types: &["openai"], unsupported_provider_types: &["watsonx"], ..LoadOptions::default() };
    load_str(text, Path::new("config.yaml"), &environment, &options)
}

const SOUND: [&str; 3] = [
    "listen: [\"[::1]:${A}\"]\nproviders:\n  - type: openai\n    timeout: {connect: 1s, read: 2s}\n    headers: {x-a: b}\n",
    "kind: ConfigMap\ndata:\n  config.yaml: |\n    routing: {strategy: priority}\n    aliases:\n      fast: openai/gpt-4o\n",
    "{\n\t\"strategy\":{\"mode\":\"single\"},\"targets\":[{\"provider\":\"openai\",\"override_params\":{\"model\":\"gpt-4\"}}]}",
];

proptest! {
    #[test]
    fn any_text_is_a_configuration_or_has_mistakes(text in "(?s).{0,300}") {
        if let Err(diagnostics) = load(&text) {
            prop_assert!(!diagnostics.to_string().is_empty());
        }
    }

    #[test]
    fn any_text_of_yaml_signs_is_a_configuration_or_has_mistakes(text in "[\\[\\]{}:,\\-?&*!|>'\"%@`#$~ \n\ta0é/.]{0,200}") {
        drop(load(&text));
    }

    #[test]
    fn any_damage_to_a_sound_configuration_is_survived(
        which in 0..SOUND.len(),
        from in 0..200usize,
        length in 0..20usize,
        put in "(\\$\\{A\\}|\\$\\{|\\}|[\\[\\]{}:,|>'\"\n\t 0-9a-z-]){0,6}",
    ) {
        let mut letters: Vec<char> = SOUND[which].chars().collect();
        let from = from.min(letters.len());
        let until = (from + length).min(letters.len());
        letters.splice(from..until, put.chars());
        drop(load(&letters.into_iter().collect::<String>()));
    }
}

#[test]
fn the_sound_configurations_are_sound() {
    for text in SOUND {
        load(text).unwrap();
    }
}

#[test]
fn what_is_too_much_is_refused() {
    let many = |unit: &str, times: usize| unit.repeat(times);
    let nested: String = (0..70).map(|depth| format!("{}a:\n", " ".repeat(depth))).collect();
    for (text, expected) in [
        (many("[", 100_000), "nest deeper than 64"),
        (nested, "nest deeper than 64"),
        (format!("providers: [{}]", many("1,", 200_000)), "more than 100000 values"),
        (many("#", 5 << 20), "larger than 4 MiB"),
        ((0..40_000).map(|key| format!("key{key}:\n")).collect(), "more were found; mend these first"),
        (format!("listen: \"{}\"", many("${A}", 60_000)), "too long with its references replaced"),
        (format!("a: &a [1]\nb: [{}]", many("*a,", 1_000)), "aliases (*name) are not supported"),
    ] {
        let told = load(&text).unwrap_err().to_string();
        assert!(told.contains(expected), "{expected}: {}", told.chars().take(500).collect::<String>());
        assert!(told.len() < 64 << 10, "{expected}: {} bytes are told", told.len());
    }
}
