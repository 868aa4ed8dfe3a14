use std::collections::BTreeSet;

use gw_core::ErrorCode;
use gw_core::chat::{
    BuiltIn, CacheMarker, ChatRequest, Citation, Family, Function, Media, MediaKind, MediaSource, Message, Opaque,
    OpaqueKind, Part, Reasoning, Role, Text, Thinking, Tool, ToolCall, ToolChoice, ToolInput, ToolResult,
};
use serde_json::{Value, json};

use super::{decoded, encoded};
use crate::chat::{Ingress, RequestLine};
use crate::openai_responses::OpenAiResponses;

fn request(messages: Vec<Message>) -> ChatRequest {
    ChatRequest { model: "m".to_owned(), messages, ..ChatRequest::default() }
}

fn items(messages: Vec<Message>) -> (Value, Vec<String>) {
    let (body, encoded) = encoded(&request(messages));
    (body["input"].clone(), encoded.losses.iter().map(|loss| loss.param.to_string()).collect())
}

fn user(parts: Vec<Part>) -> Message {
    Message::new(Role::User, parts)
}

fn assistant(parts: Vec<Part>) -> Message {
    Message::new(Role::Assistant, parts)
}

fn call(id: &str, json: &str) -> Part {
    let input = ToolInput::Json(json.to_owned());
    Part::ToolCall(ToolCall { id: id.to_owned(), name: "f".to_owned(), input, ..ToolCall::default() })
}

fn result(id: &str, text: &str) -> Part {
    Part::ToolResult(ToolResult { call_id: id.to_owned(), content: vec![text.into()], ..ToolResult::default() })
}

#[test]
fn a_rich_request_says_the_same_after_it_was_read_and_written() {
    let body = json!({
        "model": "gpt-5.5",
        "instructions": "be brief",
        "input": [
            {"type": "message", "role": "developer", "content": "no jokes"},
            {"type": "message", "role": "user", "content": [
                {"type": "input_text", "text": "look", "prompt_cache_breakpoint": {"mode": "explicit"}},
                {"type": "input_image", "detail": "high", "image_url": "https://a/b.png"},
                {"type": "input_image", "detail": "auto", "file_id": "file-1"},
                {"type": "input_file", "filename": "a.pdf", "file_data": "data:application/pdf;base64,JVBERi0xLjc="},
                {"type": "input_file", "file_url": "https://a/b.pdf"}
            ]},
            {"type": "reasoning", "summary": [{"type": "summary_text", "text": "hm"}], "id": "rs_1", "encrypted_content": "ENC"},
            {"type": "message", "role": "assistant", "content": "I look.", "phase": "commentary"},
            {"type": "function_call", "call_id": "call_1", "name": "f", "arguments": "{\"n\": 12345678901234567890123}"},
            {"type": "custom_tool_call", "call_id": "call_2", "name": "c", "input": "free"},
            {"type": "function_call", "call_id": "call_3", "name": "read", "arguments": "{}", "namespace": "mcp"},
            {"type": "function_call_output", "call_id": "call_1", "output": [{"type": "input_text", "text": "a"}, {"type": "input_image", "detail": "auto", "image_url": "https://a/c.png"}]},
            {"type": "custom_tool_call_output", "call_id": "call_2", "output": "two"},
            {"type": "function_call_output", "call_id": "call_3", "output": "three"},
            {"type": "web_search_call", "id": "ws_1", "status": "completed", "action": {"type": "search", "query": "q"}},
            {"type": "message", "role": "user", "content": "and?"}
        ],
        "tools": [
            {"type": "function", "name": "f", "description": "does", "parameters": {"type": "object", "properties": {}}, "strict": true, "defer_loading": true},
            {"type": "custom", "name": "c", "format": {"type": "text"}},
            {"type": "web_search", "search_context_size": "low"},
            {"type": "namespace", "name": "mcp", "description": "a server", "tools": [
                {"type": "function", "name": "read", "parameters": null, "strict": false},
                {"type": "function", "name": "write", "parameters": {"type": "object"}, "strict": false}
            ]}
        ],
        "tool_choice": {"type": "allowed_tools", "mode": "auto", "tools": [{"type": "function", "name": "f"}]},
        "parallel_tool_calls": false,
        "text": {"format": {"type": "json_schema", "name": "s", "schema": {"type": "object"}, "strict": true}, "verbosity": "low"},
        "reasoning": {"effort": "high", "summary": "auto", "context": "all_turns"},
        "include": ["reasoning.encrypted_content", "message.output_text.logprobs"],
        "max_output_tokens": 100, "temperature": 0.5, "top_p": 1, "top_logprobs": 3,
        "service_tier": "flex", "safety_identifier": "u", "metadata": {"k": "v"}, "prompt_cache_key": "key",
        "store": false, "truncation": "auto", "client_metadata": {"x": "y"}
    });
    let (again, encoded) = encoded(&decoded(&body));
    assert_eq!(encoded.losses, []);
    assert_eq!(encoded.path, "/responses");
    for (name, value) in body.as_object().unwrap() {
        assert_eq!(&again[name], value, "{name}");
    }
    assert_eq!(again.as_object().unwrap().len(), body.as_object().unwrap().len());
}

