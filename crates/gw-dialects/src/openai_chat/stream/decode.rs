//! A stream as a provider writes it.

use bytes::Bytes;
use gw_core::chat::Event;
use gw_core::{Error, ErrorCode};

use super::Reader;
use crate::chat::{DecodeEvents, Origin};
use crate::openai_chat::error;
use crate::shared::refusal;
use crate::sse::{self, Framer};

/// The end of a stream.
const DONE: &[u8] = b"[DONE]";

/// Reads a stream.
pub(in crate::openai_chat) struct Decoder {
    framer: Framer,
    reader: Reader,
    is_done: bool,
}

impl Decoder {
    /// A stream from there.
    pub(in crate::openai_chat) fn new(origin: Origin) -> Self {
        Self { framer: Framer::default(), reader: Reader::new(origin), is_done: false }
    }

    fn take(&mut self, text: &[u8], events: &mut Vec<Event>) -> Result<(), Error> {
        for event in sse::events(text) {
            let data = sse::data(text, &event);
            let data = data.trim_ascii();
            if self.is_done || data.is_empty() {
                continue;
            }
            if data == DONE {
                if !self.reader.has_answer() {
                    return Err(refusal::invalid(self.reader.provider(), "a stream without an answer"));
                }
                self.is_done = true;
                self.reader.finish(events);
                continue;
            }
            let name = event.name.as_ref().and_then(|name| text.get(name.clone()));
            self.chunk(data, name == Some(b"error"), events)?;
        }
        Ok(())
    }

    fn chunk(&mut self, data: &[u8], is_error: bool, events: &mut Vec<Event>) -> Result<(), Error> {
        let provider = self.reader.provider();
        let Ok(text) = std::str::from_utf8(data) else {
            return Err(refusal::invalid(provider, "an event that is not valid UTF-8"));
        };
        if is_error {
            let told = serde_json::from_str(text).unwrap_or_else(|_| text.into());
            return Err(error::of_value(&told, provider));
        }
        self.reader.chunk(text, false, events)
    }
}

impl DecodeEvents for Decoder {
    fn decode(&mut self, bytes: &[u8], events: &mut Vec<Event>) -> Result<(), Error> {
        match self.framer.feed(Bytes::copy_from_slice(bytes)) {
            Ok(text) => self.take(&text, events),
            Err(_) => Err(refusal::invalid(self.reader.provider(), "an event that is larger than any may be")),
        }
    }

    fn end(&mut self, events: &mut Vec<Event>) -> Result<(), Error> {
        let rest = self.framer.finish();
        self.take(&rest, events)?;
        // Some never send the end marker; an answer that has its finish reason is whole without it.
        if !self.is_done && !self.reader.is_whole() {
            let message = format!("the answer of provider \"{}\" broke off", self.reader.provider());
            return Err(Error::new(ErrorCode::ProviderStreamInterrupted, message));
        }
        self.reader.finish(events);
        Ok(())
    }

    fn is_complete(&self) -> bool {
        self.is_done
    }
}
