//! How providers stand, and what that does to requests: who rests and who does not, caps, last resorts, who gives way.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;

use crate::harness::{Answer, CHAT_ANSWER, Gateway, Upstream, chat, config, http_answer, json_answer, provider};

fn refusing(status: u16, code: &str, headers: &[(&str, &str)]) -> Vec<u8> {
    let body = json!({ "error": { "message": "no", "type": "invalid_request_error", "param": null, "code": code } });
    http_answer(status, &[&[("content-type", "application/json")], headers].concat(), body.to_string())
}

fn failing(status: u16, headers: &[(&str, &str)]) -> Vec<u8> {
    refusing(status, "", headers)
}

async fn well() -> Upstream {
    Upstream::always(json_answer(CHAT_ANSWER)).await
}

/// A house with these providers of the model `m`, the first one first, each with these words, and these lines of
/// `routing`.
fn house(upstreams: &[&Upstream], words: &str, routing: &str) -> String {
    let each = |(index, upstream): (usize, &&Upstream)| {
        provider(&format!("p{index}"), upstream.address, &format!(", models: [m], priority: {index}{words}"))
    };
    let providers: String = upstreams.iter().enumerate().map(each).collect();
    config(&format!("providers:\n{providers}routing:\n  retry_delay: 1ms\n{routing}"))
}

const NO_RETRIES: &str = "  retry_attempts: 0\n";

/// Every failure rests a provider for ten minutes.
const EASILY_RESTED: &str =
    "  retry_attempts: 0\n  circuit_breaker: { failure_threshold: 1, success_threshold: 2, reset_timeout: 600s }\n";

fn counts(upstreams: &[&Upstream]) -> Vec<usize> {
    upstreams.iter().map(|upstream| upstream.requests().len()).collect()
}

async fn breaker_of(gateway: &Gateway, provider: &str) -> Value {
    let providers = gateway.get("/gateway/providers").await.json();
    let found = providers["data"].as_array().unwrap().iter().find(|one| one["name"] == provider).cloned();
    found.unwrap()["breaker"].clone()
}

#[track_caller]
fn assert_by(answer: &Answer, provider: &str) {
    assert_eq!((answer.status, answer.header("x-provider-used")), (200, Some(provider)), "{}", answer.text());
}

#[tokio::test]
async fn requests_that_are_refused_do_not_rest_the_provider_that_refuses_them() {
    for (status, code) in [
        (400, "invalid_request_error"),
        (400, "context_length_exceeded"),
        (400, "content_filter"),
        (404, "model_not_found"),
        (413, "too_large"),
        (422, "unprocessable"),
    ] {
        let upstream = Upstream::always(refusing(status, code, &[])).await;
        let gateway = Gateway::start(&house(&[&upstream], "", EASILY_RESTED)).await;
        for _ in 0..3 {
            assert!(gateway.chat(chat("m")).await.status >= 400);
        }
        assert_eq!(breaker_of(&gateway, "p0").await["state"], "closed", "{status} {code}");
    }
    for status in [401, 402, 429, 500] {
        let upstream = Upstream::always(failing(status, &[])).await;
        let gateway = Gateway::start(&house(&[&upstream], "", EASILY_RESTED)).await;
        gateway.chat(chat("m")).await;
        assert_eq!(breaker_of(&gateway, "p0").await["state"], "open", "{status}");
    }
}

#[tokio::test]
async fn the_only_provider_of_a_model_gets_no_more_requests_than_its_cap() {
    let upstream = well().await;
    let routing = "  retry_attempts: 2\n  queue: { max_wait: 100ms }\n";
    let gateway = Gateway::start(&house(&[&upstream], ", max_requests_per_minute: 2", routing)).await;
    for _ in 0..2 {
        assert_by(&gateway.chat(chat("m")).await, "p0");
    }
    for _ in 0..3 {
        let answer = gateway.chat(chat("m")).await;
        answer.assert_error(429, "provider_rate_limited");
        let wait: u64 = answer.header("retry-after").unwrap().parse().unwrap();
        assert!((1..=61).contains(&wait), "{wait}");
    }
    assert_eq!(upstream.requests().len(), 2);
    let plan = gateway.post("/gateway/plan", chat("m")).await.json();
    assert!(plan["wait_ms"].as_u64().unwrap() > 1_000, "{plan}");
}

#[tokio::test]
async fn a_burst_on_every_worker_gets_no_more_than_the_cap_either() {
    let (first, second) = (well().await, well().await);
    let gateway = Gateway::start(&house(&[&first, &second], ", max_requests_per_minute: 10", NO_RETRIES)).await;
    let body = chat("m");
    let mut bursts = Vec::new();
    for _ in 0..15 {
        let mut client = gateway.client().await;
        client.post("/v1/chat/completions", &[], &body).await;
        bursts.push(client);
    }
    for client in &mut bursts {
        assert_eq!(client.answer().await.status, 200);
    }
    assert_eq!(counts(&[&first, &second]), [10, 5]);
}

#[tokio::test]
async fn who_asks_to_be_left_alone_for_ever_rests_for_five_minutes_and_is_the_last_resort() {
    let forever = ("retry-after", "999999999");
    let first = Upstream::in_turn(vec![failing(429, &[forever]), json_answer(CHAT_ANSWER)]).await;
    let second = Upstream::in_turn(vec![json_answer(CHAT_ANSWER), json_answer(CHAT_ANSWER), failing(500, &[])]).await;
    let gateway = Gateway::start(&house(&[&first, &second], "", NO_RETRIES)).await;
    assert_by(&gateway.chat(chat("m")).await, "p1");
    let rest_ms = breaker_of(&gateway, "p0").await["left_alone_for_ms"].as_u64().unwrap();
    assert!((200_000..=300_000).contains(&rest_ms), "{rest_ms}");
    assert_by(&gateway.chat(chat("m")).await, "p1");
    assert_eq!(counts(&[&first, &second]), [1, 2]);
    let answer = gateway.chat(chat("m")).await;
    assert_by(&answer, "p0");
    assert_eq!(answer.header("x-attempt-count"), Some("2"), "asked because the other has failed");
}

