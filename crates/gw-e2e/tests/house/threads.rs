//! Threads of Anthropic's Messages: held for providers that hold none, and left to Anthropic where it does.

use serde_json::{Value, json};

use crate::harness::{CLIENT_KEY, Gateway};
use crate::translated::{Format, HELLO, House, configured, events};
use crate::translated_vendors::Vendor;

/// A request of a thread, as Anthropic's SDK sends it.
fn asks(model: &str, thread: &Value, text: &str) -> Value {
    let mut body = Format::Messages.body(model, false, text);
    body["thread"] = thread.clone();
    if thread["type"] == "create" {
        body["system"] = json!("Be kind.");
        body["tools"] = json!([{"name": "look", "input_schema": {"type": "object"}}]);
    }
    body
}

fn create() -> Value {
    json!({"type": "create"})
}

fn after(id: &Value) -> Value {
    json!({"type": "continue", "previous_message_id": id})
}

impl House {
    /// Asks within a thread; the id of the answer.
    async fn think(&self, mut body: Value, stream: bool) -> Value {
        body["stream"] = json!(stream);
        let answer = self.gateway.post("/v1/messages", body.to_string()).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        if stream { events(answer.text())[0]["message"]["id"].clone() } else { answer.json()["id"].clone() }
    }
}

#[tokio::test]
async fn a_thread_is_held_for_a_provider_that_holds_none() {
    for (vendor, stream) in [(Vendor::OpenAi, false), (Vendor::OpenAi, true), (Vendor::Gemini, true)] {
        let house = House::start(vendor).await;
        let first = house.think(asks(&house.model(), &create(), "One?"), stream).await;
        let second = house.think(asks(&house.model(), &after(&first), "Two?"), stream).await;
        house.think(asks(&house.model(), &after(&second), "Three?"), stream).await;
        let sent = house.last_request();
        let sent = sent.text();
        let said = ["Be kind.", "One?", "Hello, w", "Two?", "Three?"];
        let places: Vec<_> = said.iter().map(|text| sent.find(text)).collect();
        assert!(places.is_sorted() && places[0].is_some(), "{vendor:?}: {sent}");
        assert!(sent.contains("\"look\"") && !sent.contains("thread"), "{vendor:?}: {sent}");
        assert_eq!(sent.matches("Hello, w").count(), 2, "{vendor:?}: {sent}");
    }
}

#[tokio::test]
async fn what_a_short_request_continues_is_counted_among_the_bytes_held() {
    let upstream = Vendor::OpenAi.serve().await;
    let limits = "server: { limits: { body_bytes: 64KiB, held_bytes: 64KiB } }\n";
    let gateway = Gateway::start(&(configured(Vendor::OpenAi, upstream.address) + limits)).await;
    let house = House { gateway, upstream, vendor: Vendor::OpenAi };
    let mut last = house.think(asks(&house.model(), &create(), "One?"), false).await;
    for _ in 0..7 {
        let body = asks(&house.model(), &after(&last), &"x".repeat(12 << 10)).to_string();
        let answer = house.gateway.post("/v1/messages", body).await;
        if answer.status != 200 {
            break;
        }
        last = answer.json()["id"].clone();
    }
    let refused = house.gateway.post("/v1/messages", asks(&house.model(), &after(&last), "x").to_string()).await;
    assert_eq!((refused.status, &refused.json()["error"]["type"]), (529, &json!("overloaded_error")));
    assert_eq!(house.upstream.requests().len(), 8);
}

#[tokio::test]
async fn who_continues_what_is_not_held_is_told_to_begin_anew_and_what_cannot_be_understood_is_refused() {
    let house = House::start(Vendor::OpenAi).await;
    let body = asks(&house.model(), &after(&json!("msg_of_nobody")), "Two?");
    let refused = house.gateway.post("/v1/messages", body.to_string()).await;
    assert_eq!(refused.status, 404);
    assert_eq!(refused.json()["error"]["type"], "not_found_error");
    assert_eq!(refused.json()["error"]["details"], json!({"error_code": "thread_not_found"}));
    let refused = house.gateway.post("/v1/messages", asks(&house.model(), &json!("create"), "One?").to_string()).await;
    assert_eq!((refused.status, &refused.json()["error"]["type"]), (400, &json!("invalid_request_error")));
    house.think(asks(&house.model(), &Value::Null, "One?"), false).await;
    assert_eq!(house.upstream.requests().len(), 1);
}

