//! Routes that choose the model by what is asked: who is asked, who follows a failure, and what is told of it.

use serde_json::{Value, json};

use crate::harness::{CHAT_ANSWER, Gateway, Launch, Upstream, config, http_answer, json_answer, provider};

const SMALL: &str = "gpt-4o-mini";
const STANDARD: &str = "gpt-4.1-mini";
const FLAGSHIP: &str = "gpt-6-sol";

const TALK: &str = "Hi there!";
const CODE: &str = "Refactor this function: ```fn main() {}```";
const PROOF: &str = "次の命題を証明してください";

async fn well() -> Upstream {
    Upstream::always(json_answer(CHAT_ANSWER)).await
}

/// One provider with a model of each tier and one of which nothing is known, and these routes.
fn three(upstream: &Upstream, routes: &str) -> String {
    let models = format!(", models: [{FLAGSHIP}, mystery, {SMALL}, {STANDARD}]");
    config(&format!("providers:\n{}routes:\n{routes}", provider("first", upstream.address, &models)))
        .replace("type: openai-compatible", "type: openai")
}

const AUTO: &str = "- { name: auto, strategy: auto, allowed_models: [\"*\"] }\n";

/// A request to a model with these members besides.
fn asking(model: &str, text: &str, more: &Value) -> String {
    let mut body = json!({ "model": model, "messages": [{ "role": "user", "content": text }] });
    body.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap_or_default());
    body.to_string()
}

/// Which model answers.
async fn used(gateway: &Gateway, text: &str, more: &Value) -> String {
    let answer = gateway.chat(asking("auto", text, more)).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.header("x-model-used").unwrap().to_owned()
}

#[tokio::test]
async fn the_model_is_chosen_by_what_is_asked() {
    let upstream = well().await;
    let gateway = Gateway::start(&three(&upstream, AUTO)).await;
    for (text, model, class) in [(TALK, SMALL, "talk"), (CODE, STANDARD, "code"), (PROOF, FLAGSHIP, "reasoning")] {
        let debug = [("x-gateway-debug", "attempts")];
        let answer = gateway.post_with("/v1/chat/completions", &debug, asking("auto", text, &json!({}))).await;
        let told = (answer.header("x-model-used"), answer.header("x-gateway-class"));
        assert_eq!(told, (Some(model), Some(class)), "{text}");
        let sent: Value = serde_json::from_slice(&upstream.requests().last().unwrap().body).unwrap();
        assert_eq!(sent["model"], model);
    }
    let plain = gateway.chat(asking("auto", TALK, &json!({}))).await;
    assert_eq!(plain.header("x-gateway-class"), None, "nobody asked for it");
    let named =
        gateway.post_with("/v1/chat/completions", &[("x-gateway-debug", "attempts")], asking(SMALL, CODE, &json!({})));
    assert_eq!(named.await.header("x-gateway-class"), None, "nothing was chosen");
}

#[tokio::test]
async fn a_conversation_stays_with_its_model_whatever_is_said_later() {
    let upstream = well().await;
    let gateway = Gateway::start(&three(&upstream, AUTO)).await;
    let turns = [("user", CODE), ("assistant", "Done."), ("user", "Thanks!")];
    let messages: Vec<_> = turns.iter().map(|(role, text)| json!({ "role": role, "content": text })).collect();
    let answer = gateway.chat(json!({ "model": "auto", "messages": messages }).to_string()).await;
    assert_eq!(answer.header("x-model-used"), Some(STANDARD));
    // In another format it is the same conversation.
    let message = json!({ "model": "auto", "max_tokens": 64, "messages": messages }).to_string();
    let plan = gateway.post("/gateway/plan?path=/v1/messages", message).await.json();
    assert_eq!((&plan["auto"]["class"], &plan["attempts"][0]["model"]), (&json!("code"), &json!(STANDARD)), "{plan}");
}

