//! Answers, streams and refusals.

use std::time::{Duration, SystemTime};

use gw_core::chat::{Candidate, ChatAnswer, Citation, Finish, FinishReason, Part, Reasoning, Text};
use gw_core::{ErrorCode, Usage};
use http::{HeaderMap, StatusCode};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::call;
use crate::chat::{Egress, Origin, ToolNames};
use crate::cohere_chat::CohereChat;
use crate::cohere_chat::answer::native;
use crate::error::Refusal;
use crate::plain::testing::{origin, read, streamed};

fn sample() -> Value {
    json!({
        "id": "abc",
        "message": {
            "role": "assistant",
            "content": [
                {"type": "thinking", "thinking": "Let me see."},
                {"type": "text", "text": "Emperors are tällest."},
            ],
            "citations": [{
                "start": 0, "end": 8, "text": "Emperors", "content_index": 1, "type": "TEXT_CONTENT",
                "sources": [{"type": "document", "id": "doc:0",
                    "document": {"id": "doc:0", "title": "Penguins", "url": "https://p", "snippet": "…"}}],
            }],
        },
        "finish_reason": "COMPLETE",
        "usage": {
            "billed_units": {"input_tokens": 8.0, "output_tokens": 5.0},
            "tokens": {"input_tokens": 70.0, "output_tokens": 7.0},
            "cached_tokens": 3.0,
        },
    })
}

fn sample_answer() -> ChatAnswer {
    let thoughts = Reasoning { text: "Let me see.".to_owned(), ..Reasoning::default() };
    let native = native("citation", &sample()["message"]["citations"][0]);
    let citation = Citation {
        url: Some("https://p".to_owned()),
        title: Some("Penguins".to_owned()),
        cited_text: Some("Emperors".to_owned()),
        range: Some((0, 8)),
        native: Some(native),
    };
    let text = Text { text: "Emperors are tällest.".to_owned(), citations: vec![citation], ..Text::default() };
    ChatAnswer {
        id: "abc".to_owned(),
        model: "m".to_owned(),
        candidates: vec![Candidate {
            parts: vec![Part::Reasoning(thoughts), Part::Text(text)],
            finish: Finish::new(FinishReason::Stop, "COMPLETE"),
            logprobs: None,
        }],
        // pitfalls B5: what is billed.
        usage: Some(Usage { input_tokens: 8, output_tokens: 5, cached_input_tokens: 3, ..Usage::default() }),
        ..ChatAnswer::default()
    }
}

fn decode(answer: &Value) -> Result<ChatAnswer, gw_core::Error> {
    CohereChat.decode_answer(answer.to_string().as_bytes(), &origin())
}

#[test]
fn an_answer_keeps_thoughts_citations_and_what_is_billed() {
    assert_eq!(decode(&sample()).unwrap(), sample_answer());
}

fn event(value: &Value) -> String {
    format!("event: {}\ndata: {value}\n\n", value["type"].as_str().unwrap())
}

fn delta(kind: &str, index: u64, message: &Value) -> String {
    event(&json!({"type": kind, "index": index, "delta": {"message": message}}))
}

// pitfalls B6: events have names.
#[test]
fn a_stream_says_the_same_as_the_whole_answer_however_it_is_cut() {
    let content = |kind: &str, index, content: Value| delta(kind, index, &json!({"content": content}));
    let end = event(&json!({"type": "message-end", "id": "abc",
        "delta": {"finish_reason": "COMPLETE", "usage": sample()["usage"]}}));
    let stream = [
        event(&json!({"type": "message-start", "id": "abc", "delta": {"message": {"role": "assistant"}}})),
        content("content-start", 0, json!({"type": "thinking", "thinking": ""})),
        content("content-delta", 0, json!({"thinking": "Let me "})),
        content("content-delta", 0, json!({"thinking": "see."})),
        event(&json!({"type": "content-end", "index": 0})),
        ": comment\n\n".to_owned(),
        content("content-start", 1, json!({"type": "text", "text": ""})),
        content("content-delta", 1, json!({"text": "Emperors are "})),
        content("content-delta", 1, json!({"text": "tällest."})),
        event(&json!({"type": "content-end", "index": 1})),
        delta("citation-start", 0, &json!({"citations": sample()["message"]["citations"][0]})),
        event(&json!({"type": "citation-end", "index": 0})),
        end,
    ]
    .concat();
    assert_eq!(streamed(&CohereChat, stream.as_bytes()), sample_answer());
    assert_eq!(streamed(&CohereChat, stream.replace('\n', "\r\n").as_bytes()), sample_answer());
    // The last event counts without the empty line behind it.
    assert_eq!(streamed(&CohereChat, stream.trim_end().as_bytes()), sample_answer());
    let cut = &stream.as_bytes()[..stream.len() - 20];
    assert_eq!(read(&CohereChat, [cut]).unwrap_err().code, ErrorCode::ProviderStreamInterrupted);
}

