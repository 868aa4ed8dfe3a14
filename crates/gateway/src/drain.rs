//! How the gateway ends: it stops accepting, lets what is in flight end, and leaves nothing unwritten.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use gw_http::workers::Workers;
use gw_runtime::Tasks;
use gw_server::Health;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// For writing what the background tasks still hold.
const TASKS_LIMIT: Duration = Duration::from_secs(5);

/// The signals that end the process.
pub(crate) struct Ending {
    terminate: Signal,
    interrupt: Signal,
}

impl Ending {
    /// Begins to listen: from here on, a signal no longer kills the process.
    ///
    /// # Errors
    /// If the signals cannot be listened for.
    pub(crate) fn listen() -> io::Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    /// Waits until the process is told to stop.
    pub(crate) async fn wanted(mut self) {
        tokio::select! {
            _ = self.terminate.recv() => tracing::info!("told to stop by SIGTERM"),
            _ = self.interrupt.recv() => tracing::info!("told to stop by SIGINT"),
        }
    }
}

/// Ends the workers, then the background tasks.
pub(crate) async fn drain(workers: Workers, tasks: &Tasks, health: &Arc<Health>, limit: Duration) {
    health.drain();
    workers.drain(limit).await;
    let late = tasks.shutdown(TASKS_LIMIT).await;
    if !late.is_empty() {
        tracing::warn!(tasks = late.join(", "), "background tasks did not end in time");
    }
    tracing::info!("stopped");
}
