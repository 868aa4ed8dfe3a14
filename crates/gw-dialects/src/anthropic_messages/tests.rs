//! What the dialect promises as a whole.

mod answers;
mod models_rules;
mod requests;
mod sending;
mod streams;

use std::rc::Rc;
use std::time::SystemTime;

use gw_core::chat::{ChatRequest, Loss};
use http::HeaderMap;
use serde_json::Value;

use super::*;

fn target(model: &str) -> Target<'_> {
    Target { model, provider: "p", stream: false }
}

fn decoded(body: &Value) -> ChatRequest {
    AnthropicMessages.decode_request(&RequestLine::default(), body.to_string().as_bytes()).unwrap()
}

/// The body that a provider gets, and the parameters that were lost.
fn encoded(request: &ChatRequest, model: &str) -> (Value, Vec<String>) {
    let encoded = AnthropicMessages.encode_request(request, &target(model)).unwrap();
    let lost = encoded.losses.iter().map(|Loss { param, .. }| param.to_string()).collect();
    (serde_json::from_slice(&encoded.body).unwrap(), lost)
}

fn origin() -> Origin {
    Origin { provider: Rc::from("p"), model: Rc::from("claude-x"), ..Origin::default() }
}

fn asked() -> Asked {
    let request = ChatRequest { model: "claude-x".to_owned(), ..ChatRequest::default() };
    Asked { request: Rc::new(request), request_id: RequestId::from_u128(7), now_s: 0 }
}

fn refusal(status: u16, body: &str) -> Refusal<'_> {
    Refusal {
        status: StatusCode::from_u16(status).unwrap(),
        headers: HeaderMap::new(),
        body: Bytes::copy_from_slice(body.as_bytes()),
        provider: "p",
        credential_is_callers: false,
        now: SystemTime::UNIX_EPOCH,
    }
}
