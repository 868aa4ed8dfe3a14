//! What the Responses API gives back of what it keeps is what OpenAI's schema allows.

use gw_dialects::openai_responses::{self, StoredItem, resource};
use serde_json::{Map, Value, json};

use crate::fixtures;
use crate::specs::{Schema, Specs};

const fn schema(pointer: &'static str) -> Schema {
    Schema { file: "openai-openapi.json", pointer }
}

fn check(specs: &mut Specs, pointer: &'static str, body: &[u8]) {
    let value: Value = serde_json::from_slice(body).unwrap();
    let faults = specs.faults(schema(pointer), &value);
    assert!(faults.is_empty(), "{pointer}: {faults:#?}\n{value:#}");
}

#[test]
fn lists_conversations_and_what_is_said_of_deletion_are_as_openai_has_them() {
    let mut specs = Specs::find();
    let metadata = Map::from_iter([("a".to_owned(), json!("b"))]);
    check(&mut specs, "#/components/schemas/ConversationResource", &resource::conversation("conv_1", 1, &metadata));
    let deleted = resource::deleted("conv_1", "conversation.deleted");
    check(&mut specs, "#/components/schemas/DeletedConversationResource", &deleted);
    check(&mut specs, "#/components/schemas/TokenCountsResource", &resource::input_tokens(3));
    for file in fixtures::list("openai_responses", "answers") {
        let items = openai_responses::answered_items(&file.bytes);
        listed(&mut specs, &items);
    }
    let given = json!({"input": [
        {"role": "user", "content": "Hi"},
        {"role": "developer", "content": [{"type": "input_text", "text": "x"}]},
        {"role": "user", "content": [{"type": "input_image", "image_url": "data:image/png;base64,AAAA"}]},
        {"role": "assistant", "content": "Hello"},
        {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c", "output": "fine"},
        {"type": "reasoning", "id": "rs_1", "summary": []},
    ]});
    let items = openai_responses::given_items(given.as_object().unwrap(), "input", "1").unwrap();
    listed(&mut specs, &items);
}

fn listed(specs: &mut Specs, items: &[StoredItem]) {
    let pairs: Vec<(&str, &str)> = items.iter().map(|item| (item.id.as_str(), item.json.as_str())).collect();
    let list = resource::list(&pairs, false);
    check(specs, "#/components/schemas/ConversationItemList", &list);
    check(specs, "#/components/schemas/ResponseItemList", &list);
}
