//! `MODEL:online` and OpenRouter's `web` plugin: whoever can search the web is asked for it in its own words, its sources
//! come back as OpenRouter tells them, and whoever cannot is not asked.

use serde_json::{Value, json};

use crate::harness::{CHAT_ANSWER, Gateway, PROVIDER_KEY, Upstream, chat, config, http_answer, json_answer, provider};

const CLAUDE: &str = r#"{"id":"msg_1","type":"message","role":"assistant","model":"claude-sonnet-4-5","content":[
    {"type":"server_tool_use","id":"srvtoolu_1","name":"web_search","input":{"query":"news"}},
    {"type":"web_search_tool_result","tool_use_id":"srvtoolu_1","content":[{"type":"web_search_result","url":"https://news.example/1","title":"News","encrypted_content":"x","page_age":null}]},
    {"type":"text","text":"Rain.","citations":[{"type":"web_search_result_location","url":"https://news.example/1","title":"News","cited_text":"It rains.","encrypted_index":"e"}]}],
    "stop_reason":"end_turn","stop_sequence":null,"usage":{"input_tokens":3,"output_tokens":5,"server_tool_use":{"web_search_requests":1}}}"#;
const GEMINI: &str = r#"{"responseId":"r","modelVersion":"gemini-2.5-flash","candidates":[{"content":{"role":"model","parts":[{"text":"Rain."}]},"finishReason":"STOP",
    "groundingMetadata":{"webSearchQueries":["news"],"groundingChunks":[{"web":{"uri":"https://news.example/1","title":"News"}}],
    "groundingSupports":[{"segment":{"startIndex":0,"endIndex":5,"text":"Rain."},"groundingChunkIndices":[0]}]}}],
    "usageMetadata":{"promptTokenCount":3,"candidatesTokenCount":5,"totalTokenCount":8}}"#;
const RESPONSES: &str = r#"{"id":"resp_1","object":"response","created_at":1,"status":"completed","model":"gpt-5","output":[
    {"id":"ws_1","type":"web_search_call","status":"completed","action":{"type":"search","query":"news"}},
    {"id":"msg_1","type":"message","role":"assistant","status":"completed","content":[{"type":"output_text","text":"Rain.",
    "annotations":[{"type":"url_citation","url":"https://news.example/1","title":"News","start_index":0,"end_index":5}]}]}],
    "usage":{"input_tokens":3,"output_tokens":5,"total_tokens":8}}"#;
/// The plugin with everything that more than one vendor has.
const PLUGIN: &str = r#"{"id":"web","include_domains":["news.example"],"max_uses":2,
    "user_location":{"type":"approximate","city":"Kyoto"},"max_results":3,"engine":"exa"}"#;

/// A provider of that type that serves `model`.
fn of_type(kind: &str, upstream: &Upstream, version: &str, model: &str) -> String {
    format!(
        "  - {{ name: {kind}, type: {kind}, endpoint: \"http://{}{version}\", api_key: {PROVIDER_KEY}, proxy: direct, models: [{model}] }}\n",
        upstream.address
    )
}

async fn answering(body: &str) -> Upstream {
    Upstream::always(json_answer(body)).await
}

