//! Health checks: providers are asked beside the requests, and who is found down is left out before a request meets it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering::Relaxed};

use crate::harness::{
    CHAT_ANSWER, Gateway, Launch, PROVIDER_KEY, Upstream, chat, config, http_answer, json_answer, provider, within,
};

/// A provider that answers chats, and health checks with the status of the moment.
async fn checked(status: &Arc<AtomicU16>) -> Upstream {
    let status = Arc::clone(status);
    Upstream::start(move |mut peer| {
        let status = Arc::clone(&status);
        async move {
            while let Some(request) = peer.request().await {
                let answer = match request.head.first_line.starts_with("GET ") {
                    true => http_answer(status.load(Relaxed), &[("content-type", "application/json")], "{}"),
                    false => json_answer(CHAT_ANSWER),
                };
                peer.send(answer).await;
            }
        }
    })
    .await
}

async fn until_found(gateway: &Gateway, provider: &str, state: &str) {
    let series = format!("ai_gateway_provider_health{{provider=\"{provider}\",state=\"{state}\"}}");
    within(&series, async { while gateway.metric(&series).await != Some(1.0) {} }).await;
}

fn chats(upstream: &Upstream) -> usize {
    upstream.requests().iter().filter(|request| request.head.first_line.starts_with("POST ")).count()
}

#[tokio::test]
async fn a_provider_that_is_found_down_gets_no_request_and_that_it_is_well_again_is_told() {
    let (down, well) = (Arc::new(AtomicU16::new(503)), Arc::new(AtomicU16::new(200)));
    let (first, second) = (checked(&down).await, checked(&well).await);
    let gateway = Gateway::start(&config(&format!(
        "providers:\n{}{}routing: {{ circuit_breaker: {{ failure_threshold: 1, reset_timeout: 60s }} }}\n\
         health_checks: {{ interval: 1s, providers: [{{ name: openai-compatible }}] }}\n",
        provider("first", first.address, ", models: [m]"),
        provider("second", second.address, ", models: [m]"),
    )))
    .await;
    until_found(&gateway, "first", "down").await;
    until_found(&gateway, "second", "up").await;
    assert_eq!(gateway.chat(chat("m")).await.status, 200);
    assert_eq!((chats(&first), chats(&second)), (0, 1), "no request had to find out");
    let asked = first.requests().remove(0).head;
    assert!(asked.first_line.starts_with("GET /v1/models "), "{}", asked.first_line);
    assert_eq!(asked.get("authorization"), Some(format!("Bearer {PROVIDER_KEY}").as_str()));
    let ready = gateway.get("/health/ready").await;
    assert_eq!((ready.status, &ready.json()["providers"]["first"]), (200, &"down".into()));

    // What is found is told at once; when it gets requests again is the breaker's business.
    down.store(200, Relaxed);
    until_found(&gateway, "first", "up").await;
    gateway.log_line("finds the provider well").await;
}

#[tokio::test]
async fn a_refused_credential_is_told_and_leaves_the_provider_in() {
    let status = Arc::new(AtomicU16::new(401));
    let upstream = checked(&status).await;
    let gateway = Gateway::start(&config(&format!(
        "providers:\n{}routing: {{ circuit_breaker: {{ failure_threshold: 1 }} }}\n\
         health_checks: {{ interval: 1s, providers: [{{ name: only, endpoint: \"http://{}/health?deep=1\" }}] }}\n",
        provider("only", upstream.address, ", models: [m]"),
        upstream.address,
    )))
    .await;
    until_found(&gateway, "only", "auth_failed").await;
    gateway.log_line("refuses our credential at the health check").await;
    assert!(upstream.requests()[0].head.first_line.starts_with("GET /health?deep=1 "));
    assert_eq!(gateway.chat(chat("m")).await.status, 200);
    assert!(!gateway.everything_written().contains(PROVIDER_KEY));
}

#[tokio::test]
async fn checks_begin_and_end_with_the_configuration_that_asks_for_them() {
    let upstream = checked(&Arc::new(AtomicU16::new(200))).await;
    let without = config(&format!("providers:\n{}", provider("only", upstream.address, ", models: [m]")));
    let gateway = Gateway::start(&without).await;
    gateway.reload(&format!("{without}health_checks: {{ interval: 1s }}\naliases: {{ one: only/m }}\n"), "one").await;
    until_found(&gateway, "only", "up").await;
    gateway.reload(&format!("{without}aliases: {{ two: only/m }}\n"), "two").await;
    let series = "ai_gateway_provider_health{provider=\"only\",state=\"up\"}";
    within("the end of the checks", async { while gateway.metric(series).await.is_some() {} }).await;
    assert_eq!(gateway.get("/health/ready").await.json().get("providers"), None);
}

#[tokio::test]
async fn what_cannot_be_checked_is_a_mistake_with_its_line() {
    let text = config(
        "providers:\n  - { name: own, type: openai-compatible, endpoint: \"http://127.0.0.1:9/v1\" }\n\
         health_checks: { providers: [{ name: own, endpoint: \"https://elsewhere.example/v1/models\" }, { name: nobody }] }\n\
         canary:\n  rollouts:\n    - { name: new, provider: nobody, traffic_percentage: 5, duration: 7d }\n",
    );
    let finished = Launch::with(&text).argument("check").finish().await;
    assert_eq!(finished.code, Some(1));
    for mistake in
        ["the endpoint is not where provider \"own\" is reached", "no provider has the name or type \"nobody\""]
    {
        assert!(finished.log.contains(mistake), "{}", finished.log);
    }
}
