//! Streams that break off and that nobody goes on with, because nobody can, may or should: they end as they always did.

use serde_json::json;

use crate::harness::{Gateway, Upstream, http_answer, streamed_chat};
use crate::routing_resumed::{
    ON, ask, assert_broken, assert_whole, breaking, chunk, ended, house, saying, streaming, text,
};
use crate::translated::Format;

#[tokio::test]
async fn where_nobody_could_go_on_every_byte_goes_through_as_it_came() {
    let said = saying(&["hello"]).replace("\"index\":0", "\"index\": 0") + &ended(3);
    let first = streaming(&said).await;
    let gateway = Gateway::start(&house(&[&first, &first], ON).replace("can: [prefill]", "can: [tools]")).await;
    let answer = ask(&gateway, |body| body["stream_options"] = json!({"include_usage": true})).await;
    assert_eq!(answer.text(), said);
}

#[tokio::test]
async fn who_cannot_go_on_is_not_asked_and_who_refuses_is_passed() {
    let first = streaming(saying(&["hello"])).await;
    let other = streaming(saying(&["never"]) + &ended(3)).await;
    let refuses = Upstream::always(http_answer(503, &[("content-type", "application/json")], "{\"error\":{}}")).await;
    let third = streaming(saying(&[" there"]) + &ended(3)).await;
    let asked = house(&[&first, &other, &refuses, &third], ON);
    let cannot = asked.replacen("can: [prefill]", "can: [tools]", 2);
    let gateway = Gateway::start(&cannot).await;
    let answer = ask(&gateway, |_| {}).await;
    assert_whole(&answer, "hello there");
    assert_eq!((other.requests().len(), refuses.requests().len()), (0, 1));
    assert_eq!(gateway.record(answer.request_id()).await["tries"].as_array().unwrap().len(), 2);

    let nobody = Gateway::start(&asked.replace("can: [prefill]", "can: [tools]")).await;
    assert_broken(&ask(&nobody, |_| {}).await, "hello", "provider_stream_interrupted");
    let refused = Gateway::start(&house(&[&first, &refuses], ON)).await;
    let answer = ask(&refused, |_| {}).await;
    assert_broken(&answer, "hello", "provider_stream_interrupted");
    let record = refused.record(answer.request_id()).await;
    assert_eq!((&record["outcome"], &record["error"]), (&"failed".into(), &"provider_stream_interrupted".into()));
    assert!(record.get("resumed").is_none(), "{record}");
}

#[tokio::test]
async fn what_is_more_than_a_text_ends_in_an_error() {
    let call = json!({"tool_calls": [{"index": 0, "id": "c", "type": "function", "function": {"name": "f", "arguments": "{"}}]});
    let thoughts = chunk(&json!({"reasoning_content": "hm"}), None);
    let second = streaming(saying(&["never"]) + &ended(3)).await;
    for begun in [saying(&["hello"]) + &chunk(&call, None), thoughts + &saying(&["hello"]), saying(&[" ", "\n"])] {
        let first = streaming(begun).await;
        let gateway = Gateway::start(&house(&[&first, &second], ON)).await;
        let answer = ask(&gateway, |_| {}).await;
        assert_eq!(Format::Chat.stream_error(answer.text()).0, "provider_stream_interrupted", "{}", answer.text());
    }
    let first = streaming(saying(&["hello"])).await;
    let gateway = Gateway::start(&house(&[&first, &second], ON)).await;
    for member in [
        json!({"n": 2}),
        json!({"logprobs": true}),
        json!({"response_format": {"type": "json_object"}}),
        json!({"reasoning_effort": "low"}),
    ] {
        let answer =
            ask(&gateway, |body| body.as_object_mut().unwrap().extend(member.as_object().unwrap().clone())).await;
        assert_broken(&answer, "hello", "provider_stream_interrupted");
    }
    assert_eq!(second.requests().len(), 0);
}

