//! Amazon's Signature Version 4: pure, given the time.
//!
//! The path is signed as it is sent and encoded once more (`%3A` becomes `%253A`), which every service but S3 wants; the
//! query is signed as it is sent. Checked against botocore.

use std::fmt::Write as _;
use std::time::SystemTime;

use gw_http::RequestBody;
use http::{HeaderName, HeaderValue, Request, header};
use ring::digest::{Context, SHA256};
use ring::hmac::{self, HMAC_SHA256};
use zeroize::Zeroizing;

use super::Keys;
use crate::auth::exchange::sensitive;
use crate::auth::timestamp;

const AMZ_DATE: HeaderName = HeaderName::from_static("x-amz-date");
const AMZ_CONTENT_SHA256: HeaderName = HeaderName::from_static("x-amz-content-sha256");
const AMZ_SECURITY_TOKEN: HeaderName = HeaderName::from_static("x-amz-security-token");

/// What a signature is good for, besides the day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Scope {
    pub(crate) region: String,
    pub(crate) service: String,
}

/// Signs a request whose URI is a path, as it is: nothing of it may change afterwards but headers that are not signed.
/// Signed are `host`, `content-type` and all that begin with `x-amz-`.
pub(crate) fn sign(request: &mut Request<RequestBody>, host: &HeaderValue, keys: &Keys, scope: &Scope, at: SystemTime) {
    let time = timestamp::basic(at);
    let mut body = Context::new(&SHA256);
    request.body().pieces().for_each(|piece| body.update(piece));
    let body = hex(body.finish().as_ref());

    let headers = request.headers_mut();
    headers.remove(header::AUTHORIZATION);
    headers.remove(AMZ_SECURITY_TOKEN);
    // Digits and letters alone: it cannot fail.
    let plain = |text: &str| HeaderValue::try_from(text).unwrap_or_else(|_| HeaderValue::from_static(""));
    headers.insert(AMZ_DATE, plain(&time));
    headers.insert(AMZ_CONTENT_SHA256, plain(&body));
    if let Some(token) = keys.session_token.as_ref().and_then(|token| sensitive(token)) {
        headers.insert(AMZ_SECURITY_TOKEN, token);
    }

    let (signed, canonical) = canonical_request(request, host, &body);
    let day = &time[..8];
    let Scope { region, service } = scope;
    let scope = format!("{day}/{region}/{service}/aws4_request");
    let canonical = hex(ring::digest::digest(&SHA256, canonical.as_bytes()).as_ref());
    let text = format!("AWS4-HMAC-SHA256\n{time}\n{scope}\n{canonical}");
    let signature = hex(mac(&key(&keys.secret_access_key, [day, region, service]), text.as_bytes()).as_ref());
    let id = &*keys.access_key_id;
    let value = format!("AWS4-HMAC-SHA256 Credential={id}/{scope}, SignedHeaders={signed}, Signature={signature}");
    if let Some(value) = sensitive(&value) {
        request.headers_mut().insert(header::AUTHORIZATION, value);
    }
}

/// The names of the signed headers, and the request as it is signed.
fn canonical_request(request: &Request<RequestBody>, host: &HeaderValue, body: &str) -> (String, String) {
    let is_signed = |name: &&HeaderName| **name == header::CONTENT_TYPE || name.as_str().starts_with("x-amz-");
    let mut names: Vec<&str> = request.headers().keys().filter(is_signed).map(HeaderName::as_str).collect();
    names.push("host");
    names.sort_unstable();
    let mut headers = Zeroizing::new(String::new());
    for name in &names {
        let values: Vec<_> = match *name {
            "host" => vec![text(host)],
            name => request.headers().get_all(name).iter().map(text).collect(),
        };
        // Writing to a string cannot fail.
        let _ = writeln!(headers, "{name}:{}", values.join(","));
    }
    let signed = names.join(";");
    let uri = request.uri();
    let canonical = format!(
        "{}\n{}\n{}\n{}\n{signed}\n{body}",
        request.method(),
        canonical_path(uri.path()),
        canonical_query(uri.query().unwrap_or_default()),
        *headers,
    );
    (signed, canonical)
}

/// Without dots and empty parts, and encoded once more than it is sent.
fn canonical_path(path: &str) -> String {
    let mut parts = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    let mut out = String::with_capacity(path.len() + 16);
    for part in &parts {
        out.push('/');
        crate::auth::exchange::escape_into(&mut out, part);
    }
    if parts.is_empty() || path.ends_with('/') {
        out.push('/');
    }
    out
}

fn canonical_query(query: &str) -> String {
    let mut pairs: Vec<(&str, &str)> = query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .collect();
    pairs.sort_unstable();
    pairs.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("&")
}

/// A header's value with its blanks made one each.
fn text(value: &HeaderValue) -> String {
    String::from_utf8_lossy(value.as_bytes()).split_ascii_whitespace().collect::<Vec<_>>().join(" ")
}

/// The key for a day, a region and a service.
fn key(secret: &str, scope: [&str; 3]) -> hmac::Key {
    let first = Zeroizing::new(format!("AWS4{secret}"));
    let mut key = hmac::Key::new(HMAC_SHA256, first.as_bytes());
    for part in scope.into_iter().chain(["aws4_request"]) {
        key = hmac::Key::new(HMAC_SHA256, mac(&key, part.as_bytes()).as_ref());
    }
    key
}

fn mac(key: &hmac::Key, text: &[u8]) -> hmac::Tag {
    hmac::sign(key, text)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut out, byte| {
        let _ = write!(out, "{byte:02x}");
        out
    })
}

#[cfg(test)]
#[path = "sigv4_tests.rs"]
mod tests;
