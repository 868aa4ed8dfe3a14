//! What all shadows of the process take together, within bounds of their own.

use std::sync::Arc;

use gw_config::config::ShadowLimits;

use crate::budget::{Budget, Taken};

/// What all shadows of the process take.
pub struct Room {
    requests: Arc<Budget>,
    bytes: Arc<Budget>,
}

/// What one of them takes, until it is dropped.
pub(super) struct Place {
    _request: Taken,
    _bytes: Taken,
}

impl Default for Room {
    fn default() -> Self {
        Self { requests: Budget::new("shadows in flight", 0), bytes: Budget::new("bytes held for shadows", 0) }
    }
}

impl Room {
    /// Takes a place for a request of so many bytes; `None` if there is none. The bounds are those of the snapshot that
    /// the request sees.
    pub(super) fn enter(&self, limits: &ShadowLimits, bytes: usize) -> Option<Place> {
        self.requests.set_max(limits.requests_in_flight);
        self.bytes.set_max(limits.held_bytes);
        Some(Place { _request: self.requests.take(1).ok()?, _bytes: self.bytes.take(bytes).ok()? })
    }

    /// What they hold.
    pub(super) fn bytes(&self) -> &Arc<Budget> {
        &self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_room_again_when_a_shadow_is_over_and_bounds_follow_a_reload() {
        let room = Room::default();
        let limits = ShadowLimits { requests_in_flight: 1, held_bytes: 10, timeout: None };
        let first = room.enter(&limits, 10);
        assert!(first.is_some() && room.enter(&limits, 0).is_none());
        let wider = ShadowLimits { requests_in_flight: 2, ..limits };
        assert!(room.enter(&wider, 1).is_none() && room.enter(&wider, 0).is_some());
        drop(first);
        assert!(room.enter(&limits, 11).is_none() && room.enter(&limits, 10).is_some());
    }
}
