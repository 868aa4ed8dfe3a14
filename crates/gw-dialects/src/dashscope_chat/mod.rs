//! Alibaba's Qwen behind OpenAI's chat completions, for clients of other formats: what OpenAI's format cannot say, or says
//! in a way that Qwen ignores, is said in the members that Alibaba added. Facts are from Alibaba's page on compatibility
//! with OpenAI; what is not is marked. Answers are those of the dialect within.

mod request;
#[cfg(test)]
mod tests;

use std::fmt;

use gw_core::Error;
use gw_core::chat::{ChatAnswer, ChatRequest};

use crate::chat::{DecodeEvents, Egress, Encoded, Origin, Target};
use crate::error::Refusal;

/// Qwen's chat.
#[derive(Clone, Copy)]
pub struct DashScopeChat {
    inner: &'static dyn Egress,
}

impl DashScopeChat {
    /// The dialect around OpenAI's chat completions.
    pub const fn new(inner: &'static dyn Egress) -> Self {
        Self { inner }
    }
}

impl fmt::Debug for DashScopeChat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DashScopeChat").finish_non_exhaustive()
    }
}

impl Egress for DashScopeChat {
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
