//! Vectors from providers of every format, for clients of every format: through the same door as chat.

use serde_json::{Value, json};

use crate::harness::{CLIENT_KEY, Gateway, PROVIDER_KEY, Upstream, config, json_answer};
use crate::translated::{entry, ok, refusal};
use crate::translated_fixtures::fixture;

/// A type of provider, its base path, a model, the answer to every call, and the request line of a call.
const PROVIDERS: [(&str, &str, &str, &str, &str); 8] = [
    ("cohere", "/v2", "embed-v4.0", "cohere_embed/answers/floats.json", "/v2/embed"),
    (
        "gemini",
        "/v1beta",
        "gemini-embedding-001",
        "gemini_batch_embed/answers/floats.json",
        "/v1beta/models/gemini-embedding-001:batchEmbedContents",
    ),
    (
        "bedrock",
        "",
        "cohere.embed-english-v3",
        "bedrock_embed/answers/cohere.json",
        "/model/cohere.embed-english-v3/invoke",
    ),
    ("mistral", "/v1", "mistral-embed", "mistral_embeddings/answers/floats.json", "/v1/embeddings"),
    ("voyage", "/v1", "voyage-3.5", "voyage_embeddings/answers/floats.json", "/v1/embeddings"),
    ("jina", "/v1", "jina-embeddings-v3", "jina_embeddings/answers/floats.json", "/v1/embeddings"),
    ("ollama-native", "", "all-minilm", "ollama_embed/answers/floats.json", "/api/embed"),
    ("openai", "/v1", "text-embedding-3-small", "openai_embeddings/answers/floats.json", "/v1/embeddings"),
];

/// How two texts are asked for, and where in the answer the first number of the second vector stands.
const CLIENTS: [(&str, &str); 4] = [
    ("/v1/embeddings", "/data/1/embedding/0"),
    ("/v2/embed", "/embeddings/float/1/0"),
    ("/v1beta/models/MODEL:batchEmbedContents", "/embeddings/1/values/0"),
    ("/api/embed", "/embeddings/1/0"),
];

fn body(path: &str, model: &str) -> Value {
    let texts = ["first", "second"];
    let content = |text| json!({"model": format!("models/{model}"), "content": {"parts": [{"text": text}]}});
    match path {
        "/v2/embed" => json!({"model": model, "input_type": "search_document", "texts": texts}),
        "/v1/embeddings" | "/api/embed" => json!({"model": model, "input": texts}),
        _ => json!({"requests": texts.map(content)}),
    }
}

async fn house(type_id: &str, base: &str, upstream: &Upstream, rest: &str) -> Gateway {
    let providers = format!("providers:\n{}{rest}", entry("house", type_id, upstream.address, base, ""));
    Gateway::start(&config(&providers)).await
}

#[tokio::test]
async fn one_request_does_not_become_many_times_its_size_at_the_provider() {
    let upstream = Upstream::always(ok(&fixture("voyage_embeddings/answers/floats.json"))).await;
    let gateway = house("voyage", "/v1", &upstream, "").await;
    let many = json!({"model": "house/voyage-3.5", "input": vec!["a"; 2_049]});
    let heavy = json!({"model": "house/voyage-3.5", "input": vec!["a"; 2_000], "pad": "x".repeat(1 << 20)});
    for body in [many, heavy] {
        gateway.post("/v1/embeddings", body.to_string()).await.assert_error(400, "invalid_request");
    }
    assert!(upstream.requests().is_empty());
}

#[tokio::test]
async fn every_client_gets_vectors_of_every_provider() {
    for (type_id, base, model, answer, line) in PROVIDERS {
        let upstream = Upstream::always(ok(&fixture(answer))).await;
        let gateway = house(type_id, base, &upstream, "").await;
        for (index, (path, place)) in CLIENTS.into_iter().enumerate() {
            let case = format!("{path} at {type_id}");
            let named = format!("house/{model}");
            let answer = gateway.post(&path.replace("MODEL", &named), body(path, &named).to_string()).await;
            assert_eq!(answer.status, 200, "{case}: {}", answer.text());
            assert_eq!(answer.json().pointer(place), Some(&json!(1.0)), "{case}: {}", answer.text());
            assert_eq!(answer.header("x-provider-used"), Some("house"), "{case}");
            assert_eq!(answer.header("x-model-used"), Some(model), "{case}");

            let sent = &upstream.requests()[index];
            assert_eq!(sent.head.first_line, format!("POST {line} HTTP/1.1"), "{case}");
            assert!(!sent.text().contains("house/"), "{case}: {}", sent.text());
            let record = gateway.record(answer.request_id()).await;
            assert_eq!(record["operation"], "embeddings", "{case}");
            assert_eq!(record["outcome"], "completed", "{case}");
            if type_id != "bedrock" {
                assert_eq!(record["input_tokens"], 7, "{case}: {record}");
            }
        }
    }
}

