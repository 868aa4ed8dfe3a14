//! The whole story of a request.

use std::cell::{OnceCell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use gw_core::{Error, ErrorCode, Operation, Price, RequestRecord};
use gw_dialects::head::Head;
use gw_dialects::{DialectId, request};
use gw_http::Pools;
use gw_policy::auto::Abilities;
use gw_policy::dice::Dice;
use gw_policy::plan::{NoMatch, Node, Plan, Standing};
use gw_policy::retry::Retry;
use gw_providers::catalog::models::Capability;
use gw_providers::parameters::Parameters;
use gw_runtime::clock::Clock;
use gw_runtime::mailbox::Sender;
use gw_telemetry::bank::{Bank, Series, SeriesKey};
use http::{HeaderMap, HeaderValue};
use tokio::time::Instant;

use crate::budget::{Budget, Taken};
use crate::conversations::Conversations;
use crate::custom_cost;
use crate::meter::Meter;
use crate::models::{Choice, Target, TargetSettings};
use crate::openrouter;
use crate::relay::Homes;
use crate::reply::Reply;
use crate::routing::control::{self, Guests, Heard, Places};
use crate::routing::need;
use crate::routing::rules::Judged;
use crate::routing::times::Times;
use crate::routing::{Asked, Asker, RequestFacts, Seen, Walk, Way, notice, resume};
use crate::snapshot::{Handle, Settings, Snapshot};

/// Resolved names kept by a worker for each operation; beyond, all are forgotten and found again.
const RESOLVED_MAX: usize = 4_096;

/// A request that has been read.
pub struct Call<'a> {
    /// The format the client speaks.
    pub dialect: DialectId,
    /// The model, where the path names it.
    pub model: Option<&'a str>,
    /// Whether a stream is asked for, where the path says so.
    pub stream: Option<bool>,
    /// Whether a stream is wanted as a list in JSON: Gemini's without `alt=sse`.
    pub json_array: bool,
    /// Whether the client speaks OpenRouter's API: it may write what OpenRouter alone understands.
    pub openrouter: bool,
    /// The key that the client presented, if it is not one of ours.
    pub foreign_key: Option<&'a str>,
    /// The provider that the path names.
    pub provider: Option<&'a str>,
    /// The key of the caller's own account at that provider.
    pub own_key: Option<&'a str>,
    /// Whether only a provider may answer that understands every parameter.
    pub needs_parameters: bool,
    /// Which step of a list of steps this is.
    pub step: Option<usize>,
    /// The path that was asked.
    pub path: &'a str,
    /// The client's headers.
    pub headers: &'a HeaderMap,
    /// The body.
    pub body: Bytes,
    /// What of the budget of held bytes the body takes.
    pub held: Taken,
}

/// What a worker's engine works with. It outlives every snapshot.
pub struct Ports {
    /// The configuration as running.
    pub snapshot: Handle,
    /// Connections to providers.
    pub pools: Rc<Pools>,
    /// Counters.
    pub bank: Rc<Bank>,
    /// Where finished requests go, if anybody wants them.
    pub records: Option<Sender<RequestRecord>>,
    /// The time.
    pub clock: Clock,
    /// Bytes of bodies held by the process.
    pub held_bytes: Arc<Budget>,
    /// Requests in flight in the process.
    pub in_flight: Arc<Budget>,
    /// Conversations that clients continue by the id of an answer.
    pub conversations: Arc<Conversations>,
    /// Where files, batches and jobs are kept, and whose they are.
    pub homes: Arc<Homes>,
    /// From when on time is counted for how providers stand. The same for every worker.
    pub epoch: Instant,
    /// Where requests go and who we are there, for providers that callers bring keys for.
    pub places: Places,
}

impl Ports {
    /// The time, as providers' standings count it.
    pub fn elapsed(&self) -> Duration {
        self.epoch.elapsed()
    }

    /// The same, but for where the bytes are counted that are held.
    pub(crate) fn holding_in(&self, held_bytes: &Arc<Budget>) -> Self {
        Self {
            snapshot: self.snapshot.clone(),
            pools: Rc::clone(&self.pools),
            bank: Rc::clone(&self.bank),
            records: self.records.clone(),
            clock: self.clock,
            held_bytes: Arc::clone(held_bytes),
            in_flight: Arc::clone(&self.in_flight),
            conversations: Arc::clone(&self.conversations),
            homes: Arc::clone(&self.homes),
            epoch: self.epoch,
            places: self.places.clone(),
        }
    }

    /// Hands a finished request over. It never waits: where the mailbox is full, the record is counted as lost.
    pub(crate) fn remember(&self, record: impl FnOnce() -> RequestRecord) {
        if let Some(records) = &self.records
            && records.push(record()).is_err()
        {
            self.bank.record_dropped();
        }
    }
}

