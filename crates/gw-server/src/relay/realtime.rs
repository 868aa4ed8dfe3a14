//! A WebSocket that a client asks for: the provider is asked over HTTP, and then the connection is taken over.

use std::borrow::Cow;

use gw_core::Error;
use gw_dialects::carried::Carried;
use gw_engine::realtime::{self, Opened};
use gw_engine::relay::{Asked, RelayCall};
use gw_engine::{Meter, ReplyBody, Snapshot};
use gw_http::Connection;
use http::Response;
use http::request::Parts;

use crate::handle::Api;
use crate::keys::presented_keys;
use crate::respond::{self, Voice};

impl Api {
    /// Opens a conversation.
    pub(crate) async fn realtime(
        &self,
        snapshot: &Snapshot,
        carried: Carried<'_>,
        parts: &Parts,
        connection: &Connection,
    ) -> Response<ReplyBody> {
        let dialect = carried.dialect;
        let mut meter = Meter::open(self.engine.ports(), self.next_id(), dialect.operation(), dialect.name());
        meter.request_head(&parts.headers);
        match self.open(snapshot, carried, parts, &mut meter).await {
            Err(error) => respond::failure(&error, Voice::of(parts, dialect), meter),
            Ok(mut opened) => {
                let headers = std::mem::take(&mut opened.headers);
                let response = respond::switching(headers, &mut meter);
                connection.takeover.set(move |client| opened.run(client, meter));
                response
            }
        }
    }

    async fn open(
        &self,
        snapshot: &Snapshot,
        carried: Carried<'_>,
        parts: &Parts,
        meter: &mut Meter,
    ) -> Result<Opened, Error> {
        let mut presented = presented_keys(parts);
        let among_protocols = || realtime::key_in_protocols(&parts.headers).map(Cow::Borrowed);
        presented.usual = presented.usual.or_else(among_protocols);
        let is_foreign = self.admit(snapshot, parts, &presented, meter)?;
        let query = parts.uri.query();
        let call = RelayCall {
            asked: Asked::Operation(carried),
            method: &parts.method,
            query,
            headers: &parts.headers,
            foreign_key: presented.usual.as_deref().filter(|_| is_foreign),
            provider: super::named_provider(parts),
            model: realtime::model_in_query(query.unwrap_or_default())?,
        };
        self.engine.converse(snapshot, &call, meter).await
    }
}
