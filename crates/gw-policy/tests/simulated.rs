//! Whole days of traffic in simulated time: what the decisions are worth together.
#![cfg(test)]

use std::borrow::Cow;
use std::time::Duration;

use gw_policy::balance::Balance;
use gw_policy::breaker::{Admission, Breaker, Outcome, Settings};
use gw_policy::canary::{Criterion, Quantity, Rollout, Seen, Stage};
use gw_policy::condition::Facts;
use gw_policy::dice::Dice;
use gw_policy::failure::{Class, Failure, Failures};
use gw_policy::measure::{Measured, Samples, Tracking};
use gw_policy::plan::{Group, Member, Node, Standing, Strategy, View};
use gw_policy::rate::{Cap, Used};
use gw_policy::retry::Retry;
use serde_json::Value;

/// What a provider does with a call that comes at this time.
type Behaviour = Box<dyn Fn(Duration, &mut Dice) -> Answer>;

/// How a provider behaves, and what is known of it.
struct Provider {
    /// What it does with a call that comes at this time.
    answer: Behaviour,
    /// What it allows, and how far that is used.
    limit: Option<(Cap, Used)>,
    /// What we allow ourselves.
    cap: Option<(Cap, Used)>,
    breaker: Breaker,
    latency: Samples,
    calls: usize,
}

#[derive(Clone, Copy)]
enum Answer {
    After(Duration),
    Fails(Class, Duration),
}

struct World {
    providers: Vec<Provider>,
    now: Duration,
    settings: Settings,
    tracking: Tracking,
}

impl Facts for World {
    fn fact(&self, _: &str) -> Option<Cow<'_, Value>> {
        None
    }
}

impl View<usize> for World {
    fn standing(&self, target: &usize) -> Standing {
        let provider = &self.providers[*target];
        if let Admission::NotBefore(then) = provider.breaker.admits(self.now, &self.settings) {
            return Standing::Resting(then.saturating_sub(self.now));
        }
        match provider.cap.map(|(cap, used)| cap.wait(&used, self.now)) {
            Some(wait) if !wait.is_zero() => Standing::Full(wait),
            Some(_) | None => Standing::In,
        }
    }

    fn measured(&self, target: &usize) -> Measured {
        let latency = &self.providers[*target].latency;
        let expected = latency.expected(self.now, self.tracking);
        Measured {
            latency: expected.map(Duration::from_secs_f64),
            heard_at: latency.newest_at(),
            stale_after: self.tracking.stale_after(),
            ..Measured::default()
        }
    }

    fn turn(&self, _: usize) -> u64 {
        0
    }

    fn facts(&self) -> &dyn Facts {
        self
    }

    fn now(&self) -> Duration {
        self.now
    }
}

/// What became of a request.
struct Told {
    answered: bool,
    took: Duration,
}

impl World {
    fn new(answers: Vec<Behaviour>) -> Self {
        let provider = |answer| Provider {
            answer,
            limit: None,
            cap: None,
            breaker: Breaker::default(),
            latency: Samples::default(),
            calls: 0,
        };
        let providers = answers.into_iter().map(provider).collect();
        Self {
            providers,
            now: Duration::from_secs(1_000),
            settings: Settings::default(),
            tracking: Tracking::default(),
        }
    }

    /// Serves one request that comes now, as the engine would: plan, attempts, retries, fallbacks.
    fn serve(&mut self, route: &Node<usize>, retry: &Retry, dice: &mut Dice) -> Told {
        let arrived = self.now;
        let plan = route.plan(&*self, dice).unwrap();
        self.now += plan.wait;
        let (mut at, mut tries) = (0, 0);
        let answered = loop {
            let Some(step) = plan.steps.get(at) else { break false };
            let began = self.now;
            let Some(failure) = self.call(step.target, dice) else { break true };
            tries += 1;
            let gives_way =
                plan.is_last_resort(at) || plan.has_other(at) && retry.yields(&failure, self.now.saturating_sub(began));
            if !gives_way && let Some(pause) = retry.pause(tries, &failure, Duration::from_secs(30), dice) {
                self.now += pause;
                continue;
            }
            match plan.after(at, &failure) {
                Some(next) => (at, tries) = (next, 0),
                None => break false,
            }
        };
        let took = self.now - arrived;
        self.now = arrived;
        Told { answered, took }
    }

