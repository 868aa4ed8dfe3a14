//! The cases: files of what clients send and providers answer, by dialect.

use std::fs;
use std::path::{Path, PathBuf};

use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::Value;

/// The configured provider of every case.
pub(crate) const PROVIDER: &str = "provider-a";

/// A file, and what `NAME.meta.json` says beside it.
pub(crate) struct File {
    /// Its name without the ending.
    pub(crate) name: String,
    /// What it holds.
    pub(crate) bytes: Vec<u8>,
    /// The model that a path names.
    pub(crate) model: String,
    /// The headers.
    pub(crate) headers: HeaderMap,
}

/// The folder of all cases.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures")
}

/// The files in `fixtures/<dialect>/<kind>`, by name.
pub(crate) fn list(dialect: &str, kind: &str) -> Vec<File> {
    let Ok(entries) = fs::read_dir(root().join(dialect).join(kind)) else { return Vec::new() };
    let mut files: Vec<File> = entries.filter_map(|entry| open(&entry.unwrap().path())).collect();
    files.sort_by(|one, other| one.name.cmp(&other.name));
    files
}

fn open(path: &Path) -> Option<File> {
    let name = path.file_name()?.to_str()?.strip_suffix(".json").filter(|name| !name.ends_with(".meta"))?;
    let meta: Value = fs::read(path.with_extension("meta.json"))
        .map(|text| serde_json::from_slice(&text).unwrap())
        .unwrap_or_default();
    let mut headers = HeaderMap::new();
    for (name, value) in meta["headers"].as_object().into_iter().flatten() {
        let name: HeaderName = name.parse().unwrap();
        headers.insert(name, HeaderValue::from_str(value.as_str().unwrap()).unwrap());
    }
    let model = meta["model"].as_str().unwrap_or("m").to_owned();
    Some(File { name: name.to_owned(), bytes: fs::read(path).unwrap(), model, headers })
}
