//! What a provider is sent of a request that is carried.

use gw_core::{Error, ErrorCode};
use gw_dialects::carried::{Carried, ModelPlace};
use gw_dialects::{edit, request};
use gw_http::RequestBody;
use gw_providers::quirks;
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderName, HeaderValue, Request, header};

use super::target::Target;
use super::{Asked, Body, RelayCall};
use crate::dispatch::{Attempt, AttemptCredential};
use crate::meter::Meter;
use crate::openrouter;
use crate::outgoing::{self, FORWARDED, FORWARDED_WITH_KEY};
use crate::routing::control;
use crate::snapshot::Provider;

/// What of a query is for the gateway: Google's clients put the key there.
const OWN_PARAMETERS: [&str; 4] = ["key", "provider", "model", "deployment"];

/// What of a client's headers a provider's own API is not told: what is about the connection (RFC 9110 §7.6.1), what our
/// own client writes, keys, cookies, and where the client comes from.
const NOT_TOLD: [HeaderName; 25] = [
    header::CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    header::PROXY_AUTHENTICATE,
    header::PROXY_AUTHORIZATION,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    header::CONTENT_LENGTH,
    header::EXPECT,
    header::HOST,
    header::ACCEPT_ENCODING,
    header::AUTHORIZATION,
    HeaderName::from_static("x-api-key"),
    HeaderName::from_static("x-goog-api-key"),
    HeaderName::from_static("api-key"),
    header::COOKIE,
    header::ORIGIN,
    header::REFERER,
    header::FORWARDED,
    header::VIA,
    HeaderName::from_static("x-provider"),
    HeaderName::from_static("x-real-ip"),
    HeaderName::from_static("true-client-ip"),
];
/// The same, by how the names begin.
const NOT_TOLD_PREFIXES: [&str; 6] = ["x-forwarded-", "x-gateway-", "x-portkey-", "cf-aig-", "cf-connecting-", "sec-"];

impl Target {
    /// The request as the provider gets it.
    pub(crate) fn request(
        &self,
        attempt: &Attempt<'_>,
        call: &RelayCall<'_>,
        body: Body,
        meter: &mut Meter,
    ) -> Result<Box<Request<RequestBody>>, Error> {
        let provider = &self.resolved.choice.provider;
        let body = match body {
            Body::Empty => RequestBody::empty(),
            Body::Flow(inflow) => inflow.into(),
            Body::Form(form) => form.into_body(&self.resolved.choice.model),
            Body::Json(bytes, head) => {
                let entry = provider.entry.dialect(call.asked.dialect(), &self.resolved.choice.model);
                let quirks = entry.map(|entry| entry.quirks.as_slice()).unwrap_or_default();
                meter.dropped(quirks::dropped(quirks, &head, &bytes));
                let mut edits = edit::Edits::new();
                if !self.resolved.choice.model.is_empty() {
                    let model = edit::json_string(&self.resolved.choice.model);
                    edits.push(edit::set(&head, &bytes, "model", model));
                }
                edits.extend(request::remove_extensions(&head, &bytes));
                if meter.speaks_openrouter() {
                    openrouter::strip(provider, &head, &bytes, &mut edits, meter);
                }
                edits.extend(control::removals(&head, &bytes, openrouter::is(provider)));
                edits.extend(quirks::edits(quirks, &head, &bytes));
                RequestBody::held(edit::apply(&bytes, edits))
            }
        };
        Ok(outgoing::of(call.method.clone(), self.path.clone(), headers(attempt, call), body))
    }
}

/// The headers of a request, the provider's credential among them.
pub(crate) fn headers(attempt: &Attempt<'_>, call: &RelayCall<'_>) -> HeaderMap {
    let mut headers = match call.asked {
        Asked::Operation(_) => told(attempt, call),
        Asked::Raw { .. } => told_raw(call),
    };
    // A compressed answer could not be searched for usage.
    headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    for (name, value) in &attempt.resolved.choice.provider.headers {
        headers.insert(name.clone(), value.clone());
    }
    if let AttemptCredential::Client(name, value) = &attempt.credential {
        headers.insert(name.clone(), value.clone());
    }
    headers
}

