//! Which environment serves a request: asked once, as soon as its head is read.

use gw_core::Error;
use gw_engine::environments::HEADER;
use gw_engine::{ReplyBody, Snapshot};
use http::Response;
use http::request::Parts;

use crate::handle::Api;
use crate::keys::presented_keys;
use crate::models::Shape;
use crate::respond::{self, Voice};
use crate::routes::{self, Route, Upgrade};

impl Api {
    /// The snapshot of the environment that serves a request. An error stands in a box, so that the future of a request
    /// that is served has no room for it.
    ///
    /// # Errors
    /// `operation_disabled` where the request asks for an environment that its caller may not use.
    pub(crate) fn serving<'s>(&self, snapshot: &'s Snapshot, parts: &Parts) -> Result<&'s Snapshot, Box<Error>> {
        if snapshot.environments.is_none() {
            return Ok(snapshot);
        }
        // Who may not call is refused on the way, as where there is one environment only.
        let Ok(identified) = self.look(snapshot, parts) else { return Ok(snapshot) };
        // What is no text is no name.
        let asked = parts.headers.get(HEADER).map(|value| value.to_str().unwrap_or("?").trim());
        let asked = asked.filter(|asked| !asked.is_empty());
        snapshot.serving(identified.caller.key_name.as_deref(), asked).map_err(Box::new)
    }

    /// What is answered where no environment serves a request.
    pub(crate) fn unserved(&self, snapshot: &Snapshot, parts: &Parts, error: Error) -> Response<ReplyBody> {
        match routes::route(&parts.method, parts.uri.path(), Upgrade::No, self.metrics_path.as_deref()) {
            Route::Operation(addressed) => {
                let dialect = addressed.dialect;
                let mut meter = self.meter(dialect, parts);
                let admitted = self.admit(snapshot, parts, &presented_keys(parts), &mut meter);
                respond::outcome(Ok(admitted.and(Err(error))), dialect, Voice::of(parts, dialect), meter)
            }
            _ => respond::own(Err(error), Voice::of(parts, Shape::of(parts).dialect()), self.next_id()),
        }
    }
}
