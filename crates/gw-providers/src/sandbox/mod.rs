//! The built-in sample provider: answers as an OpenAI-compatible upstream would, in process and without a key.
//!
//! Reading order: [`model`] (what a model's name asks for), [`request`] (what is read of a body), [`reply`] with [`tool`]
//! and [`instance`] (what is said), [`chat`], [`completion`] and [`embedding`] (how it is written), [`carried`] (pictures,
//! audio and files), [`problem`] (errors), [`body`] (how it flows).
//!
//! **Invariants.**
//! - The same request gives the same bytes: no clock, no dice, no state.
//! - No body makes it panic, but under the names of the two models that are made to.
//! - An answer is made while it is read; what is held is bounded, whatever is asked for.

mod body;
mod carried;
mod chat;
mod completion;
mod embedding;
mod instance;
mod model;
mod problem;
mod reply;
mod request;
#[cfg(test)]
mod tests;
mod text;
mod tool;
mod wire;

use std::future::pending;

use bytes::Bytes;
use gw_core::Operation;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use serde::Serialize;

pub use self::body::SandboxBody;
pub use self::model::{MODELS, SandboxModel, is_known};

use self::body::Ending;
use self::model::{Answering, Behaviour, Quirk};
use self::problem::Problem;
use self::wire::CREATED;

/// Why there is no answer, or only a part of one: what a socket would have said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SandboxFault {
    /// Nobody listens.
    #[error("connection refused")]
    Refused,
    /// The connection ended before the answer was complete.
    #[error("the connection ended before the answer was complete")]
    Disconnected,
}

/// Answers `request` as an upstream would. The path is the one under the base URL (`/chat/completions`); a leading `/v1`
/// is accepted. Dropping the future, or the body of the answer, cancels.
///
/// # Errors
/// The fault that the model's name asks for.
///
/// # Panics
/// Under the model name `panic`, on purpose; the body panics under `panic-mid-stream`.
pub async fn respond(request: Request<Bytes>) -> Result<Response<SandboxBody>, SandboxFault> {
    let path = request.uri().path();
    let path = path.strip_prefix("/v1").unwrap_or(path);
    let (method, operation) = match path {
        "/models" => (Method::GET, None),
        "/chat/completions" => (Method::POST, Some(Operation::Chat)),
        "/completions" => (Method::POST, Some(Operation::Completion)),
        "/embeddings" => (Method::POST, Some(Operation::Embeddings)),
        "/images/generations" => (Method::POST, Some(Operation::Images)),
        "/audio/speech" => (Method::POST, Some(Operation::Speech)),
        _ => return Ok(carried::respond(request.method(), path, request.body())),
    };
    if request.method() != method {
        return Ok(Problem::method_not_allowed(&method).into_response());
    }
    let Some(operation) = operation else { return Ok(list_models()) };
    let behaviour = match request::model_of(request.body()) {
        Ok(model) => match Behaviour::of(&model) {
            Some(behaviour) => behaviour,
            None => return Ok(Problem::unknown_model(&model).into_response()),
        },
        Err(problem) => return Ok(problem.into_response()),
    };
    behave(behaviour, operation, request.body()).await
}

async fn behave(
    behaviour: Behaviour,
    operation: Operation,
    body: &Bytes,
) -> Result<Response<SandboxBody>, SandboxFault> {
    match behaviour {
        Behaviour::Answer(answering) => Ok(answer(answering, operation, body)),
        Behaviour::Error { status, retry_after_s } => Ok(Problem::on_demand(status, retry_after_s).into_response()),
        Behaviour::HtmlError => Ok(html_error()),
        Behaviour::NotJson => Ok(json(StatusCode::OK, SandboxBody::whole(Bytes::from_static(b"this is not json")))),
        Behaviour::EmptyBody => Ok(json(StatusCode::OK, SandboxBody::whole(Bytes::new()))),
        Behaviour::Huge { mebibytes } => Ok(chat::huge(mebibytes, body)),
        Behaviour::Timeout => pending().await,
        Behaviour::Refuse => Err(SandboxFault::Refused),
        Behaviour::CutBeforeHead => Err(SandboxFault::Disconnected),
        Behaviour::Panic => panic_on_demand(),
    }
}

