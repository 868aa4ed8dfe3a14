//! Members taken out of a JSON object with the type they must have. What is wrong is told with its place, and never with
//! the client's words.

use gw_core::{Error, ErrorCode};
use serde_json::{Map, Value};

/// A member that is not what it must be.
#[derive(Debug)]
pub(super) struct Wrong {
    place: String,
    must: &'static str,
}

/// Members of the body that an error may name in `param`.
const PARAMS: [&str; 20] = [
    "messages",
    "model",
    "tools",
    "tool_choice",
    "functions",
    "function_call",
    "response_format",
    "stop",
    "temperature",
    "top_p",
    "top_k",
    "n",
    "seed",
    "stream",
    "stream_options",
    "logprobs",
    "logit_bias",
    "metadata",
    "modalities",
    "max_completion_tokens",
];

impl Wrong {
    /// The member of that name must be so.
    pub(super) fn new(place: &str, must: &'static str) -> Self {
        Self { place: place.to_owned(), must }
    }

    /// The place is inside another.
    pub(super) fn within(mut self, outer: &str) -> Self {
        let join = if self.place.is_empty() || self.place.starts_with('[') { "" } else { "." };
        self.place = format!("{outer}{join}{}", self.place);
        self
    }

    /// The place is inside that element of a list.
    pub(super) fn element(self, list: &str, index: usize) -> Self {
        self.within(&format!("{list}[{index}]"))
    }
}

impl From<Wrong> for Error {
    fn from(wrong: Wrong) -> Self {
        let top = wrong.place.split(['.', '[']).next().unwrap_or_default();
        let param = PARAMS.into_iter().find(|param| *param == top);
        let error = Error::new(ErrorCode::InvalidRequest, format!("`{}` {}", wrong.place, wrong.must));
        match param {
            Some(param) => error.with_param(param),
            None => error,
        }
    }
}

/// An object whose members are taken one by one; what is left is what nobody knew.
pub(super) type Members = Map<String, Value>;

/// What is left of an object and of one inside it: that under its name, if anything is left of it.
pub(super) fn with_rest(mut outer: Members, name: &str, mut inner: Members) -> Members {
    inner.retain(|_, value| !value.is_null());
    if !inner.is_empty() {
        outer.insert(name.to_owned(), Value::Object(inner));
    }
    outer
}

/// The member of that name; `null` is none.
pub(super) fn take(members: &mut Members, name: &str) -> Option<Value> {
    // The order of the others is kept.
    members.shift_remove(name).filter(|value| !value.is_null())
}

/// A text.
pub(super) fn string(members: &mut Members, name: &str) -> Result<Option<String>, Wrong> {
    match take(members, name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(Wrong::new(name, "must be a string")),
    }
}

/// A text that there must be.
pub(super) fn required(members: &mut Members, name: &str) -> Result<String, Wrong> {
    string(members, name)?.ok_or_else(|| Wrong::new(name, "is missing; it must be a string"))
}

/// Yes or no.
pub(super) fn boolean(members: &mut Members, name: &str) -> Result<Option<bool>, Wrong> {
    match take(members, name) {
        None => Ok(None),
        Some(Value::Bool(flag)) => Ok(Some(flag)),
        Some(_) => Err(Wrong::new(name, "must be true or false")),
    }
}

/// A number.
pub(super) fn number(members: &mut Members, name: &str) -> Result<Option<f64>, Wrong> {
    let Some(value) = take(members, name) else { return Ok(None) };
    value.as_f64().map(Some).ok_or_else(|| Wrong::new(name, "must be a number"))
}

/// A whole number that is not negative. Some clients write it with a fraction of zero.
pub(super) fn count(members: &mut Members, name: &str) -> Result<Option<u64>, Wrong> {
    let Some(value) = take(members, name) else { return Ok(None) };
    let whole = |number: f64| ((0.0..9e15).contains(&number) && number.fract() == 0.0).then_some(number as u64);
    let count = value.as_u64().or_else(|| value.as_f64().and_then(whole));
    count.map(Some).ok_or_else(|| Wrong::new(name, "must be a whole number that is not negative"))
}

/// A whole number.
pub(super) fn integer(members: &mut Members, name: &str) -> Result<Option<i64>, Wrong> {
    let Some(value) = take(members, name) else { return Ok(None) };
    value.as_i64().map(Some).ok_or_else(|| Wrong::new(name, "must be a whole number"))
}

/// A small whole number that is not negative.
pub(super) fn small(members: &mut Members, name: &str) -> Result<Option<u32>, Wrong> {
    let Some(count) = count(members, name)? else { return Ok(None) };
    u32::try_from(count).map(Some).map_err(|_| Wrong::new(name, "is too large"))
}

/// An object.
pub(super) fn object(members: &mut Members, name: &str) -> Result<Option<Members>, Wrong> {
    match take(members, name) {
        None => Ok(None),
        Some(Value::Object(inner)) => Ok(Some(inner)),
        Some(_) => Err(Wrong::new(name, "must be an object")),
    }
}

/// A list; empty if there is none.
pub(super) fn list(members: &mut Members, name: &str) -> Result<Vec<Value>, Wrong> {
    match take(members, name) {
        None => Ok(Vec::new()),
        Some(Value::Array(elements)) => Ok(elements),
        Some(_) => Err(Wrong::new(name, "must be a list")),
    }
}

/// A value that must be an object.
pub(super) fn as_object(value: Value) -> Result<Members, Wrong> {
    match value {
        Value::Object(members) => Ok(members),
        _ => Err(Wrong::new("", "must be an object")),
    }
}

/// One text, or a list of texts.
pub(super) fn strings(members: &mut Members, name: &str) -> Result<Vec<String>, Wrong> {
    let text = |value| match value {
        Value::String(text) => Some(text),
        _ => None,
    };
    let texts = match take(members, name) {
        None => Some(Vec::new()),
        Some(Value::Array(elements)) => elements.into_iter().map(text).collect(),
        Some(one) => text(one).map(|text| vec![text]),
    };
    texts.ok_or_else(|| Wrong::new(name, "must be a string or a list of strings"))
}
