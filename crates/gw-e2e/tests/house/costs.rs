//! What requests cost, wherever that is told: headers, log, metrics, and in the answer for those who ask.

use serde_json::{Value, json};

use crate::harness::{CHAT_ANSWER, Gateway, PROVIDER_KEY, Upstream, chat, config, http_answer, json_answer, provider};

/// 11 tokens in and 7 out cost this at 3 and 15 dollars for a million.
const COST: &str = "0.000138";

fn priced(address: std::net::SocketAddr) -> String {
    let models = ", models: [m, { name: priced, context: 32000, can: [tools], input: [text, image], \
                  price: { input: 3, cached_input: \"10%\", output: 15 } }]";
    config(&format!("providers:\n{}", provider("scripted", address, models)))
}

#[tokio::test]
async fn what_a_request_cost_is_told_in_a_header_in_the_log_and_in_the_metrics() {
    let upstream = Upstream::always(json_answer(CHAT_ANSWER)).await;
    let gateway = Gateway::start(&priced(upstream.address)).await;
    let answer = gateway.chat(chat("priced")).await;
    assert_eq!(answer.header("x-gateway-cost"), Some(COST));
    assert_eq!(answer.text(), CHAT_ANSWER);
    let record = gateway.record(answer.request_id()).await;
    assert_eq!(record["cost_usd"], json!(0.000_138));
    assert_eq!(record["cost_nanodollars"], json!({"input": 33_000, "output": 105_000}));
    let series = "ai_gateway_cost_nanodollars_total{provider=\"scripted\",model=\"priced\",type=\"output\"}";
    assert_eq!(gateway.metric(series).await, Some(105_000.0));
}

#[tokio::test]
async fn an_unknown_price_is_unknown_and_not_zero() {
    let upstream = Upstream::always(json_answer(CHAT_ANSWER)).await;
    let gateway = Gateway::start(&priced(upstream.address)).await;
    let answer = gateway.chat(chat("m")).await;
    assert_eq!(answer.header("x-gateway-cost"), None);
    let record = gateway.record(answer.request_id()).await;
    assert_eq!((record.get("cost_usd"), &record["unpriced"]), (None, &json!("input output")));
    let series = "ai_gateway_unpriced_requests_total{provider=\"scripted\",model=\"m\"}";
    assert_eq!(gateway.metric(series).await, Some(1.0));
}

