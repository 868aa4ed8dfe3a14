//! The dialects of chat: what each can do, and the list of them. A dialect is a folder with two ends: as a server it is
//! an [`Ingress`], as a client an [`Egress`]. Dialects meet only in the types of [`gw_core::chat`].

use std::rc::Rc;

use bytes::{Bytes, BytesMut};
use gw_core::chat::{ChatAnswer, ChatRequest, Event, Loss};
use gw_core::{Error, RequestId};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

use crate::DialectId;
use crate::error::Refusal;

/// What a request says outside its body.
#[derive(Debug, Clone, Copy, Default)]
pub struct RequestLine<'a> {
    /// The model, where the path names it.
    pub model: Option<&'a str>,
    /// Whether a stream is asked for, where the path says so.
    pub stream: Option<bool>,
    /// The headers, where they change what the body means (`anthropic-version`).
    pub headers: Option<&'a HeaderMap>,
}

/// What an answer is given to.
#[derive(Debug, Clone)]
pub struct Asked {
    /// The request.
    pub request: Rc<ChatRequest>,
    /// The gateway's id of it: what ids are made from where the provider gives none.
    pub request_id: RequestId,
    /// The time, in seconds since 1970.
    pub now_s: u64,
}

/// Who is asked.
#[derive(Debug, Clone, Copy)]
pub struct Target<'a> {
    /// The model, as the provider calls it.
    pub model: &'a str,
    /// The configured provider.
    pub provider: &'a str,
    /// Whether the provider is asked for a stream.
    pub stream: bool,
}

/// A request as a provider gets it.
#[derive(Debug, Clone, Default)]
pub struct Encoded {
    /// The path behind the provider's base URL, beginning with `/`, with a query if there is one.
    pub path: String,
    /// Headers that the dialect needs; not those that authenticate.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// The body.
    pub body: Vec<u8>,
    /// What was asked for and could not be said.
    pub losses: Vec<Loss>,
    /// Names of tools that had to be written in another way.
    pub names: ToolNames,
}

/// Names of tools that a provider does not allow: as they were sent, and as the client knows them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ToolNames(pub Vec<(String, String)>);

impl ToolNames {
    /// The client's name of a tool that the model calls.
    pub fn original<'a>(&'a self, sent: &'a str) -> &'a str {
        self.0.iter().find(|(name, _)| name == sent).map_or(sent, |(_, original)| original)
    }
}

/// Where an answer comes from.
#[derive(Debug, Clone, Default)]
pub struct Origin {
    /// The configured provider: whose the state in the answer is.
    pub provider: Rc<str>,
    /// The model that was asked, for answers that name none.
    pub model: Rc<str>,
    /// Names of tools that had to be written in another way.
    pub names: Rc<ToolNames>,
    /// The gateway's id of the request: what ids are made from where the provider gives none.
    pub request_id: Option<RequestId>,
}

/// A dialect as applications speak it to us.
pub trait Ingress: Sync {
    /// What is asked.
    ///
    /// # Errors
    /// `invalid_json`, or `invalid_request` with the parameter that is at fault.
    fn decode_request(&self, line: &RequestLine<'_>, body: &[u8]) -> Result<ChatRequest, Error>;

    /// A whole answer.
    fn encode_answer(&self, answer: &ChatAnswer, asked: &Asked) -> Bytes;

    /// The media type of a stream.
    fn stream_media_type(&self) -> &'static str {
        "text/event-stream"
    }

    /// Writes a stream.
    fn encoder(&self, asked: Asked) -> Box<dyn EncodeEvents>;

    /// An error: its status, which a dialect may have of its own, and its body.
    fn encode_error(&self, error: &Error, request_id: RequestId) -> (StatusCode, Bytes);
}

/// Writes an answer as a stream of one dialect.
pub trait EncodeEvents {
    /// The next piece. The events keep to the grammar of [`gw_core::chat::event`].
    fn encode(&mut self, event: &Event, out: &mut BytesMut);

    /// Says that the answer broke off. Nothing is written afterwards.
    fn error(&mut self, error: &Error, out: &mut BytesMut);

