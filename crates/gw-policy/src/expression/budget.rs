//! How much expressions may do with a request.

use std::any::Any;
use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering::Relaxed};

use cel::common::types::{CelList, CelMap, CelString, Type};
use cel::common::value::{StaticVal, Val};

/// How many steps an evaluation may take: turns of macros, values and KiB of text that are looked at, and what patterns
/// take. A step is about a microsecond, so that all of them are some tens of milliseconds; with patterns that repeat much
/// (`pattern.rs`) they may be 200.
pub(super) const STEPS_MAX: i64 = 50_000;
/// How many steps all expressions may take that are asked of the same facts.
pub(super) const STEPS_MAX_TOGETHER: i64 = 200_000;
/// How much text is looked at in one step, in bytes.
const STEP_BYTES: usize = 1_024;

/// The type of a budget, in the words of the library.
pub(super) static BUDGET_TYPE: Type = Type::new_unspecified_type("budget");

/// The steps that expressions have taken that were asked of the same facts.
#[derive(Debug, Default)]
pub struct Taken(Cell<i64>);

/// The steps that an evaluation has left.
#[derive(Debug, Clone)]
pub(super) struct Budget(Arc<AtomicI64>);

impl Taken {
    /// What an evaluation may take.
    pub(super) fn left(&self) -> i64 {
        STEPS_MAX.min(STEPS_MAX_TOGETHER.saturating_sub(self.0.get()))
    }

    pub(super) fn add(&self, steps: i64) {
        self.0.set(self.0.get().saturating_add(steps));
    }
}

impl Budget {
    pub(super) fn new(steps: i64) -> Self {
        Self(Arc::new(AtomicI64::new(steps)))
    }

    /// Takes steps; whether there were so many left.
    pub(super) fn take(&self, steps: i64) -> bool {
        let left = self.left();
        self.0.store(left.saturating_sub(steps), Relaxed);
        left >= steps
    }

    /// Takes the steps of a value; whether there were so many left. The nesting is that of JSON that was read, which is
    /// bounded.
    pub(super) fn weigh(&self, value: &dyn Val) -> bool {
        if let Some(text) = value.downcast_ref::<CelString<'_>>() {
            return self.take(of_text(text.inner()));
        }
        if let Some(list) = value.downcast_ref::<CelList<'_>>() {
            return self.take(1) && list.inner().iter().all(|item| self.weigh(&**item));
        }
        if let Some(map) = value.downcast_ref::<CelMap<'_>>() {
            return self.take(1) && map.inner().values().all(|member| self.weigh(&**member));
        }
        self.take(1)
    }

    /// How many are left; fewer than none if it did not suffice.
    pub(super) fn left(&self) -> i64 {
        self.0.load(Relaxed)
    }
}

/// The steps that a text takes.
pub(super) fn of_text(text: &str) -> i64 {
    1 + i64::try_from(text.len() / STEP_BYTES).unwrap_or(STEPS_MAX)
}

impl Val for Budget {
    fn get_type(&self) -> &Type {
        &BUDGET_TYPE
    }

    fn cel_type() -> &'static Type {
        &BUDGET_TYPE
    }

    fn clone_as_boxed<'v>(&self) -> Box<dyn Val + 'v> {
        Box::new(self.clone())
    }

    fn as_any(&self) -> Option<&dyn Any> {
        Some(self)
    }
}

impl StaticVal for Budget {}
