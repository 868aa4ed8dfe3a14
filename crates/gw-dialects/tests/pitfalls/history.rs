//! What was said before: media, calls, refusals, instructions.

use gw_dialects::DialectId;
use serde_json::{Value, json};

use crate::asking::{CLAUDE, asked, encoded, has_loss, message, sent, with_tool};

#[test]
fn sound_that_a_provider_cannot_hear_is_told() {
    // pitfalls A1: deleted without a word.
    let part = json!({"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}});
    let audio = json!({"messages": [message("user", &json!([{"type": "text", "text": "q"}, part]))]});
    for dialect in [DialectId::AnthropicMessages, DialectId::CohereChat, DialectId::OllamaChat] {
        let (_, encoded) = encoded(&asked(&audio.clone()), dialect, CLAUDE);
        assert!(
            encoded.losses.iter().any(|loss| loss.param.contains("input_audio") && loss.is_dropped()),
            "{dialect:?}"
        );
    }
}

#[test]
fn a_past_call_without_arguments_has_an_empty_object() {
    // pitfalls A2: arguments that nobody gave.
    let call = json!({"id": "c1", "type": "function", "function": {"name": "f", "arguments": ""}});
    let messages = json!({"messages": [
        {"role": "user", "content": "q"}, {"role": "assistant", "content": null, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c1", "content": "r"}]});
    let (body, _) = sent(&messages, DialectId::Gemini, "gemini-2.5-pro");
    assert_eq!(body["contents"][1]["parts"][0]["functionCall"]["args"], json!({}));
}

#[test]
fn a_file_at_an_address_and_one_by_its_id_are_documents() {
    // pitfalls A4, A5: an address as an id; a block that only the code tool sees.
    let file = |file: Value| json!({"messages": [message("user", &json!([{"type": "file", "file": file}]))]});
    let source =
        |members: Value| sent(&members, DialectId::AnthropicMessages, CLAUDE).0["messages"][0]["content"][0].clone();
    let by_address = source(file(json!({"file_id": "https://example.com/a.pdf"})));
    assert_eq!(by_address, json!({"type": "document", "source": {"type": "url", "url": "https://example.com/a.pdf"}}));
    let by_id = source(file(json!({"file_id": "file_011"})));
    assert_eq!(by_id, json!({"type": "document", "source": {"type": "file", "file_id": "file_011"}}));
}

#[test]
fn a_call_in_the_older_way_and_its_result_share_an_id() {
    // pitfalls A11: two invented ids; on Bedrock no call at all.
    let messages = json!({"functions": [{"name": "f", "parameters": {"type": "object"}}], "messages": [
        {"role": "user", "content": "q"},
        {"role": "assistant", "content": null, "function_call": {"name": "f", "arguments": "{}"}},
        {"role": "function", "name": "f", "content": "r"}]});
    let (body, _) = sent(&messages.clone(), DialectId::AnthropicMessages, CLAUDE);
    let call = &body["messages"][1]["content"][0];
    assert_eq!((&call["type"], &call["id"]), (&json!("tool_use"), &body["messages"][2]["content"][0]["tool_use_id"]));
    let (body, _) = sent(&messages, DialectId::BedrockConverse, "m");
    let call = &body["messages"][1]["content"][0]["toolUse"]["toolUseId"];
    assert!(call.is_string() && *call == body["messages"][2]["content"][0]["toolResult"]["toolUseId"], "{body}");
}

#[test]
fn nobody_puts_words_into_anybodys_mouth() {
    // pitfalls A12, A15: sanitising text in empty turns; empty parts sent.
    let messages = json!({"messages": [
        {"role": "user", "content": [{"type": "text", "text": ""}, {"type": "text", "text": "q"}]},
        {"role": "assistant", "content": ""}, {"role": "user", "content": "again"}]});
    for (dialect, model) in [(DialectId::AnthropicMessages, CLAUDE), (DialectId::Gemini, "gemini-2.5-pro")] {
        let (body, _) = sent(&messages.clone(), dialect, model);
        let text = body.to_string();
        assert!(!text.contains("sanitised") && !text.contains(r#""text":"""#), "{text}");
    }
}

#[test]
fn a_refusal_stays_in_the_conversation_and_instructions_in_their_place() {
    // pitfalls A13: the refusal's turn vanished; instructions in mid-conversation went to the top.
    let messages = json!({"messages": [
        {"role": "user", "content": "q"}, {"role": "assistant", "content": null, "refusal": "I will not."},
        {"role": "user", "content": "why"}, {"role": "assistant", "content": "so"},
        {"role": "system", "content": "Rhyme now."}, {"role": "user", "content": "and?"}]});
    let (body, _) = sent(&messages.clone(), DialectId::AnthropicMessages, CLAUDE);
    assert_eq!(body["messages"][1]["content"][0]["text"], "I will not.");
    let (body, losses) = sent(&messages, DialectId::Gemini, "gemini-2.5-pro");
    assert!(body.get("systemInstruction").is_none(), "{body}");
    assert_eq!(body["contents"][4]["parts"][0]["text"], "Rhyme now.");
    assert!(has_loss(&losses, "replaced messages[].role"), "{losses:?}");
}

#[test]
fn arguments_that_are_no_json_are_repaired_in_one_way_everywhere() {
    // pitfalls A17: an error here, an empty object there, the raw text elsewhere.
    let call = json!({"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{\"a\":"}});
    let messages = json!({"messages": [
        {"role": "user", "content": "q"}, {"role": "assistant", "content": null, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c1", "content": "r"}]});
    let raw = json!({"_raw": "{\"a\":"});
    let (body, _) = sent(&messages.clone(), DialectId::AnthropicMessages, CLAUDE);
    assert_eq!(body["messages"][1]["content"][0]["input"], raw);
    let (body, _) = sent(&messages.clone(), DialectId::Gemini, "gemini-2.5-pro");
    assert_eq!(body["contents"][1]["parts"][0]["functionCall"]["args"], raw);
    // Converse offers no tools here, so that calls are told as text.
    let (body, _) = sent(&with_tool(&messages), DialectId::BedrockConverse, "m");
    assert_eq!(body["messages"][1]["content"][0]["toolUse"]["input"], raw);
}

#[test]
fn a_file_that_only_another_provider_has_is_the_clients_matter() {
    // pitfalls A18: reported as a failed connection, and tried again.
    let file = json!({"type": "file", "file": {"file_id": "file-abc"}});
    let members = json!({"messages": [message("user", &json!([{"type": "text", "text": "q"}, file]))]});
    for dialect in [DialectId::BedrockConverse, DialectId::Gemini] {
        let (_, losses) = sent(&members.clone(), dialect, "m");
        assert!(has_loss(&losses, "messages[].file"), "{dialect:?}: {losses:?}");
    }
}
