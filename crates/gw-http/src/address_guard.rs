//! Which addresses a URL that a client names may lead to: those of the public internet, and what the operator adds.
//!
//! A client that may name a URL may name one of the gateway's own network, or of the cloud's metadata service (SSRF).
//! The decision is about addresses, not names: a name is whatever its owner's DNS server says at the moment.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// Decides which addresses may be connected to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AddressGuard {
    allowed: Vec<Prefix>,
}

impl AddressGuard {
    /// Lets through public addresses only.
    pub fn public() -> Self {
        Self::default()
    }

    /// Lets these through too, public or not.
    #[must_use]
    pub fn allowing(mut self, prefix: Prefix) -> Self {
        self.allowed.push(prefix);
        self
    }

    /// Whether a connection may be made to `ip`.
    pub fn permits(&self, ip: IpAddr) -> bool {
        // `::ffff:10.0.0.1` leads where `10.0.0.1` does.
        let ip = ip.to_canonical();
        is_public(ip) || self.allowed.iter().any(|prefix| prefix.contains(ip))
    }
}

/// Whether an address belongs to a host on the public internet, as far as the IANA registries of special-purpose
/// addresses say. An IPv6 address that stands for an IPv4 one is judged by that.
pub fn is_public(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => !is_within(ip.into(), &REFUSED_V4),
        IpAddr::V6(ip) => match inner_addresses(ip) {
            Some(inner) => inner.into_iter().all(|ip| !is_within(ip.into(), &REFUSED_V4)),
            None => GLOBAL_UNICAST.contains(ip.into()) && !is_within(ip.into(), &REFUSED_V6),
        },
    }
}

/// All but the last two are from the IANA IPv4 Special-Purpose Address Registry (RFC 6890).
const REFUSED_V4: [Prefix; 16] = [
    v4([0, 0, 0, 0], 8),      // "this network"; Linux takes 0.0.0.0 for the machine itself (RFC 791 §3.2)
    v4([10, 0, 0, 0], 8),     // private use (RFC 1918)
    v4([100, 64, 0, 0], 10),  // shared by carriers, and by clouds for their metadata (RFC 6598)
    v4([127, 0, 0, 0], 8),    // loopback (RFC 1122 §3.2.1.3)
    v4([169, 254, 0, 0], 16), // link-local, and most clouds' metadata (RFC 3927)
    v4([172, 16, 0, 0], 12),  // private use (RFC 1918)
    v4([192, 0, 0, 0], 24),   // IETF protocol assignments, and a cloud's metadata (RFC 6890 §2.1)
    v4([192, 0, 2, 0], 24),   // documentation (RFC 5737)
    v4([192, 88, 99, 0], 24), // relays of 6to4, withdrawn (RFC 7526)
    v4([192, 168, 0, 0], 16), // private use (RFC 1918)
    v4([198, 18, 0, 0], 15),  // benchmarking (RFC 2544)
    v4([198, 51, 100, 0], 24), // documentation (RFC 5737)
    v4([203, 0, 113, 0], 24), // documentation (RFC 5737)
    v4([240, 0, 0, 0], 4),    // reserved, and the broadcast address (RFC 1112 §4, RFC 8190)
    v4([224, 0, 0, 0], 4),    // multicast (RFC 5771)
    // Azure's host agent and DNS: a public address that each virtual machine reaches on its own host
    // (learn.microsoft.com/azure/virtual-network/what-is-ip-address-168-63-129-16).
    v4([168, 63, 129, 16], 32),
];

/// The only part of IPv6 from which public addresses are given (IANA IPv6 Address Space, RFC 4291 §2.4). Outside it lie
/// `::1`, unique local (`fc00::/7`), link-local (`fe80::/10`), site-local (`fec0::/10`), multicast (`ff00::/8`), discard
/// (`100::/64`), SRv6 (`5f00::/16`) and NAT64 for local use (`64:ff9b:1::/48`), whose inner address stands in a place that
/// only its network knows (RFC 8215).
const GLOBAL_UNICAST: Prefix = v6([0x2000, 0, 0], 3);

/// What of it is special (IANA IPv6 Special-Purpose Address Registry, RFC 6890).
const REFUSED_V6: [Prefix; 3] = [
    v6([0x2001, 0, 0], 23), // IETF protocol assignments: benchmarking, ORCHID and others (RFC 2928)
    v6([0x2001, 0xdb8, 0], 32), // documentation (RFC 3849)
    v6([0x3fff, 0, 0], 20), // documentation (RFC 9637)
];

