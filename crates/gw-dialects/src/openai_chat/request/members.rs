//! Members of a message that the gateway does not know (`prefix`, `partial`), and the message that they go back to.

use std::collections::HashMap;

use gw_core::chat::{Loss, Message, Native, Part, ToolResult};
use serde_json::{Map, Value};

use super::messages::AUDIO_REFERENCE;
use super::write::Writer;
use crate::openai_chat::FAMILY;

/// The kind of a [`Native`] part that holds them. [`content_kind`] keeps it apart from the types of content parts.
const MESSAGE_MEMBERS: &str = "message";

/// The kind of a content part that no word of ours stands for. A client may give it any type, that of what the gateway
/// holds of a message as well.
pub(super) fn content_kind(wire_type: String) -> String {
    match wire_type.as_str() {
        MESSAGE_MEMBERS | AUDIO_REFERENCE => format!("content[].{wire_type}"),
        _ => wire_type,
    }
}

/// Members of a message, as its last part: that of a tool's result stands behind the result.
pub(super) fn part(members: Map<String, Value>) -> Part {
    Part::Native(Native { family: FAMILY, kind: MESSAGE_MEMBERS.to_owned(), value: Value::Object(members) })
}

/// Whether a part is not said in its message, but beside what is said.
pub(super) fn are(native: &Native) -> bool {
    native.family == FAMILY && native.kind == MESSAGE_MEMBERS
}

/// What a part holds besides what is said, if it does.
pub(super) fn of(part: &Part) -> Option<&Map<String, Value>> {
    match part {
        Part::Native(native) if are(native) => native.value.as_object(),
        _ => None,
    }
}

/// The parts of a message without results and what stands behind them.
pub(super) fn without_results(parts: &[Part]) -> Vec<&Part> {
    let is_kept = |(before, part): &(Option<&Part>, &Part)| {
        let is_behind_result = matches!(before, Some(Part::ToolResult(_))) && of(part).is_some();
        !is_behind_result && !matches!(part, Part::ToolResult(_))
    };
    with_before(parts).filter(is_kept).map(|(_, part)| part).collect()
}

/// Adds members to a message; what it says already stays.
pub(super) fn add(message: &mut Map<String, Value>, members: &Map<String, Value>) {
    for (name, value) in members {
        message.entry(name.clone()).or_insert_with(|| value.clone());
    }
}

/// The members of messages that are tools' results, by the place of the result in memory: neither its call's id nor what
/// it says tells one from another.
pub(super) struct OfResults<'a>(HashMap<*const ToolResult, &'a Map<String, Value>>);

impl<'a> OfResults<'a> {
    /// Those of a whole conversation.
    pub(super) fn collect(messages: &'a [Message]) -> Self {
        let behind = messages.iter().flat_map(|message| with_before(&message.parts));
        let members = behind.filter_map(|(before, part)| match before {
            Some(Part::ToolResult(result)) => Some((std::ptr::from_ref(result), of(part)?)),
            _ => None,
        });
        Self(members.collect())
    }

    /// Those of one result.
    pub(super) fn of(&self, result: &ToolResult) -> Option<&'a Map<String, Value>> {
        self.0.get(&std::ptr::from_ref(result)).copied()
    }

    /// Notes that a result's message, and its members with it, is not written.
    pub(super) fn lose(&self, result: &ToolResult, writer: &mut Writer) {
        for name in self.of(result).into_iter().flat_map(Map::keys) {
            let why = "the member went with the message of the tool's result";
            writer.lose(Loss::dropped(format!("messages[].tool.{name}"), why));
        }
    }
}

/// Each part with the one before it.
fn with_before(parts: &[Part]) -> impl Iterator<Item = (Option<&Part>, &Part)> {
    std::iter::once(None).chain(parts.iter().map(Some)).zip(parts)
}
