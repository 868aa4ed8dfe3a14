//! What an operator says of a provider and its models: parameters that are changed, tools that are told in words.

use serde_json::{Value, json};

use crate::harness::{Gateway, Upstream, config};
use crate::translated::{Format, HELLO, House, ok};
use crate::translated_vendors::Vendor;

/// A house whose provider has these settings besides.
async fn house(vendor: Vendor, upstream: Upstream, settings: &str) -> House {
    let providers = vendor.entry("house", upstream.address, &format!(", {settings}"));
    let gateway = Gateway::start(&config(&format!("providers:\n{providers}"))).await;
    House { gateway, upstream, vendor }
}

const PARAMETERS: &str = "parameters: { default: { temperature: 0.5 }, fixed: { user: gateway }, \
     drop: [logit_bias], rename: { max_tokens: max_completion_tokens } }, \
     model_settings: [{ model: \"gpt-5*\", parameters: { default: { temperature: 0.25 } } }]";

#[tokio::test]
async fn parameters_are_changed_where_the_client_speaks_the_providers_format() {
    let house = house(Vendor::OpenAi, Vendor::OpenAi.serve().await, PARAMETERS).await;
    let body = r#"{"model":"house/gpt-5.5", "messages":[{"role":"user","content":"Say hello."}], "max_tokens" : 1e2, "logit_bias":{"1":1}, "user":"me"}"#;
    let answer = house.gateway.post("/v1/chat/completions", body.to_owned()).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.header("x-gateway-dropped-params"), Some("logit_bias"));
    let sent = house.last_request();
    assert_eq!(
        sent.text(),
        r#"{"temperature":0.25,"model":"gpt-5.5", "messages":[{"role":"user","content":"Say hello."}], "max_completion_tokens" : 1e2, "user":"gateway"}"#
    );
    let record = house.gateway.record(answer.request_id()).await;
    assert_eq!(record["losses"], json!(["dropped logit_bias"]));
}

#[tokio::test]
async fn parameters_are_changed_in_the_providers_own_words_where_the_client_speaks_another_format() {
    let settings = "parameters: { default: { generationConfig.seed: 7 }, drop: [generationConfig.topK] }";
    let house = house(Vendor::Gemini, Vendor::Gemini.serve().await, settings).await;
    let mut body = Format::Messages.body(&house.model(), false, "Say hello.");
    body["top_k"] = json!(3);
    let answer = house.gateway.post("/v1/messages", body.to_string()).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let config = &house.last_request().json()["generationConfig"];
    assert_eq!((&config["seed"], config.get("topK")), (&json!(7), None), "{config}");
    assert_eq!(answer.header("x-gateway-dropped-params"), Some("generationConfig.topK"));
}

/// What a model without tools says in OpenAI's format.
fn said(text: &str) -> Vec<u8> {
    let message = json!({"role": "assistant", "content": text});
    ok(&json!({
        "id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "m",
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 20, "completion_tokens": 10, "total_tokens": 30}
    })
    .to_string())
}

const CALL: &str = "<tool_call>\n{\"name\": \"weather\", \"arguments\": {\"city\": \"Rome\"}}\n</tool_call>";

/// A request with a tool, in OpenAI's format.
fn with_tool(model: &str, stream: bool) -> Value {
    let schema = json!({"type": "object", "properties": {"city": {"type": "string"}}});
    let mut body = Format::Chat.body(model, stream, "Rain in Rome?");
    body["tools"] = json!([{"type": "function", "function": {"name": "weather", "parameters": schema}}]);
    body
}

#[tokio::test]
async fn a_model_without_tools_is_told_of_them_in_words_and_its_text_becomes_calls() {
    let upstream = Upstream::always(said(CALL)).await;
    let house = house(Vendor::Compatible, upstream, "emulate_tools: true").await;
    for stream in [false, true] {
        let body = with_tool(&house.model(), stream);
        let answer = house.gateway.post("/v1/chat/completions", body.to_string()).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        let sent = house.last_request().json();
        assert!(sent.get("tools").is_none(), "{sent}");
        assert!(sent["messages"][0]["content"].as_str().is_some_and(|told| told.contains("weather")), "{sent}");
        assert!(answer.header("x-gateway-warnings").is_some_and(|told| told.contains("replaced tools: ")));
        if stream {
            let text = answer.text();
            assert!(text.contains(r#""name":"weather""#) && text.contains(r#""finish_reason":"tool_calls""#), "{text}");
            assert!(!text.contains("<tool_call>"), "{text}");
            continue;
        }
        let choice = &answer.json()["choices"][0];
        let call = &choice["message"]["tool_calls"][0];
        assert_eq!(call["function"], json!({"name": "weather", "arguments": "{\"city\": \"Rome\"}"}), "{choice}");
        assert_eq!((&choice["finish_reason"], &choice["message"]["content"]), (&json!("tool_calls"), &Value::Null));
    }
}

#[tokio::test]
async fn a_request_without_tools_goes_to_such_a_model_as_it_is() {
    let house = house(Vendor::Compatible, Upstream::always(said(HELLO)).await, "emulate_tools: true").await;
    let body = r#"{"model":"house/gpt-5.5" , "messages":[{"role":"user","content":"Say hello."}]}"#;
    let answer = house.gateway.post("/v1/chat/completions", body.to_owned()).await;
    assert_eq!(Format::Chat.read(&answer.json()), Format::Chat.whole(HELLO));
    assert_eq!(house.last_request().text(), body.replace("house/", ""));
}