#[test]
fn what_the_model_says_and_calls_in_a_row_is_one_turn() {
    let request = decoded(&json!({"model": "m", "input": [
        {"role": "user", "content": "q"},
        {"type": "reasoning", "id": "rs_1", "summary": []},
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "a", "annotations": []}]},
        {"type": "function_call", "call_id": "1", "name": "f", "arguments": ""},
        {"type": "function_call", "call_id": "2", "name": "f", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "2", "output": "two"},
        {"type": "function_call_output", "call_id": "1", "output": "one"},
        {"role": "user", "content": "more"}
    ]}));
    let shape: Vec<_> = request.messages.iter().map(|message| (message.role, message.parts.len())).collect();
    assert_eq!(shape, [(Role::User, 1), (Role::Assistant, 4), (Role::User, 2), (Role::User, 1)]);
    // pitfalls A2
    assert_eq!(request.messages[1].parts[2], call("1", "{}"));
}

#[test]
fn codex_tools_become_functions_and_built_ins() {
    let request = decoded(&json!({"model": "m", "input": "hi", "tools": [
        {"type": "namespace", "name": "ns", "description": "d", "tools": [{"type": "function", "name": "x"}]},
        {"type": "web_search"}, {"type": "local_shell"}
    ], "tool_choice": {"type": "web_search_preview"}}));
    assert_eq!(request.tools[0].name(), Some("ns__x"));
    let kinds = request.tools[1..].iter().map(|tool| match tool {
        Tool::BuiltIn(tool) => tool.kind,
        other => panic!("{other:?}"),
    });
    assert_eq!(kinds.collect::<Vec<_>>(), [BuiltIn::WebSearch, BuiltIn::Other]);
    assert_eq!(request.tool_choice, None);
    assert_eq!(request.extra.members["tool_choice"], json!({"type": "web_search_preview"}));
    assert_eq!(encoded(&request).0["tools"][0]["tools"][0]["name"], "x");
}

#[test]
fn a_conversation_of_another_dialect_keeps_its_order_and_roles() {
    let (items, losses) = items(vec![
        Message::new(Role::System, vec!["first".into()]),
        user(vec!["q".into()]),
        assistant(vec!["".into(), call("1", ""), call("2", "{\"a\":")]),
        user(vec![result("2", "two")]),
        Message::new(Role::Developer, vec!["now briefly".into()]),
        user(vec![result("1", "one"), "and".into()]),
        assistant(vec!["done".into(), Part::Refusal("no".to_owned())]),
    ]);
    let id = &items[7]["id"];
    assert_eq!(
        items,
        json!([
            {"type": "message", "role": "user", "content": "q"},
            {"type": "function_call", "call_id": "1", "name": "f", "arguments": "{}"},
            {"type": "function_call", "call_id": "2", "name": "f", "arguments": "{\"a\":"},
            {"type": "function_call_output", "call_id": "1", "output": "one"},
            {"type": "function_call_output", "call_id": "2", "output": "two"},
            {"type": "message", "role": "developer", "content": "now briefly"},
            {"type": "message", "role": "user", "content": "and"},
            {"type": "message", "id": id, "status": "completed", "role": "assistant", "content": [
                {"type": "output_text", "text": "done", "annotations": [], "logprobs": []},
                {"type": "refusal", "refusal": "no"}
            ]},
        ])
    );
    assert!(id.as_str().is_some_and(|id| id.starts_with("msg_")), "{id}");
    assert_eq!(losses, Vec::<String>::new());
}

