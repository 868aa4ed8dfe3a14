//! What the sandbox reads of a request's body. Everything else in it is accepted and ignored.

use bytes::Bytes;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::problem::Problem;

/// More choices than this are refused.
pub(super) const CHOICES_MAX: usize = 8;
/// More inputs in one request than this are refused, as OpenAI does.
const INPUTS_MAX: usize = 2_048;

/// The body of a chat request.
#[derive(Debug, Deserialize)]
pub(super) struct ChatRequest {
    pub(super) model: String,
    pub(super) messages: Vec<Message>,
    #[serde(flatten)]
    pub(super) options: Options,
    pub(super) max_completion_tokens: Option<u64>,
    pub(super) tools: Option<Vec<Tool>>,
    pub(super) tool_choice: Option<ToolChoice>,
    pub(super) parallel_tool_calls: Option<bool>,
    pub(super) response_format: Option<ResponseFormat>,
}

/// The body of a legacy completion request.
#[derive(Debug, Deserialize)]
pub(super) struct CompletionRequest {
    pub(super) model: String,
    pub(super) prompt: Input,
    #[serde(flatten)]
    pub(super) options: Options,
}

/// The body of an embeddings request.
#[derive(Debug, Deserialize)]
pub(super) struct EmbeddingRequest {
    pub(super) model: String,
    pub(super) input: Input,
    pub(super) dimensions: Option<usize>,
    pub(super) encoding_format: Option<EncodingFormat>,
}

/// What chat and legacy completions have in common.
#[derive(Debug, Deserialize)]
pub(super) struct Options {
    n: Option<usize>,
    pub(super) stream: Option<bool>,
    stream_options: Option<StreamOptions>,
    stop: Option<Stop>,
    pub(super) max_tokens: Option<u64>,
}

#[derive(Debug, Deserialize)]
struct StreamOptions {
    include_usage: Option<bool>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged, expecting = "stop must be a text or a list of texts")]
enum Stop {
    One(String),
    Many(Vec<String>),
}

#[derive(Debug, Deserialize)]
pub(super) struct Message {
    pub(super) role: String,
    pub(super) content: Option<Content>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged, expecting = "content must be a text or a list of parts, each with a type")]
pub(super) enum Content {
    Text(String),
    Parts(Vec<Part>),
}

#[derive(Debug, Deserialize)]
pub(super) struct Part {
    pub(super) r#type: String,
    pub(super) text: Option<String>,
}

/// An offered tool. Only functions are ever called.
#[derive(Debug, Deserialize)]
pub(super) struct Tool {
    pub(super) function: Option<Function>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Function {
    pub(super) name: String,
    pub(super) parameters: Option<Value>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged, expecting = "tool_choice must be none, auto, required or an object")]
pub(super) enum ToolChoice {
    Mode(ToolMode),
    /// Names a function, or is of a kind that is not known here and is taken as `auto`.
    Object {
        function: Option<NamedFunction>,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum ToolMode {
    None,
    Auto,
    Required,
}

#[derive(Debug, Deserialize)]
pub(super) struct NamedFunction {
    pub(super) name: String,
}

#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum ResponseFormat {
    Text,
    JsonObject,
    JsonSchema { json_schema: NamedSchema },
}

#[derive(Debug, Deserialize)]
pub(super) struct NamedSchema {
    pub(super) schema: Option<Value>,
}

/// Texts or tokens to complete or to embed.
#[derive(Debug, Deserialize)]
#[serde(untagged, expecting = "must be a text, a list of texts, a list of tokens or a list of lists of tokens")]
pub(super) enum Input {
    Text(String),
    Texts(Vec<String>),
    Tokens(Vec<u64>),
    TokenLists(Vec<Vec<u64>>),
}

/// How a vector is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum EncodingFormat {
    Float,
    Base64,
}

/// One text, or the tokens of one.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum InputItem {
    Text(String),
    Tokens(Vec<u64>),
}

/// The model that a body names.
pub(super) fn model_of(body: &Bytes) -> Result<String, Problem> {
    #[derive(Deserialize)]
    struct Head {
        model: Option<String>,
    }
    let head: Head = read(body)?;
    head.model.ok_or_else(|| Problem::invalid_field("model", "you must provide a model parameter"))
}

/// Reads a body; what does not fit is the client's mistake.
pub(super) fn read<T: DeserializeOwned>(body: &Bytes) -> Result<T, Problem> {
    serde_json::from_slice(body).map_err(|error| Problem::invalid(format!("We could not read your request: {error}.")))
}

impl Options {
    /// How many choices are asked for.
    pub(super) fn choices(&self) -> Result<usize, Problem> {
        match self.n.unwrap_or(1) {
            n if (1..=CHOICES_MAX).contains(&n) => Ok(n),
            _ => Err(Problem::invalid_field("n", format!("n must be between 1 and {CHOICES_MAX}."))),
        }
    }

    /// The texts at which an answer stops.
    pub(super) fn stops(&self) -> &[String] {
        match &self.stop {
            None => &[],
            Some(Stop::One(stop)) => std::slice::from_ref(stop),
            Some(Stop::Many(stops)) => stops,
        }
    }

    /// Whether a stream is to end with a report of usage.
    pub(super) fn include_usage(&self) -> bool {
        self.stream_options.as_ref().and_then(|options| options.include_usage).unwrap_or(false)
    }
}

impl Input {
    /// The texts one by one.
    pub(super) fn items(self, param: &'static str) -> Result<Vec<InputItem>, Problem> {
        let items: Vec<InputItem> = match self {
            Self::Text(text) => vec![InputItem::Text(text)],
            Self::Texts(texts) => texts.into_iter().map(InputItem::Text).collect(),
            Self::Tokens(tokens) => vec![InputItem::Tokens(tokens)],
            Self::TokenLists(lists) => lists.into_iter().map(InputItem::Tokens).collect(),
        };
        if items.is_empty() || items.len() > INPUTS_MAX {
            return Err(Problem::invalid_field(param, format!("{param} must hold 1 to {INPUTS_MAX} items.")));
        }
        Ok(items)
    }
}
