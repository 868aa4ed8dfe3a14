//! Clients that leave a translated stream, or read it slowly.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::harness::{Client, Gateway, Upstream};
use crate::translated::{Format, House, pairs, strangers, unhurried};
use crate::translated_vendors::Vendor;

/// A provider that says `Hel`, and then waits for the gateway to go; to who asks for no stream it says nothing.
async fn patient(vendor: Vendor) -> House {
    let upstream = Upstream::start(move |mut peer| async move {
        let Some(request) = peer.request().await else { return };
        if vendor.is_stream(&request) {
            peer.send([vendor.stream_head(), vendor.cut_stream(&request)].concat()).await;
        }
        peer.gone().await;
    })
    .await;
    let gateway = Gateway::start(&unhurried(vendor, upstream.address)).await;
    House { gateway, upstream, vendor }
}

async fn begin(house: &House, format: Format, stream: bool, headers: &[(&str, &str)]) -> Client {
    let mut client = house.gateway.client().await;
    let model = house.model();
    client.post(&format.path(&model, stream), headers, format.body(&model, stream, "x").to_string()).await;
    client
}

#[tokio::test]
async fn a_client_that_leaves_in_mid_stream_lets_the_provider_go_at_once() {
    for (format, vendor) in pairs() {
        let house = patient(vendor).await;
        let mut client = begin(&house, format, true, &[]).await;
        let (_, head) = client.answer_head().await;
        client.until("Hel").await;
        drop(client);
        house.upstream.departed(1).await;
        let record = house.gateway.record(head.get("x-request-id").unwrap()).await;
        assert_eq!(
            (&record["outcome"], &record["error"]),
            (&"cancelled".into(), &"client_closed".into()),
            "{format:?} to {vendor:?}: {record}"
        );
        while house.gateway.metric("ai_gateway_open_streams").await != Some(0.0) {}
    }
}

#[tokio::test]
async fn a_client_that_leaves_before_the_answer_lets_the_provider_go_at_once() {
    for (format, vendor) in strangers() {
        let house = patient(vendor).await;
        let client = begin(&house, format, false, &[("x-request-id", "left-early")]).await;
        house.upstream.requested(1).await;
        drop(client);
        house.upstream.departed(1).await;
        let record: serde_json::Value = serde_json::from_str(&house.gateway.log_line("left-early").await).unwrap();
        assert_eq!((&record["outcome"], &record["status"]), (&"cancelled".into(), &499.into()), "{record}");
    }
}

#[tokio::test]
async fn what_a_client_has_used_before_it_left_is_recorded() {
    // Anthropic tells what went in with the first event.
    for format in [Format::Chat, Format::Messages] {
        let house = patient(Vendor::Anthropic).await;
        let mut client = begin(&house, format, true, &[]).await;
        let (_, head) = client.answer_head().await;
        client.until("Hel").await;
        client.reset();
        house.upstream.departed(1).await;
        let record = house.gateway.record(head.get("x-request-id").unwrap()).await;
        assert_eq!(record["input_tokens"], 20, "{format:?}: {record}");
    }
}

#[tokio::test]
async fn a_slow_client_slows_the_provider_down_and_loses_nothing() {
    const PIECES: usize = 400;
    const PIECE_BYTES: usize = 64 << 10;
    for (format, vendor) in
        [(Format::Chat, Vendor::Anthropic), (Format::Messages, Vendor::Bedrock), (Format::Messages, Vendor::Anthropic)]
    {
        let sent = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&sent);
        let upstream = Upstream::start(move |mut peer| {
            let sent = Arc::clone(&counted);
            async move {
                peer.request().await;
                peer.send(vendor.stream_head()).await;
                let text = format!("{}.", "x".repeat(PIECE_BYTES - 1));
                let pieces = vendor.stream_of(&[text]);
                peer.send(&pieces[0]).await;
                for _ in 0..PIECES {
                    peer.send(&pieces[1]).await;
                    sent.fetch_add(1, Ordering::Relaxed);
                }
                peer.send(pieces[2..].concat()).await;
            }
        })
        .await;
        let gateway = Gateway::start(&unhurried(vendor, upstream.address)).await;
        let house = House { gateway, upstream, vendor };
        let mut client = begin(&house, format, true, &[]).await;
        client.answer_head().await;
        // Nothing is read, until the provider gets nowhere any more.
        let mut before = usize::MAX;
        while before != sent.load(Ordering::Relaxed) {
            before = sent.load(Ordering::Relaxed);
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
        assert!(before < PIECES, "{format:?} to {vendor:?}: all {before} pieces were taken");
        let (body, is_whole) = client.rest().await;
        assert!(is_whole);
        let said = format.read_stream(std::str::from_utf8(&body).unwrap());
        assert_eq!((said.text.len(), said.output_tokens), (PIECES * PIECE_BYTES, 10), "{format:?} to {vendor:?}");
        let peak = house.gateway.peak_memory_bytes();
        assert!(peak < 150 << 20, "{format:?} to {vendor:?}: {peak}");
    }
}
