//! A conversation in the strict order that most vendors want: instructions apart, user and model in turns, the results
//! of tools directly behind their calls. OpenAI's own order is looser, and what applications send is looser still.

use std::collections::HashMap;

use gw_core::chat::{Loss, Message, Part, Role, Text, ToolResult};

/// A conversation in strict order.
#[derive(Debug, Default, PartialEq)]
pub struct Arranged {
    /// The instructions that stand at the beginning.
    pub system: Vec<Text>,
    /// User and assistant in turns, the user first. Of a user's turn the results of tools come first; each call of the turn
    /// before has one. No text is empty.
    pub turns: Vec<Turn>,
    /// What does not mean quite the same any more.
    pub losses: Vec<Loss>,
}

/// A turn.
#[derive(Debug, Clone, PartialEq)]
pub struct Turn {
    /// Whether it is the model's.
    pub is_assistant: bool,
    /// What it consists of.
    pub parts: Vec<Part>,
}

/// Puts a conversation in order.
pub fn arrange(messages: &[Message]) -> Arranged {
    let mut arranged = Arranged::default();
    let mut results = Results::collect(messages);
    for message in messages {
        if message.name.is_some() {
            arranged.lose(Loss::dropped("messages[].name", "participants have no names here"));
        }
        match message.role {
            Role::System | Role::Developer if arranged.turns.is_empty() => {
                arranged.system.extend(message.parts.iter().filter_map(said));
            }
            Role::System | Role::Developer => {
                arranged
                    .lose(Loss::replaced("messages[].role", "instructions in mid-conversation are sent as the user's"));
                arranged.extend(false, message.parts.clone());
            }
            Role::User => {
                let (answers, parts): (Vec<_>, Vec<_>) =
                    message.parts.iter().cloned().partition(|part| matches!(part, Part::ToolResult(_)));
                arranged.orphans(answers, &mut results);
                arranged.extend(false, parts);
            }
            Role::Assistant => {
                arranged.extend(true, message.parts.clone());
                arranged.answer_calls(&message.parts, &mut results);
            }
        }
    }
    arranged.begin_with_user();
    arranged
}

impl Arranged {
    fn lose(&mut self, loss: Loss) {
        if !self.losses.contains(&loss) {
            self.losses.push(loss);
        }
    }

    /// Adds to the last turn if it is the same side's. Results stand before everything else.
    fn extend(&mut self, is_assistant: bool, parts: Vec<Part>) {
        let parts: Vec<Part> = parts.into_iter().filter(|part| !is_empty(part)).collect();
        if parts.is_empty() {
            return;
        }
        match self.turns.last_mut().filter(|turn| turn.is_assistant == is_assistant) {
            Some(turn) => turn.parts.extend(parts),
            None => self.turns.push(Turn { is_assistant, parts }),
        }
    }

    /// Each call gets its result, wherever it stands; one that has none gets one that says so, since vendors refuse a
    /// conversation with an open call.
    fn answer_calls(&mut self, parts: &[Part], results: &mut Results) {
        let calls = parts.iter().filter_map(|part| match part {
            Part::ToolCall(call) => Some(call),
            _ => None,
        });
        let mut answers = Vec::new();
        for call in calls {
            let mut result = results.take(&call.id).unwrap_or_else(|| {
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
        self.extend(false, answers);
    }

    /// Results whose calls are not there any more are told as text.
    fn orphans(&mut self, answers: Vec<Part>, results: &mut Results) {
        for answer in answers {
            let Part::ToolResult(result) = answer else { continue };
            let Some(result) = results.take_orphan(&result.call_id) else { continue };
            self.lose(Loss::replaced("messages", "a tool's result without its call is sent as the user's text"));
            let name = result.name.as_deref().unwrap_or("a tool");
            let mut parts = vec![Part::from(format!("Result of {name}:"))];
            parts.extend(result.content);
            self.extend(false, parts);
        }
    }

    fn begin_with_user(&mut self) {
        if self.turns.first().is_some_and(|turn| turn.is_assistant) {
            self.lose(Loss::replaced("messages", "a conversation that begins with the model's turn got one before it"));
            self.turns.insert(0, Turn { is_assistant: false, parts: vec!["(the conversation begins)".into()] });
        }
    }
}

/// Results that have not been used, by the id of their call, the first one last.
struct Results {
    by_call: HashMap<String, Vec<ToolResult>>,
    called: Vec<String>,
}

impl Results {
    fn collect(messages: &[Message]) -> Self {
        let mut by_call: HashMap<String, Vec<ToolResult>> = HashMap::new();
        let mut called = Vec::new();
        for part in messages.iter().flat_map(|message| &message.parts) {
            match part {
                Part::ToolResult(result) => {
                    by_call.entry(result.call_id.clone()).or_default().insert(0, result.clone());
                }
                Part::ToolCall(call) => called.push(call.id.clone()),
                _ => {}
            }
        }
        Self { by_call, called }
    }

    fn take(&mut self, call_id: &str) -> Option<ToolResult> {
        self.by_call.get_mut(call_id)?.pop()
    }

    /// A result that no call of the conversation waits for.
    fn take_orphan(&mut self, call_id: &str) -> Option<ToolResult> {
        if self.called.iter().any(|called| called == call_id) { None } else { self.take(call_id) }
    }
}

fn said(part: &Part) -> Option<Text> {
    match part {
        Part::Text(text) if !text.text.is_empty() => Some(text.clone()),
        _ => None,
    }
}

fn is_empty(part: &Part) -> bool {
    match part {
        Part::Text(text) => text.text.trim().is_empty(),
        Part::Refusal(text) => text.is_empty(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use gw_core::chat::ToolCall;

    use super::*;

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
            format!("{}[{}]", if turn.is_assistant { "A" } else { "U" }, parts.join(", "))
        };
        arranged.turns.iter().map(turn).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn results_follow_their_calls_in_the_order_of_the_calls() {
        let arranged = arrange(&[
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
        let arranged = arrange(&[
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
        let arranged = arrange(&[
            user(vec!["q".into()]),
            assistant(vec![call("1")]),
            user(vec![result("1", "first")]),
            assistant(vec![call("1")]),
            user(vec![result("1", "second")]),
        ]);
        assert_eq!(shape(&arranged), "U[q] A[call 1] U[1=first] A[call 1] U[1=second]");
    }
}
