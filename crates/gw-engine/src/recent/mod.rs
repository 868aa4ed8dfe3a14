//! What clients may ask of finished requests: the facts of one of their own, and what they have used.
//!
//! It stands behind a port, [`Recent`]: the one that there is keeps the last requests in memory ([`memory`]), and counts
//! since the process began. Requests come to it from the control plane, in batches: nothing waits for it on their way.

mod memory;
mod totals;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::SystemTime;

use gw_core::RequestRecord;
use gw_core::record::KeyHash;

pub use memory::Memory;
pub use totals::{Spent, Totals};

use crate::identity::Identified;

/// Whose a request was: nobody else is told of it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Owner {
    /// Nobody in particular: no key is asked for, and none was presented.
    Anybody,
    /// A key of ours, by its name.
    Key(Arc<str>),
    /// A key that is not ours.
    Foreign(KeyHash),
}

impl Owner {
    /// Who calls.
    pub fn of_caller(identified: &Identified) -> Self {
        Self::of(identified.caller.key_name.as_ref(), identified.foreign_hash)
    }

    /// Who called.
    pub fn of_record(record: &RequestRecord) -> Self {
        Self::of(record.key_name.as_ref(), record.foreign_key)
    }

    fn of(key_name: Option<&Arc<str>>, foreign: Option<KeyHash>) -> Self {
        match (key_name, foreign) {
            (Some(name), _) => Self::Key(Arc::clone(name)),
            (None, Some(hash)) => Self::Foreign(hash),
            (None, None) => Self::Anybody,
        }
    }
}

/// What is being looked up.
pub type Reading<'a, T> = Pin<Box<dyn Future<Output = T> + 'a>>;

/// Where finished requests are remembered.
pub trait Recent: Send + Sync {
    /// Remembers finished requests. Nobody asked for a shadow, so that it is in nobody's totals.
    fn add(&self, records: &[RequestRecord]);

    /// A finished request of this owner, by the gateway's id of it or by the id in its answer; `None` if there is none, or
    /// it is not remembered any more.
    fn find<'a>(&'a self, owner: &'a Owner, id: &'a str) -> Reading<'a, Option<RequestRecord>>;

    /// What the owner has used.
    fn totals<'a>(&'a self, owner: &'a Owner) -> Reading<'a, Totals>;

    /// Since when it counts.
    fn since(&self) -> SystemTime;
}
