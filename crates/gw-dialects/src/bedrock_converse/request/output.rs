//! The shape of the answer.

use gw_core::chat::{ChatRequest, OutputFormat, OutputSchema};
use serde_json::{Map, Value, json};

use super::tools::{NAME, Tools};
use super::{Writer, schema};
use crate::bedrock_converse::model::{Model, Shaping};

/// Says what shape the answer has. What is given back is an instruction, where there is no other way.
pub(super) fn encode(request: &ChatRequest, tools: &Tools, writer: &mut Writer<'_>) -> Option<Value> {
    let instruction = match &request.output {
        OutputFormat::Text => return None,
        OutputFormat::Json => "Answer with one JSON object and nothing else.".to_owned(),
        OutputFormat::Schema(_) if tools.shapes_answer => return None,
        OutputFormat::Schema(output) if writer.model.shaping() == Shaping::Native => {
            let format = native(output, writer);
            writer.settings.output.insert("textFormat".to_owned(), format);
            return None;
        }
        // The turn is a call of a tool, and has no answer to be shaped.
        OutputFormat::Schema(_) if tools.must_call => return None,
        OutputFormat::Schema(output) => {
            format!("Answer with JSON that this JSON Schema allows, and with nothing else:\n{}", output.schema)
        }
    };
    writer.losses.replace("response_format", "the model is asked for JSON, and not held to it");
    Some(json!({"text": instruction}))
}

/// Converse's own words: the schema is a text.
fn native(output: &OutputSchema, writer: &mut Writer<'_>) -> Value {
    let mut schema = output.schema.clone();
    if schema::close(&mut schema) {
        writer.losses.replace("response_format", "objects of the schema that were open are closed");
    }
    if matches!(writer.model, Model::Claude { .. }) && schema::tell_limits(&mut schema) {
        writer.losses.replace("response_format", "limits that the model cannot be held to are told it in words");
    }
    let mut definition = Map::from_iter([("schema".to_owned(), Value::from(schema.to_string()))]);
    if let Some(name) = &output.name {
        definition.insert("name".to_owned(), Value::from(NAME.fit(name)));
    }
    if let Some(description) = output.description.as_ref().filter(|description| !description.trim().is_empty()) {
        definition.insert("description".to_owned(), Value::from(description.as_str()));
    }
    json!({"type": "json_schema", "structure": {"jsonSchema": definition}})
}
