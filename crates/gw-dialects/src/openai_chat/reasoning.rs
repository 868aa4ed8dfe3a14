//! Thoughts. OpenAI's own format has no place for them; what others add to it is read and written here: a text
//! (`reasoning_content` of DeepSeek, vLLM and others, `reasoning` of Groq and OpenRouter), a list with state
//! (OpenRouter's `reasoning_details`), blocks as Anthropic has them (LiteLLM's `thinking_blocks`).
//!
//! State of this family is the entry of `reasoning_details` that carried it, as JSON without its text, so that it goes
//! back as it came. State of others is sealed into an entry.

use gw_core::chat::{Family, Opaque, OpaqueKind, Reasoning};
use serde_json::{Map, Value, json};

use super::FAMILY;

/// Members that hold the text of an entry.
const TEXTS: [&str; 2] = ["text", "summary"];

/// Members that hold the state of an entry.
const STATES: [&str; 2] = ["signature", "data"];

/// An entry of `reasoning_details`; `None` if it says nothing that is known.
pub(super) fn of_detail(entry: &Value, provider: &str) -> Option<Reasoning> {
    let members = entry.as_object()?;
    let text_of = |name: &str| members.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    let text = TEXTS.into_iter().find_map(text_of).unwrap_or_default();
    let is_summary = text_of("type") == Some("reasoning.summary");
    let opaque = STATES.into_iter().find_map(text_of).map(|state| {
        let carried = Opaque::open(state, FAMILY);
        if carried.data != state { carried } else { own_state(members, provider) }
    });
    let id = text_of("id").map(str::to_owned);
    (!text.is_empty() || opaque.is_some()).then(|| Reasoning { id, text: text.to_owned(), is_summary, opaque })
}

fn own_state(entry: &Map<String, Value>, provider: &str) -> Opaque {
    let kept = entry.iter().filter(|(name, value)| !TEXTS.contains(&name.as_str()) && !value.is_null());
    let kept: Map<String, Value> = kept.map(|(name, value)| (name.clone(), value.clone())).collect();
    // The kind is the one that this family's field holds by nature, so that the state is carried as it is.
    let data = Value::Object(kept).to_string();
    Opaque { family: FAMILY, provider: provider.to_owned(), kind: OpaqueKind::Encrypted, data }
}

/// A block as Anthropic has it, and as Mistral writes it into its content; `None` if it is none.
pub(super) fn of_block(block: &Value) -> Option<Reasoning> {
    if let Some(data) = block.get("data").and_then(Value::as_str) {
        let mut opaque = Opaque::open(data, Family::Anthropic);
        if opaque.data == data {
            opaque.kind = OpaqueKind::Encrypted;
        }
        return Some(Reasoning { opaque: Some(opaque), ..Reasoning::default() });
    }
    let text = text_of(block.get("thinking")?)?;
    let signature = block.get("signature").and_then(Value::as_str).filter(|signature| !signature.is_empty());
    let opaque = signature.map(|signature| Opaque::open(signature, Family::Anthropic));
    Some(Reasoning { text, opaque, ..Reasoning::default() })
}

/// A text, or a list of parts with one.
pub(super) fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Array(parts) => Some(parts.iter().filter_map(|part| part.get("text").and_then(Value::as_str)).collect()),
        _ => None,
    }
}

/// Thoughts of an assistant's message, however it carries them.
pub(super) fn of_message(details: &Value, blocks: &Value, text: Option<String>) -> Vec<Reasoning> {
    let entries = |list: &Value| list.as_array().cloned().unwrap_or_default();
    let mut thoughts: Vec<Reasoning> = entries(details).iter().filter_map(|entry| of_detail(entry, "")).collect();
    if thoughts.is_empty() {
        thoughts = entries(blocks).iter().filter_map(of_block).collect();
    }
    let text = text.filter(|text| !text.is_empty() && thoughts.iter().all(|thought| thought.text.is_empty()));
    if let Some(text) = text {
        // A signature without a text is that of the text beside it.
        let signed = |thought: &&mut Reasoning| {
            thought.opaque.as_ref().is_some_and(|opaque| opaque.kind == OpaqueKind::Signature)
        };
        match thoughts.iter_mut().find(signed) {
            Some(thought) => thought.text = text,
            None => thoughts.insert(0, Reasoning { text, ..Reasoning::default() }),
        }
    }
    thoughts
}

/// Thoughts as entries of `reasoning_details`: what is shown, and the state that goes with it.
pub(super) fn details(thought: &Reasoning) -> Vec<Value> {
    let Reasoning { id, text, is_summary, opaque } = thought;
    let mut entries = Vec::new();
    let shown = |text: &str| {
        let (kind, member) = if *is_summary { ("reasoning.summary", "summary") } else { ("reasoning.text", "text") };
        json!({"type": kind, member: text})
    };
    match opaque {
        None if text.is_empty() => {}
        None => entries.push(shown(text)),
        Some(opaque) if opaque.family == FAMILY => own_entries(opaque, text, shown, &mut entries),
        // Whoever reads the entry opens the seal; a signature stands beside its text, Claude's (as at OpenRouter) in any case.
        Some(opaque)
            if opaque.kind == OpaqueKind::Signature
                && (!is_summary || matches!(opaque.family, Family::Anthropic | Family::Bedrock)) =>
        {
            entries.push(json!({"type": "reasoning.text", "text": text, "signature": opaque.seal(FAMILY)}));
        }
        Some(opaque) => {
            if !text.is_empty() {
                entries.push(shown(text));
            }
            entries.push(json!({"type": "reasoning.encrypted", "data": opaque.seal(FAMILY)}));
        }
    }
    if let Some(id) = id {
        for entry in entries.iter_mut().filter_map(Value::as_object_mut) {
            entry.entry("id").or_insert_with(|| Value::from(id.as_str()));
        }
    }
    entries
}

/// The entry that carried the state, with its text again.
fn own_entries(opaque: &Opaque, text: &str, shown: impl Fn(&str) -> Value, entries: &mut Vec<Value>) {
    let mut entry = match serde_json::from_str(&opaque.data) {
        Ok(Value::Object(entry)) => entry,
        _ => Map::from_iter([
            ("type".to_owned(), Value::from("reasoning.encrypted")),
            ("data".to_owned(), Value::from(opaque.data.as_str())),
        ]),
    };
    let member = match entry.get("type").and_then(Value::as_str) {
        Some("reasoning.text") => Some("text"),
        Some("reasoning.summary") => Some("summary"),
        _ => None,
    };
    match member {
        Some(member) => drop(entry.insert(member.to_owned(), Value::from(text))),
        None if text.is_empty() => {}
        None => entries.push(shown(text)),
    }
    entries.push(Value::Object(entry));
}
