//! The kinds of call an application can make.

/// A kind of call. The request path is written once, for all of them; what differs is said by the dialects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Operation {
    /// A conversation that a model continues.
    Chat,
    /// The older text-in, text-out call.
    Completion,
    /// Texts turned into vectors.
    Embeddings,
    /// How many tokens a conversation is.
    CountTokens,
    /// Documents put in the order in which they answer a query.
    Rerank,
    /// Texts and pictures judged by what they show.
    Moderations,
    /// Pictures made or changed.
    Images,
    /// A text read aloud.
    Speech,
    /// A recording written down, in its language or in English.
    Transcription,
    /// Films made.
    Videos,
    /// Files kept at a provider.
    Files,
    /// Many requests at once, answered later.
    Batches,
    /// A model taught further.
    FineTuning,
    /// A conversation in both directions at once.
    Realtime,
    /// A call of a provider's own API, carried without being understood.
    Passthrough,
}

impl Operation {
    /// Every operation, for tables and tests.
    pub const ALL: [Operation; 15] = [
        Operation::Chat,
        Operation::Completion,
        Operation::Embeddings,
        Operation::CountTokens,
        Operation::Rerank,
        Operation::Moderations,
        Operation::Images,
        Operation::Speech,
        Operation::Transcription,
        Operation::Videos,
        Operation::Files,
        Operation::Batches,
        Operation::FineTuning,
        Operation::Realtime,
        Operation::Passthrough,
    ];

    /// The name in logs, metrics and configuration: OpenTelemetry's `gen_ai.operation.name`, where it has one.
    pub const fn name(self) -> &'static str {
        match self {
            Operation::Chat => "chat",
            Operation::Completion => "text_completion",
            Operation::Embeddings => "embeddings",
            Operation::CountTokens => "count_tokens",
            Operation::Rerank => "rerank",
            Operation::Moderations => "moderations",
            Operation::Images => "images",
            Operation::Speech => "speech",
            Operation::Transcription => "transcription",
            Operation::Videos => "videos",
            Operation::Files => "files",
            Operation::Batches => "batches",
            Operation::FineTuning => "fine_tuning",
            Operation::Realtime => "realtime",
            Operation::Passthrough => "passthrough",
        }
    }

    /// Whether an answer may come as a stream of events that the gateway reads.
    pub const fn streams(self) -> bool {
        matches!(self, Operation::Chat | Operation::Completion)
    }

    /// Whether requests and answers are carried as they are, not read as one conversation or text.
    pub const fn is_carried(self) -> bool {
        match self {
            Operation::Chat
            | Operation::Completion
            | Operation::Embeddings
            | Operation::CountTokens
            | Operation::Rerank
            | Operation::Moderations => false,
            Operation::Images
            | Operation::Speech
            | Operation::Transcription
            | Operation::Videos
            | Operation::Files
            | Operation::Batches
            | Operation::FineTuning
            | Operation::Realtime
            | Operation::Passthrough => true,
        }
    }
}
