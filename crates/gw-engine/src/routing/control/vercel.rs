//! Vercel's member of the body: `providerOptions.gateway`.

use gw_core::Error;

use super::value::Members;
use super::wish::{Need, Wish};
use super::{Asked, Reader, member, openrouter};

pub(super) const READER: Reader = Reader { headers: &[], beside: &[], members: &[("providerOptions", b"{")], read };

/// Says where a provider is at home.
const HEADQUARTERS: &str = "headquarters:";

fn read(asked: &Asked<'_>, wish: &mut Wish) -> Result<(), Error> {
    let Some(json) = member(asked, "providerOptions")? else { return Ok(()) };
    let mut options = Members::read(json, "providerOptions")?;
    if let Some(value) = options.take("gateway") {
        gateway(Members::of(value, options.at("gateway"))?, wish)?;
    }
    options.rest(wish);
    Ok(())
}

fn gateway(mut members: Members, wish: &mut Wish) -> Result<(), Error> {
    if let Some(order) = members.names("order")? {
        wish.order = order;
    }
    wish.only = members.names("only")?.or(wish.only.take());
    if let Some(models) = members.names("models")? {
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
    if let Some(countries) = members.names("headquarters")? {
        let (not, plain): (Vec<&str>, Vec<&str>) =
            countries.iter().map(|name| &**name).partition(|country| country.starts_with('!'));
        let named = |country: &str| format!("{HEADQUARTERS}{}", country.trim_start_matches('!')).into();
        if !plain.is_empty() {
            wish.needs.push(Need::Any(plain.into_iter().map(named).collect()));
        }
        if !not.is_empty() {
            wish.needs.push(Need::Other(HEADQUARTERS, not.into_iter().map(named).collect()));
        }
    }
    for wanted in members.names("has")?.unwrap_or_default() {
        wish.needs.push(match wanted.strip_prefix('!') {
            Some(not) => Need::Other("", vec![not.into()]),
            None => Need::Any(vec![wanted]),
        });
    }
    members.rest(wish);
    Ok(())
}
