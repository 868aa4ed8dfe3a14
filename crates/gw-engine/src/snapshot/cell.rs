//! How a new snapshot reaches the workers.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;

use super::Snapshot;

/// The snapshot in force. The control plane publishes; each worker follows through its own [`Handle`].
pub struct Published {
    generation: AtomicU64,
    current: Mutex<Arc<Snapshot>>,
}

impl Published {
    /// The first snapshot.
    pub fn new(first: Snapshot) -> Arc<Self> {
        Arc::new(Self { generation: AtomicU64::new(first.generation), current: Mutex::new(Arc::new(first)) })
    }

    /// Replaces the snapshot. Requests that have begun keep the one they began with.
    pub fn publish(&self, next: Snapshot) {
        let generation = next.generation;
        *self.current.lock() = Arc::new(next);
        self.generation.store(generation, Ordering::Release);
    }

    /// The snapshot in force.
    pub fn current(&self) -> Arc<Snapshot> {
        Arc::clone(&self.current.lock())
    }
}

/// A worker's view of the snapshot in force: one comparison per request, and nothing shared is written.
#[expect(clippy::redundant_allocation, reason = "the count of an Arc is shared between workers, that of an Rc is not")]
pub struct Handle {
    published: Arc<Published>,
    generation: Cell<u64>,
    current: RefCell<Rc<Arc<Snapshot>>>,
}

impl Handle {
    /// Follows what is published.
    pub fn new(published: &Arc<Published>) -> Self {
        let current = published.current();
        Self {
            published: Arc::clone(published),
            generation: Cell::new(current.generation),
            current: RefCell::new(Rc::new(current)),
        }
    }

    /// The snapshot for a request that begins now.
    pub fn load(&self) -> Rc<Arc<Snapshot>> {
        let generation = self.published.generation.load(Ordering::Acquire);
        if generation != self.generation.get() {
            *self.current.borrow_mut() = Rc::new(self.published.current());
            self.generation.set(generation);
        }
        Rc::clone(&self.current.borrow())
    }
}
