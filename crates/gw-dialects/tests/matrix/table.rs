//! The dialects, and where the schemas of their bodies are.

use std::sync::LazyLock;

use gw_dialects::chat::{EGRESSES, Egress, Encoded, INGRESSES, Ingress};
use serde_json::{Value, json};

use crate::specs::{Schema, Specs};

/// The schemas of one dialect.
pub(crate) struct Dialect {
    /// Its name in the lists.
    pub(crate) name: &'static str,
    /// Of requests.
    pub(crate) request: Schema,
    /// Of whole answers.
    pub(crate) answer: Schema,
    /// Of what one event of a stream holds.
    pub(crate) event: Option<Schema>,
}

/// A provider's model that requests are put into words for.
pub(crate) struct Model {
    /// The dialect.
    pub(crate) egress: &'static str,
    /// The model.
    pub(crate) model: &'static str,
    /// The folder of the golden files.
    pub(crate) folder: &'static str,
    /// Only of requests with this in their names.
    pub(crate) only: &'static str,
}

const fn schema(file: &'static str, pointer: &'static str) -> Schema {
    Schema { file, pointer }
}

const OPENAI: &str = "openai-openapi.json";
const ANTHROPIC_2023: &str = "anthropic-messages-2023-06-01.schema.json";
const ANTHROPIC_2026: &str = "anthropic-messages-2026-10-21.schema.json";
const GEMINI: &str = "gemini-v1beta.schema.json";
const BEDROCK: &str = "bedrock-runtime.schema.json";
const COHERE: &str = "cohere-openapi.json";
const OLLAMA: &str = "ollama-openapi.json";
const MISTRAL: &str = "mistral-openapi.json";
const WATSONX: &str = "watsonx-text-chat.schema.json";

/// All dialects.
pub(crate) const DIALECTS: &[Dialect] = &[
    Dialect {
        name: "openai_chat",
        request: schema(OPENAI, "#/components/schemas/CreateChatCompletionRequest"),
        answer: schema(OPENAI, "#/components/schemas/CreateChatCompletionResponse"),
        event: Some(schema(OPENAI, "#/components/schemas/CreateChatCompletionStreamResponse")),
    },
    Dialect {
        name: "openai_responses",
        request: schema(OPENAI, "#/components/schemas/CreateResponse"),
        answer: schema(OPENAI, "#/components/schemas/Response"),
        event: Some(schema(OPENAI, "#/components/schemas/ResponseStreamEvent")),
    },
    Dialect {
        name: "anthropic_messages",
        request: schema(ANTHROPIC_2023, "#/$defs/MessagesRequest"),
        answer: schema(ANTHROPIC_2023, "#/$defs/MessagesResponse"),
        event: Some(schema(ANTHROPIC_2023, "#/$defs/WireStreamEvent")),
    },
    Dialect {
        name: "gemini",
        request: schema(GEMINI, "#/$defs/GenerateContentRequest"),
        answer: schema(GEMINI, "#/$defs/GenerateContentResponse"),
        event: Some(schema(GEMINI, "#/$defs/GenerateContentResponse")),
    },
    Dialect {
        name: "bedrock_converse",
        request: schema(BEDROCK, "#/$defs/Converse.request"),
        answer: schema(BEDROCK, "#/$defs/Converse.response"),
        // Frames, not events of the standard.
        event: None,
    },
    Dialect {
        name: "cohere_chat",
        request: schema(COHERE, "#/paths/~1v2~1chat/post/requestBody/content/application~1json/schema"),
        answer: schema(COHERE, "#/components/schemas/ChatResponseV2"),
        event: Some(schema(COHERE, "#/components/schemas/StreamedChatResponseV2")),
    },
    Dialect {
        name: "ollama_chat",
        request: schema(OLLAMA, "#/components/schemas/ChatRequest"),
        answer: schema(OLLAMA, "#/components/schemas/ChatResponse"),
        event: Some(schema(OLLAMA, "#/components/schemas/ChatStreamEvent")),
    },
    Dialect {
        name: "dashscope_chat",
        // Alibaba publishes none of its own: OpenAI's, with members besides.
        request: schema(OPENAI, "#/components/schemas/CreateChatCompletionRequest"),
        answer: schema(OPENAI, "#/components/schemas/CreateChatCompletionResponse"),
        event: Some(schema(OPENAI, "#/components/schemas/CreateChatCompletionStreamResponse")),
    },
    Dialect {
        name: "mistral_chat",
        request: schema(MISTRAL, "#/components/schemas/ChatCompletionRequest"),
        answer: schema(MISTRAL, "#/components/schemas/ChatCompletionResponse"),
        event: Some(schema(MISTRAL, "#/components/schemas/CompletionChunk")),
    },
    Dialect {
        name: "watsonx_chat",
        request: schema(WATSONX, "#/$defs/TextChatRequest"),
        answer: schema(WATSONX, "#/$defs/TextChatResponse"),
        event: Some(schema(WATSONX, "#/$defs/TextChatStreamItem")),
    },
];

