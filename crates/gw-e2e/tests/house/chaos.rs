//! Providers that die, come back, refuse, stall and talk rubbish, while 300 streams and other requests of many applications
//! are open: each request is answered with its own answer, or fails with an error that says so, and nobody is called more
//! often than the route allows.
//!
//! `CHAOS_SECONDS` makes it longer, `CHAOS_SEED` another; CONTRIBUTING.md says how to run it for minutes.

mod audit;
mod client;
mod ledger;
mod mood;
mod provider;
mod report;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::AtomicU32;
use std::time::Duration;

use serde_json::Value;
use tokio::time::{Instant, sleep, sleep_until};

use crate::harness::{CLIENT_KEY, Gateway, PROVIDER_KEY, beside, config};
use crate::translated::Format;
use crate::translated_vendors::Vendor;
use client::{Crowd, SAFE, SHAKY};
use ledger::{Asked, Ledger};
use mood::{Chance, Mood};
use provider::Provider;
use report::Report;

const SECONDS: u64 = 15;
const SEED: u64 = 7;
/// Applications that ask for streams: 300 are open at a time, and the others between two.
const STREAMING: usize = 330;
/// Applications that ask for whole answers.
const WHOLE: usize = 40;
/// For so long all is well: long enough to have every connection.
const WARM_UP: Duration = Duration::from_secs(2);
/// Of the requests whose route ends with a provider that never fails.
const ANSWERED_MIN: f64 = 0.999;
/// What the gateway may have of memory at the end, in what it had with as many streams when all was well.
const MEMORY_GROWTH_MAX: f64 = 1.5;
/// For each of three providers that fail two tries; besides, on the other route, two of the one that does not.
const ATTEMPTS_MAX: [u64; 2] = [6, 8];
/// Of requests that went wrong.
const SHOWN_MAX: usize = 5;
/// For the log and the connections to follow.
const SETTLING: Duration = Duration::from_secs(20);

#[tokio::test]
async fn every_request_is_answered_once_or_fails_with_an_error_while_providers_come_and_go() {
    let seconds = number_from("CHAOS_SECONDS").unwrap_or(SECONDS);
    let seed = number_from("CHAOS_SEED").unwrap_or(SEED);
    let ledger = Arc::new(Ledger::default());
    let moody = [
        Provider::start("openai-like", Vendor::Compatible, &ledger),
        Provider::start("claude", Vendor::Anthropic, &ledger),
        Provider::start("gemini", Vendor::Gemini, &ledger),
    ];
    let steady = Provider::start("steady", Vendor::Compatible, &ledger);
    let gateway = Gateway::start(&configuration(&moody, &steady)).await;

    let until = Instant::now() + WARM_UP + Duration::from_secs(seconds);
    let crowd = Arc::new(Crowd { gateway: gateway.address, next: AtomicU32::new(0), until });
    let clients: Vec<_> = (0..STREAMING + WHOLE)
        .map(|client| {
            let chance = Chance::of(seed.wrapping_add(client as u64 + 1_000));
            beside(client::ask(Arc::clone(&crowd), Format::ALL[client % 4], client < STREAMING, chance))
        })
        .collect();
    sleep(WARM_UP).await;
    let memory_before = gateway.resident_memory_bytes();
    let moods = moody
        .iter()
        .enumerate()
        .map(|(number, provider)| change_moods(provider, Chance::of(seed.wrapping_add(number as u64)), until));
    let [one, two, three] = <[_; 3]>::try_from(moods.collect::<Vec<_>>()).ok().unwrap();
    let (_, _, _, in_flight) = tokio::join!(one, two, three, in_flight(&gateway, until));
    let mut asked: Vec<Asked> = Vec::new();
    for client in clients {
        asked.extend(client.await.unwrap());
    }

    println!(
        "{seconds} s, seed {seed}, {STREAMING} clients of streams and {WHOLE} others, {in_flight:.0} requests at a time"
    );
    let report = Report::of(&ledger, &asked, &records(&gateway, &asked).await, ATTEMPTS_MAX);
    println!("{report}");
    assert_nothing_lost(&report, asked.len());
    if seconds >= SECONDS {
        assert!(report.unmet().is_empty(), "nobody met {:?}", report.unmet());
    }
    assert_settled(&gateway, memory_before).await;
    assert_recovered(&gateway).await;
}

fn number_from(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().map(|number| number.parse().unwrap_or_else(|_| panic!("{variable}: {number:?}")))
}

/// Two routes over the same three providers that fail; one of them ends with a provider that does not.
fn configuration(moody: &[Provider], steady: &Provider) -> String {
    let hurried = ", timeout: { connect: 2s, first_byte: 1500ms, read: 1500ms, total: 60s }";
    let patient = ", timeout: { connect: 30s, first_byte: 30s, read: 30s, total: 60s }";
    let entry = |provider: &Provider, timeout| provider.vendor.entry(provider.name, provider.address, timeout);
    let providers: String = moody.iter().map(|provider| entry(provider, hurried)).collect();
    let target = |provider: &Provider| format!("{{ provider: {}, model: {} }}", provider.name, provider.vendor.model());
    let targets = moody.iter().map(target).collect::<Vec<_>>().join(", ");
    let shaky = format!("strategy: round-robin, targets: [{targets}]");
    config(&format!(
        "auth: {{ mode: required, keys: [{{ name: app, key: {CLIENT_KEY} }}] }}\n\
         providers:\n{providers}{}\
         routing: {{ retry_attempts: 1, retry_delay: 20ms }}\n\
         circuit_breaker: {{ failure_threshold: 20, success_threshold: 1, reset_timeout: 200ms }}\n\
         routes:\n  - {{ name: {SHAKY}, {shaky} }}\n  \
         - {{ name: {SAFE}, strategy: fallback, targets: [{{ {shaky} }}, {}] }}\n",
        entry(steady, patient),
        target(steady),
    ))
}

