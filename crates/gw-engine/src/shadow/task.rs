//! One copy of a request on its way: it is asked once, its answer is heard to its end, and compared when the usual one has
//! ended, too. Nobody waits for it: it ends with its worker.

use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use gw_core::shadow::Comparison;
use gw_core::{Error, Outcome, RequestId};
use gw_http::panics::CatchPanic;
use gw_telemetry::Missed;
use http_body::Body;
use tokio::sync::watch;
use tokio::task::spawn_blocking;
use tokio::time::Instant;

use super::copy::Copied;
use super::reading;
use super::recorder::{Ended, Heard, Recorder};
use super::room::Place;
use crate::dispatch::{self, Attempt};
use crate::engine::{Ports, Resolved};
use crate::meter::Meter;
use crate::openrouter;
use crate::reply::{Reply, ReplyBody};
use crate::snapshot::Snapshot;
use crate::trials::Trial;
use gw_providers::attempt::AttemptTimeouts;

/// A copy of a request, and all that it needs.
pub(super) struct Shadow {
    pub(super) ports: Rc<Ports>,
    pub(super) snapshot: Arc<Snapshot>,
    pub(super) trial: Arc<Trial>,
    pub(super) resolved: Rc<Resolved>,
    pub(super) copy: Arc<Copied>,
    pub(super) request_id: RequestId,
    /// How long it may take in all.
    pub(super) timeout: Duration,
    /// What becomes of the answer that the client gets.
    pub(super) usual: watch::Receiver<Heard>,
    pub(super) _place: Place,
}

impl Shadow {
    /// Runs to its end; what came of it is counted, logged and remembered.
    pub(super) async fn run(self) {
        let (bank, trial) = (&self.ports.bank, &self.trial);
        let (name, provider) = (&trial.subject.name, &trial.subject.provider);
        let ended = CatchPanic::new(self.compared()).await;
        if ended.is_err() {
            bank.panic_caught();
        }
        match ended.ok().flatten() {
            Some(comparison) => {
                bank.shadow_compared(name, provider, &comparison);
                trial.compared(&comparison);
            }
            None => {
                bank.shadow_missed(name, provider, Missed::Stopped);
                trial.missed(Missed::Stopped);
            }
        }
    }

    /// Both answers compared; `None` if that was given up.
    async fn compared(&self) -> Option<Comparison> {
        let both = async {
            // In a box: it is large, and ends before the usual answer is waited for.
            let shadow = Box::pin(self.asked()).await?;
            Some((self.usual().await?, shadow))
        };
        let (usual, shadow) = tokio::select! {
            biased;
            () = self.given_up() => return None,
            both = both => both?,
        };
        let (request_id, copy) = (self.request_id, Arc::clone(&self.copy));
        spawn_blocking(move || reading::compare(request_id, &copy, &usual, &shadow)).await.ok()
    }

    /// Waits until nobody wants to know any more: the rollout is rolled back, or the client left.
    async fn given_up(&self) {
        let left = async {
            if self.usual().await.is_some() {
                std::future::pending::<()>().await;
            }
        };
        tokio::select! {
            () = self.trial.is_rolled_back() => {}
            () = left => {}
        }
    }

    /// What the client got, once it has ended; `None` if the client left before.
    async fn usual(&self) -> Option<Arc<Ended>> {
        let mut usual = self.usual.clone();
        let ended = usual.wait_for(Option::is_some).await.ok()?.clone()?;
        (ended.side.outcome != Outcome::Cancelled).then_some(ended)
    }

    /// Asks, and hears the answer to its end.
    async fn asked(&self) -> Option<Arc<Ended>> {
        let (recorder, heard) = Recorder::new(&self.snapshot.shadows.room);
        let name = &self.trial.subject.name;
        let mut meter = Meter::open_shadow(&self.ports, self.request_id, self.copy.dialect.name(), name);
        meter.request_head(&self.copy.headers);
        meter.request_body(self.copy.body.len());
        meter.asked(self.copy.head.model.as_deref(), self.copy.head.stream);
        meter.record_with(recorder);
        match self.attempt(&mut meter).await {
            Ok(Reply { status, content, .. }) => {
                meter.status(status.as_u16());
                let mut body = ReplyBody::new(content, meter);
                while let Some(Ok(_)) = poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await {}
            }
            Err(error) => {
                meter.failed(&error);
                drop(meter);
            }
        }
        heard.borrow().clone()
    }

    /// The only attempt, with the operator's own credential.
    async fn attempt(&self, meter: &mut Meter) -> Result<Reply, Error> {
        let call = self.copy.call(self.ports.held_bytes.nothing());
        let provider = &self.resolved.choice.provider;
        meter.begin_attempt(&self.resolved);
        let attempt = Attempt {
            ports: &self.ports,
            snapshot: &self.snapshot,
            resolved: &self.resolved,
            credential: dispatch::credential(&self.resolved.choice, None)?,
            timeouts: AttemptTimeouts { first_byte: provider.first_byte.unwrap_or(self.timeout), ..provider.timeouts },
            deadline: Instant::now() + self.timeout.min(provider.total_timeout),
        };
        let others = match call.openrouter {
            true => openrouter::for_others(&self.ports, &call, &self.copy.head, &self.resolved, meter)?,
            false => None,
        };
        let (call, head) = others.as_deref().map_or((&call, &self.copy.head), |(call, head)| (call, head));
        attempt.run(call, head, meter).await
    }
}
