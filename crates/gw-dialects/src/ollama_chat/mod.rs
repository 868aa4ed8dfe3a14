//! Ollama's own chat, as we speak it to Ollama. Read in this order: `request`, `messages`, `answer` (which reads a
//! whole answer and a line of a stream alike), `stream`, `error`. Facts are from Ollama's OpenAPI document
//! (`POST /api/chat`) unless said otherwise.

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

/// Ollama's chat; the provider's base URL ends in the host.
#[derive(Debug, Clone, Copy, Default)]
pub struct OllamaChat;

const FAMILY: Family = Family::Ollama;

/// Behind the base URL.
const PATH: &str = "/api/chat";

impl Egress for OllamaChat {
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

    /// Images are taken with their bytes alone.
    fn takes_urls(&self) -> bool {
        false
    }
}
