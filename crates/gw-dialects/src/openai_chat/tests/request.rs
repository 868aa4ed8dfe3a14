//! Requests: what is read, what is written, and what is lost.

use gw_core::chat::ChatRequest;
use gw_core::chat::{
    BuiltIn, BuiltInTool, CacheMarker, Effort, Extra, Family, Media, MediaKind, MediaSource, Message, Native, Opaque,
    OpaqueKind, Part, Reasoning, Role, Text, Thinking, ThinkingMode, Tool, ToolCall, ToolChoice, ToolInput, ToolResult,
};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{OpenAiChat, decode, encode, losses, messages, target};
use crate::chat::{Egress, Ingress, RequestLine};

fn rich() -> Value {
    json!({
        "model": "upstream-model",
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "developer", "content": "In French."},
            {"role": "user", "name": "ann", "content": [
                {"type": "text", "text": "Look", "prompt_cache_breakpoint": {"mode": "explicit"}},
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0K", "detail": "low"}},
                {"type": "image_url", "image_url": {"url": "https://a/b.png"}},
                {"type": "input_audio", "input_audio": {"data": "UklGRg==", "format": "wav"}},
                {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,JVBERi0="}},
                {"type": "file", "file": {"file_id": "file-1"}},
            ]},
            {"role": "assistant", "content": null, "reasoning_content": "Hm.", "tool_calls": [
                {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{\"n\":12345678901234567890123}"}},
                {"id": "c2", "type": "custom", "custom": {"name": "g", "input": "free"}},
            ]},
            {"role": "tool", "tool_call_id": "c1", "content": "1"},
            {"role": "tool", "tool_call_id": "c2", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]},
            {"role": "system", "content": "Now in English."},
            {"role": "assistant", "content": "Done.", "prefix": true},
            {"role": "assistant", "content": null, "refusal": "No."},
        ],
        "tools": [
            {"type": "function", "function": {"name": "f", "description": "d", "parameters": {"type": "object"}, "strict": true}},
            {"type": "custom", "custom": {"name": "g", "format": {"type": "text"}}},
        ],
        "parallel_tool_calls": false,
        "tool_choice": {"type": "allowed_tools", "allowed_tools": {"mode": "required", "tools": [
            {"type": "function", "function": {"name": "f"}}, {"type": "custom", "custom": {"name": "g"}}]}},
        "web_search_options": {"search_context_size": "low"},
        "response_format": {"type": "json_schema", "json_schema": {"name": "s", "schema": {"type": "object"}, "strict": true}},
        "max_completion_tokens": 10, "temperature": 0.5, "top_p": 1, "stop": ["x"], "seed": 3,
        "presence_penalty": 1.5, "frequency_penalty": -1, "n": 2, "logprobs": true, "top_logprobs": 4,
        "logit_bias": {"5": -100}, "reasoning_effort": "high", "verbosity": "low", "modalities": ["text", "audio"],
        "audio": {"voice": "alloy", "format": "wav"}, "prediction": {"type": "content", "content": "p"},
        "service_tier": "flex", "user": "u", "metadata": {"k": "v"}, "prompt_cache_key": "key", "store": true,
    })
}

/// In any order of members.
fn same(one: &Value, other: &Value) {
    let sorted = |value: &Value| {
        let mut members: Vec<_> = value.as_object().unwrap().clone().into_iter().collect();
        members.sort_by(|one, other| one.0.cmp(&other.0));
        members
    };
    assert_eq!(sorted(one), sorted(other));
}

#[test]
fn a_rich_request_says_the_same_after_it_was_read_and_written() {
    let request = decode(&rich());
    let (body, encoded) = encode(&request);
    same(&body, &rich());
    assert_eq!(encoded.losses, []);
    assert_eq!(encoded.path, "/chat/completions");
    assert_eq!(decode(&body), request);
}

#[test]
fn a_stream_is_asked_for_with_its_usage() {
    let mut request = decode(&rich());
    request.stream = true;
    let encoded = OpenAiChat.encode_request(&request, &target(true)).unwrap();
    let body: Value = serde_json::from_slice(&encoded.body).unwrap();
    assert_eq!((&body["stream"], &body["stream_options"]), (&json!(true), &json!({"include_usage": true})));
}

