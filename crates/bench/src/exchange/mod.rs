//! The conversation between load generator and mock: what is asked, and what must come back.
//!
//! A request says in its text which answer it wants: `[bench NONCE CHUNKS PAUSE_MS]` at its beginning and `[end NONCE]`
//! at its end. The nonce comes back in every part of the answer, so an answer that was mixed up, cut or repeated is
//! noticed, and a request that did not arrive whole is refused.

pub(crate) mod anthropic;
pub(crate) mod bedrock;
pub(crate) mod gemini;
pub(crate) mod openai;
mod wire;

use memchr::memmem;
use serde::{Deserialize, Serialize};

pub(crate) use self::wire::{Texts, Wire};
use crate::template::{INDEX, NONCE};

/// What a request asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Exchange {
    /// The kind of answer.
    pub(crate) shape: Shape,
    /// Bytes of the request's body.
    pub(crate) body_bytes: usize,
    /// The format that the client speaks.
    pub(crate) client: Wire,
    /// The format that the mock speaks.
    pub(crate) upstream: Wire,
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
    /// Events in the whole answer in OpenAI's format: the opening, the text, the stop, usage and `[DONE]`. The unit of
    /// what a chunk costs, whatever the format.
    pub(crate) fn events(self) -> u32 {
        self.chunks + 3 + u32::from(self.usage)
    }
}

const PROMPT: &str = "Explain in two sentences what the capital of France is known for, and say where it lies. \
     Keep \\\"quotes\\\" and\\nline breaks as they are. ";

impl Exchange {
    /// An exchange in which everybody speaks OpenAI's format.
    pub(crate) const fn openai(shape: Shape, body_bytes: usize) -> Self {
        Self { shape, body_bytes, client: Wire::OpenAi, upstream: Wire::OpenAi }
    }

    /// The same between a client and an upstream of these formats.
    pub(crate) const fn between(self, client: Wire, upstream: Wire) -> Self {
        Self { client, upstream, ..self }
    }

    /// The path below the base URL.
    pub(crate) fn path(&self) -> &'static str {
        match (self.shape, self.client) {
            (Shape::Embeddings, _) => "/embeddings",
            (Shape::Chat | Shape::Stream(_), Wire::Anthropic) => "/messages",
            (Shape::Chat | Shape::Stream(_), Wire::OpenAi | Wire::Gemini | Wire::Bedrock) => "/chat/completions",
        }
    }

    /// The request's body, with the keys in the order in which the official SDKs write them.
    pub(crate) fn request(&self) -> String {
        let Stream { chunks, pause_ms, .. } = match self.shape {
            Shape::Stream(stream) => stream,
            Shape::Chat | Shape::Embeddings => Stream { chunks: 0, pause_ms: 0, usage: false },
        };
        let begin = format!("[bench {NONCE} {chunks:05} {pause_ms:05}] ");
        let end = format!(" [end {NONCE}]");
        let (head, tail) = match self.client {
            Wire::Anthropic => anthropic::request(self.shape, self.upstream.model(), &begin, &end),
            Wire::OpenAi | Wire::Gemini | Wire::Bedrock => {
                openai::request(self.shape, self.upstream.model(), &begin, &end)
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

    /// The answer's body, byte for byte, where nobody changes it.
    pub(crate) fn answer(&self) -> String {
        let texts = self.upstream.texts();
        match self.shape {
            Shape::Chat => texts.chat,
            Shape::Embeddings => openai::embeddings(),
            Shape::Stream(stream) => {
                let mut answer = texts.opening;
                for index in 1..=stream.chunks {
                    answer.push_str(&texts.event.replace(INDEX, &format!("{index:05}")));
                }
                answer + if stream.usage { &texts.ending_with_usage } else { &texts.ending }
            }
        }
    }

    /// What must stand in the answer, in this order, where it is said in other words on the way; with places for the
    /// nonce.
    pub(crate) fn meaning(&self) -> Vec<String> {
        match self.shape {
            Shape::Chat => vec!["the Latin Quarter".to_owned()],
            Shape::Embeddings => vec!["\"embedding\"".to_owned()],
            Shape::Stream(stream) => {
                let word = self.upstream.word();
                let words = (1..=stream.chunks).map(|index| word.replace(INDEX, &format!("{index:05}")));
                words.chain([self.client.end_mark().to_owned()]).collect()
            }
        }
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::template::Template;

    const STREAM: Stream = Stream { chunks: 50, pause_ms: 10, usage: true };

    #[test]
    fn a_request_has_the_size_asked_for_and_is_valid_json() {
        for shape in [Shape::Chat, Shape::Embeddings, Shape::Stream(STREAM)] {
            let exchange = Exchange::openai(shape, 65_536);
            for client in [Wire::OpenAi, Wire::Anthropic] {
                let body = exchange.between(client, Wire::OpenAi).request();
                assert_eq!(body.len(), 65_536);
                serde_json::from_str::<serde_json::Value>(&body).unwrap();
            }
        }
    }

    #[test]
    fn the_mock_reads_what_the_client_asked_for() {
        let request = Template::new(Exchange::openai(Shape::Stream(STREAM), 1024).request());
        let read = Directive::read(&request.filled(42, 0));
        assert_eq!(read, Some(Directive { nonce: 42, chunks: 50, pause_ms: 10 }));
    }

    #[test]
    fn a_request_made_of_two_halves_is_refused() {
        let request = Template::new(Exchange::openai(Shape::Chat, 1024).request());
        let (first, second) = (request.filled(1, 0), request.filled(2, 0));
        assert_eq!(Directive::read(&[&first[..512], &second[512..]].concat()), None);
        assert_eq!(Directive::read(&first[..512]), None);
    }

    #[test]
    fn answers_are_valid_json_of_a_realistic_size() {
        for wire in [Wire::OpenAi, Wire::Anthropic, Wire::Gemini, Wire::Bedrock] {
            let answer = Template::new(wire.texts().chat).filled(7, 0);
            serde_json::from_slice::<serde_json::Value>(&answer).unwrap();
            assert!((500..1200).contains(&answer.len()), "{wire:?}: {}", answer.len());
        }
        serde_json::from_slice::<serde_json::Value>(&Template::new(openai::embeddings()).filled(7, 0)).unwrap();
        let chunk = Template::new(Wire::OpenAi.texts().event).filled(7, 1);
        assert!((280..330).contains(&chunk.len()), "{}", chunk.len());
        let json = chunk.strip_prefix(b"data: ").unwrap();
        serde_json::from_slice::<serde_json::Value>(json).unwrap();
    }

    #[test]
    fn a_stream_has_the_events_it_counts() {
        let answer = Exchange::openai(Shape::Stream(STREAM), 1024).answer();
        assert_eq!(answer.matches("\n\n").count(), STREAM.events() as usize);
    }
}