#[test]
fn what_the_model_said_is_a_short_message_or_one_with_an_id_of_its_own() {
    let cited = Text {
        citations: vec![Citation { url: Some("https://a".to_owned()), ..Citation::default() }],
        ..Text::from("b")
    };
    let conversation = vec![
        assistant(vec!["a".into()]),
        user(vec!["q".into()]),
        assistant(vec![Part::Text(cited)]),
        user(vec!["q".into()]),
        assistant(vec![Part::Refusal("no".to_owned())]),
        user(vec!["q".into()]),
        assistant(vec![Part::Refusal("no".to_owned())]),
    ];
    let (first, losses) = items(conversation.clone());
    assert_eq!((&first[0]["content"], first[0].get("id")), (&json!("a"), None));
    assert_eq!(first[2]["content"][0]["annotations"][0]["url"], "https://a");
    let ids: BTreeSet<&str> = [2, 4, 6].into_iter().filter_map(|place| first[place]["id"].as_str()).collect();
    assert_eq!(ids.len(), 3, "{first}");
    assert_eq!(items(conversation).0, first);
    assert_eq!(losses, Vec::<String>::new());
}

#[test]
fn calls_and_results_that_miss_each_other_are_mended_and_told() {
    let long = "x".repeat(80);
    let (items, losses) = items(vec![
        user(vec![result("gone", "late")]),
        assistant(vec![call(&long, "{}")]),
        user(vec![Part::ToolResult(ToolResult {
            call_id: "gone".to_owned(),
            is_error: true,
            ..ToolResult::default()
        })]),
    ]);
    assert_eq!(items[0]["content"][1]["text"], "late");
    let id = items[1]["call_id"].as_str().unwrap();
    assert!(id.len() <= 64);
    assert_eq!(items[2], json!({"type": "function_call_output", "call_id": id, "output": "no result was given"}));
    assert_eq!(losses, ["messages", "messages"]);
}

#[test]
fn thoughts_are_shown_to_their_owner_only_and_before_their_call() {
    let thought = |family, provider: &str| {
        let opaque =
            Opaque { family, provider: provider.to_owned(), kind: OpaqueKind::Encrypted, data: "E".to_owned() };
        Part::Reasoning(Reasoning {
            text: "t".to_owned(),
            is_summary: true,
            opaque: Some(opaque),
            ..Reasoning::default()
        })
    };
    let (own, losses) = items(vec![
        user(vec!["q".into()]),
        assistant(vec![
            thought(Family::OpenAiResponses, "p"),
            thought(Family::OpenAiResponses, "other"),
            thought(Family::Anthropic, "p"),
            call("1", "{}"),
        ]),
        user(vec![result("1", "one")]),
    ]);
    let summary = json!([{"type": "summary_text", "text": "t"}]);
    assert_eq!(own[1], json!({"type": "reasoning", "summary": summary, "encrypted_content": "E"}));
    assert_eq!(own[2]["type"], "function_call");
    assert_eq!(losses, Vec::<String>::new());
}

