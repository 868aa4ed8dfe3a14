//! Reads a stream.

use bytes::Bytes;
use gw_core::chat::{Block, Delta, Event, Extra, Finish, Native, OpaqueKind};
use gw_core::{Error, ErrorCode};
use serde_json::Value;

use super::super::answer::{extra, finish, is_answer, state};
use super::super::usage::{self, Counts};
use super::super::{FAMILY, citation, error};
use crate::chat::{DecodeEvents, Origin};
use crate::scan::Object;
use crate::shared::refusal::invalid;
use crate::sse::{self, EVENT_BYTES_MAX, Framer};

/// Reads a stream of Anthropic's.
#[derive(Debug)]
pub(in super::super) struct Decoder {
    framer: Framer,
    origin: Origin,
    has_begun: bool,
    open: Option<Open>,
    /// The number of the next block, and so how many there were.
    next: u32,
    counts: Counts,
    calls_tools: bool,
    finish: Option<Finish>,
    is_over: bool,
}

/// The block that is open.
#[derive(Debug)]
struct Open {
    /// The provider's number of it.
    number: Option<u64>,
    /// Ours.
    index: u32,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    /// Text.
    Text,
    /// The answer in JSON for which a call stands, as a call.
    Answer { has_input: bool, input: String },
    /// Thoughts, with as much of their signature as has come.
    Thinking { signature: String },
    /// A call: whether anything of its input has come in pieces, and the input that it began with.
    Call { has_input: bool, input: String },
    /// Something of Anthropic's, with the text of its input: it is told when it is whole.
    Native { native: Native, input: String },
}

impl DecodeEvents for Decoder {
    fn decode(&mut self, bytes: &[u8], events: &mut Vec<Event>) -> Result<(), Error> {
        let whole = self.framer.feed(Bytes::copy_from_slice(bytes));
        let whole = whole.map_err(|_| self.invalid("an event that is too large"))?;
        self.take(&whole, events)
    }

    fn end(&mut self, events: &mut Vec<Event>) -> Result<(), Error> {
        let rest = self.framer.finish();
        match self.take(&rest, events) {
            // An event that breaks off is no event.
            Err(error) if error.code != ErrorCode::ProviderInvalidResponse => return Err(error),
            _ => {}
        }
        if self.is_over {
            return Ok(());
        }
        if self.finish.is_some() {
            self.over(events);
            return Ok(());
        }
        let message = format!("provider \"{}\" ended its answer before it was whole", self.origin.provider);
        Err(Error::new(ErrorCode::ProviderStreamInterrupted, message))
    }

    fn is_complete(&self) -> bool {
        self.is_over
    }
}

impl Decoder {
    pub(in super::super) fn new(origin: Origin) -> Self {
        Self {
            framer: Framer::default(),
            origin,
            has_begun: false,
            open: None,
            next: 0,
            counts: Counts::default(),
            calls_tools: false,
            finish: None,
            is_over: false,
        }
    }

    fn take(&mut self, whole: &[u8], events: &mut Vec<Event>) -> Result<(), Error> {
        for event in sse::events(whole) {
            if self.is_over {
                return Ok(());
            }
            let data = sse::data(whole, &event);
            let data = data.trim_ascii();
            // Some that imitate Anthropic end as OpenAI does.
            if data.is_empty() || data == b"[DONE]" {
                continue;
            }
            let text = std::str::from_utf8(data).map_err(|_| self.invalid("an event that is not text"))?;
            let object = Object::parse(text).map_err(|_| self.invalid("an event that is not a JSON object"))?;
            self.event(&object, events)?;
        }
        Ok(())
    }

    fn event(&mut self, event: &Object<'_>, events: &mut Vec<Event>) -> Result<(), Error> {
        if let Some(error) = error::told_in(event, &self.origin.provider) {
            return Err(error);
        }
        match event.string("type").as_deref() {
            Some("message_start") => self.start(event.object("message").as_ref(), events),
            Some("content_block_start") => self.block_start(event, events)?,
            Some("content_block_delta") => self.block_delta(event, events)?,
            Some("content_block_stop") => self.close(events),
            Some("message_delta") => self.message_delta(event, events),
            Some("message_stop") => self.over(events),
            // "ping", and what is not known yet: Anthropic asks to skip such events.
            _ => {}
        }
        Ok(())
    }

