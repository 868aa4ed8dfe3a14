//! When a breaker opens, and what closes it again.

use proptest::prelude::*;

use super::*;

const FAILED: Outcome = Outcome::Failed(None);
const ANSWERED: Outcome = Outcome::Answered(Duration::from_millis(200));

fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn settings() -> Settings {
    Settings::default()
}

fn after(outcomes: &[Outcome], at: u64) -> Breaker {
    outcomes.iter().fold(Breaker::default(), |breaker, outcome| {
        breaker.begin(s(at), &settings()).observe(*outcome, s(at), &settings())
    })
}

#[test]
fn five_failures_in_a_row_open_it_and_a_success_between_them_does_not() {
    assert_eq!(after(&[FAILED; 4], 0).phase(s(0)), Phase::Closed);
    assert_eq!(after(&[FAILED; 5], 0).phase(s(0)), Phase::Open);
    let mended = [FAILED, FAILED, FAILED, FAILED, ANSWERED, FAILED, FAILED];
    assert_eq!(after(&mended, 0).phase(s(0)), Phase::Closed);
}

#[test]
fn it_stays_open_for_its_time_and_then_lets_a_few_through() {
    let open = after(&[FAILED; 5], 10);
    assert_eq!(open.admits(s(39), &settings()), Admission::NotBefore(s(40)));
    let mut trying = open;
    for _ in 0..3 {
        assert_eq!(trying.admits(s(40), &settings()), Admission::Yes);
        trying = trying.begin(s(40), &settings());
    }
    assert_eq!(trying.phase(s(40)), Phase::HalfOpen);
    assert_eq!(trying.admits(s(40), &settings()), Admission::NotBefore(s(70)));
}

#[test]
fn two_successes_close_it_and_one_failure_opens_it_again() {
    let trying = after(&[FAILED; 5], 0).begin(s(30), &settings()).begin(s(30), &settings());
    let once = trying.observe(ANSWERED, s(31), &settings());
    assert_eq!(once.phase(s(31)), Phase::HalfOpen);
    assert_eq!(once.observe(ANSWERED, s(32), &settings()).phase(s(32)), Phase::Closed);
    let again = once.observe(FAILED, s(32), &settings());
    assert_eq!(again.admits(s(33), &settings()), Admission::NotBefore(s(62)));
}

#[test]
fn a_request_that_is_refused_is_neither_a_failure_nor_a_success_and_a_sign_of_life_while_trying() {
    let refused = Outcome::Refused(Duration::from_millis(5));
    assert_eq!(after(&[refused; 50], 0), Breaker::default());
    let between = [FAILED, FAILED, FAILED, FAILED, refused, FAILED];
    assert_eq!(after(&between, 0).phase(s(0)), Phase::Open, "it does not excuse the failures around it");
    let rate = Settings { failure_rate: Some((0.5, 4)), failure_threshold: 100, ..settings() };
    let run = |outcomes: &[Outcome]| outcomes.iter().fold(Breaker::default(), |b, o| b.observe(*o, s(1), &rate));
    assert_eq!(run(&[FAILED, FAILED, refused, refused]).phase(s(1)), Phase::Closed, "it is none of the calls");
    let trying = after(&[FAILED; 5], 0).begin(s(30), &settings()).begin(s(30), &settings());
    let alive = trying.observe(refused, s(31), &settings()).observe(refused, s(31), &settings());
    assert_eq!(alive.phase(s(31)), Phase::Closed);
}

#[test]
fn answers_to_calls_that_were_made_although_it_is_open_close_it() {
    let open = after(&[FAILED; 5], 10);
    let early = Outcome::Answered(s(5));
    let still = (0..9).fold(open, |breaker, _| breaker.observe(early, s(12), &settings()));
    assert_eq!(still.phase(s(12)), Phase::Open, "those began before");
    let once = open.begin(s(12), &settings()).observe(ANSWERED, s(13), &settings());
    assert_eq!(once.phase(s(13)), Phase::Open);
    assert_eq!(once.observe(ANSWERED, s(14), &settings()).phase(s(14)), Phase::Closed);
    let failed_again = once.observe(FAILED, s(14), &settings()).observe(ANSWERED, s(15), &settings());
    assert_eq!(failed_again.phase(s(15)), Phase::Open, "in a row");
    assert_eq!(failed_again.admits(s(16), &settings()), Admission::NotBefore(s(40)), "it is not open for longer");
}

