//! What of a URL can be fetched: scheme, host, port and path, read once and never interpreted again.

use std::fmt::Write;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use http::Uri;

use super::FetchError;

/// The most that a URL may be, in bytes.
const URL_BYTES_MAX: usize = 8 << 10;
/// What may stand in a URL as it is (RFC 3986 §2). Anything else is percent-encoded, as browsers do it.
const PLAIN: &[u8] = b"-._~:/?#[]@!$&'()*+,;=%";

/// Where a request goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) secure: bool,
    /// A DNS name, or an address in its usual spelling; IPv6 without brackets.
    pub(super) host: String,
    pub(super) port: u16,
    /// Path and query; begins with a slash.
    pub(super) path: String,
}

impl Target {
    /// Reads a URL.
    pub(super) fn parse(url: &str) -> Result<Self, FetchError> {
        let secure = match scheme(url) {
            Some(scheme) if scheme.eq_ignore_ascii_case("https") => true,
            Some(scheme) if scheme.eq_ignore_ascii_case("http") => false,
            _ => return Err(FetchError::Url("does not begin with http:// or https://")),
        };
        if url.len() > URL_BYTES_MAX {
            return Err(FetchError::Url("is too long"));
        }
        let unreadable = || FetchError::Url("cannot be read");
        let uri: Uri = encoded(url)?.parse().map_err(|_| unreadable())?;
        let authority = uri.authority().ok_or_else(unreadable)?;
        if authority.as_str().contains('@') {
            return Err(FetchError::Url("carries a user name or password"));
        }
        let port = match authority.as_str().strip_prefix(authority.host()) {
            Some("" | ":") => default_port(secure),
            Some(rest) => rest.trim_start_matches(':').parse().map_err(|_| unreadable())?,
            None => return Err(unreadable()),
        };
        // Below are the ports of services that are not meant for a browser, mail and remote shells among them.
        if !matches!(port, 80 | 443 | 1_024..) {
            return Err(FetchError::Url("has a port other than 80, 443 and those from 1024"));
        }
        let query = uri.query().map(|query| format!("?{query}")).unwrap_or_default();
        Ok(Self { secure, host: host(authority.host())?, port, path: format!("{}{query}", uri.path()) })
    }

    /// The address, if the host is one: there is nothing to resolve.
    pub(super) fn literal(&self) -> Option<IpAddr> {
        self.host.parse().ok()
    }

    /// Where an answer's `location` leads from here (RFC 3986 §5.2).
    pub(super) fn redirected(&self, location: &str) -> Result<Self, FetchError> {
        let scheme_here = if self.secure { "https" } else { "http" };
        let target = if scheme(location).is_some() {
            Self::parse(location)?
        } else if location.starts_with("//") {
            Self::parse(&format!("{scheme_here}:{location}"))?
        } else {
            Self::parse(&format!("{scheme_here}://{}{}", self.authority(), self.path_to(location)))?
        };
        if self.secure && !target.secure {
            return Err(FetchError::Downgrade);
        }
        Ok(target)
    }

    fn authority(&self) -> String {
        let Self { host, port, .. } = self;
        if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
    }

    /// The path of a reference that names no host.
    fn path_to(&self, reference: &str) -> String {
        let here = before(&self.path, '?');
        let reference = before(reference, '#');
        let path = before(reference, '?');
        let query = reference.get(path.len()..).unwrap_or_default();
        if reference.is_empty() {
            self.path.clone()
        } else if path.is_empty() {
            format!("{here}{query}")
        } else if path.starts_with('/') {
            format!("{}{query}", without_dots(path))
        } else {
            let folder = here.rsplit_once('/').map_or("", |(folder, _)| folder);
            format!("{}{query}", without_dots(&format!("{folder}/{path}")))
        }
    }
}

fn default_port(secure: bool) -> u16 {
    if secure { 443 } else { 80 }
}

fn before(text: &str, end: char) -> &str {
    text.split_once(end).map_or(text, |(before, _)| before)
}

