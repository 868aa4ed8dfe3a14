//! The walk along a plan: an attempt, and after a failure the same again, the next, or the client is told.

use std::rc::Rc;
use std::time::Duration;

use gw_config::config::Slow;
use gw_core::{Error, ErrorCode, Try};
use gw_dialects::request::{self, Head};
use gw_policy::auto::Lack;
use gw_policy::dice::Dice;
use gw_policy::failure::Failure;
use gw_policy::plan::{Plan, Standing};
use gw_providers::attempt::AttemptTimeouts;
use tokio::time::{Instant, sleep};

use crate::cost;
use crate::dispatch::{self, Attempt};
use crate::engine::{Call, Ports, Resolved};
use crate::meter::Meter;
use crate::openrouter;
use crate::reply::{Patience, Reply};
use crate::routing::times::{self, Times};
use crate::routing::{limits, queue};
use crate::snapshot::Snapshot;

/// An attempt that others may follow gets no less of the request's time than this, or half of what is left if that is less.
const SHARE_MIN: Duration = Duration::from_secs(10);

/// Everything that an attempt of this request needs besides its target.
pub(crate) struct Walk<'a> {
    pub(crate) ports: &'a Rc<Ports>,
    pub(crate) snapshot: &'a Snapshot,
    pub(crate) call: &'a Call<'a>,
    pub(crate) head: &'a Head,
    pub(crate) times: Times,
}

/// What may follow an attempt.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Chances {
    /// Whether anything may be tried after it: what it streams is held until its first content.
    pub(super) another: bool,
    /// Whether another target may be tried: then its time is bounded.
    pub(super) next: bool,
    /// Within which the answer has to begin, besides what its provider says.
    pub(super) slow: Option<Duration>,
    /// When the whole answer has to be there, for the others' sake.
    pub(super) share: Option<Instant>,
}

impl Chances {
    /// Whether a failure is that of an attempt which was given up for the next one's sake.
    fn gave_up(&self, began: Instant, error: &Error) -> bool {
        let slow = self.slow.is_some_and(|after| began.elapsed() >= after);
        error.code == ErrorCode::ProviderTimeout && (slow || self.share.is_some_and(|share| Instant::now() >= share))
    }
}

