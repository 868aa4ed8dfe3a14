//! Reads a request. What the gateway has no word for is kept under its name.

use gw_core::chat::{
    ChatRequest, Effort, Extra, Message, OutputFormat, OutputSchema, Role, Sampling, Thinking, ThinkingDisplay,
    ThinkingMode, ToolChoice,
};
use gw_core::{Error, ErrorCode};
use serde_json::{Map, Value};

use super::super::wire::{Reader, wrong};
use super::super::{FAMILY, VERSION_HEADER, VERSION_WITHOUT_SAMPLING};
use super::{parts, tools};
use crate::chat::RequestLine;
use crate::scan::{Fields, top_level};

/// Members that are read; all others are kept as they are.
const KNOWN: [&str; 16] = [
    "model",
    "stream",
    "max_tokens",
    "messages",
    "system",
    "tools",
    "tool_choice",
    "thinking",
    "output_config",
    "output_format",
    "metadata",
    "stop_sequences",
    "temperature",
    "top_p",
    "top_k",
    "service_tier",
];

/// What is asked.
pub(in super::super) fn decode(line: &RequestLine<'_>, body: &[u8]) -> Result<ChatRequest, Error> {
    let fields = top_level(body).map_err(crate::scan::ScanError::into_error)?;
    // The scan has seen that it is UTF-8.
    let text = std::str::from_utf8(body).unwrap_or_default();
    let mut extra = unknown(&fields, text)?;
    let body = Reader::new(text, String::new(), "body")?;
    no_sampling(line, &body)?;

    let model = match line.model {
        Some(model) => model.to_owned(),
        None => body.string("model").map_err(|error| error.with_param("model"))?.ok_or_else(|| {
            Error::new(ErrorCode::ModelRequired, "the request names no model; set \"model\"").with_param("model")
        })?,
    };
    let stream = match line.stream {
        Some(stream) => stream,
        None => body.read("stream", "true or false")?.unwrap_or(false),
    };
    let mut request = ChatRequest { model, stream, include_usage: true, ..ChatRequest::default() };
    request.messages = messages(&body)?;
    request.sampling = sampling(&body)?;
    (request.tools, request.tool_choice, request.parallel_tool_calls) = tools_and_choice(&body, &mut extra)?;
    request.thinking = thinking(&body, &mut extra)?;
    output(&body, &mut request, &mut extra)?;
    if let Some(metadata) = body.about("metadata").object("metadata")? {
        request.user = metadata.string("user_id")?;
        keep(&mut extra, "metadata", metadata.rest(&["user_id"])?);
    }
    request.service_tier = body.about("service_tier").string("service_tier")?.map(|tier| match tier.as_str() {
        "standard_only" => "default".to_owned(),
        _ => tier,
    });
    request.extra = Extra { family: FAMILY, members: extra };
    Ok(request)
}

/// Members that have no word of their own. Of those that have, none may stand twice.
fn unknown(fields: &Fields, text: &str) -> Result<Map<String, Value>, Error> {
    let mut extra = Map::new();
    for field in fields.iter() {
        let name = String::from_utf8_lossy(&field.name(text.as_bytes())).into_owned();
        if let Some(known) = KNOWN.iter().find(|known| **known == name) {
            if fields.all(text.as_bytes(), known).nth(1).is_some() {
                let message = format!("the body has \"{known}\" twice; send it once");
                return Err(Error::new(ErrorCode::DuplicateField, message).with_param(known));
            }
            continue;
        }
        let value = text.get(field.value()).unwrap_or_default();
        let value = serde_json::from_str(value).map_err(|_| wrong("a member of the body cannot be read", "body"))?;
        extra.insert(name, value);
    }
    Ok(extra)
}

fn keep(extra: &mut Map<String, Value>, name: &str, rest: Map<String, Value>) {
    if !rest.is_empty() {
        extra.insert(name.to_owned(), Value::Object(rest));
    }
}

/// The newer version of the API has no sampling: Anthropic refuses it (its page on versioning), and so do we, rather than
/// have a request work here that fails there.
fn no_sampling(line: &RequestLine<'_>, body: &Reader<'_>) -> Result<(), Error> {
    let version = line.headers.and_then(|headers| headers.get(VERSION_HEADER));
    if version.is_none_or(|version| version != VERSION_WITHOUT_SAMPLING) {
        return Ok(());
    }
    match ["temperature", "top_p", "top_k"].into_iter().find(|name| body.raw(name).is_some()) {
        Some(name) => Err(wrong(
            format!("{name} is not part of version {VERSION_WITHOUT_SAMPLING}; leave it out, or ask for 2023-06-01"),
            name,
        )),
        None => Ok(()),
    }
}

