//! Zero-completion insurance: what failed, or came to nothing, costs the caller nothing, where the operator has it so. It
//! costs the operator what the provider asks. The rule is OpenRouter's (docs: Zero Completion Insurance): not charged are
//! answers without a token of output and without a reason to have ended, and those that ended in an error.

use crate::record::{Outcome, RequestRecord};
use crate::{Blame, ErrorCode, Operation, Usage};

/// Why a caller is not charged for what was used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Uncharged {
    /// The answer had no token of output, and no reason to have ended.
    Empty,
    /// The provider or the gateway failed.
    Failed,
}

impl Uncharged {
    /// The name in logs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::Failed => "failed",
        }
    }

    /// Why the caller of a request that is over is not charged; `None` if it is, or if nothing was used.
    #[must_use]
    pub fn of(record: &RequestRecord) -> Option<Self> {
        if record.usage.is_none() && record.unused.is_empty() {
            return None;
        }
        match record.outcome {
            Outcome::Completed => {
                record.usage.as_ref().and_then(|usage| Self::of_answer(record.operation, usage, record.told_end))
            }
            Outcome::Failed => Self::of_failure(record),
            Outcome::Panicked => Some(Self::Failed),
            // Whoever leaves pays for what was used until then.
            Outcome::Cancelled => None,
        }
    }

    /// The same, of an answer that is whole; `told_end` is whether it said why it ended.
    #[must_use]
    pub fn of_answer(operation: Operation, usage: &Usage, told_end: bool) -> Option<Self> {
        let completes = matches!(operation, Operation::Chat | Operation::Completion);
        (completes && usage.output_tokens == 0 && !told_end).then_some(Self::Empty)
    }

    fn of_failure(record: &RequestRecord) -> Option<Self> {
        let code = record.error?;
        match code.blame() {
            Blame::Client => None,
            // Who reads slowly enough meets the limits of the gateway, with most of the answer in its hands.
            Blame::Gateway if code != ErrorCode::InternalError && record.response_bytes > 0 => None,
            Blame::Provider | Blame::Gateway => Some(Self::Failed),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;
    use crate::RequestId;

    fn record(outcome: Outcome, error: Option<ErrorCode>, output_tokens: u64) -> RequestRecord {
        RequestRecord {
            outcome,
            error,
            usage: Some(Usage { input_tokens: 9, output_tokens, ..Usage::default() }),
            ..RequestRecord::begin(RequestId::from_u128(1), Operation::Chat, "openai_chat", UNIX_EPOCH)
        }
    }

    #[test]
    fn an_empty_answer_is_insured_if_nothing_says_why_it_ended() {
        let of =
            |output, told_end| Uncharged::of(&RequestRecord { told_end, ..record(Outcome::Completed, None, output) });
        assert_eq!(of(0, false), Some(Uncharged::Empty));
        assert_eq!(of(0, true), None, "a filter's or a limit's answer is one");
        assert_eq!(of(1, false), None);
        let vectors = RequestRecord { operation: Operation::Embeddings, ..record(Outcome::Completed, None, 0) };
        assert_eq!(Uncharged::of(&vectors), None, "they have no tokens of output");
    }

    #[test]
    fn failures_are_insured_unless_the_client_may_have_brought_them_about() {
        use ErrorCode::{
            ClientClosed, ContentFiltered, DeadlineExceeded, InternalError, ProviderFailed, ProviderStreamInterrupted,
        };
        for (outcome, error, expected) in [
            (Outcome::Failed, Some(ProviderFailed), Some(Uncharged::Failed)),
            (Outcome::Failed, Some(ProviderStreamInterrupted), Some(Uncharged::Failed)),
            (Outcome::Failed, Some(DeadlineExceeded), Some(Uncharged::Failed)),
            (Outcome::Panicked, Some(InternalError), Some(Uncharged::Failed)),
            (Outcome::Failed, Some(ContentFiltered), None),
            (Outcome::Cancelled, Some(ClientClosed), None),
        ] {
            assert_eq!(Uncharged::of(&record(outcome, error, 7)), expected, "{error:?}");
        }
        let read = |code| RequestRecord { response_bytes: 9, ..record(Outcome::Failed, Some(code), 7) };
        assert_eq!(Uncharged::of(&read(DeadlineExceeded)), None);
        assert_eq!(Uncharged::of(&read(ProviderStreamInterrupted)), Some(Uncharged::Failed));
        let unused = RequestRecord { usage: None, ..record(Outcome::Failed, Some(ProviderFailed), 0) };
        assert_eq!(Uncharged::of(&unused), None, "there is nothing to charge");
    }
}
