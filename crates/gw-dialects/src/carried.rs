//! The operations that are carried rather than understood: which method and path means which, and where its model stands.
//!
//! A row is all that there is to say of one. What a path may hold behind a row's own is checked by [`is_plain_path`].

use crate::DialectId;
use crate::shared::percent;

/// A request of an operation that is carried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Carried<'a> {
    /// The operation, as OpenAI says it.
    pub dialect: DialectId,
    /// Where the name of the model stands.
    pub model: ModelPlace<'a>,
    /// What follows the operation's own path: nothing, or a slash and an id and more.
    pub rest: &'a str,
}

/// Where the name of the model stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ModelPlace<'a> {
    /// In the body: a member of a JSON object or a field of a form.
    Body,
    /// In the body, and in the path, as Azure's clients write it.
    Path(&'a str),
    /// In the query.
    Query,
    /// There is none.
    None,
}

/// What a method and a path mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found<'a> {
    /// This operation.
    Carried(Carried<'a>),
    /// A call of a provider's own API: the provider's name, and the path there, with its slash.
    Raw {
        /// Name or type of the provider.
        provider: &'a str,
        /// The path at the provider.
        path: &'a str,
    },
    /// An operation for which the method is wrong; these are right.
    WrongMethod(&'static str),
    /// Nothing that is carried.
    Nothing,
}

/// An operation.
struct Row {
    /// The path, behind the version.
    path: &'static str,
    dialect: DialectId,
    /// The methods of the path itself.
    methods: &'static str,
    /// The methods of what is below it; empty if nothing is.
    below: &'static str,
    /// Where the model stands in what is sent to the path itself.
    model: ModelPlace<'static>,
}

const fn row(path: &'static str, dialect: DialectId, methods: &'static str) -> Row {
    Row { path, dialect, methods, below: "", model: ModelPlace::Body }
}

/// One row for each operation.
const ROWS: &[Row] = &[
    row("audio/speech", DialectId::OpenAiSpeech, "POST"),
    row("audio/transcriptions", DialectId::OpenAiTranscriptions, "POST"),
    row("audio/translations", DialectId::OpenAiTranslations, "POST"),
    row("images/edits", DialectId::OpenAiImageEdits, "POST"),
    row("images/generations", DialectId::OpenAiImages, "POST"),
    row("images/variations", DialectId::OpenAiImageVariations, "POST"),
    Row { below: "GET, POST, DELETE", ..row("videos", DialectId::OpenAiVideos, "GET, POST") },
    Row {
        below: "GET, POST, DELETE",
        model: ModelPlace::None,
        ..row("batches", DialectId::OpenAiBatches, "GET, POST")
    },
    Row { below: "GET, DELETE", model: ModelPlace::None, ..row("files", DialectId::OpenAiFiles, "GET, POST") },
    Row { below: "GET, POST, DELETE", model: ModelPlace::None, ..row("fine_tuning", DialectId::OpenAiFineTuning, "") },
    Row { below: "POST", model: ModelPlace::None, ..row("uploads", DialectId::OpenAiUploads, "POST") },
    Row { model: ModelPlace::Query, ..row("realtime", DialectId::OpenAiRealtime, "GET") },
];

/// A server may repeat in its answer to TRACE all that it was sent, our credential too; CONNECT opens a tunnel.
const NOT_CARRIED: [&str; 2] = ["TRACE", "CONNECT"];
const RAW_METHODS: &str = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS";

/// What a method and a path mean. The prefixes are those of [`crate::paths::route`].
pub fn route<'a>(method: &str, path: &'a str) -> Found<'a> {
    if let Some(rest) = path.strip_prefix("/passthrough/") {
        let (provider, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        return match method {
            _ if provider.is_empty() => Found::Nothing,
            method if NOT_CARRIED.iter().any(|name| method.eq_ignore_ascii_case(name)) => {
                Found::WrongMethod(RAW_METHODS)
            }
            _ => Found::Raw { provider, path },
        };
    }
    let path = path.strip_suffix('/').unwrap_or(path);
    let path = path.strip_prefix("/openai").unwrap_or(path);
    if let Some((deployment, operation)) = path.strip_prefix("/deployments/").and_then(|rest| rest.split_once('/')) {
        let found = row_of(operation).filter(|(row, rest)| row.model == ModelPlace::Body && rest.is_empty());
        return found.map_or(Found::Nothing, |(row, rest)| judge(row, rest, ModelPlace::Path(deployment), method));
    }
    let path = path.strip_prefix("/v1").unwrap_or(path);
    let found = path.strip_prefix('/').and_then(row_of);
    found.map_or(Found::Nothing, |(row, rest)| {
        let has_model = rest.is_empty() && (method == "POST" || row.model == ModelPlace::Query);
        judge(row, rest, if has_model { row.model } else { ModelPlace::None }, method)
    })
}

fn judge<'a>(row: &'static Row, rest: &'a str, model: ModelPlace<'a>, method: &str) -> Found<'a> {
    let methods = if rest.is_empty() { row.methods } else { row.below };
    if !methods.split(", ").any(|allowed| allowed == method) {
        return if methods.is_empty() { Found::Nothing } else { Found::WrongMethod(methods) };
    }
    Found::Carried(Carried { dialect: row.dialect, model, rest })
}