// pitfalls A11
#[test]
fn calls_in_the_older_way_share_an_id_with_their_results() {
    let request = decode(&json!({"model": "m", "messages": [
        {"role": "user", "content": "q"},
        {"role": "assistant", "content": null, "function_call": {"name": "f", "arguments": "{}"}},
        {"role": "function", "name": "f", "content": "1"},
        {"role": "assistant", "content": null, "function_call": {"name": "f", "arguments": "{}"}},
        {"role": "function", "name": "f", "content": "2"},
    ], "functions": [{"name": "f"}], "function_call": {"name": "f"}}));
    assert_eq!(request.tool_choice, Some(ToolChoice::Function("f".to_owned())));
    let (body, encoded) = encode(&request);
    assert_eq!(encoded.losses, []);
    let ids: Vec<_> = [1, 2, 3, 4]
        .map(|place| {
            let message = &body["messages"][place];
            message["tool_call_id"].as_str().or(message["tool_calls"][0]["id"].as_str()).unwrap().to_owned()
        })
        .to_vec();
    assert_eq!((&ids[0], &ids[2]), (&ids[1], &ids[3]));
    assert_ne!(ids[0], ids[2]);
    assert_eq!(body["messages"][4]["content"], "2");
}

#[test]
fn results_are_sent_directly_behind_their_calls() {
    let call = |id: &str| Part::ToolCall(ToolCall { id: id.to_owned(), name: "f".to_owned(), ..ToolCall::default() });
    let picture =
        Part::Media(Media::new(MediaKind::Image, MediaSource::Url { url: "https://a".to_owned(), media_type: None }));
    let result = |id: &str, content: Vec<Part>, is_error| {
        let call_id = id.to_owned();
        Part::ToolResult(ToolResult { call_id, content, is_error, ..ToolResult::default() })
    };
    let request = ChatRequest {
        messages: vec![
            Message::new(Role::Assistant, vec![call("1"), call("2"), call("3")]),
            Message::new(Role::User, vec![result("2", vec!["bad".into()], true), "and".into()]),
            Message::new(Role::User, vec![result("1", vec!["see".into(), picture], false)]),
            Message::new(Role::User, vec![result("9", vec!["late".into()], false)]),
        ],
        ..ChatRequest::default()
    };
    let (body, encoded) = encode(&request);
    let said: Vec<_> = body["messages"].as_array().unwrap().iter().skip(1).cloned().collect();
    assert_eq!(
        said,
        [
            json!({"role": "tool", "tool_call_id": "1", "content": "see"}),
            json!({"role": "tool", "tool_call_id": "2", "content": "Error: bad"}),
            json!({"role": "tool", "tool_call_id": "3", "content": "Error: no result was given"}),
            json!({"role": "user", "content": [
                {"type": "text", "text": "From the result of f (1):"},
                {"type": "image_url", "image_url": {"url": "https://a"}}]}),
            json!({"role": "user", "content": "and"}),
            json!({"role": "user", "content": [
                {"type": "text", "text": "Result of a tool:"}, {"type": "text", "text": "late"}]}),
        ]
    );
    assert!(encoded.losses.iter().all(|loss| !loss.is_dropped()), "{:?}", encoded.losses);
    assert_eq!(encoded.losses.len(), 3);
}

#[test]
fn state_is_shown_to_its_owner_only() {
    let opaque = |family, data: &str| Opaque {
        family,
        provider: "prov".to_owned(),
        kind: OpaqueKind::Encrypted,
        data: data.to_owned(),
    };
    let entry = r#"{"type":"reasoning.encrypted","format":"x","index":0,"data":"D"}"#;
    let thought =
        |text: &str, opaque| Part::Reasoning(Reasoning { text: text.to_owned(), opaque, ..Reasoning::default() });
    let message = |opaque| ChatRequest {
        messages: vec![Message::new(Role::Assistant, vec![thought("Hm.", Some(opaque)), "x".into()])],
        ..ChatRequest::default()
    };
    let own = messages(&message(opaque(Family::OpenAiChat, entry)));
    assert_eq!(
        own[0]["reasoning_details"],
        json!([{"type": "reasoning.text", "text": "Hm."},
               {"type": "reasoning.encrypted", "format": "x", "index": 0, "data": "D"}])
    );
    let other = messages(&message(opaque(Family::Anthropic, "D")));
    assert_eq!((&other[0]["reasoning_details"], &other[0]["reasoning_content"]), (&Value::Null, &json!("Hm.")));
}

