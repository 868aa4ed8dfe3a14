//! What a conversation needs of a model: its class, and what the model must be able to do.
//!
//! The class is that of the greatest turn, so it only rises while a conversation goes on: the model does not change to and
//! fro, and caches of prompts stay warm.

use gw_core::chat::{ChatRequest, Effort, MediaKind, OutputFormat, Part, Role, ThinkingMode};

use super::choose::Can;
use super::{Class, Tier, classify};

/// So many bytes of the user's texts are looked at in the order in which they were said; after that the newest alone.
const LOOKED_AT_MAX: usize = 64 << 10;
/// From so many tokens on, a conversation is a long document.
const LONG_TOKENS: u64 = 16_000;

/// What a conversation needs of a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Need {
    /// What kind of work it is.
    pub class: Class,
    /// Whether it is no conversation but a text that is to be completed.
    pub completes: bool,
    /// What the model must be able to do.
    pub can: Can,
    /// About as many tokens as the conversation has.
    pub tokens: u64,
    /// As many tokens as the answer may have, if that is said.
    pub answer_tokens: Option<u64>,
}

impl Default for Need {
    /// A conversation of which nothing is known.
    fn default() -> Self {
        Self { class: Class::General, completes: false, can: Can::default(), tokens: 0, answer_tokens: None }
    }
}

impl Need {
    /// What a request needs that has about as many tokens.
    pub fn of(request: &ChatRequest, tokens: u64) -> Self {
        let mut can = Can::default();
        let mut calls = !request.tools.is_empty();
        for part in request.messages.iter().flat_map(|message| &message.parts) {
            look(part, &mut can, &mut calls);
        }
        can.tools = calls;
        can.schema = matches!(request.output, OutputFormat::Schema(_));
        let class = of_turns(request).max(beside_words(request, can, tokens));
        // Whoever wants data wants what is there as data, unless it is more than that.
        let is_data = request.output != OutputFormat::Text && class <= Class::General;
        let class = if is_data { Class::Extraction } else { class };
        Self { class, completes: false, can, tokens, answer_tokens: request.sampling.max_output_tokens }
    }

    /// The least tier that will do.
    pub fn tier(&self) -> Tier {
        self.class.tier()
    }
}

/// What a part asks of whoever reads it.
fn look(part: &Part, can: &mut Can, calls: &mut bool) {
    match part {
        Part::Media(media) => match media.kind {
            MediaKind::Image => can.images = true,
            MediaKind::Audio => can.audio = true,
            MediaKind::Video => can.films = true,
            // A document in words is read by everybody.
            MediaKind::Document => can.documents |= !matches!(media.source, gw_core::chat::MediaSource::Text { .. }),
        },
        Part::ToolCall(_) => *calls = true,
        Part::ToolResult(result) => {
            *calls = true;
            for inner in &result.content {
                // Results hold texts and media, and no results.
                if let Part::Media(_) = inner {
                    look(inner, can, calls);
                }
            }
        }
        Part::Text(_) | Part::Refusal(_) | Part::Reasoning(_) | Part::Native(_) => {}
    }
}

/// The greatest class of what the user has said.
fn of_turns(request: &ChatRequest) -> Class {
    let users = request.messages.iter().filter(|message| message.role == Role::User);
    let mut turns = users.filter_map(|message| {
        let texts = message.parts.iter().filter_map(|part| match part {
            Part::Text(text) => Some(&*text.text),
            _ => None,
        });
        let looked_at = classify::Excerpt::of(texts);
        (!looked_at.is_empty()).then_some(looked_at)
    });
    let mut left = LOOKED_AT_MAX;
    let mut class = None;
    for turn in turns.by_ref() {
        class = class.max(Some(turn.class()));
        left = left.saturating_sub(turn.len());
        if left == 0 {
            break;
        }
    }
    let newest = turns.next_back().map(|turn| turn.class());
    // Where nobody says a word there is something else than words to work on.
    class.max(newest).unwrap_or(Class::General)
}

/// The class that the conversation has at least, whatever its words.
fn beside_words(request: &ChatRequest, can: Can, tokens: u64) -> Class {
    let thinks_hard = request.thinking.as_ref().is_some_and(|thinking| {
        thinking.mode != Some(ThinkingMode::Disabled) && thinking.effort.is_some_and(|effort| effort >= Effort::High)
    });
    if thinks_hard {
        return Class::Reasoning;
    }
    if can.tools {
        return Class::Tools;
    }
    if tokens >= LONG_TOKENS || can.documents {
        return Class::LongDocument;
    }
    if can.images || can.films { Class::Vision } else { Class::Talk }
}