/// A target, and all that a request needs of it, prepared.
pub struct Resolved {
    /// Which provider and model.
    pub choice: Choice,
    /// What is particular to the target.
    pub target_settings: Arc<TargetSettings>,
    /// `X-Model-Used`.
    pub model_header: HeaderValue,
    /// The model's name as JSON, to be written over the client's; `None` where it is the same.
    pub model_json: Option<Bytes>,
    /// Whether the model gives its answers in pieces only.
    pub only_streams: bool,
    /// Whether the model cannot be told not to think.
    pub always_thinks: bool,
    /// The counters of this operation, provider and model.
    pub series: Rc<Series>,
    /// What is peculiar to the model there.
    pub settings: Settings,
    /// What the target writes over the members of requests, if anything.
    pub overrides: Option<Parameters>,
    /// What the model costs there; a price without rates if that is not known.
    pub price: Arc<Price>,
    /// What is known of the model, once somebody chooses by that.
    pub abilities: OnceCell<Abilities>,
}

impl Resolved {
    /// How it is tried again.
    pub(crate) fn retry(&self) -> &Retry {
        self.target_settings.retry.as_ref().unwrap_or(&self.choice.provider.retry)
    }

    /// Whether it takes calls: its provider, and itself where it has a breaker of its own.
    pub(crate) fn standing(&self, now: Duration) -> Standing {
        let provider = &self.choice.provider;
        let standing = provider.standing.admits(&provider.standing_rules, now);
        match &self.target_settings.breaker {
            Some(own) if standing == Standing::In => own.standing.admits(&own.rules, now),
            Some(_) | None => standing,
        }
    }
}

/// A worker's engine.
pub struct Engine {
    ports: Rc<Ports>,
    /// Where this worker's turns begin.
    begin: u64,
    resolved: RefCell<Known>,
    guests: Guests,
    /// What shadows work with; made when there is the first.
    pub(crate) shadow_ports: OnceCell<Rc<Ports>>,
}

/// What has been resolved under one snapshot.
#[derive(Default)]
struct Known {
    generation: u64,
    /// For each environment's snapshot, by its slot.
    by_slot: Vec<[HashMap<Box<str>, Rc<Way>>; Operation::ALL.len()]>,
}

impl Known {
    /// What is known of an operation under a snapshot.
    fn of(&mut self, snapshot: &Snapshot, operation: Operation) -> &mut HashMap<Box<str>, Rc<Way>> {
        if self.generation != snapshot.generation {
            *self = Self { generation: snapshot.generation, ..Self::default() };
        }
        if self.by_slot.len() <= snapshot.slot {
            self.by_slot.resize_with(snapshot.slot + 1, Default::default);
        }
        &mut self.by_slot[snapshot.slot][operation as usize]
    }
}

impl Engine {
    /// An engine that works with these. Where targets take turns, it begins with this one.
    pub fn new(ports: Rc<Ports>, begin: u64) -> Self {
        Self { ports, begin, resolved: RefCell::default(), guests: Guests::default(), shadow_ports: OnceCell::new() }
    }

    /// What it works with.
    pub fn ports(&self) -> &Rc<Ports> {
        &self.ports
    }

    /// Where this worker's turns begin.
    pub(crate) fn begin(&self) -> u64 {
        self.begin
    }

    /// What was made of the routing that requests brought.
    pub(crate) fn guests(&self) -> &Guests {
        &self.guests
    }