fn answer(answering: Answering, operation: Operation, body: &Bytes) -> Response<SandboxBody> {
    let answered = match operation {
        // No path of the sandbox's leads to the last three.
        Operation::Chat | Operation::CountTokens | Operation::Rerank | Operation::Moderations => {
            chat::respond(answering, body)
        }
        Operation::Completion => completion::respond(answering, body),
        Operation::Embeddings => embedding::respond(answering, body),
        Operation::Images => Ok(carried::images()),
        Operation::Speech => Ok(carried::speech()),
        // Their paths name no model, or name it in a form.
        Operation::Transcription
        | Operation::Videos
        | Operation::Files
        | Operation::Batches
        | Operation::FineTuning
        | Operation::Realtime
        | Operation::Passthrough => Err(Problem::unknown_path("/")),
    };
    answered.unwrap_or_else(Problem::into_response)
}

#[derive(Serialize)]
struct ModelList {
    object: &'static str,
    data: Vec<ModelEntry>,
}

#[derive(Serialize)]
struct ModelEntry {
    id: &'static str,
    object: &'static str,
    created: u64,
    owned_by: &'static str,
}

fn list_models() -> Response<SandboxBody> {
    let data = MODELS
        .iter()
        .map(|model| ModelEntry { id: model.name, object: "model", created: CREATED, owned_by: "sandbox" })
        .collect();
    json(StatusCode::OK, SandboxBody::whole(wire::to_json(&ModelList { object: "list", data })))
}

fn html_error() -> Response<SandboxBody> {
    const PAGE: &[u8] = b"<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n\
        <body><center><h1>502 Bad Gateway</h1></center></body>\r\n</html>\r\n";
    with_type(StatusCode::BAD_GATEWAY, "text/html", SandboxBody::whole(Bytes::from_static(PAGE)))
}

/// A JSON answer, or the error that the model's name puts in the place of its second half.
fn whole_answer(quirk: Quirk, body: SandboxBody, complete_pieces: usize) -> Response<SandboxBody> {
    let body = match quirk {
        Quirk::None | Quirk::NoUsage | Quirk::NoDone => body,
        Quirk::Hang => body.broken_off(complete_pieces, Ending::Hang),
        Quirk::Cut => body.broken_off(complete_pieces, Ending::Disconnect),
        Quirk::Panic => body.broken_off(complete_pieces, Ending::Panic),
        Quirk::ErrorEvent => return Problem::broken_model().into_response(),
    };
    json(StatusCode::OK, body)
}

/// A stream of events, broken as the model's name asks.
fn event_stream(answering: Answering, events: impl Iterator<Item = Bytes> + Send + 'static) -> Response<SandboxBody> {
    /// How many events a stream that breaks has sent by then: the role and some text, but not all.
    const COMPLETE_EVENTS: usize = 3;
    let body = match answering.quirk {
        Quirk::None | Quirk::NoUsage | Quirk::NoDone => SandboxBody::flowing(events),
        Quirk::Hang => SandboxBody::flowing(events).broken_off(COMPLETE_EVENTS, Ending::Hang),
        Quirk::Cut => SandboxBody::flowing(events).broken_off(COMPLETE_EVENTS, Ending::Disconnect),
        Quirk::Panic => SandboxBody::flowing(events).broken_off(COMPLETE_EVENTS, Ending::Panic),
        Quirk::ErrorEvent => {
            let error = std::iter::once_with(|| wire::event(&Problem::broken_model().body()));
            SandboxBody::flowing(events.take(COMPLETE_EVENTS).chain(error))
        }
    };
    with_type(StatusCode::OK, "text/event-stream; charset=utf-8", body.paced(answering.pace))
}

fn json(status: StatusCode, body: SandboxBody) -> Response<SandboxBody> {
    with_type(status, "application/json", body)
}

fn with_type(status: StatusCode, content_type: &'static str, body: SandboxBody) -> Response<SandboxBody> {
    let length = body.length();
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert("x-request-id", HeaderValue::from_static("req-sandbox"));
    if let Some(length) = length {
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    }
    response
}

#[expect(clippy::panic, reason = "shows that a panic in an attempt takes nothing else down")]
fn panic_on_demand() -> ! {
    panic!("the model name asked for a panic")
}
