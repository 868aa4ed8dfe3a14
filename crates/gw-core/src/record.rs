//! What is remembered of a request.

use std::mem;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crate::chat::Loss;
use crate::{Cost, ErrorCode, Nanodollars, Operation, RequestId, Uncharged, Usage};

/// How a request ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The whole answer was handed to the client's connection.
    Completed,
    /// The client was told of an error.
    Failed,
    /// The client left before the answer was complete.
    Cancelled,
    /// The gateway itself broke; nothing else was taken down.
    Panicked,
}

impl Outcome {
    /// The name in logs and metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Outcome::Completed => "completed",
            Outcome::Failed => "failed",
            Outcome::Cancelled => "cancelled",
            Outcome::Panicked => "panicked",
        }
    }
}

/// How long things took, in microseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Timings {
    /// From the request's head to the last byte of the answer.
    pub total_us: u64,
    /// From sending the attempt upstream to the first byte of its answer's body; `None` if none came.
    pub first_byte_us: Option<u64>,
    /// What was spent waiting for the provider.
    pub upstream_us: u64,
    /// What the gateway added before the request went upstream and before the answer's first byte went back.
    pub overhead_us: u64,
}

/// Losses that are remembered of a request, at most.
pub const LOSSES_MAX: usize = 64;

/// An attempt whose answer nobody got: it failed, or was cancelled because another was faster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Try {
    /// The configured provider's name.
    pub provider: Arc<str>,
    /// The model as the provider was asked for it.
    pub model: Arc<str>,
    /// Whether it was asked with the caller's own key.
    pub callers_key: bool,
    /// Which of the request's targets it was at, numbered as they were come to. The same target tried again has the same
    /// number; another account at the same provider has another.
    pub target: u32,
    /// What went wrong; `None` if nothing did, and another attempt was faster.
    pub error: Option<ErrorCode>,
    /// The provider's status, if it answered with one.
    pub status: Option<u16>,
    /// How long it took, in microseconds.
    pub duration_us: u64,
}

impl Try {
    /// How it ended, in logs and metrics: the name of the error, or that it was cancelled.
    pub fn outcome_name(&self) -> &'static str {
        self.error.map_or(Outcome::Cancelled.name(), ErrorCode::name)
    }
}

/// A target that would have been asked first, and was not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PassedOver {
    /// The configured provider's name.
    pub provider: Arc<str>,
    /// Why: `resting` after failures, or `rate_cap` where it has as many requests as it may have.
    pub reason: &'static str,
}

/// What an attempt used whose answer nobody got, or not to its end: it failed after its provider had begun to work, another
/// was faster, or another went on where it broke off.
#[derive(Debug, Clone, PartialEq)]
pub struct Unused {
    /// The configured provider's name.
    pub provider: Arc<str>,
    /// The model as the provider was asked for it.
    pub model: Arc<str>,
    /// Whether the provider was asked with the caller's own key.
    pub callers_key: bool,
    /// What the provider reported as used; `None` if it was given up before it reported anything.
    pub usage: Option<Usage>,
    /// What that cost; `None` where nothing was reported.
    pub cost: Option<Cost>,
    /// Whether the caller is charged for it.
    pub charged: bool,
}

/// Within which a request has to be answered, and whose word that is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RequestTime {
    /// How long that is, from when its head had been read.
    pub limit: Duration,
    /// The header that says so, or the key of the configuration.
    pub of: &'static str,
}

/// A part of the hash of a key: enough to tell keys apart, and nothing of the key.
pub type KeyHash = [u8; 16];

/// One finished request. Holds facts about it, never its content.
#[derive(Debug, Clone)]
pub struct RequestRecord {
    /// The gateway's id, as told to the client in `x-request-id`.
    pub request_id: RequestId,
    /// The id that the client sent, if it sent one.
    pub client_request_id: Option<Box<str>>,
    /// The trace id of the client's `traceparent` (W3C Trace Context), if it sent one.
    pub trace_id: Option<Box<str>>,
    /// When the head of the request had been read.
    pub started_at: SystemTime,
    /// What was asked for.
    pub operation: Operation,
    /// The format the client spoke.
    pub dialect: &'static str,
    /// The name of the caller's key.
    pub key_name: Option<Arc<str>>,
    /// The environment that served it; `None` where the configuration has none.
    pub environment: Option<Arc<str>>,
    /// What tells callers apart that present keys of their own.
    pub foreign_key: Option<KeyHash>,
    /// Whether the provider was asked with the caller's own key.
    pub callers_key: bool,
    /// The model as the client named it.
    pub model_requested: Option<Box<str>>,
    /// The model as the provider was asked for it.
    pub model_used: Option<Arc<str>>,
    /// The route and the version of it that served, where it has several: `support@2`.
    pub route: Option<Arc<str>>,
    /// The configured provider's name.
    pub provider: Option<Arc<str>>,
    /// The catalogue entry that the provider is an instance of.
    pub provider_type: Option<Arc<str>>,
    /// The provider's own id of the request.
    pub provider_request_id: Option<Box<str>>,
    /// Whether the client speaks OpenRouter's API: it may ask for these facts.
    pub openrouter: bool,
    /// The id in the body of the answer, as the client got it, where somebody may come back with it.
    pub answer_id: Option<Box<str>>,
    /// Whether the client asked for a stream.
    pub stream: bool,
    /// Within which it had to be answered, where the request or its client says so.
    pub time: Option<RequestTime>,
    /// The HTTP status the client was sent; 499 where it left before one was sent.
    pub status: u16,
    /// How it ended.
    pub outcome: Outcome,
    /// What went wrong, where something did.
    pub error: Option<ErrorCode>,
    /// What the provider reported as used.
    pub usage: Option<Usage>,
    /// What that cost; `None` where nothing was reported as used.
    pub cost: Option<Cost>,
    /// Whether the answer said why it ended.
    pub told_end: bool,
    /// Why its caller is not charged for what was used, where it is not.
    pub uncharged: Option<Uncharged>,
    /// Bytes of the request's body.
    pub request_bytes: u64,
    /// Bytes of the answer's body that were handed to the client's connection.
    pub response_bytes: u64,
    /// How many times a provider was tried.
    pub attempts: u32,
    /// What the provider could not be told, or was told in another way; of many, the first [`LOSSES_MAX`].
    pub losses: Vec<Loss>,
    /// The number of the target that was come to last, as in [`Try::target`]; 0 if there was none.
    pub target: u32,
    /// The attempts whose answers nobody got, in the order in which they ended.
    pub tries: Vec<Try>,
    /// Whether the last attempt is one of those: no other was begun since.
    pub last_is_told: bool,
    /// Who would have been asked first, but did not take calls.
    pub passed_over: Option<PassedOver>,
    /// What attempts used besides the one that answered.
    pub unused: Vec<Unused>,
    /// Whether another target was asked than the first, which had failed or did not take calls.
    pub fallback: bool,
    /// The rollout whose shadow this is, where it is one: a copy of a client's request, whose answer nobody gets. It has
    /// the id of that request, and is nobody's: no key is named.
    pub shadow: Option<Arc<str>>,
    /// How many times its stream broke off and another attempt went on with it.
    pub resumed: u32,
    /// How long things took.
    pub timings: Timings,
}

