//! The names of the wire formats.

use gw_core::Operation;
use gw_core::chat::Family;

/// One row per dialect: what it is, its name in the catalogue, logs and metrics, and the operation that is spoken of.
macro_rules! dialects {
    ($($(#[doc = $about:literal])+ $variant:ident, $name:literal, $operation:ident;)+) => {
        /// A wire format of one operation.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum DialectId { $($(#[doc = $about])+ $variant,)+ }

        impl DialectId {
            /// Every dialect, for tables and tests.
            pub const ALL: &'static [DialectId] = &[$(DialectId::$variant,)+];

            /// The name in the catalogue, logs and metrics.
            pub const fn name(self) -> &'static str { match self { $(DialectId::$variant => $name,)+ } }

            /// The operation that is spoken of.
            pub const fn operation(self) -> Operation { match self { $(DialectId::$variant => Operation::$operation,)+ } }
        }
    };
}

dialects! {
    /// Anthropic's count of the tokens of a Messages request.
    AnthropicCountTokens, "anthropic_count_tokens", CountTokens;
    /// Anthropic's Messages.
    AnthropicMessages, "anthropic_messages", Chat;
    /// Amazon Bedrock's Converse.
    BedrockConverse, "bedrock_converse", Chat;
    /// Cohere's chat, version 2.
    CohereChat, "cohere_chat", Chat;
    /// Alibaba's Qwen behind OpenAI's chat completions.
    DashScopeChat, "dashscope_chat", Chat;
    /// Google's `generateContent`.
    Gemini, "gemini", Chat;
    /// Google's `countTokens`.
    GeminiCountTokens, "gemini_count_tokens", CountTokens;
    /// Mistral's chat.
    MistralChat, "mistral_chat", Chat;
    /// Ollama's own chat.
    OllamaChat, "ollama_chat", Chat;
    /// OpenAI's chat completions.
    OpenAiChat, "openai_chat", Chat;
    /// OpenAI's older completions: a text and its continuation.
    OpenAiCompletions, "openai_completions", Completion;
    /// OpenAI's embeddings.
    OpenAiEmbeddings, "openai_embeddings", Embeddings;
    /// OpenAI's count of the tokens of a Responses request.
    OpenAiInputTokens, "openai_input_tokens", CountTokens;
    /// OpenAI's Responses.
    OpenAiResponses, "openai_responses", Chat;
    /// IBM watsonx.ai's chat.
    WatsonxChat, "watsonx_chat", Chat;
}

impl DialectId {
    /// The dialect of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|dialect| dialect.name() == name)
    }

    /// The dialect of chat beside which it stands: whose errors it has.
    pub const fn chat(self) -> DialectId {
        match self {
            Self::AnthropicCountTokens => Self::AnthropicMessages,
            Self::GeminiCountTokens => Self::Gemini,
            Self::OpenAiInputTokens => Self::OpenAiResponses,
            other => other,
        }
    }

    /// Whose words it uses.
    pub const fn family(self) -> Family {
        match self {
            Self::AnthropicCountTokens | Self::AnthropicMessages => Family::Anthropic,
            Self::BedrockConverse => Family::Bedrock,
            Self::CohereChat => Family::Cohere,
            Self::Gemini | Self::GeminiCountTokens => Family::Gemini,
            Self::OllamaChat => Family::Ollama,
            Self::OpenAiInputTokens | Self::OpenAiResponses => Family::OpenAiResponses,
            Self::DashScopeChat
            | Self::MistralChat
            | Self::OpenAiChat
            | Self::OpenAiCompletions
            | Self::OpenAiEmbeddings
            | Self::WatsonxChat => Family::OpenAiChat,
        }
    }

    /// Whether it is one of OpenAI's older three, which are searched and edited as they go by.
    pub const fn is_plain_openai(self) -> bool {
        matches!(self, Self::OpenAiChat | Self::OpenAiCompletions | Self::OpenAiEmbeddings)
    }

    /// Whether the path of a request depends on the model and on whether a stream is asked for.
    pub const fn names_model_in_path(self) -> bool {
        matches!(self, Self::Gemini | Self::GeminiCountTokens | Self::BedrockConverse | Self::WatsonxChat)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_dialect_is_found_by_its_name() {
        for dialect in DialectId::ALL {
            assert_eq!(DialectId::from_name(dialect.name()), Some(*dialect));
        }
        assert_eq!(DialectId::from_name("OpenAiChat"), None);
    }
}
