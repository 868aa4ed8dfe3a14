//! What goes through goes through as it is.

use crate::harness::{
    CHAT_ANSWER, Gateway, PROVIDER_KEY, Upstream, chat, config, event_stream, http_answer, json_answer, provider,
    scripted, streamed_chat,
};

/// A request that no serializer would write like this: odd spacing, an integer beyond 64 bits, escapes, unknown fields.
const ODD_REQUEST: &str = "{ \"zeta\" : 123456789012345678901234567890 ,\"model\"\t:\"scripted/m\",\r\n \"messages\":[{\"role\":\
    \"user\",\"content\":\"caf\\u00e9 \\ud83e\\udd80 東京 \\/\"}], \"x_vendor\":{\"a\":[1,2.50,1e3,-0.0],\"a\":null},\
    \"temperature\":1.0 }";

/// A stream with everything the standard allows in one: comments, CRLF and LF, unknown fields and members.
const ODD_STREAM: &str = ": keep-alive\r\n\r\ndata: {\"id\":\"1\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"caf\\u00e9 é\"}}],\
    \"x\":12345678901234567890123}\n\nevent: message\ndata:{\"id\":\"1\",\"choices\":[{\"index\":0,\"delta\":{},\
    \"finish_reason\":\"stop\"}]}\n\ndata: {\"id\":\"1\",\"choices\":[],\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":2,\
    \"total_tokens\":5}}\n\ndata: [DONE]\n\n";

fn odd_stream() -> Vec<u8> {
    [event_stream(), ODD_STREAM.as_bytes()].concat()
}

/// The odd stream closes its connection, so it is played on each connection once.
async fn streaming_upstream() -> Upstream {
    Upstream::start(|mut peer| async move {
        if peer.request().await.is_some() {
            peer.send(odd_stream()).await;
        }
    })
    .await
}

#[tokio::test]
async fn of_a_request_only_the_model_name_changes() {
    let upstream = Upstream::always(json_answer(CHAT_ANSWER)).await;
    let gateway = Gateway::start(&scripted(upstream.address)).await;
    assert_eq!(gateway.chat(ODD_REQUEST).await.status, 200);
    let request = upstream.only_request();
    assert_eq!(request.head.first_line, "POST /v1/chat/completions HTTP/1.1");
    assert_eq!(request.text(), ODD_REQUEST.replace("scripted/m", "m"));
}

#[tokio::test]
async fn a_request_whose_model_keeps_its_name_does_not_change_at_all() {
    let upstream = Upstream::always(json_answer(CHAT_ANSWER)).await;
    let models = ", models: [listed-model]";
    let gateway =
        Gateway::start(&config(&format!("providers:\n{}", provider("scripted", upstream.address, models)))).await;
    let body = ODD_REQUEST.replace("scripted/m", "listed-model");
    assert_eq!(gateway.chat(&body).await.status, 200);
    assert_eq!(upstream.only_request().text(), body);
}

