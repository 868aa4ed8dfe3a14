//! Conditions on a request that are written as expressions, in the Common Expression Language:
//! `request.model.startsWith("gpt-4") && metadata.team == "x"`.
//!
//! An expression is read once. Whatever can be known of it then is: a name that is none, a function that is not there, a
//! pattern that is none. What it names of a request is the only thing that it is shown, and how much it may do with it
//! is bounded, whatever the request looks like.

mod budget;
mod functions;
mod kind;
mod pattern;
mod read;
mod seen;
mod words;

use std::fmt;
use std::sync::Arc;

use cel::common::types::CelBool;
use cel::{Context, ExecutionError, IdedExpr, Value};

pub use budget::Taken;

use crate::condition::Facts;
use budget::{BUDGET_TYPE, Budget, STEPS_MAX, STEPS_MAX_TOGETHER};
use functions::ENVIRONMENT;
use pattern::Pattern;
use seen::Seen;

/// A condition that is written as an expression.
pub struct Expression {
    text: Box<str>,
    tree: IdedExpr,
    names: Vec<Name>,
    patterns: Vec<Pattern>,
}

/// Why an expression is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// What is wrong with it.
    pub what: String,
    /// What to do about it.
    pub help: String,
}

/// Why nobody knows whether an expression holds for a request. It quotes nothing of the request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// What it asks for is not there, or of another type.
    Unknown(String),
    /// It would take more than it may.
    TooMuch(String),
}

/// What an expression names of a request.
#[derive(Debug)]
struct Name {
    /// What it is called in the tree.
    ident: Box<str>,
    /// Where [`Facts`] have it.
    path: Box<str>,
    /// Whether it is only asked for whether it is there.
    is_presence: bool,
}

impl Failure {
    /// The same in words.
    pub fn why(&self) -> &str {
        let (Self::Unknown(why) | Self::TooMuch(why)) = self;
        why
    }
}

impl Expression {
    /// Reads an expression.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn read(text: &str) -> Result<Self, Mistake> {
        read::read(text)
    }

    /// Whether it holds for a request.
    ///
    /// # Errors
    /// Why that cannot be said: what it asks for is not there or of another type, or it would take too long.
    pub fn evaluate(&self, facts: &dyn Facts) -> Result<bool, Failure> {
        let found: Vec<_> = self.names.iter().map(|name| facts.fact(&name.path)).collect();
        let together = facts.taken();
        let steps = together.map_or(STEPS_MAX, Taken::left);
        let budget = Budget::new(steps);
        let seen = Seen::new(&self.names, &found, &self.patterns, budget.clone());
        let mut context = Context::with_env(Arc::clone(&ENVIRONMENT));
        context.set_variable_resolver(&seen);
        let result = Value::resolve_val(&self.tree, &context);
        let left = budget.left();
        if let Some(together) = together {
            together.add(steps - left.max(0));
        }
        if left < 0 {
            // Whatever came of it: a part of it may have given up.
            let what = if steps == STEPS_MAX { "it takes" } else { "all expressions together take" };
            let max = if steps == STEPS_MAX { STEPS_MAX } else { STEPS_MAX_TOGETHER };
            return Err(Failure::TooMuch(format!("{what} more than {max} steps")));
        }
        let result = result.map_err(|error| failure(&error))?;
        let holds = result.downcast_ref::<CelBool>().map(|holds| *holds.inner());
        holds.ok_or_else(|| {
            Failure::Unknown(format!("it is a {}, and neither true nor false", result.get_type().name()))
        })
    }
}

/// The library's own messages quote values.
fn failure(error: &ExecutionError) -> Failure {
    Failure::Unknown(match error {
        ExecutionError::UndeclaredReference(name) => format!("the request has no {name}"),
        ExecutionError::NoSuchKey(_) => "an object has no such member".to_owned(),
        ExecutionError::IndexOutOfBounds(_) => "a list has no such item".to_owned(),
        ExecutionError::NoSuchOverload(of) => {
            let of_people = |kind: &&String| *kind != BUDGET_TYPE.name();
            let kinds: Vec<_> = of.argument_types().iter().filter(of_people).cloned().collect();
            format!("{} is nothing for ({})", of.function(), kinds.join(", "))
        }
        ExecutionError::DivisionByZero(_) | ExecutionError::RemainderByZero(_) => "it divides by zero".to_owned(),
        ExecutionError::Overflow(..) => "a number is too large".to_owned(),
        ExecutionError::FunctionError { function, .. } => format!("{function} is nothing for what it is given"),
        _ => "values are of other types than it needs".to_owned(),
    })
}

impl fmt::Debug for Expression {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("Expression").field(&self.text).finish()
    }
}

#[cfg(test)]
mod tests;
