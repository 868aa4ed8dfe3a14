//! `POST /gateway/plan`: what would be done with a request, without doing it.
//!
//! The body is `{"path": "/v1/chat/completions", "headers": {…}, "body": {…}}`, or the request's own body, with its path
//! as `?path=`. Without a path it is a chat in OpenAI's format.

use bytes::Bytes;
use gw_core::{Error, ErrorCode, RequestId};
use gw_dialects::paths;
use gw_dialects::shared::percent;
use gw_engine::{Call, Engine, ReplyBody, Snapshot};
use gw_http::panics::{CatchPanic, Panicked};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use hyper::body::Incoming;
use serde_json::Value;

use crate::handle::Api;
use crate::models::Shape;
use crate::{openrouter, respond};

/// The path of a request that does not say its own.
const USUAL_PATH: &str = "/v1/chat/completions";

/// A request that somebody asks about.
pub struct Asked {
    path: String,
    headers: HeaderMap,
    body: Bytes,
}

impl Asked {
    /// Reads what is asked about. `path` is the request's, where it is said outside of `text`.
    ///
    /// # Errors
    /// `invalid_json` or `invalid_request`, if it is no question.
    pub fn read(text: Bytes, path: Option<String>) -> Result<Self, Error> {
        let asked: Value = serde_json::from_slice(&text)
            .map_err(|_| Error::new(ErrorCode::InvalidJson, "the body is not valid JSON"))?;
        let (Some(own_path), Some(body), None) = (asked["path"].as_str(), asked.get("body"), &path) else {
            let path = path.unwrap_or_else(|| USUAL_PATH.to_owned());
            return Ok(Self { path, headers: HeaderMap::new(), body: text });
        };
        let headers = match asked.get("headers") {
            None | Some(Value::Null) => HeaderMap::new(),
            Some(Value::Object(members)) => {
                let pairs = members.iter().map(|(name, value)| {
                    let name = HeaderName::try_from(name.as_str()).ok()?;
                    Some((name, HeaderValue::try_from(value.as_str()?).ok()?))
                });
                pairs.collect::<Option<HeaderMap>>().ok_or_else(|| invalid("a header is not a text", "headers"))?
            }
            Some(_) => return Err(invalid("it is not an object", "headers")),
        };
        Ok(Self { path: own_path.to_owned(), headers, body: Bytes::from(body.to_string()) })
    }

    /// The plan, as JSON. `around` are the headers of whoever asks; those of the question come before them. Who asks is
    /// known by the name of a key, or by a key that is not ours.
    ///
    /// # Errors
    /// What the request itself would be answered with before anything is sent.
    pub fn explain(
        &self,
        engine: &Engine,
        snapshot: &Snapshot,
        around: &HeaderMap,
        (key_name, foreign_key): (Option<&str>, Option<&str>),
        request_id: RequestId,
    ) -> Result<Value, Error> {
        let path = self.path.split('?').next().unwrap_or_default();
        let addressed = paths::route(openrouter::operation(path))
            .ok_or_else(|| invalid("nothing that is planned is at this path, such as /v1/chat/completions", "path"))?;
        let mut headers = around.clone();
        for (name, value) in &self.headers {
            headers.insert(name.clone(), value.clone());
        }
        let call = Call {
            dialect: addressed.dialect,
            model: addressed.model,
            stream: addressed.stream,
            json_array: false,
            openrouter: openrouter::is_here(path),
            foreign_key,
            provider: None,
            own_key: None,
            needs_parameters: false,
            step: None,
            path,
            headers: &headers,
            body: self.body.clone(),
            held: engine.ports().held_bytes.nothing(),
        };
        engine.explain(snapshot, &call, key_name, request_id)
    }
}

impl Api {
    /// Answers a question about a request.
    pub(crate) async fn plan(&self, snapshot: &Snapshot, parts: &Parts, incoming: Incoming) -> Response<ReplyBody> {
        let request_id = self.next_id();
        let answering = Box::pin(self.planned(snapshot, parts, incoming, request_id));
        let answered = match CatchPanic::new(answering).await {
            Ok(answered) => answered.map(|plan| respond::json((StatusCode::OK, Bytes::from(plan.to_string())))),
            Err(Panicked) => Err(respond::broken()),
        };
        respond::own(answered, Shape::of(parts).dialect(), request_id)
    }

    async fn planned(
        &self,
        snapshot: &Snapshot,
        parts: &Parts,
        incoming: Incoming,
        request_id: RequestId,
    ) -> Result<Value, Error> {
        let question = self.question(snapshot, parts, incoming).await?;
        let asked = Asked::read(question.body.clone(), path_in(parts.uri.query()))?;
        let keys = (question.identified.caller.key_name.as_deref(), question.foreign_key());
        asked.explain(&self.engine, snapshot, &parts.headers, keys, request_id)
    }
}

fn path_in(query: Option<&str>) -> Option<String> {
    let path = query?.split('&').find_map(|pair| pair.strip_prefix("path="))?;
    String::from_utf8(percent::decoded(path)).ok()
}

fn invalid(what: &str, param: &'static str) -> Error {
    Error::new(ErrorCode::InvalidRequest, format!("\"{param}\" of the question cannot be used: {what}"))
        .with_param(param)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &'static str, path: Option<&str>) -> Asked {
        Asked::read(Bytes::from_static(text.as_bytes()), path.map(str::to_owned)).unwrap()
    }

    #[test]
    fn a_question_is_an_envelope_or_the_request_s_own_body() {
        let wrapped = read(r#"{"path":"/v1/messages","headers":{"X-Tag":"a"},"body":{"model":"m"}}"#, None);
        assert_eq!((wrapped.path.as_str(), wrapped.headers["x-tag"].to_str().unwrap()), ("/v1/messages", "a"));
        assert_eq!(wrapped.body, r#"{"model":"m"}"#);
        let own = read(r#"{"model":"m"}"#, Some("/v1/embeddings"));
        assert_eq!((own.path.as_str(), &*own.body), ("/v1/embeddings", br#"{"model":"m"}"#.as_slice()));
        assert_eq!(read(r#"{"model":"m"}"#, None).path, USUAL_PATH);
    }

    #[test]
    fn what_is_no_question_is_refused() {
        for (text, code) in [
            ("{", ErrorCode::InvalidJson),
            (r#"{"path":"/v1/messages","headers":[],"body":{}}"#, ErrorCode::InvalidRequest),
            (r#"{"path":"/v1/messages","headers":{"a b":"c"},"body":{}}"#, ErrorCode::InvalidRequest),
            (r#"{"path":"/v1/messages","headers":{"a":1},"body":{}}"#, ErrorCode::InvalidRequest),
        ] {
            assert_eq!(Asked::read(Bytes::from_static(text.as_bytes()), None).err().unwrap().code, code, "{text}");
        }
    }

    #[test]
    fn a_path_in_the_query_may_be_escaped() {
        assert_eq!(path_in(Some("a=b&path=%2Fv1%2Fmessages")).as_deref(), Some("/v1/messages"));
        assert_eq!(path_in(Some("a=b")), None);
    }
}
