//! Providers: [`catalog`] (which there are, as data), [`quirks`] (where they differ), [`parameters`] (what an operator
//! changes), [`auth`] (who we are to them), [`attempt`] (one try at one of them), [`sandbox`] (the one that is built in).
//!
//! **Invariants.** A provider of the catalogue is a file and no code. Nothing here retries or chooses. Dropping an
//! attempt or its answer cancels it.

pub mod attempt;
pub mod auth;
pub mod catalog;
pub mod parameters;
pub mod quirks;
pub mod sandbox;
