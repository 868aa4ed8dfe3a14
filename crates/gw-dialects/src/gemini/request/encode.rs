//! What Google is asked.

use gw_core::Error;
use gw_core::chat::{ChatRequest, Loss};
use serde::Serialize;
use serde_json::{Map, Value};

use super::decode::put;
use super::turns::{Content, Names, contents, system};
use super::{config, tools};
use crate::chat::{Encoded, Target};
use crate::gemini::FAMILY;
use crate::gemini::wire::invalid;
use crate::shared::losses::Losses;
use crate::shared::percent;
use crate::shared::turns::{Arranged, Rules, Side, Turn, arrange};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Body<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    system_instruction: Option<Content<'a>>,
    contents: Vec<Content<'a>>,
    #[serde(flatten)]
    rest: Map<String, Value>,
}

/// Writes a request.
pub(crate) fn encode(request: &ChatRequest, target: &Target<'_>) -> Result<Encoded, Error> {
    let mut arranged = arrange(&request.messages, Rules { family: FAMILY, keeps_instructions: false });
    let mut losses = Losses::from(std::mem::take(&mut arranged.losses));
    speak_first(&mut arranged, &mut losses);
    let contents = contents(&arranged, target, &mut losses);
    if contents.is_empty() {
        return Err(invalid("messages", "must have content that the model can be given").with_param("messages"));
    }
    if arranged.system.iter().any(|text| text.cache.is_some()) {
        losses.push(tools::cache_marker());
    }
    let rest = rest(request, target, &mut losses);
    let body = Body { system_instruction: system(&arranged.system), contents, rest };
    let body = serde_json::to_vec(&body).map_err(|_| invalid("messages", "cannot be written as JSON"))?;
    Ok(Encoded {
        path: path(target.model, target.stream),
        headers: Vec::new(),
        body,
        losses: losses.into_vec(),
        names: Names.changed(request),
    })
}

/// The provider answers users only: instructions alone become the user's.
fn speak_first(arranged: &mut Arranged, losses: &mut Losses) {
    if arranged.turns.is_empty() && !arranged.system.is_empty() {
        losses.push(Loss::replaced("messages[].role", "instructions without a user's turn are sent as the user's"));
        let parts = arranged.system.drain(..).map(gw_core::chat::Part::Text).collect();
        arranged.turns.push(Turn::new(Side::User, parts));
    }
}

/// Everything but the conversation.
fn rest(request: &ChatRequest, target: &Target<'_>, losses: &mut Losses) -> Map<String, Value> {
    let is_own = request.extra.family == FAMILY;
    let tools = tools::write(request, target.model, &Names, losses);
    let members = [
        ("tools", (!tools.is_empty()).then(|| Value::Array(tools))),
        ("toolConfig", tools::write_choice(request, &Names, losses)),
        (
            "generationConfig",
            Some(config::write(request, target.model, losses)).filter(|m| !m.is_empty()).map(Value::Object),
        ),
        ("serviceTier", request.service_tier.as_deref().and_then(|tier| service_tier(tier, losses)).map(Value::from)),
        ("labels", (is_own && !request.metadata.is_empty()).then(|| Value::Object(request.metadata.clone()))),
    ];
    let members = members.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
    let mut rest: Map<String, Value> = members.collect();
    config::unsaid(request, losses);
    for (name, value) in losses.own_extra(request, FAMILY).into_iter().flatten() {
        if !tools::is_withheld(name, losses) {
            put(&mut rest, name, value.clone());
        }
    }
    rest
}

/// Google's word for a service. `auto` leaves the choice: it is not said, least of all as the dearer one.
fn service_tier(tier: &str, losses: &mut Losses) -> Option<&'static str> {
    match tier {
        "auto" => None,
        "default" | "standard" | "standard_only" => Some("standard"),
        "flex" => Some("flex"),
        "priority" => Some("priority"),
        _ => {
            losses.push(Loss::dropped("service_tier", "the provider does not have this service"));
            None
        }
    }
}

/// Where a model is asked, behind the base URL.
pub(in super::super) fn path(model: &str, stream: bool) -> String {
    let verb = if stream { "streamGenerateContent?alt=sse" } else { "generateContent" };
    let model = model.strip_prefix("models/").unwrap_or(model);
    let folder = if model.starts_with("tunedModels/") { "" } else { "models/" };
    let mut path = format!("/{folder}");
    percent::encode_into(&mut path, model, b"@/");
    format!("{path}:{verb}")
}