/// The status that is remembered for a client that left before it was sent one (nginx's convention).
const CLIENT_CLOSED: u16 = 499;

impl RequestRecord {
    /// What is known of a request whose head has just been read: it stays so if the client leaves.
    #[inline]
    pub fn begin(request_id: RequestId, operation: Operation, dialect: &'static str, started_at: SystemTime) -> Self {
        Self {
            request_id,
            client_request_id: None,
            trace_id: None,
            started_at,
            operation,
            dialect,
            key_name: None,
            environment: None,
            foreign_key: None,
            callers_key: false,
            model_requested: None,
            model_used: None,
            route: None,
            provider: None,
            provider_type: None,
            provider_request_id: None,
            openrouter: false,
            answer_id: None,
            stream: false,
            time: None,
            status: CLIENT_CLOSED,
            outcome: Outcome::Cancelled,
            error: None,
            usage: None,
            cost: None,
            told_end: false,
            uncharged: None,
            request_bytes: 0,
            response_bytes: 0,
            attempts: 0,
            losses: Vec::new(),
            target: 0,
            tries: Vec::new(),
            last_is_told: false,
            passed_over: None,
            unused: Vec::new(),
            fallback: false,
            shadow: None,
            resumed: 0,
            timings: Timings::default(),
        }
    }

    /// Moves the record out; what stays is of no use but to be dropped. Field by field: it is copied once.
    #[inline]
    pub fn take(&mut self) -> Self {
        Self {
            client_request_id: self.client_request_id.take(),
            trace_id: self.trace_id.take(),
            key_name: self.key_name.take(),
            environment: self.environment.take(),
            model_requested: self.model_requested.take(),
            model_used: self.model_used.take(),
            provider: self.provider.take(),
            provider_type: self.provider_type.take(),
            provider_request_id: self.provider_request_id.take(),
            answer_id: self.answer_id.take(),
            losses: mem::take(&mut self.losses),
            tries: mem::take(&mut self.tries),
            passed_over: self.passed_over.take(),
            unused: mem::take(&mut self.unused),
            route: self.route.take(),
            shadow: self.shadow.take(),
            ..*self
        }
    }

    /// Notes what of a request that is over its caller is not charged for, where the operator has it so.
    pub fn insure(&mut self) {
        let Some(why) = self.uncharged.or_else(|| Uncharged::of(self)) else { return };
        self.unused.iter_mut().for_each(|unused| unused.charged = false);
        // Where the caller's own key was used, its provider asks what it asks.
        self.uncharged = Some(why).filter(|_| !self.callers_key);
    }

    /// What the gateway charges its caller for the answer: what it cost; nothing if the provider was asked with the caller's
    /// own key, or if it is insured. `None` if that is not known. What attempts used besides ([`Self::unused`]) is not in it.
    pub fn billed(&self) -> Option<Nanodollars> {
        match self.uncharged.is_some() || self.callers_key {
            true => Some(Nanodollars::ZERO),
            false => self.cost.as_ref().and_then(Cost::total),
        }
    }

    /// Who was asked after one of `tries` had failed, and whether it was the same target again; `None` if nobody was, or
    /// if it had been asked beside and not because of it.
    pub fn after_try(&self, index: usize) -> Option<(&Arc<str>, bool)> {
        let failed = self.tries.get(index).filter(|failed| failed.error.is_some())?;
        let next = self.tries.get(index + 1).map(|next| (&next.provider, next.target));
        let last = || Some((self.provider.as_ref().filter(|_| !self.last_is_told)?, self.target));
        let (provider, target) = next.or_else(last)?;
        (target >= failed.target).then_some((provider, target == failed.target))
    }
}
