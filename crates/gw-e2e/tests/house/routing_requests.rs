//! The routing that requests bring along, in the words of several gateways: it is done, nothing of it reaches a provider,
//! and no key of it is shown to anybody.

use serde_json::{Value, json};

use crate::harness::{CHAT_ANSWER, Gateway, PROVIDER_KEY, Upstream, chat, config, http_answer, json_answer, provider};

const REFUSED: &str =
    r#"{"error":{"message":"Incorrect API key","type":"invalid_request_error","param":null,"code":"invalid_api_key"}}"#;
const BROKEN: &str = r#"{"error":{"message":"boom","type":"server_error","param":null,"code":null}}"#;
const CLAUDE: &str = r#"{"id":"msg_1","type":"message","role":"assistant","model":"claude-3-5-sonnet-20241022","content":[{"type":"text","text":"hello from claude"}],"stop_reason":"end_turn","stop_sequence":null,"usage":{"input_tokens":3,"output_tokens":5}}"#;
const CHAT: &str = "/v1/chat/completions";

/// A client's own keys.
const KEYS: [&str; 3] = ["sk-xxx-first-secret", "sk-ant-xxx-second-secret", "gt5xxx-third-secret"];

async fn answering() -> Upstream {
    Upstream::always(json_answer(CHAT_ANSWER)).await
}

async fn failing(status: u16, body: &str) -> Upstream {
    Upstream::always(http_answer(status, &[("content-type", "application/json")], body)).await
}

/// Two of the operator's providers that both serve `m`, the first one first.
async fn two(rest: &str) -> (Gateway, Upstream, Upstream) {
    let (one, two) = (answering().await, answering().await);
    let text = config(&format!(
        "providers:\n{}{}{rest}",
        provider("one", one.address, ", models: [m]"),
        provider("two", two.address, ", models: [m], priority: 1"),
    ));
    (Gateway::start(&text).await, one, two)
}

fn host(upstream: &Upstream, version: &str) -> String {
    format!("http://{}{version}", upstream.address)
}

/// The configuration of Portkey's documentation and of S2-032, at scripted providers.
fn three_targets(upstreams: [&Upstream; 3]) -> Value {
    let [first, second, third] = upstreams;
    json!({
        "retry": { "count": 5 },
        "strategy": { "mode": "fallback" },
        "targets": [
            { "provider": "openai", "api_key": KEYS[0], "override_params": { "model": "gpt-4" }, "custom_host": host(first, "/v1") },
            { "provider": "anthropic", "api_key": KEYS[1], "override_params": { "model": "claude-3-5-sonnet-20241022" },
              "custom_host": host(second, "/v1") },
            { "provider": "google", "api_key": KEYS[2], "override_params": { "model": "gemini-pro" },
              "custom_host": host(third, "/v1beta") }
        ]
    })
}

/// Nothing of a request's routing is in what a provider got.
fn assert_stripped(upstream: &Upstream) {
    for request in upstream.requests() {
        let said = format!("{}\n{}", request.head.raw, request.text()).to_lowercase();
        for word in
            ["x-portkey", "cf-aig", "x-gateway", "\"provider\"", "\"models\"", "gateway_config", "provideroptions"]
        {
            assert!(!said.contains(word), "{word}: {said}");
        }
    }
}

