//! The attempts of a request whose answers nobody got, and who was passed over: what metrics, the log and the client are
//! told of its way.

use std::rc::Rc;

use gw_core::{Error, PassedOver, Try};
use gw_policy::plan::Standing;

use super::Meter;
use crate::engine::Resolved;
use crate::routing::times::Times;
use crate::routing::told;

impl Meter {
    /// Within which time it is to be answered: remembered where that is not the operator's usual one.
    pub(crate) fn limited(&mut self, times: &Times) {
        self.record.time = times.told_by_request();
    }

    /// An attempt has failed, and something is done about it, or the client is told.
    pub(crate) fn tried(&mut self, failed: Try) {
        self.record.tries.push(Try { target: self.record.target, ..failed });
        self.record.last_is_told = true;
    }

    /// The last attempt has failed, if there was one that is not told yet: what follows is no part of it.
    pub(crate) fn gave_up(&mut self, error: &Error) {
        if let Some(resolved) = self.resolved.as_ref().filter(|_| !self.record.last_is_told) {
            let failed = told(resolved, error, self.marks.attempt_began());
            self.tried(failed);
        }
    }

    /// An attempt beside the present one has failed.
    pub(super) fn tried_beside(&mut self, other: &Self, failed: Try) {
        self.record.tries.push(Try { target: other.record.target, ..failed });
    }

    /// The present attempt is cancelled, because another is faster; `None` if its provider was not asked.
    pub(super) fn cancelled(&self) -> Option<Try> {
        let choice = &self.resolved.as_ref().filter(|_| self.marks.is_sent())?.choice;
        Some(Try {
            provider: choice.provider.name.clone(),
            model: choice.model.clone(),
            callers_key: choice.uses_callers_key(),
            target: self.record.target,
            error: None,
            status: None,
            duration_us: self.attempt_us(),
        })
    }

    /// A target is come to: the same one again, or another.
    pub(super) fn come_to(&mut self, target: &Rc<Resolved>) {
        if !self.resolved.as_ref().is_some_and(|last| Rc::ptr_eq(last, target)) {
            self.record.target = self.record.target.saturating_add(1);
        }
        self.record.last_is_told = false;
    }

    /// Who would have been asked first, but does not take calls: whoever answers now stands in for it.
    pub(crate) fn passed_over(&mut self, first: &Rc<Resolved>, standing: Standing) {
        self.notices.first_choice = Some(Rc::clone(first));
        self.fell_back();
        let reason = match standing {
            Standing::Resting(_) => "resting",
            Standing::Full(_) => "rate_cap",
            // Whoever never takes calls is no provider that something has happened to.
            Standing::In | Standing::Out(_) | Standing::Unable(_) => return,
        };
        self.record.passed_over = Some(PassedOver { provider: first.choice.provider.name.clone(), reason });
    }

    /// The attempts whose answers nobody got.
    pub fn tries(&self) -> &[Try] {
        &self.record.tries
    }

    /// Whether the last attempt is one of those.
    pub fn last_is_told(&self) -> bool {
        self.record.last_is_told
    }

    /// How often the target that was asked last has failed.
    pub(super) fn failures_of_last_target(&self) -> usize {
        let is_last = |one: &&Try| one.target == self.record.target;
        self.record.tries.iter().rev().take_while(is_last).count()
    }
}
