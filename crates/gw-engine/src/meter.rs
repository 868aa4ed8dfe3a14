//! What is remembered of one request. The meter is opened with the request, moves into its answer, and settles when it is
//! dropped: also when the client leaves, when an error is answered, and when the gateway breaks.

mod beside;
mod insured;
mod limits;
mod marks;
mod resumed;
mod tries;
mod unused;
mod words;

use std::rc::Rc;
use std::sync::Arc;

use gw_core::record::KeyHash;
use gw_core::{Cost, Error, ErrorCode, Operation, Outcome, RequestId, RequestRecord, ServiceTier, Usage};
use gw_policy::auto::Class;
use http::{HeaderMap, HeaderName};
use tokio::time::Instant;

use self::limits::Passes;
use self::marks::Marks;
use self::resumed::Resuming;
use self::words::Words;
use crate::answer_id;
use crate::budget::Taken;
use crate::custom_cost::CustomCost;
use crate::engine::{Ports, Resolved};
use crate::routing::control::Told;
use crate::routing::notice::Notices;
use crate::routing::standing::Place;
use crate::shadow::Recorder;

/// Pieces of a stream in which the id of the answer is looked for: it stands in the first event, or soon after.
const ID_PIECES_MAX: u8 = 8;
/// Longer ids and names of clients and providers are cut.
const FOREIGN_ID_BYTES_MAX: usize = 200;
/// Where clients ask to be told more: `attempts`.
const DEBUG: HeaderName = HeaderName::from_static("x-gateway-debug");
const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// What is remembered of one request.
pub struct Meter {
    ports: Rc<Ports>,
    record: RequestRecord,
    resolved: Option<Rc<Resolved>>,
    outcome: Option<Outcome>,
    marks: Marks,
    streams: bool,
    words: Words,
    tells_cost: bool,
    /// Whether its caller is not charged for what fails or comes to nothing.
    insures: bool,
    looks_for_id: u8,
    custom_cost: Option<Box<CustomCost>>,
    _in_flight: Option<Taken>,
    place: Option<Place>,
    /// Whether the calls of tools in the answer can be followed, where that is of interest.
    verdict: Option<bool>,
    notices: Notices,
    /// Attempts before this meter was set beside another, which settles for both.
    beside: Option<u32>,
    told: Option<Told>,
    /// Who listens to the answer, where it is compared with another.
    recorder: Option<Box<Recorder>>,
    resuming: Resuming,
    /// The limits of its route, where there are any.
    passes: Option<Box<Passes>>,
}

impl Meter {
    /// Opens the meter of a request whose head has just been read.
    pub fn open(ports: &Rc<Ports>, request_id: RequestId, operation: Operation, dialect: &'static str) -> Box<Self> {
        ports.bank.request_started();
        Self::of(ports, request_id, operation, dialect)
    }

    /// Opens the meter of a copy of a request that a rollout's shadow gets: nobody's request, which is paid for.
    pub(crate) fn open_shadow(
        ports: &Rc<Ports>,
        request_id: RequestId,
        dialect: &'static str,
        rollout: &Arc<str>,
    ) -> Box<Self> {
        let mut meter = Self::of(ports, request_id, Operation::Chat, dialect);
        meter.record.shadow = Some(Arc::clone(rollout));
        meter
    }

    fn of(ports: &Rc<Ports>, request_id: RequestId, operation: Operation, dialect: &'static str) -> Box<Self> {
        Box::new(Self {
            ports: Rc::clone(ports),
            record: RequestRecord::begin(request_id, operation, dialect, ports.clock.now()),
            resolved: None,
            outcome: None,
            marks: Marks::begin(),
            streams: false,
            words: Words::default(),
            tells_cost: false,
            insures: false,
            looks_for_id: 0,
            custom_cost: None,
            _in_flight: None,
            place: None,
            verdict: None,
            notices: Notices::default(),
            beside: None,
            told: None,
            recorder: None,
            resuming: Resuming::No,
            passes: None,
        })
    }

    /// The id of the request.
    pub fn request_id(&self) -> RequestId {
        self.record.request_id
    }

    /// The provider's own id of the exchange.
    pub fn provider_request_id(&self) -> Option<&str> {
        self.record.provider_request_id.as_deref()
    }

