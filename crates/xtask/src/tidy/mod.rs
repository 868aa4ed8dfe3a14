//! `cargo xtask tidy`: what no compiler checks.
//!
//! Reading order: [`floors`] (who may use whom), [`catalogue`] (provider entries), [`words`] (what has no place in the
//! tree), [`length`] (advice only). All mistakes are reported, not just the first.

mod catalogue;
mod floors;
mod length;
mod words;

use anyhow::{Result, bail};

use crate::{docs, project};

/// Checks everything; fails if anything but a piece of advice was found.
pub(crate) fn run() -> Result<()> {
    let root = project::root();
    let files = project::files()?;
    let mut mistakes = Vec::new();
    mistakes.extend(floors::check(&root)?);
    mistakes.extend(catalogue::check(&root)?);
    mistakes.extend(words::check(&root, &files)?);
    if let Err(error) = docs::check() {
        mistakes.push(format!("{error:#}"));
    }
    for advice in length::advise(&root, &files)? {
        println!("advice: {advice}");
    }
    for mistake in &mistakes {
        println!("error: {mistake}");
    }
    match mistakes.len() {
        0 => Ok(()),
        number => bail!("tidy found {number} mistakes"),
    }
}
