//! Operations that are carried rather than understood: files, audio, pictures, batches, and a provider's own API. Their
//! bodies flow both ways; of each request only the model's name is changed.
//!
//! [`Engine::relay`] tells the whole story. Its steps: `target` (which provider), `sent` (what it is sent), `answer` (the
//! way back). [`inflow`] and `form` are the body on its way up; [`homes`](Homes) is where what was made is found again.

mod answer;
mod form;
mod homes;
mod inflow;
pub(crate) mod sent;
mod target;

use std::rc::Rc;

use bytes::Bytes;
use gw_core::{Error, ErrorCode, Usage};
use gw_dialects::carried::{Carried, ModelPlace};
use gw_dialects::head::Head;
use gw_dialects::{DialectId, carried_counts};
use gw_http::RequestBody;
use gw_providers::attempt::{self, AttemptError, AttemptTimeouts};
use http::{HeaderMap, Method};

use crate::budget::Taken;
use crate::custom_cost;
use crate::dispatch::{self, Attempt};
use crate::engine::Engine;
use crate::meter::Meter;
use crate::reply::Reply;
use crate::routing::control::{self, Behind};
use crate::sending::provider_request_id;
use crate::snapshot::Snapshot;

use form::Form;
use homes::Asker;
pub use homes::Homes;
pub use inflow::{FlowState, Inflow};

/// What of a form is searched for its model's name, where that is said beside it.
const NAMED_BESIDE_BYTES_MAX: usize = 64 << 10;

/// A request that is carried.
pub struct RelayCall<'a> {
    /// What is asked for.
    pub asked: Asked<'a>,
    /// The method.
    pub method: &'a Method,
    /// The query, as it came.
    pub query: Option<&'a str>,
    /// The client's headers.
    pub headers: &'a HeaderMap,
    /// The key that the client presented, if it is not one of ours.
    pub foreign_key: Option<&'a str>,
    /// The provider that a header or the query names.
    pub provider: Option<&'a str>,
    /// The model that a header or the query names.
    pub model: Option<Box<str>>,
}

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked<'a> {
    /// An operation, as OpenAI says it.
    Operation(Carried<'a>),
    /// A call of a provider's own API.
    Raw {
        /// Name or type of the provider.
        provider: &'a str,
        /// The path there.
        path: &'a str,
    },
}

/// The body of a request that is carried.
pub enum RelayBody {
    /// JSON, read whole, and what of the budget of held bytes it takes.
    Json(Bytes, Box<Head>, Taken),
    /// A form, separated by this, whose model is looked for.
    Form(Inflow, Box<str>),
    /// Whatever it is: nothing in it is looked at.
    Flow(Inflow),
    /// None.
    Empty,
}

impl Asked<'_> {
    /// The dialect, for records and errors.
    pub fn dialect(&self) -> DialectId {
        match self {
            Self::Operation(carried) => carried.dialect,
            Self::Raw { .. } => DialectId::Raw,
        }
    }
}

