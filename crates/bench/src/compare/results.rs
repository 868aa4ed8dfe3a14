//! What was measured, and what follows from it over all rounds.

use std::collections::BTreeMap;

use anyhow::Error;
use serde::Serialize;

/// One measured quantity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Figure {
    /// Whole answers a second.
    RequestsPerSecond,
    /// CPU time of the measured program for a request.
    CpuPerRequestUs,
    /// CPU time of the measured program for a chunk of a stream.
    CpuPerChunkUs,
    /// From the request to the end of the answer: half of all.
    LatencyP50Us,
    /// From the request to the end of the answer: 99 of 100.
    LatencyP99Us,
    /// From the request to the first byte of the answer's body: half of all.
    FirstByteP50Us,
    /// From the request to the first byte of the answer's body: 99 of 100.
    FirstByteP99Us,
    /// Part of the machine that neither the rig nor the measured program took, in percent.
    ForeignCpuPercent,
    /// CPU time of the load generator, in percent of one processor.
    LoadCpuPercent,
    /// CPU time of the mock, in percent of one processor.
    MockCpuPercent,
    /// From the start of the program to its first answer.
    StartMs,
    /// Resident memory after the start and one answer.
    RestMb,
    /// Memory for each of 500 open streams.
    StreamOf500Kb,
    /// Memory for each of 2,000 open streams.
    StreamOf2000Kb,
    /// Resident memory after a burst, as a multiple of that at rest.
    AfterBurstRatio,
}

/// One measurement: a target in a phase of a round.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Cell {
    /// The target.
    pub(super) target: String,
    /// The phase.
    pub(super) phase: &'static str,
    /// The round, from 1.
    pub(super) round: u32,
    /// What was measured; empty if it was thrown away.
    pub(super) figures: BTreeMap<Figure, f64>,
    /// Why it was thrown away.
    pub(super) thrown_away: Option<String>,
}

impl Cell {
    /// A measurement that gives no figure.
    pub(super) fn thrown_away(target: &str, phase: &'static str, round: u32, error: &Error) -> Self {
        let thrown_away = Some(format!("{error:#}"));
        Self { target: target.to_owned(), phase, round, figures: BTreeMap::new(), thrown_away }
    }
}

/// All measurements of a run.
#[derive(Debug, Default, Serialize)]
pub(super) struct Results {
    /// One after the other.
    pub(super) cells: Vec<Cell>,
}

impl Results {
    /// The median over the rounds.
    pub(super) fn value(&self, target: &str, phase: &str, figure: Figure) -> Option<f64> {
        median(self.rounds(target, phase, figure).into_values().collect())
    }

    /// The median of the ratios to another target, each within one round.
    pub(super) fn ratio(&self, target: &str, base: &str, phase: &str, figure: Figure) -> Option<f64> {
        self.paired(target, base, phase, figure, |value, base| value / base)
    }

    /// The median of the differences to another target, each within one round.
    pub(super) fn added(&self, target: &str, base: &str, phase: &str, figure: Figure) -> Option<f64> {
        self.paired(target, base, phase, figure, |value, base| value - base)
    }

    /// The measurements that give no figure.
    pub(super) fn thrown_away(&self) -> impl Iterator<Item = &Cell> {
        self.cells.iter().filter(|cell| cell.thrown_away.is_some())
    }

    /// The smallest and the largest value of a figure in a phase, over all targets and rounds.
    pub(super) fn range(&self, phase: &str, figure: Figure) -> Option<(f64, f64)> {
        let cells = self.cells.iter().filter(|cell| cell.phase == phase);
        let values: Vec<f64> = cells.filter_map(|cell| cell.figures.get(&figure).copied()).collect();
        let least = values.iter().copied().reduce(f64::min)?;
        Some((least, values.iter().copied().reduce(f64::max)?))
    }

    fn paired(
        &self,
        target: &str,
        base: &str,
        phase: &str,
        figure: Figure,
        combine: impl Fn(f64, f64) -> f64,
    ) -> Option<f64> {
        let bases = self.rounds(base, phase, figure);
        let pairs = self.rounds(target, phase, figure).into_iter();
        median(pairs.filter_map(|(round, value)| Some(combine(value, *bases.get(&round)?))).collect())
    }

    fn rounds(&self, target: &str, phase: &str, figure: Figure) -> BTreeMap<u32, f64> {
        let cells = self.cells.iter().filter(|cell| cell.target == target && cell.phase == phase);
        cells.filter_map(|cell| Some((cell.round, *cell.figures.get(&figure)?))).collect()
    }
}

/// The value in the middle; of an even number the mean of the two.
pub(super) fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    let upper = *values.get(middle)?;
    if values.len() % 2 == 1 {
        return Some(upper);
    }
    Some(f64::midpoint(*values.get(middle.checked_sub(1)?)?, upper))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cell(target: &str, round: u32, cpu_us: f64) -> Cell {
        let figures = BTreeMap::from([(Figure::CpuPerRequestUs, cpu_us)]);
        Cell { target: target.to_owned(), phase: "c64", round, figures, thrown_away: None }
    }

    #[test]
    fn a_ratio_is_taken_within_a_round_so_that_a_slow_round_does_not_show() {
        let cells = vec![
            cell("unit", 1, 10.0),
            cell("gateway", 1, 12.0),
            cell("unit", 2, 20.0),
            cell("gateway", 2, 24.0),
            cell("gateway", 3, 99.0),
        ];
        let results = Results { cells };
        assert_eq!(results.ratio("gateway", "unit", "c64", Figure::CpuPerRequestUs), Some(1.2));
    }

    #[test]
    fn the_median_is_the_value_in_the_middle() {
        assert_eq!(median(vec![9.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(vec![4.0, 1.0, 2.0, 9.0]), Some(3.0));
        assert_eq!(median(Vec::new()), None);
    }
}
