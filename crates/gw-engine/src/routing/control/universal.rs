//! Cloudflare's universal endpoint: a list of steps, each a request of its own to a provider, of which the next is taken
//! where one fails.

use bytes::Bytes;
use gw_config::secret::Secret;
use gw_core::{Error, ErrorCode};
use gw_dialects::DialectId;
use gw_dialects::paths::{self, Addressed};
use gw_dialects::scan::Object;
use gw_policy::failure::Class;
use http::{HeaderMap, HeaderName, HeaderValue, header};
use serde_json::Value;
use serde_json::value::RawValue;
use tokio::time::Instant;

use super::value::{Members, wrong};
use super::wish::Wish;
use super::{Heard, cloudflare};
use crate::engine::{Call, Engine};
use crate::meter::Meter;
use crate::reply::Reply;
use crate::routing::times::{ClientTime, Times};
use crate::snapshot::Snapshot;

/// More steps are refused.
const STEPS_MAX: usize = 16;
/// What a step's `config` says, and the headers that say the same.
const CONFIG: [(&str, &str); 4] = [
    ("requestTimeout", "cf-aig-request-timeout"),
    ("maxAttempts", "cf-aig-max-attempts"),
    ("retryDelay", "cf-aig-retry-delay"),
    ("backoff", "cf-aig-backoff"),
];
/// Where a step's own key stands.
const KEYS: [HeaderName; 3] =
    [header::AUTHORIZATION, HeaderName::from_static("x-api-key"), HeaderName::from_static("api-key")];

/// The steps of a request.
pub struct Universal {
    steps: Vec<Step>,
    /// How long the client waits.
    client: Option<ClientTime>,
}

/// One of them.
pub struct Step {
    provider: Box<str>,
    path: String,
    headers: HeaderMap,
    /// The key of the caller's own account there.
    key: Option<Secret>,
    body: Bytes,
}

impl Universal {
    /// Reads the steps. What the request's own headers say of routing holds at each, unless the step says so itself.
    ///
    /// # Errors
    /// `invalid_request`, naming the step.
    pub fn read(body: &Bytes, headers: &HeaderMap) -> Result<Self, Error> {
        let list: Vec<&RawValue> = serde_json::from_slice(body)
            .map_err(|_| Error::new(ErrorCode::InvalidJson, "the body must be a list of steps, in JSON"))?;
        if list.is_empty() || list.len() > STEPS_MAX {
            return Err(Error::new(ErrorCode::InvalidRequest, "the body must be a list of 1 to 16 steps"));
        }
        let steps = list.iter().enumerate().map(|(index, step)| Step::read(step.get(), &format!("[{index}]"), headers));
        Ok(Self { steps: steps.collect::<Result<_, _>>()?, client: Heard::of(headers).client })
    }
}

impl Step {
    fn read(json: &str, place: &str, around: &HeaderMap) -> Result<Self, Error> {
        let object = Object::parse(json).map_err(|_| wrong(place, "must be an object"))?;
        let text = |name: &str| object.string(name).ok_or_else(|| wrong(&format!("{place}.{name}"), "must be a text"));
        let provider = text("provider")?.into_boxed_str();
        let endpoint = text("endpoint")?;
        let query = object.get("query").unwrap_or("{}");
        let mut headers: HeaderMap = around
            .iter()
            .filter(|(name, value)| {
                name.as_str().starts_with(cloudflare::PREFIX)
                    || **name == header::USER_AGENT
                    || ClientTime::said(name, value).is_some()
            })
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
        if let Some(written) = object.get("headers") {
            add_headers(&mut headers, written, &format!("{place}.headers"))?;
        }
        if let Some(written) = object.get("config") {
            add_config(&mut headers, written, &format!("{place}.config"))?;
        }
        let key = take_key(&mut headers);
        let path = format!("/{}", endpoint.trim_start_matches('/'));
        let step = Self { provider, path, headers, key, body: Bytes::copy_from_slice(query.as_bytes()) };
        if step.addressed().is_none() {
            return Err(wrong(
                &format!("{place}.endpoint"),
                "is no endpoint that is known here, such as chat/completions",
            ));
        }
        Ok(step)
    }

