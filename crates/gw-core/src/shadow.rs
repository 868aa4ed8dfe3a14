//! Two answers to one request, that of the usual way and that of a shadow, and what they have in common: facts about them,
//! never their content.

use std::sync::Arc;

use serde_json::Value;

use crate::chat::{Candidate, ChatAnswer, FinishReason, Part, ToolInput};
use crate::similarity::words_in_common_percent;
use crate::{ErrorCode, Nanodollars, Outcome, RequestId};

/// Of more calls of tools, the first are compared.
const CALLS_MAX: usize = 128;

/// What is known of one of two answers.
#[derive(Debug, Clone, PartialEq)]
pub struct Side {
    /// The configured provider's name; `None` if nobody was asked.
    pub provider: Option<Arc<str>>,
    /// The model as the provider was asked for it.
    pub model: Option<Arc<str>>,
    /// The HTTP status that a client is told.
    pub status: u16,
    /// How it ended.
    pub outcome: Outcome,
    /// What went wrong, where something did.
    pub error: Option<ErrorCode>,
    /// Why the answer ended, where it was read.
    pub finish: Option<FinishReason>,
    /// From the first attempt to the first content, in microseconds, where it was read.
    pub first_content_us: Option<u64>,
    /// From the first attempt to the last byte, in microseconds.
    pub total_us: u64,
    /// Tokens of the request, as the provider reports them.
    pub input_tokens: Option<u64>,
    /// Tokens of the answer, as the provider reports them.
    pub output_tokens: Option<u64>,
    /// What it cost, if that is known.
    pub cost: Option<Nanodollars>,
    /// Whether its text is JSON, where the request asks for that and the answer was read.
    pub is_json: Option<bool>,
}

/// What came of comparing, in a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// Both say the same: the same text, and the same calls of tools.
    Equal,
    /// Both have answered, and not the same.
    Different,
    /// Both have answered; what they say was not read: too long, or not understood.
    Unread,
    /// The shadow failed where the usual way answered.
    ShadowFailed,
    /// The usual way failed where the shadow answered.
    UsualFailed,
    /// Both failed.
    BothFailed,
}

impl Verdict {
    /// Every verdict.
    pub const ALL: [Self; 6] =
        [Self::Equal, Self::Different, Self::Unread, Self::ShadowFailed, Self::UsualFailed, Self::BothFailed];

    /// The name in answers, logs and metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Equal => "equal",
            Self::Different => "different",
            Self::Unread => "unread",
            Self::ShadowFailed => "shadow_failed",
            Self::UsualFailed => "usual_failed",
            Self::BothFailed => "both_failed",
        }
    }
}

/// Two answers to one request, compared.
#[derive(Debug, Clone, PartialEq)]
pub struct Comparison {
    /// The gateway's id of the request.
    pub request_id: RequestId,
    /// What the client got.
    pub usual: Side,
    /// What nobody got.
    pub shadow: Side,
    /// In a word.
    pub verdict: Verdict,
    /// Whether both ended for the same reason, where both were read.
    pub same_finish: Option<bool>,
    /// Whether both called the same tools with equal arguments, in whatever order; `None` if neither called one, or they
    /// were not read.
    pub same_calls: Option<bool>,
    /// What their texts have in common ([`words_in_common_percent`]); `None` if neither has one, or they were not read.
    pub similarity_percent: Option<u8>,
}

impl Comparison {
    /// Compares two answers: each as far as it is known, and as it was read, if it could be. Of several answers to one
    /// request the first is compared.
    pub fn of(
        request_id: RequestId,
        (mut usual, usual_answer): (Side, Option<&ChatAnswer>),
        (mut shadow, shadow_answer): (Side, Option<&ChatAnswer>),
        wants_json: bool,
    ) -> Self {
        let first = |answer: Option<&ChatAnswer>| answer.and_then(|answer| answer.candidates.first()).cloned();
        let (one, other) = (first(usual_answer), first(shadow_answer));
        for (side, read) in [(&mut usual, &one), (&mut shadow, &other)] {
            side.finish = read.as_ref().map(|read| read.finish.reason);
            side.is_json = read.as_ref().filter(|_| wants_json).map(|read| is_json(&read.text()));
        }
        let same_finish = usual.finish.zip(shadow.finish).map(|(one, other)| one == other);
        let said = one.as_ref().zip(other.as_ref()).map(|(one, other)| Said::of(one, other));
        let answered = |side: &Side| side.outcome == Outcome::Completed && side.error.is_none();
        let verdict = match (answered(&usual), answered(&shadow), &said) {
            (false, false, _) => Verdict::BothFailed,
            (false, true, _) => Verdict::UsualFailed,
            (true, false, _) => Verdict::ShadowFailed,
            (true, true, None) => Verdict::Unread,
            (true, true, Some(said)) if said.is_equal() => Verdict::Equal,
            (true, true, Some(_)) => Verdict::Different,
        };
        let same_calls = said.as_ref().and_then(|said| said.same_calls);
        let similarity_percent = said.and_then(|said| said.similarity_percent);
        Self { request_id, usual, shadow, verdict, same_finish, same_calls, similarity_percent }
    }
}

/// What two answers say.
struct Said {
    same_text: bool,
    same_calls: Option<bool>,
    similarity_percent: Option<u8>,
}

