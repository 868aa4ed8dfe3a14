//! Reads members of a client's JSON, with an error that names the place and never the words. `null` is the same as
//! nothing.

use gw_core::{Error, ErrorCode};
use serde_json::{Map, Value};

/// A JSON object.
pub(super) type Object = Map<String, Value>;

/// An object of the request, and where it stands.
#[derive(Debug)]
pub(super) struct Node<'a> {
    /// Its members.
    pub(super) object: &'a Object,
    /// The member of the body that it stands in; `None` for the body itself.
    param: Option<&'static str>,
    path: String,
}

impl<'a> Node<'a> {
    pub(super) fn top(object: &'a Object) -> Self {
        Self { object, param: None, path: String::new() }
    }

    pub(super) fn get(&self, name: &str) -> Option<&'a Value> {
        self.object.get(name).filter(|value| !value.is_null())
    }

    pub(super) fn string(&self, name: &'static str) -> Result<Option<&'a str>, Error> {
        self.read(name, "a string", Value::as_str)
    }

    pub(super) fn bool(&self, name: &'static str) -> Result<Option<bool>, Error> {
        self.read(name, "true or false", Value::as_bool)
    }

    pub(super) fn f64(&self, name: &'static str) -> Result<Option<f64>, Error> {
        self.read(name, "a number", Value::as_f64)
    }

    pub(super) fn u64(&self, name: &'static str) -> Result<Option<u64>, Error> {
        self.read(name, "a whole number of 0 or more", Value::as_u64)
    }

    /// A string that must be there.
    pub(super) fn required(&self, name: &'static str) -> Result<&'a str, Error> {
        self.string(name)?.ok_or_else(|| self.wrong(name, "a string"))
    }

    pub(super) fn object(&self, name: &'static str) -> Result<Option<Node<'a>>, Error> {
        let object = self.read(name, "an object", Value::as_object)?;
        Ok(object.map(|object| Node { object, param: Some(self.param.unwrap_or(name)), path: self.place(name) }))
    }

    /// The values of a list; none if it is not there.
    pub(super) fn array(&self, name: &'static str) -> Result<&'a [Value], Error> {
        Ok(self.read(name, "a list", |value| value.as_array().map(Vec::as_slice))?.unwrap_or_default())
    }

    /// The objects of a list; none if it is not there.
    pub(super) fn objects(&self, name: &'static str) -> Result<Vec<Node<'a>>, Error> {
        let param = Some(self.param.unwrap_or(name));
        let values = self.array(name)?.iter().enumerate();
        let nodes = values.map(|(number, value)| {
            let path = format!("{}[{number}]", self.place(name));
            match value.as_object() {
                Some(object) => Ok(Node { object, param, path }),
                None => Err(wrong(param, &path, "an object")),
            }
        });
        nodes.collect()
    }

    /// The error of a member that is not what it must be.
    pub(super) fn wrong(&self, name: &'static str, wanted: &str) -> Error {
        wrong(Some(self.param.unwrap_or(name)), &self.place(name), wanted)
    }

    fn read<T>(
        &self,
        name: &'static str,
        wanted: &str,
        of: impl FnOnce(&'a Value) -> Option<T>,
    ) -> Result<Option<T>, Error> {
        match self.get(name) {
            None => Ok(None),
            Some(value) => of(value).map(Some).ok_or_else(|| self.wrong(name, wanted)),
        }
    }

    fn place(&self, name: &str) -> String {
        if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) }
    }
}

fn wrong(param: Option<&'static str>, place: &str, wanted: &str) -> Error {
    let mut error = Error::new(ErrorCode::InvalidRequest, format!("{place} must be {wanted}"));
    error.param = param;
    error
}

/// A text of a provider's JSON; empty if there is none.
pub(super) fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// The values of a list of a provider's JSON.
pub(super) fn list<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    value.get(name).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

/// A number as JSON: whole, if it is.
pub(super) fn number(number: f64) -> Value {
    let whole = number as i64;
    if whole as f64 == number && whole.unsigned_abs() < 1 << 53 { Value::from(whole) } else { Value::from(number) }
}