const fn model(egress: &'static str, model: &'static str) -> Model {
    Model { egress, model, folder: egress, only: "" }
}

/// Models of every dialect, and more of those whose generations want other words.
pub(crate) const MODELS: &[Model] = &[
    model("openai_chat", "gpt-5.5"),
    model("openai_responses", "gpt-5.5"),
    model("anthropic_messages", "claude-sonnet-4-5"),
    Model {
        egress: "anthropic_messages",
        model: "claude-opus-5-5",
        folder: "anthropic_messages@claude-opus-5-5",
        only: "thinking",
    },
    model("gemini", "gemini-3-pro"),
    Model { egress: "gemini", model: "gemini-2.5-flash", folder: "gemini@gemini-2.5-flash", only: "thinking" },
    model("bedrock_converse", "anthropic.claude-sonnet-4-5-20250929-v1:0"),
    Model {
        egress: "bedrock_converse",
        model: "amazon.nova-pro-v1:0",
        folder: "bedrock_converse@amazon.nova-pro",
        only: "thinking",
    },
    model("cohere_chat", "command-a-03-2025"),
    model("ollama_chat", "qwen3:8b"),
    model("dashscope_chat", "qwen-plus"),
    model("mistral_chat", "mistral-medium-latest"),
    model("watsonx_chat", "ibm/granite-3-3-8b-instruct"),
];

/// The schemas of a dialect.
pub(crate) fn dialect(name: &str) -> &'static Dialect {
    let found = DIALECTS.iter().find(|dialect| dialect.name == name);
    found.unwrap_or_else(|| panic!("{name} is not in the table of dialects"))
}

/// The end of a dialect that providers are spoken to with.
pub(crate) fn egress(name: &str) -> Option<&'static dyn Egress> {
    egresses().iter().find(|(known, _)| *known == name).map(|(_, egress)| *egress)
}

/// The end of a dialect that clients speak to.
pub(crate) fn ingress(name: &str) -> Option<&'static dyn Ingress> {
    ingresses().iter().find(|(known, _)| *known == name).map(|(_, ingress)| *ingress)
}

/// Whether the gateway speaks the dialect at either end.
pub(crate) fn is_listed(name: &str) -> bool {
    egress(name).is_some() || ingress(name).is_some()
}

/// The schema that an encoded request must keep to, and the body as the provider gets it.
pub(crate) fn sent(name: &str, encoded: &Encoded) -> (Schema, Value) {
    let mut schema = dialect(name).request;
    let mut body: Value = serde_json::from_slice(&encoded.body).unwrap_or_else(|error| panic!("{name}: {error}"));
    if encoded.headers.iter().any(|(header, value)| header == "anthropic-version" && value == "2026-10-21") {
        schema.file = ANTHROPIC_2026;
    }
    // The account is a matter of the provider's configuration, not of the dialect.
    if name == "watsonx_chat" && body.get("project_id").is_none() && body.get("space_id").is_none() {
        body["project_id"] = json!("p");
    }
    (schema, body)
}

#[test]
fn every_dialect_has_a_row_and_a_model_and_cases() {
    for (name, _) in ingresses() {
        dialect(name);
        assert!(!crate::fixtures::list(name, "requests").is_empty(), "{name} has no requests");
    }
    for (name, _) in egresses() {
        dialect(name);
        assert!(MODELS.iter().any(|model| model.egress == *name), "{name} has no model");
        assert!(!crate::fixtures::list(name, "answers").is_empty(), "{name} has no answers");
        assert!(!crate::fixtures::list(name, "streams").is_empty(), "{name} has no streams");
    }
}

#[test]
fn every_schema_refuses_what_is_wrong() {
    let mut specs = Specs::find();
    if !specs.are_here() {
        return;
    }
    let wrong = json!({"messages": 3, "contents": 3, "input": 3, "id": 3, "candidates": 3, "output": 3, "message": 3});
    for dialect in DIALECTS {
        for schema in [Some(dialect.request), Some(dialect.answer), dialect.event].into_iter().flatten() {
            assert!(!specs.faults(schema, &wrong).is_empty(), "{schema:?}");
        }
    }
}

/// The formats that applications may speak, by name.
pub(crate) fn ingresses() -> &'static [(&'static str, &'static dyn Ingress)] {
    static LIST: LazyLock<Vec<(&str, &dyn Ingress)>> =
        LazyLock::new(|| INGRESSES.iter().map(|(dialect, ingress)| (dialect.name(), *ingress)).collect());
    &LIST
}

/// The formats that providers speak, by name.
pub(crate) fn egresses() -> &'static [(&'static str, &'static dyn Egress)] {
    static LIST: LazyLock<Vec<(&str, &dyn Egress)>> =
        LazyLock::new(|| EGRESSES.iter().map(|(dialect, egress)| (dialect.name(), *egress)).collect());
    &LIST
}
