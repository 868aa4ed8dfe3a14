//! Answers a request: finds out what it means, reads it, has it run, writes what comes back.

use std::rc::Rc;
use std::sync::Arc;
use std::time::SystemTime;

use bytes::Bytes;
use gw_core::{Error, ErrorCode, RequestId};
use gw_dialects::paths::Addressed;
use gw_dialects::shared::percent;
use gw_dialects::{DialectId, gemini};
use gw_engine::budget::Taken;
use gw_engine::identity::{Identified, Presented};
use gw_engine::recent::Recent;
use gw_engine::{Call, Engine, Meter, Reply, ReplyBody, Snapshot};
use gw_http::Connection;
use gw_http::panics::CatchPanic;
use gw_http::serve::{Refusal, Service};
use http::request::Parts;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use hyper::body::Incoming;

use crate::body::{self, BodyLimits};
use crate::control::Control;
use crate::health::Health;
use crate::ids::RequestIds;
use crate::keys::presented_keys;
use crate::models::Shape;
use crate::origin::{self, Exposure};
use crate::prefixes::{self, Prefixed};
use crate::respond::Voice;
use crate::routes::{self, Route, Upgrade};
use crate::{canaries, models, openrouter, respond, standing};

/// How a provider's key is called that a caller presents beside ours and that may not be used here.
const UNUSED_KEY: &str = "authorization";

/// The HTTP interface for applications, on one worker.
pub struct Api {
    /// The request path.
    pub engine: Engine,
    /// What the health endpoints tell.
    pub health: Arc<Health>,
    /// The way to the control plane.
    pub control: Control,
    /// Where metrics are on this port, if they are.
    pub metrics_path: Option<Arc<str>>,
    /// Whether all listeners are on this machine's own addresses.
    pub loopback_only: bool,
    /// Finished requests, for clients that ask for theirs.
    pub recent: Arc<dyn Recent>,
    /// Numbers requests.
    pub ids: RequestIds,
}

impl Service for Api {
    type Body = ReplyBody;

    fn call(
        self: Rc<Self>,
        request: Request<Incoming>,
        connection: Rc<Connection>,
    ) -> impl Future<Output = Response<ReplyBody>> {
        // Taken apart before the future begins, which would else have room for the whole and for its parts.
        let (parts, incoming) = request.into_parts();
        async move {
            let snapshot = self.engine.ports().snapshot.load();
            let allowed_origin = origin::allowed_origin(&parts.headers, &snapshot.cors_origins);
            let mut response = if parts.method == Method::OPTIONS && allowed_origin.is_some() {
                self.preflight(&parts)
            } else {
                match self.serving(&snapshot, &parts) {
                    Ok(serving) => self.answer(serving, &parts, incoming, &connection).await,
                    Err(error) => self.unserved(&snapshot, &parts, *error),
                }
            };
            if let Some(origin) = allowed_origin {
                let headers = response.headers_mut();
                headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
                headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static("*"));
                headers.append(header::VARY, HeaderValue::from_static("origin"));
            }
            response
        }
    }

    fn refuse(&self, refusal: Refusal) -> Response<Bytes> {
        respond::refusal(refusal, self.next_id())
    }
}

impl Api {
    /// What a path asks for.
    async fn answer(
        &self,
        snapshot: &Snapshot,
        parts: &Parts,
        incoming: Incoming,
        connection: &Connection,
    ) -> Response<ReplyBody> {
        let upgrade = if parts.headers.contains_key(header::UPGRADE) { Upgrade::Asked } else { Upgrade::No };
        match routes::route(&parts.method, parts.uri.path(), upgrade, self.metrics_path.as_deref()) {
            Route::Operation(addressed) => self.operation(snapshot, addressed, None, parts, incoming).await,
            // What follows stands in boxes: it is larger than the path of most requests, which need not carry its size.
            Route::Unknown if parts.method == Method::POST => Box::pin(self.prefixed(snapshot, parts, incoming)).await,
            Route::State(resource) => Box::pin(self.state(snapshot, resource, parts, incoming)).await,
            Route::Plan => Box::pin(self.plan(snapshot, parts, incoming)).await,
            Route::Relay(asked) => Box::pin(self.relay(snapshot, asked, parts, incoming)).await,
            Route::Realtime(carried) => Box::pin(self.realtime(snapshot, carried, parts, connection)).await,
            other => Box::pin(self.other(snapshot, other, parts)).await,
        }
    }

