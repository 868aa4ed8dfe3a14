//! Whole answers.

use gw_core::Usage;
use gw_core::chat::{
    Candidate, ChatAnswer, ChatRequest, Family, Finish, FinishReason, Opaque, OpaqueKind, Part, Reasoning, ToolCall,
    ToolInput,
};
use serde_json::{Value, json};

use super::{OpenAiChat, asked, decode as decode_request, origin};
use crate::chat::{Egress, Ingress};

fn decode(body: &Value) -> ChatAnswer {
    OpenAiChat.decode_answer(body.to_string().as_bytes(), &origin()).unwrap()
}

fn encode(answer: &ChatAnswer) -> Value {
    serde_json::from_slice(&OpenAiChat.encode_answer(answer, &asked(ChatRequest::default()))).unwrap()
}

fn finish_of(word: &str, message: &Value) -> FinishReason {
    decode(&json!({"choices": [{"index": 0, "message": message, "finish_reason": word}]})).candidates[0].finish.reason
}

#[test]
fn an_answer_of_openais_is_read_and_written_again() {
    let body = json!({
        "id": "chatcmpl-1", "object": "chat.completion", "created": 5, "model": "gpt",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "See", "refusal": null,
            "annotations": [{"type": "url_citation", "url_citation": {"url": "https://a", "title": "A", "start_index": 0, "end_index": 3}}]},
            "logprobs": {"content": [{"token": "See", "logprob": -0.1, "bytes": null, "top_logprobs": []}], "refusal": null},
            "finish_reason": "stop"},
            {"index": 1, "message": {"role": "assistant", "content": null, "refusal": null, "tool_calls": [
                {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{\"a\": 1}"}},
                {"id": "c2", "type": "custom", "custom": {"name": "g", "input": "x"}}]},
            "logprobs": null, "finish_reason": "tool_calls"}],
        "usage": {"prompt_tokens": 9, "completion_tokens": 4, "total_tokens": 13,
            "prompt_tokens_details": {"cached_tokens": 2, "cache_write_tokens": 0, "audio_tokens": 0},
            "completion_tokens_details": {"reasoning_tokens": 1, "audio_tokens": 0, "accepted_prediction_tokens": 0,
                "rejected_prediction_tokens": 0}},
        "service_tier": "default", "system_fingerprint": "fp",
    });
    let answer = decode(&body);
    assert_eq!(answer.usage.unwrap().cached_input_tokens, 2);
    assert_eq!(answer.candidates[0].text(), "See");
    assert_eq!(encode(&answer), body);
}

