//! What of routing is easier said than shown: names that mean the same, and what a set of failures holds.

use std::path::Path;
use std::time::Duration;

use gw_config::config::{Config, Hedge, RouteNode, RouteStrategy, Slow};
use gw_config::{Diagnostics, Environment, LoadOptions, load_str};
use gw_policy::balance::Balance;
use gw_policy::failure::{Class, Failure};
use gw_policy::hedge::{Budget, Threshold};

fn load(text: &str) -> Result<Config, Diagnostics> {
    let options = LoadOptions { provider_types: &["openai"], ..LoadOptions::default() };
    load_str(text, Path::new("config.yaml"), &Environment::empty(), &options).map(|loaded| loaded.config)
}

/// How the only route of a configuration finds its first target.
fn strategy_of(word: &str) -> Result<RouteStrategy, Diagnostics> {
    let text = format!("routes: [{{ name: r, strategy: {word}, targets: [{{ model: a }}, {{ model: b }}] }}]");
    Ok(match load(&text)?.routes.remove(0).node {
        RouteNode::Group(group) => group.strategy,
        RouteNode::Target(_) => RouteStrategy::Single,
    })
}

#[test]
fn who_takes_a_canary_for_a_strategy_is_told_where_canaries_are() {
    let told = load("routing: { strategy: canary }").unwrap_err().to_string();
    assert!(told.contains("canary: { enabled: true, rollouts:"), "{told}");
    // What is told there can be used.
    load("canary: { enabled: true, rollouts: [{ name: n, provider: openai, traffic_percentage: 5, duration: 24h }] }")
        .unwrap();
}

/// What `routing` says of slow answers, with fallbacks for them.
fn slow(rest: &str) -> Result<Option<Slow>, Diagnostics> {
    Ok(load(&format!("routing: {{ fallback_on_slow_response: true, {rest} }}"))?.routing.slow)
}

#[test]
fn slow_answers_get_another_beside_them_by_time_or_percentile_and_one_in_ten_if_nothing_is_said() {
    let hedge = |threshold, share| Some(Slow::Hedge(Hedge { threshold, budget: Budget::of_share(share) }));
    let after = Duration::from_secs(3);
    assert_eq!(slow("latency_threshold: 3s").unwrap(), Some(Slow::Cancel(after)));
    let told = slow("latency_threshold: 3s, slow_response: hedge").unwrap();
    assert_eq!(told, hedge(Threshold::After(after), 0.1));
    let told = slow("latency_threshold: p95, slow_response: hedge, hedge_budget: 5%").unwrap();
    assert_eq!(told, hedge(Threshold::Quantile(0.95), 0.05));
}

#[test]
fn a_percentile_is_for_hedges_and_has_to_be_measured() {
    for (rest, mistake) in [
        ("latency_threshold: p95", "would cancel ever more answers"),
        ("latency_threshold: p95, slow_response: hedge, latency_tracking: { enabled: false }", "would measure"),
        (
            "latency_threshold: p95, slow_response: hedge, latency_tracking: { sample_size: 10 }",
            "needs 20 measurements",
        ),
        ("latency_threshold: p100, slow_response: hedge", "is not a percentile"),
        ("latency_threshold: 3s, slow_response: hedge, hedge_budget: 110%", "is not a share"),
    ] {
        let told = slow(rest).unwrap_err().to_string();
        assert!(told.contains(mistake), "{rest}: {told}");
    }
}

#[test]
fn a_strategy_has_one_meaning_under_all_of_its_names() {
    let balances = [
        (Balance::Priority, &["priority", "fallback", "Fallback"][..]),
        (Balance::RoundRobin, &["round-robin", "round_robin"]),
        (Balance::Weighted, &["weighted", "loadbalance", "LOADBALANCE"]),
        (Balance::LeastLatency, &["least-latency", "least_latency", "latency"]),
        (Balance::LeastCost, &["least-cost", "least_cost", "price"]),
        (Balance::Throughput, &["throughput"]),
        (Balance::LeastBusy, &["least-busy", "least_busy"]),
        (Balance::PowerOfTwo, &["power-of-two", "power_of_two"]),
    ];
    for (balance, words) in balances {
        for word in words {
            let found = strategy_of(word).unwrap();
            assert!(matches!(found, RouteStrategy::Balance(found) if found == balance), "{word}: {found:?}");
            let text = format!("routing: {{ strategy: {word} }}");
            assert_eq!(load(&text).unwrap().routing.strategy, balance, "{word}");
        }
    }
    assert!(matches!(strategy_of("sticky").unwrap(), RouteStrategy::Sticky(_)));
    assert!(matches!(strategy_of("single").unwrap(), RouteStrategy::Single));
}

#[test]
fn a_list_of_errors_takes_the_place_of_the_usual_ones() {
    let fallback = load("routing: { fallback_on_errors: [timeout, RATE-LIMIT, 500] }").unwrap().routing.fallback;
    let holds = |class, status| fallback.contains(&Failure { class: Some(class), status, retry_after: None });
    assert!(holds(Class::Timeout, 504) && holds(Class::RateLimit, 429) && holds(Class::ServerError, 500));
    assert!(holds(Class::Network, 0), "a broken connection is a server's failure");
    assert!(!holds(Class::ServerError, 502) && !holds(Class::Authentication, 401));
}

#[test]
fn every_class_of_failures_can_be_named() {
    for class in Class::ALL {
        for name in class.aliases().iter().copied().chain([class.name()]) {
            let fallback = load(&format!("routing: {{ fallback_on: [{name}] }}")).unwrap().routing.fallback;
            assert!(fallback.contains(&Failure { class: Some(*class), status: 418, retry_after: None }), "{name}");
        }
    }
}

#[test]
fn attempts_and_count_do_not_count_the_first_try_and_max_attempts_does() {
    let retries = |text: &str| load(&format!("retry: {text}")).unwrap().routing.retry.retries;
    assert_eq!([retries("{ count: 5 }"), retries("{ attempts: 5 }"), retries("{ max_attempts: 3 }")], [5, 5, 2]);
    assert_eq!(retries("{ attempts: 2, max_attempts: 3 }"), 2, "both say the same");
}
