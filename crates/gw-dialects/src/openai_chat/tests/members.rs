//! Members of messages that the gateway does not know.

use gw_core::chat::{Message, Part, Role, ToolResult};
use serde_json::{Value, json};

use super::{OpenAiChat, decode, encode, losses, messages, target};
use crate::chat::Egress;
use crate::watsonx_chat::WatsonxChat;

fn request(messages: &Value) -> Value {
    json!({"model": "upstream-model", "messages": messages})
}

/// Two calls and their results, of which the application says more than it must.
fn results() -> Value {
    let call = |id: &str| json!({"id": id, "type": "function", "function": {"name": "f", "arguments": "{}"}});
    json!([
        {"role": "user", "content": "q"},
        {"role": "assistant", "content": null, "tool_calls": [call("c1"), call("c2")]},
        {"role": "tool", "tool_call_id": "c1", "content": "1", "status": "success"},
        {"role": "tool", "tool_call_id": "c2", "content": "2", "status": "error", "artifact": {"x": 1}},
        {"role": "user", "content": "and?", "draft": true},
    ])
}

#[test]
fn what_is_not_known_of_a_tools_message_stays_on_it() {
    let (body, encoded) = encode(&decode(&request(&results())));
    assert_eq!(body["messages"], results());
    assert_eq!(losses(&encoded), [""; 0]);
}

#[test]
fn what_is_not_known_of_a_tools_message_moves_with_its_result() {
    let given = results();
    let moved = json!([given[0], given[1], given[3], given[4], given[2]]);
    let written = messages(&decode(&request(&moved)));
    assert_eq!(written, json!([given[0], given[1], given[2], given[3], given[4]]));
}

#[test]
fn what_is_not_known_of_a_tools_message_is_lost_with_the_message() {
    let given = json!([{"role": "tool", "tool_call_id": "gone", "content": "1", "status": "success"}]);
    let (body, encoded) = encode(&decode(&request(&given)));
    let content = &body["messages"][0]["content"];
    assert_eq!(body["messages"], json!([{"role": "user", "content": content}]));
    assert_eq!(losses(&encoded), ["messages", "messages[].tool.status"]);
}

#[test]
fn what_is_not_known_of_a_users_message_stays_on_it_though_results_stand_in_it() {
    let given = json!([{"role": "user", "content": "q", "draft": true}]);
    let mut asks = decode(&request(&given));
    let result = ToolResult { call_id: "gone".to_owned(), content: vec!["1".into()], ..ToolResult::default() };
    asks.messages[0].parts.insert(0, Part::ToolResult(result));
    assert_eq!(messages(&asks)[1], given[0]);
}

#[test]
fn watsonx_is_not_told_what_it_does_not_know_of_a_tools_message() {
    let encoded = WatsonxChat::new(&OpenAiChat).encode_request(&decode(&request(&results())), &target(false)).unwrap();
    let body: Value = serde_json::from_slice(&encoded.body).unwrap();
    let roles: Vec<_> = body["messages"].as_array().unwrap().iter().map(|message| &message["role"]).collect();
    assert_eq!(roles, ["user", "assistant", "tool", "tool", "user"]);
    assert_eq!(body["messages"][2], json!({"role": "tool", "tool_call_id": "c1", "content": "1"}));
    assert_eq!(losses(&encoded), ["messages[].status", "messages[].artifact", "messages[].draft"]);
}

#[test]
fn a_content_part_may_be_of_any_type() {
    let parts = json!([
        {"type": "message", "role": "system", "x": 1},
        {"type": "audio", "id": "a"},
        {"type": "content[].message"},
        {"type": "text", "text": "q"},
    ]);
    let given = json!([
        {"role": "user", "content": parts},
        {"role": "assistant", "content": parts, "audio": {"id": "audio_1"}, "prefix": true},
        {"role": "user", "content": [parts[0]]},
    ]);
    let (body, encoded) = encode(&decode(&request(&given)));
    assert_eq!(body["messages"], given);
    assert_eq!(losses(&encoded), [""; 0]);
}

#[test]
fn a_message_of_nothing_but_what_is_not_known_is_a_message() {
    let given = json!([{"role": "user", "content": "", "draft": true}]);
    let asks = decode(&request(&given));
    assert_eq!(messages(&asks), given);
    let Message { role: Role::User, parts, .. } = &asks.messages[0] else { panic!("{asks:?}") };
    assert_eq!(*parts, []);
}
