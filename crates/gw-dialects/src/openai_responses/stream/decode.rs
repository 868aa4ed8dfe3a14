//! Reads a stream of a provider's: its framing, its beginning and its end, and the order of its items. What an item's
//! events say is read in `item`.
//!
//! OpenAI sends one item after another. From whoever mixes them, the events of all but the current one wait.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use gw_core::chat::{Event, Extra};
use gw_core::{Error, ErrorCode};
use serde_json::Value;

use super::super::read::text;
use super::super::{FAMILY, answer, error};
use super::item::{Item, Sink};
use crate::chat::{DecodeEvents, Origin};
use crate::shared::refusal;
use crate::sse::{EVENT_BYTES_MAX, Framer, data, events};

/// More items than any answer has.
const ITEMS_MAX: usize = 1 << 16;

/// Reads a stream.
pub(in super::super) struct Decoder {
    origin: Origin,
    framer: Framer,
    sink: Sink,
    begun: bool,
    ended: bool,
    /// The item whose events are told as they come, by its place in the output.
    current: Option<(u64, Item)>,
    closed: BTreeSet<u64>,
    /// Events of items that are not yet their turn.
    waiting: BTreeMap<u64, Vec<Box<[u8]>>>,
    waiting_bytes: usize,
}

impl Decoder {
    pub(in super::super) fn new(origin: Origin) -> Self {
        Self {
            origin,
            framer: Framer::default(),
            sink: Sink::default(),
            begun: false,
            ended: false,
            current: None,
            closed: BTreeSet::new(),
            waiting: BTreeMap::new(),
            waiting_bytes: 0,
        }
    }

    fn frames(&mut self, bytes: &[u8], out: &mut Vec<Event>) -> Result<(), Error> {
        for event in events(bytes) {
            if event.data.is_some() && !self.ended {
                self.event(&data(bytes, &event), out)?;
            }
        }
        Ok(())
    }

    fn event(&mut self, data: &[u8], out: &mut Vec<Event>) -> Result<(), Error> {
        if data.trim_ascii() == b"[DONE]" {
            return Ok(());
        }
        let invalid = |what| refusal::invalid(&self.origin.provider, what);
        let event: Value = serde_json::from_slice(data).map_err(|_| invalid("an event that is not valid JSON"))?;
        match text(&event, "type") {
            "response.created" | "response.in_progress" | "response.queued" => {
                self.begin(event.get("response").unwrap_or(&Value::Null), out);
                Ok(())
            }
            "response.completed" | "response.incomplete" | "response.failed" | "response.cancelled" => {
                self.finish(event.get("response").unwrap_or(&Value::Null), out)
            }
            "error" => Err(self.told(event.get("error").filter(|said| said.is_object()).unwrap_or(&event))),
            // Some providers tell an error as in an answer that is not a stream.
            "" if event.get("error").is_some_and(|said| !said.is_null()) => Err(self.told(&event["error"])),
            _ => match event.get("output_index").and_then(Value::as_u64) {
                Some(place) => self.of_item(place, &event, data, out),
                None => Ok(()),
            },
        }
    }

    fn told(&mut self, said: &Value) -> Error {
        self.ended = true;
        error::inside(&self.origin.provider, said)
    }

    fn begin(&mut self, response: &Value, out: &mut Vec<Event>) {
        if std::mem::replace(&mut self.begun, true) {
            return;
        }
        let model = Some(text(response, "model")).filter(|model| !model.is_empty()).unwrap_or(&self.origin.model);
        out.push(Event::Start {
            id: text(response, "id").to_owned(),
            model: model.to_owned(),
            created_s: answer::created(response),
        });
    }

    /// Takes an event of an item, now or when it is the item's turn.
    fn of_item(&mut self, place: u64, event: &Value, data: &[u8], out: &mut Vec<Event>) -> Result<(), Error> {
        self.begin(&Value::Null, out);
        if self.closed.contains(&place) {
            return Ok(());
        }
        if self.current.as_ref().is_some_and(|(current, _)| *current != place) {
            return self.wait(place, data);
        }
        if self.closed.len() >= ITEMS_MAX {
            return Err(refusal::invalid(&self.origin.provider, "too many items"));
        }
        let (_, item) = self.current.get_or_insert_with(|| (place, Item::default()));
        if item.take(event, &self.origin, &mut self.sink, out) {
            self.close();
            self.replay(out)?;
        }
        Ok(())
    }

