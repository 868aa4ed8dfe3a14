//! Parts of contents, as they are written: in requests to Google, and in answers to clients of its dialect.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use gw_core::chat::{Media, MediaKind, MediaSource};
use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

/// A part.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(super) enum Part<'a> {
    /// Written from its fields.
    Fields(Box<Fields<'a>>),
    /// Passed on as it came.
    Whole(&'a Value),
}

/// The fields of a part; one of them is what it is.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Fields<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) text: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(super) thought: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) inline_data: Option<Blob<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) file_data: Option<FileData<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) function_call: Option<FunctionCall<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) function_response: Option<FunctionResponse<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) thought_signature: Option<String>,
    /// Members that only Google has.
    #[serde(flatten)]
    pub(super) more: Map<String, Value>,
}

/// Bytes.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Blob<'a> {
    mime_type: &'a str,
    data: Cow<'a, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    display_name: Option<&'a str>,
    #[serde(flatten)]
    more: Map<String, Value>,
}

/// A file that Google has.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct FileData<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    mime_type: Option<&'a str>,
    file_uri: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    display_name: Option<&'a str>,
    #[serde(flatten)]
    more: Map<String, Value>,
}

/// A call.
#[derive(Debug, Serialize)]
pub(super) struct FunctionCall<'a> {
    pub(super) id: &'a str,
    pub(super) name: Cow<'a, str>,
    pub(super) args: Box<RawValue>,
    #[serde(flatten)]
    pub(super) more: Map<String, Value>,
}

/// What a function gave back.
#[derive(Debug, Serialize)]
pub(super) struct FunctionResponse<'a> {
    pub(super) id: &'a str,
    pub(super) name: Cow<'a, str>,
    pub(super) response: Box<RawValue>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) parts: Vec<Part<'a>>,
    #[serde(flatten)]
    pub(super) more: Map<String, Value>,
}

impl<'a> From<Fields<'a>> for Part<'a> {
    fn from(fields: Fields<'a>) -> Self {
        Self::Fields(Box::new(fields))
    }
}

impl<'a> Part<'a> {
    /// Text.
    pub(super) fn text(text: &'a str) -> Self {
        Fields { text: Some(Cow::Borrowed(text)), ..Fields::default() }.into()
    }
}

/// The fields of a medium; `None` if only another provider has it.
pub(super) fn medium(media: &Media) -> Option<Fields<'_>> {
    let display_name = media.name.as_deref();
    let mut fields = Fields::default();
    match &media.source {
        MediaSource::Inline { media_type, data } => {
            fields.inline_data =
                Some(Blob { mime_type: media_type, data: Cow::Borrowed(data), display_name, more: Map::new() });
        }
        MediaSource::Text { media_type, text } => {
            let data = Cow::Owned(STANDARD.encode(text));
            fields.inline_data = Some(Blob { mime_type: media_type, data, display_name, more: Map::new() });
        }
        MediaSource::Url { url, media_type } => {
            fields.file_data =
                Some(FileData { mime_type: media_type.as_deref(), file_uri: url, display_name, more: Map::new() });
        }
        MediaSource::File { id, media_type } if id.contains("://") || id.starts_with("files/") => {
            fields.file_data =
                Some(FileData { mime_type: media_type.as_deref(), file_uri: id, display_name, more: Map::new() });
        }
        MediaSource::File { .. } => return None,
    }
    Some(fields)
}

impl Fields<'_> {
    /// Adds members that Google's clients wrote beside what the part is; those of the object that it is go into it.
    pub(super) fn extend<'m>(&mut self, members: impl IntoIterator<Item = (&'m String, &'m Value)>) {
        for (name, value) in members {
            let inner = match name.as_str() {
                "inlineData" => self.inline_data.as_mut().map(|blob| &mut blob.more),
                "fileData" => self.file_data.as_mut().map(|file| &mut file.more),
                "functionCall" => self.function_call.as_mut().map(|call| &mut call.more),
                "functionResponse" => self.function_response.as_mut().map(|response| &mut response.more),
                _ => None,
            };
            match (inner, value) {
                (Some(inner), Value::Object(rest)) => inner.extend(rest.clone()),
                (Some(_), _) => {}
                (None, _) => drop(self.more.insert(name.clone(), value.clone())),
            }
        }
    }
}

/// What kind of thing a media type is.
pub(super) fn kind_of(media_type: &str) -> MediaKind {
    match media_type.split('/').next().unwrap_or_default() {
        "image" => MediaKind::Image,
        "audio" => MediaKind::Audio,
        "video" => MediaKind::Video,
        _ => MediaKind::Document,
    }
}

/// JSON text as it is; text that is no JSON cannot get here, and would become null.
pub(super) fn raw(json: String) -> Box<RawValue> {
    RawValue::from_string(json).unwrap_or_else(|_| RawValue::NULL.to_owned())
}
