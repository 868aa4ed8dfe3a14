//! What the door reports. Metrics are somebody else's business: this crate only says what happened.

/// Told of what happens at the door. Called on the worker's thread, from hot paths: implementations must be cheap.
pub trait Observer {
    /// A client's connection was accepted.
    fn connection_opened(&self) {}
    /// A client's connection ended.
    fn connection_closed(&self) {}
    /// A client was turned away because there are too many connections.
    fn connection_refused(&self) {}
    /// A connection to `provider` was made.
    fn upstream_opened(&self, provider: &str) {
        let _ = provider;
    }
    /// A connection to `provider` waits for its next request.
    fn upstream_idle(&self, provider: &str) {
        let _ = provider;
    }
    /// A connection to `provider` that waited has a request again, or is about to end.
    fn upstream_busy(&self, provider: &str) {
        let _ = provider;
    }
    /// A connection to `provider` ended. It was not waiting.
    fn upstream_closed(&self, provider: &str) {
        let _ = provider;
    }
    /// A panic was caught; one request was lost.
    fn panic_caught(&self) {}
}

/// Hears nothing.
pub struct Deaf;

impl Observer for Deaf {}
