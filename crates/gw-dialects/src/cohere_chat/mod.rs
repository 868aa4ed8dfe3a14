//! Cohere's chat, version 2, as we speak it to Cohere. Read in this order: `request`, `messages`, `answer`,
//! `stream`, `error`. Facts are from Cohere's OpenAPI document (`POST /v2/chat`) unless said otherwise.

mod answer;
mod error;
mod messages;
mod request;
mod stream;
#[cfg(test)]
mod tests;

use gw_core::Error;
use gw_core::chat::{ChatAnswer, ChatRequest, Family};

use crate::chat::{DecodeEvents, Egress, Encoded, Origin, Target};
use crate::error::Refusal;
use crate::shared::ids::Rule;

/// Cohere's chat; the provider's base URL ends in `/v2`.
#[derive(Debug, Clone, Copy, Default)]
pub struct CohereChat;

const FAMILY: Family = Family::Cohere;

/// Behind the base URL.
const PATH: &str = "/chat";

/// What Cohere's document of version 1 says of tools' names, and that of version 2 does not take back. Names that fit are
/// allowed either way.
const TOOL_NAME: Rule = Rule { allows: |c| c.is_ascii_alphanumeric() || c == '_', length_max: 64 };

impl Egress for CohereChat {
    fn encode_request(&self, request: &ChatRequest, target: &Target<'_>) -> Result<Encoded, Error> {
        request::encode(request, target)
    }

    fn decode_answer(&self, body: &[u8], origin: &Origin) -> Result<ChatAnswer, Error> {
        answer::decode(body, origin)
    }

    fn decoder(&self, origin: Origin) -> Box<dyn DecodeEvents> {
        Box::new(stream::Decoder::new(origin))
    }

    fn decode_error(&self, refusal: Refusal<'_>) -> Error {
        error::decode(&refusal)
    }
}
