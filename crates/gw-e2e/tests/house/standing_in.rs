//! A provider with a priority of its own is the last fallback, with another model than the one that was asked for.

use serde_json::json;

use crate::harness::{CHAT_ANSWER, Gateway, Upstream, chat, config, http_answer, json_answer, provider};

async fn house(routing: &str) -> (Upstream, Upstream, Gateway) {
    let failing = http_answer(503, &[("content-type", "application/json")], "{}");
    let (first, last) = (Upstream::always(failing).await, Upstream::always(json_answer(CHAT_ANSWER)).await);
    let text = config(&format!(
        "providers:\n{}{}routing: {{ retry_attempts: 0, {routing} }}",
        provider("first", first.address, ", models: [m, embed], priority: 1"),
        provider("last", last.address, ", models: [other], priority: 3"),
    ));
    (first, last, Gateway::start(&text).await)
}

#[tokio::test]
async fn where_everybody_else_fails_another_model_answers_and_that_is_told() {
    let (first, last, gateway) = house("strategy: priority").await;
    let answer = gateway.chat(chat("m")).await;
    assert_eq!((answer.status, answer.header("x-model-used")), (200, Some("other")));
    assert_eq!(answer.header("x-fallback-used"), Some("true"));
    assert_eq!(answer.header("x-model-downgraded"), Some("true"));
    assert_eq!((first.requests().len(), last.only_request().json()["model"].clone()), (1, json!("other")));
    gateway.log_line("routing.fallback_to_other_models").await;

    // Vectors of another model mean something else.
    let body = r#"{"model":"embed","input":"a"}"#;
    assert_eq!(gateway.post("/v1/embeddings", body).await.status, 503);
    assert_eq!(last.requests().len(), 1);
}

#[tokio::test]
async fn without_a_written_strategy_or_where_it_is_switched_off_no_other_model_answers() {
    for routing in ["fallback_enabled: true", "strategy: priority, fallback_to_other_models: false"] {
        let (_first, last, gateway) = house(routing).await;
        assert_eq!(gateway.chat(chat("m")).await.status, 503, "{routing}");
        let plan = gateway.post("/gateway/plan", chat("m")).await.json();
        let left_out = plan["left_out"].as_array().unwrap();
        let told = left_out.iter().find(|left| left["provider"] == "last").unwrap();
        assert_eq!(told["why"], "its list of models does not have it");
        assert!(last.requests().is_empty());
    }
}
