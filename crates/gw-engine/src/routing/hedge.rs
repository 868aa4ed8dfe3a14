//! A second attempt beside one that is slow: the first to answer is taken, the other cancelled.

use std::future::poll_fn;
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use gw_core::{Error, ErrorCode};
use gw_policy::plan::Plan;
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

impl Walk<'_> {
    /// An attempt at one step, and if that does not answer within `after`, at another beside it.
    pub(super) async fn hedged(
        &self,
        plan: &Plan<Rc<Resolved>>,
        (at, next): (usize, usize),
        after: Duration,
        chances: Chances,
        meter: &mut Meter,
    ) -> Hedged {
        let (Some(step), Some(beside)) = (plan.steps.get(at), plan.steps.get(next)) else {
            let error = Error::new(ErrorCode::InternalError, "the plan has no such step");
            return Hedged { stands_at: at, reply: Err(error) };
        };
        let began = Instant::now();
        let mut other = meter.fork();
        let race = {
            let mut first = pin!(self.attempt(&step.target, chances, meter));
            if let Ok(reply) = timeout(after, first.as_mut()).await {
                return Hedged { stands_at: at, reply };
            }
            // Whichever comes first is taken: neither may tell the client a word before it has something to say.
            let chances = Chances { another: true, ..self.chances(plan, next, 0) };
            let mut second = pin!(self.attempt(&beside.target, chances, &mut other));
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
            race
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
}

impl Race {
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
