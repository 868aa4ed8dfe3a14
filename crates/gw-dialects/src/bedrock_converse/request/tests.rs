use gw_core::chat::{
    BuiltIn, BuiltInTool, CacheMarker, CustomTool, Effort, Extra, Family, Function, Media, MediaKind, MediaSource,
    Message, Modality, Native, Opaque, OpaqueKind, OutputFormat, OutputSchema, Reasoning, Role, Thinking, ThinkingMode,
    Tool, ToolCall, ToolChoice, ToolInput, ToolResult,
};

use super::*;

const CLAUDE: &str = "us.anthropic.claude-sonnet-4-5-20250929-v1:0";
const CLAUDE_OLD: &str = "anthropic.claude-3-5-sonnet-20240620-v1:0";
const CLAUDE_NEW: &str = "global.anthropic.claude-opus-4-7";
const NOVA: &str = "us.amazon.nova-2-lite-v1:0";
const LLAMA: &str = "meta.llama3-1-70b-instruct-v1:0";
const MISTRAL: &str = "mistral.mistral-large-2402-v1:0";
const PNG: &str = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJ";

struct Sent {
    encoded: Encoded,
    body: Value,
}

impl Sent {
    fn losses(&self) -> Vec<&str> {
        self.encoded.losses.iter().map(|loss| loss.param.as_ref()).collect()
    }

    fn text(&self) -> &str {
        std::str::from_utf8(&self.encoded.body).unwrap()
    }
}

fn send(model: &str, request: &ChatRequest) -> Sent {
    let target = Target { model, provider: "aws", stream: request.stream };
    let encoded = encode(request, &target).unwrap();
    let body = serde_json::from_slice(&encoded.body).unwrap();
    Sent { encoded, body }
}

fn ask(messages: Vec<Message>) -> ChatRequest {
    ChatRequest { messages, ..ChatRequest::default() }
}

