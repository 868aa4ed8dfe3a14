//! A provider that fails before its answer is complete: the right error, in time, and a healthy pool afterwards.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use socket2::{Domain, Socket, Type};
use tokio::net::TcpListener;
use tokio::time::Instant;

use crate::harness::{Answer, CHAT_ANSWER, Gateway, Peer, Upstream, chat, json_answer, scripted};

/// What the first connection does; all others answer well.
async fn faulty<S, F>(fault: S) -> Upstream
where
    S: Fn(Peer) -> F + Send + Sync + 'static,
    F: Future<Output = ()> + Send + 'static,
{
    let fault = Arc::new(fault);
    Upstream::start(move |mut peer| {
        let fault = Arc::clone(&fault);
        async move {
            if peer.index == 0 {
                return fault(peer).await;
            }
            while peer.request().await.is_some() {
                peer.send(json_answer(CHAT_ANSWER)).await;
            }
        }
    })
    .await
}

/// The answer to the request that meets the fault, once it is sure that the next one succeeds.
async fn fail_and_recover(upstream: &Upstream) -> (Answer, Gateway) {
    let gateway = Gateway::start(&scripted(upstream.address)).await;
    let failed = gateway.chat(chat("scripted/m")).await;
    let record = gateway.record(failed.request_id()).await;
    assert_eq!(record["outcome"], "failed", "{record}");
    assert_eq!(record["status"], failed.status, "{record}");
    let next = gateway.chat(chat("scripted/m")).await;
    assert_eq!((next.status, next.text()), (200, CHAT_ANSWER));
    (failed, gateway)
}

#[tokio::test]
async fn a_refused_connection_is_told_and_the_provider_is_used_again_once_it_is_back() {
    // Bound and not listening: connections are refused, and nobody else gets the port.
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.bind(&"127.0.0.1:0".parse::<SocketAddr>().unwrap().into()).unwrap();
    let address = socket.local_addr().unwrap().as_socket().unwrap();
    let gateway = Gateway::start(&scripted(address)).await;
    gateway.chat(chat("scripted/m")).await.assert_error(502, "provider_unreachable");
    socket.listen(16).unwrap();
    socket.set_nonblocking(true).unwrap();
    let listener = TcpListener::from_std(socket.into()).unwrap();
    let _upstream = Upstream::always_on(listener, json_answer(CHAT_ANSWER));
    assert_eq!(gateway.chat(chat("scripted/m")).await.status, 200);
}

#[tokio::test]
async fn a_connection_reset_before_the_answer_is_told() {
    let upstream = faulty(|mut peer| async move {
        peer.request().await;
        peer.reset();
    })
    .await;
    fail_and_recover(&upstream).await.0.assert_error(502, "provider_disconnected");
}

#[tokio::test]
async fn a_connection_closed_before_the_answer_is_told() {
    let upstream = faulty(|mut peer| async move {
        peer.request().await;
    })
    .await;
    fail_and_recover(&upstream).await.0.assert_error(502, "provider_disconnected");
}

#[tokio::test]
async fn a_connection_closed_within_the_head_is_told() {
    let upstream = faulty(|mut peer| async move {
        peer.request().await;
        peer.send("HTTP/1.1 200 OK\r\ncontent-ty").await;
    })
    .await;
    fail_and_recover(&upstream).await.0.assert_error(502, "provider_disconnected");
}

#[tokio::test]
async fn a_provider_that_is_silent_is_given_up_in_time() {
    let upstream = faulty(|mut peer| async move {
        peer.request().await;
        peer.gone().await;
    })
    .await;
    let start = Instant::now();
    let (answer, _) = fail_and_recover(&upstream).await;
    answer.assert_error(504, "provider_timeout");
    // The limit is one second; the rest is the start of the program.
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
    upstream.departed(1).await;
}

#[tokio::test]
async fn an_answer_that_stops_in_the_middle_is_given_up_in_time() {
    let upstream = faulty(|mut peer| async move {
        peer.request().await;
        peer.send(&json_answer(CHAT_ANSWER)[..200]).await;
        peer.gone().await;
    })
    .await;
    fail_and_recover(&upstream).await.0.assert_error(504, "provider_timeout");
    upstream.departed(1).await;
}

#[tokio::test]
async fn an_answer_cut_in_the_middle_is_an_error_and_not_half_an_answer() {
    let upstream = faulty(|mut peer| async move {
        peer.request().await;
        peer.send(&json_answer(CHAT_ANSWER)[..200]).await;
    })
    .await;
    fail_and_recover(&upstream).await.0.assert_error(502, "provider_disconnected");
}

