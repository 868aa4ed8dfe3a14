//! Gathers what is wrong, so that one run shows all of it.

use std::collections::BTreeSet;
use std::fmt::Write;

use crate::known::{DEVIATIONS, Deviation, Law};
use crate::table;

/// Shown of what is wrong, at most.
const SHOWN_MAX: usize = 40;

/// What a test found.
pub(crate) struct Report {
    law: Law,
    wrong: Vec<String>,
    /// The known deviations that were met: one that is not has been mended, and its row must go.
    met: BTreeSet<usize>,
}

impl Report {
    /// Nothing found yet.
    pub(crate) fn new(law: Law) -> Self {
        Self { law, wrong: Vec::new(), met: BTreeSet::new() }
    }

    /// Something is wrong, unless that is known and has a reason.
    pub(crate) fn wrong(&mut self, dialect: &str, case: &str, what: impl std::fmt::Display) {
        let known = |row: &Deviation| row.law == self.law && row.dialect == dialect && row.covers(case);
        match DEVIATIONS.iter().position(known) {
            Some(row) => drop(self.met.insert(row)),
            None => {
                let line = format!("{dialect} <- {case}: {what}");
                if self.wrong.last() != Some(&line) {
                    self.wrong.push(line);
                }
            }
        }
    }

    /// Fails if something was wrong; does nothing where nothing could be compared.
    pub(crate) fn finish_if(self, compared: bool) {
        if compared {
            self.finish();
        }
    }

    /// Fails if something was wrong.
    pub(crate) fn finish(mut self) {
        for (place, row) in DEVIATIONS.iter().enumerate() {
            let looked_for = row.law == self.law && (row.law == Law::Fixture || table::is_listed(row.dialect));
            if looked_for && !self.met.contains(&place) {
                self.wrong.push(format!("{} <- {}: is said to deviate and does not", row.dialect, row.case));
            }
        }
        let mut text = String::new();
        for line in self.wrong.iter().take(SHOWN_MAX) {
            let _ = writeln!(text, "  {line}");
        }
        assert!(self.wrong.is_empty(), "{:?}: {} wrong, of which\n{text}", self.law, self.wrong.len());
    }
}
