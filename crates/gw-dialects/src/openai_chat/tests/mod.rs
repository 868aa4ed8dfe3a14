//! Tests of both ends together.

mod answer;
mod error;
mod members;
mod older;
mod request;
mod stream;

use std::rc::Rc;

use gw_core::RequestId;
use gw_core::chat::ChatRequest;
use serde_json::Value;

use super::OpenAiChat;
use crate::chat::{Asked, Egress, Encoded, Ingress, Origin, RequestLine, Target};

fn decode(body: &Value) -> ChatRequest {
    OpenAiChat.decode_request(&RequestLine::default(), body.to_string().as_bytes()).unwrap()
}

fn target(stream: bool) -> Target<'static> {
    Target { model: "upstream-model", provider: "prov", stream }
}

fn encode(request: &ChatRequest) -> (Value, Encoded) {
    let encoded = OpenAiChat.encode_request(request, &target(false)).unwrap();
    (serde_json::from_slice(&encoded.body).unwrap(), encoded)
}

fn messages(request: &ChatRequest) -> Value {
    encode(request).0["messages"].clone()
}

fn losses(encoded: &Encoded) -> Vec<&str> {
    encoded.losses.iter().map(|loss| &*loss.param).collect()
}

fn origin() -> Origin {
    Origin { provider: "prov".into(), model: "m".into(), ..Origin::default() }
}

fn asked(request: ChatRequest) -> Asked {
    Asked { request: Rc::new(request), request_id: RequestId::from_u128(1), now_s: 7 }
}
