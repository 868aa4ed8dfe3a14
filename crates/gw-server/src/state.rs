//! What the Responses API keeps, for clients: reads the request and has it answered. None of it is recorded.

use bytes::Bytes;
use gw_core::{Error, RequestId};
use gw_dialects::DialectId;
use gw_dialects::openai_responses::resource::Resource;
use gw_engine::budget::Taken;
use gw_engine::conversations::Owner;
use gw_engine::state::StateCall;
use gw_engine::{ReplyBody, Snapshot};
use gw_http::panics::{CatchPanic, Panicked};
use http::request::Parts;
use http::{Response, StatusCode};
use hyper::body::Incoming;

use crate::handle::Api;
use crate::respond::{self, Voice};

impl Api {
    /// Answers a request about what is kept.
    pub(crate) async fn state(
        &self,
        snapshot: &Snapshot,
        resource: Resource<'_>,
        parts: &Parts,
        incoming: Incoming,
    ) -> Response<ReplyBody> {
        let request_id = self.next_id();
        let answering = Box::pin(self.run_state(snapshot, resource, parts, incoming, request_id));
        let mut held = None;
        let answered = match CatchPanic::new(answering).await {
            Ok(answered) => answered.map(|(body, taken)| {
                held = Some(taken);
                respond::json((StatusCode::OK, body))
            }),
            Err(Panicked) => Err(respond::broken()),
        };
        let voice = Voice::of(parts, DialectId::OpenAiResponses);
        respond::own(answered, voice, request_id).map(|body| body.holding(held))
    }

    async fn run_state(
        &self,
        snapshot: &Snapshot,
        resource: Resource<'_>,
        parts: &Parts,
        incoming: Incoming,
        request_id: RequestId,
    ) -> Result<(Bytes, Taken), Error> {
        let question = self.question(snapshot, parts, incoming).await?;
        let foreign_key = question.foreign_key();
        let call = StateCall {
            resource,
            method: &parts.method,
            query: parts.uri.query(),
            owner: Owner::of(question.identified.caller.key_name.as_ref(), foreign_key),
            foreign_key,
            body: question.body.clone(),
            request_id,
        };
        let answer = self.engine.state(snapshot, &call).await?;
        // A short question may have a long answer.
        let mut held = self.engine.ports().held_bytes.nothing();
        held.hold(0, answer.len())?;
        Ok((answer, held))
    }
}
