//! Tools and their choice, read and written.

use std::collections::HashSet;

use gw_core::Error;
use gw_core::chat::{BuiltIn, BuiltInTool, ChatRequest, Family, Function, Loss, Tool, ToolChoice, Unknown};
use serde_json::{Map, Value, json};

use super::thinking::Model;
use super::turns::Names;
use crate::gemini::FAMILY;
use crate::gemini::schema::{from_google, says_nothing, to_google};
use crate::gemini::wire::Object;
use crate::shared::custom;
use crate::shared::losses::Losses;
use crate::shared::search::{self, SearchOptions};

/// Asks for calls in pieces (Vertex). They are put together for nobody: calls are asked for whole.
const STREAMED_CALLS: &str = "toolConfig.functionCallingConfig.streamFunctionCallArguments";

/// Reads `tools` and `toolConfig`.
pub(super) fn read(top: &mut Object<'_>, request: &mut ChatRequest) -> Result<(), Error> {
    for mut tool in top.objects("tools")? {
        for function in tool.objects("functionDeclarations")? {
            let function = declaration(function)?;
            request.tools.push(Tool::Function(function));
        }
        for (name, value) in tool.rest()? {
            let kind = match name.as_str() {
                "googleSearch" | "googleSearchRetrieval" | "enterpriseWebSearch" => BuiltIn::WebSearch,
                "urlContext" => BuiltIn::UrlContext,
                "codeExecution" => BuiltIn::CodeExecution,
                _ => BuiltIn::Other,
            };
            let value = Value::from_iter([(name, value)]);
            request.tools.push(Tool::BuiltIn(BuiltInTool { kind, family: FAMILY, value }));
        }
    }
    let Some(mut config) = top.object("toolConfig")? else { return Ok(()) };
    if let Some(calling) = config.object("functionCallingConfig")? {
        choice(calling, request)?;
    }
    let rest = config.rest()?.into_iter().map(|(name, value)| (format!("toolConfig.{name}"), value));
    request.extra.members.extend(rest);
    Ok(())
}

/// A function, with what has no word of ours.
fn declaration(mut function: Object<'_>) -> Result<Function, Error> {
    let name = function.string("name")?.ok_or_else(|| function.wrong("name", "is required"))?;
    let description = function.string("description")?;
    let standard: Option<Value> = function.read("parametersJsonSchema", "must be a schema")?;
    let google: Option<Value> = function.read("parameters", "must be a schema")?;
    let parameters = standard.or_else(|| google.map(from_google));
    let unknown = Unknown::new(FAMILY, function.rest()?);
    Ok(Function { name, description, parameters, unknown, ..Function::default() })
}

fn choice(mut calling: Object<'_>, request: &mut ChatRequest) -> Result<(), Error> {
    let mode = calling.string("mode")?.unwrap_or_default().to_ascii_uppercase();
    let mut names: Vec<String> = calling.read("allowedFunctionNames", "must be a list of strings")?.unwrap_or_default();
    let mut rest = calling.rest()?;
    request.tool_choice = match (mode.as_str(), names.len()) {
        ("NONE", _) => Some(ToolChoice::None),
        ("ANY", 0) => Some(ToolChoice::Required),
        ("ANY", 1) => names.pop().map(ToolChoice::Function),
        ("ANY", _) => Some(ToolChoice::Allowed { required: true, names }),
        ("" | "MODE_UNSPECIFIED", 0) => None,
        (_, 0) => Some(ToolChoice::Auto),
        _ => Some(ToolChoice::Allowed { required: false, names }),
    };
    if !matches!(mode.as_str(), "" | "MODE_UNSPECIFIED" | "AUTO" | "ANY" | "NONE") {
        rest.insert("mode".to_owned(), Value::from(mode));
    }
    let prefixed = rest.into_iter().map(|(name, value)| (format!("toolConfig.functionCallingConfig.{name}"), value));
    request.extra.members.extend(prefixed);
    Ok(())
}

/// Writes `tools`; nothing if there are none.
pub(super) fn write(request: &ChatRequest, model: &str, names: &Names, losses: &mut Losses) -> Vec<Value> {
    let mut declarations = Vec::new();
    let mut tools = Vec::new();
    let allowed = allowed(request);
    let has_functions = request.tools.iter().any(|tool| !matches!(tool, Tool::BuiltIn(_)));
    let searches_beside_functions = Model::of(model).is_third();
    for tool in &request.tools {
        // The mode that calls tools as it sees fit has no list of names: only those allowed are told.
        let is_allowed = |name| allowed.as_ref().is_none_or(|names| names.contains(name));
        match tool {
            tool if !tool.name().is_none_or(is_allowed) => {}
            Tool::Function(function) => declarations.push(declare(function, names, losses)),
            Tool::Custom(custom) => {
                let (function, lost) = custom::function(custom);
                losses.extend(lost);
                declarations.push(declare(&function, names, losses));
            }
            // Google refuses both before its third generation. Who asks in Google's own words is left to Google.
            Tool::BuiltIn(tool)
                if has_functions
                    && !searches_beside_functions
                    && tool.kind == BuiltIn::WebSearch
                    && tool.family != FAMILY =>
            {
                let why = "this model does not search the web in a request that has functions";
                losses.push(Loss::dropped(search::param(tool), why));
            }
            Tool::BuiltIn(tool) => tools.extend(built_in(tool, losses)),
        }
    }
    if !declarations.is_empty() {
        tools.insert(0, json!({"functionDeclarations": declarations}));
    }
    tools
}