    /// Says that the answer is whole: what was held back until now, and the dialect's own end.
    fn end(&mut self, out: &mut BytesMut);
}

/// A dialect as we speak it to providers.
pub trait Egress: Sync {
    /// The request in this dialect. What it cannot say is among the losses: nothing is left out silently.
    ///
    /// # Errors
    /// `invalid_request` with the parameter, if what is asked makes no sense to any model of this dialect.
    fn encode_request(&self, request: &ChatRequest, target: &Target<'_>) -> Result<Encoded, Error>;

    /// A whole answer.
    ///
    /// # Errors
    /// `provider_invalid_response` if it is none; what the provider says is wrong, if it is an error under a status of
    /// success.
    fn decode_answer(&self, body: &[u8], origin: &Origin) -> Result<ChatAnswer, Error>;

    /// Reads a stream, its framing included.
    fn decoder(&self, origin: Origin) -> Box<dyn DecodeEvents>;

    /// What a refusal means.
    fn decode_error(&self, refusal: Refusal<'_>) -> Error;

    /// Whether a provider of this dialect can fetch media from an address by itself.
    fn takes_urls(&self) -> bool {
        true
    }

    /// Whether a model can be asked in this dialect to search the web by itself.
    fn says_web_search(&self, _model: &str) -> bool {
        false
    }
}

/// Reads a stream of one dialect.
pub trait DecodeEvents {
    /// Takes bytes as they came, in pieces of any size, and adds what they say.
    ///
    /// # Errors
    /// What the provider says is wrong, or `provider_invalid_response`. The stream is over then.
    fn decode(&mut self, bytes: &[u8], events: &mut Vec<Event>) -> Result<(), Error>;

    /// The stream has ended: adds what was held back.
    ///
    /// # Errors
    /// `provider_stream_interrupted`, if it ended before its time.
    fn end(&mut self, events: &mut Vec<Event>) -> Result<(), Error>;

    /// Whether the provider has sent its end mark, behind which nothing is said: whoever waits for the end of the
    /// connection may wait in vain. Not before, and never in a format that has no mark.
    fn is_complete(&self) -> bool;
}

/// Every dialect that applications may speak.
pub const INGRESSES: &[(DialectId, &dyn Ingress)] = &[
    (DialectId::AnthropicMessages, &crate::anthropic_messages::AnthropicMessages),
    (DialectId::Gemini, &crate::gemini::Gemini),
    (DialectId::OpenAiChat, &crate::openai_chat::OpenAiChat),
    (DialectId::OpenAiResponses, &crate::openai_responses::OpenAiResponses),
];

/// Every dialect that providers speak.
pub const EGRESSES: &[(DialectId, &dyn Egress)] = &[
    (DialectId::AnthropicMessages, &crate::anthropic_messages::AnthropicMessages),
    (DialectId::BedrockConverse, &crate::bedrock_converse::BedrockConverse),
    (DialectId::CohereChat, &crate::cohere_chat::CohereChat),
    (DialectId::Gemini, &crate::gemini::Gemini),
    (DialectId::OllamaChat, &crate::ollama_chat::OllamaChat),
    (DialectId::OpenAiChat, &crate::openai_chat::OpenAiChat),
    (DialectId::OpenAiResponses, &crate::openai_responses::OpenAiResponses),
    (DialectId::WatsonxChat, &crate::watsonx_chat::WatsonxChat::new(&crate::openai_chat::OpenAiChat)),
    (DialectId::DashScopeChat, &crate::dashscope_chat::around(&crate::openai_chat::OpenAiChat)),
    (DialectId::MistralChat, &crate::mistral_chat::around(&crate::openai_chat::OpenAiChat)),
];

/// The server's end of a dialect; `None` if applications do not speak it.
pub fn ingress(dialect: DialectId) -> Option<&'static dyn Ingress> {
    INGRESSES.iter().find(|(id, _)| *id == dialect).map(|(_, ingress)| *ingress)
}

/// The client's end of a dialect; `None` if it is not one of chat.
pub fn egress(dialect: DialectId) -> Option<&'static dyn Egress> {
    EGRESSES.iter().find(|(id, _)| *id == dialect).map(|(_, egress)| *egress)
}
