//! What Cohere answers, whole; and what its stream has in common with it: usage, reasons to end, citations,
//! probabilities.

use gw_core::chat::{
    Candidate, ChatAnswer, Citation, Finish, FinishReason, Native, Part, Reasoning, Text, ToolCall, ToolInput,
};
use gw_core::{Error, ErrorCode, Usage};
use serde_json::{Value, json};

use crate::chat::Origin;
use crate::cohere_chat::FAMILY;
use crate::shared::refusal::{self, code_of_message};

/// Reads an answer.
pub(super) fn decode(body: &[u8], origin: &Origin) -> Result<ChatAnswer, Error> {
    let invalid = |what| refusal::invalid(&origin.provider, what);
    let answer: Value = serde_json::from_slice(body).map_err(|_| invalid("an answer that is not JSON"))?;
    let message = &answer["message"];
    if let Some(said) = message.as_str() {
        return Err(told(&origin.provider, said));
    }
    if !message.is_object() {
        return Err(invalid("an answer without a message"));
    }
    let id = text(&answer["id"]);
    let mut parts = parts(message, &id, origin);
    let listed = message["citations"].as_array().map(Vec::as_slice).unwrap_or_default();
    for cited in listed {
        attach(cited, &mut parts);
    }
    let raw = answer["finish_reason"].as_str().unwrap_or_default();
    let called = parts.iter().any(|(_, part)| matches!(part, Part::ToolCall(_)));
    let finish = finish(raw, called, answer["error"].as_str(), origin)?;
    let tokens: Vec<Value> = answer["logprobs"].as_array().into_iter().flatten().filter_map(logprob).collect();
    let candidate = Candidate {
        parts: parts.into_iter().map(|(_, part)| part).collect(),
        finish,
        logprobs: (!tokens.is_empty()).then_some(Value::Array(tokens)),
    };
    Ok(ChatAnswer {
        id,
        model: origin.model.to_string(),
        candidates: vec![candidate],
        usage: usage(&answer["usage"]),
        ..ChatAnswer::default()
    })
}

/// What Cohere used. The counts are those that it bills (`billed_units`), since its `tokens` count a prompt of its own with
/// the client's; they are told where nothing is billed.
pub(super) fn usage(usage: &Value) -> Option<Usage> {
    let count = |value: &Value| value.as_f64().map(|count| count.max(0.0) as u64);
    let either = |name: &str| count(&usage["billed_units"][name]).or_else(|| count(&usage["tokens"][name]));
    let (input, output) = (either("input_tokens"), either("output_tokens"));
    if input.is_none() && output.is_none() {
        return None;
    }
    let input_tokens = input.unwrap_or(0);
    Some(Usage {
        input_tokens,
        output_tokens: output.unwrap_or(0),
        // Counted with the whole prompt, so that it may be more than what is billed.
        cached_input_tokens: count(&usage["cached_tokens"]).unwrap_or(0).min(input_tokens),
        ..Usage::default()
    })
}

/// Why the answer ended.
///
/// # Errors
/// It broke off: the provider says `ERROR` or `TIMEOUT`.
pub(super) fn finish(raw: &str, called: bool, said: Option<&str>, origin: &Origin) -> Result<Finish, Error> {
    let reason = match raw.to_ascii_uppercase().as_str() {
        "ERROR" => return Err(told(&origin.provider, said.unwrap_or("the answer broke off"))),
        "TIMEOUT" => {
            let said = said.unwrap_or("the answer took too long");
            return Err(refusal::told(&origin.provider, ErrorCode::ProviderTimeout, said));
        }
        "MAX_TOKENS" => FinishReason::Length,
        _ if called => FinishReason::ToolCalls,
        "STOP_SEQUENCE" => FinishReason::StopSequence,
        // Also a `TOOL_CALL` without a call, and what is not known.
        _ => FinishReason::Stop,
    };
    Ok(Finish::new(reason, raw))
}

/// A citation; its range counts characters of the text that it is said of.
pub(super) fn citation(cited: &Value) -> Citation {
    let source = |member: &str| {
        let mut sources = cited["sources"].as_array().into_iter().flatten();
        sources.find_map(|source| {
            let said = [&source["document"][member], &source["tool_output"][member]];
            said.into_iter().find_map(Value::as_str).map(str::to_owned)
        })
    };
    let is_of_text = cited["type"] != "THINKING_CONTENT";
    let range = cited["start"].as_u64().zip(cited["end"].as_u64());
    Citation {
        url: source("url"),
        title: source("title"),
        cited_text: cited["text"].as_str().map(str::to_owned),
        range: range.filter(|_| is_of_text),
        native: Some(native("citation", cited)),
    }
}

