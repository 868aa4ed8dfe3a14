//! Starting, and not starting.

use serde_json::Value;
use tokio::net::TcpListener;

use crate::harness::{CLIENT_KEY, Finished, Launch, chat, config};

async fn check(config: &str) -> Finished {
    Launch::with(config).argument("check").finish().await
}

#[tokio::test]
async fn the_first_thing_shown_is_where_the_gateway_is() {
    let gateway = Launch::with(&config("")).start().await;
    let banner = format!("🚀 AI Gateway running on http://localhost:{}", gateway.address.port());
    let written = gateway.everything_written();
    assert_eq!(written.lines().next(), Some(banner.as_str()), "{written}");
    assert!(written.contains("ai-gateway-config.yaml"), "{written}");
    assert!(written.contains("sandbox"), "{written}");
}

#[tokio::test]
async fn every_mistake_is_told_at_once_with_its_place_and_what_may_be_meant() {
    let text = "profile: sever\nlisten: 127.0.0.1:8787\nmodles: [a]\nproviders:\n  - type: opanai\n    timeout: soon\n\
        server: { limits: { body_bytes: 0 } }\n";
    let finished = check(text).await;
    assert_eq!(finished.code, Some(1));
    for (place, word) in [
        ("ai-gateway-config.yaml:1:10", "did you mean \"server\""),
        ("ai-gateway-config.yaml:3:1", "modles"),
        ("ai-gateway-config.yaml:5:11", "did you mean"),
        ("ai-gateway-config.yaml:6:14", "soon"),
        ("ai-gateway-config.yaml:7:", "body_bytes"),
    ] {
        assert!(
            finished.log.lines().any(|line| line.contains(place) && line.contains(word)),
            "{place} {word}\n{}",
            finished.log
        );
    }
}

#[tokio::test]
async fn a_gateway_with_a_bad_configuration_does_not_start_and_says_the_same() {
    let text = "listen: \"127.0.0.1:0\"\nmodles: [a]\n";
    let started = Launch::with(text).finish().await;
    assert_eq!(started.code, Some(1));
    assert_eq!(started.log.trim(), check(text).await.log.trim());
    assert!(started.out.is_empty(), "{}", started.out);
}

#[tokio::test]
async fn a_good_configuration_is_said_to_be_fine() {
    let finished = check(&config("")).await;
    assert_eq!(finished.code, Some(0), "{}", finished.log);
    assert!(finished.out.contains("fine"), "{}", finished.out);
}

#[tokio::test]
async fn what_this_version_cannot_do_is_not_ignored() {
    let finished = check(&config("caching: { enabled: true, ttl: 60 }")).await;
    assert_eq!(finished.code, Some(1));
    assert!(finished.log.contains("caching"), "{}", finished.log);
}

#[tokio::test]
async fn a_missing_variable_is_named_with_its_place_and_a_given_one_is_not_shown() {
    let text = config("auth: { keys: [{ name: app, key: \"${APP_KEY}\" }] }");
    let missing = Launch::with(&text).argument("check").finish().await;
    assert_eq!(missing.code, Some(1));
    assert!(missing.log.contains("APP_KEY") && missing.log.contains("ai-gateway-config.yaml:3:"), "{}", missing.log);
    let given = Launch::with(&text).variable("APP_KEY", CLIENT_KEY).argument("check").finish().await;
    assert_eq!(given.code, Some(0), "{}", given.log);
    let short = Launch::with(&text).variable("APP_KEY", "too-short").argument("check").finish().await;
    assert_eq!(short.code, Some(1));
    assert!(!short.log.contains("too-short"), "{}", short.log);
}

#[tokio::test]
async fn the_schema_of_the_configuration_is_printed() {
    let finished = Launch::bare().argument("schema").finish().await;
    assert_eq!(finished.code, Some(0));
    let schema: Value = serde_json::from_str(&finished.out).unwrap();
    assert!(schema["properties"]["providers"].is_object());
    assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
}

#[tokio::test]
async fn a_configuration_is_found_by_argument_then_variable_then_place() {
    let broken = |name: &str| format!("wrong_in_{name}: 1\n");
    let launch = || {
        Launch::bare()
            .file("argument.yaml", &broken("argument"))
            .file("variable.yaml", &broken("variable"))
            .file("ai-gateway-config.yaml", &broken("yaml"))
            .file("gateway-config.json", "{\"wrong_in_json\":1}")
            .argument("check")
    };
    let by_argument =
        launch().argument("--config").argument("argument.yaml").variable("AI_GATEWAY_CONFIG", "variable.yaml");
    assert!(by_argument.finish().await.log.contains("wrong_in_argument"));
    assert!(launch().variable("AI_GATEWAY_CONFIG", "variable.yaml").finish().await.log.contains("wrong_in_variable"));
    assert!(launch().finish().await.log.contains("wrong_in_yaml"));
    let json = Launch::bare().file("gateway-config.json", "{\"wrong_in_json\":1}").argument("check").finish().await;
    assert!(json.log.contains("wrong_in_json"), "{}", json.log);
    let missing =
        Launch::with(&config("")).argument("check").argument("--config").argument("nowhere.yaml").finish().await;
    assert_eq!(missing.code, Some(1));
    assert!(missing.log.contains("nowhere.yaml"), "{}", missing.log);
    assert_eq!(Launch::bare().argument("check").finish().await.code, Some(0));
}

#[tokio::test]
async fn a_gateway_open_to_the_network_needs_keys_or_to_be_told_so_plainly() {
    let server = "profile: server\nlisten: \"0.0.0.0:0\"\n";
    let local = "listen: \"0.0.0.0:0\"\n";
    for text in [server, local] {
        let finished = Launch::with(text).finish().await;
        assert_eq!(finished.code, Some(1), "{text}{}", finished.out);
        assert!(finished.out.is_empty());
    }
    let keys = "auth: { keys: [{ name: app, key: \"${APP_KEY}\" }] }\n";
    let keyed =
        Launch::with(&format!("{server}{keys}")).variable("APP_KEY", CLIENT_KEY).argument("check").finish().await;
    assert_eq!(keyed.code, Some(0), "{}", keyed.log);
    let literal = check(&format!("{server}auth: {{ keys: [{{ name: app, key: {CLIENT_KEY} }}] }}\n")).await;
    assert_eq!(literal.code, Some(1));
    assert!(!literal.log.contains(CLIENT_KEY), "{}", literal.log);
    let told = Launch::with(local).argument("--i-know").argument("check").finish().await;
    assert_eq!(told.code, Some(0), "{}", told.log);
}

#[tokio::test]
async fn a_port_that_is_taken_is_named() {
    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = taken.local_addr().unwrap();
    let finished = Launch::with(&format!("listen: \"{address}\"\n")).finish().await;
    assert_eq!(finished.code, Some(1));
    assert!(finished.log.contains(&address.to_string()), "{}", finished.log);
}

#[tokio::test]
async fn a_credential_in_the_environment_is_enough_to_configure_a_provider() {
    let gateway = Launch::with(&config("")).variable("OPENAI_API_KEY", "sk-from-the-environment").start().await;
    let models = gateway.get("/v1/models").await.json();
    let names: Vec<_> = models["data"].as_array().unwrap().iter().map(|model| model["id"].as_str().unwrap()).collect();
    assert!(names.iter().any(|name| name.starts_with("openai/")), "{names:?}");
    assert!(!names.iter().any(|name| name.starts_with("mistral/")), "{names:?}");
    gateway.chat(chat("mistral-large-latest")).await.error_code();
    assert!(!gateway.everything_written().contains("sk-from-the-environment"));
}