#[tokio::test]
async fn who_asks_is_told_the_cost_in_the_answer_and_the_provider_is_not_asked() {
    let upstream = Upstream::always(json_answer(CHAT_ANSWER)).await;
    let gateway = Gateway::start(&priced(upstream.address)).await;
    let asking = chat("priced").replacen('{', r#"{"usage":{"include":true},"#, 1);
    let usage = &gateway.chat(asking).await.json()["usage"];
    assert_eq!(usage["cost"], json!(0.000_138));
    assert_eq!(usage["cost_details"], json!({"input": 0.000_033, "output": 0.000_105}));
    assert_eq!((&usage["is_byok"], &usage["total_tokens"]), (&json!(false), &json!(18)));
    assert_eq!(upstream.only_request().json().get("usage"), None);
}

#[tokio::test]
async fn the_end_of_a_stream_tells_the_cost_to_who_asks() {
    let chunk =
        |rest: &str| format!("data: {{\"id\":\"x\",\"object\":\"chat.completion.chunk\",\"choices\":{rest}}}\n\n");
    let stream = [
        chunk(r#"[{"index":0,"delta":{"content":"hi"},"finish_reason":null}],"usage":null"#).as_bytes(),
        chunk(r#"[{"index":0,"delta":{},"finish_reason":"stop"}]"#).as_bytes(),
        chunk(r#"[],"usage":{"prompt_tokens":11,"completion_tokens":7,"total_tokens":18}"#).as_bytes(),
        b"data: [DONE]\n\n".as_slice(),
    ]
    .concat();
    let head = [("content-type", "text/event-stream")];
    let upstream = Upstream::always(http_answer(200, &head, stream)).await;
    let gateway = Gateway::start(&priced(upstream.address)).await;
    let asking = chat("priced").replacen('{', r#"{"stream":true,"usage":{"include":true},"#, 1);
    let answer = gateway.chat(asking).await;
    let told = answer.text().lines().filter_map(|line| line.strip_prefix("data: "));
    let told =
        told.filter_map(|data| serde_json::from_str::<Value>(data).ok()).find(|chunk| chunk["usage"].is_object());
    assert_eq!(told.unwrap()["usage"]["cost"], json!(0.000_138), "{}", answer.text());
    assert!(answer.text().ends_with("data: [DONE]\n\n"));
    let silent = gateway.chat(chat("priced").replacen('{', r#"{"stream":true,"#, 1)).await;
    assert!(!silent.text().contains("cost") && !silent.text().contains("prompt_tokens"), "{}", silent.text());
}

#[tokio::test]
async fn prices_of_the_configuration_hold_by_name_then_by_type_then_those_of_the_catalogue() {
    let upstream = Upstream::always(json_answer(CHAT_ANSWER)).await;
    let endpoint = format!("endpoint: \"http://{}/v1\", api_key: {PROVIDER_KEY}, proxy: direct", upstream.address);
    let gateway = Gateway::start(&config(&format!(
        "providers:\n  - {{ name: one, type: openai, {endpoint} }}\n  - {{ name: two, type: openai, {endpoint} }}\n\
         cost_management:\n  provider_costs:\n    one:\n      gpt-4: {{ input_token_cost: 0.00003, output_token_cost: 0.00006 }}\n    \
         openai:\n      gpt-4: {{ input_token_cost: 0.00001, output_token_cost: 0.00002 }}\n"
    )))
    .await;
    for (model, cost) in [("one/gpt-4", "0.00075"), ("two/gpt-4", "0.00025"), ("two/gpt-4o", "0.0000975")] {
        let answer = gateway.chat(chat(model)).await;
        assert_eq!(answer.header("x-gateway-cost"), Some(cost), "{model}");
    }
    gateway.log_line("the price of").await;
}

#[tokio::test]
async fn newer_prices_come_from_a_file_and_a_bad_one_leaves_the_last_in_force() {
    let upstream = Upstream::always(json_answer(CHAT_ANSWER)).await;
    let prices = |input: &str| {
        format!(
            "[[model]]\nprovider = \"openai-compatible\"\nname = \"m\"\noperations = [\"chat\"]\n\
             price = {{ input = \"{input}\", output = \"0\" }}\n"
        )
    };
    let path = std::env::temp_dir().join(format!("models-{}.toml", std::process::id()));
    std::fs::write(&path, prices("1")).unwrap();
    let file = format!("catalog: {{ file: \"{}\" }}\n", path.display());
    let gateway =
        Gateway::start(&config(&format!("{file}providers:\n{}", provider("scripted", upstream.address, "")))).await;
    let cost = async || gateway.chat(chat("scripted/m")).await.header("x-gateway-cost").map(str::to_owned);
    assert_eq!(cost().await.as_deref(), Some("0.000011"));
    std::fs::write(&path, prices("-1")).unwrap();
    gateway.log_line("the new configuration is refused").await;
    assert_eq!(cost().await.as_deref(), Some("0.000011"));
    assert_eq!(gateway.get("/health/ready").await.json()["configuration"]["last_reload"], "failed");
    std::fs::write(&path, prices("2")).unwrap();
    gateway.generation(2).await;
    assert_eq!(cost().await.as_deref(), Some("0.000022"));
    std::fs::remove_file(&path).unwrap();
}

#[tokio::test]
async fn models_are_listed_with_what_they_can_do_and_cost_and_may_be_asked_for_by_that() {
    let upstream = Upstream::always(json_answer(CHAT_ANSWER)).await;
    let gateway = Gateway::start(&priced(upstream.address)).await;
    let one = gateway.get("/v1/models/priced").await.json();
    assert_eq!((&one["context_length"], &one["pricing"]["prompt"]), (&json!(32_000), &json!("0.000003")));
    assert_eq!(one["pricing"]["input_cache_read"], "0.0000003");
    assert_eq!(one["architecture"]["input_modalities"], json!(["text", "image"]));
    assert!(one["supported_parameters"].as_array().unwrap().contains(&json!("tools")), "{one}");
    let listed = gateway.get("/v1/models?supported_parameters=tools&capability=vision").await.json();
    let ids: Vec<_> = listed["data"].as_array().unwrap().iter().map(|model| model["id"].as_str().unwrap()).collect();
    assert_eq!(ids, ["priced"]);
    assert_eq!(gateway.get("/v1/models?capability=flight").await.status, 400);
}
