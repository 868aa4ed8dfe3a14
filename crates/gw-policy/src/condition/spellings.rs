//! Conditions on a model that a request may spell in several ways: `gpt-4o`, `openai/gpt-4o`, `gpt-4o:floor`.

use std::borrow::Cow;
use std::cell::Cell;

use serde_json::Value;

use super::{Facts, Query};
use crate::expression::{Failure, Taken};

/// What conditions call the model of a request.
const MODEL: [&str; 2] = ["request.model", "params.model"];
/// The name of no model.
const NO_MODEL: &str = "?";

/// The name of a model as a request has it, and the same model in other words.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Spellings {
    written: Option<Box<str>>,
    others: Vec<Box<str>>,
}

impl Spellings {
    /// A name as it is written; `None` where the request names no model.
    pub fn of(written: Option<&str>) -> Self {
        Self { written: written.map(Box::from), others: Vec::new() }
    }

    /// The same model in other words, too.
    #[must_use]
    pub fn or(mut self, other: &str) -> Self {
        let is_known = self.written.as_deref() == Some(other) || self.others.iter().any(|known| **known == *other);
        if !is_known {
            self.others.push(Box::from(other));
        }
        self
    }

    /// Whether a condition holds for the model: for its name as it is written, or for the same in other words.
    ///
    /// A condition that holds for any name but those that it lists (`$nin`, `!=`) makes exceptions, and a name is one only as
    /// it is written.
    ///
    /// # Errors
    /// As [`Query::evaluate`] of the name as it is written.
    pub fn evaluate(&self, query: &Query, facts: &dyn Facts) -> Result<bool, Failure> {
        let asks_model = Cell::new(false);
        let of = |model| query.evaluate(&Named { facts, model, asks_model: &asks_model });
        let told = of(self.written.as_deref());
        if told == Ok(true) || self.others.is_empty() || !asks_model.get() || of(Some(NO_MODEL)) == Ok(true) {
            return told;
        }
        if self.others.iter().any(|other| of(Some(other)) == Ok(true)) { Ok(true) } else { told }
    }
}

/// Facts of a request, with a model of this name.
struct Named<'a> {
    facts: &'a dyn Facts,
    model: Option<&'a str>,
    asks_model: &'a Cell<bool>,
}

impl Facts for Named<'_> {
    fn fact(&self, path: &str) -> Option<Cow<'_, Value>> {
        if !MODEL.contains(&path) {
            return self.facts.fact(path);
        }
        self.asks_model.set(true);
        self.model.map(|model| Cow::Owned(Value::from(model)))
    }

    fn taken(&self) -> Option<&Taken> {
        self.facts.taken()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    struct Nothing;

    impl Facts for Nothing {
        fn fact(&self, _path: &str) -> Option<Cow<'_, Value>> {
            None
        }
    }

    fn holds(query: &Value, written: &str, others: &[&str]) -> bool {
        let spellings = others.iter().fold(Spellings::of(Some(written)), |all, other| all.or(other));
        spellings.evaluate(&Query::read(query).unwrap(), &Nothing).unwrap()
    }

    #[test]
    fn a_condition_holds_for_a_model_in_any_words_but_makes_exceptions_as_they_are_written() {
        let listed = json!({ "params.model": { "$in": ["gpt-4o"] } });
        assert!(holds(&listed, "openai/gpt-4o", &["gpt-4o"]));
        assert!(!holds(&listed, "openai/gpt-4o-mini", &["gpt-4o-mini"]));
        let all_but = json!({ "params.model": { "$nin": ["openai/gpt-4o"] } });
        assert!(!holds(&all_but, "openai/gpt-4o", &["gpt-4o"]), "an exception stays one");
        assert!(holds(&all_but, "gpt-4o", &["openai/gpt-4o"]), "and nothing becomes one");
    }
}
