//! `GET /v1/models` and `GET /v1/models/{id}`. One path has three meanings: each SDK asks for its own shape, and says by
//! a header or the path which that is. `?capability=tools,vision` lists only models that are known to do all of it.

pub(crate) mod facts;

use bytes::Bytes;
use gw_core::{Error, ErrorCode};
use gw_dialects::DialectId;
use gw_engine::Snapshot;
use gw_providers::catalog::models::{Capability, Facts};
use http::request::Parts;
use serde_json::{Map, Value, json};

/// Creation times are not known; OpenAI's shape requires one, in seconds since 1970.
pub(crate) const CREATED: u64 = 0;
/// The same in Anthropic's.
const CREATED_AT: &str = "1970-01-01T00:00:00Z";
/// The parameters that name what models must do.
const FILTERS: [&str; 2] = ["capability", "supported_parameters"];

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

    fn model(self, id: &str, owner: &str, facts: Option<&Facts>) -> Value {
        let mut told = match self {
            Self::OpenAi => json!({ "id": id, "object": "model", "created": CREATED, "owned_by": owner }),
            Self::Anthropic => json!({ "type": "model", "id": id, "display_name": id, "created_at": CREATED_AT }),
            Self::Gemini => json!({
                "name": format!("models/{id}"),
                "displayName": id,
                "supportedGenerationMethods": ["generateContent", "countTokens"],
            }),
        };
        if let (Some(members), Some(facts)) = (told.as_object_mut(), facts) {
            match self {
                Self::OpenAi => facts::openai(members, facts),
                Self::Anthropic => facts::anthropic(members, &facts.model),
                Self::Gemini => facts::gemini(members, &facts.model),
            }
        }
        told
    }
}

/// The list of every name that a client may use, of those that do what the query asks for.
///
/// # Errors
/// `invalid_request`, if the query asks for something that nobody knows.
pub fn list(snapshot: &Snapshot, shape: Shape, query: Option<&str>) -> Result<Bytes, Error> {
    let wanted = wanted(query.unwrap_or_default())?;
    match snapshot.model_lists.get(shape as usize).filter(|_| wanted.is_empty()) {
        Some(told) => Ok(told.get_or_init(|| render(snapshot, shape, &wanted)).clone()),
        None => Ok(render(snapshot, shape, &wanted)),
    }
}

fn render(snapshot: &Snapshot, shape: Shape, wanted: &[String]) -> Bytes {
    // Written model by model: as one tree, a thousand would take megabytes.
    let mut data = String::from("[");
    let mut ids: Option<(String, String)> = None;
    for model in snapshot.models.list() {
        let facts = model.target.as_ref().and_then(|(provider, name)| snapshot.pricing.facts(provider, name));
        let does = |word: &String| facts.as_ref().is_some_and(|facts| facts.model.does(word) == Some(true));
        if wanted.iter().all(does) {
            if ids.is_some() {
                data.push(',');
            }
            data.push_str(&shape.model(&model.name, &model.owner, facts.as_ref()).to_string());
            ids = Some((ids.map_or_else(|| model.name.clone(), |(first, _)| first), model.name));
        }
    }
    data.push(']');
    let list = match shape {
        Shape::OpenAi => format!(r#"{{"object":"list","data":{data}}}"#),
        Shape::Anthropic => {
            let (first, last) = ids.map_or((Value::Null, Value::Null), |(first, last)| (first.into(), last.into()));
            format!(r#"{{"first_id":{first},"last_id":{last},"data":{data},"has_more":false}}"#)
        }
        Shape::Gemini => format!(r#"{{"models":{data}}}"#),
    };
    Bytes::from(list)
}

/// One model; any name that a request could use is found.
///
/// # Errors
/// `model_not_found`, naming near matches.
pub fn one(snapshot: &Snapshot, id: &str, shape: Shape) -> Result<Bytes, Error> {
    let tree = snapshot.models.resolve(Some(id), None)?;
    let Some(choice) = tree.targets().first().map(|target| &target.choice) else {
        return Err(Error::new(ErrorCode::ModelNotFound, "the route has no target").with_param("model"));
    };
    let facts = snapshot.pricing.facts(&choice.provider, &choice.model);
    Ok(Bytes::from(shape.model(id, &choice.provider.type_id, facts.as_ref()).to_string()))
}

/// The words of the query: capabilities, modalities, or parameters that need one.
fn wanted(query: &str) -> Result<Vec<String>, Error> {
    let pairs = query.split('&').filter_map(|pair| pair.split_once('=')).filter(|(name, _)| FILTERS.contains(name));
    let values = pairs.map(|(_, value)| value.replace("%2C", ",").replace("%2c", ","));
    let words: Vec<String> = values.flat_map(|value| value.split(',').map(facts::word).collect::<Vec<_>>()).collect();
    let unknown = |word: &&String| Capability::from_name(word).is_none() && !facts::READS.contains(&word.as_str());
    if words.iter().any(|word| unknown(&word)) {
        let known: Vec<_> = Capability::ALL.iter().map(|one| one.name()).chain(facts::READS).collect();
        let message =
            format!("`capability` names something that no model is known for; there are {}", known.join(", "));
        return Err(Error::new(ErrorCode::InvalidRequest, message).with_param("capability"));
    }
    Ok(words)
}

/// Sets a member, if there is something to say.
fn set(members: &mut Map<String, Value>, name: &str, value: Option<impl Into<Value>>) {
    if let Some(value) = value {
        members.insert(name.to_owned(), value.into());
    }
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

    #[test]
    fn what_models_must_do_may_be_said_as_a_capability_or_as_a_parameter() {
        assert_eq!(wanted("").unwrap(), [""; 0]);
        assert_eq!(wanted("capability=tools%2Cvision&x=1").unwrap(), ["tools", "vision"]);
        assert_eq!(wanted("supported_parameters=response_format").unwrap(), ["structured_output"]);
        assert_eq!(wanted("capability=flight").unwrap_err().code, ErrorCode::InvalidRequest);
    }
}
