//! The walk along a plan: what is tried again, what is tried elsewhere, and what the client sees of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;

use crate::harness::{
    Answer, CHAT_ANSWER, Gateway, Upstream, chat, config, event_stream, http_answer, json_answer, provider,
    streamed_chat,
};

const ROLE: &str =
    "data: {\"id\":\"1\",\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\"}}]}\n\n";
const WORD: &str = "data: {\"id\":\"1\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"hello\"}}]}\n\n";
const END: &str =
    "data: {\"id\":\"1\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n";
const BROKEN: &str = r#"{"error":{"message":"out of order","type":"server_error","param":null,"code":null}}"#;

fn failing(status: u16, headers: &[(&str, &str)]) -> Vec<u8> {
    http_answer(status, &[&[("content-type", "application/json")], headers].concat(), BROKEN)
}

/// Streams these events for every request, and closes the connection.
async fn streaming(events: String) -> Upstream {
    Upstream::start(move |mut peer| {
        let events = events.clone();
        async move {
            peer.request().await;
            peer.send([event_stream(), events.as_bytes()].concat()).await;
        }
    })
    .await
}

/// A house with these providers of the model `m`, the first one first, and these lines of `routing`.
fn house(upstreams: &[&Upstream], routing: &str) -> String {
    let each = |(index, upstream): (usize, &&Upstream)| {
        provider(&format!("p{index}"), upstream.address, &format!(", models: [m], priority: {index}"))
    };
    let providers: String = upstreams.iter().enumerate().map(each).collect();
    config(&format!("providers:\n{providers}routing:\n  retry_attempts: 0\n{routing}"))
}

fn again(retries: u32) -> String {
    format!("  retry_attempts: {retries}\n  retry_delay: 1ms\n")
}

fn retrying(upstream: &Upstream, retries: u32) -> String {
    house(&[upstream], "").replace("  retry_attempts: 0\n", &again(retries))
}

#[track_caller]
fn assert_by(answer: &Answer, provider: &str, attempts: &str, fell_back: &str) {
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.header("x-provider-used"), Some(provider));
    assert_eq!(answer.header("x-attempt-count"), Some(attempts));
    assert_eq!(answer.header("x-fallback-used"), Some(fell_back));
}

/// The record says what one attempt at this provider used for nothing, and of no other.
#[track_caller]
fn assert_unused(record: &Value, provider: &str, used: &Value) {
    let mut expected = json!({ "provider": provider, "model": "m" });
    expected.as_object_mut().unwrap().extend(used.as_object().unwrap().clone());
    assert_eq!(record["unused"], json!([expected]), "{record}");
}

#[tokio::test]
async fn a_failure_that_passes_is_tried_again_at_the_same_provider() {
    let upstream = Upstream::in_turn(vec![failing(500, &[]), failing(503, &[]), json_answer(CHAT_ANSWER)]).await;
    let gateway = Gateway::start(&retrying(&upstream, 2)).await;
    let answer = gateway.chat(chat("m")).await;
    assert_by(&answer, "p0", "3", "false");
    assert_eq!(answer.text(), CHAT_ANSWER);
}

#[tokio::test]
async fn every_failure_that_another_provider_may_not_have_leads_to_the_next() {
    let refusing = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let nobody = refusing.local_addr().unwrap();
    drop(refusing);
    for status in [401, 402, 404, 408, 429, 500, 503] {
        let (first, second) =
            (Upstream::always(failing(status, &[])).await, Upstream::always(json_answer(CHAT_ANSWER)).await);
        let gateway = Gateway::start(&house(&[&first, &second], "")).await;
        assert_by(&gateway.chat(chat("m")).await, "p1", "2", "true");
        assert_eq!((first.requests().len(), second.requests().len()), (1, 1), "{status}");
    }
    let second = Upstream::always(json_answer(CHAT_ANSWER)).await;
    let text = house(&[&second], "")
        .replace("providers:\n", &format!("providers:\n{}", provider("gone", nobody, ", models: [m], priority: -1")));
    let gateway = Gateway::start(&text).await;
    assert_by(&gateway.chat(chat("m")).await, "p0", "2", "true");
}

#[tokio::test]
async fn the_clients_own_mistake_is_told_at_once() {
    let (first, second) = (Upstream::always(failing(400, &[])).await, Upstream::always(json_answer(CHAT_ANSWER)).await);
    let gateway = Gateway::start(&house(&[&first, &second], "")).await;
    assert_eq!(gateway.chat(chat("m")).await.status, 400);
    assert_eq!(second.requests().len(), 0);
}

