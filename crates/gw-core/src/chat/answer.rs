//! What a model answers, whole.

use serde_json::Value;

use crate::Usage;
use crate::chat::Extra;
use crate::chat::part::Part;

/// What a model answered.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ChatAnswer {
    /// The provider's id of the answer; empty if it has none.
    pub id: String,
    /// The model that answered, as the provider calls it.
    pub model: String,
    /// When it answered, in seconds since 1970.
    pub created_s: Option<u64>,
    /// The answers: one, unless more were asked for.
    pub candidates: Vec<Candidate>,
    /// What was used, if the provider says so.
    pub usage: Option<Usage>,
    /// Which service was given.
    pub service_tier: Option<String>,
    /// What no word above stands for (`system_fingerprint`, `promptFeedback`). Dialects of other families leave it out.
    pub extra: Extra,
}

/// One answer.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Candidate {
    /// What it consists of, in order.
    pub parts: Vec<Part>,
    /// Why it ended.
    pub finish: Finish,
    /// The probabilities of its tokens, as OpenAI writes them: a list of tokens, each with alternatives.
    pub logprobs: Option<Value>,
}

/// Why an answer ended.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Finish {
    /// In our words.
    pub reason: FinishReason,
    /// In the provider's.
    pub raw: Option<String>,
    /// Which of the texts that end the answer it was.
    pub stop_sequence: Option<String>,
}

/// Why an answer ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum FinishReason {
    /// The model had said all.
    #[default]
    Stop,
    /// One of the texts that end the answer came.
    StopSequence,
    /// There were no tokens left.
    Length,
    /// The context was full.
    ContextLength,
    /// The model waits for the results of tools.
    ToolCalls,
    /// The provider withheld the answer, or a part of it.
    ContentFilter,
    /// The model refused.
    Refusal,
    /// The provider's own tools are not done; the conversation is to be sent again as it is.
    Paused,
    /// The model made something that is no answer, such as a call that cannot be read.
    Malformed,
}

impl FinishReason {
    /// The name in logs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Stop => "stop",
            Self::StopSequence => "stop_sequence",
            Self::Length => "length",
            Self::ContextLength => "context_length",
            Self::ToolCalls => "tool_calls",
            Self::ContentFilter => "content_filter",
            Self::Refusal => "refusal",
            Self::Paused => "paused",
            Self::Malformed => "malformed",
        }
    }
}

impl Finish {
    /// A reason with the provider's word for it.
    pub fn new(reason: FinishReason, raw: &str) -> Self {
        Self { reason, raw: Some(raw.to_owned()), stop_sequence: None }
    }

    /// Whether the provider said it.
    pub fn is_told(&self) -> bool {
        self.raw.as_ref().is_some_and(|raw| !raw.is_empty())
    }
}

impl ChatAnswer {
    /// Whether its provider said why it ended.
    pub fn told_end(&self) -> bool {
        self.candidates.iter().any(|candidate| candidate.finish.is_told())
    }
}

impl Candidate {
    /// Whether it calls tools of the application's.
    pub fn calls_tools(&self) -> bool {
        self.parts.iter().any(|part| matches!(part, Part::ToolCall(_)))
    }

    /// The whole of its text.
    pub fn text(&self) -> String {
        let texts = self.parts.iter().filter_map(|part| match part {
            Part::Text(text) => Some(text.text.as_str()),
            _ => None,
        });
        texts.collect()
    }
}
