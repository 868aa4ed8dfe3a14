//! The cases: files of what clients send and providers answer, by dialect.

use std::fs;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use gw_core::RequestId;
use gw_core::chat::ChatRequest;
use gw_dialects::chat::{Asked, Origin, RequestLine};
use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::Value;

/// The configured provider of every case.
pub(crate) const PROVIDER: &str = "provider-a";

/// The model of a path that no `.meta.json` names.
const PATH_MODEL: &str = "gemini-3-pro";

/// A file, by its name without the ending.
pub(crate) struct File {
    /// The name.
    pub(crate) name: String,
    /// What it holds, as it would come: of a `hex` file the bytes that it stands for, of a `json` file no line breaks.
    pub(crate) bytes: Vec<u8>,
    path: PathBuf,
}

/// What a request says outside its body: of `NAME.json`, the file `NAME.meta.json`, if there is one.
#[derive(Default)]
pub(crate) struct Line {
    model: Option<String>,
    stream: Option<bool>,
    headers: HeaderMap,
}

/// The folder of all cases.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures")
}

/// The files in `fixtures/<dialect>/<kind>`, by name.
pub(crate) fn list(dialect: &str, kind: &str) -> Vec<File> {
    let Ok(entries) = fs::read_dir(root().join(dialect).join(kind)) else { return Vec::new() };
    let mut files: Vec<File> = entries.filter_map(|entry| open(entry.unwrap().path())).collect();
    files.sort_by(|one, other| one.name.cmp(&other.name));
    files
}

fn open(path: PathBuf) -> Option<File> {
    let (name, ending) = path.file_name()?.to_str()?.rsplit_once('.')?;
    if name.ends_with(".meta") {
        return None;
    }
    let bytes = fs::read(&path).unwrap();
    let bytes = match ending {
        "hex" => from_hex(&bytes),
        "json" => compact(&bytes),
        _ => bytes,
    };
    Some(File { name: name.to_owned(), bytes, path })
}

/// JSON without the line breaks that it has for people, and otherwise as it is written: numbers keep their digits.
fn compact(text: &[u8]) -> Vec<u8> {
    let (mut in_string, mut escaped) = (false, false);
    let mut keep = |byte: &u8| {
        let kept = in_string || !byte.is_ascii_whitespace();
        in_string ^= *byte == b'"' && !escaped;
        escaped = in_string && *byte == b'\\' && !escaped;
        kept
    };
    text.iter().copied().filter(|byte| keep(byte)).collect()
}

fn from_hex(text: &[u8]) -> Vec<u8> {
    let digits: Vec<u8> =
        text.iter().filter_map(|digit| char::from(*digit).to_digit(16)).map(|digit| digit as u8).collect();
    digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}

impl File {
    /// As JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.bytes).unwrap_or_else(|error| panic!("{}: {error}", self.path.display()))
    }

    /// What is said outside the body.
    pub(crate) fn line(&self, dialect: &str) -> Line {
        let mut line = Line::default();
        if dialect == "gemini" {
            (line.model, line.stream) = (Some(PATH_MODEL.to_owned()), Some(false));
        }
        let Ok(text) = fs::read(self.path.with_extension("meta.json")) else { return line };
        let meta: Value = serde_json::from_slice(&text).unwrap();
        line.model = meta["model"].as_str().map(str::to_owned).or(line.model);
        line.stream = meta["stream"].as_bool().or(line.stream);
        for (name, value) in meta["headers"].as_object().into_iter().flatten() {
            let name: HeaderName = name.parse().unwrap();
            line.headers.insert(name, HeaderValue::from_str(value.as_str().unwrap()).unwrap());
        }
        line
    }
}

impl Line {
    /// As a dialect gets it.
    pub(crate) fn as_request_line(&self) -> RequestLine<'_> {
        RequestLine { model: self.model.as_deref(), stream: self.stream, headers: Some(&self.headers) }
    }
}

/// Where the answers of every case come from.
pub(crate) fn origin() -> Origin {
    Origin {
        provider: PROVIDER.into(),
        model: "model-of-the-provider".into(),
        request_id: Some(request_id()),
        ..Origin::default()
    }
}

fn request_id() -> RequestId {
    RequestId::from_u128(0x0193_5f00_0000_7000_8000_0000_0000_00ff)
}

/// What the answers of every case are given to.
pub(crate) fn asked(stream: bool) -> Asked {
    let model = "model-of-the-client".to_owned();
    Asked {
        request: Rc::new(ChatRequest { model, stream, include_usage: true, ..ChatRequest::default() }),
        request_id: request_id(),
        now_s: 1_790_000_000,
    }
}
