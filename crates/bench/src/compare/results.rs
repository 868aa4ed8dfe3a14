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
    /// Resident memory after a burst.
    AfterBurstMb,
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

    /// How much of the machine others took meanwhile.
    pub(super) fn foreign_percent(&self) -> f64 {
        self.figures.get(&Figure::ForeignCpuPercent).copied().unwrap_or(0.0)
    }
}

/// All measurements of a run.
#[derive(Debug, Default, Serialize)]
pub(super) struct Results {
    /// One after the other.
    pub(super) cells: Vec<Cell>,
}

/// A figure over all rounds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Spread {
    /// The smallest.
    pub(super) least: f64,
    /// The one in the middle.
    pub(super) median: f64,
    /// The largest.
    pub(super) most: f64,
}

impl Results {
    /// A figure as it was measured.
    pub(super) fn value(&self, target: &str, phase: &str, figure: Figure) -> Option<Spread> {
        Spread::of(self.rounds(target, phase, figure).into_values().collect())
    }

    /// The ratio to another target, within each round.
    pub(super) fn ratio(&self, target: &str, base: &str, phase: &str, figure: Figure) -> Option<Spread> {
        self.paired((target, base), phase, figure, |value, base| value / base)
    }

    /// The difference to another target, within each round.
    pub(super) fn added(&self, target: &str, base: &str, phase: &str, figure: Figure) -> Option<Spread> {
        self.paired((target, base), phase, figure, |value, base| value - base)
    }

    /// The measurements that give no figure.
    pub(super) fn thrown_away(&self) -> impl Iterator<Item = &Cell> {
        self.cells.iter().filter(|cell| cell.thrown_away.is_some())
    }

    /// A figure in a phase over all targets and rounds.
    pub(super) fn over_all(&self, phase: &str, figure: Figure) -> Option<Spread> {
        let cells = self.cells.iter().filter(|cell| cell.phase == phase);
        Spread::of(cells.filter_map(|cell| cell.figures.get(&figure).copied()).collect())
    }

    fn paired(
        &self,
        (target, base): (&str, &str),
        phase: &str,
        figure: Figure,
        combine: impl Fn(f64, f64) -> f64,
    ) -> Option<Spread> {
        let bases = self.rounds(base, phase, figure);
        let pairs = self.rounds(target, phase, figure).into_iter();
        Spread::of(pairs.filter_map(|(round, value)| Some(combine(value, *bases.get(&round)?))).collect())
    }

    fn rounds(&self, target: &str, phase: &str, figure: Figure) -> BTreeMap<u32, f64> {
        let cells = self.cells.iter().filter(|cell| cell.target == target && cell.phase == phase);
        cells.filter_map(|cell| Some((cell.round, *cell.figures.get(&figure)?))).collect()
    }
}

impl Spread {
    /// The spread of these values; `None` if there are none. Of an even number the median is the mean of the two in the
    /// middle.
    pub(super) fn of(mut values: Vec<f64>) -> Option<Self> {
        values.sort_by(f64::total_cmp);
        let (least, most) = (*values.first()?, *values.last()?);
        let upper = *values.get(values.len() / 2)?;
        let lower = *values.get((values.len() - 1) / 2)?;
        Some(Self { least, median: f64::midpoint(lower, upper), most })
    }
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
        let ratio = results.ratio("gateway", "unit", "c64", Figure::CpuPerRequestUs);
        assert_eq!(ratio, Some(Spread { least: 1.2, median: 1.2, most: 1.2 }));
    }

    #[test]
    fn the_median_is_the_value_in_the_middle() {
        assert_eq!(Spread::of(vec![9.0, 1.0, 2.0]), Some(Spread { least: 1.0, median: 2.0, most: 9.0 }));
        assert_eq!(Spread::of(vec![4.0, 1.0, 2.0, 9.0]), Some(Spread { least: 1.0, median: 3.0, most: 9.0 }));
        assert_eq!(Spread::of(Vec::new()), None);
    }
}
