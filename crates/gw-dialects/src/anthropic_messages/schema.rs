//! Anthropic's subset of JSON Schema, which models keep to: what else a schema says is told to the model in words.

use serde_json::{Map, Value, json};

/// Formats of strings that are enforced (Anthropic's own SDK leaves exactly these in place).
const FORMATS: [&str; 10] =
    ["date-time", "time", "date", "duration", "email", "hostname", "uri", "ipv4", "ipv6", "uuid"];

/// A schema within the subset.
#[derive(Debug, PartialEq)]
pub(super) struct Subset {
    /// The schema.
    pub(super) schema: Value,
    /// Whether anything of it is now only told in words, or not quite the same.
    pub(super) is_weaker: bool,
}

/// The schema within the subset. It is no deeper than JSON that is read may be.
pub(super) fn subset(schema: &Value) -> Subset {
    let mut is_weaker = false;
    let schema = rewritten(schema, &mut is_weaker);
    Subset { schema, is_weaker }
}

/// The schema of a tool's arguments: an object, whatever was given.
pub(super) fn arguments(schema: Option<&Value>) -> Value {
    let Some(Value::Object(schema)) = schema.filter(|schema| schema.as_object().is_some_and(|it| !it.is_empty()))
    else {
        return json!({"type": "object", "properties": {}});
    };
    let mut schema = schema.clone();
    if !schema.get("type").is_some_and(Value::is_string) {
        schema.insert("type".to_owned(), Value::from("object"));
    }
    Value::Object(schema)
}

fn rewritten(schema: &Value, is_weaker: &mut bool) -> Value {
    let members = match schema {
        Value::Object(members) => members,
        // `true` allows everything, and the subset has no such word.
        Value::Bool(_) => {
            *is_weaker = true;
            return json!({"type": "object", "properties": {}, "additionalProperties": false});
        }
        other => return other.clone(),
    };
    if let Some(Value::Array(types)) = members.get("type")
        && !members.contains_key("enum")
        && !members.contains_key("const")
    {
        return alternatives(members, types, is_weaker);
    }
    let (mut kept, mut told) = (Map::new(), Vec::new());
    for (name, value) in members {
        match keep(name, value, members, is_weaker) {
            Kept::As(name, value) => drop(kept.insert(name.to_owned(), value)),
            Kept::Told => told.push(format!("{name}: {value}")),
            Kept::Implied => {}
        }
    }
    if kept.get("type").is_some_and(|kind| kind == "object") {
        kept.insert("additionalProperties".to_owned(), Value::Bool(false));
    }
    if !told.is_empty() {
        *is_weaker |= members.keys().any(|name| !matches!(name.as_str(), "default" | "examples" | "$comment"));
        let about = kept.get("description").and_then(Value::as_str).map_or(String::new(), |about| format!("{about} "));
        kept.insert("description".to_owned(), Value::from(format!("{about}({})", told.join(", "))));
    }
    Value::Object(kept)
}

/// What becomes of a word of a schema.
enum Kept<'a> {
    As(&'a str, Value),
    Told,
    Implied,
}

fn keep<'a>(name: &'a str, value: &Value, members: &Map<String, Value>, is_weaker: &mut bool) -> Kept<'a> {
    match name {
        "type" => match listed(members) {
            // Values that are listed say their types; one type that all of them have may stand beside them.
            Some(values) if !values.iter().all(|listed| is_of(listed, value)) => {
                *is_weaker |= !value.is_array();
                Kept::Implied
            }
            Some(_) if value.is_array() => Kept::Implied,
            _ => Kept::As(name, value.clone()),
        },
        "$schema" | "$id" => Kept::Implied,
        "enum" | "const" | "required" | "$ref" | "description" | "title" => Kept::As(name, value.clone()),
        "properties" | "$defs" | "definitions" => Kept::As(name, each_member(value, is_weaker)),
        "items" if value.is_object() => Kept::As(name, rewritten(value, is_weaker)),
        "anyOf" | "allOf" => Kept::As(name, each_element(value, is_weaker)),
        "oneOf" => Kept::As("anyOf", each_element(value, is_weaker)),
        "additionalProperties" => {
            *is_weaker |= *value != Value::Bool(false);
            if value.is_object() { Kept::Told } else { Kept::Implied }
        }
        "format" if value.as_str().is_some_and(|format| FORMATS.contains(&format)) => Kept::As(name, value.clone()),
        "minItems" if value.as_u64().is_some_and(|count| count <= 1) => Kept::As(name, value.clone()),
        _ => Kept::Told,
    }
}

