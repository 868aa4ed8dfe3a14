//! OpenAI's chat completions, as a server and as a client, and what the many providers that imitate them make of it.
//! Read in this order: [`request`], [`wire`] (what an answer may hold), [`stream`] (a whole answer is read as a stream
//! of one piece), [`answer`], [`reasoning`] (thoughts, which OpenAI's own format has no place for), [`error`].

mod answer;
mod error;
mod finish;
mod optional;
mod reasoning;
mod request;
mod stream;
mod wire;

#[cfg(test)]
mod tests;

use bytes::Bytes;
use gw_core::chat::{ChatAnswer, ChatRequest, Family};
use gw_core::{Error, RequestId};
use http::StatusCode;
pub use optional::OptionalMember;

use crate::chat::{Asked, DecodeEvents, Egress, EncodeEvents, Encoded, Ingress, Origin, RequestLine, Target};
use crate::error::Refusal;

/// Where a provider is asked.
const PATH: &str = "/chat/completions";

/// The family of this dialect.
const FAMILY: Family = Family::OpenAiChat;

/// OpenAI's chat completions.
#[derive(Debug, Clone, Copy, Default)]
pub struct OpenAiChat;

impl Ingress for OpenAiChat {
    fn decode_request(&self, line: &RequestLine<'_>, body: &[u8]) -> Result<ChatRequest, Error> {
        request::decode(line, body)
    }

    fn encode_answer(&self, answer: &ChatAnswer, asked: &Asked) -> Bytes {
        answer::encode(answer, asked)
    }

    fn encoder(&self, asked: Asked) -> Box<dyn EncodeEvents> {
        Box::new(stream::Encoder::new(asked))
    }

    fn encode_error(&self, error: &Error, request_id: RequestId) -> (StatusCode, Bytes) {
        crate::error::encode_error(error, request_id.as_str())
    }
}

impl Egress for OpenAiChat {
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

    fn says_web_search(&self, _model: &str) -> bool {
        true
    }
}
