//! What Mistral takes otherwise than OpenAI.

use std::time::SystemTime;

use gw_core::ErrorCode;
use gw_core::chat::FinishReason;
use http::{HeaderMap, StatusCode};
use serde_json::{Value, json};

use super::around;
use crate::chat::{Egress, Ingress, Origin, RequestLine, Target};
use crate::error::Refusal;
use crate::openai_chat::OpenAiChat;
use crate::shared::rewritten::Rewritten;

const DIALECT: Rewritten = around(&OpenAiChat);

/// What Mistral gets for what a client of OpenAI's format sends, and what is lost.
fn encode(body: &Value) -> (Value, Vec<String>) {
    let request = OpenAiChat.decode_request(&RequestLine::default(), body.to_string().as_bytes()).unwrap();
    let target = Target { model: "mistral-medium-latest", provider: "mistral", stream: request.stream };
    let encoded = DIALECT.encode_request(&request, &target).unwrap();
    let losses = encoded.losses.iter().map(|loss| loss.param.to_string()).collect();
    (serde_json::from_slice(&encoded.body).unwrap(), losses)
}

fn messages(messages: &Value) -> Value {
    encode(&json!({"model": "m", "messages": messages})).0["messages"].take()
}

#[test]
fn what_only_has_another_name_keeps_its_value() {
    let (body, losses) = encode(&json!({
        "model": "m", "messages": [{"role": "developer", "content": "Be brief."}, {"role": "user", "content": "Hi"}],
        "max_completion_tokens": 7, "seed": 3, "presence_penalty": 1, "frequency_penalty": 1, "n": 2, "stream": true,
        "prediction": {"type": "content", "content": "x"}, "safe_prompt": true, "service_tier": "default",
        "stream_options": {"include_usage": true},
    }));
    assert_eq!(losses, [""; 0]);
    assert_eq!((&body["max_tokens"], &body["random_seed"]), (&7.into(), &3.into()));
    assert_eq!((&body["presence_penalty"], &body["frequency_penalty"], &body["n"]), (&1.into(), &1.into(), &2.into()));
    assert_eq!(body["prediction"], json!({"type": "content", "content": "x"}));
    assert_eq!((&body["safe_prompt"], &body["service_tier"]), (&true.into(), &"standard_only".into()));
    assert_eq!((&body["messages"][0]["role"], body.get("stream_options")), (&"system".into(), None));
}

#[test]
fn what_mistral_does_not_know_is_lost_and_told() {
    let (body, losses) = encode(&json!({
        "model": "m", "messages": [{"role": "user", "name": "ann", "content": "Hi"}], "user": "u", "top_logprobs": 1,
        "logprobs": true, "temperature": 2,
    }));
    for param in ["messages[].name", "user", "logprobs", "top_logprobs", "temperature"] {
        assert!(losses.iter().any(|lost| lost == param), "{param} of {losses:?}");
    }
    assert_eq!(body["temperature"], 1.5);
}

#[test]
fn calls_and_their_results_have_the_same_nine_letters() {
    let call = |id: &str| json!({"id": id, "type": "function", "function": {"name": "f", "arguments": "{}"}});
    let result = |id: &str| json!({"role": "tool", "tool_call_id": id, "content": "1"});
    let written = messages(&json!([
        {"role": "user", "content": "Go"},
        {"role": "assistant", "content": null, "tool_calls": [call("call_1"), call("D681PevKs"), call("call_2")]},
        result("call_1"), result("D681PevKs"), result("call_2"),
    ]));
    let ids: Vec<&str> =
        written[1]["tool_calls"].as_array().unwrap().iter().map(|call| call["id"].as_str().unwrap()).collect();
    let results: Vec<&str> = (2..5).map(|place| written[place]["tool_call_id"].as_str().unwrap()).collect();
    assert_eq!(ids, results);
    assert!(ids.iter().all(|id| id.len() == 9 && id.bytes().all(|byte| byte.is_ascii_alphanumeric())), "{ids:?}");
    assert!(ids[1] == "D681PevKs" && ids[0] != ids[2], "{ids:?}");
}