    fn call(&mut self, target: usize, dice: &mut Dice) -> Option<Failure> {
        let (now, settings, tracking) = (self.now, self.settings.clone(), self.tracking);
        let provider = &mut self.providers[target];
        provider.calls += 1;
        provider.breaker = provider.breaker.begin(now, &settings);
        if let Some((cap, used)) = &mut provider.cap {
            *used = cap.take(used, now);
        }
        let limited = provider.limit.as_mut().and_then(|(cap, used)| {
            let wait = cap.wait(used, now);
            if wait.is_zero() {
                *used = cap.take(used, now);
            }
            Some(wait).filter(|wait| !wait.is_zero())
        });
        let answer = match limited {
            Some(_) => Answer::Fails(Class::RateLimit, Duration::from_millis(20)),
            None => (provider.answer)(now, dice),
        };
        match answer {
            Answer::After(took) => {
                self.now += took;
                provider.latency.push(self.now, took.as_secs_f64(), tracking);
                provider.breaker = provider.breaker.observe(Outcome::Answered(took), self.now, &settings);
                None
            }
            Answer::Fails(class, after) => {
                self.now += after;
                provider.breaker = provider.breaker.observe(Outcome::Failed(limited), self.now, &settings);
                Some(Failure { class: Some(class), status: 503, retry_after: limited })
            }
        }
    }
}

fn steady(ms: u64) -> Behaviour {
    Box::new(move |_, _| Answer::After(Duration::from_millis(ms)))
}

/// Up so much of the time, in outages of five minutes.
fn up(share: f64, seed: u64) -> Behaviour {
    Box::new(move |now, _| {
        let span = now.as_secs() / 300;
        match Dice::new(seed.wrapping_mul(1_000_003).wrapping_add(span)).share() < share {
            true => Answer::After(Duration::from_millis(800)),
            false => Answer::Fails(Class::Unavailable, Duration::from_millis(50)),
        }
    })
}

fn route(balance: Balance, targets: usize) -> Node<usize> {
    let members = (0..targets).map(|target| Member { node: Node::Target(target), weight: 1.0 }).collect();
    Node::Group(Group { id: 0, strategy: Strategy::Balance(balance), members, fallback: Failures::ELSEWHERE })
}

fn quick_retry(retries: u32) -> Retry {
    Retry { retries, retry_after_max: Some(Duration::from_secs(2)), ..Retry::default() }
}

#[test]
fn a_primary_of_a_hundred_requests_a_minute_survives_the_peak_from_ten_to_twelve() {
    let minute = Duration::from_secs(60);
    let mut world = World::new(vec![steady(900), steady(1_200), steady(1_500)]);
    for (provider, calls) in world.providers.iter_mut().zip([100, 200, 50]) {
        provider.limit = Some((Cap { calls, per: minute }, Used::default()));
        provider.cap = provider.limit;
    }
    let (route, mut dice) = (route(Balance::Priority, 3), Dice::new(11));
    let (mut requests, mut answered) = (0_u32, 0_u32);
    for minute in 0..24 * 60 {
        // 92 % of the requests went well with the primary alone: the peak is above its cap, and within that of all three.
        let per_minute = if (600..720).contains(&minute) { 300 } else { 60 };
        for n in 0..per_minute {
            world.now = Duration::from_millis(1_000_000 + minute * 60_000 + n * 60_000 / per_minute);
            requests += 1;
            answered += u32::from(world.serve(&route, &quick_retry(3), &mut dice).answered);
        }
    }
    let success = f64::from(answered) / f64::from(requests);
    assert!(success >= 0.995, "{answered} of {requests}");
    assert!(world.providers[0].calls > world.providers[2].calls, "the cheap one is used first");
}

#[test]
fn three_providers_that_are_up_19_of_20_times_are_up_999_of_1000_times_together() {
    let mut world = World::new(vec![up(0.95, 1), up(0.95, 2), up(0.95, 3)]);
    let (route, mut dice) = (route(Balance::Priority, 3), Dice::new(12));
    let (mut answered, mut alone) = (0_u32, 0_u32);
    let requests = 200_000_u32;
    for n in 0..requests {
        world.now = Duration::from_millis(1_000_000 + u64::from(n) * 3_000);
        let seen = (world.providers[0].answer)(world.now, &mut dice);
        alone += u32::from(matches!(seen, Answer::After(_)));
        answered += u32::from(world.serve(&route, &quick_retry(1), &mut dice).answered);
    }
    let share = |count: u32| f64::from(count) / f64::from(requests);
    assert!((0.93..0.97).contains(&share(alone)), "one alone: {}", share(alone));
    assert!(share(answered) >= 0.999, "together: {}", share(answered));
}

