//! Rules of the operator hold for what a request really asks for, and for nothing else.

use serde_json::{Value, json};

use crate::harness::{CHAT_ANSWER, Gateway, Launch, Upstream, chat, config, json_answer, provider};

const CHAT: &str = "/v1/chat/completions";
const CONFIG: &str = "x-portkey-config";

async fn ruled(rules: &str) -> (Gateway, Upstream) {
    let upstream = Upstream::always(json_answer(CHAT_ANSWER)).await;
    let one = provider("one", upstream.address, ", models: [m, n, gpt-4o, o1, embed, painter]");
    let openai = provider("openai", upstream.address, "").replace("openai-compatible", "openai");
    let deepseek = provider("deepseek", upstream.address, "").replace("openai-compatible", "deepseek");
    let text = config(&format!(
        "providers:\n{one}{openai}{deepseek}routes:\n  - name: smart\n    strategy: {{ mode: auto }}\n    \
         targets: [{{ provider: openai, model: gpt-4.1-mini }}, {{ provider: openai, model: gpt-4.1 }}]\n  \
         - name: by-team\n    strategy: {{ mode: conditional, conditions: [{{ query: {{ metadata.team: x }}, then: a }}], default: b }}\n    \
         targets: [{{ name: a, provider: one, model: m }}, {{ name: b, provider: one, model: n }}]\n\
         routing:\n  retry_attempts: 0\n  rules:\n{rules}"
    ));
    (Gateway::start(&text).await, upstream)
}

fn body(more: Value) -> String {
    let mut body = json!({ "messages": [{ "role": "user", "content": "hi" }] });
    if let (Value::Object(body), Value::Object(more)) = (&mut body, more) {
        body.extend(more);
    }
    body.to_string()
}

