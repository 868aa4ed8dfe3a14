//! Proxies between the gateway and a provider: which one, and the tunnel through it (RFC 9110 §9.3.6).

use std::sync::OnceLock;

use http::{HeaderValue, Uri};
use hyper_util::client::proxy::matcher::Matcher;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::connect::ConnectError;
use crate::origin::OriginSettings;

/// The most that a proxy may answer to `CONNECT`, in bytes.
const ANSWER_BYTES_MAX: usize = 8 << 10;

/// How to get to an origin.
#[derive(Clone, PartialEq, Eq, Hash)]
pub enum ProxyChoice {
    /// As `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY` and `NO_PROXY` say.
    Environment,
    /// Straight there, whatever the environment says.
    Direct,
    /// Through this proxy: `http://[user:password@]host:port`.
    Via(String),
}

/// A proxy to go through.
pub(crate) struct Proxy {
    pub(crate) host: String,
    pub(crate) port: u16,
    /// The `proxy-authorization` header, marked as sensitive.
    pub(crate) authorization: Option<HeaderValue>,
}

/// The proxy for an origin, if it has one.
pub(crate) fn choose(settings: &OriginSettings) -> Result<Option<Proxy>, ConnectError> {
    let matcher = match &settings.proxy {
        ProxyChoice::Direct => return Ok(None),
        ProxyChoice::Environment => environment(),
        ProxyChoice::Via(url) => &Matcher::builder().all(url.as_str()).build(),
    };
    let scheme = if settings.secure { "https" } else { "http" };
    let host = if settings.host.contains(':') { format!("[{}]", settings.host) } else { settings.host.clone() };
    let Ok(destination) =
        Uri::builder().scheme(scheme).authority(format!("{host}:{}", settings.port)).path_and_query("/").build()
    else {
        return Err(ConnectError::Proxy("the provider's address cannot be given to a proxy".to_owned()));
    };
    let Some(found) = matcher.intercept(&destination) else {
        return Ok(None);
    };
    if found.uri().scheme_str() != Some("http") {
        return Err(ConnectError::Proxy("only proxies with an http:// address are supported".to_owned()));
    }
    let host = found.uri().host().unwrap_or_default().trim_matches(['[', ']']).to_owned();
    let port = found.uri().port_u16().unwrap_or(80);
    Ok(Some(Proxy { host, port, authorization: found.basic_auth().cloned() }))
}

/// Asks the proxy for a tunnel to the origin. What follows on the stream goes to the origin itself.
pub(crate) async fn tunnel(
    mut stream: TcpStream,
    proxy: &Proxy,
    settings: &OriginSettings,
) -> Result<TcpStream, ConnectError> {
    let host = if settings.host.contains(':') { format!("[{}]", settings.host) } else { settings.host.clone() };
    let authority = format!("{host}:{}", settings.port);
    let mut request = format!("CONNECT {authority} HTTP/1.1\r\nhost: {authority}\r\n").into_bytes();
    if let Some(value) = &proxy.authorization {
        request.extend_from_slice(b"proxy-authorization: ");
        request.extend_from_slice(value.as_bytes());
        request.extend_from_slice(b"\r\n");
    }
    request.extend_from_slice(b"\r\n");
    stream.write_all(&request).await.map_err(ConnectError::Io)?;

    let mut answer = Vec::with_capacity(256);
    while !answer.ends_with(b"\r\n\r\n") {
        if answer.len() >= ANSWER_BYTES_MAX {
            return Err(ConnectError::Proxy("the proxy's answer to CONNECT is too long".to_owned()));
        }
        // Byte by byte, since what follows the blank line belongs to the tunnel. This happens once a connection.
        let byte = stream.read_u8().await.map_err(ConnectError::Io)?;
        answer.push(byte);
    }
    let status = answer.split(|byte| *byte == b' ').nth(1).unwrap_or_default();
    match status {
        [b'2', _, _] => Ok(stream),
        other => Err(ConnectError::Proxy(format!(
            "the proxy refused a tunnel with status {}",
            String::from_utf8_lossy(other).chars().take(3).collect::<String>()
        ))),
    }
}

fn environment() -> &'static Matcher {
    static ENVIRONMENT: OnceLock<Matcher> = OnceLock::new();
    ENVIRONMENT.get_or_init(Matcher::from_env)
}
