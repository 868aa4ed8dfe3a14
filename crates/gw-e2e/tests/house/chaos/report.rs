//! What became of all requests, counted.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt::{self, Display, Formatter};

use serde_json::Value;

use super::audit::{Tries, agrees};
use super::ledger::{Asked, Call, End, Ledger};
use super::mood::Mood;

/// How requests ended, counted.
#[derive(Debug, Default, Clone, Copy)]
struct Ends {
    answered: usize,
    failed: usize,
    broke: usize,
    left: usize,
    lost: usize,
}

/// What became of all.
#[derive(Debug, Default)]
pub(super) struct Report {
    all: Ends,
    /// Of the requests on the route whose last target never fails.
    safe: Ends,
    answered_after_failures: usize,
    by_format: BTreeMap<String, Ends>,
    /// By what providers did to a call of the request. One request may be in several rows.
    by_mood: BTreeMap<Mood, (usize, Ends)>,
    /// Attempts that failed, by the code that the log has of them.
    tries: BTreeMap<String, usize>,
    attempts: u64,
    calls: usize,
    /// Calls after a request's first one, each after an attempt that failed.
    repeated: usize,
    /// Calls of requests that nobody sent.
    pub(super) unasked_calls: usize,
    /// What must not be.
    pub(super) lost: Vec<String>,
    /// Calls that no failed attempt explains.
    pub(super) wrongly_repeated: Vec<String>,
    /// Where the log says something else than the client or the providers saw.
    pub(super) contradicted: Vec<String>,
}

impl Report {
    /// Compares what clients and providers saw with the log, whose lines `records` has by request id. No request may have
    /// more attempts than its route allows: `attempts_max`, of the route that may fail and of the one that may not.
    pub(super) fn of(
        ledger: &Ledger,
        asked: &[Asked],
        records: &HashMap<String, Value>,
        attempts_max: [u64; 2],
    ) -> Self {
        let mut calls = ledger.take();
        let mut report = Self::default();
        for asked in asked {
            let calls = calls.remove(&asked.number).unwrap_or_default();
            let record = asked.request_id.as_ref().and_then(|id| records.get(id));
            report.count(asked, &calls, record, attempts_max[usize::from(asked.is_safe)]);
        }
        report.unasked_calls = calls.values().map(Vec::len).sum();
        report
    }

    /// How many of the requests on the route whose last target never fails were answered, of those of which no provider
    /// broke off in the middle: those cannot be answered by another.
    pub(super) fn safe_share(&self) -> f64 {
        let Ends { answered, failed, lost, .. } = self.safe;
        answered as f64 / (answered + failed + lost) as f64
    }

    /// How many requests were made.
    pub(super) fn requests(&self) -> usize {
        self.all.all()
    }

    /// The moods that no call met.
    pub(super) fn unmet(&self) -> Vec<Mood> {
        let met: HashSet<Mood> = self.by_mood.keys().copied().collect();
        Mood::FAULTS.into_iter().filter(|mood| !met.contains(mood)).collect()
    }

    fn count(&mut self, asked: &Asked, calls: &[Call], record: Option<&Value>, attempts_max: u64) {
        self.all.add(&asked.end);
        if asked.is_safe {
            self.safe.add(&asked.end);
        }
        let way = if asked.streams { "stream" } else { "whole" };
        self.by_format.entry(format!("{:?}, {way}", asked.format)).or_default().add(&asked.end);
        self.calls += calls.len();
        self.repeated += calls.len().saturating_sub(1);
        if let End::Lost(why) = &asked.end {
            self.lost.push(format!("{asked:?}: {why}; {calls:?}"));
        }
        let Some(record) = record else {
            if !matches!(asked.end, End::Lost(_)) {
                self.contradicted.push(format!("no record of {asked:?}"));
            }
            return;
        };
        let tries = Tries::of(record);
        let mut moods: HashSet<Mood> = calls.iter().map(|call| call.mood).collect();
        if tries.codes.contains(&"provider_unreachable") {
            moods.insert(Mood::Dead);
        }
        for mood in moods {
            let (met, ends) = self.by_mood.entry(mood).or_default();
            *met += calls.iter().filter(|call| call.mood == mood).count();
            ends.add(&asked.end);
        }
        for code in &tries.codes {
            *self.tries.entry((*code).to_owned()).or_default() += 1;
        }
        self.attempts += tries.attempts;
        self.answered_after_failures += usize::from(matches!(asked.end, End::Answered(_)) && !tries.codes.is_empty());
        if let Err(why) = tries.explain(calls, attempts_max).and_then(|()| tries.heard(asked, calls, record)) {
            self.wrongly_repeated.push(format!("{why}: {asked:?}, {calls:?}, {record}"));
        }
        if let Err(why) = agrees(asked, record, &tries) {
            self.contradicted.push(format!("{why}: {asked:?}, {calls:?}, {record}"));
        }
    }
}

impl Ends {
    fn add(&mut self, end: &End) {
        let count = match end {
            End::Answered(_) => &mut self.answered,
            End::Failed(_) => &mut self.failed,
            End::Broke(_) => &mut self.broke,
            End::Left => &mut self.left,
            End::Lost(_) => &mut self.lost,
        };
        *count += 1;
    }

    fn all(&self) -> usize {
        self.answered + self.failed + self.broke + self.left + self.lost
    }
}

impl Display for Report {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let row = |f: &mut Formatter<'_>, name: &str, calls: &str, ends: &Ends| {
            let Ends { answered, failed, broke, left, lost } = ends;
            writeln!(f, "{name:<22}{calls:>9}{answered:>10}{failed:>9}{broke:>9}{left:>7}{lost:>6}")
        };
        writeln!(
            f,
            "{:<22}{:>9}{:>10}{:>9}{:>9}{:>7}{:>6}",
            "requests", "calls", "answered", "error", "cut+told", "left", "lost"
        )?;
        row(f, "all", &self.calls.to_string(), &self.all)?;
        row(f, "with a safe target", "", &self.safe)?;
        for (format, ends) in &self.by_format {
            row(f, format, "", ends)?;
        }
        writeln!(f, "by what a provider did to one of their calls:")?;
        for (mood, (calls, ends)) in &self.by_mood {
            row(f, &format!("  {mood:?}"), &calls.to_string(), ends)?;
        }
        writeln!(f, "attempts that failed: {:?}", self.tries)?;
        writeln!(
            f,
            "{} attempts, {} calls: {} after an attempt that failed, {} wrongly; {} requests answered after failures; \
             of those with a safe target that nobody cut, {:.3} % answered",
            self.attempts,
            self.calls,
            self.repeated,
            self.wrongly_repeated.len(),
            self.answered_after_failures,
            self.safe_share() * 100.0
        )
    }
}
