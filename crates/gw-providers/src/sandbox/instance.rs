//! Makes a value that fits a JSON Schema: the arguments of a tool call, or a structured answer.
//!
//! It is a sample, not a solver: a text's `pattern` and the like are not looked at.

use serde_json::{Map, Value, json};

/// From this depth on, the smaller of two possibilities is taken, so that recursive schemas end.
const DEPTH_DEEP: usize = 6;
/// Below this depth, everything is null.
const DEPTH_MAX: usize = 32;
/// After so many values, everything is null.
const VALUES_MAX: usize = 2_000;
/// Texts are not made longer than this, whatever the schema says.
const TEXT_CHARS_MAX: usize = 4_096;

/// A value that fits `schema`, always the same one.
pub(super) fn instance(schema: &Value) -> Value {
    Maker { root: schema, values_left: VALUES_MAX }.value(schema, 0)
}

struct Maker<'a> {
    root: &'a Value,
    values_left: usize,
}

impl<'a> Maker<'a> {
    fn value(&mut self, schema: &'a Value, depth: usize) -> Value {
        if depth >= DEPTH_MAX || self.values_left == 0 {
            return Value::Null;
        }
        self.values_left -= 1;
        let Value::Object(schema) = schema else { return json!("sample") };
        if let Some(Value::String(reference)) = schema.get("$ref") {
            let target = reference.strip_prefix('#').and_then(|pointer| self.root.pointer(pointer));
            return target.map_or(Value::Null, |target| self.value(target, depth + 1));
        }
        if let Some(value) = schema.get("const") {
            return value.clone();
        }
        if let Some(value) = schema.get("enum").and_then(|values| values.get(0)) {
            return value.clone();
        }
        self.combined(schema, depth)
    }

    /// The schema's own type, joined with what `allOf`, `anyOf` and `oneOf` add to it.
    fn combined(&mut self, schema: &'a Map<String, Value>, depth: usize) -> Value {
        let mut parts: Vec<&Value> = list(schema, "allOf").iter().collect();
        parts.extend(alternative(list(schema, "anyOf"), depth));
        parts.extend(alternative(list(schema, "oneOf"), depth));
        if parts.is_empty() {
            return self.typed(schema, depth);
        }
        let own = schema.contains_key("properties").then(|| self.object(schema, depth));
        let parts: Vec<Value> = parts.into_iter().map(|part| self.value(part, depth + 1)).collect();
        own.into_iter().chain(parts).reduce(join).unwrap_or_default()
    }

    fn typed(&mut self, schema: &'a Map<String, Value>, depth: usize) -> Value {
        match type_of(schema, depth) {
            Some("object") => self.object(schema, depth),
            Some("array") => self.array(schema, depth),
            Some("integer") => number(schema, Some(1.0)),
            Some("number") => number(schema, None),
            Some("boolean") => Value::Bool(true),
            Some("null") => Value::Null,
            _ => text(schema),
        }
    }

    fn object(&mut self, schema: &'a Map<String, Value>, depth: usize) -> Value {
        let required = list(schema, "required").iter().filter_map(Value::as_str);
        let members = required.map(|name| {
            let member = schema.get("properties").and_then(|properties| properties.get(name));
            let value = member.map_or_else(|| json!("sample"), |member| self.value(member, depth + 1));
            (name.to_owned(), value)
        });
        Value::Object(members.collect())
    }

    fn array(&mut self, schema: &'a Map<String, Value>, depth: usize) -> Value {
        let size = |key| schema.get(key).and_then(Value::as_u64).and_then(|size| usize::try_from(size).ok());
        let first = list(schema, "prefixItems");
        let usual = if depth >= DEPTH_DEEP { 0 } else { 1 };
        let count = size("minItems").unwrap_or(0).max(usual).max(first.len());
        // Beyond the budget all would be null; no list is made longer than that.
        let count = count.min(size("maxItems").unwrap_or(usize::MAX)).min(self.values_left);
        let items = (0..count).map(|index| match first.get(index).or_else(|| schema.get("items")) {
            Some(item) => self.value(item, depth + 1),
            None => json!("sample"),
        });
        Value::Array(items.collect())
    }
}

