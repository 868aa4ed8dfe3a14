//! What the Responses API asks about what is kept: answers, what they were answers to, and conversations. What a provider
//! keeps is asked of the provider.

use bytes::{Bytes, BytesMut};
use gw_core::{Error, ErrorCode, RequestId};
use gw_dialects::openai_responses::resource::{self, Given, Page, Resource};
use gw_dialects::{DialectId, error as dialect_error};
use gw_http::RequestBody;
use gw_providers::attempt;
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderValue, Method, header};
use serde_json::{Map, Value};
use tokio::time::Instant;

use crate::conversations::{Change, Conversation, Key, Owner, Stored, pairs};
use crate::engine::Engine;
use crate::outgoing;
use crate::sending;
use crate::snapshot::{Credential, Provider, Snapshot};
use crate::whole::ANSWER_BYTES_MAX;

/// A request about what is kept.
pub struct StateCall<'a> {
    /// What it is about.
    pub resource: Resource<'a>,
    /// What is to be done; one of the methods that the resource knows.
    pub method: &'a Method,
    /// The query of its address.
    pub query: Option<&'a str>,
    /// Whose things it is about.
    pub owner: Owner,
    /// The key that the client presented, if it is not one of ours.
    pub foreign_key: Option<&'a str>,
    /// The body.
    pub body: Bytes,
    /// The gateway's id of the request: what new ids are made of.
    pub request_id: RequestId,
}

impl Engine {
    /// Answers a request about what is kept, in JSON.
    ///
    /// # Errors
    /// `response_not_found`, `conversation_not_found`, `invalid_request`, or what went wrong at the provider that keeps it.
    pub async fn state(&self, snapshot: &Snapshot, call: &StateCall<'_>) -> Result<Bytes, Error> {
        match call.resource {
            Resource::Response(id) | Resource::InputItems(id) | Resource::Cancel(id) => {
                self.response(snapshot, call, id).await
            }
            Resource::Conversations => self.make_conversation(call),
            Resource::Conversation(id) | Resource::Items(id) | Resource::Item(id, _) => {
                self.conversation(call, id).await
            }
        }
    }

    async fn response(&self, snapshot: &Snapshot, call: &StateCall<'_>, id: &str) -> Result<Bytes, Error> {
        let (ports, key) = (self.ports(), Key::new(&call.owner, id));
        let store = ports.conversations.store();
        if has_flag(call.query, "stream") {
            let message = "a stored answer is not streamed again; leave `stream` out";
            return Err(Error::new(ErrorCode::UnsupportedParameter, message).with_param("stream"));
        }
        let found = store.get(&key, ports.clock.now()).await;
        let response = match found.as_deref() {
            Some(Stored::Response(response)) => response,
            Some(Stored::Elsewhere(provider)) => {
                let providers = snapshot.models.providers();
                let provider = providers.iter().find(|known| known.name == *provider).ok_or_else(no_response)?;
                let answer = self.ask_keeper(snapshot, provider, call).await?;
                if call.method == Method::DELETE {
                    store.remove(&key);
                }
                return Ok(answer);
            }
            Some(Stored::Conversation(_) | Stored::Thread(_)) | None => return Err(no_response()),
        };
        match call.resource {
            Resource::InputItems(_) => {
                let asked = response.items.get(..response.asked).unwrap_or_default();
                Page::of(call.query)?.list(pairs(asked))
            }
            Resource::Cancel(_) => {
                let message = "only an answer that was asked for with `background` can be cancelled";
                Err(Error::new(ErrorCode::InvalidRequest, message))
            }
            _ if call.method == Method::DELETE => {
                store.remove(&key);
                Ok(resource::deleted(id, "response"))
            }
            _ => Ok(response.body.clone()),
        }
    }

    /// Asks the provider that keeps an answer.
    async fn ask_keeper(&self, snapshot: &Snapshot, provider: &Provider, call: &StateCall<'_>) -> Result<Bytes, Error> {
        let (ports, deadline) = (self.ports(), Instant::now() + snapshot.request_timeout.min(provider.total_timeout));
        let (path, headers) = (keepers_path(provider, call)?, headers(provider, call.foreign_key)?);
        let mut request = outgoing::of(call.method.clone(), path, headers, RequestBody::held([Bytes::new()]));
        let used = match provider.authenticator.as_deref() {
            Some(authenticator) => {
                let used = sending::authorize(authenticator, provider, ports, deadline, &mut request).await?;
                Some((authenticator, used))
            }
            None => None,
        };
        let sending = attempt::send(&provider.destination, &ports.pools, request, provider.timeouts, deadline);
        let failed = |error: attempt::AttemptError| {
            let message = format!("provider \"{}\", which keeps this answer, did not give it: {error}", provider.name);
            Error::new(ErrorCode::ProviderDisconnected, message)
        };
        let (parts, mut answer) = sending.await.map_err(failed)?.into_parts();
        if let Some((authenticator, used)) = used {
            authenticator.answered(&used, parts.status, &parts.headers, ports.clock);
        }
        let mut held = ports.held_bytes.nothing();
        let mut body = BytesMut::new();
        while let Some(piece) = answer.data().await {
            let piece = piece.map_err(failed)?;
            if body.len() + piece.len() > ANSWER_BYTES_MAX {
                return Err(gw_dialects::shared::refusal::invalid(&provider.name, "more than an answer may be"));
            }
            held.hold(body.len(), piece.len())?;
            body.extend_from_slice(&piece);
        }
        if parts.status.is_success() {
            return Ok(body.freeze());
        }
        Err(dialect_error::decode_error(dialect_error::Refusal {
            status: parts.status,
            headers: parts.headers,
            body: body.freeze(),
            provider: &provider.name,
            credential_is_callers: provider.credential == Credential::Missing,
            now: ports.clock.now(),
        }))
    }

