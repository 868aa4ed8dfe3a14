//! The conversation: instructions and turns.

use gw_core::chat::{
    CacheMarker, Citation, Family, Opaque, OpaqueKind, Part, Reasoning, Text, ToolCall, ToolInput, ToolResult,
};
use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::media::{Documents, Place};
use super::tools::Calls;
use super::{Writer, cache_point, media, tools};
use crate::bedrock_converse::FAMILY;
use crate::bedrock_converse::model::Model;
use crate::shared::turns::{Side, Turn};

/// Stands where nothing of a turn could be said, since a turn without content is refused.
const NOTHING_LEFT: &str = "(content that cannot be sent to this model)";
/// Stands beside a document, which Converse does not take alone.
const SEE_DOCUMENT: &str = "(see the document)";
/// Stands where a tool gave nothing back: no text may be empty.
const NO_OUTPUT: &str = "(no output)";
/// Stands before the result of a tool that failed, for models that have no other word for it.
const FAILED: &str = "The tool failed:";

/// A turn.
#[derive(Debug, Serialize)]
pub(super) struct Message {
    role: &'static str,
    content: Vec<Block>,
}

/// A part of a turn or of a tool's result: an object with one member.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
enum Block {
    Text(String),
    ToolUse(ToolUse),
    ToolResult(ToolOutcome),
    /// A tool's result that is an object, as it was written.
    Json(Box<RawValue>),
    /// Any other, its one member included.
    #[serde(untagged)]
    Whole(Value),
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct ToolUse {
    tool_use_id: String,
    name: String,
    input: Box<RawValue>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct ToolOutcome {
    tool_use_id: String,
    content: Vec<Block>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<&'static str>,
}

/// The instructions.
pub(super) fn system(texts: &[Text], writer: &mut Writer<'_>) -> Vec<Value> {
    let mut blocks = Vec::new();
    for text in texts.iter().filter(|text| !text.text.trim().is_empty()) {
        blocks.push(json!({"text": text.text}));
        blocks.extend(mark(text.cache.as_ref(), writer));
    }
    blocks
}

/// The turns. Where no tools can be sent, calls and results are told as text: Converse refuses them without.
pub(super) fn messages(turns: Vec<Turn>, has_tools: bool, writer: &mut Writer<'_>) -> Vec<Message> {
    let (mut documents, mut calls) = (Documents::default(), Calls::default());
    let mut message = |turn: Turn| {
        let is_assistant = turn.side == Side::Model;
        let mut speaker =
            Speaker { is_assistant, has_tools, blocks: Vec::new(), documents: &mut documents, calls: &mut calls };
        turn.parts.into_iter().for_each(|part| speaker.part(part, writer));
        Message { role: if is_assistant { "assistant" } else { "user" }, content: speaker.finish() }
    };
    turns.into_iter().map(&mut message).collect()
}

/// Writes one turn.
struct Speaker<'a> {
    is_assistant: bool,
    has_tools: bool,
    blocks: Vec<Block>,
    documents: &'a mut Documents,
    calls: &'a mut Calls,
}

impl Speaker<'_> {
    fn part(&mut self, part: Part, writer: &mut Writer<'_>) {
        let cache = match part {
            Part::Text(text) => self.text(text, writer),
            Part::Refusal(text) => {
                self.blocks.push(Block::Text(text));
                None
            }
            Part::Media(mut medium) => {
                let cache = medium.cache.take();
                let place = if self.is_assistant { Place::Assistant } else { Place::User };
                self.blocks.extend(media::encode(medium, place, self.documents, writer).map(Block::Whole));
                cache
            }
            Part::ToolCall(call) if self.has_tools => self.call(call, writer),
            Part::ToolCall(call) => self.call_as_text(call, writer),
            Part::ToolResult(result) if self.has_tools => self.result(result, writer),
            Part::ToolResult(result) => self.result_as_text(result, writer),
            Part::Reasoning(reasoning) => {
                self.blocks.extend(thoughts(reasoning, writer).map(Block::Whole));
                None
            }
            Part::Native(native) if native.family == FAMILY && native.value.is_object() => {
                self.blocks.push(Block::Whole(native.value));
                None
            }
            Part::Native(_) => {
                writer.losses.drop("messages[].content[].type", "the provider's format has no such part");
                None
            }
        };
        self.blocks.extend(mark(cache.as_ref(), writer).map(Block::Whole));
    }