#[tokio::test]
async fn when_all_fail_the_last_error_is_told_and_every_attempt_is_remembered() {
    let (first, second) = (Upstream::always(failing(500, &[])).await, Upstream::always(failing(503, &[])).await);
    let gateway = Gateway::start(&house(&[&first, &second], "")).await;
    let answer = gateway.chat(chat("m")).await;
    assert_eq!(answer.status, 503, "{}", answer.text());
    assert_eq!(answer.header("x-attempt-count"), Some("2"));
    let record = gateway.record(answer.request_id()).await;
    assert_eq!((&record["attempts"], &record["provider"]), (&2.into(), &"p1".into()), "{record}");
}

#[tokio::test]
async fn a_provider_that_says_when_is_asked_again_then_and_not_when_that_is_too_late() {
    let (now, long) = (("retry-after-ms", "20"), ("retry-after", "3600"));
    let upstream = Upstream::in_turn(vec![failing(429, &[now]), json_answer(CHAT_ANSWER)]).await;
    let gateway = Gateway::start(&retrying(&upstream, 2)).await;
    assert_by(&gateway.chat(chat("m")).await, "p0", "2", "false");

    let past = ("retry-after", "Wed, 21 Oct 2015 07:28:00 GMT");
    let upstream = Upstream::in_turn(vec![failing(429, &[past]), json_answer(CHAT_ANSWER)]).await;
    let gateway = Gateway::start(&retrying(&upstream, 2)).await;
    assert_by(&gateway.chat(chat("m")).await, "p0", "2", "false");

    let (first, second) =
        (Upstream::always(failing(429, &[long])).await, Upstream::always(json_answer(CHAT_ANSWER)).await);
    let text = house(&[&first, &second], "").replace("  retry_attempts: 0\n", &again(2));
    let gateway = Gateway::start(&text).await;
    assert_by(&gateway.chat(chat("m")).await, "p1", "2", "true");
}

#[tokio::test]
async fn a_stream_that_breaks_off_before_its_first_word_is_answered_by_the_next_provider() {
    let (failed, rubbish) = (format!("{ROLE}data: {BROKEN}\n\n"), format!("{ROLE}data: {{\"choices\":\n\n"));
    for (what, beginning) in [
        ("nothing", ""),
        ("a role", ROLE),
        ("a comment", ": ping\n\n"),
        ("an error", &failed),
        ("what is no JSON", &rubbish),
    ] {
        let (first, second) = (streaming(beginning.to_owned()).await, streaming([ROLE, WORD, END].concat()).await);
        let gateway = Gateway::start(&house(&[&first, &second], "")).await;
        let answer = gateway.chat(streamed_chat("m")).await;
        assert_by(&answer, "p1", "2", "true");
        assert_eq!(answer.text(), [ROLE, WORD, END].concat(), "{what}");
        let record = gateway.record(answer.request_id()).await;
        assert_eq!((&record["outcome"], &record["attempts"]), (&"completed".into(), &2.into()), "{record}");
    }
}

