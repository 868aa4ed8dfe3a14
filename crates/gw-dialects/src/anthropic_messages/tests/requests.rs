//! Requests, read and written again.

use gw_core::chat::{BuiltIn, Effort, OpaqueKind, Part, Reasoning, Thinking, ThinkingDisplay, ThinkingMode, Tool};
use http::HeaderValue;
use serde_json::json;

use super::*;

const MODEL: &str = "claude-sonnet-4-5";
pub(super) const PNG: &str = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJ";

/// Much of what can be asked, as an application writes it.
fn rich() -> Value {
    json!({
        "model": MODEL,
        "max_tokens": 9000,
        "system": [{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral", "ttl": "1h"}}],
        "tools": [
            {"name": "f", "description": "does", "input_schema": {"type": "object", "properties": {"a": {"type": "integer"}}},
             "cache_control": {"type": "ephemeral"}, "eager_input_streaming": true},
            {"type": "web_search_20250305", "name": "web_search", "max_uses": 2},
        ],
        "tool_choice": {"type": "auto", "disable_parallel_tool_use": true},
        "thinking": {"type": "enabled", "budget_tokens": 2000, "display": "summarized"},
        "metadata": {"user_id": "{\"device_id\":\"d\"}"},
        "stop_sequences": ["END"],
        "service_tier": "standard_only",
        "context_management": {"edits": []},
        "messages": [
            {"role": "user", "content": [
                {"type": "text", "text": "Look."},
                {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}},
                {"type": "image", "source": {"type": "url", "url": "https://a/b.png"}},
                {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0xLjcKJeLjz9MKMSAwIG9iago="},
                 "title": "t", "citations": {"enabled": true}, "cache_control": {"type": "ephemeral"}},
                {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "plain"}},
                {"type": "document", "source": {"type": "file", "file_id": "file_1"}},
                {"type": "document", "source": {"type": "content", "content": [{"type": "text", "text": "x"}]}},
                {"type": "search_result", "source": "s", "title": "t", "content": []},
            ]},
            {"role": "assistant", "content": [
                {"type": "thinking", "thinking": "hm", "signature": "c2ln"},
                {"type": "redacted_thinking", "data": "ZGF0YQ=="},
                {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": "q"}},
                {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": []},
                {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {"a": 1}},
                {"type": "tool_use", "id": "toolu_2", "name": "f", "input": {}},
            ]},
            {"role": "user", "content": [
                {"type": "tool_result", "tool_use_id": "toolu_1", "content": [
                    {"type": "text", "text": "one"},
                    {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}},
                ]},
                {"type": "tool_result", "tool_use_id": "toolu_2", "content": [{"type": "text", "text": "no"}], "is_error": true},
                {"type": "text", "text": "And?"},
            ]},
        ],
    })
}

#[test]
fn a_rich_request_says_the_same_after_the_way_through_our_types() {
    let (body, lost) = encoded(&decoded(&rich()), MODEL);
    let expected = rich();
    for (name, value) in expected.as_object().unwrap() {
        assert_eq!(&body[name], value, "{name}");
    }
    assert_eq!(body.as_object().unwrap().len(), expected.as_object().unwrap().len(), "{body}");
    assert_eq!(lost, [""; 0]);
}

#[test]
fn what_is_asked_is_understood() {
    let request = decoded(&rich());
    assert_eq!(request.user.as_deref(), Some("{\"device_id\":\"d\"}"));
    assert_eq!(request.service_tier.as_deref(), Some("default"));
    assert_eq!(request.parallel_tool_calls, Some(false));
    assert_eq!(request.extra.members["context_management"], json!({"edits": []}));
    let Tool::BuiltIn(search) = &request.tools[1] else { panic!("{:?}", request.tools) };
    assert_eq!(search.kind, BuiltIn::WebSearch);
    let redacted = &request.messages[2].parts[1];
    assert!(
        matches!(redacted, Part::Reasoning(Reasoning { opaque: Some(state), .. }) if state.kind == OpaqueKind::Encrypted)
    );
}

#[test]
fn what_claude_code_sends_is_understood() {
    let mut body = json!({
        "model": "claude-opus-5-5", "max_tokens": 128_000, "stream": true,
        "thinking": {"type": "adaptive", "display": "omitted"},
        "output_config": {"effort": "high"},
        "context_management": {"edits": [{"type": "clear_thinking_20251015", "keep": "all"}]},
        "messages": [{"role": "user", "content": "hi"}],
    });
    let request = decoded(&body);
    let thinking = Thinking {
        mode: Some(ThinkingMode::Adaptive),
        effort: Some(Effort::High),
        budget_tokens: None,
        display: Some(ThinkingDisplay::Omitted),
    };
    assert_eq!(request.thinking, Some(thinking));
    let sent = AnthropicMessages
        .encode_request(&request, &Target { model: "claude-opus-5-5", provider: "p", stream: true })
        .unwrap();
    body["messages"][0]["content"] = json!([{"type": "text", "text": "hi"}]);
    assert_eq!(serde_json::from_slice::<Value>(&sent.body).unwrap(), body);
    assert_eq!((sent.path.as_str(), sent.losses), ("/messages", vec![]));
    assert_eq!(sent.headers[0].1, "2023-06-01");
}

#[test]
fn numbers_and_order_of_a_calls_input_survive() {
    let input = r#"{"z":12345678901234567890123,"a":1.0}"#;
    let body = format!(
        r#"{{"model":"m","max_tokens":1,"messages":[{{"role":"user","content":"q"}},{{"role":"assistant","content":[{{"type":"tool_use","id":"a","name":"f","input":{input}}}]}}]}}"#
    );
    let request = AnthropicMessages.decode_request(&RequestLine::default(), body.as_bytes()).unwrap();
    let sent = AnthropicMessages.encode_request(&request, &target(MODEL)).unwrap();
    assert!(String::from_utf8(sent.body).unwrap().contains(&format!(r#""input":{input}"#)));
}

#[test]
fn what_is_wrong_is_named_with_its_place_and_never_quoted() {
    let with = |name: &str, value: Value| {
        let mut body = json!({"model": "m", "max_tokens": 1, "messages": []});
        body[name] = value;
        body.to_string()
    };
    for (body, place) in [
        (r#"{"model":"m","messages":[]}"#.to_owned(), "max_tokens"),
        (r#"{"model":"m","max_tokens":1}"#.to_owned(), "messages"),
        (with("max_tokens", json!("secret")), "max_tokens"),
        (with("messages", json!([{"role": "secret", "content": "x"}])), "messages[0].role"),
        (with("messages", json!([{"role": "user", "content": [{"type": 3}]}])), "messages[0].content[0].type"),
        (
            with("messages", json!([{"role": "user", "content": [{"type": "text", "text": []}]}])),
            "messages[0].content[0].text",
        ),
        (with("tools", json!([{"input_schema": {}}])), "tools[0].name"),
        (with("tool_choice", json!({"type": "secret"})), "tool_choice.type"),
        (with("output_config", json!({"format": {"type": "secret"}})), "output_config.format.type"),
        (with("stop_sequences", json!("secret")), "stop_sequences"),
        (r#"{"model":"m","max_tokens":1,"max_tokens":2,"messages":[]}"#.to_owned(), "max_tokens"),
    ] {
        let error = AnthropicMessages.decode_request(&RequestLine::default(), body.as_bytes()).unwrap_err();
        assert!(error.message.contains(place) && !error.message.contains("secret"), "{body}: {error}");
        assert!(error.param.is_some_and(|param| place.starts_with(param)), "{error:?}");
        assert_eq!(error.status(), 400);
    }
    let count = decode_count_request(&RequestLine::default(), br#"{"model":"m","messages":[]}"#).unwrap();
    assert_eq!(count.sampling.max_output_tokens, None);
}

#[test]
fn the_newer_version_has_no_sampling() {
    let body = json!({"model": "m", "max_tokens": 1, "temperature": 0.5, "messages": []}).to_string();
    let mut headers = HeaderMap::new();
    for (version, is_taken) in [(VERSION, true), (VERSION_WITHOUT_SAMPLING, false)] {
        headers.insert(VERSION_HEADER, HeaderValue::from_static(version));
        let line = RequestLine { headers: Some(&headers), ..RequestLine::default() };
        assert_eq!(AnthropicMessages.decode_request(&line, body.as_bytes()).is_ok(), is_taken, "{version}");
    }
}

#[test]
fn tokens_are_counted_for_the_request_alone() {
    let sent = encode_count_request(&decoded(&rich()), &target(MODEL)).unwrap();
    let body: Value = serde_json::from_slice(&sent.body).unwrap();
    assert_eq!(
        (sent.path.as_str(), body.get("max_tokens"), body.get("stop_sequences")),
        ("/messages/count_tokens", None, None)
    );
    assert_eq!(count_tokens_answer(7), r#"{"input_tokens":7}"#);
}

#[test]
fn blocks_within_blocks_cost_no_stack() {
    let open = r#"{"type":"tool_result","tool_use_id":"a","content":["#.repeat(50_000);
    let body = format!(
        r#"{{"model":"m","max_tokens":1,"messages":[{{"role":"user","content":[{open}{}]}}]}}"#,
        "]}".repeat(50_000)
    );
    let error = AnthropicMessages.decode_request(&RequestLine::default(), body.as_bytes()).unwrap_err();
    assert_eq!(error.status(), 400);
}
