//! Many translated streams at once.

use tokio::sync::watch;

use crate::harness::{Gateway, Upstream, beside, config};
use crate::translated::Format;
use crate::translated_vendors::Vendor;

const STREAMS: usize = 200;
const ROUNDS: usize = 10;
const VENDORS: [Vendor; 4] = [Vendor::Anthropic, Vendor::Gemini, Vendor::Bedrock, Vendor::Compatible];

/// A provider that says the client's marker once a round, and keeps every stream open until the last.
async fn marking(vendor: Vendor, round: watch::Receiver<usize>) -> Upstream {
    Upstream::start(move |mut peer| {
        let mut round = round.clone();
        async move {
            let Some(request) = peer.request().await else { return };
            let text = request.text();
            let (_, rest) = text.split_once("marker-").unwrap();
            let marker: String = rest.chars().take_while(char::is_ascii_digit).collect();
            let texts: Vec<String> = (0..ROUNDS).map(|number| format!("<{marker} round {number}>")).collect();
            let mut pieces = vendor.stream_of(&texts).into_iter();
            peer.send([vendor.stream_head(), pieces.next().unwrap()].concat()).await;
            for number in 0..ROUNDS {
                round.wait_for(|current| *current >= number).await.unwrap();
                peer.send(pieces.next().unwrap()).await;
            }
            peer.send(pieces.collect::<Vec<_>>().concat()).await;
        }
    })
    .await
}

#[tokio::test]
async fn two_hundred_translated_streams_keep_their_contents_apart() {
    let (rounds, round) = watch::channel(0);
    let timeout = ", timeout: { first_byte: 60s, read: 60s, total: 60s }";
    let mut upstreams = Vec::new();
    let mut providers = String::new();
    for vendor in VENDORS {
        let upstream = marking(vendor, round.clone()).await;
        providers.push_str(&vendor.entry(vendor.type_id(), upstream.address, timeout));
        upstreams.push(upstream);
    }
    let gateway = Gateway::start(&config(&format!("providers:\n{providers}"))).await;

    let mut streams = Vec::new();
    for number in 0..STREAMS {
        let vendor = VENDORS[number % 4];
        let format = Format::ALL[number / 4 % 4];
        let model = format!("{}/{}", vendor.type_id(), vendor.model());
        let mut client = gateway.client().await;
        let body = format.body(&model, true, &format!("marker-{number}-"));
        client.post(&format.path(&model, true), &[], body.to_string()).await;
        streams.push(beside(async move { (number, format, client.answer().await) }));
    }
    for upstream in &upstreams {
        upstream.requested(STREAMS / 4).await;
    }
    assert_eq!(gateway.metric("ai_gateway_requests_in_flight").await, Some(STREAMS as f64));
    for number in 0..ROUNDS {
        rounds.send_replace(number);
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    for stream in streams {
        let (number, format, answer) = stream.await.unwrap();
        let expected: String = (0..ROUNDS).map(|round| format!("<{number} round {round}>")).collect();
        let said = format.read_stream(answer.text());
        assert_eq!((said.text, said.output_tokens), (expected, 10), "{format:?}");
        let record = gateway.record(answer.request_id()).await;
        assert_eq!((&record["outcome"], &record["input_tokens"]), (&"completed".into(), &20.into()), "{record}");
    }
    while gateway.metric("ai_gateway_open_streams").await != Some(0.0) {}
    assert_eq!(gateway.metric("ai_gateway_held_bytes").await, Some(0.0));
}
