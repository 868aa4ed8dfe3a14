//! How targets are chosen, what follows a failure, and who watches them: as meant.

use std::time::Duration;

use gw_policy::auto::{Auto, Tier};
use gw_policy::balance::Balance;
use gw_policy::breaker;
use gw_policy::canary::Rollout;
use gw_policy::condition::Query;
use gw_policy::credentials::CredentialOrder;
use gw_policy::failure::Failures;
use gw_policy::glob::Glob;
use gw_policy::hedge::{Budget, Threshold};
use gw_policy::limit::Limit;
use gw_policy::measure::Tracking;
use gw_policy::rate::Cap;
use gw_policy::retry::Retry;
use serde_json::{Map, Value};

use super::Spanned;
use crate::diagnostic::Place;
use crate::secret::Secret;

/// How targets are chosen and what follows a failure, where nothing nearer says so: a provider's own settings come
/// first, then a route's, then these.
#[derive(Debug, Clone, PartialEq)]
pub struct Routing {
    /// How the providers that serve a model are ordered.
    pub strategy: Balance,
    /// After which failures the next provider is tried; none if fallbacks are off.
    pub fallback: Failures,
    /// How the same provider is tried again.
    pub retry: Retry,
    /// When a provider that fails is left out; never if `None`.
    pub breaker: Option<breaker::Settings>,
    /// How far back measurements count.
    pub tracking: Tracking,
    /// Whether it is measured how long providers take, though no strategy goes by it.
    pub always_tracks: bool,
    /// What becomes of an answer that takes long to begin.
    pub slow: Option<Slow>,
    /// Whether an attempt that others may follow leaves them their part of the request's time.
    pub shares_time: bool,
    /// How long a request waits for a place where every provider's cap is used.
    pub queue_max_wait: Duration,
    /// Which requests go to which providers. The first that holds counts.
    pub rules: Vec<Rule>,
    /// Whether an answer that breaks off is continued at another provider.
    pub resume: Resume,
    /// What is said when a request falls back.
    pub notice: Notice,
    /// Whether fallbacks to lesser models are meant, so that nobody is warned of them.
    pub allow_downgrade: bool,
    /// Which keys come first where a request brings some of its own.
    pub credential_order: CredentialOrder,
    /// Whether a provider that does not serve the model may be the last fallback.
    pub stand_ins: StandIns,
    /// What requests may bring along.
    pub from_requests: FromRequests,
}

/// Whether a provider with a priority of its own is the last fallback for models that it does not serve.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum StandIns {
    /// It is not.
    #[default]
    Never,
    /// It is, since `strategy: priority` is written and nothing else is said: the operator is warned of it.
    Warned,
    /// It is meant to be.
    Meant,
}

/// What becomes of an answer that takes long to begin, while another provider could be tried.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Slow {
    /// It is cancelled after this time, and the next provider is tried.
    Cancel(Duration),
    /// The next provider is tried beside it; the first to answer is taken, the other cancelled.
    Hedge(Hedge),
}

/// When a slow answer gets another attempt beside it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Hedge {
    /// From when on it is slow.
    pub threshold: Threshold,
    /// How many may.
    pub budget: Budget,
}

/// What becomes of an answer that breaks off after a part of it was forwarded.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Resume {
    /// It ends in an error.
    #[default]
    Off,
    /// The same as `ContinuePrefix`, for requests that ask for it.
    OnRequest,
    /// The next provider is asked to go on from the text so far, unless the request does not want it.
    ContinuePrefix,
}

/// What the client is told when another target answered than the first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Notice {
    /// The text of the warning when a lesser model answered; the built-in one if `None`.
    pub downgrade: Option<String>,
    /// What stands as `provider` in the answer's body then; nothing is added if `None`.
    pub fallback_marker: Option<String>,
}

/// Requests that go to certain providers, to another model, or nowhere.
#[derive(Debug, Clone)]
pub struct Rule {
    /// Its name, for explanations.
    pub name: Spanned<String>,
    /// The requests.
    pub condition: Query,
    /// Names of providers, ids of targets or types, the first choice first; whoever serves `model` if empty.
    pub providers: Vec<Spanned<String>>,
    /// The model in place of the request's.
    pub model: Option<Spanned<String>>,
    /// That they are refused, and what the client is told besides.
    pub denial: Option<Denial>,
    /// Whether nothing of it is done, and it is only shown what would be.
    pub log_only: bool,
}

