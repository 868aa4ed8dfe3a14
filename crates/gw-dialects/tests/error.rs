//! Errors in OpenAI's format, and what is made of a provider's refusal.
#![expect(clippy::unwrap_used, reason = "what does not hold stops the test")]

use std::time::{Duration, SystemTime};

use bytes::Bytes;
use gw_core::{Error, ErrorCode};
use gw_dialects::error::{Refusal, decode_error, encode_error, stream_error};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use serde_json::{Value, json};

const REQUEST_ID: &str = "0193aabb";

fn refusal(status: u16, body: &'static str) -> Refusal<'static> {
    Refusal {
        status: StatusCode::from_u16(status).unwrap(),
        headers: HeaderMap::new(),
        body: Bytes::from_static(body.as_bytes()),
        provider: "acme",
        credential_is_callers: false,
        now: SystemTime::UNIX_EPOCH,
    }
}

fn told(error: &Error) -> (u16, Value) {
    let (status, body) = encode_error(error, REQUEST_ID);
    (status.as_u16(), serde_json::from_slice(&body).unwrap())
}

#[test]
fn an_error_has_all_four_members_of_openais_object() {
    let error = Error::new(ErrorCode::ModelNotFound, "no model \"x\"\n").with_param("model");
    let expected = json!({"error": {
        "message": "no model \"x\"\n", "type": "invalid_request_error", "param": "model", "code": "model_not_found",
    }});
    assert_eq!(told(&error), (404, expected));
    let (_, body) = told(&Error::new(ErrorCode::InvalidJson, "x"));
    assert_eq!(body["error"]["param"], Value::Null);
}

#[test]
fn the_type_follows_the_status_and_the_request_id_is_told_where_somebody_must_look() {
    for code in ErrorCode::ALL {
        let (status, body) = told(&Error::new(*code, "x"));
        let kind = match status {
            429 => "rate_limit_error",
            500.. => "server_error",
            _ => "invalid_request_error",
        };
        assert_eq!(body["error"]["type"], kind, "{code}");
        assert_eq!(body["error"]["code"], code.name());
        let message = body["error"]["message"].as_str().unwrap();
        assert_eq!(message.contains(REQUEST_ID), status >= 500, "{code}");
    }
}

#[test]
fn an_error_in_a_stream_is_one_event() {
    let event = stream_error(&Error::new(ErrorCode::ProviderStreamInterrupted, "a\r\n\nb"), REQUEST_ID);
    let event = std::str::from_utf8(&event).unwrap();
    let data = event.strip_prefix("data: ").unwrap().strip_suffix("\n\n").unwrap();
    assert!(!data.contains(['\r', '\n']));
    let data: Value = serde_json::from_str(data).unwrap();
    assert_eq!(data["error"]["message"], "a\r\n\nb (request id 0193aabb)");
}

#[test]
fn a_refusal_in_openais_format_is_passed_on_as_it_came() {
    let body = r#"{ "error": {"message":"No.", "type":"x","code":1e400},"more":[1] }"#;
    let mut refusal = refusal(422, body);
    refusal.headers.insert("x-ratelimit-remaining-requests", HeaderValue::from_static("0"));
    let error = decode_error(refusal);
    assert_eq!(error.code, ErrorCode::ProviderRejected);
    assert_eq!(error.message, "provider \"acme\" answered with status 422: No.");
    assert!(error.upstream.as_ref().unwrap().headers.contains_key("x-ratelimit-remaining-requests"));
    let (status, told) = encode_error(&error, REQUEST_ID);
    assert_eq!((status.as_u16(), told), (422, Bytes::from_static(body.as_bytes())));
}

#[test]
fn a_refusal_in_another_format_is_told_in_openais_with_its_status_and_message() {
    let cases = [
        (r#"{"error":"text"}"#, ": text"),
        (r#"{"message":"text"}"#, ": text"),
        (r#"{"detail":"text"}"#, ": text"),
        (r#"{"detail":[{"loc":["body"],"msg":"text"}]}"#, ": text"),
        (r#"{"errors":[{"code":1,"message":"text"}],"success":false}"#, ": text"),
        (r#"{"errors":["text"]}"#, ": text"),
        (r#"[{"error":{"code":400,"message":"text"}}]"#, ": text"),
        (r#"{"object":"error","message":"te\r\nxt"}"#, ": te  xt"),
        ("text\u{1b}[2J", ": text [2J"),
        ("<!doctype html><p>x", " and a web page"),
        ("", " and an empty body"),
        (r#"{"ok":false}"#, " and a body without a message"),
        ("[1]", ": [1]"),
    ];
    for (body, expected) in cases {
        let mut refusal = refusal(422, body);
        refusal.headers.insert("content-type", HeaderValue::from_static("text/html"));
        refusal.headers.insert("content-encoding", HeaderValue::from_static("gzip"));
        let error = decode_error(refusal);
        assert_eq!(error.message, format!("provider \"acme\" answered with status 422{expected}"), "{body}");
        assert!(error.upstream.as_ref().unwrap().headers.is_empty());
        let (status, told) = told(&error);
        assert_eq!(status, 422);
        assert_eq!(told["error"]["message"], *error.message);
        assert_eq!(told["error"]["code"], "provider_rejected");
    }
    let mut not_text = refusal(400, "");
    not_text.body = Bytes::from_static(b"\xff\xfe");
    assert!(decode_error(not_text).message.ends_with("a body that is not text"));
}

#[test]
fn long_text_is_cut() {
    let text: &'static str = Box::leak("é".repeat(9_000).into_boxed_str());
    assert!(decode_error(refusal(400, text)).message.chars().count() < 600);
}

#[test]
fn the_status_decides_the_code_and_stays() {
    let cases = [
        (400, ErrorCode::ProviderRejected),
        (404, ErrorCode::ProviderModelNotFound),
        (408, ErrorCode::ProviderFailed),
        (429, ErrorCode::ProviderRateLimited),
        (500, ErrorCode::ProviderFailed),
        (503, ErrorCode::ProviderOverloaded),
        (529, ErrorCode::ProviderOverloaded),
        (599, ErrorCode::ProviderFailed),
    ];
    for (status, code) in cases {
        for body in ["", r#"{"error":{"message":"x"}}"#] {
            let error = decode_error(refusal(status, body));
            assert_eq!((error.code, error.status().as_u16()), (code, status));
        }
    }
    let redirected = decode_error(refusal(302, ""));
    assert_eq!((redirected.code, redirected.status().as_u16()), (ErrorCode::ProviderInvalidResponse, 502));
}

#[test]
fn what_is_said_about_the_gateways_own_key_is_not_passed_on_and_not_told_as_the_clients() {
    for (status, code, told_as) in
        [(401, "provider_authentication", 502), (403, "provider_authentication", 502), (402, "insufficient_quota", 429)]
    {
        let body = r#"{"error":{"message":"Incorrect API key provided: sk-secret"}}"#;
        let mut refusal = refusal(status, body);
        refusal.headers.insert("x-request-id", HeaderValue::from_static("theirs"));
        refusal.headers.insert("www-authenticate", HeaderValue::from_static("Bearer sk-secret"));
        let error = decode_error(refusal);
        assert!(!format!("{error:?}").contains("secret"));
        let (told_status, told) = told(&error);
        assert_eq!(told_status, told_as);
        assert_eq!(told["error"]["code"], code);
        let message = told["error"]["message"].as_str().unwrap();
        assert!(message.contains("acme") && message.contains("whoever runs the gateway"), "{message}");
    }
}

#[test]
fn an_account_without_money_is_told_from_a_limit_of_the_rate() {
    let body = r#"{"error":{"message":"You exceeded your current quota","type":"insufficient_quota","code":"insufficient_quota"}}"#;
    assert_eq!(decode_error(refusal(429, body)).code, ErrorCode::ProviderCreditExhausted);
    let error = decode_error(Refusal { credential_is_callers: true, ..refusal(429, body) });
    assert_eq!(encode_error(&error, REQUEST_ID), (StatusCode::TOO_MANY_REQUESTS, Bytes::from_static(body.as_bytes())));
}

#[test]
fn what_is_said_about_the_clients_own_key_is() {
    let body = r#"{"error":{"message":"Incorrect API key provided: sk-mine"}}"#;
    let error = decode_error(Refusal { credential_is_callers: true, ..refusal(401, body) });
    assert_eq!(error.code, ErrorCode::ProviderAuthentication);
    assert_eq!(encode_error(&error, REQUEST_ID), (StatusCode::UNAUTHORIZED, Bytes::from_static(body.as_bytes())));
}

#[test]
fn the_wait_a_provider_asks_for_is_read_in_every_form() {
    let wait = |headers: &[(&'static str, &'static str)], now: u64| {
        let headers =
            headers.iter().map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(now);
        decode_error(Refusal { headers: headers.collect(), now, ..refusal(429, "") }).retry_after
    };
    let date = "Thu, 01 Jan 1970 00:01:00 GMT";
    assert_eq!(wait(&[("retry-after", "7")], 0), Some(Duration::from_secs(7)));
    assert_eq!(wait(&[("retry-after", " 0.5 ")], 0), Some(Duration::from_millis(500)));
    assert_eq!(wait(&[("retry-after", date)], 20), Some(Duration::from_secs(40)));
    assert_eq!(wait(&[("retry-after", date)], 90), Some(Duration::ZERO));
    assert_eq!(wait(&[("retry-after", "9"), ("retry-after-ms", "250")], 0), Some(Duration::from_millis(250)));
    for nonsense in ["-1", "soon", "NaN", "inf", "1e300", ""] {
        assert_eq!(wait(&[("retry-after", nonsense)], 0), None, "{nonsense}");
    }
    assert_eq!(wait(&[], 0), None);
}
