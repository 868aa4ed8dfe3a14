//! Every request as its client saw it, and every call as a provider saw it.

use std::collections::HashMap;

use parking_lot::Mutex;

use super::mood::Mood;
use crate::translated::Format;

/// How a request ended for its client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum End {
    /// With the whole answer of one call, by its number.
    Answered(u32),
    /// With an error in the client's format, and this status.
    Failed(u16),
    /// With the beginning of an answer, if any of it came, and the format's error event.
    Broke(Option<u32>),
    /// The client left in the middle.
    Left,
    /// With anything else: silence, half an answer, another's answer, an error that is none.
    Lost(String),
}

/// A request.
#[derive(Debug, Clone)]
pub(super) struct Asked {
    pub(super) number: u32,
    pub(super) format: Format,
    pub(super) streams: bool,
    /// Whether the last target of its route never fails.
    pub(super) is_safe: bool,
    pub(super) end: End,
    pub(super) request_id: Option<String>,
    /// `X-Attempt-Count`.
    pub(super) attempts: Option<u64>,
}

/// A call as a provider saw it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Call {
    pub(super) number: u32,
    pub(super) provider: &'static str,
    pub(super) mood: Mood,
    /// Whether all of the answer was said.
    pub(super) is_answered: bool,
}

/// The calls of each request.
#[derive(Default)]
pub(super) struct Ledger(Mutex<Calls>);

#[derive(Default)]
struct Calls {
    made: u32,
    of: HashMap<u32, Vec<Call>>,
}

/// A call that is being served. One that is dropped was killed.
pub(super) struct Serving<'a> {
    ledger: &'a Ledger,
    request: u32,
    pub(super) number: u32,
    is_over: bool,
}

impl Ledger {
    /// A call has come to a provider.
    pub(super) fn begin(&self, request: u32, provider: &'static str, mood: Mood) -> Serving<'_> {
        let mut calls = self.0.lock();
        calls.made += 1;
        let number = calls.made;
        calls.of.entry(request).or_default().push(Call { number, provider, mood, is_answered: false });
        Serving { ledger: self, request, number, is_over: false }
    }

    /// The calls of every request, by its number. None is kept.
    pub(super) fn take(&self) -> HashMap<u32, Vec<Call>> {
        std::mem::take(&mut self.0.lock().of)
    }
}

impl Serving<'_> {
    /// The answer has ended: all of it was said, or the gateway went. Tells which.
    pub(super) fn over_with(mut self, said: bool) -> bool {
        self.change(|call| call.is_answered = said);
        self.is_over = true;
        said
    }

    /// The call has ended as the provider's mood was.
    pub(super) fn over(mut self) {
        self.is_over = true;
    }

    fn change(&self, change: impl FnOnce(&mut Call)) {
        let mut calls = self.ledger.0.lock();
        let of_request = calls.of.get_mut(&self.request);
        // Some are still being served when the count is taken: of clients that left.
        if let Some(call) = of_request.and_then(|calls| calls.iter_mut().find(|call| call.number == self.number)) {
            change(call);
        }
    }
}

impl Drop for Serving<'_> {
    fn drop(&mut self) {
        if !self.is_over {
            self.change(|call| call.mood = Mood::Killed);
        }
    }
}