    fn addressed(&self) -> Option<Addressed<'_>> {
        paths::route(&self.path)
    }
}

fn add_headers(headers: &mut HeaderMap, written: &str, place: &str) -> Result<(), Error> {
    let members: Value = serde_json::from_str(written).unwrap_or_default();
    let members = members.as_object().ok_or_else(|| wrong(place, "must be an object"))?;
    for (name, value) in members {
        let name = HeaderName::try_from(name.as_str()).map_err(|_| wrong(place, "must have names of headers"))?;
        let value = value.as_str().and_then(|value| HeaderValue::try_from(value).ok());
        headers.insert(name, value.ok_or_else(|| wrong(place, "must have values that can stand in headers"))?);
    }
    Ok(())
}

fn add_config(headers: &mut HeaderMap, written: &str, place: &str) -> Result<(), Error> {
    let mut members = Members::read(written.as_bytes(), place)?;
    for (name, header) in CONFIG {
        let text = match members.take(name) {
            None => continue,
            Some(Value::String(text)) => text,
            Some(other) => other.to_string(),
        };
        let value = HeaderValue::try_from(text).map_err(|_| members.wrong(name, "must be a text or a number"))?;
        headers.insert(header, value);
    }
    members.rest(&mut Wish::default());
    Ok(())
}

fn take_key(headers: &mut HeaderMap) -> Option<Secret> {
    let mut found = None;
    for name in KEYS {
        let Some(value) = headers.remove(&name) else { continue };
        let text = value.to_str().ok()?.trim();
        let key = text.split_once(' ').filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
        found = found.or_else(|| Some(Secret::new(key.map_or(text, |(_, key)| key.trim()).to_owned())));
    }
    found.filter(|key| !key.expose().is_empty())
}

impl Engine {
    /// Answers a list of steps with the first that does not fail; in whose dialect it is.
    ///
    /// # Errors
    /// That of the last step that was tried.
    pub async fn universal(
        &self,
        snapshot: &Snapshot,
        universal: &Universal,
        meter: &mut Meter,
    ) -> (DialectId, Result<Reply, Error>) {
        let times = Times::of(meter.started(), snapshot.request_timeout, None, universal.client);
        let mut last = None;
        for (index, step) in universal.steps.iter().enumerate() {
            let Some(addressed) = step.addressed() else { continue };
            if last.is_some() {
                meter.fell_back();
            }
            let result = self.step(snapshot, (index, step), addressed, meter).await;
            if let Err(error) = &result {
                meter.gave_up(error);
            }
            // The client's mistake in one step may be none in the next; that it has gone is final.
            let is_over = match &result {
                Ok(_) => true,
                Err(error) => {
                    matches!(error.code, ErrorCode::ClientClosed | ErrorCode::DeadlineExceeded)
                        || Class::of(error.code).is_none() && error.code != ErrorCode::ModelNotFound
                }
            };
            if is_over || Instant::now() >= times.heard_until {
                return (addressed.dialect, result);
            }
            last = Some((addressed.dialect, result));
        }
        last.unwrap_or_else(|| {
            (DialectId::OpenAiChat, Err(Error::new(ErrorCode::InvalidRequest, "there is no step to take")))
        })
    }

    async fn step(
        &self,
        snapshot: &Snapshot,
        (index, step): (usize, &Step),
        Addressed { dialect, model, stream }: Addressed<'_>,
        meter: &mut Meter,
    ) -> Result<Reply, Error> {
        // A key of ours shows who calls, which is known by now.
        let own_key = step.key.as_ref().map(Secret::expose).filter(|key| !snapshot.identity.is_ours(key));
        let call = Call {
            dialect,
            model,
            stream,
            json_array: false,
            openrouter: false,
            foreign_key: None,
            own_key,
            provider: Some(&step.provider),
            needs_parameters: false,
            step: Some(index),
            path: &step.path,
            headers: &step.headers,
            body: step.body.clone(),
            held: self.ports().held_bytes.nothing(),
        };
        Box::pin(self.run(snapshot, &call, meter)).await
    }
}