#[tokio::test]
async fn what_a_failed_attempt_used_is_counted_beside_what_the_answer_used() {
    let used = |prompt: u64, completion: u64| {
        let usage =
            json!({ "prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion });
        format!("data: {}\n\n", json!({ "id": "1", "choices": [], "usage": usage }))
    };
    let first = streaming([ROLE, &used(7, 0)].concat()).await;
    let second = streaming([ROLE, WORD, &used(3, 5), END].concat()).await;
    let prices = "cost_management:\n  provider_costs:\n    p0:\n      m: { input_token_cost: 0.000002, output_token_cost: 0.000004 }\n";
    let gateway = Gateway::start(&format!("{}{prices}", house(&[&first, &second], ""))).await;
    let answer = gateway.chat(streamed_chat("m")).await;
    assert_by(&answer, "p1", "2", "true");
    let record = gateway.record(answer.request_id()).await;
    assert_unused(&record, "p0", &json!({ "input_tokens": 7, "output_tokens": 0, "cost_nanodollars": 14_000 }));
    assert_eq!((&record["input_tokens"], &record["output_tokens"]), (&3.into(), &5.into()), "{record}");
    let tokens =
        |provider: &str| format!("ai_gateway_tokens_total{{provider=\"{provider}\",model=\"m\",type=\"input\"}}");
    assert_eq!(gateway.metric(&tokens("p0")).await, Some(7.0));
    assert_eq!(gateway.metric(&tokens("p1")).await, Some(3.0));
}

#[tokio::test]
async fn a_stream_that_breaks_off_before_its_first_word_is_tried_again_where_there_is_no_other() {
    let upstream = Upstream::start(|mut peer| async move {
        peer.request().await;
        let events = if peer.index == 0 { ROLE.to_owned() } else { [ROLE, WORD, END].concat() };
        peer.send([event_stream(), events.as_bytes()].concat()).await;
    })
    .await;
    let gateway = Gateway::start(&retrying(&upstream, 1)).await;
    let answer = gateway.chat(streamed_chat("m")).await;
    assert_by(&answer, "p0", "2", "false");
    assert_eq!(answer.text(), [ROLE, WORD, END].concat());
}

#[tokio::test]
async fn a_stream_that_breaks_off_after_its_first_word_ends_in_an_error_event() {
    let (first, second) = (streaming([ROLE, WORD].concat()).await, streaming([ROLE, WORD, END].concat()).await);
    let gateway = Gateway::start(&house(&[&first, &second], "")).await;
    let answer = gateway.chat(streamed_chat("m")).await;
    assert_by(&answer, "p0", "1", "false");
    assert!(answer.text().starts_with(&[ROLE, WORD].concat()), "{}", answer.text());
    assert!(answer.text().contains("provider_stream_interrupted"), "{}", answer.text());
    assert_eq!(second.requests().len(), 0);
}

#[tokio::test]
async fn the_first_word_is_forwarded_when_it_comes() {
    let upstream = Upstream::start(|mut peer| async move {
        peer.request().await;
        peer.send([event_stream(), ROLE.as_bytes(), WORD.as_bytes()].concat()).await;
        peer.gone().await;
    })
    .await;
    let other = Upstream::silent().await;
    let gateway = Gateway::start(&house(&[&upstream, &other], "")).await;
    let mut client = gateway.client().await;
    client.post("/v1/chat/completions", &[], streamed_chat("m")).await;
    assert_eq!(client.answer_head().await.0, 200);
    assert_eq!(client.until("hello").await, [ROLE, WORD].concat());
}

#[tokio::test]
async fn a_translated_stream_is_held_until_its_first_word_too() {
    let (first, second) = (streaming(ROLE.to_owned()).await, streaming([ROLE, WORD, END].concat()).await);
    let gateway = Gateway::start(&house(&[&first, &second], "")).await;
    let body = r#"{"model":"m","stream":true,"max_tokens":9,"messages":[{"role":"user","content":"hello"}]}"#;
    let answer = gateway.post("/v1/messages", body).await;
    assert_by(&answer, "p1", "2", "true");
    assert_eq!(answer.text().matches("event: message_start").count(), 1, "{}", answer.text());
    assert!(answer.text().contains("hello") && answer.text().contains("message_stop"), "{}", answer.text());
}

#[tokio::test]
async fn a_silent_provider_is_left_for_the_next_when_its_time_is_over() {
    let (first, second) = (Upstream::silent().await, Upstream::always(json_answer(CHAT_ANSWER)).await);
    let routes = "routes:\n  - name: r\n    targets:\n      - { provider: p0, model: m, first_byte_timeout: 50ms }\n      \
                  - { provider: p1, model: m }\n";
    let gateway = Gateway::start(&house(&[&first, &second], routes)).await;
    assert_by(&gateway.chat(chat("r")).await, "p1", "2", "true");
    first.departed(1).await;
}

#[tokio::test]
async fn a_stream_that_says_nothing_but_its_role_is_left_for_the_next_when_its_time_is_over() {
    let first = Upstream::start(|mut peer| async move {
        peer.request().await;
        peer.send([event_stream(), ROLE.as_bytes()].concat()).await;
        peer.gone().await;
    })
    .await;
    let second = streaming([ROLE, WORD, END].concat()).await;
    let slow = "  latency_threshold: 100ms\n  fallback_on_slow_response: true\n";
    let gateway = Gateway::start(&house(&[&first, &second], slow)).await;
    let answer = gateway.chat(streamed_chat("m")).await;
    assert_by(&answer, "p1", "2", "true");
    assert_eq!(answer.text(), [ROLE, WORD, END].concat());
    first.departed(1).await;
}

#[tokio::test]
async fn a_slow_answer_gets_another_beside_it_and_the_loser_is_cancelled() {
    let (first, second) = (Upstream::silent().await, Upstream::always(json_answer(CHAT_ANSWER)).await);
    let slow = "  latency_threshold: 50ms\n  fallback_on_slow_response: true\n  slow_response: hedge\n";
    let gateway = Gateway::start(&house(&[&first, &second], slow)).await;
    let answer = gateway.chat(chat("m")).await;
    assert_by(&answer, "p1", "2", "true");
    first.departed(1).await;
    let record = gateway.record(answer.request_id()).await;
    assert_eq!((&record["provider"], &record["attempts"]), (&"p1".into(), &2.into()), "{record}");
    // What the loser used until it was cancelled its provider alone knows.
    let unknown = json!({ "input_tokens": null, "output_tokens": null, "cost_nanodollars": null });
    assert_unused(&record, "p0", &unknown);
}

#[tokio::test]
async fn the_first_attempt_may_still_win_and_one_that_fails_beside_it_harms_nobody() {
    let first = Upstream::start(|mut peer| async move {
        peer.request().await;
        tokio::time::sleep(Duration::from_millis(300)).await;
        peer.send(json_answer(CHAT_ANSWER)).await;
    })
    .await;
    let second = Upstream::always(failing(500, &[])).await;
    let slow = "  latency_threshold: 50ms\n  fallback_on_slow_response: true\n  slow_response: hedge\n";
    let gateway = Gateway::start(&house(&[&first, &second], slow)).await;
    let answer = gateway.chat(chat("m")).await;
    assert_by(&answer, "p0", "2", "false");
    assert_eq!(second.requests().len(), 1);
}

#[tokio::test]
async fn what_a_target_overrides_is_what_its_provider_is_sent_in_either_format() {
    let upstream = Upstream::always(json_answer(CHAT_ANSWER)).await;
    let routes = "routes:\n  - name: r\n    targets:\n      - { provider: p0, model: real, override_params: { temperature: 0, \
                  metadata: { team: blue } } }\n";
    let gateway = Gateway::start(&house(&[&upstream], routes)).await;
    let asked = r#"{"model":"r","temperature":1,"metadata":{"a":"b"},"messages":[{"role":"user","content":"hello"}]}"#;
    assert_eq!(gateway.chat(asked).await.status, 200);
    let asked = r#"{"model":"r","temperature":1,"max_tokens":9,"messages":[{"role":"user","content":"hello"}]}"#;
    assert_eq!(gateway.post("/v1/messages", asked).await.status, 200);
    let sent: Vec<Value> = upstream.requests().iter().map(|request| request.json()).collect();
    assert_eq!((&sent[0]["model"], &sent[0]["temperature"]), (&"real".into(), &0.into()), "{sent:?}");
    assert_eq!(sent[0]["metadata"], serde_json::json!({"a": "b", "team": "blue"}));
    assert_eq!((&sent[1]["temperature"], &sent[1]["metadata"]["team"]), (&0.into(), &"blue".into()), "{sent:?}");
}

#[tokio::test]
async fn a_provider_at_its_cap_overflows_and_when_all_are_the_client_is_told_when_to_come_back() {
    let (first, second) =
        (Upstream::always(json_answer(CHAT_ANSWER)).await, Upstream::always(json_answer(CHAT_ANSWER)).await);
    let text = house(&[&first, &second], "  queue: { max_wait: 100ms }\n")
        .replace("models: [m]", "models: [m], max_requests_per_minute: 1");
    let gateway = Gateway::start(&text).await;
    assert_by(&gateway.chat(chat("m")).await, "p0", "1", "false");
    assert_by(&gateway.chat(chat("m")).await, "p1", "1", "true");
    let began = Instant::now();
    let answer = gateway.chat(chat("m")).await;
    assert_eq!(answer.status, 429, "{}", answer.text());
    assert!(began.elapsed() < Duration::from_secs(5), "nobody waits for longer than the queue's time");
    let wait: u64 = answer.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=61).contains(&wait), "{wait}");
}

