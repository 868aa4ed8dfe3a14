//! A stream of a provider that speaks another format, and that breaks off: the client is told so in its own.

use std::sync::Arc;

use serde_json::Value;
use tokio::sync::Notify;

use crate::harness::{Gateway, Peer, Recorded, Upstream, http_answer};
use crate::translated::{Format, HELLO, House, configured, pairs, strangers};
use crate::translated_vendors::Vendor;

/// Answers a request for a stream with its beginning, then does what `fault` says.
async fn breaking<S, F>(vendor: Vendor, fault: S) -> Upstream
where
    S: Fn(Peer) -> F + Send + Sync + Copy + 'static,
    F: Future<Output = ()> + Send + 'static,
{
    Upstream::start(move |mut peer| async move {
        let Some(request) = peer.request().await else { return };
        peer.send([vendor.stream_head(), vendor.cut_stream(&request)].concat()).await;
        fault(peer).await;
    })
    .await
}

/// Checks that the client got the text so far and then an error; returns the error's word and what the record calls it.
async fn assert_broken_off(house: &House, format: Format) -> (String, Value) {
    let answer = house.ask(format, true).await;
    assert_eq!(answer.status, 200, "{format:?} to {:?}: {}", house.vendor, answer.text());
    assert!(answer.text().contains("Hel"), "{format:?} to {:?}: {}", house.vendor, answer.text());
    let (word, message) = format.stream_error(answer.text());
    assert!(!message.is_empty());
    let record = house.gateway.record(answer.request_id()).await;
    assert_eq!((&record["outcome"], &record["status"]), (&"failed".into(), &200.into()), "{record}");
    (word, record["error"].clone())
}

#[tokio::test]
async fn an_error_in_mid_stream_is_told_in_the_clients_own_format() {
    for (format, vendor) in strangers() {
        let (stream, code) = vendor.failing_stream();
        let house = House::always(vendor, [vendor.stream_head(), stream].concat()).await;
        let (word, recorded) = assert_broken_off(&house, format).await;
        assert_eq!(recorded, code, "{format:?} to {vendor:?}");
        let expected = match (format, code) {
            (Format::Chat, _) => code,
            (Format::Responses, "provider_rate_limited") => "rate_limit_exceeded",
            (Format::Responses, _) => "server_error",
            (Format::Messages, "provider_overloaded") => "overloaded_error",
            (Format::Messages, "provider_rate_limited") => "rate_limit_error",
            (Format::Messages, _) => "api_error",
            (Format::Gemini, "provider_overloaded") => "UNAVAILABLE",
            (Format::Gemini, "provider_rate_limited") => "RESOURCE_EXHAUSTED",
            (Format::Gemini, _) => "INTERNAL",
        };
        assert_eq!(word, expected, "{format:?} to {vendor:?}");
    }
}

#[tokio::test]
async fn an_error_in_mid_stream_in_the_clients_own_format_goes_through_as_it_came() {
    for (format, vendor) in [(Format::Messages, Vendor::Anthropic), (Format::Gemini, Vendor::Gemini)] {
        let (stream, code) = vendor.failing_stream();
        let house = House::always(vendor, [vendor.stream_head(), stream.clone()].concat()).await;
        let answer = house.ask(format, true).await;
        assert_eq!(answer.body, stream, "{format:?}: {}", answer.text());
        let record = house.gateway.record(answer.request_id()).await;
        assert_eq!((&record["outcome"], &record["error"]), (&"failed".into(), &code.into()), "{record}");
    }
}

#[tokio::test]
async fn a_stream_cut_within_an_event_ends_in_the_clients_own_error() {
    for (format, vendor) in pairs() {
        let house = House::over(vendor, breaking(vendor, |peer| async move { drop(peer) }).await).await;
        assert_broken_off(&house, format).await;
    }
}

#[tokio::test]
async fn a_stream_cut_within_an_event_is_recorded_as_interrupted() {
    let mut others = Vec::new();
    for (format, vendor) in pairs() {
        let house = House::over(vendor, breaking(vendor, |peer| async move { drop(peer) }).await).await;
        let (_, code) = assert_broken_off(&house, format).await;
        if code != "provider_stream_interrupted" {
            others.push(format!("{format:?} to {vendor:?}: {code}"));
        }
    }
    assert!(others.is_empty(), "{others:#?}");
}

#[tokio::test]
async fn a_stream_cut_before_its_last_event_is_not_a_whole_answer() {
    for (format, vendor) in strangers() {
        let upstream = Upstream::start(move |mut peer| async move {
            peer.request().await;
            let pieces = vendor.stream_of(&["Hello".to_owned()]);
            peer.send([vendor.stream_head(), pieces[..2].concat()].concat()).await;
        })
        .await;
        let house = House::over(vendor, upstream).await;
        let (_, code) = assert_broken_off(&house, format).await;
        assert_eq!(code, "provider_stream_interrupted", "{format:?} to {vendor:?}");
    }
}