/// Where the provider is asked.
pub(crate) fn path(provider: &Provider, call: &RelayCall<'_>, carried: Carried<'_>) -> Result<PathAndQuery, Error> {
    let endpoint = provider.endpoint(carried.dialect).ok_or_else(|| {
        let message = format!(
            "provider \"{}\" does not offer {} in this format; choose a model of another provider",
            provider.name,
            carried.dialect.operation().name()
        );
        Error::new(ErrorCode::InvalidRequest, message).with_param("model")
    })?;
    let in_path = matches!(carried.model, ModelPlace::Path(_));
    // Azure's clients say it with each request; other providers refuse what they do not know.
    let is_ours = |name: &str| OWN_PARAMETERS.contains(&name) || in_path && name == "api-version";
    joined(&format!("{}{}", endpoint.path(), carried.rest), call.query, is_ours)
}

/// Where a provider's own API is asked: below its origin, wherever its other paths begin.
pub(crate) fn raw_path(path: &str, query: Option<&str>) -> Result<PathAndQuery, Error> {
    joined(path, query, |name| name == "key")
}

fn joined(path: &str, query: Option<&str>, is_ours: impl Fn(&str) -> bool) -> Result<PathAndQuery, Error> {
    let name = |pair: &str| pair.split_once('=').map_or(pair, |(name, _)| name).to_owned();
    let pairs: Vec<&str> = query.unwrap_or_default().split('&').filter(|pair| !is_ours(&name(pair))).collect();
    let query = pairs.join("&");
    let whole = if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") };
    PathAndQuery::try_from(whole)
        .map_err(|_| Error::new(ErrorCode::InvalidRequest, "the path cannot be sent to a provider"))
}

fn told(attempt: &Attempt<'_>, call: &RelayCall<'_>) -> HeaderMap {
    let with_key: &[HeaderName] = match &attempt.credential {
        AttemptCredential::Configured => &[],
        AttemptCredential::Client(..) => &FORWARDED_WITH_KEY,
    };
    let is_router = openrouter::is(&attempt.resolved.choice.provider);
    let of_router: &[HeaderName] = if is_router { &openrouter::FORWARDED } else { &[] };
    let about_body = [header::CONTENT_TYPE, header::CONTENT_ENCODING, header::RANGE];
    let mut headers = HeaderMap::with_capacity(16);
    for name in FORWARDED.iter().chain(with_key).chain(of_router).chain(&about_body) {
        if let Some(value) = call.headers.get(name) {
            headers.insert(name.clone(), value.clone());
        }
    }
    headers
}

fn told_raw(call: &RelayCall<'_>) -> HeaderMap {
    // `connection` names further headers that are about the connection.
    let of_connection: Vec<String> = call
        .headers
        .get_all(header::CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(|name| name.trim().to_ascii_lowercase())
        .collect();
    let mut headers = HeaderMap::with_capacity(call.headers.len() + 4);
    for (name, value) in call.headers {
        let is_told = !NOT_TOLD.contains(name)
            && !NOT_TOLD_PREFIXES.iter().any(|prefix| name.as_str().starts_with(prefix))
            && !of_connection.iter().any(|listed| listed == name.as_str());
        if is_told {
            headers.append(name.clone(), value.clone());
        }
    }
    headers
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_in_the_query_stays_here_and_everything_else_goes_on_as_it_is() {
        let path = |query| raw_path("/v1beta/models/x:y", query).unwrap().to_string();
        assert_eq!(path(None), "/v1beta/models/x:y");
        assert_eq!(path(Some("key=secret")), "/v1beta/models/x:y");
        assert_eq!(path(Some("alt=sse&key=secret&pageToken=a%3Db")), "/v1beta/models/x:y?alt=sse&pageToken=a%3Db");
        assert_eq!(path(Some("keys=1&&x")), "/v1beta/models/x:y?keys=1&&x");
    }
}
