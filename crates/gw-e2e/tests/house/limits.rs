//! Clients that send too much, or too slowly, and too many of them.

use std::time::Duration;

use tokio::time::Instant;

use crate::harness::{CHAT_ANSWER, Gateway, Upstream, chat, config, json_answer, scripted, streamed_chat};

const CHAT: &str = "/v1/chat/completions";

async fn gateway(server: &str) -> Gateway {
    Gateway::start(&config(&format!("server: {{ {server} }}"))).await
}

#[tokio::test]
async fn a_body_said_to_be_too_large_is_refused_before_it_is_sent() {
    let gateway = gateway("workers: 1").await;
    let mut client = gateway.client().await;
    client.send(format!("POST {CHAT} HTTP/1.1\r\nhost: localhost\r\ncontent-length: 52428800\r\n\r\n")).await;
    client.answer().await.assert_error(413, "request_too_large");
}

#[tokio::test]
async fn a_body_that_turns_out_too_large_is_refused_while_it_is_sent() {
    let gateway = gateway("workers: 1").await;
    let mut client = gateway.client().await;
    client.send(format!("POST {CHAT} HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\n")).await;
    let chunk = [b"100000\r\n".as_slice(), &vec![b' '; 1 << 20], b"\r\n"].concat();
    for _ in 0..33 {
        client.send(&chunk).await;
    }
    client.answer().await.assert_error(413, "request_too_large");
    assert!(gateway.peak_memory_bytes() < 200 << 20, "{}", gateway.peak_memory_bytes());
}

