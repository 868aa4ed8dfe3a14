//! What is told of the attempts of a request: in headers, errors, the log, metrics and plans.

use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::{
    Answer, CHAT_ANSWER, Gateway, PROVIDER_KEY, Upstream, chat, config, event_stream, http_answer, json_answer,
    provider, streamed_chat,
};

const CHAT: &str = "/v1/chat/completions";
const DEBUG: (&str, &str) = ("x-gateway-debug", "attempts");
const ROLE: &str =
    "data: {\"id\":\"1\",\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\"}}]}\n\n";
const WORD: &str = "data: {\"id\":\"1\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"hello\"}}]}\n\n";
const END: &str =
    "data: {\"id\":\"1\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n";
const FAILED: &str = "data: {\"error\":{\"message\":\"overloaded\",\"type\":\"server_error\"}}\n\n";

async fn well() -> Upstream {
    Upstream::always(json_answer(CHAT_ANSWER)).await
}

async fn refusing(status: u16) -> Upstream {
    refusing_with(status, &[], r#"{"error":{"message":"no","type":"e","param":null,"code":null}}"#).await
}

async fn refusing_with(status: u16, headers: &[(&str, &str)], body: &str) -> Upstream {
    let headers = [&[("content-type", "application/json")], headers].concat();
    Upstream::always(http_answer(status, &headers, body)).await
}

/// Answers every chat after a while.
async fn slow(millis: u64) -> Upstream {
    Upstream::start(move |mut peer| async move {
        peer.request().await;
        tokio::time::sleep(Duration::from_millis(millis)).await;
        peer.send(json_answer(CHAT_ANSWER)).await;
    })
    .await
}

/// Two providers of the model `m`, tried in their order, with these lines of `routing`.
fn two(first: &Upstream, second: &Upstream, routing: &str) -> String {
    config(&format!(
        "providers:\n{}{}routing:\n  retry_attempts: 0\n{routing}",
        provider("first", first.address, ", models: [m], priority: 1"),
        provider("second", second.address, ", models: [m], priority: 2"),
    ))
}

/// The attempts as the header tells them: `provider outcome status`.
#[track_caller]
fn told(answer: &Answer) -> Vec<String> {
    let attempts: Vec<Value> = serde_json::from_str(answer.header("x-gateway-attempts").unwrap()).unwrap();
    let word = |value: &Value| value.as_str().map(str::to_owned);
    let one = |one: &Value| {
        let outcome = word(&one["code"]).or_else(|| word(&one["outcome"])).unwrap_or_else(|| "well".to_owned());
        format!("{} {outcome} {}", one["provider"].as_str().unwrap(), one["status"])
    };
    attempts.iter().map(one).collect()
}

#[tokio::test]
async fn a_stream_that_fails_before_its_first_word_is_answered_by_another_whatever_came_in_one_read() {
    for events in [
        [FAILED, "data: [DONE]\n\n"].concat(),
        [ROLE, FAILED, "data: [DONE]\n\n"].concat(),
        [FAILED, WORD, END].concat(),
        FAILED.to_owned(),
    ] {
        let first = Upstream::always([event_stream(), events.as_bytes()].concat()).await;
        let second =
            Upstream::always([event_stream(), ROLE.as_bytes(), WORD.as_bytes(), END.as_bytes()].concat()).await;
        let gateway = Gateway::start(&two(&first, &second, "")).await;
        let answer = gateway.post_with(CHAT, &[DEBUG], streamed_chat("m")).await;
        assert_eq!(told(&answer), ["first provider_failed null", "second well 200"], "{events}");
        assert_eq!(answer.text(), [ROLE, WORD, END].concat(), "{events}");
        let anthropic = r#"{"model":"m","stream":true,"max_tokens":9,"messages":[{"role":"user","content":"hi"}]}"#;
        let answer = gateway.post_with("/v1/messages", &[DEBUG], anthropic).await;
        assert_eq!(told(&answer).last().map(String::as_str), Some("second well 200"), "{events}");
        assert!(answer.text().contains("hello") && !answer.text().contains("overloaded"), "{}", answer.text());
    }
}

#[tokio::test]
async fn a_stream_of_nothing_but_its_end_is_an_empty_answer() {
    let first = Upstream::always([event_stream(), ROLE.as_bytes(), b"data: [DONE]\n\n"].concat()).await;
    let second = well().await;
    let gateway = Gateway::start(&two(&first, &second, "")).await;
    let answer = gateway.chat(streamed_chat("m")).await;
    assert_eq!((answer.status, answer.text()), (200, [ROLE, "data: [DONE]\n\n"].concat().as_str()));
    assert_eq!(second.requests().len(), 0);
}

#[tokio::test]
async fn every_refusal_is_told_with_the_providers_status_in_every_format() {
    for status in [302, 401, 402, 403, 429, 500, 503] {
        let (first, second) = (refusing(status).await, well().await);
        let gateway = Gateway::start(&two(&first, &second, "")).await;
        let gemini = r#"{"contents":[{"role":"user","parts":[{"text":"hi"}]}]}"#;
        let anthropic = r#"{"model":"m","max_tokens":9,"messages":[{"role":"user","content":"hi"}]}"#;
        for (path, body) in [
            (CHAT, chat("m")),
            ("/v1/messages", anthropic.to_owned()),
            ("/v1beta/models/m:generateContent", gemini.to_owned()),
        ] {
            let answer = gateway.post_with(path, &[DEBUG], body).await;
            let first = told(&answer).remove(0);
            assert!(first.starts_with("first ") && first.ends_with(&format!(" {status}")), "{path}: {first}");
            let record = gateway.record(answer.request_id()).await;
            assert_eq!(record["tries"][0]["status"], status, "{record}");
        }
        let answer = gateway.post_with(CHAT, &[DEBUG], chat("first/m")).await;
        assert!(told(&answer)[0].ends_with(&format!(" {status}")), "{:?}", told(&answer));
    }
}

#[tokio::test]
async fn the_slower_of_two_is_told_as_cancelled_and_not_as_a_failure() {
    let hedge = "  latency_threshold: 100ms\n  fallback_on_slow_response: true\n  slow_response: hedge\n";
    let cancelled =
        |provider: &str| format!("ai_gateway_provider_attempts_total{{provider=\"{provider}\",outcome=\"cancelled\"}}");
    for (first, second, winner, loser) in
        [(slow(9_000).await, well().await, "second", "first"), (slow(600).await, slow(9_000).await, "first", "second")]
    {
        let gateway = Gateway::start(&two(&first, &second, hedge)).await;
        let answer = gateway.post_with(CHAT, &[DEBUG], chat("m")).await;
        let expected = [format!("{loser} cancelled null"), format!("{winner} well 200")];
        assert_eq!((answer.header("x-attempt-count"), told(&answer)), (Some("2"), expected.to_vec()));
        let record = gateway.record(answer.request_id()).await;
        let tried = &record["tries"][0];
        assert_eq!((&tried["provider"], &tried["outcome"]), (&json!(loser), &json!("cancelled")), "{record}");
        assert_eq!(tried["error"], Value::Null, "{record}");
        assert_eq!(gateway.metric(&cancelled(loser)).await, Some(1.0));
        assert_eq!(gateway.metric(&cancelled(winner)).await, None);
    }
}

#[tokio::test]
async fn a_first_choice_that_takes_no_calls_is_a_fallback_and_counted_as_one() {
    let failover = |reason: &str| {
        format!(
            "ai_gateway_provider_failover_total{{provider=\"first\",fallback_provider=\"second\",reason=\"{reason}\"}}"
        )
    };
    let (first, second) = (refusing(500).await, well().await);
    let breaker = "  circuit_breaker: { failure_threshold: 1, reset_timeout: 60s }\n";
    let gateway = Gateway::start(&two(&first, &second, breaker)).await;
    for (attempts, fell_back) in [("2", "true"), ("1", "true"), ("1", "true")] {
        let answer = gateway.chat(chat("m")).await;
        assert_eq!(answer.header("x-attempt-count"), Some(attempts));
        assert_eq!(answer.header("x-fallback-used"), Some(fell_back));
    }
    assert_eq!(first.requests().len(), 1, "it rests");
    assert_eq!(gateway.metric(&failover("provider_failed")).await, Some(1.0));
    assert_eq!(gateway.metric(&failover("resting")).await, Some(2.0));

    let (first, second) = (well().await, well().await);
    let text = two(&first, &second, "").replace("priority: 1", "priority: 1, max_requests_per_minute: 1");
    let gateway = Gateway::start(&text).await;
    for fell_back in ["false", "true"] {
        assert_eq!(gateway.chat(chat("m")).await.header("x-fallback-used"), Some(fell_back));
    }
    assert_eq!(gateway.metric(&failover("rate_cap")).await, Some(1.0));

    let (first, second) = (refusing(500).await, well().await);
    let text = two(&first, &second, &format!("{breaker}  strategy: round-robin\n"));
    let gateway = Gateway::start(&text).await;
    let mut told = Vec::new();
    for _ in 0..6 {
        told.push(gateway.chat(chat("m")).await.header("x-fallback-used").unwrap() == "true");
    }
    assert!(
        told.iter().filter(|fell_back| **fell_back).count() <= 1,
        "whoever is chosen stands in for nobody: {told:?}"
    );
}

#[tokio::test]
async fn every_step_of_a_list_of_steps_is_told() {
    let step = |provider: &str| {
        json!({ "provider": provider, "endpoint": "chat/completions", "headers": {},
                "query": { "model": "m", "messages": [{ "role": "user", "content": "hi" }] } })
    };
    let steps = json!([step("first"), step("second")]).to_string();
    let (first, second) = (refusing(500).await, well().await);
    let gateway = Gateway::start(&two(&first, &second, "")).await;
    let answer = gateway.post_with("/universal", &[DEBUG], &steps).await;
    assert_eq!(told(&answer), ["first provider_failed 500", "second well 200"], "{}", answer.text());
    let record = gateway.record(answer.request_id()).await;
    assert_eq!((&record["tries"][0]["provider"], &record["attempts"]), (&json!("first"), &json!(2)), "{record}");

    let (first, second) = (refusing(500).await, refusing(503).await);
    let gateway = Gateway::start(&two(&first, &second, "")).await;
    let answer = gateway.post_with("/universal", &[DEBUG], &steps).await;
    let body: Value = serde_json::from_str(answer.text()).unwrap();
    let providers: Vec<_> = body["error"]["attempts"].as_array().unwrap().iter().map(|one| &one["provider"]).collect();
    assert_eq!(providers, ["first", "second"], "{body}");
    assert_eq!(told(&answer), ["first provider_failed 500", "second provider_overloaded 503"]);
}

#[tokio::test]
async fn two_keys_of_one_provider_are_two_targets() {
    let upstream = Upstream::start(|mut peer| async move {
        while let Some(request) = peer.request().await {
            let is_good = request.head.get("authorization") == Some("Bearer sk-second-key-of-theirs");
            peer.send(if is_good { json_answer(CHAT_ANSWER) } else { http_answer(429, &[], "{}") }).await;
        }
    })
    .await;
    let host = format!("http://{}/v1", upstream.address);
    let target = |key: &str| json!({ "provider": "openai", "api_key": key, "custom_host": host });
    let asked = json!({ "retry": { "attempts": 0 }, "strategy": { "mode": "fallback" },
                        "targets": [target("sk-first-key-of-theirs"), target("sk-second-key-of-theirs")] });
    let gateway = Gateway::start(&config("providers: [{ type: sandbox }]")).await;
    let answer = gateway.post_with(CHAT, &[("x-portkey-config", &asked.to_string())], chat("m")).await;
    assert_eq!((answer.status, answer.header("x-portkey-retry-attempt-count")), (200, Some("0")), "{}", answer.text());
    assert_eq!(answer.header("x-fallback-used"), Some("true"));
    let page = gateway.get("/metrics").await;
    let lines = |name: &str| page.text().lines().filter(|line| line.starts_with(name)).count();
    assert_eq!(lines("ai_gateway_provider_retries_total{"), 0);
    assert_eq!(lines("ai_gateway_provider_failover_total{"), 1);
}

#[tokio::test]
async fn a_plan_shows_the_canary_to_whom_it_takes() {
    let (old, new) = (well().await, well().await);
    let canary = |share: u8| {
        config(&format!(
            "providers:\n{}{}routing: {{ retry_attempts: 0 }}\ncanary:\n  rollouts:\n    - {{ name: next, provider: new, \
             model: m2, traffic_percentage: {share}, duration: 7d }}\n",
            provider("old", old.address, ", models: [m]"),
            provider("new", new.address, ", models: [m2]"),
        ))
    };
    let gateway = Gateway::start(&canary(100)).await;
    let plan: Value = serde_json::from_str(gateway.post("/gateway/plan", chat("m")).await.text()).unwrap();
    let attempts = plan["attempts"].as_array().unwrap();
    let told: Vec<_> = attempts.iter().map(|one| (&one["attempt"], &one["provider"], &one["model"])).collect();
    assert_eq!(told, [(&json!(1), &json!("new"), &json!("m2")), (&json!(2), &json!("old"), &json!("m"))], "{plan}");
    assert!(attempts[0]["why"].as_str().unwrap().contains("canary \"next\""), "{plan}");
    assert_eq!(attempts[0]["fallback"][0]["attempt"], 2, "{plan}");
    let named: Value = serde_json::from_str(gateway.post("/gateway/plan", chat("old/m")).await.text()).unwrap();
    assert_eq!(named["attempts"][0]["provider"], "old", "{named}");

    let gateway = Gateway::start(&canary(50)).await;
    for user in 0..8 {
        let body = format!(r#"{{"model":"m","user":"user-{user}","messages":[{{"role":"user","content":"hello"}}]}}"#);
        let plan: Value = serde_json::from_str(gateway.post("/gateway/plan", &body).await.text()).unwrap();
        let answer = gateway.chat(&body).await;
        assert_eq!(answer.header("x-provider-used"), plan["attempts"][0]["provider"].as_str(), "{plan}");
    }
}

#[tokio::test]
async fn a_refusal_that_repeats_our_key_is_told_without_it() {
    let body = format!(r#"{{"error":{{"message":"who is {PROVIDER_KEY}?","type":"e","param":null,"code":null}}}}"#);
    for status in [400, 404, 429, 500] {
        let headers = [("x-request-id", PROVIDER_KEY), ("x-debug-key", PROVIDER_KEY)];
        let upstream = refusing_with(status, &headers, &body).await;
        let text =
            config(&format!("providers:\n{}", provider("p", upstream.address, ", models: [m], passthrough: true")));
        let gateway = Gateway::start(&text).await;
        let anthropic = r#"{"model":"m","max_tokens":9,"messages":[{"role":"user","content":"hi"}]}"#.to_owned();
        let embeddings = r#"{"model":"m","input":"hi"}"#.to_owned();
        let speech = r#"{"model":"m","input":"hi","voice":"alloy"}"#.to_owned();
        for (path, body) in [
            (CHAT, chat("m")),
            ("/v1/messages", anthropic),
            ("/v1/embeddings", embeddings),
            ("/v1/audio/speech", speech),
            ("/passthrough/p/v1/things", "{}".to_owned()),
        ] {
            let answer = gateway.post(path, body).await;
            assert!(answer.status >= 400, "{path}: {}", answer.status);
            let all = format!("{}{}", answer.head.raw, answer.text());
            assert!(!all.contains(PROVIDER_KEY), "{path}: {all}");
            assert!(answer.text().contains("who is ***?"), "{path}: {}", answer.text());
            gateway.record(answer.request_id()).await;
        }
        assert!(!gateway.everything_written().contains(PROVIDER_KEY));
    }
}

#[tokio::test]
async fn a_refusal_that_repeats_a_token_is_told_without_it() {
    let upstream = Upstream::start(|mut peer| async move {
        while let Some(request) = peer.request().await {
            let answer = match request.head.first_line.contains("/token") {
                true => json_answer(r#"{"access_token":"token-of-the-house","expires_in":3600}"#),
                false => http_answer(400, &[], r#"{"errors":[{"message":"who is token-of-the-house?"}]}"#),
            };
            peer.send(answer).await;
        }
    })
    .await;
    let address = upstream.address;
    let text = config(&format!(
        "providers:\n  - {{ name: ibm, type: watsonx, endpoint: \"http://{address}\", api_key: k, project_id: p, \
         proxy: direct, models: [m], credentials: {{ token_url: \"http://{address}/token\" }} }}"
    ));
    let gateway = Gateway::start(&text).await;
    let answer = gateway.chat(chat("m")).await;
    assert_eq!(answer.status, 400, "{}", answer.text());
    assert!(answer.text().contains("who is ***?"), "{}", answer.text());
    gateway.record(answer.request_id()).await;
    assert!(!gateway.everything_written().contains("token-of-the-house"));
}

#[tokio::test]
async fn a_time_to_wait_that_is_none_is_not_passed_on() {
    for (value, is_told) in [("banana", false), ("-1", false), ("7", true)] {
        let body = r#"{"error":{"message":"no","type":"e","param":null,"code":null}}"#;
        let upstream = refusing_with(429, &[("retry-after", value)], body).await;
        let gateway = Gateway::start(&config(&format!("providers:\n{}", provider("p", upstream.address, "")))).await;
        let answer = gateway.chat(chat("p/m")).await;
        assert_eq!((answer.status, answer.header("retry-after")), (429, Some(value).filter(|_| is_told)));
    }
}
