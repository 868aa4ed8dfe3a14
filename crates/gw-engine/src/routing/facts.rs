//! What conditions may ask of a request. Nothing of it is read before somebody asks.

use std::borrow::Cow;
use std::cell::OnceCell;

use gw_dialects::head::Head;
use gw_policy::condition::Facts;
use http::HeaderMap;
use serde_json::{Map, Value};

use crate::engine::Call;
use crate::routing::Said;

/// Tags of a request, with commas between them.
const TAGS: &str = "x-gateway-tags";
/// How many inputs a request stands for.
const BATCH_SIZE: &str = "x-gateway-batch-size";
/// Metadata of a request, as a JSON object.
const METADATA: [&str; 3] = ["x-gateway-metadata", "x-portkey-metadata", "cf-aig-metadata"];

/// A request as conditions see it.
pub(crate) struct RequestFacts<'a> {
    pub(crate) call: &'a Call<'a>,
    pub(crate) head: &'a Head,
    /// The path that was asked.
    pub(crate) path: &'a str,
    /// What the routing that it brings says of it.
    pub(crate) said: &'a Said,
    pub(crate) read: Read,
}

/// What has been read for conditions so far.
#[derive(Default)]
pub(crate) struct Read {
    metadata: OnceCell<Map<String, Value>>,
    body: OnceCell<Value>,
}

impl RequestFacts<'_> {
    fn metadata(&self) -> &Map<String, Value> {
        self.read.metadata.get_or_init(|| {
            let mut metadata = match self.body().get("metadata") {
                Some(Value::Object(members)) => members.clone(),
                Some(_) | None => Map::new(),
            };
            // Headers are set by who configures the client, bodies by who writes the request.
            for name in METADATA {
                let text = header(self.call.headers, name);
                if let Some(Value::Object(members)) = text.and_then(|text| serde_json::from_str(text).ok()) {
                    metadata.extend(members);
                }
            }
            metadata
        })
    }

    fn body(&self) -> &Value {
        self.read.body.get_or_init(|| serde_json::from_slice(&self.call.body).unwrap_or_default())
    }

    /// Tags of the header, else of the request's routing, else of the metadata.
    fn tags(&self) -> Option<Cow<'_, Value>> {
        if let Some(text) = header(self.call.headers, TAGS) {
            let tags = text.split(',').map(str::trim).filter(|tag| !tag.is_empty());
            return Some(Cow::Owned(tags.collect()));
        }
        self.said.tags.as_ref().or_else(|| self.metadata().get("tags")).map(Cow::Borrowed)
    }

    /// The number that the header says, else that of the inputs, else of the metadata, else one.
    fn batch_size(&self) -> Value {
        let said = header(self.call.headers, BATCH_SIZE).and_then(|text| text.trim().parse::<u64>().ok());
        let inputs = || self.body().get("input").and_then(Value::as_array).map(|inputs| inputs.len() as u64);
        let metadata = || self.metadata().get("batch_size").and_then(Value::as_u64);
        Value::from(said.or_else(inputs).or_else(metadata).unwrap_or(1))
    }

    /// Who asks, for what sticks to a caller: what the request says, else its key.
    fn caller(&self) -> Option<Cow<'_, Value>> {
        if let Some(user) = &self.said.user {
            return Some(Cow::Borrowed(user));
        }
        let body = self.body();
        let said = ["user", "safety_identifier", "prompt_cache_key"].iter().find_map(|name| body.get(*name));
        said.or_else(|| body.get("metadata").and_then(|metadata| metadata.get("user_id"))).map(Cow::Borrowed)
    }
}

impl Facts for RequestFacts<'_> {
    fn fact(&self, path: &str) -> Option<Cow<'_, Value>> {
        let (root, rest) = path.split_once('.').unwrap_or((path, ""));
        match (root, rest) {
            ("metadata", name) => self.metadata().get(name).map(Cow::Borrowed),
            ("params", "model") => self.head.model.as_deref().map(|model| Cow::Owned(Value::from(model))),
            ("params", "stream") => Some(Cow::Owned(Value::from(self.head.stream))),
            ("params", path) => {
                let found = path.split('.').try_fold(self.body(), |value, name| value.get(name));
                found.map(Cow::Borrowed)
            }
            ("headers", name) => header(self.call.headers, name).map(|text| Cow::Owned(Value::from(text))),
            ("url", "pathname") => Some(Cow::Owned(Value::from(self.path))),
            ("tags", "") => self.tags(),
            ("batch_size", "") => Some(Cow::Owned(self.batch_size())),
            ("user", "") => self.caller(),
            _ => None,
        }
    }
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}
