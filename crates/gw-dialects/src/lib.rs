//! The wire formats of the operations: bytes in, values out. Read in this order: [`paths`] (which path means which
//! dialect), [`scan`] (one pass over a JSON object), [`head`] (what the gateway reads of a request), [`edit`] (what it
//! changes), [`sse`] (event streams by the standard); then OpenAI's own: [`request`], [`response`], [`usage`],
//! [`stream`], [`error`]. What is said in other words: [`chat`]; [`unary`], and its operations [`embeddings`] and
//! [`rerank`].
//!
//! **Invariants.** No I/O, no clock, no log. What is not understood goes through byte for byte; nothing is serialised
//! again. No input makes this crate panic, and what it holds of an input is bounded. A message never quotes a request.

pub mod anthropic_messages;
pub mod bedrock_converse;
pub mod carried;
pub mod carried_counts;
pub mod carried_usage;
pub mod chat;
pub mod cohere_chat;
pub mod dashscope_chat;
mod dialect;
pub mod edit;
pub mod embeddings;
pub mod envelope;
pub mod event_stream;
pub mod gemini;
pub mod head;
pub mod mistral_chat;
pub mod multipart;
pub mod ndjson;
pub mod ollama_chat;
mod openai;
pub mod openai_chat;
pub mod openai_responses;
pub mod paths;
mod plain;
pub mod rerank;
pub mod scan;
pub mod shared;
mod skip;
pub mod sse;
mod told_cost;
pub mod unary;
pub mod watsonx_chat;
pub mod websocket;

pub use dialect::DialectId;
pub use openai::{begun, error, request, response, stream, usage};