#[tokio::test]
async fn a_client_that_asks_for_base64_gets_the_very_floats() {
    let upstream = Upstream::always(ok(&fixture("cohere_embed/answers/floats.json"))).await;
    let gateway = house("cohere", "/v2", &upstream, "").await;
    let body = json!({"model": "house/embed-v4.0", "input": ["a", "b"], "encoding_format": "base64"});
    let answer = gateway.post("/v1/embeddings", body.to_string()).await;
    // 0.1, -0.25, 3e-7 and 1, 0, -1 as 32-bit floats.
    assert_eq!(answer.json()["data"][0]["embedding"], "zczMPQAAgL6wD6E0", "{}", answer.text());
    assert_eq!(answer.json()["data"][1]["embedding"], "AACAPwAAAAAAAIC/");
    assert_eq!(answer.json()["usage"], json!({"prompt_tokens": 7, "total_tokens": 7}));
    let warnings = answer.header("x-gateway-warnings").unwrap_or_default();
    assert!(warnings.starts_with("replaced input_type: "), "{warnings}");
    assert_eq!(answer.header("x-gateway-dropped-params"), None);
}

#[tokio::test]
async fn a_provider_that_speaks_the_clients_format_gets_and_gives_the_bytes_as_they_are() {
    for (type_id, base, model, path, sent, fixed) in [
        (
            "cohere",
            "/v2",
            "embed-v4.0",
            "/v2/embed",
            "{ \"texts\":[\"\\u00e9\"] ,\"input_type\":\"search_query\", \"x\": 1.50e-7, \"model\":\"embed-v4.0\" }\n",
            "cohere_embed/answers/types.json",
        ),
        (
            "gemini",
            "/v1beta",
            "gemini-embedding-001",
            "/v1beta/models/gemini-embedding-001:embedContent",
            "{ \"content\":{\"parts\":[{\"text\":\"\\u00e9\"}]} , \"x\": 1.50e-7 }\n",
            "gemini_embed/answers/floats.json",
        ),
        (
            "ollama-native",
            "",
            "all-minilm",
            "/api/embed",
            "{ \"input\":\"\\u00e9\" , \"x\": 1.50e-7, \"model\":\"all-minilm\" }\n",
            "ollama_embed/answers/floats.json",
        ),
    ] {
        let upstream = Upstream::always(ok(&fixture(fixed))).await;
        let gateway = house(type_id, base, &upstream, &format!("aliases: {{ {model}: house/{model} }}\n")).await;
        let answer = gateway.post(path, sent).await;
        assert_eq!(answer.text(), fixture(fixed), "{type_id}");
        assert_eq!(upstream.only_request().text(), sent, "{type_id}");
        let record = gateway.record(answer.request_id()).await;
        if type_id != "gemini" {
            assert!(record["input_tokens"].as_u64() >= Some(7), "{type_id}: {record}");
        }
    }
}

#[tokio::test]
async fn texts_that_a_model_takes_one_by_one_are_asked_for_together_and_come_back_in_order() {
    let upstream = Upstream::start(|mut peer| async move {
        while let Some(request) = peer.request().await {
            let text = request.json()["inputText"].as_str().unwrap().to_owned();
            let number: u64 = text.rsplit(' ').next().unwrap().parse().unwrap();
            // Later ones answer sooner.
            tokio::time::sleep(std::time::Duration::from_millis(30 - number)).await;
            let body = json!({"embedding": [number], "inputTextTokenCount": number});
            peer.send(json_answer(body.to_string())).await;
        }
    })
    .await;
    let gateway = house("bedrock", "", &upstream, "").await;
    let texts: Vec<_> = (0..20).map(|number| format!("text {number}")).collect();
    let body = json!({"model": "house/amazon.titan-embed-text-v2:0", "input": texts});
    let answer = gateway.post("/v1/embeddings", body.to_string()).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let data = answer.json()["data"].clone();
    assert!((0..20).all(|number| data[number]["embedding"] == json!([number])), "{data}");
    assert_eq!(answer.json()["usage"]["prompt_tokens"], 190);
    assert_eq!(answer.header("x-attempt-count"), Some("1"));
    let requests = upstream.requests();
    assert_eq!(requests.len(), 20);
    assert!(upstream.connections() <= 8, "{}", upstream.connections());
    assert_eq!(requests[0].head.first_line, "POST /model/amazon.titan-embed-text-v2%3A0/invoke HTTP/1.1");
    assert_eq!(requests[0].head.get("authorization"), Some(format!("Bearer {PROVIDER_KEY}").as_str()));
}

