//! What the schema and the reference page say is what the loader does.

mod support;

use std::path::Path;

use gw_config::{Environment, LoadOptions, load_str, reference, schema};
use serde_json::{Value, json};

/// Every key of the schema with a default: its path, the default, and a configuration in which it is written.
fn keys(schema: &Value, path: &str, wrap: &dyn Fn(&str, Value) -> Value, found: &mut Vec<(String, Value, Value)>) {
    for (key, property) in schema["properties"].as_object().into_iter().flatten() {
        let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
        if let Some(default) = property.get("default") {
            found.push((path.clone(), default.clone(), wrap(key, default.clone())));
        }
        let within = |inner: &str, value: Value| wrap(key, json!({ inner: value }));
        keys(property, &path, &within, found);
        for either in property["anyOf"].as_array().into_iter().flatten() {
            keys(either, &path, &within, found);
        }
        if path == "providers" {
            let item = |inner: &str, value: Value| json!({ "providers": [{ "name": "openai", "type": "openai", inner: value }] });
            keys(&property["items"], "providers[]", &item, found);
        }
    }
}

fn load(configuration: &Value) -> String {
    let options = LoadOptions { provider_types: &["openai"], ..LoadOptions::default() };
    match load_str(&configuration.to_string(), Path::new("config.json"), &Environment::empty(), &options) {
        Ok(loaded) => support::render(&loaded),
        Err(diagnostics) => diagnostics.to_string(),
    }
}

#[test]
fn a_documented_default_is_what_is_taken_if_the_key_is_left_out() {
    let mut found = Vec::new();
    keys(&schema(), "", &|key, value| json!({ key: value }), &mut found);
    assert!(found.len() > 25, "only {} keys with a default were found", found.len());
    let provider = load(&json!({ "providers": [{ "name": "openai", "type": "openai" }] }));
    // `read` also decides on `first_byte`, so writing its default is not the same as leaving it out.
    let plain = |path: &str| !path.ends_with("timeout.read") && !path.ends_with("timeout.idle");
    for (path, default, configuration) in found.into_iter().filter(|(path, ..)| plain(path)) {
        let without = if path.starts_with("providers") { provider.as_str() } else { "as without a file\n" };
        assert_eq!(load(&configuration), without, "{path}: {default}");
    }
}

#[test]
fn the_reference_names_every_key_of_the_schema() {
    fn names(schema: &Value, found: &mut Vec<String>) {
        // A key may be called `properties`, too.
        let properties = schema.get("properties").filter(|_| schema["type"] == "object");
        found.extend(properties.and_then(Value::as_object).into_iter().flatten().map(|(key, _)| key.clone()));
        match schema {
            Value::Object(members) => members.values().for_each(|inner| names(inner, found)),
            Value::Array(items) => items.iter().for_each(|inner| names(inner, found)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
    let mut found = Vec::new();
    let mut executed = schema();
    // What is inside a key that cannot be executed stands in the schema only.
    prune(&mut executed);
    names(&executed, &mut found);
    let page = reference();
    let missing: Vec<String> = found.into_iter().filter(|key| !page.contains(&format!("`{key}`"))).collect();
    assert_eq!(missing, Vec::<String>::new());
}

/// Removes what is inside the keys that cannot be executed.
fn prune(schema: &mut Value) {
    if let Value::Object(members) = schema {
        let planned = members
            .get("description")
            .and_then(Value::as_str)
            .is_some_and(|about| about.ends_with("cannot execute it yet."));
        if planned {
            members.remove("properties");
            members.remove("items");
        }
        members.values_mut().for_each(prune);
    } else if let Value::Array(items) = schema {
        items.iter_mut().for_each(prune);
    }
}

#[test]
fn lines_of_the_reference_tables_have_four_columns() {
    let page = reference();
    let rows = page.lines().filter(|line| line.starts_with("| "));
    let broken: Vec<&str> = rows.filter(|row| row.replace("\\|", "").matches('|').count() != 5).collect();
    assert_eq!(broken, Vec::<&str>::new());
}
