//! `cargo xtask bench`: builds what is measured and hands over to the load rig.

use anyhow::Result;
use clap::Args;

use crate::{process, project};

/// What is measured, and how long.
#[derive(Args)]
pub(crate) struct Options {
    /// Passed to the rig's `compare`; `cargo xtask bench -- --help` shows what it takes.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    rig: Vec<String>,
}

/// Builds the gateway as it is shipped in a release, then measures it against a bare pass-through.
pub(crate) fn run(options: &Options) -> Result<()> {
    process::run(&mut project::cargo(&["build", "--release", "--package", "gateway", "--package", "bench"]))?;
    process::run(
        project::cargo(&["run", "--release", "--quiet", "--package", "bench", "--", "compare"]).args(&options.rig),
    )
}
