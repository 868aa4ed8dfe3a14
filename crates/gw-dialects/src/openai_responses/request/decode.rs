//! Reads a request.

use gw_core::chat::{
    ChatRequest, Effort, Extra, Logprobs, Message, OutputFormat, OutputSchema, Role, Sampling, Thinking,
    ThinkingDisplay,
};
use gw_core::{Error, ErrorCode};
use serde_json::Value;

use super::super::read::{Node, Object};
use super::super::{FAMILY, INCLUDE_ENCRYPTED, INCLUDE_LOGPROBS, tools};
use super::items;
use crate::chat::RequestLine;

/// Members that words of ours stand for. All others are extra.
const READ: [&str; 20] = [
    "model",
    "stream",
    "input",
    "instructions",
    "tools",
    "tool_choice",
    "parallel_tool_calls",
    "text",
    "reasoning",
    "include",
    "max_output_tokens",
    "temperature",
    "top_p",
    "top_logprobs",
    "service_tier",
    "safety_identifier",
    "user",
    "metadata",
    "prompt_cache_key",
    "stop",
];

/// Where the conversation may come from, if `input` is not there.
const INSTEAD_OF_INPUT: [&str; 3] = ["prompt", "previous_response_id", "conversation"];

/// What is asked.
pub(in super::super) fn decode(line: &RequestLine<'_>, body: &[u8]) -> Result<ChatRequest, Error> {
    let body: Value = serde_json::from_slice(body).map_err(|error| {
        let place = format!("line {}, column {}", error.line(), error.column());
        Error::new(ErrorCode::InvalidJson, format!("the body is not valid JSON at {place}"))
    })?;
    let Value::Object(object) = &body else {
        return Err(Error::new(ErrorCode::InvalidRequest, "the body must be a JSON object"));
    };
    let top = Node::top(object);
    let left = object.iter().filter(|(name, value)| !READ.contains(&name.as_str()) && !value.is_null());
    let mut extra: Object = left.map(|(name, value)| (name.clone(), value.clone())).collect();
    let owned = |text: Option<&str>| text.map(str::to_owned);
    let (output, verbosity) = output(&top, &mut extra)?;
    let sampling = sampling(&top, &mut extra)?;
    let safety_identifier = top.string("safety_identifier")?;
    let user = top.string("user")?;
    if let (Some(_), Some(user)) = (safety_identifier, user) {
        extra.insert("user".to_owned(), Value::from(user));
    }
    Ok(ChatRequest {
        model: top.string("model")?.or(line.model).unwrap_or_default().to_owned(),
        stream: top.bool("stream")?.or(line.stream).unwrap_or(false),
        include_usage: true,
        messages: messages(&top)?,
        tools: tools::decode(&top, &mut extra)?,
        tool_choice: tools::decode_choice(&top, &mut extra)?,
        parallel_tool_calls: top.bool("parallel_tool_calls")?,
        output,
        sampling,
        thinking: thinking(&top, &mut extra)?,
        verbosity,
        service_tier: owned(top.string("service_tier")?),
        user: owned(safety_identifier.or(user)),
        metadata: top.object("metadata")?.map(|metadata| metadata.object.clone()).unwrap_or_default(),
        cache_key: owned(top.string("prompt_cache_key")?),
        extra: Extra { family: FAMILY, members: extra },
        ..ChatRequest::default()
    })
}

fn messages(top: &Node<'_>) -> Result<Vec<Message>, Error> {
    let mut messages = Vec::new();
    if let Some(instructions) = top.string("instructions")? {
        messages.push(Message::new(Role::System, vec![instructions.into()]));
    }
    match top.get("input") {
        Some(Value::String(text)) => messages.push(Message::new(Role::User, vec![text.as_str().into()])),
        Some(Value::Array(_)) => messages.extend(items::messages(top)?),
        None if INSTEAD_OF_INPUT.iter().any(|name| top.get(name).is_some()) => {}
        _ => return Err(top.wrong("input", "a string or a list of items")),
    }
    Ok(messages)
}

