//! An answer of Converse, and what it has in common with the pieces of a stream.

use gw_core::chat::{
    Candidate, ChatAnswer, Citation, Extra, Finish, FinishReason, Media, MediaKind, MediaSource, Native, Opaque,
    OpaqueKind, Part, Reasoning, Text, ToolCall, ToolInput,
};
use gw_core::{Error, Usage};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::FAMILY;
use super::model::Model;
use crate::chat::Origin;
use crate::shared::json::unescaped;
use crate::shared::refusal;

/// A whole answer.
pub(super) fn decode(body: &[u8], origin: &Origin) -> Result<ChatAnswer, Error> {
    let invalid = |what: &str| refusal::invalid(&origin.provider, what);
    let answer: Answer<'_> = serde_json::from_slice(body).map_err(|_| invalid("an answer that cannot be read"))?;
    let message =
        answer.output.and_then(|output| output.message).ok_or_else(|| invalid("an answer without a message"))?;
    let mut parts = Vec::new();
    for raw in message.content {
        parts.extend(part(raw, parts.len(), origin));
    }
    let Told { stop_sequence, extra } =
        told(answer.additional_model_response_fields, answer.trace, answer.performance_config);
    let mut candidate = Candidate { parts, ..Candidate::default() };
    candidate.finish = finish(answer.stop_reason.as_deref(), stop_sequence, candidate.calls_tools());
    Ok(ChatAnswer {
        model: origin.model.to_string(),
        candidates: vec![candidate],
        usage: answer.usage.map(TokenUsage::total),
        service_tier: answer.service_tier.and_then(|tier| tier.name),
        extra: Extra::of_answer(FAMILY, extra),
        ..ChatAnswer::default()
    })
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answer<'a> {
    #[serde(borrow)]
    output: Option<Output<'a>>,
    stop_reason: Option<String>,
    usage: Option<TokenUsage>,
    service_tier: Option<Tier>,
    additional_model_response_fields: Option<Value>,
    trace: Option<Value>,
    performance_config: Option<Value>,
}

#[derive(Debug, Deserialize)]
struct Output<'a> {
    #[serde(borrow)]
    message: Option<Message<'a>>,
}

#[derive(Debug, Deserialize)]
struct Message<'a> {
    #[serde(borrow, default)]
    content: Vec<&'a RawValue>,
}

/// A part of an answer: one of these, or one that is not known.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Block<'a> {
    text: Option<String>,
    #[serde(borrow)]
    tool_use: Option<ToolUse<'a>>,
    reasoning_content: Option<ReasoningContent>,
    citations_content: Option<CitationsContent>,
    image: Option<Image>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ToolUse<'a> {
    #[serde(default)]
    tool_use_id: String,
    name: String,
    #[serde(borrow)]
    input: Option<&'a RawValue>,
    /// Said only of tools that the provider runs.
    r#type: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ReasoningContent {
    reasoning_text: Option<ReasoningText>,
    redacted_content: Option<String>,
}

#[derive(Debug, Deserialize)]
struct ReasoningText {
    #[serde(default)]
    text: String,
    signature: Option<String>,
}

#[derive(Debug, Deserialize)]
struct CitationsContent {
    #[serde(default)]
    content: Vec<Generated>,
    #[serde(default)]
    citations: Vec<Value>,
}

#[derive(Debug, Deserialize)]
struct Generated {
    #[serde(default)]
    text: String,
}

#[derive(Debug, Deserialize)]
struct Image {
    format: String,
    source: ImageSource,
}

#[derive(Debug, Deserialize)]
struct ImageSource {
    bytes: String,
}

/// Which service was given.
#[derive(Debug, Deserialize)]
pub(super) struct Tier {
    #[serde(rename = "type")]
    pub(super) name: Option<String>,
}

/// What was used. The input does not include what was read from or written to the cache.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct TokenUsage {
    input_tokens: u64,
    output_tokens: u64,
    cache_read_input_tokens: Option<u64>,
    cache_write_input_tokens: Option<u64>,
    cache_details: Option<Vec<CacheDetail>>,
}

/// Tokens that were written to the cache for a time.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct CacheDetail {
    ttl: String,
    input_tokens: u64,
}

impl TokenUsage {
    /// In the words of all dialects.
    pub(super) fn total(self) -> Usage {
        let (read, written) =
            (self.cache_read_input_tokens.unwrap_or_default(), self.cache_write_input_tokens.unwrap_or_default());
        let for_an_hour = self.cache_details.iter().flatten().filter(|detail| detail.ttl == "1h");
        Usage {
            cache_write_1h_tokens: for_an_hour.map(|detail| detail.input_tokens).fold(0, u64::saturating_add),
            input_tokens: self.input_tokens.saturating_add(read).saturating_add(written),
            output_tokens: self.output_tokens,
            cached_input_tokens: read,
            cache_write_tokens: written,
            ..Usage::default()
        }
    }
}

/// What an answer tells beside its message.
pub(super) struct Told {
    /// Which text ended the answer.
    pub(super) stop_sequence: Option<String>,
    /// Members that only this family knows.
    pub(super) extra: Map<String, Value>,
}

