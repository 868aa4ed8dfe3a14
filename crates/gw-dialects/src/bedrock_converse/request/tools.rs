//! What the model may call, and what it must.

use std::collections::HashSet;

use gw_core::chat::{BuiltIn, BuiltInTool, ChatRequest, Family, Function, OutputFormat, Tool, ToolChoice};
use serde_json::{Map, Value, json};

use super::{Writer, cache_point};
use crate::bedrock_converse::FAMILY;
use crate::bedrock_converse::model::{Model, Shaping};
use crate::chat::ToolNames;
use crate::shared::custom;
use crate::shared::ids::Rule;
use crate::shared::search::SearchOptions;

/// What Converse allows in the name of a tool.
pub(super) const NAME: Rule = Rule::word(64);
/// What Converse allows in the id of a call.
const ID: Rule = Rule { allows: |c| c.is_ascii_alphanumeric() || "_.:-".contains(c), length_max: 64 };
/// What Mistral's models allow: nine letters and digits, no more and no less.
const MISTRAL_ID: Rule = Rule { allows: |c: char| c.is_ascii_alphanumeric(), length_max: 9 };

/// The tools of a request.
pub(super) struct Tools {
    /// `toolConfig`, if there are any.
    pub(super) config: Option<Value>,
    /// Names that had to be changed. The tool whose arguments are the answer stands for no name.
    pub(super) names: ToolNames,
    /// Whether the model must call one.
    pub(super) must_call: bool,
    /// Whether the arguments of one of them are the answer.
    pub(super) shapes_answer: bool,
}

/// Writes the tools.
pub(super) fn encode(request: &ChatRequest, writer: &mut Writer<'_>) -> Tools {
    let mut names = NAME.names(request);
    let mut choice = choice(request, writer);
    // Models that cannot be told which tool to call are offered that one alone.
    let only = match &choice {
        Choice::Tool(name) if !writer.model.takes_tool_by_name() => Some(name.clone()),
        _ => None,
    };
    if only.is_some() {
        choice = Choice::Any;
    }
    let offered = |tool: &&Tool| match (&request.tool_choice, tool.name()) {
        (Some(ToolChoice::None), _) => false,
        (_, name) if only.is_some() => name.map(|name| NAME.fit(name)).as_deref() == only.as_deref(),
        (Some(ToolChoice::Allowed { names, .. }), Some(name)) => names.iter().any(|known| known == name),
        _ => true,
    };
    let mut tools = Vec::new();
    for tool in request.tools.iter().filter(offered) {
        tool_blocks(tool, &mut tools, writer);
    }
    let answer = answer_tool(request, &choice, writer.model);
    let shapes_answer = answer.is_some();
    if let Some(Answer { name, spec }) = answer {
        let is_alone = tools.is_empty() && writer.model.takes_tool_by_name();
        choice = if is_alone { Choice::Tool(name.clone()) } else { Choice::Any };
        tools.push(spec);
        names.0.push((name, String::new()));
    }
    if tools.is_empty() {
        if choice != Choice::Auto {
            writer.losses.drop("tool_choice", "there is no tool that can be offered");
        }
        return Tools { config: None, names, must_call: false, shapes_answer };
    }
    let said_elsewhere = parallel(request, &choice, shapes_answer, writer);
    let mut config = Map::from_iter([("tools".to_owned(), Value::Array(tools))]);
    if choice != Choice::Auto && !said_elsewhere {
        config.insert("toolChoice".to_owned(), choice.value());
    }
    Tools { config: Some(Value::Object(config)), names, must_call: choice != Choice::Auto, shapes_answer }
}

/// Ids of calls as they are sent. Clients repeat ids where a provider gave none; Claude refuses them.
#[derive(Debug, Default)]
pub(super) struct Calls {
    used: HashSet<String>,
    /// Calls that wait for their results: the client's id and the one that was sent.
    open: Vec<(String, String)>,
}

