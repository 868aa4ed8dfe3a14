//! The functions that expressions may call: the library's, and ours in the place of those whose cost would not be counted.

use std::sync::{Arc, LazyLock};

use cel::common::types::{CelBool, CelString, DYN_TYPE, STRING_TYPE};
use cel::common::value::CowVal;
use cel::{Env, ExecutionError};

use super::budget::{BUDGET_TYPE, Budget};
use super::pattern::{PATTERN_TYPE, Pattern};
use super::words::{MATCHES, WEIGHED};

/// All functions.
pub(super) static ENVIRONMENT: LazyLock<Arc<Env>> = LazyLock::new(|| {
    let mut environment = Env::stdlib();
    let arguments = vec![PATTERN_TYPE.to_owned(), BUDGET_TYPE.to_owned()];
    let added = environment.add_member_overload(MATCHES, "string_matches_pattern", STRING_TYPE, arguments, matches);
    debug_assert!(added.is_ok(), "the library's own `matches` is a feature that is off");
    let added = environment.add_overload(WEIGHED, "weighed", vec![DYN_TYPE, BUDGET_TYPE.to_owned()], weighed);
    debug_assert!(added.is_ok(), "nobody else can write this name");
    Arc::new(environment)
});

#[expect(clippy::needless_pass_by_value, reason = "the library gives its functions their arguments so")]
fn matches<'b, 'v>(arguments: Vec<CowVal<'b, 'v>>) -> Result<CowVal<'b, 'v>, ExecutionError> {
    let text = arguments.first().and_then(|text| text.downcast_ref::<CelString<'_>>());
    let pattern = arguments.get(1).and_then(|pattern| pattern.downcast_ref::<Pattern>());
    let budget = arguments.get(2).and_then(|budget| budget.downcast_ref::<Budget>());
    match (text, pattern, budget) {
        (Some(text), Some(pattern), Some(budget)) if budget.take(pattern.steps_in(text.inner())) => {
            Ok(CowVal::owned(CelBool::from(pattern.is_match(text.inner()))))
        }
        _ => Err(ExecutionError::function_error(MATCHES, "needs a text, a pattern and steps")),
    }
}

/// A value as it is, once its steps are taken.
fn weighed<'b, 'v>(arguments: Vec<CowVal<'b, 'v>>) -> Result<CowVal<'b, 'v>, ExecutionError> {
    let mut arguments = arguments.into_iter();
    match (arguments.next(), arguments.next()) {
        (Some(value), Some(budget)) if budget.downcast_ref::<Budget>().is_some_and(|budget| budget.weigh(&*value)) => {
            Ok(value)
        }
        _ => Err(ExecutionError::function_error(WEIGHED, "needs a value and steps")),
    }
}
