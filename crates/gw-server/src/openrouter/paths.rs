//! Which path of OpenRouter's API means what.

use http::Method;

/// Where the API begins.
const BASE: &str = "/api";
/// What follows, as in the paths of the operations.
const VERSION: &str = "/v1/";

const KEYS: &str =
    "keys are those of the configuration (auth.keys); there are none to list, make or change by this API";
const ANALYTICS: &str =
    "no analytics are kept; see the metrics, the request log, and GET /api/v1/key for what a key used";
const CONTENT: &str = "the content of requests is not kept; GET /api/v1/generation?id= tells the facts";
const BYOK: &str =
    "credentials of providers are those of the configuration (providers); there are none to list or change here";
const GUARDRAILS: &str = "there are no guardrails, workspaces, presets or organisations to manage by this API";

/// What is not there, and what there is instead.
const ABSENT: [(&str, &str); 12] = [
    ("keys", KEYS),
    ("activity", ANALYTICS),
    ("analytics", ANALYTICS),
    ("generation/content", CONTENT),
    ("generation/feedback", CONTENT),
    ("byok", BYOK),
    ("guardrails", GUARDRAILS),
    ("workspaces", GUARDRAILS),
    ("organization", GUARDRAILS),
    ("presets", GUARDRAILS),
    ("credits/coinbase", "no credits are sold here"),
    ("auth", "keys are those of the configuration (auth.keys); none are handed out by this API"),
];

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked<'a> {
    /// The list of models; of those that make this, if the query does not say what they must make.
    Models(&'static str),
    /// How many there are.
    Count,
    /// One model.
    Model(&'a str),
    /// Who serves a model.
    Endpoints(&'a str),
    /// Who serves models.
    Providers,
    /// The facts of a finished request.
    Generation,
    /// What is known of the caller's key.
    Key,
    /// What was paid and used.
    Credits,
    /// Something that is not there, and why.
    Absent(&'static str),
}

/// Whether a path is one of OpenRouter's API.
pub(crate) fn is_here(path: &str) -> bool {
    path.strip_prefix(BASE).is_some_and(|rest| rest.starts_with(VERSION))
}

/// The path of an operation as it is without the beginning that is OpenRouter's.
pub(crate) fn operation(path: &str) -> &str {
    match path.strip_prefix(BASE).filter(|rest| rest.starts_with(VERSION)) {
        // OpenRouter's name for it.
        Some("/v1/images" | "/v1/images/") => "/v1/images/generations",
        Some(rest) => rest,
        None => path,
    }
}

/// What a path means, if it is one of OpenRouter's own: all of them are asked for with `GET`. `Err` names the methods that
/// are right.
pub(crate) fn route<'a>(method: &Method, path: &'a str) -> Option<Result<Asked<'a>, &'static str>> {
    let path = path.strip_prefix(BASE)?.strip_prefix(VERSION)?;
    let path = path.strip_suffix('/').unwrap_or(path);
    let is = |name: &str| path.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    if let Some((_, why)) = ABSENT.iter().find(|(name, _)| is(name)) {
        return Some(Ok(Asked::Absent(why)));
    }
    let asked = match path {
        "models" | "models/user" => Asked::Models("text"),
        "embeddings/models" => Asked::Models("embeddings"),
        "images/models" => Asked::Models("image"),
        "models/count" => Asked::Count,
        "providers" => Asked::Providers,
        "generation" => Asked::Generation,
        "key" => Asked::Key,
        "credits" => Asked::Credits,
        _ => {
            let below = ["images/models/", "models/", "model/"].iter().find_map(|under| path.strip_prefix(under));
            match below?.strip_suffix("/endpoints") {
                Some(id) => Asked::Endpoints(id),
                None => Asked::Model(below?),
            }
        }
    };
    let reads = method == Method::GET || method == Method::HEAD;
    Some(if reads { Ok(asked) } else { Err("GET, HEAD") })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn openrouters_paths_mean_what_they_mean_there() {
        for (path, expected) in [
            ("/api/v1/models", Some(Asked::Models("text"))),
            ("/api/v1/models/", Some(Asked::Models("text"))),
            ("/api/v1/models/count", Some(Asked::Count)),
            ("/api/v1/models/openai/gpt-4o/endpoints", Some(Asked::Endpoints("openai/gpt-4o"))),
            ("/api/v1/model/openai/gpt-4o", Some(Asked::Model("openai/gpt-4o"))),
            ("/api/v1/models/openai/gpt-4o", Some(Asked::Model("openai/gpt-4o"))),
            ("/api/v1/embeddings/models", Some(Asked::Models("embeddings"))),
            ("/api/v1/key", Some(Asked::Key)),
            ("/api/v1/keys/abc", Some(Asked::Absent(KEYS))),
            ("/api/v1/generation/content", Some(Asked::Absent(CONTENT))),
            ("/api/v1/chat/completions", None),
            ("/v1/models", None),
            ("/api/models", None),
            ("/api/v1", None),
        ] {
            let found = route(&Method::GET, path);
            assert_eq!(found.map(Result::unwrap), expected, "{path}");
        }
        assert_eq!(route(&Method::POST, "/api/v1/models"), Some(Err("GET, HEAD")));
    }

    #[test]
    fn an_operation_is_that_of_v1() {
        assert_eq!(operation("/api/v1/chat/completions"), "/v1/chat/completions");
        assert_eq!(operation("/api/v1/images"), "/v1/images/generations");
        for path in ["/api/v12/x", "/v1/api/v1/x", "/api", "/api/embed"] {
            assert_eq!(operation(path), path);
        }
    }
}
