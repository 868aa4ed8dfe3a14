//! What a dialect cannot say.

use std::borrow::Cow;
use std::fmt;

/// Something that was asked for and that the provider's dialect cannot say. What becomes of it is the operator's choice;
/// that it becomes known is not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loss {
    /// The parameter, in OpenAI's words (`frequency_penalty`, `messages[].input_audio`).
    pub param: Cow<'static, str>,
    /// Why it cannot be said, or what is said in its place.
    pub why: Cow<'static, str>,
    /// What it means for the answer.
    pub grade: Grade,
}

/// What a loss means for the answer, from the least.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Grade {
    /// The answer is the same without it: a hint for caches, for the provider's own records.
    Ignored,
    /// Something like it is said in its place.
    Replaced,
    /// It is left out, and the answer may be another one.
    Dropped,
}

/// Parameters without effect on what a model answers, by the name behind the last point: hints for caches, notes for the
/// provider's records, numbers and ids of things that stand in order anyway. Agents send most of them with every request.
const HINTS: [&str; 27] = [
    // What would be left out of a conversation that is long: it is sent whole.
    "context_management",
    // Whom the request is for, and what is kept of it.
    "client_metadata",
    "labels",
    "metadata",
    "safety_identifier",
    "store",
    "user",
    // What is remembered of the request.
    "cache_control",
    "prompt_cache_breakpoint",
    "prompt_cache_key",
    "prompt_cache_retention",
    "ttl",
    // What comes with the answer besides the answer.
    "eager_input_streaming",
    "include",
    "include_obfuscation",
    "streamFunctionCallArguments",
    "stream_options",
    "display",
    "summary",
    // What clients send back of answers.
    "caller",
    "id",
    "index",
    "internal_metadata",
    "partMetadata",
    "phase",
    "provider_specific_fields",
    "status",
];

impl Grade {
    /// The word in `X-Gateway-Warnings` and in the log.
    pub const fn name(self) -> &'static str {
        match self {
            Grade::Ignored => "ignored",
            Grade::Replaced => "replaced",
            Grade::Dropped => "dropped",
        }
    }
}

impl Loss {
    /// What is left out. Of what is known to be a hint alone, the answer does not depend.
    pub fn dropped(param: impl Into<Cow<'static, str>>, why: impl Into<Cow<'static, str>>) -> Self {
        let param = param.into();
        let name = param.rsplit('.').next().unwrap_or_default();
        let grade = if HINTS.contains(&name) { Grade::Ignored } else { Grade::Dropped };
        Self { param, why: why.into(), grade }
    }

    /// What is left out and makes no difference for the answer, as this request says it.
    pub fn ignored(param: impl Into<Cow<'static, str>>, why: impl Into<Cow<'static, str>>) -> Self {
        Self { param: param.into(), why: why.into(), grade: Grade::Ignored }
    }

    /// What is said in another way that does not mean quite the same.
    pub fn replaced(param: impl Into<Cow<'static, str>>, why: impl Into<Cow<'static, str>>) -> Self {
        Self { param: param.into(), why: why.into(), grade: Grade::Replaced }
    }

    /// Whether something was asked for that the answer may now be without.
    pub fn is_dropped(&self) -> bool {
        self.grade == Grade::Dropped
    }
}

impl fmt::Display for Loss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {}", self.grade.name(), self.param, self.why)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hint_is_ignored_wherever_it_stands_and_everything_else_is_dropped() {
        for (param, grade) in [
            ("metadata", Grade::Ignored),
            ("messages[].content[].cache_control", Grade::Ignored),
            ("messages[].tool_calls[].index", Grade::Ignored),
            ("frequency_penalty", Grade::Dropped),
            ("messages[].unheardof", Grade::Dropped),
            ("messages[].file", Grade::Dropped),
        ] {
            assert_eq!(Loss::dropped(param, "x").grade, grade, "{param}");
        }
        assert_eq!(Loss::dropped("seed", "not there").to_string(), "dropped seed: not there");
        assert!(Grade::Ignored < Grade::Replaced && Grade::Replaced < Grade::Dropped);
    }
}