fn list<'a>(schema: &'a Map<String, Value>, key: &str) -> &'a [Value] {
    schema.get(key).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

/// One of several schemas: the first, or deep down one that ends.
fn alternative(schemas: &[Value], depth: usize) -> Option<&Value> {
    let ends =
        |schema: &&Value| matches!(schema.get("type").and_then(Value::as_str), Some("null" | "string" | "number"));
    if depth < DEPTH_DEEP {
        return schemas.first();
    }
    schemas.iter().find(ends).or(schemas.first())
}

fn type_of(schema: &Map<String, Value>, depth: usize) -> Option<&str> {
    match schema.get("type") {
        Some(Value::String(kind)) => Some(kind),
        Some(Value::Array(kinds)) if depth >= DEPTH_DEEP && kinds.iter().any(|kind| kind == "null") => Some("null"),
        Some(Value::Array(kinds)) => kinds.first().and_then(Value::as_str),
        _ if schema.contains_key("properties") || schema.contains_key("required") => Some("object"),
        _ if schema.contains_key("items") || schema.contains_key("prefixItems") => Some("array"),
        _ => None,
    }
}

fn join(first: Value, second: Value) -> Value {
    match (first, second) {
        (Value::Object(mut first), Value::Object(second)) => {
            first.extend(second);
            Value::Object(first)
        }
        (_, second) => second,
    }
}

/// One, or another number that the bounds leave.
fn number(schema: &Map<String, Value>, step: Option<f64>) -> Value {
    let bound = |key| schema.get(key).and_then(Value::as_f64);
    let (low, above) = (bound("minimum"), bound("exclusiveMinimum"));
    let (high, below) = (bound("maximum"), bound("exclusiveMaximum"));
    let step = bound("multipleOf").filter(|step| *step > 0.0).or(step);
    let up = |value: f64| step.map_or(value, |step| (value / step).ceil() * step);
    let down = |value: f64| step.map_or(value, |step| (value / step).floor() * step);
    let middle = low.or(above).zip(high.or(below)).map(|(low, high)| f64::midpoint(low, high));
    let fits = |value: &f64| {
        low.is_none_or(|low| *value >= low)
            && above.is_none_or(|above| *value > above)
            && high.is_none_or(|high| *value <= high)
            && below.is_none_or(|below| *value < below)
    };
    let candidates = [
        Some(up(1.0)),
        low.map(up),
        above.map(|above| up(above + 1.0)),
        high.map(down),
        below.map(|below| down(below - 1.0)),
        middle.map(up),
        middle.map(down),
    ];
    let value = candidates.into_iter().flatten().find(fits).unwrap_or(1.0);
    match format!("{value}").parse::<i64>() {
        Ok(whole) => json!(whole),
        Err(_) => json!(value),
    }
}

fn text(schema: &Map<String, Value>) -> Value {
    let known = match schema.get("format").and_then(Value::as_str) {
        Some("date-time") => "2026-01-01T00:00:00Z",
        Some("date") => "2026-01-01",
        Some("time") => "00:00:00Z",
        Some("duration") => "P1D",
        Some("email") => "sample@example.com",
        Some("hostname") => "example.com",
        Some("ipv4") => "192.0.2.1",
        Some("ipv6") => "2001:db8::1",
        Some("uri") => "https://example.com/",
        Some("uuid") => "00000000-0000-4000-8000-000000000000",
        _ => "",
    };
    if !known.is_empty() {
        return json!(known);
    }
    let chars = |key| schema.get(key).and_then(Value::as_u64).and_then(|chars| usize::try_from(chars).ok());
    let shortest = chars("minLength").unwrap_or(0).min(TEXT_CHARS_MAX);
    let longest = chars("maxLength").unwrap_or(TEXT_CHARS_MAX);
    Value::String("sample".chars().cycle().take(shortest.max("sample".len()).min(longest)).collect())
}
