//! Errors as OpenAI words them.

use bytes::Bytes;
use http::{HeaderValue, Method, Response, StatusCode, header};
use serde::Serialize;

use super::{SandboxBody, json, wire};

/// An error answer.
#[derive(Debug)]
pub(super) struct Problem {
    status: StatusCode,
    error: ProblemBody,
    retry_after_s: Option<u32>,
}

#[derive(Debug, Serialize)]
struct ProblemBody {
    message: String,
    r#type: &'static str,
    param: Option<&'static str>,
    code: Option<&'static str>,
}

/// The body of an error answer, or of an error event.
#[derive(Debug, Serialize)]
pub(super) struct ProblemReport<'a> {
    error: &'a ProblemBody,
}

impl Problem {
    /// The request's body is wrong.
    pub(super) fn invalid(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, message, "invalid_request_error", None)
    }

    /// One field of the request's body is wrong.
    pub(super) fn invalid_field(param: &'static str, message: impl Into<String>) -> Self {
        let mut problem = Self::invalid(message);
        problem.error.param = Some(param);
        problem
    }

    pub(super) fn unknown_path(path: &str) -> Self {
        let message = format!("Invalid URL ({path})");
        Self::new(StatusCode::NOT_FOUND, message, "invalid_request_error", None)
    }

    pub(super) fn method_not_allowed(allowed: &Method) -> Self {
        let message = format!("Not allowed to use this method; use {allowed}");
        Self::new(StatusCode::METHOD_NOT_ALLOWED, message, "invalid_request_error", None)
    }

    pub(super) fn unknown_model(model: &str) -> Self {
        let message = format!("The model `{model}` does not exist or you do not have access to it.");
        Self::new(StatusCode::NOT_FOUND, message, "invalid_request_error", Some("model_not_found"))
    }

    /// The failure of a model that breaks in the middle.
    pub(super) fn broken_model() -> Self {
        let message = "The server had an error while processing your request. Sorry about that!";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, message, "server_error", None)
    }

    /// The failure that a model's name asks for.
    pub(super) fn on_demand(status: StatusCode, retry_after_s: Option<u32>) -> Self {
        let (kind, code) = match status.as_u16() {
            401 => ("invalid_request_error", Some("invalid_api_key")),
            403 => ("invalid_request_error", Some("permission_denied")),
            404 => ("invalid_request_error", Some("model_not_found")),
            408 => ("invalid_request_error", Some("request_timeout")),
            429 => ("requests", Some("rate_limit_exceeded")),
            400..500 => ("invalid_request_error", None),
            _ => ("server_error", None),
        };
        let message = format!("The model's name asked for an error with status {}.", status.as_u16());
        let mut problem = Self::new(status, message, kind, code);
        problem.retry_after_s = retry_after_s;
        problem
    }

    pub(super) fn body(&self) -> ProblemReport<'_> {
        ProblemReport { error: &self.error }
    }

    pub(super) fn into_response(self) -> Response<SandboxBody> {
        let body: Bytes = wire::to_json(&self.body());
        let mut response = json(self.status, SandboxBody::whole(body));
        if let Some(seconds) = self.retry_after_s {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }

    fn new(status: StatusCode, message: impl Into<String>, kind: &'static str, code: Option<&'static str>) -> Self {
        let error = ProblemBody { message: message.into(), r#type: kind, param: None, code };
        Self { status, error, retry_after_s: None }
    }
}
