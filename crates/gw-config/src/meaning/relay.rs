//! `relay` as meant.

use crate::config::Relay;
use crate::file;

/// How operations are carried.
pub(super) fn relay(written: Option<&file::Relay>) -> Relay {
    let default = Relay::default();
    let Some(written) = written else {
        return default;
    };
    Relay {
        timeout: written.timeout.value().copied().unwrap_or(default.timeout),
        first_byte: written.first_byte.value().copied().unwrap_or(default.first_byte),
        body_bytes: written.body_bytes.value().map_or(default.body_bytes, |size| size.0 as u64),
        fine_tuning: written.fine_tuning.value().copied().unwrap_or(default.fine_tuning),
        shared_storage: written.shared_storage.value().copied().unwrap_or(default.shared_storage),
        realtime_idle: written.realtime_idle.value().copied().unwrap_or(default.realtime_idle),
    }
}
