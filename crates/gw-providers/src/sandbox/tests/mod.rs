//! What an application, and the gateway in front of it, relies on.

use bytes::Bytes;
use http::{Method, Request, Response};
use http_body_util::BodyExt;
use serde_json::{Value, json};

use super::{SandboxBody, SandboxFault, respond};

mod answers;
mod faults;
mod schema;

fn request(path: &str, body: impl Into<Bytes>) -> Request<Bytes> {
    Request::builder().method(Method::POST).uri(path).body(body.into()).unwrap()
}

async fn post(path: &str, body: &Value) -> Response<SandboxBody> {
    respond(request(path, body.to_string())).await.unwrap()
}

async fn bytes_of(response: Response<SandboxBody>) -> Bytes {
    response.into_body().collect().await.unwrap().to_bytes()
}

async fn chat(body: Value) -> Value {
    serde_json::from_slice(&bytes_of(post("/chat/completions", &body).await).await).unwrap()
}

/// What came before the body ended, and how it ended.
async fn until_end(mut body: SandboxBody) -> (String, Option<SandboxFault>) {
    let mut text = String::new();
    loop {
        match body.frame().await {
            None => return (text, None),
            Some(Err(fault)) => return (text, Some(fault)),
            Some(Ok(frame)) => text.push_str(std::str::from_utf8(frame.data_ref().unwrap()).unwrap()),
        }
    }
}

fn events(text: &str) -> Vec<Value> {
    text.split_terminator("\n\n")
        .filter(|event| *event != "data: [DONE]")
        .map(|event| serde_json::from_str(event.strip_prefix("data: ").unwrap()).unwrap())
        .collect()
}

fn hello(model: &str) -> Value {
    json!({ "model": model, "messages": [{ "role": "user", "content": "hello, house" }] })
}

fn weather_tool() -> Value {
    json!({ "type": "function", "function": { "name": "weather", "parameters": { "type": "object",
        "properties": { "city": { "type": "string" }, "unit": { "enum": ["celsius", "kelvin"] }, "note": {} },
        "required": ["city", "unit"] } } })
}

fn with(mut body: Value, more: Value) -> Value {
    let Value::Object(more) = more else { panic!("only an object can be joined") };
    body.as_object_mut().unwrap().extend(more);
    body
}
