//! The one place where tasks and threads of the rig are started.

use std::thread;

use anyhow::{Context, Result};
use hyper::rt::Executor;
use tokio::runtime::Builder;
use tokio::task::{JoinHandle, LocalSet};

/// Starts a task on this thread's runtime.
#[expect(clippy::disallowed_methods, reason = "the rig uses no crate of the house; its processes live for one run")]
pub(crate) fn spawn_local<T: 'static>(future: impl Future<Output = T> + 'static) -> JoinHandle<T> {
    tokio::task::spawn_local(future)
}

/// Starts a task on a multi-threaded runtime.
#[expect(clippy::disallowed_methods, reason = "the rig uses no crate of the house; its processes live for one run")]
pub(crate) fn spawn(future: impl Future<Output = ()> + Send + 'static) {
    tokio::spawn(future);
}

/// Runs hyper's tasks on this thread.
#[derive(Clone, Copy)]
pub(crate) struct Here;

impl<F: Future<Output: 'static> + 'static> Executor<F> for Here {
    fn execute(&self, future: F) {
        spawn_local(future);
    }
}

/// Runs a future on this thread alone; it may start tasks with [`spawn_local`].
pub(crate) fn block_on<T>(future: impl Future<Output = Result<T>>) -> Result<T> {
    let runtime = Builder::new_current_thread().enable_all().build().context("cannot start the runtime")?;
    LocalSet::new().block_on(&runtime, future)
}

/// Runs one single-threaded runtime on each of `threads` threads, until one of them fails.
pub(crate) fn per_core<F>(threads: usize, make: impl Fn() -> F + Clone + Send + 'static) -> Result<()>
where
    F: Future<Output = Result<()>> + 'static,
{
    for _ in 1..threads {
        let make = make.clone();
        thread::spawn(move || block_on(make()));
    }
    block_on(make())
}
