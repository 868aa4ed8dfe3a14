//! Environments that serve requests in one process: each has a snapshot of its own, and the caller's key says which is
//! meant. Their providers have names of their own (`development/openai`), so that credentials, breakers, caps and counters
//! of one are nothing to another.

use std::collections::HashMap;
use std::sync::Arc;

use gw_config::config::{AuthMode, Config, Profile};
use gw_core::{Error, ErrorCode};

use crate::snapshot::Snapshot;

/// The header in which a request names its environment.
pub const HEADER: &str = "x-gateway-env";

/// The environments of a file that has some.
pub struct Environments {
    /// Those that serve requests beside the one in force, in the order of the file.
    beside: Vec<(Arc<str>, Arc<Snapshot>)>,
    /// By the names of keys: what they may use, the usual one first.
    by_key: HashMap<Arc<str>, Vec<Arc<str>>>,
    /// Whether who presents no key may use any.
    is_free: bool,
}

impl Environments {
    /// The environments of a configuration, with the snapshots of those beside the one in force; `None` if its file has
    /// none.
    pub(crate) fn new(config: &Config, beside: Vec<(Arc<str>, Arc<Snapshot>)>) -> Option<Box<Self>> {
        if config.environments.names.is_empty() {
            return None;
        }
        let bound = config.auth.keys.iter().filter(|key| !key.environments.is_empty());
        let names = |key: &gw_config::config::NamedKey| {
            key.environments.iter().map(|name| Arc::from(name.value.as_str())).collect()
        };
        Some(Box::new(Self {
            beside,
            by_key: bound.map(|key| (Arc::from(key.name.value.as_str()), names(key))).collect(),
            is_free: config.profile == Profile::Local && config.auth.mode != AuthMode::Required,
        }))
    }

    fn of_key(&self, name: &str) -> Option<&[Arc<str>]> {
        self.by_key.get(name).map(Vec::as_slice)
    }
}

impl Snapshot {
    /// The snapshots of the environments beside this one, in the order of the file.
    pub fn beside(&self) -> impl Iterator<Item = &Snapshot> {
        self.environments.iter().flat_map(|environments| &environments.beside).map(|(_, snapshot)| &**snapshot)
    }

    /// The snapshot at this place of the same generation.
    pub(crate) fn at(self: &Arc<Self>, slot: usize) -> Option<Arc<Self>> {
        if self.slot == slot {
            return Some(Arc::clone(self));
        }
        let mut beside = self.environments.iter().flat_map(|environments| &environments.beside);
        beside.find(|(_, snapshot)| snapshot.slot == slot).map(|(_, snapshot)| Arc::clone(snapshot))
    }

    /// This snapshot and those of the environments beside it.
    pub fn all(&self) -> impl Iterator<Item = &Snapshot> {
        std::iter::once(self).chain(self.beside())
    }

    /// The snapshot that serves a caller: of the environment that it asks for, among those of its key; else the first of
    /// its key; else this one.
    ///
    /// # Errors
    /// `operation_disabled` where it asks for one that it may not use.
    pub fn serving(&self, key_name: Option<&str>, asked: Option<&str>) -> Result<&Snapshot, Error> {
        let Some(environments) = &self.environments else { return Ok(self) };
        let own = key_name.and_then(|name| environments.of_key(name)).unwrap_or_default();
        let name = match (asked, own) {
            (None, []) => return Ok(self),
            (None, [first, ..]) => &**first,
            (Some(asked), []) if Some(asked) == self.environment.as_deref() => return Ok(self),
            (Some(asked), []) if environments.is_free && key_name.is_none() => asked,
            (Some(asked), own) => own.iter().find(|name| ***name == *asked).ok_or_else(|| refused(own))?,
        };
        if Some(name) == self.environment.as_deref() {
            return Ok(self);
        }
        let found = environments.beside.iter().find(|(known, _)| **known == *name);
        found.map(|(_, snapshot)| &**snapshot).ok_or_else(|| refused(own))
    }
}

fn refused(own: &[Arc<str>]) -> Error {
    let may = match own {
        [] => "leave it out, or ask for a key of that environment (auth.keys[].environment)".to_owned(),
        own => format!("this key's are: {}", own.join(", ")),
    };
    Error::new(
        ErrorCode::OperationDisabled,
        format!("the environment in the header {HEADER} is not served here; {may}"),
    )
}
