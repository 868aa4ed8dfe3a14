//! Tools as both dialects write them, which is as OpenAI does.

use std::borrow::Cow;

use gw_core::chat::{ChatRequest, Family, Tool, ToolChoice};
use serde_json::{Map, Value, json};

use crate::shared::custom;
use crate::shared::ids::Rule;
use crate::shared::losses::Losses;

/// The tools that the request's choice leaves to the model. Neither dialect can name them in the choice itself.
pub(crate) fn allowed(request: &ChatRequest) -> impl Iterator<Item = &Tool> {
    let choice = request.tool_choice.as_ref();
    request.tools.iter().filter(move |tool| match (choice, tool.name()) {
        (Some(ToolChoice::Function(only) | ToolChoice::Custom(only)), name) => name == Some(only),
        (Some(ToolChoice::Allowed { names, .. }), Some(name)) => names.iter().any(|allowed| allowed == name),
        (Some(ToolChoice::Allowed { .. }), None) => false,
        _ => true,
    })
}

/// Writes a tool, under a name that keeps to the rule.
pub(crate) fn encode(tool: &Tool, family: Family, rule: Option<Rule>, losses: &mut Losses) -> Option<Value> {
    let tool = match tool {
        Tool::Function(function) => Cow::Borrowed(function),
        Tool::Custom(custom) => {
            let (function, lost) = custom::function(custom);
            losses.extend(lost);
            Cow::Owned(function)
        }
        Tool::BuiltIn(built_in) if built_in.family == family => return Some(built_in.value.clone()),
        Tool::BuiltIn(_) => {
            losses.drop("tools[].type", "the provider runs no tools of its own here");
            return None;
        }
    };
    let mut function = Map::new();
    let name = rule.map_or(Cow::Borrowed(tool.name.as_str()), |rule| rule.fit(&tool.name));
    function.insert("name".to_owned(), name.into());
    if let Some(description) = &tool.description {
        function.insert("description".to_owned(), description.as_str().into());
    }
    // Not optional here; one that says nothing is not taken as that of an object.
    let given = tool.parameters.clone().filter(|schema| schema.as_object().is_some_and(|schema| !schema.is_empty()));
    let parameters = given.unwrap_or_else(|| json!({"type": "object", "properties": {}}));
    function.insert("parameters".to_owned(), parameters);
    Some(json!({"type": "function", "function": function}))
}