fn with(model: &str, members: &str) -> String {
    format!(r#"{{"model":"{model}",{members}"messages":[{{"role":"user","content":"news?"}}]}}"#)
}

/// What an answer tells of its sources.
fn sources(answer: &Value) -> Vec<&str> {
    let told = answer["choices"][0]["message"]["annotations"].as_array();
    let urls = told.into_iter().flatten().filter_map(|one| one["url_citation"]["url"].as_str());
    urls.collect()
}

#[tokio::test]
async fn each_vendor_is_asked_in_its_own_words_and_its_sources_come_back_as_annotations() {
    let (claude, gemini, openai) = (answering(CLAUDE).await, answering(GEMINI).await, answering(RESPONSES).await);
    let grok = answering(&RESPONSES.replace("gpt-5", "grok-4.5")).await;
    let gateway = Gateway::start(&config(&format!(
        "providers:\n{}{}{}{}",
        of_type("anthropic", &claude, "/v1", "claude-sonnet-4-5-20250929"),
        of_type("gemini", &gemini, "/v1beta", "gemini-2.5-flash"),
        of_type("openai", &openai, "/v1", "gpt-5"),
        of_type("xai", &grok, "/v1", "grok-4.5"),
    )))
    .await;
    let cases = [
        (
            "claude-sonnet-4-5-20250929",
            &claude,
            "/v1/messages",
            json!([{"type": "web_search_20250305", "name": "web_search"}]),
        ),
        ("gemini-2.5-flash", &gemini, "/v1beta/models/gemini-2.5-flash:generateContent", json!([{"googleSearch": {}}])),
        ("gpt-5", &openai, "/v1/responses", json!([{"type": "web_search"}])),
        ("grok-4.5", &grok, "/v1/responses", json!([{"type": "web_search"}])),
    ];
    for (model, upstream, path, tools) in cases {
        let answer = gateway.chat(chat(&format!("{model}:online"))).await;
        assert_eq!(answer.status, 200, "{model}: {}", answer.text());
        assert_eq!(answer.header("x-gateway-dropped-params"), None, "{model}");
        assert_eq!(answer.json()["choices"][0]["message"]["content"], "Rain.", "{model}");
        assert_eq!(answer.json()["choices"][0]["finish_reason"], "stop", "{model}: no call for the application");
        assert_eq!(sources(&answer.json()), ["https://news.example/1"], "{model}: {}", answer.text());
        let asked = upstream.only_request();
        assert_eq!(asked.head.first_line, format!("POST {path} HTTP/1.1"), "{model}");
        assert_eq!(asked.json()["tools"], tools, "{model}");
        assert!(!asked.text().contains(":online"), "{model}: {}", asked.text());
    }
}

#[tokio::test]
async fn a_stream_is_searched_for_too_and_a_client_of_another_format_may_ask() {
    let event = r#"{"candidates":[{"content":{"role":"model","parts":[{"text":"Rain."}]},"finishReason":"STOP","groundingMetadata":{"groundingChunks":[{"web":{"uri":"https://news.example/1","title":"News"}}],"groundingSupports":[{"segment":{"endIndex":5,"text":"Rain."},"groundingChunkIndices":[0]}]}}],"usageMetadata":{"promptTokenCount":3,"candidatesTokenCount":5}}"#;
    let stream = http_answer(200, &[("content-type", "text/event-stream")], format!("data: {event}\r\n\r\n"));
    let gemini = Upstream::always(stream).await;
    let gateway =
        Gateway::start(&config(&format!("providers:\n{}", of_type("gemini", &gemini, "/v1beta", "gemini-2.5-flash"))))
            .await;
    let answer = gateway.chat(with("gemini-2.5-flash:online", r#""stream":true,"#)).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert!(answer.text().contains(r#""url":"https://news.example/1""#), "{}", answer.text());
    let own = r#"{"model":"gemini-2.5-flash:online","max_tokens":9,"stream":true,"messages":[{"role":"user","content":"news?"}]}"#;
    let answer = gateway.post("/v1/messages", own).await;
    assert!(answer.text().contains("https://news.example/1"), "{}", answer.text());
    let path = "/v1beta/models/gemini-2.5-flash:online:streamGenerateContent?alt=sse";
    let answer = gateway.post(path, r#"{"contents":[{"role":"user","parts":[{"text":"news?"}]}]}"#).await;
    assert!(answer.text().contains("https://news.example/1"), "{}", answer.text());
    assert_eq!(gemini.requests().len(), 3);
    for asked in gemini.requests() {
        assert_eq!(asked.json()["tools"], json!([{"googleSearch": {}}]));
    }
}

#[tokio::test]
async fn the_plugin_says_what_the_search_is_to_keep_to_and_what_nobody_else_can_do_is_told() {
    let (claude, openai) = (answering(CLAUDE).await, answering(RESPONSES).await);
    let gateway = Gateway::start(&config(&format!(
        "providers:\n{}{}",
        of_type("anthropic", &claude, "/v1", "claude-sonnet-4-5-20250929"),
        of_type("openai", &openai, "/v1", "gpt-5"),
    )))
    .await;
    let plugins = format!(r#""plugins":[{PLUGIN}],"#);
    let answer = gateway.chat(with("claude-sonnet-4-5-20250929", &plugins)).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.header("x-gateway-dropped-params"), Some("plugins.engine, plugins.max_results"));
    let place = json!({"type": "approximate", "city": "Kyoto"});
    assert_eq!(
        claude.only_request().json()["tools"],
        json!([{"type": "web_search_20250305", "name": "web_search", "user_location": place,
            "allowed_domains": ["news.example"], "max_uses": 2}])
    );
    assert!(!claude.only_request().text().contains("plugins"));

    let answer = gateway.chat(with("gpt-5", &plugins)).await;
    let told = answer.header("x-gateway-dropped-params").unwrap_or_default();
    assert!(told.contains("tools[].web_search.max_uses"), "{told}");
    assert_eq!(
        openai.only_request().json()["tools"],
        json!([{"type": "web_search", "user_location": place, "filters": {"allowed_domains": ["news.example"]}}])
    );

    let off = r#""plugins":[{"id":"web","enabled":false}],"#;
    gateway.chat(with("claude-sonnet-4-5-20250929", off)).await;
    assert_eq!(claude.requests()[1].json().get("tools"), None, "a plugin that is off is no wish");
    for wrong in [
        r#""plugins":["web"],"#,
        r#""plugins":"web","#,
        r#""plugins":{},"#,
        r#""plugins":7,"#,
        r#""plugins":[{"id":"web","max_uses":"two"}],"#,
        r#""plugins":[{"id":"web","user_location":{"country":5}}],"#,
    ] {
        gateway.chat(with("gpt-5", wrong)).await.assert_error(400, "invalid_request");
    }
}

#[tokio::test]
async fn who_cannot_search_is_not_asked_and_the_plan_and_the_error_say_why() {
    let (plain, vouched, claude) =
        (answering(CHAT_ANSWER).await, answering(CHAT_ANSWER).await, answering(CLAUDE).await);
    let gateway = Gateway::start(&config(&format!(
        "providers:\n{}{}{}",
        provider("plain", plain.address, ", models: [m, only-plain]"),
        provider("vouched", vouched.address, ", models: [m], priority: 1, assurances: [web_search]"),
        of_type("anthropic", &claude, "/v1", "m"),
    )))
    .await;
    let answer = gateway.chat(chat("m:online")).await;
    assert_eq!((answer.status, answer.header("x-provider-used")), (200, Some("vouched")), "{}", answer.text());
    assert_eq!(vouched.only_request().json()["web_search_options"], json!({}));
    let plan = gateway.post("/gateway/plan", chat("m:online")).await.json();
    let why = "it is not known to search the web with this model; if it does, say so in its assurances: [web_search]";
    let out: Vec<_> = plan["left_out"].as_array().unwrap().iter().map(|one| (&one["provider"], &one["why"])).collect();
    assert!(
        out.contains(&(&json!("plain"), &json!(why))) && out.contains(&(&json!("anthropic"), &json!(why))),
        "{plan}"
    );

    let answer = gateway.chat(chat("only-plain:online")).await;
    answer.assert_error(400, "unsupported_parameter");
    assert!(
        answer.text().contains("nobody who serves the model can") && answer.text().contains("plain"),
        "{}",
        answer.text()
    );
    assert_eq!(plain.requests().len(), 0);
    let answer = gateway.post("/v1/embeddings", r#"{"model":"m:online","input":"a"}"#).await;
    answer.assert_error(400, "unsupported_parameter");
}

#[tokio::test]
async fn openrouter_is_told_in_its_own_words_wherever_the_name_leads_to_it() {
    let (router, claude) = (answering(CHAT_ANSWER).await, answering(CLAUDE).await);
    let text = format!(
        "providers:\n  - {{ name: router, type: openrouter, endpoint: \"http://{}/v1\", api_key: {PROVIDER_KEY}, proxy: direct }}\n{}\
         routes:\n  - {{ name: smart, targets: [{{ provider: router, model: a/b }}] }}\n  - {{ name: both, targets: [{{ provider: \
         router, model: a/b }}, {{ provider: anthropic, model: claude-sonnet-4-5-20250929 }}] }}\n",
        router.address,
        of_type("anthropic", &claude, "/v1", "claude-sonnet-4-5-20250929"),
    );
    let gateway = Gateway::start(&config(&text)).await;
    let plugins = format!(r#""plugins":[{PLUGIN},{{"id":"moderation"}}],"#);
    let cases = [
        (with("router/a/b:online", ""), "a/b:online"),
        (with("a/b:free:online", ""), "a/b:free:online"),
        (with("a/b:thinking", ""), "a/b:thinking"),
        (with("smart:online", ""), "a/b:online"),
        (with("smart:nitro", ""), "a/b:nitro"),
        (with("smart:free", ""), "a/b:free"),
        (with("smart:extended", ""), "a/b:extended"),
        (with("both:thinking", ""), "a/b:thinking"),
        (with("both:free", ""), "a/b:free"),
        (with("both:online", ""), "a/b:online"),
        (with("smart", &plugins), "a/b"),
        (with("both", &plugins), "a/b"),
    ];
    for (number, (body, model)) in cases.into_iter().enumerate() {
        let answer = gateway.chat(body.clone()).await;
        assert_eq!(
            (answer.status, answer.header("x-provider-used")),
            (200, Some("router")),
            "{body}: {}",
            answer.text()
        );
        let asked = router.requests()[number].json();
        assert_eq!(asked["model"], model, "{body}");
        let wanted: Value = serde_json::from_str(&body).unwrap();
        assert_eq!(asked.get("plugins"), wanted.get("plugins"), "{body}");
        assert_eq!(asked.get("tools"), None, "{body}");
    }
    let answer = gateway.chat(with("claude-sonnet-4-5-20250929:thinking", "")).await;
    answer.assert_error(404, "model_not_found");
    assert!(answer.text().contains("reasoning_effort"), "{}", answer.text());
    assert_eq!(claude.requests().len(), 0);
}

#[tokio::test]
async fn the_usual_names_of_models_that_search_are_known_to_as_their_dated_ones_are() {
    let (claude, openai) = (answering(CLAUDE).await, answering(RESPONSES).await);
    let text = format!(
        "providers:\n{}{}",
        of_type("anthropic", &claude, "/v1", "claude-sonnet-4-5, claude-haiku-4-5, claude-opus-4-5"),
        of_type("openai", &openai, "/v1", "gpt-4o-mini, gpt-4.1"),
    );
    let gateway = Gateway::start(&config(&text)).await;
    for model in ["claude-sonnet-4-5", "claude-haiku-4-5", "claude-opus-4-5", "gpt-4o-mini"] {
        let answer = gateway.chat(chat(&format!("{model}:online"))).await;
        assert_eq!(answer.status, 200, "{model}: {}", answer.text());
        assert_eq!(sources(&answer.json()), ["https://news.example/1"], "{model}");
    }
    let asked = claude.requests().len();
    let own = r#"{"model":"claude-sonnet-4-5:online","max_tokens":9,"messages":[{"role":"user","content":"news?"}],
        "tools":[{"type":"web_search_20250305","name":"web_search","max_uses":1}]}"#;
    let answer = gateway.post("/v1/messages", own).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(
        claude.requests()[asked].json()["tools"],
        json!([{"type": "web_search_20250305", "name": "web_search", "max_uses": 1}])
    );
}

#[tokio::test]
async fn warnings_name_what_the_client_wrote_and_say_what_is_so() {
    let (openai, gemini) = (answering(RESPONSES).await, answering(GEMINI).await);
    let text = format!(
        "providers:\n{}{}",
        of_type("openai", &openai, "/v1", "gpt-4.1"),
        of_type("gemini", &gemini, "/v1beta", "gemini-2.5-flash, gemini-3-flash-preview"),
    );
    let gateway = Gateway::start(&config(&text)).await;
    let warned = async |model: &str, members: &str| {
        let answer = gateway.chat(with(model, members)).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.header("x-gateway-warnings").unwrap_or_default().to_owned()
    };
    let told = warned("gpt-4.1:online", r#""web_search_options":{},"#).await;
    assert!(told.contains("web_search_options") && !told.contains("tools[]"), "{told}");
    let told = warned("gpt-4.1", r#""plugins":[{"id":"webb"}],"#).await;
    assert!(told.contains("plugins") && !told.contains("no plugins"), "{told}");
    let told = warned("gpt-4.1", r#""plugins":[{"id":"web","foo":1}],"#).await;
    assert!(told.contains("plugins.foo") && !told.contains("only OpenRouter"), "{told}");

    let functions = r#""tools":[{"type":"function","function":{"name":"f","parameters":{"type":"object"}}}],"#;
    for (model, both) in [("gemini-2.5-flash:online", false), ("gemini-3-flash-preview:online", true)] {
        let asked = gemini.requests().len();
        let told = warned(model, functions).await;
        assert_eq!(told.contains("tools[].web_search"), !both, "{model}: {told}");
        let tools = gemini.requests()[asked].json()["tools"].clone();
        assert_eq!(tools.as_array().map(Vec::len), Some(if both { 2 } else { 1 }), "{model}: {tools}");
    }
}
