//! OpenRouter's own API under `/api/v1`, for applications that were written for it: what there is beside the operations,
//! which are those of `/v1`. What is not known here is not made up: it is `null`, or an error that says what is missing.

mod account;
mod endpoints;
mod error;
mod generation;
mod listing;
mod paths;

use bytes::Bytes;
use gw_core::{Error, ErrorCode};
use gw_engine::Snapshot;
use gw_engine::recent::Owner;
use http::StatusCode;
use http::request::Parts;
use serde_json::{Map, Value};

pub(crate) use error::encode as encode_error;
pub use paths::Asked;
pub(crate) use paths::{is_here, operation, route};

use crate::handle::Api;

impl Api {
    /// Answers what is asked of OpenRouter's own API.
    ///
    /// # Errors
    /// What the client is told instead.
    pub(crate) async fn openrouter(
        &self,
        snapshot: &Snapshot,
        asked: Asked<'_>,
        parts: &Parts,
    ) -> Result<(StatusCode, Bytes), Error> {
        let query = parts.uri.query().unwrap_or_default();
        let owner = Owner::of_caller(&self.look(snapshot, parts)?);
        let _place = self.engine.ports().in_flight.take(1)?;
        let answer = match asked {
            Asked::Models(default) => listing::list(snapshot, query, default)?,
            Asked::Count => listing::count(snapshot, query)?,
            Asked::Model(id) => listing::one(snapshot, id)?,
            Asked::Endpoints(id) => endpoints::endpoints(snapshot, id)?,
            Asked::Providers => endpoints::providers(snapshot),
            Asked::Generation => generation::generation(&*self.recent, &owner, query).await?,
            Asked::Key => account::key(&*self.recent, &owner, self.now()).await,
            Asked::Credits => account::credits(&*self.recent, &owner).await,
            Asked::Absent(absent) => return Err(Error::new(ErrorCode::RouteNotFound, absent)),
        };
        Ok((StatusCode::OK, Bytes::from(answer.to_string())))
    }
}

/// What OpenRouter puts around most of its answers.
fn data(value: Value) -> Value {
    Value::Object(Map::from_iter([("data".to_owned(), value)]))
}

/// A member of a query, decoded.
fn in_query(query: &str, name: &str) -> Option<String> {
    let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    let (_, value) = pairs.find(|(known, value)| *known == name && !value.is_empty())?;
    let decoded = gw_dialects::shared::percent::decoded(&value.replace('+', " "));
    String::from_utf8(decoded).ok()
}
