//! A stream of Converse. Blocks come one after the other; the start of a text or of thoughts may be left out.

mod block;
mod wire;

use block::{Kind, Open};
use gw_core::chat::{Block, Delta, Event, Extra, MediaKind};
use gw_core::{Error, ErrorCode};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use wire::{BlockDelta, BlockStart, Input, MessageStop, Metadata, Piece, Thought};

use super::answer::{self, Told};
use super::{FAMILY, HELD_BYTES_MAX, error};
use crate::chat::{DecodeEvents, Origin};
use crate::event_stream::{Message, Parser};
use crate::shared::{media, refusal};

/// Reads a stream.
pub(super) struct Decoder {
    origin: Origin,
    parser: Parser,
    has_started: bool,
    open: Option<Open>,
    /// The number of the next block.
    next: u32,
    calls_tools: bool,
    is_finished: bool,
    /// Whether the metadata have come, which are last.
    is_metered: bool,
}

impl Decoder {
    /// A stream from there.
    pub(super) fn new(origin: Origin) -> Self {
        Self {
            origin,
            parser: Parser::default(),
            has_started: false,
            open: None,
            next: 0,
            calls_tools: false,
            is_finished: false,
            is_metered: false,
        }
    }
}

impl DecodeEvents for Decoder {
    fn decode(&mut self, bytes: &[u8], events: &mut Vec<Event>) -> Result<(), Error> {
        self.parser.feed(bytes);
        while let Some(message) = self.parser.message().map_err(|wrong| self.invalid(wrong.about()))? {
            self.message(&message, events)?;
        }
        Ok(())
    }

    fn end(&mut self, _events: &mut Vec<Event>) -> Result<(), Error> {
        if self.is_finished {
            return Ok(());
        }
        let provider = &self.origin.provider;
        let message = format!("provider \"{provider}\" ended the stream before the answer was whole");
        Err(Error::new(ErrorCode::ProviderStreamInterrupted, message))
    }

    fn is_complete(&self) -> bool {
        // What was used comes behind the reason of the end.
        self.is_finished && self.is_metered
    }
}

impl Decoder {
    fn message(&mut self, message: &Message, events: &mut Vec<Event>) -> Result<(), Error> {
        if matches!(message.header(":message-type"), Some("exception" | "error")) {
            return Err(error::of_message(message, &self.origin.provider));
        }
        match message.header(":event-type").unwrap_or_default() {
            "messageStart" => self.start(events),
            "contentBlockStart" if !self.is_finished => {
                let start = self.read(message)?;
                self.block_start(start, events);
            }
            "contentBlockDelta" if !self.is_finished => {
                let BlockDelta { delta, content_block_index } = self.read(message)?;
                self.piece(delta, content_block_index, events)?;
            }
            "contentBlockStop" => self.close(events),
            "messageStop" if !self.is_finished => {
                let stop = self.read(message)?;
                self.stop(stop, events);
            }
            "metadata" => {
                let metadata = self.read(message)?;
                self.is_metered = true;
                self.metadata(metadata, events);
            }
            // Events that come to be later do not break an answer.
            _ => {}
        }
        Ok(())
    }

    fn read<T: DeserializeOwned>(&self, message: &Message) -> Result<T, Error> {
        serde_json::from_slice(&message.payload).map_err(|_| self.invalid("an event that cannot be read"))
    }

    fn invalid(&self, what: &str) -> Error {
        refusal::invalid(&self.origin.provider, what)
    }

    fn start(&mut self, events: &mut Vec<Event>) {
        if !std::mem::replace(&mut self.has_started, true) {
            events.push(Event::Start { id: String::new(), model: self.origin.model.to_string(), created_s: None });
        }
    }

    fn block_start(&mut self, block: BlockStart, events: &mut Vec<Event>) {
        let BlockStart { mut start, content_block_index: place } = block;
        let text = |members: &Map<String, Value>, name: &str| {
            members.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
        };
        // Others start with their first piece.
        match (start.remove("toolUse"), start.remove("toolResult"), start.remove("image")) {
            (Some(Value::Object(call)), ..) if call.get("type").is_some_and(Value::is_string) => {
                self.hold(place, Kind::ServerCall { start: call, input: String::new() }, events);
            }
            (Some(Value::Object(call)), ..) => {
                let sent = text(&call, "name");
                let name = self.origin.names.original(&sent).to_owned();
                if name.is_empty() && !sent.is_empty() {
                    self.open(place, Kind::Answer { is_empty: true }, Block::Text, events);
                } else {
                    self.calls_tools = true;
                    let id = answer::call_id(text(&call, "toolUseId"), self.next as usize);
                    let block = Block::ToolCall { id, name, is_custom: false };
                    self.open(place, Kind::Call { is_empty: true }, block, events);
                }
            }
            (_, Some(Value::Object(result)), _) => {
                self.hold(place, Kind::ServerResult { start: result, content: Vec::new(), held: 0 }, events);
            }
            (.., Some(Value::Object(image))) => {
                let media_type = answer::image_type(&text(&image, "format"));
                self.open(place, Kind::Image, Block::Media { kind: MediaKind::Image, media_type }, events);
            }
            _ => self.close(events),
        }
    }

