//! What a configuration may refer to outside itself: environment variables and files.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// The environment variables and files that a configuration may refer to: those of the process, or a set that a test
/// gave. Deliberately without `Debug`, since the values are secrets.
pub struct Environment(Source);

enum Source {
    Process,
    Fixed { variables: BTreeMap<String, String>, files: BTreeMap<PathBuf, Vec<u8>> },
}

impl Environment {
    /// The environment and the file system of this process.
    pub fn process() -> Self {
        Self(Source::Process)
    }

    /// No variable and no file but those added.
    pub fn empty() -> Self {
        Self(Source::Fixed { variables: BTreeMap::new(), files: BTreeMap::new() })
    }

    /// Adds a variable. The process's own environment stays as it is.
    #[must_use]
    pub fn with_variable(mut self, name: &str, value: &str) -> Self {
        if let Source::Fixed { variables, .. } = &mut self.0 {
            variables.insert(name.to_owned(), value.to_owned());
        }
        self
    }

    /// Adds a file. The process's own file system stays as it is.
    #[must_use]
    pub fn with_file(mut self, path: &Path, content: &[u8]) -> Self {
        if let Source::Fixed { files, .. } = &mut self.0 {
            files.insert(path.to_owned(), content.to_owned());
        }
        self
    }

    /// The value of a variable, if it is set.
    pub(crate) fn variable(&self, name: &str) -> Option<OsString> {
        match &self.0 {
            Source::Process => std::env::var_os(name),
            Source::Fixed { variables, .. } => variables.get(name).map(OsString::from),
        }
    }

    /// The content of a file, up to a size; a longer file is an error.
    pub(crate) fn read(&self, path: &Path, bytes_max: usize) -> io::Result<Vec<u8>> {
        let mut content = Vec::new();
        match &self.0 {
            Source::Process => File::open(path)?.take(bytes_max as u64 + 1).read_to_end(&mut content)?,
            Source::Fixed { files, .. } => {
                let file = files.get(path).ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))?;
                file.take(bytes_max as u64 + 1).read_to_end(&mut content)?
            }
        };
        if content.len() > bytes_max { Err(io::ErrorKind::FileTooLarge.into()) } else { Ok(content) }
    }

    /// Whether there is a file at a path.
    pub(crate) fn has_file(&self, path: &Path) -> bool {
        match &self.0 {
            Source::Process => path.is_file(),
            Source::Fixed { files, .. } => files.contains_key(path),
        }
    }
}
