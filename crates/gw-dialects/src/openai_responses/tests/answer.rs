use gw_core::chat::{
    Candidate, ChatAnswer, ChatRequest, Citation, Finish, FinishReason, Native, Opaque, OpaqueKind, Part, Reasoning,
    Text, ToolCall, ToolInput,
};
use gw_core::{ErrorCode, Usage};
use serde_json::{Value, json};

use super::{asked, decoded, origin};
use crate::chat::{Egress, Ingress};
use crate::openai_responses::{FAMILY, OpenAiResponses};

/// What `Response` must have by OpenAI's schema.
const REQUIRED: [&str; 14] = [
    "id",
    "object",
    "created_at",
    "error",
    "incomplete_details",
    "instructions",
    "model",
    "tools",
    "output",
    "parallel_tool_calls",
    "metadata",
    "tool_choice",
    "temperature",
    "top_p",
];

/// An answer as OpenAI's documents show it.
pub(super) fn sample() -> Value {
    json!({
        "id": "resp_1", "object": "response", "created_at": 1_741_476_542, "status": "completed", "error": null,
        "incomplete_details": null, "instructions": null, "model": "gpt-5.5-2026", "service_tier": "default",
        "output": [
            {"type": "reasoning", "id": "rs_1", "summary": [
                {"type": "summary_text", "text": "First."}, {"type": "summary_text", "text": "Then."}
            ], "encrypted_content": "ENC"},
            {"type": "web_search_call", "id": "ws_1", "status": "completed", "action": {"type": "search", "query": "q"}},
            {"type": "message", "id": "msg_1", "status": "completed", "role": "assistant", "phase": "commentary", "content": [
                {"type": "output_text", "text": "Grüße 🌍", "annotations": [
                    {"type": "url_citation", "url": "https://a", "title": "A", "start_index": 0, "end_index": 5},
                    {"type": "file_citation", "file_id": "f", "filename": "n", "index": 1}
                ], "logprobs": []}
            ]},
            {"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": "f", "arguments": "{\"a\":1}", "status": "completed"},
            {"type": "function_call", "id": "fc_2", "call_id": "call_2", "name": "x", "namespace": "ns", "arguments": "", "status": "completed"},
            {"type": "custom_tool_call", "id": "ctc_1", "call_id": "call_3", "name": "c", "input": "free"},
            {"type": "image_generation_call", "id": "ig_1", "status": "completed", "result": "iVBORw0KGgo="}
        ],
        "usage": {
            "input_tokens": 36, "input_tokens_details": {"cached_tokens": 10, "cache_write_tokens": 2},
            "output_tokens": 87, "output_tokens_details": {"reasoning_tokens": 40}, "total_tokens": 123
        }
    })
}

pub(super) fn answer() -> ChatAnswer {
    OpenAiResponses.decode_answer(sample().to_string().as_bytes(), &origin()).unwrap()
}

fn written(answer: &ChatAnswer, request: ChatRequest) -> Value {
    serde_json::from_slice(&OpenAiResponses.encode_answer(answer, &asked(request))).unwrap()
}

#[test]
fn an_answer_is_read_with_all_its_items_and_counts() {
    let answer = answer();
    let parts = &answer.candidates[0].parts;
    let opaque =
        |kind, data: &str| Some(Opaque { family: FAMILY, provider: "p".to_owned(), kind, data: data.to_owned() });
    assert_eq!(
        parts[0],
        Part::Reasoning(Reasoning {
            id: Some("rs_1".to_owned()),
            text: "First.\n\nThen.".to_owned(),
            is_summary: true,
            opaque: opaque(OpaqueKind::Encrypted, "ENC"),
        })
    );
    assert!(matches!(&parts[1], Part::Native(Native { kind, .. }) if kind == "web_search_call"));
    let Part::Text(text) = &parts[2] else { panic!("{parts:?}") };
    assert_eq!((text.text.as_str(), text.citations.len()), ("Grüße 🌍", 2));
    assert_eq!(text.opaque, opaque(OpaqueKind::Signature, "commentary"));
    let Part::ToolCall(call) = &parts[4] else { panic!("{parts:?}") };
    assert_eq!((call.name.as_str(), &call.input), ("ns__x", &ToolInput::Json("{}".to_owned())));
    assert!(matches!(&parts[6], Part::Media(_)));
    assert_eq!(answer.candidates[0].finish, Finish::new(FinishReason::ToolCalls, "completed"));
    let usage = Usage {
        input_tokens: 36,
        output_tokens: 87,
        cached_input_tokens: 10,
        cache_write_tokens: 2,
        reasoning_tokens: 40,
        searches: 1,
        ..Usage::default()
    };
    assert_eq!((answer.usage, answer.service_tier.as_deref()), (Some(usage), Some("default")));
}

