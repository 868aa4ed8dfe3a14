//! Writes a stream for a client: the beginning, the items in their order (`open`), the end. A whole answer is written in
//! the same way, so that both say the same.

use bytes::{Bytes, BytesMut};
use gw_core::chat::{Block, ChatAnswer, Delta, Event, Family, Finish, Native, Opaque};
use gw_core::{Error, Usage};
use serde_json::{Value, json};

use super::super::response::{Echo, Progress, incomplete};
use super::super::tools::Names;
use super::super::{FAMILY, error, read};
use super::open::{Item, Writer};
use crate::chat::{Asked, EncodeEvents};

/// Writes a stream.
pub(in super::super) struct Encoder {
    asked: Asked,
    names: Names,
    echo: Echo,
    writer: Writer,
    /// The item that is being written. It may outlast its block: texts in a row are one message.
    item: Option<Item>,
    /// The block that is open.
    block: Option<u32>,
    usage: Option<Usage>,
    finish: Option<Finish>,
    begun: bool,
    ended: bool,
}

/// A whole answer.
pub(in super::super) fn encode_whole(answer: &ChatAnswer, asked: &Asked) -> Bytes {
    let mut encoder = Encoder::new(asked.clone());
    encoder.writer = Writer::silent(asked.request_id);
    let mut nothing = BytesMut::new();
    for event in answer.clone().into_events() {
        encoder.encode(&event, &mut nothing);
    }
    encoder.close(false, &mut nothing);
    let (_, response) = encoder.whole();
    Bytes::from(response.to_string())
}

impl Encoder {
    pub(in super::super) fn new(asked: Asked) -> Self {
        Self {
            names: Names::of(&asked.request),
            echo: Echo::of(&asked),
            writer: Writer::new(asked.request_id),
            asked,
            item: None,
            block: None,
            usage: None,
            finish: None,
            begun: false,
            ended: false,
        }
    }

    fn begin(&mut self, out: &mut BytesMut) {
        if std::mem::replace(&mut self.begun, true) {
            return;
        }
        let response = self.echo.response(&Progress::Running, Vec::new(), None, self.asked.now_s);
        let body = json!({"response": response});
        self.writer.emit("response.created", &body, out);
        self.writer.emit("response.in_progress", &body, out);
    }

    fn block(&mut self, block: &Block, out: &mut BytesMut) {
        let continues = self.item.as_ref().is_some_and(|item| item.continues(block));
        if !continues {
            self.close(false, out);
            self.item = match block {
                Block::Native(native) => {
                    self.native(native, out);
                    None
                }
                block => Item::new(block, &self.names, &mut self.writer, out),
            };
        }
        if let Some(item) = &mut self.item {
            item.begin(block, &mut self.writer, out);
        }
    }

    fn delta(&mut self, delta: &Delta, out: &mut BytesMut) {
        if let Some(item) = &mut self.item {
            item.delta(delta, &mut self.writer, out);
        }
    }

    fn stop(&mut self, out: &mut BytesMut) {
        let Some(item) = &mut self.item else { return };
        if !item.stop(&mut self.writer, out) {
            return;
        }
        let state = item.take_foreign_state();
        self.close(false, out);
        if let Some(opaque) = state {
            self.state(&opaque, out);
        }
    }

    fn close(&mut self, is_incomplete: bool, out: &mut BytesMut) {
        if let Some(item) = self.item.take() {
            item.finish(is_incomplete, &mut self.writer, out);
        }
    }

    /// What Gemini signs a call, a text or a picture with stands in an item of thoughts behind it, since none has a place
    /// for it.
    fn state(&mut self, opaque: &Opaque, out: &mut BytesMut) {
        let id = self.writer.id("rs");
        let item = json!({"id": id, "type": "reasoning", "summary": [], "encrypted_content": opaque.seal(FAMILY)});
        self.writer.added(&item, out);
        self.writer.done(item, out);
    }

    /// An item of our own family as it came; another's search of the web as ours.
    fn native(&mut self, native: &Native, out: &mut BytesMut) {
        let item = match native.family {
            FAMILY => native.value.clone(),
            Family::Anthropic
                if native.kind == "server_tool_use" && read::text(&native.value, "name") == "web_search" =>
            {
                let query = native.value.get("input").and_then(|input| input.get("query")).cloned();
                let query = query.unwrap_or_else(|| json!(""));
                let id = self.writer.id("ws");
                json!({
                    "id": id,
                    "type": "web_search_call",
                    "status": "completed",
                    "action": {"type": "search", "query": query},
                })
            }
            _ => return,
        };
        self.writer.added(&item, out);
        self.writer.done(item, out);
    }

    /// The name of the last event, and the answer in it.
    fn whole(&mut self) -> (&'static str, Value) {
        let finish = self.finish.take().unwrap_or_default();
        let output = std::mem::take(&mut self.writer.output);
        let response = self.echo.response(&Progress::Finished(&finish), output, self.usage, self.asked.now_s);
        let name = match read::text(&response, "status") {
            "incomplete" => "response.incomplete",
            "failed" => "response.failed",
            _ => "response.completed",
        };
        (name, response)
    }
}

impl EncodeEvents for Encoder {
    fn encode(&mut self, event: &Event, out: &mut BytesMut) {
        if let Event::Start { model, created_s, .. } = event {
            if !model.is_empty() {
                self.echo.set("model", Value::from(model.as_str()));
            }
            self.echo.set("created_at", Value::from(created_s.unwrap_or(self.asked.now_s)));
        }
        self.begin(out);
        match event {
            Event::Start { .. } => {}
            // There is one answer here.
            Event::BlockStart { index, candidate: 0, block } if self.finish.is_none() => {
                self.block = Some(*index);
                self.block(block, out);
            }
            Event::Delta { index, delta } if self.block == Some(*index) => self.delta(delta, out),
            Event::BlockStop { index } if self.block == Some(*index) => {
                self.block = None;
                self.stop(out);
            }
            Event::BlockStart { .. } | Event::Delta { .. } | Event::BlockStop { .. } => {}
            Event::Usage(usage) => self.usage = Some(self.usage.unwrap_or_default().merge(*usage)),
            Event::Finish { candidate: 0, finish } => {
                self.close(incomplete(finish.reason).is_some(), out);
                self.finish = Some(finish.clone());
            }
            Event::Finish { .. } => {}
            Event::ServiceTier(tier) => self.echo.set("service_tier", Value::from(tier.as_str())),
            // The object of an answer has no members but those that OpenAI's schema names.
            Event::Extra(_) => {}
        }
    }

    fn error(&mut self, error: &Error, out: &mut BytesMut) {
        if std::mem::replace(&mut self.ended, true) {
            return;
        }
        self.begin(out);
        let message = if error.status().is_server_error() {
            format!("{} (request id {})", error.message, self.asked.request_id)
        } else {
            error.message.to_string()
        };
        let body = json!({"code": error.code.name(), "message": message, "param": error.param});
        self.writer.emit("error", &body, out);
        let output = std::mem::take(&mut self.writer.output);
        // Some clients know one of the two events, some the other.
        let progress = Progress::Failed(error::code_name(error.code), &message);
        let response = self.echo.response(&progress, output, self.usage, self.asked.now_s);
        self.writer.emit("response.failed", &json!({"response": response}), out);
    }

    fn end(&mut self, out: &mut BytesMut) {
        if std::mem::replace(&mut self.ended, true) {
            return;
        }
        self.begin(out);
        self.close(false, out);
        let (name, response) = self.whole();
        self.writer.emit(name, &json!({"response": response}), out);
    }
}
