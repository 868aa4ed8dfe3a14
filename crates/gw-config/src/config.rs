//! The configuration *as meant*: defaults applied, units parsed, names resolved within the file, secrets read.
//!
//! The file *as written* becomes this; the engine joins it with the catalogue and makes the snapshot *as running*.

mod provider;
mod routing;
mod server;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use gw_core::price::Rates;

use crate::diagnostic::Place;
use crate::secret::Secret;
pub use routing::{
    AutoRoute, Canary, Denial, FromRequests, HealthCheck, HealthChecks, Hedge, NamedTarget, Notice, Preset,
    ProviderRouting, Resume, Route, RouteGroup, RouteNode, RouteStrategy, RouteVersion, Routing, Rule, ShadowLimits,
    Slow, StandIns, Target,
};

pub use provider::{
    HttpVersion, ModelDescription, ModelSettings, Parameters, Provider, ProviderTimeouts, ProviderTls, Proxy,
};
pub use server::{Accept, Server, ServerLimits, ServerTimeouts, ServerTls};

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
    /// All environments of the file.
    pub environments: Environments,
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
    /// Targets with ids of their own, which others refer to.
    pub targets: Vec<NamedTarget>,
    /// Routing that requests call by its name.
    pub presets: Vec<Preset>,
    /// How targets are chosen, and what follows a failure.
    pub routing: Routing,
    /// Who is asked for their health; nobody if `None`.
    pub health_checks: Option<HealthChecks>,
    /// New providers that get a share of the requests.
    pub canaries: Vec<Canary>,
    /// What those of them may take whose answers are only compared.
    pub shadow_limits: ShadowLimits,
    /// What becomes of a request for a provider that does not speak the client's format.
    pub translation: Translation,
    /// Prices in place of the catalogue's, by provider and model.
    pub price_overrides: Vec<PriceOverride>,
    /// Who may say what its requests cost.
    pub custom_costs: CustomCosts,
    /// Whether callers are not charged for what failed or came to nothing.
    pub zero_completion_insurance: bool,
    /// Where newer models and prices come from.
    pub catalog: CatalogUpdate,
    /// How operations are carried that are not understood.
    pub relay: Relay,
    /// The gateway's log.
    pub logging: Logging,
    /// Where metrics are shown.
    pub metrics: Metrics,
}

/// Who may say what its requests cost, in place of every price: a caller who may can lower its own bill.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum CustomCosts {
    /// Nobody.
    #[default]
    Nobody,
    /// Who presents a key of one of these names.
    Keys(Vec<String>),
    /// Everybody who may call.
    Everybody,
}

/// What kind of place a gateway runs in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Profile {
    /// A laptop: loopback only, port 8787, keys optional, everything on one port.
    Local,
    /// A server: port 8080, keys required.
    Server,
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
    /// The environments that may serve its requests, the usual one first; the one in force if empty.
    pub environments: Vec<Spanned<String>>,
}

/// The environments of a file.
#[derive(Debug, Clone, Default)]
pub struct Environments {
    /// The names of all of them, in the order of the file.
    pub names: Vec<String>,
    /// Those that serve requests beside the one in force: each a configuration whose `environment` is its name. What is
    /// the process's own (who may call, listeners, logs) is that of the one in force.
    pub beside: Vec<Config>,
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
            environments: Environments::default(),
            files: Vec::new(),
            profile: Profile::Local,
            listen: vec![SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8787)],
            server: Server::default(),
            auth: Auth { mode: AuthMode::Optional, keys: Vec::new() },
            providers: Vec::new(),
            routes: Vec::new(),
            default_route: None,
            default_route_overrides: false,
            targets: Vec::new(),
            presets: Vec::new(),
            routing: Routing::default(),
            health_checks: None,
            canaries: Vec::new(),
            shadow_limits: ShadowLimits::default(),
            translation: Translation::default(),
            price_overrides: Vec::new(),
            custom_costs: CustomCosts::default(),
            zero_completion_insurance: false,
            catalog: CatalogUpdate::default(),
            relay: Relay::default(),
            logging: Logging { format: LogFormat::Pretty, level: "info".to_owned(), requests: true },
            metrics: Metrics { enabled: true, listen: None, path: "/metrics".to_owned() },
        }
    }
}
