//! OpenAI's Responses, as applications speak it to us and as we speak it to providers. Read in this order: `request`
//! (what is asked), `tools`, `answer` (what comes back whole), `response` (the object around it), `stream`, `error`.
//!
//! **Rules of this dialect.** `instructions` are a leading message of the role `system`, and the other way round. What
//! the model thought is an item of its own; state of other families is sealed into its `encrypted_content`. A namespace of
//! tools is flattened into functions named `{namespace}__{name}`. The `phase` of a message is the state of its text.

mod answer;
mod error;
mod read;
mod request;
pub mod resource;
mod response;
mod state;
mod stored;
mod stream;
#[cfg(test)]
mod tests;
mod tools;

use bytes::Bytes;
use gw_core::chat::{ChatAnswer, ChatRequest, Family};
use gw_core::{Error, RequestId};
use http::StatusCode;

use crate::chat::{Asked, DecodeEvents, Egress, EncodeEvents, Encoded, Ingress, Origin, RequestLine, Target};
use crate::error::Refusal;
use crate::shared::ids::Rule;

pub use response::{id_of, response_id, with_id};
pub use state::{State, state};
pub use stored::{StoredItem, answered_items, given_items, messages};

/// Whose words these are.
const FAMILY: Family = Family::OpenAiResponses;

/// Where requests go, behind the base URL.
const PATH: &str = "/responses";

/// Names of functions (`FunctionToolParam` in OpenAI's schema).
const NAME_RULE: Rule = Rule::word(128);

/// Ids of calls (`FunctionCallOutputItemParam` in OpenAI's schema), and of end users (`safety_identifier`).
const ID_RULE: Rule = Rule { allows: |c| c.is_ascii_graphic(), length_max: 64 };

/// The member of `include` that asks for the probabilities of tokens.
const INCLUDE_LOGPROBS: &str = "message.output_text.logprobs";

/// The member of `include` that asks for the thoughts, encrypted.
const INCLUDE_ENCRYPTED: &str = "reasoning.encrypted_content";

/// What two parts of thoughts are joined by.
const PARAGRAPH: &str = "\n\n";

/// The kind of a [`gw_core::chat::Native`] that is a whole item or part is its `type`; of one without, this.
const UNTYPED: &str = "unknown";

/// OpenAI's Responses.
#[derive(Debug, Clone, Copy, Default)]
pub struct OpenAiResponses;

/// The request of `/responses/input_tokens`: like one for an answer.
///
/// # Errors
/// As for a request.
pub fn decode_count_request(line: &RequestLine<'_>, body: &[u8]) -> Result<ChatRequest, Error> {
    request::decode(line, body)
}

impl Ingress for OpenAiResponses {
    fn decode_request(&self, line: &RequestLine<'_>, body: &[u8]) -> Result<ChatRequest, Error> {
        request::decode(line, body)
    }

    fn encode_answer(&self, answer: &ChatAnswer, asked: &Asked) -> Bytes {
        stream::encode_whole(answer, asked)
    }

    fn encoder(&self, asked: Asked) -> Box<dyn EncodeEvents> {
        Box::new(stream::Encoder::new(asked))
    }

    fn encode_error(&self, error: &Error, request_id: RequestId) -> (StatusCode, Bytes) {
        crate::error::encode_error(error, request_id.as_str())
    }
}

impl Egress for OpenAiResponses {
    fn encode_request(&self, request: &ChatRequest, target: &Target<'_>) -> Result<Encoded, Error> {
        Ok(request::encode(request, target))
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
