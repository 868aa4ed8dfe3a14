//! Shadows: a copy of a request goes to a new provider or model besides, and its answer reaches nobody. It is only compared
//! with the answer that the client got.
//!
//! The client's request goes its usual way, and does not wait for the copy. Both answers are heard as they would go to a
//! client, in its own format, within bounds; what they say is read and compared on another thread, when both have ended.
//! Read in this order: this file (whose copies are sent), [`task`] (one copy on its way), `harmless` (what must not be
//! asked twice), `recorder` (what is heard), `reading` (what was said), `summary` (what it came to).

mod copy;
mod harmless;
mod reading;
mod recorder;
mod room;
mod summary;
mod task;

use std::rc::Rc;
use std::sync::Arc;

use gw_config::config::ShadowLimits;
use gw_core::Operation;
use gw_telemetry::Missed;
use tokio::sync::watch;

use crate::engine::{Call, Engine, Ports};
use crate::meter::Meter;
use crate::models::Target;
use crate::routing::{Asker, Walk, Way, trial};
use crate::snapshot::Credential;
use crate::trials::Canary;
use recorder::Heard;
pub(crate) use recorder::Recorder;
pub use room::Room;
pub use summary::{Agreement, Means, Sides, Summary};
use task::Shadow;

/// The shadows of a snapshot.
pub struct Shadows {
    /// Who gets copies, each with its trial.
    pub list: Vec<Canary>,
    /// What all copies together may take.
    pub limits: ShadowLimits,
    /// What they take. It outlives the snapshot.
    pub room: Arc<Room>,
}

impl Shadows {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }
}

impl Engine {
    /// Sends copies of a request to the shadows whose it is, in tasks of their own, and has its answer heard.
    pub(crate) fn shadow(&self, walk: &Walk<'_>, way: &Way, meter: &mut Meter) {
        let Walk { snapshot, call, head, .. } = *walk;
        if !trial::leaves_the_provider_open(snapshot, call, head) || may_use_own_key(call, way) {
            return;
        }
        let (caller, now) = (trial::caller(call, head, &Asker::of(meter)), self.ports().elapsed());
        let shadows = &walk.snapshot.shadows;
        let taken = shadows.list.iter().filter(|shadow| shadow.trial.shadows(&caller, now));
        let taken: Vec<_> = taken.filter_map(|shadow| Some((shadow, trial::target(shadow, way)?))).collect();
        if taken.is_empty() || !harmless::is_harmless(walk.call, walk.head) {
            return;
        }
        let (recorder, heard) = Recorder::new(&shadows.room);
        let mut is_heard = false;
        for (shadow, target) in taken {
            match self.shadow_of((shadow, &target), walk, (meter, heard.clone())) {
                Some(task) => {
                    is_heard = true;
                    gw_runtime::tasks::spawn_local("shadow", task.run());
                }
                None => {
                    let (name, provider) = (&shadow.trial.subject.name, &shadow.trial.subject.provider);
                    self.ports().bank.shadow_missed(name, provider, Missed::Skipped);
                    shadow.trial.missed(Missed::Skipped);
                }
            }
        }
        if is_heard {
            meter.record_with(recorder);
        }
    }

    /// A copy for one shadow; `None` if there is no room for it, or its provider has no call to spare.
    fn shadow_of(
        &self,
        (shadow, target): (&Canary, &Target),
        walk: &Walk<'_>,
        (meter, usual): (&Meter, watch::Receiver<Heard>),
    ) -> Option<Shadow> {
        let Shadows { limits, room, .. } = &walk.snapshot.shadows;
        let place = room.enter(limits, walk.call.body.len())?;
        let provider = &shadow.provider;
        if !provider.standing.spare(&provider.standing_rules, self.ports().elapsed()) {
            return None;
        }
        let requested = walk.head.model.as_deref();
        Some(Shadow {
            ports: self.shadow_ports(room),
            snapshot: self.ports().snapshot.load().at(walk.snapshot.slot)?,
            trial: Arc::clone(&shadow.trial),
            resolved: Rc::new(self.prepared(walk.snapshot, target, Operation::Chat, requested)),
            copy: Arc::new(copy::Copied::of(walk.call, walk.head)),
            request_id: meter.request_id(),
            timeout: limits.timeout.unwrap_or(walk.snapshot.request_timeout),
            usual,
            _place: place,
        })
    }

    /// What shadows work with: all that they hold is counted apart, so that clients find their room.
    fn shadow_ports(&self, room: &Arc<Room>) -> Rc<Ports> {
        let made = || Rc::new(self.ports().holding_in(room.bytes()));
        Rc::clone(self.shadow_ports.get_or_init(made))
    }
}

/// Whether a request may be answered with the caller's own key: then it is between the two of them.
fn may_use_own_key(call: &Call<'_>, way: &Way) -> bool {
    let needs_one = |credential: &Credential, named: bool| *credential == Credential::Missing && named;
    call.own_key.is_some()
        || way.node().targets().iter().any(|target| {
            let choice = &target.choice;
            let provider = &choice.provider;
            provider.is_callers()
                || call.foreign_key.is_some() && needs_one(&provider.credential, choice.provider_named)
        })
}
