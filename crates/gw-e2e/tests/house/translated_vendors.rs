//! Providers as the catalogue knows them, and what they say: the bytes of `fixtures`.

use std::net::SocketAddr;

use serde_json::{Value, json};

use crate::harness::{PROVIDER_KEY, Recorded, Upstream};
use crate::translated::{Format, entry, ok, refusal};
use crate::translated_fixtures::{events, fixture, frame, holds, stream_fixture};

/// A type of provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Vendor {
    Anthropic,
    Gemini,
    Bedrock,
    OpenAi,
    /// One that knows OpenAI's older format only.
    Compatible,
}

/// What may be wrong with a request, in the provider's eyes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It does not take the gateway's key, and repeats it.
    Key,
    /// It is asked too often; the header says to wait for seven seconds.
    Rate,
    Broken,
    Overloaded,
}

impl Vendor {
    pub(crate) const ALL: [Self; 5] = [Self::Anthropic, Self::Gemini, Self::Bedrock, Self::OpenAi, Self::Compatible];

    /// The formats in which it is asked in these tests.
    pub(crate) fn asked_in(self) -> &'static [Format] {
        match self {
            Self::Anthropic | Self::Gemini | Self::Bedrock | Self::OpenAi => &Format::ALL,
            // As OpenAI is asked in the others.
            Self::Compatible => &[Format::Responses],
        }
    }

    pub(crate) fn type_id(self) -> &'static str {
        match self {
            Self::Anthropic => "anthropic",
            Self::Gemini => "gemini",
            Self::Bedrock => "bedrock",
            Self::OpenAi => "openai",
            Self::Compatible => "openai-compatible",
        }
    }

    pub(crate) fn model(self) -> &'static str {
        match self {
            Self::Anthropic => "claude-sonnet-4-5",
            Self::Gemini => "gemini-3-pro",
            Self::Bedrock => "us.amazon.nova-pro-v1:0",
            Self::OpenAi | Self::Compatible => "gpt-5.5",
        }
    }

    /// An entry of `providers`.
    pub(crate) fn entry(self, name: &str, address: SocketAddr, more: &str) -> String {
        let base = match self {
            Self::Anthropic | Self::OpenAi | Self::Compatible => "/v1",
            Self::Gemini => "/v1beta",
            Self::Bedrock => "",
        };
        entry(name, self.type_id(), address, base, more)
    }

    /// Whether the format goes through as it comes.
    pub(crate) fn speaks(self, format: Format) -> bool {
        match format {
            Format::Chat => matches!(self, Self::OpenAi | Self::Compatible),
            Format::Responses => self == Self::OpenAi,
            Format::Messages => self == Self::Anthropic,
            Format::Gemini => self == Self::Gemini,
        }
    }

    /// The request line that the provider gets for its model.
    pub(crate) fn request_line(self, format: Format, stream: bool) -> String {
        let path = match self {
            Self::Anthropic => "/v1/messages",
            Self::Gemini if stream => "/v1beta/models/gemini-3-pro:streamGenerateContent?alt=sse",
            Self::Gemini => "/v1beta/models/gemini-3-pro:generateContent",
            Self::Bedrock if stream => "/model/us.amazon.nova-pro-v1%3A0/converse-stream",
            Self::Bedrock => "/model/us.amazon.nova-pro-v1%3A0/converse",
            Self::OpenAi if format == Format::Responses && self.speaks(format) => "/v1/responses",
            Self::OpenAi | Self::Compatible => "/v1/chat/completions",
        };
        format!("POST {path} HTTP/1.1")
    }

    /// The header with the gateway's credential.
    pub(crate) fn credential(self) -> (&'static str, String) {
        match self {
            Self::Anthropic => ("x-api-key", PROVIDER_KEY.to_owned()),
            Self::Gemini => ("x-goog-api-key", PROVIDER_KEY.to_owned()),
            Self::Bedrock | Self::OpenAi | Self::Compatible => ("authorization", format!("Bearer {PROVIDER_KEY}")),
        }
    }

    /// A server that answers every request as the provider does.
    pub(crate) async fn serve(self) -> Upstream {
        Upstream::start(move |mut peer| async move {
            while let Some(request) = peer.request().await {
                if self.is_stream(&request) {
                    peer.send([self.stream_head(), self.stream(&request)].concat()).await;
                    return;
                }
                peer.send(ok(&fixture(&format!("{}/answers/text.json", self.folder(&request))))).await;
            }
        })
        .await
    }

    /// Whether a request asks for a stream.
    pub(crate) fn is_stream(self, request: &Recorded) -> bool {
        match self {
            Self::Anthropic | Self::OpenAi | Self::Compatible => {
                serde_json::from_slice(&request.body).is_ok_and(|body: Value| body["stream"] == true)
            }
            Self::Gemini | Self::Bedrock => request.head.first_line.to_ascii_lowercase().contains("stream"),
        }
    }

    /// What stands before a stream that ends with its connection.
    pub(crate) fn stream_head(self) -> Vec<u8> {
        let media_type = match self {
            Self::Bedrock => "application/vnd.amazon.eventstream",
            Self::Anthropic | Self::Gemini | Self::OpenAi | Self::Compatible => "text/event-stream; charset=utf-8",
        };
        format!("HTTP/1.1 200 OK\r\ncontent-type: {media_type}\r\nconnection: close\r\n\r\n").into_bytes()
    }

    /// The answer in the provider's own format.
    pub(crate) fn answer(self) -> String {
        fixture(&format!("{}/answers/text.json", self.own_folder()))
    }

    /// The same as a stream, to a request.
    pub(crate) fn stream(self, request: &Recorded) -> Vec<u8> {
        stream_fixture(self.folder(request), "text")
    }

    /// A stream that begins with `Hel` and ends in an error of the provider, and what it is called in records.
    pub(crate) fn failing_stream(self) -> (Vec<u8>, &'static str) {
        let (name, code) = match self {
            Self::Anthropic => ("broken-overloaded", "provider_overloaded"),
            Self::Gemini => ("broken-error-in-the-stream", "provider_overloaded"),
            Self::Bedrock => ("broken-throttled", "provider_rate_limited"),
            Self::OpenAi | Self::Compatible => ("broken-error-in-the-stream", "provider_failed"),
        };
        (stream_fixture(self.own_folder(), name), code)
    }

    /// The stream up to its first piece of text, which is `Hel`.
    pub(crate) fn stream_begun(self, request: &Recorded) -> Vec<u8> {
        let events = events(self.folder(request));
        let first = events.iter().position(|event| holds(event, "Hel")).unwrap();
        events[..=first].concat()
    }

    /// The stream up to the middle of its second piece of text, of which the first is `Hel`.
    pub(crate) fn cut_stream(self, request: &Recorded) -> Vec<u8> {
        let mut begun = self.stream_begun(request);
        let whole = self.stream(request);
        begun.extend_from_slice(&whole[begun.len()..begun.len() + 40]);
        begun
    }

    /// The pieces of a stream that says these texts, which need no escapes; the usage is that of the fixture.
    pub(crate) fn stream_of(self, texts: &[String]) -> Vec<Vec<u8>> {
        let events = events(self.own_folder());
        let first = events.iter().position(|event| holds(event, "Hel")).unwrap();
        let last = events.iter().position(|event| holds(event, "Quoted")).unwrap();
        let mut pieces = vec![events[..first].concat()];
        for text in texts {
            pieces.push(match self {
                Self::Bedrock => {
                    frame("contentBlockDelta", &json!({"contentBlockIndex": 0, "delta": {"text": text}, "p": "ab"}))
                }
                Self::Anthropic | Self::Gemini | Self::OpenAi | Self::Compatible => {
                    String::from_utf8(events[first].clone()).unwrap().replace("Hel", text).into_bytes()
                }
            });
        }
        if self == Self::Gemini {
            // Its last text comes with everything that stands at the end.
            let end = String::from_utf8(events[last].clone()).unwrap();
            pieces.push(end.replace("ld 🌍.\\n\\\"Quoted\\\"", "").into_bytes());
        }
        pieces.push(events[last + 1..].concat());
        pieces
    }

    /// How the provider refuses.
    pub(crate) fn refusal(self, fault: Fault) -> Vec<u8> {
        let status = self.status(fault);
        let body = self.refusal_body(fault);
        let exception = match fault {
            Fault::Key => "UnrecognizedClientException",
            Fault::Rate => "ThrottlingException",
            Fault::Broken => "InternalServerException",
            Fault::Overloaded => "ServiceUnavailableException:http://internal.amazon.com/",
        };
        let mut headers = vec![("x-request-id", "their-id")];
        if self == Self::Bedrock {
            headers.push(("x-amzn-errortype", exception));
        }
        if fault == Fault::Rate {
            headers.push(("retry-after", "7"));
        }
        refusal(status, &headers, &body)
    }

    /// The status of a refusal.
    pub(crate) fn status(self, fault: Fault) -> u16 {
        match (self, fault) {
            (Self::Bedrock, Fault::Key) => 403,
            (_, Fault::Key) => 401,
            (_, Fault::Rate) => 429,
            (_, Fault::Broken) => 500,
            (Self::Anthropic, Fault::Overloaded) => 529,
            (_, Fault::Overloaded) => 503,
        }
    }

    /// The body of a refusal.
    pub(crate) fn refusal_body(self, fault: Fault) -> Value {
        let message = match fault {
            Fault::Key => format!("the key {PROVIDER_KEY} is not known"),
            Fault::Rate => "slow down, please".to_owned(),
            Fault::Broken => "something broke".to_owned(),
            Fault::Overloaded => "too much to do".to_owned(),
        };
        let (anthropic, google, openai) = match fault {
            Fault::Key => ("authentication_error", "UNAUTHENTICATED", "invalid_request_error"),
            Fault::Rate => ("rate_limit_error", "RESOURCE_EXHAUSTED", "requests"),
            Fault::Broken => ("api_error", "INTERNAL", "server_error"),
            Fault::Overloaded => ("overloaded_error", "UNAVAILABLE", "server_error"),
        };
        match self {
            Self::Anthropic => {
                json!({"type": "error", "error": {"type": anthropic, "message": message}, "request_id": "req_1"})
            }
            Self::Gemini => {
                json!({"error": {"code": self.status(fault), "message": message, "status": google}})
            }
            Self::Bedrock => json!({"message": message}),
            Self::OpenAi | Self::Compatible => {
                json!({"error": {"message": message, "type": openai, "param": null, "code": null}})
            }
        }
    }

    /// The folder of the fixtures in the format of a request.
    fn folder(self, request: &Recorded) -> &'static str {
        if request.head.first_line.contains("/responses") { "openai_responses" } else { self.own_folder() }
    }

    fn own_folder(self) -> &'static str {
        match self {
            Self::Anthropic => "anthropic_messages",
            Self::Gemini => "gemini",
            Self::Bedrock => "bedrock_converse",
            Self::OpenAi | Self::Compatible => "openai_chat",
        }
    }
}
