//! Answers against OpenAI's own schema, and its structured answers against the schemas they are made of.

use std::path::PathBuf;

use bytes::Bytes;
use http::{Method, Request};
use http_body_util::BodyExt;
use jsonschema::Validator;
use serde_json::{Value, json};

use crate::sandbox::{MODELS, respond};

/// OpenAI's schemas, from the project's shared facts.
struct OpenAi {
    document: Value,
}

impl OpenAi {
    /// `None`, and a word why, where the shared facts are not there.
    fn load() -> Option<Self> {
        let shared = std::env::var_os("GATEWAY_SHARED")
            .map_or_else(|| PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared")), PathBuf::from);
        let path = shared.join("specs/openai-openapi.json");
        let Ok(bytes) = std::fs::read(&path) else {
            println!("SKIPPED: {} is not there; set GATEWAY_SHARED to the folder that holds specs/", path.display());
            return None;
        };
        Some(Self { document: serde_json::from_slice(&bytes).unwrap() })
    }

    fn schema(&self, name: &str) -> Validator {
        let schema =
            json!({ "$ref": format!("#/components/schemas/{name}"), "components": self.document["components"] });
        jsonschema::draft202012::new(&schema).unwrap()
    }
}

fn assert_valid(validator: &Validator, value: &Value) {
    let mistakes: Vec<String> =
        validator.iter_errors(value).map(|error| format!("{}: {error}", error.instance_path())).collect();
    assert!(mistakes.is_empty(), "{value:#}\n{}", mistakes.join("\n"));
}

async fn answer(method: Method, path: &str, body: &Value) -> String {
    let request = Request::builder().method(method).uri(path).body(Bytes::from(body.to_string())).unwrap();
    let bytes = respond(request).await.unwrap().into_body().collect().await.unwrap().to_bytes();
    String::from_utf8(bytes.to_vec()).unwrap()
}

async fn json_answer(path: &str, body: &Value) -> Value {
    serde_json::from_str(&answer(Method::POST, path, body).await).unwrap()
}

async fn events(path: &str, body: &Value) -> Vec<Value> {
    let text = answer(Method::POST, path, body).await;
    let events = text.strip_suffix("data: [DONE]\n\n").unwrap().split_terminator("\n\n");
    events.map(|event| serde_json::from_str(event.strip_prefix("data: ").unwrap()).unwrap()).collect()
}

/// Requests that make all kinds of chat answers.
fn conversations() -> Vec<Value> {
    let tool = json!({ "type": "function", "function": { "name": "f", "parameters": { "type": "object",
        "properties": { "a": { "type": "string" } }, "required": ["a"] } } });
    let messages = json!([{ "role": "user", "content": "hello" }]);
    [
        json!({}),
        json!({ "n": 8, "logprobs": true, "seed": 7 }),
        json!({ "max_completion_tokens": 2 }),
        json!({ "tools": [tool, tool], "parallel_tool_calls": true }),
        json!({ "response_format": { "type": "json_object" } }),
    ]
    .into_iter()
    .map(|mut body| {
        body["model"] = json!("echo");
        body["messages"] = messages.clone();
        body
    })
    .collect()
}

#[tokio::test]
async fn chat_answers_are_what_openai_describes() {
    let Some(openai) = OpenAi::load() else { return };
    let whole = openai.schema("CreateChatCompletionResponse");
    let chunk = openai.schema("CreateChatCompletionStreamResponse");
    for mut body in conversations() {
        assert_valid(&whole, &json_answer("/chat/completions", &body).await);
        body["stream"] = json!(true);
        body["stream_options"] = json!({ "include_usage": true });
        let events = events("/chat/completions", &body).await;
        assert!(events.len() > 3);
        events.iter().for_each(|event| assert_valid(&chunk, event));
    }
}

#[tokio::test]
async fn legacy_completions_are_what_openai_describes() {
    let Some(openai) = OpenAi::load() else { return };
    let schema = openai.schema("CreateCompletionResponse");
    let mut body = json!({ "model": "echo", "prompt": ["a", "b"], "n": 2 });
    assert_valid(&schema, &json_answer("/completions", &body).await);
    body["stream"] = json!(true);
    let events = events("/completions", &body).await;
    // A finish reason is null until the end, which OpenAI's schema does not know and its servers do.
    let finished: Vec<_> = events.iter().filter(|event| !event["choices"][0]["finish_reason"].is_null()).collect();
    assert_eq!(finished.len(), 4);
    finished.into_iter().for_each(|event| assert_valid(&schema, event));
}

#[tokio::test]
async fn embeddings_are_what_openai_describes() {
    let Some(openai) = OpenAi::load() else { return };
    let schema = openai.schema("CreateEmbeddingResponse");
    for input in [json!("a"), json!(["a", "b"]), json!([1, 2]), json!([[1], [2, 3]])] {
        assert_valid(&schema, &json_answer("/embeddings", &json!({ "model": "embedding", "input": input })).await);
    }
}

#[tokio::test]
async fn errors_and_the_list_of_models_are_what_openai_describes() {
    let Some(openai) = OpenAi::load() else { return };
    let list = answer(Method::GET, "/models", &json!(null)).await;
    assert_valid(&openai.schema("ListModelsResponse"), &serde_json::from_str(&list).unwrap());
    let error = openai.schema("ErrorResponse");
    let failing = MODELS.iter().map(|model| model.name).filter(|name| name.starts_with("error-"));
    for model in failing.chain(["nobody"]) {
        let body = json!({ "model": model, "messages": [{ "role": "user", "content": "x" }] });
        assert_valid(&error, &json_answer("/chat/completions", &body).await);
    }
}

#[tokio::test]
async fn a_structured_answer_fits_the_schema_it_was_asked_for() {
    let recursive = json!({ "$defs": { "node": { "type": "object", "required": ["next", "children", "label"],
        "properties": { "next": { "anyOf": [{ "$ref": "#/$defs/node" }, { "type": "null" }] },
            "children": { "type": "array", "items": { "$ref": "#/$defs/node" } }, "label": { "type": ["string", "null"] } } } },
        "$ref": "#/$defs/node" });
    let schemas = [
        json!({}),
        json!({ "type": "object", "properties": { "a": { "type": "integer" } } }),
        json!({ "type": "object", "required": ["a", "b", "c", "d", "e", "f", "g"], "additionalProperties": false,
            "properties": { "a": { "type": "string", "minLength": 20 }, "b": { "type": "string", "maxLength": 2 },
                "c": { "type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 0.5 },
                "d": { "type": "integer", "minimum": 7, "multipleOf": 5 }, "e": { "type": "integer", "maximum": -3 },
                "f": { "const": { "x": [1] } }, "g": { "enum": ["red", "green"] } } }),
        json!({ "type": "array", "minItems": 3, "items": { "type": "boolean" } }),
        json!({ "type": "array", "prefixItems": [{ "type": "null" }, { "type": "number" }], "maxItems": 2 }),
        json!({ "allOf": [{ "type": "object", "properties": { "a": { "type": "string" } }, "required": ["a"] },
            { "type": "object", "properties": { "b": { "type": "number" } }, "required": ["b"] }] }),
        json!({ "oneOf": [{ "type": "string", "format": "date-time" }, { "type": "integer" }] }),
        recursive,
    ];
    for schema in schemas {
        let format = json!({ "type": "json_schema", "json_schema": { "name": "s", "strict": true, "schema": schema } });
        let body =
            json!({ "model": "echo", "messages": [{ "role": "user", "content": "x" }], "response_format": format });
        let answer = json_answer("/chat/completions", &body).await;
        let content = answer["choices"][0]["message"]["content"].as_str().unwrap();
        assert_valid(&jsonschema::validator_for(&schema).unwrap(), &serde_json::from_str(content).unwrap());
    }
}

#[tokio::test]
async fn a_schema_without_end_still_gets_an_answer() {
    let branching = json!({ "type": "object", "required": ["a", "b"],
        "properties": { "a": { "$ref": "#" }, "b": { "$ref": "#" } } });
    let wide = json!({ "type": "array", "minItems": 1_000_000_000, "items": { "type": "string", "minLength": 1_000_000_000 } });
    for schema in [branching, wide, json!({ "$ref": "#" }), json!({ "anyOf": [] }), json!({ "type": 7 })] {
        let tool = json!({ "type": "function", "function": { "name": "f", "parameters": schema } });
        let body = json!({ "model": "echo", "messages": [{ "role": "user", "content": "x" }], "tools": [tool] });
        let answer = json_answer("/chat/completions", &body).await;
        let arguments = answer["choices"][0]["message"]["tool_calls"][0]["function"]["arguments"].as_str().unwrap();
        serde_json::from_str::<Value>(arguments).unwrap();
        assert!(arguments.len() < 10 << 20);
    }
}
