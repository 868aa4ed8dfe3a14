//! Single values that are URLs or parts of URLs.

use http::Uri;

use crate::scalar::{Fault, Json, Scalar};

/// A provider's base URL, without a slash at its end.
#[derive(Clone)]
pub(crate) struct BaseUrl(pub(crate) String);

impl Scalar for BaseUrl {
    const NAME: &'static str = "a URL";
    const JSON: Json = Json::Pattern("^https?://");

    fn may_show(text: &str) -> bool {
        !text.contains('@')
    }

    fn parse(text: &str) -> Result<Self, Fault> {
        let url = check_url(text)?;
        if text.contains('@') && url.authority().is_some_and(|authority| authority.as_str().contains('@')) {
            return Err(Fault::new("has a user name in it", "give the credential as \"api_key\""));
        }
        if url.query().is_some() {
            return Err(Fault::new("has a query in it", "end it before the \"?\""));
        }
        Ok(Self(text.trim_end_matches('/').to_owned()))
    }
}

/// A URL that is asked as it stands, with a query if it has one.
pub(crate) struct CheckUrl(pub(crate) String);

impl Scalar for CheckUrl {
    const NAME: &'static str = "a URL";
    const JSON: Json = Json::Pattern("^https?://");

    fn may_show(text: &str) -> bool {
        !text.contains(['@', '?'])
    }

    fn parse(text: &str) -> Result<Self, Fault> {
        let url = check_url(text)?;
        if url.authority().is_some_and(|authority| authority.as_str().contains('@')) {
            return Err(Fault::new("has a user name in it", "remove it; the provider's credential is sent along"));
        }
        Ok(Self(text.to_owned()))
    }
}

/// A URL that somebody can connect to: http or https, with a host, and nothing that two readers could read differently.
fn check_url(text: &str) -> Result<Uri, Fault> {
    let no_url = || Fault::new("is not a URL", "write https://host, https://host:port or https://host/path");
    if text.contains('#') {
        return Err(Fault::new("has a \"#\" in it", "end it before the \"#\""));
    }
    if !text.bytes().all(|byte| {
        byte.is_ascii_graphic() && !matches!(byte, b'\\' | b'"' | b'<' | b'>' | b'{' | b'}' | b'^' | b'`' | b'|')
    }) {
        return Err(no_url());
    }
    let url: Uri = text.parse().map_err(|_| no_url())?;
    match url.scheme_str() {
        Some("http" | "https") => {}
        Some(_) | None => return Err(Fault::new("does not begin with http:// or https://", "write the whole URL")),
    }
    let authority = url.authority().ok_or_else(no_url)?;
    let host = authority.host();
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    let bracketed = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    let host_fits = match bracketed {
        Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
        None => !host.is_empty() && host.bytes().all(plain),
    };
    let after_host = authority.as_str().rsplit('@').next().unwrap_or_default().get(host.len()..).unwrap_or_default();
    let port_fits = after_host.is_empty() || authority.port_u16().is_some_and(|port| port > 0);
    if host_fits && port_fits { Ok(url) } else { Err(no_url()) }
}

/// A proxy's URL. May hold a password.
pub(crate) fn check_proxy_url(text: &str) -> Result<(), Fault> {
    let url = check_url(text)?;
    if url.scheme_str() != Some("http") {
        return Err(Fault::new("does not begin with http://", "only proxies with an http:// address are supported"));
    }
    if url.path() != "/" || url.query().is_some() {
        return Err(Fault::new("has a path in it", "write direct or http://[user:password@]host:port"));
    }
    Ok(())
}

/// A web origin: `https://app.example.com`, or `*` for every one.
pub(crate) struct WebOrigin(pub(crate) String);

impl Scalar for WebOrigin {
    const NAME: &'static str = "a web origin";
    const JSON: Json = Json::Pattern("^(\\*|https?://[^/]+)$");

    fn may_show(text: &str) -> bool {
        !text.contains('@')
    }

