//! What providers are sent, part by part.

use gw_core::ErrorCode;
use gw_core::chat::{
    BuiltIn, BuiltInTool, CustomTool, Function, Media, MediaKind, MediaSource, Message, Opaque, OpaqueKind,
    OutputFormat, Part, Reasoning, Role, Tool, ToolCall, ToolChoice, ToolInput, ToolResult,
};
use serde_json::json;

use super::requests::PNG;
use super::*;

const MODEL: &str = "claude-sonnet-4-5";

fn asks(messages: Vec<Message>) -> ChatRequest {
    ChatRequest { messages, ..ChatRequest::default() }
}

fn user(part: impl Into<Part>) -> Message {
    Message::new(Role::User, vec![part.into()])
}

fn call(id: &str, input: ToolInput) -> Part {
    Part::ToolCall(ToolCall { id: id.to_owned(), name: "f".to_owned(), input, ..ToolCall::default() })
}

fn result(id: &str, content: Vec<Part>) -> Part {
    Part::ToolResult(ToolResult { call_id: id.to_owned(), content, ..ToolResult::default() })
}

#[test]
fn calls_and_results_are_put_in_order_with_ids_that_are_allowed() {
    let request = asks(vec![
        user("q"),
        Message::new(
            Role::Assistant,
            vec![
                call("call:1", ToolInput::Json(String::new())),
                call("2", ToolInput::Json("[1]".to_owned())),
                call("3", ToolInput::Text("free".to_owned())),
            ],
        ),
        user(result("3", vec!["three".into()])),
        user(result("2", vec!["".into()])),
        user(result("call:1", vec!["one".into()])),
    ]);
    let (body, _) = encoded(&request, MODEL);
    let calls = body["messages"][1]["content"].as_array().unwrap();
    // pitfalls A2, A17
    let inputs: Vec<_> = calls.iter().map(|call| call["input"].clone()).collect();
    assert_eq!(inputs, [json!({}), json!({"_raw": [1]}), json!({"input": "free"})]);
    let results = body["messages"][2]["content"].as_array().unwrap();
    let ids = |blocks: &[Value], name: &str| blocks.iter().map(|block| block[name].clone()).collect::<Vec<_>>();
    assert_eq!(ids(calls, "id"), ids(results, "tool_use_id"));
    assert!(calls[0]["id"].as_str().unwrap().starts_with("call_1_"));
    // pitfalls A12, A15: nothing is invented, and nothing empty is sent.
    assert_eq!(results[1].get("content"), None);
    // What was called is declared, and may not be called again.
    assert_eq!(body["tools"], json!([{"name": "f", "input_schema": {"type": "object", "properties": {}}}]));
    assert_eq!(body["tool_choice"], json!({"type": "none"}));
}

#[test]
fn tools_are_written_with_what_anthropic_knows_of_them() {
    let function = |name: &str, strict| {
        let schema = json!({"type": "object", "properties": {"n": {"type": "integer", "minimum": 1}}});
        Tool::Function(Function { name: name.to_owned(), parameters: Some(schema), strict, ..Function::default() })
    };
    let mut request = asks(vec![user("q")]);
    request.tools = vec![
        function("a.b", None),
        function("s", Some(true)),
        Tool::Function(Function { name: "none".to_owned(), ..Function::default() }),
        Tool::Custom(CustomTool {
            name: "c".to_owned(),
            format: Some(json!({"type": "grammar"})),
            ..CustomTool::default()
        }),
        Tool::BuiltIn(BuiltInTool {
            kind: BuiltIn::WebSearch,
            family: Family::OpenAiResponses,
            value: json!({"type": "web_search"}),
        }),
        Tool::BuiltIn(BuiltInTool {
            kind: BuiltIn::Other,
            family: Family::OpenAiResponses,
            value: json!({"type": "namespace"}),
        }),
    ];
    request.tool_choice = Some(ToolChoice::Function("a.b".to_owned()));
    request.parallel_tool_calls = Some(false);
    let sent = AnthropicMessages.encode_request(&request, &target(MODEL)).unwrap();
    let body: Value = serde_json::from_slice(&sent.body).unwrap();
    let tools = body["tools"].as_array().unwrap();
    let changed = tools[0]["name"].as_str().unwrap();
    assert_eq!(sent.names.original(changed), "a.b");
    assert_eq!(body["tool_choice"], json!({"type": "tool", "name": changed, "disable_parallel_tool_use": true}));
    assert_eq!(tools[0]["input_schema"]["properties"]["n"]["minimum"], 1);
    // pitfalls A14
    assert_eq!((&tools[1]["strict"], &tools[1]["input_schema"]["additionalProperties"]), (&json!(true), &json!(false)));
    assert_eq!(tools[2]["input_schema"], json!({"type": "object", "properties": {}}));
    assert_eq!(tools[3]["input_schema"]["required"], json!(["input"]));
    assert_eq!(tools[4], json!({"type": "web_search_20250305", "name": "web_search"}));
    let lost: Vec<_> = sent.losses.iter().map(|loss| (&*loss.param, loss.grade.name())).collect();
    let expected = [
        ("tools[].strict", "replaced"),
        ("tools[].custom", "replaced"),
        ("tools[].custom.format", "replaced"),
        ("tools[].web_search", "replaced"),
        ("tools[].type", "dropped"),
    ];
    assert_eq!(lost, expected);
    request.tool_choice = Some(ToolChoice::Allowed { required: true, names: vec!["s".to_owned()] });
    let (body, _) = encoded(&request, MODEL);
    assert_eq!((body["tools"][0]["name"].as_str(), &body["tool_choice"]["type"]), (Some("s"), &json!("any")));
}

