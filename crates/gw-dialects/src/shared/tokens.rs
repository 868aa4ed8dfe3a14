//! How many tokens a conversation is, roughly: for those who ask where the provider cannot be asked.

use gw_core::chat::{ChatRequest, MediaSource, Part, Tool, ToolInput};

/// Characters of a token, in the middle: English has more, other scripts and code fewer.
const CHARS_PER_TOKEN: u64 = 4;
/// What surrounds a message.
const MESSAGE_TOKENS: u64 = 4;
/// A picture or a page, as vendors commonly count it.
const MEDIA_TOKENS: u64 = 1_500;

/// An estimate from the length of the texts. It is not exact for any model.
pub fn estimate(request: &ChatRequest) -> u64 {
    let messages = request.messages.iter().map(|message| MESSAGE_TOKENS + all(&message.parts)).sum::<u64>();
    let tools = request.tools.iter().map(tool).sum::<u64>();
    messages + tools
}

fn all(parts: &[Part]) -> u64 {
    parts.iter().map(part).sum()
}

fn part(part: &Part) -> u64 {
    match part {
        Part::Text(text) => of(&text.text),
        Part::Refusal(text) => of(text),
        Part::Reasoning(reasoning) => of(&reasoning.text),
        Part::ToolCall(call) => {
            let (ToolInput::Json(input) | ToolInput::Text(input)) = &call.input;
            of(&call.name) + of(input)
        }
        Part::ToolResult(result) => all(&result.content),
        Part::Media(media) => match &media.source {
            MediaSource::Text { text, .. } => of(text),
            _ => MEDIA_TOKENS,
        },
        Part::Native(native) => of(&native.value.to_string()),
    }
}

fn tool(tool: &Tool) -> u64 {
    match tool {
        Tool::Function(function) => {
            let parameters = function.parameters.as_ref().map_or(0, |schema| of(&schema.to_string()));
            of(&function.name) + function.description.as_deref().map_or(0, of) + parameters
        }
        Tool::Custom(custom) => of(&custom.name) + custom.description.as_deref().map_or(0, of),
        Tool::BuiltIn(built_in) => of(&built_in.value.to_string()),
    }
}

fn of(text: &str) -> u64 {
    (text.chars().count() as u64).div_ceil(CHARS_PER_TOKEN)
}

#[cfg(test)]
mod tests {
    use gw_core::chat::{Message, Role};

    use super::*;

    #[test]
    fn a_longer_conversation_has_more_tokens() {
        let of = |texts: &[&str]| {
            let messages = texts.iter().map(|text| Message::new(Role::User, vec![(*text).into()])).collect();
            estimate(&ChatRequest { messages, ..ChatRequest::default() })
        };
        assert_eq!(of(&[]), 0);
        assert_eq!(of(&["Hello there"]), 7);
        assert!(of(&["Hello there", "Hello there"]) > of(&["Hello there"]));
    }
}
