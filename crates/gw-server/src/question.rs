//! Questions that have a body and are no operation: asked by who may call, under the limits of requests.

use bytes::Bytes;
use gw_core::Error;
use gw_engine::Snapshot;
use gw_engine::budget::Taken;
use gw_engine::identity::{Identified, Presented};
use http::request::Parts;
use hyper::body::Incoming;
use tokio::time::Instant;

use crate::body::{self, BodyLimits};
use crate::handle::Api;
use crate::keys::presented_keys;

/// A question that was let in and has been read.
pub(crate) struct Question<'a> {
    presented: Presented<'a>,
    pub(crate) identified: Identified,
    pub(crate) body: Bytes,
    _held: Taken,
    _place: Taken,
}

impl Question<'_> {
    /// The key that the client presented, if it is not one of ours.
    pub(crate) fn foreign_key(&self) -> Option<&str> {
        self.presented.usual.as_deref().filter(|_| self.identified.foreign_key)
    }
}

impl Api {
    /// Lets a question in and reads it.
    ///
    /// # Errors
    /// Why it may not be asked, or cannot be read.
    pub(crate) async fn question<'p>(
        &self,
        snapshot: &Snapshot,
        parts: &'p Parts,
        incoming: Incoming,
    ) -> Result<Question<'p>, Error> {
        let ports = self.engine.ports();
        self.check_origin(snapshot, parts)?;
        let presented = presented_keys(parts);
        let identified = snapshot.identity.identify(&presented)?;
        let place = ports.in_flight.take(1)?;
        let limits = BodyLimits::of(snapshot, Instant::now());
        let (body, held) = body::read(incoming, &parts.headers, limits, &ports.held_bytes).await?;
        Ok(Question { presented, identified, body, _held: held, _place: place })
    }
}
