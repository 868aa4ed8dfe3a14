//! Fetches what a client names by URL, for providers that take only bytes. The URL is hostile: whoever writes it may want
//! to see what the gateway sees (SSRF), or to keep it busy.
//!
//! - A name is resolved once; each of its addresses must pass the [`AddressGuard`], and the connection is made to one of
//!   those. A redirect is a URL like any other.
//! - The request goes straight there, whatever the environment says of proxies: a proxy would resolve the name again.
//!   Where only a proxy leads out, nothing can be fetched.
//! - Nothing of the client's or the gateway's goes with it: no credential, no cookie, no referrer.

mod target;

use std::net::{SocketAddr, ToSocketAddrs};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, header};
use http_body::Body;
use http_body_util::BodyExt;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use crate::address_guard::AddressGuard;
use crate::body::RequestBody;
use crate::client::{BodyError, SendError, UpstreamBody};
use crate::connect::ConnectError;
use crate::fetch::target::Target;
use crate::observer::Deaf;
use crate::origin::{Origin, OriginSettings, Version};
use crate::pool::Pools;
use crate::proxy::ProxyChoice;

const USER_AGENT: HeaderValue = HeaderValue::from_static("ai-gateway");
/// How many addresses of a name are tried. A name with a thousand would make the gateway knock at a thousand doors.
const ADDRESSES_MAX: usize = 8;
/// Names that a worker resolves for fetches at the same time. Each takes a thread until the system's resolver gives up,
/// even if nobody waits any more; the names of providers need some too.
const LOOKUPS_MAX: usize = 32;

thread_local! {
    static LOOKUPS: Arc<Semaphore> = Arc::new(Semaphore::new(LOOKUPS_MAX));
}

/// How much of the gateway's time and memory a fetch may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FetchLimits {
    /// The most that the answer's body may be, in bytes.
    pub bytes_max: usize,
    /// For all of it, redirects included.
    pub timeout: Duration,
    /// How many redirects are followed.
    pub redirects_max: usize,
}

/// What was fetched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetched {
    /// What the host says that it is: type and subtype in lower case, without parameters. A claim, not a fact.
    pub media_type: Option<String>,
    /// The body.
    pub bytes: Bytes,
}