    fn start(&mut self, message: Option<&Object<'_>>, events: &mut Vec<Event>) {
        if std::mem::replace(&mut self.has_begun, true) {
            return;
        }
        let text = |name: &str| message.and_then(|message| message.string(name));
        let model = text("model").unwrap_or_else(|| self.origin.model.to_string());
        events.push(Event::Start { id: text("id").unwrap_or_default(), model, created_s: None });
        let Some(message) = message else { return };
        if let Some(used) = message.object("usage") {
            events.extend(used.string("service_tier").map(|tier| Event::ServiceTier(usage::tier_in(&tier))));
            self.count(&used, events);
        }
        Self::extra(message, events);
    }

    /// Tells the members that only Anthropic has.
    fn extra(of: &Object<'_>, events: &mut Vec<Event>) {
        let members = extra(of);
        if !members.is_empty() {
            events.push(Event::Extra(Extra { family: FAMILY, members }));
        }
    }

    fn count(&mut self, used: &Object<'_>, events: &mut Vec<Event>) {
        self.counts.read(used);
        events.push(Event::Usage(self.counts.usage()));
    }

    fn block_start(&mut self, event: &Object<'_>, events: &mut Vec<Event>) -> Result<(), Error> {
        self.start(None, events);
        self.close(events);
        let raw = event.get("content_block").unwrap_or_default();
        let provider = self.origin.provider.clone();
        let unreadable = || invalid(&provider, "a block of content that cannot be read");
        let block = Object::parse(raw).map_err(|_| unreadable())?;
        let name = block.string("type").ok_or_else(unreadable)?;
        let mut first = Vec::new();
        let (kind, started) = match name.as_str() {
            "text" => {
                first.extend(said(&block, "text"));
                if let Some(raw) = block.get("citations") {
                    let citations: Vec<Value> = serde_json::from_str(raw).map_err(|_| unreadable())?;
                    first.extend(citations.into_iter().map(|value| Delta::Citation(citation::decode(value))));
                }
                (Kind::Text, Some(Block::Text))
            }
            "thinking" => {
                first.extend(said(&block, "thinking"));
                let signature = block.string("signature").unwrap_or_default();
                (Kind::Thinking { signature }, Some(Block::Reasoning { id: None, is_summary: true }))
            }
            "redacted_thinking" => {
                let data = block.string("data").ok_or_else(unreadable)?;
                first.push(Delta::Opaque(state(OpaqueKind::Encrypted, data, &self.origin)));
                let kind = Kind::Thinking { signature: String::new() };
                (kind, Some(Block::Reasoning { id: None, is_summary: false }))
            }
            "tool_use" => {
                let (kind, started) = self.call(&block).ok_or_else(unreadable)?;
                (kind, Some(started))
            }
            _ => {
                let value = serde_json::from_str(raw).map_err(|_| unreadable())?;
                (Kind::Native { native: Native { family: FAMILY, kind: name, value }, input: String::new() }, None)
            }
        };
        let index = self.next;
        self.next = self.next.saturating_add(1);
        events.extend(started.map(|block| Event::BlockStart { index, candidate: 0, block }));
        events.extend(first.into_iter().map(|delta| Event::Delta { index, delta }));
        self.open = Some(Open { number: number(event), index, kind });
        Ok(())
    }

    fn call(&mut self, block: &Object<'_>) -> Option<(Kind, Block)> {
        let sent = block.string("name")?;
        let input = block.get("input").unwrap_or("{}").to_owned();
        let name = self.origin.names.original(&sent);
        if is_answer(name) {
            return Some((Kind::Answer { has_input: false, input }, Block::Text));
        }
        self.calls_tools = true;
        let block = Block::ToolCall { id: block.string("id")?, name: name.to_owned(), is_custom: false };
        Some((Kind::Call { has_input: false, input }, block))
    }

