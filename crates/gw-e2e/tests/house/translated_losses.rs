//! What a translated request cannot say, and where its model's name goes.

use serde_json::{Value, json};

use crate::harness::CLIENT_KEY;
use crate::translated::{Format, HELLO, House, pairs, strangers};
use crate::translated_vendors::Vendor;

#[tokio::test]
async fn what_a_provider_cannot_be_told_is_named_in_headers() {
    let house = House::start(Vendor::Anthropic).await;
    let model = house.model();
    let dropped = async |format: Format, members: Value| {
        let mut body = format.body(&model, false, "x");
        body.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
        let answer = house.gateway.post(&format.path(&model, false), body.to_string()).await;
        assert_eq!(answer.status, 200, "{format:?}: {}", answer.text());
        let warnings = answer.header("x-gateway-warnings").unwrap_or_default().to_owned();
        (answer.header("x-gateway-dropped-params").unwrap_or_default().to_owned(), warnings)
    };
    let sampling = json!({"frequency_penalty": 0.5, "logit_bias": {"50256": -100}, "seed": 7});
    let (names, warnings) = dropped(Format::Chat, sampling).await;
    for name in ["frequency_penalty", "logit_bias", "seed"] {
        assert!(names.split(", ").any(|dropped| dropped == name), "{name}: {names}");
        assert!(warnings.contains(&format!("{name}: ")), "{name}: {warnings}");
    }
    assert!(!house.last_request().text().contains("penalty"), "{}", house.last_request().text());

    let (names, _) = dropped(Format::Responses, json!({"truncation": "auto"})).await;
    assert_eq!(names, "truncation");
    let config = json!({"generationConfig": {"seed": 7, "frequencyPenalty": 0.5}});
    let (names, _) = dropped(Format::Gemini, config).await;
    assert!(names.contains("seed") && names.contains("frequency_penalty"), "{names}");
    let nothing = ("".to_owned(), "".to_owned());
    assert_eq!(dropped(Format::Chat, json!({"temperature": 0.5})).await, nothing);
}

#[tokio::test]
async fn a_member_that_nobody_knows_is_not_sent_in_another_format() {
    for (format, vendor) in strangers() {
        let house = House::start(vendor).await;
        let model = house.model();
        let mut body = format.body(&model, false, "x");
        body["unheardof"] = json!({"a": 1});
        let answer = house.gateway.post(&format.path(&model, false), body.to_string()).await;
        assert_eq!(answer.status, 200, "{format:?} to {vendor:?}: {}", answer.text());
        assert_eq!(answer.header("x-gateway-dropped-params"), Some("unheardof"), "{format:?} to {vendor:?}");
        assert!(!house.last_request().text().contains("unheardof"));
    }
}

#[tokio::test]
async fn a_member_of_a_message_that_nobody_knows_is_told_of() {
    let mut silent = Vec::new();
    for (format, vendor) in strangers() {
        let house = House::start(vendor).await;
        let model = house.model();
        let mut body = format.body(&model, false, "x");
        let list = ["messages", "input", "contents"].into_iter().find(|list| body.get(list).is_some()).unwrap();
        body[list][0]["unheardof"] = 7.into();
        let answer = house.gateway.post(&format.path(&model, false), body.to_string()).await;
        assert_eq!(answer.status, 200, "{format:?} to {vendor:?}: {}", answer.text());
        assert!(!house.last_request().text().contains("unheardof"), "{format:?} to {vendor:?}");
        if answer.header("x-gateway-dropped-params") != Some("messages[].unheardof") {
            silent.push(format!("{format:?} to {vendor:?}"));
        }
        let record = house.gateway.record(answer.request_id()).await;
        assert_eq!(record["losses"], json!(["dropped messages[].unheardof"]), "{record}");
    }
    assert!(silent.is_empty(), "{silent:#?}");
}

#[tokio::test]
async fn what_changes_no_answer_is_told_apart_from_what_does() {
    let house = House::start(Vendor::Gemini).await;
    let model = house.model();
    let mut body = Format::Chat.body(&model, false, "x");
    body.as_object_mut().unwrap().extend(
        json!({"prompt_cache_key": "k", "logit_bias": {"1": 1}, "tool_choice": "auto"}).as_object().unwrap().clone(),
    );
    let answer = house.gateway.post("/v1/chat/completions", body.to_string()).await;
    let warnings = answer.header("x-gateway-warnings").unwrap_or_default();
    assert!(warnings.contains("ignored prompt_cache_key: ") && warnings.contains("dropped logit_bias: "), "{warnings}");
    let names = answer.header("x-gateway-dropped-params").unwrap_or_default();
    assert!(names.contains("prompt_cache_key") && names.contains("logit_bias"), "{names}");
}

#[tokio::test]
async fn azures_clients_name_the_model_in_the_path() {
    let house = House::start(Vendor::Anthropic).await;
    // A deployment is one part of the path.
    let path = "/openai/deployments/house%2Fclaude-sonnet-4-5/chat/completions?api-version=2026-06-01";
    let messages = r#""messages":[{"role":"user","content":"Say hello."}]"#;
    // Some write the model into the body too; the path is what counts.
    for body in [format!("{{{messages}}}"), format!(r#"{{"model":"gpt-4o",{messages}}}"#)] {
        let answer = house.gateway.post_with(path, &[("api-key", CLIENT_KEY)], body).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert_eq!(Format::Chat.read(&answer.json()), Format::Chat.whole(HELLO));
        let request = house.last_request();
        assert_eq!(request.json()["model"], "claude-sonnet-4-5");
        assert!(!request.head.raw.contains(CLIENT_KEY) && request.head.get("api-key").is_none());
    }
}

#[tokio::test]
async fn a_model_in_geminis_path_may_hold_slashes_and_colons() {
    for (vendor, model, upstream) in [
        (Vendor::Compatible, "house/org/model:free", "org/model:free"),
        (Vendor::Compatible, "house%2Forg%2Fmodel%3Afree", "org/model:free"),
        (Vendor::Anthropic, "house/claude:1:2", "claude:1:2"),
        (Vendor::Bedrock, "house/us.amazon.nova-pro-v1:0", "/model/us.amazon.nova-pro-v1%3A0/converse"),
        (Vendor::Gemini, "house/tunedModels/mine", "/v1beta/tunedModels/mine:generateContent"),
        (Vendor::Gemini, "house/gemini-3-pro", "/v1beta/models/gemini-3-pro:generateContent"),
    ] {
        let house = House::start(vendor).await;
        let body = Format::Gemini.body(model, false, "Say hello.").to_string();
        let answer = house.gateway.post(&Format::Gemini.path(model, false), body).await;
        assert_eq!(answer.status, 200, "{model} at {vendor:?}: {}", answer.text());
        assert_eq!(Format::Gemini.read(&answer.json()).text, HELLO);
        let request = house.last_request();
        match vendor {
            Vendor::Anthropic | Vendor::OpenAi | Vendor::Compatible => assert_eq!(request.json()["model"], upstream),
            Vendor::Gemini | Vendor::Bedrock => {
                assert_eq!(request.head.first_line, format!("POST {upstream} HTTP/1.1"), "{model}");
            }
        }
    }
}

#[tokio::test]
async fn a_provider_speaks_its_own_models_name_and_never_the_gateways() {
    for (format, vendor) in pairs() {
        let house = House::start(vendor).await;
        house.ask(format, false).await;
        let request = house.last_request();
        assert!(!request.head.first_line.contains("house") && !request.text().contains("house/"), "{}", request.text());
    }
}
