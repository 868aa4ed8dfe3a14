//! The first try of a request that is a canary's. Whatever comes of it, the client is not worse off: if it fails, the
//! request goes the way of all others.

use std::rc::Rc;

use gw_core::Operation;
use gw_policy::condition::Facts;
use gw_policy::plan;
use tokio::time::Instant;

use super::walk::told;
use super::{RequestFacts, Said, Walk};
use crate::engine::Engine;
use crate::meter::Meter;
use crate::models::{Choice, Target};
use crate::reply::Reply;
use crate::routing::Way;
use crate::routing::facts::Read;

impl Engine {
    /// The canary's target, if a request is one's: chats that do not name their provider are.
    pub(crate) fn canary(&self, walk: &Walk<'_>, way: &Way, meter: &Meter) -> Option<Target> {
        let Walk { snapshot, call, head, .. } = *walk;
        if call.dialect.operation() != Operation::Chat || head.prefer_provider.is_some() || names_provider(walk) {
            return None;
        }
        let caller = caller(walk, meter);
        let taken = snapshot.canaries.iter().find(|canary| canary.trial.takes(&caller))?;
        let provider = &taken.provider;
        let model = match &taken.trial.subject.model {
            Some(model) => model,
            None => &way.node().targets().first()?.choice.model,
        };
        let is_in = provider.standing.admits(&provider.standing_rules, self.ports().elapsed()) == plan::Standing::In;
        (is_in && provider.serves(model)).then(|| Target {
            choice: Choice { provider: provider.clone(), model: model.clone(), provider_named: true },
            settings: Default::default(),
        })
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

/// Whether the client chose the provider itself.
fn names_provider(walk: &Walk<'_>) -> bool {
    let name = walk.head.model.as_deref().and_then(|model| model.split_once('/'));
    name.is_some_and(|(provider, _)| !walk.snapshot.models.named(provider).is_empty())
}

/// What requests of one caller have in common: what they say of it, else its key; else each is on its own.
fn caller(walk: &Walk<'_>, meter: &Meter) -> String {
    let said = Said::default();
    let facts =
        RequestFacts { call: walk.call, head: walk.head, path: walk.call.path, said: &said, read: Read::default() };
    let said = facts.fact("user").and_then(|user| user.as_str().map(str::to_owned));
    let key = || meter.key_name().map(|name| name.to_string());
    said.or_else(key).unwrap_or_else(|| meter.request_id().as_str().to_owned())
}
