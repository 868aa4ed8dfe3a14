//! One question to whoever gives out tokens: over the pools of the worker that asks, and with little patience.

use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use gw_dialects::shared::percent;
use gw_http::client::BodyError;
use gw_http::origin::{OriginSettings, Version};
use gw_http::proxy::ProxyChoice;
use gw_http::{Origin, Origins, Pools, RequestBody};
use gw_runtime::Clock;
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, Uri, header};
use http_body::Body as _;
use serde_json::Value;
use zeroize::Zeroizing;

use super::fields::Digest;
use super::skew;
use super::{AuthError, WrongCredential};

/// The most that an answer may be.
const ANSWER_BYTES_MAX: usize = 64 << 10;
/// For a connection to a token endpoint.
const CONNECT_LIMIT: Duration = Duration::from_secs(5);

/// What a token request is sent with.
pub(crate) struct Exchange<'a> {
    /// The connections of the worker that asks.
    pub(crate) pools: &'a Pools,
    /// The wall clock.
    pub(crate) clock: Clock,
}

/// How token endpoints are reached: what is the same for all of a provider's.
pub struct Surroundings<'a> {
    /// The places that requests go to.
    pub origins: &'a Origins,
    /// The provider's name, for metrics of connections.
    pub label: &'a str,
    /// The way out. Metadata servers are next door and asked directly.
    pub proxy: ProxyChoice,
    /// Authorities for the endpoints that the operator names, in place of the platform's.
    pub ca_pem: Option<Arc<[u8]>>,
}

/// Whose address an endpoint has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Whose {
    /// The vendor's, on the internet.
    Vendor,
    /// The one that the operator named in its place.
    Operator,
    /// A server of the machine or the cluster.
    Neighbour,
}

/// Where a question goes.
#[derive(Clone)]
pub(crate) struct Place {
    pub(crate) origin: Arc<Origin>,
    pub(crate) path: PathAndQuery,
}

/// What came back.
pub(crate) struct Said {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Zeroizing<Vec<u8>>,
    /// Who said it, for messages.
    host: String,
}

impl Surroundings<'_> {
    /// A fingerprint of the way there.
    pub(super) fn add_to(&self, digest: &mut Digest) {
        digest.add(self.label);
        match &self.proxy {
            ProxyChoice::Environment => digest.add("environment"),
            ProxyChoice::Direct => digest.add("direct"),
            ProxyChoice::Via(url) => digest.add(url),
        }
        let authorities = self.ca_pem.as_deref().unwrap_or_default();
        digest.add(&String::from_utf8_lossy(authorities));
    }

    /// An endpoint. `field` is what names it in the configuration.
    ///
    /// # Errors
    /// If the URL is none that somebody can connect to.
    pub(crate) fn place(&self, url: &str, whose: Whose, field: &str) -> Result<Place, WrongCredential> {
        let wrong =
            || WrongCredential::at(field, format!("`{field}` must be a URL that begins with https:// or http://"));
        let uri: Uri = url.parse().map_err(|_| wrong())?;
        let secure = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            Some(_) | None => return Err(wrong()),
        };
        let host = uri.host().filter(|host| !host.is_empty()).ok_or_else(wrong)?;
        let settings = OriginSettings {
            label: Arc::from(self.label),
            secure,
            host: host.trim_matches(['[', ']']).to_owned(),
            port: uri.port_u16().unwrap_or(if secure { 443 } else { 80 }),
            version: Version::Auto,
            ca_pem: self.ca_pem.clone().filter(|_| whose == Whose::Operator),
            identity: None,
            proxy: if whose == Whose::Neighbour { ProxyChoice::Direct } else { self.proxy.clone() },
            connect_timeout: CONNECT_LIMIT,
            write_timeout: CONNECT_LIMIT,
        };
        let origin = self.origins.intern(settings).map_err(|_| wrong())?;
        let path = uri.path_and_query().cloned().unwrap_or_else(|| PathAndQuery::from_static("/"));
        Ok(Place { origin, path })
    }
}

