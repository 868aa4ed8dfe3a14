//! Which path means which dialect.

use crate::DialectId;

/// What a path says of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Addressed<'a> {
    /// The dialect that is spoken there.
    pub dialect: DialectId,
    /// The model, where the path names it, as it stands there.
    pub model: Option<&'a str>,
    /// Whether a stream is asked for, where the path says so.
    pub stream: Option<bool>,
}

/// What a `POST` to this path means. A trailing slash means nothing; the prefixes are the ones that programs have in their base
/// URLs.
pub fn route(path: &str) -> Option<Addressed<'_>> {
    let path = path.strip_suffix('/').unwrap_or(path);
    let plain = |dialect| Some(Addressed { dialect, model: None, stream: None });
    match path.strip_prefix("/anthropic").unwrap_or(path) {
        "/v1/messages" => return plain(DialectId::AnthropicMessages),
        "/v1/messages/count_tokens" => return plain(DialectId::AnthropicCountTokens),
        "/messages" if path.starts_with("/anthropic") => return plain(DialectId::AnthropicMessages),
        _ => {}
    }
    match path.strip_prefix("/cohere").unwrap_or(path) {
        "/v2/embed" => return plain(DialectId::CohereEmbed),
        "/v2/rerank" => return plain(DialectId::CohereRerank),
        "/api/embed" if path.starts_with("/api") => return plain(DialectId::OllamaEmbed),
        _ => {}
    }
    if let Some(addressed) = gemini(path.strip_prefix("/gemini").unwrap_or(path)) {
        return Some(addressed);
    }
    let path = path.strip_prefix("/openai").unwrap_or(path);
    if let Some((deployment, operation)) = path.strip_prefix("/deployments/").and_then(|rest| rest.split_once('/')) {
        // Azure OpenAI names the model in the path.
        return openai(operation).map(|dialect| Addressed { dialect, model: Some(deployment), stream: None });
    }
    let path = path.strip_prefix("/v1").unwrap_or(path);
    path.strip_prefix('/').and_then(openai).and_then(plain)
}

fn openai(operation: &str) -> Option<DialectId> {
    match operation {
        "chat/completions" => Some(DialectId::OpenAiChat),
        "completions" => Some(DialectId::OpenAiCompletions),
        "chat/moderations" => Some(DialectId::MistralChatModerations),
        "embeddings" => Some(DialectId::OpenAiEmbeddings),
        "moderations" => Some(DialectId::OpenAiModerations),
        "rerank" => Some(DialectId::JinaRerank),
        "responses" => Some(DialectId::OpenAiResponses),
        "responses/input_tokens" => Some(DialectId::OpenAiInputTokens),
        _ => None,
    }
}

/// `/v1beta/models/{model}:generateContent`, and under `/v1` too. A model's name may hold slashes.
fn gemini(path: &str) -> Option<Addressed<'_>> {
    let rest = path.strip_prefix("/v1beta/").or_else(|| path.strip_prefix("/v1/"))?;
    // Vercel's SDK takes a name with a slash for a whole path, and leaves `models/` out.
    let (model, verb) = rest.strip_prefix("models/").unwrap_or(rest).rsplit_once(':')?;
    let (dialect, stream) = match verb {
        "generateContent" => (DialectId::Gemini, false),
        "streamGenerateContent" => (DialectId::Gemini, true),
        "countTokens" => (DialectId::GeminiCountTokens, false),
        "embedContent" => (DialectId::GeminiEmbed, false),
        "batchEmbedContents" => (DialectId::GeminiBatchEmbed, false),
        _ => return None,
    };
    (!model.is_empty()).then_some(Addressed { dialect, model: Some(model), stream: Some(stream) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dialect(path: &str) -> Option<DialectId> {
        route(path).map(|addressed| addressed.dialect)
    }

    #[test]
    fn a_path_means_its_dialect_with_every_prefix_and_a_trailing_slash() {
        let names = [
            ("chat/completions", DialectId::OpenAiChat),
            ("completions", DialectId::OpenAiCompletions),
            ("embeddings", DialectId::OpenAiEmbeddings),
            ("rerank", DialectId::JinaRerank),
            ("moderations", DialectId::OpenAiModerations),
            ("chat/moderations", DialectId::MistralChatModerations),
            ("responses", DialectId::OpenAiResponses),
            ("responses/input_tokens", DialectId::OpenAiInputTokens),
        ];
        for (name, expected) in names {
            for prefix in ["/v1/", "/openai/v1/", "/"] {
                assert_eq!(dialect(&format!("{prefix}{name}")), Some(expected));
                assert_eq!(dialect(&format!("{prefix}{name}/")), Some(expected));
            }
        }
        for path in ["/v1/messages", "/anthropic/v1/messages", "/anthropic/messages"] {
            assert_eq!(dialect(path), Some(DialectId::AnthropicMessages), "{path}");
        }
    }

    #[test]
    fn a_path_may_name_the_model_and_ask_for_a_stream() {
        for prefix in ["/v1beta", "/v1", "/gemini/v1beta"] {
            let whole = format!("{prefix}/models/google/gemini-2.5-pro:generateContent");
            let expected =
                Addressed { dialect: DialectId::Gemini, model: Some("google/gemini-2.5-pro"), stream: Some(false) };
            assert_eq!(route(&whole), Some(expected));
            let stream = format!("{prefix}/models/a:b:streamGenerateContent");
            assert_eq!(route(&stream).map(|found| (found.model, found.stream)), Some((Some("a:b"), Some(true))));
        }
        assert_eq!(dialect("/v1beta/models/x:countTokens"), Some(DialectId::GeminiCountTokens));
        assert_eq!(dialect("/v1/messages/count_tokens"), Some(DialectId::AnthropicCountTokens));
        assert_eq!(dialect("/v1beta/models/x:embedContent"), Some(DialectId::GeminiEmbed));
        assert_eq!(dialect("/v1/models/x:batchEmbedContents"), Some(DialectId::GeminiBatchEmbed));
        for path in ["/v2/embed", "/cohere/v2/embed"] {
            assert_eq!(dialect(path), Some(DialectId::CohereEmbed), "{path}");
        }
        assert_eq!(dialect("/v2/rerank"), Some(DialectId::CohereRerank));
        assert_eq!(dialect("/api/embed"), Some(DialectId::OllamaEmbed));
        let bare = route("/v1beta/claude/claude-x:generateContent");
        assert_eq!(bare.and_then(|found| found.model), Some("claude/claude-x"));
        let azure = route("/openai/deployments/my-gpt/chat/completions");
        assert_eq!(azure, Some(Addressed { dialect: DialectId::OpenAiChat, model: Some("my-gpt"), stream: None }));
    }

    #[test]
    fn other_paths_mean_nothing() {
        for path in [
            "",
            "/",
            "/v1",
            "/v1/chat",
            "/v1/chat/completions//",
            "/v1/chat/completions/x",
            "/V1/completions",
            "/messages",
            "/v1/models/x",
            "/v1/models/:generateContent",
            "/v1/models/x:countFingers",
            "/openai/deployments/x",
        ] {
            assert_eq!(route(path), None, "{path}");
        }
    }
}