fn question() -> ChatRequest {
    ask(vec![user(vec!["q".into()])])
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

fn function(name: &str) -> Tool {
    Tool::Function(Function { name: name.to_owned(), ..Function::default() })
}

fn medium(kind: MediaKind, media_type: &str, data: &str, name: Option<&str>) -> Part {
    let source = MediaSource::Inline { media_type: media_type.to_owned(), data: data.to_owned() };
    Part::Media(Media { name: name.map(str::to_owned), ..Media::new(kind, source) })
}

fn schema(schema: Value) -> OutputFormat {
    OutputFormat::Schema(OutputSchema { name: Some("shape".to_owned()), schema, ..OutputSchema::default() })
}

fn state(family: Family, kind: OpaqueKind) -> Option<Opaque> {
    Some(Opaque { family, provider: String::new(), kind, data: "c2ln".to_owned() })
}

fn thought(opaque: Option<Opaque>) -> Part {
    Part::Reasoning(Reasoning { text: "hm".to_owned(), opaque, ..Reasoning::default() })
}

#[test]
fn the_path_holds_the_id_encoded_once() {
    let path = |model, stream| send(model, &ChatRequest { stream, ..question() }).encoded.path;
    assert_eq!(path(CLAUDE, false), "/model/us.anthropic.claude-sonnet-4-5-20250929-v1%3A0/converse");
    let arn = "arn:aws:bedrock:us-east-1:1:application-inference-profile/a";
    let encoded = "/model/arn%3Aaws%3Abedrock%3Aus-east-1%3A1%3Aapplication-inference-profile%2Fa/converse-stream";
    assert_eq!(path(arn, true), encoded);
}

#[test]
fn a_conversation_with_tools_is_said_in_converses_order() {
    let mut request = ask(vec![
        Message::new(Role::System, vec!["be".into(), "brief".into()]),
        user(vec!["q".into()]),
        assistant(vec!["".into(), call("one", r#"{"z":1,"a":12345678901234567890123}"#), call("two", "")]),
        user(vec![result("two", r#"{"t":21}"#)]),
        user(vec![result("one", "21 °C")]),
        Message::new(Role::System, vec!["now in French".into()]),
    ]);
    let parameters = Some(json!({"type": "object", "properties": {"z": {"type": "integer"}}}));
    let described =
        Function { name: "f".to_owned(), description: Some("does".to_owned()), parameters, ..Function::default() };
    request.tools = vec![Tool::Function(described), function("g")];
    request.sampling.max_output_tokens = Some(100);
    request.sampling.temperature = Some(0.7);
    let sent = send(CLAUDE, &request);
    assert!(sent.text().contains(r#""input":{"z":1,"a":12345678901234567890123}"#), "{}", sent.text());
    let mut body = sent.body.clone();
    body["messages"][1]["content"][0]["toolUse"]["input"] = json!({});
    let expected = json!({
        "messages": [
            {"role": "user", "content": [{"text": "q"}]},
            {"role": "assistant", "content": [
                {"toolUse": {"toolUseId": "one", "name": "f", "input": {}}},
                {"toolUse": {"toolUseId": "two", "name": "f", "input": {}}},
            ]},
            {"role": "user", "content": [
                {"toolResult": {"toolUseId": "one", "content": [{"text": "21 °C"}]}},
                {"toolResult": {"toolUseId": "two", "content": [{"json": {"t": 21}}]}},
                {"text": "now in French"},
            ]},
        ],
        "system": [{"text": "be"}, {"text": "brief"}],
        "toolConfig": {"tools": [
            {"toolSpec": {"name": "f", "description": "does",
                "inputSchema": {"json": {"type": "object", "properties": {"z": {"type": "integer"}}}}}},
            {"toolSpec": {"name": "g", "inputSchema": {"json": {"type": "object", "properties": {}}}}},
        ]},
        "inferenceConfig": {"maxTokens": 100, "temperature": 0.7},
    });
    assert_eq!(body, expected);
    assert_eq!(sent.losses(), ["messages[].role"]);
}

#[test]
fn what_a_tool_gave_is_told_as_it_is() {
    let mut request = ask(vec![user(vec!["q".into()]), assistant(vec![call("a/b", "[1]"), call("a:b", "{")])]);
    let failed = ToolResult { call_id: "a/b".to_owned(), is_error: true, ..ToolResult::default() };
    let picture = medium(MediaKind::Image, "image/jpeg", PNG, None);
    let seen = ToolResult { call_id: "a:b".to_owned(), content: vec!["[1]".into(), picture], ..ToolResult::default() };
    request.messages.push(user(vec![Part::ToolResult(failed), Part::ToolResult(seen)]));
    request.tools = vec![function("f")];
    let body = send(CLAUDE, &request).body;
    let calls = &body["messages"][1]["content"];
    // pitfalls A17: what is no object is kept where nothing is lost.
    assert_eq!(calls[0]["toolUse"]["input"], json!({"_raw": [1]}));
    assert_eq!(calls[1]["toolUse"]["input"], json!({"_raw": "{"}));
    let results = &body["messages"][2]["content"];
    assert_eq!(results[0]["toolResult"]["toolUseId"], calls[0]["toolUse"]["toolUseId"]);
    assert_eq!(results[0]["toolResult"]["status"], "error");
    assert_eq!(results[0]["toolResult"]["content"], json!([{"text": "(no output)"}]));
    let picture = json!({"image": {"format": "png", "source": {"bytes": PNG}}});
    let expected = json!({"toolUseId": "a:b", "content": [{"text": "[1]"}, picture]});
    assert_eq!(results[1]["toolResult"], expected);
    let plain = send(LLAMA, &request).body["messages"][2]["content"][0]["toolResult"].clone();
    assert_eq!((plain.get("status"), &plain["content"]), (None, &json!([{"text": "The tool failed:"}])));
}

#[test]
fn ids_and_names_fit_and_stay_different() {
    let long = "call_".repeat(20);
    let name = "mcp.server/tool".to_owned();
    let mut request = ask(vec![user(vec!["q".into()])]);
    let named = |id: &str| Part::ToolCall(ToolCall { id: id.to_owned(), name: name.clone(), ..ToolCall::default() });
    request.messages.push(assistant(vec![named(&long), named(&format!("{long}x"))]));
    request.tools = vec![function(&name)];
    for model in [CLAUDE, MISTRAL] {
        let sent = send(model, &request);
        let id =
            |at: usize| sent.body["messages"][1]["content"][at]["toolUse"]["toolUseId"].as_str().unwrap().to_owned();
        assert_ne!(id(0), id(1));
        assert_eq!(sent.body["messages"][2]["content"][0]["toolResult"]["toolUseId"], id(0));
        assert!(id(0).len() <= 64);
        if model == MISTRAL {
            assert!(id(0).len() == 9 && id(0).chars().all(|c| c.is_ascii_alphanumeric()), "{}", id(0));
        }
        let known = sent.body["toolConfig"]["tools"][0]["toolSpec"]["name"].as_str().unwrap();
        assert_eq!(sent.body["messages"][1]["content"][0]["toolUse"]["name"], known);
        assert_eq!(sent.encoded.names.original(known), name);
    }
}

#[test]
fn calls_that_share_an_id_get_ids_of_their_own() {
    let turn = |text: &str| [assistant(vec![call("call_0", "{}")]), user(vec![result("call_0", text)])];
    let mut request = ask(vec![user(vec!["q".into()])]);
    request.messages.extend(turn("one"));
    request.messages.extend(turn("two"));
    request.tools = vec![function("f")];
    let messages = send(CLAUDE, &request).body["messages"].clone();
    let called = |turn: usize| messages[turn]["content"][0]["toolUse"]["toolUseId"].clone();
    let answered = |turn: usize| messages[turn]["content"][0]["toolResult"]["toolUseId"].clone();
    assert_eq!((called(1), called(3)), (answered(2), answered(4)));
    assert_eq!(called(1), "call_0");
    assert_ne!(called(1), called(3));
}

#[test]
fn without_tools_to_offer_earlier_calls_are_told_as_text() {
    let mut request = ask(vec![user(vec!["q".into()]), assistant(vec![call("1", "{}")]), user(vec![result("1", "r")])]);
    let mut refused = request.clone();
    refused.tools = vec![function("f")];
    refused.tool_choice = Some(ToolChoice::None);
    for request in [&request, &refused] {
        let sent = send(CLAUDE, request);
        assert_eq!(sent.body.get("toolConfig"), None);
        assert_eq!(sent.body["messages"][1]["content"], json!([{"text": "[called f with {}]"}]));
        assert_eq!(sent.body["messages"][2]["content"], json!([{"text": "[f returned:]"}, {"text": "r"}]));
        assert_eq!(sent.losses(), ["messages[].tool_calls"]);
    }
    request.tools = vec![function("f")];
    assert_eq!(send(CLAUDE, &request).losses(), Vec::<&str>::new());
}

#[test]
fn a_choice_is_said_in_converses_words() {
    let choose = |model: &str, choice: ToolChoice| {
        let tools = vec![function("f"), function("g")];
        send(model, &ChatRequest { tools, tool_choice: Some(choice), ..question() })
    };
    for (choice, expected) in [
        (ToolChoice::Auto, Value::Null),
        (ToolChoice::Required, json!({"any": {}})),
        (ToolChoice::Function("g".to_owned()), json!({"tool": {"name": "g"}})),
        (ToolChoice::Allowed { required: true, names: vec!["g".to_owned()] }, json!({"any": {}})),
    ] {
        assert_eq!(choose(CLAUDE, choice).body["toolConfig"]["toolChoice"], expected);
    }
    let allowed = choose(CLAUDE, ToolChoice::Allowed { required: false, names: vec!["g".to_owned()] });
    assert_eq!(allowed.body["toolConfig"]["tools"].as_array().unwrap().len(), 1);
    let plain = choose(LLAMA, ToolChoice::Required);
    assert_eq!((plain.losses(), plain.body["toolConfig"].get("toolChoice")), (vec!["tool_choice"], None));
    let mistral = choose(MISTRAL, ToolChoice::Function("g".to_owned())).body["toolConfig"].clone();
    assert_eq!((&mistral["tools"][0]["toolSpec"]["name"], &mistral["toolChoice"]), (&json!("g"), &json!({"any": {}})));
    let single = ChatRequest { tools: vec![function("f")], parallel_tool_calls: Some(false), ..question() };
    let said = send(CLAUDE, &single).body["additionalModelRequestFields"]["tool_choice"].clone();
    assert_eq!(said, json!({"type": "auto", "disable_parallel_tool_use": true}));
    assert_eq!(send(NOVA, &single).losses(), ["parallel_tool_calls"]);
}

#[test]
fn tools_of_other_kinds_are_said_as_well_as_can_be() {
    let built_in = |kind| Tool::BuiltIn(BuiltInTool { kind, family: Family::OpenAiResponses, value: json!({}) });
    let custom = Tool::Custom(CustomTool { name: "c".to_owned(), ..CustomTool::default() });
    let strict = Tool::Function(Function { name: "s".to_owned(), strict: Some(true), ..Function::default() });
    let request = ChatRequest { tools: vec![built_in(BuiltIn::WebSearch), custom, strict], ..question() };
    let nova = send(NOVA, &request);
    assert_eq!(nova.body["toolConfig"]["tools"][0], json!({"systemTool": {"name": "nova_grounding"}}));
    assert_eq!(nova.losses(), ["tools[].type", "tools[].custom", "tools[].strict"]);
    let claude = send(CLAUDE, &request);
    assert_eq!(claude.body["toolConfig"]["tools"][0]["toolSpec"]["inputSchema"]["json"]["required"], json!(["input"]));
    assert_eq!(claude.body["toolConfig"]["tools"][1]["toolSpec"]["strict"], true);
    assert_eq!(claude.losses(), ["tools[].type", "tools[].custom"]);
}

#[test]
fn media_are_named_by_their_bytes_and_what_cannot_be_sent_is_told() {
    let url = MediaSource::Url { url: "https://a/b.png".to_owned(), media_type: None };
    let s3 = MediaSource::Url { url: "s3://bucket/film.mp4".to_owned(), media_type: None };
    let at = |kind, source| Part::Media(Media::new(kind, source));
    let sent = send(
        NOVA,
        &ask(vec![user(vec![
            medium(MediaKind::Image, "image/jpeg", PNG, None),
            medium(MediaKind::Document, "application/pdf", "JVBERi0xLjc=", Some("a_b/../Q1  (2).pdf")),
            medium(MediaKind::Document, "application/octet-stream", "eA==", Some("Q.csv")),
            medium(MediaKind::Document, "text/rust", "eA==", None),
            medium(MediaKind::Document, "text/plain", "eA==", None),
            at(MediaKind::Video, s3),
            medium(MediaKind::Audio, "audio/wav", "UklGRg==", None),
            medium(MediaKind::Image, "image/tiff", "SUkqAA==", None),
            at(MediaKind::Image, url),
        ])]),
    );
    let bytes = |data: &str| json!({"bytes": data});
    let expected = json!([
        {"image": {"format": "png", "source": bytes(PNG)}},
        {"document": {"format": "pdf", "source": bytes("JVBERi0xLjc="), "name": "a b Q1 (2) pdf"}},
        {"document": {"format": "csv", "source": bytes("eA=="), "name": "Q csv"}},
        {"document": {"format": "txt", "source": bytes("eA=="), "name": "document"}},
        {"document": {"format": "txt", "source": bytes("eA=="), "name": "document (2)"}},
        {"video": {"format": "mp4", "source": {"s3Location": {"uri": "s3://bucket/film.mp4"}}}},
        {"audio": {"format": "wav", "source": bytes("UklGRg==")}},
        {"text": "(see the document)"},
    ]);
    assert_eq!(sent.body["messages"][0]["content"], expected);
    assert_eq!(sent.losses(), ["messages[].image_url", "messages[].image_url"]);
}

#[test]
fn a_turn_of_which_nothing_is_left_is_not_empty() {
    // pitfalls A1: what is left out is told.
    let native = Part::Native(Native { family: Family::Gemini, kind: "x".to_owned(), value: json!({"x": 1}) });
    let sent = send(CLAUDE, &ask(vec![user(vec![native])]));
    assert_eq!(sent.body["messages"][0]["content"], json!([{"text": "(content that cannot be sent to this model)"}]));
    assert_eq!(sent.losses(), ["messages[].content[].type"]);
    let sent = send(CLAUDE, &ask(vec![Message::new(Role::System, vec!["hello".into()])]));
    assert_eq!(sent.body, json!({"messages": [{"role": "user", "content": [{"text": "hello"}]}]}));
    let nothing = encode(&ask(vec![user(vec!["".into()])]), &Target { model: CLAUDE, provider: "aws", stream: false });
    assert_eq!(nothing.unwrap_err().code, ErrorCode::InvalidRequest);
    let prefill = send(CLAUDE, &ask(vec![user(vec!["q".into()]), assistant(vec!["So \n".into()])]));
    assert_eq!(prefill.body["messages"][1]["content"], json!([{"text": "So"}]));
}

#[test]
fn thoughts_go_back_to_those_who_thought_them() {
    let back = |model: &str, opaque: Option<Opaque>| {
        let sent = send(model, &ask(vec![user(vec!["q".into()]), assistant(vec![thought(opaque), "a".into()])]));
        sent.body["messages"][1]["content"].as_array().unwrap().len() == 2
    };
    for (model, family, kind, goes) in [
        (CLAUDE, Family::Bedrock, OpaqueKind::Signature, true),
        (CLAUDE, Family::Bedrock, OpaqueKind::Encrypted, true),
        (CLAUDE, Family::Anthropic, OpaqueKind::Signature, true),
        (NOVA, Family::Anthropic, OpaqueKind::Signature, false),
        (CLAUDE, Family::Gemini, OpaqueKind::Signature, false),
        (LLAMA, Family::Bedrock, OpaqueKind::Signature, false),
    ] {
        assert_eq!(back(model, state(family, kind)), goes, "{model} {family:?} {kind:?}");
    }
    assert!(!back(CLAUDE, None));
}

#[test]
fn older_claudes_think_within_a_budget_that_leaves_room() {
    // pitfalls A9: the budget is below the limit, and neither temperature nor a forced call goes with it.
    let mut request = question();
    request.thinking = Some(Thinking { effort: Some(Effort::Low), ..Thinking::default() });
    request.sampling.max_output_tokens = Some(500);
    request.sampling.temperature = Some(0.2);
    request.sampling.top_k = Some(5);
    let sent = send(CLAUDE, &request);
    let thinking = json!({"thinking": {"type": "enabled", "budget_tokens": 2048}});
    assert_eq!(sent.body["additionalModelRequestFields"], thinking);
    assert_eq!(sent.body["inferenceConfig"], json!({"maxTokens": 2548}));
    assert_eq!(sent.losses(), ["temperature", "top_k"]);
    request.tools = vec![function("f")];
    request.tool_choice = Some(ToolChoice::Required);
    let forced = send(CLAUDE, &request);
    assert_eq!(forced.body["additionalModelRequestFields"], json!({"top_k": 5}));
    assert_eq!(forced.losses(), ["reasoning_effort"]);
    request.tool_choice = None;
    request.messages.extend([assistant(vec![call("1", "{}")]), user(vec![result("1", "r")])]);
    assert_eq!(send(CLAUDE, &request).losses(), ["reasoning_effort"]);
    let signed = thought(state(Family::Anthropic, OpaqueKind::Signature));
    request.messages[1].parts.insert(0, signed);
    assert_eq!(send(CLAUDE, &request).losses(), ["temperature", "top_k"]);
    assert_eq!(send(CLAUDE_OLD, &request).losses(), ["reasoning_effort"]);
}

#[test]
fn newer_claudes_and_others_are_told_an_effort() {
    let think = |model: &str, effort| {
        let thinking = Some(Thinking { effort: Some(effort), ..Thinking::default() });
        let mut request = ChatRequest { thinking, ..question() };
        request.sampling.temperature = Some(0.5);
        send(model, &request)
    };
    let sent = think(CLAUDE_NEW, Effort::XHigh);
    assert_eq!(sent.body["outputConfig"], json!({"effort": "xhigh"}));
    assert_eq!(sent.body["additionalModelRequestFields"], json!({"thinking": {"type": "adaptive"}}));
    assert_eq!(sent.losses(), ["temperature"]);
    assert_eq!(think("anthropic.claude-opus-4-6-v1", Effort::XHigh).body["outputConfig"], json!({"effort": "high"}));
    let off = think(CLAUDE_NEW, Effort::None);
    assert_eq!(off.body["additionalModelRequestFields"], json!({"thinking": {"type": "disabled"}}));
    assert_eq!(think("anthropic.claude-fable-5-1", Effort::None).body["outputConfig"], json!({"effort": "low"}));
    let nova = think(NOVA, Effort::High);
    let config = json!({"reasoningConfig": {"type": "enabled", "maxReasoningEffort": "high"}});
    assert_eq!((nova.body["additionalModelRequestFields"].clone(), nova.losses()), (config, vec!["temperature"]));
    let open = think("openai.gpt-oss-120b-1:0", Effort::Minimal);
    assert_eq!(open.body["additionalModelRequestFields"], json!({"reasoning_effort": "low"}));
    assert_eq!(think(LLAMA, Effort::High).losses(), ["reasoning_effort"]);
}

#[test]
fn a_schema_is_said_as_the_model_can_be_told() {
    let shape = json!({"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]});
    let request = ChatRequest { output: schema(shape.clone()), ..question() };
    let native = send(CLAUDE, &request);
    let text = native.body.pointer("/outputConfig/textFormat/structure/jsonSchema/schema").unwrap().as_str().unwrap();
    let said: Value = serde_json::from_str(text).unwrap();
    assert_eq!((&said["additionalProperties"], &said["required"]), (&json!(false), &json!(["a"])));
    assert_eq!(native.losses(), ["response_format"]);
    let forced = send(CLAUDE_OLD, &request);
    assert_eq!(forced.body["toolConfig"]["toolChoice"], json!({"tool": {"name": "shape"}}));
    assert_eq!(forced.body.pointer("/toolConfig/tools/0/toolSpec/inputSchema/json"), Some(&shape));
    assert_eq!((forced.encoded.names.original("shape"), forced.losses()), ("", vec![]));
    let among = send(NOVA, &ChatRequest { tools: vec![function("shape")], ..request.clone() });
    assert_eq!(among.body["toolConfig"]["toolChoice"], json!({"any": {}}));
    let names: Vec<_> =
        among.body["toolConfig"]["tools"].as_array().unwrap().iter().map(|tool| &tool["toolSpec"]["name"]).collect();
    assert_ne!(names[0], names[1]);
    assert_eq!(among.encoded.names.original(names[1].as_str().unwrap()), "");
    assert_eq!(among.encoded.names.original("shape"), "shape");
    let asked = send(LLAMA, &request);
    assert!(asked.body["system"][0]["text"].as_str().unwrap().contains(r#""required":["a"]"#));
    assert_eq!(asked.losses(), ["response_format"]);
    // pitfalls A8: JSON without a schema is asked for.
    let json = send(CLAUDE, &ChatRequest { output: OutputFormat::Json, ..question() });
    assert_eq!((json.body["system"].as_array().unwrap().len(), json.losses()), (1, vec!["response_format"]));
}

#[test]
fn parameters_are_said_or_told_to_be_lost() {
    let mut request = question();
    let sampling = &mut request.sampling;
    sampling.temperature = Some(1.7);
    sampling.top_p = Some(0.9);
    sampling.top_k = Some(7);
    sampling.stop = vec!["END".to_owned(), "\n\n".to_owned()];
    sampling.seed = Some(1);
    sampling.presence_penalty = Some(0.5);
    sampling.frequency_penalty = Some(0.5);
    sampling.candidates = Some(2);
    sampling.logprobs = Some(gw_core::chat::Logprobs::default());
    sampling.logit_bias.insert("1".to_owned(), json!(2));
    request.modalities = vec![Modality::Text, Modality::Audio];
    request.user = Some("u".to_owned());
    request.service_tier = Some("priority".to_owned());
    request.metadata.insert("team".to_owned(), json!("a b"));
    request.metadata.insert("bad".to_owned(), json!("é"));
    let members = Map::from_iter([
        ("guardrailConfig".to_owned(), json!({"guardrailIdentifier": "g", "guardrailVersion": "1"})),
        ("additionalModelRequestFields".to_owned(), json!({"top_k": 9})),
        ("min_p".to_owned(), json!(0.1)),
    ]);
    request.extra = Extra { family: Family::OpenAiChat, members };
    let sent = send(CLAUDE_OLD, &request);
    let expected = json!({
        "messages": [{"role": "user", "content": [{"text": "q"}]}],
        "inferenceConfig": {"temperature": 1.0, "topP": 0.9, "stopSequences": ["END"]},
        "additionalModelResponseFieldPaths": ["/stop_sequence"],
        "additionalModelRequestFields": {"top_k": 9},
        "serviceTier": {"type": "priority"},
        "requestMetadata": {"team": "a b"},
        "guardrailConfig": {"guardrailIdentifier": "g", "guardrailVersion": "1"},
    });
    assert_eq!(sent.body, expected);
    let lost = [
        "temperature",
        "stop",
        "n",
        "seed",
        "presence_penalty",
        "frequency_penalty",
        "logprobs",
        "logit_bias",
        "modalities",
        "user",
        "metadata",
        "min_p",
    ];
    assert_eq!(sent.losses(), lost);
    // pitfalls A3: what is left to the provider is not made dearer.
    let auto = ChatRequest { service_tier: Some("auto".to_owned()), ..question() };
    assert_eq!(send(CLAUDE, &auto).body.get("serviceTier"), None);
    let thinking = Some(Thinking { mode: Some(ThinkingMode::Disabled), ..Thinking::default() });
    assert_eq!(send(CLAUDE, &ChatRequest { thinking, ..question() }).losses(), Vec::<&str>::new());
}

#[test]
fn cache_marks_become_blocks_behind_what_they_mark() {
    let marker = |ttl: &str| Some(CacheMarker { ttl: Some(ttl.to_owned()) });
    let marked = |text: &str, ttl: &str| Part::Text(Text { cache: marker(ttl), ..Text::from(text) });
    let mut request = ask(vec![Message::new(Role::System, vec![marked("s", "1h")]), user(vec![marked("q", "5m")])]);
    request.tools = vec![Tool::Function(Function { name: "f".to_owned(), cache: marker("5m"), ..Function::default() })];
    let point = json!({"cachePoint": {"type": "default"}});
    let body = send(CLAUDE, &request).body;
    assert_eq!(body["system"], json!([{"text": "s"}, {"cachePoint": {"type": "default", "ttl": "1h"}}]));
    assert_eq!(body["messages"][0]["content"], json!([{"text": "q"}, point]));
    assert_eq!(body["toolConfig"]["tools"][1], point);
    assert_eq!(send(NOVA, &request).losses(), ["cache_control", "cache_control.ttl"]);
    assert_eq!(send(LLAMA, &request).losses(), ["cache_control", "cache_control"]);
}