#[test]
fn a_primary_that_hangs_costs_its_time_limit_a_few_times_and_then_nothing() {
    let limit = Duration::from_secs(10);
    let mut world = World::new(vec![Box::new(move |_, _| Answer::Fails(Class::Timeout, limit)), steady(500)]);
    let (route, mut dice) = (route(Balance::Priority, 2), Dice::new(13));
    let usual = Retry { retries: 2, ..Retry::default() };
    let mut slow = 0;
    for n in 0..1_000 {
        world.now = Duration::from_secs(1_000) + Duration::from_millis(n * 100);
        let told = world.serve(&route, &usual, &mut dice);
        assert!(told.answered);
        assert!(told.took <= limit + Duration::from_millis(500), "{:?}", told.took);
        slow += usize::from(told.took >= limit);
    }
    assert!(slow <= 5 + 3 * 4, "{slow} of 1000 requests waited for the primary");
}

#[test]
fn the_faster_of_two_is_found_and_a_swap_is_noticed() {
    let at = |now: Duration, first: u64, second: u64| if now.as_secs() < 2_800 { first } else { second };
    let mut world = World::new(vec![
        Box::new(move |now, _| Answer::After(Duration::from_secs(at(now, 5, 2)))),
        Box::new(move |now, _| Answer::After(Duration::from_secs(at(now, 2, 5)))),
    ]);
    let (route, mut dice) = (route(Balance::LeastLatency, 2), Dice::new(14));
    let mean_of = |world: &mut World, dice: &mut Dice, from_s: u64, count: u64| {
        let mut sum = Duration::ZERO;
        for n in 0..count {
            world.now = Duration::from_secs(from_s + n * 2);
            sum += world.serve(&route, &Retry::default(), dice).took;
        }
        sum.as_secs_f64() / count as f64
    };
    let learning = mean_of(&mut world, &mut dice, 1_000, 400);
    let settled = mean_of(&mut world, &mut dice, 1_800, 400);
    assert!(learning < 4.0 && settled < 2.3, "{learning} s, then {settled} s");
    // From here on the other one is the faster.
    let noticing = mean_of(&mut world, &mut dice, 2_800, 200);
    let again = mean_of(&mut world, &mut dice, 3_200, 400);
    assert!(noticing < 5.0 && again < 2.3, "{noticing} s, then {again} s");
}

/// Two providers whose latencies change places at 2,000 s; how long after that most requests go to the faster one, by
/// the requests in a second, the window of measurements, and the dice.
fn noticed_after(latencies_ms: (u64, u64), per_second: u64, window_s: u64, seed: u64) -> Duration {
    let swap = Duration::from_secs(2_000);
    let (fast, slow) = (Duration::from_millis(latencies_ms.0), Duration::from_millis(latencies_ms.1));
    let mut world = World::new(vec![
        Box::new(move |now, _| Answer::After(if now < swap { fast } else { slow })),
        Box::new(move |now, _| Answer::After(if now < swap { slow } else { fast })),
    ]);
    world.tracking = Tracking { window: Duration::from_secs(window_s), samples_max: 100 };
    let (route, mut dice) = (route(Balance::LeastLatency, 2), Dice::new(seed));
    let mut run = |from: Duration, requests: u64| {
        let before = world.providers[1].calls;
        for n in 0..requests {
            world.now = from + Duration::from_millis(n * 1_000 / per_second);
            world.serve(&route, &Retry::default(), &mut dice);
        }
        world.providers[1].calls - before
    };
    run(Duration::from_secs(1_800), 200 * per_second);
    let ten_seconds = 10 * per_second;
    let spans = (0..60).map(|span| swap + Duration::from_secs(span * 10));
    let noticed =
        spans.map(|from| (from, run(from, ten_seconds) as u64)).find(|(_, calls)| calls * 10 >= ten_seconds * 8);
    noticed.map_or(Duration::MAX, |(from, _)| from + Duration::from_secs(10) - swap)
}

#[test]
fn a_swap_of_latencies_is_noticed_within_tens_of_seconds_under_steady_traffic() {
    for (latencies_ms, per_second, window_s, at_most_s) in
        [((2_000, 5_000), 1, 300, 100), ((2_000, 5_000), 10, 300, 40), ((50, 400), 5, 3, 30), ((50, 400), 10, 60, 40)]
    {
        let mut all: Vec<Duration> =
            (0..20).map(|seed| noticed_after(latencies_ms, per_second, window_s, seed)).collect();
        all.sort_unstable();
        let most = all[18];
        assert!(most <= Duration::from_secs(at_most_s), "{latencies_ms:?} {per_second}/s {window_s} s: {all:?}");
    }
}

