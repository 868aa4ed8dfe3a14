//! A limit on a way: so many requests, or so much money, in a span of time, for each key. Beyond it, requests overflow to
//! another way.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use crate::condition::Facts;

/// Into so many slots the span of a sliding limit is divided: amounts are counted for each of them.
const SLOTS: u64 = 60;
/// Keys that a limit counts for themselves. Beyond, those that have used nothing lately are forgotten; if there is none,
/// further keys are counted together.
pub const KEYS_MAX: usize = 10_000;
/// Longer keys are counted together.
const KEY_BYTES_MAX: usize = 256;

/// So much in any span, or in each span of the calendar.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limit {
    /// What is counted.
    pub counts: Counts,
    /// How much there may be: requests, or nanodollars.
    pub max: u64,
    /// In how long.
    pub per: Duration,
    /// Where the span begins.
    pub technique: Technique,
    /// What tells requests apart: the path of a fact, such as `metadata.user_id`. All are counted together if it is empty.
    pub key: Box<str>,
}

/// What a limit counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counts {
    /// Requests, when they are sent.
    Requests,
    /// What they cost, when that is known: requests that are under way when it is reached go on.
    Cost,
}

/// Where the span of a limit begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Technique {
    /// At the multiples of its length since 1970: each hour, each day (UTC). Twice as much may come around such a moment.
    Fixed,
    /// Anywhere: no span of its length has more than the limit. What was counted is given back when the span has passed
    /// since the end of its slot: a sixtieth of the span late at most.
    Sliding,
}

/// A limit, and what it is called among all of the process: whatever has been counted is kept by that.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    /// What it is called.
    pub name: Arc<str>,
    /// The limit.
    pub limit: Limit,
}

/// What has been counted for one key.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Used {
    /// The slots in which anything was, by their numbers from the beginning of time, the oldest first; and how much.
    slots: VecDeque<(u64, u64)>,
}

/// What has been counted for every key.
#[derive(Debug, Default)]
pub struct Counters {
    by_key: HashMap<Box<str>, Used>,
    /// Of keys that have no counter of their own.
    others: Used,
    /// The slot in which keys were forgotten last.
    swept_in: Option<u64>,
}

impl Limit {
    /// The key of a request. Requests that do not say the fact have an empty one.
    pub fn key_of(&self, facts: &dyn Facts) -> Box<str> {
        if self.key.is_empty() {
            return Box::default();
        }
        match facts.fact(&self.key).as_deref() {
            None | Some(serde_json::Value::Null) => Box::default(),
            Some(serde_json::Value::String(text)) => Box::from(text.as_str()),
            Some(other) => other.to_string().into(),
        }
    }

    /// How much of it is used.
    pub fn used(&self, used: &Used, now: Duration) -> u64 {
        self.counted(used, now).fold(0, |sum, (_, amount)| sum.saturating_add(amount))
    }

    /// How long it is until there is room for a request; nothing if there is now. Times are counted from 1970.
    pub fn wait(&self, used: &Used, now: Duration) -> Duration {
        if self.max == 0 {
            return Duration::MAX;
        }
        let mut left = self.used(used, now);
        let mut until = Duration::ZERO;
        for (slot, amount) in self.counted(used, now) {
            if left < self.max {
                break;
            }
            left = left.saturating_sub(amount);
            until = self.given_back(slot);
        }
        until.saturating_sub(now)
    }

    /// Counts an amount.
    pub fn add(&self, used: &mut Used, amount: u64, now: Duration) {
        let oldest = self.oldest(self.slot(now));
        while used.slots.front().is_some_and(|(slot, _)| *slot < oldest) {
            used.slots.pop_front();
        }
        // A clock that was set back takes nothing back.
        let slot = self.slot(now);
        match used.slots.back_mut() {
            Some((newest, counted)) if *newest >= slot => *counted = counted.saturating_add(amount),
            Some(_) | None => used.slots.push_back((slot, amount)),
        }
    }

    /// Whether what was counted for one is of use for the other.
    pub fn counts_like(&self, other: &Self) -> bool {
        (self.counts, self.per, self.technique, &self.key) == (other.counts, other.per, other.technique, &other.key)
    }

    fn counted<'u>(&self, used: &'u Used, now: Duration) -> impl Iterator<Item = (u64, u64)> + 'u {
        let oldest = self.oldest(self.slot(now));
        used.slots.iter().copied().filter(move |(slot, _)| *slot >= oldest)
    }

    /// The oldest slot that counts while this one lasts.
    fn oldest(&self, slot: u64) -> u64 {
        match self.technique {
            Technique::Fixed => slot,
            Technique::Sliding => slot.saturating_sub(SLOTS),
        }
    }

    fn slot(&self, now: Duration) -> u64 {
        u64::try_from(now.as_nanos() / self.slot_ns()).unwrap_or(u64::MAX)
    }

    /// When a slot does not count any more.
    fn given_back(&self, slot: u64) -> Duration {
        let lasts = match self.technique {
            Technique::Fixed => 1,
            Technique::Sliding => SLOTS + 1,
        };
        let ns = self.slot_ns().saturating_mul(u128::from(slot.saturating_add(lasts)));
        Duration::from_nanos(u64::try_from(ns).unwrap_or(u64::MAX))
    }

    fn slot_ns(&self) -> u128 {
        let slots = match self.technique {
            Technique::Fixed => 1,
            Technique::Sliding => u128::from(SLOTS),
        };
        self.per.as_nanos().div_ceil(slots).max(1)
    }
}

impl Counters {
    /// What has been counted for a key.
    pub fn of(&self, key: &str) -> &Used {
        self.by_key.get(key).unwrap_or(&self.others)
    }

    /// Counts an amount for a key.
    pub fn add(&mut self, limit: &Limit, key: &str, amount: u64, now: Duration) {
        if let Some(used) = self.by_key.get_mut(key) {
            return limit.add(used, amount, now);
        }
        self.sweep(limit, now);
        // While something is counted for the others together, nobody leaves them: what it used would be forgotten.
        let is_alone = key.len() <= KEY_BYTES_MAX && self.by_key.len() < KEYS_MAX && limit.used(&self.others, now) == 0;
        if is_alone {
            limit.add(self.by_key.entry(Box::from(key)).or_default(), amount, now);
        } else {
            limit.add(&mut self.others, amount, now);
        }
    }

    /// How many keys are counted for themselves.
    pub fn keys(&self) -> usize {
        self.by_key.len()
    }

    /// Forgets keys of which nothing counts any more, where there are too many; once in a slot, since it looks at all.
    fn sweep(&mut self, limit: &Limit, now: Duration) {
        let slot = limit.slot(now);
        if self.by_key.len() < KEYS_MAX || self.swept_in == Some(slot) {
            return;
        }
        self.swept_in = Some(slot);
        self.by_key.retain(|_, used| limit.used(used, now) > 0);
    }
}

#[cfg(test)]
mod tests;