const COMPATIBLE: Prefix = v6([0, 0, 0], 96);
const MAPPED: Prefix = Prefix { network: IpAddr::V6(Ipv6Addr::new(0, 0, 0, 0, 0, 0xffff, 0, 0)), bits: 96 };
const NAT64: Prefix = v6([0x64, 0xff9b, 0], 96);
const SIX_TO_FOUR: Prefix = v6([0x2002, 0, 0], 16);
const TEREDO: Prefix = v6([0x2001, 0, 0], 32);

/// The IPv4 addresses that packets to an IPv6 address end up at.
fn inner_addresses(ip: Ipv6Addr) -> Option<[Ipv4Addr; 2]> {
    let is_in = |prefix: Prefix| prefix.contains(ip.into());
    let bits = ip.to_bits();
    // The cast keeps the 32 bits that are meant.
    let part = |shift: u32| Ipv4Addr::from_bits((bits >> shift) as u32);
    if is_in(COMPATIBLE) || is_in(MAPPED) || is_in(NAT64) {
        // RFC 4291 §2.5.5, RFC 6052 §2.2
        Some([part(0), part(0)])
    } else if is_in(SIX_TO_FOUR) {
        // RFC 3056 §2
        Some([part(80), part(80)])
    } else if is_in(TEREDO) {
        // The server and, with its bits turned over, the client (RFC 4380 §4).
        Some([part(64), Ipv4Addr::from_bits(!part(0).to_bits())])
    } else {
        None
    }
}

fn is_within(ip: IpAddr, list: &[Prefix]) -> bool {
    list.iter().any(|prefix| prefix.contains(ip))
}

/// Addresses that begin alike, as in `10.0.0.0/8` or `fd00::/8`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Prefix {
    network: IpAddr,
    /// How many bits are alike; no more than the address has.
    bits: u8,
}

const fn v4(octets: [u8; 4], bits: u8) -> Prefix {
    let [a, b, c, d] = octets;
    Prefix { network: IpAddr::V4(Ipv4Addr::new(a, b, c, d)), bits }
}

const fn v6(start: [u16; 3], bits: u8) -> Prefix {
    let [a, b, c] = start;
    Prefix { network: IpAddr::V6(Ipv6Addr::new(a, b, c, 0, 0, 0, 0, 0)), bits }
}

impl Prefix {
    /// Whether `ip` is one of them.
    pub fn contains(&self, ip: IpAddr) -> bool {
        let (network, ip, width) = match (self.network, ip) {
            (IpAddr::V4(network), IpAddr::V4(ip)) => (network.to_bits().into(), ip.to_bits().into(), 32),
            (IpAddr::V6(network), IpAddr::V6(ip)) => (network.to_bits(), ip.to_bits(), 128),
            _ => return false,
        };
        let differing: u128 = network ^ ip;
        // A shift by all 128 bits leaves nothing.
        differing.checked_shr(width - u32::from(self.bits)).unwrap_or(0) == 0
    }

    fn first(&self) -> IpAddr {
        match self.network {
            IpAddr::V4(ip) => {
                let mask = u32::MAX.checked_shl(32 - u32::from(self.bits)).unwrap_or(0);
                Ipv4Addr::from_bits(ip.to_bits() & mask).into()
            }
            IpAddr::V6(ip) => {
                let mask = u128::MAX.checked_shl(128 - u32::from(self.bits)).unwrap_or(0);
                Ipv6Addr::from_bits(ip.to_bits() & mask).into()
            }
        }
    }
}

/// Why a text is not a prefix.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PrefixError {
    /// It is neither an address nor an address, a slash and a number of bits.
    #[error("\"{0}\" is not an address range; write one such as 10.0.0.0/8 or fd00::/8")]
    Malformed(String),
    /// The address goes on after the bits that count, so that one of the two is a mistake.
    #[error("\"{0}\" begins within a range; the range itself is {1}")]
    NotItsFirst(String, Prefix),
    /// An IPv4 address in IPv6 dress.
    #[error("\"{0}\" is an IPv4 range written as IPv6; write it as IPv4")]
    Mapped(String),
}

impl FromStr for Prefix {
    type Err = PrefixError;

