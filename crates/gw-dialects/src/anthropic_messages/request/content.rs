//! The turns of a conversation, written.

use gw_core::chat::{Loss, Native, Opaque, OpaqueKind, Part, Reasoning, Text, ToolResult};
use serde_json::{Map, Value, json};

use super::super::wire::{Block, mark};
use super::super::{FAMILY, citation};
use super::{media, tools};
use crate::shared::losses::Losses;
use crate::shared::turns::{Side, Turn};

/// A turn as it is written.
#[derive(Debug, serde::Serialize)]
pub(super) struct Message {
    pub(super) role: &'static str,
    pub(super) content: Vec<Block>,
    /// What only Anthropic's clients say of it.
    #[serde(flatten)]
    pub(super) unknown: Map<String, Value>,
}

/// The turns, without those of which nothing can be said.
pub(super) fn write(turns: &[Turn], provider: &str, losses: &mut Losses) -> Vec<Message> {
    let mut writer = Writer { provider, losses };
    let mut messages = Messages::default();
    for turn in turns {
        let content: Vec<Block> = turn.parts.iter().filter_map(|part| writer.part(part, turn.side)).collect();
        match turn.side {
            _ if content.is_empty() => {}
            Side::Instructions => messages.waiting.extend(content),
            Side::User => {
                if !messages.waiting.is_empty() {
                    writer.lose(Loss::replaced("messages[].role", "instructions were moved behind the user's turn"));
                }
                messages.add("user", content);
                messages.decorate(turn);
            }
            Side::Model => {
                messages.instruct(&mut writer);
                messages.add("assistant", content);
                messages.decorate(turn);
            }
        }
    }
    messages.instruct(&mut writer);
    messages.written
}

/// Messages that are being written.
#[derive(Default)]
struct Messages {
    written: Vec<Message>,
    /// Instructions that wait for the end of the user's turn.
    waiting: Vec<Block>,
}

impl Messages {
    /// Adds to the last message if it is of that role.
    fn add(&mut self, role: &'static str, content: Vec<Block>) {
        match self.written.last_mut().filter(|last| last.role == role) {
            Some(last) => last.content.extend(content),
            None => self.written.push(Message { role, content, unknown: Map::new() }),
        }
    }

    /// Adds to the last message what its turn says besides.
    fn decorate(&mut self, turn: &Turn) {
        if let Some(last) = self.written.last_mut() {
            turn.unknown.write(FAMILY, &mut last.unknown);
        }
    }

    /// Writes the instructions that wait. Anthropic takes them behind a user's turn only, before a turn of the model's or
    /// at the end, and never two in a row (its page "Mid-conversation system messages").
    fn instruct(&mut self, writer: &mut Writer<'_>) {
        let content = std::mem::take(&mut self.waiting);
        if content.is_empty() {
            return;
        }
        if self.written.last().is_some_and(|last| last.role == "user") {
            self.add("system", content);
        } else {
            writer
                .lose(Loss::replaced("messages[].role", "instructions behind the model's turn are sent as the user's"));
            self.add("user", content);
        }
    }
}

/// A text as a block. Citations of other vendors' have no words in what models are given.
pub(super) fn text(text: &Text, losses: &mut Losses) -> Value {
    let mut block = Block::of("text", [("text", Value::from(text.text.as_str()))]);
    let citations: Vec<Value> = text.citations.iter().filter_map(citation::own).cloned().collect();
    if citations.len() < text.citations.len() {
        losses.push(Loss::dropped("messages[].annotations", "the provider takes back none but its own citations"));
    }
    if !citations.is_empty() {
        block.insert("citations".to_owned(), Value::Array(citations));
    }
    mark(&mut block, text.cache.as_ref());
    text.unknown.write(FAMILY, &mut block);
    Value::Object(block)
}

struct Writer<'a> {
    provider: &'a str,
    losses: &'a mut Losses,
}

impl Writer<'_> {
    fn part(&mut self, part: &Part, side: Side) -> Option<Block> {
        let is_assistant = side == Side::Model;
        match part {
            Part::Text(said) => Some(Block::Plain(text(said, self.losses))),
            Part::Refusal(said) => Some(Block::text(said)),
            _ if side == Side::Instructions => {
                self.lose(Loss::dropped("messages[].content", "instructions are made of text here"));
                None
            }
            Part::Media(_) if is_assistant => {
                self.lose(Loss::dropped(
                    "messages[].content",
                    "the model's own pictures and sounds cannot be sent back",
                ));
                None
            }
            Part::Media(medium) => media::write(medium, self.losses).map(Block::Plain),
            Part::ToolCall(call) => Some(Block::tool_use(tools::fit(&call.id), tools::fit(&call.name), call)),
            Part::ToolResult(result) => Some(Block::Plain(self.result(result))),
            Part::Reasoning(Reasoning { text, opaque, .. }) if is_assistant => {
                thoughts(text, opaque.as_ref()?, self.provider).map(Block::Plain)
            }
            Part::Reasoning(_) => None,
            Part::Native(native) => self.native(native).map(Block::Plain),
        }
    }

    fn native(&mut self, native: &Native) -> Option<Value> {
        if tools::is_own(native.family) {
            return Some(native.value.clone());
        }
        self.lose(Loss::dropped("messages[].content", "a part that only another vendor's format has"));
        None
    }

    fn result(&mut self, result: &ToolResult) -> Value {
        let parts = result.content.iter().filter(|part| !matches!(part, Part::Text(text) if text.text.is_empty()));
        let content: Vec<Value> = parts.filter_map(|part| self.result_part(part)).collect();
        let mut block = Block::of("tool_result", [("tool_use_id", Value::from(tools::fit(&result.call_id)))]);
        if !content.is_empty() {
            block.insert("content".to_owned(), Value::Array(content));
        }
        if result.is_error {
            block.insert("is_error".to_owned(), Value::Bool(true));
        }
        mark(&mut block, result.cache.as_ref());
        result.unknown.write(FAMILY, &mut block);
        Value::Object(block)
    }

    fn result_part(&mut self, part: &Part) -> Option<Value> {
        match part {
            Part::Text(said) => Some(text(said, self.losses)),
            Part::Refusal(said) => Some(json!({"type": "text", "text": said})),
            Part::Media(medium) => media::write(medium, self.losses),
            Part::Native(native) => self.native(native),
            Part::ToolCall(_) | Part::ToolResult(_) | Part::Reasoning(_) => {
                self.lose(Loss::dropped("messages[].content", "a tool's result cannot hold such a part"));
                None
            }
        }
    }

    fn lose(&mut self, loss: Loss) {
        self.losses.push(loss);
    }
}

/// Thoughts go back to the provider whose they are, exactly as they came, or not at all.
fn thoughts(text: &str, state: &Opaque, provider: &str) -> Option<Value> {
    if !state.belongs_to(FAMILY, provider) {
        return None;
    }
    Some(match state.kind {
        OpaqueKind::Signature => json!({"type": "thinking", "thinking": text, "signature": state.data}),
        OpaqueKind::Encrypted => json!({"type": "redacted_thinking", "data": state.data}),
    })
}
