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
}

impl Operation {
    /// Every operation, for tables and tests.
    pub const ALL: [Operation; 6] = [
        Operation::Chat,
        Operation::Completion,
        Operation::Embeddings,
        Operation::CountTokens,
        Operation::Rerank,
        Operation::Moderations,
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
        }
    }

    /// Whether an answer may come as a stream of events.
    pub const fn streams(self) -> bool {
        match self {
            Operation::Chat | Operation::Completion => true,
            Operation::Embeddings | Operation::CountTokens | Operation::Rerank | Operation::Moderations => false,
        }
    }
}
