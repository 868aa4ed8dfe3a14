//! Rules that refuse requests, that lead them to another model, and that only show what they would do.

use serde_json::json;

use crate::harness::{CHAT_ANSWER, CLIENT_KEY, Gateway, Launch, Upstream, chat, config, json_answer, provider};

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

const EXPRESSIONS: &str = r#"
    - { name: shown, condition: { expression: "request.stream == false" }, action: deny, log_only: true }
    - { name: needs-team, condition: { expression: 'metadata.team.startsWith("x")' }, action: deny, log_only: true }
    - name: no-tools-in-bulk
      condition:
        expression: >-
          request.operation == "chat" && request.has_tools && "bulk" in request.tags
          && params.messages.exists(m, m.role == "user" && m.content.matches("(?i)refund"))
      action: deny
    - { name: long, condition: { tags: [bulk], expression: "params.max_tokens > 100" }, model: small }
"#;

fn refund(max_tokens: u32, content: &str) -> String {
    let tools = json!([{ "type": "function", "function": { "name": "f" } }]);
    let messages = json!([{ "role": "user", "content": content }]);
    json!({ "model": "m", "max_tokens": max_tokens, "tools": tools, "messages": messages }).to_string()
}

#[tokio::test]
async fn expressions_deny_and_lead_the_requests_that_they_hold_for() {
    let (gateway, upstream) = ruled(EXPRESSIONS).await;
    let bulk = [("x-gateway-tags", "bulk")];
    let denied = gateway.post_with(CHAT, &bulk, &refund(5, "A Refund, please")).await;
    assert_eq!((denied.status, &denied.json()["error"]["code"]), (403, &json!("denied_by_rule")));
    assert_eq!(upstream.requests().len(), 0);
    assert_eq!(gateway.chat(&refund(5, "A refund, please")).await.status, 200, "it is not tagged");
    assert_eq!(gateway.post_with(CHAT, &bulk, &refund(5, "thanks")).await.header("x-model-used"), Some("m"));
    assert_eq!(gateway.post_with(CHAT, &bulk, &refund(500, "thanks")).await.header("x-model-used"), Some("n"));
}