impl Walk<'_> {
    /// The first attempt at the only target there is.
    pub(crate) async fn first(&self, target: &Rc<Resolved>, meter: &mut Meter) -> Result<Reply, Error> {
        self.attempt(target, Chances { another: target.retry().retries > 0, ..Chances::default() }, meter).await
    }

    /// One attempt at a target; what it shows of the provider is remembered.
    pub(super) async fn attempt(
        &self,
        target: &Rc<Resolved>,
        chances: Chances,
        meter: &mut Meter,
    ) -> Result<Reply, Error> {
        let provider = &target.choice.provider;
        meter.begin_attempt(target);
        let credential = dispatch::credential(&target.choice, self.call.foreign_key)?;
        meter.tell_cost(self.call.openrouter || request::asks_for_cost(self.head, &self.call.body));
        if credential.is_callers() || provider.is_callers() {
            meter.use_callers_key();
        }
        let began = Instant::now();
        let whole = self.times.end.min(began + provider.total_timeout);
        let deadline = chances.share.map_or(whole, |share| share.min(whole));
        let usual = times::first_byte(target, (self.call, self.head), &self.times, chances.next);
        let first_byte = chances.slow.map_or(usual, |slow| slow.min(usual));
        let timeouts = AttemptTimeouts { first_byte, ..provider.timeouts };
        let attempt =
            Attempt { ports: self.ports, snapshot: self.snapshot, resolved: target, credential, timeouts, deadline };
        let late = (began + first_byte).min(deadline);
        let late = chances.next.then_some((late, late.saturating_duration_since(began)));
        // A measured answer begins with its first content, whatever may follow.
        let holds = chances.another || provider.standing_rules.tracking.is_some();
        // What goes on with an answer has nothing to hold back for: its client reads already.
        let holds = holds && !meter.goes_on();
        let patience = holds.then_some(Patience { late, heard_until: self.times.heard_until, deadline: whole });
        let others = match self.call.openrouter {
            true => openrouter::for_others(self.ports, self.call, self.head, target, meter)?,
            false => None,
        };
        let sent = others.as_deref().map_or((self.call, self.head), |(call, head)| (call, head));
        let call = provider
            .standing
            .attend(&provider.standing_rules, self.ports.elapsed())
            .map_err(|wait| queue::full(provider, wait))?;
        let own_breaker = target.target_settings.breaker.as_deref().map(|own| own.attend(self.ports.elapsed()));
        let result = begun(&attempt, sent, patience, meter).await;
        let result = result.map_err(|error| self.in_its_time(error, chances));
        let now = self.ports.elapsed();
        if result.as_ref().is_err_and(|error| self.was_hurried(error, began, first_byte)) {
            return result;
        }
        if let Some(own) = own_breaker {
            own.ended(result.as_ref().err(), now);
        }
        match &result {
            Ok(_) => meter.attended(call.answered(now)),
            Err(error) => call.ended(&Failure::from(error), now),
        }
        result.map(|reply| cost::told_in(reply, meter))
    }

    /// An attempt whose own time is over, while the request's is not, is a target that did not answer in time.
    fn in_its_time(&self, mut error: Error, chances: Chances) -> Error {
        if chances.next && error.code == ErrorCode::DeadlineExceeded && Instant::now() < self.times.end {
            error.code = ErrorCode::ProviderTimeout;
        }
        error
    }

    /// Whether an attempt was given up because its client waits for so short a time: that says nothing of the provider,
    /// and one impatient client must not have it left out for all others.
    fn was_hurried(&self, error: &Error, began: Instant, first_byte: Duration) -> bool {
        self.times.is_clients()
            && error.code == ErrorCode::ProviderTimeout
            && began.elapsed() < first_byte.min(SHARE_MIN)
    }

    /// Goes on after a first failure at the only target there is.
    pub(crate) async fn again(
        &self,
        target: &Rc<Resolved>,
        mut error: Error,
        meter: &mut Meter,
    ) -> Result<Reply, Error> {
        let mut dice = self.dice(meter);
        let mut began = meter.attempt_began();
        for retry in 1.. {
            let Some(pause) = self.pause(target, retry, &error, &mut dice) else { break };
            meter.tried(told(target, &error, began));
            sleep(pause).await;
            began = Instant::now();
            let chances = Chances { another: retry < target.retry().retries, ..Chances::default() };
            match self.attempt(target, chances, meter).await {
                Ok(reply) => return Ok(reply),
                Err(next) => error = next,
            }
        }
        meter.tried(told(target, &error, began));
        Err(error)
    }

    /// Walks a plan to its first answer.
    ///
    /// # Errors
    /// That of the last attempt.
    pub(crate) async fn along(&self, plan: &Plan<Rc<Resolved>>, meter: &mut Meter) -> Result<Reply, Error> {
        let mut dice = self.dice(meter);
        let at = if plan.wait.is_zero() { 0 } else { self.wait_for_place(plan).await? };
        let mut at = self.come_to(plan, at, meter)?;
        let mut retry = 0;
        let mut hedge = match self.snapshot.slow {
            Some(Slow::Hedge(hedge)) => Some(hedge),
            Some(Slow::Cancel(_)) | None => None,
        };
        loop {
            let Some(step) = plan.steps.get(at) else { return Err(nobody(plan)) };
            let began = Instant::now();
            let chances = self.chances(plan, at, retry);
            let other = beside(plan, at).filter(|next| plan.has_no_more_limits(*next, at));
            let result = match (other, hedge) {
                (Some(next), Some(rule)) => {
                    let hedged = Box::pin(self.hedged(plan, (at, next), (rule, retry == 0), chances, meter)).await;
                    if hedged.stands_at != at {
                        (hedge, at, retry) = (None, hedged.stands_at, 0);
                    }
                    hedged.reply
                }
                _ => self.attempt(&step.target, chances, meter).await,
            };
            let Some(step) = plan.steps.get(at) else { return Err(nobody(plan)) };
            let error = match result {
                Ok(reply) => return Ok(reply),
                Err(error) => error,
            };
            meter.tried(told(&step.target, &error, began));
            retry += 1;
            let failure = Failure::from(&error);
            let is_over = plan.is_last_resort(at)
                || chances.gave_up(began, &error)
                || step.target.retry().yields(&failure, began.elapsed())
                    && self.another_takes_calls(plan, at, &failure);
            if !is_over && let Some(pause) = self.pause(&step.target, retry, &error, &mut dice) {
                sleep(pause).await;
                continue;
            }
            match plan.after(at, &failure) {
                Some(next) if Instant::now() < self.times.heard_until => {
                    let Ok(next) = self.come_to(plan, next, meter) else { return Err(error) };
                    (at, retry) = (next, 0);
                    meter.fell_back();
                }
                Some(_) | None => return Err(error),
            }
        }
    }

    /// Whether a failure leads to a target that takes calls now.
    fn another_takes_calls(&self, plan: &Plan<Rc<Resolved>>, at: usize, failure: &Failure) -> bool {
        let now = self.ports.elapsed();
        let takes_calls = |step: usize| {
            let target = plan.steps.get(step).map(|step| &step.target);
            !plan.is_last_resort(step) && target.is_some_and(|target| target.standing(now) == Standing::In)
        };
        plan.chain(at, failure).skip(1).any(takes_calls)
    }

    /// What may follow an attempt at a step.
    pub(super) fn chances(&self, plan: &Plan<Rc<Resolved>>, at: usize, retry: u32) -> Chances {
        // Nobody who serves is given up for the sake of one who rests.
        let next = plan.has_other(at);
        let retries = plan.steps.get(at).map_or(0, |step| step.target.retry().retries);
        let slow = match self.snapshot.slow {
            Some(Slow::Cancel(after)) => Some(after),
            Some(Slow::Hedge(_)) | None => None,
        };
        Chances {
            another: plan.has_next(at) || retry < retries && !plan.is_last_resort(at),
            next,
            slow: slow.filter(|_| beside(plan, at).is_some()),
            share: (next && self.snapshot.shares_time).then(|| share(self.times.heard_until, plan.usual_from(at))),
        }
    }

    /// What may follow an attempt that comes before a plan: all of the plan.
    pub(super) fn chances_of_trial(&self) -> Chances {
        let share = self.snapshot.shares_time.then(|| share(self.times.heard_until, 2));
        Chances { another: true, next: true, slow: None, share }
    }

    fn pause(&self, target: &Rc<Resolved>, retry: u32, error: &Error, dice: &mut Dice) -> Option<Duration> {
        let left = self.times.heard_until.saturating_duration_since(Instant::now());
        let pause = target.retry().pause(retry, &Failure::from(error), left, dice)?;
        // A breaker that will still be open then is not knocked at, and a place is not waited for longer than others are.
        let now = self.ports.elapsed();
        let is_full = matches!(target.standing(now), Standing::Full(wait) if wait > self.snapshot.queue_max_wait);
        (!is_full && target.standing(now.saturating_add(pause)) == Standing::In).then_some(pause)
    }

    /// Waits until a target of a plan has a place, and says at which step it stands.
    async fn wait_for_place(&self, plan: &Plan<Rc<Resolved>>) -> Result<usize, Error> {
        let until = self.times.heard_until.min(Instant::now() + self.snapshot.queue_max_wait);
        let standing = |target: &Rc<Resolved>| target.standing(self.ports.elapsed());
        queue::place(plan, standing, until).await.map_err(queue::all_full)
    }

    /// What is left to chance is decided by the request's id, so that it can be told again.
    fn dice(&self, meter: &Meter) -> Dice {
        Dice::of(meter.request_id().as_str().as_bytes())
    }
}