#[test]
fn calls_come_with_their_plan_whole_and_in_pieces() {
    let named = |id: &str, name: &str, arguments: Value| json!({"id": id, "type": "function", "function": {"name": name, "arguments": arguments}});
    let whole = json!({
        "id": "x",
        "message": {"role": "assistant", "tool_plan": "I will look.", "tool_calls": [
            named("get_1", "get", json!("{\"n\": 1}")), named("now_2", "now", Value::Null)]},
        "finish_reason": "TOOL_CALL",
        "usage": {"tokens": {"input_tokens": 9, "output_tokens": 4}},
    });
    let answer = decode(&whole).unwrap();
    let candidate = &answer.candidates[0];
    let expected = ["I will look.".into(), call("get_1", "get", "{\"n\": 1}"), call("now_2", "now", "{}")];
    assert_eq!(candidate.parts, expected);
    // pitfalls B4
    assert_eq!(candidate.finish.reason, FinishReason::ToolCalls);
    assert_eq!(answer.usage, Some(Usage { input_tokens: 9, output_tokens: 4, ..Usage::default() }));

    let arguments = |text: &str| json!({"tool_calls": {"function": {"arguments": text}}});
    let stream = [
        event(&json!({"type": "message-start", "id": "x", "delta": {"message": {"role": "assistant"}}})),
        event(&json!({"type": "tool-plan-delta", "delta": {"message": {"tool_plan": "I will "}}})),
        event(&json!({"type": "tool-plan-delta", "delta": {"message": {"tool_plan": "look."}}})),
        delta("tool-call-start", 0, &json!({"tool_calls": named("get_1", "get", json!(""))})),
        delta("tool-call-delta", 0, &arguments("{\"n\"")),
        delta("tool-call-delta", 0, &arguments(": 1}")),
        event(&json!({"type": "tool-call-end", "index": 0})),
        delta("tool-call-start", 1, &json!({"tool_calls": named("now_2", "now", Value::Null)})),
        event(&json!({"type": "tool-call-end", "index": 1})),
        event(&json!({"type": "message-end",
            "delta": {"finish_reason": "TOOL_CALL", "usage": {"tokens": {"input_tokens": 9, "output_tokens": 4}}}})),
    ]
    .concat();
    assert_eq!(streamed(&CohereChat, stream.as_bytes()), answer);
}

#[test]
fn changed_names_of_tools_are_changed_back() {
    let names = ToolNames(vec![("my_tool_1234".to_owned(), "my.tool".to_owned())]);
    let origin = Origin { names: names.into(), ..origin() };
    let body = r#"{"message":{"tool_calls":[{"id":"1","function":{"name":"my_tool_1234","arguments":"{}"}}]}}"#;
    let answer = CohereChat.decode_answer(body.as_bytes(), &origin).unwrap();
    assert_eq!(answer.candidates[0].parts, [call("1", "my.tool", "{}")]);
}

// pitfalls B4
#[test]
fn reasons_to_end_are_told_apart() {
    let finish = |raw: &str| {
        let mut answer = sample();
        answer["finish_reason"] = raw.into();
        decode(&answer).map(|answer| answer.candidates[0].finish.reason).map_err(|error| error.code)
    };
    assert_eq!(finish("STOP_SEQUENCE"), Ok(FinishReason::StopSequence));
    assert_eq!(finish("MAX_TOKENS"), Ok(FinishReason::Length));
    assert_eq!(finish("TOOL_CALL"), Ok(FinishReason::Stop));
    assert_eq!(finish("SOMETHING_NEW"), Ok(FinishReason::Stop));
    assert_eq!(finish("ERROR"), Err(ErrorCode::ProviderFailed));
    assert_eq!(finish("TIMEOUT"), Err(ErrorCode::ProviderTimeout));
}

#[test]
fn probabilities_are_told_as_openai_tells_them() {
    let mut answer = sample();
    answer["logprobs"] = json!([{"text": "Em", "token_ids": [1, 2], "logprobs": [-0.5, -0.25]}]);
    let expected = json!([{"token": "Em", "logprob": -0.75, "bytes": [69, 109], "top_logprobs": []}]);
    assert_eq!(decode(&answer).unwrap().candidates[0].logprobs, Some(expected));
}

