//! `MODEL:exacto` and `sort: exacto`: whose calls go wrong least often comes first.

use serde_json::{Value, json};

use crate::harness::{Gateway, Upstream, chat, config, http_answer, json_answer, provider};

const STREAM: (&str, &str) = ("content-type", "text/event-stream");

fn calling(arguments: &str) -> String {
    json!({ "id": "c", "object": "chat.completion", "created": 1, "model": "m",
        "choices": [{ "index": 0, "finish_reason": "tool_calls", "message": { "role": "assistant", "content": null,
            "tool_calls": [{ "id": "call_1", "type": "function", "function": { "name": "f", "arguments": arguments } }] } }],
        "usage": { "prompt_tokens": 1, "completion_tokens": 9, "total_tokens": 10 } })
    .to_string()
}

fn streaming(arguments: &str) -> String {
    let call =
        json!({ "index": 0, "id": "call_1", "type": "function", "function": { "name": "f", "arguments": arguments } });
    let chunk = |delta: Value, finish: Value| {
        json!({ "id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m",
            "choices": [{ "index": 0, "delta": delta, "finish_reason": finish }] })
    };
    let (first, last) = (chunk(json!({ "tool_calls": [call] }), Value::Null), chunk(json!({}), json!("tool_calls")));
    format!("data: {first}\n\ndata: {last}\n\ndata: [DONE]\n\n")
}

/// Two providers, of which the first writes arguments that nobody can read.
async fn two(broken: Vec<u8>, sound: Vec<u8>, rest: &str) -> (Gateway, Upstream, Upstream) {
    let (one, two) = (Upstream::always(broken).await, Upstream::always(sound).await);
    let text = config(&format!(
        "providers:\n{}{}{rest}",
        provider("broken", one.address, ", models: [m]"),
        provider("sound", two.address, ", models: [m], priority: 1"),
    ));
    (Gateway::start(&text).await, one, two)
}

/// Asks each of them with these members, and tells who would come first then.
async fn first_after(gateway: &Gateway, members: &str) -> (String, String) {
    for name in ["broken", "sound"] {
        let body = format!(
            r#"{{"model":"m",{members}"provider":{{"only":["{name}"],"sort":"exacto"}},"messages":[{{"role":"user","content":"hi"}}]}}"#
        );
        let answer = gateway.chat(body).await;
        assert_eq!((answer.status, answer.header("x-provider-used")), (200, Some(name)), "{}", answer.text());
        gateway.record(answer.request_id()).await;
    }
    // Whoever is tried now and then only to know how it does is not first for being good.
    for _ in 0..50 {
        let plan = gateway.post("/gateway/plan", chat("m:exacto")).await.json();
        let first = &plan["attempts"][0];
        let why = first["why"].as_str().unwrap().to_owned();
        if !why.contains("now and then") {
            return (first["provider"].as_str().unwrap().to_owned(), why);
        }
    }
    panic!("nobody was first for being good");
}

#[tokio::test]
async fn who_writes_arguments_that_cannot_be_read_comes_last() {
    let tracking = "routing: { retry_attempts: 0, latency_tracking: { window: 5m } }\n";
    let why = "its calls go wrong least often, 0.0 % of them";
    let whole = [json_answer(calling("{\"a\": ")), json_answer(calling("{\"a\": 1}"))];
    let [broken, sound] = whole;
    let (gateway, upstream, _sound) = two(broken, sound, tracking).await;
    assert_eq!(first_after(&gateway, "").await, ("sound".to_owned(), why.to_owned()));
    let asked = upstream.only_request();
    assert_eq!(asked.text(), r#"{"model":"m","messages":[{"role":"user","content":"hi"}]}"#, "byte for byte, as ever");

    let [broken, sound] = ["[1]", "{}"].map(|arguments| http_answer(200, &[STREAM], streaming(arguments)));
    let (gateway, _broken, _sound) = two(broken, sound, tracking).await;
    assert_eq!(first_after(&gateway, r#""stream":true,"#).await, ("sound".to_owned(), why.to_owned()));
}

#[tokio::test]
async fn who_fails_comes_last_and_what_nobody_measures_is_told() {
    let tracking = "routing: { retry_attempts: 0, latency_tracking: { window: 5m } }\n";
    let failing = http_answer(500, &[("content-type", "application/json")], r#"{"error":{"message":"boom"}}"#);
    let (gateway, _broken, _sound) = two(failing.clone(), json_answer(calling("{}")), tracking).await;
    let answer = gateway.chat(chat("m")).await;
    assert_eq!(answer.header("x-provider-used"), Some("sound"), "{}", answer.text());
    let plans = (0..20).map(|_| gateway.post("/gateway/plan", chat("m:exacto")));
    let mut firsts = Vec::new();
    for plan in plans {
        firsts.push(plan.await.json()["attempts"][0]["provider"].as_str().unwrap().to_owned());
    }
    assert!(firsts.iter().filter(|first| *first == "sound").count() > 15, "{firsts:?}");

    let (gateway, _broken, _sound) = two(failing, json_answer(calling("{}")), "").await;
    let answer = gateway.chat(chat("m:exacto")).await;
    assert_eq!(answer.header("x-gateway-dropped-params"), Some(":exacto"), "{}", answer.head.raw);
}
