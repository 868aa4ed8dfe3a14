//! Hedges: how often an attempt was slow while another could be made beside it, and what became of that.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::exposition::Page;
use crate::names;
use crate::registry::OTHER;

/// Providers and outcomes that a worker tells apart; any more are counted under the provider "other".
const ROWS_MAX: usize = 1_000;

/// What became of a slow attempt while another could be made beside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Hedged {
    /// The attempt beside it was the first to answer.
    Won,
    /// It was the first to answer all the same.
    Lost,
    /// Neither answered.
    Failed,
    /// The client left before either had answered.
    Cancelled,
    /// No other was made beside it: the budget was used up.
    OverBudget,
    /// No other was made beside it: whom it would have gone to takes no calls any more.
    Unavailable,
}

impl Hedged {
    /// The name in metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Won => "won",
            Self::Lost => "lost",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::OverBudget => "over_budget",
            Self::Unavailable => "unavailable",
        }
    }
}

/// The numbers of a worker. Written only where something was slow; the lock is its worker's but for when somebody looks.
#[derive(Debug, Default)]
pub(crate) struct Hedges(Mutex<BTreeMap<(Arc<str>, Hedged), u64>>);

impl Hedges {
    pub(crate) fn count(&self, provider: &Arc<str>, hedged: Hedged) {
        let mut rows = self.0.lock();
        let row = (Arc::clone(provider), hedged);
        let is_full = rows.len() >= ROWS_MAX && !rows.contains_key(&row);
        *rows.entry(if is_full { (Arc::from(OTHER), hedged) } else { row }).or_default() += 1;
    }
}

/// Shows the sums over all workers.
pub(crate) fn show<'a>(page: &mut Page, workers: impl Iterator<Item = &'a Hedges>) {
    let mut sums = BTreeMap::new();
    for worker in workers {
        for (row, count) in worker.0.lock().iter() {
            *sums.entry(row.clone()).or_insert(0_u64) += count;
        }
    }
    let mut family = page.family(names::HEDGES);
    for ((provider, hedged), count) in sums {
        family.sample(&[&provider, hedged.name()], count);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn workers_are_added_up_and_providers_are_bounded() {
        let workers = [Hedges::default(), Hedges::default()];
        let slow = Arc::from("slow");
        workers.iter().for_each(|worker| worker.count(&slow, Hedged::Won));
        workers[0].count(&slow, Hedged::OverBudget);
        (0..2 * ROWS_MAX).for_each(|index| workers[1].count(&Arc::from(format!("p{index}")), Hedged::Lost));
        let mut page = Page::default();
        show(&mut page, workers.iter());
        let text = page.into_text();
        for line in [
            "ai_gateway_hedges_total{provider=\"slow\",outcome=\"won\"} 2\n",
            "ai_gateway_hedges_total{provider=\"slow\",outcome=\"over_budget\"} 1\n",
            "ai_gateway_hedges_total{provider=\"other\",outcome=\"lost\"} 1001\n",
        ] {
            assert!(text.contains(line), "{line}\n{text}");
        }
    }
}
