//! The dialect from the outside: requests, whole answers, streams.

mod answer;
mod request;
mod stream;
mod unknown;

use std::rc::Rc;

use gw_core::RequestId;
use gw_core::chat::ChatRequest;
use serde_json::Value;

use super::OpenAiResponses;
use crate::chat::{Asked, Egress, Encoded, Ingress, Origin, RequestLine, Target};

const TARGET: Target<'static> = Target { model: "gpt-5.5", provider: "p", stream: false };

fn decoded(body: &Value) -> ChatRequest {
    OpenAiResponses.decode_request(&RequestLine::default(), body.to_string().as_bytes()).unwrap()
}

fn encoded(request: &ChatRequest) -> (Value, Encoded) {
    let encoded = OpenAiResponses.encode_request(request, &TARGET).unwrap();
    (serde_json::from_slice(&encoded.body).unwrap(), encoded)
}

fn asked(request: ChatRequest) -> Asked {
    Asked { request: Rc::new(request), request_id: RequestId::from_u128(7), now_s: 1_700_000_000 }
}

fn origin() -> Origin {
    Origin { provider: "p".into(), model: "gpt-5.5".into(), ..Origin::default() }
}
