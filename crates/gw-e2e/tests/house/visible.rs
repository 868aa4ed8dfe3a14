//! What can be seen from outside: the sample provider, metrics, the log; and that a panic takes nothing else down.

use serde_json::Value;

use crate::harness::{Gateway, chat, config, streamed_chat};

async fn gateway() -> Gateway {
    Gateway::start(&config("server: { workers: 1 }")).await
}

#[tokio::test]
async fn the_sample_provider_needs_no_key_and_no_configuration() {
    let gateway = gateway().await;
    let answer = gateway.chat(chat("sandbox/echo")).await;
    assert_eq!(answer.json()["choices"][0]["message"]["content"], "The sandbox heard: hello");
    let stream = gateway.chat(streamed_chat("sandbox/echo")).await;
    assert!(stream.text().ends_with("data: [DONE]\n\n") && !stream.text().contains("\"usage\":{"), "{}", stream.text());
    let embedding = gateway.post("/v1/embeddings", r#"{"model":"sandbox/embedding","input":"a","dimensions":2}"#).await;
    assert_eq!(embedding.json()["data"][0]["embedding"].as_array().unwrap().len(), 2);
    let completion = gateway.post("/v1/completions", r#"{"model":"sandbox/echo","prompt":"a"}"#).await;
    assert_eq!(completion.json()["choices"][0]["text"], "The sandbox heard: a");
    for path in ["/v1/models", "/v1/models/sandbox/echo", "/v1/models/sandbox%2Fecho"] {
        assert!(gateway.get(path).await.text().contains("sandbox/echo"), "{path}");
    }
}

#[tokio::test]
async fn the_sample_provider_fails_on_demand() {
    let gateway = gateway().await;
    for (model, status, code) in [
        ("error-400", 400, None),
        ("error-401", 502, Some("provider_authentication")),
        ("error-404", 404, None),
        ("error-429", 429, None),
        ("error-500", 500, None),
        ("error-529", 529, None),
        ("html-error", 502, None),
        ("refuse", 502, Some("provider_unreachable")),
        ("cut-before-head", 502, Some("provider_disconnected")),
        ("cut-mid-body", 502, Some("provider_disconnected")),
        ("not-json", 502, Some("provider_invalid_response")),
        ("empty-body", 502, Some("provider_invalid_response")),
        ("panic", 500, Some("internal_error")),
    ] {
        let answer = gateway.chat(chat(&format!("sandbox/{model}"))).await;
        assert_eq!(answer.status, status, "{model}: {}", answer.text());
        assert!(answer.json()["error"]["message"].is_string(), "{model}: {}", answer.text());
        if let Some(code) = code {
            assert_eq!(answer.error_code(), code, "{model}");
        }
    }
    for model in ["cut-mid-stream", "error-mid-stream"] {
        let answer = gateway.chat(streamed_chat(&format!("sandbox/{model}"))).await;
        assert!(answer.text().contains("\"error\"") && !answer.text().contains("[DONE]"), "{model}: {}", answer.text());
    }
    let limited = gateway.chat(chat("sandbox/error-429-after-9")).await;
    assert_eq!(limited.header("retry-after"), Some("9"));
}

#[tokio::test]
async fn a_panic_is_an_error_to_one_request_and_nothing_to_the_others() {
    let gateway = gateway().await;
    let mut other = gateway.client().await;
    other.post("/v1/chat/completions", &[], streamed_chat("sandbox/stream-slow-50ms")).await;
    other.answer_head().await;

    let mut client = gateway.client().await;
    client.post("/v1/chat/completions", &[], chat("sandbox/panic")).await;
    let answer = client.answer().await;
    answer.assert_error(500, "internal_error");
    assert_eq!(gateway.record(answer.request_id()).await["outcome"], "panicked");
    let broken = gateway.chat(streamed_chat("sandbox/panic-mid-stream")).await;
    assert!(broken.status == 200 && !broken.text().contains("[DONE]"), "{}", broken.text());
    assert!(!broken.is_whole || broken.text().contains("\"error\""), "{}", broken.text());
    let record = gateway.record(broken.request_id()).await;
    assert_eq!(record["outcome"], "panicked", "{record}");

    let (body, is_whole) = other.rest().await;
    assert!(is_whole && body.ends_with(b"data: [DONE]\n\n"));
    assert_eq!(gateway.metric("ai_gateway_panics_total").await, Some(2.0));
    assert_eq!(gateway.metric("ai_gateway_worker_restarts_total").await, Some(0.0));
}

#[tokio::test]
async fn a_record_tells_who_what_where_and_how_much_and_no_content() {
    let gateway = gateway().await;
    let secret = "nobody may read this in a log";
    let body = chat("sandbox/echo").replace("hello", secret);
    let trace = [("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")];
    let answer = gateway.post_with("/v1/chat/completions", &trace, &body).await;
    let record = gateway.record(answer.request_id()).await;
    for (member, value) in [
        ("operation", Value::from("chat")),
        ("dialect", "openai_chat".into()),
        ("model_requested", "sandbox/echo".into()),
        ("model_used", "echo".into()),
        ("provider", "sandbox".into()),
        ("provider_type", "sandbox".into()),
        ("stream", false.into()),
        ("status", 200.into()),
        ("outcome", "completed".into()),
        ("attempts", 1.into()),
        ("trace_id", "0af7651916cd43dd8448eb211c80319c".into()),
        ("request_bytes", body.len().into()),
        ("response_bytes", answer.body.len().into()),
        ("input_tokens", answer.json()["usage"]["prompt_tokens"].clone()),
        ("output_tokens", answer.json()["usage"]["completion_tokens"].clone()),
    ] {
        assert_eq!(record[member], value, "{member} of {record}");
    }
    assert!(!gateway.everything_written().contains(secret));
}

#[tokio::test]
async fn metrics_count_requests_errors_and_tokens() {
    let gateway = gateway().await;
    let answer = gateway.chat(chat("sandbox/echo")).await;
    gateway.chat(streamed_chat("sandbox/echo")).await;
    gateway.chat(chat("sandbox/error-429")).await;
    gateway.chat("not json").await;
    let page = gateway.get("/metrics").await;
    assert_eq!(page.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    let value = |name: &str, labels: &[&str]| -> f64 {
        let fits =
            |line: &&str| line.starts_with(&format!("{name}{{")) && labels.iter().all(|label| line.contains(label));
        let line = page.text().lines().find(fits).unwrap_or_else(|| panic!("{name} {labels:?}\n{}", page.text()));
        line.rsplit(' ').next().unwrap().parse().unwrap()
    };
    let echo = ["provider=\"sandbox\"", "model=\"echo\""];
    let requests = "ai_gateway_requests_total";
    assert_eq!(value(requests, &[&echo[..], &["status=\"200\"", "outcome=\"completed\""]].concat()), 2.0);
    assert_eq!(value(requests, &["model=\"error-429\"", "status=\"429\""]), 1.0);
    assert_eq!(value("ai_gateway_errors_total", &["code=\"invalid_json\"", "blame=\"client\""]), 1.0);
    assert_eq!(value("ai_gateway_errors_total", &["code=\"provider_rate_limited\"", "blame=\"provider\""]), 1.0);
    let output = answer.json()["usage"]["completion_tokens"].as_f64().unwrap();
    assert_eq!(value("ai_gateway_tokens_total", &[&echo[..], &["type=\"output\""]].concat()), 2.0 * output);
    assert_eq!(value("ai_gateway_request_duration_seconds_count", &echo), 2.0);
    assert_eq!(value("ai_gateway_build_info", &[]), 1.0);
}

#[tokio::test]
async fn metrics_may_have_a_door_of_their_own() {
    let gateway = Gateway::start(&config("metrics: { listen: \"127.0.0.1:0\", path: /numbers }")).await;
    gateway.get("/metrics").await.assert_error(404, "route_not_found");
    gateway.get("/numbers").await.assert_error(404, "route_not_found");
}

#[tokio::test]
async fn health_is_told_to_get_and_head() {
    let gateway = gateway().await;
    assert_eq!(gateway.get("/health/live").await.json()["status"], "ok");
    assert_eq!(gateway.get("/health/ready").await.json()["status"], "ready");
    let mut client = gateway.client().await;
    client.send("HEAD /health/ready HTTP/1.1\r\nhost: localhost\r\n\r\nGET /health/live HTTP/1.1\r\nhost: localhost\r\n\r\n").await;
    let (status, head) = client.answer_head().await;
    assert_eq!(status, 200);
    assert!(head.get("content-length").is_some());
    // Nothing follows the head of the first answer but the second answer.
    assert_eq!(client.answer().await.status, 200);
}