#[test]
fn what_imitators_answer_is_understood() {
    // Mistral: content in a list, arguments that are no text; a number keeps its digits.
    let body = r#"{"id":"x","choices":[{"message":{"content":[{"type":"thinking","thinking":[{"type":"text","text":"Hm"}]},
        {"type":"text","text":"Yes"}],"tool_calls":[{"id":"c","function":{"name":"f","arguments":{"n":12345678901234567890123}}}]},
        "finish_reason":"stop"}],"usage":{"prompt_tokens":1,"completion_tokens":2,"total_tokens":3}}"#;
    let answer = OpenAiChat.decode_answer(body.as_bytes(), &origin()).unwrap();
    let [Part::Reasoning(thought), Part::Text(text), Part::ToolCall(call)] = answer.candidates[0].parts.as_slice()
    else {
        panic!("{answer:?}")
    };
    assert_eq!((thought.text.as_str(), text.text.as_str()), ("Hm", "Yes"));
    assert_eq!(call.input, ToolInput::Json(r#"{"n":12345678901234567890123}"#.to_owned()));
    assert_eq!(answer.candidates[0].finish, Finish::new(FinishReason::ToolCalls, "stop"));

    // The older way, without an id; DeepSeek's blank lines.
    let body = "\n\n {\"choices\":[{\"message\":{\"content\":null,\"function_call\":{\"name\":\"f\",\"arguments\":\"\"}},\"finish_reason\":\"function_call\"}]}";
    let answer = OpenAiChat.decode_answer(body.as_bytes(), &origin()).unwrap();
    let Part::ToolCall(call) = &answer.candidates[0].parts[0] else { panic!() };
    assert!(!call.id.is_empty());
    assert_eq!(call.input, ToolInput::Json("{}".to_owned()));
    assert_eq!(answer.model, "m");

    // Groq's and OpenRouter's names for thoughts; both say the same once.
    for message in [
        json!({"reasoning": "Hm", "content": "x"}),
        json!({"reasoning_content": "Hm", "content": "x"}),
        json!({"reasoning": "Hm", "reasoning_details": [{"type": "reasoning.text", "text": "Hm"}], "content": "x"}),
    ] {
        let answer = decode(&json!({"choices": [{"message": message, "finish_reason": "stop"}]}));
        let [Part::Reasoning(thought), Part::Text(_)] = answer.candidates[0].parts.as_slice() else {
            panic!("{answer:?}")
        };
        assert_eq!(thought.text, "Hm");
    }

    // xAI counts thoughts beside the completion.
    let usage = json!({"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 22,
        "completion_tokens_details": {"reasoning_tokens": 7}});
    let answer = decode(&json!({"choices": [{"message": {"content": "x"}, "finish_reason": "stop"}], "usage": usage}));
    assert_eq!(
        answer.usage,
        Some(Usage { input_tokens: 10, output_tokens: 12, reasoning_tokens: 7, ..Usage::default() })
    );
}

// pitfalls B4
#[test]
fn every_providers_word_for_the_end_is_understood() {
    let said = || json!({"content": "x"});
    let calls = || json!({"tool_calls": [{"id": "1", "function": {"name": "f", "arguments": "{}"}}]});
    assert_eq!(finish_of("stop", &said()), FinishReason::Stop);
    assert_eq!(finish_of("eos", &said()), FinishReason::Stop);
    assert_eq!(finish_of("made_up", &said()), FinishReason::Stop);
    assert_eq!(finish_of("length", &calls()), FinishReason::Length);
    assert_eq!(finish_of("model_length", &said()), FinishReason::ContextLength);
    assert_eq!(finish_of("stop", &calls()), FinishReason::ToolCalls);
    assert_eq!(finish_of("tool_calls", &said()), FinishReason::Stop);
    assert_eq!(finish_of("sensitive", &said()), FinishReason::ContentFilter);
    assert_eq!(finish_of("stop", &json!({"content": null, "refusal": "No."})), FinishReason::Refusal);
    let body = json!({"choices": [{"message": {"content": ""}, "finish_reason": "insufficient_system_resource"}]});
    let error = OpenAiChat.decode_answer(body.to_string().as_bytes(), &origin()).unwrap_err();
    assert_eq!(error.code.name(), "provider_overloaded");
    let full = Candidate {
        parts: vec!["x".into()],
        finish: Finish::new(FinishReason::ContextLength, "model_length"),
        logprobs: None,
    };
    let written = encode(&ChatAnswer { candidates: vec![full], ..ChatAnswer::default() });
    assert_eq!(written["choices"][0]["finish_reason"], "length");
}

#[test]
fn state_of_any_provider_comes_back_with_the_message_that_a_client_sends_back() {
    let opaque = |family, kind| Opaque { family, provider: "a".to_owned(), kind, data: "S".to_owned() };
    let signed = Reasoning {
        text: "Hm".to_owned(),
        opaque: Some(opaque(Family::Anthropic, OpaqueKind::Signature)),
        ..Reasoning::default()
    };
    let hidden = Reasoning {
        id: Some("rs_1".to_owned()),
        text: "Sum".to_owned(),
        is_summary: false,
        opaque: Some(opaque(Family::OpenAiResponses, OpaqueKind::Encrypted)),
    };
    let call = ToolCall {
        id: "c".to_owned(),
        name: "f".to_owned(),
        opaque: Some(opaque(Family::Gemini, OpaqueKind::Signature)),
        ..ToolCall::default()
    };
    let parts = vec![Part::Reasoning(signed.clone()), Part::Reasoning(hidden), Part::ToolCall(call)];
    let candidate = Candidate { parts, finish: Finish::default(), logprobs: None };
    let written = encode(&ChatAnswer { id: "msg_1".to_owned(), candidates: vec![candidate], ..ChatAnswer::default() });
    assert_eq!(written["id"], "chatcmpl-msg_1");
    assert_eq!(written["choices"][0]["finish_reason"], "tool_calls");
    let message = written["choices"][0]["message"].clone();
    assert_eq!(message["reasoning_content"], "Hm\nSum");
    // pitfalls B1
    assert!(message["tool_calls"][0].get("index").is_none());
    let back = decode_request(&json!({"model": "m", "messages": [message]}));
    let parts = &back.messages[0].parts;
    assert_eq!(parts[0], Part::Reasoning(signed));
    let states: Vec<_> = parts
        .iter()
        .filter_map(|part| match part {
            Part::Reasoning(thought) => thought.opaque.as_ref(),
            Part::ToolCall(call) => call.opaque.as_ref(),
            _ => None,
        })
        .map(|opaque| (opaque.family, opaque.kind, opaque.data.as_str()))
        .collect();
    assert_eq!(
        states,
        [
            (Family::Anthropic, OpaqueKind::Signature, "S"),
            (Family::OpenAiResponses, OpaqueKind::Encrypted, "S"),
            (Family::Gemini, OpaqueKind::Signature, "S"),
        ]
    );
}

#[test]
fn speech_and_pictures_are_media() {
    let answer = decode(&json!({"choices": [{"message": {"content": null,
        "audio": {"id": "a", "data": "UklGRgAAAABXQVZF", "expires_at": 1, "transcript": "Hi"},
        "images": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0K"}}]},
        "finish_reason": "stop"}]}));
    let written = encode(&answer);
    let message = &written["choices"][0]["message"];
    assert_eq!(
        (&message["audio"]["transcript"], &message["audio"]["data"]),
        (&json!("Hi"), &json!("UklGRgAAAABXQVZF"))
    );
    assert_eq!(message["images"][0]["image_url"]["url"], "data:image/png;base64,iVBORw0K");
    assert_eq!(message["content"], Value::Null);
}
