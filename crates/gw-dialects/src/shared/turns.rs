//! A conversation in the strict order that most vendors want: instructions apart, user and model in turns, the results
//! of tools directly behind their calls. OpenAI's own order is looser, and what applications send is looser still.

use gw_core::chat::{Family, Loss, Message, Part, Role, Text, ToolResult, Unknown};

use crate::shared::results::Results;

/// A conversation in strict order.
#[derive(Debug, Default, PartialEq)]
pub struct Arranged {
    /// The instructions that stand at the beginning.
    pub system: Vec<Text>,
    /// User and model in turns, the user first. Of a user's turn the results of tools come first; each call of the turn
    /// before has one. No text is empty, unless its state is of the rules' family.
    pub turns: Vec<Turn>,
    /// What does not mean quite the same any more.
    pub losses: Vec<Loss>,
}

/// A turn.
#[derive(Debug, Clone, PartialEq)]
pub struct Turn {
    /// Whose it is.
    pub side: Side,
    /// What it consists of.
    pub parts: Vec<Part>,
    /// Members of its messages that no word of ours stands for.
    pub unknown: Unknown,
}

/// Whose a turn is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The application's.
    User,
    /// The model's.
    Model,
    /// The application's too: instructions in mid-conversation, where the rules keep them.
    Instructions,
}

/// What dialects do not have in common.
#[derive(Debug, Clone, Copy)]
pub struct Rules {
    /// Whose dialect it is: of a text without words, the state is kept for its owner.
    pub family: Family,
    /// Whether instructions in mid-conversation are turns of their own. If not, they are the user's.
    pub keeps_instructions: bool,
}

impl Turn {
    /// A turn.
    pub fn new(side: Side, parts: Vec<Part>) -> Self {
        Self { side, parts, unknown: Unknown::default() }
    }
}

/// Puts a conversation in order.
pub fn arrange(messages: &[Message], rules: Rules) -> Arranged {
    let mut arranging = Arranging { arranged: Arranged::default(), results: Results::collect(messages), rules };
    for message in messages {
        arranging.message(message);
    }
    arranging.begin_with_user();
    arranging.arranged
}

struct Arranging<'a> {
    arranged: Arranged,
    results: Results<'a>,
    rules: Rules,
}

impl<'a> Arranging<'a> {
    fn message(&mut self, message: &'a Message) {
        if message.name.is_some() {
            self.lose(Loss::dropped("messages[].name", "participants have no names here"));
        }
        match message.role {
            Role::System | Role::Developer if self.arranged.turns.is_empty() => self.instructions(message),
            Role::System | Role::Developer if self.rules.keeps_instructions => {
                self.extend(Side::Instructions, message.parts.clone(), &message.unknown);
            }
            Role::System | Role::Developer => {
                self.lose(Loss::replaced("messages[].role", "instructions in mid-conversation are sent as the user's"));
                self.extend(Side::User, message.parts.clone(), &message.unknown);
            }
            Role::User => {
                let (answers, parts): (Vec<&Part>, Vec<&Part>) =
                    message.parts.iter().partition(|part| matches!(part, Part::ToolResult(_)));
                self.orphans(&answers);
                self.extend(Side::User, parts.into_iter().cloned().collect(), &message.unknown);
            }
            Role::Assistant => {
                self.extend(Side::Model, message.parts.clone(), &message.unknown);
                self.answer_calls(&message.parts);
            }
        }
    }

    fn lose(&mut self, loss: Loss) {
        if !self.arranged.losses.contains(&loss) {
            self.arranged.losses.push(loss);
        }
    }

    /// Instructions at the beginning.
    fn instructions(&mut self, message: &Message) {
        for (name, _) in message.unknown.of(self.rules.family) {
            self.lose(Loss::dropped(format!("messages[].{name}"), "instructions are no message here"));
        }
        for part in &message.parts {
            match part {
                Part::Text(text) if text.text.is_empty() => {}
                Part::Text(text) => self.arranged.system.push(text.clone()),
                _ => self.lose(Loss::dropped("messages[].content", "instructions are made of text here")),
            }
        }
    }