    /// How many times a provider was tried.
    pub fn attempts(&self) -> u32 {
        self.record.attempts
    }

    /// When the request's total time began.
    pub fn started(&self) -> Instant {
        self.marks.started()
    }

    /// Notes what the client says about its request.
    pub fn request_head(&mut self, headers: &HeaderMap) {
        let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
        self.notices.tells_attempts =
            text(DEBUG).is_some_and(|wanted| wanted.split(',').any(|word| word.trim() == "attempts"));
        self.record.client_request_id = text(X_REQUEST_ID).map(shortened);
        // version "-" trace id "-" parent id "-" flags (W3C Trace Context §3.2)
        self.record.trace_id = text(TRACEPARENT)
            .and_then(|value| value.split('-').nth(1))
            .filter(|id| id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit()))
            .map(Box::from);
    }

    /// The client's id of the request, to be told back.
    pub fn client_request_id(&self) -> Option<&str> {
        self.record.client_request_id.as_deref()
    }

    /// The body has been read.
    pub fn request_body(&mut self, bytes: usize) {
        self.record.request_bytes = bytes as u64;
        self.marks.body_read();
    }

    /// What the request's head says.
    pub fn asked(&mut self, model: Option<&str>, stream: bool) {
        self.record.model_requested = model.map(Box::from);
        self.record.stream = stream;
    }

    /// Who calls: the name of a key of ours, or what tells the key apart that is not.
    pub fn caller(&mut self, key_name: Option<Arc<str>>, foreign_key: Option<KeyHash>) {
        self.record.key_name = key_name;
        self.record.foreign_key = foreign_key;
    }

    /// The environment that serves the request.
    pub fn serve_in(&mut self, environment: Option<Arc<str>>) {
        self.record.environment = environment;
    }

    /// The name of the key that the caller presented.
    pub fn key_name(&self) -> Option<&Arc<str>> {
        self.record.key_name.as_ref()
    }

    /// The request takes one of the places for requests in flight, until it is settled.
    pub fn occupy(&mut self, place: Taken) {
        self._in_flight = Some(place);
    }

    /// What the model's name stands for.
    pub fn resolve(&mut self, resolved: &Rc<Resolved>) {
        let choice = &resolved.choice;
        self.record.provider = Some(Arc::clone(&choice.provider.name));
        self.record.provider_type = Some(Arc::clone(&choice.provider.type_id));
        self.record.route.clone_from(&resolved.target_settings.route);
        self.record.model_used = Some(Arc::clone(&choice.model)).filter(|model| !model.is_empty());
        if let Some(first) = self.resolved.replace(Rc::clone(resolved)) {
            self.notices.first_choice.get_or_insert(first);
        }
    }

    /// What there is to tell of who answered.
    pub(crate) fn notices(&self) -> &Notices {
        &self.notices
    }

    /// The same, to be changed.
    pub(crate) fn notices_mut(&mut self) -> &mut Notices {
        &mut self.notices
    }

    /// Whether a lesser model answers than the first choice.
    pub fn is_downgraded(&self) -> bool {
        self.notices.is_downgraded
    }

    /// Whether the client wants to be told of each attempt.
    pub fn tells_attempts(&self) -> bool {
        self.notices.tells_attempts
    }

    /// The class of the conversation, where its model was chosen by that.
    pub fn class(&self) -> Option<Class> {
        self.notices.class
    }

    /// The model was chosen by this class.
    pub(crate) fn classed(&mut self, class: Class) {
        self.notices.class = Some(class);
    }

    /// What the model's name stands for, once that is known.
    pub fn resolved(&self) -> Option<&Resolved> {
        self.resolved.as_deref()
    }

    /// A target is tried: what an earlier one said and was not told is forgotten.
    pub(crate) fn begin_attempt(&mut self, target: &Rc<Resolved>) {
        self.come_to(target);
        if self.resolved.is_some() {
            if self.record.usage.is_some() {
                self.set_aside(!self.insures);
            }
            (self.record.told_end, self.record.uncharged) = (false, None);
            self.record.losses.clear();
            self.words.clear();
            self.record.provider_request_id = None;
            self.record.callers_key = false;
            self.marks.forget_attempt();
        }
        self.begin_under_limits();
        self.resolve(target);
    }

    /// A provider is about to be asked.
    pub fn attempt(&mut self) {
        self.record.attempts += 1;
        self.marks.sent();
    }

    /// How long the present attempt has taken so far, in microseconds.
    pub fn attempt_us(&self) -> u64 {
        self.marks.attempt_us()
    }

    /// When the present attempt was sent; when the request came, if it was not.
    pub(crate) fn attempt_began(&self) -> Instant {
        self.marks.attempt_began()
    }

    /// Another target is asked than the first.
    pub(crate) fn fell_back(&mut self) {
        self.record.fallback = true;
    }

    /// Whether another target was asked than the first.
    pub fn has_fallen_back(&self) -> bool {
        self.record.fallback
    }

    /// The answer's head is told in these words, too.
    pub(crate) fn tell_in(&mut self, told: Told) {
        self.told = Some(told);
    }

    /// Writes what the request's own words of routing want to hear.
    pub fn write_told(&self, headers: &mut HeaderMap) {
        if let Some(told) = &self.told {
            let (used, failures) = (self.resolved(), self.failures_of_last_target());
            told.write(headers, used, failures, self.record.error.is_some());
        }
    }

    /// Keeps the provider's place until this request has ended.
    pub(crate) fn attended(&mut self, place: Option<Place>) {
        self.place = place;
    }

    /// The answer is a stream of events.
    pub fn stream_opened(&mut self) {
        if self.record.shadow.is_none() {
            self.streams = true;
            self.ports.bank.stream_opened();
        }
    }

    /// The head of the provider's answer has come.
    pub fn answered(&mut self, provider_request_id: Option<&str>) {
        self.record.provider_request_id = provider_request_id.map(shortened);
    }

    /// A piece of the answer's body has come.
    pub fn received(&mut self) {
        self.marks.received();
    }

    /// The first content of a stream has come: what was held until then goes on now.
    pub(crate) fn begun(&mut self) {
        self.marks.begun();
    }

    /// A piece of the answer's body goes to the client.
    pub fn forwarded(&mut self, bytes: usize) {
        self.record.response_bytes += bytes as u64;
        self.marks.forwarded();
    }

    /// The answer is compared with another: it is listened to.
    pub(crate) fn record_with(&mut self, recorder: Box<Recorder>) {
        self.recorder = Some(recorder);
    }

    /// What goes to the client, for who listens to it.
    pub(crate) fn heard(&mut self, piece: &[u8]) {
        if let Some(recorder) = &mut self.recorder {
            recorder.hear(piece);
        }
    }

    /// The status that the client is sent.
    pub fn status(&mut self, status: u16) {
        self.record.status = status;
    }

    /// What the provider reported as used.
    pub fn used(&mut self, usage: Option<Usage>) {
        if let Some(usage) = usage {
            self.record.usage = Some(self.record.usage.map_or(usage, |before| before.merge(usage)));
            self.record.cost = None;
        }
    }

    /// The service that the provider says it gave.
    pub fn served(&mut self, tier: Option<&str>) {
        if let (Some(usage), Some(tier)) = (&mut self.record.usage, tier) {
            usage.service_tier = ServiceTier::of(tier);
            self.record.cost = None;
        }
    }

    /// Whether the calls of tools in the answer so far can be followed; `None` if there was none, or nobody wants to know.
    pub(crate) fn judged(&mut self, verdict: Option<bool>) {
        self.verdict = verdict;
    }

    /// The caller says what its request costs, and may.
    pub(crate) fn priced_by_caller(&mut self, cost: CustomCost) {
        self.custom_cost = Some(Box::new(cost));
    }

    /// What has been used so far costs, at the price of the provider and model; `None` if nothing was reported.
    pub fn cost(&self) -> Option<Cost> {
        let (usage, resolved) = (self.record.usage.as_ref()?, self.resolved.as_deref()?);
        let told = usage.told_cost.filter(|_| resolved.choice.provider.entry.tells_cost);
        let cost = match &self.custom_cost {
            Some(custom) => custom.of(usage),
            None => Cost::of(usage, &resolved.price, self.record.started_at),
        };
        Some(cost.or_told(told))
    }

    /// The same, of an answer that is whole: remembered, unless more is reported as used.
    pub fn settled_cost(&mut self) -> Option<&Cost> {
        if self.record.cost.is_none() {
            self.record.cost = self.cost();
        }
        self.record.cost.as_ref()
    }

    /// The client asks to be told the cost in the answer.
    pub fn tell_cost(&mut self, asked: bool) {
        self.tells_cost = asked;
    }

    /// Whether the client asked to be told the cost in the answer.
    pub fn tells_cost(&self) -> bool {
        self.tells_cost
    }

    /// The provider is asked with the caller's own key.
    pub fn use_callers_key(&mut self) {
        self.record.callers_key = true;
    }

    /// Whether the provider is asked with the caller's own key.
    pub fn uses_callers_key(&self) -> bool {
        self.record.callers_key
    }

    /// The caller speaks OpenRouter's API: it is told what it is told there, and comes back with the ids of answers.
    pub fn speak_openrouter(&mut self) {
        self.looks_for_id = ID_PIECES_MAX;
        self.record.openrouter = true;
    }

    /// Whether the caller speaks OpenRouter's API.
    pub fn speaks_openrouter(&self) -> bool {
        self.record.openrouter
    }

    /// A piece of the answer goes to a client that may come back with its id: events, each whole, or all of it.
    pub(crate) fn told(&mut self, piece: &[u8], is_events: bool) {
        self.looks_for_id -= 1;
        self.record.answer_id = answer_id::find(piece, is_events).map(|id| shortened(&id));
        if self.record.answer_id.is_some() {
            self.looks_for_id = 0;
        }
    }

    /// Whether the id of the answer has still to be found.
    pub(crate) fn looks_for_id(&self) -> bool {
        self.looks_for_id > 0
    }

    /// The client is told of an error.
    pub fn failed(&mut self, error: &Error) {
        self.record.status = error.status().as_u16();
        self.interrupted(error.code);
    }

    /// An answer that had begun ended in an error.
    pub fn interrupted(&mut self, code: ErrorCode) {
        self.record.error = Some(code);
        if self.outcome == Some(Outcome::Panicked) {
            return;
        }
        self.outcome = Some(if code == ErrorCode::ClientClosed { Outcome::Cancelled } else { Outcome::Failed });
    }

    /// The gateway broke.
    pub fn panicked(&mut self) {
        self.ports.bank.panic_caught();
        self.record.error = Some(ErrorCode::InternalError);
        self.outcome = Some(Outcome::Panicked);
    }

    /// The whole answer was handed over.
    pub fn completed(&mut self) {
        self.outcome.get_or_insert(Outcome::Completed);
    }
}

