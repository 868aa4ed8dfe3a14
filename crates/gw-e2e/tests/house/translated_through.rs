//! Where the provider speaks the client's format, nothing is said in other words: bodies go through byte for byte.

use serde_json::Value;

use crate::harness::{Answer, Recorded, Upstream, http_answer};
use crate::translated::{Format, House, ok};
use crate::translated_fixtures::fixture;
use crate::translated_vendors::Vendor;

/// What only goes through if nobody reads it: unknown members, big numbers, odd spaces, escapes, members that stand twice
/// further down.
const ODD: &str = r#""x_unknown" : {"big":12345678901234567890123, "small": 1.50e-7, "esc":"\u00e9\/", "twice":1,"twice":2} ,
  "metadata":{"user_id":"u"}"#;

/// A request as its format's clients write it, but for its spaces; `MODEL` stands for the model.
fn request(format: Format, stream: bool) -> String {
    match format {
        Format::Messages => format!(
            "{{ \"model\" : \"MODEL\",\n\t\"max_tokens\":100, \"stream\":{stream}, {ODD},\r\n \
             \"messages\":[ {{\"role\":\"user\",\"content\":\"h\\u00e9llo\",\"x\":1.0}} ] }}\n"
        ),
        Format::Gemini => format!(
            "{{ {ODD},\n \"contents\":[ {{\"parts\":[{{\"text\":\"h\\u00e9llo\"}}], \"x\": 1.0}} ],\n\
             \"generationConfig\":{{\"x_new\":10000000000000000000001}} }}\n"
        ),
        Format::Responses => format!(
            "{{ \"model\" : \"MODEL\",\n\t\"stream\":{stream}, \"store\" : true, {ODD},\r\n \
             \"previous_response_id\":\"resp_1\", \"input\":[ {{\"type\":\"x_unknown\",\"n\":1.0}} ] }}\n"
        ),
        Format::Chat => format!(
            "{{ \"model\" : \"MODEL\",\n\t\"stream\":{stream}, \"stream_options\":{{\"include_usage\":true}}, {ODD},\r\n \
             \"messages\":[ {{\"role\":\"user\",\"content\":\"h\\u00e9llo\",\"x\":1.0}} ] }}\n"
        ),
    }
}

/// The provider's answer, with members that nobody knows.
fn answer(folder: &str) -> String {
    let text = fixture(&format!("{folder}/answers/text.json"));
    text.replacen('{', &format!("{{ {},", ODD.split_once(" ,").unwrap().0), 1)
}

/// The same as a stream, with an event that nobody knows.
fn stream(folder: &str) -> String {
    let events = fixture(&format!("{folder}/streams/text.sse"));
    let odd = "event: x_unknown\nid: 7\ndata: {\"type\":\"x_unknown\", \"big\":12345678901234567890123}\n\n";
    if folder == "anthropic_messages" {
        let (head, rest) = events.split_at(events.find("event: content_block_start").unwrap());
        return format!("{head}: a comment\n\n{odd}{rest}");
    }
    format!(": a comment\n\n{events}")
}

async fn exchange(vendor: Vendor, format: Format, folder: &str, is_stream: bool) -> (Answer, Recorded, Value) {
    let whole = if is_stream {
        let headers = [("content-type", "text/event-stream"), ("anthropic-ratelimit-requests-limit", "7")];
        http_answer(200, &headers, stream(folder))
    } else {
        ok(&answer(folder))
    };
    let house = House::always(vendor, whole).await;
    let model = house.model();
    let headers =
        [("anthropic-version", "2024-01-01"), ("anthropic-beta", "context-1m-2025-08-07,x-new"), ("cookie", "a=b")];
    let body = request(format, is_stream).replace("MODEL", &model);
    let answer = house.gateway.post_with(&format.path(&model, is_stream), &headers, body).await;
    let record = house.gateway.record(answer.request_id()).await;
    (answer, house.upstream.only_request(), record)
}

async fn goes_through(vendor: Vendor, format: Format, folder: &str) {
    for is_stream in [false, true] {
        let (got, sent, record) = exchange(vendor, format, folder, is_stream).await;
        assert_eq!(got.status, 200, "{}", got.text());
        assert_eq!(sent.text(), request(format, is_stream).replace("MODEL", vendor.model()));
        assert_eq!(sent.head.first_line, vendor.request_line(format, is_stream));
        assert!(sent.head.get("cookie").is_none());
        let expected = if is_stream { stream(folder) } else { answer(folder) };
        assert_eq!(got.text(), expected, "{format:?}, stream {is_stream}");
        for (member, value) in [
            ("outcome", Value::from("completed")),
            ("input_tokens", 20.into()),
            ("output_tokens", 10.into()),
            ("cached_input_tokens", 4.into()),
            ("model_used", vendor.model().into()),
            ("stream", is_stream.into()),
        ] {
            assert_eq!(record[member], value, "{format:?}, stream {is_stream}: {member} of {record}");
        }
        assert!(got.header("x-gateway-dropped-params").is_none() && got.header("x-gateway-warnings").is_none());
    }
}

#[tokio::test]
async fn anthropics_format_goes_through_to_anthropic_byte_for_byte() {
    goes_through(Vendor::Anthropic, Format::Messages, "anthropic_messages").await;
}

#[tokio::test]
async fn googles_format_goes_through_to_google_byte_for_byte() {
    goes_through(Vendor::Gemini, Format::Gemini, "gemini").await;
}