    /// Answers a request of a caller that is known.
    ///
    /// # Errors
    /// What the client is told instead.
    pub async fn run(&self, snapshot: &Snapshot, call: &Call<'_>, meter: &mut Meter) -> Result<Reply, Error> {
        let head = head(call)?;
        meter.asked(head.model.as_deref(), head.stream);

        let heard = Heard::of(call.headers);
        if heard.has_own {
            custom_cost::priced_by_caller(call.headers, snapshot, meter)?;
        }
        let is_spoken = control::is_spoken(&heard, call, &head, &snapshot.presets);
        if !snapshot.rules.is_empty() {
            let key_name = meter.key_name().map(|name| &**name);
            let judge = |asked: &[Judged<'_>]| snapshot.rules.judge(asked, &self.ports.bank);
            self.ask_rules(snapshot, (call, &head), key_name, is_spoken, judge)?;
        }
        if let Some(prefer) = &head.prefer_provider
            && snapshot.models.meant(prefer).providers.is_empty()
        {
            meter.warn_of_request("prefer_provider: no provider of this name or type is configured here; ignored");
        }
        if is_spoken {
            // Rarer, and larger: it does not weigh on the future of other requests.
            return Box::pin(self.run_controlled(snapshot, call, head, heard.client, meter)).await;
        }
        let way = self.resolve(snapshot, call, head.model.as_deref(), head.prefer_provider.as_deref())?;
        let times = Times::of(meter.started(), snapshot.request_timeout, None, heard.client);
        meter.limited(&times);
        let walk = Walk { ports: &self.ports, snapshot, call, head: &head, times };
        if !snapshot.shadows.is_empty() {
            self.shadow(&walk, &way, meter);
        }
        if !snapshot.canaries.is_empty()
            && let asker = Asker::of(meter)
            && let Some((_, target)) = self.canary(snapshot, (call, &head), &way, &asker)
            && let Some(reply) = Box::pin(self.try_canary(&walk, &target, meter)).await
        {
            return Ok(reply);
        }
        self.go(&walk, &way, meter).await
    }

    /// Goes where a model's name leads.
    pub(crate) async fn go(&self, walk: &Walk<'_>, way: &Way, meter: &mut Meter) -> Result<Reply, Error> {
        if resume::is_wanted(walk, way)? {
            return Box::pin(self.go_resumable(walk, way, meter)).await;
        }
        if let Some(only) = way.only_unplanned() {
            return match walk.first(only, meter).await {
                Err(error) if only.retry().retries > 0 => Box::pin(walk.again(only, error, meter)).await,
                told => told,
            };
        }
        // Rarer, and larger: it does not weigh on the future of a request with one target.
        Box::pin(async { self.go_along(walk, way, meter).await.map(|(reply, _)| reply) }).await
    }

    /// Goes to one of several targets; returns the plan as well.
    pub(crate) async fn go_along(
        &self,
        walk: &Walk<'_>,
        way: &Way,
        meter: &mut Meter,
    ) -> Result<(Reply, Plan<Rc<Resolved>>), Error> {
        way.turn();
        let plan = self.plan(walk.snapshot, way, (walk.call, walk.head), &Asker::of(meter), 0)?;
        if let Some(class) = plan.class() {
            meter.classed(class);
        }
        if let Some((first, standing)) = notice::passed_over(way, &plan) {
            meter.passed_over(first, standing);
        }
        let reply = walk.along(&plan, meter).await?;
        Ok((notice::told(reply, walk.snapshot, walk.call.dialect, meter), plan))
    }

    /// The targets of a request, in their order. `turns_ahead` is 1 for one that has not come, but might.
    pub(crate) fn plan(
        &self,
        snapshot: &Snapshot,
        way: &Way,
        (call, head): (&Call<'_>, &Head),
        asker: &Asker<'_>,
        turns_ahead: u64,
    ) -> Result<Plan<Rc<Resolved>>, Error> {
        let facts = RequestFacts::of(call, head)?.saying(way.said()).asked(self.asked(snapshot, asker.key_name));
        let has_foreign_key = call.foreign_key.is_some();
        let (now, wall, limits) = (self.ports.elapsed(), self.ports.clock.now(), &snapshot.limits);
        let (pricing, need) = (&snapshot.pricing, OnceCell::new());
        let seen = Seen { way, facts: &facts, now, limits, wall, has_foreign_key, turns_ahead, pricing, need };
        let mut dice = Dice::of(asker.request_id.as_str().as_bytes());
        let planned = way.node().plan(&seen, &mut dice);
        facts.refuse_unreadable()?;
        let plan = planned.map_err(|NoMatch| {
            // Only rules could have led it somewhere, and none holds.
            let unserved = head.model.as_deref().and_then(|name| snapshot.models.unruled(name, Some(name), None).err());
            let message = "no condition of the route holds for this request, and it has no default";
            unserved.unwrap_or_else(|| Error::new(ErrorCode::InvalidRequest, message))
        })?;
        match &way.said().unserved {
            Some(why) if plan.steps.is_empty() && plan.left_out.is_empty() => return Err(control::nobody_can(why)),
            Some(_) | None => {}
        }
        need::refuse_other_operations(&plan, call.dialect.operation())?;
        Ok(plan)
    }

    /// Who asks, where and when, for conditions.
    pub(crate) fn asked<'a>(&self, snapshot: &'a Snapshot, key_name: Option<&'a str>) -> Asked<'a> {
        Asked { key_name, environment: snapshot.environment.as_deref(), clock: self.ports.clock }
    }

    /// What a model's name stands for.
    pub(crate) fn resolve(
        &self,
        snapshot: &Snapshot,
        call: &Call<'_>,
        requested: Option<&str>,
        prefer: Option<&str>,
    ) -> Result<Rc<Way>, Error> {
        let operation = call.dialect.operation();
        let (Some(name), None) = (requested, prefer) else {
            return self.prepare(snapshot, operation, requested, prefer);
        };
        let mut known = self.resolved.borrow_mut();
        let by_name = known.of(snapshot, operation);
        if let Some(resolved) = by_name.get(name) {
            return Ok(Rc::clone(resolved));
        }
        let resolved = self.prepare(snapshot, operation, requested, prefer)?;
        if by_name.len() >= RESOLVED_MAX {
            by_name.clear();
        }
        by_name.insert(Box::from(name), Rc::clone(&resolved));
        Ok(resolved)
    }

    fn prepare(
        &self,
        snapshot: &Snapshot,
        operation: Operation,
        requested: Option<&str>,
        prefer: Option<&str>,
    ) -> Result<Rc<Way>, Error> {
        let tree = match operation {
            // Anything but words is of no use from another model.
            Operation::Chat | Operation::Completion => snapshot.models.resolve_with_stand_ins(requested, prefer)?,
            _ => snapshot.models.resolve(requested, prefer)?,
        };
        Ok(self.way(snapshot, operation, requested, &tree))
    }

    /// A tree, prepared.
    pub(crate) fn way(
        &self,
        snapshot: &Snapshot,
        operation: Operation,
        requested: Option<&str>,
        tree: &Node<Target>,
    ) -> Rc<Way> {
        let mut prepared = |target: &Target| Rc::new(self.prepared(snapshot, target, operation, requested));
        Rc::new(Way::new(tree.map(&mut prepared), self.begin))
    }

    /// The first choice alone, for what is asked once.
    pub(crate) fn prepare_first(
        &self,
        snapshot: &Snapshot,
        operation: Operation,
        requested: Option<&str>,
        prefer: Option<&str>,
    ) -> Result<Rc<Resolved>, Error> {
        let tree = snapshot.models.resolve_unruled(requested, prefer)?;
        need::refuse_carried(&tree)?;
        if tree.has_conditions() {
            let message = "the route of this model has conditions, which are not looked at for requests of this kind; \
                           name the provider and the model (provider/model)";
            return Err(Error::new(ErrorCode::InvalidRequest, message).with_param("model"));
        }
        if tree.has_limits() {
            let message = "the route of this model has a limit, which does not count requests of this kind; \
                           name the provider and the model (provider/model)";
            return Err(Error::new(ErrorCode::InvalidRequest, message).with_param("model"));
        }
        let targets = tree.targets();
        let first = targets.first().ok_or_else(|| Error::new(ErrorCode::ModelNotFound, "the route has no target"))?;
        Ok(Rc::new(self.prepared(snapshot, first, operation, requested)))
    }

    pub(crate) fn prepared(
        &self,
        snapshot: &Snapshot,
        target: &Target,
        operation: Operation,
        requested: Option<&str>,
    ) -> Resolved {
        let choice = &target.choice;
        let model_header =
            HeaderValue::from_bytes(choice.model.as_bytes()).unwrap_or_else(|_| HeaderValue::from_static("?"));
        let model_json =
            if requested == Some(&*choice.model) { None } else { Some(gw_dialects::edit::json_string(&choice.model)) };
        let key =
            SeriesKey { operation, provider: Arc::clone(&choice.provider.name), model: Arc::clone(&choice.model) };
        let series = self.ports.bank.series(key);
        let only_streams = choice.provider.only_streams(&choice.model);
        let settings = choice.provider.settings.of(&choice.model).clone();
        let price = snapshot.pricing.price(&choice.provider, &choice.model);
        let facts = snapshot.pricing.facts(&choice.provider, &choice.model);
        let always_thinks = facts.is_some_and(|facts| facts.model.can.has(Capability::AlwaysThinks));
        let overrides = target.settings.overrides();
        let (choice, target_settings) = (choice.clone(), Arc::clone(&target.settings));
        let abilities = OnceCell::new();
        Resolved {
            choice,
            target_settings,
            model_header,
            model_json,
            only_streams,
            always_thinks,
            series,
            settings,
            overrides,
            price,
            abilities,
        }
    }
}

/// What a request says of itself, in its body and its path.
pub(crate) fn head(call: &Call<'_>) -> Result<Head, Error> {
    let mut head = request::scan(call.dialect, &call.body)?;
    if let Some(model) = call.model {
        head.model = Some(request::model_in_path(model)?);
    }
    if head.model.is_none() {
        let listed = call.openrouter.then(|| openrouter::first_of_models(&head, &call.body)).flatten();
        head.model = listed.or_else(|| call.dialect.default_model().map(Box::from));
    }
    head.stream = call.stream.unwrap_or(head.stream);
    Ok(head)
}
