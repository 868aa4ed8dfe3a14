//! What requests ask of their routing, in whichever words.

use std::sync::Arc;
use std::time::Duration;

use gw_config::secret::Secret;
use gw_core::{Dimension, Rate};
use gw_policy::balance::Balance;
use gw_policy::breaker;
use gw_policy::credentials::CredentialOrder;
use gw_policy::failure::{Failure, Failures};
use gw_policy::measure::Preference;
use gw_policy::plan::Node;
use gw_policy::retry::{Jitter, Retry};
use gw_providers::catalog::models::Model;
use serde_json::{Map, Value};

use super::auto::AutoWish;
use super::online::Search;
use crate::routing::target::TargetBreaker;
use crate::snapshot::Provider;

/// The most tries after the first that a request may ask for.
const RETRIES_MAX: u32 = 5;
/// The longest pause that it may ask for (Cloudflare's bound).
const PAUSE_MAX: Duration = Duration::from_secs(5);
/// As many names of what was not understood are told.
const IDLE_MAX: usize = 20;

/// What a request asks of its routing. Where it says nothing, everything is as the operator has it.
#[derive(Default)]
pub(crate) struct Wish {
    /// Targets of its own, in place of what the model's name stands for.
    pub(crate) tree: Option<Node<Wanted>>,
    /// The provider that it wants, in place of those that the model's name finds.
    pub(crate) provider: Option<Wanted>,
    /// Models that are tried after the first.
    pub(crate) models: Vec<Box<str>>,
    /// Providers that are tried first, in this order.
    pub(crate) order: Vec<Box<str>>,
    /// The only providers that may be asked, if any are named.
    pub(crate) only: Option<Vec<Box<str>>>,
    /// Providers that may not be asked.
    pub(crate) ignore: Vec<Box<str>>,
    /// Whether nothing but the first choice, or `order`, is tried.
    pub(crate) no_fallbacks: bool,
    /// By what the others are ordered.
    pub(crate) sort: Option<Balance>,
    /// Whether targets are ordered whatever their model; else each of several models has its own order.
    pub(crate) sorts_across_models: bool,
    /// How quick a target should be.
    pub(crate) preference: Preference,
    /// Keys of the caller's own, in the order in which they are tried.
    pub(crate) byok: Vec<Byok>,
    /// How long providers that are asked with them may take until their answers begin.
    pub(crate) byok_timeouts: Vec<(Box<str>, Duration)>,
    /// Which keys come first; as the operator says if `None`.
    pub(crate) credential_order: Option<CredentialOrder>,
    /// What the model may cost.
    pub(crate) price_max: Vec<(Dimension, Rate)>,
    /// What the operator must have said of a provider.
    pub(crate) needs: Vec<Need>,
    /// Whether only providers may be asked that understand every parameter.
    pub(crate) needs_parameters: bool,
    /// Who the request is for, for what sticks and for conditions.
    pub(crate) user: Option<Box<str>>,
    /// What conditions may ask for.
    pub(crate) tags: Vec<Box<str>>,
    /// The service that providers are asked for, where the request does not say so itself.
    pub(crate) service_tier: Option<Box<str>>,
    /// What is done at every target that does not say so itself.
    pub(crate) everywhere: Changes,
    /// For the whole request.
    pub(crate) total_timeout: Option<Duration>,
    /// What the model's name is without the preset that it names besides; `Some(None)` if it names nothing else.
    pub(crate) model: Option<Option<Box<str>>>,
    /// Whether the body names a preset of ours, which no provider is to see.
    pub(crate) has_preset_member: bool,
    /// Whether it names a preset that is none of ours. A provider may have one of that name.
    pub(crate) has_unknown_preset: bool,
    /// A search of the web that it wants.
    pub(super) search: Option<Search>,
    /// What it asks of a route that chooses models.
    pub(super) auto: AutoWish,
    /// Members of OpenRouter's that are none of routing: nobody else is sent them.
    pub(super) openrouters_own: Vec<&'static str>,
    /// Whether what is being read was written by the operator.
    pub(super) is_operators: bool,
    /// What was not understood, or does nothing here.
    idle: Vec<String>,
}