#[tokio::test]
async fn an_answer_that_has_its_finish_reason_is_whole_and_not_gone_on_with() {
    let first = streaming(saying(&["hello"]) + &chunk(&json!({}), Some("stop"))).await;
    let second = streaming(saying(&["never"]) + &ended(3)).await;
    let gateway = Gateway::start(&house(&[&first, &second], ON)).await;
    assert_whole(&ask(&gateway, |_| {}).await, "hello");
    assert_eq!(second.requests().len(), 0);
}

#[tokio::test]
async fn a_text_that_is_too_long_is_not_gone_on_with() {
    let long = "a".repeat(200 << 10);
    let first = streaming(saying(&[&long, &long])).await;
    let second = streaming(saying(&["never"]) + &ended(3)).await;
    let gateway = Gateway::start(&house(&[&first, &second], ON)).await;
    assert_broken(&ask(&gateway, |_| {}).await, &(long.clone() + &long), "provider_stream_interrupted");
    assert_eq!(second.requests().len(), 0);
}

#[tokio::test]
async fn the_requests_own_time_is_not_outlived() {
    let first = breaking(saying(&["hello"]), |mut peer| async move { peer.gone().await }).await;
    let second = streaming(saying(&["never"]) + &ended(3)).await;
    let hurried = "server: { timeouts: { request: 500ms } }\n";
    let gateway = Gateway::start(&format!("{}{hurried}", house(&[&first, &second], ON))).await;
    assert_broken(&ask(&gateway, |_| {}).await, "hello", "deadline_exceeded");
    assert_eq!(second.requests().len(), 0);
    let silent = breaking("", |mut peer| async move { peer.gone().await }).await;
    let broken = streaming(saying(&["hello"])).await;
    let gateway = Gateway::start(&format!("{}{hurried}", house(&[&broken, &silent], ON))).await;
    let answer = ask(&gateway, |_| {}).await;
    assert_eq!(text(&answer), "hello");
    Format::Chat.stream_error(answer.text());
}

#[tokio::test]
async fn operators_and_then_requests_decide() {
    let first = streaming(saying(&["hello"])).await;
    let second = streaming(saying(&[" there"]) + &ended(3)).await;
    let header = "x-gateway-resume";
    for (routing, said, goes_on) in [
        ("", None, false),
        ("", Some("continue_prefix"), false),
        (ON, None, true),
        (ON, Some("off"), false),
        ("  resume: on_request\n", None, false),
        ("  resume: on_request\n", Some("continue_prefix"), true),
    ] {
        let gateway = Gateway::start(&house(&[&first, &second], routing)).await;
        let headers: Vec<_> = said.map(|said| (header, said)).into_iter().collect();
        let answer = gateway.post_with("/v1/chat/completions", &headers, streamed_chat("m")).await;
        match goes_on {
            true => assert_whole(&answer, "hello there"),
            false => assert_broken(&answer, "hello", "provider_stream_interrupted"),
        }
    }
    let gateway = Gateway::start(&house(&[&first, &second], ON)).await;
    let answer = gateway.post_with("/v1/chat/completions", &[(header, "perhaps")], streamed_chat("m")).await;
    answer.assert_error(400, "invalid_request");
}

#[tokio::test]
async fn a_client_that_leaves_meanwhile_is_recorded_once() {
    let first = streaming(saying(&["hello"])).await;
    let silent = breaking("", |mut peer| async move { peer.gone().await }).await;
    let unhurried = house(&[&first, &silent], ON).replace("first_byte: 1s, read: 1s", "first_byte: 60s, read: 60s");
    let gateway = Gateway::start(&unhurried).await;
    let mut client = gateway.client().await;
    client.post("/v1/chat/completions", &[], streamed_chat("m")).await;
    let (_, head) = client.answer_head().await;
    client.until("hello").await;
    silent.requested(1).await;
    drop(client);
    silent.departed(1).await;
    let record = gateway.record(head.get("x-request-id").unwrap()).await;
    assert_eq!((&record["outcome"], &record["provider"]), (&"cancelled".into(), &"p1".into()), "{record}");
}
