//! A stream that breaks off ends in an error event, never in a clean end.

use std::time::Duration;

use serde_json::Value;

use crate::harness::{
    Answer, CHAT_ANSWER, Gateway, Peer, Upstream, chat, event_stream, json_answer, scripted, streamed_chat,
};

const FIRST: &str =
    "data: {\"id\":\"1\",\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"he\"}}]}\n\n";
const SECOND: &str = "data: {\"id\":\"1\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"llo\"}}]}\n\n";

/// Streams one event, then does what `fault` says; whole answers succeed.
async fn breaking<S, F>(fault: S) -> Upstream
where
    S: Fn(Peer) -> F + Send + Sync + Copy + 'static,
    F: Future<Output = ()> + Send + 'static,
{
    Upstream::start(move |mut peer| async move {
        while let Some(request) = peer.request().await {
            if request.json()["stream"] == true {
                peer.send([event_stream(), FIRST.as_bytes()].concat()).await;
                return fault(peer).await;
            }
            peer.send(json_answer(CHAT_ANSWER)).await;
        }
    })
    .await
}

/// The error event at the end of a stream, once it is sure that the next request succeeds.
async fn stream_error(upstream: &Upstream, config: &str) -> (Answer, Value) {
    let gateway = Gateway::start(config).await;
    let answer = gateway.chat(streamed_chat("scripted/m")).await;
    let record = gateway.record(answer.request_id()).await;
    assert_eq!((&record["outcome"], &record["status"]), (&"failed".into(), &200.into()), "{record}");
    assert_eq!(gateway.chat(chat("scripted/m")).await.status, 200);
    assert!(upstream.connections() >= 2);

    assert!(answer.text().starts_with(FIRST), "{}", answer.text());
    assert!(!answer.text().contains("[DONE]"), "{}", answer.text());
    let last = answer.text().trim_end().rsplit("\n\n").next().unwrap();
    let event: Value = serde_json::from_str(last.strip_prefix("data: ").unwrap()).unwrap();
    assert_eq!(record["error"], event["error"]["code"]);
    (answer, event)
}

#[tokio::test]
async fn a_stream_cut_between_events_ends_in_an_error_event() {
    let upstream = breaking(|peer| async move { drop(peer) }).await;
    let (_, event) = stream_error(&upstream, &scripted(upstream.address)).await;
    assert_eq!(event["error"]["code"], "provider_stream_interrupted");
    assert!(event["error"]["message"].is_string());
}

#[tokio::test]
async fn a_stream_cut_within_an_event_does_not_forward_the_half_of_it() {
    let upstream = breaking(|mut peer| async move {
        peer.send(&SECOND[..40]).await;
    })
    .await;
    let (answer, event) = stream_error(&upstream, &scripted(upstream.address)).await;
    assert_eq!(event["error"]["code"], "provider_stream_interrupted");
    for event in answer.text().split_terminator("\n\n") {
        serde_json::from_str::<Value>(event.strip_prefix("data: ").unwrap()).unwrap();
    }
}

#[tokio::test]
async fn a_stream_reset_by_the_provider_ends_in_an_error_event() {
    let upstream = breaking(|peer| async move { peer.reset() }).await;
    let (_, event) = stream_error(&upstream, &scripted(upstream.address)).await;
    assert_eq!(event["error"]["code"], "provider_stream_interrupted");
}

#[tokio::test]
async fn a_stream_that_falls_silent_ends_in_an_error_event_in_time() {
    let upstream = breaking(|mut peer| async move { peer.gone().await }).await;
    let (_, event) = stream_error(&upstream, &scripted(upstream.address)).await;
    assert_eq!(event["error"]["code"], "provider_timeout");
    upstream.departed(1).await;
}

