//! The tools of the whole-house tests.

mod answers;
mod client;
mod config;
mod gateway;
mod tls;
mod upstream;
mod wire;

use std::time::Duration;

use tokio::time::timeout;

pub(crate) use answers::{CHAT_ANSWER, event_stream, http_answer, json_answer};
pub(crate) use client::{Answer, Client};
pub(crate) use config::{CLIENT_KEY, PROVIDER_KEY, config, provider, scripted};
pub(crate) use gateway::{Finished, Gateway, Launch};
pub(crate) use tls::{Authority, http2_client, tls_stream};
pub(crate) use upstream::{Peer, Recorded, Upstream};
pub(crate) use wire::{Cut, Framing, Head, Wire};

/// Longer than anything that works may take, even on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);

/// Waits for what must happen.
pub(crate) async fn within<F: Future>(what: &str, future: F) -> F::Output {
    timeout(PATIENCE, future).await.unwrap_or_else(|_| panic!("{what} did not happen within {PATIENCE:?}"))
}

/// Runs beside the test, to the end of the test's runtime.
#[expect(clippy::disallowed_methods, reason = "a test ends with its runtime; nobody waits for its tasks")]
pub(crate) fn beside<F: Future<Output: Send> + Send + 'static>(future: F) -> tokio::task::JoinHandle<F::Output> {
    tokio::spawn(future)
}

/// The body of a chat request.
pub(crate) fn chat(model: &str) -> String {
    format!(r#"{{"model":"{model}","messages":[{{"role":"user","content":"hello"}}]}}"#)
}

/// The body of a chat request that asks for a stream.
pub(crate) fn streamed_chat(model: &str) -> String {
    format!(r#"{{"model":"{model}","stream":true,"messages":[{{"role":"user","content":"hello"}}]}}"#)
}
