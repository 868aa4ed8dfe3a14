//! Routing that the operator keeps and that is called by its name: presets, and targets with ids.

use serde_json::{Value, json};

use crate::harness::{
    CHAT_ANSWER, Gateway, Launch, PROVIDER_KEY, Recorded, Upstream, chat, config, http_answer, json_answer, provider,
};

const CHAT: &str = "/v1/chat/completions";
const BROKEN: &str = r#"{"error":{"message":"boom","type":"server_error","param":null,"code":null}}"#;
/// A key that stands in a preset, by reference.
const PRESET_KEY: &str = "sk-preset-secret-0123456789";

async fn answering() -> Upstream {
    Upstream::always(json_answer(CHAT_ANSWER)).await
}

async fn failing() -> Upstream {
    Upstream::always(http_answer(500, &[("content-type", "application/json")], BROKEN)).await
}

/// Two providers that both serve `m` and `n`, the first one first, and the presets.
fn text(one: &Upstream, two: &Upstream, rest: &str) -> String {
    config(&format!(
        "providers:\n{}{}{rest}",
        provider("one", one.address, ", models: [m, n]"),
        provider("two", two.address, ", models: [m, n], priority: 1"),
    ))
}

const PRESETS: &str = r#"
presets:
  pc-careful:
    strategy: { mode: fallback }
    targets:
      - { provider: two, override_params: { model: n, temperature: 0 }, default_params: { top_p: 0.5, seed: 7 } }
      - { provider: one, override_params: { model: n } }
  calm: { model: n, default_params: { temperature: 0.25 } }
  own:
    targets:
      - { provider: openai, api_key: "${PRESET_KEY}", custom_host: "http://HOST/v1", override_params: { model: gpt-4o } }
"#;

async fn with_presets() -> (Gateway, Upstream, Upstream) {
    let (one, two) = (answering().await, answering().await);
    let presets = PRESETS.replace("HOST", &two.address.to_string());
    let gateway = Launch::with(&text(&one, &two, &presets)).variable("PRESET_KEY", PRESET_KEY).start().await;
    (gateway, one, two)
}

fn last(upstream: &Upstream) -> Recorded {
    let mut all = upstream.requests();
    all.swap_remove(all.len() - 1)
}

fn assert_unnamed(upstream: &Upstream) {
    for request in upstream.requests() {
        let said = format!("{}\n{}", request.head.raw, request.text()).to_lowercase();
        for word in ["x-portkey", "x-gateway", "preset", "gateway_config", "pc-careful"] {
            assert!(!said.contains(word), "{word}: {said}");
        }
    }
}

