//! The first try of a request that is a canary's. Whatever comes of it, the client is not worse off: if it fails, the
//! request goes the way of all others.

use std::rc::Rc;

use gw_core::{Operation, RequestId};
use gw_dialects::head::Head;
use gw_policy::plan;
use serde_json::Value;
use tokio::time::Instant;

use super::Walk;
use super::walk::told;
use crate::engine::{Call, Engine};
use crate::meter::Meter;
use crate::models::{Choice, Target};
use crate::reply::Reply;
use crate::routing::Way;
use crate::snapshot::Snapshot;
use crate::trials::Canary;

/// Who asks, as far as the request does not say.
pub(crate) struct Asker<'a> {
    pub(crate) key_name: Option<&'a str>,
    pub(crate) request_id: RequestId,
}

impl<'a> Asker<'a> {
    /// Whoever a request is of.
    pub(crate) fn of(meter: &'a Meter) -> Self {
        Self { key_name: meter.key_name().map(|name| &**name), request_id: meter.request_id() }
    }
}

impl Engine {
    /// The canary and its target, if a request is one's: chats that do not name their provider are.
    pub(crate) fn canary<'s>(
        &self,
        snapshot: &'s Snapshot,
        (call, head): (&Call<'_>, &Head),
        way: &Way,
        asker: &Asker<'_>,
    ) -> Option<(&'s Canary, Target)> {
        if snapshot.canaries.is_empty() || !leaves_the_provider_open(snapshot, call, head) {
            return None;
        }
        let caller = caller(call, head, asker);
        let taken = snapshot.canaries.iter().find(|canary| canary.trial.takes(&caller))?;
        let target = target(taken, way)?;
        let provider = &taken.provider;
        let is_in = provider.standing.admits(&provider.standing_rules, self.ports().elapsed()) == plan::Standing::In;
        is_in.then_some((taken, target))
    }

    /// Tries the canary's target; `None` if it failed.
    pub(crate) async fn try_canary(&self, walk: &Walk<'_>, target: &Target, meter: &mut Meter) -> Option<Reply> {
        let requested = walk.head.model.as_deref();
        let resolved = Rc::new(self.prepared(walk.snapshot, target, Operation::Chat, requested));
        let began = Instant::now();
        match walk.attempt(&resolved, walk.chances_of_trial(), meter).await {
            Ok(reply) => Some(reply),
            Err(error) => {
                meter.tried(told(&resolved, &error, began));
                meter.fell_back();
                None
            }
        }
    }
}

/// Whether a request may be tried elsewhere: it is a chat, and the client did not choose the provider itself.
pub(crate) fn leaves_the_provider_open(snapshot: &Snapshot, call: &Call<'_>, head: &Head) -> bool {
    call.dialect.operation() == Operation::Chat && head.prefer_provider.is_none() && !names_provider(snapshot, head)
}

/// What a canary stands for where this would be asked; `None` if its provider does not serve that.
pub(crate) fn target(canary: &Canary, way: &Way) -> Option<Target> {
    let provider = &canary.provider;
    let model = match &canary.trial.subject.model {
        Some(model) => model,
        None => &way.node().targets().first()?.choice.model,
    };
    provider.serves(model).then(|| Target {
        choice: Choice { provider: provider.clone(), model: model.clone(), provider_named: true },
        settings: Default::default(),
    })
}

/// Whether the client chose the provider itself.
fn names_provider(snapshot: &Snapshot, head: &Head) -> bool {
    let name = head.model.as_deref().and_then(|model| model.split_once('/'));
    name.is_some_and(|(provider, _)| !snapshot.models.named(provider).is_empty())
}

/// What requests of one caller have in common: what they say of it, else its key; else each is on its own.
pub(crate) fn caller(call: &Call<'_>, head: &Head, asker: &Asker<'_>) -> String {
    let body = &call.body;
    // By position: the rest of the request is not read.
    let member = |name: &str| serde_json::from_slice::<Value>(&body[head.fields.get(body, name)?.value()]).ok();
    let named = ["user", "safety_identifier", "prompt_cache_key"].into_iter().find_map(member);
    let said = named.or_else(|| Some(member("metadata")?.get("user_id")?.clone()));
    let said = said.and_then(|said| said.as_str().map(str::to_owned));
    said.or_else(|| asker.key_name.map(str::to_owned)).unwrap_or_else(|| asker.request_id.as_str().to_owned())
}
