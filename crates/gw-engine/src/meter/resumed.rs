//! What becomes of a request's stream if it breaks off after a part of it was forwarded.

use std::rc::Rc;

use gw_core::Try;

use super::Meter;
use crate::engine::Resolved;

/// What an attempt has to do with answers that break off.
#[derive(Clone, Default)]
pub(super) enum Resuming {
    /// Nothing.
    #[default]
    No,
    /// Others may go on with its answer.
    Begins,
    /// It goes on with this text.
    GoesOn(Rc<str>),
}

impl Meter {
    /// Others may go on with the answer if it breaks off.
    pub(crate) fn allow_resuming(&mut self) {
        self.resuming = Resuming::Begins;
    }

    /// Whether others may go on with the answer if it breaks off.
    pub(crate) fn may_resume(&self) -> bool {
        matches!(self.resuming, Resuming::Begins)
    }

    /// Whether the next attempt goes on with a text.
    pub(crate) fn goes_on(&self) -> bool {
        matches!(self.resuming, Resuming::GoesOn(_))
    }

    /// The text that the next attempt goes on with, if it does not begin.
    pub(crate) fn prefix(&self) -> Option<Rc<str>> {
        match &self.resuming {
            Resuming::GoesOn(text) => Some(Rc::clone(text)),
            Resuming::No | Resuming::Begins => None,
        }
    }

    /// The target of the present attempt.
    pub(crate) fn target(&self) -> Option<&Rc<Resolved>> {
        self.resolved.as_ref()
    }

    /// The answer has broken off, and somebody is asked to go on with this text. What has been used is paid for, whether its
    /// provider has told or not.
    pub(crate) fn broke_off(&mut self, failed: Try, text: &str) {
        self.tried(failed);
        // The client has got what was said.
        self.set_aside(true);
        self.resuming = Resuming::GoesOn(Rc::from(text));
    }

    /// Somebody goes on with the answer.
    pub(crate) fn resumed(&mut self) {
        self.record.resumed += 1;
    }
}