#[tokio::test]
async fn a_chunked_answer_reset_in_the_middle_is_an_error_and_not_half_an_answer() {
    let upstream = faulty(|mut peer| async move {
        peer.request().await;
        peer.send(
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n4\r\n{\"a\"\r\n",
        )
        .await;
        peer.reset();
    })
    .await;
    fail_and_recover(&upstream).await.0.assert_error(502, "provider_disconnected");
}

#[tokio::test]
async fn what_is_not_json_is_not_an_answer() {
    for garbage in ["", "garbage", "<html>200 OK</html>", "{\"choices\":[}", "{\"a\":1} {\"b\":2}"] {
        let upstream = faulty(move |mut peer| async move {
            peer.request().await;
            peer.send(json_answer(garbage)).await;
        })
        .await;
        fail_and_recover(&upstream).await.0.assert_error(502, "provider_invalid_response");
    }
}

#[tokio::test]
async fn what_is_not_http_is_not_an_answer() {
    for garbage in ["SSH-2.0-OpenSSH_9.6\r\n\r\n", "HTTP/1.1 2000 Odd\r\n\r\n", "HTTP/1.1 200 OK\r\nbad header\r\n\r\n"]
    {
        let upstream = faulty(move |mut peer| async move {
            peer.request().await;
            peer.send(garbage).await;
            peer.gone().await;
        })
        .await;
        fail_and_recover(&upstream).await.0.assert_error(502, "provider_invalid_response");
    }
}

#[tokio::test]
async fn a_head_without_end_is_given_up_and_takes_no_memory() {
    for piece in [&"a".repeat(64 << 10), "x-more: of the same\r\n"] {
        let piece: Arc<str> = piece.into();
        let upstream = faulty(move |mut peer| {
            let piece = Arc::clone(&piece);
            async move {
                peer.request().await;
                peer.send("HTTP/1.1 200 OK\r\nx-first: ").await;
                while peer.send(&*piece).await {}
            }
        })
        .await;
        let (answer, gateway) = fail_and_recover(&upstream).await;
        answer.assert_error(502, "provider_invalid_response");
        assert!(gateway.peak_memory_bytes() < 100 << 20, "{}", gateway.peak_memory_bytes());
    }
}

#[tokio::test]
async fn an_answer_that_drips_is_cut_off_at_the_total_time() {
    let upstream = faulty(|mut peer| async move {
        peer.request().await;
        peer.send("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 1000\r\n\r\n").await;
        while peer.send(" ").await {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    })
    .await;
    let config = scripted(upstream.address).replace("total: 15s", "total: 700ms");
    let gateway = Gateway::start(&config).await;
    gateway.chat(chat("scripted/m")).await.assert_error(504, "deadline_exceeded");
    assert_eq!(gateway.chat(chat("scripted/m")).await.status, 200);
}

#[tokio::test]
async fn an_answer_of_100_mb_flows_through_in_little_memory() {
    const PIECES: usize = 1_600;
    let upstream = Upstream::start(|mut peer| async move {
        while peer.request().await.is_some() {
            let head = r#"{"choices":[{"index":0,"message":{"role":"assistant","content":""#;
            let tail =
                r#""},"finish_reason":"stop"}],"usage":{"prompt_tokens":5,"completion_tokens":6,"total_tokens":11}}"#;
            let length = head.len() + tail.len() + PIECES * (64 << 10);
            peer.send(format!(
                "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{head}"
            ))
            .await;
            let piece = vec![b'a'; 64 << 10];
            for _ in 0..PIECES {
                if !peer.send(&piece).await {
                    return;
                }
            }
            peer.send(tail).await;
        }
    })
    .await;
    let gateway = Gateway::start(&scripted(upstream.address)).await;
    let mut client = gateway.client().await;
    client.post("/v1/chat/completions", &[], chat("scripted/m")).await;
    let (status, head) = client.answer_head().await;
    assert_eq!(status, 200);
    let mut received = 0;
    while let Some(piece) = client.piece().await.unwrap() {
        received += piece.len();
    }
    assert!(received > 100_000_000, "{received}");
    assert!(gateway.peak_memory_bytes() < 100 << 20, "{}", gateway.peak_memory_bytes());
    let record = gateway.record(head.get("x-request-id").unwrap()).await;
    assert_eq!((&record["outcome"], &record["output_tokens"]), (&"completed".into(), &6.into()), "{record}");
}

#[tokio::test]
async fn a_large_answer_cut_in_the_middle_does_not_end_well() {
    let upstream = Upstream::start(|mut peer| async move {
        peer.request().await;
        peer.send("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 9000000\r\n\r\n{\"a\":\"")
            .await;
        peer.send(vec![b'a'; 3_000_000]).await;
    })
    .await;
    let gateway = Gateway::start(&scripted(upstream.address)).await;
    let answer = gateway.chat(chat("scripted/m")).await;
    assert!(!answer.is_whole);
    let record = gateway.record(answer.request_id()).await;
    assert_eq!(
        (&record["outcome"], &record["error"]),
        (&"failed".into(), &"provider_stream_interrupted".into()),
        "{record}"
    );
}

#[tokio::test]
async fn a_connection_that_the_provider_closed_while_it_was_idle_is_not_used_again() {
    let upstream = Upstream::start(|mut peer| async move {
        peer.request().await;
        peer.send(json_answer(CHAT_ANSWER)).await;
    })
    .await;
    let gateway = Gateway::start(&scripted(upstream.address)).await;
    let mut client = gateway.client().await;
    for _ in 0..20 {
        client.post("/v1/chat/completions", &[], chat("scripted/m")).await;
        let answer = client.answer().await;
        assert_eq!(answer.status, 200, "{}", answer.text());
    }
    assert_eq!(upstream.connections(), 20);
}

#[tokio::test]
async fn a_connection_that_stays_open_is_used_again() {
    let upstream = Upstream::always(json_answer(CHAT_ANSWER)).await;
    let gateway = Gateway::start(&scripted(upstream.address)).await;
    let mut client = gateway.client().await;
    for _ in 0..20 {
        client.post("/v1/chat/completions", &[], chat("scripted/m")).await;
        assert_eq!(client.answer().await.status, 200);
    }
    assert_eq!((upstream.connections(), upstream.requests().len()), (1, 20));
}
