//! Where requests go: a scheme, host and port, and how to get there.

use std::net::SocketAddr;
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

use http::HeaderValue;
use parking_lot::Mutex;
use rustls::pki_types::ServerName;

use crate::AddressGuard;
use crate::proxy::ProxyChoice;
use crate::tls;

/// Numbers origins. A worker's pools are found by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct OriginId(pub(crate) usize);

/// Which HTTP version is spoken to an origin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Version {
    /// HTTP/2 where TLS negotiates it, else HTTP/1.1.
    Auto,
    /// HTTP/1.1 only.
    Http1,
    /// HTTP/2 only, in clear text with prior knowledge.
    Http2,
}

/// Everything that makes one origin differ from another. Two that are equal share their connections.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct OriginSettings {
    /// Who is there, for metrics.
    pub label: Arc<str>,
    /// Whether TLS is spoken.
    pub secure: bool,
    /// Host name or address; IPv6 without brackets.
    pub host: String,
    /// Port.
    pub port: u16,
    /// Which HTTP version is spoken.
    pub version: Version,
    /// Authorities to trust in place of the platform's, PEM.
    pub ca_pem: Option<Arc<[u8]>>,
    /// What we show of ourselves.
    pub identity: Option<Identity>,
    /// How to get there.
    pub proxy: ProxyChoice,
    /// For a connection, the TLS handshake included.
    pub connect_timeout: Duration,
    /// While the other side reads nothing of the request.
    pub write_timeout: Duration,
}

/// A client certificate.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Identity {
    /// The certificate chain, PEM.
    pub certificate_pem: Arc<[u8]>,
    /// The private key, PEM.
    pub key_pem: Arc<[u8]>,
}

/// A place where requests go.
pub struct Origin {
    /// What it is made from.
    pub settings: OriginSettings,
    /// The `host` header of requests to it.
    pub host_header: HeaderValue,
    id: OriginId,
    server_name: Option<ServerName<'static>>,
    tls: OnceLock<Result<Arc<rustls::ClientConfig>, String>>,
    addresses: Option<Box<[SocketAddr]>>,
    guard: Option<AddressGuard>,
}

impl Origin {
    /// An origin at these addresses and no others: its name is not resolved again, neither here nor by a proxy. It is not
    /// among [`Origins`] and its number is not its own, so that it needs [`Pools`](crate::Pools) of its own.
    pub(crate) fn pinned(settings: OriginSettings, addresses: Vec<SocketAddr>) -> Result<Self, OriginError> {
        let settings = OriginSettings { proxy: ProxyChoice::Direct, ..settings };
        Ok(Self { addresses: Some(addresses.into()), ..make(settings, OriginId(0))? })
    }

    /// Its number.
    pub fn id(&self) -> OriginId {
        self.id
    }

    /// The name that its certificate must be for; `None` in clear text.
    pub(crate) fn server_name(&self) -> Option<&ServerName<'static>> {
        self.server_name.as_ref()
    }

    /// Where it is, if its name is not to be resolved.
    pub(crate) fn addresses(&self) -> Option<&[SocketAddr]> {
        self.addresses.as_deref()
    }

    /// Which of its addresses may be connected to; any if `None`.
    pub(crate) fn guard(&self) -> Option<&AddressGuard> {
        self.guard.as_ref()
    }

    /// The TLS configuration, made when first needed: reading the platform's roots takes milliseconds.
    pub(crate) fn tls(&self) -> Result<Arc<rustls::ClientConfig>, String> {
        self.tls.get_or_init(|| tls::client_config(&self.settings)).clone()
    }
}

/// Why an origin cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum OriginError {
    /// The host is not a host name or address.
    #[error("\"{0}\" is not a valid host name")]
    Host(String),
    /// A certificate or key cannot be used.
    #[error("{0}")]
    Tls(String),
}

/// All origins of the process. An origin lives as long as somebody holds it; asking for one that exists gives the same,
/// so that connections survive a reload of the configuration.
#[derive(Default)]
pub struct Origins {
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    next: usize,
    list: Vec<Weak<Origin>>,
}