    fn block_delta(&mut self, event: &Object<'_>, events: &mut Vec<Event>) -> Result<(), Error> {
        let number = number(event);
        let Some(open) = self.open.as_mut().filter(|open| number.is_none() || number == open.number) else {
            return Err(self.invalid("a piece of a block that is not open"));
        };
        let Some(delta) = event.object("delta") else { return Ok(()) };
        let index = open.index;
        let kind = delta.string("type").unwrap_or_default();
        let mut say = |text: String| {
            if !text.is_empty() {
                events.push(Event::Delta { index, delta: Delta::Text(text) });
            }
        };
        let text = |name: &str| delta.string(name).unwrap_or_default();
        match (kind.as_str(), &mut open.kind) {
            ("text_delta", Kind::Text) => say(text("text")),
            ("thinking_delta", Kind::Thinking { .. }) => say(text("thinking")),
            ("signature_delta", Kind::Thinking { signature }) => signature.push_str(&text("signature")),
            ("input_json_delta", Kind::Call { has_input, .. } | Kind::Answer { has_input, .. }) => {
                let more = text("partial_json");
                *has_input |= !more.is_empty();
                say(more);
            }
            ("input_json_delta", Kind::Native { input, .. }) => input.push_str(&text("partial_json")),
            ("citations_delta", Kind::Text) => {
                if let Some(value) = delta.get("citation").and_then(|raw| serde_json::from_str(raw).ok()) {
                    events.push(Event::Delta { index, delta: Delta::Citation(citation::decode(value)) });
                }
            }
            _ => {}
        }
        let held = match &open.kind {
            Kind::Thinking { signature: held } | Kind::Native { input: held, .. } => held.len(),
            Kind::Text | Kind::Answer { .. } | Kind::Call { .. } => 0,
        };
        if held > EVENT_BYTES_MAX { Err(self.invalid("a block that is too large")) } else { Ok(()) }
    }

    /// Closes the block that is open, with what was held back of it.
    fn close(&mut self, events: &mut Vec<Event>) {
        let Some(Open { index, kind, .. }) = self.open.take() else { return };
        let mut last = None;
        match kind {
            Kind::Thinking { signature } if !signature.is_empty() => {
                last = Some(Delta::Opaque(state(OpaqueKind::Signature, signature, &self.origin)));
            }
            // A call without arguments has an empty object, never nothing.
            Kind::Call { has_input: false, input } | Kind::Answer { has_input: false, input } => {
                last = Some(Delta::Text(input));
            }
            Kind::Native { mut native, input } => {
                if let (Some(members), Ok(input)) = (native.value.as_object_mut(), serde_json::from_str(&input)) {
                    members.insert("input".to_owned(), input);
                }
                events.push(Event::BlockStart { index, candidate: 0, block: Block::Native(native) });
            }
            Kind::Text | Kind::Thinking { .. } | Kind::Call { .. } | Kind::Answer { .. } => {}
        }
        events.extend(last.map(|delta| Event::Delta { index, delta }));
        events.push(Event::BlockStop { index });
    }

    fn message_delta(&mut self, event: &Object<'_>, events: &mut Vec<Event>) {
        self.start(None, events);
        if let Some(delta) = event.object("delta") {
            if let Some(reason) = delta.string("stop_reason") {
                self.close(events);
                self.finish = Some(finish(Some(reason), delta.string("stop_sequence"), self.calls_tools));
            }
            Self::extra(&delta, events);
        }
        if let Some(used) = event.object("usage") {
            self.count(&used, events);
        }
    }

    fn over(&mut self, events: &mut Vec<Event>) {
        self.start(None, events);
        self.close(events);
        let finish = self.finish.take().unwrap_or_else(|| finish(None, None, self.calls_tools));
        events.push(Event::Finish { candidate: 0, finish });
        self.is_over = true;
    }

    fn invalid(&self, what: &str) -> Error {
        invalid(&self.origin.provider, what)
    }
}

/// The provider's number of a block.
fn number(event: &Object<'_>) -> Option<u64> {
    event.get("index").and_then(|number| serde_json::from_str(number).ok())
}

/// Text that a block begins with.
fn said(block: &Object<'_>, name: &str) -> Option<Delta> {
    block.string(name).filter(|text| !text.is_empty()).map(Delta::Text)
}
