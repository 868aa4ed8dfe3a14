use std::sync::atomic::AtomicBool;
use std::thread;

use gw_core::{Outcome, RequestRecord};

use super::*;
use crate::exposition::check;
use crate::testing::{chat, record};

/// The value of a sample, written as `name{label="value"}`; 0 if it is not on the page.
fn value(registry: &Registry, sample: &str) -> f64 {
    let page = registry.render(&Sampled::default());
    check::samples(&page);
    let line = page.lines().find_map(|line| line.strip_prefix(sample)?.strip_prefix(' '));
    line.map_or(0.0, |value| value.parse().unwrap())
}

fn failed(code: ErrorCode) -> RequestRecord {
    RequestRecord { outcome: Outcome::Failed, error: Some(code), status: code.status(), usage: None, ..record() }
}

#[test]
fn a_request_shows_in_every_metric_that_is_about_requests() {
    let registry = Registry::new("1.2.3");
    let bank = registry.bank(0);
    let series = bank.series(chat("openai", "gpt-5-mini"));
    bank.request_started();
    bank.stream_opened();
    assert_eq!(value(&registry, "ai_gateway_requests_in_flight"), 1.0);
    assert_eq!(value(&registry, "ai_gateway_open_streams"), 1.0);
    bank.stream_closed();
    bank.request_finished(&record(), Some(&series));
    for (sample, expected) in [
        (
            r#"requests_total{operation="chat",provider="openai",model="gpt-5-mini",status="200",outcome="completed"}"#,
            1.0,
        ),
        (r#"tokens_total{provider="openai",model="gpt-5-mini",type="input"}"#, 12.0),
        (r#"tokens_total{provider="openai",model="gpt-5-mini",type="output"}"#, 34.0),
        (r#"tokens_total{provider="openai",model="gpt-5-mini",type="reasoning"}"#, 5.0),
        (r#"request_duration_seconds_sum{operation="chat",provider="openai",model="gpt-5-mini"}"#, 1.234_567),
        (r#"request_duration_seconds_count{operation="chat",provider="openai",model="gpt-5-mini"}"#, 1.0),
        (r#"time_to_first_token_seconds_sum{operation="chat",provider="openai",model="gpt-5-mini"}"#, 0.2),
        (r#"overhead_seconds_bucket{operation="chat",le="0.000075"}"#, 0.0),
        (r#"overhead_seconds_bucket{operation="chat",le="0.0001"}"#, 1.0),
        (r#"overhead_seconds_sum{operation="chat"}"#, 0.000_087),
        ("requests_in_flight", 0.0),
        ("open_streams", 0.0),
        (r#"build_info{version="1.2.3"}"#, 1.0),
    ] {
        let found = value(&registry, &format!("ai_gateway_{sample}"));
        assert_eq!(found, expected, "{sample}");
    }
}

#[test]
fn errors_are_counted_by_code_blame_and_provider_over_all_models_and_workers() {
    let registry = Registry::new("");
    let (first, second) = (registry.bank(0), registry.bank(1));
    first.request_finished(&failed(ErrorCode::ProviderTimeout), Some(&first.series(chat("openai", "a"))));
    second.request_finished(&failed(ErrorCode::ProviderTimeout), Some(&second.series(chat("openai", "b"))));
    second.request_finished(&failed(ErrorCode::InvalidJson), None);
    let timeouts = r#"ai_gateway_errors_total{code="provider_timeout",blame="provider",provider="openai"}"#;
    assert_eq!(value(&registry, timeouts), 2.0);
    let invalid = r#"ai_gateway_errors_total{code="invalid_json",blame="client",provider="none"}"#;
    assert_eq!(value(&registry, invalid), 1.0);
}

#[test]
fn an_answer_that_was_not_streamed_has_no_first_token_and_one_that_reached_no_provider_no_overhead() {
    let registry = Registry::new("");
    let bank = registry.bank(0);
    let series = bank.series(chat("openai", "a"));
    bank.request_finished(&RequestRecord { stream: false, attempts: 0, ..record() }, Some(&series));
    let samples = check::samples(&registry.render(&Sampled::default()));
    let counts = samples.iter().filter(|((name, _), _)| {
        name == "ai_gateway_time_to_first_token_seconds_count" || name == "ai_gateway_overhead_seconds_count"
    });
    assert_eq!(counts.map(|(_, count)| *count).sum::<f64>(), 0.0);
}

#[test]
fn every_metric_of_the_list_is_on_the_page_even_if_nothing_has_happened() {
    let page = Registry::new("").render(&Sampled::default());
    check::samples(&page);
    for metric in names::ALL {
        assert!(page.contains(&format!("# TYPE {} {}\n", metric.name, metric.kind.name())), "{}", metric.name);
    }
    assert_eq!(page.matches("# TYPE ").count(), names::ALL.len());
    assert!(page.contains(r#"ai_gateway_overhead_seconds_bucket{operation="chat",le="+Inf"} 0"#));
}

#[test]
fn connections_are_open_from_the_first_fact_to_the_last() {
    let registry = Registry::new("");
    let bank = registry.bank(0);
    (0..3).for_each(|_| bank.connection_opened());
    bank.connection_closed();
    bank.connection_refused();
    (0..3).for_each(|_| bank.upstream_opened("openai"));
    bank.upstream_closed("openai");
    bank.upstream_busy("openai");
    for (sample, expected) in [
        ("client_connections", 2.0),
        ("client_connections_refused_total", 1.0),
        (r#"upstream_connections{provider="openai",state="active"}"#, 1.0),
        (r#"upstream_connections{provider="openai",state="idle"}"#, 1.0),
        (r#"upstream_connections_opened_total{provider="openai"}"#, 3.0),
    ] {
        assert_eq!(value(&registry, &format!("ai_gateway_{sample}")), expected, "{sample}");
    }
}

#[test]
fn the_control_plane_s_facts_are_shown() {
    let registry = Registry::new("");
    registry.config_reloaded(Reload::Succeeded { generation: 7 });
    registry.config_reloaded(Reload::Failed);
    registry.worker_restarted();
    registry.panic_caught();
    registry.bank(0).panic_caught();
    registry.bank(0).record_dropped();
    let page = registry.render(&Sampled {
        held_bytes: 4_096,
        log_lines_dropped: 3,
        breakers: vec![("openai".into(), "open")],
    });
    for line in [
        r#"ai_gateway_config_reloads_total{result="success"} 1"#,
        r#"ai_gateway_config_reloads_total{result="failure"} 1"#,
        "ai_gateway_config_last_reload_success 0",
        "ai_gateway_config_generation 7",
        "ai_gateway_worker_restarts_total 1",
        r#"ai_gateway_circuit_breaker_state{provider="openai",state="open"} 1"#,
        r#"ai_gateway_circuit_breaker_state{provider="openai",state="closed"} 0"#,
        "ai_gateway_panics_total 2",
        "ai_gateway_records_dropped_total 1",
        "ai_gateway_held_bytes 4096",
        "ai_gateway_log_lines_dropped_total 3",
    ] {
        assert!(page.lines().any(|found| found == line), "{line}");
    }
}

#[test]
fn a_worker_that_is_started_again_goes_on_counting() {
    let registry = Registry::new("");
    for _ in 0..2 {
        let bank = registry.bank(0);
        let series = bank.series(chat("openai", "a"));
        bank.request_finished(&record(), Some(&series));
    }
    let requests =
        r#"ai_gateway_requests_total{operation="chat",provider="openai",model="a",status="200",outcome="completed"}"#;
    assert_eq!(value(&registry, requests), 2.0);
}

#[test]
fn names_made_up_by_clients_do_not_grow_the_registry_beyond_its_bound() {
    let registry = Registry::new("");
    for worker in 0..2 {
        let bank = registry.bank(worker);
        for model in 0..SERIES_MAX + 50 {
            let series = bank.series(chat("openai", &format!("model-{model}")));
            bank.request_finished(&record(), Some(&series));
        }
        let long = bank.series(chat("openai", &"x".repeat(LABEL_BYTES_MAX + 1)));
        bank.request_finished(&record(), Some(&long));
    }
    let samples = check::samples(&registry.render(&Sampled::default()));
    let requests: Vec<_> = samples.iter().filter(|((name, _), _)| name == "ai_gateway_requests_total").collect();
    assert_eq!(requests.len(), SERIES_MAX + 1);
    let other = r#"ai_gateway_requests_total{operation="chat",provider="other",model="other",status="200",outcome="completed"}"#;
    assert_eq!(value(&registry, other), 102.0);
    assert_eq!(value(&registry, "ai_gateway_series_overflow_total"), 102.0);
}

#[test]
fn statuses_made_up_by_providers_are_bounded_and_none_is_lost() {
    let registry = Registry::new("");
    let bank = registry.bank(0);
    let series = bank.series(chat("openai", "a"));
    for status in 100..600 {
        bank.request_finished(&RequestRecord { status, ..record() }, Some(&series));
    }
    let samples = check::samples(&registry.render(&Sampled::default()));
    let requests: Vec<_> = samples.iter().filter(|((name, _), _)| name == "ai_gateway_requests_total").collect();
    assert!(requests.len() <= 40, "{}", requests.len());
    assert_eq!(requests.iter().map(|(_, count)| **count).sum::<f64>(), 500.0);
}

#[test]
fn a_scrape_while_workers_count_sees_numbers_that_only_grow_and_in_the_end_all_of_them() {
    const WORKERS: usize = 2;
    const EACH: usize = 20_000;
    let registry = Registry::new("");
    let done = Arc::new(AtomicBool::new(false));
    let scraper = thread::spawn({
        let (registry, done) = (Arc::clone(&registry), Arc::clone(&done));
        move || {
            let (mut before, mut scrapes) = (BTreeMap::new(), 0);
            while !done.load(Ordering::Relaxed) || scrapes < 3 {
                let samples = check::samples(&registry.render(&Sampled::default()));
                for ((id, then), now) in before.iter().filter_map(|(id, then)| Some(((id, then), samples.get(id)?))) {
                    assert!(now >= then, "{id:?} went from {then} to {now}");
                }
                (before, scrapes) = (samples, scrapes + 1);
            }
        }
    });
    let workers: Vec<_> = (0..WORKERS)
        .map(|worker| {
            let registry = Arc::clone(&registry);
            thread::spawn(move || {
                let (bank, record) = (registry.bank(worker), record());
                for turn in 0..EACH {
                    let series = bank.series(chat("openai", if turn % 2 == 0 { "a" } else { "b" }));
                    bank.request_finished(&record, Some(&series));
                }
            })
        })
        .collect();
    workers.into_iter().for_each(|worker| worker.join().unwrap());
    done.store(true, Ordering::Relaxed);
    scraper.join().unwrap();
    let overhead = value(&registry, r#"ai_gateway_overhead_seconds_count{operation="chat"}"#);
    assert_eq!(overhead, (WORKERS * EACH) as f64);
}
