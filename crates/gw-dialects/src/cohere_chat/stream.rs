//! What Cohere answers, in pieces: an event stream by the standard, whose events are named both by their `event` line and
//! by their `type` (pitfalls B6).

use bytes::Bytes;
use gw_core::chat::{Delta, Event};
use gw_core::{Error, ErrorCode};
use serde_json::Value;

use crate::chat::{DecodeEvents, Origin};
use crate::cohere_chat::answer::{call_id, citation, finish, logprob, native, text, told, usage};
use crate::plain::blocks::{Blocks, Kind};
use crate::shared::refusal;
use crate::sse::{self, EVENT_BYTES_MAX, Framer};

/// The plan is no part of the content and has no number there.
const PLAN: u64 = u64::MAX;

/// Reads Cohere's stream.
#[derive(Debug)]
pub(super) struct Decoder {
    origin: Origin,
    framer: Framer,
    blocks: Blocks,
    id: String,
    /// Citations that came when their text had ended already, and their size.
    late: Vec<Value>,
    late_bytes: usize,
}

impl Decoder {
    pub(super) fn new(origin: Origin) -> Self {
        let (framer, blocks) = (Framer::default(), Blocks::default());
        Self { origin, framer, blocks, id: String::new(), late: Vec::new(), late_bytes: 0 }
    }

    fn whole(&mut self, text: &[u8], events: &mut Vec<Event>) -> Result<(), Error> {
        for event in sse::events(text) {
            if event.data.is_none() || self.blocks.finished() {
                continue;
            }
            let data = sse::data(text, &event);
            if data.trim_ascii() == b"[DONE]" {
                continue;
            }
            let value: Value = serde_json::from_slice(&data).map_err(|_| self.invalid("an event that is not JSON"))?;
            let named = event.name.and_then(|name| std::str::from_utf8(text.get(name)?).ok());
            let kind = value["type"].as_str().or(named).unwrap_or_default().to_owned();
            self.event(&kind, &value, events)?;
        }
        Ok(())
    }

    fn event(&mut self, kind: &str, value: &Value, events: &mut Vec<Event>) -> Result<(), Error> {
        let message = &value["delta"]["message"];
        let place = value["index"].as_u64();
        match kind {
            "message-start" => self.id = text(&value["id"]),
            "" | "error" => {
                let said = value["message"].as_str().or_else(|| value["error"].as_str());
                return match said {
                    Some(said) => Err(told(&self.origin.provider, said)),
                    None if kind == "error" => Err(told(&self.origin.provider, "no reason given")),
                    None => Ok(()),
                };
            }
            _ => {}
        }
        self.blocks.start(&self.id, &self.origin.model, events);
        match kind {
            "content-start" | "content-delta" => self.content(kind, place.unwrap_or(0), value, events),
            "tool-plan-delta" => {
                self.blocks.say(Kind::Text, PLAN, message["tool_plan"].as_str().unwrap_or_default(), events);
            }
            "tool-call-start" => self.call(place.unwrap_or(0), one(&message["tool_calls"]), events),
            "tool-call-delta" => {
                let open = self.blocks.open(Kind::Call);
                if open.is_none() || place.is_some_and(|place| Some(place) != open) {
                    return Err(self.invalid("arguments of a tool call that is not open"));
                }
                self.arguments(one(&message["tool_calls"]), events);
            }
            "tool-call-end" if self.blocks.open(Kind::Call).is_some() => self.blocks.close(events),
            "citation-start" => return self.cite(one(&message["citations"]), events),
            "message-end" => return self.message_end(&value["delta"], events),
            // `content-end`: the text stays open for citations, which may come behind it, until something else begins.
            _ => {}
        }
        Ok(())
    }

    fn content(&mut self, kind: &str, place: u64, value: &Value, events: &mut Vec<Event>) {
        let content = &value["delta"]["message"]["content"];
        match content["type"].as_str() {
            None | Some("text" | "thinking") => {
                self.blocks.say(Kind::Reasoning, place, content["thinking"].as_str().unwrap_or_default(), events);
                self.blocks.say(Kind::Text, place, content["text"].as_str().unwrap_or_default(), events);
            }
            Some(other) if kind == "content-start" => self.blocks.native(native(other, content), events),
            Some(_) => {}
        }
        if let Some(token) = logprob(&value["logprobs"]) {
            self.blocks.delta(Delta::Logprobs(Value::Array(vec![token])), events);
        }
    }

    fn call(&mut self, place: u64, call: &Value, events: &mut Vec<Event>) {
        let id = call_id(call, &self.id, place);
        let name = self.origin.names.original(call["function"]["name"].as_str().unwrap_or_default()).to_owned();
        self.blocks.call(place, id, name, events);
        self.arguments(call, events);
    }

    fn arguments(&mut self, call: &Value, events: &mut Vec<Event>) {
        if let Some(json) = call["function"]["arguments"].as_str().filter(|json| !json.is_empty()) {
            self.blocks.delta(Delta::Text(json.to_owned()), events);
        }
    }

    fn cite(&mut self, cited: &Value, events: &mut Vec<Event>) -> Result<(), Error> {
        if self.blocks.open(Kind::Text).is_some() {
            self.blocks.delta(Delta::Citation(citation(cited)), events);
            return Ok(());
        }
        self.late_bytes = self.late_bytes.saturating_add(cited.to_string().len());
        if self.late_bytes > EVENT_BYTES_MAX {
            return Err(self.invalid("more citations than an answer may have"));
        }
        self.late.push(cited.clone());
        Ok(())
    }

    fn message_end(&mut self, delta: &Value, events: &mut Vec<Event>) -> Result<(), Error> {
        for cited in std::mem::take(&mut self.late) {
            self.blocks.native(native("citation", &cited), events);
        }
        let raw = delta["finish_reason"].as_str().unwrap_or_default();
        let said = delta["error"].as_str();
        let finish = finish(raw, self.blocks.called(), said, &self.origin)?;
        self.blocks.close(events);
        events.extend(usage(&delta["usage"]).map(Event::Usage));
        self.blocks.finish(finish, events);
        Ok(())
    }

    fn invalid(&self, what: &str) -> Error {
        refusal::invalid(&self.origin.provider, what)
    }
}

impl DecodeEvents for Decoder {
    fn decode(&mut self, bytes: &[u8], events: &mut Vec<Event>) -> Result<(), Error> {
        let text = self.framer.feed(Bytes::copy_from_slice(bytes));
        let text = text.map_err(|_| self.invalid("an event that is larger than 16 MiB"))?;
        self.whole(&text, events)
    }

    fn end(&mut self, events: &mut Vec<Event>) -> Result<(), Error> {
        let rest = self.framer.finish();
        // An event that was cut off cannot be read; that the stream broke off is what there is to say.
        let read = self.whole(&rest, events);
        match read {
            Err(error) if error.code != ErrorCode::ProviderInvalidResponse => Err(error),
            _ if self.blocks.finished() => Ok(()),
            _ => Err(Error::new(
                ErrorCode::ProviderStreamInterrupted,
                format!("provider \"{}\" ended its stream before the answer was whole", self.origin.provider),
            )),
        }
    }

    fn is_complete(&self) -> bool {
        self.blocks.finished()
    }
}

/// What the document gives as one, some servers send as a list of one.
fn one(value: &Value) -> &Value {
    if value.is_array() { &value[0] } else { value }
}
