//! Whole answers, and what they have in common with streams: why they ended, and what of them only Anthropic has.

use bytes::Bytes;
use gw_core::Error;
use gw_core::chat::{
    Candidate, ChatAnswer, Extra, Finish, FinishReason, MediaKind, Native, Opaque, OpaqueKind, Part, Reasoning, Text,
    ToolCall, ToolInput,
};
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::usage::{self, Counts};
use super::wire::Block;
use super::{ANSWER_ID, FAMILY, citation, error};
use crate::chat::{Asked, Origin};
use crate::scan::Object;
use crate::shared::json::unescaped;
use crate::shared::refusal::invalid;

/// Members of an answer that only Anthropic has.
const EXTRA: [&str; 4] = ["container", "stop_details", "diagnostics", "context_management"];

/// Reads an answer.
pub(super) fn decode(body: &[u8], origin: &Origin) -> Result<ChatAnswer, Error> {
    let provider = &*origin.provider;
    let unreadable = || invalid(provider, "an answer that is not a JSON object");
    let answer = std::str::from_utf8(body).ok().and_then(|text| Object::parse(text).ok()).ok_or_else(unreadable)?;
    if let Some(error) = error::told_in(&answer, provider) {
        return Err(error);
    }
    let mut parts = Vec::new();
    let mut blocks = Vec::new();
    answer
        .elements("content", |block| blocks.push(block))
        .ok_or_else(|| invalid(provider, "an answer without a list of content"))?;
    for block in blocks {
        parts.push(part(block, origin).ok_or_else(|| invalid(provider, "a block of content that cannot be read"))?);
    }
    let calls = parts.iter().any(|part| matches!(part, Part::ToolCall(_)));
    let finish = finish(answer.string("stop_reason"), answer.string("stop_sequence"), calls);
    let mut decoded = ChatAnswer {
        id: answer.string("id").unwrap_or_default(),
        model: answer.string("model").unwrap_or_else(|| origin.model.to_string()),
        candidates: vec![Candidate { parts, finish, logprobs: None }],
        extra: Extra::of_answer(FAMILY, extra(&answer)),
        ..ChatAnswer::default()
    };
    if let Some(used) = answer.object("usage") {
        let mut counts = Counts::default();
        counts.read(&used);
        decoded.usage = Some(counts.usage());
        decoded.service_tier = used.string("service_tier").as_deref().map(usage::tier_in);
    }
    Ok(decoded)
}

/// Members that only Anthropic has.
pub(super) fn extra(of: &Object<'_>) -> Map<String, Value> {
    let known = EXTRA.into_iter().filter_map(|name| Some((name.to_owned(), serde_json::from_str(of.get(name)?).ok()?)));
    known.collect()
}

/// A part of the model's; `None` if it is not what it says it is.
fn part(block: &str, origin: &Origin) -> Option<Part> {
    let object = Object::parse(block).ok()?;
    let kind = object.string("type")?;
    Some(match kind.as_str() {
        "text" => {
            let citations = object.get("citations").map(serde_json::from_str::<Vec<Value>>).transpose().ok()?;
            let citations = citations.unwrap_or_default().into_iter().map(citation::decode).collect();
            Part::Text(Text { text: object.string("text")?, citations, ..Text::default() })
        }
        "thinking" => {
            let signature = object.string("signature").filter(|signature| !signature.is_empty());
            let opaque = signature.map(|signature| state(OpaqueKind::Signature, signature, origin));
            // Anthropic calls what it shows summarized (its page "Extended thinking").
            Part::Reasoning(Reasoning { text: object.string("thinking")?, is_summary: true, opaque, id: None })
        }
        "redacted_thinking" => {
            let opaque = Some(state(OpaqueKind::Encrypted, object.string("data")?, origin));
            Part::Reasoning(Reasoning { opaque, ..Reasoning::default() })
        }
        "tool_use" => call(&object, origin)?,
        _ => Part::Native(Native { family: FAMILY, kind, value: serde_json::from_str(block).ok()? }),
    })
}

/// A call, or the answer in JSON for which a call stands.
fn call(object: &Object<'_>, origin: &Origin) -> Option<Part> {
    let (sent, input) = (object.string("name")?, unescaped(object.get("input").unwrap_or("{}")).into_owned());
    let name = origin.names.original(&sent);
    if is_answer(name) {
        return Some(Part::from(input));
    }
    let (id, name) = (object.string("id")?, name.to_owned());
    Some(Part::ToolCall(ToolCall { id, name, input: ToolInput::Json(input), ..ToolCall::default() }))
}

/// Whether the client's name of a tool says that its call is the answer's text.
pub(super) fn is_answer(name: &str) -> bool {
    name.is_empty()
}

/// State that the provider wants to see again.
pub(super) fn state(kind: OpaqueKind, data: String, origin: &Origin) -> Opaque {
    Opaque { family: FAMILY, provider: origin.provider.to_string(), kind, data }
}

/// Why an answer ended. Whether it calls tools is told by its calls.
pub(super) fn finish(raw: Option<String>, stop_sequence: Option<String>, calls: bool) -> Finish {
    let said = match raw.as_deref() {
        Some("stop_sequence") => FinishReason::StopSequence,
        Some("max_tokens") => FinishReason::Length,
        Some("model_context_window_exceeded") => FinishReason::ContextLength,
        Some("pause_turn") => FinishReason::Paused,
        Some("refusal") => FinishReason::ContentFilter,
        _ => FinishReason::Stop,
    };
    let ended = matches!(said, FinishReason::Stop | FinishReason::StopSequence);
    Finish { reason: if calls && ended { FinishReason::ToolCalls } else { said }, raw, stop_sequence }
}

