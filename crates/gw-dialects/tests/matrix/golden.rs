//! Files that say what a case must come out as. `UPDATE_GOLDEN=1` writes them; the difference is then read in a review.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use crate::fixtures;

/// The golden files of one test: a folder that holds nothing else.
pub(crate) struct Golden {
    folder: PathBuf,
    update: bool,
    seen: BTreeSet<PathBuf>,
    wrong: Vec<String>,
}

impl Golden {
    /// Those in `fixtures/golden/<name>`.
    pub(crate) fn open(name: &str) -> Self {
        let update = std::env::var_os("UPDATE_GOLDEN").is_some_and(|value| value != "0");
        Self { folder: fixtures::root().join("golden").join(name), update, seen: BTreeSet::new(), wrong: Vec::new() }
    }

    /// Compares a text with its file, or writes the file.
    pub(crate) fn check(&mut self, name: &str, text: &str) {
        let path = self.folder.join(name);
        let written = fs::read_to_string(&path);
        match written {
            Ok(golden) if golden == text => {}
            _ if self.update => {
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(&path, text).unwrap();
            }
            Ok(golden) => self.wrong.push(format!("{name}: {}", first_difference(&golden, text))),
            Err(_) => self.wrong.push(format!("{name}: there is no such file")),
        }
        self.seen.insert(path);
    }

    /// Fails if a file differed, or if there is one that nothing was compared with.
    pub(crate) fn finish(mut self) {
        for path in files(&self.folder).into_iter().filter(|path| !self.seen.contains(path)) {
            if self.update {
                fs::remove_file(&path).unwrap();
            } else {
                self.wrong.push(format!("{}: no case has this result", path.display()));
            }
        }
        let shown = self.wrong.iter().take(20).map(|line| format!("  {line}\n")).collect::<String>();
        assert!(
            self.wrong.is_empty(),
            "{} results differ. If they should, run again with UPDATE_GOLDEN=1 and read the difference.\n{shown}",
            self.wrong.len()
        );
    }
}

fn first_difference(golden: &str, text: &str) -> String {
    let lines = golden.lines().zip(text.lines()).zip(1..);
    match lines.into_iter().find(|((was, is), _)| was != is) {
        Some(((was, is), line)) => format!("line {line} was\n    {was}\n  and is\n    {is}"),
        None => format!("had {} lines and has {}", golden.lines().count(), text.lines().count()),
    }
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let paths = entries.map(|entry| entry.unwrap().path());
    paths.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}
