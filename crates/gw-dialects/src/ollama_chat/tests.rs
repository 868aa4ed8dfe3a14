//! Requests, answers, streams and refusals as Ollama writes them.

use std::time::SystemTime;

use gw_core::chat::{
    BuiltIn, BuiltInTool, Candidate, ChatAnswer, ChatRequest, Effort, Extra, Family, Finish, FinishReason, Function,
    Logprobs, Media, MediaKind, MediaSource, Message, OutputFormat, OutputSchema, Part, Reasoning, Role, Sampling,
    Thinking, ThinkingMode, Tool, ToolCall, ToolChoice, ToolInput, ToolResult,
};
use gw_core::{ErrorCode, Usage};
use http::{HeaderMap, StatusCode};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::chat::{Egress, Target};
use crate::error::Refusal;
use crate::ollama_chat::OllamaChat;
use crate::plain::testing::{origin, read, sent, streamed};

fn encode(request: &ChatRequest) -> (Value, Vec<String>) {
    sent(&OllamaChat, request)
}

fn ask(parts: Vec<Part>) -> ChatRequest {
    ChatRequest { messages: vec![Message::new(Role::User, parts)], ..ChatRequest::default() }
}

fn call(id: &str, name: &str, json: &str) -> Part {
    let input = ToolInput::Json(json.to_owned());
    Part::ToolCall(ToolCall { id: id.to_owned(), name: name.to_owned(), input, ..ToolCall::default() })
}

fn result(id: &str, content: Vec<Part>) -> Part {
    Part::ToolResult(ToolResult { call_id: id.to_owned(), content, ..ToolResult::default() })
}

fn picture() -> Part {
    media(MediaKind::Image, MediaSource::Inline { media_type: "image/png".to_owned(), data: "iVBORw0K".to_owned() })
}

fn media(kind: MediaKind, source: MediaSource) -> Part {
    Part::Media(Media::new(kind, source))
}