/// Why an answer ended, in Anthropic's words.
pub(super) fn stop_reason(reason: FinishReason, calls: bool) -> &'static str {
    match reason {
        FinishReason::Stop | FinishReason::StopSequence | FinishReason::ToolCalls if calls => "tool_use",
        FinishReason::Stop | FinishReason::ToolCalls | FinishReason::Malformed => "end_turn",
        FinishReason::StopSequence => "stop_sequence",
        FinishReason::Length => "max_tokens",
        FinishReason::ContextLength => "model_context_window_exceeded",
        FinishReason::ContentFilter | FinishReason::Refusal => "refusal",
        FinishReason::Paused => "pause_turn",
    }
}

/// The id of an answer: Anthropic's own, or one of the gateway's making.
pub(super) fn answer_id(id: &str, asked: &Asked) -> String {
    if id.starts_with(ANSWER_ID) { id.to_owned() } else { format!("{ANSWER_ID}{}", asked.request_id) }
}

/// The model of an answer.
pub(super) fn model<'a>(model: &'a str, asked: &'a Asked) -> &'a str {
    if model.is_empty() { &asked.request.model } else { model }
}

#[derive(Serialize)]
struct Answer<'a> {
    id: String,
    #[serde(rename = "type")]
    kind: &'static str,
    role: &'static str,
    model: &'a str,
    content: Vec<Block>,
    stop_reason: &'static str,
    stop_sequence: Option<&'a str>,
    usage: Value,
    #[serde(flatten)]
    extra: Map<String, Value>,
}

/// Writes an answer: the first, since Messages has but one.
pub(super) fn encode(answer: &ChatAnswer, asked: &Asked) -> Bytes {
    let none = Candidate::default();
    let candidate = answer.candidates.first().unwrap_or(&none);
    let mut content = Vec::new();
    for part in &candidate.parts {
        blocks(part, &mut content);
    }
    let mut usage = usage::encode(&answer.usage.unwrap_or_default());
    if let Some(tier) = answer.service_tier.as_deref().and_then(usage::tier_out) {
        usage["service_tier"] = Value::from(tier);
    }
    let answer = Answer {
        id: answer_id(&answer.id, asked),
        kind: "message",
        role: "assistant",
        model: model(&answer.model, asked),
        content,
        stop_reason: stop_reason(candidate.finish.reason, candidate.calls_tools()),
        stop_sequence: candidate.finish.stop_sequence.as_deref(),
        usage,
        extra: answer.extra.of(FAMILY).cloned().unwrap_or_default(),
    };
    // What is written has text for names alone, and cannot fail.
    Bytes::from(serde_json::to_vec(&answer).unwrap_or_default())
}

fn blocks(part: &Part, content: &mut Vec<Block>) {
    match part {
        Part::Text(text) => {
            let citations: Vec<Value> = text.citations.iter().filter_map(citation::encode).collect();
            let mut block = Block::of("text", [("text", Value::from(text.text.as_str()))]);
            if !citations.is_empty() {
                block.insert("citations".to_owned(), Value::Array(citations));
            }
            content.push(Block::Plain(Value::Object(block)));
            content.extend(text.opaque.as_ref().map(|state| Block::Plain(redacted(state))));
        }
        Part::Refusal(text) => content.push(Block::text(text)),
        Part::Reasoning(reasoning) => content.push(Block::Plain(thoughts(reasoning))),
        Part::ToolCall(call) => {
            content.push(Block::tool_use(call.id.clone(), call.name.clone(), call));
            content.extend(call.opaque.as_ref().map(|state| Block::Plain(redacted(state))));
        }
        Part::Media(medium) => content.push(Block::text(left_out(medium.kind))),
        Part::Native(native) if native.family == FAMILY => content.push(Block::Plain(native.value.clone())),
        // A provider's own tool at work: what came of it is in the text. A model gives no results.
        Part::Native(_) | Part::ToolResult(_) => {}
    }
}

fn thoughts(Reasoning { text, opaque, .. }: &Reasoning) -> Value {
    match opaque {
        Some(state) if is_redacted(state) && text.is_empty() => redacted(state),
        _ => {
            json!({"type": "thinking", "thinking": text, "signature": opaque.as_ref().map_or(String::new(), signature)})
        }
    }
}

/// Whether it is a thought of Anthropic's own that nobody can read.
pub(super) fn is_redacted(state: &Opaque) -> bool {
    state.family == FAMILY && state.kind == OpaqueKind::Encrypted
}

/// State that stands in a block of its own: Anthropic's hidden thoughts as they are, and, sealed, what another vendor
/// ties to the part before.
pub(super) fn redacted(state: &Opaque) -> Value {
    let data = if is_redacted(state) { state.data.clone() } else { state.seal(FAMILY) };
    json!({"type": "redacted_thinking", "data": data})
}

/// State of thoughts, as their signature.
pub(super) fn signature(state: &Opaque) -> String {
    state.seal(FAMILY)
}

/// What stands for something that Messages has no block for.
pub(super) fn left_out(kind: MediaKind) -> &'static str {
    match kind {
        MediaKind::Image => "[The model made an image, which this format cannot carry.]",
        MediaKind::Audio => "[The model spoke, which this format cannot carry.]",
        MediaKind::Video => "[The model made a film, which this format cannot carry.]",
        MediaKind::Document => "[The model made a file, which this format cannot carry.]",
    }
}
