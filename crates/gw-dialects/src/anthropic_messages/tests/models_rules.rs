//! Thinking, schemas and sampling: what depends on the model.

use gw_core::chat::{
    Effort, Extra, Family, Function, Message, Opaque, OpaqueKind, OutputFormat, OutputSchema, Part, Reasoning, Role,
    Thinking, ThinkingMode, Tool, ToolCall, ToolChoice, ToolResult,
};
use serde_json::json;

use super::*;

fn asks() -> ChatRequest {
    ChatRequest { messages: vec![Message::new(Role::User, vec!["q".into()])], ..ChatRequest::default() }
}

fn with_tool(choice: ToolChoice) -> ChatRequest {
    let tool = Tool::Function(Function { name: "f".to_owned(), ..Function::default() });
    ChatRequest { tools: vec![tool], tool_choice: Some(choice), ..asks() }
}

fn effort(effort: Effort) -> Option<Thinking> {
    Some(Thinking { effort: Some(effort), ..Thinking::default() })
}

fn budget(tokens: u64) -> Option<Thinking> {
    Some(Thinking { mode: Some(ThinkingMode::Enabled), budget_tokens: Some(tokens), ..Thinking::default() })
}

#[test]
fn an_effort_is_said_as_the_model_knows_it() {
    let adaptive = json!({"type": "adaptive"});
    for (model, asked, thinking, word, lost) in [
        ("claude-sonnet-4-5", Effort::Low, json!({"type": "enabled", "budget_tokens": 2048}), Value::Null, 0),
        ("claude-opus-4-6", Effort::High, adaptive.clone(), json!("high"), 0),
        ("claude-opus-4-6", Effort::XHigh, adaptive.clone(), json!("high"), 1),
        ("claude-opus-5-5", Effort::XHigh, adaptive, json!("xhigh"), 0),
        ("claude-opus-5-5", Effort::None, json!({"type": "disabled"}), Value::Null, 0),
        ("claude-fable-5-1", Effort::None, Value::Null, json!("low"), 1),
        ("claude-opus-5-5", Effort::Minimal, Value::Null, json!("low"), 1),
        ("claude-3-5-sonnet-latest", Effort::High, Value::Null, Value::Null, 1),
        ("kimi-k3", Effort::Medium, json!({"type": "enabled", "budget_tokens": 4096}), Value::Null, 0),
    ] {
        let (body, losses) = encoded(&ChatRequest { thinking: effort(asked), ..asks() }, model);
        let said = (body.get("thinking").cloned().unwrap_or_default(), body["output_config"]["effort"].clone());
        assert_eq!((said, losses.len()), ((thinking, word), lost), "{model} {asked:?} {losses:?}");
    }
}

#[test]
fn an_effort_alone_is_no_word_on_thinking_in_anthropics_own_dialect() {
    let own = |effort_asked| ChatRequest {
        thinking: effort(effort_asked),
        extra: Extra { family: Family::Anthropic, ..Extra::default() },
        ..asks()
    };
    for model in ["claude-opus-4-5", "claude-opus-4-7", "claude-opus-5-5"] {
        let (body, losses) = encoded(&own(Effort::Low), model);
        assert_eq!((body.get("thinking"), &body["output_config"]), (None, &json!({"effort": "low"})), "{model}");
        assert_eq!(losses, Vec::<String>::new());
    }
    // Whoever does not know efforts is given the budget that is nearest.
    assert_eq!(encoded(&own(Effort::Low), "claude-sonnet-4-5").0["thinking"]["budget_tokens"], 2048);
}

