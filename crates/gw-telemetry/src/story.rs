//! What was done about failures, told as a person would: one line for each step.

use gw_core::{Outcome, RequestRecord};

use crate::request_line::{TRIES_MAX, push as say, push_word};

/// What people call a provider of this name: `OpenAI`; `None` if it has no other name.
pub type Named = fn(&str) -> Option<&'static str>;

/// Appends the lines of a request of which at least one attempt came to nothing.
pub(crate) fn push(line: &mut Vec<u8>, record: &RequestRecord, named: Named) {
    for (index, attempt) in record.tries.iter().enumerate().take(TRIES_MAX) {
        say(line, "[Gateway] ");
        push_word(line, named(&attempt.provider).unwrap_or(&attempt.provider));
        match attempt.error {
            Some(error) => say(line, format_args!(" request failed: {}\n", error.headline())),
            None => say(line, " request cancelled: another answered first\n"),
        }
        if let Some((provider, _)) = record.after_try(index) {
            say(line, "[Gateway] Retrying with ");
            push_word(line, provider);
            say(line, "...\n");
        }
    }
    if let (Outcome::Completed, Some(provider)) = (record.outcome, &record.provider) {
        say(line, "[Gateway] Success with ");
        push_word(line, provider);
        say(line, " (");
        push_word(line, record.model_used.as_deref().unwrap_or("-"));
        say(line, ")\n");
    }
}

#[cfg(test)]
mod tests {
    use gw_core::{ErrorCode, Try};

    use super::*;
    use crate::testing::record;

    fn failed(provider: &str, error: ErrorCode) -> Try {
        Try {
            provider: provider.into(),
            model: "gpt-4o".into(),
            callers_key: false,
            target: 1,
            error: Some(error),
            status: None,
            duration_us: 1,
        }
    }

    fn told(record: &RequestRecord) -> String {
        let mut line = Vec::new();
        super::push(&mut line, record, |name| (name == "openai").then_some("OpenAI"));
        String::from_utf8(line).unwrap()
    }

    #[test]
    fn a_fallback_is_told_in_three_lines() {
        let request = RequestRecord {
            provider: Some("anthropic".into()),
            model_used: Some("claude-3-5-sonnet-20241022".into()),
            target: 2,
            tries: vec![failed("openai", ErrorCode::ProviderAuthentication)],
            ..record()
        };
        assert_eq!(
            told(&request),
            "[Gateway] OpenAI request failed: Invalid API Key\n\
             [Gateway] Retrying with anthropic...\n\
             [Gateway] Success with anthropic (claude-3-5-sonnet-20241022)\n"
        );
    }

    #[test]
    fn retries_are_told_one_by_one_and_nothing_succeeds_that_failed() {
        let timeout = ErrorCode::ProviderTimeout;
        let request = RequestRecord {
            provider: Some("mine".into()),
            outcome: Outcome::Failed,
            error: Some(timeout),
            target: 1,
            tries: vec![failed("mine", timeout), failed("mine", timeout)],
            last_is_told: true,
            ..record()
        };
        assert_eq!(
            told(&request),
            "[Gateway] mine request failed: Timeout\n[Gateway] Retrying with mine...\n\
             [Gateway] mine request failed: Timeout\n"
        );
    }

    #[test]
    fn the_slower_of_two_has_not_failed() {
        let slower = Try { error: None, ..failed("openai", ErrorCode::ProviderTimeout) };
        let request = RequestRecord { provider: Some("mine".into()), target: 2, tries: vec![slower], ..record() };
        assert_eq!(
            told(&request),
            "[Gateway] OpenAI request cancelled: another answered first\n[Gateway] Success with mine (gpt-5-mini)\n"
        );
    }

    #[test]
    fn a_name_cannot_forge_a_line() {
        let request = RequestRecord { target: 1, tries: vec![failed("a\nb", ErrorCode::ProviderTimeout)], ..record() };
        assert_eq!(told(&request).lines().count(), 3);
    }
}
