//! Providers that imitate OpenAI and refuse what they do not know: each is told only what the catalogue says it knows.

use serde_json::{Value, json};

use crate::harness::{Answer, Gateway, PROVIDER_KEY, Upstream, config};
use crate::translated::{Format, HELLO, ok};
use crate::translated_fixtures::fixture;

/// What a provider of that type gets of a request, and what its client was told.
async fn sent(kind: &str, folder: &str, path: &str, body: &Value) -> (Value, Answer) {
    let upstream = Upstream::always(ok(&fixture(&format!("{folder}/answers/text.json")))).await;
    let address = upstream.address;
    let provider = format!(
        "providers:\n  - {{ name: house, type: {kind}, endpoint: \"http://{address}/v1\", api_key: {PROVIDER_KEY}, \
         proxy: direct }}\n"
    );
    let gateway = Gateway::start(&config(&provider)).await;
    let answer = gateway.post(path, body.to_string()).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    (upstream.only_request().json(), answer)
}

fn dropped(answer: &Answer) -> &str {
    answer.header("x-gateway-dropped-params").unwrap_or_default()
}

#[tokio::test]
async fn marks_for_the_cache_go_to_those_who_know_them() {
    let text = json!({"type": "text", "text": "Hi", "cache_control": {"type": "ephemeral"}});
    let body = json!({"model": "house/m", "max_tokens": 9, "messages": [{"role": "user", "content": [text]}]});
    let (request, answer) = sent("openai", "openai_chat", "/v1/messages", &body).await;
    assert!(request.to_string().contains("prompt_cache_breakpoint"), "{request}");
    assert_eq!(dropped(&answer), "");

    let (request, answer) = sent("groq", "openai_chat", "/v1/messages", &body).await;
    assert_eq!(request["messages"], json!([{"role": "user", "content": "Hi"}]));
    assert_eq!(dropped(&answer), "messages[].cache_control");
}

#[tokio::test]
async fn earlier_thoughts_go_to_those_who_know_what_they_are() {
    let thoughts = json!({"type": "reasoning", "summary": [{"type": "summary_text", "text": "Hm."}]});
    let input = json!([
        {"role": "user", "content": "Well?"}, thoughts,
        {"role": "assistant", "content": "Yes."}, {"role": "user", "content": "Sure?"},
    ]);
    let body = json!({"model": "house/m", "input": input});
    let (request, _) = sent("fireworks", "openai_chat", "/v1/responses", &body).await;
    assert_eq!(request["messages"][1]["reasoning_content"], "Hm.", "{request}");

    let (request, answer) = sent("groq", "openai_chat", "/v1/responses", &body).await;
    assert_eq!(request["messages"][1], json!({"role": "assistant", "content": "Yes."}));
    assert_eq!(dropped(&answer), "messages[].reasoning_content");
}

#[tokio::test]
async fn openais_clients_are_understood_by_mistral() {
    let call = json!({"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{}"}});
    let body = json!({"model": "house/mistral-medium-latest", "seed": 1, "max_completion_tokens": 9, "user": "u", "messages": [
        {"role": "developer", "content": "Be brief."}, {"role": "user", "content": "Go"},
        {"role": "assistant", "content": null, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "call_1", "content": "1"},
    ]});
    let (request, answer) = sent("mistral", "mistral_chat", "/v1/chat/completions", &body).await;
    assert_eq!((&request["random_seed"], &request["max_tokens"]), (&1.into(), &9.into()));
    assert_eq!(request["messages"][0]["role"], "system");
    let id = request["messages"][2]["tool_calls"][0]["id"].as_str().unwrap();
    assert_eq!((id.len(), &request["messages"][3]["tool_call_id"]), (9, &id.into()));
    assert_eq!(dropped(&answer), "user");
    assert_eq!(Format::Chat.read(&answer.json()), Format::Chat.whole(HELLO));
}
