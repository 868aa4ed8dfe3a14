//! One pass over a JSON object: where its members stand. The whole document is checked and nothing is built.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::fmt;
use std::ops::Range;

use gw_core::{Error, ErrorCode};
use serde::de::{Deserializer as _, SeqAccess, Visitor};
use serde_json::value::RawValue;
use smallvec::SmallVec;

use crate::skip::{self, Invalid};

/// An object with more members than this is not a request: the list of their places could outgrow the body.
const MEMBERS_MAX: usize = 4_096;

/// Where a member of an object stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field {
    // Four bytes each, so that the members of a usual request stay on the stack.
    key: (u32, u32),
    value: (u32, u32),
}

/// The members of an object, in their order. They are places in the text that was scanned, which goes beside them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Fields(SmallVec<[Field; 16]>);

/// An object that is looked into.
#[derive(Debug, Clone)]
pub struct Object<'a> {
    text: &'a str,
    fields: Fields,
}

/// Why a text could not be scanned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ScanError {
    /// It is not JSON.
    Json {
        /// What is wrong and where, without a word of the text.
        message: String,
    },
    /// It is not UTF-8.
    NotUtf8 {
        /// The first byte that is wrong.
        offset: usize,
    },
    /// It is JSON, but not an object.
    NotAnObject,
    /// There is nothing.
    Empty,
    /// It is larger than 4 GiB.
    TooLarge,
    /// It has too many members.
    TooManyMembers,
}

/// Finds the members of the object that is the whole of `text`.
///
/// # Errors
/// The text is anything but one valid JSON object in UTF-8.
pub fn top_level(text: &[u8]) -> Result<Fields, ScanError> {
    // Most are UTF-8: only one that is not valid is looked at again, to say what is wrong.
    members(text).map_err(|error| match std::str::from_utf8(text) {
        Ok(_) => error,
        Err(error) => ScanError::NotUtf8 { offset: error.valid_up_to() },
    })
}

impl Field {
    /// The name with its quotes.
    pub fn key(&self) -> Range<usize> {
        range(self.key)
    }

    /// The value.
    pub fn value(&self) -> Range<usize> {
        range(self.value)
    }

    /// The name and the value.
    pub fn member(&self) -> Range<usize> {
        range((self.key.0, self.value.1))
    }

    /// The name in the text that was scanned, however it is written there.
    pub fn name<'a>(&self, text: &'a [u8]) -> Cow<'a, [u8]> {
        let written = self.written(text);
        if memchr::memchr(b'\\', written).is_none() {
            return Cow::Borrowed(written);
        }
        // Half of a surrogate pair is valid JSON, but no name that anybody asks for.
        let read = serde_json::from_slice::<String>(text.get(self.key()).unwrap_or_default());
        read.map_or(Cow::Borrowed(written), |name| Cow::Owned(name.into_bytes()))
    }

    /// Whether that is its name in the text that was scanned, however it is written there.
    fn is_named(&self, text: &[u8], name: &[u8]) -> bool {
        let written = self.written(text);
        // An escape begins with a backslash: most names are told apart by their first letter.
        if written.first() != name.first() && written.first() != Some(&b'\\') {
            return false;
        }
        // An escape is longer than what it stands for: only a longer text may be the name in other letters.
        match written.len().cmp(&name.len()) {
            Ordering::Less => false,
            Ordering::Equal => written == name && memchr::memchr(b'\\', name).is_none(),
            Ordering::Greater => *self.name(text) == *name,
        }
    }

    /// The name as it is written between its quotes.
    fn written<'a>(&self, text: &'a [u8]) -> &'a [u8] {
        let key = text.get(self.key()).unwrap_or_default();
        key.get(1..key.len().saturating_sub(1)).unwrap_or_default()
    }
}

impl Fields {
    /// The first member of that name in the text that was scanned.
    pub fn get(&self, text: &[u8], name: &str) -> Option<&Field> {
        self.all(text, name).next()
    }

    /// Every member of that name in the text that was scanned.
    pub fn all(&self, text: &[u8], name: &str) -> impl Iterator<Item = &Field> {
        self.0.iter().filter(move |field| field.is_named(text, name.as_bytes()))
    }

    /// Every member.
    pub fn iter(&self) -> std::slice::Iter<'_, Field> {
        self.0.iter()
    }
}

impl<'a> Object<'a> {
    /// Finds the members of the object that is the whole of `text`.
    ///
    /// # Errors
    /// The text is anything but one valid JSON object.
    pub fn parse(text: &'a str) -> Result<Self, ScanError> {
        Ok(Self { text, fields: members(text.as_bytes())? })
    }

