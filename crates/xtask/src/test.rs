//! `cargo xtask test`: every check of the project, in order, up to the first failure.

use std::process::{Command, ExitCode};
use std::time::Duration;

use anyhow::Result;
use clap::{Args, ValueEnum};

use crate::tally::{Runner, Tally};
use crate::{process, project, tidy, tools};

/// What is checked.
#[derive(Args)]
pub(crate) struct Options {
    /// Runs this check alone (may be given several times); what it needs is built first.
    #[arg(long, value_name = "NAME")]
    only: Vec<Check>,
}

/// One check. The order here is the order in which they run: what is quick or fundamental comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Check {
    /// The sources are formatted.
    Fmt,
    /// No lint complains.
    Clippy,
    /// What no compiler checks.
    Tidy,
    /// The gateway builds.
    Build,
    /// Tests of every crate, and of the whole house.
    Tests,
    /// The examples in doc comments.
    Doctests,
    /// The documentation builds and has no broken link.
    Doc,
    /// Licences, bans and sources of what we depend on.
    Deny,
    /// No dependency is declared in vain.
    Machete,
    /// The official OpenAI SDK for Python, against the gateway.
    SdkPython,
    /// The official OpenAI SDK for Node, against the gateway.
    SdkNode,
}

/// How a check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Verdict {
    tally: Tally,
    succeeded: bool,
}

/// Runs the checks. The last line says how many tests passed and failed; a check without tests of its own is one.
pub(crate) fn run(options: &Options) -> Result<ExitCode> {
    let checks = chosen(&options.only);
    tools::install(&needed(&checks))?;
    let mut total = Tally::default();
    let mut code = ExitCode::SUCCESS;
    let mut durations = Vec::new();
    for check in checks {
        println!("\n=== {}", check.name());
        let started = now();
        let verdict = check.run()?;
        durations.push((check, started.elapsed()));
        total += verdict.tally;
        if !verdict.succeeded {
            println!("=== {} failed; the checks after it were not run", check.name());
            code = ExitCode::FAILURE;
            break;
        }
    }
    print_durations(&durations);
    println!("{total}");
    Ok(code)
}

impl Check {
    fn name(self) -> String {
        self.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
    }

    fn run(self) -> Result<Verdict> {
        match self {
            Check::Fmt => plain(&mut project::cargo(&["fmt", "--all", "--check"])),
            Check::Clippy => plain(&mut project::cargo(&[
                "clippy",
                "--workspace",
                "--all-targets",
                "--quiet",
                "--",
                "--deny",
                "warnings",
            ])),
            Check::Tidy => Ok(judged(tidy::run())),
            Check::Build => plain(&mut project::cargo(&["build", "--package", "gateway"])),
            Check::Tests => counted(
                Runner::Nextest,
                with_gateway(&mut project::cargo(&["nextest", "run", "--workspace", "--no-fail-fast"])),
            ),
            Check::Doctests => {
                counted(Runner::CargoTest, &mut project::cargo(&["test", "--workspace", "--doc", "--quiet"]))
            }
            // With what is private, because the reading order of a crate names its private modules.
            Check::Doc => plain(
                project::cargo(&["doc", "--workspace", "--no-deps", "--document-private-items", "--quiet"])
                    .env("RUSTDOCFLAGS", "--deny warnings --allow rustdoc::private_intra_doc_links"),
            ),
            Check::Deny => {
                println!("known vulnerabilities are not looked up: their list is not in a package registry");
                plain(&mut project::cargo(&["deny", "check", "bans", "licenses", "sources"]))
            }
            Check::Machete => plain(&mut project::cargo(&["machete", "crates"])),
            Check::SdkPython => counted(Runner::Pytest, with_gateway(&mut tools::pytest())),
            Check::SdkNode => counted(Runner::Node, with_gateway(&mut tools::node_test()?)),
        }
    }

    fn needs_the_gateway(self) -> bool {
        matches!(self, Check::Tests | Check::SdkPython | Check::SdkNode)
    }

    fn tool(self) -> Option<tools::Tool> {
        match self {
            Check::Tests => Some(tools::Tool::Nextest),
            Check::Deny => Some(tools::Tool::Deny),
            Check::Machete => Some(tools::Tool::Machete),
            Check::SdkPython => Some(tools::Tool::PythonSuite),
            Check::SdkNode => Some(tools::Tool::NodeSuite),
            Check::Fmt | Check::Clippy | Check::Tidy | Check::Build | Check::Doctests | Check::Doc => None,
        }
    }
}

/// The checks asked for in the order of the list, with what they need.
fn chosen(only: &[Check]) -> Vec<Check> {
    let all = Check::value_variants().iter().copied();
    if only.is_empty() {
        return all.collect();
    }
    let build = only.iter().any(|check| check.needs_the_gateway());
    all.filter(|check| only.contains(check) || (build && *check == Check::Build)).collect()
}

fn needed(checks: &[Check]) -> Vec<tools::Tool> {
    checks.iter().filter_map(|check| check.tool()).collect()
}

fn plain(command: &mut Command) -> Result<Verdict> {
    Ok(judged(process::run(command)))
}

fn judged(result: Result<()>) -> Verdict {
    match result {
        Ok(()) => Verdict { tally: Tally { passed: 1, failed: 0 }, succeeded: true },
        Err(error) => {
            println!("{error:#}");
            Verdict { tally: Tally { passed: 0, failed: 1 }, succeeded: false }
        }
    }
}

/// Runs a suite and adds up its own summary. A runner that fails without one counts as one failure.
fn counted(runner: Runner, command: &mut Command) -> Result<Verdict> {
    let mut tally = Tally::default();
    let succeeded = process::watched(command, &mut |line| tally += runner.read(line))?;
    if !succeeded && tally.failed == 0 {
        tally.failed = 1;
    }
    Ok(Verdict { tally, succeeded })
}

fn with_gateway(command: &mut Command) -> &mut Command {
    command.env("AI_GATEWAY_BINARY", project::gateway_binary())
}

fn print_durations(durations: &[(Check, Duration)]) {
    println!("\n=== durations");
    for (check, duration) in durations {
        println!("{:<12} {:>7.1} s", check.name(), duration.as_secs_f64());
    }
    println!();
}

#[expect(clippy::disallowed_methods, reason = "there is no runtime here whose clock a test could pause")]
fn now() -> std::time::Instant {
    std::time::Instant::now()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_suite_asked_for_alone_gets_its_gateway_built_first() {
        assert_eq!(chosen(&[Check::SdkNode]), [Check::Build, Check::SdkNode]);
        assert_eq!(chosen(&[Check::Deny, Check::Fmt]), [Check::Fmt, Check::Deny]);
        assert_eq!(chosen(&[]).len(), Check::value_variants().len());
    }

    #[test]
    fn a_runner_that_dies_without_a_summary_is_a_failure() {
        let verdict = counted(Runner::Nextest, &mut Command::new("false")).unwrap();
        assert_eq!(verdict, Verdict { tally: Tally { passed: 0, failed: 1 }, succeeded: false });
    }
}
