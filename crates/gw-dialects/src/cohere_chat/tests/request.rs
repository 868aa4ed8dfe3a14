//! Requests.

use gw_core::chat::{
    ChatRequest, CustomTool, Effort, Extra, Family, Function, Logprobs, Media, MediaKind, MediaSource, Message, Opaque,
    OpaqueKind, OutputFormat, OutputSchema, Part, Reasoning, Role, Sampling, Thinking, Tool, ToolChoice, ToolResult,
};
use serde_json::{Value, json};

use super::call;
use crate::chat::{Egress, Target};
use crate::cohere_chat::CohereChat;
use crate::plain::testing::sent;

fn encode(request: &ChatRequest) -> (Value, Vec<String>) {
    sent(&CohereChat, request)
}

fn ask(parts: Vec<Part>) -> ChatRequest {
    ChatRequest { messages: vec![Message::new(Role::User, parts)], ..ChatRequest::default() }
}

fn function(name: &str) -> Tool {
    let parameters = Some(json!({"type": "object", "properties": {"a": {"type": "integer"}}}));
    Tool::Function(Function { name: name.to_owned(), parameters, ..Function::default() })
}

fn result(id: &str, text: &str) -> Part {
    Part::ToolResult(ToolResult { call_id: id.to_owned(), content: vec![text.into()], ..ToolResult::default() })
}

fn image(source: MediaSource, detail: Option<&str>) -> Part {
    let detail = detail.map(str::to_owned);
    Part::Media(Media { detail, ..Media::new(MediaKind::Image, source) })
}