#[tokio::test]
async fn an_expression_that_fails_does_not_hold_and_is_counted_and_told_with_its_reason() {
    let (gateway, _upstream) = ruled(EXPRESSIONS).await;
    assert_eq!(gateway.chat(chat("m")).await.status, 200);
    let plan = gateway.post("/gateway/plan", chat("m")).await;
    let failed = "the request has no metadata.team";
    assert_eq!(
        plan.json()["rules"],
        json!([
            { "name": "shown", "action": "deny", "log_only": true },
            { "name": "needs-team", "action": "deny", "log_only": true, "failed": failed },
        ])
    );
    let metadata = [("x-gateway-metadata", r#"{ "team": "xy" }"#)];
    let plan = gateway.post_with("/gateway/plan", &metadata, chat("m")).await;
    assert_eq!(plan.json()["rules"][1], json!({ "name": "needs-team", "action": "deny", "log_only": true }));
    for (rule, effect, count) in [("shown", "logged", 1.0), ("needs-team", "failed", 1.0)] {
        let series = format!(r#"ai_gateway_rule_matches_total{{rule="{rule}",action="deny",effect="{effect}"}}"#);
        assert_eq!(gateway.metric(&series).await, Some(count), "{rule}");
    }
}

#[tokio::test]
async fn a_target_is_chosen_by_an_expression() {
    let upstream = Upstream::always(json_answer(CHAT_ANSWER)).await;
    let gateway = Gateway::start(&config(&format!(
        "providers:\n{}routes:\n  - name: by-size\n    strategy:\n      mode: conditional\n      conditions:\n        \
         - {{ expression: 'size(params.messages) > 1 && request.model == \"by-size\"', then: large }}\n      default: small\n    \
         targets:\n      - {{ name: large, provider: one, model: m }}\n      - {{ name: small, provider: one, model: n }}\n",
        provider("one", upstream.address, ", models: [m, n]"),
    )))
    .await;
    let message = json!({ "role": "user", "content": "hi" });
    for (messages, model) in [(json!([message]), "n"), (json!([message, message]), "m")] {
        let body = json!({ "model": "by-size", "messages": messages }).to_string();
        assert_eq!(gateway.chat(&body).await.header("x-model-used"), Some(model));
    }
}

#[tokio::test]
async fn an_expression_may_ask_who_asks_and_when() {
    let upstream = Upstream::always(json_answer(CHAT_ANSWER)).await;
    let rules = r#"
    - { name: not-this-key, condition: { expression: 'request.key == "app" && time.hour < 24 && time.weekday in [0, 1, 2, 3, 4, 5, 6]' }, action: deny }
"#;
    let auth = format!("auth: {{ mode: optional, keys: [{{ name: app, key: {CLIENT_KEY} }}] }}\n");
    let gateway = Gateway::start(&(auth + &text(&upstream, rules))).await;
    let bearer = format!("Bearer {CLIENT_KEY}");
    let keyed = gateway.post_with(CHAT, &[("authorization", &bearer)], chat("m")).await;
    assert_eq!((keyed.status, &keyed.json()["error"]["code"]), (403, &json!("denied_by_rule")));
    assert_eq!(gateway.chat(chat("m")).await.status, 200, "who has no key fails the condition");
}

#[tokio::test]
async fn a_rule_whose_types_can_never_fit_is_a_mistake_with_its_line_and_place() {
    let upstream = Upstream::always(json_answer(CHAT_ANSWER)).await;
    for (expression, said) in [
        ("!request.model", "`request.model` is a text, and `!` takes true or false"),
        ("request.model == 1", "in `request.model == 1`, a text and a whole number stand on the sides of `==`"),
    ] {
        let rules = format!("    - {{ name: never, condition: {{ expression: '{expression}' }}, action: deny }}\n");
        let text = text(&upstream, &rules);
        let line = text.lines().position(|line| line.contains("never")).unwrap() + 1;
        let finished = Launch::with(&text).argument("check").finish().await;
        assert_eq!(finished.code, Some(1));
        let found = finished.log.lines().find(|line| line.contains(said));
        assert!(found.is_some_and(|found| found.contains(&format!(":{line}:"))), "{}", finished.log);
    }
}

/// How long a rule looks for a pattern must not be decided by a stranger.
#[tokio::test]
async fn expressions_give_up_on_a_text_that_takes_them_too_long_and_a_denial_then_denies() {
    const SLOW: &str = r#"'params.messages.exists(m, m.content.matches("(x{1,30}){1,30}y"))'"#;
    let large = json!({ "model": "m", "messages": [{ "role": "user", "content": "x".repeat(1 << 20) }] }).to_string();
    let shown =
        format!("\n    - {{ name: slow, condition: {{ expression: {SLOW} }}, action: deny, log_only: true }}\n");
    let (gateway, _upstream) = ruled(&shown).await;
    let failed =
        json!({ "name": "slow", "action": "deny", "log_only": true, "failed": "it takes more than 50000 steps" });
    assert_eq!(gateway.post("/gateway/plan", &large).await.json()["rules"], json!([failed]));
    assert_eq!(gateway.chat(&large).await.status, 200);

    let (gateway, upstream) = ruled(&shown.replace(", log_only: true", "")).await;
    let refused = gateway.chat(&large).await;
    refused.assert_error(403, "denied_by_rule");
    assert!(refused.text().contains("too large"), "{}", refused.text());
    assert_eq!(gateway.post("/gateway/plan", &large).await.status, 403);
    let small = json!({ "model": "m", "messages": [{ "role": "user", "content": "xy" }] }).to_string();
    assert_eq!(gateway.chat(&small).await.status, 403);
    assert_eq!(upstream.requests().len(), 0);
}