#[tokio::test]
async fn the_next_best_follows_a_failure() {
    let broken = Upstream::always(http_answer(503, &[("content-type", "application/json")], "{}")).await;
    let second = well().await;
    let text = config(&format!(
        "providers:\n{}{}routes:\n- name: openrouter/auto\n  strategy: {{ mode: auto, cost_quality_tradeoff: 10 }}\n  \
         targets:\n  - {{ provider: second, model: {FLAGSHIP} }}\n  - {{ provider: first, model: {STANDARD} }}\n  - {{ \
         provider: second, model: own, tier: small }}\nrouting: {{ retry_attempts: 0 }}\n",
        provider("first", broken.address, ""),
        provider("second", second.address, ""),
    ))
    .replace("type: openai-compatible", "type: openai");
    let gateway = Gateway::start(&text).await;
    let answer = gateway.chat(asking("openrouter/auto", CODE, &json!({}))).await;
    let told = |name: &str| answer.header(name).map(str::to_owned);
    assert_eq!((answer.status, told("x-model-used").as_deref()), (200, Some(FLAGSHIP)), "the standard one has failed");
    assert_eq!((told("x-attempt-count").as_deref(), told("x-fallback-used").as_deref()), (Some("2"), Some("true")));
    let plan = gateway.post("/gateway/plan", asking("openrouter/auto", CODE, &json!({}))).await.json();
    let models: Vec<_> =
        plan["attempts"].as_array().unwrap().iter().map(|one| one["model"].as_str().unwrap()).collect();
    assert_eq!(models, [STANDARD, FLAGSHIP, "own"], "a tier that the operator wrote counts: {plan}");
}

#[tokio::test]
async fn the_plan_tells_the_class_and_who_cannot() {
    let upstream = well().await;
    let gateway = Gateway::start(&three(&upstream, AUTO)).await;
    let plan = gateway.post("/gateway/plan", asking("auto", CODE, &json!({}))).await.json();
    let auto = &plan["auto"];
    assert_eq!((&auto["class"], &auto["tier"], &auto["needs"]), (&json!("code"), &json!("standard"), &json!([])));
    assert_eq!(
        plan["attempts"][0]["why"],
        "its model suits the class code best, which wants one that is standard or better"
    );
    let order: Vec<_> = plan["attempts"].as_array().unwrap().iter().map(|one| one["model"].as_str().unwrap()).collect();
    assert_eq!(order, [STANDARD, FLAGSHIP, "mystery", SMALL], "what is unknown stands between");
    let long = asking("auto", TALK, &json!({ "max_tokens": 100_000 }));
    let plan = gateway.post("/gateway/plan", long.clone()).await.json();
    let left: Vec<_> = plan["left_out"].as_array().unwrap().iter().map(|one| (&one["model"], &one["why"])).collect();
    let why = json!("its model does not write answers as long as the request allows");
    assert!(left.contains(&(&json!(SMALL), &why)), "{plan}");
    assert_eq!(gateway.chat(long).await.header("x-model-used"), Some(FLAGSHIP));
}

#[tokio::test]
async fn a_request_narrows_what_the_operator_allows_and_no_more() {
    let upstream = well().await;
    let text = three(&upstream, "- { name: auto, strategy: auto, allowed_models: [\"gpt-4*\"] }\n");
    let gateway = Gateway::start(&text).await;
    let plugin = |more: Value| {
        let mut plugin = json!({ "id": "auto-router" });
        plugin.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap());
        json!({ "plugins": [plugin] })
    };
    assert_eq!(used(&gateway, PROOF, &json!({})).await, STANDARD, "the flagship is not allowed");
    assert_eq!(used(&gateway, CODE, &plugin(json!({ "allowed_models": ["openai/gpt-4o*", "x"] }))).await, SMALL);
    assert_eq!(used(&gateway, TALK, &plugin(json!({ "excluded_models": ["*4o*"] }))).await, STANDARD);
    assert_eq!(used(&gateway, TALK, &plugin(json!({ "cost_quality_tradeoff": 0 }))).await, STANDARD);
    assert_eq!(
        used(&gateway, TALK, &json!({ "plugins": [{ "id": "pareto-router", "min_coding_score": 0.4 }] })).await,
        STANDARD
    );
    let sent = String::from_utf8_lossy(&upstream.requests().last().unwrap().body).into_owned();
    assert!(!sent.contains("plugins"), "{sent}");

    let header = [("cf-aig-allowed-models", "gpt-4.1-*")];
    let answer = gateway.post_with("/v1/chat/completions", &header, asking("auto", TALK, &json!({}))).await;
    assert_eq!(answer.header("x-model-used"), Some(STANDARD));
}

