//! What of the Responses API is not a call of a model: stored answers and conversations, their addresses and the objects
//! that stand for them.

use bytes::Bytes;
use gw_core::{Error, ErrorCode};
use http::Method;
use serde_json::{Value, json};

use super::read::{Node, Object};
use super::stored::{StoredItem, given_items};

/// Items of one list, where the client asks for no number.
const PAGE: usize = 20;
/// Items of one list, at most, and OpenAI's limits of what may be given at once (its schema).
const PAGE_MAX: usize = 100;
const ITEMS_AT_ONCE_MAX: usize = 20;
/// OpenAI's limits of metadata (its schema).
const METADATA_MAX: usize = 16;
const METADATA_NAME_CHARS_MAX: usize = 64;
const METADATA_VALUE_CHARS_MAX: usize = 512;

/// What an address stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resource<'a> {
    /// A stored answer.
    Response(&'a str),
    /// What it was an answer to.
    InputItems(&'a str),
    /// The end of one that runs in the background.
    Cancel(&'a str),
    /// All conversations: one can be made.
    Conversations,
    /// A conversation.
    Conversation(&'a str),
    /// Its items.
    Items(&'a str),
    /// One of them.
    Item(&'a str, &'a str),
}

impl<'a> Resource<'a> {
    /// What a path stands for, with or without `/openai` and `/v1`.
    pub fn at(path: &'a str) -> Option<Self> {
        let path = path.strip_suffix('/').unwrap_or(path);
        let path = path.strip_prefix("/openai").unwrap_or(path);
        let path = path.strip_prefix("/v1").unwrap_or(path);
        let names: Vec<&str> = path.strip_prefix('/')?.splitn(5, '/').collect();
        if names.iter().any(|name| name.is_empty()) {
            return None;
        }
        Some(match *names.as_slice() {
            ["responses", id] => Self::Response(id),
            ["responses", id, "input_items"] => Self::InputItems(id),
            ["responses", id, "cancel"] => Self::Cancel(id),
            ["conversations"] => Self::Conversations,
            ["conversations", id] => Self::Conversation(id),
            ["conversations", id, "items"] => Self::Items(id),
            ["conversations", id, "items", item] => Self::Item(id, item),
            _ => return None,
        })
    }

    /// The methods that it knows.
    pub fn methods(self) -> &'static str {
        match self {
            Self::Response(_) | Self::Item(..) => "GET, DELETE",
            Self::InputItems(_) => "GET",
            Self::Cancel(_) | Self::Conversations => "POST",
            Self::Conversation(_) => "GET, POST, DELETE",
            Self::Items(_) => "GET, POST",
        }
    }

    /// Whether it knows this method.
    pub fn allows(self, method: &Method) -> bool {
        self.methods().split(", ").any(|name| method == name)
    }
}

/// Which items of a list are wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    limit: usize,
    is_ascending: bool,
    after: Option<String>,
}

impl Page {
    /// What the query of an address asks for.
    ///
    /// # Errors
    /// `invalid_request`, with the parameter that makes no sense.
    pub fn of(query: Option<&str>) -> Result<Self, Error> {
        let mut page = Self { limit: PAGE, is_ascending: false, after: None };
        let wrong = |name, what: &'static str| Err(Error::new(ErrorCode::InvalidRequest, what).with_param(name));
        for (name, value) in query.unwrap_or_default().split('&').filter_map(|pair| pair.split_once('=')) {
            match (name, value) {
                ("limit", value) => match value.parse() {
                    Ok(limit @ 1..=PAGE_MAX) => page.limit = limit,
                    _ => return wrong("limit", "`limit` must be a number from 1 to 100"),
                },
                ("order", "asc") => page.is_ascending = true,
                ("order", "desc") => page.is_ascending = false,
                ("order", _) => return wrong("order", "`order` must be asc or desc"),
                ("after", id) if !id.is_empty() => page.after = Some(id.to_owned()),
                _ => {}
            }
        }
        Ok(page)
    }

    /// The list of the wanted ones among these, which are in the order of the conversation, by id and JSON.
    ///
    /// # Errors
    /// `invalid_request`, if there is no item to list from.
    pub fn list<'i>(&self, items: impl DoubleEndedIterator<Item = (&'i str, &'i str)>) -> Result<Bytes, Error> {
        let mut ordered: Vec<(&str, &str)> = if self.is_ascending { items.collect() } else { items.rev().collect() };
        if let Some(after) = &self.after {
            // Clients may give an id twice: the last one, so that a list always ends.
            let Some(place) = ordered.iter().rposition(|(id, _)| id == after) else {
                let error = Error::new(ErrorCode::InvalidRequest, "`after` names no item of this list");
                return Err(error.with_param("after"));
            };
            ordered.drain(..=place);
        }
        let has_more = ordered.len() > self.limit;
        ordered.truncate(self.limit);
        Ok(list(&ordered, has_more))
    }
}

/// A list of items, by id and JSON.
pub fn list(items: &[(&str, &str)], has_more: bool) -> Bytes {
    let data: Vec<&str> = items.iter().map(|(_, json)| *json).collect();
    let id = |item: Option<&(&str, &str)>| Value::from(item.map_or("", |(id, _)| *id));
    Bytes::from(format!(
        r#"{{"object":"list","data":[{}],"first_id":{},"last_id":{},"has_more":{has_more}}}"#,
        data.join(","),
        id(items.first()),
        id(items.last()),
    ))
}

/// What a request about a conversation says.
#[derive(Debug, Default)]
pub struct Given {
    /// Its metadata, if it says something of them.
    pub metadata: Option<Object>,
    /// Items to be added.
    pub items: Vec<StoredItem>,
}

impl Given {
    /// Reads the body of a request; nothing is said by an empty one.
    ///
    /// # Errors
    /// `invalid_json`, or `invalid_request` with the parameter.
    pub fn read(body: &[u8], id_base: &str) -> Result<Self, Error> {
        if body.trim_ascii().is_empty() {
            return Ok(Self::default());
        }
        let body: Value = serde_json::from_slice(body)
            .map_err(|_| Error::new(ErrorCode::InvalidJson, "the body is not valid JSON"))?;
        let Value::Object(body) = body else {
            return Err(Error::new(ErrorCode::InvalidRequest, "the body must be a JSON object"));
        };
        let items = given_items(&body, "items", id_base)?;
        if items.len() > ITEMS_AT_ONCE_MAX {
            let message =
                format!("`items` may hold {ITEMS_AT_ONCE_MAX} items at once; send the rest in other requests");
            return Err(Error::new(ErrorCode::InvalidRequest, message).with_param("items"));
        }
        // What no request may hold must not be found out when it is continued.
        super::stored::messages(items.iter().map(|item| item.json.as_str()))?;
        let metadata = Node::top(&body).object("metadata")?.map(|metadata| metadata.object.clone());
        if let Some(metadata) = &metadata {
            check_metadata(metadata)?;
        }
        Ok(Self { metadata, items })
    }
}

fn check_metadata(metadata: &Object) -> Result<(), Error> {
    let fits = |(name, value): (&String, &Value)| {
        let is_short = |text: &str| text.chars().count() <= METADATA_VALUE_CHARS_MAX;
        name.chars().count() <= METADATA_NAME_CHARS_MAX && value.as_str().is_some_and(is_short)
    };
    if metadata.len() <= METADATA_MAX && metadata.iter().all(fits) {
        return Ok(());
    }
    let message = "`metadata` may hold 16 texts of 512 characters, under names of 64 characters";
    Err(Error::new(ErrorCode::InvalidRequest, message).with_param("metadata"))
}

/// The object that stands for a conversation.
pub fn conversation(id: &str, created_s: u64, metadata: &Object) -> Bytes {
    let object = json!({"id": id, "object": "conversation", "created_at": created_s, "metadata": metadata});
    Bytes::from(object.to_string())
}

/// What is answered when something was deleted (`response`, `conversation.deleted`).
pub fn deleted(id: &str, object: &str) -> Bytes {
    Bytes::from(json!({"id": id, "object": object, "deleted": true}).to_string())
}

/// The answer of `POST /responses/input_tokens`.
pub fn input_tokens(tokens: u64) -> Bytes {
    Bytes::from(json!({"object": "response.input_tokens", "input_tokens": tokens}).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_address_stands_for_one_thing_with_or_without_prefix() {
        for prefix in ["", "/v1", "/openai/v1"] {
            for (path, expected) in [
                ("/responses/r", Resource::Response("r")),
                ("/responses/r/", Resource::Response("r")),
                ("/responses/r/input_items", Resource::InputItems("r")),
                ("/responses/r/cancel", Resource::Cancel("r")),
                ("/conversations", Resource::Conversations),
                ("/conversations/c", Resource::Conversation("c")),
                ("/conversations/c/items", Resource::Items("c")),
                ("/conversations/c/items/i", Resource::Item("c", "i")),
            ] {
                assert_eq!(Resource::at(&format!("{prefix}{path}")), Some(expected), "{path}");
            }
        }
        for path in ["/v1/responses", "/v1/responses//cancel", "/v1/conversations/c/items/i/j", "/v1/chat/completions"]
        {
            assert_eq!(Resource::at(path), None, "{path}");
        }
        assert!(Resource::Conversation("c").allows(&Method::DELETE) && !Resource::Conversations.allows(&Method::GET));
    }

    #[test]
    fn a_list_is_given_page_by_page_in_either_order() {
        let items = [("a", "1"), ("b", "2"), ("c", "3")];
        let list = |query: &str| {
            let list = Page::of(Some(query)).unwrap().list(items.iter().copied()).unwrap();
            let list: Value = serde_json::from_slice(&list).unwrap();
            (list["data"].to_string(), list["first_id"].as_str().unwrap().to_owned(), list["has_more"] == true)
        };
        assert_eq!(list(""), ("[3,2,1]".to_owned(), "c".to_owned(), false));
        assert_eq!(list("order=asc&limit=2"), ("[1,2]".to_owned(), "a".to_owned(), true));
        assert_eq!(list("order=asc&after=b"), ("[3]".to_owned(), "c".to_owned(), false));
        assert_eq!(list("after=a"), ("[]".to_owned(), String::new(), false));
        let twice = [("a", "1"), ("a", "2"), ("b", "3")];
        let rest = Page::of(Some("order=asc&after=a")).unwrap().list(twice.iter().copied()).unwrap();
        assert!(String::from_utf8_lossy(&rest).contains("[3]"));
        for wrong in ["limit=0", "limit=101", "limit=x", "order=up"] {
            assert!(Page::of(Some(wrong)).is_err(), "{wrong}");
        }
        assert!(Page::of(Some("after=z")).unwrap().list(items.iter().copied()).is_err());
    }

    #[test]
    fn what_openai_would_refuse_is_refused() {
        let read = |body: Value| Given::read(body.to_string().as_bytes(), "1");
        assert!(Given::read(b"", "1").unwrap().metadata.is_none());
        assert_eq!(read(json!({"metadata": {"a": "b"}, "items": null})).unwrap().metadata.unwrap().len(), 1);
        let many: Vec<Value> = (0..21).map(|_| json!({"role": "user", "content": "x"})).collect();
        let long = "x".repeat(513);
        for body in [
            json!([]),
            json!({"metadata": {"a": 1}}),
            json!({"metadata": {"a": long}}),
            json!({"items": many}),
            json!({"items": [{"role": "nobody", "content": "x"}]}),
        ] {
            assert!(read(body.clone()).is_err(), "{body}");
        }
    }
}
