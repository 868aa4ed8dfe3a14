//! Custom tools, which take free text, where a provider has functions only: each is sent as a function with one text,
//! and what the model calls is given back as the text that the client waits for.

use std::collections::{BTreeMap, HashSet};

use gw_core::chat::{
    Block, ChatAnswer, ChatRequest, CustomTool, Delta, Event, Function, Loss, Part, Tool, ToolChoice, ToolInput,
};
use serde::Deserialize;
use serde_json::{Value, json};

/// The one argument of the function. [`ToolInput::object`] writes the calls of a conversation so.
const FREE_TEXT: &str = "input";

/// Bytes of a call's arguments that are held, at most. Those of a call that is longer stay as they come.
const HELD_MAX: usize = 16 << 20;

/// The function that stands for a custom tool, and what is lost by that.
pub fn function(custom: &CustomTool) -> (Function, Vec<Loss>) {
    let mut losses = vec![Loss::replaced("tools[].custom", "sent as a function with one text, `input`")];
    let mut description = custom.description.clone();
    if let Some(format) = custom.format.as_ref().filter(|format| format.get("type").is_none_or(|kind| kind != "text")) {
        losses.push(Loss::replaced("tools[].custom.format", "the text's grammar is told in the tool's description"));
        let about = description.get_or_insert_default();
        if !about.is_empty() {
            about.push_str("\n\n");
        }
        about.push_str("The text must follow this format: ");
        about.push_str(&told(format));
    }
    let parameters = json!({"type": "object", "properties": {FREE_TEXT: {"type": "string"}}, "required": [FREE_TEXT]});
    let function =
        Function { name: custom.name.clone(), description, parameters: Some(parameters), ..Function::default() };
    (function, losses)
}

/// A format in words: a grammar as it is written, and all else as JSON.
fn told(format: &Value) -> String {
    match (format["syntax"].as_str(), format["definition"].as_str()) {
        (syntax, Some(definition)) => format!("the {} grammar\n{definition}", syntax.unwrap_or("following")),
        (_, None) => format.to_string(),
    }
}

/// The whole request with functions for its custom tools, and what is lost by that; `None` if it has none.
pub fn as_functions(request: &ChatRequest) -> Option<(ChatRequest, Vec<Loss>)> {
    let is_custom = |tool: &Tool| matches!(tool, Tool::Custom(_));
    let mut parts = request.messages.iter().flat_map(|message| &message.parts);
    let was_called = parts.any(|part| matches!(part, Part::ToolCall(call) if matches!(call.input, ToolInput::Text(_))));
    if !was_called && !request.tools.iter().any(is_custom) {
        return None;
    }
    let (mut request, mut losses) = (request.clone(), Vec::new());
    for tool in &mut request.tools {
        if let Tool::Custom(custom) = tool {
            let (function, lost) = function(custom);
            losses.extend(lost);
            *tool = Tool::Function(function);
        }
    }
    if let Some(ToolChoice::Custom(name)) = &mut request.tool_choice {
        request.tool_choice = Some(ToolChoice::Function(std::mem::take(name)));
    }
    if was_called {
        losses
            .push(Loss::replaced("messages[].tool_calls[].custom", "sent as a function's call with one text, `input`"));
    }
    for part in request.messages.iter_mut().flat_map(|message| &mut message.parts) {
        match part {
            Part::ToolCall(call) if matches!(call.input, ToolInput::Text(_)) => {
                call.input = ToolInput::Json(call.input.object());
            }
            Part::ToolResult(result) => result.is_custom = false,
            _ => {}
        }
    }
    Some((request, losses))
}

/// Gives the calls of the request's custom tools back as text, wherever they came as functions'.
pub fn restore_answer(answer: &mut ChatAnswer, request: &ChatRequest) {
    let names = names(request);
    if names.is_empty() {
        return;
    }
    for part in answer.candidates.iter_mut().flat_map(|candidate| &mut candidate.parts) {
        if let Part::ToolCall(call) = part
            && names.contains(call.name.as_str())
            && let ToolInput::Json(json) = &mut call.input
        {
            call.input = ToolInput::Text(text(std::mem::take(json)));
        }
    }
}

/// Does so in a stream, between its decoder and its encoder: the arguments of such a call are held until they are whole.
#[derive(Debug, Default)]
pub struct RestoreCustom {
    names: HashSet<String>,
    /// What came of the calls that are open, by the numbers of their blocks.
    held: BTreeMap<u32, String>,
}

impl RestoreCustom {
    /// For the answer to a request.
    pub fn new(request: &ChatRequest) -> Self {
        Self { names: names(request).into_iter().map(str::to_owned).collect(), held: BTreeMap::new() }
    }

    /// Takes an event and adds what it becomes.
    pub fn push(&mut self, mut event: Event, out: &mut Vec<Event>) {
        match &mut event {
            Event::BlockStart { index, block: Block::ToolCall { name, is_custom, .. }, .. }
                if !*is_custom && self.names.contains(name) =>
            {
                *is_custom = true;
                self.held.insert(*index, String::new());
            }
            Event::Delta { index, delta: Delta::Text(more) } => {
                if let Some(held) = self.held.get_mut(index) {
                    held.push_str(more);
                    if held.len() <= HELD_MAX {
                        return;
                    }
                    *more = self.held.remove(index).unwrap_or_default();
                }
            }
            Event::BlockStop { index } => {
                let index = *index;
                let text = self.held.remove(&index).map(text).filter(|text| !text.is_empty());
                out.extend(text.map(|text| Event::Delta { index, delta: Delta::Text(text) }));
            }
            _ => {}
        }
        out.push(event);
    }
}

