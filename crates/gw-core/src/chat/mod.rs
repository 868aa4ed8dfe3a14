//! A conversation and its continuation, in the one form in which all dialects meet. Read in this order: this file (what
//! is asked), [`part`] (what messages are made of), [`tool`], [`answer`] (what comes back whole), [`event`] (and in
//! pieces).

pub mod answer;
pub mod event;
pub mod loss;
pub mod opaque;
pub mod part;
pub mod tool;
pub mod unknown;

use serde_json::{Map, Value};

pub use answer::{Candidate, ChatAnswer, Finish, FinishReason};
pub use event::{Block, Collector, Delta, Event};
pub use loss::{Grade, Loss};
pub use opaque::{Family, Opaque, OpaqueKind};
pub use part::{
    CacheMarker, Citation, Media, MediaKind, MediaSource, Native, Part, Reasoning, Text, ToolCall, ToolInput,
    ToolResult,
};
pub use tool::{BuiltIn, BuiltInTool, CustomTool, Function, Tool, ToolChoice};
pub use unknown::Unknown;

/// What an application asks a model.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ChatRequest {
    /// The model, as the client named it.
    pub model: String,
    /// Whether the answer is to come in pieces.
    pub stream: bool,
    /// Whether a client whose dialect leaves the choice wants to be told the usage at the end of the stream.
    pub include_usage: bool,
    /// The conversation so far.
    pub messages: Vec<Message>,
    /// What the model may call.
    pub tools: Vec<Tool>,
    /// Whether the client declares them in OpenAI's older way, `functions`, and wants to be told of calls in that way.
    pub older_functions: bool,
    /// Which of them it must call, if it must.
    pub tool_choice: Option<ToolChoice>,
    /// Whether it may call several at once.
    pub parallel_tool_calls: Option<bool>,
    /// The shape of the text of the answer.
    pub output: OutputFormat,
    /// How tokens are chosen, and how many.
    pub sampling: Sampling,
    /// How the model is to think before it answers.
    pub thinking: Option<Thinking>,
    /// How long the answer is to be: `low`, `medium`, `high`.
    pub verbosity: Option<String>,
    /// What the answer may be made of besides text.
    pub modalities: Vec<Modality>,
    /// How audio is to be spoken, in the client's dialect.
    pub audio: Option<Value>,
    /// Text that much of the answer is expected to equal.
    pub prediction: Option<String>,
    /// Which service is wanted: `auto`, `default`, `flex`, `priority`, …
    pub service_tier: Option<String>,
    /// An id of the end user, for the provider's own supervision.
    pub user: Option<String>,
    /// Names and values that the provider is to keep with the answer.
    pub metadata: Map<String, Value>,
    /// Requests with the same key are to find the same cache.
    pub cache_key: Option<String>,
    /// What the dialect can say and no word above stands for.
    pub extra: Extra,
}

/// Members of a request or of an answer that only dialects of one family understand.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Extra {
    /// Whose members these are.
    pub family: Family,
    /// The members, by the names they have at the top of the body (`generationConfig.x` for one inside).
    pub members: Map<String, Value>,
}

impl Extra {
    /// What is left over of an answer of that family's. Nothing belongs to nobody.
    pub fn of_answer(family: Family, members: Map<String, Value>) -> Self {
        if members.is_empty() { Self::default() } else { Self { family, members } }
    }

    /// The members, for dialects of that family; of another's, none.
    pub fn of(&self, family: Family) -> Option<&Map<String, Value>> {
        Some(&self.members).filter(|_| self.family == family)
    }
}

/// One turn of a conversation.
#[derive(Debug, Clone, PartialEq)]
pub struct Message {
    /// Whose turn.
    pub role: Role,
    /// What it consists of. Results of tools are parts of a user's turn.
    pub parts: Vec<Part>,
    /// The name of the participant.
    pub name: Option<String>,
    /// What the dialect can say of a message and no word above stands for.
    pub unknown: Unknown,
}

