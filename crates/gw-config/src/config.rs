//! The configuration *as meant*: defaults applied, units parsed, names resolved within the file, secrets read.
//!
//! The file *as written* becomes this; the engine joins it with the catalogue and makes the snapshot *as running*.

mod routing;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use gw_core::price::Rates;

use crate::diagnostic::Place;
use crate::secret::Secret;
pub use routing::{
    Canary, HealthCheck, HealthChecks, Notice, ProviderRouting, Resume, Route, RouteGroup, RouteNode, RouteStrategy,
    Routing, Rule, Slow, SlowAction, Target,
};

/// A value and where in the configuration it stands, so that a later step can still name the line.
#[derive(Debug, Clone, PartialEq)]
pub struct Spanned<T> {
    /// The value.
    pub value: T,
    /// Where it stands.
    pub place: Place,
}

/// Everything that can be configured.
#[derive(Debug, Clone)]
pub struct Config {
    /// The environment whose keys are in force, such as `production`; none if `None`.
    pub environment: Option<String>,
    /// Files that were read for it: the configuration itself and every `${file:…}`. A change in any is a reload.
    pub files: Vec<PathBuf>,
    /// What kind of place this gateway runs in.
    pub profile: Profile,
    /// The addresses on which applications are served.
    pub listen: Vec<SocketAddr>,
    /// The door.
    pub server: Server,
    /// Who may call.
    pub auth: Auth,
    /// The configured providers, in the order of the file.
    pub providers: Vec<Provider>,
    /// Names that applications may use for a model, and what they stand for.
    pub routes: Vec<Route>,
    /// The route of a request that names no model; an index into `routes`.
    pub default_route: Option<usize>,
    /// Whether `default_route` also takes the requests that do name one (the single-target JSON form does this).
    pub default_route_overrides: bool,
    /// How targets are chosen, and what follows a failure.
    pub routing: Routing,
    /// Who is asked for their health; nobody if `None`.
    pub health_checks: Option<HealthChecks>,
    /// New providers that get a share of the requests.
    pub canaries: Vec<Canary>,
    /// What becomes of a request for a provider that does not speak the client's format.
    pub translation: Translation,
    /// Prices in place of the catalogue's, by provider and model.
    pub price_overrides: Vec<PriceOverride>,
    /// Where newer models and prices come from.
    pub catalog: CatalogUpdate,
    /// How operations are carried that are not understood.
    pub relay: Relay,
    /// The gateway's log.
    pub logging: Logging,
    /// Where metrics are shown.
    pub metrics: Metrics,
}

/// What kind of place a gateway runs in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Profile {
    /// A laptop: loopback only, port 8787, keys optional, everything on one port.
    Local,
    /// A server: port 8080, keys required.
    Server,
}

/// How connections reach the workers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Accept {
    /// Each worker has its own listener on the shared port; `Handoff` where the system cannot share one.
    Shared,
    /// One acceptor hands sockets to the workers.
    Handoff,
}

/// The door.
#[derive(Debug, Clone, PartialEq)]
pub struct Server {
    /// Number of workers; one for each core if `None`.
    pub workers: Option<usize>,
    /// How connections reach the workers.
    pub accept: Accept,
    /// Certificate and key for TLS; clear text if `None`.
    pub tls: Option<ServerTls>,
    /// What is refused beyond.
    pub limits: ServerLimits,
    /// How long a client may take.
    pub timeouts: ServerTimeouts,
    /// Web origins (`https://app.example.com`, or `*`) whose pages may call; none by default.
    pub cors_origins: Vec<String>,
}

/// What becomes of a request for a provider that does not speak the client's format.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Translation {
    /// What becomes of a parameter that the provider's format cannot say.
    pub unsupported: Unsupported,
    /// Media that a request names by their address, for providers that take only bytes.
    pub media: Media,
}

/// What becomes of a parameter that a provider's format cannot say.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Unsupported {
    /// It is left out, and the client is told.
    #[default]
    Drop,
    /// The request is refused.
    Reject,
    /// It is sent as it is, where it has no meaning of its own here; else it is left out, and the client is told.
    Pass,
}

/// Media that a request names by their address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Media {
    /// Ranges of addresses that may be asked besides public ones: the first address, and how many bits of it count.
    pub allow: Vec<(IpAddr, u8)>,
    /// Bytes of one medium.
    pub bytes: usize,
    /// For fetching one.
    pub timeout: Duration,
}

impl Default for Media {
    fn default() -> Self {
        Self { allow: Vec::new(), bytes: 20 << 20, timeout: Duration::from_secs(20) }
    }
}

/// How operations are carried that are not understood: files, audio, pictures, batches, realtime, pass-through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Relay {
    /// For the whole of a request: its body, the provider's work, and the answer.
    pub timeout: Duration,
    /// From the end of the request to the first byte of the answer, where the provider's own limit is not longer.
    pub first_byte: Duration,
    /// Bytes of a body that flows through.
    pub body_bytes: u64,
    /// Whether `/v1/fine_tuning` is served.
    pub fine_tuning: bool,
    /// Whether callers see and use what others keep at a provider.
    pub shared_storage: bool,
    /// How long a realtime conversation may go on without a word from either side.
    pub realtime_idle: Duration,
}

impl Default for Relay {
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(3_600),
            first_byte: Duration::from_secs(300),
            body_bytes: 4 << 30,
            fine_tuning: false,
            shared_storage: false,
            realtime_idle: Duration::from_secs(300),
        }
    }
}

/// Certificate and key of the listeners.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerTls {
    /// PEM file with the certificate chain.
    pub certificate: PathBuf,
    /// PEM file with the private key.
    pub key: PathBuf,
    /// PEM file with the authorities whose client certificates are required; none are asked for if `None`.
    pub client_ca: Option<PathBuf>,
}

