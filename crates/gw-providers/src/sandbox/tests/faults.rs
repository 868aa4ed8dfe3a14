//! What goes wrong, on demand and on rubbish.

use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, StatusCode};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tokio::time::{Instant, timeout};

use super::{bytes_of, chat, events, hello, post, request, until_end, with};
use crate::sandbox::{SandboxFault, respond};

#[tokio::test]
async fn an_error_model_fails_with_its_status_and_says_when_to_try_again() {
    for (model, status, retry_after) in [
        ("error-400", 400, None),
        ("error-429", 429, Some("2")),
        ("error-503-after-7", 503, Some("7")),
        ("error-529", 529, None),
    ] {
        let response = post("/chat/completions", &hello(model)).await;
        assert_eq!(response.status().as_u16(), status);
        assert_eq!(response.headers().get("retry-after").map(|value| value.to_str().unwrap()), retry_after);
        let body: Value = serde_json::from_slice(&bytes_of(response).await).unwrap();
        assert!(body["error"]["message"].is_string() && body["error"]["type"].is_string(), "{body}");
    }
}

#[tokio::test]
async fn an_unknown_model_is_not_found() {
    let response = post("/chat/completions", &hello("gpt-99")).await;
    assert_eq!(response.status(), StatusCode::NOT_FOUND);
    let body: Value = serde_json::from_slice(&bytes_of(response).await).unwrap();
    assert_eq!(body["error"]["code"], "model_not_found");
}

#[tokio::test]
async fn what_is_not_offered_is_refused_without_a_fault() {
    for (method, path, status) in [(Method::POST, "/images", 404), (Method::GET, "/embeddings", 405)] {
        let request = Request::builder().method(method).uri(path).body(Bytes::new()).unwrap();
        assert_eq!(respond(request).await.unwrap().status().as_u16(), status);
    }
}

