//! How much an expression may do with a request.

use std::sync::atomic::{AtomicI64, Ordering::Relaxed};

/// How many steps an evaluation may take: turns of macros, and values and KiB of text that are looked at. At worst some
/// tens of milliseconds.
pub(super) const STEPS_MAX: i64 = 50_000;
/// How much text is looked at in one step, in bytes.
const STEP_BYTES: usize = 1_024;

/// The steps that are left.
#[derive(Debug)]
pub(super) struct Budget(AtomicI64);

impl Budget {
    pub(super) fn new() -> Self {
        Self(AtomicI64::new(STEPS_MAX))
    }

    /// Takes steps; whether there were so many left.
    pub(super) fn take(&self, steps: i64) -> bool {
        self.0.fetch_sub(steps, Relaxed) >= steps
    }

    pub(super) fn is_exhausted(&self) -> bool {
        self.0.load(Relaxed) < 0
    }
}

/// The steps that a text takes.
pub(super) fn of_text(text: &str) -> i64 {
    1 + i64::try_from(text.len() / STEP_BYTES).unwrap_or(STEPS_MAX)
}
