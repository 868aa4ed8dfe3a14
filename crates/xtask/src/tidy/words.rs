//! Words that have no place in the tree: they say where it was made, not what it does.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Result;

/// What must not be written, and why. Put together here so that this file does not find itself.
const WORDS: &[(&str, &str)] = &[
    (concat!("/wo", "rk/"), "a folder of one machine"),
    (concat!("/tmp/", "briefs"), "a folder of one machine"),
    (concat!("py", "pi.org"), "packages are named, not the place they come from"),
    (concat!("pythonhosted", ".org"), "packages are named, not the place they come from"),
    (concat!("registry.", "npmjs.org"), "packages are named, not the place they come from"),
    (concat!("index.", "crates.io"), "packages are named, not the place they come from"),
    (concat!("static.", "crates.io"), "packages are named, not the place they come from"),
    (concat!("todo", "!("), "finish it, or say in the documentation that it is not there"),
    (concat!("FIX", "ME"), "finish it, or say in the documentation that it is not there"),
];

/// Reports every line with such a word.
pub(super) fn check(root: &Path, files: &[PathBuf]) -> Result<Vec<String>> {
    let mut mistakes = Vec::new();
    for file in files {
        // What is not text has no words.
        let Ok(text) = String::from_utf8(fs::read(root.join(file))?) else { continue };
        for (number, line) in text.lines().enumerate() {
            for (word, reason) in found_in(line) {
                mistakes.push(format!("{}:{}: {word:?} does not belong here: {reason}", file.display(), number + 1));
            }
        }
    }
    Ok(mistakes)
}

fn found_in(line: &str) -> impl Iterator<Item = &'static (&'static str, &'static str)> {
    WORDS.iter().filter(move |(word, _)| line.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_of_one_machine_is_found_and_an_ordinary_path_is_not() {
        assert_eq!(found_in(concat!("see /wo", "rk/notes")).count(), 1);
        assert_eq!(found_in("see docs/framework/network/notes").count(), 0);
    }
}
