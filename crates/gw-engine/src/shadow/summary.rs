//! What comparing a shadow's answers with the usual ones has come to.

use gw_core::shadow::{Comparison, Side, Verdict};
use gw_telemetry::Missed;

/// What comparing has come to so far.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Summary {
    /// Requests that were not sent to the shadow: there was no room, or its provider had no call to spare.
    pub skipped: u64,
    /// Copies that were given up: the client left, or the rollout was rolled back.
    pub stopped: u64,
    /// How often each verdict was found, in the order of [`Verdict::ALL`].
    pub verdicts: [u64; Verdict::ALL.len()],
    /// Pairs that ended for the same reason.
    pub same_finish: Agreement,
    /// Pairs that called the same tools with equal arguments.
    pub same_calls: Agreement,
    /// Where JSON was asked for: pairs of which both are.
    pub both_json: Agreement,
    /// What texts have in common, in per cent.
    pub similarity_percent: Means,
    /// The usual answers.
    pub usual: Sides,
    /// Those of the shadow.
    pub shadow: Sides,
}

/// How often something held of those of which it could be said.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Agreement {
    /// Of so many.
    pub of: u64,
    /// It held so often.
    pub held: u64,
}

/// A mean of what is known.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Means {
    count: u64,
    sum: f64,
}

/// Means of one side, of pairs of which both have answered.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Sides {
    /// To the first content, in milliseconds.
    pub first_content_ms: Means,
    /// To the end, in milliseconds.
    pub total_ms: Means,
    /// Tokens of the request.
    pub input_tokens: Means,
    /// Tokens of the answer.
    pub output_tokens: Means,
    /// In nanodollars.
    pub cost_nanodollars: Means,
}

impl Summary {
    pub(crate) fn add(&mut self, comparison: &Comparison) {
        let Comparison { usual, shadow, verdict, .. } = comparison;
        self.verdicts[*verdict as usize] += 1;
        self.same_finish.add(comparison.same_finish);
        self.same_calls.add(comparison.same_calls);
        self.both_json.add(usual.is_json.zip(shadow.is_json).map(|(usual, shadow)| usual && shadow));
        self.similarity_percent.add(comparison.similarity_percent.map(f64::from));
        if matches!(verdict, Verdict::Equal | Verdict::Different | Verdict::Unread) {
            self.usual.add(usual);
            self.shadow.add(shadow);
        }
    }

    pub(crate) fn miss(&mut self, missed: Missed) {
        match missed {
            Missed::Skipped => self.skipped += 1,
            Missed::Stopped => self.stopped += 1,
        }
    }

    /// Pairs that were compared.
    pub fn compared(&self) -> u64 {
        self.verdicts.iter().sum()
    }
}

impl Agreement {
    fn add(&mut self, holds: Option<bool>) {
        self.of += u64::from(holds.is_some());
        self.held += u64::from(holds == Some(true));
    }
}

impl Means {
    fn add(&mut self, value: Option<f64>) {
        if let Some(value) = value {
            *self = Self { count: self.count + 1, sum: self.sum + value };
        }
    }

    /// The mean; `None` of nothing.
    pub fn mean(&self) -> Option<f64> {
        (self.count > 0).then(|| self.sum / self.count as f64)
    }
}

impl Sides {
    fn add(&mut self, side: &Side) {
        let millis = |us: u64| us as f64 / 1e3;
        self.first_content_ms.add(side.first_content_us.map(millis));
        self.total_ms.add(Some(millis(side.total_us)));
        self.input_tokens.add(side.input_tokens.map(|tokens| tokens as f64));
        self.output_tokens.add(side.output_tokens.map(|tokens| tokens as f64));
        self.cost_nanodollars.add(side.cost.map(|cost| cost.0 as f64));
    }
}
