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
    /// Embeddings by Amazon Bedrock's InvokeModel, in the words of each model's maker.
    BedrockEmbed, "bedrock_embed", Embeddings;
    /// Reranking by Amazon Bedrock's InvokeModel.
    BedrockRerank, "bedrock_rerank", Rerank;
    /// Cohere's chat, version 2.
    CohereChat, "cohere_chat", Chat;
    /// Cohere's embeddings, version 2.
    CohereEmbed, "cohere_embed", Embeddings;
    /// Cohere's reranking, version 2.
    CohereRerank, "cohere_rerank", Rerank;
    /// Alibaba's Qwen behind OpenAI's chat completions.
    DashScopeChat, "dashscope_chat", Chat;
    /// Google's `generateContent`.
    Gemini, "gemini", Chat;
    /// Google's `batchEmbedContents`.
    GeminiBatchEmbed, "gemini_batch_embed", Embeddings;
    /// Google's `countTokens`.
    GeminiCountTokens, "gemini_count_tokens", CountTokens;
    /// Google's `embedContent`: one vector.
    GeminiEmbed, "gemini_embed", Embeddings;
    /// Jina's embeddings: OpenAI's with words of its own.
    JinaEmbeddings, "jina_embeddings", Embeddings;
    /// Reranking as Jina has it, and many after it: OpenRouter, Together, vLLM.
    JinaRerank, "jina_rerank", Rerank;
    /// Mistral's chat.
    MistralChat, "mistral_chat", Chat;
    /// Mistral's moderation of conversations.
    MistralChatModerations, "mistral_chat_moderations", Moderations;
    /// Mistral's embeddings: OpenAI's with words of its own.
    MistralEmbeddings, "mistral_embeddings", Embeddings;
    /// Ollama's own chat.
    OllamaChat, "ollama_chat", Chat;
    /// Ollama's own embeddings.
    OllamaEmbed, "ollama_embed", Embeddings;
    /// OpenAI's batches.
    OpenAiBatches, "openai_batches", Batches;
    /// OpenAI's chat completions.
    OpenAiChat, "openai_chat", Chat;
    /// OpenAI's older completions: a text and its continuation.
    OpenAiCompletions, "openai_completions", Completion;
    /// OpenAI's embeddings.
    OpenAiEmbeddings, "openai_embeddings", Embeddings;
    /// OpenAI's files.
    OpenAiFiles, "openai_files", Files;
    /// OpenAI's fine-tuning jobs.
    OpenAiFineTuning, "openai_fine_tuning", FineTuning;
    /// OpenAI's changes of pictures.
    OpenAiImageEdits, "openai_image_edits", Images;
    /// OpenAI's variations of pictures.
    OpenAiImageVariations, "openai_image_variations", Images;
    /// OpenAI's pictures.
    OpenAiImages, "openai_images", Images;
    /// OpenAI's count of the tokens of a Responses request.
    OpenAiInputTokens, "openai_input_tokens", CountTokens;
    /// OpenAI's moderations, which Mistral has too.
    OpenAiModerations, "openai_moderations", Moderations;
    /// OpenAI's Realtime, over WebSocket.
    OpenAiRealtime, "openai_realtime", Realtime;
    /// OpenAI's Responses.
    OpenAiResponses, "openai_responses", Chat;
    /// OpenAI's speech.
    OpenAiSpeech, "openai_speech", Speech;
    /// OpenAI's transcriptions.
    OpenAiTranscriptions, "openai_transcriptions", Transcription;
    /// OpenAI's transcriptions into English.
    OpenAiTranslations, "openai_translations", Transcription;
    /// OpenAI's uploads of large files in parts.
    OpenAiUploads, "openai_uploads", Files;
    /// OpenAI's films.
    OpenAiVideos, "openai_videos", Videos;
    /// A provider's own API, whatever that is.
    Raw, "raw", Passthrough;
    /// Voyage's embeddings: OpenAI's with words of its own.
    VoyageEmbeddings, "voyage_embeddings", Embeddings;
    /// Voyage's reranking.
    VoyageRerank, "voyage_rerank", Rerank;
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
            Self::OpenAiInputTokens => Self::OpenAiResponses,
            Self::BedrockEmbed | Self::BedrockRerank => Self::BedrockConverse,
            Self::CohereEmbed | Self::CohereRerank => Self::CohereChat,
            Self::GeminiBatchEmbed | Self::GeminiCountTokens | Self::GeminiEmbed => Self::Gemini,
            Self::OllamaEmbed => Self::OllamaChat,
            Self::JinaEmbeddings
            | Self::JinaRerank
            | Self::MistralChatModerations
            | Self::MistralEmbeddings
            | Self::OpenAiEmbeddings
            | Self::OpenAiModerations
            | Self::VoyageEmbeddings
            | Self::VoyageRerank => Self::OpenAiChat,
            other => other,
        }
    }

    /// Whose words it uses.
    pub const fn family(self) -> Family {
        match self {
            Self::AnthropicCountTokens | Self::AnthropicMessages => Family::Anthropic,
            Self::BedrockConverse | Self::BedrockEmbed | Self::BedrockRerank => Family::Bedrock,
            Self::CohereChat | Self::CohereEmbed | Self::CohereRerank => Family::Cohere,
            Self::Gemini | Self::GeminiBatchEmbed | Self::GeminiCountTokens | Self::GeminiEmbed => Family::Gemini,
            Self::OllamaChat | Self::OllamaEmbed => Family::Ollama,
            Self::OpenAiInputTokens | Self::OpenAiResponses => Family::OpenAiResponses,
            Self::DashScopeChat
            | Self::JinaEmbeddings
            | Self::JinaRerank
            | Self::MistralChat
            | Self::MistralChatModerations
            | Self::MistralEmbeddings
            | Self::OpenAiChat
            | Self::OpenAiCompletions
            | Self::OpenAiEmbeddings
            | Self::OpenAiModerations
            | Self::VoyageEmbeddings
            | Self::VoyageRerank
            | Self::WatsonxChat => Family::OpenAiChat,
            // What is carried is not said in anybody's words; its errors are OpenAI's.
            Self::OpenAiBatches
            | Self::OpenAiFiles
            | Self::OpenAiFineTuning
            | Self::OpenAiImageEdits
            | Self::OpenAiImageVariations
            | Self::OpenAiImages
            | Self::OpenAiRealtime
            | Self::OpenAiSpeech
            | Self::OpenAiTranscriptions
            | Self::OpenAiTranslations
            | Self::OpenAiUploads
            | Self::OpenAiVideos
            | Self::Raw => Family::OpenAiChat,
        }
    }

    /// Whether it is one of OpenAI's older ones, or so much like them that it is searched and edited as it goes by.
    pub const fn is_plain_openai(self) -> bool {
        matches!(
            self,
            Self::MistralChatModerations
                | Self::OpenAiChat
                | Self::OpenAiCompletions
                | Self::OpenAiEmbeddings
                | Self::OpenAiModerations
        )
    }

    /// Whether the path of a request depends on the model and on whether a stream is asked for.
    pub const fn names_model_in_path(self) -> bool {
        matches!(
            self,
            Self::BedrockConverse
                | Self::BedrockEmbed
                | Self::BedrockRerank
                | Self::Gemini
                | Self::GeminiBatchEmbed
                | Self::GeminiCountTokens
                | Self::GeminiEmbed
                | Self::WatsonxChat
        )
    }

    /// The model that is meant where a request names none, as the vendor says.
    pub const fn default_model(self) -> Option<&'static str> {
        match self {
            Self::OpenAiModerations => Some("omni-moderation-latest"),
            _ => None,
        }
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
