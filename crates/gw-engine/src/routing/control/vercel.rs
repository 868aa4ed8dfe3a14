//! Vercel's member of the body: `providerOptions.gateway`.

use gw_core::Error;
use gw_policy::credentials::CredentialOrder;
use serde_json::Value;

use super::value::Members;
use super::wish::{Need, Wish};
use super::{ANY, Asked, Reader, byok, member, openrouter};

pub(super) const OPTIONS: &str = "providerOptions";
pub(super) const READER: Reader = Reader { headers: &[], beside: &[], members: &[(OPTIONS, ANY)], read };

/// Says where a provider is at home.
const HEADQUARTERS: &str = "headquarters:";

fn read(asked: &Asked<'_>, wish: &mut Wish) -> Result<(), Error> {
    let Some(json) = member(asked, OPTIONS)? else { return Ok(()) };
    let mut options = Members::read(json, OPTIONS)?;
    if let Some(value) = options.take("gateway") {
        gateway(Members::of(value, options.at("gateway"))?, wish)?;
    }
    options.rest(wish);
    Ok(())
}

/// Whether there are keys in the member's value.
pub(super) fn has_keys(json: &[u8]) -> bool {
    let options: Value = serde_json::from_slice(json).unwrap_or_default();
    options.pointer("/gateway/byok").is_some_and(|keys| !keys.is_null())
}

/// What may be asked of a model that is known of most: its name here, and in the catalogue.
const CAPABILITIES: [(&str, &str); 5] = [
    ("implicit-caching", "prompt_caching"),
    ("reasoning", "reasoning"),
    ("structured-output", "structured_output"),
    ("tool-use", "tools"),
    ("vision", "vision"),
];

fn gateway(mut members: Members, wish: &mut Wish) -> Result<(), Error> {
    byok::take(&mut members, wish)?;
    if !wish.byok.is_empty() {
        // Of one provider, then of the next: as Vercel does.
        wish.credential_order = wish.credential_order.or(Some(CredentialOrder::ProviderFirst));
    }
    byok::take_timeouts(&mut members, wish)?;
    if let Some(order) = members.list("order")? {
        wish.order = order;
    }
    wish.only = members.list("only")?.or(wish.only.take());
    if let Some(models) = members.list("models")? {
        wish.models = models;
    }
    if let Some(name) = members.text("sort")? {
        let found = openrouter::balance(&name);
        wish.sort = Some(found.ok_or_else(|| members.wrong("sort", "must be \"cost\", \"ttft\" or \"tps\""))?);
    }
    if members.flag("zeroDataRetention")? == Some(true) {
        wish.needs.push(Need::Any(vec!["zdr".into()]));
    }
    if members.flag("disallowPromptTraining")? == Some(true) {
        wish.needs.push(Need::Any(vec!["no-training".into(), "no-data-collection".into()]));
    }
    if let Some(countries) = members.list("headquarters")? {
        let (not, plain): (Vec<&str>, Vec<&str>) =
            countries.iter().map(|name| &**name).partition(|country| country.starts_with('!'));
        let named = |country: &str| format!("{HEADQUARTERS}{}", country.trim_start_matches('!')).into();
        if !plain.is_empty() && !not.is_empty() {
            return Err(members.wrong("headquarters", "must name countries, or countries behind `!`, and not both"));
        }
        if !plain.is_empty() {
            wish.needs.push(Need::Any(plain.into_iter().map(named).collect()));
        }
        if !not.is_empty() {
            wish.needs.push(Need::Other(HEADQUARTERS, not.into_iter().map(named).collect()));
        }
    }
    for wanted in members.list("has")?.unwrap_or_default() {
        let capability = CAPABILITIES.iter().find(|(name, _)| *name == &*wanted);
        wish.needs.push(match (wanted.strip_prefix('!'), capability) {
            (Some(not), _) => Need::Without(not.into()),
            (None, Some((_, known))) => Need::Capability(wanted.clone(), known),
            (None, None) => Need::Any(vec![wanted]),
        });
    }
    wish.user = members.text("user")?;
    wish.tags = members.names("tags")?.unwrap_or_default();
    wish.service_tier = match members.text("service_tier")? {
        Some(tier) if !matches!(&*tier, "flex" | "priority") => {
            return Err(members.wrong("serviceTier", "must be \"flex\" or \"priority\""));
        }
        tier => tier,
    };
    members.rest(wish);
    Ok(())
}
