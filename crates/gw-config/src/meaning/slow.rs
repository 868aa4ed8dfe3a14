//! What becomes of slow answers, as meant: `latency_threshold` and what goes with it.

use gw_policy::failure::Failures;
use gw_policy::hedge::{self, Budget, Threshold};

use super::Meaning;
use crate::config::{Hedge, Slow, Spanned};
use crate::file::{self, SlowAction};
use crate::quantities::SlowAfter;

impl Meaning<'_> {
    /// What becomes of an answer that takes long to begin; nothing if `None`.
    pub(super) fn slow(&mut self, written: &file::Routing, fallback: &Failures) -> Option<Slow> {
        let threshold = written.latency_threshold.given();
        let action = written.slow_response.given();
        let Some(switch) = written.fallback_on_slow_response.given() else {
            let budget = written.hedge_budget.given();
            let places = [
                threshold.map(|given| &given.place),
                action.map(|given| &given.place),
                budget.map(|given| &given.place),
            ];
            if let Some(place) = places.into_iter().flatten().next() {
                let message = "nothing follows a slow answer, since fallback_on_slow_response is not set".to_owned();
                self.warning(place, message, "add \"fallback_on_slow_response: true\", or remove this");
            }
            return None;
        };
        if !switch.value {
            return None;
        }
        if fallback.is_empty() {
            let message = "fallback_on_slow_response needs fallbacks, and they are off".to_owned();
            self.mistake(&switch.place, message, "enable fallbacks, or remove it");
        }
        let Some(threshold) = threshold else {
            let message = "fallback_on_slow_response does not say from when on an answer is slow".to_owned();
            self.mistake(&switch.place, message, "add \"latency_threshold: 3s\"");
            return None;
        };
        let action = action.map_or(SlowAction::Cancel, |action| action.value);
        self.threshold(written, threshold, action);
        match (action, threshold.value.0) {
            (SlowAction::Cancel, Threshold::After(after)) => Some(Slow::Cancel(after)),
            (SlowAction::Cancel, Threshold::Quantile(_)) => None,
            (SlowAction::Hedge, threshold) => {
                let budget = written.hedge_budget.value().map(|share| Budget::of_share(share.0)).unwrap_or_default();
                Some(Slow::Hedge(Hedge { threshold, budget }))
            }
        }
    }

    /// What a threshold needs, and what would have no use.
    fn threshold(&mut self, written: &file::Routing, threshold: &Spanned<SlowAfter>, action: SlowAction) {
        if action == SlowAction::Cancel
            && let Some(budget) = written.hedge_budget.given()
        {
            let message = "hedge_budget is of no use, since no answer gets another beside it".to_owned();
            self.warning(&budget.place, message, "add \"slow_response: hedge\", or remove this");
        }
        if !threshold.value.0.measures() {
            return;
        }
        if action == SlowAction::Cancel {
            // What is cancelled is not measured to its end: if a provider became slower, all of its answers would be.
            let message = "a percentile as latency_threshold would cancel ever more answers".to_owned();
            self.mistake(&threshold.place, message, "add \"slow_response: hedge\", or write a duration such as 3s");
        }
        let Some(tracking) = written.latency_tracking.given() else { return };
        if tracking.value.enabled.value() == Some(&false) {
            let message = "routing.latency_threshold goes by what routing.latency_tracking would measure".to_owned();
            self.mistake(&tracking.place, message, "enable it, or write a duration such as 3s");
        }
        if tracking.value.sample_size.value().is_some_and(|size| size.0 < hedge::SAMPLES_MIN) {
            let message = format!("routing.latency_threshold needs {} measurements", hedge::SAMPLES_MIN);
            self.mistake(&tracking.place, message, "raise sample_size, or write a duration such as 3s");
        }
    }
}
