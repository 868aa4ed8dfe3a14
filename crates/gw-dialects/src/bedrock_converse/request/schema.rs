//! Schemas of answers, brought to what models can be held to.

use serde_json::{Map, Value};

/// Keywords that Claude's schemas do not have (what Anthropic's own libraries move into the description).
const LIMITS: [&str; 12] = [
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "multipleOf",
    "minLength",
    "maxLength",
    "pattern",
    "maxItems",
    "uniqueItems",
    "minProperties",
    "maxProperties",
];

/// Makes every object say that it has no members but those it names. Says whether one did not.
pub(super) fn close(schema: &mut Value) -> bool {
    each(schema, &mut |schema| {
        let is_object = |kind: &Value| kind == "object";
        let kind = schema.get("type");
        let may_be =
            kind.is_some_and(|kind| is_object(kind) || kind.as_array().is_some_and(|all| all.iter().any(is_object)));
        if !may_be || schema.get("additionalProperties") == Some(&Value::Bool(false)) {
            return false;
        }
        schema.insert("additionalProperties".to_owned(), Value::Bool(false));
        true
    })
}

/// Moves limits into the descriptions, where the model reads them. Says whether anything was changed.
pub(super) fn tell_limits(schema: &mut Value) -> bool {
    each(schema, &mut |schema| {
        // "Exactly one" it does not have, "at least one" it has.
        let options = schema.shift_remove("oneOf");
        let is_weaker = options.is_some();
        schema.extend(options.map(|options| ("anyOf".to_owned(), options)));
        let mut told: Vec<String> = LIMITS
            .into_iter()
            .filter_map(|name| schema.shift_remove(name).map(|limit| format!("{name}: {limit}")))
            .collect();
        // 0 and 1 it knows.
        if schema.get("minItems").is_some_and(|least| least.as_u64().is_none_or(|least| least > 1)) {
            told.extend(schema.shift_remove("minItems").map(|limit| format!("minItems: {limit}")));
        }
        if told.is_empty() {
            return is_weaker;
        }
        let about = schema.get("description").and_then(Value::as_str).unwrap_or_default();
        let about = format!("{about} ({})", told.join(", "));
        schema.insert("description".to_owned(), Value::from(about.trim_start()));
        true
    })
}

/// Changes a schema and those within it. Says whether one was changed. The depth is that of a document that was read,
/// which is bounded.
fn each(schema: &mut Value, change: &mut impl FnMut(&mut Map<String, Value>) -> bool) -> bool {
    let Value::Object(members) = schema else { return false };
    let mut changed = change(members);
    for (name, value) in members {
        match (name.as_str(), value) {
            ("properties" | "$defs" | "definitions", Value::Object(schemas)) => {
                schemas.values_mut().for_each(|schema| changed |= each(schema, change));
            }
            ("anyOf" | "allOf" | "oneOf" | "prefixItems", Value::Array(schemas)) => {
                schemas.iter_mut().for_each(|schema| changed |= each(schema, change));
            }
            ("items" | "not", schema) => changed |= each(schema, change),
            _ => {}
        }
    }
    changed
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn objects_are_closed_and_limits_are_told_in_words() {
        let mut schema = json!({"type": "object", "properties": {
            "minimum": {"type": "integer", "minimum": 1, "maximum": 5, "description": "How many"},
            "list": {"type": "array", "minItems": 1, "items": {"type": ["object", "null"], "properties": {}}},
            "one": {"oneOf": [{"type": "string", "pattern": "a+"}]},
        }});
        assert!(close(&mut schema));
        assert!(tell_limits(&mut schema));
        let expected = json!({"type": "object", "additionalProperties": false, "properties": {
            "minimum": {"type": "integer", "description": "How many (minimum: 1, maximum: 5)"},
            "list": {"type": "array", "minItems": 1,
                "items": {"type": ["object", "null"], "properties": {}, "additionalProperties": false}},
            "one": {"anyOf": [{"type": "string", "description": "(pattern: \"a+\")"}]},
        }});
        assert_eq!(schema, expected);
        assert!(!close(&mut schema) && !tell_limits(&mut schema));
    }
}
