//! Requests that are said in other words: which formats clients speak in these tests, which providers answer them with
//! bytes from `fixtures`, and how to read what a client got, whatever its format.

use std::net::SocketAddr;

use serde_json::{Value, json};

use crate::harness::{Answer, Gateway, PROVIDER_KEY, Recorded, Upstream, config, http_answer, json_answer};

use crate::translated_vendors::Vendor;

/// What every `text` fixture says.
pub(crate) const HELLO: &str = "Hello, wörld 🌍.\n\"Quoted\"";

/// A format that clients speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    Chat,
    Responses,
    Messages,
    Gemini,
}

/// What a client was told, in the words of no format.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Said {
    pub(crate) text: String,
    /// The format's word for an end in order, or another.
    pub(crate) finish: String,
    pub(crate) input_tokens: u64,
    pub(crate) output_tokens: u64,
}

/// A gateway with one provider, called `house`.
pub(crate) struct House {
    pub(crate) gateway: Gateway,
    pub(crate) upstream: Upstream,
    pub(crate) vendor: Vendor,
}

impl Format {
    pub(crate) const ALL: [Self; 4] = [Self::Chat, Self::Responses, Self::Messages, Self::Gemini];

    /// The name in records.
    pub(crate) fn dialect(self) -> &'static str {
        match self {
            Self::Chat => "openai_chat",
            Self::Responses => "openai_responses",
            Self::Messages => "anthropic_messages",
            Self::Gemini => "gemini",
        }
    }

    pub(crate) fn path(self, model: &str, stream: bool) -> String {
        match self {
            Self::Chat => "/v1/chat/completions".to_owned(),
            Self::Responses => "/v1/responses".to_owned(),
            Self::Messages => "/v1/messages".to_owned(),
            Self::Gemini if stream => format!("/v1beta/models/{model}:streamGenerateContent?alt=sse"),
            Self::Gemini => format!("/v1beta/models/{model}:generateContent"),
        }
    }

    /// A request that says `text`.
    pub(crate) fn body(self, model: &str, stream: bool, text: &str) -> Value {
        let message = json!({"role": "user", "content": text});
        match self {
            Self::Chat if stream => json!({
                "model": model, "messages": [message], "stream": true, "stream_options": {"include_usage": true}
            }),
            Self::Chat => json!({"model": model, "messages": [message]}),
            Self::Responses => json!({"model": model, "input": [message], "stream": stream, "store": false}),
            Self::Messages => json!({"model": model, "max_tokens": 100, "messages": [message], "stream": stream}),
            Self::Gemini => json!({"contents": [{"role": "user", "parts": [{"text": text}]}]}),
        }
    }

    /// The header in which clients of this format present a key.
    pub(crate) fn key_header(self, key: &str) -> (&'static str, String) {
        match self {
            Self::Chat | Self::Responses => ("authorization", format!("Bearer {key}")),
            Self::Messages => ("x-api-key", key.to_owned()),
            Self::Gemini => ("x-goog-api-key", key.to_owned()),
        }
    }

    /// What ends an answer in order.
    fn finished(self) -> &'static str {
        match self {
            Self::Chat => "stop",
            Self::Responses => "completed",
            Self::Messages => "end_turn",
            Self::Gemini => "STOP",
        }
    }

    /// An answer that says `text` to its end, with the usage of the fixtures.
    pub(crate) fn whole(self, text: &str) -> Said {
        Said { text: text.to_owned(), finish: self.finished().to_owned(), input_tokens: 20, output_tokens: 10 }
    }

    /// Reads an answer that is not a stream.
    pub(crate) fn read(self, body: &Value) -> Said {
        let text = |pointer: &str| body.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
        let (said, finish) = match self {
            Self::Chat => (text("/choices/0/message/content"), text("/choices/0/finish_reason")),
            Self::Responses => (text("/output/0/content/0/text"), text("/status")),
            Self::Messages => (text("/content/0/text"), text("/stop_reason")),
            Self::Gemini => (text("/candidates/0/content/parts/0/text"), text("/candidates/0/finishReason")),
        };
        let (input_tokens, output_tokens) = self.tokens(body);
        Said { text: said, finish, input_tokens, output_tokens }
    }

    /// Reads a stream, and checks that it ends as the format's streams end.
    pub(crate) fn read_stream(self, stream: &str) -> Said {
        let events = events(stream);
        let text = events.iter().filter_map(|event| self.piece(event)).collect();
        let last = events.last().unwrap_or_else(|| panic!("{self:?}: an empty stream"));
        let (ended, finish) = match self {
            Self::Chat => (stream.ends_with("data: [DONE]\n\n"), "/choices/0/finish_reason"),
            Self::Responses => (last["type"] == "response.completed", "/response/status"),
            Self::Messages => (last["type"] == "message_stop", "/delta/stop_reason"),
            Self::Gemini => (last.pointer("/candidates/0/finishReason").is_some(), "/candidates/0/finishReason"),
        };
        assert!(ended && self.error_event(&events).is_none(), "{self:?}: {stream}");
        let finish = events.iter().filter_map(|event| event.pointer(finish)?.as_str()).next_back().unwrap_or_default();
        let tokens =
            events.iter().map(|event| self.tokens(event.get("response").or(event.get("message")).unwrap_or(event)));
        let (input_tokens, output_tokens) = tokens.fold((0, 0), |all, one| (all.0.max(one.0), all.1.max(one.1)));
        Said { text, finish: finish.to_owned(), input_tokens, output_tokens }
    }

    /// The text of a stream, however it ends.
    pub(crate) fn text_of_stream(self, stream: &str) -> String {
        events(stream).iter().filter_map(|event| self.piece(event)).collect()
    }

    /// Whether the last event of a stream is an error.
    pub(crate) fn ends_in_error(self, stream: &str) -> bool {
        self.error_event(&events(stream)).is_some()
    }

    /// The error at the end of a stream, by its word and its message; checks that the stream does not end well besides.
    pub(crate) fn stream_error(self, stream: &str) -> (String, String) {
        let events = events(stream);
        let Some(error) = self.error_event(&events) else { panic!("{self:?}: no error at the end of {stream}") };
        let word = match self {
            Self::Chat | Self::Responses => &error["code"],
            Self::Messages => &error["type"],
            Self::Gemini => &error["status"],
        };
        assert!(!stream.contains("[DONE]") && !stream.contains("message_stop"), "{self:?}: {stream}");
        assert!(!stream.contains("response.completed") && !stream.contains("finishReason"), "{self:?}: {stream}");
        let text = |value: &Value| value.as_str().unwrap_or_else(|| panic!("{self:?}: {error}")).to_owned();
        (text(word), text(&error["message"]))
    }

    /// Checks that an answer is an error in this format, and returns its word for what went wrong.
    pub(crate) fn error_word(self, answer: &Answer) -> String {
        let body = answer.json();
        assert_eq!(answer.header("content-type"), Some("application/json"), "{self:?}: {}", answer.head.raw);
        assert!(body.pointer("/error/message").is_some_and(|message| message.as_str() != Some("")), "{self:?}: {body}");
        let word = match self {
            Self::Chat | Self::Responses => return answer.error_code(),
            Self::Messages => {
                assert_eq!((&body["type"], &body["request_id"]), (&"error".into(), &answer.request_id().into()));
                &body["error"]["type"]
            }
            Self::Gemini => {
                assert_eq!(body["error"]["code"], answer.status, "{body}");
                &body["error"]["status"]
            }
        };
        word.as_str().unwrap_or_else(|| panic!("{self:?}: {body}")).to_owned()
    }

    fn piece(self, event: &Value) -> Option<&str> {
        match self {
            Self::Chat => event.pointer("/choices/0/delta/content")?.as_str(),
            Self::Responses => (event["type"] == "response.output_text.delta").then(|| event["delta"].as_str())?,
            Self::Messages => event.pointer("/delta/text")?.as_str(),
            Self::Gemini => event.pointer("/candidates/0/content/parts/0/text")?.as_str(),
        }
    }

    /// Tokens of input and output.
    fn tokens(self, body: &Value) -> (u64, u64) {
        let sum = |names: &[&str]| names.iter().filter_map(|name| body.pointer(name)?.as_u64()).sum();
        match self {
            Self::Chat => (sum(&["/usage/prompt_tokens"]), sum(&["/usage/completion_tokens"])),
            Self::Responses => (sum(&["/usage/input_tokens"]), sum(&["/usage/output_tokens"])),
            Self::Messages => {
                let cache = ["/usage/cache_read_input_tokens", "/usage/cache_creation_input_tokens"];
                (sum(&["/usage/input_tokens", cache[0], cache[1]]), sum(&["/usage/output_tokens"]))
            }
            Self::Gemini => (sum(&["/usageMetadata/promptTokenCount"]), sum(&["/usageMetadata/candidatesTokenCount"])),
        }
    }

    fn error_event(self, events: &[Value]) -> Option<&Value> {
        let last = events.last()?;
        let error = match self {
            Self::Responses => last.pointer("/response/error").or_else(|| (last["type"] == "error").then_some(last))?,
            Self::Chat | Self::Messages | Self::Gemini => last.get("error")?,
        };
        error.is_object().then_some(error)
    }
}

