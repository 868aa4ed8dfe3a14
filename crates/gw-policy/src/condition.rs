//! Conditions on a request: which target it goes to.
//!
//! The form is that of Portkey's conditional routing: `{"metadata.plan": {"$eq": "paid"}}`, with `$and` and `$or`.
//! Several members of one object must all hold.

mod spellings;

use std::borrow::Cow;
use std::sync::Arc;

use regex::{Regex, RegexBuilder};
use serde_json::{Map, Value};

pub use self::spellings::Spellings;
use crate::expression::{Expression, Failure, Taken};

/// Longer patterns are refused.
const PATTERN_CHARS_MAX: usize = 1_000;
/// What a compiled pattern may take, in bytes.
const PATTERN_BYTES_MAX: usize = 1 << 20;
/// Deeper conditions are refused.
const DEPTH_MAX: usize = 16;

/// What conditions ask of a request.
pub trait Facts {
    /// The value at a path: `metadata.plan`, `params.temperature`, `url.pathname`, `tags`, `batch_size`.
    fn fact(&self, path: &str) -> Option<Cow<'_, Value>>;

    /// Where the steps are counted that expressions take, if there is a bound to those of all of them together.
    fn taken(&self) -> Option<&Taken> {
        None
    }
}

/// A condition on a request.
#[derive(Debug, Clone)]
pub enum Query {
    /// All of them hold.
    And(Vec<Query>),
    /// One of them holds.
    Or(Vec<Query>),
    /// A fact is like this.
    Fact(Box<str>, Test),
    /// It holds.
    Expression(Arc<Expression>),
    /// It holds for this model, whichever the request names first.
    Of(Arc<Spellings>, Box<Query>),
}

/// What a fact must be like.
#[derive(Debug, Clone)]
pub enum Test {
    /// Equal.
    Equal(Value),
    /// Not equal; what is missing is not equal to anything.
    NotEqual(Value),
    /// One of these; of a list, one of its members.
    In(Vec<Value>),
    /// None of these; of a list, none of its members.
    NotIn(Vec<Value>),
    /// Holds all of these.
    All(Vec<Value>),
    /// A number, or a text that is one, so compared.
    Compare(Comparison, f64),
    /// Text in which the pattern is found.
    Matches(Regex),
}

/// How numbers are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comparison {
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
}

/// Why a condition is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake(pub String);

impl Query {
    /// Reads a condition.
    ///
    /// # Errors
    /// What is wrong with it: an operator that is not known, a pattern that is none, a list where one is missing.
    pub fn read(value: &Value) -> Result<Self, Mistake> {
        Self::read_at(value, 0)
    }

    /// Whether it holds. What fails does not.
    pub fn holds(&self, facts: &dyn Facts) -> bool {
        self.evaluate(facts).unwrap_or(false)
    }

    /// Whether it holds.
    ///
    /// # Errors
    /// Why an expression in it failed, where that decides.
    pub fn evaluate(&self, facts: &dyn Facts) -> Result<bool, Failure> {
        match self {
            Self::And(all) => decided_by(false, all, facts),
            Self::Or(any) => decided_by(true, any, facts),
            Self::Fact(path, test) => Ok(test.holds(facts.fact(path).as_deref())),
            Self::Expression(expression) => expression.evaluate(facts),
            Self::Of(model, query) => model.evaluate(query, facts),
        }
    }

    /// Whether there is an expression in it, which may fail.
    pub fn may_fail(&self) -> bool {
        match self {
            Self::And(queries) | Self::Or(queries) => queries.iter().any(Self::may_fail),
            Self::Fact(..) => false,
            Self::Expression(_) => true,
            Self::Of(_, query) => query.may_fail(),
        }
    }

    /// Whether it says nothing, and so holds for every request.
    pub fn is_empty(&self) -> bool {
        matches!(self, Self::And(all) if all.iter().all(Self::is_empty))
    }

    fn read_at(value: &Value, depth: usize) -> Result<Self, Mistake> {
        if depth > DEPTH_MAX {
            return Err(Mistake(format!("the condition is more than {DEPTH_MAX} levels deep")));
        }
        let members = value.as_object().ok_or_else(|| Mistake("a condition is an object".to_owned()))?;
        let mut all = Vec::with_capacity(members.len());
        for (key, value) in members {
            match key.as_str() {
                "$and" | "$or" => {
                    let list = value.as_array().ok_or_else(|| Mistake(format!("`{key}` needs a list")))?;
                    let inner = list.iter().map(|one| Self::read_at(one, depth + 1)).collect::<Result<_, _>>()?;
                    all.push(if key == "$and" { Self::And(inner) } else { Self::Or(inner) });
                }
                _ if key.starts_with('$') => return Err(Mistake(format!("there is no operator `{key}` here"))),
                path => read_tests(path, value, &mut all)?,
            }
        }
        let mut all = all.into_iter();
        Ok(match (all.next(), all.len()) {
            (Some(only), 0) => only,
            (first, _) => Self::And(first.into_iter().chain(all).collect()),
        })
    }
}

