//! Mistral's chat: OpenAI's chat completions with other names, other parts and other rules, and nothing that Mistral does
//! not know: unknown members are refused. Answers are read by the dialect within, which knows Mistral's lists of content
//! and its reasons to end. Facts are from Mistral's published schema (`mistral-openapi`), unless a comment says otherwise.
//! Read in this order: `request` (the top of the body), `messages`.

mod messages;
mod request;
#[cfg(test)]
mod tests;

use crate::chat::Egress;
use crate::shared::rewritten::Rewritten;

/// Mistral's chat: the dialect around OpenAI's chat completions.
pub const fn around(inner: &'static dyn Egress) -> Rewritten {
    Rewritten::new(inner, request::encode).saying_web_search()
}
