//! Why an answer ended: the words of OpenAI and of those that imitate it.

use gw_core::chat::{Candidate, Finish, FinishReason, Part};
use gw_core::{Error, ErrorCode};

use crate::shared::refusal;

/// What a provider's word means. Some say with it that they failed.
///
/// # Errors
/// The provider says that there is no answer.
pub(super) fn decode(word: &str, provider: &str) -> Result<Finish, Error> {
    let reason = match word {
        "stop" | "eos" | "end_turn" | "" => FinishReason::Stop,
        "stop_sequence" => FinishReason::StopSequence,
        "length" | "max_tokens" => FinishReason::Length,
        // Mistral; Z.ai.
        "model_length" | "model_context_window_exceeded" => FinishReason::ContextLength,
        "tool_calls" | "function_call" | "tool_use" => FinishReason::ToolCalls,
        "content_filter" | "sensitive" | "safety" => FinishReason::ContentFilter,
        "refusal" => FinishReason::Refusal,
        // DeepSeek.
        "insufficient_system_resource" => {
            return Err(refusal::told(provider, ErrorCode::ProviderOverloaded, "it has no resources left to go on"));
        }
        "error" | "network_error" => {
            return Err(refusal::told(provider, ErrorCode::ProviderFailed, "it could not finish the answer"));
        }
        _ => FinishReason::Stop,
    };
    Ok(Finish::new(reason, word))
}

/// The reason in the light of what was said: a turn that calls tools waits for their results, whatever the provider's
/// word, and one that calls none does not.
pub(super) fn settle(mut finish: Finish, calls_tools: bool, refuses: bool) -> Finish {
    use FinishReason::{Paused, Refusal, Stop, StopSequence, ToolCalls};
    finish.reason = match finish.reason {
        Stop | StopSequence | Paused if calls_tools => ToolCalls,
        ToolCalls if !calls_tools => Stop,
        Stop if refuses => Refusal,
        reason => reason,
    };
    finish
}

/// OpenAI's word for a client that has functions in the older way.
pub(super) fn older_word(word: &'static str) -> &'static str {
    if word == "tool_calls" { "function_call" } else { word }
}

/// OpenAI's word.
pub(super) fn word(reason: FinishReason, calls_tools: bool, refuses: bool) -> &'static str {
    match reason {
        FinishReason::Stop | FinishReason::StopSequence | FinishReason::Paused | FinishReason::ToolCalls
            if calls_tools =>
        {
            "tool_calls"
        }
        FinishReason::Length | FinishReason::ContextLength => "length",
        FinishReason::ContentFilter => "content_filter",
        // OpenAI's own models refuse in `refusal` and stop.
        FinishReason::Refusal if !refuses => "content_filter",
        _ => "stop",
    }
}

/// The provider's word, where OpenAI's hides what happened; told in OpenRouter's member for it.
pub(super) fn native(finish: &Finish) -> Option<&str> {
    let hidden = matches!(finish.reason, FinishReason::Malformed | FinishReason::Paused | FinishReason::ContextLength);
    finish.raw.as_deref().filter(|_| hidden)
}

/// Whether an answer has words of refusal.
pub(super) fn refuses(candidate: &Candidate) -> bool {
    candidate.parts.iter().any(|part| matches!(part, Part::Refusal(_)))
}
