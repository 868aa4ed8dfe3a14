//! What conditions may ask of a request. Nothing of it is read before somebody asks.

use std::borrow::Cow;
use std::cell::{Cell, OnceCell};

use gw_core::{Error, ErrorCode, Operation};
use gw_dialects::head::Head;
use gw_policy::condition::Facts;
use gw_policy::expression::Taken;
use gw_runtime::clock::Clock;
use http::{HeaderMap, HeaderValue};
use serde_json::{Map, Value};

use crate::engine::Call;
use crate::routing::Said;

/// Tags of a request, with commas between them.
const TAGS: &str = "x-gateway-tags";
/// How many inputs a request stands for.
const BATCH_SIZE: &str = "x-gateway-batch-size";
/// Metadata of a request, as a JSON object.
const METADATA: [&str; 3] = ["x-gateway-metadata", "x-portkey-metadata", "cf-aig-metadata"];

/// As many objects a name with points leads into; what stands behind is one name.
const NESTED_MAX: usize = 8;

/// What a request says of itself that brings no routing.
static NOTHING: Said = Said { user: None, tags: None, unserved: None };
/// The members by which requests offer tools, in the formats of their vendors.
const TOOLS: [&str; 3] = ["tools", "functions", "toolConfig"];

/// A request as conditions see it.
pub(crate) struct RequestFacts<'a> {
    pub(crate) call: &'a Call<'a>,
    pub(crate) head: &'a Head,
    /// What the routing that it brings says of it.
    said: &'a Said,
    asked: Option<Asked<'a>>,
    changes: Option<&'a Changed>,
    /// The same request without the changes, of which the body is read once for all.
    plain: Option<&'a RequestFacts<'a>>,
    read: Read,
    taken: Taken,
}

/// What a request has written over members of its body, or where they say nothing.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Changed {
    overrides: Map<String, Value>,
    defaults: Map<String, Value>,
}

impl Changed {
    /// The changes, in which names with points (`a.b`) lead into objects, as they do where they are written.
    pub(crate) fn of(overrides: &Map<String, Value>, defaults: &Map<String, Value>) -> Self {
        Self { overrides: nested(overrides), defaults: nested(defaults) }
    }

    /// A member of the body after the changes.
    fn member<'v>(&'v self, body: &'v Value, name: &str) -> Option<Cow<'v, Value>> {
        let said = body.get(name).filter(|value| !value.is_null());
        let usual = over(said, self.defaults.get(name));
        match (self.overrides.get(name), usual) {
            (Some(over @ Value::Object(_)), Some(usual)) => Some(Cow::Owned(merged(usual.into_owned(), over))),
            (Some(over), _) => Some(Cow::Borrowed(over)),
            (None, usual) => usual,
        }
    }
}

/// Who asks, where and when, as far as the request does not say.
#[derive(Clone)]
pub(crate) struct Asked<'a> {
    pub(crate) key_name: Option<&'a str>,
    pub(crate) environment: Option<&'a str>,
    pub(crate) clock: Clock,
}

/// What has been read for conditions so far.
#[derive(Default)]
struct Read {
    metadata: OnceCell<Map<String, Value>>,
    body: OnceCell<Value>,
    /// The header of the metadata that somebody asked for and nobody can read.
    unreadable: Cell<Option<&'static str>>,
}

impl<'a> RequestFacts<'a> {
    /// The facts of a request.
    ///
    /// # Errors
    /// `invalid_request` if a header says no fact that it could say.
    pub(crate) fn of(call: &'a Call<'a>, head: &'a Head) -> Result<Self, Error> {
        let is_number = |value: &HeaderValue| value.to_str().is_ok_and(|text| text.trim().parse::<u64>().is_ok());
        if call.headers.get(BATCH_SIZE).is_some_and(|value| !is_number(value)) {
            return Err(Error::new(ErrorCode::InvalidRequest, "`x-gateway-batch-size` must be a whole number"));
        }
        let (read, taken) = (Read::default(), Taken::default());
        Ok(Self { call, head, said: &NOTHING, asked: None, changes: None, plain: None, read, taken })
    }

    /// The same request as it is after changes that it brings along itself.
    pub(crate) fn changed<'b>(&'b self, changes: &'b Changed) -> RequestFacts<'b> {
        RequestFacts {
            call: self.call,
            head: self.head,
            said: self.said,
            asked: self.asked.clone(),
            changes: Some(changes),
            plain: Some(self),
            read: Read::default(),
            taken: Taken::default(),
        }
    }

    /// The same, with what the routing that the request brings says of it.
    pub(crate) fn saying(self, said: &'a Said) -> Self {
        Self { said, ..self }
    }

    /// The same, with who asks, where and when.
    pub(crate) fn asked(self, asked: Asked<'a>) -> Self {
        Self { asked: Some(asked), ..self }
    }

