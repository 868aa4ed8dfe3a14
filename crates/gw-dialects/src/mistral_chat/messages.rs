//! The conversation as Mistral takes it: its own kinds of parts, thoughts as parts, ids of calls in one form only.

use std::hash::{DefaultHasher, Hash, Hasher};

use serde_json::{Value, json};

use super::request::Object;
use crate::shared::losses::Losses;

/// Ids of calls have this many letters and digits, no fewer and no more. The schema does not say so; models that Mistral
/// published refuse others, and so did the API.
const ID_LENGTH: usize = 9;

/// What messages may have, whosever they are.
const SYSTEM: [&str; 2] = ["role", "content"];
const USER: [&str; 2] = ["role", "content"];
const ASSISTANT: [&str; 4] = ["role", "content", "tool_calls", "prefix"];
const TOOL: [&str; 4] = ["role", "content", "tool_call_id", "name"];

/// Rewrites the messages of a body.
pub(super) fn rewrite(messages: &mut [Value], losses: &mut Losses) {
    let last = messages.len().saturating_sub(1);
    for (place, message) in messages.iter_mut().enumerate() {
        let Some(message) = message.as_object_mut() else { continue };
        if message.get("role").is_some_and(|role| role == "developer") {
            message.insert("role".to_owned(), "system".into());
        }
        let role = message.get("role").and_then(Value::as_str).unwrap_or_default().to_owned();
        if role == "assistant" {
            assistant(message, losses);
            // A text of the model's at the end is to be gone on with; without this mark it is refused.
            if place == last && !message.contains_key("tool_calls") {
                message.entry("prefix").or_insert(Value::Bool(true));
            }
        }
        if let Some(Value::String(id)) = message.get_mut("tool_call_id") {
            *id = fit(id);
        }
        if let Some(Value::Array(parts)) = message.get_mut("content") {
            parts.retain_mut(|part| is_part(part, &role, losses));
            if parts.is_empty() {
                message.insert("content".to_owned(), "".into());
            }
        }
        retain(message, &role, losses);
    }
}

/// A document at an address, or in one.
pub(super) fn document(url: &str, name: Option<&str>) -> Value {
    let mut part = json!({"type": "document_url", "document_url": url});
    if let Some(name) = name {
        part["document_name"] = name.into();
    }
    part
}

fn retain(message: &mut Object, role: &str, losses: &mut Losses) {
    let known: &[&str] = match role {
        "assistant" => &ASSISTANT,
        "tool" => &TOOL,
        "user" => &USER,
        _ => &SYSTEM,
    };
    message.retain(|name, value| {
        let is_known = known.contains(&name.as_str());
        if !is_known && !value.is_null() {
            losses.drop(format!("messages[].{name}"), "Mistral's messages have no such member");
        }
        is_known
    });
}

/// What the model said: its refusal is a text, its thoughts are parts, its calls have ids of Mistral's form.
fn assistant(message: &mut Object, losses: &mut Losses) {
    if let Some(Value::String(refusal)) = message.shift_remove("refusal") {
        match message.get_mut("content") {
            Some(Value::String(text)) if !text.is_empty() => *text = format!("{text}\n{refusal}"),
            Some(Value::Array(parts)) => parts.push(json!({"type": "text", "text": refusal})),
            _ => drop(message.insert("content".to_owned(), refusal.into())),
        }
    }
    let thoughts = thoughts(message);
    if !thoughts.is_empty() {
        let mut parts = thoughts;
        match message.get_mut("content").map(Value::take) {
            Some(Value::String(text)) if !text.is_empty() => parts.push(json!({"type": "text", "text": text})),
            Some(Value::Array(more)) => parts.extend(more),
            _ => {}
        }
        message.insert("content".to_owned(), Value::Array(parts));
    }
    for call in message.get_mut("tool_calls").and_then(Value::as_array_mut).into_iter().flatten() {
        if let Some(Value::String(id)) = call.get_mut("id") {
            *id = fit(id);
        }
        // State of another provider's, which is for nobody else.
        call.as_object_mut().and_then(|call| call.shift_remove("extra_content"));
        keep(call, &["id", "type", "function", "index"], "messages[].tool_calls[]", losses);
        if let Some(function) = call.get_mut("function") {
            keep(function, &["name", "arguments"], "messages[].tool_calls[].function", losses);
        }
    }
}

