//! A dialect that differs from another in its requests alone: the other writes them, they are rewritten, and what comes
//! back is the other's.

use std::fmt;

use gw_core::Error;
use gw_core::chat::{ChatAnswer, ChatRequest};

use crate::chat::{DecodeEvents, Egress, Encoded, Origin, Target};
use crate::error::Refusal;

/// Has the dialect within write a request, and rewrites it.
pub(crate) type Encode = fn(&dyn Egress, &ChatRequest, &Target<'_>) -> Result<Encoded, Error>;

/// A dialect around another one.
#[derive(Clone, Copy)]
pub struct Rewritten {
    inner: &'static dyn Egress,
    encode: Encode,
    says_web_search: bool,
}

impl Rewritten {
    /// The dialect around `inner` whose requests `encode` makes.
    pub(crate) const fn new(inner: &'static dyn Egress, encode: Encode) -> Self {
        Self { inner, encode, says_web_search: false }
    }

    /// The same, in which models can be asked to search the web.
    pub(crate) const fn saying_web_search(self) -> Self {
        Self { says_web_search: true, ..self }
    }
}

impl fmt::Debug for Rewritten {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rewritten").finish_non_exhaustive()
    }
}

impl Egress for Rewritten {
    fn encode_request(&self, request: &ChatRequest, target: &Target<'_>) -> Result<Encoded, Error> {
        (self.encode)(self.inner, request, target)
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

    fn says_web_search(&self, _model: &str) -> bool {
        self.says_web_search
    }
}
