//! The auto-router: the model that suits a conversation. Read in this order: this file (what there is to say), [`need`]
//! (what a conversation needs of a model), [`classify`] (what kind of work a text is, by its words), [`choose`] (which of
//! several models comes first).
//!
//! Everything here is pure and bounded: the same conversation and the same models always give the same order.

pub mod choose;
pub mod classify;
pub mod need;
mod words;

use std::fmt;

pub use choose::{Abilities, Can, Lack};
pub use need::Need;

/// How an auto-router weighs what a model costs against how able it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Auto {
    /// The price against the quality.
    pub tradeoff: Tradeoff,
    /// The least thrift that a request may ask for.
    pub tradeoff_min: Tradeoff,
    /// Models below this tier come last, whatever the class of the conversation.
    pub tier_min: Tier,
}

impl Auto {
    /// The same for a request that asks for this. A least tier is never lowered by it, nor the thrift below its least.
    #[must_use]
    pub fn asked(self, tradeoff: Option<Tradeoff>, tier_min: Option<Tier>) -> Self {
        Self {
            tradeoff: tradeoff.map_or(self.tradeoff, |asked| asked.max(self.tradeoff_min)),
            tier_min: tier_min.map_or(self.tier_min, |asked| asked.max(self.tier_min)),
            ..self
        }
    }
}

impl Default for Auto {
    fn default() -> Self {
        Self { tradeoff: Tradeoff::default(), tradeoff_min: Tradeoff::MIN, tier_min: Tier::Small }
    }
}

/// From 0, where the price does not count, to 10, where the cheapest model comes first that will do. The scale is that of
/// `cost_quality_tradeoff` of OpenRouter's plugin `auto-router`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Tradeoff(u8);

impl Tradeoff {
    /// The most thrift.
    pub const MAX: Self = Self(10);
    /// The most quality.
    pub const MIN: Self = Self(0);

    /// A trade-off; `None` above 10.
    pub fn new(number: u8) -> Option<Self> {
        Some(Self(number)).filter(|made| *made <= Self::MAX)
    }

    /// From 0 to 10.
    pub const fn number(self) -> u8 {
        self.0
    }
}

impl Default for Tradeoff {
    /// What OpenRouter's documentation of the plugin called the usual.
    fn default() -> Self {
        Self(7)
    }
}

/// How able a model is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Tier {
    /// Below all others.
    #[default]
    Small,
    /// In between.
    Standard,
    /// Of the best that its maker has.
    Flagship,
}

impl Tier {
    /// Its word in configurations and explanations.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Small => "small",
            Self::Standard => "standard",
            Self::Flagship => "flagship",
        }
    }
}

impl fmt::Display for Tier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Declares the classes, from the one that needs least: a conversation has the greatest class of its turns.
macro_rules! classes {
    ($($(#[doc = $about:literal])+ $class:ident = $name:literal, $tier:ident, $worth:literal;)+) => {
        /// What kind of work a conversation is. A later one counts before an earlier one.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Class { $($(#[doc = $about])+ $class,)+ }

        impl Class {
            /// Every class, from the one that needs least.
            pub const ALL: &[Self] = &[$(Self::$class),+];

            /// Its word in explanations and headers.
            pub const fn name(self) -> &'static str { match self { $(Self::$class => $name,)+ } }

            /// The least tier that will do.
            pub const fn tier(self) -> Tier { match self { $(Self::$class => Tier::$tier,)+ } }

            /// Doublings of the price that a tier more is worth at the trade-off 5.
            const fn worth(self) -> f64 { match self { $(Self::$class => $worth,)+ } }
        }
    };
}

classes! {
    /// A greeting, a short question.
    Talk = "talk", Small, 0.5;
    /// A text that is given is translated, summed up, sorted, taken apart; or the answer has the shape of data.
    Extraction = "extraction", Small, 0.5;
    /// Anything else.
    General = "general", Standard, 2.0;
    /// There are pictures or films to look at.
    Vision = "vision", Standard, 2.0;
    /// There is much to read.
    LongDocument = "long_document", Standard, 2.0;
    /// There are tools to call.
    Tools = "tools", Standard, 3.0;
    /// Programs are written, read or mended.
    Code = "code", Standard, 3.0;
    /// Mathematics, proofs, puzzles, plans; or the request asks for much thought.
    Reasoning = "reasoning", Flagship, 3.0;
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_may_ask_for_more_thrift_and_for_less_only_where_the_operator_has_said_nothing() {
        let asked = |auto: Auto, number| auto.asked(Tradeoff::new(number), None).tradeoff.number();
        assert_eq!((asked(Auto::default(), 0), asked(Auto::default(), 10)), (0, 10));
        let written = Auto { tradeoff: Tradeoff(5), tradeoff_min: Tradeoff(5), tier_min: Tier::Standard };
        assert_eq!((asked(written, 0), asked(written, 8)), (5, 8));
        assert_eq!(written.asked(None, Some(Tier::Small)).tier_min, Tier::Standard);
        assert_eq!(written.asked(None, Some(Tier::Flagship)).tier_min, Tier::Flagship);
        assert!(Tradeoff::new(11).is_none());
    }

    #[test]
    fn what_needs_more_comes_later_and_words_are_unlike() {
        assert!(Class::ALL.is_sorted() && Class::ALL.is_sorted_by_key(|class| class.tier()));
        let names: std::collections::HashSet<_> = Class::ALL.iter().map(|class| class.name()).collect();
        assert_eq!(names.len(), Class::ALL.len());
    }
}