/// Thoughts with Mistral's own state, or their text alone.
fn thoughts(message: &mut Object) -> Vec<Value> {
    let text = message.shift_remove("reasoning_content");
    let think = |text: &Value| json!({"type": "thinking", "thinking": [{"type": "text", "text": text}]});
    if let Some(Value::Array(entries)) = message.shift_remove("reasoning_details") {
        let part = |entry: &Value| {
            let mut part = think(entry.get("text").or_else(|| entry.get("summary"))?);
            for name in ["signature", "closed"] {
                if let Some(value) = entry.get(name) {
                    part[name] = value.clone();
                }
            }
            Some(part)
        };
        return entries.iter().filter_map(part).collect();
    }
    text.filter(|text| text.as_str().is_some_and(|text| !text.is_empty())).iter().map(think).collect()
}

/// Rewrites a part in Mistral's way; false if there is none.
fn is_part(part: &mut Value, role: &str, losses: &mut Losses) -> bool {
    let kind = part["type"].as_str().unwrap_or_default().to_owned();
    if role == "system" && !matches!(kind.as_str(), "text" | "thinking") {
        losses.drop(format!("messages[].{kind}"), "Mistral's instructions are made of texts");
        return false;
    }
    let members: &[&str] = match kind.as_str() {
        "text" => &["type", "text"],
        "thinking" => &["type", "thinking", "signature", "closed"],
        "image_url" => &["type", "image_url"],
        "document_url" => &["type", "document_url", "document_name"],
        "reference" => &["type", "reference_ids"],
        "refusal" => {
            *part = json!({"type": "text", "text": part["refusal"].take()});
            return true;
        }
        "input_audio" => {
            if part["input_audio"].is_object() {
                part["input_audio"] = part["input_audio"]["data"].take();
            }
            &["type", "input_audio"]
        }
        "file" => {
            file(part);
            return true;
        }
        _ => {
            losses.drop(format!("messages[].{kind}"), "Mistral has no such part");
            return false;
        }
    };
    keep(part, members, "messages[].content[]", losses);
    if let Some(image) = part.get_mut("image_url") {
        keep(image, &["url", "detail"], "messages[].image_url", losses);
    }
    true
}

/// Leaves out what Mistral would refuse.
pub(super) fn keep(object: &mut Value, known: &[&str], place: &str, losses: &mut Losses) {
    let Some(members) = object.as_object_mut() else { return };
    members.retain(|name, _| {
        let is_known = known.contains(&name.as_str());
        if !is_known {
            losses.drop(format!("{place}.{name}"), "Mistral has no such member there");
        }
        is_known
    });
}

/// A file: its bytes are a document in an address, its id is a member of the part.
fn file(part: &mut Value) {
    let inner = part["file"].take();
    *part = match (inner["file_data"].as_str(), inner["file_id"].as_str().or_else(|| part["file_id"].as_str())) {
        (Some(data), _) => document(data, inner["filename"].as_str()),
        (None, id) => json!({"type": "file", "file_id": id}),
    };
}

/// The id if Mistral takes it; else one made from it. The same id always becomes the same.
fn fit(id: &str) -> String {
    const LETTERS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    if id.len() == ID_LENGTH && id.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return id.to_owned();
    }
    let mut hasher = DefaultHasher::new();
    id.hash(&mut hasher);
    let mut rest = hasher.finish();
    let mut digit = || {
        let place = usize::try_from(rest % 62).unwrap_or_default();
        rest /= 62;
        LETTERS.get(place).map_or('0', |letter| char::from(*letter))
    };
    (0..ID_LENGTH).map(|_| digit()).collect()
}
