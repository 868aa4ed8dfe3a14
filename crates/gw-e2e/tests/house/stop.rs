//! The gateway is told to stop.

use std::time::Duration;

use tokio::time::Instant;

use crate::harness::{Gateway, chat, config, streamed_chat};

const CHAT: &str = "/v1/chat/completions";

#[tokio::test]
async fn a_stream_in_flight_ends_well_and_the_exit_is_clean() {
    let mut gateway = Gateway::start(&config("")).await;
    let mut idle = gateway.client().await;
    idle.get("/health/live", &[]).await;
    assert_eq!(idle.answer().await.status, 200);
    let mut client = gateway.client().await;
    client.post(CHAT, &[], streamed_chat("sandbox/stream-slow-200ms")).await;
    let (_, head) = client.answer_head().await;
    gateway.signal("TERM");
    assert!(idle.is_closed().await);
    let (body, is_whole) = client.rest().await;
    assert!(is_whole && body.ends_with(b"data: [DONE]\n\n"), "{}", String::from_utf8_lossy(&body));
    let record = gateway.record(head.get("x-request-id").unwrap()).await;
    assert_eq!(record["outcome"], "completed");
    assert_eq!(gateway.exit_code().await, Some(0));
}

#[tokio::test]
async fn connections_that_wait_to_be_accepted_are_served() {
    for accept in ["shared", "handoff"] {
        let mut gateway = Gateway::start(&config(&format!("server: {{ accept: {accept} }}"))).await;
        let mut clients = Vec::new();
        for _ in 0..100 {
            let mut client = gateway.client().await;
            client.post(CHAT, &[], chat("sandbox/echo")).await;
            clients.push(client);
        }
        gateway.signal("TERM");
        for client in &mut clients {
            let answer = client.answer().await;
            assert_eq!(answer.status, 200, "{accept}");
        }
        assert_eq!(gateway.exit_code().await, Some(0));
    }
}

#[tokio::test]
async fn an_answer_given_while_stopping_closes_its_connection() {
    let mut gateway = Gateway::start(&config("server: { workers: 1 }")).await;
    let mut idle = gateway.client().await;
    idle.get("/health/live", &[]).await;
    idle.answer().await;
    let mut client = gateway.client().await;
    client.send(format!("POST {CHAT} HTTP/1.1\r\nhost: localhost\r\n")).await;
    let mut other = gateway.client().await;
    other.post(CHAT, &[], streamed_chat("sandbox/stream-slow-200ms")).await;
    other.answer_head().await;
    gateway.signal("TERM");
    // Idle connections are closed as soon as the worker stops.
    assert!(idle.is_closed().await);
    let body = chat("sandbox/echo");
    client.send(format!("content-length: {}\r\n\r\n{body}", body.len())).await;
    let answer = client.answer().await;
    assert_eq!((answer.status, answer.header("connection")), (200, Some("close")));
    assert!(client.is_closed().await);
    other.rest().await;
    assert_eq!(gateway.exit_code().await, Some(0));
}

#[tokio::test]
async fn a_connection_made_before_the_stop_is_served_if_its_request_comes_soon() {
    for accept in ["shared", "handoff"] {
        let mut gateway = Gateway::start(&config(&format!("server: {{ accept: {accept}, workers: 1 }}"))).await;
        let mut idle = gateway.client().await;
        idle.get("/health/live", &[]).await;
        idle.answer().await;
        let mut fresh = gateway.client().await;
        gateway.signal("TERM");
        assert!(idle.is_closed().await);
        fresh.post(CHAT, &[], chat("sandbox/echo")).await;
        let answer = fresh.answer().await;
        assert_eq!((answer.status, answer.header("connection")), (200, Some("close")), "{accept}");
        assert_eq!(gateway.exit_code().await, Some(0));
    }
}

#[tokio::test]
async fn what_does_not_end_is_ended_at_the_limit() {
    let mut gateway = Gateway::start(&config("server: { timeouts: { drain: 1s } }")).await;
    let mut client = gateway.client().await;
    client.post(CHAT, &[], streamed_chat("sandbox/hang-mid-stream")).await;
    client.answer_head().await;
    let start = Instant::now();
    gateway.signal("TERM");
    let (body, _) = client.rest().await;
    assert!(!String::from_utf8_lossy(&body).contains("[DONE]"));
    assert_eq!(gateway.exit_code().await, Some(0));
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
}

#[tokio::test]
async fn a_gateway_without_requests_stops_at_once_on_either_signal() {
    for signal in ["TERM", "INT"] {
        let mut gateway = Gateway::start(&config("")).await;
        let start = Instant::now();
        gateway.signal(signal);
        assert_eq!(gateway.exit_code().await, Some(0), "{signal}");
        assert!(start.elapsed() < Duration::from_secs(2), "{signal}: {:?}", start.elapsed());
    }
}
