//! What is known of a model.

use std::sync::Arc;

use gw_core::Price;

/// A model at a provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Model {
    /// What it is called there.
    pub name: Box<str>,
    /// Other names for it there.
    pub aliases: Vec<Box<str>>,
    /// What it is for.
    pub tasks: Tasks,
    /// How able it is, by its price; `None` if that is not known.
    pub tier: Option<Tier>,
    /// Tokens that prompt and answer, or the prompt alone, may have.
    pub context_tokens: Option<u64>,
    /// Tokens that an answer may have.
    pub output_tokens_max: Option<u64>,
    /// Numbers in a vector.
    pub dimensions: Option<u64>,
    /// Tokens that a prompt must have to be cached.
    pub cache_tokens_min: Option<u64>,
    /// What it reads.
    pub input: Modalities,
    /// What it makes.
    pub output: Modalities,
    /// What it can do.
    pub can: Capabilities,
    /// The day from which it is no longer served, as YYYY-MM-DD.
    pub deprecated: Option<Box<str>>,
    /// What it costs; `None` if that is not known.
    pub price: Option<Arc<Price>>,
    /// Hundredths of the price that it costs where the provider is asked in one region; as much as elsewhere if `None`.
    pub regional_percent: Option<u16>,
    /// Where the facts come from.
    pub source: Arc<str>,
    /// The day of the facts, as YYYY-MM-DD.
    pub date: Arc<str>,
    /// What a person should know of it.
    pub note: Option<Box<str>>,
}

/// Declares a set of words.
macro_rules! sets {
    ($word:ident, $set:ident) => {
        /// A set of them.
        #[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
        pub struct $set(u32);

        impl $set {
            /// Whether it is in the set.
            pub const fn has(self, one: $word) -> bool {
                self.0 & (1 << one as u32) != 0
            }

            /// What is in the set, in order.
            pub fn iter(self) -> impl Iterator<Item = $word> {
                $word::ALL.iter().copied().filter(move |one| self.has(*one))
            }
        }

        impl FromIterator<$word> for $set {
            fn from_iter<I: IntoIterator<Item = $word>>(all: I) -> Self {
                Self(all.into_iter().fold(0, |bits, one| bits | 1 << one as u32))
            }
        }
    };
}

/// Declares words with one meaning each, and a set of them where one is named.
macro_rules! words {
    ($(#[doc = $about:literal])+ $word:ident $(, $set:ident)? { $($(#[doc = $variant_about:literal])+ $variant:ident = $name:literal,)+ }) => {
        $(#[doc = $about])+
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $word { $($(#[doc = $variant_about])+ $variant,)+ }

        impl $word {
            /// Every one, in their order.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// Its word in files, configurations and answers.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }

            /// The one that a word means.
            pub fn from_name(name: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|one| one.name() == name)
            }
        }

        $(sets! { $word, $set })?
    };
}

words! {
    /// How able a model is, so that nothing is replaced by less without being asked. The rule is the price of a million
    /// tokens of its answers: from 8 dollars it is a flagship, from 1.5 standard, below small; what its maker calls mini,
    /// flash or the like is no flagship. The files may say otherwise by hand.
    Tier {
        /// Below all others.
        Small = "small",
        /// In between.
        Standard = "standard",
        /// Of the best that its maker has.
        Flagship = "flagship",
    }
}

words! {
    /// What a model is for.
    Task, Tasks {
        /// Conversations.
        Chat = "chat",
        /// Texts that are continued.
        Completion = "completion",
        /// Texts turned into vectors.
        Embedding = "embedding",
        /// Documents brought into order.
        Rerank = "rerank",
        /// Pictures made.
        Image = "image",
        /// Texts spoken.
        Speech = "speech",
        /// Speech written down.
        Transcription = "transcription",
        /// Texts judged.
        Moderation = "moderation",
        /// Conversations by voice.
        Realtime = "realtime",
        /// Films made.
        Video = "video",
    }
}

words! {
    /// What goes into a model or comes out of it.
    Modality, Modalities {
        /// Text.
        Text = "text",
        /// Pictures.
        Image = "image",
        /// Documents.
        Pdf = "pdf",
        /// Sound.
        Audio = "audio",
        /// Films.
        Video = "video",
        /// Vectors.
        Embedding = "embedding",
    }
}

words! {
    /// What a model can do.
    Capability, Capabilities {
        /// Thinks as it sees fit.
        AdaptiveThinking = "adaptive_thinking",
        /// Cannot be told not to think.
        AlwaysThinks = "always_thinks",
        /// Uses a computer.
        ComputerUse = "computer_use",
        /// Knows the effort `max`.
        EffortMax = "effort_max",
        /// Knows the effort `minimal`.
        EffortMinimal = "effort_minimal",
        /// Knows the effort `none`.
        EffortNone = "effort_none",
        /// Knows the effort `xhigh`.
        EffortXhigh = "effort_xhigh",
        /// Takes instructions in the middle of a conversation.
        MidConversationSystem = "mid_conversation_system",
        /// Keeps to a schema by a parameter of its own.
        NativeStructuredOutput = "native_structured_output",
        /// Refuses `temperature`, `top_p` and `top_k`.
        NoSampling = "no_sampling",
        /// Calls several tools at once.
        ParallelTools = "parallel_tools",
        /// Continues a text that the last message begins.
        Prefill = "prefill",
        /// Its provider caches the beginnings of prompts.
        PromptCaching = "prompt_caching",
        /// Thinks before it answers.
        Reasoning = "reasoning",
        /// Is reached by the Responses API alone.
        ResponsesOnly = "responses_only",
        /// Answers in streams alone.
        StreamOnly = "stream_only",
        /// Keeps to a schema.
        StructuredOutput = "structured_output",
        /// Can be told which tool to call.
        ToolChoice = "tool_choice",
        /// Calls tools.
        Tools = "tools",
        /// Searches the web.
        WebSearch = "web_search",
    }
}

impl Model {
    /// Whether it can do what a word asks for: a capability, or `vision`, `pdf`, `audio`, `video` for what it reads. `None`
    /// for a word that nobody knows.
    pub fn does(&self, word: &str) -> Option<bool> {
        let modality = Modality::from_name(if word == "vision" { "image" } else { word });
        let capability = Capability::from_name(word).map(|capability| self.can.has(capability));
        capability.or_else(|| modality.map(|modality| self.input.has(modality)))
    }
}
