//! Shadows: how often a copy of a request was compared with the answer that the client got, and what that showed. Each
//! pair is told in the log, too, without a word of what was said.

use std::collections::BTreeMap;
use std::sync::Arc;

use gw_core::shadow::{Comparison, Side, Verdict};
use parking_lot::Mutex;

use crate::counter::{Histogram, HistogramTotal};
use crate::exposition::Page;
use crate::names::{self, Metric};
use crate::registry::OTHER;
use crate::series::bounds_us;

/// Canaries that a worker tells apart; any more are counted under "other".
const ROWS_MAX: usize = 200;
/// The answers that are compared.
const SIDES: [&str; 2] = ["usual", "shadow"];

/// Why a shadow's answer was not compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Missed {
    /// There was no room for it, or its provider takes no calls that nobody waits for: it was not sent.
    Skipped,
    /// It was given up: the client left, the rollout is over, or the gateway broke.
    Stopped,
}

impl Missed {
    /// The name in metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Skipped => "skipped",
            Self::Stopped => "stopped",
        }
    }
}

/// The numbers of a worker. Written only where something was shadowed; the lock is its worker's but for when somebody looks.
#[derive(Debug, Default)]
pub(crate) struct Shadows(Mutex<BTreeMap<Key, Row>>);

/// The canary and its provider.
type Key = (Arc<str>, Arc<str>);

#[derive(Debug)]
struct Row {
    results: BTreeMap<&'static str, u64>,
    /// In the order of [`SIDES`].
    first_content: [Histogram; 2],
    duration: [Histogram; 2],
    similarity: Histogram,
}

impl Shadows {
    pub(crate) fn missed(&self, canary: &Arc<str>, provider: &Arc<str>, missed: Missed) {
        self.with(canary, provider, |row| row.count(missed.name()));
    }

    pub(crate) fn compared(&self, canary: &Arc<str>, provider: &Arc<str>, comparison: &Comparison) {
        log(canary, comparison);
        self.with(canary, provider, |row| {
            row.count(comparison.verdict.name());
            // How long it takes to fail is another matter.
            if matches!(comparison.verdict, Verdict::Equal | Verdict::Different | Verdict::Unread) {
                for (index, side) in [&comparison.usual, &comparison.shadow].into_iter().enumerate() {
                    row.duration[index].observe(side.total_us);
                    side.first_content_us.into_iter().for_each(|us| row.first_content[index].observe(us));
                }
            }
            if let Some(percent) = comparison.similarity_percent {
                row.similarity.observe(u64::from(percent) * 10_000);
            }
        });
    }

    fn with(&self, canary: &Arc<str>, provider: &Arc<str>, count: impl FnOnce(&mut Row)) {
        let mut rows = self.0.lock();
        let key = (Arc::clone(canary), Arc::clone(provider));
        let has_room = rows.len() < ROWS_MAX || rows.contains_key(&key);
        let key = if has_room { key } else { (Arc::from(OTHER), Arc::from(OTHER)) };
        count(rows.entry(key).or_insert_with(Row::new));
    }
}

impl Row {
    fn new() -> Self {
        let times = |metric: Metric| [(); 2].map(|()| Histogram::new(bounds_us(metric.kind)));
        Self {
            results: BTreeMap::new(),
            first_content: times(names::SHADOW_FIRST_CONTENT),
            duration: times(names::SHADOW_DURATION),
            similarity: Histogram::new(bounds_us(names::SHADOW_SIMILARITY.kind)),
        }
    }

    fn count(&mut self, result: &'static str) {
        *self.results.entry(result).or_default() += 1;
    }
}

/// The rows of several workers, added up.
#[derive(Default)]
struct Total {
    results: BTreeMap<&'static str, u64>,
    first_content: [HistogramTotal; 2],
    duration: [HistogramTotal; 2],
    similarity: HistogramTotal,
}

impl Total {
    fn add(&mut self, row: &Row) {
        for (result, count) in &row.results {
            *self.results.entry(result).or_default() += count;
        }
        self.first_content.iter_mut().zip(&row.first_content).for_each(|(total, one)| total.add(one));
        self.duration.iter_mut().zip(&row.duration).for_each(|(total, one)| total.add(one));
        self.similarity.add(&row.similarity);
    }
}