#[test]
fn a_conversation_with_parallel_calls_is_written_in_ollamas_words() {
    let thoughts = Reasoning { text: "hm".to_owned(), ..Reasoning::default() };
    let request = ChatRequest {
        messages: vec![
            Message::new(Role::System, vec!["be".into(), "brief".into()]),
            Message::new(Role::User, vec!["what is".into(), "this?".into(), picture()]),
            Message::new(
                Role::Assistant,
                vec![
                    Part::Reasoning(thoughts),
                    call("c1", "get", r#"{"n":12345678901234567890123,"a":1}"#),
                    call("c2", "now", "oops"),
                ],
            ),
            Message::new(Role::User, vec![result("c2", vec![]), result("c1", vec!["sun".into(), picture()])]),
            Message::new(Role::Developer, vec!["rhyme".into()]),
        ],
        tools: vec![Tool::Function(Function { name: "get".to_owned(), ..Function::default() })],
        ..ChatRequest::default()
    };
    let (body, losses) = encode(&request);
    let function = json!({"name": "get", "parameters": {"type": "object", "properties": {}}});
    assert_eq!(body["tools"], json!([{"type": "function", "function": function}]));
    // Ollama streams unless it is told not to.
    assert_eq!(body["stream"], false);
    let messages = body["messages"].as_array().unwrap();
    assert_eq!(messages[0], json!({"role": "system", "content": "be\nbrief"}));
    assert_eq!(messages[1], json!({"role": "user", "content": "what is\nthis?", "images": ["iVBORw0K"]}));
    assert_eq!((&messages[2]["role"], &messages[2]["thinking"]), (&json!("assistant"), &json!("hm")));
    // pitfalls A17: what is no JSON is kept as it is, in an object.
    assert_eq!(messages[2]["tool_calls"][1]["function"]["arguments"], json!({"_raw": "oops"}));
    let tool = |id: &str, name: &str, text: &str| json!({"role": "tool", "content": text, "tool_name": name, "tool_call_id": id});
    assert_eq!(messages[3], tool("c1", "get", "sun"));
    assert_eq!(messages[4], tool("c2", "now", ""));
    let behind = json!({"role": "user", "content": "Attached to the result of get:", "images": ["iVBORw0K"]});
    assert_eq!(messages[5], behind);
    assert_eq!(messages[6], json!({"role": "system", "content": "rhyme"}));
    assert_eq!(losses, ["replaced messages[].content"]);

    let target = Target { model: "m", provider: "p", stream: false };
    let encoded = OllamaChat.encode_request(&request, &target).unwrap();
    assert_eq!(encoded.path, "/api/chat");
    let text = String::from_utf8(encoded.body).unwrap();
    assert!(text.contains(r#""arguments":{"n":12345678901234567890123,"a":1}"#), "{text}");
}

#[test]
fn what_ollama_cannot_look_at_is_told() {
    let url = MediaSource::Url { url: "https://a".to_owned(), media_type: None };
    let inline = MediaSource::Inline { media_type: "application/pdf".to_owned(), data: "JVBERi0=".to_owned() };
    let text = MediaSource::Text { media_type: "text/plain".to_owned(), text: "words".to_owned() };
    assert!(!OllamaChat.takes_urls());
    let (body, losses) = encode(&ask(vec![
        "q".into(),
        media(MediaKind::Image, url),
        media(MediaKind::Document, inline.clone()),
        media(MediaKind::Document, text),
        media(MediaKind::Audio, inline),
    ]));
    assert_eq!(body["messages"], json!([{"role": "user", "content": "q\nwords"}]));
    assert_eq!(
        losses,
        [
            "dropped messages[].image_url",
            "dropped messages[].file",
            "replaced messages[].file",
            "dropped messages[].input_audio",
        ]
    );
}

#[test]
fn sampling_stands_among_the_options() {
    let sampling = Sampling {
        max_output_tokens: Some(100),
        temperature: Some(1.5),
        top_p: Some(0.5),
        top_k: Some(40),
        stop: vec!["a".to_owned()],
        seed: Some(-7),
        presence_penalty: Some(0.5),
        frequency_penalty: Some(-0.5),
        candidates: Some(1),
        logprobs: Some(Logprobs { top: Some(3) }),
        ..Sampling::default()
    };
    let members = json!({"keep_alive": "5m", "options.num_ctx": 8192, "options": {"min_p": 0.1}});
    let extra = Extra { family: Family::Ollama, members: members.as_object().unwrap().clone() };
    let (body, losses) = encode(&ChatRequest { sampling, extra, ..ask(vec!["q".into()]) });
    assert_eq!(
        body["options"],
        json!({
            "num_predict": 100, "temperature": 1.5, "top_p": 0.5, "top_k": 40, "seed": -7, "stop": ["a"],
            "presence_penalty": 0.5, "frequency_penalty": -0.5, "num_ctx": 8192, "min_p": 0.1,
        })
    );
    assert_eq!((&body["logprobs"], &body["top_logprobs"]), (&json!(true), &json!(3)));
    assert_eq!((&body["keep_alive"], losses.len()), (&json!("5m"), 0));
}

#[test]
fn choices_of_tools_are_made_by_what_is_sent() {
    let choose = |choice: ToolChoice| {
        let tool = |name: &str| Tool::Function(Function { name: name.to_owned(), ..Function::default() });
        let tools = vec![tool("f"), tool("g")];
        let (body, losses) = encode(&ChatRequest { tools, tool_choice: Some(choice), ..ask(vec!["q".into()]) });
        assert_eq!(body.get("tool_choice"), None);
        (body["tools"].as_array().map_or(0, Vec::len), losses.join(", "))
    };
    assert_eq!(choose(ToolChoice::Auto), (2, String::new()));
    assert_eq!(choose(ToolChoice::None), (0, String::new()));
    assert_eq!(choose(ToolChoice::Required), (2, "dropped tool_choice".to_owned()));
    assert_eq!(choose(ToolChoice::Function("g".to_owned())), (1, "replaced tool_choice".to_owned()));
    let allowed = ToolChoice::Allowed { required: false, names: vec!["f".to_owned()] };
    assert_eq!(choose(allowed), (1, String::new()));
}

#[test]
fn what_ollama_has_no_word_for_is_told() {
    let search = BuiltInTool { kind: BuiltIn::WebSearch, family: Family::Gemini, value: json!({"googleSearch": {}}) };
    let strict = Tool::Function(Function { name: "f".to_owned(), strict: Some(true), ..Function::default() });
    let request = ChatRequest {
        tools: vec![strict, Tool::BuiltIn(search)],
        parallel_tool_calls: Some(false),
        verbosity: Some("low".to_owned()),
        service_tier: Some("flex".to_owned()),
        extra: Extra { members: json!({"store": true}).as_object().unwrap().clone(), ..Extra::default() },
        ..ask(vec!["q".into()])
    };
    let (_, losses) = encode(&request);
    let params = ["verbosity", "parallel_tool_calls", "service_tier", "tools[].strict", "tools[].type"];
    let mut told = params.map(|param| format!("dropped {param}")).to_vec();
    told.push("ignored store".to_owned());
    assert_eq!(losses, told);
}

#[test]
fn a_schema_of_the_answer_is_its_format() {
    let schema = json!({"type": "object", "properties": {"a": {"type": "integer"}}});
    let output = OutputFormat::Schema(OutputSchema { schema: schema.clone(), ..OutputSchema::default() });
    let (body, losses) = encode(&ChatRequest { output, ..ask(vec!["q".into()]) });
    assert_eq!((&body["format"], losses.len()), (&schema, 0));
    let (body, _) = encode(&ChatRequest { output: OutputFormat::Json, ..ask(vec!["q".into()]) });
    assert_eq!(body["format"], "json");
}

#[test]
fn thinking_is_a_word() {
    let think = |thinking: Thinking| {
        let (body, losses) = encode(&ChatRequest { thinking: Some(thinking), ..ask(vec!["q".into()]) });
        (body["think"].clone(), losses.len())
    };
    let effort = |effort| Thinking { effort: Some(effort), ..Thinking::default() };
    let mode = |mode| Thinking { mode: Some(mode), ..Thinking::default() };
    assert_eq!(think(effort(Effort::None)), (json!(false), 0));
    assert_eq!(think(effort(Effort::Minimal)), (json!("low"), 1));
    assert_eq!(think(effort(Effort::High)), (json!("high"), 0));
    assert_eq!(think(effort(Effort::XHigh)), (json!("max"), 1));
    assert_eq!(think(mode(ThinkingMode::Disabled)), (json!(false), 0));
    assert_eq!(think(mode(ThinkingMode::Adaptive)), (json!(true), 0));
    let budget = Thinking { mode: Some(ThinkingMode::Enabled), budget_tokens: Some(8_000), ..Thinking::default() };
    assert_eq!(think(budget), (json!("medium"), 1));
}

const TEXT: &str = r#"{"model":"qwen3","created_at":"2025-10-26T17:15:24.097767Z","message":{"role":"assistant","content":"Größe!","thinking":"Hm. "},"done":true,"done_reason":"stop","total_duration":174560334,"load_duration":101397084,"prompt_eval_count":11,"prompt_eval_duration":13074791,"eval_count":18,"eval_duration":52479709}"#;

fn decode(text: &str) -> ChatAnswer {
    OllamaChat.decode_answer(text.as_bytes(), &origin()).unwrap()
}

#[test]
fn an_answer_and_its_stream_say_the_same() {
    let answer = decode(TEXT);
    let thoughts = Reasoning { text: "Hm. ".to_owned(), ..Reasoning::default() };
    let expected = ChatAnswer {
        model: "qwen3".to_owned(),
        candidates: vec![Candidate {
            parts: vec![Part::Reasoning(thoughts), "Größe!".into()],
            finish: Finish::new(FinishReason::Stop, "stop"),
            logprobs: None,
        }],
        usage: Some(Usage { input_tokens: 11, output_tokens: 18, ..Usage::default() }),
        ..ChatAnswer::default()
    };
    assert_eq!(answer, expected);

    let stream = [
        r#"{"model":"qwen3","created_at":"1","message":{"role":"assistant","content":"","thinking":"Hm"},"done":false}"#,
        r#"{"model":"qwen3","created_at":"2","message":{"role":"assistant","content":"","thinking":". "},"done":false}"#,
        r#"{"model":"qwen3","created_at":"3","message":{"role":"assistant","content":"Grö"},"done":false}"#,
        r#"{"model":"qwen3","created_at":"4","message":{"role":"assistant","content":"ße!"},"done":false}"#,
        r#"{"model":"qwen3","created_at":"5","message":{"role":"assistant","content":""},"done":true,"done_reason":"stop","prompt_eval_count":11,"eval_count":18}"#,
    ];
    assert_eq!(streamed(&OllamaChat, (stream.join("\n") + "\n").as_bytes()), expected);
    assert_eq!(streamed(&OllamaChat, stream.join("\r\n\n").as_bytes()), expected);
    let cut = stream[..4].join("\n") + "\n{\"model\"";
    assert_eq!(read(&OllamaChat, [cut.as_bytes()]).unwrap_err().code, ErrorCode::ProviderStreamInterrupted);
}

// pitfalls B3: a call without arguments has an empty object.
#[test]
fn calls_get_ids_and_end_the_turn_whatever_the_reason() {
    let lines = [
        r#"{"created_at":"1","message":{"role":"assistant","content":"","tool_calls":[{"function":{"name":"get","arguments":{"n":12345678901234567890123}}},{"function":{"name":"get","arguments":{"n":12345678901234567890123}}}]},"done":false}"#,
        r#"{"created_at":"2","message":{"content":"","tool_calls":[{"id":"own","function":{"index":0,"name":"now"}}]},"done":false}"#,
        r#"{"created_at":"3","message":{"role":"assistant","content":""},"done":true,"done_reason":"stop"}"#,
    ];
    let answer = streamed(&OllamaChat, lines.join("\n").as_bytes());
    let candidate = &answer.candidates[0];
    assert_eq!(candidate.finish, Finish::new(FinishReason::ToolCalls, "stop"));
    assert_eq!(answer.usage, None);
    let calls: Vec<_> = candidate
        .parts
        .iter()
        .map(|part| {
            let Part::ToolCall(call) = part else { panic!("{part:?}") };
            let ToolInput::Json(json) = &call.input else { panic!("{part:?}") };
            (call.id.as_str(), call.name.as_str(), json.as_str())
        })
        .collect();
    let (first, second) = (calls[0].0, calls[1].0);
    let big = r#"{"n":12345678901234567890123}"#;
    assert_eq!(calls, [(first, "get", big), (second, "get", big), ("own", "now", "{}")]);
    assert!(first != second && first.starts_with("call_"));
    // The same call at another time is another.
    let later = decode(&lines[0].replace("\"1\"", "\"9\"").replace("false", "true"));
    assert_ne!(later.candidates[0].parts[0], candidate.parts[0]);
}

#[test]
fn pictures_and_probabilities_are_kept() {
    let text = r#"{"message":{"content":"a","images":["iVBORw0KGgo="]},"logprobs":[{"token":"a","logprob":-0.5}],"done":true,"done_reason":"length"}"#;
    let candidate = decode(text).candidates.remove(0);
    assert_eq!(candidate.finish.reason, FinishReason::Length);
    assert_eq!(candidate.logprobs, Some(json!([{"token": "a", "logprob": -0.5}])));
    let source = MediaSource::Inline { media_type: "image/png".to_owned(), data: "iVBORw0KGgo=".to_owned() };
    assert_eq!(candidate.parts[1], media(MediaKind::Image, source));
}

#[test]
fn errors_are_read_wherever_they_stand() {
    let whole = |body: &str| OllamaChat.decode_answer(body.as_bytes(), &origin()).unwrap_err().code;
    assert_eq!(whole("404 page not found"), ErrorCode::ProviderInvalidResponse);
    assert_eq!(whole("{}"), ErrorCode::ProviderInvalidResponse);
    assert_eq!(whole(r#"{"message":{"content":"a"},"done":false}"#), ErrorCode::ProviderInvalidResponse);
    assert_eq!(whole(r#"{"error":"model 'x' not found"}"#), ErrorCode::ProviderModelNotFound);
    let stream = "{\"message\":{\"content\":\"a\"},\"done\":false}\n{\"error\":\"an error was encountered\"}";
    assert_eq!(read(&OllamaChat, [stream.as_bytes()]).unwrap_err().code, ErrorCode::ProviderFailed);
    assert_eq!(read(&OllamaChat, []).unwrap_err().code, ErrorCode::ProviderStreamInterrupted);
    assert_eq!(read(&OllamaChat, [b"[1]\n".as_slice()]).unwrap_err().code, ErrorCode::ProviderInvalidResponse);
}

#[test]
fn refusals_are_told_apart() {
    for (status, said, code) in [
        (400, "\"m\" does not support tools", ErrorCode::ProviderRejected),
        (400, "input length exceeds the context length", ErrorCode::ContextLengthExceeded),
        (401, "unauthorized", ErrorCode::ProviderAuthentication),
        (404, "model \"x\" not found, try pulling it first", ErrorCode::ProviderModelNotFound),
        (429, "too many concurrent requests", ErrorCode::ProviderRateLimited),
        (500, "model requires more system memory", ErrorCode::ProviderFailed),
        (503, "server busy, please try again. maximum pending requests exceeded", ErrorCode::ProviderOverloaded),
    ] {
        let error = OllamaChat.decode_error(Refusal {
            status: StatusCode::from_u16(status).unwrap(),
            headers: HeaderMap::new(),
            body: json!({"error": said}).to_string().into(),
            provider: "p",
            credential_is_callers: false,
            now: SystemTime::UNIX_EPOCH,
        });
        assert_eq!(error.code, code, "{status} {said}");
    }
}

proptest! {
    #[test]
    fn nothing_that_comes_makes_the_readers_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = OllamaChat.decode_answer(&bytes, &origin());
        let _ = read(&OllamaChat, [bytes.as_slice()]);
    }

    #[test]
    fn no_order_of_lines_breaks_the_grammar(kinds in prop::collection::vec(0usize..5, 0..12)) {
        let messages = [
            r#"{"message":{"content":"a","thinking":"b"}}"#,
            r#"{"message":{"tool_calls":[{"function":{"name":"f","arguments":{}}}]}}"#,
            r#"{"message":{"images":["aaaa"],"content":"c"}}"#,
            r#"{"message":{"thinking":"d"}}"#,
            r#"{"done":true}"#,
        ];
        let stream: Vec<_> = kinds.iter().map(|kind| messages[*kind]).collect();
        if let Ok(events) = read(&OllamaChat, [stream.join("\n").as_bytes()]) {
            prop_assert_eq!(gw_core::chat::event::check(&events), None);
        }
    }
}
