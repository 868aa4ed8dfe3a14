//! Keys of a caller's own for several providers: in which order they and the operator's are tried, where they go, and what
//! never goes with them.

use serde_json::{Value, json};

use crate::harness::{CHAT_ANSWER, Gateway, PROVIDER_KEY, Upstream, chat, config, http_answer, json_answer, provider};

const CHAT: &str = "/v1/chat/completions";
const JSON: (&str, &str) = ("content-type", "application/json");
const BROKEN: &str = r#"{"error":{"message":"boom","type":"server_error","param":null,"code":null}}"#;
const REFUSED: &str =
    r#"{"error":{"message":"Incorrect API key","type":"invalid_request_error","param":null,"code":"invalid_api_key"}}"#;
const SERVICE_ACCOUNT_KEY: &str = include_str!("../../../gw-providers/src/auth/test_key.pem");

/// The three providers of the flow charts, by their real types, and a name that stands for a model of all of them.
fn clouds(routing: &str) -> String {
    let key = serde_json::to_string(SERVICE_ACCOUNT_KEY).unwrap();
    config(&format!(
        "providers:
- {{ name: bedrock, api_key: {PROVIDER_KEY}, variables: {{ region: us-east-1 }} }}
- name: vertex
  variables: {{ project: house, region: us-east5 }}
  credentials: {{ client_email: house@example.iam.gserviceaccount.com, private_key: {key} }}
- {{ name: anthropic, api_key: {PROVIDER_KEY} }}
routes:
- name: claude
  strategy: fallback
  targets:
  - {{ provider: bedrock, model: anthropic.claude-sonnet-4-5 }}
  - {{ provider: vertex, model: claude-sonnet-4-5 }}
  - {{ provider: anthropic, model: claude-sonnet-4-5 }}
routing: {{ retry_attempts: 0{routing} }}
"
    ))
}

/// Keys as Vercel's clients write them.
fn keys(providers: &[&str]) -> Value {
    let all = json!({
        "bedrock": [{ "accessKeyId": "AKIAOWN", "secretAccessKey": "own-secret", "region": "eu-west-1" }],
        "vertex": [{ "project": "own", "location": "global",
            "googleCredentials": { "privateKey": SERVICE_ACCOUNT_KEY, "clientEmail": "own@example.com" } }],
        "anthropic": [{ "apiKey": "sk-ant-own-1" }, { "apiKey": "sk-ant-own-2" }],
    });
    let kept = providers.iter().map(|name| ((*name).to_owned(), all[name].clone()));
    Value::Object(kept.collect())
}