impl Said {
    fn of(one: &Candidate, other: &Candidate) -> Self {
        let (one_text, other_text) = (one.text(), other.text());
        let (one_text, other_text) = (one_text.trim(), other_text.trim());
        let is_said = !one_text.is_empty() || !other_text.is_empty();
        let (one_calls, other_calls) = (calls(one), calls(other));
        let is_called = !one_calls.is_empty() || !other_calls.is_empty();
        Self {
            same_text: one_text == other_text,
            same_calls: is_called.then(|| are_same(&one_calls, other_calls)),
            similarity_percent: is_said.then(|| words_in_common_percent(one_text, other_text)),
        }
    }

    fn is_equal(&self) -> bool {
        self.same_text && self.same_calls != Some(false)
    }
}

/// A call of a tool: its name, and its arguments as far as they are JSON.
type Call = (String, Value);

fn calls(answer: &Candidate) -> Vec<Call> {
    let calls = answer.parts.iter().filter_map(|part| match part {
        Part::ToolCall(call) => Some(call),
        _ => None,
    });
    let read = |input: &ToolInput| match input {
        ToolInput::Json(json) => serde_json::from_str(json).unwrap_or_else(|_| Value::from(json.as_str())),
        ToolInput::Text(text) => Value::from(text.as_str()),
    };
    calls.take(CALLS_MAX).map(|call| (call.name.clone(), read(&call.input))).collect()
}

/// Whether the calls are the same, each as often as it was made.
fn are_same(calls: &[Call], mut others: Vec<Call>) -> bool {
    calls.len() == others.len()
        && calls.iter().all(|call| match others.iter().position(|other| other == call) {
            Some(at) => {
                others.swap_remove(at);
                true
            }
            None => false,
        })
}

fn is_json(text: &str) -> bool {
    serde_json::from_str::<&serde_json::value::RawValue>(text).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::{Finish, ToolCall};

    fn side(outcome: Outcome, error: Option<ErrorCode>) -> Side {
        Side {
            provider: None,
            model: None,
            status: 200,
            outcome,
            error,
            finish: None,
            first_content_us: None,
            total_us: 1,
            input_tokens: None,
            output_tokens: None,
            cost: None,
            is_json: None,
        }
    }

    fn well() -> Side {
        side(Outcome::Completed, None)
    }

    fn call(name: &str, json: &str) -> Part {
        let input = ToolInput::Json(json.to_owned());
        Part::ToolCall(ToolCall { id: format!("{name}{json}"), name: name.to_owned(), input, ..ToolCall::default() })
    }

    fn answer(parts: Vec<Part>, reason: FinishReason) -> ChatAnswer {
        let finish = Finish { reason, ..Finish::default() };
        ChatAnswer { candidates: vec![Candidate { parts, finish, logprobs: None }], ..ChatAnswer::default() }
    }

    fn compared(usual: Vec<Part>, shadow: Vec<Part>) -> Comparison {
        let (usual, shadow) = (answer(usual, FinishReason::Stop), answer(shadow, FinishReason::Length));
        Comparison::of(RequestId::from_u128(1), (well(), Some(&usual)), (well(), Some(&shadow)), true)
    }

    #[test]
    fn texts_are_equal_or_have_words_in_common() {
        let equal = compared(vec!["Hello you ".into()], vec!["Hello ".into(), "you".into()]);
        assert_eq!((equal.verdict, equal.similarity_percent, equal.same_calls), (Verdict::Equal, Some(100), None));
        assert_eq!(equal.same_finish, Some(false));
        let different = compared(vec!["Hello you".into()], vec!["Hello me".into()]);
        assert_eq!((different.verdict, different.similarity_percent), (Verdict::Different, Some(50)));
    }

    #[test]
    fn calls_are_the_same_by_name_and_by_what_their_json_means() {
        let usual = || vec![call("a", r#"{"x":1,"y":[2]}"#), call("b", "{}")];
        let same = compared(usual(), vec![call("b", "{ }"), call("a", r#"{"y": [2], "x": 1}"#)]);
        assert_eq!((same.verdict, same.same_calls, same.similarity_percent), (Verdict::Equal, Some(true), None));
        for other in [vec![call("a", r#"{"x":1,"y":[2]}"#)], vec![call("b", "{}"), call("b", "{}")], vec!["no".into()]]
        {
            let different = compared(usual(), other);
            assert_eq!((different.verdict, different.same_calls), (Verdict::Different, Some(false)));
        }
    }

    #[test]
    fn whether_what_was_asked_for_as_json_is_json_is_told_of_both() {
        let compared = compared(vec![r#"{"a":1}"#.into()], vec!["{\"a\":".into()]);
        assert_eq!((compared.usual.is_json, compared.shadow.is_json), (Some(true), Some(false)));
    }

    #[test]
    fn who_failed_is_told_whatever_was_said_until_then() {
        let failed = || side(Outcome::Failed, Some(ErrorCode::ProviderTimeout));
        let said = answer(vec!["Hello".into()], FinishReason::Stop);
        let verdict = |usual, shadow| {
            Comparison::of(RequestId::from_u128(1), (usual, Some(&said)), (shadow, None), false).verdict
        };
        assert_eq!(verdict(well(), failed()), Verdict::ShadowFailed);
        assert_eq!(verdict(failed(), well()), Verdict::UsualFailed);
        assert_eq!(verdict(failed(), failed()), Verdict::BothFailed);
        assert_eq!(verdict(well(), well()), Verdict::Unread);
    }
}
