//! What the tests of requests share.

mod read;
mod write;

use gw_core::chat::{ChatRequest, Function, Message, Part, Role, Tool, ToolCall, ToolInput, ToolResult};
use serde_json::Value;

use crate::chat::{Egress, Encoded, Ingress, RequestLine, Target};
use crate::gemini::Gemini;

fn decoded(body: &Value) -> ChatRequest {
    let line = RequestLine { model: Some("gemini-3-pro-preview"), stream: Some(true), headers: None };
    Gemini.decode_request(&line, body.to_string().as_bytes()).unwrap()
}

fn sent_to(request: &ChatRequest, model: &str) -> (Value, Encoded) {
    let encoded = Gemini.encode_request(request, &Target { model, provider: "google", stream: false }).unwrap();
    (serde_json::from_slice(&encoded.body).unwrap(), encoded)
}

fn sent(request: &ChatRequest) -> Value {
    sent_to(request, "gemini-2.5-flash").0
}

fn lost(encoded: &Encoded) -> Vec<&str> {
    encoded.losses.iter().map(|loss| loss.param.as_ref()).collect()
}

fn asked(messages: Vec<Message>) -> ChatRequest {
    ChatRequest { messages, ..ChatRequest::default() }
}

fn user(parts: Vec<Part>) -> Message {
    Message::new(Role::User, parts)
}

fn call(id: &str, name: &str, input: &str) -> Part {
    let input = ToolInput::Json(input.to_owned());
    Part::ToolCall(ToolCall { id: id.to_owned(), name: name.to_owned(), input, ..ToolCall::default() })
}

fn result(id: &str, text: &str) -> Part {
    Part::ToolResult(ToolResult { call_id: id.to_owned(), content: vec![text.into()], ..ToolResult::default() })
}

fn function(name: &str, parameters: Value) -> Tool {
    Tool::Function(Function { name: name.to_owned(), parameters: Some(parameters), ..Function::default() })
}