/// The first query of this outcome decides; else the first that fails; else it is the other outcome.
fn decided_by(outcome: bool, queries: &[Query], facts: &dyn Facts) -> Result<bool, Failure> {
    let mut failure = None;
    for query in queries {
        match query.evaluate(facts) {
            Ok(found) if found == outcome => return Ok(outcome),
            Ok(_) => {}
            Err(why) => failure = failure.or(Some(why)),
        }
    }
    failure.map_or(Ok(!outcome), Err)
}

fn read_tests(path: &str, value: &Value, all: &mut Vec<Query>) -> Result<(), Mistake> {
    let fact = |test| Query::Fact(Box::from(path), test);
    match value {
        Value::Object(operators) if operators.keys().any(|key| key.starts_with('$')) => {
            for test in tests(operators)? {
                all.push(fact(test));
            }
        }
        bare => all.push(fact(Test::Equal(bare.clone()))),
    }
    Ok(())
}

fn tests(operators: &Map<String, Value>) -> Result<Vec<Test>, Mistake> {
    operators.iter().map(|(operator, value)| test(operator, value)).collect()
}

fn test(operator: &str, value: &Value) -> Result<Test, Mistake> {
    let list = || value.as_array().cloned().ok_or_else(|| Mistake(format!("`{operator}` needs a list")));
    let number = || number(value).ok_or_else(|| Mistake(format!("`{operator}` needs a number")));
    Ok(match operator {
        "$eq" => Test::Equal(value.clone()),
        "$ne" => Test::NotEqual(value.clone()),
        "$in" => Test::In(list()?),
        "$nin" => Test::NotIn(list()?),
        "$all" => Test::All(list()?),
        "$gt" => Test::Compare(Comparison::Greater, number()?),
        "$gte" => Test::Compare(Comparison::GreaterOrEqual, number()?),
        "$lt" => Test::Compare(Comparison::Less, number()?),
        "$lte" => Test::Compare(Comparison::LessOrEqual, number()?),
        "$regex" => Test::Matches(pattern(value)?),
        other => return Err(Mistake(format!("there is no operator `{other}`"))),
    })
}

fn pattern(value: &Value) -> Result<Regex, Mistake> {
    regex(value.as_str().ok_or_else(|| Mistake("`$regex` needs a text".to_owned()))?)
}

/// A pattern of bounded size.
pub(crate) fn regex(text: &str) -> Result<Regex, Mistake> {
    if text.chars().count() > PATTERN_CHARS_MAX {
        return Err(Mistake(format!("the pattern is longer than {PATTERN_CHARS_MAX} characters")));
    }
    let built = RegexBuilder::new(text).size_limit(PATTERN_BYTES_MAX).build();
    built.map_err(|error| {
        Mistake(match error {
            regex::Error::CompiledTooBig(max) => {
                format!(
                    "the pattern takes more than {} KiB when it is compiled; its repetitions are too long",
                    max / 1_024
                )
            }
            _ => "the pattern is not a regular expression without look-around and back-references".to_owned(),
        })
    })
}

impl Test {
    fn holds(&self, fact: Option<&Value>) -> bool {
        match self {
            Self::Equal(value) => fact.is_some_and(|fact| same(fact, value)),
            Self::NotEqual(value) => !fact.is_some_and(|fact| same(fact, value)),
            Self::In(values) => fact.is_some_and(|fact| any(fact, values)),
            Self::NotIn(values) => !fact.is_some_and(|fact| any(fact, values)),
            Self::All(values) => {
                fact.is_some_and(|fact| values.iter().all(|value| any(fact, std::slice::from_ref(value))))
            }
            Self::Compare(comparison, bound) => {
                fact.and_then(number).is_some_and(|fact| comparison.holds(fact, *bound))
            }
            Self::Matches(pattern) => match fact {
                Some(Value::String(text)) => pattern.is_match(text),
                Some(Value::Number(number)) => pattern.is_match(&number.to_string()),
                Some(_) | None => false,
            },
        }
    }
}

impl Comparison {
    /// Reads `>100`, `>= 100`, `<1%` into the comparison and what stands behind it.
    pub fn read(text: &str) -> Option<(Self, &str)> {
        let text = text.trim();
        let (comparison, rest) =
            [(">=", Self::GreaterOrEqual), ("<=", Self::LessOrEqual), (">", Self::Greater), ("<", Self::Less)]
                .into_iter()
                .find_map(|(sign, comparison)| Some((comparison, text.strip_prefix(sign)?)))?;
        Some((comparison, rest.trim()))
    }

    /// Whether a value stands so to a bound.
    pub fn holds(self, value: f64, bound: f64) -> bool {
        match self {
            Self::Greater => value > bound,
            Self::GreaterOrEqual => value >= bound,
            Self::Less => value < bound,
            Self::LessOrEqual => value <= bound,
        }
    }
}