#[test]
fn parts_that_are_not_known_are_kept() {
    let mut answer = sample();
    answer["message"]["content"] = json!([{"type": "hologram", "data": 1}]);
    answer["message"]["citations"] = Value::Null;
    let part = native("hologram", &json!({"type": "hologram", "data": 1}));
    assert_eq!(decode(&answer).unwrap().candidates[0].parts, [Part::Native(part)]);
}

#[test]
fn what_is_no_answer_is_said_to_be_none() {
    let code = |body: &str| CohereChat.decode_answer(body.as_bytes(), &origin()).unwrap_err().code;
    assert_eq!(code("<html>"), ErrorCode::ProviderInvalidResponse);
    assert_eq!(code("{}"), ErrorCode::ProviderInvalidResponse);
    assert_eq!(code(r#"{"id":"x","message":"internal server error"}"#), ErrorCode::ProviderFailed);
    let code = |stream: &str| read(&CohereChat, [stream.as_bytes()]).unwrap_err().code;
    assert_eq!(code("data: {\n\n"), ErrorCode::ProviderInvalidResponse);
    assert_eq!(code("event: error\ndata: {\"message\":\"boom\"}\n\n"), ErrorCode::ProviderFailed);
    assert_eq!(code(""), ErrorCode::ProviderStreamInterrupted);
    let failed = "data: {\"type\":\"message-end\",\"delta\":{\"finish_reason\":\"ERROR\",\"error\":\"boom\"}}\n\n";
    assert_eq!(code(failed), ErrorCode::ProviderFailed);
}

#[test]
fn refusals_are_told_apart() {
    let refused = |status: u16, body: &str| {
        let mut headers = HeaderMap::new();
        headers.insert("retry-after", "7".parse().unwrap());
        CohereChat.decode_error(Refusal {
            status: StatusCode::from_u16(status).unwrap(),
            headers,
            body: body.to_owned().into(),
            provider: "p",
            credential_is_callers: false,
            now: SystemTime::UNIX_EPOCH,
        })
    };
    for (status, message, code) in [
        (400, "invalid request: temperature", ErrorCode::ProviderRejected),
        (400, "too many tokens: size limit exceeded", ErrorCode::ContextLengthExceeded),
        (401, "invalid api token", ErrorCode::ProviderAuthentication),
        (402, "please add a payment method", ErrorCode::ProviderCreditExhausted),
        (404, "model 'x' not found", ErrorCode::ProviderModelNotFound),
        (422, "no valid response", ErrorCode::ProviderRejected),
        (429, "trial token rate limit exceeded, limit is 100000 tokens per minute", ErrorCode::ProviderRateLimited),
        (429, "a Trial key, which is limited to 1000 API calls / month", ErrorCode::ProviderCreditExhausted),
        (498, "invalid token", ErrorCode::ProviderAuthentication),
        (499, "client closed", ErrorCode::ProviderFailed),
        (500, "internal", ErrorCode::ProviderFailed),
        (503, "unavailable", ErrorCode::ProviderOverloaded),
        (504, "gateway timeout", ErrorCode::ProviderTimeout),
    ] {
        let error = refused(status, &json!({"id": "i", "message": message}).to_string());
        assert_eq!(error.code, code, "{status} {message}");
    }
    assert_eq!(refused(429, "{}").retry_after, Some(Duration::from_secs(7)));
}

proptest! {
    #[test]
    fn nothing_that_comes_makes_the_readers_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = CohereChat.decode_answer(&bytes, &origin());
        let _ = read(&CohereChat, [bytes.as_slice()]);
    }

    #[test]
    fn no_order_of_events_breaks_the_grammar(kinds in prop::collection::vec(0usize..9, 0..12)) {
        let names = ["message-start", "content-start", "content-delta", "content-end", "tool-plan-delta",
            "tool-call-start", "tool-call-delta", "citation-start", "message-end"];
        let stream: String = kinds.iter().enumerate().map(|(place, kind)| {
            delta(names[*kind], place as u64 % 2, &json!({
                "content": {"text": "t"}, "tool_plan": "p", "citations": {"text": "c"},
                "tool_calls": {"id": "i", "function": {"name": "f", "arguments": "{}"}},
            }))
        }).collect();
        if let Ok(events) = read(&CohereChat, [stream.as_bytes()]) {
            prop_assert_eq!(gw_core::chat::event::check(&events), None);
        }
    }
}