/// That requests are refused.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Denial {
    /// What the client is told besides the rule's name.
    pub message: Option<String>,
}

impl PartialEq for Rule {
    /// Rules are the same if they were written the same.
    fn eq(&self, other: &Self) -> bool {
        let said = |rule: &Self| (rule.name.clone(), rule.providers.clone(), rule.model.clone(), rule.log_only);
        said(self) == said(other) && self.denial == other.denial
    }
}

/// A name for a model and what it stands for.
#[derive(Debug, Clone)]
pub struct Route {
    /// What applications write as the model.
    pub name: Spanned<String>,
    /// Where such requests go.
    pub node: RouteNode,
    /// Which version of a route it is, where that has several.
    pub version: Option<RouteVersion>,
}

/// A version of a route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RouteVersion {
    /// The name of the route, whichever version serves it.
    pub route: String,
    /// Its number.
    pub number: u32,
    /// Whether requests for the route get it. One that is not is a draft, which is called `NAME@NUMBER`.
    pub is_deployed: bool,
    /// Whether requests may ask for it by its number.
    pub is_open: bool,
}

impl RouteVersion {
    /// What it is called: `support@2`.
    pub fn label(&self) -> String {
        format!("{}@{}", self.route, self.number)
    }
}

impl Route {
    /// What its limits are counted as, beside their places in it: the same after a reload, and whether deployed or not.
    pub fn counted_as(&self) -> String {
        match &self.version {
            Some(version) => version.label(),
            None => self.name.value.clone(),
        }
    }

    /// Whether requests for the route do not get it.
    pub fn is_draft(&self) -> bool {
        self.version.as_ref().is_some_and(|version| !version.is_deployed)
    }
}

/// Routing that requests call by its name.
#[derive(Debug, Clone)]
pub struct Preset {
    /// What requests call it.
    pub name: Spanned<String>,
    /// A JSON object in the form in which requests bring routing. There may be keys in it.
    pub json: Secret,
    /// Where its values stand, by their paths: `targets[0].retry`. Outer ones come before inner ones.
    pub places: Vec<(String, Place)>,
}

impl Preset {
    /// Where the value of a path stands, or what it would stand in.
    pub fn place_of(&self, path: &str) -> &Place {
        let holds =
            |outer: &str| path.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']));
        let nearest = self.places.iter().rev().find(|(outer, _)| holds(outer));
        nearest.map_or(&self.name.place, |(_, place)| place)
    }
}

/// A provider and the model's name there, under an id of its own. Rules, routes and requests refer to it.
#[derive(Debug, Clone)]
pub struct NamedTarget {
    /// The id.
    pub id: Spanned<String>,
    /// Where it leads; its provider is a name or a type.
    pub target: Target,
}

/// A target, or several.
#[derive(Debug, Clone)]
pub enum RouteNode {
    /// One.
    Target(Target),
    /// Several.
    Group(RouteGroup),
}

impl RouteNode {
    /// Every target of it, in the order in which they are written.
    pub fn targets(&self) -> Vec<&Target> {
        match self {
            Self::Target(target) => vec![target],
            Self::Group(group) => group.members.iter().flat_map(|(node, _)| node.targets()).collect(),
        }
    }
}

/// Several targets and how they are tried.
#[derive(Debug, Clone)]
pub struct RouteGroup {
    /// How the first is found.
    pub strategy: RouteStrategy,
    /// The members with their shares.
    pub members: Vec<(RouteNode, f64)>,
    /// After which failures of a member the next is tried.
    pub fallback: Failures,
}

/// How the first member of a group is found.
#[derive(Debug, Clone)]
pub enum RouteStrategy {
    /// By order, measurements or chance.
    Balance(Balance),
    /// By weight, the same for requests that agree in these facts.
    Sticky(Vec<String>),
    /// The first whose condition holds, else this one; positions in `members`.
    Conditional(Vec<(Query, usize)>, Option<usize>),
    /// The first, and no other.
    Single,
    /// The ones whose models suit the conversation best: of the members, and of these models.
    Auto(AutoRoute),
    /// The first while it is under the limit, and then the others in their order. What is counted is kept by this name
    /// within the route; by its place if it has none.
    Limited(Limit, Option<String>),
}

