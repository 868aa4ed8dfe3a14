//! Waiting for a place, where every target that could be asked has as many requests as it may have in a minute.

use std::time::Duration;

use gw_core::{Error, ErrorCode};
use gw_policy::failure::Failure;
use gw_policy::plan::{Plan, Standing};
use tokio::time::{Instant, sleep};

use crate::snapshot::Provider;

/// Waits until a target has a place; the step at which it stands. Nobody is first in line: whoever looks when a place
/// comes has it. Where none comes before `until`, the last resort of the plan is told, if it has one.
///
/// # Errors
/// How long it would be until the next place.
pub(super) async fn place<T>(
    plan: &Plan<T>,
    standing: impl Fn(&T) -> Standing,
    until: Instant,
) -> Result<usize, Duration> {
    loop {
        let mut wait = None;
        for (at, step) in plan.chain(0, &Failure::FULL).filter_map(|at| Some((at, plan.steps.get(at)?))) {
            match standing(&step.target) {
                Standing::In => return Ok(at),
                Standing::Full(next) => wait = Some(wait.map_or(next, |wait: Duration| wait.min(next))),
                Standing::Resting(_) | Standing::Out(_) | Standing::Unable(_) => {}
            }
        }
        // They have begun to rest meanwhile, and are asked all the same.
        let Some(wait) = wait else { return Ok(0) };
        if until.saturating_duration_since(Instant::now()) < wait {
            let last = plan.chain(0, &Failure::FULL).last();
            return last.filter(|last| plan.is_last_resort(*last)).ok_or(wait);
        }
        sleep(wait).await;
    }
}

/// Somebody else has taken the place.
pub(super) fn full(provider: &Provider, wait: Duration) -> Error {
    let message =
        format!("provider \"{}\" has as many requests as its max_requests_per_minute lets through", provider.name);
    Error::new(ErrorCode::ProviderRateLimited, message).with_retry_after(wait)
}

/// Nobody will have a place soon enough.
pub(super) fn all_full(wait: Duration) -> Error {
    let message = "every provider that serves this has as many requests as it may have in a minute";
    Error::new(ErrorCode::ProviderRateLimited, message).with_retry_after(wait)
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use gw_policy::balance::Balance;
    use gw_policy::condition::Facts;
    use gw_policy::dice::Dice;
    use gw_policy::failure::Failures;
    use gw_policy::measure::Measured;
    use gw_policy::plan::{Group, Member, Node, Strategy, View};
    use gw_policy::rate::{Cap, Used};
    use serde_json::Value;

    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    /// Targets by their positions; each with a cap, or resting for so long.
    struct World {
        began: Instant,
        targets: Vec<Result<(Cap, RefCell<Used>), Duration>>,
    }

    impl World {
        fn new(targets: Vec<Result<u32, Duration>>) -> Self {
            let cap = |calls| (Cap { calls, per: MINUTE }, RefCell::default());
            Self { began: Instant::now(), targets: targets.into_iter().map(|one| one.map(cap)).collect() }
        }

        fn stands(&self, target: usize) -> Standing {
            match &self.targets[target] {
                Err(rest) => Standing::Resting(*rest),
                Ok((cap, used)) => match cap.wait(&used.borrow(), self.began.elapsed()) {
                    Duration::ZERO => Standing::In,
                    wait => Standing::Full(wait),
                },
            }
        }

        fn take(&self, target: usize) {
            let Ok((cap, used)) = &self.targets[target] else { panic!("it rests") };
            used.replace_with(|used| cap.take(used, self.began.elapsed()));
        }

        fn plan(&self) -> Plan<usize> {
            let members = (0..self.targets.len()).map(|target| Member { node: Node::Target(target), weight: 1.0 });
            let tree = Node::Group(Group {
                id: 0,
                strategy: Strategy::Balance(Balance::Priority),
                members: members.collect(),
                fallback: Failures::ELSEWHERE,
            });
            tree.plan(self, &mut Dice::new(1)).unwrap()
        }

        /// Where a request goes that waits for no longer than this.
        async fn goes_to(&self, wait_max: Duration) -> Result<usize, Duration> {
            let plan = self.plan();
            let at = place(&plan, |target| self.stands(*target), Instant::now() + wait_max).await?;
            Ok(plan.steps[at].target)
        }
    }

    impl Facts for World {
        fn fact(&self, _: &str) -> Option<std::borrow::Cow<'_, Value>> {
            None
        }
    }

    impl View<usize> for World {
        fn standing(&self, target: &usize) -> Standing {
            self.stands(*target)
        }

        fn measured(&self, _: &usize) -> Measured {
            Measured::default()
        }

        fn turn(&self, _: usize) -> u64 {
            0
        }

        fn facts(&self) -> &dyn Facts {
            self
        }

        fn now(&self) -> Duration {
            self.began.elapsed()
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_waits_for_the_place_that_comes_first_and_goes_there() {
        let world = World::new(vec![Ok(1), Ok(1)]);
        world.take(1);
        tokio::time::advance(Duration::from_secs(10)).await;
        world.take(0);
        let began = Instant::now();
        assert_eq!(world.goes_to(Duration::from_secs(51)).await, Ok(1), "not to the first, which has none yet");
        assert_eq!(began.elapsed(), Duration::from_secs(51));
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_that_would_wait_for_too_long_is_told_when_to_come_back() {
        let world = World::new(vec![Ok(1)]);
        world.take(0);
        let began = Instant::now();
        assert_eq!(world.goes_to(Duration::from_secs(5)).await, Err(Duration::from_secs(61)));
        assert_eq!(began.elapsed(), Duration::ZERO, "at once");
        let error = all_full(Duration::from_secs(61));
        assert_eq!((error.code, error.retry_after), (ErrorCode::ProviderRateLimited, Some(Duration::from_secs(61))));
    }

    #[tokio::test(start_paused = true)]
    async fn many_that_wait_get_no_more_places_than_there_are() {
        let world = World::new(vec![Ok(3)]);
        (0..3).for_each(|_| world.take(0));
        let wait_for_one = async || {
            let gone = world.goes_to(Duration::from_secs(100)).await;
            if gone.is_ok() {
                world.take(0);
            }
            gone.is_ok()
        };
        let (a, b, c, d, e) =
            tokio::join!(wait_for_one(), wait_for_one(), wait_for_one(), wait_for_one(), wait_for_one());
        let through = [a, b, c, d, e].into_iter().filter(|is_through| *is_through).count();
        assert_eq!(through, 3, "the others would have waited for another minute");
    }

    #[tokio::test(start_paused = true)]
    async fn who_rests_is_asked_where_no_place_comes_soon_enough() {
        let world = World::new(vec![Err(Duration::from_secs(9)), Ok(1)]);
        world.take(1);
        assert_eq!(world.goes_to(Duration::from_secs(5)).await, Ok(0));
        assert_eq!(world.goes_to(Duration::from_secs(61)).await, Ok(1), "but a place is waited for first");
    }
}
