//! Slow attempts with another beside them: how many may be, and from when on an attempt is slow.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use crate::harness::{Answer, CHAT_ANSWER, Gateway, Upstream, chat, config, json_answer, provider};

fn house(upstreams: &[&Upstream], rest: &str) -> String {
    let each = |(index, upstream): (usize, &&Upstream)| {
        provider(&format!("p{index}"), upstream.address, &format!(", models: [m], priority: {index}"))
    };
    let providers: String = upstreams.iter().enumerate().map(each).collect();
    config(&format!(
        "providers:\n{providers}routing:\n  retry_attempts: 0\n  fallback_on_slow_response: true\n  \
         slow_response: hedge\n{rest}"
    ))
}

/// Answers the first requests at once, and others after a while.
async fn slowing(quick: usize, pause: Duration) -> Upstream {
    let asked = Arc::new(AtomicUsize::new(0));
    Upstream::start(move |mut peer| {
        let asked = Arc::clone(&asked);
        async move {
            while peer.request().await.is_some() {
                if asked.fetch_add(1, Relaxed) >= quick {
                    tokio::time::sleep(pause).await;
                }
                peer.send(json_answer(CHAT_ANSWER)).await;
            }
        }
    })
    .await
}

#[track_caller]
fn assert_by(answer: &Answer, provider: &str) {
    assert_eq!((answer.status, answer.header("x-provider-used")), (200, Some(provider)), "{}", answer.text());
}

async fn hedges(gateway: &Gateway, outcome: &str) -> Option<f64> {
    gateway.metric(&format!("ai_gateway_hedges_total{{provider=\"p0\",outcome=\"{outcome}\"}}")).await
}

#[tokio::test]
async fn a_provider_in_trouble_sends_no_more_than_the_budget_to_the_next() {
    let first = slowing(0, Duration::from_secs(1)).await;
    let second = Upstream::always(json_answer(CHAT_ANSWER)).await;
    let gateway = Gateway::start(&house(&[&first, &second], "  latency_threshold: 20ms\n  hedge_budget: 1%\n")).await;
    for _ in 0..10 {
        assert_by(&gateway.chat(chat("m")).await, "p1");
    }
    assert_by(&gateway.chat(chat("m")).await, "p0");
    assert_eq!(second.requests().len(), 10, "the eleventh is waited for");
    assert_eq!((hedges(&gateway, "won").await, hedges(&gateway, "over_budget").await), (Some(10.0), Some(1.0)));
}

#[tokio::test]
async fn without_a_budget_nobody_is_asked_besides() {
    let first = slowing(0, Duration::from_millis(200)).await;
    let second = Upstream::always(json_answer(CHAT_ANSWER)).await;
    let gateway = Gateway::start(&house(&[&first, &second], "  latency_threshold: 20ms\n  hedge_budget: 0\n")).await;
    assert_by(&gateway.chat(chat("m")).await, "p0");
    assert_eq!(second.requests().len(), 0);
}

#[tokio::test]
async fn a_percentile_is_of_what_was_measured_and_few_measurements_make_nobody_slow() {
    let first = slowing(20, Duration::from_secs(20)).await;
    let second = Upstream::always(json_answer(CHAT_ANSWER)).await;
    let gateway = Gateway::start(&house(&[&first, &second], "  latency_threshold: p95\n")).await;
    for _ in 0..20 {
        assert_by(&gateway.chat(chat("m")).await, "p0");
    }
    assert_eq!(second.requests().len(), 0);
    assert_by(&gateway.chat(chat("m")).await, "p1");
    assert_eq!(hedges(&gateway, "won").await, Some(1.0));
}