#[tokio::test]
async fn a_stream_without_a_single_event_is_not_an_empty_answer() {
    for (format, vendor) in strangers() {
        let house = House::always(vendor, vendor_head_only(vendor)).await;
        let answer = house.ask(format, true).await;
        format.stream_error(answer.text());
        house.assert_failed(&answer, "provider_stream_interrupted").await;
    }
}

/// A stream that ends as it begins.
fn vendor_head_only(vendor: Vendor) -> Vec<u8> {
    let media_type = if vendor == Vendor::Bedrock { "application/vnd.amazon.eventstream" } else { "text/event-stream" };
    http_answer(200, &[("content-type", media_type)], "")
}

#[tokio::test]
async fn a_stream_that_falls_silent_ends_in_the_clients_own_error() {
    for (format, vendor) in pairs() {
        let upstream = breaking(vendor, |mut peer| async move { peer.gone().await }).await;
        let config = configured(vendor, upstream.address).replace("read: 1s", "read: 300ms");
        let gateway = Gateway::start(&config).await;
        let house = House { gateway, upstream, vendor };
        let (_, code) = assert_broken_off(&house, format).await;
        assert_eq!(code, "provider_timeout", "{format:?} to {vendor:?}");
        house.upstream.departed(1).await;
    }
}

/// Streams what `say` says, and resets the connection once the client has heard a text. Returns what the client got, and
/// the record.
async fn reset_once_heard(
    format: Format,
    vendor: Vendor,
    say: fn(Vendor, &Recorded) -> Vec<u8>,
    text: &str,
) -> (String, Value) {
    let heard = Arc::new(Notify::new());
    let awaited = Arc::clone(&heard);
    let upstream = Upstream::start(move |mut peer| {
        let heard = Arc::clone(&awaited);
        async move {
            let Some(request) = peer.request().await else { return };
            peer.send([vendor.stream_head(), say(vendor, &request)].concat()).await;
            heard.notified().await;
            peer.reset();
        }
    })
    .await;
    let house = House::over(vendor, upstream).await;
    let model = house.model();
    let mut client = house.gateway.client().await;
    client.post(&format.path(&model, true), &[], format.body(&model, true, "x").to_string()).await;
    let (_, head) = client.answer_head().await;
    let mut stream = client.until(text).await;
    heard.notify_one();
    let (rest, is_whole) = client.rest().await;
    assert!(is_whole);
    stream.push_str(std::str::from_utf8(&rest).unwrap());
    (stream, house.gateway.record(head.get("x-request-id").unwrap()).await)
}

#[tokio::test]
async fn what_no_client_could_read_is_withheld_in_the_clients_own_format_too() {
    for rubbish in [&b"data: \xff\xfe{}\n\n"[..], b"event: message_stop\ndata: {\"type\":\n\n"] {
        for (format, vendor) in pairs().filter(|(format, vendor)| vendor.speaks(*format) && *format != Format::Chat) {
            let upstream = Upstream::start(move |mut peer| async move {
                let Some(request) = peer.request().await else { return };
                let begun = [vendor.stream_head(), vendor.stream_begun(&request)].concat();
                peer.send([&begun, rubbish, vendor.stream(&request).as_slice()].concat()).await;
            })
            .await;
            let house = House::over(vendor, upstream).await;
            let (_, code) = assert_broken_off(&house, format).await;
            assert_eq!(code, "provider_invalid_response", "{format:?}");
        }
    }
}

#[tokio::test]
async fn a_stream_that_the_provider_resets_ends_in_the_clients_own_error() {
    for (format, vendor) in pairs() {
        let (stream, record) = reset_once_heard(format, vendor, Vendor::cut_stream, "Hel").await;
        format.stream_error(&stream);
        assert_eq!(record["error"], "provider_stream_interrupted", "{format:?} to {vendor:?}: {record}");
    }
}

#[tokio::test]
async fn an_answer_that_came_to_its_end_is_whole_even_if_its_connection_stays_open() {
    for (format, vendor) in [(Format::Chat, Vendor::Anthropic), (Format::Gemini, Vendor::OpenAi)] {
        let upstream = Upstream::start(move |mut peer| async move {
            let Some(request) = peer.request().await else { return };
            peer.send([vendor.stream_head(), vendor.stream(&request)].concat()).await;
            peer.gone().await;
        })
        .await;
        let house = House::over(vendor, upstream).await;
        let answer = house.ask(format, true).await;
        assert_eq!(format.read_stream(answer.text()), format.whole(HELLO), "{format:?}: {}", answer.text());
    }
}

#[tokio::test]
async fn an_answer_that_came_to_its_end_is_whole_even_if_its_connection_breaks() {
    for (format, vendor) in [(Format::Chat, Vendor::Anthropic), (Format::Gemini, Vendor::OpenAi)] {
        let (stream, record) = reset_once_heard(format, vendor, Vendor::stream, "Quoted").await;
        assert_eq!(format.read_stream(&stream), format.whole(HELLO), "{format:?}: {stream}");
        assert_eq!(record["outcome"], "completed", "{record}");
    }
}