#[tokio::test]
async fn a_large_body_within_the_limit_arrives_whole() {
    let upstream = Upstream::always(json_answer(CHAT_ANSWER)).await;
    let gateway = Gateway::start(&scripted(upstream.address)).await;
    let body = format!(r#"{{"model":"scripted/m","x":"{}"}}"#, "0123456789abcdef".repeat(1 << 20));
    assert_eq!(gateway.chat(&body).await.status, 200);
    assert!(upstream.only_request().text() == body.replace("scripted/", ""));
}

#[tokio::test]
async fn a_head_that_is_too_large_is_refused_in_openais_form() {
    let gateway = gateway("limits: { header_bytes: 16KiB }").await;
    let long = "x".repeat(20 << 10);
    let many: String = (0..2_000).map(|number| format!("x-{number}: y\r\n")).collect();
    for request in [
        format!("GET /v1/models HTTP/1.1\r\nhost: localhost\r\nx-long: {long}\r\n\r\n"),
        format!("GET /v1/models HTTP/1.1\r\nhost: localhost\r\n{many}\r\n"),
        format!("GET /v1/models?{long} HTTP/1.1\r\nhost: localhost\r\n\r\n"),
    ] {
        let mut client = gateway.client().await;
        client.send(request).await;
        client.answer().await.assert_error(431, "headers_too_large");
    }
    assert_eq!(gateway.get("/v1/models").await.status, 200);
}

#[tokio::test]
async fn a_head_that_does_not_come_is_told_and_the_connection_closed() {
    let gateway = gateway("timeouts: { header: 500ms }").await;
    let start = Instant::now();
    let mut client = gateway.client().await;
    client.send("POST /v1/chat/completions HTTP/1.1\r\nhost: loc").await;
    client.answer().await.assert_error(408, "request_timeout");
    assert!(client.is_closed().await);
    let waited = start.elapsed();
    assert!((Duration::from_millis(450)..Duration::from_secs(3)).contains(&waited), "{waited:?}");
}

#[tokio::test]
async fn a_head_that_drips_gains_no_time() {
    let gateway = gateway("timeouts: { header: 500ms }").await;
    let mut client = gateway.client().await;
    let start = Instant::now();
    client.send("GET /v1/models HTTP/1.1\r\n").await;
    for number in 0..20 {
        client.send(format!("x-{number}: y\r\n")).await;
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    // By now it is over: the rest of the head comes too late.
    client.send("host: localhost\r\n\r\n").await;
    client.answer().await.assert_error(408, "request_timeout");
    assert!(start.elapsed() < Duration::from_secs(4), "{:?}", start.elapsed());
}

#[tokio::test]
async fn a_body_that_does_not_come_is_told() {
    let gateway = gateway("timeouts: { body: 500ms }").await;
    let mut client = gateway.client().await;
    client.send(format!("POST {CHAT} HTTP/1.1\r\nhost: localhost\r\ncontent-length: 100\r\n\r\n{{\"model\"")).await;
    let answer = client.answer().await;
    answer.assert_error(408, "request_timeout");
    assert!(client.is_closed().await);
    let record = gateway.record(answer.request_id()).await;
    assert_eq!((&record["status"], &record["error"]), (&408.into(), &"request_timeout".into()), "{record}");
}

#[tokio::test]
async fn a_body_that_drips_is_told_when_the_total_time_is_over() {
    let gateway = gateway("timeouts: { body: 500ms, request: 1s }").await;
    let start = Instant::now();
    let mut client = gateway.client().await;
    client.send(format!("POST {CHAT} HTTP/1.1\r\nhost: localhost\r\ncontent-length: 1000\r\n\r\n")).await;
    for _ in 0..15 {
        client.send(" ").await;
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    client.answer().await.assert_error(408, "request_timeout");
    assert!((Duration::from_millis(950)..Duration::from_secs(4)).contains(&start.elapsed()), "{:?}", start.elapsed());
}

#[tokio::test]
async fn a_connection_without_requests_is_closed_without_a_word() {
    let gateway = gateway("timeouts: { idle: 500ms }").await;
    let mut fresh = gateway.client().await;
    let mut used = gateway.client().await;
    used.get("/v1/models", &[]).await;
    assert_eq!(used.answer().await.status, 200);
    assert!(used.is_closed().await);
    assert!(fresh.is_closed().await);
}

#[tokio::test]
async fn a_client_that_does_not_read_is_let_go_and_the_provider_with_it() {
    let upstream = Upstream::start(|mut peer| async move {
        peer.request().await;
        peer.send("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n").await;
        let event = format!(
            "data: {{\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"{}\"}}}}]}}\n\n",
            "x".repeat(60 << 10)
        );
        while peer.send(&event).await {}
        peer.gone().await;
    })
    .await;
    let gateway = Gateway::start(&(scripted(upstream.address) + "server: { timeouts: { write: 1s } }\n")).await;
    let mut client = gateway.client().await;
    client.post(CHAT, &[], streamed_chat("scripted/m")).await;
    let (_, head) = client.answer_head().await;
    upstream.departed(1).await;
    let record = gateway.record(head.get("x-request-id").unwrap()).await;
    assert_eq!(record["outcome"], "cancelled", "{record}");
    assert!(gateway.peak_memory_bytes() < 100 << 20, "{}", gateway.peak_memory_bytes());
}

#[tokio::test]
async fn requests_beyond_the_limit_are_told_when_to_try_again() {
    let gateway = gateway("limits: { requests_in_flight: 1 }").await;
    let mut first = gateway.client().await;
    first.post(CHAT, &[], streamed_chat("sandbox/stream-slow-50ms")).await;
    assert_eq!(first.answer_head().await.0, 200);
    let second = gateway.chat(chat("sandbox/echo")).await;
    second.assert_error(503, "overloaded");
    assert!(second.header("retry-after").is_some());
    assert_eq!(gateway.get("/health/live").await.status, 200);
    let (body, is_whole) = first.rest().await;
    assert!(is_whole && body.ends_with(b"data: [DONE]\n\n"));
    assert_eq!(gateway.chat(chat("sandbox/echo")).await.status, 200);
}

#[tokio::test]
async fn connections_beyond_the_limit_are_told_when_to_try_again() {
    let gateway = gateway("limits: { connections: 2 }").await;
    let mut first = gateway.client().await;
    let mut second = gateway.client().await;
    for client in [&mut first, &mut second] {
        client.get("/health/live", &[]).await;
        assert_eq!(client.answer().await.status, 200);
    }
    let third = gateway.get("/health/live").await;
    third.assert_error(503, "overloaded");
    assert!(third.header("retry-after").is_some());
    first.get("/health/live", &[]).await;
    assert_eq!(first.answer().await.status, 200);
}

#[tokio::test]
async fn bodies_beyond_the_memory_for_them_are_told_when_to_try_again() {
    let gateway = gateway("limits: { body_bytes: 4MiB, held_bytes: 4MiB }").await;
    let body = |model| {
        format!(r#"{{"model":"{model}","messages":[{{"role":"user","content":"x"}}],"x":"{}"}}"#, "x".repeat(3 << 20))
    };
    let mut first = gateway.client().await;
    first.post(CHAT, &[], body("sandbox/timeout")).await;
    while gateway.metric("ai_gateway_held_bytes").await < Some((2 << 20).into()) {}
    let second = gateway.chat(body("sandbox/echo")).await;
    second.assert_error(503, "overloaded");
    assert!(second.header("retry-after").is_some());
    drop(first);
    while gateway.metric("ai_gateway_held_bytes").await != Some(0.0) {}
    assert_eq!(gateway.chat(body("sandbox/echo")).await.status, 200);
}

#[tokio::test]
async fn a_request_has_a_total_time() {
    let gateway = gateway("timeouts: { request: 500ms }").await;
    gateway.chat(chat("sandbox/timeout")).await.assert_error(504, "deadline_exceeded");
    let answer = gateway.chat(streamed_chat("sandbox/hang-mid-stream")).await;
    assert!(answer.text().contains("deadline_exceeded"), "{}", answer.text());
}
