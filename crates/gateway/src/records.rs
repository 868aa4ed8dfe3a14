//! What becomes of finished requests: they are logged, if that is wanted, remembered for the clients that made them, and
//! what they show of a canary decides what becomes of it.

use std::sync::Arc;

use gw_core::RequestRecord;
use gw_engine::recent::Recent;
use gw_engine::trials::Trial;
use gw_policy::canary::Stage;
use gw_runtime::mailbox::Receiver;
use gw_telemetry::Registry;
use gw_telemetry::request_log::RequestLog;
use tokio::task::yield_now;
use tokio::time::Instant;

use crate::settings::Lasting;

/// Records that are looked at before other tasks have their turn.
const BATCH_MAX: usize = 256;

/// Who wants to know of finished requests.
pub(crate) struct Readers {
    pub(crate) log: Option<RequestLog>,
    pub(crate) recent: Arc<dyn Recent>,
    pub(crate) lasting: Arc<Lasting>,
    pub(crate) registry: Arc<Registry>,
    /// From when on the age of a canary is counted.
    pub(crate) epoch: Instant,
}

/// Takes what comes, until every sender is gone and the last record is on its way.
pub(crate) async fn run(mut finished: Receiver<RequestRecord>, mut readers: Readers) {
    while let Some(batch) = finished.next_batch().await {
        for records in batch.chunks(BATCH_MAX) {
            readers.read(records);
            yield_now().await;
        }
    }
}

impl Readers {
    fn read(&mut self, records: &[RequestRecord]) {
        if let Some(log) = &mut self.log {
            log.write(records);
        }
        let trials = &self.lasting.trials;
        for (trial, stage) in trials.learn(records, self.epoch.elapsed()) {
            tell(&trial, stage);
        }
        let stages =
            trials.running().iter().map(|trial| (Arc::clone(&trial.subject.name), trial.stage().name())).collect();
        self.registry.canaries(stages);
        self.recent.add(records);
    }
}

fn tell(trial: &Trial, stage: Stage) {
    let (canary, provider) = (&*trial.subject.name, &*trial.subject.provider);
    match stage {
        Stage::RolledBack(criterion, value) => tracing::error!(
            event = "canary_rolled_back",
            canary,
            provider,
            criterion = %criterion.what,
            value,
            bound = criterion.bound,
            "the canary is rolled back: it gets no request any more"
        ),
        Stage::Watched | Stage::Promoted | Stage::Ready | Stage::Undecided => {
            tracing::info!(event = "canary", canary, provider, stage = stage.name(), "the canary has come to a stage");
        }
    }
}