#[tokio::test]
async fn a_thread_is_continued_with_the_key_that_began_it_and_is_no_answer_of_another_format() {
    let upstream = Vendor::Gemini.serve().await;
    let others = "sk-gateway-another-0123456789";
    let keys = format!(
        "auth:\n  mode: required\n  keys:\n    - {{ name: app, key: {CLIENT_KEY} }}\n    - {{ name: other, key: {others} }}\n"
    );
    let gateway = Gateway::start(&(configured(Vendor::Gemini, upstream.address) + &keys)).await;
    let house = House { gateway, upstream, vendor: Vendor::Gemini };
    let (mine, others) = ([("x-api-key", CLIENT_KEY)], [("x-api-key", others)]);
    let begun = asks(&house.model(), &create(), "secret").to_string();
    let id = house.gateway.post_with("/v1/messages", &mine, begun).await.json()["id"].clone();
    let next = asks(&house.model(), &after(&id), "Two?").to_string();
    assert_eq!(house.gateway.post_with("/v1/messages", &others, next.clone()).await.status, 404);
    assert_eq!(house.gateway.post_with("/v1/messages", &mine, next).await.status, 200);
    let body = json!({"model": house.model(), "input": "x", "previous_response_id": id}).to_string();
    let refused = house.gateway.post_with("/v1/responses", &mine, body).await;
    refused.assert_error(400, "previous_response_not_found");
}

#[tokio::test]
async fn anthropic_holds_its_own_threads_and_is_told_all_of_one_that_began_elsewhere() {
    let (upstream, other) = (Vendor::Anthropic.serve().await, Vendor::OpenAi.serve().await);
    let more = Vendor::OpenAi.entry("other", other.address, "");
    let config =
        configured(Vendor::Anthropic, upstream.address).replace("providers:\n", &format!("providers:\n{more}"));
    let house = House { gateway: Gateway::start(&config).await, upstream, vendor: Vendor::Anthropic };
    for thread in [create(), after(&json!("msg_theirs"))] {
        house.think(asks(&house.model(), &thread, "One?"), false).await;
        assert_eq!(house.last_request().json()["thread"], thread);
    }
    let first = house.think(asks("other/gpt-5.5", &create(), "Elsewhere?"), false).await;
    let second = house.think(asks(&house.model(), &after(&first), "Two?"), false).await;
    let sent = house.last_request().json();
    assert!(sent.get("thread").is_none(), "{sent}");
    assert_eq!(sent["messages"][0]["content"][0]["text"], "Elsewhere?", "{sent}");
    assert_eq!(sent["messages"][1]["content"][0]["text"], HELLO, "{sent}");
    house.think(asks(&house.model(), &after(&second), "Three?"), true).await;
    assert!(house.last_request().text().contains("Elsewhere?"));
}

#[tokio::test]
async fn what_a_call_carries_of_claudes_thoughts_is_for_claude_alone() {
    let (upstream, other) = (Vendor::Gemini.serve().await, Vendor::Anthropic.serve().await);
    let more = Vendor::Anthropic.entry("other", other.address, "");
    let config = configured(Vendor::Gemini, upstream.address).replace("providers:\n", &format!("providers:\n{more}"));
    let house = House { gateway: Gateway::start(&config).await, upstream, vendor: Vendor::Gemini };
    // `gw1.[["gw1.anthropic.s.other.U0lH","I should look."]]`, which the client keeps where it drops the thoughts.
    let carried = "Z3cxLltbImd3MS5hbnRocm9waWMucy5vdGhlci5VMGxIIiwiSSBzaG91bGQgbG9vay4iXV0=";
    let body = json!({"contents": [
        {"role": "user", "parts": [{"text": "Look."}]},
        {"role": "model", "parts": [{"functionCall": {"name": "look", "args": {}}, "thoughtSignature": carried}]},
        {"role": "user", "parts": [{"functionResponse": {"name": "look", "response": {"result": "fine"}}}]},
    ]});
    let ask = async |model: &str| {
        let answer = house.gateway.post(&Format::Gemini.path(model, false), body.to_string()).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
    };
    ask("other/claude-sonnet-4-5").await;
    let thought = json!({"type": "thinking", "thinking": "I should look.", "signature": "U0lH"});
    assert_eq!(other.only_request().json()["messages"][1]["content"][0], thought);
    ask(&house.model()).await;
    let sent = house.last_request();
    assert!(!sent.text().contains("Z3cxL") && !sent.text().contains("U0lH"), "{}", sent.text());
}