#[tokio::test]
async fn whatever_leaves_no_model_is_named_by_its_place() {
    let upstream = well().await;
    let gateway = Gateway::start(&three(&upstream, AUTO)).await;
    let router = |member: &str, pattern: &str| json!({ "id": "auto-router", member: [pattern] });
    let (models, providers) = ("cf-aig-allowed-models", "cf-aig-allowed-providers");
    for (header, plugins, place) in [
        (None, vec![router("allowed_models", "claude-*")], "`plugins[0].allowed_models` leaves"),
        (Some((models, "claude-*")), vec![], "`cf-aig-allowed-models` leaves"),
        (Some((providers, "nosuch")), vec![], "`cf-aig-allowed-providers` leaves"),
        (Some((models, "gpt-4*")), vec![router("excluded_models", "*")], "`plugins[0].excluded_models` leaves"),
        (None, vec![router("allowed_models", "gpt-*"), router("allowed_models", "x")], "`plugins[1].allowed_models`"),
        (
            Some((models, "gpt-4o-*")),
            vec![router("allowed_models", "gpt-6*")],
            "`plugins[0].allowed_models` leaves none of the models that the route, and what the request says before it,",
        ),
    ] {
        let body = asking("auto", TALK, &json!({ "plugins": plugins }));
        let answer = gateway.post_with("/v1/chat/completions", header.as_slice(), body).await;
        answer.assert_error(400, "invalid_request");
        assert!(answer.text().contains(place), "{place}: {}", answer.text());
    }
    assert!(upstream.requests().is_empty());
}

#[tokio::test]
async fn what_counts_after_something_else_is_told() {
    let upstream = well().await;
    let gateway = Gateway::start(&three(&upstream, AUTO)).await;
    let both = json!({ "plugins": [{ "id": "auto-router", "cost_tier": "low", "cost_quality_tradeoff": 0 }] });
    let answer = gateway.chat(asking("auto", TALK, &both)).await;
    let told = (answer.header("x-model-used"), answer.header("x-gateway-dropped-params"));
    assert_eq!(told, (Some(SMALL), Some("plugins[0].cost_quality_tradeoff")));
}

#[tokio::test]
async fn what_the_operator_writes_is_the_least_thrift() {
    let upstream = well().await;
    let auto = "- { name: auto, strategy: { mode: auto, cost_quality_tradeoff: 10 }, allowed_models: [\"*\"] }\n";
    let gateway = Gateway::start(&three(&upstream, auto)).await;
    let dear = json!({ "plugins": [{ "id": "auto-router", "cost_tier": "max" }] });
    assert_eq!(used(&gateway, TALK, &dear).await, SMALL);
}