#[test]
fn a_provider_of_which_nothing_is_known_is_tried_among_the_first_requests_and_a_slow_one_costs_little() {
    for seed in 0..20 {
        let mut world = World::new(vec![steady(2_000), steady(500), steady(9_000)]);
        let (route, mut dice) = (route(Balance::LeastLatency, 3), Dice::new(seed));
        for n in 0..30 {
            world.now = Duration::from_secs(1_000 + n);
            world.serve(&route, &Retry::default(), &mut dice);
        }
        assert!(world.providers.iter().all(|provider| provider.calls > 0), "everybody has been heard of");
        assert!(world.providers[1].calls >= 15, "and the fastest is found");
        let before = world.providers[0].calls + world.providers[2].calls;
        for n in 0..1_000 {
            world.now = Duration::from_secs(2_000) + Duration::from_millis(n * 200);
            world.serve(&route, &Retry::default(), &mut dice);
        }
        let slow = world.providers[0].calls + world.providers[2].calls - before;
        assert!(slow <= 100, "{slow} of 1000 requests went to the slower ones");
    }
}

#[test]
fn weights_hold_over_a_day_and_a_target_that_dies_loses_its_share_to_the_others() {
    let dies = Box::new(|now: Duration, _: &mut Dice| match now.as_secs() < 5_000 {
        true => Answer::After(Duration::from_millis(300)),
        false => Answer::Fails(Class::Network, Duration::from_millis(5)),
    });
    let mut world = World::new(vec![dies, steady(300)]);
    let members = [3.0, 1.0].iter().enumerate().map(|(n, weight)| Member { node: Node::Target(n), weight: *weight });
    let strategy = Strategy::Balance(Balance::Weighted);
    let route = Node::Group(Group { id: 0, strategy, members: members.collect(), fallback: Failures::ELSEWHERE });
    let mut dice = Dice::new(15);
    for n in 0..4_000 {
        world.now = Duration::from_secs(1_000 + n);
        assert!(world.serve(&route, &Retry::default(), &mut dice).answered);
    }
    let share = world.providers[0].calls as f64 / 4_000.0;
    assert!((0.72..0.78).contains(&share), "{share}");
    let before = world.providers[0].calls;
    for n in 0..4_000 {
        world.now = Duration::from_secs(5_000 + n);
        assert!(world.serve(&route, &Retry::default(), &mut dice).answered, "the other one takes over");
    }
    let wasted = world.providers[0].calls - before;
    assert!(wasted < 200, "{wasted} calls to a dead target, where 3000 would have been its share");
}

#[test]
fn a_canary_that_fails_is_gone_within_its_first_calls_and_one_that_holds_takes_over_at_the_end() {
    let week = Duration::from_secs(7 * 24 * 3_600);
    let read = |what, text| Criterion::read(what, text).unwrap();
    let rollout = Rollout {
        share: 0.05,
        duration: week,
        calls_min: 50,
        success: vec![read(Quantity::ErrorRate, "<1%"), read(Quantity::LatencyP95, "<3s")],
        rollback: vec![read(Quantity::ErrorRate, ">5%"), read(Quantity::LatencyP95, ">5s")],
        promote: true,
    };
    let run = |failing: f64| {
        let (mut stage, mut seen, mut latency) = (Stage::Watched, Seen::default(), Samples::default());
        let mut dice = Dice::new(16);
        let mut on_canary = 0;
        let mut decided_at = None;
        for n in 0..100_000_u64 {
            let now = Duration::from_secs(n * 7);
            if rollout.takes(stage, "new", &format!("user-{}", n % 5_000)) && decided_at.is_none() {
                on_canary += 1;
                seen.calls += 1;
                seen.failures += u32::from(dice.share() < failing);
                latency.push(now, 1.0, Tracking { window: week, samples_max: 1_000 });
                seen.latency_p95_s = latency.quantile(0.95, now, Tracking { window: week, samples_max: 1_000 });
            }
            stage = rollout.judge(stage, &seen, now);
            if decided_at.is_none() && stage != Stage::Watched {
                decided_at = Some(now);
            }
        }
        (stage, on_canary, decided_at.unwrap_or_default())
    };
    let (failed, calls, _) = run(0.3);
    assert!(matches!(failed, Stage::RolledBack(..)), "{failed:?}");
    assert!(calls <= 60, "{calls} users saw the failing canary");
    let (held, _, decided_at) = run(0.002);
    assert_eq!(held, Stage::Promoted);
    assert!(decided_at >= week && decided_at < week + Duration::from_secs(60), "{decided_at:?}");
}
