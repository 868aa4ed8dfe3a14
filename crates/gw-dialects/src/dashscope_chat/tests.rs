//! What Qwen is told otherwise than OpenAI.

use serde_json::{Value, json};

use super::around;
use crate::anthropic_messages::AnthropicMessages;
use crate::chat::{Egress, Ingress, RequestLine, Target};
use crate::openai_chat::OpenAiChat;

/// What Qwen gets for what a client of Anthropic's format says besides its question, and what is lost.
fn encode(stream: bool, more: &Value) -> (Value, Vec<String>) {
    let mut body = json!({
        "model": "m", "max_tokens": 9000, "stream": stream, "messages": [{"role": "user", "content": [
            {"type": "text", "text": "Hi", "cache_control": {"type": "ephemeral"}}]}],
    });
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let request = AnthropicMessages.decode_request(&RequestLine::default(), body.to_string().as_bytes()).unwrap();
    let target = Target { model: "qwen-plus", provider: "qwen", stream };
    let encoded = around(&OpenAiChat).encode_request(&request, &target).unwrap();
    let losses = encoded.losses.iter().map(|loss| loss.param.to_string()).collect();
    (serde_json::from_slice(&encoded.body).unwrap(), losses)
}

#[test]
fn what_alibaba_added_says_what_openais_format_cannot() {
    let thinking = json!({"type": "enabled", "budget_tokens": 2048});
    let (body, losses) = encode(true, &json!({"thinking": thinking, "top_k": 5}));
    assert_eq!(losses, [""; 0]);
    assert_eq!((&body["enable_thinking"], &body["thinking_budget"]), (&true.into(), &2048.into()));
    assert_eq!((&body["top_k"], &body["max_tokens"]), (&5.into(), &9000.into()));
    assert_eq!(body["messages"][0]["content"][0]["cache_control"], json!({"type": "ephemeral"}));
    assert_eq!((body.get("reasoning_effort"), body.get("max_completion_tokens")), (None, None));
}

#[test]
fn a_model_that_must_not_think_is_told_so() {
    for stream in [false, true] {
        let (body, losses) = encode(stream, &json!({"thinking": {"type": "disabled"}}));
        assert_eq!((&body["enable_thinking"], losses.len()), (&false.into(), 0));
    }
    assert_eq!(encode(true, &json!({})).0.get("enable_thinking"), None);
}

#[test]
fn what_would_be_refused_is_left_out_and_told() {
    let tool = json!({"name": "f", "input_schema": {"type": "object"}});
    let (body, losses) = encode(
        false,
        &json!({
            "thinking": {"type": "enabled", "budget_tokens": 2048}, "tools": [tool], "tool_choice": {"type": "any"},
        }),
    );
    assert_eq!((body.get("enable_thinking"), &body["tool_choice"]), (None, &"auto".into()));
    assert_eq!(losses, ["tool_choice", "thinking"]);
}
