//! `presets`: routing that requests call by its name, as written. What may stand in it is known where requests are read.

use granit_parser::ScalarStyle;
use serde_json::{Map, Value as JsonValue};

use crate::decode::{Decode, Decoder};
use crate::diagnostic::Place;
use crate::free::plain;
use crate::node::{Entry, Node, Value};
use crate::shape::{ANYTHING, Shape};

/// How the names of members end that hold secrets, in either spelling.
const SECRETS: [&str; 8] =
    ["api_key", "apiKey", "secret", "Secret", "access_key", "AccessKey", "session_token", "service_account_json"];

/// The members of a preset, each any value, and where they stand.
pub(crate) struct PresetForm {
    pub(crate) members: Map<String, JsonValue>,
    /// Where each value stands, by its path: `targets[0].retry`. Outer ones come before inner ones.
    pub(crate) places: Vec<(String, Place)>,
    /// Secrets that are written out in the file.
    pub(crate) literal_secrets: Vec<Place>,
}

impl Decode for PresetForm {
    const SHAPE: &'static Shape = &Shape::Map(&ANYTHING);

    fn decode(node: &Node, decoder: &mut Decoder<'_>) -> Option<Self> {
        decoder.entries(node)?;
        let mut form = Self { members: Map::new(), places: Vec::new(), literal_secrets: Vec::new() };
        match form.read(node, "", decoder)? {
            JsonValue::Object(members) => Some(Self { members, ..form }),
            _ => None,
        }
    }
}

impl PresetForm {
    /// Everything in it is looked at, so that every mistake is told.
    fn read(&mut self, node: &Node, path: &str, decoder: &mut Decoder<'_>) -> Option<JsonValue> {
        match &node.value {
            Value::Scalar(_) if node.is_null() => Some(JsonValue::Null),
            Value::Scalar(scalar) => {
                let resolved = decoder.text(node, "a value")?;
                if resolved.literal && SECRETS.iter().any(|end| path.ends_with(end)) {
                    self.literal_secrets.push(node.place.clone());
                }
                let is_plain = scalar.style == ScalarStyle::Plain;
                Some(if is_plain { plain(&resolved.text) } else { resolved.text.as_str().into() })
            }
            Value::List(items) => {
                let item = |(index, item): (usize, &Node)| {
                    let path = format!("{path}[{index}]");
                    self.places.push((path.clone(), item.place.clone()));
                    decoder.within_item(index, |decoder| self.read(item, &path, decoder))
                };
                let read: Vec<_> = items.iter().enumerate().map(item).collect();
                read.into_iter().collect::<Option<Vec<_>>>().map(JsonValue::Array)
            }
            Value::Map(entries) => {
                let member = |entry: &Entry| {
                    let name = &entry.key;
                    let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                    self.places.push((path.clone(), entry.value.place.clone()));
                    let value = decoder.within(name, |decoder| self.read(&entry.value, &path, decoder))?;
                    Some((name.clone(), value))
                };
                let read: Vec<_> = entries.iter().map(member).collect();
                read.into_iter().collect::<Option<Map<_, _>>>().map(JsonValue::Object)
            }
        }
    }
}
