//! Named background tasks: which run, which broke, and an end to all of them at shutdown.

use std::any::Any;
use std::collections::BTreeMap;
use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::time::timeout;

/// The tasks of the control plane, on its own multi-threaded runtime. Clones are the same tasks.
#[derive(Clone)]
pub struct Tasks(Arc<Shared>);

struct Shared {
    runtime: Handle,
    stage: watch::Sender<Stage>,
    running: watch::Sender<BTreeMap<u64, &'static str>>,
    started: AtomicU64,
    panics: AtomicU64,
    on_panic: OnPanic,
}

type OnPanic = Box<dyn Fn(&'static str, &str) + Send + Sync>;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    Running,
    Stopping,
    Ended,
}

/// Says when a task should come to its end.
#[derive(Clone)]
pub struct Stop(watch::Receiver<Stage>);

impl Stop {
    /// Waits until the tasks are asked to end.
    pub async fn wanted(&mut self) {
        // An error means that the tasks are gone, which is a wish to end too.
        let _ = self.0.wait_for(|stage| *stage >= Stage::Stopping).await;
    }
}

impl Tasks {
    /// Starts tasks on `runtime`; tells `on_panic` the name of a task that panicked, and what it said.
    pub fn new(runtime: Handle, on_panic: impl Fn(&'static str, &str) + Send + Sync + 'static) -> Self {
        Self(Arc::new(Shared {
            runtime,
            stage: watch::Sender::new(Stage::Running),
            running: watch::Sender::new(BTreeMap::new()),
            started: AtomicU64::new(0),
            panics: AtomicU64::new(0),
            on_panic: Box::new(on_panic),
        }))
    }

    /// Starts a task that has something to finish. It ends by itself, when [`Stop::wanted`] tells it to, or at the limit
    /// of [`Tasks::shutdown`]. Once the shutdown is over nothing starts any more: the future is dropped.
    pub fn spawn(&self, name: &'static str, future: impl Future<Output = ()> + Send + 'static) {
        self.spawn_until(Stage::Ended, name, future);
    }

    /// Starts a task that has nothing to finish: it is dropped, wherever it waits, as soon as the shutdown begins.
    pub fn spawn_until_stop(&self, name: &'static str, future: impl Future<Output = ()> + Send + 'static) {
        self.spawn_until(Stage::Stopping, name, future);
    }

    /// Where a task hears that it should end.
    pub fn stop(&self) -> Stop {
        Stop(self.0.stage.subscribe())
    }

    /// The names of the tasks that run, in the order in which they were started.
    pub fn running(&self) -> Vec<&'static str> {
        self.0.running.borrow().values().copied().collect()
    }

    /// How many tasks have panicked.
    pub fn panics(&self) -> u64 {
        self.0.panics.load(Ordering::Relaxed)
    }

    /// Asks all tasks to end, waits for them until `limit`, drops those that have not, and names them.
    pub async fn shutdown(&self, limit: Duration) -> Vec<&'static str> {
        self.0.stage.send_replace(Stage::Stopping);
        let mut running = self.0.running.subscribe();
        // The receiver's sender is in `self`, so the only failure is the limit.
        let _ = timeout(limit, running.wait_for(BTreeMap::is_empty)).await;
        // Read first: what is dropped strikes itself out.
        let late = self.running();
        self.0.stage.send_replace(Stage::Ended);
        late
    }

    fn spawn_until(&self, last: Stage, name: &'static str, future: impl Future<Output = ()> + Send + 'static) {
        let entry = Entry::new(Arc::clone(&self.0), name);
        let mut stage = self.0.stage.subscribe();
        self.0.runtime.spawn(async move {
            tokio::select! {
                biased;
                _ = stage.wait_for(|stage| *stage >= last) => {}
                ended = catch_panic(future) => {
                    if let Err(message) = ended {
                        entry.shared.panics.fetch_add(1, Ordering::Relaxed);
                        (entry.shared.on_panic)(name, &message);
                    }
                }
            }
            drop(entry);
        });
    }
}

/// Starts a task of a worker on the worker's own `LocalSet`; it need not be `Send`, and ends with the worker. The name
/// tells the reader what runs; nothing is kept of it.
#[expect(clippy::disallowed_methods, reason = "this is the sanctioned way")]
pub fn spawn_local(_name: &'static str, future: impl Future<Output = ()> + 'static) {
    tokio::task::spawn_local(future);
}