#[test]
fn nobody_is_left_alone_for_longer_than_the_longest_rest() {
    let forever = after(&[Outcome::Failed(Some(s(999_999_999)))], 0);
    assert_eq!(forever.admits(s(1), &settings()), Admission::NotBefore(REST_MAX));
    assert_eq!(after(&[Outcome::Failed(Some(Duration::MAX))], 0).admits(REST_MAX, &settings()), Admission::Yes);
}

#[test]
fn a_call_that_says_nothing_gives_its_place_back() {
    let settings = Settings { half_open_calls: 1, ..settings() };
    let trying = after(&[FAILED; 5], 0).begin(s(30), &settings);
    assert_ne!(trying.admits(s(30), &settings), Admission::Yes);
    assert_eq!(trying.observe(Outcome::Neither, s(31), &settings).admits(s(31), &settings), Admission::Yes);
}

#[test]
fn a_call_whose_end_is_never_told_does_not_hold_its_place_for_ever() {
    let settings = Settings { half_open_calls: 1, ..settings() };
    let trying = after(&[FAILED; 5], 0).begin(s(30), &settings);
    assert_eq!(trying.admits(s(60), &settings), Admission::Yes);
    let second = trying.begin(s(60), &settings);
    assert_ne!(second.admits(s(61), &settings), Admission::Yes);
}

#[test]
fn a_provider_that_asks_to_be_left_alone_is() {
    let limited = after(&[Outcome::Failed(Some(s(20)))], 0);
    assert_eq!(limited.phase(s(1)), Phase::Closed);
    assert_eq!(limited.admits(s(19), &settings()), Admission::NotBefore(s(20)));
    assert_eq!(limited.admits(s(20), &settings()), Admission::Yes);
}

#[test]
fn half_of_the_calls_failing_opens_it_where_a_rate_is_set_and_there_are_enough() {
    let settings = Settings { failure_rate: Some((0.5, 10)), failure_threshold: 100, ..settings() };
    let run = |calls: usize| {
        (0..calls).fold(Breaker::default(), |breaker, n| {
            let outcome = if n % 2 == 0 { ANSWERED } else { FAILED };
            breaker.begin(s(1), &settings).observe(outcome, s(1), &settings)
        })
    };
    assert_eq!(run(8).phase(s(1)), Phase::Closed);
    assert_eq!(run(10).phase(s(1)), Phase::Open);
}

#[test]
fn failures_of_long_ago_do_not_count_for_the_rate() {
    let settings = Settings { failure_rate: Some((0.5, 4)), failure_threshold: 100, ..settings() };
    let old = (0..3).fold(Breaker::default(), |breaker, _| breaker.observe(FAILED, s(0), &settings));
    assert_eq!(old.observe(FAILED, s(500), &settings).phase(s(500)), Phase::Closed);
}

#[test]
fn an_answer_that_took_too_long_is_a_failure_where_that_is_set() {
    let settings = Settings { slow: Some(s(30)), failure_threshold: 1, ..settings() };
    let slow = Breaker::default().observe(Outcome::Answered(s(31)), s(31), &settings);
    assert_eq!(slow.phase(s(31)), Phase::Open);
}

proptest! {
    #[test]
    fn whatever_happens_it_lets_a_call_through_again_some_time(steps in proptest::collection::vec((0_u8..5, 0_u64..999), 0..60)) {
        let settings = settings();
        let mut breaker = Breaker::default();
        let mut now = 0;
        for (what, later) in steps {
            now += later;
            breaker = match what {
                0 => breaker.begin(s(now), &settings),
                1 => breaker.observe(ANSWERED, s(now), &settings),
                2 => breaker.observe(Outcome::Refused(s(later)), s(now), &settings),
                3 => breaker.observe(Outcome::Failed(Some(s(later))), s(now), &settings),
                _ => breaker.observe(Outcome::Neither, s(now), &settings),
            };
        }
        prop_assert_eq!(breaker.admits(s(now + 1_000), &settings), Admission::Yes);
    }
}
