//! An attempt that goes on with a text: the request with what has been said of the answer as the model's own turn, in the
//! words that the catalogue has for it.

use std::rc::Rc;

use bytes::Bytes;
use gw_core::Error;
use gw_core::chat::{ChatRequest, Family, Message, Role, Unknown};
use gw_dialects::chat::{self, Asked, Origin};
use gw_dialects::edit::{self, Edits};
use gw_dialects::envelope::Envelope;
use gw_dialects::head::Head;
use gw_dialects::{DialectId, request};
use gw_providers::catalog::models::Capability;
use gw_providers::catalog::{DialectEntry, Prefill};
use http::uri::PathAndQuery;

use crate::begun::Begun;
use crate::dispatch::Attempt;
use crate::engine::{Call, Resolved};
use crate::meter::Meter;
use crate::reply::Translation;
use crate::snapshot::{Provider, Snapshot};
use crate::translate;

/// Members of a request that stand for what its provider holds: nobody else could go on.
const HELD_THERE: [&str; 5] = ["thread", "previous_response_id", "conversation", "prompt", "cachedContent"];

/// How a target is asked to go on with a text, in the client's dialect if that is known, else in another; `None` if it is
/// not known that its model can.
pub(crate) fn spoken<'a>(
    snapshot: &Snapshot,
    target: &'a Resolved,
    dialect: DialectId,
) -> Option<(DialectId, &'a DialectEntry)> {
    let (provider, model) = (&target.choice.provider, &target.choice.model);
    let facts = snapshot.pricing.facts(provider, model)?;
    let can = facts.model.can;
    if !can.has(Capability::Prefill) || can.has(Capability::AlwaysThinks) {
        return None;
    }
    let own = provider.entry.dialect(dialect, model).map(|entry| (dialect, entry));
    let mut all = own.into_iter().chain(provider.entry.dialects_of(model));
    all.find(|(dialect, entry)| entry.prefill.is_some() && chat::egress(*dialect).is_some())
}

/// The request, to which the model has begun to answer.
pub(crate) fn with_answer(request: &mut ChatRequest, text: &str, prefill: &Prefill) {
    let unknown = Unknown::new(Family::OpenAiChat, prefill.message.clone());
    request.messages.push(Message { unknown, ..Message::new(Role::Assistant, vec![text.into()]) });
}

/// The body, with what asks to go on besides the conversation.
pub(crate) fn marked(dialect: DialectId, body: Vec<u8>, prefill: &Prefill) -> Result<Vec<u8>, Error> {
    if prefill.body.is_empty() {
        return Ok(body);
    }
    let body = Bytes::from(body);
    let head = request::scan(dialect, &body)?;
    let value = |value: &serde_json::Value| Bytes::from(value.to_string());
    let edits: Edits = prefill.body.iter().map(|(name, is)| edit::set(&head, &body, name, value(is))).collect();
    Ok(edit::apply(&body, edits).concat())
}

/// Where the provider is asked to go on, if not where it is asked otherwise.
pub(crate) fn path(provider: &Provider, dialect: DialectId, entry: &DialectEntry) -> Option<PathAndQuery> {
    let path = entry.prefill.as_ref()?.path.as_deref()?;
    let base = provider.endpoint(dialect)?.path().strip_suffix(entry.path.as_str())?;
    // Applications for OpenAI want the version in an address; a path that is not the dialect's stands beside it.
    PathAndQuery::try_from(format!("{}{path}", base.trim_end_matches("/v1"))).ok()
}

impl Attempt<'_> {
    /// Reads and writes the stream of a provider that speaks the client's dialect, where it may have to be continued by
    /// somebody who speaks another: what is known of it then has to be known from its beginning.
    pub(crate) fn resumable(
        &self,
        call: &Call<'_>,
        head: &Head,
        envelope: Option<&dyn Envelope>,
        meter: &Meter,
    ) -> Option<Translation> {
        // An answer that the provider keeps is known by the id that it has there, and is kept as far as it came.
        let is_held = |name: &&str| head.fields.get(&call.body, name).is_some();
        if !meter.may_resume() || self.remember(call, meter).is_some() || HELD_THERE.iter().any(is_held) {
            return None;
        }
        let (ingress, egress) = (chat::ingress(call.dialect)?, self.resolved.choice.provider.egress(call.dialect)?);
        let mut request = translate::decode(ingress, call, head, Edits::new()).ok()?;
        request.include_usage |= meter.tells_cost();
        let begun = Begun::of(&request, self.ports.held_bytes.nothing())?;
        let origin = Origin {
            provider: Rc::from(&*self.resolved.choice.provider.name),
            model: Rc::from(&*self.resolved.choice.model),
            request_id: Some(meter.request_id()),
            ..Origin::default()
        };
        let asked =
            Asked { request: Rc::new(request), request_id: meter.request_id(), now_s: self.ports.clock.unix_s() };
        let frames = envelope.and_then(|envelope| envelope.unframe(&origin.provider));
        let translation = Translation::new(egress.decoder(origin), ingress.encoder(asked), None, None);
        Some(translation.unframing(frames).with_array(call.json_array).resumable(Some(begun)))
    }
}
