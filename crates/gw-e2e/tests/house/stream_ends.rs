//! Where a stream ends, and answers that come in pieces to clients who want them whole, or as a list.

use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::{Gateway, Upstream, chat, http_answer};
use crate::translated::{Format, HELLO, House, configured, pairs, unhurried};
use crate::translated_vendors::Vendor;

/// Answers each request on a connection with a chunked stream that is complete but for its last chunk; then waits for
/// the gateway to go.
async fn never_ending(vendor: Vendor) -> Upstream {
    Upstream::start(move |mut peer| async move {
        let Some(request) = peer.request().await else { return };
        peer.send([vendor.stream_head(), vendor.stream(&request)].concat()).await;
        peer.gone().await;
    })
    .await
}

#[tokio::test]
async fn a_stream_ends_with_the_providers_mark_though_the_connection_stays_open() {
    // Google's events have no mark.
    for (format, vendor) in pairs().filter(|(_, vendor)| *vendor != Vendor::Gemini) {
        let upstream = never_ending(vendor).await;
        let gateway = Gateway::start(&unhurried(vendor, upstream.address)).await;
        let house = House { gateway, upstream, vendor };
        let answer = house.ask(format, true).await;
        assert_eq!(format.read_stream(answer.text()).text, HELLO, "{format:?} to {vendor:?}");
        assert_eq!(house.gateway.record(answer.request_id()).await["outcome"], "completed", "{format:?} to {vendor:?}");
        // A connection that does not end is not one to be used again.
        house.upstream.departed(1).await;
    }
}

#[tokio::test]
async fn a_stream_ends_with_the_providers_mark_though_the_provider_goes_on_and_on() {
    for format in [Format::Chat, Format::Messages, Format::Responses] {
        let upstream = Upstream::start(|mut peer| async move {
            let Some(request) = peer.request().await else { return };
            peer.send([Vendor::OpenAi.stream_head(), Vendor::OpenAi.stream(&request)].concat()).await;
            let more = ": more\n\n".repeat(10_000);
            while peer.send(&more).await {}
            peer.gone().await;
        })
        .await;
        let gateway = Gateway::start(&unhurried(Vendor::OpenAi, upstream.address)).await;
        let house = House { gateway, upstream, vendor: Vendor::OpenAi };
        let answer = tokio::time::timeout(Duration::from_secs(10), house.ask(format, true)).await;
        let answer = answer.unwrap_or_else(|_| panic!("{format:?} never ended"));
        assert_eq!(format.read_stream(answer.text()).text, HELLO, "{format:?}");
        house.upstream.departed(1).await;
    }
}

#[tokio::test]
async fn a_connection_that_ends_its_stream_behind_the_mark_is_used_again() {
    for format in [Format::Chat, Format::Messages] {
        let upstream = Upstream::start(|mut peer| async move {
            while let Some(request) = peer.request().await {
                let stream = Vendor::OpenAi.stream(&request);
                let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
                peer.send(format!("{head}{:x}\r\n{}\r\n", stream.len(), String::from_utf8(stream).unwrap())).await;
                // In a packet of its own, as most servers send it.
                tokio::task::yield_now().await;
                peer.send("0\r\n\r\n").await;
            }
        })
        .await;
        let house = House::over(Vendor::OpenAi, upstream).await;
        for _ in 0..20 {
            assert_eq!(format.read_stream(house.ask(format, true).await.text()).text, HELLO);
        }
        // Each worker has connections of its own.
        assert!(house.upstream.connections() <= 4, "{format:?}: {}", house.upstream.connections());
    }
}

