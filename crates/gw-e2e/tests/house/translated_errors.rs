//! What goes wrong at a provider that speaks another format is told in the client's, and recorded as what it is.

use serde_json::json;

use crate::harness::{PROVIDER_KEY, Upstream, http_answer};
use crate::translated::{Format, House, ok, pairs, refusal, strangers};
use crate::translated_vendors::{Fault, Vendor};

/// What a client is told of a fault: the record's code, the status, and the word in the client's format.
fn told(format: Format, fault: Fault) -> (&'static str, u16, &'static str) {
    let (code, statuses, messages, gemini) = match fault {
        Fault::Key => ("provider_authentication", [502, 502, 502], "api_error", "INTERNAL"),
        Fault::Rate => ("provider_rate_limited", [429, 429, 429], "rate_limit_error", "RESOURCE_EXHAUSTED"),
        Fault::Broken => ("provider_failed", [502, 502, 502], "api_error", "INTERNAL"),
        Fault::Overloaded => ("provider_overloaded", [503, 529, 503], "overloaded_error", "UNAVAILABLE"),
    };
    match format {
        Format::Chat | Format::Responses => (code, statuses[0], code),
        Format::Messages => (code, statuses[1], messages),
        Format::Gemini => (code, statuses[2], gemini),
    }
}

#[tokio::test]
async fn a_refusal_is_told_in_the_clients_own_format() {
    for fault in [Fault::Key, Fault::Rate, Fault::Broken, Fault::Overloaded] {
        for vendor in Vendor::ALL {
            let house = House::always(vendor, vendor.refusal(fault)).await;
            for format in vendor.asked_in().iter().copied().filter(|format| !vendor.speaks(*format)) {
                for stream in [false, true] {
                    let label = format!("{format:?} to {vendor:?}, {fault:?}, stream {stream}");
                    let answer = house.ask(format, stream).await;
                    let (code, status, word) = told(format, fault);
                    assert_eq!(
                        (answer.status, format.error_word(&answer).as_str()),
                        (status, word),
                        "{label}: {}",
                        answer.text()
                    );
                    let wait = (fault == Fault::Rate).then_some("7");
                    assert_eq!(answer.header("retry-after"), wait, "{label}");
                    assert!(!answer.text().contains(PROVIDER_KEY), "{label}: {}", answer.text());
                    house.assert_failed(&answer, code).await;
                }
            }
        }
    }
}

#[tokio::test]
async fn a_refusal_in_the_clients_own_format_goes_through_as_it_came() {
    for fault in [Fault::Rate, Fault::Broken, Fault::Overloaded] {
        for (format, vendor) in pairs().filter(|(format, vendor)| vendor.speaks(*format)) {
            let house = House::always(vendor, vendor.refusal(fault)).await;
            let answer = house.ask(format, false).await;
            assert_eq!(answer.status, vendor.status(fault), "{format:?} to {vendor:?}: {}", answer.text());
            assert_eq!(answer.json(), vendor.refusal_body(fault));
            assert_eq!(answer.header("retry-after"), (fault == Fault::Rate).then_some("7"));
            let record = house.gateway.record(answer.request_id()).await;
            assert_eq!(record["outcome"], "failed", "{record}");
        }
    }
}

#[tokio::test]
async fn a_refusal_that_goes_through_is_recorded_as_what_it_is() {
    for fault in [Fault::Key, Fault::Rate, Fault::Broken] {
        recorded_as_what_it_is(fault).await;
    }
}

#[tokio::test]
async fn a_provider_with_too_much_to_do_is_recorded_as_what_it_is() {
    recorded_as_what_it_is(Fault::Overloaded).await;
}

async fn recorded_as_what_it_is(fault: Fault) {
    for (format, vendor) in pairs().filter(|(format, vendor)| vendor.speaks(*format)) {
        let house = House::always(vendor, vendor.refusal(fault)).await;
        let answer = house.ask(format, false).await;
        house.assert_failed(&answer, told(format, fault).0).await;
    }
}

#[tokio::test]
async fn a_key_that_google_refuses_with_400_is_known_for_what_it_is() {
    for format in [Format::Chat, Format::Responses, Format::Messages] {
        google_refuses_the_key(format).await;
    }
}

#[tokio::test]
async fn a_key_that_google_refuses_with_400_is_known_to_googles_clients() {
    google_refuses_the_key(Format::Gemini).await;
}

