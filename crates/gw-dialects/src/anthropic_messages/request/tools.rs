//! Tools, read and written.

use std::collections::BTreeSet;

use gw_core::Error;
use gw_core::chat::{BuiltIn, BuiltInTool, ChatRequest, Family, Function, Loss, Part, Tool, ToolChoice};
use serde_json::{Map, Value, json};

use super::super::models::Model;
use super::super::wire::{Reader, mark};
use super::super::{FAMILY, ID_LENGTH_MAX, schema};
use crate::shared::custom;
use crate::shared::ids::Rule;
use crate::shared::losses::Losses;
use crate::shared::search::{self, SearchOptions};

/// Members of a tool of the application's that have a word of their own.
const KNOWN: [&str; 6] = ["type", "name", "description", "input_schema", "strict", "cache_control"];

/// Begins the names under which other members of tools are kept: by tool, since [`Function`] has no place for them.
pub(super) const OF_TOOLS: &str = "tools[].";

/// A tool as an application wrote it.
pub(super) fn read(tool: &Reader<'_>, extra: &mut Map<String, Value>) -> Result<Tool, Error> {
    let kind = tool.string("type")?.unwrap_or_else(|| "custom".to_owned());
    if kind != "custom" {
        return Ok(Tool::BuiltIn(BuiltInTool { kind: built_in(&kind), family: FAMILY, value: tool.whole()? }));
    }
    let name: String = tool.need("name", "a string")?;
    for (member, value) in tool.rest(&KNOWN)? {
        let by_tool = extra.entry(format!("{OF_TOOLS}{member}")).or_insert_with(|| Value::Object(Map::new()));
        by_tool[name.as_str()] = value;
    }
    let parameters: Option<Map<String, Value>> = tool.read("input_schema", "an object")?;
    Ok(Tool::Function(Function {
        name,
        description: tool.string("description")?,
        parameters: parameters.map(Value::Object),
        strict: tool.read("strict", "true or false")?,
        cache: tool.cache()?,
        ..Function::default()
    }))
}

fn built_in(kind: &str) -> BuiltIn {
    let of = |prefix| kind.starts_with(prefix);
    match () {
        () if of("web_search") => BuiltIn::WebSearch,
        () if of("web_fetch") => BuiltIn::UrlContext,
        () if of("code_execution") => BuiltIn::CodeExecution,
        () => BuiltIn::Other,
    }
}

/// The tools as Anthropic wants them.
pub(super) fn write(request: &ChatRequest, model: Model, losses: &mut Losses) -> Vec<Value> {
    let allowed = |tool: &&Tool| match (&request.tool_choice, tool.name()) {
        // Anthropic has no choice among some: the others are not told of.
        (Some(ToolChoice::Allowed { names, .. }), Some(name)) => names.iter().any(|allowed| allowed == name),
        _ => true,
    };
    let tools = request.tools.iter().filter(allowed);
    let written: Vec<Value> = tools.filter_map(|tool| write_one(tool, request, model, losses)).collect();
    if written.is_empty() && request.tools.is_empty() { called_before(request) } else { written }
}

fn write_one(tool: &Tool, request: &ChatRequest, model: Model, losses: &mut Losses) -> Option<Value> {
    match tool {
        Tool::Function(function) => Some(write_function(function, request, model, losses)),
        Tool::Custom(custom) => {
            let (function, lost) = custom::function(custom);
            losses.extend(lost);
            Some(write_function(&function, request, model, losses))
        }
        Tool::BuiltIn(tool) if tool.family == FAMILY => Some(tool.value.clone()),
        Tool::BuiltIn(tool @ BuiltInTool { kind: BuiltIn::WebSearch, .. }) => Some(write_search(tool, model, losses)),
        Tool::BuiltIn(_) => {
            losses.push(Loss::dropped("tools[].type", "a tool of another vendor's that Anthropic does not run"));
            None
        }
    }
}

/// Another's search of the web, as Anthropic's.
fn write_search(tool: &BuiltInTool, model: Model, losses: &mut Losses) -> Value {
    const SAID: [&str; 4] = [search::PLACE, search::ALLOWED, search::BLOCKED, search::USES_MAX];
    let options = SearchOptions::of(tool);
    if tool.family != Family::Gateway {
        losses.push(Loss::replaced(search::param(tool), "sent as Anthropic's search of the web"));
    }
    losses.extend(options.lost(&SAID));
    let mut written = json!({"type": model.web_search(), "name": "web_search"});
    for name in SAID {
        if let Some(value) = options.get(name) {
            written[name] = value.clone();
        }
    }
    written
}

fn write_function(function: &Function, request: &ChatRequest, model: Model, losses: &mut Losses) -> Value {
    let mut input = schema::arguments(function.parameters.as_ref());
    let mut tool = named(&function.name, function.description.as_deref());
    match function.strict {
        Some(true) if model.keeps_schema() => {
            let subset = schema::subset(&input);
            if subset.is_weaker {
                losses.push(Loss::replaced("tools[].strict", "what cannot be enforced is told in descriptions"));
            }
            input = subset.schema;
            tool.insert("strict".to_owned(), Value::Bool(true));
        }
        Some(true) => losses.push(Loss::dropped("tools[].strict", "the model does not enforce schemas")),
        Some(false) | None => {}
    }
    tool.insert("input_schema".to_owned(), input);
    mark(&mut tool, function.cache.as_ref());
    if request.extra.family == FAMILY {
        let members = request.extra.members.iter();
        let own =
            members.filter_map(|(key, by_tool)| Some((key.strip_prefix(OF_TOOLS)?, by_tool.get(&function.name)?)));
        tool.extend(own.map(|(name, value)| (name.to_owned(), value.clone())));
    }
    Value::Object(tool)
}

fn named(name: &str, description: Option<&str>) -> Map<String, Value> {
    let mut tool = Map::from_iter([("name".to_owned(), Value::from(fit(name)))]);
    tool.extend(description.map(|about| ("description".to_owned(), Value::from(about))));
    tool
}

/// Anthropic wants the tools that a conversation has used to be declared, even if none may be called any more.
fn called_before(request: &ChatRequest) -> Vec<Value> {
    let parts = request.messages.iter().flat_map(|message| &message.parts);
    let names: BTreeSet<&str> = parts
        .filter_map(|part| match part {
            Part::ToolCall(call) => Some(call.name.as_str()),
            _ => None,
        })
        .collect();
    let declared = |name: &str| json!({"name": fit(name), "input_schema": schema::arguments(None)});
    names.into_iter().map(declared).collect()
}

/// A name or an id as Anthropic allows it.
pub(super) fn fit(name: &str) -> String {
    Rule::word(ID_LENGTH_MAX).fit(name).into_owned()
}

/// Whether members of this family may be passed on.
pub(super) fn is_own(family: Family) -> bool {
    family == FAMILY
}
