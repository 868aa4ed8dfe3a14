//! Rules that refuse requests, that lead them to another model, and that only show what they would do.

use serde_json::json;

use crate::harness::{CHAT_ANSWER, Gateway, Launch, Upstream, chat, config, json_answer, provider};

const CHAT: &str = "/v1/chat/completions";

async fn ruled(rules: &str) -> (Gateway, Upstream) {
    let upstream = Upstream::always(json_answer(CHAT_ANSWER)).await;
    (Gateway::start(&text(&upstream, rules)).await, upstream)
}

fn text(upstream: &Upstream, rules: &str) -> String {
    config(&format!(
        "providers:\n{}routes: [{{ name: small, targets: [{{ provider: one, model: n, override_params: {{ seed: 1 }} }}] }}]\n\
         routing:\n  retry_attempts: 0\n  rules:\n{rules}",
        provider("one", upstream.address, ", models: [m, n]"),
    ))
}

const DENYING: &str = r#"
    - { name: trusted, condition: { tags: [trusted] }, providers: [one] }
    - name: no-hot-models
      condition: { query: { params.temperature: { $gt: 1 } } }
      action: deny
      message: ask the platform team
"#;

#[tokio::test]
async fn a_rule_refuses_requests_in_the_callers_own_format_unless_an_earlier_one_leads_them() {
    let (gateway, upstream) = ruled(DENYING).await;
    let hot = json!({ "model": "m", "temperature": 1.5, "max_tokens": 5, "messages": [] }).to_string();
    let answer = gateway.chat(&hot).await;
    assert_eq!((answer.status, &answer.json()["error"]["code"]), (403, &json!("denied_by_rule")));
    let said = "the rule \"no-hot-models\" denies this request: ask the platform team";
    assert_eq!(answer.json()["error"]["message"], said);
    let answer = gateway.post("/v1/messages", &hot).await;
    assert_eq!((answer.status, &answer.json()["error"]["message"]), (403, &json!(said)));
    // Routing that the request brings does not lead around it.
    let own = json!({ "provider": "one", "api_key": "sk-own" }).to_string();
    assert_eq!(gateway.post_with(CHAT, &[("x-portkey-config", &own)], &hot).await.status, 403);
    assert_eq!(gateway.post("/gateway/plan", &hot).await.status, 403, "it is told as the request would be");
    assert_eq!(upstream.requests().len(), 0);
    assert_eq!(gateway.chat(chat("m")).await.status, 200);
    assert_eq!(gateway.post_with(CHAT, &[("x-gateway-tags", "trusted")], &hot).await.status, 200);
    let series = r#"ai_gateway_rule_matches_total{rule="no-hot-models",action="deny",effect="done"}"#;
    assert_eq!(gateway.metric(series).await, Some(3.0));
}

#[tokio::test]
async fn a_rule_leads_to_another_model_and_what_that_stands_for() {
    let (gateway, upstream) = ruled(
        r#"
    - { name: thrifty, condition: { query: { params.model: { $in: [m, retired-model] } } }, model: small }
"#,
    )
    .await;
    for model in ["m", "retired-model"] {
        let answer = gateway.chat(chat(model)).await;
        assert_eq!((answer.status, answer.header("x-model-used")), (200, Some("n")), "{}", answer.text());
        let sent = upstream.requests().pop().unwrap().json();
        assert_eq!((&sent["model"], &sent["seed"]), (&json!("n"), &json!(1)));
    }
    let answer = gateway.chat(chat("unknown")).await;
    assert_eq!((answer.status, &answer.json()["error"]["code"]), (404, &json!("model_not_found")));
}

#[tokio::test]
async fn a_rule_that_only_shows_itself_does_nothing_and_is_counted_and_told() {
    let (gateway, upstream) = ruled(
        r#"
    - { name: would-deny, condition: { tags: [a] }, action: deny, log_only: true }
    - { name: would-shrink, condition: { tags: [a] }, model: small, log_only: true }
"#,
    )
    .await;
    let tagged = [("x-gateway-tags", "a")];
    assert_eq!(gateway.post_with(CHAT, &tagged, chat("m")).await.status, 200);
    assert_eq!(upstream.only_request().json()["model"], "m");
    let plan = gateway.post_with("/gateway/plan", &tagged, chat("m")).await;
    assert_eq!(
        plan.json()["rules"],
        json!([
            { "name": "would-deny", "action": "deny", "log_only": true },
            { "name": "would-shrink", "action": "rewrite", "log_only": true },
        ])
    );
    for (rule, action) in [("would-deny", "deny"), ("would-shrink", "rewrite")] {
        let series = format!(r#"ai_gateway_rule_matches_total{{rule="{rule}",action="{action}",effect="logged"}}"#);
        assert_eq!(gateway.metric(&series).await, Some(1.0), "{rule}: a question is not counted");
    }
}

#[tokio::test]
async fn a_model_that_a_rule_leads_to_and_nobody_serves_is_told_with_its_line() {
    let upstream = Upstream::always(json_answer(CHAT_ANSWER)).await;
    let text = text(&upstream, "    - { name: a, condition: { tags: [a] }, model: smal }\n");
    let line = text.lines().position(|line| line.contains("smal }")).unwrap() + 1;
    let finished = Launch::with(&text).argument("check").finish().await;
    assert_eq!(finished.code, Some(1));
    let found = finished
        .log
        .lines()
        .find(|line| line.contains("\"smal\" is not served by any configured provider; did you mean \"small\""));
    assert!(found.is_some_and(|found| found.contains(&format!(":{line}:"))), "{}", finished.log);
}
