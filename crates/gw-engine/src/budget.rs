//! What the process holds at once: bytes of bodies, and requests in flight.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use gw_core::{Error, ErrorCode};

/// Bytes of one body that are not counted. They are bounded by the requests in flight, and most bodies are no larger:
/// those never touch the counter that all workers share.
pub const UNCOUNTED_BYTES: usize = 16 << 10;

/// When a client that was turned away may try again.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// A bound on something that requests take and give back.
#[derive(Debug)]
pub struct Budget {
    what: &'static str,
    max: AtomicUsize,
    taken: AtomicUsize,
}

impl Budget {
    /// A budget of `max`, of which nothing is taken.
    pub fn new(what: &'static str, max: usize) -> Arc<Self> {
        Arc::new(Self { what, max: AtomicUsize::new(max), taken: AtomicUsize::new(0) })
    }

    /// Changes the bound. What is taken beyond a smaller one is given back in time.
    pub fn set_max(&self, max: usize) {
        self.max.store(max, Ordering::Relaxed);
    }

    /// How much is taken.
    pub fn taken(&self) -> usize {
        self.taken.load(Ordering::Relaxed)
    }

    /// Takes nothing yet.
    pub fn nothing(self: &Arc<Self>) -> Taken {
        Taken { budget: Arc::clone(self), amount: 0 }
    }

    /// Takes `amount`.
    ///
    /// # Errors
    /// `overloaded`, with the time after which to try again, if there is not as much left.
    pub fn take(self: &Arc<Self>, amount: usize) -> Result<Taken, Error> {
        let mut taken = self.nothing();
        taken.grow(amount)?;
        Ok(taken)
    }
}

/// A part of a budget, given back when dropped.
#[derive(Debug)]
pub struct Taken {
    budget: Arc<Budget>,
    amount: usize,
}

impl Taken {
    /// Counts a piece of a body of which `before` bytes have come; the first [`UNCOUNTED_BYTES`] of a body are not.
    ///
    /// # Errors
    /// `overloaded` if there is not as much left.
    pub fn hold(&mut self, before: usize, piece: usize) -> Result<(), Error> {
        let counted = |size: usize| size.saturating_sub(UNCOUNTED_BYTES);
        match counted(before + piece) - counted(before) {
            0 => Ok(()),
            more => self.grow(more),
        }
    }

    /// Takes `more`.
    ///
    /// # Errors
    /// `overloaded` if there is not as much left.
    pub fn grow(&mut self, more: usize) -> Result<(), Error> {
        let before = self.budget.taken.fetch_add(more, Ordering::Relaxed);
        if before.saturating_add(more) > self.budget.max.load(Ordering::Relaxed) {
            self.budget.taken.fetch_sub(more, Ordering::Relaxed);
            let message = format!("the gateway is at its limit of {}; try again later", self.budget.what);
            return Err(Error::new(ErrorCode::Overloaded, message).with_retry_after(RETRY_AFTER));
        }
        self.amount += more;
        Ok(())
    }

    /// Both, of the same budget, as one.
    #[must_use]
    pub fn and(mut self, mut other: Self) -> Self {
        self.amount += std::mem::take(&mut other.amount);
        self
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        if self.amount > 0 {
            self.budget.taken.fetch_sub(self.amount, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_taken_beyond_the_bound_is_refused_and_what_is_dropped_is_given_back() {
        let budget = Budget::new("held bytes", 10);
        let mut first = budget.take(6).unwrap();
        let refused = budget.take(5).unwrap_err();
        assert_eq!(refused.code, ErrorCode::Overloaded);
        assert_eq!(refused.retry_after, Some(RETRY_AFTER));
        first.grow(4).unwrap();
        assert!(first.grow(1).is_err());
        assert_eq!(budget.taken(), 10);
        drop(first);
        assert_eq!(budget.taken(), 0);
        assert!(budget.take(10).is_ok());
    }

    #[test]
    fn only_what_a_body_has_beyond_its_first_bytes_is_counted_however_it_is_cut() {
        let budget = Budget::new("held bytes", 10);
        let mut held = budget.nothing();
        held.hold(0, UNCOUNTED_BYTES).unwrap();
        assert_eq!(budget.taken(), 0);
        held.hold(UNCOUNTED_BYTES, 4).unwrap();
        assert_eq!(budget.taken(), 4);
        let mut other = budget.nothing();
        other.hold(100, UNCOUNTED_BYTES - 94).unwrap();
        assert_eq!(budget.taken(), 10);
        assert!(other.hold(UNCOUNTED_BYTES + 6, 1).is_err());
        drop((held, other));
        assert_eq!(budget.taken(), 0);
    }
}