#[tokio::test]
async fn a_preset_is_called_by_its_name_in_the_words_of_each_gateway() {
    let (gateway, one, two) = with_presets().await;
    let messages = r#""messages":[{"role":"user","content":"hi"}]"#;
    let in_body = |members: &str| format!(r#"{{{members},"seed":1,{messages}}}"#);
    let plain = in_body(r#""model":"m""#);
    let calls: [(&[(&str, &str)], String); 6] = [
        (&[("x-portkey-config", "pc-careful")], plain.clone()),
        (&[("x-gateway-config", "pc-careful")], plain),
        (&[], in_body(r#""model":"m","gateway_config":"pc-careful""#)),
        (&[], in_body(r#""model":"@preset/pc-careful""#)),
        (&[], in_body(r#""model":"m@preset/pc-careful""#)),
        (&[], in_body(r#""model":"m","preset":"pc-careful""#)),
    ];
    for (index, (headers, body)) in calls.iter().enumerate() {
        let answer = gateway.post_with(CHAT, headers, body).await;
        assert_eq!((answer.status, answer.text()), (200, CHAT_ANSWER), "{body}");
        assert_eq!(answer.header("x-provider-used"), Some("two"));
        assert_eq!(two.requests().len(), index + 1);
        let sent = last(&two).json();
        assert_eq!((&sent["model"], &sent["temperature"]), (&json!("n"), &json!(0)));
        assert_eq!((&sent["top_p"], &sent["seed"]), (&json!(0.5), &json!(1)), "what the request says is no default");
    }
    assert_eq!(one.requests().len(), 0);
    assert_unnamed(&two);
}

#[tokio::test]
async fn a_presets_model_is_for_requests_that_name_none_besides() {
    let (gateway, one, _two) = with_presets().await;
    for (body, model) in [
        (json!({ "model": "@preset/calm", "messages": [] }), "n"),
        (json!({ "model": "m@preset/calm", "messages": [] }), "m"),
        (json!({ "model": "m", "preset": "calm", "messages": [] }), "m"),
        (json!({ "preset": "calm", "messages": [] }), "n"),
        (json!({ "model": "m", "gateway_config": "calm", "messages": [] }), "n"),
    ] {
        let answer = gateway.chat(body.to_string()).await;
        assert_eq!(answer.status, 200, "{body}: {}", answer.text());
        let sent = last(&one).json();
        assert_eq!((sent["model"].as_str(), &sent["temperature"]), (Some(model), &json!(0.25)), "{body}");
    }
    assert_unnamed(&one);
}

#[tokio::test]
async fn a_preset_may_say_preferences_in_openrouters_words() {
    let (one, two) = (failing().await, answering().await);
    let presets = "presets:\n  only-two: { model: m, provider: { only: [two] } }\n  \
                   chain: { models: [m, n], provider: { order: [one], allow_fallbacks: false } }\n";
    let gateway = Gateway::start(&text(&one, &two, presets)).await;
    let answer = gateway.chat(chat("@preset/only-two")).await;
    assert_eq!((answer.status, answer.header("x-provider-used")), (200, Some("two")), "{}", answer.text());
    assert_eq!(one.requests().len(), 0);
    let answer = gateway.chat(chat("m@preset/chain")).await;
    assert_eq!(answer.status, 500, "{}", answer.text());
    let models: Vec<_> = one.requests().iter().map(|request| request.json()["model"].clone()).collect();
    assert_eq!(models, [json!("m"), json!("n")]);
    assert_eq!(two.requests().len(), 1);
}

#[tokio::test]
async fn a_preset_brings_the_operators_key_which_nobody_can_lead_elsewhere() {
    let (gateway, one, two) = with_presets().await;
    let answer = gateway.post_with(CHAT, &[("x-portkey-config", "own")], chat("m")).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.header("x-portkey-last-used-option-index"), Some("config.targets[0]"));
    let asked = two.only_request();
    assert_eq!(asked.head.get("authorization"), Some(format!("Bearer {PRESET_KEY}").as_str()));
    assert_eq!(asked.json()["model"], "gpt-4o");

    let elsewhere = format!("http://{}/v1", one.address);
    let headers = [("x-portkey-config", "own"), ("x-portkey-custom-host", elsewhere.as_str())];
    let answer = gateway.post_with(CHAT, &headers, chat("m")).await;
    assert_eq!(answer.status, 400, "{}", answer.text());
    assert!(answer.text().contains("x-portkey-custom-host"), "{}", answer.text());
    assert_eq!((one.requests().len(), two.requests().len()), (0, 1));
    assert!(!gateway.everything_written().contains(PRESET_KEY));
}

#[tokio::test]
async fn a_name_that_is_not_known_is_refused_and_no_other_is_told() {
    let (gateway, one, two) = with_presets().await;
    let header = [("x-portkey-config", "pc-unknown")];
    let answers = [
        (gateway.post_with(CHAT, &header, chat("m")).await, 400),
        (gateway.chat(json!({ "model": "m", "gateway_config": "pc-unknown", "messages": [] }).to_string()).await, 400),
        (gateway.chat(chat("m@preset/pc-unknown")).await, 404),
        (gateway.chat(chat("@preset/pc-unknown")).await, 404),
        (gateway.chat(json!({ "model": "m", "preset": "pc-unknown", "messages": [] }).to_string()).await, 404),
    ];
    for (answer, status) in answers {
        assert_eq!(answer.status, status, "{}", answer.text());
        for name in ["careful", "calm", "own"] {
            assert!(!answer.text().contains(&format!("\"{name}")), "{}", answer.text());
        }
        assert!(!answer.text().contains("pc-careful") && answer.text().contains("kept here"), "{}", answer.text());
    }
    let claude = json!({ "model": "m@preset/pc-unknown", "max_tokens": 5, "messages": [] }).to_string();
    let answer = gateway.post("/v1/messages", claude).await;
    assert_eq!((answer.status, &answer.json()["type"]), (404, &json!("error")), "in the caller's own format");
    assert_eq!((one.requests().len(), two.requests().len()), (0, 0));
}

#[tokio::test]
async fn a_preset_that_a_provider_keeps_itself_stays_in_the_request() {
    let perplexity = answering().await;
    let text = config(&format!(
        "providers: [{{ name: pplx, type: perplexity, endpoint: \"http://{}\", api_key: {PROVIDER_KEY}, proxy: direct, \
         models: [sonar] }}]\npresets: {{ calm: {{ model: sonar }} }}",
        perplexity.address
    ));
    let gateway = Gateway::start(&text).await;
    let answer = gateway.chat(json!({ "model": "sonar", "preset": "pro-search", "messages": [] }).to_string()).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(perplexity.only_request().json()["preset"], "pro-search");
}

#[tokio::test]
async fn a_target_of_a_preset_that_fails_is_left_out_of_it_and_of_nothing_else() {
    let (one, two) = (failing().await, answering().await);
    let presets = r#"
circuit_breaker: { enabled: false }
presets:
  guarded:
    strategy: { mode: fallback, cb_config: { failure_threshold: 2, cooldown_interval: 60000, failure_status_codes: [500] } }
    targets: [{ provider: one }, { provider: two }]
"#;
    let gateway = Gateway::start(&text(&one, &two, presets)).await;
    let guarded = [("x-portkey-config", "guarded")];
    for _ in 0..2 {
        assert_eq!(gateway.post_with(CHAT, &guarded, chat("m")).await.status, 200);
    }
    let seen = one.requests().len();
    let answer = gateway.post_with(CHAT, &guarded, chat("m")).await;
    assert_eq!((answer.status, answer.header("x-provider-used")), (200, Some("two")));
    assert_eq!(one.requests().len(), seen, "it is left alone");
    gateway.chat(chat("m")).await;
    assert_eq!(one.requests().len(), seen + 1, "outside of the preset nobody has said so");

    let brought =
        json!({ "strategy": { "cb_config": { "failure_threshold": 1 } }, "targets": [{ "provider": "two" }] });
    let answer = gateway.post_with(CHAT, &[("x-portkey-config", &brought.to_string())], chat("m")).await;
    assert_eq!(answer.status, 200);
    let told = answer.header("x-gateway-dropped-params").unwrap_or_default();
    assert!(told.contains("strategy.cb_config"), "a request's own is told as not followed: {told}");
}

#[tokio::test]
async fn presets_that_are_wrong_are_told_with_their_lines() {
    let wrong = r#"
presets:
  a:
    targets:
      - { provider: nobody }
      - { provider: one, retry: { attempts: many } }
  b:
    targets:
      - provider: twoo
  c: { targets: [{ provider: one, new_key: 1 }] }
  d: { targets: [{ provider: one, api_key: k }] }
  e: { default_params: { stream: true } }
  "f g": { model: m }
"#;
    let upstream = answering().await;
    let text = text(&upstream, &upstream, wrong);
    let line = |needle: &str| text.lines().position(|line| line.contains(needle)).unwrap() + 1;
    let finished = Launch::with(&text.replace("  \"f g\": { model: m }\n", "")).argument("check").finish().await;
    assert_eq!(finished.code, Some(1));
    for (needle, told) in [
        ("attempts: many", "preset \"a\": `targets[1].retry.attempts` must be a number"),
        ("provider: twoo", "no provider or target has the name or type \"twoo\"; did you mean \"two\"?"),
        ("new_key", "preset \"c\": \"targets[0].new_key\" is not known here"),
        ("api_key: k", "preset \"d\": a target with a key of its own names the type of a provider"),
        ("stream: true", "preset \"e\": `default_params.stream` is no parameter that has a default"),
    ] {
        let at = format!(":{}:", line(needle));
        let found = finished.log.lines().find(|line| line.contains(told));
        assert!(found.is_some_and(|found| found.contains(&at)), "{told} at {at}: {}", finished.log);
    }
    let finished = Launch::with(&text).argument("check").finish().await;
    assert!(finished.log.contains("\"f g\" is not the name of a preset"), "{}", finished.log);
}

/// The example of the source, with the targets that it refers to.
const RULES: &str = r#"
targets:
  - { id: openai-gpt4, provider: one, model: gpt-4 }
  - { id: azure-openai-gpt4, provider: two, model: gpt-4-deployment }
  - { id: watsonx-granite, provider: two, model: granite, override_params: { temperature: 0 } }
  - { id: openai-gpt35, provider: one, model: gpt-3.5-turbo }
routing:
  retry_attempts: 0
  rules:
    - name: high-accuracy
      condition:
        tags:
          - critical
          - customer-facing
      providers:
        - openai-gpt4
        - azure-openai-gpt4
    - name: general
      condition:
        tags:
          - internal
          - batch-processing
      providers:
        - watsonx-granite
        - openai-gpt35
    - name: bulk
      condition:
        batch_size: ">100"
      providers:
        - watsonx-granite
"#;

#[tokio::test]
async fn rules_lead_to_targets_with_ids_each_with_its_own_model() {
    let (one, two) = (failing().await, answering().await);
    let gateway = Gateway::start(&text(&one, &two, RULES)).await;
    let tagged = |tag: &'static str| [("x-gateway-tags", tag)];
    let answer = gateway.post_with(CHAT, &tagged("critical"), chat("m")).await;
    assert_eq!((answer.status, answer.header("x-provider-used")), (200, Some("two")), "{}", answer.text());
    assert_eq!(last(&one).json()["model"], "gpt-4");
    assert_eq!(last(&two).json()["model"], "gpt-4-deployment");
    gateway.post_with(CHAT, &tagged("internal"), chat("m")).await;
    let sent = last(&two).json();
    assert_eq!((&sent["model"], &sent["temperature"]), (&json!("granite"), &json!(0)));
    assert_eq!(one.requests().len(), 1, "the first choice answered");
    gateway.post_with(CHAT, &[("x-gateway-batch-size", "101")], chat("m")).await;
    assert_eq!(last(&two).json()["model"], "granite");
    let own = json!({ "targets": [{ "provider": "openai-gpt35" }] }).to_string();
    let around = [("x-gateway-tags", "internal"), ("x-portkey-config", own.as_str())];
    let answer = gateway.post_with(CHAT, &around, chat("m")).await;
    assert_eq!(answer.header("x-model-used"), Some("granite"), "a request does not lead around a rule");
}

#[tokio::test]
async fn routes_requests_and_presets_refer_to_targets_by_their_ids() {
    let (one, two) = (answering().await, answering().await);
    let rest = r#"
targets:
  - { id: granite, provider: two, model: ibm-granite, override_params: { temperature: 0, seed: 1 } }
  - { id: openai-compatible, provider: two, model: named-like-a-type }
routes:
  - name: cheap
    targets: [{ provider: granite, override_params: { seed: 2 } }]
  - name: mine
    targets: [{ provider: granite, model: other-granite }]
  - name: typed
    targets: [{ provider: openai-compatible }]
presets:
  bulk: { targets: [{ provider: granite }] }
"#;
    let gateway = Gateway::start(&text(&one, &two, rest)).await;
    let sent = async |headers: &[(&str, &str)], body: Value| {
        let answer = gateway.post_with(CHAT, headers, body.to_string()).await;
        assert_eq!(answer.status, 200, "{body}: {}", answer.text());
        let sent = last(&two).json();
        (sent["model"].as_str().unwrap().to_owned(), sent["temperature"].clone(), sent["seed"].clone())
    };
    let ask = |model: &str| json!({ "model": model, "messages": [] });
    assert_eq!(sent(&[], ask("cheap")).await, ("ibm-granite".to_owned(), json!(0), json!(2)));
    assert_eq!(sent(&[], ask("mine")).await, ("other-granite".to_owned(), json!(0), json!(1)));
    assert_eq!(sent(&[], ask("typed")).await.0, "named-like-a-type", "an id comes before a type");
    let bulk = [("x-portkey-config", "bulk")];
    assert_eq!(sent(&bulk, ask("m")).await, ("ibm-granite".to_owned(), json!(0), json!(1)));
    let preferred = json!({ "model": "m", "prefer_provider": "granite", "messages": [] });
    assert_eq!(sent(&[], preferred).await, ("m".to_owned(), Value::Null, Value::Null), "its provider, for this model");
    assert_eq!(one.requests().len(), 0);
}

#[tokio::test]
async fn references_that_lead_nowhere_are_told_with_their_lines() {
    let upstream = answering().await;
    let text = text(&upstream, &upstream, &RULES.replace("        - openai-gpt35\n", "        - openai-gpt36\n"));
    let line = text.lines().position(|line| line.contains("openai-gpt36")).unwrap() + 1;
    let finished = Launch::with(&text).argument("check").finish().await;
    assert_eq!(finished.code, Some(1));
    let told = "no provider or target has the name or type \"openai-gpt36\"; did you mean \"openai-gpt35\"?";
    let found = finished.log.lines().find(|line| line.contains(told));
    assert!(found.is_some_and(|found| found.contains(&format!(":{line}:"))), "{}", finished.log);
}
