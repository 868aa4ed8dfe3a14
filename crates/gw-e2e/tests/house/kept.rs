//! What the Responses API keeps: answers that can be fetched, continued and deleted, and conversations.

use serde_json::{Value, json};

use crate::harness::{Answer, CLIENT_KEY, Gateway, Upstream, config, json_answer};
use crate::translated::{Format, HELLO, House, configured, ok, refusal};
use crate::translated_fixtures::fixture;
use crate::translated_vendors::Vendor;

impl House {
    async fn send(&self, method: &str, path: &str, body: &str) -> Answer {
        self.send_as(method, path, body, &[]).await
    }

    async fn send_as(&self, method: &str, path: &str, body: &str, headers: &[(&str, &str)]) -> Answer {
        let mut client = self.gateway.client().await;
        let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let length = body.len();
        let head = format!("{method} {path} HTTP/1.1\r\nhost: localhost\r\n{headers}content-length: {length}\r\n\r\n");
        client.send(head + body).await;
        client.answer().await
    }

    /// Asks for an answer, in the format whose answers are kept.
    async fn respond(&self, more: &Value) -> Value {
        let mut body = json!({"model": self.model(), "input": "Say hello."});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let answer = self.gateway.post("/v1/responses", body.to_string()).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        match body["stream"] == true {
            false => answer.json(),
            true => crate::translated::events(answer.text()).pop().unwrap()["response"].clone(),
        }
    }
}

#[tokio::test]
async fn an_answer_is_fetched_with_what_it_was_an_answer_to_and_deleted() {
    let house = House::start(Vendor::Anthropic).await;
    for stream in [false, true] {
        let answer = house.respond(&json!({"stream": stream})).await;
        let path = format!("/v1/responses/{}", answer["id"].as_str().unwrap());
        assert_eq!(house.gateway.get(&path).await.json(), answer, "stream {stream}");
        let items = house.gateway.get(&format!("{path}/input_items?order=asc")).await.json();
        assert_eq!(items["data"][0]["content"], json!([{"type": "input_text", "text": "Say hello."}]));
        assert_eq!((&items["has_more"], &items["first_id"]), (&json!(false), &items["data"][0]["id"]));
        house.send("POST", &format!("{path}/cancel"), "").await.assert_error(400, "invalid_request");
        house.gateway.get(&format!("{path}?stream=true")).await.assert_error(400, "unsupported_parameter");
        let deleted = house.send("DELETE", &path, "").await;
        assert_eq!(deleted.json(), json!({"id": answer["id"], "object": "response", "deleted": true}));
        house.gateway.get(&path).await.assert_error(404, "response_not_found");
        house.send("DELETE", &path, "").await.assert_error(404, "response_not_found");
    }
}

#[tokio::test]
async fn an_answer_that_was_not_to_be_kept_is_not() {
    let house = House::start(Vendor::Anthropic).await;
    let answer = house.respond(&json!({"store": false})).await;
    let path = format!("/v1/responses/{}", answer["id"].as_str().unwrap());
    house.gateway.get(&path).await.assert_error(404, "response_not_found");
}

#[tokio::test]
async fn an_answer_is_continued_with_everything_before_it_at_any_provider() {
    for vendor in [Vendor::Anthropic, Vendor::OpenAi] {
        let house = House::start(Vendor::Anthropic).await;
        let first = house.respond(&json!({"input": "the first question"})).await;
        let second = house.respond(&json!({"input": "the second", "previous_response_id": first["id"]})).await;
        assert_eq!(second["previous_response_id"], first["id"]);
        let sent = house.last_request();
        let places: Vec<_> =
            ["the first question", "Hello, w", "the second"].map(|text| sent.text().find(text)).into_iter().collect();
        assert!(places.is_sorted() && places[0].is_some(), "{vendor:?}: {}", sent.text());
        let path = format!("/v1/responses/{}/input_items?limit=2", second["id"].as_str().unwrap());
        let items = house.gateway.get(&path).await.json();
        assert_eq!((items["data"].as_array().unwrap().len(), &items["has_more"]), (2, &json!(true)), "{items}");
        assert_eq!(items["data"][0]["content"][0]["text"], "the second", "the latest is first");
    }
}

