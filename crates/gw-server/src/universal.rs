//! Cloudflare's universal endpoint: several requests in one, each to a provider, until one is answered.

use gw_core::{Error, Operation};
use gw_dialects::DialectId;
use gw_engine::routing::control::Universal;
use gw_engine::{Meter, Reply, ReplyBody, Snapshot};
use gw_http::panics::CatchPanic;
use http::Response;
use http::request::Parts;
use hyper::body::Incoming;

use crate::handle::{Api, unknown_path};
use crate::keys::presented_keys;
use crate::prefixes;
use crate::respond::{self, Voice};

impl Api {
    /// A list of steps, whose answer is in the format of the step that gave it.
    pub(crate) async fn universal(
        &self,
        snapshot: &Snapshot,
        parts: &Parts,
        incoming: Incoming,
    ) -> Response<ReplyBody> {
        let dialect = DialectId::OpenAiChat;
        let mut meter = Meter::open(self.engine.ports(), self.next_id(), Operation::Chat, dialect.name());
        meter.request_head(&parts.headers);
        let ended = CatchPanic::new(self.run_steps(snapshot, parts, incoming, &mut meter)).await;
        let (dialect, ended) = match ended {
            Ok((dialect, ended)) => (dialect, Ok(ended)),
            Err(panicked) => (dialect, Err(panicked)),
        };
        respond::outcome(ended, dialect, Voice::of(parts, dialect), meter)
    }

    async fn run_steps(
        &self,
        snapshot: &Snapshot,
        parts: &Parts,
        incoming: Incoming,
        meter: &mut Meter,
    ) -> (DialectId, Result<Reply, Error>) {
        let read = async {
            self.admit(snapshot, parts, &presented_keys(parts), meter)?;
            let (body, held) = self.body(snapshot, parts, incoming, meter).await?;
            let is_list = body.trim_ascii_start().starts_with(b"[");
            if !is_list && parts.uri.path() != prefixes::UNIVERSAL {
                return Err(unknown_path(parts));
            }
            Ok((Universal::read(&body, &parts.headers)?, held))
        };
        match read.await {
            Ok((universal, _held)) => self.engine.universal(snapshot, &universal, meter).await,
            Err(error) => (DialectId::OpenAiChat, Err(error)),
        }
    }
}
