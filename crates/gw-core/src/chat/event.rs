//! What a model answers, in pieces.
//!
//! ```text
//! stream = Start (block | Finish | Usage)*
//! block  = BlockStart Delta* BlockStop
//! ```
//!
//! Blocks are numbered from 0 in the order in which they start. Of one candidate at most one is open at a time, and none
//! starts after its `Finish`, of which there is one for each candidate. `Usage` may stand anywhere and is a total so far. Whoever
//! decodes a dialect that mixes blocks puts them in order. [`check`] says what is wrong with a stream.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::Usage;
use crate::chat::Extra;
use crate::chat::answer::{Candidate, ChatAnswer, Finish};
use crate::chat::opaque::Opaque;
use crate::chat::part::{Citation, Media, MediaKind, MediaSource, Native, Part, Reasoning, Text, ToolCall, ToolInput};

/// Answers to one request, at most (OpenAI's limit of `n`). A decoder refuses a provider's that are beyond.
pub const CANDIDATES_MAX: u32 = 128;

/// A piece of an answer.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// The answer begins.
    Start {
        /// The provider's id of it; empty if it has none.
        id: String,
        /// The model that answers, as the provider calls it.
        model: String,
        /// When, in seconds since 1970.
        created_s: Option<u64>,
    },
    /// A part of the answer begins.
    BlockStart {
        /// Its number.
        index: u32,
        /// Of which answer, from 0.
        candidate: u32,
        /// What it is.
        block: Block,
    },
    /// More of the part with that number.
    Delta {
        /// The number.
        index: u32,
        /// What came.
        delta: Delta,
    },
    /// The part with that number is whole.
    BlockStop {
        /// The number.
        index: u32,
    },
    /// What was used so far.
    Usage(Usage),
    /// An answer is whole.
    Finish {
        /// Which, from 0.
        candidate: u32,
        /// Why it ended.
        finish: Finish,
    },
    /// Which service was given.
    ServiceTier(String),
    /// Members of the whole answer that no other event has: `system_fingerprint`, `promptFeedback`.
    Extra(Extra),
}

/// What a part of an answer is.
#[derive(Debug, Clone, PartialEq)]
pub enum Block {
    /// Text.
    Text,
    /// Words of refusal.
    Refusal,
    /// Thoughts.
    Reasoning {
        /// The id of the item, where the dialect has one.
        id: Option<String>,
        /// Whether the text is a summary of them.
        is_summary: bool,
    },
    /// A call of a tool.
    ToolCall {
        /// By which its result is known.
        id: String,
        /// The tool.
        name: String,
        /// Whether it is a custom tool, which takes text.
        is_custom: bool,
    },
    /// A medium, in base64.
    Media {
        /// What kind.
        kind: MediaKind,
        /// Its media type.
        media_type: String,
    },
    /// Something of one family's, whole.
    Native(Native),
}

/// More of a part.
#[derive(Debug, Clone, PartialEq)]
pub enum Delta {
    /// Of a text, a refusal, thoughts; of a tool's arguments, as JSON text; of a medium, in base64.
    Text(String),
    /// Where the text was taken from.
    Citation(Citation),
    /// State that belongs to the part.
    Opaque(Opaque),
    /// Probabilities of the tokens of this delta, as OpenAI writes them: a list.
    Logprobs(Value),
}

/// Puts an answer together from its pieces. What breaks the grammar is not lost: a delta of no block is ignored, a block
/// that was never closed counts.
#[derive(Debug, Default)]
pub struct Collector {
    answer: ChatAnswer,
    /// By number: of which answer, and the part.
    blocks: BTreeMap<u32, (u32, Part)>,
    finishes: BTreeMap<u32, Finish>,
    logprobs: BTreeMap<u32, Vec<Value>>,
    ended: bool,
}

