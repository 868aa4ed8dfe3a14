//! What a shadow must never do: make a client wait or fail, use a caller's key, do something twice, or grow without bounds.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;

use crate::harness::{
    CHAT_ANSWER, Client, Gateway, PROVIDER_KEY, Upstream, chat, config, http_answer, json_answer, provider, within,
};

/// Two providers, of which the second is a shadow with these further keys.
fn with_shadow(old: &Upstream, new: &Upstream, rollout: &str, more: &str) -> String {
    config(&format!(
        "providers:\n{}{}routing: {{ retry_attempts: 0 }}\n{more}\n\
         canary:\n  shadow_limits: {{ requests_in_flight: 2 }}\n\
         \x20 rollouts:\n    - {{ name: next, provider: new, model: m2, shadow: true, duration: 7d, {rollout} }}\n",
        provider("old", old.address, ", models: [m]"),
        provider("new", new.address, ", models: [m2]"),
    ))
}

async fn answering() -> Upstream {
    Upstream::always(json_answer(CHAT_ANSWER)).await
}

fn results(result: &str) -> String {
    format!("ai_gateway_shadows_total{{canary=\"next\",provider=\"new\",result=\"{result}\"}}")
}

async fn counted(gateway: &Gateway, series: &str, count: f64) {
    within(series, async { while gateway.metric(series).await.is_none_or(|value| value < count) {} }).await;
}

#[tokio::test]
async fn no_client_waits_for_a_shadow_that_hangs_and_no_more_of_them_are_sent_than_there_is_room_for() {
    let (old, new) = (answering().await, Upstream::silent().await);
    let mut gateway = Gateway::start(&with_shadow(&old, &new, "traffic_percentage: 100", "")).await;
    for _ in 0..5 {
        let answer = gateway.chat(chat("m")).await;
        assert_eq!((answer.status, answer.text()), (200, CHAT_ANSWER));
    }
    new.requested(2).await;
    counted(&gateway, &results("skipped"), 3.0).await;
    assert_eq!(gateway.metric("ai_gateway_requests_in_flight").await, Some(0.0), "no client waits");
    assert_eq!(new.requests().len(), 2);

    let began = Instant::now();
    gateway.signal("TERM");
    assert_eq!(gateway.exit_code().await, Some(0));
    assert!(began.elapsed() < Duration::from_secs(10), "nobody waits for them at the end either");
}

#[tokio::test]
async fn a_shadow_that_fails_is_rolled_back_and_no_client_notices() {
    let old = answering().await;
    let new = Upstream::always(http_answer(500, &[("content-type", "application/json")], "{}")).await;
    let rollout = "traffic_percentage: 100, minimum_requests: 5, rollback_on: { error_rate: \">5%\" }";
    let gateway = Gateway::start(&with_shadow(&old, &new, rollout, "")).await;
    let rolled_back = "ai_gateway_canary{name=\"next\",stage=\"rolled_back\"}";
    let mut asked = 0;
    within("the rollback", async {
        while gateway.metric(rolled_back).await != Some(1.0) {
            let answer = gateway.chat(chat("m")).await;
            assert_eq!((answer.status, answer.text()), (200, CHAT_ANSWER));
            assert_eq!(
                (answer.header("x-fallback-used"), answer.header("x-attempt-count")),
                (Some("false"), Some("1"))
            );
            asked += 1;
        }
    })
    .await;
    assert!(asked >= 5, "it is judged after five calls");
    gateway.log_line("canary_rolled_back").await;
    let pair = gateway.line("a comparison", |line| line["event"] == "shadow_compared").await;
    assert_eq!((&pair["result"], &pair["shadow_status"]), (&json!("shadow_failed"), &json!(500)), "{pair}");
    let before = new.requests().len();
    for _ in 0..3 {
        assert_eq!(gateway.chat(chat("m")).await.status, 200);
    }
    let shown = gateway.get("/gateway/canaries").await.json();
    assert_eq!(shown["data"][0]["rolled_back_for"]["criterion"], "error_rate", "{shown}");
    assert_eq!(new.requests().len(), before);
}

