//! How many tests passed and failed, read from the runners' own summaries.

use std::fmt;
use std::ops::AddAssign;

/// How many tests passed and failed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    /// Tests that passed.
    pub(crate) passed: u64,
    /// Tests that failed, could not be set up or took too long.
    pub(crate) failed: u64,
}

/// Who wrote a summary.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Runner {
    /// `cargo nextest`.
    Nextest,
    /// `cargo test`.
    CargoTest,
    /// Python's `pytest`.
    Pytest,
    /// `node --test`.
    Node,
}

impl Runner {
    /// What a line of the runner's output adds to the tally. Lines other than its summary add nothing.
    pub(crate) fn read(self, line: &str) -> Tally {
        let line = line.trim();
        let summary = match self {
            Runner::Nextest => line.starts_with("Summary ["),
            Runner::CargoTest => line.starts_with("test result:"),
            Runner::Pytest => line.starts_with('=') && line.contains(" in "),
            Runner::Node => line.starts_with('ℹ'),
        };
        if summary { numbers(line) } else { Tally::default() }
    }
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed, {} failed", self.passed, self.failed)
    }
}

/// Reads `3 passed` and, as Node writes it, `pass 3`.
fn numbers(line: &str) -> Tally {
    let words: Vec<_> = line.split_whitespace().map(|word| word.trim_matches([',', ';', '.', ':'])).collect();
    let mut tally = Tally::default();
    for pair in words.windows(2) {
        let [first, second] = pair else { continue };
        match (first.parse::<u64>(), second.parse::<u64>()) {
            (Ok(number), _) => match *second {
                "passed" => tally.passed += number,
                "failed" | "error" | "errors" | "timed" => tally.failed += number,
                _ => {}
            },
            (Err(_), Ok(number)) => match *first {
                "pass" => tally.passed += number,
                "fail" | "cancelled" => tally.failed += number,
                _ => {}
            },
            (Err(_), Err(_)) => {}
        }
    }
    tally
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_summary_of_every_runner_is_understood() {
        let cases = [
            (Runner::Nextest, "     Summary [   0.412s] 12 tests run: 12 passed (1 slow), 3 skipped", (12, 0)),
            (
                Runner::Nextest,
                "     Summary [   9.1s] 9/12 tests run: 7 passed, 1 failed, 1 timed out, 0 skipped",
                (7, 2),
            ),
            (Runner::CargoTest, "test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out", (3, 0)),
            (Runner::Pytest, "=================== 1 failed, 20 passed, 2 errors in 3.52s ===================", (20, 3)),
            (Runner::Node, "ℹ pass 21", (21, 0)),
            (Runner::Node, "ℹ fail 2", (0, 2)),
        ];
        for (runner, line, (passed, failed)) in cases {
            assert_eq!(runner.read(line), Tally { passed, failed }, "{line}");
        }
    }

    #[test]
    fn what_a_test_itself_prints_is_not_counted() {
        for runner in [Runner::Nextest, Runner::CargoTest, Runner::Pytest, Runner::Node] {
            assert_eq!(runner.read("the upstream said: 5 passed, 2 failed"), Tally::default(), "{runner:?}");
        }
    }
}
