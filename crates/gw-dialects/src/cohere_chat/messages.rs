//! A conversation in Cohere's words.

use gw_core::chat::{Media, MediaKind, MediaSource, Message, Native, Part, Reasoning, Text, ToolCall};
use serde_json::{Map, Value, json};

use crate::cohere_chat::{FAMILY, TOOL_NAME};
use crate::plain::lines::{Line, lines, text_of_document};
use crate::shared::losses::Losses;

/// Writes the messages.
pub(super) fn encode(messages: &[Message], losses: &mut Losses) -> Vec<Value> {
    let lines = lines(messages, FAMILY, losses);
    let message = |line: &Line| match line {
        Line::System(text) => Some(json!({"role": "system", "content": text})),
        Line::User(parts) => user(parts, losses),
        Line::Assistant(parts) => assistant(parts, losses),
        Line::Tool(output) => Some(json!({"role": "tool", "tool_call_id": output.call_id, "content": output.text})),
    };
    lines.iter().filter_map(message).collect()
}

fn user(parts: &[Part], losses: &mut Losses) -> Option<Value> {
    let content: Vec<Value> = parts.iter().filter_map(|part| user_part(part, losses)).collect();
    content_of(content).map(|content| json!({"role": "user", "content": content}))
}

fn user_part(part: &Part, losses: &mut Losses) -> Option<Value> {
    match part {
        Part::Text(Text { text, .. }) | Part::Refusal(text) => Some(text_part(text)),
        Part::Media(media) => media_part(media, losses),
        other => native(other, losses),
    }
}

fn media_part(media: &Media, losses: &mut Losses) -> Option<Value> {
    if let Some(text) = text_of_document(media, losses) {
        return Some(text_part(&text));
    }
    let url = match (media.kind, &media.source) {
        (MediaKind::Image, MediaSource::Inline { media_type, data }) => format!("data:{media_type};base64,{data}"),
        (MediaKind::Image, MediaSource::Url { url, .. }) => url.clone(),
        (kind, _) => {
            let param = match kind {
                MediaKind::Image => "messages[].image_url",
                MediaKind::Audio => "messages[].input_audio",
                MediaKind::Video => "messages[].video_url",
                MediaKind::Document => "messages[].file",
            };
            losses.drop(param, "Cohere takes text, and images with their bytes or an address");
            return None;
        }
    };
    let detail = match media.detail.as_deref() {
        Some(known @ ("low" | "high" | "auto")) => Some(known),
        Some("original") => {
            losses.replace("messages[].image_url.detail", "Cohere's closest look is `high`");
            Some("high")
        }
        Some(_) => {
            losses.drop("messages[].image_url.detail", "Cohere knows `low`, `high`, `auto`");
            None
        }
        None => None,
    };
    let mut image = Map::new();
    image.insert("url".to_owned(), url.into());
    image.extend(detail.map(|detail| ("detail".to_owned(), detail.into())));
    Some(json!({"type": "image_url", "image_url": image}))
}

/// What the model says before it calls tools is its plan; Cohere has a place of its own for it.
fn assistant(parts: &[Part], losses: &mut Losses) -> Option<Value> {
    let calls: Vec<Value> = parts.iter().filter_map(call).collect();
    let (mut content, mut plan, mut citations) = (Vec::new(), String::new(), Vec::new());
    for part in parts {
        match part {
            Part::Text(text) => {
                citations.extend(own_citations(text, losses));
                if calls.is_empty() { content.push(text_part(&text.text)) } else { plan.push_str(&text.text) }
            }
            Part::Refusal(text) if calls.is_empty() => content.push(text_part(text)),
            Part::Refusal(text) => plan.push_str(text),
            // State that another provider gave with its thoughts is not shown to Cohere, which has none.
            Part::Reasoning(Reasoning { text, .. }) if text.is_empty() => {}
            Part::Reasoning(Reasoning { text, .. }) => content.push(json!({"type": "thinking", "thinking": text})),
            Part::ToolCall(_) => {}
            other => content.extend(native(other, losses)),
        }
    }
    let mut message = Map::new();
    message.insert("role".to_owned(), "assistant".into());
    message.extend(content_of(content).map(|content| ("content".to_owned(), content)));
    let plan = Some(plan).filter(|plan| !plan.is_empty());
    message.extend(plan.map(|plan| ("tool_plan".to_owned(), plan.into())));
    for (name, list) in [("tool_calls", calls), ("citations", citations)] {
        if !list.is_empty() {
            message.insert(name.to_owned(), list.into());
        }
    }
    (message.len() > 1).then_some(Value::Object(message))
}

fn call(part: &Part) -> Option<Value> {
    let Part::ToolCall(ToolCall { id, name, input, .. }) = part else { return None };
    let function = json!({"name": TOOL_NAME.fit(name), "arguments": input.object()});
    Some(json!({"id": id, "type": "function", "function": function}))
}

fn own_citations(text: &Text, losses: &mut Losses) -> Vec<Value> {
    let own = |native: &&Native| native.family == FAMILY;
    let own: Vec<Value> = text
        .citations
        .iter()
        .filter_map(|citation| citation.native.as_ref().filter(own).map(|native| native.value.clone()))
        .collect();
    if own.len() < text.citations.len() {
        losses.drop("messages[].annotations", "Cohere takes back its own citations only");
    }
    own
}

fn native(part: &Part, losses: &mut Losses) -> Option<Value> {
    match part {
        // A citation came back as a part where no text was there to carry it; alone it says nothing to the model.
        Part::Native(native) if native.family == FAMILY && native.kind != "citation" => Some(native.value.clone()),
        _ => {
            losses.drop("messages[].content", "a part that Cohere's messages of this role do not have");
            None
        }
    }
}

fn text_part(text: &str) -> Value {
    json!({"type": "text", "text": text})
}

/// One text as it is; anything else as a list.
fn content_of(mut parts: Vec<Value>) -> Option<Value> {
    match parts.as_mut_slice() {
        [] => None,
        [only] if only.get("type") == Some(&Value::from("text")) => only.get_mut("text").map(Value::take),
        _ => Some(parts.into()),
    }
}
