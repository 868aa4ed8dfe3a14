//! Who may call, and where a client's key goes.

use crate::harness::{CHAT_ANSWER, CLIENT_KEY, Gateway, PROVIDER_KEY, Upstream, chat, config, json_answer, provider};

const CHAT: &str = "/v1/chat/completions";
const FOREIGN_KEY: &str = "sk-of-the-client-itself-0123456789";

/// Two providers, one with a credential and one without, and one key of our own.
async fn house(mode: &str) -> (Upstream, Gateway) {
    let upstream = Upstream::always(json_answer(CHAT_ANSWER)).await;
    let keyless =
        format!("  - {{ name: keyless, type: openai, endpoint: \"http://{}/v1\", proxy: direct }}\n", upstream.address);
    let providers = provider("keyed", upstream.address, "") + &keyless;
    let auth = format!("auth: {{ mode: {mode}, keys: [{{ name: app, key: {CLIENT_KEY} }}] }}");
    let gateway = Gateway::start(&config(&format!("{auth}\nproviders:\n{providers}"))).await;
    (upstream, gateway)
}

async fn ask(gateway: &Gateway, model: &str, key: Option<&str>) -> crate::harness::Answer {
    let bearer = key.map(|key| format!("Bearer {key}"));
    let headers: Vec<_> = bearer.iter().map(|bearer| ("authorization", bearer.as_str())).collect();
    gateway.post_with(CHAT, &headers, chat(model)).await
}

#[tokio::test]
async fn where_keys_are_required_only_a_known_one_is_served() {
    let (upstream, gateway) = house("required").await;
    ask(&gateway, "keyed/m", None).await.assert_error(401, "invalid_api_key");
    ask(&gateway, "keyed/m", Some(FOREIGN_KEY)).await.assert_error(401, "invalid_api_key");
    ask(&gateway, "keyless/m", Some(FOREIGN_KEY)).await.assert_error(401, "invalid_api_key");
    gateway.get("/v1/models").await.assert_error(401, "invalid_api_key");
    assert!(upstream.requests().is_empty());

    let answer = ask(&gateway, "keyed/m", Some(CLIENT_KEY)).await;
    assert_eq!(answer.status, 200);
    assert_eq!(gateway.record(answer.request_id()).await["key"], "app");
    let request = upstream.only_request();
    assert_eq!(request.head.get("authorization"), Some(format!("Bearer {PROVIDER_KEY}").as_str()));
    assert!(!request.head.raw.contains(CLIENT_KEY));
    let written = gateway.everything_written();
    assert!([CLIENT_KEY, FOREIGN_KEY, PROVIDER_KEY].iter().all(|key| !written.contains(key)), "{written}");
}

#[tokio::test]
async fn who_may_not_call_is_told_so_before_the_body_is_read() {
    let (_upstream, gateway) = house("required").await;
    let mut client = gateway.client().await;
    client.send(format!("POST {CHAT} HTTP/1.1\r\nhost: x\r\ncontent-length: 1000\r\n\r\n")).await;
    client.answer().await.assert_error(401, "invalid_api_key");
}

#[tokio::test]
async fn health_needs_no_key() {
    let (_upstream, gateway) = house("required").await;
    assert_eq!(gateway.get("/health/live").await.status, 200);
    assert_eq!(gateway.get("/health/ready").await.status, 200);
}