#[test]
fn what_responses_cannot_say_is_told() {
    let mut asks = request(vec![user(vec![
        Part::Media(Media::new(
            MediaKind::Audio,
            MediaSource::Inline { media_type: "audio/wav".to_owned(), data: "AAAA".to_owned() },
        )),
        Part::Text(Text { text: "q".to_owned(), cache: Some(CacheMarker::default()), ..Text::default() }),
    ])]);
    asks.sampling.stop = vec!["x".to_owned()];
    asks.sampling.seed = Some(1);
    asks.sampling.presence_penalty = Some(0.5);
    asks.sampling.frequency_penalty = Some(0.5);
    asks.sampling.candidates = Some(2);
    asks.sampling.top_k = Some(3);
    asks.sampling.max_output_tokens = Some(5);
    asks.prediction = Some("p".to_owned());
    asks.thinking = Some(Thinking { budget_tokens: Some(4_096), ..Thinking::default() });
    asks.extra.members.insert("web".to_owned(), json!(1));
    asks.tools.push(Tool::Function(Function { name: "f".to_owned(), ..Function::default() }));
    asks.tool_choice = Some(ToolChoice::Required);
    let (body, encoded) = encoded(&asks);
    let mut lost: Vec<_> = encoded.losses.iter().map(|loss| loss.param.as_ref()).collect();
    lost.sort_unstable();
    assert_eq!(
        lost,
        [
            "frequency_penalty",
            "max_completion_tokens",
            "messages[].cache_control",
            "messages[].input_audio", // pitfalls A1
            "n",
            "prediction",
            "presence_penalty",
            "reasoning_effort",
            "seed",
            "stop",
            "top_k",
            "web"
        ]
    );
    assert_eq!(body["reasoning"], json!({"effort": "medium"}));
    assert_eq!(body["tools"], json!([{"type": "function", "name": "f", "parameters": null, "strict": false}]));
    assert_eq!(body["tool_choice"], "required");
    assert_eq!((&body["store"], &body["max_output_tokens"]), (&json!(false), &json!(16)));
    assert_eq!(body["include"], json!(["reasoning.encrypted_content"]));
    assert_eq!(body.get("stop"), None);
}

#[test]
fn a_request_of_the_wrong_type_is_refused_with_the_place_and_without_its_words() {
    for (body, place, param) in [
        (json!({"input": 1}), "input", "input"),
        (json!({}), "input", "input"),
        (json!({"input": [1]}), "input[0]", "input"),
        (json!({"input": [{"role": "secret", "content": "x"}]}), "input[0].role", "input"),
        (json!({"input": [{"role": "user", "content": [{"type": 1}]}]}), "input[0].content[0].type", "input"),
        (
            json!({"input": [{"role": "user", "content": [{"type": "input_image", "image_url": "data:secret"}]}]}),
            "input[0].content[0].image_url",
            "input",
        ),
        (json!({"input": [{"type": "function_call", "name": "f"}]}), "input[0].call_id", "input"),
        (json!({"input": "x", "tools": [{"type": "function"}]}), "tools[0].name", "tools"),
        (json!({"input": "x", "tool_choice": "secret"}), "tool_choice", "tool_choice"),
        (json!({"input": "x", "text": {"format": {"type": "json_schema"}}}), "text.format.schema", "text"),
        (json!({"input": "x", "temperature": "secret"}), "temperature", "temperature"),
    ] {
        let error = OpenAiResponses.decode_request(&RequestLine::default(), body.to_string().as_bytes()).unwrap_err();
        assert_eq!((error.code, error.param), (ErrorCode::InvalidRequest, Some(param)), "{body}");
        assert!(error.message.starts_with(&format!("{place} must be")), "{}", error.message);
        assert!(!error.message.contains("secret"));
    }
    let error = OpenAiResponses.decode_request(&RequestLine::default(), b"{").unwrap_err();
    assert_eq!(error.code, ErrorCode::InvalidJson);
}