/// Why nothing was fetched. The messages are for the client: they say nothing of what the gateway can reach and the client
/// cannot. What they leave out is in [`source`](std::error::Error::source), for logs.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// The URL, or one that an answer redirects to, is not one that is fetched.
    #[error("the URL {0}")]
    Url(&'static str),
    /// The host has an address that the guard does not permit. The message is that of [`FetchError::Unresolved`], so
    /// that it does not tell which names the gateway's own network has.
    #[error("the host does not have a public address")]
    NotPublic,
    /// The host has no address.
    #[error("the host does not have a public address")]
    Unresolved(#[source] std::io::Error),
    /// The host takes no connection.
    #[error("no connection to the host could be made")]
    Unreachable(#[source] SendError),
    /// The host's certificate is not trusted, or it does not speak TLS as we do.
    #[error("no secure connection to the host could be made")]
    Tls(#[source] SendError),
    /// The connection ended too early.
    #[error("the connection ended before the answer was complete")]
    Interrupted,
    /// What the host says is not HTTP.
    #[error("the host's answer is not valid HTTP")]
    NotHttp,
    /// The host answered with neither 200 nor a redirect.
    #[error("the host answered with status {}", .0.as_u16())]
    Status(StatusCode),
    /// A redirect without a place to go.
    #[error("the host answered with a redirect to nowhere")]
    NoLocation,
    /// A redirect from https to http.
    #[error("the host answered with a redirect from https to http")]
    Downgrade,
    /// More redirects than are followed.
    #[error("the host answered with more than {0} redirects")]
    TooManyRedirects(usize),
    /// The body is compressed although that was not asked for.
    #[error("the host's answer is compressed")]
    Compressed,
    /// The body is larger than allowed.
    #[error("what the host sends is larger than {0} bytes")]
    TooLarge(usize),
    /// It took too long.
    #[error("the host took longer than {} ms", .0.as_millis())]
    Timeout(Duration),
}

/// Fetches what `url` names. To be called on a worker; dropping the future ends the connection.
///
/// # Errors
/// Why nothing was fetched.
pub async fn fetch(url: &str, limits: FetchLimits, guard: &AddressGuard) -> Result<Fetched, FetchError> {
    match timeout(limits.timeout, Box::pin(follow(url, &limits, guard))).await {
        Ok(result) => result,
        Err(_) => Err(FetchError::Timeout(limits.timeout)),
    }
}

async fn follow(url: &str, limits: &FetchLimits, guard: &AddressGuard) -> Result<Fetched, FetchError> {
    let mut target = Target::parse(url)?;
    for _ in 0..=limits.redirects_max {
        let response = ask(&target, limits, guard).await?;
        match response.status().as_u16() {
            200 => return read(response, limits.bytes_max).await,
            301 | 302 | 303 | 307 | 308 => target = target.redirected(location(response.headers())?)?,
            _ => return Err(FetchError::Status(response.status())),
        }
    }
    Err(FetchError::TooManyRedirects(limits.redirects_max))
}

/// Sends the request, on a connection that is used for nothing else, and waits for the head of the answer.
async fn ask(
    target: &Target,
    limits: &FetchLimits,
    guard: &AddressGuard,
) -> Result<Response<UpstreamBody>, FetchError> {
    let unusable = || FetchError::Url("has a host or path that cannot be asked for");
    let settings = OriginSettings {
        label: "fetch".into(),
        secure: target.secure,
        host: target.host.clone(),
        port: target.port,
        version: Version::Http1,
        ca_pem: None,
        identity: None,
        proxy: ProxyChoice::Direct,
        connect_timeout: limits.timeout,
        write_timeout: limits.timeout,
    };
    let addresses = permitted_addresses(target, guard).await?;
    let origin = Origin::pinned(settings, addresses).map_err(|_| unusable())?;
    let request = Request::get(target.path.as_str())
        .header(header::USER_AGENT, USER_AGENT)
        .header(header::ACCEPT, HeaderValue::from_static("*/*"))
        .header(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"))
        .header(header::CONNECTION, HeaderValue::from_static("close"))
        .body(RequestBody::empty())
        .map_err(|_| unusable())?;
    let pools = Pools::new(Rc::new(Deaf));
    pools.send(&Arc::new(origin), Box::new(request)).await.map_err(|error| match error {
        SendError::Unreachable(ConnectError::Timeout(_)) | SendError::WriteTimeout => {
            FetchError::Timeout(limits.timeout)
        }
        SendError::Unreachable(ConnectError::Tls(_)) => FetchError::Tls(error),
        SendError::Unreachable(_) => FetchError::Unreachable(error),
        SendError::Disconnected | SendError::Interrupted(_) => FetchError::Interrupted,
        SendError::Invalid(_) => FetchError::NotHttp,
    })
}

/// Where the host is. One address that is not permitted is enough to refuse them all: an honest name has none.
async fn permitted_addresses(target: &Target, guard: &AddressGuard) -> Result<Vec<SocketAddr>, FetchError> {
    let mut addresses = match target.literal() {
        Some(ip) => vec![SocketAddr::new(ip, target.port)],
        None => resolve(&target.host, target.port).await.map_err(FetchError::Unresolved)?,
    };
    if !addresses.iter().all(|address| guard.permits(address.ip())) {
        return Err(FetchError::NotPublic);
    }
    addresses.truncate(ADDRESSES_MAX);
    Ok(addresses)
}

async fn resolve(host: &str, port: u16) -> std::io::Result<Vec<SocketAddr>> {
    let permit = LOOKUPS.with(Arc::clone).acquire_owned().await.map_err(std::io::Error::other)?;
    let host = host.to_owned();
    // Not tokio's own lookup: the permit is held until the thread is free, not until the fetch is given up.
    let lookup = tokio::task::spawn_blocking(move || {
        let _held = permit;
        (host.as_str(), port).to_socket_addrs().map(Iterator::collect::<Vec<_>>)
    });
    let addresses = lookup.await??;
    if addresses.is_empty() {
        return Err(std::io::Error::new(std::io::ErrorKind::NotFound, "the name has no address"));
    }
    Ok(addresses)
}

fn location(headers: &HeaderMap) -> Result<&str, FetchError> {
    let value = headers.get(header::LOCATION).ok_or(FetchError::NoLocation)?;
    // Hosts write UTF-8 here, which `HeaderValue::to_str` does not take.
    std::str::from_utf8(value.as_bytes()).map_err(|_| FetchError::NoLocation)
}

async fn read(response: Response<UpstreamBody>, bytes_max: usize) -> Result<Fetched, FetchError> {
    let (head, mut body) = response.into_parts();
    let coding = head.headers.get(header::CONTENT_ENCODING);
    if coding.is_some_and(|coding| !coding.as_bytes().eq_ignore_ascii_case(b"identity")) {
        return Err(FetchError::Compressed);
    }
    let declared = usize::try_from(body.size_hint().exact().unwrap_or(0)).unwrap_or(usize::MAX);
    if declared > bytes_max {
        return Err(FetchError::TooLarge(bytes_max));
    }
    let mut bytes = BytesMut::with_capacity(declared);
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| match error {
            BodyError::Disconnected => FetchError::Interrupted,
            BodyError::Invalid(_) => FetchError::NotHttp,
        })?;
        let piece = frame.into_data().unwrap_or_default();
        if piece.len() > bytes_max - bytes.len() {
            return Err(FetchError::TooLarge(bytes_max));
        }
        bytes.extend_from_slice(&piece);
    }
    Ok(Fetched { media_type: media_type(&head.headers), bytes: bytes.freeze() })
}

/// The type without its parameters, if it is one (RFC 9110 §8.3.1).
fn media_type(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
    let essence = value.split(';').next()?.trim().to_ascii_lowercase();
    let (kind, subtype) = essence.split_once('/')?;
    let is_token = |text: &str| {
        let is_token_byte = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
        !text.is_empty() && text.bytes().all(is_token_byte)
    };
    (is_token(kind) && is_token(subtype)).then_some(essence)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_media_type_is_told_without_parameters_and_only_if_it_is_one() {
        for (value, expected) in [
            ("image/png", Some("image/png")),
            ("Image/SVG+XML; charset=utf-8", Some("image/svg+xml")),
            (" text/plain ;x", Some("text/plain")),
            ("png", None),
            ("/png", None),
            ("image/", None),
            ("image/png, image/gif", None),
            ("image/\"png", None),
            ("", None),
        ] {
            let headers = HeaderMap::from_iter([(header::CONTENT_TYPE, HeaderValue::from_static(value))]);
            assert_eq!(media_type(&headers).as_deref(), expected, "{value}");
        }
        assert_eq!(media_type(&HeaderMap::new()), None);
    }

    #[test]
    fn a_name_that_is_not_public_and_one_that_is_unknown_look_alike() {
        let unresolved = FetchError::Unresolved(std::io::ErrorKind::NotFound.into());
        assert_eq!(FetchError::NotPublic.to_string(), unresolved.to_string());
    }
}
