//! Keeps an answer once it is whole, or remembers who keeps it.

use std::sync::Arc;
use std::time::SystemTime;

use gw_core::chat::{Collector, Event};
use gw_dialects::anthropic_messages::thread::{self, Fixed};
use gw_dialects::chat::{Asked, Ingress};
use gw_dialects::openai_responses::answered_items;

use super::{Change, Conversations, Item, Key, Owner, Response, Stored, Thread};

/// What is to be kept once there is an answer.
pub(crate) enum ToKeep {
    /// Of the Responses API.
    Response(ToKeepResponse),
    /// Of Anthropic's Messages.
    Thread(ToKeepThread),
}

/// An answer of the Responses API that is to be kept.
pub(crate) struct ToKeepResponse {
    pub(crate) conversations: Arc<Conversations>,
    pub(crate) owner: Owner,
    pub(crate) now: SystemTime,
    /// The answer's id; `None` if it is not to be kept.
    pub(crate) id: Option<String>,
    /// The conversation that it belongs to.
    pub(crate) conversation: Option<String>,
    /// What it continues.
    pub(crate) earlier: Vec<Arc<Item>>,
    /// What is asked.
    pub(crate) input: Vec<Arc<Item>>,
}

/// A thread of Anthropic's Messages that is to be kept.
pub(crate) struct ToKeepThread {
    pub(crate) conversations: Arc<Conversations>,
    pub(crate) owner: Owner,
    pub(crate) now: SystemTime,
    /// What every request of the thread has besides its messages.
    pub(crate) fixed: Arc<[Fixed]>,
    /// Everything that was said and is asked.
    pub(crate) messages: Vec<Arc<Item>>,
}

impl ToKeep {
    /// The answer is whole: this is its object.
    pub(crate) fn keep(self, body: &[u8]) {
        match self {
            Self::Response(response) => response.keep(body),
            Self::Thread(thread) => thread.keep(body),
        }
    }
}

impl ToKeepThread {
    fn keep(self, body: &[u8]) {
        let Self { conversations, owner, now, fixed, mut messages } = self;
        if let Some((id, answer)) = thread::answered(body) {
            messages.extend(conversations.messages(answer.into_iter().collect()));
            conversations.store().put(Key::new(&owner, &id), Stored::Thread(Thread { fixed, messages }), now);
        }
    }
}

impl ToKeepResponse {
    fn keep(self, body: &[u8]) {
        let Self { conversations, owner, now, id, conversation, earlier, input } = self;
        let output = conversations.items(answered_items(body));
        let store = conversations.store();
        if let Some(conversation) = conversation {
            let said = input.iter().chain(&output).map(Arc::clone).collect();
            store.change(&Key::new(&owner, &conversation), Change::Append(said), now);
        }
        if let Some(id) = id {
            let asked = earlier.len() + input.len();
            let items = [earlier, input, output].concat();
            let response = Response { body: body.to_vec().into(), items, asked };
            store.put(Key::new(&owner, &id), Stored::Response(response), now);
        }
    }
}

/// Keeps an answer that comes in pieces.
pub(crate) struct Keeper {
    to_keep: ToKeep,
    ingress: &'static dyn Ingress,
    asked: Asked,
    collector: Collector,
}

impl Keeper {
    /// Nothing has come yet.
    pub(crate) fn new(to_keep: ToKeep, ingress: &'static dyn Ingress, asked: Asked) -> Self {
        Self { to_keep, ingress, asked, collector: Collector::default() }
    }

    /// A piece of the answer.
    pub(crate) fn push(&mut self, event: &Event) {
        self.collector.push(event.clone());
    }

    /// The answer is whole.
    pub(crate) fn keep(self) {
        let answer = self.collector.into_answer();
        self.to_keep.keep(&self.ingress.encode_answer(&answer, &self.asked));
    }
}

/// Remembers which provider keeps an answer.
pub(crate) struct Remember {
    pub(crate) conversations: Arc<Conversations>,
    pub(crate) owner: Owner,
    pub(crate) now: SystemTime,
    pub(crate) provider: Arc<str>,
}

impl Remember {
    /// This is its id.
    pub(crate) fn under(&self, id: &str) {
        if !id.is_empty() {
            let stored = Stored::Elsewhere(Arc::clone(&self.provider));
            self.conversations.store().put(Key::new(&self.owner, id), stored, self.now);
        }
    }
}