impl Collector {
    /// Takes the next piece.
    pub fn push(&mut self, event: Event) {
        match event {
            Event::Start { id, model, created_s } => {
                self.answer.id = id;
                self.answer.model = model;
                self.answer.created_s = created_s;
            }
            Event::BlockStart { index, candidate, block } if candidate < CANDIDATES_MAX => {
                self.blocks.insert(index, (candidate, empty(block)));
            }
            Event::Delta { index, delta } => self.delta(index, delta),
            Event::Usage(usage) => {
                self.answer.usage = Some(self.answer.usage.unwrap_or_default().merge(usage));
            }
            Event::Finish { candidate, finish } if candidate < CANDIDATES_MAX => {
                self.ended = true;
                self.finishes.insert(candidate, finish);
            }
            Event::BlockStart { .. } | Event::BlockStop { .. } | Event::Finish { .. } => {}
            Event::ServiceTier(tier) => self.answer.service_tier = Some(tier),
            Event::Extra(Extra { family, members }) => {
                // One provider answers, in one family's words.
                self.answer.extra.family = family;
                self.answer.extra.members.extend(members);
            }
        }
    }

    fn delta(&mut self, index: u32, delta: Delta) {
        let Some((candidate, part)) = self.blocks.get_mut(&index) else {
            return;
        };
        match (delta, part) {
            (Delta::Text(more), Part::Text(Text { text, .. }) | Part::Refusal(text)) => text.push_str(&more),
            (Delta::Text(more), Part::Reasoning(reasoning)) => reasoning.text.push_str(&more),
            (Delta::Text(more), Part::ToolCall(call)) => {
                let (ToolInput::Json(input) | ToolInput::Text(input)) = &mut call.input;
                input.push_str(&more);
            }
            (Delta::Text(more), Part::Media(media)) => {
                if let MediaSource::Inline { data, .. } = &mut media.source {
                    data.push_str(&more);
                }
            }
            (Delta::Citation(citation), Part::Text(text)) => text.citations.push(citation),
            (Delta::Opaque(opaque), Part::Text(text)) => text.opaque = Some(opaque),
            (Delta::Opaque(opaque), Part::Reasoning(reasoning)) => reasoning.opaque = Some(opaque),
            (Delta::Opaque(opaque), Part::ToolCall(call)) => call.opaque = Some(opaque),
            (Delta::Opaque(opaque), Part::Media(media)) => media.opaque = Some(opaque),
            (Delta::Logprobs(Value::Array(tokens)), _) => {
                self.logprobs.entry(*candidate).or_default().extend(tokens);
            }
            _ => {}
        }
    }

    /// Whether the answer was seen to its end.
    pub fn is_ended(&self) -> bool {
        self.ended
    }

    /// The answer, as far as it came.
    pub fn into_answer(mut self) -> ChatAnswer {
        let known = self.blocks.values().map(|(candidate, _)| *candidate).chain(self.finishes.keys().copied());
        let count = known.max().map_or(1, |last| last as usize + 1);
        let mut candidates = vec![Candidate::default(); count];
        for (candidate, mut part) in self.blocks.into_values() {
            if let Part::ToolCall(ToolCall { input: ToolInput::Json(json), .. }) = &mut part
                && json.trim().is_empty()
            {
                json.replace_range(.., "{}");
            }
            candidates[candidate as usize].parts.push(part);
        }
        for (candidate, finish) in self.finishes {
            candidates[candidate as usize].finish = finish;
        }
        for (candidate, tokens) in self.logprobs {
            candidates[candidate as usize].logprobs = Some(Value::Array(tokens));
        }
        self.answer.candidates = candidates;
        self.answer
    }
}

/// A part before anything of it has come.
fn empty(block: Block) -> Part {
    match block {
        Block::Text => Part::Text(Text::default()),
        Block::Refusal => Part::Refusal(String::new()),
        Block::Reasoning { id, is_summary } => Part::Reasoning(Reasoning { id, is_summary, ..Reasoning::default() }),
        Block::ToolCall { id, name, is_custom } => {
            let input = if is_custom { ToolInput::Text(String::new()) } else { ToolInput::Json(String::new()) };
            Part::ToolCall(ToolCall { id, name, input, ..ToolCall::default() })
        }
        Block::Media { kind, media_type } => {
            Part::Media(Media::new(kind, MediaSource::Inline { media_type, data: String::new() }))
        }
        Block::Native(native) => Part::Native(native),
    }
}

