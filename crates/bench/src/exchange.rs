//! The conversation between load generator and mock: what is asked, and the exact bytes that must come back.
//!
//! A request says in its text which answer it wants: `[bench NONCE CHUNKS PAUSE_MS]` at its beginning and `[end NONCE]`
//! at its end. The nonce comes back in every part of the answer, so an answer that was mixed up, cut or repeated is
//! noticed, and a request that did not arrive whole is refused.

use std::fmt::Write;

use memchr::memmem;
use serde::{Deserialize, Serialize};

use crate::template::{INDEX, NONCE};

/// What a request asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Exchange {
    /// The kind of answer.
    pub(crate) shape: Shape,
    /// Bytes of the request's body.
    pub(crate) body_bytes: usize,
}

/// The kind of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Shape {
    /// A chat completion in one piece, about 1 KB.
    Chat,
    /// One vector of 256 numbers.
    Embeddings,
    /// A chat completion in chunks of about 300 bytes.
    Stream(Stream),
}

/// How an answer is streamed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Stream {
    /// Chunks that carry text.
    pub(crate) chunks: u32,
    /// Pause between two of them; without one they are written as fast as they are taken.
    pub(crate) pause_ms: u32,
    /// Whether the client asks for usage at the end.
    pub(crate) usage: bool,
}

impl Stream {
    /// Events in the whole answer: the opening, the text, the stop, usage and `[DONE]`.
    pub(crate) fn events(self) -> u32 {
        self.chunks + 3 + u32::from(self.usage)
    }
}

const OPENING_PROMPT: &str = "You are a helpful assistant. Answer briefly.";
const PROMPT: &str = "Explain in two sentences what the capital of France is known for, and say where it lies. \
     Keep \\\"quotes\\\" and\\nline breaks as they are. ";

