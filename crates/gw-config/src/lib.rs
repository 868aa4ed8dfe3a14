//! Configuration.

pub mod config;
pub mod diagnostic;
pub mod secret;