    /// Refuses a request whose metadata a condition has asked for, and which nobody can read: the condition would not hold,
    /// and nobody would be told why.
    ///
    /// # Errors
    /// `invalid_request`
    pub(crate) fn refuse_unreadable(&self) -> Result<(), Error> {
        match self.read.unreadable.get() {
            None => Ok(()),
            Some(name) => Err(Error::new(ErrorCode::InvalidRequest, format!("`{name}` must be a JSON object"))),
        }
    }

    fn metadata(&self) -> &Map<String, Value> {
        self.read.metadata.get_or_init(|| {
            let mut metadata = match self.member("metadata").map(Cow::into_owned) {
                Some(Value::Object(members)) => members,
                Some(_) | None => Map::new(),
            };
            // Headers are set by who configures the client, bodies by who writes the request.
            for name in METADATA {
                let Some(value) = self.call.headers.get(name) else { continue };
                match serde_json::from_slice(value.as_bytes()) {
                    Ok(Value::Object(members)) => metadata.extend(members),
                    Ok(_) | Err(_) => self.read.unreadable.set(Some(name)),
                }
            }
            metadata
        })
    }

    /// A member of the body.
    fn member(&self, name: &str) -> Option<Cow<'_, Value>> {
        let body = self.body();
        match self.changes {
            None => body.get(name).map(Cow::Borrowed),
            Some(changes) => changes.member(body, name),
        }
    }

    fn body(&self) -> &Value {
        if let Some(plain) = self.plain {
            return plain.body();
        }
        self.read.body.get_or_init(|| serde_json::from_slice(&self.call.body).unwrap_or_default())
    }

    fn stream(&self) -> Value {
        let changed = self.changes.and_then(|changes| changes.overrides.get("stream"));
        changed.cloned().unwrap_or_else(|| Value::from(self.head.stream))
    }

    /// Tags of the header, else of the request's routing, else of the metadata, whose values may be texts only (OpenAI's).
    fn tags(&self) -> Option<Cow<'_, Value>> {
        let list = |text: &str| text.split(',').map(str::trim).filter(|tag| !tag.is_empty()).collect::<Value>();
        if let Some(text) = header(self.call.headers, TAGS) {
            return Some(Cow::Owned(list(text)));
        }
        if let Some(tags) = &self.said.tags {
            return Some(Cow::Borrowed(tags));
        }
        match self.metadata().get("tags")? {
            Value::String(text) => Some(Cow::Owned(list(text))),
            tags => Some(Cow::Borrowed(tags)),
        }
    }

    /// The number that the header says, else the metadata, else that of the inputs, else one.
    fn batch_size(&self) -> Value {
        let number = |value: &Value| value.as_u64().or_else(|| value.as_str()?.trim().parse().ok());
        let said = header(self.call.headers, BATCH_SIZE).and_then(|text| text.trim().parse().ok());
        let metadata = || self.metadata().get("batch_size").and_then(number);
        Value::from(said.or_else(metadata).or_else(|| self.inputs()).unwrap_or(1))
    }

    /// How many inputs there are. A conversation in the Responses API is one, of however many items.
    fn inputs(&self) -> Option<u64> {
        let is_conversation = self.call.dialect.operation() == Operation::Chat;
        let inputs = self.member("input").filter(|_| !is_conversation)?;
        let inputs = inputs.as_array()?;
        // A list of numbers is one input, in tokens.
        Some(if inputs.first().is_some_and(Value::is_number) { 1 } else { inputs.len() as u64 })
    }

    /// What expressions call `request.NAME`.
    fn of_request(&self, name: &str) -> Option<Cow<'_, Value>> {
        let text = |text: &str| Cow::Owned(Value::from(text));
        match name {
            "model" => self.head.model.as_deref().map(text),
            "operation" => Some(text(self.call.dialect.operation().name())),
            "path" => Some(text(self.call.path)),
            "stream" => Some(Cow::Owned(self.stream())),
            "tags" => Some(self.tags().unwrap_or_else(|| Cow::Owned(Value::Array(Vec::new())))),
            "batch_size" => Some(Cow::Owned(self.batch_size())),
            "user" => self.caller(),
            "key" => self.asked.as_ref()?.key_name.map(text),
            "environment" => self.asked.as_ref()?.environment.map(text),
            "has_tools" => Some(Cow::Owned(Value::from(self.has_tools()))),
            _ => None,
        }
    }

    fn has_tools(&self) -> bool {
        let is_some = |tools: &Value| match tools {
            Value::Array(tools) => !tools.is_empty(),
            other => !other.is_null(),
        };
        TOOLS.iter().any(|name| self.member(name).is_some_and(|tools| is_some(&tools)))
    }

    /// Who asks, for what sticks to a caller: what the request says, else its key.
    fn caller(&self) -> Option<Cow<'_, Value>> {
        if let Some(user) = &self.said.user {
            return Some(Cow::Borrowed(user));
        }
        let said = ["user", "safety_identifier", "prompt_cache_key"].iter().find_map(|name| self.member(name));
        said.or_else(|| self.member("metadata").and_then(|metadata| get(metadata, "user_id")))
    }
}

