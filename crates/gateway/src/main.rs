//! The gateway's program: reads, assembles, runs, reloads, drains.
//!
//! Read in this order: [`cli`] (what can be asked of it), [`assemble`] (how the house is put together), [`reload`] (how a
//! new configuration gets in), [`drain`] (how it ends). [`banner`] is what a person sees first.

mod assemble;
mod banner;
mod catalog;
mod cli;
mod control;
mod drain;
mod explain;
mod health_checks;
mod metrics;
mod records;
mod reload;
mod settings;

use std::process::ExitCode;

/// Gives memory back after a burst, which the system's allocator does not; docs/decisions/007-jemalloc.md.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    cli::main()
}
