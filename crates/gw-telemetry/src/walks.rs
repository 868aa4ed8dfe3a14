//! What is counted of requests that needed more than one attempt, or failed in their only one.

use std::collections::BTreeMap;
use std::sync::Arc;

use gw_core::{Blame, ErrorCode, Outcome, RequestRecord, Try};
use parking_lot::Mutex;

use crate::registry::OTHER;

/// Rows that a worker tells apart; what comes in any more is counted under the provider "other".
const ROWS_MAX: usize = 1_000;

/// What is counted.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Fact {
    /// An attempt at a provider failed.
    Failed(Arc<str>, &'static str),
    /// The same provider and model were tried again.
    Retried(Arc<str>, &'static str),
    /// After a failure of one provider another was tried.
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
        if record.tries.is_empty() && record.outcome != Outcome::Failed {
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
    for (index, failed) in record.tries.iter().enumerate() {
        let reason = failed.error.name();
        each(Fact::Failed(Arc::clone(&failed.provider), reason));
        let next = record.tries.get(index + 1).map(|next| (&next.provider, Some(&next.model)));
        let next = next.or_else(|| record.next_after_tries());
        let Some((provider, model)) = next else { continue };
        if *provider != failed.provider {
            each(Fact::Failover(Arc::clone(&failed.provider), Arc::clone(provider), reason));
        } else if model == Some(&failed.model) {
            each(Fact::Retried(Arc::clone(&failed.provider), reason));
        }
    }
    if let (1.., Some(provider)) = (record.resumed, &record.provider) {
        each(Fact::Resumed(Arc::clone(provider)));
    }
    let last = record.error.filter(|code| code.blame() == Blame::Provider && record.outcome == Outcome::Failed);
    if let (Some(code), Some(provider), true) = (last, &record.provider, !told(&record.tries, last)) {
        each(Fact::Failed(Arc::clone(provider), code.name()));
    }
}

/// Whether the error that ended a request is that of the last attempt that is noted.
fn told(tries: &[Try], error: Option<ErrorCode>) -> bool {
    tries.last().is_some_and(|last| Some(last.error) == error)
}

impl Fact {
    fn of_other(self) -> Self {
        let other = || Arc::from(OTHER);
        match self {
            Self::Failed(_, reason) => Self::Failed(other(), reason),
            Self::Retried(_, reason) => Self::Retried(other(), reason),
            Self::Failover(_, _, reason) => Self::Failover(other(), other(), reason),
            Self::Resumed(_) => Self::Resumed(other()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::record;

    fn failed(provider: &str, error: ErrorCode) -> Try {
        Try { provider: provider.into(), model: "m".into(), callers_key: false, error, status: None, duration_us: 1 }
    }

    fn counted(record: &RequestRecord) -> Vec<(Fact, u64)> {
        let (walks, mut sums) = (Walks::default(), BTreeMap::new());
        walks.count(record);
        walks.add_to(&mut sums);
        sums.into_iter().collect()
    }

    fn ending_at(provider: &str, tries: Vec<Try>) -> RequestRecord {
        RequestRecord { provider: Some(provider.into()), model_used: Some("m".into()), tries, ..record() }
    }

    #[test]
    fn a_request_that_went_well_at_once_is_not_counted_here() {
        assert_eq!(counted(&record()), []);
    }

    #[test]
    fn each_failure_is_counted_with_what_was_done_about_it() {
        let (timeout, refused) = (ErrorCode::ProviderTimeout, ErrorCode::ProviderAuthentication);
        let request = ending_at("c", vec![failed("a", timeout), failed("a", timeout), failed("b", refused)]);
        assert_eq!(
            counted(&request),
            [
                (Fact::Failed("a".into(), "provider_timeout"), 2),
                (Fact::Failed("b".into(), "provider_authentication"), 1),
                (Fact::Retried("a".into(), "provider_timeout"), 1),
                (Fact::Failover("a".into(), "b".into(), "provider_timeout"), 1),
                (Fact::Failover("b".into(), "c".into(), "provider_authentication"), 1),
            ]
        );
    }

    #[test]
    fn the_failure_that_the_client_is_told_of_is_counted_once() {
        let code = ErrorCode::ProviderTimeout;
        let end = |tries| RequestRecord { outcome: Outcome::Failed, error: Some(code), ..ending_at("a", tries) };
        for request in [end(vec![]), end(vec![failed("a", code)])] {
            assert_eq!(counted(&request), [(Fact::Failed("a".into(), "provider_timeout"), 1)]);
        }
    }

    #[test]
    fn providers_beyond_the_bound_are_counted_together() {
        let (walks, mut sums) = (Walks::default(), BTreeMap::new());
        for index in 0..ROWS_MAX + 50 {
            walks.count(&ending_at("z", vec![failed(&format!("p{index}"), ErrorCode::ProviderTimeout)]));
        }
        walks.add_to(&mut sums);
        assert!(sums.len() <= ROWS_MAX + 2);
        assert_eq!(sums.values().sum::<u64>(), 2 * (ROWS_MAX as u64 + 50));
    }
}
