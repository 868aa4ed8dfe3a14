//! Keys of a caller's own for several providers in one request: `byok`, as Vercel's clients write it in
//! `providerOptions.gateway` and ours in a configuration. Of several for one provider, each is tried after the one before.

use std::time::Duration;

use gw_config::secret::Secret;
use gw_core::Error;
use gw_policy::credentials::CredentialOrder;
use serde_json::Value;

use super::form;
use super::value::{Members, wrong};
use super::wish::{Byok, Own, Renamed, Wish};

/// Keys in one request.
const KEYS_MAX: usize = 32;
/// The least that a provider may be given until its answer begins (Vercel's bound).
const TIMEOUT_MIN: Duration = Duration::from_secs(1);

/// For placeholders of a provider's address: the names in keys, and ours.
const VARIABLES: [(&str, &str); 6] = [
    ("resource_name", "resource"),
    ("region", "region"),
    ("location", "region"),
    ("project", "project"),
    ("project_id", "project"),
    ("account_id", "account_id"),
];
/// Credentials with more in them than a key.
const CREDENTIALS: [&str; 6] =
    ["access_key_id", "secret_access_key", "session_token", "private_key", "client_email", "private_key_id"];
/// Where other gateways' credentials say where they are good for. They must not be sent anywhere else.
const ADDRESSES: [&str; 4] = ["base_url", "baseURL", "endpoint_url", "endpoint"];

/// Takes `byok` and `credential_order`.
pub(super) fn take(members: &mut Members, wish: &mut Wish) -> Result<(), Error> {
    if let Some(value) = members.take("byok") {
        let place = members.at("byok");
        for (provider, value) in Members::of(value, &*place)?.into_pairs() {
            let place = format!("{place}.{}", provider.chars().take(60).collect::<String>());
            let list = match value {
                Value::Null => continue,
                Value::Array(list) => list,
                one => vec![one],
            };
            for (index, value) in list.into_iter().enumerate() {
                let key = key(&provider, value, format!("{place}[{index}]"), wish)?;
                wish.byok.push(key);
                if wish.byok.len() > KEYS_MAX {
                    return Err(wrong(&place, "is one key too many; 32 is the most"));
                }
            }
        }
    }
    if let Some(name) = members.text("credential_order")? {
        wish.credential_order = Some(match &*name {
            "byok_first" | "byok-first" => CredentialOrder::ByokFirst,
            "provider_first" | "provider-first" => CredentialOrder::ProviderFirst,
            _ => return Err(members.wrong("credential_order", "must be \"byok_first\" or \"provider_first\"")),
        });
    }
    Ok(())
}

/// Takes `providerTimeouts`, which are for keys of one's own alone: milliseconds until an answer begins.
pub(super) fn take_timeouts(members: &mut Members, wish: &mut Wish) -> Result<(), Error> {
    let Some(value) = members.take("providerTimeouts") else { return Ok(()) };
    let mut timeouts = Members::of(value, members.at("providerTimeouts"))?;
    if let Some(value) = timeouts.take("byok") {
        let place = timeouts.at("byok");
        for (provider, value) in Members::of(value, &*place)?.into_pairs() {
            let millis = value.as_f64().filter(|millis| *millis >= TIMEOUT_MIN.as_secs_f64() * 1e3);
            let timeout = millis.and_then(|millis| Duration::try_from_secs_f64(millis / 1e3).ok());
            let timeout =
                timeout.ok_or_else(|| wrong(&place, "must be numbers of milliseconds, each at least 1000"))?;
            wish.byok_timeouts.push((provider.into(), timeout));
        }
    }
    timeouts.rest(wish);
    Ok(())
}

/// One key: a text, or an object with what the provider wants.
fn key(provider: &str, value: Value, place: String, wish: &mut Wish) -> Result<Byok, Error> {
    if let Value::String(text) = value {
        let api_key = Some(Secret::new(text)).filter(|key| !key.expose().is_empty());
        let own = Own { api_key, ..Own::default() };
        return made(provider, own, Vec::new(), place);
    }
    let mut members = Members::of(value, &*place)?;
    if let Some(name) = ADDRESSES.into_iter().find(|name| members.has(name)) {
        return Err(members.wrong(name, "is not followed; say it as custom_host"));
    }
    let mut own = Own { api_key: members.secret("api_key")?, host: members.text("custom_host")?, ..Own::default() };
    for (name, variable) in VARIABLES {
        if let Some(value) = members.secret(name)? {
            own.variables.push((variable, form::plain(&members.at(name), &value)?));
        }
    }
    credentials(&mut members, &mut own)?;
    if let Some(value) = members.take("google_credentials") {
        let mut account = Members::of(value, members.at("googleCredentials"))?;
        credentials(&mut account, &mut own)?;
        account.rest(wish);
    }
    own.assurances = members.names("assurances")?.unwrap_or_default();
    let mappings = mappings(&mut members, wish)?;
    members.rest(wish);
    made(provider, own, mappings, place)
}

fn credentials(members: &mut Members, own: &mut Own) -> Result<(), Error> {
    for name in CREDENTIALS {
        own.credentials.extend(members.secret(name)?.map(|value| (name, value)));
    }
    Ok(())
}

/// `modelMappings`: what models are called in this account.
fn mappings(members: &mut Members, wish: &mut Wish) -> Result<Vec<Renamed>, Error> {
    let must = "must be a list of {gatewayModelSlug, customModelId}";
    let place = members.at("modelMappings");
    let list = match members.take("model_mappings") {
        None => return Ok(Vec::new()),
        Some(Value::Array(list)) if list.len() <= KEYS_MAX => list,
        Some(_) => return Err(wrong(&place, must)),
    };
    let mut found = Vec::with_capacity(list.len());
    for value in list {
        let mut one = Members::of(value, &*place)?;
        match (one.text("gateway_model_slug")?, one.text("custom_model_id")?) {
            (Some(slug), Some(model)) => found.push((slug, model)),
            _ => return Err(wrong(&place, must)),
        }
        one.rest(wish);
    }
    Ok(found)
}

fn made(provider: &str, own: Own, models: Vec<Renamed>, place: String) -> Result<Byok, Error> {
    if provider.is_empty() || !own.has_credential() {
        return Err(wrong(&place, "must be a key, or an object with an apiKey or what else the provider wants"));
    }
    Ok(Byok { provider: provider.into(), own, models, place })
}
