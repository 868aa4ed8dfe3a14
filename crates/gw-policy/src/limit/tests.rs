//! What limits promise.

use std::borrow::Cow;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

const MINUTE: u64 = 60;

fn limit(max: u64, per_s: u64, technique: Technique) -> Limit {
    Limit { counts: Counts::Requests, max, per: Duration::from_secs(per_s), technique, key: Box::default() }
}

fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// How many of so many requests have room.
fn let_through(limit: &Limit, used: &mut Used, requests: usize, now: Duration) -> usize {
    let mut taken = 0;
    while taken < requests && limit.wait(used, now).is_zero() {
        limit.add(used, 1, now);
        taken += 1;
    }
    taken
}

#[test]
fn ten_in_ten_minutes_around_a_full_ten_minutes_are_twenty_if_fixed_and_ten_if_sliding() {
    let noon = 1_700_000_400 / 3_600 * 3_600;
    for (technique, second) in [(Technique::Fixed, 10), (Technique::Sliding, 0)] {
        let (limit, mut used) = (limit(10, 10 * MINUTE, technique), Used::default());
        assert_eq!(let_through(&limit, &mut used, 12, s(noon + 9 * MINUTE)), 10, "{technique:?} at 12:09");
        assert_eq!(let_through(&limit, &mut used, 12, s(noon + 11 * MINUTE)), second, "{technique:?} at 12:11");
    }
}

#[test]
fn the_wait_ends_with_the_span_or_when_enough_is_old() {
    let fixed = limit(1, 3_600, Technique::Fixed);
    let mut used = Used::default();
    fixed.add(&mut used, 1, s(7_200 + 600));
    assert_eq!(fixed.wait(&used, s(7_200 + 600)), s(3_000));
    let sliding = limit(5, 60, Technique::Sliding);
    let mut used = Used::default();
    sliding.add(&mut used, 3, s(10));
    sliding.add(&mut used, 4, s(40));
    assert_eq!(sliding.wait(&used, s(50)), s(21), "the three are given back at 71 s");
    assert_eq!(sliding.used(&used, s(71)), 4);
    assert_eq!(sliding.used(&used, s(101)), 0);
}

#[test]
fn money_is_spent_beyond_the_limit_by_those_under_way_and_then_nobody_has_room() {
    let limit = Limit { counts: Counts::Cost, ..limit(1_000, 60, Technique::Sliding) };
    let mut used = Used::default();
    limit.add(&mut used, 999, s(1));
    assert!(limit.wait(&used, s(1)).is_zero());
    limit.add(&mut used, 5_000, s(2));
    assert_eq!((limit.used(&used, s(2)), limit.wait(&used, s(2))), (5_999, s(61)));
}

#[test]
fn a_limit_of_nothing_has_room_for_nobody() {
    assert_eq!(limit(0, 60, Technique::Fixed).wait(&Used::default(), s(9)), Duration::MAX);
}

#[test]
fn a_clock_that_is_set_back_gives_nobody_room() {
    for technique in [Technique::Fixed, Technique::Sliding] {
        let (limit, mut used) = (limit(1, 60, technique), Used::default());
        limit.add(&mut used, 1, s(600));
        assert!(!limit.wait(&used, s(500)).is_zero(), "{technique:?}");
        limit.add(&mut used, 1, s(500));
        assert_eq!(limit.used(&used, s(600)), 2, "{technique:?}");
    }
}

#[test]
fn keys_are_counted_apart_and_too_many_together_until_nothing_of_them_counts() {
    let limit = limit(2, 60, Technique::Sliding);
    let mut counters = Counters::default();
    for key in 0..KEYS_MAX {
        counters.add(&limit, &key.to_string(), 1, s(1));
    }
    counters.add(&limit, "late", 1, s(1));
    counters.add(&limit, "later", 1, s(1));
    assert_eq!(counters.keys(), KEYS_MAX);
    assert!(!limit.wait(counters.of("latest"), s(1)).is_zero(), "they share one counter");
    assert!(limit.wait(counters.of("7"), s(1)).is_zero(), "nobody else has used what is its own");
    counters.add(&limit, "late", 1, s(61));
    assert_eq!(limit.used(counters.of("late"), s(61)), 3, "what it used among the others is not forgotten");
    counters.add(&limit, "late", 1, s(200));
    assert_eq!((counters.keys(), limit.used(counters.of("late"), s(200))), (1, 1));
}