#[test]
fn an_answer_is_written_with_every_member_and_says_the_same() {
    let request = decoded(&json!({
        "model": "m", "instructions": "i", "input": "hi", "metadata": {"k": "v"}, "store": false,
        "tools": [{"type": "namespace", "name": "ns", "description": "d", "tools": [{"type": "function", "name": "x"}]}],
        "reasoning": {"effort": "low"}, "previous_response_id": "resp_0"
    }));
    let response = written(&answer(), request);
    for name in REQUIRED {
        assert!(response.get(name).is_some(), "{name}");
    }
    let id = format!("resp_{}", asked(ChatRequest::default()).request_id);
    assert_eq!(response["id"], id);
    assert_eq!((&response["status"], &response["model"]), (&json!("completed"), &json!("gpt-5.5-2026")));
    assert_eq!((&response["instructions"], &response["store"]), (&json!("i"), &json!(false)));
    assert_eq!(response["previous_response_id"], "resp_0");
    assert_eq!(response["tools"][0]["type"], "namespace");
    assert_eq!(response["usage"], sample()["usage"]);
    let output = response["output"].as_array().unwrap();
    assert_eq!(output.len(), 7);
    assert_eq!(output[0]["id"], "rs_1");
    assert_eq!(output[0]["encrypted_content"], "ENC");
    assert_eq!(output[1], sample()["output"][1]);
    assert_eq!(output[2]["content"], sample()["output"][2]["content"]);
    assert_eq!(output[2]["phase"], "commentary");
    assert_eq!((&output[4]["namespace"], &output[4]["name"]), (&json!("ns"), &json!("x")));
    assert_eq!(output[6]["result"], "iVBORw0KGgo=");
    let again = OpenAiResponses.decode_answer(response.to_string().as_bytes(), &origin()).unwrap();
    assert_eq!(again.candidates, answer().candidates);
}

#[test]
fn reasons_to_end_become_a_status() {
    for (reason, status, why) in [
        (FinishReason::Stop, "completed", Value::Null),
        (FinishReason::StopSequence, "completed", Value::Null),
        (FinishReason::Paused, "completed", Value::Null),
        (FinishReason::Length, "incomplete", json!({"reason": "max_output_tokens"})),
        (FinishReason::ContextLength, "incomplete", json!({"reason": "max_output_tokens"})),
        (FinishReason::ContentFilter, "incomplete", json!({"reason": "content_filter"})),
        (FinishReason::Malformed, "failed", Value::Null),
    ] {
        let candidate =
            Candidate { parts: vec!["x".into()], finish: Finish::new(reason, "vendor"), ..Candidate::default() };
        let answer = ChatAnswer { candidates: vec![candidate], ..ChatAnswer::default() };
        let response = written(&answer, ChatRequest::default());
        assert_eq!((&response["status"], &response["incomplete_details"]), (&json!(status), &why));
        assert!(!response.to_string().contains("vendor"));
    }
}

#[test]
fn an_answer_that_failed_is_the_error_that_it_tells() {
    for (body, code) in [
        (
            json!({"status": "failed", "error": {"code": "rate_limit_exceeded", "message": "try again in 2s"}}),
            ErrorCode::ProviderRateLimited,
        ),
        (
            json!({"status": "failed", "error": {"code": "server_error", "message": "x"}, "output": []}),
            ErrorCode::ProviderFailed,
        ),
        (json!({"error": {"message": "maximum context length", "type": "x"}}), ErrorCode::ContextLengthExceeded),
        (json!({"status": "cancelled", "output": []}), ErrorCode::ProviderFailed),
        (json!({"status": "queued", "output": []}), ErrorCode::ProviderInvalidResponse),
        (json!({"choices": []}), ErrorCode::ProviderInvalidResponse),
        (json!([1]), ErrorCode::ProviderInvalidResponse),
    ] {
        let error = OpenAiResponses.decode_answer(body.to_string().as_bytes(), &origin()).unwrap_err();
        assert_eq!(error.code, code, "{body}");
    }
}

#[test]
fn an_answer_of_another_family_becomes_items() {
    let signed = |family, kind, data: &str| Opaque { family, provider: "a".to_owned(), kind, data: data.to_owned() };
    let gemini = signed(gw_core::chat::Family::Gemini, OpaqueKind::Signature, "G");
    let anthropic = signed(gw_core::chat::Family::Anthropic, OpaqueKind::Signature, "A");
    let citation = Citation { url: Some("https://a".to_owned()), ..Citation::default() };
    let text = |words: &str, citations| Part::Text(Text { text: words.to_owned(), citations, ..Text::default() });
    let parts = vec![
        Part::Reasoning(Reasoning { text: "t".to_owned(), opaque: Some(anthropic.clone()), ..Reasoning::default() }),
        text("one", vec![citation]),
        text("two", Vec::new()),
        Part::ToolCall(ToolCall {
            id: "1".to_owned(),
            name: "f".to_owned(),
            opaque: Some(gemini.clone()),
            ..ToolCall::default()
        }),
    ];
    let candidate = Candidate { parts, finish: Finish::new(FinishReason::ToolCalls, "tool_use"), logprobs: None };
    let answer = ChatAnswer { candidates: vec![candidate], ..ChatAnswer::default() };
    let response = written(&answer, ChatRequest::default());
    let output = response["output"].as_array().unwrap();
    let kinds: Vec<_> = output.iter().map(|item| item["type"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["reasoning", "message", "function_call", "reasoning"]);
    assert_eq!(output[0]["encrypted_content"], anthropic.seal(FAMILY));
    assert_eq!(output[1]["content"][0]["annotations"][0]["end_index"], 3);
    assert_eq!(output[1]["content"][1]["text"], "two");
    assert_eq!(output[3]["encrypted_content"], gemini.seal(FAMILY));
}