    /// An operation: the request path.
    pub(crate) async fn operation(
        &self,
        snapshot: &Snapshot,
        addressed: Addressed<'_>,
        provider: Option<&str>,
        parts: &Parts,
        incoming: Incoming,
    ) -> Response<ReplyBody> {
        let dialect = addressed.dialect;
        let mut meter = self.meter(dialect, parts);
        let ended = CatchPanic::new(self.run(snapshot, addressed, provider, parts, incoming, &mut meter)).await;
        respond::outcome(ended, dialect, Voice::of(parts, dialect), meter)
    }

    async fn run(
        &self,
        snapshot: &Snapshot,
        addressed: Addressed<'_>,
        provider: Option<&str>,
        parts: &Parts,
        incoming: Incoming,
        meter: &mut Meter,
    ) -> Result<Reply, Error> {
        let presented = presented_keys(parts);
        let is_foreign = self.admit(snapshot, parts, &presented, meter)?;
        let (body, held) = self.body(snapshot, parts, incoming, meter).await?;
        let foreign_key = presented.usual.as_deref().filter(|_| is_foreign);
        let Addressed { dialect, model, stream } = addressed;
        let json_array = gemini::wants_array(dialect, stream, parts.uri.query());
        let path = parts.uri.path();
        let call = Call {
            dialect,
            model,
            stream,
            json_array,
            openrouter: meter.speaks_openrouter(),
            foreign_key,
            provider,
            own_key: None,
            needs_parameters: false,
            step: None,
            path,
            headers: &parts.headers,
            body,
            held,
        };
        self.engine.run(snapshot, &call, meter).await
    }

    /// The body of a request, under its limits.
    pub(crate) async fn body(
        &self,
        snapshot: &Snapshot,
        parts: &Parts,
        incoming: Incoming,
        meter: &mut Meter,
    ) -> Result<(Bytes, Taken), Error> {
        let limits = BodyLimits::of(snapshot, meter.started());
        let (body, held) = body::read(incoming, &parts.headers, limits, &self.engine.ports().held_bytes).await?;
        meter.request_body(body.len());
        Ok((body, held))
    }

    /// A path that means nothing unless it names a provider.
    async fn prefixed(&self, snapshot: &Snapshot, parts: &Parts, incoming: Incoming) -> Response<ReplyBody> {
        match prefixes::find(parts.uri.path(), |name| snapshot.models.names_provider(name)) {
            Some(Prefixed::Operation(addressed, provider)) => {
                self.operation(snapshot, addressed, provider, parts, incoming).await
            }
            Some(Prefixed::Universal) => self.universal(snapshot, parts, incoming).await,
            None => self.other(snapshot, Route::Unknown, parts).await,
        }
    }

    /// Lets a request in, and says whether the key in the usual place is not ours. Asked before the body is read: who may not call
    /// may not make the gateway read.
    pub(crate) fn admit(
        &self,
        snapshot: &Snapshot,
        parts: &Parts,
        presented: &Presented<'_>,
        meter: &mut Meter,
    ) -> Result<bool, Error> {
        self.check_origin(snapshot, parts)?;
        let identified = snapshot.identity.identify(presented)?;
        if identified.unused_key {
            meter.dropped(std::iter::once(UNUSED_KEY));
        }
        meter.caller(identified.caller.key_name, identified.foreign_hash);
        meter.serve_in(snapshot.environment.clone());
        meter.insure(snapshot.zero_completion_insurance);
        meter.occupy(self.engine.ports().in_flight.take(1)?);
        Ok(identified.foreign_key)
    }