/// An attempt until its answer begins, as far as that is waited for.
async fn begun(
    attempt: &Attempt<'_>,
    (call, head): (&Call<'_>, &Head),
    patience: Option<Patience>,
    meter: &mut Meter,
) -> Result<Reply, Error> {
    let mut reply = attempt.run(call, head, meter).await?;
    if let Some(patience) = patience {
        attempt.begin(&mut reply, patience, meter).await?;
    }
    Ok(reply)
}

/// When the first of so many steps has used its part of the time that is left.
fn share(deadline: Instant, steps: usize) -> Instant {
    let now = Instant::now();
    let left = deadline.saturating_duration_since(now);
    let share = left / u32::try_from(steps).unwrap_or(u32::MAX).max(1);
    now + share.max(SHARE_MIN.min(left / 2)).min(left)
}

/// Who is asked in place of a step that is slow, or beside it.
fn beside(plan: &Plan<Rc<Resolved>>, at: usize) -> Option<usize> {
    plan.after(at, &Failure::TIMEOUT).filter(|next| !plan.is_last_resort(*next))
}

/// An attempt that failed, as it is remembered. At which of the request's targets, its meter knows.
pub(crate) fn told(target: &Rc<Resolved>, error: &Error, began: Instant) -> Try {
    let choice = &target.choice;
    Try {
        provider: choice.provider.name.clone(),
        model: choice.model.clone(),
        callers_key: choice.uses_callers_key(),
        target: 0,
        error: Some(error.code),
        status: error.provider_status,
        duration_us: u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX),
    }
}

