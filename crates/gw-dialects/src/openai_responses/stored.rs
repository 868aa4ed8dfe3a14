//! Items as they are kept: with an id and a status, as OpenAI gives them back, whatever the client left out.

use gw_core::Error;
use gw_core::chat::Message;
use serde_json::{Value, json};

use super::read::{Node, Object};
use super::request;

/// An item of a conversation, as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredItem {
    /// Its id.
    pub id: String,
    /// The item, in JSON.
    pub json: String,
}

/// The items under `member` of a request's body (`input`, `items`), made whole: an id that is made of `id_base`, where
/// there is none.
///
/// # Errors
/// `invalid_request`, if they are neither a text nor a list of objects.
pub fn given_items(body: &Object, member: &'static str, id_base: &str) -> Result<Vec<StoredItem>, Error> {
    let items = match body.get(member) {
        Some(Value::String(text)) => vec![json!({"role": "user", "content": text})],
        _ => Node::top(body).objects(member)?.into_iter().map(|item| Value::Object(item.object.clone())).collect(),
    };
    Ok(items.into_iter().enumerate().filter_map(|(place, item)| whole(item, &format!("{id_base}_{place}"))).collect())
}

/// The items that an answer added.
pub fn answered_items(answer: &[u8]) -> Vec<StoredItem> {
    let answer: Value = serde_json::from_slice(answer).unwrap_or_default();
    let id_base = answer["id"].as_str().unwrap_or_default().to_owned();
    let items = answer["output"].as_array().into_iter().flatten().enumerate();
    items.filter_map(|(place, item)| whole(item.clone(), &format!("{id_base}_out{place}"))).collect()
}

/// What kept items say.
///
/// # Errors
/// `invalid_request`, if one is no item that a request may hold.
pub fn messages<'a>(items: impl Iterator<Item = &'a str>) -> Result<Vec<Message>, Error> {
    let items: Vec<&str> = items.collect();
    if items.is_empty() {
        return Ok(Vec::new());
    }
    let body = format!(r#"{{"input":[{}]}}"#, items.join(","));
    Ok(request::decode(&crate::chat::RequestLine::default(), body.as_bytes())?.messages)
}

fn whole(item: Value, id_base: &str) -> Option<StoredItem> {
    let Value::Object(mut item) = item else { return None };
    let text = |item: &Object, name: &str| item.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    if text(&item, "type").is_empty() && item.contains_key("role") {
        item.insert("type".to_owned(), json!("message"));
    }
    let kind = text(&item, "type");
    if text(&item, "id").is_empty() {
        item.insert("id".to_owned(), json!(format!("{}_{id_base}", prefix(&kind))));
    }
    let has_status = matches!(
        kind.as_str(),
        "message" | "function_call" | "function_call_output" | "custom_tool_call" | "custom_tool_call_output"
    );
    if has_status && text(&item, "status").is_empty() {
        item.insert("status".to_owned(), json!("completed"));
    }
    if kind == "message" {
        let is_model = text(&item, "role") == "assistant";
        let content = content(item.remove("content").unwrap_or_default(), is_model);
        item.insert("content".to_owned(), content);
    }
    let id = text(&item, "id");
    Some(StoredItem { id, json: Value::Object(item).to_string() })
}

/// How OpenAI's ids of a kind of items begin.
fn prefix(kind: &str) -> &'static str {
    match kind {
        "message" => "msg",
        "function_call" => "fc",
        "function_call_output" => "fco",
        "custom_tool_call" => "ctc",
        "custom_tool_call_output" => "ctco",
        "reasoning" => "rs",
        _ => "item",
    }
}

fn content(content: Value, is_model: bool) -> Value {
    let mut parts = match content {
        Value::String(text) if is_model => vec![json!({"type": "output_text", "text": text})],
        Value::String(text) => vec![json!({"type": "input_text", "text": text})],
        Value::Array(parts) => parts,
        _ => Vec::new(),
    };
    for part in parts.iter_mut().filter_map(Value::as_object_mut) {
        let defaults: &[(&str, Value)] = match part.get("type").and_then(Value::as_str) {
            Some("output_text") => &[("annotations", json!([])), ("logprobs", json!([]))],
            Some("input_image") => &[("detail", json!("auto"))],
            _ => &[],
        };
        for (name, value) in defaults {
            if !part.contains_key(*name) {
                part.insert((*name).to_owned(), value.clone());
            }
        }
    }
    Value::Array(parts)
}

#[cfg(test)]
mod tests {
    use gw_core::chat::Role;

    use super::*;

    fn given(body: &Value) -> Vec<StoredItem> {
        given_items(body.as_object().unwrap(), "input", "1").unwrap()
    }

    #[test]
    fn a_text_is_a_message_with_an_id_and_a_status() {
        let [item] = &given(&json!({"input": "Hi"}))[..] else { panic!("one item") };
        assert_eq!(item.id, "msg_1_0");
        let read: Value = serde_json::from_str(&item.json).unwrap();
        let content = json!([{"type": "input_text", "text": "Hi"}]);
        let expected =
            json!({"id": "msg_1_0", "type": "message", "role": "user", "status": "completed", "content": content});
        assert_eq!(read, expected);
    }

    #[test]
    fn what_is_kept_says_what_was_given() {
        let body = json!({"input": [
            {"role": "user", "content": "What is the weather?"},
            {"type": "function_call", "call_id": "c", "name": "weather", "arguments": "{}"},
            {"type": "function_call_output", "call_id": "c", "output": "fine", "id": "mine"},
            {"role": "assistant", "content": [{"type": "output_text", "text": "Fine."}]},
        ]});
        let kept = given(&body);
        assert_eq!(kept[2].id, "mine");
        let read = messages(kept.iter().map(|item| item.json.as_str())).unwrap();
        let direct = request::decode(&crate::chat::RequestLine::default(), body.to_string().as_bytes()).unwrap();
        assert_eq!(read, direct.messages);
        assert_eq!(read.last().unwrap().role, Role::Assistant);
        assert!(messages(std::iter::empty()).unwrap().is_empty());
    }

    #[test]
    fn what_is_no_list_is_refused() {
        assert!(given_items(json!({"items": 3}).as_object().unwrap(), "items", "1").is_err());
        assert!(given_items(json!({}).as_object().unwrap(), "items", "1").unwrap().is_empty());
    }
}