fn messages(body: &Reader<'_>) -> Result<Vec<Message>, Error> {
    let mut messages = Vec::new();
    let system = body.about("system");
    if system.raw("system").is_some() {
        messages.push(Message::new(Role::System, parts::read(&system, "system")?));
    }
    let body = body.about("messages");
    let list = body.list("messages")?.ok_or_else(|| wrong("messages is required; send a list", "messages"))?;
    for message in list {
        let role = match message.need::<String>("role", "a string")?.as_str() {
            "user" => Role::User,
            "assistant" => Role::Assistant,
            "system" => Role::System,
            _ => return Err(message.wrong("role", "\"user\", \"assistant\" or \"system\"")),
        };
        if message.raw("content").is_none() {
            return Err(message.wrong("content", "a string or a list of blocks"));
        }
        let unknown = parts::unknown(&message, &["role", "content"])?;
        messages.push(Message { unknown, ..Message::new(role, parts::read(&message, "content")?) });
    }
    Ok(messages)
}

fn sampling(body: &Reader<'_>) -> Result<Sampling, Error> {
    const COUNT: &str = "a whole number that is not negative";
    let named = |param: &'static str| move |error: Error| error.with_param(param);
    Ok(Sampling {
        max_output_tokens: body.read("max_tokens", COUNT).map_err(named("max_tokens"))?,
        temperature: body.read("temperature", "a number").map_err(named("temperature"))?,
        top_p: body.read("top_p", "a number").map_err(named("top_p"))?,
        top_k: body.read("top_k", COUNT).map_err(named("top_k"))?,
        stop: body.read("stop_sequences", "a list of strings").map_err(named("stop_sequences"))?.unwrap_or_default(),
        ..Sampling::default()
    })
}

type Tools = (Vec<gw_core::chat::Tool>, Option<ToolChoice>, Option<bool>);

fn tools_and_choice(body: &Reader<'_>, extra: &mut Map<String, Value>) -> Result<Tools, Error> {
    let mut list = Vec::new();
    for tool in body.about("tools").list("tools")?.unwrap_or_default() {
        list.push(tools::read(&tool, extra)?);
    }
    let Some(choice) = body.about("tool_choice").object("tool_choice")? else { return Ok((list, None, None)) };
    let alone: Option<bool> = choice.read("disable_parallel_tool_use", "true or false")?;
    let choice = match choice.need::<String>("type", "a string")?.as_str() {
        "auto" => ToolChoice::Auto,
        "none" => ToolChoice::None,
        "any" => ToolChoice::Required,
        "tool" => ToolChoice::Function(choice.need("name", "a string")?),
        _ => return Err(choice.wrong("type", "\"auto\", \"any\", \"tool\" or \"none\"")),
    };
    Ok((list, Some(choice), alone.map(|alone| !alone)))
}

/// How the model is to think. What only Anthropic's models know (`between_tools`) is kept as it is.
fn thinking(body: &Reader<'_>, extra: &mut Map<String, Value>) -> Result<Option<Thinking>, Error> {
    let body = body.about("thinking");
    let mut thinking = Thinking::default();
    if let Some(config) = body.object("thinking")? {
        thinking.mode = match config.need::<String>("type", "a string")?.as_str() {
            "enabled" => Some(ThinkingMode::Enabled),
            "disabled" => Some(ThinkingMode::Disabled),
            "adaptive" => Some(ThinkingMode::Adaptive),
            _ => None,
        };
        thinking.budget_tokens = config.read("budget_tokens", "a whole number that is not negative")?;
        thinking.display = match config.string("display")?.as_deref() {
            Some("omitted") => Some(ThinkingDisplay::Omitted),
            Some("summarized") => Some(ThinkingDisplay::Auto),
            _ => None,
        };
        if thinking.mode.is_none() {
            extra.insert("thinking".to_owned(), config.whole()?);
        }
    }
    if let Some(config) = body.about("output_config").object("output_config")? {
        thinking.effort = config.string("effort")?.as_deref().and_then(Effort::from_name);
    }
    Ok(if thinking == Thinking::default() { None } else { Some(thinking) })
}

/// The shape of the answer: in `output_config`, or where betas had it.
fn output(body: &Reader<'_>, request: &mut ChatRequest, extra: &mut Map<String, Value>) -> Result<(), Error> {
    let body = body.about("output_config");
    let mut format = body.about("output_format").object("output_format")?;
    if let Some(config) = body.object("output_config")? {
        format = config.object("format")?.or(format);
        let mut rest = config.rest(&["format"])?;
        rest.retain(|name, value| {
            name != "effort" || value.as_str().is_none_or(|word| Effort::from_name(word).is_none())
        });
        keep(extra, "output_config", rest);
    }
    let Some(format) = format else { return Ok(()) };
    match format.need::<String>("type", "a string")?.as_str() {
        "json_schema" => {
            let schema = format.need::<Map<String, Value>>("schema", "an object")?;
            let (name, description) = (format.string("name")?, format.string("description")?);
            let schema = OutputSchema { name, description, schema: Value::Object(schema), strict: Some(true) };
            request.output = OutputFormat::Schema(schema);
            Ok(())
        }
        _ => Err(format.wrong("type", "\"json_schema\"")),
    }
}
