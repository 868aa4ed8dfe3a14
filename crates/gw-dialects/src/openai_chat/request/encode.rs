//! A request as a provider gets it.

use gw_core::Error;
use gw_core::chat::{ChatRequest, Modality, OutputFormat, OutputSchema, Sampling};
use serde_json::{Map, Value, json};

use super::write::Writer;
use super::{options, tools};
use crate::chat::{Encoded, Target, ToolNames};
use crate::openai_chat::{PATH, request::turns};
use crate::shared::ids::Rule;
use crate::shared::losses::top_k;

/// Names of functions, by OpenAI's reference of `tools[].function.name`.
const NAMES: Rule = Rule::word(64);

/// The name of a schema that has none; OpenAI requires one.
const SCHEMA_NAME: &str = "answer";

/// Writes the request.
pub(in crate::openai_chat) fn encode(request: &ChatRequest, target: &Target<'_>) -> Result<Encoded, Error> {
    let names = NAMES.names(request);
    let renamed = renamed(request, &names);
    let request = renamed.as_ref().unwrap_or(request);
    let mut writer = Writer::default();
    writer.say("model", target.model);
    let messages = turns::encode(&request.messages, target, &mut writer);
    writer.say("messages", messages);
    if target.stream {
        writer.say("stream", true);
        writer.say("stream_options", json!({"include_usage": true}));
    }
    tools::encode(request, &mut writer);
    output(&request.output, &mut writer);
    sampling(&request.sampling, &mut writer);
    if let Some(thinking) = &request.thinking {
        options::encode_thinking(thinking, &mut writer);
    }
    rest(request, &mut writer);
    options::encode_extra(request, &mut writer);
    let Writer { body, losses } = writer;
    // Value::to_string writes JSON and cannot fail.
    let body = Value::Object(body).to_string().into_bytes();
    Ok(Encoded { path: PATH.to_owned(), headers: Vec::new(), body, losses: losses.into_vec(), names })
}

/// The request with the names of its tools as they are sent; `None` if they are sent as they are.
fn renamed(request: &ChatRequest, names: &ToolNames) -> Option<ChatRequest> {
    use gw_core::chat::{Part, Tool, ToolChoice};
    if names.0.is_empty() {
        return None;
    }
    let rename = |name: &mut String| {
        if let Some((sent, _)) = names.0.iter().find(|(_, original)| original == name) {
            name.clone_from(sent);
        }
    };
    let mut request = request.clone();
    for tool in &mut request.tools {
        match tool {
            Tool::Function(function) => rename(&mut function.name),
            Tool::Custom(custom) => rename(&mut custom.name),
            Tool::BuiltIn(_) => {}
        }
    }
    match &mut request.tool_choice {
        Some(ToolChoice::Function(name) | ToolChoice::Custom(name)) => rename(name),
        Some(ToolChoice::Allowed { names, .. }) => names.iter_mut().for_each(rename),
        Some(ToolChoice::Auto | ToolChoice::None | ToolChoice::Required) | None => {}
    }
    for part in request.messages.iter_mut().flat_map(|message| &mut message.parts) {
        if let Part::ToolCall(call) = part {
            rename(&mut call.name);
        }
    }
    Some(request)
}

fn output(output: &OutputFormat, writer: &mut Writer) {
    match output {
        OutputFormat::Text => {}
        OutputFormat::Json => writer.say("response_format", json!({"type": "json_object"})),
        OutputFormat::Schema(OutputSchema { name, description, schema, strict }) => {
            let name = NAMES.fit(name.as_deref().unwrap_or(SCHEMA_NAME)).into_owned();
            let mut about = Map::from_iter([("name".to_owned(), Value::from(name))]);
            let rest = [
                ("description", description.as_deref().map(Value::from)),
                ("schema", Some(schema.clone())),
                ("strict", strict.map(Value::from)),
            ];
            about.extend(rest.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))));
            writer.say("response_format", json!({"type": "json_schema", "json_schema": about}));
        }
    }
}

fn sampling(sampling: &Sampling, writer: &mut Writer) {
    writer.say_if("max_completion_tokens", sampling.max_output_tokens);
    writer.say_if("temperature", sampling.temperature.map(plain));
    writer.say_if("top_p", sampling.top_p.map(plain));
    if let Some(count) = sampling.top_k {
        writer.lose(top_k(count, "the format has no such parameter"));
    }
    if !sampling.stop.is_empty() {
        writer.say("stop", sampling.stop.clone());
    }
    writer.say_if("seed", sampling.seed);
    writer.say_if("presence_penalty", sampling.presence_penalty.map(plain));
    writer.say_if("frequency_penalty", sampling.frequency_penalty.map(plain));
    writer.say_if("n", sampling.candidates);
    if let Some(logprobs) = sampling.logprobs {
        writer.say("logprobs", true);
        writer.say_if("top_logprobs", logprobs.top);
    }
    if !sampling.logit_bias.is_empty() {
        writer.say("logit_bias", sampling.logit_bias.clone());
    }
}

/// A number, without a fraction if it has none: clients write `1`, and some providers want that back.
fn plain(number: f64) -> Value {
    if number.fract() == 0.0 && number.abs() < 1e9 { Value::from(number as i64) } else { Value::from(number) }
}

fn rest(request: &ChatRequest, writer: &mut Writer) {
    writer.say_if("verbosity", request.verbosity.as_deref());
    if !request.modalities.is_empty() {
        let word = |modality: &Modality| match modality {
            Modality::Text => "text",
            Modality::Audio => "audio",
            Modality::Image => "image",
        };
        writer.say("modalities", request.modalities.iter().map(word).collect::<Vec<_>>());
    }
    writer.say_if("audio", request.audio.clone());
    if let Some(prediction) = &request.prediction {
        writer.say("prediction", json!({"type": "content", "content": prediction}));
    }
    writer.say_if("service_tier", request.service_tier.as_deref());
    writer.say_if("user", request.user.as_deref());
    if !request.metadata.is_empty() {
        writer.say("metadata", request.metadata.clone());
    }
    writer.say_if("prompt_cache_key", request.cache_key.as_deref());
}
