//! Development and production side by side: the caller's key says which environment serves its requests.

use serde_json::{Value, json};

use crate::harness::{
    Answer, CHAT_ANSWER, CLIENT_KEY, Gateway, Launch, PROVIDER_KEY, Upstream, chat, config, http_answer, json_answer,
    provider,
};

const CHAT: &str = "/v1/chat/completions";
const DEV_KEY: &str = "sk-gateway-development-0123456789";
const BOTH_KEY: &str = "sk-gateway-of-both-0123456789";
const DEV_PROVIDER_KEY: &str = "sk-provider-development-0123456789";

/// A section of development, and one with a mistake in it.
const ALIASES: &str = "aliases: { cheap: gpt-3.5-turbo }";
const NOBODY: &str = "routes: [{ name: cheap, targets: [{ provider: nobody }] }]";

/// A file in which the same names mean something else in production, which is in force, and in development.
fn file(production: &Upstream, development: &Upstream, mode: &str) -> String {
    let usual = provider("openai", production.address, ", models: [gpt-4, shared]");
    let own = provider("openai", development.address, ", models: [gpt-3.5-turbo, shared]");
    let own = own.replace(PROVIDER_KEY, DEV_PROVIDER_KEY);
    config(&format!(
        "environment: production\n\
         auth:\n  mode: {mode}\n  keys:\n  - {{ name: app, key: {CLIENT_KEY} }}\n  \
         - {{ name: dev, key: {DEV_KEY}, environment: development }}\n  \
         - {{ name: both, key: {BOTH_KEY}, environments: [production, development] }}\n\
         routing: {{ retry_attempts: 0 }}\n\
         circuit_breaker: {{ failure_threshold: 2 }}\n\
         environments:\n  production:\n    providers:\n  {usual}  development:\n    {ALIASES}\n    \
         providers:\n  {own}"
    ))
}

async fn house() -> (Upstream, Upstream, Gateway) {
    let (production, development) =
        (Upstream::always(json_answer(CHAT_ANSWER)).await, Upstream::always(json_answer(CHAT_ANSWER)).await);
    let gateway = Gateway::start(&file(&production, &development, "required")).await;
    (production, development, gateway)
}

async fn ask(gateway: &Gateway, key: &str, environment: Option<&str>, model: &str) -> Answer {
    let bearer = format!("Bearer {key}");
    let mut headers = vec![("authorization", bearer.as_str())];
    headers.extend(environment.map(|name| ("x-gateway-env", name)));
    gateway.post_with(CHAT, &headers, chat(model)).await
}

#[tokio::test]
async fn a_key_is_served_by_the_providers_and_models_of_its_environment_alone() {
    let (production, development, gateway) = house().await;
    let answer = ask(&gateway, DEV_KEY, None, "cheap").await;
    assert_eq!((answer.status, answer.header("x-provider-used")), (200, Some("development/openai")));
    let asked = development.only_request();
    assert_eq!(asked.head.get("authorization"), Some(format!("Bearer {DEV_PROVIDER_KEY}").as_str()));
    let record = gateway.record(answer.request_id()).await;
    assert_eq!((&record["environment"], &record["key"]), (&json!("development"), &json!("dev")));
    assert_eq!(record["provider"], "development/openai");
    assert!(production.requests().is_empty());

    // The same name, in the other environment, is the other provider's: also what is remembered of names.
    let answer = ask(&gateway, CLIENT_KEY, None, "shared").await;
    assert_eq!(answer.header("x-provider-used"), Some("openai"));
    assert_eq!(gateway.record(answer.request_id()).await["environment"], "production");
    assert_eq!(production.only_request().head.get("authorization"), Some(format!("Bearer {PROVIDER_KEY}").as_str()));
    let answer = ask(&gateway, DEV_KEY, None, "shared").await;
    assert_eq!(answer.header("x-provider-used"), Some("development/openai"));
    assert_eq!(ask(&gateway, DEV_KEY, None, "openai/shared").await.status, 200, "by its name in the file");

    ask(&gateway, CLIENT_KEY, None, "cheap").await.assert_error(404, "model_not_found");
    ask(&gateway, DEV_KEY, None, "gpt-4").await.assert_error(404, "model_not_found");
    let written = gateway.everything_written();
    assert!([DEV_KEY, DEV_PROVIDER_KEY, PROVIDER_KEY].iter().all(|key| !written.contains(key)), "{written}");
}

#[tokio::test]
async fn the_header_chooses_among_the_environments_of_the_key() {
    let (production, development, gateway) = house().await;
    assert_eq!(ask(&gateway, BOTH_KEY, None, "shared").await.header("x-provider-used"), Some("openai"));
    let chosen = ask(&gateway, BOTH_KEY, Some("development"), "shared").await;
    assert_eq!(chosen.header("x-provider-used"), Some("development/openai"));
    assert_eq!(ask(&gateway, DEV_KEY, Some("development"), "shared").await.status, 200);
    assert_eq!(ask(&gateway, CLIENT_KEY, Some("production"), "shared").await.status, 200);
    for (key, environment) in [(DEV_KEY, "production"), (CLIENT_KEY, "development"), (BOTH_KEY, "staging")] {
        let refused = ask(&gateway, key, Some(environment), "shared").await;
        refused.assert_error(403, "operation_disabled");
        assert_eq!(gateway.record(refused.request_id()).await["status"], 403);
    }
    ask(&gateway, "sk-nobody", Some("development"), "shared").await.assert_error(401, "invalid_api_key");
    assert_eq!((production.requests().len(), development.requests().len()), (2, 2));
}

