//! What a provider answers.

use std::rc::Rc;

use gw_core::RequestId;
use gw_core::chat::{Event, FinishReason};
use gw_dialects::DialectId;
use gw_dialects::chat::{self, Asked, Origin, RequestLine, Target};
use serde_json::{Value, json};

use crate::asking::{CLAUDE, answer, asked, encoded, nothing, sent, to_client};

/// An answer of Anthropic's.
fn claude_said(content: &Value, stop_reason: &str) -> Value {
    json!({"id": "msg_1", "type": "message", "role": "assistant", "model": CLAUDE, "content": content,
        "stop_reason": stop_reason, "stop_sequence": null, "usage": {"input_tokens": 8, "output_tokens": 5}})
}

/// The events of a stream.
fn events(dialect: DialectId, stream: &str) -> Vec<Event> {
    let origin = Origin { provider: Rc::from("p"), ..Origin::default() };
    let mut decoder = chat::egress(dialect).unwrap().decoder(origin);
    let mut events = Vec::new();
    decoder.decode(stream.as_bytes(), &mut events).unwrap();
    decoder.end(&mut events).unwrap();
    events
}

#[test]
fn calls_are_numbered_by_themselves_and_have_arguments_that_can_be_read() {
    // pitfalls B1, B3: numbered with the texts between them; streamed with no arguments at all.
    let content = json!([{"type": "text", "text": "a"}, {"type": "tool_use", "id": "t1", "name": "f", "input": {}}]);
    let answer = answer(DialectId::AnthropicMessages, &claude_said(&content, "tool_use"));
    let call = to_client(&answer)["choices"][0]["message"]["tool_calls"][0].clone();
    assert!(call.get("index").is_none_or(|index| *index == 0), "{call}");
    assert_eq!(call["function"]["arguments"], "{}");
    let mut request = asked(&json!({}));
    request.stream = true;
    let asked = Asked { request: Rc::new(request), request_id: RequestId::from_u128(7), now_s: 0 };
    let mut encoder = chat::ingress(DialectId::OpenAiChat).unwrap().encoder(asked);
    let mut out = bytes::BytesMut::new();
    answer.into_events().iter().for_each(|event| encoder.encode(event, &mut out));
    encoder.end(&mut out);
    let stream = String::from_utf8(out.to_vec()).unwrap();
    assert!(stream.contains(r#""arguments":"{}""#) && !stream.contains(r#""tool_calls":[{"index":1"#), "{stream}");
}

#[test]
fn a_servers_own_tool_is_no_call_for_the_client() {
    // pitfalls B2: agents tried to run it.
    let content = json!([
        {"type": "server_tool_use", "id": "s1", "name": "web_search", "input": {"query": "q"}},
        {"type": "web_search_tool_result", "tool_use_id": "s1", "content": []}, {"type": "text", "text": "a"}]);
    let choice =
        to_client(&answer(DialectId::AnthropicMessages, &claude_said(&content, "end_turn")))["choices"][0].clone();
    assert!(choice["message"].get("tool_calls").is_none(), "{choice}");
    assert_eq!(choice["finish_reason"], "stop");
}

#[test]
fn an_answer_that_is_not_whole_does_not_end_in_order() {
    // pitfalls B4: every reason became `stop`.
    let gemini = json!({"candidates": [{"content": {"parts": []}, "finishReason": "MALFORMED_FUNCTION_CALL"}]});
    let told = to_client(&answer(DialectId::Gemini, &gemini));
    assert_eq!(told["choices"][0]["native_finish_reason"], "MALFORMED_FUNCTION_CALL");
    let bedrock = json!({"output": {"message": {"role": "assistant", "content": []}}, "stopReason": "malformed_tool_use",
        "usage": {"inputTokens": 1, "outputTokens": 1, "totalTokens": 2}});
    let reason = answer(DialectId::BedrockConverse, &bedrock).candidates[0].finish.reason;
    assert_eq!(reason, FinishReason::Malformed);
    let openai = json!({"id": "1", "object": "chat.completion", "created": 1, "model": "m", "choices": [
        {"index": 0, "message": {"role": "assistant", "content": "a"}, "finish_reason": "model_length"}]});
    assert_eq!(to_client(&answer(DialectId::OpenAiChat, &openai))["choices"][0]["finish_reason"], "length");
    let cohere = |reason: &str, message: Value| {
        let body = json!({"id": "1", "finish_reason": reason, "message": message});
        to_client(&answer(DialectId::CohereChat, &body))["choices"][0]["finish_reason"].clone()
    };
    assert_eq!(
        cohere("MAX_TOKENS", json!({"role": "assistant", "content": [{"type": "text", "text": "a"}]})),
        "length"
    );
    let call = json!({"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}});
    assert_eq!(cohere("TOOL_CALL", json!({"role": "assistant", "tool_calls": [call]})), "tool_calls");
}

#[test]
fn cohere_is_counted_by_what_it_bills_and_nothing_that_it_says_is_lost() {
    // pitfalls B5: priced by all tokens; plan, sources and thoughts lost.
    let body = json!({"id": "1", "finish_reason": "COMPLETE", "message": {"role": "assistant", "tool_plan": "plan",
        "content": [{"type": "thinking", "thinking": "t"}, {"type": "text", "text": "a"}],
        "citations": [{"start": 0, "end": 1, "text": "a", "sources": [{"type": "document", "id": "d"}]}]},
        "usage": {"billed_units": {"input_tokens": 8, "output_tokens": 5}, "tokens": {"input_tokens": 70, "output_tokens": 7}}});
    let answer = answer(DialectId::CohereChat, &body);
    let usage = answer.usage.unwrap();
    assert_eq!((usage.input_tokens, usage.output_tokens), (8, 5));
    let said = format!("{answer:?}");
    assert!(said.contains("plan") && said.contains("Reasoning") && said.contains("Citation {"), "{said}");
}

#[test]
fn coheres_events_have_names_and_are_read() {
    // pitfalls B6: broke on the line with the event's name.
    let stream = [
        r#"{"type":"message-start","id":"1","delta":{"message":{"role":"assistant","content":[]}}}"#,
        r#"{"type":"content-start","index":0,"delta":{"message":{"content":{"type":"text","text":""}}}}"#,
        r#"{"type":"content-delta","index":0,"delta":{"message":{"content":{"text":"a"}}}}"#,
        r#"{"type":"content-end","index":0}"#,
        r#"{"type":"message-end","delta":{"finish_reason":"COMPLETE","usage":{"billed_units":{"input_tokens":8,"output_tokens":5}}}}"#,
    ];
    let text: String = stream
        .iter()
        .map(|data| {
            let name = data.split('"').nth(3).unwrap();
            format!("event: {name}\ndata: {data}\n\n")
        })
        .collect();
    let events = events(DialectId::CohereChat, &text);
    assert!(events.iter().any(|event| matches!(event, Event::Usage(usage) if usage.input_tokens == 8)), "{events:?}");
}

#[test]
fn tokens_are_the_providers_count_and_never_a_guess_of_ours() {
    // pitfalls B7, B8: a chunk of usage that nobody asked for, thoughts counted with a local tokenizer.
    let content =
        json!([{"type": "thinking", "thinking": "a long thought", "signature": "s"}, {"type": "text", "text": "a"}]);
    let answer = answer(DialectId::AnthropicMessages, &claude_said(&content, "end_turn"));
    assert_eq!(answer.usage.unwrap().reasoning_tokens, 0);
    let asked = nothing();
    let mut encoder = chat::ingress(DialectId::OpenAiChat).unwrap().encoder(asked);
    let mut out = bytes::BytesMut::new();
    answer.into_events().iter().for_each(|event| encoder.encode(event, &mut out));
    encoder.end(&mut out);
    assert!(!String::from_utf8(out.to_vec()).unwrap().contains("prompt_tokens"));
}

#[test]
fn signatures_stand_in_members_of_their_own_and_ids_stay_ids() {
    // pitfalls B9: smuggled into the ids of calls.
    let body = json!({"responseId": "r", "candidates": [{"finishReason": "STOP", "content": {"parts": [
        {"functionCall": {"name": "f", "args": {}}, "thoughtSignature": "c2lnbmF0dXJl"}]}}]});
    let message = to_client(&answer(DialectId::Gemini, &body))["choices"][0]["message"].clone();
    let call = &message["tool_calls"][0];
    assert!(call["id"].as_str().is_some_and(|id| id.len() <= 40 && !id.contains("c2lnbmF0dXJl")), "{call}");
    assert!(call["extra_content"]["google"]["thought_signature"].is_string(), "{call}");
}

#[test]
fn a_generated_picture_keeps_its_signature_through_the_client() {
    // pitfalls B9: Gemini 3 wants what it signed again.
    let body = json!({"responseId": "r", "candidates": [{"finishReason": "STOP", "content": {"parts": [
        {"inlineData": {"mimeType": "image/png", "data": "iVBORw0KGgo="}, "thoughtSignature": "c2ln"}]}}]});
    let answer = answer(DialectId::Gemini, &body);
    let message = to_client(&answer)["choices"][0]["message"].clone();
    let conversation =
        json!({"messages": [{"role": "user", "content": "q"}, message, {"role": "user", "content": "bluer"}]});
    let (body, _) = sent(&conversation, DialectId::Gemini, "gemini-3-pro-image-preview");
    assert_eq!(body["contents"][1]["parts"][0]["thoughtSignature"], "c2ln", "{body}");
    // Nobody but its owner is shown it.
    let target = Target { model: "gemini-3-pro-image-preview", provider: "other", stream: false };
    let message = to_client(&answer)["choices"][0]["message"].clone();
    let request =
        asked(&json!({"messages": [{"role": "user", "content": "q"}, message, {"role": "user", "content": "b"}]}));
    let other = chat::egress(DialectId::OpenAiChat).unwrap().encode_request(&request, &target).unwrap();
    assert!(!String::from_utf8(other.body).unwrap().contains("c2ln"));
    // A client of Responses gets it in an item behind the picture.
    let asked = nothing();
    let responses = chat::ingress(DialectId::OpenAiResponses).unwrap();
    let whole: Value = serde_json::from_slice(&responses.encode_answer(&answer, &asked)).unwrap();
    let again = json!({"model": "m", "input": [{"role": "user", "content": "q"}, whole["output"][0], whole["output"][1],
        {"role": "user", "content": "bluer"}]});
    let request = responses.decode_request(&RequestLine::default(), again.to_string().as_bytes()).unwrap();
    let (body, _) = encoded(&request, DialectId::Gemini, "gemini-3-pro-image-preview");
    assert_eq!(body["contents"][1]["parts"][0]["thoughtSignature"], "c2ln", "{whole} {body}");
}

#[test]
fn what_googles_tools_made_and_used_is_kept() {
    // pitfalls B10: code and its result dropped; tokens that do not add up.
    let body = json!({"candidates": [{"finishReason": "STOP", "content": {"parts": [
        {"executableCode": {"language": "PYTHON", "code": "1+1"}},
        {"codeExecutionResult": {"outcome": "OUTCOME_OK", "output": "2"}}, {"text": "2"}]}}],
        "usageMetadata": {"promptTokenCount": 10, "toolUsePromptTokenCount": 5, "candidatesTokenCount": 3, "totalTokenCount": 18}});
    let answer = answer(DialectId::Gemini, &body);
    let usage = answer.usage.unwrap();
    assert_eq!((usage.input_tokens, usage.output_tokens), (15, 3));
    assert!(format!("{answer:?}").contains("executableCode"));
}

#[test]
fn no_signature_is_invented() {
    // pitfalls B11: thoughts signed with the provider's name.
    let body = json!({"id": "1", "object": "chat.completion", "created": 1, "model": "m", "choices": [{"index": 0,
        "message": {"role": "assistant", "content": [
            {"type": "thinking", "thinking": [{"type": "text", "text": "t"}]}, {"type": "text", "text": "a"}]},
        "finish_reason": "stop"}]});
    let message = to_client(&answer(DialectId::OpenAiChat, &body))["choices"][0]["message"].clone();
    assert_eq!(message["reasoning_content"], "t");
    assert!(!message.to_string().contains("signature"), "{message}");
}