#[tokio::test]
async fn a_stream_that_drips_for_ever_ends_at_the_total_time() {
    let upstream = breaking(|mut peer| async move {
        while peer.send(SECOND).await {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    })
    .await;
    let config = scripted(upstream.address).replace("total: 15s", "total: 700ms");
    let (_, event) = stream_error(&upstream, &config).await;
    assert_eq!(event["error"]["code"], "deadline_exceeded");
}

#[tokio::test]
async fn comments_alone_do_not_keep_a_stream_beyond_its_total_time() {
    let upstream = breaking(|mut peer| async move {
        while peer.send(": ping\n\n").await {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    })
    .await;
    let config = scripted(upstream.address).replace("total: 15s", "total: 700ms");
    let (_, event) = stream_error(&upstream, &config).await;
    assert_eq!(event["error"]["code"], "deadline_exceeded");
}

#[tokio::test]
async fn garbage_in_a_stream_ends_it_with_an_error_event() {
    let upstream = breaking(|mut peer| async move {
        peer.send(b"data: \xff\xfe\xfd\n\n").await;
        peer.gone().await;
    })
    .await;
    let (_, event) = stream_error(&upstream, &scripted(upstream.address)).await;
    assert_eq!(event["error"]["code"], "provider_invalid_response");
}

#[tokio::test]
async fn an_event_without_end_is_given_up_and_takes_no_memory() {
    let upstream = breaking(|mut peer| async move {
        peer.send("data: {\"choices\":[{\"delta\":{\"content\":\"").await;
        while peer.send(vec![b'a'; 64 << 10]).await {}
    })
    .await;
    let gateway = Gateway::start(&scripted(upstream.address)).await;
    let answer = gateway.chat(streamed_chat("scripted/m")).await;
    assert!(answer.text().contains("provider_invalid_response"), "{} bytes", answer.body.len());
    assert!(gateway.peak_memory_bytes() < 150 << 20, "{}", gateway.peak_memory_bytes());
}

#[tokio::test]
async fn an_error_that_the_provider_sends_within_the_stream_is_forwarded_and_remembered() {
    const ERROR: &str =
        "data: {\"error\":{\"message\":\"overloaded\",\"type\":\"server_error\",\"param\":null,\"code\":null}}\n\n";
    let upstream = breaking(|mut peer| async move {
        peer.send(ERROR).await;
    })
    .await;
    let gateway = Gateway::start(&scripted(upstream.address)).await;
    let answer = gateway.chat(streamed_chat("scripted/m")).await;
    assert!(answer.text().contains(ERROR), "{}", answer.text());
    assert!(!answer.text().contains("[DONE]"));
    let record = gateway.record(answer.request_id()).await;
    assert_eq!((&record["outcome"], &record["error"]), (&"failed".into(), &"provider_failed".into()), "{record}");
}

#[tokio::test]
async fn the_first_event_does_not_wait_for_the_second() {
    let upstream = breaking(|mut peer| async move { peer.gone().await }).await;
    let gateway = Gateway::start(&scripted(upstream.address)).await;
    let mut client = gateway.client().await;
    client.post("/v1/chat/completions", &[], streamed_chat("scripted/m")).await;
    assert_eq!(client.answer_head().await.0, 200);
    // The provider says nothing more before it is given up; the event must be here by then.
    assert_eq!(client.until("\n\n").await, FIRST);
}

#[tokio::test]
async fn a_stream_of_events_cut_anywhere_into_packets_is_forwarded_whole() {
    let upstream = Upstream::start(|mut peer| async move {
        peer.request().await;
        peer.send(event_stream()).await;
        for byte in [FIRST, SECOND, "data: [DONE]\n\n"].concat().as_bytes() {
            peer.send([*byte]).await;
            tokio::task::yield_now().await;
        }
    })
    .await;
    let gateway = Gateway::start(&scripted(upstream.address)).await;
    let answer = gateway.chat(streamed_chat("scripted/m")).await;
    assert_eq!(answer.text(), [FIRST, SECOND, "data: [DONE]\n\n"].concat());
}
