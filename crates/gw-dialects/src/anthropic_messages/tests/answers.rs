//! Whole answers and errors, read and written.

use std::time::Duration;

use gw_core::chat::{
    Candidate, Citation, Finish, FinishReason, Media, MediaKind, MediaSource, Opaque, OpaqueKind, Part, Reasoning,
    Text, ToolCall, ToolInput,
};
use gw_core::{ErrorCode, UpstreamError, Usage};
use http::HeaderValue;
use serde_json::json;

use super::*;

/// An answer with every kind of block, as Anthropic writes it.
pub(super) fn rich() -> Value {
    json!({
        "id": "msg_01", "type": "message", "role": "assistant", "model": "claude-sonnet-4-5-20250929",
        "content": [
            {"type": "thinking", "thinking": "hm", "signature": "c2ln"},
            {"type": "redacted_thinking", "data": "ZGF0YQ=="},
            {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": "q"}},
            {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": []},
            {"type": "text", "text": "Hello — ☕", "citations": [
                {"type": "web_search_result_location", "url": "https://a", "title": "A", "cited_text": "x", "encrypted_index": "e"},
            ]},
            {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {"a": 1}},
            {"type": "tool_use", "id": "toolu_2", "name": "g", "input": {}},
        ],
        "stop_reason": "tool_use", "stop_sequence": null,
        "usage": {
            "input_tokens": 10, "cache_creation_input_tokens": 20, "cache_read_input_tokens": 30, "output_tokens": 40,
            "output_tokens_details": {"thinking_tokens": 5}, "service_tier": "standard",
        },
    })
}

fn read(body: &Value) -> ChatAnswer {
    AnthropicMessages.decode_answer(body.to_string().as_bytes(), &origin()).unwrap()
}

fn written(answer: &ChatAnswer) -> Value {
    serde_json::from_slice(&AnthropicMessages.encode_answer(answer, &asked())).unwrap()
}

#[test]
fn an_answer_of_anthropics_is_understood_and_written_again_as_it_was() {
    let answer = read(&rich());
    let usage = Usage {
        input_tokens: 60,
        output_tokens: 40,
        cached_input_tokens: 30,
        cache_write_tokens: 20,
        reasoning_tokens: 5,
        ..Usage::default()
    };
    assert_eq!(answer.usage, Some(usage));
    assert_eq!(answer.service_tier.as_deref(), Some("default"));
    let candidate = &answer.candidates[0];
    // pitfalls B2: what the provider's own tools do is no call of the application's.
    assert_eq!(candidate.parts.iter().filter(|part| matches!(part, Part::ToolCall(_))).count(), 2);
    assert!(matches!(&candidate.parts[2], Part::Native(native) if native.kind == "server_tool_use"));
    let Part::Text(text) = &candidate.parts[4] else { panic!("{candidate:?}") };
    assert_eq!(text.citations[0].url.as_deref(), Some("https://a"));
    assert_eq!(candidate.finish, Finish::new(FinishReason::ToolCalls, "tool_use"));
    assert_eq!(written(&answer), rich());
}

#[test]
fn every_reason_has_its_word_and_calls_decide() {
    for (word, calls, reason) in [
        ("end_turn", false, FinishReason::Stop),
        ("end_turn", true, FinishReason::ToolCalls),
        ("tool_use", false, FinishReason::Stop),
        ("max_tokens", true, FinishReason::Length),
        ("model_context_window_exceeded", false, FinishReason::ContextLength),
        ("stop_sequence", false, FinishReason::StopSequence),
        ("pause_turn", false, FinishReason::Paused),
        ("refusal", false, FinishReason::ContentFilter),
        ("something_new", false, FinishReason::Stop),
    ] {
        let content =
            if calls { json!([{"type": "tool_use", "id": "a", "name": "f", "input": {}}]) } else { json!([]) };
        let body = json!({"type": "message", "content": content, "stop_reason": word, "usage": {}});
        let answer = read(&body);
        let finish = &answer.candidates[0].finish;
        assert_eq!((finish.reason, finish.raw.as_deref()), (reason, Some(word)));
        let back = written(&answer)["stop_reason"].clone();
        let expected = match (word, calls) {
            ("end_turn", true) => "tool_use",
            ("tool_use", false) | ("something_new", _) => "end_turn",
            _ => word,
        };
        assert_eq!(back, expected, "{word}");
    }
}

#[test]
fn what_other_vendors_answer_is_said_in_anthropics_words() {
    let state =
        |kind, data: &str| Opaque { family: Family::Gemini, provider: "g".to_owned(), kind, data: data.to_owned() };
    let call = ToolCall {
        id: "call_1".to_owned(),
        name: "f".to_owned(),
        input: ToolInput::Text("free".to_owned()),
        opaque: Some(state(OpaqueKind::Signature, "of-call")),
        ..ToolCall::default()
    };
    let image = MediaSource::Inline { media_type: "image/png".to_owned(), data: String::new() };
    let image = Media::new(MediaKind::Image, image);
    let thoughts = Reasoning { opaque: Some(state(OpaqueKind::Signature, "of-thought")), ..Reasoning::default() };
    let citation = Citation { url: Some("https://a".to_owned()), ..Citation::default() };
    let parts = vec![
        Part::Reasoning(thoughts),
        Part::Text(Text { text: "x".to_owned(), citations: vec![citation], ..Text::default() }),
        Part::Media(image),
        Part::ToolCall(call),
    ];
    let candidate = Candidate { parts, finish: Finish::new(FinishReason::Stop, "STOP"), logprobs: None };
    let answer =
        ChatAnswer { id: "chatcmpl-1".to_owned(), candidates: vec![candidate.clone()], ..ChatAnswer::default() };
    let body = written(&answer);
    assert_eq!(body["id"], format!("msg_{}", asked().request_id));
    assert_eq!((&body["model"], &body["stop_reason"]), (&json!("claude-x"), &json!("tool_use")));
    assert_eq!(body["content"][0]["type"], "thinking");
    assert_eq!(body["content"][1]["citations"][0]["url"], "https://a");
    assert!(body["content"][2]["text"].as_str().unwrap().contains("image"));
    assert_eq!(body["content"][3]["input"], json!({"input": "free"}));
    // The state comes back to the part that it belongs to.
    let turn = json!({"model": "m", "max_tokens": 1, "messages": [{"role": "assistant", "content": body["content"]}]});
    let parts = &decoded(&turn).messages[0].parts;
    let Part::Reasoning(thoughts) = &parts[0] else { panic!("{parts:?}") };
    assert_eq!(thoughts.opaque, Some(state(OpaqueKind::Signature, "of-thought")));
    let Part::ToolCall(call) = &parts[3] else { panic!("{parts:?}") };
    assert_eq!((call.opaque.as_ref(), parts.len()), (Some(&state(OpaqueKind::Signature, "of-call")), 4));
}

#[test]
fn what_is_no_answer_is_refused() {
    for body in ["", "[]", "{}", "<html>", r#"{"content":"x"}"#, r#"{"content":[{"type":"text"}]}"#] {
        let error = AnthropicMessages.decode_answer(body.as_bytes(), &origin()).unwrap_err();
        assert_eq!(error.code, ErrorCode::ProviderInvalidResponse, "{body}");
    }
    let told = br#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#;
    let error = AnthropicMessages.decode_answer(told, &origin()).unwrap_err();
    assert_eq!(error.code, ErrorCode::ProviderOverloaded);
}

#[test]
fn a_refusal_is_told_for_what_it_is() {
    let says = |kind: &str, message: &str| {
        json!({"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_1"}).to_string()
    };
    for (status, body, code) in [
        (400, says("invalid_request_error", "max_tokens: too large"), ErrorCode::ProviderRejected),
        (
            400,
            says("invalid_request_error", "prompt is too long: 210000 tokens > 200000 maximum"),
            ErrorCode::ContextLengthExceeded,
        ),
        (400, says("invalid_request_error", "Your credit balance is too low"), ErrorCode::ProviderCreditExhausted),
        (
            400,
            says("invalid_request_error", "You have reached your specified API usage limits."),
            ErrorCode::ProviderCreditExhausted,
        ),
        (400, says("invalid_request_error", "Output blocked by content filtering policy"), ErrorCode::ContentFiltered),
        (401, says("authentication_error", "invalid x-api-key"), ErrorCode::ProviderAuthentication),
        (402, says("billing_error", "pay"), ErrorCode::ProviderCreditExhausted),
        (403, says("permission_error", "no"), ErrorCode::ProviderAuthentication),
        (404, says("not_found_error", "model: claude-9"), ErrorCode::ProviderModelNotFound),
        (413, says("request_too_large", "big"), ErrorCode::ProviderRejected),
        (429, says("rate_limit_error", "slow down"), ErrorCode::ProviderRateLimited),
        (500, says("api_error", "oops"), ErrorCode::ProviderFailed),
        (504, says("timeout_error", "late"), ErrorCode::ProviderTimeout),
        (529, says("overloaded_error", "Overloaded"), ErrorCode::ProviderOverloaded),
        (529, String::new(), ErrorCode::ProviderOverloaded),
        (
            429,
            r#"{"error":{"code":429,"message":"quota","status":"RESOURCE_EXHAUSTED"}}"#.to_owned(),
            ErrorCode::ProviderRateLimited,
        ),
        (400, r#"{"message":"Input is too long for requested model."}"#.to_owned(), ErrorCode::ContextLengthExceeded),
        (502, "<html>".to_owned(), ErrorCode::ProviderFailed),
    ] {
        assert_eq!(AnthropicMessages.decode_error(refusal(status, &body)).code, code, "{status} {body}");
    }
    let mut refused = refusal(429, "{}");
    refused.headers.insert("retry-after", HeaderValue::from_static("7"));
    assert_eq!(AnthropicMessages.decode_error(refused).retry_after, Some(Duration::from_secs(7)));
}

#[test]
fn errors_are_written_with_anthropics_words() {
    let id = RequestId::from_u128(7);
    for (code, status, kind) in [
        (ErrorCode::InvalidRequest, 400, "invalid_request_error"),
        (ErrorCode::ContextLengthExceeded, 400, "invalid_request_error"),
        (ErrorCode::InvalidApiKey, 401, "authentication_error"),
        (ErrorCode::ProviderCreditExhausted, 402, "billing_error"),
        (ErrorCode::ModelNotFound, 404, "not_found_error"),
        (ErrorCode::RequestTooLarge, 413, "request_too_large"),
        (ErrorCode::ProviderRateLimited, 429, "rate_limit_error"),
        (ErrorCode::ProviderFailed, 502, "api_error"),
        (ErrorCode::ProviderTimeout, 504, "timeout_error"),
        (ErrorCode::ProviderOverloaded, 529, "overloaded_error"),
    ] {
        let (found, body) = AnthropicMessages.encode_error(&Error::new(code, "m"), id);
        let body: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!((found.as_u16(), body["error"]["type"].as_str()), (status, Some(kind)), "{code}");
        assert_eq!((&body["type"], &body["request_id"]), (&json!("error"), &json!(id.as_str())));
    }
    let mut error = Error::new(ErrorCode::ProviderRejected, "m");
    for (body, is_passed_on) in
        [(r#"{"type":"error","error":{"type":"x","message":"y"}}"#, true), (r#"{"error":{}}"#, false)]
    {
        let upstream =
            UpstreamError { status: StatusCode::CONFLICT, headers: HeaderMap::new(), body: Bytes::from(body) };
        error.upstream = Some(Box::new(upstream));
        let (status, written) = AnthropicMessages.encode_error(&error, id);
        assert_eq!((status.as_u16(), written == body), (409, is_passed_on));
    }
}
