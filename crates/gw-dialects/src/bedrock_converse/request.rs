//! A request as Converse wants it. [`content`] writes the conversation, [`media`] pictures and files, [`tools`] what may be
//! called, [`output`] and [`schema`] the shape of the answer, [`thinking`] how the model thinks, [`params`] the rest.

mod content;
mod media;
mod output;
mod params;
mod schema;
mod thinking;
mod tools;

use gw_core::chat::{ChatRequest, Part, Text};
use gw_core::{Error, ErrorCode};
use http::{HeaderValue, header};
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::FAMILY;
use super::model::Model;
use crate::chat::{Encoded, Target};
use crate::shared::losses::Losses;
use crate::shared::percent;
use crate::shared::turns::{self, Arranged, Rules, Side, Turn};

/// The media type of a stream.
const EVENT_STREAM: HeaderValue = HeaderValue::from_static("application/vnd.amazon.eventstream");

/// The request in this dialect.
pub(super) fn encode(request: &ChatRequest, target: &Target<'_>) -> Result<Encoded, Error> {
    let model = Model::of(target.model);
    let mut writer = Writer { model, target: *target, losses: Losses::default(), settings: Settings::default() };
    let arranged = arranged(request, &mut writer);
    if arranged.turns.is_empty() && !target.model.contains(":prompt/") {
        let message = "messages: there is nothing to answer; send at least one message with content";
        return Err(Error::new(ErrorCode::InvalidRequest, message).with_param("messages"));
    }
    let tools = tools::encode(request, &mut writer);
    let thinks = thinking::encode(request, &arranged.turns, tools.must_call, &mut writer);
    params::encode(request, thinks, &mut writer);
    let mut system = content::system(&arranged.system, &mut writer);
    system.extend(output::encode(request, &tools, &mut writer));
    let messages = content::messages(arranged.turns, tools.config.is_some(), &mut writer);
    params::extra(request, &mut writer);
    let Writer { losses, settings, .. } = writer;
    let body = Body { messages, system, tool_config: tools.config, settings: settings.members() };
    let body = serde_json::to_vec(&body)
        .map_err(|_| Error::new(ErrorCode::InternalError, "the request for the provider could not be written"))?;
    let headers = if target.stream { vec![(header::ACCEPT, EVENT_STREAM)] } else { Vec::new() };
    Ok(Encoded { path: path(target), headers, body, losses: losses.into_vec(), names: tools.names })
}

/// What is written of a request, and what could not be.
struct Writer<'a> {
    model: Model,
    target: Target<'a>,
    losses: Losses,
    settings: Settings,
}

/// The body of a request.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Body {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    messages: Vec<content::Message>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    system: Vec<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_config: Option<Value>,
    #[serde(flatten)]
    settings: Map<String, Value>,
}

/// The members of a body beside the conversation and the tools.
#[derive(Debug, Default)]
struct Settings {
    /// `inferenceConfig`.
    inference: Map<String, Value>,
    /// `outputConfig`.
    output: Map<String, Value>,
    /// `additionalModelRequestFields`: what the model's maker has and Converse has not.
    additional: Map<String, Value>,
    /// All others.
    other: Map<String, Value>,
}

impl Settings {
    fn members(self) -> Map<String, Value> {
        let groups = [
            ("inferenceConfig", self.inference),
            ("outputConfig", self.output),
            ("additionalModelRequestFields", self.additional),
        ];
        let mut members = self.other;
        for (name, group) in groups {
            if !group.is_empty() {
                members.insert(name.to_owned(), Value::Object(group));
            }
        }
        members
    }
}

/// The conversation in strict order. One that is nothing but instructions becomes the user's turn, since Converse answers
/// no other; a turn of the model's at the end, which it continues, must not end in blanks.
fn arranged(request: &ChatRequest, writer: &mut Writer<'_>) -> Arranged {
    let mut arranged = turns::arrange(&request.messages, Rules { family: FAMILY, keeps_instructions: false });
    writer.losses.extend(std::mem::take(&mut arranged.losses));
    if arranged.turns.is_empty() && !arranged.system.is_empty() {
        writer.losses.replace("messages[].role", "instructions without a question are sent as the user's");
        let parts = arranged.system.drain(..).map(Part::Text).collect();
        arranged.turns.push(Turn::new(Side::User, parts));
    }
    if let Some(Turn { side: Side::Model, parts, .. }) = arranged.turns.last_mut()
        && let Some(Part::Text(Text { text, .. })) = parts.last_mut()
    {
        text.truncate(text.trim_end().len());
    }
    arranged
}

fn path(target: &Target<'_>) -> String {
    model_path(target.model, if target.stream { "converse-stream" } else { "converse" })
}

/// The path of a model's operation, with the id encoded once; whoever signs encodes it again.
pub(super) fn model_path(model: &str, operation: &str) -> String {
    let mut path = String::from("/model/");
    percent::encode_into(&mut path, model, b"");
    path.push('/');
    path.push_str(operation);
    path
}

/// A block that says: remember the request up to here.
fn cache_point(ttl: Option<&str>) -> Value {
    match ttl {
        Some(ttl) => json!({"cachePoint": {"type": "default", "ttl": ttl}}),
        None => json!({"cachePoint": {"type": "default"}}),
    }
}

#[cfg(test)]
mod tests;