impl ChatAnswer {
    /// The answer in pieces, as a model that streams would have given it: a part at a time.
    pub fn into_events(self) -> Vec<Event> {
        let mut events = vec![Event::Start { id: self.id, model: self.model, created_s: self.created_s }];
        events.extend(self.service_tier.map(Event::ServiceTier));
        if !self.extra.members.is_empty() {
            events.push(Event::Extra(self.extra));
        }
        let mut index = 0;
        for (candidate, Candidate { parts, finish, mut logprobs }) in (0..).zip(self.candidates) {
            for part in parts {
                let Some((block, mut deltas)) = pieces(part) else { continue };
                if block == Block::Text {
                    deltas.extend(logprobs.take().map(Delta::Logprobs));
                }
                events.push(Event::BlockStart { index, candidate, block });
                events.extend(deltas.into_iter().map(|delta| Event::Delta { index, delta }));
                events.push(Event::BlockStop { index });
                index += 1;
            }
            events.push(Event::Finish { candidate, finish });
        }
        events.extend(self.usage.map(Event::Usage));
        events
    }
}

/// A part as a block and its deltas. What no model answers has none.
fn pieces(part: Part) -> Option<(Block, Vec<Delta>)> {
    let mut deltas = Vec::new();
    let mut say = |text: String| {
        if !text.is_empty() {
            deltas.push(Delta::Text(text));
        }
    };
    let (block, citations, opaque) = match part {
        Part::Text(Text { text, citations, opaque, .. }) => {
            say(text);
            (Block::Text, citations, opaque)
        }
        Part::Refusal(text) => {
            say(text);
            (Block::Refusal, Vec::new(), None)
        }
        Part::Reasoning(Reasoning { id, text, is_summary, opaque }) => {
            say(text);
            (Block::Reasoning { id, is_summary }, Vec::new(), opaque)
        }
        Part::ToolCall(ToolCall { id, name, input, opaque, .. }) => {
            let is_custom = matches!(input, ToolInput::Text(_));
            let (ToolInput::Json(text) | ToolInput::Text(text)) = input;
            say(text);
            (Block::ToolCall { id, name, is_custom }, Vec::new(), opaque)
        }
        Part::Media(Media { kind, source: MediaSource::Inline { media_type, data }, opaque, .. }) => {
            say(data);
            (Block::Media { kind, media_type }, Vec::new(), opaque)
        }
        Part::Native(native) => (Block::Native(native), Vec::new(), None),
        Part::Media(_) | Part::ToolResult(_) => return None,
    };
    deltas.extend(citations.into_iter().map(Delta::Citation));
    deltas.extend(opaque.map(Delta::Opaque));
    Some((block, deltas))
}