/// Whose turn it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Instructions, in the older word.
    System,
    /// Instructions, in OpenAI's newer word.
    Developer,
    /// The application's side, results of tools included.
    User,
    /// The model's side.
    Assistant,
}

/// How tokens are chosen, and how many.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Sampling {
    /// The most tokens of the answer, thinking included.
    pub max_output_tokens: Option<u64>,
    /// 0 to 2; some vendors allow no more than 1.
    pub temperature: Option<f64>,
    /// 0 to 1.
    pub top_p: Option<f64>,
    /// So many of the likeliest tokens.
    pub top_k: Option<u64>,
    /// Texts that end the answer.
    pub stop: Vec<String>,
    /// For answers that repeat.
    pub seed: Option<i64>,
    /// -2 to 2.
    pub presence_penalty: Option<f64>,
    /// -2 to 2.
    pub frequency_penalty: Option<f64>,
    /// How many answers.
    pub candidates: Option<u32>,
    /// Whether the probabilities of tokens are told, and of how many alternatives.
    pub logprobs: Option<Logprobs>,
    /// Token ids and what is added to their logits.
    pub logit_bias: Map<String, Value>,
}

/// Which probabilities are told.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Logprobs {
    /// Alternatives for each token.
    pub top: Option<u32>,
}

/// How the model is to think before it answers. What is `None` was not said.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Thinking {
    /// Whether at all: Anthropic's `enabled`, `disabled`; `adaptive` is `None` with an effort or a budget of its own.
    pub mode: Option<ThinkingMode>,
    /// How much, in words.
    pub effort: Option<Effort>,
    /// How much, in tokens.
    pub budget_tokens: Option<u64>,
    /// What of it is shown.
    pub display: Option<ThinkingDisplay>,
}

/// Whether the model thinks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ThinkingMode {
    /// It does not.
    Disabled,
    /// It does, within a budget.
    Enabled,
    /// It decides by itself.
    Adaptive,
}

/// How much the model thinks, in words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Effort {
    /// Not at all.
    None,
    /// As little as possible.
    Minimal,
    /// Little.
    Low,
    /// The usual.
    Medium,
    /// Much.
    High,
    /// Very much.
    XHigh,
    /// As much as possible.
    Max,
}

impl Effort {
    /// Every effort, from the least.
    pub const ALL: [Effort; 7] =
        [Effort::None, Effort::Minimal, Effort::Low, Effort::Medium, Effort::High, Effort::XHigh, Effort::Max];

    /// The word that OpenAI and Anthropic use.
    pub const fn name(self) -> &'static str {
        match self {
            Effort::None => "none",
            Effort::Minimal => "minimal",
            Effort::Low => "low",
            Effort::Medium => "medium",
            Effort::High => "high",
            Effort::XHigh => "xhigh",
            Effort::Max => "max",
        }
    }

    /// The effort of that word.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|effort| effort.name() == name)
    }
}

/// What of the model's thinking is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ThinkingDisplay {
    /// Nothing.
    Omitted,
    /// A summary, as long as the vendor sees fit.
    Auto,
    /// A short summary.
    Concise,
    /// A long summary.
    Detailed,
}

/// The shape of the text of the answer.
#[derive(Debug, Clone, Default, PartialEq)]
pub enum OutputFormat {
    /// Any text.
    #[default]
    Text,
    /// A JSON object.
    Json,
    /// JSON that a schema allows.
    Schema(OutputSchema),
}

/// A schema for the answer.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct OutputSchema {
    /// Its name.
    pub name: Option<String>,
    /// What it is for.
    pub description: Option<String>,
    /// The JSON Schema.
    pub schema: Value,
    /// Whether the vendor is to enforce it.
    pub strict: Option<bool>,
}

/// What an answer may be made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Modality {
    /// Text.
    Text,
    /// Speech.
    Audio,
    /// Pictures.
    Image,
}

impl Message {
    /// A turn.
    pub fn new(role: Role, parts: Vec<Part>) -> Self {
        Self { role, parts, name: None, unknown: Unknown::default() }
    }
}
