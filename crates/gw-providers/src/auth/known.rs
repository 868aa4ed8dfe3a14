//! All authenticators of the process, so that tokens outlive a reload of the configuration.

use std::collections::HashMap;
use std::sync::{Arc, Weak};

use parking_lot::Mutex;

use super::Authenticator;

/// All authenticators of the process. One lives as long as somebody holds it; asking for one that exists gives the same,
/// with the token that it holds. They are known by a fingerprint: no secret is kept here.
#[derive(Default)]
pub struct Authenticators {
    known: Mutex<HashMap<[u8; 32], Weak<Authenticator>>>,
}

impl Authenticators {
    /// The authenticator with this fingerprint, or a new one.
    pub(super) fn intern(&self, fingerprint: [u8; 32], make: impl FnOnce() -> Authenticator) -> Arc<Authenticator> {
        let mut known = self.known.lock();
        known.retain(|_, authenticator| authenticator.strong_count() > 0);
        if let Some(authenticator) = known.get(&fingerprint).and_then(Weak::upgrade) {
            return authenticator;
        }
        let authenticator = Arc::new(make());
        known.insert(fingerprint, Arc::downgrade(&authenticator));
        authenticator
    }
}
