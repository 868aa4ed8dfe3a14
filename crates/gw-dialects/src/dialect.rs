//! The names of the wire formats.

use gw_core::Operation;

/// A wire format of one operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DialectId {
    /// OpenAI's chat completions.
    OpenAiChat,
    /// OpenAI's older completions: a text and its continuation.
    OpenAiCompletions,
    /// OpenAI's embeddings.
    OpenAiEmbeddings,
}

impl DialectId {
    /// Every dialect, for tables and tests.
    pub const ALL: [DialectId; 3] = [DialectId::OpenAiChat, DialectId::OpenAiCompletions, DialectId::OpenAiEmbeddings];

    /// The name in the catalogue, logs and metrics.
    pub const fn name(self) -> &'static str {
        match self {
            DialectId::OpenAiChat => "openai_chat",
            DialectId::OpenAiCompletions => "openai_completions",
            DialectId::OpenAiEmbeddings => "openai_embeddings",
        }
    }

    /// The dialect of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|dialect| dialect.name() == name)
    }

    /// The operation that is spoken of.
    pub const fn operation(self) -> Operation {
        match self {
            DialectId::OpenAiChat => Operation::Chat,
            DialectId::OpenAiCompletions => Operation::Completion,
            DialectId::OpenAiEmbeddings => Operation::Embeddings,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_dialect_is_found_by_its_name() {
        for dialect in DialectId::ALL {
            assert_eq!(DialectId::from_name(dialect.name()), Some(dialect));
        }
        assert_eq!(DialectId::from_name("OpenAiChat"), None);
    }
}
