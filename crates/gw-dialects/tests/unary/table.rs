//! The models that requests are put into words for, and where the schemas of the bodies are.

use gw_dialects::DialectId;

use crate::specs::Schema;

const fn schema(file: &'static str, pointer: &'static str) -> Schema {
    Schema { file, pointer }
}

const OPENAI: &str = "openai-openapi.json";
const COHERE: &str = "cohere-openapi.json";
const OLLAMA: &str = "ollama-openapi.json";

const OF_REQUEST: &[(DialectId, &[Schema])] = &[
    (
        DialectId::CohereEmbed,
        &[schema(COHERE, "#/paths/~1v2~1embed/post/requestBody/content/application~1json/schema")],
    ),
    (
        DialectId::CohereRerank,
        &[schema(COHERE, "#/paths/~1v2~1rerank/post/requestBody/content/application~1json/schema")],
    ),
    (DialectId::JinaRerank, &[schema("together-openapi.json", "#/components/schemas/RerankRequest")]),
    (DialectId::MistralEmbeddings, &[schema("mistral-openapi.json", "#/components/schemas/EmbeddingRequest")]),
    (DialectId::OllamaEmbed, &[schema(OLLAMA, "#/components/schemas/EmbedRequest")]),
    (DialectId::OpenAiEmbeddings, &[schema(OPENAI, "#/components/schemas/CreateEmbeddingRequest")]),
];

const OF_ANSWER: &[(DialectId, &[Schema])] = &[
    (
        DialectId::CohereEmbed,
        &[schema(COHERE, "#/paths/~1v2~1embed/post/responses/200/content/application~1json/schema")],
    ),
    (
        DialectId::CohereRerank,
        &[schema(COHERE, "#/paths/~1v2~1rerank/post/responses/200/content/application~1json/schema")],
    ),
    (DialectId::OllamaEmbed, &[schema(OLLAMA, "#/components/schemas/EmbedResponse")]),
    (DialectId::OpenAiEmbeddings, &[schema(OPENAI, "#/components/schemas/CreateEmbeddingResponse")]),
];

/// The models of a provider's dialect.
pub(crate) fn models(dialect: DialectId) -> &'static [&'static str] {
    match dialect {
        DialectId::BedrockEmbed => &[
            "amazon.titan-embed-text-v1",
            "amazon.titan-embed-text-v2:0",
            "amazon.titan-embed-image-v1",
            "cohere.embed-english-v3",
            "us.cohere.embed-v4:0",
        ],
        DialectId::BedrockRerank => &["amazon.rerank-v1:0", "cohere.rerank-v3-5:0"],
        _ => &["m"],
    }
}

/// The schemas of what a provider is sent.
pub(crate) fn requests(dialect: DialectId) -> &'static [Schema] {
    of(OF_REQUEST, dialect)
}

/// The schemas of what a client gets.
pub(crate) fn answers(dialect: DialectId) -> &'static [Schema] {
    of(OF_ANSWER, dialect)
}

fn of(table: &'static [(DialectId, &'static [Schema])], dialect: DialectId) -> &'static [Schema] {
    table.iter().find(|(id, _)| *id == dialect).map_or(&[], |(_, schemas)| schemas)
}
