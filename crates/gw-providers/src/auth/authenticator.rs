//! What each request gets that is not the same for all, and what is learnt from the answers.

use std::rc::Rc;
use std::sync::Arc;

use gw_http::{Pools, RequestBody};
use gw_runtime::Clock;
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderName, HeaderValue, Request, StatusCode, Uri, header};
use zeroize::Zeroizing;

use super::aws::{self, KeySource, Keys, Signer};
use super::renewed::Renewed;
use super::{AuthError, exchange};
use crate::attempt::Destination;

/// Authenticates requests one by one.
pub struct Authenticator(pub(super) Method);

/// How each request is authenticated.
pub(super) enum Method {
    Query {
        name: String,
        value: Zeroizing<String>,
    },
    Aws(Signer),
    Token {
        held: Arc<Renewed<HeaderValue>>,
        beside: Option<(HeaderName, HeaderValue)>,
        /// What the credential must be allowed to do.
        hint: &'static str,
    },
}

/// What a request was given, so that it can be taken back.
pub struct Used(Secret);

enum Secret {
    Constant,
    Keys(Keys),
    Token(HeaderValue),
}

impl Authenticator {
    /// Authenticates a request that is complete but for that. Waits only where a token is needed and none is held.
    ///
    /// # Errors
    /// Why it cannot be done.
    pub async fn authorize(
        &self,
        destination: &Destination,
        pools: &Rc<Pools>,
        clock: Clock,
        request: &mut Request<RequestBody>,
    ) -> Result<Used, AuthError> {
        match &self.0 {
            Method::Query { name, value } => add_to_query(request, name, value)?,
            Method::Aws(signer) => {
                let Destination::Origin(origin) = destination else { return Ok(Used(Secret::Constant)) };
                if request.body().is_flowing() {
                    return Err(AuthError::unsignable());
                }
                let keys = match &signer.keys {
                    KeySource::Given(keys) => keys.clone(),
                    KeySource::Renewed(held) => held.get(pools, clock).await?,
                };
                aws::sigv4::sign(request, &origin.host_header, &keys, &signer.scope, signer.skew.now(clock));
                return Ok(Used(Secret::Keys(keys)));
            }
            Method::Token { held, beside, .. } => {
                let token = held.get(pools, clock).await?;
                request.headers_mut().insert(header::AUTHORIZATION, token.clone());
                if let Some((name, value)) = beside {
                    request.headers_mut().insert(name.clone(), value.clone());
                }
                return Ok(Used(Secret::Token(token)));
            }
        }
        Ok(Used(Secret::Constant))
    }

    /// Whether another try may be authenticated in another way than the one before: with a fresh token, at the provider's
    /// time.
    pub fn is_renewed(&self) -> bool {
        matches!(self.0, Method::Aws(_) | Method::Token { .. })
    }

    /// Learns from the head of an answer: whoever is refused fetches a new token the next time, and looks at the clock. Says
    /// whether it was refused for what the next try does not say again.
    pub fn answered(&self, used: &Used, status: StatusCode, headers: &HeaderMap, clock: Clock) -> bool {
        if !matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) {
            return false;
        }
        match (&self.0, &used.0) {
            (Method::Token { held, .. }, Secret::Token(token)) => held.invalidate(token),
            (Method::Aws(signer), Secret::Keys(keys)) => {
                // Keys are not to blame for a wrong clock.
                if signer.skew.learn(headers, clock) {
                    return true;
                }
                match &signer.keys {
                    KeySource::Renewed(held) => held.invalidate(keys),
                    KeySource::Given(_) => false,
                }
            }
            _ => false,
        }
    }

    /// Tells the secrets that a request was authenticated with: they must not come back to anybody.
    pub fn secrets(&self, used: &Used, mut each: impl FnMut(&str)) {
        let mut header = |value: &HeaderValue| value.to_str().into_iter().for_each(&mut each);
        match (&self.0, &used.0) {
            (Method::Token { beside, .. }, Secret::Token(token)) => {
                header(token);
                beside.iter().for_each(|(_, value)| header(value));
            }
            (Method::Query { value, .. }, _) => each(value),
            (Method::Aws(_), Secret::Keys(keys)) => {
                keys.session_token.iter().chain([&keys.secret_access_key]).for_each(|secret| each(secret));
            }
            _ => {}
        }
    }

    /// What a person should know where the provider refuses the credential.
    pub fn hint(&self) -> Option<String> {
        match &self.0 {
            Method::Aws(signer) => Some(signer.skew.told().unwrap_or_else(|| aws::PERMISSIONS.to_owned())),
            Method::Token { hint, .. } => Some((*hint).to_owned()),
            Method::Query { .. } => None,
        }
    }
}

/// Adds a key to the request's query.
fn add_to_query(request: &mut Request<RequestBody>, name: &str, value: &str) -> Result<(), AuthError> {
    let uri = request.uri();
    let mut text = Zeroizing::new(uri.path_and_query().map(PathAndQuery::to_string).unwrap_or_default());
    text.push(if uri.query().is_some() { '&' } else { '?' });
    exchange::escape_into(&mut text, name);
    text.push('=');
    exchange::escape_into(&mut text, value);
    let path = PathAndQuery::try_from(text.as_str());
    *request.uri_mut() = Uri::from(path.map_err(|_| AuthError::refused("the key cannot stand in a query"))?);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_in_the_query_is_escaped_and_stands_behind_what_is_there() {
        for (path, wanted) in [("/v1/chat", "/v1/chat?key=a%26b"), ("/v1/chat?alt=sse", "/v1/chat?alt=sse&key=a%26b")] {
            let mut request = Request::new(RequestBody::empty());
            *request.uri_mut() = path.parse().unwrap();
            add_to_query(&mut request, "key", "a&b").unwrap();
            assert_eq!(request.uri().to_string(), wanted);
        }
    }
}
