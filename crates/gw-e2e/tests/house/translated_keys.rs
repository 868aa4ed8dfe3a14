//! Where clients of every format put their keys.

use crate::harness::{CLIENT_KEY, Gateway, PROVIDER_KEY, Upstream};
use crate::translated::{Format, HELLO, configured, pairs};
use crate::translated_vendors::Vendor;

const FOREIGN_KEY: &str = "sk-of-the-client-itself-0123456789";

/// The ways to present a key: a header, or a part of the query.
const WAYS: [&str; 6] = ["authorization", "Authorization", "x-api-key", "x-goog-api-key", "api-key", "?key="];

/// A gateway that asks for a key, before a provider that answers.
async fn guarded(vendor: Vendor) -> (Upstream, Gateway) {
    let upstream = vendor.serve().await;
    let auth = format!("auth: {{ mode: required, keys: [{{ name: app, key: {CLIENT_KEY} }}] }}\n");
    let gateway = Gateway::start(&(configured(vendor, upstream.address) + &auth)).await;
    (upstream, gateway)
}

async fn ask(gateway: &Gateway, vendor: Vendor, format: Format, way: &str, key: &str) -> crate::harness::Answer {
    let model = format!("house/{}", vendor.model());
    let mut path = format.path(&model, false);
    let bearer = format!("Bearer {key}");
    let header = match way {
        "?key=" => {
            path.push_str(&format!("?key={key}"));
            None
        }
        "authorization" | "Authorization" => Some((way, bearer.as_str())),
        name => Some((name, key)),
    };
    gateway.post_with(&path, header.as_slice(), format.body(&model, false, "Say hello.").to_string()).await
}

#[tokio::test]
async fn a_known_key_is_taken_wherever_it_stands_and_goes_no_further() {
    for vendor in [Vendor::Anthropic, Vendor::Gemini, Vendor::OpenAi] {
        let (upstream, gateway) = guarded(vendor).await;
        for format in Format::ALL {
            for way in WAYS {
                let answer = ask(&gateway, vendor, format, way, CLIENT_KEY).await;
                assert_eq!(answer.status, 200, "{format:?} to {vendor:?}, {way}: {}", answer.text());
                assert_eq!(format.read(&answer.json()).text, HELLO);
                assert_eq!(gateway.record(answer.request_id()).await["key"], "app");
                let request = upstream.requests().pop().unwrap();
                assert!(!request.head.raw.contains(CLIENT_KEY) && !request.text().contains(CLIENT_KEY), "{way}");
                let (name, value) = vendor.credential();
                assert_eq!(request.head.get(name), Some(value.as_str()), "{format:?} to {vendor:?}, {way}");
            }
        }
        let written = gateway.everything_written();
        assert!(!written.contains(CLIENT_KEY) && !written.contains(PROVIDER_KEY), "{written}");
    }
}

#[tokio::test]
async fn an_unknown_key_or_none_is_refused_in_the_clients_own_format() {
    let (upstream, gateway) = guarded(Vendor::Anthropic).await;
    for format in Format::ALL {
        let expected = match format {
            Format::Chat | Format::Responses => "invalid_api_key",
            Format::Messages => "authentication_error",
            Format::Gemini => "UNAUTHENTICATED",
        };
        for way in WAYS {
            for key in [FOREIGN_KEY, ""] {
                let answer = ask(&gateway, Vendor::Anthropic, format, way, key).await;
                assert_eq!(
                    (answer.status, format.error_word(&answer).as_str()),
                    (401, expected),
                    "{format:?}, {way}: {}",
                    answer.text()
                );
                assert!(key.is_empty() || !answer.text().contains(key));
            }
        }
    }
    assert!(upstream.requests().is_empty());
    assert!(!gateway.everything_written().contains(FOREIGN_KEY));
}

#[tokio::test]
async fn a_key_is_asked_for_before_the_body_is_read_whatever_the_format() {
    let (_upstream, gateway) = guarded(Vendor::Anthropic).await;
    for format in Format::ALL {
        let mut client = gateway.client().await;
        let path = format.path("house/m", true);
        client.send(format!("POST {path} HTTP/1.1\r\nhost: x\r\ncontent-length: 1000\r\n\r\n")).await;
        let answer = client.answer().await;
        format.error_word(&answer);
        assert_eq!(answer.status, 401, "{format:?}");
    }
}

#[tokio::test]
async fn a_clients_own_key_goes_where_the_provider_looks_for_it() {
    // One that may do without a key is not given anybody's.
    for (format, vendor) in pairs().filter(|(_, vendor)| *vendor != Vendor::Compatible) {
        let upstream = vendor.serve().await;
        let config = configured(vendor, upstream.address).replace(&format!("api_key: {PROVIDER_KEY}, "), "");
        let gateway = Gateway::start(&(config + "auth: { mode: passthrough }\n")).await;
        let model = format!("house/{}", vendor.model());
        let body = format.body(&model, false, "Say hello.").to_string();
        let (name, value) = format.key_header(FOREIGN_KEY);
        let answer = gateway.post_with(&format.path(&model, false), &[(name, &value)], body).await;
        assert_eq!(answer.status, 200, "{format:?} to {vendor:?}: {}", answer.text());
        let request = upstream.only_request();
        let (name, value) = vendor.credential();
        let value = value.replace(PROVIDER_KEY, FOREIGN_KEY);
        assert_eq!(request.head.get(name), Some(value.as_str()), "{format:?} to {vendor:?}");
        assert_eq!(request.head.raw.matches(FOREIGN_KEY).count(), 1, "{}", request.head.raw);
        gateway.record(answer.request_id()).await;
        assert!(!gateway.everything_written().contains(FOREIGN_KEY));
    }
}
