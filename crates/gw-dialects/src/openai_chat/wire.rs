//! What an answer, or a chunk of one, may hold: OpenAI's members and those that others add. Everything may be missing;
//! what is of another type than it should be counts as missing, unless the answer cannot be understood without it.

use std::borrow::Cow;

use gw_core::chat::{Citation, Family, Media, MediaKind, MediaSource, Native, Opaque};
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::FAMILY;
use crate::shared::media;

/// One of the answers, or more of one.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Choice<'a> {
    /// Which, from 0.
    pub(super) index: Value,
    /// All of it.
    #[serde(borrow)]
    pub(super) message: Option<Message<'a>>,
    /// More of it.
    #[serde(borrow)]
    pub(super) delta: Option<Message<'a>>,
    /// Why it ended.
    pub(super) finish_reason: Value,
    /// Of vLLM: the text that ended it.
    pub(super) stop_reason: Value,
    /// The probabilities of tokens.
    pub(super) logprobs: Value,
    /// Of OpenRouter: why there is no answer.
    #[serde(borrow)]
    pub(super) error: Option<&'a RawValue>,
}

/// What the model says.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Message<'a> {
    /// Text, or a list of parts.
    pub(super) content: Value,
    /// Words of refusal.
    pub(super) refusal: Value,
    /// Thoughts (DeepSeek, vLLM, xAI and others).
    pub(super) reasoning_content: Value,
    /// Thoughts (Groq, Cerebras, OpenRouter, newer vLLM).
    pub(super) reasoning: Value,
    /// Thoughts with state (OpenRouter).
    pub(super) reasoning_details: Value,
    /// Thoughts with state (LiteLLM).
    pub(super) thinking_blocks: Value,
    /// Sources.
    pub(super) annotations: Value,
    /// Speech.
    pub(super) audio: Value,
    /// Pictures (OpenRouter).
    pub(super) images: Value,
    /// Google's state of the text.
    pub(super) extra_content: Value,
    /// Calls.
    #[serde(borrow)]
    pub(super) tool_calls: Option<Vec<Call<'a>>>,
    /// A call, in the older way.
    #[serde(borrow)]
    pub(super) function_call: Option<Called<'a>>,
}

/// A call, or more of one.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Call<'a> {
    /// Which, from 0.
    pub(super) index: Value,
    /// Its id.
    pub(super) id: Value,
    /// A function.
    #[serde(borrow)]
    pub(super) function: Option<Called<'a>>,
    /// A custom tool.
    #[serde(borrow)]
    pub(super) custom: Option<Called<'a>>,
    /// Google's state of the call.
    pub(super) extra_content: Value,
}

/// What is called.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Called<'a> {
    /// Its name.
    pub(super) name: Value,
    /// JSON in a text; of some vendors the JSON itself, which is kept as it is written.
    #[serde(borrow)]
    pub(super) arguments: Option<&'a RawValue>,
    /// Text.
    #[serde(borrow)]
    pub(super) input: Option<&'a RawValue>,
}

impl Called<'_> {
    /// What the tool is given, or more of it.
    pub(super) fn given(&self) -> Cow<'_, str> {
        let Some(raw) = self.arguments.or(self.input).map(RawValue::get) else { return Cow::Borrowed("") };
        match serde_json::from_str::<String>(raw) {
            Ok(text) => Cow::Owned(text),
            Err(_) => Cow::Borrowed(raw),
        }
    }
}

/// A source of OpenAI's.
pub(super) fn citation(entry: &Value) -> Option<Citation> {
    let about = entry.get("url_citation")?;
    let text = |name: &str| about.get(name).and_then(Value::as_str).map(str::to_owned);
    let place = |name: &str| about.get(name).and_then(Value::as_u64);
    Some(Citation {
        url: text("url"),
        title: text("title"),
        cited_text: text("content"),
        range: place("start_index").zip(place("end_index")),
        native: Some(Native { family: FAMILY, kind: "url_citation".to_owned(), value: entry.clone() }),
    })
}

/// A picture in an answer, if it is there and not at an address.
pub(super) fn image(entry: &Value) -> Option<Media> {
    let about = entry.get("image_url")?;
    let url = about.as_str().or_else(|| about.get("url")?.as_str())?;
    let source = match media::data_url(url) {
        Some(inline) => MediaSource::Inline { media_type: inline.media_type, data: inline.data },
        None => MediaSource::Url { url: url.to_owned(), media_type: None },
    };
    let signature = entry.get("extra_content").and_then(thought_signature);
    let opaque = signature.map(|signature| Opaque::open(signature, Family::Gemini));
    Some(Media { opaque, ..Media::new(MediaKind::Image, source) })
}

/// Google's state in its own spelling of this format.
pub(super) fn thought_signature(extra_content: &Value) -> Option<&str> {
    extra_content.get("google")?.get("thought_signature")?.as_str().filter(|signature| !signature.is_empty())
}
