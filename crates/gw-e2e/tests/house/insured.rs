//! Zero-completion insurance: who is charged for answers that failed or came to nothing, and where that is told.

use serde_json::{Value, json};

use crate::harness::{Answer, CLIENT_KEY, Gateway, PROVIDER_KEY, Upstream, chat, config, http_answer, json_answer};

/// 1,000 tokens in cost this at 3 dollars for a million.
const COST: f64 = 0.003;
const INSURED: &str = "cost_management: { zero_completion_insurance: true }\n";

struct House {
    gateway: Gateway,
    _upstream: Upstream,
}

/// What a request was charged for, and what it cost.
struct Bill {
    answer: Answer,
    record: Value,
    /// As the caller is told of its request.
    facts: Value,
    /// What the key has used in all.
    spent: f64,
}

impl House {
    async fn start(rest: &str, answer: Vec<u8>) -> Self {
        let upstream = Upstream::always(answer).await;
        let gateway = Gateway::start(&config(&format!(
            "{rest}auth: {{ mode: required, keys: [{{ name: app, key: {CLIENT_KEY} }}] }}\nproviders:\n  \
             - {{ name: p, type: openai-compatible, endpoint: \"http://{}/v1\", proxy: direct, api_key: {PROVIDER_KEY}, \
             models: [{{ name: m, price: {{ input: 3, output: 15 }} }}], retry: {{ attempts: 0 }} }}\n",
            upstream.address
        )))
        .await;
        Self { gateway, _upstream: upstream }
    }

    async fn bill(&self, body: String) -> Bill {
        let bearer = format!("Bearer {CLIENT_KEY}");
        let key = [("authorization", bearer.as_str())];
        let answer = self.gateway.post_with("/api/v1/chat/completions", &key, body).await;
        let record = self.gateway.record(answer.request_id()).await;
        let path = format!("/api/v1/generation?id={}", answer.request_id());
        let facts = self.gateway.get_with(&path, &key).await.json()["data"].take();
        let spent = self.gateway.get_with("/api/v1/key", &key).await.json()["data"]["usage"].as_f64().unwrap();
        Bill { answer, record, facts, spent }
    }
}

fn empty(finish: &str) -> Vec<u8> {
    json_answer(format!(
        r#"{{"id":"x","object":"chat.completion","model":"m","choices":[{{"index":0,"message":{{"role":"assistant","content":""}},
        "finish_reason":{finish}}}],"usage":{{"prompt_tokens":1000,"completion_tokens":0,"total_tokens":1000}}}}"#
    ))
}

