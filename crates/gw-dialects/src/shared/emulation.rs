//! Tools for models that know none: they are described in the instructions, calls and results of the conversation are told
//! as text, and what the model writes in the form that it was asked for is given back as calls.

mod restore;

use std::fmt::Write as _;

use gw_core::Error;
use gw_core::chat::{
    ChatAnswer, ChatRequest, Collector, Event, Function, Loss, Message, Part, Role, Tool, ToolCall, ToolChoice,
    ToolResult,
};

use crate::chat::DecodeEvents;
use crate::shared::custom;
use restore::RestoreCalls;

/// What a call stands between. Models that were trained with tools know these words.
const BEGIN: &str = "<tool_call>";
const END: &str = "</tool_call>";

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

#[cfg(test)]
#[path = "emulation/tests.rs"]
mod tests;