    fn text(&mut self, text: Text, writer: &mut Writer<'_>) -> Option<CacheMarker> {
        let Text { text, citations, cache, .. } = text;
        let count = citations.len();
        let own: Vec<Value> = citations.into_iter().filter_map(own_citation).collect();
        if own.len() < count {
            writer.losses.drop("messages[].annotations", "sources cannot be told to this model again");
        }
        if text.is_empty() {
            // What was only blanks at the end of the conversation.
        } else if own.is_empty() || !self.is_assistant {
            self.blocks.push(Block::Text(text));
        } else {
            self.blocks
                .push(Block::Whole(json!({"citationsContent": {"content": [{"text": text}], "citations": own}})));
        }
        cache
    }

    fn call(&mut self, call: ToolCall, writer: &mut Writer<'_>) -> Option<CacheMarker> {
        let ToolCall { id, name, input, cache, .. } = call;
        let (tool_use_id, name) = (self.calls.call(&id, writer.model), tools::NAME.fit(&name).into_owned());
        self.blocks.push(Block::ToolUse(ToolUse { tool_use_id, name, input: object(&input) }));
        cache
    }

    fn call_as_text(&mut self, call: ToolCall, writer: &mut Writer<'_>) -> Option<CacheMarker> {
        told_as_text(writer);
        let (ToolInput::Json(input) | ToolInput::Text(input)) = call.input;
        self.blocks.push(Block::Text(format!("[called {} with {input}]", call.name)));
        call.cache
    }

    fn result(&mut self, result: ToolResult, writer: &mut Writer<'_>) -> Option<CacheMarker> {
        let ToolResult { call_id, content, is_error, cache, .. } = result;
        let mut blocks = Vec::new();
        let takes_status = writer.model.takes_tool_status();
        if is_error && !takes_status {
            blocks.push(Block::Text(FAILED.to_owned()));
        }
        for part in content {
            blocks.extend(self.outcome(part, writer));
        }
        if blocks.is_empty() {
            blocks.push(Block::Text(NO_OUTPUT.to_owned()));
        }
        let status = (is_error && takes_status).then_some("error");
        let tool_use_id = self.calls.result(&call_id, writer.model);
        self.blocks.push(Block::ToolResult(ToolOutcome { tool_use_id, content: blocks, status }));
        cache
    }

    fn outcome(&mut self, part: Part, writer: &mut Writer<'_>) -> Option<Block> {
        match part {
            Part::Text(text) if text.text.trim().is_empty() => None,
            Part::Text(text) => Some(match serde_json::from_str::<&RawValue>(&text.text) {
                Ok(raw) if raw.get().starts_with('{') => Block::Json(raw.to_owned()),
                _ => Block::Text(text.text),
            }),
            Part::Refusal(text) => Some(Block::Text(text)),
            Part::Media(medium) => media::encode(medium, Place::ToolResult, self.documents, writer).map(Block::Whole),
            Part::Native(native) if native.family == FAMILY && native.value.is_object() => {
                Some(Block::Whole(native.value))
            }
            Part::Native(_) | Part::ToolCall(_) | Part::ToolResult(_) | Part::Reasoning(_) => {
                writer.losses.drop("messages[].content[].type", "a tool's result has no such part here");
                None
            }
        }
    }

