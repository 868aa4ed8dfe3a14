//! Which tools must be called, and an answer in JSON, which for some models is a tool that must be called.

use gw_core::chat::{ChatRequest, Loss, OutputFormat, OutputSchema, ToolChoice};
use serde_json::{Map, Value, json};

use super::super::models::Model;
use super::super::{ANSWER_TOOL, schema};
use super::tools;
use crate::shared::losses::Losses;

/// What is said of tools and of the shape of the answer.
#[derive(Debug, Default)]
pub(super) struct Calls {
    pub(super) tools: Vec<Value>,
    pub(super) choice: Choice,
    /// `output_config.format`.
    pub(super) format: Option<Value>,
    /// What the instructions say besides.
    pub(super) instruction: Option<String>,
    /// The tool whose call is the answer.
    pub(super) answer_tool: Option<String>,
}

/// Which tools must be called.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) enum Choice {
    /// Nothing is said.
    #[default]
    Unsaid,
    Auto,
    None,
    Any,
    Tool(String),
}

impl Choice {
    /// Whether a call is forced, which does not go together with thinking.
    pub(super) fn is_forced(&self) -> bool {
        matches!(self, Self::Any | Self::Tool(_))
    }

    /// As it is written.
    pub(super) fn write(&self, parallel: Option<bool>) -> Option<Value> {
        let alone = parallel == Some(false);
        let mut choice = match self {
            Self::Unsaid if !alone => return None,
            Self::Unsaid | Self::Auto => json!({"type": "auto"}),
            Self::None => return Some(json!({"type": "none"})),
            Self::Any => json!({"type": "any"}),
            Self::Tool(name) => json!({"type": "tool", "name": name}),
        };
        if alone {
            choice["disable_parallel_tool_use"] = Value::Bool(true);
        }
        Some(choice)
    }
}

/// What is said of tools and of the shape of the answer.
pub(super) fn plan(request: &ChatRequest, model: Model, losses: &mut Losses) -> Calls {
    let mut calls = Calls { tools: tools::write(request, model, losses), ..Calls::default() };
    calls.choice = choice(request, calls.tools.is_empty(), losses);
    match &request.output {
        OutputFormat::Text => {}
        OutputFormat::Json => {
            losses.push(Loss::replaced("response_format", "the model is told to answer in JSON; nothing enforces it"));
            calls.instruction =
                Some("Answer with one JSON object and nothing else: no prose, no code fence.".to_owned());
        }
        OutputFormat::Schema(schema) => schema_answer(schema, model, &mut calls, losses),
    }
    calls
}

fn choice(request: &ChatRequest, no_tools: bool, losses: &mut Losses) -> Choice {
    if no_tools {
        if matches!(&request.tool_choice, Some(choice) if !matches!(choice, ToolChoice::Auto | ToolChoice::None)) {
            losses.push(Loss::dropped("tool_choice", "there is no tool that could be called"));
        }
        return Choice::Unsaid;
    }
    // Tools that are declared only because they were called before may not be called again.
    if request.tools.is_empty() {
        return Choice::None;
    }
    match &request.tool_choice {
        None => Choice::Unsaid,
        Some(ToolChoice::Auto | ToolChoice::Allowed { required: false, .. }) => Choice::Auto,
        Some(ToolChoice::None) => Choice::None,
        Some(ToolChoice::Required | ToolChoice::Allowed { required: true, .. }) => Choice::Any,
        Some(ToolChoice::Function(name) | ToolChoice::Custom(name)) => Choice::Tool(tools::fit(name)),
    }
}

fn schema_answer(output: &OutputSchema, model: Model, calls: &mut Calls, losses: &mut Losses) {
    let subset = schema::subset(&output.schema);
    if model.keeps_schema() {
        if subset.is_weaker {
            losses.push(Loss::replaced("response_format", "what cannot be enforced is told in descriptions"));
        }
        calls.format = Some(json!({"type": "json_schema", "schema": subset.schema}));
        return;
    }
    let is_object = output.schema.get("type").is_some_and(|kind| kind == "object");
    // A tool that the client forces comes first: its result, and then the answer.
    if !is_object || calls.choice.is_forced() {
        losses.push(Loss::replaced("response_format", "the model is told the schema; nothing enforces it"));
        calls.instruction =
            Some(format!("Answer with JSON of this schema and nothing else, without a code fence: {}", output.schema));
        return;
    }
    losses.push(Loss::replaced(
        "response_format",
        "the model does not enforce schemas; a forced tool call stands for it",
    ));
    let name = free_name(&calls.tools);
    let about = output.description.as_deref().unwrap_or("Gives the answer. Call it with the whole answer.");
    let tool = Map::from_iter([
        ("name".to_owned(), Value::from(name.as_str())),
        ("description".to_owned(), Value::from(about)),
        ("input_schema".to_owned(), schema::arguments(Some(&output.schema))),
    ]);
    let others = !calls.tools.is_empty() && calls.choice != Choice::None;
    calls.choice = if others { Choice::Any } else { Choice::Tool(name.clone()) };
    calls.tools.push(Value::Object(tool));
    calls.answer_tool = Some(name);
}

/// A name that no tool has.
fn free_name(tools: &[Value]) -> String {
    let mut name = ANSWER_TOOL.to_owned();
    while tools.iter().any(|tool| tool.get("name").is_some_and(|taken| *taken == name)) {
        name.push('_');
    }
    name
}
