//! Tasks of the project, run as `cargo xtask NAME`.
//!
//! Read in this order: [`mod@test`] (what is checked, and in which order), [`tools`] (what that needs to be installed),
//! [`tidy`] (what no compiler checks), [`docs`], [`catalog`] and [`mod@bench`].
//!
//! **Invariants.** This crate compiles in seconds: it uses no crate of the house, so that it also runs while the house
//! does not compile. What needs the house's code (the generated reference) is the example `reference`.
#![expect(clippy::print_stdout, reason = "a command line tool speaks on stdout")]

mod bench;
mod catalog;
mod docs;
mod process;
mod project;
mod tally;
mod test;
mod tidy;
mod tools;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

/// Tasks of the project.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Installs what the tests need and runs every check, in order, up to the first failure.
    Test(test::Options),
    /// Checks what no compiler checks: floors, generated documents, catalogue, words; advises on length.
    Tidy,
    /// Writes the generated reference to docs/reference.
    Docs,
    /// Makes the files of models and prices from a public price file.
    Catalog(catalog::Options),
    /// Builds the gateway and the load rig for release and compares; further arguments go to the rig.
    Bench(bench::Options),
}

fn main() -> ExitCode {
    let Arguments { task } = Arguments::parse();
    match perform(task) {
        Ok(code) => code,
        Err(error) => {
            println!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn perform(task: Task) -> Result<ExitCode> {
    match task {
        Task::Test(options) => test::run(&options),
        Task::Tidy => tidy::run().map(|()| ExitCode::SUCCESS),
        Task::Docs => docs::write().map(|()| ExitCode::SUCCESS),
        Task::Catalog(options) => catalog::run(&options).map(|()| ExitCode::SUCCESS),
        Task::Bench(options) => bench::run(&options).map(|()| ExitCode::SUCCESS),
    }
}
