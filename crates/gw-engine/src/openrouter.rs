//! What clients of OpenRouter's API write into requests besides what every provider knows. Only OpenRouter itself is sent
//! it; elsewhere it is done here, or told as ignored.

use std::borrow::Cow;

use bytes::{Bytes, BytesMut};
use gw_core::Error;
use gw_core::chat::Loss;
use gw_dialects::edit::{self, Edit, Edits};
use gw_dialects::request::{self, Head};
use gw_dialects::{DialectId, scan};
use http::HeaderName;

use crate::engine::{Call, Ports, Resolved};
use crate::meter::Meter;
use crate::snapshot::Provider;

/// The catalogue's entry of OpenRouter.
const TYPE: &str = "openrouter";

/// What OpenRouter is told of the application, and nobody else.
pub(crate) const FORWARDED: [HeaderName; 4] = [
    HeaderName::from_static("http-referer"),
    HeaderName::from_static("x-title"),
    HeaderName::from_static("x-openrouter-title"),
    HeaderName::from_static("x-openrouter-categories"),
];

/// Longer names of models are nobody's.
const NAME_BYTES_MAX: usize = 1 << 10;

const MODEL: &str = "model";
const MODELS: &str = "models";
const REASONING: &str = "reasoning";
const REASONING_EFFORT: &str = "reasoning_effort";

/// Members that mean something to OpenRouter alone, and what becomes of them here. Those of routing have been read and
/// taken out before, where they are what they should be.
const MEMBERS: [(&str, &str); 12] = [
    (MODELS, "it is no list of models"),
    ("provider", "it is no object"),
    ("transforms", "the gateway does not change conversations"),
    ("plugins", "here there are `web` and, where a route chooses the model, the routers'"),
    ("route", "it is no text"),
    ("preset", "it is no text"),
    ("session_id", "the gateway does not route by it"),
    ("trace", "the gateway does not send traces by it"),
    ("debug", "the gateway does not echo what it sends"),
    ("stop_server_tools_when", "the gateway runs no tools"),
    ("include_reasoning", "the provider decides what it shows of its thoughts"),
    ("image_config", "the provider does not know it"),
];

/// Whether a provider is OpenRouter.
pub(crate) fn is(provider: &Provider) -> bool {
    provider.entry.id == TYPE
}

/// What is told of a member that nobody else than OpenRouter is sent.
pub(crate) fn ignored(name: &'static str) -> Loss {
    let why = MEMBERS.iter().find(|(member, _)| *member == name).map_or("only OpenRouter knows it", |(_, why)| why);
    Loss::ignored(name, why)
}

/// The model that is tried first, where a request gives a list of them and nothing else.
pub(crate) fn first_of_models(head: &Head, body: &[u8]) -> Option<Box<str>> {
    let models = body.get(head.fields.get(body, MODELS)?.value())?;
    let models: Vec<Cow<'_, str>> = serde_json::from_slice(models).ok()?;
    let first = models.first().filter(|name| !name.is_empty() && name.len() <= NAME_BYTES_MAX)?;
    (!first.chars().any(char::is_control)).then(|| Box::from(&**first))
}

/// The request as somebody else than OpenRouter is sent it, and its head; `None` if it is the same.
///
/// # Errors
/// There is no room for it.
pub(crate) fn for_others<'a>(
    ports: &Ports,
    call: &Call<'a>,
    head: &Head,
    resolved: &Resolved,
    meter: &mut Meter,
) -> Result<Option<Box<(Call<'a>, Head)>>, Error> {
    let (body, provider) = (&call.body, &resolved.choice.provider);
    let mut edits = Edits::new();
    if call.model.is_none() && head.fields.get(body, MODEL).is_none() {
        edits.extend(head.model.as_deref().map(|model| Edit::insert(MODEL, edit::json_string(model))));
    }
    strip(provider, head, body, &mut edits, meter);
    if call.dialect == DialectId::OpenAiChat && provider.endpoint(call.dialect).is_some() && !is(provider) {
        let mut losses = Vec::new();
        reasoning(head, body, &mut edits, &mut losses);
        meter.lost(&losses);
    }
    if edits.is_empty() {
        return Ok(None);
    }
    let mut held = ports.held_bytes.nothing();
    held.hold(0, body.len())?;
    let body = joined(edit::apply(body, edits).as_slice());
    let scanned = request::scan(call.dialect, &body)?;
    let head = Head { model: head.model.clone(), stream: head.stream, ..scanned };
    let call = Call { body, held, ..*call };
    Ok(Some(Box::new((call, head))))
}

/// Takes out what only OpenRouter knows, unless the provider is OpenRouter, and tells so.
pub(crate) fn strip(provider: &Provider, head: &Head, body: &[u8], edits: &mut Edits, meter: &mut Meter) {
    if !is(provider) {
        let mut losses = Vec::new();
        remove_members(head, body, edits, &mut losses);
        meter.lost(&losses);
    }
}

