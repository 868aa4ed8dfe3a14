//! A client's time: who could answer it is asked before it gives up, and nobody is given up for nothing.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use crate::harness::{
    Answer, CHAT_ANSWER, Gateway, Upstream, chat, config, event_stream, json_answer, provider, streamed_chat,
};

const ROLE: &str = "data: {\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\"}}]}\n\n";
const WORD: &str = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"hello\"}}]}\n\n";
const END: &str = "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n";
const PATH: &str = "/v1/chat/completions";

/// An upstream that answers after so long.
async fn after(delay: Duration) -> Upstream {
    Upstream::start(move |mut peer| async move {
        while peer.request().await.is_some() {
            sleep(delay).await;
            peer.send(json_answer(CHAT_ANSWER)).await;
        }
    })
    .await
}

/// An upstream that begins a stream, and after so long says the rest.
async fn streaming(begin: &'static str, pause: Duration, rest: &'static str) -> Upstream {
    Upstream::start(move |mut peer| async move {
        peer.request().await;
        peer.send([event_stream(), begin.as_bytes()].concat()).await;
        sleep(pause).await;
        peer.send(rest).await;
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

#[track_caller]
fn assert_by(answer: &Answer, provider: &str) {
    assert_eq!((answer.status, answer.header("x-provider-used")), (200, Some(provider)), "{}", answer.text());
}

const NEVER: Duration = Duration::from_secs(60);

#[tokio::test]
async fn a_client_that_says_how_long_it_waits_gets_the_next_provider_s_answer_before_that() {
    for header in ["x-stainless-read-timeout", "X-Stainless-Timeout", "X-Server-Timeout"] {
        let (hanging, other) = (Upstream::silent().await, Upstream::always(json_answer(CHAT_ANSWER)).await);
        let gateway = Gateway::start(&house(&[&hanging, &other], "")).await;
        let answer = gateway.post_with(PATH, &[(header, "2")], chat("m")).await;
        assert_by(&answer, "p1");
        let record = gateway.record(answer.request_id()).await;
        assert_eq!(
            (&record["deadline_ms"], &record["deadline_of"]),
            (&json!(1500), &json!(header.to_ascii_lowercase())),
            "{record}"
        );
        assert_eq!(record["tries"][0]["error"], "provider_timeout", "{record}");
        hanging.departed(1).await;
    }
}

#[tokio::test]
async fn a_stream_that_says_nothing_is_left_in_time_too() {
    let (hanging, other) =
        (streaming(ROLE, NEVER, END).await, streaming("data: {\"choices\":[]}\n\n", Duration::ZERO, END).await);
    let gateway = Gateway::start(&house(&[&hanging, &other], "")).await;
    assert_by(&gateway.post_with(PATH, &[("x-stainless-read-timeout", "2")], streamed_chat("m")).await, "p1");
}

#[tokio::test]
async fn who_nobody_could_replace_is_not_given_up() {
    // Longer than what the gateway keeps for the way back, and shorter than what the client waits: the answer arrives.
    let slow = after(Duration::from_millis(700)).await;
    let gateway = Gateway::start(&house(&[&slow], "")).await;
    assert_by(&gateway.post_with(PATH, &[("x-stainless-timeout", "1")], chat("m")).await, "p0");

    let hanging = Upstream::silent().await;
    let gateway = Gateway::start(&house(&[&hanging, &slow], "")).await;
    assert_by(&gateway.post_with(PATH, &[("x-stainless-timeout", "1")], chat("m")).await, "p1");
}

#[tokio::test]
async fn a_stream_that_has_begun_may_last_longer_than_its_client_waits_for_it_to_begin() {
    for targets in [1, 2] {
        let upstream = streaming(WORD, Duration::from_millis(900), END).await;
        let other = Upstream::always(json_answer(CHAT_ANSWER)).await;
        let upstreams = [&upstream, &other];
        let gateway = Gateway::start(&house(&upstreams[..targets], "")).await;
        let answer = gateway.post_with(PATH, &[("x-stainless-timeout", "1")], streamed_chat("m")).await;
        assert_by(&answer, "p0");
        assert_eq!(answer.text(), [WORD, END].concat());
    }
}

#[tokio::test]
async fn one_impatient_client_does_not_have_a_provider_left_out_for_all() {
    let (slow, other) = (after(Duration::from_millis(900)).await, Upstream::always(json_answer(CHAT_ANSWER)).await);
    let routing = "  circuit_breaker: { failure_threshold: 1, reset_timeout: 600s }\n";
    let gateway = Gateway::start(&house(&[&slow, &other], routing)).await;
    assert_by(&gateway.post_with(PATH, &[("x-stainless-timeout", "0.5")], chat("m")).await, "p1");
    assert_by(&gateway.chat(chat("m")).await, "p0");
}

#[tokio::test]
async fn the_plan_tells_the_times_and_whose_they_are() {
    let (first, second) = (Upstream::silent().await, Upstream::silent().await);
    let gateway = Gateway::start(&house(&[&first, &second], "")).await;
    let told = async |headers: Value, more: Value| {
        let mut body: Value = serde_json::from_str(&chat("m")).unwrap();
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let question = json!({ "path": PATH, "headers": headers, "body": body });
        let plan = gateway.post("/gateway/plan", question.to_string()).await.json();
        let first_byte = |at: usize| plan["attempts"][at]["timeout"]["first_byte_ms"].as_u64().unwrap();
        let of = plan["deadline_of"].as_str().unwrap().to_owned();
        (plan["deadline_ms"].as_u64().unwrap(), of, first_byte(0), first_byte(1))
    };
    let operators = |first, last| (600_000, "server.timeouts.request".to_owned(), first, last);
    assert_eq!(told(json!({}), json!({})).await, operators(20_000, 600_000));
    assert_eq!(told(json!({}), json!({ "stream": true })).await, operators(15_000, 30_000));
    assert_eq!(told(json!({}), json!({ "reasoning_effort": "high" })).await, operators(120_000, 600_000));
    assert_eq!(told(json!({ "x-stainless-timeout": "NOT_GIVEN" }), json!({})).await, operators(20_000, 600_000));
    let in_header = |name: &str, value: &str| json!({ name: value });
    let read = told(in_header("x-stainless-read-timeout", "600"), json!({})).await;
    assert_eq!(read, (598_000, "x-stainless-read-timeout".to_owned(), 60_000, 600_000));
    let own = told(in_header("x-gateway-timeout", "9000"), json!({})).await;
    assert_eq!(own, (9_000, "x-gateway-timeout".to_owned(), 20_000, 600_000));
}

/// How many requests the clients of the next test send, each after the answer to the one before.
const REQUESTS: u32 = 30;
/// How long the providers take. Their proportion is that of the documented 5 s and 2 s.
const SLOW: Duration = Duration::from_millis(100);
const QUICK: Duration = Duration::from_millis(40);

#[tokio::test]
async fn requests_go_to_the_quicker_of_two_which_takes_less_than_half_as_long() {
    let strategy = "  strategy: least-latency\n  latency_tracking: { enabled: true, window: 5m, sample_size: 100 }\n";
    let (slow, quick) = (after(SLOW).await, after(QUICK).await);
    let mut means = Vec::new();
    for upstreams in [vec![&slow], vec![&slow, &quick]] {
        let gateway = Gateway::start(&house(&upstreams, strategy)).await;
        for _ in 0..10 {
            assert_eq!(gateway.chat(chat("m")).await.status, 200);
        }
        let (slow_before, quick_before) = (slow.requests().len(), quick.requests().len());
        let began = Instant::now();
        for _ in 0..REQUESTS {
            assert_eq!(gateway.chat(chat("m")).await.status, 200);
        }
        means.push(began.elapsed() / REQUESTS);
        let (slow, quick) = (slow.requests().len() - slow_before, quick.requests().len() - quick_before);
        println!("{} providers: {slow} to the slow one, {quick} to the quick one", upstreams.len());
        assert!(upstreams.len() == 1 || quick >= 25, "{slow} to the slow one, {quick} to the quick one");
    }
    let less = 100.0 * (1.0 - means[1].as_secs_f64() / means[0].as_secs_f64());
    let more = means[0].as_secs_f64() / means[1].as_secs_f64();
    println!(
        "mean {:?} with the slow one alone, {:?} with both: {less:.0} % less, {more:.2} times as many",
        means[0], means[1]
    );
}
