//! `GET /v1/models` and `GET /v1/models/{id}`. One path has three meanings: each SDK asks for its own shape, and says by
//! a header or the path which that is.

use bytes::Bytes;
use gw_core::Error;
use gw_dialects::DialectId;
use gw_engine::Snapshot;
use http::request::Parts;
use serde_json::{Value, json};

/// Creation times are not known; OpenAI's shape requires one, in seconds since 1970.
const CREATED: u64 = 0;
/// The same in Anthropic's.
const CREATED_AT: &str = "1970-01-01T00:00:00Z";

/// Whose list is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// OpenAI's.
    OpenAi,
    /// Anthropic's.
    Anthropic,
    /// Google's.
    Gemini,
}

impl Shape {
    /// What a request asks for.
    pub fn of(parts: &Parts) -> Self {
        let path = parts.uri.path();
        if path.starts_with("/openai/") {
            Self::OpenAi
        } else if path.starts_with("/anthropic/") || parts.headers.contains_key("anthropic-version") {
            Self::Anthropic
        } else if path.starts_with("/gemini/")
            || path.starts_with("/v1beta/")
            || parts.headers.contains_key("x-goog-api-key")
        {
            Self::Gemini
        } else {
            Self::OpenAi
        }
    }

    /// The dialect in which such a client is told of errors.
    pub fn dialect(self) -> DialectId {
        match self {
            Self::OpenAi => DialectId::OpenAiChat,
            Self::Anthropic => DialectId::AnthropicMessages,
            Self::Gemini => DialectId::Gemini,
        }
    }

    fn model(self, id: &str, owner: &str) -> Value {
        match self {
            Self::OpenAi => json!({ "id": id, "object": "model", "created": CREATED, "owned_by": owner }),
            Self::Anthropic => json!({ "type": "model", "id": id, "display_name": id, "created_at": CREATED_AT }),
            Self::Gemini => json!({
                "name": format!("models/{id}"),
                "displayName": id,
                "supportedGenerationMethods": ["generateContent", "countTokens"],
            }),
        }
    }
}

/// The list of every name that a client may use.
pub fn list(snapshot: &Snapshot, shape: Shape) -> Bytes {
    let models = snapshot.models.list();
    let data: Vec<Value> = models.iter().map(|(id, owner)| shape.model(id, owner)).collect();
    let list = match shape {
        Shape::OpenAi => json!({ "object": "list", "data": data }),
        Shape::Anthropic => json!({
            "first_id": models.first().map(|(id, _)| id),
            "last_id": models.last().map(|(id, _)| id),
            "data": data,
            "has_more": false,
        }),
        Shape::Gemini => json!({ "models": data }),
    };
    Bytes::from(list.to_string())
}

/// One model; any name that a request could use is found.
///
/// # Errors
/// `model_not_found`, naming near matches.
pub fn one(snapshot: &Snapshot, id: &str, shape: Shape) -> Result<Bytes, Error> {
    let choice = snapshot.models.resolve(Some(id), None)?;
    Ok(Bytes::from(shape.model(id, &choice.provider.type_id).to_string()))
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    #[test]
    fn each_sdk_gets_its_own_shape() {
        for (path, header, shape) in [
            ("/v1/models", "authorization", Shape::OpenAi),
            ("/v1/models", "anthropic-version", Shape::Anthropic),
            ("/anthropic/v1/models", "x-api-key", Shape::Anthropic),
            ("/v1/models/gemini-x", "x-goog-api-key", Shape::Gemini),
            ("/v1beta/models", "accept", Shape::Gemini),
            ("/openai/v1/models", "anthropic-version", Shape::OpenAi),
        ] {
            let (parts, ()) = Request::get(path).header(header, "x").body(()).unwrap().into_parts();
            assert_eq!(Shape::of(&parts), shape, "{path} {header}");
        }
    }
}
