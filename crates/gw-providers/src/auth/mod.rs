//! How requests to providers are authenticated. Read in this order: `credential` (from what is configured to what
//! requests get), `fields` (what may be written), `authenticator` (what each request gets), here (the list of ways), then
//! the ways: `aws`, `google`, `azure`, `ibm`. What they share: `renewed` (tokens that
//! run out), `exchange` (asking for them), `skew` (wrong clocks), `timestamp`.
//!
//! **Invariants.**
//! - A constant header is among the provider's headers and costs nothing more here; everything else is an
//!   [`Authenticator`], which all workers and all snapshots with the same credential share.
//! - No secret in a message, a log, a `Debug`; headers that carry one are marked as sensitive.
//! - Where a token is asked for is the vendor's address, or one that the operator names. Pasted JSON names no other.

mod authenticator;
mod aws;
mod azure;
mod credential;
mod error;
mod exchange;
mod fields;
mod google;
mod ibm;
mod known;
mod renewed;
mod skew;
#[cfg(test)]
mod tests;
mod timestamp;

use std::fs;
use std::io::{self, Read as _};
use std::path::Path;

use http::{HeaderName, HeaderValue, header};
use zeroize::Zeroizing;

use crate::catalog::{Auth, AuthWay};
use authenticator::Method;
use fields::Fields;

pub use authenticator::{Authenticator, Used};
pub use credential::{Credential, Ready, Settings};
pub use error::{AuthError, WrongCredential};
pub use exchange::Surroundings;
pub use known::Authenticators;

/// A file with a token or a credential is a few kilobytes.
const FILE_BYTES_MAX: u64 = 64 << 10;

/// A way, prepared.
enum Way {
    /// The same header for every request.
    Fixed { name: HeaderName, value: HeaderValue, hint: Option<String> },
    /// Something of each request's own.
    Each(Method),
}

/// What a way is prepared with.
struct Wanted<'a> {
    fields: &'a Fields,
    from_metadata: bool,
    region: Option<&'a str>,
    ambient_region: Option<&'a str>,
    /// The provider's host, if it is known.
    host: Option<&'a str>,
}

/// The ways, one line each: how a way is prepared.
fn way(auth: &Auth, wanted: &Wanted<'_>, around: &Surroundings<'_>) -> Result<Way, WrongCredential> {
    let key =
        || wanted.fields.get("api_key").ok_or_else(|| WrongCredential::new("the credential has no `api_key`; add it"));
    let fixed = |name: HeaderName, prefix: &str| {
        let (name, value) = fixed_header(name, prefix, key()?)?;
        Ok(Way::Fixed { name, value, hint: None })
    };
    match &auth.way {
        AuthWay::Bearer | AuthWay::None => fixed(header::AUTHORIZATION, "Bearer "),
        AuthWay::Header(name) => fixed(name.clone(), ""),
        AuthWay::Query(name) => Ok(Way::Each(Method::Query { name: name.clone(), value: key()?.to_owned().into() })),
        AuthWay::Aws { service } => aws::method(wanted, service, around),
        AuthWay::Google => google::method(wanted, around),
        AuthWay::Azure(key_header) => azure::method(wanted, key_header, around),
        AuthWay::Ibm => ibm::method(wanted, around),
    }
}

/// The ways, one line each: which fields a way has.
fn known_fields(way: &AuthWay) -> &'static [&'static str] {
    match way {
        AuthWay::Aws { .. } => aws::FIELDS,
        AuthWay::Google => google::FIELDS,
        AuthWay::Azure(_) => azure::FIELDS,
        AuthWay::Ibm => ibm::FIELDS,
        AuthWay::Bearer | AuthWay::Header(_) | AuthWay::Query(_) | AuthWay::None => &[],
    }
}

fn fixed_header(name: HeaderName, prefix: &str, key: &str) -> Result<(HeaderName, HeaderValue), WrongCredential> {
    let text = Zeroizing::new(format!("{prefix}{key}"));
    let value = exchange::sensitive(&text).filter(|_| key.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' '));
    let value = value.ok_or_else(|| {
        WrongCredential::new(
            "the api_key holds characters that cannot stand in a header; is it the right file or variable?",
        )
    })?;
    Ok((name, value))
}

/// A token in a file that somebody else keeps fresh, such as a cluster. It is read each time, which is once in an hour,
/// from memory: so little that it may be done between two requests.
fn read_token_file(path: &str) -> Result<Zeroizing<String>, AuthError> {
    let wrong = |what: &str| AuthError::unavailable(format!("its token file {path} {what}"));
    let text = read_small_file(Path::new(path)).map_err(|error| wrong(&format!("cannot be read: {}", error.kind())))?;
    match text.trim() {
        "" => Err(wrong("holds no token")),
        token => Ok(Zeroizing::new(token.to_owned())),
    }
}

/// A file of a size that credentials have; what is no file, such as a pipe, is not opened.
fn read_small_file(path: &Path) -> io::Result<Zeroizing<String>> {
    if !fs::metadata(path)?.is_file() {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    let mut text = Zeroizing::new(String::new());
    fs::File::open(path)?.take(FILE_BYTES_MAX + 1).read_to_string(&mut text)?;
    if text.len() as u64 > FILE_BYTES_MAX { Err(io::ErrorKind::FileTooLarge.into()) } else { Ok(text) }
}
