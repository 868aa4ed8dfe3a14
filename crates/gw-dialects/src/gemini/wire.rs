//! Objects as Google writes them: members in camelCase or snake_case, integers as numbers or as text. Each object is
//! taken apart one level at a time, so that what is not understood, and the arguments of calls, keep their words.

use std::borrow::Cow;
use std::fmt;

use gw_core::{Error, ErrorCode};
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use crate::shared::json::unescaped;

/// An object that is taken apart. Of members that stand twice, the last counts.
#[derive(Debug, Default)]
pub(super) struct Object<'a> {
    members: Vec<(String, &'a RawValue)>,
    /// Where it stands, for messages.
    place: String,
}

impl<'a> Object<'a> {
    /// The object that a text is; `None` if it is none.
    pub(super) fn parse(text: &'a str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }

    /// The object that is the value at a place.
    pub(super) fn at(raw: &'a RawValue, place: String) -> Result<Self, Error> {
        match Self::parse(raw.get()) {
            Some(object) => Ok(Self { place, ..object }),
            None => Err(invalid(&place, "must be an object")),
        }
    }

    /// Takes a member out; one that is null is not there.
    pub(super) fn take(&mut self, name: &str) -> Option<&'a RawValue> {
        let at = self.members.iter().rposition(|(known, _)| known == name)?;
        let (_, raw) = self.members.remove(at);
        self.members.retain(|(known, _)| known != name);
        (raw.get() != "null").then_some(raw)
    }

    /// Whether it has a member.
    pub(super) fn has(&self, name: &str) -> bool {
        self.members.iter().any(|(known, raw)| known == name && raw.get() != "null")
    }

    /// Takes a member out that must be of a type; `what` names the type for the message.
    pub(super) fn read<T: Deserialize<'a>>(&mut self, name: &str, what: &str) -> Result<Option<T>, Error> {
        let Some(raw) = self.take(name) else { return Ok(None) };
        serde_json::from_str(raw.get()).map(Some).map_err(|_| self.wrong(name, what))
    }

    /// Takes a text out.
    pub(super) fn string(&mut self, name: &str) -> Result<Option<String>, Error> {
        self.read(name, "must be a string")
    }

    /// Takes an integer out.
    pub(super) fn integer(&mut self, name: &str) -> Result<Option<i64>, Error> {
        let Some(raw) = self.take(name) else { return Ok(None) };
        integer(raw).map(Some).ok_or_else(|| self.wrong(name, "must be an integer"))
    }

    /// Takes an integer out that is not negative.
    pub(super) fn count(&mut self, name: &str) -> Result<Option<u64>, Error> {
        let Some(integer) = self.integer(name)? else { return Ok(None) };
        u64::try_from(integer).map(Some).map_err(|_| self.wrong(name, "must not be negative"))
    }

    /// Takes an object out.
    pub(super) fn object(&mut self, name: &str) -> Result<Option<Object<'a>>, Error> {
        let Some(raw) = self.take(name) else { return Ok(None) };
        Object::at(raw, self.place_of(name)).map(Some)
    }

    /// Takes a list of objects out. One object alone is a list of one.
    pub(super) fn objects(&mut self, name: &str) -> Result<Vec<Object<'a>>, Error> {
        let Some(raw) = self.take(name) else { return Ok(Vec::new()) };
        let place = self.place_of(name);
        if raw.get().starts_with('{') {
            return Ok(vec![Object::at(raw, place)?]);
        }
        let list: Vec<&RawValue> =
            serde_json::from_str(raw.get()).map_err(|_| invalid(&place, "must be a list of objects"))?;
        list.into_iter().enumerate().map(|(index, raw)| Object::at(raw, format!("{place}[{index}]"))).collect()
    }

    /// Takes a member out, if it is of the type: for what providers write, where a surprise is no reason to fail.
    pub(super) fn get<T: Deserialize<'a>>(&mut self, name: &str) -> Option<T> {
        serde_json::from_str(self.take(name)?.get()).ok()
    }

    /// A member, which stays.
    pub(super) fn peek(&self, name: &str) -> Option<Value> {
        let (_, raw) = self.members.iter().rfind(|(known, raw)| known == name && raw.get() != "null")?;
        serde_json::from_str(raw.get()).ok()
    }

    /// Takes a count out of what a provider wrote.
    pub(super) fn number(&mut self, name: &str) -> Option<u64> {
        integer(self.take(name)?).and_then(|integer| u64::try_from(integer).ok())
    }

    /// The members that were not taken, without those that are null.
    pub(super) fn rest(self) -> Result<Map<String, Value>, Error> {
        let known = self.members.iter().filter(|(_, raw)| raw.get() != "null");
        let read = |(name, raw): &(String, &RawValue)| match serde_json::from_str(raw.get()) {
            Ok(value) => Ok((name.clone(), value)),
            // Whatever is JSON can be read, but for what is too deep and numbers that are too large.
            Err(_) => Err(self.wrong(name, "must not be nested so deeply, or have such large numbers")),
        };
        known.map(read).collect()
    }

    /// The members that were not taken and that can be read, of what a provider wrote.
    pub(super) fn readable(self) -> Map<String, Value> {
        let known = self.members.into_iter().filter(|(_, raw)| raw.get() != "null");
        known.filter_map(|(name, raw)| Some((name, serde_json::from_str(raw.get()).ok()?))).collect()
    }

    /// The names of the members that were not taken, without those that are null.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.members.iter().filter(|(_, raw)| raw.get() != "null").map(|(name, _)| name.as_str())
    }

    /// An error about a member.
    pub(super) fn wrong(&self, name: &str, what: &str) -> Error {
        invalid(&self.place_of(name), what)
    }

    /// Where it stands.
    pub(super) fn place(&self) -> &str {
        &self.place
    }

    /// Where a member of it stands.
    pub(super) fn place_of(&self, name: &str) -> String {
        if self.place.is_empty() { name.to_owned() } else { format!("{}.{name}", self.place) }
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Object<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;

        impl<'de> Visitor<'de> for Members {
            type Value = Object<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Object<'de>, A::Error> {
                let mut members = Vec::new();
                while let Some((name, raw)) = map.next_entry::<String, &'de RawValue>()? {
                    members.push((camel(&name).into_owned(), raw));
                }
                Ok(Object { members, place: String::new() })
            }
        }

        deserializer.deserialize_map(Members)
    }
}

