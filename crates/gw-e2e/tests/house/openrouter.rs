//! Applications of OpenRouter's: the operations under `/api/v1`, and what they may write into requests.

use serde_json::{Value, json};

use crate::harness::{
    CHAT_ANSWER, Gateway, PROVIDER_KEY, Upstream, chat, config, http_answer, json_answer, provider, streamed_chat,
};

const CHAT: &str = "/api/v1/chat/completions";

/// A provider whose model has a price, and one that is OpenRouter itself.
async fn house(answer: Vec<u8>) -> (Upstream, Gateway) {
    let upstream = Upstream::always(answer).await;
    let models = ", models: [{ name: priced, context: 32000, can: [tools], price: { input: 3, output: 15 } }, m]";
    let router = format!(
        "  - {{ name: router, type: openrouter, endpoint: \"http://{}/api/v1\", api_key: {PROVIDER_KEY}, proxy: direct }}\n",
        upstream.address
    );
    let providers = provider("scripted", upstream.address, models) + &router;
    let gateway = Gateway::start(&config(&format!("providers:\n{providers}"))).await;
    (upstream, gateway)
}

fn with(model: &str, members: &str) -> String {
    chat(model).replacen('{', &format!("{{{members},"), 1)
}

#[tokio::test]
async fn every_answer_tells_what_it_cost_and_under_which_id_it_is_known() {
    let (upstream, gateway) = house(json_answer(CHAT_ANSWER)).await;
    let answer = gateway.post(CHAT, chat("priced")).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let usage = &answer.json()["usage"];
    assert_eq!((&usage["cost"], &usage["is_byok"]), (&json!(0.000_138), &json!(false)));
    assert_eq!(usage["cost_details"]["upstream_inference_cost"], json!(0.000_138));
    assert_eq!(usage["cost_details"]["upstream_inference_prompt_cost"], json!(0.000_033));
    assert_eq!(usage["cost_details"]["upstream_inference_completions_cost"], json!(0.000_105));
    assert_eq!(answer.header("x-generation-id"), Some(answer.request_id()));
    assert_eq!(upstream.only_request().json(), serde_json::from_str::<Value>(&chat("priced")).unwrap());
    // What has no price is not told as an amount.
    let unpriced = gateway.post(CHAT, chat("m")).await.json();
    assert_eq!((&unpriced["usage"]["cost"], unpriced["usage"].get("cost_details")), (&Value::Null, None));
}

