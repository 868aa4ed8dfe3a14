//! Writes a call of a tool, and a picture.

use bytes::BytesMut;
use gw_core::chat::Opaque;
use serde_json::{Value, json};

use super::super::super::tools::Names;
use super::{Piece, Writer};

/// A call of a tool.
pub(in super::super) struct Call {
    id: String,
    /// The item as it will be, but for the input.
    item: Value,
    is_custom: bool,
    input: String,
    pub(super) state: Option<Opaque>,
}

impl Call {
    pub(super) fn new(
        call_id: &str,
        (name, names): (&str, &Names),
        is_custom: bool,
        writer: &mut Writer,
        out: &mut BytesMut,
    ) -> Self {
        let (prefix, kind, input) =
            if is_custom { ("ctc", "custom_tool_call", "input") } else { ("fc", "function_call", "arguments") };
        let id = writer.id(prefix);
        let mut item = json!({"id": id, "type": kind, "status": "in_progress", "call_id": call_id});
        names.write_for_client(&mut item, name);
        item[input] = json!("");
        writer.added(&item, out);
        Self { id, item, is_custom, input: String::new(), state: None }
    }

    pub(super) fn more(&mut self, more: &str, writer: &mut Writer, out: &mut BytesMut) {
        self.input.push_str(more);
        let kind = if self.is_custom {
            "response.custom_tool_call_input.delta"
        } else {
            "response.function_call_arguments.delta"
        };
        let body = Piece {
            item_id: &self.id,
            output_index: writer.place(),
            content_index: None,
            summary_index: None,
            delta: more,
            logprobs: None,
        };
        writer.emit(kind, &body, out);
    }

    pub(super) fn finish(mut self, writer: &mut Writer, out: &mut BytesMut) {
        if !self.is_custom && self.input.trim().is_empty() {
            self.input.clear();
            self.more("{}", writer, out);
        }
        let Self { id, mut item, is_custom, input, .. } = self;
        let (kind, member) = if is_custom {
            ("response.custom_tool_call_input.done", "input")
        } else {
            ("response.function_call_arguments.done", "arguments")
        };
        let mut body = json!({member: input});
        if !is_custom {
            body["name"] = item["name"].clone();
        }
        writer.about(kind, &id, body, out);
        item[member] = Value::from(input);
        item["status"] = json!("completed");
        writer.done(item, out);
    }
}

/// A picture that the model made.
pub(in super::super) struct Picture {
    id: String,
    format: String,
    pub(super) data: String,
    /// What its provider wants to see again with it.
    pub(super) state: Option<Opaque>,
}

impl Picture {
    pub(super) fn new(format: &str, writer: &mut Writer, out: &mut BytesMut) -> Self {
        let id = writer.id("ig");
        let item = json!({"id": id, "type": "image_generation_call", "status": "in_progress", "result": null});
        writer.added(&item, out);
        Self { id, format: format.to_owned(), data: String::new(), state: None }
    }

    pub(super) fn finish(self, writer: &mut Writer, out: &mut BytesMut) {
        writer.about("response.image_generation_call.completed", &self.id, json!({}), out);
        let item = json!({
            "id": self.id,
            "type": "image_generation_call",
            "status": "completed",
            "result": self.data,
            "output_format": self.format,
        });
        writer.done(item, out);
    }
}
