//! The routing that a request brings along. Each outside form has a reader of its own, all of them fill one [`Wish`], and
//! [`resolve`] makes a tree of targets of it.
//!
//! A request can choose, order and narrow what its model's name stands for, and bring keys of its own. It cannot reach
//! what the operator does not serve, wait longer than the operator waits, or go around a condition of a route. Nothing
//! of it reaches a provider.

mod arrange;
mod asked_for;
mod auto;
mod behind;
mod breaker;
mod byok;
mod cloudflare;
mod form;
mod guests;
mod narrow;
mod offers;
mod online;
mod openrouter;
mod ours;
mod portkey;
mod presets;
mod resolve;
mod run;
mod suffix;
mod told;
mod universal;
mod value;
mod vercel;
mod wish;

use bytes::Bytes;
use gw_core::{Error, ErrorCode};
use gw_dialects::edit::{self, Edit};
use gw_dialects::head::Head;
use http::HeaderMap;

pub(crate) use asked_for::AskedFor;
pub(crate) use behind::Behind;
pub(crate) use guests::Guests;
pub use guests::{FromRequests, Places};
pub(crate) use online::nobody_can;
pub use presets::Presets;
pub(crate) use suffix::{has_own_suffixes, near as near_suffix, without_suffixes};
pub use told::Told;
pub use universal::{Step, Universal};
pub(crate) use wish::{Need, Wish};

use super::times::ClientTime;
use crate::engine::Call;

/// A request as readers see it.
pub(crate) struct Asked<'a> {
    pub(crate) headers: &'a HeaderMap,
    pub(crate) head: &'a Head,
    pub(crate) body: &'a Bytes,
    /// The key that the client presented, if it is not one of ours.
    pub(crate) foreign_key: Option<&'a str>,
    /// The provider that the path names.
    pub(crate) provider: Option<&'a str>,
    /// The key of the caller's own account there.
    pub(crate) own_key: Option<&'a str>,
    /// What the operator keeps for requests that name it.
    pub(crate) presets: &'a Presets,
}

/// One outside form.
struct Reader {
    /// How the names of its headers begin.
    headers: &'static [&'static str],
    /// Headers that begin so and say nothing of routing, or something else with each request.
    beside: &'static [&'static str],
    /// Its members of the body, and the first bytes of values that are meant ([`ANY`]). `null` is meant, too.
    members: &'static [(&'static str, &'static [u8])],
    read: fn(&Asked<'_>, &mut Wish) -> Result<(), Error>,
}

/// The first bytes of all values: what is not as it must be is a mistake, and no other's member.
const ANY: &[u8] = b"{[\"tf-0123456789";

/// Every form. Of two that say the same, the later one counts.
const READERS: [Reader; 5] = [openrouter::READER, vercel::READER, cloudflare::READER, portkey::READER, ours::READER];

/// What the headers of a request say to the gateway.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Heard {
    /// Whether one may be meant for the gateway: most requests have none, and are not searched for each.
    pub(crate) has_own: bool,
    /// Whether they say anything of its routing.
    routes: bool,
    /// How long its client waits.
    pub(crate) client: Option<ClientTime>,
}

impl Heard {
    /// Looks at each header once. Most are nobody's, and are told apart by three bytes, and libraries' by their ends.
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let mut heard = Self::default();
        for (name, value) in headers {
            match name.as_str().as_bytes() {
                [b'x', b'-', b's', .., b'o', b'u', b't'] => {
                    heard.client = ClientTime::shorter(heard.client, ClientTime::said(name, value));
                }
                _ if may_be_ours(name.as_str()) => {
                    heard.has_own = true;
                    heard.routes |= readers_of(name.as_str()).next().is_some();
                }
                _ => {}
            }
        }
        heard
    }
}

/// Whether a request says anything of its routing. Most do not, and are not looked at any further.
pub(crate) fn is_spoken(heard: &Heard, call: &Call<'_>, head: &Head, presets: &Presets) -> bool {
    let in_body = || {
        head.fields.iter().any(|field| {
            let name = field.name(&call.body);
            is_ours(&name, &call.body[field.value()]) || *name == *presets::MEMBER.as_bytes() && !presets.is_empty()
        })
    };
    let says = |model: &str| suffix::is_in(model) || presets.is_in_model(model);
    let in_model = || head.model.as_deref().is_some_and(says);
    call.provider.is_some() || heard.routes || in_model() || in_body()
}

/// Whether the name of a header begins like one that somebody reads.
fn may_be_ours(header: &str) -> bool {
    matches!(header.as_bytes(), [b'x', b'-', b'p' | b'g', ..] | [b'c', b'f', b'-', ..])
}

fn readers_of(header: &str) -> impl Iterator<Item = &'static Reader> {
    READERS.iter().filter(move |reader| reader.headers.iter().any(|prefix| header.starts_with(prefix)))
}

