//! `finishReason`, both ways (`formats.md` §6).

use gw_core::chat::{Finish, FinishReason};

/// Why an answer ended, in Google's word. A word that is not known says no more than that it ended.
pub(super) fn decode(word: &str, calls_tools: bool) -> Finish {
    let reason = match known(word).unwrap_or(FinishReason::Stop) {
        FinishReason::Stop if calls_tools => FinishReason::ToolCalls,
        reason => reason,
    };
    Finish::new(reason, word)
}

/// Google's word: the one it said, where it was Google that said it.
pub(super) fn encode(finish: &Finish) -> &str {
    let reason = match finish.reason {
        FinishReason::StopSequence | FinishReason::ToolCalls => FinishReason::Stop,
        FinishReason::ContextLength => FinishReason::Length,
        FinishReason::Refusal => FinishReason::ContentFilter,
        reason => reason,
    };
    match finish.raw.as_deref() {
        Some(raw) if known(raw) == Some(reason) => raw,
        _ => match reason {
            FinishReason::Length => "MAX_TOKENS",
            FinishReason::ContentFilter => "SAFETY",
            FinishReason::Paused => "CONTINUATION",
            FinishReason::Malformed => "OTHER",
            _ => "STOP",
        },
    }
}

fn known(word: &str) -> Option<FinishReason> {
    Some(match word {
        "STOP" => FinishReason::Stop,
        "MAX_TOKENS" => FinishReason::Length,
        "SAFETY"
        | "RECITATION"
        | "LANGUAGE"
        | "BLOCKLIST"
        | "PROHIBITED_CONTENT"
        | "SPII"
        | "IMAGE_SAFETY"
        | "IMAGE_PROHIBITED_CONTENT"
        | "IMAGE_RECITATION"
        | "MODEL_ARMOR" => FinishReason::ContentFilter,
        "MALFORMED_FUNCTION_CALL"
        | "MALFORMED_RESPONSE"
        | "UNEXPECTED_TOOL_CALL"
        | "TOO_MANY_TOOL_CALLS"
        | "MISSING_THOUGHT_SIGNATURE"
        | "OTHER"
        | "NO_IMAGE"
        | "IMAGE_OTHER" => FinishReason::Malformed,
        "CONTINUATION" => FinishReason::Paused,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_turn_that_calls_tools_says_so_though_google_says_stop() {
        assert_eq!(decode("STOP", true).reason, FinishReason::ToolCalls);
        assert_eq!(decode("STOP", false).reason, FinishReason::Stop);
        assert_eq!(decode("MAX_TOKENS", true).reason, FinishReason::Length);
        // pitfalls B4
        assert_eq!(decode("MALFORMED_FUNCTION_CALL", false).reason, FinishReason::Malformed);
        assert_eq!(decode("ESCALATION", false), Finish::new(FinishReason::Stop, "ESCALATION"));
    }

    #[test]
    fn no_other_vendors_word_is_told_to_googles_clients() {
        for (reason, raw, word) in [
            (FinishReason::ToolCalls, "tool_use", "STOP"),
            (FinishReason::Refusal, "refusal", "SAFETY"),
            (FinishReason::ContentFilter, "SPII", "SPII"),
            (FinishReason::ContextLength, "model_context_window_exceeded", "MAX_TOKENS"),
            (FinishReason::Malformed, "MALFORMED_FUNCTION_CALL", "MALFORMED_FUNCTION_CALL"),
            (FinishReason::Stop, "ESCALATION", "STOP"),
            (FinishReason::Paused, "pause_turn", "CONTINUATION"),
        ] {
            assert_eq!(encode(&Finish::new(reason, raw)), word);
        }
    }
}
