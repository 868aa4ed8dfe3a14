//! Amazon Bedrock's Converse: `POST /model/{id}/converse` and `/converse-stream`. Facts are from the API's model
//! (`bedrock-runtime-service-2.json`) unless a comment says otherwise. Read in this order: `model` (what the id of a model
//! tells), `request`, `answer`, `stream`, `error`.

mod answer;
mod error;
mod model;
mod request;
mod stream;

use gw_core::Error;
use gw_core::chat::{ChatAnswer, ChatRequest, Family};

use crate::chat::{DecodeEvents, Egress, Encoded, Origin, Target};
use crate::error::Refusal;
use crate::event_stream::Message;
use model::Model;

/// Whose words this dialect speaks.
const FAMILY: Family = Family::Bedrock;

/// What may be put together of one answer, in bytes, before it counts as none.
const HELD_BYTES_MAX: usize = crate::sse::EVENT_BYTES_MAX;

/// Amazon Bedrock's Converse, as we speak it to Bedrock. Requests are signed elsewhere.
#[derive(Debug, Clone, Copy)]
pub struct BedrockConverse;

/// What a message of one of Bedrock's streams says that is no event.
pub(crate) fn stream_error(message: &Message, provider: &str) -> Error {
    error::of_message(message, provider)
}

impl Egress for BedrockConverse {
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

    fn takes_urls(&self) -> bool {
        false
    }

    /// Nova's second generation has a search of its own.
    fn says_web_search(&self, model: &str) -> bool {
        matches!(Model::of(model), Model::Nova { generation: 2 })
    }
}

/// Where a model is asked in its own words, behind the base URL (InvokeModel).
pub fn invoke_path(model: &str) -> String {
    request::model_path(model, "invoke")
}
