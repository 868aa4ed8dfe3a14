//! Requests that make no sense: each is told what is wrong, and nothing else is harmed.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;

use crate::harness::{CHAT_ANSWER, Client, Gateway, Upstream, chat, config, json_answer, scripted};

const CHAT: &str = "/v1/chat/completions";

async fn gateway() -> Gateway {
    Gateway::start(&config("aliases: { my-favourite-model: sandbox/echo }")).await
}

/// Sends each body on one connection, and checks that it is refused so.
async fn refused(gateway: &Gateway, code: &str, status: u16, bodies: &[&[u8]]) {
    let mut client = gateway.client().await;
    for body in bodies {
        client.post(CHAT, &[], body).await;
        client.answer().await.assert_error(status, code);
    }
    still_serves(client).await;
}

async fn still_serves(mut client: Client) {
    client.post(CHAT, &[], chat("sandbox/echo")).await;
    assert_eq!(client.answer().await.status, 200);
}

fn gzip(plain: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(plain).unwrap();
    encoder.finish().unwrap()
}

#[tokio::test]
async fn what_is_not_json_is_refused() {
    let bodies: [&[u8]; 9] = [
        b"",
        b" ",
        b"{",
        b"hello",
        b"{\"model\":\"sandbox/echo\"",
        b"{\"model\":\"sandbox/echo\"} x",
        b"{'model':'x'}",
        b"{\"model\":\"sandbox/echo\",}",
        b"{\"model\":\"sandbox/echo\",\"x\":01}",
    ];
    refused(&gateway().await, "invalid_json", 400, &bodies).await;
}

#[tokio::test]
async fn what_is_not_utf8_is_refused() {
    let bodies: [&[u8]; 3] = [
        b"\xff\xfe{\x00}\x00",
        b"{\"model\":\"sandbox/echo\",\"messages\":[{\"role\":\"user\",\"content\":\"\xc3\x28\"}]}",
        b"{\"model\":\"sandbox/\xed\xa0\x80\"}",
    ];
    refused(&gateway().await, "invalid_json", 400, &bodies).await;
}

