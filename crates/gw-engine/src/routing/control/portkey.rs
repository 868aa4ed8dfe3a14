//! Portkey's headers: `x-portkey-config`, or `x-portkey-provider` with the provider's own key as the bearer token.

use gw_config::secret::Secret;
use gw_core::Error;

use super::value::{header, milliseconds};
use super::wish::{Own, Wanted, Wish};
use super::{Asked, Reader, form, presets};

pub(super) const PREFIX: &str = "x-portkey-";
pub(super) const CONFIG: &str = "x-portkey-config";
const PROVIDER: &str = "x-portkey-provider";
const HOST: &str = "x-portkey-custom-host";
const TIMEOUT: &str = "x-portkey-request-timeout";
pub(super) const TRACE_ID: &str = "x-portkey-trace-id";
/// Facts of the request.
const BESIDE: [&str; 2] = ["x-portkey-metadata", TRACE_ID];
/// What says nothing that could be done otherwise here: no answers are kept, and answers are as their format has them.
const QUIET: [&str; 5] = [
    "x-portkey-cache",
    "x-portkey-cache-force-refresh",
    "x-portkey-cache-namespace",
    "x-portkey-strict-open-ai-compliance",
    "x-portkey-api-key",
];

pub(super) const READER: Reader = Reader { headers: &[PREFIX], beside: &BESIDE, members: &[], read };

fn read(asked: &Asked<'_>, wish: &mut Wish) -> Result<(), Error> {
    let headers = asked.headers;
    if !headers.keys().any(|name| name.as_str().starts_with(PREFIX)) {
        return Ok(());
    }
    if let Some(text) = header(headers, CONFIG)? {
        presets::configuration(asked, CONFIG, text, wish)?;
    }
    let host = header(headers, HOST)?;
    if let Some(timeout) = milliseconds(headers, TIMEOUT)? {
        wish.everywhere.first_byte_timeout = Some(timeout);
    }
    let named = header(headers, PROVIDER)?.filter(|_| wish.tree.is_none());
    if let Some(provider) = named {
        let mut own = Own { api_key: asked.foreign_key.map(|key| Secret::new(key.to_owned())), ..Own::default() };
        form::specifics(&mut own, |name| {
            let header_name = format!("{PREFIX}{}", name.replace('_', "-"));
            Ok(header(headers, &header_name)?.map(|text| Secret::new(text.to_owned())))
        })?;
        let own = Some(own).filter(Own::has_credential);
        wish.provider =
            Some(Wanted { provider: Some(provider.into()), own, option: "config".into(), ..Wanted::default() });
    }
    if let Some(host) = host {
        // It is for every target of the caller's own.
        form::relocate(wish, HOST, host)?;
    }
    for name in headers.keys().map(http::HeaderName::as_str).filter(|name| name.starts_with(PREFIX)) {
        let known = [CONFIG, PROVIDER, HOST, TIMEOUT].contains(&name) || form::is_specific(&name[PREFIX.len()..]);
        if !known && !BESIDE.contains(&name) && !QUIET.contains(&name) {
            wish.idle(name);
        }
    }
    Ok(())
}
