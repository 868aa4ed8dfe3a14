//! Where files, batches and jobs are kept, and whose they are: learnt from the answers in which providers name them.
//!
//! They are known to this process only, the oldest are forgotten first, and a restart forgets them all.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use gw_core::{Error, ErrorCode};
use parking_lot::Mutex;

/// Objects that are remembered.
const HOMES_MAX: usize = 100_000;
/// Longer ids are not remembered.
const ID_BYTES_MAX: usize = 256;

/// Where objects are kept, and whose they are.
#[derive(Default)]
pub struct Homes {
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    by_id: HashMap<Box<str>, Home>,
    /// The ids, the oldest first.
    ids: VecDeque<Box<str>>,
}

#[derive(Clone)]
struct Home {
    provider: Arc<str>,
    owner: Option<Arc<str>>,
}

/// Who asks.
#[derive(Clone, Copy)]
pub(crate) struct Asker<'a> {
    /// The name of the caller's key, if it has one.
    pub(crate) key_name: Option<&'a Arc<str>>,
    /// Whether what others keep is for everyone.
    pub(crate) shared: bool,
}

impl Asker<'_> {
    /// Whether there is anything that is not for the asker to see.
    pub(crate) fn is_limited(self) -> bool {
        self.key_name.is_some() && !self.shared
    }
}

impl Homes {
    /// The provider that keeps an object; `None` if that is not known and the asker may use it wherever it is.
    ///
    /// # Errors
    /// `object_not_found`, if it is not for the asker.
    pub(crate) fn find(&self, id: &str, asker: Asker<'_>) -> Result<Option<Arc<str>>, Error> {
        let home = self.kept.lock().by_id.get(id).cloned();
        match home {
            Some(home) if asker.shared || home.owner.as_ref() == asker.key_name => Ok(Some(home.provider)),
            None if !asker.is_limited() => Ok(None),
            Some(_) | None => Err(not_found()),
        }
    }

    /// Whether the asker may see an object: as in [`find`](Self::find).
    pub(crate) fn is_for(&self, id: &str, asker: Asker<'_>) -> bool {
        match self.kept.lock().by_id.get(id) {
            Some(home) => asker.shared || home.owner.as_ref() == asker.key_name,
            None => !asker.is_limited(),
        }
    }

    /// A provider named an object to a caller. Whose it is does not change.
    pub(crate) fn remember(&self, id: &str, provider: &Arc<str>, owner: Option<&Arc<str>>) {
        let mut kept = self.kept.lock();
        if id.is_empty() || id.len() > ID_BYTES_MAX || kept.by_id.contains_key(id) {
            return;
        }
        kept.by_id.insert(Box::from(id), Home { provider: Arc::clone(provider), owner: owner.cloned() });
        kept.ids.push_back(Box::from(id));
        while kept.ids.len() > HOMES_MAX {
            let Some(oldest) = kept.ids.pop_front() else { break };
            kept.by_id.remove(&oldest);
        }
    }
}

/// What is not for the asker, or not known.
pub(crate) fn not_found() -> Error {
    let message = "this id is not known here as one that the same key has made since the gateway started; make it through \
                   this gateway, or let all callers share what a provider keeps (relay.shared_storage)";
    Error::new(ErrorCode::ObjectNotFound, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_is_found_by_the_key_that_made_it_and_by_no_other_unless_all_share() {
        let homes = Homes::default();
        let [openai, shop, other]: [Arc<str>; 3] = ["openai".into(), "shop".into(), "other".into()];
        let asks = |key_name, shared| Asker { key_name, shared };
        homes.remember("file-1", &openai, Some(&shop));
        homes.remember("file-1", &openai, Some(&other));
        homes.remember("file-2", &openai, None);
        assert_eq!(homes.find("file-1", asks(Some(&shop), false)).unwrap(), Some(Arc::clone(&openai)));
        for (id, key_name) in [("file-1", Some(&other)), ("file-1", None), ("file-2", Some(&shop)), ("x", Some(&shop))]
        {
            assert_eq!(homes.find(id, asks(key_name, false)).unwrap_err().code, ErrorCode::ObjectNotFound, "{id}");
            assert!(homes.find(id, asks(key_name, true)).is_ok(), "{id}");
        }
        assert_eq!(homes.find("x", asks(None, false)).unwrap(), None);
        assert!(homes.is_for("file-1", asks(Some(&shop), false)) && !homes.is_for("file-1", asks(Some(&other), false)));
    }

    #[test]
    fn the_oldest_are_forgotten_first() {
        let homes = Homes::default();
        let provider: Arc<str> = "openai".into();
        for number in 0..=HOMES_MAX {
            homes.remember(&number.to_string(), &provider, None);
        }
        let asker = Asker { key_name: None, shared: false };
        assert_eq!(homes.find("0", asker).unwrap(), None);
        assert!(homes.find("1", asker).unwrap().is_some());
    }
}