/// A stream of these chunks, the last of which tells the usage.
fn stream(choices: &[&str], output: u32, end: &str) -> Vec<u8> {
    let usage = format!(r#","usage":{{"prompt_tokens":1000,"completion_tokens":{output}}}"#);
    let chunk = |(index, choice): (usize, &&str)| {
        let usage = if index + 1 == choices.len() { usage.as_str() } else { "" };
        format!("data: {{\"id\":\"x\",\"choices\":[{choice}]{usage}}}\n\n")
    };
    let events: String = choices.iter().enumerate().map(chunk).collect();
    http_answer(200, &[("content-type", "text/event-stream")], events + end)
}

fn streamed() -> String {
    chat("m").replacen('{', r#"{"stream":true,"#, 1)
}

impl Bill {
    /// It costs the operator what the provider asks, and the caller nothing.
    #[track_caller]
    fn assert_insured(&self, why: &str, cost: f64) {
        let record = &self.record;
        assert_eq!((&record["insured"], &record["billed_usd"]), (&json!(why), &json!(0)), "{record}");
        assert_eq!(record["cost_usd"], json!(cost), "{record}");
        assert_eq!((&self.facts["total_cost"], &self.facts["usage"]), (&json!(0), &json!(0)), "{}", self.facts);
        assert_eq!(self.facts["upstream_inference_cost"], json!(cost));
        assert_eq!(self.spent.to_bits(), 0.0_f64.to_bits());
    }

    #[track_caller]
    fn assert_charged(&self, cost: f64) {
        let record = &self.record;
        assert_eq!((record.get("insured"), &record["cost_usd"]), (None, &json!(cost)), "{record}");
        assert_eq!((&self.facts["total_cost"], &self.facts["usage"]), (&json!(cost), &json!(cost)), "{}", self.facts);
        assert_eq!(json!(self.spent), json!(cost));
    }
}

#[tokio::test]
async fn an_empty_answer_without_a_reason_to_have_ended_is_not_charged_and_the_metric_knows_what_it_cost() {
    let house = House::start(INSURED, empty("null")).await;
    let bill = house.bill(chat("m")).await;
    bill.assert_insured("empty", COST);
    assert_eq!(bill.answer.header("x-gateway-cost"), Some("0"));
    assert_eq!((&bill.answer.json()["usage"]["cost"], bill.answer.status), (&json!(0), 200));
    let series = "ai_gateway_cost_nanodollars_total{provider=\"p\",model=\"m\",type=\"input\"}";
    assert_eq!(house.gateway.metric(series).await, Some(3_000_000.0));
}

#[tokio::test]
async fn what_was_used_is_charged_unless_the_operator_insures_it_and_so_is_what_has_a_reason_to_be_empty() {
    for (rest, answer) in [("", empty("null")), (INSURED, empty("\"content_filter\"")), (INSURED, empty("\"stop\""))] {
        let bill = House::start(rest, answer).await.bill(chat("m")).await;
        bill.assert_charged(COST);
        assert_eq!(bill.answer.header("x-gateway-cost"), Some("0.003"));
    }
}

#[tokio::test]
async fn a_stream_is_insured_if_it_says_nothing_or_breaks_off_and_not_if_it_says_why_it_ended() {
    const ROLE: &str = r#"{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}"#;
    const WORD: &str = r#"{"index":0,"delta":{"content":"hello"},"finish_reason":null}"#;
    const END: &str = r#"{"index":0,"delta":{},"finish_reason":"stop"}"#;
    const DONE: &str = "data: [DONE]\n\n";
    let nothing = House::start(INSURED, stream(&[ROLE, ROLE], 0, DONE)).await;
    nothing.bill(streamed()).await.assert_insured("empty", COST);
    let broken = House::start(INSURED, stream(&[ROLE, WORD], 200, "")).await;
    broken.bill(streamed()).await.assert_insured("failed", 2.0 * COST);
    let uninsured = House::start("", stream(&[ROLE, WORD], 200, "")).await;
    uninsured.bill(streamed()).await.assert_charged(2.0 * COST);
    for (choices, output, cost) in [(&[ROLE, END][..], 0, COST), (&[ROLE, WORD, END], 200, 2.0 * COST)] {
        let ended = House::start(INSURED, stream(choices, output, DONE)).await;
        ended.bill(streamed()).await.assert_charged(cost);
    }
}

#[tokio::test]
async fn what_is_said_in_other_words_is_insured_like_what_goes_through() {
    let question = r#"{"model":"m","max_tokens":9,"messages":[{"role":"user","content":"hello"}]}"#;
    for (finish, why) in [("null", Some("empty")), ("\"stop\"", None)] {
        let house = House::start(INSURED, empty(finish)).await;
        let answer = house.gateway.post_with("/v1/messages", &[("x-api-key", CLIENT_KEY)], question).await;
        assert_eq!(answer.header("x-gateway-cost"), Some(if why.is_some() { "0" } else { "0.003" }), "{finish}");
        let record = house.gateway.record(answer.request_id()).await;
        assert_eq!((record["insured"].as_str(), &record["cost_usd"]), (why, &json!(COST)), "{record}");
    }
}

#[tokio::test]
async fn an_answer_of_the_responses_api_that_says_it_failed_is_a_failure_whose_usage_is_known() {
    let answer = json_answer(
        r#"{"id":"resp_1","object":"response","status":"failed","error":{"code":"server_error","message":"x"},"output":[],
        "model":"m","usage":{"input_tokens":1000,"output_tokens":0,"total_tokens":1000}}"#,
    );
    let events = "data: {\"type\":\"response.failed\",\"response\":{\"id\":\"resp_1\",\"status\":\"failed\",\"error\":{\"code\":\
                  \"server_error\",\"message\":\"x\"},\"usage\":{\"input_tokens\":1000,\"output_tokens\":0,\"total_tokens\":1000}}}\n\n";
    let stream = http_answer(200, &[("content-type", "text/event-stream")], events);
    for (streams, answer) in [(false, answer), (true, stream)] {
        let upstream = Upstream::always(answer).await;
        let gateway = Gateway::start(&config(&format!(
            "{INSURED}providers:\n  - {{ name: p, type: openai, endpoint: \"http://{}/v1\", proxy: direct, api_key: {PROVIDER_KEY}, \
             models: [{{ name: m, price: {{ input: 3, output: 15 }} }}], retry: {{ attempts: 0 }} }}\n",
            upstream.address
        )))
        .await;
        let body = json!({ "model": "m", "input": "hello", "stream": streams }).to_string();
        let answer = gateway.post("/v1/responses", body).await;
        let record = gateway.record(answer.request_id()).await;
        assert_eq!((&record["outcome"], &record["cost_usd"]), (&json!("failed"), &json!(COST)), "{record}");
        assert_eq!((&record["insured"], &record["billed_usd"]), (&json!("failed"), &json!(0)), "{record}");
    }
}