#[tokio::test]
async fn portkeys_configuration_in_the_header_goes_from_a_wrong_key_to_claude_in_openais_shape() {
    let (openai, anthropic, google) =
        (failing(401, REFUSED).await, Upstream::always(json_answer(CLAUDE)).await, answering().await);
    let gateway = Gateway::start(&config("")).await;
    let written = three_targets([&openai, &anthropic, &google]).to_string();
    let headers = [
        ("authorization", "Bearer any-key"),
        ("x-portkey-config", written.as_str()),
        ("x-portkey-cache", "simple"),
        ("x-portkey-trace-id", "trace-7"),
    ];
    let answer = gateway.post_with(CHAT, &headers, chat("gpt-4")).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.json()["choices"][0]["message"]["content"], "hello from claude");
    assert_eq!(answer.header("x-portkey-last-used-option-index"), Some("config.targets[1]"));
    assert_eq!(answer.header("x-portkey-retry-attempt-count"), Some("0"));
    assert_eq!(answer.header("x-portkey-provider"), Some("anthropic"));
    assert_eq!(answer.header("x-portkey-trace-id"), Some("trace-7"));
    assert_eq!(answer.header("x-portkey-cache-status"), Some("DISABLED"));
    assert_eq!(answer.header("x-fallback-used"), Some("true"));

    assert_eq!(openai.requests().len(), 1, "a wrong key does not become right by trying again");
    let asked = openai.only_request();
    assert_eq!(asked.head.get("authorization"), Some(format!("Bearer {}", KEYS[0]).as_str()));
    assert_eq!(asked.json()["model"], "gpt-4");
    assert_eq!(anthropic.only_request().head.get("x-api-key"), Some(KEYS[1]));
    assert_eq!(anthropic.only_request().json()["model"], "claude-3-5-sonnet-20241022");
    assert_eq!(google.requests().len(), 0);
    [&openai, &anthropic].into_iter().for_each(assert_stripped);

    gateway.record(answer.request_id()).await;
    let metrics = gateway.get("/metrics").await;
    let written = gateway.everything_written() + metrics.text();
    for secret in KEYS.iter().chain(&["any-key"]) {
        assert!(!written.contains(secret), "{secret} was written");
    }
}

