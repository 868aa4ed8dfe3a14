//! Whoever asks why is told: before a request by its plan, with its answer by headers, afterwards by log and metrics.

use serde_json::{Value, json};

use crate::harness::{
    CHAT_ANSWER, Gateway, Launch, PROVIDER_KEY, Upstream, chat, config, event_stream, http_answer, json_answer,
    provider, streamed_chat,
};

const JSON: (&str, &str) = ("content-type", "application/json");
const WRONG_KEY: &str =
    r#"{"error":{"message":"Incorrect API key","type":"invalid_request_error","param":null,"code":"invalid_api_key"}}"#;
const BROKEN: &str = r#"{"error":{"message":"broken","type":"server_error","param":null,"code":null}}"#;
const MESSAGE: &str = r#"{"id":"msg_1","type":"message","role":"assistant","model":"claude-3-5-sonnet-20241022","content":[{"type":"text","text":"hi"}],"stop_reason":"end_turn","stop_sequence":null,"usage":{"input_tokens":1,"output_tokens":1}}"#;
const CHUNKS: &str = concat!(
    r#"data: {"id":"c","object":"chat.completion.chunk","choices":[{"index":0,"delta":{"content":"a"},"finish_reason":null}]}"#,
    "\n\n",
    r#"data: {"id":"c","object":"chat.completion.chunk","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}"#,
    "\n\ndata: [DONE]\n\n",
);

async fn refusing() -> Upstream {
    Upstream::always(http_answer(401, &[JSON], WRONG_KEY)).await
}

async fn broken() -> Upstream {
    Upstream::always(http_answer(500, &[JSON], BROKEN)).await
}

async fn well() -> Upstream {
    Upstream::always(json_answer(CHAT_ANSWER)).await
}

/// A route `chat` from `first`, which is asked for gpt-4, to `second`, which is asked for gpt-3.5-turbo.
fn two(first: &Upstream, second: &Upstream, routing: &str) -> String {
    config(&format!(
        "providers:\n{}{}routes:\n- name: chat\n  strategy: fallback\n  targets:\n  - {{ provider: first, model: gpt-4 \
         }}\n  - {{ provider: second, model: gpt-3.5-turbo }}\nrouting: {{ retry_attempts: 0{routing} }}\n",
        provider("first", first.address, ""),
        provider("second", second.address, ""),
    ))
    .replace("type: openai-compatible", "type: openai")
}

#[tokio::test]
async fn the_documented_fallback_is_told_in_three_lines_of_the_log() {
    let (first, second) = (refusing().await, Upstream::always(json_answer(MESSAGE)).await);
    let text = format!(
        r#"{{ "listen": "127.0.0.1:0", "retry": {{ "count": 5 }}, "strategy": {{ "mode": "fallback" }}, "targets": [
            {{ "provider": "openai", "api_key": "sk-wrong-key", "custom_host": "http://{}/v1",
              "override_params": {{ "model": "gpt-4o" }} }},
            {{ "provider": "anthropic", "api_key": "{PROVIDER_KEY}", "custom_host": "http://{}/v1",
              "override_params": {{ "model": "claude-3-5-sonnet-20241022", "max_tokens": 64 }} }} ] }}"#,
        first.address, second.address
    );
    let gateway = Launch::bare().file("gateway-config.json", &text).start().await;
    let answer = gateway.chat(chat("gpt-4o")).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    gateway.log_line(answer.request_id()).await;
    let written = gateway.everything_written();
    let told: Vec<_> = written.lines().filter_map(|line| line.get(line.find("[Gateway]")?..)).collect();
    assert_eq!(
        told,
        [
            "[Gateway] OpenAI request failed: Invalid API Key",
            "[Gateway] Retrying with anthropic...",
            "[Gateway] Success with anthropic (claude-3-5-sonnet-20241022)",
        ]
    );
    assert!(!written.contains(PROVIDER_KEY) && !written.contains("sk-wrong-key"));
}

