//! Schemas. Google has two ways to say one: its own subset of OpenAPI with types in upper case (`parameters`,
//! `responseSchema`), which has no references, constants or unions of types, and JSON Schema (`parametersJsonSchema`,
//! `responseJsonSchema`). Of clients both are read; Google is always sent JSON Schema, which keeps the meaning of what
//! applications write.

use serde_json::{Map, Value, json};

use super::wire::camel;

/// Keywords whose value is a schema.
const SCHEMA: [&str; 9] = [
    "items",
    "additionalProperties",
    "not",
    "if",
    "then",
    "else",
    "contains",
    "propertyNames",
    "unevaluatedProperties",
];

/// Keywords whose value is an object of schemas by name.
const NAMED: [&str; 5] = ["properties", "$defs", "definitions", "patternProperties", "dependentSchemas"];

/// Keywords whose value is a list of schemas.
const LISTED: [&str; 4] = ["anyOf", "oneOf", "allOf", "prefixItems"];

/// Keywords whose value is an integer, which Google also writes as text.
const INTEGERS: [&str; 6] = ["minItems", "maxItems", "minProperties", "maxProperties", "minLength", "maxLength"];

/// JSON Schema from Google's own way of writing.
pub(super) fn from_google(schema: Value) -> Value {
    let Value::Object(members) = schema else { return schema };
    let members = members.into_iter().map(|(name, value)| (google_keyword(&name), value));
    let mut schema: Map<String, Value> = members.filter_map(|(name, value)| member_from_google(name, value)).collect();
    if schema.remove("nullable") == Some(Value::Bool(true)) {
        allow_null(&mut schema);
    }
    each_schema(&mut schema, from_google);
    Value::Object(schema)
}

/// A JSON Schema as Google takes it: `const`, which it does not know, is an `enum` of one, and the address of the
/// standard is left out.
pub(super) fn to_google(schema: Value) -> Value {
    let Value::Object(mut schema) = schema else { return schema };
    schema.remove("$schema");
    if let Some(constant) = schema.remove("const") {
        schema.entry("enum").or_insert_with(|| json!([constant]));
    }
    each_schema(&mut schema, to_google);
    Value::Object(schema)
}

/// Whether a function with these parameters takes none. Google refuses an object without properties.
pub(super) fn says_nothing(schema: &Value) -> bool {
    let Value::Object(schema) = schema else { return schema.is_null() };
    schema.iter().all(|(name, value)| match name.as_str() {
        "type" => value == "object",
        "properties" => value.as_object().is_some_and(Map::is_empty),
        "required" => value.as_array().is_some_and(Vec::is_empty),
        "additionalProperties" => value == &Value::Bool(false),
        "$schema" | "title" | "description" => true,
        _ => false,
    })
}

fn google_keyword(name: &str) -> String {
    match name {
        "ref" => "$ref".to_owned(),
        "defs" => "$defs".to_owned(),
        name => camel(name).into_owned(),
    }
}

fn member_from_google(name: String, value: Value) -> Option<(String, Value)> {
    let value = match (name.as_str(), value) {
        ("type", Value::String(kind)) if kind == "TYPE_UNSPECIFIED" => return None,
        ("type", Value::String(kind)) => Value::String(kind.to_ascii_lowercase()),
        // Says of an enum only that it is one.
        ("format", Value::String(format)) if format == "enum" => return None,
        ("example", value) => return Some(("examples".to_owned(), json!([value]))),
        (name, Value::String(number)) if INTEGERS.contains(&name) => match number.parse::<u64>() {
            Ok(number) => Value::from(number),
            Err(_) => Value::String(number),
        },
        (_, value) => value,
    };
    Some((name, value))
}

fn allow_null(schema: &mut Map<String, Value>) {
    match schema.get_mut("type") {
        Some(kind @ Value::String(_)) => *kind = json!([kind.clone(), "null"]),
        _ => {
            if let Some(Value::Array(choices)) = schema.get_mut("anyOf") {
                choices.push(json!({"type": "null"}));
            }
        }
    }
    if let Some(Value::Array(values)) = schema.get_mut("enum")
        && !values.contains(&Value::Null)
    {
        values.push(Value::Null);
    }
}

/// Rewrites the schemas that stand in a schema. What nests is bounded by the depth of JSON that is read.
fn each_schema(schema: &mut Map<String, Value>, rewrite: fn(Value) -> Value) {
    let apply = |value: &mut Value| *value = rewrite(value.take());
    for (name, value) in schema.iter_mut() {
        let name = name.as_str();
        match value {
            Value::Object(named) if NAMED.contains(&name) => named.values_mut().for_each(apply),
            Value::Object(_) if SCHEMA.contains(&name) => apply(value),
            Value::Array(list) if LISTED.contains(&name) => list.iter_mut().for_each(apply),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn googles_own_schemas_become_json_schema() {
        let google = json!({
            "type": "OBJECT",
            "properties": {
                "type": {"type": "STRING", "format": "enum", "enum": ["a"], "nullable": true},
                "list": {"type": "ARRAY", "items": {"type": "INTEGER", "format": "int64"}, "min_items": "1"},
                "any_of": {"anyOf": [{"type": "NUMBER"}], "nullable": true, "example": 3}
            },
            "required": ["type"],
            "propertyOrdering": ["type", "list"]
        });
        assert_eq!(
            from_google(google),
            json!({
                "type": "object",
                "properties": {
                    "type": {"type": ["string", "null"], "enum": ["a", null]},
                    "list": {"type": "array", "items": {"type": "integer", "format": "int64"}, "minItems": 1},
                    "any_of": {"anyOf": [{"type": "number"}, {"type": "null"}], "examples": [3]}
                },
                "required": ["type"],
                "propertyOrdering": ["type", "list"]
            })
        );
    }

    #[test]
    fn a_schema_keeps_its_meaning_on_the_way_to_google() {
        // pitfalls A14
        let schema = json!({
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "type": "object",
            "properties": {
                "const": {"const": 1, "oneOf": [{"type": ["integer", "null"]}]},
                "n": {"type": "integer", "enum": [1, 2], "exclusiveMaximum": 3, "$ref": "#/$defs/a"}
            },
            "additionalProperties": false,
            "$defs": {"a": {"const": null}}
        });
        assert_eq!(
            to_google(schema),
            json!({
                "type": "object",
                "properties": {
                    "const": {"oneOf": [{"type": ["integer", "null"]}], "enum": [1]},
                    "n": {"type": "integer", "enum": [1, 2], "exclusiveMaximum": 3, "$ref": "#/$defs/a"}
                },
                "additionalProperties": false,
                "$defs": {"a": {"enum": [null]}}
            })
        );
    }

    #[test]
    fn parameters_that_say_nothing_are_known() {
        for schema in
            [json!({}), json!({"type": "object", "properties": {}, "additionalProperties": false}), Value::Null]
        {
            assert!(says_nothing(&schema), "{schema}");
        }
        for schema in
            [json!({"type": "object", "additionalProperties": true}), json!({"$ref": "#"}), json!({"type": "string"})]
        {
            assert!(!says_nothing(&schema), "{schema}");
        }
    }
}
