//! What OpenRouter's clients ask for beside the operations: models, providers, finished requests, keys. Every answer is
//! held to OpenRouter's own schema.

use serde_json::{Value, json};

use crate::harness::{Answer, CHAT_ANSWER, CLIENT_KEY, Gateway, PROVIDER_KEY, Upstream, chat, config, json_answer};
use crate::specs::{Schema, Specs};

const OTHER_KEY: &str = "sk-gateway-other-0123456789";
const FILE: &str = "openrouter-openapi.json";

async fn house(mode: &str) -> (Upstream, Gateway) {
    let upstream = Upstream::always(json_answer(CHAT_ANSWER)).await;
    let at = format!("endpoint: \"http://{}/v1\", proxy: direct", upstream.address);
    let config = config(&format!(
        "auth: {{ mode: {mode}, keys: [{{ name: app, key: {CLIENT_KEY} }}, {{ name: other, key: {OTHER_KEY} }}] }}\n\
         providers:\n  - {{ name: openai, type: openai, {at}, api_key: {PROVIDER_KEY} }}\n  \
         - {{ name: bare, type: groq, {at} }}\n"
    ));
    (upstream, Gateway::start(&config).await)
}

async fn get(gateway: &Gateway, path: &str, key: &str) -> Answer {
    gateway.get_with(path, &[("authorization", &format!("Bearer {key}"))]).await
}

async fn ask(gateway: &Gateway, model: &str, key: &str) -> Answer {
    let bearer = format!("Bearer {key}");
    gateway.post_with("/api/v1/chat/completions", &[("authorization", &bearer)], chat(model)).await
}

/// An answer as it should be, by the schema of what is asked for.
#[track_caller]
fn valid(answer: &Answer, of: &'static str) -> Value {
    assert_eq!(answer.status, 200, "{}", answer.text());
    let body = answer.json();
    let faults = Specs::find().faults(Schema { file: FILE, pointer: of }, &body);
    // A generation says `null` where nothing is known, and no limit is one.
    assert_eq!(faults, [""; 0], "{body:#}");
    body
}

#[tokio::test]
async fn models_are_listed_filtered_and_counted_as_openrouter_does() {
    const LIST: &str = "#/paths/~1models/get/responses/200/content/application~1json/schema";
    let (_upstream, gateway) = house("required").await;
    let list = async |query: &str| get(&gateway, &format!("/api/v1/models{query}"), CLIENT_KEY).await;
    let all = valid(&list("").await, LIST);
    let models = all["data"].as_array().unwrap();
    let one = models.iter().find(|model| model["id"] == "openai/gpt-4o").unwrap();
    assert_eq!(one["pricing"]["prompt"], "0.0000025");
    assert_eq!(one["architecture"]["modality"], "text+image+file->text");
    assert!(one["supported_parameters"].as_array().unwrap().contains(&json!("tools")));
    assert!(models.iter().all(|model| model["id"] != "openai/text-embedding-3-small"));

    let page = valid(&list("?limit=2&offset=1&sort=context-high-to-low").await, LIST);
    assert_eq!((page["data"].as_array().unwrap().len(), &page["total_count"]), (2, &all["total_count"]));
    assert_eq!(page["links"]["next"], "/api/v1/models?offset=3&limit=2");
    let cheap =
        valid(&list("?max_price=0.2&supported_parameters=tools,response_format&input_modalities=image").await, LIST);
    let cheap = cheap["data"].as_array().unwrap();
    assert!(!cheap.is_empty() && cheap.len() < models.len());
    for model in cheap {
        assert!(model["pricing"]["prompt"].as_str().unwrap().parse::<f64>().unwrap() <= 0.000_000_2, "{model}");
    }
    let embeddings = valid(&get(&gateway, "/api/v1/embeddings/models", CLIENT_KEY).await, LIST);
    assert!(embeddings["data"].as_array().unwrap().iter().any(|model| model["id"] == "openai/text-embedding-3-small"));
    let count = get(&gateway, "/api/v1/models/count", CLIENT_KEY).await;
    let count = valid(&count, "#/components/schemas/ModelsCountResponse");
    assert_eq!(count["data"]["count"], all["total_count"]);
    for query in ["?sort=newest", "?zdr=true", "?supported_parameters=seed", "?limit=x", "?max_price=x"] {
        assert_eq!(list(query).await.status, 400, "{query}");
    }
    assert_eq!(gateway.get("/api/v1/models").await.status, 401);
}