#[tokio::test]
async fn what_is_on_its_way_is_given_up_when_the_rollout_is_rolled_back() {
    let old = answering().await;
    let new = Upstream::start(|mut peer| async move {
        while let Some(request) = peer.request().await {
            if request.text().contains("hang") {
                return peer.gone().await;
            }
            peer.send(http_answer(500, &[("content-type", "application/json")], "{}")).await;
        }
    })
    .await;
    let rollout = "traffic_percentage: 100, minimum_requests: 3, rollback_on: { error_rate: \">5%\" }";
    let gateway = Gateway::start(&with_shadow(&old, &new, rollout, "")).await;
    assert_eq!(gateway.chat(chat("m").replace("hello", "hang")).await.status, 200);
    new.requested(1).await;
    let rolled_back = "ai_gateway_canary{name=\"next\",stage=\"rolled_back\"}";
    within("the rollback", async {
        while gateway.metric(rolled_back).await != Some(1.0) {
            gateway.chat(chat("m")).await;
        }
    })
    .await;
    new.departed(1).await;
    counted(&gateway, &results("stopped"), 1.0).await;
}

#[tokio::test]
async fn a_shadow_is_given_up_when_the_client_leaves() {
    let (old, new) = (Upstream::silent().await, Upstream::silent().await);
    let gateway = Gateway::start(&with_shadow(&old, &new, "traffic_percentage: 100", "")).await;
    let mut client = Client::connect(gateway.address).await;
    client.post("/v1/chat/completions", &[], chat("m")).await;
    new.requested(1).await;
    old.requested(1).await;
    client.reset();
    new.departed(1).await;
    counted(&gateway, &results("stopped"), 1.0).await;
}

