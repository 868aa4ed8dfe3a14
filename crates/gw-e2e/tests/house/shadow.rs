//! Shadows: a copy of a request goes to another provider, the client gets what it would have got, and both answers are
//! compared.

use serde_json::{Value, json};

use crate::harness::{
    CHAT_ANSWER, CLIENT_KEY, Gateway, PROVIDER_KEY, Upstream, chat, config, event_stream, json_answer, provider,
    streamed_chat, within,
};
use crate::translated::Format;

const OPENAI_STREAM: &str = concat!(
    "data: {\"id\":\"c1\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"m\",\"choices\":[{\"index\":0,\
     \"delta\":{\"role\":\"assistant\",\"content\":\"\"},\"finish_reason\":null}]}\n\n",
    "data: {\"id\":\"c1\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"m\",\"choices\":[{\"index\":0,\
     \"delta\":{\"content\":\"one two three\"},\"finish_reason\":null}]}\n\n",
    "data: {\"id\":\"c1\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"m\",\"choices\":[{\"index\":0,\
     \"delta\":{},\"finish_reason\":\"stop\"}]}\n\n",
    "data: [DONE]\n\n",
);
const ANTHROPIC_STREAM: &str = concat!(
    "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"msg_1\",\"type\":\"message\",\
     \"role\":\"assistant\",\"model\":\"m2\",\"content\":[],\"stop_reason\":null,\"stop_sequence\":null,\
     \"usage\":{\"input_tokens\":9,\"output_tokens\":1}}}\n\n",
    "event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"text\",\
     \"text\":\"\"}}\n\n",
    "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\
     \"text\":\"one two four five six\"}}\n\n",
    "event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":0}\n\n",
    "event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"max_tokens\",\
     \"stop_sequence\":null},\"usage\":{\"output_tokens\":4}}\n\n",
    "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n",
);

/// A provider of OpenAI's format, and a shadow of Anthropic's that gets every request.
fn with_shadow(old: &Upstream, new: &Upstream, more: &str) -> String {
    config(&format!(
        "{more}\nproviders:\n{}  - {{ name: new, type: anthropic, endpoint: \"http://{}/v1\", api_key: {PROVIDER_KEY}, \
         proxy: direct, models: [m2] }}\n\
         routing: {{ retry_attempts: 0 }}\n\
         canary:\n  rollouts:\n    - {{ name: next, provider: new, model: m2, shadow: true, traffic_percentage: 100, \
         duration: 7d }}\n",
        provider("old", old.address, ", models: [m]"),
        new.address,
    ))
}

fn anthropic_answer(content: &Value, stop_reason: &str) -> Vec<u8> {
    let answer = json!({
        "id": "msg_1", "type": "message", "role": "assistant", "model": "m2", "content": content,
        "stop_reason": stop_reason, "stop_sequence": null, "usage": {"input_tokens": 9, "output_tokens": 4},
    });
    json_answer(answer.to_string())
}

async fn compared(gateway: &Gateway, request_id: &str) -> Value {
    let is_it = |line: &Value| line["event"] == "shadow_compared" && line["request_id"] == request_id;
    gateway.line("the comparison", is_it).await
}

#[tokio::test]
async fn an_answer_in_another_format_that_says_the_same_is_equal_and_paid_for_and_nobody_sees_it() {
    let old = Upstream::always(json_answer(CHAT_ANSWER)).await;
    let new = Upstream::always(anthropic_answer(&json!([{"type": "text", "text": "hello back"}]), "end_turn")).await;
    let gateway = Gateway::start(&with_shadow(&old, &new, "")).await;
    let answer = gateway.chat(chat("m")).await;
    assert_eq!((answer.status, answer.text()), (200, CHAT_ANSWER));
    assert_eq!((answer.header("x-provider-used"), answer.header("x-attempt-count")), (Some("old"), Some("1")));

    let pair = compared(&gateway, answer.request_id()).await;
    for (member, value) in [
        ("canary", json!("next")),
        ("result", json!("equal")),
        ("words_in_common_percent", json!(100)),
        ("usual_provider", json!("old")),
        ("shadow_provider", json!("new")),
        ("shadow_model", json!("m2")),
        ("usual_finish", json!("stop")),
        ("shadow_finish", json!("stop")),
        ("usual_input_tokens", json!(11)),
        ("shadow_input_tokens", json!(9)),
        ("shadow_output_tokens", json!(4)),
    ] {
        assert_eq!(pair[member], value, "{member}: {pair}");
    }
    assert!(pair["shadow_first_content_ms"].as_f64() <= pair["shadow_total_ms"].as_f64(), "{pair}");

    let sent = new.only_request();
    assert_eq!((sent.json()["model"].clone(), sent.head.get("x-api-key")), (json!("m2"), Some(PROVIDER_KEY)));
    let is_record = |line: &Value| line["shadow"] == "next" && line["request_id"] == answer.request_id();
    let record = gateway.line("the shadow's record", is_record).await;
    assert_eq!((&record["provider"], &record["output_tokens"]), (&json!("new"), &json!(4)));
    assert_eq!(gateway.record(answer.request_id()).await["provider"], "old");
    let shadows = "ai_gateway_shadows_total{canary=\"next\",provider=\"new\",result=\"equal\"}";
    assert_eq!(gateway.metric(shadows).await, Some(1.0));
    let tokens = "ai_gateway_tokens_total{provider=\"new\",model=\"m2\",type=\"output\"}";
    assert_eq!(gateway.metric(tokens).await, Some(4.0));
    let metrics = gateway.get("/metrics").await;
    let requests = metrics.text().lines().filter(|line| line.starts_with("ai_gateway_requests_total"));
    assert_eq!(requests.filter(|line| line.contains("provider=\"new\"")).count(), 0, "nobody asked for it");
    assert!(!gateway.everything_written().contains("hello back"), "what was said is not logged");
}

