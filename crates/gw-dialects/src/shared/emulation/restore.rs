//! Calls found in what a model wrote, and given back.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use gw_core::chat::{Block, ChatRequest, Delta, Event, FinishReason, Tool};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{BEGIN, END};

/// Bytes of a call that are held, at most. What is longer is the model's text.
const HELD_MAX: usize = 4 << 20;

/// Blanks that wait for text, at most.
const BLANKS_MAX: usize = 1 << 10;

/// Finds calls in the texts of an answer. Blocks are numbered anew, since a text with a call in it becomes several.
pub(super) struct RestoreCalls {
    names: HashSet<String>,
    prefix: String,
    calls: u32,
    next: u32,
    /// The blocks that are open, by the number that they came with.
    blocks: BTreeMap<u32, Open>,
    /// The answers that call tools.
    called: BTreeSet<u32>,
}

/// A block that is open.
struct Open {
    candidate: u32,
    /// The number that it goes on with, once it does.
    number: Option<u32>,
    /// Of a text: what has come and is not told.
    held: Option<String>,
    /// Of a call that is held: how much of it was searched for its end.
    searched: usize,
}

/// A call as the model was asked to write it, and as others like to.
#[derive(Deserialize)]
struct Written<'a> {
    name: String,
    #[serde(borrow, alias = "parameters", alias = "input")]
    arguments: Option<&'a RawValue>,
}

impl RestoreCalls {
    /// The answer to this request.
    pub(super) fn new(request: &ChatRequest, prefix: &str) -> Self {
        let names = request.tools.iter().filter_map(Tool::name).map(str::to_owned).collect();
        let prefix = prefix.to_owned();
        Self { names, prefix, calls: 0, next: 0, blocks: BTreeMap::new(), called: BTreeSet::new() }
    }

    /// Takes an event and adds what it becomes.
    pub(super) fn push(&mut self, event: Event, out: &mut Vec<Event>) {
        match event {
            Event::BlockStart { index, candidate, block: Block::Text } => {
                self.blocks.insert(index, Open { candidate, number: None, held: Some(String::new()), searched: 0 });
            }
            Event::BlockStart { index, candidate, block } => {
                let number = self.begin(candidate, block, out);
                self.blocks.insert(index, Open { candidate, number: Some(number), held: None, searched: 0 });
            }
            Event::Delta { index, delta } => self.delta(index, delta, out),
            Event::BlockStop { index } => self.stop(index, out),
            Event::Finish { candidate, mut finish } => {
                if self.called.contains(&candidate)
                    && matches!(finish.reason, FinishReason::Stop | FinishReason::StopSequence)
                {
                    finish.reason = FinishReason::ToolCalls;
                }
                out.push(Event::Finish { candidate, finish });
            }
            other @ (Event::Start { .. } | Event::Usage(_) | Event::ServiceTier(_) | Event::Extra(_)) => {
                out.push(other);
            }
        }
    }

    fn delta(&mut self, index: u32, delta: Delta, out: &mut Vec<Event>) {
        let Some(mut open) = self.blocks.remove(&index) else { return };
        match (delta, &mut open.held) {
            (Delta::Text(more), Some(held)) => {
                held.push_str(&more);
                self.read(&mut open, false, out);
            }
            (delta, _) => {
                let number = self.number(&mut open, out);
                out.push(Event::Delta { index: number, delta });
            }
        }
        self.blocks.insert(index, open);
    }

    fn stop(&mut self, index: u32, out: &mut Vec<Event>) {
        let Some(mut open) = self.blocks.remove(&index) else { return };
        self.read(&mut open, true, out);
        if let Some(index) = open.number {
            out.push(Event::BlockStop { index });
        }
    }

