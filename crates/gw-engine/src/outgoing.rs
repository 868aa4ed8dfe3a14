//! The request as a provider gets it: its path, its headers, and a body that was written for it.

use bytes::Bytes;
use gw_core::{Error, ErrorCode};
use gw_dialects::chat::Encoded;
use gw_dialects::envelope::Letter;
use gw_dialects::{DialectId, anthropic_messages, edit, request};
use gw_http::RequestBody;
use gw_providers::catalog::DialectEntry;
use gw_providers::quirks;
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, header};

use crate::dispatch::{Attempt, AttemptCredential};
use crate::engine::Call;
use crate::meter::Meter;
use crate::openrouter;
use crate::prefill;
use crate::refusal::not_spoken;
use crate::snapshot::Provider;

/// What of a client's headers a provider is told. Everything else stays here: cookies, the gateway's key, addresses.
pub(crate) const FORWARDED: [HeaderName; 6] = [
    header::ACCEPT,
    header::USER_AGENT,
    HeaderName::from_static("idempotency-key"),
    HeaderName::from_static("openai-beta"),
    HeaderName::from_static("traceparent"),
    HeaderName::from_static("tracestate"),
];
/// What is told besides where the client's own key is used: these belong to the account of the key.
pub(crate) const FORWARDED_WITH_KEY: [HeaderName; 2] =
    [HeaderName::from_static("openai-organization"), HeaderName::from_static("openai-project")];

/// What is told besides where Anthropic's format goes through: which of its versions the client speaks.
pub(crate) const FORWARDED_ANTHROPIC: [HeaderName; 2] = [ANTHROPIC_VERSION, HeaderName::from_static("anthropic-beta")];
const ANTHROPIC_VERSION: HeaderName = HeaderName::from_static(anthropic_messages::VERSION_HEADER);

impl Attempt<'_> {
    /// A request that was written for the provider. The meter is told what the catalogue leaves out.
    pub(crate) fn outgoing(
        &self,
        dialect: DialectId,
        entry: &DialectEntry,
        encoded: Encoded,
        stream: bool,
        call: &Call<'_>,
        mut meter: Option<&mut Meter>,
    ) -> Result<Box<Request<RequestBody>>, Error> {
        let provider = &self.resolved.choice.provider;
        let endpoint = provider.endpoint(dialect).ok_or_else(|| not_spoken(provider, call))?;
        let model = &self.resolved.choice.model;
        let path = match entry.envelope {
            Some(envelope) => path_behind(endpoint, &envelope.path(model, stream))?,
            None if dialect.names_model_in_path() => path_behind(endpoint, &encoded.path)?,
            None => {
                let goes_on = meter.as_ref().is_some_and(|meter| meter.goes_on());
                let elsewhere = goes_on.then(|| prefill::path(provider, dialect, entry)).flatten();
                elsewhere.unwrap_or_else(|| endpoint.clone())
            }
        };
        let mut headers = self.headers(provider, call, dialect);
        for (name, value) in encoded.headers {
            headers.insert(name, value);
        }
        let body = Bytes::from(encoded.body);
        let body = if dialect.is_plain_openai() {
            // Providers that imitate OpenAI differ from it in the same ways, whoever wrote the request.
            let head = request::scan(dialect, &body)?;
            if let Some(meter) = &mut meter {
                meter.dropped(quirks::dropped(&entry.quirks, &head, &body));
            }
            let edits = quirks::edits(&entry.quirks, &head, &body).collect();
            edit::apply(&body, edits)
        } else if let Some(envelope) = entry.envelope {
            let head = request::scan(dialect, &body)?;
            let edits = edit::Edits::new();
            let mut letter = Letter { model, stream, head: &head, body: &body, edits, headers: &mut headers };
            envelope.wrap(&mut letter);
            let edits = letter.edits;
            edit::apply(&body, edits)
        } else {
            edit::Segments::from_iter([body])
        };
        let body = RequestBody::held(self.configured(call, body, meter)?);
        Ok(of(Method::POST, path, headers, body))
    }

    /// The headers of a request in that dialect.
    pub(crate) fn headers(&self, provider: &Provider, call: &Call<'_>, dialect: DialectId) -> HeaderMap {
        let client = call.headers;
        let mut headers = HeaderMap::with_capacity(16);
        let with_key: &[HeaderName] = match &self.credential {
            AttemptCredential::Configured => &[],
            AttemptCredential::Client(..) => &FORWARDED_WITH_KEY,
        };
        // What Anthropic's clients say of the version is for those who speak it.
        let of_dialect: &[HeaderName] = match dialect {
            DialectId::AnthropicMessages | DialectId::AnthropicCountTokens if call.dialect == dialect => {
                &FORWARDED_ANTHROPIC
            }
            _ => &[],
        };
        if dialect.chat() == DialectId::AnthropicMessages {
            headers.insert(ANTHROPIC_VERSION, HeaderValue::from_static(anthropic_messages::VERSION));
        }
        let of_router: &[HeaderName] = if openrouter::is(provider) { &openrouter::FORWARDED } else { &[] };
        for name in FORWARDED.iter().chain(with_key).chain(of_dialect).chain(of_router) {
            if let Some(value) = client.get(name) {
                headers.insert(name.clone(), value.clone());
            }
        }
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        // A compressed answer could not be searched for usage.
        headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        for (name, value) in &provider.headers {
            headers.insert(name.clone(), value.clone());
        }
        if let AttemptCredential::Client(name, value) = &self.credential {
            headers.insert(name.clone(), value.clone());
        }
        headers
    }
}

/// A request of these parts. In a box: it is moved through many futures, which would each have room for it.
pub(crate) fn of(
    method: Method,
    path: PathAndQuery,
    headers: HeaderMap,
    body: RequestBody,
) -> Box<Request<RequestBody>> {
    let mut request = Box::new(Request::new(body));
    *request.method_mut() = method;
    *request.uri_mut() = path.into();
    *request.headers_mut() = headers;
    request
}

/// A path that names a model, behind the provider's own. A name must not lead to another place there.
pub(crate) fn path_behind(endpoint: &PathAndQuery, path: &str) -> Result<PathAndQuery, Error> {
    let wrong = || Error::new(ErrorCode::InvalidRequest, "the model's name cannot stand in a path").with_param("model");
    let names = path.split_once('?').map_or(path, |(path, _)| path);
    if names.split('/').any(|name| matches!(name.split(':').next(), Some("." | ".."))) {
        return Err(wrong());
    }
    PathAndQuery::try_from(format!("{}{path}", endpoint.path().trim_end_matches('/'))).map_err(|_| wrong())
}
