//! Members that the gateway does not know, wherever in a request they stand: their own family gets them back, and every
//! other lists them as losses.

use gw_core::chat::ChatRequest;
use gw_dialects::DialectId;
use gw_dialects::chat::{EGRESSES, INGRESSES, RequestLine, Target};
use serde_json::{Value, json};

const PNG: &str = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";

/// A request in each dialect that has unknown members, called `unheard…`, in every place.
fn requests() -> [(DialectId, Value); 4] {
    [
        (DialectId::OpenAiChat, chat()),
        (DialectId::AnthropicMessages, messages()),
        (DialectId::Gemini, gemini()),
        (DialectId::OpenAiResponses, responses()),
    ]
}

fn schema() -> Value {
    json!({"type": "object", "properties": {}})
}

fn picture() -> String {
    format!("data:image/png;base64,{PNG}")
}

fn chat() -> Value {
    json!({
        "model": "m",
        "messages": [
            {"role": "system", "content": "be", "unheard_system": 1},
            {"role": "user", "unheard_message": 1, "content": [
                {"type": "text", "text": "q", "unheard_text": {"a": [1]}},
                {"type": "image_url", "unheard_part": 1, "image_url": {"url": picture(), "unheard_image": 1}},
            ]},
            {"role": "assistant", "content": null, "unheard_assistant": 1, "tool_calls": [
                {"id": "c1", "type": "function", "unheard_call": 1,
                 "function": {"name": "f", "arguments": "{}", "unheard_called": 1}},
            ]},
            {"role": "tool", "tool_call_id": "c1", "content": "r", "unheard_result": 1},
        ],
        "tools": [{"type": "function", "unheard_tool": 1,
                   "function": {"name": "f", "parameters": schema(), "unheard_function": 1}}],
    })
}

fn messages() -> Value {
    json!({
        "model": "m", "max_tokens": 10,
        "messages": [
            {"role": "user", "unheard_message": 1, "content": [
                {"type": "text", "text": "q", "unheard_text": {"a": [1]}},
                {"type": "image", "unheard_part": 1,
                 "source": {"type": "base64", "media_type": "image/png", "data": PNG, "unheard_source": 1}},
            ]},
            {"role": "assistant", "unheard_assistant": 1, "content": [
                {"type": "tool_use", "id": "c1", "name": "f", "input": {}, "unheard_call": 1},
            ]},
            {"role": "user", "content": [
                {"type": "tool_result", "tool_use_id": "c1", "content": "r", "unheard_result": 1},
            ]},
        ],
        "tools": [{"name": "f", "input_schema": schema(), "unheard_tool": 1}],
    })
}

fn gemini() -> Value {
    json!({
        "contents": [
            {"role": "user", "unheardContent": 1, "parts": [
                {"text": "q", "unheardText": {"a": [1]}},
                {"unheardPart": 1, "inlineData": {"mimeType": "image/png", "data": PNG, "unheardBlob": 1}},
            ]},
            {"role": "model", "unheardModel": 1, "parts": [
                {"unheardCall": 1, "functionCall": {"id": "c1", "name": "f", "args": {}, "unheardCalled": 1}},
            ]},
            {"role": "user", "parts": [
                {"unheardAnswer": 1, "functionResponse": {
                    "id": "c1", "name": "f", "response": {"result": "r"}, "unheardResponse": 1}},
            ]},
        ],
        "tools": [{"functionDeclarations": [{"name": "f", "unheardFunction": 1}]}],
    })
}

fn responses() -> Value {
    json!({
        "model": "m",
        "input": [
            {"role": "user", "unheard_message": 1, "content": [
                {"type": "input_text", "text": "q", "unheard_text": {"a": [1]}},
                {"type": "input_image", "image_url": picture(), "unheard_image": 1},
            ]},
            {"role": "assistant", "unheard_assistant": 1, "content": [
                {"type": "output_text", "text": "a", "annotations": [], "unheard_output": 1},
            ]},
            {"type": "function_call", "call_id": "c1", "name": "f", "arguments": "{}", "unheard_call": 1},
            {"type": "function_call_output", "call_id": "c1", "output": "r", "unheard_result": 1},
        ],
        "tools": [{"type": "function", "name": "f", "parameters": schema(), "unheard_tool": 1}],
    })
}

fn decoded(dialect: DialectId, body: &Value) -> ChatRequest {
    let (_, ingress) = INGRESSES.iter().find(|(id, _)| *id == dialect).unwrap();
    let line = RequestLine { model: Some("m"), ..RequestLine::default() };
    ingress.decode_request(&line, body.to_string().as_bytes()).unwrap()
}

/// The names of every unknown member of a value.
fn unheard(value: &Value, names: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                if name.starts_with("unheard") {
                    names.push(name.clone());
                }
                unheard(value, names);
            }
        }
        Value::Array(list) => list.iter().for_each(|value| unheard(value, names)),
        _ => {}
    }
}

fn names(value: &Value) -> Vec<String> {
    let mut names = Vec::new();
    unheard(value, &mut names);
    names.sort();
    names
}

#[test]
fn a_member_that_nobody_knows_goes_back_to_its_own_dialect_and_is_named_to_every_other() {
    for (dialect, body) in requests() {
        let request = decoded(dialect, &body);
        for (other, egress) in EGRESSES {
            let target = Target { model: "m", provider: "p", stream: false };
            let encoded = egress.encode_request(&request, &target).unwrap();
            let written: Value = serde_json::from_slice(&encoded.body).unwrap();
            let place = format!("{dialect:?} to {other:?}: {written:#}\n{:#?}", encoded.losses);
            // DashScope reads OpenAI's members, and leaves out what it does not know.
            let is_own = *other == dialect || (dialect, *other) == (DialectId::OpenAiChat, DialectId::DashScopeChat);
            if is_own {
                assert_eq!(names(&written), names(&body), "{place}");
                assert!(encoded.losses.iter().all(|loss| !loss.param.contains("unheard")), "{place}");
                continue;
            }
            assert_eq!(names(&written), [""; 0], "{place}");
            for name in names(&body) {
                let told = encoded.losses.iter().filter(|loss| loss.param.ends_with(&name)).count();
                assert_eq!(told, 1, "{name}: {place}");
            }
        }
    }
}

#[test]
fn what_agents_send_back_of_answers_is_no_unknown_member() {
    let body = json!({
        "model": "m",
        "input": [
            {"type": "message", "id": "msg_1", "status": "completed", "role": "assistant", "content": [
                {"type": "output_text", "text": "a", "annotations": [], "logprobs": []}]},
            {"type": "function_call", "id": "fc_1", "status": "completed", "call_id": "c1", "name": "f", "arguments": "{}"},
            {"type": "function_call_output", "id": "fco_1", "status": "completed", "call_id": "c1", "output": "r"},
        ],
    });
    let request = decoded(DialectId::OpenAiResponses, &body);
    for (other, egress) in EGRESSES {
        let target = Target { model: "m", provider: "p", stream: false };
        let losses = egress.encode_request(&request, &target).unwrap().losses;
        assert!(losses.iter().all(|loss| !loss.is_dropped()), "{other:?}: {losses:?}");
    }
}
