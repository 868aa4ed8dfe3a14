//! The members of a conversation and of its tools that only another family's dialects can write, named.

use gw_core::chat::{ChatRequest, Family, Loss, MediaKind, Message, Native, Part, Tool, Unknown};
use serde_json::Value;

use crate::shared::losses::Losses;

/// As many names are told; a client that invents more learns that there were more.
const NAMES_MAX: usize = 32;

/// Objects of which what is left stands in an object of the same name: its members are named, not the object.
const INNER: [&str; 13] = [
    "audio_url",
    "custom",
    "document_url",
    "file",
    "fileData",
    "function",
    "functionCall",
    "functionResponse",
    "image_url",
    "inlineData",
    "input_audio",
    "source",
    "video_url",
];

/// Adds the members that a dialect of that family cannot write, each name once.
pub(crate) fn lose(request: &ChatRequest, family: Family, losses: &mut Losses) {
    let mut names = Names { family, names: Vec::new(), has_more: false };
    request.messages.iter().for_each(|message| names.message(message));
    for tool in &request.tools {
        match tool {
            Tool::Function(function) => names.add("tools[]", &function.unknown),
            Tool::Custom(custom) => names.add("tools[]", &custom.unknown),
            Tool::BuiltIn(_) => {}
        }
    }
    for name in names.names {
        losses.push(Loss::dropped(name, "the provider's format has no such member"));
    }
    if names.has_more {
        losses.push(Loss::dropped("messages", "more members that the provider's format does not have"));
    }
}

struct Names {
    family: Family,
    names: Vec<String>,
    has_more: bool,
}

impl Names {
    fn message(&mut self, message: &Message) {
        self.add("messages[]", &message.unknown);
        message.parts.iter().for_each(|part| self.part(part));
    }

    fn part(&mut self, part: &Part) {
        match part {
            Part::Text(text) => self.add("messages[].content[]", &text.unknown),
            Part::Media(media) => media.extra.iter().for_each(|extra| self.medium(media.kind, extra)),
            Part::ToolCall(call) => self.add("messages[].tool_calls[]", &call.unknown),
            Part::ToolResult(result) => {
                self.add("messages[].tool", &result.unknown);
                // Within a result stand texts and media, so that this goes no deeper.
                result
                    .content
                    .iter()
                    .filter(|part| !matches!(part, Part::ToolResult(_)))
                    .for_each(|part| self.part(part));
            }
            Part::Refusal(_) | Part::Reasoning(_) | Part::Native(_) => {}
        }
    }

    /// What is left of a medium's part. Of documents, Bedrock has what Anthropic has.
    fn medium(&mut self, kind: MediaKind, extra: &Native) {
        let is_document =
            self.family == Family::Bedrock && kind == MediaKind::Document && extra.family == Family::Anthropic;
        let is_known = |name: &str| is_document && matches!(name, "citations" | "context");
        if let (false, Value::Object(members)) = (extra.kind == PICTURE || extra.family == self.family, &extra.value) {
            let foreign = members.iter().filter(|(name, _)| !is_known(name));
            foreign.for_each(|(name, value)| self.name("messages[].content[]", name, value));
        }
    }

    fn add(&mut self, place: &str, unknown: &Unknown) {
        unknown.foreign_to(self.family).for_each(|(name, value)| self.name(place, name, value));
    }

    fn name(&mut self, place: &str, name: &str, value: &Value) {
        match value {
            Value::Object(inner) if INNER.contains(&name) => {
                inner.keys().for_each(|inner| self.push(format!("{place}.{name}.{inner}")));
            }
            _ => self.push(format!("{place}.{name}")),
        }
    }

    fn push(&mut self, name: String) {
        if self.names.contains(&name) {
            return;
        }
        match self.names.len() < NAMES_MAX {
            true => self.names.push(name),
            false => self.has_more = true,
        }
    }
}

/// The rest of an item of OpenAI's that is a picture of the model's: numbers and states, which nobody misses.
const PICTURE: &str = "image_generation_call";

#[cfg(test)]
mod tests {
    use gw_core::chat::{Function, Role, Text, ToolCall, ToolResult};
    use serde_json::json;

    use super::*;

    fn unknown(members: Value) -> Unknown {
        let Value::Object(members) = members else { unreachable!() };
        Unknown::new(Family::OpenAiChat, members)
    }

    fn names(request: &ChatRequest, family: Family) -> Vec<String> {
        let mut losses = Losses::default();
        lose(request, family, &mut losses);
        losses.into_vec().into_iter().map(|loss| loss.param.into_owned()).collect()
    }

    #[test]
    fn every_place_is_named_once_and_only_to_other_families() {
        let text = || Part::Text(Text { unknown: unknown(json!({"b": 1})), ..Text::from("x") });
        let call = ToolCall { unknown: unknown(json!({"c": 1, "function": {"d": 1}})), ..ToolCall::default() };
        let result = ToolResult { unknown: unknown(json!({"e": 1})), content: vec![text()], ..ToolResult::default() };
        let parts = vec![text(), text(), Part::ToolCall(call), Part::ToolResult(result)];
        let message = Message { unknown: unknown(json!({"a": 1})), ..Message::new(Role::User, parts) };
        let tool = Tool::Function(Function { unknown: unknown(json!({"f": 1})), ..Function::default() });
        let request = ChatRequest { messages: vec![message], tools: vec![tool], ..ChatRequest::default() };
        assert_eq!(
            names(&request, Family::Gemini),
            [
                "messages[].a",
                "messages[].content[].b",
                "messages[].tool_calls[].c",
                "messages[].tool_calls[].function.d",
                "messages[].tool.e",
                "tools[].f"
            ]
        );
        assert_eq!(names(&request, Family::OpenAiChat), [""; 0]);
    }

    #[test]
    fn a_client_that_invents_members_gets_a_short_list() {
        let members = (0..1_000).map(|number| (format!("x{number}"), json!(1))).collect();
        let unknown = Unknown::new(Family::OpenAiChat, members);
        let message = Message { unknown, ..Message::new(Role::User, vec!["x".into()]) };
        let request = ChatRequest { messages: vec![message], ..ChatRequest::default() };
        assert_eq!(names(&request, Family::Anthropic).len(), NAMES_MAX + 1);
    }
}
