//! Anthropic's Messages, both ends. Read in this order: `request` (what is asked), `answer` (what comes back whole),
//! `stream` (and in pieces), `error`, `thread` (what the server holds); then what they share: `models` (what a model allows, told by its name), `schema`
//! (Anthropic's subset of JSON Schema), `usage`, `citation`, `wire` (blocks, and objects that are looked into).

mod addresses;
mod answer;
mod citation;
mod error;
mod models;
mod request;
mod schema;
mod stream;
pub mod thread;
mod usage;
mod wire;

pub use addresses::names_addresses;
use bytes::Bytes;
use gw_core::chat::{ChatAnswer, ChatRequest, Family};
use gw_core::{Error, RequestId};
use http::StatusCode;

use crate::chat::{Asked, DecodeEvents, Egress, EncodeEvents, Encoded, Ingress, Origin, RequestLine, Target};
use crate::error::Refusal;

/// The dialect.
#[derive(Debug, Clone, Copy, Default)]
pub struct AnthropicMessages;

/// The header that says which version of the API is spoken.
pub const VERSION_HEADER: &str = "anthropic-version";

/// The version that providers are spoken to in: the one that still has sampling for the models that know it.
pub const VERSION: &str = "2023-06-01";

/// The version that has no sampling any more.
pub const VERSION_WITHOUT_SAMPLING: &str = "2026-10-21";

const FAMILY: Family = Family::Anthropic;
const PATH: &str = "/messages";
const COUNT_TOKENS_PATH: &str = "/messages/count_tokens";

/// Begins the ids of answers.
const ANSWER_ID: &str = "msg_";

/// The ids of calls, and the names of tools, have as many characters at most.
const ID_LENGTH_MAX: usize = 64;

/// The tool that stands for an answer in JSON, where the model has no such thing. Its call is the answer's text: among
/// [`Encoded::names`] it stands with an empty name.
const ANSWER_TOOL: &str = "json_answer";

impl Ingress for AnthropicMessages {
    fn decode_request(&self, line: &RequestLine<'_>, body: &[u8]) -> Result<ChatRequest, Error> {
        let request = decode_count_request(line, body)?;
        if request.sampling.max_output_tokens.is_none() {
            return Err(wire::wrong("max_tokens is required; say how many tokens the answer may have", "max_tokens"));
        }
        Ok(request)
    }

    fn encode_answer(&self, answer: &ChatAnswer, asked: &Asked) -> Bytes {
        answer::encode(answer, asked)
    }

    fn encoder(&self, asked: Asked) -> Box<dyn EncodeEvents> {
        Box::new(stream::Encoder::new(asked))
    }

    fn encode_error(&self, error: &Error, request_id: RequestId) -> (StatusCode, Bytes) {
        error::encode(error, request_id.as_str())
    }
}

impl Egress for AnthropicMessages {
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

/// What is asked of the endpoint that counts tokens: the same as for an answer, but that it may lack `max_tokens`.
///
/// # Errors
/// `invalid_json`, or `invalid_request` with the parameter that is at fault.
pub fn decode_count_request(line: &RequestLine<'_>, body: &[u8]) -> Result<ChatRequest, Error> {
    request::decode(line, body)
}

/// A request to count tokens: the request without what only an answer needs, which the endpoint refuses.
///
/// # Errors
/// As for [`Egress::encode_request`].
pub fn encode_count_request(request: &ChatRequest, target: &Target<'_>) -> Result<Encoded, Error> {
    request::encode_count(request, target)
}

/// What the endpoint that counts tokens answers.
pub fn count_tokens_answer(tokens: u64) -> Bytes {
    Bytes::from(format!(r#"{{"input_tokens":{tokens}}}"#))
}

#[cfg(test)]
mod tests;
