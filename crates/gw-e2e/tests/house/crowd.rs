//! Many streams at once, while the configuration is reloaded.

use tokio::sync::watch;

use crate::harness::{Gateway, Upstream, beside, config, provider};

const STREAMS: usize = 500;
const RELOADS: u64 = 10;

fn event(text: &str) -> String {
    format!("data: {{\"id\":\"1\",\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"{text}\"}}}}]}}\n\n")
}

/// What the stream of a marker holds, whatever else is going on.
fn expected(marker: &str) -> String {
    let events: String = (0..=RELOADS).map(|round| event(&format!("{marker} round {round};"))).collect();
    events + "data: [DONE]\n\n"
}

fn reloaded(config: &str, round: u64) -> String {
    format!("{config}aliases: {{ round-{round}: crowd/m }}\n")
}

#[tokio::test]
async fn each_of_500_streams_gets_its_own_content_while_the_configuration_is_reloaded() {
    let (rounds, round) = watch::channel(0);
    let upstream = Upstream::start(move |mut peer| {
        let mut round = round.clone();
        async move {
            while let Some(request) = peer.request().await {
                let marker = request.json()["user"].as_str().unwrap().to_owned();
                peer.send("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n")
                    .await;
                for number in 0..=RELOADS {
                    // Each event waits for its reload, so that every stream is open during all of them.
                    round.wait_for(|current| *current >= number).await.unwrap();
                    let event = event(&format!("{marker} round {number};"));
                    peer.send(format!("{:x}\r\n{event}\r\n", event.len())).await;
                }
                peer.send("e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n").await;
            }
        }
    })
    .await;
    let providers = provider("crowd", upstream.address, ", timeout: { first_byte: 60s, read: 60s, total: 60s }");
    let config = config(&format!("providers:\n{providers}"));
    let gateway = Gateway::start(&config).await;

    let mut streams = Vec::new();
    for number in 0..STREAMS {
        let marker = format!("marker-{number}-{}", number * 7919 % 1000);
        let mut client = gateway.client().await;
        let body = format!(r#"{{"model":"crowd/m","stream":true,"user":"{marker}","messages":[]}}"#);
        client.post("/v1/chat/completions", &[], body).await;
        streams.push(beside(async move {
            let answer = client.answer().await;
            (marker, answer)
        }));
    }
    upstream.requested(STREAMS).await;
    for number in 1..=RELOADS {
        gateway.reload(&reloaded(&config, number), &format!("round-{number}")).await;
        rounds.send_replace(number);
    }
    for stream in streams {
        let (marker, answer) = stream.await.unwrap();
        assert_eq!((answer.status, answer.text()), (200, expected(&marker).as_str()));
    }
    assert!(gateway.metric("ai_gateway_config_generation").await > Some(10.0));
}
