//! Credentials that a provider repeats in an error: they are masked wherever they stand, before anybody reads it. Answers
//! that went well are not searched.

use bytes::{Bytes, BytesMut};
use gw_config::secret::Secret;
use gw_core::Error;
use gw_providers::auth::{Authenticator, Used};
use http::{HeaderMap, HeaderValue};
use memchr::memmem;

use crate::dispatch::{Attempt, AttemptCredential};

/// What stands in the place of a credential.
const MASK: &[u8] = b"***";
/// Shorter values are no secrets that could be told apart from words.
const BYTES_MIN: usize = 8;
/// What may stand before a credential in a header.
const SCHEMES: [&str; 6] = ["bearer ", "basic ", "token ", "api-key ", "key ", "apikey "];

/// The secrets that a provider was shown with one request.
#[derive(Clone)]
pub(crate) struct Shown(Vec<Secret>);

impl Attempt<'_> {
    /// What the provider was shown: constant headers, the caller's own key, and what the request was authenticated with.
    pub(crate) fn shown(&self, used: Option<&(&Authenticator, Used)>) -> Shown {
        let constant = self.resolved.choice.provider.headers.values().filter(|value| value.is_sensitive());
        let callers = match &self.credential {
            AttemptCredential::Client(_, value) => Some(value),
            AttemptCredential::Configured => None,
        };
        let mut secrets = Vec::new();
        let mut add = |text: &str| secrets.push(Secret::new(text.to_owned()));
        constant.chain(callers).filter_map(|value| value.to_str().ok()).for_each(&mut add);
        if let Some((authenticator, used)) = used {
            authenticator.secrets(used, &mut add);
        }
        Shown(secrets)
    }
}

impl Shown {
    /// The same bytes, the secrets masked; `None` if there are none in them.
    pub(crate) fn masked(&self, text: &[u8]) -> Option<Bytes> {
        let mut masked: Option<BytesMut> = None;
        for secret in
            self.0.iter().map(|secret| bare(secret.expose()).as_bytes()).filter(|secret| secret.len() >= BYTES_MIN)
        {
            let text = masked.as_deref().unwrap_or(text);
            let mut whole = BytesMut::new();
            let mut rest = 0;
            for at in memmem::find_iter(text, secret) {
                whole.extend_from_slice(&text[rest..at]);
                whole.extend_from_slice(MASK);
                rest = at + secret.len();
            }
            if rest > 0 {
                whole.extend_from_slice(&text[rest..]);
                masked = Some(whole);
            }
        }
        masked.map(BytesMut::freeze)
    }

    /// An error whose message may repeat what a provider said.
    pub(crate) fn masked_in(&self, mut error: Error) -> Error {
        if let Some(masked) = self.masked(error.message.as_bytes()) {
            error.message = String::from_utf8_lossy(&masked).into_owned().into();
        }
        error
    }

    /// Masks the secrets in headers.
    pub(crate) fn mask_headers(&self, headers: &mut HeaderMap) {
        for value in headers.values_mut() {
            if let Some(masked) = self.masked(value.as_bytes()) {
                *value = HeaderValue::from_bytes(&masked).unwrap_or(HeaderValue::from_static("***"));
            }
        }
    }
}

/// A header's value without its scheme.
fn bare(value: &str) -> &str {
    let scheme =
        SCHEMES.iter().find(|scheme| value.get(..scheme.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(scheme)));
    scheme.map_or(value, |scheme| value[scheme.len()..].trim_start())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(secrets: &[&str]) -> Shown {
        Shown(secrets.iter().map(|secret| Secret::new((*secret).to_owned())).collect())
    }

    #[test]
    fn every_secret_is_masked_wherever_it_stands_and_nothing_else() {
        let shown = shown(&["Bearer sk-operators-key", "session-token", "k"]);
        let masked = |text: &str| shown.masked(text.as_bytes()).map(|bytes| String::from_utf8(bytes.to_vec()).unwrap());
        let said = r#"{"a":"sk-operators-key","b":"xsk-operators-keysk-operators-key","c":"session-token"}"#;
        assert_eq!(masked(said).as_deref(), Some(r#"{"a":"***","b":"x******","c":"***"}"#));
        assert_eq!(masked("Bearer knows the key of another: sk-operators"), None);
    }

    #[test]
    fn headers_are_masked_too() {
        let mut headers = HeaderMap::new();
        headers.insert("x-request-id", HeaderValue::from_static("for sk-operators-key"));
        headers.insert("x-other", HeaderValue::from_static("other"));
        shown(&["sk-operators-key"]).mask_headers(&mut headers);
        assert_eq!(headers["x-request-id"], "for ***");
        assert_eq!(headers["x-other"], "other");
    }
}