fn row_of(path: &str) -> Option<(&'static Row, &str)> {
    ROWS.iter().find_map(|row| {
        let rest = path.strip_prefix(row.path)?;
        (rest.is_empty() || rest.starts_with('/') && !row.below.is_empty()).then_some((row, rest))
    })
}

/// Whether every reader of a path goes down by it, name by name: no `.` and `..`, no slash or backslash in disguise, however
/// often somebody decodes it.
pub fn is_plain_path(path: &str) -> bool {
    path.starts_with('/') && path.split('/').skip(1).all(is_plain_name)
}

/// How often a name may be escaped.
const ESCAPES_MAX: usize = 4;

fn is_plain_name(name: &str) -> bool {
    let mut name = name.as_bytes().to_vec();
    for _ in 0..ESCAPES_MAX {
        let wrong = |byte: &u8| matches!(byte, b'/' | b'\\') || byte.is_ascii_control();
        // Some servers take what follows a semicolon for a parameter of the name.
        let bare = name.split(|byte| *byte == b';').next().unwrap_or_default();
        if matches!(bare, b"." | b"..") || name.iter().any(wrong) {
            return false;
        }
        let Ok(text) = std::str::from_utf8(&name) else { return false };
        if !text.contains('%') {
            return true;
        }
        let decoded = percent::decoded(text);
        if decoded == name {
            return true;
        }
        name = decoded;
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn carried(dialect: DialectId, model: ModelPlace<'static>, rest: &'static str) -> Found<'static> {
        Found::Carried(Carried { dialect, model, rest })
    }

    #[test]
    fn a_method_and_a_path_mean_one_operation_with_every_prefix() {
        let speech = carried(DialectId::OpenAiSpeech, ModelPlace::Body, "");
        for path in ["/v1/audio/speech", "/audio/speech", "/openai/v1/audio/speech", "/v1/audio/speech/"] {
            assert_eq!(route("POST", path), speech, "{path}");
        }
        let cases = [
            ("GET", "/v1/audio/speech", Found::WrongMethod("POST")),
            ("POST", "/v1/audio/speech/x", Found::Nothing),
            ("POST", "/v1/files", carried(DialectId::OpenAiFiles, ModelPlace::None, "")),
            ("GET", "/v1/files", carried(DialectId::OpenAiFiles, ModelPlace::None, "")),
            ("GET", "/v1/files/f-1/content", carried(DialectId::OpenAiFiles, ModelPlace::None, "/f-1/content")),
            ("DELETE", "/v1/files/f-1", carried(DialectId::OpenAiFiles, ModelPlace::None, "/f-1")),
            ("PUT", "/v1/files/f-1", Found::WrongMethod("GET, DELETE")),
            ("GET", "/v1/filesystem", Found::Nothing),
            ("POST", "/v1/fine_tuning/jobs", carried(DialectId::OpenAiFineTuning, ModelPlace::None, "/jobs")),
            ("POST", "/v1/fine_tuning", Found::Nothing),
            ("POST", "/v1/videos", carried(DialectId::OpenAiVideos, ModelPlace::Body, "")),
            ("GET", "/v1/videos", carried(DialectId::OpenAiVideos, ModelPlace::None, "")),
            ("GET", "/v1/realtime", carried(DialectId::OpenAiRealtime, ModelPlace::Query, "")),
            (
                "POST",
                "/openai/deployments/my-whisper/audio/transcriptions",
                carried(DialectId::OpenAiTranscriptions, ModelPlace::Path("my-whisper"), ""),
            ),
            ("POST", "/openai/deployments/x/files", Found::Nothing),
            ("PUT", "/passthrough/openai/v1/x", Found::Raw { provider: "openai", path: "/v1/x" }),
            ("GET", "/passthrough/openai", Found::Raw { provider: "openai", path: "" }),
            ("GET", "/passthrough/", Found::Nothing),
            ("POST", "/v1/chat/completions", Found::Nothing),
        ];
        for (method, path, expected) in cases {
            assert_eq!(route(method, path), expected, "{method} {path}");
        }
    }

    #[test]
    fn a_path_that_somebody_might_read_as_going_up_is_not_plain() {
        for path in
            ["/v1/x", "/v1beta/models/gemini-x:generateContent", "/", "/a//b", "/a%20b", "/100%", "/..a", "/a;b=c"]
        {
            assert!(is_plain_path(path), "{path}");
        }
        for path in [
            "",
            "v1",
            "/..",
            "/a/../b",
            "/a/./b",
            "/%2e%2e/b",
            "/.%2E",
            "/a%2fb",
            "/a%5Cb",
            "/a\\b",
            "/%252e%252e/x",
            "/%25252fx",
            "/..;/x",
            "/a%00b",
            "/a%0d%0ab",
            "/%ff",
        ] {
            assert!(!is_plain_path(path), "{path}");
        }
    }
}