/// A line in the list of running tasks, struck out when the task ends, however it ends.
struct Entry {
    shared: Arc<Shared>,
    number: u64,
}

impl Entry {
    fn new(shared: Arc<Shared>, name: &'static str) -> Self {
        let number = shared.started.fetch_add(1, Ordering::Relaxed);
        shared.running.send_modify(|running| {
            running.insert(number, name);
        });
        Self { shared, number }
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.shared.running.send_modify(|running| {
            running.remove(&self.number);
        });
    }
}

/// Runs a future; a panic is an error that holds what was said.
async fn catch_panic(future: impl Future<Output = ()>) -> Result<(), String> {
    let mut future = Box::pin(future);
    // The future is not polled again after a panic: whatever it left half-done is only dropped.
    poll_fn(|context| match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(context))) {
        Ok(poll) => poll.map(Ok),
        Err(payload) => Err(message(payload.as_ref())).into(),
    })
    .await
}

fn message(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| payload.downcast_ref::<String>().cloned()).unwrap_or_else(|| "no message".to_owned())
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use parking_lot::Mutex;
    use tokio::sync::oneshot;

    use super::*;

    fn tasks() -> Tasks {
        Tasks::new(Handle::current(), |_, _| {})
    }

    #[tokio::test(start_paused = true)]
    async fn shutdown_waits_for_a_task_that_tidies_up() {
        let (tasks, tidied) = (tasks(), Arc::new(AtomicU64::new(0)));
        let (mut stop, count) = (tasks.stop(), Arc::clone(&tidied));
        tasks.spawn("tidy", async move {
            stop.wanted().await;
            tokio::time::sleep(Duration::from_secs(3)).await;
            count.fetch_add(1, Ordering::Relaxed);
        });
        assert_eq!(tasks.running(), ["tidy"]);
        assert!(tasks.shutdown(Duration::from_secs(10)).await.is_empty());
        assert_eq!(tidied.load(Ordering::Relaxed), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn shutdown_names_the_tasks_that_do_not_end_and_drops_them() {
        let tasks = tasks();
        let (held, dropped) = oneshot::channel::<()>();
        tasks.spawn("stubborn", async move {
            pending::<()>().await;
            drop(held);
        });
        tasks.spawn("quick", async {});
        assert_eq!(tasks.shutdown(Duration::from_secs(1)).await, ["stubborn"]);
        assert!(dropped.await.is_err());
        tasks.spawn("too late", async { unreachable!() });
        tokio::task::yield_now().await;
        tokio::task::yield_now().await;
        assert!(tasks.running().is_empty());
        assert_eq!(tasks.panics(), 0);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn no_late_task_goes_unnamed_because_it_is_dropped_at_once() {
        let tasks = tasks();
        (0..100).for_each(|_| tasks.spawn("stubborn", pending()));
        assert_eq!(tasks.shutdown(Duration::ZERO).await.len(), 100);
    }

    #[tokio::test(start_paused = true)]
    async fn a_task_with_nothing_to_finish_does_not_hold_up_the_shutdown() {
        let tasks = tasks();
        tasks.spawn_until_stop("endless", pending());
        let started = tokio::time::Instant::now();
        assert!(tasks.shutdown(Duration::from_secs(10)).await.is_empty());
        assert_eq!(started.elapsed(), Duration::ZERO);
    }

    #[tokio::test]
    async fn a_panic_is_counted_and_told_and_the_other_tasks_go_on() {
        let told = Arc::new(Mutex::new(Vec::new()));
        let ear = Arc::clone(&told);
        let tasks = Tasks::new(Handle::current(), move |name, message| ear.lock().push(format!("{name}: {message}")));
        let (answer, other) = oneshot::channel();
        tasks.spawn("broken", async { panic!("no {}", "luck") });
        tasks.spawn("other", async { answer.send(7).unwrap() });
        assert_eq!(other.await.unwrap(), 7);
        assert!(tasks.shutdown(Duration::from_secs(10)).await.is_empty());
        assert_eq!(tasks.panics(), 1);
        assert_eq!(*told.lock(), ["broken: no luck"]);
    }

    #[tokio::test]
    async fn a_local_task_need_not_be_send() {
        tokio::task::LocalSet::new()
            .run_until(async {
                let (sender, receiver) = oneshot::channel();
                let local = std::rc::Rc::new(5);
                spawn_local("local", async move { sender.send(*local).unwrap() });
                assert_eq!(receiver.await.unwrap(), 5);
            })
            .await;
    }
}
