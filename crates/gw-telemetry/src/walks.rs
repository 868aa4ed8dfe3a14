//! What is counted of requests that needed more than one attempt, failed in their only one, or passed over their first
//! choice.

use std::collections::BTreeMap;
use std::sync::Arc;

use gw_core::{Blame, Outcome, RequestRecord};
use parking_lot::Mutex;

use crate::registry::OTHER;

/// Rows that a worker tells apart; what comes in any more is counted under the provider "other".
const ROWS_MAX: usize = 1_000;

/// What is counted.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Fact {
    /// An attempt at a provider came to nothing: by its outcome.
    Ended(Arc<str>, &'static str),
    /// The same target was tried again.
    Retried(Arc<str>, &'static str),
    /// Another target was asked than one that had failed or did not take calls.
    Failover(Arc<str>, Arc<str>, &'static str),
    /// A provider went on with a stream that had broken off.
    Resumed(Arc<str>),
}

/// The numbers of a worker. Written only where something has failed; the lock is its worker's but for when somebody
/// looks.
#[derive(Debug, Default)]
pub(crate) struct Walks(Mutex<BTreeMap<Fact, u64>>);

impl Walks {
    /// Counts what a finished request tells.
    pub(crate) fn count(&self, record: &RequestRecord) {
        if record.tries.is_empty() && record.outcome != Outcome::Failed && record.passed_over.is_none() {
            return;
        }
        let mut rows = self.0.lock();
        facts(record, &mut |fact| {
            let fact = if rows.len() >= ROWS_MAX && !rows.contains_key(&fact) { fact.of_other() } else { fact };
            *rows.entry(fact).or_default() += 1;
        });
    }

    /// Adds the numbers to sums.
    pub(crate) fn add_to(&self, sums: &mut BTreeMap<Fact, u64>) {
        for (fact, count) in self.0.lock().iter() {
            *sums.entry(fact.clone()).or_default() += count;
        }
    }
}

fn facts(record: &RequestRecord, each: &mut impl FnMut(Fact)) {
    let first = record.tries.first().map(|first| &first.provider).or(record.provider.as_ref());
    if let (Some(passed), Some(first)) = (&record.passed_over, first) {
        each(Fact::Failover(Arc::clone(&passed.provider), Arc::clone(first), passed.reason));
    }
    for (index, attempt) in record.tries.iter().enumerate() {
        let outcome = attempt.outcome_name();
        each(Fact::Ended(Arc::clone(&attempt.provider), outcome));
        match record.after_try(index) {
            None => {}
            Some((_, true)) => each(Fact::Retried(Arc::clone(&attempt.provider), outcome)),
            Some((next, false)) => each(Fact::Failover(Arc::clone(&attempt.provider), Arc::clone(next), outcome)),
        }
    }
    if let (1.., Some(provider)) = (record.resumed, &record.provider) {
        each(Fact::Resumed(Arc::clone(provider)));
    }
    let last = record.error.filter(|code| code.blame() == Blame::Provider && record.outcome == Outcome::Failed);
    if let (Some(code), Some(provider), false) = (last, &record.provider, record.last_is_told) {
        each(Fact::Ended(Arc::clone(provider), code.name()));
    }
}

impl Fact {
    fn of_other(self) -> Self {
        let other = || Arc::from(OTHER);
        match self {
            Self::Ended(_, reason) => Self::Ended(other(), reason),
            Self::Retried(_, reason) => Self::Retried(other(), reason),
            Self::Failover(_, _, reason) => Self::Failover(other(), other(), reason),
            Self::Resumed(_) => Self::Resumed(other()),
        }
    }
}

#[cfg(test)]
mod tests {
    use gw_core::{ErrorCode, PassedOver, Try};

    use super::*;
    use crate::testing::record;

    fn failed(provider: &str, target: u32, error: ErrorCode) -> Try {
        let (provider, model) = (provider.into(), "m".into());
        Try { provider, model, callers_key: false, target, error: Some(error), status: None, duration_us: 1 }
    }

    fn counted(record: &RequestRecord) -> Vec<(Fact, u64)> {
        let (walks, mut sums) = (Walks::default(), BTreeMap::new());
        walks.count(record);
        walks.add_to(&mut sums);
        sums.into_iter().collect()
    }

    fn ending_at(provider: &str, target: u32, tries: Vec<Try>) -> RequestRecord {
        RequestRecord { provider: Some(provider.into()), target, tries, ..record() }
    }

    #[test]
    fn a_request_that_went_well_at_once_is_not_counted_here() {
        assert_eq!(counted(&record()), []);
    }

    #[test]
    fn each_failure_is_counted_with_what_was_done_about_it() {
        let (timeout, refused) = (ErrorCode::ProviderTimeout, ErrorCode::ProviderAuthentication);
        let tries = vec![failed("a", 1, timeout), failed("a", 1, timeout), failed("b", 2, refused)];
        assert_eq!(
            counted(&ending_at("c", 3, tries)),
            [
                (Fact::Ended("a".into(), "provider_timeout"), 2),
                (Fact::Ended("b".into(), "provider_authentication"), 1),
                (Fact::Retried("a".into(), "provider_timeout"), 1),
                (Fact::Failover("a".into(), "b".into(), "provider_timeout"), 1),
                (Fact::Failover("b".into(), "c".into(), "provider_authentication"), 1),
            ]
        );
    }

    #[test]
    fn another_account_at_the_same_provider_is_no_retry() {
        let limited = ErrorCode::ProviderRateLimited;
        assert_eq!(
            counted(&ending_at("a", 2, vec![failed("a", 1, limited)])),
            [
                (Fact::Ended("a".into(), "provider_rate_limited"), 1),
                (Fact::Failover("a".into(), "a".into(), "provider_rate_limited"), 1),
            ]
        );
    }

    #[test]
    fn the_slower_of_two_is_counted_as_cancelled_and_one_that_failed_beside_the_first_leads_nowhere() {
        let slower = Try { error: None, ..failed("a", 1, ErrorCode::ProviderTimeout) };
        assert_eq!(counted(&ending_at("b", 2, vec![slower])), [(Fact::Ended("a".into(), "cancelled"), 1)]);
        let beside = failed("b", 2, ErrorCode::ProviderFailed);
        assert_eq!(counted(&ending_at("a", 1, vec![beside])), [(Fact::Ended("b".into(), "provider_failed"), 1)]);
    }

    #[test]
    fn a_first_choice_that_takes_no_calls_is_a_failover() {
        let passed_over = Some(PassedOver { provider: "a".into(), reason: "resting" });
        let request = RequestRecord { passed_over, ..ending_at("b", 1, vec![]) };
        assert_eq!(counted(&request), [(Fact::Failover("a".into(), "b".into(), "resting"), 1)]);
    }

    #[test]
    fn the_failure_that_the_client_is_told_of_is_counted_once() {
        let code = ErrorCode::ProviderTimeout;
        let end = |tries: Vec<Try>, last_is_told| RequestRecord {
            outcome: Outcome::Failed,
            error: Some(code),
            last_is_told,
            ..ending_at("a", 1, tries)
        };
        for request in [end(vec![], false), end(vec![failed("a", 1, code)], true)] {
            assert_eq!(counted(&request), [(Fact::Ended("a".into(), "provider_timeout"), 1)]);
        }
    }

    #[test]
    fn providers_beyond_the_bound_are_counted_together() {
        let (walks, mut sums) = (Walks::default(), BTreeMap::new());
        for index in 0..ROWS_MAX + 50 {
            let first = failed(&format!("p{index}"), 1, ErrorCode::ProviderTimeout);
            walks.count(&ending_at("z", 2, vec![first]));
        }
        walks.add_to(&mut sums);
        assert!(sums.len() <= ROWS_MAX + 2);
        assert_eq!(sums.values().sum::<u64>(), 2 * (ROWS_MAX as u64 + 50));
    }
}
