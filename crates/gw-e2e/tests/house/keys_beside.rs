//! The gateway's own key in a header of its own, so that the usual place is free for a provider's.

use serde_json::json;

use crate::harness::{CHAT_ANSWER, CLIENT_KEY, Gateway, PROVIDER_KEY, Upstream, chat, config, json_answer, provider};

const CHAT: &str = "/v1/chat/completions";
const THEIR_KEY: &str = "sk-their-own-secret-0123456789";
const OTHER_KEY: &str = "sk-gateway-other-0123456789";

/// A gateway that wants keys, with a provider of the operator's.
async fn guarded(rest: &str) -> (Gateway, Upstream) {
    let upstream = Upstream::always(json_answer(CHAT_ANSWER)).await;
    let text = config(&format!(
        "auth: {{ mode: required, keys: [{{ name: app, key: {CLIENT_KEY} }}, {{ name: other, key: {OTHER_KEY} }}] }}\n\
         providers:\n{}{rest}",
        provider("one", upstream.address, ", models: [m]"),
    ));
    (Gateway::start(&text).await, upstream)
}

fn told_no_key(upstream: &Upstream) {
    for request in upstream.requests() {
        let said = format!("{}{}", request.head.raw, request.text());
        for word in [CLIENT_KEY, OTHER_KEY, "x-portkey", "cf-aig"] {
            assert!(!said.to_lowercase().contains(word), "{word}");
        }
    }
}

#[tokio::test]
async fn portkeys_and_cloudflares_header_hold_the_gateways_key() {
    let (gateway, upstream) = guarded("").await;
    let bearer = format!("Bearer {CLIENT_KEY}");
    for headers in [
        vec![("x-portkey-api-key", CLIENT_KEY)],
        vec![("cf-aig-authorization", bearer.as_str())],
        vec![("x-portkey-api-key", CLIENT_KEY), ("authorization", bearer.as_str())],
        // A key of another gateway is not looked at.
        vec![("x-portkey-api-key", "pk-of-another"), ("authorization", bearer.as_str())],
    ] {
        let answer = gateway.post_with(CHAT, &headers, chat("m")).await;
        assert_eq!((answer.status, answer.header("x-gateway-dropped-params")), (200, None), "{}", answer.text());
        assert_eq!(gateway.record(answer.request_id()).await["key"], "app");
    }
    told_no_key(&upstream);
    assert_eq!(gateway.get_with("/v1/models", &[("x-portkey-api-key", CLIENT_KEY)]).await.status, 200);
}

#[tokio::test]
async fn two_different_keys_of_ours_or_none_are_refused() {
    let (gateway, upstream) = guarded("").await;
    let other = format!("Bearer {OTHER_KEY}");
    for headers in [
        vec![("x-portkey-api-key", CLIENT_KEY), ("authorization", other.as_str())],
        vec![("x-portkey-api-key", CLIENT_KEY), ("cf-aig-authorization", other.as_str())],
        vec![("x-portkey-api-key", "pk-of-another")],
        vec![("cf-aig-authorization", "Bearer"), ("authorization", "Bearer sk-unknown")],
    ] {
        let answer = gateway.post_with(CHAT, &headers, chat("m")).await;
        assert_eq!((answer.status, &answer.json()["error"]["code"]), (401, &json!("invalid_api_key")));
        for key in [CLIENT_KEY, OTHER_KEY] {
            assert!(!answer.text().contains(key));
        }
    }
    assert_eq!(upstream.requests().len(), 0);
}

#[tokio::test]
async fn the_usual_place_is_free_for_the_callers_own_key_where_the_operator_takes_those() {
    let theirs = Upstream::always(json_answer(CHAT_ANSWER)).await;
    let (gateway, ours) =
        guarded("routing: { retry_attempts: 0, from_requests: { own_keys: true, custom_hosts: true } }").await;
    let (bearer, host) = (format!("Bearer {THEIR_KEY}"), format!("http://{}/v1", theirs.address));
    let headers = [
        ("x-portkey-api-key", CLIENT_KEY),
        ("authorization", bearer.as_str()),
        ("x-portkey-provider", "openai"),
        ("x-portkey-custom-host", host.as_str()),
    ];
    let answer = gateway.post_with(CHAT, &headers, chat("m")).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(theirs.only_request().head.get("authorization"), Some(bearer.as_str()));
    assert_eq!(gateway.record(answer.request_id()).await["key"], "app");
    assert_eq!(ours.requests().len(), 0);
    told_no_key(&theirs);
    assert!(!gateway.everything_written().contains(THEIR_KEY));
}

#[tokio::test]
async fn a_key_that_may_not_be_used_goes_nowhere_and_is_told() {
    let (gateway, upstream) = guarded("").await;
    let bearer = format!("Bearer {THEIR_KEY}");
    let headers = [("x-portkey-api-key", CLIENT_KEY), ("authorization", bearer.as_str())];
    let answer = gateway.post_with(CHAT, &headers, chat("m")).await;
    assert_eq!((answer.status, answer.header("x-gateway-dropped-params")), (200, Some("authorization")));
    let asked = upstream.only_request();
    assert_eq!(asked.head.get("authorization"), Some(format!("Bearer {PROVIDER_KEY}").as_str()));
    assert!(!asked.head.raw.contains(THEIR_KEY));
}
