//! A stream that breaks off after a part of it was forwarded, and who goes on with it (`routing.resume`): the targets that
//! the plan has left, as far as their models are known to go on with a text, else the same target again.
//!
//! Everything here is for requests that want it: all others do not come by.

use std::rc::Rc;
use std::sync::Arc;

use bytes::Bytes;
use gw_config::config::Resume;
use gw_config::secret::Secret;
use gw_core::{Error, ErrorCode, Operation};
use gw_dialects::DialectId;
use gw_dialects::chat;
use gw_dialects::head::Head;
use gw_policy::failure::Failure;
use gw_policy::plan::{Plan, Standing};
use http::HeaderMap;
use tokio::time::Instant;

use super::walk::{Chances, Walk, told};
use crate::budget::Taken;
use crate::engine::{Call, Engine, Ports, Resolved};
use crate::meter::Meter;
use crate::prefill;
use crate::reply::{Content, Reply, Resumable, Translated};
use crate::routing::Way;
use crate::routing::times::Times;
use crate::snapshot::Snapshot;

/// Where a request says whether its answer may be continued.
const HEADER: &str = "x-gateway-resume";

/// Whether a request's stream is to be continued if it breaks off, and anybody could.
///
/// # Errors
/// `invalid_request`, if it says something else.
pub(crate) fn is_wanted(walk: &Walk<'_>, way: &Way) -> Result<bool, Error> {
    let Walk { snapshot, call, head, .. } = walk;
    let by_itself = match snapshot.resume {
        Resume::Off => return Ok(false),
        Resume::OnRequest => false,
        Resume::ContinuePrefix => true,
    };
    let wanted = match call.headers.get(HEADER).map(http::HeaderValue::as_bytes) {
        None => by_itself,
        Some(b"off") => false,
        Some(b"continue_prefix" | b"continue-prefix") => true,
        Some(_) => {
            let message = format!("the header {HEADER} must be `continue_prefix` or `off`");
            return Err(Error::new(ErrorCode::InvalidRequest, message));
        }
    };
    let is_chat = call.dialect.operation() == Operation::Chat && chat::ingress(call.dialect).is_some();
    let could = |target: &&Rc<Resolved>| prefill::spoken(snapshot, target, call.dialect).is_some();
    let somebody = || match way.only() {
        Some(only) => only.retry().retries > 0 && could(&only),
        None => way.node().targets().iter().any(could),
    };
    Ok(wanted && head.stream && is_chat && somebody())
}

impl Engine {
    /// Goes where a model's name leads, and keeps what is needed to go on elsewhere.
    pub(crate) async fn go_resumable(&self, walk: &Walk<'_>, way: &Way, meter: &mut Meter) -> Result<Reply, Error> {
        meter.allow_resuming();
        let (reply, plan) = match way.only_unplanned() {
            Some(only) => match walk.first(only, meter).await {
                Err(error) => (walk.again(only, error, meter).await?, None),
                Ok(reply) => (reply, None),
            },
            None => {
                let (reply, plan) = self.go_along(walk, way, meter).await?;
                (reply, Some(plan))
            }
        };
        let Content::Translated(mut stream) = reply.content else { return Ok(reply) };
        let standby = stream.begun().and_then(|_| Standby::of(walk, plan, meter));
        let content = match standby {
            Some(standby) => Content::Resumable(Box::new(Resumable::new(stream, standby))),
            None => {
                stream.not_resumable(meter);
                Content::Translated(stream)
            }
        };
        Ok(Reply { content, ..reply })
    }
}

/// Everything that is needed to ask somebody else for the rest of an answer, when the request is long gone.
pub(crate) struct Standby {
    ports: Rc<Ports>,
    snapshot: Arc<Snapshot>,
    asked: AskedFor,
    times: Times,
    /// The targets, where there were several, and where the walk along them stands.
    plan: Option<Plan<Rc<Resolved>>>,
    at: usize,
    /// Who answers.
    target: Rc<Resolved>,
    /// Whether it has been asked once more since it broke off.
    is_again: bool,
}

/// A request, owned.
struct AskedFor {
    dialect: DialectId,
    model: Option<Box<str>>,
    stream: Option<bool>,
    json_array: bool,
    openrouter: bool,
    foreign_key: Option<Secret>,
    needs_parameters: bool,
    path: Box<str>,
    headers: HeaderMap,
    body: Bytes,
    head: Head,
    _held: Taken,
}

/// What has come of asking for the rest of an answer.
pub(crate) struct Rest {
    /// Who may be asked if that breaks off, too.
    pub(crate) standby: Box<Standby>,
    /// The request's meter.
    pub(crate) meter: Box<Meter>,
    /// The rest, if somebody gives it, and whether it begins with what it was given.
    pub(crate) stream: Option<(Box<Translated>, bool)>,
}