/// Sorts what an answer tells beside its message.
pub(super) fn told(additional: Option<Value>, trace: Option<Value>, performance: Option<Value>) -> Told {
    let stop_sequence =
        additional.as_ref().and_then(|fields| fields.get("stop_sequence")).and_then(Value::as_str).map(str::to_owned);
    let members = [("additionalModelResponseFields", additional), ("trace", trace), ("performanceConfig", performance)];
    let extra = members.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect();
    Told { stop_sequence, extra }
}

/// Why an answer ended. One that calls tools waits for them, whatever the provider says, and one that does not, does not.
pub(super) fn finish(said: Option<&str>, stop_sequence: Option<String>, calls_tools: bool) -> Finish {
    let reason = match said.unwrap_or_default() {
        "tool_use" if calls_tools => FinishReason::ToolCalls,
        "max_tokens" => FinishReason::Length,
        "model_context_window_exceeded" => FinishReason::ContextLength,
        "guardrail_intervened" | "content_filtered" => FinishReason::ContentFilter,
        "malformed_model_output" | "malformed_tool_use" => FinishReason::Malformed,
        "refusal" => FinishReason::Refusal,
        _ if calls_tools => FinishReason::ToolCalls,
        "stop_sequence" => FinishReason::StopSequence,
        _ => FinishReason::Stop,
    };
    Finish { reason, raw: said.map(str::to_owned), stop_sequence }
}

/// The id of a call, which is never empty.
pub(super) fn call_id(id: String, number: usize) -> String {
    if id.is_empty() { format!("call_{number}") } else { id }
}

/// A source, as all dialects know it. Places in it are of the source, not of the answer, and stay the provider's own.
pub(super) fn citation(value: Value) -> Citation {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let words: String = value
        .get("sourceContent")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(|content| content.get("text")?.as_str())
        .collect();
    Citation {
        url: value.pointer("/location/web/url").and_then(text),
        title: value.get("title").and_then(text),
        cited_text: Some(words).filter(|words| !words.is_empty()),
        range: None,
        native: Some(Native { family: FAMILY, kind: "citation".to_owned(), value }),
    }
}

/// State of the provider's.
pub(super) fn state(kind: OpaqueKind, data: String, origin: &Origin) -> Opaque {
    Opaque { family: FAMILY, provider: origin.provider.to_string(), kind, data }
}

/// The media type of a picture.
pub(super) fn image_type(format: &str) -> String {
    format!("image/{format}")
}

/// A part of the message; `None` if it is an empty text.
fn part(raw: &RawValue, number: usize, origin: &Origin) -> Option<Part> {
    // What does not look as expected is not lost.
    let native = || {
        let value: Value = serde_json::from_str(raw.get()).ok()?;
        let kind = value.as_object().and_then(|members| members.keys().next()).cloned().unwrap_or_default();
        Some(Part::Native(Native { family: FAMILY, kind, value }))
    };
    let Ok(block) = serde_json::from_str::<Block<'_>>(raw.get()) else { return native() };
    if let Some(text) = block.text {
        return (!text.is_empty()).then(|| text.into());
    }
    if let Some(call) = block.tool_use.filter(|call| call.r#type.is_none()) {
        return Some(tool_call(call, number, origin));
    }
    if let Some(thoughts) = block.reasoning_content {
        return reasoning(thoughts, origin).or_else(native);
    }
    if let Some(CitationsContent { content, citations }) = block.citations_content {
        let text = content.into_iter().map(|generated| generated.text).collect();
        let citations = citations.into_iter().map(citation).collect();
        return Some(Part::Text(Text { text, citations, ..Text::default() }));
    }
    match block.image {
        Some(Image { format, source }) => Some(Part::Media(Media::new(
            MediaKind::Image,
            MediaSource::Inline { media_type: image_type(&format), data: source.bytes },
        ))),
        None => native(),
    }
}

/// A call, or the answer itself where it was asked for as a call.
fn tool_call(call: ToolUse<'_>, number: usize, origin: &Origin) -> Part {
    let input = unescaped(call.input.map_or("{}", RawValue::get)).into_owned();
    let name = origin.names.original(&call.name);
    if name.is_empty() {
        return input.into();
    }
    Part::ToolCall(ToolCall {
        id: call_id(call.tool_use_id, number),
        name: name.to_owned(),
        input: ToolInput::Json(input),
        ..ToolCall::default()
    })
}

fn reasoning(thoughts: ReasoningContent, origin: &Origin) -> Option<Part> {
    let (text, opaque) = match thoughts {
        ReasoningContent { reasoning_text: Some(ReasoningText { text, signature }), .. } => {
            (text, signature.map(|signature| state(OpaqueKind::Signature, signature, origin)))
        }
        ReasoningContent { redacted_content: Some(data), .. } => {
            (String::new(), Some(state(OpaqueKind::Encrypted, data, origin)))
        }
        ReasoningContent { .. } => return None,
    };
    let is_summary = !text.is_empty() && summarizes(origin);
    Some(Part::Reasoning(Reasoning { text, is_summary, opaque, id: None }))
}

/// Whether the thoughts that the model shows are a summary of them: Claude's, which Anthropic calls summarized.
pub(super) fn summarizes(origin: &Origin) -> bool {
    matches!(Model::of(&origin.model), Model::Claude { .. })
}

#[cfg(test)]
mod tests;
