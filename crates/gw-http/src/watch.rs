//! Slow clients. Each connection notes what it waits for; a sweep, four times a second, ends those that wait too long.
//!
//! A timer per request would be the plain way, and costs more than the request's own parsing. A note is one store.

use std::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};
use std::task::{Context, Waker};
use std::time::Duration;

use crate::serve::Timeouts;

/// How often connections are looked at. Limits are kept with this precision.
pub(crate) const SWEEP_INTERVAL: Duration = Duration::from_millis(250);

/// How long a connection that has sent nothing may go on while the worker drains.
const IDLE_WHILE_DRAINING: Duration = Duration::from_secs(1);

/// What a connection waited for when its time was up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Expired {
    /// The rest of a request's head.
    Head,
    /// The next request.
    Idle,
    /// The client to read what was written.
    Write,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Idle,
    Head,
    Serving,
}

/// What one connection waits for.
pub(crate) struct Watch {
    worker: Rc<Watches>,
    stage: Cell<Stage>,
    since: Cell<u64>,
    blocked_since: Cell<Option<u64>>,
    requests: Cell<usize>,
    served: Cell<bool>,
    /// Whether the service has been called since the last complete answer: if not, what hyper writes is its own.
    called: Cell<bool>,
    expired: Cell<Option<Expired>>,
    /// Whether the last answer ended the connection while the client may still be sending.
    lingers: Cell<bool>,
    waker: RefCell<Option<Waker>>,
}

impl Watch {
    pub(crate) fn read_some(&self) {
        if self.stage.get() == Stage::Idle {
            self.enter(Stage::Head);
        }
    }

    pub(crate) fn wrote_some(&self) {
        self.blocked_since.set(None);
    }

    pub(crate) fn write_blocked(&self) {
        if self.blocked_since.get().is_none() {
            self.blocked_since.set(Some(self.worker.now.get()));
        }
    }

    pub(crate) fn flushed(&self) {
        if self.stage.get() != Stage::Serving {
            self.called.set(false);
        }
    }

    pub(crate) fn request_begins(&self) {
        self.requests.set(self.requests.get() + 1);
        self.served.set(true);
        self.called.set(true);
        self.enter(Stage::Serving);
    }

    pub(crate) fn request_ends(&self) {
        let left = self.requests.get().saturating_sub(1);
        self.requests.set(left);
        if left == 0 {
            self.enter(Stage::Idle);
        }
    }

    /// Whether what is written now answers a request that the service was given.
    pub(crate) fn is_answering(&self) -> bool {
        self.called.get()
    }

    /// What the connection waited for in vain, if it did. Remembers whom to wake when it does, and when the worker
    /// begins to drain.
    pub(crate) fn poll_expired(&self, context: &mut Context<'_>) -> Option<Expired> {
        let mut waker = self.waker.borrow_mut();
        if !waker.as_ref().is_some_and(|known| known.will_wake(context.waker())) {
            *waker = Some(context.waker().clone());
        }
        self.expired.get()
    }

    /// The answer ends the connection, and may have overtaken its request.
    pub(crate) fn linger(&self) {
        self.lingers.set(true);
    }

    /// Whether the client may still be sending when the connection ends.
    pub(crate) fn lingers(&self) -> bool {
        self.lingers.get()
    }

    /// Whether a request has come on it.
    pub(crate) fn has_served(&self) -> bool {
        self.served.get()
    }

    /// Whether the worker wants its connections to end after the request they are serving.
    pub(crate) fn is_draining(&self) -> bool {
        self.worker.draining.get()
    }

    fn enter(&self, stage: Stage) {
        self.stage.set(stage);
        self.since.set(self.worker.now.get());
    }

    fn look(&self, now: u64, timeouts: &Timeouts) {
        let over = |since: u64, limit: Duration| now.saturating_sub(since) > ticks(limit);
        let idle = if self.is_draining() { IDLE_WHILE_DRAINING } else { timeouts.idle };
        let waited_for = match self.stage.get() {
            Stage::Idle if over(self.since.get(), idle) => Some(Expired::Idle),
            Stage::Head if over(self.since.get(), timeouts.head) => Some(Expired::Head),
            Stage::Idle | Stage::Head | Stage::Serving => None,
        };
        let stuck = self.blocked_since.get().filter(|since| over(*since, timeouts.write)).map(|_| Expired::Write);
        if let Some(expired) = waited_for.or(stuck) {
            self.expired.set(Some(expired));
            self.wake();
        }
    }

