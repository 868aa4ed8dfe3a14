//! Keeps the last finished requests of those who may ask for them, and everybody's totals, in memory, within bounds.

use std::collections::{HashMap, VecDeque};
use std::future::ready;
use std::hash::{BuildHasher, RandomState};
use std::time::SystemTime;

use gw_core::RequestRecord;
use parking_lot::Mutex;

use super::{Owner, Reading, Recent, Totals};

/// Strangers' keys whose totals are kept. Those of our own keys always are: the configuration bounds their number.
const STRANGERS_MAX: usize = 10_000;

/// The last finished requests.
pub struct Memory {
    since: SystemTime,
    requests_max: usize,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    /// The oldest first.
    records: VecDeque<RequestRecord>,
    /// The number of the oldest: they are numbered in the order in which they came.
    first: u64,
    /// From the hash of owner and id to a record's number. What is found is compared: two may have one hash.
    numbers: HashMap<u64, u64>,
    hasher: RandomState,
    totals: HashMap<Owner, Totals>,
    strangers: VecDeque<Owner>,
}

impl Memory {
    /// Remembers `requests_max` requests, from now on.
    pub fn new(requests_max: usize, now: SystemTime) -> Self {
        Self { since: now, requests_max, kept: Mutex::default() }
    }
}

impl Recent for Memory {
    fn add(&self, records: &[RequestRecord]) {
        for record in records.iter().filter(|record| record.shadow.is_none()) {
            // One at a time: whoever reads waits for no more than that.
            let mut kept = self.kept.lock();
            kept.count(record);
            // Of the others nobody asks.
            if record.openrouter {
                // Nobody is told of the losses again.
                kept.remember(RequestRecord { losses: Vec::new(), ..record.clone() }, self.requests_max);
            }
        }
    }

    fn find<'a>(&'a self, owner: &'a Owner, id: &'a str) -> Reading<'a, Option<RequestRecord>> {
        Box::pin(ready(self.kept.lock().find(owner, id)))
    }

    fn totals<'a>(&'a self, owner: &'a Owner) -> Reading<'a, Totals> {
        Box::pin(ready(self.kept.lock().totals.get(owner).copied().unwrap_or_default()))
    }

    fn since(&self) -> SystemTime {
        self.since
    }
}

impl Kept {
    fn count(&mut self, record: &RequestRecord) {
        let owner = Owner::of_record(record);
        if let Some(totals) = self.totals.get_mut(&owner) {
            return totals.count(record);
        }
        if matches!(owner, Owner::Foreign(_)) {
            if self.strangers.len() >= STRANGERS_MAX
                && let Some(oldest) = self.strangers.pop_front()
            {
                self.totals.remove(&oldest);
            }
            self.strangers.push_back(owner.clone());
        }
        self.totals.entry(owner).or_default().count(record);
    }

    fn remember(&mut self, record: RequestRecord, requests_max: usize) {
        while self.records.len() >= requests_max.max(1) {
            self.forget();
        }
        let number = self.first + self.records.len() as u64;
        let owner = Owner::of_record(&record);
        for id in ids(&record) {
            let hash = self.hasher.hash_one((&owner, id));
            self.numbers.insert(hash, number);
        }
        self.records.push_back(record);
    }

    fn forget(&mut self) {
        let Some(record) = self.records.pop_front() else { return };
        let owner = Owner::of_record(&record);
        for id in ids(&record) {
            let hash = self.hasher.hash_one((&owner, id));
            // The same id may have been given again since.
            if self.numbers.get(&hash) == Some(&self.first) {
                self.numbers.remove(&hash);
            }
        }
        self.first += 1;
    }

    fn find(&self, owner: &Owner, id: &str) -> Option<RequestRecord> {
        let number = self.numbers.get(&self.hasher.hash_one((owner, id)))?;
        let record = self.records.get(usize::try_from(number.checked_sub(self.first)?).ok()?)?;
        let is_meant = Owner::of_record(record) == *owner && ids(record).any(|known| known == id);
        is_meant.then(|| record.clone())
    }
}

/// What a request may be asked for by.
fn ids(record: &RequestRecord) -> impl Iterator<Item = &str> {
    std::iter::once(record.request_id.as_str()).chain(record.answer_id.as_deref())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::UNIX_EPOCH;

    use gw_core::{Operation, Outcome, RequestId};

    use super::*;

    fn record(number: u128, key: Option<&str>, answer: &str) -> RequestRecord {
        RequestRecord {
            key_name: key.map(Arc::from),
            answer_id: Some(answer.into()),
            status: 200,
            outcome: Outcome::Completed,
            attempts: 1,
            openrouter: true,
            ..RequestRecord::begin(RequestId::from_u128(number), Operation::Chat, "openai_chat", UNIX_EPOCH)
        }
    }

    /// The number of the request that is found.
    fn found(house: &Memory, owner: &Owner, id: &str) -> Option<u128> {
        let record = house.kept.lock().find(owner, id)?;
        u128::from_str_radix(record.request_id.as_str(), 16).ok()
    }

    #[test]
    fn a_request_is_found_by_either_id_and_by_its_owner_alone() {
        let house = Memory::new(10, UNIX_EPOCH);
        let foreign = RequestRecord { foreign_key: Some([7; 16]), ..record(3, None, "same") };
        house.add(&[record(1, Some("shop"), "same"), record(2, None, "same"), foreign]);
        let shop = Owner::Key("shop".into());
        for (owner, number) in [(&shop, 1), (&Owner::Anybody, 2), (&Owner::Foreign([7; 16]), 3)] {
            assert_eq!(found(&house, owner, "same"), Some(number), "{owner:?}");
            assert_eq!(found(&house, owner, RequestId::from_u128(number).as_str()), Some(number), "{owner:?}");
        }
        assert_eq!(found(&house, &Owner::Foreign([8; 16]), "same"), None);
        assert_eq!(found(&house, &Owner::Key("other".into()), RequestId::from_u128(1).as_str()), None);
    }

    #[test]
    fn the_oldest_are_forgotten_and_an_id_that_is_given_again_means_the_last() {
        let house = Memory::new(3, UNIX_EPOCH);
        let records: Vec<_> =
            (0..5).map(|number| record(number, None, if number % 2 == 0 { "even" } else { "odd" })).collect();
        house.add(&records);
        assert_eq!(found(&house, &Owner::Anybody, RequestId::from_u128(1).as_str()), None);
        assert_eq!(found(&house, &Owner::Anybody, "even"), Some(4));
        assert_eq!(found(&house, &Owner::Anybody, "odd"), Some(3));
        let kept = house.kept.lock();
        assert_eq!((kept.records.len(), kept.numbers.len()), (3, 5));
        assert_eq!(kept.totals[&Owner::Anybody].requests, 5);
    }

    #[test]
    fn strangers_do_not_take_memory_without_end_and_our_own_keys_stay() {
        let house = Memory::new(1, UNIX_EPOCH);
        house.add(&[record(0, Some("shop"), "x")]);
        for number in 0..(STRANGERS_MAX as u128 + 5) {
            house.add(&[RequestRecord { foreign_key: Some(number.to_be_bytes()), ..record(number, None, "x") }]);
        }
        let kept = house.kept.lock();
        assert_eq!((kept.totals.len(), kept.strangers.len()), (STRANGERS_MAX + 1, STRANGERS_MAX));
        assert!(kept.totals.contains_key(&Owner::Key("shop".into())));
    }
}