fn medium(kind: MediaKind, source: MediaSource) -> Part {
    Part::Media(Media::new(kind, source))
}

fn inline(media_type: &str, data: &str) -> MediaSource {
    MediaSource::Inline { media_type: media_type.to_owned(), data: data.to_owned() }
}

#[test]
fn media_are_told_by_their_bytes_and_what_models_do_not_take_is_named() {
    let url = |url: &str| MediaSource::Url { url: url.to_owned(), media_type: None };
    let file = |id: &str| MediaSource::File { id: id.to_owned(), media_type: None };
    for (part, source) in [
        (
            medium(MediaKind::Image, inline("image/jpeg", PNG)),
            json!({"type": "base64", "media_type": "image/png", "data": PNG}),
        ),
        (medium(MediaKind::Image, url("https://a")), json!({"type": "url", "url": "https://a"})),
        // pitfalls A4, A5
        (medium(MediaKind::Document, file("https://a")), json!({"type": "url", "url": "https://a"})),
        (medium(MediaKind::Document, file("file_1")), json!({"type": "file", "file_id": "file_1"})),
        (
            medium(MediaKind::Document, inline("text/csv", "eA==")),
            json!({"type": "text", "media_type": "text/plain", "data": "x"}),
        ),
    ] {
        let (body, lost) = encoded(&asks(vec![user(part)]), MODEL);
        assert_eq!(body["messages"][0]["content"][0]["source"], source);
        assert_eq!(lost, [""; 0]);
    }
    for (part, param) in [
        (medium(MediaKind::Audio, inline("audio/wav", "UklGRg==")), "messages[].input_audio"), // pitfalls A1
        (medium(MediaKind::Video, url("https://a")), "messages[].video"),
        (medium(MediaKind::Image, inline("image/bmp", "Qk0=")), "messages[].image_url"),
        (medium(MediaKind::Image, url("gs://a")), "messages[].image_url"),
        (medium(MediaKind::Document, inline("application/msword", "0M8R")), "messages[].file"),
    ] {
        assert_eq!(encoded(&asks(vec![user("q"), user(part.clone())]), MODEL).1, [param]);
        let error = AnthropicMessages.encode_request(&asks(vec![user(part)]), &target(MODEL)).unwrap_err();
        assert_eq!(error.code, ErrorCode::InvalidRequest);
    }
}

#[test]
fn turns_are_kept_whatever_they_are_made_of() {
    let foreign =
        Opaque { family: Family::Gemini, provider: "g".to_owned(), kind: OpaqueKind::Signature, data: "x".to_owned() };
    let thought = |opaque| Part::Reasoning(Reasoning { text: "hm".to_owned(), opaque, ..Reasoning::default() });
    let request = asks(vec![
        Message::new(Role::System, vec!["be".into()]),
        user("q"),
        Message::new(Role::Assistant, vec![thought(None), thought(Some(foreign)), Part::Refusal("No.".to_owned())]),
        Message::new(Role::Developer, vec!["stop".into()]),
        Message::new(Role::Assistant, vec!["{ \n".into()]),
    ]);
    let (body, lost) = encoded(&request, MODEL);
    assert_eq!(body["system"], json!([{"type": "text", "text": "be"}]));
    // pitfalls A13; thoughts without our own state stay here.
    assert_eq!(body["messages"][1]["content"], json!([{"type": "text", "text": "No."}]));
    assert_eq!(body["messages"][2]["role"], "user");
    assert_eq!(body["messages"][3]["content"], json!([{"type": "text", "text": "{"}]));
    assert_eq!(lost, ["messages[].role"]);
    // Newer models continue nothing.
    let (body, lost) = encoded(&request, "claude-opus-4-7");
    assert_eq!(body["messages"][4]["role"], "user");
    assert_eq!(lost, ["messages[].role", "messages"]);
}

#[test]
fn what_has_no_words_here_is_listed() {
    let mut request = asks(vec![user("q")]);
    request.sampling.seed = Some(1);
    request.sampling.frequency_penalty = Some(0.5);
    request.sampling.candidates = Some(2);
    request.sampling.stop = vec!["\n".to_owned(), "END".to_owned()];
    request.sampling.temperature = Some(1.7);
    request.service_tier = Some("flex".to_owned());
    request.verbosity = Some("low".to_owned());
    request.extra.members.insert("store".to_owned(), json!(true));
    request.output = OutputFormat::Json;
    let (body, lost) = encoded(&request, MODEL);
    // pitfalls A8, A10
    assert_eq!((&body["temperature"], &body["stop_sequences"]), (&json!(1.0), &json!(["END"])));
    assert!(body["system"][0]["text"].as_str().unwrap().contains("JSON"));
    assert_eq!(body["max_tokens"], 64_000);
    let expected = [
        "response_format",
        "temperature",
        "stop",
        "service_tier",
        "n",
        "seed",
        "frequency_penalty",
        "verbosity",
        "store",
    ];
    assert_eq!(lost, expected);
}
