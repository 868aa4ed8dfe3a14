//! Tools for models that know none: they are described in the instructions, calls and results of the conversation are told
//! as text, and what the model writes in the form that it was asked for is given back as calls.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fmt::Write as _;

use gw_core::Error;
use gw_core::chat::{
    Block, ChatAnswer, ChatRequest, Collector, Delta, Event, FinishReason, Function, Loss, Message, Part, Role, Tool,
    ToolCall, ToolChoice, ToolResult,
};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::chat::DecodeEvents;
use crate::shared::custom;

/// What a call stands between. Models that were trained with tools know these words.
const BEGIN: &str = "<tool_call>";
const END: &str = "</tool_call>";

/// Bytes of a call that are held, at most. What is longer is the model's text.
const HELD_MAX: usize = 4 << 20;

/// Blanks that wait for text, at most.
const BLANKS_MAX: usize = 1 << 10;

/// The request without tools, and what is replaced by that; `None` if it has none and speaks of none.
pub fn as_text(request: &ChatRequest) -> Option<(ChatRequest, Vec<Loss>)> {
    let speaks = |part: &Part| matches!(part, Part::ToolCall(_) | Part::ToolResult(_));
    let mut parts = request.messages.iter().flat_map(|message| &message.parts);
    if request.tools.is_empty() && !parts.any(speaks) {
        return None;
    }
    let (mut request, mut losses) = custom::as_functions(request).unwrap_or_else(|| (request.clone(), Vec::new()));
    for message in &mut request.messages {
        let parts = std::mem::take(&mut message.parts);
        message.parts = parts.into_iter().flat_map(told).collect();
    }
    if request.tools.iter().any(|tool| matches!(tool, Tool::BuiltIn(_))) {
        losses.push(Loss::dropped("tools[].type", "only functions can be described to this model"));
    }
    if let Some(instructions) = instructions(&request) {
        losses.push(Loss::replaced("tools", "described in the instructions, since the model is said to know no tools"));
        instruct(&mut request.messages, instructions);
    }
    request.tools.clear();
    request.tool_choice = None;
    request.parallel_tool_calls = None;
    Some((request, losses))
}

/// Gives the calls in a whole answer back. `prefix` begins their ids, and is this request's alone.
pub fn restore_answer(answer: ChatAnswer, request: &ChatRequest, prefix: &str) -> ChatAnswer {
    let mut calls = RestoreCalls::new(request, prefix);
    let (mut events, mut collector) = (Vec::new(), Collector::default());
    answer.into_events().into_iter().for_each(|event| calls.push(event, &mut events));
    events.into_iter().for_each(|event| collector.push(event));
    collector.into_answer()
}

/// A decoder whose stream is given back with calls.
pub fn decoder(inner: Box<dyn DecodeEvents>, request: &ChatRequest, prefix: &str) -> Box<dyn DecodeEvents> {
    Box::new(Decoder { inner, calls: RestoreCalls::new(request, prefix), read: Vec::new() })
}

struct Decoder {
    inner: Box<dyn DecodeEvents>,
    calls: RestoreCalls,
    read: Vec<Event>,
}

impl Decoder {
    fn restore(&mut self, events: &mut Vec<Event>) {
        self.read.drain(..).for_each(|event| self.calls.push(event, events));
    }
}

impl DecodeEvents for Decoder {
    fn decode(&mut self, bytes: &[u8], events: &mut Vec<Event>) -> Result<(), Error> {
        let decoded = self.inner.decode(bytes, &mut self.read);
        self.restore(events);
        decoded
    }

    fn end(&mut self, events: &mut Vec<Event>) -> Result<(), Error> {
        let ended = self.inner.end(&mut self.read);
        self.restore(events);
        ended
    }

    fn is_complete(&self) -> bool {
        self.inner.is_complete()
    }
}