#[tokio::test]
async fn a_field_of_the_wrong_type_is_refused_by_name() {
    let gateway = gateway().await;
    for (param, body) in [
        ("model", r#"{"model":7,"messages":[]}"#),
        ("model", r#"{"model":["sandbox/echo"],"messages":[]}"#),
        ("stream", r#"{"model":"sandbox/echo","stream":"yes","messages":[]}"#),
        ("stream_options", r#"{"model":"sandbox/echo","stream":true,"stream_options":7,"messages":[]}"#),
        ("prefer_provider", r#"{"model":"sandbox/echo","prefer_provider":{},"messages":[]}"#),
    ] {
        let answer = gateway.chat(body).await;
        answer.assert_error(400, "invalid_request");
        assert_eq!(answer.json()["error"]["param"], param, "{body}");
    }
    refused(&gateway, "invalid_request", 400, &[b"[]", b"7", b"null", b"\"model\""]).await;
}

#[tokio::test]
async fn a_field_that_decides_may_not_stand_twice() {
    let gateway = gateway().await;
    for body in [
        r#"{"model":"sandbox/echo","messages":[],"model":"sandbox/error-500"}"#,
        r#"{"model":"sandbox/echo","messages":[],"\u006dodel":"sandbox/error-500"}"#,
        r#"{"model":"sandbox/echo","stream":true,"messages":[],"stream":false}"#,
    ] {
        gateway.chat(body).await.assert_error(400, "duplicate_field");
    }
}

#[tokio::test]
async fn a_model_is_needed_and_an_unknown_one_is_answered_with_near_ones() {
    let gateway = gateway().await;
    gateway.chat(r#"{"messages":[]}"#).await.assert_error(400, "model_required");
    let answer = gateway.chat(chat("my-favorite-model")).await;
    answer.assert_error(404, "model_not_found");
    assert!(answer.text().contains("my-favourite-model"), "{}", answer.text());
    assert_eq!(answer.json()["error"]["param"], "model");
    gateway.chat(chat("nobody/knows")).await.assert_error(404, "model_not_found");
    gateway.chat(chat(&"x".repeat(1_000))).await.assert_error(404, "model_not_found");
    gateway.chat(chat(&"x".repeat(100_000))).await.assert_error(400, "invalid_request");
}

#[tokio::test]
async fn deep_nesting_is_forwarded_as_it_came() {
    let upstream = Upstream::always(json_answer(CHAT_ANSWER)).await;
    let gateway = Gateway::start(&scripted(upstream.address)).await;
    for depth in [200, 100_000] {
        let deep = format!(r#"{{"model":"scripted/m","x":{}{}}}"#, "[".repeat(depth), "]".repeat(depth));
        assert_eq!(gateway.chat(&deep).await.status, 200);
        assert!(upstream.requests().last().unwrap().text() == deep.replace("scripted/", ""));
    }
}

#[tokio::test]
async fn a_model_name_cannot_write_headers() {
    let upstream = Upstream::always(json_answer(CHAT_ANSWER)).await;
    let gateway = Gateway::start(&scripted(upstream.address)).await;
    for name in [r"scripted/a\r\nevil: yes", r"scripted/a\nevil: yes", r"scripted/a\u0000b", r"a\r\nevil: yes"] {
        let answer = gateway.chat(chat(name)).await;
        answer.assert_error(400, "invalid_request");
        assert_eq!(answer.header("evil"), None, "{}", answer.head.raw);
        gateway.record(answer.request_id()).await;
    }
    assert!(upstream.requests().is_empty());
    let answer = gateway.chat(chat("scripted/東京")).await;
    assert_eq!((answer.status, upstream.only_request().json()["model"].as_str()), (200, Some("東京")));
}

#[tokio::test]
async fn a_chunked_body_is_read_and_one_that_breaks_off_is_given_up() {
    let gateway = gateway().await;
    let body = chat("sandbox/echo");
    let head = format!("POST {CHAT} HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\n");
    let mut client = gateway.client().await;
    let (first, second) = body.split_at(10);
    client
        .send(format!(
            "{head}{:x}\r\n{first}\r\n{:X};x=y\r\n{second}\r\n0\r\nx-trailer: 1\r\n\r\n",
            first.len(),
            second.len()
        ))
        .await;
    assert_eq!(client.answer().await.status, 200);

    for broken in [format!("{head}fff\r\n{body}"), format!("{head}a\r\n"), head.clone()] {
        let mut client = gateway.client().await;
        client.send(broken).await;
        client.reset();
    }
    let mut client = gateway.client().await;
    client.send(format!("{head}zz\r\n{body}\r\n0\r\n\r\n")).await;
    let answer = client.answer().await;
    assert!((400..500).contains(&answer.status), "{}", answer.status);
    answer.error_code();
    still_serves(gateway.client().await).await;
}

#[tokio::test]
async fn what_is_not_http_is_answered_and_the_connection_closed() {
    let gateway = gateway().await;
    for garbage in [
        "hello\r\n\r\n",
        "GET / HTTP/9.9\r\n\r\n",
        "GET /\u{0} HTTP/1.1\r\n\r\n",
        "\u{16}\u{3}\u{1}\u{0}\r\n\r\n",
        "POST / HTTP/1.1\r\nhost: localhost\r\ncontent-length: -1\r\n\r\n",
        "GET / HTTP/1.1\r\nno colon\r\n\r\n",
    ] {
        let mut client = gateway.client().await;
        client.send(garbage).await;
        client.answer().await.assert_error(400, "invalid_request");
        assert!(client.is_closed().await);
    }
    still_serves(gateway.client().await).await;
}

#[tokio::test]
async fn a_wrong_path_or_method_is_told_in_openais_form() {
    let gateway = gateway().await;
    gateway.get("/").await.assert_error(404, "route_not_found");
    gateway.get("/v1/unknown").await.assert_error(404, "route_not_found");
    gateway.get(CHAT).await.assert_error(405, "method_not_allowed");
    gateway.post("/v1/models", "{}").await.assert_error(405, "method_not_allowed");
    let upgrade = [("connection", "upgrade"), ("upgrade", "websocket")];
    gateway.get_with("/v1/responses", &upgrade).await.assert_error(426, "upgrade_required");
}

#[tokio::test]
async fn a_compressed_body_is_forwarded_plain() {
    let upstream = Upstream::always(json_answer(CHAT_ANSWER)).await;
    let gateway = Gateway::start(&scripted(upstream.address)).await;
    let body = gzip(chat("scripted/m").as_bytes());
    let answer = gateway.post_with(CHAT, &[("content-encoding", "gzip")], body).await;
    assert_eq!(answer.status, 200);
    let request = upstream.only_request();
    assert_eq!(request.text(), chat("m"));
    assert_eq!(request.head.get("content-encoding"), None);
}

#[tokio::test]
async fn a_compressed_body_that_is_broken_unknown_or_a_bomb_is_refused() {
    let gateway = gateway().await;
    let encoded =
        async |encoding, body: Vec<u8>| gateway.post_with(CHAT, &[("content-encoding", encoding)], body).await;
    let whole = gzip(chat("sandbox/echo").as_bytes());
    encoded("gzip", whole[..whole.len() - 9].to_vec()).await.assert_error(400, "invalid_request");
    encoded("gzip", chat("sandbox/echo").into()).await.assert_error(400, "invalid_request");
    encoded("br", whole).await.assert_error(415, "unsupported_media_type");

    let before = gateway.peak_memory_bytes();
    // Members of one file follow each other: a gigabyte in a megabyte.
    let bomb = gzip(&vec![b' '; 8 << 20]).repeat(128);
    assert!(bomb.len() < 2 << 20);
    encoded("gzip", bomb).await.assert_error(413, "request_too_large");
    let grown = gateway.peak_memory_bytes().saturating_sub(before);
    // The limit is 32 MiB, read into a buffer that grows by doubling, which moves: three times as much at its peak.
    assert!(grown < 150 << 20, "{grown}");
}