impl House {
    /// With a provider that answers well.
    pub(crate) async fn start(vendor: Vendor) -> Self {
        Self::over(vendor, vendor.serve().await).await
    }

    /// With a provider that answers every request with the same bytes.
    pub(crate) async fn always(vendor: Vendor, answer: Vec<u8>) -> Self {
        Self::over(vendor, Upstream::always(answer).await).await
    }

    /// With a provider that may be silent for a second and no longer.
    pub(crate) async fn over(vendor: Vendor, upstream: Upstream) -> Self {
        let gateway = Gateway::start(&configured(vendor, upstream.address)).await;
        Self { gateway, upstream, vendor }
    }

    /// The model's name for the client.
    pub(crate) fn model(&self) -> String {
        format!("house/{}", self.vendor.model())
    }

    pub(crate) async fn ask(&self, format: Format, stream: bool) -> Answer {
        self.ask_with(format, stream, &[]).await
    }

    pub(crate) async fn ask_with(&self, format: Format, stream: bool, headers: &[(&str, &str)]) -> Answer {
        let model = self.model();
        let body = format.body(&model, stream, "Say hello.").to_string();
        self.gateway.post_with(&format.path(&model, stream), headers, body).await
    }

    /// Checks that an answer is recorded as failed, and by what.
    pub(crate) async fn assert_failed(&self, answer: &Answer, code: &str) {
        let record = self.gateway.record(answer.request_id()).await;
        assert_eq!((&record["outcome"], &record["error"]), (&"failed".into(), &code.into()), "{record}");
        assert_eq!(record["status"], answer.status, "{record}");
    }