impl Calls {
    /// The id of a call: one of its own.
    pub(super) fn call(&mut self, id: &str, model: Model) -> String {
        let again = (2_usize..).map(|count| self::id(&format!("{id}#{count}"), model));
        let mut free = std::iter::once(self::id(id, model)).chain(again).filter(|sent| !self.used.contains(sent));
        let sent = free.next().unwrap_or_default();
        self.used.insert(sent.clone());
        self.open.push((id.to_owned(), sent.clone()));
        sent
    }

    /// The id of the call that a result belongs to.
    pub(super) fn result(&mut self, id: &str, model: Model) -> String {
        let place = self.open.iter().position(|(known, _)| known == id);
        place.map_or_else(|| self::id(id, model), |place| self.open.remove(place).1)
    }
}

/// The id of a call as it is sent: the same wherever the same id stands.
fn id(id: &str, model: Model) -> String {
    if !matches!(model, Model::Mistral { .. }) {
        return ID.fit(id).into_owned();
    }
    if id.len() == MISTRAL_ID.length_max && id.chars().all(MISTRAL_ID.allows) {
        return id.to_owned();
    }
    // Something that never fits becomes a mark of the right length.
    MISTRAL_ID.fit(&format!("{id}!")).replace('_', "c")
}

/// Which tools must be called, in Converse's words.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Choice {
    Auto,
    Any,
    Tool(String),
}

impl Choice {
    fn value(&self) -> Value {
        match self {
            Self::Auto => json!({"auto": {}}),
            Self::Any => json!({"any": {}}),
            Self::Tool(name) => json!({"tool": {"name": name}}),
        }
    }
}

/// The tool whose arguments are the answer.
struct Answer {
    name: String,
    spec: Value,
}

fn choice(request: &ChatRequest, writer: &mut Writer<'_>) -> Choice {
    let choice = match &request.tool_choice {
        None | Some(ToolChoice::Auto | ToolChoice::None | ToolChoice::Allowed { required: false, .. }) => Choice::Auto,
        Some(ToolChoice::Required | ToolChoice::Allowed { required: true, .. }) => Choice::Any,
        Some(ToolChoice::Function(name) | ToolChoice::Custom(name)) => Choice::Tool(NAME.fit(name).into_owned()),
    };
    if choice != Choice::Auto && !writer.model.takes_tool_choice() {
        writer.losses.replace("tool_choice", "the model calls tools as it sees fit");
        return Choice::Auto;
    }
    choice
}

/// Adds a tool, and the mark behind it.
fn tool_blocks(tool: &Tool, tools: &mut Vec<Value>, writer: &mut Writer<'_>) {
    match tool {
        Tool::Function(function) => {
            tools.push(function_spec(function, writer));
            if let Some(marker) = &function.cache {
                if matches!(writer.model, Model::Claude { .. } | Model::Unknown) {
                    tools.push(cache_point(marker.ttl.as_deref().filter(|ttl| *ttl == "1h")));
                } else {
                    writer.losses.drop("cache_control", "the model does not remember tools");
                }
            }
        }
        Tool::Custom(custom) => {
            let (function, lost) = custom::function(custom);
            writer.losses.extend(lost);
            tools.push(function_spec(&function, writer));
        }
        Tool::BuiltIn(built_in) => tools.extend(built_in_spec(built_in, writer)),
    }
}

fn function_spec(function: &Function, writer: &mut Writer<'_>) -> Value {
    let strict = function.strict == Some(true);
    let takes_strict = writer.model.shaping() == Shaping::Native;
    if strict && !takes_strict {
        writer.losses.drop("tools[].strict", "the model cannot be held to a schema");
    }
    let schema = parameters(function.parameters.as_ref());
    spec(NAME.fit(&function.name).as_ref(), function.description.as_deref(), schema, strict && takes_strict)
}

