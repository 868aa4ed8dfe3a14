//! What watsonx.ai's dialect changes of the one within, for which a small one stands in.

use std::time::{Duration, SystemTime};

use gw_core::chat::{
    Candidate, ChatAnswer, ChatRequest, CustomTool, Event, Finish, FinishReason, Loss, Message, Part, Role, Tool,
    ToolCall, ToolChoice, ToolInput,
};
use gw_core::{Error, ErrorCode};
use http::{HeaderMap, StatusCode};
use serde_json::{Value, json};

use crate::chat::{DecodeEvents, Egress, Encoded, Origin, Target};
use crate::error::Refusal;
use crate::plain::testing::origin;
use crate::watsonx_chat::{Scope, WatsonxChat};

/// Writes the request's extra members as the body, and gives back the finish reason that it reads.
struct Fake;

impl Egress for Fake {
    fn encode_request(&self, request: &ChatRequest, target: &Target<'_>) -> Result<Encoded, Error> {
        let mut body = request.extra.members.clone();
        body.insert("model".to_owned(), target.model.into());
        body.insert("stream".to_owned(), target.stream.into());
        body.insert("stream_options".to_owned(), json!({"include_usage": true}));
        let losses = vec![Loss::dropped("metadata", "not here")];
        let path = "/chat/completions".to_owned();
        Ok(Encoded { path, body: serde_json::to_vec(&body).unwrap(), losses, ..Encoded::default() })
    }

    fn decode_answer(&self, body: &[u8], _: &Origin) -> Result<ChatAnswer, Error> {
        let value: Value = serde_json::from_slice(body).unwrap();
        let finish = Finish::new(FinishReason::Stop, value["choices"][0]["finish_reason"].as_str().unwrap());
        Ok(ChatAnswer { candidates: vec![Candidate { finish, ..Candidate::default() }], ..ChatAnswer::default() })
    }

    fn decoder(&self, _: Origin) -> Box<dyn DecodeEvents> {
        Box::new(FakeDecoder)
    }

    fn decode_error(&self, _: Refusal<'_>) -> Error {
        unreachable!()
    }
}

struct FakeDecoder;

impl DecodeEvents for FakeDecoder {
    fn decode(&mut self, bytes: &[u8], events: &mut Vec<Event>) -> Result<(), Error> {
        for line in std::str::from_utf8(bytes).unwrap().lines() {
            if let Some(reason) = line.strip_prefix("data: ") {
                events.push(Event::Finish { candidate: 0, finish: Finish::new(FinishReason::Stop, reason) });
            }
        }
        Ok(())
    }

    fn end(&mut self, _: &mut Vec<Event>) -> Result<(), Error> {
        Ok(())
    }

    fn is_complete(&self) -> bool {
        false
    }
}

const DIALECT: WatsonxChat = WatsonxChat::new(&Fake);

fn encode(dialect: &WatsonxChat, body: &Value, stream: bool) -> (String, Value, Vec<String>) {
    let mut request = ChatRequest::default();
    request.extra.members = body.as_object().unwrap().clone();
    let target = Target { model: "ibm/granite", provider: "p", stream };
    let encoded = dialect.encode_request(&request, &target).unwrap();
    let losses = encoded.losses.iter().skip(1).map(|loss| loss.param.to_string()).collect();
    (encoded.path, serde_json::from_slice(&encoded.body).unwrap(), losses)
}

#[test]
fn the_path_says_whether_a_stream_is_wanted_and_the_body_who_pays() {
    let project = DIALECT.with_scope(Scope::Project("mine".to_owned())).with_time_limit(Duration::from_secs(9));
    let (path, body, losses) = encode(&project, &json!({"project_id": "other's", "space_id": "other's"}), true);
    assert_eq!(path, "/ml/v1/text/chat_stream?version=2026-10-14");
    assert_eq!(body, json!({"project_id": "mine", "model_id": "ibm/granite", "time_limit": 9000}));
    assert_eq!(losses, [""; 0]);
    let space = DIALECT.with_scope(Scope::Space("mine".to_owned())).with_version("2025-01-01");
    let (path, body, _) = encode(&space, &json!({}), false);
    assert_eq!(path, "/ml/v1/text/chat?version=2025-01-01");
    assert_eq!(body, json!({"space_id": "mine", "model_id": "ibm/granite"}));
    let deployment = DIALECT.with_scope(Scope::Deployment("d".to_owned()));
    let (path, body, _) = encode(&deployment, &json!({}), false);
    assert_eq!((path.as_str(), body), ("/ml/v1/deployments/d/text/chat?version=2026-10-14", json!({})));
}