#[tokio::test]
async fn what_openrouter_alone_understands_goes_to_openrouter_alone_and_is_told_elsewhere() {
    let (upstream, gateway) = house(json_answer(CHAT_ANSWER)).await;
    let members = r#""provider":{"sort":"price"},"models":["priced","other"],"transforms":["middle-out"],"plugins":[],
                     "reasoning":{"effort":"low"},"usage":{"include":true}"#;
    let headers = [("http-referer", "https://app.example"), ("x-title", "App")];
    let answer = gateway.post_with(CHAT, &headers, with("priced", members)).await;
    let told = answer.header("x-gateway-warnings").unwrap();
    assert!(told.contains("transforms"), "{told}");
    // What routes is followed, and an empty list asks for nothing.
    assert!(["provider", "models", "plugins"].iter().all(|name| !told.contains(name)), "{told}");
    // A list of models that others serve, too, is gone along here; OpenRouter alone goes along its own.
    let members = members.replace(r#""priced","other""#, r#""router/openai/gpt-4o""#);
    let router = gateway.post_with(CHAT, &headers, with("router/openai/gpt-4o", &members)).await;
    assert_eq!(router.header("x-gateway-warnings"), None);

    let [other, own] = <[_; 2]>::try_from(upstream.requests()).unwrap_or_else(|_| panic!("two requests"));
    let sent = other.json();
    assert_eq!((&sent["model"], &sent["reasoning_effort"]), (&json!("priced"), &json!("low")));
    for name in ["provider", "models", "transforms", "plugins", "reasoning", "usage"] {
        assert_eq!(sent.get(name), None, "{name}");
    }
    assert_eq!((other.head.get("http-referer"), other.head.get("x-title")), (None, None));
    let sent = own.json();
    assert_eq!((&sent["model"], &sent["provider"]["sort"]), (&json!("openai/gpt-4o"), &json!("price")));
    assert_eq!((own.head.get("http-referer"), own.head.get("x-title")), (Some("https://app.example"), Some("App")));
}

#[tokio::test]
async fn every_dialect_is_spoken_under_api_v1_and_its_answers_are_found_by_their_ids() {
    let (_upstream, gateway) = house(json_answer(CHAT_ANSWER)).await;
    for (path, body) in [
        ("completions", r#"{"model":"priced","prompt":"x"}"#),
        ("responses", r#"{"model":"priced","input":"x"}"#),
        ("messages", r#"{"model":"priced","max_tokens":9,"messages":[{"role":"user","content":"x"}]}"#),
    ] {
        let answer = gateway.post(&format!("/api/v1/{path}"), body).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        let answered = answer.json();
        assert_eq!(answered["usage"]["cost"], json!(0.000_138), "{path}: {answered}");
        let facts = gateway.get(&format!("/api/v1/generation?id={}", answered["id"].as_str().unwrap())).await.json();
        assert_eq!(facts["data"]["request_id"], answer.request_id(), "{path}");
    }
}

#[tokio::test]
async fn pictures_are_made_under_openrouters_path() {
    let (upstream, gateway) = house(json_answer(r#"{"created":1,"data":[{"b64_json":"aGk="}]}"#)).await;
    let body = r#"{"model":"m","prompt":"a cat","provider":{"sort":"price"}}"#;
    let answer = gateway.post("/api/v1/images", body).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert!(answer.header("x-gateway-warnings").is_some_and(|told| told.contains("provider")));
    let sent = upstream.only_request();
    assert!(sent.head.first_line.starts_with("POST /v1/images/generations "), "{}", sent.head.first_line);
    assert_eq!(sent.json(), json!({"model": "m", "prompt": "a cat"}));
}

#[tokio::test]
async fn a_list_of_models_may_stand_for_the_model() {
    let (upstream, gateway) = house(json_answer(CHAT_ANSWER)).await;
    let body = r#"{"models":["scripted/priced"],"messages":[{"role":"user","content":"hello"}]}"#;
    let answer = gateway.post(CHAT, body).await;
    assert_eq!((answer.status, answer.header("x-gateway-warnings")), (200, None), "{}", answer.text());
    let sent = upstream.only_request().json();
    assert_eq!((&sent["model"], sent.get("models")), (&json!("priced"), None));
}

#[tokio::test]
async fn elsewhere_than_under_api_v1_nothing_is_touched_that_others_may_know() {
    let (upstream, gateway) = house(json_answer(CHAT_ANSWER)).await;
    let body = with("priced", r#""session_id":"s","trace":{},"include_reasoning":true"#);
    let answer = gateway.chat(body.clone()).await;
    assert_eq!((answer.text(), answer.header("x-generation-id")), (CHAT_ANSWER, None));
    assert_eq!(upstream.only_request().text(), body);
}

#[tokio::test]
async fn errors_are_openrouters_but_for_anthropics_format() {
    let refusal = r#"{"error":{"message":"no such thing","type":"invalid_request_error","param":null,"code":"bad"}}"#;
    let (_upstream, gateway) = house(http_answer(400, &[("content-type", "application/json")], refusal)).await;
    let cases = [
        (gateway.post(CHAT, chat("nobody-has-this")).await, 404, "not_found"),
        (gateway.post(CHAT, "{").await, 400, "invalid_request"),
        (gateway.post(CHAT, chat("priced")).await, 400, "invalid_request"),
        (gateway.get("/api/v1/keys").await, 404, "not_found"),
        (gateway.get("/api/v1/nothing").await, 404, "not_found"),
        (gateway.get("/api/v1/models?category=programming").await, 400, "invalid_request"),
        (gateway.post("/api/v1/models", "{}").await, 405, "invalid_request"),
    ];
    for (answer, status, kind) in cases {
        let error = &answer.json()["error"];
        assert_eq!((answer.status, &error["code"]), (status, &json!(status)), "{}", answer.text());
        assert_eq!(error["metadata"]["error_type"], kind, "{}", answer.text());
        assert!(error["message"].as_str().is_some_and(|message| !message.is_empty()));
    }
    let answer = gateway.post("/api/v1/messages", r#"{"model":"nobody-has-this","max_tokens":1,"messages":[]}"#).await;
    assert_eq!((answer.status, &answer.json()["type"]), (404, &json!("error")), "{}", answer.text());
}

#[tokio::test]
async fn the_end_of_every_stream_tells_the_cost() {
    let chunk =
        |rest: &str| format!("data: {{\"id\":\"gen-7\",\"object\":\"chat.completion.chunk\",\"choices\":{rest}}}\n\n");
    let stream = [
        chunk(r#"[{"index":0,"delta":{"content":"hi"},"finish_reason":null}]"#),
        chunk(r#"[{"index":0,"delta":{},"finish_reason":"stop"}]"#),
        chunk(r#"[],"usage":{"prompt_tokens":11,"completion_tokens":7,"total_tokens":18}"#),
        "data: [DONE]\n\n".to_owned(),
    ];
    let (_upstream, gateway) = house(http_answer(200, &[("content-type", "text/event-stream")], stream.concat())).await;
    let answer = gateway.post(CHAT, streamed_chat("priced")).await;
    assert!(answer.text().contains(r#""cost":0.000138"#), "{}", answer.text());
    for id in ["gen-7", answer.request_id()] {
        let facts = gateway.get(&format!("/api/v1/generation?id={id}")).await.json();
        assert_eq!(
            (&facts["data"]["streamed"], &facts["data"]["total_cost"]),
            (&json!(true), &json!(0.000_138)),
            "{id}"
        );
    }
}
