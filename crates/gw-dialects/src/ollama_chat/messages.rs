//! A conversation in Ollama's words: one text each, with images beside it.

use gw_core::chat::{Media, MediaKind, MediaSource, Message as Turn, Part, Reasoning, Text, ToolCall};
use gw_core::{Error, ErrorCode};
use serde::Serialize;
use serde_json::value::RawValue;

use crate::ollama_chat::FAMILY;
use crate::plain::lines::{Line, Output, lines, text_of_document};
use crate::shared::losses::Losses;

/// A message. `thinking`, `tool_name`, `tool_call_id` and the `id` of calls are in Ollama's documents of thinking and tools,
/// not in its schema.
#[derive(Debug, Default, Serialize)]
pub(super) struct Message {
    role: &'static str,
    content: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    thinking: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    images: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tool_calls: Vec<Call>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_call_id: Option<String>,
}

#[derive(Debug, Serialize)]
struct Call {
    id: String,
    function: Function,
}

#[derive(Debug, Serialize)]
struct Function {
    name: String,
    /// An object, in the words in which it came.
    arguments: Box<RawValue>,
}

/// Writes the messages.
pub(super) fn encode(messages: &[Turn], losses: &mut Losses) -> Result<Vec<Message>, Error> {
    let mut written = Vec::new();
    for line in lines(messages, FAMILY, losses) {
        let message = match line {
            Line::System(content) => Message { role: "system", content, ..Message::default() },
            Line::User(parts) => user(parts, losses),
            Line::Assistant(parts) => assistant(parts, losses)?,
            Line::Tool(Output { call_id, name, text }) => Message {
                role: "tool",
                content: text,
                tool_name: Some(name).filter(|name| !name.is_empty()),
                tool_call_id: Some(call_id),
                ..Message::default()
            },
        };
        let is_empty = message.content.is_empty() && message.images.is_empty() && message.tool_calls.is_empty();
        // What a tool gave back may be nothing; its call needs it all the same.
        if message.role == "tool" || !is_empty || !message.thinking.is_empty() {
            written.push(message);
        }
    }
    Ok(written)
}

fn user(parts: Vec<Part>, losses: &mut Losses) -> Message {
    let (mut texts, mut images) = (Vec::new(), Vec::new());
    for part in parts {
        match part {
            Part::Text(Text { text, .. }) | Part::Refusal(text) => texts.push(text),
            Part::Media(media) => match text_of_document(&media, losses) {
                Some(text) => texts.push(text),
                None => images.extend(image(media, losses)),
            },
            _ => losses.drop("messages[].content", "Ollama's messages are text and images"),
        }
    }
    Message { role: "user", content: texts.join("\n"), images, ..Message::default() }
}

fn assistant(parts: Vec<Part>, losses: &mut Losses) -> Result<Message, Error> {
    let mut message = Message { role: "assistant", ..Message::default() };
    for part in parts {
        match part {
            Part::Text(Text { text, citations, .. }) => {
                if !citations.is_empty() {
                    losses.drop("messages[].annotations", "Ollama's messages have no citations");
                }
                message.content.push_str(&text);
            }
            Part::Refusal(text) => message.content.push_str(&text),
            // State that another provider gave with its thoughts is not shown to Ollama, which has none.
            Part::Reasoning(Reasoning { text, .. }) => message.thinking.push_str(&text),
            Part::ToolCall(ToolCall { id, name, input, .. }) => {
                let arguments = RawValue::from_string(input.object())
                    .map_err(|_| Error::new(ErrorCode::InternalError, "a tool's arguments could not be written"))?;
                message.tool_calls.push(Call { id, function: Function { name, arguments } });
            }
            Part::Media(media) => message.images.extend(image(media, losses)),
            _ => losses.drop("messages[].content", "Ollama's messages are text and images"),
        }
    }
    Ok(message)
}

/// The bytes of an image, in base64 without a `data:` before it.
fn image(media: Media, losses: &mut Losses) -> Option<String> {
    if media.kind == MediaKind::Image && media.detail.as_deref().is_some_and(|detail| detail != "auto") {
        losses.drop("messages[].image_url.detail", "Ollama looks at images in one way");
    }
    match (media.kind, media.source) {
        (MediaKind::Image, MediaSource::Inline { data, .. }) => return Some(data),
        (MediaKind::Image, _) => losses.drop("messages[].image_url", "Ollama takes images with their bytes only"),
        (MediaKind::Audio, _) => losses.drop("messages[].input_audio", "Ollama takes text and images"),
        (MediaKind::Video, _) => losses.drop("messages[].video_url", "Ollama takes text and images"),
        (MediaKind::Document, _) => losses.drop("messages[].file", "Ollama takes text and images"),
    }
    None
}