    /// Tells what is held as far as it is known what it is; at the end, all of it.
    fn read(&mut self, open: &mut Open, is_end: bool, out: &mut Vec<Event>) {
        while let Some(held) = &mut open.held {
            let Some(begin) = held.find(BEGIN) else {
                let keep = if is_end { 0 } else { begun(held) };
                let rest = held.split_off(held.len() - keep);
                let text = std::mem::replace(held, rest);
                return self.say(open, text, is_end, out);
            };
            let inside = begin + BEGIN.len();
            let from = inside.max(open.searched.saturating_sub(END.len()));
            let end = memchr::memmem::find(&held.as_bytes()[from..], END.as_bytes()).map(|end| from + end);
            let is_cut = end.is_none() && (is_end || held.len() - inside > HELD_MAX);
            if end.is_none() && !is_cut {
                let rest = held.split_off(begin);
                let text = std::mem::replace(held, rest);
                self.say(open, text, false, out);
                open.searched = open.held.as_ref().map_or(0, String::len);
                return;
            }
            open.searched = 0;
            let call = self.call(&held[inside..end.unwrap_or(held.len())]);
            let behind = end.map_or(held.len(), |end| end + END.len());
            let rest = held.split_off(behind);
            let mut text = std::mem::replace(held, rest);
            if call.is_some() {
                text.truncate(begin);
            }
            self.say(open, text, true, out);
            if let Some((name, arguments)) = call {
                self.tell(open, name, arguments, out);
            }
        }
    }

    /// A call of a tool that there is; `None` if it is none, and so the model's text.
    fn call(&self, text: &str) -> Option<(String, String)> {
        // Some put it into a fence, though nobody asked them to.
        let text = text.trim().trim_start_matches("```json").trim_matches('`').trim();
        let written: Written<'_> = serde_json::from_str(text).ok()?;
        if !self.names.contains(&written.name) {
            return None;
        }
        let arguments = written.arguments.map_or("{}", RawValue::get);
        // Some write the object as a text.
        let arguments = serde_json::from_str::<String>(arguments).unwrap_or_else(|_| arguments.to_owned());
        Some((written.name, arguments))
    }

    fn tell(&mut self, open: &mut Open, name: String, arguments: String, out: &mut Vec<Event>) {
        if let Some(index) = open.number.take() {
            out.push(Event::BlockStop { index });
        }
        self.calls += 1;
        self.called.insert(open.candidate);
        let id = format!("call_{}_{}", self.prefix, self.calls);
        let index = self.begin(open.candidate, Block::ToolCall { id, name, is_custom: false }, out);
        out.push(Event::Delta { index, delta: Delta::Text(arguments) });
        out.push(Event::BlockStop { index });
    }

    /// Tells text. Blanks alone around a call are nothing; those that are followed by text wait for it.
    fn say(&mut self, open: &mut Open, text: String, is_whole: bool, out: &mut Vec<Event>) {
        if text.is_empty() {
            return;
        }
        if open.number.is_none() && text.trim().is_empty() && text.len() <= BLANKS_MAX {
            if let (false, Some(held)) = (is_whole, &mut open.held) {
                held.insert_str(0, &text);
            }
            return;
        }
        let index = self.number(open, out);
        out.push(Event::Delta { index, delta: Delta::Text(text) });
    }

    /// The number that a block goes on with; begins it if it has not begun.
    fn number(&mut self, open: &mut Open, out: &mut Vec<Event>) -> u32 {
        match open.number {
            Some(number) => number,
            None => *open.number.insert(self.begin(open.candidate, Block::Text, out)),
        }
    }

    fn begin(&mut self, candidate: u32, block: Block, out: &mut Vec<Event>) -> u32 {
        let index = self.next;
        self.next = self.next.saturating_add(1);
        out.push(Event::BlockStart { index, candidate, block });
        index
    }
}

/// How many bytes at the end of a text may be the beginning of a call's.
fn begun(text: &str) -> usize {
    (1..BEGIN.len()).rev().find(|length| text.ends_with(&BEGIN[..*length])).unwrap_or(0)
}
