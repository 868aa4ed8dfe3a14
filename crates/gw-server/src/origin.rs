//! Keeps web pages out of a gateway that asks for no key.
//!
//! A page that somebody visits can send requests to this machine's own ports. Where no key stands in the way, requests
//! are taken only under a name of this machine (a page cannot choose the `Host` of a server it does not own: DNS
//! rebinding) and not from pages of another origin, unless the configuration allows theirs.

use gw_core::{Error, ErrorCode};
use http::{HeaderMap, HeaderValue, header};

/// Whether a key stands between a web page and the gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exposure {
    /// Every request needs a key, which a stranger's page does not have.
    Keyed,
    /// No key is needed, by whoever reaches this machine's own ports.
    Loopback,
    /// No key is needed, by whoever reaches the network: the operator wanted it so.
    Network,
}

/// Checks where a request comes from.
///
/// # Errors
/// `foreign_origin` if it may come from a stranger's web page.
pub fn check(host: Option<&str>, headers: &HeaderMap, allowed: &[String], exposure: Exposure) -> Result<(), Error> {
    if exposure == Exposure::Keyed {
        return Ok(());
    }
    if let Some(origin) = headers.get(header::ORIGIN)
        && !is_allowed(origin, allowed)
        && !is_own(origin)
    {
        return Err(Error::new(
            ErrorCode::ForeignOrigin,
            "requests from web pages of other origins are refused; allow the origin in server.cors_origins, or require keys",
        ));
    }
    if exposure == Exposure::Loopback && host.is_some_and(|host| !is_loopback(host)) {
        return Err(Error::new(
            ErrorCode::ForeignOrigin,
            "without keys, this gateway answers only under the name localhost or a loopback address; require keys to serve others",
        ));
    }
    Ok(())
}

/// The `access-control-allow-origin` of an answer, if the origin is allowed.
pub fn allowed_origin(headers: &HeaderMap, allowed: &[String]) -> Option<HeaderValue> {
    let origin = headers.get(header::ORIGIN)?;
    is_allowed(origin, allowed).then(|| origin.clone())
}

fn is_allowed(origin: &HeaderValue, allowed: &[String]) -> bool {
    allowed.iter().any(|known| known == "*" || known.as_bytes() == origin.as_bytes())
}

fn is_own(origin: &HeaderValue) -> bool {
    let rest = origin.to_str().ok().and_then(|text| text.split_once("://"));
    rest.is_some_and(|(_, host)| is_loopback(host))
}

/// Whether `host[:port]` names this machine.
fn is_loopback(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or(rest),
        None => host.rsplit_once(':').map_or(host, |(name, _)| name),
    };
    let name = name.trim_end_matches('.');
    name.eq_ignore_ascii_case("localhost")
        || name.to_ascii_lowercase().ends_with(".localhost")
        || name.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_keys_only_this_machine_and_allowed_pages_are_served() {
        let allowed = vec!["https://app.example.com".to_owned()];
        let none: Vec<String> = Vec::new();
        let cases = [
            ("localhost:8787", None, &none, true),
            ("127.0.0.1:8787", None, &none, true),
            ("[::1]:8787", None, &none, true),
            ("api.localhost", None, &none, true),
            ("evil.example.com", None, &none, false),
            ("localhost.evil.com:8787", None, &none, false),
            ("localhost:8787", Some("http://localhost:3000"), &none, true),
            ("localhost:8787", Some("https://evil.example.com"), &none, false),
            ("localhost:8787", Some("null"), &none, false),
            ("localhost:8787", Some("https://app.example.com"), &allowed, true),
            ("localhost:8787", Some("https://other.example.com"), &allowed, false),
        ];
        for (host, origin, allowed, expected) in cases {
            let mut headers = HeaderMap::new();
            if let Some(origin) = origin {
                headers.insert(header::ORIGIN, HeaderValue::from_static(origin));
            }
            assert_eq!(check(Some(host), &headers, allowed, Exposure::Loopback).is_ok(), expected, "{host} {origin:?}");
        }
    }

    #[test]
    fn a_key_makes_the_origin_irrelevant() {
        let mut headers = HeaderMap::new();
        headers.insert(header::ORIGIN, HeaderValue::from_static("https://evil.example.com"));
        assert!(check(Some("gateway.example.com"), &headers, &[], Exposure::Keyed).is_ok());
    }

    #[test]
    fn a_gateway_opened_to_the_network_answers_under_any_name_but_not_to_pages() {
        let mut headers = HeaderMap::new();
        assert!(check(Some("ai-gateway:8080"), &headers, &[], Exposure::Network).is_ok());
        headers.insert(header::ORIGIN, HeaderValue::from_static("https://evil.example.com"));
        assert!(check(Some("ai-gateway:8080"), &headers, &[], Exposure::Network).is_err());
    }
}
