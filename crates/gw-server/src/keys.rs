//! The keys that a client presents, wherever its SDK puts them.

use std::borrow::Cow;

use gw_dialects::shared::percent;
use gw_engine::identity::Presented;
use http::request::Parts;
use http::{HeaderName, header};

/// Headers that hold the key of a gateway and nothing else, so that `authorization` is free for a provider's: Portkey's
/// and Cloudflare's. Neither ever reaches a provider.
const HOUSE_HEADERS: [HeaderName; 2] =
    [HeaderName::from_static("x-portkey-api-key"), HeaderName::from_static("cf-aig-authorization")];
/// Where keys stand besides `authorization`.
const KEY_HEADERS: [HeaderName; 3] = [
    HeaderName::from_static("x-api-key"),
    HeaderName::from_static("x-goog-api-key"),
    HeaderName::from_static("api-key"),
];

/// The keys that the client presented. The usual place is where any of the SDKs puts a key: `Authorization: Bearer` in any
/// case (OpenAI's and Anthropic's newer ones), `x-api-key` (Anthropic's), `x-goog-api-key` and `?key=` (Google's),
/// `api-key` (Azure's).
pub(crate) fn presented_keys(parts: &Parts) -> Presented<'_> {
    let text = |name: &HeaderName| parts.headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
    let house =
        |name: &HeaderName| text(name).map(|value| bearer(value).unwrap_or(value)).filter(|key| !key.is_empty());
    let in_bearer = text(&header::AUTHORIZATION).and_then(bearer);
    let in_header = in_bearer.into_iter().chain(KEY_HEADERS.iter().filter_map(text)).find(|key| !key.is_empty());
    let usual = in_header.map(Cow::Borrowed).or_else(|| {
        let mut pairs = parts.uri.query()?.split('&').filter_map(|pair| pair.split_once('='));
        let (_, key) = pairs.find(|(name, key)| *name == "key" && !key.is_empty())?;
        String::from_utf8(percent::decoded(key)).ok().map(Cow::Owned)
    });
    let [portkey, cloudflare] = &HOUSE_HEADERS;
    Presented { house: [house(portkey), house(cloudflare)], usual }
}

/// What stands behind `Bearer`.
fn bearer(value: &str) -> Option<&str> {
    let (scheme, key) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| key.trim())
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    fn usual(uri: &str, name: &str, value: &str) -> Option<String> {
        let (parts, ()) = Request::get(uri).header(name, value).body(()).unwrap().into_parts();
        presented_keys(&parts).usual.map(Cow::into_owned)
    }

    #[test]
    fn a_key_is_found_whatever_the_case_of_its_scheme() {
        let key = |value: &str| usual("/v1/x", "authorization", value);
        assert_eq!(key("Bearer abc").as_deref(), Some("abc"));
        assert_eq!(key("bearer  abc").as_deref(), Some("abc"));
        assert_eq!(key("Basic abc"), None);
        assert_eq!(key("Bearer "), None);
        for name in ["x-api-key", "X-Goog-Api-Key", "api-key"] {
            assert_eq!(usual("/v1/x", name, " abc ").as_deref(), Some("abc"), "{name}");
        }
        assert_eq!(usual("/v1/x?a=b&key=a%2Fb", "accept", "*/*").as_deref(), Some("a/b"));
        assert_eq!(usual("/v1/x?key=", "accept", "*/*"), None);
    }

    #[test]
    fn the_gateways_own_key_has_headers_of_its_own() {
        for (name, value) in
            [("x-portkey-api-key", "gw"), ("cf-aig-authorization", "Bearer gw"), ("cf-aig-authorization", "gw")]
        {
            let request = Request::get("/v1/x").header(name, value).header("authorization", "Bearer theirs");
            let (parts, ()) = request.body(()).unwrap().into_parts();
            let presented = presented_keys(&parts);
            assert_eq!(presented.house.iter().flatten().collect::<Vec<_>>(), [&"gw"], "{name}");
            assert_eq!(presented.usual.as_deref(), Some("theirs"), "{name}");
        }
    }
}