#[test]
fn instructions_in_mid_conversation_stand_where_the_model_takes_them() {
    let said = |role, text: &str| Message::new(role, vec![text.into()]);
    let roles = |messages: Vec<Message>, model| {
        let (body, losses) = encoded(&ChatRequest { messages, ..asks() }, model);
        let said = |message: &serde_json::Value| {
            let texts = message["content"].as_array().unwrap().iter().map(|block| block["text"].as_str().unwrap());
            format!("{}:{}", message["role"].as_str().unwrap(), texts.collect::<Vec<_>>().join("+"))
        };
        (body["messages"].as_array().unwrap().iter().map(said).collect::<Vec<_>>(), losses)
    };
    let (user, model, system) = (Role::User, Role::Assistant, Role::System);
    let in_place = || vec![said(user, "q"), said(system, "rhyme"), said(model, "a"), said(user, "on")];
    let told = vec!["messages[].role".to_owned()];
    assert_eq!(
        roles(in_place(), "claude-opus-5-5"),
        (["user:q", "system:rhyme", "assistant:a", "user:on"].map(str::to_owned).to_vec(), vec![])
    );
    for older in ["claude-opus-4-7", "claude-sonnet-5"] {
        let expected = ["user:q+rhyme", "assistant:a", "user:on"].map(str::to_owned).to_vec();
        assert_eq!(roles(in_place(), older), (expected, told.clone()), "{older}");
    }
    // Before the user's turn it is moved behind it; between two of the model's it has no place.
    let moved = vec![said(user, "q"), said(model, "a"), said(system, "rhyme"), said(system, "well"), said(user, "on")];
    let expected = ["user:q", "assistant:a", "user:on", "system:rhyme+well"].map(str::to_owned).to_vec();
    assert_eq!(roles(moved, "claude-opus-4-8"), (expected, told.clone()));
    let between = vec![said(user, "q"), said(model, "a"), said(system, "rhyme"), said(model, "b"), said(user, "on")];
    let expected = ["user:q", "assistant:a", "user:rhyme", "assistant:b", "user:on"].map(str::to_owned).to_vec();
    assert_eq!(roles(between, "claude-opus-4-8"), (expected, told));
}

#[test]
fn a_budget_always_leaves_room_for_the_answer() {
    // pitfalls A9
    let mut request = ChatRequest { thinking: budget(4096), ..asks() };
    request.sampling.max_output_tokens = Some(500);
    let (body, lost) = encoded(&request, "claude-sonnet-4-5");
    assert_eq!((&body["max_tokens"], &body["thinking"]["budget_tokens"]), (&json!(4596), &json!(4096)));
    assert_eq!(lost, ["max_tokens"]);
    for wanted in [0, 1, 1024, 70_000, u64::MAX] {
        for asked in [None, Some(0), Some(1), Some(1024), Some(64_000), Some(u64::MAX)] {
            let mut request = ChatRequest { thinking: budget(wanted), ..asks() };
            request.sampling.max_output_tokens = asked;
            for model in ["claude-sonnet-4-5", "claude-opus-4-6", "other"] {
                let (body, _) = encoded(&request, model);
                let (room, tokens) = (&body["max_tokens"], &body["thinking"]["budget_tokens"]);
                let tokens = tokens.as_u64().unwrap();
                assert!(tokens >= 1024 && tokens < room.as_u64().unwrap(), "{wanted} {asked:?} {model}: {body}");
            }
        }
    }
    let (body, lost) = encoded(&ChatRequest { thinking: budget(4096), ..asks() }, "claude-opus-4-7");
    assert_eq!(
        (&body["thinking"], &body["output_config"]),
        (&json!({"type": "adaptive"}), &json!({"effort": "medium"}))
    );
    assert_eq!(lost, ["reasoning_effort"]);
}

#[test]
fn what_does_not_go_together_with_thinking_gives_way() {
    // pitfalls A9: a forced call comes before thinking, and thinking before sampling.
    let forced = ChatRequest { thinking: effort(Effort::High), ..with_tool(ToolChoice::Required) };
    let (body, lost) = encoded(&forced, "claude-sonnet-4-5");
    assert_eq!((body.get("thinking"), &body["tool_choice"]), (None, &json!({"type": "any"})));
    assert_eq!(lost, ["reasoning_effort"]);
    let (body, _) = encoded(&forced, "claude-sonnet-5");
    assert_eq!((&body["thinking"], &body["tool_choice"]), (&json!({"type": "disabled"}), &json!({"type": "any"})));
    let (body, lost) = encoded(&forced, "claude-fable-5-1");
    assert_eq!((&body["thinking"], &body["tool_choice"]), (&json!({"type": "adaptive"}), &json!({"type": "auto"})));
    assert_eq!(lost, ["tool_choice"]);
    let mut request = ChatRequest { thinking: effort(Effort::Low), ..with_tool(ToolChoice::Auto) };
    (request.sampling.temperature, request.sampling.top_k) = (Some(0.2), Some(5));
    let (body, lost) = encoded(&request, "claude-sonnet-4-5");
    assert!(body.get("temperature").is_none() && body.get("top_k").is_none() && body.get("thinking").is_some());
    assert_eq!(lost, ["temperature", "top_k"]);
}

