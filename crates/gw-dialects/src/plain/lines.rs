//! A conversation as a list of messages of four roles: instructions stay where they are, each result of a tool is a message
//! of its own directly behind the calls.

use gw_core::chat::{Family, Media, MediaSource, Message, Part, Text, ToolResult};

use crate::shared::losses::Losses;
use crate::shared::turns::{self, Rules, Side, Turn};

/// A message of one role.
#[derive(Debug, PartialEq)]
pub(crate) enum Line {
    /// Instructions.
    System(String),
    /// The application's.
    User(Vec<Part>),
    /// The model's.
    Assistant(Vec<Part>),
    /// What a tool gave back.
    Tool(Output),
}

/// What a tool gave back, as text. What is not text stands in the user's message behind it.
#[derive(Debug, PartialEq)]
pub(crate) struct Output {
    /// The call.
    pub(crate) call_id: String,
    /// The tool, as the client names it.
    pub(crate) name: String,
    /// What it gave back.
    pub(crate) text: String,
}

/// The messages of a conversation.
pub(crate) fn lines(messages: &[Message], family: Family, losses: &mut Losses) -> Vec<Line> {
    let arranged = turns::arrange(messages, Rules { family, keeps_instructions: true });
    arranged.losses.into_iter().for_each(|loss| losses.push(loss));
    let mut lines = Vec::new();
    if !arranged.system.is_empty() {
        let texts: Vec<String> = arranged.system.into_iter().map(|text| text.text).collect();
        lines.push(Line::System(texts.join("\n")));
    }
    for Turn { side, parts, .. } in arranged.turns {
        match side {
            Side::Model => lines.push(Line::Assistant(parts)),
            Side::User => user(parts, &mut lines, losses),
            Side::Instructions => instructions(parts, &mut lines, losses),
        }
    }
    lines
}

/// A document that is text, as a text: neither dialect has documents in messages.
pub(crate) fn text_of_document(media: &Media, losses: &mut Losses) -> Option<String> {
    let MediaSource::Text { text, .. } = &media.source else { return None };
    losses.replace("messages[].file", "documents that are text are sent as text of the message");
    Some(match &media.name {
        Some(name) => format!("{name}:\n{text}"),
        None => text.clone(),
    })
}

/// Instructions in mid-conversation.
fn instructions(parts: Vec<Part>, lines: &mut Vec<Line>, losses: &mut Losses) {
    for part in parts {
        match part {
            Part::Text(text) => lines.push(Line::System(text.text)),
            _ => losses.drop("messages[].content", "instructions are made of text here"),
        }
    }
}

/// A user's turn: the results of tools stand before everything else in it.
fn user(parts: Vec<Part>, lines: &mut Vec<Line>, losses: &mut Losses) {
    let mut said = Vec::new();
    for part in parts {
        match part {
            Part::ToolResult(result) => lines.push(Line::Tool(output(result, &mut said, losses))),
            other => said.push(other),
        }
    }
    if !said.is_empty() {
        lines.push(Line::User(said));
    }
}

/// A result's text. Its media go to the message behind the results, since results are text here.
fn output(result: ToolResult, behind: &mut Vec<Part>, losses: &mut Losses) -> Output {
    let name = result.name.unwrap_or_default();
    let (mut texts, mut media) = (Vec::new(), Vec::new());
    for part in result.content {
        match part {
            Part::Text(Text { text, .. }) | Part::Refusal(text) => texts.push(text),
            Part::Media(document) if matches!(document.source, MediaSource::Text { .. }) => {
                texts.extend(text_of_document(&document, losses));
            }
            Part::Media(other) => media.push(Part::Media(other)),
            _ => losses.drop("messages[].content", "results of tools are text here"),
        }
    }
    if !media.is_empty() {
        losses.replace("messages[].content", "media in results of tools are sent in a user's message behind them");
        behind.push(format!("Attached to the result of {name}:").into());
        behind.extend(media);
    }
    let text = texts.join("\n");
    let text = if result.is_error { format!("Error: {text}") } else { text };
    Output { call_id: result.call_id, name, text }
}

#[cfg(test)]
mod tests {
    use gw_core::chat::{MediaKind, Role, ToolCall};

    use super::*;

    fn call(id: &str) -> Part {
        Part::ToolCall(ToolCall { id: id.to_owned(), name: "f".to_owned(), ..ToolCall::default() })
    }

    fn result(id: &str, content: Vec<Part>) -> Part {
        Part::ToolResult(ToolResult { call_id: id.to_owned(), content, ..ToolResult::default() })
    }

    fn tool(id: &str, text: &str) -> Line {
        Line::Tool(Output { call_id: id.to_owned(), name: "f".to_owned(), text: text.to_owned() })
    }

    #[test]
    fn instructions_stay_where_they_are() {
        let mut losses = Losses::default();
        let lines = lines(
            &[
                Message::new(Role::System, vec!["be".into()]),
                Message::new(Role::Developer, vec!["brief".into()]),
                Message::new(Role::User, vec!["q".into()]),
                Message::new(Role::Assistant, vec!["a".into()]),
                Message::new(Role::System, vec!["now rhyme".into()]),
                Message::new(Role::User, vec!["again".into()]),
            ],
            Family::Cohere,
            &mut losses,
        );
        assert_eq!(
            lines,
            [
                Line::System("be\nbrief".to_owned()),
                Line::User(vec!["q".into()]),
                Line::Assistant(vec!["a".into()]),
                Line::System("now rhyme".to_owned()),
                Line::User(vec!["again".into()]),
            ]
        );
        assert_eq!(losses.into_vec(), []);
    }

    #[test]
    fn results_are_messages_behind_their_calls_and_media_follow_them() {
        let picture = Part::Media(Media::new(
            MediaKind::Image,
            MediaSource::Url { url: "https://a".to_owned(), media_type: None },
        ));
        let mut losses = Losses::default();
        let lines = lines(
            &[
                Message::new(Role::User, vec!["q".into()]),
                Message::new(Role::Assistant, vec![call("1"), call("2")]),
                Message::new(Role::User, vec![result("2", vec!["two".into(), picture.clone()])]),
                Message::new(Role::User, vec!["and".into(), result("1", vec!["one".into()])]),
            ],
            Family::Cohere,
            &mut losses,
        );
        let behind = vec!["Attached to the result of f:".into(), picture, "and".into()];
        assert_eq!(lines[2..], [tool("1", "one"), tool("2", "two"), Line::User(behind)]);
        assert_eq!(losses.into_vec().len(), 1);
    }

    #[test]
    fn a_result_that_is_an_error_says_so() {
        let failed = ToolResult { call_id: "1".to_owned(), is_error: true, ..ToolResult::default() };
        let mut losses = Losses::default();
        let lines = lines(
            &[
                Message::new(Role::User, vec!["q".into()]),
                Message::new(Role::Assistant, vec![call("1")]),
                Message::new(
                    Role::User,
                    vec![Part::ToolResult(ToolResult { content: vec!["no disk".into()], ..failed })],
                ),
            ],
            Family::Cohere,
            &mut losses,
        );
        assert_eq!(lines[2], tool("1", "Error: no disk"));
    }
}
