//! Keeps everything in memory, within bounds of bytes, number and age.

use std::collections::{HashMap, VecDeque};
use std::future::ready;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use parking_lot::Mutex;

use super::{Change, Conversation, Counter, Held, Item, Key, Reading, Store, Stored};

/// Things that are kept.
const STORED_MAX: usize = 10_000;
/// What nobody has changed for so long is forgotten, as OpenAI forgets answers.
const AGE_MAX: Duration = Duration::from_secs(30 * 24 * 60 * 60);
/// What keeping something takes besides what it says.
const STORED_BYTES: usize = 256;

/// Everything, in memory. What is over the bounds goes, the longest untouched first.
pub(super) struct Memory {
    contents: Mutex<Contents>,
    bytes: Counter,
    bytes_max: usize,
}

#[derive(Default)]
struct Contents {
    by_key: HashMap<Key, Slot>,
    /// In the order in which they were written; one that was written again stands there twice, and only the last counts.
    order: VecDeque<(u64, Key)>,
    writes: u64,
}

struct Slot {
    stored: Arc<Stored>,
    written: u64,
    at: SystemTime,
    _held: Held,
}

impl Memory {
    pub(super) fn new(bytes_max: usize, bytes: Counter) -> Self {
        Self { contents: Mutex::default(), bytes, bytes_max }
    }

    fn write(&self, contents: &mut Contents, key: Key, stored: Stored, now: SystemTime) {
        let own = match &stored {
            Stored::Response(response) => response.body.len() + response.items.len() * size_of::<Arc<Item>>(),
            Stored::Conversation(conversation) => {
                let metadata = conversation.metadata.iter();
                let said = metadata.map(|(name, value)| name.len() + value.as_str().unwrap_or_default().len());
                said.sum::<usize>() + conversation.items.len() * size_of::<Arc<Item>>()
            }
            Stored::Elsewhere(_) => 0,
            Stored::Thread(thread) => {
                let fixed: usize = thread.fixed.iter().map(|(_, value)| value.len()).sum();
                fixed + thread.messages.len() * size_of::<Arc<Item>>()
            }
        };
        contents.writes += 1;
        let _held = self.bytes.hold(STORED_BYTES + own);
        contents.order.push_back((contents.writes, key.clone()));
        contents.by_key.insert(key, Slot { stored: Arc::new(stored), written: contents.writes, at: now, _held });
        self.shrink(contents, now);
    }

    /// Forgets what is over the bounds. Those who work with it still hold it.
    fn shrink(&self, contents: &mut Contents, now: SystemTime) {
        loop {
            let Some((written, key)) = contents.order.front() else { return };
            let slot = contents.by_key.get(key).filter(|slot| slot.written == *written);
            let is_over = contents.by_key.len() > STORED_MAX
                || self.bytes.total() > self.bytes_max
                || contents.order.len() > 2 * STORED_MAX;
            if slot.is_some_and(|slot| !is_over && !is_old(slot.at, now)) {
                return;
            }
            let is_current = slot.is_some();
            if let Some((_, key)) = contents.order.pop_front()
                && is_current
            {
                contents.by_key.remove(&key);
            }
        }
    }
}

fn is_old(at: SystemTime, now: SystemTime) -> bool {
    now.duration_since(at).is_ok_and(|age| age > AGE_MAX)
}

impl Store for Memory {
    fn get<'a>(&'a self, key: &'a Key, now: SystemTime) -> Reading<'a> {
        let contents = self.contents.lock();
        let slot = contents.by_key.get(key).filter(|slot| !is_old(slot.at, now));
        Box::pin(ready(slot.map(|slot| Arc::clone(&slot.stored))))
    }

    fn put(&self, key: Key, stored: Stored, now: SystemTime) {
        self.write(&mut self.contents.lock(), key, stored, now);
    }

    fn change(&self, key: &Key, change: Change, now: SystemTime) {
        let mut contents = self.contents.lock();
        let stored = contents.by_key.get(key).filter(|slot| !is_old(slot.at, now)).map(|slot| Arc::clone(&slot.stored));
        let Some(Stored::Conversation(conversation)) = stored.as_deref() else { return };
        let mut conversation = Conversation::clone(conversation);
        match change {
            Change::Append(items) => conversation.items.extend(items),
            Change::Remove(id) => conversation.items.retain(|item| item.id != id),
            Change::Metadata(metadata) => conversation.metadata = metadata,
        }
        self.write(&mut contents, key.clone(), Stored::Conversation(conversation), now);
    }

