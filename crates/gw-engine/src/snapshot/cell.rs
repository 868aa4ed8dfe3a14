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

/// A worker's view of the snapshot in force: one comparison per request, and nothing shared is written. Clones are the
/// same view.
#[derive(Clone)]
pub struct Handle(Rc<View>);

#[expect(clippy::redundant_allocation, reason = "the count of an Arc is shared between workers, that of an Rc is not")]
struct View {
    published: Arc<Published>,
    generation: Cell<u64>,
    current: RefCell<Rc<Arc<Snapshot>>>,
}

impl Handle {
    /// Follows what is published.
    pub fn new(published: &Arc<Published>) -> Self {
        let current = published.current();
        Self(Rc::new(View {
            published: Arc::clone(published),
            generation: Cell::new(current.generation),
            current: RefCell::new(Rc::new(current)),
        }))
    }

    /// The snapshot for a request that begins now.
    pub fn load(&self) -> Rc<Arc<Snapshot>> {
        let view = &*self.0;
        let generation = view.published.generation.load(Ordering::Acquire);
        if generation != view.generation.get() {
            *view.current.borrow_mut() = Rc::new(view.published.current());
            view.generation.set(generation);
        }
        Rc::clone(&view.current.borrow())
    }
}
