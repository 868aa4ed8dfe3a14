//! What every attempt has in common, whatever it says: who we are to the provider, the exchange, and what is learnt from
//! its head.

use gw_core::{Error, ErrorCode};
use gw_http::RequestBody;
use gw_providers::attempt::{self, Answer};
use gw_providers::auth::{AuthError, Authenticator, Used};
use http::{HeaderMap, HeaderName, Request, Response, StatusCode};
use tokio::time::{Instant, timeout_at};

use crate::dispatch::{Attempt, AttemptCredential};
use crate::engine::Ports;
use crate::meter::Meter;
use crate::snapshot::Provider;

/// Where providers say their own id of the exchange: OpenAI's and most, Anthropic's, Amazon's.
const PROVIDER_REQUEST_IDS: [HeaderName; 3] = [
    HeaderName::from_static("x-request-id"),
    HeaderName::from_static("request-id"),
    HeaderName::from_static("x-amzn-requestid"),
];

impl Attempt<'_> {
    /// Authenticates a request that is complete but for that, sends it, and waits for the head of the answer.
    pub(crate) async fn send(
        &self,
        request: Box<Request<RequestBody>>,
        meter: &mut Meter,
    ) -> Result<Response<Answer>, Error> {
        let response = match self.authenticator() {
            None => {
                meter.attempt();
                self.transmitted(request, None).await?
            }
            // Rarer, and larger: it does not weigh on the futures of all others.
            Some(authenticator) => {
                Box::pin(self.sent_authenticated(authenticator, request, || meter.attempt())).await?
            }
        };
        meter.answered(provider_request_id(response.headers()));
        Ok(response)
    }

    /// The same for one of several calls that are one attempt.
    pub(crate) async fn exchanged(&self, request: Box<Request<RequestBody>>) -> Result<Response<Answer>, Error> {
        match self.authenticator() {
            None => self.transmitted(request, None).await,
            Some(authenticator) => Box::pin(self.sent_authenticated(authenticator, request, || ())).await,
        }
    }

    /// Authenticates a request and sends it; once more, if the credential was refused and there is another now: a token
    /// may be refused before its time is over.
    async fn sent_authenticated(
        &self,
        authenticator: &Authenticator,
        mut request: Box<Request<RequestBody>>,
        mut sending: impl FnMut(),
    ) -> Result<Response<Answer>, Error> {
        let mut again = if authenticator.is_renewed() { copy(&request) } else { None };
        loop {
            let used = self.authenticated(&mut request).await?;
            sending();
            let response = self.transmitted(request, used.as_ref()).await?;
            let is_accepted = self.accepted(used, response.status(), response.headers());
            match again.take() {
                Some(copy) if !is_accepted => request = copy,
                Some(_) | None => return Ok(response),
            }
        }
    }

    fn authenticator(&self) -> Option<&Authenticator> {
        match &self.credential {
            AttemptCredential::Configured => self.resolved.choice.provider.authenticator.as_deref(),
            AttemptCredential::Client(..) => None,
        }
    }

    /// Authenticates a request that is complete but for that.
    pub(crate) async fn authenticated(
        &self,
        request: &mut Request<RequestBody>,
    ) -> Result<Option<(&Authenticator, Used)>, Error> {
        Ok(match self.authenticator() {
            // Where it is needed it is large: it does not weigh on the futures of all others.
            Some(authenticator) => {
                let provider = &self.resolved.choice.provider;
                let authorizing = authorize(authenticator, provider, self.ports, self.deadline, request);
                Some((authenticator, Box::pin(authorizing).await?))
            }
            None => None,
        })
    }

    async fn transmitted(
        &self,
        request: Box<Request<RequestBody>>,
        used: Option<&(&Authenticator, Used)>,
    ) -> Result<Response<Answer>, Error> {
        let provider = &self.resolved.choice.provider;
        let sending = attempt::send(&provider.destination, &self.ports.pools, request, self.timeouts, self.deadline);
        let mut response = sending.await.map_err(|error| self.failed(&error))?;
        self.mask(&mut response, used);
        Ok(response)
    }

    /// Takes out of the head of a refusal whatever repeats the credential; its body is searched when it is read.
    pub(crate) fn mask(&self, response: &mut Response<Answer>, used: Option<&(&Authenticator, Used)>) {
        if !response.status().is_success() {
            let shown = self.shown(used);
            shown.mask_headers(response.headers_mut());
            response.extensions_mut().insert(shown);
        }
    }

    /// Learns from an answer whether the credential was accepted. Of one that was not, says so if the next is another.
    pub(crate) fn accepted(
        &self,
        used: Option<(&Authenticator, Used)>,
        status: StatusCode,
        headers: &HeaderMap,
    ) -> bool {
        used.is_none_or(|(authenticator, used)| !authenticator.answered(&used, status, headers, self.ports.clock))
    }

    /// Adds to a refused credential what is known of the reason.
    pub(crate) fn explained(&self, mut error: Error) -> Error {
        let is_own = matches!(self.credential, AttemptCredential::Configured);
        if error.code == ErrorCode::ProviderAuthentication
            && is_own
            && let Some(hint) = self.resolved.choice.provider.credential_hint()
        {
            error.message = format!("{}; {hint}", error.message).into();
        }
        error
    }
}

/// Authenticates a request to a provider that is complete but for that.
pub(crate) async fn authorize(
    authenticator: &Authenticator,
    provider: &Provider,
    ports: &Ports,
    deadline: Instant,
    request: &mut Request<RequestBody>,
) -> Result<Used, Error> {
    let authorizing = authenticator.authorize(&provider.destination, &ports.pools, ports.clock, request);
    match timeout_at(deadline, authorizing).await {
        Ok(authorized) => authorized.map_err(|error| unauthorized(&provider.name, &error)),
        Err(_) => {
            let message = format!("no token for provider \"{}\" came within the request's total time", provider.name);
            Err(Error::new(ErrorCode::DeadlineExceeded, message))
        }
    }
}

/// The provider's own id of the exchange.
pub(crate) fn provider_request_id(headers: &HeaderMap) -> Option<&str> {
    let found = PROVIDER_REQUEST_IDS.iter().find_map(|name| headers.get(name));
    found.and_then(|value| value.to_str().ok())
}

/// A request that could not be authenticated: the provider was not asked.
fn unauthorized(provider: &str, error: &AuthError) -> Error {
    let told = Error::new(error.code, format!("provider \"{provider}\" was not asked: {error}"));
    match error.retry_after {
        Some(after) => told.with_retry_after(after),
        None => told,
    }
}

/// A request, as far as it can be sent twice.
fn copy(request: &Request<RequestBody>) -> Option<Box<Request<RequestBody>>> {
    let mut copy = Box::new(Request::new(request.body().again()?));
    *copy.method_mut() = request.method().clone();
    *copy.uri_mut() = request.uri().clone();
    *copy.headers_mut() = request.headers().clone();
    Some(copy)
}