fn names(request: &ChatRequest) -> HashSet<&str> {
    let names = request.tools.iter().filter_map(|tool| match tool {
        Tool::Custom(custom) => Some(custom.name.as_str()),
        _ => None,
    });
    names.collect()
}

/// The text in the arguments of a function that stands for a custom tool. Of a model that keeps to something else, all
/// that it wrote.
fn text(arguments: String) -> String {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Arguments {
        input: String,
    }
    if let Ok(Arguments { input }) = serde_json::from_str(&arguments) {
        return input;
    }
    match serde_json::from_str(&arguments) {
        // A call without arguments.
        Ok(Value::Object(members)) if members.is_empty() => String::new(),
        // A text without the object around it.
        Ok(Value::String(text)) => text,
        _ => arguments,
    }
}

#[cfg(test)]
mod tests {
    use gw_core::chat::event::check;
    use gw_core::chat::{Candidate, Collector, Finish, FinishReason, Message, Role, ToolCall, ToolResult};

    use super::*;

    fn request() -> ChatRequest {
        let custom = CustomTool { name: "patch".to_owned(), ..CustomTool::default() };
        let function = Function { name: "f".to_owned(), ..Function::default() };
        ChatRequest { tools: vec![Tool::Custom(custom), Tool::Function(function)], ..ChatRequest::default() }
    }

    fn call(name: &str, input: ToolInput) -> Part {
        Part::ToolCall(ToolCall { id: "c".to_owned(), name: name.to_owned(), input, ..ToolCall::default() })
    }

    fn answer(parts: Vec<Part>) -> ChatAnswer {
        let finish = Finish::new(FinishReason::ToolCalls, "tool_use");
        ChatAnswer { candidates: vec![Candidate { parts, finish, logprobs: None }], ..ChatAnswer::default() }
    }

    /// The answer, restored whole and in pieces of three bytes.
    fn restored(parts: Vec<Part>) -> [ChatAnswer; 2] {
        let mut whole = answer(parts);
        let (mut restore, mut events) = (RestoreCustom::new(&request()), Vec::new());
        for event in whole.clone().into_events() {
            let Event::Delta { index, delta: Delta::Text(text) } = event else {
                restore.push(event, &mut events);
                continue;
            };
            for piece in text.as_bytes().chunks(3) {
                let delta = Delta::Text(String::from_utf8(piece.to_vec()).unwrap());
                restore.push(Event::Delta { index, delta }, &mut events);
            }
        }
        assert_eq!(check(&events), None);
        let mut collector = Collector::default();
        events.into_iter().for_each(|event| collector.push(event));
        restore_answer(&mut whole, &request());
        [whole, collector.into_answer()]
    }

    #[test]
    fn a_call_of_a_custom_tool_comes_back_as_its_text_and_others_as_they_are() {
        let json = |text: &str| ToolInput::Json(text.to_owned());
        let text = |text: &str| ToolInput::Text(text.to_owned());
        for (sent, given) in [
            (json(r#"{"input":"a \"b\"\n"}"#), text("a \"b\"\n")),
            (json("{}"), text("")),
            (json(r#""bare""#), text("bare")),
            (json(r#"{"input":1}"#), text(r#"{"input":1}"#)),
            (json(r#"{"input":"a","more":1}"#), text(r#"{"input":"a","more":1}"#)),
            (json(r#"{"input":"#), text(r#"{"input":"#)),
            (text(r#"{"input":"kept"}"#), text(r#"{"input":"kept"}"#)),
        ] {
            let other = call("f", json(r#"{"input":"a"}"#));
            let expected = answer(vec!["Now.".into(), call("patch", given), other.clone()]);
            for restored in restored(vec!["Now.".into(), call("patch", sent), other]) {
                assert_eq!(restored, expected);
            }
        }
    }

    #[test]
    fn a_call_that_is_too_long_to_be_held_comes_through_as_it_is() {
        let (mut restore, mut events) = (RestoreCustom::new(&request()), Vec::new());
        let block = Block::ToolCall { id: "c".to_owned(), name: "patch".to_owned(), is_custom: false };
        restore.push(Event::BlockStart { index: 0, candidate: 0, block }, &mut events);
        for _ in 0..3 {
            let delta = Delta::Text("x".repeat(HELD_MAX / 2 + 1));
            restore.push(Event::Delta { index: 0, delta }, &mut events);
        }
        restore.push(Event::BlockStop { index: 0 }, &mut events);
        let told = events.iter().map(|event| match event {
            Event::Delta { delta: Delta::Text(text), .. } => text.len(),
            _ => 0,
        });
        assert_eq!(told.sum::<usize>(), 3 * (HELD_MAX / 2 + 1));
    }

    #[test]
    fn a_request_for_functions_only_has_no_custom_tools_left() {
        let result = ToolResult { call_id: "c".to_owned(), is_custom: true, ..ToolResult::default() };
        let asked = ChatRequest {
            tool_choice: Some(ToolChoice::Custom("patch".to_owned())),
            messages: vec![
                Message::new(Role::Assistant, vec![call("patch", ToolInput::Text("x".to_owned()))]),
                Message::new(Role::User, vec![Part::ToolResult(result)]),
            ],
            ..request()
        };
        let (sent, losses) = as_functions(&asked).unwrap();
        assert_eq!(sent.messages[0].parts, [call("patch", ToolInput::Json(r#"{"input":"x"}"#.to_owned()))]);
        assert_eq!(sent.tool_choice, Some(ToolChoice::Function("patch".to_owned())));
        assert!(sent.tools.iter().all(|tool| matches!(tool, Tool::Function(_))));
        assert!(losses.iter().all(|loss| !loss.is_dropped()) && losses.len() == 2, "{losses:?}");
        assert_eq!(as_functions(&sent), None);
    }
}
