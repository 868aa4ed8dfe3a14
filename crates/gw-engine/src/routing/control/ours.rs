//! Our own words: the headers `x-gateway-config`, `x-gateway-provider`, `x-gateway-retry`, `x-gateway-timeout`, and the
//! members `gateway` and `gateway_config` of the body for clients whose headers take no JSON.

use gw_config::secret::Secret;
use gw_core::Error;

use super::value::{header, milliseconds, number};
use super::wish::{Own, RetryWish, Wanted, Wish};
use super::{Asked, Reader, member, presets};

pub(super) const CONFIG: &str = "x-gateway-config";
const PROVIDER: &str = "x-gateway-provider";
const RETRY: &str = "x-gateway-retry";
const TIMEOUT: &str = "x-gateway-timeout";

pub(super) const READER: Reader = Reader {
    headers: &[CONFIG, PROVIDER, RETRY, TIMEOUT],
    beside: &[],
    members: &[("gateway", b"{"), ("gateway_config", b"{\"")],
    read,
};

fn read(asked: &Asked<'_>, wish: &mut Wish) -> Result<(), Error> {
    if let Some(text) = header(asked.headers, CONFIG)? {
        presets::configuration(asked, CONFIG, text, wish)?;
    }
    for name in ["gateway", "gateway_config"] {
        if let Some(json) = member(asked, name)? {
            presets::configuration_in_body(asked, name, json, wish)?;
        }
    }
    let named = header(asked.headers, PROVIDER)?.or(asked.provider).filter(|_| wish.tree.is_none());
    if let Some(provider) = named {
        let own = asked.own_key.filter(|_| asked.provider.is_some());
        let own = own.map(|key| Own { api_key: Some(Secret::new(key.to_owned())), ..Own::default() });
        wish.provider =
            Some(Wanted { provider: Some(provider.into()), own, option: "config".into(), ..Wanted::default() });
    }
    if let Some(retries) = number(asked.headers, RETRY)? {
        let usual = wish.everywhere.retry.take().unwrap_or_default();
        wish.everywhere.retry = Some(RetryWish { retries: Some(retries), ..usual });
    }
    wish.total_timeout = milliseconds(asked.headers, TIMEOUT)?;
    Ok(())
}
