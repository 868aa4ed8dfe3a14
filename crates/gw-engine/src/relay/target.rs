//! Which provider a request is carried to.

use std::rc::Rc;
use std::sync::Arc;

use gw_core::{Error, ErrorCode};
use gw_dialects::carried::{self, Carried, ModelPlace};
use gw_dialects::scan::Field;
use gw_dialects::shared::percent;
use gw_dialects::{DialectId, request};
use gw_telemetry::bank::SeriesKey;
use gw_telemetry::registry::NONE;
use http::HeaderValue;
use http::uri::PathAndQuery;

use super::homes::{self, Asker};
use super::{Asked, Body, RelayCall, sent};
use crate::dispatch::{Attempt, AttemptCredential};
use crate::engine::{Engine, Resolved};
use crate::models::Choice;
use crate::snapshot::{Provider, Settings, Snapshot};

/// Members of a request that name what was made before.
const NAMES_OBJECT: [&str; 3] = ["input_file_id", "training_file", "validation_file"];

/// Where a request is carried.
pub(crate) struct Target {
    pub(crate) resolved: Rc<Resolved>,
    pub(crate) path: PathAndQuery,
}

impl Engine {
    pub(crate) fn target(
        &self,
        snapshot: &Snapshot,
        call: &RelayCall<'_>,
        body: &Body,
        asker: Asker<'_>,
    ) -> Result<Target, Error> {
        let carried = match call.asked {
            Asked::Raw { provider, path } => return self.raw_target(snapshot, call, provider, path),
            Asked::Operation(carried) => carried,
        };
        if carried.dialect == DialectId::OpenAiFineTuning && !snapshot.relay.fine_tuning {
            let message = "fine-tuning is not served here; the operator may switch it on (relay.fine_tuning)";
            return Err(Error::new(ErrorCode::OperationDisabled, message));
        }
        // An id behind two slashes would not be found here, and by a provider that takes them for one.
        if !carried.rest.is_empty() && (!carried::is_plain_path(carried.rest) || carried.rest.contains("//")) {
            return Err(unplain());
        }
        let resolved = match carried.model {
            ModelPlace::None => self.without_model(carried.dialect, self.keeper(snapshot, call, carried, body, asker)?),
            ModelPlace::Body | ModelPlace::Path(_) | ModelPlace::Query => {
                let prefer = call.provider.or(match body {
                    Body::Json(_, head) => head.prefer_provider.as_deref(),
                    Body::Form(_) | Body::Flow(_) | Body::Empty => None,
                });
                self.prepare_first(snapshot, carried.dialect.operation(), call.model.as_deref(), prefer)?
            }
        };
        let path = sent::path(&resolved.choice.provider, call, carried)?;
        Ok(Target { resolved, path })
    }

    /// The provider of a request that names no model: who is named, who keeps what it is about, or the first who offers it.
    fn keeper(
        &self,
        snapshot: &Snapshot,
        call: &RelayCall<'_>,
        carried: Carried<'_>,
        body: &Body,
        asker: Asker<'_>,
    ) -> Result<Choice, Error> {
        let homes = &self.ports().homes;
        let mut home = None;
        for id in object_id(carried.dialect, carried.rest).into_iter().chain(objects_named(body)) {
            home = homes.find(&id, asker)?.or(home);
        }
        let providers = snapshot.models.providers();
        let offers = |provider: &&Arc<Provider>| provider.endpoint(carried.dialect).is_some();
        let choice = |provider: &Arc<Provider>, provider_named| Choice {
            provider: Arc::clone(provider),
            model: Arc::from(""),
            provider_named,
        };
        if let Some(reference) = call.provider {
            let named: Vec<_> =
                snapshot.models.named(reference).into_iter().filter_map(|at| providers.get(at)).collect();
            let found =
                named.iter().find(|one| offers(one) && one.is_usable()).or(named.iter().find(|one| offers(one)));
            // What has the same id at another provider is somebody else's.
            if let (Some(found), Some(home)) = (found, &home)
                && found.name != *home
                && asker.is_limited()
            {
                return Err(homes::not_found());
            }
            return found.map(|one| choice(one, true)).ok_or_else(|| nobody(carried, " by that name"));
        }
        if let Some(name) = home {
            let found = providers.iter().find(|provider| provider.name == name).filter(offers);
            return found.map(|one| choice(one, true)).ok_or_else(|| nobody(carried, " any more where this is kept"));
        }
        let usable = providers.iter().filter(|provider| offers(provider) && provider.is_usable());
        let first = usable.min_by_key(|provider| provider.priority);
        first.map(|one| choice(one, false)).ok_or_else(|| nobody(carried, ""))
    }