#[tokio::test]
async fn what_is_kept_here_is_said_to_a_provider_that_keeps_its_own() {
    let (upstream, other) = (Vendor::Anthropic.serve().await, Vendor::OpenAi.serve().await);
    let more = Vendor::OpenAi.entry("other", other.address, "");
    let config =
        configured(Vendor::Anthropic, upstream.address).replace("providers:\n", &format!("providers:\n{more}"));
    let house = House { gateway: Gateway::start(&config).await, upstream, vendor: Vendor::Anthropic };
    let first = house.respond(&json!({"input": "the first question"})).await;
    let body = json!({"model": "other/gpt-5.5", "input": "the second", "previous_response_id": first["id"]});
    let second = house.gateway.post("/v1/responses", body.to_string()).await.json();
    assert_eq!(second["output"][0]["content"][0]["text"], HELLO, "{second}");
    let sent = other.only_request();
    assert!(sent.head.first_line.contains("/v1/responses"));
    assert!(sent.json().get("previous_response_id").is_none());
    assert!(sent.text().contains("the first question") && sent.text().contains("Hello, w"), "{}", sent.text());
    let path = format!("/v1/responses/{}", second["id"].as_str().unwrap());
    assert_eq!(house.gateway.get(&path).await.json()["id"], second["id"]);
}

