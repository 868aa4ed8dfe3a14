use std::rc::Rc;

use gw_core::ErrorCode;
use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::chat::ToolNames;

fn origin() -> Origin {
    let names = ToolNames(vec![("shape".to_owned(), String::new()), ("a_b".to_owned(), "a.b".to_owned())]);
    Origin { provider: "aws".into(), model: "m".into(), names: Rc::new(names), ..Origin::default() }
}

fn read(stop: &str, content: Value) -> ChatAnswer {
    let message = Value::from_iter([("role", Value::from("assistant")), ("content", content)]);
    let body = json!({"output": {"message": message}, "stopReason": stop});
    decode(body.to_string().as_bytes(), &origin()).unwrap()
}

#[test]
fn a_whole_answer_is_read() {
    let body = br#"{"output":{"message":{"role":"assistant","content":[
        {"reasoningContent":{"reasoningText":{"text":"hm","signature":"sig"}}},
        {"reasoningContent":{"redactedContent":"AAEC"}},
        {"text":"Let me see."},
        {"toolUse":{"toolUseId":"tooluse_1","name":"a_b","input":{"z":12345678901234567890123,"a":1}}}]}},
        "stopReason":"tool_use","metrics":{"latencyMs":551},
        "usage":{"inputTokens":10,"outputTokens":5,"totalTokens":115,"cacheReadInputTokens":60,"cacheWriteInputTokens":40},
        "serviceTier":{"type":"priority"},"trace":{"promptRouter":{"invokedModelId":"x"}}}"#;
    let answer = decode(body, &origin()).unwrap();
    let thought = |text: &str, kind, data: &str| {
        let opaque = Some(state(kind, data.to_owned(), &origin()));
        Part::Reasoning(Reasoning { text: text.to_owned(), opaque, ..Reasoning::default() })
    };
    let call = Part::ToolCall(ToolCall {
        id: "tooluse_1".to_owned(),
        name: "a.b".to_owned(),
        input: ToolInput::Json(r#"{"z":12345678901234567890123,"a":1}"#.to_owned()),
        ..ToolCall::default()
    });
    let [candidate] = &answer.candidates[..] else { unreachable!() };
    let thoughts = [thought("hm", OpaqueKind::Signature, "sig"), thought("", OpaqueKind::Encrypted, "AAEC")];
    assert_eq!(candidate.parts[..2], thoughts);
    assert_eq!(candidate.parts[2..], ["Let me see.".into(), call]);
    assert_eq!(candidate.finish, Finish::new(FinishReason::ToolCalls, "tool_use"));
    let usage = Usage {
        input_tokens: 110,
        output_tokens: 5,
        cached_input_tokens: 60,
        cache_write_tokens: 40,
        ..Usage::default()
    };
    assert_eq!((answer.usage, answer.service_tier.as_deref()), (Some(usage), Some("priority")));
    assert_eq!((answer.model.as_str(), answer.extra.members.contains_key("trace")), ("m", true));
}

#[test]
fn every_reason_to_end_is_known_and_calls_decide() {
    let call = json!([{"toolUse": {"toolUseId": "1", "name": "f", "input": {}}}]);
    for (said, without, with) in [
        ("end_turn", FinishReason::Stop, FinishReason::ToolCalls),
        ("tool_use", FinishReason::Stop, FinishReason::ToolCalls),
        ("stop_sequence", FinishReason::StopSequence, FinishReason::ToolCalls),
        ("max_tokens", FinishReason::Length, FinishReason::Length),
        ("model_context_window_exceeded", FinishReason::ContextLength, FinishReason::ContextLength),
        ("guardrail_intervened", FinishReason::ContentFilter, FinishReason::ContentFilter),
        ("content_filtered", FinishReason::ContentFilter, FinishReason::ContentFilter),
        // pitfalls B4
        ("malformed_tool_use", FinishReason::Malformed, FinishReason::Malformed),
        ("malformed_model_output", FinishReason::Malformed, FinishReason::Malformed),
        ("something_new", FinishReason::Stop, FinishReason::ToolCalls),
    ] {
        let finish = |content: &Value| read(said, content.clone()).candidates[0].finish.clone();
        assert_eq!(finish(&json!([{"text": "a"}])), Finish::new(without, said));
        assert_eq!(finish(&call), Finish::new(with, said));
    }
}

