//! How a type of provider authenticates a request, as its file says.

use http::{HeaderName, header};
use serde::Deserialize;

/// How a request is authenticated.
#[derive(Debug, Deserialize)]
#[serde(try_from = "WrittenAuth")]
pub struct Auth {
    /// Where the key stands.
    pub way: AuthWay,
    env: Vec<String>,
    /// Whether requests are sent without a key where none is configured.
    pub optional: bool,
}

/// Where the key stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AuthWay {
    /// In `Authorization`, after `Bearer`.
    Bearer,
    /// In this header, alone.
    Header(HeaderName),
    /// In the query, under this name.
    Query(String),
    /// A key after `Bearer`, or AWS credentials that sign each request for this service.
    Aws {
        /// The service's name in signatures.
        service: String,
    },
    /// A key in `x-goog-api-key`, or tokens of Google Cloud.
    Google,
    /// A key in this header, or tokens of Entra ID.
    Azure(HeaderName),
    /// A key that is exchanged for tokens of IBM Cloud.
    Ibm,
    /// There is none.
    None,
}

impl Auth {
    /// The header that carries a key as it is, and what stands before the key in it; `None` if no header does.
    pub fn header(&self) -> Option<(HeaderName, &'static str)> {
        match &self.way {
            AuthWay::Bearer | AuthWay::Aws { .. } => Some((header::AUTHORIZATION, "Bearer ")),
            AuthWay::Header(name) | AuthWay::Azure(name) => Some((name.clone(), "")),
            AuthWay::Google => Some((HeaderName::from_static("x-goog-api-key"), "")),
            AuthWay::Query(_) | AuthWay::Ibm | AuthWay::None => None,
        }
    }

    /// The environment variables that may hold a key, in the order in which they are looked at.
    pub fn env(&self) -> &[String] {
        &self.env
    }
}

/// As it stands in the file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenAuth {
    kind: WrittenAuthKind,
    header: Option<String>,
    query: Option<String>,
    service: Option<String>,
    #[serde(default)]
    env: Vec<String>,
    #[serde(default)]
    optional: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum WrittenAuthKind {
    Bearer,
    Header,
    Query,
    Aws,
    Google,
    Azure,
    Ibm,
    None,
}

impl TryFrom<WrittenAuth> for Auth {
    type Error = &'static str;

    fn try_from(written: WrittenAuth) -> Result<Self, Self::Error> {
        let WrittenAuth { kind, header, query, service, env, optional } = written;
        let header = header.map(|name| name.parse().map_err(|_| "`header` is not the name of a header")).transpose()?;
        let way = match (kind, header, query, service) {
            (WrittenAuthKind::Bearer, None, None, None) => AuthWay::Bearer,
            (WrittenAuthKind::None, None, None, None) => AuthWay::None,
            (WrittenAuthKind::Header, Some(name), None, None) => AuthWay::Header(name),
            (WrittenAuthKind::Header, None, None, None) => {
                return Err("kind `header` needs `header`, the header's name");
            }
            (WrittenAuthKind::Query, None, Some(name), None) => AuthWay::Query(name),
            (WrittenAuthKind::Query, None, None, None) => {
                return Err("kind `query` needs `query`, the parameter's name");
            }
            (WrittenAuthKind::Aws, None, None, Some(service)) => AuthWay::Aws { service },
            (WrittenAuthKind::Aws, None, None, None) => {
                return Err("kind `aws` needs `service`, as signatures name it");
            }
            (WrittenAuthKind::Google, None, None, None) => AuthWay::Google,
            (WrittenAuthKind::Azure, Some(name), None, None) => AuthWay::Azure(name),
            (WrittenAuthKind::Azure, None, None, None) => return Err("kind `azure` needs `header`, that of its keys"),
            (WrittenAuthKind::Ibm, None, None, None) => AuthWay::Ibm,
            _ => {
                return Err(
                    "`header` is for kind `header` and kind `azure` only, `query` for `query`, `service` for `aws`",
                );
            }
        };
        Ok(Self { way, env, optional })
    }
}

#[cfg(test)]
mod tests {
    use super::super::Catalog;
    use super::*;

    #[test]
    fn a_key_stands_where_the_provider_looks_for_it() {
        let header = |id: &str| Catalog::builtin().get(id).unwrap().auth.header();
        assert_eq!(header("openai"), Some((header::AUTHORIZATION, "Bearer ")));
        assert_eq!(header("azure"), Some((HeaderName::from_static("api-key"), "")));
        assert_eq!(header("sandbox"), None);
    }
}
