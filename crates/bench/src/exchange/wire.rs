//! The formats that clients and the mock speak.

use serde::{Deserialize, Serialize};

use super::{anthropic, bedrock, gemini, openai};
use crate::template::{INDEX, NONCE};

/// The text of a whole answer, as it stands in JSON.
pub(super) const CONTENT: &str = "Paris, the capital of France, is known for the Louvre, the Eiffel Tower and its \
    cafés, and it has been the political and cultural centre of the country for many centuries. It lies on the Seine \
    in the north of France, about 150 kilometres from the Channel.\\n\\nIf you would like to know more about its \
    \\\"quartiers\\\", ask me about the Marais, Montmartre or the Latin Quarter.";

/// A format of chat.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Wire {
    /// OpenAI's chat completions.
    OpenAi,
    /// Anthropic's Messages.
    Anthropic,
    /// Google's `generateContent`; only the mock speaks it.
    Gemini,
    /// Amazon Bedrock's Converse; only the mock speaks it.
    Bedrock,
}

/// What the mock says, with places for the nonce and the number of a chunk.
#[derive(Debug, Clone)]
pub(crate) struct Texts {
    /// A whole answer.
    pub(crate) chat: String,
    /// What a stream begins with.
    pub(crate) opening: String,
    /// An event with text.
    pub(crate) event: String,
    /// What a stream ends with.
    pub(crate) ending: String,
    /// The same where usage comes only if it was asked for, and was.
    pub(crate) ending_with_usage: String,
}

impl Wire {
    /// The model that is asked for where this is the upstream's format.
    pub(crate) const fn model(self) -> &'static str {
        match self {
            Self::OpenAi => "gpt-4o-mini",
            Self::Anthropic => "claude-haiku-4-5",
            Self::Gemini => "gemini-2.5-flash",
            Self::Bedrock => "amazon.nova-lite-v1:0",
        }
    }

    /// The format of a path at the mock, and whether a stream is asked for where the path says so.
    pub(crate) fn of_path(path: &str) -> Option<(Self, Option<bool>)> {
        match path {
            "/v1/chat/completions" => Some((Self::OpenAi, None)),
            "/v1/messages" => Some((Self::Anthropic, None)),
            _ if path.ends_with(":generateContent") => Some((Self::Gemini, Some(false))),
            _ if path.ends_with(":streamGenerateContent") => Some((Self::Gemini, Some(true))),
            _ if path.ends_with("/converse") => Some((Self::Bedrock, Some(false))),
            _ if path.ends_with("/converse-stream") => Some((Self::Bedrock, Some(true))),
            _ => None,
        }
    }

    /// What the mock says in this format.
    pub(crate) fn texts(self) -> Texts {
        match self {
            Self::OpenAi => Texts {
                chat: openai::chat(),
                opening: openai::stream_opening(),
                event: openai::stream_event(),
                ending: openai::stream_ending(false),
                ending_with_usage: openai::stream_ending(true),
            },
            Self::Anthropic => anthropic::texts(),
            Self::Gemini => gemini::texts(),
            Self::Bedrock => bedrock::texts(),
        }
    }

    /// The text of a chunk. OpenAI's carry the nonce in their ids, as they would; the others in the text, which is all
    /// that surely comes through a translation.
    pub(super) fn word(self) -> String {
        match self {
            Self::OpenAi => format!("w{INDEX}"),
            Self::Anthropic | Self::Gemini | Self::Bedrock => format!("w{INDEX}.{NONCE}"),
        }
    }

    /// What stands in a stream's last event.
    pub(super) const fn end_mark(self) -> &'static str {
        match self {
            Self::OpenAi => "[DONE]",
            Self::Anthropic => "message_stop",
            Self::Gemini => "finishReason",
            Self::Bedrock => "messageStop",
        }
    }

    /// The media type of a stream.
    pub(crate) const fn stream_media_type(self) -> &'static str {
        match self {
            Self::OpenAi | Self::Anthropic | Self::Gemini => "text/event-stream; charset=utf-8",
            Self::Bedrock => "application/vnd.amazon.eventstream",
        }
    }
}
