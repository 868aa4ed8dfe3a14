//! Reading JSON that a client wrote about routing: members by name, each of its kind, what is left over told.

use std::time::Duration;

use gw_config::secret::Secret;
use gw_core::{Error, ErrorCode};
use gw_dialects::shared::{media, percent};
use http::{HeaderMap, HeaderValue};
use serde_json::{Map, Value};

use super::wish::{RetryWish, Wish};

/// The most that a configuration in a request may be, in bytes.
pub(super) const CONFIG_BYTES_MAX: usize = 16 << 10;
/// More names in a list are refused.
const LIST_MAX: usize = 64;
/// Longer names are nobody's.
const NAME_BYTES_MAX: usize = 256;

/// Members of an object, and where they stand.
pub(super) struct Members {
    map: Map<String, Value>,
    /// `x-portkey-config: targets[1]`.
    path: String,
}

/// A mistake in what a request says of its routing. Values are not repeated: there are keys among them.
pub(super) fn wrong(place: &str, must: &str) -> Error {
    Error::new(ErrorCode::InvalidRequest, format!("`{place}` {must}"))
}

/// The place that a mistake names.
pub(super) fn place_in(error: &Error) -> &str {
    error.message.split('`').nth(1).unwrap_or_default()
}

/// A header's text, in whichever encoding; `None` if it is not there.
pub(super) fn header<'a>(headers: &'a HeaderMap, name: &str) -> Result<Option<&'a str>, Error> {
    let Some(value) = headers.get(name) else { return Ok(None) };
    text(value).map(|text| Some(text.trim()).filter(|text| !text.is_empty())).ok_or_else(|| {
        wrong(name, "must be UTF-8; send JSON with other letters as ASCII escapes, percent-encoded or in base64")
    })
}

fn text(value: &HeaderValue) -> Option<&str> {
    std::str::from_utf8(value.as_bytes()).ok()
}

/// A number of milliseconds in a header.
pub(super) fn milliseconds(headers: &HeaderMap, name: &str) -> Result<Option<Duration>, Error> {
    let Some(text) = header(headers, name)? else { return Ok(None) };
    let found = text.parse().ok().filter(|millis| *millis > 0).map(Duration::from_millis);
    found.map(Some).ok_or_else(|| wrong(name, "must be a number of milliseconds"))
}

/// A whole number in a header.
pub(super) fn number(headers: &HeaderMap, name: &str) -> Result<Option<u32>, Error> {
    let Some(text) = header(headers, name)? else { return Ok(None) };
    text.parse().map(Some).map_err(|_| wrong(name, "must be a whole number"))
}

/// A configuration in a text: JSON as it is, percent-encoded, or in base64, with or without `base64:` before it.
pub(super) fn config(place: &str, text: &str) -> Result<Value, Error> {
    if text.len() > CONFIG_BYTES_MAX {
        return Err(wrong(place, "must not be longer than 16 KiB"));
    }
    let must = "must be a JSON object: as it is, percent-encoded, or in base64; or the name of a configuration that is kept \
                here, and none of this name is (presets)";
    let decoded;
    let marked = text.strip_prefix("base64:").or_else(|| text.strip_prefix("b64:"));
    let bytes: &[u8] = match (marked, text.as_bytes().first()) {
        (None, Some(b'{')) => text.as_bytes(),
        (None, Some(b'%')) => {
            decoded = percent::decoded(text);
            &decoded
        }
        (marked, _) => {
            decoded = media::bytes(marked.unwrap_or(text)).ok_or_else(|| wrong(place, must))?;
            &decoded
        }
    };
    serde_json::from_slice(bytes).ok().filter(Value::is_object).ok_or_else(|| wrong(place, must))
}

impl Members {
    /// The members of an object.
    pub(super) fn of(value: Value, path: impl Into<String>) -> Result<Self, Error> {
        let path = path.into();
        match value {
            Value::Object(map) => Ok(Self { map, path }),
            _ => Err(wrong(&path, "must be an object")),
        }
    }

    /// The members of an object in a body.
    pub(super) fn read(json: &[u8], path: &str) -> Result<Self, Error> {
        let value = serde_json::from_slice(json).map_err(|_| wrong(path, "cannot be read as JSON"))?;
        Self::of(value, path)
    }

    /// Takes a member, under its name or the same in camel case. `null` is nothing.
    pub(super) fn take(&mut self, name: &str) -> Option<Value> {
        let found = self.map.remove(name).or_else(|| self.map.remove(&camel(name)));
        found.filter(|value| !value.is_null())
    }

    /// Whether there is such a member.
    pub(super) fn has(&self, name: &str) -> bool {
        self.map.contains_key(name) || self.map.contains_key(&camel(name))
    }

