//! Whether the calls of tools in an answer can be followed: their arguments are a JSON object. It is looked at only for
//! requests that go by it (`exacto`); nobody else's answers are read for it.

use std::collections::BTreeMap;

use gw_core::chat::{Block, ChatAnswer, Delta, Event, Part, ToolInput};
use gw_dialects::chat::{DecodeEvents, Egress, Origin};
use serde_json::{Map, Value};

/// Longer arguments are not judged.
const ARGUMENTS_BYTES_MAX: usize = 1 << 20;
/// So many calls at once are judged.
const OPEN_MAX: usize = 16;

/// Reads along with a stream.
#[derive(Debug, Default)]
pub(crate) struct Judge {
    /// The arguments so far of calls that have not ended, by their numbers.
    open: BTreeMap<u32, String>,
    verdict: Option<bool>,
}

impl Judge {
    /// Takes the next piece of the answer.
    pub(crate) fn hear(&mut self, event: &Event) {
        match event {
            Event::BlockStart { index, block: Block::ToolCall { is_custom: false, .. }, .. }
                if self.open.len() < OPEN_MAX =>
            {
                self.open.insert(*index, String::new());
            }
            Event::Delta { index, delta: Delta::Text(text) } => {
                if let Some(arguments) = self.open.get_mut(index)
                    && arguments.len() + text.len() <= ARGUMENTS_BYTES_MAX
                {
                    arguments.push_str(text);
                } else {
                    self.open.remove(index);
                }
            }
            Event::BlockStop { index } => {
                if let Some(arguments) = self.open.remove(index) {
                    self.verdict = Some(self.verdict != Some(false) && is_object(&arguments));
                }
            }
            _ => {}
        }
    }

    /// Whether all calls that have ended can be followed; `None` if there was none.
    pub(crate) fn verdict(&self) -> Option<bool> {
        self.verdict
    }
}

/// Reads along with a stream that goes on as it came.
pub(crate) struct ReadingJudge {
    /// `None` once the stream cannot be read.
    decoder: Option<Box<dyn DecodeEvents>>,
    events: Vec<Event>,
    judge: Judge,
}

impl ReadingJudge {
    /// For a stream in this dialect.
    pub(crate) fn new(egress: &dyn Egress) -> Self {
        Self { decoder: Some(egress.decoder(Origin::default())), events: Vec::new(), judge: Judge::default() }
    }

    /// Takes bytes as they came; whether all calls so far can be followed.
    pub(crate) fn read(&mut self, bytes: &[u8]) -> Option<bool> {
        if let Some(decoder) = &mut self.decoder
            && decoder.decode(bytes, &mut self.events).is_err()
        {
            self.decoder = None;
        }
        self.events.drain(..).for_each(|event| self.judge.hear(&event));
        self.judge.verdict()
    }
}

/// Whether all calls of a whole answer can be followed; `None` if there is none.
pub(crate) fn of_answer(answer: &ChatAnswer) -> Option<bool> {
    let parts = answer.candidates.iter().flat_map(|candidate| &candidate.parts);
    let calls = parts.filter_map(|part| match part {
        Part::ToolCall(call) => match &call.input {
            ToolInput::Json(arguments) => Some(is_object(arguments)),
            ToolInput::Text(_) => None,
        },
        _ => None,
    });
    calls.reduce(|all, one| all && one)
}

/// No arguments at all are an object without members.
fn is_object(arguments: &str) -> bool {
    let said = arguments.trim();
    said.is_empty() || serde_json::from_str::<Map<String, Value>>(said).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(pieces: &[&[&str]]) -> Option<bool> {
        let mut judge = Judge::default();
        for (index, pieces) in (0..).zip(pieces) {
            let block = Block::ToolCall { id: "c".to_owned(), name: "f".to_owned(), is_custom: false };
            judge.hear(&Event::BlockStart { index, candidate: 0, block });
            for text in *pieces {
                judge.hear(&Event::Delta { index, delta: Delta::Text((*text).to_owned()) });
            }
            judge.hear(&Event::BlockStop { index });
        }
        judge.verdict()
    }

    #[test]
    fn a_call_can_be_followed_if_its_arguments_are_an_object() {
        assert_eq!(heard(&[]), None, "who calls nothing shows nothing");
        assert_eq!(heard(&[&["{\"a\":", " 1}"]]), Some(true));
        assert_eq!(heard(&[&[]]), Some(true), "a tool may need nothing");
        for wrong in ["{\"a\": ", "[1]", "\"a\"", "{} {}", "a=1"] {
            assert_eq!(heard(&[&["{}"], &[wrong]]), Some(false), "{wrong}");
            assert_eq!(heard(&[&[wrong], &["{}"]]), Some(false), "one that can be followed does not mend it: {wrong}");
        }
    }

    #[test]
    fn arguments_without_end_are_not_held_and_not_judged() {
        let long = "x".repeat(ARGUMENTS_BYTES_MAX);
        assert_eq!(heard(&[&[&long, &long]]), None);
    }
}
