//! Tool calls: which of the offered functions is called, and with what.

use std::sync::Arc;

use serde_json::Value;

use super::instance::instance;
use super::problem::Problem;
use super::request::{ChatRequest, Function, ToolChoice, ToolMode};

/// More functions than this are not called at once.
const CALLS_MAX: usize = 4;

/// A call of a function.
#[derive(Debug, Clone)]
pub(super) struct Call {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) arguments: Arc<str>,
}

/// The calls that answer a request; none if it is to be answered in words.
///
/// Without a word from the request, one function is called, the first, and only if the last message is not a result
/// already. `parallel_tool_calls: true` calls the others too.
pub(super) fn calls(request: &ChatRequest) -> Result<Vec<Call>, Problem> {
    let tools = request.tools.as_deref().unwrap_or_default();
    let offered: Vec<&Function> = tools.iter().filter_map(|tool| tool.function.as_ref()).collect();
    let answered = request.messages.last().is_some_and(|message| message.role == "tool");
    match &request.tool_choice {
        Some(ToolChoice::Mode(ToolMode::None)) => Ok(Vec::new()),
        Some(ToolChoice::Mode(ToolMode::Required)) if offered.is_empty() => {
            Err(Problem::invalid_field("tool_choice", "tool_choice is only allowed when tools are specified."))
        }
        Some(ToolChoice::Mode(ToolMode::Required)) => Ok(offered_calls(request, &offered)),
        Some(ToolChoice::Object { function: Some(named) }) => named_call(&named.name, &offered),
        None | Some(ToolChoice::Mode(ToolMode::Auto) | ToolChoice::Object { function: None }) => {
            Ok(if answered { Vec::new() } else { offered_calls(request, &offered) })
        }
    }
}

fn named_call(name: &str, offered: &[&Function]) -> Result<Vec<Call>, Problem> {
    let Some(named) = offered.iter().find(|function| function.name == name) else {
        let message = format!("Tool choice '{name}' not found in 'tools' parameter.");
        return Err(Problem::invalid_field("tool_choice", message));
    };
    Ok(vec![call(0, named)])
}

fn offered_calls(request: &ChatRequest, offered: &[&Function]) -> Vec<Call> {
    let count = if request.parallel_tool_calls == Some(true) { CALLS_MAX } else { 1 };
    offered.iter().take(count).enumerate().map(|(index, function)| call(index, function)).collect()
}

fn call(index: usize, function: &Function) -> Call {
    let arguments = match &function.parameters {
        Some(schema @ Value::Object(_)) => instance(schema).to_string(),
        _ => "{}".to_owned(),
    };
    let id = format!("call_sandbox_{index}");
    Call { id, name: function.name.clone(), arguments: arguments.into() }
}