    fn wake(&self) {
        if let Some(waker) = self.waker.borrow().as_ref() {
            waker.wake_by_ref();
        }
    }
}

/// The connections of a worker.
#[derive(Default)]
pub(crate) struct Watches {
    now: Cell<u64>,
    draining: Cell<bool>,
    list: RefCell<Vec<Weak<Watch>>>,
}

impl Watches {
    /// Watches a new connection.
    pub(crate) fn add(self: &Rc<Self>) -> Rc<Watch> {
        let watch = Rc::new(Watch {
            worker: Rc::clone(self),
            stage: Cell::new(Stage::Idle),
            since: Cell::new(self.now.get()),
            blocked_since: Cell::new(None),
            requests: Cell::new(0),
            served: Cell::new(false),
            called: Cell::new(false),
            expired: Cell::new(None),
            lingers: Cell::new(false),
            waker: RefCell::new(None),
        });
        self.list.borrow_mut().push(Rc::downgrade(&watch));
        watch
    }

    /// Looks at every connection. To be called every [`SWEEP_INTERVAL`].
    pub(crate) fn sweep(&self, timeouts: &Timeouts) {
        let now = self.now.get() + 1;
        self.now.set(now);
        self.list.borrow_mut().retain(|watch| {
            let Some(watch) = watch.upgrade() else {
                return false;
            };
            watch.look(now, timeouts);
            true
        });
    }

    /// Tells every connection to end after the request it is serving.
    pub(crate) fn drain(&self) {
        self.draining.set(true);
        for watch in self.list.borrow().iter().filter_map(Weak::upgrade) {
            watch.wake();
        }
    }

    /// How many connections there are.
    pub(crate) fn count(&self) -> usize {
        self.list.borrow().iter().filter(|watch| watch.strong_count() > 0).count()
    }
}

fn ticks(limit: Duration) -> u64 {
    u64::try_from(limit.as_millis() / SWEEP_INTERVAL.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn timeouts() -> Timeouts {
        Timeouts { head: Duration::from_secs(1), idle: Duration::from_secs(2), write: Duration::from_secs(1) }
    }

    fn sweep_for(watches: &Watches, time: Duration) {
        for _ in 0..=ticks(time) {
            watches.sweep(&timeouts());
        }
    }

    #[test]
    fn each_wait_has_its_own_limit_and_serving_has_none() {
        type Act = fn(&Watch);
        let cases: [(&str, Act, Option<Expired>); 5] = [
            ("nothing was ever sent", |_| {}, Some(Expired::Idle)),
            ("half a head was sent", Watch::read_some, Some(Expired::Head)),
            ("a request is being served", Watch::request_begins, None),
            (
                "the client does not read",
                |watch| {
                    watch.request_begins();
                    watch.write_blocked();
                },
                Some(Expired::Write),
            ),
            (
                "the client reads again",
                |watch| {
                    watch.request_begins();
                    watch.write_blocked();
                    watch.wrote_some();
                },
                None,
            ),
        ];
        for (case, act, expected) in cases {
            let watches = Rc::new(Watches::default());
            let watch = watches.add();
            act(&watch);
            sweep_for(&watches, Duration::from_secs(2));
            assert_eq!(watch.expired.get(), expected, "{case}");
        }
    }

    #[test]
    fn the_idle_time_begins_when_the_last_answer_ends() {
        let watches = Rc::new(Watches::default());
        let watch = watches.add();
        watch.request_begins();
        sweep_for(&watches, Duration::from_secs(60));
        watch.request_ends();
        sweep_for(&watches, Duration::from_secs(1));
        assert_eq!(watch.expired.get(), None);
        sweep_for(&watches, Duration::from_secs(2));
        assert_eq!(watch.expired.get(), Some(Expired::Idle));
    }
}
