//! What a model may call.

use serde_json::Value;

use crate::chat::opaque::Family;
use crate::chat::part::CacheMarker;
use crate::chat::unknown::Unknown;

/// Something that a model may call.
#[derive(Debug, Clone, PartialEq)]
pub enum Tool {
    /// A function of the application's, with arguments in JSON.
    Function(Function),
    /// A function of the application's that takes free text.
    Custom(CustomTool),
    /// A tool that the provider runs, or whose arguments only its models know.
    BuiltIn(BuiltInTool),
}

/// A function of the application's.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Function {
    /// Its name.
    pub name: String,
    /// What it does.
    pub description: Option<String>,
    /// The JSON Schema of its arguments; `None` if it takes none, or none was given.
    pub parameters: Option<Value>,
    /// Whether the vendor is to enforce the schema.
    pub strict: Option<bool>,
    /// Up to here the provider is to remember the request.
    pub cache: Option<CacheMarker>,
    /// What the dialect can say of it and no word above stands for.
    pub unknown: Unknown,
}

/// A function of the application's that takes free text.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct CustomTool {
    /// Its name.
    pub name: String,
    /// What it does.
    pub description: Option<String>,
    /// What its text is like, as OpenAI's Responses write it: `{"type": "text"}`, or `{"type": "grammar", "syntax": "lark",
    /// "definition": "…"}`. Chat completions, which nest the grammar, convert it.
    pub format: Option<Value>,
    /// What the dialect can say of it and no word above stands for.
    pub unknown: Unknown,
}

/// A tool that the provider runs, or whose arguments only its models know.
#[derive(Debug, Clone, PartialEq)]
pub struct BuiltInTool {
    /// What it is for, as far as several vendors have the like.
    pub kind: BuiltIn,
    /// Whose words `value` is in.
    pub family: Family,
    /// The tool as the client wrote it.
    pub value: Value,
}

/// What a built-in tool is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BuiltIn {
    /// Searches the web.
    WebSearch,
    /// Reads the addresses in the conversation.
    UrlContext,
    /// Runs code.
    CodeExecution,
    /// Something that only its family has.
    Other,
}

/// Which tools the model must call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ToolChoice {
    /// As it sees fit.
    Auto,
    /// None.
    None,
    /// At least one.
    Required,
    /// This function.
    Function(String),
    /// This custom tool.
    Custom(String),
    /// Some of these functions.
    Allowed {
        /// Whether at least one must be called.
        required: bool,
        /// Their names.
        names: Vec<String>,
    },
}

impl Tool {
    /// The name that the model calls it by; a built-in tool has none that is known everywhere.
    pub fn name(&self) -> Option<&str> {
        match self {
            Self::Function(function) => Some(&function.name),
            Self::Custom(custom) => Some(&custom.name),
            Self::BuiltIn(_) => None,
        }
    }
}
