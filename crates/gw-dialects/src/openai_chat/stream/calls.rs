//! The calls of an answer, told apart: providers number them, name them and cut them each in its own way.

use gw_core::Error;
use gw_core::chat::{Block, Delta};

use super::lane::{Lane, Output};
use super::queue::Item;
use crate::openai_chat::wire::{self, Call, Called};
use crate::shared::ids::Rule;

/// Ids that are made for calls without one are no longer than OpenAI's may be.
const IDS: Rule = Rule::word(40);

/// The number of a call in the older way, of which there is one and which has none.
const OLDER_CALL: u64 = u64::MAX;

/// A call that has begun.
#[derive(Default)]
pub(super) struct Known {
    /// The provider's number of it.
    number: Option<u64>,
    id: String,
    name: String,
    is_custom: bool,
}

impl Lane {
    /// Takes a call, or more of one.
    pub(super) fn call(&mut self, call: &Call<'_>, output: &mut Output<'_>) -> Result<(), Error> {
        let empty = Called::default();
        let called = call.custom.as_ref().or(call.function.as_ref()).unwrap_or(&empty);
        let state = wire::thought_signature(&call.extra_content).map(|signature| self.state(signature));
        let id = call.id.as_str().unwrap_or_default();
        let place = self.fragment(call.index.as_u64(), id, called, call.custom.is_some(), output)?;
        if let (Some(place), Some(state)) = (self.queue.place_of_call(place), state) {
            self.queue.add(place, Delta::Opaque(state), output);
        }
        Ok(())
    }

    /// Takes a call in the older way.
    pub(super) fn older_call(&mut self, called: &Called<'_>, output: &mut Output<'_>) -> Result<(), Error> {
        self.fragment(Some(OLDER_CALL), "", called, false, output).map(drop)
    }

    /// Gives ids to calls that never had a name.
    pub(super) fn give_ids(&mut self) {
        for (call, known) in self.calls.iter_mut().enumerate().filter(|(_, known)| known.id.is_empty()) {
            known.id = made_up(&self.answer_id, self.candidate, call);
        }
    }

    /// Takes more of a call and says which it is.
    fn fragment(
        &mut self,
        number: Option<u64>,
        id: &str,
        called: &Called<'_>,
        is_custom: bool,
        output: &mut Output<'_>,
    ) -> Result<usize, Error> {
        let name = called.name.as_str().unwrap_or_default();
        let name = self.origin.names.original(name).to_owned();
        let call = self.which(number, id, &name).unwrap_or_else(|| {
            self.calls.push(Known { number, is_custom, ..Known::default() });
            self.queue.push(Item::call(self.calls.len() - 1), output);
            self.calls.len() - 1
        });
        self.name(call, id, name, output);
        self.bounded()?;
        // What comes for a call after its arguments were whole could only spoil them.
        if let Some(place) = self.queue.place_of_call(call) {
            let given = called.given();
            if !given.is_empty() {
                self.queue.add(place, Delta::Text(given.into_owned()), output);
            }
        }
        Ok(call)
    }

    /// Which call a fragment belongs to; `None` if to a new one. Some providers leave the number out, give all calls the
    /// same, or send a new id with each fragment: a name that is new, or that comes with a new id, begins a call.
    fn which(&self, number: Option<u64>, id: &str, name: &str) -> Option<usize> {
        let last = self.calls.len().checked_sub(1);
        let found = match number {
            Some(_) => self.calls.iter().rposition(|known| known.number == number),
            None if !id.is_empty() => {
                self.calls.iter().rposition(|known| known.id == id).or(last.filter(|_| name.is_empty()))
            }
            None => last.filter(|_| name.is_empty()),
        }?;
        let known = self.calls.get(found)?;
        let other_id = !id.is_empty() && !known.id.is_empty() && known.id != id;
        let begins = !name.is_empty() && !known.name.is_empty() && (known.name != name || other_id);
        (!begins).then_some(found)
    }

    /// Gives a call the id and the name that it lacks, and opens its block when it has both.
    fn name(&mut self, call: usize, id: &str, name: String, output: &mut Output<'_>) {
        let Some(known) = self.calls.get_mut(call) else { return };
        if known.id.is_empty() {
            id.clone_into(&mut known.id);
        }
        if known.name.is_empty() {
            known.name = name;
        }
        if known.name.is_empty() {
            return;
        }
        if known.id.is_empty() {
            known.id = made_up(&self.answer_id, self.candidate, call);
        }
        let block = known.block();
        if let Some(place) = self.queue.place_of_call(call).filter(|place| !self.queue.is_named(*place)) {
            self.queue.name(place, block, output);
        }
    }
}

impl Known {
    /// Calls of one answer, at most.
    pub(super) const MAX: usize = 1024;

    /// What its block begins with.
    pub(super) fn block(&self) -> Block {
        Block::ToolCall { id: self.id.clone(), name: self.name.clone(), is_custom: self.is_custom }
    }
}

/// An id for a call that has none: made of the answer's, so that calls of different turns have different ones.
fn made_up(answer_id: &str, candidate: u32, call: usize) -> String {
    IDS.fit(&format!("call_{candidate}_{call}_{answer_id}")).into_owned()
}