#[tokio::test]
async fn a_client_of_its_own_goes_only_to_a_named_provider_without_one() {
    for mode in ["optional", "passthrough"] {
        let (upstream, gateway) = house(mode).await;
        assert_eq!(ask(&gateway, "keyless/m", Some(FOREIGN_KEY)).await.status, 200, "{mode}");
        assert_eq!(ask(&gateway, "keyed/m", Some(FOREIGN_KEY)).await.status, 200, "{mode}");
        assert_eq!(ask(&gateway, "keyed/m", None).await.status, 200, "{mode}");
        let keys: Vec<_> =
            upstream.requests().iter().map(|request| request.head.get("authorization").unwrap().to_owned()).collect();
        let ours = format!("Bearer {PROVIDER_KEY}");
        assert_eq!(keys, [format!("Bearer {FOREIGN_KEY}"), ours.clone(), ours], "{mode}");

        // Found by the model's name alone, or without a key, the provider without a credential cannot be used.
        ask(&gateway, "gpt-4o", Some(FOREIGN_KEY)).await.assert_error(401, "provider_credential_missing");
        ask(&gateway, "keyless/m", None).await.assert_error(401, "provider_credential_missing");
        // Our own key is no credential for a provider.
        ask(&gateway, "keyless/m", Some(CLIENT_KEY)).await.assert_error(401, "provider_credential_missing");
        assert_eq!(upstream.requests().len(), 3);
        assert!(!gateway.everything_written().contains(FOREIGN_KEY));
    }
}

#[tokio::test]
async fn where_keys_are_not_looked_at_none_is_forwarded() {
    let (upstream, gateway) = house("none").await;
    assert_eq!(ask(&gateway, "keyed/m", Some(FOREIGN_KEY)).await.status, 200);
    ask(&gateway, "keyless/m", Some(FOREIGN_KEY)).await.assert_error(401, "provider_credential_missing");
    assert!(!upstream.only_request().head.raw.contains(FOREIGN_KEY));
}

#[tokio::test]
async fn without_keys_only_this_machine_under_its_own_name_is_served() {
    let gateway = Gateway::start(&config("")).await;
    let from = async |headers: &[(&str, &str)]| gateway.post_with(CHAT, headers, chat("sandbox/echo")).await;
    from(&[("host", "evil.example.com")]).await.assert_error(403, "foreign_origin");
    from(&[("origin", "https://evil.example.com")]).await.assert_error(403, "foreign_origin");
    from(&[("origin", "null")]).await.assert_error(403, "foreign_origin");
    gateway.get_with("/v1/models", &[("host", "evil.example.com")]).await.assert_error(403, "foreign_origin");
    gateway.get_with("/metrics", &[("host", "evil.example.com")]).await.assert_error(403, "foreign_origin");
    let port = gateway.address.port();
    for host in [format!("localhost:{port}"), format!("127.0.0.1:{port}"), "[::1]".to_owned()] {
        assert_eq!(from(&[("host", &host)]).await.status, 200, "{host}");
    }
    assert_eq!(from(&[("origin", "http://localhost:3000")]).await.status, 200);
}

#[tokio::test]
async fn a_key_stands_for_the_origin() {
    let (_upstream, gateway) = house("required").await;
    let headers = [("host", "gateway.example.com"), ("authorization", &format!("Bearer {CLIENT_KEY}"))];
    assert_eq!(gateway.post_with(CHAT, &headers, chat("keyed/m")).await.status, 200);
}

#[tokio::test]
async fn a_page_of_an_allowed_origin_may_call() {
    let gateway = Gateway::start(&config("server: { cors_origins: [\"https://app.example.com\"] }")).await;
    let mut client = gateway.client().await;
    client
        .send(format!(
            "OPTIONS {CHAT} HTTP/1.1\r\nhost: localhost\r\norigin: https://app.example.com\r\n\
             access-control-request-method: POST\r\naccess-control-request-headers: authorization,content-type\r\n\r\n"
        ))
        .await;
    let preflight = client.answer().await;
    assert_eq!(preflight.status, 204);
    assert_eq!(preflight.header("access-control-allow-origin"), Some("https://app.example.com"));
    assert_eq!(preflight.header("access-control-allow-headers"), Some("authorization,content-type"));
    let origin = [("origin", "https://app.example.com")];
    let answer = gateway.post_with(CHAT, &origin, chat("sandbox/echo")).await;
    assert_eq!((answer.status, answer.header("access-control-allow-origin")), (200, Some("https://app.example.com")));
    let other = gateway.post_with(CHAT, &[("origin", "https://other.example.com")], chat("sandbox/echo")).await;
    other.assert_error(403, "foreign_origin");
    assert_eq!(other.header("access-control-allow-origin"), None);
}
