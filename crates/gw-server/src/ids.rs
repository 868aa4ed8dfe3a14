//! Ids of requests.

use std::cell::Cell;
use std::hash::{BuildHasher, RandomState};
use std::time::{SystemTime, UNIX_EPOCH};

use gw_core::RequestId;

/// Makes the ids of a worker's requests: UUIDs of version 7 (RFC 9562 §5.7), whose random part comes from a sequence
/// that is seeded once. They must be unique, not secret, and cost no system call.
pub struct RequestIds {
    state: Cell<u64>,
}

impl Default for RequestIds {
    fn default() -> Self {
        // The keys of a new `RandomState` come from the system's randomness.
        Self { state: Cell::new(RandomState::new().hash_one("request ids")) }
    }
}

impl RequestIds {
    /// The id of a request that came now.
    pub fn next(&self, now: SystemTime) -> RequestId {
        let millis = now.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis());
        let (high, low) = (u128::from(self.random() >> 52), u128::from(self.random() >> 2));
        RequestId::from_u128((millis << 80) | (0x7 << 76) | (high << 64) | (0b10 << 62) | low)
    }

    /// The next number of a SplitMix64 sequence.
    fn random(&self) -> u64 {
        let state = self.state.get().wrapping_add(0x9e37_79b9_7f4a_7c15);
        self.state.set(state);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::time::Duration;

    use super::*;

    #[test]
    fn ids_are_unique_and_sort_by_time() {
        let ids = RequestIds::default();
        let at = |millis| UNIX_EPOCH + Duration::from_millis(millis);
        let many: HashSet<_> = (0..10_000).map(|_| ids.next(at(1_700_000_000_000))).collect();
        assert_eq!(many.len(), 10_000);
        let (early, late) = (ids.next(at(1_700_000_000_000)), ids.next(at(1_700_000_000_001)));
        assert!(early.as_str() < late.as_str());
        assert_eq!(&early.as_str()[12..13], "7");
    }
}