/// Every format whose body can say its routing: where it is asked, and the rest of its body.
fn formats() -> [(&'static str, Value); 5] {
    let messages = json!([{ "role": "user", "content": "hello" }]);
    [
        (CHAT, json!({ "model": "claude", "messages": messages })),
        ("/api/v1/chat/completions", json!({ "model": "claude", "messages": messages })),
        ("/v1/messages", json!({ "model": "claude", "max_tokens": 9, "messages": messages })),
        ("/v1/responses", json!({ "model": "claude", "input": "hello" })),
        (
            "/v1beta/models/claude:generateContent",
            json!({ "contents": [{ "role": "user", "parts": [{ "text": "hello" }] }] }),
        ),
    ]
}

/// `Bedrock(BYOK) → …`, as the flow charts have it.
fn flow(plan: &Value) -> String {
    let attempts = plan["attempts"].as_array().unwrap_or_else(|| panic!("{plan}"));
    let shown = attempts.iter().map(|attempt| {
        let name = match attempt["provider"].as_str().unwrap() {
            "bedrock" => "Bedrock",
            "vertex" => "Vertex",
            "anthropic" => "Anthropic",
            other => other,
        };
        let whose = if attempt["credential"] == "the caller's" { "BYOK" } else { "shared" };
        format!("{name}({whose})")
    });
    for (index, attempt) in attempts.iter().enumerate().take(attempts.len() - 1) {
        let leads_on = attempt["fallback"].as_array().unwrap().iter().any(|exit| exit["attempt"] == index + 2);
        assert!(leads_on, "attempt {} leads to the next: {plan}", index + 1);
    }
    shown.collect::<Vec<_>>().join(" → ")
}

fn with(mut body: Value, members: &Value) -> Value {
    body.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
    body
}

/// The same plan in every format.
async fn assert_flow(gateway: &Gateway, members: Value, expected: &str) {
    for (path, body) in formats() {
        let question = json!({ "path": path, "headers": {}, "body": with(body, &members) });
        let plan = gateway.post("/gateway/plan", question.to_string()).await.json();
        assert_eq!(flow(&plan), expected, "{path}");
    }
}

#[tokio::test]
async fn with_keys_for_all_the_order_is_that_of_the_first_flow_chart_in_every_format() {
    let gateway = Gateway::start(&clouds("")).await;
    let members = json!({
        "provider": { "allow_fallbacks": true, "order": ["amazon-bedrock", "google-vertex", "anthropic"] },
        "gateway_config": { "byok": { "anthropic": "sk-ant-own", "vertex": keys(&["vertex"])["vertex"][0],
            "bedrock": { "api_key": "own-bedrock-key" } } },
    });
    let expected =
        "Bedrock(BYOK) → Vertex(BYOK) → Anthropic(BYOK) → Bedrock(shared) → Vertex(shared) → Anthropic(shared)";
    assert_flow(&gateway, members, expected).await;
}

#[tokio::test]
async fn with_a_key_for_the_second_alone_the_order_is_that_of_the_second_flow_chart_in_every_format() {
    let gateway = Gateway::start(&clouds("")).await;
    let members = json!({
        "provider": { "allow_fallbacks": true, "order": ["amazon-bedrock", "google-vertex"], "ignore": ["anthropic"] },
        "gateway_config": { "byok": keys(&["vertex"]) },
    });
    assert_flow(&gateway, members, "Vertex(BYOK) → Bedrock(shared) → Vertex(shared)").await;
}

#[tokio::test]
async fn in_vercels_form_other_keys_of_a_provider_come_first_then_the_systems_then_other_providers() {
    let gateway = Gateway::start(&clouds("")).await;
    let members = |more: Value| {
        let gateway = json!({ "order": ["anthropic", "bedrock"], "byok": keys(&["bedrock", "anthropic"]) });
        json!({ "providerOptions": { "gateway": with(gateway, &more) } })
    };
    let by_provider = "Anthropic(BYOK) → Anthropic(BYOK) → Anthropic(shared) → Bedrock(BYOK) → Bedrock(shared) → \
                       Vertex(shared)";
    assert_flow(&gateway, members(json!({})), by_provider).await;
    let own_first = "Anthropic(BYOK) → Anthropic(BYOK) → Bedrock(BYOK) → Anthropic(shared) → Bedrock(shared) → \
                     Vertex(shared)";
    assert_flow(&gateway, members(json!({ "credentialOrder": "byok_first" })), own_first).await;
}

#[tokio::test]
async fn the_operator_says_which_order_is_usual_and_the_request_may_say_otherwise() {
    let gateway = Gateway::start(&clouds(", credential_order: provider_first")).await;
    let members = |order: Option<&str>| {
        json!({ "gateway": { "byok": keys(&["vertex"]), "credential_order": order }, "provider": { "only":
            ["bedrock", "vertex"] } })
    };
    assert_flow(&gateway, members(None), "Bedrock(shared) → Vertex(BYOK) → Vertex(shared)").await;
    assert_flow(&gateway, members(Some("byok_first")), "Vertex(BYOK) → Bedrock(shared) → Vertex(shared)").await;
}

#[tokio::test]
async fn who_allows_no_fallbacks_is_not_answered_with_the_operators_credential() {
    let gateway = Gateway::start(&clouds("")).await;
    let members = |order: Value| {
        json!({ "provider": { "allow_fallbacks": false, "order": order }, "gateway_config": { "byok":
            keys(&["bedrock", "anthropic"]) } })
    };
    assert_flow(&gateway, members(json!(["anthropic", "vertex"])), "Anthropic(BYOK) → Anthropic(BYOK)").await;
    // A key for who is not in the order is not used, and is no reason to leave out those who are.
    assert_flow(&gateway, members(json!(["vertex"])), "Vertex(shared)").await;
    let plan = with(chat_body("claude"), &members(Value::Null));
    let plan = gateway.post("/gateway/plan", plan.to_string()).await.json();
    assert_eq!(
        (&plan["attempts"][0]["credential"], plan["attempts"][0]["fallback"].clone()),
        (&json!("the caller's"), json!([]))
    );
}

#[tokio::test]
async fn a_key_is_good_for_models_that_the_operator_does_not_serve() {
    let gateway = Gateway::start(&clouds("")).await;
    let asked = async |model: &str, byok: Value| {
        let body = with(chat_body(model), &json!({ "gateway_config": { "byok": byok } }));
        gateway.post("/gateway/plan", body.to_string()).await.json()
    };
    let plan = asked("openai/gpt-5", json!({ "openai": "sk-own" })).await;
    assert_eq!((flow(&plan).as_str(), &plan["attempts"][0]["model"]), ("openai(BYOK)", &json!("gpt-5")));
    // The maker's name and Vercel's spelling, at somebody else who serves the model.
    let plan = asked("openai/gpt-5", json!({ "azure": { "apiKey": "k", "resourceName": "mine" } })).await;
    assert_eq!(flow(&plan), "azure-openai(BYOK)");
    let mapped = json!({ "azure": { "apiKey": "k", "resourceName": "mine",
        "modelMappings": [{ "gatewayModelSlug": "openai/gpt-5", "customModelId": "my-deployment" }] } });
    let plan = asked("openai/gpt-5", mapped).await;
    assert_eq!(plan["attempts"][0]["model"], "my-deployment");
    let refused = asked("openai/gpt-5", json!({ "groq": "gsk-own" })).await;
    assert_eq!(refused["error"]["code"], "model_not_found", "{refused}");
}

#[tokio::test]
async fn keys_of_ones_own_are_not_used_where_what_is_needed_is_not_vouched_for() {
    let gateway = Gateway::start(&clouds("")).await;
    let members = |key: Value| json!({ "providerOptions": { "gateway": { "zeroDataRetention": true, "byok": { "anthropic": [key] } } } });
    let body = with(chat_body("claude"), &members(json!({ "apiKey": "sk-own" })));
    gateway.post("/gateway/plan", body.to_string()).await.assert_error(404, "model_not_found");
    assert_flow(&gateway, members(json!({ "apiKey": "sk-own", "assurances": ["zdr"] })), "Anthropic(BYOK)").await;
}

#[tokio::test]
async fn wrong_keys_are_refused_with_their_place_and_without_their_value() {
    let gateway = Gateway::start(&clouds("")).await;
    for (byok, place) in [
        (json!({ "anthropic": [{ "apiKey": "SECRET" }, {}] }), "gateway.byok.anthropic[1]"),
        (json!({ "anthropic": [["SECRET"]] }), "gateway.byok.anthropic[0]"),
        (json!({ "azure": { "apiKey": "SECRET", "resourceName": "evil.example/#" } }), "resource_name"),
        (json!({ "anthropic": { "apiKey": "SECRET", "baseURL": "https://evil.example" } }), "custom_host"),
        (json!({ "anthropic": vec!["SECRET"; 33] }), "32 is the most"),
        (
            json!({ "vertex": { "apiKey": "{\"type\":\"external_account\",\"SECRET\":1}", "location": "us" } }),
            "api_key",
        ),
    ] {
        let body = with(chat_body("claude"), &json!({ "providerOptions": { "gateway": { "byok": byok } } }));
        let answer = gateway.chat(body.to_string()).await;
        answer.assert_error(400, "invalid_request");
        assert!(answer.text().contains(place), "{}", answer.text());
        assert!(!answer.text().contains("SECRET") && !answer.text().contains("evil.example"), "{}", answer.text());
    }
    let both = json!({ "gateway_config": { "byok": { "anthropic": "k" }, "targets": [{ "provider": "anthropic" }] } });
    gateway.chat(with(chat_body("claude"), &both).to_string()).await.assert_error(400, "invalid_request");
}

fn chat_body(model: &str) -> Value {
    serde_json::from_str(&chat(model)).unwrap()
}

/// Answers the requests that bring this key; refuses or fails all others.
async fn answering_to(key: &'static str, status: u16) -> Upstream {
    Upstream::start(move |mut peer| async move {
        while let Some(request) = peer.request().await {
            let is_good = request.head.get("authorization") == Some(format!("Bearer {key}").as_str());
            let refusal = http_answer(status, &[JSON], if status == 401 { REFUSED } else { BROKEN });
            peer.send(if is_good { json_answer(CHAT_ANSWER) } else { refusal }).await;
        }
    })
    .await
}

fn bearers(upstream: &Upstream) -> Vec<String> {
    let bearer = |request: crate::harness::Recorded| request.head.get("authorization").unwrap_or("none").to_owned();
    upstream.requests().into_iter().map(bearer).map(|text| text.replace("Bearer ", "")).collect()
}

/// Two of the operator's providers that serve `m`, with headers that are nobody else's business.
fn two(one: &Upstream, two: &Upstream) -> String {
    let more = |priority: u8| {
        format!(", models: [m], priority: {priority}, headers: {{ x-internal-token: operators-header-secret }}")
    };
    config(
        &format!("providers:\n{}{}", provider("one", one.address, &more(0)), provider("two", two.address, &more(1)),),
    )
}

#[tokio::test]
async fn keys_are_tried_in_their_order_at_the_operators_address_and_the_operators_after_them() {
    let (one, other) = (answering_to("nobody's", 401).await, answering_to(PROVIDER_KEY, 500).await);
    let gateway = Gateway::start(&two(&one, &other)).await;
    let byok = json!({ "one": ["sk-own-1", "sk-own-2"], "two": { "apiKey": "sk-own-3" } });
    let body = with(chat_body("m"), &json!({ "gateway_config": { "byok": byok } }));
    let headers = [("x-gateway-debug", "attempts"), ("authorization", "Bearer any-key")];
    let answer = gateway.post_with(CHAT, &headers, body.to_string()).await;
    assert_eq!((answer.status, answer.text()), (200, CHAT_ANSWER), "{}", answer.text());
    assert_eq!(bearers(&one), ["sk-own-1", "sk-own-2", PROVIDER_KEY]);
    assert_eq!(bearers(&other), ["sk-own-3", PROVIDER_KEY]);
    for request in one.requests().into_iter().chain(other.requests()) {
        let is_callers = !request.head.raw.contains(PROVIDER_KEY);
        let has_operators = request.head.raw.contains("operators-header-secret");
        assert_eq!(is_callers, !has_operators, "{}", request.head.raw);
        assert_eq!(request.json(), chat_body("m"), "nothing of the routing reaches a provider");
    }

    let attempts: Value = serde_json::from_str(answer.header("x-gateway-attempts").unwrap()).unwrap();
    let told: Vec<_> = attempts
        .as_array()
        .unwrap()
        .iter()
        .map(|one| format!("{} {}", one["provider"].as_str().unwrap(), one["credential"].as_str().unwrap()))
        .collect();
    assert_eq!(told, ["one byok", "one byok", "two byok", "one system", "two system"]);
    let record = gateway.record(answer.request_id()).await;
    assert_eq!((&record["callers_key"], &record["fallback"]), (&Value::Null, &json!(true)));
    let callers: Vec<_> = record["tries"].as_array().unwrap().iter().map(|one| one["callers_key"] == true).collect();
    assert_eq!(callers, [true, true, true, false]);
    let written = gateway.everything_written() + gateway.get("/metrics").await.text();
    for secret in ["sk-own-1", "sk-own-2", "sk-own-3", "any-key", "operators-header-secret", PROVIDER_KEY] {
        assert!(!written.contains(secret), "{secret} was written");
    }
}

#[tokio::test]
async fn an_answer_to_ones_own_key_is_on_ones_own_account_and_the_operators_is_not_asked() {
    let (one, other) = (answering_to("sk-own", 500).await, answering_to(PROVIDER_KEY, 500).await);
    let gateway = Gateway::start(&two(&one, &other)).await;
    let members = json!({ "providerOptions": { "gateway": { "byok": { "one": [{ "apiKey": "sk-own" }],
        "groq": [{ "apiKey": "gsk-unused" }] } } } });
    let answer = gateway.chat(with(chat_body("m"), &members).to_string()).await;
    assert_eq!((answer.status, bearers(&one), other.requests().len()), (200, vec!["sk-own".to_owned()], 0));
    assert_eq!(gateway.record(answer.request_id()).await["callers_key"], true);
    assert_eq!(
        answer.header("x-gateway-dropped-params"),
        Some("providerOptions.gateway.byok.groq[0]"),
        "a key that is good for nothing here is told"
    );
}

#[tokio::test]
async fn the_key_that_a_client_presents_to_us_goes_to_no_provider_where_it_brings_others_for_them() {
    let (one, other) = (answering_to("nobody's", 401).await, answering_to("nobody's", 401).await);
    let text =
        two(&one, &other).replace("openai-compatible", "openai").replace(&format!("api_key: {PROVIDER_KEY}, "), "");
    let gateway = Gateway::start(&text).await;
    let asked = async |key: &str| {
        let body = with(chat_body("two/m"), &json!({ "gateway_config": { "byok": { key: "sk-own" } } }));
        let headers = [("authorization", "Bearer vck-presented")];
        gateway.post_with(CHAT, &headers, body.to_string()).await
    };
    assert_eq!(asked("two").await.status, 401, "it is the caller's own key that was refused");
    asked("groq").await.assert_error(401, "provider_credential_missing");
    assert_eq!((one.requests().len(), bearers(&other)), (0, vec!["sk-own".to_owned()]));
}

#[tokio::test]
async fn failing_accounts_of_callers_do_not_open_the_operators_breaker() {
    let (one, other) = (answering_to(PROVIDER_KEY, 500).await, answering_to("nobody's", 500).await);
    let gateway = Gateway::start(&two(&one, &other)).await;
    let members =
        json!({ "provider": { "allow_fallbacks": false }, "gateway_config": { "byok": { "one": "sk-own" } } });
    for _ in 0..8 {
        let answer = gateway.chat(with(chat_body("m"), &members).to_string()).await;
        assert!(answer.status >= 500, "{}", answer.text());
    }
    let answer = gateway.chat(chat("m")).await;
    assert_eq!((answer.status, answer.header("x-provider-used")), (200, Some("one")));
    let state = r#"ai_gateway_circuit_breaker_state{provider="one",state="open"}"#;
    assert_eq!(gateway.metric(state).await, Some(0.0));
}

#[tokio::test]
async fn a_target_with_a_key_goes_where_the_operator_has_the_provider() {
    let (one, other) = (answering_to("sk-own", 401).await, answering_to("sk-own", 401).await);
    let gateway = Gateway::start(&two(&one, &other)).await;
    let written = json!({ "provider": "two", "api_key": "sk-own" }).to_string();
    let answer = gateway.post_with(CHAT, &[("x-portkey-config", written.as_str())], chat("m")).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!((one.requests().len(), bearers(&other)), (0, vec!["sk-own".to_owned()]));
    assert!(!other.only_request().head.raw.contains("operators-header-secret"));
}

#[tokio::test]
async fn where_callers_may_bring_no_keys_they_are_refused_in_every_form() {
    let (one, other) = (answering_to(PROVIDER_KEY, 401).await, answering_to(PROVIDER_KEY, 401).await);
    let text = format!(
        "{}routing: {{ from_requests: {{ own_keys: false }} }}\n",
        two(&one, &other).replace("routing: { retry_attempts: 0 }\n", "")
    );
    let gateway = Gateway::start(&text).await;
    for members in [
        json!({ "gateway_config": { "byok": { "one": "sk-own" } } }),
        json!({ "providerOptions": { "gateway": { "byok": { "one": [{ "apiKey": "sk-own" }] } } } }),
    ] {
        let answer = gateway.chat(with(chat_body("m"), &members).to_string()).await;
        answer.assert_error(403, "operation_disabled");
    }
    assert_eq!(one.requests().len() + other.requests().len(), 0);
}

#[tokio::test]
async fn keys_are_refused_where_they_would_not_be_used() {
    let (one, other) = (answering_to(PROVIDER_KEY, 401).await, answering_to(PROVIDER_KEY, 401).await);
    let gateway = Gateway::start(&two(&one, &other)).await;
    for members in [
        json!({ "gateway_config": { "byok": { "one": "sk-own" } } }),
        json!({ "providerOptions": { "gateway": { "byok": { "one": [{ "apiKey": "sk-own" }] } } } }),
    ] {
        let body = with(json!({ "model": "one/pictures", "prompt": "a cat" }), &members);
        let answer = gateway.post("/v1/images/generations", body.to_string()).await;
        answer.assert_error(400, "invalid_request");
    }
    assert_eq!(one.requests().len() + other.requests().len(), 0);
}

#[tokio::test]
async fn in_every_format_a_refused_key_is_followed_by_the_next() {
    let (one, other) = (answering_to("sk-own-2", 401).await, answering_to("nobody's", 500).await);
    let gateway = Gateway::start(&two(&one, &other)).await;
    for (path, body) in formats() {
        let mut body = with(body, &json!({ "gateway_config": { "byok": { "one": ["sk-own-1", "sk-own-2"] } } }));
        let path = path.replace("claude", "m");
        if body.get("model").is_some() {
            body["model"] = json!("m");
        }
        let answer = gateway.post(&path, body.to_string()).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        assert!(answer.text().contains("hello back"), "{path}: {}", answer.text());
    }
    assert_eq!(bearers(&one), ["sk-own-1", "sk-own-2"].repeat(5));
    assert_eq!(other.requests().len(), 0);
}

#[tokio::test]
async fn openrouters_own_members_go_to_openrouter_with_ones_own_key_and_the_keys_do_not() {
    let upstream = answering_to(PROVIDER_KEY, 500).await;
    let text = config(&format!("providers:\n{}", provider("openrouter", upstream.address, "")));
    let gateway = Gateway::start(&text.replace("type: openai-compatible", "type: openrouter")).await;
    let members =
        json!({ "provider": { "order": ["anthropic"] }, "gateway_config": { "byok": { "openrouter": "sk-or-own" } } });
    let answer = gateway.chat(with(chat_body("anthropic/claude-sonnet-4.5"), &members).to_string()).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(bearers(&upstream), ["sk-or-own", PROVIDER_KEY]);
    for request in upstream.requests() {
        assert_eq!(request.json()["provider"], json!({ "order": ["anthropic"] }));
        assert!(!request.text().contains("sk-or-own"), "{}", request.text());
    }
}
