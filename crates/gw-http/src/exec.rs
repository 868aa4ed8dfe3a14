//! Runs hyper's own tasks (HTTP/2 streams) on the worker they belong to.

/// Spawns on the worker's own runtime; what is spawned need not be `Send`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct WorkerExecutor;

impl<F> hyper::rt::Executor<F> for WorkerExecutor
where
    F: Future + 'static,
{
    fn execute(&self, future: F) {
        gw_runtime::tasks::spawn_local("http2", async move {
            future.await;
        });
    }
}
