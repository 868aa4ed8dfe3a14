//! The project's load rig: what the gateway costs, beside a bare pass-through and nginx, in one interleaved run.
//!
//! Read in this order: [`exchange`] (what is asked and what must come back), [`mock`], [`load`] and [`passthrough`] (the
//! programs that the rig brings along), [`system`] (processes, CPU time, memory), [`compare`] (the run and its figures).
//!
//! **Invariants.** Everything is on loopback. Every wait has an end. Every program that the comparer starts ends with
//! it, however that ends. Every answer is checked; a measurement with one error gives no figure.

mod certificates;
mod compare;
mod exchange;
mod listen;
mod load;
mod mock;
mod passthrough;
mod system;
mod task;
mod template;

use std::process::ExitCode;

use clap::Parser;

/// Measures gateways on this machine.
#[derive(Parser)]
#[command(name = "bench")]
enum Program {
    /// Starts everything, measures in interleaved rounds and prints the figures.
    Compare(compare::Options),
    /// A provider that answers at once.
    Mock(mock::Options),
    /// The unit of the ratios: a proxy that only forwards.
    PassThrough(passthrough::Options),
    /// One run of the load generator: a plan on standard input, a report on standard output.
    Load,
    /// Becomes another program that ends with the comparer.
    Exec(system::ExecOptions),
}

fn main() -> ExitCode {
    let done = match Program::parse() {
        Program::Compare(options) => compare::run(&options),
        Program::Mock(options) => mock::run(options).map(|()| ExitCode::SUCCESS),
        Program::PassThrough(options) => passthrough::run(options).map(|()| ExitCode::SUCCESS),
        Program::Load => load::run().map(|()| ExitCode::SUCCESS),
        Program::Exec(options) => system::exec(&options).map(|()| ExitCode::SUCCESS),
    };
    done.unwrap_or_else(complain)
}

#[expect(clippy::print_stderr, clippy::needless_pass_by_value, reason = "the end of a command line tool")]
fn complain(error: anyhow::Error) -> ExitCode {
    eprintln!("error: {error:#}");
    ExitCode::FAILURE
}
