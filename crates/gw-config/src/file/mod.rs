//! The configuration *as written*: every key that a file may have, one line each.

mod auth;
mod cost;
mod credentials;
mod graph;
mod later;
mod limit;
mod parameters;
mod presets;
mod providers;
mod relay;
mod routes;
mod routing;
mod server;
mod telemetry;
mod translation;
mod watching;

use crate::config::{Profile, Spanned};
use crate::decode::{Decode, Decoder, Pairs};
use crate::free::{FreeMembers, Unread};
use crate::names::{Address, EnvironmentName, ModelName};
use crate::node::{Node, Value};
use crate::scalar::Milliseconds;
use crate::section::{choices, section};
use crate::shape::{Off, Shape, planned};

pub(crate) use auth::{Auth, NamedKey};
pub(crate) use cost::{Catalog, CostManagement, Currency, DescribedModel, ListedModel, ModelCost, PerOne, PriceText};
pub(crate) use credentials::{Credentials, GoogleCredentials};
pub(crate) use graph::{Element, ElementKind, ElementProperties};
use later::{access, caching, cost as budgets, observe};
pub(crate) use limit::{Amount, LimitKey, LimitTechnique, LimitType};
pub(crate) use parameters::{Json, ModelSettings, Parameters};
pub(crate) use presets::PresetForm;
pub(crate) use providers::{Provider, Timeout, Tls as ProviderTls};
pub(crate) use relay::Relay;
pub(crate) use routes::{Branch, JsonTarget, Route, Strategy, StrategyForm, Target, Version};
pub(crate) use routing::{
    CircuitBreaker, Mode, Retry, Routing, Rule, RuleAction, RuleCondition, SlowAction, TagsMatch,
};
pub(crate) use server::{Limits, Server, ServerTimeouts, Tls};
pub(crate) use telemetry::{Logging, Metrics};
pub(crate) use translation::{Media, Translation};
pub(crate) use watching::{Canary, Criteria, HealthCheck, HealthChecks, Rollout};

section! {
    /// The configuration file: YAML or JSON, raw or as the only document in a Kubernetes ConfigMap.
    File {
        /// What kind of place the gateway runs in; decides some of the other defaults.
        profile: Profile, default "local";
        /// Addresses on which applications are served: one, or a list. The port may be left out, or stand alone. The
        /// default in the server profile is `0.0.0.0:8080`.
        listen: Addresses, default "127.0.0.1:8787";
        /// The door: workers, TLS, limits, timeouts.
        server: Server;
        /// Who may call.
        auth: Auth;
        /// The providers, in any order.
        providers: Vec<Spanned<Provider>>;
        /// Other names for models: a name that applications may use, and the `provider/model` or model that it stands
        /// for.
        aliases: Pairs<ModelName>;
        /// Names for models with their targets written out.
        routes: Vec<Spanned<Route>>;
        /// The model of requests that name none: a route, an alias, `provider/model` or a model.
        default_model: ModelName;
        /// Routing that requests call by its name (`x-portkey-config: NAME`, `model: "@preset/NAME"`): each in the form in
        /// which a request may bring it, see docs/routing-presets.md.
        presets: Pairs<PresetForm>;
        /// What becomes of a request for a provider that does not speak the client's format.
        translation: Translation;
        /// Prices in place of the catalogue's.
        cost_management: CostManagement;
        /// Models and prices that are newer than the ones built in.
        catalog: Catalog;
        /// Operations that are carried rather than understood: files, audio, pictures, batches, realtime, pass-through.
        relay: Relay;
        /// The gateway's log.
        logging: Logging;
        /// Metrics in the Prometheus format.
        metrics: Metrics;
        /// How a provider is chosen, and what follows a failure.
        routing: Routing;
        /// Further tries of the same target after a failure, where nothing nearer says so.
        retry: Retry;
        /// Leaving out a provider that fails, where the provider does not say so itself.
        circuit_breaker: CircuitBreaker;
        /// Asking providers for their health.
        health_checks: HealthChecks;
        /// Giving a new provider or model a share of the requests.
        canary: Canary;
        /// What is different in each environment: `development: { … }` holds keys of this file. Sections are laid over
        /// the file's key by key, everything else takes its place.
        environments: Pairs<Unread>;
        /// The environment that is taken if neither `--environment` nor `GATEWAY_ENV` nor `NODE_ENV` names one.
        environment: EnvironmentName;
        /// The JSON form: how the first target is found.
        strategy: StrategyForm;
        /// Targets with an `id`: a provider and a model under a name that `routing.rules`, `routes` and `prefer_provider`
        /// refer to. Without ids it is the JSON form, in place of `providers`: each target is a provider, and the model
        /// that every request to it gets; several without `strategy` are tried in their order.
        targets: Vec<Spanned<JsonTarget>>;
        /// The JSON form: members that are written over every request's.
        override_params: FreeMembers;
        /// The JSON form: milliseconds that a target may take until its answer begins, where the target does not say.
        request_timeout: Milliseconds;
    }
    planned: [
        planned("consumer", &crate::shape::TEXT, "The team that a budget is for."),
        planned("budget", &Shape::Section(&budgets::TEAM_BUDGET), "What a team may spend in a month."),
        planned("roles", &Shape::List(&Shape::Section(&access::ROLE)), "What people may do."),
        planned("users", &Shape::List(&Shape::Section(&access::USER)), "Who has which role."),
        planned("security", &Shape::Section(&access::SECURITY), "Masking of personal data, and the audit log.")
            .off(Off::Inside),
        planned("compliance", &Shape::Section(&access::COMPLIANCE), "Regulations to keep.").off(Off::Inside),
        planned("access_control", &Shape::Section(&access::ACCESS_CONTROL), "From where and when one may call.")
            .off(Off::Inside),
        planned("caching", &Shape::Section(&caching::CACHING), "Keeping answers for equal requests.").off(Off::Switch),
        planned("cache", &Shape::Section(&caching::CACHE), "The JSON form of `caching`."),
        planned("cache_rules", &Shape::Section(&caching::CACHE_RULES), "Which paths may be cached.")
            .alias("cacheRules"),
        planned("instana", &Shape::Section(&observe::INSTANA), "Metrics and traces for Instana.").off(Off::Switch),
        planned("alerts", &Shape::List(&Shape::Section(&observe::ALERT)), "When somebody is to be told."),
        planned("dashboards", &Shape::List(&Shape::Section(&observe::DASHBOARD)), "Panels to show."),
    ]
}

choices! {
    Profile {
        "local" => Profile::Local, "A laptop: loopback only, port 8787, keys optional.";
        "server" => Profile::Server, "A server: port 8080 on every address, keys required, log as JSON.";
    }
}

/// One address or several.
pub(crate) struct Addresses(pub(crate) Vec<Spanned<Address>>);

impl Decode for Addresses {
    const SHAPE: &'static Shape = &Shape::Either(Address::SHAPE, &Shape::List(Address::SHAPE));

    fn decode(node: &Node, decoder: &mut Decoder<'_>) -> Option<Self> {
        match &node.value {
            Value::Scalar(_) => {
                let value = Address::decode(node, decoder)?;
                Some(Self(vec![Spanned { value, place: node.place.clone() }]))
            }
            Value::List(_) => Vec::decode(node, decoder).map(Self),
            Value::Map(_) => {
                decoder.mistake(&node.place, "must be an address or a list of addresses, not a map", None);
                None
            }
        }
    }
}