/// Takes a provider through every fault in some order, again and again, with better times between them.
async fn change_moods(provider: &Provider, mut chance: Chance, until: Instant) {
    loop {
        for fault in chance.deck() {
            for (mood, lasts) in [(fault, chance.between_ms(300, 900)), (Mood::Well, chance.between_ms(100, 500))] {
                provider.takes_to(mood);
                sleep_until(until.min(Instant::now() + lasts)).await;
            }
            if Instant::now() >= until {
                return;
            }
        }
    }
}

/// How many requests the gateway had at a time, on average.
async fn in_flight(gateway: &Gateway, until: Instant) -> f64 {
    let mut counts = Vec::new();
    while Instant::now() < until {
        counts.extend(gateway.metric("ai_gateway_requests_in_flight").await);
        sleep(Duration::from_millis(500)).await;
    }
    counts.iter().sum::<f64>() / counts.len() as f64
}

/// The log's lines about the requests, by their ids, once all have been written.
async fn records(gateway: &Gateway, asked: &[Asked]) -> HashMap<String, Value> {
    let until = Instant::now() + SETTLING;
    loop {
        let written = gateway.everything_written();
        let lines = written.lines().filter(|line| line.contains(r#""event":"request""#));
        let lines = lines.filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let records: HashMap<String, Value> =
            lines.filter_map(|line| Some((line["request_id"].as_str()?.to_owned(), line))).collect();
        let missing = asked.iter().filter_map(|asked| asked.request_id.as_ref()).any(|id| !records.contains_key(id));
        if !missing || Instant::now() >= until {
            return records;
        }
        sleep(Duration::from_millis(500)).await;
    }
}

/// What the run was for.
fn assert_nothing_lost(report: &Report, asked: usize) {
    assert_eq!(report.requests(), asked);
    for (what, wrong) in [
        ("lost", &report.lost),
        ("called wrongly", &report.wrongly_repeated),
        ("not as the log has it", &report.contradicted),
    ] {
        wrong.iter().take(SHOWN_MAX).for_each(|wrong| println!("{what}: {wrong}"));
    }
    let wrong = [report.lost.len(), report.wrongly_repeated.len(), report.contradicted.len(), report.unasked_calls];
    assert_eq!(wrong, [0; 4], "lost, called wrongly, not as the log has it, calls that nobody asked for");
    assert!(report.safe_share() >= ANSWERED_MIN, "{}", report.safe_share());
}

/// The program is as it was before: alive, idle, without panics, no larger, and has told no secret.
async fn assert_settled(gateway: &Gateway, memory_before: u64) {
    let idle = [
        ("ai_gateway_requests_in_flight", 0.0),
        ("ai_gateway_open_streams", 0.0),
        ("ai_gateway_held_bytes", 0.0),
        // The one that asks.
        ("ai_gateway_client_connections", 1.0),
    ];
    let until = Instant::now() + SETTLING;
    for (gauge, value) in idle {
        while gateway.metric(gauge).await != Some(value) {
            assert!(Instant::now() < until, "{gauge} is {:?}", gateway.metric(gauge).await);
            sleep(Duration::from_millis(100)).await;
        }
    }
    for never in ["panics_total", "worker_restarts_total", "records_dropped_total", "log_lines_dropped_total"] {
        let count = gateway.metric(&format!("ai_gateway_{never}")).await;
        assert!(count.is_none_or(|count| count == 0.0), "{never}: {count:?}");
    }
    let written = gateway.everything_written();
    for never in [PROVIDER_KEY, CLIENT_KEY, "token-", "panicked"] {
        let line = written.lines().find(|line| line.contains(never));
        assert!(line.is_none(), "{never} is in the log: {line:?}");
    }
    let memory = gateway.resident_memory_bytes();
    let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
    let (before, after, peak) = (mib(memory_before), mib(memory), mib(gateway.peak_memory_bytes()));
    println!("memory: {before:.1} MiB with all streams open, {after:.1} MiB at the end, {peak:.1} MiB at most");
    assert!(after <= before * MEMORY_GROWTH_MAX, "{before:.1} MiB before, {after:.1} MiB after");
}

/// When the providers are well again, so is everybody who asks them.
async fn assert_recovered(gateway: &Gateway) {
    let until = Instant::now() + SETTLING;
    for format in Format::ALL {
        let (name, key) = format.key_header(CLIENT_KEY);
        let (path, body) = (format.path(SHAKY, false), format.body(SHAKY, false, "say token-0 please").to_string());
        while gateway.post_with(&path, &[(name, &key)], &body).await.status != 200 {
            assert!(Instant::now() < until, "{format:?} is not answered");
            sleep(Duration::from_millis(100)).await;
        }
    }
}
