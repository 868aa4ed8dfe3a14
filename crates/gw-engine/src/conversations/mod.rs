//! What the Responses API keeps: answers, conversations, and which provider keeps what the gateway does not; and threads of
//! Anthropic's Messages.
//!
//! It stands behind a port, [`Store`]: the one that there is keeps everything in memory ([`memory`]), the oldest go first,
//! and a restart forgets it all. Who presents another key does not find it.

mod keeper;
mod memory;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::SystemTime;

use bytes::Bytes;
use gw_dialects::anthropic_messages::thread::Fixed;
use gw_dialects::openai_responses::StoredItem;
use serde_json::{Map, Value};

pub(crate) use keeper::{Keeper, Remember, ToKeep, ToKeepResponse, ToKeepThread};

use memory::Memory;

/// Whose something is: nobody else finds it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Owner(Arc<str>);

impl Owner {
    /// The owner of what a caller leaves here: the name of its key, or the hash of one that is not ours.
    pub fn of(key_name: Option<&Arc<str>>, foreign_key: Option<&str>) -> Self {
        Self(match (key_name, foreign_key) {
            (Some(name), _) => format!("key {name}").into(),
            (None, Some(key)) => format!("foreign {}", blake3::hash(key.as_bytes()).to_hex()).into(),
            (None, None) => "nobody".into(),
        })
    }
}

/// Under what something is kept.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Key {
    owner: Owner,
    id: Box<str>,
}

impl Key {
    /// The key of what an owner has under an id.
    pub fn new(owner: &Owner, id: &str) -> Self {
        Self { owner: owner.clone(), id: Box::from(id) }
    }
}

/// What is kept.
#[derive(Debug)]
pub enum Stored {
    /// An answer.
    Response(Response),
    /// A conversation.
    Conversation(Conversation),
    /// An answer that a provider keeps under the same id: the provider's configured name.
    Elsewhere(Arc<str>),
    /// A conversation in Anthropic's Messages, up to an answer.
    Thread(Thread),
}

/// A conversation in Anthropic's Messages, up to an answer.
#[derive(Debug)]
pub struct Thread {
    /// What every request that continues it has besides.
    pub fixed: Arc<[Fixed]>,
    /// The messages; they have no ids.
    pub messages: Vec<Arc<Item>>,
}

/// An answer and what it was one to.
#[derive(Debug)]
pub struct Response {
    /// The object, as the client got it.
    pub body: Bytes,
    /// Everything said up to it, and in it.
    pub items: Vec<Arc<Item>>,
    /// How many of the items it was an answer to.
    pub asked: usize,
}

/// A conversation.
#[derive(Debug, Clone)]
pub struct Conversation {
    /// When it was made, in seconds since 1970.
    pub created_s: u64,
    /// The client's words about it.
    pub metadata: Map<String, Value>,
    /// What was said in it.
    pub items: Vec<Arc<Item>>,
}

/// An item, which answers and conversations share.
#[derive(Debug)]
pub struct Item {
    /// Its id.
    pub id: Box<str>,
    /// The item, in JSON.
    pub json: Box<str>,
    _held: Held,
}

/// A change of a conversation.
#[derive(Debug)]
pub enum Change {
    /// More was said.
    Append(Vec<Arc<Item>>),
    /// An item is taken out.
    Remove(Box<str>),
    /// The client says other words about it.
    Metadata(Map<String, Value>),
}

/// What a store is asked for, when it comes.
pub type Reading<'a> = Pin<Box<dyn Future<Output = Option<Arc<Stored>>> + Send + 'a>>;

/// Where it is all kept. What is written takes effect in the order of the calls, and is not waited for: a store that is
/// elsewhere queues it, within bounds.
pub trait Store: Send + Sync {
    /// What is kept under a key.
    fn get<'a>(&'a self, key: &'a Key, now: SystemTime) -> Reading<'a>;

    /// Keeps something, in place of what was there.
    fn put(&self, key: Key, stored: Stored, now: SystemTime);

    /// Changes a conversation, if it is there.
    fn change(&self, key: &Key, change: Change, now: SystemTime);

    /// Forgets something.
    fn remove(&self, key: &Key);
}

/// All that the process keeps.
pub struct Conversations {
    store: Box<dyn Store>,
    bytes: Counter,
}

impl Conversations {
    /// Keeps about so many bytes, in memory.
    pub fn new(bytes_max: usize) -> Self {
        let bytes = Counter::default();
        Self { store: Box::new(Memory::new(bytes_max, bytes.clone())), bytes }
    }

    /// Where it is kept.
    pub fn store(&self) -> &dyn Store {
        &*self.store
    }

    /// Messages to be kept.
    pub fn messages(&self, messages: Vec<String>) -> Vec<Arc<Item>> {
        self.items(messages.into_iter().map(|json| StoredItem { id: String::new(), json }).collect())
    }

    /// Items to be kept.
    pub fn items(&self, items: Vec<StoredItem>) -> Vec<Arc<Item>> {
        let counted = |item: StoredItem| {
            let bytes = item.id.len() + item.json.len() + size_of::<Item>();
            Arc::new(Item { id: item.id.into(), json: item.json.into(), _held: self.bytes.hold(bytes) })
        };
        items.into_iter().map(counted).collect()
    }
}

/// Bytes that are kept, wherever they hang.
#[derive(Debug, Clone, Default)]
pub(crate) struct Counter(Arc<AtomicUsize>);

impl Counter {
    fn hold(&self, bytes: usize) -> Held {
        self.0.fetch_add(bytes, Ordering::Relaxed);
        Held { bytes, counter: self.clone() }
    }

    fn total(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

/// Bytes that are counted until this is dropped.
#[derive(Debug)]
struct Held {
    bytes: usize,
    counter: Counter,
}

impl Drop for Held {
    fn drop(&mut self) {
        self.counter.0.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// How long they are when they are said again.
pub(crate) fn bytes_of(items: &[Arc<Item>]) -> usize {
    items.iter().map(|item| item.json.len()).sum()
}

/// Everything in the order in which it was said, by id and JSON.
pub(crate) fn pairs(items: &[Arc<Item>]) -> impl DoubleEndedIterator<Item = (&str, &str)> {
    items.iter().map(|item| (&*item.id, &*item.json))
}