impl Origins {
    /// The origin with these settings.
    ///
    /// # Errors
    /// If the host is not one, or given certificates or keys cannot be read.
    pub fn intern(&self, settings: OriginSettings) -> Result<Arc<Origin>, OriginError> {
        self.find_or_make(settings, None)
    }

    /// The origin with these settings that a client has named: only addresses that the guard permits are connected to,
    /// whatever its name resolves to at the time, and never by a proxy, which would resolve it anew.
    ///
    /// # Errors
    /// As [`intern`](Self::intern).
    pub fn guarded(&self, settings: OriginSettings, guard: AddressGuard) -> Result<Arc<Origin>, OriginError> {
        self.find_or_make(OriginSettings { proxy: ProxyChoice::Direct, ..settings }, Some(guard))
    }

    fn find_or_make(&self, settings: OriginSettings, guard: Option<AddressGuard>) -> Result<Arc<Origin>, OriginError> {
        let mut known = self.known.lock();
        known.list.retain(|origin| origin.strong_count() > 0);
        let mut existing = known.list.iter().filter_map(Weak::upgrade);
        if let Some(origin) = existing.find(|origin| origin.settings == settings && origin.guard == guard) {
            return Ok(origin);
        }
        let origin = Arc::new(Origin { guard, ..make(settings, OriginId(known.next))? });
        known.next += 1;
        known.list.push(Arc::downgrade(&origin));
        Ok(origin)
    }
}

fn make(settings: OriginSettings, id: OriginId) -> Result<Origin, OriginError> {
    let wrong_host = || OriginError::Host(settings.host.clone());
    let server_name = if settings.secure {
        Some(ServerName::try_from(settings.host.clone()).map_err(|_| wrong_host())?)
    } else {
        None
    };
    let host_header = HeaderValue::try_from(authority(&settings)).map_err(|_| wrong_host())?;
    let tls = OnceLock::new();
    if settings.secure && (settings.ca_pem.is_some() || settings.identity.is_some()) {
        let config = tls::client_config(&settings).map_err(OriginError::Tls)?;
        let _ = tls.set(Ok(config));
    }
    Ok(Origin { settings, host_header, id, server_name, tls, addresses: None, guard: None })
}

fn authority(settings: &OriginSettings) -> String {
    let OriginSettings { host, port, secure, .. } = settings;
    let host = if host.contains(':') { format!("[{host}]") } else { host.clone() };
    let default_port = if *secure { 443 } else { 80 };
    if *port == default_port { host } else { format!("{host}:{port}") }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn clear_text(port: u16) -> OriginSettings {
        OriginSettings {
            label: "test".into(),
            secure: false,
            host: "127.0.0.1".to_owned(),
            port,
            version: Version::Auto,
            ca_pem: None,
            identity: None,
            proxy: ProxyChoice::Direct,
            connect_timeout: Duration::from_secs(2),
            write_timeout: Duration::from_secs(2),
        }
    }

    #[test]
    fn equal_settings_give_the_same_origin_and_other_settings_another() {
        let origins = Origins::default();
        let first = origins.intern(clear_text(1)).unwrap();
        let again = origins.intern(clear_text(1)).unwrap();
        let other = origins.intern(clear_text(2)).unwrap();
        assert!(Arc::ptr_eq(&first, &again));
        assert_ne!(first.id(), other.id());
    }

    #[test]
    fn the_host_header_leaves_out_a_default_port_and_brackets_ipv6() {
        let header = |secure, host: &str, port| {
            let settings = OriginSettings { secure, host: host.to_owned(), port, ..clear_text(1) };
            let origin = Origins::default().intern(settings).unwrap();
            origin.host_header.to_str().unwrap().to_owned()
        };
        assert_eq!(header(false, "example.com", 80), "example.com");
        assert_eq!(header(true, "example.com", 80), "example.com:80");
        assert_eq!(header(true, "example.com", 443), "example.com");
        assert_eq!(header(false, "::1", 8000), "[::1]:8000");
    }
}
