//! Blocks as they are written, and objects that are looked into with their place, so that an error can name it.

use gw_core::chat::{CacheMarker, ToolCall};
use gw_core::{Error, ErrorCode};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use super::FAMILY;
use crate::scan::Object;

/// A block of content as it is written.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(super) enum Block {
    /// A call, whose input keeps its digits and its order.
    ToolUse(ToolUse),
    /// Results of tools, and everything else.
    Plain(Value),
}

/// A call of a tool as it is written.
#[derive(Debug, Serialize)]
pub(super) struct ToolUse {
    #[serde(rename = "type")]
    kind: &'static str,
    id: String,
    name: String,
    input: Box<RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cache_control: Option<Value>,
    /// What only Anthropic's clients say of it.
    #[serde(flatten)]
    unknown: Map<String, Value>,
}

/// An object of a request or an answer.
pub(super) struct Reader<'a> {
    object: Object<'a>,
    text: &'a str,
    place: String,
    param: &'static str,
}

impl Block {
    pub(super) fn tool_use(id: String, name: String, call: &ToolCall) -> Self {
        // What `object` gives is always JSON.
        let input = RawValue::from_string(call.input.object()).unwrap_or_default();
        let mut unknown = Map::new();
        call.unknown.write(FAMILY, &mut unknown);
        let cache_control = call.cache.as_ref().map(cache_control);
        Self::ToolUse(ToolUse { kind: "tool_use", id, name, input, cache_control, unknown })
    }

    pub(super) fn text(text: &str) -> Self {
        Self::Plain(json!({"type": "text", "text": text}))
    }

    /// A block of one kind with a member of its own.
    pub(super) fn of<const N: usize>(kind: &str, members: [(&str, Value); N]) -> Map<String, Value> {
        let mut block = Map::new();
        block.insert("type".to_owned(), Value::from(kind));
        block.extend(members.map(|(name, value)| (name.to_owned(), value)));
        block
    }

    /// What kind it is.
    pub(super) fn kind(&self) -> &str {
        match self {
            Self::ToolUse(call) => call.kind,
            Self::Plain(value) => value.get("type").and_then(Value::as_str).unwrap_or_default(),
        }
    }
}

/// How a marker of the cache is written.
pub(super) fn cache_control(marker: &CacheMarker) -> Value {
    let mut value = json!({"type": "ephemeral"});
    if let Some(ttl) = &marker.ttl {
        value["ttl"] = Value::from(ttl.as_str());
    }
    value
}

/// Puts a marker of the cache on a block, if there is one.
pub(super) fn mark(block: &mut Map<String, Value>, marker: Option<&CacheMarker>) {
    if let Some(marker) = marker {
        block.insert("cache_control".to_owned(), cache_control(marker));
    }
}

/// Puts members into an object, and those of objects that both have into each other.
pub(super) fn merge(into: &mut Map<String, Value>, members: &Map<String, Value>) {
    for (name, value) in members {
        match (into.get_mut(name), value) {
            (Some(Value::Object(ours)), Value::Object(theirs)) => ours.extend(theirs.clone()),
            _ => {
                into.insert(name.clone(), value.clone());
            }
        }
    }
}

/// A request that makes no sense.
pub(super) fn wrong(message: impl Into<String>, param: &'static str) -> Error {
    Error::new(ErrorCode::InvalidRequest, message.into()).with_param(param)
}

impl<'a> Reader<'a> {
    /// The object that is the whole of `text`.
    pub(super) fn new(text: &'a str, place: String, param: &'static str) -> Result<Self, Error> {
        match Object::parse(text) {
            Ok(object) => Ok(Self { object, text, place, param }),
            Err(_) => Err(wrong(format!("{place} must be an object"), param)),
        }
    }

    /// The same, its errors about another parameter.
    pub(super) fn about(&self, param: &'static str) -> Self {
        Self { object: self.object.clone(), text: self.text, place: self.place.clone(), param }
    }

    pub(super) fn raw(&self, name: &str) -> Option<&'a str> {
        self.object.get(name)
    }

    /// The value of that name; none if it is absent or `null`.
    pub(super) fn read<T: Deserialize<'a>>(&self, name: &str, what: &str) -> Result<Option<T>, Error> {
        let Some(raw) = self.raw(name) else { return Ok(None) };
        serde_json::from_str(raw).map(Some).map_err(|_| self.wrong(name, what))
    }

    pub(super) fn string(&self, name: &str) -> Result<Option<String>, Error> {
        self.read(name, "a string")
    }

    pub(super) fn need<T: Deserialize<'a>>(&self, name: &str, what: &str) -> Result<T, Error> {
        self.read(name, what)?.ok_or_else(|| self.wrong(name, what))
    }

    pub(super) fn object(&self, name: &str) -> Result<Option<Reader<'a>>, Error> {
        self.raw(name).map(|raw| Reader::new(raw, self.place(name), self.param)).transpose()
    }

    pub(super) fn list(&self, name: &str) -> Result<Option<Vec<Reader<'a>>>, Error> {
        if self.raw(name).is_none() {
            return Ok(None);
        }
        let mut elements = Vec::new();
        self.object.elements(name, |raw| elements.push(raw)).ok_or_else(|| self.wrong(name, "a list"))?;
        let place = self.place(name);
        let readers = elements.into_iter().enumerate();
        readers
            .map(|(at, raw)| Reader::new(raw, format!("{place}[{at}]"), self.param))
            .collect::<Result<_, _>>()
            .map(Some)
    }

    /// Its members but those of these names.
    pub(super) fn rest(&self, known: &[&str]) -> Result<Map<String, Value>, Error> {
        let mut members: Map<String, Value> =
            serde_json::from_str(self.text).map_err(|_| wrong(format!("{} cannot be read", self.place), self.param))?;
        members.retain(|name, value| !known.contains(&name.as_str()) && !value.is_null());
        Ok(members)
    }

    /// Whether every member has one of those names.
    pub(super) fn has_only(&self, names: &[&str]) -> bool {
        self.object.has_only(names)
    }

    /// The whole of it.
    pub(super) fn whole(&self) -> Result<Value, Error> {
        serde_json::from_str(self.text).map_err(|_| wrong(format!("{} cannot be read", self.place), self.param))
    }

    /// The marker of the cache on it.
    pub(super) fn cache(&self) -> Result<Option<CacheMarker>, Error> {
        let Some(marker) = self.object("cache_control")? else { return Ok(None) };
        Ok(Some(CacheMarker { ttl: marker.string("ttl")? }))
    }

    /// Says what a member must be.
    pub(super) fn wrong(&self, name: &str, what: &str) -> Error {
        wrong(format!("{} must be {what}", self.place(name)), self.param)
    }

    fn place(&self, name: &str) -> String {
        if self.place.is_empty() { name.to_owned() } else { format!("{}.{name}", self.place) }
    }
}
