//! The configuration *as running*: one immutable value, replaced whole.

mod auto;
mod build;
mod cell;
mod credential;
mod doubts;
mod house;
mod place;
mod provider;
pub(crate) mod references;
mod routes;
mod settings;
mod watched;
mod watsonx;

use bytes::Bytes;
use gw_config::config::{CustomCosts, Notice, Relay, Resume, Slow, Unsupported};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

pub(crate) use auto::matches_model;
pub use build::{Resources, build};
pub(crate) use build::{guest, kept};
pub use cell::{Handle, Published};
pub use provider::{Credential, OwnEgress, Provider};
pub use settings::{AllSettings, Settings};

use crate::checks::Checks;
use crate::environments::Environments;
use crate::identity::Identity;
use crate::limits::Running;
use crate::media::MediaFetch;
use crate::models::Models;
use crate::pricing::Pricing;
use crate::routing::control::{FromRequests, Presets};
use crate::routing::rules::Rules;
use crate::shadow::Shadows;
use crate::trials::Canary;

/// The configuration as running. A request sees one from its first step to its last.
pub struct Snapshot {
    /// Counts the snapshots of this process, from 1.
    pub generation: u64,
    /// The environment that it is of.
    pub environment: Option<Arc<str>>,
    /// Its place among the snapshots of one generation: 0 for the environment in force.
    pub slot: usize,
    /// The environments of its file, if it has some; none in those of the environments beside it.
    pub environments: Option<Box<Environments>>,
    /// Who may call.
    pub identity: Identity,
    /// What the names of models stand for.
    pub models: Models,
    /// What models can do and what they cost.
    pub pricing: Pricing,
    /// The list of models as it was first told, for each shape in which the server tells it.
    pub model_lists: [OnceLock<Bytes>; 3],
    /// Who may say what its requests cost.
    pub custom_costs: CustomCosts,
    /// Whether callers are not charged for what failed or came to nothing.
    pub zero_completion_insurance: bool,
    /// What somebody should look at.
    pub warnings: Vec<String>,
    /// Bytes of a request's body, after decompression.
    pub body_bytes_max: usize,
    /// Between two reads of a request's body.
    pub body_timeout: Duration,
    /// For a whole request.
    pub request_timeout: Duration,
    /// How long a request waits for a place where every provider's cap is used.
    pub queue_max_wait: Duration,
    /// What is said when another target answered than the first.
    pub notice: Notice,
    /// What becomes of an answer that takes long to begin, while another target could be tried.
    pub slow: Option<Slow>,
    /// What becomes of a stream that breaks off.
    pub resume: Resume,
    /// Whether an attempt leaves time for those that may follow it.
    pub shares_time: bool,
    /// What becomes of a parameter that a provider's format cannot say.
    pub unsupported: Unsupported,
    /// How operations are carried that are not understood.
    pub relay: Relay,
    /// Who is asked for their health, if anybody.
    pub checks: Option<Arc<Checks>>,
    /// Who gets a share of the requests on trial.
    pub canaries: Vec<Canary>,
    /// Who gets copies of requests, whose answers are only compared.
    pub shadows: Shadows,
    /// How media are fetched for providers that take only bytes.
    pub media: MediaFetch,
    /// What requests may bring along.
    pub from_requests: FromRequests,
    /// Routing that requests call by its name.
    pub presets: Presets,
    /// Rules that refuse requests, or only show themselves.
    pub rules: Rules,
    /// What has been counted for the limits of routes.
    pub limits: Running,
    /// Web origins whose pages may call.
    pub cors_origins: Vec<String>,
}

impl Snapshot {
    /// The providers of this snapshot.
    pub fn providers(&self) -> &[Arc<Provider>] {
        self.models.providers()
    }
}