    fn parse(text: &str) -> Result<Self, Fault> {
        let help = "write https://host, https://host:port or *, without a path";
        if text != "*" {
            let url = check_url(text)?;
            let authority = url.authority().map(http::uri::Authority::as_str).unwrap_or_default();
            if !text.ends_with(authority) || authority.contains('@') {
                return Err(Fault::new("is not a web origin", help));
            }
        }
        // Browsers send it so.
        Ok(Self(text.to_ascii_lowercase()))
    }
}

/// The path of an endpoint.
pub(crate) struct UrlPath(pub(crate) String);

impl Scalar for UrlPath {
    const NAME: &'static str = "a path";
    const JSON: Json = Json::Pattern("^/[^?#]+$");

    fn parse(text: &str) -> Result<Self, Fault> {
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'.' | b'_' | b'-');
        if text.len() < 2 || !text.starts_with('/') || !text.bytes().all(fits) {
            return Err(Fault::new("is not a path", "write something like /metrics"));
        }
        if text == "/v1" || text.starts_with("/v1/") {
            return Err(Fault::new("is a path of the API", "choose one that does not begin with /v1"));
        }
        Ok(Self(text.to_owned()))
    }
}

/// The name of a placeholder in a base URL.
pub(crate) fn check_variable_name(text: &str) -> Result<(), Fault> {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    if !text.is_empty() && text.len() <= 64 && text.bytes().all(fits) {
        return Ok(());
    }
    Err(Fault::new("is not the name of a variable", "write letters, digits, \"_\" and \"-\""))
}

/// A value for a placeholder in a base URL: it cannot lead to another host or path.
pub(crate) struct VariableValue(pub(crate) String);

impl Scalar for VariableValue {
    const NAME: &'static str = "a part of a URL";
    const JSON: Json = Json::Pattern("^[A-Za-z0-9._~-]+$");

    fn parse(text: &str) -> Result<Self, Fault> {
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'~' | b'-');
        if !text.is_empty() && text.bytes().all(fits) && text.bytes().any(|byte| byte != b'.') {
            return Ok(Self(text.to_owned()));
        }
        Err(Fault::new("cannot stand in a URL", "write letters, digits, \".\", \"_\", \"~\" and \"-\""))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base_urls_lead_to_one_host_for_every_reader() {
        for text in
            ["https://api.openai.com/v1", "http://127.0.0.1:11434", "http://[::1]:8080/v1", "https://a_b.example-1.com"]
        {
            assert_eq!(BaseUrl::parse(text).map(|url| url.0), Ok(text.to_owned()));
        }
        assert_eq!(
            BaseUrl::parse("https://api.openai.com/v1/").map(|url| url.0),
            Ok("https://api.openai.com/v1".to_owned())
        );
        for text in [
            "",
            "api.openai.com",
            "ftp://host",
            "https://",
            "https:///v1",
            "https://host#evil",
            "https://user:pass@host",
            "https://host@evil.example",
            "https://host:99999",
            "https://host:0",
            "https://host:",
            "https://ho%73t/",
            "https://host\\@evil/",
            "https://host/a b",
            "https://日本.example",
            "https://host/v1?key=1",
            "https://[::1",
            "/v1",
            "*",
        ] {
            assert!(BaseUrl::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn proxies_are_plain_http_with_an_optional_password() {
        assert_eq!(check_proxy_url("http://proxy:3128"), Ok(()));
        assert_eq!(check_proxy_url("http://user:pass@proxy:3128"), Ok(()));
        for text in ["https://proxy", "socks5://proxy", "http://proxy/path", "proxy:3128"] {
            assert!(check_proxy_url(text).is_err(), "{text}");
        }
    }

    #[test]
    fn web_origins_have_no_path() {
        assert_eq!(
            WebOrigin::parse("https://App.Example.com").map(|origin| origin.0),
            Ok("https://app.example.com".to_owned())
        );
        assert!(WebOrigin::parse("*").is_ok());
        for text in ["https://app.example.com/", "app.example.com", "https://*.example.com", "null", "https://a@b"] {
            assert!(WebOrigin::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn variables_cannot_redirect_a_request() {
        assert!(VariableValue::parse("my-resource.eu_1~x").is_ok());
        for text in ["", "..", "a/b", "host#", "a@b", "a:1", "a%2f", "a b"] {
            assert!(VariableValue::parse(text).is_err(), "{text}");
        }
    }
}
