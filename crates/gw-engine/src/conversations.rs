//! Conversations that clients of the Responses API continue by the id of an answer, for providers that keep none.
//!
//! They are kept in memory, the oldest go first, and a restart forgets them all. Who presents another key does not find
//! them.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use gw_core::chat::{ChatAnswer, Collector, Event, Message, Role};
use parking_lot::Mutex;

/// Answers that can be continued.
const TURNS_MAX: usize = 10_000;

/// All conversations of the process.
pub struct Conversations {
    kept: Mutex<Kept>,
    bytes: Arc<AtomicUsize>,
    bytes_max: usize,
}

#[derive(Default)]
struct Kept {
    by_id: HashMap<Box<str>, Arc<Turn>>,
    /// The ids, the oldest first.
    ids: VecDeque<Box<str>>,
}

/// What was asked and answered, and what it continued.
struct Turn {
    previous: Option<Arc<Turn>>,
    messages: Vec<Message>,
    key_name: Option<Arc<str>>,
    bytes: usize,
    all_bytes: Arc<AtomicUsize>,
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.all_bytes.fetch_sub(self.bytes, Ordering::Relaxed);
        // A long conversation must not be dropped by recursion.
        let mut previous = self.previous.take();
        while let Some(mut turn) = previous.and_then(Arc::into_inner) {
            previous = turn.previous.take();
        }
    }
}

impl Conversations {
    /// Keeps about so many bytes of them.
    pub fn new(bytes_max: usize) -> Self {
        Self { kept: Mutex::default(), bytes: Arc::default(), bytes_max }
    }

    /// The conversation up to an answer.
    pub(crate) fn find(&self, id: &str, key_name: Option<&Arc<str>>) -> Option<Earlier> {
        let turn = self.kept.lock().by_id.get(id).cloned()?;
        (turn.key_name.as_ref() == key_name).then_some(Earlier(turn))
    }

    fn keep(&self, id: &str, turn: Turn) {
        self.bytes.fetch_add(turn.bytes, Ordering::Relaxed);
        let mut kept = self.kept.lock();
        kept.by_id.insert(Box::from(id), Arc::new(turn));
        kept.ids.push_back(Box::from(id));
        while kept.ids.len() > TURNS_MAX || self.bytes.load(Ordering::Relaxed) > self.bytes_max {
            let Some(oldest) = kept.ids.pop_front() else { break };
            // Those who continue it still hold it.
            kept.by_id.remove(&oldest);
        }
    }
}

/// A conversation up to an answer.
pub(crate) struct Earlier(Arc<Turn>);

impl Earlier {
    /// Its messages, in order.
    pub(crate) fn messages(&self) -> Vec<Message> {
        let mut turns = vec![&self.0];
        while let Some(previous) = turns.last().and_then(|turn| turn.previous.as_ref()) {
            turns.push(previous);
        }
        turns.into_iter().rev().flat_map(|turn| turn.messages.iter().cloned()).collect()
    }
}

/// Keeps an answer, once it is whole, with what was asked.
pub(crate) struct Keeper {
    pub(crate) conversations: Arc<Conversations>,
    pub(crate) id: String,
    pub(crate) previous: Option<Earlier>,
    pub(crate) messages: Vec<Message>,
    pub(crate) key_name: Option<Arc<str>>,
    /// Bytes of the request.
    pub(crate) bytes: usize,
    pub(crate) collector: Collector,
}

impl Keeper {
    /// A piece of the answer.
    pub(crate) fn push(&mut self, event: &Event) {
        self.collector.push(event.clone());
    }

    /// The answer came in pieces, and is whole; it took so many bytes.
    pub(crate) fn keep_collected(mut self, bytes: usize) {
        let answer = std::mem::take(&mut self.collector).into_answer();
        self.keep(&answer, bytes);
    }

    /// The answer came whole.
    pub(crate) fn keep(mut self, answer: &ChatAnswer, bytes: usize) {
        if let Some(candidate) = answer.candidates.first() {
            self.messages.push(Message::new(Role::Assistant, candidate.parts.clone()));
        }
        let turn = Turn {
            previous: self.previous.map(|earlier| earlier.0),
            messages: self.messages,
            key_name: self.key_name,
            bytes: self.bytes + bytes,
            all_bytes: Arc::clone(&self.conversations.bytes),
        };
        self.conversations.keep(&self.id, turn);
    }
}

#[cfg(test)]
mod tests {
    use gw_core::chat::Candidate;

    use super::*;

    fn say(conversations: &Arc<Conversations>, id: &str, previous: Option<&str>, key: Option<&str>) {
        let key_name: Option<Arc<str>> = key.map(Arc::from);
        let keeper = Keeper {
            conversations: Arc::clone(conversations),
            id: id.to_owned(),
            previous: previous.and_then(|id| conversations.find(id, key_name.as_ref())),
            messages: vec![Message::new(Role::User, vec![format!("ask {id}").into()])],
            key_name,
            bytes: 600,
            collector: Collector::default(),
        };
        let parts = vec![format!("answer {id}").into()];
        let answer =
            ChatAnswer { candidates: vec![Candidate { parts, ..Candidate::default() }], ..ChatAnswer::default() };
        keeper.keep(&answer, 400);
    }

    #[test]
    fn a_conversation_is_found_by_any_of_its_answers_and_can_branch() {
        let conversations = Arc::new(Conversations::new(1 << 20));
        say(&conversations, "a", None, None);
        say(&conversations, "b", Some("a"), None);
        say(&conversations, "c", Some("a"), None);
        assert_eq!(conversations.find("a", None).unwrap().messages().len(), 2);
        for (id, last) in [("b", "answer b"), ("c", "answer c")] {
            let messages = conversations.find(id, None).unwrap().messages();
            assert_eq!(messages.len(), 4);
            assert_eq!(messages[0].parts, ["ask a".into()]);
            assert_eq!(messages[3].parts, [last.into()]);
        }
    }

    #[test]
    fn a_conversation_is_its_keys_own() {
        let conversations = Arc::new(Conversations::new(1 << 20));
        say(&conversations, "a", None, Some("shop"));
        assert!(conversations.find("a", Some(&Arc::from("shop"))).is_some());
        assert!(conversations.find("a", Some(&Arc::from("other"))).is_none());
        assert!(conversations.find("a", None).is_none());
    }

    #[test]
    fn the_oldest_go_when_there_is_no_room_but_not_from_under_those_who_continue_them() {
        let conversations = Arc::new(Conversations::new(2_500));
        say(&conversations, "a", None, None);
        say(&conversations, "b", Some("a"), None);
        say(&conversations, "c", None, None);
        assert!(conversations.find("a", None).is_none());
        say(&conversations, "d", None, None);
        assert!(conversations.find("c", None).is_some() || conversations.find("d", None).is_some());
        assert!(conversations.bytes.load(Ordering::Relaxed) <= 2_500);
        for number in 0..50_000 {
            let previous = format!("{}", number - 1);
            say(&conversations, &number.to_string(), Some(&previous), None);
        }
        drop(conversations);
    }
}
