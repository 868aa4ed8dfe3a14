//! Writes a message of the model's.

use bytes::BytesMut;
use gw_core::chat::{Delta, Family, Opaque};
use serde_json::{Value, json};

use super::super::super::{FAMILY, request};
use super::{Piece, Writer};

/// A message: texts and refusals in a row.
pub(in super::super) struct Message {
    id: String,
    content: Vec<Value>,
    part: Option<MessagePart>,
    pub(super) phase: Option<String>,
    /// State of Gemini's, for which a message has no place.
    pub(super) state: Option<Opaque>,
    is_announced: bool,
}

#[derive(Default)]
struct MessagePart {
    is_refusal: bool,
    is_announced: bool,
    text: String,
    annotations: Vec<Value>,
    logprobs: Vec<Value>,
    /// How many of the probabilities were told.
    told_logprobs: usize,
}

impl MessagePart {
    fn new(is_refusal: bool) -> Self {
        Self { is_refusal, ..Self::default() }
    }

    fn written(&self) -> Value {
        if self.is_refusal {
            return json!({"type": "refusal", "refusal": self.text});
        }
        json!({"type": "output_text", "text": self.text, "annotations": self.annotations, "logprobs": self.logprobs})
    }
}

impl Message {
    pub(super) fn new(writer: &Writer) -> Self {
        Self { id: writer.id("msg"), content: Vec::new(), part: None, phase: None, state: None, is_announced: false }
    }

    fn written(&self, status: &str) -> Value {
        let mut item =
            json!({"id": self.id, "type": "message", "status": status, "role": "assistant", "content": self.content});
        if let Some(phase) = &self.phase {
            item["phase"] = Value::from(phase.as_str());
        }
        item
    }

    pub(super) fn begin(&mut self, is_refusal: bool, writer: &mut Writer, out: &mut BytesMut) {
        self.stop(writer, out);
        self.part = Some(MessagePart::new(is_refusal));
    }

    /// Says that the message and its part begin: as late as can be, since the phase comes with the first text.
    fn announce(&mut self, writer: &mut Writer, out: &mut BytesMut) {
        if !std::mem::replace(&mut self.is_announced, true) {
            writer.added(&self.written("in_progress"), out);
        }
        if let Some(part) = self.part.as_mut().filter(|part| !part.is_announced) {
            part.is_announced = true;
            let body =
                json!({"content_index": self.content.len(), "part": MessagePart::new(part.is_refusal).written()});
            writer.about("response.content_part.added", &self.id, body, out);
        }
    }

    pub(super) fn delta(&mut self, delta: &Delta, writer: &mut Writer, out: &mut BytesMut) {
        if matches!(delta, Delta::Text(_) | Delta::Citation(_)) {
            self.announce(writer, out);
        }
        let Some(part) = &mut self.part else { return };
        match delta {
            Delta::Text(more) => {
                part.text.push_str(more);
                let kind = if part.is_refusal { "response.refusal.delta" } else { "response.output_text.delta" };
                let logprobs = part.logprobs.get(part.told_logprobs..).unwrap_or_default();
                let body = Piece {
                    item_id: &self.id,
                    output_index: writer.place(),
                    content_index: Some(self.content.len()),
                    summary_index: None,
                    delta: more,
                    logprobs: (!part.is_refusal).then_some(logprobs),
                };
                writer.emit(kind, &body, out);
                part.told_logprobs = part.logprobs.len();
            }
            Delta::Citation(citation) if !part.is_refusal => {
                let chars = part.text.chars().count() as u64;
                let Some(annotation) = request::annotation(citation, chars) else { return };
                let body = json!({
                    "content_index": self.content.len(),
                    "annotation_index": part.annotations.len(),
                    "annotation": annotation,
                });
                part.annotations.push(annotation);
                writer.about("response.output_text.annotation.added", &self.id, body, out);
            }
            Delta::Logprobs(Value::Array(tokens)) => part.logprobs.extend(tokens.iter().map(token)),
            Delta::Opaque(opaque) if opaque.family == FAMILY => self.phase = Some(opaque.data.clone()),
            Delta::Opaque(opaque) if opaque.family == Family::Gemini => self.state = Some(opaque.clone()),
            _ => {}
        }
    }

    pub(super) fn stop(&mut self, writer: &mut Writer, out: &mut BytesMut) {
        if self.part.is_some() {
            self.announce(writer, out);
        }
        let Some(part) = self.part.take() else { return };
        let place = self.content.len();
        let (kind, body) = if part.is_refusal {
            ("response.refusal.done", json!({"content_index": place, "refusal": part.text}))
        } else {
            let body = json!({"content_index": place, "text": part.text, "logprobs": part.logprobs});
            ("response.output_text.done", body)
        };
        writer.about(kind, &self.id, body, out);
        let written = part.written();
        let body = json!({"content_index": place, "part": written});
        writer.about("response.content_part.done", &self.id, body, out);
        self.content.push(written);
    }

    pub(super) fn finish(mut self, is_incomplete: bool, writer: &mut Writer, out: &mut BytesMut) {
        self.stop(writer, out);
        self.announce(writer, out);
        writer.done(self.written(if is_incomplete { "incomplete" } else { "completed" }), out);
    }
}

/// A token with the members that OpenAI's schema wants.
fn token(token: &Value) -> Value {
    let mut token = token.clone();
    if let Value::Object(members) = &mut token {
        for name in ["bytes", "top_logprobs"] {
            if members.get(name).is_none_or(Value::is_null) {
                members.insert(name.to_owned(), json!([]));
            }
        }
    }
    token
}