/// A part in words, if it is a call or a result. Media of a result stand behind it.
fn told(part: Part) -> Vec<Part> {
    match part {
        Part::ToolCall(ToolCall { name, input, .. }) => {
            let name = serde_json::Value::from(name);
            vec![format!("{BEGIN}\n{{\"name\": {name}, \"arguments\": {}}}\n{END}", input.object()).into()]
        }
        Part::ToolResult(ToolResult { name, content, is_error, .. }) => {
            let (mut text, mut media) = (String::new(), Vec::new());
            for part in content {
                match part {
                    Part::Text(said) => text.push_str(&said.text),
                    other => media.push(other),
                }
            }
            let of = name.map(|name| format!(" of {name}")).unwrap_or_default();
            let failed = if is_error { ", which failed" } else { "" };
            let mut parts = vec![Part::from(format!("Result of the tool call{of}{failed}:\n{text}"))];
            parts.append(&mut media);
            parts
        }
        other => vec![other],
    }
}

/// What the model is told of its tools; nothing if it may call none.
fn instructions(request: &ChatRequest) -> Option<String> {
    let is_allowed = |name: &str| match &request.tool_choice {
        Some(ToolChoice::None) => false,
        Some(ToolChoice::Allowed { names, .. }) => names.iter().any(|allowed| allowed == name),
        _ => true,
    };
    let functions: Vec<&Function> = request
        .tools
        .iter()
        .filter_map(|tool| match tool {
            Tool::Function(function) if is_allowed(&function.name) => Some(function),
            _ => None,
        })
        .collect();
    if functions.is_empty() {
        return None;
    }
    let mut text = format!(
        "You can call tools. To call one, write exactly this, with the tool's name and its arguments as one JSON object, \
         and end your answer behind it:\n{BEGIN}\n{{\"name\": \"NAME\", \"arguments\": {{}}}}\n{END}\n\
         The result comes with the next message. Never write a result yourself.\n"
    );
    text.push_str(match request.parallel_tool_calls {
        Some(false) => "Call one tool at a time.\n",
        Some(true) | None => "For several calls at once, write one behind the other.\n",
    });
    let must = match &request.tool_choice {
        Some(ToolChoice::Required | ToolChoice::Allowed { required: true, .. }) => {
            "You must call at least one tool now.\n".to_owned()
        }
        Some(ToolChoice::Function(name) | ToolChoice::Custom(name)) => format!("You must call the tool {name} now.\n"),
        _ => "Where no tool is needed, answer as usual.\n".to_owned(),
    };
    text.push_str(&must);
    text.push_str("The tools:\n");
    for Function { name, description, parameters, .. } in functions {
        // Writing into a string does not fail.
        let _ = writeln!(text, "- {name}: {}", description.as_deref().unwrap_or("(not described)"));
        if let Some(schema) = parameters {
            let _ = writeln!(text, "  JSON Schema of its arguments: {schema}");
        }
    }
    Some(text)
}

/// Adds instructions to those at the beginning.
fn instruct(messages: &mut Vec<Message>, text: String) {
    match messages.first_mut() {
        Some(Message { role: Role::System | Role::Developer, parts, .. }) => parts.push(text.into()),
        _ => messages.insert(0, Message::new(Role::System, vec![text.into()])),
    }
}

/// Finds calls in the texts of an answer. Blocks are numbered anew, since a text with a call in it becomes several.
struct RestoreCalls {
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
    fn new(request: &ChatRequest, prefix: &str) -> Self {
        let names = request.tools.iter().filter_map(Tool::name).map(str::to_owned).collect();
        let prefix = prefix.to_owned();
        Self { names, prefix, calls: 0, next: 0, blocks: BTreeMap::new(), called: BTreeSet::new() }
    }

    /// Takes an event and adds what it becomes.
    fn push(&mut self, event: Event, out: &mut Vec<Event>) {
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

#[cfg(test)]
#[path = "emulation/tests.rs"]
mod tests;