    /// Where a member stands.
    pub(super) fn at(&self, name: &str) -> String {
        if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) }
    }

    /// Where the object stands.
    pub(super) fn path(&self) -> &str {
        &self.path
    }

    /// A mistake in a member.
    pub(super) fn wrong(&self, name: &str, must: &str) -> Error {
        wrong(&self.at(name), must)
    }

    /// A member, to be changed where it stands.
    pub(super) fn get_mut(&mut self, name: &str) -> Option<&mut Value> {
        self.map.get_mut(name)
    }

    /// An object of any members; an empty one if it is not there.
    pub(super) fn object(&mut self, name: &str) -> Result<Map<String, Value>, Error> {
        match self.take(name) {
            None => Ok(Map::new()),
            Some(Value::Object(map)) => Ok(map),
            Some(_) => Err(self.wrong(name, "must be an object")),
        }
    }

    /// A line of text.
    pub(super) fn text(&mut self, name: &str) -> Result<Option<Box<str>>, Error> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::String(text)) if is_name(&text) => Ok(Some(text.into())),
            Some(_) => Err(self.wrong(name, "must be a short line of text")),
        }
    }

    /// What must not be shown.
    pub(super) fn secret(&mut self, name: &str) -> Result<Option<Secret>, Error> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(Secret::new(text)).filter(|secret| !secret.expose().is_empty())),
            // A service account's file, as it is.
            Some(value @ Value::Object(_)) => Ok(Some(Secret::new(value.to_string()))),
            Some(_) => Err(self.wrong(name, "must be a text")),
        }
    }

    /// A list of names; one name stands for a list of one.
    pub(super) fn names(&mut self, name: &str) -> Result<Option<Vec<Box<str>>>, Error> {
        let list = self.take(name).map(|value| if value.is_string() { Value::Array(vec![value]) } else { value });
        self.listed(name, list)
    }

    /// A list of names, which one name is not.
    pub(super) fn list(&mut self, name: &str) -> Result<Option<Vec<Box<str>>>, Error> {
        let list = self.take(name);
        self.listed(name, list)
    }

    fn listed(&self, name: &str, list: Option<Value>) -> Result<Option<Vec<Box<str>>>, Error> {
        let list = match list {
            None => return Ok(None),
            Some(Value::Array(list)) if list.len() <= LIST_MAX => list,
            Some(_) => return Err(self.wrong(name, "must be a list of at most 64 names")),
        };
        let named = |value: Value| match value {
            Value::String(text) if is_name(&text) => Some(text.into()),
            _ => None,
        };
        let names = list.into_iter().map(named).collect::<Option<_>>();
        names.map(Some).ok_or_else(|| self.wrong(name, "must be a list of names"))
    }

    /// True or false.
    pub(super) fn flag(&mut self, name: &str) -> Result<Option<bool>, Error> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::Bool(flag)) => Ok(Some(flag)),
            Some(_) => Err(self.wrong(name, "must be true or false")),
        }
    }

    /// A number that is not negative.
    pub(super) fn number(&mut self, name: &str) -> Result<Option<f64>, Error> {
        match self.take(name).map(|value| value.as_f64()) {
            None => Ok(None),
            Some(Some(number)) if number >= 0.0 => Ok(Some(number)),
            Some(_) => Err(self.wrong(name, "must be a number that is not negative")),
        }
    }

    /// A number of milliseconds; none is no limit.
    pub(super) fn milliseconds(&mut self, name: &str) -> Result<Option<Duration>, Error> {
        let found = self.number(name)?.filter(|millis| *millis >= 1.0);
        Ok(found.and_then(|millis| Duration::try_from_secs_f64(millis / 1e3).ok()))
    }

    /// A list of statuses.
    pub(super) fn statuses(&mut self, name: &str) -> Result<Option<Vec<u16>>, Error> {
        let Some(value) = self.take(name) else { return Ok(None) };
        let status = |value: &Value| value.as_u64().and_then(|status| u16::try_from(status).ok());
        let list = value.as_array().filter(|list| list.len() <= LIST_MAX);
        let list = list.and_then(|list| list.iter().map(status).collect::<Option<Vec<_>>>());
        list.map(Some).ok_or_else(|| self.wrong(name, "must be a list of HTTP statuses"))
    }

    /// How to try again: `attempts` or `count` further tries.
    pub(super) fn retry(&mut self, name: &str, wish: &mut Wish) -> Result<Option<RetryWish>, Error> {
        let Some(value) = self.take(name) else { return Ok(None) };
        let mut members = Self::of(value, self.at(name))?;
        let attempts = members.number("attempts")?;
        let attempts = attempts.or(members.number("count")?);
        let retry = RetryWish {
            retries: attempts.map(|attempts| attempts.min(1e6) as u32),
            on_statuses: members.statuses("on_status_codes")?,
            heeds_retry_after: members.flag("use_retry_after_header")?,
            ..RetryWish::default()
        };
        members.rest(wish);
        Ok(Some(retry))
    }

    /// Whether everything has been taken.
    pub(super) fn is_empty(&self) -> bool {
        self.map.is_empty()
    }

    /// Every member that is left, by its name.
    pub(super) fn into_pairs(self) -> impl Iterator<Item = (String, Value)> {
        self.map.into_iter()
    }

    /// What nobody has taken is told.
    pub(super) fn rest(self, wish: &mut Wish) {
        for name in self.map.keys() {
            wish.idle(self.at(&name.chars().take(60).collect::<String>()));
        }
    }
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.len() <= NAME_BYTES_MAX && !text.chars().any(char::is_control)
}

/// `api_key` as JavaScript writes it.
fn camel(name: &str) -> String {
    let mut camel = String::with_capacity(name.len());
    let mut raises = false;
    for letter in name.chars() {
        match letter {
            '_' => raises = true,
            letter if std::mem::take(&mut raises) => camel.extend(letter.to_uppercase()),
            letter => camel.push(letter),
        }
    }
    camel
}
