//! Secrets and values given by reference never show, wherever they stand.

use std::path::Path;

use gw_config::{Environment, LoadOptions, Loaded, load_str, schema};
use serde_json::{Value, json};

const SECRET: &str = "sk-0123456789-never-to-be-seen";

fn load(text: &str) -> Result<Loaded, gw_config::Diagnostics> {
    let environment =
        Environment::empty().with_variable("SECRET", SECRET).with_file(Path::new("secret.txt"), SECRET.as_bytes());
    let options =
        LoadOptions { provider_types: &["openai"], unsupported_provider_types: &["watsonx"], ..LoadOptions::default() };
    load_str(text, Path::new("config.yaml"), &environment, &options)
}

/// All that is told of a configuration, whether it can be used or not.
fn told(text: &str) -> String {
    match load(text) {
        Ok(loaded) => loaded.warnings.iter().map(ToString::to_string).collect(),
        Err(diagnostics) => format!("{diagnostics} {diagnostics:?}"),
    }
}

/// Configurations with one value in every place that the schema knows, each.
fn everywhere(schema: &Value, wrap: &dyn Fn(Value) -> Value, value: &Value, found: &mut Vec<Value>) {
    found.push(wrap(value.clone()));
    for (key, property) in schema["properties"].as_object().into_iter().flatten() {
        everywhere(property, &|inner| wrap(json!({ key: inner })), value, found);
    }
    if schema.get("items").is_some() {
        everywhere(&schema["items"], &|inner| wrap(json!([inner])), value, found);
    }
    if schema["additionalProperties"].is_object() {
        everywhere(&schema["additionalProperties"], &|inner| wrap(json!({ "name": inner })), value, found);
    }
    for either in schema["anyOf"].as_array().into_iter().flatten() {
        everywhere(either, wrap, value, found);
    }
}

#[test]
fn a_value_given_by_reference_is_never_told_wherever_it_stands() {
    let mut found = Vec::new();
    for reference in ["${SECRET}", "${file:secret.txt}", "https://x:${SECRET}@host#${SECRET}", "${SECRET} ${MISSING}"] {
        everywhere(&schema(), &|value| value, &json!(reference), &mut found);
    }
    assert!(found.len() > 800, "only {} places were found", found.len());
    for configuration in found {
        let told = told(&configuration.to_string());
        assert!(!told.contains(SECRET), "{configuration}: {told}");
    }
}

#[test]
fn a_name_given_by_reference_is_not_told_by_the_rules_between_keys_either() {
    for text in [
        "providers: [{type: openai, name: '${SECRET}'}, {type: openai, name: '${SECRET}'}]",
        "providers: [{name: '${SECRET}'}]",
        "providers: [{type: '${SECRET}'}]",
        "providers: [{type: openai, models: ['${SECRET}', '${SECRET}']}]",
        "auth: {keys: [{name: '${SECRET}', key: '${SECRET}'}, {name: '${SECRET}', key: '${SECRET}'}]}",
        "routes: [{name: '${SECRET}', targets: []}, {name: '${SECRET}', targets: [{}, {}]}]",
        "{aliases: {a: '${SECRET}'}, routes: [{name: '${SECRET}', targets: [{model: '${SECRET}'}]}]}",
        "targets: [{provider: '${SECRET}'}]",
        "targets: [{provider: openai, name: '${SECRET}'}, {provider: openai, name: '${SECRET}'}]",
        "{strategy: {mode: conditional, conditions: [{query: {}, then: '${SECRET}x'}], default: nobody}, \
          targets: [{provider: openai, name: '${SECRET}'}, {provider: openai, name: '${SECRET}'}]}",
        "routing: {fallback_on_errors: ['${SECRET}'], rules: [{name: '${SECRET}', condition: {}, providers: [openai]}, \
          {name: '${SECRET}', condition: {batch_size: '${SECRET}'}, providers: [openai]}]}",
        "canary: {rollouts: [{name: '${SECRET}', provider: openai, traffic_percentage: 1, duration: 1d, \
          success_criteria: {error_rate: '${SECRET}'}}]}",
        "{environment: '${SECRET}', environments: {a: {}}}",
    ] {
        let told = told(text);
        assert!(!told.is_empty() && !told.contains(SECRET), "{text}: {told}");
        assert!(told.contains("${SECRET}") || told.contains("short"), "{text}: {told}");
    }
}

#[test]
fn secrets_that_stand_in_the_file_are_neither_told_nor_debugged() {
    let text = format!(
        "auth: {{keys: [{{name: a, key: {SECRET}}}, {{name: b, key: {SECRET}}}]}}\n\
         providers:\n  - type: openai\n    api_key: \"{SECRET}\\n\"\n    headers: {{x-key: \"{SECRET}\\n\"}}\n    \
         proxy: https://user:{SECRET}@proxy\n    endpoint: https://user:{SECRET}@host\n"
    );
    let told = told(&text);
    assert!(told.contains("5 mistakes, 2 warnings"), "{told}");
    assert!(!told.contains(SECRET), "{told}");

    let text = format!(
        "auth: {{keys: [{{name: a, key: {SECRET}}}]}}\n\
         providers: [{{type: openai, api_key: {SECRET}, headers: {{x-key: {SECRET}}}, proxy: 'http://user:{SECRET}@proxy'}}]"
    );
    let shown = format!("{:?}", load(&text).unwrap());
    assert!(!shown.contains(SECRET), "{shown}");
}
