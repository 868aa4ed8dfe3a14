//! What becomes of finished requests: they are logged, if that is wanted, and remembered for the clients that made them.

use std::sync::Arc;

use gw_core::RequestRecord;
use gw_engine::recent::Recent;
use gw_runtime::mailbox::Receiver;
use gw_telemetry::request_log::RequestLog;

/// Records that are taken at a time.
const BATCH_MAX: usize = 256;

/// Takes what comes, until every sender is gone and the last record is on its way.
pub(crate) async fn run(mut finished: Receiver<RequestRecord>, mut log: Option<RequestLog>, recent: Arc<dyn Recent>) {
    while let Some(batch) = finished.next_batch(BATCH_MAX).await {
        if let Some(log) = &mut log {
            log.write(&batch);
        }
        recent.add(batch);
    }
}
