//! A request of which nothing belongs to the client's connection any more. What only the client's own way needs is left
//! out: its key, its cookies, and what would make the copy one with the request (`idempotency-key`).

use bytes::Bytes;
use gw_dialects::DialectId;
use gw_dialects::chat::RequestLine;
use gw_dialects::head::Head;
use http::{HeaderMap, HeaderName};

use crate::budget::Taken;
use crate::engine::Call;
use crate::{openrouter, outgoing};

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// A copy of a request.
pub(super) struct Copied {
    pub(super) dialect: DialectId,
    pub(super) head: Head,
    pub(super) body: Bytes,
    pub(super) headers: HeaderMap,
    model: Option<Box<str>>,
    stream: Option<bool>,
    json_array: bool,
    openrouter: bool,
    path: Box<str>,
}

impl Copied {
    /// Copies a request. Its bytes are shared.
    pub(super) fn of(call: &Call<'_>, head: &Head) -> Self {
        let told = outgoing::FORWARDED.into_iter().chain(outgoing::FORWARDED_ANTHROPIC).chain(openrouter::FORWARDED);
        let told = told.filter(|name| *name != IDEMPOTENCY_KEY);
        Self {
            dialect: call.dialect,
            head: head.clone(),
            body: call.body.clone(),
            headers: told.filter_map(|name| call.headers.get(&name).cloned().map(|value| (name, value))).collect(),
            model: call.model.map(Box::from),
            stream: call.stream,
            json_array: call.json_array,
            openrouter: call.openrouter,
            path: Box::from(call.path),
        }
    }

    /// The copy as a request of nobody's.
    pub(super) fn call(&self, held: Taken) -> Call<'_> {
        Call {
            dialect: self.dialect,
            model: self.model.as_deref(),
            stream: self.stream,
            json_array: self.json_array,
            openrouter: self.openrouter,
            foreign_key: None,
            provider: None,
            own_key: None,
            needs_parameters: false,
            step: None,
            path: &self.path,
            headers: &self.headers,
            body: self.body.clone(),
            held,
        }
    }

    /// What it says outside its body.
    pub(super) fn line(&self) -> RequestLine<'_> {
        RequestLine { model: self.model.as_deref(), stream: self.stream, headers: Some(&self.headers) }
    }
}
