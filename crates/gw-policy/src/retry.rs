//! When the same target is tried again.

use std::time::Duration;

use crate::dice::Dice;
use crate::failure::{Class, Failure, Failures};

/// From when on a connection that could not be made, or broke, has cost the request as much as a timeout.
const HANGS_FROM: Duration = Duration::from_secs(2);

/// How a target is tried again.
#[derive(Debug, Clone, PartialEq)]
pub struct Retry {
    /// Tries after the first.
    pub retries: u32,
    /// After which failures.
    pub on: Failures,
    /// The pause before the first of them.
    pub initial_delay: Duration,
    /// The longest pause.
    pub max_delay: Duration,
    /// By how much the pause grows from one to the next.
    pub multiplier: f64,
    /// How the pause varies.
    pub jitter: Jitter,
    /// Whether the provider's own `Retry-After` is kept, up to this; a longer one is not waited for.
    pub retry_after_max: Option<Duration>,
    /// Whether a timeout is tried again here even if another target could be asked: where somebody has listed it.
    pub insists_on_timeout: bool,
}

/// How a pause varies, so that clients that failed together do not come back together.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Jitter {
    /// Anything from nothing up to the pause.
    Full,
    /// The pause, more or less by this part of it.
    Part(f64),
}

impl Default for Retry {
    /// None; with the pauses of someone who asks for some and says no more.
    fn default() -> Self {
        Self {
            retries: 0,
            on: Failures::PASSING,
            initial_delay: Duration::from_millis(500),
            max_delay: Duration::from_secs(10),
            multiplier: 2.0,
            jitter: Jitter::Full,
            retry_after_max: Some(Duration::from_secs(60)),
            insists_on_timeout: false,
        }
    }
}

impl Retry {
    /// The pause before try number `retry` after the first (counted from 1), or `None` if there is none: because there
    /// were enough, because it was no such failure, or because there is no time left for it.
    pub fn pause(&self, retry: u32, failure: &Failure, left: Duration, dice: &mut Dice) -> Option<Duration> {
        if retry > self.retries || !self.on.contains(failure) {
            return None;
        }
        let pause = match (failure.retry_after, self.retry_after_max) {
            (Some(asked), Some(longest)) if asked > longest => return None,
            (Some(asked), Some(_)) => asked,
            (Some(_), None) | (None, _) => self.vary(self.grown(retry), dice),
        };
        (pause < left).then_some(pause)
    }

    /// Whether a target that takes calls is asked at once, rather than this one again: after a wait that was long
    /// already, and before one that the provider asks for. `took` is how long the attempt did.
    pub fn yields(&self, failure: &Failure, took: Duration) -> bool {
        let hung = match failure.class {
            Some(Class::Timeout) => true,
            Some(Class::Network) => took >= HANGS_FROM,
            Some(_) | None => false,
        };
        let asks_to_wait = failure.retry_after.is_some() && self.retry_after_max.is_some();
        hung && !self.insists_on_timeout || asks_to_wait
    }

    fn grown(&self, retry: u32) -> Duration {
        let exponent = i32::try_from(retry.saturating_sub(1)).unwrap_or(i32::MAX);
        let grown_s = self.initial_delay.as_secs_f64() * self.multiplier.max(1.0).powi(exponent);
        Duration::try_from_secs_f64(grown_s).map_or(self.max_delay, |pause| pause.min(self.max_delay))
    }

    fn vary(&self, pause: Duration, dice: &mut Dice) -> Duration {
        let factor = match self.jitter {
            Jitter::Full => dice.share(),
            Jitter::Part(part) => (1.0 + part.clamp(0.0, 1.0) * (dice.share() * 2.0 - 1.0)).max(0.0),
        };
        pause.mul_f64(factor).min(self.max_delay)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LONG: Duration = Duration::from_secs(3600);

    fn failed(class: Class, retry_after_s: Option<u64>) -> Failure {
        Failure { class: Some(class), status: 500, retry_after: retry_after_s.map(Duration::from_secs) }
    }

    fn steady(retries: u32) -> Retry {
        Retry { retries, jitter: Jitter::Part(0.0), initial_delay: Duration::from_secs(1), ..Retry::default() }
    }

    #[test]
    fn pauses_double_up_to_the_longest() {
        let retry = steady(6);
        let pauses: Vec<_> = (1..=7)
            .map(|n| retry.pause(n, &failed(Class::ServerError, None), LONG, &mut Dice::new(1)))
            .map(|pause| pause.map(|pause| pause.as_secs()))
            .collect();
        assert_eq!(pauses, [Some(1), Some(2), Some(4), Some(8), Some(10), Some(10), None]);
    }

    #[test]
    fn what_does_not_pass_is_not_tried_again() {
        assert_eq!(steady(3).pause(1, &failed(Class::Authentication, None), LONG, &mut Dice::new(1)), None);
    }

    #[test]
    fn the_provider_says_when_unless_that_is_too_long() {
        let pause = |after_s| steady(3).pause(1, &failed(Class::RateLimit, Some(after_s)), LONG, &mut Dice::new(1));
        assert_eq!(pause(7), Some(Duration::from_secs(7)));
        assert_eq!(pause(61), None);
        let deaf = Retry { retry_after_max: None, ..steady(3) };
        let failure = failed(Class::RateLimit, Some(61));
        assert_eq!(deaf.pause(1, &failure, LONG, &mut Dice::new(1)), Some(Duration::from_secs(1)));
    }

    #[test]
    fn who_hangs_or_asks_to_be_left_alone_gives_way_to_another() {
        let (soon, late) = (Duration::from_millis(50), Duration::from_secs(10));
        for (class, retry_after_s, took, yields) in [
            (Class::Timeout, None, late, true),
            (Class::Timeout, None, soon, true),
            (Class::Network, None, soon, false),
            (Class::Network, None, late, true),
            (Class::ServerError, None, late, false),
            (Class::RateLimit, None, soon, false),
            (Class::RateLimit, Some(1), soon, true),
            (Class::Unavailable, Some(1), soon, true),
        ] {
            assert_eq!(steady(3).yields(&failed(class, retry_after_s), took), yields, "{class:?} {retry_after_s:?}");
        }
        let insisting = Retry { insists_on_timeout: true, ..steady(3) };
        assert!(!insisting.yields(&failed(Class::Timeout, None), late));
        let deaf = Retry { retry_after_max: None, ..steady(3) };
        assert!(!deaf.yields(&failed(Class::RateLimit, Some(1)), soon), "what it is told is not heeded");
    }

    #[test]
    fn a_pause_that_outlasts_the_request_is_not_begun() {
        let retry = steady(3);
        let failure = failed(Class::ServerError, None);
        assert_eq!(retry.pause(1, &failure, Duration::from_millis(1000), &mut Dice::new(1)), None);
        assert!(retry.pause(1, &failure, Duration::from_millis(1001), &mut Dice::new(1)).is_some());
    }

    proptest! {
        #[test]
        fn a_pause_is_never_longer_than_the_longest(
            seed: u64, n in 1_u32..2_000, part in 0.0_f64..1.0, full: bool, multiplier in 0.0_f64..1e9,
        ) {
            let jitter = if full { Jitter::Full } else { Jitter::Part(part) };
            let retry = Retry { retries: 2_000, jitter, multiplier, ..Retry::default() };
            let pause = retry.pause(n, &failed(Class::Timeout, None), LONG, &mut Dice::new(seed));
            prop_assert!(pause.unwrap() <= retry.max_delay);
        }
    }
}
