//! Providers that die, come back, refuse, stall and talk rubbish, while many applications ask: every request is answered
//! with its own answer, or fails with an error that says so.
//!
//! The test is as long as it has requests, which `CHAOS_REQUESTS` makes more.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use parking_lot::Mutex;

use crate::harness::{Client, Gateway, Peer, Recorded, Upstream, beside, config, http_answer, json_answer, provider};

const REQUESTS: usize = 3_000;
const CLIENTS: usize = 100;
/// Calls that a provider answers in one mood.
const MOOD_LASTS: usize = 40;
/// Two providers, each asked twice.
const CALLS_MAX: usize = 4;
const ROUTING: &str = "routing: { retry_attempts: 1, retry_delay: 5ms, circuit_breaker: { failure_threshold: 5, \
                       success_threshold: 1, timeout: 20ms } }\n";

/// What a provider does with its calls for a while.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Mood {
    Well,
    /// The connection dies before a word is said.
    Dead,
    /// The connection dies in the middle of an answer.
    Dying,
    Limited,
    Broken,
    Rubbish,
}

const MOODS: [Mood; 12] = [
    Mood::Well,
    Mood::Dead,
    Mood::Well,
    Mood::Limited,
    Mood::Well,
    Mood::Broken,
    Mood::Dying,
    Mood::Well,
    Mood::Rubbish,
    Mood::Well,
    Mood::Dead,
    Mood::Well,
];

/// How a client's request ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum End {
    Answered,
    StreamBroke,
    Failed(u16),
}

/// The calls of each request that came to any provider, and whether the last one went well.
#[derive(Default)]
struct Calls(Mutex<HashMap<String, (usize, bool)>>);

impl Calls {
    /// A call has come.
    fn count(&self, marker: &str) {
        let mut calls = self.0.lock();
        let (count, went_well) = calls.entry(marker.to_owned()).or_default();
        assert!(!*went_well, "{marker} was answered well, and asked again");
        *count += 1;
    }

    /// It was answered well.
    fn went_well(&self, marker: &str) {
        if let Some(call) = self.0.lock().get_mut(marker) {
            call.1 = true;
        }
    }
}

#[tokio::test]
async fn every_request_is_answered_once_or_fails_with_an_error_while_providers_come_and_go() {
    let requests = std::env::var("CHAOS_REQUESTS").ok().and_then(|count| count.parse().ok()).unwrap_or(REQUESTS);
    let calls = Arc::new(Calls::default());
    let (one, two) = (moody(&calls, 0).await, moody(&calls, 5).await);
    let providers = provider("one", one.address, ", models: [m]") + &provider("two", two.address, ", models: [m]");
    let gateway = Gateway::start(&config(&format!("providers:\n{providers}{ROUTING}"))).await;

    let next = Arc::new(AtomicUsize::new(0));
    let clients: Vec<_> = (0..CLIENTS)
        .map(|_| {
            let (next, address) = (Arc::clone(&next), gateway.address);
            beside(async move {
                let mut ends: HashMap<End, usize> = HashMap::new();
                loop {
                    let number = next.fetch_add(1, Relaxed);
                    if number >= requests {
                        return ends;
                    }
                    *ends.entry(ask(Client::connect(address).await, number).await).or_default() += 1;
                }
            })
        })
        .collect();
    let mut ends: HashMap<End, usize> = HashMap::new();
    for client in clients {
        for (end, count) in client.await.unwrap() {
            *ends.entry(end).or_default() += count;
        }
    }

    let mut report: Vec<_> = ends.iter().collect();
    report.sort();
    let made: usize = calls.0.lock().values().map(|(count, _)| count).sum();
    println!("{requests} requests, {made} calls of providers: {report:?}");
    assert_eq!(ends.values().sum::<usize>(), requests, "none is lost");
    assert!(ends.get(&End::Answered).is_some_and(|count| count * 2 > requests), "{report:?}");
    let too_often = calls.0.lock().iter().filter(|(_, (count, _))| *count > CALLS_MAX).count();
    assert_eq!(too_often, 0, "a request is not tried more often than it may be");
    let answer = gateway.get("/health/ready").await;
    assert_eq!(answer.status, 200);
    assert!(gateway.metric("ai_gateway_panics_total").await.is_none_or(|panics| panics == 0.0));
}

