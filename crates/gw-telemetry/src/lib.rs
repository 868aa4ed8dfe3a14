//! The only crate that knows metrics and logs.
//!
//! Metrics: [`names`] (the list of them), [`bank`] (what a worker counts), [`registry`] (what all workers have counted,
//! as a page for Prometheus). Logs: [`log`] (where lines go and which are written), [`request_log`] (a line for each
//! finished request), [`redact()`] (what must not stand in them).
//!
//! **Invariants.**
//! - A worker writes only its own counters, without locks or shared atomics; they are added up when somebody looks.
//! - Counting or logging never waits and never fails a request: what does not fit is dropped, and the drop is counted.
//! - Everything is bounded: series by [`registry::SERIES_MAX`], lines waiting to be written by [`log::BUFFER_BYTES`].
//! - Neither metrics nor logs hold content or credentials. Model names become labels only where a provider serves them.

pub mod bank;
mod counter;
mod exposition;
mod hedges;
pub mod log;
pub mod names;
pub mod redact;
pub mod registry;
mod request_line;
pub mod request_log;
pub mod rfc3339;
mod series;
mod shadows;
mod story;
#[cfg(test)]
mod testing;
mod totals;
mod walks;
mod writer;

pub use bank::{Bank, Series, SeriesKey};
pub use hedges::Hedged;
pub use log::{Format, LogControl};
pub use names::reference;
pub use redact::redact;
pub use registry::{Registry, Reload, Sampled};
pub use request_log::RequestLog;
pub use shadows::Missed;
pub use story::Named;