#[tokio::test]
async fn a_route_that_chooses_is_listed_and_is_for_conversations() {
    let upstream = well().await;
    let gateway = Gateway::start(&three(&upstream, AUTO)).await;
    let models = gateway.get("/v1/models").await.json();
    let auto = models["data"].as_array().unwrap().iter().find(|model| model["id"] == "auto");
    assert_eq!(auto.unwrap()["owned_by"], "gateway", "{models}");
    let embeddings = gateway.post("/v1/embeddings", r#"{"model":"auto","input":"a"}"#.to_owned()).await;
    embeddings.assert_error(400, "invalid_request");
    for (path, members) in [
        ("/v1/images/generations", json!({ "prompt": "a" })),
        ("/v1/audio/speech", json!({ "input": "a", "voice": "alloy" })),
        ("/v1/videos", json!({ "prompt": "a" })),
        ("/v1/moderations", json!({ "input": "a" })),
    ] {
        let mut body = members;
        body["model"] = json!("auto");
        let answer = gateway.post(path, body.to_string()).await;
        answer.assert_error(400, "invalid_request");
        assert!(answer.text().contains("chooses a model for a conversation"), "{path}: {}", answer.text());
    }
    assert!(upstream.requests().is_empty());
}

const COMPLETION: &str = r#"{"id":"c","object":"text_completion","created":1,"model":"m","choices":[{"text":"b","index":0,"finish_reason":"stop","logprobs":null}],"usage":{"prompt_tokens":1,"completion_tokens":1,"total_tokens":2}}"#;

#[tokio::test]
async fn a_text_is_completed_by_a_model_that_is_known_to_complete_texts_or_by_none() {
    let upstream = Upstream::always(json_answer(COMPLETION)).await;
    let gateway = Gateway::start(&three(&upstream, AUTO)).await;
    let body = r#"{"model":"auto","prompt":"a"}"#;
    let refused = gateway.post("/v1/completions", body.to_owned()).await;
    refused.assert_error(400, "invalid_request");
    assert!(refused.text().contains("not known to complete texts"), "{}", refused.text());
    assert!(upstream.requests().is_empty());

    for routes in [
        format!(
            "- name: auto\n  strategy: auto\n  targets:\n  - {{ provider: first, model: {SMALL} }}\n  - {{ provider: \
             first, model: gpt-3.5-turbo-instruct-0914 }}\n"
        ),
        AUTO.to_owned(),
    ] {
        let text = three(&upstream, &routes).replace("mystery", "gpt-3.5-turbo-instruct-0914");
        let gateway = Gateway::start(&text).await;
        let answer = gateway.post("/v1/completions", body.to_owned()).await;
        assert_eq!((answer.status, answer.header("x-model-used")), (200, Some("gpt-3.5-turbo-instruct-0914")));
        let plan = gateway.post("/gateway/plan", asking("auto", TALK, &json!({}))).await.json();
        let left: Vec<_> = plan["left_out"].as_array().unwrap().iter().map(|one| &one["why"]).collect();
        assert_eq!(left, ["its model does not hold conversations"], "{plan}");
        let long = gateway.chat(asking("auto", TALK, &json!({ "max_tokens": 10_000_000 }))).await;
        assert!(long.text().contains("does not write answers as long"), "{}", long.text());
    }
}

/// What `check` says of a configuration.
async fn checked(text: &str) -> String {
    let finished = Launch::with(text).argument("check").finish().await;
    finished.out + &finished.log
}

#[tokio::test]
async fn patterns_that_match_nothing_are_told_before_anybody_is_served() {
    let upstream = well().await;
    let text = three(&upstream, "- { name: auto, strategy: auto, allowed_models: [\"claude-*\"] }\n");
    let told = checked(&text).await;
    assert!(told.contains("no model of a configured provider matches \"allowed_models\" of route \"auto\""), "{told}");
    let text = three(&upstream, "- { name: auto, strategy: auto, allowed_models: [\"claude-*\", \"gpt-*\"] }\n");
    let told = checked(&text).await;
    assert!(told.contains("\"claude-*\" matches no model that could be asked"), "{told}");
}

#[tokio::test]
async fn a_target_that_holds_no_conversations_is_a_mistake_of_the_configuration() {
    let upstream = well().await;
    let route =
        |model: &str| format!("- {{ name: auto, strategy: auto, targets: [{{ provider: first, model: {model} }}] }}\n");
    for model in ["text-embedding-3-small", "whisper-1", "tts-1"] {
        let told = checked(&three(&upstream, &route(model)).replace("mystery", model)).await;
        let mistake = format!("a target of route \"auto\" names \"{model}\", which holds no conversations");
        assert!(told.contains(&mistake), "{told}");
    }
    let told = checked(&three(&upstream, &route("mystery"))).await;
    assert!(!told.contains("holds no conversations"), "of it nothing is known: {told}");
}