/// The functions that may be called, where not all of them may.
fn allowed(request: &ChatRequest) -> Option<HashSet<&str>> {
    match &request.tool_choice {
        Some(ToolChoice::Allowed { required: false, names }) => Some(names.iter().map(String::as_str).collect()),
        _ => None,
    }
}

fn declare(function: &Function, names: &Names, losses: &mut Losses) -> Value {
    if function.strict == Some(true) {
        losses.push(Loss::dropped("tools[].strict", "the provider does not enforce the schemas of functions"));
    }
    if function.cache.is_some() {
        losses.push(cache_marker());
    }
    let mut declaration = Map::from_iter([("name".to_owned(), Value::from(names.sent(&function.name)))]);
    if let Some(description) = &function.description {
        declaration.insert("description".to_owned(), Value::from(description.as_str()));
    }
    if let Some(parameters) = function.parameters.as_ref().filter(|parameters| !says_nothing(parameters)) {
        declaration.insert("parametersJsonSchema".to_owned(), to_google(parameters.clone()));
    }
    function.unknown.write(FAMILY, &mut declaration);
    Value::Object(declaration)
}

fn built_in(tool: &BuiltInTool, losses: &mut Losses) -> Option<Value> {
    if tool.family == FAMILY {
        return Some(tool.value.clone());
    }
    let (name, param) = match tool.kind {
        BuiltIn::WebSearch => ("googleSearch", search::param(tool)),
        BuiltIn::UrlContext => ("urlContext", "tools[].web_fetch"),
        BuiltIn::CodeExecution => ("codeExecution", "tools[].code_execution"),
        BuiltIn::Other => {
            losses.push(Loss::dropped("tools[].type", "a tool that only another provider has"));
            return None;
        }
    };
    if tool.kind == BuiltIn::WebSearch {
        losses.extend(SearchOptions::of(tool).lost(&[]));
    }
    if tool.family != Family::Gateway {
        losses.push(Loss::replaced(param, format!("the provider's own {name} is asked for")));
    }
    Some(json!({name: {}}))
}

/// Writes `toolConfig`.
pub(super) fn write_choice(request: &ChatRequest, names: &Names, losses: &mut Losses) -> Option<Value> {
    let choice = request.tool_choice.as_ref()?;
    if request.tools.iter().all(|tool| matches!(tool, Tool::BuiltIn(_))) {
        // The provider refuses to choose among no functions.
        if !matches!(choice, ToolChoice::Auto | ToolChoice::None) {
            losses.push(Loss::dropped("tool_choice", "there is no function to choose"));
        }
        return None;
    }
    let (mode, allowed) = match choice {
        ToolChoice::Auto | ToolChoice::Allowed { required: false, .. } => ("AUTO", Vec::new()),
        ToolChoice::None => ("NONE", Vec::new()),
        ToolChoice::Required => ("ANY", Vec::new()),
        ToolChoice::Function(name) | ToolChoice::Custom(name) => ("ANY", vec![names.sent(name)]),
        ToolChoice::Allowed { required: true, names: allowed } => {
            ("ANY", allowed.iter().map(|name| names.sent(name)).collect())
        }
    };
    let mut calling = Map::from_iter([("mode".to_owned(), Value::from(mode))]);
    if !allowed.is_empty() {
        calling.insert("allowedFunctionNames".to_owned(), json!(allowed));
    }
    Some(json!({"functionCallingConfig": calling}))
}

/// Whether a member of a client's request is kept from Google, though it is Google's.
pub(super) fn is_withheld(member: &str, losses: &mut Losses) -> bool {
    // A note of what stood in a list.
    let is_note = member.contains("[]");
    if is_note {
        losses.push(Loss::dropped(member.to_owned(), "the gateway does not carry it"));
    } else if member == STREAMED_CALLS {
        losses.push(Loss::dropped(STREAMED_CALLS, "calls come whole"));
    }
    is_note || member == STREAMED_CALLS
}

/// Google has no places up to which it is to remember.
pub(super) fn cache_marker() -> Loss {
    Loss::dropped("cache_control", "the provider remembers by itself, or by the name of a cache")
}
