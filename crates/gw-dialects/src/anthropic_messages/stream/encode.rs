//! Writes a stream.

use bytes::BytesMut;
use gw_core::chat::{Block, Delta, Event, Finish, Native, Opaque};
use gw_core::{Error, Usage};
use serde_json::{Map, Value, json};

use super::super::answer::{answer_id, is_redacted, left_out, model, redacted, signature, stop_reason};
use super::super::{FAMILY, citation, error, usage};
use crate::chat::{Asked, EncodeEvents};

/// Writes a stream as Anthropic does.
#[derive(Debug)]
pub(in super::super) struct Encoder {
    asked: Asked,
    has_begun: bool,
    open: Option<Open>,
    /// The number of the next block that is written: not every block of ours is one of theirs.
    next: u32,
    calls_tools: bool,
    finish: Finish,
    usage: Usage,
    /// What of the answer only Anthropic has.
    extra: Map<String, Value>,
}

/// The block of ours that is open.
#[derive(Debug)]
struct Open {
    index: u32,
    kind: Kind,
    /// The number under which it was written, once it was.
    number: Option<u32>,
    /// State that is written at its end.
    state: Option<Opaque>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    Thinking,
    Call,
    /// A call that is given text: the text stands in an object.
    CustomCall,
    /// What is written whole when it begins, or not at all.
    Done,
}

impl EncodeEvents for Encoder {
    fn encode(&mut self, event: &Event, out: &mut BytesMut) {
        match event {
            Event::Start { id, model, .. } => self.start(id, model, out),
            Event::BlockStart { index, candidate: 0, block } => self.block(*index, block, out),
            Event::Delta { index, delta } if self.open.as_ref().is_some_and(|open| open.index == *index) => {
                self.delta(delta, out);
            }
            Event::BlockStop { index } if self.open.as_ref().is_some_and(|open| open.index == *index) => {
                self.close(out);
            }
            Event::Usage(usage) => self.usage = self.usage.merge(*usage),
            Event::Finish { candidate: 0, finish } => self.finish = finish.clone(),
            Event::Extra(extra) => self.extra.extend(extra.of(FAMILY).cloned().unwrap_or_default()),
            // Messages say it when they begin, before it is known.
            Event::ServiceTier(_) => {}
            // There is but one answer here.
            Event::BlockStart { .. } | Event::Delta { .. } | Event::BlockStop { .. } | Event::Finish { .. } => {}
        }
    }

    fn error(&mut self, error: &Error, out: &mut BytesMut) {
        write(out, "error", &error::event(error, self.asked.request_id.as_str()));
    }

    fn end(&mut self, out: &mut BytesMut) {
        self.start("", "", out);
        self.close(out);
        let mut delta = Map::new();
        delta.insert("stop_reason".to_owned(), stop_reason(self.finish.reason, self.calls_tools).into());
        delta.insert("stop_sequence".to_owned(), self.finish.stop_sequence.clone().into());
        delta.append(&mut self.extra);
        let data = json!({"type": "message_delta", "delta": delta, "usage": usage::encode(&self.usage)});
        write(out, "message_delta", &data);
        write(out, "message_stop", &json!({"type": "message_stop"}));
    }
}

impl Encoder {
    pub(in super::super) fn new(asked: Asked) -> Self {
        Self {
            asked,
            has_begun: false,
            open: None,
            next: 0,
            calls_tools: false,
            finish: Finish::default(),
            usage: Usage::default(),
            extra: Map::new(),
        }
    }

    /// Begins at once, so that the client sees a sign of life. What the prompt took is mostly not known yet, and is told
    /// at the end.
    fn start(&mut self, id: &str, named: &str, out: &mut BytesMut) {
        if std::mem::replace(&mut self.has_begun, true) {
            return;
        }
        let message = json!({
            "id": answer_id(id, &self.asked),
            "type": "message",
            "role": "assistant",
            "model": model(named, &self.asked),
            "content": [],
            "stop_reason": null,
            "stop_sequence": null,
            "usage": usage::encode(&self.usage),
        });
        write(out, "message_start", &json!({"type": "message_start", "message": message}));
    }

    fn block(&mut self, index: u32, block: &Block, out: &mut BytesMut) {
        self.start("", "", out);
        self.close(out);
        let mut open = Open { index, kind: Kind::Done, number: None, state: None };
        match block {
            Block::Text | Block::Refusal => {
                open.kind = Kind::Text;
                open.number = Some(self.begin(&json!({"type": "text", "text": ""}), out));
            }
            // Whether there are thoughts to be read is seen with what comes next.
            Block::Reasoning { .. } => open.kind = Kind::Thinking,
            Block::ToolCall { id, name, is_custom } => {
                self.calls_tools = true;
                let call = json!({"type": "tool_use", "id": id, "name": name, "input": {}});
                let number = self.begin(&call, out);
                open.number = Some(number);
                open.kind = if *is_custom { Kind::CustomCall } else { Kind::Call };
                if *is_custom {
                    piece(number, &input("{\"input\":\""), out);
                }
            }
            Block::Media { kind, .. } => self.whole_text(left_out(*kind), out),
            Block::Native(native) if native.family == FAMILY => self.native(native, out),
            // A provider's own tool at work: what came of it is in the text.
            Block::Native(_) => {}
        }
        self.open = Some(open);
    }