#[tokio::test]
async fn lists_and_plans_are_those_of_the_environment() {
    let (_production, _development, gateway) = house().await;
    let of = |key: &str| [("authorization".to_owned(), format!("Bearer {key}"))];
    let names = |list: Value| -> Vec<String> {
        let all = list["data"].as_array().unwrap().iter();
        all.map(|one| one["id"].as_str().unwrap().to_owned()).collect()
    };
    for (key, has, has_not) in [(DEV_KEY, "cheap", "gpt-4"), (CLIENT_KEY, "gpt-4", "cheap")] {
        let [(name, value)] = of(key);
        let list = names(gateway.get_with("/v1/models", &[(&name, &value)]).await.json());
        assert!(list.iter().any(|one| one == has) && !list.iter().any(|one| one == has_not), "{list:?}");
    }
    let [(name, value)] = of(DEV_KEY);
    let plan = gateway.post_with("/gateway/plan", &[(&name, &value)], chat("shared")).await.json();
    assert_eq!(plan["environment"], "development");
    assert_eq!(plan["attempts"][0]["provider"], "development/openai", "{plan}");
}

#[tokio::test]
async fn what_fails_in_one_environment_is_left_alone_in_that_one_only() {
    let failing = http_answer(503, &[("content-type", "application/json")], "{}");
    let (production, development) = (Upstream::always(json_answer(CHAT_ANSWER)).await, Upstream::always(failing).await);
    let gateway = Gateway::start(&file(&production, &development, "required")).await;
    for _ in 0..2 {
        assert_eq!(ask(&gateway, DEV_KEY, None, "shared").await.status, 503);
    }
    for (key, name, state) in [(DEV_KEY, "development/openai", "open"), (CLIENT_KEY, "openai", "closed")] {
        let bearer = format!("Bearer {key}");
        let list = gateway.get_with("/gateway/providers", &[("authorization", &bearer)]).await.json();
        assert_eq!((&list["data"][0]["name"], &list["data"][0]["breaker"]["state"]), (&json!(name), &json!(state)));
    }
    assert_eq!(ask(&gateway, CLIENT_KEY, None, "shared").await.status, 200);
    let series = |provider: &str| format!("ai_gateway_circuit_breaker_state{{provider=\"{provider}\",state=\"open\"}}");
    assert_eq!(gateway.metric(&series("development/openai")).await, Some(1.0));
}

#[tokio::test]
async fn a_reload_replaces_every_environment_or_none() {
    let (production, development, gateway) = house().await;
    assert_eq!(ask(&gateway, DEV_KEY, None, "cheap").await.status, 200);
    let text = file(&production, &development, "required");
    gateway.rewrite(&text.replace("cheap:", "thrifty:"));
    gateway.generation(2).await;
    assert_eq!(ask(&gateway, DEV_KEY, None, "thrifty").await.status, 200);
    ask(&gateway, DEV_KEY, None, "cheap").await.assert_error(404, "model_not_found");
    gateway.rewrite(&text.replace(ALIASES, NOBODY));
    gateway.log_line("the new configuration is refused").await;
    assert_eq!(ask(&gateway, DEV_KEY, None, "thrifty").await.status, 200);
}

#[tokio::test]
async fn on_a_laptop_who_presents_no_key_chooses_any_environment_that_can_be_served() {
    let (production, development) =
        (Upstream::always(json_answer(CHAT_ANSWER)).await, Upstream::always(json_answer(CHAT_ANSWER)).await);
    let text = file(&production, &development, "optional").replace(
        "environments:\n",
        "environments:\n  staging: { providers: [{ name: openai, api_key: \"${NOT_SET}\" }] }\n",
    );
    let gateway = Gateway::start(&text).await;
    let asked = |name: &'static str| gateway.post_with(CHAT, vec![("x-gateway-env", name)].leak(), chat("shared"));
    assert_eq!(asked("development").await.header("x-provider-used"), Some("development/openai"));
    assert_eq!(asked("production").await.header("x-provider-used"), Some("openai"));
    asked("staging").await.assert_error(403, "operation_disabled");
}

#[tokio::test]
async fn check_looks_at_every_environment_that_a_key_names() {
    let upstream = Upstream::always(json_answer(CHAT_ANSWER)).await;
    let text = file(&upstream, &upstream, "required");
    let finished = Launch::with(&text).argument("check").finish().await;
    assert_eq!(finished.code, Some(0), "{}", finished.log);
    assert!(finished.out.contains("beside it environment development, 2 providers"), "{}", finished.out);
    for (wrong, told) in [
        (text.replace(DEV_PROVIDER_KEY, "\"${NOT_SET}\""), "NOT_SET"),
        (text.replace("environment: development }", "environment: developmet }"), "did you mean \"development\"?"),
        (text.replace(ALIASES, NOBODY), "\"nobody\""),
    ] {
        let finished = Launch::with(&wrong).argument("check").finish().await;
        assert!(finished.code != Some(0) && finished.log.contains(told), "{told}: {}", finished.log);
    }
}