impl Place {
    /// The same server, asked for something else there.
    pub(crate) fn at(&self, path: &str) -> Result<Self, AuthError> {
        let wrong = |_| AuthError::unavailable(format!("{} named something that cannot stand in a path", self.host()));
        Ok(Self { origin: Arc::clone(&self.origin), path: PathAndQuery::try_from(path).map_err(wrong)? })
    }

    /// The server's name, for messages.
    pub(crate) fn host(&self) -> &str {
        self.origin.host_header.to_str().unwrap_or_default()
    }

    /// A question without a body.
    pub(crate) fn get(&self) -> Request<RequestBody> {
        self.request(Method::GET, RequestBody::empty())
    }

    /// A form (`application/x-www-form-urlencoded`).
    pub(crate) fn form(&self, pairs: &[(&str, &str)]) -> Request<RequestBody> {
        let mut text = Zeroizing::new(String::new());
        for (name, value) in pairs {
            if !text.is_empty() {
                text.push('&');
            }
            escape_into(&mut text, name);
            text.push('=');
            escape_into(&mut text, value);
        }
        let body = RequestBody::held([Bytes::copy_from_slice(text.as_bytes())]);
        let mut request = self.request(Method::POST, body);
        let media_type = HeaderValue::from_static("application/x-www-form-urlencoded");
        request.headers_mut().insert(header::CONTENT_TYPE, media_type);
        request
    }

    /// JSON.
    pub(crate) fn json(&self, value: &Value) -> Request<RequestBody> {
        let mut request = self.request(Method::POST, RequestBody::held([Bytes::from(value.to_string())]));
        request.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        request
    }

    fn request(&self, method: Method, body: RequestBody) -> Request<RequestBody> {
        let mut request = Request::new(body);
        *request.method_mut() = method;
        *request.uri_mut() = self.path.clone().into();
        let headers = request.headers_mut();
        headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
        headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        request
    }
}

impl Exchange<'_> {
    /// Asks, and reads the whole answer. Whoever calls sets the time limit.
    pub(crate) async fn ask(&self, place: &Place, request: Request<RequestBody>) -> Result<Said, AuthError> {
        let host = place.host().to_owned();
        let broken = |what: &str| AuthError::unavailable(format!("{host}, which gives out its tokens, {what}"));
        let response = self.pools.send(&place.origin, Box::new(request)).await;
        let response = response.map_err(|error| broken(&format!("could not be asked: {error}")))?;
        let (parts, mut upstream) = response.into_parts();
        let mut body = Zeroizing::new(Vec::new());
        loop {
            let frame = std::future::poll_fn(|context| Pin::new(&mut upstream).poll_frame(context)).await;
            let data = match frame.transpose().map_err(|error: BodyError| broken(&format!("broke off: {error}")))? {
                None => break,
                Some(frame) => frame.into_data().unwrap_or_default(),
            };
            if body.len() + data.len() > ANSWER_BYTES_MAX {
                return Err(broken("sent an answer that is too long"));
            }
            body.extend_from_slice(&data);
        }
        Ok(Said { status: parts.status, headers: parts.headers, body, host })
    }
}

impl Said {
    /// The answer of a success; else the refusal: `what` was refused.
    pub(crate) fn json(&self, what: &str) -> Result<Value, AuthError> {
        if !self.status.is_success() {
            return Err(self.refusal(what, self.code().as_deref()));
        }
        serde_json::from_slice(&self.body).map_err(|_| self.no_token())
    }

    /// The text of a success, without blanks around it.
    pub(crate) fn text(&self, what: &str) -> Result<&str, AuthError> {
        if !self.status.is_success() {
            return Err(self.refusal(what, None));
        }
        std::str::from_utf8(&self.body).map(str::trim).map_err(|_| self.no_token())
    }

    /// What a refusal means. `code` is the vendor's word for it.
    pub(crate) fn refusal(&self, what: &str, code: Option<&str>) -> AuthError {
        let status = self.status.as_u16();
        let code = code.map(|code| format!(", {code}")).unwrap_or_default();
        if self.status.is_server_error() || matches!(status, 408 | 429) {
            return AuthError::unavailable(format!("{} gives out no tokens now (status {status}{code})", self.host));
        }
        AuthError::refused(format!("{} refused {what} (status {status}{code}); check it", self.host))
    }