/// Numbers are the same if they have the same value; metadata are texts, so `"5"` and `5` are the same.
fn same(one: &Value, other: &Value) -> bool {
    one == other
        || match (one, other) {
            (Value::Number(_), Value::Number(_) | Value::String(_)) | (Value::String(_), Value::Number(_)) => {
                number(one).is_some() && number(one) == number(other)
            }
            (Value::Bool(flag), Value::String(text)) | (Value::String(text), Value::Bool(flag)) => {
                text == if *flag { "true" } else { "false" }
            }
            _ => false,
        }
}

fn any(fact: &Value, values: &[Value]) -> bool {
    match fact {
        Value::Array(list) => list.iter().any(|one| values.iter().any(|value| same(one, value))),
        one => values.iter().any(|value| same(one, value)),
    }
}

fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim().parse().ok().filter(|number: &f64| number.is_finite()),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    struct Request(Value);

    impl Facts for Request {
        fn fact(&self, path: &str) -> Option<Cow<'_, Value>> {
            self.0.get(path).map(Cow::Borrowed)
        }
    }

    fn request() -> Request {
        Request(json!({
            "metadata.plan": "paid", "metadata.age": "41", "params.temperature": 0.7, "params.stream": true,
            "url.pathname": "/v1/chat/completions", "tags": ["critical", "eu"], "batch_size": 101,
        }))
    }

    #[test]
    fn every_operator_says_what_it_says_at_portkey() {
        for (query, holds) in [
            (json!({"metadata.plan": {"$eq": "paid"}}), true),
            (json!({"metadata.plan": "paid"}), true),
            (json!({"metadata.plan": {"$ne": "paid"}}), false),
            (json!({"metadata.nothing": {"$ne": "paid"}}), true),
            (json!({"metadata.nothing": {"$eq": null}}), false),
            (json!({"metadata.plan": {"$in": ["free", "paid"]}}), true),
            (json!({"metadata.plan": {"$nin": ["free", "paid"]}}), false),
            (json!({"metadata.nothing": {"$nin": ["free"]}}), true),
            (json!({"metadata.age": {"$gt": 40}}), true),
            (json!({"metadata.age": {"$lt": "41"}}), false),
            (json!({"metadata.age": {"$lte": 41, "$gte": 41}}), true),
            (json!({"metadata.plan": {"$gt": 1}}), false),
            (json!({"params.temperature": {"$gte": 0.7}}), true),
            (json!({"params.stream": true}), true),
            (json!({"params.stream": "true"}), true),
            (json!({"metadata.plan": {"$regex": "^pa"}}), true),
            (json!({"url.pathname": {"$regex": "/embeddings$"}}), false),
            (json!({"tags": {"$in": ["critical", "customer-facing"]}}), true),
            (json!({"tags": {"$all": ["critical", "customer-facing"]}}), false),
            (json!({"batch_size": {"$gt": 100}}), true),
            (json!({"metadata.plan": "paid", "metadata.age": {"$lt": 10}}), false),
            (json!({"$or": [{"metadata.plan": "free"}, {"metadata.age": 41}]}), true),
            (json!({"$and": [{"metadata.plan": "paid"}, {"$or": []}]}), false),
            // A member behind `$or` counts too.
            (json!({"$or": [{"metadata.plan": "paid"}], "metadata.age": 1}), false),
            (json!({}), true),
        ] {
            assert_eq!(Query::read(&query).unwrap().holds(&request()), holds, "{query}");
        }
    }

    #[test]
    fn what_is_no_condition_is_refused_and_says_why() {
        for (query, wanted) in [
            (json!([]), "is an object"),
            (json!({"$foo": 1}), "`$foo`"),
            (json!({"metadata.x": {"$foo": 1}}), "`$foo`"),
            (json!({"metadata.x": {"$in": "a"}}), "needs a list"),
            (json!({"metadata.x": {"$gt": "much"}}), "needs a number"),
            (json!({"metadata.x": {"$regex": "("}}), "regular expression"),
            (json!({"metadata.x": {"$regex": "a{1000}{1000}{1000}"}}), "repetitions are too long"),
            (json!({"$or": {}}), "needs a list"),
        ] {
            let Mistake(why) = Query::read(&query).unwrap_err();
            assert!(why.contains(wanted), "{query}: {why}");
        }
        let deep = (0..40).fold(json!({}), |inner, _| json!({"$and": [inner]}));
        assert!(Query::read(&deep).is_err());
    }

    #[test]
    fn a_comparison_is_read_from_text() {
        assert_eq!(Comparison::read(" >= 1% "), Some((Comparison::GreaterOrEqual, "1%")));
        assert_eq!(Comparison::read("<3s"), Some((Comparison::Less, "3s")));
        assert_eq!(Comparison::read("100"), None);
    }

    proptest! {
        #[test]
        fn any_json_is_read_or_refused(text in "\\PC{0,200}") {
            if let Ok(value) = serde_json::from_str::<Value>(&text) {
                let _ = Query::read(&value).map(|query| query.holds(&request()));
            }
        }
    }
}