#[test]
fn a_text_to_be_gone_on_with_is_marked_and_another_is_not() {
    let user = json!({"role": "user", "content": "Go"});
    let begun = json!({"role": "assistant", "content": "Once"});
    assert_eq!(messages(&json!([user, begun]))[1], json!({"role": "assistant", "content": "Once", "prefix": true}));
    assert_eq!(messages(&json!([user, begun, user]))[1], begun);
}

#[test]
fn documents_and_sounds_are_parts_of_mistrals_kinds() {
    let pdf = "data:application/pdf;base64,JVBERg==";
    let content = json!([
        {"type": "file", "file": {"filename": "a.pdf", "file_data": pdf}},
        {"type": "document_url", "document_url": "https://example.com/b.pdf"},
        {"type": "input_audio", "input_audio": {"data": "UklGRg==", "format": "wav"}},
        {"type": "file", "file": {"file_id": "5a5b1c0e-0000-4000-8000-000000000000"}},
    ]);
    let written = messages(&json!([{"role": "user", "content": content}]));
    assert_eq!(
        written[0]["content"],
        json!([
            {"type": "document_url", "document_url": pdf, "document_name": "a.pdf"},
            {"type": "document_url", "document_url": "https://example.com/b.pdf"},
            {"type": "input_audio", "input_audio": "UklGRg=="},
            {"type": "file", "file_id": "5a5b1c0e-0000-4000-8000-000000000000"},
        ])
    );
}

#[test]
fn thoughts_go_back_as_parts_with_their_state() {
    let answer = json!({"id": "1", "model": "m", "choices": [{"index": 0, "finish_reason": "stop", "message": {
        "role": "assistant", "content": [
            {"type": "thinking", "thinking": [{"type": "text", "text": "Hm"}], "signature": "s", "closed": true},
            {"type": "text", "text": "Yes"}]}}]});
    let origin = Origin { provider: "mistral".into(), ..Origin::default() };
    let answer = DIALECT.decode_answer(answer.to_string().as_bytes(), &origin).unwrap();
    let mut request = gw_core::chat::ChatRequest::default();
    let message = gw_core::chat::Message::new;
    request.messages = vec![
        message(gw_core::chat::Role::User, vec!["Well?".into()]),
        message(gw_core::chat::Role::Assistant, answer.candidates[0].parts.clone()),
        message(gw_core::chat::Role::User, vec!["Sure?".into()]),
    ];
    let target = Target { model: "m", provider: "mistral", stream: false };
    let body: Value = serde_json::from_slice(&DIALECT.encode_request(&request, &target).unwrap().body).unwrap();
    assert_eq!(
        body["messages"][1]["content"],
        json!([
            {"type": "thinking", "thinking": [{"type": "text", "text": "Hm"}], "signature": "s", "closed": true},
            {"type": "text", "text": "Yes"},
        ])
    );
}

#[test]
fn a_context_that_is_full_is_no_ordinary_end() {
    let answer = json!({"choices": [{"index": 0, "finish_reason": "model_length", "message": {"content": "x"}}]});
    let answer = DIALECT.decode_answer(answer.to_string().as_bytes(), &Origin::default()).unwrap();
    assert_eq!(answer.candidates[0].finish.reason, FinishReason::ContextLength);
}

#[test]
fn a_refusal_is_read_in_each_of_its_forms() {
    for (status, body, code, said) in [
        (401, r#"{"detail":"Unauthorized"}"#, ErrorCode::ProviderAuthentication, ""),
        (
            422,
            r#"{"detail":[{"loc":["body","x"],"msg":"Extra inputs","type":"extra"}]}"#,
            ErrorCode::ProviderRejected,
            "Extra",
        ),
        (
            429,
            r#"{"object":"error","message":"Requests rate limit exceeded","type":"rate_limited","code":"1300"}"#,
            ErrorCode::ProviderRateLimited,
            "rate limit",
        ),
    ] {
        let error = DIALECT.decode_error(Refusal {
            status: StatusCode::from_u16(status).unwrap(),
            headers: HeaderMap::new(),
            body: body.into(),
            provider: "mistral",
            credential_is_callers: false,
            now: SystemTime::UNIX_EPOCH,
        });
        assert_eq!(error.code, code, "{body}: {error}");
        assert!(error.message.contains(said), "{error}");
    }
}
