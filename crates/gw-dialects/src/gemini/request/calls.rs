//! Calls of a conversation and their results: Google's clients often leave out the ids.

use std::collections::{HashMap, VecDeque};

/// The calls that were seen, and which of them wait for a result.
#[derive(Debug, Default)]
pub(super) struct Calls {
    /// Their ids, in order; none where the result has come.
    waiting: Vec<Option<String>>,
    by_id: HashMap<String, VecDeque<usize>>,
    by_name: HashMap<String, VecDeque<usize>>,
    /// Before this one, none waits.
    first: usize,
    /// How many ids were made.
    made: usize,
}

impl Calls {
    /// Notes a call, and gives its id: its own, or one that depends on nothing but its place.
    pub(super) fn call(&mut self, id: Option<String>, name: &str) -> String {
        let id = id.unwrap_or_else(|| self.new_id());
        let at = self.waiting.len();
        self.waiting.push(Some(id.clone()));
        self.by_id.entry(id.clone()).or_default().push_back(at);
        self.by_name.entry(name.to_owned()).or_default().push_back(at);
        id
    }

    /// The id of the call that a result belongs to. Of those that wait: the one of its id, else the first of its name, and
    /// for a result without a name the first. A result of no call has an id of its own.
    pub(super) fn result(&mut self, id: Option<String>, name: Option<&str>) -> String {
        let of_id = id.as_ref().and_then(|id| next(&mut self.by_id, id, &mut self.waiting));
        let of_name = |calls: &mut Self| next(&mut calls.by_name, name?, &mut calls.waiting);
        let found = of_id.or_else(|| of_name(self));
        let found = if found.is_none() && name.is_none() { self.next_of_all() } else { found };
        found.or(id).unwrap_or_else(|| self.new_id())
    }

    fn next_of_all(&mut self) -> Option<String> {
        while let Some(call) = self.waiting.get_mut(self.first) {
            self.first += 1;
            if let Some(id) = call.take() {
                return Some(id);
            }
        }
        None
    }

    fn new_id(&mut self) -> String {
        loop {
            self.made += 1;
            let id = format!("call_{}", self.made);
            if !self.by_id.contains_key(&id) {
                return id;
            }
        }
    }
}

/// The first call of a list that still waits. It waits no longer.
fn next(lists: &mut HashMap<String, VecDeque<usize>>, key: &str, waiting: &mut [Option<String>]) -> Option<String> {
    let list = lists.get_mut(key)?;
    while let Some(at) = list.pop_front() {
        if let Some(id) = waiting.get_mut(at).and_then(Option::take) {
            return Some(id);
        }
    }
    None
}