impl Standby {
    /// `None` if there is no room to keep the request, or the configuration has just been replaced.
    fn of(walk: &Walk<'_>, plan: Option<Plan<Rc<Resolved>>>, meter: &Meter) -> Option<Box<Self>> {
        let Walk { ports, call, head, times, .. } = *walk;
        let snapshot = ports.snapshot.load().at(walk.snapshot.slot)?;
        let target = Rc::clone(meter.target()?);
        let mut held = ports.held_bytes.nothing();
        if snapshot.generation != walk.snapshot.generation || held.hold(0, call.body.len()).is_err() {
            return None;
        }
        let steps = plan.iter().flat_map(|plan| &plan.steps);
        let at = steps.clone().position(|step| Rc::ptr_eq(&step.target, &target)).unwrap_or_default();
        let asked = AskedFor {
            dialect: call.dialect,
            model: call.model.map(Box::from),
            stream: call.stream,
            json_array: call.json_array,
            openrouter: call.openrouter,
            foreign_key: call.foreign_key.map(|key| Secret::new(key.to_owned())),
            needs_parameters: call.needs_parameters,
            path: Box::from(call.path),
            headers: call.headers.clone(),
            body: call.body.clone(),
            head: head.clone(),
            _held: held,
        };
        let ports = Rc::clone(ports);
        Some(Box::new(Self { ports, snapshot, asked, times: times.going_on(), plan, at, target, is_again: false }))
    }

    /// In which dialect the client reads.
    pub(crate) fn dialect(&self) -> DialectId {
        self.asked.dialect
    }

    /// Who is to go on after a failure; `None` if the client is told.
    pub(crate) fn next(&mut self, error: &Error) -> Option<Rc<Resolved>> {
        if Instant::now() >= self.times.end {
            return None;
        }
        let (failure, from) = (failure(error), self.at);
        while let Some(next) = self.plan.as_ref().and_then(|plan| plan.after(self.at, &failure)) {
            self.at = next;
            let step = self.plan.as_ref().and_then(|plan| plan.steps.get(next));
            // A limit that was not passed is not passed now: the request has its way.
            let step = step.filter(|_| self.plan.as_ref().is_some_and(|plan| plan.has_no_more_limits(next, from)));
            if let Some(target) = step.map(|step| &step.target).filter(|target| self.can_go_on(target)) {
                return Some(Rc::clone(target));
            }
        }
        let retry = self.target.retry();
        let is_worth_it = retry.retries > 0 && retry.on.contains(&failure);
        if !is_worth_it || !self.can_go_on(&self.target) || std::mem::replace(&mut self.is_again, true) {
            return None;
        }
        Some(Rc::clone(&self.target))
    }

    /// Whether a target takes calls, and its model is known to go on with a text.
    fn can_go_on(&self, target: &Resolved) -> bool {
        let provider = &target.choice.provider;
        provider.standing.admits(&provider.standing_rules, self.ports.elapsed()) == Standing::In
            && prefill::spoken(&self.snapshot, target, self.asked.dialect).is_some()
    }

    /// The answer has broken off, and somebody will be asked to go on with this text.
    pub(crate) fn broke_off(&self, error: &Error, text: &str, meter: &mut Meter) {
        meter.broke_off(told(&self.target, error, meter.attempt_began()), text);
    }

    /// Asks for the rest of an answer that broke off, until somebody begins to give it.
    pub(crate) async fn go_on(mut self: Box<Self>, mut next: Rc<Resolved>, mut meter: Box<Meter>) -> Rest {
        let stream = loop {
            if !Rc::ptr_eq(&next, &self.target) {
                meter.fell_back();
            }
            let began = Instant::now();
            if let Some(step) = self.plan.as_ref().and_then(|plan| plan.steps.get(self.at)) {
                // Whoever goes on counts for no limit that was not passed.
                let _ = meter.pass(&step.limits, &self.snapshot.limits);
            }
            let error = match self.attempt(&next, &mut meter).await {
                Ok(stream) => break Some(stream),
                Err(error) => error,
            };
            meter.tried(told(&next, &error, began));
            match self.next(&error) {
                Some(target) => next = target,
                None => break None,
            }
        };
        let repeats = |target: &Resolved| {
            let spoken = prefill::spoken(&self.snapshot, target, self.asked.dialect);
            spoken.and_then(|(_, entry)| entry.prefill.as_ref()).is_some_and(|prefill| prefill.repeats)
        };
        let stream = stream.map(|stream| (stream, repeats(&next)));
        if stream.is_some() {
            meter.resumed();
            (self.target, self.is_again) = (next, false);
        }
        Rest { standby: self, meter, stream }
    }

    async fn attempt(&self, target: &Rc<Resolved>, meter: &mut Meter) -> Result<Box<Translated>, Error> {
        let asked = &self.asked;
        let call = Call {
            dialect: asked.dialect,
            model: asked.model.as_deref(),
            stream: asked.stream,
            json_array: asked.json_array,
            openrouter: asked.openrouter,
            foreign_key: asked.foreign_key.as_ref().map(Secret::expose),
            provider: None,
            own_key: None,
            needs_parameters: asked.needs_parameters,
            step: None,
            path: &asked.path,
            headers: &asked.headers,
            body: asked.body.clone(),
            held: self.ports.held_bytes.nothing(),
        };
        let (ports, head, times) = (&self.ports, &asked.head, self.times);
        let walk = Walk { ports, snapshot: &self.snapshot, call: &call, head, times };
        match walk.attempt(target, Chances::default(), meter).await?.content {
            Content::Translated(stream) => Ok(stream),
            _ => {
                Err(Error::new(ErrorCode::ProviderInvalidResponse, "the provider was asked for a stream and sent none"))
            }
        }
    }
}

/// What the end of a stream that had begun is to the rules for what follows a failure.
fn failure(error: &Error) -> Failure {
    let code = match error.code {
        ErrorCode::ProviderStreamInterrupted => ErrorCode::ProviderDisconnected,
        // The attempt's own time: the request's is not over.
        ErrorCode::DeadlineExceeded => ErrorCode::ProviderTimeout,
        code => code,
    };
    Failure::from(&Error::new(code, ""))
}
