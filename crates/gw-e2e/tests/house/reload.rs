//! The configuration changes while the gateway runs.

use std::os::unix::fs::symlink;

use crate::harness::{
    CHAT_ANSWER, CLIENT_KEY, Gateway, Launch, PROVIDER_KEY, Upstream, chat, config, json_answer, provider, scripted,
};

fn with_alias(alias: &str) -> String {
    config(&format!("aliases: {{ {alias}: sandbox/echo }}"))
}

#[tokio::test]
async fn a_changed_file_takes_effect_and_open_streams_go_on() {
    let gateway = Gateway::start(&with_alias("old-name")).await;
    let mut client = gateway.client().await;
    let words = r#"{"model":"sandbox/stream-slow-100ms","stream":true,"messages":[{"role":"user","content":"a b c d e f g h i j k l m n o p q r s t"}]}"#;
    client.post("/v1/chat/completions", &[], words).await;
    client.answer_head().await;
    gateway.rewrite(&with_alias("new-name"));
    gateway.generation(2).await;
    assert_eq!(gateway.chat(chat("new-name")).await.status, 200);
    gateway.chat(chat("old-name")).await.assert_error(404, "model_not_found");
    let (body, is_whole) = client.rest().await;
    assert!(is_whole && body.ends_with(b"data: [DONE]\n\n"));
}

#[tokio::test]
async fn a_signal_makes_the_gateway_read_its_file_again() {
    let gateway = Gateway::start(&with_alias("old-name")).await;
    gateway.signal("HUP");
    gateway.generation(2).await;
    gateway.reload(&with_alias("new-name"), "new-name").await;
    assert_eq!(gateway.chat(chat("new-name")).await.status, 200);
}

#[tokio::test]
async fn a_folder_swapped_by_its_link_as_kubernetes_does_is_seen() {
    let launch = Launch::bare();
    let at = |name: &str| launch.folder().join(name);
    for (folder, alias) in [("..2026_01", "old-name"), ("..2026_02", "new-name")] {
        std::fs::create_dir(at(folder)).unwrap();
        std::fs::write(at(folder).join("config.yaml"), with_alias(alias)).unwrap();
    }
    symlink("..2026_01", at("..data")).unwrap();
    symlink("..data/config.yaml", at("config.yaml")).unwrap();
    let gateway = launch.argument("--config").argument("config.yaml").start().await;
    assert_eq!(gateway.chat(chat("old-name")).await.status, 200);

    let at = |name: &str| gateway.folder().join(name);
    symlink("..2026_02", at("..data_tmp")).unwrap();
    std::fs::rename(at("..data_tmp"), at("..data")).unwrap();
    gateway.generation(2).await;
    assert_eq!(gateway.chat(chat("new-name")).await.status, 200);
}

#[tokio::test]
async fn a_bad_file_changes_nothing_and_is_told() {
    let gateway = Gateway::start(&with_alias("good-name")).await;
    gateway.rewrite("listen: \"127.0.0.1:0\"\nmodles: []\n");
    gateway.signal("HUP");
    gateway.log_line("modles").await;

    assert_eq!(gateway.chat(chat("good-name")).await.status, 200);
    let ready = gateway.get("/health/ready").await;
    assert_eq!(ready.status, 200);
    let detail = &ready.json()["configuration"];
    assert_eq!((&detail["generation"], &detail["last_reload"]), (&1.into(), &"failed".into()), "{detail}");
    assert!(detail["error"].as_str().unwrap().contains("ai-gateway-config.yaml:2:1"), "{detail}");
    assert_eq!(gateway.metric("ai_gateway_config_last_reload_success").await, Some(0.0));
    // The signal and the watch of the file may both have been first.
    assert!(gateway.metric("ai_gateway_config_reloads_total{result=\"failure\"}").await >= Some(1.0));

    gateway.reload(&with_alias("better-name"), "better-name").await;
    assert_eq!(gateway.get("/health/ready").await.json()["configuration"]["last_reload"], "succeeded");
    assert_eq!(gateway.metric("ai_gateway_config_last_reload_success").await, Some(1.0));
    assert_eq!(gateway.chat(chat("better-name")).await.status, 200);
}

