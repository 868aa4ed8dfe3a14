//! What requests prefer and ask for in Vercel's and OpenRouter's words: how quick, what for whom, and which service.

use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::{Gateway, Upstream, chat, config, json_answer, provider};

/// An answer of a hundred tokens.
const LONG: &str = r#"{"id":"c","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"a long text"},"finish_reason":"stop"}],"usage":{"prompt_tokens":1,"completion_tokens":100,"total_tokens":101}}"#;

async fn answering_after(pause: Duration) -> Upstream {
    Upstream::start(move |mut peer| async move {
        while peer.request().await.is_some() {
            tokio::time::sleep(pause).await;
            peer.send(json_answer(LONG)).await;
        }
    })
    .await
}

fn with(members: &Value) -> String {
    let mut body: Value = serde_json::from_str(&chat("m")).unwrap();
    body.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
    body.to_string()
}

fn two(slow: &Upstream, quick: &Upstream, rest: &str) -> String {
    config(&format!(
        "providers:\n{}{}{rest}",
        provider("slow", slow.address, ", models: [m]"),
        provider("quick", quick.address, ", models: [m], priority: 1"),
    ))
}

#[tokio::test]
async fn who_is_slower_than_preferred_comes_last_and_is_tried_all_the_same() {
    let (slow, quick) = (answering_after(Duration::from_millis(500)).await, answering_after(Duration::ZERO).await);
    let rest = "routing: { retry_attempts: 0, latency_tracking: { window: 5m } }\n";
    let gateway = Gateway::start(&two(&slow, &quick, rest)).await;
    for name in ["slow", "quick"] {
        let answer = gateway.chat(with(&json!({ "provider": { "only": [name] } }))).await;
        assert_eq!(answer.header("x-provider-used"), Some(name));
        gateway.record(answer.request_id()).await;
    }
    let order = async |provider: Value| {
        let plan = gateway.post("/gateway/plan", with(&json!({ "provider": provider }))).await.json();
        let attempts = plan["attempts"].as_array().unwrap().clone();
        let names: Vec<_> = attempts.iter().map(|one| one["provider"].as_str().unwrap().to_owned()).collect();
        (names.join(" "), attempts[0]["why"].as_str().unwrap().to_owned())
    };
    let preferred = "those before it are slower than the request prefers";
    for wish in [
        json!({ "preferred_max_latency": 0.4 }),
        json!({ "preferred_max_latency": { "p50": 9, "p99": 0.4 } }),
        json!({ "preferred_min_throughput": 210 }),
        json!({ "preferred_min_throughput": { "p90": 210 }, "preferred_max_latency": null }),
    ] {
        assert_eq!(order(wish.clone()).await, ("quick slow".to_owned(), preferred.to_owned()), "{wish}");
    }
    for wish in [json!({ "preferred_max_latency": 30 }), json!({ "preferred_min_throughput": { "p50": 1 } })] {
        assert_eq!(order(wish.clone()).await.0, "slow quick", "{wish}");
    }
    let (names, _) = order(json!({ "preferred_max_latency": 0.4, "order": ["slow"] })).await;
    assert_eq!(names, "slow quick", "who is named first stays first");
    let answer = gateway.chat(with(&json!({ "provider": { "preferred_max_latency": 0.4, "only": ["slow"] } }))).await;
    assert_eq!((answer.header("x-provider-used"), answer.header("x-gateway-dropped-params")), (Some("slow"), None));
    for wrong in [json!({ "preferred_max_latency": "fast" }), json!({ "preferred_min_throughput": { "p42": 1 } })] {
        gateway.chat(with(&json!({ "provider": wrong }))).await.assert_error(400, "invalid_request");
    }
}

