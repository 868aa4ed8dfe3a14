//! The request path. Read [`engine`] first: one function tells the whole story. Then its steps, in order: [`identity`]
//! (who calls), [`models`] (what the model's name stands for), [`pricing`] (what it can do and costs), `routing` (the plan
//! and its walk), [`dispatch`] (the attempt), `outgoing` and `sending` (what the provider gets), `refusal`, `masking`,
//! `whole` and [`reply`] (the way back), [`meter`] (what is remembered). Where the provider speaks another dialect:
//! `translate`, and `unary` for embeddings and reranking. Where a stream breaks off: `routing/resume`, `prefill` (how
//! somebody is asked to go on) and `begun` (how the rest is joined).
//! [`snapshot`] is the configuration as running. Beside it: [`relay`] and [`realtime`] (what is carried), [`state`] and
//! [`conversations`] (what is kept), [`checks`] (health checks), [`trials`] (canaries) and [`shadow`] (copies whose
//! answers are compared).
//!
//! **Invariants.**
//! - A request sees one snapshot from its first step to its last.
//! - A meter settles exactly once, when it is dropped, whatever happened.
//! - The bytes of a request and of an answer are forwarded as they came, but for the edits named in [`dispatch`].
//! - Nothing here waits but for the provider and the client.
//!
//! Absent so far: limits, guardrails, caches.

mod answer_id;
mod begun;
pub mod budget;
pub mod checks;
mod continuing;
pub mod conversations;
mod cost;
mod counting;
mod custom_cost;
pub mod dispatch;
pub mod engine;
pub mod environments;
mod gathering;
pub mod identity;
mod judging;
pub mod limits;
mod masking;
pub mod media;
mod media_type;
pub mod meter;
pub mod models;
mod openrouter;
mod outgoing;
mod prefill;
pub mod pricing;
pub mod realtime;
pub mod recent;
mod refusal;
pub mod relay;
pub mod reply;
pub mod routing;
mod search;
mod sending;
mod settings;
pub mod shadow;
pub mod snapshot;
pub mod state;
mod threads;
mod translate;
mod translation;
pub mod trials;
mod unary;
mod whole;

pub use engine::{Call, Engine, Ports};
pub use meter::Meter;
pub use reply::{Reply, ReplyBody};
pub use snapshot::{Published, Snapshot};