#[test]
fn items_that_only_responses_know_pass_as_they_are() {
    let body = json!({"model": "m", "input": [
        {"type": "item_reference", "id": "msg_1"},
        {"type": "compaction", "encrypted_content": "C"},
        {"type": "computer_call_output", "call_id": "1", "output": {"type": "computer_screenshot"}},
        {"role": "user", "content": [{"type": "input_new", "x": 1}, {"type": "input_text", "text": "a"}]},
        {"type": "image_generation_call", "id": "ig_1", "status": "completed", "result": "iVBORw0K"}
    ]});
    let (again, encoded) = encoded(&decoded(&body));
    assert_eq!(encoded.losses, []);
    assert_eq!(again["input"][0], body["input"][0]);
    assert_eq!(again["input"][1], body["input"][1]);
    assert_eq!(again["input"][2], body["input"][2]);
    assert_eq!(again["input"][3]["content"], body["input"][3]["content"]);
    assert_eq!(again["input"][4], body["input"][4]);
}

#[test]
fn geminis_signature_behind_a_call_comes_back_to_the_call() {
    let opaque = Opaque {
        family: Family::Gemini,
        provider: "g".to_owned(),
        kind: OpaqueKind::Signature,
        data: "SIG".to_owned(),
    };
    let request = decoded(&json!({"model": "m", "input": [
        {"role": "user", "content": "q"},
        {"type": "function_call", "call_id": "1", "name": "f", "arguments": "{}"},
        {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": opaque.seal(Family::OpenAiResponses)},
        {"type": "function_call_output", "call_id": "1", "output": "one"}
    ]}));
    let [Part::ToolCall(call)] = request.messages[1].parts.as_slice() else { panic!("{request:?}") };
    assert_eq!(call.opaque, Some(opaque));
}

#[test]
fn a_summary_and_the_words_behind_it_are_one_item_and_ids_of_our_making_are_not_sent() {
    let item = json!({
        "type": "reasoning",
        "summary": [{"type": "summary_text", "text": "s"}],
        "id": "rs_1",
        "content": [{"type": "reasoning_text", "text": "t"}],
        "encrypted_content": "E"
    });
    let own = json!({"type": "reasoning", "id": "rs_0_0", "summary": [{"type": "summary_text", "text": "s"}]});
    let call = json!({"type": "function_call", "call_id": "1", "name": "f", "arguments": "{}"});
    let output = json!({"type": "function_call_output", "call_id": "1", "output": "one"});
    let request = decoded(&json!({"model": "m", "store": true, "input": [item, own, call, output]}));
    let (body, encoded) = encoded(&request);
    assert_eq!(body["input"], json!([item, call, output]));
    assert_eq!((&body["store"], body.get("include")), (&json!(true), None));
    assert_eq!(encoded.losses[0].param, "messages[].reasoning_content");
}

#[test]
fn media_of_other_dialects_are_written_as_openai_takes_them() {
    let media = |kind, source| Part::Media(Media::new(kind, source));
    let inline =
        |media_type: &str, data: &str| MediaSource::Inline { media_type: media_type.to_owned(), data: data.to_owned() };
    let text = MediaSource::Text { media_type: "text/plain".to_owned(), text: "words".to_owned() };
    let (items, losses) = items(vec![
        user(vec![
            media(MediaKind::Image, inline("image/jpeg", "iVBORw0KGgo=")),
            media(MediaKind::Document, inline("application/pdf", "JVBERi0xLjc=")),
            media(MediaKind::Document, text),
        ]),
        assistant(vec![media(MediaKind::Image, inline("image/png", "iVBORw0KGgo="))]),
    ]);
    let content = &items[0]["content"];
    assert_eq!(content[0]["image_url"], "data:image/png;base64,iVBORw0KGgo=");
    assert_eq!(content[1]["filename"], "document.pdf");
    assert_eq!(content[1]["file_data"], "data:application/pdf;base64,JVBERi0xLjc=");
    assert_eq!(content[2], json!({"type": "input_text", "text": "words"}));
    assert_eq!((&items[1]["role"], &items[1]["content"][0]["type"]), (&json!("user"), &json!("input_image")));
    assert_eq!(losses, ["messages[].file", "messages[].content"]);
}