    fn delta(&mut self, delta: &Delta, out: &mut BytesMut) {
        let Some(mut open) = self.open.take() else { return };
        match (delta, open.kind) {
            (Delta::Text(text), Kind::Thinking) => {
                let number = self.thinking(&mut open, out);
                piece(number, &json!({"type": "thinking_delta", "thinking": text}), out);
            }
            (Delta::Text(text), kind) => {
                let said = match kind {
                    Kind::Text => json!({"type": "text_delta", "text": text}),
                    Kind::CustomCall => input(&escaped(text)),
                    _ => input(text),
                };
                if let Some(number) = open.number {
                    piece(number, &said, out);
                }
            }
            (Delta::Citation(citation), Kind::Text) => {
                if let (Some(number), Some(citation)) = (open.number, citation::encode(citation)) {
                    piece(number, &json!({"type": "citations_delta", "citation": citation}), out);
                }
            }
            (Delta::Opaque(state), kind) if kind != Kind::Done => open.state = Some(state.clone()),
            _ => {}
        }
        self.open = Some(open);
    }

    /// Closes the block that is open, with the state that belongs to it.
    fn close(&mut self, out: &mut BytesMut) {
        let Some(mut open) = self.open.take() else { return };
        let state = open.state.take();
        match (open.kind, state) {
            (Kind::Thinking, Some(state)) if is_redacted(&state) => {
                self.end_block(open.number, out);
                self.whole(&redacted(&state), out);
            }
            (Kind::Thinking, state) => {
                let number = self.thinking(&mut open, out);
                if let Some(state) = state {
                    piece(number, &json!({"type": "signature_delta", "signature": signature(&state)}), out);
                }
                self.end_block(Some(number), out);
            }
            (kind, state) => {
                if let (Kind::CustomCall, Some(number)) = (kind, open.number) {
                    piece(number, &input("\"}"), out);
                }
                self.end_block(open.number, out);
                if let Some(state) = state {
                    self.whole(&redacted(&state), out);
                }
            }
        }
    }

    /// The number of a block of thoughts, which begins with this if it has not.
    fn thinking(&mut self, open: &mut Open, out: &mut BytesMut) -> u32 {
        if let Some(number) = open.number {
            return number;
        }
        let number = self.begin(&json!({"type": "thinking", "thinking": "", "signature": ""}), out);
        open.number = Some(number);
        number
    }

    fn native(&mut self, native: &Native, out: &mut BytesMut) {
        let mut block = native.value.clone();
        let streamed = block.get_mut("input").filter(|input| input.is_object() && native.kind.ends_with("_use"));
        let streamed = streamed.map(|streamed| std::mem::replace(streamed, json!({})).to_string());
        let number = self.begin(&block, out);
        if let Some(streamed) = streamed {
            piece(number, &input(&streamed), out);
        }
        self.end_block(Some(number), out);
    }

    fn whole_text(&mut self, text: &str, out: &mut BytesMut) {
        let number = self.begin(&json!({"type": "text", "text": ""}), out);
        piece(number, &json!({"type": "text_delta", "text": text}), out);
        self.end_block(Some(number), out);
    }

    fn whole(&mut self, block: &Value, out: &mut BytesMut) {
        let number = self.begin(block, out);
        self.end_block(Some(number), out);
    }

    fn begin(&mut self, block: &Value, out: &mut BytesMut) -> u32 {
        let number = self.next;
        self.next = self.next.saturating_add(1);
        let data = json!({"type": "content_block_start", "index": number, "content_block": block});
        write(out, "content_block_start", &data);
        number
    }

    fn end_block(&self, number: Option<u32>, out: &mut BytesMut) {
        if let Some(number) = number {
            write(out, "content_block_stop", &json!({"type": "content_block_stop", "index": number}));
        }
    }
}

fn piece(number: u32, delta: &Value, out: &mut BytesMut) {
    write(out, "content_block_delta", &json!({"type": "content_block_delta", "index": number, "delta": delta}));
}

fn input(partial_json: &str) -> Value {
    json!({"type": "input_json_delta", "partial_json": partial_json})
}

/// Text as it stands between the quotes of a JSON string.
fn escaped(text: &str) -> String {
    let quoted = Value::from(text).to_string();
    quoted.get(1..quoted.len().saturating_sub(1)).unwrap_or_default().to_owned()
}

fn write(out: &mut BytesMut, name: &str, data: &Value) {
    out.extend_from_slice(format!("event: {name}\ndata: {data}\n\n").as_bytes());
}