impl Drop for Meter {
    fn drop(&mut self) {
        if self.beside.is_some() {
            return;
        }
        self.record.timings = self.marks.timings(self.record.stream);
        self.settled_cost();
        self.record.outcome = match self.outcome {
            Some(outcome) => outcome,
            // Dropped by the unwinding of a panic that nobody on the path caught.
            None if std::thread::panicking() => Outcome::Panicked,
            None => Outcome::Cancelled,
        };
        if self.record.outcome == Outcome::Cancelled && self.record.error.is_none() {
            self.record.error = Some(ErrorCode::ClientClosed);
        }
        if self.insures {
            self.record.insure();
        }
        self.spend(self.record.cost, self.record.usage.is_some() || self.record.outcome == Outcome::Completed);
        if self.streams {
            self.ports.bank.stream_closed();
        }
        if let (Some(place), Some(verdict)) = (&self.place, self.verdict) {
            place.judged(verdict, self.ports.elapsed());
        }
        if let (Some(place), Some(took), Some(usage), Outcome::Completed) =
            (&self.place, self.marks.attempt_took(), &self.record.usage, self.record.outcome)
        {
            place.wrote(usage.output_tokens, took, self.ports.elapsed());
        }
        let series = self.resolved.as_ref().map(|resolved| &*resolved.series);
        match self.record.shadow {
            Some(_) => self.ports.bank.shadow_finished(&self.record, series),
            None => self.ports.bank.request_finished(&self.record, series),
        }
        if let Some(recorder) = self.recorder.take() {
            recorder.end(&self.record, self.marks.first_sent());
        }
        self.ports.remember(|| self.record.take());
    }
}

fn shortened(text: &str) -> Box<str> {
    text.get(..FOREIGN_ID_BYTES_MAX).unwrap_or(text).into()
}