#[tokio::test]
async fn a_deleted_file_changes_nothing_least_of_all_who_may_call() {
    let auth = format!("auth: {{ mode: required, keys: [{{ name: app, key: {CLIENT_KEY} }}] }}");
    let gateway = Gateway::start(&config(&auth)).await;
    std::fs::remove_file(gateway.folder().join("ai-gateway-config.yaml")).unwrap();
    gateway.signal("HUP");
    while gateway.get("/health/ready").await.json()["configuration"]["last_reload"] == "succeeded" {
        gateway.chat(chat("sandbox/echo")).await.assert_error(401, "invalid_api_key");
    }
    gateway.chat(chat("sandbox/echo")).await.assert_error(401, "invalid_api_key");
    assert_eq!(gateway.metric("ai_gateway_config_last_reload_success").await, Some(0.0));
}

#[tokio::test]
async fn a_changed_secret_file_is_a_changed_configuration() {
    let upstream = Upstream::always(json_answer(CHAT_ANSWER)).await;
    let entry = provider("scripted", upstream.address, "").replace(PROVIDER_KEY, "\"${file:key.txt}\"");
    let launch = Launch::with(&config(&format!("providers:\n{entry}"))).file("key.txt", "first-key\n");
    let gateway = launch.start().await;
    gateway.chat(chat("scripted/m")).await;
    gateway.write("key.txt", "second-key\n");
    gateway.generation(2).await;
    gateway.chat(chat("scripted/m")).await;
    let keys: Vec<_> =
        upstream.requests().iter().map(|request| request.head.get("authorization").unwrap().to_owned()).collect();
    assert_eq!(keys, ["Bearer first-key", "Bearer second-key"]);
    assert!(!gateway.everything_written().contains("second-key"));
}

#[tokio::test]
async fn what_only_a_restart_can_change_is_named() {
    let gateway = Gateway::start(&with_alias("a-name")).await;
    gateway.rewrite(&(with_alias("a-name") + "server: { workers: 7 }\n"));
    gateway.signal("HUP");
    let line = gateway.log_line("restart").await;
    assert!(line.contains("server.workers"), "{line}");
}

#[tokio::test]
async fn connections_to_providers_survive_a_reload_that_does_not_concern_them() {
    let upstream = Upstream::always(json_answer(CHAT_ANSWER)).await;
    let gateway = Gateway::start(&(scripted(upstream.address) + "server: { workers: 1 }\n")).await;
    gateway.chat(chat("scripted/m")).await;
    gateway.reload(&(scripted(upstream.address) + "server: { workers: 1 }\naliases: { x: scripted/m }\n"), "x").await;
    assert_eq!(gateway.chat(chat("x")).await.status, 200);
    assert_eq!(upstream.connections(), 1);
}

#[tokio::test]
async fn the_log_level_follows_the_configuration() {
    let config = with_alias("a-name") + "server: { workers: 1 }\n";
    let gateway = Gateway::start(&config).await;
    gateway.rewrite(&config.replace("format: json", "format: json, level: error"));
    gateway.signal("HUP");
    while gateway.get("/health/ready").await.json()["configuration"]["generation"] == 1 {}
    let quiet = gateway.chat(chat("sandbox/echo")).await;
    // A worker's records are written in order: once this one is there, the one before it has been left out.
    gateway.chat(chat("sandbox/panic")).await;
    gateway.log_line("\"outcome\":\"panicked\"").await;
    assert!(!gateway.everything_written().contains(quiet.request_id()));

    gateway.rewrite(&config);
    gateway.signal("HUP");
    gateway.log_line("configuration reloaded").await;
    let heard = gateway.chat(chat("sandbox/echo")).await;
    assert_eq!(gateway.record(heard.request_id()).await["status"], 200);
}