/// The values that a schema lists.
fn listed(members: &Map<String, Value>) -> Option<&[Value]> {
    let listed = members.get("enum").and_then(Value::as_array).map(Vec::as_slice);
    listed.or_else(|| members.get("const").map(std::slice::from_ref))
}

/// Whether a value is of a type, or of one of several.
fn is_of(value: &Value, kind: &Value) -> bool {
    match kind {
        Value::Array(kinds) => kinds.iter().any(|kind| is_of(value, kind)),
        Value::String(kind) => match value {
            Value::Null => kind == "null",
            Value::Bool(_) => kind == "boolean",
            Value::Number(number) => kind == "number" || (kind == "integer" && !number.is_f64()),
            Value::String(_) => kind == "string",
            Value::Array(_) => kind == "array",
            Value::Object(_) => kind == "object",
        },
        _ => false,
    }
}

/// A list of types as alternatives, each with what is said of all.
fn alternatives(members: &Map<String, Value>, types: &[Value], is_weaker: &mut bool) -> Value {
    let (about, rest): (Map<_, _>, Map<_, _>) =
        members.clone().into_iter().filter(|(name, _)| name != "type").partition(|(name, _)| name == "description");
    let variants = types.iter().map(|kind| {
        let mut variant = Map::from_iter([("type".to_owned(), kind.clone())]);
        if kind != "null" {
            variant.extend(rest.clone());
        }
        rewritten(&Value::Object(variant), is_weaker)
    });
    let variants: Vec<Value> = variants.collect();
    let mut schema = about;
    schema.insert("anyOf".to_owned(), Value::Array(variants));
    Value::Object(schema)
}

fn each_member(value: &Value, is_weaker: &mut bool) -> Value {
    let Value::Object(members) = value else { return value.clone() };
    members.iter().map(|(name, schema)| (name.clone(), rewritten(schema, is_weaker))).collect()
}

fn each_element(value: &Value, is_weaker: &mut bool) -> Value {
    let Value::Array(elements) = value else { return value.clone() };
    elements.iter().map(|schema| rewritten(schema, is_weaker)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_models_cannot_keep_to_is_told_in_words() {
        let schema = json!({
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "type": "object",
            "properties": {
                "age": {"type": "integer", "minimum": 0, "description": "in years"},
                "name": {"type": ["string", "null"], "description": "full"},
                "kind": {"type": "string", "enum": ["a", "b"]},
                "when": {"type": "string", "format": "date"},
                "tags": {"type": "array", "items": {"oneOf": [{"type": "string"}, {"$ref": "#/$defs/t"}]}, "minItems": 1},
            },
            "required": ["age"],
            "$defs": {"t": {"type": "object", "properties": {}}},
        });
        let subset = subset(&schema);
        assert!(subset.is_weaker);
        assert_eq!(
            subset.schema,
            json!({
                "type": "object",
                "properties": {
                    "age": {"type": "integer", "description": "in years (minimum: 0)"},
                    "name": {"anyOf": [{"type": "string"}, {"type": "null"}], "description": "full"},
                    "kind": {"type": "string", "enum": ["a", "b"]},
                    "when": {"type": "string", "format": "date"},
                    "tags": {"type": "array", "items": {"anyOf": [{"type": "string"}, {"$ref": "#/$defs/t"}]}, "minItems": 1},
                },
                "required": ["age"],
                "$defs": {"t": {"type": "object", "properties": {}, "additionalProperties": false}},
                "additionalProperties": false,
            })
        );
    }

    #[test]
    fn what_is_within_the_subset_loses_nothing() {
        let schema = json!({"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"], "additionalProperties": false});
        assert_eq!(subset(&schema), Subset { schema: schema.clone(), is_weaker: false });
    }

    #[test]
    fn a_type_stands_beside_the_values_that_are_of_it() {
        for (schema, kept, is_weaker) in [
            (json!({"type": "integer", "enum": [1, 2]}), json!({"type": "integer", "enum": [1, 2]}), false),
            (json!({"type": "string", "const": "a"}), json!({"type": "string", "const": "a"}), false),
            (json!({"type": ["string", "null"], "enum": ["a", null]}), json!({"enum": ["a", null]}), false),
            (json!({"type": "string", "enum": ["a", 1]}), json!({"enum": ["a", 1]}), true),
        ] {
            assert_eq!(subset(&schema), Subset { schema: kept, is_weaker });
        }
    }

    #[test]
    fn arguments_are_always_an_object() {
        let empty = json!({"type": "object", "properties": {}});
        assert_eq!(arguments(None), empty);
        assert_eq!(arguments(Some(&json!({}))), empty);
        assert_eq!(
            arguments(Some(&json!({"properties": {"a": {}}}))),
            json!({"properties": {"a": {}}, "type": "object"})
        );
    }
}
