//! Envelopes: what stands around a dialect at a provider that serves another vendor's models in that vendor's own format.
//! The path names the model, a few members of the body say what headers say elsewhere, and a stream may come in other
//! frames. What is inside stays byte for byte as it is, whether a client wrote it or the dialect did. Read in this order:
//! [`Envelope`], [`ENVELOPES`]; then one file for each place: `bedrock`, `vertex`.

mod bedrock;
mod bedrock_stream;
mod vertex;

use std::fmt::Debug;
use std::rc::Rc;

use bytes::{Bytes, BytesMut};
use gw_core::Error;
use http::{HeaderMap, HeaderName};

use crate::DialectId;
use crate::chat::Egress;
use crate::edit::Edits;
use crate::head::Head;
use crate::shared::percent;

/// The version of Anthropic's API, which others than Anthropic want in the body.
const ANTHROPIC_VERSION: HeaderName = HeaderName::from_static(crate::anthropic_messages::VERSION_HEADER);
const ANTHROPIC_BETA: HeaderName = HeaderName::from_static("anthropic-beta");
/// The member of the body that says it.
const VERSION_MEMBER: &str = "anthropic_version";

/// A request of the dialect within, on its way.
#[derive(Debug)]
pub struct Letter<'a> {
    /// The model, as the provider calls it.
    pub model: &'a str,
    /// Whether a stream is asked for.
    pub stream: bool,
    /// Where the members of the body stand.
    pub head: &'a Head,
    /// The body, as it was written.
    pub body: &'a Bytes,
    /// What is to be changed in it.
    pub edits: Edits,
    /// The headers that it goes out with.
    pub headers: &'a mut HeaderMap,
}

/// What stands around a dialect at one provider.
pub trait Envelope: Sync + Debug {
    /// Where a model is asked, behind the provider's own path.
    fn path(&self, model: &str, stream: bool) -> String;

    /// Puts a request into the envelope. What names the model in the path is taken out of the body.
    fn wrap(&self, letter: &mut Letter<'_>);

    /// Whether the body still names the model.
    fn keeps_model(&self) -> bool {
        false
    }

    /// Whether a client's request can go into the envelope as it is. Otherwise it has to be said anew in its own dialect.
    fn holds(&self, _body: &[u8]) -> bool {
        true
    }

    /// Whether the provider can fetch media from an address by itself.
    fn takes_urls(&self) -> bool {
        true
    }

    /// Takes the frames off a stream that has others than the dialect's; `None` if it has none. The name is the provider's.
    fn unframe(&self, _provider: &Rc<str>) -> Option<Box<dyn Unframe>> {
        None
    }

    /// In which dialect a request is refused, if not in the one within.
    fn refuses_in(&self) -> Option<&'static dyn Egress> {
        None
    }
}

/// Takes the frames off a stream.
pub trait Unframe {
    /// Takes bytes as they came, in pieces of any size, and adds what was in the frames, framed as the dialect frames it.
    ///
    /// # Errors
    /// What the provider says is wrong, or `provider_invalid_response`. What came before it has been added.
    fn unframe(&mut self, bytes: &[u8], out: &mut BytesMut) -> Result<(), Error>;
}

/// Every envelope: its name in the catalogue, and the dialect that it goes around.
pub const ENVELOPES: &[(&str, DialectId, &dyn Envelope)] = &[
    ("bedrock", DialectId::AnthropicMessages, &bedrock::Invoke),
    ("vertex", DialectId::AnthropicCountTokens, &vertex::ClaudeCount),
    ("vertex", DialectId::AnthropicMessages, &vertex::Claude),
    ("vertex", DialectId::Gemini, &vertex::Gemini),
    ("vertex", DialectId::GeminiCountTokens, &vertex::GeminiCount),
];

/// The envelope of that name around a dialect.
pub fn around(name: &str, dialect: DialectId) -> Option<&'static dyn Envelope> {
    ENVELOPES.iter().find(|(known, within, _)| *known == name && *within == dialect).map(|(.., envelope)| *envelope)
}

/// The name of a model as a part of a path. It is one segment, whatever it holds.
fn segment(model: &str) -> String {
    let mut written = String::with_capacity(model.len());
    percent::encode_into(&mut written, model, b"@");
    written
}

#[cfg(test)]
mod tests;
