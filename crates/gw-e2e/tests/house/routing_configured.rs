//! What a configuration says of routing is what happens: targets in their order, rules, environments.

use crate::harness::{CHAT_ANSWER, Gateway, Launch, Upstream, chat, config, http_answer, json_answer, provider};

const WRONG_KEY: &str =
    r#"{"error":{"message":"Incorrect API key","type":"invalid_request_error","param":null,"code":"invalid_api_key"}}"#;

/// The documented way to try a fallback: the first target has a wrong key.
#[tokio::test]
async fn the_json_form_goes_from_a_target_with_a_wrong_key_to_the_next_and_overwrites_the_model() {
    let refusing = http_answer(401, &[("content-type", "application/json")], WRONG_KEY);
    let (first, second) = (Upstream::always(refusing).await, Upstream::always(json_answer(CHAT_ANSWER)).await);
    let text = format!(
        r#"{{
          "listen": "127.0.0.1:0",
          "logging": {{ "format": "json" }},
          "retry": {{ "count": 5 }},
          "strategy": {{ "mode": "fallback" }},
          "targets": [
            {{ "provider": "openai", "api_key": "sk-wrong-key", "custom_host": "http://{}/v1",
              "override_params": {{ "model": "gpt-4" }} }},
            {{ "provider": "openai", "api_key": "sk-right-key", "custom_host": "http://{}/v1",
              "override_params": {{ "model": "gpt-4o" }} }}
          ]
        }}"#,
        first.address, second.address
    );
    let gateway = Launch::bare().file("gateway-config.json", &text).start().await;
    let answer = gateway.chat(chat("whatever")).await;
    assert_eq!((answer.status, answer.text()), (200, CHAT_ANSWER));
    assert_eq!(first.requests().len(), 1, "a wrong key does not become right by trying again");
    assert_eq!(second.only_request().json()["model"], "gpt-4o");
}

#[tokio::test]
async fn a_rule_sends_requests_with_a_tag_to_its_providers() {
    let (usual, special) =
        (Upstream::always(json_answer(CHAT_ANSWER)).await, Upstream::always(json_answer(CHAT_ANSWER)).await);
    let text = config(&format!(
        "providers:\n{}{}routing:\n  rules:\n    - name: critical\n      condition: {{ tags: [critical, customer] }}\n      \
         providers: [special]",
        provider("usual", usual.address, ", models: [m]"),
        provider("special", special.address, ", models: [m], priority: 9"),
    ));
    let gateway = Gateway::start(&text).await;
    gateway.chat(chat("m")).await;
    assert_eq!((usual.requests().len(), special.requests().len()), (1, 0));
    let tagged = gateway.post_with("/v1/chat/completions", &[("x-gateway-tags", "batch, critical")], chat("m")).await;
    assert_eq!(tagged.status, 200);
    assert_eq!((usual.requests().len(), special.requests().len()), (1, 1));
}

#[tokio::test]
async fn check_says_which_environment_is_in_force_and_refuses_one_that_nobody_wrote() {
    let text = config("environments: { development: {}, production: { logging: { level: warn } } }");
    let checked = |variable: &'static str, name: &'static str| {
        Launch::with(&text).variable(variable, name).argument("check").finish()
    };
    let finished = checked("GATEWAY_ENV", "production").await;
    assert_eq!(finished.code, Some(0), "{}", finished.log);
    assert!(finished.out.contains("environment production"), "{}", finished.out);
    let finished = checked("NODE_ENV", "prodution").await;
    assert_eq!(finished.code, Some(1));
    assert!(finished.log.contains("did you mean \"production\"?"), "{}", finished.log);
}
