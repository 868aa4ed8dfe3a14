//! Bodies that flow: nothing is held, and whoever leaves is noticed on the other side.

use std::sync::Arc;

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Full};
use tokio::net::TcpStream;
use tokio::sync::Notify;

use crate::harness::{
    Authority, Client, Framing, Gateway, Launch, Peer, Upstream, config, http_answer, http2_client, json_answer,
    provider, scripted, within,
};

const MEBIBYTE: usize = 1 << 20;
/// How much the gateway may grow by while a body flows through, whatever its size.
const GROWTH_MAX: u64 = 24 << 20;
const FILE: &str = r#"{"id":"file-1","object":"file"}"#;

fn head(method: &str, path: &str, more: &str) -> String {
    format!(
        "{method} {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: multipart/form-data; boundary=b\r\n{more}\r\n"
    )
}

/// Reads a body and throws it away; how long it was, if it was whole.
async fn swallow(peer: &mut Peer, mut framing: Framing) -> Option<usize> {
    let mut bytes = 0;
    loop {
        match peer.piece(&mut framing).await {
            Ok(Some(piece)) => bytes += piece.len(),
            Ok(None) => return Some(bytes),
            Err(_) => return None,
        }
    }
}

/// Says how long each body was.
async fn counting() -> Upstream {
    Upstream::start(|mut peer| async move {
        while let Some((head, framing)) = peer.head().await {
            let chunked = framing == Framing::Chunked;
            let Some(bytes) = swallow(&mut peer, framing).await else { return peer.gone().await };
            let expect = head.get("expect").is_some();
            peer.send(json_answer(format!(r#"{{"bytes":{bytes},"chunked":{chunked},"expect":{expect}}}"#))).await;
        }
    })
    .await
}

async fn upload(gateway: &Gateway, mebibytes: usize) {
    let mut client = gateway.client().await;
    client.send(head("POST", "/v1/files", &format!("content-length: {}\r\n", mebibytes * MEBIBYTE))).await;
    let piece = vec![b'x'; MEBIBYTE];
    for _ in 0..mebibytes {
        client.send(&piece).await;
    }
    assert_eq!(client.answer().await.json()["bytes"], mebibytes * MEBIBYTE);
}

async fn upload_with_flat_memory(mebibytes: usize) {
    let upstream = counting().await;
    let gateway = Gateway::start(&scripted(upstream.address)).await;
    upload(&gateway, 1).await;
    let before = gateway.peak_memory_bytes();
    upload(&gateway, mebibytes).await;
    let grown = gateway.peak_memory_bytes().saturating_sub(before);
    assert!(grown < GROWTH_MAX, "grew by {grown} bytes");
    assert_eq!(gateway.metric("ai_gateway_held_bytes").await, Some(0.0));
}

async fn download_with_flat_memory(mebibytes: usize) {
    let upstream = Upstream::start(move |mut peer| async move {
        peer.request().await;
        let length = mebibytes * MEBIBYTE;
        peer.send(format!(
            "HTTP/1.1 200 OK\r\ncontent-type: application/octet-stream\r\ncontent-length: {length}\r\n\r\n"
        ))
        .await;
        let piece = vec![b'x'; MEBIBYTE];
        for _ in 0..mebibytes {
            peer.send(&piece).await;
        }
    })
    .await;
    let gateway = Gateway::start(&scripted(upstream.address)).await;
    gateway.get("/health/live").await;
    let before = gateway.peak_memory_bytes();
    let mut client = gateway.client().await;
    client.get("/v1/files/file-1/content", &[]).await;
    let (status, head) = client.answer_head().await;
    assert_eq!((status, head.get("content-length")), (200, Some((mebibytes * MEBIBYTE).to_string().as_str())));
    let mut bytes = 0;
    while let Some(piece) = client.piece().await.unwrap() {
        bytes += piece.len();
    }
    assert_eq!(bytes, mebibytes * MEBIBYTE);
    let grown = gateway.peak_memory_bytes().saturating_sub(before);
    assert!(grown < GROWTH_MAX, "grew by {grown} bytes");
}

#[tokio::test]
async fn a_large_upload_flows_with_flat_memory() {
    upload_with_flat_memory(64).await;
}

#[tokio::test]
async fn a_large_download_flows_with_flat_memory() {
    download_with_flat_memory(64).await;
}

#[tokio::test]
#[ignore = "takes a minute"]
async fn a_gibibyte_flows_up_and_down_with_flat_memory() {
    upload_with_flat_memory(1_024).await;
    download_with_flat_memory(1_024).await;
}

#[tokio::test]
async fn a_body_is_sent_on_with_its_length_or_in_chunks_as_it_came() {
    let upstream = counting().await;
    let gateway = Gateway::start(&scripted(upstream.address)).await;
    let mut client = gateway.client().await;
    client.send(head("POST", "/v1/files", "transfer-encoding: chunked\r\n") + "5\r\nhello\r\n").await;
    client.send("3;x=y\r\nyou\r\n0\r\nx-trailer: 1\r\n\r\n").await;
    let answer = client.answer().await.json();
    assert_eq!((&answer["bytes"], &answer["chunked"]), (&8.into(), &true.into()));
    client.send(head("POST", "/v1/files", "content-length: 5\r\n") + "hello").await;
    let answer = client.answer().await.json();
    assert_eq!((&answer["bytes"], &answer["chunked"]), (&5.into(), &false.into()));
}

#[tokio::test]
async fn a_client_that_asks_first_is_told_to_go_on() {
    let upstream = counting().await;
    let gateway = Gateway::start(&scripted(upstream.address)).await;
    let mut client = gateway.client().await;
    client.send(head("POST", "/v1/files", "content-length: 5\r\nexpect: 100-continue\r\n")).await;
    assert_eq!(client.answer_head().await.0, 100);
    client.send("hello").await;
    let answer = client.answer().await.json();
    assert_eq!((&answer["bytes"], &answer["expect"]), (&5.into(), &false.into()));
}

#[tokio::test]
async fn an_upload_that_is_cancelled_closes_the_providers_connection_at_once() {
    let upstream = counting().await;
    let gateway = Gateway::start(&scripted(upstream.address).replace("read: 1s", "read: 60s")).await;
    for leave in [drop as fn(Client), Client::reset] {
        let mut client = gateway.client().await;
        client.send(head("POST", "/v1/files", "content-length: 99999999\r\nx-request-id: left\r\n") + "hello").await;
        // The provider has the beginning before the client goes.
        while upstream.connections() == 0 {
            tokio::task::yield_now().await;
        }
        leave(client);
    }
    upstream.departed(2).await;
    let record: serde_json::Value = serde_json::from_str(&gateway.log_line("\"left\"").await).unwrap();
    assert_eq!((&record["outcome"], &record["error"]), (&"cancelled".into(), &"client_closed".into()), "{record}");
    assert_eq!(record["operation"], "files");
}

#[tokio::test]
async fn a_client_that_falls_silent_in_its_upload_is_told_and_its_provider_let_go() {
    let upstream = counting().await;
    let config = scripted(upstream.address) + "server: { timeouts: { body: 300ms } }\n";
    let gateway = Gateway::start(&config).await;
    let mut client = gateway.client().await;
    client.send(head("POST", "/v1/files", "content-length: 100\r\n") + "hello").await;
    client.answer().await.assert_error(408, "request_timeout");
    upstream.departed(1).await;
}

#[tokio::test]
async fn a_provider_that_refuses_early_is_heard_though_the_client_is_still_sending() {
    let upstream = Upstream::start(|mut peer| async move {
        peer.head().await;
        let error =
            r#"{"error":{"message":"too large for us","type":"invalid_request_error","param":null,"code":null}}"#;
        peer.send(http_answer(413, &[("content-type", "application/json"), ("connection", "close")], error)).await;
        peer.gone().await;
    })
    .await;
    let gateway = Gateway::start(&scripted(upstream.address)).await;
    let mut client = gateway.client().await;
    client.send(head("POST", "/v1/files", &format!("content-length: {}\r\n", 64 * MEBIBYTE))).await;
    let piece = vec![b'x'; MEBIBYTE];
    for _ in 0..8 {
        client.send(&piece).await;
    }
    let answer = client.answer().await;
    assert_eq!(answer.status, 413, "{}", answer.text());
    assert!(answer.text().contains("too large for us"));
    assert_eq!(answer.header("connection"), Some("close"));
    upstream.departed(1).await;
}

#[tokio::test]
async fn a_provider_that_goes_in_the_middle_of_an_upload_is_an_error_that_says_so() {
    let upstream = Upstream::start(|mut peer| async move {
        let Some((_, mut framing)) = peer.head().await else { return };
        let _ = peer.piece(&mut framing).await;
        peer.reset();
    })
    .await;
    let gateway = Gateway::start(&scripted(upstream.address)).await;
    let mut client = gateway.client().await;
    client.send(head("POST", "/v1/files", "content-length: 99999999\r\n") + &"x".repeat(MEBIBYTE)).await;
    client.answer().await.assert_error(502, "provider_disconnected");
}

#[tokio::test]
async fn a_body_beyond_the_limit_is_refused_whether_its_length_was_told_or_not() {
    let upstream = counting().await;
    let gateway = Gateway::start(&(scripted(upstream.address) + "relay: { body_bytes: 1KiB }\n")).await;
    let mut client = gateway.client().await;
    client.send(head("POST", "/v1/files", "content-length: 1025\r\n")).await;
    client.answer().await.assert_error(413, "request_too_large");
    let mut client = gateway.client().await;
    client.send(head("POST", "/v1/files", "transfer-encoding: chunked\r\n") + "401\r\n").await;
    client.send("x".repeat(1_025)).await;
    client.answer().await.assert_error(413, "request_too_large");
}

#[tokio::test]
async fn the_provider_may_take_its_time_once_the_upload_is_over_and_the_upload_its_own() {
    let upstream = Upstream::start(|mut peer| async move {
        while let Some((_, framing)) = peer.head().await {
            swallow(&mut peer, framing).await;
            peer.send(json_answer(FILE)).await;
        }
    })
    .await;
    // The client takes longer than the provider has for its first byte.
    let config = scripted(upstream.address).replace("first_byte: 1s", "first_byte: 200ms");
    let gateway = Gateway::start(&(config + "relay: { first_byte: 200ms }\n")).await;
    let mut client = gateway.client().await;
    client.send(head("POST", "/v1/files", "content-length: 4\r\n")).await;
    for byte in ["a", "b", "c", "d"] {
        tokio::time::sleep(std::time::Duration::from_millis(150)).await;
        client.send(byte).await;
    }
    assert_eq!(client.answer().await.text(), FILE);
}

#[tokio::test]
async fn an_upload_flows_over_http2_too() {
    let far = Gateway::start(&config("providers: [{ name: sandbox }]")).await;
    let near = provider("far", far.address, ", http_version: \"2\"");
    let gateway = Gateway::start(&config(&format!("providers:\n{near}"))).await;
    let mut client = gateway.client().await;
    client.send(head("POST", "/v1/files", &format!("content-length: {}\r\n", 8 * MEBIBYTE))).await;
    let piece = vec![b'x'; MEBIBYTE];
    for _ in 0..8 {
        client.send(&piece).await;
    }
    assert_eq!(client.answer().await.json()["object"], "file");
    // Who leaves in the middle is noticed at the far end.
    let mut client = gateway.client().await;
    client.send(head("POST", "/v1/files", "content-length: 99999999\r\n") + "hello").await;
    within("the request's arrival", async { while far.metric("ai_gateway_requests_in_flight").await != Some(1.0) {} })
        .await;
    drop(client);
    within("its end", async { while far.metric("ai_gateway_requests_in_flight").await != Some(0.0) {} }).await;
}

#[tokio::test]
async fn what_the_client_has_sent_reaches_a_provider_behind_tls_before_the_rest_is_there() {
    let authority = Authority::new();
    let heard = Arc::new(Notify::new());
    let hears = Arc::clone(&heard);
    let upstream = Upstream::start_tls(authority.server(), move |mut peer| {
        let hears = Arc::clone(&hears);
        async move {
            let Some((_, mut framing)) = peer.head().await else { return };
            assert_eq!(peer.piece(&mut framing).await.unwrap().unwrap(), b"hello");
            hears.notify_one();
            assert_eq!(swallow(&mut peer, framing).await, Some(4));
            peer.send(json_answer(FILE)).await;
        }
    })
    .await;
    let entry = provider("scripted", upstream.address, ", tls: { ca: authority.pem }")
        .replace("http://127.0.0.1", "https://localhost");
    let launch = Launch::with(&config(&format!("providers:\n{entry}"))).file("authority.pem", &authority.pem);
    let gateway = launch.start().await;
    let mut client = gateway.client().await;
    client.send(head("POST", "/v1/files", "content-length: 9\r\n") + "hello").await;
    within("the first half", heard.notified()).await;
    client.send(" you").await;
    assert_eq!(client.answer().await.text(), FILE);
}

#[tokio::test]
async fn a_client_of_http2_uploads_too() {
    let upstream = counting().await;
    let gateway = Gateway::start(&scripted(upstream.address)).await;
    let mut client = http2_client(TcpStream::connect(gateway.address).await.unwrap()).await;
    let uri = format!("http://localhost:{}/v1/files", gateway.address.port());
    let body = Full::new(Bytes::from(vec![b'x'; 3 * MEBIBYTE]));
    let request = Request::post(uri).header("content-type", "multipart/form-data; boundary=b").body(body).unwrap();
    let answer = within("the answer", client.send_request(request)).await.unwrap();
    let body = within("its body", answer.into_body().collect()).await.unwrap().to_bytes();
    let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(body["bytes"], 3 * MEBIBYTE);
}
