//! The JSON Schema of the configuration.

use serde_json::{Map, Value, json};

use crate::file::File;
use crate::scalar::{Json, Kind};
use crate::shape::{Presence, Section, Shape};

/// The JSON Schema (draft 2020-12) of the configuration, for editors and for checks before a deployment.
pub fn schema() -> Value {
    let mut schema = section(&File::SECTION);
    if let Value::Object(members) = &mut schema {
        members.insert("$schema".to_owned(), json!("https://json-schema.org/draft/2020-12/schema"));
        members.insert("title".to_owned(), json!("AI Gateway configuration"));
    }
    schema
}

fn shape(shape: &Shape) -> Value {
    match shape {
        Shape::Scalar(kind) => scalar(kind),
        Shape::Choice(choices) => {
            let words: Vec<&str> = choices.iter().map(|choice| choice.word).collect();
            let about: Vec<String> =
                choices.iter().map(|choice| format!("`{}`: {}", choice.word, choice.about)).collect();
            // A word of digits may be written as a number.
            let numbers = words.iter().filter_map(|word| word.parse::<i64>().ok()).map(Value::from);
            let all: Vec<Value> = words.iter().map(|word| json!(word)).chain(numbers).collect();
            json!({ "description": about.join(" "), "anyOf": [{ "enum": all }, reference()] })
        }
        Shape::List(item) => json!({ "type": "array", "items": self::shape(item) }),
        Shape::Map(value) => json!({ "type": "object", "additionalProperties": self::shape(value) }),
        Shape::Section(inner) => section(inner),
        Shape::Either(one, other) => json!({ "anyOf": [self::shape(one), self::shape(other)] }),
    }
}

fn section(section: &Section) -> Value {
    let mut properties = Map::new();
    let mut required = Vec::new();
    for field in section.fields {
        let mut property = described(field.about.trim(), shape(field.shape));
        match field.presence {
            Presence::Optional => {}
            Presence::Default(default) => {
                property.insert("default".to_owned(), json!(default_value(default, field.shape)));
            }
            Presence::Required => required.push(field.key),
        }
        insert(&mut properties, field.key, field.alias, property);
    }
    for field in section.planned {
        let about = format!("{} This version cannot execute it yet.", field.about.trim());
        insert(&mut properties, field.key, field.alias, described(&about, shape(field.shape)));
    }
    let mut schema = json!({
        "type": "object",
        "description": section.about.trim(),
        "properties": properties,
        "additionalProperties": section.open,
    });
    if let (Value::Object(members), false) = (&mut schema, required.is_empty()) {
        members.insert("required".to_owned(), json!(required));
    }
    schema
}

fn insert(properties: &mut Map<String, Value>, key: &str, alias: Option<&str>, property: Map<String, Value>) {
    if let Some(alias) = alias {
        properties.insert(alias.to_owned(), Value::Object(property.clone()));
    }
    properties.insert(key.to_owned(), Value::Object(property));
}

/// The schema of a value with the description of the key that it stands under.
fn described(about: &str, schema: Value) -> Map<String, Value> {
    let mut members = Map::new();
    if let Value::Object(inner) = schema {
        members.extend(inner);
    }
    members.insert("description".to_owned(), json!(about));
    members
}

fn scalar(kind: &Kind) -> Value {
    match kind.json {
        Json::Text => json!({ "type": ["string", "number", "boolean"] }),
        Json::Pattern(pattern) => json!({ "anyOf": [{ "type": "string", "pattern": pattern }, reference()] }),
        Json::Boolean => json!({ "anyOf": [{ "type": "boolean" }, reference()] }),
        Json::Integer { minimum: i64::MIN } => json!({ "anyOf": [{ "type": "integer" }, reference()] }),
        Json::Integer { minimum } => json!({ "anyOf": [{ "type": "integer", "minimum": minimum }, reference()] }),
        Json::Number => json!({ "anyOf": [{ "type": "number" }, reference()] }),
        Json::NumberOr(pattern) => {
            json!({ "anyOf": [{ "type": "number", "minimum": 0 }, { "type": "string", "pattern": pattern }, reference()] })
        }
        Json::Anything => json!({}),
    }
}

/// A value that is given by reference can stand for any other.
fn reference() -> Value {
    json!({ "type": "string", "pattern": "\\$\\{.+\\}" })
}

/// A default as it would be written: a number or a boolean if it is one.
fn default_value(default: &str, shape: &Shape) -> Value {
    match shape {
        Shape::Scalar(kind) => match kind.json {
            Json::Boolean | Json::Integer { .. } | Json::Number => {
                serde_json::from_str(default).unwrap_or_else(|_| json!(default))
            }
            Json::Text | Json::Pattern(_) | Json::NumberOr(_) | Json::Anything => json!(default),
        },
        Shape::Choice(_) | Shape::List(_) | Shape::Map(_) | Shape::Section(_) | Shape::Either(..) => json!(default),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Calls `visit` for every object schema with its path.
    fn objects(path: &str, schema: &Value, visit: &mut impl FnMut(&str, &Map<String, Value>)) {
        if let Some(members) = schema.as_object() {
            // A key may be called so, too.
            if members.contains_key("additionalProperties") && members.contains_key("properties") {
                visit(path, members);
            }
            for (key, value) in members {
                objects(&format!("{path}/{key}"), value, visit);
            }
        }
        for (index, item) in schema.as_array().into_iter().flatten().enumerate() {
            objects(&format!("{path}/{index}"), item, visit);
        }
    }

    #[test]
    fn every_key_is_described_and_no_unknown_key_is_allowed() {
        let mut keys = 0;
        objects("", &schema(), &mut |path, members| {
            let open = path.ends_with("override_params");
            assert_eq!(members["additionalProperties"], json!(open), "{path}");
            for (key, property) in members["properties"].as_object().unwrap() {
                keys += 1;
                let about = property["description"].as_str().unwrap_or_default();
                assert!(about.ends_with('.'), "{path}/{key}: {about:?}");
            }
        });
        assert!(keys > 200, "the schema has only {keys} keys");
    }

    #[test]
    fn a_number_may_be_given_by_reference() {
        let port = &schema()["properties"]["metrics"]["properties"]["port"];
        assert_eq!(port["anyOf"], json!([{ "type": "integer", "minimum": 0 }, reference()]));
    }
}
