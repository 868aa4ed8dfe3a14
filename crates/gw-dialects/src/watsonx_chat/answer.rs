//! What watsonx.ai answers: OpenAI's answers, with more reasons to end and errors of its own.

use std::rc::Rc;

use bytes::Bytes;
use gw_core::chat::{ChatAnswer, Event, Finish, FinishReason};
use gw_core::{Error, ErrorCode};
use memchr::memmem;
use serde_json::Value;

use crate::chat::{DecodeEvents, Egress, Origin};
use crate::shared::refusal;
use crate::sse::{self, Framer};
use crate::watsonx_chat::error::told;

/// Reads a whole answer.
pub(super) fn decode(inner: &dyn Egress, body: &[u8], origin: &Origin) -> Result<ChatAnswer, Error> {
    if let Some(error) = errors(body, &origin.provider) {
        return Err(error);
    }
    let mut answer = inner.decode_answer(body, origin)?;
    for candidate in &mut answer.candidates {
        own_reason(&mut candidate.finish, &origin.provider)?;
    }
    Ok(answer)
}

/// Reads a stream.
pub(super) struct Decoder {
    inner: Box<dyn DecodeEvents>,
    provider: Rc<str>,
    framer: Framer,
}

impl Decoder {
    pub(super) fn new(inner: Box<dyn DecodeEvents>, provider: Rc<str>) -> Self {
        Self { inner, provider, framer: Framer::default() }
    }

    /// Passes whole events on, up to one that is an error in IBM's words, which the dialect within does not know.
    fn whole(&mut self, text: &[u8], events: &mut Vec<Event>) -> Result<(), Error> {
        let failed = sse::events(text).find_map(|event| {
            let error = errors(&sse::data(text, &event), &self.provider)?;
            Some((event.range.start, error))
        });
        let good = failed.as_ref().map_or(text, |(start, _)| text.get(..*start).unwrap_or_default());
        let first = events.len();
        self.inner.decode(good, events)?;
        self.own_reasons(first, events)?;
        failed.map_or(Ok(()), |(_, error)| Err(error))
    }

    fn own_reasons(&self, first: usize, events: &mut [Event]) -> Result<(), Error> {
        for event in events.iter_mut().skip(first) {
            if let Event::Finish { finish, .. } = event {
                own_reason(finish, &self.provider)?;
            }
        }
        Ok(())
    }
}

impl DecodeEvents for Decoder {
    fn decode(&mut self, bytes: &[u8], events: &mut Vec<Event>) -> Result<(), Error> {
        let text = self.framer.feed(Bytes::copy_from_slice(bytes));
        let text = text.map_err(|_| refusal::invalid(&self.provider, "an event that is larger than 16 MiB"))?;
        self.whole(&text, events)
    }

    fn end(&mut self, events: &mut Vec<Event>) -> Result<(), Error> {
        let rest = self.framer.finish();
        if let Some(error) = sse::events(&rest).find_map(|event| errors(&sse::data(&rest, &event), &self.provider)) {
            return Err(error);
        }
        let first = events.len();
        self.inner.decode(&rest, events)?;
        self.inner.end(events)?;
        self.own_reasons(first, events)
    }

    fn is_complete(&self) -> bool {
        self.inner.is_complete()
    }
}

/// An error in IBM's words where an answer was to be.
fn errors(text: &[u8], provider: &str) -> Option<Error> {
    // Nearly every event is an answer; only one that may not be is read.
    memmem::find(text, b"\"errors\"")?;
    let value: Value = serde_json::from_slice(text).ok()?;
    let first = value["errors"].as_array()?.first()?;
    Some(told(provider, first))
}

/// Reasons that OpenAI does not have.
fn own_reason(finish: &mut Finish, provider: &str) -> Result<(), Error> {
    match finish.raw.as_deref() {
        Some("time_limit") => finish.reason = FinishReason::Length,
        Some("cancelled" | "error") => {
            return Err(refusal::told(provider, ErrorCode::ProviderFailed, "the answer broke off"));
        }
        _ => {}
    }
    Ok(())
}