#[tokio::test]
async fn a_request_that_comes_in_many_pieces_arrives_whole_and_in_order() {
    let upstream = Upstream::always(json_answer(CHAT_ANSWER)).await;
    let gateway = Gateway::start(&scripted(upstream.address)).await;
    let numbers: Vec<_> = (0..5_000).map(|number| number.to_string()).collect();
    let body = format!(r#"{{"model":"scripted/m","x":[{}]}}"#, numbers.join(","));
    let mut client = gateway.client().await;
    client.send("POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\n").await;
    for piece in body.as_bytes().chunks(1_000) {
        client.send([format!("{:x}\r\n", piece.len()).as_bytes(), piece, b"\r\n"].concat()).await;
    }
    client.send("0\r\n\r\n").await;
    let answer = client.answer().await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(upstream.only_request().text(), body.replace("scripted/", ""));
}

#[tokio::test]
async fn every_operation_goes_to_its_own_path() {
    let upstream =
        Upstream::always(json_answer(r#"{"object":"list","data":[],"usage":{"prompt_tokens":1,"total_tokens":1}}"#))
            .await;
    let gateway = Gateway::start(&scripted(upstream.address)).await;
    let embedding = r#"{"model":"scripted/e","input":["a"],"encoding_format":"base64"}"#;
    let completion = r#"{"model":"scripted/c","prompt":"a","echo":true}"#;
    for path in ["/v1/embeddings", "/openai/v1/embeddings", "/embeddings"] {
        assert_eq!(gateway.post(path, embedding).await.status, 200, "{path}");
    }
    assert_eq!(gateway.post("/v1/completions", completion).await.status, 200);
    let requests = upstream.requests();
    for request in &requests[..3] {
        assert_eq!(request.head.first_line, "POST /v1/embeddings HTTP/1.1");
        assert_eq!(request.text(), embedding.replace("scripted/", ""));
    }
    assert_eq!(requests[3].head.first_line, "POST /v1/completions HTTP/1.1");
    assert_eq!(requests[3].text(), completion.replace("scripted/", ""));
}

#[tokio::test]
async fn an_answer_comes_back_as_it_was_sent() {
    let odd = "\n\n{ \"usage\":{\"prompt_tokens\":1,\"completion_tokens\":2,\"total_tokens\":3,\"x\":{}} ,\"choices\":[],\
        \"big\":123456789012345678901234567890,\"e\":\"\\u00e9\\/é\",\"e\":1.0e5 } ";
    let upstream = Upstream::always(json_answer(odd)).await;
    let gateway = Gateway::start(&scripted(upstream.address)).await;
    let answer = gateway.chat(chat("scripted/m")).await;
    assert_eq!((answer.status, answer.text()), (200, odd));
}

#[tokio::test]
async fn an_answer_beyond_what_is_held_comes_back_as_it_was_sent() {
    let text = "0123456789abcdef".repeat(256 << 10);
    let large = CHAT_ANSWER.replace("hello back", &text);
    let upstream = Upstream::always(json_answer(&large)).await;
    let gateway = Gateway::start(&scripted(upstream.address)).await;
    let answer = gateway.chat(chat("scripted/m")).await;
    assert!(answer.body == large.as_bytes(), "{} bytes came of {}", answer.body.len(), large.len());
    let record = gateway.record(answer.request_id()).await;
    assert_eq!(record["response_bytes"], large.len());
    assert_eq!(record["input_tokens"], 11, "{record}");
}

#[tokio::test]
async fn a_stream_comes_back_as_it_was_sent_to_who_asked_for_usage() {
    let upstream = streaming_upstream().await;
    let gateway = Gateway::start(&scripted(upstream.address)).await;
    let body = r#"{"model":"scripted/m","stream":true,"stream_options":{"include_usage":true},"messages":[]}"#;
    let answer = gateway.chat(body).await;
    assert_eq!(answer.header("content-type"), Some("text/event-stream; charset=utf-8"));
    assert_eq!(answer.text(), ODD_STREAM);
    assert_eq!(upstream.only_request().text(), body.replace("scripted/", ""));
}

#[tokio::test]
async fn usage_is_asked_for_and_its_chunk_withheld_from_who_did_not_ask() {
    let upstream = streaming_upstream().await;
    let gateway = Gateway::start(&scripted(upstream.address)).await;
    let answer = gateway.chat(streamed_chat("scripted/m")).await;
    let (before, rest) = ODD_STREAM.split_once("data: {\"id\":\"1\",\"choices\":[],").unwrap();
    let (_, after) = rest.split_once("\n\n").unwrap();
    assert_eq!(answer.text(), format!("{before}{after}"));
    let asked = upstream.only_request().json();
    assert_eq!(asked["stream_options"]["include_usage"], true);
    let record = gateway.record(answer.request_id()).await;
    assert_eq!((&record["input_tokens"], &record["output_tokens"]), (&3.into(), &2.into()), "{record}");
}

#[tokio::test]
async fn the_usage_option_joins_the_clients_own_stream_options() {
    let upstream = streaming_upstream().await;
    let gateway = Gateway::start(&scripted(upstream.address)).await;
    let body =
        r#"{"model":"scripted/m","stream":true,"stream_options": { "include_obfuscation" : false },"messages":[]}"#;
    gateway.chat(body).await;
    let refused = body.replace("{ \"include_obfuscation\"", "{\"include_usage\":false,\"include_obfuscation\"");
    let answer = gateway.chat(refused).await;
    assert!(!answer.text().contains("\"usage\""), "{}", answer.text());
    for request in upstream.requests() {
        let options = &request.json()["stream_options"];
        assert_eq!(options, &serde_json::json!({ "include_usage": true, "include_obfuscation": false }));
    }
}

#[tokio::test]
async fn the_preferred_provider_is_taken_and_the_wish_is_not_forwarded() {
    let first = Upstream::always(json_answer(CHAT_ANSWER)).await;
    let second = Upstream::always(json_answer(CHAT_ANSWER)).await;
    let models = ", models: [shared]";
    let both = provider("one", first.address, models) + &provider("two", second.address, models);
    let gateway = Gateway::start(&config(&format!("providers:\n{both}"))).await;
    let answer = gateway.chat(r#"{"prefer_provider":"two","model":"shared","messages":[]}"#).await;
    assert_eq!(answer.header("x-provider-used"), Some("two"));
    assert_eq!(second.only_request().text(), r#"{"model":"shared","messages":[]}"#);
    let answer = gateway.chat(r#"{"model":"shared","messages":[]}"#).await;
    assert_eq!(answer.header("x-provider-used"), Some("one"));
}

#[tokio::test]
async fn an_alias_stands_for_a_provider_and_a_model() {
    let upstream = Upstream::always(json_answer(CHAT_ANSWER)).await;
    let aliases = "aliases: { fast: scripted/small-model }\ndefault_model: fast\n";
    let gateway = Gateway::start(&(scripted(upstream.address) + aliases)).await;
    gateway.chat(r#"{"model":"fast","messages":[]}"#).await;
    let answer = gateway.chat(r#"{"messages":[]}"#).await;
    assert_eq!(answer.header("x-model-used"), Some("small-model"));
    let requests = upstream.requests();
    assert_eq!(requests[0].text(), r#"{"model":"small-model","messages":[]}"#);
    assert_eq!(requests[1].json(), serde_json::json!({ "model": "small-model", "messages": [] }));
}

#[tokio::test]
async fn a_providers_error_keeps_its_status_its_words_and_its_time_to_wait() {
    let said =
        r#"{"error":{"message":"Slow down, please","type":"requests","param":null,"code":"rate_limit_exceeded"}}"#;
    let headers = [("content-type", "application/json"), ("retry-after", "7"), ("x-ratelimit-remaining-requests", "0")];
    let upstream = Upstream::always(http_answer(429, &headers, said)).await;
    let gateway = Gateway::start(&scripted(upstream.address)).await;
    let answer = gateway.chat(chat("scripted/m")).await;
    assert_eq!((answer.status, answer.text()), (429, said));
    assert_eq!(answer.header("retry-after"), Some("7"));
    assert_eq!(answer.header("x-ratelimit-remaining-requests"), Some("0"));
    let record = gateway.record(answer.request_id()).await;
    assert_eq!((&record["status"], &record["error"]), (&429.into(), &"provider_rate_limited".into()), "{record}");
}

#[tokio::test]
async fn a_providers_error_in_another_form_is_told_in_openais() {
    let upstream = Upstream::always(http_answer(422, &[("content-type", "text/plain")], "the sky is not blue")).await;
    let gateway = Gateway::start(&scripted(upstream.address)).await;
    let answer = gateway.chat(chat("scripted/m")).await;
    assert_eq!(answer.status, 422);
    assert!(answer.json()["error"]["message"].as_str().unwrap().contains("the sky is not blue"), "{}", answer.text());
}

#[tokio::test]
async fn a_provider_that_refuses_our_key_does_not_show_it_to_the_client() {
    let said = format!(
        r#"{{"error":{{"message":"Incorrect API key provided: {PROVIDER_KEY}","type":"x","param":null,"code":"y"}}}}"#
    );
    let upstream = Upstream::always(http_answer(401, &[("content-type", "application/json")], said)).await;
    let gateway = Gateway::start(&scripted(upstream.address)).await;
    let answer = gateway.chat(chat("scripted/m")).await;
    answer.assert_error(502, "provider_authentication");
    assert_eq!(answer.header("x-should-retry"), Some("false"));
    assert!(!answer.text().contains("sk-provider"), "{}", answer.text());
    gateway.record(answer.request_id()).await;
    assert!(!gateway.everything_written().contains(PROVIDER_KEY));
}