    /// Adds to the last turn if it is the same side's. Results stand before everything else.
    fn extend(&mut self, side: Side, parts: Vec<Part>, unknown: &Unknown) {
        let parts: Vec<Part> = parts.into_iter().filter(|part| !self.is_empty(part)).collect();
        match self.arranged.turns.last_mut().filter(|turn| turn.side == side) {
            Some(turn) => {
                turn.parts.extend(parts);
                turn.unknown.absorb(unknown);
            }
            None if parts.is_empty() => {}
            None => self.arranged.turns.push(Turn { side, parts, unknown: unknown.clone() }),
        }
    }

    fn is_empty(&self, part: &Part) -> bool {
        match part {
            Part::Text(Text { text, opaque, .. }) => {
                text.trim().is_empty() && opaque.as_ref().is_none_or(|state| state.family != self.rules.family)
            }
            Part::Refusal(text) => text.is_empty(),
            _ => false,
        }
    }

    /// Each call gets its result, wherever it stands; one that has none gets one that says so, since vendors refuse a
    /// conversation with an open call.
    fn answer_calls(&mut self, parts: &[Part]) {
        let mut answers = Vec::new();
        for part in parts {
            let Part::ToolCall(call) = part else { continue };
            let mut result = self.results.take(&call.id).cloned().unwrap_or_else(|| {
                self.lose(Loss::replaced("messages", "a tool call without a result was given an empty one"));
                ToolResult {
                    call_id: call.id.clone(),
                    content: vec!["no result was given".into()],
                    is_error: true,
                    ..ToolResult::default()
                }
            });
            result.name.get_or_insert_with(|| call.name.clone());
            answers.push(Part::ToolResult(result));
        }
        self.extend(Side::User, answers, &Unknown::default());
    }

    /// Results whose calls are not there any more are told as text.
    fn orphans(&mut self, answers: &[&Part]) {
        for answer in answers {
            let Part::ToolResult(result) = answer else { continue };
            let Some(result) = self.results.take_orphan(&result.call_id) else { continue };
            self.lose(Loss::replaced("messages", "a tool's result without its call is sent as the user's text"));
            let name = result.name.as_deref().unwrap_or("a tool");
            let mut parts = vec![Part::from(format!("Result of {name}:"))];
            parts.extend(result.content.iter().cloned());
            self.extend(Side::User, parts, &Unknown::default());
        }
    }

    fn begin_with_user(&mut self) {
        if self.arranged.turns.first().is_some_and(|turn| turn.side == Side::Model) {
            self.lose(Loss::replaced("messages", "a conversation that begins with the model's turn got one before it"));
            let begins = Turn::new(Side::User, vec!["(the conversation begins)".into()]);
            self.arranged.turns.insert(0, begins);
        }
    }
}

#[cfg(test)]
mod tests {
    use gw_core::chat::{Native, Opaque, OpaqueKind, ToolCall};
    use serde_json::Value;

    use super::*;

    const RULES: Rules = Rules { family: Family::Gemini, keeps_instructions: false };

    fn arranged(messages: &[Message]) -> Arranged {
        arrange(messages, RULES)
    }

    fn user(parts: Vec<Part>) -> Message {
        Message::new(Role::User, parts)
    }

    fn assistant(parts: Vec<Part>) -> Message {
        Message::new(Role::Assistant, parts)
    }

    fn call(id: &str) -> Part {
        Part::ToolCall(ToolCall { id: id.to_owned(), name: "f".to_owned(), ..ToolCall::default() })
    }

    fn result(id: &str, text: &str) -> Part {
        Part::ToolResult(ToolResult { call_id: id.to_owned(), content: vec![text.into()], ..ToolResult::default() })
    }