/// Gives out the tokens `t1`, `t2`, … one after the other, and answers only who has the second.
#[tokio::test]
async fn a_token_that_is_refused_before_its_time_is_replaced_and_the_request_sent_once_more() {
    let given = Arc::new(AtomicUsize::new(0));
    let upstream = Upstream::start(move |mut peer| {
        let given = Arc::clone(&given);
        async move {
            while let Some(request) = peer.request().await {
                let answer = if request.head.first_line.contains("/token") {
                    let number = given.fetch_add(1, Relaxed) + 1;
                    json_answer(format!(r#"{{"access_token":"t{number}","expires_in":3600}}"#))
                } else if request.head.get("authorization") == Some("Bearer t2") {
                    json_answer(CHAT_ANSWER)
                } else {
                    failing(401, &[])
                };
                peer.send(answer).await;
            }
        }
    })
    .await;
    let address = upstream.address;
    let text = config(&format!(
        "providers:\n  - {{ name: ibm, type: watsonx, endpoint: \"http://{address}\", api_key: k, project_id: p, \
         proxy: direct, models: [m], credentials: {{ token_url: \"http://{address}/token\" }} }}"
    ));
    let gateway = Gateway::start(&text).await;
    assert_by(&gateway.chat(chat("m")).await, "ibm", "2", "false");
    assert_by(&gateway.chat(chat("m")).await, "ibm", "1", "false");
    assert_eq!(upstream.requests().len(), 5, "two tokens, a refusal, two answers");
}
