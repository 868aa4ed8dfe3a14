//! The request path. Read [`engine`] first: one function tells the whole story. Then its steps, in order: [`identity`]
//! (who calls), [`models`] (what the model's name stands for), [`pricing`] (what it can do and costs),
//! [`dispatch`] (the attempt), [`reply`] (the way back), [`meter`] (what is remembered). [`snapshot`] is the configuration as running.
//!
//! **Invariants.**
//! - A request sees one snapshot from its first step to its last.
//! - A meter settles exactly once, when it is dropped, whatever happened.
//! - The bytes of a request and of an answer are forwarded as they came, but for the edits named in [`dispatch`].
//! - Nothing here waits but for the provider and the client.
//!
//! Absent so far: limits, guardrails, caches, and plans of more than one attempt.

pub mod budget;
mod continuing;
pub mod conversations;
mod cost;
pub mod dispatch;
pub mod engine;
mod gathering;
mod identity;
pub mod media;
pub mod meter;
pub mod models;
mod operations;
pub mod pricing;
pub mod realtime;
pub mod relay;
pub mod reply;
pub mod routing;
mod sending;
mod settings;
pub mod snapshot;
pub mod state;
mod threads;
mod translate;
mod translation;

pub use engine::{Call, Engine, Ports};
pub use meter::Meter;
pub use reply::{Reply, ReplyBody};
pub use snapshot::{Published, Snapshot};
