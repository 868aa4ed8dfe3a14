//! What somebody has used: in all, and in the current day, week and month (UTC, weeks from Monday).

use std::time::{SystemTime, UNIX_EPOCH};

use gw_core::{Cost, Nanodollars, RequestRecord};
use gw_telemetry::rfc3339;

const SECONDS_PER_DAY: u64 = 86_400;
/// 1970 began on a Thursday.
const DAYS_BEFORE_1970_SINCE_MONDAY: u64 = 3;

/// What somebody has used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Totals {
    /// Requests that have ended, however they did.
    pub requests: u64,
    /// Attempts whose cost is not known, because something that was used has no price: they are in no sum.
    pub unpriced: u64,
    /// What was spent with the gateway's credentials.
    pub ours: Spent,
    /// What was spent with the caller's own keys at the providers.
    pub callers: Spent,
}

/// What was spent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Spent {
    all: Nanodollars,
    day: Window,
    week: Window,
    month: Window,
}

/// A sum that begins anew with each period.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Window {
    period: u64,
    sum: Nanodollars,
}

impl Totals {
    /// Counts a finished request.
    pub fn count(&mut self, record: &RequestRecord) {
        self.requests += 1;
        let answer = (record.cost.as_ref(), record.callers_key, record.uncharged.is_none());
        let unused = record.unused.iter().map(|unused| (unused.cost.as_ref(), unused.callers_key, unused.charged));
        for (cost, callers_key, charged) in unused.chain([answer]) {
            match cost.map(Cost::total) {
                None => {}
                // With a key of the caller's own it is the provider who charges.
                Some(_) if !charged && !callers_key => {}
                Some(None) => self.unpriced += 1,
                Some(Some(total)) if callers_key => self.callers.add(total, record.started_at),
                Some(Some(total)) => self.ours.add(total, record.started_at),
            }
        }
    }
}

impl Spent {
    /// In all.
    pub fn all(&self) -> Nanodollars {
        self.all
    }

    /// In the day that a moment is in.
    pub fn in_day(&self, now: SystemTime) -> Nanodollars {
        self.day.at(day(now))
    }

    /// In the week that a moment is in.
    pub fn in_week(&self, now: SystemTime) -> Nanodollars {
        self.week.at(week(now))
    }

    /// In the month that a moment is in.
    pub fn in_month(&self, now: SystemTime) -> Nanodollars {
        self.month.at(month(now))
    }

    fn add(&mut self, amount: Nanodollars, at: SystemTime) {
        self.all = plus(self.all, amount);
        self.day.add(amount, day(at));
        self.week.add(amount, week(at));
        self.month.add(amount, month(at));
    }
}

impl Window {
    /// Requests end in another order than they begin: one of the last period is not one of this.
    fn add(&mut self, amount: Nanodollars, period: u64) {
        if period > self.period {
            *self = Self { period, sum: amount };
        } else if period == self.period {
            self.sum = plus(self.sum, amount);
        }
    }

    fn at(&self, period: u64) -> Nanodollars {
        if self.period == period { self.sum } else { Nanodollars::ZERO }
    }
}

fn plus(one: Nanodollars, other: Nanodollars) -> Nanodollars {
    one.checked_add(other).unwrap_or(Nanodollars(i64::MAX))
}

fn day(at: SystemTime) -> u64 {
    at.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs() / SECONDS_PER_DAY
}

fn week(at: SystemTime) -> u64 {
    (day(at) + DAYS_BEFORE_1970_SINCE_MONDAY) / 7
}

fn month(at: SystemTime) -> u64 {
    let (year, month) = rfc3339::month(at);
    year * 12 + month
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use gw_core::{CostSource, Operation, RequestId, Uncharged, Unused};

    use super::*;

    /// Noon of a day counted from 1970-01-01.
    fn noon(day: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(day * SECONDS_PER_DAY + SECONDS_PER_DAY / 2)
    }

    #[test]
    fn what_is_insured_is_in_nobodys_sums_but_for_what_a_provider_asks_of_its_own_caller() {
        let cost = |amount| Some(Cost::said(Nanodollars(amount), CostSource::Caller));
        let unused = |amount, charged, callers_key| Unused {
            provider: "p".into(),
            model: "m".into(),
            callers_key,
            usage: None,
            cost: cost(amount),
            charged,
        };
        let record = RequestRecord {
            cost: cost(1),
            uncharged: Some(Uncharged::Empty),
            unused: vec![unused(10, false, false), unused(100, true, false), unused(1_000, false, true)],
            ..RequestRecord::begin(RequestId::from_u128(1), Operation::Chat, "openai_chat", noon(19_778))
        };
        assert_eq!(record.billed(), Some(Nanodollars::ZERO));
        let mut totals = Totals::default();
        totals.count(&record);
        totals.count(&RequestRecord { uncharged: None, unused: Vec::new(), ..record.clone() });
        assert_eq!((totals.ours.all(), totals.callers.all()), (Nanodollars(101), Nanodollars(1_000)));
        assert_eq!((totals.requests, totals.unpriced), (2, 0));
    }

    #[test]
    fn each_period_begins_anew_and_what_comes_late_is_not_of_this_one() {
        // 2024-02-25 was a Sunday, 2024-03-01 a Friday.
        let (sunday, monday, first_of_march) = (noon(19_778), noon(19_779), noon(19_783));
        let mut spent = Spent::default();
        for at in [sunday, monday, sunday, first_of_march] {
            spent.add(Nanodollars(1), at);
        }
        assert_eq!(spent.all(), Nanodollars(4));
        assert_eq!(spent.in_day(first_of_march), Nanodollars(1));
        assert_eq!(spent.in_week(first_of_march), Nanodollars(2));
        assert_eq!(spent.in_month(first_of_march), Nanodollars(1));
        assert_eq!(spent.in_day(noon(19_784)), Nanodollars::ZERO);
        assert_eq!(spent.in_month(noon(20_000)), Nanodollars::ZERO);
    }
}