/// Shows what all workers have counted.
pub(crate) fn show<'a>(page: &mut Page, workers: impl Iterator<Item = &'a Shadows>) {
    let mut totals = BTreeMap::<Key, Total>::new();
    for shadows in workers {
        shadows.0.lock().iter().for_each(|(key, row)| totals.entry(key.clone()).or_default().add(row));
    }
    let mut family = page.family(names::SHADOWS);
    for ((canary, provider), total) in &totals {
        total.results.iter().for_each(|(result, count)| family.sample(&[canary, provider, result], *count));
    }
    let mut family = page.family(names::SHADOW_FIRST_CONTENT);
    for ((canary, provider), total) in &totals {
        let sides = SIDES.iter().zip(&total.first_content);
        sides.for_each(|(side, times)| family.histogram(&[canary, provider, side], times));
    }
    let mut family = page.family(names::SHADOW_DURATION);
    for ((canary, provider), total) in &totals {
        let sides = SIDES.iter().zip(&total.duration);
        sides.for_each(|(side, times)| family.histogram(&[canary, provider, side], times));
    }
    let mut family = page.family(names::SHADOW_SIMILARITY);
    for ((canary, provider), total) in &totals {
        family.histogram(&[canary, provider], &total.similarity);
    }
}

/// One line for a pair. What is not known is left out.
fn log(canary: &str, comparison: &Comparison) {
    let Comparison { usual, shadow, .. } = comparison;
    let millis = |us: u64| us as f64 / 1e3;
    let error = |side: &Side| side.error.map(|code| code.name());
    let finish = |side: &Side| side.finish.map(|reason| reason.name());
    let cost = |side: &Side| side.cost.map(|cost| cost.0);
    tracing::info!(
        target: "shadow",
        event = "shadow_compared",
        request_id = comparison.request_id.as_str(),
        canary,
        result = comparison.verdict.name(),
        usual_provider = usual.provider.as_deref(),
        shadow_provider = shadow.provider.as_deref(),
        usual_model = usual.model.as_deref(),
        shadow_model = shadow.model.as_deref(),
        usual_status = usual.status,
        shadow_status = shadow.status,
        usual_error = error(usual),
        shadow_error = error(shadow),
        usual_finish = finish(usual),
        shadow_finish = finish(shadow),
        usual_first_content_ms = usual.first_content_us.map(millis),
        shadow_first_content_ms = shadow.first_content_us.map(millis),
        usual_total_ms = millis(usual.total_us),
        shadow_total_ms = millis(shadow.total_us),
        usual_input_tokens = usual.input_tokens,
        shadow_input_tokens = shadow.input_tokens,
        usual_output_tokens = usual.output_tokens,
        shadow_output_tokens = shadow.output_tokens,
        usual_cost_nanodollars = cost(usual),
        shadow_cost_nanodollars = cost(shadow),
        usual_is_json = usual.is_json,
        shadow_is_json = shadow.is_json,
        same_tool_calls = comparison.same_calls,
        words_in_common_percent = comparison.similarity_percent,
        "a shadow's answer was compared"
    );
}

#[cfg(test)]
mod tests {
    use gw_core::{Outcome, RequestId};

    use super::*;
    use crate::exposition::check::samples;

    fn side(total_us: u64) -> Side {
        Side {
            provider: None,
            model: None,
            status: 200,
            outcome: Outcome::Completed,
            error: None,
            finish: None,
            first_content_us: None,
            total_us,
            input_tokens: None,
            output_tokens: None,
            cost: None,
            is_json: None,
        }
    }

    #[test]
    fn what_several_workers_compared_is_added_up() {
        let comparison = Comparison {
            request_id: RequestId::from_u128(1),
            usual: side(1_000_000),
            shadow: side(2_000_000),
            verdict: Verdict::Different,
            same_finish: None,
            same_calls: None,
            similarity_percent: Some(50),
        };
        let workers = [Shadows::default(), Shadows::default()];
        let (canary, provider) = (Arc::from("next"), Arc::from("new"));
        workers.iter().for_each(|worker| worker.compared(&canary, &provider, &comparison));
        workers[0].missed(&canary, &provider, Missed::Skipped);
        let mut page = Page::default();
        show(&mut page, workers.iter());
        let samples = samples(&page.into_text());
        let value = |name: &str, labels: &[(&str, &str)]| {
            let names = [("canary", "next"), ("provider", "new")].iter().chain(labels);
            let labels = names.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
            samples[&(format!("ai_gateway_{name}"), labels)]
        };
        assert_eq!(value("shadows_total", &[("result", "different")]), 2.0);
        assert_eq!(value("shadows_total", &[("result", "skipped")]), 1.0);
        assert_eq!(value("shadow_duration_seconds_sum", &[("side", "shadow")]), 4.0);
        assert_eq!(value("shadow_similarity_ratio_sum", &[]), 1.0);
        assert_eq!(value("shadow_similarity_ratio_bucket", &[("le", "0.5")]), 2.0);
    }

    #[test]
    fn canaries_beyond_the_bound_are_counted_together() {
        let shadows = Shadows::default();
        for index in 0..ROWS_MAX + 5 {
            shadows.missed(&Arc::from(format!("canary-{index}")), &Arc::from("new"), Missed::Stopped);
        }
        assert_eq!(shadows.0.lock().len(), ROWS_MAX + 1);
    }
}