#[tokio::test]
async fn a_denied_model_is_denied_in_whichever_words_a_request_asks_for_it() {
    for condition in
        [r#"{ expression: 'request.model.startsWith("gpt-4o")' }"#, r#"{ query: { params.model: { $in: [gpt-4o] } } }"#]
    {
        let (gateway, upstream) = ruled(&format!(
            "    - {{ name: no-gpt, condition: {condition}, action: deny }}\n    \
             - {{ name: shown, condition: {{ tags: [t] }}, action: deny, log_only: true }}\n"
        ))
        .await;
        let asked = [
            json!({ "model": "gpt-4o" }),
            json!({ "model": "one/gpt-4o" }),
            json!({ "model": "gpt-4o:floor" }),
            json!({ "model": "openai/gpt-4o:floor:nitro" }),
            json!({ "model": "m", "models": ["n", "gpt-4o"] }),
            json!({ "model": "m", "providerOptions": { "gateway": { "models": ["openai/gpt-4o"] } } }),
            json!({ "model": "m", "gateway": { "targets": [{ "provider": "one" }, { "provider": "one", "override_params": { "model": "gpt-4o" } }] } }),
            json!({ "model": "m", "gateway_config": { "override_params": { "model": "one/gpt-4o" } } }),
        ];
        for more in asked {
            let asked = body(more);
            for path in [CHAT, "/gateway/plan"] {
                let answer = gateway.post_with(path, &[("x-gateway-tags", "t")], &asked).await;
                assert_eq!(
                    (answer.status, &answer.json()["error"]["code"]),
                    (403, &json!("denied_by_rule")),
                    "{asked}"
                );
            }
        }
        let configured = json!({ "provider": "openai", "override_params": { "model": "gpt-4o" } }).to_string();
        for model in [json!({}), json!({ "model": "m" })] {
            let answer = gateway.post_with(CHAT, &[(CONFIG, &configured)], &body(model)).await;
            assert_eq!(answer.status, 403, "{}", answer.text());
        }
        assert_eq!(upstream.requests().len(), 0);
        let series = r#"ai_gateway_rule_matches_total{rule="no-gpt",action="deny",effect="done"}"#;
        assert_eq!(gateway.metric(series).await, Some(10.0), "each request is counted once");
        let shown = r#"ai_gateway_rule_matches_total{rule="shown",action="deny",effect="logged"}"#;
        let allowed = body(json!({ "model": "m", "models": ["n"] }));
        assert_eq!(gateway.post_with(CHAT, &[("x-gateway-tags", "t")], &allowed).await.status, 200);
        assert_eq!(gateway.metric(shown).await, Some(1.0), "once, of however many models");
    }
}

#[tokio::test]
async fn a_list_of_what_is_allowed_goes_by_the_names_as_they_are_written() {
    let (gateway, _upstream) =
        ruled("    - { name: few, condition: { query: { params.model: { $nin: [one/m, n] } } }, action: deny }\n")
            .await;
    for (model, status) in [("one/m", 200), ("n", 200), ("m", 403), ("one/n", 403), ("n:floor", 403)] {
        assert_eq!(gateway.chat(chat(model)).await.status, status, "{model}");
    }
    assert_eq!(gateway.chat(&body(json!({ "model": "n", "models": ["gpt-4o"] }))).await.status, 403);
}

#[tokio::test]
async fn what_a_request_writes_over_its_body_is_judged_too() {
    let (gateway, upstream) = ruled(
        r#"
    - { name: short, condition: { expression: "params.max_tokens > 100" }, action: deny }
    - { name: few, condition: { query: { params.n: { $gt: 3 } } }, action: deny }
    - { name: no-tools, condition: { expression: "request.has_tools" }, action: deny }
    - { name: deep, condition: { query: { params.reasoning.effort: high } }, action: deny }
    - { name: coders, condition: { tags: [code] }, action: deny }
"#,
    )
    .await;
    let tools = json!([{ "type": "function", "function": { "name": "f" } }]);
    for changes in [
        json!({ "max_tokens": 5000 }),
        json!({ "n": 9 }),
        json!({ "tools": tools }),
        json!({ "reasoning.effort": "high" }),
        json!({ "reasoning": { "effort": "high" } }),
        json!({ "metadata": { "tags": "code" } }),
    ] {
        for kind in ["override_params", "default_params"] {
            let target = json!({ "model": "m", "gateway": { "targets": [{ "provider": "one", kind: changes }] } });
            assert_eq!(gateway.chat(&body(target)).await.status, 403, "{kind} {changes}");
            let all = json!({ "provider": "one", kind: changes }).to_string();
            let answer = gateway.post_with(CHAT, &[(CONFIG, &all)], chat("m")).await;
            assert_eq!(answer.status, 403, "{kind} {changes}: {}", answer.text());
        }
    }
    assert_eq!(upstream.requests().len(), 0);
    let tagged = json!({ "model": "m", "providerOptions": { "gateway": { "tags": ["code"] } } });
    assert_eq!(gateway.chat(&body(tagged)).await.status, 403);
    // What is usual does not count where the request says otherwise.
    let said = json!({ "model": "m", "max_tokens": 9, "gateway": { "targets": [{ "provider": "one", "default_params": { "max_tokens": 5000 } }] } });
    assert_eq!(gateway.chat(&body(said)).await.status, 200);
}

#[tokio::test]
async fn a_rule_leads_a_model_elsewhere_that_is_asked_for_in_other_words() {
    let (gateway, upstream) =
        ruled("    - { name: thrifty, condition: { query: { params.model: { $in: [o1] } } }, model: n }\n").await;
    for asked in [
        json!({ "model": "o1" }),
        json!({ "model": "o1:floor" }),
        json!({ "model": "one/o1" }),
        json!({ "models": ["o1", "m"] }),
        json!({ "model": "m", "gateway": { "override_params": { "model": "o1" } } }),
    ] {
        let answer = gateway.chat(&body(asked.clone())).await;
        assert_eq!((answer.status, answer.header("x-model-used")), (200, Some("n")), "{asked}: {}", answer.text());
        assert_eq!(upstream.requests().pop().unwrap().json()["model"], "n", "{asked}");
    }
    let plan = gateway.post("/gateway/plan", chat("o1:floor")).await;
    assert_eq!(plan.json()["attempts"][0]["model"], "n");
    assert_eq!(gateway.chat(chat("m")).await.header("x-model-used"), Some("m"));
}

#[tokio::test]
async fn operations_that_are_carried_are_led_by_no_rule_and_by_no_condition() {
    let (gateway, upstream) = ruled(
        "    - { name: rw, condition: { query: { metadata.team: x } }, model: gpt-4o }\n    \
         - { name: there, condition: { query: { metadata.team: y } }, providers: [deepseek] }\n",
    )
    .await;
    for path in ["/v1/images/generations", "/v1/audio/speech"] {
        let asked = json!({ "model": "painter", "prompt": "x", "input": "x" }).to_string();
        assert_eq!(gateway.post(path, &asked).await.status, 200, "{path}");
        assert_eq!(upstream.requests().pop().unwrap().json()["model"], "painter", "{path}");
        let asked = json!({ "model": "by-team", "prompt": "x", "input": "x" }).to_string();
        let answer = gateway.post(path, &asked).await;
        assert_eq!(answer.status, 400, "{path}");
        assert!(answer.text().contains("has conditions"), "{}", answer.text());
    }
}

#[tokio::test]
async fn a_rule_that_leads_conversations_to_an_auto_route_leaves_other_operations_alone() {
    let (gateway, _upstream) =
        ruled("    - { name: pick, condition: { expression: 'metadata.team == \"x\"' }, model: smart }\n").await;
    let asked = json!({ "model": "embed", "input": "x" }).to_string();
    let answer = gateway.post("/v1/embeddings", &asked).await;
    assert!(!answer.text().contains("chooses a model for a conversation"), "{}", answer.text());
    let team = [("x-gateway-metadata", r#"{"team":"x"}"#)];
    for (headers, asked) in [(&team[..], asked), (&[], json!({ "model": "smart", "input": "x" }).to_string())] {
        let answer = gateway.post_with("/v1/embeddings", headers, &asked).await;
        answer.assert_error(400, "invalid_request");
        assert!(answer.text().contains("chooses a model for a conversation"), "{}", answer.text());
    }
}

#[tokio::test]
async fn who_cannot_search_is_named_where_a_rule_leads_to_nobody_else() {
    let (gateway, _upstream) =
        ruled("    - { name: there, condition: { query: { metadata.team: x } }, providers: [deepseek], model: deepseek-chat }\n")
            .await;
    let team = [("x-gateway-metadata", r#"{"team":"x"}"#)];
    for path in [CHAT, "/gateway/plan"] {
        let answer = gateway.post_with(path, &team, chat("gpt-5.4-mini:online")).await;
        assert_eq!(answer.status, 400, "{path}: {}", answer.text());
        assert!(answer.text().contains("deepseek") && answer.text().contains("the web searched"), "{}", answer.text());
    }
}

#[tokio::test]
async fn metadata_that_nobody_can_read_is_refused_where_a_rule_or_a_condition_reads_it() {
    let (gateway, _upstream) =
        ruled("    - { name: one-team, condition: { query: { params.model: m, metadata.team: x } }, action: deny }\n")
            .await;
    for header in ["x-gateway-metadata", "x-portkey-metadata", "cf-aig-metadata"] {
        for value in [r#"{"team":"#, "[]"] {
            let answer = gateway.post_with(CHAT, &[(header, value)], chat("m")).await;
            answer.assert_error(400, "invalid_request");
            assert!(answer.text().contains(header), "{}", answer.text());
            assert_eq!(gateway.post_with(CHAT, &[(header, value)], chat("by-team")).await.status, 400);
            assert_eq!(gateway.post_with(CHAT, &[(header, value)], chat("n")).await.status, 200, "nobody asks for it");
        }
    }
}

#[tokio::test]
async fn a_rule_that_says_nothing_of_the_requests_is_a_mistake() {
    for condition in ["{}", "{ query: {} }"] {
        let text = config(&format!(
            "providers: [{{ type: openai, api_key: sk-test }}]\nrouting:\n  rules:\n    \
             - {{ name: all, condition: {condition}, action: deny }}\n"
        ));
        let finished = Launch::with(&text).argument("check").finish().await;
        assert_eq!(finished.code, Some(1), "{condition}");
        assert!(finished.log.contains("a condition says nothing of the requests"), "{}", finished.log);
    }
}