/// Probabilities as OpenAI writes them. Cohere tells a piece of text with one or more tokens; that of the whole piece is
/// their product.
pub(super) fn logprob(item: &Value) -> Option<Value> {
    let token = item["text"].as_str().or_else(|| item["token"].as_str())?;
    let listed: Vec<f64> = item["logprobs"].as_array()?.iter().filter_map(Value::as_f64).collect();
    let logprob: f64 = listed.iter().sum();
    Some(json!({"token": token, "logprob": logprob, "bytes": token.as_bytes(), "top_logprobs": []}))
}

/// An error under a status of success.
pub(super) fn told(provider: &str, said: &str) -> Error {
    refusal::told(provider, code_of_message(said).unwrap_or(ErrorCode::ProviderFailed), said)
}

/// Something that Cohere alone says.
pub(super) fn native(kind: &str, value: &Value) -> Native {
    Native { family: FAMILY, kind: kind.to_owned(), value: value.clone() }
}

/// A text that may be missing.
pub(super) fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// The id of a call. One that is missing is made from the answer's.
pub(super) fn call_id(call: &Value, answer_id: &str, place: u64) -> String {
    let id = call["id"].as_str().filter(|id| !id.is_empty());
    id.map_or_else(|| format!("call_{answer_id}_{place}"), str::to_owned)
}

/// Where a part of the answer stood in Cohere's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Content(u64),
    Plan,
    Call,
}

fn parts(message: &Value, answer_id: &str, origin: &Origin) -> Vec<(Place, Part)> {
    let mut parts = Vec::new();
    if let Some(text) = message["content"].as_str().filter(|text| !text.is_empty()) {
        parts.push((Place::Content(0), text.into()));
    }
    for (place, part) in (0..).zip(message["content"].as_array().into_iter().flatten()) {
        parts.extend(content(part).map(|part| (Place::Content(place), part)));
    }
    if let Some(plan) = message["tool_plan"].as_str().filter(|plan| !plan.is_empty()) {
        parts.push((Place::Plan, plan.into()));
    }
    for (place, call) in (0..).zip(message["tool_calls"].as_array().into_iter().flatten()) {
        let function = &call["function"];
        let arguments = function["arguments"].as_str().filter(|json| !json.trim().is_empty()).unwrap_or("{}");
        let call = ToolCall {
            id: call_id(call, answer_id, place),
            name: origin.names.original(function["name"].as_str().unwrap_or_default()).to_owned(),
            input: ToolInput::Json(arguments.to_owned()),
            ..ToolCall::default()
        };
        parts.push((Place::Call, Part::ToolCall(call)));
    }
    parts
}

fn content(part: &Value) -> Option<Part> {
    let kind = part["type"].as_str().unwrap_or_default();
    match kind {
        "text" | "thinking" if part[kind].as_str().is_none_or(str::is_empty) => None,
        "text" => Some(text(&part["text"]).into()),
        "thinking" => Some(Part::Reasoning(Reasoning { text: text(&part["thinking"]), ..Reasoning::default() })),
        _ => Some(Part::Native(native(kind, part))),
    }
}

/// Gives a citation to the text that it is said of; to the last one if that is not said, or not there.
fn attach(cited: &Value, parts: &mut Vec<(Place, Part)>) {
    let wanted =
        if cited["type"] == "PLAN" { Some(Place::Plan) } else { cited["content_index"].as_u64().map(Place::Content) };
    let is_text = |part: &Part| matches!(part, Part::Text(_));
    let found = parts.iter().position(|(place, part)| Some(*place) == wanted && is_text(part));
    let at = found.or_else(|| parts.iter().rposition(|(_, part)| is_text(part)));
    match at.and_then(|at| parts.get_mut(at)) {
        Some((_, Part::Text(Text { citations, .. }))) => citations.push(citation(cited)),
        _ => parts.push((Place::Call, Part::Native(native("citation", cited)))),
    }
}
