//! What an expression sees of a request, in its own words. A fact is put into them when it is first asked for; texts are
//! not copied.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::OnceLock;

use cel::common::types::{CelBool, CelDouble, CelInt, CelList, CelMap, CelMapKey, CelNull, CelString, CelUInt};
use cel::common::value::{CowVal, Val};
use cel::context::VariableResolver;
use serde_json::Value;

use super::Name;
use super::budget::{self, Budget, STEPS_MAX};
use super::pattern::Pattern;
use super::words::{BUDGET, PATTERN, TURN};

static TRUE: CelBool = CelBool::TRUE;
static FALSE: CelBool = CelBool::FALSE;

/// A request as one evaluation of an expression sees it.
pub(super) struct Seen<'f> {
    facts: Vec<Fact<'f>>,
    patterns: &'f [Pattern],
    budget: Budget,
}

struct Fact<'f> {
    name: &'f Name,
    found: Option<&'f Value>,
    /// What it is in the expression's words, and how many steps it takes to look at it; `None` if too many.
    told: OnceLock<Option<(Box<dyn Val + 'f>, i64)>>,
}

impl<'f> Seen<'f> {
    /// The facts that were found for the names, in their order.
    pub(super) fn new(
        names: &'f [Name],
        found: &'f [Option<Cow<'f, Value>>],
        patterns: &'f [Pattern],
        budget: Budget,
    ) -> Self {
        let facts = names.iter().zip(found);
        let facts = facts.map(|(name, found)| Fact { name, found: found.as_deref(), told: OnceLock::new() });
        Self { facts: facts.collect(), patterns, budget }
    }

    fn fact(&self, ident: &str) -> Option<CowVal<'_, '_>> {
        let fact = self.facts.iter().find(|fact| &*fact.name.ident == ident)?;
        if fact.name.is_presence {
            return Some(CowVal::Borrowed(if fact.found.is_some() { &TRUE } else { &FALSE }));
        }
        let found = fact.found?;
        let told = fact.told.get_or_init(|| {
            let mut steps = 0;
            told(found, &mut steps).map(|value| (value, steps))
        });
        let steps = told.as_ref().map_or(STEPS_MAX + 1, |(_, steps)| *steps);
        let is_within = self.budget.take(steps);
        told.as_ref().filter(|_| is_within).map(|(value, _)| CowVal::Borrowed(&**value))
    }
}

impl VariableResolver for Seen<'_> {
    fn resolve<'b>(&'b self, variable: &str) -> Option<CowVal<'b, 'b>> {
        if variable == TURN {
            return self.budget.take(1).then_some(CowVal::Borrowed(&TRUE));
        }
        if variable == BUDGET {
            return Some(CowVal::Borrowed(&self.budget));
        }
        if let Some(number) = variable.strip_prefix(PATTERN) {
            let pattern = self.patterns.get(number.parse::<usize>().ok()?)?;
            return Some(CowVal::Borrowed(pattern));
        }
        self.fact(variable)
    }
}

/// A value in the expression's words. The nesting is that of JSON that was read, which is bounded.
fn told<'f>(value: &'f Value, steps: &mut i64) -> Option<Box<dyn Val + 'f>> {
    *steps += if let Value::String(text) = value { budget::of_text(text) } else { 1 };
    if *steps > STEPS_MAX {
        return None;
    }
    Some(match value {
        Value::Null => Box::new(CelNull),
        Value::Bool(flag) => Box::new(CelBool::from(*flag)),
        Value::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(number), _) => Box::new(CelInt::from(number)),
            (None, Some(number)) => Box::new(CelUInt::from(number)),
            (None, None) => Box::new(CelDouble::from(number.as_f64()?)),
        },
        Value::String(text) => Box::new(CelString::from(text.as_str())),
        Value::Array(items) => {
            let items: Option<Vec<_>> = items.iter().map(|item| told(item, steps)).collect();
            Box::new(CelList::from(items?))
        }
        Value::Object(members) => {
            let member = |(name, value): (&'f String, &'f Value)| {
                *steps += budget::of_text(name);
                Some((CelMapKey::from(name.as_str()), told(value, steps)?))
            };
            let members: Option<HashMap<_, _>> = members.iter().map(member).collect();
            Box::new(CelMap::from(members?))
        }
    })
}