#[tokio::test]
async fn a_model_that_only_streams_answers_clients_that_do_not() {
    for (format, vendor) in pairs() {
        let upstream = vendor.serve().await;
        let config = configured(vendor, upstream.address)
            .replace("api_key:", &format!("stream_only: [\"{}\"], api_key:", vendor.model()));
        let house = House { gateway: Gateway::start(&config).await, upstream, vendor };
        let answer = house.ask(format, false).await;
        assert_eq!(answer.status, 200, "{format:?} to {vendor:?}: {}", answer.text());
        assert_eq!(answer.header("content-type"), Some("application/json"));
        assert_eq!(format.read(&answer.json()), format.whole(HELLO), "{format:?} to {vendor:?}");
        assert!(vendor.is_stream(&house.last_request()), "{format:?} to {vendor:?}");
        let record = house.gateway.record(answer.request_id()).await;
        assert_eq!((&record["outcome"], &record["input_tokens"]), (&json!("completed"), &json!(20)), "{record}");
    }
}

#[tokio::test]
async fn a_stream_that_nobody_asked_for_is_given_whole() {
    let stream = "data: {\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"m\",\"choices\":[{\"index\":0,\
                  \"delta\":{\"role\":\"assistant\",\"content\":\"Hi\"},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n";
    let upstream = Upstream::always(http_answer(200, &[("content-type", "text/event-stream")], stream)).await;
    let house = House::over(Vendor::OpenAi, upstream).await;
    for format in [Format::Chat, Format::Messages, Format::Gemini] {
        let answer = house.ask(format, false).await;
        assert_eq!(format.read(&answer.json()).text, "Hi", "{format:?}: {}", answer.text());
    }
}

#[tokio::test]
async fn a_gathered_answer_that_breaks_off_is_an_error_with_a_status() {
    let upstream = Upstream::start(|mut peer| async move {
        let Some(request) = peer.request().await else { return };
        peer.send([Vendor::OpenAi.stream_head(), Vendor::OpenAi.cut_stream(&request)].concat()).await;
    })
    .await;
    let house = House::over(Vendor::OpenAi, upstream).await;
    let answer = house.gateway.chat(chat(&house.model())).await;
    assert_eq!(answer.status, 502, "{}", answer.text());
}

#[tokio::test]
async fn without_alt_sse_googles_clients_get_a_list_that_comes_piece_by_piece() {
    for vendor in [Vendor::Gemini, Vendor::Anthropic, Vendor::OpenAi] {
        let house = House::start(vendor).await;
        let path = Format::Gemini.path(&house.model(), true).replace("?alt=sse", "");
        let body = Format::Gemini.body(&house.model(), true, "Say hello.").to_string();
        let answer = house.gateway.post(&path, body).await;
        assert_eq!((answer.status, answer.header("content-type")), (200, Some("application/json")), "{vendor:?}");
        let list = answer.json();
        let text = |piece: &Value| {
            piece.pointer("/candidates/0/content/parts/0/text").and_then(Value::as_str).unwrap_or_default().to_owned()
        };
        let said: String = list.as_array().unwrap().iter().map(text).collect();
        assert_eq!(said, HELLO, "{vendor:?}: {}", answer.text());
        assert!(list.as_array().unwrap().len() > 1, "{vendor:?}");
        // The provider is asked for events all the same.
        assert!(vendor.is_stream(&house.last_request()));
        assert!(vendor != Vendor::Gemini || house.last_request().head.first_line.contains("alt=sse"));
    }
}

#[tokio::test]
async fn an_error_in_mid_stream_is_an_object_in_googles_list() {
    for vendor in [Vendor::Gemini, Vendor::Anthropic, Vendor::OpenAi] {
        let (stream, _) = vendor.failing_stream();
        let house = House::always(vendor, [vendor.stream_head(), stream].concat()).await;
        let path = Format::Gemini.path(&house.model(), true).replace("?alt=sse", "?key=x");
        let answer = house.gateway.post(&path, Format::Gemini.body("", true, "Say hello.").to_string()).await;
        let list = answer.json();
        assert!(list.as_array().unwrap().last().unwrap()["error"]["message"].is_string(), "{vendor:?}: {list}");
    }
}
