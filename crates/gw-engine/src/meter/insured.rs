//! What a caller is not charged for: the operator's insurance of what fails or comes to nothing.

use gw_core::{ErrorCode, Uncharged};

use super::Meter;

impl Meter {
    /// Whether the caller is not charged for what fails or comes to nothing.
    pub fn insure(&mut self, insures: bool) {
        self.insures = insures;
    }

    /// A stream has said, or not yet, why its answer ended.
    pub(crate) fn told_end(&mut self, told: bool) {
        self.record.told_end |= told;
    }

    /// All of an answer has come, which says or does not say why it ended. Whether it is charged is known from now on.
    pub(crate) fn came_whole(&mut self, told_end: bool) {
        self.record.told_end = told_end;
        if self.insures
            && !self.record.callers_key
            && let Some(usage) = &self.record.usage
        {
            self.record.uncharged = Uncharged::of_answer(self.record.operation, usage, told_end);
        }
    }

    /// All of an answer has come, which says of itself that it failed.
    pub(crate) fn failed_whole(&mut self) {
        self.interrupted(ErrorCode::ProviderFailed);
        if self.insures && !self.record.callers_key && self.record.usage.is_some() {
            self.record.uncharged = Some(Uncharged::Failed);
        }
    }

    /// Whether the caller is charged for its answer, as far as that is known.
    pub fn is_charged(&self) -> bool {
        self.record.uncharged.is_none()
    }
}