/// What is wrong with a stream; `None` if it keeps to the grammar.
pub fn check(events: &[Event]) -> Option<String> {
    let mut open: BTreeMap<u32, u32> = BTreeMap::new();
    let (mut next, mut finished) = (0, Vec::new());
    for (place, event) in events.iter().enumerate() {
        let wrong = match event {
            Event::Start { .. } if place > 0 => Some("a second start"),
            Event::Start { .. } | Event::Usage(_) | Event::ServiceTier(_) | Event::Extra(_) => None,
            _ if place == 0 => Some("no start"),
            Event::BlockStart { index, candidate, .. } => {
                let busy = open.values().any(|other| other == candidate);
                let late = finished.contains(candidate);
                let numbered = *index == next;
                open.insert(*index, *candidate);
                next += 1;
                match (numbered, busy, late) {
                    (false, ..) => Some("a block with a wrong number"),
                    (_, true, _) => Some("a block within another"),
                    (.., true) => Some("a block after the finish"),
                    _ => None,
                }
            }
            Event::Delta { index, .. } => (!open.contains_key(index)).then_some("a delta of no open block"),
            Event::BlockStop { index } => open.remove(index).is_none().then_some("the end of no open block"),
            Event::Finish { candidate, .. } => {
                let again = finished.contains(candidate);
                finished.push(*candidate);
                match (again, open.values().any(|other| other == candidate)) {
                    (true, _) => Some("a second finish"),
                    (_, true) => Some("a finish within a block"),
                    _ => None,
                }
            }
        };
        if let Some(wrong) = wrong {
            return Some(format!("event {place} is {wrong}: {event:?}"));
        }
    }
    if finished.is_empty() { Some("there is no finish".to_owned()) } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::answer::FinishReason;
    use crate::chat::opaque::{Family, OpaqueKind};

    fn answer() -> ChatAnswer {
        let opaque = Opaque {
            family: Family::Anthropic,
            provider: "p".to_owned(),
            kind: OpaqueKind::Signature,
            data: "sig".to_owned(),
        };
        let reasoning = Reasoning { text: "hm".to_owned(), opaque: Some(opaque), ..Reasoning::default() };
        let call = ToolCall { id: "c1".to_owned(), name: "f".to_owned(), ..ToolCall::default() };
        let citation = Citation { url: Some("https://a".to_owned()), ..Citation::default() };
        let text = Text { text: "Hello".to_owned(), citations: vec![citation], ..Text::default() };
        let finish = Finish::new(FinishReason::ToolCalls, "tool_use");
        ChatAnswer {
            id: "a".to_owned(),
            model: "m".to_owned(),
            candidates: vec![
                Candidate {
                    parts: vec![Part::Reasoning(reasoning), Part::Text(text), Part::ToolCall(call)],
                    finish,
                    logprobs: Some(serde_json::json!([{"token": "Hello"}])),
                },
                Candidate { parts: vec!["Other".into()], ..Candidate::default() },
            ],
            usage: Some(Usage { input_tokens: 3, output_tokens: 4, ..Usage::default() }),
            service_tier: Some("default".to_owned()),
            extra: Extra {
                family: Family::Gemini,
                members: [("modelStatus".to_owned(), serde_json::json!("old"))].into_iter().collect(),
            },
            ..ChatAnswer::default()
        }
    }

    #[test]
    fn an_answer_survives_being_taken_to_pieces() {
        let events = answer().into_events();
        assert_eq!(check(&events), None);
        let mut collector = Collector::default();
        events.into_iter().for_each(|event| collector.push(event));
        assert!(collector.is_ended());
        assert_eq!(collector.into_answer(), answer());
    }

    #[test]
    fn the_checker_finds_what_breaks_the_grammar() {
        let start = || Event::Start { id: String::new(), model: String::new(), created_s: None };
        let block = |index| Event::BlockStart { index, candidate: 0, block: Block::Text };
        let delta = |index| Event::Delta { index, delta: Delta::Text("x".to_owned()) };
        let stop = |index| Event::BlockStop { index };
        let finish = || Event::Finish { candidate: 0, finish: Finish::default() };
        for (events, wrong) in [
            (vec![], "there is no finish"),
            (vec![block(0)], "no start"),
            (vec![start(), start()], "a second start"),
            (vec![start(), block(1)], "wrong number"),
            (vec![start(), block(0), block(1)], "within another"),
            (vec![start(), delta(0)], "no open block"),
            (vec![start(), block(0), stop(0), stop(0)], "no open block"),
            (vec![start(), block(0), finish()], "within a block"),
            (vec![start(), finish(), finish()], "second finish"),
            (vec![start(), finish(), block(0)], "after the finish"),
            (vec![start(), block(0), stop(0)], "there is no finish"),
        ] {
            let found = check(&events);
            assert!(found.as_deref().is_some_and(|found| found.contains(wrong)), "{wrong}: {found:?}");
        }
    }

    #[test]
    fn a_call_without_arguments_has_an_empty_object() {
        let mut collector = Collector::default();
        let block = Block::ToolCall { id: "c".to_owned(), name: "f".to_owned(), is_custom: false };
        collector.push(Event::BlockStart { index: 0, candidate: 0, block });
        let answer = collector.into_answer();
        let Part::ToolCall(call) = &answer.candidates[0].parts[0] else { panic!("{answer:?}") };
        assert_eq!(call.input, ToolInput::Json("{}".to_owned()));
    }
}
