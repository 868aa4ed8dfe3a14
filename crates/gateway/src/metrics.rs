//! Counts what happens at the door.

use std::rc::Rc;

use gw_http::Observer;
use gw_telemetry::bank::Bank;

/// A worker's bank, told by its door.
pub(crate) struct Door(pub(crate) Rc<Bank>);

impl Observer for Door {
    fn connection_opened(&self) {
        self.0.connection_opened();
    }

    fn connection_closed(&self) {
        self.0.connection_closed();
    }

    fn connection_refused(&self) {
        self.0.connection_refused();
    }

    fn upstream_opened(&self, provider: &str) {
        self.0.upstream_opened(provider);
        self.0.upstream_busy(provider);
    }

    fn upstream_closed(&self, provider: &str) {
        self.0.upstream_idle(provider);
        self.0.upstream_closed(provider);
    }

    fn upstream_idle(&self, provider: &str) {
        self.0.upstream_idle(provider);
    }

    fn upstream_busy(&self, provider: &str) {
        self.0.upstream_busy(provider);
    }

    fn panic_caught(&self) {
        self.0.panic_caught();
    }
}