async fn google_refuses_the_key(format: Format) {
    let body = json!({"error": {
        "code": 400, "message": "API key not valid. Please pass a valid API key.", "status": "INVALID_ARGUMENT",
        "details": [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID"}]
    }});
    let house = House::always(Vendor::Gemini, refusal(400, &[], &body)).await;
    let answer = house.ask(format, false).await;
    assert!(answer.text().contains("refused the gateway's credential"), "{format:?}: {}", answer.text());
    house.assert_failed(&answer, "provider_authentication").await;
}

#[tokio::test]
async fn a_prompt_that_is_too_long_is_known_for_what_it_is() {
    for (format, vendor, message) in [
        (Format::Chat, Vendor::Anthropic, "prompt is too long: 210000 tokens > 200000 maximum"),
        (
            Format::Messages,
            Vendor::Gemini,
            "The input token count (9) exceeds the maximum number of tokens allowed (8).",
        ),
        (Format::Gemini, Vendor::OpenAi, "This model's maximum context length is 8192 tokens."),
        (Format::Responses, Vendor::Bedrock, "Input is too long for requested model."),
    ] {
        let body = match vendor {
            Vendor::Anthropic => {
                json!({"type": "error", "error": {"type": "invalid_request_error", "message": message}})
            }
            Vendor::Gemini => json!({"error": {"code": 400, "message": message, "status": "INVALID_ARGUMENT"}}),
            _ => json!({"message": message, "error": {"message": message, "type": "invalid_request_error"}}),
        };
        let headers = [("x-amzn-errortype", "ValidationException")];
        let house = House::always(vendor, refusal(400, &headers, &body)).await;
        let answer = house.ask(format, false).await;
        assert_eq!(answer.status, 400, "{format:?} to {vendor:?}: {}", answer.text());
        let word = format.error_word(&answer);
        let expected = match format {
            Format::Chat | Format::Responses => "context_length_exceeded",
            Format::Messages => "invalid_request_error",
            Format::Gemini => "INVALID_ARGUMENT",
        };
        assert_eq!(word, expected, "{format:?} to {vendor:?}");
        house.assert_failed(&answer, "context_length_exceeded").await;
    }
}

#[tokio::test]
async fn what_is_said_of_the_gateways_own_key_stays_here() {
    for (format, vendor) in pairs() {
        let house = House::always(vendor, vendor.refusal(Fault::Key)).await;
        let answer = house.ask(format, false).await;
        format.error_word(&answer);
        assert!(!answer.text().contains(PROVIDER_KEY) && !answer.head.raw.contains(PROVIDER_KEY), "{}", answer.text());
        assert!(answer.text().contains("refused the gateway's credential"), "{}", answer.text());
        house.gateway.record(answer.request_id()).await;
        assert!(!house.gateway.everything_written().contains(PROVIDER_KEY));
    }
}

#[tokio::test]
async fn a_wait_that_google_tells_in_its_body_is_told_in_the_header() {
    let body = json!({"error": {"code": 429, "message": "quota", "status": "RESOURCE_EXHAUSTED", "details": [
        {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "33.5s"}
    ]}});
    let house = House::always(Vendor::Gemini, refusal(429, &[], &body)).await;
    for format in [Format::Chat, Format::Responses, Format::Messages] {
        let answer = house.ask(format, false).await;
        assert_eq!((answer.status, answer.header("retry-after")), (429, Some("34")), "{format:?}: {}", answer.text());
    }
}

#[tokio::test]
async fn a_refusal_that_nobody_can_read_is_told_in_the_clients_own_format() {
    let pages: [(u16, &str, &str); 4] = [
        (502, "text/html", "<html><body>502 Bad Gateway</body></html>"),
        (500, "application/json", ""),
        (503, "text/plain", "upstream connect error"),
        (400, "application/json", "[1, 2"),
    ];
    for (status, media_type, body) in pages {
        for (format, vendor) in pairs() {
            let page = http_answer(status, &[("content-type", media_type)], body);
            let house = House::always(vendor, page).await;
            let answer = house.ask(format, true).await;
            assert!(answer.status >= 400, "{format:?} to {vendor:?}: {}", answer.status);
            format.error_word(&answer);
            assert!(!answer.text().contains("<html>"), "{format:?} to {vendor:?}: {}", answer.text());
        }
    }
}

#[tokio::test]
async fn an_error_under_a_status_of_success_is_an_error() {
    for (format, vendor) in strangers() {
        let house = House::always(vendor, ok(&vendor.refusal_body(Fault::Broken).to_string())).await;
        for stream in [false, true] {
            let answer = house.ask(format, stream).await;
            if answer.status == 200 {
                format.stream_error(answer.text());
            } else {
                assert!(answer.status >= 500, "{format:?} to {vendor:?}: {}", answer.text());
                format.error_word(&answer);
            }
            let record = house.gateway.record(answer.request_id()).await;
            assert_eq!(record["outcome"], "failed", "{format:?} to {vendor:?}, stream {stream}: {record}");
        }
    }
}

#[tokio::test]
async fn an_answer_that_is_none_is_an_error_in_the_clients_own_format() {
    for body in ["", "{", "null", "[]", "\"hello\"", "<html></html>"] {
        for (format, vendor) in strangers() {
            let house = House::always(vendor, ok(body)).await;
            let answer = house.ask(format, false).await;
            assert_eq!(answer.status, 502, "{format:?} to {vendor:?}, {body:?}: {}", answer.text());
            format.error_word(&answer);
            house.assert_failed(&answer, "provider_invalid_response").await;
        }
    }
}

#[tokio::test]
async fn a_stream_that_never_begins_is_an_error_in_the_clients_own_format() {
    for (format, vendor) in [
        (Format::Chat, Vendor::Anthropic),
        (Format::Messages, Vendor::Bedrock),
        (Format::Gemini, Vendor::OpenAi),
        (Format::Responses, Vendor::Gemini),
    ] {
        let upstream = Upstream::start(|mut peer| async move {
            peer.request().await;
            peer.gone().await;
        })
        .await;
        let house = House::over(vendor, upstream).await;
        let answer = house.ask(format, true).await;
        assert_eq!(answer.status, 504, "{format:?}: {}", answer.text());
        format.error_word(&answer);
        house.assert_failed(&answer, "provider_timeout").await;
    }
}
