//! Routes with limits, routes as graphs, and their versions.

use serde_json::{Value, json};

use crate::harness::{Answer, CHAT_ANSWER, Gateway, Upstream, chat, config, http_answer, json_answer, provider};

/// A gateway with one provider, whose models are `dear` (at $3 and $15 for a million tokens) and `cheap`, and these routes.
fn with_routes(upstream: &Upstream, routes: &str) -> String {
    let models = ", models: [{ name: dear, price: { input: 3, output: 15 } }, cheap]";
    config(&format!("providers:\n{}routes:\n{routes}", provider("one", upstream.address, models)))
}

async fn answering() -> Upstream {
    Upstream::always(json_answer(CHAT_ANSWER)).await
}

/// A chat with a route for somebody.
fn of(route: &str, user: &str) -> String {
    format!(r#"{{"model":"{route}","metadata":{{"user":"{user}","plan":"free"}},"messages":[]}}"#)
}

fn used(answer: &Answer) -> Option<&str> {
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.header("x-model-used")
}

const LIMITED: &str = "  - name: limited
    strategy: { mode: limit, key: metadata.user, limit: 2, interval: 1d }
    targets: [{ provider: one, model: dear }, { provider: one, model: cheap }]
";

#[tokio::test]
async fn requests_beyond_a_limit_overflow_and_each_caller_has_its_own_also_after_a_reload() {
    let upstream = answering().await;
    let gateway = Gateway::start(&with_routes(&upstream, LIMITED)).await;
    let mut models = Vec::new();
    for user in ["ann", "ann", "ann", "bob"] {
        models.push(used(&gateway.chat(of("limited", user)).await).map(str::to_owned));
    }
    assert_eq!(models.iter().flatten().collect::<Vec<_>>(), ["dear", "dear", "cheap", "dear"]);

    let plan = gateway.post("/gateway/plan", of("limited", "bob")).await.json();
    assert_eq!(plan["attempts"][0]["why"], "the limit before it has room");
    let limit = json!({
        "limit": "limited#", "counts": "requests", "used": 1, "max": 2, "interval_ms": 86_400_000, "of_unknown_cost": 0
    });
    assert_eq!(plan["attempts"][0]["limits"], json!([limit]));
    let plan = gateway.post("/gateway/plan", of("limited", "ann")).await.json();
    assert_eq!((&plan["attempts"][0]["model"], &plan["left_out"][0]["model"]), (&json!("cheap"), &json!("dear")));

    let more = format!("{LIMITED}  - {{ name: new, targets: [{{ provider: one, model: cheap }}] }}\n");
    gateway.reload(&with_routes(&upstream, &more), "new").await;
    assert_eq!(used(&gateway.chat(of("limited", "ann")).await), Some("cheap"));
}

#[tokio::test]
async fn a_limit_that_nobody_stands_beyond_is_told_and_what_is_carried_does_not_pass_it() {
    let upstream = answering().await;
    let routes = "  - name: r\n    strategy: { mode: limit, limit: 1, interval: 1d }\n    targets: [{ provider: one, model: dear }]\n";
    let gateway = Gateway::start(&with_routes(&upstream, routes)).await;
    assert_eq!(used(&gateway.chat(chat("r")).await), Some("dear"));
    let refused = gateway.chat(chat("r")).await;
    refused.assert_error(429, "route_limit_reached");
    assert!(refused.header("retry-after").is_some());
    let speech = gateway.post("/v1/audio/speech", r#"{"model":"r","input":"hi","voice":"x"}"#).await;
    assert_eq!(speech.status, 400, "{}", speech.text());
    assert_eq!(upstream.requests().len(), 1);
}

#[tokio::test]
async fn counting_tokens_takes_nothing_of_a_limit() {
    let upstream = answering().await;
    let routes = "  - name: r\n    strategy: { mode: limit, limit: 1, interval: 1d }\n    targets: [{ provider: one, model: dear }]\n";
    let gateway = Gateway::start(&with_routes(&upstream, routes)).await;
    let count = r#"{"model":"r","messages":[{"role":"user","content":"hello"}]}"#;
    for chats in [200, 429] {
        for _ in 0..2 {
            assert_eq!(gateway.post("/v1/messages/count_tokens", count).await.status, 200);
        }
        assert_eq!(gateway.chat(chat("r")).await.status, chats);
    }
    let plan = gateway.post("/gateway/plan", chat("r")).await;
    assert!(plan.json()["limit_wait_ms"].as_u64().is_some_and(|wait| wait > 0), "{}", plan.text());
}

#[tokio::test]
async fn a_retry_does_not_count_twice_and_a_failed_model_falls_back() {
    let failing = http_answer(500, &[("content-type", "application/json")], "{}");
    let upstream = Upstream::in_turn(vec![failing, json_answer(CHAT_ANSWER), json_answer(CHAT_ANSWER)]).await;
    let routes = "  - name: r\n    strategy: { mode: limit, limit: 2, interval: 1d }\n    retry: { attempts: 2, initial_delay: 1ms }\n    \
                  targets: [{ provider: one, model: dear }, { provider: one, model: cheap }]\n";
    let gateway = Gateway::start(&with_routes(&upstream, routes)).await;
    assert_eq!(used(&gateway.chat(chat("r")).await), Some("dear"));
    assert_eq!(used(&gateway.chat(chat("r")).await), Some("dear"), "three attempts were two requests");
}

#[tokio::test]
async fn money_that_is_spent_overflows_too_and_what_has_no_price_counts_nothing() {
    let upstream = answering().await;
    let limit = |model: &str| {
        format!(
            "  - name: of-{model}\n    strategy: {{ mode: limit, limit_type: cost, limit: 0.0002, interval: 1d }}\n    \
             targets: [{{ provider: one, model: {model} }}, {{ provider: one, model: other }}]\n"
        )
    };
    let gateway = Gateway::start(&with_routes(&upstream, &(limit("dear") + &limit("cheap")))).await;
    // Each costs 138 millionths of a dollar.
    for expected in ["dear", "dear", "other"] {
        let answer = gateway.chat(chat("of-dear")).await;
        assert_eq!(used(&answer), Some(expected));
        gateway.record(answer.request_id()).await;
    }
    let answer = gateway.chat(chat("of-cheap")).await;
    gateway.record(answer.request_id()).await;
    let plan = gateway.post("/gateway/plan", chat("of-cheap")).await.json();
    let limit = &plan["attempts"][0]["limits"][0];
    assert_eq!((&limit["used"], &limit["max"], &limit["of_unknown_cost"]), (&json!("0"), &json!("0.0002"), &json!(1)));
}

/// Free callers: half of them one request a day at the dear model; all others the cheap one. Paid: dear, else cheap.
const GRAPH: &str = r#"  - name: support
    elements:
      - { id: in, type: start, outputs: { next: { elementId: plan } } }
      - id: plan
        type: conditional
        properties: { condition: { metadata.plan: { $eq: free } } }
        outputs: { "true": { elementId: rate }, "false": { elementId: best } }
      - id: rate
        type: rate
        properties: { limitType: count, key: metadata.user, limit: 1, window: 86400 }
        outputs: { success: { elementId: split }, fallback: { elementId: cheap } }
      - { id: split, type: percentage, outputs: { "50%": { elementId: best }, else: { elementId: cheap } } }
      - id: best
        type: model
        properties: { provider: one, model: dear, timeout: 30000, retries: 0 }
        outputs: { success: { elementId: out }, fallback: { elementId: cheap } }
      - id: cheap
        type: model
        properties: { provider: one, model: cheap }
        outputs: { success: { elementId: out }, fallback: { elementId: out } }
      - { id: out, type: end, outputs: {} }
"#;

#[tokio::test]
async fn a_graph_of_cloudflare_s_elements_splits_limits_and_chooses() {
    let upstream = answering().await;
    let gateway = Gateway::start(&with_routes(&upstream, GRAPH)).await;
    let paid = r#"{"model":"dynamic/support","metadata":{"plan":"paid"},"messages":[]}"#;
    assert_eq!(used(&gateway.chat(paid).await), Some("dear"));
    let mut counts = [0; 2];
    for user in 0..40 {
        let first = gateway.chat(of("dynamic/support", &user.to_string())).await;
        counts[usize::from(used(&first) == Some("cheap"))] += 1;
    }
    assert!(counts.iter().all(|count| *count >= 5), "by chance, half each: {counts:?}");
    for _ in 0..5 {
        assert_eq!(used(&gateway.chat(of("support", "7")).await), Some("cheap"), "beyond its limit");
    }
}

#[tokio::test]
async fn a_model_of_a_graph_that_fails_leads_on_to_its_fallback() {
    let failing = http_answer(503, &[("content-type", "application/json")], "{}");
    let upstream = Upstream::in_turn(vec![failing, json_answer(CHAT_ANSWER)]).await;
    let gateway = Gateway::start(&with_routes(&upstream, GRAPH)).await;
    let answer = gateway.chat(r#"{"model":"support","metadata":{"plan":"paid"},"messages":[]}"#).await;
    assert_eq!((used(&answer), answer.header("x-fallback-used")), (Some("cheap"), Some("true")));
}

fn versions(deployed: u32, more: &str) -> String {
    format!(
        "  - name: chat
    deployed: {deployed}{more}
    versions:
      - version: 1
        strategy: {{ mode: limit, limit: 1, interval: 1d }}
        targets: [{{ provider: one, model: dear }}, {{ provider: one, model: cheap }}]
      - {{ version: 2, targets: [{{ provider: one, model: second }}] }}
  - {{ name: marker-{deployed}, targets: [{{ provider: one, model: cheap }}] }}
"
    )
}

#[tokio::test]
async fn a_version_is_deployed_and_rolled_back_by_its_number_and_its_limits_are_remembered() {
    let upstream = answering().await;
    let gateway = Gateway::start(&with_routes(&upstream, &versions(1, ""))).await;
    let first = gateway.chat(chat("chat")).await;
    assert_eq!((used(&first), first.header("x-gateway-route")), (Some("dear"), Some("chat@1")));
    assert_eq!(gateway.record(first.request_id()).await["route"], "chat@1");
    assert_eq!(used(&gateway.chat(chat("chat@1")).await), Some("cheap"), "it is the same version");

    gateway.chat(chat("chat@2")).await.assert_error(404, "model_not_found");
    let plan = gateway.post("/gateway/plan", chat("dynamic/chat@2")).await.json();
    assert_eq!((&plan["attempts"][0]["model"], &plan["attempts"][0]["route"]), (&json!("second"), &json!("chat@2")));

    gateway.reload(&with_routes(&upstream, &versions(2, "")), "marker-2").await;
    let second = gateway.chat(chat("dynamic/chat")).await;
    assert_eq!((used(&second), second.header("x-gateway-route")), (Some("second"), Some("chat@2")));
    gateway.reload(&with_routes(&upstream, &versions(1, "")), "marker-1").await;
    assert_eq!(used(&gateway.chat(chat("chat")).await), Some("cheap"), "what it let through is still counted");
    let listed: Value = gateway.get("/v1/models").await.json();
    assert!(!listed.to_string().contains("chat@"), "versions are not models of their own");
}

#[tokio::test]
async fn drafts_take_requests_where_the_operator_lets_them() {
    let upstream = answering().await;
    let gateway = Gateway::start(&with_routes(&upstream, &versions(1, "\n    drafts: true"))).await;
    assert_eq!(used(&gateway.chat(chat("chat@2")).await), Some("second"));
    assert_eq!(used(&gateway.chat(chat("dynamic/chat@2")).await), Some("second"));
}
