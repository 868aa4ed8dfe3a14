//! Which headers go up, which come down, and which are ours.

use crate::harness::{
    CHAT_ANSWER, Gateway, PROVIDER_KEY, Upstream, chat, http_answer, json_answer, scripted, streamed_chat,
};

#[tokio::test]
async fn a_provider_is_told_what_concerns_it_and_nothing_else() {
    let upstream = Upstream::always(json_answer(CHAT_ANSWER)).await;
    let gateway = Gateway::start(&scripted(upstream.address)).await;
    let told = [
        ("accept", "application/json"),
        ("user-agent", "OpenAI/Python 3.52.0"),
        ("idempotency-key", "once"),
        ("openai-beta", "assistants=v2"),
        ("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
        ("tracestate", "vendor=1"),
    ];
    let not_told = [
        ("authorization", "Bearer sk-of-the-client"),
        ("cookie", "session=secret"),
        ("x-portkey-api-key", "pk"),
        ("x-portkey-trace-id", "trace"),
        ("openai-organization", "org-of-somebody-else"),
        ("x-forwarded-for", "203.0.113.9"),
        ("forwarded", "for=203.0.113.9"),
        ("x-stainless-lang", "python"),
        ("x-request-id", "the-clients-own"),
        ("proxy-authorization", "Basic eA=="),
        ("te", "trailers"),
    ];
    let answer = gateway
        .post_with("/v1/chat/completions", &[told, not_told[..6].try_into().unwrap()].concat(), chat("scripted/m"))
        .await;
    assert_eq!(answer.status, 200);
    let answer = gateway.post_with("/v1/chat/completions", &not_told[6..], chat("scripted/m")).await;
    assert_eq!(answer.status, 200);

    let requests = upstream.requests();
    for (name, value) in told {
        assert_eq!(requests[0].head.get(name), Some(value), "{}", requests[0].head.raw);
    }
    for request in &requests {
        for (name, value) in &not_told[1..] {
            assert_ne!(request.head.get(name), Some(*value), "{}", request.head.raw);
        }
        assert_eq!(request.head.get("authorization"), Some(format!("Bearer {PROVIDER_KEY}").as_str()));
        assert_eq!(request.head.get("host"), Some(upstream.address.to_string().as_str()));
        assert_eq!(request.head.get("accept-encoding"), Some("identity"));
        assert_eq!(request.head.get("content-type"), Some("application/json"));
        assert_eq!(request.head.get("content-length"), Some(request.body.len().to_string().as_str()));
    }
}

#[tokio::test]
async fn what_a_provider_says_about_itself_stays_behind() {
    let said = [
        ("content-type", "application/json"),
        ("set-cookie", "__cf_bm=tracking"),
        ("server", "cloudflare"),
        ("connection", "keep-alive"),
        ("keep-alive", "timeout=5"),
        ("alt-svc", "h3=\":443\""),
        ("strict-transport-security", "max-age=1"),
        ("x-request-id", "req-of-the-provider"),
        ("openai-processing-ms", "17"),
        ("x-ratelimit-limit-requests", "10000"),
    ];
    let upstream = Upstream::always(http_answer(200, &said, CHAT_ANSWER)).await;
    let gateway = Gateway::start(&scripted(upstream.address)).await;
    let answer = gateway.post_with("/v1/chat/completions", &[("x-request-id", "mine-1")], chat("scripted/m")).await;
    for name in ["set-cookie", "server", "keep-alive", "alt-svc", "strict-transport-security"] {
        assert_eq!(answer.header(name), None, "{}", answer.head.raw);
    }
    assert_eq!(answer.header("openai-processing-ms"), Some("17"));
    assert_eq!(answer.header("x-ratelimit-limit-requests"), Some("10000"));
    assert_eq!(answer.header("x-provider-request-id"), Some("req-of-the-provider"));
    assert_eq!(answer.header("x-client-request-id"), Some("mine-1"));
    assert_eq!(answer.request_id(), answer.header("x-gateway-request-id").unwrap());
    assert!(answer.request_id() != "mine-1" && answer.request_id() != "req-of-the-provider");

    let record = gateway.record(answer.request_id()).await;
    assert_eq!(record["client_request_id"], "mine-1");
    assert_eq!(record["provider_request_id"], "req-of-the-provider");
}

#[tokio::test]
async fn every_answer_says_who_served_it_also_an_error() {
    let upstream = Upstream::start(|mut peer| async move {
        while let Some(request) = peer.request().await {
            let asked = request.json()["model"].as_str().unwrap().to_owned();
            match asked.as_str() {
                "broken" => peer.send(http_answer(500, &[], "broken")).await,
                "garbage" => peer.send(json_answer("garbage")).await,
                _ => peer.send(json_answer(CHAT_ANSWER)).await,
            };
        }
    })
    .await;
    let gateway = Gateway::start(&scripted(upstream.address)).await;
    for (model, status) in [("fine", 200), ("broken", 500), ("garbage", 502)] {
        let answer = gateway.chat(chat(&format!("scripted/{model}"))).await;
        assert_eq!(answer.status, status);
        assert_eq!(answer.header("x-provider-used"), Some("scripted"));
        assert_eq!(answer.header("x-provider-type"), Some("openai-compatible"));
        assert_eq!(answer.header("x-model-used"), Some(model));
        assert_eq!(answer.header("x-fallback-used"), Some("false"));
        assert_eq!(answer.header("x-attempt-count"), Some("1"));
        assert_eq!(answer.header("x-gateway-request-id"), Some(answer.request_id()));
    }
}

#[tokio::test]
async fn an_answer_that_asked_nobody_says_so() {
    let gateway = Gateway::start(&scripted("127.0.0.1:9".parse().unwrap())).await;
    let answer = gateway.chat("not json").await;
    answer.assert_error(400, "invalid_json");
    assert_eq!(answer.header("x-attempt-count"), Some("0"));
    assert_eq!(answer.header("x-provider-used"), None);
}

#[tokio::test]
async fn request_ids_differ_and_are_in_the_answers_of_streams_too() {
    let gateway = Gateway::start(&scripted("127.0.0.1:9".parse().unwrap())).await;
    let one = gateway.chat(streamed_chat("sandbox/echo")).await;
    let two = gateway.chat(chat("sandbox/echo")).await;
    assert_eq!((one.status, two.status), (200, 200));
    assert_ne!(one.request_id(), two.request_id());
    for answer in [&one, &two] {
        let record = gateway.record(answer.request_id()).await;
        assert_eq!((&record["provider"], &record["model_used"]), (&"sandbox".into(), &"echo".into()), "{record}");
        assert_eq!(record["outcome"], "completed");
    }
}