#[tokio::test]
async fn rubbish_is_a_bad_request_and_never_a_panic() {
    let deep = format!(r#"{{"model":"echo","messages":{}{}}}"#, "[".repeat(10_000), "]".repeat(10_000));
    let bodies: [&[u8]; 14] = [
        b"",
        b"{",
        b"null",
        b"[]",
        b"\xff\xfe",
        b"{}",
        br#"{"model":1}"#,
        br#"{"model":"echo"}"#,
        deep.as_bytes(),
        br#"{"model":"echo","messages":[]}"#,
        br#"{"model":"echo","messages":[{"role":"user","content":7}]}"#,
        br#"{"model":"echo","messages":[{"role":"user","content":"x"}],"n":9}"#,
        br#"{"model":"echo","messages":[{"role":"user","content":"x"}],"n":-1}"#,
        br#"{"model":"echo","messages":[{"role":"user","content":"x"}],"max_tokens":0}"#,
    ];
    for body in bodies {
        for path in ["/chat/completions", "/completions", "/embeddings"] {
            let response = respond(request(path, body.to_vec())).await.unwrap();
            assert_eq!(response.status(), StatusCode::BAD_REQUEST, "{path} {}", String::from_utf8_lossy(body));
        }
    }
}

#[tokio::test]
async fn what_a_socket_would_say_is_said() {
    let fault = async |model: &str| respond(request("/chat/completions", hello(model).to_string())).await.err();
    assert_eq!(fault("refuse").await, Some(SandboxFault::Refused));
    assert_eq!(fault("cut-before-head").await, Some(SandboxFault::Disconnected));
}

#[tokio::test]
async fn a_cut_answer_breaks_off_in_the_middle() {
    let stream = with(hello("cut-mid-stream"), json!({ "stream": true }));
    let (text, fault) = until_end(post("/chat/completions", &stream).await.into_body()).await;
    assert_eq!(fault, Some(SandboxFault::Disconnected));
    assert!(text.contains("The ") && !text.contains("house") && !text.ends_with("\n\n"), "{text}");

    let response = post("/chat/completions", &hello("cut-mid-body")).await;
    let promised: usize = response.headers()["content-length"].to_str().unwrap().parse().unwrap();
    let (text, fault) = until_end(response.into_body()).await;
    assert_eq!((text.len(), fault), (promised / 2, Some(SandboxFault::Disconnected)));
}

#[tokio::test]
async fn an_error_in_mid_stream_is_an_event_and_the_stream_is_not_done() {
    let stream = with(hello("error-mid-stream"), json!({ "stream": true }));
    let (text, fault) = until_end(post("/chat/completions", &stream).await.into_body()).await;
    assert_eq!(fault, None);
    assert!(!text.contains("[DONE]"));
    let events = events(&text);
    assert_eq!(events.last().unwrap()["error"]["type"], "server_error");
    assert_eq!(events.len(), 4);
}

#[tokio::test(start_paused = true)]
async fn a_slow_stream_keeps_its_pace_and_the_first_chunk_comes_at_once() {
    let body = with(hello("stream-slow-50ms"), json!({ "stream": true }));
    let mut body = post("/chat/completions", &body).await.into_body();
    let start = Instant::now();
    body.frame().await.unwrap().unwrap();
    assert_eq!(start.elapsed(), Duration::ZERO);
    body.frame().await.unwrap().unwrap();
    assert_eq!(start.elapsed().as_millis(), 50);
}

#[tokio::test(start_paused = true)]
async fn what_hangs_hangs_until_it_is_dropped() {
    let day = Duration::from_secs(86_400);
    timeout(day, respond(request("/chat/completions", hello("timeout").to_string()))).await.err().unwrap();
    let stream = with(hello("hang-mid-stream"), json!({ "stream": true }));
    let body = post("/chat/completions", &stream).await.into_body();
    timeout(day, until_end(body)).await.unwrap_err();
}

#[tokio::test]
async fn a_huge_answer_is_a_whole_answer_made_piece_by_piece() {
    let mut body = post("/chat/completions", &hello("huge-3mb")).await.into_body();
    let mut whole = Vec::new();
    while let Some(frame) = body.frame().await {
        let piece = frame.unwrap().into_data().unwrap();
        assert!(piece.len() <= 64 << 10);
        whole.extend_from_slice(&piece);
    }
    let answer: Value = serde_json::from_slice(&whole).unwrap();
    assert_eq!(answer["choices"][0]["message"]["content"].as_str().unwrap().len(), 3 << 20);
}

#[tokio::test]
async fn what_is_left_out_is_left_out() {
    assert!(chat(hello("no-usage")).await.get("usage").is_none());
    let options = json!({ "stream": true, "stream_options": { "include_usage": true } });
    let stream = async |model| {
        let body = with(hello(model), options.clone());
        until_end(post("/chat/completions", &body).await.into_body()).await.0
    };
    let without_usage = stream("no-usage").await;
    assert!(!without_usage.contains("\"usage\"") && without_usage.contains("[DONE]"));
    let without_done = stream("no-done").await;
    assert!(without_done.contains("\"usage\"") && !without_done.contains("[DONE]"));
    assert!(bytes_of(post("/chat/completions", &hello("empty-body")).await).await.is_empty());
    let not_json = bytes_of(post("/chat/completions", &hello("not-json")).await).await;
    serde_json::from_slice::<Value>(&not_json).unwrap_err();
}

#[tokio::test]
#[should_panic(expected = "the model name asked for a panic")]
async fn the_panic_model_panics() {
    let _ = respond(request("/chat/completions", hello("panic").to_string())).await;
}

#[tokio::test]
#[should_panic(expected = "the model name asked for a panic")]
async fn the_panic_in_mid_stream_comes_after_the_first_events() {
    let stream = with(hello("panic-mid-stream"), json!({ "stream": true }));
    let mut body = post("/chat/completions", &stream).await.into_body();
    for _ in 0..3 {
        assert!(body.frame().await.unwrap().is_ok());
    }
    while body.frame().await.is_some() {}
}