#[test]
fn members_that_watsonx_does_not_know_are_left_out_and_told() {
    let (_, body, losses) = encode(
        &DIALECT,
        &json!({
            "seed": 1, "stop": "a", "guided_regex": "x", "user": "u", "parallel_tool_calls": true, "store": false,
            "reasoning_effort": "xhigh", "service_tier": null, "token": "secret",
        }),
        false,
    );
    let expected =
        json!({"seed": 1, "stop": ["a"], "guided_regex": "x", "reasoning_effort": "high", "model_id": "ibm/granite"});
    assert_eq!(body, expected);
    // pitfalls A16: nothing that is not of the dialect gets into the body.
    assert_eq!(losses, ["reasoning_effort", "user", "store", "token"]);
}

#[test]
fn messages_have_only_the_members_that_watsonx_knows() {
    let (_, body, losses) = encode(
        &DIALECT,
        &json!({"messages": [
            {"role": "developer", "content": [{"type": "text", "text": "be"}, {"type": "text", "text": "brief"}]},
            {"role": "user", "content": [
                {"type": "text", "text": "q", "cache_control": {}},
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,aa", "detail": "low"}},
                {"type": "file", "file": {"file_id": "f"}},
            ]},
            {"role": "assistant", "content": null, "reasoning_content": "hm",
             "tool_calls": [{"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}]},
            {"role": "tool", "tool_call_id": "c", "content": [{"type": "text", "text": "r"}]},
        ]}),
        false,
    );
    assert_eq!(
        body["messages"],
        json!([
            {"role": "system", "content": "be\nbrief"},
            {"role": "user", "content": [
                {"type": "text", "text": "q"},
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,aa", "detail": "low"}},
            ]},
            {"role": "assistant",
             "tool_calls": [{"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}]},
            {"role": "tool", "tool_call_id": "c", "content": "r"},
        ])
    );
    assert_eq!(losses, ["messages[].content[].cache_control", "messages[].file", "messages[].reasoning_content"]);
}

#[test]
fn words_and_functions_stand_in_members_of_their_own() {
    let tool = |name: &str| json!({"type": "function", "function": {"name": name, "strict": true}});
    let choose = |choice: Value| {
        let (_, body, losses) =
            encode(&DIALECT, &json!({"tools": [tool("f"), tool("g")], "tool_choice": choice}), false);
        (
            body["tool_choice_option"].clone(),
            body["tool_choice"].clone(),
            body["tools"].as_array().unwrap().len(),
            losses,
        )
    };
    let strict = vec!["tools[].strict".to_owned()];
    assert_eq!(choose(json!("required")), (json!("required"), Value::Null, 2, strict.clone()));
    let one = json!({"type": "function", "function": {"name": "f"}});
    assert_eq!(choose(one.clone()), (Value::Null, one.clone(), 2, strict.clone()));
    let allowed = json!({"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": [one]}});
    assert_eq!(choose(allowed), (json!("auto"), Value::Null, 1, strict));
}

#[test]
fn custom_tools_and_their_calls_are_functions() {
    let custom = CustomTool { name: "patch".to_owned(), ..CustomTool::default() };
    let call = ToolCall {
        id: "c".to_owned(),
        name: "patch".to_owned(),
        input: ToolInput::Text("x".to_owned()),
        ..ToolCall::default()
    };
    let request = ChatRequest {
        tools: vec![Tool::Custom(custom)],
        tool_choice: Some(ToolChoice::Custom("patch".to_owned())),
        messages: vec![Message::new(Role::Assistant, vec![Part::ToolCall(call)])],
        ..ChatRequest::default()
    };
    let dialect = WatsonxChat::new(&crate::openai_chat::OpenAiChat);
    let encoded = dialect.encode_request(&request, &Target { model: "m", provider: "p", stream: false }).unwrap();
    let body: Value = serde_json::from_slice(&encoded.body).unwrap();
    assert_eq!(body["tools"][0]["function"]["parameters"]["required"], json!(["input"]));
    assert_eq!(body["tool_choice"], json!({"type": "function", "function": {"name": "patch"}}));
    let sent = json!({"name": "patch", "arguments": r#"{"input":"x"}"#});
    assert_eq!(body["messages"][0]["tool_calls"][0], json!({"id": "c", "type": "function", "function": sent}));
    let lost: Vec<&str> = encoded.losses.iter().map(|loss| &*loss.param).collect();
    assert_eq!(lost, ["messages", "tools[].custom", "messages[].tool_calls[].custom"]);
}

#[test]
fn reasons_of_its_own_are_understood() {
    let finish = |reason: &str| {
        let body = json!({"choices": [{"finish_reason": reason}]}).to_string();
        let answer = DIALECT.decode_answer(body.as_bytes(), &origin());
        answer.map(|answer| answer.candidates[0].finish.reason).map_err(|error| error.code)
    };
    assert_eq!(finish("stop"), Ok(FinishReason::Stop));
    assert_eq!(finish("time_limit"), Ok(FinishReason::Length));
    assert_eq!(finish("error"), Err(ErrorCode::ProviderFailed));
}

#[test]
fn a_stream_is_passed_on_up_to_an_error_in_ibms_words() {
    let good = "id: 1\nevent: message\ndata: time_limit\n\n";
    let bad = "event: error\ndata: {\"errors\":[{\"code\":\"rate_limit_reached_requests\",\"message\":\"slow\"}]}\n\n";
    for at in 0..good.len() + bad.len() {
        let stream = [good, bad].concat();
        let (one, other) = stream.as_bytes().split_at(at);
        let mut decoder = DIALECT.decoder(origin());
        let mut events = Vec::new();
        let read = decoder.decode(one, &mut events).and_then(|()| decoder.decode(other, &mut events));
        assert_eq!(read.unwrap_err().code, ErrorCode::ProviderRateLimited);
        let finish = Finish::new(FinishReason::Length, "time_limit");
        assert_eq!(events, [Event::Finish { candidate: 0, finish }]);
    }
    let mut decoder = DIALECT.decoder(origin());
    let mut events = Vec::new();
    decoder.decode(good.trim_end().as_bytes(), &mut events).unwrap();
    decoder.end(&mut events).unwrap();
    assert_eq!(events.len(), 1);
}

#[test]
fn refusals_are_told_apart() {
    for (status, own, message, code) in [
        (400, "invalid_request_entity", "bad", ErrorCode::ProviderRejected),
        (400, "invalid_input_argument", "exceeds the context length", ErrorCode::ContextLengthExceeded),
        (401, "authentication_token_expired", "expired", ErrorCode::ProviderAuthentication),
        (403, "token_quota_reached", "no tokens left", ErrorCode::ProviderCreditExhausted),
        (404, "model_not_supported", "no such model", ErrorCode::ProviderModelNotFound),
        (429, "rate_limit_reached_requests", "slow down", ErrorCode::ProviderRateLimited),
        (500, "internal", "", ErrorCode::ProviderFailed),
        (503, "unavailable", "", ErrorCode::ProviderOverloaded),
        (520, "unknown", "", ErrorCode::ProviderFailed),
    ] {
        let error = DIALECT.decode_error(Refusal {
            status: StatusCode::from_u16(status).unwrap(),
            headers: HeaderMap::new(),
            body: json!({"errors": [{"code": own, "message": message}], "trace": "t"}).to_string().into(),
            provider: "p",
            credential_is_callers: false,
            now: SystemTime::UNIX_EPOCH,
        });
        assert_eq!(error.code, code, "{status} {own}");
    }
}
