//! Writes the events of one item of a stream, and the item itself.

mod call;
mod message;
mod thoughts;

use bytes::{BufMut, BytesMut};
use gw_core::RequestId;
use gw_core::chat::{Block, Delta, Family, Opaque};
use serde::Serialize;
use serde_json::{Value, json};

use super::super::FAMILY;
use super::super::tools::Names;
use call::{Call, Picture};
use message::Message;
use thoughts::Thoughts;

/// Writes events and keeps the items that are whole.
pub(super) struct Writer {
    request_id: RequestId,
    is_silent: bool,
    sequence: u64,
    /// The items that are whole. The next one's place is behind them.
    pub(super) output: Vec<Value>,
}

#[derive(Serialize)]
struct Numbered<'a, T> {
    #[serde(rename = "type")]
    kind: &'a str,
    sequence_number: u64,
    #[serde(flatten)]
    body: &'a T,
}

/// An event about a part of an item. This one is written without a tree, since there is one for each piece of text.
#[derive(Serialize)]
struct Piece<'a> {
    item_id: &'a str,
    output_index: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    content_index: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    summary_index: Option<usize>,
    delta: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    logprobs: Option<&'a [Value]>,
}

impl Writer {
    pub(super) fn new(request_id: RequestId) -> Self {
        Self { request_id, is_silent: false, sequence: 0, output: Vec::new() }
    }

    /// One that keeps the items and writes nothing.
    pub(super) fn silent(request_id: RequestId) -> Self {
        Self { is_silent: true, ..Self::new(request_id) }
    }

    pub(super) fn emit<T: Serialize>(&mut self, kind: &str, body: &T, out: &mut BytesMut) {
        if self.is_silent {
            return;
        }
        out.extend_from_slice(b"event: ");
        out.extend_from_slice(kind.as_bytes());
        out.extend_from_slice(b"\ndata: ");
        let event = Numbered { kind, sequence_number: self.sequence, body };
        // Trees and texts can always be written to memory.
        if serde_json::to_writer(out.writer(), &event).is_ok() {
            self.sequence += 1;
        }
        out.extend_from_slice(b"\n\n");
    }

    /// The id of the item that comes next.
    pub(super) fn id(&self, prefix: &str) -> String {
        format!("{prefix}_{}_{}", self.request_id, self.place())
    }

    pub(super) fn added(&mut self, item: &Value, out: &mut BytesMut) {
        let body = json!({"output_index": self.place(), "item": item});
        self.emit("response.output_item.added", &body, out);
    }

    pub(super) fn done(&mut self, item: Value, out: &mut BytesMut) {
        let body = json!({"output_index": self.place(), "item": item});
        self.emit("response.output_item.done", &body, out);
        self.output.push(item);
    }

    fn place(&self) -> usize {
        self.output.len()
    }

    /// An event about the open item: its id and place, and what else it says.
    fn about(&mut self, kind: &str, item_id: &str, mut body: Value, out: &mut BytesMut) {
        body["item_id"] = Value::from(item_id);
        body["output_index"] = Value::from(self.place());
        self.emit(kind, &body, out);
    }
}

/// The item that is being written.
pub(super) enum Item {
    Message(Message),
    Thoughts(Thoughts),
    Call(Call),
    Picture(Picture),
}

impl Item {
    /// Begins an item; `None` if this dialect has none for what the block holds.
    pub(super) fn new(block: &Block, names: &Names, writer: &mut Writer, out: &mut BytesMut) -> Option<Self> {
        match block {
            Block::Text | Block::Refusal => Some(Self::Message(Message::new(writer))),
            Block::Reasoning { id, .. } => Some(Self::Thoughts(Thoughts::new(id.as_deref(), writer, out))),
            Block::ToolCall { id, name, is_custom } => {
                Some(Self::Call(Call::new(id, (name, names), *is_custom, writer, out)))
            }
            Block::Media { media_type, .. } => {
                let format = media_type.strip_prefix("image/")?;
                Some(Self::Picture(Picture::new(format, writer, out)))
            }
            Block::Native(_) => None,
        }
    }

    /// Whether a block is more of this item.
    pub(super) fn continues(&self, block: &Block) -> bool {
        match (self, block) {
            (Self::Message(_), Block::Text | Block::Refusal) => true,
            (Self::Thoughts(thoughts), Block::Reasoning { id, is_summary }) => {
                thoughts.continues(id.as_deref(), *is_summary)
            }
            _ => false,
        }
    }

    /// A block of the item begins.
    pub(super) fn begin(&mut self, block: &Block, writer: &mut Writer, out: &mut BytesMut) {
        match (self, block) {
            (Self::Message(message), block) => message.begin(*block == Block::Refusal, writer, out),
            (Self::Thoughts(thoughts), Block::Reasoning { is_summary, .. }) => thoughts.is_summary = *is_summary,
            _ => {}
        }
    }

    pub(super) fn delta(&mut self, delta: &Delta, writer: &mut Writer, out: &mut BytesMut) {
        match (self, delta) {
            (Self::Message(message), delta) => message.delta(delta, writer, out),
            (Self::Thoughts(thoughts), Delta::Text(more)) => thoughts.more(more, writer, out),
            (Self::Thoughts(thoughts), Delta::Opaque(opaque)) => thoughts.state = Some(opaque.seal(FAMILY)),
            (Self::Call(call), Delta::Text(more)) => call.more(more, writer, out),
            (Self::Call(call), Delta::Opaque(opaque)) => call.state = Some(opaque.clone()),
            (Self::Picture(picture), Delta::Text(more)) => picture.data.push_str(more),
            (Self::Picture(picture), Delta::Opaque(opaque)) => picture.state = Some(opaque.clone()),
            _ => {}
        }
    }

    /// The block ends. Whether the item ends with it.
    pub(super) fn stop(&mut self, writer: &mut Writer, out: &mut BytesMut) -> bool {
        match self {
            Self::Message(message) => {
                message.stop(writer, out);
                // The next text may be of another phase; a signature stands right behind its text.
                message.phase.is_some() || message.state.is_some()
            }
            Self::Thoughts(thoughts) => {
                thoughts.stop(writer, out);
                !thoughts.is_named
            }
            Self::Call(_) | Self::Picture(_) => true,
        }
    }

    /// State for which the item has no place: Gemini's, on a call, a text or a picture.
    pub(super) fn take_foreign_state(&mut self) -> Option<Opaque> {
        match self {
            Self::Call(call) => call.state.take().filter(|opaque| opaque.family == Family::Gemini),
            Self::Message(message) => message.state.take(),
            Self::Picture(picture) => picture.state.take().filter(|opaque| opaque.family == Family::Gemini),
            _ => None,
        }
    }

    pub(super) fn finish(self, is_incomplete: bool, writer: &mut Writer, out: &mut BytesMut) {
        match self {
            Self::Message(message) => message.finish(is_incomplete, writer, out),
            Self::Thoughts(thoughts) => thoughts.finish(writer, out),
            Self::Call(call) => call.finish(writer, out),
            Self::Picture(picture) => picture.finish(writer, out),
        }
    }
}
