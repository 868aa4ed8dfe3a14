//! What a conversation needs of a model, and what is known of a model, for routes that choose by that.

use gw_core::{Error, ErrorCode, Operation};
use gw_dialects::chat;
use gw_dialects::edit::Edits;
use gw_dialects::head::Head;
use gw_dialects::shared::tokens;
use gw_policy::auto::{Abilities, Can, Need, Tier};
use gw_policy::plan::{Node, Plan};
use gw_providers::catalog::models::{self, Capability, Modality, Task};

use crate::engine::{Call, Resolved};
use crate::pricing::{Pricing, usual_price};
use crate::translate;

/// What a request needs. One that cannot be read needs nothing in particular: whoever is asked will tell what is wrong.
pub(crate) fn of(call: &Call<'_>, head: &Head) -> Need {
    let ingress = chat::ingress(call.dialect);
    let request = ingress.and_then(|ingress| translate::decode(ingress, call, head, Edits::new()).ok());
    let need = request.map_or_else(Need::default, |request| Need::of(&request, tokens::estimate(&request)));
    Need { completes: call.dialect.operation() == Operation::Completion, ..need }
}

/// What is known of a target's model: what the operator says, else the catalogue.
pub(crate) fn abilities(pricing: &Pricing, target: &Resolved) -> Abilities {
    let facts = pricing.facts(&target.choice.provider, &target.choice.model);
    let model = facts.as_ref().map(|facts| &*facts.model);
    let tier = target.target_settings.tier.or_else(|| model.and_then(|model| model.tier).map(tier));
    Abilities {
        chats: model.map(|model| model.tasks.has(Task::Chat)),
        completes: model.is_some_and(|model| model.tasks.has(Task::Completion)),
        tier,
        price: usual_price(&target.price),
        context_tokens: model.and_then(|model| model.context_tokens),
        output_tokens_max: model.and_then(|model| model.output_tokens_max),
        can: model.map(|model| can(model, target.settings.emulates_tools)),
    }
}

fn can(model: &models::Model, emulates_tools: bool) -> Can {
    // What the configuration alone describes, it need not describe in full.
    let is_described_only = model.date.is_empty();
    let does = |one: Capability| model.can.has(one) || (is_described_only && model.can.iter().next().is_none());
    let reads = |one: Modality| model.input.has(one) || (is_described_only && model.input.iter().count() < 2);
    Can {
        tools: does(Capability::Tools) || emulates_tools,
        schema: does(Capability::StructuredOutput) || does(Capability::NativeStructuredOutput),
        images: reads(Modality::Image),
        documents: reads(Modality::Pdf),
        audio: reads(Modality::Audio),
        films: reads(Modality::Video),
    }
}

fn tier(tier: models::Tier) -> Tier {
    match tier {
        models::Tier::Small => Tier::Small,
        models::Tier::Standard => Tier::Standard,
        models::Tier::Flagship => Tier::Flagship,
    }
}

/// Refuses what is no conversation where a model was chosen because it suits one.
///
/// # Errors
/// `invalid_request`.
pub(crate) fn refuse_other_operations<T: Clone>(plan: &Plan<T>, operation: Operation) -> Result<(), Error> {
    let is_conversation = matches!(operation, Operation::Chat | Operation::Completion | Operation::CountTokens);
    if is_conversation || plan.class().is_none() { Ok(()) } else { Err(for_conversations()) }
}

/// Refuses what is carried at a route that chooses models.
///
/// # Errors
/// `invalid_request`.
pub(crate) fn refuse_carried<T: Clone>(tree: &Node<T>) -> Result<(), Error> {
    if tree.is_auto() { Err(for_conversations()) } else { Ok(()) }
}

fn for_conversations() -> Error {
    let message = "this route chooses a model for a conversation; name a model for other operations";
    Error::new(ErrorCode::InvalidRequest, message).with_param("model")
}
