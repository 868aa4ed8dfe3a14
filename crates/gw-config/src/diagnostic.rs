//! What is wrong in a configuration, and where.

use std::path::PathBuf;
use std::sync::Arc;

/// A place in a configuration file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The file; `None` for what stands in no file (defaults, the environment).
    pub file: Option<Arc<PathBuf>>,
    /// Line, from 1.
    pub line: u32,
    /// Column, from 1, in characters.
    pub column: u32,
}