/// Nova's second generation has tools of its own.
fn built_in_spec(built_in: &BuiltInTool, writer: &mut Writer<'_>) -> Option<Value> {
    if built_in.family == FAMILY {
        return Some(built_in.value.clone());
    }
    let own = match (built_in.kind, writer.model) {
        (BuiltIn::WebSearch, Model::Nova { generation: 2 }) => "nova_grounding",
        (BuiltIn::CodeExecution, Model::Nova { generation: 2 }) => "nova_code_interpreter",
        _ => {
            writer.losses.drop("tools[].type", "the provider has no such tool of its own");
            return None;
        }
    };
    if built_in.kind == BuiltIn::WebSearch {
        writer.losses.extend(SearchOptions::of(built_in).lost(&[]));
    }
    if built_in.family != Family::Gateway {
        writer.losses.replace("tools[].type", "the provider's own tool of that kind is offered");
    }
    Some(json!({"systemTool": {"name": own}}))
}

fn answer_tool(request: &ChatRequest, choice: &Choice, model: Model) -> Option<Answer> {
    let OutputFormat::Schema(output) = &request.output else { return None };
    // Who must call a tool gives no answer in this turn.
    let is_wanted = *choice == Choice::Auto && model.shaping() == Shaping::Tool;
    if !is_wanted || output.schema.get("type").is_none_or(|kind| kind != "object") {
        return None;
    }
    let wish = NAME.fit(output.name.as_deref().unwrap_or("answer"));
    let is_taken = |name: &str| request.tools.iter().filter_map(Tool::name).any(|other| NAME.fit(other) == name);
    let name = if is_taken(&wish) { NAME.fit(&format!("answer {wish}")).into_owned() } else { wish.into_owned() };
    let about = output.description.as_deref().filter(|about| !about.trim().is_empty());
    let about = about.unwrap_or("Give the answer to the user by calling this tool.");
    let spec = spec(&name, Some(about), output.schema.clone(), false);
    Some(Answer { name, spec })
}

fn spec(name: &str, description: Option<&str>, schema: Value, strict: bool) -> Value {
    let mut spec = Map::from_iter([("name".to_owned(), Value::from(name))]);
    if let Some(description) = description.filter(|description| !description.trim().is_empty()) {
        spec.insert("description".to_owned(), Value::from(description));
    }
    spec.insert("inputSchema".to_owned(), Value::from_iter([("json", schema)]));
    if strict {
        spec.insert("strict".to_owned(), Value::Bool(true));
    }
    json!({"toolSpec": spec})
}

/// A schema whose root is an object, which Converse wants.
fn parameters(schema: Option<&Value>) -> Value {
    match schema {
        Some(Value::Object(schema)) if schema.get("type").is_some_and(|kind| kind == "object") => {
            Value::Object(schema.clone())
        }
        Some(Value::Object(schema)) if !schema.is_empty() => {
            let mut typed = Map::from_iter([("type".to_owned(), Value::from("object"))]);
            typed.extend(schema.clone().into_iter().filter(|(name, _)| name != "type"));
            Value::Object(typed)
        }
        _ => json!({"type": "object", "properties": {}}),
    }
}

/// Says that one call at most may be made, where the model's maker has a word for it. That word stands in the choice of
/// the maker's format, which is said there as a whole then: whether it was.
fn parallel(request: &ChatRequest, choice: &Choice, shapes_answer: bool, writer: &mut Writer<'_>) -> bool {
    if request.parallel_tool_calls != Some(false) || (shapes_answer && request.tools.is_empty()) {
        return false;
    }
    if !writer.model.is_claude_from((4, 5)) {
        writer.losses.drop("parallel_tool_calls", "the model may call several tools at once");
        return false;
    }
    let said = match choice {
        Choice::Auto => json!({"type": "auto", "disable_parallel_tool_use": true}),
        Choice::Any => json!({"type": "any", "disable_parallel_tool_use": true}),
        Choice::Tool(name) => json!({"type": "tool", "name": name, "disable_parallel_tool_use": true}),
    };
    writer.settings.additional.insert("tool_choice".to_owned(), said);
    true
}