#[tokio::test]
async fn streams_are_compared_and_forwarded_byte_for_byte() {
    let streaming = |events: &'static str| {
        Upstream::start(move |mut peer| async move {
            peer.request().await;
            peer.send(event_stream()).await;
            peer.send(events).await;
        })
    };
    let (old, new) = (streaming(OPENAI_STREAM).await, streaming(ANTHROPIC_STREAM).await);
    let gateway = Gateway::start(&with_shadow(&old, &new, "")).await;
    let asked = r#"{"model":"m","stream":true,"stream_options":{"include_usage":true},"messages":[{"role":"user","content":"x"}]}"#;
    let answer = gateway.chat(asked).await;
    assert_eq!(answer.text(), OPENAI_STREAM);
    let pair = compared(&gateway, answer.request_id()).await;
    assert_eq!((&pair["result"], &pair["words_in_common_percent"]), (&json!("different"), &json!(50)), "{pair}");
    assert_eq!((&pair["usual_finish"], &pair["shadow_finish"]), (&json!("stop"), &json!("length")), "{pair}");
    assert!(pair["usual_first_content_ms"].is_f64() && pair["shadow_first_content_ms"].is_f64(), "{pair}");
    assert_eq!(new.only_request().json()["stream"], true);

    let canaries = gateway.get("/gateway/canaries").await.json();
    let shown = &canaries["data"][0];
    assert_eq!((&shown["name"], &shown["shadow"], &shown["stage"]), (&json!("next"), &json!(true), &json!("watched")));
    let comparison = &shown["comparison"];
    assert_eq!((&comparison["compared"], &comparison["results"]["different"]), (&json!(1), &json!(1)), "{canaries}");
    assert_eq!(comparison["same_finish_reason"], json!({"of": 1, "held": 0}));
    assert_eq!(
        (&comparison["words_in_common_percent"], &comparison["shadow"]["input_tokens"]),
        (&json!(50.0), &json!(9.0))
    );
}

#[tokio::test]
async fn an_answer_that_breaks_off_or_is_too_long_to_be_read_is_told_as_that() {
    let cut = Upstream::start(|mut peer| async move {
        peer.request().await;
        peer.send(event_stream()).await;
        peer.send(&ANTHROPIC_STREAM[..ANTHROPIC_STREAM.find("event: message_delta").unwrap()]).await;
    })
    .await;
    let old = openai().await;
    let gateway = Gateway::start(&with_shadow(&old, &cut, "")).await;
    let answer = gateway.chat(streamed_chat("m")).await;
    assert_eq!(answer.text(), OPENAI_STREAM);
    let pair = compared(&gateway, answer.request_id()).await;
    assert_eq!(pair["result"], "shadow_failed", "{pair}");
    assert_eq!((&pair["shadow_status"], &pair["shadow_error"]), (&json!(200), &json!("provider_stream_interrupted")));

    let long = json!([{"type": "text", "text": "word ".repeat(300_000)}]);
    let new = Upstream::always(anthropic_answer(&long, "end_turn")).await;
    let gateway = Gateway::start(&with_shadow(&old, &new, "")).await;
    let answer = gateway.chat(chat("m")).await;
    let pair = compared(&gateway, answer.request_id()).await;
    assert_eq!((&pair["result"], &pair["usual_finish"]), (&json!("unread"), &json!("stop")), "{pair}");
    assert!(pair["shadow_finish"].is_null() && pair["shadow_output_tokens"] == 4, "{pair}");
}

/// Answers in OpenAI's format, as it is asked.
async fn openai() -> Upstream {
    Upstream::start(|mut peer| async move {
        while let Some(request) = peer.request().await {
            if request.json()["stream"] == true {
                peer.send(event_stream()).await;
                peer.send(OPENAI_STREAM).await;
                return;
            }
            peer.send(json_answer(CHAT_ANSWER.replace("hello back", "one two three"))).await;
        }
    })
    .await
}

