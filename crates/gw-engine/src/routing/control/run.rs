//! A request that brings its routing along: read, made a tree of targets, taken out of the body, and sent on its way.

use std::rc::Rc;
use std::time::Duration;

use gw_core::Error;
use gw_core::chat::Loss;
use gw_dialects::head::Head;
use gw_dialects::{DialectId, request};
use serde_json::Value;

use super::online::{self, PLUGINS, Unable};
use super::resolve::{Found, Resolving};
use super::told::Told;
use super::{Asked, AskedFor, pieces, presets, read, strip};
use crate::engine::{Call, Engine};
use crate::meter::Meter;
use crate::models::Target;
use crate::openrouter;
use crate::reply::Reply;
use crate::routing::times::{ClientTime, Times};
use crate::routing::{Said, Walk, Way};
use crate::snapshot::Snapshot;

/// What was made of the routing of a request: the same for all requests that bring the same.
pub(crate) struct Controlled {
    pub(crate) way: Way,
    /// What it asks for, as rules judge it.
    pub(crate) asked_for: Vec<AskedFor>,
    /// What was said and does nothing.
    idle: Vec<String>,
    /// What OpenRouter alone could do, and is not asked for.
    ignored: Vec<Loss>,
    /// Who is left out because it cannot search the web.
    pub(crate) unable: Vec<Unable>,
    needs_parameters: bool,
    pub(crate) total_timeout: Option<Duration>,
    /// Whether OpenRouter's own members go to OpenRouter.
    is_openrouters: bool,
    /// Whether the body names a preset of ours.
    has_preset: bool,
    /// The service that providers are asked for, where the body does not say it.
    service_tier: Option<Box<str>>,
}

impl Engine {
    /// Answers a request that says something of its routing.
    pub(crate) async fn run_controlled(
        &self,
        snapshot: &Snapshot,
        call: &Call<'_>,
        head: Head,
        client: Option<ClientTime>,
        meter: &mut Meter,
    ) -> Result<Reply, Error> {
        meter.tell_in(call.step.map_or_else(|| Told::of(call.headers), |step| Told::of(call.headers).at_step(step)));
        let controlled = self.controlled(snapshot, call, &head)?;
        let Controlled { is_openrouters, has_preset, ref service_tier, .. } = *controlled;
        let (body, head) = match strip(&head, &call.body, is_openrouters, has_preset, service_tier.as_deref()) {
            None => (call.body.clone(), head),
            Some(body) => {
                let rest = request::scan(call.dialect, &body)?;
                (body, Head { model: head.model, stream: head.stream, ..rest })
            }
        };
        let mut held = self.ports().held_bytes.nothing();
        held.hold(0, body.len())?;
        let call = Call { body, held, needs_parameters: controlled.needs_parameters, ..*call };
        let times = Times::of(meter.started(), snapshot.request_timeout, controlled.total_timeout, client);
        meter.limited(&times);
        let walk = Walk { ports: self.ports(), snapshot, call: &call, head: &head, times };
        let reply = self.go(&walk, &controlled.way, meter).await;
        // Not before: each attempt begins with nothing told.
        meter.dropped(controlled.idle.iter().map(String::as_str));
        meter.lost(&controlled.ignored);
        reply
    }

    /// What is made of the routing of a request.
    pub(crate) fn controlled(
        &self,
        snapshot: &Snapshot,
        call: &Call<'_>,
        head: &Head,
    ) -> Result<Rc<Controlled>, Error> {
        let Call { headers, foreign_key, provider, own_key, .. } = *call;
        let presets = &snapshot.presets;
        let asked = Asked { headers, head, body: &call.body, foreign_key, provider, own_key, presets };
        let guests = self.guests();
        let mut hashed = guests.pieces();
        hashed.add(call.dialect.name().as_bytes());
        hashed.add(&snapshot.slot.to_le_bytes());
        hashed.add(head.model.as_deref().unwrap_or_default().as_bytes());
        hashed.add(head.prefer_provider.as_deref().unwrap_or_default().as_bytes());
        pieces(&asked, |piece| hashed.add(piece));
        let hash = hashed.finish();
        if let Some(known) = guests.way(snapshot, &hash) {
            return Ok(known);
        }
        let mut wish = read(&asked)?;
        let (mut idle, mut own) = (wish.take_idle(), std::mem::take(&mut wish.openrouters_own));
        let named = head.model.as_deref();
        let requested = wish.model.as_ref().map_or(named, |model| model.as_deref());
        let prefer = head.prefer_provider.as_deref();
        let places = &self.ports().places;
        let resolving =
            Resolving { snapshot, guests, places, requested, prefer, foreign_key, wish: &wish, dialect: call.dialect };
        let found = resolving.resolve();
        if wish.has_unknown_preset && !found.as_ref().is_ok_and(|found| presets::may_know(&found.node)) {
            return Err(presets::unknown());
        }
        let Found { node, is_openrouters, idle: unused, unable } = found?;
        idle.extend(unused);
        if wish.auto.has_plugins() && !node.is_auto() && !own.contains(&PLUGINS) {
            own.push(PLUGINS);
        }
        // Without rules nobody asks.
        let asked_for = if snapshot.rules.is_empty() { Vec::new() } else { resolving.asked_for(named) };
        let service_tier = wish.service_tier.take();
        if service_tier.is_some() && !says_service_tier(call.dialect) {
            idle.push("providerOptions.gateway.serviceTier".to_owned());
        }
        let user = wish.user.take().map(|user| Value::from(&*user));
        let tags = Some(std::mem::take(&mut wish.tags)).filter(|tags| !tags.is_empty());
        let tags = tags.map(|tags| tags.iter().map(|tag| &**tag).collect());
        let lost = wish.search.take().into_iter().flat_map(|search| search.lost);
        let ignored = own.into_iter().map(openrouter::ignored).chain(lost);
        let operation = call.dialect.operation();
        let mut prepared = |target: &Target| Rc::new(self.prepared(snapshot, target, operation, named));
        let controlled = Rc::new(Controlled {
            way: Way::new(node.map(&mut prepared), self.begin()).saying(Said {
                user,
                tags,
                unserved: online::unserved(&unable),
            }),
            asked_for,
            idle,
            ignored: if is_openrouters { Vec::new() } else { ignored.collect() },
            unable,
            needs_parameters: wish.needs_parameters,
            total_timeout: wish.total_timeout,
            is_openrouters,
            has_preset: wish.has_preset_member,
            service_tier: service_tier.filter(|_| says_service_tier(call.dialect)),
        });
        guests.keep_way(hash, &controlled);
        Ok(controlled)
    }
}

/// Whether `service_tier` means in requests of this format what it means to Vercel.
fn says_service_tier(dialect: DialectId) -> bool {
    matches!(dialect, DialectId::OpenAiChat | DialectId::OpenAiResponses)
}