    fn result_as_text(&mut self, result: ToolResult, writer: &mut Writer<'_>) -> Option<CacheMarker> {
        told_as_text(writer);
        let name = result.name.as_deref().unwrap_or("a tool");
        let said = if result.is_error { "failed with" } else { "returned" };
        self.blocks.push(Block::Text(format!("[{name} {said}:]")));
        let count = self.blocks.len();
        for part in result.content {
            match part {
                Part::Text(text) if text.text.trim().is_empty() => {}
                part @ (Part::Text(_) | Part::Refusal(_) | Part::Media(_) | Part::Native(_)) => self.part(part, writer),
                Part::ToolCall(_) | Part::ToolResult(_) | Part::Reasoning(_) => {
                    writer.losses.drop("messages[].content[].type", "a tool's result has no such part here");
                }
            }
        }
        if self.blocks.len() == count {
            self.blocks.push(Block::Text(NO_OUTPUT.to_owned()));
        }
        result.cache
    }

    /// The blocks, with what must not be missing.
    fn finish(self) -> Vec<Block> {
        let mut blocks = self.blocks;
        let is = |block: &Block, name: &str| matches!(block, Block::Whole(value) if value.get(name).is_some());
        let is_text = |block: &Block| matches!(block, Block::Text(_)) || is(block, "citationsContent");
        if blocks.iter().all(|block| is(block, "cachePoint") || is(block, "reasoningContent")) {
            blocks.push(Block::Text(NOTHING_LEFT.to_owned()));
        } else if blocks.iter().any(|block| is(block, "document")) && !blocks.iter().any(is_text) {
            blocks.push(Block::Text(SEE_DOCUMENT.to_owned()));
        }
        blocks
    }
}

/// Thoughts go back to the models that gave them, with their proof. Those of others, and those without proof, are not
/// shown: Claude refuses them.
fn thoughts(reasoning: Reasoning, writer: &mut Writer<'_>) -> Option<Value> {
    let Some(state) = reasoning.opaque else {
        writer.losses.drop("messages[].reasoning_content", "thoughts without a signature cannot be sent back");
        return None;
    };
    if !is_shown(&state, writer) {
        return None;
    }
    Some(match state.kind {
        OpaqueKind::Signature => {
            json!({"reasoningContent": {"reasoningText": {"text": reasoning.text, "signature": state.data}}})
        }
        OpaqueKind::Encrypted => json!({"reasoningContent": {"redactedContent": state.data}}),
    })
}

/// Whether thoughts with this state are shown to the model: its own, and those of Claude wherever it was served.
pub(super) fn is_shown(state: &Opaque, writer: &Writer<'_>) -> bool {
    let provider = writer.target.provider;
    let is_own = state.belongs_to(Family::Bedrock, provider) && writer.model.takes_thoughts();
    // Anthropic's own encrypted thoughts are text, Converse's are bytes: they are not the same.
    let is_claudes = state.kind == OpaqueKind::Signature
        && matches!(writer.model, Model::Claude { .. })
        && state.belongs_to(Family::Anthropic, provider);
    is_own || is_claudes
}

/// What a tool is given, as an object.
fn object(input: &ToolInput) -> Box<RawValue> {
    RawValue::from_string(input.object()).unwrap_or_else(|_| RawValue::NULL.to_owned())
}

fn own_citation(citation: Citation) -> Option<Value> {
    citation.native.filter(|native| native.family == FAMILY).map(|native| native.value)
}

fn told_as_text(writer: &mut Writer<'_>) {
    writer.losses.replace("messages[].tool_calls", "calls of tools that are not offered any more are told as text");
}

/// The block that follows what is to be remembered.
fn mark(cache: Option<&CacheMarker>, writer: &mut Writer<'_>) -> Option<Value> {
    let marker = cache?;
    if !writer.model.caches() {
        writer.losses.drop("cache_control", "the model remembers nothing that is marked");
        return None;
    }
    // Five minutes are what a point without a time means, and what all models know.
    let ttl = marker.ttl.as_deref().filter(|ttl| *ttl == "1h");
    if ttl.is_some() && matches!(writer.model, Model::Nova { .. }) {
        writer.losses.replace("cache_control.ttl", "the model remembers for five minutes only");
        return Some(cache_point(None));
    }
    Some(cache_point(ttl))
}