    fn raw_target(
        &self,
        snapshot: &Snapshot,
        call: &RelayCall<'_>,
        reference: &str,
        path: &str,
    ) -> Result<Target, Error> {
        let path = if path.is_empty() { "/" } else { path };
        if !carried::is_plain_path(path) {
            return Err(unplain());
        }
        let reference = request::model_in_path(reference)?;
        let named = snapshot.models.named(&reference);
        let mut named = named.into_iter().filter_map(|index| snapshot.models.providers().get(index)).peekable();
        let first = named.peek().copied();
        let provider = named.find(|provider| provider.is_usable()).or(first).ok_or_else(|| {
            Error::new(ErrorCode::RouteNotFound, "no provider is called what stands behind /passthrough/")
        })?;
        let choice = Choice { provider: Arc::clone(provider), model: Arc::from(""), provider_named: true };
        let path = sent::raw_path(path, call.query)?;
        Ok(Target { resolved: self.without_model(DialectId::Raw, choice), path })
    }

    fn without_model(&self, dialect: DialectId, choice: Choice) -> Rc<Resolved> {
        let provider = Arc::clone(&choice.provider.name);
        let key = SeriesKey { operation: dialect.operation(), provider, model: Arc::from(NONE) };
        let series = self.ports().bank.series(key);
        Rc::new(Resolved {
            choice,
            target_settings: Arc::default(),
            model_header: HeaderValue::from_static(""),
            model_json: None,
            only_streams: false,
            always_thinks: false,
            series,
            settings: Settings::default(),
            overrides: None,
            price: Arc::default(),
            abilities: Default::default(),
        })
    }
}

impl Target {
    /// A provider's own API is for callers whom the operator gave its credential, or who bring their own.
    pub(crate) fn check_permission(&self, call: &RelayCall<'_>, attempt: &Attempt<'_>) -> Result<(), Error> {
        let provider = &self.resolved.choice.provider;
        let brings_own = matches!(attempt.credential, AttemptCredential::Client(..));
        if matches!(call.asked, Asked::Operation(_)) || provider.passthrough.unwrap_or(brings_own) {
            return Ok(());
        }
        let message = format!(
            "the own API of provider \"{0}\" is not open here; the operator may open it (passthrough: true at provider \
             \"{0}\")",
            provider.name
        );
        Err(Error::new(ErrorCode::OperationDisabled, message))
    }
}

/// The id that a path below an operation names, as the provider reads it.
pub(crate) fn object_id(dialect: DialectId, rest: &str) -> Option<String> {
    let mut names = rest.split('/').skip(1);
    if dialect == DialectId::OpenAiFineTuning {
        // `/jobs/ID`, `/checkpoints/ID`
        names.next();
    }
    let id = names.next().filter(|id| !id.is_empty())?;
    Some(String::from_utf8_lossy(&percent::decoded(id)).into_owned())
}

/// What of what was made before a JSON body is about. Readers differ on members that stand twice, and some do not tell
/// large letters from small ones: all of them count.
fn objects_named(body: &Body) -> Vec<String> {
    let Body::Json(bytes, head) = body else { return Vec::new() };
    let names_object = |field: &&Field| {
        let name = field.name(bytes);
        NAMES_OBJECT.iter().any(|known| name.eq_ignore_ascii_case(known.as_bytes()))
    };
    let ids = head.fields.iter().filter(names_object).filter_map(|field| bytes.get(field.value()));
    ids.filter_map(|raw| serde_json::from_slice(raw).ok()).collect()
}

fn nobody(carried: Carried<'_>, which: &str) -> Error {
    let message = format!("no configured provider{which} offers {}", carried.dialect.operation().name());
    Error::new(ErrorCode::InvalidRequest, message)
}

fn unplain() -> Error {
    let message = "the path holds `.`, `..`, or a slash or control character in disguise; write it plainly";
    Error::new(ErrorCode::InvalidRequest, message)
}
