//! What `matches` looks for, and how long that takes.

use std::any::Any;

use cel::common::types::Type;
use cel::common::value::{StaticVal, Val};
use regex::Regex;
use regex_syntax::hir::{Hir, HirKind};

use super::budget;
use crate::condition::{self, Mistake};

/// The type of a pattern, in the words of the library.
pub(super) static PATTERN_TYPE: Type = Type::new_unspecified_type("pattern");

/// The steps that a KiB takes, whatever the pattern.
const STEPS: i64 = 2;
/// What a character of a pattern takes more, in quarters of a step, and what one does that is repeated. Of these, as many may
/// have to be followed at once as they are repeated. Mostly that is known in advance and takes 2 µs for a KiB, whatever the
/// pattern; where it is not (`x.{60}y`, in a text of many x) it takes some 12 µs for each, so that such a pattern may take
/// four times as long as it is said to.
const QUARTERS: i64 = 1;
const REPEATED_QUARTERS: i64 = 16;
/// The steps that a KiB takes more that is not ASCII, if the pattern asks for the bounds of words.
const WORD_STEPS: i64 = 30;

/// A pattern.
#[derive(Debug, Clone)]
pub(super) struct Pattern {
    regex: Regex,
    /// The steps that a KiB of text takes, at worst.
    steps: i64,
    /// Whether it asks for the bounds of words in any language.
    has_word_bounds: bool,
}

impl Pattern {
    /// Reads a pattern.
    ///
    /// # Errors
    /// Why it is none.
    pub(super) fn read(text: &str) -> Result<Self, Mistake> {
        let regex = condition::regex(text)?;
        let tree =
            regex_syntax::parse(text).map_err(|_| Mistake("the pattern is not a regular expression".to_owned()))?;
        let steps = STEPS.saturating_add(quarters(&tree, QUARTERS) / 4);
        let has_word_bounds = tree.properties().look_set().contains_word_unicode();
        Ok(Self { regex, steps, has_word_bounds })
    }

    pub(super) fn is_match(&self, text: &str) -> bool {
        self.regex.is_match(text)
    }

    /// The steps that it takes to look for it in a text.
    pub(super) fn steps_in(&self, text: &str) -> i64 {
        let of_words = if self.has_word_bounds && !text.is_ascii() { WORD_STEPS } else { 0 };
        self.steps.saturating_add(of_words).saturating_mul(budget::of_text(text))
    }
}

/// What a part of a pattern takes, if each of its characters takes so much. The nesting of patterns is bounded by who reads
/// them.
fn quarters(tree: &Hir, of_one: i64) -> i64 {
    match tree.kind() {
        HirKind::Empty | HirKind::Look(_) => 0,
        HirKind::Literal(literal) => of_one.saturating_mul(i64::try_from(literal.0.len()).unwrap_or(i64::MAX)),
        HirKind::Class(_) => of_one,
        HirKind::Capture(capture) => quarters(&capture.sub, of_one),
        HirKind::Concat(parts) | HirKind::Alternation(parts) => {
            parts.iter().fold(0, |sum: i64, part| sum.saturating_add(quarters(part, of_one)))
        }
        HirKind::Repetition(repetition) => {
            let times = repetition.max.unwrap_or(repetition.min).max(1);
            let is_repeated = times > 1 || repetition.max.is_none();
            let of_one = if is_repeated { REPEATED_QUARTERS } else { of_one };
            quarters(&repetition.sub, of_one).saturating_mul(i64::from(times))
        }
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

    fn as_any(&self) -> Option<&dyn Any> {
        Some(self)
    }
}

impl StaticVal for Pattern {}