#[tokio::test]
async fn what_nobody_measures_is_told() {
    let (slow, quick) = (answering_after(Duration::ZERO).await, answering_after(Duration::ZERO).await);
    let gateway = Gateway::start(&two(&slow, &quick, "")).await;
    let wish = json!({ "provider": { "preferred_max_latency": 1, "sort": "throughput" } });
    let answer = gateway.chat(with(&wish)).await;
    assert_eq!(answer.header("x-gateway-dropped-params"), Some("sort, preferred_max_latency"), "{}", answer.head.raw);
}

#[tokio::test]
async fn vercels_members_are_followed_refused_or_told() {
    let (slow, quick) = (answering_after(Duration::ZERO).await, answering_after(Duration::ZERO).await);
    let rest =
        "routing:\n  retry_attempts: 0\n  rules: [{ name: r, condition: { tags: [batch] }, providers: [quick] }]\n";
    let gateway = Gateway::start(&two(&slow, &quick, rest)).await;
    let gateway_options = |options: Value| with(&json!({ "providerOptions": { "gateway": options } }));

    let answer = gateway.chat(gateway_options(json!({ "tags": ["batch"], "user": "u-1" }))).await;
    assert_eq!(answer.header("x-provider-used"), Some("quick"), "tags are what conditions ask for");
    assert_eq!(answer.header("x-gateway-dropped-params"), None);

    gateway.chat(gateway_options(json!({ "serviceTier": "flex" }))).await;
    assert_eq!(slow.only_request().json()["service_tier"], "flex");
    let told = json!({ "providerOptions": { "gateway": { "serviceTier": "flex", "caching": "auto", "quotaEntityId": "q",
        "providerTimeouts": { "byok": { "openai": 1500 } } } }, "model": "m", "max_tokens": 9,
        "messages": [{ "role": "user", "content": "hi" }] });
    let answer = gateway.post("/v1/messages", told.to_string()).await;
    let dropped = answer.header("x-gateway-dropped-params").unwrap_or_else(|| panic!("{}", answer.head.raw));
    for name in ["gateway.caching", "gateway.quotaEntityId", "gateway.serviceTier", "providerTimeouts.byok.openai"] {
        assert!(dropped.contains(name), "{dropped}");
    }

    for (wrong, place) in [
        (json!({ "serviceTier": "turbo" }), "serviceTier"),
        (json!({ "headquarters": ["US", "!CN"] }), "headquarters"),
        (json!({ "providerTimeouts": { "byok": { "openai": 10 } } }), "providerTimeouts.byok"),
        (json!({ "tags": [1] }), "tags"),
        (json!({ "sort": "beauty" }), "sort"),
    ] {
        let answer = gateway.chat(gateway_options(wrong)).await;
        answer.assert_error(400, "invalid_request");
        assert!(answer.text().contains(place), "{}", answer.text());
    }
}

#[tokio::test]
async fn what_a_model_has_is_known_of_the_catalogue_or_of_the_operator() {
    let upstream = answering_after(Duration::ZERO).await;
    let of_type =
        |name: &str, kind: &str, more: &str| provider(name, upstream.address, more).replace("openai-compatible", kind);
    let gateway = Gateway::start(&config(&format!(
        "providers:\n{}{}",
        of_type("unknown", "openai-compatible", ", models: [gpt-4o], assurances: [\"quantization:fp8\"]"),
        of_type("known", "openai", ", models: [gpt-4o], priority: 1"),
    )))
    .await;
    let used = async |has: Value| {
        let body = json!({ "model": "gpt-4o", "messages": [], "providerOptions": { "gateway": { "has": has } } });
        gateway.chat(body.to_string()).await.header("x-provider-used").unwrap_or("nobody").to_owned()
    };
    assert_eq!(used(json!([])).await, "unknown");
    assert_eq!(used(json!(["vision", "tool-use"])).await, "known", "the catalogue knows what OpenAI's model can do");
    assert_eq!(used(json!(["quantization:fp8"])).await, "unknown");
    assert_eq!(used(json!(["!quantization:fp8"])).await, "known", "where nothing is said, it is not");
    assert_eq!(used(json!(["telepathy"])).await, "nobody");
}
