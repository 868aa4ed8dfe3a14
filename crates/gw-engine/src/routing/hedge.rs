//! A second attempt beside one that is slow: the first to answer is taken, the other cancelled.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;

use gw_config::config::Hedge;
use gw_core::{Error, ErrorCode};
use gw_policy::plan::{Plan, Standing};
use gw_telemetry::{Bank, Hedged as Outcome};
use tokio::time::{Instant, timeout};

use crate::engine::Resolved;
use crate::meter::Meter;
use crate::reply::Reply;
use crate::routing::walk::{Chances, Walk, told};

/// What has become of an attempt that may have had another beside it.
pub(super) struct Hedged {
    /// The step that the walk stands at now.
    pub(super) stands_at: usize,
    /// The answer, or why the attempt at that step failed.
    pub(super) reply: Result<Reply, Error>,
}

/// What both attempts have shown so far.
struct Race {
    /// The first answer, and whether it is the second attempt's.
    won: Option<(Reply, bool)>,
    first: Option<Error>,
    second: Option<Error>,
}

/// Counts what becomes of a slow attempt: that its client left, unless something else is said.
struct Counted<'a> {
    bank: &'a Bank,
    provider: &'a Arc<str>,
    outcome: Outcome,
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.bank.hedged(self.provider, self.outcome);
    }
}

impl Walk<'_> {
    /// An attempt at one step, and if that is slow, at another beside it: where the budget of who is slow has one left, and
    /// the other takes calls. `is_first` is whether the request comes to that step with it.
    pub(super) async fn hedged(
        &self,
        plan: &Plan<Rc<Resolved>>,
        (at, next): (usize, usize),
        (hedge, is_first): (Hedge, bool),
        chances: Chances,
        meter: &mut Meter,
    ) -> Hedged {
        let (Some(step), Some(beside)) = (plan.steps.get(at), plan.steps.get(next)) else {
            let error = Error::new(ErrorCode::InternalError, "the plan has no such step");
            return Hedged { stands_at: at, reply: Err(error) };
        };
        let provider = &step.target.choice.provider;
        if is_first {
            provider.standing.may_be_slow(hedge.budget);
        }
        let slow_after = provider.standing.slow_after(&provider.standing_rules, hedge.threshold, self.ports.elapsed());
        let Some(after) = slow_after else {
            return Hedged { stands_at: at, reply: self.attempt(&step.target, chances, meter).await };
        };
        let began = Instant::now();
        let mut other = meter.fork();
        // Whoever may be asked beside counts for no limit that was not passed.
        let _ = other.pass(&beside.limits, &self.snapshot.limits);
        let race = {
            let mut first = pin!(self.attempt(&step.target, chances, meter));
            if let Ok(reply) = timeout(after, first.as_mut()).await {
                return Hedged { stands_at: at, reply };
            }
            if let Some(refused) = self.refuses(&step.target, &beside.target, hedge) {
                self.ports.bank.hedged(&provider.name, refused);
                return Hedged { stands_at: at, reply: first.await };
            }
            let counted = Counted { bank: &self.ports.bank, provider: &provider.name, outcome: Outcome::Cancelled };
            // Whichever comes first is taken: neither may tell the client a word before it has something to say.
            let chances = Chances { another: true, ..self.chances(plan, next, 0) };
            let second = pin!(self.attempt(&beside.target, chances, &mut other));
            race(first, second, counted).await
        };
        let first_failed = race.first.is_some();
        if let Some(error) = &race.first {
            meter.tried(told(&step.target, error, began));
        }
        match race {
            Race { won: Some((reply, false)), second, .. } => {
                let failed = second.map(|error| told(&beside.target, &error, began + after));
                meter.count_beside(&mut other, failed);
                Hedged { stands_at: at, reply: Ok(reply) }
            }
            Race { won: Some((reply, true)), .. } => {
                if !first_failed {
                    provider.standing.outlasted(&provider.standing_rules, began.elapsed(), self.ports.elapsed());
                }
                meter.become_beside(other, !first_failed);
                Hedged { stands_at: next, reply: Ok(reply) }
            }
            Race { won: None, second, .. } => {
                meter.become_beside(other, false);
                let error = second.unwrap_or_else(|| Error::new(ErrorCode::InternalError, "no attempt has ended"));
                Hedged { stands_at: next, reply: Err(error) }
            }
        }
    }

    /// Why no attempt may be made beside a slow one; `None` if one may, which the budget has paid for then.
    fn refuses(&self, slow: &Resolved, beside: &Resolved, hedge: Hedge) -> Option<Outcome> {
        // It took calls when the plan was made.
        if beside.standing(self.ports.elapsed()) != Standing::In {
            return Some(Outcome::Unavailable);
        }
        (!slow.choice.provider.standing.hedge(hedge.budget)).then_some(Outcome::OverBudget)
    }
}

/// Waits for the first answer of two attempts, or for the failure of both.
async fn race(
    mut first: Pin<&mut impl Future<Output = Result<Reply, Error>>>,
    mut second: Pin<&mut impl Future<Output = Result<Reply, Error>>>,
    mut counted: Counted<'_>,
) -> Race {
    let mut race = Race { won: None, first: None, second: None };
    poll_fn(|context| {
        if race.first.is_none()
            && let Poll::Ready(reply) = first.as_mut().poll(context)
        {
            race.note(reply, false);
        }
        if race.second.is_none()
            && race.won.is_none()
            && let Poll::Ready(reply) = second.as_mut().poll(context)
        {
            race.note(reply, true);
        }
        if race.is_over() { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    counted.outcome = race.outcome();
    race
}

impl Race {
    fn outcome(&self) -> Outcome {
        match &self.won {
            Some((_, true)) => Outcome::Won,
            Some((_, false)) => Outcome::Lost,
            None => Outcome::Failed,
        }
    }

    fn note(&mut self, reply: Result<Reply, Error>, is_second: bool) {
        match reply {
            Ok(reply) => self.won = Some((reply, is_second)),
            Err(error) if is_second => self.second = Some(error),
            Err(error) => self.first = Some(error),
        }
    }

    fn is_over(&self) -> bool {
        self.won.is_some() || self.first.is_some() && self.second.is_some()
    }
}