#[tokio::test]
async fn callers_are_shadowed_by_their_share_and_always_the_same_ones() {
    let (old, new) = (answering().await, answering().await);
    let text = with_shadow(&old, &new, "traffic_percentage: 50", "");
    let gateway = Gateway::start(&text.replace("requests_in_flight: 2", "requests_in_flight: 100")).await;
    let asked_by = |user: usize| {
        format!(r#"{{"model":"m","user":"user-{user}","messages":[{{"role":"user","content":"hello"}}]}}"#)
    };
    for _ in 0..2 {
        for user in 0..24 {
            assert_eq!(gateway.chat(asked_by(user)).await.header("x-provider-used"), Some("old"));
        }
    }
    let sum = async || gateway.metric(&results("equal")).await.unwrap_or_default() as usize;
    within("the comparisons", async { while sum().await < new.requests().len() {} }).await;
    let mut users: Vec<String> =
        new.requests().iter().map(|request| request.json()["user"].as_str().unwrap().to_owned()).collect();
    users.sort();
    assert!((10..=38).contains(&users.len()), "{users:?}");
    assert!(users.chunks(2).all(|pair| pair[0] == pair[1]), "each twice or never: {users:?}");
}

#[tokio::test]
async fn what_changes_something_names_a_provider_or_brings_its_routing_is_never_shadowed() {
    let (old, new) = (answering().await, answering().await);
    let gateway = Gateway::start(&with_shadow(&old, &new, "traffic_percentage: 100", "")).await;
    let chat_with =
        |members: &str| format!(r#"{{"model":"m",{members}"messages":[{{"role":"user","content":"no"}}]}}"#);
    for body in [
        chat_with(r#""store":true,"#),
        chat_with(r#""web_search_options":{},"#),
        chat_with(r#""tools":[{"type":"mcp","server_url":"https://example.com"}],"#),
        chat_with("").replace("\"m\"", "\"old/m\""),
    ] {
        gateway.chat(&body).await;
    }
    for body in [
        json!({"model": "m", "input": "no"}),
        json!({"model": "m", "input": "no", "store": true}),
        json!({"model": "m", "input": "no", "store": false, "previous_response_id": "resp_1"}),
        json!({"model": "m", "input": "no", "store": false, "background": true}),
    ] {
        gateway.post("/v1/responses", body.to_string()).await;
    }
    let named = [("x-gateway-provider", "old")];
    gateway.post_with("/v1/chat/completions", &named, chat_with("")).await;
    gateway.post("/v1/embeddings", r#"{"model":"m","input":"no"}"#).await;

    assert_eq!(gateway.chat(chat("m")).await.status, 200);
    counted(&gateway, &results("equal"), 1.0).await;
    assert_eq!(new.only_request().json()["messages"][0]["content"], "hello");
}

#[tokio::test]
async fn a_request_that_is_answered_with_the_callers_own_key_is_never_shadowed() {
    let (old, new) = (answering().await, answering().await);
    let bare = format!("  - {{ name: bare, type: groq, endpoint: \"http://{}/v1\", proxy: direct }}\n", old.address);
    let more = "routes: [{ name: mine, targets: [{ provider: bare, model: m }] }]";
    let text = with_shadow(&old, &new, "traffic_percentage: 100", more).replacen(
        "providers:\n",
        &format!("providers:\n{bare}"),
        1,
    );
    let gateway = Gateway::start(&text).await;
    let own = [("authorization", "Bearer sk-the-callers-own-key-0123456789")];
    let answer = gateway.post_with("/v1/chat/completions", &own, chat("mine")).await;
    assert_eq!((answer.status, answer.header("x-provider-used")), (200, Some("bare")), "{}", answer.text());
    // What is not used is not in the way.
    let other = gateway.post_with("/v1/chat/completions", &own, chat("m")).await;
    assert_eq!(other.status, 200);
    counted(&gateway, &results("equal"), 1.0).await;
    let sent = new.only_request();
    assert_eq!(sent.head.get("authorization"), Some(&*format!("Bearer {PROVIDER_KEY}")));
    assert!(!sent.head.raw.contains("sk-the-callers-own-key"), "{}", sent.head.raw);
}

#[tokio::test]
async fn a_rollout_that_is_over_shadows_nothing() {
    let (old, new) = (answering().await, answering().await);
    let text = with_shadow(&old, &new, "traffic_percentage: 100, minimum_requests: 3", "")
        .replace("duration: 7d", "duration: 1s");
    let gateway = Gateway::start(&text).await;
    let ready = "ai_gateway_canary{name=\"next\",stage=\"ready\"}";
    within("the end", async {
        while gateway.metric(ready).await != Some(1.0) {
            assert_eq!(gateway.chat(chat("m")).await.status, 200);
        }
    })
    .await;
    let before = new.requests().len();
    for _ in 0..3 {
        assert_eq!(gateway.chat(chat("m")).await.status, 200);
    }
    let shown: Value = gateway.get("/gateway/canaries").await.json();
    assert_eq!((new.requests().len(), &shown["data"][0]["stage"]), (before, &json!("ready")));
}

#[tokio::test]
async fn a_rollout_that_is_taken_out_of_the_configuration_is_forgotten() {
    let (old, new) = (answering().await, answering().await);
    let text = with_shadow(&old, &new, "traffic_percentage: 100", "server: { workers: 1 }");
    let gateway = Gateway::start(&text).await;
    assert_eq!(gateway.chat(chat("m")).await.status, 200);
    counted(&gateway, &results("equal"), 1.0).await;
    let without = text.split_once("canary:").unwrap().0;
    gateway.reload(&format!("{without}\naliases: {{ other: old/m }}\n"), "other").await;
    let watched = "ai_gateway_canary{name=\"next\",stage=\"watched\"}";
    within("the end", async {
        while gateway.metric(watched).await.is_some() {
            assert_eq!(gateway.chat(chat("m")).await.status, 200);
        }
    })
    .await;
    assert_eq!(new.requests().len(), 1);
}
