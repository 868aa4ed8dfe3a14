//! Operations whose answer comes whole: what a dialect of one can do, and how one request becomes several calls. The
//! operations are in [`crate::embeddings`] and [`crate::rerank`]; chat, which streams, is in [`crate::chat`].

pub(crate) mod members;

use bytes::Bytes;
use gw_core::chat::{Extra, Family, Loss};
use gw_core::{Error, ErrorCode, RequestId, Usage};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use serde_json::json;

use crate::DialectId;
use crate::chat::{RequestLine, Target};
use crate::error::Refusal;

/// An operation whose answer comes whole.
pub trait Unary: Sized + 'static {
    /// What is asked.
    type Request: Default;
    /// What comes back.
    type Answer;

    /// Every dialect that applications may speak.
    const INGRESSES: &'static [(DialectId, &'static dyn Ingress<Self>)];

    /// Every dialect that providers speak.
    const EGRESSES: &'static [(DialectId, &'static dyn Egress<Self>)];

    /// What of a request only its own family of dialects understands.
    fn extra(request: &mut Self::Request) -> &mut Extra;

    /// Whether a request may be said in several calls: all of them together must not be many times its size.
    ///
    /// # Errors
    /// `invalid_request`, with the parameter that is too much.
    fn check(_request: &Self::Request) -> Result<(), Error> {
        Ok(())
    }

    /// What an answer says was used.
    fn usage(answer: &Self::Answer) -> Option<Usage>;

    /// One answer of those of all calls, in their order.
    ///
    /// # Errors
    /// What is wrong with them, in words that follow "the provider sent".
    fn join(request: &Self::Request, answers: Vec<Self::Answer>) -> Result<Self::Answer, &'static str>;

    /// The server's end of a dialect; `None` if applications do not speak it.
    fn ingress(dialect: DialectId) -> Option<&'static dyn Ingress<Self>> {
        Self::INGRESSES.iter().find(|(id, _)| *id == dialect).map(|(_, ingress)| *ingress)
    }

    /// The client's end of a dialect; `None` if it is not one of this operation.
    fn egress(dialect: DialectId) -> Option<&'static dyn Egress<Self>> {
        Self::EGRESSES.iter().find(|(id, _)| *id == dialect).map(|(_, egress)| *egress)
    }
}

/// A dialect as applications speak it to us.
pub trait Ingress<O: Unary>: Sync {
    /// What is asked.
    ///
    /// # Errors
    /// `invalid_json`, or `invalid_request` with the parameter that is at fault.
    fn decode_request(&self, line: &RequestLine<'_>, body: &[u8]) -> Result<O::Request, Error>;

    /// The answer.
    ///
    /// # Errors
    /// `provider_invalid_response`, if what came cannot be said in this dialect.
    fn encode_answer(&self, answer: &O::Answer, request: &O::Request, request_id: RequestId) -> Result<Bytes, Error>;
}

/// A dialect as we speak it to providers.
pub trait Egress<O: Unary>: Sync {
    /// The request in this dialect, in as many calls as its limits need. What it cannot say is among the losses.
    ///
    /// # Errors
    /// `invalid_request` or `unsupported_parameter`, if no model of this dialect could answer.
    fn encode_request(&self, request: &O::Request, target: &Target<'_>) -> Result<Calls, Error>;

    /// The answer to one call of that request.
    ///
    /// # Errors
    /// `provider_invalid_response` if it is none.
    fn decode_answer(&self, reply: &Reply<'_>, request: &O::Request) -> Result<O::Answer, Error>;
}

/// A request as a provider gets it.
#[derive(Debug, Clone, Default)]
pub struct Calls {
    /// Each call; never none.
    pub calls: Vec<OneCall>,
    /// What was asked for and could not be said.
    pub losses: Vec<Loss>,
}

/// One call to a provider.
#[derive(Debug, Clone, Default)]
pub struct OneCall {
    /// The path behind the provider's base URL, where the dialect writes it.
    pub path: String,
    /// Headers that the dialect needs; not those that authenticate.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// The body.
    pub body: Vec<u8>,
}

impl OneCall {
    /// A call with a JSON body and no headers of its own.
    pub(crate) fn json(path: impl Into<String>, body: &serde_json::Value) -> Self {
        Self { path: path.into(), headers: Vec::new(), body: body.to_string().into_bytes() }
    }
}

/// What came back of one call.
#[derive(Debug, Clone, Copy)]
pub struct Reply<'a> {
    /// The headers.
    pub headers: &'a HeaderMap,
    /// The body.
    pub body: &'a [u8],
    /// The configured provider, for messages.
    pub provider: &'a str,
    /// The model that was asked, for answers that name none.
    pub model: &'a str,
}

impl Reply<'_> {
    /// The body as JSON of that shape.
    ///
    /// # Errors
    /// It has another shape. An object that says it is an error is told as one.
    pub(crate) fn read<'a, T: serde::Deserialize<'a>>(&'a self) -> Result<T, Error> {
        serde_json::from_slice(self.body).map_err(|_| self.unreadable())
    }

    /// What is wrong with it, in words that follow "the provider sent".
    pub(crate) fn invalid(&self, what: &str) -> Error {
        crate::shared::refusal::invalid(self.provider, what)
    }

    /// An answer of another shape: what it says went wrong, if it says so.
    pub(crate) fn unreadable(&self) -> Error {
        let text = std::str::from_utf8(self.body).unwrap_or_default();
        let said = crate::scan::Object::parse(text).ok().and_then(|answer| crate::error::said(&answer));
        match said {
            Some(said) => crate::shared::refusal::told(self.provider, ErrorCode::ProviderFailed, &said),
            None => self.invalid("an answer of another shape"),
        }
    }
}

/// What a provider's refusal of a call means: as in the dialect of chat beside which this one stands.
pub fn refused(dialect: DialectId, refusal: Refusal<'_>) -> Error {
    match crate::chat::egress(dialect.chat()) {
        Some(egress) => egress.decode_error(refusal),
        None => crate::error::decode_error(refusal),
    }
}

/// An error in the format of a dialect for which chat has none: its status, and its body. A provider's own body, which is
/// there only if it is in the client's dialect, is passed on as it came.
pub fn encode_error(dialect: DialectId, error: &Error, request_id: RequestId) -> (StatusCode, Bytes) {
    let (status, body) = crate::error::encode_error(error, request_id.as_str());
    if error.upstream.as_ref().is_some_and(|upstream| !upstream.body.is_empty()) {
        return (status, body);
    }
    let mut message = error.message.to_string();
    if status.is_server_error() {
        message = format!("{message} (request id {})", request_id.as_str());
    }
    let body = match dialect.family() {
        Family::Cohere => json!({"id": request_id.as_str(), "message": message}),
        Family::Ollama => json!({"error": message}),
        _ => return (status, body),
    };
    (status, Bytes::from(body.to_string()))
}

/// What an answer that goes through as it came says was used; `None` if it does not say, or is not of these operations.
pub fn usage(dialect: DialectId, reply: &Reply<'_>) -> Option<Usage> {
    fn of<O: Unary>(dialect: DialectId, reply: &Reply<'_>) -> Option<Usage> {
        O::usage(&O::egress(dialect)?.decode_answer(reply, &O::Request::default()).ok()?)
    }
    of::<crate::embeddings::Embed>(dialect, reply).or_else(|| of::<crate::rerank::Rerank>(dialect, reply))
}
