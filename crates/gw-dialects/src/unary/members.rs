//! A client's request, taken apart member by member: what is left over in the end is what no word of ours stands for.

use gw_core::chat::{Extra, Family};
use gw_core::{Error, ErrorCode};
use serde_json::{Map, Value};

/// The members of an object that have not been taken yet.
pub(crate) struct Members(Map<String, Value>);

impl Members {
    /// Those of a request's body.
    ///
    /// # Errors
    /// It is not a JSON object.
    pub(crate) fn of_body(body: &[u8]) -> Result<Self, Error> {
        match serde_json::from_slice(body) {
            Ok(Value::Object(members)) => Ok(Self(members)),
            Ok(_) => Err(Error::new(ErrorCode::InvalidRequest, "the body must be a JSON object")),
            Err(_) => Err(Error::new(ErrorCode::InvalidJson, "the body is not valid JSON")),
        }
    }

    /// Those of an object inside.
    pub(crate) fn of(members: Map<String, Value>) -> Self {
        Self(members)
    }

    /// A member; `None` if it is absent or null.
    pub(crate) fn take(&mut self, name: &str) -> Option<Value> {
        self.0.shift_remove(name).filter(|value| !value.is_null())
    }

    /// The first of these that is there, with its name.
    pub(crate) fn first(&mut self, names: &[&'static str]) -> Option<(&'static str, Value)> {
        let mut found = None;
        for name in names {
            // The others are taken too: they say the same.
            found = found.or(self.take(name).map(|value| (*name, value)));
        }
        found
    }

    /// A text.
    ///
    /// # Errors
    /// It is something else.
    pub(crate) fn text(&mut self, name: &'static str) -> Result<Option<String>, Error> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(wrong(name, "a string")),
        }
    }

    /// A whole number above zero, under the first of these names.
    ///
    /// # Errors
    /// It is something else.
    pub(crate) fn count(&mut self, names: &[&'static str]) -> Result<Option<u64>, Error> {
        let Some((name, value)) = self.first(names) else { return Ok(None) };
        value.as_u64().filter(|count| *count > 0).map(Some).ok_or_else(|| wrong(name, "a whole number above zero"))
    }

    /// A yes or a no.
    ///
    /// # Errors
    /// It is something else.
    pub(crate) fn flag(&mut self, name: &'static str) -> Result<Option<bool>, Error> {
        self.take(name).map(|value| value.as_bool().ok_or_else(|| wrong(name, "true or false"))).transpose()
    }

    /// A list.
    ///
    /// # Errors
    /// It is something else.
    pub(crate) fn list(&mut self, name: &'static str) -> Result<Option<Vec<Value>>, Error> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::Array(list)) => Ok(Some(list)),
            Some(_) => Err(wrong(name, "a list")),
        }
    }

    /// What is left over, for dialects of that family. Members that are null ask for nothing.
    pub(crate) fn rest(mut self, family: Family) -> Extra {
        self.0.retain(|_, value| !value.is_null());
        if self.0.is_empty() { Extra::default() } else { Extra { family, members: self.0 } }
    }
}

/// A parameter that is not what it must be.
pub(crate) fn wrong(param: &'static str, what: &str) -> Error {
    Error::new(ErrorCode::InvalidRequest, format!("`{param}` must be {what}")).with_param(param)
}

/// Texts, of a list of JSON values.
///
/// # Errors
/// One is something else.
pub(crate) fn texts(list: Vec<Value>, param: &'static str) -> Result<Vec<String>, Error> {
    let text = |value| match value {
        Value::String(text) => Ok(text),
        _ => Err(wrong(param, "a list of strings")),
    };
    list.into_iter().map(text).collect()
}