/// What stands before the first colon, if it can be a scheme (RFC 3986 §3.1).
fn scheme(url: &str) -> Option<&str> {
    let (scheme, _) = url.split_once(':')?;
    let is_scheme = scheme.starts_with(|first: char| first.is_ascii_alphabetic())
        && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
    is_scheme.then_some(scheme)
}

/// The URL in the characters that RFC 3986 allows. In the host an encoded one is refused later.
fn encoded(url: &str) -> Result<String, FetchError> {
    let mut encoded = String::with_capacity(url.len());
    for byte in url.bytes() {
        if byte.is_ascii_control() {
            return Err(FetchError::Url("has a control character in it"));
        }
        if byte.is_ascii_alphanumeric() || PLAIN.contains(&byte) {
            encoded.push(byte.into());
        } else {
            // Writing to a string cannot fail.
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    Ok(encoded)
}

/// A host as it is to be resolved. The C library's resolver takes `0x7f.1` and `2130706433` for `127.0.0.1`; here an
/// address is written in the usual way or not at all.
fn host(text: &str) -> Result<String, FetchError> {
    if let Some(inner) = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')) {
        let ip: Ipv6Addr = inner.parse().map_err(|_| FetchError::Url("has an IPv6 address that cannot be read"))?;
        return Ok(ip.to_string());
    }
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    if text.is_empty() || !text.bytes().all(is_plain) {
        return Err(FetchError::Url("has a host that is not a DNS name (others are to be written in Punycode)"));
    }
    let last = text.trim_end_matches('.').rsplit('.').next().unwrap_or_default();
    let is_number = last.starts_with("0x") || last.starts_with("0X") || last.bytes().all(|byte| byte.is_ascii_digit());
    if is_number && text.parse::<Ipv4Addr>().is_err() {
        return Err(FetchError::Url("has an IPv4 address that is not written as four decimal numbers"));
    }
    Ok(text.to_ascii_lowercase())
}

/// A path without its `.` and `..` (RFC 3986 §5.2.4).
fn without_dots(path: &str) -> String {
    let mut kept = Vec::new();
    let mut segments = path.split('/').skip(1).peekable();
    while let Some(segment) = segments.next() {
        if segment == ".." {
            kept.pop();
        }
        if !matches!(segment, "." | "..") {
            kept.push(segment);
        } else if segments.peek().is_none() {
            kept.push("");
        }
    }
    format!("/{}", kept.join("/"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn target(secure: bool, host: &str, port: u16, path: &str) -> Target {
        Target { secure, host: host.to_owned(), port, path: path.to_owned() }
    }

    #[test]
    fn a_url_is_read_into_its_parts() {
        for (url, expected) in [
            ("http://example.com", target(false, "example.com", 80, "/")),
            ("HTTPS://Example.COM/a/b?c=d#e", target(true, "example.com", 443, "/a/b?c=d")),
            ("https://example.com?x", target(true, "example.com", 443, "/?x")),
            ("http://example.com:/", target(false, "example.com", 80, "/")),
            ("http://example.com.:8080/", target(false, "example.com.", 8_080, "/")),
            ("http://127.0.0.1:443/", target(false, "127.0.0.1", 443, "/")),
            ("http://[0:0::1]:1024/", target(false, "::1", 1_024, "/")),
            ("http://a_b.example//c", target(false, "a_b.example", 80, "//c")),
            ("http://example.com/caf\u{e9} {1}|%20", target(false, "example.com", 80, "/caf%C3%A9%20%7B1%7D%7C%20")),
        ] {
            assert_eq!(Target::parse(url).unwrap(), expected, "{url}");
        }
    }

    #[test]
    fn what_is_not_a_plain_http_url_is_refused() {
        let long = format!("http://example.com/{}", "x".repeat(URL_BYTES_MAX));
        for url in [
            "",
            "example.com/x",
            "//example.com/x",
            "/x",
            "ftp://example.com/x",
            "file:///etc/passwd",
            "gopher://example.com/x",
            "data:image/png;base64,AAAA",
            "http:example.com",
            "http:/example.com",
            "http://",
            "http:///x",
            "http://:80/x",
            "http://user@example.com/",
            "http://user:password@example.com/",
            "http://example.com@127.0.0.1/",
            "http://example.com\\@127.0.0.1/",
            "http://example.com%2f@127.0.0.1/",
            "http://exa mple.com/",
            "http://exa%6dple.com/",
            "http://b\u{fc}cher.example/",
            "http://\u{2460}27.0.0.1/",
            "http://example.com\r\nx: y/",
            "http://example.com/x\r\nx: y",
            "http://example.com/\0",
            "http://[::1/",
            "http://[fe80::1%25eth0]/",
            "http://[127.0.0.1]/",
            "http://::1/",
            "http://example.com:65536/",
            "http://example.com:x/",
            "http://example.com:0/",
            "http://example.com:22/",
            "http://example.com:25/",
            "http://example.com:1023/",
            long.as_str(),
        ] {
            assert!(matches!(Target::parse(url), Err(FetchError::Url(_))), "{url}");
        }
    }

    #[test]
    fn an_ipv4_address_in_an_odd_spelling_is_refused() {
        for host in [
            "0x7f.1",
            "0x7f000001",
            "0X7F000001",
            "2130706433",
            "017700000001",
            "0177.0.0.1",
            "127.1",
            "127.0.1",
            "127.0.0.01",
            "127.0.0.0x1",
            "127.0.0.1.",
            "127.0.0.256",
            "1.127.0.0.1",
            "example.1",
            ".",
        ] {
            let parsed = Target::parse(&format!("http://{host}/"));
            assert!(matches!(parsed, Err(FetchError::Url(_))), "{host}: {parsed:?}");
        }
    }

    #[test]
    fn a_redirect_leads_where_a_browser_would_go() {
        let here = Target::parse("http://example.com:8080/a/b/c?d#e").unwrap();
        for (location, port, path) in [
            ("http://example.com:8080/x", 8_080, "/x"),
            ("https://example.com/x?y", 443, "/x?y"),
            ("//example.com/x", 80, "/x"),
            ("/x/../y", 8_080, "/y"),
            ("x", 8_080, "/a/b/x"),
            ("x/./y?z=/../", 8_080, "/a/b/x/y?z=/../"),
            ("../x", 8_080, "/a/x"),
            ("../../../../x/..", 8_080, "/"),
            (".", 8_080, "/a/b/"),
            ("?x#y", 8_080, "/a/b/c?x"),
            ("#x", 8_080, "/a/b/c?d"),
            ("", 8_080, "/a/b/c?d"),
            ("/x:y", 8_080, "/x:y"),
        ] {
            let there = here.redirected(location).unwrap();
            assert_eq!(
                (there.host.as_str(), there.port, there.path.as_str()),
                ("example.com", port, path),
                "{location}"
            );
        }
        let ipv6 = Target::parse("http://[::1]:8080/a").unwrap();
        assert_eq!(ipv6.redirected("b").unwrap(), target(false, "::1", 8_080, "/b"));
    }

    #[test]
    fn a_redirect_to_what_is_not_http_or_to_clear_text_is_refused() {
        let here = Target::parse("https://example.com/").unwrap();
        for location in ["ftp://example.com/", "javascript:alert(1)", "file:///x", "//user@example.com", "//0x7f.1/"] {
            assert!(matches!(here.redirected(location), Err(FetchError::Url(_))), "{location}");
        }
        assert!(matches!(here.redirected("http://example.com/"), Err(FetchError::Downgrade)));
        assert!(here.redirected("//example.com/").unwrap().secure);
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(url in ".{0,60}", rest in "[0-9a-fx.:/@\\[\\]%?#\\\\ -]{0,40}") {
            let _ = Target::parse(&url);
            if let Ok(target) = Target::parse(&format!("http://{rest}")) {
                prop_assert!(target.path.starts_with('/') && !target.host.is_empty());
                prop_assert!(target.path.parse::<Uri>().is_ok());
                if let Ok(there) = target.redirected(&url) {
                    prop_assert!(there.path.starts_with('/') && there.path.parse::<Uri>().is_ok());
                }
            }
        }
    }
}