/// A target of a request's own.
#[derive(Clone, Default)]
pub(crate) struct Wanted {
    /// Name or type of the provider; whichever serves the model if `None`.
    pub(crate) provider: Option<Box<str>>,
    /// The caller's own account there; the operator's if `None`.
    pub(crate) own: Option<Own>,
    /// The model; the request's if `None`.
    pub(crate) model: Option<Box<str>>,
    /// What is done differently.
    pub(crate) changes: Changes,
    /// Where it stands, as Portkey counts: `config.targets[0]`.
    pub(crate) option: Box<str>,
    /// When it is left out, besides when its provider is.
    pub(crate) breaker: Option<Arc<TargetBreaker>>,
    /// The provider that was made of `own`, where that is the operator's.
    pub(crate) kept: Option<Arc<Provider>>,
}

/// A model's name as it is asked for, and what it is called in an account.
pub(crate) type Renamed = (Box<str>, Box<str>);

/// A key of the caller's own for one provider, wherever the model's name leads to it.
#[derive(Clone)]
pub(crate) struct Byok {
    /// Name or type of the provider.
    pub(crate) provider: Box<str>,
    pub(crate) own: Own,
    /// What models are called in this account.
    pub(crate) models: Vec<Renamed>,
    /// Where it stands: `providerOptions.gateway.byok.openai[0]`.
    pub(crate) place: String,
}

