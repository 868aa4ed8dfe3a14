//! Writes an item of thoughts.

use bytes::BytesMut;
use serde_json::{Value, json};

use super::{Piece, Writer};

/// Thoughts: a summary, the words, and state.
pub(in super::super) struct Thoughts {
    id: String,
    /// Whether the provider named the item, so that more of it may come in another block.
    pub(super) is_named: bool,
    pub(super) is_summary: bool,
    summary: String,
    content: String,
    /// Whether the part of the block that is open was announced.
    is_open: bool,
    pub(super) state: Option<String>,
}

impl Thoughts {
    pub(super) fn new(id: Option<&str>, writer: &mut Writer, out: &mut BytesMut) -> Self {
        // What is encrypted knows the id of its item.
        let named = id.filter(|id| id.starts_with("rs_"));
        let thoughts = Self {
            id: named.map_or_else(|| writer.id("rs"), str::to_owned),
            is_named: named.is_some(),
            is_summary: true,
            summary: String::new(),
            content: String::new(),
            is_open: false,
            state: None,
        };
        writer.added(&thoughts.written(), out);
        thoughts
    }

    /// Whether a block is more of this item.
    pub(super) fn continues(&self, id: Option<&str>, is_summary: bool) -> bool {
        let is_new = if is_summary { self.summary.is_empty() } else { self.content.is_empty() };
        self.is_named && id == Some(&self.id) && is_new
    }

    fn written(&self) -> Value {
        let part = |kind: &str, text: &str| json!([{"type": kind, "text": text}]);
        let mut item = json!({"id": self.id, "type": "reasoning", "summary": []});
        if !self.summary.is_empty() {
            item["summary"] = part("summary_text", &self.summary);
        }
        if !self.content.is_empty() {
            item["content"] = part("reasoning_text", &self.content);
        }
        if let Some(state) = &self.state {
            item["encrypted_content"] = Value::from(state.as_str());
        }
        item
    }

    pub(super) fn more(&mut self, more: &str, writer: &mut Writer, out: &mut BytesMut) {
        if !std::mem::replace(&mut self.is_open, true) {
            let (kind, body) = self.part("added", "");
            writer.about(kind, &self.id, body, out);
        }
        let (text, kind) = if self.is_summary {
            (&mut self.summary, "response.reasoning_summary_text.delta")
        } else {
            (&mut self.content, "response.reasoning_text.delta")
        };
        text.push_str(more);
        let body = Piece {
            item_id: &self.id,
            output_index: writer.place(),
            content_index: (!self.is_summary).then_some(0),
            summary_index: self.is_summary.then_some(0),
            delta: more,
            logprobs: None,
        };
        writer.emit(kind, &body, out);
    }

    /// The event that a part begins or ends.
    fn part(&self, what: &str, text: &str) -> (&'static str, Value) {
        match (self.is_summary, what) {
            (true, what) => {
                let body = json!({"summary_index": 0, "part": {"type": "summary_text", "text": text}});
                let added = what == "added";
                (
                    if added {
                        "response.reasoning_summary_part.added"
                    } else {
                        "response.reasoning_summary_part.done"
                    },
                    body,
                )
            }
            (false, what) => {
                let body = json!({"content_index": 0, "part": {"type": "reasoning_text", "text": text}});
                let added = what == "added";
                (if added { "response.content_part.added" } else { "response.content_part.done" }, body)
            }
        }
    }

    pub(super) fn stop(&mut self, writer: &mut Writer, out: &mut BytesMut) {
        if !std::mem::replace(&mut self.is_open, false) {
            return;
        }
        let (text, kind, index) = if self.is_summary {
            (&self.summary, "response.reasoning_summary_text.done", "summary_index")
        } else {
            (&self.content, "response.reasoning_text.done", "content_index")
        };
        writer.about(kind, &self.id, json!({index: 0, "text": text}), out);
        let (kind, body) = self.part("done", text);
        writer.about(kind, &self.id, body, out);
    }

    pub(super) fn finish(mut self, writer: &mut Writer, out: &mut BytesMut) {
        self.stop(writer, out);
        writer.done(self.written(), out);
    }
}
