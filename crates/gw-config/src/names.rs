//! Single values that name or address something: providers, models, URLs, headers, listeners.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use http::{HeaderName, HeaderValue, Uri};

use crate::scalar::{Fault, Json, Scalar, one_line};

/// A provider's name. It stands before the `/` in `provider/model`, in headers and in metrics.
#[derive(Clone)]
pub(crate) struct ProviderName(pub(crate) String);

impl Scalar for ProviderName {
    const NAME: &'static str = "a provider name";
    const JSON: Json = Json::Pattern("^[a-z0-9][a-z0-9._-]{0,63}$");

    fn parse(text: &str) -> Result<Self, Fault> {
        let fits = |letter: u8| matches!(letter, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'_' | b'-');
        let begins = text.bytes().next().is_some_and(|first| first.is_ascii_alphanumeric());
        if begins && text.len() <= 64 && text.bytes().all(fits) {
            return Ok(Self(text.to_owned()));
        }
        Err(Fault::new(
            "is not a provider name",
            "write at most 64 of a-z, 0-9, \".\", \"_\" and \"-\", beginning with a letter or a digit",
        ))
    }
}

/// A model's name, or what applications write in its place.
#[derive(Clone)]
pub(crate) struct ModelName(pub(crate) String);

impl Scalar for ModelName {
    const NAME: &'static str = "a model name";
    const JSON: Json = Json::Text;

    fn parse(text: &str) -> Result<Self, Fault> {
        one_line(text).map(|text| Self(text.to_owned()))
    }
}

/// A key's name in logs and metrics.
#[derive(Clone)]
pub(crate) struct KeyName(pub(crate) String);

impl Scalar for KeyName {
    const NAME: &'static str = "the name of a key";
    const JSON: Json = Json::Pattern("^[A-Za-z0-9][A-Za-z0-9@._-]{0,63}$");

    fn parse(text: &str) -> Result<Self, Fault> {
        let fits = |letter: u8| letter.is_ascii_alphanumeric() || matches!(letter, b'@' | b'.' | b'_' | b'-');
        let begins = text.bytes().next().is_some_and(|first| first.is_ascii_alphanumeric());
        if begins && text.len() <= 64 && text.bytes().all(fits) {
            return Ok(Self(text.to_owned()));
        }
        Err(Fault::new(
            "is not the name of a key",
            "write at most 64 letters, digits, \"@\", \".\", \"_\" and \"-\", beginning with a letter or a digit",
        ))
    }
}

/// A provider's base URL, without a slash at its end.
#[derive(Clone)]
pub(crate) struct BaseUrl(pub(crate) String);