#[tokio::test]
async fn what_was_tried_is_in_headers_log_and_metrics() {
    let (first, second) = (refusing().await, well().await);
    let gateway = Gateway::start(&two(&first, &second, "")).await;
    let answer = gateway.post_with("/v1/chat/completions", &[("x-gateway-debug", "attempts")], chat("chat")).await;
    let told = |name: &str| answer.header(name).map(str::to_owned);
    assert_eq!((answer.status, told("x-provider-used").as_deref()), (200, Some("second")));
    assert_eq!(told("x-model-used").as_deref(), Some("gpt-3.5-turbo"));
    assert_eq!(told("x-fallback-used").as_deref(), Some("true"));
    assert_eq!(told("x-attempt-count").as_deref(), Some("2"));

    let attempts: Vec<Value> = serde_json::from_str(&told("x-gateway-attempts").unwrap()).unwrap();
    let facts: Vec<_> = attempts.iter().map(|one| (&one["provider"], &one["model"], &one["code"])).collect();
    assert_eq!(
        facts,
        [
            (&json!("first"), &json!("gpt-4"), &json!("provider_authentication")),
            (&json!("second"), &json!("gpt-3.5-turbo"), &Value::Null)
        ]
    );
    assert_eq!(attempts[1]["status"], 200);
    assert!(attempts.iter().all(|one| one["ms"].is_u64()));
    assert_eq!(gateway.chat(chat("chat")).await.header("x-gateway-attempts"), None, "nobody asked for it");

    let record = gateway.record(answer.request_id()).await;
    assert_eq!((&record["fallback"], &record["tries"][0]["provider"]), (&json!(true), &json!("first")));
    assert_eq!(record["tries"][0]["error"], "provider_authentication");
    for (series, expected) in [
        (
            r#"provider_failover_total{provider="first",fallback_provider="second",reason="provider_authentication"}"#,
            2.0,
        ),
        (r#"provider_attempts_total{provider="first",outcome="provider_authentication"}"#, 2.0),
        (r#"provider_attempts_total{provider="second",outcome="completed"}"#, 2.0),
        (r#"circuit_breaker_state{provider="first",state="closed"}"#, 1.0),
        (r#"circuit_breaker_state{provider="first",state="open"}"#, 0.0),
    ] {
        assert_eq!(gateway.metric(&format!("ai_gateway_{series}")).await, Some(expected), "{series}");
    }
}

#[tokio::test]
async fn the_attempts_of_an_error_are_in_a_header_too_where_they_are_asked_for() {
    let (first, second) = (refusing().await, broken().await);
    let gateway = Gateway::start(&two(&first, &second, "")).await;
    for (model, codes) in
        [("chat", &["provider_authentication", "provider_failed"][..]), ("first/gpt-4", &["provider_authentication"])]
    {
        let answer = gateway.post_with("/v1/chat/completions", &[("x-gateway-debug", "attempts")], chat(model)).await;
        let attempts: Vec<Value> = serde_json::from_str(answer.header("x-gateway-attempts").unwrap()).unwrap();
        let told: Vec<_> = attempts.iter().map(|one| one["code"].as_str().unwrap()).collect();
        assert_eq!(told, codes, "{model}: {}", answer.head.raw);
    }
}

#[tokio::test]
async fn an_error_lists_the_attempts_in_the_format_of_the_client() {
    let (first, second) = (refusing().await, broken().await);
    let gateway = Gateway::start(&two(&first, &second, "")).await;
    let prompt = json!({ "model": "chat", "max_tokens": 9, "messages": [{ "role": "user", "content": "hello" }] });
    let contents = json!({ "contents": [{ "role": "user", "parts": [{ "text": "hello" }] }] });
    for (path, body) in [
        ("/v1/chat/completions", prompt.to_string()),
        ("/v1/messages", prompt.to_string()),
        ("/v1beta/models/chat:generateContent", contents.to_string()),
    ] {
        let answer = gateway.post(path, body).await;
        let error = &answer.json()["error"];
        assert!(answer.status >= 500, "{path}: {error}");
        let attempts: Vec<_> =
            error["attempts"].as_array().unwrap_or_else(|| panic!("{path}: {error}")).iter().collect();
        let facts: Vec<_> = attempts.iter().map(|one| (&one["provider"], &one["code"])).collect();
        assert_eq!((facts[0].0, &attempts[0]["reason"]), (&json!("first"), &json!("Invalid API Key")), "{path}");
        assert_eq!(facts[1], (&json!("second"), &json!("provider_failed")), "{path}");
        assert!(attempts.iter().all(|one| one["ms"].is_u64()), "{path}");
        assert!(error["message"].is_string(), "{path}");
        assert!(!answer.text().contains(PROVIDER_KEY) && !answer.text().contains("Incorrect API key"), "{path}");
    }
}

#[tokio::test]
async fn a_lesser_model_is_told_in_headers_and_where_it_is_wanted_in_the_body() {
    let (first, second) = (broken().await, well().await);
    let gateway = Gateway::start(&two(&first, &second, "")).await;
    let answer = gateway.chat(chat("chat")).await;
    assert_eq!(answer.header("x-model-downgraded"), Some("true"), "{}", answer.head.raw);
    assert_eq!(answer.text(), CHAT_ANSWER, "bodies are changed only where that is configured");
    let usual = "%E7%8F%BE%E5%9C%A8%E3%83%90%E3%83%83%E3%82%AF%E3%82%A2%E3%83%83%E3%83%97"; // 現在バックアップ
    assert!(answer.header("x-gateway-warnings").unwrap().starts_with(usual), "{}", answer.head.raw);

    let marked = Gateway::start(&two(
        &first,
        &second,
        ", fallback_marker: fallback_model, downgrade_notice: \"a lesser model\"",
    ))
    .await;
    let answer = marked.chat(chat("chat")).await;
    assert_eq!(answer.json()["provider"], "fallback_model");
    assert_eq!(answer.json()["gateway"]["warnings"], json!(["a lesser model"]));
    assert_eq!(answer.json()["choices"][0]["message"]["content"], "hello back");
    assert_eq!(answer.header("x-gateway-warnings"), Some("a lesser model"));
}

#[tokio::test]
async fn the_first_chunk_of_a_stream_says_that_it_is_a_fallback() {
    let stream = [event_stream(), CHUNKS.as_bytes()].concat();
    let (first, second) = (broken().await, Upstream::always(stream).await);
    let gateway = Gateway::start(&two(&first, &second, ", fallback_marker: fallback_model")).await;
    let answer = gateway.chat(streamed_chat("chat")).await;
    let chunks: Vec<Value> =
        answer.text().lines().filter_map(|line| serde_json::from_str(line.strip_prefix("data: ")?).ok()).collect();
    assert_eq!(chunks[0]["provider"], "fallback_model", "{}", answer.text());
    assert_eq!(chunks[0]["choices"][0]["delta"]["content"], "a");
    assert!(chunks[1..].iter().all(|chunk| chunk.get("provider").is_none()), "{}", answer.text());
    assert!(answer.text().ends_with("data: [DONE]\n\n"));
}

#[tokio::test]
async fn an_answer_of_the_first_choice_says_nothing_of_fallbacks() {
    let (first, second) = (well().await, broken().await);
    let gateway = Gateway::start(&two(&first, &second, ", fallback_marker: fallback_model")).await;
    let answer = gateway.chat(chat("chat")).await;
    assert_eq!((answer.text(), answer.header("x-model-downgraded")), (CHAT_ANSWER, None));
    assert_eq!(answer.header("x-fallback-used"), Some("false"));
    assert_eq!(answer.header("x-attempt-count"), Some("1"));
}

#[tokio::test]
async fn a_plan_says_who_would_be_asked_and_who_not_without_asking_anybody() {
    let (first, second) = (broken().await, well().await);
    let breaker = ", circuit_breaker: { failure_threshold: 1, reset_timeout: 600s }";
    let gateway = Gateway::start(&two(&first, &second, breaker)).await;
    let question =
        json!({ "path": "/v1/chat/completions", "headers": {}, "body": { "model": "chat", "messages": [] } });
    let plan = gateway.post("/gateway/plan", question.to_string()).await.json();
    let attempts = plan["attempts"].as_array().unwrap();
    assert_eq!(attempts.len(), 2, "{plan}");
    assert_eq!((&attempts[0]["provider"], &attempts[0]["why"]), (&json!("first"), &json!("it stands first")));
    assert_eq!(attempts[0]["fallback"][0]["attempt"], 2);
    assert!(attempts[0]["fallback"][0]["on"].as_array().unwrap().contains(&json!("rate_limit_exceeded")));
    assert_eq!((&attempts[1]["model"], &attempts[1]["position"]), (&json!("gpt-3.5-turbo"), &json!([1])));
    assert_eq!((first.requests().len(), second.requests().len()), (0, 0));

    assert_eq!(gateway.chat(chat("chat")).await.status, 200);
    let plan = gateway.post("/gateway/plan?path=/v1/chat/completions", chat("chat")).await.json();
    let attempts = plan["attempts"].as_array().unwrap();
    assert_eq!(
        (attempts.len(), &attempts[0]["provider"], &attempts[0]["last_resort"]),
        (2, &json!("second"), &json!(false))
    );
    assert_eq!((&attempts[1]["provider"], &attempts[1]["last_resort"]), (&json!("first"), &json!(true)), "{plan}");
    assert_eq!(attempts[1]["why"], "it is left alone, and asked once as the last resort");
    assert_eq!((&attempts[0]["fallback"][0]["attempt"], &attempts[1]["retry"]), (&json!(2), &json!({ "attempts": 0 })));
    assert_eq!(plan["left_out"][0]["provider"], "first");
    assert!(plan["left_out"][0]["why"].as_str().unwrap().starts_with("it has failed and is left alone"), "{plan}");
    let state = r#"ai_gateway_circuit_breaker_state{provider="first",state="open"}"#;
    assert_eq!(gateway.metric(state).await, Some(1.0));

    let providers = gateway.get("/gateway/providers").await.json();
    let first_now = &providers["data"][0];
    assert_eq!((&first_now["name"], &first_now["breaker"]["state"]), (&json!("first"), &json!("open")));
    assert!(first_now["breaker"]["left_alone_for_ms"].as_u64().unwrap() > 500_000);

    // The lesser model answers because the first is left alone: that is told, too.
    let answer = gateway.chat(chat("chat")).await;
    assert_eq!((answer.header("x-attempt-count"), answer.header("x-model-downgraded")), (Some("1"), Some("true")));
}

#[tokio::test]
async fn a_plan_names_everybody_who_is_left_out_with_the_reason() {
    let (capped, other) = (well().await, well().await);
    let keyless =
        provider("keyless", other.address, ", models: [m]").replace(&format!("api_key: {PROVIDER_KEY}, "), "");
    let gateway = Gateway::start(&config(&format!(
        "providers:\n{}{}{}{}routing:\n  rules: [{{ name: r, condition: {{ tags: [special] }}, providers: [special] }}]",
        provider("capped", capped.address, ", models: [m], max_requests_per_minute: 1"),
        provider("usual", other.address, ", models: [m], priority: 2"),
        provider("special", other.address, ", models: [other]"),
        keyless.replace("openai-compatible", "openai"),
    )))
    .await;
    assert_eq!(gateway.chat(chat("m")).await.header("x-provider-used"), Some("capped"));
    let plan = gateway.post("/gateway/plan", chat("m")).await.json();
    assert_eq!(plan["attempts"][0]["provider"], "usual", "{plan}");
    for (name, why) in [
        ("capped", "its cap is used; it has a place in "),
        ("special", "it is for requests of another condition"),
        ("keyless", "it has no credential"),
    ] {
        let left_out = plan["left_out"].as_array().unwrap().iter().find(|left| left["provider"] == name);
        let told = left_out.unwrap_or_else(|| panic!("{name}: {plan}"))["why"].as_str().unwrap();
        assert!(told.starts_with(why), "{name}: {told}");
    }
    let tagged = json!({ "path": "/v1/chat/completions", "headers": { "x-gateway-tags": "special" },
        "body": { "model": "m", "messages": [] } });
    let plan = gateway.post("/gateway/plan", tagged.to_string()).await.json();
    assert_eq!((&plan["attempts"][0]["provider"], &plan["attempts"][0]["model"]), (&json!("special"), &json!("other")));
    assert_eq!(plan["attempts"][0]["why"], "condition 1 holds");
    let providers = gateway.get("/gateway/providers").await.json();
    assert_eq!(providers["data"][0]["cap"], json!({ "requests": 1, "per_ms": 60_000, "used": 1 }));
}

#[tokio::test]
async fn who_may_not_call_may_not_ask_for_plans_or_providers() {
    let gateway =
        Gateway::start(&config("auth: { mode: required, keys: [{ name: app, key: sk-gateway-secret-0123456789 }] }"))
            .await;
    for answer in [gateway.post("/gateway/plan", chat("m")).await, gateway.get("/gateway/providers").await] {
        answer.assert_error(401, "invalid_api_key");
    }
}

#[tokio::test]
async fn a_plan_of_what_would_be_refused_is_refused_the_same_way() {
    let gateway = Gateway::start(&config("")).await;
    gateway.post("/gateway/plan", chat("no-such-model")).await.assert_error(404, "model_not_found");
    gateway.post("/gateway/plan?path=/v1/nowhere", chat("m")).await.assert_error(400, "invalid_request");
}

#[tokio::test]
async fn the_command_line_explains_a_request_and_check_warns_of_fallbacks_to_lesser_models() {
    let (first, second) = (well().await, well().await);
    let text = two(&first, &second, "");
    let launch = Launch::with(&text).file("request.json", &chat("chat"));
    let finished = launch.argument("explain").argument("--request").argument("request.json").finish().await;
    assert_eq!(finished.code, Some(0), "{}", finished.log);
    let plan: Value = serde_json::from_str(&finished.out).unwrap();
    assert_eq!(
        (&plan["attempts"][0]["provider"], &plan["attempts"][1]["provider"]),
        (&json!("first"), &json!("second"))
    );
    assert!(!finished.out.contains(PROVIDER_KEY));

    let finished = Launch::with(&text).argument("check").finish().await;
    assert!(finished.out.contains("\"gpt-3.5-turbo\" is a lesser model than \"gpt-4\""), "{}", finished.out);
}