#[tokio::test]
async fn answers_are_compared_in_every_format_that_clients_speak() {
    let other = json!([{"type": "text", "text": "one two four five six"}]);
    let (old, new) = (openai().await, Upstream::always(anthropic_answer(&other, "max_tokens")).await);
    let gateway = Gateway::start(&with_shadow(&old, &new, "")).await;
    let array = (Format::Gemini, true, "/v1beta/models/m:streamGenerateContent".to_owned());
    let usual = Format::ALL.into_iter().flat_map(|format| [false, true].map(|stream| (format, stream)));
    let usual = usual.map(|(format, stream)| (format, stream, format.path("m", stream)));
    for (format, stream, path) in usual.chain([array]) {
        let answer = gateway.post(&path, format.body("m", stream, "x").to_string()).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        let pair = compared(&gateway, answer.request_id()).await;
        let told = [&pair["result"], &pair["usual_finish"], &pair["shadow_finish"], &pair["words_in_common_percent"]];
        assert_eq!(told, [&json!("different"), &json!("stop"), &json!("length"), &json!(50)], "{path} {pair}");
    }
}

#[tokio::test]
async fn calls_of_tools_are_the_same_by_what_their_arguments_mean() {
    let called = json!({
        "id": "c1", "object": "chat.completion", "created": 1, "model": "m",
        "choices": [{"index": 0, "finish_reason": "tool_calls", "message": {
            "role": "assistant", "content": null,
            "tool_calls": [{"id": "a", "type": "function", "function": {"name": "f", "arguments": "{\"x\": 1, \"y\": [2]}"}}],
        }}],
        "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
    });
    let old = Upstream::always(json_answer(called.to_string())).await;
    let tool = json!([{"type": "tool_use", "id": "toolu_1", "name": "f", "input": {"y": [2], "x": 1}}]);
    let new = Upstream::always(anthropic_answer(&tool, "tool_use")).await;
    let gateway = Gateway::start(&with_shadow(&old, &new, "")).await;
    let asked = json!({
        "model": "m", "messages": [{"role": "user", "content": "x"}],
        "tools": [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}],
    });
    let answer = gateway.chat(asked.to_string()).await;
    let pair = compared(&gateway, answer.request_id()).await;
    assert_eq!((&pair["result"], &pair["same_tool_calls"]), (&json!("equal"), &json!(true)), "{pair}");
    assert!(pair["words_in_common_percent"].is_null(), "neither says a word: {pair}");
}

#[tokio::test]
async fn whether_json_came_that_was_asked_for_is_told_of_both() {
    let old = Upstream::always(json_answer(CHAT_ANSWER.replace("hello back", "{\\\"a\\\":1}"))).await;
    let new = Upstream::always(anthropic_answer(&json!([{"type": "text", "text": "Sure: {"}]), "end_turn")).await;
    let gateway = Gateway::start(&with_shadow(&old, &new, "")).await;
    let asked = json!({
        "model": "m", "messages": [{"role": "user", "content": "x"}],
        "response_format": {"type": "json_schema", "json_schema": {"name": "a", "schema": {"type": "object"}}},
    });
    let answer = gateway.chat(asked.to_string()).await;
    let pair = compared(&gateway, answer.request_id()).await;
    assert_eq!((&pair["usual_is_json"], &pair["shadow_is_json"]), (&json!(true), &json!(false)), "{pair}");
}

#[tokio::test]
async fn what_a_shadow_costs_is_in_nobodys_totals() {
    let (old, new) =
        (Upstream::always(json_answer(CHAT_ANSWER)).await, Upstream::always(json_answer(CHAT_ANSWER)).await);
    let openai = |name: &str, upstream: &Upstream| {
        format!(
            "  - {{ name: {name}, type: openai, endpoint: \"http://{}/v1\", proxy: direct, api_key: {PROVIDER_KEY} }}\n",
            upstream.address
        )
    };
    let gateway = Gateway::start(&config(&format!(
        "auth: {{ mode: required, keys: [{{ name: app, key: {CLIENT_KEY} }}] }}\nproviders:\n{}{}\
         routing: {{ retry_attempts: 0 }}\n\
         canary:\n  rollouts:\n    - {{ name: next, provider: new, shadow: true, traffic_percentage: 100, duration: 7d }}\n",
        openai("openai", &old),
        openai("new", &new),
    )))
    .await;
    let bearer = [("authorization", &*format!("Bearer {CLIENT_KEY}"))];
    let answer = gateway.post_with("/v1/chat/completions", &bearer, chat("gpt-4o")).await;
    assert_eq!(answer.status, 200);
    let pair = compared(&gateway, answer.request_id()).await;
    assert_eq!((&pair["usual_cost_nanodollars"], &pair["shadow_cost_nanodollars"]), (&json!(97_500), &json!(97_500)));
    assert_eq!(new.only_request().head.get("authorization"), Some(&*format!("Bearer {PROVIDER_KEY}")));
    let is_shadow = |line: &Value| line["shadow"] == "next" && line["request_id"] == answer.request_id();
    let record = gateway.line("the shadow's record", is_shadow).await;
    assert!(record["cost_usd"].is_f64() && record["key"].is_null(), "{record}");
    let used = within("the totals", async {
        loop {
            let used = gateway.get_with("/api/v1/key", &bearer).await.json()["data"].take();
            if used["requests"] != 0 {
                return used;
            }
        }
    })
    .await;
    assert_eq!((&used["requests"], &used["usage"]), (&json!(1), &json!(0.000_097_5)));
}