#[tokio::test]
async fn an_answer_that_a_provider_keeps_is_fetched_from_it() {
    let upstream = Upstream::start(|mut peer| async move {
        while let Some(request) = peer.request().await {
            let line = request.head.first_line.clone();
            let stored = r#"{"id":"theirs","object":"response","kept":true}"#;
            let answer = match line.split(' ').collect::<Vec<_>>()[..2] {
                ["POST", "/v1/responses"] => ok(&fixture("openai_responses/answers/text.json")),
                ["GET", _] => json_answer(stored),
                ["DELETE", _] => json_answer(r#"{"deleted":true}"#),
                _ => refusal(404, &[], &json!({"error": {"message": "no", "type": "x", "param": null, "code": null}})),
            };
            peer.send(answer).await;
        }
    })
    .await;
    let house = House::over(Vendor::OpenAi, upstream).await;
    // A key that is not the gateway's: what is kept is kept for who has it.
    let body = json!({"model": house.model(), "input": "x"}).to_string();
    let answer = house.gateway.post("/v1/responses?key=secret", body).await.json();
    let id = answer["id"].as_str().unwrap();
    let path = format!("/v1/responses/{id}");
    house.gateway.get(&path).await.assert_error(404, "response_not_found");
    let fetched = house.gateway.get(&format!("{path}?include[]=x&key=secret")).await;
    assert_eq!(fetched.json()["kept"], true, "{}", fetched.text());
    let asked = house.last_request();
    assert_eq!(asked.head.first_line, format!("GET /v1/responses/{id}?include[]=x HTTP/1.1"));
    assert_eq!(asked.head.get("authorization"), Some(Vendor::OpenAi.credential().1.as_str()));
    house.gateway.get(&format!("{path}/input_items?limit=3&key=secret")).await.json();
    assert!(house.last_request().head.first_line.contains("/input_items?limit=3"));
    let path = format!("{path}?key=secret");
    assert_eq!(house.send("DELETE", &path, "").await.json()["deleted"], true);
    let asked = house.upstream.requests().len();
    house.gateway.get(&path).await.assert_error(404, "response_not_found");
    house.gateway.get("/v1/responses/resp_of_somebody").await.assert_error(404, "response_not_found");
    assert_eq!(house.upstream.requests().len(), asked, "nobody is asked for what nobody is known to keep");
}

#[tokio::test]
async fn an_answer_is_fetched_from_a_provider_that_gives_out_tokens() {
    let upstream = Upstream::start(|mut peer| async move {
        while let Some(request) = peer.request().await {
            let line = request.head.first_line.clone();
            let is_known = request.head.get("authorization") == Some("Bearer token-1");
            let answer = match line.split(' ').next() {
                Some("POST") if line.contains("/token") => {
                    json_answer(r#"{"access_token":"token-1","token_type":"Bearer","expires_in":3600}"#)
                }
                Some("POST") if is_known => ok(&fixture("openai_responses/answers/text.json")),
                Some("GET") if is_known => json_answer(r#"{"id":"theirs","kept":true}"#),
                _ => refusal(401, &[], &json!({"error": {"message": "no", "type": "x", "param": null, "code": null}})),
            };
            peer.send(answer).await;
        }
    })
    .await;
    let address = upstream.address;
    let gateway = Gateway::start(&config(&format!(
        "providers:\n  - name: cloud\n    type: azure-openai\n    endpoint: \"http://{address}\"\n    proxy: direct\n    \
         credentials: {{ tenant_id: t, client_id: c, client_secret: s, token_url: \"http://{address}/token\" }}\n"
    )))
    .await;
    let answer = gateway.post("/v1/responses", r#"{"model":"cloud/gpt-5.5","input":"x"}"#).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let fetched = gateway.get(&format!("/v1/responses/{}", answer.json()["id"].as_str().unwrap())).await;
    assert_eq!(fetched.json()["kept"], true, "{}", fetched.text());
}

#[tokio::test]
async fn a_conversation_is_made_continued_listed_and_deleted() {
    let house = House::start(Vendor::Anthropic).await;
    let items = json!([{"role": "user", "content": "I am Zoe."}, {"role": "assistant", "content": "Hello Zoe."}]);
    let made = json!({"metadata": {"topic": "names"}, "items": items}).to_string();
    let made = house.gateway.post("/v1/conversations", made).await.json();
    assert_eq!((&made["object"], &made["metadata"]["topic"]), (&json!("conversation"), &json!("names")));
    let path = format!("/v1/conversations/{}", made["id"].as_str().unwrap());
    assert_eq!(house.gateway.get(&path).await.json(), made);
    for (stream, conversation) in [(false, made["id"].clone()), (true, json!({"id": made["id"]}))] {
        let answer = house.respond(&json!({"conversation": conversation, "stream": stream})).await;
        assert_eq!(answer["conversation"], json!({"id": made["id"]}));
        assert!(house.last_request().text().contains("I am Zoe."));
    }
    let list = house.gateway.get(&format!("{path}/items?order=asc")).await.json();
    let texts: Vec<_> =
        list["data"].as_array().unwrap().iter().map(|item| item["content"][0]["text"].clone()).collect();
    assert_eq!(texts, ["I am Zoe.", "Hello Zoe.", "Say hello.", HELLO, "Say hello.", HELLO]);

    let more = json!({"items": [{"role": "user", "content": "More."}]}).to_string();
    let added = house.gateway.post(&format!("{path}/items"), more).await.json();
    let item = format!("{path}/items/{}", added["data"][0]["id"].as_str().unwrap());
    assert_eq!(house.gateway.get(&item).await.json(), added["data"][0]);
    assert_eq!(house.send("DELETE", &item, "").await.json()["id"], made["id"]);
    house.gateway.get(&item).await.assert_error(404, "conversation_not_found");

    let changed = house.gateway.post(&path, r#"{"metadata":{"topic":"other"}}"#).await.json();
    assert_eq!(changed["metadata"], json!({"topic": "other"}));
    assert_eq!(house.send("DELETE", &path, "").await.json()["object"], "conversation.deleted");
    house.gateway.get(&path).await.assert_error(404, "conversation_not_found");
    let body = json!({"model": house.model(), "input": "x", "conversation": made["id"]}).to_string();
    house.gateway.post("/v1/responses", body).await.assert_error(404, "conversation_not_found");
}

#[tokio::test]
async fn what_a_short_request_continues_is_counted_among_the_bytes_held() {
    let upstream = Vendor::Anthropic.serve().await;
    let limits = "server: { limits: { body_bytes: 64KiB, held_bytes: 64KiB } }\n";
    let gateway = Gateway::start(&(configured(Vendor::Anthropic, upstream.address) + limits)).await;
    let house = House { gateway, upstream, vendor: Vendor::Anthropic };
    let made = house.gateway.post("/v1/conversations", "{}").await.json();
    let items = format!("/v1/conversations/{}/items", made["id"].as_str().unwrap());
    let item = json!({"items": [{"role": "user", "content": "x".repeat(12 << 10)}]}).to_string();
    let body = json!({"model": house.model(), "input": "x", "conversation": made["id"], "store": false}).to_string();
    for _ in 0..4 {
        assert_eq!(house.gateway.post(&items, item.clone()).await.status, 200);
    }
    assert_eq!(house.gateway.post("/v1/responses", body.clone()).await.status, 200);
    for _ in 0..4 {
        assert_eq!(house.gateway.post(&items, item.clone()).await.status, 200);
    }
    house.gateway.post("/v1/responses", body).await.assert_error(503, "overloaded");
    assert_eq!(house.upstream.requests().len(), 1);
    // The same for what is only looked at.
    assert_eq!(house.gateway.get(&format!("{items}?limit=4")).await.status, 200);
    house.gateway.get(&items).await.assert_error(503, "overloaded");
}

#[tokio::test]
async fn what_one_key_keeps_no_other_key_sees() {
    let upstream = Vendor::Anthropic.serve().await;
    let keys = format!(
        "auth:\n  mode: required\n  keys:\n    - {{ name: app, key: {CLIENT_KEY} }}\n    \
         - {{ name: other, key: sk-gateway-another-0123456789 }}\n"
    );
    let gateway = Gateway::start(&(configured(Vendor::Anthropic, upstream.address) + &keys)).await;
    let house = House { gateway, upstream, vendor: Vendor::Anthropic };
    let (mine, others) = (format!("Bearer {CLIENT_KEY}"), "Bearer sk-gateway-another-0123456789");
    let (mine, others) = ([("authorization", mine.as_str())], [("authorization", others)]);
    let body = json!({"model": house.model(), "input": "secret"}).to_string();
    let answer = house.gateway.post_with("/v1/responses", &mine, body).await.json();
    let made = house.gateway.post_with("/v1/conversations", &mine, "{}").await.json();
    for (path, code) in [
        (format!("/v1/responses/{}", answer["id"].as_str().unwrap()), "response_not_found"),
        (format!("/v1/responses/{}/input_items", answer["id"].as_str().unwrap()), "response_not_found"),
        (format!("/v1/conversations/{}", made["id"].as_str().unwrap()), "conversation_not_found"),
        (format!("/v1/conversations/{}/items", made["id"].as_str().unwrap()), "conversation_not_found"),
    ] {
        assert_eq!(house.send_as("GET", &path, "", &mine).await.status, 200, "{path}");
        house.send_as("GET", &path, "", &others).await.assert_error(404, code);
        house.send_as("GET", &path, "", &[]).await.assert_error(401, "invalid_api_key");
    }
    let body = json!({"model": house.model(), "input": "x", "previous_response_id": answer["id"]}).to_string();
    let refused = house.gateway.post_with("/v1/responses", &others, body).await;
    refused.assert_error(400, "previous_response_not_found");
}

#[tokio::test]
async fn what_is_not_offered_is_refused_by_name() {
    let house = House::start(Vendor::Anthropic).await;
    for (more, param) in [
        (json!({"background": true}), "background"),
        (json!({"previous_response_id": "resp_1", "conversation": "conv_1"}), "previous_response_id"),
    ] {
        let mut body = json!({"model": house.model(), "input": "x"});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let answer = house.gateway.post("/v1/responses", body.to_string()).await;
        assert_eq!((answer.status, &answer.json()["error"]["param"]), (400, &json!(param)));
    }
    house.send("PUT", "/v1/conversations/c", "").await.assert_error(405, "method_not_allowed");
    house.gateway.post("/v1/conversations", "{").await.assert_error(400, "invalid_json");
    assert!(house.upstream.requests().is_empty());
}

#[tokio::test]
async fn tokens_of_a_request_are_counted_or_estimated() {
    let house = House::start(Vendor::Anthropic).await;
    let body = Format::Responses.body(&house.model(), false, "Say hello, please.").to_string();
    let counted = house.gateway.post("/v1/responses/input_tokens", body).await;
    assert_eq!(counted.json()["object"], "response.input_tokens", "{}", counted.text());
    assert!(counted.json()["input_tokens"].as_u64().unwrap() > 3);
}
