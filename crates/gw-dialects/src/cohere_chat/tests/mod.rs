//! Requests, answers, streams and refusals as Cohere writes them.

mod answer;
mod request;

use gw_core::chat::{Part, ToolCall, ToolInput};

fn call(id: &str, name: &str, json: &str) -> Part {
    let input = ToolInput::Json(json.to_owned());
    Part::ToolCall(ToolCall { id: id.to_owned(), name: name.to_owned(), input, ..ToolCall::default() })
}
