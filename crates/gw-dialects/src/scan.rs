//! One pass over a JSON object: where its members stand. The whole document is checked and nothing is built.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

use gw_core::{Error, ErrorCode};
use serde::de::{Deserializer as _, MapAccess, Visitor};
use serde_json::value::RawValue;
use smallvec::SmallVec;

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
}

/// Finds the members of the object that is the whole of `text`.
///
/// # Errors
/// The text is anything but one valid JSON object in UTF-8.
pub fn top_level(text: &[u8]) -> Result<Fields, ScanError> {
    let text = std::str::from_utf8(text).map_err(|error| ScanError::NotUtf8 { offset: error.valid_up_to() })?;
    members(text)
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
        let key = text.get(self.key()).unwrap_or_default();
        let written = key.get(1..key.len().saturating_sub(1)).unwrap_or_default();
        if memchr::memchr(b'\\', written).is_none() {
            return Cow::Borrowed(written);
        }
        // Half of a surrogate pair is valid JSON, but no name that anybody asks for.
        serde_json::from_slice::<String>(key).map_or(Cow::Borrowed(written), |name| Cow::Owned(name.into_bytes()))
    }
}

impl Fields {
    /// The first member of that name in the text that was scanned.
    pub fn get(&self, text: &[u8], name: &str) -> Option<&Field> {
        self.all(text, name).next()
    }

    /// Every member of that name in the text that was scanned.
    pub fn all(&self, text: &[u8], name: &str) -> impl Iterator<Item = &Field> {
        self.0.iter().filter(move |field| *field.name(text) == *name.as_bytes())
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
        Ok(Self { text, fields: members(text)? })
    }

    /// The value of the first member of that name; `null` is no value.
    pub fn get(&self, name: &str) -> Option<&'a str> {
        let field = self.fields.get(self.text.as_bytes(), name)?;
        self.text.get(field.value()).filter(|value| *value != "null")
    }

    /// The value of that name, if it is an object.
    pub fn object(&self, name: &str) -> Option<Object<'a>> {
        self.get(name).and_then(|value| Object::parse(value).ok())
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
        }
    }
}

fn members(text: &str) -> Result<Fields, ScanError> {
    if u32::try_from(text.len()).is_err() {
        return Err(ScanError::TooLarge);
    }
    let mut json = serde_json::Deserializer::from_str(text);
    let fields = json.deserialize_map(Members { base: text.as_ptr().addr() }).and_then(|fields| {
        json.end()?;
        Ok(fields)
    });
    fields.map_err(|error| match error.classify() {
        // Only an object is visited: whatever else is read is of the wrong type.
        serde_json::error::Category::Data => ScanError::NotAnObject,
        _ if text.bytes().all(|byte| byte.is_ascii_whitespace()) => ScanError::Empty,
        _ => ScanError::Json { message: error.to_string() },
    })
}

struct Members {
    /// Where the text stands in memory: values borrow from it, so that their distance from here is their place.
    base: usize,
}

impl Members {
    fn place(&self, value: &RawValue) -> (u32, u32) {
        let text = value.get();
        // The length of the whole text was seen to fit.
        let start = (text.as_ptr().addr() - self.base) as u32;
        (start, start + text.len() as u32)
    }
}

impl<'de> Visitor<'de> for Members {
    type Value = Fields;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields, A::Error> {
        let mut fields = SmallVec::new();
        // Raw values are skipped without recursion: nesting costs no stack.
        while let Some((key, value)) = map.next_entry::<&RawValue, &RawValue>()? {
            fields.push(Field { key: self.place(key), value: self.place(value) });
        }
        Ok(Fields(fields))
    }
}

fn range((start, end): (u32, u32)) -> Range<usize> {
    start as usize..end as usize
}
