//! What attempts used whose answers nobody got: it was worked for, and is paid for.

use gw_core::Unused;

use super::Meter;

impl Meter {
    /// The present attempt has come to nothing: what it used is not what its successor uses. The caller is charged for it,
    /// or not.
    pub(super) fn set_aside(&mut self, charged: bool) {
        let unused = self.unused(charged);
        self.spend(unused.as_ref().and_then(|unused| unused.cost), self.record.usage.is_some());
        self.record.unused.extend(unused);
        (self.record.usage, self.record.cost) = (None, None);
    }

    /// What the present attempt has used so far, as far as its provider has told.
    fn unused(&self, charged: bool) -> Option<Unused> {
        let choice = &self.resolved.as_deref()?.choice;
        Some(Unused {
            provider: choice.provider.name.clone(),
            model: choice.model.clone(),
            callers_key: self.record.callers_key,
            usage: self.record.usage,
            cost: self.cost(),
            charged,
        })
    }
}
