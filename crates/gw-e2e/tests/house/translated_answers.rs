//! What comes back from a provider that speaks another format: whole, streamed, in small pieces, and in a form that was
//! not asked for.

use serde_json::Value;

use crate::harness::{Answer, CLIENT_KEY, PROVIDER_KEY, Recorded, Upstream, http_answer};
use crate::translated::{Format, HELLO, House, ok, pairs, strangers};
use crate::translated_fixtures::fixture;
use crate::translated_vendors::Vendor;

/// What only the gateway may see of a request.
const PRIVATE: [(&str, &str); 5] = [
    ("cookie", "session=secret-cookie"),
    ("x-forwarded-for", "192.0.2.77"),
    ("x-own-header", "secret-header"),
    ("proxy-authorization", "Basic c2VjcmV0"),
    ("openai-organization", "org-secret"),
];

/// Checks that a request upstream is the provider's own, and that nothing private is in it.
fn assert_sent(house: &House, format: Format, stream: bool) {
    let label = format!("{format:?} to {:?}", house.vendor);
    let request = house.last_request();
    assert_eq!(request.head.first_line, house.vendor.request_line(format, stream), "{label}");
    let (name, value) = house.vendor.credential();
    assert_eq!(request.head.get(name), Some(value.as_str()), "{label}");
    assert_eq!(request.head.get("content-type"), Some("application/json"), "{label}");
    let version = (house.vendor == Vendor::Anthropic).then_some("2023-06-01");
    let versions = values(&request, "anthropic-version");
    assert!(versions.iter().all(|value| Some(*value) == version), "{label}: {versions:?}");
    assert_eq!(versions.is_empty(), version.is_none(), "{label}");
    for (name, value) in PRIVATE {
        assert!(request.head.get(name).is_none() && !request.head.raw.contains(value), "{label}: {}", request.head.raw);
    }
    assert!(!request.head.raw.contains(CLIENT_KEY), "{label}: {}", request.head.raw);
    assert_eq!(request.head.raw.matches(PROVIDER_KEY).count(), 1, "{label}: {}", request.head.raw);
    assert!(request.json().to_string().contains("Say hello."), "{label}: {}", request.text());
}

/// All values of a header.
fn values<'a>(request: &'a Recorded, name: &str) -> Vec<&'a str> {
    request.head.headers.iter().filter(|(known, _)| known == name).map(|(_, value)| value.as_str()).collect()
}

async fn assert_recorded(house: &House, format: Format, stream: bool, answer: &Answer) {
    let record = house.gateway.record(answer.request_id()).await;
    for (member, value) in [
        ("operation", Value::from("chat")),
        ("dialect", format.dialect().into()),
        ("model_requested", house.model().into()),
        ("model_used", house.vendor.model().into()),
        ("provider", "house".into()),
        ("provider_type", house.vendor.type_id().into()),
        ("stream", stream.into()),
        ("status", 200.into()),
        ("outcome", "completed".into()),
        ("attempts", 1.into()),
        ("input_tokens", 20.into()),
        ("output_tokens", 10.into()),
        ("cached_input_tokens", 4.into()),
        ("response_bytes", answer.body.len().into()),
    ] {
        assert_eq!(record[member], value, "{format:?} to {:?}: {member} of {record}", house.vendor);
    }
}

fn private_headers(format: Format) -> Vec<(&'static str, String)> {
    let private = PRIVATE.iter().map(|(name, value)| (*name, (*value).to_owned()));
    private.chain([format.key_header(CLIENT_KEY)]).collect()
}

async fn ask_privately(house: &House, format: Format, stream: bool) -> Answer {
    let headers = private_headers(format);
    let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
    house.ask_with(format, stream, &headers).await
}