impl Exchange {
    /// The path below the base URL.
    pub(crate) fn path(&self) -> &'static str {
        match self.shape {
            Shape::Chat | Shape::Stream(_) => "/chat/completions",
            Shape::Embeddings => "/embeddings",
        }
    }

    /// The request's body, with the keys in the order in which the official SDKs write them.
    pub(crate) fn request(&self) -> String {
        let Stream { chunks, pause_ms, .. } = match self.shape {
            Shape::Stream(stream) => stream,
            Shape::Chat | Shape::Embeddings => Stream { chunks: 0, pause_ms: 0, usage: false },
        };
        let begin = format!("[bench {NONCE} {chunks:05} {pause_ms:05}] ");
        let (head, tail) = match self.shape {
            Shape::Embeddings => (
                format!(r#"{{"input":"{begin}"#),
                format!(r#" [end {NONCE}]","model":"text-embedding-3-small","encoding_format":"float"}}"#),
            ),
            Shape::Chat => (chat_head(&begin), chat_tail("")),
            Shape::Stream(Stream { usage: false, .. }) => (chat_head(&begin), chat_tail(r#","stream":true"#)),
            Shape::Stream(Stream { usage: true, .. }) => {
                (chat_head(&begin), chat_tail(r#","stream":true,"stream_options":{"include_usage":true}"#))
            }
        };
        let text_bytes = self.body_bytes.saturating_sub(head.len() + tail.len());
        let mut body = head;
        while text_bytes > 0 && body.len() + tail.len() + PROMPT.len() <= self.body_bytes {
            body.push_str(PROMPT);
        }
        while body.len() + tail.len() < self.body_bytes {
            body.push('.');
        }
        body + &tail
    }

    /// The answer's body, byte for byte.
    pub(crate) fn answer(&self) -> String {
        match self.shape {
            Shape::Chat => chat(),
            Shape::Embeddings => embeddings(),
            Shape::Stream(stream) => {
                let mut answer = stream_opening();
                for index in 1..=stream.chunks {
                    answer.push_str(&stream_event().replace(INDEX, &format!("{index:05}")));
                }
                answer + &stream_ending(stream.usage)
            }
        }
    }
}

fn chat_head(begin: &str) -> String {
    format!(r#"{{"messages":[{{"role":"system","content":"{OPENING_PROMPT}"}},{{"role":"user","content":"{begin}"#)
}

fn chat_tail(options: &str) -> String {
    format!(r#" [end {NONCE}]"}}],"model":"gpt-4o-mini","max_tokens":256,"temperature":0.7{options}}}"#)
}

/// What a request wants, as the mock reads it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Directive {
    /// Comes back in every part of the answer.
    pub(crate) nonce: u64,
    /// Chunks of a streamed answer.
    pub(crate) chunks: u32,
    /// Pause between two of them.
    pub(crate) pause_ms: u32,
}

impl Directive {
    /// Reads the directive; `None` if the body is not one whole request of this rig.
    pub(crate) fn read(body: &[u8]) -> Option<Self> {
        let begin = memmem::find(body, b"[bench ")? + b"[bench ".len();
        let mut words = std::str::from_utf8(body.get(begin..begin + NONCE.len() + 12)?).ok()?.split(' ');
        let nonce = words.next()?.parse().ok()?;
        let directive = Self { nonce, chunks: words.next()?.parse().ok()?, pause_ms: words.next()?.parse().ok()? };
        let end = memmem::rfind(body, b"[end ")? + b"[end ".len();
        let end_nonce: u64 = std::str::from_utf8(body.get(end..end + NONCE.len())?).ok()?.parse().ok()?;
        (end_nonce == nonce).then_some(directive)
    }
}

/// A chat completion in one piece.
pub(crate) fn chat() -> String {
    let content = "Paris, the capital of France, is known for the Louvre, the Eiffel Tower and its cafés, and it has been \
         the political and cultural centre of the country for many centuries. It lies on the Seine in the north of \
         France, about 150 kilometres from the Channel.\\n\\nIf you would like to know more about its \\\"quartiers\\\", \
         ask me about the Marais, Montmartre or the Latin Quarter.";
    format!(
        r#"{{"id":"chatcmpl-{NONCE}","object":"chat.completion","created":1763650000,"model":"gpt-4o-mini-2024-07-18","choices":[{{"index":0,"message":{{"role":"assistant","content":"{content}","refusal":null,"annotations":[]}},"logprobs":null,"finish_reason":"stop"}}],"usage":{{"prompt_tokens":124,"completion_tokens":81,"total_tokens":205,"prompt_tokens_details":{{"cached_tokens":0,"audio_tokens":0}},"completion_tokens_details":{{"reasoning_tokens":0,"audio_tokens":0,"accepted_prediction_tokens":0,"rejected_prediction_tokens":0}}}},"service_tier":"default","system_fingerprint":"fp_560af6e559"}}"#
    )
}

/// One vector of 256 numbers; the nonce is the fraction of the first.
pub(crate) fn embeddings() -> String {
    let mut vector = format!("0.{NONCE}");
    for index in 1_i32..256 {
        let thousandths = index * 37 % 101 - 50;
        // Writing to a string cannot fail.
        let _ = write!(vector, ",{:.8}", f64::from(thousandths) / 1000.0);
    }
    format!(
        r#"{{"object":"list","data":[{{"object":"embedding","index":0,"embedding":[{vector}]}}],"model":"text-embedding-3-small","usage":{{"prompt_tokens":8,"total_tokens":8}}}}"#
    )
}

/// The first event of a stream, which names the role.
pub(crate) fn stream_opening() -> String {
    event(
        r#"[{"index":0,"delta":{"role":"assistant","content":"","refusal":null},"logprobs":null,"finish_reason":null}]"#,
        "null",
    )
}

/// An event that carries text.
pub(crate) fn stream_event() -> String {
    let choice = format!(r#"[{{"index":0,"delta":{{"content":" w{INDEX}"}},"logprobs":null,"finish_reason":null}}]"#);
    event(&choice, "null")
}

/// The stop, usage if it was asked for, and `[DONE]`.
pub(crate) fn stream_ending(usage: bool) -> String {
    let mut ending = event(r#"[{"index":0,"delta":{},"logprobs":null,"finish_reason":"stop"}]"#, "null");
    if usage {
        ending.push_str(&event("[]", r#"{"prompt_tokens":124,"completion_tokens":50,"total_tokens":174}"#));
    }
    ending + "data: [DONE]\n\n"
}

fn event(choices: &str, usage: &str) -> String {
    format!(
        "data: {{\"id\":\"chatcmpl-{NONCE}\",\"object\":\"chat.completion.chunk\",\"created\":1763650000,\
         \"model\":\"gpt-4o-mini-2024-07-18\",\"service_tier\":\"default\",\"system_fingerprint\":\"fp_560af6e559\",\
         \"choices\":{choices},\"usage\":{usage},\"obfuscation\":\"qZ8fT\"}}\n\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::template::Template;

    const STREAM: Stream = Stream { chunks: 50, pause_ms: 10, usage: true };

    #[test]
    fn a_request_has_the_size_asked_for_and_is_valid_json() {
        for shape in [Shape::Chat, Shape::Embeddings, Shape::Stream(STREAM)] {
            let body = Exchange { shape, body_bytes: 65_536 }.request();
            assert_eq!(body.len(), 65_536);
            serde_json::from_str::<serde_json::Value>(&body).unwrap();
        }
    }

    #[test]
    fn the_mock_reads_what_the_client_asked_for() {
        let request = Template::new(Exchange { shape: Shape::Stream(STREAM), body_bytes: 1024 }.request());
        let read = Directive::read(&request.filled(42, 0));
        assert_eq!(read, Some(Directive { nonce: 42, chunks: 50, pause_ms: 10 }));
    }

    #[test]
    fn a_request_made_of_two_halves_is_refused() {
        let request = Template::new(Exchange { shape: Shape::Chat, body_bytes: 1024 }.request());
        let (first, second) = (request.filled(1, 0), request.filled(2, 0));
        assert_eq!(Directive::read(&[&first[..512], &second[512..]].concat()), None);
        assert_eq!(Directive::read(&first[..512]), None);
    }

    #[test]
    fn answers_are_valid_json_of_a_realistic_size() {
        let answer = Template::new(chat()).filled(7, 0);
        serde_json::from_slice::<serde_json::Value>(&answer).unwrap();
        assert!((900..1200).contains(&answer.len()), "{}", answer.len());
        serde_json::from_slice::<serde_json::Value>(&Template::new(embeddings()).filled(7, 0)).unwrap();
        let chunk = Template::new(stream_event()).filled(7, 1);
        assert!((280..330).contains(&chunk.len()), "{}", chunk.len());
        let json = chunk.strip_prefix(b"data: ").unwrap();
        serde_json::from_slice::<serde_json::Value>(json).unwrap();
    }

    #[test]
    fn a_stream_has_the_events_it_counts() {
        let answer = Exchange { shape: Shape::Stream(STREAM), body_bytes: 1024 }.answer();
        assert_eq!(answer.matches("\n\n").count(), STREAM.events() as usize);
    }
}