/// An error about something in a request.
pub(super) fn invalid(place: &str, what: &str) -> Error {
    Error::new(ErrorCode::InvalidRequest, format!("{place} {what}"))
}

/// A name in camelCase.
pub(super) fn camel(name: &str) -> Cow<'_, str> {
    if !name.contains('_') {
        return Cow::Borrowed(name);
    }
    let mut camel = String::with_capacity(name.len());
    let mut raise = false;
    for c in name.chars() {
        match c {
            '_' if !camel.is_empty() => raise = true,
            c if raise => {
                camel.push(c.to_ascii_uppercase());
                raise = false;
            }
            c => camel.push(c),
        }
    }
    Cow::Owned(camel)
}

/// An integer, which Google also writes as text (int64) or with a fraction of zero.
fn integer(raw: &RawValue) -> Option<i64> {
    let text = raw.get().trim_matches('"');
    text.parse().ok().or_else(|| {
        let number: f64 = text.parse().ok()?;
        // As far as f64 holds integers exactly.
        let exact = number.fract() == 0.0 && number.abs() <= 9_007_199_254_740_992.0;
        exact.then_some(number as i64)
    })
}

/// A JSON text without the white space between its words, since Google's answers are laid out for readers, and without
/// escapes for what can stand for itself.
pub(super) fn compact(json: &str) -> String {
    let json = unescaped(json);
    let mut compact = String::with_capacity(json.len());
    let (mut in_string, mut escaped) = (false, false);
    for c in json.chars() {
        if in_string {
            in_string = escaped || c != '"';
            escaped = c == '\\' && !escaped;
        } else if c.is_ascii_whitespace() {
            continue;
        } else {
            in_string = c == '"';
        }
        compact.push(c);
    }
    compact
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_in_both_ways_of_writing() {
        for (name, camel_case) in
            [("topP", "topP"), ("top_p", "topP"), ("a_b_c", "aBC"), ("_x", "_x"), ("text", "text")]
        {
            assert_eq!(camel(name), camel_case);
        }
        let mut object =
            Object::parse(r#"{"top_k": "40", "max_output_tokens": 8.0, "seed": null, "x": {"y_z": 1}}"#).unwrap();
        assert_eq!(object.integer("topK").unwrap(), Some(40));
        assert_eq!(object.count("maxOutputTokens").unwrap(), Some(8));
        assert!(!object.has("seed"));
        assert_eq!(Value::Object(object.rest().unwrap()), serde_json::json!({"x": {"y_z": 1}}));
    }

    #[test]
    fn layout_is_taken_out_and_words_are_kept() {
        let text = "{ \"a \\\" b\\\\\" : [ 1 ,\n 12345678901234567890123 ] }";
        assert_eq!(compact(text), "{\"a \\\" b\\\\\":[1,12345678901234567890123]}");
        assert_eq!(compact(r#"{ "sky": "\u6674\u308c" }"#), r#"{"sky":"晴れ"}"#);
    }
}