    /// Everything that is not an operation. None of it is recorded.
    async fn other(&self, snapshot: &Snapshot, route: Route<'_>, parts: &Parts) -> Response<ReplyBody> {
        let request_id = self.next_id();
        let answered = match route {
            Route::Live => Ok(respond::json(Health::live())),
            Route::Ready => Ok(respond::json(self.health.ready())),
            Route::Models => self
                .may_look(snapshot, parts)
                .and_then(|()| models::list(snapshot, Shape::of(parts), parts.uri.query()))
                .map(|body| respond::json((StatusCode::OK, body))),
            Route::Model(id) => self
                .may_look(snapshot, parts)
                .and_then(|()| models::one(snapshot, &decoded(id), Shape::of(parts)))
                .map(|body| respond::json((StatusCode::OK, body))),
            Route::OpenRouter(asked) => self.openrouter(snapshot, asked, parts).await.map(respond::json),
            Route::Providers => self
                .may_look(snapshot, parts)
                .map(|()| respond::json((StatusCode::OK, standing::list(snapshot, self.engine.ports().elapsed())))),
            Route::Canaries => self
                .may_look(snapshot, parts)
                .map(|()| respond::json((StatusCode::OK, canaries::list(snapshot, self.engine.ports().elapsed())))),
            Route::Control => match self.check_origin(snapshot, parts) {
                Ok(()) => self.control.ask(parts.uri.path()).await.map(respond::control),
                Err(error) => Err(error),
            },
            Route::Upgrade => Err(Error::new(
                ErrorCode::UpgradeRequired,
                "this endpoint does not speak WebSocket; send the request as HTTP POST",
            )),
            Route::WrongMethod(allowed) => Err(wrong_method(parts, allowed)),
            Route::Unknown
            | Route::Operation(_)
            | Route::State(_)
            | Route::Relay(_)
            | Route::Realtime(_)
            | Route::Plan => Err(unknown_path(parts)),
        };
        respond::own(answered, Voice::of(parts, Shape::of(parts).dialect()), request_id)
    }

    /// Whether a request that is not an operation may be answered: like one that is.
    fn may_look(&self, snapshot: &Snapshot, parts: &Parts) -> Result<(), Error> {
        self.look(snapshot, parts).map(drop)
    }

    /// Who asks for something that is not an operation.
    pub(crate) fn look(&self, snapshot: &Snapshot, parts: &Parts) -> Result<Identified, Error> {
        self.check_origin(snapshot, parts)?;
        snapshot.identity.identify(&presented_keys(parts))
    }

    pub(crate) fn check_origin(&self, snapshot: &Snapshot, parts: &Parts) -> Result<(), Error> {
        let exposure = match (snapshot.identity.allows_anonymous(), self.loopback_only) {
            (false, _) => Exposure::Keyed,
            (true, true) => Exposure::Loopback,
            (true, false) => Exposure::Network,
        };
        let host = parts.uri.host().or_else(|| parts.headers.get(header::HOST).and_then(|value| value.to_str().ok()));
        origin::check(host, &parts.headers, &snapshot.cors_origins, exposure)
    }

    /// What a browser asks before a page may call (CORS).
    fn preflight(&self, parts: &Parts) -> Response<ReplyBody> {
        let mut response =
            respond::own(Ok(respond::empty(StatusCode::NO_CONTENT)), DialectId::OpenAiChat, self.next_id());
        let headers = response.headers_mut();
        headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, POST, PUT, PATCH, DELETE"));
        if let Some(asked) = parts.headers.get(header::ACCESS_CONTROL_REQUEST_HEADERS) {
            headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, asked.clone());
        }
        headers.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600"));
        response
    }

    /// The meter of a request whose head has just been read.
    pub(crate) fn meter(&self, dialect: DialectId, parts: &Parts) -> Box<Meter> {
        let mut meter = Meter::open(self.engine.ports(), self.next_id(), dialect.operation(), dialect.name());
        meter.request_head(&parts.headers);
        if openrouter::is_here(parts.uri.path()) {
            meter.speak_openrouter();
        }
        meter
    }

    pub(crate) fn next_id(&self) -> RequestId {
        self.ids.next(self.now())
    }

    pub(crate) fn now(&self) -> SystemTime {
        self.engine.ports().clock.now()
    }
}

/// A model's id as it stands in a path, where SDKs escape its slashes.
pub(crate) fn decoded(id: &str) -> String {
    String::from_utf8_lossy(&percent::decoded(id)).into_owned()
}

fn wrong_method(parts: &Parts, allowed: &str) -> Error {
    let message = format!("{} is not allowed here; use {allowed}", parts.method);
    Error::new(ErrorCode::MethodNotAllowed, message)
}

pub(crate) fn unknown_path(parts: &Parts) -> Error {
    let path: String = parts.uri.path().chars().take(200).collect();
    let message = format!("there is nothing at {} {path}; the API begins at /v1", parts.method);
    Error::new(ErrorCode::RouteNotFound, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escaped_slashes_in_a_models_id_are_read() {
        assert_eq!(decoded("openai%2Fgpt-4o"), "openai/gpt-4o");
        assert_eq!(decoded("100%"), "100%");
    }
}
