//! Decisions, pure: which targets a request goes to, in which order, when one is tried again, when it is left out.
//!
//! Nothing here reads a clock, rolls dice or remembers: time, dice and what has been measured are arguments, states are
//! values. Times are counted from any one moment (the start of the process, say).

pub mod auto;
pub mod balance;
pub mod breaker;
pub mod canary;
pub mod condition;
pub mod credentials;
pub mod dice;
pub mod expression;
pub mod failure;
pub mod glob;
pub mod hedge;
pub mod limit;
pub mod measure;
pub mod plan;
pub mod rate;
pub mod retry;
