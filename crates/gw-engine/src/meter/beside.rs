//! A meter beside another: of an attempt that races one that is slow.

use std::rc::Rc;

use gw_core::{RequestRecord, Try};

use super::Meter;
use crate::routing::notice::Notices;

impl Meter {
    /// A meter for an attempt beside the present one. It settles nothing.
    pub(crate) fn fork(&self) -> Box<Self> {
        Box::new(Self {
            ports: Rc::clone(&self.ports),
            record: RequestRecord { usage: None, unused: Vec::new(), ..self.record.clone() },
            resolved: self.resolved.clone(),
            outcome: None,
            marks: self.marks.clone(),
            streams: false,
            words: self.words.lasting(),
            tells_cost: false,
            insures: self.insures,
            looks_for_id: self.looks_for_id,
            custom_cost: self.custom_cost.clone(),
            _in_flight: None,
            place: None,
            verdict: None,
            notices: Notices::default(),
            told: None,
            recorder: None,
            resuming: self.resuming.clone(),
            passes: self.passes.clone(),
            beside: Some(self.record.attempts),
        })
    }

    /// The attempts of a meter beside this one count, what became of them, and what they used; nothing else of it. An
    /// attempt that was asked and given up has used something, whether its provider has told or not.
    pub(crate) fn count_beside(&mut self, other: &mut Self, failed: Option<Try>) {
        self.record.attempts += other.asked_beside();
        if other.asked_beside() > 0 && (failed.is_none() || other.record.usage.is_some()) {
            // One that is only slower has not failed.
            other.set_aside(failed.is_none() || !self.insures);
        }
        match failed {
            Some(failed) => self.tried_beside(other, failed),
            None => self.record.tries.extend(other.cancelled().filter(|_| other.asked_beside() > 0)),
        }
        self.record.unused.append(&mut other.record.unused);
    }

    /// The attempt beside the present one is what counts of both; all that were made are remembered.
    pub(crate) fn become_beside(&mut self, mut other: Box<Self>, given_up: bool) {
        if given_up || self.record.usage.is_some() {
            self.set_aside(given_up || !self.insures);
        }
        if given_up {
            self.record.tries.extend(self.cancelled());
        }
        other.record.attempts = self.record.attempts + other.asked_beside();
        other.record.tries = std::mem::take(&mut self.record.tries);
        self.record.unused.append(&mut other.record.unused);
        other.record.unused = std::mem::take(&mut self.record.unused);
        other.record.fallback = true;
        other.marks.began_with(&self.marks);
        std::mem::swap(&mut self.record, &mut other.record);
        self.resolved = other.resolved.take();
        self.outcome = other.outcome.take();
        self.marks = other.marks.clone();
        self.words = std::mem::take(&mut other.words);
        self.tells_cost = other.tells_cost;
        self.place = other.place.take();
        self.passes = other.passes.take();
    }

    /// How many attempts were made since this meter was set beside another.
    fn asked_beside(&self) -> u32 {
        self.record.attempts.saturating_sub(self.beside.unwrap_or_default())
    }
}
