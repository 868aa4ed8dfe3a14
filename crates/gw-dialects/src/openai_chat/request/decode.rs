//! A request as an application writes it.

use gw_core::chat::{ChatRequest, Extra, Logprobs, Modality, OutputFormat, OutputSchema, Sampling};
use gw_core::{Error, ErrorCode};
use serde_json::Value;

use super::read::{self, Members, Wrong};
use super::{messages, options, tools};
use crate::chat::RequestLine;
use crate::openai_chat::FAMILY;
use crate::scan::{self, ScanError};

/// What a body asks.
pub(in crate::openai_chat) fn decode(line: &RequestLine<'_>, body: &[u8]) -> Result<ChatRequest, Error> {
    scan::top_level(body).map_err(ScanError::into_error)?;
    let parsed: Result<Members, _> = serde_json::from_slice(body);
    let mut body = parsed.map_err(|_| {
        let message = "the body is not JSON that can be read: it is nested too deep, or a text in it is no Unicode";
        Error::new(ErrorCode::InvalidJson, message)
    })?;
    let mut request = members(&mut body)?;
    if let Some(model) = line.model {
        model.clone_into(&mut request.model);
    }
    request.stream = line.stream.unwrap_or(request.stream);
    body.retain(|_, value| !value.is_null());
    request.extra.members.extend(body);
    Ok(request)
}

/// Takes every member that has a place in the canonical form.
fn members(body: &mut Members) -> Result<ChatRequest, Wrong> {
    let older_functions =
        body.get("functions").is_some_and(Value::is_array) && body.get("tools").is_none_or(Value::is_null);
    let (tools, (tool_choice, unknown_choice)) = tools::decode(body)?;
    let (user, second_user) = user(body)?;
    let (output, unknown_format) = output(body)?;
    let (include_usage, stream_options) = stream_options(body)?;
    let (thinking, unknown_thinking) = options::thinking(body)?;
    let mut request = ChatRequest {
        model: read::string(body, "model")?.unwrap_or_default(),
        stream: read::boolean(body, "stream")?.unwrap_or(false),
        include_usage,
        messages: messages::decode(body)?,
        tools,
        older_functions,
        tool_choice,
        parallel_tool_calls: read::boolean(body, "parallel_tool_calls")?,
        output,
        sampling: sampling(body)?,
        thinking,
        verbosity: read::string(body, "verbosity")?,
        modalities: modalities(body)?,
        audio: read::take(body, "audio"),
        prediction: options::prediction(body)?,
        service_tier: read::string(body, "service_tier")?,
        user,
        metadata: read::object(body, "metadata")?.unwrap_or_default(),
        cache_key: read::string(body, "prompt_cache_key")?,
        extra: Extra { family: FAMILY, members: Members::new() },
    };
    let kept = [
        ("tool_choice", unknown_choice),
        ("safety_identifier", second_user),
        ("response_format", unknown_format),
        ("stream_options", stream_options),
    ];
    let kept = kept.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
    request.extra.members.extend(kept.chain(unknown_thinking));
    Ok(request)
}

fn sampling(body: &mut Members) -> Result<Sampling, Wrong> {
    let newer = read::count(body, "max_completion_tokens")?;
    let older = read::count(body, "max_tokens")?;
    Ok(Sampling {
        max_output_tokens: newer.or(older),
        temperature: read::number(body, "temperature")?,
        top_p: read::number(body, "top_p")?,
        top_k: read::count(body, "top_k")?,
        stop: read::strings(body, "stop")?,
        seed: read::integer(body, "seed")?,
        presence_penalty: read::number(body, "presence_penalty")?,
        frequency_penalty: read::number(body, "frequency_penalty")?,
        candidates: read::small(body, "n")?,
        logprobs: logprobs(body)?,
        logit_bias: read::object(body, "logit_bias")?.unwrap_or_default(),
    })
}