fn sampling(top: &Node<'_>, extra: &mut Object) -> Result<Sampling, Error> {
    let include = top.array("include")?;
    if !include.iter().all(Value::is_string) {
        return Err(top.wrong("include", "a list of strings"));
    }
    // The thoughts are always asked for where they can be had, and given wherever they are.
    let is_said = |word: &&Value| **word == INCLUDE_LOGPROBS || **word == INCLUDE_ENCRYPTED;
    let left: Vec<Value> = include.iter().filter(|word| !is_said(word)).cloned().collect();
    if !left.is_empty() {
        extra.insert("include".to_owned(), Value::Array(left));
    }
    let top_logprobs = top.u64("top_logprobs")?;
    let wants_logprobs = top_logprobs.is_some() || include.iter().any(|word| word == INCLUDE_LOGPROBS);
    let count = |number: u64| u32::try_from(number).unwrap_or(u32::MAX);
    Ok(Sampling {
        max_output_tokens: top.u64("max_output_tokens")?,
        temperature: top.f64("temperature")?,
        top_p: top.f64("top_p")?,
        stop: stop(top)?,
        logprobs: wants_logprobs.then(|| Logprobs { top: top_logprobs.map(count) }),
        ..Sampling::default()
    })
}

/// OpenAI has no such member here; clients that came from chat completions send it, and most other models know it.
fn stop(top: &Node<'_>) -> Result<Vec<String>, Error> {
    let wanted = "a string or a list of strings";
    match top.get("stop") {
        None => Ok(Vec::new()),
        Some(Value::String(text)) => Ok(vec![text.clone()]),
        Some(Value::Array(texts)) => {
            let text = |text: &Value| text.as_str().map(str::to_owned).ok_or_else(|| top.wrong("stop", wanted));
            texts.iter().map(text).collect()
        }
        Some(_) => Err(top.wrong("stop", wanted)),
    }
}

fn output(top: &Node<'_>, extra: &mut Object) -> Result<(OutputFormat, Option<String>), Error> {
    let Some(node) = top.object("text")? else { return Ok((OutputFormat::Text, None)) };
    keep_rest(&node, "text", &["format", "verbosity"], extra);
    let verbosity = node.string("verbosity")?.map(str::to_owned);
    let Some(format) = node.object("format")? else { return Ok((OutputFormat::Text, verbosity)) };
    let output = match format.required("type")? {
        "text" => OutputFormat::Text,
        "json_object" => OutputFormat::Json,
        "json_schema" => {
            let Some(schema) = format.object("schema")? else {
                return Err(format.wrong("schema", "a JSON Schema, which is an object"));
            };
            OutputFormat::Schema(OutputSchema {
                name: format.string("name")?.map(str::to_owned),
                description: format.string("description")?.map(str::to_owned),
                schema: Value::Object(schema.object.clone()),
                strict: format.bool("strict")?,
            })
        }
        // A grammar, or what comes after.
        _ => {
            extra.insert("text.format".to_owned(), Value::Object(format.object.clone()));
            OutputFormat::Text
        }
    };
    Ok((output, verbosity))
}

fn thinking(top: &Node<'_>, extra: &mut Object) -> Result<Option<Thinking>, Error> {
    let Some(node) = top.object("reasoning")? else { return Ok(None) };
    keep_rest(&node, "reasoning", &["effort", "summary", "generate_summary"], extra);
    let effort = node.string("effort")?;
    let known = effort.and_then(Effort::from_name);
    if let (Some(word), None) = (effort, known) {
        extra.insert("reasoning.effort".to_owned(), Value::from(word));
    }
    let summary = node.string("summary")?.or(node.string("generate_summary")?);
    let display = match summary {
        None => None,
        Some("concise") => Some(ThinkingDisplay::Concise),
        Some("detailed") => Some(ThinkingDisplay::Detailed),
        Some(_) => Some(ThinkingDisplay::Auto),
    };
    let thinking = Thinking { effort: known, display, ..Thinking::default() };
    Ok(Some(thinking).filter(|thinking| *thinking != Thinking::default()))
}

/// Keeps what is not read of an object, under `{name}.{member}`.
fn keep_rest(node: &Node<'_>, name: &str, read: &[&str], extra: &mut Object) {
    for (member, value) in node.object {
        if !read.contains(&member.as_str()) && !value.is_null() {
            extra.insert(format!("{name}.{member}"), value.clone());
        }
    }
}