    /// The latest request upstream.
    pub(crate) fn last_request(&self) -> Recorded {
        self.upstream.requests().pop().unwrap()
    }
}

/// A configuration with the provider `house`, which may be silent for a second and no longer.
pub(crate) fn configured(vendor: Vendor, address: SocketAddr) -> String {
    let timeout = "timeout: { connect: 1s, first_byte: 1s, read: 1s, total: 15s }";
    config(&format!("providers:\n{}", vendor.entry("house", address, &format!(", {timeout}"))))
}

/// The same with a provider that may be silent for longer than a test takes.
pub(crate) fn unhurried(vendor: Vendor, address: SocketAddr) -> String {
    configured(vendor, address)
        .replace("first_byte: 1s, read: 1s, total: 15s", "first_byte: 60s, read: 60s, total: 60s")
}

/// The data of a stream's events, without the mark at the end.
pub(crate) fn events(stream: &str) -> Vec<Value> {
    let data = stream.split("\n\n").filter_map(|event| event.lines().find_map(|line| line.strip_prefix("data: ")));
    let data = data.filter(|data| *data != "[DONE]");
    data.map(|data| serde_json::from_str(data).unwrap_or_else(|error| panic!("{error}: {data}"))).collect()
}

/// Every format with every provider.
pub(crate) fn pairs() -> impl Iterator<Item = (Format, Vendor)> {
    Vendor::ALL.into_iter().flat_map(|vendor| vendor.asked_in().iter().map(move |format| (*format, vendor)))
}

/// Every format with every provider that does not speak it.
pub(crate) fn strangers() -> impl Iterator<Item = (Format, Vendor)> {
    pairs().filter(|(format, vendor)| !vendor.speaks(*format))
}

/// A configured provider's line in `providers`.
pub(crate) fn entry(name: &str, type_id: &str, address: SocketAddr, base: &str, more: &str) -> String {
    format!(
        "  - {{ name: {name}, type: {type_id}, endpoint: \"http://{address}{base}\", api_key: {PROVIDER_KEY}, \
         proxy: direct{more} }}\n"
    )
}

/// A 200 of JSON.
pub(crate) fn ok(body: &str) -> Vec<u8> {
    json_answer(body)
}

/// A refusal with a body of JSON.
pub(crate) fn refusal(status: u16, headers: &[(&str, &str)], body: &Value) -> Vec<u8> {
    let headers = [&[("content-type", "application/json")], headers].concat();
    http_answer(status, &headers, body.to_string())
}