/// What is refused beyond.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ServerLimits {
    /// Bytes of a request's head.
    pub header_bytes: usize,
    /// Bytes of a request's body, after decompression.
    pub body_bytes: usize,
    /// Open connections.
    pub connections: usize,
    /// Requests being served at once.
    pub requests_in_flight: usize,
    /// Bytes of request and answer bodies held in memory at once.
    pub held_bytes: usize,
}

/// How long a client may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ServerTimeouts {
    /// From the first byte of a request's head to its last.
    pub header: Duration,
    /// Between two reads of a request's body.
    pub body: Duration,
    /// Between two requests on a connection.
    pub idle: Duration,
    /// While the client reads nothing of the answer.
    pub write: Duration,
    /// For the whole request.
    pub request: Duration,
    /// For the requests in flight when the gateway is told to stop.
    pub drain: Duration,
}

/// Who may call.
#[derive(Debug, Clone)]
pub struct Auth {
    /// Whether keys are asked for.
    pub mode: AuthMode,
    /// The named keys.
    pub keys: Vec<NamedKey>,
}

/// Whether keys are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuthMode {
    /// A request without a known key is refused.
    Required,
    /// A key is checked if it is one of ours; requests without one are served.
    Optional,
    /// Keys are not looked at.
    None,
    /// A presented key that is not ours is the provider's own and is forwarded.
    Passthrough,
}

/// A key with a name.
#[derive(Debug, Clone)]
pub struct NamedKey {
    /// How the key is called in logs and metrics.
    pub name: Spanned<String>,
    /// What the application presents.
    pub key: Secret,
}

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

/// A price in place of the catalogue's.
#[derive(Debug, Clone)]
pub struct PriceOverride {
    /// Name or type of a provider.
    pub provider: Spanned<String>,
    /// The model's name there.
    pub model: Spanned<String>,
    /// What it costs; what is left out keeps its proportion.
    pub rates: Rates,
}

/// Where newer models and prices come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CatalogUpdate {
    /// A file.
    pub file: Option<PathBuf>,
    /// An address, `https://`.
    pub url: Option<String>,
    /// How often the address is asked.
    pub refresh: Duration,
}

impl Default for CatalogUpdate {
    fn default() -> Self {
        Self { file: None, url: None, refresh: Duration::from_secs(24 * 60 * 60) }
    }
}

/// How long a provider may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProviderTimeouts {
    /// For a connection, the TLS handshake included.
    pub connect: Duration,
    /// From the request sent to the first byte of the answer.
    pub first_byte: Duration,
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

/// The gateway's log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Logging {
    /// How lines look.
    pub format: LogFormat,
    /// Level, for all (`info`) or by module (`info,gw_http=debug`).
    pub level: String,
    /// Whether each finished request is a line.
    pub requests: bool,
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For a person at a terminal.
    Pretty,
    /// One JSON object a line.
    Json,
}

/// Where metrics are shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Metrics {
    /// Whether they are shown at all.
    pub enabled: bool,
    /// A listener of their own; on the port of the API if `None`.
    pub listen: Option<SocketAddr>,
    /// Their path.
    pub path: String,
}

impl Config {
    /// The configuration of a gateway that was given none: the local profile with no provider in it.
    pub fn local() -> Self {
        Self {
            environment: None,
            files: Vec::new(),
            profile: Profile::Local,
            listen: vec![SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8787)],
            server: Server::default(),
            auth: Auth { mode: AuthMode::Optional, keys: Vec::new() },
            providers: Vec::new(),
            routes: Vec::new(),
            default_route: None,
            default_route_overrides: false,
            routing: Routing::default(),
            health_checks: None,
            canaries: Vec::new(),
            translation: Translation::default(),
            price_overrides: Vec::new(),
            catalog: CatalogUpdate::default(),
            relay: Relay::default(),
            logging: Logging { format: LogFormat::Pretty, level: "info".to_owned(), requests: true },
            metrics: Metrics { enabled: true, listen: None, path: "/metrics".to_owned() },
        }
    }
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
            timeouts: ProviderTimeouts::default(),
            headers: Vec::new(),
            variables: Vec::new(),
            tls: ProviderTls::default(),
            proxy: None,
            http_version: HttpVersion::Auto,
            parameters: Parameters::default(),
            model_settings: Vec::new(),
            emulate_tools: false,
            passthrough: None,
            routing: ProviderRouting::default(),
        }
    }
}

impl Default for Server {
    fn default() -> Self {
        Self {
            workers: None,
            accept: Accept::Shared,
            tls: None,
            limits: ServerLimits::default(),
            timeouts: ServerTimeouts::default(),
            cors_origins: Vec::new(),
        }
    }
}

impl Default for ServerLimits {
    fn default() -> Self {
        Self {
            header_bytes: 64 << 10,
            body_bytes: 32 << 20,
            connections: 16_384,
            requests_in_flight: 8_192,
            held_bytes: 512 << 20,
        }
    }
}

impl Default for ServerTimeouts {
    fn default() -> Self {
        Self {
            header: Duration::from_secs(10),
            body: Duration::from_secs(30),
            idle: Duration::from_secs(75),
            write: Duration::from_secs(60),
            request: Duration::from_secs(600),
            drain: Duration::from_secs(30),
        }
    }
}

impl Default for ProviderTimeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            first_byte: Duration::from_secs(30),
            idle: Duration::from_secs(60),
            write: Duration::from_secs(30),
            total: Duration::from_secs(600),
        }
    }
}