#[test]
fn a_conversation_with_parallel_calls_is_written_in_coheres_words() {
    let thought = Opaque {
        family: Family::Anthropic,
        provider: "a".to_owned(),
        kind: OpaqueKind::Signature,
        data: "secret".to_owned(),
    };
    let reasoning = Reasoning { text: "hm".to_owned(), opaque: Some(thought), ..Reasoning::default() };
    let request = ChatRequest {
        stream: true,
        messages: vec![
            Message::new(Role::Developer, vec!["be brief".into()]),
            Message::new(Role::User, vec!["weather?".into()]),
            Message::new(
                Role::Assistant,
                vec![
                    Part::Reasoning(reasoning),
                    "I will look.".into(),
                    call("c1", "get", r#"{"n":12345678901234567890123}"#),
                    call("c2", "my.tool", " "),
                ],
            ),
            Message::new(Role::User, vec![result("c2", "rain")]),
            Message::new(Role::User, vec![result("c1", "sun"), "and?".into()]),
        ],
        tools: vec![function("get"), Tool::Function(Function { name: "my.tool".to_owned(), ..Function::default() })],
        ..ChatRequest::default()
    };
    let (body, losses) = encode(&request);
    let target = Target { model: "m", provider: "p", stream: true };
    let encoded = CohereChat.encode_request(&request, &target).unwrap();
    assert_eq!(encoded.path, "/chat");
    let (changed, original) = &encoded.names.0[0];
    assert_eq!(original, "my.tool");
    assert_eq!(
        body,
        json!({
            "model": "m",
            "messages": [
                {"role": "system", "content": "be brief"},
                {"role": "user", "content": "weather?"},
                {
                    "role": "assistant",
                    "content": [{"type": "thinking", "thinking": "hm"}],
                    "tool_plan": "I will look.",
                    "tool_calls": [
                        {"id": "c1", "type": "function",
                         "function": {"name": "get", "arguments": r#"{"n":12345678901234567890123}"#}},
                        {"id": "c2", "type": "function", "function": {"name": changed, "arguments": "{}"}},
                    ],
                },
                {"role": "tool", "tool_call_id": "c1", "content": "sun"},
                {"role": "tool", "tool_call_id": "c2", "content": "rain"},
                {"role": "user", "content": "and?"},
            ],
            "stream": true,
            "tools": [
                {"type": "function", "function": {"name": "get",
                    "parameters": {"type": "object", "properties": {"a": {"type": "integer"}}}}},
                {"type": "function",
                 "function": {"name": changed, "parameters": {"type": "object", "properties": {}}}},
            ],
        })
    );
    assert_eq!(losses, [""; 0]);
}

#[test]
fn pictures_are_sent_and_what_cohere_cannot_look_at_is_told() {
    let inline = MediaSource::Inline { media_type: "image/png".to_owned(), data: "iVBORw0K".to_owned() };
    let url = MediaSource::Url { url: "https://a/b.png".to_owned(), media_type: None };
    let text = MediaSource::Text { media_type: "text/csv".to_owned(), text: "1,2".to_owned() };
    let document = |kind, source| Part::Media(Media { name: Some("a.csv".to_owned()), ..Media::new(kind, source) });
    let (body, losses) = encode(&ask(vec![
        image(inline.clone(), Some("original")),
        image(url, Some("low")),
        document(MediaKind::Document, text),
        document(MediaKind::Document, inline.clone()),
        document(MediaKind::Audio, inline),
    ]));
    assert_eq!(
        body["messages"][0]["content"],
        json!([
            {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0K", "detail": "high"}},
            {"type": "image_url", "image_url": {"url": "https://a/b.png", "detail": "low"}},
            {"type": "text", "text": "a.csv:\n1,2"},
        ])
    );
    assert_eq!(
        losses,
        [
            "replaced messages[].image_url.detail",
            "replaced messages[].file",
            "dropped messages[].file",
            "dropped messages[].input_audio",
        ]
    );
}

// pitfalls A6: every choice says what it can, and the rest is told.
#[test]
fn choices_of_tools_are_words_of_coheres() {
    let choose = |choice: ToolChoice| {
        let tools = vec![function("f"), function("g")];
        let (body, losses) = encode(&ChatRequest { tools, tool_choice: Some(choice), ..ask(vec!["q".into()]) });
        let names: Vec<_> =
            body["tools"].as_array().unwrap().iter().map(|tool| tool["function"]["name"].clone()).collect();
        (body["tool_choice"].clone(), names, losses)
    };
    let both = vec![json!("f"), json!("g")];
    assert_eq!(choose(ToolChoice::Auto), (Value::Null, both.clone(), vec![]));
    assert_eq!(choose(ToolChoice::None), (json!("NONE"), both.clone(), vec![]));
    assert_eq!(choose(ToolChoice::Required), (json!("REQUIRED"), both, vec![]));
    let told = vec!["replaced tool_choice".to_owned()];
    assert_eq!(choose(ToolChoice::Function("g".to_owned())), (json!("REQUIRED"), vec![json!("g")], told));
    let allowed = ToolChoice::Allowed { required: true, names: vec!["f".to_owned()] };
    assert_eq!(choose(allowed), (json!("REQUIRED"), vec![json!("f")], vec![]));
}

#[test]
fn strict_and_custom_tools_are_said_as_far_as_cohere_can() {
    let strict = Tool::Function(Function { name: "s".to_owned(), strict: Some(true), ..Function::default() });
    let custom = Tool::Custom(CustomTool { name: "c".to_owned(), ..CustomTool::default() });
    let (body, losses) = encode(&ChatRequest { tools: vec![strict, custom], ..ask(vec!["q".into()]) });
    assert_eq!(body["strict_tools"], true);
    assert_eq!(body["tools"][1]["function"]["parameters"]["required"], json!(["input"]));
    assert_eq!(losses, ["replaced tools[].custom", "replaced tools[].strict"]);
}

// pitfalls A6: a schema is sent; with tools Cohere refuses it.
#[test]
fn a_schema_of_the_answer_is_sent_unless_there_are_tools() {
    let schema = json!({"type": "object"});
    let output = OutputFormat::Schema(OutputSchema { schema: schema.clone(), ..OutputSchema::default() });
    let request = ChatRequest { output, ..ask(vec!["q".into()]) };
    let (body, losses) = encode(&request);
    assert_eq!(body["response_format"], json!({"type": "json_object", "json_schema": schema}));
    assert_eq!(losses, [""; 0]);
    let (body, losses) = encode(&ChatRequest { tools: vec![function("f")], ..request });
    assert_eq!(body.get("response_format"), None);
    assert_eq!(losses, ["dropped response_format"]);
    let (body, _) = encode(&ChatRequest { output: OutputFormat::Json, ..ask(vec!["q".into()]) });
    assert_eq!(body["response_format"], json!({"type": "json_object"}));
}

#[test]
fn sampling_is_said_within_coheres_limits() {
    let sampling = Sampling {
        max_output_tokens: Some(100),
        temperature: Some(1.7),
        top_p: Some(0.5),
        top_k: Some(40),
        stop: ["a", "b", "c", "d", "e", "f"].map(str::to_owned).to_vec(),
        seed: Some(7),
        presence_penalty: Some(-0.5),
        frequency_penalty: Some(0.5),
        candidates: Some(2),
        logprobs: Some(Logprobs { top: Some(3) }),
        logit_bias: json!({"1": 2}).as_object().unwrap().clone(),
    };
    let request = ChatRequest { sampling, user: Some("u".to_owned()), ..ask(vec!["q".into()]) };
    let (body, losses) = encode(&request);
    for (name, value) in [
        ("max_tokens", json!(100)),
        ("temperature", json!(1.0)),
        ("p", json!(0.5)),
        ("k", json!(40)),
        ("stop_sequences", json!(["a", "b", "c", "d", "e"])),
        ("seed", json!(7)),
        ("presence_penalty", json!(0.0)),
        ("frequency_penalty", json!(0.5)),
        ("logprobs", json!(true)),
    ] {
        assert_eq!(body[name], value, "{name}");
    }
    assert_eq!(
        losses,
        [
            "ignored user",
            "dropped n",
            "dropped logit_bias",
            "replaced temperature",
            "replaced presence_penalty",
            "replaced stop",
            "dropped top_logprobs",
        ]
    );
}

// pitfalls A6: thinking has its own words.
#[test]
fn thinking_is_a_budget() {
    let think = |thinking: Thinking, cap| {
        let sampling = Sampling { max_output_tokens: cap, ..Sampling::default() };
        let (body, losses) = encode(&ChatRequest { thinking: Some(thinking), sampling, ..ask(vec!["q".into()]) });
        (body["thinking"].clone(), losses.len())
    };
    let effort = |effort| Thinking { effort: Some(effort), ..Thinking::default() };
    let enabled = |budget: u64| json!({"type": "enabled", "token_budget": budget});
    assert_eq!(think(effort(Effort::None), None), (json!({"type": "disabled"}), 0));
    assert_eq!(think(effort(Effort::Low), None), (enabled(2_048), 1));
    assert_eq!(think(effort(Effort::High), Some(1_000)), (enabled(500), 1));
    let budget = Thinking { budget_tokens: Some(5_000), ..Thinking::default() };
    assert_eq!(think(budget, Some(100)), (enabled(5_000), 0));
}

#[test]
fn members_of_coheres_own_pass_and_those_of_others_are_told() {
    let extra = |family| {
        let members = json!({"safety_mode": "STRICT"}).as_object().unwrap().clone();
        encode(&ChatRequest { extra: Extra { family, members }, ..ask(vec!["q".into()]) })
    };
    let (body, losses) = extra(Family::Cohere);
    assert_eq!((body["safety_mode"].as_str(), losses.len()), (Some("STRICT"), 0));
    let (body, losses) = extra(Family::OpenAiChat);
    assert_eq!((body.get("safety_mode"), losses), (None, vec!["dropped safety_mode".to_owned()]));
}

// pitfalls A12, A13: nothing is put in the place of an empty text, and what the model refused stays its own words.
#[test]
fn empty_texts_and_refusals_are_what_they_were() {
    let (body, losses) = encode(&ChatRequest {
        messages: vec![
            Message::new(Role::User, vec!["".into(), "q".into()]),
            Message::new(Role::Assistant, vec![Part::Refusal("No.".to_owned())]),
            Message::new(Role::System, vec!["be kind".into()]),
            Message::new(Role::User, vec!["".into()]),
            Message::new(Role::User, vec!["why?".into()]),
        ],
        ..ChatRequest::default()
    });
    assert_eq!(
        body["messages"],
        json!([
            {"role": "user", "content": "q"},
            {"role": "assistant", "content": "No."},
            {"role": "system", "content": "be kind"},
            {"role": "user", "content": "why?"},
        ])
    );
    assert_eq!(losses, [""; 0]);
}