/// What an auto-router chooses from, besides the members of its group, and how.
#[derive(Debug, Clone)]
pub struct AutoRoute {
    /// How price and quality are weighed.
    pub auto: Auto,
    /// Names of models that providers serve.
    pub allowed: Vec<Spanned<Glob>>,
    /// Of those, names that are left out.
    pub excluded: Vec<Spanned<Glob>>,
}

/// A provider, the model's name there, and what is changed for it.
#[derive(Debug, Clone, Default)]
pub struct Target {
    /// Name or type of a provider; whichever serves the model if `None`.
    pub provider: Option<Spanned<String>>,
    /// The model's name there; the client's own if `None`.
    pub model: Option<Spanned<String>>,
    /// Members that are written over the request's.
    pub override_params: Map<String, Value>,
    /// How it is tried again; as its provider says if `None`.
    pub retry: Option<Retry>,
    /// How long it may take until its answer begins; as its provider says if `None`.
    pub first_byte_timeout: Option<Duration>,
    /// How able its model is; as the catalogue says if `None`.
    pub tier: Option<Tier>,
}

/// What routing knows of a provider besides where it is.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ProviderRouting {
    /// How many requests it gets.
    pub cap: Option<Cap>,
    /// How it is tried again; as `routing` says if `None`.
    pub retry: Option<Retry>,
    /// When it is left out: as `routing` says if `None`, never if `Some(None)`.
    pub breaker: Option<Option<breaker::Settings>>,
}

/// Asking providers for their health.
#[derive(Debug, Clone, PartialEq)]
pub struct HealthChecks {
    /// How often.
    pub interval: Duration,
    /// How long an answer may take.
    pub timeout: Duration,
    /// Whom, and how. Every configured provider in the way that its type knows if empty.
    pub checks: Vec<HealthCheck>,
}

/// Asking one provider for its health.
#[derive(Debug, Clone, PartialEq)]
pub struct HealthCheck {
    /// Name or type of the provider.
    pub provider: Spanned<String>,
    /// The URL; the list of its models if `None`.
    pub url: Option<Spanned<String>>,
    /// The statuses of a healthy provider; any but 401, 403, 429 and 5xx if empty.
    pub expected_status: Vec<u16>,
}

/// A new provider that gets a share of the requests.
#[derive(Debug, Clone, PartialEq)]
pub struct Canary {
    /// Its name, for people.
    pub name: Spanned<String>,
    /// Name or type of the new provider.
    pub provider: Spanned<String>,
    /// The model there; the one that was asked for if `None`.
    pub model: Option<Spanned<String>>,
    /// How much, how long, and how it is judged.
    pub rollout: Rollout,
    /// Whether requests are sent to it besides, and its answers only compared.
    pub shadow: bool,
}

/// What the copies of requests may take whose answers are only compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ShadowLimits {
    /// How many at once, in the whole process.
    pub requests_in_flight: usize,
    /// Their bytes, and those of the answers to be compared.
    pub held_bytes: usize,
    /// How long one may take in all; as long as any request if `None`.
    pub timeout: Option<Duration>,
}

impl Default for ShadowLimits {
    fn default() -> Self {
        Self { requests_in_flight: 32, held_bytes: 64 << 20, timeout: None }
    }
}

/// What requests may bring along. What is `None` is decided by the profile and by who may call.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct FromRequests {
    /// Whether they may bring keys of their own for providers.
    pub own_keys: Option<bool>,
    /// Whether they may name addresses of those providers.
    pub custom_hosts: Option<bool>,
}

impl Default for Routing {
    fn default() -> Self {
        Self {
            strategy: Balance::Priority,
            fallback: Failures::ELSEWHERE,
            retry: Retry { retries: 2, ..Retry::default() },
            breaker: Some(breaker::Settings::default()),
            tracking: Tracking::default(),
            always_tracks: false,
            slow: None,
            shares_time: true,
            queue_max_wait: Duration::from_secs(5),
            rules: Vec::new(),
            resume: Resume::Off,
            notice: Notice::default(),
            allow_downgrade: false,
            credential_order: CredentialOrder::default(),
            stand_ins: StandIns::Never,
            from_requests: FromRequests::default(),
        }
    }
}
