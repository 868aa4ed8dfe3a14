//! What was used, learnt in passing from an answer of which only that is understood: JSON or an event stream, in OpenAI's
//! words, Anthropic's or Google's. What is billed by the piece is in [`crate::carried_counts`].

use bytes::{Buf, BytesMut};
use gw_core::{Operation, Usage};
use memchr::memmem;
use serde_json::value::RawValue;

use crate::carried_counts::{self, Pieces};
use crate::scan::Object;
use crate::told_cost;

/// The end of an answer, or of one line of an event stream, that is kept: reports of usage stand there.
const TAIL_BYTES: usize = 16 << 10;

/// Learns the usage from an answer as it passes.
#[derive(Debug, Default)]
pub struct Learner {
    kind: Kind,
    tail: BytesMut,
    usage: Option<Usage>,
    /// Of an operation that is billed by the piece.
    pieces: Option<Pieces>,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Json,
    Events,
    #[default]
    Other,
}

impl Learner {
    /// For an answer of this media type.
    pub fn new(content_type: &[u8]) -> Self {
        let is = |name: &[u8]| content_type.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name));
        let kind = match () {
            () if is(b"application/json") => Kind::Json,
            () if is(b"text/event-stream") => Kind::Events,
            () => Kind::Other,
        };
        Self { kind, ..Self::default() }
    }

    /// For the answer to this operation, which may be billed by the piece: something was used, whether the answer says what
    /// or not. `asked` is what the request says.
    #[must_use]
    pub fn billed(self, operation: Operation, asked: Usage) -> Self {
        Self { pieces: Some(Pieces::new(operation)), usage: Some(asked), ..self }
    }

    /// Whether the answer is a stream of events.
    pub fn is_stream(&self) -> bool {
        self.kind == Kind::Events
    }

    /// The next piece of the answer.
    pub fn feed(&mut self, piece: &[u8]) {
        if let Some(pieces) = &mut self.pieces
            && self.kind != Kind::Other
        {
            pieces.feed(piece);
        }
        match self.kind {
            Kind::Other => {}
            Kind::Json => self.keep(piece),
            Kind::Events => {
                let mut rest = piece;
                while let Some(end) = memchr::memchr(b'\n', rest) {
                    self.keep(&rest[..end]);
                    self.look();
                    rest = &rest[end + 1..];
                }
                self.keep(rest);
            }
        }
    }

    /// What was used, as far as has been fed. To be asked at the end.
    pub fn usage(&mut self) -> Option<Usage> {
        self.look();
        let usage = self.usage?;
        Some(self.pieces.as_ref().map_or(usage, |pieces| pieces.counted(usage)))
    }

    /// Adds to the tail, and forgets what is too far from its end.
    fn keep(&mut self, piece: &[u8]) {
        let piece = &piece[piece.len().saturating_sub(TAIL_BYTES)..];
        self.tail.extend_from_slice(piece);
        // Only now and then, so that an answer in small pieces is not moved over and over.
        if self.tail.len() > 2 * TAIL_BYTES {
            self.tail.advance(self.tail.len() - TAIL_BYTES);
        }
    }

    /// Looks for a report in what is kept, which is then done with.
    fn look(&mut self) {
        if let Some(usage) = in_tail(&self.tail) {
            self.usage = Some(self.usage.unwrap_or_default().merge(usage));
        }
        self.tail.clear();
    }
}

/// The last report in the end of a JSON text.
fn in_tail(tail: &[u8]) -> Option<Usage> {
    memmem::rfind_iter(tail, br#""usage"#).find_map(|at| {
        let rest = &tail[at + br#""usage"#.len()..];
        let rest = rest.strip_prefix(b"Metadata").unwrap_or(rest).strip_prefix(b"\"")?;
        let rest = rest.trim_ascii_start().strip_prefix(b":")?;
        let value = serde_json::Deserializer::from_slice(rest).into_iter::<&RawValue>().next()?.ok()?;
        of_report(&Object::parse(value.get()).ok()?)
    })
}

/// What a report says, in whosever words.
fn of_report(report: &Object<'_>) -> Option<Usage> {
    let media_ms = carried_counts::media_ms(report).unwrap_or(0);
    let told_cost = told_cost::in_report(report);
    let tokens = tokens_of_report(report);
    let has_said = tokens.is_some() || media_ms > 0 || told_cost.is_some();
    has_said.then(|| Usage { media_ms, told_cost, ..tokens.unwrap_or_default() })
}