#[test]
fn calls_that_lost_their_thoughts_are_continued_without_thinking() {
    let call = Part::ToolCall(ToolCall { id: "1".to_owned(), name: "f".to_owned(), ..ToolCall::default() });
    let result = Part::ToolResult(ToolResult { call_id: "1".to_owned(), ..ToolResult::default() });
    let state = Opaque {
        family: Family::Anthropic,
        provider: "p".to_owned(),
        kind: OpaqueKind::Signature,
        data: "s".to_owned(),
    };
    let thought = Part::Reasoning(Reasoning { opaque: Some(state), ..Reasoning::default() });
    for (parts, model, thinks) in [
        (vec![call.clone()], "claude-sonnet-4-5", false),
        (vec![thought, call.clone()], "claude-sonnet-4-5", true),
        (vec![call], "claude-opus-4-7", true),
    ] {
        let mut request = ChatRequest { thinking: effort(Effort::Low), ..with_tool(ToolChoice::Auto) };
        request.messages.push(Message::new(Role::Assistant, parts));
        request.messages.push(Message::new(Role::User, vec![result.clone()]));
        let (body, lost) = encoded(&request, model);
        assert_eq!((body.get("thinking").is_some(), lost.is_empty()), (thinks, thinks), "{model} {lost:?}");
    }
}

#[test]
fn sampling_is_left_out_where_the_model_refuses_it() {
    let mut request = asks();
    (request.sampling.temperature, request.sampling.top_p) = (Some(0.5), Some(0.9));
    for (model, lost) in [
        ("claude-3-5-sonnet-latest", vec![]),
        ("claude-sonnet-4-5", vec!["top_p"]),
        ("claude-opus-5-5", vec!["temperature", "top_p"]),
        ("deepseek-chat", vec![]),
    ] {
        let (body, found) = encoded(&request, model);
        assert_eq!(found, lost, "{model}");
        assert_eq!(body.get("temperature").is_some(), !lost.contains(&"temperature"));
    }
}

#[test]
fn a_schema_is_enforced_or_a_forced_call_stands_for_it() {
    let schema = json!({"type": "object", "properties": {"a": {"type": "string", "maxLength": 3}}});
    let output = OutputSchema { name: Some("n".to_owned()), schema: schema.clone(), ..OutputSchema::default() };
    let request = ChatRequest { output: OutputFormat::Schema(output), ..asks() };
    let (body, lost) = encoded(&request, "claude-opus-4-7");
    let format = &body["output_config"]["format"];
    assert_eq!((&format["type"], &format["schema"]["additionalProperties"]), (&json!("json_schema"), &json!(false)));
    assert_eq!(format["schema"]["properties"]["a"]["description"], "(maxLength: 3)");
    assert_eq!(lost, ["response_format"]);

    let sent = AnthropicMessages.encode_request(&request, &target("claude-3-haiku-20240307")).unwrap();
    let body: Value = serde_json::from_slice(&sent.body).unwrap();
    assert_eq!(body["tools"][0]["input_schema"], schema);
    let choice = json!({"type": "tool", "name": "json_answer", "disable_parallel_tool_use": true});
    assert_eq!((&body["tool_choice"], &body["max_tokens"]), (&choice, &json!(4096)));
    assert_eq!(sent.names.0, [("json_answer".to_owned(), String::new())]);
    let origin = Origin { names: Rc::new(sent.names), ..origin() };
    let answer = br#"{"id":"msg_1","type":"message","role":"assistant","model":"m","content":[{"type":"tool_use","id":"t","name":"json_answer","input":{"a":"x"}}],"stop_reason":"tool_use","stop_sequence":null,"usage":{"input_tokens":1,"output_tokens":2}}"#;
    let answer = AnthropicMessages.decode_answer(answer, &origin).unwrap();
    assert_eq!(answer.candidates[0].text(), r#"{"a":"x"}"#);
    assert_eq!(answer.candidates[0].finish.reason, gw_core::chat::FinishReason::Stop);
    let both = ChatRequest { output: request.output, ..with_tool(ToolChoice::Auto) };
    let (body, _) = encoded(&both, "claude-3-haiku-20240307");
    assert_eq!((body["tools"].as_array().unwrap().len(), &body["tool_choice"]["type"]), (2, &json!("any")));
}
