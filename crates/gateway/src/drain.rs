//! How the gateway ends: it stops accepting, lets what is in flight end, and leaves nothing unwritten.

use std::sync::Arc;
use std::time::Duration;

use gw_http::workers::Workers;
use gw_runtime::Tasks;
use gw_server::Health;
use tokio::signal::unix::{SignalKind, signal};

/// For writing what the background tasks still hold.
const TASKS_LIMIT: Duration = Duration::from_secs(5);

/// Waits until the process is told to stop, by SIGTERM or SIGINT.
///
/// # Errors
/// If the signals cannot be listened for.
pub(crate) async fn wanted() -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::select! {
        _ = terminate.recv() => tracing::info!("told to stop by SIGTERM"),
        _ = interrupt.recv() => tracing::info!("told to stop by SIGINT"),
    }
    Ok(())
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