    fn wait(&mut self, place: u64, data: &[u8]) -> Result<(), Error> {
        self.waiting_bytes += data.len() + size_of::<Box<[u8]>>();
        if self.waiting_bytes > EVENT_BYTES_MAX {
            return Err(refusal::invalid(&self.origin.provider, "an answer whose items are too much mixed"));
        }
        self.waiting.entry(place).or_default().push(data.into());
        Ok(())
    }

    fn close(&mut self) {
        if let Some((place, _)) = self.current.take() {
            self.closed.insert(place);
        }
    }

    /// Tells the events that waited, item by item, until one is not whole yet.
    fn replay(&mut self, out: &mut Vec<Event>) -> Result<(), Error> {
        while self.current.is_none() {
            let Some((place, waiting)) = self.waiting.pop_first() else { return Ok(()) };
            let mut item = Item::default();
            let mut is_whole = false;
            for data in waiting {
                self.waiting_bytes = self.waiting_bytes.saturating_sub(data.len() + size_of::<Box<[u8]>>());
                // It was valid JSON when it came.
                let event: Value = serde_json::from_slice(&data).unwrap_or_default();
                is_whole = is_whole || item.take(&event, &self.origin, &mut self.sink, out);
            }
            self.current = Some((place, item));
            if is_whole {
                self.close();
            }
        }
        Ok(())
    }

    fn finish(&mut self, response: &Value, out: &mut Vec<Event>) -> Result<(), Error> {
        self.ended = true;
        if let Err(error) = answer::failure(response, &self.origin.provider) {
            // It was worked for all the same.
            out.extend(answer::usage(response).map(Event::Usage));
            return Err(error);
        }
        self.begin(response, out);
        while let Some((_, mut item)) = self.current.take() {
            item.close(out);
            self.replay(out)?;
        }
        if self.sink.blocks() == 0 {
            // Some providers stream nothing but the end.
            for (place, item) in (0..).zip(super::super::read::list(response, "output")) {
                let done =
                    serde_json::json!({"type": "response.output_item.done", "output_index": place, "item": item});
                Item::default().take(&done, &self.origin, &mut self.sink, out);
            }
        }
        let tier = response.get("service_tier").and_then(Value::as_str);
        out.extend(tier.map(|tier| Event::ServiceTier(tier.to_owned())));
        let members = answer::extra(response);
        if !members.is_empty() {
            out.push(Event::Extra(Extra { family: FAMILY, members }));
        }
        out.extend(answer::usage(response).map(Event::Usage));
        let finish = answer::finish(response, self.sink.calls, self.sink.refuses);
        out.push(Event::Finish { candidate: 0, finish });
        Ok(())
    }
}

impl DecodeEvents for Decoder {
    fn decode(&mut self, bytes: &[u8], events: &mut Vec<Event>) -> Result<(), Error> {
        if self.ended {
            return Ok(());
        }
        let framed = self.framer.feed(Bytes::copy_from_slice(bytes));
        let whole = framed.map_err(|_| refusal::invalid(&self.origin.provider, "an event that is too large"))?;
        self.frames(&whole, events)
    }

    fn end(&mut self, events: &mut Vec<Event>) -> Result<(), Error> {
        let rest = self.framer.finish();
        // A last event without an empty line counts, if it is whole.
        let complete = |data: &[u8]| serde_json::from_slice::<serde::de::IgnoredAny>(data).is_ok();
        if let Some(event) = crate::sse::events(&rest).find(|event| event.data.is_some())
            && complete(&data(&rest, &event))
        {
            self.frames(&rest, events)?;
        }
        if self.ended {
            return Ok(());
        }
        self.ended = true;
        let provider = &self.origin.provider;
        let message = format!("provider \"{provider}\" broke off before the answer was whole");
        Err(Error::new(ErrorCode::ProviderStreamInterrupted, message))
    }

    fn is_complete(&self) -> bool {
        self.ended
    }
}
