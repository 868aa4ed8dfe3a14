//! Conversations over WebSocket: agreed on with the provider, carried as they are, and ended in words.

use crate::harness::{
    CLIENT_KEY, Client, Framing, Gateway, PROVIDER_KEY, Peer, Upstream, config, http_answer, provider,
};

const AGREED: &str = "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: Upgrade\r\n\
                      sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nsec-websocket-protocol: realtime\r\n\
                      x-request-id: req_1\r\n\r\n";
/// A text and a goodbye as a client sends them, masked.
const HELLO: &[u8] = &[0x81, 0x82, 1, 2, 3, 4, b'h' ^ 1, b'i' ^ 2];
const GOODBYE: &[u8] = &[0x88, 0x82, 1, 2, 3, 4, 0x03 ^ 1, 0xe8 ^ 2];

fn text(text: &str) -> Vec<u8> {
    assert!(text.len() > 125);
    [&[0x81, 126], &u16::try_from(text.len()).unwrap().to_be_bytes()[..], text.as_bytes()].concat()
}

fn done(tokens: u32) -> Vec<u8> {
    text(&format!(
        r#"{{"type":"response.done","event_id":"e","response":{{"id":"r","status":"completed","output":[],"usage":{{"total_tokens":{},"input_tokens":{tokens},"output_tokens":2,"input_token_details":{{"cached_tokens":1}}}}}}}}"#,
        tokens + 2
    ))
}

async fn house<S, F>(script: S, more: &str) -> (Upstream, Gateway)
where
    S: Fn(Peer) -> F + Send + Sync + 'static,
    F: Future<Output = ()> + Send + 'static,
{
    let upstream = Upstream::start(script).await;
    let auth = format!("auth: {{ mode: required, keys: [{{ name: app, key: {CLIENT_KEY} }}] }}");
    let providers = provider("scripted", upstream.address, "");
    let gateway = Gateway::start(&config(&format!("{auth}\nproviders:\n{providers}{more}"))).await;
    (upstream, gateway)
}

/// Asks as a browser does, with the key among the protocols.
async fn ask(gateway: &Gateway) -> Client {
    let mut client = gateway.client().await;
    let protocols = format!("realtime, openai-insecure-api-key.{CLIENT_KEY}, openai-beta.realtime-v1");
    client
        .send(format!(
            "GET /v1/realtime?model=scripted/gpt-realtime HTTP/1.1\r\nhost: localhost\r\nupgrade: websocket\r\n\
             connection: keep-alive, Upgrade\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
             sec-websocket-version: 13\r\nsec-websocket-protocol: {protocols}\r\n\
             sec-websocket-extensions: permessage-deflate\r\n\r\n"
        ))
        .await;
    client
}

/// Reads until so many bytes have come.
async fn read(client: &mut Client, bytes: usize) -> Vec<u8> {
    let mut read = Vec::new();
    while read.len() < bytes {
        let piece = client.piece().await.ok().flatten();
        read.extend(piece.unwrap_or_else(|| panic!("the end came early: {}", String::from_utf8_lossy(&read))));
    }
    read
}

async fn hear(peer: &mut Peer, bytes: usize) -> Vec<u8> {
    let mut heard = Vec::new();
    while heard.len() < bytes {
        heard.extend(peer.piece(&mut Framing::UntilClose).await.ok().flatten().expect("more from the gateway"));
    }
    heard
}

/// What is left until the end of the connection.
async fn rest(client: &mut Client) -> (String, Option<u16>) {
    let (rest, _) = client.rest().await;
    let close =
        rest.windows(2).rposition(|head| head[0] == 0x88).map(|at| u16::from_be_bytes([rest[at + 2], rest[at + 3]]));
    (String::from_utf8_lossy(&rest).into_owned(), close)
}