/// A provider that changes its mood every so many calls, beginning with this one.
async fn moody(calls: &Arc<Calls>, first: usize) -> Upstream {
    let (calls, served) = (Arc::clone(calls), Arc::new(AtomicUsize::new(first * MOOD_LASTS)));
    Upstream::start(move |mut peer| {
        let (calls, served) = (Arc::clone(&calls), Arc::clone(&served));
        async move {
            while let Some(request) = peer.request().await {
                let mood = MOODS[served.fetch_add(1, Relaxed) / MOOD_LASTS % MOODS.len()];
                match serve(peer, &request, mood, &calls).await {
                    Some(same) => peer = same,
                    None => return,
                }
            }
        }
    })
    .await
}

/// Serves a call as the mood is; returns the connection if it still lives.
async fn serve(mut peer: Peer, request: &Recorded, mood: Mood, calls: &Calls) -> Option<Peer> {
    let body = request.json();
    let marker = body["user"].as_str().unwrap();
    let streams = body["stream"] == true;
    calls.count(marker);
    match mood {
        Mood::Dead => {
            peer.reset();
            return None;
        }
        Mood::Dying => {
            let head = if streams {
                format!("{STREAM}{}", chunk(&event(marker)))
            } else {
                "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 1000\r\n\r\n{\"id\":".to_owned()
            };
            peer.send(head).await;
            peer.reset();
            return None;
        }
        Mood::Limited => {
            let error =
                r#"{"error":{"message":"slow down","type":"requests","param":null,"code":"rate_limit_exceeded"}}"#;
            peer.send(http_answer(429, &[("content-type", "application/json")], error)).await;
        }
        Mood::Broken => {
            peer.send(http_answer(503, &[("content-type", "text/html")], "<h1>Service Unavailable</h1>")).await;
        }
        Mood::Rubbish => {
            peer.send("\u{0}\u{1}rubbish\r\n\r\n").await;
            peer.reset();
            return None;
        }
        Mood::Well if streams => {
            calls.went_well(marker);
            let events = [event(marker), event(" and done"), "data: [DONE]\n\n".to_owned()];
            let chunks: String = events.iter().map(|event| chunk(event)).collect();
            peer.send(format!("{STREAM}{chunks}0\r\n\r\n")).await;
        }
        Mood::Well => {
            calls.went_well(marker);
            peer.send(json_answer(whole(marker))).await;
        }
    }
    Some(peer)
}

/// Asks, every other time for a stream, and checks that what comes is right in itself.
async fn ask(mut client: Client, number: usize) -> End {
    let (marker, streams) = (format!("marker-{number}"), number.is_multiple_of(2));
    let body = format!(
        r#"{{"model":"m","stream":{streams},"user":"{marker}","messages":[{{"role":"user","content":"hello"}}]}}"#
    );
    client.post("/v1/chat/completions", &[], body).await;
    let answer = client.answer().await;
    assert!(answer.is_whole, "{marker}: {}", answer.text());
    if answer.status != 200 {
        assert!(matches!(answer.status, 429 | 502 | 503 | 504), "{}", answer.text());
        answer.error_code();
        return End::Failed(answer.status);
    }
    if !streams {
        assert_eq!(answer.text(), whole(&marker));
        return End::Answered;
    }
    let text = answer.text();
    assert!(text.starts_with(&event(&marker)), "{marker} got: {text}");
    if text == event(&marker) + &event(" and done") + "data: [DONE]\n\n" {
        return End::Answered;
    }
    assert!(text.contains("\"error\""), "a stream that broke off says so: {text}");
    assert!(!text.contains("and done"), "{text}");
    End::StreamBroke
}

const STREAM: &str = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";

fn event(text: &str) -> String {
    format!("data: {{\"id\":\"1\",\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"{text}\"}}}}]}}\n\n")
}

fn chunk(event: &str) -> String {
    format!("{:x}\r\n{event}\r\n", event.len())
}

fn whole(marker: &str) -> String {
    format!(
        r#"{{"id":"1","object":"chat.completion","created":1,"model":"m","choices":[{{"index":0,"message":{{"role":"assistant","content":"{marker}"}},"finish_reason":"stop"}}],"usage":{{"prompt_tokens":1,"completion_tokens":1,"total_tokens":2}}}}"#
    )
}