/// Takes out what only OpenRouter knows. What says nothing is not worth a word.
fn remove_members(head: &Head, body: &[u8], edits: &mut Edits, losses: &mut Vec<Loss>) {
    for (name, why) in MEMBERS {
        let Some(field) = head.fields.get(body, name) else { continue };
        edits.extend(edit::remove(head, body, name));
        if !matches!(&body[field.value()], b"null" | b"{}" | b"[]") && !is_one_model(head, body, name) {
            losses.push(Loss::ignored(name, why));
        }
    }
}

/// Whether a list of models leaves nothing to fall back to.
fn is_one_model(head: &Head, body: &[u8], name: &str) -> bool {
    let list = || serde_json::from_slice::<Vec<Cow<'_, str>>>(&body[head.fields.get(body, MODELS)?.value()]).ok();
    name == MODELS && list().is_some_and(|list| list.iter().all(|model| Some(&**model) == head.model.as_deref()))
}

/// `reasoning.effort` in the words of those who speak OpenAI's format and do not know OpenRouter's object.
fn reasoning(head: &Head, body: &[u8], edits: &mut Edits, losses: &mut Vec<Loss>) {
    let Some(field) = head.fields.get(body, REASONING) else { return };
    let object = &body[field.value()];
    let Ok(members) = scan::top_level(object) else { return };
    edits.extend(edit::remove(head, body, REASONING));
    for member in members.iter() {
        let name = String::from_utf8_lossy(&member.name(object)).into_owned();
        let value = &object[member.value()];
        match name.as_str() {
            _ if value == b"null" => {}
            "effort" if head.fields.get(body, REASONING_EFFORT).is_none() => {
                edits.push(Edit::insert(REASONING_EFFORT, Bytes::copy_from_slice(value)));
            }
            // That is how it is without it.
            "enabled" if value == b"true" => {}
            "exclude" if value == b"false" => {}
            _ => losses.push(Loss::dropped(format!("{REASONING}.{name}"), "the provider is told the effort alone")),
        }
    }
}

fn joined(segments: &[Bytes]) -> Bytes {
    match segments {
        [one] => one.clone(),
        several => {
            let mut whole = BytesMut::with_capacity(several.iter().map(Bytes::len).sum());
            several.iter().for_each(|segment| whole.extend_from_slice(segment));
            whole.freeze()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is sent of a request to others, and what is told.
    fn sent(body: &'static str) -> (String, Vec<String>) {
        let body = Bytes::from_static(body.as_bytes());
        let head = request::scan(DialectId::OpenAiChat, &body).unwrap();
        let (mut edits, mut losses) = (Edits::new(), Vec::new());
        remove_members(&head, &body, &mut edits, &mut losses);
        reasoning(&head, &body, &mut edits, &mut losses);
        let sent = joined(&edit::apply(&body, edits));
        let told = losses.iter().map(|loss| loss.param.to_string()).collect();
        (String::from_utf8(sent.to_vec()).unwrap(), told)
    }

    #[test]
    fn what_only_openrouter_knows_is_taken_out_and_told() {
        let (body, told) =
            sent(r#"{"model":"m","models":["m","n"],"provider":{"sort":"price"},"plugins":[],"seed":1}"#);
        assert_eq!(body, r#"{"model":"m","seed":1}"#);
        assert_eq!(told, ["models", "provider"]);
    }

    #[test]
    fn a_list_of_the_model_itself_leaves_nothing_out() {
        assert_eq!(sent(r#"{"model":"m","models":["m"]}"#), (r#"{"model":"m"}"#.to_owned(), vec![]));
    }

    #[test]
    fn an_effort_is_said_as_openai_says_it_and_the_rest_is_told() {
        let (body, told) = sent(r#"{"model":"m","reasoning":{"effort":"high","exclude":true,"enabled":true}}"#);
        let body: serde_json::Value = serde_json::from_str(&body).unwrap();
        assert_eq!(body, serde_json::json!({"model": "m", "reasoning_effort": "high"}));
        assert_eq!(told, ["reasoning.exclude"]);
    }

    #[test]
    fn a_list_of_models_may_stand_for_the_model() {
        let first = |body: &'static str| {
            let body = Bytes::from_static(body.as_bytes());
            first_of_models(&request::scan(DialectId::OpenAiChat, &body).unwrap(), &body)
        };
        assert_eq!(first(r#"{"models":["a/b","c"]}"#).as_deref(), Some("a/b"));
        for body in [r#"{"models":[]}"#, r#"{"models":[1]}"#, r#"{"models":["a\nb"]}"#, "{}"] {
            assert_eq!(first(body), None, "{body}");
        }
    }
}
