//! Words about routing that are no routing, or not as they must be: taken out, told, or refused. And facts of a request that
//! rules go by, wherever clients may say them.

use serde_json::{Value, json};

use crate::harness::{CHAT_ANSWER, Gateway, Upstream, chat, config, json_answer, provider};

const CHAT: &str = "/v1/chat/completions";

async fn well() -> Upstream {
    Upstream::always(json_answer(CHAT_ANSWER)).await
}

fn with(members: &Value) -> String {
    let mut body: Value = serde_json::from_str(&chat("m")).unwrap();
    body.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
    body.to_string()
}

#[tokio::test]
async fn what_only_gateways_understand_reaches_no_provider_and_what_is_lost_is_told() {
    let upstream = well().await;
    let gateway =
        Gateway::start(&config(&format!("providers:\n{}", provider("p", upstream.address, ", models: [m]")))).await;
    let members = json!({
        "prefer_provider": "p", "provider": { "sort": "price" }, "models": ["m"], "route": "fallback",
        "transforms": ["middle-out"], "plugins": [{ "id": "file-parser" }], "providerOptions": { "gateway": {} },
        "gateway": {}, "gateway_config": "{}", "seed": 7,
    });
    for path in [CHAT, "/api/v1/chat/completions"] {
        let answer = gateway.post(path, with(&members)).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        let sent = upstream.requests().last().unwrap().json();
        let names: Vec<_> = sent.as_object().unwrap().keys().collect();
        assert_eq!(names, ["model", "messages", "seed"], "{path}: {sent}");
        let dropped = answer.header("x-gateway-dropped-params").unwrap();
        assert!(["transforms", "plugins"].iter().all(|name| dropped.contains(name)), "{path}: {dropped}");
        assert!(answer.header("x-gateway-warnings").unwrap().contains("transforms"), "{path}");
    }
}

#[tokio::test]
async fn a_preference_for_nobody_is_told_and_one_of_the_wrong_kind_is_refused() {
    let (upstream, broken) = (well().await, Upstream::always(crate::harness::http_answer(500, &[], "{}")).await);
    let gateway = Gateway::start(&config(&format!(
        "providers:\n{}{}",
        provider("broken", broken.address, ", models: [m], priority: 1"),
        provider("p", upstream.address, ", models: [m], priority: 2"),
    )))
    .await;
    let answer = gateway.chat(with(&json!({ "prefer_provider": "nope" }))).await;
    assert_eq!((answer.status, answer.header("x-provider-used")), (200, Some("p")));
    assert!(answer.header("x-gateway-warnings").unwrap().contains("prefer_provider"), "{}", answer.head.raw);
    let answer = gateway.chat(with(&json!({ "prefer_provider": "p" }))).await;
    assert_eq!((answer.header("x-gateway-warnings"), answer.header("x-attempt-count")), (None, Some("1")));
    for (members, place) in
        [(json!({ "provider": "p" }), "`provider`"), (json!({ "provider": { "order": "p" } }), "`provider.order`")]
    {
        let answer = gateway.chat(with(&members)).await;
        answer.assert_error(400, "invalid_request");
        assert!(answer.text().contains(place), "{}", answer.text());
    }
}

#[tokio::test]
async fn rules_find_the_size_of_a_batch_and_tags_wherever_clients_may_say_them() {
    let (usual, bulk) = (well().await, well().await);
    let gateway = Gateway::start(&config(&format!(
        "providers:\n{}{}routing:\n  rules:\n    - {{ name: bulk, condition: {{ batch_size: \">100\" }}, providers: [bulk] }}\n    \
         - {{ name: tagged, condition: {{ tags: [night] }}, providers: [bulk] }}\n",
        provider("usual", usual.address, ", models: [m], priority: 1"),
        provider("bulk", bulk.address, ", models: [m], priority: 2"),
    )))
    .await;
    let asked = async |headers: &[(&str, &str)], metadata: Value| {
        let answer = gateway.post_with(CHAT, headers, with(&json!({ "metadata": metadata }))).await;
        answer.header("x-provider-used").map_or_else(|| answer.status.to_string(), str::to_owned)
    };
    let size = "x-gateway-batch-size";
    for (headers, metadata, expected) in [
        (vec![], json!({ "batch_size": "150" }), "bulk"),
        (vec![], json!({ "batch_size": 150 }), "bulk"),
        (vec![(size, "1")], json!({ "batch_size": 150 }), "usual"),
        (vec![(size, "150")], json!({}), "bulk"),
        (vec![("x-gateway-metadata", r#"{"batch_size":"150"}"#)], json!({}), "bulk"),
        (vec![(size, "many")], json!({}), "400"),
        (vec![(size, "-5")], json!({}), "400"),
        (vec![], json!({ "tags": "day, night" }), "bulk"),
        (vec![], json!({ "tags": ["night"] }), "bulk"),
        (vec![], json!({ "tags": "day" }), "usual"),
    ] {
        assert_eq!(asked(&headers, metadata.clone()).await, expected, "{headers:?} {metadata}");
    }
}