impl Facts for RequestFacts<'_> {
    fn fact(&self, path: &str) -> Option<Cow<'_, Value>> {
        let (root, rest) = path.split_once('.').unwrap_or((path, ""));
        match (root, rest) {
            ("request", name) => self.of_request(name),
            ("time", name) => time(name, self.asked.as_ref()?.clock.unix_s()),
            ("metadata", "") => Some(Cow::Owned(Value::Object(self.metadata().clone()))),
            ("metadata", name) => self.metadata().get(name).map(Cow::Borrowed),
            ("params", "model") => self.head.model.as_deref().map(|model| Cow::Owned(Value::from(model))),
            ("params", "stream") => Some(Cow::Owned(self.stream())),
            ("params", path) => {
                let mut names = path.split('.');
                let member = self.member(names.next().unwrap_or_default())?;
                names.try_fold(member, |value, name| get(value, name))
            }
            ("headers", name) => header(self.call.headers, name).map(|text| Cow::Owned(Value::from(text))),
            ("url", "pathname") => Some(Cow::Owned(Value::from(self.call.path))),
            ("tags", "") => self.tags(),
            ("batch_size", "") => Some(Cow::Owned(self.batch_size())),
            ("user", "") => self.caller(),
            ("key", "") => self.asked.as_ref()?.key_name.map(|name| Cow::Owned(Value::from(name))),
            _ => None,
        }
    }

    fn taken(&self) -> Option<&Taken> {
        // However often a request is judged, it is one.
        Some(self.plain.map_or(&self.taken, |plain| &plain.taken))
    }
}

/// What expressions call `time.NAME`, in UTC.
fn time(name: &str, unix_s: u64) -> Option<Cow<'static, Value>> {
    let (day, second) = (unix_s / 86_400, unix_s % 86_400);
    let number = match name {
        "hour" => second / 3_600,
        "minute" => second / 60 % 60,
        // The first of January 1970 was a Thursday; Sunday is 0.
        "weekday" => (day + 4) % 7,
        _ => return None,
    };
    Some(Cow::Owned(Value::from(number)))
}

/// A member of a value.
fn get<'v>(value: Cow<'v, Value>, name: &str) -> Option<Cow<'v, Value>> {
    match value {
        Cow::Borrowed(value) => value.get(name).map(Cow::Borrowed),
        Cow::Owned(mut value) => value.get_mut(name).map(|member| Cow::Owned(member.take())),
    }
}

/// Members whose names have points in them, as objects.
fn nested(members: &Map<String, Value>) -> Map<String, Value> {
    let mut all = Value::Object(Map::new());
    for (name, value) in members {
        let value = match value {
            Value::Object(inner) => Value::Object(nested(inner)),
            value => value.clone(),
        };
        let within = |value, name: &str| Value::Object(Map::from_iter([(name.to_owned(), value)]));
        all = merged(all, &name.splitn(NESTED_MAX, '.').collect::<Vec<_>>().into_iter().rev().fold(value, within));
    }
    match all {
        Value::Object(all) => all,
        _ => Map::new(),
    }
}

/// What is said, over what is usual where it says nothing.
fn over<'v>(said: Option<&'v Value>, usual: Option<&'v Value>) -> Option<Cow<'v, Value>> {
    match (said, usual) {
        (Some(said @ Value::Object(_)), Some(usual @ Value::Object(_))) => {
            Some(Cow::Owned(merged(usual.clone(), said)))
        }
        (said, usual) => said.or(usual).map(Cow::Borrowed),
    }
}

/// A value with another written over it, objects member by member.
fn merged(value: Value, over: &Value) -> Value {
    let (Value::Object(mut members), Value::Object(over)) = (value, over) else { return over.clone() };
    for (name, over) in over {
        let member = members.get_mut(name).map(Value::take).unwrap_or_default();
        members.insert(name.clone(), merged(member, over));
    }
    Value::Object(members)
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_is_told_in_utc_with_sunday_as_the_first_day() {
        // Sunday, 22 November 2026, 02:20:59.
        let told = |name| time(name, 1_795_314_059).and_then(|number| number.as_u64());
        assert_eq!((told("hour"), told("minute"), told("weekday"), told("day")), (Some(2), Some(20), Some(0), None));
        assert_eq!(time("weekday", 0).and_then(|number| number.as_u64()), Some(4), "1970 began on a Thursday");
    }
}