#[tokio::test]
async fn a_conversation_is_carried_as_it_is_and_what_it_used_is_counted() {
    let (upstream, gateway) = house(
        |mut peer| async move {
            peer.request().await;
            // The first event comes with the head.
            peer.send([AGREED.as_bytes(), &done(10)].concat()).await;
            assert_eq!(hear(&mut peer, HELLO.len()).await, HELLO);
            peer.send(done(20)).await;
            assert_eq!(hear(&mut peer, GOODBYE.len()).await, GOODBYE);
            peer.send([0x88, 2, 0x03, 0xe8]).await;
        },
        "",
    )
    .await;
    let mut client = ask(&gateway).await;
    let (status, head) = client.answer_head().await;
    assert_eq!(status, 101, "{}", head.raw);
    assert_eq!(head.get("sec-websocket-accept"), Some("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
    assert_eq!(head.get("sec-websocket-protocol"), Some("realtime"));
    assert_eq!(head.get("x-provider-used"), Some("scripted"));
    let expected = done(10);
    assert_eq!(read(&mut client, expected.len()).await, expected);
    client.send(HELLO).await;
    assert_eq!(read(&mut client, expected.len()).await, done(20));
    client.send(GOODBYE).await;
    assert_eq!(read(&mut client, 4).await, [0x88, 2, 0x03, 0xe8]);
    assert!(client.is_closed().await);

    let asked = upstream.only_request().head;
    assert_eq!(asked.first_line, "GET /v1/realtime?model=gpt-realtime HTTP/1.1");
    assert_eq!(asked.get("authorization"), Some(format!("Bearer {PROVIDER_KEY}").as_str()));
    assert_eq!(asked.get("sec-websocket-protocol"), Some("realtime, openai-beta.realtime-v1"));
    assert_eq!(asked.get("sec-websocket-key"), Some("dGhlIHNhbXBsZSBub25jZQ=="));
    assert_eq!(asked.get("sec-websocket-extensions"), None);
    assert!(!asked.raw.contains(CLIENT_KEY));
    let record = gateway.record(head.get("x-request-id").unwrap()).await;
    assert_eq!((&record["operation"], &record["outcome"]), (&"realtime".into(), &"completed".into()), "{record}");
    assert_eq!((&record["input_tokens"], &record["output_tokens"]), (&30.into(), &4.into()), "{record}");
    assert_eq!((&record["key"], &record["status"]), (&"app".into(), &101.into()), "{record}");
    assert!(!gateway.everything_written().contains(CLIENT_KEY));
}

#[tokio::test]
async fn a_provider_that_dies_is_told_in_an_event_and_a_close() {
    let (_upstream, gateway) = house(
        |mut peer| async move {
            peer.request().await;
            peer.send([AGREED.as_bytes(), &done(10)].concat()).await;
            peer.reset();
        },
        "",
    )
    .await;
    let mut client = ask(&gateway).await;
    let (_, head) = client.answer_head().await;
    let (said, code) = rest(&mut client).await;
    assert!(said.contains(r#"{"type":"error","error":{"message":"the provider closed"#), "{said}");
    assert!(said.contains("provider_stream_interrupted"), "{said}");
    assert_eq!(code, Some(1011));
    let record = gateway.record(head.get("x-request-id").unwrap()).await;
    assert_eq!((&record["outcome"], &record["input_tokens"]), (&"failed".into(), &10.into()), "{record}");
}

#[tokio::test]
async fn a_client_that_leaves_lets_its_provider_go() {
    let (upstream, gateway) = house(
        |mut peer| async move {
            peer.request().await;
            peer.send(AGREED).await;
            peer.gone().await;
        },
        "",
    )
    .await;
    let mut client = ask(&gateway).await;
    let (_, head) = client.answer_head().await;
    drop(client);
    upstream.departed(1).await;
    let record = gateway.record(head.get("x-request-id").unwrap()).await;
    assert_eq!(record["outcome"], "cancelled", "{record}");
    while gateway.metric("ai_gateway_requests_in_flight").await != Some(0.0) {}
}

#[tokio::test]
async fn silence_and_broken_rules_end_in_a_close_that_says_so() {
    let patient = |mut peer: Peer| async move {
        peer.request().await;
        peer.send(AGREED).await;
        peer.gone().await;
    };
    let (upstream, gateway) = house(patient, "relay: { realtime_idle: 300ms }").await;
    let mut client = ask(&gateway).await;
    client.answer_head().await;
    let (said, code) = rest(&mut client).await;
    assert!(said.contains("request_timeout"), "{said}");
    assert_eq!(code, Some(1001));

    let mut client = ask(&gateway).await;
    client.answer_head().await;
    client.send([0x81, 0x02, b'h', b'i']).await;
    assert_eq!(rest(&mut client).await.1, Some(1002));
    upstream.departed(2).await;
}

#[tokio::test]
async fn a_refusal_is_an_answer_of_http() {
    let (_upstream, gateway) = house(
        |mut peer| async move {
            peer.request().await;
            let error = r#"{"error":{"message":"no such model","type":"invalid_request_error","param":null,"code":"model_not_found"}}"#;
            peer.send(http_answer(404, &[("content-type", "application/json")], error)).await;
        },
        "",
    )
    .await;
    let answer = ask(&gateway).await.answer().await;
    assert_eq!(answer.status, 404);
    assert!(answer.text().contains("no such model"));
    let key = format!("Bearer {CLIENT_KEY}");
    let plain = gateway.get_with("/v1/realtime?model=scripted/x", &[("authorization", &key)]).await;
    plain.assert_error(400, "invalid_request");
    let mut stranger = gateway.client().await;
    stranger.get("/v1/realtime?model=scripted/x", &[("upgrade", "websocket"), ("connection", "upgrade")]).await;
    stranger.answer().await.assert_error(401, "invalid_api_key");
}