#[test]
fn state_that_a_client_carried_is_known_again() {
    let sealed = Opaque {
        family: Family::Anthropic,
        provider: "a".to_owned(),
        kind: OpaqueKind::Signature,
        data: "sig".to_owned(),
    };
    let request = decode(&json!({"model": "m", "messages": [
        {"role": "assistant", "content": "x", "reasoning_content": "ab", "reasoning_details": [
            {"type": "reasoning.text", "text": "a", "signature": sealed.seal(Family::OpenAiChat)},
            {"type": "reasoning.encrypted", "data": "D", "id": "rs_1"}]},
        {"role": "assistant", "content": "", "thinking_blocks": [
            {"type": "thinking", "thinking": "t", "signature": "S"}, {"type": "redacted_thinking", "data": "R"}],
            "tool_calls": [{"id": "1", "type": "function", "function": {"name": "f", "arguments": ""},
                "extra_content": {"google": {"thought_signature": "G"}}}]},
    ]}));
    let state = |part: &Part| match part {
        Part::Reasoning(thought) => thought.opaque.clone().map(|opaque| (thought.text.clone(), opaque)),
        Part::ToolCall(call) => call.opaque.clone().map(|opaque| (call.name.clone(), opaque)),
        _ => None,
    };
    let states: Vec<_> = request.messages.iter().flat_map(|message| &message.parts).filter_map(state).collect();
    let shapes: Vec<_> =
        states.iter().map(|(text, opaque)| (text.as_str(), opaque.family, opaque.kind, opaque.data.as_str())).collect();
    assert_eq!(
        shapes,
        [
            ("a", Family::Anthropic, OpaqueKind::Signature, "sig"),
            ("", Family::OpenAiChat, OpaqueKind::Encrypted, r#"{"type":"reasoning.encrypted","data":"D","id":"rs_1"}"#),
            ("t", Family::Anthropic, OpaqueKind::Signature, "S"),
            ("", Family::Anthropic, OpaqueKind::Encrypted, "R"),
            ("f", Family::Gemini, OpaqueKind::Signature, "G"),
        ]
    );
}

#[test]
fn what_the_format_cannot_say_is_told() {
    let mut request = ChatRequest {
        thinking: Some(Thinking { budget_tokens: Some(5_000), ..Thinking::default() }),
        extra: Extra { family: Family::Gemini, members: json!({"safetySettings": []}).as_object().unwrap().clone() },
        ..ChatRequest::default()
    };
    request.sampling.top_k = Some(5);
    let web = BuiltInTool { kind: BuiltIn::WebSearch, family: Family::Anthropic, value: json!({"type": "web_search"}) };
    let code = BuiltInTool { kind: BuiltIn::CodeExecution, family: Family::Gemini, value: json!({}) };
    request.tools = vec![Tool::BuiltIn(web), Tool::BuiltIn(code)];
    let document = |source| Media::new(MediaKind::Document, source);
    let url = document(MediaSource::Url { url: "https://a".to_owned(), media_type: None });
    let native = Native { family: Family::Anthropic, kind: "server_tool_use".to_owned(), value: json!({}) };
    let marked = Text { cache: Some(CacheMarker { ttl: Some("1h".to_owned()) }), ..Text::from("x") };
    request.messages = vec![Message::new(Role::User, vec![Part::Media(url), Part::Native(native), Part::Text(marked)])];
    let (body, encoded) = encode(&request);
    assert_eq!(body["reasoning_effort"], "medium");
    assert_eq!(body["web_search_options"], json!({}));
    assert_eq!(
        losses(&encoded),
        [
            "messages[].file",
            "messages[].server_tool_use",
            "messages[].cache_control.ttl",
            "tools[].web_search",
            "tools[].type",
            "top_k",
            "reasoning.max_tokens",
            "safetySettings",
        ]
    );
}

#[test]
fn thinking_is_understood_in_the_words_of_several_vendors() {
    let thinking = |member: Value| {
        let mut body = json!({"model": "m", "messages": []});
        body.as_object_mut().unwrap().extend(member.as_object().unwrap().clone());
        decode(&body).thinking.unwrap_or_default()
    };
    assert_eq!(thinking(json!({"reasoning_effort": "xhigh"})).effort, Some(Effort::XHigh));
    assert_eq!(thinking(json!({"reasoning": {"max_tokens": 9}})).budget_tokens, Some(9));
    assert_eq!(thinking(json!({"thinking": {"type": "disabled"}})).mode, Some(ThinkingMode::Disabled));
    assert_eq!(thinking(json!({"reasoning_effort": "default"})), Thinking::default());
    let extra = decode(&json!({"model": "m", "messages": [], "reasoning_effort": "default"})).extra;
    assert_eq!(extra.members["reasoning_effort"], "default");
}

// pitfalls A2, A4
#[test]
fn what_clients_write_loosely_is_read() {
    let request = decode(&json!({"model": "m", "stop": "x", "max_tokens": 5, "tool_choice": "any", "messages": [
        {"role": "user", "content": [{"type": "file", "file": {"file_id": "https://a/b.pdf"}},
            {"type": "made_up", "made_up": 1}]},
        {"role": "assistant", "content": "", "tool_calls": [{"id": "1", "function": {"name": "f", "arguments": ""}}]},
    ]}));
    assert_eq!(request.sampling.stop, ["x"]);
    assert_eq!(request.sampling.max_output_tokens, Some(5));
    assert_eq!(request.tool_choice, Some(ToolChoice::Required));
    let Part::Media(Media { source: MediaSource::Url { url, .. }, .. }) = &request.messages[0].parts[0] else {
        panic!()
    };
    assert_eq!(url, "https://a/b.pdf");
    assert!(matches!(&request.messages[0].parts[1], Part::Native(native) if native.kind == "made_up"));
    let Part::ToolCall(call) = &request.messages[1].parts[0] else { panic!() };
    assert_eq!(call.input, ToolInput::Json(String::new()));
    let sent = messages(&request);
    assert_eq!(sent[1]["tool_calls"][0]["function"]["arguments"], "{}");
}

#[test]
fn a_grammar_is_nested_here_and_flat_in_the_canonical_form() {
    let format = json!({"type": "grammar", "grammar": {"syntax": "lark", "definition": "start: \"a\""}});
    let tool = |format: &Value| json!({"type": "custom", "custom": {"name": "g", "format": format}});
    for (nested, flat) in [
        (&format, json!({"type": "grammar", "syntax": "lark", "definition": "start: \"a\""})),
        (&json!({"type": "text"}), json!({"type": "text"})),
    ] {
        let request = decode(&json!({"model": "m", "messages": [], "tools": [tool(nested)]}));
        let Tool::Custom(custom) = &request.tools[0] else { panic!("{request:?}") };
        assert_eq!(custom.format.as_ref(), Some(&flat));
        assert_eq!(encode(&request).0["tools"][0], tool(nested));
    }
}

#[test]
fn what_is_wrong_is_told_with_its_place_and_without_the_clients_words() {
    for (body, told) in [
        (json!({"messages": [{"role": "user", "content": [{"type": 5}]}]}), "`messages[0].content[0].type` must"),
        (json!({"messages": [{"role": "secret"}]}), "`messages[0].role` must be"),
        (json!({"messages": [{"content": "x"}]}), "`messages[0].role` is missing"),
        (json!({"messages": [5]}), "`messages[0]` must be an object"),
        (json!({"messages": {}}), "`messages` must be a list"),
        (json!({"temperature": "secret"}), "`temperature` must be a number"),
        (json!({"stop": [1]}), "`stop` must be a string or a list"),
        (json!({"tools": [{"type": "function"}]}), "`tools[0].function` is missing"),
        (json!({"tool_choice": "secret"}), "`tool_choice` must be"),
        (json!({"response_format": {"type": "json_schema"}}), "`response_format.json_schema` is missing"),
        (
            json!({"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:secret"}}]}]}),
            "`messages[0].content[0].image_url.url` is not",
        ),
        (
            json!({"messages": [{"role": "assistant", "tool_calls": [{"function": {"name": 1}}]}]}),
            "`messages[0].tool_calls[0].function.name` must",
        ),
    ] {
        let error = OpenAiChat.decode_request(&RequestLine::default(), body.to_string().as_bytes()).unwrap_err();
        assert_eq!(error.code.name(), "invalid_request");
        assert!(error.message.starts_with(told), "{}", error.message);
        assert!(!error.message.contains("secret"), "{}", error.message);
        assert!(error.param.is_some());
    }
    let error = OpenAiChat.decode_request(&RequestLine::default(), b"{").unwrap_err();
    assert_eq!(error.code.name(), "invalid_json");
}

