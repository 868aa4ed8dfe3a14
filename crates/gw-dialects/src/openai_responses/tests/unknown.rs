//! Items, content parts and tools that no word of the gateway's stands for.

use gw_core::chat::{BuiltIn, BuiltInTool, Family, Tool};
use serde_json::{Value, json};

use super::{decoded, encoded};
use crate::chat::{Egress, Target};
use crate::openai_chat::OpenAiChat;

/// The items of `input` after they were read and written, of which none may be lost.
fn again(input: &Value) -> Value {
    let (body, encoded) = encoded(&decoded(&json!({"model": "m", "input": input})));
    assert_eq!(encoded.losses, []);
    body["input"].clone()
}

#[test]
fn a_content_part_of_any_type_stays_in_its_message() {
    let parts = json!([
        {"type": "input_text", "text": "a"},
        {"type": "computer_screenshot", "file_id": "f"},
        {"type": "item_reference", "id": "x"},
        {"type": "input_text", "text": "b"},
    ]);
    let given = json!([
        {"type": "message", "role": "developer", "content": parts},
        {"type": "message", "role": "user", "content": parts},
        {"type": "message", "role": "user", "content": [parts[1]]},
    ]);
    assert_eq!(again(&given), given);
}

#[test]
fn a_content_part_of_any_type_stays_in_what_the_model_said() {
    let text = |text: &str| json!({"type": "output_text", "text": text, "annotations": [], "logprobs": []});
    let content = json!([text("a"), {"type": "output_new", "x": 1}, text("b")]);
    let next = json!([{"type": "output_new", "x": 2}, text("c")]);
    let written = again(&json!([
        {"type": "message", "role": "assistant", "content": content, "phase": "commentary"},
        {"type": "message", "role": "assistant", "content": next, "phase": "final_answer"},
        {"type": "message", "role": "assistant", "content": "d"},
    ]));
    let contents: Vec<_> = written.as_array().unwrap().iter().map(|item| &item["content"]).collect();
    assert_eq!(contents, [&content, &next, &json!("d")]);
    assert_eq!((&written[0]["phase"], &written[1]["phase"]), (&json!("commentary"), &json!("final_answer")));
}

#[test]
fn a_content_part_of_any_type_stays_in_its_tools_result() {
    let given = json!([
        {"type": "function_call", "call_id": "1", "name": "f", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "1", "output": [
            {"type": "computer_screenshot", "file_id": "f"}, {"type": "input_text", "text": "a"}
        ]},
        {"type": "message", "role": "user", "content": [{"type": "input_new"}]},
    ]);
    assert_eq!(again(&given), given);
}

#[test]
fn an_item_of_any_type_stays_an_item() {
    let given = json!([
        {"type": "message", "role": "user", "content": [{"type": "input_new"}]},
        {"type": "computer_call_output", "call_id": "1", "output": {}},
        {"type": "input_new", "x": 1},
        {"type": "content[].input_new", "x": 2},
        {"type": "message", "role": "assistant", "content": "a"},
        {"type": "content[].x_output", "x": 3},
    ]);
    assert_eq!(again(&given), given);
}

#[test]
fn a_content_part_that_another_provider_cannot_be_told_is_a_loss() {
    let request = decoded(&json!({"model": "m", "input": [{"role": "user", "content": [{"type": "input_new"}]}]}));
    let target = Target { model: "m", provider: "p", stream: false };
    let encoded = OpenAiChat.encode_request(&request, &target).unwrap();
    assert_eq!(encoded.losses[0].param, "messages[].content[].input_new");
}

#[test]
fn a_namespace_whose_tools_cannot_be_read_is_a_tool_of_the_providers() {
    let function = json!({"type": "function", "name": "x", "parameters": null, "strict": false});
    let tools = [
        json!({"type": "namespace", "name": "a"}),
        json!({"type": "namespace", "name": "a", "tools": []}),
        json!({"type": "namespace", "name": "a", "tools": {"x": 1}}),
        json!({"type": "namespace", "tools": [1]}),
        json!({"type": "namespace", "name": "a", "tools": [function, {"type": "web_search"}]}),
    ];
    let request = decoded(&json!({"model": "m", "input": "q", "tools": tools}));
    let carried =
        |value: Value| Tool::BuiltIn(BuiltInTool { kind: BuiltIn::Other, family: Family::OpenAiResponses, value });
    assert_eq!(request.tools, tools.clone().map(carried));
    let (body, own) = encoded(&request);
    assert_eq!((&body["tools"], own.losses), (&json!(tools), Vec::new()));
    let target = Target { model: "m", provider: "p", stream: false };
    let foreign = OpenAiChat.encode_request(&request, &target).unwrap();
    assert!(foreign.losses.iter().any(|loss| loss.param == "tools[].type"), "{:?}", foreign.losses);
}
