//! Alibaba's Qwen behind OpenAI's chat completions, for clients of other formats: what OpenAI's format cannot say, or says
//! in a way that Qwen ignores, is said in the members that Alibaba added. Facts are from Alibaba's page on compatibility
//! with OpenAI; what is not is marked. Answers are those of the dialect within.

mod request;
#[cfg(test)]
mod tests;

use crate::chat::Egress;
use crate::shared::rewritten::Rewritten;

/// Qwen's chat: the dialect around OpenAI's chat completions.
pub const fn around(inner: &'static dyn Egress) -> Rewritten {
    Rewritten::new(inner, request::encode)
}