    /// The value of the first member of that name; `null` is no value.
    pub fn get(&self, name: &str) -> Option<&'a str> {
        let field = self.fields.get(self.text.as_bytes(), name)?;
        self.text.get(field.value()).filter(|value| *value != "null")
    }

    /// The members with their values, in their order; `null` is no value.
    pub fn members(&self) -> impl Iterator<Item = (Cow<'a, [u8]>, &'a str)> {
        let text = self.text;
        let all =
            self.fields.iter().filter_map(move |field| Some((field.name(text.as_bytes()), text.get(field.value())?)));
        all.filter(|(_, value)| *value != "null")
    }

    /// Whether every member has one of those names.
    pub fn has_only(&self, names: &[&str]) -> bool {
        self.fields.iter().all(|field| {
            let name = field.name(self.text.as_bytes());
            names.iter().any(|known| known.as_bytes() == &*name)
        })
    }

    /// The value of that name, if it is an object.
    pub fn object(&self, name: &str) -> Option<Object<'a>> {
        self.get(name).and_then(|value| Object::parse(value).ok())
    }

    /// Hands over the elements of the value of that name, if it is a list, and says how many there are.
    pub fn elements(&self, name: &str, each: impl FnMut(&'a str)) -> Option<usize> {
        let mut json = serde_json::Deserializer::from_str(self.get(name)?);
        json.deserialize_seq(Elements { each }).ok()
    }

    /// The value of that name, if it is a string.
    pub fn string(&self, name: &str) -> Option<String> {
        self.get(name).and_then(|value| serde_json::from_str(value).ok())
    }
}

impl ScanError {
    /// What the client is told of its request.
    pub fn into_error(self) -> Error {
        match self {
            Self::Json { message } => {
                Error::new(ErrorCode::InvalidJson, format!("the body is not valid JSON: {message}"))
            }
            Self::NotUtf8 { offset } => {
                Error::new(ErrorCode::InvalidJson, format!("the body is not valid UTF-8: byte {offset} is wrong"))
            }
            Self::NotAnObject => Error::new(ErrorCode::InvalidRequest, "the body is JSON, but not an object; send one"),
            Self::Empty => Error::new(ErrorCode::InvalidJson, "the body is empty; send a JSON object"),
            Self::TooLarge => Error::new(ErrorCode::RequestTooLarge, "the body is larger than 4 GiB"),
            Self::TooManyMembers => Error::new(
                ErrorCode::InvalidRequest,
                format!("the body has more than {MEMBERS_MAX} members; send fewer"),
            ),
        }
    }
}

fn members(text: &[u8]) -> Result<Fields, ScanError> {
    if u32::try_from(text.len()).is_err() {
        return Err(ScanError::TooLarge);
    }
    let start = skip::space(text, 0);
    if start == text.len() {
        return Err(ScanError::Empty);
    }
    let (fields, end) = object(text, start).map_err(|invalid| not_json(text, invalid))?;
    let end = skip::space(text, end);
    if end < text.len() {
        return Err(not_json(text, Invalid { at: end }));
    }
    if text[start] != b'{' {
        return Err(ScanError::NotAnObject);
    }
    if fields.0.len() > MEMBERS_MAX { Err(ScanError::TooManyMembers) } else { Ok(fields) }
}

/// The members of the value at `start`, and where it ends. What is not an object has none.
fn object(text: &[u8], start: usize) -> Result<(Fields, usize), Invalid> {
    let mut fields = Fields::default();
    if text.get(start) != Some(&b'{') {
        return Ok((fields, skip::value(text, start)?));
    }
    let mut at = skip::space(text, start + 1);
    if text.get(at) == Some(&b'}') {
        return Ok((fields, at + 1));
    }
    loop {
        let key = (at, skip::string(text, at)?);
        let colon = skip::space(text, key.1);
        if text.get(colon) != Some(&b':') {
            return Err(Invalid { at: colon });
        }
        let value = skip::space(text, colon + 1);
        let value = (value, skip::value(text, value)?);
        if fields.0.len() <= MEMBERS_MAX {
            fields.0.push(Field { key: place(key), value: place(value) });
        }
        at = skip::space(text, value.1);
        match text.get(at) {
            Some(b',') => at = skip::space(text, at + 1),
            Some(b'}') => return Ok((fields, at + 1)),
            _ => return Err(Invalid { at }),
        }
    }
}

/// The length of the whole text was seen to fit.
fn place((start, end): (usize, usize)) -> (u32, u32) {
    (start as u32, end as u32)
}

fn not_json(text: &[u8], Invalid { at }: Invalid) -> ScanError {
    let before = &text[..at.min(text.len())];
    let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
    let column = before.iter().rev().take_while(|byte| **byte != b'\n').count() + 1;
    let what = if at >= text.len() { "it ends too early, at" } else { "something is wrong at" };
    ScanError::Json { message: format!("{what} line {line}, column {column}") }
}

struct Elements<F> {
    each: F,
}

impl<'de, F: FnMut(&'de str)> Visitor<'de> for Elements<F> {
    type Value = usize;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut list: A) -> Result<usize, A::Error> {
        let mut count = 0;
        while let Some(element) = list.next_element::<&RawValue>()? {
            (self.each)(element.get());
            count += 1;
        }
        Ok(count)
    }
}

