//! Single values that name or address something: providers, models, keys, headers, listeners.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use gw_policy::glob::Glob;
use http::HeaderName;

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

/// Names of models: `*` stands for anything.
#[derive(Clone)]
pub(crate) struct ModelPattern(pub(crate) Glob);

impl Scalar for ModelPattern {
    const NAME: &'static str = "a pattern of model names";
    const JSON: Json = Json::Text;

    fn parse(text: &str) -> Result<Self, Fault> {
        let pattern = Glob::new(one_line(text)?);
        pattern.map(Self).ok_or_else(|| Fault::new("is not a pattern of model names", "write at most 1024 bytes"))
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

/// An environment's name, such as `production`.
pub(crate) struct EnvironmentName(pub(crate) String);

impl Scalar for EnvironmentName {
    const NAME: &'static str = "the name of an environment";
    const JSON: Json = Json::Pattern("^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$");

    fn parse(text: &str) -> Result<Self, Fault> {
        let fits = |letter: u8| letter.is_ascii_alphanumeric() || matches!(letter, b'.' | b'_' | b'-');
        let begins = text.bytes().next().is_some_and(|first| first.is_ascii_alphanumeric());
        if begins && text.len() <= 64 && text.bytes().all(fits) {
            return Ok(Self(text.to_owned()));
        }
        Err(Fault::new(
            "is not the name of an environment",
            "write at most 64 letters, digits, \".\", \"_\" and \"-\", beginning with a letter or a digit",
        ))
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

/// A range of addresses: `10.0.0.0/8`, or one address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct AddressRange {
    /// The first address.
    pub(crate) address: IpAddr,
    /// How many bits of it count.
    pub(crate) bits: u8,
}

impl Scalar for AddressRange {
    const NAME: &'static str = "a range of addresses";
    const JSON: Json = Json::Pattern("^[0-9A-Fa-f:.]+(/[0-9]{1,3})?$");

    fn parse(text: &str) -> Result<Self, Fault> {
        let fault = || Fault::new("is not a range of addresses", "write 10.0.0.0/8, fd00::/8 or one address");
        let (address, bits) = text.split_once('/').map_or((text, None), |(address, bits)| (address, Some(bits)));
        let address: IpAddr = address.parse().map_err(|_| fault())?;
        let bits_max = if address.is_ipv4() { 32 } else { 128 };
        let bits = bits.map_or(Ok(bits_max), |bits| bits.parse().map_err(|_| fault()))?;
        // The first address of the range has no bit set behind those that count.
        let number = match address {
            IpAddr::V4(address) => u128::from(u32::from(address)) << 96,
            IpAddr::V6(address) => u128::from(address),
        };
        if bits > bits_max || number.checked_shl(u32::from(bits)).is_some_and(|rest| rest != 0) {
            return Err(fault());
        }
        Ok(Self { address, bits })
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
    if !text.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic()) {
        return Err(Fault::new(
            "has characters that no header can carry",
            "write visible ASCII characters in one line",
        ));
    }
    if text.trim() != text {
        return Err(Fault::new("begins or ends with a blank", "remove the blank"));
    }
    Ok(())
}

/// The levels of log lines, from the most to the least.
const LEVELS: [&str; 6] = ["trace", "debug", "info", "warn", "error", "off"];

/// A level for all log lines (`info`) or by module (`info,gw_http=debug`).
pub(crate) struct LogLevel(pub(crate) String);

impl Scalar for LogLevel {
    const NAME: &'static str = "a log level";
    const JSON: Json = Json::Text;

    fn parse(text: &str) -> Result<Self, Fault> {
        let module = |name: &str| {
            !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b':'))
        };
        let fits = text.split(',').map(str::trim).all(|part| match part.split_once('=') {
            Some((name, level)) => module(name) && LEVELS.contains(&level),
            None => LEVELS.contains(&part),
        });
        if fits {
            return Ok(Self(text.to_owned()));
        }
        Err(Fault::new(
            "is not a log level",
            "write trace, debug, info, warn, error or off, or by module: info,gw_http=debug",
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_of_addresses_begins_where_it_says() {
        for text in ["10.0.0.0/8", "127.0.0.1", "::1", "fd00::/8", "0.0.0.0/0", "10.1.2.3/32"] {
            assert!(AddressRange::parse(text).is_ok(), "{text}");
        }
        for text in ["10.1.0.0/8", "10.0.0.0/33", "10.0.0.0/x", "host/8", "", "fd00::1/64", "010.0.0.0/8"] {
            assert!(AddressRange::parse(text).is_err(), "{text}");
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
            assert_eq!(
                Address::parse(text).map(|written| written.or(local).to_string()),
                Ok(address.to_owned()),
                "{text}"
            );
        }
        for text in ["", ":9000", "example.com:9000", "localhostess", "127.0.0.1:99999", "1.2.3"] {
            assert!(Address::parse(text).is_err(), "{text}");
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
