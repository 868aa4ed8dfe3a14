//! Advice on long files and functions: someone should stop and look, nobody has to obey.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

const FILE_LINES: usize = 500;
const FUNCTION_LINES: usize = 70;

/// Names the Rust files and functions that are longer than a reader likes.
pub(super) fn advise(root: &Path, files: &[PathBuf]) -> Result<Vec<String>> {
    let mut advice = Vec::new();
    for file in files.iter().filter(|file| file.extension().is_some_and(|extension| extension == "rs")) {
        let text = fs::read_to_string(root.join(file)).with_context(|| format!("cannot read {}", file.display()))?;
        let lines = text.lines().count();
        if lines > FILE_LINES {
            advice.push(format!("{} has {lines} lines; would a reader split it?", file.display()));
        }
        for (line, name, length) in functions(&text).into_iter().filter(|(.., length)| *length > FUNCTION_LINES) {
            advice.push(format!("{}:{line}: fn {name} has {length} lines", file.display()));
        }
    }
    Ok(advice)
}

/// First line, name and length of each function. Relies on rustfmt: a function ends at the first closing brace that is
/// indented as its first line is.
fn functions(text: &str) -> Vec<(usize, &str, usize)> {
    let lines: Vec<_> = text.lines().collect();
    let mut found = Vec::new();
    for (start, line) in lines.iter().enumerate() {
        let Some(name) = function_name(line) else { continue };
        let indent = line.len() - line.trim_start().len();
        let end = lines[start..].iter().position(|line| {
            let code = line.trim_start();
            line.len() - code.len() == indent && (code.starts_with('}') || code.ends_with(';') || code.ends_with('}'))
        });
        if let Some(end) = end {
            found.push((start + 1, name, end + 1));
        }
    }
    found
}

fn function_name(line: &str) -> Option<&str> {
    let mut words = line.split_whitespace();
    let before_name = words.find(|word| {
        !matches!(*word, "pub" | "pub(crate)" | "pub(super)" | "const" | "async") && !word.starts_with("pub(in")
    })?;
    if before_name != "fn" {
        return None;
    }
    words.next()?.split(['(', '<']).next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_are_measured_from_their_name_to_their_closing_brace() {
        let text = "\
impl House {
    pub(crate) async fn open<T>(
        &self,
    ) -> u8 {
        if true {
        }
        1
    }

    fn declared(&self);
    fn short(&self) -> u8 { 1 }
}

const fn last() {
}
";
        assert_eq!(functions(text), [(2, "open", 7), (10, "declared", 1), (11, "short", 1), (14, "last", 2)]);
    }
}
