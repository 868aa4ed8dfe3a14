//! Google's Gemini: `generateContent` and `streamGenerateContent`, as AI Studio and Vertex have them. Read in this order:
//! [`wire`] (how objects are read and parts are written), [`request`], [`stream`] (answers, whole and in pieces),
//! [`answer`] and [`encoder`] (answers for clients), [`error`].

mod answer;
mod array;
mod candidate;
mod carried;
mod encoder;
mod error;
mod finish;
mod grounding;
mod part;
mod request;
mod schema;
mod split;
mod stream;
mod usage;
mod wire;

#[cfg(test)]
mod tests;

use bytes::Bytes;
use gw_core::chat::{ChatAnswer, ChatRequest, Family, Opaque, OpaqueKind};
use gw_core::{Error, RequestId};
use http::StatusCode;

use crate::chat::{Asked, DecodeEvents, Egress, EncodeEvents, Encoded, Ingress, Origin, RequestLine, Target};
use crate::error::Refusal;
use crate::shared::media;

pub use array::{ArrayFraming, wants_array};

/// Whose words these are.
const FAMILY: Family = Family::Gemini;

/// How the field of a signature begins in JSON that holds another vendor's state: the seal of [`Opaque::seal`] in base64,
/// as far as it does not depend on what follows.
pub const SEALED_STATE: &str = "\"Z3cxL";

/// Put in place of a signature that is not known, it makes Gemini 3 go on without one (ai.google.dev, "Thought
/// signatures"). Not base64 of anything: written as it is.
const NO_SIGNATURE: &str = "skip_thought_signature_validator";

/// A text that is accumulated may not grow beyond this.
const HELD_BYTES_MAX: usize = crate::sse::EVENT_BYTES_MAX;

/// Google's dialect, both ends.
#[derive(Debug, Clone, Copy, Default)]
pub struct Gemini;

impl Ingress for Gemini {
    fn decode_request(&self, line: &RequestLine<'_>, body: &[u8]) -> Result<ChatRequest, Error> {
        request::decode(line, body)
    }

    fn encode_answer(&self, answer: &ChatAnswer, asked: &Asked) -> Bytes {
        answer::encode(answer, asked)
    }

    fn encoder(&self, asked: Asked) -> Box<dyn EncodeEvents> {
        Box::new(encoder::Encoder::new(&asked))
    }

    fn encode_error(&self, error: &Error, request_id: RequestId) -> (StatusCode, Bytes) {
        error::encode(error, request_id)
    }
}

impl Egress for Gemini {
    fn encode_request(&self, request: &ChatRequest, target: &Target<'_>) -> Result<Encoded, Error> {
        request::encode(request, target)
    }

    fn decode_answer(&self, body: &[u8], origin: &Origin) -> Result<ChatAnswer, Error> {
        stream::decode_answer(body, origin)
    }

    fn decoder(&self, origin: Origin) -> Box<dyn DecodeEvents> {
        Box::new(stream::Decoder::new(origin))
    }

    fn decode_error(&self, refusal: Refusal<'_>) -> Error {
        error::decode(&refusal)
    }

    /// Only addresses of Google's own storage, which need no fetching: [`is_googles_own`].
    fn takes_urls(&self) -> bool {
        false
    }

    fn says_web_search(&self, _model: &str) -> bool {
        true
    }
}

/// The request of `countTokens`: a whole request under `generateContentRequest`, or `contents` alone.
///
/// # Errors
/// As for a request.
pub fn decode_count_request(line: &RequestLine<'_>, body: &[u8]) -> Result<ChatRequest, Error> {
    request::decode_count(line, body)
}

/// Where a model is asked, behind the base URL: the path names it, and says whether a stream is wanted.
pub fn path(model: &str, stream: bool) -> String {
    request::path(model, stream)
}

/// Where a model's tokens are counted, behind the base URL.
pub fn count_path(model: &str) -> String {
    request::path(model, false).replace(":generateContent", ":countTokens")
}

/// Where a model is asked for vectors, behind the base URL: of one content (`embedContent`) or of several
/// (`batchEmbedContents`).
pub fn embed_path(model: &str, verb: &str) -> String {
    let path = request::path(model, false);
    format!("{}:{verb}", path.strip_suffix(":generateContent").unwrap_or(&path))
}

/// The answer of `countTokens`.
pub fn encode_count_tokens(tokens: u64) -> Bytes {
    Bytes::from(format!("{{\"totalTokens\":{tokens}}}"))
}

/// Whether Google's models reach what is at this address by themselves: Cloud Storage, the Files API, YouTube.
pub fn is_googles_own(uri: &str) -> bool {
    const HOSTS: [&str; 5] =
        ["generativelanguage.googleapis.com", "www.youtube.com", "youtube.com", "m.youtube.com", "youtu.be"];
    if uri.starts_with("gs://") || uri.starts_with("files/") {
        return true;
    }
    let Some((_, rest)) = uri.split_once("://") else { return false };
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    HOSTS.iter().any(|known| host.eq_ignore_ascii_case(known))
}

/// State as `thoughtSignature` carries it, whose text is bytes in base64: Google's own as it is, another's sealed.
fn signature(opaque: &Opaque) -> String {
    use base64::Engine as _;
    if opaque.family == FAMILY && opaque.kind == OpaqueKind::Signature {
        return opaque.data.clone();
    }
    base64::engine::general_purpose::STANDARD.encode(opaque.seal(FAMILY))
}

/// What a client's `thoughtSignature` carried.
fn state(signature: String) -> Opaque {
    let sealed = media::bytes(&signature).and_then(|bytes| String::from_utf8(bytes).ok());
    if let Some(sealed) = sealed {
        let opened = Opaque::open(&sealed, FAMILY);
        if opened.data != sealed {
            return opened;
        }
    }
    Opaque { family: FAMILY, provider: String::new(), kind: OpaqueKind::Signature, data: signature }
}
