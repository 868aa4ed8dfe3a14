//! `cargo xtask docs`: the pages that are generated from code.

use anyhow::{Context, Result};

use crate::{process, project};

/// Writes the pages.
pub(crate) fn write() -> Result<()> {
    process::run(&mut project::cargo(&[
        "run",
        "--quiet",
        "--package",
        "xtask",
        "--example",
        "reference",
        "--",
        "write",
    ]))
}

/// Fails where a page differs from what the code says now.
pub(crate) fn check() -> Result<()> {
    let mut command =
        project::cargo(&["run", "--quiet", "--package", "xtask", "--example", "reference", "--", "check"]);
    process::run(&mut command).context("the generated reference is stale or cannot be built; see above")
}
