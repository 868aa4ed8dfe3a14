//! Which path means which dialect.

use crate::DialectId;

/// The dialect that a `POST` to this path speaks. A trailing slash means nothing; the prefixes are the ones that
/// programs have in their base URLs.
pub fn route(path: &str) -> Option<DialectId> {
    match path.strip_suffix('/').unwrap_or(path) {
        "/v1/chat/completions" | "/openai/v1/chat/completions" | "/chat/completions" => Some(DialectId::OpenAiChat),
        "/v1/completions" | "/openai/v1/completions" | "/completions" => Some(DialectId::OpenAiCompletions),
        "/v1/embeddings" | "/openai/v1/embeddings" | "/embeddings" => Some(DialectId::OpenAiEmbeddings),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_means_its_dialect_with_every_prefix_and_a_trailing_slash() {
        let names = [
            ("chat/completions", DialectId::OpenAiChat),
            ("completions", DialectId::OpenAiCompletions),
            ("embeddings", DialectId::OpenAiEmbeddings),
        ];
        for (name, dialect) in names {
            for prefix in ["/v1/", "/openai/v1/", "/"] {
                assert_eq!(route(&format!("{prefix}{name}")), Some(dialect));
                assert_eq!(route(&format!("{prefix}{name}/")), Some(dialect));
            }
        }
    }

    #[test]
    fn other_paths_mean_nothing() {
        for path in ["", "/", "/v1", "/v1/chat", "/v1/chat/completions//", "/v1/chat/completions/x", "/V1/completions"]
        {
            assert_eq!(route(path), None, "{path}");
        }
    }
}