#[test]
fn keys_of_any_length_take_little_memory() {
    let limit = limit(2, 60, Technique::Sliding);
    let mut counters = Counters::default();
    counters.add(&limit, &"x".repeat(KEY_BYTES_MAX + 1), 1, s(1));
    assert_eq!(counters.keys(), 0);
    assert_eq!(limit.used(counters.of(&"y".repeat(KEY_BYTES_MAX + 1)), s(1)), 1);
}

#[test]
fn a_request_s_key_is_what_it_says_and_empty_if_it_says_nothing() {
    struct Said;
    impl Facts for Said {
        fn fact(&self, path: &str) -> Option<Cow<'_, Value>> {
            match path {
                "metadata.user" => Some(Cow::Owned(json!("ann"))),
                "metadata.team" => Some(Cow::Owned(json!(7))),
                "metadata.none" => Some(Cow::Owned(Value::Null)),
                _ => None,
            }
        }
    }
    for (path, key) in
        [("metadata.user", "ann"), ("metadata.team", "7"), ("metadata.none", ""), ("metadata.x", ""), ("", "")]
    {
        let limit = Limit { key: Box::from(path), ..limit(1, 60, Technique::Fixed) };
        assert_eq!(&*limit.key_of(&Said), key, "{path}");
    }
}

proptest! {
    #[test]
    fn no_span_has_more_than_a_sliding_limit_and_no_fixed_one_either(
        gaps_ms in prop::collection::vec(prop_oneof![Just(0_u64), 0_u64..1_500, 20_000_u64..90_000], 1..400),
        max in 1_u64..30,
        is_sliding: bool,
    ) {
        let technique = if is_sliding { Technique::Sliding } else { Technique::Fixed };
        let limit = limit(max, 60, technique);
        let (mut now, mut used, mut taken) = (s(1_700_000_000), Used::default(), Vec::new());
        for gap in gaps_ms {
            now += Duration::from_millis(gap);
            let wait = limit.wait(&used, now);
            prop_assert!(wait <= s(61));
            if wait.is_zero() {
                limit.add(&mut used, 1, now);
                taken.push(now);
            } else {
                prop_assert!(limit.wait(&used, now + wait).is_zero(), "there is room after the wait");
                prop_assert!(!limit.wait(&used, now + wait - Duration::from_nanos(1)).is_zero(), "and not sooner");
            }
            prop_assert!(used.slots.len() <= SLOTS as usize + 1);
        }
        for (index, begin) in taken.iter().enumerate() {
            let within = taken[index..].iter().take_while(|at| match technique {
                Technique::Sliding => **at <= *begin + limit.per,
                Technique::Fixed => at.as_secs() / 60 == begin.as_secs() / 60,
            });
            prop_assert!(within.count() as u64 <= max);
        }
    }

    #[test]
    fn no_key_gets_more_than_its_limit_however_many_there_are(
        requests in prop::collection::vec((0_u64..20, 0_u64..8_000), 1..300),
    ) {
        let limit = limit(3, 60, Technique::Sliding);
        let (mut now, mut counters) = (s(1_700_000_000), Counters::default());
        (0..KEYS_MAX - 5).for_each(|other| counters.add(&limit, &format!("other {other}"), 1, now));
        let mut taken: HashMap<u64, Vec<Duration>> = HashMap::new();
        for (key, gap_ms) in requests {
            now += Duration::from_millis(gap_ms);
            if limit.wait(counters.of(&key.to_string()), now).is_zero() {
                counters.add(&limit, &key.to_string(), 1, now);
                taken.entry(key).or_default().push(now);
            }
        }
        for times in taken.values() {
            for (index, begin) in times.iter().enumerate() {
                let within = times[index..].iter().take_while(|at| **at <= *begin + limit.per).count();
                prop_assert!(within <= 3);
            }
        }
    }
}