    fn make_conversation(&self, call: &StateCall<'_>) -> Result<Bytes, Error> {
        let (ports, now) = (self.ports(), self.ports().clock.now());
        let given = Given::read(&call.body, call.request_id.as_str())?;
        let conversation = Conversation {
            created_s: ports.clock.unix_s(),
            metadata: given.metadata.unwrap_or_default(),
            items: ports.conversations.items(given.items),
        };
        let id = format!("conv_{}", call.request_id);
        let object = resource::conversation(&id, conversation.created_s, &conversation.metadata);
        ports.conversations.store().put(Key::new(&call.owner, &id), Stored::Conversation(conversation), now);
        Ok(object)
    }

    async fn conversation(&self, call: &StateCall<'_>, id: &str) -> Result<Bytes, Error> {
        let (ports, now, key) = (self.ports(), self.ports().clock.now(), Key::new(&call.owner, id));
        let store = ports.conversations.store();
        let found = store.get(&key, now).await;
        let Some(Stored::Conversation(conversation)) = found.as_deref() else { return Err(no_conversation()) };
        let object = |metadata: &Map<String, Value>| resource::conversation(id, conversation.created_s, metadata);
        let is = |method: Method| *call.method == method;
        match call.resource {
            Resource::Items(_) if is(Method::POST) => {
                let given = Given::read(&call.body, call.request_id.as_str())?;
                let items = ports.conversations.items(given.items);
                let list = resource::list(&pairs(&items).collect::<Vec<_>>(), false);
                store.change(&key, Change::Append(items), now);
                Ok(list)
            }
            Resource::Items(_) => Page::of(call.query)?.list(pairs(&conversation.items)),
            Resource::Item(_, item_id) => {
                let found = conversation.items.iter().find(|item| *item.id == *item_id).ok_or_else(no_conversation)?;
                if is(Method::GET) {
                    return Ok(Bytes::copy_from_slice(found.json.as_bytes()));
                }
                store.change(&key, Change::Remove(item_id.into()), now);
                Ok(object(&conversation.metadata))
            }
            _ if is(Method::DELETE) => {
                store.remove(&key);
                Ok(resource::deleted(id, "conversation.deleted"))
            }
            _ if is(Method::POST) => {
                let metadata = Given::read(&call.body, call.request_id.as_str())?.metadata.unwrap_or_default();
                let object = object(&metadata);
                store.change(&key, Change::Metadata(metadata), now);
                Ok(object)
            }
            _ => Ok(object(&conversation.metadata)),
        }
    }
}

/// Where a provider is asked for what it keeps: an id must not lead to another place there.
fn keepers_path(provider: &Provider, call: &StateCall<'_>) -> Result<PathAndQuery, Error> {
    let endpoint = provider.endpoint(DialectId::OpenAiResponses).ok_or_else(no_response)?;
    let (id, rest) = match call.resource {
        Resource::InputItems(id) => (id, "/input_items"),
        Resource::Cancel(id) => (id, "/cancel"),
        Resource::Response(id) => (id, ""),
        _ => return Err(no_response()),
    };
    if !id.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-')) {
        return Err(no_response());
    }
    // The endpoint's own query says which version of its API is spoken; a client's key is for the gateway.
    let own = endpoint.query().into_iter();
    let pairs = call.query.unwrap_or_default().split('&').filter(|pair| !pair.is_empty() && !pair.starts_with("key="));
    let query = own.chain(pairs).collect::<Vec<_>>().join("&");
    let separator = if query.is_empty() { "" } else { "?" };
    let path = format!("{}/{id}{rest}{separator}{query}", endpoint.path().trim_end_matches('/'));
    PathAndQuery::try_from(path).map_err(|_| no_response())
}

fn headers(provider: &Provider, foreign_key: Option<&str>) -> Result<HeaderMap, Error> {
    let mut headers = provider.headers.clone();
    headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
    headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    if provider.credential == Credential::Missing {
        let credential = foreign_key.and_then(|key| provider.credential_value(key));
        let (name, value) = credential.ok_or_else(|| crate::models::missing_credential(provider))?;
        headers.insert(name, value);
    }
    Ok(headers)
}

fn has_flag(query: Option<&str>, name: &str) -> bool {
    let pairs = query.unwrap_or_default().split('&').filter_map(|pair| pair.split_once('='));
    pairs.into_iter().any(|(key, value)| key == name && value.eq_ignore_ascii_case("true"))
}

fn no_response() -> Error {
    Error::new(
        ErrorCode::ResponseNotFound,
        "no answer is kept under this id; one that was made with `store: false` never was",
    )
}

fn no_conversation() -> Error {
    Error::new(ErrorCode::ConversationNotFound, "no conversation, or no such item of one, is kept under this id")
}
