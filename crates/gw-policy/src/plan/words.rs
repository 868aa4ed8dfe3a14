//! A plan in words, for people who ask why.

use std::fmt;

use super::{Plan, Reason, Standing};
use crate::failure::Failures;

impl<T> Plan<T> {
    /// Where failures of a step lead: which, and to which step. The nearest comes first, and of two that name the same
    /// failure it counts.
    pub fn exits(&self, step: usize) -> impl Iterator<Item = (&Failures, usize)> {
        let exits = self.steps.get(step).map(|step| step.exits.iter().rev());
        exits.into_iter().flatten().map(|exit| (&exit.on, exit.to))
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Only => f.write_str("it is the only one there is"),
            Self::Chosen(why) => why.fmt(f),
            Self::Preferred => f.write_str("those before it are slower than the request prefers"),
            Self::Sticks => f.write_str("requests that agree with this one go to it"),
            Self::Condition(Some(number)) => write!(f, "condition {} holds", number + 1),
            Self::Condition(None) => f.write_str("no condition holds, and it is the default"),
            Self::Suits(class, tier) => {
                write!(f, "its model suits the class {class} best, which wants one that is {tier} or better")
            }
            Self::UnderLimit => f.write_str("the limit before it has room"),
            Self::OverLimit => f.write_str("the limit before another is used, and it takes what is beyond"),
            Self::Follows => f.write_str("it follows if those before it fail"),
            Self::LastResort => f.write_str("it is left alone, and asked once as the last resort"),
        }
    }
}

impl fmt::Display for Standing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::In => f.write_str("it takes calls"),
            Self::Full(wait) => write!(f, "its cap is used; it has a place in {} ms", wait.as_millis()),
            Self::Resting(rest) => write!(f, "it has failed and is left alone for another {} ms", rest.as_millis()),
            Self::Out(why) => f.write_str(why),
            Self::Unable(lack) => lack.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::auto::{Class, Lack, Tier};
    use crate::balance::Why;

    #[test]
    fn every_reason_has_words() {
        for (reason, words) in [
            (Reason::Only, "it is the only one there is"),
            (Reason::Chosen(Why::Turn), "it is its turn"),
            (Reason::Preferred, "those before it are slower than the request prefers"),
            (Reason::Sticks, "requests that agree with this one go to it"),
            (Reason::Condition(Some(0)), "condition 1 holds"),
            (Reason::Condition(None), "no condition holds, and it is the default"),
            (
                Reason::Suits(Class::Code, Tier::Standard),
                "its model suits the class code best, which wants one that is standard or better",
            ),
            (Reason::UnderLimit, "the limit before it has room"),
            (Reason::OverLimit, "the limit before another is used, and it takes what is beyond"),
            (Reason::Follows, "it follows if those before it fail"),
            (Reason::LastResort, "it is left alone, and asked once as the last resort"),
        ] {
            assert_eq!(reason.to_string(), words);
        }
    }

    #[test]
    fn every_standing_has_words() {
        for (standing, words) in [
            (Standing::In, "it takes calls"),
            (Standing::Full(Duration::from_millis(1_500)), "its cap is used; it has a place in 1500 ms"),
            (Standing::Resting(Duration::from_secs(9)), "it has failed and is left alone for another 9000 ms"),
            (Standing::Out("it has no credential"), "it has no credential"),
            (Standing::Unable(Lack::Images), "its model does not see pictures"),
        ] {
            assert_eq!(standing.to_string(), words);
        }
    }
}