/// An account at a provider that is none of the configured ones: the caller's own, or one of a preset.
#[derive(Clone, Default)]
pub(crate) struct Own {
    /// The key.
    pub(crate) api_key: Option<Secret>,
    /// Base URL, in place of the catalogue's.
    pub(crate) host: Option<Box<str>>,
    /// For the placeholders of the catalogue's base URL.
    pub(crate) variables: Vec<(&'static str, Box<str>)>,
    /// A credential with more in it than a key.
    pub(crate) credentials: Vec<(&'static str, Secret)>,
    /// Whether it is the operator's, written in a preset: no request may lead it elsewhere.
    pub(crate) is_operators: bool,
    /// What the caller vouches for of it.
    pub(crate) assurances: Vec<Box<str>>,
}

/// What is done differently at a target.
#[derive(Clone, Default)]
pub(crate) struct Changes {
    pub(crate) override_params: Map<String, Value>,
    /// Members that a request gets if it does not say them.
    pub(crate) default_params: Map<String, Value>,
    pub(crate) retry: Option<RetryWish>,
    pub(crate) first_byte_timeout: Option<Duration>,
    /// When a target is left out (`cb_config`). Of the operator only.
    pub(crate) breaker: Option<BreakerWish>,
}

/// When a target of a preset is left out.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct BreakerWish {
    pub(crate) settings: breaker::Settings,
    /// After these failures.
    pub(crate) failures: Failures,
}

/// How a target is to be tried again.
#[derive(Clone, Default, PartialEq, Debug)]
pub(crate) struct RetryWish {
    pub(crate) retries: Option<u32>,
    /// After these statuses and no others.
    pub(crate) on_statuses: Option<Vec<u16>>,
    pub(crate) delay: Option<Duration>,
    pub(crate) multiplier: Option<f64>,
    pub(crate) heeds_retry_after: Option<bool>,
}

/// Something that cannot be found out about a provider: its operator's customer has to have said it (`assurances`).
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Need {
    /// One of these.
    Any(Vec<Box<str>>),
    /// One that begins so, but none of these.
    Other(&'static str, Vec<Box<str>>),
    /// Not this one; where nothing is said, it is not.
    Without(Box<str>),
    /// This one, unless the catalogue knows the model to have what it means.
    Capability(Box<str>, &'static str),
}

impl Wish {
    /// A wish that the operator writes down.
    pub(super) fn of_operator() -> Self {
        Self { is_operators: true, ..Self::default() }
    }

    /// Says what a preset says. What narrows the choice is added to what has been said before.
    pub(super) fn take_over(&mut self, preset: &Self) {
        self.tree.clone_from(&preset.tree);
        self.everywhere = preset.everywhere.clone();
        if self.models.is_empty() {
            self.models.clone_from(&preset.models);
        }
        if self.order.is_empty() {
            self.order.clone_from(&preset.order);
        }
        self.only = self.only.take().or_else(|| preset.only.clone());
        self.ignore.extend(preset.ignore.iter().cloned());
        self.no_fallbacks |= preset.no_fallbacks;
        if self.sort.is_none() {
            (self.sort, self.sorts_across_models) = (preset.sort, preset.sorts_across_models);
        }
        self.price_max.extend(preset.price_max.iter().copied());
        self.needs.extend(preset.needs.iter().cloned());
        self.needs_parameters |= preset.needs_parameters;
    }

    /// Something was said that is not understood or does nothing.
    pub(crate) fn idle(&mut self, name: impl Into<String>) {
        if self.idle.len() < IDLE_MAX {
            self.idle.push(name.into());
        }
    }

    /// What was said and does nothing.
    pub(crate) fn take_idle(&mut self) -> Vec<String> {
        std::mem::take(&mut self.idle)
    }
}

impl Own {
    /// Whether there is anything that shows who asks.
    pub(crate) fn has_credential(&self) -> bool {
        self.api_key.is_some() || !self.credentials.is_empty()
    }
}

impl Changes {
    /// The same, and what is said around it where it says nothing.
    pub(crate) fn within(mut self, around: &Self) -> Self {
        let pairs =
            [(&mut self.override_params, &around.override_params), (&mut self.default_params, &around.default_params)];
        for (own, around) in pairs {
            for (name, value) in around {
                if !own.contains_key(name) {
                    own.insert(name.clone(), value.clone());
                }
            }
        }
        self.retry = self.retry.or_else(|| around.retry.clone());
        self.first_byte_timeout = self.first_byte_timeout.or(around.first_byte_timeout);
        self.breaker = self.breaker.or_else(|| around.breaker.clone());
        self
    }
}

impl RetryWish {
    /// The operator's way, changed by the wish.
    pub(crate) fn over(&self, usual: &Retry) -> Retry {
        let delay = self.delay.map(|delay| delay.min(PAUSE_MAX));
        let listed = self.on_statuses.clone().map(Failures::of_statuses);
        let insists = listed.as_ref().map(|listed| listed.contains(&Failure::TIMEOUT));
        Retry {
            retries: self.retries.map_or(usual.retries, |retries| retries.min(RETRIES_MAX)),
            on: listed.unwrap_or_else(|| usual.on.clone()),
            insists_on_timeout: insists.unwrap_or(usual.insists_on_timeout),
            initial_delay: delay.unwrap_or(usual.initial_delay),
            max_delay: usual.max_delay,
            multiplier: self.multiplier.unwrap_or(usual.multiplier),
            // Who names a pause wants that pause.
            jitter: if delay.is_some() { Jitter::Part(0.0) } else { usual.jitter },
            retry_after_max: usual.retry_after_max.filter(|_| self.heeds_retry_after != Some(false)),
        }
    }
}

impl Need {
    /// Whether what the operator says of a provider, or the catalogue of its model, is enough.
    pub(crate) fn is_met(&self, assurances: &[std::sync::Arc<str>], model: Option<&Model>) -> bool {
        let has = |name: &str| assurances.iter().any(|known| known.eq_ignore_ascii_case(name));
        match self {
            Self::Any(names) => names.iter().any(|name| has(name)),
            Self::Other(prefix, names) => {
                assurances.iter().any(|known| known.starts_with(prefix)) && !names.iter().any(|name| has(name))
            }
            Self::Without(name) => !has(name),
            Self::Capability(name, known) => has(name) || model.and_then(|model| model.does(known)).unwrap_or_default(),
        }
    }
}
