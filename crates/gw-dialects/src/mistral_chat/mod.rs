//! Mistral's chat: OpenAI's chat completions with other names, other parts and other rules, and nothing that Mistral does
//! not know: unknown members are refused. Answers are read by the dialect within, which knows Mistral's lists of content
//! and its reasons to end. Facts are from Mistral's published schema (`mistral-openapi`), unless a comment says otherwise.
//! Read in this order: `request` (the top of the body), `messages`.

mod messages;
mod request;
#[cfg(test)]
mod tests;

use std::fmt;

use gw_core::Error;
use gw_core::chat::{ChatAnswer, ChatRequest};

use crate::chat::{DecodeEvents, Egress, Encoded, Origin, Target};
use crate::error::Refusal;

/// Mistral's chat.
#[derive(Clone, Copy)]
pub struct MistralChat {
    inner: &'static dyn Egress,
}

impl MistralChat {
    /// The dialect around OpenAI's chat completions.
    pub const fn new(inner: &'static dyn Egress) -> Self {
        Self { inner }
    }
}

impl fmt::Debug for MistralChat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MistralChat").finish_non_exhaustive()
    }
}

impl Egress for MistralChat {
    fn encode_request(&self, request: &ChatRequest, target: &Target<'_>) -> Result<Encoded, Error> {
        request::encode(self.inner, request, target)
    }

    fn decode_answer(&self, body: &[u8], origin: &Origin) -> Result<ChatAnswer, Error> {
        self.inner.decode_answer(body, origin)
    }

    fn decoder(&self, origin: Origin) -> Box<dyn DecodeEvents> {
        self.inner.decoder(origin)
    }

    fn decode_error(&self, refusal: Refusal<'_>) -> Error {
        self.inner.decode_error(refusal)
    }
}