#[test]
fn the_arguments_of_the_answers_tool_are_the_answer() {
    let answer = read("tool_use", json!([{"toolUse": {"toolUseId": "1", "name": "shape", "input": {"a": 1}}}]));
    assert_eq!(answer.candidates[0].parts, [r#"{"a":1}"#.into()]);
    assert_eq!(answer.candidates[0].finish.reason, FinishReason::Stop);
}

#[test]
fn what_is_not_known_is_carried() {
    // pitfalls B2: a tool that the provider runs is no call for the application.
    let server =
        json!({"toolUse": {"toolUseId": "1", "name": "nova_grounding", "input": {}, "type": "server_tool_use"}});
    let later = json!({"hologram": {"depth": 3}});
    let source = json!({"title": "T", "location": {"web": {"url": "https://a"}}, "sourceContent": [{"text": "w"}]});
    let cited = json!({"citationsContent": {"content": [{"text": "so"}], "citations": [source]}});
    let picture = json!({"image": {"format": "png", "source": {"bytes": "AAEC"}}});
    let answer = read("end_turn", json!([server, later, cited, picture, {"text": ""}]));
    let parts = &answer.candidates[0].parts;
    let native = |kind: &str, value: &Value| {
        Part::Native(Native { family: FAMILY, kind: kind.to_owned(), value: value.clone() })
    };
    assert_eq!(parts[..2], [native("toolUse", &server), native("hologram", &later)]);
    let Part::Text(text) = &parts[2] else { panic!("{parts:?}") };
    let [citation] = &text.citations[..] else { panic!("{text:?}") };
    assert_eq!((text.text.as_str(), citation.url.as_deref()), ("so", Some("https://a")));
    assert_eq!((citation.title.as_deref(), citation.cited_text.as_deref()), (Some("T"), Some("w")));
    assert!(matches!(&parts[3], Part::Media(media) if media.kind == MediaKind::Image));
    assert_eq!(parts.len(), 4);
    assert_eq!(answer.candidates[0].finish.reason, FinishReason::Stop);
}

#[test]
fn which_text_ended_the_answer_is_told() {
    let body = br#"{"output":{"message":{"content":[{"text":"a"}]}},"stopReason":"stop_sequence",
        "additionalModelResponseFields":{"stop_sequence":"END"}}"#;
    let finish = decode(body, &origin()).unwrap().candidates.remove(0).finish;
    assert_eq!((finish.reason, finish.stop_sequence.as_deref()), (FinishReason::StopSequence, Some("END")));
}

#[test]
fn what_is_no_answer_is_refused() {
    for body in ["", "[]", "{}", r#"{"Output":{"__type":"com.amazon.coral.service#UnknownOperationException"}}"#] {
        let error = decode(body.as_bytes(), &origin()).unwrap_err();
        assert_eq!(error.code, ErrorCode::ProviderInvalidResponse, "{body}");
    }
}

proptest! {
    #[test]
    fn no_body_makes_it_panic(body: Vec<u8>, content in "\\PC{0,40}") {
        let _ = decode(&body, &origin());
        let _ = decode(format!(r#"{{"output":{{"message":{{"content":[{{{content}}}]}}}}}}"#).as_bytes(), &origin());
    }
}

#[test]
fn what_claude_shows_of_its_thoughts_is_a_summary_and_what_others_show_is_not() {
    let body = json!({"stopReason": "end_turn", "output": {"message": {"role": "assistant", "content": [
        {"reasoningContent": {"reasoningText": {"text": "hm"}}}, {"reasoningContent": {"redactedContent": "AAEC"}},
    ]}}});
    for (model, expected) in [("eu.anthropic.claude-sonnet-5-5", [true, false]), ("deepseek.r1-v1:0", [false, false])] {
        let origin = Origin { model: model.into(), ..origin() };
        let answer = decode(body.to_string().as_bytes(), &origin).unwrap();
        let summaries = answer.candidates[0].parts.iter().map(|part| match part {
            Part::Reasoning(thought) => thought.is_summary,
            other => panic!("{other:?}"),
        });
        assert_eq!(summaries.collect::<Vec<_>>(), expected, "{model}");
    }
}
