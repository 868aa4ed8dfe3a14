//! Documents put in order by providers of every format, and what is judged: through the same door as chat.

use serde_json::{Value, json};

use crate::harness::{Gateway, Upstream, config};
use crate::translated::{entry, ok, refusal};
use crate::translated_fixtures::fixture;

/// A type of provider, its base path, a model, the answer, the request line, and where the number of wanted ones stands.
const PROVIDERS: [(&str, &str, &str, &str, &str, &str); 5] = [
    ("cohere", "/v2", "rerank-v3.5", "cohere_rerank/answers/ranked.json", "/v2/rerank", "top_n"),
    ("jina", "/v1", "jina-reranker-v3", "jina_rerank/answers/ranked.json", "/v1/rerank", "top_n"),
    ("siliconflow", "/v1", "BAAI/bge-reranker-v2-m3", "jina_rerank/answers/siliconflow.json", "/v1/rerank", "top_n"),
    ("voyage", "/v1", "rerank-2.5", "voyage_rerank/answers/ranked.json", "/v1/rerank", "top_k"),
    (
        "bedrock",
        "",
        "cohere.rerank-v3-5:0",
        "bedrock_rerank/answers/ranked.json",
        "/model/cohere.rerank-v3-5%3A0/invoke",
        "top_n",
    ),
];

fn body(model: &str) -> Value {
    json!({"model": model, "query": "What is the capital?", "documents": ["first", "second", "third"], "top_n": 3})
}

async fn house(type_id: &str, base: &str, upstream: &Upstream) -> Gateway {
    Gateway::start(&config(&format!("providers:\n{}", entry("house", type_id, upstream.address, base, "")))).await
}

#[tokio::test]
async fn every_client_gets_the_order_of_every_provider() {
    for (type_id, base, model, answer, line, top) in PROVIDERS {
        let upstream = Upstream::always(ok(&fixture(answer))).await;
        let gateway = house(type_id, base, &upstream).await;
        for (index, path) in ["/v1/rerank", "/rerank", "/v2/rerank"].into_iter().enumerate() {
            let case = format!("{path} at {type_id}");
            let answer = gateway.post(path, body(&format!("house/{model}")).to_string()).await;
            assert_eq!(answer.status, 200, "{case}: {}", answer.text());
            let results = answer.json()["results"].clone();
            assert_eq!(results[0]["index"], 2, "{case}: {results}");
            assert_eq!(results[1]["index"], 0, "{case}: {results}");
            assert_eq!(results[0]["relevance_score"], 0.999071, "{case}: {results}");
            let sent = &upstream.requests()[index];
            assert_eq!(sent.head.first_line, format!("POST {line} HTTP/1.1"), "{case}");
            assert_eq!(sent.json()[top], 3, "{case}");
            assert_eq!(gateway.record(answer.request_id()).await["operation"], "rerank", "{case}");
        }
    }
}

#[tokio::test]
async fn search_units_are_told_and_recorded() {
    let upstream = Upstream::always(ok(&fixture("cohere_rerank/answers/ranked.json"))).await;
    let gateway = house("cohere", "/v2", &upstream).await;
    for path in ["/v1/rerank", "/v2/rerank"] {
        let answer = gateway.post(path, body("house/rerank-v3.5").to_string()).await;
        assert_eq!(answer.json()["meta"]["billed_units"]["search_units"], 1, "{path}: {}", answer.text());
        assert_eq!(gateway.record(answer.request_id()).await["search_units"], 1, "{path}");
    }
}

#[tokio::test]
async fn documents_come_back_where_they_are_wanted_and_voyages_words_are_understood() {
    let upstream = Upstream::always(ok(&fixture("cohere_rerank/answers/ranked.json"))).await;
    let gateway = house("cohere", "/v2", &upstream).await;
    let body = json!({
        "model": "house/rerank-v3.5", "query": "q", "documents": ["first", {"text": "second"}, "third"], "top_k": 3,
        "return_documents": true
    });
    let answer = gateway.post("/v1/rerank", body.to_string()).await;
    let documents: Vec<_> = (0..3).map(|place| answer.json()["results"][place]["document"]["text"].clone()).collect();
    assert_eq!(documents, ["third", "first", "second"]);
    assert_eq!(upstream.only_request().json()["documents"], json!(["first", "second", "third"]));
    assert_eq!(upstream.only_request().json()["top_n"], 3);
}

#[tokio::test]
async fn an_error_of_a_reranker_comes_in_the_clients_format() {
    let upstream = Upstream::always(refusal(404, &[], &json!({"message": "model 'x' not found"}))).await;
    let gateway = house("cohere", "/v2", &upstream).await;
    let answer = gateway.post("/v1/rerank", body("house/x").to_string()).await;
    answer.assert_error(404, "provider_model_not_found");
    let own = gateway.post("/v2/rerank", body("house/x").to_string()).await;
    assert_eq!(own.status, 404);
    assert!(own.json()["message"].as_str().unwrap().contains("not found"), "{}", own.text());
}

#[tokio::test]
async fn a_provider_that_does_not_rerank_is_not_asked() {
    let upstream = Upstream::always(ok("{}")).await;
    let gateway = house("anthropic", "/v1", &upstream).await;
    let answer = gateway.post("/v1/rerank", body("house/claude-sonnet-5").to_string()).await;
    answer.assert_error(400, "invalid_request");
    assert!(answer.text().contains("does not offer rerank"), "{}", answer.text());
    assert_eq!(upstream.requests().len(), 0);
}

const JUDGED: &str = r#"{"id":"modr-1","model":"omni-moderation-latest","results":[{"flagged":true,"categories":{"hate":false},"category_scores":{"hate":1.5e-7}}]}"#;

#[tokio::test]
async fn moderations_go_through_and_openais_needs_no_model() {
    let upstream = Upstream::always(ok(JUDGED)).await;
    let gateway = house("openai", "/v1", &upstream).await;
    let sent = r#"{ "input" : ["a", "b"] }"#;
    let answer = gateway.post("/v1/moderations", sent).await;
    assert_eq!(answer.text(), JUDGED);
    assert_eq!(answer.header("x-model-used"), Some("omni-moderation-latest"));
    let request = upstream.only_request();
    assert_eq!((request.text(), request.head.first_line.as_str()), (sent, "POST /v1/moderations HTTP/1.1"));
    assert_eq!(gateway.record(answer.request_id()).await["operation"], "moderations");
}

#[tokio::test]
async fn mistral_judges_conversations_too() {
    let upstream = Upstream::always(ok(JUDGED)).await;
    let gateway = house("mistral", "/v1", &upstream).await;
    let body = json!({"model": "house/mistral-moderation-latest", "input": [{"role": "user", "content": "a"}]});
    for (path, line) in [("/v1/moderations", "/v1/moderations"), ("/v1/chat/moderations", "/v1/chat/moderations")] {
        assert_eq!(gateway.post(path, body.to_string()).await.text(), JUDGED);
        let sent = upstream.requests().pop().unwrap();
        assert_eq!(sent.head.first_line, format!("POST {line} HTTP/1.1"));
        assert_eq!(sent.json()["model"], "mistral-moderation-latest");
    }
    let elsewhere = Upstream::always(ok(JUDGED)).await;
    let gateway = house("anthropic", "/v1", &elsewhere).await;
    gateway.post("/v1/moderations", body.to_string()).await.assert_error(400, "invalid_request");
}