#[tokio::test]
async fn one_call_that_fails_ends_the_request_and_what_was_answered_is_counted() {
    let upstream = Upstream::start(|mut peer| async move {
        while let Some(request) = peer.request().await {
            let fails = request.json()["inputText"] == "no";
            let limited = || refusal(429, &[("retry-after", "7")], &json!({"message": "slow down"}));
            let answer = ok(r#"{"embedding":[1],"inputTextTokenCount":5}"#);
            peer.send(if fails { limited() } else { answer }).await;
        }
    })
    .await;
    let gateway = house("bedrock", "", &upstream, "").await;
    // Eight at once: the ninth is asked for when one has been answered.
    let texts: Vec<_> = (0..50).map(|place| if place < 8 { "yes" } else { "no" }).collect();
    let body = json!({"model": "house/amazon.titan-embed-text-v2:0", "input": texts});
    let answer = gateway.post("/v1/embeddings", body.to_string()).await;
    answer.assert_error(429, "provider_rate_limited");
    assert_eq!(answer.header("retry-after"), Some("7"));
    assert!(upstream.requests().len() < 50, "{}", upstream.requests().len());
    let record = gateway.record(answer.request_id()).await;
    assert!(record["input_tokens"].as_u64() >= Some(5), "{record}");
}

#[tokio::test]
async fn errors_come_in_the_clients_format_and_tell_nothing_of_the_gateways_key() {
    let body_of = |key: &str| json!({"message": format!("invalid api token {key}")});
    let upstream = Upstream::always(refusal(401, &[], &body_of(PROVIDER_KEY))).await;
    let gateway = house("cohere", "/v2", &upstream, "").await;
    for (path, place) in [
        ("/v1/embeddings", "/error/message"),
        ("/v2/embed", "/message"),
        ("/v1beta/models/house/embed-v4.0:batchEmbedContents", "/error/message"),
        ("/api/embed", "/error"),
    ] {
        let answer = gateway.post(path, body(path, "house/embed-v4.0").to_string()).await;
        assert_eq!(answer.status, 502, "{path}: {}", answer.text());
        let told = answer.json().pointer(place).and_then(Value::as_str).unwrap_or_default().to_owned();
        assert!(told.contains("refused the gateway's credential"), "{path}: {}", answer.text());
        assert!(!answer.text().contains(PROVIDER_KEY), "{path}");
    }
    assert!(!gateway.everything_written().contains(PROVIDER_KEY));
}

#[tokio::test]
async fn an_answer_with_fewer_vectors_than_inputs_is_no_answer() {
    let upstream = Upstream::always(ok(r#"{"embeddings":{"float":[[1]]},"meta":{}}"#)).await;
    let gateway = house("cohere", "/v2", &upstream, "").await;
    let answer = gateway.post("/v1/embeddings", body("/v1/embeddings", "house/embed-v4.0").to_string()).await;
    answer.assert_error(502, "provider_invalid_response");
}

#[tokio::test]
async fn what_a_provider_cannot_be_told_is_named_or_refused_as_configured() {
    let upstream = Upstream::always(ok(&fixture("cohere_embed/answers/floats.json"))).await;
    let body =
        json!({"model": "house/embed-v4.0", "input": ["a", "b"], "user": "u", "x_own": 1, "prefer_provider": "house"});
    let gateway = house("cohere", "/v2", &upstream, "").await;
    let answer = gateway.post("/v1/embeddings", body.to_string()).await;
    assert_eq!(answer.header("x-gateway-dropped-params"), Some("user, x_own"), "{}", answer.text());
    assert!(!upstream.only_request().text().contains("x_own"));
    assert!(!upstream.only_request().text().contains("prefer_provider"));

    let strict = house("cohere", "/v2", &upstream, "translation: { unsupported: reject }\n").await;
    let answer = strict.post("/v1/embeddings", body.to_string()).await;
    answer.assert_error(400, "unsupported_parameter");
    let plain = json!({"model": "house/embed-v4.0", "input": ["a", "b"]});
    assert_eq!(strict.post("/v1/embeddings", plain.to_string()).await.status, 200);
}

#[tokio::test]
async fn a_renamed_model_is_renamed_inside_of_googles_bodies_too() {
    let upstream = Upstream::always(ok(&fixture("gemini_batch_embed/answers/floats.json"))).await;
    let aliases = "aliases: { vectors: house/gemini-embedding-001 }\n";
    let gateway = house("gemini", "/v1beta", &upstream, aliases).await;
    let path = "/v1beta/models/vectors:batchEmbedContents";
    let answer = gateway.post(path, body(path, "vectors").to_string()).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let sent = upstream.only_request();
    assert_eq!(sent.json()["requests"][1]["model"], "models/gemini-embedding-001");
    assert!(!sent.text().contains("vectors"), "{}", sent.text());
}

#[tokio::test]
async fn who_has_no_key_gets_no_vectors() {
    let upstream = Upstream::always(ok(&fixture("cohere_embed/answers/floats.json"))).await;
    let auth = format!("auth: {{ mode: required, keys: [{{ name: app, key: {CLIENT_KEY} }}] }}\n");
    let gateway = house("cohere", "/v2", &upstream, &auth).await;
    for path in ["/v1/embeddings", "/v2/embed", "/api/embed"] {
        let body = body(path, "house/embed-v4.0").to_string();
        assert_eq!(gateway.post(path, &body).await.status, 401, "{path}");
        let key = format!("Bearer {CLIENT_KEY}");
        let answer = gateway.post_with(path, &[("authorization", &key)], &body).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
    }
    assert_eq!(upstream.requests().len(), 3);
    assert!(upstream.requests().iter().all(|request| !request.text().contains(CLIENT_KEY)));
}
