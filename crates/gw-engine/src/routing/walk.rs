//! The walk along a plan: an attempt, and after a failure the same again, the next, or the client is told.

use std::rc::Rc;
use std::time::Duration;

use gw_core::{Error, ErrorCode, Try};
use gw_dialects::request::{self, Head};
use gw_policy::dice::Dice;
use gw_policy::failure::Failure;
use gw_policy::plan::Plan;
use tokio::time::{Instant, sleep};

use crate::cost;
use crate::dispatch::{self, Attempt};
use crate::engine::{Call, Ports, Resolved};
use crate::meter::Meter;
use crate::openrouter;
use crate::reply::Reply;
use crate::snapshot::Snapshot;

/// Everything that an attempt of this request needs besides its target.
pub(crate) struct Walk<'a> {
    pub(crate) ports: &'a Rc<Ports>,
    pub(crate) snapshot: &'a Snapshot,
    pub(crate) call: &'a Call<'a>,
    pub(crate) head: &'a Head,
    /// When the client's patience ends.
    pub(crate) deadline: Instant,
}

impl Walk<'_> {
    /// One attempt at a target; what it shows of the provider is remembered.
    pub(crate) async fn attempt(&self, target: &Rc<Resolved>, meter: &mut Meter) -> Result<Reply, Error> {
        let provider = &target.choice.provider;
        meter.resolve(target);
        let credential = dispatch::credential(&target.choice, self.call.foreign_key)?;
        meter.tell_cost(self.call.openrouter || request::asks_for_cost(self.head, &self.call.body));
        if credential.is_callers() {
            meter.use_callers_key();
        }
        let deadline = self.deadline.min(Instant::now() + provider.total_timeout);
        let attempt = Attempt { ports: self.ports, snapshot: self.snapshot, resolved: target, credential, deadline };
        let call = provider.standing.attend(&provider.standing_rules, self.ports.elapsed());
        let others = match self.call.openrouter {
            true => openrouter::for_others(self.ports, self.call, self.head, target, meter)?,
            false => None,
        };
        let (sent, head) = others.as_deref().map_or((self.call, self.head), |(call, head)| (call, head));
        let result = attempt.run(sent, head, meter).await;
        let now = self.ports.elapsed();
        match &result {
            Ok(_) => meter.attended(call.answered(now)),
            Err(error) => match Failure::from(error) {
                // The client's mistake, or its own key, says nothing about the provider.
                Failure { class: None, .. } => {}
                failure => call.failed(failure.retry_after, now),
            },
        }
        result.map(|reply| cost::told_in(reply, meter))
    }

    /// Goes on after a first failure at the only target there is.
    pub(crate) async fn again(
        &self,
        target: &Rc<Resolved>,
        mut error: Error,
        meter: &mut Meter,
    ) -> Result<Reply, Error> {
        let mut dice = self.dice(meter);
        for retry in 1.. {
            let Some(pause) = self.pause(target, retry, &error, &mut dice) else { break };
            meter.tried(self.told(target, &error, meter));
            sleep(pause).await;
            match self.attempt(target, meter).await {
                Ok(reply) => return Ok(reply),
                Err(next) => error = next,
            }
        }
        meter.tried(self.told(target, &error, meter));
        Err(error)
    }

    /// Walks a plan to its first answer.
    ///
    /// # Errors
    /// That of the last attempt.
    pub(crate) async fn along(&self, plan: &Plan<Rc<Resolved>>, meter: &mut Meter) -> Result<Reply, Error> {
        let mut dice = self.dice(meter);
        if !plan.wait.is_zero() {
            self.wait_for_place(plan.wait).await?;
        }
        let (mut at, mut retry) = (0, 0);
        loop {
            let Some(step) = plan.steps.get(at) else { return Err(nobody(plan)) };
            let error = match self.attempt(&step.target, meter).await {
                Ok(reply) => return Ok(reply),
                Err(error) => error,
            };
            meter.tried(self.told(&step.target, &error, meter));
            retry += 1;
            if let Some(pause) = self.pause(&step.target, retry, &error, &mut dice) {
                sleep(pause).await;
                continue;
            }
            match plan.after(at, &Failure::from(&error)) {
                Some(next) if Instant::now() < self.deadline => {
                    (at, retry) = (next, 0);
                    meter.fell_back();
                }
                Some(_) | None => return Err(error),
            }
        }
    }

    fn pause(&self, target: &Rc<Resolved>, retry: u32, error: &Error, dice: &mut Dice) -> Option<Duration> {
        let left = self.deadline.saturating_duration_since(Instant::now());
        let pause = target.retry().pause(retry, &Failure::from(error), left, dice)?;
        // A breaker that has opened meanwhile is not knocked at.
        let provider = &target.choice.provider;
        let standing = provider.standing.admits(&provider.standing_rules, self.ports.elapsed());
        matches!(standing, gw_policy::plan::Standing::In).then_some(pause)
    }

    async fn wait_for_place(&self, wait: Duration) -> Result<(), Error> {
        if wait > self.snapshot.queue_max_wait || Instant::now() + wait >= self.deadline {
            let message = "every provider that serves this has as many requests as it may have in a minute";
            return Err(Error::new(ErrorCode::Overloaded, message).with_retry_after(wait));
        }
        sleep(wait).await;
        Ok(())
    }

    fn told(&self, target: &Rc<Resolved>, error: &Error, meter: &Meter) -> Try {
        let choice = &target.choice;
        Try {
            provider: choice.provider.name.clone(),
            model: choice.model.clone(),
            error: error.code,
            status: error.upstream.as_ref().map(|upstream| upstream.status.as_u16()),
            duration_us: meter.attempt_us(),
        }
    }

    /// What is left to chance is decided by the request's id, so that it can be told again.
    fn dice(&self, meter: &Meter) -> Dice {
        Dice::of(meter.request_id().as_str().as_bytes())
    }
}

/// Nobody takes the request.
fn nobody(plan: &Plan<Rc<Resolved>>) -> Error {
    match plan.left_out.first() {
        Some(first) => crate::models::missing_credential(&first.target.choice.provider),
        None => Error::new(ErrorCode::ModelNotFound, "the route has no target"),
    }
}