    fn shape(arranged: &Arranged) -> String {
        let part = |part: &Part| match part {
            Part::Text(text) => text.text.clone(),
            Part::ToolCall(call) => format!("call {}", call.id),
            Part::ToolResult(result) => {
                let Part::Text(text) = &result.content[0] else { unreachable!() };
                format!("{}={}", result.call_id, text.text)
            }
            other => format!("{other:?}"),
        };
        let turn = |turn: &Turn| {
            let parts: Vec<_> = turn.parts.iter().map(part).collect();
            let side = match turn.side {
                Side::User => "U",
                Side::Model => "A",
                Side::Instructions => "S",
            };
            format!("{side}[{}]", parts.join(", "))
        };
        arranged.turns.iter().map(turn).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn results_follow_their_calls_in_the_order_of_the_calls() {
        let arranged = arranged(&[
            Message::new(Role::System, vec!["be".into(), "brief".into()]),
            user(vec!["q".into()]),
            assistant(vec![call("1"), call("2")]),
            user(vec![result("2", "two")]),
            user(vec!["and".into()]),
            user(vec![result("1", "one")]),
        ]);
        assert_eq!(shape(&arranged), "U[q] A[call 1, call 2] U[1=one, 2=two, and]");
        assert_eq!(arranged.system, ["be".into(), "brief".into()]);
        assert_eq!(arranged.losses, []);
    }

    #[test]
    fn what_vendors_refuse_is_mended_and_told() {
        let arranged = arranged(&[
            assistant(vec!["hello".into()]),
            user(vec!["".into(), "q".into()]),
            user(vec![result("gone", "late")]),
            assistant(vec![" ".into(), call("1")]),
            Message::new(Role::Developer, vec!["stop".into()]),
            assistant(vec!["done".into()]),
        ]);
        assert_eq!(
            shape(&arranged),
            "U[(the conversation begins)] A[hello] U[q, Result of a tool:, late] A[call 1] U[1=no result was given, stop] A[done]"
        );
        assert_eq!(arranged.losses.len(), 4, "{:?}", arranged.losses);
    }

    #[test]
    fn calls_that_share_an_id_get_each_their_own_result() {
        let arranged = arranged(&[
            user(vec!["q".into()]),
            assistant(vec![call("1")]),
            user(vec![result("1", "first")]),
            assistant(vec![call("1")]),
            user(vec![result("1", "second")]),
        ]);
        assert_eq!(shape(&arranged), "U[q] A[call 1] U[1=first] A[call 1] U[1=second]");
    }

    #[test]
    fn state_of_a_text_without_words_is_kept_for_its_owner() {
        let state = |family| {
            let (provider, data) = ("p".to_owned(), "sig".to_owned());
            Text { opaque: Some(Opaque { family, provider, kind: OpaqueKind::Signature, data }), ..Text::from(" ") }
        };
        let parts = vec![Part::Text(state(Family::Gemini)), Part::Text(state(Family::Anthropic)), "".into()];
        let arranged = arranged(&[user(vec!["q".into()]), assistant(parts)]);
        assert_eq!(arranged.turns[1].parts, [Part::Text(state(Family::Gemini))]);
        assert_eq!(arranged.losses, []);
    }

    #[test]
    fn what_is_no_text_in_instructions_is_told() {
        let native = Native { family: Family::OpenAiChat, kind: "k".to_owned(), value: Value::Null };
        let parts = vec!["be brief".into(), Part::Native(native)];
        let arranged = arranged(&[Message::new(Role::System, parts), user(vec!["q".into()])]);
        assert_eq!(arranged.system, ["be brief".into()]);
        assert_eq!(arranged.losses.len(), 1);
    }

    #[test]
    fn instructions_in_mid_conversation_are_the_users_or_a_turn_of_their_own() {
        let conversation = [
            user(vec!["q".into()]),
            assistant(vec![call("1")]),
            Message::new(Role::System, vec!["rhyme".into()]),
            user(vec![result("1", "one"), "and".into()]),
        ];
        let arranged = arrange(&conversation, RULES);
        assert_eq!(shape(&arranged), "U[q] A[call 1] U[1=one, rhyme, and]");
        assert_eq!(arranged.losses.len(), 1);
        let kept = arrange(&conversation, Rules { keeps_instructions: true, ..RULES });
        assert_eq!(shape(&kept), "U[q] A[call 1] U[1=one] S[rhyme] U[and]");
        assert_eq!(kept.losses, []);
    }
}
