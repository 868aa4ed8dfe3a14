//! What every long-running program needs: [`clock`] (what time it is), [`calendar`], [`tasks`] (what runs in the background),
//! [`mailbox`] (how the workers hand things to it).
//!
//! **Invariants.** Nothing here knows of HTTP or of AI. Nothing here waits on behalf of a worker: what a worker calls
//! returns at once. Every queue has a bound.

pub mod calendar;
pub mod clock;
pub mod mailbox;
pub mod tasks;

pub use clock::Clock;
pub use tasks::Tasks;