/// The tokens of a report.
fn tokens_of_report(report: &Object<'_>) -> Option<Usage> {
    if let Some(usage) = crate::usage::of_report(report).filter(|_| report.get("input_tokens").is_none()) {
        return Some(usage);
    }
    let count = |object: &Object<'_>, name: &str| object.get(name).and_then(|raw| raw.parse::<u64>().ok());
    if let Some(input) = count(report, "promptTokenCount") {
        let thoughts = count(report, "thoughtsTokenCount").unwrap_or(0);
        return Some(Usage {
            input_tokens: input.saturating_add(count(report, "toolUsePromptTokenCount").unwrap_or(0)),
            output_tokens: count(report, "candidatesTokenCount").unwrap_or(0).saturating_add(thoughts),
            cached_input_tokens: count(report, "cachedContentTokenCount").unwrap_or(0),
            reasoning_tokens: thoughts,
            ..Usage::default()
        });
    }
    let (input, output) = (count(report, "input_tokens"), count(report, "output_tokens"));
    if input.is_none() && output.is_none() {
        return None;
    }
    let detail = |part: &str, name: &str| report.object(part).and_then(|part| count(&part, name)).unwrap_or(0);
    // Anthropic counts what was cached beside the input and not within it.
    let read = count(report, "cache_read_input_tokens").unwrap_or(0);
    let written = count(report, "cache_creation_input_tokens").unwrap_or(0);
    let details = |name: &str| detail("input_tokens_details", name).max(detail("input_token_details", name));
    let output_details = |name: &str| detail("output_tokens_details", name).max(detail("output_token_details", name));
    Some(Usage {
        input_tokens: input.unwrap_or(0).saturating_add(read).saturating_add(written),
        output_tokens: output.unwrap_or(0),
        cached_input_tokens: read.max(details("cached_tokens")),
        cache_write_tokens: written,
        reasoning_tokens: output_details("reasoning_tokens"),
        audio_input_tokens: details("audio_tokens"),
        audio_output_tokens: output_details("audio_tokens"),
        image_input_tokens: details("image_tokens"),
        image_output_tokens: output_details("image_tokens"),
        ..Usage::default()
    })
}

/// What one message says was used, wherever in it the report stands: an event of OpenAI's Realtime.
pub fn of_message(text: &[u8]) -> Option<Usage> {
    in_tail(&text[text.len().saturating_sub(TAIL_BYTES)..])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn learn(content_type: &str, answer: &str, piece: usize) -> Option<Usage> {
        let mut learner = Learner::new(content_type.as_bytes());
        for piece in answer.as_bytes().chunks(piece) {
            learner.feed(piece);
        }
        learner.usage()
    }

    fn counts(input_tokens: u64, output_tokens: u64) -> Option<Usage> {
        Some(Usage { input_tokens, output_tokens, ..Usage::default() })
    }

    #[test]
    fn usage_is_learnt_in_whosever_words_and_pieces() {
        let picture = "x".repeat(100_000);
        let image = format!(
            r#"{{"data":[{{"b64_json":"{picture}"}}],"usage":{{"total_tokens":100,"input_tokens":50,"output_tokens":50,"input_tokens_details":{{"text_tokens":10}}}}}}"#
        );
        let event = format!(
            "event: image_generation.completed\ndata: {{\"b64_json\":\"{picture}\",\"usage\":{{\"input_tokens\":5,\"output_tokens\":6}}}}\n\n"
        );
        let anthropic = "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"usage\":{\"input_tokens\":9,\"output_tokens\":1}}}\n\nevent: message_delta\ndata: {\"type\":\"message_delta\",\"usage\":{\"output_tokens\":12}}\n\n";
        let gemini =
            r#"{"candidates":[],"usageMetadata":{"promptTokenCount":7,"candidatesTokenCount":3},"modelVersion":"g"}"#;
        for piece in [7, 1_000, 1 << 20] {
            assert_eq!(learn("application/json", &image, piece), counts(50, 50));
            assert_eq!(learn("text/event-stream", &event, piece), counts(5, 6));
            assert_eq!(learn("text/event-stream; charset=utf-8", anthropic, piece), counts(9, 12));
            assert_eq!(learn("application/json", gemini, piece), counts(7, 3));
            let chat = r#"{"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":4,"total_tokens":7}}"#;
            assert_eq!(learn("application/json; charset=utf-8", chat, piece), counts(3, 4));
            let absurd = gemini.replace('3', "3,\"thoughtsTokenCount\":18446744073709551615");
            assert_eq!(learn("application/json", &absurd, piece).unwrap().output_tokens, u64::MAX);
            assert_eq!(learn("audio/mpeg", chat, piece), None);
            assert_eq!(learn("application/json", r#"{"text":"the \"usage\": {\"input_tokens\": 5}"}"#, piece), None);
        }
    }
}
