//! Documents put in the order in which they answer a query, in the one form in which all dialects meet.

use serde_json::{Map, Value};

use crate::Usage;
use crate::chat::Extra;

/// What an application wants put in order.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RerankRequest {
    /// The model, as the client named it.
    pub model: String,
    /// What the documents are compared with.
    pub query: String,
    /// The documents.
    pub documents: Vec<Document>,
    /// How many of the best are wanted; all if `None`.
    pub top_n: Option<u64>,
    /// Whether the answer is to repeat the documents. The gateway does that itself.
    pub return_documents: bool,
    /// How many tokens of each document count.
    pub max_tokens_per_document: Option<u64>,
    /// Whether documents that are too long are cut, and not refused.
    pub truncation: Option<bool>,
    /// What the dialect can say and no word above stands for.
    pub extra: Extra,
}

/// A document.
#[derive(Debug, Clone, PartialEq)]
pub enum Document {
    /// A text.
    Text(String),
    /// A text with a member `text`, or fields.
    Fields(Map<String, Value>),
}

/// Documents in order.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RerankAnswer {
    /// The provider's id of the answer.
    pub id: Option<String>,
    /// The model that put them in order.
    pub model: String,
    /// The documents by their place in the request, the best first.
    pub results: Vec<Ranked>,
    /// What was used; `None` where the provider does not say.
    pub usage: Option<Usage>,
}

/// A document's place and score.
#[derive(Debug, Clone, PartialEq)]
pub struct Ranked {
    /// Its place in the request.
    pub index: usize,
    /// How well it answers the query: a JSON number, as the provider wrote it.
    pub score: String,
}