impl Scalar for BaseUrl {
    const NAME: &'static str = "a URL";
    const JSON: Json = Json::Pattern("^https?://");

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

/// A URL that somebody can connect to: http or https, with a host, and nothing that two readers could read differently.
fn check_url(text: &str) -> Result<Uri, Fault> {
    let no_url = || Fault::new("is not a URL", "write https://host, https://host:port or https://host/path");
    if text.contains('#') {
        return Err(Fault::new("has a \"#\" in it", "end it before the \"#\""));
    }
    if !text.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'\\' | b'"' | b'<' | b'>' | b'{' | b'}' | b'^' | b'`' | b'|')) {
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

/// A listener's address; what is not written follows the profile.
#[derive(Clone, Copy)]
pub(crate) struct Address {
    pub(crate) ip: Option<IpAddr>,
    pub(crate) port: Option<u16>,
}

impl Address {
    /// Fills in what is not written.
    pub(crate) fn or(self, default: SocketAddr) -> SocketAddr {
        SocketAddr::new(self.ip.unwrap_or(default.ip()), self.port.unwrap_or(default.port()))
    }
}

impl Scalar for Address {
    const NAME: &'static str = "an address";
    const JSON: Json = Json::NumberOr("^.+$");

    fn parse(text: &str) -> Result<Self, Fault> {
        if let Ok(port) = text.parse() {
            return Ok(Self { ip: None, port: Some(port) });
        }
        if let Ok(address) = text.parse::<SocketAddr>() {
            return Ok(Self { ip: Some(address.ip()), port: Some(address.port()) });
        }
        let unbracketed = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
        if let Ok(ip) = unbracketed.unwrap_or(text).parse() {
            return Ok(Self { ip: Some(ip), port: None });
        }
        let localhost = Some(IpAddr::V4(Ipv4Addr::LOCALHOST));
        let help = "write 127.0.0.1:8787, [::1]:8787 or a port";
        match text.strip_prefix("localhost") {
            Some("") => Ok(Self { ip: localhost, port: None }),
            Some(rest) => match rest.strip_prefix(':').and_then(|port| port.parse().ok()) {
                Some(port) => Ok(Self { ip: localhost, port: Some(port) }),
                None => Err(Fault::new("is not an address", help)),
            },
            None => Err(Fault::new("is not an address", help)),
        }
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

/// Headers that the gateway writes itself, or that belong to one connection.
const OWN_HEADERS: [&str; 15] = [
    "accept-encoding",
    "authorization",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "expect",
    "host",
    "keep-alive",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// The name of a header that is added to requests.
pub(crate) fn check_header_name(text: &str) -> Result<HeaderName, Fault> {
    let Ok(name) = HeaderName::from_bytes(text.as_bytes()) else {
        return Err(Fault::new("is not a header name", "write letters, digits and \"-\""));
    };
    match name.as_str() {
        "authorization" => Err(Fault::new("is not a header to set here", "give the credential as \"api_key\"")),
        own if OWN_HEADERS.contains(&own) => Err(Fault::new("is a header that the gateway writes itself", "remove it")),
        _ => Ok(name),
    }
}

/// A value that travels in a header.
pub(crate) fn check_header_value(text: &str) -> Result<(), Fault> {
    if text.is_empty() {
        return Err(Fault::new("is empty", "remove it or give it a value"));
    }
    match HeaderValue::from_str(text) {
        Ok(_) if text.trim() == text => Ok(()),
        Ok(_) => Err(Fault::new("begins or ends with a blank", "remove the blank")),
        Err(_) => Err(Fault::new("has characters that no header can carry", "write visible ASCII characters in one line")),
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

/// The levels of log lines, from the most to the least.
const LEVELS: [&str; 6] = ["trace", "debug", "info", "warn", "error", "off"];

/// A level for all log lines (`info`) or by module (`info,gw_http=debug`).
pub(crate) struct LogLevel(pub(crate) String);

impl Scalar for LogLevel {
    const NAME: &'static str = "a log level";
    const JSON: Json = Json::Text;

    fn parse(text: &str) -> Result<Self, Fault> {
        let module = |name: &str| !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b':'));
        let fits = text.split(',').map(str::trim).all(|part| match part.split_once('=') {
            Some((name, level)) => module(name) && LEVELS.contains(&level),
            None => LEVELS.contains(&part),
        });
        if fits {
            return Ok(Self(text.to_owned()));
        }
        Err(Fault::new("is not a log level", "write trace, debug, info, warn, error or off, or by module: info,gw_http=debug"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base_urls_lead_to_one_host_for_every_reader() {
        for text in ["https://api.openai.com/v1", "http://127.0.0.1:11434", "http://[::1]:8080/v1", "https://a_b.example-1.com"] {
            assert_eq!(BaseUrl::parse(text).map(|url| url.0), Ok(text.to_owned()));
        }
        assert_eq!(BaseUrl::parse("https://api.openai.com/v1/").map(|url| url.0), Ok("https://api.openai.com/v1".to_owned()));
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
        assert_eq!(WebOrigin::parse("https://App.Example.com").map(|origin| origin.0), Ok("https://app.example.com".to_owned()));
        assert!(WebOrigin::parse("*").is_ok());
        for text in ["https://app.example.com/", "app.example.com", "https://*.example.com", "null", "https://a@b"] {
            assert!(WebOrigin::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn addresses_may_leave_out_the_host_or_the_port() {
        let local: SocketAddr = "127.0.0.1:8787".parse().unwrap();
        for (text, address) in [
            ("9000", "127.0.0.1:9000"),
            ("[::1]:9000", "[::1]:9000"),
            ("0.0.0.0", "0.0.0.0:8787"),
            ("::1", "[::1]:8787"),
            ("[::]", "[::]:8787"),
            ("localhost:9000", "127.0.0.1:9000"),
            ("localhost", "127.0.0.1:8787"),
        ] {
            assert_eq!(Address::parse(text).map(|written| written.or(local).to_string()), Ok(address.to_owned()), "{text}");
        }
        for text in ["", ":9000", "example.com:9000", "localhostess", "127.0.0.1:99999", "1.2.3"] {
            assert!(Address::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn variables_cannot_redirect_a_request() {
        assert!(VariableValue::parse("my-resource.eu_1~x").is_ok());
        for text in ["", "..", "a/b", "host#", "a@b", "a:1", "a%2f", "a b"] {
            assert!(VariableValue::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn log_levels_may_differ_by_module() {
        for text in ["info", "info,gw_http=debug", "warn, gw_engine::path=trace"] {
            assert!(LogLevel::parse(text).is_ok(), "{text}");
        }
        for text in ["", "verbose", "info,", "=debug", "gw_http=loud"] {
            assert!(LogLevel::parse(text).is_err(), "{text}");
        }
    }
}
