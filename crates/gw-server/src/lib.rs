//! HTTP for applications. [`routes`] says what a path means, [`handle`] answers it, [`respond`] writes what the client
//! sees, [`body`] reads what it sent, [`origin`] keeps web pages out, [`models`] lists, [`plan`], [`standing`] and
//! [`canaries`] explain, `relay` takes bodies that flow, `keys` finds keys, [`ids`] numbers requests, [`health`] and
//! [`control`] are for operators.
//!
//! **Invariants.** Every answer carries a request id. Every error is in the caller's own format. What is not the API is
//! handed to the control plane; nothing else leaves the worker.

mod attempts;
pub mod body;
pub mod canaries;
pub mod control;
pub mod environments;
pub mod handle;
mod health;
pub mod ids;
mod keys;
pub mod models;
pub mod openrouter;
pub mod origin;
pub mod plan;
mod prefixes;
mod question;
mod relay;
pub mod respond;
pub mod routes;
pub mod standing;
mod state;
mod universal;
mod waiting;

pub use control::Control;
pub use handle::Api;
pub use health::Health;
