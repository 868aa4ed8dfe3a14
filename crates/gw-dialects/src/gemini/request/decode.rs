//! What clients of Google's dialect ask: the top of the body.

use gw_core::chat::{ChatRequest, Extra};
use gw_core::{Error, ErrorCode};
use serde_json::{Map, Value};

use super::{config, content, tools};
use crate::chat::RequestLine;
use crate::gemini::FAMILY;
use crate::gemini::wire::Object;
use crate::scan;

/// Reads a request.
pub(crate) fn decode(line: &RequestLine<'_>, body: &[u8]) -> Result<ChatRequest, Error> {
    read(line, parse(body)?)
}

/// Reads the request of `countTokens`.
pub(crate) fn decode_count(line: &RequestLine<'_>, body: &[u8]) -> Result<ChatRequest, Error> {
    let mut top = parse(body)?;
    match top.object("generateContentRequest")? {
        Some(request) => read(line, request),
        None => read(line, top),
    }
}

fn parse(body: &[u8]) -> Result<Object<'_>, Error> {
    let object = std::str::from_utf8(body).ok().and_then(Object::parse);
    object.ok_or_else(|| match scan::top_level(body) {
        Err(error) => error.into_error(),
        Ok(_) => Error::new(ErrorCode::InvalidJson, "the body must be one JSON object"),
    })
}

fn read(line: &RequestLine<'_>, mut top: Object<'_>) -> Result<ChatRequest, Error> {
    let named = top.string("model")?;
    let model = line.model.or(named.as_deref()).unwrap_or_default();
    let mut request = ChatRequest {
        model: model.strip_prefix("models/").unwrap_or(model).to_owned(),
        stream: line.stream.unwrap_or_default(),
        include_usage: true,
        extra: Extra { family: FAMILY, members: Map::new() },
        ..ChatRequest::default()
    };
    request.messages = content::read(&mut top, &mut request.extra.members)?;
    tools::read(&mut top, &mut request)?;
    if let Some(config) = top.object("generationConfig")? {
        config::read(config, &mut request)?;
    }
    request.metadata = top.read("labels", "must be an object")?.unwrap_or_default();
    request.service_tier = top.string("serviceTier")?.and_then(tier);
    request.extra.members.extend(top.rest()?);
    Ok(request)
}

/// The neutral word for a service.
fn tier(word: String) -> Option<String> {
    match word.to_ascii_lowercase().as_str() {
        "unspecified" | "service_tier_unspecified" => None,
        "standard" => Some("default".to_owned()),
        known @ ("flex" | "priority") => Some(known.to_owned()),
        _ => Some(word),
    }
}

/// Puts a member where its name says: `generationConfig.imageConfig` into `generationConfig`. Only the names that
/// [`decode()`] gives mean that; a point in a client's own name is a point.
pub(super) fn put(mut members: &mut Map<String, Value>, path: &str, value: Value) {
    let mut name = path;
    for within in ["generationConfig", "toolConfig", "functionCallingConfig"] {
        let Some(rest) = name.strip_prefix(within).and_then(|rest| rest.strip_prefix('.')) else { continue };
        let inner = members.entry(within).or_insert_with(|| Value::Object(Map::new()));
        let Value::Object(inner) = inner else { return };
        members = inner;
        name = rest;
    }
    members.insert(name.to_owned(), value);
}