    /// Reads `10.0.0.0/8`; a single address is itself.
    fn from_str(text: &str) -> Result<Self, PrefixError> {
        let malformed = || PrefixError::Malformed(text.to_owned());
        let (address, bits) = text.split_once('/').map_or((text, None), |(address, bits)| (address, Some(bits)));
        let network: IpAddr = address.parse().map_err(|_| malformed())?;
        let bits_max = if network.is_ipv4() { 32 } else { 128 };
        let bits = bits.map_or(Ok(bits_max), |bits| bits.parse().map_err(|_| malformed()))?;
        if bits > bits_max {
            return Err(malformed());
        }
        let prefix = Self { network, bits };
        if network.to_canonical() != network {
            return Err(PrefixError::Mapped(text.to_owned()));
        }
        let first = prefix.first();
        if first != network {
            return Err(PrefixError::NotItsFirst(text.to_owned(), Self { network: first, bits }));
        }
        Ok(prefix)
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.network, self.bits)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn is_public_text(text: &str) -> bool {
        is_public(text.parse().unwrap())
    }

    /// Two addresses of each range, its first and its last, and why it is not public.
    const REFUSED: &[(&str, &str, &str)] = &[
        ("0.0.0.0", "0.255.255.255", "this network, RFC 791"),
        ("10.0.0.0", "10.255.255.255", "private, RFC 1918"),
        ("100.64.0.0", "100.127.255.255", "carriers, RFC 6598"),
        ("127.0.0.0", "127.255.255.255", "loopback, RFC 1122"),
        ("169.254.0.0", "169.254.255.255", "link-local, RFC 3927"),
        ("172.16.0.0", "172.31.255.255", "private, RFC 1918"),
        ("192.0.0.0", "192.0.0.255", "IETF protocols, RFC 6890"),
        ("192.0.2.0", "192.0.2.255", "documentation, RFC 5737"),
        ("192.88.99.0", "192.88.99.255", "relays of 6to4, RFC 7526"),
        ("192.168.0.0", "192.168.255.255", "private, RFC 1918"),
        ("198.18.0.0", "198.19.255.255", "benchmarking, RFC 2544"),
        ("198.51.100.0", "198.51.100.255", "documentation, RFC 5737"),
        ("203.0.113.0", "203.0.113.255", "documentation, RFC 5737"),
        ("224.0.0.0", "239.255.255.255", "multicast, RFC 5771"),
        ("240.0.0.0", "255.255.255.255", "reserved and broadcast, RFC 1112"),
        ("168.63.129.16", "168.63.129.16", "Azure's host agent"),
        ("::", "::1", "unspecified and loopback, RFC 4291"),
        ("::7f00:1", "::10.0.0.1", "IPv4-compatible, RFC 4291"),
        ("::ffff:127.0.0.1", "::ffff:169.254.169.254", "IPv4-mapped, RFC 4291"),
        ("::ffff:0:127.0.0.1", "::ffff:0:8.8.8.8", "IPv4-translated, RFC 2765"),
        ("64:ff9b::7f00:1", "64:ff9b::192.168.0.1", "NAT64, RFC 6052"),
        ("64:ff9b:1::", "64:ff9b:1:ffff:ffff:ffff:ffff:ffff", "NAT64 for local use, RFC 8215"),
        ("64:ff9b:1::8.8.8.8", "64:ff9b:1:808:8:800::", "NAT64 for local use, RFC 8215"),
        ("100::", "100::ffff:ffff:ffff:ffff", "discard, RFC 6666"),
        ("2001:1::", "2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff", "IETF protocols, RFC 2928"),
        ("2001:0:7f00:1:0:0:f7f7:f7f7", "2001:0:808:808:0:0:80ff:fffe", "Teredo, RFC 4380"),
        ("2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", "documentation, RFC 3849"),
        ("2002:7f00:1::", "2002:c0a8:1::1", "6to4, RFC 3056"),
        ("3fff::", "3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff", "documentation, RFC 9637"),
        ("4000::", "5f00::1", "not given, and SRv6, RFC 9602"),
        ("fc00::", "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "unique local, RFC 4193"),
        ("fd00:ec2::254", "fd20:ce::254", "clouds' metadata"),
        ("fe80::", "febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "link-local, RFC 4291"),
        ("fec0::", "feff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "site-local, RFC 3879"),
        ("ff00::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "multicast, RFC 4291"),
    ];

    #[test]
    fn special_addresses_are_not_public() {
        for (first, last, why) in REFUSED {
            assert!(!is_public_text(first), "{first}: {why}");
            assert!(!is_public_text(last), "{last}: {why}");
        }
    }

    #[test]
    fn the_neighbours_of_special_addresses_are_public() {
        for text in [
            "1.0.0.0",
            "8.8.8.8",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "126.255.255.255",
            "128.0.0.0",
            "168.63.129.15",
            "168.63.129.17",
            "169.253.255.255",
            "169.255.0.0",
            "172.15.255.255",
            "172.32.0.0",
            "192.0.1.0",
            "192.0.3.0",
            "192.167.255.255",
            "192.169.0.0",
            "198.17.255.255",
            "198.20.0.0",
            "223.255.255.255",
            "2001:200::1",
            "2001:db7::1",
            "2001:db9::1",
            "2606:4700::1111",
            "3ffe::1",
            "::ffff:8.8.8.8",
            "64:ff9b::8.8.8.8",
            "2002:808:808::1",
            "2001:0:808:808:0:0:f7f7:f7f7",
        ] {
            assert!(is_public_text(text), "{text}");
        }
    }

    #[test]
    fn an_operator_lets_more_through_and_only_that() {
        let guard =
            AddressGuard::public().allowing("10.1.0.0/16".parse().unwrap()).allowing("fd00::/8".parse().unwrap());
        let permits = |text: &str| guard.permits(text.parse().unwrap());
        for text in ["10.1.0.0", "10.1.255.255", "::ffff:10.1.2.3", "fd12::1", "8.8.8.8"] {
            assert!(permits(text), "{text}");
        }
        for text in ["10.0.255.255", "10.2.0.0", "::ffff:10.2.0.0", "64:ff9b::10.1.0.1", "fc00::1", "127.0.0.1"] {
            assert!(!permits(text), "{text}");
        }
        assert!(!AddressGuard::public().permits("10.1.0.0".parse().unwrap()));
    }

    #[test]
    fn a_prefix_of_no_bits_is_everything_of_its_family_and_one_of_all_bits_a_single_address() {
        let contains = |prefix: &str, ip: &str| prefix.parse::<Prefix>().unwrap().contains(ip.parse().unwrap());
        assert!(contains("0.0.0.0/0", "127.0.0.1") && !contains("0.0.0.0/0", "::1"));
        assert!(contains("::/0", "fe80::1") && !contains("::/0", "127.0.0.1"));
        assert!(contains("10.0.0.1", "10.0.0.1") && !contains("10.0.0.1/32", "10.0.0.2"));
        assert!(contains("fd00::1/128", "fd00::1") && !contains("fd00::1", "fd00::2"));
    }

    #[test]
    fn what_is_not_a_prefix_is_refused_with_what_to_write() {
        for text in ["", "/", "/8", "10", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/-1", "::/129", "10.0.0.0/8/8", "host/8"]
        {
            assert_eq!(text.parse::<Prefix>(), Err(PrefixError::Malformed(text.to_owned())));
        }
        let error = "10.1.0.0/8".parse::<Prefix>().unwrap_err();
        assert_eq!(error.to_string(), "\"10.1.0.0/8\" begins within a range; the range itself is 10.0.0.0/8");
        assert!("fd00::1/8".parse::<Prefix>().is_err());
        assert!(matches!("::ffff:10.0.0.0/104".parse::<Prefix>(), Err(PrefixError::Mapped(_))));
    }

    proptest! {
        #[test]
        fn a_prefix_that_is_written_is_read_as_itself(bits in any::<u32>(), length in 0_u8..=32) {
            let network = Prefix { network: Ipv4Addr::from_bits(bits).into(), bits: length }.first();
            let prefix = Prefix { network, bits: length };
            prop_assert_eq!(prefix.to_string().parse::<Prefix>(), Ok(prefix));
            prop_assert!(prefix.contains(Ipv4Addr::from_bits(bits).into()));
        }

        #[test]
        fn an_ipv4_address_in_any_ipv6_dress_is_judged_alike(bits in any::<u32>()) {
            let ip = Ipv4Addr::from_bits(bits);
            let [a, b] = [(bits >> 16) as u16, bits as u16];
            let public = is_public(ip.into());
            for dressed in [
                ip.to_ipv6_mapped(),
                ip.to_ipv6_compatible(),
                Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, a, b),
                Ipv6Addr::new(0x2002, a, b, 0, 0, 0, 0, 1),
                Ipv6Addr::new(0x2001, 0, 0x808, 0x808, 0, 0, !a, !b),
            ] {
                prop_assert_eq!(is_public(dressed.into()), public, "{}", dressed);
            }
        }
    }
}