    fn remove(&self, key: &Key) {
        self.contents.lock().by_key.remove(key);
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use gw_dialects::openai_responses::StoredItem;
    use serde_json::Map;

    use super::super::{Conversations, Owner, Response, Thread};
    use super::*;

    const NOW: SystemTime = SystemTime::UNIX_EPOCH;

    fn key(owner: Option<&str>, id: &str) -> Key {
        Key::new(&Owner::of(owner.map(Arc::from).as_ref(), None), id)
    }

    fn item(house: &Conversations, id: &str, bytes: usize) -> Vec<Arc<Item>> {
        house.items(vec![StoredItem { id: id.to_owned(), json: "x".repeat(bytes) }])
    }

    fn get(house: &Conversations, key: &Key, now: SystemTime) -> Option<Arc<Stored>> {
        let mut reading = house.store().get(key, now);
        match reading.as_mut().poll(&mut std::task::Context::from_waker(std::task::Waker::noop())) {
            std::task::Poll::Ready(stored) => stored,
            std::task::Poll::Pending => panic!("memory answers at once"),
        }
    }

    fn say(house: &Conversations, key: &Key, earlier: Option<&Key>) {
        let before = earlier.and_then(|key| get(house, key, NOW));
        let mut items = match before.as_deref() {
            Some(Stored::Response(response)) => response.items.clone(),
            _ => Vec::new(),
        };
        items.extend(item(house, "i", 1_000));
        let response = Response { body: Bytes::from_static(b"{}"), asked: items.len(), items };
        house.store().put(key.clone(), Stored::Response(response), NOW);
    }

    #[test]
    fn what_one_key_keeps_no_other_finds() {
        let house = Conversations::new(1 << 20);
        say(&house, &key(Some("shop"), "a"), None);
        assert!(get(&house, &key(Some("shop"), "a"), NOW).is_some());
        assert!(get(&house, &key(Some("other"), "a"), NOW).is_none());
        assert!(get(&house, &key(None, "a"), NOW).is_none());
        let foreign = |text| Owner::of(None, Some(text));
        assert_ne!(foreign("sk-1"), foreign("sk-2"));
        assert_ne!(Owner::of(None, None), foreign("sk-1"));
    }

    #[test]
    fn the_oldest_go_when_there_is_no_room_but_not_from_under_those_who_continue_them() {
        let house = Conversations::new(3_700);
        say(&house, &key(None, "a"), None);
        say(&house, &key(None, "b"), Some(&key(None, "a")));
        say(&house, &key(None, "c"), None);
        assert!(get(&house, &key(None, "a"), NOW).is_none());
        let Some(b) = get(&house, &key(None, "b"), NOW) else { panic!("still there") };
        assert!(matches!(&*b, Stored::Response(response) if response.items.len() == 2));
        drop(b);
        for number in 1..20_000_u32 {
            say(&house, &key(None, &number.to_string()), Some(&key(None, &(number - 1).to_string())));
            assert!(house.bytes.total() <= 3_700);
        }
    }

    #[test]
    fn everything_that_is_counted_is_given_back() {
        let house = Conversations::new(1 << 20);
        say(&house, &key(None, "a"), None);
        say(&house, &key(None, "a"), Some(&key(None, "a")));
        house.store().remove(&key(None, "a"));
        let (fixed, messages) = ([("system", "x".repeat(50).into())].into(), house.messages(vec!["{}".to_owned()]));
        house.store().put(key(None, "thread"), Stored::Thread(Thread { fixed, messages }), NOW);
        assert!(house.bytes.total() > STORED_BYTES + 50);
        house.store().remove(&key(None, "thread"));
        assert_eq!(house.bytes.total(), 0);
    }

    #[test]
    fn what_nobody_touches_for_a_month_is_forgotten() {
        let house = Conversations::new(1 << 20);
        let (old, later) = (key(None, "old"), NOW + AGE_MAX + Duration::from_secs(1));
        say(&house, &old, None);
        assert!(get(&house, &old, NOW + AGE_MAX).is_some());
        assert!(get(&house, &old, later).is_none());
        house.store().put(key(None, "new"), Stored::Elsewhere(Arc::from("p")), later);
        assert_eq!(house.bytes.total(), STORED_BYTES);
    }

    #[test]
    fn a_conversation_is_changed_in_its_place() {
        let house = Conversations::new(1 << 20);
        let key = key(None, "conv");
        let conversation = Conversation { created_s: 1, metadata: Map::new(), items: item(&house, "first", 10) };
        house.store().put(key.clone(), Stored::Conversation(conversation), NOW);
        house.store().change(&key, Change::Append(item(&house, "second", 10)), NOW);
        house.store().change(&key, Change::Remove("first".into()), NOW);
        house.store().change(&key, Change::Metadata(Map::from_iter([("a".to_owned(), "b".into())])), NOW);
        let Some(stored) = get(&house, &key, NOW) else { panic!("it is there") };
        let Stored::Conversation(read) = &*stored else { panic!("a conversation") };
        assert_eq!((read.items.len(), &*read.items[0].id, read.metadata.len()), (1, "second", 1));
    }
}