/// Nobody takes the request.
fn nobody(plan: &Plan<Rc<Resolved>>) -> Error {
    let mut lacks = plan.left_out.iter().filter_map(|left| match left.standing {
        Standing::Unable(lack) => Some(lack),
        _ => None,
    });
    // What models of this kind lack says more than that there are others.
    let of_kind = lacks.clone().find(|lack| !matches!(lack, Lack::Chat | Lack::Completion));
    if let Some(lack) = of_kind.or_else(|| lacks.next()) {
        let message = format!("no model of the route can take this request: {lack}; POST /gateway/plan tells of each");
        let is_too_long = lack == Lack::Context;
        let code = if is_too_long { ErrorCode::ContextLengthExceeded } else { ErrorCode::InvalidRequest };
        return Error::new(code, message);
    }
    if let Some(wait) = plan.limited {
        return limits::reached(wait);
    }
    match plan.left_out.first() {
        Some(first) => crate::models::missing_credential(&first.target.choice.provider),
        None => Error::new(ErrorCode::ModelNotFound, "the route has no target"),
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn an_attempt_leaves_time_for_those_that_may_follow_and_gets_enough_itself() {
        let s = Duration::from_secs;
        let now = Instant::now();
        assert_eq!(share(now + s(60), 3), now + s(20));
        assert_eq!(share(now + s(60), 1), now + s(60));
        assert_eq!(share(now + s(24), 3), now + SHARE_MIN);
        assert_eq!(share(now + s(15), 3), now + s(15) / 2, "the next one gets as much");
        assert_eq!(share(now + s(4), 2), now + s(2));
        assert_eq!(share(now + s(4), 1), now + s(4));
        advance(s(20)).await;
        assert_eq!(share(now + s(60), 2), now + s(40));
        advance(s(60)).await;
        assert_eq!(share(now + s(60), 2), Instant::now(), "there is none left");
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_given_up_for_the_next_is_not_tried_again() {
        let s = Duration::from_secs;
        let began = Instant::now();
        let late = Error::new(ErrorCode::ProviderTimeout, "");
        let failed = Error::new(ErrorCode::ProviderFailed, "");
        let slow = Chances { slow: Some(s(3)), ..Chances::default() };
        let shared = Chances { share: Some(began + s(3)), ..Chances::default() };
        assert!(!slow.gave_up(began, &late) && !shared.gave_up(began, &late));
        advance(s(3)).await;
        assert!(slow.gave_up(began, &late) && shared.gave_up(began, &late));
        assert!(!slow.gave_up(began, &failed), "a failure is not the clock's");
        assert!(!Chances::default().gave_up(began, &late), "the provider's own time was over");
    }
}
