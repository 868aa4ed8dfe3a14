//! Searching the web: whether a model can be asked for it where it is served, and in which of its provider's formats. The
//! search is the provider's; there is none of our own.

use std::sync::Arc;

use gw_core::Operation;
use gw_core::chat::BuiltInTool;
use gw_dialects::DialectId;
use gw_providers::catalog::DialectEntry;
use gw_providers::catalog::models::Model;
use serde_json::Map;

use crate::routing::control::Need;
use crate::snapshot::Provider;

/// What the catalogue, an operator's facts and `assurances` call it.
const CAPABILITY: &str = "web_search";

/// In which format a model can be asked to search the web: the client's own if it can be said there, else the first of the
/// provider's. `None` if in none.
pub(crate) fn spoken<'a>(provider: &'a Provider, model: &str, own: DialectId) -> Option<(DialectId, &'a DialectEntry)> {
    let says = |(dialect, entry): &(DialectId, &DialectEntry)| {
        entry.holds_for(model)
            && entry.searches_with(model)
            && provider.egress(*dialect).is_some_and(|egress| egress.says_web_search(model))
    };
    let own = provider.entry.dialect(own, model).map(|entry| (own, entry));
    own.into_iter().chain(provider.entry.dialects()).find(says)
}

/// Why a model cannot be asked to search the web; `None` if it can. `facts` are those of the model there.
pub(crate) fn why_not(provider: &Provider, model: &str, facts: Option<&Model>, own: DialectId) -> Option<&'static str> {
    if own.operation() != Operation::Chat {
        return Some("only chats search the web");
    }
    if !Need::Capability(CAPABILITY.into(), CAPABILITY).is_met(&provider.assurances, facts) {
        return Some(
            "it is not known to search the web with this model; if it does, say so in its assurances: [web_search]",
        );
    }
    spoken(provider, model, own).is_none().then_some("its format has no word for a search of the web")
}

/// A search that is to keep to nothing.
pub(crate) fn plain() -> Arc<BuiltInTool> {
    Arc::new(gw_dialects::shared::search::wanted(Map::new()))
}
