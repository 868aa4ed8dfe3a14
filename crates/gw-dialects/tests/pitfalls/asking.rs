//! Asks a provider in the words of a client of OpenAI's, and tells the client what it says.

use std::rc::Rc;

use gw_core::RequestId;
use gw_core::chat::{ChatAnswer, ChatRequest};
use gw_dialects::DialectId;
use gw_dialects::chat::{self, Asked, Encoded, Origin, RequestLine, Target};
use serde_json::{Value, json};

/// A model of Anthropic's.
pub(crate) const CLAUDE: &str = "claude-sonnet-4-5";

/// What a client of OpenAI's format asks.
pub(crate) fn asked(members: &Value) -> ChatRequest {
    let mut body = json!({"model": "m", "messages": [{"role": "user", "content": "q"}]});
    body.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
    let ingress = chat::ingress(DialectId::OpenAiChat).unwrap();
    ingress.decode_request(&RequestLine::default(), body.to_string().as_bytes()).unwrap()
}

pub(crate) fn encoded(request: &ChatRequest, dialect: DialectId, model: &str) -> (Value, Encoded) {
    let target = Target { model, provider: "p", stream: false };
    let encoded = chat::egress(dialect).unwrap().encode_request(request, &target).unwrap();
    (serde_json::from_slice(&encoded.body).unwrap(), encoded)
}

/// The body that a provider gets, and the losses.
pub(crate) fn sent(members: &Value, dialect: DialectId, model: &str) -> (Value, Vec<String>) {
    let (body, encoded) = encoded(&asked(members), dialect, model);
    (body, encoded.losses.iter().map(ToString::to_string).collect())
}

pub(crate) fn answer(dialect: DialectId, body: &Value) -> ChatAnswer {
    let origin = Origin { provider: Rc::from("p"), ..Origin::default() };
    chat::egress(dialect).unwrap().decode_answer(body.to_string().as_bytes(), &origin).unwrap()
}

pub(crate) fn to_client(answer: &ChatAnswer) -> Value {
    let asked = nothing();
    serde_json::from_slice(&chat::ingress(DialectId::OpenAiChat).unwrap().encode_answer(answer, &asked)).unwrap()
}

pub(crate) fn has_loss(losses: &[String], name: &str) -> bool {
    losses.iter().any(|loss| loss.contains(name))
}

pub(crate) fn message(role: &str, content: &Value) -> Value {
    json!({"role": role, "content": content})
}

pub(crate) fn with_tool(members: &Value) -> Value {
    let tool =
        json!({"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {}}}});
    let mut all = json!({"tools": [tool]});
    all.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
    all
}

/// What an answer is given to, where it makes no difference.
pub(crate) fn nothing() -> Asked {
    Asked { request: Rc::default(), request_id: RequestId::from_u128(7), now_s: 0 }
}
