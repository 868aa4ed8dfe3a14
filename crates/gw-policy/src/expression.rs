//! Conditions on a request that are written as expressions, in the Common Expression Language:
//! `request.model.startsWith("gpt-4") && metadata.team == "x"`.
//!
//! An expression is read once. Whatever can be known of it then is: a name that is none, a function that is not there, a
//! pattern that is none. What it names of a request is the only thing that it is shown, and how much it may do with it
//! is bounded, whatever the request looks like.

mod budget;
mod read;
mod seen;
mod words;

use std::fmt;
use std::sync::{Arc, LazyLock};

use cel::common::types::{CelBool, CelString, STRING_TYPE, Type};
use cel::common::value::{CowVal, StaticVal, Val};
use cel::{Context, Env, ExecutionError, IdedExpr, Value};
use regex::Regex;

use crate::condition::Facts;
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
pub struct Failure(pub String);

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

/// What `matches` looks for.
#[derive(Debug, Clone)]
struct Pattern(Regex);

static PATTERN_TYPE: Type = Type::new_unspecified_type("pattern");

/// The functions that expressions may call.
static ENVIRONMENT: LazyLock<Arc<Env>> = LazyLock::new(|| {
    let mut environment = Env::stdlib();
    let arguments = vec![PATTERN_TYPE.to_owned()];
    let added = environment.add_member_overload("matches", "string_matches_pattern", STRING_TYPE, arguments, matches);
    debug_assert!(added.is_ok(), "the library's own `matches` is a feature that is off");
    Arc::new(environment)
});

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
        let seen = Seen::new(&self.names, &found, &self.patterns);
        let mut context = Context::with_env(Arc::clone(&ENVIRONMENT));
        context.set_variable_resolver(&seen);
        let result = Value::resolve_val(&self.tree, &context);
        if seen.is_exhausted() {
            // Whatever came of it: a part of it may have given up.
            return Err(Failure(format!("it takes more than {} steps", budget::STEPS_MAX)));
        }
        let result = result.map_err(|error| failure(&error))?;
        let holds = result.downcast_ref::<CelBool>().map(|holds| *holds.inner());
        holds.ok_or_else(|| Failure(format!("it is a {}, and neither true nor false", result.get_type().name())))
    }
}

/// The library's own messages quote values.
fn failure(error: &ExecutionError) -> Failure {
    Failure(match error {
        ExecutionError::UndeclaredReference(name) => format!("the request has no {name}"),
        ExecutionError::NoSuchKey(_) => "an object has no such member".to_owned(),
        ExecutionError::IndexOutOfBounds(_) => "a list has no such item".to_owned(),
        ExecutionError::NoSuchOverload(of) => {
            format!("{} is nothing for ({})", of.function(), of.argument_types().join(", "))
        }
        ExecutionError::DivisionByZero(_) | ExecutionError::RemainderByZero(_) => "it divides by zero".to_owned(),
        ExecutionError::Overflow(..) => "a number is too large".to_owned(),
        ExecutionError::FunctionError { function, .. } => format!("{function} is nothing for what it is given"),
        _ => "values are of other types than it needs".to_owned(),
    })
}

#[expect(clippy::needless_pass_by_value, reason = "the library gives its functions their arguments so")]
fn matches<'b, 'v>(arguments: Vec<CowVal<'b, 'v>>) -> Result<CowVal<'b, 'v>, ExecutionError> {
    let text = arguments.first().and_then(|text| text.downcast_ref::<CelString>());
    let pattern = arguments.get(1).and_then(|pattern| pattern.downcast_ref::<Pattern>());
    match (text, pattern) {
        (Some(text), Some(Pattern(pattern))) => Ok(CowVal::owned(CelBool::from(pattern.is_match(text.inner())))),
        _ => Err(ExecutionError::function_error("matches", "needs a text and a pattern")),
    }
}

impl Val for Pattern {
    fn get_type(&self) -> &Type {
        &PATTERN_TYPE
    }

    fn cel_type() -> &'static Type {
        &PATTERN_TYPE
    }

    fn clone_as_boxed<'v>(&self) -> Box<dyn Val + 'v> {
        Box::new(self.clone())
    }

    fn as_any(&self) -> Option<&dyn std::any::Any> {
        Some(self)
    }
}

impl StaticVal for Pattern {}

impl fmt::Debug for Expression {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("Expression").field(&self.text).finish()
    }
}

#[cfg(test)]
mod tests;