#[tokio::test]
async fn every_format_gets_an_answer_from_every_provider() {
    for vendor in Vendor::ALL {
        let house = House::start(vendor).await;
        for format in vendor.asked_in().iter().copied() {
            let answer = ask_privately(&house, format, false).await;
            assert_eq!(answer.status, 200, "{format:?} to {vendor:?}: {}", answer.text());
            assert_eq!(answer.header("content-type"), Some("application/json"));
            assert_eq!(format.read(&answer.json()), format.whole(HELLO), "{format:?} to {vendor:?}: {}", answer.text());
            assert_eq!(answer.header("x-provider-used"), Some("house"));
            assert_eq!(answer.header("x-provider-type"), Some(vendor.type_id()));
            assert_eq!(answer.header("x-model-used"), Some(vendor.model()));
            assert_sent(&house, format, false);
            assert_recorded(&house, format, false, &answer).await;
        }
        let written = house.gateway.everything_written();
        assert!(!written.contains(PROVIDER_KEY) && !written.contains(CLIENT_KEY) && !written.contains("secret-"));
    }
}

#[tokio::test]
async fn every_format_gets_a_stream_from_every_provider() {
    for vendor in Vendor::ALL {
        let house = House::start(vendor).await;
        for format in vendor.asked_in().iter().copied() {
            let answer = ask_privately(&house, format, true).await;
            assert_eq!(answer.status, 200, "{format:?} to {vendor:?}: {}", answer.text());
            let media_type = answer.header("content-type").unwrap_or_default();
            assert!(media_type.starts_with("text/event-stream"), "{format:?} to {vendor:?}: {media_type}");
            let said = format.read_stream(answer.text());
            assert_eq!(said, format.whole(HELLO), "{format:?} to {vendor:?}: {}", answer.text());
            assert!(answer.is_whole);
            assert_sent(&house, format, true);
            assert_recorded(&house, format, true, &answer).await;
        }
    }
}

#[tokio::test]
async fn a_stream_in_writes_of_one_byte_says_the_same() {
    for vendor in Vendor::ALL {
        let upstream = Upstream::start(move |mut peer| async move {
            let Some(request) = peer.request().await else { return };
            peer.send(vendor.stream_head()).await;
            for byte in vendor.stream(&request) {
                peer.send([byte]).await;
            }
        })
        .await;
        let house = House::over(vendor, upstream).await;
        for format in vendor.asked_in().iter().copied() {
            let answer = house.ask(format, true).await;
            assert_eq!(format.read_stream(answer.text()), format.whole(HELLO), "{format:?} to {vendor:?}");
        }
    }
}

#[tokio::test]
async fn a_text_comes_before_the_provider_has_said_the_next() {
    for (format, vendor) in strangers() {
        let upstream = Upstream::start(move |mut peer| async move {
            let Some(request) = peer.request().await else { return };
            peer.send([vendor.stream_head(), vendor.cut_stream(&request)].concat()).await;
            peer.gone().await;
        })
        .await;
        let house = House::over(vendor, upstream).await;
        let mut client = house.gateway.client().await;
        let model = house.model();
        client.post(&format.path(&model, true), &[], format.body(&model, true, "x").to_string()).await;
        let (status, _) = client.answer_head().await;
        assert_eq!(status, 200);
        client.until("Hel").await;
    }
}

#[tokio::test]
async fn a_whole_answer_to_a_request_for_a_stream_becomes_a_stream() {
    for (format, vendor) in strangers() {
        let house = House::always(vendor, ok(&vendor.answer())).await;
        let answer = house.ask(format, true).await;
        assert_eq!(answer.status, 200, "{format:?} to {vendor:?}: {}", answer.text());
        assert!(answer.header("content-type").is_some_and(|media_type| media_type.starts_with("text/event-stream")));
        assert_eq!(format.read_stream(answer.text()), format.whole(HELLO), "{format:?} to {vendor:?}");
        let record = house.gateway.record(answer.request_id()).await;
        assert_eq!((&record["outcome"], &record["output_tokens"]), (&"completed".into(), &10.into()), "{record}");
    }
}

#[tokio::test]
async fn a_stream_of_lines_instead_of_events_is_an_error_and_not_an_empty_answer() {
    let lines = fixture("ollama_chat/streams/text.ndjson");
    let lines = http_answer(200, &[("content-type", "application/x-ndjson")], lines);
    for format in [Format::Messages, Format::Gemini] {
        let house = House::always(Vendor::OpenAi, lines.clone()).await;
        let answer = house.ask(format, true).await;
        if answer.status == 200 {
            format.stream_error(answer.text());
        } else {
            format.error_word(&answer);
        }
        let record = house.gateway.record(answer.request_id()).await;
        assert_eq!(record["outcome"], "failed", "{format:?}: {record}");
    }
}

