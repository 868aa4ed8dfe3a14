//! Requests whose bodies flow: what kind of body it is, and what is read of it here.

pub(crate) mod client_flow;
mod realtime;

use std::rc::Rc;

use gw_core::{Error, ErrorCode, Operation};
use gw_dialects::carried::ModelPlace;
use gw_dialects::{multipart, request};
use gw_engine::relay::{Asked, FlowState, RelayBody, RelayCall};
use gw_engine::{Meter, Reply, ReplyBody, Snapshot};
use gw_http::panics::CatchPanic;
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Response, Version, header};
use http_body::Body as _;
use hyper::body::Incoming;

use crate::body::{self, BodyLimits};
use crate::handle::Api;
use crate::keys::presented_keys;
use crate::respond::{self, Voice};
use client_flow::{ClientFlow, FlowLimits};

const X_GATEWAY_MODEL: HeaderName = HeaderName::from_static("x-gateway-model");
/// Where a request that names no model may name a provider.
const PROVIDER_HEADERS: [HeaderName; 3] = [
    HeaderName::from_static("x-gateway-provider"),
    HeaderName::from_static("x-portkey-provider"),
    HeaderName::from_static("x-provider"),
];

impl Api {
    /// A request that is carried.
    pub(crate) async fn relay(
        &self,
        snapshot: &Snapshot,
        asked: Asked<'_>,
        parts: &Parts,
        incoming: Incoming,
    ) -> Response<ReplyBody> {
        let dialect = asked.dialect();
        let mut meter = self.meter(dialect, parts);
        let mut state = None;
        let ended = CatchPanic::new(self.run_relay(snapshot, asked, parts, incoming, &mut meter, &mut state)).await;
        let mut response = respond::outcome(ended, dialect, Voice::of(parts, dialect), meter);
        // An answer that overtakes its request ends the connection: what follows would be the rest of the body.
        if parts.version < Version::HTTP_2 && state.is_some_and(|state| state.ended().is_none()) {
            response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }

    async fn run_relay(
        &self,
        snapshot: &Snapshot,
        asked: Asked<'_>,
        parts: &Parts,
        incoming: Incoming,
        meter: &mut Meter,
        state: &mut Option<Rc<FlowState>>,
    ) -> Result<Reply, Error> {
        let presented = presented_keys(parts);
        let is_foreign = self.admit(snapshot, parts, &presented, meter)?;
        if matches!(asked, Asked::Raw { .. }) && parts.version < Version::HTTP_2 && parts.uri.authority().is_some() {
            return Err(Error::new(ErrorCode::InvalidRequest, "the request's target must be a path"));
        }
        let body = self.relay_body(snapshot, asked, parts, incoming, meter).await?;
        *state = match &body {
            RelayBody::Form(inflow, _) | RelayBody::Flow(inflow) => Some(Rc::clone(&inflow.state)),
            RelayBody::Json(..) | RelayBody::Empty => None,
        };
        let model = in_header(parts, &X_GATEWAY_MODEL).or_else(|| in_query(parts, "model"));
        let call = RelayCall {
            asked,
            method: &parts.method,
            query: parts.uri.query(),
            headers: &parts.headers,
            foreign_key: presented.usual.as_deref().filter(|_| is_foreign),
            provider: named_provider(parts),
            model: model.map(request::model_in_path).transpose()?,
        };
        self.engine.relay(snapshot, call, body, meter).await
    }

    async fn relay_body(
        &self,
        snapshot: &Snapshot,
        asked: Asked<'_>,
        parts: &Parts,
        incoming: Incoming,
        meter: &mut Meter,
    ) -> Result<RelayBody, Error> {
        let deadline = meter.started() + snapshot.relay.timeout;
        let limits = FlowLimits { bytes_max: snapshot.relay.body_bytes, timeout: snapshot.body_timeout, deadline };
        if incoming.is_end_stream() {
            meter.request_body(0);
            return Ok(RelayBody::Empty);
        }
        let Asked::Operation(carried) = asked else {
            return Ok(RelayBody::Flow(ClientFlow::open(incoming, limits)?));
        };
        let content_type = parts.headers.get(header::CONTENT_TYPE).map(HeaderValue::as_bytes).unwrap_or_default();
        if is_json(content_type) {
            let limits = BodyLimits { bytes_max: snapshot.body_bytes_max, timeout: snapshot.body_timeout, deadline };
            let (bytes, held) = body::read(incoming, &parts.headers, limits, &self.engine.ports().held_bytes).await?;
            meter.request_body(bytes.len());
            let head = request::scan(carried.dialect, &bytes)?;
            return Ok(RelayBody::Json(bytes, Box::new(head), held));
        }
        // What they name is looked at: by another media type nobody gets what is not theirs.
        if matches!(carried.dialect.operation(), Operation::Batches | Operation::FineTuning) {
            let message = "the body must be JSON (content-type: application/json)";
            return Err(Error::new(ErrorCode::UnsupportedMediaType, message));
        }
        if matches!(carried.model, ModelPlace::None | ModelPlace::Query) {
            return Ok(RelayBody::Flow(ClientFlow::open(incoming, limits)?));
        }
        let Some(boundary) = multipart::boundary(content_type) else {
            let message = "the body must be JSON or a form (multipart/form-data, with its boundary)";
            return Err(Error::new(ErrorCode::UnsupportedMediaType, message));
        };
        refuse_encoded(&parts.headers)?;
        Ok(RelayBody::Form(ClientFlow::open(incoming, limits)?, Box::from(boundary)))
    }
}

/// The provider that a header or the query names.
fn named_provider(parts: &Parts) -> Option<&str> {
    PROVIDER_HEADERS.iter().find_map(|name| in_header(parts, name)).or_else(|| in_query(parts, "provider"))
}

fn in_header<'a>(parts: &'a Parts, name: &HeaderName) -> Option<&'a str> {
    parts.headers.get(name).and_then(|value| value.to_str().ok())
}

fn in_query<'a>(parts: &'a Parts, name: &str) -> Option<&'a str> {
    let mut pairs = parts.uri.query().unwrap_or_default().split('&').filter_map(|pair| pair.split_once('='));
    pairs.find(|(key, value)| *key == name && !value.is_empty()).map(|(_, value)| value)
}

fn is_json(content_type: &[u8]) -> bool {
    let media_type = content_type.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
    media_type.eq_ignore_ascii_case(b"application/json")
}

/// A form that is compressed cannot be read as it flows.
fn refuse_encoded(headers: &HeaderMap) -> Result<(), Error> {
    match headers.get(header::CONTENT_ENCODING) {
        Some(encoding) if !encoding.as_bytes().eq_ignore_ascii_case(b"identity") => Err(Error::new(
            ErrorCode::UnsupportedMediaType,
            "a form must be sent as it is here, without content-encoding",
        )),
        Some(_) | None => Ok(()),
    }
}
