//! A client that leaves: the provider is let go at once, and the record says so.

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Full};
use tokio::net::TcpStream;

use crate::harness::{
    CHAT_ANSWER, Gateway, Upstream, chat, event_stream, http2_client, json_answer, scripted, streamed_chat, within,
};

const CHAT: &str = "/v1/chat/completions";
const EVENT: &str = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"x\"}}]}\n\n";

/// Streams one event (or nothing, where no stream is asked for), then waits for the gateway to go.
async fn patient() -> Upstream {
    Upstream::start(|mut peer| async move {
        let request = peer.request().await;
        if request.is_some_and(|request| request.json()["stream"] == true) {
            peer.send([event_stream(), EVENT.as_bytes()].concat()).await;
        }
        peer.gone().await;
    })
    .await
}

/// A provider that may be silent for longer than a test takes.
fn unhurried(upstream: &Upstream) -> String {
    scripted(upstream.address).replace("first_byte: 1s, read: 1s, total: 15s", "first_byte: 60s, read: 60s, total: 60s")
}

#[tokio::test]
async fn a_client_that_leaves_in_mid_stream_is_noticed_at_once() {
    let upstream = patient().await;
    let gateway = Gateway::start(&unhurried(&upstream)).await;
    let mut client = gateway.client().await;
    client.post(CHAT, &[], streamed_chat("scripted/m")).await;
    let (_, head) = client.answer_head().await;
    client.until("\n\n").await;
    drop(client);
    upstream.departed(1).await;
    let record = gateway.record(head.get("x-request-id").unwrap()).await;
    assert_eq!((&record["outcome"], &record["error"]), (&"cancelled".into(), &"client_closed".into()), "{record}");
    assert_eq!(record["response_bytes"], EVENT.len());
}

#[tokio::test]
async fn what_a_provider_has_told_of_the_usage_counts_when_the_client_leaves() {
    let told = EVENT.replace("}]}", "}],\"usage\":{\"prompt_tokens\":1000,\"completion_tokens\":7}}");
    let upstream = Upstream::start(move |mut peer| {
        let told = told.clone();
        async move {
            peer.request().await;
            peer.send([event_stream(), told.as_bytes()].concat()).await;
            peer.gone().await;
        }
    })
    .await;
    let gateway = Gateway::start(&unhurried(&upstream)).await;
    let mut client = gateway.client().await;
    client.post(CHAT, &[], streamed_chat("scripted/m")).await;
    let (_, head) = client.answer_head().await;
    client.until("\n\n").await;
    drop(client);
    let record = gateway.record(head.get("x-request-id").unwrap()).await;
    assert_eq!(record["outcome"], "cancelled", "{record}");
    assert_eq!((&record["input_tokens"], &record["output_tokens"]), (&1000.into(), &7.into()), "{record}");
}

#[tokio::test]
async fn a_client_that_dies_in_mid_stream_is_noticed_at_once() {
    let upstream = patient().await;
    let gateway = Gateway::start(&unhurried(&upstream)).await;
    let mut client = gateway.client().await;
    client.post(CHAT, &[], streamed_chat("scripted/m")).await;
    client.answer_head().await;
    client.reset();
    upstream.departed(1).await;
}

#[tokio::test]
async fn a_client_that_leaves_before_the_answer_is_noticed_at_once() {
    let upstream = patient().await;
    let gateway = Gateway::start(&unhurried(&upstream)).await;
    let mut client = gateway.client().await;
    client.post(CHAT, &[("x-request-id", "left-early")], chat("scripted/m")).await;
    upstream.requested(1).await;
    drop(client);
    upstream.departed(1).await;
    let line = gateway.log_line("left-early").await;
    let record: serde_json::Value = serde_json::from_str(&line).unwrap();
    assert_eq!((&record["outcome"], &record["status"]), (&"cancelled".into(), &499.into()), "{record}");
}

#[tokio::test]
async fn a_stream_of_http2_that_is_reset_lets_its_provider_go_and_the_others_go_on() {
    let upstream = Upstream::start(|mut peer| async move {
        while let Some(request) = peer.request().await {
            if request.json()["stream"] == true {
                peer.send([event_stream(), EVENT.as_bytes()].concat()).await;
                return peer.gone().await;
            }
            peer.send(json_answer(CHAT_ANSWER)).await;
        }
    })
    .await;
    let gateway = Gateway::start(&unhurried(&upstream)).await;
    let mut client = http2_client(TcpStream::connect(gateway.address).await.unwrap()).await;
    let mut send = |body: String| {
        let uri = format!("http://localhost:{}{CHAT}", gateway.address.port());
        client.send_request(Request::post(uri).body(Full::new(Bytes::from(body))).unwrap())
    };
    let answer = within("the stream", send(streamed_chat("scripted/m"))).await.unwrap();
    drop(answer);
    upstream.departed(1).await;
    let answer = within("the next answer", send(chat("scripted/m"))).await.unwrap();
    let body = within("its body", answer.into_body().collect()).await.unwrap().to_bytes();
    assert_eq!(body, CHAT_ANSWER);
}

#[tokio::test]
async fn nobody_is_left_behind_when_many_clients_leave() {
    let upstream = patient().await;
    let gateway = Gateway::start(&unhurried(&upstream)).await;
    let mut clients = Vec::new();
    for _ in 0..50 {
        let mut client = gateway.client().await;
        client.post(CHAT, &[], streamed_chat("scripted/m")).await;
        client.answer_head().await;
        clients.push(client);
    }
    assert_eq!(gateway.metric("ai_gateway_open_streams").await, Some(50.0));
    drop(clients);
    upstream.departed(50).await;
    // The last record is written when the last stream is settled; each says that the client left.
    for request in upstream.requests() {
        assert_eq!(request.json()["model"], "m");
    }
    while gateway.metric("ai_gateway_open_streams").await != Some(0.0) {}
    while gateway.metric("ai_gateway_requests_in_flight").await != Some(0.0) {}
    assert_eq!(gateway.metric("ai_gateway_held_bytes").await, Some(0.0));
}
