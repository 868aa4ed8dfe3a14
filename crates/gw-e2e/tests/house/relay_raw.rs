//! A provider's own API, carried raw: with its credential and without ours, and nowhere else than to it.

use crate::harness::{CLIENT_KEY, Gateway, PROVIDER_KEY, Upstream, config, http_answer, json_answer, provider};

const USED: &str = r#"{"candidates":[],"usageMetadata":{"promptTokenCount":7,"candidatesTokenCount":3}}"#;

async fn house(answer: Vec<u8>, more: &str) -> (Upstream, Gateway) {
    let upstream = Upstream::always(answer).await;
    let auth = format!("auth: {{ mode: required, keys: [{{ name: app, key: {CLIENT_KEY} }}] }}");
    let providers = provider("scripted", upstream.address, more);
    let gateway = Gateway::start(&config(&format!("{auth}\nproviders:\n{providers}"))).await;
    (upstream, gateway)
}

fn bearer() -> String {
    format!("Bearer {CLIENT_KEY}")
}

#[tokio::test]
async fn a_call_goes_through_as_it_is_but_for_keys_and_what_is_about_the_connection() {
    let answer = http_answer(
        201,
        &[
            ("content-type", "application/json"),
            ("set-cookie", "a=b"),
            ("location", "/v9/things/1"),
            ("access-control-allow-origin", "https://provider.example.com"),
            ("x-ratelimit-remaining", "5"),
        ],
        USED,
    );
    let (upstream, gateway) = house(answer, ", passthrough: true").await;
    let mut client = gateway.client().await;
    let key = bearer();
    let headers = [
        ("authorization", key.as_str()),
        ("x-goog-api-key", CLIENT_KEY),
        ("cookie", "session=1"),
        ("x-forwarded-for", "10.0.0.1"),
        ("connection", "x-hop"),
        ("x-hop", "1"),
        ("accept-encoding", "gzip"),
        ("anthropic-beta", "files-api"),
        ("x-custom", "kept"),
        ("content-type", "application/x-thing"),
    ];
    let path = format!("/passthrough/scripted/v9/things/a%20b:go?alt=sse&key={CLIENT_KEY}&z=%2F");
    client.post(&path, &headers, b"\x00any bytes\xff").await;
    let answer = client.answer().await;
    assert_eq!((answer.status, answer.text()), (201, USED));
    assert_eq!(answer.header("location"), Some("/v9/things/1"));
    assert_eq!(answer.header("x-ratelimit-remaining"), Some("5"));
    assert_eq!(answer.header("x-provider-used"), Some("scripted"));
    assert!(answer.header("set-cookie").is_none() && answer.header("access-control-allow-origin").is_none());

    let request = upstream.only_request();
    assert_eq!(request.head.first_line, "POST /v9/things/a%20b:go?alt=sse&z=%2F HTTP/1.1");
    assert_eq!(request.body, b"\x00any bytes\xff");
    assert_eq!(request.head.get("authorization"), Some(format!("Bearer {PROVIDER_KEY}").as_str()));
    assert_eq!(request.head.get("anthropic-beta"), Some("files-api"));
    assert_eq!(request.head.get("x-custom"), Some("kept"));
    assert_eq!(request.head.get("content-type"), Some("application/x-thing"));
    for absent in ["x-goog-api-key", "cookie", "x-forwarded-for", "x-hop"] {
        assert_eq!(request.head.get(absent), None, "{absent}");
    }
    assert!(!request.head.raw.contains(CLIENT_KEY));
    let record = gateway.record(answer.request_id()).await;
    assert_eq!((&record["operation"], &record["key"]), (&"passthrough".into(), &"app".into()), "{record}");
    assert_eq!((&record["input_tokens"], &record["output_tokens"]), (&7.into(), &3.into()), "{record}");
}

#[tokio::test]
async fn any_method_is_carried() {
    let (upstream, gateway) = house(json_answer("{}"), ", passthrough: true").await;
    let mut client = gateway.client().await;
    for method in ["GET", "PUT", "PATCH", "DELETE"] {
        client
            .send(format!(
                "{method} /passthrough/scripted/x HTTP/1.1\r\nhost: h\r\nauthorization: {}\r\n\r\n",
                bearer()
            ))
            .await;
        assert_eq!(client.answer().await.status, 200);
    }
    let methods: Vec<_> = upstream.requests().iter().map(|request| request.head.first_line.clone()).collect();
    assert_eq!(methods, ["GET /x HTTP/1.1", "PUT /x HTTP/1.1", "PATCH /x HTTP/1.1", "DELETE /x HTTP/1.1"]);
}

