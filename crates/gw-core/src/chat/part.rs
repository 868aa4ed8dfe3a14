//! What messages are made of.

use serde_json::Value;

use crate::chat::opaque::{Family, Opaque};
use crate::chat::unknown::Unknown;

/// A piece of a message.
#[derive(Debug, Clone, PartialEq)]
pub enum Part {
    /// Text.
    Text(Text),
    /// The model's own words for that it will not answer.
    Refusal(String),
    /// A picture, a sound, a film, a document.
    Media(Media),
    /// The model calls a tool.
    ToolCall(ToolCall),
    /// What a tool gave back.
    ToolResult(ToolResult),
    /// What the model thought.
    Reasoning(Reasoning),
    /// Something that dialects of one family alone can say: a server's tool at work, a container.
    Native(Native),
}

/// Text.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Text {
    /// The text.
    pub text: String,
    /// Where it was taken from.
    pub citations: Vec<Citation>,
    /// Up to here the provider is to remember the request.
    pub cache: Option<CacheMarker>,
    /// What the provider wants to see again with it.
    pub opaque: Option<Opaque>,
    /// What the dialect can say of it and no word above stands for.
    pub unknown: Unknown,
}

/// A picture, a sound, a film, a document.
#[derive(Debug, Clone, PartialEq)]
pub struct Media {
    /// Which of them.
    pub kind: MediaKind,
    /// Where it is.
    pub source: MediaSource,
    /// A file name or title.
    pub name: Option<String>,
    /// How closely a picture is looked at: `low`, `high`, `auto`, `original`.
    pub detail: Option<String>,
    /// Up to here the provider is to remember the request.
    pub cache: Option<CacheMarker>,
    /// Members that dialects of one family alone understand (citations switched on, context, video metadata).
    pub extra: Option<Native>,
    /// What the provider wants to see again with it.
    pub opaque: Option<Opaque>,
}

/// What kind of thing is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MediaKind {
    /// A picture.
    Image,
    /// A sound.
    Audio,
    /// A film.
    Video,
    /// A PDF or another file.
    Document,
}

/// Where a medium is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MediaSource {
    /// Here, in base64 of the standard alphabet, padded, without line breaks.
    Inline {
        /// Its media type.
        media_type: String,
        /// The bytes.
        data: String,
    },
    /// Here, as text.
    Text {
        /// Its media type.
        media_type: String,
        /// The text.
        text: String,
    },
    /// At an address.
    Url {
        /// The address.
        url: String,
        /// Its media type, if it was said.
        media_type: Option<String>,
    },
    /// With the provider, under an id that it gave.
    File {
        /// The id or the provider's own address.
        id: String,
        /// Its media type, if it was said.
        media_type: Option<String>,
    },
}

/// The model calls a tool.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ToolCall {
    /// By which its result is known. Never empty: a decoder of a dialect without ids makes one.
    pub id: String,
    /// The tool.
    pub name: String,
    /// What it is given.
    pub input: ToolInput,
    /// What the provider wants to see again with it.
    pub opaque: Option<Opaque>,
    /// Up to here the provider is to remember the request.
    pub cache: Option<CacheMarker>,
    /// What the dialect can say of it and no word above stands for.
    pub unknown: Unknown,
}

/// What a tool is given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ToolInput {
    /// A JSON document, kept as it was written. From a model it may be anything; [`ToolInput::object`] makes an object.
    Json(String),
    /// Free text, for a custom tool.
    Text(String),
}

impl Default for ToolInput {
    fn default() -> Self {
        Self::Json("{}".to_owned())
    }
}

impl ToolInput {
    /// As a JSON object in text: nothing becomes `{}`; what is not an object stands under `_raw`, where nothing is lost.
    pub fn object(&self) -> String {
        let wrapped = |key: &str, value: Value| Value::from_iter([(key, value)]).to_string();
        match self {
            Self::Text(text) => wrapped("input", Value::from(text.as_str())),
            Self::Json(json) if json.trim().is_empty() => "{}".to_owned(),
            Self::Json(json) => match serde_json::from_str::<&serde_json::value::RawValue>(json) {
                Ok(raw) if raw.get().starts_with('{') => raw.get().to_owned(),
                Ok(raw) => format!("{{\"_raw\":{}}}", raw.get()),
                Err(_) => wrapped("_raw", Value::from(json.as_str())),
            },
        }
    }
}

/// What a tool gave back.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ToolResult {
    /// The id of the call.
    pub call_id: String,
    /// The tool, where the dialect says it.
    pub name: Option<String>,
    /// What it gave back: texts and media.
    pub content: Vec<Part>,
    /// Whether the tool failed.
    pub is_error: bool,
    /// Whether it answers a custom tool's call.
    pub is_custom: bool,
    /// Up to here the provider is to remember the request.
    pub cache: Option<CacheMarker>,
    /// What the dialect can say of it and no word above stands for.
    pub unknown: Unknown,
}

/// What the model thought.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Reasoning {
    /// The id of the item, where the dialect has one.
    pub id: Option<String>,
    /// The thoughts; empty if they are hidden.
    pub text: String,
    /// Whether the text is a summary of them.
    pub is_summary: bool,
    /// What the provider wants to see again with it: a signature, or the thoughts themselves, encrypted.
    pub opaque: Option<Opaque>,
}

/// Where a text was taken from.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Citation {
    /// The address of the source.
    pub url: Option<String>,
    /// Its title.
    pub title: Option<String>,
    /// The words that were taken.
    pub cited_text: Option<String>,
    /// Where in the text it applies, in characters: from, to.
    pub range: Option<(u64, u64)>,
    /// The citation as the provider gave it.
    pub native: Option<Native>,
}

/// Something that dialects of one family alone can say.
#[derive(Debug, Clone, PartialEq)]
pub struct Native {
    /// Which family.
    pub family: Family,
    /// What they call it: `server_tool_use`, `executableCode`.
    pub kind: String,
    /// As it was said.
    pub value: Value,
}

/// Up to here the provider is to remember the request.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CacheMarker {
    /// For how long: `5m`, `1h`.
    pub ttl: Option<String>,
}

impl Media {
    /// A medium of which nothing more is known.
    pub fn new(kind: MediaKind, source: MediaSource) -> Self {
        Self { kind, source, name: None, detail: None, cache: None, extra: None, opaque: None }
    }
}

impl From<&str> for Part {
    fn from(text: &str) -> Self {
        Self::Text(Text::from(text))
    }
}

impl From<String> for Part {
    fn from(text: String) -> Self {
        Self::Text(Text::from(text))
    }
}

impl<T: Into<String>> From<T> for Text {
    fn from(text: T) -> Self {
        Self { text: text.into(), ..Self::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_a_tool_is_given_becomes_an_object_and_keeps_its_words() {
        for (json, object) in [
            ("", "{}"),
            (" \n", "{}"),
            (r#" {"big":12345678901234567890123} "#, r#"{"big":12345678901234567890123}"#),
            ("[1]", r#"{"_raw":[1]}"#),
            ("3", r#"{"_raw":3}"#),
            ("null", r#"{"_raw":null}"#),
            (r#"{"a":"#, r#"{"_raw":"{\"a\":"}"#),
        ] {
            assert_eq!(ToolInput::Json(json.to_owned()).object(), object);
        }
        assert_eq!(ToolInput::Text("a \"b\"".to_owned()).object(), r#"{"input":"a \"b\""}"#);
    }
}