#[test]
fn names_and_ids_that_do_not_fit_become_ones_that_do() {
    let long = "call_".repeat(20);
    let request = decode(
        &json!({"model": "m", "tools": [{"type": "function", "function": {"name": "a.b"}}], "messages": [
            {"role": "assistant", "tool_calls": [{"id": long, "type": "function", "function": {"name": "a.b", "arguments": "{}"}}]},
            {"role": "tool", "tool_call_id": long, "content": "x"},
        ]}),
    );
    let (body, encoded) = encode(&request);
    let name = body["tools"][0]["function"]["name"].as_str().unwrap();
    assert_eq!(encoded.names.original(name), "a.b");
    assert_eq!(body["messages"][0]["tool_calls"][0]["function"]["name"], name);
    let id = body["messages"][0]["tool_calls"][0]["id"].as_str().unwrap();
    assert!(id.len() <= 40);
    assert_eq!(body["messages"][1]["tool_call_id"], id);
}

proptest! {
    #[test]
    fn no_request_makes_the_reader_or_the_writer_panic(body in ".{0,200}", content in ".{0,40}", kind in "[a-z_]{0,12}") {
        drop(OpenAiChat.decode_request(&RequestLine::default(), body.as_bytes()));
        let body = json!({"messages": [
            {"role": "assistant", "content": [{"type": kind, (kind.clone()): content}], "tool_calls": [{"id": content,
                "function": {"name": content, "arguments": content}}], "reasoning_details": [{"type": content}]},
            {"role": "user", "content": content},
        ]});
        if let Ok(request) = OpenAiChat.decode_request(&RequestLine::default(), body.to_string().as_bytes()) {
            OpenAiChat.encode_request(&request, &target(true)).unwrap();
        }
    }
}