#[tokio::test]
async fn the_configuration_may_come_in_base64_percent_encoded_or_in_the_body() {
    let (openai, rest) = (answering().await, answering().await);
    let gateway = Gateway::start(&config("")).await;
    let written = three_targets([&openai, &rest, &rest]).to_string();
    let percent: String = written.bytes().map(|byte| format!("%{byte:02x}")).collect();
    let base64 = format!("base64:{}", base64::Engine::encode(&base64::prelude::BASE64_STANDARD, &written));
    for (name, value) in [("x-portkey-config", &percent), ("x-portkey-config", &base64), ("x-gateway-config", &written)]
    {
        let answer = gateway.post_with(CHAT, &[(name, value)], chat("m")).await;
        assert_eq!((answer.status, answer.text()), (200, CHAT_ANSWER), "{name}");
    }
    let body =
        format!(r#"{{"gateway_config":{written},"model":"m","messages":[{{"role":"user","content":"詩を書いて"}}]}}"#);
    let answer = gateway.chat(&body).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(openai.requests().len(), 4);
    assert_eq!(
        openai.requests()[3].json(),
        json!({ "model": "gpt-4", "messages": [{ "role": "user", "content": "詩を書いて" }] })
    );
    assert_stripped(&openai);
}

#[tokio::test]
async fn one_callers_refused_or_failing_account_leaves_the_others_account_alone() {
    let upstream = Upstream::start(|mut peer| async move {
        while let Some(request) = peer.request().await {
            let good = request.head.get("authorization") == Some("Bearer sk-good");
            peer.send(if good {
                json_answer(CHAT_ANSWER)
            } else {
                http_answer(500, &[("content-type", "application/json")], BROKEN)
            })
            .await;
        }
    })
    .await;
    let gateway = Gateway::start(&config("")).await;
    let with = |key: &str| {
        json!({ "provider": "openai", "api_key": key, "retry": { "attempts": 0 }, "custom_host": host(&upstream, "/v1") }).to_string()
    };
    for _ in 0..8 {
        let answer = gateway.post_with(CHAT, &[("x-portkey-config", &with("sk-bad"))], chat("m")).await;
        assert_eq!(answer.status, 500);
    }
    let answer = gateway.post_with(CHAT, &[("x-portkey-config", &with("sk-good"))], chat("m")).await;
    assert_eq!(answer.status, 200);
}

#[tokio::test]
async fn a_provider_named_by_header_is_asked_with_the_bearer_token_as_its_own_key() {
    let upstream = answering().await;
    let gateway = Gateway::start(&config("")).await;
    let headers = [
        ("authorization", "Bearer sk-of-the-client"),
        ("x-portkey-provider", "openai"),
        ("x-portkey-custom-host", &host(&upstream, "/v1")),
    ];
    let answer = gateway.post_with(CHAT, &headers, chat("gpt-4o")).await;
    assert_eq!((answer.status, answer.text()), (200, CHAT_ANSWER));
    assert_eq!(upstream.only_request().head.get("authorization"), Some("Bearer sk-of-the-client"));
    assert_eq!(answer.header("x-portkey-last-used-option-index"), Some("config"));
    assert_stripped(&upstream);
}

#[tokio::test]
async fn keys_and_addresses_of_callers_are_refused_where_the_operator_does_not_take_them() {
    let upstream = answering().await;
    let key = "sk-gateway-0123456789abcdef";
    let bearer = format!("Bearer {key}");
    let keyed = format!("auth: {{ mode: required, keys: [{{ name: app, key: {key} }}] }}\n");
    let own = |host: &str| json!({ "provider": "openai", "api_key": "sk-own-secret", "custom_host": host }).to_string();

    let gateway = Gateway::start(&config(&keyed)).await;
    let headers = [("authorization", bearer.as_str()), ("x-portkey-config", &own(&host(&upstream, "/v1")))];
    let answer = gateway.post_with(CHAT, &headers, chat("m")).await;
    answer.assert_error(403, "operation_disabled");
    assert!(answer.text().contains("own_keys"));

    let gateway =
        Gateway::start(&config("routing: { from_requests: { custom_hosts: false }, retry_attempts: 0 }")).await;
    let answer = gateway.post_with(CHAT, &[("x-portkey-config", &own(&host(&upstream, "/v1")))], chat("m")).await;
    answer.assert_error(403, "operation_disabled");

    let gateway = Gateway::start(&config("")).await;
    for inside in ["http://169.254.169.254/latest", "http://10.0.0.1/v1", "http://0.0.0.0:1/v1"] {
        let answer = gateway.post_with(CHAT, &[("x-portkey-config", &own(inside))], chat("m")).await;
        answer.assert_error(502, "provider_unreachable");
        assert!(!answer.text().contains("sk-own-secret"));
    }
    for lying in ["http://user@127.0.0.1/v1", "http://127.0.0.1/v1?x", "ftp://127.0.0.1", "127.0.0.1:80/#"] {
        let answer = gateway.post_with(CHAT, &[("x-portkey-config", &own(lying))], chat("m")).await;
        answer.assert_error(400, "invalid_request");
    }
    assert_eq!(upstream.requests().len(), 0);
}

#[tokio::test]
async fn pasted_json_and_hosts_in_variables_are_no_keys() {
    let gateway = Gateway::start(&config("")).await;
    let pasted =
        json!({ "provider": "vertex-ai", "api_key": "{\"type\":\"external_account\"}", "vertex_region": "us" });
    let host = json!({ "provider": "azure-openai", "api_key": "k", "resource_name": "evil.example/#" });
    for written in [pasted, host] {
        let answer = gateway.post_with(CHAT, &[("x-portkey-config", &written.to_string())], chat("m")).await;
        answer.assert_error(400, "invalid_request");
        assert!(!answer.text().contains("evil.example"), "{}", answer.text());
    }
}

#[tokio::test]
async fn openrouters_members_order_and_narrow_the_operators_providers_and_go_no_further() {
    let (gateway, one, two) = two("").await;
    let asked = async |members: &str| {
        let body = format!(r#"{{{members},"model":"m","messages":[{{"role":"user","content":"hi"}}]}}"#);
        let answer = gateway.chat(body).await;
        (answer.status, answer.header("x-provider-used").unwrap_or("nobody").to_owned())
    };
    let cases = [
        (r#""provider":{"order":["two"]}"#, 200, "two"),
        (r#""provider":{"only":["two"]}"#, 200, "two"),
        (r#""provider":{"ignore":["one"]}"#, 200, "two"),
        (r#""provider":null,"models":["m"],"route":"fallback""#, 200, "one"),
        (r#""provider":{"only":["three"]}"#, 404, "nobody"),
        (r#""provider":{"zdr":true}"#, 404, "nobody"),
        (r#""provider":{"data_collection":"deny"}"#, 404, "nobody"),
        (r#""provider":{"max_price":{"prompt":"1"}}"#, 404, "nobody"),
        (r#""provider":{"order":"two","sort":7}"#, 400, "nobody"),
        (r#""provider":{},"provider":{}"#, 400, "nobody"),
        (r#""providerOptions":{"gateway":{"order":["two"],"sort":"cost"}}"#, 200, "two"),
        (r#""gateway":{"provider":"two"}"#, 200, "two"),
        (r#""models":["unknown-model","m"]"#, 200, "one"),
        (r#""prefer_provider":"two","route":"fallback""#, 200, "two"),
    ];
    for (members, status, provider) in cases {
        assert_eq!(asked(members).await, (status, provider.to_owned()), "{members}");
    }
    [&one, &two].into_iter().for_each(assert_stripped);
    let keys = [&one, &two].into_iter().flat_map(Upstream::requests);
    for request in keys {
        assert_eq!(request.head.get("authorization"), Some(format!("Bearer {PROVIDER_KEY}").as_str()));
    }
}

#[tokio::test]
async fn what_an_operator_vouches_for_lets_in_what_asks_for_it() {
    let (one, two) = (answering().await, answering().await);
    let gateway = Gateway::start(&config(&format!(
        "providers:\n{}{}",
        provider("one", one.address, ", models: [m]"),
        provider("two", two.address, ", models: [m], priority: 1, assurances: [zdr, \"quantization:fp8\"]"),
    )))
    .await;
    let body = r#"{"model":"m","provider":{"zdr":true,"quantizations":["fp8","bf16"]},"messages":[]}"#;
    let answer = gateway.chat(body).await;
    assert_eq!((answer.status, answer.header("x-provider-used")), (200, Some("two")));
    assert_eq!(two.only_request().text(), r#"{"model":"m","messages":[]}"#);
}

#[tokio::test]
async fn without_fallbacks_the_first_choice_is_the_only_one() {
    let (one, two) = (failing(500, BROKEN).await, answering().await);
    let gateway = Gateway::start(&config(&format!(
        "providers:\n{}{}",
        provider("one", one.address, ", models: [m]"),
        provider("two", two.address, ", models: [m], priority: 1"),
    )))
    .await;
    let with = |allow: bool| format!(r#"{{"model":"m","provider":{{"allow_fallbacks":{allow}}},"messages":[]}}"#);
    assert_eq!(gateway.chat(with(true)).await.status, 200);
    assert_eq!(gateway.chat(with(false)).await.status, 500);
    assert_eq!(two.requests().len(), 1);
}

#[tokio::test]
async fn a_condition_of_the_operators_route_is_not_gone_around() {
    let (eu, us) = (answering().await, answering().await);
    let gateway = Gateway::start(&config(&format!(
        "providers:\n{}{}routes:\n  - name: regional\n    strategy: {{ mode: conditional, conditions: [{{ query: {{ \
         metadata.region: {{ $eq: eu }} }}, then: eu }}], default: us }}\n    targets:\n      - {{ name: eu, provider: eu, model: m \
         }}\n      - {{ name: us, provider: us, model: m }}\n",
        provider("eu", eu.address, ""),
        provider("us", us.address, ""),
    )))
    .await;
    let body = r#"{"model":"regional","metadata":{"region":"eu"},"provider":{"only":["us"]},"messages":[]}"#;
    let answer = gateway.chat(body).await;
    assert_eq!((answer.status, us.requests().len()), (404, 0), "{}", answer.text());
    let body = r#"{"model":"regional","metadata":{"region":"eu"},"provider":{"order":["us","eu"]},"messages":[]}"#;
    let answer = gateway.chat(body).await;
    assert_eq!((answer.status, answer.header("x-provider-used")), (200, Some("eu")), "{}", answer.text());
}

#[tokio::test]
async fn cloudflares_steps_are_taken_until_one_is_answered() {
    let (one, two) = (failing(500, BROKEN).await, answering().await);
    let gateway = Gateway::start(&config(&format!(
        "providers:\n{}{}",
        provider("one", one.address, ""),
        provider("two", two.address, "")
    )))
    .await;
    let steps = json!([
        { "provider": "one", "endpoint": "chat/completions", "headers": { "cf-aig-max-attempts": "1" },
          "query": { "model": "a", "messages": [] } },
        { "provider": "two", "endpoint": "v1/chat/completions", "config": { "maxAttempts": 2 },
          "query": { "model": "b", "messages": [] } },
    ]);
    for path in ["/universal", "/v1/account/gateway", "/v1/account/gateway/"] {
        let answer = gateway.post_with(path, &[("cf-aig-metadata", "{}")], steps.to_string()).await;
        assert_eq!((answer.status, answer.text()), (200, CHAT_ANSWER), "{path}");
        assert_eq!(answer.header("cf-aig-step"), Some("1"));
        assert_eq!(answer.header("cf-aig-model"), Some("b"));
    }
    assert_eq!(two.requests()[0].json()["model"], "b");
    [&one, &two].into_iter().for_each(assert_stripped);
    let unknown = json!([{ "provider": "one", "endpoint": "@cf/meta/llama", "query": {} }]).to_string();
    gateway.post("/universal", unknown).await.assert_error(400, "invalid_request");
    gateway.post("/universal", "{}").await.assert_error(400, "invalid_json");
    // Behind /v1 it may be anybody's path that does not exist.
    gateway.post("/v1/audio/unheard", "{}").await.assert_error(404, "route_not_found");
}

#[tokio::test]
async fn a_path_may_name_the_provider() {
    let (gateway, one, two) = two("").await;
    for path in ["/two/v1/chat/completions", "/v1/account/gateway/two/chat/completions"] {
        let answer = gateway.post(path, chat("m")).await;
        assert_eq!((answer.status, answer.header("x-provider-used")), (200, Some("two")), "{path}");
    }
    let answer = gateway.post("/v1/account/gateway/compat/chat/completions", chat("two/m")).await;
    assert_eq!((answer.status, answer.header("x-provider-used")), (200, Some("two")));
    gateway.post("/three/v1/chat/completions", chat("m")).await.assert_error(404, "route_not_found");
    assert_eq!((one.requests().len(), two.requests().len()), (0, 3));
}

#[tokio::test]
async fn tries_and_pauses_are_as_cloudflares_headers_say_within_bounds() {
    let upstream = failing(500, BROKEN).await;
    let unbroken = "circuit_breaker: { enabled: false }\n";
    let text = config(&format!("{unbroken}providers:\n{}", provider("one", upstream.address, "")));
    let gateway = Gateway::start(&text).await;
    let headers = [("cf-aig-max-attempts", "100"), ("cf-aig-retry-delay", "1"), ("cf-aig-backoff", "constant")];
    let answer = gateway.post_with(CHAT, &headers, chat("one/m")).await;
    assert_eq!((answer.status, upstream.requests().len()), (500, 6), "no more than five further tries");
    let answer = gateway.post_with(CHAT, &[("x-portkey-config", r#"{"retry":{"attempts":0}}"#)], chat("one/m")).await;
    assert_eq!((answer.status, answer.header("x-portkey-retry-attempt-count")), (500, Some("0")));
    assert_eq!(upstream.requests().len(), 7);
}

#[tokio::test]
async fn what_is_not_understood_is_told_whoever_answers() {
    let (broken, well) = (failing(500, BROKEN).await, answering().await);
    let unbroken = "routing: { retry_attempts: 0 }\n";
    let one = provider("one", broken.address, ", models: [m]");
    let two = provider("two", well.address, ", models: [m], priority: 1");
    let gateway = Gateway::start(&config(&format!("{unbroken}providers:\n{one}{two}"))).await;
    let answer = gateway.post_with(CHAT, &[("x-portkey-config", r#"{"frobnicate":true}"#)], chat("m")).await;
    assert_eq!((answer.status, answer.header("x-provider-used")), (200, Some("two")));
    assert!(answer.header("x-gateway-dropped-params").is_some_and(|names| names.contains("frobnicate")));
}

#[tokio::test]
async fn what_is_not_understood_is_told_and_checks_that_are_not_done_are_refused() {
    let (gateway, one, _) = two("").await;
    let written = r#"{"retry":{"attempts":1},"frobnicate":true,"cache":{"mode":"simple"}}"#;
    let answer = gateway.post_with(CHAT, &[("x-portkey-config", written)], chat("m")).await;
    assert_eq!(answer.status, 200);
    assert!(answer.header("x-gateway-dropped-params").is_some_and(|names| names.contains("frobnicate")));
    let checked = r#"{"input_guardrails":[{"default.contains":{}}]}"#;
    let answer = gateway.post_with(CHAT, &[("x-portkey-config", checked)], chat("m")).await;
    answer.assert_error(400, "invalid_request");
    let large = format!("{{\"a\":\"{}\"}}", "x".repeat(17 << 10));
    let answer = gateway.post_with(CHAT, &[("x-portkey-config", &large)], chat("m")).await;
    assert!(matches!(answer.status, 400 | 431), "{}", answer.status);
    for wrong in ["pc-my-config", "{", "[]", "\"text\"", "%7B", r#"{"targets":[]}"#, r#"{"targets":[{"provider":7}]}"#]
    {
        let answer = gateway.post_with(CHAT, &[("x-portkey-config", wrong)], chat("m")).await;
        answer.assert_error(400, "invalid_request");
    }
    assert_eq!(one.requests().len(), 1);
}

#[tokio::test]
async fn no_routing_reaches_a_provider_by_operations_that_are_carried() {
    let upstream = answering().await;
    let text = config(&format!("providers:\n{}", provider("one", upstream.address, ", passthrough: true")));
    let gateway = Gateway::start(&text).await;
    let body =
        r#"{"model":"one/m","prompt":"p","provider":{"order":["one"]},"models":["two/m"],"gateway_config":null}"#;
    let headers = [("x-portkey-provider", "one"), ("x-portkey-metadata", "{}")];
    let answer = gateway.post_with("/v1/images/generations", &headers, body).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let answer = gateway.post_with("/passthrough/one/anything", &headers, "{}").await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let configured = [("x-portkey-config", r#"{"targets":[{"provider":"openai","api_key":"sk-own"}]}"#)];
    gateway.post_with("/v1/images/generations", &configured, body).await.assert_error(400, "invalid_request");
    // Keys that are not used must not be left unused in silence: another's would be spent.
    let body =
        r#"{"model":"one/m","prompt":"p","gateway_config":{"targets":[{"provider":"openai","api_key":"sk-own"}]}}"#;
    gateway.post_with("/v1/images/generations", &headers, body).await.assert_error(400, "invalid_request");
    assert_eq!(upstream.requests().len(), 2);
    assert_stripped(&upstream);
}

#[tokio::test]
async fn a_place_that_a_caller_names_never_gets_the_operators_key() {
    let (operators, callers) = (answering().await, answering().await);
    let text = config(&format!("providers:\n{}", provider("one", operators.address, ", models: [m]")));
    let gateway = Gateway::start(&text).await;
    let host = host(&callers, "/v1");
    let written = json!({ "provider": "openai-compatible", "custom_host": host }).to_string();
    for headers in [
        vec![("x-portkey-config", written.as_str())],
        vec![("x-portkey-provider", "openai-compatible"), ("x-portkey-custom-host", host.as_str())],
    ] {
        let answer = gateway.post_with(CHAT, &headers, chat("m")).await;
        assert!(matches!(answer.status, 200 | 401), "{}", answer.text());
    }
    for request in callers.requests() {
        assert_eq!(request.head.get("authorization"), None);
        assert!(!request.head.raw.contains(PROVIDER_KEY));
    }
    assert_eq!(operators.requests().len(), 0);
}

#[tokio::test]
async fn the_sandbox_is_asked_whatever_key_a_client_has_to_send() {
    let gateway = Gateway::start(&config("")).await;
    let headers = [("authorization", "Bearer any-key"), ("x-portkey-provider", "sandbox")];
    let answer = gateway.post_with(CHAT, &headers, chat("echo")).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
}

#[tokio::test]
async fn what_stands_behind_a_models_name_is_taken_off() {
    let (gateway, one, _two) = two("").await;
    for asked in ["m:nitro", "m:floor", "m"] {
        let answer = gateway.chat(chat(asked)).await;
        assert_eq!(answer.status, 200, "{asked}: {}", answer.text());
    }
    assert!(one.requests().iter().all(|request| request.json()["model"] == "m"));
}