#[tokio::test]
async fn a_model_tells_where_it_is_served_and_providers_are_listed() {
    let (_upstream, gateway) = house("required").await;
    let one = get(&gateway, "/api/v1/model/openai/gpt-4o", CLIENT_KEY).await;
    assert_eq!(valid(&one, "#/components/schemas/ModelResponse")["data"]["id"], "openai/gpt-4o");
    let found = get(&gateway, "/api/v1/models/openai/gpt-4o/endpoints", CLIENT_KEY).await;
    let found = valid(
        &found,
        "#/paths/~1models~1%7Bauthor%7D~1%7Bslug%7D~1endpoints/get/responses/200/content/application~1json/schema",
    );
    let endpoint = &found["data"]["endpoints"][0];
    assert_eq!((&endpoint["tag"], &endpoint["provider_name"]), (&json!("openai"), &json!("OpenAI")));
    assert_eq!((&endpoint["context_length"], &endpoint["uptime_last_1d"]), (&json!(128_000), &Value::Null));
    assert_eq!(get(&gateway, "/api/v1/models/nobody/has-this/endpoints", CLIENT_KEY).await.status, 404);
    let providers = get(&gateway, "/api/v1/providers", CLIENT_KEY).await;
    let providers = valid(&providers, "#/paths/~1providers/get/responses/200/content/application~1json/schema");
    let slugs: Vec<_> = providers["data"].as_array().unwrap().iter().map(|one| &one["slug"]).collect();
    // The one without a credential serves nobody who does not bring one.
    assert!(slugs.contains(&&json!("openai")) && !slugs.contains(&&json!("bare")), "{slugs:?}");
}

#[tokio::test]
async fn a_finished_request_is_told_to_whoever_made_it_by_either_id_and_to_nobody_else() {
    let (_upstream, gateway) = house("required").await;
    let answer = ask(&gateway, "openai/gpt-4o", CLIENT_KEY).await;
    for id in ["chatcmpl-1", answer.request_id()] {
        let path = format!("/api/v1/generation?id={id}");
        let facts = valid(&get(&gateway, &path, CLIENT_KEY).await, "#/components/schemas/GenerationResponse");
        let facts = &facts["data"];
        assert_eq!((&facts["id"], &facts["model"], &facts["streamed"]), (&json!(id), &json!("gpt-4o"), &json!(false)));
        assert_eq!((&facts["native_tokens_prompt"], &facts["tokens_completion"]), (&json!(11), &json!(7)));
        assert_eq!((&facts["total_cost"], &facts["provider_name"]), (&json!(0.000_097_5), &json!("openai")));
        get(&gateway, &path, OTHER_KEY).await.assert_status(404);
    }
    get(&gateway, "/api/v1/generation?id=nothing", CLIENT_KEY).await.assert_status(404);
    get(&gateway, "/api/v1/generation", CLIENT_KEY).await.assert_status(400);
    gateway.get(&format!("/api/v1/generation?id={}", answer.request_id())).await.assert_status(401);
}

#[tokio::test]
async fn who_brings_a_key_of_their_own_sees_what_was_done_with_that_key_alone() {
    let (_upstream, gateway) = house("optional").await;
    let answer = ask(&gateway, "bare/m", "gsk-mine").await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let path = format!("/api/v1/generation?id={}", answer.request_id());
    let facts = get(&gateway, &path, "gsk-mine").await.json();
    assert_eq!((&facts["data"]["is_byok"], &facts["data"]["usage"]), (&json!(true), &json!(0)));
    get(&gateway, &path, "gsk-yours").await.assert_status(404);
    gateway.get(&path).await.assert_status(404);
    assert!(!gateway.everything_written().contains("gsk-"));
}

#[tokio::test]
async fn a_key_tells_what_it_has_used_and_that_it_has_no_limits() {
    let (_upstream, gateway) = house("required").await;
    let answer = ask(&gateway, "openai/gpt-4o", CLIENT_KEY).await;
    let id = answer.request_id();
    get(&gateway, &format!("/api/v1/generation?id={id}"), CLIENT_KEY).await.assert_status(200);
    let of = async |key: &str| {
        let key = get(&gateway, "/api/v1/key", key).await;
        valid(&key, "#/paths/~1key/get/responses/200/content/application~1json/schema")["data"].take()
    };
    let (used, unused) = (of(CLIENT_KEY).await, of(OTHER_KEY).await);
    assert_eq!((&used["label"], &used["limit"], &used["requests"]), (&json!("app"), &Value::Null, &json!(1)));
    for name in ["usage", "usage_daily", "usage_weekly", "usage_monthly"] {
        assert_eq!((&used[name], unused[name].as_f64()), (&json!(0.000_097_5), Some(0.0)), "{name}");
    }
    assert_eq!(used["byok_usage"].as_f64(), Some(0.0));
    let credits = get(&gateway, "/api/v1/credits", CLIENT_KEY).await;
    let credits = valid(&credits, "#/paths/~1credits/get/responses/200/content/application~1json/schema");
    assert_eq!((&credits["data"]["total_credits"], &credits["data"]["total_usage"]), (&json!(0), &json!(0.000_097_5)));
}

impl Answer {
    #[track_caller]
    fn assert_status(&self, status: u16) {
        assert_eq!(self.status, status, "{}", self.text());
    }
}