fn range((start, end): (u32, u32)) -> Range<usize> {
    start as usize..end as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value<'a>(text: &'a str, name: &str) -> Option<&'a str> {
        let fields = top_level(text.as_bytes()).unwrap();
        fields.get(text.as_bytes(), name).map(|field| &text[field.value()])
    }

    #[test]
    fn a_value_is_found_with_its_very_bytes() {
        let text = "\n { \"a\" : 1e400 ,\t\"b\":  [ 1, {\"c\":2} ]\r\n, \"big\":123456789012345678901234567890, \"s\":\"\\ud800\" } ";
        assert_eq!(value(text, "a"), Some("1e400"));
        assert_eq!(value(text, "b"), Some("[ 1, {\"c\":2} ]"));
        assert_eq!(value(text, "big"), Some("123456789012345678901234567890"));
        assert_eq!(value(text, "s"), Some("\"\\ud800\""));
        assert_eq!(value(text, "c"), None);
        assert_eq!(value("{}", "a"), None);
    }

    #[test]
    fn a_name_is_known_however_it_is_written() {
        let text = r#"{"mod\u0065l":"x","str\/eam":1,"\ud800":2,"":3}"#;
        let fields = top_level(text.as_bytes()).unwrap();
        let field = fields.get(text.as_bytes(), "model").unwrap();
        assert_eq!(&text[field.key()], r#""mod\u0065l""#);
        assert_eq!(&text[field.value()], r#""x""#);
        assert_eq!(&text[field.member()], r#""mod\u0065l":"x""#);
        assert_eq!(value(text, "str/eam"), Some("1"));
        assert_eq!(value(text, ""), Some("3"));
        assert_eq!(value(text, r"mod\u0065l"), None, "a name is not what it looks like");
    }

    #[test]
    fn members_that_stand_twice_are_all_found_in_their_order() {
        let text = r#"{"a":1,"b":2,"\u0061":3}"#;
        let fields = top_level(text.as_bytes()).unwrap();
        let found: Vec<_> = fields.all(text.as_bytes(), "a").map(|field| &text[field.value()]).collect();
        assert_eq!(found, ["1", "3"]);
        assert_eq!(fields.iter().count(), 3);
    }

    #[test]
    fn nesting_costs_no_stack() {
        let deep = format!(r#"{{"a":{}{},"b":1}}"#, "[".repeat(100_000), "]".repeat(100_000));
        assert_eq!(value(&deep, "b"), Some("1"));
        let deep = format!(r#"{{"a":{}1{}}}"#, r#"{"x":"#.repeat(100_000), "}".repeat(100_000));
        assert!(top_level(deep.as_bytes()).is_ok());
        let open = "[".repeat(100_000);
        assert!(matches!(top_level(format!(r#"{{"a":{open}"#).as_bytes()), Err(ScanError::Json { .. })));
    }

    #[test]
    fn what_is_not_one_json_object_is_refused_and_not_quoted() {
        let json = |text: &str| matches!(top_level(text.as_bytes()), Err(ScanError::Json { message }) if !message.contains("secret"));
        for text in [
            r#"{"a":1"#,
            r#"{"a":1,}"#,
            r#"{"a" 1}"#,
            r#"{"a":1}}"#,
            r#"{"a":1} {"b":2}"#,
            r#"{a:1}"#,
            "{'a':1}",
            r#"{"a":01}"#,
            r#"{"a":.5}"#,
            r#"{"a":NaN}"#,
            r#"{"a":"secret}"#,
            "{\"a\":\"secret\n\"}",
            r#"{"secret":"\x"}"#,
            r#"{"a":tru}"#,
            "secret",
            r#"{"a":[1,2}"#,
            r#"{"a":{"b":1]}"#,
            r#"{1:2}"#,
            "\u{feff}{}",
            r#"{"a":"\u12"}"#,
        ] {
            assert!(json(text), "{text}: {:?}", top_level(text.as_bytes()));
        }
        for text in ["[]", "\"secret\"", "1", "null", "true"] {
            assert_eq!(top_level(text.as_bytes()), Err(ScanError::NotAnObject), "{text}");
        }
        for text in ["", " \r\n\t"] {
            assert_eq!(top_level(text.as_bytes()), Err(ScanError::Empty));
        }
        assert_eq!(top_level(b"{\"a\":\"\xff\"}"), Err(ScanError::NotUtf8 { offset: 6 }));
    }

    #[test]
    fn the_list_of_members_does_not_outgrow_the_body() {
        let text = |count: usize| format!("{{{}\"a\":1}}", "\"a\":1,".repeat(count - 1));
        assert!(top_level(text(MEMBERS_MAX).as_bytes()).is_ok());
        assert_eq!(top_level(text(MEMBERS_MAX + 1).as_bytes()), Err(ScanError::TooManyMembers));
    }

    #[test]
    fn an_object_is_looked_into() {
        let object = Object::parse(r#"{"a":{"b":"x\ny"},"n":null,"s":1,"l":[1, {"c":"]"} ]}"#).unwrap();
        let mut elements = Vec::new();
        assert_eq!(object.elements("l", |element| elements.push(element)), Some(2));
        assert_eq!(elements, ["1", r#"{"c":"]"}"#]);
        assert_eq!(object.elements("a", drop), None);
        assert_eq!(object.object("a").unwrap().string("b").as_deref(), Some("x\ny"));
        assert_eq!(object.get("n"), None);
        assert_eq!(object.string("s"), None);
        assert!(object.object("s").is_none());
    }
}
