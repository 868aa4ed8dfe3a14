//! Makes a new connection to an origin.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use futures_util::stream::{FuturesUnordered, StreamExt};
use http::HeaderValue;
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsConnector;

use crate::origin::{Origin, Version};
use crate::proxy;
use crate::stream::Stream;

/// How long one address is tried alone before the next is tried beside it (RFC 8305 §5).
const NEXT_ADDRESS_AFTER: Duration = Duration::from_millis(250);

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The host name has no address.
    #[error("the host name could not be resolved: {0}")]
    Resolve(io::Error),
    /// The host name leads to addresses that a client may not name.
    #[error("it is not at an address that clients may name")]
    Forbidden,
    /// No address accepted the connection.
    #[error("{0}")]
    Io(io::Error),
    /// The TLS handshake failed.
    #[error("the TLS handshake failed: {0}")]
    Tls(String),
    /// The proxy did not let us through.
    #[error("{0}")]
    Proxy(String),
    /// It took too long.
    #[error("no connection within {} ms", .0.as_millis())]
    Timeout(Duration),
}

/// A connection to an origin.
pub(crate) struct Connected {
    pub(crate) stream: Stream,
    /// Whether HTTP/2 is to be spoken on it.
    pub(crate) http2: bool,
    /// Set where the other side is a proxy that forwards clear-text requests itself.
    pub(crate) forward: Option<ForwardProxy>,
}

/// What a proxy that forwards requests itself wants in each (RFC 9112 §3.2.2): the whole URL, and this.
pub(crate) struct ForwardProxy {
    /// The `proxy-authorization` header.
    pub(crate) authorization: Option<HeaderValue>,
}

/// Connects within the origin's connect timeout.
pub(crate) async fn connect(origin: &Origin) -> Result<Connected, ConnectError> {
    let limit = origin.settings.connect_timeout;
    match timeout(limit, attempt(origin)).await {
        Ok(result) => result,
        Err(_) => Err(ConnectError::Timeout(limit)),
    }
}

async fn attempt(origin: &Origin) -> Result<Connected, ConnectError> {
    let settings = &origin.settings;
    let mut forward = None;
    let stream = match proxy::choose(settings)? {
        None => match origin.addresses() {
            Some(addresses) => dial(addresses.to_vec()).await?,
            None => dial(permitted(origin, resolve(&settings.host, settings.port).await?)?).await?,
        },
        Some(proxy) => {
            let stream = dial(resolve(&proxy.host, proxy.port).await?).await?;
            if settings.secure || settings.version == Version::Http2 {
                proxy::tunnel(stream, &proxy, settings).await?
            } else {
                forward = Some(ForwardProxy { authorization: proxy.authorization });
                stream
            }
        }
    };
    stream.set_nodelay(true).map_err(ConnectError::Io)?;
    let Some(name) = origin.server_name() else {
        let http2 = settings.version == Version::Http2;
        return Ok(Connected { stream: Stream::Clear(stream), http2, forward });
    };
    let config = origin.tls().map_err(ConnectError::Tls)?;
    let stream = TlsConnector::from(config)
        .connect(name.clone(), stream)
        .await
        .map_err(|error| ConnectError::Tls(error.to_string()))?;
    let http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
    if settings.version == Version::Http2 && !http2 {
        return Err(ConnectError::Tls("the provider does not offer HTTP/2".to_owned()));
    }
    Ok(Connected { stream: Stream::Tls(Box::new(stream.into())), http2, forward: None })
}

/// The addresses that may be connected to, unless there is one that may not: a name for both kinds is a trap.
fn permitted(origin: &Origin, addresses: Vec<SocketAddr>) -> Result<Vec<SocketAddr>, ConnectError> {
    match origin.guard() {
        Some(guard) if !addresses.iter().all(|address| guard.permits(address.ip())) => Err(ConnectError::Forbidden),
        Some(_) | None => Ok(addresses),
    }
}

async fn resolve(host: &str, port: u16) -> Result<Vec<SocketAddr>, ConnectError> {
    Ok(tokio::net::lookup_host((host, port)).await.map_err(ConnectError::Resolve)?.collect())
}

/// Connects to the first address that accepts, IPv6 and IPv4 taking turns (RFC 8305).
async fn dial(addresses: Vec<SocketAddr>) -> Result<TcpStream, ConnectError> {
    let mut addresses = take_turns(addresses).into_iter();
    let mut attempts = FuturesUnordered::new();
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the host name has no address");
    loop {
        match addresses.next() {
            Some(address) => attempts.push(TcpStream::connect(address)),
            None if attempts.is_empty() => return Err(ConnectError::Io(last)),
            None => {}
        }
        let more = addresses.len() > 0;
        tokio::select! {
            Some(result) = attempts.next() => match result {
                Ok(stream) => return Ok(stream),
                Err(error) => last = error,
            },
            () = sleep(NEXT_ADDRESS_AFTER), if more => {}
        }
    }
}

fn take_turns(addresses: Vec<SocketAddr>) -> Vec<SocketAddr> {
    let first_is_ipv6 = addresses.first().is_some_and(SocketAddr::is_ipv6);
    let (mut first, mut second): (Vec<_>, Vec<_>) =
        addresses.into_iter().partition(|address| address.is_ipv6() == first_is_ipv6);
    let mut turns = Vec::with_capacity(first.len() + second.len());
    first.reverse();
    second.reverse();
    while !first.is_empty() || !second.is_empty() {
        turns.extend(first.pop());
        turns.extend(second.pop());
    }
    turns
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_both_families_take_turns_beginning_with_the_systems_first() {
        let parse = |list: &[&str]| list.iter().map(|text| text.parse().unwrap()).collect::<Vec<SocketAddr>>();
        let turns = take_turns(parse(&["[::1]:1", "[::2]:1", "[::3]:1", "1.1.1.1:1"]));
        assert_eq!(turns, parse(&["[::1]:1", "1.1.1.1:1", "[::2]:1", "[::3]:1"]));
    }
}
