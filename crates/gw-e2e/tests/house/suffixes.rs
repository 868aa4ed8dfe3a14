//! What stands behind a model's name: no provider but OpenRouter is sent it, whatever is asked for, and a word that nobody
//! knows is no model.

use serde_json::json;

use crate::harness::{CHAT_ANSWER, Gateway, PROVIDER_KEY, Upstream, chat, config, json_answer, provider};

async fn answering() -> Upstream {
    Upstream::always(json_answer(CHAT_ANSWER)).await
}

/// A provider of that type, without a list of its models.
fn of_type(kind: &str, upstream: &Upstream) -> String {
    let endpoint = format!("http://{}/v1", upstream.address);
    format!(
        "  - {{ name: {kind}, type: {kind}, endpoint: \"{endpoint}\", api_key: {PROVIDER_KEY}, proxy: direct, priority: 1 }}\n"
    )
}

#[tokio::test]
async fn an_unknown_word_behind_a_known_models_name_is_no_model_and_nobody_is_asked() {
    let (openai, named) = (answering().await, answering().await);
    let text = format!(
        "providers:\n{}{}",
        of_type("openai", &openai),
        provider("named", named.address, ", models: [\"gpt-4o:mine\"]")
    );
    let gateway = Gateway::start(&config(&text)).await;
    for (model, meant) in [
        ("gpt-4o:foobar", r#"did you mean \"gpt-4o\"?"#),
        ("gpt-4o:", r#"did you mean \"gpt-4o\"?"#),
        ("gpt-4o:ONLINE", r#"did you mean \"gpt-4o:online\" or \"gpt-4o\"?"#),
        ("gpt-4o:foobar:floor", r#"did you mean \"gpt-4o\"?"#),
        ("openai/gpt-4o:foobar", r#"did you mean \"openai/gpt-4o\"?"#),
    ] {
        let answer = gateway.chat(chat(model)).await;
        answer.assert_error(404, "model_not_found");
        assert!(answer.text().contains(meant), "{model}: {}", answer.text());
    }
    let body = r#"{"model":"gpt-4o","models":["gpt-4o:foobar"],"messages":[{"role":"user","content":"hi"}]}"#;
    assert_eq!(gateway.chat(body).await.status, 200, "of several models the known one is asked");
    assert_eq!(openai.only_request().json()["model"], "gpt-4o");

    let answer = gateway.chat(chat("gpt-4o:mine")).await;
    assert_eq!((answer.status, answer.header("x-provider-used")), (200, Some("named")), "{}", answer.text());
    for model in ["ft:gpt-4o-2024-08-06:acme::abc", "gpt-4o:floor"] {
        let answer = gateway.chat(chat(model)).await;
        assert_eq!((answer.status, answer.header("x-provider-used")), (200, Some("openai")), "{model}");
    }
    let asked: Vec<_> = openai.requests().iter().skip(1).map(|asked| asked.json()["model"].clone()).collect();
    assert_eq!(asked, ["ft:gpt-4o-2024-08-06:acme::abc", "gpt-4o"]);
}

#[tokio::test]
async fn what_is_carried_is_sent_without_its_suffix_and_told_what_that_did_not_do() {
    let (openai, router) = (answering().await, answering().await);
    let text = format!(
        "providers:\n{}{}routes:\n  - {{ name: voice, targets: [{{ provider: openrouter, model: a/tts }}] }}\n",
        of_type("openai", &openai),
        of_type("openrouter", &router)
    );
    let gateway = Gateway::start(&config(&text)).await;
    let images = |model: &str| json!({"model": model, "prompt": "a cat"}).to_string();
    let answer = gateway.post("/v1/images/generations", images("dall-e-3:floor")).await;
    assert_eq!((answer.status, answer.header("x-gateway-dropped-params")), (200, Some(":floor")), "{}", answer.text());
    assert_eq!(openai.only_request().json()["model"], "dall-e-3");
    for (model, status, code) in [
        ("dall-e-3:online", 400, "unsupported_parameter"),
        ("dall-e-3:floor:free", 400, "invalid_request"),
        ("dall-e-3:thinking", 404, "model_not_found"),
        ("gpt-image-1:foobar", 404, "model_not_found"),
    ] {
        gateway.post("/v1/images/generations", images(model)).await.assert_error(status, code);
    }
    assert_eq!(openai.requests().len(), 1);

    let speech = json!({"model": "voice:nitro", "input": "hi", "voice": "alloy"}).to_string();
    let answer = gateway.post("/v1/audio/speech", speech).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(router.only_request().json()["model"], "a/tts:nitro");
}

#[tokio::test]
async fn a_suffix_is_heard_where_a_rule_leads_elsewhere() {
    let (openai, other) = (answering().await, answering().await);
    let text = format!(
        "providers:\n{}{}routing:\n  rules:\n    - {{ name: team, condition: {{ query: {{ metadata.team: {{ $eq: x }} }} }}, \
         model: other/m }}\n",
        of_type("openai", &openai),
        provider("other", other.address, ", models: [m]")
    );
    let gateway = Gateway::start(&config(&text)).await;
    let answer = gateway.chat(chat("gpt-4o:floor")).await;
    assert_eq!((answer.status, answer.header("x-provider-used")), (200, Some("openai")), "{}", answer.text());
    assert_eq!(openai.only_request().json()["model"], "gpt-4o");
}