#[cfg(test)]
mod tests {
    use gw_core::chat::{Function, Media, MediaSource, Message, OutputSchema, Thinking, Tool, ToolResult};

    use super::*;

    fn said(texts: &[&str]) -> ChatRequest {
        let turn = |(index, text): (usize, &&str)| {
            Message::new(if index % 2 == 0 { Role::User } else { Role::Assistant }, vec![Part::from(*text)])
        };
        ChatRequest { messages: texts.iter().enumerate().map(turn).collect(), ..ChatRequest::default() }
    }

    fn class(request: &ChatRequest) -> Class {
        Need::of(request, 10).class
    }

    fn picture() -> Part {
        Part::Media(Media::new(MediaKind::Image, MediaSource::File { id: "f".to_owned(), media_type: None }))
    }

    #[test]
    fn the_class_only_rises_while_a_conversation_goes_on() {
        let turns = ["Hi!", "Hello", "Debug this: ```panic!()```", "Sure", "Thanks!", "Bye", "Bye"];
        let classes: Vec<_> = (1..=turns.len()).step_by(2).map(|count| class(&said(&turns[..count]))).collect();
        assert_eq!(classes, [Class::Talk, Class::Code, Class::Code, Class::Code]);
    }

    #[test]
    fn what_the_model_says_does_not_count() {
        assert_eq!(
            class(&said(&["Hi!", "Prove that the integral of the theorem converges, step by step"])),
            Class::Talk
        );
    }

    #[test]
    fn the_newest_turn_counts_however_long_the_others_are() {
        let long = "word ".repeat(900);
        let mut turns = vec![&*long; 61];
        turns[60] = "Prove the theorem by induction.";
        let mut request = said(&turns);
        request.messages.iter_mut().for_each(|message| message.role = Role::User);
        assert_eq!(class(&request), Class::Reasoning);
    }

    #[test]
    fn what_stands_beside_the_words_asks_for_more() {
        let tool = Tool::Function(Function { name: "find".to_owned(), ..Function::default() });
        let with_tools = ChatRequest { tools: vec![tool], ..said(&["Hi!"]) };
        let need = Need::of(&with_tools, 10);
        assert_eq!((need.class, need.can.tools, need.tier()), (Class::Tools, true, Tier::Standard));

        let mut seen = said(&["What is this?"]);
        seen.messages[0].parts.push(picture());
        assert_eq!((class(&seen), Need::of(&seen, 10).can.images), (Class::Vision, true));
        let result = ToolResult { content: vec![picture()], ..ToolResult::default() };
        let shown = ChatRequest {
            messages: vec![Message::new(Role::User, vec![Part::ToolResult(result)])],
            ..ChatRequest::default()
        };
        let need = Need::of(&shown, 10);
        assert!(need.can.images && need.can.tools, "a tool's result may be a picture");

        assert_eq!(Need::of(&said(&["Hi!"]), LONG_TOKENS).class, Class::LongDocument);
        let thinking = |effort| Some(Thinking { effort: Some(effort), ..Thinking::default() });
        assert_eq!(class(&ChatRequest { thinking: thinking(Effort::High), ..said(&["Hi!"]) }), Class::Reasoning);
        assert_eq!(class(&ChatRequest { thinking: thinking(Effort::Low), ..said(&["Hi!"]) }), Class::Talk);
        assert_eq!(class(&ChatRequest::default()), Class::General);
    }

    #[test]
    fn data_is_extraction_unless_it_is_more_than_that() {
        let schema = || OutputFormat::Schema(OutputSchema::default());
        let long =
            "The customer writes that the parcel has come late and that nobody answers the telephone. ".repeat(5);
        assert_eq!(class(&said(&[&long])), Class::General);
        let need = Need::of(&ChatRequest { output: schema(), ..said(&[&long]) }, 10);
        assert_eq!((need.class, need.can.schema), (Class::Extraction, true));
        let code = ChatRequest { output: schema(), ..said(&["Refactor this: ```fn main() {}```"]) };
        assert_eq!(class(&code), Class::Code);
        assert!(!Need::of(&ChatRequest { output: OutputFormat::Json, ..said(&["Hi!"]) }, 10).can.schema);
    }
}
