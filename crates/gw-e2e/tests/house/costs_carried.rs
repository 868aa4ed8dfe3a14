//! What is carried costs something too: pictures, seconds, characters, searches; and what providers and callers say of it.

use serde_json::{Value, json};

use crate::harness::{
    Authority, CHAT_ANSWER, CLIENT_KEY, Gateway, Launch, PROVIDER_KEY, Upstream, chat, config, http_answer,
    json_answer, provider,
};

/// A provider of that type at a scripted address.
fn of_type(kind: &str, upstream: &Upstream) -> String {
    let address = upstream.address;
    format!(
        "  - {{ name: p, type: {kind}, endpoint: \"http://{address}/v1\", api_key: {PROVIDER_KEY}, proxy: direct }}\n"
    )
}

async fn house(kind: &str, answer: Vec<u8>) -> (Upstream, Gateway) {
    let upstream = Upstream::always(answer).await;
    let gateway = Gateway::start(&config(&format!("providers:\n{}", of_type(kind, &upstream)))).await;
    (upstream, gateway)
}

async fn record_of(gateway: &Gateway, path: &str, body: &str) -> Value {
    let answer = gateway.post(path, body).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    gateway.record(answer.request_id()).await
}

#[tokio::test]
async fn speech_is_billed_by_what_was_read_aloud_or_is_of_unknown_cost() {
    let (_upstream, gateway) = house("openai", http_answer(200, &[("content-type", "audio/mpeg")], "mp3")).await;
    let ask = |model: &str| format!(r#"{{"model":"{model}","input":"größe 😀","voice":"alloy"}}"#);
    let record = record_of(&gateway, "/v1/audio/speech", &ask("p/tts-1")).await;
    assert_eq!((&record["characters"], &record["cost_usd"]), (&json!(7), &json!(0.000_105)), "{record}");
    // This one is billed by tokens, which are not reported.
    let record = record_of(&gateway, "/v1/audio/speech", &ask("p/gpt-4o-mini-tts")).await;
    assert_eq!((record.get("cost_usd"), &record["unpriced"]), (None, &json!("input output audio_output")), "{record}");
    let series = "ai_gateway_cost_nanodollars_total{provider=\"p\",model=\"tts-1\",type=\"character\"}";
    assert_eq!(gateway.metric(series).await, Some(105_000.0));
}

#[tokio::test]
async fn pictures_are_billed_by_the_tokens_that_are_told_or_by_the_piece() {
    let tokens = r#"{"data":[{"b64_json":"AA"}],"usage":{"input_tokens":50,"output_tokens":100,"total_tokens":150,"input_tokens_details":{"text_tokens":40,"image_tokens":10}}}"#;
    let (_upstream, gateway) = house("openai", json_answer(tokens)).await;
    let record = record_of(&gateway, "/v1/images/generations", r#"{"model":"p/gpt-image-1","prompt":"x"}"#).await;
    // 40 at 5, 10 at 10 and 100 at 40 dollars for a million
    assert_eq!((&record["cost_usd"], &record["images"]), (&json!(0.004_3), &json!(1)), "{record}");

    let upstream = Upstream::always(json_answer(r#"{"data":[{"url":"https://x/1"},{"url":"https://x/2"}]}"#)).await;
    let models = ", models: [m, { name: painter, price: { image: 0.04 } }]";
    let gateway =
        Gateway::start(&config(&format!("providers:\n{}", provider("scripted", upstream.address, models)))).await;
    let record = record_of(&gateway, "/v1/images/generations", r#"{"model":"painter","prompt":"x","n":2}"#).await;
    assert_eq!(record["cost_usd"], json!(0.08), "{record}");
    let record = record_of(&gateway, "/v1/images/generations", r#"{"model":"scripted/m","prompt":"x"}"#).await;
    assert_eq!(record["unpriced"], json!("image"), "{record}");
}

#[tokio::test]
async fn a_transcription_is_billed_by_the_length_that_is_told() {
    let form = "--b\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\np/whisper-1\r\n--b--\r\n";
    let head = [("content-type", "multipart/form-data; boundary=b")];
    for (answer, cost) in [
        (json_answer(r#"{"text":"hi","usage":{"type":"duration","seconds":60}}"#), Some(0.006)),
        (json_answer(r#"{"task":"transcribe","duration":90.5,"text":"hi","segments":[]}"#), Some(0.009_05)),
        (http_answer(200, &[("content-type", "text/plain")], "hi"), None),
    ] {
        let (_upstream, gateway) = house("openai", answer).await;
        let answer = gateway.post_with("/v1/audio/transcriptions", &head, form).await;
        let record = gateway.record(answer.request_id()).await;
        assert_eq!(record.get("cost_usd"), cost.map(Value::from).as_ref(), "{record}");
        assert_eq!(record.get("unpriced").is_some(), cost.is_none(), "{record}");
    }
}

#[tokio::test]
async fn a_film_is_billed_when_it_is_ordered_and_not_when_it_is_looked_at() {
    let film = r#"{"id":"video_1","object":"video","status":"queued","seconds":"8","size":"1792x1024"}"#;
    let (_upstream, gateway) = house("openai", json_answer(film)).await;
    for (model, cost) in [("sora-2", "0.8"), ("sora-2-pro", "4")] {
        let answer = gateway.post("/v1/videos", format!(r#"{{"model":"p/{model}","prompt":"x"}}"#)).await;
        assert_eq!(answer.header("x-gateway-cost"), Some(cost), "{model}");
    }
    let answer = gateway.get("/v1/videos/video_1").await;
    let record = gateway.record(answer.request_id()).await;
    assert_eq!((answer.header("x-gateway-cost"), record.get("cost_usd")), (None, None), "{record}");
}

#[tokio::test]
async fn reranking_is_billed_by_searches_and_judging_is_free() {
    let ranked = r#"{"id":"r","results":[{"index":0,"relevance_score":0.5}],"meta":{"billed_units":{"search_units":2,"input_tokens":9}}}"#;
    let upstream = Upstream::always(json_answer(ranked)).await;
    let gateway = Gateway::start(&config(&format!("providers:\n{}", of_type("cohere", &upstream)))).await;
    let ask = r#"{"model":"p/rerank-v3.5","query":"q","documents":["a"]}"#;
    let answer = gateway.post("/v1/rerank", ask).await;
    assert_eq!(answer.header("x-gateway-cost"), Some("0.004"), "{}", answer.text());

    let (_upstream, gateway) = house("openai", json_answer(r#"{"id":"m","results":[]}"#)).await;
    let answer = gateway.post("/v1/moderations", r#"{"model":"p/omni-moderation-latest","input":"x"}"#).await;
    assert_eq!(answer.header("x-gateway-cost"), Some("0"), "{}", answer.text());
}

#[tokio::test]
async fn what_a_provider_says_that_it_cost_counts_where_there_is_no_price_and_is_compared_where_there_is() {
    let told = CHAT_ANSWER.replace(r#""total_tokens":18"#, r#""total_tokens":18,"cost":0.00014039999999999999"#);
    let (_upstream, gateway) = house("openrouter", json_answer(&told)).await;
    let answer = gateway.chat(chat("p/vendor/model")).await;
    assert_eq!((answer.header("x-gateway-cost"), answer.text()), (Some("0.0001404"), &*told));
    let record = gateway.record(answer.request_id()).await;
    let said = (&record["cost_usd"], &record["cost_source"], &record["provider_cost_usd"]);
    assert_eq!(said, (&json!(0.000_140_4), &json!("provider"), &json!(0.000_140_4)), "{record}");
    let series = "ai_gateway_cost_nanodollars_total{provider=\"p\",model=\"vendor/model\",type=\"undivided\"}";
    assert_eq!(gateway.metric(series).await, Some(140_400.0));

    let prices = "cost_management: { provider_costs: { p: { m: { input_token_cost: 0.000003, output_token_cost: 0.000015 } } } }\n";
    let upstream = Upstream::always(json_answer(&told)).await;
    let gateway = Gateway::start(&config(&format!("{prices}providers:\n{}", of_type("openrouter", &upstream)))).await;
    let answer = gateway.chat(chat("p/m")).await;
    assert_eq!(answer.header("x-gateway-cost"), Some("0.000138"));
    let record = gateway.record(answer.request_id()).await;
    let said = (record.get("cost_source"), &record["provider_cost_usd"]);
    assert_eq!(said, (None, &json!(0.000_140_4)), "{record}");
    let series = "ai_gateway_contradicted_costs_total{provider=\"p\",model=\"m\"}";
    assert_eq!(gateway.metric(series).await, Some(1.0));
}

#[tokio::test]
async fn the_cost_that_a_stream_tells_at_its_end_is_taken_and_that_of_strangers_is_not() {
    let event = |rest: &str| format!("data: {{\"id\":\"x\",\"object\":\"chat.completion.chunk\",{rest}}}\n\n");
    let stream = event(r#""choices":[{"index":0,"delta":{"content":"hi"},"finish_reason":"stop"}]"#)
        + &event(r#""choices":[],"usage":{"prompt_tokens":1,"completion_tokens":1,"cost":{"total_cost":0.0051}}"#)
        + "data: [DONE]\n\n";
    let answer = http_answer(200, &[("content-type", "text/event-stream")], stream);
    for (kind, cost) in [("perplexity", Some(0.005_1)), ("openai-compatible", None)] {
        let (_upstream, gateway) = house(kind, answer.clone()).await;
        let answer = gateway.chat(chat("p/model").replacen('{', r#"{"stream":true,"#, 1)).await;
        let record = gateway.record(answer.request_id()).await;
        assert_eq!(record.get("cost_usd"), cost.map(Value::from).as_ref(), "{kind}: {record}");
    }
}

#[tokio::test]
async fn a_caller_says_what_its_request_costs_only_if_it_may() {
    let upstream = Upstream::always(json_answer(CHAT_ANSWER)).await;
    let other = "sk-gateway-other-9876543210";
    let gateway = Gateway::start(&config(&format!(
        "auth: {{ mode: required, keys: [{{ name: trusted, key: {CLIENT_KEY} }}, {{ name: other, key: {other} }}] }}\n\
         cost_management: {{ custom_costs: [trusted] }}\nproviders:\n{}",
        provider("scripted", upstream.address, ", models: [{ name: m, price: { input: 3, output: 15 } }]")
    )))
    .await;
    let ask = async |key: &str, cost: &str| {
        let (key, cost) = (format!("Bearer {key}"), ("cf-aig-custom-cost", cost));
        let head = [("content-type", "application/json"), ("authorization", &*key), cost];
        gateway.post_with("/v1/chat/completions", &head, chat("m")).await
    };
    let lowered = r#"{"per_token_in":0.000001,"per_token_out":0.000002}"#;
    let answer = ask(CLIENT_KEY, lowered).await;
    assert_eq!(answer.header("x-gateway-cost"), Some("0.000025"));
    assert_eq!(gateway.record(answer.request_id()).await["cost_source"], "caller");
    let answer = ask(CLIENT_KEY, r#"{"total_cost":0.5}"#).await;
    assert_eq!(answer.header("x-gateway-cost"), Some("0.5"));
    ask(CLIENT_KEY, "cheap").await.assert_error(400, "invalid_request");
    let answer = ask(other, lowered).await;
    assert_eq!(answer.header("x-gateway-cost"), Some("0.000138"));
    assert!(answer.header("x-gateway-warnings").unwrap().contains("cf-aig-custom-cost"));
    assert_eq!(upstream.requests().last().unwrap().head.get("cf-aig-custom-cost"), None);
}

#[tokio::test]
async fn newer_prices_come_from_an_address() {
    let prices = "[[model]]\nprovider = \"openai-compatible\"\nname = \"m\"\noperations = [\"chat\"]\n\
                  price = { input = \"1\", output = \"0\" }\n";
    let authority = Authority::new();
    let list = Upstream::start_tls(authority.server(), move |mut peer| async move {
        peer.request().await;
        peer.send(http_answer(200, &[("content-type", "application/toml")], prices)).await;
        peer.gone().await;
    })
    .await;
    let upstream = Upstream::always(json_answer(CHAT_ANSWER)).await;
    let port = list.address.port();
    let address = format!("catalog: {{ url: \"https://localhost:{port}/models.toml\", refresh: 1h }}\n");
    let launch = Launch::with(&config(&format!("{address}providers:\n{}", provider("scripted", upstream.address, ""))))
        .file("authority.pem", &authority.pem);
    let trusted = launch.folder().join("authority.pem").display().to_string();
    let gateway = launch.variable("SSL_CERT_FILE", &trusted).start().await;
    gateway.generation(2).await;
    assert_eq!(gateway.chat(chat("scripted/m")).await.header("x-gateway-cost"), Some("0.000011"));
    let asked = list.only_request();
    assert_eq!((asked.head.get("authorization"), asked.head.get("host").is_some()), (None, true));
    assert_eq!(gateway.metric("ai_gateway_catalog_refreshes_total{result=\"success\"}").await, Some(1.0));
}

#[tokio::test]
async fn the_list_of_models_is_that_of_the_configuration_in_force() {
    let upstream = Upstream::always(json_answer(CHAT_ANSWER)).await;
    let of = |model: &str| {
        let models = format!(", models: [{model}]");
        config(&format!("providers:\n{}", provider("scripted", upstream.address, &models)))
    };
    let gateway = Gateway::start(&of("first")).await;
    let list = async || gateway.get("/v1/models").await.text().to_owned();
    let told = list().await;
    assert!(told.contains("\"first\"") && told == list().await);
    gateway.reload(&of("second"), "second").await;
    let told = list().await;
    assert!(told.contains("\"second\"") && !told.contains("\"first\""));
    let anthropic = gateway.get_with("/v1/models", &[("anthropic-version", "2023-06-01")]).await;
    assert!(anthropic.json()["has_more"].is_boolean() && anthropic.text().contains("\"second\""));
}