#[tokio::test]
async fn the_last_resort_is_asked_once_and_when_all_rest_it_alone() {
    let (first, second, third) = (
        Upstream::always(failing(500, &[])).await,
        Upstream::always(failing(500, &[])).await,
        Upstream::always(failing(500, &[])).await,
    );
    let all = [&first, &second, &third];
    let routing = EASILY_RESTED.replace("retry_attempts: 0", "retry_attempts: 3");
    let gateway = Gateway::start(&house(&all, "", &routing)).await;
    assert_eq!(gateway.chat(chat("m")).await.status, 500);
    assert_eq!(counts(&all), [1, 1, 1]);
    for asked in 1..=3 {
        assert_eq!(gateway.chat(chat("m")).await.status, 500);
        assert_eq!(counts(&all), [1 + asked, 1, 1], "the first is back soonest, and is not tried again");
    }
}

#[tokio::test]
async fn answers_of_a_provider_that_rests_bring_it_back() {
    let upstream = Upstream::in_turn(vec![failing(500, &[]), json_answer(CHAT_ANSWER)]).await;
    let gateway = Gateway::start(&house(&[&upstream], "", EASILY_RESTED)).await;
    assert_eq!(gateway.chat(chat("m")).await.status, 500);
    assert_eq!(breaker_of(&gateway, "p0").await["state"], "open");
    for _ in 0..2 {
        assert_by(&gateway.chat(chat("m")).await, "p0");
    }
    assert_eq!(breaker_of(&gateway, "p0").await["state"], "closed");
}

#[tokio::test]
async fn without_fallbacks_no_other_answers_for_a_provider_that_rests() {
    let (first, second) = (Upstream::always(failing(500, &[])).await, well().await);
    let routing = format!("{EASILY_RESTED}  fallback_enabled: false\n");
    let gateway = Gateway::start(&house(&[&first, &second], "", &routing)).await;
    for _ in 0..3 {
        assert_eq!(gateway.chat(chat("m")).await.status, 500);
    }
    assert_eq!(counts(&[&first, &second]), [3, 0]);
}

#[tokio::test]
async fn a_weight_of_nothing_gets_nothing_not_even_after_a_failure() {
    let (drained, drawn) = (well().await, Upstream::always(failing(500, &[])).await);
    let routes = "routes:\n  - name: r\n    strategy: loadbalance\n    targets:\n      - { provider: p0, model: m, weight: 0 }\n      \
                  - { provider: p1, model: m, weight: 1 }\n";
    let gateway = Gateway::start(&house(&[&drained, &drawn], "", &format!("{EASILY_RESTED}{routes}"))).await;
    for _ in 0..3 {
        assert_eq!(gateway.chat(chat("r")).await.status, 500);
    }
    assert_eq!(counts(&[&drained, &drawn]), [0, 3]);
    let plan = gateway.post("/gateway/plan", chat("r")).await.json();
    assert_eq!(
        (&plan["left_out"][0]["provider"], &plan["left_out"][0]["why"]),
        (&json!("p0"), &json!("its weight is 0"))
    );
}

#[tokio::test]
async fn a_primary_that_hangs_costs_its_time_once_where_another_can_be_asked() {
    let first_byte = ", timeout: { first_byte: 200ms }";
    let (hanging, other) = (Upstream::silent().await, well().await);
    let gateway = Gateway::start(&house(&[&hanging, &other], first_byte, "  retry_attempts: 2\n")).await;
    assert_by(&gateway.chat(chat("m")).await, "p1");
    assert_eq!(counts(&[&hanging, &other]), [1, 1]);

    let hanging = Upstream::silent().await;
    let gateway = Gateway::start(&house(&[&hanging], first_byte, "  retry_attempts: 2\n")).await;
    assert_eq!(gateway.chat(chat("m")).await.status, 504);
    assert_eq!(hanging.requests().len(), 3, "where it is the only one it is tried again");

    let (hanging, other) = (Upstream::silent().await, well().await);
    let insisting = "  retry_attempts: 2\n  retry_on: [timeout]\n";
    let gateway = Gateway::start(&house(&[&hanging, &other], first_byte, insisting)).await;
    assert_by(&gateway.chat(chat("m")).await, "p1");
    assert_eq!(hanging.requests().len(), 3, "where that is what the operator wants, too");
}

#[tokio::test]
async fn nobody_waits_for_a_provider_that_says_when_while_another_takes_calls() {
    for status in [429, 503] {
        let (limited, other) = (Upstream::always(failing(status, &[("retry-after", "5")])).await, well().await);
        let gateway = Gateway::start(&house(&[&limited, &other], "", "  retry_attempts: 2\n")).await;
        let began = Instant::now();
        assert_by(&gateway.chat(chat("m")).await, "p1");
        assert!(began.elapsed() < Duration::from_secs(4), "{status}");
        assert_eq!(counts(&[&limited, &other]), [1, 1], "{status}");
    }
    // Where it does not say when, the usual pauses are made.
    let (limited, other) = (Upstream::always(failing(429, &[])).await, well().await);
    let gateway = Gateway::start(&house(&[&limited, &other], "", "  retry_attempts: 2\n")).await;
    assert_by(&gateway.chat(chat("m")).await, "p1");
    assert_eq!(counts(&[&limited, &other]), [3, 1]);
}