impl Engine {
    /// Carries a request of a caller that is known.
    ///
    /// # Errors
    /// What the client is told instead.
    pub async fn relay(
        &self,
        snapshot: &Snapshot,
        mut call: RelayCall<'_>,
        body: RelayBody,
        meter: &mut Meter,
    ) -> Result<Reply, Error> {
        control::refuse_configuration(call.headers)?;
        let ports = self.ports();
        // Until the answer has begun: the request is in memory until then.
        let mut held = None;
        let body = match body {
            RelayBody::Form(inflow, boundary) => {
                let named = call.model.is_some() || matches!(call.place(), ModelPlace::Path(_));
                let bytes_max = if named { NAMED_BESIDE_BYTES_MAX } else { snapshot.body_bytes_max };
                Body::Form(Box::new(Form::read(inflow, &boundary, bytes_max, &ports.held_bytes).await?))
            }
            RelayBody::Json(bytes, head, taken) => {
                control::refuse_configuration_in(&head, &bytes)?;
                held = Some(taken);
                Body::Json(bytes, head)
            }
            RelayBody::Flow(inflow) => Body::Flow(inflow),
            RelayBody::Empty => Body::Empty,
        };
        call.model = self.model(&call, &body)?;
        meter.asked(call.model.as_deref(), body.asks_for_stream());
        let behind = Behind::take(snapshot, &mut call.model);

        let key_name = meter.key_name().cloned();
        let asker = Asker { key_name: key_name.as_ref(), shared: snapshot.relay.shared_storage };
        let mut target = self.target(snapshot, &call, &body, asker)?;
        behind.follow(self, snapshot, call.asked.dialect().operation(), &mut target.resolved, meter)?;
        meter.resolve(&target.resolved);
        custom_cost::priced_by_caller(call.headers, snapshot, meter)?;
        let credential = dispatch::credential(&target.resolved.choice, call.foreign_key)?;
        let deadline = meter.started() + snapshot.relay.timeout;
        let timeouts = target.resolved.choice.provider.timeouts;
        let attempt = Attempt { ports, snapshot, resolved: &target.resolved, credential, timeouts, deadline };
        target.check_permission(&call, &attempt)?;

        let used = body.used(&call);
        let state = body.state();
        let mut request = target.request(&attempt, &call, body, meter)?;
        let credentials = attempt.authenticated(&mut request).await?;
        meter.attempt();
        let provider = &target.resolved.choice.provider;
        let first_byte = provider.timeouts.first_byte.max(snapshot.relay.first_byte);
        let timeouts = AttemptTimeouts { first_byte, ..provider.timeouts };
        let ended = || state.as_ref().map_or(Some(meter.started()), |state| state.ended());
        let sent = attempt::send_flowing(&provider.destination, &ports.pools, request, ended, timeouts, deadline).await;
        if let Some(state) = &state {
            meter.request_body(usize::try_from(state.bytes()).unwrap_or(usize::MAX));
        }
        let response = match (sent, state.as_ref().and_then(|state| state.broken())) {
            (_, Some(broken)) => return Err(broken),
            (Err(AttemptError::Interrupted), None) => return Err(interrupted()),
            (Err(error), None) => return Err(attempt.failed(&error)),
            (Ok(mut response), None) => {
                attempt.mask(&mut response, credentials.as_ref());
                response
            }
        };
        attempt.accepted(credentials, response.status(), response.headers());
        drop(held);
        meter.answered(provider_request_id(response.headers()));
        answer::reply(&attempt, &call, asker, used, response, meter).await
    }

    /// The model that the request names, wherever it does.
    fn model(&self, call: &RelayCall<'_>, body: &Body) -> Result<Option<Box<str>>, Error> {
        let in_body = match body {
            Body::Json(_, head) => head.model.clone(),
            Body::Form(form) => form.model().map(Box::from),
            Body::Flow(_) | Body::Empty => None,
        };
        let named = match call.place() {
            ModelPlace::None => return Ok(None),
            ModelPlace::Path(model) => Some(gw_dialects::request::model_in_path(model)?),
            ModelPlace::Body | ModelPlace::Query => call.model.clone(),
        };
        match (named.or(in_body), body) {
            (None, Body::Form(form)) if !form.is_whole() => Err(Error::new(
                ErrorCode::ModelRequired,
                "the form's `model` does not stand in the part of it that is read ahead (server.limits.body_bytes); put \
                 `model` before the files, or leave it out and send it as the header X-Gateway-Model",
            )
            .with_param("model")),
            (model, _) => Ok(model),
        }
    }
}

impl RelayCall<'_> {
    fn place(&self) -> ModelPlace<'_> {
        match self.asked {
            Asked::Operation(carried) => carried.model,
            Asked::Raw { .. } => ModelPlace::None,
        }
    }
}

/// The body of a request, as far as it has been read.
pub(crate) enum Body {
    Json(Bytes, Box<Head>),
    Form(Box<Form>),
    Flow(Inflow),
    Empty,
}

impl Body {
    fn state(&self) -> Option<Rc<FlowState>> {
        match self {
            Self::Form(form) => Some(form.state()),
            Self::Flow(inflow) => Some(Rc::clone(&inflow.state)),
            Self::Json(..) | Self::Empty => None,
        }
    }

    /// What a request says that will be billed once it is answered; `None` of an operation that is not billed so.
    fn used(&self, call: &RelayCall<'_>) -> Option<Usage> {
        let Asked::Operation(carried) = call.asked else { return None };
        let operation = carried.dialect.operation();
        let is_billed = carried_counts::is_billed(operation) && call.method == Method::POST;
        is_billed.then(|| match self {
            Self::Json(bytes, _) => carried_counts::of_request(operation, bytes),
            Self::Form(_) | Self::Flow(_) | Self::Empty => Usage::default(),
        })
    }

    fn asks_for_stream(&self) -> bool {
        match self {
            Self::Json(_, head) => head.stream,
            Self::Form(_) | Self::Flow(_) | Self::Empty => false,
        }
    }
}

impl From<Inflow> for RequestBody {
    fn from(inflow: Inflow) -> Self {
        Self::flowing(inflow.source, inflow.length)
    }
}

fn interrupted() -> Error {
    Error::new(ErrorCode::ClientClosed, "the request's body broke off")
}
