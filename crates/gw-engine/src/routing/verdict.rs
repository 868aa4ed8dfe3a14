//! What the operator's rules say of a request: of each model that it asks for, and of what it changes of its body there.

use gw_core::Error;
use gw_dialects::head::Head;

use crate::engine::{Call, Engine};
use crate::models::spellings;
use crate::routing::RequestFacts;
use crate::routing::rules::Judged;
use crate::snapshot::Snapshot;

impl Engine {
    /// Asks the rules of a request: of what it says itself, and of all that the routing asks for which it brings along, if
    /// that could be understood.
    ///
    /// # Errors
    /// What `verdict` says; `invalid_request` where a header cannot be read that a rule asks for.
    pub(crate) fn ask_rules<T>(
        &self,
        snapshot: &Snapshot,
        (call, head): (&Call<'_>, &Head),
        key_name: Option<&str>,
        is_spoken: bool,
        verdict: impl FnOnce(&[Judged<'_>]) -> Result<T, Error>,
    ) -> Result<T, Error> {
        // What is wrong with it is told behind the rules: a denial is one all the same.
        let controlled = is_spoken.then(|| self.controlled(snapshot, call, head).ok()).flatten();
        let facts = RequestFacts::of(call, head)?.asked(self.asked(snapshot, key_name));
        let model = spellings::of(head.model.as_deref());
        let asked_for = controlled.iter().flat_map(|one| one.asked_for.iter().map(|asked| (one.way.said(), asked)));
        let changed = asked_for.map(|(said, asked)| (facts.changed(&asked.changes).saying(said), &asked.model));
        let changed: Vec<_> = changed.collect();
        let own = Judged { facts: &facts, model: &model };
        let others = changed.iter().map(|(facts, model)| Judged { facts, model });
        let judged: Vec<_> = std::iter::once(own).chain(others).collect();
        let told = verdict(&judged)?;
        facts.refuse_unreadable()?;
        changed.iter().try_for_each(|(facts, _)| facts.refuse_unreadable())?;
        Ok(told)
    }
}