    /// An answer that should hold a token and does not.
    pub(crate) fn no_token(&self) -> AuthError {
        AuthError::unavailable(format!("{} sent an answer without a token", self.host))
    }

    /// The vendor's word for what went wrong (RFC 6749 §5.2, and what others make of it).
    pub(crate) fn code(&self) -> Option<String> {
        let body: Value = serde_json::from_slice(&self.body).ok()?;
        let oauth = body["error"].as_str().map(|code| match entra_code(&body) {
            Some(number) => format!("{code} {number}"),
            None => code.to_owned(),
        });
        let code = oauth.or_else(|| body["error"]["status"].as_str().map(str::to_owned)).or_else(|| {
            ["errorCode", "code", "Code"].into_iter().find_map(|name| body[name].as_str().map(str::to_owned))
        })?;
        // Only what looks like a code: sentences may repeat what was sent.
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b' ');
        (code.len() <= 64 && code.bytes().all(plain)).then_some(code)
    }

    /// For how long something is given that ends at a time on the server's clock.
    pub(crate) fn until(&self, end: SystemTime, clock: Clock) -> Duration {
        let now = skew::date(&self.headers).unwrap_or_else(|| clock.now());
        end.duration_since(now).unwrap_or_default()
    }
}

/// Entra's number of an error, which stands at the beginning of its description.
fn entra_code(body: &Value) -> Option<&str> {
    let first = body["error_description"].as_str()?.split(':').next()?;
    (first.starts_with("AADSTS") && first.len() <= 16).then_some(first)
}

/// Appends text as a part of a query or a form (RFC 3986's unreserved letters stay).
pub(crate) fn escape_into(out: &mut String, text: &str) {
    percent::encode_into(out, text, b"");
}

/// A header's value that is shown nowhere.
pub(crate) fn sensitive(text: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::try_from(text).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// Puts a secret among a question's headers.
pub(crate) fn with_header(
    mut request: Request<RequestBody>,
    name: &'static str,
    value: &str,
) -> Result<Request<RequestBody>, AuthError> {
    let value = sensitive(value).ok_or_else(|| {
        AuthError::refused(format!("what is to be sent as `{name}` holds characters that cannot stand in a header"))
    })?;
    request.headers_mut().insert(HeaderName::from_static(name), value);
    Ok(request)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(status: u16, body: &str) -> Said {
        let body = Zeroizing::new(body.as_bytes().to_vec());
        let status = StatusCode::from_u16(status).unwrap();
        Said { status, headers: HeaderMap::new(), body, host: "tokens.example".to_owned() }
    }

    #[test]
    fn a_refusal_is_told_in_our_words_and_the_vendors_code() {
        for (body, code) in [
            (r#"{"error":"invalid_grant","error_description":"Invalid JWT: sk-secret"}"#, "invalid_grant"),
            (
                r#"{"error":"invalid_client","error_description":"AADSTS7000215: Invalid client secret"}"#,
                "invalid_client AADSTS7000215",
            ),
            (r#"{"errorCode":"BXNIM0415E","errorMessage":"Provided API key could not be found."}"#, "BXNIM0415E"),
            (r#"{"error":{"code":403,"status":"PERMISSION_DENIED"}}"#, "PERMISSION_DENIED"),
        ] {
            let error = said(400, body).json("the key").unwrap_err();
            assert_eq!(error.code, gw_core::ErrorCode::ProviderCredentialRefused);
            assert_eq!(*error.message, *format!("tokens.example refused the key (status 400, {code}); check it"));
        }
        let shouted = said(400, r#"{"error":"you sent <sk-secret>"}"#).json("the key").unwrap_err();
        assert!(!shouted.message.contains("sk-secret"), "{shouted}");
    }

    #[test]
    fn a_server_that_is_down_or_busy_refuses_nothing() {
        for status in [429, 500, 503] {
            let error = said(status, "").json("the key").unwrap_err();
            assert_eq!(error.code, gw_core::ErrorCode::ProviderCredentialUnavailable);
        }
        let error = said(200, "<html>").json("the key").unwrap_err();
        assert_eq!(error.code, gw_core::ErrorCode::ProviderCredentialUnavailable);
    }
}