#[tokio::test]
async fn openais_older_format_goes_through_to_openai_byte_for_byte() {
    goes_through(Vendor::OpenAi, Format::Chat, "openai_chat").await;
}

#[tokio::test]
async fn openais_newer_format_goes_through_to_openai_byte_for_byte() {
    goes_through(Vendor::OpenAi, Format::Responses, "openai_responses").await;
}

#[tokio::test]
async fn anthropics_version_and_betas_go_to_anthropic_and_to_nobody_else() {
    let (_, sent, _) = exchange(Vendor::Anthropic, Format::Messages, "anthropic_messages", false).await;
    assert_eq!(sent.head.get("anthropic-version"), Some("2024-01-01"));
    assert_eq!(sent.head.get("anthropic-beta"), Some("context-1m-2025-08-07,x-new"));

    for (vendor, format) in [(Vendor::Gemini, Format::Messages), (Vendor::Anthropic, Format::Chat)] {
        let house = House::start(vendor).await;
        let headers = [("anthropic-version", "2024-01-01"), ("anthropic-beta", "context-1m-2025-08-07")];
        assert_eq!(house.ask_with(format, false, &headers).await.status, 200);
        let request = house.last_request();
        assert!(!request.head.raw.contains("2024-01-01"), "{vendor:?}: {}", request.head.raw);
        assert_eq!(request.head.get("anthropic-beta"), None, "{vendor:?}");
    }
}

#[tokio::test]
async fn what_anthropic_says_of_its_limits_reaches_its_clients() {
    let (got, _, _) = exchange(Vendor::Anthropic, Format::Messages, "anthropic_messages", true).await;
    assert_eq!(got.header("anthropic-ratelimit-requests-limit"), Some("7"));
    assert_eq!(got.header("request-id"), Some(got.request_id()));
}

#[tokio::test]
async fn an_alias_changes_the_model_and_nothing_else() {
    let upstream = Upstream::always(ok(&answer("anthropic_messages"))).await;
    let config = crate::translated::configured(Vendor::Anthropic, upstream.address)
        + "aliases: { my-model: house/claude-sonnet-4-5 }\n";
    let gateway = crate::harness::Gateway::start(&config).await;
    let answer = gateway.post("/v1/messages", request(Format::Messages, false).replace("MODEL", "my-model")).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(upstream.only_request().text(), request(Format::Messages, false).replace("MODEL", "claude-sonnet-4-5"));
}

/// Asks for an answer of four megabytes, and returns its record.
async fn large(vendor: Vendor, format: Format, folder: &str) -> Value {
    let body = answer(folder).replace("Hello, w", &"0123456789abcdef".repeat(1 << 18));
    let house = House::always(vendor, ok(&body)).await;
    let answer = house.ask(format, false).await;
    assert!(answer.text() == body, "{} of {} bytes", answer.body.len(), body.len());
    house.gateway.record(answer.request_id()).await
}

#[tokio::test]
async fn a_large_answer_goes_through_whole() {
    for (vendor, format, folder) in [
        (Vendor::Anthropic, Format::Messages, "anthropic_messages"),
        (Vendor::Gemini, Format::Gemini, "gemini"),
        (Vendor::OpenAi, Format::Responses, "openai_responses"),
        (Vendor::OpenAi, Format::Chat, "openai_chat"),
    ] {
        let record = large(vendor, format, folder).await;
        assert_eq!(record["outcome"], "completed", "{format:?}: {record}");
    }
}

#[tokio::test]
async fn the_usage_of_a_large_answer_is_recorded() {
    let record = large(Vendor::OpenAi, Format::Chat, "openai_chat").await;
    assert_eq!((&record["input_tokens"], &record["output_tokens"]), (&20.into(), &10.into()), "{record}");
}

#[tokio::test]
async fn the_usage_of_a_large_answer_is_recorded_whatever_its_format() {
    for (vendor, format, folder) in [
        (Vendor::OpenAi, Format::Responses, "openai_responses"),
        (Vendor::Anthropic, Format::Messages, "anthropic_messages"),
        (Vendor::Gemini, Format::Gemini, "gemini"),
    ] {
        let record = large(vendor, format, folder).await;
        assert_eq!(
            (&record["input_tokens"], &record["output_tokens"]),
            (&20.into(), &10.into()),
            "{format:?}: {record}"
        );
    }
}

/// Sends a stream of twenty megabytes of text, and checks that all of it comes.
async fn long_stream(vendor: Vendor, format: Format) {
    let text = "x".repeat(64 << 10);
    let stream = vendor.stream_of(&vec![text; 320]).concat();
    let house = House::always(vendor, http_answer(200, &[("content-type", "text/event-stream")], &stream)).await;
    let answer = house.ask(format, true).await;
    let end = String::from_utf8_lossy(&answer.body[answer.body.len().saturating_sub(300)..]);
    assert!(answer.body == stream, "{format:?}: {} of {} bytes, to {end}", answer.body.len(), stream.len());
    let record = house.gateway.record(answer.request_id()).await;
    assert_eq!((&record["outcome"], &record["output_tokens"]), (&"completed".into(), &10.into()), "{record}");
}

#[tokio::test]
async fn a_long_stream_goes_through_whole() {
    long_stream(Vendor::Anthropic, Format::Messages).await;
    long_stream(Vendor::OpenAi, Format::Chat).await;
}

#[tokio::test]
async fn a_long_stream_of_googles_goes_through_whole() {
    long_stream(Vendor::Gemini, Format::Gemini).await;
}