/// OpenAI says whether and how many; Together says both in one number.
fn logprobs(body: &mut Members) -> Result<Option<Logprobs>, Wrong> {
    let top = read::small(body, "top_logprobs")?;
    match read::take(body, "logprobs") {
        None => Ok(top.filter(|top| *top > 0).map(|top| Logprobs { top: Some(top) })),
        Some(Value::Bool(asked)) => Ok(asked.then_some(Logprobs { top })),
        Some(Value::Number(number)) => {
            let number = number.as_u64().and_then(|number| u32::try_from(number).ok());
            number
                .map(|number| (number > 0).then_some(Logprobs { top: top.or(Some(number)) }))
                .ok_or_else(|| Wrong::new("logprobs", "must be true or false"))
        }
        Some(_) => Err(Wrong::new("logprobs", "must be true or false")),
    }
}

fn modalities(body: &mut Members) -> Result<Vec<Modality>, Wrong> {
    let words = read::strings(body, "modalities")?;
    let modality = |word: &String| match word.as_str() {
        "text" => Some(Modality::Text),
        "audio" => Some(Modality::Audio),
        "image" => Some(Modality::Image),
        _ => None,
    };
    let known: Option<Vec<_>> = words.iter().map(modality).collect();
    known.ok_or_else(|| Wrong::new("modalities", "must hold `text`, `audio` or `image` only"))
}

/// The end user, and the newer member for them if both are there and differ.
fn user(body: &mut Members) -> Result<(Option<String>, Option<Value>), Wrong> {
    let older = read::string(body, "user")?;
    let newer = read::string(body, "safety_identifier")?;
    Ok(match (older, newer) {
        (Some(older), Some(newer)) if older != newer => (Some(older), Some(Value::from(newer))),
        (older, newer) => (older.or(newer), None),
    })
}

/// Whether the usage is to be told, and the options that have no place.
fn stream_options(body: &mut Members) -> Result<(bool, Option<Value>), Wrong> {
    let Some(mut options) = read::object(body, "stream_options")? else { return Ok((false, None)) };
    let asked = read::boolean(&mut options, "include_usage").map_err(|wrong| wrong.within("stream_options"))?;
    Ok((asked.unwrap_or(false), (!options.is_empty()).then_some(Value::Object(options))))
}

/// The shape of the answer, or the member itself if it is of a type that only some providers know (a grammar).
fn output(body: &mut Members) -> Result<(OutputFormat, Option<Value>), Wrong> {
    let Some(mut format) = read::object(body, "response_format")? else { return Ok((OutputFormat::Text, None)) };
    let within = |wrong: Wrong| wrong.within("response_format");
    let kind =
        format.get("type").and_then(Value::as_str).ok_or_else(|| within(Wrong::new("type", "must be a string")))?;
    Ok(match kind {
        "text" => (OutputFormat::Text, None),
        // Fireworks and others take the schema here.
        "json_object" => match read::take(&mut format, "schema") {
            Some(schema) => (OutputFormat::Schema(OutputSchema { schema, ..OutputSchema::default() }), None),
            None => (OutputFormat::Json, None),
        },
        "json_schema" => (OutputFormat::Schema(schema(&mut format).map_err(within)?), None),
        _ => (OutputFormat::Text, Some(Value::Object(format))),
    })
}

fn schema(format: &mut Members) -> Result<OutputSchema, Wrong> {
    let missing = || Wrong::new("json_schema", "is missing; it must be an object with `name` and `schema`");
    let mut schema = read::object(format, "json_schema")?.ok_or_else(missing)?;
    let mut read = || {
        Ok(OutputSchema {
            name: read::string(&mut schema, "name")?,
            description: read::string(&mut schema, "description")?,
            schema: read::take(&mut schema, "schema").unwrap_or_else(|| Value::Object(Members::new())),
            strict: read::boolean(&mut schema, "strict")?,
        })
    };
    read().map_err(|wrong: Wrong| wrong.within("json_schema"))
}