#[tokio::test]
async fn a_method_that_would_repeat_our_credential_or_open_a_tunnel_is_not() {
    let (upstream, gateway) = house(json_answer("{}"), ", passthrough: true").await;
    for method in ["TRACE", "CONNECT", "trace"] {
        let mut client = gateway.client().await;
        let head = format!("host: h\r\nauthorization: {}\r\n\r\n", bearer());
        client.send(format!("{method} /passthrough/scripted/x HTTP/1.1\r\n{head}")).await;
        assert!(client.answer().await.status >= 400, "{method}");
    }
    assert!(upstream.requests().is_empty(), "{}", upstream.requests()[0].head.raw);
}

#[tokio::test]
async fn it_is_closed_unless_the_operator_opened_it_and_never_without_a_key() {
    let key = bearer();
    let with_key = [("authorization", key.as_str())];
    for more in ["", ", passthrough: false"] {
        let (upstream, gateway) = house(json_answer("{}"), more).await;
        gateway.get_with("/passthrough/scripted/v1/x", &with_key).await.assert_error(403, "operation_disabled");
        assert!(upstream.requests().is_empty());
    }
    let (upstream, gateway) = house(json_answer("{}"), ", passthrough: true").await;
    gateway.get("/passthrough/scripted/v1/x").await.assert_error(401, "invalid_api_key");
    gateway.get_with("/passthrough/nobody/v1/x", &with_key).await.assert_error(404, "route_not_found");
    assert!(upstream.requests().is_empty());
}

#[tokio::test]
async fn with_a_key_of_its_own_a_client_may_use_what_has_none_configured() {
    let upstream = Upstream::always(json_answer("{}")).await;
    let keyless =
        format!("  - {{ name: keyless, type: openai, endpoint: \"http://{}/v1\", proxy: direct }}\n", upstream.address);
    let gateway = Gateway::start(&config(&format!("auth: {{ mode: passthrough }}\nproviders:\n{keyless}"))).await;
    let own = [("authorization", "Bearer sk-of-the-client-0123456789")];
    assert_eq!(gateway.get_with("/passthrough/keyless/v1/assistants", &own).await.status, 200);
    assert_eq!(upstream.only_request().head.get("authorization"), Some(own[0].1));
    gateway.get("/passthrough/keyless/v1/assistants").await.assert_error(401, "provider_credential_missing");
}

#[tokio::test]
async fn no_path_leads_anywhere_else() {
    let (upstream, gateway) = house(json_answer("{}"), ", passthrough: true").await;
    let mut client = gateway.client().await;
    for path in ["/../x", "/a/%2e%2e/b", "/a%2fb", "/a%5cb", "/%252e%252e/x", "/a/..;/b", "/a%0d%0ab", "/a\\b"] {
        client
            .send(format!("GET /passthrough/scripted{path} HTTP/1.1\r\nhost: h\r\nauthorization: {}\r\n\r\n", bearer()))
            .await;
        let answer = client.answer().await;
        assert_eq!(answer.status, 400, "{path}: {}", answer.text());
        if answer.header("connection") == Some("close") {
            client = gateway.client().await;
        }
    }
    let mut client = gateway.client().await;
    client
        .send(format!(
            "GET http://evil.example.com/passthrough/scripted/x HTTP/1.1\r\nhost: h\r\nauthorization: {}\r\n\r\n",
            bearer()
        ))
        .await;
    client.answer().await.assert_error(400, "invalid_request");
    assert!(upstream.requests().is_empty());
}

#[tokio::test]
async fn a_refusal_goes_through_as_it_is_but_not_one_about_our_credential() {
    let html = http_answer(422, &[("content-type", "text/html")], "<b>no</b>");
    let (_upstream, gateway) = house(html, ", passthrough: true").await;
    let key = bearer();
    let answer = gateway.get_with("/passthrough/scripted/x", &[("authorization", &key)]).await;
    assert_eq!((answer.status, answer.text()), (422, "<b>no</b>"));
    let record = gateway.record(answer.request_id()).await;
    assert_eq!((&record["outcome"], &record["status"]), (&"failed".into(), &422.into()), "{record}");

    let told = format!(r#"{{"error":{{"message":"Incorrect API key provided: {PROVIDER_KEY}"}}}}"#);
    let (_upstream, gateway) = house(http_answer(401, &[], told), ", passthrough: true").await;
    let answer = gateway.get_with("/passthrough/scripted/x", &[("authorization", &key)]).await;
    answer.assert_error(502, "provider_authentication");
    assert!(!answer.text().contains(PROVIDER_KEY));
}
