//! IBM watsonx.ai's chat: OpenAI's chat completions in other envelopes. What is alike is left to the dialect within; here
//! is what differs. Facts are from IBM's Node SDK 1.7.16 and Python SDK 1.8.1. Read in this order: `request`,
//! `answer`, `error`.

mod answer;
mod error;
mod request;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use gw_core::Error;
use gw_core::chat::{ChatAnswer, ChatRequest};

use crate::chat::{DecodeEvents, Egress, Encoded, Origin, Target};
use crate::error::Refusal;

/// The version of the API that is asked for unless another is set: the one that IBM's SDKs ask for.
pub const VERSION: &str = "2026-10-14";

/// Whose budget answers are billed to. watsonx.ai wants exactly one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    /// A project, by its id.
    Project(String),
    /// A space, by its id.
    Space(String),
    /// A deployment, by its id or serving name: it knows its model and its space, and neither is sent.
    Deployment(String),
}

/// watsonx.ai's chat; the provider's base URL ends in the host.
#[derive(Clone)]
pub struct WatsonxChat {
    inner: &'static dyn Egress,
    scope: Option<Scope>,
    version: Cow<'static, str>,
    time_limit: Option<Duration>,
}

impl WatsonxChat {
    /// The dialect around OpenAI's chat completions. Without a scope the body has none, unless the client's own has.
    pub const fn new(inner: &'static dyn Egress) -> Self {
        Self { inner, scope: None, version: Cow::Borrowed(VERSION), time_limit: None }
    }

    /// Says whose budget answers are billed to.
    #[must_use]
    pub fn with_scope(mut self, scope: Scope) -> Self {
        self.scope = Some(scope);
        self
    }

    /// Asks for a version of the API: a date, `YYYY-MM-DD`.
    #[must_use]
    pub fn with_version(mut self, version: impl Into<Cow<'static, str>>) -> Self {
        self.version = version.into();
        self
    }

    /// Has watsonx.ai end answers that take longer.
    #[must_use]
    pub const fn with_time_limit(mut self, limit: Duration) -> Self {
        self.time_limit = Some(limit);
        self
    }
}

impl fmt::Debug for WatsonxChat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WatsonxChat")
            .field("scope", &self.scope)
            .field("version", &self.version)
            .field("time_limit", &self.time_limit)
            .finish_non_exhaustive()
    }
}

impl Egress for WatsonxChat {
    fn encode_request(&self, request: &ChatRequest, target: &Target<'_>) -> Result<Encoded, Error> {
        request::encode(self, request, target)
    }

    fn decode_answer(&self, body: &[u8], origin: &Origin) -> Result<ChatAnswer, Error> {
        answer::decode(self.inner, body, origin)
    }

    fn decoder(&self, origin: Origin) -> Box<dyn DecodeEvents> {
        let provider = origin.provider.clone();
        Box::new(answer::Decoder::new(self.inner.decoder(origin), provider))
    }

    fn decode_error(&self, refusal: Refusal<'_>) -> Error {
        error::decode(&refusal)
    }

    /// Most of its models take images with their bytes alone.
    fn takes_urls(&self) -> bool {
        false
    }
}