fn is_ours(name: &[u8], value: &[u8]) -> bool {
    let mut members = READERS.iter().flat_map(|reader| reader.members);
    let found = members.find(|(member, _)| member.as_bytes() == name);
    found.is_some_and(|(_, begins)| value.first().is_some_and(|first| *first == b'n' || begins.contains(first)))
}

/// What a request says of its routing.
///
/// # Errors
/// `invalid_request` where it cannot be understood; no value of it is repeated.
pub(crate) fn read(asked: &Asked<'_>) -> Result<Wish, Error> {
    let mut wish = Wish::default();
    presets::read(asked, &mut wish)?;
    for reader in &READERS {
        (reader.read)(asked, &mut wish)?;
    }
    Ok(wish)
}

/// What makes the routing of one request differ from that of another, piece by piece.
fn pieces<'a>(asked: &Asked<'a>, mut each: impl FnMut(&[u8])) {
    for (name, value) in asked.headers {
        let name = name.as_str();
        if readers_of(name).any(|reader| !reader.beside.contains(&name)) {
            each(name.as_bytes());
            each(value.as_bytes());
        }
    }
    for field in asked.head.fields.iter() {
        let (name, value) = (field.name(asked.body), &asked.body[field.value()]);
        if is_ours(&name, value) || *name == *presets::MEMBER.as_bytes() && !asked.presets.is_empty() {
            each(&name);
            each(value);
        }
    }
    each(asked.provider.unwrap_or_default().as_bytes());
    each(asked.own_key.unwrap_or_default().as_bytes());
    each(asked.foreign_key.unwrap_or_default().as_bytes());
}

/// Takes out of a body what only the gateway understands.
///
/// OpenRouter's members stay where OpenRouter is asked; `preset` stays unless it names one of ours. A service is asked for
/// where the body does not say one.
fn strip(
    head: &Head,
    body: &Bytes,
    is_openrouters: bool,
    has_preset: bool,
    service_tier: Option<&str>,
) -> Option<Bytes> {
    let tier = service_tier.filter(|_| head.fields.get(body, "service_tier").is_none());
    let tier = tier.map(|tier| Edit::insert("service_tier", edit::json_string(tier)));
    let preset = head.fields.all(body, presets::MEMBER).filter(|_| has_preset).map(Edit::remove);
    let edits: edit::Edits = removals(head, body, is_openrouters).chain(preset).chain(tier).collect();
    if edits.is_empty() {
        return None;
    }
    Some(Bytes::from(edit::apply(body, edits).concat()))
}

/// What is taken out of a body. Of an operation that is carried, too, whose routing is not a request's own.
pub(crate) fn removals<'a>(head: &'a Head, body: &'a [u8], is_openrouters: bool) -> impl Iterator<Item = Edit> + 'a {
    let stays = move |name: &[u8]| {
        is_openrouters && openrouter::READER.members.iter().any(|(member, _)| member.as_bytes() == name)
    };
    let ours = head.fields.iter().filter(move |field| {
        let name = field.name(body);
        is_ours(&name, &body[field.value()]) && !stays(&name)
    });
    ours.map(Edit::remove)
}

/// Refuses a configuration for an operation that is carried. Its keys must not be left unused in silence: another's
/// would be spent.
pub(crate) fn refuse_configuration(headers: &HeaderMap) -> Result<(), Error> {
    match [portkey::CONFIG, ours::CONFIG].into_iter().find(|name| headers.contains_key(*name)) {
        Some(name) => Err(unfollowed(name)),
        None => Ok(()),
    }
}

/// The same of a configuration, or of keys, in a body.
pub(crate) fn refuse_configuration_in(head: &Head, body: &Bytes) -> Result<(), Error> {
    for field in head.fields.iter() {
        let (name, value) = (field.name(body), &body[field.value()]);
        let ours = ours::READER.members.iter().find(|(member, _)| member.as_bytes() == &*name);
        if let Some((member, _)) = ours.filter(|_| is_ours(&name, value) && value != b"null") {
            return Err(unfollowed(member));
        }
        if *name == *vercel::OPTIONS.as_bytes() && vercel::has_keys(value) {
            return Err(unfollowed("providerOptions.gateway.byok"));
        }
    }
    Ok(())
}

fn unfollowed(place: &str) -> Error {
    value::wrong(place, "is not followed for this operation; name a provider (X-Gateway-Provider)")
}

/// A member of the body that a reader knows, as JSON. Who reads the first of two and who reads the last would see two
/// different requests.
fn member<'a>(asked: &Asked<'a>, name: &'static str) -> Result<Option<&'a [u8]>, Error> {
    let mut all = asked.head.fields.all(asked.body, name);
    let Some(field) = all.next() else { return Ok(None) };
    if all.next().is_some() {
        let message = format!("`{name}` stands twice in the request; send it once");
        return Err(Error::new(ErrorCode::DuplicateField, message).with_param(name));
    }
    let value = &asked.body[field.value()];
    Ok(Some(value).filter(|value| is_ours(name.as_bytes(), value) && *value != b"null"))
}

#[cfg(test)]
mod tests;
