//! What a request of the Responses API continues, and what is kept of it.

use std::sync::Arc;

use gw_core::chat::ChatRequest;
use gw_core::{Error, ErrorCode};
use gw_dialects::DialectId;
use gw_dialects::head::Head;
use gw_dialects::openai_responses::{self, State};
use serde_json::{Map, Value, json};

use crate::budget::Taken;
use crate::conversations::{Item, Key, Owner, Remember, Stored, ToKeep, ToKeepResponse, bytes_of};
use crate::dispatch::Attempt;
use crate::engine::Call;
use crate::meter::Meter;

/// Members of a Responses request that are about the gateway's side of it, and that no other dialect has to be told.
const OWN_STATE: [&str; 6] =
    ["store", "previous_response_id", "conversation", "client_metadata", "include", "prompt_cache_retention"];
/// Those that even a provider of the same dialect is not told, if the gateway has what they name.
const RESOLVED_STATE: [&str; 2] = ["previous_response_id", "conversation"];

pub(crate) type Members = Map<String, Value>;

impl Attempt<'_> {
    /// Whether a request continues what the gateway keeps, so that a provider which keeps its own must be told it.
    pub(crate) async fn continues_ours(&self, call: &Call<'_>, head: &Head, meter: &Meter) -> bool {
        if !RESOLVED_STATE.iter().any(|name| head.fields.get(&call.body, name).is_some()) {
            return false;
        }
        let state = openai_responses::state(&call.body);
        let owner = owner(call, meter);
        for id in state.previous_response_id.iter().chain(&state.conversation) {
            let key = Key::new(&owner, id);
            let found = self.ports.conversations.store().get(&key, self.ports.clock.now()).await;
            if matches!(found.as_deref(), Some(Stored::Response(_) | Stored::Conversation(_))) {
                return true;
            }
        }
        false
    }

    /// Who keeps the answer to a request that goes to a provider of its own dialect, if anybody does.
    pub(crate) fn remember(&self, call: &Call<'_>, meter: &Meter) -> Option<Remember> {
        let is_kept = call.dialect == DialectId::OpenAiResponses && openai_responses::state(&call.body).store;
        is_kept.then(|| Remember {
            conversations: Arc::clone(&self.ports.conversations),
            owner: owner(call, meter),
            now: self.ports.clock.now(),
            provider: Arc::clone(&self.resolved.choice.provider.name),
        })
    }

    /// Puts what the request continues before it, and prepares to keep it. What of the request is about that is taken out.
    pub(crate) async fn continued(
        &self,
        spoken: DialectId,
        call: &Call<'_>,
        head: &Head,
        request: &mut ChatRequest,
        meter: &Meter,
        held: &mut Taken,
    ) -> Result<(Option<ToKeep>, Members), Error> {
        if call.dialect != DialectId::OpenAiResponses {
            return Ok((None, Members::new()));
        }
        let is_own_dialect = spoken == call.dialect;
        if is_own_dialect && !self.continues_ours(call, head, meter).await {
            return Ok((None, Members::new()));
        }
        let state = openai_responses::state(&call.body);
        check(&state)?;
        let removed: &[&str] = if is_own_dialect { &RESOLVED_STATE } else { &OWN_STATE };
        let mut own: Members =
            removed.iter().filter_map(|name| request.extra.members.shift_remove_entry(*name)).collect();
        if let Some(id) = &state.conversation {
            own.insert("conversation".to_owned(), json!({"id": id}));
        }
        let owner = owner(call, meter);
        let earlier = self.earlier(&state, &owner).await?;
        // A short request may continue a long conversation.
        held.hold(0, bytes_of(&earlier))?;
        // The items of the answer are numbered too.
        let id_base = format!("{}_in", meter.request_id());
        let body: Members = serde_json::from_slice(&call.body).unwrap_or_default();
        let input = openai_responses::given_items(&body, "input", &id_base)?;

        // The instructions of the earlier request are not carried over: this one's come first.
        let instructions = head.fields.get(&call.body, "instructions").map(|field| &call.body[field.value()]);
        let start = usize::from(instructions.is_some_and(|value| value != b"null")).min(request.messages.len());
        let said = openai_responses::messages(earlier.iter().map(|item| &*item.json))?;
        request.messages.splice(start..start, said);

        let is_kept = state.store || state.conversation.is_some();
        let response = is_kept.then(|| ToKeepResponse {
            id: state.store.then(|| openai_responses::response_id(meter.request_id())),
            conversation: state.conversation,
            earlier,
            input: self.ports.conversations.items(input),
            conversations: Arc::clone(&self.ports.conversations),
            owner,
            now: self.ports.clock.now(),
        });
        Ok((response.map(ToKeep::Response), own))
    }

    /// What was said before.
    async fn earlier(&self, state: &State, owner: &Owner) -> Result<Vec<Arc<Item>>, Error> {
        let Some(id) = state.previous_response_id.as_ref().or(state.conversation.as_ref()) else {
            return Ok(Vec::new());
        };
        let key = Key::new(owner, id);
        let found = self.ports.conversations.store().get(&key, self.ports.clock.now()).await;
        match (found.as_deref(), state.previous_response_id.is_some()) {
            (Some(Stored::Response(response)), true) => Ok(response.items.clone()),
            (Some(Stored::Conversation(conversation)), false) => Ok(conversation.items.clone()),
            (Some(Stored::Elsewhere(provider)), true) => Err(not_found(&format!(
                "`previous_response_id` names an answer that provider \"{provider}\" keeps; ask a model of that provider, \
                 or send the earlier items in `input`"
            ))),
            (_, true) => Err(not_found(
                "`previous_response_id` names an answer that is not kept here any more; send the earlier items in `input`",
            )),
            (_, false) => {
                let message = "`conversation` names one that is not kept here any more; make a new one";
                Err(Error::new(ErrorCode::ConversationNotFound, message).with_param("conversation"))
            }
        }
    }
}

fn check(state: &State) -> Result<(), Error> {
    if state.background {
        let message = "`background` is not offered for this model; leave it out, or ask for a stream";
        return Err(Error::new(ErrorCode::UnsupportedParameter, message).with_param("background"));
    }
    if state.previous_response_id.is_some() && state.conversation.is_some() {
        let message = "`previous_response_id` and `conversation` exclude each other; send one of them";
        return Err(Error::new(ErrorCode::InvalidRequest, message).with_param("previous_response_id"));
    }
    Ok(())
}

/// Whose what is kept for this request is.
pub(crate) fn owner(call: &Call<'_>, meter: &Meter) -> Owner {
    Owner::of(meter.key_name(), call.foreign_key)
}

fn not_found(message: &str) -> Error {
    Error::new(ErrorCode::PreviousResponseNotFound, message.to_owned()).with_param("previous_response_id")
}
