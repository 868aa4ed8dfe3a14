//! The providers: how each is reached, with what credential, and what is said of its models.

use std::path::PathBuf;
use std::time::Duration;

use gw_core::price::Rates;

use super::{ProviderRouting, Spanned};
use crate::diagnostic::Place;
use crate::secret::Secret;

/// A configured provider.
#[derive(Debug, Clone)]
pub struct Provider {
    /// Its name here; the type's id if not given.
    pub name: Spanned<String>,
    /// The catalogue entry it is an instance of.
    pub kind: Spanned<String>,
    /// Base URL, in place of the catalogue's.
    pub endpoint: Option<Spanned<String>>,
    /// The credential: a key, or JSON with more in it.
    pub api_key: Option<Secret>,
    /// The fields of a credential with more in it than a key, by their names in the file.
    pub credentials: Vec<(Spanned<String>, Secret)>,
    /// The models it serves; whatever the provider knows if empty.
    pub models: Vec<Spanned<String>>,
    /// Models that give their answers in pieces only, besides those that the catalogue knows.
    pub stream_only: Vec<Spanned<String>>,
    /// What is said of some of its models.
    pub descriptions: Vec<ModelDescription>,
    /// Lower comes first where several providers serve a model.
    pub priority: i64,
    /// Whether the priority was written.
    pub has_priority: bool,
    /// How long it may take.
    pub timeouts: ProviderTimeouts,
    /// Further headers for each request to it.
    pub headers: Vec<(Spanned<String>, Secret)>,
    /// Values for the `{placeholders}` of the catalogue's base URL, and for what else a type wants to know.
    pub variables: Vec<(Spanned<String>, Spanned<String>)>,
    /// TLS towards it.
    pub tls: ProviderTls,
    /// Proxy for it; `None` follows the environment (`HTTPS_PROXY`, `HTTP_PROXY`, `NO_PROXY`).
    pub proxy: Option<Proxy>,
    /// Which HTTP version is spoken to it.
    pub http_version: HttpVersion,
    /// How it is tried again, and when it is left out.
    pub routing: ProviderRouting,
    /// Whether callers may use all of its own API with its credential; with a key of their own only if `None`.
    pub passthrough: Option<bool>,
    /// What is changed in the parameters of requests.
    pub parameters: Parameters,
    /// What is peculiar to some of its models, in the order of the file.
    pub model_settings: Vec<ModelSettings>,
    /// Whether tools are described to its models in words.
    pub emulate_tools: bool,
    /// What its operator vouches for, in words that requests may ask for.
    pub assurances: Vec<String>,
}

impl Provider {
    /// A provider of this type with nothing configured, named after it.
    pub fn of_type(kind: &str) -> Self {
        let named = Spanned { value: kind.to_owned(), place: Place::nowhere() };
        Self {
            name: named.clone(),
            kind: named,
            endpoint: None,
            api_key: None,
            credentials: Vec::new(),
            models: Vec::new(),
            stream_only: Vec::new(),
            descriptions: Vec::new(),
            priority: 0,
            has_priority: false,
            timeouts: ProviderTimeouts::default(),
            headers: Vec::new(),
            variables: Vec::new(),
            tls: ProviderTls::default(),
            proxy: None,
            http_version: HttpVersion::Auto,
            routing: ProviderRouting::default(),
            parameters: Parameters::default(),
            model_settings: Vec::new(),
            emulate_tools: false,
            assurances: Vec::new(),
            passthrough: None,
        }
    }
}

/// How long a provider may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProviderTimeouts {
    /// For a connection, the TLS handshake included.
    pub connect: Duration,
    /// From the request sent to the first byte of the answer; what is usual for the likes of the request if `None`.
    pub first_byte: Option<Duration>,
    /// Between two reads of the answer.
    pub idle: Duration,
    /// While the provider reads nothing of the request.
    pub write: Duration,
    /// For the whole attempt.
    pub total: Duration,
}

/// TLS towards a provider.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProviderTls {
    /// PEM file with the authorities to trust, in place of the platform's.
    pub ca: Option<PathBuf>,
    /// PEM file with our certificate chain.
    pub certificate: Option<PathBuf>,
    /// PEM file with our private key.
    pub key: Option<PathBuf>,
}

/// Proxy towards a provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Proxy {
    /// None, whatever the environment says.
    Direct,
    /// This one: `http://[user:password@]host:port`. May hold a password.
    Via(Secret),
}

/// Which HTTP version is spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HttpVersion {
    /// HTTP/2 where TLS negotiates it, else HTTP/1.1.
    Auto,
    /// HTTP/1.1 only.
    Http1,
    /// HTTP/2 only, also in clear text (prior knowledge).
    Http2,
}

impl Default for ProviderTimeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            first_byte: None,
            idle: Duration::from_secs(60),
            write: Duration::from_secs(30),
            total: Duration::from_secs(600),
        }
    }
}

/// What is changed in the parameters of requests, in the provider's own words. A point in a name leads into an object.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Parameters {
    /// Names, and values in JSON, of what a request does not say.
    pub default: Vec<(String, String)>,
    /// Names, and values in JSON, whatever a request says.
    pub fixed: Vec<(String, String)>,
    /// What is left out.
    pub drop: Vec<String>,
    /// Names, and what stands in their place, in the same object.
    pub rename: Vec<(String, String)>,
}

/// What is peculiar to a model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelSettings {
    /// The model's name at the provider; with a `*` at its end, how it begins.
    pub model: String,
    /// What is changed besides what the provider's own parameters say; of the same parameter, this counts.
    pub parameters: Parameters,
    /// Whether tools are described to it in words; what the provider says if `None`.
    pub emulate_tools: Option<bool>,
}

/// What is said of a model, in place of what the catalogue knows.
#[derive(Debug, Clone)]
pub struct ModelDescription {
    /// Its name at the provider.
    pub name: Spanned<String>,
    /// What it costs; what is left out is as in the catalogue.
    pub rates: Rates,
    /// Tokens that prompt and answer may have.
    pub context_tokens: Option<u64>,
    /// Tokens that an answer may have.
    pub output_tokens_max: Option<u64>,
    /// What it reads: words of the catalogue; empty if nothing is said.
    pub input: Vec<String>,
    /// What it can do: words of the catalogue; empty if nothing is said.
    pub can: Vec<String>,
}
