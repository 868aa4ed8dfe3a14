//! The events of a stream, as they are written.

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::bedrock_converse::answer::{Tier, TokenUsage};

/// `contentBlockStart`: a block begins.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct BlockStart {
    #[serde(default)]
    pub(super) start: Map<String, Value>,
    #[serde(default)]
    pub(super) content_block_index: u64,
}

/// `contentBlockDelta`: more of a block.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct BlockDelta {
    pub(super) delta: Piece,
    #[serde(default)]
    pub(super) content_block_index: u64,
}

/// What a delta says: one of these, or one that is not known.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Piece {
    pub(super) text: Option<String>,
    pub(super) tool_use: Option<Input>,
    pub(super) reasoning_content: Option<Thought>,
    pub(super) citation: Option<Value>,
    pub(super) tool_result: Option<Vec<Value>>,
    pub(super) image: Option<Value>,
}

/// More of the arguments of a call, as JSON text.
#[derive(Deserialize)]
pub(super) struct Input {
    #[serde(default)]
    pub(super) input: String,
}

/// More of the thoughts: their text, their proof, or themselves, encrypted.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Thought {
    pub(super) text: Option<String>,
    pub(super) signature: Option<String>,
    pub(super) redacted_content: Option<String>,
}

/// `messageStop`: the answer is whole.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct MessageStop {
    pub(super) stop_reason: Option<String>,
    pub(super) additional_model_response_fields: Option<Value>,
}

/// `metadata`: what was used, behind the end.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Metadata {
    pub(super) usage: Option<TokenUsage>,
    pub(super) service_tier: Option<Tier>,
    pub(super) trace: Option<Value>,
    pub(super) performance_config: Option<Value>,
}
