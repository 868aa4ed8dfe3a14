//! What the project promises, as figures of a run.

use super::super::results::{Figure, Results, Spread};
use super::super::target::{
    DIRECT, FROM_ANTHROPIC, GATEWAY, NGINX, POLICIES, TO_ANTHROPIC, TO_BEDROCK, TO_GEMINI, UNIT,
};

/// One promise.
#[derive(Debug, Clone, Copy)]
pub(super) struct Goal {
    /// What is promised.
    pub(super) title: &'static str,
    /// Who must keep it.
    pub(super) target: &'static str,
    /// Where it is measured.
    pub(super) phase: &'static str,
    /// What is measured.
    pub(super) figure: Figure,
    /// What the measured value is compared with.
    pub(super) versus: Versus,
    /// The most that is allowed.
    pub(super) limit: f64,
}

/// What a measured value is compared with.
#[derive(Debug, Clone, Copy)]
pub(super) enum Versus {
    /// Nothing: the value itself counts, in this unit.
    Itself(&'static str),
    /// Its multiple of another target's counts.
    Times(&'static str),
    /// What it adds to another target's counts, in this unit.
    Over(&'static str, &'static str),
}

impl Goal {
    /// What was measured; `None` if it was not.
    pub(super) fn measured(&self, results: &Results) -> Option<Spread> {
        match self.versus {
            Versus::Itself(_) => results.value(self.target, self.phase, self.figure),
            Versus::Times(base) => results.ratio(self.target, base, self.phase, self.figure),
            Versus::Over(base, _) => results.added(self.target, base, self.phase, self.figure),
        }
    }

    /// Whether the promise is kept; with a question mark if the rounds do not agree.
    pub(super) fn verdict(&self, measured: Spread) -> &'static str {
        match (measured.median <= self.limit, measured.least <= self.limit && measured.most > self.limit) {
            (true, false) => "ok",
            (true, true) => "ok?",
            (false, false) => "missed",
            (false, true) => "missed?",
        }
    }

    /// A value without its unit.
    pub(super) fn digits(&self, value: f64) -> String {
        match self.versus {
            Versus::Itself(_) => format!("{value:.1}"),
            Versus::Times(_) => format!("{value:.2}"),
            Versus::Over(..) => format!("{value:.0}"),
        }
    }

    /// A value as it is shown.
    pub(super) fn show(&self, value: f64) -> String {
        match self.versus {
            Versus::Itself(unit) => format!("{} {unit}", self.digits(value)).trim_end().to_owned(),
            Versus::Times(base) => format!("{} × {base}", self.digits(value)),
            Versus::Over(base, unit) => format!("{} {unit} over {base}", self.digits(value)),
        }
    }
}

use Figure::{
    AfterBurstRatio, CpuPerChunkUs, CpuPerRequestUs, FirstByteP50Us, LatencyP50Us, LatencyP99Us, RestMb, StartMs,
    StreamOf500Kb, StreamOf2000Kb,
};
use Versus::{Itself, Over, Times};

/// All promises.
pub(super) const GOALS: &[Goal] = &[
    goal("CPU for a request, 1 KB", GATEWAY, "c64", CpuPerRequestUs, Times(UNIT), 1.15),
    goal("CPU for a request, 1 KB", POLICIES, "c64", CpuPerRequestUs, Times(UNIT), 1.4),
    goal("CPU for a request, 64 KB", POLICIES, "long-prompt", CpuPerRequestUs, Times(UNIT), 1.3),
    goal("CPU for a chunk of a stream", GATEWAY, "streams", CpuPerChunkUs, Times(UNIT), 1.3),
    goal("CPU for a chunk of a stream", POLICIES, "streams", CpuPerChunkUs, Times(UNIT), 1.3),
    goal("CPU for a translated request, 1 KB", TO_ANTHROPIC, "c64", CpuPerRequestUs, Times(UNIT), 2.0),
    goal("CPU for a translated request, 1 KB", FROM_ANTHROPIC, "c64", CpuPerRequestUs, Times(UNIT), 2.0),
    goal("CPU for a translated request, 1 KB", TO_GEMINI, "c64", CpuPerRequestUs, Times(UNIT), 2.0),
    goal("CPU for a translated request, 1 KB", TO_BEDROCK, "c64", CpuPerRequestUs, Times(UNIT), 2.0),
    goal("CPU for a translated chunk", TO_ANTHROPIC, "streams", CpuPerChunkUs, Times(UNIT), 3.0),
    goal("CPU for a translated chunk", FROM_ANTHROPIC, "streams", CpuPerChunkUs, Times(UNIT), 3.0),
    goal("CPU for a translated chunk", TO_GEMINI, "streams", CpuPerChunkUs, Times(UNIT), 3.0),
    goal("CPU for a translated chunk", TO_BEDROCK, "streams", CpuPerChunkUs, Times(UNIT), 3.0),
    goal("latency added, p50", GATEWAY, "latency", LatencyP50Us, Over(UNIT, "µs"), 60.0),
    goal("latency added, p99", GATEWAY, "latency", LatencyP99Us, Over(UNIT, "µs"), 300.0),
    goal("latency added, p50", POLICIES, "latency", LatencyP50Us, Over(UNIT, "µs"), 60.0),
    goal("latency added, p99", POLICIES, "latency", LatencyP99Us, Over(UNIT, "µs"), 300.0),
    goal("first token added, p50", GATEWAY, "first-token", FirstByteP50Us, Over(DIRECT, "µs"), 150.0),
    goal("first token added, p50", POLICIES, "first-token", FirstByteP50Us, Over(DIRECT, "µs"), 150.0),
    goal("memory at rest", POLICIES, "memory", RestMb, Itself("MB"), 15.0),
    goal("memory for each of 500 open streams", POLICIES, "memory", StreamOf500Kb, Itself("KB"), 30.0),
    goal("memory for each of 2,000 open streams", POLICIES, "memory", StreamOf2000Kb, Itself("KB"), 30.0),
    goal("memory after a burst, of that at rest", POLICIES, "memory", AfterBurstRatio, Itself(""), 1.2),
    goal("start to the first answer", POLICIES, "start", StartMs, Itself("ms"), 100.0),
];

/// What would be better still.
pub(super) const ASPIRATIONS: &[Goal] = &[
    goal("CPU for a request, 1 KB", GATEWAY, "c64", CpuPerRequestUs, Times(NGINX), 1.0),
    goal("CPU for a request, 1 KB", POLICIES, "c64", CpuPerRequestUs, Times(NGINX), 1.3),
];

const fn goal(
    title: &'static str,
    target: &'static str,
    phase: &'static str,
    figure: Figure,
    versus: Versus,
    limit: f64,
) -> Goal {
    Goal { title, target, phase, figure, versus, limit }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_verdict_is_certain_only_if_all_rounds_agree() {
        let goal = goal("", GATEWAY, "c64", CpuPerRequestUs, Times(UNIT), 1.15);
        let verdict = |least, median, most| goal.verdict(Spread { least, median, most });
        assert_eq!(verdict(1.0, 1.1, 1.15), "ok");
        assert_eq!(verdict(0.7, 1.1, 1.3), "ok?");
        assert_eq!(verdict(1.1, 1.2, 1.3), "missed?");
        assert_eq!(verdict(1.2, 1.2, 1.3), "missed");
    }
}
