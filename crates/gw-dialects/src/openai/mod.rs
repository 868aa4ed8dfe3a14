//! OpenAI's formats: chat completions, completions, embeddings.

pub mod begun;
pub mod error;
pub mod request;
pub mod response;
pub mod stream;
pub mod usage;