    fn piece(&mut self, piece: Piece, place: u64, events: &mut Vec<Event>) -> Result<(), Error> {
        if let Some(text) = piece.text.filter(|text| !text.is_empty()) {
            let index = self.within(place, events, |kind| matches!(kind, Kind::Text), || (Kind::Text, Block::Text));
            events.push(Event::Delta { index, delta: Delta::Text(text) });
        }
        if let Some(citation) = piece.citation {
            let index = self.within(place, events, |kind| matches!(kind, Kind::Text), || (Kind::Text, Block::Text));
            events.push(Event::Delta { index, delta: Delta::Citation(answer::citation(citation)) });
        }
        if let Some(thought) = piece.reasoning_content {
            self.thought(thought, place, events)?;
        }
        if let Some(Input { input }) = piece.tool_use {
            self.input(input, place, events)?;
        }
        if let Some(results) = piece.tool_result {
            self.result(results, place)?;
        }
        if let Some(data) = piece.image.as_ref().and_then(|image| image.pointer("/source/bytes")?.as_str())
            && let Some(Open { index, kind: Kind::Image, .. }) = self.opened(place)
        {
            events.push(Event::Delta { index: *index, delta: Delta::Text(data.to_owned()) });
        }
        Ok(())
    }

    fn thought(&mut self, thought: Thought, place: u64, events: &mut Vec<Event>) -> Result<(), Error> {
        let is_summary = thought.text.is_some() && answer::summarizes(&self.origin);
        let begin = || {
            let kind = Kind::Reasoning { signature: String::new(), redacted: Vec::new() };
            (kind, Block::Reasoning { id: None, is_summary })
        };
        let index = self.within(place, events, |kind| matches!(kind, Kind::Reasoning { .. }), begin);
        if let Some(text) = thought.text.filter(|text| !text.is_empty()) {
            events.push(Event::Delta { index, delta: Delta::Text(text) });
        }
        let Some(Open { kind: Kind::Reasoning { signature, redacted }, .. }) = &mut self.open else { return Ok(()) };
        signature.push_str(thought.signature.as_deref().unwrap_or_default());
        let data = thought.redacted_content.as_deref().map(media::bytes);
        let held = match data {
            Some(None) => return Err(self.invalid("encrypted thoughts that are no base64")),
            Some(Some(data)) => {
                redacted.extend(data);
                redacted.len()
            }
            None => signature.len(),
        };
        self.bounded(held)
    }

    fn input(&mut self, more: String, place: u64, events: &mut Vec<Event>) -> Result<(), Error> {
        let held = match self.opened(place) {
            Some(Open { index, kind: Kind::Call { is_empty } | Kind::Answer { is_empty }, .. }) => {
                if !more.is_empty() {
                    *is_empty = false;
                    events.push(Event::Delta { index: *index, delta: Delta::Text(more) });
                }
                0
            }
            Some(Open { kind: Kind::ServerCall { input, .. }, .. }) => {
                input.push_str(&more);
                input.len()
            }
            _ => return Err(self.invalid("arguments of a call that did not begin")),
        };
        self.bounded(held)
    }

    fn result(&mut self, results: Vec<Value>, place: u64) -> Result<(), Error> {
        let Some(Open { kind: Kind::ServerResult { content, held, .. }, .. }) = self.opened(place) else {
            return Err(self.invalid("a tool's result that did not begin"));
        };
        for result in results {
            // What a value takes in memory is a small multiple of its text.
            *held += result.to_string().len();
            content.push(result);
        }
        let held = *held;
        self.bounded(held)
    }

    fn stop(&mut self, stop: MessageStop, events: &mut Vec<Event>) {
        self.start(events);
        self.close(events);
        let Told { stop_sequence, extra } = answer::told(stop.additional_model_response_fields, None, None);
        if !extra.is_empty() {
            events.push(Event::Extra(Extra { family: FAMILY, members: extra }));
        }
        let finish = answer::finish(stop.stop_reason.as_deref(), stop_sequence, self.calls_tools);
        events.push(Event::Finish { candidate: 0, finish });
        self.is_finished = true;
    }

    fn metadata(&mut self, metadata: Metadata, events: &mut Vec<Event>) {
        self.start(events);
        let Told { extra, .. } = answer::told(None, metadata.trace, metadata.performance_config);
        events.extend(metadata.service_tier.and_then(|tier| tier.name).map(Event::ServiceTier));
        if !extra.is_empty() {
            events.push(Event::Extra(Extra { family: FAMILY, members: extra }));
        }
        events.extend(metadata.usage.map(|usage| Event::Usage(usage.total())));
    }

    fn bounded(&self, held: usize) -> Result<(), Error> {
        if held > HELD_BYTES_MAX { Err(self.invalid("a part of an answer that is too large")) } else { Ok(()) }
    }

    /// The open block, if it has that number of the provider's.
    fn opened(&mut self, place: u64) -> Option<&mut Open> {
        self.open.as_mut().filter(|open| open.place == place)
    }

    /// Our number of the block that a piece belongs to. It is opened if the one that is open is another, or of another kind.
    fn within(
        &mut self,
        place: u64,
        events: &mut Vec<Event>,
        fits: impl Fn(&Kind) -> bool,
        begin: impl FnOnce() -> (Kind, Block),
    ) -> u32 {
        if let Some(open) = self.opened(place).filter(|open| fits(&open.kind)) {
            return open.index;
        }
        let (kind, block) = begin();
        self.open(place, kind, block, events)
    }

    fn open(&mut self, place: u64, kind: Kind, block: Block, events: &mut Vec<Event>) -> u32 {
        let index = self.hold(place, kind, events);
        events.push(Event::BlockStart { index, candidate: 0, block });
        index
    }

    /// Opens a block that is given only when it is whole.
    fn hold(&mut self, place: u64, kind: Kind, events: &mut Vec<Event>) -> u32 {
        self.start(events);
        self.close(events);
        let index = self.next;
        self.next += 1;
        self.open = Some(Open { place, index, kind });
        index
    }

    fn close(&mut self, events: &mut Vec<Event>) {
        if let Some(open) = self.open.take() {
            open.close(&self.origin, events);
        }
    }
}

#[cfg(test)]
mod tests;