#[tokio::test]
async fn no_header_is_told_twice() {
    let mut twice = Vec::new();
    for (format, vendor) in pairs() {
        let house = House::start(vendor).await;
        for stream in [false, true] {
            let version = ("anthropic-version", "2024-01-01");
            let headers = [("accept", "application/json"), ("user-agent", "a/1"), version];
            house.ask_with(format, stream, &headers).await;
            let request = house.last_request();
            for (name, _) in &request.head.headers {
                let values = values(&request, name);
                if values.len() > 1 {
                    twice.push(format!("{format:?} to {vendor:?}, stream {stream}: {name}: {values:?}"));
                }
            }
        }
    }
    assert!(twice.is_empty(), "{twice:#?}");
}

#[tokio::test]
async fn usage_that_comes_in_several_events_is_put_together() {
    let vendor = Vendor::Anthropic;
    let upstream = Upstream::start(move |mut peer| async move {
        let Some(request) = peer.request().await else { return };
        let stream = String::from_utf8(vendor.stream(&request)).unwrap();
        let (begin, end) = stream.split_once("event: message_delta").unwrap();
        // What went in is told at the beginning alone, as Anthropic did for years.
        let end = end.replace(
            r#""input_tokens":14,"cache_creation_input_tokens":2,"cache_read_input_tokens":4,"output_tokens":10"#,
            r#""output_tokens":10"#,
        );
        assert!(!end.contains("input_tokens"));
        peer.send(vendor.stream_head()).await;
        peer.send(format!("{begin}event: message_delta{end}")).await;
    })
    .await;
    let house = House::over(vendor, upstream).await;
    for format in Format::ALL {
        let answer = house.ask(format, true).await;
        assert_recorded(&house, format, true, &answer).await;
        // A client of the provider's own format gets what the provider said.
        assert_eq!(format.read_stream(answer.text()), format.whole(HELLO), "{format:?}: {}", answer.text());
    }
}

/// An answer whose head has the provider's own id of the exchange, `their-id`, and a cookie.
async fn identified(format: Format, vendor: Vendor) -> (Answer, Value) {
    let name = match vendor {
        Vendor::Anthropic => "request-id",
        Vendor::Bedrock => "x-amzn-requestid",
        Vendor::Gemini | Vendor::OpenAi | Vendor::Compatible => "x-request-id",
    };
    let body = match (format, vendor) {
        (Format::Responses, Vendor::OpenAi) => fixture("openai_responses/answers/text.json"),
        _ => vendor.answer(),
    };
    let headers = [("content-type", "application/json"), (name, "their-id"), ("set-cookie", "their=cookie")];
    let house = House::always(vendor, http_answer(200, &headers, body)).await;
    let answer = house.ask(format, false).await;
    assert_eq!(answer.status, 200, "{format:?} to {vendor:?}: {}", answer.text());
    assert!(answer.header("set-cookie").is_none(), "{format:?} to {vendor:?}: {}", answer.head.raw);
    let record = house.gateway.record(answer.request_id()).await;
    (answer, record)
}

#[tokio::test]
async fn the_providers_own_id_of_a_request_is_recorded() {
    for (format, vendor) in pairs().filter(|(_, vendor)| *vendor != Vendor::Bedrock) {
        let (_, record) = identified(format, vendor).await;
        assert_eq!(record["provider_request_id"], "their-id", "{format:?} to {vendor:?}: {record}");
    }
}

#[tokio::test]
async fn amazons_own_id_of_a_request_is_recorded() {
    let (_, record) = identified(Format::Chat, Vendor::Bedrock).await;
    assert_eq!(record["provider_request_id"], "their-id", "{record}");
}

#[tokio::test]
async fn the_providers_own_id_of_a_request_is_told() {
    for (format, vendor) in pairs() {
        let (answer, _) = identified(format, vendor).await;
        let told = answer.header("x-provider-request-id");
        assert_eq!(told, Some("their-id"), "{format:?} to {vendor:?}: {}", answer.head.raw);
    }
}
